/*
 * Power series of expressions in ball arithmetic: every step of an expression becomes an operation on truncated
 * series whose coefficients are balls. Functions that Arb lacks are composed so that they keep their relative
 * accuracy in the tails. Values over wide balls are taken at the ends where the function is monotone.
 * "Evaluating Derivatives", Griewank and Walther, chapter 13; "Arb: efficient arbitrary-precision midpoint-radius
 * interval arithmetic", F. Johansson.
 */
#include "function/enclosure.h"

#if defined(NIGH_HAVE_ARB)
#include "core/expr.h"

#include <arb_hypgeom.h>

enum { MOST_WHOLE = 1000000, NARROW = 40 };

/* Length and precision of the series at work, and room for steps. */
typedef struct work {
    slong n, bits;
    arb_poly_struct t[4];
    arb_t value;
} work;

/* ---- numbers ---- */

void function_ball_set_f128(arb_t out, nigh_f128 x)
{
    if (x != x) {
        arb_indeterminate(out);
        return;
    }
    if (!f128_finite(x)) {
        if (x > 0) arb_pos_inf(out);
        else arb_neg_inf(out);
        return;
    }
    slong shift = 0; /* into the range of doubles */
    for (; x >= Q(0x1p900) || x <= -Q(0x1p900); shift += 900) x *= Q(0x1p-900);
    for (; x != 0 && x < Q(0x1p-800) && x > -Q(0x1p-800); shift -= 900) x *= Q(0x1p900);
    arb_t part;
    arb_init(part);
    arb_zero(out);
    for (int i = 0; i < 3; i++) { /* 53 bits each, of 113 */
        double d = (double)x;
        x -= d;
        arb_set_d(part, d);
        arb_add(out, out, part, ARF_PREC_EXACT);
    }
    arb_clear(part);
    arb_mul_2exp_si(out, out, shift);
}

static void set_constant(arb_t out, const nigh_expr *expr, int i)
{
    nigh_f128 value = expr->constant_f128[i];
    function_ball_set_f128(out, value);
    if (value == (double)value) return;
    mag_t size;
    mag_init(size);
    arb_get_mag(size, out);
    mag_mul_2exp_si(size, size, -112);
    mag_add(arb_radref(out), arb_radref(out), size);
    mag_clear(size);
}

/* ---- values ---- */

/* 1 / (1 + exp(-x)) */
static void sigmoid_value(arb_t y, const arb_t x, slong bits)
{
    bool negative = arf_sgn(arb_midref(x)) < 0;
    arb_t e;
    arb_init(e);
    arb_set(e, x);
    if (!negative) arb_neg(e, e);
    arb_exp(e, e, bits);
    arb_add_ui(y, e, 1, bits);
    if (negative) arb_div(y, e, y, bits);
    else arb_inv(y, y, bits);
    arb_clear(e);
}

/* log(1 + exp(x)) */
static void softplus_value(arb_t y, const arb_t x, slong bits)
{
    bool negative = arf_sgn(arb_midref(x)) < 0;
    arb_t e;
    arb_init(e);
    arb_set(e, x);
    if (!negative) arb_neg(e, e);
    arb_exp(e, e, bits);
    arb_log1p(e, e, bits);
    if (negative) arb_set(y, e);
    else arb_add(y, x, e, bits);
    arb_clear(e);
}

static void cbrt_value(arb_t y, const arb_t x, slong bits)
{
    bool negative = arf_sgn(arb_midref(x)) < 0;
    arb_t a;
    arb_init(a);
    arb_set(a, x);
    if (negative) arb_neg(a, a);
    arb_root_ui(y, a, 3, bits);
    if (negative) arb_neg(y, y);
    arb_clear(a);
}

static void exp2_value(arb_t y, const arb_t x, slong bits)
{
    arb_t log2;
    arb_init(log2);
    arb_const_log2(log2, bits);
    arb_mul(y, x, log2, bits);
    arb_exp(y, y, bits);
    arb_clear(log2);
}

