/* What no approximation can do: be finite at a pole, or nearer to f than the numbers of its type lie. */
#ifndef NIGH_FUNCTION_LIMITS_H
#define NIGH_FUNCTION_LIMITS_H
#include "function/target.h"

/*
 * NIGH_INVALID, naming the place, when |f| grows without end between two neighbours of the increasing points x[n]; f64 values y[n] are
 * finite. Looks where |f| is largest, in quadruple precision. Cost: about a millisecond.
 */
nigh_status function_pole_check(nigh_context *ctx, const function_target *target, int n, const double *x, const double *y);

/*
 * NIGH_UNMET, with an input as evidence, when even the correctly rounded answer misses `error` in this statistic: always for the worst
 * error, by a sample of 1024 inputs for the mean and the 95th percentile. Cost: a few milliseconds.
 */
nigh_status function_reachable(nigh_context *ctx, const nigh_problem *problem, nigh_statistic statistic, double error);
#endif
