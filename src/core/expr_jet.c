/*
 * Taylor coefficients of an expression by arithmetic of power series in quadruple precision: "Evaluating Derivatives",
 * Griewank and Walther, chapter 13 (recurrences from the differential equation that each function obeys).
 *
 * Series are arrays of n = order + 1 coefficients. Results never overlap arguments.
 */
#include "core/expr.h"

#include <string.h>

typedef nigh_f128 q;

enum { MOST_ORDER = 200, SCRATCH = 4 };

static void mul(int n, const q *a, const q *b, q *c)
{
    for (int k = 0; k < n; k++) {
        c[k] = 0;
        for (int j = 0; j <= k; j++) c[k] += a[j] * b[k - j];
    }
}

static void div_series(int n, const q *a, const q *b, q *c)
{
    for (int k = 0; k < n; k++) {
        c[k] = a[k];
        for (int j = 0; j < k; j++) c[k] -= c[j] * b[k - j];
        c[k] /= b[0];
    }
}

/* c = c0 + integral of a' g */
static void integrate(int n, const q *a, const q *g, q c0, q *c)
{
    c[0] = c0;
    for (int k = 1; k < n; k++) {
        c[k] = 0;
        for (int j = 1; j <= k; j++) c[k] += j * a[j] * g[k - j];
        c[k] /= k;
    }
}

/* exp(a) scale, c0 given: c' = scale a' c */
static void exponential(int n, const q *a, q scale, q c0, q *c)
{
    c[0] = c0;
    for (int k = 1; k < n; k++) {
        c[k] = 0;
        for (int j = 1; j <= k; j++) c[k] += j * a[j] * c[k - j];
        c[k] *= scale / k;
    }
}

/* log(shift + a) scale, c0 given */
static void logarithm(int n, const q *a, q shift, q scale, q c0, q *c)
{
    c[0] = c0;
    for (int k = 1; k < n; k++) {
        q sum = 0;
        for (int j = 1; j < k; j++) sum += j * c[j] * a[k - j];
        c[k] = (scale * a[k] - sum / k) / (shift + a[0]);
    }
}

/* a^p for a real p, c0 given: a c' = p a' c */
static void power(int n, const q *a, q p, q c0, q *c)
{
    c[0] = c0;
    for (int k = 1; k < n; k++) {
        c[k] = 0;
        for (int j = 1; j <= k; j++) c[k] += (p * j - (k - j)) * a[j] * c[k - j];
        c[k] /= k * a[0];
    }
}

/* s' = a' c, c' = sign a' s: sine and cosine (sign -1), hyperbolic ones (sign 1) */
static void circular(int n, const q *a, int sign, q s0, q c0, q *s, q *c)
{
    s[0] = s0;
    c[0] = c0;
    for (int k = 1; k < n; k++) {
        s[k] = c[k] = 0;
        for (int j = 1; j <= k; j++) {
            s[k] += j * a[j] * c[k - j];
            c[k] += sign * j * a[j] * s[k - j];
        }
        s[k] /= k;
        c[k] /= k;
    }
}

/* c' = a' (1 + sign c^2): tangent (1) and its hyperbolic sister (-1) */
static void tangent(int n, const q *a, int sign, q c0, q slope0, q *c, q *slope)
{
    c[0] = c0;
    slope[0] = slope0;
    for (int k = 1; k < n; k++) {
        c[k] = slope[k] = 0;
        for (int j = 1; j <= k; j++) c[k] += j * a[j] * slope[k - j];
        c[k] /= k;
        for (int j = 0; j <= k; j++) slope[k] += sign * c[j] * c[k - j];
    }
}

/* The derivative of asin, acos, atan, asinh, acosh, atanh by its argument: (u + v a^2)^p, in g. */
static bool inverse_slope(int n, nigh_op op, const q *a, q *square, q *g)
{
    int u = 1, v = 1;
    if (op == NIGH_OP_ASIN || op == NIGH_OP_ACOS || op == NIGH_OP_ATANH) v = -1;
    if (op == NIGH_OP_ACOSH) u = -1;
    mul(n, a, a, square);
    for (int k = 0; k < n; k++) square[k] *= v;
    square[0] = v < 0 ? (1 - a[0]) * (1 + a[0]) : u < 0 ? (a[0] - 1) * (a[0] + 1) : 1 + a[0] * a[0];
    if (!(square[0] > 0) || (u < 0 && a[0] < 0)) return false;
    bool root = op != NIGH_OP_ATAN && op != NIGH_OP_ATANH;
    power(n, square, root ? -Q(0.5) : -1, root ? 1 / F128(sqrt)(square[0]) : 1 / square[0], g);
    return true;
}

