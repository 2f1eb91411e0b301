/*
 * Matches of chosen symbols by correlation: M[i] = sum over a, j of [T[i+j] = a] [P[j] = a] (Fischer and Paterson, "String-matching and other products").
 *
 * Overlap-save blocks of n numbers give n - length + 1 shifts. Two blocks of text are one complex transform (the second is the imaginary part): pattern
 * indicators are real, so nothing is wasted. Products are summed over symbols in the frequency domain: one transform a symbol, one back.
 *
 * rest: where the symbols are all of the pattern's, the last indicator needs no transform: [T = last] = 1 - sum of the others - [T = none of them], so
 * the others' pattern rows become [P = a] - [P = last], how often the pattern has `last` is added, and -[P = last] is left for blocks where the
 * text has symbols that the pattern has not.
 */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <string.h>

enum { PIECE = 1 << 22 };

static size_t real_size(const hamming_engine *e) { return e->bits == 64 ? 8 : 4; }
static int precision(const hamming_engine *e) { return e->bits == 64; }
static size_t row_bytes(const hamming_engine *e) { return ((size_t)(e->n / 2 + 1) * 2 * real_size(e) + 63) / 64 * 64; }
static size_t block_bytes(const hamming_engine *e) { return ((size_t)e->n * 2 * real_size(e) + 63) / 64 * 64; }
static size_t scratch_bytes(const hamming_engine *e)
{
    return (nigh_fft_workspace(e->forward) + 63) / 64 * 64;
}

size_t hamming_engine_bytes(const hamming_engine *e)
{
    return 3 * block_bytes(e) + row_bytes(e) + scratch_bytes(e);
}

static int64_t piece_length(const hamming_engine *e, int64_t m, int64_t piece)
{
    return m - piece * e->length < e->length ? m - piece * e->length : e->length;
}

/* [P = symbol] (of one piece) minus [P = last], or -[P = last], into the real or imaginary parts of z. */
static void pattern_numbers(const nigh_hamming *h, const hamming_engine *e, int64_t piece, int64_t s, int half, char *z)
{
    int width = h->ranks.width, p = precision(e);
    const char *pattern = (const char *)h->ranks.pattern + piece * e->length * width;
    int64_t length = piece_length(e, h->m, piece);
    bool last = e->rest && s == e->symbols - 1;
    uint32_t symbol = e->symbol[s], other = e->symbol[e->symbols - 1];
    for (int64_t x = 0; x < length; x++) {
        uint32_t value = width == 1 ? ((const uint8_t *)pattern)[x] : width == 2 ? ((const uint16_t *)pattern)[x] : ((const uint32_t *)pattern)[x];
        double number = ((value == symbol && !last) - (e->rest && value == other)) / (double)e->n;
        if (p) ((double *)z)[2 * x + half] = number;
        else ((float *)z)[2 * x + half] = (float)number;
    }
}

/* Transforms of the numbers of symbol s, and of s + 1 where next: both are real, so one complex transform gives both. z, full: blocks to write on. */
static void pattern_rows(const nigh_hamming *h, const hamming_engine *e, int64_t piece, int64_t s, char *z, char *full, char *scratch, char *row, char *next)
{
    memset(z, 0, block_bytes(e));
    pattern_numbers(h, e, piece, s, 0, z);
    if (next) pattern_numbers(h, e, piece, s + 1, 1, z);
    nigh_fft_run(e->forward, z, full, scratch);
    if (next) h->kernels->spectrum[precision(e)].separate(e->n, full, row, next);
    else memcpy(row, full, (size_t)(e->n / 2 + 1) * 2 * real_size(e));
}

static nigh_status make_spectra(nigh_hamming *h, hamming_engine *e)
{
    double bytes = (double)row_bytes(e) * (double)e->symbols * (double)e->pieces;
    if (bytes > h->options.memory) return NIGH_OK;
    e->spectra = nigh_alloc(h->ctx, (size_t)bytes + 64);
    char *room = nigh_alloc(h->ctx, 2 * block_bytes(e) + scratch_bytes(e) + 64);
    nigh_status status = e->spectra && room ? NIGH_OK : NIGH_MEMORY;
    for (int64_t piece = 0; piece < e->pieces; piece++)
        for (int64_t s = 0; s < e->symbols && !status; s += 2) {
            char *row = (char *)e->spectra + (size_t)(piece * e->symbols + s) * row_bytes(e);
            pattern_rows(h, e, piece, s, room, room + block_bytes(e), room + 2 * block_bytes(e), row, s + 1 < e->symbols ? row + row_bytes(e) : NULL);
            status = nigh_poll(h->ctx);
        }
    nigh_free(h->ctx, room);
    return status;
}

static nigh_status count_last(nigh_hamming *h, hamming_engine *e)
{
    int64_t *last = nigh_alloc_zero(h->ctx, (size_t)e->pieces, sizeof *last);
    if (!last) return NIGH_MEMORY;
    e->last = e->owned_last = last;
    for (int64_t j = 0; j < h->m && e->rest; j++) {
        const char *p = (const char *)h->ranks.pattern + j * h->ranks.width;
        uint32_t value = h->ranks.width == 1 ? *(const uint8_t *)p : h->ranks.width == 2 ? *(const uint16_t *)p : *(const uint32_t *)p;
        last[j / e->length] += value == e->symbol[e->symbols - 1];
    }
    return NIGH_OK;
}

