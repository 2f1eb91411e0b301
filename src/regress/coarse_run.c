/*
 * The user's own program at a coarser resolution: the classical shortcut that a simulation code has built in. The plan
 * is the program itself, so it is good for comparing and for advice; it cannot be saved or exported.
 */
#include "nigh/plan.h"

#include <math.h>
#include <string.h>

typedef struct coarse_state {
    nigh_problem problem; /* what is behind it belongs to the caller's problem, which outlives the plan */
    int level;
} coarse_state;

static const nigh_option options[] = {
    {.name = "level", .type = NIGH_OPTION_INT, .low = 0, .high = 15, .value = 0, .grid = "0:15", .order = NIGH_ORDER_REFINES,
     .help = "resolution, 0 is the coarsest of --knob"},
    {.name = NULL},
};

static nigh_status supports(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings)
{
    if (problem->levels > 0 && problem->ops->coarse && settings->value[0] < problem->levels) return NIGH_OK;
    if (problem->levels > 0) return nigh_fail(ctx, NIGH_UNSUPPORTED, "the program has levels 0 to %d", problem->levels - 1);
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "the problem has no coarser resolution; a program has one with --knob NAME=LOW:HIGH");
}

/* A halved resolution is expected to cost half. Levels that do not exist cost what the exact run costs, and fail. */
static nigh_status estimate(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit, nigh_estimate *out)
{
    double halvings = fmax(problem->levels - settings->value[0], 0);
    *out = (nigh_estimate){.error = {0, INFINITY}, .apply = {.seconds = problem->exact_seconds * exp2(-halvings)}, .source = "formula"};
    return NIGH_OK;
}

static nigh_status start(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings, void **fit)
{
    coarse_state *state = nigh_alloc(ctx, sizeof *state);
    if (!state) return NIGH_MEMORY;
    *state = (coarse_state){*problem, (int)settings->value[0]};
    *fit = state;
    return NIGH_OK;
}

static nigh_status advance(nigh_context *ctx, void *fit, int64_t units, nigh_progress_point *point)
{
    *point = (nigh_progress_point){1, 1, NAN, true};
    return NIGH_OK;
}

/* A failing run gives NaN, which counts as an infinite error. */
static void apply(const nigh_plan *plan, int64_t n, const void *in, void *out, void *workspace)
{
    const coarse_state *state = plan->state;
    nigh_context *ctx;
    nigh_status status = nigh_context_new(&ctx);
    if (!status) status = state->problem.ops->coarse(ctx, &state->problem, state->level, n, in, out);
    nigh_context_free(ctx);
    double *y = out;
    for (int64_t i = 0; status && i < n * nigh_shape_count(&plan->out); i++) y[i] = NAN;
}

static const nigh_plan_ops plan_ops = {.apply = apply, .child = true};

extern const nigh_method nigh_method_coarse_run;

static nigh_status finish(nigh_context *ctx, void *fit, nigh_plan **plan)
{
    const coarse_state *from = fit;
    nigh_settings settings = {{from->level}};
    nigh_status status = nigh_plan_new(ctx, &nigh_method_coarse_run, &settings, &from->problem.in, &from->problem.out, &plan_ops, plan);
    if (status) return status;
    coarse_state *state = nigh_arena_alloc((*plan)->arena, sizeof *state);
    if (!state) {
        nigh_plan_free(ctx, *plan);
        return NIGH_MEMORY;
    }
    *state = *from;
    (*plan)->state = state;
    return NIGH_OK;
}

static void abandon(nigh_context *ctx, void *fit) { nigh_free(ctx, fit); }

const nigh_method nigh_method_coarse_run = {
    .size = sizeof(nigh_method), .abi = NIGH_METHOD_ABI,
    .name = "coarse-run", .problem = "map",
    .summary = "the program itself at a coarser resolution",
    .source = "the program's own discretisation",
    .when = "when the program has a resolution and the error asked for is loose",
    .flags = NIGH_METHOD_SHORTCUT,
    .options = options, .supports = supports, .estimate = estimate,
    .start = start, .advance = advance, .finish = finish, .abandon = abandon,
};
