/* Core and function on a segment of t, as Taylor polynomials around its middle; see prove.h. */
#include "function/prove.h"

#if defined(NIGH_HAVE_ARB)
#include <math.h>

enum { LENGTH = PROVE_ORDER + 2 }; /* dividing by t takes one coefficient more */

void prove_ball(arb_t out, double low, double high)
{
    arf_t a, b;
    arf_init(a);
    arf_init(b);
    arf_set_d(a, low);
    arf_set_d(b, high);
    arb_set_interval_arf(out, a, b, PROVE_BITS);
    arf_clear(a);
    arf_clear(b);
}

void prove_values_init(prove_values *v)
{
    v->divided = false;
    arb_init(v->t);
    arb_init(v->g);
    mag_init(v->error);
    mag_init(v->last);
    mag_init(v->slope);
    mag_init(v->size);
}

void prove_values_clear(prove_values *v)
{
    arb_clear(v->t);
    arb_clear(v->g);
    mag_clear(v->error);
    mag_clear(v->last);
    mag_clear(v->slope);
    mag_clear(v->size);
}

static bool mirrored(const prove_case *c)
{
    return c->core->reduction == FUNCTION_MIRROR || c->core->reduction == FUNCTION_RELU;
}

void prove_argument(const prove_case *c, arb_t out, const arb_t t)
{
    if (mirrored(c)) arb_neg(out, t);
    else arb_add(out, t, c->argument, PROVE_BITS);
}

/* Taylor coefficients of g over the ball t. */
static void g_series(const prove_case *c, arb_ptr out, const arb_t t, slong length)
{
    arb_t x;
    arb_init(x);
    prove_argument(c, x, t);
    function_enclose_series(out, c->target->expr, x, length, PROVE_BITS);
    if (mirrored(c))
        for (slong k = 1; k < length; k += 2) arb_neg(&out[k], &out[k]);
    arb_clear(x);
}

/* Coefficients of g(t) / t from those of g, at the number m. */
static void divide_series(arb_ptr out, arb_srcptr g, const arb_t m, slong length)
{
    for (slong k = 0; k < length; k++) {
        if (arb_is_zero(m)) {
            arb_set(&out[k], &g[k + 1]);
            continue;
        }
        if (k == 0) arb_set(&out[0], &g[0]);
        else arb_sub(&out[k], &g[k], &out[k - 1], PROVE_BITS);
        arb_div(&out[k], &out[k], m, PROVE_BITS);
    }
}

/* sum of |c[k]| r^k from k on, up to the remainder c[order] */
static void reach(mag_t out, arb_srcptr c, slong from, slong order, const mag_t r)
{
    mag_t size;
    mag_init(size);
    mag_zero(out);
    for (slong k = order; k >= from; k--) {
        mag_mul(out, out, r);
        arb_get_mag(size, &c[k]);
        mag_add(out, out, size);
    }
    for (slong k = 0; k < from; k++) mag_mul(out, out, r);
    mag_clear(size);
}

/* The most of |g'| from coefficients k |c[k]| r^(k - 1) */
static void slope_of(mag_t out, arb_srcptr c, slong order, const mag_t r)
{
    mag_t size;
    mag_init(size);
    mag_zero(out);
    for (slong k = order; k >= 1; k--) {
        mag_mul(out, out, r);
        arb_get_mag(size, &c[k]);
        mag_mul_ui(size, size, (ulong)k);
        mag_add(out, out, size);
    }
    mag_clear(size);
}

/* What is the same for the segment and its middle: coefficients of core - g and of g, the remainders last. */
typedef struct taylor {
    arb_ptr g, target, difference; /* target: g or g / t */
    mag_t radius;
} taylor;

