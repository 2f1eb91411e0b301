/*
 * Many fits to the same rows: penalties x folds on all rows, each fit begun at the one before, beside the same fits on one subset for each fold.
 * Times hold all trainings and the building of the subsets; evaluations on the rows left out of a fold are needed by both and not timed.
 */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAMBDAS = 64 };

typedef struct race {
    claim_run *run;
    const table *data;
    int64_t m;
    int lambdas, folds;
    double *model;                  /* [lambdas, d + 1] */
    double *full, *subset, *uniform; /* test losses [lambdas, folds] */
    path_figures *out;
} race;

/* Rows of all folds but one in front, of that one behind. */
static nigh_status cut(nigh_context *ctx, const nigh_rows *all, int fold, int folds, double **block, nigh_rows *train, nigh_rows *test)
{
    int64_t n = all->n, d = all->d, begin = n * fold / folds, end = n * (fold + 1) / folds, rest = n - (end - begin);
    double *x = nigh_alloc(ctx, (size_t)(rest * (d + 1)) * sizeof *x), *y = x + rest * d;
    if (!x) return NIGH_MEMORY;
    memcpy(x, all->x, (size_t)(begin * d) * sizeof *x);
    memcpy(x + begin * d, all->x + end * d, (size_t)((n - end) * d) * sizeof *x);
    memcpy(y, all->y, (size_t)begin * sizeof *y);
    memcpy(y + begin, all->y + end, (size_t)(n - end) * sizeof *y);
    *block = x;
    *train = (nigh_rows){.n = rest, .d = d, .x = x, .y = y};
    *test = (nigh_rows){.n = end - begin, .d = d, .x = all->x + begin * d, .y = all->y + begin};
    return NIGH_OK;
}

/* The penalties of the path: from 1e4 down to 1e-1, which spans "no model" to "no penalty" at a million rows. */
static double lambda_of(const race *r, int i) { return pow(10, 4 - 5.0 * i / (r->lambdas - 1)); }

static nigh_status loss_of(nigh_context *ctx, double lambda, nigh_loss **loss)
{
    return nigh_loss_new(ctx, &(nigh_loss_options){.kind = NIGH_LOSS_LOGISTIC, .lambda = lambda}, loss);
}

/* All penalties on these rows, each from the model before; *seconds and *passes grow. */
static nigh_status fit_path(race *r, const nigh_rows *rows, double *seconds, double *passes)
{
    nigh_status status = NIGH_OK;
    double began = nigh_clock();
    int64_t p = rows->d + 1;
    for (int i = 0; i < r->lambdas && !status; i++) {
        nigh_loss *loss = NULL;
        nigh_loss_fit fit = {0};
        status = loss_of(r->run->ctx, lambda_of(r, i), &loss);
        nigh_loss_fit_options o = {.start = i ? r->model + (i - 1) * p : NULL, .tolerance = 1e-6};
        if (!status) status = nigh_loss_train(r->run->ctx, loss, rows, &o, r->model + i * p, &fit);
        *passes += (double)fit.passes;
        nigh_loss_free(loss);
    }
    *seconds += nigh_clock() - began;
    return status;
}

/* Mean losses of the path's models on fresh rows. */
static nigh_status test_path(race *r, const nigh_rows *test, double *losses)
{
    nigh_loss *loss = NULL;
    nigh_status status = loss_of(r->run->ctx, 1, &loss);
    for (int i = 0; i < r->lambdas && !status; i++) {
        const double *model = r->model + i * (test->d + 1);
        status = nigh_loss_cost(r->run->ctx, loss, test, model, &losses[i]);
        losses[i] = (losses[i] - nigh_loss_penalty(loss, test->d, model)) / (double)test->n;
    }
    nigh_loss_free(loss);
    return status;
}

static nigh_status on_subset(race *r, const nigh_rows *train, const nigh_rows *test, const nigh_autocoreset *a, double *seconds, double *losses)
{
    nigh_rows part;
    void *block = NULL;
    double began = nigh_clock(), passes = 0;
    nigh_status status = nigh_subset_take(r->run->ctx, train, &a->subset, &part, &block);
    *seconds += nigh_clock() - began;
    if (!status) status = fit_path(r, &part, seconds, &passes);
    if (!status) status = test_path(r, test, losses);
    nigh_free(r->run->ctx, block);
    return status;
}

static nigh_status one_fold(race *r, int fold)
{
    nigh_context *ctx = r->run->ctx;
    nigh_rows train, test;
    double *block = NULL, seconds = 0, began;
    nigh_autocoreset a = {0}, u = {0};
    nigh_loss *loss = NULL;
    int at = fold * r->lambdas;
    nigh_status status = cut(ctx, &r->data->rows, fold, r->folds, &block, &train, &test);
    if (!status) status = loss_of(ctx, lambda_of(r, r->lambdas / 2), &loss);
    nigh_autocoreset_options o = {.m = r->m, .rounds = 10, .patience = 3, .tolerance = 1e-6, .seed = nigh_seed_split(claim_seed(r->run), 300 + (uint64_t)fold)};
    if (claim_sabotaged(r->run, "uniform-instead")) o.kind = NIGH_AUTOCORESET_UNIFORM;
    began = nigh_clock();
    if (!status) status = nigh_autocoreset_run(ctx, loss, &train, &o, &a);
    r->out->build += nigh_clock() - began;
    if (!status) status = on_subset(r, &train, &test, &a, &r->out->subset, r->subset + at);
    o.seed++;
    if (!status) status = nigh_autocoreset_uniform(ctx, loss, &train, &o, (int)a.trainings, &u);
    if (!status) status = on_subset(r, &train, &test, &u, &seconds, r->uniform + at);
    if (!status) status = fit_path(r, &train, &r->out->full, &r->out->passes);
    if (!status) status = test_path(r, &test, r->full + at);
    nigh_autocoreset_free(ctx, &a);
    nigh_autocoreset_free(ctx, &u);
    nigh_loss_free(loss);
    nigh_free(ctx, block);
    return status;
}

