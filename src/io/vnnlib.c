/* Property files of VNN-LIB 1.0. Declared in nigh/property.h. */
#include "io/vnnlib.h"

#include "core/words.h"
#include "io/gzip.h"
#include "io/stream.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NESTED = 64, MOST_VARIABLES = 10000000 };

/* sum of factor[k] v[index[k]], inputs first, plus the constant */
typedef struct linear_term {
    int64_t index;
    exact factor;
} linear_term;

typedef struct linear {
    exact constant;
    int64_t n, room;
    linear_term *term;
} linear;

typedef enum token_kind { TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_WORD, TOKEN_QUOTED } token_kind;

typedef struct token {
    token_kind kind;
    const char *at;
    size_t size;
} token;

/* ---- words ---------------------------------------------------------------------------------------------- */

nigh_status vnnlib_fail(const vnnlib_reader *r, size_t at, nigh_status status, const char *format, ...)
{
    char text[512];
    long long line = 1, column = 1;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    for (const char *p = r->text; p < r->text + at; p++) column = *p == '\n' ? 1 : column + 1, line += *p == '\n';
    return nigh_fail(r->ctx, status, "'%s': line %lld, column %lld: %s", r->name, line, column, text);
}

static size_t offset(const vnnlib_reader *r, token t) { return (size_t)(t.at - r->text); }

static token next(vnnlib_reader *r)
{
    while (r->at < r->end && (strchr(" \t\r\n\f", *r->at) || *r->at == ';') && *r->at) {
        if (*r->at++ != ';') continue;
        while (r->at < r->end && *r->at != '\n') r->at++;
    }
    token t = {TOKEN_END, r->at, 0};
    if (r->at == r->end) return t;
    char first = *r->at++;
    if (first == '(' || first == ')') t.kind = first == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
    else if (first == '"' || first == '|') {
        t.kind = TOKEN_QUOTED;
        while (r->at < r->end && *r->at != first) r->at++;
        r->at += r->at < r->end;
    } else {
        t.kind = TOKEN_WORD;
        while (r->at < r->end && !memchr(" \t\r\n\f();\"|", *r->at, 10)) r->at++;
    }
    t.size = (size_t)(r->at - t.at);
    return t;
}

static token peek(vnnlib_reader *r)
{
    const char *at = r->at;
    token t = next(r);
    r->at = at;
    return t;
}

static bool is(token t, const char *word) { return t.kind == TOKEN_WORD && strlen(word) == t.size && !memcmp(t.at, word, t.size); }

static nigh_status expected(const vnnlib_reader *r, token t, const char *what)
{
    if (t.kind == TOKEN_END) return vnnlib_fail(r, offset(r, t), NIGH_FORMAT, "the file ends where %s is expected", what);
    return vnnlib_fail(r, offset(r, t), NIGH_FORMAT, "%s is expected, not '%s'", what, nigh_io_excerpt_of(t.at, t.size).text);
}

static nigh_status take(vnnlib_reader *r, token_kind kind, const char *what, token *out)
{
    *out = next(r);
    return out->kind == kind ? NIGH_OK : expected(r, *out, what);
}

static nigh_status too_deep(const vnnlib_reader *r, token t)
{
    return vnnlib_fail(r, offset(r, t), NIGH_UNSUPPORTED, "parentheses are nested more than %d deep", MOST_NESTED);
}

/* Behind the parenthesis that closes the one before r->at. */
static nigh_status skip(vnnlib_reader *r)
{
    for (int64_t depth = 1; depth;) {
        token t = next(r);
        if (t.kind == TOKEN_END) return expected(r, t, "a closing parenthesis");
        if (t.kind == TOKEN_OPEN && ++depth > MOST_NESTED) return too_deep(r, t);
        depth -= t.kind == TOKEN_CLOSE;
    }
    return NIGH_OK;
}

/* X_12 or Y_3: its letter and number; false for other words. */
static bool variable(token t, char *letter, int64_t *number)
{
    if (t.kind != TOKEN_WORD || t.size < 3 || t.size > 10 || (*t.at != 'X' && *t.at != 'Y') || t.at[1] != '_') return false;
    *letter = *t.at, *number = 0;
    for (size_t i = 2; i < t.size; i++) {
        if (t.at[i] < '0' || t.at[i] > '9') return false;
        *number = 10 * *number + (t.at[i] - '0');
    }
    return t.size == 3 || t.at[2] != '0';
}

