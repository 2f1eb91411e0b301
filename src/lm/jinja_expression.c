/* Tokens -> expressions, by the precedence that Jinja gives its operators. */
#include "lm/jinja.h"

#include <errno.h>
#include <stdlib.h>

static jinja_node *parse_unary(jinja *j, bool filters);

static jinja_node *two(jinja *j, jinja_node_kind kind, const char *sign, jinja_node *a, jinja_node *b)
{
    jinja_node *node = jinja_node_new(j, kind);
    if (j->status) return a;
    node->text = sign, node->a = a, node->b = b;
    return node;
}

static bool enter(jinja *j)
{
    if (++j->depth > JINJA_DEPTH) jinja_fail(j, NIGH_UNSUPPORTED, "expressions are nested more than %d deep", JINJA_DEPTH);
    return !j->status;
}

/* ---- literals ---- */

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

static size_t put_point(uint32_t point, char *out)
{
    if (point < 0x80) return out[0] = (char)point, 1;
    if (point < 0x800) return out[0] = (char)(0xC0 | point >> 6), out[1] = (char)(0x80 | (point & 63)), 2;
    if (point < 0x10000) return out[0] = (char)(0xE0 | point >> 12), out[1] = (char)(0x80 | (point >> 6 & 63)), out[2] = (char)(0x80 | (point & 63)), 3;
    out[0] = (char)(0xF0 | point >> 18), out[1] = (char)(0x80 | (point >> 12 & 63)), out[2] = (char)(0x80 | (point >> 6 & 63)), out[3] = (char)(0x80 | (point & 63));
    return 4;
}

/* The escape behind a backslash at p; bytes written to out, *used taken. */
static size_t escape(const char *p, size_t left, char *out, size_t *used)
{
    static const char from[] = "ntrabfv0\\'\"", to[] = "\n\t\r\a\b\f\v\0\\'\"";
    if (*p == '\n') return *used = 1, 0;
    size_t digits = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
    if (digits && left > digits) {
        uint32_t point = 0;
        size_t i = 1;
        for (; i <= digits && hex(p[i]) >= 0; i++) point = point << 4 | (uint32_t)hex(p[i]);
        if (i > digits && point <= 0x10FFFF) return *used = digits + 1, put_point(point, out);
    }
    const char *known = memchr(from, *p, sizeof from - 1);
    *used = 1;
    if (known) return out[0] = to[known - from], 1;
    return out[0] = '\\', out[1] = *p, 2;
}

static jinja_node *parse_string(jinja *j)
{
    jinja_node *node = jinja_node_new(j, NODE_LITERAL);
    size_t size = 0, n = 0;
    for (int64_t i = j->at; j->token[i].kind == TOKEN_STRING; i++) size += j->token[i].size;
    char *out = jinja_take(j, size + 4);
    if (!out) return node;
    for (; jinja_peek(j)->kind == TOKEN_STRING; j->at++) {
        const jinja_token *t = j->token + j->at;
        for (size_t i = 1; i + 1 < t->size;) {
            if (t->text[i] != '\\' || i + 2 >= t->size) {
                out[n++] = t->text[i++];
                continue;
            }
            size_t used;
            n += escape(t->text + i + 1, t->size - i - 2, out + n, &used);
            i += 1 + used;
        }
    }
    node->value = jinja_text(out, n);
    return node;
}

static jinja_node *parse_number(jinja *j)
{
    jinja_node *node = jinja_node_new(j, NODE_LITERAL);
    const jinja_token *t = jinja_peek(j);
    char digits[64];
    size_t n = 0;
    if (t->size >= sizeof digits) {
        jinja_fail(j, NIGH_UNSUPPORTED, "a number of %zu digits", t->size);
        return node;
    }
    for (size_t i = 0; i < t->size; i++)
        if (t->text[i] != '_') digits[n++] = t->text[i];
    digits[n] = 0;
    errno = 0;
    if (t->kind == TOKEN_INTEGER)
        node->value = jinja_integer(strtoll(digits, NULL, 10));
    else
        node->value = (jinja_value){.kind = JINJA_REAL, .real = strtod(digits, NULL)};
    if (errno && t->kind == TOKEN_INTEGER) jinja_fail(j, NIGH_UNSUPPORTED, "the number %s does not fit in 64 bits", digits);
    j->at++;
    return node;
}

