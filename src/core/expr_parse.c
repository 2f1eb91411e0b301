/* Infix text to expressions: recursive descent with one token of look-ahead. The grammar stands in nigh/expr.h. */
#include "core/expr.h"
#include "core/words.h"

#include <stdio.h>
#include <string.h>

enum { MOST_NESTING = 200, MOST_TEXT = 100000 };

typedef struct parser {
    nigh_context *ctx;
    const char *text, *at, *token; /* token starts at `token` and ends at `at` */
    const char *const *variables;
    int count, depth;
    nigh_status status;
    expr_draft draft;
} parser;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Moves `at` behind the number there: digits, point, exponent. */
static void skip_number(parser *p)
{
    while (is_digit(*p->at) || *p->at == '.') p->at++;
    if (*p->at != 'e' && *p->at != 'E') return;
    const char *digits = p->at + 1 + (p->at[1] == '+' || p->at[1] == '-');
    if (!is_digit(*digits)) return;
    while (is_digit(*digits)) digits++;
    p->at = digits;
}

static void next(parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r') p->at++;
    p->token = p->at;
    if (is_digit(*p->at) || *p->at == '.')
        skip_number(p);
    else if (is_letter(*p->at))
        while (is_letter(*p->at) || is_digit(*p->at)) p->at++;
    else if (p->at[0] == '*' && p->at[1] == '*') /* the other way to write ^ */
        p->at += 2;
    else if (*p->at)
        p->at++;
}

static bool is(const parser *p, const char *symbol)
{
    size_t size = (size_t)(p->at - p->token);
    return size == strlen(symbol) && memcmp(p->token, symbol, size) == 0;
}

/* The token for a message: at most 40 bytes, unprintable ones replaced. */
static const char *shown(const parser *p, char buffer[48])
{
    size_t size = (size_t)(p->at - p->token);
    if (size == 0) return "the end";
    size_t most = size > 40 ? 40 : size;
    buffer[0] = '\'';
    for (size_t i = 0; i < most; i++) buffer[1 + i] = p->token[i] >= ' ' && p->token[i] <= '~' ? p->token[i] : '?';
    strcpy(buffer + 1 + most, size > most ? "..'" : "'");
    return buffer;
}

static int position(const parser *p)
{
    return (int)(p->token - p->text) + 1;
}

static int fail(parser *p, const char *expected)
{
    char buffer[48];
    if (p->status == NIGH_OK)
        p->status = nigh_fail(p->ctx, NIGH_INVALID, "expression, position %d: %s expected, found %s", position(p), expected,
                              shown(p, buffer));
    return -1;
}

static bool constant_of(const parser *p, int value, nigh_f128 *number)
{
    if (value < EXPR_CONSTANT || value >= EXPR_STEP) return false;
    *number = p->draft.constant[value - EXPR_CONSTANT];
    return true;
}

static int add_constant(parser *p, nigh_f128 number)
{
    if (!f128_finite(number)) {
        if (p->status == NIGH_OK)
            p->status = nigh_fail(p->ctx, NIGH_INVALID, "expression, position %d: the constant before it is not a finite number",
                                  position(p));
        return -1;
    }
    int value = expr_draft_constant(&p->draft, number);
    if (value < 0 && p->status == NIGH_OK)
        p->status = nigh_fail(p->ctx, NIGH_INVALID, "expression, position %d: more than %d constants", position(p),
                              NIGH_EXPR_MAX_CONSTANTS);
    return value;
}

static int add_step(parser *p, nigh_op op, int a, int b)
{
    nigh_f128 left, right = 0;
    if (a < 0 || b < 0) return -1;
    if (constant_of(p, a, &left) && constant_of(p, b, &right)) return add_constant(p, expr_op_f128(op, left, right));
    int value = expr_draft_step(&p->draft, op, a, b);
    if (value < 0 && p->status == NIGH_OK)
        p->status = nigh_fail(p->ctx, NIGH_INVALID, "expression, position %d: more than %d operations", position(p),
                              NIGH_EXPR_MAX_OPS);
    return value;
}

static int parse_sum(parser *p);
static int parse_unary(parser *p);

static int parse_number(parser *p)
{
    char *end;
    nigh_f128 number = strtof128(p->token, &end);
    if (end != p->at) return fail(p, "a number");
    next(p);
    return add_constant(p, number);
}

/* An unknown name: the nearest variable, function or constant is suggested. */
static int fail_name(parser *p)
{
    size_t size = (size_t)(p->at - p->token);
    const char *best = NULL;
    for (int v = 0; v < p->count; v++) best = word_nearer(p->token, size, p->variables[v], best);
    for (int op = 0; op < NIGH_OP_COUNT; op++)
        if (is_letter(nigh_op_name(op)[0])) best = word_nearer(p->token, size, nigh_op_name(op), best);
    best = word_nearer(p->token, size, "pow", best);
    char buffer[48];
    const char *name = shown(p, buffer);
    p->status = best ? nigh_fail(p->ctx, NIGH_INVALID, "expression, position %d: unknown name %s; did you mean '%s'?",
                                 position(p), name, best)
                     : nigh_fail(p->ctx, NIGH_INVALID, "expression, position %d: unknown name %s; %s%s%s", position(p), name,
                                 p->count ? "the variable is '" : "there are no variables", p->count ? p->variables[0] : "",
                                 p->count > 1 ? "' and others" : p->count ? "'" : "");
    return -1;
}

