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
 * |reference - f| <= relative |reference| + absolute on the whole interval. For a single function of nigh/expr.h this
 * stands on the accuracy stated there: 8 ulp, 1024 times the smallest subnormal. For other expressions nothing can be said
 * beforehand (cancellation): absolute is estimated as 8 times the largest difference from quadruple precision at 4096
 * points (`proved` is false). Cost: 0 or about 10 ms. Where Arb is there, every f32 of an interval has a proved
 * reference instead: function/pieces.h.
 */
typedef struct function_margin {
    double relative, absolute;
    bool proved;
} function_margin;
nigh_status function_reference_margin(nigh_context *ctx, const function_target *target, function_margin *out);

/*
 * From FLT_MAX and half an ulp on, the nearest f32 is infinite: there that infinity is the right answer in every measure, with
 * error 0. A finite answer is measured as anywhere (an ulp above 2^128 is that of the binade of f, as if f32 had it).
 */
#define FUNCTION_OVERFLOW_F32 0x1.ffffffp127

/* Error of an answer in the target's measure beside f given in f64 or in quadruple precision; INFINITY when answer is not
 * finite and should be. The second finds the right ulp where f lies just below a power of two. */
double function_error(const function_target *target, double answer, double f);
double function_error_f128(const function_target *target, double answer, nigh_f128 f);

/* |answer - f| in the measure, f rounded towards 0. */
double function_in_measure(const function_target *target, double difference, double f);

/* The exact computation that is timed, in the target's type: n numbers from x to y (float or double). */
void function_exact(const function_target *target, int64_t n, const void *x, void *y, void *workspace);

/* f32 numbers in [low, high], both included; -0 counts beside +0. 0 when there are none. */
int64_t function_count_f32(double low, double high);

/* out[n] from in[n]. Called from several threads at once; n is at most 1024. */
typedef void function_apply_fn(const void *user, int64_t n, const float *in, float *out);

/*
 * A target without a problem: any interval of finite f32 numbers with low <= high, also where f overflows f32 or is not
 * defined (there every answer has error INFINITY). measure NULL: absolute. Ended with function_target_free. For proofs of kernels.
 */
nigh_status function_target_make(nigh_context *ctx, const char *text, double low, double high, const char *measure,
                                 function_target *out);
void function_target_free(nigh_context *ctx, function_target *target);

/*
 * Walks every f32 of the target's interval (-0 and subnormals included) on all threads of the context, and bounds the
 * worst error of `apply` in the target's measure (absolute, relative, ulp).
 *   out->worst   no f32 of the interval has a larger error: the largest of all errors against a reference in f64, each with the
 *                margin for the reference's own error (proved by Arb, function/pieces.h, at most 2^-46 relative); where
 *                that margin matters (more than 1e-6 of the error), the point is looked at again with 100 bits
 *   out->at      the float that gave it; out->exact: its error is worst to 1e-6 relative
 *   out->inputs  floats looked at
 *   out->how     what the reference stands on: without Arb, the stated accuracy of the f64 library or an estimate
 *   *mean        mean error over the floats, without margins (NULL: not wanted)
 * Infinite answers are right where f overflows f32 (FUNCTION_OVERFLOW_F32), and have error INFINITY elsewhere; NaN always; a finite
 * answer where |f| exceeds 2^999, too, and in relative measure an answer other than 0 where |f| is below 2^-900.
 * The same bits whatever the number of threads. NIGH_UNSUPPORTED: the target is not f32, or another measure; NIGH_INTERRUPTED.
 * Cost: 1 to 3 ns a float and core for cheap functions with AVX-512; 10 to 50 us where the function turns within a few floats
 * (sin(1000*x) of large x): when more than 10 seconds are expected, a note says so before the walk.
 */
nigh_status function_exhaustive_f32(nigh_context *ctx, const function_target *target, function_apply_fn *apply,
                                    const void *user, nigh_certificate *out, double *mean);

#endif
