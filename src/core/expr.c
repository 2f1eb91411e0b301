/* Expressions: operations, building with shared subexpressions, block buffers by liveness. Declared in nigh/expr.h. */
#include "core/expr.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int arguments;
    double flops; /* vectorised; as libmvec's kernels count */
} operations[NIGH_OP_COUNT] = {
    [NIGH_OP_ADD] = {"+", 2, 1},       [NIGH_OP_SUB] = {"-", 2, 1},       [NIGH_OP_MUL] = {"*", 2, 1},
    [NIGH_OP_DIV] = {"/", 2, 8},       [NIGH_OP_POW] = {"^", 2, 70},      [NIGH_OP_MIN] = {"min", 2, 2},
    [NIGH_OP_MAX] = {"max", 2, 2},     [NIGH_OP_HYPOT] = {"hypot", 2, 30}, [NIGH_OP_ATAN2] = {"atan2", 2, 50},
    [NIGH_OP_NEG] = {"neg", 1, 1},     [NIGH_OP_ABS] = {"abs", 1, 1},     [NIGH_OP_FLOOR] = {"floor", 1, 1},
    [NIGH_OP_SQRT] = {"sqrt", 1, 9},   [NIGH_OP_RSQRT] = {"rsqrt", 1, 17}, [NIGH_OP_CBRT] = {"cbrt", 1, 30},
    [NIGH_OP_EXP] = {"exp", 1, 20},    [NIGH_OP_EXP2] = {"exp2", 1, 20},  [NIGH_OP_EXPM1] = {"expm1", 1, 30},
    [NIGH_OP_LOG] = {"log", 1, 25},    [NIGH_OP_LOG2] = {"log2", 1, 25},  [NIGH_OP_LOG10] = {"log10", 1, 25},
    [NIGH_OP_LOG1P] = {"log1p", 1, 30}, [NIGH_OP_SIN] = {"sin", 1, 30},   [NIGH_OP_COS] = {"cos", 1, 30},
    [NIGH_OP_TAN] = {"tan", 1, 50},    [NIGH_OP_ASIN] = {"asin", 1, 40},  [NIGH_OP_ACOS] = {"acos", 1, 40},
    [NIGH_OP_ATAN] = {"atan", 1, 40},  [NIGH_OP_SINH] = {"sinh", 1, 40},  [NIGH_OP_COSH] = {"cosh", 1, 35},
    [NIGH_OP_TANH] = {"tanh", 1, 40},  [NIGH_OP_ASINH] = {"asinh", 1, 60}, [NIGH_OP_ACOSH] = {"acosh", 1, 60},
    [NIGH_OP_ATANH] = {"atanh", 1, 60}, [NIGH_OP_ERF] = {"erf", 1, 40},   [NIGH_OP_ERFC] = {"erfc", 1, 55},
    [NIGH_OP_SIGMOID] = {"sigmoid", 1, 30}, [NIGH_OP_GELU] = {"gelu", 1, 60}, [NIGH_OP_SILU] = {"silu", 1, 31},
    [NIGH_OP_SOFTPLUS] = {"softplus", 1, 55},
};

const char *nigh_op_name(nigh_op op)
{
    return (unsigned)op < NIGH_OP_COUNT ? operations[op].name : NULL;
}

int nigh_op_arguments(nigh_op op)
{
    return (unsigned)op < NIGH_OP_COUNT ? operations[op].arguments : 0;
}

bool expr_op_commutes(nigh_op op)
{
    return op == NIGH_OP_ADD || op == NIGH_OP_MUL || op == NIGH_OP_MIN || op == NIGH_OP_MAX || op == NIGH_OP_HYPOT;
}

bool expr_name_valid(const char *name)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    if (!name || !*name || (*name >= '0' && *name <= '9')) return false;
    size_t size = strlen(name);
    return size <= 64 && strspn(name, allowed) == size;
}

/* ---- drafts ---- */

int expr_draft_constant(expr_draft *draft, nigh_f128 value)
{
    for (int c = 0; c < draft->constants; c++)
        if (memcmp(&draft->constant[c], &value, sizeof value) == 0) return EXPR_CONSTANT + c;
    if (draft->constants == NIGH_EXPR_MAX_CONSTANTS) return -1;
    draft->constant[draft->constants] = value;
    return EXPR_CONSTANT + draft->constants++;
}

