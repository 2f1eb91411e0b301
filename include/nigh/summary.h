/*
 * nigh/summary.h: a graph in fewer bits: supernodes (groups of nodes) and superedges with the number of edges that they stand for
 * ("SSumM: Sparse Summarization of Massive Graphs", Lee, Jo, Ko, Lim and Shin 2020), and answers to questions from the summary alone.
 *
 * The summary stands for the matrix Ahat: for different nodes u in supernode A, v in supernode B, Ahat(u,v) = w_AB / (|A| |B|), inside a
 * supernode 2 w_AA / (|A| (|A| - 1)), and 0 where there is no superedge; w counts edges. Its size in bits is
 *   superedges (2 log2(supernodes) + log2(largest w)) + nodes log2(supernodes),
 * that of a graph 2 edges log2(nodes). Its error is RE_p = (sum over ordered pairs u != v of |A(u,v) - Ahat(u,v)|^p)^(1/p) / (nodes (nodes - 1)).
 */
#ifndef NIGH_SUMMARY_H
#define NIGH_SUMMARY_H

#include "nigh/core.h"
#include "nigh/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read-only once made: any number of threads may ask one summary. */
typedef struct nigh_summary {
    nigh_context *ctx;
    int64_t nodes, edges;   /* of the graph */
    int64_t supernodes, superedges;
    uint32_t *supernode;    /* [nodes]: where each node belongs */
    int64_t *old;           /* [nodes], increasing: numbers of the nodes in the list of edges; NULL: the same */
    int64_t *size;          /* [supernodes] > 0 */
    int64_t *start;         /* [supernodes + 1]; the superedges of A are entries start[A] .. start[A+1]-1, a superedge of two supernodes stands */
    uint32_t *other;        /* in both rows; sorted */
    uint32_t *weight;       /* edges that each stands for, > 0 */
} nigh_summary;

typedef enum nigh_summary_way {
    NIGH_SUMMARY_SSUMM,       /* merges by cost, superedges decided anew at every merge; then moves of nodes */
    NIGH_SUMMARY_RANDOM,      /* baseline: random pairs are merged, as many as give the smallest error of a ladder of numbers of supernodes */
    NIGH_SUMMARY_RANDOM_FULL  /* baseline: random pairs are merged until all superedges fit */
} nigh_summary_way;

/* What a merge has to save. */
typedef enum nigh_summary_cost {
    NIGH_SUMMARY_AUTO,        /* the default: ERROR */
    NIGH_SUMMARY_DESCRIPTION, /* the paper's: bits of a superedge and of the entropy of its block, or 2 log2(nodes) for each edge, whichever is less; for RE_1 the
                                 latter where at most half of the pairs are edges. A superedge is priced 2 log2(supernodes). Merging stops as soon as the summary fits */
    NIGH_SUMMARY_ERROR        /* bits of the superedges and the error that is left, at the price that makes superedges worth keeping up to the bits wanted;
                                 DESCRIPTION as long as names of supernodes take more than a third of the bits */
} nigh_summary_cost;

/* Zero means the default. */
typedef struct nigh_summary_options {
    double bits;       /* the most that the summary may take; required */
    int norm;          /* 1 or 2: the RE_p that is to be small; default 2 */
    int iterations;    /* T, 1 to 1000; default 20. The threshold of the saving is 1/(1+t) in iteration t < T and 0 in the last */
    int hashes;        /* levels of min-hashing to form groups of candidates, 1 to 100; default 10 */
    int group;         /* nodes in a group at most, 2 to 100000; default 500 */
    uint64_t seed;
    nigh_summary_way way;
    nigh_summary_cost cost;
    int sweeps;        /* over all nodes after merging, 1 to 1000 at most, as long as they help: heavy supernodes are halved, nodes move to where less error
                          is left. -1: none. Default 12 with ERROR, none with DESCRIPTION */
} nigh_summary_options;

/* What happened. */
typedef struct nigh_summary_report {
    int iterations;         /* begun */
    int64_t merges;
    int sweeps;
    int64_t moves;          /* of nodes in sweeps */
    int64_t compared;       /* pairs whose saving was computed */
    double seconds;
} nigh_summary_report;