/* 1 increasing, -1 decreasing on all of its domain, 0 neither. */
static int slope_sign(nigh_op op)
{
    switch (op) {
    case NIGH_OP_FLOOR: case NIGH_OP_SQRT: case NIGH_OP_CBRT: case NIGH_OP_EXP: case NIGH_OP_EXP2: case NIGH_OP_EXPM1: case NIGH_OP_LOG:
    case NIGH_OP_LOG2: case NIGH_OP_LOG10: case NIGH_OP_LOG1P: case NIGH_OP_ASIN: case NIGH_OP_ATAN: case NIGH_OP_SINH:
    case NIGH_OP_TANH: case NIGH_OP_ASINH: case NIGH_OP_ACOSH: case NIGH_OP_ATANH: case NIGH_OP_ERF: case NIGH_OP_SIGMOID:
    case NIGH_OP_SOFTPLUS: return 1;
    case NIGH_OP_RSQRT: case NIGH_OP_ACOS: case NIGH_OP_ERFC: return -1;
    default: return 0;
    }
}

static void narrow_value(arb_t y, nigh_op op, const arb_t x, slong bits)
{
    switch (op) {
    case NIGH_OP_FLOOR: arb_floor(y, x, bits); break;
    case NIGH_OP_SQRT: arb_sqrt(y, x, bits); break;
    case NIGH_OP_RSQRT: arb_rsqrt(y, x, bits); break;
    case NIGH_OP_CBRT: cbrt_value(y, x, bits); break;
    case NIGH_OP_EXP: arb_exp(y, x, bits); break;
    case NIGH_OP_EXP2: exp2_value(y, x, bits); break;
    case NIGH_OP_EXPM1: arb_expm1(y, x, bits); break;
    case NIGH_OP_LOG: arb_log(y, x, bits); break;
    case NIGH_OP_LOG2: arb_log_base_ui(y, x, 2, bits); break;
    case NIGH_OP_LOG10: arb_log_base_ui(y, x, 10, bits); break;
    case NIGH_OP_LOG1P: arb_log1p(y, x, bits); break;
    case NIGH_OP_ASIN: arb_asin(y, x, bits); break;
    case NIGH_OP_ACOS: arb_acos(y, x, bits); break;
    case NIGH_OP_ATAN: arb_atan(y, x, bits); break;
    case NIGH_OP_SINH: arb_sinh(y, x, bits); break;
    case NIGH_OP_TANH: arb_tanh(y, x, bits); break;
    case NIGH_OP_ASINH: arb_asinh(y, x, bits); break;
    case NIGH_OP_ACOSH: arb_acosh(y, x, bits); break;
    case NIGH_OP_ATANH: arb_atanh(y, x, bits); break;
    case NIGH_OP_ERF: arb_hypgeom_erf(y, x, bits); break;
    case NIGH_OP_ERFC: arb_hypgeom_erfc(y, x, bits); break;
    case NIGH_OP_SIGMOID: sigmoid_value(y, x, bits); break;
    default: softplus_value(y, x, bits); break;
    }
}

/* A monotone function: at both ends of a wide ball. Not for aliased y and x. */
static void monotone_value(arb_t y, nigh_op op, const arb_t x, slong bits)
{
    if (!arb_is_finite(x)) {
        arb_indeterminate(y);
        return;
    }
    if (op != NIGH_OP_FLOOR && (arb_is_exact(x) || arb_rel_accuracy_bits(x) > NARROW)) {
        narrow_value(y, op, x, bits);
        if (arb_is_finite(y)) return; /* else x may touch the end of the domain */
    }
    arb_t low, high, other;
    arb_init(low);
    arb_init(high);
    arb_init(other);
    arb_get_interval_arf(arb_midref(low), arb_midref(high), x, bits);
    narrow_value(y, op, low, bits);
    narrow_value(other, op, high, bits);
    arb_union(y, y, other, bits);
    arb_clear(low);
    arb_clear(high);
    arb_clear(other);
}