/* 1 / (1 + exp(-a)) */
static void sigmoid(int n, const q *a, q *e, q *c)
{
    if (a[0] >= 0) { /* 1 / (1 + e), e = exp(-a) <= 1 */
        exponential(n, a, -1, F128(exp)(-a[0]), e);
        e[0] += 1;
        for (int k = 0; k < n; k++) {
            c[k] = k ? 0 : 1;
            for (int j = 0; j < k; j++) c[k] -= c[j] * e[k - j];
            c[k] /= e[0];
        }
        return;
    }
    exponential(n, a, 1, F128(exp)(a[0]), e); /* e / (1 + e) */
    q e0 = e[0];
    for (int k = 0; k < n; k++) {
        c[k] = e[k];
        for (int j = 0; j < k; j++) c[k] -= c[j] * e[k - j];
        c[k] /= 1 + e0;
    }
}

/* 2/sqrt(pi) exp(-a^2) sign, the slope of erf and erfc, in g */
static void erf_slope(int n, const q *a, q sign, q *square, q *g)
{
    mul(n, a, a, square);
    exponential(n, square, -1, sign * TWO_BY_SQRT_PI_Q * F128(exp)(-square[0]), g);
}

static bool whole(const q *a, int n)
{
    for (int k = 1; k < n; k++)
        if (a[k] != 0) return false;
    return a[0] == F128(floor)(a[0]) && F128(fabs)(a[0]) <= 1000000;
}

/* a^k for a whole k >= 0 by squaring; s has 3 n. */
static void whole_power(int n, const q *a, int k, q *s, q *c)
{
    q *base = s, *next = s + n;
    memcpy(base, a, (size_t)n * sizeof(q));
    memset(c, 0, (size_t)n * sizeof(q));
    c[0] = 1;
    for (; k; k >>= 1) {
        if (k & 1) {
            mul(n, base, c, next);
            memcpy(c, next, (size_t)n * sizeof(q));
        }
        mul(n, base, base, next);
        memcpy(base, next, (size_t)n * sizeof(q));
    }
}

/* a^b: whole b at any a (not 0 when b < 0), constant b and any b where a > 0. */
static bool general_power(int n, const q *a, const q *b, q *s, q *c)
{
    bool constant = true;
    for (int k = 1; k < n; k++) constant = constant && b[k] == 0;
    if (whole(b, n) && b[0] >= 0) {
        whole_power(n, a, (int)b[0], s, c);
        return true;
    }
    if (whole(b, n) && a[0] != 0) {
        power(n, a, b[0], F128(pow)(a[0], b[0]), c);
        return true;
    }
    if (!(a[0] > 0)) return false;
    if (constant) {
        power(n, a, b[0], F128(pow)(a[0], b[0]), c);
        return true;
    }
    logarithm(n, a, 0, 1, F128(log)(a[0]), s);
    mul(n, s, b, s + n);
    exponential(n, s + n, 1, F128(pow)(a[0], b[0]), c);
    return true;
}

