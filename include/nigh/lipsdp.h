/*
 * nigh/lipsdp.h: how far outputs of a network can move when its input moves, anywhere: certified global Lipschitz constants.
 *
 * L = sup |f(x) - f(y)|_2 / |x - y|_2, or for single outputs |f_i(x) - f_i(y)| / |x - y|_inf. The product of the norms of the layers is an upper bound, mostly a poor
 * one; a small semidefinite program gives a much better one. "Efficient and accurate estimation of Lipschitz constants for deep neural networks",
 * Fazlyab et al. 2019 (activations of restricted slope); "Novel quadratic constraints for extending LipSDP beyond slope-restricted activations", Pauli
 * et al. 2024 (MaxMin, GroupSort, Householder).
 *
 * Differences of values stand in the program. An activation of slopes in [a, b] is c x + r u, c and r the middle and half the width, with |du| <= |dx|. A sorted group keeps
 * its sum and is 1-Lipschitz: its mean passes as it is, the rest u has |du| <= |d(x - mean)|. A Householder activation keeps all but the component along v. The equalities are
 * solved, not weighed: the program has one multiplier >= 0 for each element or group, and its bound is at most that of the paper, whose
 * further multipliers are free in sign.
 *
 * Every bound is proved for the real function of the stored weights, rounding included, by a Cholesky factorisation with a margin, whatever the solver did; see src/verify/sdp.h.
 */
#ifndef NIGH_LIPSDP_H
#define NIGH_LIPSDP_H
#include "nigh/network.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_lipschitz_kind {
    NIGH_LIPSCHITZ_LINEAR,     /* no activation */
    NIGH_LIPSCHITZ_RELU,       /* slopes 0 to 1, for samples max(x, 0) */
    NIGH_LIPSCHITZ_SLOPE,      /* slopes slope[0] to slope[1], for samples x > 0 ? slope[1] x : slope[0] x: leaky relu, and bounds of all functions of such slopes */
    NIGH_LIPSCHITZ_SORT,       /* groups of `group` neighbours sorted; 2: MaxMin */
    NIGH_LIPSCHITZ_HOUSEHOLDER /* groups x: x when v . x > 0, else x - 2 v (v . x) / |v|^2; `vector` need not have length 1 */
} nigh_lipschitz_kind;

/* y = skip x + after phi(weight x + bias); without `after`: skip x + phi(weight x + bias). */
typedef struct nigh_lipschitz_layer {
    int64_t inputs, units, outputs;
    const double *weight; /* [units, inputs] */
    const double *bias;   /* [units]; NULL: none (no bound depends on it) */
    nigh_lipschitz_kind kind;
    double slope[2];
    int64_t group;        /* SORT, HOUSEHOLDER: >= 2, divides units */
    const double *vector; /* HOUSEHOLDER: [units], group after group */
    const double *after;  /* [outputs, units]; NULL: outputs = units */
    const double *skip;   /* [outputs, inputs]; NULL: none */
} nigh_lipschitz_layer;

typedef enum nigh_lipschitz_norm { NIGH_LIPSCHITZ_L2, NIGH_LIPSCHITZ_INF } nigh_lipschitz_norm;

typedef struct nigh_lipschitz_options {
    nigh_lipschitz_norm norm;  /* of inputs, and of outputs when no rows are given */
    int64_t rows;              /* 0: L2 all outputs together; INF each output by itself, the bound is the largest */
    const double *row;         /* [rows, outputs]: bounds of |row . (f(x) - f(y))| / |x - y|, one a row */
    double gap;                /* how close to the least value of the program, relative; 0: 1e-3 */
    double seconds;            /* for the solver, in all; 0: no limit. What is reached then is proved and given */
    int64_t most;              /* largest order of a program; 0: 1600. Larger networks are cut between layers, and bounds of the parts multiplied (L2 only) */
    int64_t split;             /* cut after so many activations; 0: only where `most` asks for it */
    int64_t group;             /* networks: above 1, relus stand for sorted groups of this size (files that cannot say so); 0: relus are relus */
    int samples;               /* points for the lower bound; 0: 64, -1: none */
    uint64_t seed;
} nigh_lipschitz_options;

typedef struct nigh_lipschitz_result {
    double bound;              /* proved: L is at most this. Below 1e-250 for constants */
    double *each;              /* [count] of rows (or outputs) when they have bounds of their own, else one */
    int64_t count;
    double naive;              /* product of the norms of layers (sums where paths join), proved too; of the row with the largest bound */
    double sampled;            /* largest slope met at sampled points: L is at least this, up to rounding of f64; NAN without samples */
    double lower;              /* no bound of this program is below: bound / lower - 1 is what a better solver could gain at most */
    int64_t inputs, outputs, order, multipliers; /* of the largest program */
    int pieces;                /* > 1: cut, and looser for it */
    int steps;
    double seconds, solve_seconds; /* in all; in the solver */
    bool normalised;           /* a Householder vector was not of length 1 */
    bool early;                /* the solver was stopped by time or precision: proved, but not within the gap */
} nigh_lipschitz_result;

/* NIGH_INVALID names the layer and what is wrong with it: sizes that do not follow, a width that a group does not divide, slopes not finite. options NULL: all as stated. */
NIGH_API nigh_status nigh_lipschitz_layers(nigh_context *ctx, int layers, const nigh_lipschitz_layer *layer, const nigh_lipschitz_options *options,
                                           nigh_lipschitz_result *result);

/*
 * Of a network: one input; shapes as in nigh_verify (-1 becomes 1). Affine layers of any kind (convolutions as their matrices: at most 4e7 numbers), element-wise activations, maxima
 * (pairs of max and min of the same values share one unit), "max-min" and "group-sort" over the last dimension; any way of joining them by sums.
 * NIGH_UNSUPPORTED names a layer that is none of these or has no bounded slope.
 */
NIGH_API nigh_status nigh_lipschitz_network(nigh_context *ctx, nigh_network *net, const nigh_lipschitz_options *options, nigh_lipschitz_result *result);

NIGH_API void nigh_lipschitz_result_free(nigh_context *ctx, nigh_lipschitz_result *result); /* {0} is fine */

/* The norm of the layers' Jacobian at x [inputs] in plain f64 (L2: largest singular value by `steps` of the power method; with a row [outputs]: the dual norm of its gradient). */
NIGH_API nigh_status nigh_lipschitz_at(nigh_context *ctx, int layers, const nigh_lipschitz_layer *layer, nigh_lipschitz_norm norm, const double *row, const double *x, int steps,
                                       double *slope);

#ifdef __cplusplus
}
#endif
#endif
