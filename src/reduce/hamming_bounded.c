/* Distances of at most k, or k + 1: early exit, pieces that occur exactly, and jumps over equal stretches. */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256, FIRST = 32, NEAR = 32 }; /* NEAR is a power of two: halving it reaches every length */

/* ---- early exit --------------------------------------------------------------------------------------------------- */

/* Blocks of shifts are compared for a stretch of the pattern; when few are left each is finished alone. */
static void exit_block(const nigh_hamming *h, const char *t, int64_t count, uint32_t *out)
{
    int width = h->ranks.width;
    const hamming_compare *compare = &h->kernels->compare[hamming_level(width)];
    const char *p = h->ranks.pattern;
    int64_t k = h->options.at_most, done = 0, left = count, step = h->stretch;
    memset(out, 0, (size_t)count * sizeof *out);
    while (done < h->m && left * NEAR > count) {
        int64_t some = h->m - done < step ? h->m - done : step;
        compare->many(t + done * width, count, NULL, p + done * width, some, out);
        done += some;
        step = FIRST;
        left = 0;
        for (int64_t i = 0; i < count; i++) left += done - out[i] <= k;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t misses = done - out[i];
        if (misses <= k && done < h->m) misses += compare->one(t + (i + done) * width, p + done * width, h->m - done, k - misses);
        out[i] = (uint32_t)(misses > k ? k + 1 : misses);
    }
}

void hamming_early_exit(hamming_part *part)
{
    for (int64_t i = 0; i < part->count; i += BLOCK)
        exit_block(part->h, part->t + i * part->h->ranks.width, part->count - i < BLOCK ? part->count - i : BLOCK, part->out + i);
}

/* ---- pieces ------------------------------------------------------------------------------------------------------- */

/* The first q symbols of each of the k + 1 pieces, by a hash modulo 2^64: chains of pieces in an open table. */
struct hamming_pieces {
    int64_t count, q, step;
    uint64_t *hash; /* [count] */
    int64_t *first, *next; /* [2^bits], [count]; -1 ends */
    int bits;
};

static const uint64_t radix = 0x9E3779B97F4A7C15u | 1, spread = 0xD6E8FEB86659FD93u;

static uint64_t symbol(const char *t, int width, int64_t i)
{
    return (width == 1 ? ((const uint8_t *)t)[i] : width == 2 ? ((const uint16_t *)t)[i] : ((const uint32_t *)t)[i]) + 1;
}

static nigh_status pieces_new(nigh_hamming *h)
{
    hamming_pieces *p = nigh_alloc_zero(h->ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    h->pieces = p;
    p->count = h->options.at_most + 1;
    p->step = h->m / p->count;
    p->q = p->step < 64 ? p->step : 64;
    for (p->bits = 10; (int64_t)1 << p->bits < 8 * p->count; p->bits++) {}
    p->hash = nigh_alloc(h->ctx, (size_t)p->count * sizeof *p->hash);
    p->first = nigh_alloc(h->ctx, ((size_t)1 << p->bits) * sizeof *p->first);
    p->next = nigh_alloc(h->ctx, (size_t)p->count * sizeof *p->next);
    if (!p->hash || !p->first || !p->next) return NIGH_MEMORY;
    memset(p->first, 0xFF, ((size_t)1 << p->bits) * sizeof *p->first);
    for (int64_t s = 0; s < p->count; s++) {
        uint64_t hash = 0;
        for (int64_t i = 0; i < p->q; i++) hash = hash * radix + symbol(h->ranks.pattern, h->ranks.width, s * p->step + i);
        int64_t *at = &p->first[hash * spread >> (64 - p->bits)];
        p->hash[s] = hash;
        p->next[s] = *at;
        *at = s;
    }
    return NIGH_OK;
}

static void verify(hamming_part *part, int64_t i)
{
    const nigh_hamming *h = part->h;
    int64_t k = h->options.at_most;
    int width = h->ranks.width;
    if (i < 0 || i >= part->count || part->out[i] != UINT32_MAX) return;
    int64_t misses = h->kernels->compare[hamming_level(width)].one(part->t + i * width, h->ranks.pattern, h->m, k);
    part->out[i] = (uint32_t)(misses > k ? k + 1 : misses);
}

void hamming_by_pieces(hamming_part *part)
{
    const nigh_hamming *h = part->h;
    const hamming_pieces *p = h->pieces;
    int width = h->ranks.width;
    int64_t length = part->count + h->m - 1;
    uint64_t hash = 0, leaving = 1;
    memset(part->out, 0xFF, (size_t)part->count * sizeof *part->out);
    for (int64_t i = 0; i < p->q; i++) leaving *= radix;
    for (int64_t x = 0; x < length; x++) {
        hash = hash * radix + symbol(part->t, width, x);
        if (x >= p->q) hash -= leaving * symbol(part->t, width, x - p->q);
        if (x < p->q - 1) continue;
        for (int64_t s = p->first[hash * spread >> (64 - p->bits)]; s >= 0; s = p->next[s])
            if (p->hash[s] == hash) verify(part, x - p->q + 1 - s * p->step);
    }
    for (int64_t i = 0; i < part->count; i++)
        if (part->out[i] == UINT32_MAX) part->out[i] = (uint32_t)h->options.at_most + 1;
}

/* ---- kangaroo ----------------------------------------------------------------------------------------------------- */

static const uint64_t prime = ((uint64_t)1 << 61) - 1;

static uint64_t times(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    uint64_t sum = (uint64_t)(product & prime) + (uint64_t)(product >> 61);
    return sum >= prime ? sum - prime : sum;
}

static void prefixes(const char *t, int width, int64_t count, const uint64_t base[2], uint64_t *out)
{
    for (int b = 0; b < 2; b++, out += count + 1) {
        out[0] = 0;
        for (int64_t i = 0; i < count; i++) {
            uint64_t next = times(out[i], base[b]) + symbol(t, width, i);
            out[i + 1] = next >= prime ? next - prime : next;
        }
    }
}

static nigh_status kangaroo_new(nigh_hamming *h)
{
    size_t size = 2 * ((size_t)h->m + 1) * sizeof *h->power;
    h->power = nigh_alloc(h->ctx, size);
    h->prefix = nigh_alloc(h->ctx, size);
    if (!h->power || !h->prefix) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(h->ctx), 0x6B616E67);
    for (int b = 0; b < 2; b++) {
        h->base[b] = (uint64_t)1 << 32 | nigh_rng_below(&rng, prime - ((uint64_t)1 << 33));
        uint64_t *power = h->power + b * (h->m + 1);
        power[0] = 1;
        for (int64_t i = 0; i < h->m; i++) power[i + 1] = times(power[i], h->base[b]);
    }
    prefixes(h->ranks.pattern, h->ranks.width, h->m, h->base, h->prefix);
    return NIGH_OK;
}

