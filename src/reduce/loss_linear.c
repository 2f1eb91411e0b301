/* Fits of linear losses: least squares, Newton with smoothing taken to 0, L-BFGS for many columns and residuals; and their gaps. */
#include <math.h>
#include <string.h>

#include "nigh/linear.h"
#include "nigh/minimise.h"
#include "reduce/loss.h"
#include "reduce/newton.h"

/* F without smoothing at the model of n. */
static double true_cost(newton *n)
{
    margin_curve sharp = n->curve;
    sharp.smooth = 0;
    double cost = margin_run(n->pass, &sharp, n->x, 0, NULL, NULL, NULL), norm = 0;
    for (int64_t k = 0; k < n->d; k++) norm += n->x[k] * n->x[k];
    return cost + n->lambda / 2 * norm;
}

/* The intercept's optimum for the w of n, by Newton on margins that are kept. LOGISTIC. */
static nigh_status best_intercept(newton *n)
{
    int64_t rows = n->rows->n;
    double *m = nigh_alloc(n->ctx, 3 * (size_t)rows * sizeof *m), last = INFINITY;
    if (!m) return NIGH_MEMORY;
    double *slope = m + rows, *bend = slope + rows;
    margin_all(n->pass, n->x, m);
    const margin_kernels *kernels = margin_kernels_at(nigh_cpu());
    for (int k = 0; k < 60; k++) {
        double g = 0, h = 0;
        kernels->curve(&n->curve, rows, m, n->rows->y, n->rows->weight, NULL, slope, bend);
        for (int64_t i = 0; i < rows; i++) g += slope[i], h += bend[i];
        if (!(h > 0) || fabs(g) <= 1e-14 * h || (k > 5 && fabs(g) >= last)) break;
        double step = fmax(fmin(-g / h, 2), -2); /* curvatures change by at most e^|step| */
        n->x[n->d] += step, last = fabs(g);
        for (int64_t i = 0; i < rows; i++) m[i] += step;
    }
    nigh_free(n->ctx, m);
    newton_look(n);
    return NIGH_OK;
}

/* cost and gap at the model of n, where newton_look and newton_solve were just called. */
static nigh_status prove(newton *n, double *cost, double *gap)
{
    nigh_status status = NIGH_OK;
    if (n->curve.kind == NIGH_LOSS_SQUARES) {
        *cost = n->cost, *gap = fmax(n->decrement / 2, 0);
    } else if (n->curve.kind == NIGH_LOSS_LOGISTIC) {
        *gap = newton_logistic_gap(n);
        if (*gap == INFINITY) status = best_intercept(n), *gap = newton_logistic_gap(n);
        *cost = n->cost;
    } else {
        double bound;
        status = newton_bound(n, &bound);
        *cost = n->curve.smooth > 0 ? true_cost(n) : n->cost;
        *gap = isfinite(bound) ? fmax(*cost - bound, 0) : INFINITY;
    }
    return status;
}

static nigh_status new_for(const loss_job *job, newton *out)
{
    margin_curve curve = loss_curve(job->loss, 0);
    return newton_new(job->ctx, job->rows, &curve, job->loss->options.lambda, !job->loss->options.no_intercept, out);
}

static void finish(newton *n, nigh_loss_fit *found, double *model, nigh_loss_fit *fit)
{
    found->iterations = n->iterations, found->passes = margin_passes(n->pass);
    memcpy(model, n->x, (size_t)(n->d + 1) * sizeof *model);
    if (!n->intercept) model[n->d] = 0;
    *fit = *found;
}

static void begin(const loss_job *job, newton *n)
{
    if (job->start) memcpy(n->x, job->start, (size_t)(n->d + 1) * sizeof *n->x);
    if (!n->intercept) n->x[n->d] = 0;
}

/* ---- least squares ---- */

/* Orthogonal factorisation of the rows, with lambda as rows of its own: sum w r^2 + lambda / 2 |w|^2. */
static nigh_status by_factorisation(const loss_job *job, double *model)
{
    const nigh_rows *r = job->rows;
    double lambda = job->loss->options.lambda;
    bool intercept = !job->loss->options.no_intercept;
    if (lambda == 0) {
        nigh_linear_data data = {r->n, r->d, r->x, r->weight};
        model[r->d] = 0;
        return nigh_linear_squares(job->ctx, &data, 1, r->y, model, intercept ? model + r->d : NULL);
    }
    nigh_linear_data data = {r->n, r->d, r->x, r->weight};
    double half = lambda / 2;
    model[r->d] = 0;
    return nigh_ridge_path(job->ctx, &data, 1, r->y, 1, &half, model, intercept ? model + r->d : NULL, NULL, NULL);
}