static int parse_call(parser *p, nigh_op op)
{
    const char *name = op == NIGH_OP_POW ? "pow" : nigh_op_name(op);
    char expected[64];
    next(p);
    if (!is(p, "(")) {
        snprintf(expected, sizeof expected, "'(' after the function %s", name);
        return fail(p, expected);
    }
    next(p);
    int a = parse_sum(p), b = a;
    if (a < 0) return -1;
    if (nigh_op_arguments(op) == 2) {
        snprintf(expected, sizeof expected, "',' and a second argument of %s", name);
        if (!is(p, ",")) return fail(p, expected);
        next(p);
        if ((b = parse_sum(p)) < 0) return -1;
    }
    if (!is(p, ")")) return fail(p, "')'");
    next(p);
    return add_step(p, op, a, b);
}

static int parse_name(parser *p)
{
    for (int v = 0; v < p->count; v++)
        if (is(p, p->variables[v])) {
            next(p);
            return v;
        }
    if (is(p, "pi") || is(p, "e")) {
        nigh_f128 number = is(p, "pi") ? PI_Q : E_Q;
        next(p);
        return add_constant(p, number);
    }
    for (int op = 0; op < NIGH_OP_COUNT; op++)
        if (is_letter(nigh_op_name(op)[0]) && is(p, nigh_op_name(op))) return parse_call(p, op);
    if (is(p, "pow")) return parse_call(p, NIGH_OP_POW);
    return fail_name(p);
}

static int parse_atom(parser *p)
{
    if (is_digit(*p->token) || *p->token == '.') return parse_number(p);
    if (is_letter(*p->token)) return parse_name(p);
    if (!is(p, "(")) return fail(p, "a number, a name or '('");
    next(p);
    int value = parse_sum(p);
    if (value < 0) return -1;
    if (!is(p, ")")) return fail(p, "')'");
    next(p);
    return value;
}

/* power: atom [^ unary], so ^ is right associative and 2^-x works. */
static int parse_unary(parser *p)
{
    if (p->depth >= MOST_NESTING) {
        if (p->status == NIGH_OK)
            p->status = nigh_fail(p->ctx, NIGH_INVALID, "expression, position %d: nested deeper than %d", position(p), MOST_NESTING);
        return -1;
    }
    p->depth++;
    int value;
    if (is(p, "-")) {
        next(p);
        value = parse_unary(p);
        value = add_step(p, NIGH_OP_NEG, value, value);
    } else if (is(p, "+")) {
        next(p);
        value = parse_unary(p);
    } else {
        value = parse_atom(p);
        if (value >= 0 && (is(p, "^") || is(p, "**"))) {
            next(p);
            value = add_step(p, NIGH_OP_POW, value, parse_unary(p));
        }
    }
    p->depth--;
    return value;
}

static int parse_product(parser *p)
{
    int value = parse_unary(p);
    while (value >= 0 && (is(p, "*") || is(p, "/"))) {
        nigh_op op = is(p, "*") ? NIGH_OP_MUL : NIGH_OP_DIV;
        next(p);
        value = add_step(p, op, value, parse_unary(p));
    }
    return value;
}

static int parse_sum(parser *p)
{
    int value = parse_product(p);
    while (value >= 0 && (is(p, "+") || is(p, "-"))) {
        nigh_op op = is(p, "+") ? NIGH_OP_ADD : NIGH_OP_SUB;
        next(p);
        value = add_step(p, op, value, parse_product(p));
    }
    return value;
}

nigh_status nigh_expr_parse(nigh_context *ctx, const char *text, const char *const *variables, int count, nigh_expr **out)
{
    if (!text) return nigh_fail(ctx, NIGH_INVALID, "expression is NULL");
    if (strlen(text) > MOST_TEXT)
        return nigh_fail(ctx, NIGH_INVALID, "expression has %zu characters; at most %d are allowed", strlen(text), MOST_TEXT);
    if (count < 0 || count > NIGH_EXPR_MAX_VARIABLES)
        return nigh_fail(ctx, NIGH_INVALID, "%d variables; 0 to %d are allowed", count, NIGH_EXPR_MAX_VARIABLES);
    for (int v = 0; v < count; v++)
        if (!expr_name_valid(variables[v]))
            return nigh_fail(ctx, NIGH_INVALID, "variable name '%.80s': letters, digits and _ are allowed, at most 64, no digit first",
                             variables[v] ? variables[v] : "");
    parser *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    *p = (parser){.ctx = ctx, .text = text, .at = text, .variables = variables, .count = count};
    next(p);
    int value = parse_sum(p);
    if (value >= 0 && *p->token) fail(p, "an operator or the end");
    nigh_status status = p->status;
    if (status == NIGH_OK) status = expr_draft_finish(ctx, &p->draft, variables, count, value, false, out);
    nigh_free(ctx, p);
    return status;
}
