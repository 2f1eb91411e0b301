/* The shell of one-shot map fits, and the operations of their plans; see fit.h. */
#include "regress/fit.h"

#include "regress/certify.h"

#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

nigh_status map_supports(nigh_context *ctx, const nigh_problem *problem)
{
    int64_t d = nigh_shape_count(&problem->in), m = nigh_shape_count(&problem->out);
    if (problem->in.dtype != NIGH_F64 || problem->out.dtype != NIGH_F64)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "inputs are %s and outputs %s; maps are fitted in f64", nigh_dtype_name(problem->in.dtype),
                         nigh_dtype_name(problem->out.dtype));
    if (d < 1 || m < 1 || d > 1 << 24 || m > 1 << 24)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a sample has %lld inputs and %lld outputs; 1 to %d are allowed", (long long)d,
                         (long long)m, 1 << 24);
    return NIGH_OK;
}

/* What comes from memory beside inputs and outputs: a plan that no cache holds, once per tile of rows. */
static double traffic(double bytes)
{
    enum { CACHE = 1 << 20, TILE = 32 };
    return bytes > CACHE ? bytes / TILE : 0;
}

void map_estimate(const nigh_problem *problem, double fit_flops, double apply_flops, double bytes, nigh_estimate *out)
{
    double sides = 8 * (double)(nigh_shape_count(&problem->in) + nigh_shape_count(&problem->out));
    *out = (nigh_estimate){.error = {0, INFINITY},
                           .fit = {.flops = fit_flops},
                           .apply = {.flops = apply_flops, .bytes = sides + traffic(bytes)},
                           .bytes = bytes,
                           .source = "formula"};
}

void map_estimate_model(const nigh_problem *problem, double fit_flops, const map_model *like, bool project, bool tail, bool decode,
                        nigh_estimate *out)
{
    static double there; /* stands for arrays: only whether they exist matters */
    map_model model = *like;
    map_array arrays[MAP_ARRAYS];
    for (int folded = 0; folded <= decode; folded++) {
        if (folded) model.q = model.m;
        int n = map_model_arrays(&model, arrays);
        for (int i = 0; i < n; i++) *arrays[i].data = &there;
        if (!project) model.project = model.latent = model.unscale = NULL;
        if (!tail) model.tail = NULL;
        if (!decode || folded) model.decode = model.offset = NULL;
        double flops = map_model_flops(&model);
        if (!folded || flops < out->apply.flops) map_estimate(problem, fit_flops, flops, map_model_bytes(&model), out);
    }
}

nigh_status map_box(nigh_context *ctx, nigh_arena *arena, const nigh_problem *problem, const nigh_samples *samples, double **low_out,
                    double **high_out)
{
    int64_t d = nigh_shape_count(&problem->in);
    const double *x = samples ? samples->in : NULL;
    double *low = nigh_arena_alloc(arena, (size_t)d * sizeof *low), *high = nigh_arena_alloc(arena, (size_t)d * sizeof *high);
    if (!low || !high) return NIGH_MEMORY;
    if (problem->low && problem->high) {
        memcpy(low, problem->low, (size_t)d * sizeof *low);
        memcpy(high, problem->high, (size_t)d * sizeof *high);
    } else {
        memcpy(low, x, (size_t)d * sizeof *low);
        memcpy(high, x, (size_t)d * sizeof *high);
        for (int64_t i = 1; i < samples->n; i++)
            for (int64_t k = 0; k < d; k++) {
                low[k] = fmin(low[k], x[i * d + k]);
                high[k] = fmax(high[k], x[i * d + k]);
            }
    }
    *low_out = low;
    *high_out = high;
    return nigh_poll(ctx);
}

nigh_status map_fit_new(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                        const nigh_settings *settings, map_solve *solve, map_fit **out)
{
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    map_fit *fit = nigh_arena_alloc_zero(arena, 1, sizeof *fit);
    if (!fit) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    *fit = (map_fit){.method = method, .problem = problem, .settings = *settings, .in = problem->in, .out = problem->out,
                     .d = nigh_shape_count(&problem->in), .m = nigh_shape_count(&problem->out), .arena = arena, .solve = solve, .model = {.limit = -1}};
    if (samples) fit->n = samples->n, fit->x = samples->in, fit->y = samples->out;
    if (samples || problem->low) status = map_box(ctx, arena, problem, samples, &fit->low, &fit->high);
    if (status) {
        nigh_arena_free(arena);
        return status;
    }
    *out = fit;
    return NIGH_OK;
}

nigh_status map_fit_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples,
                          const nigh_settings *settings, map_solve *solve, void **out)
{
    nigh_status status = map_supports(ctx, problem);
    if (!status) status = nigh_settings_check(ctx, method, settings);
    if (status) return status;
    if (!samples || samples->n < 2)
        return nigh_fail(ctx, NIGH_INVALID, "%s was given %lld samples to fit; at least 2 are needed", method->name,
                         (long long)(samples ? samples->n : 0));
    status = linalg_check_finite(ctx, "the array of inputs", samples->n, nigh_shape_count(&problem->in), samples->in);
    if (!status) status = linalg_check_finite(ctx, "the array of outputs", samples->n, nigh_shape_count(&problem->out), samples->out);
    map_fit *fit = NULL;
    if (!status) status = map_fit_new(ctx, method, problem, samples, settings, solve, &fit);
    if (!status) *out = fit;
    return status;
}

