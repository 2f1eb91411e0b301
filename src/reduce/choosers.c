/* The classical ways to choose rows, and the table of all. */
#include "reduce/choosers.h"
#include "reduce/loss.h"
#include "reduce/row_pull.h"

#include "nigh/autocoreset.h"
#include "nigh/reduce.h"
#include "nigh/sensitivity.h"

#include <math.h>
#include <string.h>

static double weight_of(const nigh_rows *rows, int64_t i) { return rows->weight ? rows->weight[i] : 1; }

static nigh_status linear_only(nigh_context *ctx, const chooser_task *task)
{
    if (loss_linear(task->loss)) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "for losses of linear models; %s is none", nigh_loss_name(task->loss));
}

static nigh_status draw_uniform(nigh_context *ctx, const chooser_task *task, int64_t m, nigh_rng *rng, nigh_subset *subset, double *model)
{
    (void)model;
    return nigh_subset_uniform(ctx, task->rows, m, nigh_loss_has_classes(task->loss), rng, subset);
}

/* ---- one Newton step ---------------------------------------------------------------------------------------- */

static nigh_status smooth_linear(nigh_context *ctx, const chooser_task *task)
{
    nigh_status status = linear_only(ctx, task);
    if (status) return status;
    nigh_row_loss_kind kind = nigh_loss_is(task->loss)->kind;
    if (kind == NIGH_LOSS_LOGISTIC || kind == NIGH_LOSS_HUBER || (kind == NIGH_LOSS_LP && nigh_loss_is(task->loss)->p > 1)) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "for smooth convex losses that take several Newton steps; %s is none", nigh_loss_name(task->loss));
}

static nigh_status train_on(nigh_context *ctx, const chooser_task *task, const nigh_subset *subset, double *model)
{
    nigh_rows part;
    void *block;
    nigh_status status = nigh_subset_take(ctx, task->rows, subset, &part, &block);
    if (status) return status;
    status = nigh_loss_train(ctx, task->loss, &part, NULL, model, NULL);
    nigh_free(ctx, block);
    return status;
}

static nigh_status draw_one_step(nigh_context *ctx, const chooser_task *task, int64_t m, nigh_rng *rng, nigh_subset *subset, double *model)
{
    int64_t parameters = nigh_loss_parameters(task->loss, task->rows->d);
    double *start = nigh_alloc(ctx, (size_t)parameters * sizeof *start);
    if (!start) return NIGH_MEMORY;
    nigh_status status = draw_uniform(ctx, task, m, rng, subset, NULL);
    if (!status) status = train_on(ctx, task, subset, start);
    if (!status)
        status = nigh_loss_train(ctx, task->loss, task->rows, &(nigh_loss_fit_options){.start = start, .iterations = 1}, model, NULL);
    if (status) nigh_subset_free(ctx, subset);
    nigh_free(ctx, start);
    return status;
}

/* ---- scores ------------------------------------------------------------------------------------------------- */

enum { PILOT_LEAST = 200, PILOT_MOST = 20000 };

/* A model of a small uniform sample, to see where the loss is steep. */
static nigh_status pilot_model(nigh_context *ctx, const chooser_task *task, double *model)
{
    nigh_subset subset = {0};
    nigh_rng rng = nigh_rng_new(task->seed, 77);
    int64_t n = task->rows->n, m = n / 20 < PILOT_LEAST ? PILOT_LEAST : n / 20 > PILOT_MOST ? PILOT_MOST : n / 20;
    nigh_status status = draw_uniform(ctx, task, m, &rng, &subset, NULL);
    if (!status) status = train_on(ctx, task, &subset, model);
    nigh_subset_free(ctx, &subset);
    return status;
}

/* What a row contributes to the gradient at the pilot's model. A tenth of the chance stays uniform, so that no weight explodes. */
static nigh_status scores_gradient(nigh_context *ctx, const chooser_task *task, double *score)
{
    int64_t n = task->rows->n, d = task->rows->d;
    double *model = nigh_alloc(ctx, (size_t)(3 * d + 1) * sizeof *model), *mean = model ? model + d + 1 : NULL, sum = 0, weight = nigh_rows_weight(task->rows);
    nigh_status status = model ? pilot_model(ctx, task, model) : NIGH_MEMORY;
    if (!status) status = row_moments(ctx, task->rows, mean, mean + d);
    if (!status) status = row_pulls(ctx, task->loss, task->rows, model, mean, mean + d, score);
    for (int64_t i = 0; i < n && !status; i++) sum += score[i] *= weight_of(task->rows, i);
    for (int64_t i = 0; i < n && !status; i++) score[i] = (sum > 0 ? 0.9 * score[i] / sum : 0) + 0.1 * weight_of(task->rows, i) / weight;
    nigh_free(ctx, model);
    return status;
}

/* The matrix whose combinations are the residuals or the margins of all models. */
static int matrix_of(const nigh_loss *loss)
{
    return (nigh_loss_is(loss)->no_intercept ? 0 : NIGH_WITH_ONE) | (nigh_loss_uses_y(loss) && !nigh_loss_has_classes(loss) ? NIGH_WITH_TARGET : 0);
}

/* The power by which the loss grows. */
static double power_of(const nigh_loss *loss)
{
    const nigh_loss_options *is = nigh_loss_is(loss);
    return is->kind == NIGH_LOSS_SQUARES ? 2 : is->kind == NIGH_LOSS_LP ? is->p : 1;
}

static nigh_status scores_leverage(nigh_context *ctx, const chooser_task *task, double *score)
{
    return nigh_leverage(ctx, task->rows, matrix_of(task->loss), 2, score, NULL);
}