/* ---- series ---- */

static void get(arb_t out, const arb_poly_struct *a, slong k)
{
    arb_poly_get_coeff_arb(out, a, k);
}

/* Nothing is known but, at most, the value. */
static void lose(work *w, arb_poly_struct *c, bool value_too)
{
    arb_t nothing;
    arb_init(nothing);
    arb_indeterminate(nothing);
    for (slong k = value_too ? 0 : 1; k < w->n; k++) arb_poly_set_coeff_arb(c, k, nothing);
    arb_clear(nothing);
}

/* c = c0 + integral of a' g; c may not be a or g, room t[3]. */
static void integrate(work *w, arb_poly_struct *c, const arb_poly_struct *a, const arb_poly_struct *g, const arb_t c0)
{
    arb_poly_derivative(&w->t[3], a, w->bits);
    arb_poly_mullow(&w->t[3], &w->t[3], g, w->n - 1, w->bits);
    arb_poly_integral(c, &w->t[3], w->bits);
    arb_poly_truncate(c, w->n);
    arb_poly_set_coeff_arb(c, 0, c0);
}

/* 1 / (1 + exp(-a)) in c; room t[3] */
static void sigmoid(work *w, arb_poly_struct *c, const arb_poly_struct *a)
{
    get(w->value, a, 0);
    bool negative = arf_sgn(arb_midref(w->value)) < 0;
    if (negative) arb_poly_set(&w->t[3], a);
    else arb_poly_neg(&w->t[3], a);
    arb_poly_exp_series(&w->t[3], &w->t[3], w->n, w->bits);
    arb_poly_add_si(c, &w->t[3], 1, w->bits);
    if (negative) arb_poly_div_series(c, &w->t[3], c, w->n, w->bits);
    else arb_poly_inv_series(c, c, w->n, w->bits);
}

/* The derivative of asin, acos, atan, asinh, acosh, atanh by its argument, in t[0]: (u + v a^2)^p */
static bool inverse_slope(work *w, nigh_op op, const arb_poly_struct *a)
{
    arb_poly_struct *g = &w->t[0], *other = &w->t[1];
    if (op == NIGH_OP_ATAN || op == NIGH_OP_ASINH) {
        arb_poly_mullow(g, a, a, w->n, w->bits);
        arb_poly_add_si(g, g, 1, w->bits);
    } else { /* (1 - a)(1 + a), for acosh (a - 1)(a + 1) */
        arb_poly_add_si(g, a, -1, w->bits);
        if (op != NIGH_OP_ACOSH) arb_poly_neg(g, g);
        arb_poly_add_si(other, a, 1, w->bits);
        get(w->value, g, 0);
        bool inside = arb_is_positive(w->value);
        get(w->value, other, 0);
        if (!inside || !arb_is_positive(w->value)) return false;
        arb_poly_mullow(g, g, other, w->n, w->bits);
    }
    get(w->value, g, 0);
    if (!arb_is_positive(w->value)) return false;
    if (op == NIGH_OP_ATAN || op == NIGH_OP_ATANH) arb_poly_inv_series(g, g, w->n, w->bits);
    else arb_poly_rsqrt_series(g, g, w->n, w->bits);
    if (op == NIGH_OP_ACOS) arb_poly_neg(g, g);
    return true;
}

static void scale(work *w, arb_poly_struct *c, ulong base, bool divide)
{
    arb_log_ui(w->value, base, w->bits);
    if (divide) arb_poly_scalar_div(c, c, w->value, w->bits);
    else arb_poly_scalar_mul(c, c, w->value, w->bits);
}

