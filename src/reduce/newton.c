/* Newton's method on margin losses; see newton.h. */
#include "reduce/newton.h"

#include <math.h>
#include <string.h>

#include "tensor/linalg.h"

nigh_status newton_new(nigh_context *ctx, const nigh_rows *rows, const margin_curve *curve, double lambda, bool intercept, newton *out)
{
    int64_t d = rows->d, m = d + 1;
    newton n = {.ctx = ctx, .rows = rows, .curve = *curve, .lambda = lambda, .intercept = intercept, .d = d, .unknowns = intercept ? m : d};
    nigh_status status = margin_new(ctx, rows, NULL, MARGIN_HESSIAN, &n.pass);
    if (status) return status;
    n.block = nigh_alloc_zero(ctx, (size_t)(m * (3 * m + 7)), sizeof(double));
    if (!n.block) return margin_free(n.pass), NIGH_MEMORY;
    n.h = n.block, n.h_new = n.h + m * m, n.work = n.h_new + m * m;
    n.x = n.work + m * (m + 1), n.g = n.x + m, n.step = n.g + m, n.trial = n.step + m, n.g_new = n.trial + m;
    *out = n;
    return NIGH_OK;
}

void newton_end(newton *n)
{
    margin_free(n->pass);
    nigh_free(n->ctx, n->block);
}

static double look(newton *n, const double *x, double *g, double *h)
{
    double cost = margin_run(n->pass, &n->curve, x, MARGIN_GRADIENT | MARGIN_HESSIAN, NULL, g, h), norm = 0;
    for (int64_t k = 0; k < n->d; k++) norm += x[k] * x[k], g[k] += n->lambda * x[k], h[k * (n->d + 1) + k] += n->lambda;
    if (!n->intercept) g[n->d] = 0;
    return cost + n->lambda / 2 * norm;
}

void newton_look(newton *n) { n->cost = look(n, n->x, n->g, n->h); }

void newton_look_again(newton *n)
{
    double norm = 0;
    n->cost = margin_run(n->pass, &n->curve, n->x, MARGIN_GRADIENT, NULL, n->g, NULL);
    for (int64_t k = 0; k < n->d; k++) norm += n->x[k] * n->x[k], n->g[k] += n->lambda * n->x[k];
    if (!n->intercept) n->g[n->d] = 0;
    n->cost += n->lambda / 2 * norm;
}

nigh_status newton_direction(nigh_context *ctx, int64_t unknowns, int64_t stride, const double *h, const double *g, double *work, double *step,
                             double *decrement, double *jitter)
{
    int64_t u = unknowns;
    double *root = work + u * u; /* a diagonal of ones: the units of the unknowns are taken out */
    for (int64_t j = 0; j < u; j++) root[j] = h[j * stride + j] > 0 ? 1 / sqrt(h[j * stride + j]) : 1;
    for (int64_t j = 0; j < u; j++)
        for (int64_t k = 0; k <= j; k++) work[j * u + k] = j == k ? 1 : h[j * stride + k] * root[j] * root[k];
    for (int64_t j = 0; j < u; j++) step[j] = -g[j] * root[j];
    nigh_status status = linalg_cholesky_solve(ctx, u, 1, work, step, jitter);
    *decrement = 0;
    for (int64_t j = 0; j < u && !status; j++) step[j] *= root[j], *decrement -= g[j] * step[j];
    return status;
}

nigh_status newton_solve(newton *n)
{
    for (int64_t j = n->unknowns; j <= n->d; j++) n->step[j] = 0;
    return newton_direction(n->ctx, n->unknowns, n->d + 1, n->h, n->g, n->work, n->step, &n->decrement, &n->jitter);
}

/* Slope and curvature along the step at t; m margins at x, q of the step, three times n numbers of room. */
static double slope_at(const newton *n, double t, const double *m, const double *q, double *room, double *bend)
{
    int64_t rows = n->rows->n;
    double *at = room, *s = at + rows, *c = s + rows, slope = 0, h = 0;
    for (int64_t i = 0; i < rows; i++) at[i] = m[i] + t * q[i];
    margin_kernels_at(nigh_cpu())->curve(&n->curve, rows, at, n->rows->y, n->rows->weight, NULL, s, c);
    for (int64_t i = 0; i < rows; i++) slope += s[i] * q[i], h += c[i] * q[i] * q[i];
    for (int64_t k = 0; k < n->d; k++) slope += n->lambda * (n->x[k] + t * n->step[k]) * n->step[k], h += n->lambda * n->step[k] * n->step[k];
    *bend = h;
    return slope;
}