static nigh_status not_squares(nigh_context *ctx, const chooser_task *task)
{
    nigh_status status = linear_only(ctx, task);
    if (status || power_of(task->loss) != 2) return status;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "the same as leverage for squares");
}

static nigh_status scores_lewis(nigh_context *ctx, const chooser_task *task, double *score)
{
    return nigh_lewis_weights(ctx, task->rows, matrix_of(task->loss), power_of(task->loss), 15, 1e-2, score, NULL);
}

/* Sensitivities (their upper bounds) and leverage, each scaled to sum 1. Losses that level off to a constant near 0 also get their share of uniform chance. */
static nigh_status scores_sensitivity(nigh_context *ctx, const chooser_task *task, double *score)
{
    int64_t n = task->rows->n;
    double *leverage = nigh_alloc(ctx, (size_t)n * sizeof *leverage), weight = nigh_rows_weight(task->rows);
    bool classes = nigh_loss_has_classes(task->loss);
    nigh_scores bound = {0}, found = {0};
    nigh_status status = leverage ? nigh_sensitivity_bounds(ctx, task->rows, matrix_of(task->loss), power_of(task->loss), score, NULL, &bound) : NIGH_MEMORY;
    if (!status) status = nigh_leverage(ctx, task->rows, matrix_of(task->loss), 2, leverage, &found);
    for (int64_t i = 0; i < n && !status; i++)
        score[i] = score[i] / bound.sum + leverage[i] / found.sum + (classes ? weight_of(task->rows, i) / weight : 0);
    nigh_free(ctx, leverage);
    return status;
}

static nigh_status draw_autocoreset(nigh_context *ctx, const chooser_task *task, int64_t m, nigh_rng *rng, nigh_subset *subset, double *model)
{
    nigh_autocoreset found = {0};
    nigh_status status = nigh_autocoreset_run(ctx, task->loss, task->rows, &(nigh_autocoreset_options){.m = m, .seed = nigh_rng_u64(rng)}, &found);
    if (status) return status;
    (void)model; /* the model that counts is the one anybody gets who trains on these rows alone */
    *subset = found.subset;
    found.subset = (nigh_subset){0};
    nigh_autocoreset_free(ctx, &found);
    return NIGH_OK;
}

static nigh_status points_only(nigh_context *ctx, const chooser_task *task)
{
    nigh_row_loss_kind kind = nigh_loss_is(task->loss)->kind;
    if (kind == NIGH_LOSS_KMEANS || kind == NIGH_LOSS_MIXTURE) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "for k-means and mixtures");
}

/* Half uniform, half by the squared distance from the mean. */
static nigh_status scores_lightweight(nigh_context *ctx, const chooser_task *task, double *score)
{
    const nigh_rows *rows = task->rows;
    int64_t n = rows->n, d = rows->d;
    double *mean = nigh_alloc_zero(ctx, (size_t)d, sizeof *mean), weight = nigh_rows_weight(rows), sum = 0;
    if (!mean) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) mean[j] += weight_of(rows, i) / weight * rows->x[i * d + j];
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int64_t j = 0; j < d; j++) square += (rows->x[i * d + j] - mean[j]) * (rows->x[i * d + j] - mean[j]);
        sum += score[i] = weight_of(rows, i) * square;
    }
    for (int64_t i = 0; i < n; i++) score[i] = (sum > 0 ? 0.5 * score[i] / sum : 0) + 0.5 * weight_of(rows, i) / weight;
    nigh_free(ctx, mean);
    return NIGH_OK;
}

const chooser choosers[] = {
    {.name = "uniform", .summary = "rows of equal chance, each class apart", .source = "Cochran, Sampling Techniques", .shortcut = true, .draw = draw_uniform},
    {.name = "one-step", .summary = "a model of uniform rows, then one Newton step on all rows", .source = "van der Vaart, Asymptotic Statistics", .shortcut = true,
     .model_only = true, .supports = smooth_linear, .draw = draw_one_step},
    {.name = "gradient-norms", .summary = "chance by the size of a row's gradient at a pilot model",
     .source = "Wang, Zhu and Ma, Optimal subsampling for large sample logistic regression", .shortcut = true, .supports = linear_only, .scores = scores_gradient},
    {.name = "lightweight", .summary = "half uniform, half by squared distance from the mean",
     .source = "Bachem, Lucic and Krause, Scalable k-means clustering via lightweight coresets", .shortcut = true, .supports = points_only, .scores = scores_lightweight},
    {.name = "leverage", .summary = "chance by leverage", .source = "Drineas, Mahoney and Muthukrishnan, Sampling algorithms for l2 regression and applications",
     .shortcut = true, .supports = linear_only, .scores = scores_leverage},
    {.name = "lewis-weights", .summary = "chance by Lewis weights of the loss's power", .source = "Cohen and Peng, l_p row sampling by Lewis weights", .shortcut = true,
     .supports = not_squares, .scores = scores_lewis},
    {.name = "lp-sensitivity-sampling", .summary = "chance by sensitivities and leverage together", .source = "Sharper Bounds for l_p Sensitivity Sampling",
     .supports = not_squares, .scores = scores_sensitivity},
    {.name = "autocoreset", .summary = "losses of models trained on earlier subsets, summarised by importance and calibration",
     .source = "AutoCoreset: An Automatic Practical Coreset Construction Framework", .once = true, .draw = draw_autocoreset},
    {.name = NULL},
};

const char *nigh_reduce_method(int i, const char **summary, const char **source)
{
    int count = (int)(sizeof choosers / sizeof *choosers) - 1;
    if (i < 0 || i >= count) return NULL;
    if (summary) *summary = choosers[i].summary;
    if (source) *source = choosers[i].source;
    return choosers[i].name;
}