/* c = a^(1/3) */
static void cube_root(work *w, arb_poly_struct *c, const arb_poly_struct *a)
{
    get(w->value, a, 0);
    bool negative = arb_is_negative(w->value);
    if (!negative && !arb_is_positive(w->value)) {
        lose(w, c, true);
        return;
    }
    arb_t third;
    arb_init(third);
    arb_set_ui(third, 1);
    arb_div_ui(third, third, 3, w->bits);
    if (negative) arb_poly_neg(&w->t[0], a);
    else arb_poly_set(&w->t[0], a);
    arb_poly_pow_arb_series(c, &w->t[0], third, w->n, w->bits);
    if (negative) arb_poly_neg(c, c);
    arb_clear(third);
}

/* Functions of slope_sign; their value comes from monotone_value. False: not analytic on all of the ball. */
static bool monotone_series(work *w, nigh_op op, arb_poly_struct *c, const arb_poly_struct *a, const arb_t value)
{
    slong n = w->n, bits = w->bits;
    arb_t x;
    arb_init(x);
    get(x, a, 0);
    bool positive = arb_is_positive(x), good = true;
    switch (op) {
    case NIGH_OP_FLOOR: /* strictly between two whole numbers */
        arb_poly_zero(c);
        good = arb_is_exact(value) && arb_is_int(value) && !arb_contains(x, value);
        break;
    case NIGH_OP_SQRT: if ((good = positive)) arb_poly_sqrt_series(c, a, n, bits); break;
    case NIGH_OP_RSQRT: if ((good = positive)) arb_poly_rsqrt_series(c, a, n, bits); break;
    case NIGH_OP_LOG:
    case NIGH_OP_LOG2:
    case NIGH_OP_LOG10:
        if ((good = positive)) arb_poly_log_series(c, a, n, bits);
        if (good && op != NIGH_OP_LOG) scale(w, c, op == NIGH_OP_LOG2 ? 2 : 10, true);
        break;
    case NIGH_OP_LOG1P: arb_poly_log1p_series(c, a, n, bits); break;
    case NIGH_OP_CBRT: cube_root(w, c, a); break;
    case NIGH_OP_EXP:
    case NIGH_OP_EXPM1: arb_poly_exp_series(c, a, n, bits); break;
    case NIGH_OP_EXP2:
        arb_poly_set(&w->t[0], a);
        scale(w, &w->t[0], 2, false);
        arb_poly_exp_series(c, &w->t[0], n, bits);
        break;
    case NIGH_OP_SINH: arb_poly_sinh_series(c, a, n, bits); break;
    case NIGH_OP_TANH: /* 2 sigmoid(2 a) - 1 */
        arb_poly_scalar_mul_2exp_si(&w->t[0], a, 1);
        sigmoid(w, c, &w->t[0]);
        arb_poly_scalar_mul_2exp_si(c, c, 1);
        break;
    case NIGH_OP_ERF: arb_hypgeom_erf_series(c, a, n, bits); break;
    case NIGH_OP_ERFC: arb_hypgeom_erfc_series(c, a, n, bits); break;
    case NIGH_OP_SIGMOID: sigmoid(w, c, a); break;
    case NIGH_OP_SOFTPLUS:
        sigmoid(w, &w->t[0], a);
        integrate(w, c, a, &w->t[0], value);
        break;
    default:
        if ((good = inverse_slope(w, op, a))) integrate(w, c, a, &w->t[0], value);
        break;
    }
    arb_clear(x);
    return good;
}