static bool binary(int n, nigh_op op, const q *a, const q *b, q *s, q *c)
{
    q *square = s, *other = s + n, *slope = s + 2 * n;
    bool left = op == NIGH_OP_MIN ? a[0] < b[0] : a[0] > b[0];
    switch (op) {
    case NIGH_OP_ADD:
    case NIGH_OP_SUB:
        for (int k = 0; k < n; k++) c[k] = op == NIGH_OP_ADD ? a[k] + b[k] : a[k] - b[k];
        return true;
    case NIGH_OP_MUL: mul(n, a, b, c); return true;
    case NIGH_OP_DIV:
        if (b[0] == 0) return false;
        div_series(n, a, b, c);
        return true;
    case NIGH_OP_POW: return general_power(n, a, b, s, c);
    case NIGH_OP_MIN:
    case NIGH_OP_MAX:
        memcpy(c, left ? a : b, (size_t)n * sizeof(q));
        return a[0] != b[0] || memcmp(a, b, (size_t)n * sizeof(q)) == 0;
    default: break;
    }
    mul(n, a, a, square);
    mul(n, b, b, other);
    for (int k = 0; k < n; k++) square[k] += other[k];
    if (!(square[0] > 0)) return false;
    if (op == NIGH_OP_HYPOT) {
        power(n, square, Q(0.5), F128(hypot)(a[0], b[0]), c);
        return true;
    }
    /* atan2(a, b)' = (b a' - a b') / (a^2 + b^2) */
    if (a[0] == 0 && b[0] < 0) return false;
    for (int k = 0; k < n; k++) {
        other[k] = 0;
        for (int j = 0; j <= k && k + 1 < n; j++)
            other[k] += (j + 1) * (b[k - j] * a[j + 1] - a[k - j] * b[j + 1]);
    }
    div_series(n, other, square, slope);
    c[0] = F128(atan2)(a[0], b[0]);
    for (int k = 1; k < n; k++) c[k] = slope[k - 1] / k;
    return true;
}

/* Functions that need a positive argument; false for none of these or another sign. */
static bool on_positive(int n, nigh_op op, const q *a, q *c)
{
    q x = a[0];
    if (op == NIGH_OP_LOG1P ? !(x > -1) : !(x > 0)) return false;
    switch (op) {
    case NIGH_OP_SQRT: power(n, a, Q(0.5), F128(sqrt)(x), c); return true;
    case NIGH_OP_RSQRT: power(n, a, -Q(0.5), 1 / F128(sqrt)(x), c); return true;
    case NIGH_OP_LOG: logarithm(n, a, 0, 1, F128(log)(x), c); return true;
    case NIGH_OP_LOG2: logarithm(n, a, 0, 1 / LN2_Q, F128(log2)(x), c); return true;
    case NIGH_OP_LOG10: logarithm(n, a, 0, 1 / LN10_Q, F128(log10)(x), c); return true;
    case NIGH_OP_LOG1P: logarithm(n, a, 1, 1, F128(log1p)(x), c); return true;
    default: return false;
    }
}

static bool activation(int n, nigh_op op, const q *a, q *s, q *c)
{
    q x = a[0];
    if (op == NIGH_OP_SIGMOID) {
        sigmoid(n, a, s, c);
    } else if (op == NIGH_OP_SILU) {
        sigmoid(n, a, s, s + n);
        mul(n, a, s + n, c);
    } else if (op == NIGH_OP_SOFTPLUS) {
        sigmoid(n, a, s, s + n);
        integrate(n, a, s + n, expr_op_f128(op, x, x), c);
    } else { /* gelu: a erfc(-a / sqrt 2) / 2 */
        for (int k = 0; k < n; k++) s[k] = -a[k] * SQRT1_2_Q;
        erf_slope(n, s, -1, s + n, s + 2 * n);
        integrate(n, s, s + 2 * n, F128(erfc)(s[0]), s + 3 * n);
        mul(n, a, s + 3 * n, c);
        for (int k = 0; k < n; k++) c[k] /= 2;
    }
    return true;
}