int expr_draft_step(expr_draft *draft, nigh_op op, int a, int b)
{
    if (nigh_op_arguments(op) == 1) b = a;
    for (int s = 0; s < draft->steps; s++) {
        const nigh_step *step = &draft->step[s];
        if (step->op != op) continue;
        if ((step->a == a && step->b == b) || (expr_op_commutes(op) && step->a == b && step->b == a)) return EXPR_STEP + s;
    }
    if (draft->steps == NIGH_EXPR_MAX_OPS) return -1;
    draft->step[draft->steps] = (nigh_step){op, a, b};
    return EXPR_STEP + draft->steps++;
}

/* Gives each step a block buffer; a buffer is free again after the last step that reads it. */
static void assign_slots(nigh_expr *expr)
{
    int first = expr->variables + expr->constants, last[NIGH_EXPR_MAX_OPS], free_slots[NIGH_EXPR_MAX_OPS], n_free = 0;
    for (int s = 0; s < expr->steps; s++) {
        last[s] = s;
        if (expr->step[s].a >= first) last[expr->step[s].a - first] = s;
        if (expr->step[s].b >= first) last[expr->step[s].b - first] = s;
    }
    for (int s = 0; s < expr->steps; s++) {
        int a = expr->step[s].a - first, b = expr->step[s].b - first;
        if (a >= 0 && last[a] == s) free_slots[n_free++] = expr->slot[a];
        if (b >= 0 && b != a && last[b] == s) free_slots[n_free++] = expr->slot[b];
        expr->slot[s] = (short)(n_free ? free_slots[--n_free] : expr->slots++);
    }
}

static void copy_names(nigh_expr *expr, const char *const *variables, int count)
{
    char *at = expr->names;
    for (int v = 0; v < count; v++) {
        expr->name[v] = at;
        if (variables)
            at = stpcpy(at, variables[v]) + 1;
        else
            at += 1 + (count == 1 ? sprintf(at, "x") : sprintf(at, "x%d", v + 1));
    }
}

nigh_status expr_draft_finish(nigh_context *ctx, const expr_draft *draft, const char *const *variables, int count, int root,
                              bool keep, nigh_expr **out)
{
    bool used[EXPR_MAX_VALUES] = {false};
    int number[EXPR_MAX_VALUES];
    used[root] = true;
    for (int s = draft->steps - 1; s >= 0; s--)
        if (used[EXPR_STEP + s]) used[draft->step[s].a] = used[draft->step[s].b] = true;
    size_t bytes = 1;
    for (int v = 0; v < count; v++) bytes += variables ? strlen(variables[v]) + 1 : 8;
    nigh_expr *expr = nigh_alloc(ctx, sizeof *expr + bytes);
    if (!expr) return NIGH_MEMORY;
    memset(expr, 0, sizeof *expr);
    expr->ctx = ctx;
    expr->variables = count;
    for (int v = 0; v < count; v++) number[v] = v;
    for (int c = 0; c < draft->constants; c++) {
        if (!keep && !used[EXPR_CONSTANT + c]) continue;
        number[EXPR_CONSTANT + c] = count + expr->constants;
        expr->constant_f128[expr->constants] = draft->constant[c];
        expr->constant[expr->constants] = (double)draft->constant[c];
        expr->constant_f32[expr->constants++] = (float)draft->constant[c];
    }
    for (int s = 0; s < draft->steps; s++) {
        if (!used[EXPR_STEP + s]) continue;
        number[EXPR_STEP + s] = count + expr->constants + expr->steps;
        expr->step[expr->steps++] = (nigh_step){draft->step[s].op, number[draft->step[s].a], number[draft->step[s].b]};
    }
    expr->root = number[root];
    assign_slots(expr);
    copy_names(expr, variables, count);
    *out = expr;
    return NIGH_OK;
}

/* ---- nigh_expr_build ---- */

