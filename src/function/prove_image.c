/* From the error of a core to the error of the function, for all inputs that lead to a core argument; see prove.h. */
#include "function/prove.h"

#if defined(NIGH_HAVE_ARB)
#include <math.h>

/* An answer before its last rounding: f, or f / t, with a bound of the error of the same kind. */
typedef struct answer {
    arb_t f;
    mag_t error;
    bool divided, rounded; /* rounded: nothing is rounded any more */
} answer;

static void answer_init(answer *a)
{
    arb_init(a->f);
    mag_init(a->error);
    a->divided = a->rounded = false;
}

static void answer_clear(answer *a)
{
    arb_clear(a->f);
    mag_clear(a->error);
}

static void lower(mag_t out, const arb_t x)
{
    arb_get_mag_lower(out, x);
}

/* Of numbers of at least this size. */
static void ulp_lower(mag_t out, const prove_type *type, const mag_t size)
{
    slong least = type->least + 1, e = least;
    if (mag_is_inf(size)) e = type->most;
    else if (!mag_is_zero(size) && mag_cmp_2exp_si(size, least + type->digits) >= 0) e = MAG_EXP(size) - type->digits;
    mag_set_ui_2exp_si(out, 1, e);
}

/* The answer is a number of moderate size, not divided. */
static void direct_error(mag_t out, const prove_case *c, const answer *a)
{
    mag_t least, size, rounding, ulp;
    mag_init(least);
    mag_init(size);
    mag_init(rounding);
    mag_init(ulp);
    lower(least, a->f);
    arb_get_mag(size, a->f);
    mag_add(size, size, a->error);
    if (!a->rounded) prove_half_ulp(rounding, &c->type, size);
    mag_set(out, a->error);
    if (c->measure == FUNCTION_ULP) {
        ulp_lower(ulp, &c->type, least);
        mag_div(out, a->error, ulp);
        mag_div(rounding, rounding, ulp);
        /* An error below one ulp and a rounding across a power of two: half an ulp of f still. */
        if (!a->rounded && mag_cmp_2exp_si(out, 0) < 0) mag_set_ui_2exp_si(rounding, 1, -1);
        mag_add(out, out, rounding);
    } else {
        mag_add(out, out, rounding);
        if (c->measure == FUNCTION_RELATIVE) mag_div(out, out, least);
    }
    mag_clear(least);
    mag_clear(size);
    mag_clear(rounding);
    mag_clear(ulp);
}

/*
 * The answer is t times something, t as small as a subnormal number. A product of t that is subnormal has a rounding of half a unit at
 * t of at least one unit; unless it is so near to t that t itself comes out: for m units and a factor within s of 1 that is
 * so below m = 1 / 2s.
 */
static void divided_error(mag_t out, const prove_case *c, const answer *a, const arb_t t)
{
    mag_t least, size, most, rounding, s;
    arb_t near;
    mag_init(least);
    mag_init(size);
    mag_init(most);
    mag_init(rounding);
    mag_init(s);
    arb_init(near);
    lower(least, a->f);
    arb_get_mag(size, a->f);
    mag_add(size, size, a->error);
    arb_get_mag(most, t);
    if (c->measure == FUNCTION_ABSOLUTE) {
        mag_mul(out, a->error, most);
        mag_mul(size, size, most);
        prove_half_ulp(rounding, &c->type, size);
        mag_add(out, out, rounding);
    } else {
        mag_div(out, a->error, least);
        if (c->measure == FUNCTION_ULP) {
            mag_mul_2exp_si(out, out, c->type.digits);
            mag_set_ui_2exp_si(rounding, 1, mag_cmp_2exp_si(out, 0) < 0 ? -1 : 1);
        } else {
            mag_mul_2exp_si(rounding, size, -c->type.digits);
            arb_get_mag_lower(s, t);
            mag_mul_lower(s, s, least);
            if (c->core->reduction != FUNCTION_BINADE && mag_cmp_2exp_si(s, c->type.least + c->type.digits) < 0) { /* there t is a multiple of an epsilon */
                arb_abs(near, a->f);
                arb_sub_ui(near, near, 1, PROVE_BITS);
                arb_get_mag(s, near);
                mag_add(s, s, a->error);
                if (mag_cmp_2exp_si(s, -1) > 0) mag_set_ui_2exp_si(s, 1, -1);
                mag_max(rounding, rounding, s);
            }
            mag_div(rounding, rounding, least);
        }
        mag_add(out, out, rounding);
    }
    mag_clear(least);
    mag_clear(size);
    mag_clear(most);
    mag_clear(rounding);
    mag_clear(s);
    arb_clear(near);
}