static void values_of(const prove_case *c, const taylor *y, const arb_t t, bool divided, slong order, prove_values *v)
{
    prove_rounding rounding;
    mag_t size;
    arb_init(rounding.range);
    mag_init(rounding.error);
    mag_init(rounding.last);
    mag_init(size);
    v->divided = divided;
    arb_set(v->t, t);
    arb_set(v->g, &y->target[0]);
    reach(size, y->target, 1, order, y->radius);
    mag_add(arb_radref(v->g), arb_radref(v->g), size);
    prove_roundings(&rounding, &c->type, divided ? &c->bare : &c->code, t);
    reach(v->error, y->difference, 0, order, y->radius);
    mag_add(v->error, v->error, rounding.error);
    if (divided) mag_add(v->error, v->error, rounding.last); /* the product by t comes last */
    mag_set(v->last, rounding.last);
    slope_of(v->slope, y->g, order, y->radius);
    arb_get_mag(v->size, rounding.range);
    mag_add(v->size, v->size, v->error);
    arb_clear(rounding.range);
    mag_clear(rounding.error);
    mag_clear(rounding.last);
    mag_clear(size);
}

void prove_segment_values(const prove_case *c, const prove_segment *s, prove_values *over, prove_values *middle)
{
    double low = s->low - c->margin, high = s->high + c->margin, m = low + (high - low) / 2, r = (high - low) / 2;
    bool divided = c->core->factor && c->zero && fabs(m) <= 4 * r;
    if (divided && low < 0 && high > 0) m = 0; /* a middle much nearer to 0 than its ends would divide by powers of it */
    const function_code *code = divided ? &c->bare : &c->code;
    arb_ptr work = _arb_vec_init(5 * LENGTH), g = work, target = work + LENGTH, difference = work + 2 * LENGTH;
    arb_ptr wide = work + 3 * LENGTH, g_wide = work + 4 * LENGTH;
    arb_t t, at;
    arb_init(t);
    arb_init(at);
    prove_ball(t, low, high);
    arb_set_d(at, m);
    taylor y = {g, target, difference, {{0}}};
    mag_init(y.radius);
    arb_sub(&wide[0], t, at, PROVE_BITS);
    arb_get_mag(y.radius, &wide[0]);

    g_series(c, g, at, LENGTH);
    if (divided && m == 0) arb_zero(&g[0]);
    prove_series(difference, code, at, PROVE_ORDER);
    if (divided) divide_series(target, g, at, PROVE_ORDER);
    else _arb_vec_set(target, g, PROVE_ORDER);
    for (slong k = 0; k < PROVE_ORDER; k++) arb_sub(&difference[k], &difference[k], &target[k], PROVE_BITS);
    values_of(c, &(taylor){g, target, difference, {{0}}}, at, divided, 0, middle);

    prove_series(wide, code, t, PROVE_ORDER + 1);
    g_series(c, g_wide, t, PROVE_ORDER + 1);
    arb_set(&g[PROVE_ORDER], &g_wide[PROVE_ORDER]);
    if (divided) { /* the n-th coefficient of g(t) / t is a mean of g's next one over [0, t] */
        double from = low < 0 ? low : 0, to = high > 0 ? high : 0;
        prove_ball(at, from, to);
        g_series(c, g_wide, at, PROVE_ORDER + 2);
        arb_set(&target[PROVE_ORDER], &g_wide[PROVE_ORDER + 1]);
    } else {
        arb_set(&target[PROVE_ORDER], &g[PROVE_ORDER]);
    }
    arb_sub(&difference[PROVE_ORDER], &wide[PROVE_ORDER], &target[PROVE_ORDER], PROVE_BITS);
    values_of(c, &y, t, divided, PROVE_ORDER, over);
    /* the slope in the middle, too, needs only its own coefficient */
    arb_get_mag(middle->slope, &g[1]);
    mag_clear(y.radius);
    arb_clear(t);
    arb_clear(at);
    _arb_vec_clear(work, 5 * LENGTH);
}
#else
typedef int function_prove_segment_is_empty;
#endif