static nigh_status check_program(nigh_context *ctx, const char *const *variables, int count, const double *constants,
                                 int n_constants, const nigh_step *steps, int n_steps, int root)
{
    if (count < 0 || count > NIGH_EXPR_MAX_VARIABLES)
        return nigh_fail(ctx, NIGH_INVALID, "%d variables; 0 to %d are allowed", count, NIGH_EXPR_MAX_VARIABLES);
    if (n_constants < 0 || n_constants > NIGH_EXPR_MAX_CONSTANTS)
        return nigh_fail(ctx, NIGH_INVALID, "%d constants; 0 to %d are allowed", n_constants, NIGH_EXPR_MAX_CONSTANTS);
    if (n_steps < 0 || n_steps > NIGH_EXPR_MAX_OPS)
        return nigh_fail(ctx, NIGH_INVALID, "%d operations; 0 to %d are allowed", n_steps, NIGH_EXPR_MAX_OPS);
    for (int v = 0; variables && v < count; v++)
        if (!expr_name_valid(variables[v]))
            return nigh_fail(ctx, NIGH_INVALID, "variable name '%.80s': letters, digits and _ are allowed, at most 64, no digit first",
                             variables[v] ? variables[v] : "");
    for (int c = 0; c < n_constants; c++)
        if (!isfinite(constants[c])) return nigh_fail(ctx, NIGH_INVALID, "constant %d is %g; it must be finite", c, constants[c]);
    int values = count + n_constants;
    for (int s = 0; s < n_steps; s++) {
        int limit = values + s;
        if ((unsigned)steps[s].op >= NIGH_OP_COUNT) return nigh_fail(ctx, NIGH_INVALID, "step %d: unknown operation %d", s, (int)steps[s].op);
        bool two = nigh_op_arguments(steps[s].op) == 2;
        if (steps[s].a < 0 || steps[s].a >= limit || (two && (steps[s].b < 0 || steps[s].b >= limit)))
            return nigh_fail(ctx, NIGH_INVALID, "step %d uses values %d and %d; 0 to %d exist before it", s, steps[s].a,
                             steps[s].b, limit - 1);
    }
    if (root < 0 || root >= values + n_steps)
        return nigh_fail(ctx, NIGH_INVALID, "root is value %d; 0 to %d exist", root, values + n_steps - 1);
    return NIGH_OK;
}

nigh_status nigh_expr_build(nigh_context *ctx, const char *const *variables, int count, const double *constants,
                            int n_constants, const nigh_step *steps, int n_steps, int root, nigh_expr **out)
{
    if (root == -1) root = count + n_constants + n_steps - 1;
    nigh_status status = check_program(ctx, variables, count, constants, n_constants, steps, n_steps, root);
    if (status != NIGH_OK) return status;
    expr_draft *draft = nigh_alloc(ctx, sizeof *draft);
    if (!draft) return NIGH_MEMORY;
    int number[EXPR_MAX_VALUES], values = 0;
    for (int v = 0; v < count; v++) number[values++] = v;
    draft->constants = n_constants;
    draft->steps = 0;
    for (int c = 0; c < n_constants; c++) {
        draft->constant[c] = constants[c];
        number[values++] = EXPR_CONSTANT + c;
    }
    for (int s = 0; s < n_steps; s++) {
        int a = number[steps[s].a], b = nigh_op_arguments(steps[s].op) == 2 ? number[steps[s].b] : a;
        number[values++] = expr_draft_step(draft, steps[s].op, a, b); /* there is room: n_steps was checked */
    }
    status = expr_draft_finish(ctx, draft, variables, count, number[root], true, out);
    nigh_free(ctx, draft);
    return status;
}

void nigh_expr_free(nigh_expr *expr)
{
    if (expr) nigh_free(expr->ctx, expr);
}

/* ---- looking inside ---- */

int nigh_expr_variables(const nigh_expr *expr)
{
    return expr->variables;
}

const char *nigh_expr_variable(const nigh_expr *expr, int i)
{
    return i >= 0 && i < expr->variables ? expr->name[i] : NULL;
}

int nigh_expr_steps(const nigh_expr *expr, const nigh_step **steps)
{
    if (steps) *steps = expr->step;
    return expr->steps;
}

int nigh_expr_constants(const nigh_expr *expr, const double **constants)
{
    if (constants) *constants = expr->constant;
    return expr->constants;
}

int nigh_expr_root(const nigh_expr *expr)
{
    return expr->root;
}

double nigh_expr_flops(const nigh_expr *expr)
{
    double flops = 0;
    for (int s = 0; s < expr->steps; s++) {
        nigh_op op = expr->step[s].op;
        int power = expr->step[s].b - expr->variables;
        bool small = op == NIGH_OP_POW && power >= 0 && power < expr->constants && expr_small_power(expr->constant[power]);
        flops += small ? 4 : operations[op].flops;
    }
    return flops;
}
