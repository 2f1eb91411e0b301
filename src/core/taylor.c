/* Arithmetic of Taylor expansions with spans, and expressions in it. See taylor.h. */
#include "core/taylor.h"

#include "core/expr.h"

#include <string.h>

/* Multi-indices by rising degree; within a degree the first variables first, so that 1 .. dims are the variables in order. */
static int fill_powers(taylor *t, int degree, int v, int left, signed char *at, int n)
{
    if (v == t->dims - 1) {
        if (t->power) {
            at[v] = (signed char)left;
            memcpy(t->power[n], at, TAYLOR_MOST_DIMS);
            t->degree[n] = (signed char)degree;
        }
        return n + 1;
    }
    for (int k = left; k >= 0; k--) {
        at[v] = (signed char)k;
        n = fill_powers(t, degree, v + 1, left - k, at, n);
    }
    return n;
}

static int fill_all(taylor *t)
{
    int n = 0;
    for (int degree = 0; degree <= t->order; degree++) {
        signed char at[TAYLOR_MOST_DIMS] = {0};
        n = fill_powers(t, degree, 0, degree, at, n);
    }
    return n;
}

static int find(const taylor *t, const signed char *power)
{
    for (int i = 0; i < t->count; i++)
        if (memcmp(t->power[i], power, TAYLOR_MOST_DIMS) == 0) return i;
    return -1;
}

