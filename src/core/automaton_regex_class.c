/* Characters and classes of regular expressions: escapes, \p{..}, [...]. Declared in core/automaton_regex.h. */
#include "core/automaton_regex.h"

#include <stdio.h>
#include <string.h>

/* ---- named sets ---- */

typedef struct named_set {
    const char *name;
    code_range at[4];
} named_set;

static const named_set posix[] = {
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}}, {"digit", {{'0', '9'}}}, {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}}, {"upper", {{'A', 'Z'}}}, {"lower", {{'a', 'z'}}},
    {"space", {{9, 13}, {32, 32}}}, {"blank", {{9, 9}, {32, 32}}}, {"punct", {{33, 47}, {58, 64}, {91, 96}, {123, 126}}}, {"print", {{32, 126}}},
    {"graph", {{33, 126}}}, {"cntrl", {{0, 31}, {127, 127}}}, {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}}, {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"ascii", {{0, 127}}}};

static bool add_posix(regex_parser *p, const char *name, size_t size, code_set *set)
{
    for (size_t i = 0; i < sizeof posix / sizeof *posix; i++) {
        if (strlen(posix[i].name) != size || memcmp(posix[i].name, name, size) != 0) continue;
        for (int k = 0; !p->status && k < 4; k++)
            if (k == 0 || posix[i].at[k].high) p->status = code_set_add(set, posix[i].at[k].low, posix[i].at[k].high);
        return true;
    }
    return false;
}

/* Appends what `add` holds (normal), or all but it. */
static void merge(regex_parser *p, code_set *set, code_set *add, bool inverted)
{
    if (!p->status) p->status = code_set_normal(add);
    if (!p->status && inverted) p->status = code_set_invert(add);
    for (int64_t i = 0; !p->status && i < add->count; i++) p->status = code_set_add(set, add->at[i].low, add->at[i].high);
    code_set_free(add);
    if (!p->status) p->status = code_set_normal(set);
}

/* \d \w \s \h \v \N and their opposites; false: none of these. */
static bool add_letter(regex_parser *p, char c, code_set *set)
{
    static const code_range horizontal[] = {{9, 9}, {32, 32}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200a}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
    static const code_range vertical[] = {{10, 13}, {0x85, 0x85}, {0x2028, 0x2029}};
    code_set one = {.ctx = p->ctx};
    switch (c | 32) {
    case 'd': add_posix(p, "digit", 5, &one); break;
    case 'w': add_posix(p, "word", 4, &one); break;
    case 's': add_posix(p, "space", 5, &one); break;
    case 'h':
        for (size_t i = 0; !p->status && i < sizeof horizontal / sizeof *horizontal; i++) p->status = code_set_add(&one, horizontal[i].low, horizontal[i].high);
        break;
    case 'v':
        for (size_t i = 0; !p->status && i < sizeof vertical / sizeof *vertical; i++) p->status = code_set_add(&one, vertical[i].low, vertical[i].high);
        break;
    case 'n':
        if (c == 'n') return false;
        p->status = code_set_add(&one, '\n', '\n');
        break;
    default: return false;
    }
    merge(p, set, &one, (c & 32) == 0);
    return true;
}

static void add_property(regex_parser *p, bool inverted, code_set *set)
{
    size_t from = p->at - 2, start = p->at, size = 1;
    if (regex_take(p, '{')) {
        if (regex_take(p, '^')) inverted = !inverted;
        start = p->at;
        while (p->at < p->size && p->text[p->at] != '}') p->at++;
        size = p->at - start;
        if (!regex_take(p, '}')) regex_fail(p, NIGH_FORMAT, from, "a property that does not end");
    } else if (p->at < p->size) {
        p->at++;
    } else {
        regex_fail(p, NIGH_FORMAT, from, "a property without a name");
    }
    if (p->status) return;
    code_set one = {.ctx = p->ctx};
    bool known = false;
    p->status = code_set_add_category(&one, p->text + start, size, &known);
    if (!p->status && !known) {
        char what[96];
        bool plain = size < 40;
        for (size_t i = 0; plain && i < size; i++) plain = p->text[start + i] > 32 && p->text[start + i] < 127;
        snprintf(what, sizeof what, "the property \\p{%.*s} (general categories such as L, Lu, N, P are)", plain ? (int)size : 0, p->text + start);
        regex_fail(p, NIGH_UNSUPPORTED, from, what);
    }
    merge(p, set, &one, inverted);
}

/* ---- escapes ---- */

