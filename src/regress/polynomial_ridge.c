/*
 * polynomial-ridge: a polynomial of bounded total degree on the box of the inputs, in products of Legendre polynomials,
 * by ridge regression. Xiu and Karniadakis, "The Wiener-Askey polynomial chaos for stochastic differential equations"
 * (regression form); Hoerl and Kennard, "Ridge regression".
 */
#include "regress/fit.h"

#include "regress/methods.h"

#include <math.h>

enum { MOST_TERMS = 4000, MOST_DEGREE = 8, WIDE = 64 /* more outputs are reduced without loss */ };

static const nigh_option options[] = {
    {.name = "degree", .type = NIGH_OPTION_INT, .low = 1, .high = MOST_DEGREE, .value = 3, .grid = "1:8", .order = NIGH_ORDER_NONE,
     .help = "total degree; terms may not outnumber the samples, nor 4000"},
    {.name = "ridge", .type = NIGH_OPTION_REAL, .low = 0, .high = 0.01, .value = 0,
     .help = "penalty in units of the terms' mean square, 1e-12 to 1e-2; 0: by leave-one-out, for each output"},
    {.name = NULL}};

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    nigh_status status = map_supports(ctx, problem);
    if (status) return status;
    int64_t d = nigh_shape_count(&problem->in), most = problem->rows > 0 && problem->rows < MOST_TERMS ? problem->rows : MOST_TERMS;
    int degree = (int)nigh_setting(&nigh_method_polynomial_ridge, settings, "degree");
    if (map_terms_count(d, d, degree, most) + 1 > most)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a polynomial of degree %d in %lld variables has more than %lld terms", degree, (long long)d,
                         (long long)most);
    return NIGH_OK;
}

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    int64_t d = nigh_shape_count(&problem->in);
    int degree = (int)nigh_setting(&nigh_method_polynomial_ridge, settings, "degree");
    double m = (double)nigh_shape_count(&problem->out), p = (double)map_terms_count(d, d, degree, MOST_TERMS), n = (double)n_fit;
    map_model like = {.body = MAP_TERMS, .degree = degree, .d = d, .r = d, .q = (int64_t)m, .m = (int64_t)m, .count = (int64_t)p};
    map_estimate_model(problem, 14 * n * p * p + 74 * n * p * fmin(m, WIDE), &like, false, false, false, out);
    if (p + 1 > n) out->error.low = INFINITY; /* it will refuse: more terms than samples */
    return NIGH_OK;
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    map_model *model = &fit->model;
    int degree = (int)map_setting(fit, "degree");
    int64_t most = fit->n < MOST_TERMS ? fit->n : MOST_TERMS, d = fit->d, count = map_terms_count(d, d, degree, most);
    if (count + 1 > most)
        return nigh_fail(ctx, NIGH_INVALID, "a polynomial of degree %d in %lld variables has more terms than the %lld samples can fix", degree,
                         (long long)d, (long long)most);
    map_pca in = {.r = d}, out;
    nigh_status status = map_pca_fit(ctx, fit->arena, fit->n, fit->m, fit->y, false, fit->m > WIDE, 0, fit->n, &out);
    if (status) return status;
    *model = (map_model){.body = MAP_TERMS, .degree = degree, .d = d, .r = d, .q = out.r, .m = fit->m, .count = count, .limit = -1};
    if ((status = map_model_alloc(fit->arena, model, false, false, out.basis))) return status;
    if ((status = map_terms_fill(ctx, d, d, degree, count, model->parent, model->factor))) return status;
    if (!(in.score = nigh_arena_alloc(fit->arena, (size_t)(fit->n * d) * sizeof(double)))) return NIGH_MEMORY;
    for (int64_t k = 0; k < d; k++) {
        model->shift[k] = 0.5 * (fit->low[k] + fit->high[k]);
        model->stretch[k] = fit->high[k] > fit->low[k] ? 2 / (fit->high[k] - fit->low[k]) : 0;
    }
    for (int64_t i = 0; i < fit->n; i++)
        for (int64_t k = 0; k < d; k++) in.score[i * d + k] = (fit->x[i * d + k] - model->shift[k]) * model->stretch[k];
    status = map_fit_terms(ctx, model, fit->n, in.score, out.score, map_setting(fit, "ridge"));
    if (status) return status;
    map_model_set_output(model, &out);
    return map_model_fold(ctx, fit->arena, model);
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit)
{
    return map_fit_start(ctx, &nigh_method_polynomial_ridge, problem, samples, settings, solve, fit);
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan)
{
    return map_load(ctx, file, &nigh_method_polynomial_ridge, plan);
}

const nigh_method nigh_method_polynomial_ridge = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "polynomial-ridge",
    .problem = "map",
    .summary = "polynomial of bounded total degree in Legendre products, by ridge regression",
    .source = "Xiu and Karniadakis, \"The Wiener-Askey polynomial chaos for stochastic differential equations\"; Hoerl and Kennard, "
              "\"Ridge regression\"",
    .when = "Few inputs (up to some ten) and a smooth map: the error falls fast with the degree, and applying costs some hundred flops.",
    .flags = NIGH_METHOD_SHORTCUT | NIGH_METHOD_NEEDS_DATA,
    .options = options,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = map_fit_finish,
    .abandon = map_fit_abandon, .load = load,
};
