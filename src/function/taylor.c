/*
 * Taylor polynomials: the series at the middle of the interval (at 0 for odd and even functions), cut off.
 */
#include "function/approximation.h"

/* Where the series starts: 0 where there is a zero or symmetry to keep and 0 is near the middle. */
static nigh_f128 middle(const function_domain *domain, nigh_f128 low, nigh_f128 high)
{
    nigh_f128 centre = (low + high) / 2, half = (high - low) / 2;
    if (domain->square || function_abs(centre) < half * 1e-6L) return 0;
    if (domain->factor && function_abs(centre) < half / 4) return 0;
    return function_round(domain->type, centre);
}

static nigh_status recipe(nigh_context *ctx, const function_domain *domain, const nigh_settings *settings, bool rough, function_ideal *out)
{
    enum { POINTS = 48 };
    nigh_f128 low, high;
    int degree = function_degree(domain, (int)settings->value[0]);
    function_domain_range(domain, &low, &high);
    *out = (function_ideal){.powers = true, .centre = middle(domain, low, high), .upper = degree + 1};
    nigh_status status = function_domain_jet(ctx, domain, out->centre, degree, out->p);
    if (status != NIGH_OK) return nigh_within(ctx, status, "Taylor series at %.6g", (double)out->centre);
    for (int i = 0; i <= POINTS; i++) {
        nigh_f128 v = low + (high - low) * i / POINTS, value, weight, sum = 0;
        function_domain_at(domain, v, &value, &weight);
        for (int k = degree; k >= 0; k--) sum = sum * (v - out->centre) + out->p[k];
        nigh_f128 e = function_abs(value - sum) * weight;
        if (!(e <= out->error)) out->error = e;
    }
    return NIGH_OK;
}

static const nigh_option options[] = {
    {.name = "degree", .type = NIGH_OPTION_INT, .low = 1, .high = 20, .value = 5, .grid = "1:20", .order = NIGH_ORDER_REFINES,
     .help = "degree in the core argument; odd and even functions use only their own powers"},
    {.name = "reduction", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "none,native", .grid = "none,native",
     .help = "native: the known range reduction of a named function"},
    {.name = NULL},
};

static const function_approach approach = {.form = FUNCTION_POLYNOMIAL, .recipe = recipe, .naive = true, .spread = {.02, 1.2}};

const nigh_method nigh_method_taylor = {
    .size = sizeof(nigh_method),
    .abi = NIGH_METHOD_ABI,
    .name = "taylor",
    .problem = "function",
    .summary = "the Taylor polynomial at the middle of the interval",
    .source = "B. Taylor, \"Methodus incrementorum directa et inversa\"",
    .when = "Hardly ever: minimax of the same degree is always better. It is the yardstick that textbooks use.",
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
