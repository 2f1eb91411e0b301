/*
 * Small linear programs: min over a box of the largest of some affine functions, by the simplex method with bounded variables ("Linear Programming", Chvatal,
 * chapter 8). What it finds is not trusted: multipliers are checked by whoever uses them.
 *
 * Variables: places u in [0, 1] of the box, t, and slacks s_r = t - (a_r . u + d_r) >= 0. In a tableau every basic variable is an affine function of the nonbasic ones,
 * which are at a bound. Row 0 is t; all others basic.
 */
#include "verify/split_input.h"

#include <math.h>

enum { MOST_STEPS = 60 };

typedef struct tableau {
    int64_t n, m;        /* n + 1 nonbasic variables, m basic ones */
    double *of;          /* [m, n + 1] */
    double *value;       /* [m] of the basic variables */
    int32_t *basic;      /* [m]; variables: 0 .. n - 1 places, n .. n + m - 1 slacks, -1: t */
    int32_t *free;       /* [n + 1] */
    uint8_t *top;        /* [n + 1]: at its upper bound (places) */
} tableau;

size_t split_linear_scratch(int64_t n, int64_t m)
{
    return (size_t)(m * (n + 1) + m) * sizeof(double) + (size_t)(m + n + 1) * sizeof(int32_t) + (size_t)(n + 1) + 64;
}

/* All places at 0: t is the largest function there, whose slack is the nonbasic one. */
static void begin(tableau *t, const double *const *a, const double *constant, const double *low, const double *high)
{
    int64_t n = t->n, first = 0, at = 1;
    double most = -INFINITY;
    for (int64_t r = 0; r < t->m; r++) {
        double here = constant[r];
        for (int64_t i = 0; i < n; i++) here += a[r][i] * low[i];
        if (here > most) most = here, first = r;
    }
    for (int64_t r = 0; r < t->m; r++) {
        if (r == first) continue;
        double *to = t->of + at * (n + 1), here = constant[r];
        for (int64_t i = 0; i < n; i++) here += a[r][i] * low[i], to[i] = (a[first][i] - a[r][i]) * (high[i] - low[i]);
        to[n] = 1, t->value[at] = most - here, t->basic[at++] = (int32_t)(n + r);
    }
    for (int64_t i = 0; i < n; i++) t->of[i] = a[first][i] * (high[i] - low[i]), t->free[i] = (int32_t)i, t->top[i] = 0;
    t->of[n] = 1, t->free[n] = (int32_t)(n + first), t->top[n] = 0, t->value[0] = most, t->basic[0] = -1;
}

/* The nonbasic variable whose change lowers t fastest; -1: none. */
static int64_t entering(const tableau *t)
{
    int64_t best = -1;
    double most = 1e-12 * (1 + fabs(t->value[0]));
    for (int64_t j = 0; j <= t->n; j++) {
        double gain = t->top[j] ? t->of[j] : -t->of[j];
        if (gain > most) most = gain, best = j;
    }
    return best;
}

/* The basic variable that stops nonbasic j, which goes by `sign`; -1: j's own other bound. step: how far. */
static int64_t leaving(const tableau *t, int64_t j, double sign, double *step)
{
    int64_t best = -1;
    *step = t->free[j] < t->n ? 1 : INFINITY;
    for (int64_t i = 1; i < t->m; i++) {
        double rate = sign * t->of[i * (t->n + 1) + j], room;
        if (rate < -1e-11) room = t->value[i] / -rate;
        else if (rate > 1e-11 && t->basic[i] < t->n) room = (1 - t->value[i]) / rate;
        else continue;
        room = room > 0 ? room : 0;
        if (room < *step) *step = room, best = i;
    }
    return best;
}

static void pivot(tableau *t, int64_t i, int64_t j)
{
    int64_t w = t->n + 1;
    double *of = t->of + i * w, inverse = 1 / of[j];
    for (int64_t k = 0; k < w; k++) of[k] = k == j ? inverse : -of[k] * inverse;
    for (int64_t r = 0; r < t->m; r++) {
        double *to = t->of + r * w, factor = to[j];
        if (r == i || factor == 0) continue;
        for (int64_t k = 0; k < w; k++) to[k] = k == j ? factor * inverse : to[k] + factor * of[k];
    }
}

double split_linear(int64_t n, int64_t m, const double *const *a, const double *constant, const double *low, const double *high, double *x, double *lambda, void *scratch)
{
    tableau t = {.n = n, .m = m, .of = scratch};
    t.value = t.of + m * (n + 1), t.basic = (int32_t *)(t.value + m), t.free = t.basic + m, t.top = (uint8_t *)(t.free + n + 1);
    begin(&t, a, constant, low, high);
    for (int steps = 0; steps < MOST_STEPS; steps++) {
        int64_t j = entering(&t);
        if (j < 0) break;
        double sign = t.top[j] ? -1 : 1, step;
        int64_t i = leaving(&t, j, sign, &step);
        if (!(step < INFINITY)) break;
        double was = t.top[j] ? 1 : 0;
        bool up = i >= 0 && sign * t.of[i * (n + 1) + j] > 0; /* it leaves at its upper bound */
        for (int64_t r = 0; r < m; r++) t.value[r] += sign * step * t.of[r * (n + 1) + j];
        if (i < 0) {
            t.top[j] = !t.top[j];
            continue;
        }
        pivot(&t, i, j);
        int32_t out = t.basic[i];
        t.basic[i] = t.free[j], t.free[j] = out, t.value[i] = was + sign * step, t.top[j] = up;
    }
    for (int64_t r = 0; r < m; r++) lambda[r] = 0;
    for (int64_t j = 0; j <= n; j++) {
        if (t.free[j] >= n) lambda[t.free[j] - n] = fmax(t.of[j], 0);
        else x[t.free[j]] = t.top[j] ? high[t.free[j]] : low[t.free[j]];
    }
    for (int64_t i = 1; i < m; i++)
        if (t.basic[i] < n) x[t.basic[i]] = low[t.basic[i]] + fmin(fmax(t.value[i], 0), 1) * (high[t.basic[i]] - low[t.basic[i]]);
    for (int64_t i = 0; i < n; i++) x[i] = fmin(fmax(x[i], low[i]), high[i]);
    return t.value[0];
}