static jinja_node *parse_name(jinja *j)
{
    static const struct {
        const char *name;
        jinja_kind kind;
        bool truth;
    } constants[] = {{"true", JINJA_BOOL, true}, {"True", JINJA_BOOL, true}, {"false", JINJA_BOOL, false}, {"False", JINJA_BOOL, false},
                     {"none", JINJA_NONE, false}, {"None", JINJA_NONE, false}};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        if (!jinja_skip(j, constants[i].name)) continue;
        jinja_node *node = jinja_node_new(j, NODE_LITERAL);
        node->value = constants[i].kind == JINJA_NONE ? jinja_none() : jinja_bool(constants[i].truth);
        return node;
    }
    jinja_node *node = jinja_node_new(j, NODE_NAME);
    node->text = jinja_name(j);
    node->size = node->text ? strlen(node->text) : 0;
    return node;
}

static jinja_node *parse_list(jinja *j)
{
    jinja_node *node = jinja_node_new(j, NODE_LIST);
    while (!j->status && !jinja_skip(j, "]")) {
        jinja_child(j, node, jinja_expression(j), NULL);
        if (!jinja_is(j, "]")) jinja_expect(j, ",");
    }
    return node;
}

static jinja_node *parse_map(jinja *j)
{
    jinja_node *node = jinja_node_new(j, NODE_MAP);
    while (!j->status && !jinja_skip(j, "}")) {
        jinja_child(j, node, jinja_expression(j), NULL);
        jinja_expect(j, ":");
        jinja_child(j, node, jinja_expression(j), NULL);
        if (!jinja_is(j, "}")) jinja_expect(j, ",");
    }
    return node;
}

jinja_node *jinja_primary(jinja *j)
{
    jinja_node *node = NULL;
    if (!enter(j)) return jinja_node_new(j, NODE_LITERAL);
    const jinja_token *t = jinja_peek(j);
    if (t->kind == TOKEN_STRING) {
        node = parse_string(j);
    } else if (t->kind == TOKEN_INTEGER || t->kind == TOKEN_REAL) {
        node = parse_number(j);
    } else if (jinja_skip(j, "(")) {
        if (jinja_skip(j, ")")) {
            node = jinja_node_new(j, NODE_TUPLE);
        } else {
            node = jinja_tuple(j, true);
            jinja_expect(j, ")");
        }
    } else if (jinja_skip(j, "[")) {
        node = parse_list(j);
    } else if (jinja_skip(j, "{")) {
        node = parse_map(j);
    } else {
        node = parse_name(j);
    }
    j->depth--;
    return node;
}

/* ---- what follows a primary ---- */

void jinja_arguments(jinja *j, jinja_node *node)
{
    while (!j->status && !jinja_skip(j, ")")) {
        const char *name = NULL;
        if (jinja_is(j, "*") || jinja_is(j, "**")) jinja_fail(j, NIGH_UNSUPPORTED, "'*' in front of an argument is not known");
        const jinja_token *next = j->token + j->at;
        if (next->kind == TOKEN_NAME && next[1].kind == TOKEN_SIGN && next[1].size == 1 && *next[1].text == '=') {
            name = jinja_name(j);
            jinja_skip(j, "=");
        }
        jinja_child(j, node, jinja_expression(j), name);
        if (!jinja_is(j, ")")) jinja_expect(j, ",");
    }
    if (node->children > JINJA_ARGUMENTS) jinja_fail(j, NIGH_UNSUPPORTED, "%d arguments; %d are allowed", node->children, JINJA_ARGUMENTS);
}

static jinja_node *parse_subscript(jinja *j, jinja_node *of)
{
    jinja_node *first = jinja_is(j, ":") ? NULL : jinja_expression(j);
    jinja_node *node = jinja_node_new(j, NODE_ITEM);
    node->a = of, node->b = first;
    if (jinja_skip(j, ":")) {
        node->kind = NODE_SLICE;
        if (!jinja_is(j, ":") && !jinja_is(j, "]")) node->c = jinja_expression(j);
        if (jinja_skip(j, ":") && !jinja_is(j, "]")) node->d = jinja_expression(j);
    }
    jinja_expect(j, "]");
    return node;
}

