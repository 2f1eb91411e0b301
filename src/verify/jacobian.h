/*
 * Bounds of Clarke Jacobians: the chain rule of a network as a network of its own, relaxed to lines and substituted back ("Efficiently Computing Local Lipschitz Constants of
 * Neural Networks via Bound Propagation", Shi et al. 2022).
 *
 * For a row g of the outputs let G_k be the gradient of g . f by the result of node k: G_output = g, G_k = sum over the nodes that take k of W' G (affine) or D G (activations;
 * D = diag(d), d anywhere in [d_low, d_high]). J = G_0. Only p = d a is not linear. With a in [la, ua] its convex hull in (a, p) is a parallelogram or a wedge
 * with one line above and one below:
 *      la >= 0:  dl a <= p <= du a        ua <= 0:  du a <= p <= dl a        else: chords of max(dl a, du a) above and of min(dl a, du a) below.
 * No slope is free: for given intervals of the a, substitution solves the linear program over all the hulls exactly (the choice of a line is greedy, and the ends la, ua follow from the
 * same lines), so that there is nothing to optimise but the intervals; these shrink by splitting.
 *
 * A functional <c, G_k> becomes one of later gradients by sending c *forward* through the network's linear maps, activations multiplying by slopes: rows of many
 * functionals, elements and domains are one matrix product a layer.
 *
 * Rounding. |G_m| <= M_m, M the same chain rule with absolute values, rounded up. A row that was computed as fl(W c) is off by e, |e| <= gamma |W| |c|, which moves the functional by at
 * most |e| . M_m <= sum_j |c_j| gamma (|W|' M_m)_j. The vectors gamma |W|' M_m are made once; each step adds its sum to the row's rest. gamma counts the terms of a product, the error of
 * stored weights (slack) and the rest's own rounding. Slopes may be anything; shifts are rounded outward for the slope that was stored.
 * So every bound holds for the real network in real arithmetic.
 */
#ifndef NIGH_VERIFY_JACOBIAN_H
#define NIGH_VERIFY_JACOBIAN_H
#include "verify/graph.h"

/*
 * How p = d a is enclosed for d in [dl, du], a in [la, ua]: slope and shift of a line above, slope and shift of one below; they must hold in real arithmetic and, where a may be 0, have
 * a shift >= 0 above and <= 0 below (which follows).
 */
typedef void jacobian_lines_fn(double dl, double du, double la, double ua, double line[4]);
jacobian_lines_fn jacobian_hull;      /* as above */
jacobian_lines_fn jacobian_constants; /* constants where the sign of a is not known ("RecurJac: an efficient recursive algorithm for bounding Jacobian matrices", Zhang et al. 2019) */

typedef enum jacobian_norm { JACOBIAN_ONE, JACOBIAN_TWO } jacobian_norm; /* of a row of J: dual to distances by the largest coordinate, and Euclidean */

typedef struct jacobian jacobian;

/* The graph must stay. Up to `threads` threads; the bits do not depend on how many. NIGH_UNSUPPORTED names a node. */
nigh_status jacobian_new(nigh_context *ctx, const bound_graph *graph, int threads, jacobian **out);
void jacobian_free(jacobian *j); /* NULL is fine */

/* Domains: a target row and an interval of the derivative of every activation's element. What comes out stands behind. */
typedef struct jacobian_batch {
    int64_t domains, room;
    double *target;            /* [room, outputs] */
    double **d_low, **d_high;  /* [activations] each [room, size] */
    double **a_low, **a_high;  /* [activations] each [room, size]: gradients by the activations' results */
    double *low, *high;        /* [room, inputs]: J */
    double *bound;             /* [room]: at least the norm of J */
    double **row;              /* [activations] each [room, size]: the row that the last bound sent into the activation */
    double **line;             /* [activations] each [4, room, size]: slopes and shifts above, then below */
} jacobian_batch;

nigh_status jacobian_batch_new(nigh_context *ctx, const bound_graph *graph, int64_t room, jacobian_batch *batch);
void jacobian_batch_free(nigh_context *ctx, const bound_graph *graph, jacobian_batch *batch); /* {0} is fine */
void jacobian_batch_copy(const bound_graph *graph, const jacobian_batch *from, int64_t i, jacobian_batch *to, int64_t k); /* domain i becomes k; all but lines */

/*
 * Before the first bound: prepares the account of rounding for domains within the union of these, and sets their a intervals, J and bounds to what absolute values give.
 * NIGH_UNDECIDED: a gradient that is not bounded.
 */
nigh_status jacobian_root(jacobian *j, jacobian_batch *batch);

/*
 * Bounds of all domains: gradients at activations from the last to the first, J, and the norm; cut with what the batch holds. `lines` NULL: interval arithmetic on the chain rule.
 * `chain`: the norm is the least of the sum over J's intervals and of one row for all |J_j| (or J_j^2) by their chords; else the sum. `below` [domains] (NULL: all): only activations
 * with a smaller number are done anew (those behind a split do not change).
 */
nigh_status jacobian_bound(jacobian *j, jacobian_lines_fn *lines, bool chain, jacobian_norm norm, const int *below, jacobian_batch *batch);

/* The norm by J's intervals alone: [domains]. */
void jacobian_sums(const bound_graph *graph, jacobian_norm norm, const jacobian_batch *batch, double *bound);

/* The product of norms: at least the norm of g . f's gradient anywhere, sup |f'| over all numbers for each activation; may be infinite. */
nigh_status jacobian_product(jacobian *j, jacobian_norm norm, const double *target, double *product);

/* What the parts share. */
const bound_graph *jacobian_graph(const jacobian *j);
bool jacobian_useful(const jacobian *j, int node); /* the output depends on it */
int jacobian_threads(const jacobian *j);
#endif
