/* GBNF: grammars as llama.cpp writes them, to nets of rules. Declared in nigh/constraint.h. */
#include "lm/constraint.h"

#include <stdio.h>
#include <string.h>

enum { DEEPEST = 200 };

typedef struct gbnf_rule {
    const char *name;
    size_t size, at; /* at: where it was first used or defined */
    pattern *body;
} gbnf_rule;

typedef struct gbnf {
    nigh_context *ctx;
    nigh_arena *arena;
    const char *text;
    size_t size, at;
    gbnf_rule *rule;
    uint32_t rules, room;
    int depth;
    nigh_status status;
} gbnf;

static void *fail(gbnf *g, nigh_status status, size_t at, const char *what)
{
    if (g->status) return NULL;
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < g->size; i++)
        if (g->text[i] == '\n') line++, column = 1;
        else column++;
    g->status = nigh_fail(g->ctx, status, "grammar, line %zu, column %zu: %s", line, column, what);
    return NULL;
}

static pattern *made(gbnf *g, pattern *p)
{
    if (!p && !g->status) g->status = NIGH_MEMORY;
    return p;
}

/* Blanks and comments; line ends only where the rule cannot end there. */
static void blanks(gbnf *g, bool lines)
{
    while (g->at < g->size) {
        char c = g->text[g->at];
        if (c == '#') {
            while (g->at < g->size && g->text[g->at] != '\n' && g->text[g->at] != '\r') g->at++;
        } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
            g->at++;
        } else {
            break;
        }
    }
}

static bool sees(const gbnf *g, char c) { return g->at < g->size && g->text[g->at] == c; }

static bool name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

static size_t name_size(const gbnf *g)
{
    size_t n = 0;
    while (g->at + n < g->size && name_char(g->text[g->at + n])) n++;
    return n;
}

static uint32_t rule_index(gbnf *g, const char *name, size_t size)
{
    for (uint32_t i = 0; i < g->rules; i++)
        if (g->rule[i].size == size && memcmp(g->rule[i].name, name, size) == 0) return i;
    if (g->rules == g->room) {
        uint32_t room = g->room ? 2 * g->room : 32;
        gbnf_rule *grown = room <= 20000 ? nigh_resize(g->ctx, g->rule, sizeof *grown * room) : NULL;
        if (!grown) {
            if (room <= 20000) g->status = NIGH_MEMORY;
            else fail(g, NIGH_RESOURCE, g->at, "more than 10,000 rules");
            return 0;
        }
        g->rule = grown, g->room = room;
    }
    g->rule[g->rules] = (gbnf_rule){.name = name, .size = size, .at = g->at};
    return g->rules++;
}

/* ---- characters ---- */

static uint32_t hex(gbnf *g, int count)
{
    uint32_t code = 0;
    for (int i = 0; i < count; i++, g->at++) {
        char c = g->at < g->size ? g->text[g->at] : 0;
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0) return fail(g, NIGH_FORMAT, g->at, "a hexadecimal digit is missing"), 0;
        code = 16 * code + (uint32_t)digit;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) fail(g, NIGH_FORMAT, g->at, "a code of a character that there is not");
    return code;
}

static uint32_t character(gbnf *g)
{
    uint32_t code = 0;
    if (sees(g, '\\') && g->at + 1 < g->size) {
        char c = g->text[g->at + 1];
        g->at += 2;
        switch (c) {
        case 'x': return hex(g, 2);
        case 'u': return hex(g, 4);
        case 'U': return hex(g, 8);
        case 't': return '\t';
        case 'r': return '\r';
        case 'n': return '\n';
        case '\\': case '"': case '[': case ']': case '-': case '^': case '/': case '\'': return (uint32_t)c;
        default: fail(g, NIGH_FORMAT, g->at - 2, "an unknown escape"); return 0;
        }
    }
    size_t used = g->at < g->size ? utf8_get(g->text + g->at, g->size - g->at, &code) : 0;
    if (!used) fail(g, NIGH_FORMAT, g->at, g->at < g->size ? "bytes that are not UTF-8" : "the text ends too early");
    g->at += used;
    return code;
}

