/* The proof's case, its segments and their halving; see prove.h. */
#include "function/prove.h"

#if defined(NIGH_HAVE_ARB)
#include <math.h>
#include <string.h>

enum { FIRST_SEGMENTS = 32, MOST_SEGMENTS = 8000, POLL = 32 };
static const double enough = 1.01; /* of the error seen in the middles */

/* ---- the case ------------------------------------------------------------------------------------------------ */

static nigh_status refuse(nigh_context *ctx, const char *why)
{
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "no proof: %s", why);
}

static function_reduction reduction_for(const function_target *target)
{
    static const function_reduction of[FUNCTION_NAMED] = {
        [FUNCTION_EXP] = FUNCTION_SCALED, [FUNCTION_EXP2] = FUNCTION_SCALED, [FUNCTION_LOG] = FUNCTION_BINADE, [FUNCTION_LOG2] = FUNCTION_BINADE,
        [FUNCTION_SIN] = FUNCTION_TURNS, [FUNCTION_COS] = FUNCTION_TURNS, [FUNCTION_TANH] = FUNCTION_ODD, [FUNCTION_ERF] = FUNCTION_ODD,
        [FUNCTION_SIGMOID] = FUNCTION_MIRROR, [FUNCTION_GELU] = FUNCTION_RELU, [FUNCTION_SILU] = FUNCTION_RELU,
        [FUNCTION_SOFTPLUS] = FUNCTION_RELU, [FUNCTION_SQRT] = FUNCTION_ROOT, [FUNCTION_RSQRT] = FUNCTION_INVERSE_ROOT};
    return target->named ? of[target->named->id] : FUNCTION_NONE;
}

static bool folded(const prove_case *c)
{
    return c->core->reduction == FUNCTION_ODD || c->core->reduction == FUNCTION_MIRROR || c->core->reduction == FUNCTION_RELU;
}

/* Whether the kernel's integers stay in their range, and the constants are those of this function. */
static nigh_status check(const prove_case *c)
{
    const function_core *core = c->core;
    const double *k = core->constant;
    function_reduction reduction = core->reduction;
    double most = fmax(fabs(c->low), fabs(c->high)), normal = ldexp(1, c->type.least + c->type.digits);
    if (reduction != FUNCTION_NONE && reduction != reduction_for(c->target))
        return refuse(c->ctx, "the core's range reduction belongs to another function");
    bool zero = reduction == FUNCTION_ROOT && c->low == 0 && c->measure == FUNCTION_ABSOLUTE;
    bool binary = reduction == FUNCTION_BINADE || reduction == FUNCTION_ROOT || reduction == FUNCTION_INVERSE_ROOT;
    if (binary && c->low < normal && !zero) return refuse(c->ctx, "the interval reaches below the smallest normal number");
    if (reduction == FUNCTION_SCALED || reduction == FUNCTION_TURNS) {
        if (!(k[0] > 0) || most * k[0] > ldexp(1, c->type.digits - 3)) return refuse(c->ctx, "the interval is too wide for the range reduction");
        if (fabs(k[0] * c->period_d - 1) > 1e-5) return refuse(c->ctx, "the constants of the range reduction are of another function");
    }
    bool cosine = c->target->named && c->target->named->id == FUNCTION_COS;
    if (reduction == FUNCTION_TURNS && ((k[5] != 0) != cosine || k[4] != (cosine ? -.5 : 0)))
        return refuse(c->ctx, "the constants of the range reduction are of another function");
    if (folded(c) && !(k[0] > 0)) return refuse(c->ctx, "the core of a folded function is empty");
    if (core->form == FUNCTION_TABLE && (core->square || !core->affine || core->scale == 0))
        return refuse(c->ctx, "the table's argument is not an affine map of t");
    return NIGH_OK;
}

/* Error of the period as a sum of constants, first of them counted negative for BINADE. */
static void set_constants(prove_case *c)
{
    const double *k = c->core->constant;
    function_reduction reduction = c->core->reduction;
    arb_t sum, part;
    arb_init(sum);
    arb_init(part);
    arb_set(sum, c->period);
    if (reduction == FUNCTION_BINADE) {
        for (int i = 0; i < 2; i++) {
            arb_set_d(part, k[i]);
            arb_sub(sum, sum, part, 4 * PROVE_BITS);
        }
    } else {
        for (int i = 1; i < (reduction == FUNCTION_TURNS ? 4 : 3); i++) {
            arb_set_d(part, k[i]);
            arb_add(sum, sum, part, 4 * PROVE_BITS);
        }
    }
    arb_get_mag(c->constants, sum);
    double first = fabs(k[1]);
    if (reduction == FUNCTION_SCALED || reduction == FUNCTION_TURNS)
        c->margin = ldexp(1, 8 - c->type.digits) + 2 * mag_get_d(c->constants) * (fmax(fabs(c->low), fabs(c->high)) * c->core->constant[0] + 2);
    c->low_bit = first > 0 ? ldexp(1, ilogb(first)) : 1;
    while (first > 0 && fmod(first, c->low_bit) != 0) c->low_bit /= 2;
    arb_clear(sum);
    arb_clear(part);
}

