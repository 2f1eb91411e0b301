/* L-BFGS, with and without bounds. See nigh/minimise.h. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "grad/minimise.h"
#include "grad/optimiser.h"

typedef struct place {
    double *x, *g, *s, *y, *rho;                           /* kept */
    double *x_new, *g_new, *d, *alpha, *free, *x_try, *g_try; /* scratch */
} place;

static bool bounded(const nigh_minimise_problem *p) { return p->lower || p->upper; }

static size_t room(const nigh_minimise_problem *p, const nigh_minimise_options *o)
{
    return (size_t)p->n * (2 + 2 * (size_t)o->memory) + (size_t)o->memory;
}

static size_t scratch(const nigh_minimise_problem *p, const nigh_minimise_options *o)
{
    return (size_t)p->n * (bounded(p) ? 6 : 3) + (size_t)o->memory;
}

static place places(nigh_minimiser *m)
{
    size_t n = (size_t)m->problem.n, pairs = (size_t)m->options.memory;
    double *r = m->room, *s = m->scratch, *more = s + 3 * n + pairs;
    return (place){r, r + n, r + 2 * n, r + (2 + pairs) * n, r + (2 + 2 * pairs) * n, s, s + n, s + 2 * n, s + 3 * n, more, more + n, more + 2 * n};
}

static nigh_status start(nigh_minimiser *m)
{
    place at = places(m);
    nigh_status status = minimise_evaluate(m, at.x, &m->state.f, at.g);
    if (!status) m->state.gradient = minimise_slope(&m->problem, at.x, at.g);
    m->state.growth = 1; /* the scale of the inverse Hessian */
    return status;
}

/* Slot of the pair that came `back` pairs ago. */
static int64_t slot_of(const nigh_minimiser *m, int64_t back)
{
    return (m->state.newest - back + m->options.memory) % m->options.memory;
}

/* d = -H g by the two loops; every pass that subtracts one vector also takes the next inner product. */
static void direction(nigh_minimiser *m, place *at)
{
    int64_t n = m->problem.n, pairs = m->state.pairs;
    int threads = m->options.threads;
    for (int64_t i = 0; i < n; i++) at->d[i] = -at->g[i];
    if (!pairs) return;
    double product = optimiser_dot(n, at->s + slot_of(m, 0) * n, at->d, threads);
    for (int64_t k = 0; k < pairs; k++) {
        int64_t slot = slot_of(m, k), next = k + 1 < pairs ? slot_of(m, k + 1) : slot;
        at->alpha[slot] = at->rho[slot] * product;
        const double *other = k + 1 < pairs ? at->s + next * n : at->y + slot * n;
        product = optimiser_add_dot(n, -at->alpha[slot], at->y + slot * n, at->d, other, threads);
    }
    for (int64_t i = 0; i < n; i++) at->d[i] *= m->state.growth;
    product *= m->state.growth;
    for (int64_t k = pairs - 1; k >= 0; k--) {
        int64_t slot = slot_of(m, k);
        double factor = at->alpha[slot] - at->rho[slot] * product;
        if (k) product = optimiser_add_dot(n, factor, at->s + slot * n, at->d, at->y + slot_of(m, k - 1) * n, threads);
        else optimiser_add(n, factor, at->s + slot * n, at->d, threads);
    }
}

/* x_new, g_new become the point; their difference joins the pairs when it shows positive curvature. */
static void accept(nigh_minimiser *m, place *at, double f)
{
    minimise_state *state = &m->state;
    int64_t n = m->problem.n, slot = state->pairs ? (state->newest + 1) % m->options.memory : 0;
    double before = state->f, *s = at->s + slot * n, *y = at->y + slot * n;
    for (int64_t i = 0; i < n; i++) s[i] = at->x_new[i] - at->x[i], y[i] = at->g_new[i] - at->g[i];
    double sy = optimiser_dot(n, s, y, m->options.threads), yy = optimiser_squares_f64(n, y, m->options.threads);
    if (sy > DBL_EPSILON * yy && sy > 0 && isfinite(1 / sy)) {
        at->rho[slot] = 1 / sy;
        state->growth = sy / yy;
        state->newest = slot;
        if (state->pairs < m->options.memory) state->pairs++;
    } else if (state->pairs == m->options.memory)
        state->pairs--; /* the oldest was overwritten */
    memcpy(at->x, at->x_new, (size_t)n * sizeof *at->x);
    memcpy(at->g, at->g_new, (size_t)n * sizeof *at->g);
    state->f = f;
    state->gradient = minimise_slope(&m->problem, at->x, at->g);
    minimise_judge(m, before);
}

