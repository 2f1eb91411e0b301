#define PCRE2_CODE_UNIT_WIDTH 8
#include "lm/tokenizer_regex.h"
#include "lm/characters.h"

#include <pcre2.h>

enum { RANGES = 160, STACK_FIRST = 32 << 10, STACK_MOST = 8 << 20 };

struct regex {
    pcre2_code *code;
    bool collapsed;
    int ranges;
    struct {
        uint32_t low, high;
    } range[RANGES];
};

typedef struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *limits;
    pcre2_jit_stack *stack;
} matcher;

static void read_set(struct regex *r, const char *set)
{
    while (set && *set && r->ranges < RANGES) {
        uint32_t low = char_point(set), high = low;
        set += char_size((unsigned char)*set);
        if (*set == '-' && set[1]) {
            high = char_point(++set);
            set += char_size((unsigned char)*set);
        }
        r->range[r->ranges].low = low, r->range[r->ranges++].high = high;
    }
}

/* \s and \S as Unicode has them: PCRE2 counts U+180E among blanks, which it no longer is. */
static char *plain_blanks(nigh_context *ctx, const char *pattern)
{
    static const char blanks[] = "\\p{Z}\\x{9}-\\x{D}\\x{85}";
    nigh_buffer out = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    bool inside = false;
    for (const char *p = pattern; *p && !status; p++) {
        if (*p == '\\' && p[1] && (p[1] == 's' || (p[1] == 'S' && !inside))) {
            status = nigh_buffer_print(&out, inside ? "%s%s" : p[1] == 's' ? "[%s%s]" : "[^%s%s]", blanks, "");
            p++;
        } else if (*p == '\\' && p[1]) {
            status = nigh_buffer_add(&out, p++, 2);
        } else {
            inside = inside ? *p != ']' : *p == '[';
            status = nigh_buffer_add(&out, p, 1);
        }
    }
    if (!status && !out.data) status = nigh_buffer_add(&out, "", 0);
    if (!status) return out.data;
    nigh_buffer_free(&out);
    return NULL;
}

static nigh_status make_regex(nigh_context *ctx, const char *pattern, const char *set, bool collapsed, struct regex **regex)
{
    struct regex *r = nigh_alloc_zero(ctx, 1, sizeof *r);
    if (!r) return NIGH_MEMORY;
    int error;
    PCRE2_SIZE at;
    r->collapsed = collapsed;
    read_set(r, set);
    pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
    if (limits) pcre2_set_parens_nest_limit(limits, 100);
    r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, collapsed ? 0 : PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &at, limits);
    pcre2_compile_context_free(limits);
    if (!r->code) {
        char why[120] = "";
        pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
        nigh_free(ctx, r);
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "regular expression '%.80s': %s at character %zu", pattern, why, (size_t)at);
    }
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
    *regex = r;
    return NIGH_OK;
}

nigh_status regex_new(nigh_context *ctx, const char *pattern, const char *set, bool collapsed, struct regex **regex)
{
    if (collapsed) return make_regex(ctx, pattern, set, collapsed, regex);
    char *plain = plain_blanks(ctx, pattern);
    if (!plain) return NIGH_MEMORY;
    nigh_status status = make_regex(ctx, plain, set, collapsed, regex);
    nigh_free(ctx, plain);
    return status;
}

void regex_free(nigh_context *ctx, struct regex *regex)
{
    if (!regex) return;
    pcre2_code_free(regex->code);
    nigh_free(ctx, regex);
}

void regex_room_free(split_room *room)
{
    matcher *m = room->match;
    if (m) {
        pcre2_match_data_free(m->data);
        pcre2_match_context_free(m->limits);
        pcre2_jit_stack_free(m->stack);
        nigh_free(room->ctx, m);
    }
    nigh_buffer_free(&room->collapsed);
    *room = (split_room){0};
}

