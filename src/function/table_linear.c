/*
 * A table of linear pieces of equal width, each through its own Chebyshev points, which is the best linear
 * polynomial on it to leading order (half the error of interpolation between the ends for lines).
 */
#include "function/approximation.h"

extern const nigh_method nigh_method_table_linear;

static const nigh_option options[] = {
    {.name = "entries", .type = NIGH_OPTION_INT, .low = 16, .high = 65536, .value = 256, .grid = "16*2:65536", .order = NIGH_ORDER_REFINES,
     .help = "number of pieces"},
    {.name = "reduction", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "none,native", .grid = "0:1",
     .help = "native: the known range reduction of a named function"},
    {.name = NULL},
};

static const function_approach approach = {
    .method = &nigh_method_table_linear, .form = FUNCTION_TABLE, .order = 1, .spread = {.02, 2}};

static nigh_status supports(nigh_context *ctx, const nigh_problem *problem, const nigh_settings *settings)
{
    return function_approach_supports(ctx, &approach, problem, settings);
}

static nigh_status estimate(nigh_context *ctx, const nigh_problem *problem, const nigh_settings *settings, int64_t n_fit,
                            nigh_estimate *out)
{
    return function_approach_estimate(ctx, &approach, problem, settings, out);
}

static nigh_status start(nigh_context *ctx, const nigh_problem *problem, const nigh_samples *samples, const nigh_settings *settings,
                         void **fit)
{
    return function_approach_start(ctx, &approach, problem, settings, fit);
}

static nigh_status load(nigh_context *ctx, nigh_planfile *file, nigh_plan **plan)
{
    return function_approach_load(ctx, &approach, file, plan);
}

const nigh_method nigh_method_table_linear = {
    .size = sizeof(nigh_method),
    .abi = NIGH_METHOD_ABI,
    .name = "table-linear",
    .problem = "function",
    .summary = "a table of linear pieces",
    .source = "M. J. D. Powell, \"Approximation Theory and Methods\"",
    .when = "For rough or oscillating functions at moderate accuracy, when the table stays in the nearest cache.",
    .flags = NIGH_METHOD_SHORTCUT,
    .options = options,
    .supports = supports,
    .estimate = estimate,
    .start = start,
    .advance = function_fit_advance,
    .finish = function_fit_finish,
    .abandon = function_fit_abandon,
    .load = load,
};
