/* Sets of Unicode characters: building, categories, case, UTF-8. Declared in core/automaton.h. */
#include "core/automaton.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { LAST_CODE = 0x10ffff, FIRST_SURROGATE = 0xd800, LAST_SURROGATE = 0xdfff };

nigh_status code_set_add(code_set *s, uint32_t low, uint32_t high)
{
    if (low > high) return NIGH_OK;
    if (s->count && s->at[s->count - 1].high + 1 == low) { /* the usual case of building in order */
        s->at[s->count - 1].high = high;
        return NIGH_OK;
    }
    if (s->count == s->room) {
        int64_t room = s->room ? 2 * s->room : 16;
        code_range *at = nigh_resize(s->ctx, s->at, sizeof *at * (size_t)room);
        if (!at) return NIGH_MEMORY;
        s->at = at, s->room = room;
    }
    s->at[s->count++] = (code_range){low, high};
    return NIGH_OK;
}

void code_set_free(code_set *s)
{
    if (s->ctx) nigh_free(s->ctx, s->at);
    s->at = NULL, s->count = s->room = 0;
}

static int by_low(const void *a, const void *b)
{
    uint32_t x = ((const code_range *)a)->low, y = ((const code_range *)b)->low;
    return (x > y) - (x < y);
}

nigh_status code_set_normal(code_set *s)
{
    if (!s->count) return NIGH_OK;
    qsort(s->at, (size_t)s->count, sizeof *s->at, by_low);
    int64_t n = 0;
    for (int64_t i = 0; i < s->count; i++) {
        if (n && s->at[i].low <= s->at[n - 1].high + 1) {
            if (s->at[i].high > s->at[n - 1].high) s->at[n - 1].high = s->at[i].high;
        } else {
            s->at[n++] = s->at[i];
        }
    }
    s->count = n;
    code_set out = {.ctx = s->ctx};
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; !status && i < n; i++) {
        uint32_t low = s->at[i].low, high = s->at[i].high > LAST_CODE ? LAST_CODE : s->at[i].high;
        if (high < FIRST_SURROGATE || low > LAST_SURROGATE) {
            status = code_set_add(&out, low, high);
        } else {
            if (low < FIRST_SURROGATE) status = code_set_add(&out, low, FIRST_SURROGATE - 1);
            if (!status && high > LAST_SURROGATE) status = code_set_add(&out, LAST_SURROGATE + 1, high);
        }
    }
    code_set_free(s);
    *s = out;
    return status;
}

nigh_status code_set_invert(code_set *s)
{
    code_set out = {.ctx = s->ctx};
    nigh_status status = NIGH_OK;
    uint32_t from = 0;
    for (int64_t i = 0; !status && i < s->count; i++) {
        if (s->at[i].low > from) status = code_set_add(&out, from, s->at[i].low - 1);
        from = s->at[i].high + 1;
    }
    if (!status && from <= LAST_CODE) status = code_set_add(&out, from, LAST_CODE);
    code_set_free(s);
    *s = out;
    return status ? status : code_set_normal(s);
}

bool code_set_has(const code_set *s, uint32_t code)
{
    int64_t low = 0, high = s->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (s->at[middle].high < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->at[low].low <= code;
}

/* Characters of one category in a row, and those that fold to another one: found once, since asking for each of 1.1 million takes milliseconds. */
enum { MOST_RUNS = 8192, MOST_FOLDS = 6000, LAST_CASED = 0x1e943 };
static struct {
    uint32_t low, high, category;
} runs[MOST_RUNS];
static struct {
    uint32_t code, to;
} folds[MOST_FOLDS];
static int run_count, fold_count;
static pthread_once_t learnt = PTHREAD_ONCE_INIT;

/* Characters of one simple case folding: the lower-case letter that both have. Dotted and dotless i fold to nothing but themselves. */
static uint32_t folded(uint32_t code)
{
    if (code == 0x130 || code == 0x131) return code;
    uint32_t upper = (uint32_t)utf8proc_toupper((utf8proc_int32_t)code);
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)(upper == 0x49 && code != 0x69 ? code : upper));
}

