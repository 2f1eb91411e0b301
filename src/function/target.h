/* The function being approximated, as the methods of the family see it; and the check of every f32 of an interval. */
#ifndef NIGH_FUNCTION_TARGET_H
#define NIGH_FUNCTION_TARGET_H
#include "nigh/expr.h"
#include "nigh/function.h"

typedef enum function_id {
    FUNCTION_EXP, FUNCTION_EXP2, FUNCTION_LOG, FUNCTION_LOG2, FUNCTION_SIN, FUNCTION_COS, FUNCTION_TANH, FUNCTION_ERF,
    FUNCTION_SIGMOID, FUNCTION_GELU, FUNCTION_SILU, FUNCTION_SOFTPLUS, FUNCTION_SQRT, FUNCTION_RSQRT, FUNCTION_NAMED
} function_id;

/* A function that has a range reduction and kernels of its own. */
typedef struct named_function {
    function_id id;
    const char *name;      /* "exp" */
    const char *text;      /* canonical text in x: "exp(x)" */
    nigh_op op;
    double low, high;      /* domain where it is finite, ends included when they are */
    bool open_low;         /* low itself is outside (log, rsqrt) */
    bool odd, even;
} named_function;

/* Entry `id`; and the one whose op is this (NULL: none). */
const named_function *function_named(function_id id);
const named_function *function_named_by_op(nigh_op op);

typedef struct function_target {
    const char *text;            /* canonical: what nigh_expr_print gives for it */
    nigh_expr *expr;             /* in the variable x */
    const named_function *named; /* NULL: a plain expression */
    double low, high;            /* f32: rounded inwards to f32 numbers */
    nigh_dtype type;
    const nigh_measure *measure;
    double flops;                /* counted work of one exact evaluation */
} function_target;

/* problem->self of a problem of kind "function"; NULL for other kinds. */
const function_target *function_target_of(const nigh_problem *problem);

/* f(x) in quadruple precision (a few ulp of it); and Taylor coefficients c[0..order] at x0, as nigh_expr_jet. */
nigh_f128 function_value(const function_target *target, nigh_f128 x);
nigh_status function_jet(nigh_context *ctx, const function_target *target, nigh_f128 x0, int order, nigh_f128 *c);

/*
 * The f64 reference on n numbers, vectorised, relatively accurate also in far tails; the workspace has
 * function_reference_workspace bytes (64-byte aligned). Thread-safe.
 */
size_t function_reference_workspace(const function_target *target);
void function_reference_f64(const function_target *target, int64_t n, const double *x, double *y, void *workspace);

/*
 * Bound of the relative error of function_reference_f64 in units of 2^-52: 8 for the named functions; for a plain
 * expression no bound can be stated beforehand (cancellation), so it is estimated: max of 8 and four times the largest
 * difference from quadruple precision seen at 4096 points, divided by max |f| where f crosses zero.
 */
#define FUNCTION_REFERENCE_ULPS 8

/* The exact computation that is timed, in the target's type: n numbers from x to y (float or double). */
void function_exact(const function_target *target, int64_t n, const void *x, void *y, void *workspace);

/* f32 numbers in [low, high], both included; -0 counts beside +0. 0 when there are none. */
int64_t function_count_f32(double low, double high);

/* out[n] from in[n]. Called from several threads at once; n is at most 4096. */
typedef void function_apply_fn(const void *user, int64_t n, const float *in, float *out);

/*
 * Walks every f32 of the target's interval (-0 and subnormals included), on all threads of the context, and bounds the
 * worst error of `apply` in the target's measure (absolute, relative, ulp). out->worst is the largest error seen against
 * the f64 reference plus the margin for that reference's own error; out->at is where it was seen, out->exact
 * says that no margin above 1e-6 of the figure was needed; out->inputs counts the floats. *mean (NULL: not wanted) is the mean error over
 * the floats. An answer that is not finite has error INFINITY. NIGH_UNSUPPORTED: not f32, or another measure;
 * NIGH_INTERRUPTED. Cost: about 2 ns a float and core for cheap functions; the full range has 4.3e9 floats.
 */
nigh_status function_exhaustive_f32(nigh_context *ctx, const function_target *target, function_apply_fn *apply,
                                    const void *user, nigh_certificate *out, double *mean);

#endif