/*
 * A lower bound of |m - q alpha| over whole m and 1 <= q <= most, alpha = number / 2^shift, number given to within 1 unit: that of
 * the last convergent of its continued fraction with a denominator that small.
 */
static void nearest_multiple(mag_t out, const fmpz_t number, slong shift, const fmpz_t most)
{
    fmpz_t a, b, q, rest, p0, p1, q0, q1, next, off;
    fmpz_init(a);
    fmpz_set(a, number);
    fmpz_init(b);
    fmpz_one(b);
    fmpz_mul_2exp(b, b, (ulong)shift);
    fmpz_init(q);
    fmpz_init(rest);
    fmpz_init_set_ui(p0, 0);
    fmpz_init_set_ui(p1, 1);
    fmpz_init_set_ui(q0, 1);
    fmpz_init_set_ui(q1, 0);
    fmpz_init(next);
    fmpz_init(off);
    while (!fmpz_is_zero(b)) {
        fmpz_fdiv_qr(q, rest, a, b);
        fmpz_set(next, q0);
        fmpz_addmul(next, q, q1);
        if (fmpz_cmp(next, most) > 0) break;
        fmpz_swap(q0, q1);
        fmpz_swap(q1, next);
        fmpz_set(next, p0);
        fmpz_addmul(next, q, p1);
        fmpz_swap(p0, p1);
        fmpz_swap(p1, next);
        fmpz_swap(a, b);
        fmpz_swap(b, rest);
    }
    fmpz_mul(off, q1, number);
    fmpz_mul_2exp(next, p1, (ulong)shift);
    fmpz_sub(off, off, next);
    fmpz_abs(off, off);
    fmpz_sub(off, off, most);
    if (fmpz_sgn(off) <= 0) fmpz_zero(off);
    mag_set_fmpz_lower(out, off);
    mag_mul_2exp_si(out, out, -shift);
    fmpz_clear(a);
    fmpz_clear(b);
    fmpz_clear(q);
    fmpz_clear(rest);
    fmpz_clear(p0);
    fmpz_clear(p1);
    fmpz_clear(q0);
    fmpz_clear(q1);
    fmpz_clear(next);
    fmpz_clear(off);
}

/* How near numbers of the type come to multiples of pi (or pi / 2), and what the constants' error is beside that: binade by binade. */
static void set_cancelled(prove_case *c)
{
    enum { BITS = 400 };
    bool half = c->core->constant[4] != 0;
    double most = fmax(fabs(c->low), fabs(c->high));
    fmpz_t number, q;
    arb_t pi;
    mag_t near, error, part;
    fmpz_init(number);
    fmpz_init(q);
    arb_init(pi);
    mag_init(near);
    mag_init(error);
    mag_init(part);
    mag_zero(c->cancelled);
    arb_const_pi(pi, 2 * BITS);
    arb_mul_2exp_si(pi, pi, half ? BITS - 1 : BITS);
    arb_floor(pi, pi, 2 * BITS);
    if (!arb_get_unique_fmpz(number, pi)) mag_inf(c->cancelled);
    for (int e = 0; ldexp(1, e) <= most; e++) {
        slong unit = e + 1 - c->type.digits; /* x is a multiple of 2^unit; alpha = pi / 2^unit */
        double steps = floor(ldexp(1, e + 1) / 1.5) + 2;
        fmpz_set_d(q, steps);
        nearest_multiple(near, number, BITS + unit, q);
        mag_mul_2exp_si(near, near, unit);
        mag_set_d(part, fabs(c->core->constant[3]));
        mag_mul_2exp_si(part, part, 1 - c->type.digits);
        mag_add(error, c->constants, part);
        mag_set_d(part, steps);
        mag_mul(error, error, part);
        mag_div(error, error, near);
        mag_max(c->cancelled, c->cancelled, error);
    }
    fmpz_clear(number);
    fmpz_clear(q);
    arb_clear(pi);
    mag_clear(near);
    mag_clear(error);
    mag_clear(part);
}

static void case_clear(prove_case *c)
{
    arb_clear(c->period);
    arb_clear(c->argument);
    mag_clear(c->constants);
    mag_clear(c->cancelled);
}