static bool unary(int n, nigh_op op, const q *a, q *s, q *c)
{
    q x = a[0];
    switch (op) {
    case NIGH_OP_NEG:
    case NIGH_OP_ABS:
        for (int k = 0; k < n; k++) c[k] = op == NIGH_OP_NEG || x < 0 ? -a[k] : a[k];
        return op == NIGH_OP_NEG || x != 0;
    case NIGH_OP_FLOOR:
        memset(c, 0, (size_t)n * sizeof(q));
        c[0] = F128(floor)(x);
        return c[0] != x;
    case NIGH_OP_CBRT: power(n, a, 1 / Q(3.0), F128(cbrt)(x), c); return x != 0;
    case NIGH_OP_EXP: exponential(n, a, 1, F128(exp)(x), c); return true;
    case NIGH_OP_EXP2: exponential(n, a, LN2_Q, F128(exp2)(x), c); return true;
    case NIGH_OP_EXPM1:
        exponential(n, a, 1, F128(exp)(x), c);
        c[0] = F128(expm1)(x);
        return true;
    case NIGH_OP_SIN: circular(n, a, -1, F128(sin)(x), F128(cos)(x), c, s); return true;
    case NIGH_OP_COS: circular(n, a, -1, F128(sin)(x), F128(cos)(x), s, c); return true;
    case NIGH_OP_SINH: circular(n, a, 1, F128(sinh)(x), F128(cosh)(x), c, s); return true;
    case NIGH_OP_COSH: circular(n, a, 1, F128(sinh)(x), F128(cosh)(x), s, c); return true;
    case NIGH_OP_TAN: tangent(n, a, 1, F128(tan)(x), 1 + F128(tan)(x) * F128(tan)(x), c, s); return true;
    case NIGH_OP_TANH: tangent(n, a, -1, F128(tanh)(x), 1 / (F128(cosh)(x) * F128(cosh)(x)), c, s); return true;
    case NIGH_OP_ASIN:
    case NIGH_OP_ACOS:
    case NIGH_OP_ATAN:
    case NIGH_OP_ASINH:
    case NIGH_OP_ACOSH:
    case NIGH_OP_ATANH:
        if (!inverse_slope(n, op, a, s, s + n)) return false;
        for (int k = 0; k < n && op == NIGH_OP_ACOS; k++) s[n + k] = -s[n + k];
        integrate(n, a, s + n, expr_op_f128(op, x, x), c);
        return true;
    case NIGH_OP_ERF:
    case NIGH_OP_ERFC:
        erf_slope(n, a, op == NIGH_OP_ERF ? 1 : -1, s, s + n);
        integrate(n, a, s + n, expr_op_f128(op, x, x), c);
        return true;
    case NIGH_OP_SIGMOID:
    case NIGH_OP_GELU:
    case NIGH_OP_SILU:
    case NIGH_OP_SOFTPLUS: return activation(n, op, a, s, c);
    default: return on_positive(n, op, a, c);
    }
}

static nigh_status run(nigh_context *ctx, const nigh_expr *expr, q x0, int n, q *series, q *scratch)
{
    int first = expr->variables + expr->constants;
    if (expr->variables) {
        series[0] = x0;
        if (n > 1) series[1] = 1;
    }
    for (int c = 0; c < expr->constants; c++) series[(size_t)(expr->variables + c) * (size_t)n] = expr->constant_f128[c];
    for (int s = 0; s < expr->steps; s++) {
        const nigh_step *step = &expr->step[s];
        const q *a = series + (size_t)step->a * (size_t)n, *b = series + (size_t)step->b * (size_t)n;
        q *c = series + (size_t)(first + s) * (size_t)n;
        bool good = nigh_op_arguments(step->op) == 2 ? binary(n, step->op, a, b, scratch, c) : unary(n, step->op, a, scratch, c);
        for (int k = 0; k < n && good; k++) good = f128_finite(c[k]);
        if (!good)
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "no Taylor series at x = %.17g: '%s' is not analytic at its argument %.17g",
                             (double)x0, nigh_op_name(step->op), (double)a[0]);
    }
    return NIGH_OK;
}

nigh_status nigh_expr_jet(nigh_context *ctx, const nigh_expr *expr, nigh_f128 x0, int order, nigh_f128 *coefficients)
{
    if (expr->variables > 1)
        return nigh_fail(ctx, NIGH_INVALID, "the expression has %d variables; a Taylor series takes one", expr->variables);
    if (order < 0 || order > MOST_ORDER)
        return nigh_fail(ctx, NIGH_INVALID, "order is %d; 0 to %d is allowed", order, MOST_ORDER);
    int n = order + 1, values = expr->variables + expr->constants + expr->steps;
    q *series = nigh_alloc_zero(ctx, (size_t)(values + SCRATCH) * (size_t)n, sizeof(q));
    if (!series) return NIGH_MEMORY;
    nigh_status status = run(ctx, expr, x0, n, series, series + (size_t)values * (size_t)n);
    if (status == NIGH_OK) memcpy(coefficients, series + (size_t)expr->root * (size_t)n, (size_t)n * sizeof(q));
    nigh_free(ctx, series);
    return status;
}