/* The least point in (0, 1) along the step, where the slope is small beside that at 0: Newton within a bracket, on margins. */
static nigh_status least(newton *n, double *best)
{
    int64_t rows = n->rows->n;
    double *m = nigh_alloc(n->ctx, 5 * (size_t)rows * sizeof *m), *q = m + rows, low = 0, high = 1, bend, t;
    if (!m) return NIGH_MEMORY;
    margin_all(n->pass, n->x, m);
    margin_all(n->pass, n->step, q);
    slope_at(n, 0, m, q, q + rows, &bend);
    t = bend > 0 ? fmin(n->decrement / bend, 0.5) : 0.5;
    for (int k = 0; k < 60; k++) {
        double slope = slope_at(n, t, m, q, q + rows, &bend);
        if (fabs(slope) <= 0.01 * n->decrement) break;
        *(slope < 0 ? &low : &high) = t;
        double next = t - slope / bend;
        t = bend > 0 && next > low && next < high && k % 3 != 2 ? next : (low + high) / 2;
    }
    nigh_free(n->ctx, m);
    *best = t;
    return NIGH_OK;
}

/* Takes x + t step if its cost is low enough. Its gradient and Hessian take the place of the old ones. */
static bool take(newton *n, double t)
{
    for (int64_t k = 0; k <= n->d; k++) n->trial[k] = n->x[k] + t * n->step[k];
    double now = look(n, n->trial, n->g_new, n->h_new), slope = 0, *g = n->g, *h = n->h;
    for (int64_t k = 0; k < n->unknowns; k++) slope += n->g_new[k] * n->step[k];
    bool flat = n->decrement <= 1e-13 * fabs(n->cost) && fabs(slope) < n->decrement; /* the cost is flat to its rounding: the slope decides */
    if (!isfinite(now) || !(now <= n->cost - 1e-4 * t * n->decrement || (flat && now <= n->cost * (1 + 1e-13)))) return false;
    memcpy(n->x, n->trial, (size_t)(n->d + 1) * sizeof *n->x);
    n->cost = now, n->g = n->g_new, n->h = n->h_new, n->g_new = g, n->h_new = h;
    return true;
}

static nigh_status search(newton *n, bool *lower)
{
    double t;
    *lower = take(n, 1);
    if (*lower) return NIGH_OK;
    nigh_status status = least(n, &t);
    if (!status) *lower = take(n, t);
    return status;
}

/* What the slope by w costs Fenchel's dual at the slopes of the hinge. */
static double slope_gap(const newton *n)
{
    double slope = 0;
    for (int64_t k = 0; k < n->d; k++) slope += n->g[k] * n->g[k];
    return slope / (2 * n->lambda);
}

nigh_status newton_run(newton *n, double enough, int64_t most, bool *met)
{
    bool lower = true;
    *met = false;
    for (int64_t k = 0; k <= most; k++) {
        nigh_status status = nigh_poll(n->ctx);
        if (!status) status = newton_solve(n);
        if (status) return status;
        *met = (n->decrement <= 2 * enough && (n->curve.kind != NIGH_LOSS_HINGE || slope_gap(n) <= enough)) || (n->goal > 0 && newton_logistic_gap(n) <= n->goal * n->cost);
        if (*met || k == most) break;
        status = search(n, &lower);
        if (status) return status;
        if (!lower) return *met = true, NIGH_OK;
        n->iterations++;
    }
    return NIGH_OK;
}

/* ---- bounds ---- */

double newton_logistic_gap(const newton *n)
{
    int64_t d = n->d;
    double slope = 0, border = 0, h = n->h[d * (d + 1) + d], step = 0, cost = 0;
    for (int64_t k = 0; k < d; k++) slope += n->g[k] * n->g[k], border += n->h[k * (d + 1) + d] * n->h[k * (d + 1) + d];
    if (n->intercept && n->g[d] != 0) {
        step = fabs(n->g[d]) / h, cost = n->g[d] * n->g[d] / h;
        if (!(step <= 0.1)) return INFINITY;
    }
    slope = sqrt(slope) + 3 * step * sqrt(border);
    return cost + slope * slope / (2 * n->lambda);
}

enum { ROWS = 256 };

typedef struct dual {
    double yu[2], most;    /* sums of y u (hinge: |u|, by class), largest |u| / weight */
    double *xu[2];         /* X'u and sum u (hinge: by class), [d+1] */
} dual;

static double conjugate(const margin_curve *c, double t)
{
    if (c->kind == NIGH_LOSS_HUBER) return t * t / 2;
    if (c->kind == NIGH_LOSS_LP && c->p > 1) return (c->p - 1) * pow(fabs(t) / c->p, c->p / (c->p - 1));
    return 0;
}

/* The largest |u| / weight at which the conjugate is finite. */
static double limit(const margin_curve *c) { return c->kind == NIGH_LOSS_HUBER ? c->delta : c->kind == NIGH_LOSS_LP && c->p > 1 ? INFINITY : 1; }