static bool vanishes(const prove_case *c)
{
    function_reduction reduction = c->core->reduction;
    if (reduction == FUNCTION_TURNS || reduction == FUNCTION_BINADE || reduction == FUNCTION_ODD) return true;
    if (reduction == FUNCTION_RELU) return c->target->named->id != FUNCTION_SOFTPLUS;
    if (reduction != FUNCTION_NONE) return false;
    arb_t x;
    arb_init(x);
    function_enclose_at(x, c->target->expr, 0, 64);
    bool zero = arb_is_zero(x);
    arb_clear(x);
    return zero;
}

static nigh_status case_new(nigh_context *ctx, const function_target *target, const function_core *core, prove_case *c)
{
    bool f32 = core->type == NIGH_F32;
    const char *measure = target->measure->name;
    function_id id = target->named ? target->named->id : FUNCTION_NAMED;
    *c = (prove_case){.ctx = ctx, .target = target, .core = core, .low = target->low, .high = target->high, .cut = core->constant[0], .piece = -1};
    c->type = f32 ? (prove_type){24, -150, 128} : (prove_type){53, -1075, 1024};
    c->measure = measure[0] == 'u' ? FUNCTION_ULP : measure[0] == 'r' ? FUNCTION_RELATIVE : FUNCTION_ABSOLUTE;
    arb_init(c->period);
    arb_init(c->argument);
    mag_init(c->constants);
    mag_init(c->cancelled);
    if (core->reduction == FUNCTION_TURNS) arb_const_pi(c->period, 4 * PROVE_BITS);
    else if (id == FUNCTION_EXP || id == FUNCTION_LOG) arb_const_log2(c->period, 4 * PROVE_BITS);
    else arb_one(c->period);
    c->period_d = arf_get_d(arb_midref(c->period), ARF_RND_NEAR);
    nigh_status status = check(c);
    if (status != NIGH_OK) {
        case_clear(c);
        return status;
    }
    if (core->reduction == FUNCTION_BINADE) arb_one(c->argument);
    if (core->reduction == FUNCTION_TURNS && id == FUNCTION_COS) {
        arb_mul_2exp_si(c->argument, c->period, -1);
        arb_neg(c->argument, c->argument);
    }
    set_constants(c);
    if (core->reduction == FUNCTION_TURNS) set_cancelled(c);
    c->zero = core->factor && vanishes(c);
    return NIGH_OK;
}

/* The code of a segment's piece; without its factor, too. */
static nigh_status take_code(prove_case *c, int piece)
{
    function_core bare = *c->core;
    if (piece == c->piece && (piece >= 0 || c->code.steps + c->code.constants > 0)) return NIGH_OK;
    bare.factor = false;
    c->piece = piece;
    if (c->core->form == FUNCTION_TABLE) {
        function_core_piece(c->core, piece, &c->code);
        function_core_piece(&bare, piece, &c->bare);
        return NIGH_OK;
    }
    if (!function_core_code(c->core, &c->code) || !function_core_code(&bare, &c->bare)) return refuse(c->ctx, "the core is too long");
    return NIGH_OK;
}

/* ---- segments -------------------------------------------------------------------------------------------------- */

typedef struct heap {
    nigh_context *ctx;
    prove_segment *segment; /* the largest bound on top */
    int count, room;
    double floor;
} heap;

static nigh_status heap_add(heap *h, const prove_segment *s)
{
    if (h->count == h->room) {
        int room = h->room ? 2 * h->room : 1024;
        prove_segment *more = nigh_alloc(h->ctx, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        if (h->count) memcpy(more, h->segment, (size_t)h->count * sizeof *more);
        nigh_free(h->ctx, h->segment);
        h->segment = more;
        h->room = room;
    }
    int i = h->count++;
    for (; i > 0 && h->segment[(i - 1) / 2].bound < s->bound; i = (i - 1) / 2) h->segment[i] = h->segment[(i - 1) / 2];
    h->segment[i] = *s;
    return NIGH_OK;
}

static void heap_take(heap *h, prove_segment *out)
{
    *out = h->segment[0];
    prove_segment last = h->segment[--h->count];
    int i = 0;
    for (int child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && h->segment[child + 1].bound > h->segment[child].bound) child++;
        if (h->segment[child].bound <= last.bound) break;
        h->segment[i] = h->segment[child];
    }
    h->segment[i] = last;
}