static nigh_status make_matcher(const struct regex *r, split_room *room, nigh_context *ctx)
{
    if (room->match) return NIGH_OK;
    matcher *m = nigh_alloc_zero(ctx, 1, sizeof *m);
    if (!m) return NIGH_MEMORY;
    room->match = m, room->ctx = ctx, room->collapsed.ctx = ctx;
    m->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    m->limits = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(STACK_FIRST, STACK_MOST, NULL);
    if (!m->data || !m->limits || !m->stack) return nigh_fail(ctx, NIGH_MEMORY, "no memory for a regular expression");
    pcre2_set_match_limit(m->limits, 10000000);
    pcre2_set_heap_limit(m->limits, 65536);
    pcre2_jit_stack_assign(m->limits, NULL, m->stack);
    return NIGH_OK;
}

static char collapse(const struct regex *r, const char *text)
{
    static const char letters[CHAR_OTHER + 1] = {[CHAR_LETTER] = '\xD2', [CHAR_NUMBER] = '\xD1', [CHAR_SPACE] = '\x0B', [CHAR_MARK] = '\xD4',
                                                 [CHAR_PUNCTUATION] = '\xD3', [CHAR_SYMBOL] = '\xD5', [CHAR_OTHER] = '\xD0'};
    uint32_t point = char_point(text);
    unsigned class = char_class_of(point);
    for (int i = 0; i < r->ranges && class != CHAR_SPACE; i++)
        if (point >= r->range[i].low && point <= r->range[i].high) return '\xE0';
    return letters[class];
}

nigh_status regex_begin(const struct regex *r, split_room *room, nigh_context *ctx, const char *text, size_t size)
{
    nigh_status status = make_matcher(r, room, ctx);
    room->at = room->match_from = room->match_to = 0;
    room->collapsed.size = 0;
    if (!r->collapsed) return status;
    char part[256];
    size_t n = 0;
    for (size_t i = 0; i < size && !status; i += char_size((unsigned char)text[i])) {
        part[n++] = text[i] & 0x80 ? collapse(r, text + i) : text[i];
        if (n == sizeof part) status = nigh_buffer_add(&room->collapsed, part, n), n = 0;
    }
    return status || !n ? status : nigh_buffer_add(&room->collapsed, part, n);
}

static nigh_status match(const struct regex *r, split_room *room, const char *text, size_t size, size_t at, size_t *from, size_t *to)
{
    matcher *m = room->match;
    int found = pcre2_match(r->code, (PCRE2_SPTR)(size ? text : ""), size, at, 0, m->data, m->limits);
    if (found == PCRE2_ERROR_NOMATCH) {
        *from = *to = size;
        return NIGH_OK;
    }
    if (found < 0) return nigh_fail(room->ctx, NIGH_UNSUPPORTED, "a regular expression of the tokenizer takes too long on this text (PCRE2 error %d)", found);
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(m->data);
    *from = place[0], *to = place[1];
    return NIGH_OK;
}

nigh_status regex_next(const struct regex *r, split_room *room, const char *text, size_t at, size_t size, size_t *end)
{
    const char *seen = r->collapsed ? room->collapsed.data : text;
    size_t length = r->collapsed ? room->collapsed.size : size, here = room->at;
    if (here >= room->match_to) { /* empty matches cut nothing */
        size_t search = here;
        do {
            nigh_status status = match(r, room, seen, length, search, &room->match_from, &room->match_to);
            if (status) return status;
            search = room->match_to + 1;
            while (!r->collapsed && search < length && (seen[search] & 0xC0) == 0x80) search++;
        } while (room->match_to == room->match_from && room->match_from < length && search <= length);
    }
    room->matched = here >= room->match_from && room->match_to > here;
    room->at = here < room->match_from ? room->match_from : room->match_to;
    if (room->at == here) room->at = length;
    *end = at;
    if (!r->collapsed) *end = room->at;
    for (size_t i = here; r->collapsed && i < room->at; i++) *end += char_size((unsigned char)text[*end]);
    return NIGH_OK;
}

nigh_status regex_find(const struct regex *r, split_room *room, nigh_context *ctx, const char *text, size_t at, size_t size, size_t *from, size_t *to, bool *found)
{
    nigh_status status = make_matcher(r, room, ctx);
    if (!status) status = match(r, room, text, size, at, from, to);
    *found = !status && *from < size;
    return status;
}
