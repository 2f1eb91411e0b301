/*
 * nigh/regress.h: vectors to vectors known by samples: problems of kind "map".
 *
 * A map takes d numbers to m numbers; nigh knows it by pairs of inputs and outputs, from a file or from runs of a
 * program. The methods for it (`nigh list methods`): mean, nearest, polynomial-ridge, pod-ridge, pod-kernel, rbf. All
 * are classical shortcuts; a plan of any of them is saved, loaded and exported as C.
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

#ifdef __cplusplus
}
#endif
#endif
