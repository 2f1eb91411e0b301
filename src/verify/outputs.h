/* Bounds of all outputs of a graph over one box: what nigh_bound_outputs does when the graph is there. */
#ifndef NIGH_VERIFY_OUTPUTS_H
#define NIGH_VERIFY_OUTPUTS_H
#include "nigh/verify.h"
#include "verify/graph.h"

/* The graph of a network for one sample: its own input shapes, -1 becoming 1. */
nigh_status outputs_graph(nigh_context *ctx, nigh_network *net, bool with_inputs, bound_graph **graph);
nigh_status outputs_graph_before_softmax(nigh_context *ctx, nigh_network *net, bound_graph **graph, int64_t *size, int64_t *stride); /* see verify/graph.h */

/* low, high [size of the output node] over box_low, box_high [inputs]; options may be NULL. NIGH_INVALID: an empty or infinite box. */
nigh_status outputs_bound(nigh_context *ctx, const bound_graph *graph, nigh_bound_kind kind, const nigh_verify_options *options, const double *box_low, const double *box_high, double *low,
                          double *high);
#endif
