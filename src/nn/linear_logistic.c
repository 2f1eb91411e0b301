/*
 * Logistic and multinomial regression on the minimisers of nigh/minimise.h. Unknowns: weights [d,k], then intercepts [k]. The
 * gap and the final intercepts are explained in nigh/linear.h.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "nigh/minimise.h"
#include "nn/linear.h"
#include "nn/margin.h"
#include "tensor/linalg.h"

typedef struct job {
    nigh_context *ctx;
    const nigh_linear_data *data;
    const nigh_linear_options *options;
    const int32_t *label;
    int64_t k, weights, unknowns; /* columns; d k; with intercepts */
    double lambda;
    double *p, *part; /* [n,k] probabilities, after `slopes` less the label's; [n,d] a weighted copy for the Hessian */
    double *best;     /* unknowns, a copy */
    double *g, *h;    /* slopes; Hessian of the intercepts [k,k] */
    margin_pass *pass; /* of two classes: passes over the rows; NULL for more */
    double *y, *around; /* [n] labels as numbers; model, slopes [d+1] and Hessian [d+1,d+1] of a pass */
    double goal;
    bool met;
} job;

/* p: probabilities at x; returns the weighted loss. */
static nigh_status losses(job *j, const double *x, double *loss)
{
    int64_t n = j->data->n, k = j->k;
    const double *b = j->options->no_intercept ? NULL : x + j->weights;
    nigh_status status = nigh_linear_scores(j->ctx, n, j->data->d, k, j->data->x, x, b, j->p);
    double sum = 0;
    for (int64_t i = 0; i < n && !status; i++) {
        double *s = j->p + i * k, wi = linear_weight(j->data, i);
        if (k == 1) {
            double e = exp(-fabs(s[0])), of_one = s[0] > 0 ? 1 / (1 + e) : e / (1 + e), margin = j->label[i] ? s[0] : -s[0];
            if (wi > 0) sum += wi * (log1p(e) + fmax(-margin, 0));
            s[0] = of_one;
            continue;
        }
        double top = s[0], at = s[j->label[i]], all = 0;
        for (int64_t c = 1; c < k; c++) top = fmax(top, s[c]);
        for (int64_t c = 0; c < k; c++) all += s[c] = exp(s[c] - top);
        if (wi > 0) sum += wi * (log(all) + top - at);
        for (int64_t c = 0; c < k; c++) s[c] /= all;
    }
    *loss = sum;
    return status;
}

/* Two classes: f, g [unknowns] and h [unknowns, unknowns] (NULL: not wanted) from one reading of the rows. */
static void pass_over(job *j, const double *x, double *f, double *g, double *h)
{
    static const margin_curve curve = {.kind = NIGH_LOSS_LOGISTIC};
    int64_t d = j->data->d, m = j->unknowns;
    double *model = j->around, *slope = model + d + 1, *all = slope + d + 1, penalty = 0;
    model[d] = 0;
    memcpy(model, x, (size_t)m * sizeof *x);
    double cost = margin_run(j->pass, &curve, model, h ? MARGIN_GRADIENT | MARGIN_HESSIAN : MARGIN_GRADIENT, NULL, slope, all);
    for (int64_t i = 0; i < d; i++) slope[i] += j->lambda * x[i], penalty += x[i] * x[i];
    if (f) *f = cost + j->lambda / 2 * penalty;
    if (g) memcpy(g, slope, (size_t)m * sizeof *g);
    for (int64_t a = 0; a < m && h; a++)
        for (int64_t b = 0; b < m; b++) h[a * m + b] = all[a * (d + 1) + b] + (a == b && a < d ? j->lambda : 0);
}

static nigh_status slopes(void *user, const double *x, double *f, double *g)
{
    job *j = user;
    if (j->pass) return pass_over(j, x, f, g, NULL), NIGH_OK;
    int64_t n = j->data->n, k = j->k;
    nigh_status status = losses(j, x, f);
    if (status) return status;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < k; c++) j->p[i * k + c] = linear_weight(j->data, i) * (j->p[i * k + c] - (k == 1 ? j->label[i] : j->label[i] == c));
    status = linalg_gemm(j->ctx, true, false, j->data->d, k, n, 1, j->data->x, j->p, 0, g);
    double penalty = 0;
    for (int64_t i = 0; i < j->weights; i++) g[i] += j->lambda * x[i], penalty += x[i] * x[i];
    *f += j->lambda / 2 * penalty;
    for (int64_t c = j->weights; c < j->unknowns; c++) g[c] = 0;
    for (int64_t i = 0; i < n && j->unknowns > j->weights; i++)
        for (int64_t c = 0; c < k; c++) g[j->weights + c] += j->p[i * k + c];
    return status;
}

/* weight p_a ([a = b] - p_b) of row i. */
static double curvature(const job *j, int64_t i, int64_t a, int64_t b)
{
    const double *p = j->p + i * j->k;
    return linear_weight(j->data, i) * (j->k == 1 ? p[0] * (1 - p[0]) : p[a] * ((a == b) - p[b]));
}