/* gelu: a erfc(-a / sqrt 2) / 2; silu: a sigmoid(a). The factor's value is taken at the ends. */
static void gated(work *w, nigh_op op, arb_poly_struct *c, const arb_poly_struct *a)
{
    arb_poly_struct *gate = &w->t[1], *argument = &w->t[2];
    arb_t x, half;
    arb_init(x);
    arb_init(half);
    if (op == NIGH_OP_SILU) {
        if (w->n > 1) sigmoid(w, gate, a);
        else arb_poly_zero(gate);
        get(x, a, 0);
        monotone_value(w->value, NIGH_OP_SIGMOID, x, w->bits);
    } else {
        arb_set_d(half, 0.5);
        arb_sqrt(half, half, w->bits);
        arb_poly_scalar_mul(argument, a, half, w->bits);
        arb_poly_neg(argument, argument);
        if (w->n > 1) arb_hypgeom_erfc_series(gate, argument, w->n, w->bits);
        else arb_poly_zero(gate);
        get(x, argument, 0);
        monotone_value(w->value, NIGH_OP_ERFC, x, w->bits);
    }
    arb_poly_set_coeff_arb(gate, 0, w->value);
    arb_poly_mullow(c, a, gate, w->n, w->bits);
    if (op == NIGH_OP_GELU) arb_poly_scalar_mul_2exp_si(c, c, -1);
    arb_clear(x);
    arb_clear(half);
}

/* |x| or an even function of it: the sign must be known for a series. */
static void absolute(work *w, arb_poly_struct *c, const arb_poly_struct *a)
{
    arb_t x;
    arb_init(x);
    get(x, a, 0);
    if (arb_is_negative(x)) arb_poly_neg(c, a);
    else arb_poly_set(c, a);
    if (!arb_is_negative(x) && !arb_is_positive(x)) {
        arb_get_mag(arb_radref(w->value), x); /* [0, most] */
        arf_set_mag(arb_midref(w->value), arb_radref(w->value));
        arb_mul_2exp_si(w->value, w->value, -1);
        arb_poly_set_coeff_arb(c, 0, w->value);
        lose(w, c, !arb_is_finite(x));
    }
    arb_clear(x);
}

static void unary(work *w, nigh_op op, arb_poly_struct *c, const arb_poly_struct *a)
{
    slong n = w->n, bits = w->bits;
    if (slope_sign(op)) {
        arb_t x, value;
        arb_init(x);
        arb_init(value);
        get(x, a, 0);
        monotone_value(value, op, x, bits);
        if (n > 1 && !monotone_series(w, op, c, a, value)) lose(w, c, false);
        arb_poly_set_coeff_arb(c, 0, value);
        arb_clear(x);
        arb_clear(value);
        return;
    }
    switch (op) {
    case NIGH_OP_NEG: arb_poly_neg(c, a); break;
    case NIGH_OP_ABS: absolute(w, c, a); break;
    case NIGH_OP_SIN: arb_poly_sin_series(c, a, n, bits); break;
    case NIGH_OP_COS: arb_poly_cos_series(c, a, n, bits); break;
    case NIGH_OP_TAN: arb_poly_tan_series(c, a, n, bits); break;
    case NIGH_OP_COSH: arb_poly_cosh_series(c, a, n, bits); break;
    default: gated(w, op, c, a); break;
    }
}

/* a^k, k whole */
static void whole_power(work *w, arb_poly_struct *c, const arb_poly_struct *a, slong k)
{
    arb_poly_pow_ui_trunc_binexp(c, a, (ulong)(k < 0 ? -k : k), w->n, w->bits);
    if (k > 0 && k % 2 == 0) { /* an even power is not negative, whatever the ball says */
        get(w->value, a, 0);
        arb_t x;
        arb_init(x);
        arb_abs(x, w->value);
        if (!arb_is_positive(x)) {
            arb_get_mag(arb_radref(x), x);
            mag_pow_ui(arb_radref(x), arb_radref(x), (ulong)k);
            arf_set_mag(arb_midref(x), arb_radref(x));
            arb_mul_2exp_si(x, x, -1);
            arb_poly_set_coeff_arb(c, 0, x);
        }
        arb_clear(x);
    }
    if (k >= 0) return;
    get(w->value, c, 0);
    if (arb_contains_zero(w->value)) lose(w, c, true);
    else arb_poly_inv_series(c, c, w->n, w->bits);
}