/* ---- terms ---------------------------------------------------------------------------------------------- */

static nigh_status add_term(vnnlib_reader *r, linear *f, int64_t index, exact factor)
{
    if (f->n == f->room) {
        int64_t room = f->room ? 2 * f->room : 4;
        linear_term *term = nigh_arena_alloc(r->room.arena, (size_t)room * sizeof *term);
        if (!term) return NIGH_MEMORY;
        if (f->n) memcpy(term, f->term, (size_t)f->n * sizeof *term);
        f->term = term, f->room = room;
    }
    f->term[f->n++] = (linear_term){index, factor};
    return NIGH_OK;
}

static nigh_status add_scaled(vnnlib_reader *r, linear *f, const linear *g, exact scale, bool plain)
{
    nigh_status status = NIGH_OK;
    f->constant = exact_add(&r->room, f->constant, plain ? g->constant : exact_multiply(&r->room, g->constant, scale));
    for (int64_t i = 0; i < g->n && !status; i++)
        status = add_term(r, f, g->term[i].index, plain ? g->term[i].factor : exact_multiply(&r->room, g->term[i].factor, scale));
    return status;
}

static nigh_status check_room(const vnnlib_reader *r, size_t at)
{
    if (r->room.status != NIGH_UNSUPPORTED) return r->room.status;
    return vnnlib_fail(r, at, NIGH_UNSUPPORTED, "a number beyond 1e300, of an exponent below -1200, or of more than 800 digits");
}

static nigh_status read_leaf(vnnlib_reader *r, token t, linear *f)
{
    char letter;
    int64_t number;
    *f = (linear){.constant = exact_small(&r->room, 0)};
    if (variable(t, &letter, &number)) {
        int64_t declared = letter == 'X' ? r->inputs : r->outputs;
        if (number >= declared) return vnnlib_fail(r, offset(r, t), NIGH_INVALID, "%c_%lld is not declared (%lld are)", letter, (long long)number, (long long)declared);
        return add_term(r, f, letter == 'X' ? number : r->inputs + number, exact_small(&r->room, 1));
    }
    if (t.kind != TOKEN_WORD || !exact_parse(&r->room, t.at, t.size, &f->constant)) return expected(r, t, "a number, X_i, Y_j or a term in parentheses");
    r->literals++, r->literal = f->constant, r->literal_text = t.at, r->literal_size = t.size;
    return check_room(r, offset(r, t));
}

static nigh_status multiply(vnnlib_reader *r, token t, linear *f, const linear *g)
{
    linear product = {.constant = exact_small(&r->room, 0)};
    if (f->n && g->n) return vnnlib_fail(r, offset(r, t), NIGH_UNSUPPORTED, "a product of two variables");
    nigh_status status = add_scaled(r, &product, f->n ? f : g, f->n ? g->constant : f->constant, false);
    *f = product;
    return status;
}

static nigh_status divide(vnnlib_reader *r, token t, linear *f, const linear *g)
{
    linear ratio = {.constant = exact_small(&r->room, 0)};
    if (g->n) return vnnlib_fail(r, offset(r, t), NIGH_UNSUPPORTED, "a division by a variable");
    if (!g->constant.sign) return vnnlib_fail(r, offset(r, t), NIGH_INVALID, "a division by zero");
    nigh_status status = add_scaled(r, &ratio, f, exact_divide(&r->room, exact_small(&r->room, 1), g->constant), false);
    *f = ratio;
    return status;
}