/* Normal equations and corrections of their solution, which needs the gradient alone; the factorisation where the Gram matrix is singular to rounding. */
nigh_status loss_train_squares(const loss_job *job, double *model, nigh_loss_fit *fit)
{
    newton n;
    nigh_loss_fit found = {0};
    nigh_status status = new_for(job, &n);
    if (status) return status;
    n.curve.kind = NIGH_LOSS_SQUARES;
    begin(job, &n);
    newton_look(&n);
    double first = n.cost;
    bool settled = false;
    for (int k = 0; k < 4 && !settled; k++) {
        status = newton_solve(&n);
        settled = status || n.jitter > 0 || n.decrement <= 1e-15 * n.cost + 1e-25 * first;
        if (settled) break;
        for (int64_t j = 0; j <= n.d; j++) n.x[j] += n.step[j];
        newton_look_again(&n);
        n.iterations++;
    }
    if (!status && (!settled || n.jitter > 0)) {
        status = by_factorisation(job, n.x);
        newton_look_again(&n);
        if (!status) status = newton_solve(&n);
    }
    if (!status) {
        found.cost = n.cost, found.gap = fmax(n.decrement / 2, 0);
        found.met = found.gap <= job->tolerance * n.cost + 1e-24 * first;
        finish(&n, &found, model, fit);
    }
    newton_end(&n);
    return status;
}

/* ---- Newton ---- */

/* Where the residuals are large: their root mean square at the start. */
static double scale_of(newton *n, double total)
{
    margin_curve squares = {.kind = NIGH_LOSS_SQUARES};
    return sqrt(margin_run(n->pass, &squares, n->x, 0, NULL, NULL, NULL) / total);
}

/* The best model so far with its cost, the highest bound, and the optimum of the last stage with its smoothing; models of [d+1]. */
typedef struct path {
    double *best, *last, cost, bound, smooth;
} path;

/* Does the model of n without smoothing beat the best one? */
static void consider(newton *n, path *p, double cost)
{
    if (!(cost < p->cost)) return;
    p->cost = cost;
    memcpy(p->best, n->x, (size_t)(n->d + 1) * sizeof *n->x);
}

/* x becomes the point of the line through the last two stages' optima where the smoothing is `to`: near the end optima move along lines, because
 * the rows at a corner stay the same. */
static void extrapolate(newton *n, const path *p, double to)
{
    double t = (to - n->curve.smooth) / (n->curve.smooth - p->smooth);
    for (int64_t k = 0; k <= n->d; k++) n->x[k] += t * (n->x[k] - p->last[k]);
}

/* Less and less smoothing; every stage gives a bound and two candidates, its own optimum and the extrapolated one. */
static nigh_status stages(const loss_job *job, newton *n, double total, double width, path *p)
{
    bool hinge = n->curve.kind == NIGH_LOSS_HINGE, met, along = false;
    double scale = hinge ? 1 : scale_of(n, total), bound;
    nigh_status status = NIGH_OK;
    n->curve.smooth = scale * width;
    if (scale == 0) return p->cost = p->bound = 0, memcpy(p->best, n->x, (size_t)(n->d + 1) * sizeof *n->x), NIGH_OK; /* every residual is 0 */
    for (int stage = 0; stage < 16; stage++) {
        newton_look(n);
        double excess = fabs(n->cost - true_cost(n)); /* of the smoothing, which a stage need not undercut by much */
        status = newton_run(n, fmax(1e-3 * excess, 1e-16 * n->cost), job->iterations - n->iterations, &met);
        if (!status) status = newton_bound(n, &bound);
        if (status) return status;
        if (bound > p->bound) p->bound = bound;
        double own = true_cost(n);
        consider(n, p, own);
        double *x = n->trial;
        memcpy(x, n->x, (size_t)(n->d + 1) * sizeof *x);
        if (stage > 0) {
            extrapolate(n, p, 0);
            double beyond = true_cost(n);
            consider(n, p, beyond);
            along = beyond < own;
        }
        if (p->cost - p->bound <= job->tolerance * p->cost || !met || n->iterations >= job->iterations) break;
        memcpy(n->x, x, (size_t)(n->d + 1) * sizeof *x);
        double smooth = n->curve.smooth, next = smooth * (hinge ? 0.2 : 0.1);
        if (along) extrapolate(n, p, next);
        memcpy(p->last, x, (size_t)(n->d + 1) * sizeof *x);
        p->smooth = smooth, n->curve.smooth = next;
    }
    return NIGH_OK;
}