static bool equal(const nigh_hamming *h, const uint64_t *text, int64_t length, int64_t i, int64_t j, int64_t count)
{
    for (int b = 0; b < 2; b++) {
        const uint64_t *t = text + b * (length + 1) + i, *p = h->prefix + b * (h->m + 1) + j;
        uint64_t power = h->power[b * (h->m + 1) + count];
        uint64_t left = t[count] + times(p[0], power), right = p[count] + times(t[0], power);
        left = left >= prime ? left - prime : left;
        right = right >= prime ? right - prime : right;
        if (left != right) return false;
    }
    return true;
}

/* How far T[i ..] and P[j ..] agree: a few symbols by looking, then doubling and halving. */
static int64_t agree(const hamming_part *part, const uint64_t *text, int64_t length, int64_t i, int64_t j)
{
    const nigh_hamming *h = part->h;
    int width = h->ranks.width;
    int64_t rest = h->m - j, same = 0, step = NEAR;
    while (same < rest && same < NEAR && symbol(part->t, width, i + same) == symbol(h->ranks.pattern, width, j + same)) same++;
    if (same < NEAR || same == rest) return same;
    while (same + step <= rest && equal(h, text, length, i + same, j + same, step)) same += step, step *= 2;
    for (; step > 0; step /= 2)
        if (same + step <= rest && equal(h, text, length, i + same, j + same, step)) same += step;
    return same;
}

void hamming_kangaroo(hamming_part *part)
{
    const nigh_hamming *h = part->h;
    int64_t length = part->count + h->m - 1, k = h->options.at_most;
    uint64_t *text = (uint64_t *)(void *)part->workspace;
    prefixes(part->t, h->ranks.width, length, h->base, text);
    for (int64_t i = 0; i < part->count; i++) {
        int64_t misses = 0, j = 0;
        while (j < h->m) {
            j += agree(part, text, length, i + j, j);
            if (j >= h->m || ++misses > k) break;
            j++;
        }
        part->out[i] = (uint32_t)misses;
    }
}

/* ------------------------------------------------------------------------------------------------------------------- */

/* How much of the pattern is compared first: as much as uniformly drawn shifts need on average, and a little. */
static int64_t first_stretch(const nigh_hamming *h)
{
    double match = 0, k = (double)h->options.at_most;
    for (int64_t a = 0; a < h->ranks.symbols; a++)
        match += (double)h->ranks.in_text[a] / (double)h->text.count * ((double)h->ranks.in_pattern[a] / (double)h->m);
    double miss = fmax(1 - match, 1e-3), need = (k + 1) / miss + 3.5 * sqrt((k + 1) * match) / miss;
    return need > (double)h->m ? h->m : (int64_t)ceil(need);
}

nigh_status hamming_bounded_new(nigh_hamming *h)
{
    if (h->report.variant == NIGH_HAMMING_PIECES) return pieces_new(h);
    if (h->report.variant == NIGH_HAMMING_KANGAROO) return kangaroo_new(h);
    h->stretch = first_stretch(h);
    return NIGH_OK;
}

void hamming_bounded_free(nigh_hamming *h)
{
    if (h->pieces) {
        nigh_free(h->ctx, h->pieces->hash);
        nigh_free(h->ctx, h->pieces->first);
        nigh_free(h->ctx, h->pieces->next);
    }
    nigh_free(h->ctx, h->pieces);
    nigh_free(h->ctx, h->power);
    nigh_free(h->ctx, h->prefix);
    h->pieces = NULL;
    h->power = h->prefix = NULL;
}