static nigh_status read_term(vnnlib_reader *r, int depth, linear *f)
{
    token t = next(r), op;
    if (t.kind != TOKEN_OPEN) return read_leaf(r, t, f);
    if (depth >= MOST_NESTED) return too_deep(r, t);
    nigh_status status = take(r, TOKEN_WORD, "+, -, * or /", &op);
    if (status) return status;
    if (op.size != 1 || !strchr("+-*/", *op.at)) return expected(r, op, "+, -, * or /");
    int count = 0;
    for (; !status && (t = peek(r)).kind != TOKEN_CLOSE; count = count < 2 ? count + 1 : 2) {
        linear g = {0};
        status = read_term(r, depth + 1, &g);
        if (status) return status;
        if (!count) *f = g;
        else if (*op.at == '+' || *op.at == '-') status = add_scaled(r, f, &g, exact_small(&r->room, -1), *op.at == '+');
        else status = *op.at == '*' ? multiply(r, op, f, &g) : divide(r, op, f, &g);
        if (!status) status = check_room(r, offset(r, t));
    }
    if (status) return status;
    next(r);
    if (!count || (*op.at == '/' && count < 2)) return expected(r, t, "a term");
    linear minus = {.constant = exact_small(&r->room, 0)};
    if (*op.at != '-' || count > 1) return check_room(r, offset(r, t));
    status = add_scaled(r, &minus, f, exact_small(&r->room, -1), false);
    *f = minus;
    return status ? status : check_room(r, offset(r, t));
}

static int by_index(const void *a, const void *b)
{
    int64_t i = ((const linear_term *)a)->index, j = ((const linear_term *)b)->index;
    return (i > j) - (i < j);
}

/* One term a variable, none of factor 0. */
static void collect(vnnlib_reader *r, linear *f)
{
    int64_t n = 0;
    if (f->n > 1) qsort(f->term, (size_t)f->n, sizeof *f->term, by_index);
    for (int64_t i = 0; i < f->n; i++) {
        if (n && f->term[n - 1].index == f->term[i].index) f->term[n - 1].factor = exact_add(&r->room, f->term[n - 1].factor, f->term[i].factor);
        else {
            if (n && !f->term[n - 1].factor.sign) n--;
            f->term[n++] = f->term[i];
        }
    }
    if (n && !f->term[n - 1].factor.sign) n--;
    f->n = n;
}

/* ---- comparisons ---------------------------------------------------------------------------------------- */

static vnnlib_node *new_node(vnnlib_reader *r, vnnlib_kind kind)
{
    vnnlib_node *node = nigh_arena_alloc_zero(r->trees, 1, sizeof *node);
    if (node) node->kind = kind;
    return node;
}

/* The bound as the file writes it when it is one number there, else the shortest decimal of the rounded one. */
static const char *bound_text(vnnlib_reader *r, exact value, double rounded)
{
    char text[32];
    exact other = r->literal;
    other.sign = -value.sign * abs(other.sign);
    if (r->literals == 1 && r->literal_size < 400 && !exact_add(&r->room, value, other).sign) {
        bool minus = *r->literal_text == '-', plus = *r->literal_text == '+';
        return nigh_arena_format(r->arena, "%s%.*s", value.sign < 0 ? "-" : "", (int)r->literal_size - (minus || plus), r->literal_text + (minus || plus));
    }
    number_text(rounded, false, text);
    return nigh_arena_strdup(r->arena, text);
}

static nigh_status read_condition(vnnlib_reader *r, const linear *f, exact level, nigh_condition *out)
{
    size_t n = (size_t)f->n;
    int64_t *index = nigh_arena_alloc(r->arena, n * sizeof *index);
    double *value = nigh_arena_alloc(r->arena, n * sizeof *value), *error = nigh_arena_alloc(r->arena, n * sizeof *error);
    bool off = false;
    if (!index || !value || !error) return NIGH_MEMORY;
    size_t inputs = 0;
    while (inputs < n && f->term[inputs].index < r->inputs) inputs++;
    for (size_t k = 0; k < n; k++) { /* terms are sorted inputs first, conditions have them last */
        const linear_term *t = &f->term[(k + inputs) % n];
        double up;
        exact_bounds(&r->room, t->factor, &value[k], &up);
        error[k] = up - value[k];
        off = off || error[k] > 0;
        index[k] = t->index < r->inputs ? r->outputs + t->index : t->index - r->inputs;
    }
    *out = (nigh_condition){.terms = (int)f->n, .index = index, .value = value, .value_error = off ? error : NULL};
    exact_bounds(&r->room, level, &out->level, &out->level_above);
    return NIGH_OK;
}