static int hex_value(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

/* Up to `most` hexadecimal digits, at least `least`. */
static bool hex(regex_parser *p, int least, int most, uint32_t *code)
{
    int count = 0;
    for (*code = 0; count < most && p->at < p->size && hex_value(p->text[p->at]) >= 0; count++, p->at++) *code = 16 * *code + (uint32_t)hex_value(p->text[p->at]);
    return count >= least;
}

static void escape_hex(regex_parser *p, char c, uint32_t *code)
{
    size_t from = p->at - 2;
    bool good;
    if (c == 'x' && regex_take(p, '{'))
        good = hex(p, 1, 6, code) && regex_take(p, '}');
    else
        good = c == 'x' ? hex(p, 0, 2, code) : hex(p, 4, 4, code);
    if (!good || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff)) regex_fail(p, NIGH_FORMAT, from, "a code of a character that there is not");
}

bool regex_escape(regex_parser *p, code_set *set, uint32_t *code)
{
    static const char plain[] = "n\nt\tr\rf\fa\ae\x1b";
    size_t from = p->at - 1;
    if (p->at >= p->size) return regex_fail(p, NIGH_FORMAT, from, "a backslash at the end"), false;
    char c = p->text[p->at++];
    for (size_t i = 0; i + 1 < sizeof plain; i += 2)
        if (plain[i] == c) return *code = (uint32_t)plain[i + 1], false;
    if (c == 'p' || c == 'P') return add_property(p, c == 'P', set), true;
    if (c == 'x' || c == 'u') return escape_hex(p, c, code), false;
    if (c == '0') {
        *code = 0;
        for (int i = 0; i < 2 && p->at < p->size && p->text[p->at] >= '0' && p->text[p->at] <= '7'; i++) *code = 8 * *code + (uint32_t)(p->text[p->at++] - '0');
        return false;
    }
    if (add_letter(p, c, set)) return true;
    if ((c >= '1' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')) {
        char what[32];
        snprintf(what, sizeof what, "the escape \\%c", c);
        return regex_fail(p, NIGH_UNSUPPORTED, from, what), false;
    }
    p->at--;
    *code = regex_character(p);
    return false;
}

/* ---- classes ---- */

/* [:alpha:] inside of a class; false: none here. */
static bool class_posix(regex_parser *p, code_set *set)
{
    if (!regex_sees(p, "[:")) return false;
    size_t from = p->at + 2, end = from;
    while (end + 1 < p->size && p->text[end] != ':' && p->text[end] != ']') end++;
    if (end + 1 >= p->size || p->text[end] != ':' || p->text[end + 1] != ']') return false;
    bool inverted = p->text[from] == '^';
    code_set one = {.ctx = p->ctx};
    if (!add_posix(p, p->text + from + inverted, end - from - inverted, &one)) {
        code_set_free(&one);
        return regex_fail(p, NIGH_FORMAT, p->at, "an unknown name of a class"), true;
    }
    merge(p, set, &one, inverted);
    p->at = end + 2;
    return true;
}

/* One member: a set (true, added) or one character. */
static bool class_member(regex_parser *p, code_set *set, uint32_t *code)
{
    if (class_posix(p, set)) return true;
    if (!regex_take(p, '\\')) return *code = regex_character(p), false;
    if (regex_take(p, 'b')) return *code = 8, false;
    if (p->at < p->size && p->text[p->at] == 'N') return regex_fail(p, NIGH_UNSUPPORTED, p->at - 1, "\\N in a class"), false;
    return regex_escape(p, set, code);
}

pattern *regex_class(regex_parser *p)
{
    size_t from = p->at - 1;
    code_set set = {.ctx = p->ctx};
    bool inverted = regex_take(p, '^'), first = true;
    while (!p->status) {
        if (p->at >= p->size) {
            regex_fail(p, NIGH_FORMAT, from, "a class that does not end");
            break;
        }
        if (!first && regex_take(p, ']')) break;
        first = false;
        uint32_t low = 0, high = 0;
        size_t place = p->at;
        if (class_member(p, &set, &low) || p->status) continue;
        high = low;
        if (p->at + 1 < p->size && p->text[p->at] == '-' && p->text[p->at + 1] != ']') {
            p->at++;
            if (class_member(p, &set, &high)) regex_fail(p, NIGH_FORMAT, place, "a range of a class that ends in a set");
            else if (!p->status && high < low) regex_fail(p, NIGH_FORMAT, place, "a range of a class from more to less");
        }
        if (!p->status) p->status = code_set_add(&set, low, high);
    }
    if (!p->status) p->status = code_set_normal(&set);
    if (!p->status && p->fold) p->status = code_set_fold(&set); /* before what it is not is taken */
    if (!p->status && inverted) p->status = code_set_invert(&set);
    bool fold = p->fold;
    p->fold = false;
    pattern *out = regex_set_pattern(p, &set);
    p->fold = fold;
    return out;
}
