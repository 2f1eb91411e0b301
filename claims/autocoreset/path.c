/*
 * A choice among many penalties by cross-validation: penalties x folds on all rows as nigh does it itself (nigh_loss_path: neighbouring penalties and all folds share
 * their passes), beside the same on one subset of all rows, whose rows keep their folds. What a subset knows of rows left out is in its weights alone; the
 * losses compared are those of the rows left out, all of them. And a trainer of many passes.
 */
#include "parts.h"

#include "nigh/loss_path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct race {
    claim_run *run;
    nigh_rows rows;
    nigh_loss *loss; /* with the penalty in the middle */
    int lambdas, folds;
    int64_t m;
    double *lambda, *model;           /* [lambdas]; [lambdas, folds, d + 1] */
    double *full, *subset, *uniform;  /* test losses [lambdas, folds] */
    int32_t *fold, *part_fold;        /* of all rows; of the subset's */
    path_figures *out;
} race;

/* The path on all rows; its evaluations of the rows left out, once more by themselves, to know what they take. */
static nigh_status full_path(race *r)
{
    nigh_context *ctx = r->run->ctx;
    nigh_loss_path_fit fit;
    double began = nigh_clock();
    nigh_status status = nigh_loss_path(ctx, r->loss, &r->rows, r->lambdas, r->lambda, &(nigh_loss_path_options){.folds = r->folds, .fold = r->fold}, r->full, r->model, NULL, &fit);
    r->out->full = fmin(r->out->full, nigh_clock() - began), began = nigh_clock();
    r->out->passes = (double)fit.looks;
    if (!status) status = nigh_loss_path_test(ctx, r->loss, &r->rows, r->folds, r->fold, r->lambdas, r->model, r->full);
    r->out->test = fmin(r->out->test, nigh_clock() - began);
    return status;
}

/* The path on a subset, and the losses of all rows left out under its models. *seconds: of the fits. */
static nigh_status subset_path(race *r, const nigh_subset *subset, double *losses, double *seconds)
{
    nigh_context *ctx = r->run->ctx;
    nigh_rows part;
    void *block = NULL;
    nigh_loss_path_options o = {.folds = r->folds, .fold = r->part_fold};
    double began = nigh_clock();
    nigh_status status = nigh_subset_take(ctx, &r->rows, subset, &part, &block);
    for (int64_t i = 0; i < subset->count && !status; i++) r->part_fold[i] = r->fold[subset->index[i]];
    if (!status) status = nigh_loss_path(ctx, r->loss, &part, r->lambdas, r->lambda, &o, losses, r->model, NULL, NULL);
    *seconds = nigh_clock() - began;
    if (!status) status = nigh_loss_path_test(ctx, r->loss, &r->rows, r->folds, r->fold, r->lambdas, r->model, losses);
    nigh_free(ctx, block);
    return status;
}

static nigh_status one_heat(race *r, int heat)
{
    nigh_context *ctx = r->run->ctx;
    nigh_autocoreset a = {0}, u = {0};
    double fits, ignored;
    nigh_autocoreset_options o = {.m = r->m, .starts = 2, .rounds = 1, .patience = 2, .tolerance = 1e-6, .seed = nigh_seed_split(claim_seed(r->run), 300)};
    if (claim_sabotaged(r->run, "uniform-instead")) o.kind = NIGH_AUTOCORESET_UNIFORM;
    nigh_status status = full_path(r);
    double began = nigh_clock();
    if (!status) status = nigh_autocoreset_run(ctx, r->loss, &r->rows, &o, &a);
    double build = nigh_clock() - began;
    if (!status) status = subset_path(r, &a.subset, r->subset, &fits);
    if (!status && build + fits < r->out->subset) r->out->subset = build + fits, r->out->build = build;
    o.seed++;
    if (!status && !heat) status = nigh_autocoreset_uniform(ctx, r->loss, &r->rows, &o, (int)a.trainings, &u);
    if (!status && !heat) status = subset_path(r, &u.subset, r->uniform, &ignored);
    nigh_autocoreset_free(ctx, &a);
    nigh_autocoreset_free(ctx, &u);
    return status;
}

/* Excess test losses: mean and largest over all fits, and of the mean over folds at the penalty that full data would choose. */
static void excesses(const race *r, const double *losses, double *mean, double *worst, double *chosen)
{
    double best = INFINITY;
    *mean = 0, *worst = -INFINITY;
    for (int l = 0; l < r->lambdas; l++) {
        double full = 0, part = 0;
        for (int f = 0; f < r->folds; f++) {
            double excess = losses[l * r->folds + f] / r->full[l * r->folds + f] - 1;
            *mean += excess / (r->lambdas * r->folds), *worst = fmax(*worst, excess);
            full += r->full[l * r->folds + f], part += losses[l * r->folds + f];
        }
        if (full < best) best = full, *chosen = part / full - 1;
    }
}

