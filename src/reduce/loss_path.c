/* Penalties by cross-validation with shared work. Declared in nigh/loss_path.h. */
#include "nigh/loss_path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/folds.h"
#include "reduce/loss.h"
#include "reduce/newton.h"

enum { MOST_COLUMNS = 300 };

typedef struct path {
    nigh_context *ctx;
    const nigh_loss *loss;
    folds folds;
    margin_curve curve;
    int64_t d, unknowns, iterations;
    double tolerance;
    double *x, *fresh;   /* [d+1] the model of all rows; where the Hessians were computed */
    double *g, *h, *step, *trial, *work;
    double cost, decrement;
    bool known;          /* fresh Hessians exist */
    nigh_loss_path_fit fit;
} path;

/* ---- folds ---- */

nigh_status nigh_loss_folds(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int count, uint64_t seed, int32_t *fold)
{
    if (count < 2 || count > 1000) return nigh_fail(ctx, NIGH_INVALID, "folds is %d; 2 to 1000 is allowed", count);
    if (rows->n < count) return nigh_fail(ctx, NIGH_INVALID, "%d folds of %lld rows; at most one fold a row is allowed", count, (long long)rows->n);
    int64_t *order = nigh_alloc(ctx, (size_t)rows->n * sizeof *order), seen[2] = {0, 0};
    if (!order) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(seed, 0x666f6c64); /* "fold" */
    nigh_status status = nigh_rng_permutation(ctx, &rng, rows->n, order);
    bool classes = nigh_loss_has_classes(loss);
    for (int64_t i = 0; i < rows->n && classes; i++) seen[1] += rows->y[i] != 1; /* the second class goes on where the first ended */
    for (int64_t i = 0; i < rows->n && !status; i++) {
        int of = classes && rows->y[order[i]] == 1;
        fold[order[i]] = (int32_t)(seen[of]++ % count);
    }
    nigh_free(ctx, order);
    return status;
}

static nigh_status check_folds(nigh_context *ctx, const nigh_rows *rows, int count, const int32_t *fold)
{
    if (count < 2 || count > 1000) return nigh_fail(ctx, NIGH_INVALID, "folds is %d; 2 to 1000 is allowed", count);
    for (int64_t i = 0; i < rows->n; i++)
        if (fold[i] < 0 || fold[i] >= count) return nigh_fail(ctx, NIGH_INVALID, "fold of row %lld is %d; 0 to %d is allowed", (long long)i, (int)fold[i], count - 1);
    return NIGH_OK;
}

/* Both classes are left whatever fold is taken out. */
static nigh_status check_classes(const path *p)
{
    for (int skip = 0; skip < p->folds.count && nigh_loss_has_classes(p->loss); skip++) {
        double seen[2] = {0};
        for (int k = 0; k < p->folds.count; k++)
            for (int64_t i = 0; i < p->folds.rows[k].n && k != skip && !(seen[0] > 0 && seen[1] > 0); i++) seen[p->folds.rows[k].y[i] == 1] += p->folds.rows[k].weight[i];
        if (!(seen[0] > 0 && seen[1] > 0)) return nigh_fail(p->ctx, NIGH_INVALID, "without the rows of fold %d class %d has no row of positive weight", skip, seen[0] > 0);
    }
    return NIGH_OK;
}

/* ---- steps ---- */

static void look(path *p, int skip, const double *x, unsigned what)
{
    folds_look(&p->folds, skip, &p->curve, x, what);
    p->fit.looks++;
    if (!(what & MARGIN_HESSIAN)) return;
    p->fit.hessians++;
    memcpy(p->fresh, x, (size_t)(p->d + 1) * sizeof *x);
    p->known = true;
}

/* Cost, gradient and Newton step at x of the last look, for all rows but those of `skip`. */
static nigh_status solve(path *p, int skip, double lambda, const double *x)
{
    double jitter;
    folds_sum(&p->folds, skip, lambda, x, &p->cost, p->g, p->h);
    for (int64_t j = p->unknowns; j <= p->d; j++) p->step[j] = 0;
    return newton_direction(p->ctx, p->unknowns, p->d + 1, p->h, p->g, p->work, p->step, &p->decrement, &jitter);
}