static pattern *literal(gbnf *g)
{
    nigh_buffer text = {.ctx = g->ctx};
    size_t from = g->at++;
    while (!g->status && !sees(g, '"')) {
        if (g->at >= g->size) fail(g, NIGH_FORMAT, from, "a literal that does not end");
        char bytes[4];
        uint32_t code = g->status ? 0 : character(g);
        if (!g->status) g->status = nigh_buffer_add(&text, bytes, utf8_put(code, bytes));
    }
    g->at++;
    pattern *p = g->status ? NULL : made(g, pattern_bytes(g->arena, text.data, text.size));
    nigh_buffer_free(&text);
    return p;
}

static pattern *class(gbnf *g)
{
    code_set set = {.ctx = g->ctx};
    size_t from = g->at++;
    bool inverted = sees(g, '^');
    g->at += inverted;
    while (!g->status && !sees(g, ']')) {
        if (g->at >= g->size) fail(g, NIGH_FORMAT, from, "a class that does not end");
        uint32_t low = g->status ? 0 : character(g), high = low;
        if (!g->status && sees(g, '-') && g->at + 1 < g->size && g->text[g->at + 1] != ']') {
            g->at++;
            high = character(g);
            if (!g->status && high < low) fail(g, NIGH_FORMAT, from, "a range of a class from more to less");
        }
        if (!g->status) g->status = code_set_add(&set, low, high);
    }
    g->at++;
    if (!g->status) g->status = code_set_normal(&set);
    if (!g->status && inverted) g->status = code_set_invert(&set);
    pattern *p = g->status ? NULL : made(g, pattern_set(g->arena, &set));
    code_set_free(&set);
    return p;
}

static pattern *any_character(gbnf *g)
{
    code_set set = {.ctx = g->ctx};
    g->at++;
    g->status = code_set_invert(&set);
    pattern *p = g->status ? NULL : made(g, pattern_set(g->arena, &set));
    code_set_free(&set);
    return p;
}

/* ---- rules ---- */

static pattern *either(gbnf *g, bool nested);

static int64_t number(gbnf *g)
{
    int64_t value = -1;
    for (; g->at < g->size && g->text[g->at] >= '0' && g->text[g->at] <= '9'; g->at++)
        if (value <= 1000000) value = 10 * (value < 0 ? 0 : value) + (g->text[g->at] - '0');
    return value;
}

static pattern *counted(gbnf *g, pattern *p, bool nested)
{
    size_t from = g->at++;
    blanks(g, nested);
    int64_t low = number(g), high = low;
    blanks(g, nested);
    if (sees(g, ',')) {
        g->at++;
        blanks(g, nested);
        high = number(g);
        if (low < 0 && high >= 0) low = 0;
    }
    blanks(g, nested);
    if (low < 0 || !sees(g, '}')) return fail(g, NIGH_FORMAT, from, "a count that is not {m}, {m,} or {m,n}");
    g->at++;
    if (high >= 0 && high < low) return fail(g, NIGH_FORMAT, from, "a repetition from more to less");
    if (low > 1000000 || high > 1000000) return fail(g, NIGH_RESOURCE, from, "a repetition of more than 1,000,000");
    return made(g, pattern_repeat(g->arena, p, low, high));
}

static pattern *atom(gbnf *g, bool nested)
{
    size_t from = g->at, size = name_size(g);
    if (sees(g, '"')) return literal(g);
    if (sees(g, '[')) return class(g);
    if (sees(g, '.')) return any_character(g);
    if (size) {
        uint32_t rule = rule_index(g, g->text + g->at, size);
        g->at += size;
        return g->status ? NULL : made(g, pattern_call(g->arena, rule));
    }
    if (!sees(g, '(')) return fail(g, NIGH_FORMAT, from, "neither a literal, a class, a name nor a group");
    if (++g->depth > DEEPEST) return fail(g, NIGH_RESOURCE, from, "more than 200 groups in each other");
    g->at++;
    pattern *p = either(g, true);
    g->depth--;
    if (p && !sees(g, ')')) return fail(g, NIGH_FORMAT, from, "a group that does not end");
    g->at++;
    return p;
}

