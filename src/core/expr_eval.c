/* Evaluation of expressions: blocks of columns through the kernels of the CPU level, integers, and single points in
 * quadruple precision. */
#include "core/expr.h"

#include <string.h>

size_t nigh_expr_workspace(const nigh_expr *expr)
{
    return (size_t)(expr->slots + 1) * EXPR_BLOCK * sizeof(double);
}

#define T double
#define KERNELS expr_kernels_f64
#define CONSTANT constant
#define NAME(x) expr_eval_f64_##x
#include "core/expr_columns.inc"

#define T float
#define KERNELS expr_kernels_f32
#define CONSTANT constant_f32
#define NAME(x) expr_eval_f32_##x
#include "core/expr_columns.inc"

void nigh_expr_eval_f64(const nigh_expr *expr, int64_t n, const double *const *columns, double *out, void *workspace)
{
    const expr_kernels_f64 *kernels = &expr_kernels_f64_scalar;
#if defined(__x86_64__)
    if (nigh_cpu() == NIGH_CPU_AVX512) kernels = &expr_kernels_f64_avx512;
    if (nigh_cpu() == NIGH_CPU_AVX2) kernels = &expr_kernels_f64_avx2;
#endif
    expr_eval_f64_with(kernels, expr, n, columns, out, workspace);
}

void nigh_expr_eval_f32(const nigh_expr *expr, int64_t n, const float *const *columns, float *out, void *workspace)
{
    const expr_kernels_f32 *kernels = &expr_kernels_f32_scalar;
#if defined(__x86_64__)
    if (nigh_cpu() == NIGH_CPU_AVX512) kernels = &expr_kernels_f32_avx512;
    if (nigh_cpu() == NIGH_CPU_AVX2) kernels = &expr_kernels_f32_avx2;
#endif
    expr_eval_f32_with(kernels, expr, n, columns, out, workspace);
}

/* ---- integers ---- */

static int64_t round_i64(double value)
{
    if (!(value - value == 0)) return 0;
    if (value >= 0x1p63) return INT64_MAX;
    if (value < -0x1p63) return INT64_MIN;
    return (int64_t)rint(value);
}

static uint64_t power_u64(uint64_t base, uint64_t exponent)
{
    uint64_t value = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) value *= base;
    return value;
}

static int64_t power_i64(int64_t base, int64_t exponent)
{
    if (exponent >= 0) return (int64_t)power_u64((uint64_t)base, (uint64_t)exponent);
    return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
}

/* Wraps around through unsigned arithmetic. */
static int64_t op_i64(nigh_op op, int64_t a, int64_t b)
{
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    double value;
    switch (op) {
    case NIGH_OP_ADD: return (int64_t)(ua + ub);
    case NIGH_OP_SUB: return (int64_t)(ua - ub);
    case NIGH_OP_MUL: return (int64_t)(ua * ub);
    case NIGH_OP_DIV: return b == 0 ? 0 : b == -1 ? (int64_t)-ua : a / b;
    case NIGH_OP_POW: return power_i64(a, b);
    case NIGH_OP_MIN: return a < b ? a : b;
    case NIGH_OP_MAX: return a > b ? a : b;
    case NIGH_OP_NEG: return (int64_t)-ua;
    case NIGH_OP_ABS: return a < 0 ? (int64_t)-ua : a;
    case NIGH_OP_FLOOR: return a;
    default:
        expr_kernels_f64_scalar.op[op](1, &(double){(double)a}, &(double){(double)b}, 0, &value);
        return round_i64(value);
    }
}

void nigh_expr_eval_i64(const nigh_expr *expr, int64_t n, const int64_t *const *columns, int64_t *out, void *workspace)
{
    int64_t value[EXPR_MAX_VALUES];
    (void)workspace;
    for (int c = 0; c < expr->constants; c++) value[expr->variables + c] = round_i64(expr->constant[c]);
    for (int64_t i = 0; i < n; i++) {
        for (int v = 0; v < expr->variables; v++) value[v] = columns[v][i];
        int64_t *result = value + expr->variables + expr->constants;
        for (int s = 0; s < expr->steps; s++)
            result[s] = op_i64(expr->step[s].op, value[expr->step[s].a], value[expr->step[s].b]);
        out[i] = value[expr->root];
    }
}

