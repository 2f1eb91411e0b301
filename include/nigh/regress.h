/*
 * nigh/regress.h: vectors to vectors known by samples: problems of kind "map"; and what random features can reach of them.
 *
 * A map takes d numbers to m numbers; nigh knows it by pairs of inputs and outputs, from a file or from runs of a
 * program. The methods for it (`nigh list methods`): mean, nearest, polynomial-ridge, pod-ridge, pod-kernel, rbf,
 * which are classical shortcuts, bandlimited-random-features and weighted-least-squares-dpp. A plan of any of them is saved, loaded
 * and exported as C. The last asks for exact answers at points of its own (nigh/design.h).
 */
#ifndef NIGH_REGRESS_H
#define NIGH_REGRESS_H
#include "nigh/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fewest pairs that a problem can be made of. */
#define NIGH_PAIRS_LEAST 20

typedef struct nigh_pairs {
    const char *name;     /* as the user wrote it, such as the file's name */
    const nigh_array *in; /* [N, ...]: the first dimension is the sample, the rest the shape of one input */
    const nigh_array *out; /* [N, ...] with the same N */

    /*
     * One of nigh_measures(); NULL: relative-l2.
     *   relative-l2  sizes of outputs vary and the whole vector matters (fields, spectra): the default
     *   relative     every single output matters relative to itself; useless when an output passes through 0
     *   absolute     every output has the same unit and an error bar in that unit is wanted
     *   rms          the same, but the mean over the outputs matters, not the worst of them
     *   ulp          hardly ever for measured or simulated data
     * With a single output relative-l2 and relative are the same.
     */
    const char *measure;
    double exact_seconds; /* time that one exact output took, when known; 0: unknown, speed-ups are then not stated */
    const char *origin;   /* JSON text that says how to make the problem again (nigh_problem.origin); NULL: unknown */
} nigh_pairs;

/*
 * A problem of kind "map" from N >= NIGH_PAIRS_LEAST pairs. Copies everything, converted to f64; shapes of samples are
 * kept (dtype f64). problem->rows is N, low and high are the smallest and largest value of every input element, identity
 * is the SHA-256 of shapes, values and measure (not of the name), so that a ledger knows the rows again under any name.
 *
 * NIGH_INVALID: arrays of different N, too few rows, no elements, a value that is NaN or infinite (named by row and
 * column, both from 0, of the array seen as N rows), an unknown measure. NIGH_UNSUPPORTED: complex arrays.
 * *problem is freed by nigh_problem_free. Cost: one pass over the data.
 */
NIGH_API nigh_status nigh_pairs_problem_new(nigh_context *ctx, const nigh_pairs *pairs, nigh_problem **problem);

/* Expressions of several variables on a box, one output for each part between semicolons: "sin(x)*exp(y); x - y". */
typedef struct nigh_expression_map {
    const char *text;         /* of nigh/expr.h; the variables are those of nigh_expr_names, in that order */
    int64_t dims;             /* of the box; as many as variables */
    const double *low, *high; /* inputs are drawn uniformly from it */
    const char *measure;      /* NULL: relative-l2 */
} nigh_expression_map;

/*
 * A problem of kind "map" from expressions, computed in f64. NIGH_INVALID: text that does not parse, a box of another number of
 * intervals than there are variables (which are named), an empty interval, an unknown measure, an answer that is not finite at one
 * of 4096 points of the box (the point is named). Copies all; freed by nigh_problem_free.
 */
NIGH_API nigh_status nigh_expression_map_new(nigh_context *ctx, const nigh_expression_map *spec, nigh_problem **problem);

/* ---- the floor of random features --------------------------------------------------------------------- */

/*
 * A network sum_j c_j eta(a_j . x - b_j) whose hidden weights a, b are drawn once from [-lambda, lambda] and frozen cannot
 * represent every target: frequencies beyond lambda are out of reach however many units are added, as long as the
 * coefficients c stay bounded ("How Powerful are Shallow Neural Networks with Bandlimited Random Weights?"). The floor is
 * never absolute: with coefficients of unbounded size and exact arithmetic it vanishes for most activations. It is therefore
 * stated with the norm of the coefficients that goes with it, and doubles allow about 1e7 to 1e8.
 */
#define NIGH_BAND_MOST 32

typedef struct nigh_band_options {
    const char *activation; /* "sigmoid", "tanh", "gaussian", "cos", "relu" */
    int features;           /* drawn for the diagnosis: 600 stand for any number; fewer when so few are to be fitted */
    int samples;            /* taken at random for the diagnosis: 400 */
    double ridge;           /* relative to the mean square of the features' singular values; 0: by leave-one-out */
    double norm;            /* B of nigh_band_row.bounded; 0: not wanted */
    double tolerance;       /* relative error that is wanted, for `chosen`; 0: as good as it gets */
    uint64_t seed;
    int count;              /* ranges to look at, up to NIGH_BAND_MOST; 0: 1/2, 1, 2, 4 .. 256 */
    const double *lambda;   /* [count], > 0 */
} nigh_band_options;

/* Errors are root mean squares relative to the outputs' deviation from their mean: 1 is what a constant reaches. */
typedef struct nigh_band_row {
    double lambda;
    double reach;    /* lambda times the radius of the data, which were scaled to [-1, 1]: the largest |a . x| has this size */
    double floor;    /* predicted error on new inputs: left_out, continued to all samples by its fall from half of those
                        taken, but not below residual */
    double left_out; /* leave-one-out error of the samples taken, at `ridge` */
    double residual; /* what even the samples themselves keep at `ridge`: the floor of the operator */
    double norm;     /* of the coefficients there: |c| sqrt(features) relative to the deviation of the outputs */
    double ridge;
    double bounded;  /* least residual with coefficients of norm <= options.norm; NAN: not asked for */
    double spectral; /* one input: share of the outputs beyond the frequencies of the features; else NAN. For relu 0: no limit */
} nigh_band_row;

typedef struct nigh_band {
    int count, chosen;          /* chosen: the smallest lambda with floor <= tolerance / 2, or near the least floor */
    nigh_band_row row[NIGH_BAND_MOST];
    double radius;              /* of the scaled data, 1 for one input */
    char words[400];            /* what a user should know of the chosen one */
} nigh_band;

/* activation sigmoid, 600 features, 400 samples, ridge and range by leave-one-out, seed 1. */
NIGH_API nigh_band_options nigh_band_options_default(void);

/*
 * What networks with random hidden weights can reach of y[n,m] at x[n,d], for every range of weights, without fitting one.
 * Samples are scaled to [-1, 1] per input. NIGH_INVALID: lambda <= 0, an activation that is unknown or a polynomial (its span
 * is finite whatever the weights), sizes out of range, values that are not finite. Above 16 outputs the leading components
 * count. Cost: per range a singular value decomposition of samples x features, some 50 ms with the defaults.
 */
NIGH_API nigh_status nigh_band_floor(nigh_context *ctx, int64_t n, int64_t d, int64_t m, const double *x, const double *y,
                                     const nigh_band_options *options, nigh_band *out);

#ifdef __cplusplus
}
#endif
#endif
