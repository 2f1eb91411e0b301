/*
 * Best polynomials by the Remez algorithm, weighted for the measure, with coefficients rounded by refit.
 */
#include "function/approximation.h"

static nigh_status recipe(nigh_context *ctx, const function_domain *domain, const nigh_settings *settings, bool rough, function_ideal *out)
{
    int degree = function_degree(domain, (int)settings->value[0]);
    remez_problem problem = function_remez_problem(domain);
    if (rough) problem.smooth = false, problem.slack = .3; /* no refinement between the points of the grid */
    remez_grid grid;
    *out = (function_ideal){.upper = degree + 1};
    nigh_status status = remez_grid_new(ctx, &problem, rough ? 16 + 4 * (degree + 2) : 40 + 12 * (degree + 2), &grid);
    if (status != NIGH_OK) return status;
    status = remez_polynomial(ctx, &grid, degree, out->p, &out->error, NULL);
    remez_grid_free(ctx, &grid);
    return status;
}

static const nigh_option options[] = {
    {.name = "degree", .type = NIGH_OPTION_INT, .low = 1, .high = 40, .value = 5, .grid = "1:32", .order = NIGH_ORDER_REFINES,
     .help = "degree in the core argument; odd and even functions use only their own powers"},
    {.name = "reduction", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "none,native", .grid = "none,native",
     .help = "native: the known range reduction of a named function"},
    {.name = NULL},
};

static const function_approach approach = {.form = FUNCTION_POLYNOMIAL, .recipe = recipe, .spread = {.25, 1.25}};

const nigh_method nigh_method_minimax = {
    .size = sizeof(nigh_method),
    .abi = NIGH_METHOD_ABI,
    .name = "minimax",
    .problem = "function",
    .summary = "the best polynomial, by Remez, with rounded coefficients fitted again",
    .source = "E. W. Cheney, \"Introduction to Approximation Theory\"; N. Brisebarre and S. Chevillard, \"Efficient polynomial L-infinity approximations\"",
    .when = "The first choice for smooth functions: only multiplications and additions, and the smallest error for its degree.",
    .flags = NIGH_METHOD_SHORTCUT,
    .options = options,
    .family = &approach,
    .supports = function_supports,
    .estimate = function_estimate,
    .start = function_fit_start,
    .advance = function_fit_advance,
    .finish = function_fit_finish,
    .abandon = function_fit_abandon,
    .load = function_load,
};
