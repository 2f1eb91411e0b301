/* Values and derivatives by the constants: forward derivatives, a block of rows at a time. */
#include "core/expr.h"

#include <string.h>

enum { ROWS = 128 };

/* The part of a derivative that comes through argument a (which = 0) or b (1), at one row; y is the value. */
static double partial_binary(nigh_op op, int which, double a, double b, double y)
{
    double square = a * a + b * b;
    switch (op) {
    case NIGH_OP_ADD: return 1;
    case NIGH_OP_SUB: return which ? -1 : 1;
    case NIGH_OP_MUL: return which ? a : b;
    case NIGH_OP_DIV: return which ? -y / b : 1 / b;
    case NIGH_OP_POW:
        if (!which) return b == 0 ? 0 : b * pow(a, b - 1);
        return y == 0 ? 0 : y * log(a);
    case NIGH_OP_MIN: return which ? !(a < b) : a < b;
    case NIGH_OP_MAX: return which ? !(a > b) : a > b;
    case NIGH_OP_HYPOT: return y == 0 ? 0 : (which ? b : a) / y;
    default: return which ? -a / square : b / square; /* atan2 */
    }
}

static double partial_unary(nigh_op op, double a, double y)
{
    const double two_by_sqrt_pi = 0x1.20dd750429b6dp+0, ln2 = 0x1.62e42fefa39efp-1, ln10 = 0x1.26bb1bbb55516p+1;
    double sigmoid;
    switch (op) {
    case NIGH_OP_NEG: return -1;
    case NIGH_OP_ABS: return a < 0 ? -1 : 1;
    case NIGH_OP_FLOOR: return 0;
    case NIGH_OP_SQRT: return 0.5 / y;
    case NIGH_OP_RSQRT: return -0.5 * y / a;
    case NIGH_OP_CBRT: return 1 / (3 * y * y);
    case NIGH_OP_EXP: return y;
    case NIGH_OP_EXP2: return y * ln2;
    case NIGH_OP_EXPM1: return y + 1;
    case NIGH_OP_LOG: return 1 / a;
    case NIGH_OP_LOG2: return 1 / (a * ln2);
    case NIGH_OP_LOG10: return 1 / (a * ln10);
    case NIGH_OP_LOG1P: return 1 / (1 + a);
    case NIGH_OP_SIN: return cos(a);
    case NIGH_OP_COS: return -sin(a);
    case NIGH_OP_TAN: return 1 + y * y;
    case NIGH_OP_ASIN: return 1 / sqrt((1 - a) * (1 + a));
    case NIGH_OP_ACOS: return -1 / sqrt((1 - a) * (1 + a));
    case NIGH_OP_ATAN: return 1 / (1 + a * a);
    case NIGH_OP_SINH: return cosh(a);
    case NIGH_OP_COSH: return sinh(a);
    case NIGH_OP_TANH: return (1 - y) * (1 + y);
    case NIGH_OP_ASINH: return 1 / hypot(1, a);
    case NIGH_OP_ACOSH: return 1 / sqrt((a - 1) * (a + 1));
    case NIGH_OP_ATANH: return 1 / ((1 - a) * (1 + a));
    case NIGH_OP_ERF: return two_by_sqrt_pi * exp(-a * a);
    case NIGH_OP_ERFC: return -two_by_sqrt_pi * exp(-a * a);
    default: break;
    }
    sigmoid = (a < 0 ? exp(a) : 1) / (1 + exp(-fabs(a)));
    switch (op) {
    case NIGH_OP_SIGMOID: return y * ((a > 0 ? exp(-a) : 1) / (1 + exp(-fabs(a))));
    case NIGH_OP_SILU: return sigmoid + y * ((a > 0 ? exp(-a) : 1) / (1 + exp(-fabs(a))));
    case NIGH_OP_GELU: return 0.5 * erfc(-a * 0x1.6a09e667f3bcdp-1) + a * 0x1.9884533d43651p-2 * exp(-0.5 * a * a);
    default: return sigmoid; /* softplus */
    }
}

typedef struct gradient_run {
    const nigh_expr *expr;
    const double *constants;
    double *value;   /* [values][ROWS] */
    double *partial; /* [steps][2][ROWS] */
    double *tangent; /* [steps][ROWS] */
    bool *depends;   /* [values], on the constant at hand */
} gradient_run;

