/*
 * Chebyshev interpolation: the polynomial through the Chebyshev points of the interval (L. N. Trefethen, "Approximation
 * Theory and Approximation Practice", chapters 2 to 4). Not weighted: near best for the absolute measure.
 */
#include "function/approximation.h"

static nigh_status recipe(nigh_context *ctx, const function_domain *domain, const nigh_settings *settings, bool rough, function_ideal *out)
{
    int degree = function_degree(domain, (int)settings->value[0]);
    remez_problem problem = function_remez_problem(domain);
    remez_grid grid;
    *out = (function_ideal){.upper = degree + 1};
    nigh_status status = remez_grid_new(ctx, &problem, rough ? 32 + 2 * degree : 64 + 8 * degree, &grid);
    if (status != NIGH_OK) return status;
    status = remez_interpolate(ctx, &grid, degree, out->p, &out->error);
    remez_grid_free(ctx, &grid);
    return status;
}

static const nigh_option options[] = {
    {.name = "degree", .type = NIGH_OPTION_INT, .low = 1, .high = 32, .value = 5, .grid = "1:32", .order = NIGH_ORDER_REFINES,
     .help = "degree in the core argument; odd and even functions use only their own powers"},
    {.name = "reduction", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "none,native", .grid = "none,native",
     .help = "native: the known range reduction of a named function"},
    {.name = NULL},
};

static const function_approach approach = {.form = FUNCTION_POLYNOMIAL, .recipe = recipe, .naive = true, .spread = {.1, 1.3}};

const nigh_method nigh_method_chebyshev = {
    .size = sizeof(nigh_method),
    .abi = NIGH_METHOD_ABI,
    .name = "chebyshev",
    .problem = "function",
    .summary = "the polynomial through the Chebyshev points",
    .source = "L. N. Trefethen, \"Approximation Theory and Approximation Practice\"",
    .when = "When a fit must be instant; minimax of the same degree is up to a few times more accurate.",
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
