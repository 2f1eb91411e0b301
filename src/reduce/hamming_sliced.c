/*
 * Direct counting on bit vectors: [T = a] for each symbol a of the pattern, 512 shifts in a vector. The vector for P[j] = a begins at bit j of that of a: at a byte
 * of one of eight copies that are shifted by 0 .. 7 bits. Tiles of shifts and of the pattern keep the vectors in the nearest caches.
 */
#include "reduce/hamming_inside.h"

#include <string.h>

enum { SHIFTS = 8192, STEPS = 4096, WINDOW = SHIFTS + STEPS + 64, STRIDE = WINDOW / 64 + 9, MOST_SYMBOLS = 64 };

struct hamming_slices {
    int64_t symbols;
    uint8_t symbol[256];
    int32_t *at; /* for each symbol of the pattern its vector's byte, STEPS by STEPS, ascending; filled up to a multiple of 16 with a vector of zeros */
};

bool hamming_sliced_serves(const nigh_hamming *h)
{
    return h->ranks.width == 1 && h->ranks.distinct <= MOST_SYMBOLS;
}

/* Steps of one tile in order of symbol and shift: a line of the nearest cache then serves all the vectors that touch it before the next one is read. */
static void order_steps(const hamming_slices *x, const uint8_t *p, const int *index, int64_t count, int32_t *at)
{
    int32_t place[8 * MOST_SYMBOLS + 1] = {0};
    for (int64_t j = 0; j < count; j++) place[index[p[j]] * 8 + j % 8 + 1]++;
    for (int64_t i = 0; i < x->symbols * 8; i++) place[i + 1] += place[i];
    for (int64_t j = 0; j < count; j++) {
        int64_t copy = index[p[j]] * 8 + j % 8;
        at[place[copy]++] = (int32_t)(copy * STRIDE * 8 + j / 8);
    }
}

nigh_status hamming_sliced_new(nigh_hamming *h)
{
    if (!hamming_sliced_serves(h))
        return nigh_fail(h->ctx, NIGH_UNSUPPORTED, "hamming: variant sliced: the pattern has %lld symbols; at most %d are allowed", (long long)h->ranks.distinct, MOST_SYMBOLS);
    hamming_slices *x = nigh_alloc_zero(h->ctx, 1, sizeof *x);
    if (!x) return NIGH_MEMORY;
    h->slices = x;
    int index[256] = {0};
    for (int64_t a = 0; a < h->ranks.symbols; a++)
        if (h->ranks.in_pattern[a]) index[a] = (int)x->symbols, x->symbol[x->symbols++] = (uint8_t)a;
    int64_t count = (h->m + 15) / 16 * 16, zeros = x->symbols * 8 * STRIDE * 8;
    x->at = nigh_alloc(h->ctx, (size_t)count * sizeof *x->at);
    if (!x->at) return NIGH_MEMORY;
    for (int64_t j = h->m; j < count; j++) x->at[j] = (int32_t)zeros;
    for (int64_t j = 0; j < h->m; j += STEPS) order_steps(x, (const uint8_t *)h->ranks.pattern + j, index, h->m - j < STEPS ? h->m - j : STEPS, x->at + j);
    return NIGH_OK;
}

void hamming_sliced_free(nigh_hamming *h)
{
    if (h->slices) nigh_free(h->ctx, h->slices->at);
    nigh_free(h->ctx, h->slices);
    h->slices = NULL;
}

/* Vectors, one of zeros, matches and text at the end of a stretch. */
size_t hamming_sliced_bytes(const nigh_hamming *h)
{
    return (size_t)(h->slices->symbols * 8 + 1) * STRIDE * 8 + SHIFTS * sizeof(uint32_t) + WINDOW + 128;
}

static void one_tile(const hamming_part *part, int64_t from, int64_t count, uint64_t *copies, uint32_t *matches, uint8_t *window)
{
    const nigh_hamming *h = part->h;
    const hamming_slices *x = h->slices;
    int64_t length = part->count + h->m - 1;
    memset(matches, 0, SHIFTS * sizeof *matches);
    for (int64_t j = 0; j < h->m; j += STEPS) {
        int64_t steps = h->m - j < STEPS ? (h->m - j + 15) / 16 * 16 : STEPS, begin = from + j, there = length - begin;
        const uint8_t *t = (const uint8_t *)part->t + begin;
        int64_t wanted = ((count + 511) / 512 * 512 + steps + 63) / 64 * 64;
        if (there < wanted) { /* what lies beyond the text is only counted for shifts that nobody asks for */
            memcpy(window, t, (size_t)there);
            memset(window + there, 0, (size_t)(wanted - there));
            t = window;
        }
        for (int64_t s = 0; s < x->symbols; s++) h->kernels->slice_bits(t, wanted, x->symbol[s], copies + s * 8 * STRIDE, STRIDE);
        for (int64_t i = 0; i < count; i += HAMMING_SLICE)
            h->kernels->slice_count((const uint8_t *)copies + i / 8, x->at + j, steps, matches + i);
    }
    for (int64_t i = 0; i < count; i++) part->out[from + i] += matches[i];
}

void hamming_sliced(hamming_part *part)
{
    const hamming_slices *x = part->h->slices;
    uint64_t *copies = (uint64_t *)(void *)part->workspace, *zeros = copies + x->symbols * 8 * STRIDE;
    uint32_t *matches = (uint32_t *)(void *)(zeros + STRIDE);
    uint8_t *window = (uint8_t *)(matches + SHIFTS);
    memset(zeros, 0, STRIDE * 8);
    for (int64_t i = 0; i < part->count; i += SHIFTS) one_tile(part, i, part->count - i < SHIFTS ? part->count - i : SHIFTS, copies, matches, window);
}
