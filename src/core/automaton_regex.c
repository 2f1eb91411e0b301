/* Regular expressions to automata: a parser by recursive descent. Declared in core/automaton.h. */
#include "core/automaton_regex.h"

#include <stdio.h>
#include <string.h>

enum { DEEPEST = 200 };
static const int64_t largest_count = 1000000;

pattern *regex_fail(regex_parser *p, nigh_status status, size_t at, const char *what)
{
    if (!p->status)
        p->status = nigh_fail(p->ctx, status, status == NIGH_UNSUPPORTED ? "regular expression: %s at offset %zu is not supported" : "regular expression: %s at offset %zu",
                              what, at);
    return NULL;
}

/* Takes a pattern that may be NULL for lack of memory. */
static pattern *made(regex_parser *p, pattern *made)
{
    if (!made && !p->status) p->status = NIGH_MEMORY;
    return made;
}

bool regex_take(regex_parser *p, char c)
{
    bool found = p->at < p->size && p->text[p->at] == c;
    p->at += found;
    return found;
}

bool regex_sees(const regex_parser *p, const char *word) { return p->size - p->at >= strlen(word) && memcmp(p->text + p->at, word, strlen(word)) == 0; }

uint32_t regex_character(regex_parser *p)
{
    uint32_t code = 0;
    size_t used = utf8_get(p->text + p->at, p->size - p->at, &code);
    if (!used) regex_fail(p, NIGH_FORMAT, p->at, "bytes that are not UTF-8");
    p->at += used ? used : 1;
    return code;
}

/* ---- JSON spelling ---- */

static pattern *json_escape(nigh_arena *arena, uint32_t code)
{
    static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2)
        if ((uint32_t)shorts[i] == code) return pattern_bytes(arena, (char[]){'\\', shorts[i + 1]}, 2);
    static const char hex[] = "0123456789abcdef";
    return pattern_bytes(arena, (char[]){'\\', 'u', '0', '0', hex[code >> 4 & 15], hex[code & 15]}, 6);
}

pattern *pattern_json_set(nigh_arena *arena, const code_set *set)
{
    code_set plain = {.ctx = set->ctx};
    pattern *either = pattern_new(arena, PATTERN_EITHER);
    for (uint32_t code = 0; code <= '\\'; code = code < 31 ? code + 1 : code < '"' ? '"' : code < '\\' ? '\\' : '\\' + 1)
        if (code_set_has(set, code)) either = pattern_add(either, json_escape(arena, code));
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; !status && i < set->count; i++) {
        uint32_t low = set->at[i].low, high = set->at[i].high;
        if (low < 32) low = 32;
        for (int k = 0; !status && k < 2 && low <= high; k++) {
            uint32_t cut = k ? '\\' : '"';
            if (low > cut || high < cut) continue;
            if (low < cut) status = code_set_add(&plain, low, cut - 1);
            low = cut + 1;
        }
        if (!status && low <= high) status = code_set_add(&plain, low, high);
    }
    if (!status) status = code_set_normal(&plain);
    if (!status && plain.count) either = pattern_add(either, pattern_set(arena, &plain));
    code_set_free(&plain);
    return status ? NULL : either && !either->first ? pattern_new(arena, PATTERN_NOTHING) : either;
}

pattern *regex_set_pattern(regex_parser *p, code_set *set)
{
    pattern *out = NULL;
    if (!p->status && p->fold) p->status = code_set_fold(set);
    if (!p->status) out = made(p, p->options.json ? pattern_json_set(p->arena, set) : pattern_set(p->arena, set));
    code_set_free(set);
    return out;
}

static pattern *literal(regex_parser *p, uint32_t code)
{
    if (p->options.json || p->fold) {
        code_set set = {.ctx = p->ctx};
        p->status = code_set_add(&set, code, code);
        return regex_set_pattern(p, &set);
    }
    char bytes[4];
    return made(p, pattern_bytes(p->arena, bytes, utf8_put(code, bytes)));
}

/* The first and last places of the text, as bytes that no character has. */
static pattern *anchor(regex_parser *p, const char *mark)
{
    p->anchors = true;
    return made(p, pattern_bytes(p->arena, mark, 1));
}

/* ---- escapes outside of classes ---- */