static double error_of(const prove_case *c, const answer *a, const arb_t t)
{
    mag_t error;
    mag_init(error);
    if (!arb_is_finite(a->f)) mag_inf(error);
    else if (a->divided) divided_error(error, c, a, t);
    else direct_error(error, c, a);
    double result = mag_is_inf(error) ? INFINITY : mag_get_d(error) * (1 + 0x1p-52);
    mag_clear(error);
    return result;
}

typedef struct worst {
    double error;
    int k, sign;
} worst;

static void take(worst *w, double error, int k, int sign)
{
    if (error > w->error || isnan(error)) *w = (worst){isnan(error) ? INFINITY : error, k, sign};
}

/* The core's value is the answer. */
static void start_plain(answer *a, const prove_values *v)
{
    arb_set(a->f, v->g);
    mag_set(a->error, v->error);
    a->divided = v->divided;
    a->rounded = false;
}

/* The core's rounded value goes into a sum: as a number, not divided. */
static void start_sum(answer *a, const prove_case *c, const prove_values *v, bool product_rounded)
{
    mag_t most, last;
    mag_init(most);
    mag_init(last);
    arb_set(a->f, v->g);
    mag_set(a->error, v->error);
    mag_set(last, v->last);
    if (v->divided) {
        arb_get_mag(most, v->t);
        arb_mul(a->f, a->f, v->t, PROVE_BITS);
        mag_mul(a->error, a->error, most);
        mag_mul(last, v->size, most);
        prove_half_ulp(last, &c->type, last);
    }
    if (product_rounded) mag_add(a->error, a->error, last);
    a->divided = a->rounded = false;
    mag_clear(most);
    mag_clear(last);
}

/* ---- t from x by constants --------------------------------------------------------------------------------- */

/*
 * slope times |computed t - t|: t = x + k(c1 + c2 + c3) by fma's, k up to `most`. The first is exact when its result is a multiple of a unit and has few
 * enough bits; later ones are rounded; the constants' sum is not quite the period.
 */
static void add_reduction(const prove_case *c, const prove_values *v, double most, mag_t error)
{
    if (most == 0) return;
    bool turns = c->core->reduction == FUNCTION_TURNS;
    mag_t t, first, second, total, part;
    mag_init(t);
    mag_init(first);
    mag_init(second);
    mag_init(total);
    mag_init(part);
    arb_get_mag(t, v->t);
    double reach = mag_get_d(t), unit = c->low_bit / 2; /* k may be a half */
    double least = turns ? (reach <= c->period_d / 4 ? c->period_d / 4 : 0) : c->period_d * .45; /* of |x| where k is not 0 */
    double grid = ldexp(1, least > 0 ? ilogb(least) + 1 - c->type.digits : -2000);
    if (unit < grid) grid = unit;
    double further = most * (fabs(c->core->constant[2]) + fabs(c->core->constant[3])) * 1.001;
    mag_set_d(first, (reach + further) * 1.001);
    if (mag_get_d(first) <= ldexp(grid, c->type.digits)) mag_zero(total);
    else prove_half_ulp(total, &c->type, first);
    if (turns) {
        mag_set_d(second, (reach + most * fabs(c->core->constant[3]) * 1.001) * (1 + 0x1p-50));
        prove_half_ulp(part, &c->type, second);
        mag_add(total, total, part);
    }
    prove_half_ulp(part, &c->type, t);
    /* The sum before the last term is a number of the type: rounding goes no further than back to it. */
    mag_set_d(second, most * fabs(c->core->constant[turns ? 3 : 2]) * (1 + 0x1p-50));
    if (mag_cmp(second, part) < 0) mag_set(part, second);
    mag_add(total, total, part);
    mag_set_d(part, most);
    mag_addmul(total, part, c->constants);
    if (v->divided) { /* relative to |t|: two roundings to nearest, and the constants as far as they matter */
        bool exact = mag_get_d(first) <= ldexp(grid, c->type.digits);
        mag_set_ui_2exp_si(total, turns ? 5 : 3, -c->type.digits - 1);
        mag_add(total, total, c->cancelled);
        if (!exact) mag_inf(total);
    }
    mag_addmul(error, total, v->slope);
    mag_clear(t);
    mag_clear(first);
    mag_clear(second);
    mag_clear(total);
    mag_clear(part);
}

/* The k that lead from [c->low, c->high] to a t in [low, high] by steps of the period; `slack` in steps. */
static bool steps_between(const prove_case *c, double low, double high, double offset, double *first, double *last)
{
    double slack = 1e-6 + 2 * c->margin;
    *first = ceil((c->low - high) / c->period_d - offset - slack) + offset;
    *last = floor((c->high - low) / c->period_d - offset + slack) + offset;
    return *first <= *last;
}

