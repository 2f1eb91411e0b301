/* `nigh reduce least-squares --compare`: every method and LAPACK's drivers in turn. */
#ifndef NIGH_CLI_SQUARES_COMPARE_H
#define NIGH_CLI_SQUARES_COMPARE_H
#include "nigh/sketch.h"

#include <stdio.h>

/* Three rounds, each method once a round in the order of the table; the best time of each, its ratio to the chosen method's of the same round (median), its error. */
nigh_status squares_compare(nigh_context *ctx, const nigh_squares *problem, const nigh_squares_options *options, FILE *to);
#endif
