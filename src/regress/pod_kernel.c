/*
 * pod-kernel: principal components of inputs and outputs, kernel ridge regression from one set of coefficients to the
 * other. Batlle, Darcy, Hosseini and Owhadi, "Kernel methods are competitive for operator learning", section 2.
 */
#include "regress/fit.h"

#include "regress/methods.h"

#include <math.h>
#include <string.h>

enum { MOST_POINTS = 4000, MOST_COMPONENTS = 512 };

static const nigh_option options[] = {
    {.name = "kernel", .type = NIGH_OPTION_CHOICE, .value = 2, .choices = "gaussian,matern32,matern52,cubic", .grid = "gaussian,matern32,matern52,cubic",
     .help = "function of distance; cubic has a linear tail and no length"},
    {.name = "length", .type = NIGH_OPTION_REAL, .low = 0, .high = 1000, .value = 0, .unit = "median distances",
     .help = "length scale as a multiple of the median distance between samples; 0: by leave-one-out"},
    {.name = "nugget", .type = NIGH_OPTION_REAL, .low = 0, .high = 100, .value = 0,
     .help = "ridge in units of the kernel matrix's mean eigenvalue; 0: by leave-one-out"},
    {.name = "input-loss", .type = NIGH_OPTION_REAL, .low = 0, .high = 0.9, .value = 0.01, .grid = "0.1,0.01,0.001", .order = NIGH_ORDER_NONE,
     .help = "share of the inputs' root mean square that their components may leave out; 0 keeps all"},
    {.name = "output-loss", .type = NIGH_OPTION_REAL, .low = 0, .high = 0.9, .value = 0.001, .grid = "0.1,0.01,0.001,0.0001",
     .order = NIGH_ORDER_REFINES, .help = "share of the outputs' root mean square that their components may leave out; 0 keeps all"},
    {.name = "centres", .type = NIGH_OPTION_INT, .low = 0, .high = MOST_POINTS, .value = 0, .unit = "samples",
     .help = "samples to use, spread out by farthest points; 0: all, at most 4000"},
    {.name = NULL}};

static const map_radial kinds[] = {MAP_GAUSSIAN, MAP_MATERN32, MAP_MATERN52, MAP_CUBIC}; /* by the choice of kernel */

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    nigh_status status = map_supports(ctx, problem);
    return status ? status : map_supports_loss(ctx, &nigh_method_pod_kernel, problem, settings);
}

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    double d = (double)nigh_shape_count(&problem->in), m = (double)nigh_shape_count(&problem->out), n = (double)n_fit;
    double centres = nigh_setting(&nigh_method_pod_kernel, settings, "centres"), most = fmin(n, centres > 0 ? centres : MOST_POINTS);
    double r = map_guess_components(d, n), q = map_guess_components(m, n), few = fmin(most, 500);
    double fit = 6 * n * (d * fmin(n, d) + m * fmin(n, m)) + 8 * (9 * few * few * few + 74 * few * few * q) + most * most * most;
    map_radial kind = kinds[(int)nigh_setting(&nigh_method_pod_kernel, settings, "kernel")];
    map_model like = {.body = MAP_POINTS, .radial = kind, .d = (int64_t)d, .r = (int64_t)r, .q = (int64_t)q, .m = (int64_t)m, .count = (int64_t)most};
    map_estimate_model(problem, fit, &like, d >= MAP_FEW, map_has_tail(kind), m >= MAP_FEW, out);
    return NIGH_OK;
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    map_model *model = &fit->model;
    map_pca in, out;
    nigh_status status = map_fit_components(ctx, fit, MOST_COMPONENTS, &in, &out);
    if (status) return status;
    int64_t most = (int64_t)map_setting(fit, "centres"), count;
    if ((status = map_thin(ctx, fit->n, most > 0 ? most : MOST_POINTS, &in, &out, &count))) return status;
    *model = (map_model){.body = MAP_POINTS, .radial = kinds[(int)map_setting(fit, "kernel")], .d = fit->d, .r = in.r, .q = out.r,
                         .m = fit->m, .count = count, .limit = -1};
    status = map_model_alloc(fit->arena, model, in.basis, map_has_tail(model->radial), out.basis);
    if (status) return status;
    map_model_set_input(model, &in, NULL, NULL);
    status = map_fit_points(ctx, model, count, in.score, out.score, map_setting(fit, "length"), map_setting(fit, "nugget"));
    if (status) return status;
    map_model_set_output(model, &out);
    status = map_model_set_limit(ctx, model, fit->n, fit->x);
    return status ? status : map_model_fold(ctx, fit->arena, model);
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit)
{
    return map_fit_start(ctx, &nigh_method_pod_kernel, problem, samples, settings, solve, fit);
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan) { return map_load(ctx, file, &nigh_method_pod_kernel, plan); }

const nigh_method nigh_method_pod_kernel = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "pod-kernel",
    .problem = "map",
    .summary = "principal components of inputs and outputs, kernel ridge regression between their coefficients",
    .source = "Batlle, Darcy, Hosseini and Owhadi, \"Kernel methods are competitive for operator learning\"",
    .when = "Smooth nonlinear maps from a few hundred to a few thousand samples; applying costs one kernel value per sample kept.",
    .flags = NIGH_METHOD_SHORTCUT | NIGH_METHOD_NEEDS_DATA,
    .options = options,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = map_fit_finish,
    .abandon = map_fit_abandon, .load = load,
};
