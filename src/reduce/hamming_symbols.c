/* Symbols of any integer type as ranks of the pattern's distinct values: a table for small values, a hash for others. */
#include "reduce/hamming_inside.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_LIMIT = 1 << 22, SCAN_LIMIT = 1 << 20, SAMPLE_RUNS = 64, SAMPLE_RUN = 1 << 13, MAP_BLOCK = 4096 };

#define CASES(DO)                                                                                                      \
    switch (dtype) {                                                                                                   \
    case NIGH_U8:                                                                                                      \
    case NIGH_BOOL: DO(uint8_t); break;                                                                                \
    case NIGH_I8: DO(int8_t); break;                                                                                   \
    case NIGH_U16: DO(uint16_t); break;                                                                                \
    case NIGH_I16: DO(int16_t); break;                                                                                 \
    case NIGH_U32: DO(uint32_t); break;                                                                                \
    case NIGH_I32: DO(int32_t); break;                                                                                 \
    default: DO(int64_t); break; /* u64: the same bits */                                                              \
    }

static void values(nigh_dtype dtype, const void *data, int64_t from, int64_t count, uint64_t *out)
{
#define COPY(T)                                                                                                        \
    for (int64_t i = 0; i < count; i++) out[i] = (uint64_t)(int64_t)((const T *)data)[from + i]
    CASES(COPY)
#undef COPY
}

uint64_t hamming_value(nigh_dtype dtype, const void *data, int64_t i)
{
    uint64_t value = 0;
    values(dtype, data, i, 1, &value);
    return value;
}

static uint64_t home(const hamming_ranks *r, uint64_t value)
{
    return value * 0x9E3779B97F4A7C15u >> (64 - r->bits);
}

static uint32_t find(const hamming_ranks *r, uint64_t value)
{
    uint64_t mask = ((uint64_t)1 << r->bits) - 1;
    for (uint64_t at = home(r, value);; at = (at + 1) & mask) {
        if (r->ranks[at] == UINT32_MAX) return (uint32_t)r->symbols;
        if (r->keys[at] == value) return r->ranks[at];
    }
}

static uint32_t rank_of(const hamming_ranks *r, uint64_t value)
{
    if (r->table) return value < r->limit ? r->table[value] : (uint32_t)r->symbols;
    return find(r, value);
}