static jinja_node *parse_postfix(jinja *j, jinja_node *node)
{
    int before = j->depth;
    while (!j->status && enter(j)) {
        if (jinja_skip(j, ".")) {
            jinja_node *outer;
            if (jinja_peek(j)->kind == TOKEN_INTEGER) {
                outer = jinja_node_new(j, NODE_ITEM);
                outer->b = parse_number(j);
            } else {
                outer = jinja_node_new(j, NODE_ATTRIBUTE);
                outer->text = jinja_name(j);
                outer->size = outer->text ? strlen(outer->text) : 0;
            }
            outer->a = node, node = outer;
        } else if (jinja_skip(j, "[")) {
            node = parse_subscript(j, node);
        } else if (jinja_skip(j, "(")) {
            jinja_node *call = jinja_node_new(j, NODE_CALL);
            call->a = node, node = call;
            jinja_arguments(j, call);
        } else {
            break;
        }
    }
    j->depth = before;
    return node;
}

static jinja_node *parse_test(jinja *j, jinja_node *value)
{
    jinja_node *node = jinja_node_new(j, NODE_TEST);
    node->a = value;
    node->negative = jinja_skip(j, "not");
    const jinja_token *t = jinja_peek(j);
    if (t->kind == TOKEN_SIGN && (jinja_is(j, "==") || jinja_is(j, "!=") || jinja_is(j, "<") || jinja_is(j, ">") || jinja_is(j, "<=") || jinja_is(j, ">="))) {
        node->text = jinja_copy(j, t->text, t->size).text;
        j->at++;
    } else {
        node->text = jinja_name(j);
    }
    if (jinja_skip(j, "(")) {
        jinja_arguments(j, node);
        return node;
    }
    t = jinja_peek(j);
    bool stop = jinja_is(j, "else") || jinja_is(j, "or") || jinja_is(j, "and") || jinja_is(j, "is") || jinja_is(j, "if") || jinja_is(j, "in") || jinja_is(j, "not") ||
                jinja_is(j, "recursive");
    if ((t->kind == TOKEN_NAME && !stop) || t->kind == TOKEN_STRING || t->kind == TOKEN_INTEGER || t->kind == TOKEN_REAL || jinja_is(j, "[") || jinja_is(j, "{"))
        jinja_child(j, node, parse_postfix(j, jinja_primary(j)), NULL);
    return node;
}

jinja_node *jinja_filters(jinja *j, jinja_node *node)
{
    int before = j->depth;
    while (!j->status && enter(j)) {
        if (jinja_skip(j, "|")) {
            jinja_node *filter = jinja_node_new(j, NODE_FILTER);
            filter->text = jinja_name(j);
            filter->a = node, node = filter;
            if (jinja_skip(j, "(")) jinja_arguments(j, filter);
        } else if (jinja_skip(j, "is")) {
            node = parse_test(j, node);
        } else if (jinja_skip(j, "(")) {
            jinja_node *call = jinja_node_new(j, NODE_CALL);
            call->a = node, node = call;
            jinja_arguments(j, call);
        } else {
            break;
        }
    }
    j->depth = before;
    return node;
}

/* ---- operators ---- */

static jinja_node *parse_unary(jinja *j, bool filters)
{
    jinja_node *node;
    if (!enter(j)) return jinja_node_new(j, NODE_LITERAL);
    bool minus = jinja_skip(j, "-");
    if (minus || jinja_skip(j, "+")) {
        node = two(j, minus ? NODE_MINUS : NODE_PLUS, NULL, parse_unary(j, false), NULL);
    } else {
        node = jinja_primary(j);
    }
    node = parse_postfix(j, node);
    j->depth--;
    return filters ? jinja_filters(j, node) : node;
}

typedef jinja_node *level(jinja *j);