/* ---- without bounds ---- */

typedef struct ray {
    nigh_minimiser *m;
    place *at;
    double f;
} ray;

static nigh_status along(void *user, double t, double *f, double *slope)
{
    ray *r = user;
    int64_t n = r->m->problem.n;
    for (int64_t i = 0; i < n; i++) r->at->x_new[i] = r->at->x[i] + t * r->at->d[i];
    nigh_status status = minimise_evaluate(r->m, r->at->x_new, f, r->at->g_new);
    *slope = optimiser_dot(n, r->at->g_new, r->at->d, r->m->options.threads);
    r->f = *f;
    return status;
}

static nigh_status free_step(nigh_minimiser *m, place *at)
{
    int64_t n = m->problem.n;
    for (;;) {
        direction(m, at);
        double slope = optimiser_dot(n, at->g, at->d, m->options.threads), length = sqrt(optimiser_squares_f64(n, at->d, m->options.threads));
        ray r = {m, at, 0};
        minimise_search search = {along, &r, m->state.f, slope, 1e-4, 0.9, 1e20, 40};
        double t = m->state.pairs ? 1 : fmin(1, 1 / length);
        bool wolfe, down = slope < 0 && isfinite(slope) && length > 0;
        if (down) {
            nigh_status status = minimise_search_run(&search, &t, &wolfe);
            if (status) return status;
            if (t > 0) return accept(m, at, r.f), NIGH_OK;
        }
        if (!m->state.pairs) break;
        m->state.pairs = 0; /* once more, downhill */
    }
    m->state.stop = NIGH_MINIMISE_ROUNDING;
    return NIGH_OK;
}

/* ---- with bounds ---- */

static double clamp(const nigh_minimise_problem *p, int64_t i, double x)
{
    if (p->lower && x < p->lower[i]) return p->lower[i];
    return p->upper && x > p->upper[i] ? p->upper[i] : x;
}

/*
 * free[i]: 0 for unknowns that are near a bound and pushed towards it. How near falls with the length of a projected step, so
 * that the set cannot flip for ever (Bertsekas, equation 32).
 */
static void choose_free(nigh_minimiser *m, place *at)
{
    const nigh_minimise_problem *p = &m->problem;
    double most = 0;
    for (int64_t i = 0; i < p->n; i++) most = fmax(most, fabs(at->x[i] - clamp(p, i, at->x[i] - at->g[i])));
    double near = fmin(1e-6, most);
    for (int64_t i = 0; i < p->n; i++) {
        bool low = p->lower && at->x[i] <= p->lower[i] + near && at->g[i] > 0;
        bool high = p->upper && at->x[i] >= p->upper[i] - near && at->g[i] < 0;
        at->free[i] = low || high ? 0 : 1;
    }
}

