/*
 * The evaluation of a fitted function, one vector kernel for every combination of range reduction and form.
 *
 *   x --reduction--> t (the core argument) --form--> core(t) --reconstruction--> y
 *   core(t) = [t *] form(u),  u = [scale *] v [+ shift],  v = t or t^2
 *
 * Every step is the same sequence of IEEE operations (explicit fma, rounding to nearest) at every CPU level and in the
 * exported C, so that all give the same bits.
 */
#ifndef NIGH_FUNCTION_CORE_KERNEL_H
#define NIGH_FUNCTION_CORE_KERNEL_H
#include "function/code.h"

typedef enum function_form {
    FUNCTION_POLYNOMIAL, /* sum c[k] u^k, Horner */
    FUNCTION_RATIONAL,   /* sum p[k] u^k / sum q[k] u^k */
    FUNCTION_TABLE,      /* piece i = nearest integer to u: sum c[i][k] (u - i)^k */
    FUNCTION_CODE,       /* straight-line code with t as argument; neither square nor affine */
    FUNCTION_FORMS
} function_form;

typedef enum function_reduction {
    FUNCTION_NONE,   /* t = x, y = core                                                        */
    FUNCTION_SCALED, /* k = round(c0 x), t = x + c1 k + c2 k, y = core 2^k          exp, exp2  */
    FUNCTION_BINADE, /* x = 2^k (1 + t), 1 + t in [sqrt .5, sqrt 2), y = core + c0 k + c1 k  log, log2 */
    FUNCTION_TURNS,  /* k = round(c0 x + c4), t = x + (c1 + c2 + c3)(k - c4), y = +-core  sin, cos */
    FUNCTION_ROOT,   /* x = 4^k t, t in [.5, 2), y = core 2^k                             sqrt */
    FUNCTION_INVERSE_ROOT, /* the same, y = core 2^-k                                    rsqrt */
    FUNCTION_ODD,    /* t = min(|x|, c0), y = core with the sign of x                tanh, erf */
    FUNCTION_MIRROR, /* t = min(|x|, c0), y = core for x < 0, else 1 - core            sigmoid */
    FUNCTION_RELU,   /* t = min(|x|, c0), y = max(x, 0) + core           gelu, silu, softplus */
    FUNCTION_REDUCTIONS
} function_reduction;

typedef struct function_core {
    nigh_dtype type; /* NIGH_F32 or NIGH_F64; the numbers below are exact in it */
    function_form form;
    function_reduction reduction;
    bool square, factor, affine;
    double scale, shift;
    int upper;       /* polynomial: coefficients; rational: of the numerator; table: pieces; code: its constants */
    int lower;       /* rational: coefficients of the denominator; table: coefficients of a piece; code: its steps; polynomial: 0 */
    double constant[6];
    void *data;      /* coefficients in `type`, lowest first: numerator, denominator; or piece after piece; code: NULL */
    function_code *code; /* of the form code: valid, fused, its constants exact in `type`; else NULL */
} function_core;

/* Numbers in data; of code its constants. */
int64_t function_core_numbers(const function_core *core);

/* y[n] from x[n]. NaN gives NaN; inputs outside the interval of the fit give any number. Thread-safe. */
void function_core_apply(const function_core *core, int64_t n, const void *x, void *y);
void function_core_apply_at(nigh_cpu_level level, const function_core *core, int64_t n, const void *x, void *y);

/* Counted work of one number: 2 per fma, with gathers and divisions as what they cost in flops. */
double function_core_flops(const function_core *core);

typedef void function_core_kernel(const function_core *core, int64_t n, const void *x, void *y);
typedef function_core_kernel *const function_core_table[2][FUNCTION_FORMS][FUNCTION_REDUCTIONS]; /* [f64, f32] */
extern function_core_table function_core_scalar, function_core_avx2, function_core_avx512;

#endif
