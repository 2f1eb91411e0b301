/*
 * Elementwise operators on dense arrays: one kernel an operator, type and CPU level. The tape's executor runs chains of them over
 * tiles that stay in the first-level cache.
 */
#ifndef NIGH_TENSOR_ELEMENTWISE_H
#define NIGH_TENSOR_ELEMENTWISE_H
#include "nigh/core.h"

typedef enum elementwise_id {
    /* one input; p[0], p[1] are parameters where the comment names them */
    ELEMENTWISE_COPY,
    ELEMENTWISE_NEG,
    ELEMENTWISE_ABS,
    ELEMENTWISE_SIGN,       /* -1, 0, 1; NaN stays */
    ELEMENTWISE_SQUARE,
    ELEMENTWISE_SQRT,
    ELEMENTWISE_RSQRT,      /* 1 / sqrt(x), correctly rounded twice */
    ELEMENTWISE_RECIPROCAL,
    ELEMENTWISE_EXP,
    ELEMENTWISE_EXPM1,
    ELEMENTWISE_LOG,
    ELEMENTWISE_LOG1P,
    ELEMENTWISE_SIN,
    ELEMENTWISE_COS,
    ELEMENTWISE_TANH,
    ELEMENTWISE_SIGMOID,
    ELEMENTWISE_SOFTPLUS,   /* log(1 + exp(p0 x)) / p0, no overflow */
    ELEMENTWISE_SILU,       /* x sigmoid(x) */
    ELEMENTWISE_SILU_SLOPE, /* its derivative */
    ELEMENTWISE_GELU,       /* x Phi(x), Phi by erf */
    ELEMENTWISE_GELU_SLOPE, /* Phi(x) + x phi(x) */
    ELEMENTWISE_ERF,
    ELEMENTWISE_RELU,
    ELEMENTWISE_LEAKY,      /* x > 0 ? x : p0 x */
    ELEMENTWISE_STEP,       /* x > 0 ? 1 : p0 */
    ELEMENTWISE_ROUND,      /* to nearest, ties to even */
    ELEMENTWISE_FLOOR,
    ELEMENTWISE_AFFINE,     /* p0 x + p1, one fma */
    ELEMENTWISE_POW,        /* x^p0 */
    ELEMENTWISE_CLAMP,      /* to [p0, p1]; NaN stays */
    ELEMENTWISE_INSIDE,     /* p0 <= x <= p1 ? 1 : 0 */
    /* two inputs */
    ELEMENTWISE_ADD,
    ELEMENTWISE_SUB,
    ELEMENTWISE_MUL,
    ELEMENTWISE_DIV,
    ELEMENTWISE_MIN,        /* NaN when either is */
    ELEMENTWISE_MAX,
    ELEMENTWISE_GREATER,    /* a > b ? 1 : 0 */
    ELEMENTWISE_GREATER_EQUAL,
    ELEMENTWISE_EQUAL,
    /* three inputs */
    ELEMENTWISE_WHERE,      /* a != 0 ? b : c */
    ELEMENTWISE_FMA,        /* a b + c, one rounding */
    ELEMENTWISE_COUNT
} elementwise_id;

/* n results into out from n elements of each input; out may be one of the inputs (same address) or overlap none. n = 0 is fine. */
typedef void elementwise_kernel(int64_t n, const void *const *in, const double *p, void *out);

int elementwise_inputs(elementwise_id id);       /* 1 to 3 */
const char *elementwise_name(elementwise_id id); /* "gelu-slope" */

/*
 * The kernel at the CPU level in force; NULL when the type has none. f32 and f64 have all; c64 and c128 have COPY NEG AFFINE (real p) SQUARE RECIPROCAL EXP ADD SUB MUL
 * DIV FMA; i32 and i64 have COPY NEG ADD SUB MUL MIN MAX EQUAL GREATER.
 */
elementwise_kernel *elementwise_find(nigh_dtype dtype, elementwise_id id);
elementwise_kernel *elementwise_at(nigh_cpu_level level, nigh_dtype dtype, elementwise_id id);
#endif