/* The block of columns a and b, for every pair: X' diag(curvature) X and its border. */
static nigh_status hessian(void *user, const double *x, double *h)
{
    job *j = user;
    if (j->pass) return pass_over(j, x, NULL, NULL, h), NIGH_OK;
    int64_t n = j->data->n, d = j->data->d, k = j->k, m = j->unknowns;
    double loss, *block = j->part + n * d;
    nigh_status status = losses(j, x, &loss);
    memset(h, 0, (size_t)(m * m) * sizeof *h);
    for (int64_t a = 0; a < k && !status; a++)
        for (int64_t b = 0; b <= a && !status; b++) {
            double sum = 0, *border = block + d * d;
            memset(border, 0, (size_t)d * sizeof *border);
            for (int64_t i = 0; i < n; i++) {
                double c = curvature(j, i, a, b);
                sum += c;
                for (int64_t e = 0; e < d; e++) border[e] += j->part[i * d + e] = c * j->data->x[i * d + e];
            }
            status = linalg_gemm(j->ctx, true, false, d, d, n, 1, j->data->x, j->part, 0, block);
            for (int64_t e = 0; e < d; e++)
                for (int64_t f = 0; f < d; f++) h[(e * k + a) * m + f * k + b] = h[(f * k + b) * m + e * k + a] = block[e * d + f];
            if (m == j->weights) continue;
            for (int64_t e = 0; e < d; e++) {
                h[(j->weights + a) * m + e * k + b] = h[(e * k + b) * m + j->weights + a] = border[e];
                h[(j->weights + b) * m + e * k + a] = h[(e * k + a) * m + j->weights + b] = border[e];
            }
            h[(j->weights + a) * m + j->weights + b] = h[(j->weights + b) * m + j->weights + a] = sum;
        }
    for (int64_t i = 0; i < j->weights; i++) h[i * m + i] += j->lambda;
    double fill = 0; /* a common shift of all intercepts changes nothing: curvature there leaves the steps as they are */
    for (int64_t i = j->weights; i < m; i++) fill += h[i * m + i] / (double)k;
    for (int64_t a = j->weights; a < m && k > 1; a++)
        for (int64_t b = j->weights; b < m; b++) h[a * m + b] += fill;
    return status;
}

/* Newton's steps in the intercepts alone, until their slopes are rounding. x, *f and g are left at the best. */
static nigh_status fit_intercepts(job *j, double *x, double *f, double *g)
{
    int64_t k = j->k, free = k == 1 ? 1 : k - 1, at = j->weights; /* all intercepts may shift together: the last one stays */
    nigh_status status = slopes(j, x, f, g);
    for (int round = 0; round < 50 && !status && j->unknowns > at; round++) {
        double before = 0, after = 0, loss, now;
        for (int64_t c = 0; c < k; c++) before = fmax(before, fabs(g[at + c]));
        if (before == 0) break;
        status = losses(j, x, &loss);
        if (status) break;
        memset(j->h, 0, (size_t)(free * free) * sizeof *j->h);
        for (int64_t i = 0; i < j->data->n; i++)
            for (int64_t a = 0; a < free; a++)
                for (int64_t b = 0; b < free; b++) j->h[a * free + b] += curvature(j, i, a, b);
        for (int64_t c = 0; c < free; c++) j->best[at + c] = g[at + c];
        if (linalg_cholesky_solve(j->ctx, free, 1, j->h, j->best + at, NULL)) break; /* flat to rounding */
        double step[2] = {1, 0.1};
        bool lower = false;
        for (int trial = 0; trial < 2 && !lower && !status; trial++) {
            memcpy(j->g, x + at, (size_t)k * sizeof *x);
            for (int64_t c = 0; c < free; c++) x[at + c] -= step[trial] * j->best[at + c];
            double *g_new = j->g + k;
            status = slopes(j, x, &now, g_new);
            after = 0;
            for (int64_t c = 0; c < k; c++) after = fmax(after, fabs(g_new[at + c]));
            lower = !status && after < before;
            if (lower) memcpy(g, g_new, (size_t)j->unknowns * sizeof *g), *f = now;
            else memcpy(x + at, j->g, (size_t)k * sizeof *x);
        }
        if (!lower || after <= 1e-16 * j->goal) break;
    }
    return status;
}

static double gap_of(const job *j, const double *g)
{
    double sum = 0;
    for (int64_t i = 0; i < j->weights; i++) sum += g[i] * g[i];
    return sum / (2 * j->lambda);
}

/* Steps of the minimiser until the gap is met: its slopes by the weights, after the intercepts are optimal. */
static nigh_status run(job *j, nigh_minimiser *m, double *x, double *g, nigh_linear_fit *fit)
{
    bool running = true;
    nigh_status status = NIGH_OK;
    for (int64_t k = 0; !status; k++) {
        nigh_minimise_result now;
        nigh_minimiser_result(m, &now);
        memcpy(x, now.x, (size_t)j->unknowns * sizeof *x);
        double slope = now.gradient;
        bool near = !running || slope * slope / (2 * j->lambda) <= j->goal;
        fit->objective = now.f, fit->gap = INFINITY, fit->iterations = k;
        if (near) {
            status = fit_intercepts(j, x, &fit->objective, g);
            fit->gap = gap_of(j, g);
            fit->met = fit->gap <= j->goal;
        }
        if (!status && j->options->observe)
            status = j->options->observe(j->options->user, k, x, j->unknowns > j->weights ? x + j->weights : NULL, fit->objective, fit->gap);
        if (status || !running || fit->met) break;
        status = nigh_minimiser_step(m, &running);
    }
    return status;
}