/* ---- quadruple precision ---- */

static nigh_f128 sigmoid_f128(nigh_f128 x)
{
    nigh_f128 e = F128(exp)(-F128(fabs)(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static nigh_f128 binary_f128(nigh_op op, nigh_f128 a, nigh_f128 b)
{
    switch (op) {
    case NIGH_OP_ADD: return a + b;
    case NIGH_OP_SUB: return a - b;
    case NIGH_OP_MUL: return a * b;
    case NIGH_OP_DIV: return a / b;
    case NIGH_OP_POW: return F128(pow)(a, b);
    case NIGH_OP_MIN: return a != a || a < b ? a : b;
    case NIGH_OP_MAX: return a != a || a > b ? a : b;
    case NIGH_OP_HYPOT: return F128(hypot)(a, b);
    default: return F128(atan2)(a, b);
    }
}

nigh_f128 expr_op_f128(nigh_op op, nigh_f128 a, nigh_f128 b)
{
    switch (op) {
    case NIGH_OP_NEG: return -a;
    case NIGH_OP_ABS: return F128(fabs)(a);
    case NIGH_OP_FLOOR: return F128(floor)(a);
    case NIGH_OP_SQRT: return F128(sqrt)(a);
    case NIGH_OP_RSQRT: return 1 / F128(sqrt)(a);
    case NIGH_OP_CBRT: return F128(cbrt)(a);
    case NIGH_OP_EXP: return F128(exp)(a);
    case NIGH_OP_EXP2: return F128(exp2)(a);
    case NIGH_OP_EXPM1: return F128(expm1)(a);
    case NIGH_OP_LOG: return F128(log)(a);
    case NIGH_OP_LOG2: return F128(log2)(a);
    case NIGH_OP_LOG10: return F128(log10)(a);
    case NIGH_OP_LOG1P: return F128(log1p)(a);
    case NIGH_OP_SIN: return F128(sin)(a);
    case NIGH_OP_COS: return F128(cos)(a);
    case NIGH_OP_TAN: return F128(tan)(a);
    case NIGH_OP_ASIN: return F128(asin)(a);
    case NIGH_OP_ACOS: return F128(acos)(a);
    case NIGH_OP_ATAN: return F128(atan)(a);
    case NIGH_OP_SINH: return F128(sinh)(a);
    case NIGH_OP_COSH: return F128(cosh)(a);
    case NIGH_OP_TANH: return F128(tanh)(a);
    case NIGH_OP_ASINH: return F128(asinh)(a);
    case NIGH_OP_ACOSH: return F128(acosh)(a);
    case NIGH_OP_ATANH: return F128(atanh)(a);
    case NIGH_OP_ERF: return F128(erf)(a);
    case NIGH_OP_ERFC: return F128(erfc)(a);
    case NIGH_OP_SIGMOID: return sigmoid_f128(a);
    case NIGH_OP_GELU: return a / 2 * F128(erfc)(-a * SQRT1_2_Q);
    case NIGH_OP_SILU: return a * sigmoid_f128(a);
    case NIGH_OP_SOFTPLUS: return F128(log1p)(F128(exp)(-F128(fabs)(a))) + (a > 0 ? a : 0);
    default: return binary_f128(op, a, b);
    }
}

nigh_f128 nigh_expr_eval_f128(const nigh_expr *expr, const nigh_f128 *point)
{
    nigh_f128 value[EXPR_MAX_VALUES];
    for (int v = 0; v < expr->variables; v++) value[v] = point[v];
    for (int c = 0; c < expr->constants; c++) value[expr->variables + c] = expr->constant_f128[c];
    nigh_f128 *result = value + expr->variables + expr->constants;
    for (int s = 0; s < expr->steps; s++)
        result[s] = expr_op_f128(expr->step[s].op, value[expr->step[s].a], value[expr->step[s].b]);
    return value[expr->root];
}