static nigh_status with_stages(const loss_job *job, newton *n, double total, double width, nigh_loss_fit *found)
{
    size_t size = (size_t)(n->d + 1);
    path p = {.cost = INFINITY, .bound = -INFINITY, .best = nigh_alloc_zero(job->ctx, 2 * size, sizeof(double))};
    if (!p.best) return NIGH_MEMORY;
    p.last = p.best + size;
    nigh_status status = stages(job, n, total, width, &p);
    memcpy(n->x, p.best, size * sizeof *n->x);
    found->cost = p.cost, found->gap = fmax(p.cost - p.bound, 0);
    found->met = found->gap <= job->tolerance * p.cost;
    nigh_free(job->ctx, p.best);
    return status;
}

static nigh_status without_stages(const loss_job *job, newton *n, nigh_loss_fit *found)
{
    bool met;
    newton_look(n);
    if (n->curve.kind == NIGH_LOSS_LOGISTIC) n->goal = job->tolerance;
    nigh_status status = newton_run(n, 1e-16 * fabs(n->cost), job->iterations, &met);
    if (!status) status = prove(n, &found->cost, &found->gap);
    found->met = found->gap <= job->tolerance * fabs(found->cost);
    return status;
}

/* ---- starts ---- */

enum { THIN = 16, LEAST_ROWS = 8192 }; /* every 16th row, when there are that many of them and many more than columns */

/* The model of every 16th row into x; *width: the error of its residuals in units of theirs. Rows in some order are no harm: it is but a start. */
static nigh_status start_thin(const loss_job *job, double *x, double *width)
{
    const nigh_rows *r = job->rows;
    int64_t n = r->n / THIN, d = r->d;
    if (n < LEAST_ROWS || n < 100 * d) return NIGH_OK;
    double *block = nigh_alloc(job->ctx, (size_t)n * (size_t)(d + 2) * sizeof *block), seen[2] = {0}, total = 0;
    if (!block) return NIGH_MEMORY;
    nigh_rows thin = {n, d, block, block + n * d, block + n * (d + 1)};
    for (int64_t i = 0; i < n; i++) {
        int64_t from = i * THIN + i % THIN;
        double w = r->weight ? r->weight[from] : 1; /* times THIN: the penalty stands beside the sum over all rows */
        memcpy(block + i * d, r->x + from * d, (size_t)d * sizeof *block);
        block[n * d + i] = r->y[from];
        block[n * (d + 1) + i] = THIN * w;
        total += w, seen[r->y[from] == 1] += w;
    }
    loss_job small = {.ctx = job->ctx, .loss = job->loss, .rows = &thin, .tolerance = 1e-6, .iterations = job->iterations};
    nigh_loss_fit fit;
    nigh_status status = NIGH_OK;
    if (total > 0 && (!nigh_loss_has_classes(job->loss) || (seen[0] > 0 && seen[1] > 0))) {
        status = loss_train_newton(&small, x, &fit);
        *width = 3 * sqrt((double)d / (double)n);
    }
    nigh_free(job->ctx, block);
    return status;
}

nigh_status loss_train_newton(const loss_job *job, double *model, nigh_loss_fit *fit)
{
    newton n;
    nigh_loss_fit found = {0};
    nigh_status status = new_for(job, &n);
    if (status) return status;
    begin(job, &n);
    nigh_row_loss_kind kind = job->loss->options.kind;
    double width = 0;
    if (!job->start) status = start_thin(job, n.x, &width);
    if (!status && !job->start && width == 0 && (kind == NIGH_LOSS_LP || kind == NIGH_LOSS_HUBER)) { /* begin at least squares */
        bool met;
        n.curve.kind = NIGH_LOSS_SQUARES;
        newton_look(&n);
        status = newton_run(&n, 1e-6 * n.cost, 2, &met);
        n.curve.kind = kind;
    }
    double total = nigh_rows_weight(job->rows);
    if (width == 0) width = 1;
    if (!status) status = loss_corners(job->loss) ? with_stages(job, &n, total, width, &found) : without_stages(job, &n, &found);
    if (!status) finish(&n, &found, model, fit);
    newton_end(&n);
    return status;
}

