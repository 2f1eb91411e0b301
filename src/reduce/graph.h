/* Inside of nigh/graph.h: from numbered edges to rows. */
#ifndef NIGH_REDUCE_GRAPH_H
#define NIGH_REDUCE_GRAPH_H
#include "nigh/graph.h"

/* A list whose nodes are 0 .. nodes-1 already; frees the list on the way, also on failure. Lists made here are undirected. */
nigh_status graph_of_numbered(nigh_context *ctx, int64_t nodes, nigh_edges *edges, bool symmetrise, nigh_graph *out);

/* Room for one more edge in a list that doubles. */
nigh_status graph_push(nigh_context *ctx, nigh_edges *edges, int64_t *room, int64_t from, int64_t to);
#endif
