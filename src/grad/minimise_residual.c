/* Least squares by levenberg_marquardt.h behind the interface of minimisers: one step taken an iteration. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "grad/levenberg_marquardt.h"
#include "grad/minimise.h"

/* Kept: x, padded to 64 bytes, and the room of the search. */
static size_t padded(int64_t n) { return ((size_t)n + 7) / 8 * 8; }

static size_t room(const nigh_minimise_problem *p, const nigh_minimise_options *o)
{
    return padded(p->n) + GRAD_LM_ROOM(p->rows, p->n);
}

/* Two columns of residuals and a row-major Jacobian. */
static size_t scratch(const nigh_minimise_problem *p, const nigh_minimise_options *o)
{
    return (size_t)p->rows * (2 + (size_t)p->n) + (size_t)p->n;
}

typedef struct call {
    nigh_minimiser *m;
    nigh_status status; /* the first failure; the callbacks are not called again */
} call;

static void residuals(void *user, const double *x, double *r)
{
    call *c = user;
    nigh_minimiser *m = c->m;
    if (!c->status) {
        m->state.evaluations++;
        c->status = m->problem.residual(m->problem.user, x, r);
    }
    for (int64_t i = 0; i < m->problem.rows && c->status; i++) r[i] = NAN;
}

/* Column k by central differences whose step balances truncation and rounding. */
static void difference(call *c, double *x, int64_t k, double *up, double *down, double *column)
{
    nigh_minimiser *m = c->m;
    double at = x[k], h = 6e-6 * (fabs(at) > 0 ? fabs(at) : 1);
    volatile double above = at + h, below = at - h;
    x[k] = above;
    residuals(c, x, up);
    x[k] = below;
    residuals(c, x, down);
    x[k] = at;
    for (int64_t i = 0; i < m->problem.rows; i++) column[i] = (up[i] - down[i]) / (above - below);
}

static void jacobian(void *user, const double *x, double *j)
{
    call *c = user;
    nigh_minimiser *m = c->m;
    int64_t rows = m->problem.rows, n = m->problem.n;
    double *up = m->scratch, *down = up + rows, *across = down + rows, *copy = across + rows * n;
    if (m->problem.jacobian) {
        if (!c->status) c->status = m->problem.jacobian(m->problem.user, x, across);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < n; k++) j[k * rows + i] = c->status ? 0 : across[i * n + k];
    } else {
        memcpy(copy, x, (size_t)n * sizeof *copy);
        for (int64_t k = 0; k < n; k++) difference(c, copy, k, up, down, j + k * rows);
    }
    const double *here = m->room + padded(n) + rows * n;
    double most = 0;
    for (int64_t k = 0; k < n; k++) {
        double sum = 0;
        for (int64_t i = 0; i < rows; i++) sum += j[k * rows + i] * here[i];
        if (!(fabs(2 * sum) <= most)) most = fabs(2 * sum);
    }
    m->state.gradient = most;
}

static grad_lm problem_of(call *c)
{
    const nigh_minimiser *m = c->m;
    return (grad_lm){residuals, jacobian, c, (int)m->problem.rows, (int)m->problem.n, INT_MAX, fmax(m->options.decrease_tolerance, 0)};
}

static nigh_status start(nigh_minimiser *m)
{
    call c = {m, NIGH_OK};
    grad_lm problem = problem_of(&c);
    grad_lm_state state;
    double *work = m->room + padded(m->problem.n);
    grad_lm_begin(&problem, m->room, work, &state);
    m->state.f = state.sum, m->state.damping = state.damping, m->state.growth = state.growth;
    if (!c.status && !state.ended) jacobian(&c, m->room, work);
    return c.status;
}

static nigh_status step(nigh_minimiser *m)
{
    call c = {m, NIGH_OK};
    grad_lm problem = problem_of(&c);
    int64_t rows = m->problem.rows, n = m->problem.n;
    minimise_state *s = &m->state;
    double *work = m->room + padded(n), x[GRAD_LM_MOST];
    grad_lm_state state = {s->f, s->damping, s->growth, 1, false};
    memcpy(x, m->room, (size_t)n * sizeof *x);
    grad_lm_step(&problem, x, work, &state);
    if (c.status) return c.status; /* x did not move, nor did the residuals there: a failed trial is not taken */
    s->f = state.sum, s->damping = state.damping, s->growth = state.growth;
    memcpy(m->room, x, (size_t)n * sizeof *x);
    memset(work, 0, (size_t)(rows * n) * sizeof *work); /* what is saved depends on the point alone */
    memset(work + rows * (n + 1), 0, (size_t)(2 * rows) * sizeof *work);
    if (s->gradient <= m->options.gradient_tolerance) s->stop = NIGH_MINIMISE_GRADIENT;
    else if (state.ended) s->stop = NIGH_MINIMISE_DECREASE;
    return NIGH_OK;
}

const minimise_method minimise_residual = {"Levenberg-Marquardt", room, scratch, start, step};