static pattern *chain(gbnf *g, bool nested)
{
    pattern *all = made(g, pattern_new(g->arena, PATTERN_CHAIN));
    blanks(g, nested);
    while (all && !g->status && g->at < g->size && !strchr("|)\n\r", g->text[g->at])) {
        pattern *p = atom(g, nested);
        blanks(g, nested);
        while (p && !g->status && g->at < g->size && g->text[g->at] && strchr("*+?{", g->text[g->at])) {
            char c = g->text[g->at];
            if (c == '{') p = counted(g, p, nested);
            else g->at++, p = made(g, pattern_repeat(g->arena, p, c == '+', c == '?' ? 1 : -1));
            blanks(g, nested);
        }
        all = p ? pattern_add(all, p) : NULL;
    }
    return all;
}

static pattern *either(gbnf *g, bool nested)
{
    pattern *one = chain(g, nested);
    if (!one || !sees(g, '|')) return one;
    pattern *all = pattern_add(made(g, pattern_new(g->arena, PATTERN_EITHER)), one);
    while (all && sees(g, '|')) {
        g->at++;
        blanks(g, true); /* an alternative may stand on the next line */
        all = pattern_add(all, chain(g, nested));
    }
    return all;
}

static void rule(gbnf *g)
{
    size_t from = g->at, size = name_size(g);
    if (!size) {
        fail(g, NIGH_FORMAT, from, "a name of a rule is missing");
        return;
    }
    uint32_t index = rule_index(g, g->text + g->at, size);
    g->at += size;
    blanks(g, false);
    if (g->status) return;
    if (g->size - g->at < 3 || memcmp(g->text + g->at, "::=", 3) != 0) {
        fail(g, NIGH_FORMAT, g->at, "'::=' is missing");
        return;
    }
    g->at += 3;
    blanks(g, true);
    if (g->rule[index].body) {
        fail(g, NIGH_FORMAT, from, "a rule that stands there already");
        return;
    }
    pattern *body = either(g, false);
    if (g->status || !body) return;
    g->rule[index].body = body; /* rules may have moved meanwhile */
    if (sees(g, ')')) fail(g, NIGH_FORMAT, g->at, "a bracket ) that nothing opened");
    blanks(g, true);
}

/* ---- to nets ---- */

static nigh_status build(gbnf *g, grammar *out)
{
    *out = (grammar){.ctx = g->ctx, .net = {.ctx = g->ctx, .most = 1 << 21}, .rules = g->rules};
    out->start = nigh_alloc(g->ctx, sizeof *out->start * ((size_t)g->rules + 1));
    nigh_status status = out->start ? net_node_new(&out->net, NET_END, 0, 0, 0, &out->end) : NIGH_MEMORY;
    for (uint32_t i = 0; !status && i < g->rules; i++) {
        gbnf_rule *r = &g->rule[i];
        char what[96];
        snprintf(what, sizeof what, "no rule '%.*s'", r->size < 60 ? (int)r->size : 60, r->name);
        if (!r->body) fail(g, NIGH_FORMAT, r->at, what);
        status = r->body ? net_build(&out->net, r->body, out->end, &out->start[i]) : g->status;
        if (status == NIGH_RESOURCE) nigh_within(g->ctx, status, "grammar, rule '%.*s'", r->size < 60 ? (int)r->size : 60, r->name);
    }
    return status;
}

nigh_status nigh_constraint_grammar(nigh_context *ctx, const char *text, size_t size, nigh_constraint **c)
{
    gbnf g = {.ctx = ctx, .text = text, .size = size};
    nigh_status status = nigh_arena_new(ctx, &g.arena);
    if (status) return status;
    uint32_t root = rule_index(&g, "root", 4);
    blanks(&g, true);
    while (!g.status && g.at < size) rule(&g);
    status = g.status;
    if (!status && !g.rule[root].body) status = nigh_fail(ctx, NIGH_FORMAT, "grammar: no rule 'root'");
    grammar built = {0};
    if (!status) status = build(&g, &built);
    built.root = root;
    nigh_arena_free(g.arena);
    nigh_free(ctx, g.rule);
    if (status)
        grammar_free(&built);
    else
        status = constraint_of_grammar(&built, c);
    return status;
}