static nigh_status race_new(race *r, const nigh_rows *rows)
{
    nigh_context *ctx = r->run->ctx;
    int64_t fits = (int64_t)r->lambdas * r->folds, d = rows->d;
    r->rows = *rows;
    r->lambda = nigh_alloc(ctx, (size_t)(r->lambdas + fits * (d + 4)) * sizeof *r->lambda);
    r->fold = nigh_alloc(ctx, (size_t)(rows->n + r->m) * sizeof *r->fold);
    if (!r->lambda || !r->fold) return NIGH_MEMORY;
    r->model = r->lambda + r->lambdas, r->full = r->model + fits * (d + 1), r->subset = r->full + fits, r->uniform = r->subset + fits, r->part_fold = r->fold + rows->n;
    for (int l = 0; l < r->lambdas; l++) r->lambda[l] = pow(10, 4 - 5.0 * l / (r->lambdas - 1)); /* at a million rows from "no model" to "no penalty" */
    nigh_status status = nigh_loss_new(ctx, &(nigh_loss_options){.kind = NIGH_LOSS_LOGISTIC, .lambda = r->lambda[r->lambdas / 2]}, &r->loss);
    return status ? status : nigh_loss_folds(ctx, r->loss, rows, r->folds, claim_seed(r->run), r->fold);
}

nigh_status path_race(claim_run *run, int64_t n, int64_t m, int lambdas, int folds, path_figures *out)
{
    enum { D = 10, HEATS = 3 };
    table data = {0};
    race r = {.run = run, .m = m, .lambdas = lambdas, .folds = folds, .out = out};
    *out = (path_figures){.full = INFINITY, .subset = INFINITY, .test = INFINITY};
    nigh_status status = table_mixture(run->ctx, nigh_seed_split(claim_seed(run), 3), n, D, 1.6, &data);
    if (!status) status = race_new(&r, &data.rows);
    for (int heat = 0; heat < HEATS && !status; heat++) {
        status = claim_progress(run, "path of penalties", heat, HEATS);
        if (!status) status = one_heat(&r, heat);
    }
    if (!status) excesses(&r, r.subset, &out->mean, &out->worst, &out->chosen);
    if (!status) excesses(&r, r.uniform, &out->uniform_mean, &out->uniform_worst, &out->uniform_chosen);
    nigh_loss_free(r.loss);
    nigh_free(run->ctx, r.fold);
    nigh_free(run->ctx, r.lambda);
    table_free(run->ctx, &data);
    return status;
}

/* ---- a trainer of a hundred passes --------------------------------------------------------------------------- */

static nigh_status excess_cost(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows, const double *model, double best, double *excess)
{
    double cost;
    nigh_status status = nigh_loss_cost(ctx, loss, rows, model, &cost);
    if (!status) *excess = cost / best - 1;
    return status;
}

nigh_status clusters_race(claim_run *run, int64_t n, int64_t m, path_figures *out)
{
    enum { D = 8, K = 12 };
    nigh_context *ctx = run->ctx;
    uint64_t seed = nigh_seed_split(claim_seed(run), 4);
    table all = {0};
    nigh_loss *loss = NULL;
    nigh_loss_fit fit = {0};
    nigh_autocoreset a = {0}, u = {0};
    double model[D * K], best = NAN;
    *out = (path_figures){0};
    nigh_autocoreset_options o = {.m = m, .rounds = 8, .patience = 3, .tolerance = 1e-6, .seed = seed};
    if (claim_sabotaged(run, "uniform-instead")) o.kind = NIGH_AUTOCORESET_UNIFORM;
    nigh_status status = table_clusters(ctx, seed, n + n / 5, D, K, 1, &all);
    nigh_rows data = {.n = n, .d = D, .x = all.rows.x}, fresh = {.n = n / 5, .d = D, .x = all.rows.x + n * D};
    if (!status) status = nigh_loss_new(ctx, &(nigh_loss_options){.kind = NIGH_LOSS_KMEANS, .k = K, .restarts = 10, .seed = seed}, &loss);
    if (!status) status = claim_progress(run, "k-means", 0, 1);
    double began = nigh_clock();
    if (!status) status = nigh_autocoreset_run(ctx, loss, &data, &o, &a);
    out->subset = out->build = nigh_clock() - began, began = nigh_clock();
    if (!status) status = nigh_loss_train(ctx, loss, &data, &(nigh_loss_fit_options){.tolerance = 1e-6}, model, &fit);
    out->full = nigh_clock() - began, out->passes = (double)fit.passes;
    if (!status) status = nigh_autocoreset_uniform(ctx, loss, &data, &o, (int)a.trainings, &u);
    if (!status) status = nigh_loss_cost(ctx, loss, &fresh, model, &best);
    if (!status) status = excess_cost(ctx, loss, &fresh, a.model, best, &out->mean);
    if (!status) status = excess_cost(ctx, loss, &fresh, u.model, best, &out->uniform_mean);
    nigh_autocoreset_free(ctx, &a);
    nigh_autocoreset_free(ctx, &u);
    nigh_loss_free(loss);
    table_free(ctx, &all);
    return status;
}