static double free_dot(int64_t n, const double *free, const double *a, const double *b)
{
    double s[8] = {0};
    for (int64_t i = 0; i < n; i++) s[i & 7] += free[i] * a[i] * b[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static void free_add(int64_t n, const double *free, double factor, const double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += factor * free[i] * x[i];
}

/* The two loops on the free unknowns alone: their parts of the pairs, where these still show positive curvature. */
static void free_direction(nigh_minimiser *m, place *at)
{
    int64_t n = m->problem.n, pairs = m->state.pairs;
    double scale = m->state.growth, *kept = at->x_try; /* its first entries, until the trial: curvature of each pair */
    bool scaled = false;
    if (pairs > n) pairs = n;
    for (int64_t i = 0; i < n; i++) at->d[i] = -at->free[i] * at->g[i];
    for (int64_t k = 0; k < pairs; k++) {
        int64_t slot = slot_of(m, k);
        const double *s = at->s + slot * n, *y = at->y + slot * n;
        double sy = free_dot(n, at->free, s, y), yy = free_dot(n, at->free, y, y);
        kept[k] = sy > 1e-10 * yy && sy > 0 && isfinite(1 / sy) ? 1 / sy : 0;
        if (!(kept[k] > 0)) continue;
        if (!scaled) scale = sy / yy, scaled = true;
        at->alpha[slot] = kept[k] * free_dot(n, at->free, s, at->d);
        free_add(n, at->free, -at->alpha[slot], y, at->d);
    }
    for (int64_t i = 0; i < n; i++) at->d[i] *= scale;
    for (int64_t k = pairs - 1; k >= 0; k--) {
        int64_t slot = slot_of(m, k);
        if (!(kept[k] > 0)) continue;
        double beta = kept[k] * free_dot(n, at->free, at->y + slot * n, at->d);
        free_add(n, at->free, at->alpha[slot] - beta, at->s + slot * n, at->d);
    }
    for (int64_t i = 0; i < n; i++)
        if (at->free[i] == 0) at->d[i] = -scale * at->g[i];
}

/* The point at t of the path that bends at bounds, and the decrease to first order that it promises. */
static double bend(const nigh_minimiser *m, const place *at, double t, double *x)
{
    const nigh_minimise_problem *p = &m->problem;
    double promise = 0;
    for (int64_t i = 0; i < p->n; i++) {
        x[i] = clamp(p, i, at->x[i] + t * at->d[i]);
        promise -= at->g[i] * (x[i] - at->x[i]);
    }
    return promise;
}

static void swap(double **a, double **b)
{
    double *c = *a;
    *a = *b;
    *b = c;
}

/* A first step that falls as steeply at its end may be longer: doubled while that keeps lowering f. */
static nigh_status lengthen(nigh_minimiser *m, place *at, double t, double promise, double *f)
{
    int64_t n = m->problem.n;
    for (int k = 0; k < 20; k++) {
        double slope = 0;
        for (int64_t i = 0; i < n; i++) slope -= at->g_new[i] * (at->x_new[i] - at->x[i]);
        if (slope < 0.9 * promise) return NIGH_OK;
        double now;
        t *= 2;
        promise = bend(m, at, t, at->x_try);
        if (!memcmp(at->x_try, at->x_new, (size_t)n * sizeof *at->x_try)) return NIGH_OK; /* all at bounds */
        nigh_status status = minimise_evaluate(m, at->x_try, &now, at->g_try);
        if (status) return status;
        if (!(now <= m->state.f - 1e-4 * promise) || !(now < *f) || !isfinite(optimiser_squares_f64(n, at->g_try, 1))) return NIGH_OK;
        swap(&at->x_try, &at->x_new);
        swap(&at->g_try, &at->g_new);
        *f = now;
    }
    return NIGH_OK;
}

static nigh_status bounded_step(nigh_minimiser *m, place *at)
{
    int64_t n = m->problem.n;
    choose_free(m, at);
    for (;;) {
        free_direction(m, at);
        double length = sqrt(optimiser_squares_f64(n, at->d, m->options.threads)), t = m->state.pairs ? 1 : fmin(1, 1 / length), f;
        for (int trial = 0; trial < 60 && length > 0 && isfinite(length); trial++) {
            double promise = bend(m, at, t, at->x_new);
            if (promise > 0) {
                nigh_status status = minimise_evaluate(m, at->x_new, &f, at->g_new);
                if (status) return status;
                if (f <= m->state.f - 1e-4 * promise && f < m->state.f && isfinite(optimiser_squares_f64(n, at->g_new, 1))) {
                    if (!trial) status = lengthen(m, at, t, promise, &f);
                    if (!status) accept(m, at, f);
                    return status;
                }
                double part = isfinite(f) ? promise / (2 * (f - m->state.f + promise)) : 0.1; /* the parabola's lowest point */
                t *= fmin(fmax(part, 0.1), 0.5);
            } else
                t *= 0.25;
        }
        if (!m->state.pairs) break;
        m->state.pairs = 0;
        m->state.growth = 1;
    }
    m->state.stop = NIGH_MINIMISE_ROUNDING;
    return NIGH_OK;
}

static nigh_status step(nigh_minimiser *m)
{
    place at = places(m);
    return bounded(&m->problem) ? bounded_step(m, &at) : free_step(m, &at);
}

const minimise_method minimise_lbfgs = {"L-BFGS", room, scratch, start, step};