nigh_status taylor_new(nigh_arena *arena, int dims, int order, taylor **out)
{
    taylor *t = nigh_arena_alloc_zero(arena, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    *t = (taylor){.dims = dims, .order = order};
    t->count = fill_all(t);
    t->power = nigh_arena_alloc_zero(arena, (size_t)t->count, sizeof *t->power);
    t->degree = nigh_arena_alloc_zero(arena, (size_t)t->count, 1);
    t->pair = nigh_arena_alloc(arena, (size_t)t->count * (size_t)t->count * sizeof *t->pair);
    if (!t->power || !t->degree || !t->pair) return NIGH_MEMORY;
    fill_all(t);
    for (int a = 0; a < t->count; a++)
        for (int b = 0; b < t->count; b++) {
            if (t->degree[a] + t->degree[b] > order) continue;
            signed char sum[TAYLOR_MOST_DIMS];
            for (int v = 0; v < TAYLOR_MOST_DIMS; v++) sum[v] = (signed char)(t->power[a][v] + t->power[b][v]);
            t->pair[t->pairs++] = (taylor_pair){(short)a, (short)b, (short)find(t, sum)};
        }
    *out = t;
    return NIGH_OK;
}

void taylor_constant(const taylor *t, span value, span *out)
{
    for (int i = 0; i < t->count; i++) out[i] = span_of(0);
    out[0] = value;
}

void taylor_variable(const taylor *t, int v, span value, span *out)
{
    taylor_constant(t, value, out);
    out[1 + v] = span_of(1);
}

void taylor_add(const taylor *t, const span *a, const span *b, span *out)
{
    for (int i = 0; i < t->count; i++) out[i] = span_is_zero(a[i]) ? b[i] : span_is_zero(b[i]) ? a[i] : span_add(a[i], b[i]);
}

void taylor_sub(const taylor *t, const span *a, const span *b, span *out)
{
    for (int i = 0; i < t->count; i++) out[i] = span_is_zero(b[i]) ? a[i] : span_sub(a[i], b[i]);
}

void taylor_scale(const taylor *t, span c, const span *a, span *out)
{
    for (int i = 0; i < t->count; i++) out[i] = span_mul(c, a[i]);
}

void taylor_mul(const taylor *t, const span *a, const span *b, span *out)
{
    taylor_constant(t, span_of(0), out);
    for (int p = 0; p < t->pairs; p++) {
        const taylor_pair *pair = &t->pair[p];
        span x = a[pair->a], y = b[pair->b];
        if (span_is_zero(x) || span_is_zero(y)) continue;
        out[pair->to] = span_add(out[pair->to], span_mul(x, y));
    }
}

/* Powers of a - a_0 begin at their degree: what is not known of a high coefficient of the series leaves lower ones alone. */
void taylor_compose(const taylor *t, const span *series, const span *a, span *out, span *work)
{
    span *power = work, *next = work + t->count;
    taylor_constant(t, series[0], out);
    memcpy(power, a, (size_t)t->count * sizeof *power);
    power[0] = span_of(0);
    for (int k = 1; k <= t->order; k++) {
        for (int i = 0; i < t->count; i++)
            if (t->degree[i] >= k && !span_is_zero(power[i])) out[i] = span_add(out[i], span_mul(series[k], power[i]));
        if (k == t->order) break;
        taylor_constant(t, span_of(0), next);
        for (int p = 0; p < t->pairs; p++) {
            const taylor_pair *pair = &t->pair[p];
            if (pair->b == 0 || t->degree[pair->a] < k) continue;
            span x = power[pair->a], y = a[pair->b];
            if (!span_is_zero(x) && !span_is_zero(y)) next[pair->to] = span_add(next[pair->to], span_mul(x, y));
        }
        span *swap = power;
        power = next, next = swap;
    }
}

/* ---- expressions -------------------------------------------------------------------------------------- */

size_t taylor_expr_room(const taylor *t, const nigh_expr *expr)
{
    return (size_t)t->count * (size_t)(expr->constants + expr->steps + 8);
}

/* A constant of the text: exact when it is an f64 number, else its neighbours. */
static span constant_span(const nigh_expr *expr, int c)
{
    double x = expr->constant[c];
    return (nigh_f128)x == expr->constant_f128[c] ? span_of(x) : (span){nextafter(x, -INFINITY), nextafter(x, INFINITY)};
}

static void apply_one(const taylor *t, nigh_op op, const span *a, span *out, span *work)
{
    span series[TAYLOR_MOST_ORDER + 1];
    taylor_series(op, a[0], t->order, series);
    taylor_compose(t, series, a, out, work);
}

/* (a + b -+ |a - b|) / 2 */
static void least(const taylor *t, const span *a, const span *b, double sign, span *out, span *work)
{
    span *gap = work + 2 * t->count, *size = gap + t->count;
    taylor_sub(t, a, b, gap);
    apply_one(t, NIGH_OP_ABS, gap, size, work);
    taylor_scale(t, span_of(sign), size, size);
    taylor_add(t, a, b, out);
    taylor_add(t, out, size, out);
    taylor_scale(t, span_of(0.5), out, out);
}

static void quotient(const taylor *t, const span *a, const span *b, span *out, span *work)
{
    span series[TAYLOR_MOST_ORDER + 1], *inverse = work + 2 * t->count;
    taylor_series_power(b[0], -1, t->order, series);
    taylor_compose(t, series, b, inverse, work);
    taylor_mul(t, a, inverse, out);
}

static void raise(const taylor *t, const span *a, const span *b, span *out, span *work)
{
    span series[TAYLOR_MOST_ORDER + 1], *log = work + 2 * t->count, *product = log + t->count;
    bool fixed = b[0].low == b[0].high;
    for (int i = 1; i < t->count; i++) fixed &= span_is_zero(b[i]);
    if (fixed) {
        taylor_series_power(a[0], b[0].low, t->order, series);
        taylor_compose(t, series, a, out, work);
        return;
    }
    apply_one(t, NIGH_OP_LOG, a, log, work);
    taylor_mul(t, log, b, product);
    apply_one(t, NIGH_OP_EXP, product, out, work);
}

static void hypotenuse(const taylor *t, const span *a, const span *b, span *out, span *work)
{
    span *square = work + 2 * t->count, *sum = square + t->count;
    taylor_mul(t, a, a, sum);
    taylor_mul(t, b, b, square);
    taylor_add(t, sum, square, sum);
    if (sum[0].low < 0) sum[0].low = 0;
    apply_one(t, NIGH_OP_SQRT, sum, out, work);
}

/* Of y and x: by the arc tangent of the quotient that is small; nothing is known where the box meets the cut. */
static void angle(const taylor *t, const span *y, const span *x, span *out, span *work)
{
    span *slope = work + 3 * t->count;
    if (x[0].low > 0) {
        quotient(t, y, x, slope, work);
        apply_one(t, NIGH_OP_ATAN, slope, out, work);
    } else if (y[0].low > 0 || y[0].high < 0) {
        quotient(t, x, y, slope, work);
        apply_one(t, NIGH_OP_ATAN, slope, out, work);
        taylor_scale(t, span_of(-1), out, out);
        double turn = y[0].low > 0 ? M_PI_2 : -M_PI_2;
        out[0] = span_add(out[0], (span){nextafter(turn, -2), nextafter(turn, 2)});
    } else {
        for (int i = 0; i < t->count; i++) out[i] = SPAN_ALL;
        out[0] = (span){-3.1415926535897936, 3.1415926535897936};
    }
}

void taylor_expr(const taylor *t, const nigh_expr *expr, const span *variables, span *out, span *room)
{
    size_t n = (size_t)t->count;
    span *constants = room, *steps = room + n * (size_t)expr->constants, *work = steps + n * (size_t)expr->steps;
    for (int c = 0; c < expr->constants; c++) taylor_constant(t, constant_span(expr, c), constants + n * (size_t)c);
    const span *value[2];
    for (int s = 0; s <= expr->steps; s++) {
        int number[2] = {s < expr->steps ? expr->step[s].a : expr->root, s < expr->steps ? expr->step[s].b : 0};
        for (int k = 0; k < 2; k++) {
            int at = number[k];
            value[k] = at < expr->variables ? variables + n * (size_t)at
                       : at < expr->variables + expr->constants ? constants + n * (size_t)(at - expr->variables)
                                                                : steps + n * (size_t)(at - expr->variables - expr->constants);
        }
        if (s == expr->steps) break;
        span *to = steps + n * (size_t)s;
        switch (expr->step[s].op) {
        case NIGH_OP_ADD: taylor_add(t, value[0], value[1], to); break;
        case NIGH_OP_SUB: taylor_sub(t, value[0], value[1], to); break;
        case NIGH_OP_MUL: taylor_mul(t, value[0], value[1], to); break;
        case NIGH_OP_DIV: quotient(t, value[0], value[1], to, work); break;
        case NIGH_OP_POW: raise(t, value[0], value[1], to, work); break;
        case NIGH_OP_MIN: least(t, value[0], value[1], -1, to, work); break;
        case NIGH_OP_MAX: least(t, value[0], value[1], 1, to, work); break;
        case NIGH_OP_HYPOT: hypotenuse(t, value[0], value[1], to, work); break;
        case NIGH_OP_ATAN2: angle(t, value[0], value[1], to, work); break;
        case NIGH_OP_NEG: taylor_scale(t, span_of(-1), value[0], to); break;
        default: apply_one(t, expr->step[s].op, value[0], to, work); break;
        }
    }
    memcpy(out, value[0], n * sizeof *out);
}

/* ---- bounds ------------------------------------------------------------------------------------------- */

double taylor_bound(const taylor *t, const double *radius, const span *centre, const span *whole)
{
    double below = 0, best = span_most(whole[0]);
    int i = 0;
    for (int k = 0; k <= t->order; k++) {
        double last = 0, here = 0;
        for (; i < t->count && t->degree[i] == k; i++) {
            double r = 1;
            for (int v = 0; v < t->dims; v++)
                for (int p = 0; p < t->power[i][v]; p++) r = round_up(r * radius[v]);
            double a = span_most(whole[i]), b = span_most(centre[i]);
            last += r == 0 || a == 0 ? 0 : round_up(a * r);
            here += r == 0 || b == 0 ? 0 : round_up(b * r);
        }
        double bound = round_sum_up(below + last, t->count);
        if (bound < best) best = bound;
        below = round_sum_up(below + here, t->count);
    }
    return isnan(best) ? INFINITY : best;
}
