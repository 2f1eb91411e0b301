/*
 * Nelder and Mead's simplex with the coefficients of Gao and Han, "Implementing the Nelder-Mead simplex algorithm with adaptive
 * parameters"; a simplex that has shrunk starts again around its best point, until that gains nothing (a collapsed simplex
 * stops where there is no minimum).
 */
#include <math.h>
#include <string.h>

#include "grad/minimise.h"

/* Kept: x, n + 1 vertices, their values in rising order (vertices lie in the same order). */
static size_t room(const nigh_minimise_problem *p, const nigh_minimise_options *o)
{
    return (size_t)p->n * ((size_t)p->n + 2) + (size_t)p->n + 1;
}

/* Copies of vertices and values, so that a failing callback leaves what was; and centroid and two trials. */
static size_t scratch(const nigh_minimise_problem *p, const nigh_minimise_options *o)
{
    return (size_t)p->n * ((size_t)p->n + 4) + (size_t)p->n + 1;
}

static double clamp(const nigh_minimise_problem *p, int64_t i, double x)
{
    if (p->lower && x < p->lower[i]) return p->lower[i];
    return p->upper && x > p->upper[i] ? p->upper[i] : x;
}

/* f inside the bounds (x is moved there); infinite where it is not finite. */
static nigh_status value_at(nigh_minimiser *m, double *x, double *f)
{
    for (int64_t i = 0; i < m->problem.n; i++) x[i] = clamp(&m->problem, i, x[i]);
    m->state.evaluations++;
    nigh_status status = m->problem.value(m->problem.user, x, f);
    if (!status && !isfinite(*f)) *f = INFINITY;
    return status;
}

/* Puts vertex `at` in order among those before it: behind equals, so that ties do not depend on history. */
static void insert(int64_t n, double *v, double *values, int64_t at, double *hold)
{
    double f = values[at];
    int64_t to = at;
    while (to > 0 && f < values[to - 1]) to--;
    if (to == at) return;
    memcpy(hold, v + at * n, (size_t)n * sizeof *v);
    memmove(v + (to + 1) * n, v + to * n, (size_t)((at - to) * n) * sizeof *v);
    memmove(values + to + 1, values + to, (size_t)(at - to) * sizeof *values);
    memcpy(v + to * n, hold, (size_t)n * sizeof *v);
    values[to] = f;
}

/* A new simplex around v[0] with edges |shrink| times the first ones, downwards when it is negative, turned inwards at bounds. */
static nigh_status build(nigh_minimiser *m, double *v, double *values, double shrink, double *hold)
{
    const nigh_minimise_problem *p = &m->problem;
    int64_t n = p->n;
    m->state.extent = 0;
    double *base = hold + n;
    memcpy(base, v, (size_t)n * sizeof *v);
    for (int64_t k = 0; k < n; k++) {
        double *vertex = v + (k + 1) * n, edge = m->options.size > 0 ? m->options.size : base[k] != 0 ? 0.1 * fabs(base[k]) : 0.1;
        memcpy(vertex, base, (size_t)n * sizeof *v);
        m->state.extent = fmax(m->state.extent, edge);
        edge = fabs(edge * shrink);
        double up = clamp(p, k, base[k] + edge), down = clamp(p, k, base[k] - edge);
        vertex[k] = (shrink > 0 ? up - base[k] >= base[k] - down : up - base[k] > base[k] - down) ? up : down;
        nigh_status status = value_at(m, vertex, values + k + 1);
        if (status) return status;
    }
    for (int64_t k = 1; k <= n; k++) insert(n, v, values, k, hold);
    return NIGH_OK;
}

static nigh_status start(nigh_minimiser *m)
{
    int64_t n = m->problem.n;
    double *x = m->room, *v = x + n, *values = v + n * (n + 1);
    nigh_status status = value_at(m, x, &m->state.f);
    m->state.gradient = NAN;
    if (status || !isfinite(m->state.f)) return status;
    memcpy(v, x, (size_t)n * sizeof *v);
    values[0] = m->state.f;
    status = build(m, v, values, 1, m->scratch);
    m->state.f = values[0];
    m->state.growth = INFINITY; /* the best value when the last simplex was built */
    memcpy(x, v, (size_t)n * sizeof *x);
    return status;
}