static void power(work *w, arb_poly_struct *c, const arb_poly_struct *a, const arb_poly_struct *b)
{
    arb_t x, y;
    arb_init(x);
    arb_init(y);
    get(x, a, 0);
    get(y, b, 0);
    bool constant = arb_poly_length(b) <= 1;
    if (constant && arb_is_int(y) && arf_cmpabs_ui(arb_midref(y), MOST_WHOLE) <= 0) {
        whole_power(w, c, a, arf_get_si(arb_midref(y), ARF_RND_DOWN));
    } else if (arb_is_positive(x)) {
        if (constant) {
            arb_poly_pow_arb_series(c, a, y, w->n, w->bits);
        } else {
            arb_poly_log_series(&w->t[0], a, w->n, w->bits);
            arb_poly_mullow(&w->t[0], &w->t[0], b, w->n, w->bits);
            arb_poly_exp_series(c, &w->t[0], w->n, w->bits);
        }
    } else if (constant && arb_is_nonnegative(x) && arb_is_positive(y)) { /* from 0 to the power at the upper end */
        arb_get_ubound_arf(arb_midref(x), x, w->bits);
        mag_zero(arb_radref(x));
        if (arb_is_zero(x)) arb_zero(w->value);
        else arb_pow(w->value, x, y, w->bits);
        arb_zero(x);
        arb_union(x, x, w->value, w->bits);
        arb_poly_zero(c);
        lose(w, c, false);
        arb_poly_set_coeff_arb(c, 0, x);
    } else {
        lose(w, c, true);
    }
    arb_clear(x);
    arb_clear(y);
}

static void smaller_or_larger(work *w, nigh_op op, arb_poly_struct *c, const arb_poly_struct *a, const arb_poly_struct *b)
{
    arb_t x, y;
    arb_init(x);
    arb_init(y);
    get(x, a, 0);
    get(y, b, 0);
    bool less = arb_lt(x, y), more = arb_gt(x, y);
    if (less || more) {
        arb_poly_set(c, less == (op == NIGH_OP_MIN) ? a : b);
    } else {
        arb_poly_zero(c);
        if (op == NIGH_OP_MIN) arb_min(w->value, x, y, w->bits);
        else arb_max(w->value, x, y, w->bits);
        lose(w, c, false);
        arb_poly_set_coeff_arb(c, 0, w->value);
    }
    arb_clear(x);
    arb_clear(y);
}

/* hypot(a, b) and atan2(a, b), whose slope is (b a' - a b') / (a^2 + b^2) */
static void planar(work *w, nigh_op op, arb_poly_struct *c, const arb_poly_struct *a, const arb_poly_struct *b)
{
    arb_poly_struct *square = &w->t[0], *slope = &w->t[1], *other = &w->t[2];
    arb_t x, y;
    arb_init(x);
    arb_init(y);
    get(x, a, 0);
    get(y, b, 0);
    if (op == NIGH_OP_HYPOT) arb_hypot(w->value, x, y, w->bits);
    else arb_atan2(w->value, x, y, w->bits);
    bool cut = op == NIGH_OP_ATAN2 && arb_contains_zero(x) && !arb_is_positive(y);
    arb_poly_mullow(square, a, a, w->n, w->bits);
    arb_poly_mullow(other, b, b, w->n, w->bits);
    arb_poly_add(square, square, other, w->bits);
    get(x, square, 0);
    if (w->n == 1 || cut || !arb_is_positive(x)) {
        arb_poly_zero(c);
        lose(w, c, false);
        arb_poly_set_coeff_arb(c, 0, w->value);
    } else if (op == NIGH_OP_HYPOT) {
        arb_poly_sqrt_series(c, square, w->n, w->bits);
        arb_poly_set_coeff_arb(c, 0, w->value);
    } else {
        arb_poly_derivative(slope, a, w->bits);
        arb_poly_mullow(slope, slope, b, w->n - 1, w->bits);
        arb_poly_derivative(other, b, w->bits);
        arb_poly_mullow(other, other, a, w->n - 1, w->bits);
        arb_poly_sub(slope, slope, other, w->bits);
        arb_poly_div_series(slope, slope, square, w->n - 1, w->bits);
        arb_poly_integral(c, slope, w->bits);
        arb_poly_set_coeff_arb(c, 0, w->value);
    }
    arb_clear(x);
    arb_clear(y);
}

