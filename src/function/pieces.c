/*
 * Pieces of a function with proved errors. A run of floats is cut greedily: a stretch whose Taylor polynomial is not good
 * enough is halved, down to a list of single values. "Introduction to Interval Computations", Alefeld and Herzberger, for the
 * remainder over a ball; "Accuracy and Stability of Numerical Algorithms", Higham, chapter 5, for the roundings of
 * Horner's rule; "Radian Reduction for Trigonometric Functions", Payne and Hanek, for large arguments of sine.
 */
#include "function/pieces.h"

#include "function/enclosure.h"

#include <math.h>
#include <string.h>

/* Number of a float in increasing order: ... -0 is -1, +0 is 0 ... */
int64_t function_key_of_float(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? bits ^ 0x7fffffff : bits;
}

float function_float_of_key(int64_t key)
{
    int32_t bits = (int32_t)(key < 0 ? key ^ 0x7fffffff : key);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct function_pieces {
    nigh_context *ctx;
    const function_target *target;
    function_margin library; /* without Arb */
    int64_t next, last, size; /* what is left of the run; floats of the next attempt */
    long precision;
    bool whole;               /* the last attempt was good at once */
    function_piece piece;
};

void function_pieces_free(function_pieces *pieces)
{
    if (pieces) nigh_free(pieces->ctx, pieces);
}

static nigh_status start(nigh_context *ctx, const function_target *target, function_pieces **out)
{
    function_pieces *pieces = nigh_alloc_zero(ctx, 1, sizeof *pieces);
    if (!pieces) return NIGH_MEMORY;
    pieces->ctx = ctx;
    pieces->target = target;
    *out = pieces;
    return NIGH_OK;
}

#if defined(NIGH_HAVE_ARB)
#include <flint/flint.h>

/* Numbers beyond FAR are not told apart, nor those below NEAR; SLACK covers what underflows on the way to f64. */
static const double FAR = 0x1p999, BEYOND = 0x1p1000, NEAR = 0x1p-900, SLACK = 0x1p-990, ENOUGH = 0x1p-46, LEAST_ULP = 0x1p-172;

enum { LENGTH = PIECE_DEGREE + 2, MOST_PRECISION = 1024, SURE = 80, FIRST_PRECISION = 128 };

const char *function_pieces_how(const function_pieces *pieces)
{
    (void)pieces;
    return "every f32 of the interval, reference proved by Arb";
}

void function_pieces_leave_thread(void)
{
    flint_cleanup();
}

nigh_status function_pieces_new(nigh_context *ctx, const function_target *target, function_pieces **out)
{
    return start(ctx, target, out);
}

/* Bounds of |x|, as doubles; underflow gives 0 and SLACK. */
static void absolute_bounds(const arb_t x, double *least, double *most)
{
    arf_t end;
    arf_init(end);
    arb_get_abs_lbound_arf(end, x, 64);
    *least = arf_cmpabs_2exp_si(end, -1000) < 0 ? 0 : arf_get_d(end, ARF_RND_FLOOR);
    arb_get_abs_ubound_arf(end, x, 64);
    *most = arf_is_zero(end) ? 0 : arf_cmpabs_2exp_si(end, -1000) < 0 ? SLACK : arf_get_d(end, ARF_RND_CEIL);
    arf_clear(end);
}

/* Upper bound of |x - value|. */
static double distance(const arb_t x, double value)
{
    double least, most;
    arb_t other;
    arb_init(other);
    arb_set_d(other, value);
    arb_sub(other, x, other, MOST_PRECISION);
    absolute_bounds(other, &least, &most);
    arb_clear(other);
    return most;
}

/* The value and its radius for a list, or for a polynomial of degree 0; false: nothing is known or it straddles FAR. */
static bool one_number(const arb_t f, double *value, double *radius)
{
    double least, most;
    *value = NAN;
    *radius = INFINITY;
    if (!arb_is_finite(f)) return false;
    absolute_bounds(f, &least, &most);
    if (least > FAR) {
        *value = arb_is_negative(f) ? -BEYOND : BEYOND;
        *radius = 0;
        return true;
    }
    if (most > FAR) return false;
    *value = most < NEAR ? 0 : arf_get_d(arb_midref(f), ARF_RND_NEAR);
    *radius = most < NEAR ? (most == 0 ? 0 : NEAR) : distance(f, *value);
    return true;
}

/* Error that a piece may have where |f| lies between these. */
static double tolerance(const function_pieces *p, double least, double most)
{
    char measure = p->target->measure->name[0];
    if (measure == 'a') return ENOUGH * most;
    return measure == 'u' ? fmax(ENOUGH * least, LEAST_ULP) : ENOUGH * least;
}

/* ---- Taylor polynomials ---- */

typedef struct stretch {
    double centre, half, reach; /* |x - centre| <= half; reach = half 2^-exponent <= 1 */
    slong exponent;
    double least, most;         /* of |f| */
} stretch;

/* Upper bound of |c| half^k for a coefficient of order k. */
static double term(const arb_t c, const stretch *s, int k)
{
    double least, most;
    arb_t scaled;
    arb_init(scaled);
    arb_mul_2exp_si(scaled, c, s->exponent * k);
    if (arb_is_finite(scaled)) absolute_bounds(scaled, &least, &most);
    else most = INFINITY;
    arb_clear(scaled);
    return most * pow(s->reach, k) * (1 + 1e-12);
}

/* The coefficients at the centre to f64; the bound of all errors but the remainder's. */
static double round_coefficients(const stretch *s, arb_srcptr c, function_piece *out)
{
    double off = 0, rounding = 0;
    arb_t scaled;
    arb_init(scaled);
    for (int k = 0; k <= out->degree; k++) {
        arb_mul_2exp_si(scaled, &c[k], s->exponent * k);
        double power = pow(s->reach, k) * (1 + 1e-12);
        bool fits = arb_is_finite(scaled) && arf_cmpabs_2exp_si(arb_midref(scaled), 1020) < 0;
        out->c[k] = fits ? arf_get_d(arb_midref(scaled), ARF_RND_NEAR) : INFINITY;
        if (!fits) off = INFINITY;
        else off += distance(scaled, out->c[k]) * power;
        rounding += (2 * k + 2) * fabs(out->c[k]) * power; /* k + 1 steps of Horner's rule, k times that of u */
    }
    arb_clear(scaled);
    return (off + rounding * 0x1p-53 * (1 + 1e-9)) * (1 + 1e-9) + SLACK;
}

/* Of the stretch, once the series over it (c) and the value at its centre are known: a mean value form. */
static void better_bounds(const function_pieces *p, arb_srcptr c, stretch *s)
{
    arb_t f, x;
    double least, most, slope = term(&c[1], s, 1);
    arb_init(f);
    arb_init(x);
    arb_set_d(x, s->centre);
    function_enclose(f, p->target->expr, x, p->precision);
    absolute_bounds(f, &least, &most);
    if (arb_is_finite(f) && (least - slope) * (1 - 1e-15) > s->least) s->least = (least - slope) * (1 - 1e-15);
    if (arb_is_finite(f) && (most + slope) * (1 + 1e-15) < s->most) s->most = (most + slope) * (1 + 1e-15);
    arb_clear(f);
    arb_clear(x);
}

static bool taylor(const function_pieces *p, const arb_t ball, stretch *s, function_piece *out)
{
    arb_ptr c = _arb_vec_init(LENGTH);
    bool good = false;
    function_enclose_series(c, p->target->expr, ball, LENGTH, p->precision);
    if (arb_is_finite(&c[1]) && s->least < s->most / 2) better_bounds(p, c, s);
    double enough = tolerance(p, s->least, s->most), rest = INFINITY;
    for (int k = 1; k <= PIECE_DEGREE && !(rest <= enough / 2); k++) {
        out->degree = k;
        rest = term(&c[k + 1], s, k + 1);
    }
    if (enough > 0 && rest <= enough / 2) {
        arb_t x;
        arb_init(x);
        arb_set_d(x, s->centre);
        for (long precision = p->precision; precision <= MOST_PRECISION && !good; precision *= 2) {
            function_enclose_series(c, p->target->expr, x, out->degree + 1, precision);
            out->margin = (function_margin){0, rest + round_coefficients(s, c, out), true};
            good = out->margin.absolute <= enough;
            if (good || arb_rel_accuracy_bits(&c[0]) > 64) break; /* more precision would not help */
        }
        arb_clear(x);
    }
    _arb_vec_clear(c, LENGTH);
    return good;
}

static bool polynomial(const function_pieces *p, int64_t first, int64_t last, function_piece *out)
{
    double low = (double)function_float_of_key(first), high = (double)function_float_of_key(last);
    stretch s = {.centre = low + (high - low) / 2};
    int exponent;
    s.half = nextafter(fmax(high - s.centre, s.centre - low), INFINITY);
    frexp(s.half, &exponent);
    s.exponent = exponent;
    s.reach = ldexp(s.half, -exponent);
    *out = (function_piece){.kind = PIECE_POLYNOMIAL, .first = first, .last = last, .centre = s.centre, .scale = ldexp(1, -exponent)};
    arb_t ball, f;
    arb_init(ball);
    arb_init(f);
    arb_set_d(ball, s.centre);
    mag_set_d(arb_radref(ball), s.half);
    function_enclose(f, p->target->expr, ball, p->precision);
    double radius;
    bool good = one_number(f, &out->c[0], &radius);
    if (good) {
        absolute_bounds(f, &s.least, &s.most);
        out->margin = (function_margin){0, radius, true};
        bool small = s.most < (p->target->measure->name[0] == 'u' ? LEAST_ULP : NEAR);
        if (small) out->c[0] = 0, out->margin.absolute = s.most;
        if (!small && s.least <= FAR && !(radius <= tolerance(p, s.least, s.most))) good = taylor(p, ball, &s, out);
    }
    arb_clear(ball);
    arb_clear(f);
    return good;
}

/* ---- sine of large arguments ---- */

/* The operation of an expression that is one operation of x; NIGH_OP_COUNT for others. */
static nigh_op only_op(const function_target *target)
{
    const nigh_step *step;
    return nigh_expr_steps(target->expr, &step) == 1 && nigh_op_arguments(step->op) == 1 ? step->op : NIGH_OP_COUNT;
}

static bool is_sine(const function_target *target)
{
    nigh_op op = only_op(target);
    return op == NIGH_OP_SIN || op == NIGH_OP_COS || op == NIGH_OP_TAN;
}

enum { LARGE = 6, FRACTION = 160, DIGITS = 24 }; /* from 2^LARGE on; bits of 2/pi kept behind the point of x 2/pi at whole x */

/*
 * x = m 2^shift with a whole m < 2^24, so x 2/pi mod 4 = m (2^shift 2/pi mod 4) mod 4. That number is cut into 29 bits (2 of
 * them before the point), 26 bits, and the rest rounded to 53: m times the first two is exact in f64, and so is their
 * sum once the whole part is taken off (a multiple of 2^-53 below 1). What is left is below 2^-29 and has two roundings:
 * 2^-81 absolutely, beside an angle of at least `nearest`. The other roundings are relative: 2^-51.5 for the angle, at most 1.5
 * times that in the cosine (angles are below 0.984), and 2^-51 for the polynomials of the kernel, whose next terms are
 * below 2^-57: 2^-49.9 in sum, twice that and a division in the tangent.
 */

/*
 * Least distance of m alpha from whole numbers, 0 < m < 2^DIGITS, alpha = whole / 2^FRACTION cut off: that of the last
 * convergent of alpha with such a denominator, from Euclid's algorithm ("Continued Fractions", Khinchin, theorem 17).
 */
static double nearest_to_whole(const fmpz_t whole)
{
    fmpz_t a, b, quotient, rest;
    fmpz_init(a);
    fmpz_init(b);
    fmpz_init(quotient);
    fmpz_init(rest);
    fmpz_one(a);
    fmpz_mul_2exp(a, a, FRACTION);
    fmpz_fdiv_r_2exp(b, whole, FRACTION);
    for (int64_t before = 0, q = 1; fmpz_sgn(b) > 0;) {
        fmpz_fdiv_qr(quotient, rest, a, b);
        if (fmpz_cmp_ui(quotient, 1 << DIGITS) >= 0 || (int64_t)fmpz_get_ui(quotient) * q + before >= 1 << DIGITS) break;
        int64_t following = (int64_t)fmpz_get_ui(quotient) * q + before;
        before = q;
        q = following;
        fmpz_swap(a, b);
        fmpz_swap(b, rest);
    }
    double nearest = ldexp(fmpz_get_d(b), -FRACTION) * (1 - 0x1p-50) - 0x1p-130; /* what was cut off, times m */
    fmpz_clear(a);
    fmpz_clear(b);
    fmpz_clear(quotient);
    fmpz_clear(rest);
    return nearest;
}

static void sine(const function_pieces *p, int64_t first, int64_t last, function_piece *out)
{
    int shift = ilogbf(function_float_of_key(first)) - 23;
    *out = (function_piece){.kind = PIECE_SINE, .first = first, .last = last, .op = only_op(p->target)};
    arb_t x;
    fmpz_t whole, part;
    arb_init(x);
    fmpz_init(whole);
    fmpz_init(part);
    for (slong precision = 512; ; precision *= 2) {
        arb_const_pi(x, precision);
        arb_ui_div(x, 2, x, precision);
        arb_mul_2exp_si(x, x, shift + FRACTION);
        arb_floor(x, x, precision);
        if (arb_get_unique_fmpz(whole, x)) break;
    }
    fmpz_fdiv_r_2exp(whole, whole, FRACTION + 2);
    double nearest = nearest_to_whole(whole), tangent = out->op == NIGH_OP_TAN ? 2.1 : 1;
    out->margin = (function_margin){nearest > 0 ? (0x1p-49 + 0x1p-80 / nearest) * tangent : INFINITY, 0, true};
    static const int cut[] = {FRACTION - 27, FRACTION - 53, 0};
    for (int i = 0; i < PIECE_TURN; i++) {
        fmpz_fdiv_q_2exp(part, whole, (ulong)cut[i]);
        fmpz_fdiv_r_2exp(whole, whole, (ulong)cut[i]);
        arf_t number;
        arf_init(number);
        arf_set_fmpz(number, part);
        arf_mul_2exp_si(number, number, cut[i] - FRACTION - shift);
        out->turn[i] = arf_get_d(number, ARF_RND_NEAR);
        arf_clear(number);
    }
    fmpz_clear(whole);
    fmpz_clear(part);
    arb_clear(x);
}

/* Last float, up to `last`, of the binade and sign of `first`. */
static int64_t binade_end(int64_t first, int64_t last)
{
    int64_t end = first | 0x7fffff;
    return end < last ? end : last;
}

/* ---- beyond all numbers ---- */

/*
 * exp(1024) and half of it lie beyond 2^999, and the values of larger numbers do; balls cannot hold those. Gives the last float
 * of the run, from `first` on, of which that is known, or first - 1.
 */
static int64_t explosion_end(const function_pieces *p, int64_t first)
{
    nigh_op op = only_op(p->target);
    bool both = op == NIGH_OP_SINH || op == NIGH_OP_COSH, one = op == NIGH_OP_EXP || op == NIGH_OP_EXP2 || op == NIGH_OP_EXPM1;
    int64_t edge = function_key_of_float(-1024);
    if ((one || both) && first >= function_key_of_float(1024)) return p->last;
    if (both && first <= edge) return edge < p->last ? edge : p->last;
    return first - 1;
}

static void explosion(const function_pieces *p, int64_t first, int64_t last, function_piece *out)
{
    bool negative = first < 0 && only_op(p->target) == NIGH_OP_SINH;
    *out = (function_piece){.kind = PIECE_POLYNOMIAL, .first = first, .last = last, .c = {negative ? -BEYOND : BEYOND}, .margin = {0, 0, true}};
}

/* ---- the run ---- */

/* Bits at which f(x) is known well: more where terms cancel. */
static long precision_at(const function_target *target, double x)
{
    arb_t point, f;
    arb_init(point);
    arb_init(f);
    arb_set_d(point, x);
    long precision = FIRST_PRECISION;
    for (; precision < MOST_PRECISION; precision *= 2) {
        function_enclose(f, target->expr, point, precision);
        if (arb_is_exact(f) || arb_rel_accuracy_bits(f) >= SURE) break;
    }
    arb_clear(point);
    arb_clear(f);
    return precision < MOST_PRECISION ? precision : 2 * FIRST_PRECISION;
}

void function_pieces_begin(function_pieces *p, int64_t first, int64_t last)
{
    p->next = first;
    p->last = last;
    p->size = last - first + 1;
    p->whole = true;
    long low = precision_at(p->target, (double)function_float_of_key(first));
    long high = precision_at(p->target, (double)function_float_of_key(last));
    p->precision = low > high ? low : high;
}

static void list(const function_pieces *p, int64_t first, int64_t last, function_piece *out)
{
    arb_t f;
    arb_init(f);
    *out = (function_piece){.kind = PIECE_LIST, .first = first, .last = last, .margin = {0, 0, true}};
    for (int64_t key = first; key <= last; key++) {
        function_enclose_at(f, p->target->expr, (double)function_float_of_key(key), SURE);
        one_number(f, &out->value[key - first], &out->radius[key - first]);
    }
    arb_clear(f);
}

const function_piece *function_pieces_next(function_pieces *p)
{
    int64_t first = p->next, left = p->last - first + 1;
    if (left <= 0) return NULL;
    int64_t last = explosion_end(p, first);
    if (last >= first) {
        explosion(p, first, last, &p->piece);
        p->next = last + 1;
        return &p->piece;
    }
    if (is_sine(p->target) && fabsf(function_float_of_key(first)) >= ldexpf(1, LARGE)) {
        last = binade_end(first, p->last);
        sine(p, first, last, &p->piece);
        p->next = last + 1;
        p->size = last - first + 1;
        return &p->piece;
    }
    if (p->whole) p->size *= 2;
    if (p->size > left) p->size = left;
    p->whole = true;
    while (p->size > PIECE_VALUES && !polynomial(p, first, first + p->size - 1, &p->piece)) {
        p->size /= 2;
        p->whole = false;
    }
    if (p->size <= PIECE_VALUES) {
        p->size = left < PIECE_VALUES ? left : PIECE_VALUES;
        list(p, first, first + p->size - 1, &p->piece);
        p->whole = true;
    }
    p->next = first + p->size;
    return &p->piece;
}

double function_pieces_error(const function_pieces *p, float x, double answer, double *least)
{
    double low, high, nearest = INFINITY, furthest = INFINITY;
    arb_t f, difference;
    arb_init(f);
    arb_init(difference);
    function_enclose_at(f, p->target->expr, (double)x, 100);
    absolute_bounds(f, &low, &high);
    bool right = isinf(answer) && low >= FUNCTION_OVERFLOW_F32 && arb_is_positive(f) == (answer > 0);
    if (!arb_is_finite(f)) {
        nearest = 0;
    } else if (right) {
        nearest = furthest = 0;
    } else if (isfinite(answer) && low <= FAR) {
        arb_set_d(difference, answer);
        arb_sub(difference, difference, f, MOST_PRECISION);
        absolute_bounds(difference, &nearest, &furthest);
        nearest = function_in_measure(p->target, nearest, high) * (1 - 0x1p-50);
        furthest = function_in_measure(p->target, furthest, low) * (1 + 0x1p-50);
        if (answer == 0 && furthest > 1 && p->target->measure->name[0] == 'r') furthest = 1;
    }
    arb_clear(f);
    arb_clear(difference);
    *least = nearest;
    return furthest;
}

#else

const char *function_pieces_how(const function_pieces *pieces)
{
    return pieces->library.proved ? "every f32 of the interval" : "every f32 of the interval, error of the f64 reference estimated";
}

void function_pieces_leave_thread(void) {}

nigh_status function_pieces_new(nigh_context *ctx, const function_target *target, function_pieces **out)
{
    nigh_status status = start(ctx, target, out);
    if (status != NIGH_OK) return status;
    status = function_reference_margin(ctx, target, &(*out)->library);
    if (status != NIGH_OK) function_pieces_free(*out);
    return status;
}

void function_pieces_begin(function_pieces *p, int64_t first, int64_t last)
{
    p->next = first;
    p->last = last;
}

const function_piece *function_pieces_next(function_pieces *p)
{
    if (p->next > p->last) return NULL;
    p->piece = (function_piece){.kind = PIECE_LIBRARY, .first = p->next, .last = p->last, .margin = p->library};
    p->next = p->last + 1;
    return &p->piece;
}

double function_pieces_error(const function_pieces *p, float x, double answer, double *least)
{
    *least = function_error_f128(p->target, answer, function_value(p->target, (nigh_f128)x));
    return *least * (1 + 1e-12); /* far more than the 1e-29 of quadruple precision */
}
#endif