nigh_status hamming_engine_new(nigh_hamming *h, int bits, int64_t n, int64_t symbols, const uint32_t *symbol, bool rest, hamming_engine *out)
{
    hamming_engine e = {.bits = bits, .n = n, .symbols = symbols, .symbol = symbol, .rest = rest};
    e.length = h->m < PIECE ? h->m : PIECE;
    e.pieces = (h->m + e.length - 1) / e.length;
    e.outs = n - e.length + 1;
    nigh_fft_spec spec = nigh_fft_channels_last(NIGH_FFT_COMPLEX, bits == 64 ? NIGH_F64 : NIGH_F32, false, 1, 1, &n, 1);
    nigh_status status = nigh_fft_new(h->ctx, &spec, 1, &e.forward);
    if (!status) status = count_last(h, &e);
    if (!status) status = make_spectra(h, &e);
    if (status) {
        hamming_engine_free(h->ctx, &e);
        return status;
    }
    *out = e;
    return NIGH_OK;
}

void hamming_engine_free(nigh_context *ctx, hamming_engine *e)
{
    nigh_fft_free(e->forward);
    nigh_free(ctx, e->spectra);
    nigh_free(ctx, e->owned_last);
    *e = (hamming_engine){0};
}

/* An estimate from above of the largest rounding error: unit roundoff times the root of log2 n times the norms of both rows, over symbols. What was seen in
   millions of results was 0.01 of it (few symbols, `rest`), 0.15 (heavy symbols of a Zipf law) and about 1 (nearly all symbols the same). */
double hamming_engine_noise(const nigh_hamming *h, int bits, int64_t n, int64_t symbols, const uint32_t *symbol)
{
    double sum = 0, length = (double)(h->m < PIECE ? h->m : PIECE);
    for (int64_t s = 0; s < symbols; s++) {
        double t = (double)h->ranks.in_text[symbol[s]] / (double)h->text.count, p = (double)h->ranks.in_pattern[symbol[s]] / (double)h->m;
        sum += 2 * t * (double)n * p * length;
    }
    return 0.6 * (bits == 64 ? 0x1p-53 : 0x1p-24) * sqrt(log2((double)n) * sum);
}

static bool has_others(const nigh_hamming *h, const char *t, int64_t count)
{
    int width = h->ranks.width;
    bool found = false;
    if (h->ranks.same) {
        bool seen[256] = {false};
        for (int64_t i = 0; i < count; i++) seen[(uint8_t)t[i]] = true;
        for (int a = 0; a < 256; a++) found |= seen[a] && !h->ranks.in_pattern[a];
        return found;
    }
    uint32_t none = (uint32_t)h->ranks.symbols;
    for (int64_t i = 0; i < count && !found; i++)
        found = (width == 1 ? ((const uint8_t *)t)[i] : width == 2 ? ((const uint16_t *)t)[i] : ((const uint32_t *)t)[i]) == none;
    return found;
}

static void set_number(const hamming_engine *e, char *z, int64_t at, bool value)
{
    if (precision(e)) ((double *)z)[at] = value;
    else ((float *)z)[at] = value;
}

/* z = indicator of symbols that the pattern lacks. */
static void indicate_others(const nigh_hamming *h, const hamming_engine *e, const char *a, int64_t an, const char *b, int64_t bn, char *z)
{
    int width = h->ranks.width;
    const char *text[2] = {a, b};
    int64_t count[2] = {an, bn};
    memset(z, 0, (size_t)e->n * 2 * real_size(e));
    for (int half = 0; half < 2; half++)
        for (int64_t i = 0; i < count[half]; i++)
            set_number(e, z, 2 * i + half, h->ranks.same ? !h->ranks.in_pattern[(uint8_t)text[half][i]] : has_others(h, text[half] + i * width, 1));
}

/* One piece of the pattern against two blocks. */
static double run_piece(const nigh_hamming *h, const hamming_engine *e, int64_t piece, const char *t, int64_t count, char *workspace, uint32_t *matches)
{
    int width = h->ranks.width, p = precision(e);
    int64_t length = piece_length(e, h->m, piece), first = count < e->outs ? count : e->outs, second = count - first;
    const char *a = t, *b = t + first * width;
    int64_t an = first + length - 1, bn = second ? second + length - 1 : 0, used = 0;
    char *z = workspace, *transformed = z + block_bytes(e), *sum = transformed + block_bytes(e), *row = sum + block_bytes(e), *scratch = row + row_bytes(e);
    bool others = e->rest && (has_others(h, a, an) || (bn && has_others(h, b, bn)));
    for (int64_t s = 0; s < e->symbols; s++) {
        bool last = e->rest && s == e->symbols - 1;
        if (last && !others && used) continue;
        const char *spectrum = e->spectra ? (const char *)e->spectra + (size_t)(piece * e->symbols + s) * row_bytes(e) : row;
        if (!e->spectra) pattern_rows(h, e, piece, s, z, transformed, scratch, row, NULL);
        if (last) indicate_others(h, e, a, an, b, bn, z);
        else h->kernels->compare[hamming_level(width)].indicate[p](a, an, b, bn, e->symbol[s], e->n, z);
        nigh_fft_run(e->forward, z, transformed, scratch);
        h->kernels->spectrum[p].multiply(e->n, transformed, spectrum, used++ > 0, sum);
    }
    nigh_fft_run(e->forward, sum, transformed, scratch); /* of the conjugate: the conjugate of the inverse; the rows have its factor 1/n */
    return h->kernels->spectrum[p].collect(transformed, e->rest ? (uint32_t)e->last[piece] : 0, first, matches, second, matches + first);
}

double hamming_engine_run(const nigh_hamming *h, const hamming_engine *e, const char *t, int64_t count, char *workspace, uint32_t *matches)
{
    double worst = 0;
    for (int64_t piece = 0; piece < e->pieces; piece++) {
        double off = run_piece(h, e, piece, t + piece * e->length * h->ranks.width, count, workspace, matches);
        worst = off > worst || isnan(off) ? off : worst;
    }
    return worst;
}