static void binary(work *w, nigh_op op, arb_poly_struct *c, const arb_poly_struct *a, const arb_poly_struct *b)
{
    switch (op) {
    case NIGH_OP_ADD: arb_poly_add(c, a, b, w->bits); break;
    case NIGH_OP_SUB: arb_poly_sub(c, a, b, w->bits); break;
    case NIGH_OP_MUL:
        if (a == b) whole_power(w, c, a, 2);
        else arb_poly_mullow(c, a, b, w->n, w->bits);
        break;
    case NIGH_OP_DIV:
        get(w->value, b, 0);
        if (arb_contains_zero(w->value)) lose(w, c, true);
        else arb_poly_div_series(c, a, b, w->n, w->bits);
        break;
    case NIGH_OP_POW: power(w, c, a, b); break;
    case NIGH_OP_MIN:
    case NIGH_OP_MAX: smaller_or_larger(w, op, c, a, b); break;
    default: planar(w, op, c, a, b); break;
    }
}

void function_enclose_series(arb_ptr out, const nigh_expr *expr, const arb_t x, slong length, slong precision)
{
    arb_poly_struct value[EXPR_MAX_VALUES];
    int first = expr->variables + expr->constants, values = first + expr->steps;
    work w = {.n = length, .bits = precision};
    for (int i = 0; i < values; i++) arb_poly_init(&value[i]);
    for (int i = 0; i < 4; i++) arb_poly_init(&w.t[i]);
    arb_init(w.value);
    for (int v = 0; v < expr->variables; v++) {
        if (length > 1) arb_poly_set_coeff_si(&value[v], 1, 1);
        arb_poly_set_coeff_arb(&value[v], 0, x);
    }
    for (int c = 0; c < expr->constants; c++) {
        set_constant(w.value, expr, c);
        arb_poly_set_arb(&value[expr->variables + c], w.value);
    }
    for (int s = 0; s < expr->steps; s++) {
        const nigh_step *step = &expr->step[s];
        arb_poly_struct *c = &value[first + s];
        if (nigh_op_arguments(step->op) == 2) binary(&w, step->op, c, &value[step->a], &value[step->b]);
        else unary(&w, step->op, c, &value[step->a]);
    }
    for (slong k = 0; k < length; k++) arb_poly_get_coeff_arb(&out[k], &value[expr->root], k);
    for (int i = 0; i < values; i++) arb_poly_clear(&value[i]);
    for (int i = 0; i < 4; i++) arb_poly_clear(&w.t[i]);
    arb_clear(w.value);
}

void function_enclose(arb_t out, const nigh_expr *expr, const arb_t x, slong precision)
{
    function_enclose_series(out, expr, x, 1, precision);
}

void function_enclose_at(arb_t out, const nigh_expr *expr, double x, slong bits)
{
    arb_t point, better;
    arb_init(point);
    arb_init(better);
    arb_set_d(point, x);
    arb_indeterminate(out);
    for (slong precision = 128; precision <= 2048 && !arb_is_exact(out) && arb_rel_accuracy_bits(out) < bits; precision *= 2) {
        function_enclose(better, expr, point, precision);
        if (precision == 128 || arb_rel_accuracy_bits(better) > arb_rel_accuracy_bits(out)) arb_set(out, better);
    }
    arb_clear(point);
    arb_clear(better);
}
#endif
