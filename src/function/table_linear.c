/*
 * A table of linear pieces of equal width, each through its own Chebyshev points, which is the best linear
 * polynomial on it to leading order (half the error of interpolation between the ends for lines).
 */
#include "function/approximation.h"

static const nigh_option options[] = {
    {.name = "entries", .type = NIGH_OPTION_INT, .low = 16, .high = 65536, .value = 256, .grid = "16*2:65536", .order = NIGH_ORDER_REFINES,
     .help = "number of pieces"},
    {.name = "reduction", .type = NIGH_OPTION_CHOICE, .low = 0, .high = 1, .choices = "none,native", .grid = "none,native",
     .help = "native: the known range reduction of a named function"},
    {.name = NULL},
};

static const function_approach approach = {.form = FUNCTION_TABLE, .order = 1, .spread = {.02, 2}};

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
    .family = &approach,
    .supports = function_supports,
    .estimate = function_estimate,
    .start = function_fit_start,
    .advance = function_fit_advance,
    .finish = function_fit_finish,
    .abandon = function_fit_abandon,
    .load = function_load,
};
