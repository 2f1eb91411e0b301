/* Expressions as infix, prefix and C text. */
#include "core/expr.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20 };

/* How tightly an operator binds; a sign stands between product and power. */
enum { SUM = 1, PRODUCT, SIGN, POWER, ATOM };

void expr_print_f128(nigh_f128 value, char *text)
{
    if (value == PI_Q || value == E_Q) {
        strcpy(text, value == PI_Q ? "pi" : "e");
        return;
    }
    for (int digits = 1; digits <= 36; digits++) {
        char format[16];
        snprintf(format, sizeof format, "%%.%dg", digits);
        strfromf128(text, 64, format, value);
        if (strtof128(text, NULL) == value) return;
    }
}

static nigh_status check_room(const nigh_buffer *text)
{
    if (text->size <= MOST_BYTES) return NIGH_OK;
    return nigh_fail(text->ctx, NIGH_RESOURCE, "the expression's text is longer than %d bytes", MOST_BYTES);
}

static int binding(const nigh_expr *expr, int value)
{
    if (value < expr->variables) return ATOM;
    value -= expr->variables;
    if (value < expr->constants) return expr->constant_f128[value] < 0 ? SIGN : ATOM;
    switch (expr->step[value - expr->constants].op) {
    case NIGH_OP_ADD:
    case NIGH_OP_SUB: return SUM;
    case NIGH_OP_MUL:
    case NIGH_OP_DIV: return PRODUCT;
    case NIGH_OP_NEG: return SIGN;
    case NIGH_OP_POW: return POWER;
    default: return ATOM;
    }
}

static nigh_status print_leaf(const nigh_expr *expr, int value, nigh_buffer *text)
{
    char number[64];
    if (value < expr->variables) return nigh_buffer_print(text, "%s", expr->name[value]);
    expr_print_f128(expr->constant_f128[value - expr->variables], number);
    return nigh_buffer_print(text, "%s", number);
}

static nigh_status infix(const nigh_expr *expr, int value, int least, nigh_buffer *text);

static nigh_status infix_step(const nigh_expr *expr, const nigh_step *step, nigh_buffer *text)
{
    nigh_status status;
    const char *name = nigh_op_name(step->op);
    int left = 0, right = 0; /* the least binding of the operands that needs no parentheses */
    switch (step->op) {
    case NIGH_OP_ADD:
    case NIGH_OP_SUB: left = SUM, right = PRODUCT; break;
    case NIGH_OP_MUL:
    case NIGH_OP_DIV: left = PRODUCT, right = SIGN; break;
    case NIGH_OP_POW: left = ATOM, right = SIGN; break;
    case NIGH_OP_NEG:
        if ((status = nigh_buffer_print(text, "-")) != NIGH_OK) return status;
        return infix(expr, step->a, SIGN, text);
    default:
        if ((status = nigh_buffer_print(text, "%s(", name)) != NIGH_OK) return status;
        if ((status = infix(expr, step->a, SUM, text)) != NIGH_OK) return status;
        if (nigh_op_arguments(step->op) == 2) {
            if ((status = nigh_buffer_print(text, ", ")) != NIGH_OK) return status;
            if ((status = infix(expr, step->b, SUM, text)) != NIGH_OK) return status;
        }
        return nigh_buffer_print(text, ")");
    }
    if ((status = infix(expr, step->a, left, text)) != NIGH_OK) return status;
    const char *space = left == SUM ? " " : "";
    if ((status = nigh_buffer_print(text, "%s%s%s", space, name, space)) != NIGH_OK) return status;
    return infix(expr, step->b, right, text);
}

static nigh_status infix(const nigh_expr *expr, int value, int least, nigh_buffer *text)
{
    int first = expr->variables + expr->constants;
    bool enclosed = binding(expr, value) < least;
    nigh_status status = check_room(text);
    if (status == NIGH_OK && enclosed) status = nigh_buffer_print(text, "(");
    if (status == NIGH_OK)
        status = value < first ? print_leaf(expr, value, text) : infix_step(expr, &expr->step[value - first], text);
    if (status == NIGH_OK && enclosed) status = nigh_buffer_print(text, ")");
    return status;
}

static nigh_status prefix(const nigh_expr *expr, int value, nigh_buffer *text)
{
    int first = expr->variables + expr->constants;
    nigh_status status = check_room(text);
    if (status != NIGH_OK) return status;
    if (value < first) return print_leaf(expr, value, text);
    const nigh_step *step = &expr->step[value - first];
    if ((status = nigh_buffer_print(text, "(%s ", nigh_op_name(step->op))) != NIGH_OK) return status;
    if ((status = prefix(expr, step->a, text)) != NIGH_OK) return status;
    if (nigh_op_arguments(step->op) == 2) {
        if ((status = nigh_buffer_print(text, " ")) != NIGH_OK) return status;
        if ((status = prefix(expr, step->b, text)) != NIGH_OK) return status;
    }
    return nigh_buffer_print(text, ")");
}