static nigh_status solve(job *j, double *w, double *intercept, nigh_linear_fit *fit)
{
    int64_t m = j->unknowns;
    double *x = linear_numbers(j->ctx, m, 2, 1), *g = x ? x + m : NULL;
    bool newton = j->k * (j->data->d + 1) <= 300;
    if (!x) return NIGH_MEMORY;
    if (j->options->warm) {
        memcpy(x, w, (size_t)j->weights * sizeof *x);
        if (m > j->weights) memcpy(x + j->weights, intercept, (size_t)j->k * sizeof *x);
    }
    nigh_minimise_problem problem = {.n = m, .gradient = slopes, .hessian = hessian, .user = j};
    nigh_minimise_options options = {.method = newton ? NIGH_MINIMISE_NEWTON : NIGH_MINIMISE_LBFGS, .iterations = j->options->iterations,
                                     .gradient_tolerance = -1, .decrease_tolerance = -1};
    if (!options.iterations) options.iterations = 1000;
    nigh_minimiser *minimiser = NULL;
    nigh_status status = nigh_minimiser_new(j->ctx, &problem, &options, x, &minimiser);
    nigh_linear_fit found = {0};
    if (!status) status = run(j, minimiser, x, g, &found);
    nigh_minimiser_free(minimiser);
    if (!status) {
        memcpy(w, x, (size_t)j->weights * sizeof *w);
        for (int64_t c = 0; c < j->k && intercept; c++) intercept[c] = m > j->weights ? x[j->weights + c] : 0;
        if (fit) *fit = found;
    }
    nigh_free(j->ctx, x);
    return status;
}

static nigh_status prepare_pass(job *j)
{
    int64_t n = j->data->n, d = j->data->d;
    bool newton = d + 1 <= 300;
    j->y = linear_numbers(j->ctx, n, 1, 1);
    j->around = linear_numbers(j->ctx, d + 1, newton ? d + 3 : 2, 1);
    if (!j->y || !j->around) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) j->y[i] = j->label[i];
    nigh_rows rows = {n, d, j->data->x, j->y, j->data->weight};
    return margin_new(j->ctx, &rows, NULL, newton ? MARGIN_HESSIAN : MARGIN_GRADIENT, &j->pass);
}

nigh_status nigh_logistic(nigh_context *ctx, const nigh_linear_data *data, int classes, const int32_t *label, const nigh_linear_options *options,
                          double *w, double *intercept, nigh_linear_fit *fit)
{
    nigh_linear_options o = {0};
    if (options) o = *options;
    double total;
    nigh_status status = linear_check(ctx, data, &total);
    if (!status) status = linear_check_labels(ctx, data, classes, label, !o.no_intercept);
    if (status) return status;
    if (!o.no_intercept && !intercept) return nigh_fail(ctx, NIGH_INVALID, "intercept is NULL; set no_intercept for none");
    if (o.lambda == 0) o.lambda = 1;
    if (!(o.lambda > 0 && o.lambda < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "lambda is %g; a positive number is allowed", o.lambda);
    int64_t k = classes == 2 ? 1 : classes, d = data->d;
    bool small = k > 1 && k * (d + 1) <= 300;
    job j = {.ctx = ctx, .data = data, .options = &o, .label = label, .k = k, .weights = d * k, .unknowns = d * k + (o.no_intercept ? 0 : k), .lambda = o.lambda};
    j.goal = (o.tolerance > 0 ? o.tolerance : 1e-10) * total * log((double)classes);
    j.p = linear_numbers(ctx, data->n, k, 1);
    j.part = small ? linear_numbers(ctx, data->n * d + d * d + d, 1, 1) : linear_numbers(ctx, 1, 1, 1);
    j.best = linear_numbers(ctx, j.unknowns, 1, 1);
    j.g = linear_numbers(ctx, j.unknowns + k, 1, 1);
    j.h = linear_numbers(ctx, o.no_intercept ? 1 : k, o.no_intercept ? 1 : k, 1);
    status = j.p && j.part && j.best && j.g && j.h ? NIGH_OK : NIGH_MEMORY;
    if (!status && k == 1) status = prepare_pass(&j);
    if (!status) status = solve(&j, w, intercept, fit);
    margin_free(j.pass);
    nigh_free(ctx, j.y);
    nigh_free(ctx, j.around);
    nigh_free(ctx, j.p);
    nigh_free(ctx, j.part);
    nigh_free(ctx, j.best);
    nigh_free(ctx, j.g);
    nigh_free(ctx, j.h);
    return status;
}