nigh_status map_fit_advance(nigh_context *ctx, void *state, int64_t units, nigh_progress_point *point)
{
    map_fit *fit = state;
    if (units > 0 && !fit->done) {
        nigh_status status = nigh_poll(ctx);
        if (!status) status = fit->solve(ctx, fit);
        if (status) return status;
        fit->done = true;
    }
    *point = (nigh_progress_point){.units = fit->done, .total = 1, .loss = NAN, .done = fit->done};
    return NIGH_OK;
}

void map_fit_abandon(nigh_context *ctx, void *state)
{
    (void)ctx;
    map_fit *fit = state;
    if (fit) nigh_arena_free(fit->arena);
}

/* ---- the plan ---- */

static size_t plan_workspace(const nigh_plan *plan, int64_t block) { return map_model_workspace(plan->state); }

static void plan_apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace)
{
    map_model_apply(plan->state, n, in, out, workspace);
}

static bool plan_outside(const nigh_plan *plan, int64_t n, const void *in, void *workspace)
{
    return map_model_outside(plan->state, n, in, workspace);
}

static nigh_status plan_save(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file) { return map_model_save(plan->state, file); }

static nigh_status plan_export(nigh_context *ctx, const nigh_plan *plan, const char *name, nigh_buffer *text)
{
    return map_model_export(ctx, plan->state, name, text);
}

static const nigh_plan_ops plan_ops = {
    .workspace = plan_workspace, .apply = plan_apply, .outside = plan_outside, .certify = map_certify, .save = plan_save, .export_c = plan_export};

static void set_work(nigh_plan *plan, const map_model *model)
{
    plan->state = (void *)model;
    plan->bytes = map_model_bytes(model);
    plan->work = (nigh_work){.flops = map_model_flops(model), .bytes = 8.0 * (double)(model->d + model->m) + traffic(plan->bytes)};
}

/* The model with all its arrays, copied into the plan's arena. */
static map_model *copy_model(nigh_arena *arena, const map_model *model)
{
    map_model *copy = nigh_arena_alloc(arena, sizeof *copy);
    if (!copy) return NULL;
    *copy = *model;
    map_array arrays[MAP_ARRAYS];
    int n = map_model_arrays(copy, arrays);
    for (int i = 0; i < n; i++) {
        if (!*arrays[i].data) continue;
        size_t bytes = (size_t)arrays[i].rows * (size_t)arrays[i].cols * nigh_dtype_size(arrays[i].dtype);
        void *block = nigh_arena_alloc(arena, bytes);
        if (!block) return NULL;
        *arrays[i].data = memcpy(block, *arrays[i].data, bytes);
    }
    return copy;
}

nigh_status map_fit_box(const map_fit *fit, nigh_plan *plan)
{
    size_t bytes = (size_t)fit->d * sizeof(double);
    double *low = nigh_arena_alloc(plan->arena, bytes), *high = nigh_arena_alloc(plan->arena, bytes);
    if (!low || !high) return NIGH_MEMORY;
    plan->low = memcpy(low, fit->low, bytes);
    plan->high = memcpy(high, fit->high, bytes);
    return NIGH_OK;
}

nigh_status map_fit_finish(nigh_context *ctx, void *state, nigh_plan **out)
{
    map_fit *fit = state;
    if (!fit->done) return nigh_fail(ctx, NIGH_INVALID, "%s was not fitted yet; advance it by one unit", fit->method->name);
    nigh_plan *plan = NULL;
    nigh_status status = nigh_plan_new(ctx, fit->method, &fit->settings, &fit->in, &fit->out, &plan_ops, &plan);
    if (status) return status;
    map_model *model = copy_model(plan->arena, &fit->model);
    bool noted = !fit->note || (plan->note = nigh_arena_strdup(plan->arena, fit->note));
    if (!model || !noted || map_fit_box(fit, plan)) {
        nigh_plan_free(ctx, plan);
        return NIGH_MEMORY;
    }
    set_work(plan, model);
    *out = plan;
    return NIGH_OK;
}

nigh_status map_load(nigh_context *ctx, nigh_planfile *file, const nigh_method *method, nigh_plan **out)
{
    nigh_plan *plan = NULL;
    const nigh_shape *in = nigh_planfile_in(file), *shape = nigh_planfile_out(file);
    nigh_status status = nigh_plan_new(ctx, method, nigh_planfile_settings(file), in, shape, &plan_ops, &plan);
    if (status) return status;
    map_model *model = nigh_arena_alloc_zero(plan->arena, 1, sizeof *model);
    status = model ? map_model_load(ctx, file, plan->arena, model) : NIGH_MEMORY;
    if (!status && (in->dtype != NIGH_F64 || shape->dtype != NIGH_F64 || model->d != nigh_shape_count(in) || model->m != nigh_shape_count(shape)))
        status = nigh_fail(ctx, NIGH_FORMAT, "the plan's arrays are for %lld inputs and %lld outputs, its shapes are not",
                           (long long)model->d, (long long)model->m);
    if (status) {
        nigh_plan_free(ctx, plan);
        return status;
    }
    set_work(plan, model);
    *out = plan;
    return NIGH_OK;
}