/* Is the mean square change of margins since the Hessians were computed below a hundredth? Then they are right to about a tenth. */
static bool hessians_hold(path *p, const double *x)
{
    if (!p->known) return false;
    if (p->curve.kind == NIGH_LOSS_SQUARES) return true;
    if (p->curve.kind != NIGH_LOSS_LOGISTIC) return false;
    double square = 0, sum = 0;
    int64_t m = p->d + 1;
    for (int k = 0; k < p->folds.count; k++) {
        const double *h = p->folds.h + k * m * m;
        sum += h[m * m - 1];
        for (int64_t a = 0; a < m; a++)
            for (int64_t b = 0; b < m; b++) square += (x[a] - p->fresh[a]) * h[a * m + b] * (x[b] - p->fresh[b]);
    }
    return square <= 0.01 * sum;
}

static bool is_met(const path *p) { return p->decrement / 2 <= p->tolerance * p->cost || p->decrement <= 1e-300; }

/* Newton's steps with a line search until the estimate is met. The last look is at x, solve is done. */
static nigh_status iterate(path *p, int skip, double lambda, double *x, bool *met)
{
    nigh_status status = NIGH_OK;
    for (int64_t k = 0; !status; k++) {
        *met = is_met(p);
        if (*met || k == p->iterations) break;
        double before = p->cost, drop = p->decrement, t = 1;
        bool lower = false;
        double *from = p->trial, *step = from + p->d + 1;
        memcpy(from, x, (size_t)(p->d + 1) * sizeof *x);
        memcpy(step, p->step, (size_t)(p->d + 1) * sizeof *x);
        for (int trial = 0; trial < 30 && !lower && !status; trial++) {
            for (int64_t j = 0; j <= p->d; j++) x[j] = from[j] + t * step[j];
            look(p, skip, x, MARGIN_GRADIENT | MARGIN_HESSIAN);
            status = solve(p, skip, lambda, x);
            lower = p->cost <= before - 1e-4 * t * drop;
            double guess = isfinite(p->cost) ? t * drop / (2 * (p->cost - before + t * drop)) : 0.1;
            if (!lower) t *= guess > 0.1 ? fmin(guess, 0.5) : 0.1;
        }
        if (!lower && !status) { /* flat to rounding */
            memcpy(x, from, (size_t)(p->d + 1) * sizeof *x);
            look(p, skip, x, MARGIN_GRADIENT | MARGIN_HESSIAN);
            return *met = true, solve(p, skip, lambda, x);
        }
        if (!status) status = nigh_poll(p->ctx);
    }
    return status;
}

static nigh_status settle(path *p, double lambda, bool *met)
{
    nigh_status status = solve(p, -1, lambda, p->x);
    return status ? status : iterate(p, -1, lambda, p->x, met);
}

/* The model of all rows follows the penalty: a step by what is known, then as many looks as it takes. */
static nigh_status next_model(path *p, double lambda, bool *met)
{
    nigh_status status = solve(p, -1, lambda, p->x);
    if (status) return status;
    for (int64_t j = 0; j <= p->d; j++) p->x[j] += p->step[j];
    look(p, -1, p->x, hessians_hold(p, p->x) ? MARGIN_GRADIENT : MARGIN_GRADIENT | MARGIN_HESSIAN);
    return settle(p, lambda, met);
}

/* All folds' models from that of all rows; where the estimate does not let them be, they are taken further one by one. */
static nigh_status fold_models(path *p, double lambda, double *model, bool *met)
{
    int64_t m = p->d + 1;
    bool again = false;
    nigh_status status = NIGH_OK;
    bool further[1000];
    for (int k = 0; k < p->folds.count && !status; k++) {
        status = solve(p, k, lambda, p->x);
        for (int64_t j = 0; j < m; j++) model[k * m + j] = p->x[j] + p->step[j];
        further[k] = !is_met(p) && p->curve.kind != NIGH_LOSS_SQUARES;
    }
    for (int k = 0; k < p->folds.count && !status; k++) {
        if (!further[k]) continue;
        bool good = true;
        again = true, p->fit.refined++;
        look(p, k, model + k * m, MARGIN_GRADIENT | MARGIN_HESSIAN);
        status = solve(p, k, lambda, model + k * m);
        if (!status) status = iterate(p, k, lambda, model + k * m, &good);
        *met &= good;
    }
    if (again && !status) look(p, -1, p->x, MARGIN_GRADIENT | MARGIN_HESSIAN); /* what the folds had of all rows' model was written over */
    return status;
}