/* ---- L-BFGS ---- */

typedef struct descent {
    margin_pass *pass;
    margin_curve curve;
    double lambda, *g; /* [d+1] */
    int64_t d;
    bool intercept;
    double *model; /* [d+1] */
} descent;

static nigh_status slopes(void *user, const double *x, double *f, double *g)
{
    descent *q = user;
    double norm = 0;
    memcpy(q->model, x, (size_t)(q->d + q->intercept) * sizeof *x);
    *f = margin_run(q->pass, &q->curve, q->model, MARGIN_GRADIENT, NULL, q->g, NULL);
    for (int64_t k = 0; k < q->d; k++) norm += x[k] * x[k], g[k] = q->g[k] + q->lambda * x[k];
    if (q->intercept) g[q->d] = q->g[q->d];
    *f += q->lambda / 2 * norm;
    return NIGH_OK;
}

static double size_of_y(const nigh_rows *r)
{
    double sum = 0, total = 0;
    for (int64_t i = 0; i < r->n; i++) {
        double w = r->weight ? r->weight[i] : 1;
        sum += w * r->y[i] * r->y[i], total += w;
    }
    return sqrt(sum / total);
}

nigh_status loss_train_descent(const loss_job *job, double *model, nigh_loss_fit *fit)
{
    const nigh_loss_options *o = &job->loss->options;
    int64_t d = job->rows->d;
    const margin_residual *residual = o->kind == NIGH_LOSS_RESIDUAL ? &job->loss->residual : NULL;
    descent q = {.curve = loss_curve(job->loss, 0), .lambda = o->lambda, .d = d, .intercept = !o->no_intercept};
    nigh_status status = margin_new(job->ctx, job->rows, residual, MARGIN_GRADIENT, &q.pass);
    if (status) return status;
    q.g = nigh_alloc_zero(job->ctx, 3 * (size_t)(d + 1), sizeof(double));
    if (!q.g) return margin_free(q.pass), NIGH_MEMORY;
    q.model = q.g + d + 1;
    double *x = q.model + d + 1;
    if (job->start) memcpy(x, job->start, (size_t)(d + 1) * sizeof *x);
    nigh_minimise_problem problem = {.n = d + q.intercept, .gradient = slopes, .user = &q};
    nigh_minimise_options options = {.method = NIGH_MINIMISE_LBFGS, .gradient_tolerance = -1, .decrease_tolerance = job->tolerance, .iterations = job->iterations};
    nigh_minimise_result result;
    nigh_loss_fit found = {.gap = INFINITY};
    int stages = loss_corners(job->loss) ? 4 : 1; /* of less and less smoothing */
    if (stages > 1) q.curve.smooth = o->kind == NIGH_LOSS_HINGE ? 1 : size_of_y(job->rows);
    for (int stage = 0; stage < stages && !status; stage++) {
        q.curve.smooth *= 0.1;
        status = nigh_minimise(job->ctx, &problem, &options, x, &result);
        found.iterations += result.iterations, found.cost = result.f;
    }
    if (!q.intercept) x[d] = 0;
    if (!status && stages > 1) status = nigh_loss_cost(job->ctx, job->loss, job->rows, x, &found.cost);
    if (!status) {
        found.passes = margin_passes(q.pass) + (stages > 1);
        found.met = stages == 1 && result.stop != NIGH_MINIMISE_ITERATIONS && result.stop != NIGH_MINIMISE_EVALUATIONS;
        memcpy(model, x, (size_t)(d + 1) * sizeof *model);
        *fit = found;
    }
    margin_free(q.pass);
    nigh_free(job->ctx, q.g);
    return status;
}

/* ---- gaps ---- */

nigh_status loss_gap_linear(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, double *model, double *cost, double *gap)
{
    newton n;
    loss_job job = {.ctx = ctx, .loss = loss, .rows = rows, .start = model};
    nigh_status status = new_for(&job, &n);
    if (status) return status;
    begin(&job, &n);
    double c = 0, g = INFINITY, total = nigh_rows_weight(rows);
    if (loss_corners(loss)) n.curve.smooth = 1e-3 * (loss->options.kind == NIGH_LOSS_HINGE ? 1 : scale_of(&n, total));
    newton_look(&n);
    status = newton_solve(&n);
    if (!status) status = prove(&n, &c, &g);
    if (!status) model[n.d] = n.x[n.d], *cost = c, *gap = g;
    newton_end(&n);
    return status;
}
