/*
 * pod-ridge: principal components of inputs and outputs, ridge regression from one set of coefficients to the other.
 *
 * Bhattacharya, Hosseini, Kovachki and Stuart, "Model reduction and neural networks for parametric PDEs", section 2
 * (PCA on both sides), with a linear or polynomial map between the coefficients instead of a network. Above degree 1
 * the leading input components enter with all products up to the degree, as many of them as half the samples (at most
 * 2000 terms) can tell apart; the others stay linear.
 */
#include "regress/fit.h"

#include "regress/methods.h"

#include <math.h>

static const nigh_option options[] = {
    {.name = "degree", .type = NIGH_OPTION_INT, .low = 1, .high = 3, .value = 1, .grid = "1:3", .order = NIGH_ORDER_NONE,
     .help = "total degree of the polynomial between the coefficients"},
    {.name = "input-loss", .type = NIGH_OPTION_REAL, .low = 0, .high = 0.9, .value = 0, .grid = "0.05,0", .order = NIGH_ORDER_NONE,
     .help = "share of the inputs' root mean square that their components may leave out; 0 keeps all"},
    {.name = "output-loss", .type = NIGH_OPTION_REAL, .low = 0, .high = 0.9, .value = 0, .grid = "0.1,0.01,0.001,0",
     .order = NIGH_ORDER_REFINES, .help = "share of the outputs' root mean square that their components may leave out; 0 keeps all"},
    {.name = "ridge", .type = NIGH_OPTION_REAL, .low = 0, .high = 100, .value = 0,
     .help = "penalty on the coefficients in units of their mean square; 0: by leave-one-out, for each output component"},
    {.name = NULL}};

enum { MOST_COMPONENTS = 512, MOST_TERMS = 2000 };

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    nigh_status status = map_supports(ctx, problem);
    return status ? status : map_supports_loss(ctx, &nigh_method_pod_ridge, problem, settings);
}

/* Variables that take part in products, when `most` terms are allowed. */
static int64_t full_variables(int64_t r, int degree, int64_t most)
{
    int64_t full = r;
    while (full > 0 && map_terms_count(r, full, degree, most) > most) full--;
    return full;
}

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    double d = (double)nigh_shape_count(&problem->in), m = (double)nigh_shape_count(&problem->out), n = (double)n_fit;
    int degree = (int)nigh_setting(&nigh_method_pod_ridge, settings, "degree");
    double r = map_guess_components(d, n), q = map_guess_components(m, n);
    int64_t most = n_fit / 2 < MOST_TERMS ? n_fit / 2 : MOST_TERMS;
    double p = (double)map_terms_count((int64_t)r, full_variables((int64_t)r, degree, most), degree, most);
    double fit = 6 * n * (d * fmin(n, d) + m * fmin(n, m) + p * fmin(n, p)) + 74 * n * p * q;
    map_model like = {.body = degree > 1 ? MAP_TERMS : MAP_LINEAR, .degree = degree, .d = (int64_t)d, .r = (int64_t)r, .q = (int64_t)q,
                      .m = (int64_t)m, .count = degree > 1 ? (int64_t)p : 0};
    map_estimate_model(problem, fit, &like, d >= MAP_FEW, degree == 1, m >= MAP_FEW, out);
    return NIGH_OK;
}

/* Half ranges of the scores, so that the Legendre terms see [-1, 1]. */
static nigh_status box_scores(nigh_arena *arena, int64_t n, int64_t r, double *score, double **centre, double **scale)
{
    *centre = nigh_arena_alloc(arena, (size_t)r * sizeof **centre);
    *scale = nigh_arena_alloc(arena, (size_t)r * sizeof **scale);
    if (!*centre || !*scale) return NIGH_MEMORY;
    for (int64_t c = 0; c < r; c++) {
        double low = INFINITY, high = -INFINITY;
        for (int64_t i = 0; i < n; i++) low = fmin(low, score[i * r + c]), high = fmax(high, score[i * r + c]);
        (*centre)[c] = 0.5 * (low + high);
        (*scale)[c] = high > low ? 2 / (high - low) : 0;
        for (int64_t i = 0; i < n; i++) score[i * r + c] = (score[i * r + c] - (*centre)[c]) * (*scale)[c];
    }
    return NIGH_OK;
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    map_model *model = &fit->model;
    map_pca in, out;
    double *centre = NULL, *scale = NULL;
    nigh_status status = map_fit_components(ctx, fit, MOST_COMPONENTS, &in, &out);
    if (status) return status;
    int degree = (int)map_setting(fit, "degree");
    int64_t most = fit->n / 2 < MOST_TERMS ? fit->n / 2 : MOST_TERMS, full = full_variables(in.r, degree, most);
    bool linear = degree == 1 || full < 1;
    *model = (map_model){.body = linear ? MAP_LINEAR : MAP_TERMS, .degree = linear ? 0 : degree, .d = fit->d, .r = in.r, .q = out.r,
                         .m = fit->m, .limit = -1};
    if (!linear) model->count = map_terms_count(in.r, full, degree, INT32_MAX);
    status = map_model_alloc(fit->arena, model, in.basis, linear, out.basis);
    if (!status && !linear) status = box_scores(fit->arena, fit->n, in.r, in.score, &centre, &scale);
    if (!status && !linear) status = map_terms_fill(ctx, in.r, full, degree, model->count, model->parent, model->factor);
    if (status) return status;
    map_model_set_input(model, &in, centre, scale);
    status = map_fit_terms(ctx, model, fit->n, in.score, out.score, map_setting(fit, "ridge"));
    if (status) return status;
    map_model_set_output(model, &out);
    status = map_model_set_limit(ctx, model, fit->n, fit->x);
    return status ? status : map_model_fold(ctx, fit->arena, model);
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit)
{
    return map_fit_start(ctx, &nigh_method_pod_ridge, problem, samples, settings, solve, fit);
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan) { return map_load(ctx, file, &nigh_method_pod_ridge, plan); }

const nigh_method nigh_method_pod_ridge = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "pod-ridge",
    .problem = "map",
    .summary = "principal components of inputs and outputs, ridge regression between their coefficients",
    .source = "Bhattacharya, Hosseini, Kovachki and Stuart, \"Model reduction and neural networks for parametric PDEs\"; "
              "Hoerl and Kennard, \"Ridge regression\"",
    .when = "Fields or long vectors whose relation is near linear; a few samples are enough, applying costs two thin matrix products.",
    .flags = NIGH_METHOD_SHORTCUT | NIGH_METHOD_NEEDS_DATA,
    .options = options,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = map_fit_finish,
    .abandon = map_fit_abandon, .load = load,
};