/* Values and local derivatives of `m` rows from `row` on. */
static void forward(gradient_run *run, int64_t row, int m, const double *const *columns)
{
    const nigh_expr *expr = run->expr;
    int first = expr->variables + expr->constants;
    for (int v = 0; v < expr->variables; v++) memcpy(run->value + v * ROWS, columns[v] + row, (size_t)m * sizeof(double));
    for (int c = 0; c < expr->constants; c++)
        for (int i = 0; i < m; i++) run->value[(expr->variables + c) * ROWS + i] = run->constants[c];
    for (int s = 0; s < expr->steps; s++) {
        const nigh_step *step = &expr->step[s];
        const double *a = run->value + step->a * ROWS, *b = run->value + step->b * ROWS;
        double *y = run->value + (first + s) * ROWS, *left = run->partial + 2 * s * ROWS, *right = left + ROWS;
        expr_kernels_f64_scalar.op[step->op](m, a, b, 0, y);
        bool two = nigh_op_arguments(step->op) == 2;
        for (int i = 0; i < m; i++) {
            left[i] = two ? partial_binary(step->op, 0, a[i], b[i], y[i]) : partial_unary(step->op, a[i], y[i]);
            right[i] = two ? partial_binary(step->op, 1, a[i], b[i], y[i]) : 0;
        }
    }
}

/* The derivative of the root by value number `constant` into out[m]. */
static void push(gradient_run *run, int constant, int m, double *out)
{
    const nigh_expr *expr = run->expr;
    int first = expr->variables + expr->constants;
    memset(run->depends, 0, (size_t)(first + expr->steps) * sizeof(bool));
    run->depends[constant] = true;
    for (int s = 0; s < expr->steps; s++) {
        const nigh_step *step = &expr->step[s];
        const double *partial = run->partial + 2 * s * ROWS;
        double *to = run->tangent + s * ROWS;
        bool two = nigh_op_arguments(step->op) == 2;
        memset(to, 0, (size_t)m * sizeof(double));
        for (int k = 0; k < 1 + two; k++) {
            int value = k ? step->b : step->a;
            if (!run->depends[value]) continue;
            run->depends[first + s] = true;
            const double *from = value == constant ? NULL : run->tangent + (value - first) * ROWS;
            for (int i = 0; i < m; i++) { /* beside a flat step the other one counts for nothing, however steep */
                double slope = partial[k * ROWS + i], inner = from ? from[i] : 1;
                if (slope != 0 && inner != 0) to[i] += slope * inner;
            }
        }
    }
    if (expr->root >= first && run->depends[expr->root])
        memcpy(out, run->tangent + (expr->root - first) * ROWS, (size_t)m * sizeof(double));
    else
        for (int i = 0; i < m; i++) out[i] = expr->root == constant;
}

/* Numbers of scratch. */
static size_t room(const nigh_expr *expr)
{
    size_t values = (size_t)(expr->variables + expr->constants + expr->steps), steps = (size_t)expr->steps;
    return (values + 3 * steps) * ROWS + values;
}

static gradient_run run_in(const nigh_expr *expr, const double *constants, double *scratch)
{
    size_t values = (size_t)(expr->variables + expr->constants + expr->steps), steps = (size_t)expr->steps;
    return (gradient_run){expr, constants ? constants : expr->constant, scratch, scratch + values * ROWS, scratch + (values + 2 * steps) * ROWS,
                          (bool *)(scratch + (values + 3 * steps) * ROWS)};
}

size_t expr_slope_workspace(const nigh_expr *expr) { return room(expr) * sizeof(double); }

void expr_slope(const nigh_expr *expr, int variable, int64_t n, const double *const *columns, double *out, double *slope, void *workspace)
{
    gradient_run run = run_in(expr, NULL, workspace);
    for (int64_t row = 0; row < n; row += ROWS) {
        int m = (int)(n - row < ROWS ? n - row : ROWS);
        forward(&run, row, m, columns);
        memcpy(out + row, run.value + expr->root * ROWS, (size_t)m * sizeof(double));
        push(&run, variable, m, slope + row);
    }
}

nigh_status nigh_expr_gradient_constants(nigh_context *ctx, const nigh_expr *expr, const double *constants, int64_t n,
                                         const double *const *columns, double *out, double *gradient)
{
    if (n < 0) return nigh_fail(ctx, NIGH_INVALID, "%lld rows; 0 or more are allowed", (long long)n);
    double *scratch = nigh_alloc_zero(ctx, room(expr), sizeof(double));
    if (!scratch) return NIGH_MEMORY;
    gradient_run run = run_in(expr, constants, scratch);
    for (int64_t row = 0; row < n; row += ROWS) {
        int m = (int)(n - row < ROWS ? n - row : ROWS);
        forward(&run, row, m, columns);
        memcpy(out + row, run.value + expr->root * ROWS, (size_t)m * sizeof(double));
        for (int c = 0; c < expr->constants; c++) push(&run, expr->variables + c, m, gradient + c * n + row);
    }
    nigh_free(ctx, scratch);
    return NIGH_OK;
}