/*
 * A summary of at most options->bits bits. NIGH_INVALID, naming the minimum, when bits is below log2(edges): one supernode with its superedge;
 * and for options out of range or a graph without edges. Expected time O(iterations * edges), memory about 30 bytes an edge and 60 a node beside the graph.
 * The result depends on graph, options and seed alone. report: NULL is fine. End it with nigh_summary_free.
 */
NIGH_API nigh_status nigh_graph_summarise(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *options, nigh_summary *out,
                                          nigh_summary_report *report);

/* The summary of a given partition, label[v] in 0 .. labels-1 (each in use), with those superedges within `bits` that make RE_norm smallest; supernodes
 * that keep none become one. NIGH_INVALID when nodes log2(supernodes) alone is more than bits. */
NIGH_API nigh_status nigh_summary_of_partition(nigh_context *ctx, const nigh_graph *graph, const uint32_t *label, int64_t labels, double bits, int norm,
                                               nigh_summary *out);
NIGH_API void nigh_summary_free(nigh_summary *summary); /* what it holds, not the struct */

/* Bits by the formula above, and of the graph that it stands for. */
NIGH_API double nigh_summary_bits(const nigh_summary *summary);
NIGH_API double nigh_graph_bits(int64_t nodes, int64_t edges);

/* RE_1 and RE_2 against the graph, without expanding: O(edges + superedges). NIGH_INVALID when the numbers of nodes differ or are below 2. */
NIGH_API nigh_status nigh_summary_errors(nigh_context *ctx, const nigh_summary *summary, const nigh_graph *graph, double *re1, double *re2);

/* ---- the file: npz with "supernode" u32 [nodes], "superedge" u32 [superedges,2], "weight" u32 [superedges], "edges" i64, and "old" i64 [nodes] where nodes
 * were renumbered ---- */
NIGH_API nigh_status nigh_summary_write(nigh_context *ctx, const char *path, const nigh_summary *summary);
NIGH_API nigh_status nigh_summary_format(nigh_context *ctx, const nigh_summary *summary, nigh_buffer *out);

/* Everything is checked: shapes, types, ranges, supernodes that exist, superedges given once with a weight of at most the pairs that they cover,
 * numbers increasing; NIGH_FORMAT otherwise. */
NIGH_API nigh_status nigh_summary_read(nigh_context *ctx, const char *path, nigh_summary *out);
NIGH_API nigh_status nigh_summary_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_summary *out);

/* ---- questions: nodes are 0 .. nodes-1 ---- */

/* The node with this old number, or -1. */
NIGH_API int64_t nigh_summary_node(const nigh_summary *summary, int64_t old);

/* Ahat(u,v). O(log superedges of u's supernode). */
NIGH_API double nigh_summary_edge(const nigh_summary *summary, int64_t u, int64_t v);

/* Expected degree: the sum of the row of Ahat. O(superedges of the supernode). */
NIGH_API double nigh_summary_degree(const nigh_summary *summary, int64_t node);

/* All nodes v with Ahat(node,v) > 0, the largest first, those of one supernode by number; at most `most`. *count of them in
 * neighbour and value [most]. O(nodes + superedges log superedges). */
NIGH_API nigh_status nigh_summary_neighbours(nigh_context *ctx, const nigh_summary *summary, int64_t node, int64_t most, int64_t *neighbour, double *value,
                                             int64_t *count);

/* PageRank of the walk on Ahat, as nigh_graph_pagerank; rank [nodes]. All nodes of a supernode have the same rank, so a step takes O(superedges). */
NIGH_API nigh_status nigh_summary_pagerank(nigh_context *ctx, const nigh_summary *summary, double damping, double tolerance, int most, double *rank, int *steps);

/* A picture as inline SVG: the largest supernodes (at most 60) as discs of areas as their numbers of nodes, superedges by density, placed by
 * repulsion and springs. Colours by the classes of nigh's reports. */
NIGH_API nigh_status nigh_summary_picture(nigh_context *ctx, const nigh_summary *summary, nigh_buffer *html);

#ifdef __cplusplus
}
#endif
#endif
