/*
 * Best rationals P_m / Q_n without poles in the interval, weighted for the measure; never worse than the best
 * polynomial of degree m, which stands in where a rational cannot be found or brings nothing.
 */
#include <math.h>

#include "function/approximation.h"

static nigh_status polynomial(nigh_context *ctx, const remez_grid *grid, int m, int n, function_ideal *out)
{
    function_ideal other = {.upper = m + 1, .lower = n + 1};
    other.q[0] = 1;
    nigh_status status = remez_polynomial(ctx, grid, m, other.p, &other.error, NULL);
    if (status != NIGH_OK) return status;
    if (!(out->error <= other.error)) *out = other;
    return NIGH_OK;
}

/* The best of degree m, or of the next lower degree at which one is found. */
static nigh_status rational(nigh_context *ctx, const remez_grid *grid, int m, int n, bool rough, function_ideal *out)
{
    nigh_status status = NIGH_FAILED;
    for (int top = m; top >= 1 && status == NIGH_FAILED; top--) {
        function_ideal ideal = {.upper = m + 1, .lower = n + 1};
        status = rational_minimax(ctx, grid, top, n, rough, ideal.p, ideal.q, &ideal.error);
        if (status == NIGH_OK) *out = ideal;
    }
    return status;
}

static nigh_status recipe(nigh_context *ctx, const function_domain *domain, const nigh_settings *settings, bool rough, function_ideal *out)
{
    int m = function_degree(domain, (int)settings->value[0]), n = (int)settings->value[1] / (domain->square ? 2 : 1);
    remez_problem problem = function_remez_problem(domain);
    if (rough) problem.smooth = false, problem.slack = .3;
    remez_grid grid;
    function_ideal ideal = {.error = INFINITY};
    nigh_status status = remez_grid_new(ctx, &problem, rough ? 24 + 4 * (m + n + 2) : 60 + 14 * (m + n + 2), &grid);
    if (status != NIGH_OK) return status;
    status = rational(ctx, &grid, m, n, rough, &ideal);
    bool found = status == NIGH_OK;
    if (found || status == NIGH_FAILED) {
        nigh_status other = polynomial(ctx, &grid, m, n, &ideal);
        status = found && other == NIGH_FAILED ? NIGH_OK : other;
    }
    remez_grid_free(ctx, &grid);
    if (status == NIGH_OK) *out = ideal;
    return status;
}

static const nigh_option options[] = {
    {.name = "degree", .type = NIGH_OPTION_INT, .low = 1, .high = 16, .value = 4, .grid = "1:10", .order = NIGH_ORDER_REFINES,
     .help = "degree of the numerator in the core argument"},
    {.name = "denominator", .type = NIGH_OPTION_INT, .low = 1, .high = 16, .value = 4, .grid = "2,4,6", .order = NIGH_ORDER_REFINES,
     .help = "degree of the denominator"},
    {.name = "reduction", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "none,native", .grid = "none,native",
     .help = "native: the known range reduction of a named function"},
    {.name = NULL},
};

static const function_approach approach = {.form = FUNCTION_RATIONAL, .recipe = recipe, .spread = {.15, 1.4}};

const nigh_method nigh_method_minimax_rational = {
    .size = sizeof(nigh_method),
    .abi = NIGH_METHOD_ABI,
    .name = "minimax-rational",
    .problem = "function",
    .summary = "the best rational function without poles",
    .source = "Y. Nakatsukasa and L. N. Trefethen, \"An algorithm for real and complex rational minimax approximation\"",
    .when = "For functions with poles or kinks near the interval, and wide intervals of functions that level off; it costs one division.",
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
