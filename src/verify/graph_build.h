/* Graphs while they are made: nodes are added at the end, then the graph is finished. */
#ifndef NIGH_VERIFY_GRAPH_BUILD_H
#define NIGH_VERIFY_GRAPH_BUILD_H
#include "verify/graph.h"

typedef struct graph_build {
    bound_graph *graph;
    int room;
} graph_build;

/* An empty graph with its arena. */
nigh_status graph_build_new(nigh_context *ctx, graph_build *build);
void graph_build_free(graph_build *build); /* after a failure */

/* Adds a node whose arrays lie in the graph's arena (inputs and scales, few, are copied); its number, or -1 with the message set. */
int graph_build_add(graph_build *build, const bound_node *node);

/* The node that is the output; activations are listed. */
nigh_status graph_build_finish(graph_build *build, int output, int64_t outputs);

/* Scales and orders behind dense layers and convolutions that nobody else reads are taken into their rows; nodes that the output does not need go. */
nigh_status graph_fold(graph_build *build, int *output);

double bound_function_at(bound_function f, const double p[2], double x); /* in plain f64 */
#endif
