/*
 * Branch and bound over the phases of relus: what its parts share. "Beta-CROWN: Efficient bound propagation with per-neuron split constraints for neural network robustness
 * verification", Wang et al. 2021; branching after "Improved branch and bound for neural network verification via Lagrangian decomposition", De Palma et al. 2021 (filtered).
 *
 * The *units* of a search are the elements of activations that are not one line on the root box. A *domain* is kept as the list of its splits with their multipliers, and
 * its slopes in 16 bits; all else is that of the root.
 */
#ifndef NIGH_VERIFY_SPLIT_RELU_H
#define NIGH_VERIFY_SPLIT_RELU_H
#include "core/heap.h"
#include "verify/descent.h"
#include "verify/relax.h"
#include "verify/search.h"

typedef struct relu_unit {
    int32_t activation, element;
    float least, most; /* of its slope */
    bool splits;       /* has its kink at 0 */
} relu_unit;

/* splits: 2 unit + (argument <= 0). The parts stand behind the structure in one block. */
typedef struct relu_domain {
    double bound;     /* of its group: proved when > 0 */
    double share;     /* of the group's root: halved by each branching */
    int32_t splits;
    int32_t branch;   /* the unit to be split next; */
    uint8_t closed;   /* 1: with its argument >= 0 proved already, 2: with <= 0 */
    int32_t *split;   /* [splits] */
    float *beta;      /* [splits] */
    float *weight;    /* [rows of the group] >= 0, when they are more than one: the combination of rows that is bounded */
    uint16_t *slope;  /* [units] */
} relu_domain;

typedef struct relu_search {
    nigh_context *ctx;
    const search_query *query;
    const search_options *options;
    const bound_graph *graph;   /* with clips taken apart */
    bounds *bounds;
    double started;
    int64_t units;
    relu_unit *unit;
    bool complete;              /* every unit splits: leaves are linear programs */
    int trials;                 /* candidates of a branching, at most RELU_CANDIDATES */
    int steps;                  /* of optimised slopes and multipliers in a child */
    double beta_rate;           /* of multipliers: they are of the size of a row's coefficients at units */
    int64_t outputs;            /* size of the output node */
    double *reach;              /* [outputs] largest magnitude on the root box */
    bounds_batch root;          /* one domain */
    bounds_batch batch, trial;  /* children; candidates of branching */
    struct relu_points *points;
    search_result *result;
    bool found;                 /* try took a point */
} relu_search;

/* ---- split_relu_graph.c ---- */

/* A graph of its own whose clips are sums of two relus, NULL when there is none to take apart. Free by bound_graph_free. */
nigh_status relu_graph_unclip(nigh_context *ctx, const bound_graph *graph, bound_graph **out);

/* ---- split_relu_domain.c ---- */

relu_domain *relu_domain_new(const relu_search *s, int32_t splits, int rows); /* NULL: memory; freed by nigh_free */

/* A copy of d, with the splits `more` behind its own. */
relu_domain *relu_domain_extend(const relu_search *s, const relu_domain *d, int rows, int32_t count, const int32_t *more);
size_t relu_domain_bytes(const relu_search *s, int32_t splits, int rows);

/* Domain i of the batch becomes that of d; and slopes and multipliers of domain i become d's (its splits are there). */
void relu_domain_load(const relu_search *s, const relu_domain *d, bounds_batch *batch, int64_t i);
void relu_domain_store(const relu_search *s, relu_domain *d, const bounds_batch *batch, int64_t i);

/* One more split of domain i. */
void relu_domain_split(const relu_search *s, bounds_batch *batch, int64_t i, int32_t unit, bool negative);

/* Whether unit u of domain i can be split still. */
bool relu_domain_open(const relu_search *s, const bounds_batch *batch, int64_t i, int64_t u);

/* A row of group g that `weight` (NULL: its only row) makes of the group's, negated, into coefficient [outputs]: it is proved where its lower bound + *level > 0. */
void relu_row(const relu_search *s, int g, const float *weight, double *coefficient, double *level);

/* ---- split_relu_branch.c ---- */

/* What is to be branched: domains of s->batch with what came out of their bounds. */
typedef struct relu_branching {
    int64_t domains;
    const int64_t *at;          /* [domains] which of the batch */
    const double *coefficient;  /* [batch's domains, outputs] */
    const double *level, *bound; /* [batch's domains]; bound: of the domain, to measure gains by */
    double *const *last;        /* [activations][batch's domains, size] */
} relu_branching;

enum { RELU_CANDIDATES = 24 };

typedef struct relu_choice {
    int32_t unit;         /* -1: nothing left to split */
    uint8_t closed;       /* as in relu_domain; 3: nothing of the domain is left */
    double bound;         /* the least of sides that are proved, INFINITY: none */
    int forced;           /* splits of other units whose other side is proved */
    int32_t force[RELU_CANDIDATES];
} relu_choice;

nigh_status relu_branch(relu_search *s, const relu_branching *what, relu_choice *choice);

/* ---- split_relu_leaf.c ---- */

typedef enum relu_leaf { RELU_LEAF_PROVED, RELU_LEAF_UNSAFE, RELU_LEAF_STUCK } relu_leaf;

/* A domain of group g without open units, loaded as domain i: its linear program gives a point to try, or multipliers by which it is proved. */
nigh_status relu_leaf_solve(relu_search *s, bounds_batch *batch, int64_t i, int g, relu_leaf *leaf, double *bound);

/* ---- split_relu_points.c ---- */

nigh_status relu_points_new(relu_search *s, struct relu_points **points);
void relu_points_free(struct relu_points *p); /* NULL is fine */

/* Climbs the margins of the groups that are alive [groups] from the centre, corners and random points. Sets s->found. */
nigh_status relu_points_attack(struct relu_points *p, const bool *alive, int rounds, double seconds);

/* n points [n, inputs] for group g: tried as they are, and after a few steps uphill. */
nigh_status relu_points_follow(struct relu_points *p, int g, int64_t n, const double *x, int steps);

/* ---- split_relu_root.c ---- */

/* Intervals, linear bounds and optimised slopes at the root; alive[groups], the first domain of each group that is left. */
nigh_status relu_root(relu_search *s, bool *alive, relu_domain **first);

bool relu_late(const relu_search *s); /* time is over */

/* ---- split_relu.c ---- */

/* search_relu that drops every forget-th child (0: none) as if it were proved: what tests must notice. */
nigh_status relu_search_forgetful(nigh_context *ctx, const search_query *query, const search_options *options, int64_t forget, search_result *result);
#endif