static void scaled(const prove_case *c, const prove_values *v, double low, double high, worst *w)
{
    double first, last;
    if (!steps_between(c, low, high, 0, &first, &last)) return;
    if (fmax(fabs(first), fabs(last)) > 2 * c->type.most - 4) { /* 2^k in two factors */
        take(w, INFINITY, (int)first, 1);
        return;
    }
    answer a;
    mag_t extra, size;
    answer_init(&a);
    mag_init(extra);
    mag_init(size);
    start_plain(&a, v);
    add_reduction(c, v, fmax(fabs(first), fabs(last)), a.error);
    double error = error_of(c, &a, v->t);
    arb_get_mag_lower(size, a.f);
    mag_mul_2exp_si(size, size, (slong)first);
    if (mag_cmp_2exp_si(size, c->type.least + c->type.digits + 2) < 0) { /* subnormal results are rounded once more */
        if (c->measure == FUNCTION_ULP) error += .5;
        if (c->measure == FUNCTION_RELATIVE) {
            mag_set_ui_2exp_si(extra, 1, c->type.least);
            mag_div(extra, extra, size);
            error = (error + mag_get_d(extra)) * (1 + 0x1p-50);
        }
    }
    if (c->measure == FUNCTION_ABSOLUTE) error = ldexp(error, (int)last) + ldexp(1, c->type.least);
    arb_get_mag(size, a.f);
    mag_add(size, size, a.error);
    mag_mul_2exp_si(size, size, (slong)last);
    mag_set_d(extra, ldexp(1 - ldexp(1, -c->type.digits - 1), 1000));
    mag_mul_2exp_si(extra, extra, c->type.most - 1000);
    if (mag_cmp(size, extra) >= 0) error = INFINITY;
    take(w, error, c->measure == FUNCTION_RELATIVE ? (int)first : (int)last, 1);
    answer_clear(&a);
    mag_clear(extra);
    mag_clear(size);
}

static void turns(const prove_case *c, const prove_values *v, double low, double high, worst *w)
{
    double first, last, offset = c->core->constant[4] != 0 ? .5 : 0;
    if (!steps_between(c, low, high, offset, &first, &last)) return;
    answer a;
    answer_init(&a);
    start_plain(&a, v);
    add_reduction(c, v, fmax(fabs(first), fabs(last)), a.error);
    take(w, error_of(c, &a, v->t), (int)floor(last), 1);
    answer_clear(&a);
}

/* x = 4^k t; the answer is scaled by 2^k or 2^-k. */
static void roots(const prove_case *c, const prove_values *v, double low, double high, worst *w)
{
    bool inverse = c->core->reduction == FUNCTION_INVERSE_ROOT;
    int first = 0, last = 0;
    double x_low = fmax(c->low, ldexp(1, c->type.least + 1 + c->type.digits - 1));
    while (ldexp(high, 2 * first) < x_low) first++;
    while (ldexp(high, 2 * (first - 1)) >= x_low) first--;
    while (ldexp(low, 2 * last) > c->high) last--;
    while (ldexp(low, 2 * (last + 1)) <= c->high) last++;
    if (first > last) return;
    answer a;
    answer_init(&a);
    start_plain(&a, v);
    double error = error_of(c, &a, v->t);
    if (c->measure == FUNCTION_ABSOLUTE) error = ldexp(error, inverse ? -first : last);
    take(w, error, inverse ? first : last, 1);
    answer_clear(&a);
}

/* y = k c0 + (k c1 + core), both fma's, for k from `near` to `far` (same sign, not 0). */
static void binades(const prove_case *c, const prove_values *v, int near, int far, worst *w)
{
    answer a;
    arb_t k;
    mag_t size, part;
    answer_init(&a);
    arb_init(k);
    mag_init(size);
    mag_init(part);
    start_sum(&a, c, v, true);
    arb_get_mag(size, a.f);
    mag_add(size, size, a.error);
    mag_set_d(part, fabs((double)far * c->core->constant[1]) * (1 + 0x1p-50));
    mag_add(size, size, part);
    prove_half_ulp(size, &c->type, size);
    mag_add(a.error, a.error, size);
    mag_set_ui(part, (ulong)abs(far));
    mag_addmul(a.error, part, c->constants);
    prove_ball(k, near < far ? near : far, near < far ? far : near);
    arb_addmul(a.f, k, c->period, PROVE_BITS);
    take(w, error_of(c, &a, v->t), near, 1);
    answer_clear(&a);
    arb_clear(k);
    mag_clear(size);
    mag_clear(part);
}