static const char *refused_escape(char c)
{
    switch (c) {
    case 'b': case 'B': return "the word boundary \\b";
    case 'G': case 'K': return "\\G or \\K";
    case 'Q': case 'E': return "the quotation \\Q";
    case 'R': return "the line break \\R (write (?:\\r\\n|\\n|\\r))";
    case 'X': return "the grapheme \\X";
    case 'C': return "the single byte \\C";
    case 'Z': return "\\Z (write $)";
    case 'k': case 'g': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': return "a back-reference";
    default: return NULL;
    }
}

static pattern *escape(regex_parser *p)
{
    size_t from = p->at - 1;
    char c = p->at < p->size ? p->text[p->at] : 0;
    const char *refused = refused_escape(c);
    if (refused) return regex_fail(p, NIGH_UNSUPPORTED, from, refused);
    if (c == 'A' || c == 'z') return p->at++, anchor(p, c == 'A' ? "\xfe" : "\xff");
    code_set set = {.ctx = p->ctx};
    uint32_t code = 0;
    bool is_set = regex_escape(p, &set, &code);
    if (p->status) {
        code_set_free(&set);
        return NULL;
    }
    return is_set ? regex_set_pattern(p, &set) : literal(p, code);
}

/* ---- groups ---- */

static pattern *either(regex_parser *p);