/* ---- C ---- */

/* $a and $b stand for the arguments. */
static const char *c_pattern(nigh_op op)
{
    switch (op) {
    case NIGH_OP_ADD: return "$a + $b";
    case NIGH_OP_SUB: return "$a - $b";
    case NIGH_OP_MUL: return "$a * $b";
    case NIGH_OP_DIV: return "$a / $b";
    case NIGH_OP_MIN: return "$a != $a || $a < $b ? $a : $b";
    case NIGH_OP_MAX: return "$a != $a || $a > $b ? $a : $b";
    case NIGH_OP_NEG: return "-$a";
    case NIGH_OP_ABS: return "fabs($a)";
    case NIGH_OP_POW: return "pow($a, $b)";
    case NIGH_OP_RSQRT: return "1.0 / sqrt($a)";
    case NIGH_OP_SIGMOID: return "($a < 0 ? exp($a) : 1.0) / (1.0 + exp(-fabs($a)))";
    case NIGH_OP_SILU: return "$a * ($a < 0 ? exp($a) : 1.0) / (1.0 + exp(-fabs($a)))";
    case NIGH_OP_GELU: return "0.5 * $a * erfc($a * -0.70710678118654752)";
    case NIGH_OP_SOFTPLUS: return "log1p(exp(-fabs($a))) + ($a > 0 ? $a : 0.0)";
    default: return NULL; /* math.h has it under the same name */
    }
}

static void c_operand(const nigh_expr *expr, int value, char text[80])
{
    if (value < expr->variables) {
        snprintf(text, 80, "%s", expr->name[value]);
        return;
    }
    value -= expr->variables;
    if (value >= expr->constants) {
        snprintf(text, 80, "t%d", value - expr->constants);
        return;
    }
    double number = expr->constant[value];
    char digits[40];
    for (int k = 1; k <= 17; k++) {
        snprintf(digits, sizeof digits, "%.*g", k, number);
        if (strtod(digits, NULL) == number) break;
    }
    const char *point = strpbrk(digits, ".e") ? "" : ".0";
    snprintf(text, 80, number < 0 ? "(%s%s)" : "%s%s", digits, point);
}

static nigh_status c_step(const nigh_step *step, const char *a, const char *b, nigh_buffer *text)
{
    const char *pattern = c_pattern(step->op);
    if (!pattern) {
        bool two = nigh_op_arguments(step->op) == 2;
        return nigh_buffer_print(text, "%s(%s%s%s)", nigh_op_name(step->op), a, two ? ", " : "", two ? b : "");
    }
    nigh_status status = NIGH_OK;
    while (*pattern && status == NIGH_OK) {
        if (*pattern == '$') {
            const char *argument = pattern[1] == 'a' ? a : b;
            status = nigh_buffer_print(text, "%s", argument);
            pattern += 2;
        } else {
            size_t size = strcspn(pattern, "$");
            status = nigh_buffer_add(text, pattern, size);
            pattern += size;
        }
    }
    return status;
}

static nigh_status c_statements(const nigh_expr *expr, nigh_buffer *text)
{
    char a[80], b[80];
    for (int s = 0; s < expr->steps; s++) {
        c_operand(expr, expr->step[s].a, a);
        c_operand(expr, expr->step[s].b, b);
        nigh_status status = nigh_buffer_print(text, "const double t%d = ", s);
        if (status == NIGH_OK) status = c_step(&expr->step[s], a, b, text);
        if (status == NIGH_OK) status = nigh_buffer_print(text, ";\n");
        if (status != NIGH_OK) return status;
    }
    c_operand(expr, expr->root, a);
    return nigh_buffer_print(text, "return %s;\n", a);
}

nigh_status nigh_expr_print(const nigh_expr *expr, nigh_expr_form form, nigh_buffer *text)
{
    if (form == NIGH_EXPR_INFIX) return infix(expr, expr->root, SUM, text);
    if (form == NIGH_EXPR_PREFIX) return prefix(expr, expr->root, text);
    if (form == NIGH_EXPR_C) return c_statements(expr, text);
    return nigh_fail(text->ctx, NIGH_INVALID, "form is %d; NIGH_EXPR_INFIX, PREFIX or C is allowed", (int)form);
}
