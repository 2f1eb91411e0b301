/*
 * What a network gives at a point, enclosed: for counterexamples. Dot products are compensated, so that enclosures are about as narrow as f64 can tell (some 1e-15 of the sums of absolute
 * terms a layer); see point.c.
 */
#ifndef NIGH_VERIFY_POINT_H
#define NIGH_VERIFY_POINT_H
#include "verify/graph.h"

/*
 * y_low, y_high [size of the output node]: the real outputs for every real x within x_low .. x_high [inputs] (equal, or neighbours around a number that f64 does not have; wider boxes
 * are enclosed too, as by intervals). `single`: also what any evaluation in f32 gives for numbers x of f32 within, whatever the order of its sums. Infinite where f64 overflows.
 * NIGH_MEMORY; NIGH_INVALID: an empty or infinite interval.
 */
nigh_status bounds_point(const bound_graph *graph, const double *x_low, const double *x_high, bool single, double *y_low, double *y_high);
#endif
