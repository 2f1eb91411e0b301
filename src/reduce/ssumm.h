/*
 * Inside of nigh_graph_summarise: supernodes with their neighbours and costs, groups of candidates, the choice of superedges.
 *
 * A supernode is known by the number of one of its nodes. Its list of neighbours may be stale: entries name supernodes that were merged into others since;
 * a union-find forest leads on, and the list is made clean when it is needed. Costs are those of the prices in force: bits of a kept superedge and of a listed
 * edge depend on the number of supernodes and on the largest weight, and change slowly; ssumm_reprice brings all up to date.
 */
#ifndef NIGH_REDUCE_SSUMM_H
#define NIGH_REDUCE_SSUMM_H
#include "nigh/summary.h"

enum { SSUMM_TABLE = 8192, SSUMM_BINS = 4096 };

typedef struct ssumm_entry {
    uint32_t id, count; /* edges to that supernode */
} ssumm_entry;

/* What is looked up at random, in 16 bytes. */
typedef struct ssumm_cell {
    uint32_t parent; /* of the union-find forest; a root is a supernode */
    uint32_t size;
    uint32_t count, stamp; /* scratch: count is valid while the stamp is the current one */
} ssumm_cell;

typedef struct ssumm_super {
    int64_t start; /* of its list */
    uint32_t length, inner; /* inner: edges between its own nodes */
    double cost;   /* of all pairs with it, itself included */
    bool stale;
} ssumm_super;

typedef struct ssumm {
    nigh_context *ctx;
    const nigh_graph *graph;
    int norm;
    nigh_summary_cost way; /* of counting costs; not AUTO */
    double bits;           /* wanted */
    int64_t nodes, supernodes;
    ssumm_cell *cell;
    ssumm_super *super;
    ssumm_entry *list;
    int64_t list_used, list_room;
    uint32_t stamp;
    bool by_error;          /* prices in force: of the error, else of a description */
    double listed, kept;    /* bits of a listed edge, or of an edge's worth of error; bits of a superedge */
    int64_t superedges;     /* kept at these prices */
    uint32_t largest;       /* weight of a superedge since the last repricing */
    int64_t repriced_at;    /* supernodes then */
    bool all_fit;           /* by error: every superedge with a gain was within the bits at the last repricing */
    double *xlogx;          /* [SSUMM_TABLE] x log2 x */
    int64_t *bins;          /* [SSUMM_BINS] scratch: superedges by the logarithm of their gain */
    int64_t compared, merges;
} ssumm;

nigh_status ssumm_new(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, ssumm *out);
void ssumm_free(ssumm *s);

uint32_t ssumm_find(ssumm *s, uint32_t node);
void ssumm_next_stamp(ssumm *s); /* no cell has the current stamp afterwards */

/* Bits of a pair with `edges` edges of `pairs` possible at the prices in force, and whether its superedge is kept. */
double ssumm_pair_cost(const ssumm *s, uint64_t edges, uint64_t pairs, bool *keep);

/* Cost of all pairs with a or b before merging them (NULL is not allowed) and after; stops early, too low, once it is above (1 - least) before. */
double ssumm_merged_cost(ssumm *s, uint32_t a, uint32_t b, double least, double *before);

/* 1 - cost after / cost before of merging a and b; stops early, with a value below `least`, once that is certain. */
double ssumm_saving(ssumm *s, uint32_t a, uint32_t b, double least);

/* Merges; returns the supernode that stays, one of the two. Fails only when memory is short. */
nigh_status ssumm_merge(ssumm *s, uint32_t a, uint32_t b, uint32_t *stays);

/* New prices from the numbers of supernodes and superedges; all costs computed anew. */
void ssumm_reprice(ssumm *s);

/* Bits of the summary as it is, and whether it fits: by description all superedges kept, by error all with a gain. */
double ssumm_bits(const ssumm *s);
bool ssumm_fits(const ssumm *s);

/* What a superedge of w edges among m pairs takes off the error of this norm: RE_2^2 or RE_1, per unordered pair. */
static inline double ssumm_gain(int norm, double w, double m) { return norm == 2 ? w * w / m : w * (2 * w / m - 1); }

/* ---- groups ---- */
typedef struct ssumm_groups {
    uint32_t *order;  /* the supernodes, those of a group together */
    int64_t *end;     /* [count]: ends of groups in order; the first begins at 0 */
    int64_t count;
    uint32_t *value;  /* scratch */
    uint64_t *sorted, *swap;
    uint8_t *cut;     /* scratch: 1 where a segment begins */
} ssumm_groups;
nigh_status ssumm_groups_new(nigh_context *ctx, int64_t nodes, ssumm_groups *out);
void ssumm_groups_free(nigh_context *ctx, ssumm_groups *g);