void hamming_map(const hamming_ranks *r, const nigh_symbols *symbols, int64_t from, int64_t count, void *out)
{
    uint64_t block[MAP_BLOCK];
    if (r->same) {
        memcpy(out, (const char *)symbols->data + from, (size_t)count);
        return;
    }
    if (symbols->dtype == NIGH_U16 && r->width == 2 && r->table) { /* the common case of many symbols */
        const uint16_t *in = (const uint16_t *)symbols->data + from;
        for (int64_t i = 0; i < count; i++) ((uint16_t *)out)[i] = (uint16_t)(in[i] < r->limit ? r->table[in[i]] : (uint32_t)r->symbols);
        return;
    }
    for (int64_t done = 0; done < count; done += MAP_BLOCK) {
        int64_t part = count - done < MAP_BLOCK ? count - done : MAP_BLOCK;
        values(symbols->dtype, symbols->data, from + done, part, block);
        for (int64_t i = 0; i < part; i++) {
            uint32_t rank = rank_of(r, block[i]);
            if (r->width == 1) ((uint8_t *)out)[done + i] = (uint8_t)rank;
            else if (r->width == 2) ((uint16_t *)out)[done + i] = (uint16_t)rank;
            else ((uint32_t *)out)[done + i] = rank;
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void set_width(hamming_ranks *r, int64_t count)
{
    r->symbols = count;
    r->width = count < 256 ? 1 : count < 65536 ? 2 : 4;
}

/* Values up to a limit are marked in a table, which then gets their ranks. */
static nigh_status make_table(nigh_context *ctx, const uint64_t *value, int64_t m, uint64_t largest, hamming_ranks *r)
{
    uint32_t count = 0;
    r->limit = largest + 1;
    r->table = nigh_alloc_zero(ctx, (size_t)r->limit, sizeof *r->table);
    if (!r->table) return NIGH_MEMORY;
    for (int64_t i = 0; i < m; i++) r->table[value[i]] = 1;
    for (uint64_t v = 0; v < r->limit; v++) count += r->table[v];
    set_width(r, count);
    for (uint64_t v = 0, rank = 0; v < r->limit; v++) r->table[v] = r->table[v] ? (uint32_t)rank++ : count;
    return NIGH_OK;
}

static nigh_status make_hash(nigh_context *ctx, const uint64_t *sorted, int64_t count, hamming_ranks *r)
{
    set_width(r, count);
    for (r->bits = 4; (int64_t)1 << r->bits < 2 * count; r->bits++) {}
    size_t places = (size_t)1 << r->bits;
    r->keys = nigh_alloc_zero(ctx, places, sizeof *r->keys);
    r->ranks = nigh_alloc(ctx, places * sizeof *r->ranks);
    if (!r->keys || !r->ranks) return NIGH_MEMORY;
    memset(r->ranks, 0xFF, places * sizeof *r->ranks);
    for (int64_t i = 0; i < count; i++) {
        uint64_t at = home(r, sorted[i]);
        while (r->ranks[at] != UINT32_MAX) at = (at + 1) & (places - 1);
        r->keys[at] = sorted[i];
        r->ranks[at] = (uint32_t)i;
    }
    return NIGH_OK;
}

static nigh_status rank_pattern(nigh_context *ctx, const nigh_symbols *pattern, hamming_ranks *r)
{
    size_t m = (size_t)pattern->count;
    uint64_t *value = nigh_alloc_zero(ctx, m, sizeof *value), largest = 0;
    if (!value) return NIGH_MEMORY;
    values(pattern->dtype, pattern->data, 0, pattern->count, value);
    for (size_t i = 0; i < m; i++) largest = value[i] > largest ? value[i] : largest;
    nigh_status status;
    if (largest < TABLE_LIMIT) status = make_table(ctx, value, pattern->count, largest, r);
    else {
        int64_t count = 0;
        qsort(value, m, sizeof *value, by_value);
        for (size_t i = 0; i < m; i++)
            if (i == 0 || value[i] != value[count - 1]) value[count++] = value[i];
        status = make_hash(ctx, value, count, r);
    }
    nigh_free(ctx, value);
    if (status) return status;
    r->pattern = nigh_alloc_zero(ctx, m, (size_t)r->width);
    if (!r->pattern) return NIGH_MEMORY;
    hamming_map(r, pattern, 0, pattern->count, r->pattern);
    return NIGH_OK;
}

static nigh_status check_alphabet(nigh_context *ctx, const char *name, const nigh_symbols *s, uint64_t alphabet)
{
    uint64_t block[MAP_BLOCK];
    bool is_signed = s->dtype == NIGH_I8 || s->dtype == NIGH_I16 || s->dtype == NIGH_I32 || s->dtype == NIGH_I64;
    for (int64_t done = 0; done < s->count; done += MAP_BLOCK) {
        int64_t part = s->count - done < MAP_BLOCK ? s->count - done : MAP_BLOCK;
        values(s->dtype, s->data, done, part, block);
        for (int64_t i = 0; i < part; i++) {
            if (block[i] < alphabet) continue;
            if (is_signed)
                return nigh_fail(ctx, NIGH_INVALID, "hamming: %s: symbol %lld at position %lld; 0 to %llu is allowed", name, (long long)block[i],
                                 (long long)(done + i), (unsigned long long)alphabet - 1);
            return nigh_fail(ctx, NIGH_INVALID, "hamming: %s: symbol %llu at position %lld; 0 to %llu is allowed", name,
                             (unsigned long long)block[i], (long long)(done + i), (unsigned long long)alphabet - 1);
        }
    }
    return NIGH_OK;
}

static void count_ranks(const hamming_ranks *r, const nigh_symbols *symbols, int64_t from, int64_t count, int64_t *tally)
{
    uint32_t block[MAP_BLOCK]; /* as wide as the widest rank */
    for (int64_t done = 0; done < count; done += MAP_BLOCK) {
        int64_t part = count - done < MAP_BLOCK ? count - done : MAP_BLOCK;
        hamming_map(r, symbols, from + done, part, block);
        for (int64_t i = 0; i < part; i++)
            tally[r->width == 1 ? ((uint8_t *)block)[i] : r->width == 2 ? ((uint16_t *)block)[i] : block[i]]++;
    }
}

static nigh_status profile(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, hamming_ranks *r)
{
    r->in_text = nigh_alloc_zero(ctx, (size_t)r->symbols + 1, sizeof *r->in_text);
    r->in_pattern = nigh_alloc_zero(ctx, (size_t)r->symbols + 1, sizeof *r->in_pattern);
    if (!r->in_text || !r->in_pattern) return NIGH_MEMORY;
    count_ranks(r, pattern, 0, pattern->count, r->in_pattern);
    for (int64_t a = 0; a < r->symbols; a++) r->distinct += r->in_pattern[a] > 0;
    if (text->count <= SCAN_LIMIT) {
        count_ranks(r, text, 0, text->count, r->in_text);
        return NIGH_OK;
    }
    for (int64_t s = 0; s < SAMPLE_RUNS; s++) count_ranks(r, text, (text->count - SAMPLE_RUN) / SAMPLE_RUNS * s, SAMPLE_RUN, r->in_text);
    double scale = (double)text->count / ((double)SAMPLE_RUNS * SAMPLE_RUN);
    for (int64_t a = 0; a <= r->symbols; a++) r->in_text[a] = (int64_t)((double)r->in_text[a] * scale);
    return NIGH_OK;
}

static bool known(nigh_dtype dtype)
{
    return (dtype >= NIGH_I64 && dtype <= NIGH_I8) || (dtype >= NIGH_U64 && dtype <= NIGH_BOOL);
}

nigh_status hamming_ranks_new(nigh_context *ctx, const nigh_symbols *text, const nigh_symbols *pattern, uint64_t alphabet, hamming_ranks *r)
{
    const nigh_symbols *both[2] = {text, pattern};
    static const char *const names[2] = {"text", "pattern"};
    *r = (hamming_ranks){0};
    for (int i = 0; i < 2; i++) {
        if (!known(both[i]->dtype))
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "hamming: %s holds %s; integers of 8 to 64 bits are known", names[i], nigh_dtype_name(both[i]->dtype));
        nigh_status status = alphabet ? check_alphabet(ctx, names[i], both[i], alphabet) : NIGH_OK;
        if (status) return status;
    }
    r->same = text->dtype == NIGH_U8 && pattern->dtype == NIGH_U8;
    nigh_status status = NIGH_OK;
    if (r->same) {
        r->width = 1;
        r->symbols = 256;
        r->pattern = (void *)(uintptr_t)pattern->data;
    } else
        status = rank_pattern(ctx, pattern, r);
    if (!status) status = profile(ctx, text, pattern, r);
    if (status) hamming_ranks_free(ctx, r, pattern);
    return status;
}

void hamming_ranks_free(nigh_context *ctx, hamming_ranks *r, const nigh_symbols *pattern)
{
    if (r->pattern != pattern->data) nigh_free(ctx, r->pattern);
    nigh_free(ctx, r->table);
    nigh_free(ctx, r->keys);
    nigh_free(ctx, r->ranks);
    nigh_free(ctx, r->in_text);
    nigh_free(ctx, r->in_pattern);
    *r = (hamming_ranks){0};
}