/* The model of all rows at the penalty itself. */
static nigh_status whole_model(path *p, double lambda, double *model, bool *met)
{
    nigh_status status = solve(p, -1, lambda, p->x);
    for (int64_t j = 0; j <= p->d; j++) model[j] = p->x[j] + p->step[j];
    if (status || is_met(p) || p->curve.kind == NIGH_LOSS_SQUARES) return status;
    look(p, -1, model, MARGIN_GRADIENT | MARGIN_HESSIAN);
    status = solve(p, -1, lambda, model);
    if (!status) status = iterate(p, -1, lambda, model, met);
    memcpy(p->x, model, (size_t)(p->d + 1) * sizeof *model); /* the last look was there */
    return status;
}

/* ---- the call ---- */

static int falling(const void *a, const void *b)
{
    double x = **(const double *const *)a, y = **(const double *const *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static nigh_status follow(path *p, int64_t lambdas, const double *lambda, const double **order, double *model, double *whole)
{
    int64_t m = p->d + 1;
    nigh_status status = NIGH_OK;
    p->fit.met = true;
    for (int64_t l = 0; l < lambdas && !status; l++) {
        int64_t at = order[l] - lambda;
        double here = *order[l], base = here * p->folds.count / (p->folds.count - 1); /* the penalty beside all rows as it is beside those of a fold's model */
        bool met = true, folds_met = true;
        if (l == 0) look(p, -1, p->x, MARGIN_GRADIENT | MARGIN_HESSIAN);
        status = l == 0 ? settle(p, base, &met) : next_model(p, base, &met);
        if (!status) status = fold_models(p, here, model + at * p->folds.count * m, &folds_met);
        if (!status && whole) status = whole_model(p, here, whole + at * m, &met);
        p->fit.met &= met && folds_met;
    }
    return status;
}

/* Losses with corners, whose Hessians tell little of the next model: every one is trained, from that of the penalty before. */
static nigh_status train_each(path *p, const nigh_rows *rows, const int32_t *fold, int64_t lambdas, const double **order, const double *lambda, double *model, double *whole)
{
    int64_t m = p->d + 1, n = rows->n;
    double *part = nigh_alloc(p->ctx, (size_t)n * sizeof *part);
    nigh_status status = part ? NIGH_OK : NIGH_MEMORY;
    p->fit.met = true;
    for (int k = whole ? -1 : 0; k < p->folds.count && !status; k++) {
        for (int64_t i = 0; i < n; i++) part[i] = fold[i] == k ? 0 : rows->weight ? rows->weight[i] : 1;
        nigh_rows others = {n, p->d, rows->x, rows->y, part};
        double *start = NULL;
        for (int64_t l = 0; l < lambdas && !status; l++) {
            int64_t at = order[l] - lambda;
            double *to = k < 0 ? whole + at * m : model + (at * p->folds.count + k) * m;
            nigh_loss here = *p->loss;
            nigh_loss_fit fit;
            here.options.lambda = *order[l];
            loss_job job = {p->ctx, &here, &others, start, p->tolerance, p->iterations};
            status = loss_train_newton(&job, to, &fit);
            if (status) break;
            start = to, p->fit.met &= fit.met, p->fit.looks += fit.passes, p->fit.refined++;
        }
    }
    nigh_free(p->ctx, part);
    return status;
}

static nigh_status path_new(path *p, const nigh_rows *rows, int count, const int32_t *fold)
{
    int64_t m = rows->d + 1;
    double *block = nigh_alloc_zero(p->ctx, (size_t)(m * (2 * m + 7)), sizeof(double));
    if (!block) return NIGH_MEMORY;
    nigh_status status = folds_new(p->ctx, rows, count, fold, MARGIN_HESSIAN, &p->folds);
    if (status) return nigh_free(p->ctx, block), status;
    p->x = block, p->fresh = p->x + m, p->g = p->fresh + m, p->step = p->g + m, p->trial = p->step + m, p->h = p->trial + 2 * m, p->work = p->h + m * m;
    return NIGH_OK;
}

static nigh_status check_path(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int64_t lambdas, const double *lambda, const nigh_loss_path_options *o)
{
    if (!loss_linear(loss) || loss->options.kind == NIGH_LOSS_RESIDUAL)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a path of penalties is for squares, lp, huber, logistic and hinge, not for %s", nigh_loss_name(loss));
    nigh_status status = nigh_rows_check(ctx, rows, loss);
    if (status) return status;
    if (rows->d > MOST_COLUMNS) return nigh_fail(ctx, NIGH_UNSUPPORTED, "a path of penalties is for at most %d columns, not %lld", MOST_COLUMNS, (long long)rows->d);
    if (lambdas < 1 || lambdas > 1000000) return nigh_fail(ctx, NIGH_INVALID, "lambdas is %lld; 1 to 10^6 is allowed", (long long)lambdas);
    for (int64_t l = 0; l < lambdas; l++)
        if (!(lambda[l] >= 0 && lambda[l] < INFINITY) || (lambda[l] == 0 && nigh_loss_has_classes(loss)))
            return nigh_fail(ctx, NIGH_INVALID, "lambda[%lld] is %g; %s is allowed", (long long)l, lambda[l], nigh_loss_has_classes(loss) ? "a positive number" : "0 or more");
    if (!(o->tolerance >= 0 && o->tolerance < 1)) return nigh_fail(ctx, NIGH_INVALID, "tolerance is %g; 0 to 1 is allowed", o->tolerance);
    return o->iterations < 0 ? nigh_fail(ctx, NIGH_INVALID, "iterations is %lld; 0 or more is allowed", (long long)o->iterations) : NIGH_OK;
}

nigh_status nigh_loss_path(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int64_t lambdas, const double *lambda,
                           const nigh_loss_path_options *options, double *test, double *model, double *whole, nigh_loss_path_fit *fit)
{
    nigh_loss_path_options o = {0};
    if (options) o = *options;
    if (o.folds == 0) o.folds = 5;
    nigh_status status = check_path(ctx, loss, rows, lambdas, lambda, &o);
    if (status) return status;
    path p = {.ctx = ctx, .loss = loss, .curve = loss_curve(loss, 0), .d = rows->d, .unknowns = rows->d + !loss->options.no_intercept,
              .tolerance = o.tolerance > 0 ? o.tolerance : 1e-4, .iterations = o.iterations ? o.iterations : 300};
    if (p.curve.kind == NIGH_LOSS_LP && p.curve.p == 2) p.curve.kind = NIGH_LOSS_SQUARES;
    int64_t cells = lambdas * o.folds, m = rows->d + 1;
    int32_t *own = o.fold ? NULL : nigh_alloc(ctx, (size_t)rows->n * sizeof *own);
    double *models = nigh_alloc(ctx, (size_t)(cells * m) * sizeof *models), *wholes = nigh_alloc(ctx, (size_t)(lambdas * m) * sizeof *wholes);
    const double **order = nigh_alloc(ctx, (size_t)lambdas * sizeof *order);
    status = models && wholes && order && (own || o.fold) ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = o.fold ? check_folds(ctx, rows, o.folds, o.fold) : nigh_loss_folds(ctx, loss, rows, o.folds, o.seed, own);
    if (!status) status = path_new(&p, rows, o.folds, o.fold ? o.fold : own);
    if (!status) {
        status = check_classes(&p);
        for (int64_t l = 0; l < lambdas; l++) order[l] = lambda + l;
        qsort(order, (size_t)lambdas, sizeof *order, falling);
        if (!status && loss_corners(loss)) status = train_each(&p, rows, o.fold ? o.fold : own, lambdas, order, lambda, models, whole ? wholes : NULL);
        else if (!status) status = follow(&p, lambdas, lambda, order, models, whole ? wholes : NULL);
        if (!status) status = folds_test(&p.folds, &p.curve, lambdas, models, test);
        folds_end(&p.folds);
        nigh_free(ctx, p.x);
    }
    if (!status && model) memcpy(model, models, (size_t)(cells * m) * sizeof *model);
    if (!status && whole) memcpy(whole, wholes, (size_t)(lambdas * m) * sizeof *whole);
    if (!status && fit) *fit = p.fit;
    nigh_free(ctx, order);
    nigh_free(ctx, wholes);
    nigh_free(ctx, models);
    nigh_free(ctx, own);
    return status;
}

nigh_status nigh_loss_path_test(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, int count, const int32_t *fold, int64_t models, const double *model,
                                double *test)
{
    if (!loss_linear(loss) || loss->options.kind == NIGH_LOSS_RESIDUAL)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a path of penalties is for squares, lp, huber, logistic and hinge, not for %s", nigh_loss_name(loss));
    folds f;
    nigh_status status = nigh_rows_check(ctx, rows, loss);
    if (!status) status = check_folds(ctx, rows, count, fold);
    if (!status) status = folds_new(ctx, rows, count, fold, 0, &f);
    if (status) return status;
    margin_curve curve = loss_curve(loss, 0);
    status = folds_test(&f, &curve, models, model, test);
    folds_end(&f);
    return status;
}
