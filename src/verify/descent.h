/*
 * Values and gradients of a bound graph for a few points at once, in plain f64: for attacks and sampled derivatives. Arrays are [numbers, DESCENT_LANES], a point in each lane.
 */
#ifndef NIGH_VERIFY_DESCENT_H
#define NIGH_VERIFY_DESCENT_H
#include "verify/graph.h"

enum { DESCENT_LANES = 16 };

typedef struct descent descent;

/* The graph must stay. One thread at a time. */
nigh_status descent_new(nigh_context *ctx, const bound_graph *graph, descent **out);
void descent_free(descent *d); /* NULL is fine */

/* The outputs [size of the output node, DESCENT_LANES] at x [inputs, DESCENT_LANES]; valid until the next call. */
const double *descent_values(descent *d, const double *x);

/* Gradient [inputs, DESCENT_LANES] of sum_k weight[k] y_k at the last x, weight [size of the output node, DESCENT_LANES]; valid until the next call. At a kink the right-hand derivative. */
const double *descent_gradient(descent *d, const double *weight);
#endif
