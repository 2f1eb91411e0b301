/*
 * A problem of a kind of its own (e^x on [0, 1]) and two methods for it, for tests of the planner: `series`, the
 * truncated power series (one-shot, one refining option), and `relax`, which trains: x <- x + rate (target - x).
 */
#ifndef NIGH_TEST_TOY_H
#define NIGH_TEST_TOY_H
#include "nigh/plan.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

static nigh_status toy_draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    nigh_rng_fill_f64(rng, n, in);
    return NIGH_OK;
}

static nigh_status toy_exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    const double *x = in;
    double *y = out;
    for (int64_t i = 0; i < n; i++) y[i] = exp(x[i]) * (1 + 0 * sin(x[i]));
    return NIGH_OK;
}

static const nigh_problem_ops toy_ops = {.draw = toy_draw, .exact = toy_exact};
static const double toy_low[] = {0}, toy_high[] = {1};

static inline nigh_problem toy_problem(void)
{
    return (nigh_problem){.size = sizeof(nigh_problem), .kind = "toy", .name = "e^x on [0, 1]", .identity = "toy-1",
                          .in = {NIGH_F64, 0, {0}}, .out = {NIGH_F64, 0, {0}}, .measure = nigh_measure_find("absolute"),
                          .low = toy_low, .high = toy_high, .ops = &toy_ops};
}

typedef struct toy_fit {
    const nigh_method *method;
    nigh_settings settings;
    nigh_shape shape;
    int terms;
    int64_t units, total;
    double c[32];
} toy_fit;

static void toy_apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace)
{
    const toy_fit *fit = plan->state;
    const double *x = in;
    double *y = out;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int k = fit->terms - 1; k >= 0; k--) sum = sum * x[i] + fit->c[k];
        y[i] = sum;
    }
}

static nigh_status toy_save(nigh_context *ctx, const nigh_plan *plan, nigh_planfile *file)
{
    const toy_fit *fit = plan->state;
    return nigh_planfile_put(file, "c", &(nigh_shape){NIGH_F64, 1, {fit->terms}}, fit->c);
}

static const nigh_plan_ops toy_plan_ops = {.apply = toy_apply, .save = toy_save};

static nigh_status toy_plan(nigh_context *ctx, const nigh_method *method, const nigh_settings *settings, const nigh_shape *in,
                            const nigh_shape *out, const toy_fit *fit, nigh_plan **plan)
{
    nigh_status status = nigh_plan_new(ctx, method, settings, in, out, &toy_plan_ops, plan);
    if (status) return status;
    toy_fit *state = nigh_arena_alloc((*plan)->arena, sizeof *state);
    double *box = nigh_arena_alloc((*plan)->arena, 2 * sizeof *box);
    if (!state || !box) {
        nigh_plan_free(ctx, *plan);
        return NIGH_MEMORY;
    }
    *state = *fit;
    box[0] = 0, box[1] = 1;
    (*plan)->state = state, (*plan)->low = box, (*plan)->high = box + 1, (*plan)->bytes = sizeof *state;
    (*plan)->work.flops = 2.0 * fit->terms;
    return NIGH_OK;
}

static nigh_status toy_load(nigh_context *ctx, const nigh_method *method, nigh_planfile *file, nigh_plan **plan)
{
    extern const nigh_method toy_series;
    int64_t dim[1] = {-1};
    const void *c;
    nigh_status status = nigh_planfile_get(file, "c", NIGH_F64, 1, dim, &c);
    if (status) return status;
    if (dim[0] > 32) return nigh_fail(ctx, NIGH_FORMAT, "array 'c' has %lld entries; at most 32 are allowed", (long long)dim[0]);
    toy_fit fit = {.terms = (int)dim[0]};
    memcpy(fit.c, c, (size_t)dim[0] * sizeof(double));
    return toy_plan(ctx, &toy_series, nigh_planfile_settings(file), nigh_planfile_in(file), nigh_planfile_out(file), &fit, plan);
}

static const nigh_option toy_series_options[] = {
    {"terms", NIGH_OPTION_INT, 1, 30, 5, NULL, "1:20", NIGH_ORDER_REFINES, "", "terms of the series"},
    {"twist", NIGH_OPTION_CHOICE, 0, 0, 0, "no,yes", "no,yes", NIGH_ORDER_NONE, "", "spoils the first coefficient by 1e-3"},
    {.name = NULL},
};