/* u of rows i ..; `step` NULL: the slopes themselves. */
static void points(const newton *n, int64_t i, int64_t rows, const double *m, const double *step, double *u, double *curvature)
{
    const double *weight = n->rows->weight ? n->rows->weight + i : NULL;
    margin_kernels_at(nigh_cpu())->curve(&n->curve, rows, m + i, n->rows->y + i, weight, NULL, u, curvature);
    for (int64_t k = 0; k < rows; k++) u[k] = -u[k] - (step ? curvature[k] * step[i + k] : 0);
}

static double square(int64_t d, const double *x)
{
    double sum = 0;
    for (int64_t k = 0; k < d; k++) sum += x[k] * x[k];
    return sum;
}

static void sum_duals(const newton *n, const double *m, const double *step, dual *out)
{
    const nigh_rows *r = n->rows;
    bool classes = n->curve.kind == NIGH_LOSS_HINGE;
    double u[ROWS], curvature[ROWS], ones[ROWS];
    for (int64_t i = 0; i < r->n; i += ROWS) {
        int64_t rows = r->n - i < ROWS ? r->n - i : ROWS;
        points(n, i, rows, m, step, u, curvature);
        for (int64_t k = 0; k < rows; k++) {
            double w = r->weight ? r->weight[i + k] : 1;
            if (w > 0) out->most = fmax(out->most, fabs(u[k]) / w);
            bool one = r->y[i + k] == 1;
            if (classes) out->yu[one] += fabs(u[k]), ones[k] = one ? u[k] : 0, u[k] = one ? 0 : u[k];
            else out->yu[0] += r->y[i + k] * u[k];
        }
        margin_kernels_at(nigh_cpu())->border(rows, n->d, r->x + i * n->d, u, classes ? ones : NULL, out->xu[0], out->xu[1]);
    }
}

static double sum_conjugates(const newton *n, const double *m, const double *step, double scale)
{
    double u[ROWS], curvature[ROWS], sum = 0;
    if (n->curve.kind == NIGH_LOSS_LP && n->curve.p == 1) return 0;
    for (int64_t i = 0; i < n->rows->n; i += ROWS) {
        int64_t rows = n->rows->n - i < ROWS ? n->rows->n - i : ROWS;
        points(n, i, rows, m, step, u, curvature);
        for (int64_t k = 0; k < rows; k++) {
            double w = n->rows->weight ? n->rows->weight[i + k] : 1;
            if (w > 0) sum += w * conjugate(&n->curve, scale * u[k] / w);
        }
    }
    return sum;
}

/* The classes' sums are made equal by shrinking the larger one. */
static double hinge_bound(const newton *n, dual *q)
{
    double low = fmin(q->yu[0], q->yu[1]), factor[2] = {1, 1};
    for (int c = 0; c < 2 && n->intercept; c++) factor[c] = q->yu[c] > 0 ? low / q->yu[c] : 0;
    for (int64_t k = 0; k < n->d; k++) q->xu[0][k] = factor[0] * q->xu[0][k] + factor[1] * q->xu[1][k];
    return factor[0] * q->yu[0] + factor[1] * q->yu[1] - square(n->d, q->xu[0]) / (2 * n->lambda);
}

nigh_status newton_bound(newton *n, double *bound)
{
    int64_t rows = n->rows->n, d = n->d;
    double *m = nigh_alloc_zero(n->ctx, (size_t)(2 * rows + 2 * (d + 1)), sizeof(double)), *step = m + rows;
    if (!m) return NIGH_MEMORY;
    bool classes = n->curve.kind == NIGH_LOSS_HINGE;
    dual q = {.xu = {step + rows, step + rows + d + 1}};
    margin_all(n->pass, n->x, m);
    if (!classes) margin_all(n->pass, n->step, step);
    sum_duals(n, m, classes ? NULL : step, &q);
    if (classes) {
        *bound = hinge_bound(n, &q);
    } else {
        double most = limit(&n->curve), scale = q.most > most ? most / q.most : 1, off = 0;
        *bound = scale * q.yu[0] - sum_conjugates(n, m, step, scale);
        if (n->lambda > 0) *bound -= scale * scale * square(d, q.xu[0]) / (2 * n->lambda);
        else
            for (int64_t k = 0; k < d; k++) off += fabs(q.xu[0][k] * (n->x[k] + n->step[k]));
        if (n->intercept) off += fabs(q.xu[0][d] * (n->x[d] + n->step[d]));
        *bound -= 2 * off; /* the conditions are met up to rounding, which counts at the size of the model */
    }
    nigh_free(n->ctx, m);
    return NIGH_OK;
}
