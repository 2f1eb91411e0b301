/*
 * nigh/function.h: functions of one variable on an interval: the problem kind "function".
 *
 * The exact computation is what a program would otherwise call: the C library's vector functions (libmvec, at the CPU
 * level in force) in the type asked for. Errors are measured against a better reference, not against that rounded
 * answer: in f64 for f32, in quadruple precision for f64.
 */
#ifndef NIGH_FUNCTION_H
#define NIGH_FUNCTION_H
#include "nigh/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_function {
    const char *text;    /* exp, exp2, log, log2, sin, cos, tanh, erf, sigmoid, gelu, silu, softplus, sqrt, rsqrt, any other
                            function of one argument that nigh/expr.h knows, or an expression in x: "exp(-x*x)*cos(3*x)" */
    double low, high;    /* the interval, both ends included: finite, low < high, inside the domain of the function; in f32 the
                            inputs are the f32 numbers in it (at least two) */
    nigh_dtype type;     /* of inputs and outputs: NIGH_F32 or NIGH_F64 */
    const char *measure; /* "absolute" (NULL means it), "relative" or "ulp" */
} nigh_function;

/*
 * A problem of kind "function": input and output are single numbers of `type`, drawn uniformly from the interval and
 * rounded to the type (inside the interval). NIGH_INVALID for text that does not parse (the nearest known name is
 * suggested), an interval that is empty, infinite or leaves the domain (the message names a point where the function is
 * not finite, found among both ends and 20,000 points between), an unknown type or measure. Text is copied. Freed with
 * nigh_problem_free.
 *
 * ulp: |answer - f| / ulp of f in the type, where ulp(f) is the spacing of the type's numbers in the binade of f, and the
 * smallest subnormal below the normal range. Errors of f32 answers carry the error of the f64 reference (a few
 * 2^-53 relative, 2^29 times smaller than an f32 ulp), which is neglected in measured figures and bounded in certificates.
 */
NIGH_API nigh_status nigh_function_problem_new(nigh_context *ctx, const nigh_function *function, nigh_problem **out);

#ifdef __cplusplus
}
#endif
#endif