/* f >= 0 as a node. */
static nigh_status new_atom(vnnlib_reader *r, const linear *f, bool negated, size_t at, vnnlib_node **out)
{
    linear g = {.constant = exact_small(&r->room, 0)};
    nigh_status status = add_scaled(r, &g, f, exact_small(&r->room, negated ? -1 : 1), false);
    if (status) return status;
    collect(r, &g);
    exact level = exact_negate(g.constant);
    if (!(*out = new_node(r, g.n ? VNNLIB_ATOM : g.constant.sign >= 0 ? VNNLIB_TRUE : VNNLIB_FALSE))) return NIGH_MEMORY;
    if (!g.n) return check_room(r, at);
    if (!(r->atoms & (r->atoms - 1))) {
        vnnlib_atom *more = nigh_resize(r->ctx, r->atom, (size_t)(r->atoms ? 2 * r->atoms : 1) * sizeof *more);
        if (!more) return NIGH_MEMORY;
        r->atom = more;
    }
    vnnlib_atom *atom = &r->atom[r->atoms];
    *atom = (vnnlib_atom){.input = -1, .at = at, .branch = r->branch};
    if (g.n == 1 && g.term->index < r->inputs) {
        exact bound = exact_divide(&r->room, level, g.term->factor);
        atom->input = g.term->index, atom->high = g.term->factor.sign < 0;
        exact_bounds(&r->room, bound, &atom->down, &atom->up);
        if (!(atom->text = bound_text(r, bound, atom->high ? atom->up : atom->down))) return NIGH_MEMORY;
    } else {
        status = read_condition(r, &g, level, &atom->condition);
        (*out)->outputs = true;
    }
    (*out)->atom = r->atoms++;
    return status ? status : check_room(r, at);
}

static void adopt(vnnlib_node *parent, vnnlib_node ***end, vnnlib_node *child)
{
    **end = child;
    *end = &child->next;
    parent->outputs = parent->outputs || child->outputs;
}

/* (OP a b) behind OP. */
static nigh_status read_comparison(vnnlib_reader *r, int depth, token op, bool negated, vnnlib_node **out)
{
    linear f, g;
    token t;
    vnnlib_node *node = NULL, **end = NULL;
    nigh_arena_reset(r->room.arena);
    r->literals = 0;
    r->literal = exact_small(&r->room, 0);
    nigh_status status = read_term(r, depth + 1, &f);
    if (!status) status = read_term(r, depth + 1, &g);
    if (!status) status = take(r, TOKEN_CLOSE, "the end of a comparison of two terms", &t);
    if (!status) status = add_scaled(r, &f, &g, exact_small(&r->room, -1), false);
    if (status) return status;
    if (*op.at != '=') return new_atom(r, &f, (*op.at == '<') != negated, offset(r, op), out);
    if (!(*out = new_node(r, negated ? VNNLIB_TRUE : VNNLIB_AND))) return NIGH_MEMORY;
    end = &(*out)->first;
    for (int side = 0; side < 2 && !negated && !status; side++) {
        status = new_atom(r, &f, side, offset(r, op), &node);
        if (!status) adopt(*out, &end, node);
    }
    return status;
}

/* ---- formulas ------------------------------------------------------------------------------------------- */

static nigh_status read_formula(vnnlib_reader *r, int depth, bool negated, vnnlib_node **out);

/* Children up to the closing parenthesis; those that are true or false are done with here. */
static nigh_status read_children(vnnlib_reader *r, int depth, bool negated, bool implied, vnnlib_kind kind, vnnlib_node **out)
{
    vnnlib_node *node = new_node(r, kind), **end = node ? &node->first : NULL, *child = NULL;
    vnnlib_kind ends = kind == VNNLIB_AND ? VNNLIB_FALSE : VNNLIB_TRUE;
    int64_t before = r->branch, count = 0;
    nigh_status status = node ? NIGH_OK : NIGH_MEMORY;
    token t = {TOKEN_END, r->at, 0};
    for (; !status && (t = peek(r)).kind != TOKEN_CLOSE; count++) {
        if (implied && count == 2) return expected(r, t, "the end of =>");
        if (kind == VNNLIB_OR) r->branch = ++r->branches;
        status = read_formula(r, depth + 1, negated != (implied && count == 0), &child);
        r->branch = before;
        if (status) return status;
        if (child->kind == ends) node->kind = ends;
        else if (child->kind == VNNLIB_ATOM || child->kind == VNNLIB_AND || child->kind == VNNLIB_OR) adopt(node, &end, child);
    }
    if (status) return status;
    next(r);
    if (implied && count < 2) return expected(r, t, "a formula");
    if (node->kind == kind && !node->first) node->kind = kind == VNNLIB_AND ? VNNLIB_TRUE : VNNLIB_FALSE;
    *out = node->kind == kind && node->first == child && !child->next ? child : node; /* one of one */
    return NIGH_OK;
}