static jinja_node *chain(jinja *j, level *below, const char *const *signs)
{
    jinja_node *left = below(j);
    int before = j->depth;
    for (bool more = true; more && !j->status;) {
        more = false;
        for (int i = 0; signs[i] && !more; i++) {
            if (!jinja_skip(j, signs[i])) continue;
            left = two(j, NODE_BINARY, signs[i], left, below(j));
            more = enter(j);
        }
    }
    j->depth = before;
    return left;
}

static jinja_node *parse_filtered(jinja *j) { return parse_unary(j, true); }

static jinja_node *parse_power(jinja *j)
{
    static const char *const signs[] = {"**", NULL};
    return chain(j, parse_filtered, signs);
}

static jinja_node *parse_product(jinja *j)
{
    static const char *const signs[] = {"*", "/", "//", "%", NULL};
    return chain(j, parse_power, signs);
}

static jinja_node *parse_join(jinja *j)
{
    static const char *const signs[] = {"~", NULL};
    return chain(j, parse_product, signs);
}

static jinja_node *parse_sum(jinja *j)
{
    static const char *const signs[] = {"+", "-", NULL};
    return chain(j, parse_join, signs);
}

static const char *compare_sign(jinja *j)
{
    static const char *const signs[] = {"==", "!=", "<=", ">=", "<", ">", "in"};
    for (int i = 0; i < 7; i++)
        if (jinja_skip(j, signs[i])) return signs[i];
    const jinja_token *t = j->token + j->at;
    if (jinja_is(j, "not") && t[1].kind == TOKEN_NAME && t[1].size == 2 && !memcmp(t[1].text, "in", 2)) {
        j->at += 2;
        return "not in";
    }
    return NULL;
}

static jinja_node *parse_compare(jinja *j)
{
    jinja_node *first = parse_sum(j), *node = NULL;
    for (const char *sign; !j->status && (sign = compare_sign(j));) {
        if (!node) {
            node = jinja_node_new(j, NODE_COMPARE);
            jinja_child(j, node, first, NULL);
        }
        jinja_child(j, node, parse_sum(j), sign);
    }
    return node ? node : first;
}

static jinja_node *parse_not(jinja *j)
{
    if (!jinja_skip(j, "not")) return parse_compare(j);
    if (!enter(j)) return jinja_node_new(j, NODE_LITERAL);
    jinja_node *node = two(j, NODE_NOT, NULL, parse_not(j), NULL);
    j->depth--;
    return node;
}

static jinja_node *parse_and(jinja *j)
{
    jinja_node *left = parse_not(j);
    int before = j->depth;
    while (jinja_skip(j, "and") && enter(j)) left = two(j, NODE_AND, NULL, left, parse_not(j));
    j->depth = before;
    return left;
}

static jinja_node *parse_or(jinja *j)
{
    jinja_node *left = parse_and(j);
    int before = j->depth;
    while (jinja_skip(j, "or") && enter(j)) left = two(j, NODE_OR, NULL, left, parse_and(j));
    j->depth = before;
    return left;
}

jinja_node *jinja_expression(jinja *j)
{
    if (!enter(j)) return jinja_node_new(j, NODE_LITERAL);
    jinja_node *left = parse_or(j);
    int before = j->depth;
    while (jinja_skip(j, "if") && enter(j)) {
        jinja_node *node = jinja_node_new(j, NODE_CONDITION);
        node->a = left;
        node->b = parse_or(j);
        if (jinja_skip(j, "else")) node->c = jinja_expression(j);
        left = node;
    }
    j->depth = before - 1;
    return left;
}

jinja_node *jinja_tuple(jinja *j, bool conditions)
{
    jinja_node *first = conditions ? jinja_expression(j) : parse_or(j);
    if (j->status || !jinja_is(j, ",")) return first;
    jinja_node *tuple = jinja_node_new(j, NODE_TUPLE);
    jinja_child(j, tuple, first, NULL);
    while (jinja_skip(j, ",")) {
        const jinja_token *t = jinja_peek(j);
        if (t->kind == TOKEN_CLOSE_BLOCK || t->kind == TOKEN_CLOSE_OUTPUT || jinja_is(j, ")")) break;
        jinja_child(j, tuple, conditions ? jinja_expression(j) : parse_or(j), NULL);
    }
    return tuple;
}
