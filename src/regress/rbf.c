/*
 * rbf: polyharmonic splines with a linear tail on standardised inputs: cubic r^3 or thin plate r^2 log r.
 * Duchon, "Splines minimizing rotation-invariant semi-norms in Sobolev spaces"; Wendland, "Scattered Data Approximation".
 */
#include "regress/fit.h"

#include "regress/methods.h"

#include <math.h>

enum { MOST_POINTS = 4000, MOST_INPUTS = 50, WIDE = 64 };

static const nigh_option options[] = {
    {.name = "basis", .type = NIGH_OPTION_CHOICE, .value = 0, .choices = "cubic,thin-plate", .grid = "cubic,thin-plate", .help = "function of distance"},
    {.name = "smoothing", .type = NIGH_OPTION_REAL, .low = 0, .high = 100, .value = 0,
     .help = "penalty on the weights in units of the mean eigenvalue; 0: by leave-one-out (1e-16 interpolates)"},
    {.name = "centres", .type = NIGH_OPTION_INT, .low = 0, .high = MOST_POINTS, .value = 0, .unit = "samples",
     .help = "samples to use, spread out by farthest points; 0: all, at most 4000"},
    {.name = NULL}};

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    nigh_status status = map_supports(ctx, problem);
    int64_t d = nigh_shape_count(&problem->in);
    if (!status && d > MOST_INPUTS)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "%lld inputs; polyharmonic splines are for at most %d, pod-kernel reduces more", (long long)d,
                         MOST_INPUTS);
    return status;
}

static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    double d = (double)nigh_shape_count(&problem->in), m = (double)nigh_shape_count(&problem->out), n = (double)n_fit;
    double centres = nigh_setting(&nigh_method_rbf, settings, "centres"), most = fmin(n, centres > 0 ? centres : MOST_POINTS);
    double q = fmin(m, map_guess_components(m, n)), few = fmin(most, 600);
    bool reduce = m > WIDE;
    map_radial kind = nigh_setting(&nigh_method_rbf, settings, "basis") > 0 ? MAP_THIN_PLATE : MAP_CUBIC;
    map_model like = {.body = MAP_POINTS, .radial = kind, .d = (int64_t)d, .r = (int64_t)d, .q = (int64_t)(reduce ? q : m), .m = (int64_t)m,
                      .count = (int64_t)most};
    map_estimate_model(problem, 9 * few * few * few + 6 * most * most * most, &like, false, true, reduce, out);
    return NIGH_OK;
}

static nigh_status solve(nigh_context *ctx, map_fit *fit)
{
    map_model *model = &fit->model;
    map_pca in, out;
    int64_t most = (int64_t)map_setting(fit, "centres"), count;
    nigh_status status = map_pca_fit(ctx, fit->arena, fit->n, fit->d, fit->x, true, false, 0, fit->d, &in);
    if (!status) status = map_pca_fit(ctx, fit->arena, fit->n, fit->m, fit->y, false, fit->m > WIDE, 0, fit->n, &out);
    if (!status) status = map_thin(ctx, fit->n, most > 0 ? most : MOST_POINTS, &in, &out, &count);
    if (status) return status;
    *model = (map_model){.body = MAP_POINTS, .radial = map_setting(fit, "basis") > 0 ? MAP_THIN_PLATE : MAP_CUBIC, .d = fit->d, .r = in.r,
                         .q = out.r, .m = fit->m, .count = count, .limit = -1};
    if ((status = map_model_alloc(fit->arena, model, false, true, out.basis))) return status;
    map_model_set_input(model, &in, NULL, NULL);
    status = map_fit_points(ctx, model, count, in.score, out.score, 0, map_setting(fit, "smoothing"));
    if (status) return status;
    map_model_set_output(model, &out);
    return map_model_fold(ctx, fit->arena, model);
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit)
{
    nigh_status status = supports(ctx, method, problem, settings);
    return status ? status : map_fit_start(ctx, &nigh_method_rbf, problem, samples, settings, solve, fit);
}

static nigh_status load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan) { return map_load(ctx, file, &nigh_method_rbf, plan); }

const nigh_method nigh_method_rbf = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "rbf",
    .problem = "map",
    .summary = "polyharmonic spline (cubic or thin plate) with a linear tail",
    .source = "Duchon, \"Splines minimizing rotation-invariant semi-norms in Sobolev spaces\"; Wendland, \"Scattered Data Approximation\"",
    .when = "Scattered samples of a smooth map of up to some ten inputs, with nothing to tune.",
    .flags = NIGH_METHOD_SHORTCUT | NIGH_METHOD_NEEDS_DATA,
    .options = options,
    .supports = supports, .estimate = estimate, .start = start, .advance = map_fit_advance, .finish = map_fit_finish,
    .abandon = map_fit_abandon, .load = load,
};