static void mix(int64_t n, const double *centre, const double *worst, double factor, double *x)
{
    for (int64_t i = 0; i < n; i++) x[i] = centre[i] + factor * (centre[i] - worst[i]);
}

/* One reflection with what follows from it; *shrink: nothing helped. */
static nigh_status reflect(nigh_minimiser *m, double *v, double *values, double *centre, double *a, double *b, bool *shrink)
{
    int64_t n = m->problem.n;
    double dims = fmax((double)n, 2), expand = 1 + 2 / dims, contract = 0.75 - 1 / (2 * dims);
    double *worst = v + n * n, fa, fb;
    *shrink = false;
    memset(centre, 0, (size_t)n * sizeof *centre);
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < n; i++) centre[i] += v[k * n + i];
    for (int64_t i = 0; i < n; i++) centre[i] /= (double)n;
    mix(n, centre, worst, 1, a);
    nigh_status status = value_at(m, a, &fa);
    if (status) return status;
    if (fa < values[0]) {
        mix(n, centre, worst, expand, b);
        status = value_at(m, b, &fb);
    } else if (n > 1 ? fa >= values[n - 1] : fa >= values[0]) {
        bool outside = fa < values[n];
        mix(n, centre, worst, outside ? contract : -contract, b);
        status = value_at(m, b, &fb);
        *shrink = !status && !(outside ? fb <= fa : fb < values[n]);
    } else
        fb = INFINITY;
    if (status || *shrink) return status;
    memcpy(worst, fb < fa ? b : a, (size_t)n * sizeof *worst);
    values[n] = fmin(fa, fb);
    insert(n, v, values, n, centre);
    return NIGH_OK;
}

/* All vertices towards the best. */
static nigh_status shrink_all(nigh_minimiser *m, double *v, double *values, double *hold)
{
    int64_t n = m->problem.n;
    double factor = 1 - 1 / fmax((double)n, 2);
    for (int64_t k = 1; k <= n; k++) {
        for (int64_t i = 0; i < n; i++) v[k * n + i] = v[i] + factor * (v[k * n + i] - v[i]);
        nigh_status status = value_at(m, v + k * n, values + k);
        if (status) return status;
    }
    for (int64_t k = 1; k <= n; k++) insert(n, v, values, k, hold);
    return NIGH_OK;
}

/* Largest distance from the best vertex relative to the point and the first edges. */
static double extent(const nigh_minimiser *m, const double *v)
{
    int64_t n = m->problem.n;
    double most = 0, size = m->state.extent;
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs(v[i]));
    for (int64_t k = 1; k <= n; k++)
        for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(v[k * n + i] - v[i]));
    return size > 0 ? most / size : 0;
}

static nigh_status step(nigh_minimiser *m)
{
    int64_t n = m->problem.n;
    minimise_state *s = &m->state;
    size_t kept = (size_t)(n * (n + 1) + n + 1);
    double *x = m->room, *v = m->scratch, *values = v + n * (n + 1), *centre = m->scratch + kept, *a = centre + n, *b = a + n;
    bool shrink;
    memcpy(v, x + n, kept * sizeof *v);
    nigh_status status = reflect(m, v, values, centre, a, b, &shrink);
    if (!status && shrink) status = shrink_all(m, v, values, centre);
    if (status) return status;
    if (extent(m, v) <= m->options.simplex_tolerance) {
        double gained = s->growth - values[0];
        if (s->restarts >= m->options.restarts || gained <= 1e-12 * fabs(values[0])) s->stop = NIGH_MINIMISE_SIMPLEX;
        else {
            s->growth = values[0];
            s->restarts++;
            status = build(m, v, values, s->restarts % 2 ? -0.5 : 0.5, centre);
            if (status) return status;
        }
    }
    memcpy(x + n, v, kept * sizeof *v);
    memcpy(x, v, (size_t)n * sizeof *x);
    s->f = values[0];
    return NIGH_OK;
}

const minimise_method minimise_simplex = {"Nelder-Mead", room, scratch, start, step};
