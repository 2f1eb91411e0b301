/* mean: every input gets the mean of the outputs. The floor that any other method has to beat. */
#include "regress/fit.h"

#include "regress/methods.h"

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings) { return map_supports(ctx, problem); }

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    double m = (double)nigh_shape_count(&problem->out);
    map_estimate(problem, (double)n_fit * m, m, 8 * m, out);
    return NIGH_OK;
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    map_pca out;
    nigh_status status = map_pca_fit(ctx, fit->arena, fit->n, fit->m, fit->y, false, false, 0, fit->m, &out);
    if (status) return status;
    fit->model = (map_model){.body = MAP_LINEAR, .d = fit->d, .q = fit->m, .m = fit->m, .limit = -1};
    status = map_model_alloc(fit->arena, &fit->model, false, false, false);
    if (!status) map_model_set_output(&fit->model, &out);
    return status;
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit)
{
    return map_fit_start(ctx, &nigh_method_mean, problem, samples, settings, solve, fit);
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan) { return map_load(ctx, file, &nigh_method_mean, plan); }

const nigh_method nigh_method_mean = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "mean",
    .problem = "map",
    .summary = "the mean of the outputs, whatever the input",
    .source = "the sample mean",
    .when = "Never on purpose: it shows what an error means. A method that does no better has learnt nothing.",
    .flags = NIGH_METHOD_SHORTCUT | NIGH_METHOD_NEEDS_DATA,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = map_fit_finish,
    .abandon = map_fit_abandon, .load = load,
};
