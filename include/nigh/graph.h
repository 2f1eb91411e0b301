/*
 * nigh/graph.h: simple undirected graphs in compressed rows: made from lists of edges or generated, PageRank.
 *
 * Nodes are 0 .. nodes-1 with nodes < 2^31; an edge stands in the rows of both its ends; rows are sorted, without self loops and
 * without repetition. A graph is read-only once made, so any number of threads may use it.
 */
#ifndef NIGH_GRAPH_H
#define NIGH_GRAPH_H

#include "nigh/core.h"
#include "nigh/io.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_graph {
    int64_t nodes, edges;
    int64_t *start;      /* [nodes + 1]; the neighbours of v are neighbour[start[v]] .. neighbour[start[v+1] - 1], increasing */
    uint32_t *neighbour; /* [2 edges] */
    int64_t *old;        /* [nodes], increasing: the numbers that the nodes had in the list; NULL: the same numbers */
    int64_t loops;       /* what was dropped: self loops, */
    int64_t duplicates;  /* lines that repeat an edge in the same direction (or, in a graph made symmetric, in any), */
    int64_t mirrored;    /* edges listed once in each direction; counted as one edge */
    int64_t zeros;       /* lines of weight 0, dropped when weights are ignored */
} nigh_graph;

typedef struct nigh_graph_options {
    bool symmetrise;     /* take an edge in one direction for an undirected one where the list looks directed */
    bool ignore_weights; /* take every weight that is not 0 for 1 */
} nigh_graph_options;

/*
 * A list of edges as a graph. Self loops and repeated edges are dropped and counted; nodes are numbered anew in the order of their old
 * numbers; only nodes with a line exist (a node whose only line is a self loop does, without neighbours). A list where every edge
 * stands in both directions, or none does, is undirected; one where some do is directed and NIGH_INVALID unless
 * options->symmetrise. Weights other than 1 are NIGH_INVALID unless options->ignore_weights; NaN always. 2^31 nodes or 2^31
 * edges or more: NIGH_RESOURCE. No lines: NIGH_INVALID. options NULL: all zero. Time O(nodes log nodes + edges), memory at the peak at most 24 bytes
 * an edge beside the list. End it with nigh_graph_free.
 */
NIGH_API nigh_status nigh_graph_new(nigh_context *ctx, const nigh_edges *edges, const nigh_graph_options *options, nigh_graph *out);

/* The file of nigh_snap_read as a graph; the list is freed on the way. */
NIGH_API nigh_status nigh_graph_read(nigh_context *ctx, const char *path, const nigh_graph_options *options, nigh_graph *out);
NIGH_API void nigh_graph_free(nigh_context *ctx, nigh_graph *graph);

/* Each edge once, from < to, sorted, with the old numbers where there are any; free with nigh_edges_free. */
NIGH_API nigh_status nigh_graph_edges(nigh_context *ctx, const nigh_graph *graph, nigh_edges *out);

static inline int64_t nigh_graph_degree(const nigh_graph *graph, int64_t node) { return graph->start[node + 1] - graph->start[node]; }

/* The node with this old number, or -1. O(log nodes). */
NIGH_API int64_t nigh_graph_node(const nigh_graph *graph, int64_t old);

/*
 * PageRank ("The PageRank citation ranking", Page, Brin, Motwani and Winograd 1999) of the walk that follows an edge with chance `damping`
 * (0 to 1, 1 excluded) and jumps to any node otherwise, as it does from a node without neighbours; rank [nodes] sums to 1. Power iteration
 * until the L1 change is at most tolerance, or `most` steps; *steps (NULL is fine) tells how many. O(edges) a step.
 */
NIGH_API nigh_status nigh_graph_pagerank(nigh_context *ctx, const nigh_graph *graph, double damping, double tolerance, int most, double *rank, int *steps);

/* ---- generated graphs: same arguments and seed, same graph; all nodes exist, so old is NULL ---- */

/* Every pair is an edge with chance p (Erdos and Renyi; Gilbert 1959). O(nodes + edges). */
NIGH_API nigh_status nigh_graph_erdos_renyi(nigh_context *ctx, int64_t nodes, double p, uint64_t seed, nigh_graph *out);

/* New nodes come with `each` edges to distinct nodes chosen by degree ("Emergence of scaling in random networks", Barabasi and Albert 1999),
 * beginning with a complete graph of each + 1. */
NIGH_API nigh_status nigh_graph_barabasi_albert(nigh_context *ctx, int64_t nodes, int64_t each, uint64_t seed, nigh_graph *out);

/* 2^scale nodes, `draws` edges in the quadrants of the adjacency matrix with chances a, b, c, 1-a-b-c at every level ("R-MAT: a recursive model
 * for graph mining", Chakrabarti, Zhan and Faloutsos 2004); repetitions and loops are dropped and counted. scale 1 to 30. */
NIGH_API nigh_status nigh_graph_rmat(nigh_context *ctx, int scale, int64_t draws, double a, double b, double c, uint64_t seed, nigh_graph *out);

/* blocks of `size` nodes each; pairs of one block are edges with chance p_in, others with p_out. label [blocks size] (NULL is fine) gets the block of
 * each node; nodes are in random order unless `ordered`. */
NIGH_API nigh_status nigh_graph_planted(nigh_context *ctx, int64_t blocks, int64_t size, double p_in, double p_out, bool ordered, uint64_t seed,
                                        int64_t *label, nigh_graph *out);

#ifdef __cplusplus
}
#endif
#endif