/* Groups of at most `most` supernodes with close neighbourhoods, by at most `hashes` min-hashes; new ones for each iteration. */
nigh_status ssumm_group(ssumm *s, int hashes, int most, uint64_t seed, ssumm_groups *g);

/* The u32 in the upper half of each key, stably; `swap` has room for n. */
void ssumm_sort(int64_t n, uint64_t *keys, uint64_t *swap);

/* ---- the end ---- */

/* The baselines of nigh_summary_way. label [nodes] is scratch. */
nigh_status ssumm_random(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, uint32_t *label, nigh_summary *out);

/* Pairs of supernodes a <= b with edges between them (a == b: inside). Ended by blocks_free. */
typedef struct blocks {
    int64_t count;
    uint32_t (*pair)[2], *edges;
    int64_t *size; /* [labels] */
} blocks;
nigh_status blocks_new(nigh_context *ctx, const nigh_graph *graph, const uint32_t *label, int64_t labels, blocks *out);
void blocks_free(nigh_context *ctx, blocks *b);

/* The best superedges within the bits: the gain of the first left out, 0 when all with a gain fit; the sum of the gains; the largest weight. */
typedef struct ssumm_price {
    double last, total;
    uint32_t largest;
} ssumm_price;
nigh_status blocks_price(nigh_context *ctx, int64_t nodes, int64_t labels, const blocks *b, double bits, int norm, ssumm_price *out);

/* The nodes of each label together: node [nodes], begin [labels + 1]. */
void members(int64_t nodes, const uint32_t *label, int64_t labels, int64_t *begin, uint32_t *node);

/* ---- moves of nodes ---- */
typedef struct ssumm_link {
    uint32_t end[2], next[2], edges; /* end[0] <= end[1]; next pairs of each end */
} ssumm_link;

typedef struct ssumm_refine {
    nigh_context *ctx;
    const nigh_graph *graph;
    uint32_t *label; /* [nodes], the caller's */
    int64_t labels, *size;
    int norm, shift;
    ssumm_price price; /* when the pairs were counted */
    double least;      /* a superedge is worth its gain above this, */
    uint32_t bound;    /* and nothing when its weight is above that */
    double *q;           /* [labels]: sum of w^2 / size of the other end over kept pairs */
    ssumm_link *link;
    int64_t links, room;
    uint32_t *slot, *first; /* of a hash table of pairs; [labels]: the list of pairs of each */
    uint32_t *count, *touch; /* edges of the lifted node to each label; labels with some */
    int64_t touched, node;
    double leave, rest, *leaving; /* of the lifted node: value of leaving pairs it has edges in, q of the others, edges of the former */
    int64_t work, moves;
} ssumm_refine;

/* Pairs and price of the partition; label is changed by moves. UINT32_MAX: weights have no bound. */
nigh_status ssumm_refine_new(nigh_context *ctx, const nigh_graph *graph, uint32_t *label, int64_t labels, double bits, int norm, uint32_t bound,
                             ssumm_refine *out);
void ssumm_refine_free(ssumm_refine *r);
double ssumm_refine_value(const ssumm_refine *r); /* of all pairs, from the counts */

/* Makes v the node in question; what its move to another label adds to the value at least; the move. O(degree), and the pairs of both supernodes for the move. */
void ssumm_refine_lift(ssumm_refine *r, int64_t v);
double ssumm_refine_gain(ssumm_refine *r, uint32_t to);
bool ssumm_refine_room(const ssumm_refine *r); /* for the pairs that a move of the lifted node may add */
void ssumm_refine_move(ssumm_refine *r, uint32_t to);

/* Every node once, to the best of some candidates if that adds value, until `most` pairs were looked at. */
nigh_status ssumm_refine_sweep(ssumm_refine *r, uint64_t seed, int64_t most);

/* Bounds the weights and moves nodes while superedges chosen within the bits take off more. label [nodes], *labels are changed. */
nigh_status ssumm_mend(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, uint32_t *label, int64_t *labels, nigh_summary_report *report);

/* The summary with rows of superedges from pairs a <= b, given once each, weights > 0. Copies; label [nodes] in 0 .. labels-1, each used. */
nigh_status summary_new(nigh_context *ctx, int64_t nodes, int64_t edges, const uint32_t *label, int64_t labels, const int64_t *old, int64_t superedges,
                        const uint32_t (*pair)[2], const uint32_t *weight, nigh_summary *out);
#endif