static void logarithm(const prove_case *c, const prove_values *v, double low, double high, worst *w)
{
    int first = ilogb(c->low) - 1, last = ilogb(c->high) + 1; /* 2^k (1 + t) inside, t in [low, high] */
    while (first <= last && ldexp(1 + high, first) < c->low) first++;
    while (last >= first && ldexp(1 + low, last) > c->high) last--;
    if (first > last) return;
    if (first <= 0 && last >= 0) {
        answer a;
        answer_init(&a);
        start_plain(&a, v);
        take(w, error_of(c, &a, v->t), 0, 1);
        answer_clear(&a);
    }
    for (int sign = -1; sign <= 1; sign += 2) {
        int end = sign > 0 ? last : -first, k = sign > 0 ? first : -last;
        if (k < 1) k = 1;
        for (int far; k <= end; k = far + 1) {
            far = k <= 4 ? k : 2 * (k - 1) < end ? 2 * (k - 1) : end;
            binades(c, v, sign * k, sign * far, w);
        }
    }
}

/* One side of a folded function; for x > 0 of mirror and relu the core goes into a sum, in which a factor is not rounded. */
static void fold(const prove_case *c, const prove_values *v, int sign, worst *w)
{
    function_reduction reduction = c->core->reduction;
    answer a;
    answer_init(&a);
    if (reduction == FUNCTION_ODD || sign < 0) {
        start_plain(&a, v);
    } else if (reduction == FUNCTION_RELU && v->divided) {
        start_plain(&a, v);
        arb_add_ui(a.f, a.f, 1, PROVE_BITS);
    } else {
        start_sum(&a, c, v, !c->core->factor);
        if (reduction == FUNCTION_RELU) arb_add(a.f, a.f, v->t, PROVE_BITS);
        else arb_sub_ui(a.f, a.f, 1, PROVE_BITS);
    }
    take(w, error_of(c, &a, v->t), 0, sign);
    answer_clear(&a);
}

double prove_images(const prove_case *c, const prove_values *v, double low, double high, int *k, int *sign)
{
    worst w = {0, 0, 1};
    answer a;
    switch (c->core->reduction) {
    case FUNCTION_SCALED: scaled(c, v, low, high, &w); break;
    case FUNCTION_BINADE: logarithm(c, v, low, high, &w); break;
    case FUNCTION_TURNS: turns(c, v, low, high, &w); break;
    case FUNCTION_ROOT:
    case FUNCTION_INVERSE_ROOT: roots(c, v, low, high, &w); break;
    case FUNCTION_ODD:
    case FUNCTION_MIRROR:
    case FUNCTION_RELU:
        if (c->high >= 0 && c->high >= low && c->low <= high) fold(c, v, 1, &w);
        if (c->low < 0 && -c->low >= low && -c->high <= high) fold(c, v, -1, &w);
        break;
    default:
        answer_init(&a);
        start_plain(&a, v);
        take(&w, error_of(c, &a, v->t), 0, 1);
        answer_clear(&a);
    }
    *k = w.k;
    *sign = w.sign;
    return w.error;
}

/* ---- beyond the cut: the core stays what it is there ------------------------------------------------------------ */

double prove_tail(const prove_case *c, const prove_segment *s, bool middle)
{
    function_reduction reduction = c->core->reduction;
    double m = s->low + (s->high - s->low) / 2;
    bool sum = s->tail > 0 && reduction != FUNCTION_ODD;
    prove_rounding core;
    answer a;
    arb_t x, cut;
    mag_t off;
    answer_init(&a);
    arb_init(x);
    arb_init(cut);
    mag_init(off);
    arb_init(core.range);
    mag_init(core.error);
    mag_init(core.last);
    prove_ball(x, middle ? m : s->low, middle ? m : s->high);
    arb_set_d(cut, c->cut);
    prove_roundings(&core, &c->type, &c->code, cut);
    prove_argument(c, a.f, x);
    arb_set(cut, a.f);
    function_enclose(a.f, c->target->expr, cut, PROVE_BITS);
    arb_sub(cut, core.range, a.f, PROVE_BITS);
    arb_get_mag(off, cut);
    mag_add(a.error, off, core.error);
    if (!sum || !c->core->factor) mag_add(a.error, a.error, core.last);
    a.rounded = !sum;
    if (sum && reduction == FUNCTION_RELU) arb_add(a.f, a.f, x, PROVE_BITS);
    if (sum && reduction == FUNCTION_MIRROR) arb_sub_ui(a.f, a.f, 1, PROVE_BITS);
    double error = error_of(c, &a, x);
    answer_clear(&a);
    arb_clear(x);
    arb_clear(cut);
    mag_clear(off);
    arb_clear(core.range);
    mag_clear(core.error);
    mag_clear(core.last);
    return error;
}
#else
typedef int function_prove_image_is_empty;
#endif