/* What (? begins that is no group of ours. */
static const char *refused_group(const regex_parser *p)
{
    static const char *const refused[][2] = {
        {"?=", "look-ahead"}, {"?!", "look-ahead"}, {"?<=", "look-behind"}, {"?<!", "look-behind"}, {"?>", "an atomic group"}, {"?(", "a condition"},
        {"?R", "recursion"}, {"?0", "recursion"}, {"?1", "recursion"}, {"?2", "recursion"}, {"?3", "recursion"}, {"?4", "recursion"}, {"?5", "recursion"},
        {"?6", "recursion"}, {"?7", "recursion"}, {"?8", "recursion"}, {"?9", "recursion"}, {"?+", "recursion"}, {"?&", "recursion"}, {"?P>", "recursion"},
        {"?P=", "a back-reference"}, {"?|", "a branch reset group"}, {"?C", "a callout"}, {"*", "a verb (*...)"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (regex_sees(p, refused[i][0])) return refused[i][1];
    return NULL;
}

/* (?i) (?s) (?-i) (?i: ...; false: an error. *closed: the bracket ended with the letters. */
static bool group_flags(regex_parser *p, bool *closed)
{
    bool on = true;
    for (; p->at < p->size; p->at++) {
        char c = p->text[p->at];
        if (c == 'i') p->fold = on;
        else if (c == 's') p->dot_all = on;
        else if (c == '-' && on) on = false;
        else if (c == ')' || c == ':') return *closed = c == ')', p->at++, true;
        else if (strchr("mxnUJa", c) && c) {
            char what[48];
            snprintf(what, sizeof what, "the option (?%c)", c);
            return regex_fail(p, NIGH_UNSUPPORTED, p->at, what), false;
        } else return regex_fail(p, NIGH_FORMAT, p->at, "an unknown kind of group"), false;
    }
    return regex_fail(p, NIGH_FORMAT, p->at, "a group that does not end"), false;
}

static bool group_name(regex_parser *p, char end)
{
    size_t from = p->at;
    while (p->at < p->size && p->text[p->at] != end && p->text[p->at] != ')') p->at++;
    if (p->at == from || !regex_take(p, end)) return regex_fail(p, NIGH_FORMAT, from, "a name of a group that does not end"), false;
    return true;
}

static pattern *group(regex_parser *p)
{
    size_t from = p->at - 1;
    const char *refused = refused_group(p);
    if (refused) return regex_fail(p, NIGH_UNSUPPORTED, from, refused);
    bool fold = p->fold, dot_all = p->dot_all, closed = false;
    if (regex_sees(p, "?#")) {
        while (p->at < p->size && p->text[p->at] != ')') p->at++;
        if (!regex_take(p, ')')) return regex_fail(p, NIGH_FORMAT, from, "a comment that does not end");
        return made(p, pattern_new(p->arena, PATTERN_EMPTY));
    }
    if (regex_take(p, '?')) {
        bool named = regex_sees(p, "P<") || regex_sees(p, "<") || regex_sees(p, "'");
        if (named) {
            p->at += regex_sees(p, "P<");
            char end = p->text[p->at++] == '\'' ? '\'' : '>';
            if (!group_name(p, end)) return NULL;
        } else if (!group_flags(p, &closed)) {
            return NULL;
        }
    }
    if (closed) return p->switched = true, made(p, pattern_new(p->arena, PATTERN_EMPTY));
    if (++p->depth > DEEPEST) return regex_fail(p, NIGH_RESOURCE, from, "more than 200 groups in each other");
    pattern *inner = either(p);
    p->depth--;
    if (!inner) return NULL;
    if (!regex_take(p, ')')) return regex_fail(p, NIGH_FORMAT, from, "a group that does not end");
    p->fold = fold, p->dot_all = dot_all;
    return inner;
}

/* ---- repetition ---- */

static bool digits(regex_parser *p, int64_t *value)
{
    size_t from = p->at;
    for (*value = 0; p->at < p->size && p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++)
        if (*value <= largest_count) *value = 10 * *value + (p->text[p->at] - '0');
    return p->at > from;
}

/* {m}, {m,}, {m,n}; otherwise nothing is taken and the brace is itself. */
static bool braces(regex_parser *p, int64_t *low, int64_t *high)
{
    size_t from = p->at;
    if (!regex_take(p, '{')) return false;
    bool fits = digits(p, low);
    *high = *low;
    if (fits && regex_take(p, ',') && !digits(p, high)) *high = -1;
    if (fits && regex_take(p, '}')) return true;
    bool open = p->at == from + 1 && regex_take(p, ',') && digits(p, high) && regex_take(p, '}');
    p->at = from;
    if (open) regex_fail(p, NIGH_UNSUPPORTED, from, "{,n} (write {0,n})");
    return false;
}

static bool quantifier(regex_parser *p, int64_t *low, int64_t *high)
{
    *low = 0, *high = -1;
    if (regex_take(p, '*')) return true;
    if (regex_take(p, '+')) return *low = 1, true;
    if (regex_take(p, '?')) return *high = 1, true;
    return braces(p, low, high);
}

static pattern *repeated(regex_parser *p, pattern *item)
{
    int64_t low, high;
    bool first = true;
    for (size_t from = p->at; item && quantifier(p, &low, &high); from = p->at, first = false) {
        if (!first) return regex_fail(p, NIGH_FORMAT, from, "a repetition of a repetition");
        if (high >= 0 && low > high) return regex_fail(p, NIGH_FORMAT, from, "a repetition from more to less");
        if (low > largest_count || high > largest_count) return regex_fail(p, NIGH_RESOURCE, from, "a repetition of more than 1,000,000");
        if (regex_take(p, '+')) return regex_fail(p, NIGH_UNSUPPORTED, p->at - 1, "a possessive quantifier");
        regex_take(p, '?'); /* lazy: the same set */
        item = made(p, pattern_repeat(p->arena, item, low, high));
    }
    return p->status ? NULL : item;
}

/* ---- the rest ---- */

static pattern *dot(regex_parser *p)
{
    code_set set = {.ctx = p->ctx};
    if (!p->dot_all) p->status = code_set_add(&set, '\n', '\n');
    if (!p->status) p->status = code_set_invert(&set);
    bool fold = p->fold;
    p->fold = false; /* nothing to add */
    pattern *out = regex_set_pattern(p, &set);
    p->fold = fold;
    return out;
}

static pattern *item(regex_parser *p)
{
    size_t from = p->at;
    char c = p->text[p->at];
    int64_t low, high;
    if (c == '*' || c == '+' || c == '?') return regex_fail(p, NIGH_FORMAT, from, "a repetition of nothing");
    if (c == '{' && braces(p, &low, &high)) return regex_fail(p, NIGH_FORMAT, from, "a repetition of nothing");
    if (p->status) return NULL;
    if (c == '^' || c == '$') {
        while (regex_take(p, c)) {}
        pattern *mark = anchor(p, c == '^' ? "\xfe" : "\xff");
        if (p->at < p->size && strchr("*+?{", p->text[p->at])) return regex_fail(p, NIGH_UNSUPPORTED, from, "a repetition of ^ or $");
        return mark;
    }
    if (regex_take(p, '\\')) return repeated(p, escape(p));
    if (regex_take(p, '[')) return repeated(p, regex_class(p));
    if (regex_take(p, '.')) return repeated(p, dot(p));
    if (regex_take(p, '(')) {
        p->switched = false;
        pattern *inner = group(p);
        if (p->switched) return p->switched = false, inner; /* options are no item */
        return repeated(p, inner);
    }
    uint32_t code = regex_character(p);
    return p->status ? NULL : repeated(p, literal(p, code));
}

static pattern *chain(regex_parser *p)
{
    pattern *out = made(p, pattern_new(p->arena, PATTERN_CHAIN));
    while (out && p->at < p->size && p->text[p->at] != '|' && p->text[p->at] != ')') {
        pattern *one = item(p);
        out = one ? pattern_add(out, one) : NULL;
    }
    return out;
}

static pattern *either(regex_parser *p)
{
    pattern *out = chain(p);
    if (!out || p->at >= p->size || p->text[p->at] != '|') return out;
    pattern *all = pattern_add(made(p, pattern_new(p->arena, PATTERN_EITHER)), out);
    while (all && regex_take(p, '|')) all = pattern_add(all, chain(p));
    return all;
}

/* Any text, optional, with the mark of its end of the whole: what stands before (or after) a match. */
static pattern *around(regex_parser *p, bool before)
{
    pattern *mark = p->anchors ? pattern_bytes(p->arena, before ? "\xfe" : "\xff", 1) : pattern_new(p->arena, PATTERN_EMPTY);
    pattern *any = pattern_new(p->arena, PATTERN_EMPTY);
    if (p->options.search) {
        p->dot_all = true;
        any = pattern_repeat(p->arena, dot(p), 0, -1);
    }
    pattern *both = pattern_new(p->arena, PATTERN_CHAIN);
    both = before ? pattern_add(pattern_add(both, mark), any) : pattern_add(pattern_add(both, any), mark);
    return made(p, p->anchors ? pattern_repeat(p->arena, both, 0, 1) : both);
}

/* Keeps the texts with one mark at each end, without them. */
static nigh_status strip(const automaton *a, automaton **out)
{
    automaton_table t = {.ctx = a->ctx, .most = (int64_t)a->states + 1, .classes = a->classes};
    memcpy(t.class_of, a->class_of, sizeof t.class_of);
    uint8_t marks[256] = {0}, byte_of[256];
    marks[0xfe] = marks[0xff] = 1;
    automaton_classes_refine(t.class_of, &t.classes, marks);
    for (int b = 255; b >= 0; b--) byte_of[t.class_of[b]] = (uint8_t)b;
    nigh_status status = NIGH_OK;
    for (uint32_t s = 0, state; !status && s < a->states; s++) {
        uint32_t end = automaton_step(a, s, 0xff);
        status = automaton_table_add(&t, end != AUTOMATON_NONE && a->accepts[end], &state);
        for (uint32_t c = 0; !status && c < t.classes; c++)
            if (!marks[byte_of[c]]) t.next[(size_t)s * t.classes + c] = automaton_step(a, s, byte_of[c]);
    }
    if (!status) status = automaton_finish(&t, a->states ? automaton_step(a, a->start, 0xfe) : AUTOMATON_NONE, out);
    automaton_table_free(&t);
    return status;
}

nigh_status regex_parse(nigh_arena *arena, nigh_context *ctx, const char *text, size_t size, const regex_options *options, pattern **out, bool *anchors)
{
    regex_parser p = {.ctx = ctx, .arena = arena, .text = text, .size = size};
    if (options) p.options = *options;
    pattern *whole = either(&p);
    if (whole && p.at < size) whole = regex_fail(&p, NIGH_FORMAT, p.at, "a bracket ) that nothing opened");
    if (whole && (p.anchors || p.options.search)) {
        pattern *chained = made(&p, pattern_new(p.arena, PATTERN_CHAIN));
        whole = pattern_add(pattern_add(pattern_add(chained, around(&p, true)), whole), around(&p, false));
    }
    if (!whole || p.status) return p.status ? p.status : NIGH_MEMORY;
    *out = whole, *anchors = p.anchors;
    return NIGH_OK;
}

nigh_status automaton_regex(nigh_context *ctx, const char *text, size_t size, const regex_options *options, int64_t most, automaton **out)
{
    nigh_arena *arena = NULL;
    pattern *whole = NULL;
    bool anchors = false;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    automaton *a = NULL;
    status = regex_parse(arena, ctx, text, size, options, &whole, &anchors);
    if (!status) {
        status = automaton_from_pattern(ctx, whole, most, &a);
        if (status == NIGH_RESOURCE) nigh_within(ctx, status, "regular expression");
    }
    if (!status && anchors) {
        automaton *marked = a;
        a = NULL;
        status = strip(marked, &a);
        automaton_free(marked);
    }
    nigh_arena_free(arena);
    if (!status) *out = a;
    return status;
}
