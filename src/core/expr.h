/* The inside of nigh_expr: its layout, quadruple precision under both compilers, the kernels' tables. */
#ifndef NIGH_CORE_EXPR_H
#define NIGH_CORE_EXPR_H
#include "nigh/expr.h"

#include <math.h>
#include <stdlib.h>

/* Name of a libm function, and of a literal, in quadruple precision. gcc's math.h declares the functions; clang, which
 * has the type under another name only, is told here. */
#if defined(__SIZEOF_FLOAT128__)
#define F128(name) name##f128
#define Q(number) number##q
#if defined(__clang__)
#define F128_UNARY(name) extern nigh_f128 name##f128(nigh_f128)
F128_UNARY(acos); F128_UNARY(acosh); F128_UNARY(asin); F128_UNARY(asinh); F128_UNARY(atan); F128_UNARY(atanh);
F128_UNARY(cbrt); F128_UNARY(cos); F128_UNARY(cosh); F128_UNARY(erf); F128_UNARY(erfc); F128_UNARY(exp);
F128_UNARY(exp2); F128_UNARY(expm1); F128_UNARY(fabs); F128_UNARY(floor); F128_UNARY(log); F128_UNARY(log10);
F128_UNARY(log1p); F128_UNARY(log2); F128_UNARY(sin); F128_UNARY(sinh); F128_UNARY(sqrt); F128_UNARY(tan);
F128_UNARY(tanh);
#undef F128_UNARY
extern nigh_f128 atan2f128(nigh_f128, nigh_f128);
extern nigh_f128 hypotf128(nigh_f128, nigh_f128);
extern nigh_f128 powf128(nigh_f128, nigh_f128);
extern nigh_f128 strtof128(const char *restrict, char **restrict);
extern int strfromf128(char *restrict, size_t, const char *restrict, nigh_f128);
#endif
#else
#define F128(name) name##l
#define Q(number) number##l
#define strtof128 strtold
#define strfromf128 strfroml
#endif

#define PI_Q Q(3.141592653589793238462643383279502884197)
#define E_Q Q(2.718281828459045235360287471352662497757)
#define LN2_Q Q(0.6931471805599453094172321214581765680755)
#define LN10_Q Q(2.302585092994045684017991454684364207601)
#define SQRT1_2_Q Q(0.7071067811865475244008443621048490392848)
#define TWO_BY_SQRT_PI_Q Q(1.128379167095512573896158903121545171688)

static inline bool f128_finite(nigh_f128 x)
{
    return x - x == 0;
}

struct nigh_expr {
    nigh_context *ctx;
    int variables, constants, steps, root, slots; /* root: a value number; slots: block buffers that evaluation needs */
    double constant[NIGH_EXPR_MAX_CONSTANTS];
    float constant_f32[NIGH_EXPR_MAX_CONSTANTS];
    nigh_f128 constant_f128[NIGH_EXPR_MAX_CONSTANTS];
    nigh_step step[NIGH_EXPR_MAX_OPS];   /* value number variables + constants + i */
    short slot[NIGH_EXPR_MAX_OPS];       /* of step i's result */
    const char *name[NIGH_EXPR_MAX_VARIABLES];
    char names[];
};

#define EXPR_MAX_VALUES (NIGH_EXPR_MAX_VARIABLES + NIGH_EXPR_MAX_CONSTANTS + NIGH_EXPR_MAX_OPS)
#define EXPR_BLOCK 512

/* ---- building (expr.c), used by the parser and by nigh_expr_build ---- */

/* Values under construction: variable v is v, constant c is EXPR_CONSTANT + c, step s is EXPR_STEP + s. */
enum { EXPR_CONSTANT = NIGH_EXPR_MAX_VARIABLES, EXPR_STEP = EXPR_CONSTANT + NIGH_EXPR_MAX_CONSTANTS };

typedef struct expr_draft {
    int constants, steps;
    nigh_f128 constant[NIGH_EXPR_MAX_CONSTANTS];
    nigh_step step[NIGH_EXPR_MAX_OPS];
} expr_draft;

int expr_draft_constant(expr_draft *draft, nigh_f128 value);      /* -1: no room */
int expr_draft_step(expr_draft *draft, nigh_op op, int a, int b); /* shared with an equal step; -1: no room */

/* Keeps what root needs (with all constants when keep is set) and numbers it. */
nigh_status expr_draft_finish(nigh_context *ctx, const expr_draft *draft, const char *const *variables, int count, int root,
                              bool keep, nigh_expr **out);

bool expr_name_valid(const char *name);
bool expr_op_commutes(nigh_op op);

/* Whole exponents that are worked out by multiplication. */
static inline bool expr_small_power(double exponent)
{
    return exponent == rint(exponent) && fabs(exponent) >= 1 && fabs(exponent) <= 8;
}

/* One operation in quadruple precision, and in double by libm. */
nigh_f128 expr_op_f128(nigh_op op, nigh_f128 a, nigh_f128 b);

/* Shortest decimal text (at most 64 bytes) that reads back as `value`. */
void expr_print_f128(nigh_f128 value, char *text);

/* ---- kernels ---- */

/* mode bit 0: a is one number for all rows; bit 1: b is. a and out, b and out may be the same array. */
typedef void expr_kernel_f64(int64_t n, const double *a, const double *b, int mode, double *out);
typedef void expr_kernel_f32(int64_t n, const float *a, const float *b, int mode, float *out);

typedef struct expr_kernels_f64 {
    expr_kernel_f64 *op[NIGH_OP_COUNT];
    void (*power)(int64_t n, const double *a, int exponent, double *out); /* 1 <= |exponent| <= 8 */
} expr_kernels_f64;
typedef struct expr_kernels_f32 {
    expr_kernel_f32 *op[NIGH_OP_COUNT];
    void (*power)(int64_t n, const float *a, int exponent, float *out);
} expr_kernels_f32;

extern const expr_kernels_f64 expr_kernels_f64_scalar, expr_kernels_f64_avx2, expr_kernels_f64_avx512;
extern const expr_kernels_f32 expr_kernels_f32_scalar, expr_kernels_f32_avx2, expr_kernels_f32_avx512;

/* nigh_expr_eval_f64 with the scalar kernels whatever the CPU. */
void expr_eval_f64_with(const expr_kernels_f64 *kernels, const nigh_expr *expr, int64_t n, const double *const *columns,
                        double *out, void *workspace);
void expr_eval_f32_with(const expr_kernels_f32 *kernels, const nigh_expr *expr, int64_t n, const float *const *columns,
                        float *out, void *workspace);

/*
 * Values out[n] and derivatives slope[n] by one variable, as nigh_expr_gradient_constants takes them by constants; in workspace, 64-byte
 * aligned. Thread-safe with a workspace per thread.
 */
size_t expr_slope_workspace(const nigh_expr *expr);
void expr_slope(const nigh_expr *expr, int variable, int64_t n, const double *const *columns, double *out, double *slope, void *workspace);
#endif