/* Excess test losses: mean and largest over all fits, and of the mean over folds at the penalty that full data would choose. */
static void excesses(const race *r, const double *losses, double *mean, double *worst, double *chosen)
{
    double best = INFINITY;
    *mean = 0, *worst = -INFINITY;
    for (int i = 0; i < r->lambdas; i++) {
        double full = 0, part = 0;
        for (int f = 0; f < r->folds; f++) {
            double excess = losses[f * r->lambdas + i] / r->full[f * r->lambdas + i] - 1;
            *mean += excess / (r->lambdas * r->folds), *worst = fmax(*worst, excess);
            full += r->full[f * r->lambdas + i], part += losses[f * r->lambdas + i];
        }
        if (full < best) best = full, *chosen = part / full - 1;
    }
}

nigh_status path_race(claim_run *run, int64_t n, int64_t m, int lambdas, int folds, path_figures *out)
{
    enum { D = 10 };
    table data = {0};
    race r = {.run = run, .m = m, .lambdas = lambdas, .folds = folds, .data = &data, .out = out};
    *out = (path_figures){0};
    nigh_status status = table_mixture(run->ctx, nigh_seed_split(claim_seed(run), 3), n, D, 1.6, &data);
    r.model = nigh_alloc(run->ctx, (size_t)(lambdas * (D + 1 + 3 * folds)) * sizeof *r.model);
    if (!r.model) status = NIGH_MEMORY;
    else r.full = r.model + lambdas * (D + 1), r.subset = r.full + lambdas * folds, r.uniform = r.subset + lambdas * folds;
    for (int fold = 0; fold < folds && !status; fold++) {
        status = claim_progress(run, "path of penalties", fold, folds);
        if (!status) status = one_fold(&r, fold);
    }
    if (!status) {
        out->subset += out->build;
        excesses(&r, r.subset, &out->mean, &out->worst, &out->chosen);
        excesses(&r, r.uniform, &out->uniform_mean, &out->uniform_worst, &out->uniform_chosen);
    }
    nigh_free(run->ctx, r.model);
    table_free(run->ctx, &data);
    return status;
}

/* ---- a trainer of a hundred passes --------------------------------------------------------------------------- */

static nigh_status fresh_cost(nigh_context *ctx, const nigh_loss *loss, const table *fresh, const double *model, double best, double *excess)
{
    double cost;
    nigh_status status = nigh_loss_cost(ctx, loss, &fresh->rows, model, &cost);
    if (!status) *excess = cost / best - 1;
    return status;
}

nigh_status margin_race(claim_run *run, int64_t n, int64_t m, path_figures *out)
{
    enum { D = 10 };
    nigh_context *ctx = run->ctx;
    uint64_t seed = nigh_seed_split(claim_seed(run), 4);
    table data = {0}, fresh = {0};
    nigh_loss *loss = NULL;
    nigh_loss_fit fit = {0};
    nigh_autocoreset a = {0}, u = {0};
    double model[D + 1], best = NAN;
    *out = (path_figures){0};
    nigh_autocoreset_options o = {.m = m, .rounds = 10, .patience = 3, .tolerance = 1e-6, .seed = seed};
    if (claim_sabotaged(run, "uniform-instead")) o.kind = NIGH_AUTOCORESET_UNIFORM;
    nigh_status status = table_mixture(ctx, seed, n, D, 2.5, &data);
    if (!status) status = table_mixture(ctx, nigh_seed_split(seed, 1), n / 5, D, 2.5, &fresh);
    if (!status) status = nigh_loss_parse(ctx, "hinge:lambda=100", &loss);
    if (!status) status = claim_progress(run, "support vectors", 0, 1);
    double began = nigh_clock();
    if (!status) status = nigh_autocoreset_run(ctx, loss, &data.rows, &o, &a);
    out->subset = out->build = nigh_clock() - began, began = nigh_clock();
    if (!status) status = nigh_loss_train(ctx, loss, &data.rows, &(nigh_loss_fit_options){.tolerance = 1e-6}, model, &fit);
    out->full = nigh_clock() - began, out->passes = (double)fit.passes;
    if (!status) status = nigh_autocoreset_uniform(ctx, loss, &data.rows, &o, (int)a.trainings, &u);
    if (!status) status = nigh_loss_cost(ctx, loss, &fresh.rows, model, &best);
    if (!status) status = fresh_cost(ctx, loss, &fresh, a.model, best, &out->mean);
    if (!status) status = fresh_cost(ctx, loss, &fresh, u.model, best, &out->uniform_mean);
    nigh_autocoreset_free(ctx, &a);
    nigh_autocoreset_free(ctx, &u);
    nigh_loss_free(loss);
    table_free(ctx, &fresh);
    table_free(ctx, &data);
    return status;
}