static void learn(void)
{
    for (uint32_t code = 0; code <= LAST_CODE; code++) {
        uint32_t category = (uint32_t)utf8proc_category((utf8proc_int32_t)code);
        if (run_count && runs[run_count - 1].category == category) {
            runs[run_count - 1].high = code;
        } else if (run_count < MOST_RUNS) {
            runs[run_count].low = runs[run_count].high = code, runs[run_count].category = category;
            run_count++;
        }
    }
    for (uint32_t code = 0; code <= LAST_CASED; code++)
        if (folded(code) != code && fold_count < MOST_FOLDS) folds[fold_count].code = code, folds[fold_count++].to = folded(code);
}

nigh_status code_set_add_category(code_set *s, const char *name, size_t size, bool *known)
{
    static const char names[] = "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCo"; /* in the order of utf8proc_category_t */
    uint32_t wanted = 0;
    if (size == 3 && memcmp(name, "Any", 3) == 0) wanted = ~(uint32_t)0;
    if (size == 2 && (memcmp(name, "L&", 2) == 0 || memcmp(name, "LC", 2) == 0)) wanted = 1u << 1 | 1u << 2 | 1u << 3;
    for (uint32_t i = 0; i < sizeof names / 2; i++)
        if ((size == 1 || (size == 2 && name[1] == names[2 * i + 1])) && size && name[0] == names[2 * i]) wanted |= 1u << i;
    *known = wanted != 0;
    nigh_status status = NIGH_OK;
    pthread_once(&learnt, learn);
    for (int i = 0; wanted && !status && i < run_count; i++)
        if (wanted >> runs[i].category & 1) status = code_set_add(s, runs[i].low, runs[i].high);
    return status;
}

nigh_status code_set_fold(code_set *s)
{
    code_set more = {.ctx = s->ctx};
    nigh_status status = NIGH_OK;
    pthread_once(&learnt, learn);
    /* what its members fold to; then whatever folds to one of those */
    for (int i = 0; !status && i < fold_count; i++)
        if (code_set_has(s, folds[i].code)) status = code_set_add(&more, folds[i].to, folds[i].to);
    for (int turn = 0; turn < 2; turn++) {
        for (int64_t i = 0; !status && i < more.count; i++) status = code_set_add(s, more.at[i].low, more.at[i].high);
        if (!status) status = code_set_normal(s);
        more.count = 0;
        for (int i = 0; turn == 0 && !status && i < fold_count; i++)
            if (code_set_has(s, folds[i].to)) status = code_set_add(&more, folds[i].code, folds[i].code);
    }
    code_set_free(&more);
    return status;
}

size_t utf8_put(uint32_t code, char out[4])
{
    unsigned char *o = (unsigned char *)out;
    if (code < 0x80) return o[0] = (unsigned char)code, 1;
    if (code < 0x800) return o[0] = (unsigned char)(0xc0 | code >> 6), o[1] = (unsigned char)(0x80 | (code & 63)), 2;
    if (code < 0x10000) {
        o[0] = (unsigned char)(0xe0 | code >> 12), o[1] = (unsigned char)(0x80 | (code >> 6 & 63)), o[2] = (unsigned char)(0x80 | (code & 63));
        return 3;
    }
    o[0] = (unsigned char)(0xf0 | code >> 18), o[1] = (unsigned char)(0x80 | (code >> 12 & 63));
    o[2] = (unsigned char)(0x80 | (code >> 6 & 63)), o[3] = (unsigned char)(0x80 | (code & 63));
    return 4;
}

size_t utf8_get(const char *bytes, size_t size, uint32_t *code)
{
    utf8proc_int32_t found = -1;
    utf8proc_ssize_t used = size ? utf8proc_iterate((const utf8proc_uint8_t *)bytes, size > 4 ? 4 : (utf8proc_ssize_t)size, &found) : 0;
    if (used <= 0 || found < 0) return 0;
    *code = (uint32_t)found;
    return (size_t)used;
}