static nigh_status read_formula(vnnlib_reader *r, int depth, bool negated, vnnlib_node **out)
{
    token t = next(r), op;
    nigh_status status;
    if (is(t, "true") || is(t, "false")) return (*out = new_node(r, is(t, "true") != negated ? VNNLIB_TRUE : VNNLIB_FALSE)) ? NIGH_OK : NIGH_MEMORY;
    if (t.kind != TOKEN_OPEN) return expected(r, t, "a formula in parentheses");
    if (depth >= MOST_NESTED) return too_deep(r, t);
    if ((status = take(r, TOKEN_WORD, "and, or, not or a comparison", &op))) return status;
    if (is(op, "<=") || is(op, ">=") || is(op, "<") || is(op, ">") || is(op, "=")) return read_comparison(r, depth, op, negated, out);
    if (is(op, "and") || is(op, "or")) return read_children(r, depth, negated, false, is(op, "and") != negated ? VNNLIB_AND : VNNLIB_OR, out);
    if (is(op, "=>")) return read_children(r, depth, negated, true, negated ? VNNLIB_AND : VNNLIB_OR, out);
    if (!is(op, "not")) return expected(r, op, "and, or, not, <=, >=, <, > or =");
    status = read_formula(r, depth + 1, !negated, out);
    return status ? status : take(r, TOKEN_CLOSE, "the end of not", &t);
}

/* ---- commands ------------------------------------------------------------------------------------------- */

/* (declare-const X_0 Real) or (declare-fun X_0 () Real), behind its first word. */
static nigh_status read_declaration(vnnlib_reader *r, bool function, int64_t most[2], int64_t count[2])
{
    token t, type;
    char letter = 'X';
    int64_t number = 0;
    nigh_status status = take(r, TOKEN_WORD, "X_i or Y_j", &t);
    if (!status && !variable(t, &letter, &number)) status = expected(r, t, "X_i or Y_j");
    if (!status && number >= MOST_VARIABLES) status = vnnlib_fail(r, offset(r, t), NIGH_UNSUPPORTED, "%c_%lld: numbers below %d are read", letter, (long long)number, MOST_VARIABLES);
    if (!status && function) status = take(r, TOKEN_OPEN, "()", &type);
    if (!status && function) status = take(r, TOKEN_CLOSE, ")", &type);
    if (!status) status = take(r, TOKEN_WORD, "Real", &type);
    if (!status && !is(type, "Real")) status = expected(r, type, "Real");
    if (!status) status = take(r, TOKEN_CLOSE, "the end of the declaration", &type);
    if (status) return status;
    int which = letter == 'Y';
    count[which]++;
    if (number >= most[which]) most[which] = number + 1;
    return NIGH_OK;
}

static nigh_status command(vnnlib_reader *r, token *word)
{
    token t = next(r);
    *word = t;
    if (t.kind == TOKEN_END) return NIGH_OK;
    if (t.kind != TOKEN_OPEN) return expected(r, t, "a command in parentheses");
    return take(r, TOKEN_WORD, "declare-const or assert", word);
}

