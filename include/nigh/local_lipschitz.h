/*
 * nigh/local_lipschitz.h: how fast a network's outputs can change inside a box, proved ("Efficiently Computing Local Lipschitz Constants of Neural Networks via Bound
 * Propagation", Shi, Wang, Zhang, Kolter, Hsieh 2022).
 *
 * For a row r of the outputs the local constant over a box is the supremum over the box of the dual norm of the (Clarke) gradient of r . f: the sum of |J_j| when distances of inputs are
 * their largest coordinate (NIGH_LOCAL_LIPSCHITZ_INF), the Euclidean norm for Euclidean distances. |r . f(x) - r . f(y)| <= bound |x - y| for x, y in the box. The exact value is NP-hard to find.
 *
 * How: intervals of all activations' arguments over the box; from them intervals of the derivatives; the chain rule as a network of its own, every product of an unknown derivative and an
 * unknown gradient enclosed by its convex hull's two lines and substituted back; |.| chained as one more layer; branch and bound over the activations whose derivative
 * is not known. Relu, leaky relu, abs and clip have two-valued derivatives; tanh, sigmoid, softplus, elu, gelu, silu, exp, square, sin, cos are enclosed by their derivative's interval.
 *
 * Bounds are about the real function of the stored weights on the real box; all rounding is accounted for (src/verify/jacobian.h says how).
 */
#ifndef NIGH_LOCAL_LIPSCHITZ_H
#define NIGH_LOCAL_LIPSCHITZ_H
#include "nigh/verify.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_local_lipschitz_norm {
    NIGH_LOCAL_LIPSCHITZ_INF, /* of inputs: the largest coordinate */
    NIGH_LOCAL_LIPSCHITZ_TWO  /* Euclidean; looser: squares are enclosed by chords */
} nigh_local_lipschitz_norm;

typedef enum nigh_local_lipschitz_relaxation {
    NIGH_LOCAL_LIPSCHITZ_LINES,    /* the convex hull of each product */
    NIGH_LOCAL_LIPSCHITZ_RECURJAC, /* constants where a gradient's sign is not known ("RecurJac", Zhang, Zhang, Hsieh 2019), |.| not chained: to be compared with */
    NIGH_LOCAL_LIPSCHITZ_INTERVALS /* interval arithmetic on the chain rule: to be compared with */
} nigh_local_lipschitz_relaxation;

typedef struct nigh_local_lipschitz_options {
    nigh_local_lipschitz_norm norm;
    nigh_bound_kind forward;              /* how the arguments of activations are bounded */
    nigh_local_lipschitz_relaxation relaxation; /* splitting wants LINES */
    double seconds;                       /* for splitting, wall clock, all rows together; 0: none */
    bool rerun;                           /* arguments are bounded anew under each split: slower, and the only way below `pattern` */
    double gap;                           /* splitting ends when bound <= (1 + gap) pattern */
    int64_t most_domains;                 /* waiting at once; 0: what fits into 1 GiB */
    int64_t samples, ascents;             /* points drawn in the box; climbs from the best of them. 0: none */
    uint64_t seed;
} nigh_local_lipschitz_options;

/* INF, CROWN, LINES, no splitting, gap 1e-6, 1024 samples, 8 climbs. */
NIGH_API nigh_local_lipschitz_options nigh_local_lipschitz_defaults(void);

typedef struct nigh_local_lipschitz_result {
    double bound;         /* proved */
    double unsplit;       /* proved, before splitting */
    double product;       /* proved: product of norms over all layers */
    bool by_product;      /* it was the smallest of all (or the only finite one), and is the bound */
    double sampled;       /* the norm at `at`, the best point seen: not a bound, but the exact value is not below it (up to an evaluation in f64). NAN: none */
    double pattern;       /* the norm for the best choice of derivatives within their intervals: no splitting without `rerun` gets below it. NAN: splitting was not asked for */
    bool converged;       /* splitting ended by itself (gap reached, or nothing was left to split) */
    const char *why;      /* how it ended: "converged", "time", "memory", "not asked for" */
    int64_t activations, unstable; /* elements; those whose derivative is not known */
    int64_t domains;      /* bounded while splitting this row */
    double *low, *high;   /* [inputs] proved intervals of J: of the whole box, before splitting. low >= 0: the row does not fall in that input anywhere in the box */
    double *at;           /* [inputs]; NULL without samples */
    double forward_seconds, seconds; /* of the forward bounds and of all, all rows together */
} nigh_local_lipschitz_result;

/*
 * Bounds for each of `rows` rows [rows, outputs] (outputs flattened and concatenated) over the box low, high [inputs] of one sample (dimensions that may be any are 1). options NULL:
 * defaults. Splitting goes to the row with the largest bound. result [rows]; end them with nigh_local_lipschitz_free.
 * NIGH_UNSUPPORTED names a layer without bounds; NIGH_INVALID: an empty or infinite box, a row that is not finite; NIGH_UNDECIDED: an argument or derivative
 * without a finite bound over the box; NIGH_INTERRUPTED.
 * Cost of one row: about (sum of unknown derivatives + 2 inputs) evaluations of the network's linear maps, in batches.
 */
NIGH_API nigh_status nigh_local_lipschitz(nigh_context *ctx, nigh_network *net, const double *low, const double *high, int64_t rows, const double *row,
                                          const nigh_local_lipschitz_options *options, nigh_local_lipschitz_result *result);
NIGH_API void nigh_local_lipschitz_free(nigh_context *ctx, int64_t rows, nigh_local_lipschitz_result *result); /* {0} is fine */

typedef enum nigh_monotone_answer {
    NIGH_MONOTONE_RISES,   /* proved: J >= 0 all over the box */
    NIGH_MONOTONE_FALLS,   /* proved: J <= 0 */
    NIGH_MONOTONE_NEITHER, /* two points of the box have J of opposite signs (in f64, by more than 1e-9 of the largest) */
    NIGH_MONOTONE_UNKNOWN
} nigh_monotone_answer;

typedef struct nigh_monotone_result {
    nigh_monotone_answer answer;
    double low, high; /* proved: J is within, over the whole box (over the pieces that were left when the answer was found) */
    int64_t pieces;   /* bounded */
} nigh_monotone_result;

/*
 * Whether row . f [outputs] rises or falls with one input all over the box: J of that input is bounded, and pieces of the box whose sign is open are halved in that input, at most
 * most_pieces (1 or more) in all. Of options norm, seconds and samples are not looked at. Errors as nigh_local_lipschitz.
 */
NIGH_API nigh_status nigh_monotone(nigh_context *ctx, nigh_network *net, const double *low, const double *high, const double *row, int64_t input, int64_t most_pieces,
                                   const nigh_local_lipschitz_options *options, nigh_monotone_result *result);

#ifdef __cplusplus
}
#endif
#endif