static nigh_status add_segment(prove_case *c, heap *h, double low, double high, int piece, int tail)
{
    prove_segment s = {.low = low, .high = high, .piece = piece, .tail = tail, .sign = tail};
    nigh_status status = take_code(c, piece);
    if (status != NIGH_OK) return status;
    if (tail) {
        s.bound = prove_tail(c, &s, false);
        s.floor = prove_tail(c, &s, true);
    } else {
        prove_values over, middle;
        double m = low + (high - low) / 2;
        int k, sign;
        prove_values_init(&over);
        prove_values_init(&middle);
        prove_segment_values(c, &s, &over, &middle);
        s.bound = prove_images(c, &over, low, high, &s.k, &s.sign);
        s.floor = prove_images(c, &middle, m, m, &k, &sign);
        prove_values_clear(&over);
        prove_values_clear(&middle);
    }
    if (isfinite(s.floor) && s.floor > h->floor) h->floor = s.floor;
    return heap_add(h, &s);
}

static double half_of(const prove_segment *s)
{
    if (s->low > 0 && s->high > 8 * s->low) return sqrt(s->low) * sqrt(s->high);
    return s->low + (s->high - s->low) / 2;
}

/* The argument of a table's index is rounded. */
static double index_slack(const prove_case *c)
{
    return 1e-6 + ldexp(c->core->upper, 2 - c->type.digits);
}

/* [low, high] of t in equal parts; a table's pieces, a little wider than they are because indices are rounded. */
static nigh_status add_range(prove_case *c, heap *h, double low, double high)
{
    const function_core *core = c->core;
    nigh_status status = NIGH_OK;
    if (core->form != FUNCTION_TABLE) {
        for (int i = 0; i < FIRST_SEGMENTS && status == NIGH_OK; i++) {
            double a = i ? low + (high - low) * i / FIRST_SEGMENTS : low;
            double b = i + 1 < FIRST_SEGMENTS ? low + (high - low) * (i + 1) / FIRST_SEGMENTS : high;
            if (b > a || low == high) status = add_segment(c, h, a, b, -1, 0);
        }
        return status;
    }
    for (int i = 0; i < core->upper && status == NIGH_OK; i++) {
        double u0 = i ? i - .5 - index_slack(c) : -INFINITY, u1 = i + 1 < core->upper ? i + .5 + index_slack(c) : INFINITY;
        double a = (u0 - core->shift) / core->scale, b = (u1 - core->shift) / core->scale;
        double from = fmax(low, fmin(a, b)), to = fmin(high, fmax(a, b));
        if (i % POLL == 0) status = nigh_poll(c->ctx);
        if (from <= to && status == NIGH_OK) status = add_segment(c, h, from, to, i, 0);
    }
    return status;
}

/* What t may be when it is x - k times the period, k = x c0 rounded. */
static double half_period(const prove_case *c)
{
    double c0 = c->core->constant[0], steps = fmax(fabs(c->low), fabs(c->high)) * c0 + 2;
    double rounding = ldexp(steps, 1 - c->type.digits);
    arb_t off, part;
    mag_t size;
    arb_init(off);
    arb_init(part);
    mag_init(size);
    arb_one(off);
    arb_set_d(part, c0);
    arb_div(off, off, part, PROVE_BITS);
    arb_sub(off, off, c->period, PROVE_BITS);
    arb_get_mag(size, off);
    double drift = mag_get_d(size) * steps;
    arb_clear(off);
    arb_clear(part);
    mag_clear(size);
    return ((.5 + rounding) / c0 + drift) * (1 + 0x1p-50);
}

/* Beyond the cut; a table's index there may be one of two. */
static nigh_status add_tail(prove_case *c, heap *h, double from, double to, int sign)
{
    const function_core *core = c->core;
    if (core->form != FUNCTION_TABLE) return add_segment(c, h, from, to, -1, sign);
    double u = c->cut * core->scale + core->shift, last = core->upper - 1;
    int first = (int)fmin(fmax(rint(u - index_slack(c)), 0), last), second = (int)fmin(fmax(rint(u + index_slack(c)), 0), last);
    nigh_status status = add_segment(c, h, from, to, first, sign);
    return status == NIGH_OK && second != first ? add_segment(c, h, from, to, second, sign) : status;
}

static nigh_status add_folded(prove_case *c, heap *h)
{
    double from = c->low > 0 ? c->low : c->high < 0 ? -c->high : 0, to = fmax(fabs(c->low), fabs(c->high));
    nigh_status status = NIGH_OK;
    if (from <= c->cut) status = add_range(c, h, from, fmin(to, c->cut));
    double start = fmax(from, c->cut);
    if (status == NIGH_OK && c->high > c->cut) status = add_tail(c, h, start, c->high, 1);
    if (status == NIGH_OK && -c->low > c->cut) status = add_tail(c, h, start, -c->low, -1);
    return status;
}

