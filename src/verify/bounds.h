/*
 * Bounds of a network over many boxes at once: intervals, linear bounds propagated back to the input (CROWN: "Efficient neural network robustness
 * certification with general activation functions", Zhang et al. 2018), the same with optimised slopes (alpha-CROWN: "Fast and complete: enabling complete
 * verification with massively parallel incomplete verifiers", Xu et al. 2021) and with the signs of split relus as Lagrangian terms (beta-CROWN, Wang et al. 2021).
 *
 * A *domain* is an input box and, for every activation, an interval in which its argument lies on the part of the box that is meant. Domains of a batch
 * share the graph. Rows are linear functionals of a node's result whose lower bounds are wanted (upper ones are those of the negated row).
 *
 * Every bound is proved unless `fast`: each backward step leaves a rest of rounding that is at most sum_j |a_j| r_j, a the row and r a vector prepared once
 * from weights and magnitudes over the root box; the rests are subtracted. Computation is f64 throughout.
 */
#ifndef NIGH_VERIFY_BOUNDS_H
#define NIGH_VERIFY_BOUNDS_H
#include "verify/graph.h"

typedef struct bounds_options {
    bool fast;    /* no account of rounding */
    bool single;  /* bounds of what any evaluation in f32 gives, whatever its order of additions (--semantics f32) */
    int threads;
} bounds_options;

typedef struct bounds bounds;

/*
 * Prepares a graph for boxes within the root box low, high [inputs]. The graph must stay. One call at a time works with one of these. NIGH_MEMORY; NIGH_INVALID: an empty or
 * infinite root box; NIGH_UNDECIDED names the layer whose values may reach 1e300 (`single`: 1e38).
 */
nigh_status bounds_new(nigh_context *ctx, const bound_graph *graph, const bounds_options *options, const double *low, const double *high, bounds **out);
void bounds_free(bounds *b); /* NULL is fine */

/* A batch. All arrays belong to the caller; see bounds_batch_new. Domain i of the batch has its rows i. */
typedef struct bounds_batch {
    int64_t domains, room;
    double *low, *high;            /* [room, inputs] */
    double **pre_low, **pre_high;  /* [activations] each [room, size]: intervals of the arguments */
    double **slope;                /* [activations] each [room, size], or NULL: parameters for relax_lines, one set for all rows of a domain */
    int8_t **split;                /* [activations] each [room, size], or NULL: +1 / -1: the relu's argument is held to be >= 0 / <= 0; pre_low and pre_high say the same */
    double **beta;                 /* [activations] each [room, size], or NULL: multipliers >= 0 of the splits */
} bounds_batch;

enum { BOUNDS_SLOPE = 1, BOUNDS_SPLIT = 2 }; /* wanted: slope arrays; split and beta arrays */
nigh_status bounds_batch_new(nigh_context *ctx, const bound_graph *graph, int64_t room, int wanted, bounds_batch *batch);
void bounds_batch_free(nigh_context *ctx, const bound_graph *graph, bounds_batch *batch); /* {0} is fine */
void bounds_batch_copy(const bound_graph *graph, const bounds_batch *from, int64_t i, bounds_batch *to, int64_t j); /* what both have */

/* Sets all pre intervals by interval arithmetic; `keep`: cut with those that are there. Empty intervals after cutting (low > high) mean: nothing of the domain is left. */
void bounds_interval(bounds *b, bounds_batch *batch, bool keep);

/* Result intervals [domains, size of node] of any node from pre intervals and box. */
void bounds_interval_of(bounds *b, const bounds_batch *batch, int node, double *low, double *high);

/*
 * All pre intervals by linear bounds, activation after activation, cut with what is there; elements whose function is one line on the interval they have are skipped.
 * The lines are those without parameters, whatever slopes and multipliers the batch has: these are tuned for other rows.
 * `from`: the first activation to be done (0: all).
 */
nigh_status bounds_crown(bounds *b, bounds_batch *batch, int from);

/* A row's bound is to hold on the part of the domain where this argument of an activation with its kink at 0 is >= 0, or <= 0. activation -1: on all of it. */
typedef struct bounds_half {
    int activation;
    int64_t element;
    bool negative;
} bounds_half;

/* Rows whose lower bounds are wanted: coefficients [domains, rows, size of node], or, when `shared`, [rows, size] for all domains. */
typedef struct bounds_rows {
    int node;
    int64_t rows;
    const double *coefficient;
    bool shared;
    const struct bounds_half *half; /* [domains, rows], NULL: none; not for bounds_optimise */
    /* What comes out; NULL: not wanted. */
    double *bound;    /* [domains, rows] lower bounds */
    double *input;    /* [domains, rows, inputs] coefficients of the linear bound on the box, */
    double *constant; /* [domains, rows] and its constant (rounding taken off) */
    double **last;    /* [activations] each [domains, rows, size]: the row that arrived at the activation's result (for scores of branching) */
} bounds_rows;

/* Lower bounds of rows with the batch's intervals, slopes and multipliers. */
nigh_status bounds_lower(bounds *b, const bounds_batch *batch, const bounds_rows *rows);

/* Where slopes begin, for domains from `first` on: what relax_lines takes without a parameter for lines through 0, the middle for tangents. */
void bounds_slopes(const bound_graph *graph, bounds_batch *batch, int64_t first);

/*
 * Moves the slopes (and multipliers where there are splits) of the batch to make bounds larger by `steps` of Adam, rate falling by `decay` each step; keeps, domain by
 * domain, what was best. Aim: the least bound of a domain's rows when `rows` are all to hold, or the sum. `stop`: bounds >= level [rows] (NULL: never) end a domain's work.
 * Afterwards rows->bound (and the rest) are those of the best. Slopes are shared by a domain's rows; with rows = 1 they are that row's own.
 */
typedef struct bounds_optimise_options {
    int steps;       /* 20 */
    double rate, beta_rate, decay; /* 0.25, 0.05, 0.98 */
    const double *level;
} bounds_optimise_options;
nigh_status bounds_optimise(bounds *b, bounds_batch *batch, const bounds_rows *rows, const bounds_optimise_options *options);

/*
 * Intermediate intervals with optimised slopes (all activations; slopes of each start row its own): the slow, tight form for the root of a search and for
 * single bounds. What it finds is cut into the batch's intervals.
 */
nigh_status bounds_tighten(bounds *b, bounds_batch *batch, const bounds_optimise_options *options);
#endif