static nigh_status toy_series_estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n, nigh_estimate *out)
{
    *out = (nigh_estimate){.error = {0, INFINITY}, .apply = {.flops = 2 * settings->value[0]}, .source = "formula"};
    return NIGH_OK;
}

static nigh_status toy_series_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **out)
{
    toy_fit *fit = nigh_alloc_zero(ctx, 1, sizeof *fit);
    if (!fit) return NIGH_MEMORY;
    fit->settings = *settings, fit->shape = problem->in, fit->terms = (int)settings->value[0];
    for (int k = 0; k < fit->terms; k++) fit->c[k] = 1 / tgamma(k + 1);
    if (settings->value[1] == 1) fit->c[0] += 1e-3;
    *out = fit;
    return NIGH_OK;
}

static nigh_status toy_series_advance(nigh_context *ctx, void *fit, int64_t units, nigh_progress_point *point)
{
    *point = (nigh_progress_point){1, 1, NAN, true};
    return NIGH_OK;
}

static nigh_status toy_series_finish(nigh_context *ctx, void *state, nigh_plan **plan)
{
    extern const nigh_method toy_series;
    toy_fit *fit = state;
    return toy_plan(ctx, &toy_series, &fit->settings, &fit->shape, &fit->shape, fit, plan);
}

static void toy_abandon(nigh_context *ctx, void *fit) { nigh_free(ctx, fit); }

const nigh_method toy_series = {.size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI, .name = "series", .problem = "toy", .summary = "truncated series",
                                .flags = NIGH_METHOD_SHORTCUT, .options = toy_series_options, .estimate = toy_series_estimate, .start = toy_series_start,
                                .advance = toy_series_advance, .finish = toy_series_finish, .abandon = toy_abandon, .load = toy_load};

/* ---- relax: a constant that drifts towards 1.7 at a rate; never a good answer, but it learns ---- */

static const nigh_option toy_relax_options[] = {
    {"rate", NIGH_OPTION_REAL, 0, 1, 0.01, NULL, "0.001,0.003,0.01,0.03", NIGH_ORDER_NONE, "", "step"},
    {.name = NULL},
};

static int toy_relax_pause, toy_relax_starts; /* microseconds of a unit; calls of start */

static nigh_status toy_relax_start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **out)
{
    toy_fit *fit = nigh_alloc_zero(ctx, 1, sizeof *fit);
    if (!fit) return NIGH_MEMORY;
    fit->settings = *settings, fit->shape = problem->in, fit->terms = 1;
    toy_relax_starts++;
    fit->total = samples->units && samples->units < 800 ? samples->units : 800;
    *out = fit;
    return NIGH_OK;
}

static nigh_status toy_relax_advance(nigh_context *ctx, void *state, int64_t units, nigh_progress_point *point)
{
    toy_fit *fit = state;
    for (int64_t u = 0; u < units && fit->units < fit->total; u++, fit->units++) {
        if (toy_relax_pause) usleep((useconds_t)toy_relax_pause);
        fit->c[0] += fit->settings.value[0] * (1.7 - fit->c[0]);
    }
    *point = (nigh_progress_point){fit->units, fit->total, fabs(1.7 - fit->c[0]), fit->units >= fit->total};
    return NIGH_OK;
}

static nigh_status toy_relax_finish(nigh_context *ctx, void *state, nigh_plan **plan)
{
    extern const nigh_method toy_relax;
    toy_fit *fit = state;
    return toy_plan(ctx, &toy_relax, &fit->settings, &fit->shape, &fit->shape, fit, plan);
}

static nigh_status toy_relax_checkpoint(nigh_context *ctx, void *fit, nigh_buffer *bytes) { return nigh_buffer_add(bytes, fit, sizeof(toy_fit)); }

static nigh_status toy_relax_restore(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings,
                                     const void *bytes, size_t size, void **out)
{
    toy_fit *fit = nigh_alloc(ctx, sizeof *fit);
    if (!fit) return NIGH_MEMORY;
    memcpy(fit, bytes, size < sizeof *fit ? size : sizeof *fit);
    *out = fit;
    return NIGH_OK;
}

const nigh_method toy_relax = {.size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI, .name = "relax", .problem = "toy", .summary = "drifts",
                               .flags = NIGH_METHOD_TRAINED, .options = toy_relax_options, .start = toy_relax_start, .advance = toy_relax_advance,
                               .finish = toy_relax_finish, .checkpoint = toy_relax_checkpoint, .restore = toy_relax_restore, .abandon = toy_abandon,
                               .load = toy_load};
#endif
