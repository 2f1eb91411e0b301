/*
 * Damped Newton steps: (H + damping D) p = -g by Cholesky, D the size of H's diagonal, so that the units of the unknowns do not
 * matter. The damping follows the gain of the last step (H. B. Nielsen, "Damping parameter in Marquardt's method"), grows until
 * the matrix is positive definite, and is 0 near a minimum: convergence is quadratic there.
 */
#include <math.h>
#include <string.h>

#include "grad/minimise.h"
#include "grad/optimiser.h"

static size_t room(const nigh_minimise_problem *p, const nigh_minimise_options *o) { return 2 * (size_t)p->n; }

static size_t scratch(const nigh_minimise_problem *p, const nigh_minimise_options *o) { return (size_t)p->n * (2 * (size_t)p->n + 4); }

static nigh_status start(nigh_minimiser *m)
{
    double *x = m->room, *g = x + m->problem.n;
    nigh_status status = minimise_evaluate(m, x, &m->state.f, g);
    if (!status) m->state.gradient = minimise_slope(&m->problem, x, g);
    m->state.growth = 2;
    return status;
}

/* The lower triangle of H + damping diag(d) = L L^T; false where it is not positive definite. */
static bool factorise(int64_t n, const double *h, const double *d, double damping, double *l)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++) l[i * n + j] = (h[i * n + j] - optimiser_dot(j, l + i * n, l + j * n, 1)) / l[j * n + j];
        double whole = h[i * n + i] + damping * d[i], pivot = whole - optimiser_dot(i, l + i * n, l + i * n, 1);
        if (!(pivot > 1e-14 * fabs(whole))) return false;
        l[i * n + i] = sqrt(pivot);
    }
    return true;
}

static void solve(int64_t n, const double *l, const double *g, double *p)
{
    for (int64_t i = 0; i < n; i++) p[i] = (-g[i] - optimiser_dot(i, l + i * n, p, 1)) / l[i * n + i];
    for (int64_t i = n - 1; i >= 0; i--) {
        p[i] /= l[i * n + i];
        optimiser_add(i, -p[i], l + i * n, p, 1);
    }
}

/* Sizes of the diagonal, none negligible. False where H is not finite. */
static bool diagonal(int64_t n, const double *h, double *d)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            if (!isfinite(h[i * n + j])) return false;
            most = fmax(most, fabs(h[i * n + j]));
        }
    for (int64_t i = 0; i < n; i++) d[i] = fmax(fabs(h[i * n + i]), most > 0 ? 1e-8 * most : 1);
    return true;
}

/* More damping: after a step that failed. The first is a thousandth of the diagonal. */
static void harder(minimise_state *s)
{
    s->damping = s->damping > 0 ? s->damping * s->growth : 1e-3;
    s->growth = fmin(2 * s->growth, 1024);
}

static nigh_status step(nigh_minimiser *m)
{
    int64_t n = m->problem.n;
    minimise_state *s = &m->state;
    double *x = m->room, *g = x + n, *h = m->scratch, *l = h + n * n, *d = l + n * n, *p = d + n, *x_new = p + n, *g_new = x_new + n;
    nigh_status status = m->problem.hessian(m->problem.user, x, h);
    if (status) return status;
    if (!diagonal(n, h, d)) return nigh_fail(m->ctx, NIGH_FAILED, "the Hessian has entries that are not finite at a point where f is %g", s->f);
    for (; s->damping < 1e18; harder(s)) {
        if (!factorise(n, h, d, s->damping, l)) continue;
        solve(n, l, g, p);
        double slope = optimiser_dot(n, g, p, 1), weighed = 0, f;
        for (int64_t i = 0; i < n; i++) weighed += p[i] * d[i] * p[i], x_new[i] = x[i] + p[i];
        double promise = (s->damping * weighed - slope) / 2;
        if (!(promise > 0)) break;
        status = minimise_evaluate(m, x_new, &f, g_new);
        if (status) return status;
        double slope_new = minimise_slope(&m->problem, x_new, g_new), gain = (s->f - f) / promise;
        /* Where f is flat to its rounding, the slope decides. */
        bool flat = promise <= 1e-14 * fabs(s->f) && f - s->f <= 1e-14 * fabs(s->f) && slope_new < s->gradient;
        if (!isfinite(f) || !isfinite(slope_new) || !(gain > 1e-4 || flat)) continue;
        double turn = flat ? 1 : 2 * fmin(gain, 1) - 1;
        s->damping *= fmax(1.0 / 8, 1 - turn * turn * turn);
        if (s->damping < 1e-10) s->damping = 0;
        s->growth = 2;
        double before = s->f;
        s->f = f, s->gradient = slope_new;
        memcpy(x, x_new, (size_t)n * sizeof *x);
        memcpy(g, g_new, (size_t)n * sizeof *g);
        minimise_judge(m, before);
        return NIGH_OK;
    }
    s->stop = NIGH_MINIMISE_ROUNDING;
    return NIGH_OK;
}

const minimise_method minimise_newton = {"Newton", room, scratch, start, step};