/* Each number once: a second reading marks them. */
static nigh_status check_declared(vnnlib_reader *r, const int64_t most[2], const int64_t count[2])
{
    if (!most[0] || !most[1]) return vnnlib_fail(r, (size_t)(r->end - r->text), NIGH_INVALID, "no %s is declared", most[0] ? "output (Y_0)" : "input (X_0)");
    uint8_t *seen = nigh_alloc_zero(r->ctx, (size_t)(count[0] + count[1]) + 1, 1);
    nigh_status status = seen ? NIGH_OK : NIGH_MEMORY;
    token t;
    r->at = r->text;
    while (!status && !(status = command(r, &t)) && t.kind != TOKEN_END) {
        if (is(t, "declare-const") || is(t, "declare-fun")) {
            char letter = 'X';
            int64_t number = 0;
            token v = peek(r);
            variable(v, &letter, &number);
            int which = letter == 'Y';
            if (number < count[which]) {
                uint8_t *mark = &seen[(which ? count[0] : 0) + number];
                if (*mark) status = vnnlib_fail(r, offset(r, v), NIGH_INVALID, "%c_%lld is declared twice", letter, (long long)number);
                *mark = 1;
            }
        }
        if (!status) status = skip(r);
    }
    for (int which = 0; which < 2; which++)
        for (int64_t i = 0; i < count[which] && !status; i++)
            if (!seen[(which ? count[0] : 0) + i])
                status = vnnlib_fail(r, (size_t)(r->end - r->text), NIGH_INVALID, "%c_%lld is not declared, but %c_%lld is", which ? 'Y' : 'X', (long long)i, which ? 'Y' : 'X', (long long)most[which] - 1);
    nigh_free(r->ctx, seen);
    return status;
}

static nigh_status read_declarations(vnnlib_reader *r)
{
    static const char *const others[] = {"assert", "set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"};
    int64_t most[2] = {0}, count[2] = {0};
    nigh_status status = NIGH_OK;
    token t;
    r->at = r->text;
    while (!status && !(status = command(r, &t)) && t.kind != TOKEN_END) {
        bool known = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) known = known || is(t, others[i]);
        if (is(t, "declare-const") || is(t, "declare-fun")) status = read_declaration(r, is(t, "declare-fun"), most, count);
        else status = known ? skip(r) : expected(r, t, "declare-const or assert");
    }
    if (!status) status = check_declared(r, most, count);
    r->inputs = most[0], r->outputs = most[1];
    return status;
}

static nigh_status read_assertions(vnnlib_reader *r, vnnlib_node *root)
{
    vnnlib_node **end = &root->first, *child = NULL;
    nigh_status status = NIGH_OK;
    token t;
    r->at = r->text;
    while (!status && !(status = command(r, &t)) && t.kind != TOKEN_END) {
        if (!is(t, "assert")) {
            status = skip(r);
            continue;
        }
        status = read_formula(r, 1, false, &child);
        if (!status) status = take(r, TOKEN_CLOSE, "the end of assert", &t);
        if (!status && child->kind == VNNLIB_FALSE) root->kind = VNNLIB_FALSE;
        if (!status && child->kind != VNNLIB_FALSE && child->kind != VNNLIB_TRUE) adopt(root, &end, child);
        if (!status) status = nigh_poll(r->ctx);
    }
    return status;
}

nigh_status nigh_property_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_property *property)
{
    nigh_buffer room = {.ctx = ctx};
    vnnlib_reader r = {.ctx = ctx, .name = name};
    vnnlib_node root = {.kind = VNNLIB_AND};
    nigh_property made = {.ctx = ctx};
    size_t plain = 0;
    nigh_status status = nigh_io_plain(ctx, bytes, size, name, 0, &room, &r.text, &plain);
    if (!plain) r.text = "";
    r.end = r.text + plain;
    if (!status) status = nigh_arena_new(ctx, &r.arena);
    if (!status) status = nigh_arena_new(ctx, &r.trees);
    if (!status) status = nigh_arena_new(ctx, &r.room.arena);
    if (!status) status = read_declarations(&r);
    if (!status) status = read_assertions(&r, &root);
    if (!status) status = vnnlib_cases(&r, &root, &made);
    made.memory = r.arena;
    if (!status) *property = made;
    else nigh_arena_free(r.arena);
    nigh_arena_free(r.trees);
    nigh_arena_free(r.room.arena);
    nigh_free(ctx, r.atom);
    nigh_buffer_free(&room);
    return status;
}

nigh_status nigh_property_read(nigh_context *ctx, const char *path, nigh_property *property)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &bytes);
    if (!status) status = nigh_property_parse(ctx, bytes.data, bytes.size, nigh_io_source_name(path), property);
    nigh_buffer_free(&bytes);
    return status;
}

void nigh_property_free(nigh_property *property)
{
    nigh_arena_free(property->memory);
    *property = (nigh_property){0};
}