static nigh_status add_all(prove_case *c, heap *h)
{
    double half;
    switch (c->core->reduction) {
    case FUNCTION_NONE: return add_range(c, h, c->low, c->high);
    case FUNCTION_SCALED:
    case FUNCTION_TURNS:
        half = half_period(c);
        return add_range(c, h, -half, half);
    case FUNCTION_BINADE:
        half = c->core->type == NIGH_F32 ? 0x1.6a09e6p-1 : 0x1.6a09e667f3bccp-1;
        return add_range(c, h, half - 1, 2 * half - 1);
    case FUNCTION_ROOT:
    case FUNCTION_INVERSE_ROOT: return add_range(c, h, .5, 2);
    default: return add_folded(c, h);
    }
}

static nigh_status refine(prove_case *c, heap *h)
{
    nigh_status status = NIGH_OK;
    int most = h->count + MOST_SEGMENTS;
    for (int i = 0; h->count && h->count < most && status == NIGH_OK; i++) {
        prove_segment s = h->segment[0];
        double m = half_of(&s);
        if (s.bound <= h->floor * enough || !(m > s.low && m < s.high)) break;
        if (i % POLL == 0) {
            nigh_progress(c->ctx, "proof", isfinite(s.bound) ? h->floor / s.bound : 0, 1);
            if ((status = nigh_poll(c->ctx)) != NIGH_OK) break;
        }
        heap_take(h, &s);
        status = add_segment(c, h, s.low, m, s.piece, s.tail);
        if (status == NIGH_OK) status = add_segment(c, h, m, s.high, s.piece, s.tail);
    }
    return status;
}

static double input_at(const prove_case *c, const prove_segment *s)
{
    double t = s->low + (s->high - s->low) / 2, x = t, offset = c->core->constant[4] != 0 ? .5 : 0;
    switch (c->core->reduction) {
    case FUNCTION_SCALED: x = t + s->k * c->period_d; break;
    case FUNCTION_TURNS: x = t + (s->k + offset) * c->period_d; break;
    case FUNCTION_BINADE: x = ldexp(1 + t, s->k); break;
    case FUNCTION_ROOT:
    case FUNCTION_INVERSE_ROOT: x = ldexp(t, 2 * s->k); break;
    case FUNCTION_ODD:
    case FUNCTION_MIRROR:
    case FUNCTION_RELU: x = s->sign < 0 ? -t : t; break;
    default: break;
    }
    x = fmin(fmax(x, c->low), c->high);
    return function_round(c->core->type, x);
}

/* A root's kernel gives zeros and subnormal numbers something up to the root of the smallest normal one; -0 may be of an own making. */
static double below_normal(const prove_case *c)
{
    if (c->core->reduction != FUNCTION_ROOT || c->low != 0) return 0;
    const float zero_f32 = -0.0F;
    const double zero = -0.0;
    float y_f32;
    double y;
    if (c->core->type == NIGH_F32) function_core_apply(c->core, 1, &zero_f32, &y_f32);
    else function_core_apply(c->core, 1, &zero, &y);
    y = fabs(c->core->type == NIGH_F32 ? (double)y_f32 : y);
    return isnan(y) ? INFINITY : fmax(y, ldexp(1, (c->type.least + c->type.digits) / 2 + 2));
}

nigh_status function_prove(nigh_context *ctx, const function_target *target, const function_core *core, nigh_certificate *out)
{
    prove_case c;
    heap h = {.ctx = ctx};
    nigh_status status = case_new(ctx, target, core, &c);
    if (status != NIGH_OK) return status;
    status = add_all(&c, &h);
    if (status == NIGH_OK) status = refine(&c, &h);
    if (status == NIGH_OK) {
        double worst = h.count ? h.segment[0].bound : INFINITY, at = h.count ? input_at(&c, &h.segment[0]) : c.low, least = below_normal(&c);
        if (least > worst) at = 0;
        *out = (nigh_certificate){.worst = fmax(worst, least) * (1 + 0x1p-50), .at = at, .inputs = INFINITY,
                                  .how = "every real of the interval: |p - f| by Arb, roundings of every operation bounded"};
    }
    nigh_free(ctx, h.segment);
    case_clear(&c);
    return status;
}
#else
nigh_status function_prove(nigh_context *ctx, const function_target *target, const function_core *core, nigh_certificate *out)
{
    return nigh_fail(ctx, NIGH_UNSUPPORTED,
                     "an error over every real is proved by ball arithmetic; nigh was built without Arb (package libflint-arb-dev)");
}
#endif
