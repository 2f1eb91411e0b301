/*
 * Groups of supernodes whose neighbourhoods are alike. Declared in reduce/ssumm.h.
 *
 * The min-hash of a node is the smallest number that a random permutation gives to it or a neighbour, that of a supernode the smallest of its
 * nodes. Two supernodes agree with the chance of the Jaccard similarity of their closed neighbourhoods. Groups that are too large are split by the next
 * permutation. A permutation of all u32 is a bijective mixing of its bits: nothing is stored.
 */
#include "reduce/ssumm.h"

#include "nigh/random.h"

#include <string.h>

nigh_status ssumm_groups_new(nigh_context *ctx, int64_t nodes, ssumm_groups *out)
{
    ssumm_groups g = {0};
    g.order = nigh_alloc(ctx, (size_t)nodes * sizeof *g.order);
    g.end = g.order ? nigh_alloc(ctx, (size_t)nodes * sizeof *g.end) : NULL;
    g.value = g.end ? nigh_alloc(ctx, (size_t)nodes * sizeof *g.value) : NULL;
    g.sorted = g.value ? nigh_alloc(ctx, (size_t)nodes * sizeof *g.sorted) : NULL;
    g.cut = g.sorted ? nigh_alloc(ctx, (size_t)nodes) : NULL;
    g.swap = g.cut ? nigh_alloc(ctx, (size_t)nodes * sizeof *g.swap) : NULL;
    if (!g.swap) {
        ssumm_groups_free(ctx, &g);
        return NIGH_MEMORY;
    }
    *out = g;
    return NIGH_OK;
}

void ssumm_groups_free(nigh_context *ctx, ssumm_groups *g)
{
    nigh_free(ctx, g->order);
    nigh_free(ctx, g->end);
    nigh_free(ctx, g->value);
    nigh_free(ctx, g->sorted);
    nigh_free(ctx, g->cut);
    nigh_free(ctx, g->swap);
    *g = (ssumm_groups){0};
}

/* ---- sorting ------------------------------------------------------------------------------------------------ */

static void insertion_sort(int64_t n, uint64_t *keys)
{
    for (int64_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        int64_t at = i;
        for (; at > 0 && keys[at - 1] >> 32 > key >> 32; at--) keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

void ssumm_sort(int64_t n, uint64_t *keys, uint64_t *swap)
{
    enum { FEW = 48, DIGITS = 11, BINS = 1 << DIGITS };
    if (n < FEW) {
        insertion_sort(n, keys);
        return;
    }
    for (int shift = 32; shift < 64; shift += DIGITS) {
        int64_t begin[BINS] = {0}, at = 0;
        for (int64_t i = 0; i < n; i++) begin[keys[i] >> shift & (BINS - 1)]++;
        for (int b = 0; b < BINS; b++) {
            int64_t count = begin[b];
            begin[b] = at;
            at += count;
        }
        for (int64_t i = 0; i < n; i++) swap[begin[keys[i] >> shift & (BINS - 1)]++] = keys[i];
        memcpy(keys, swap, (size_t)n * sizeof *keys);
    }
}

/* ---- hashing ------------------------------------------------------------------------------------------------ */

typedef struct permutation {
    uint32_t first, second;
} permutation;

/* The finaliser of MurmurHash3 between two keys: every step is a bijection. */
static inline uint32_t permuted(permutation p, uint32_t x)
{
    x ^= p.first;
    x = (x ^ (x >> 16)) * 0x85ebca6bu;
    x += p.second;
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

static uint32_t smallest(const nigh_graph *g, permutation p, int64_t v)
{
    uint32_t least = permuted(p, (uint32_t)v);
    const uint32_t *u = g->neighbour + g->start[v], *end = g->neighbour + g->start[v + 1];
    for (; u < end; u++) {
        uint32_t x = permuted(p, *u);
        least = x < least ? x : least;
    }
    return least;
}

/* value[] of the supernodes that are marked in their cell's stamp: the smallest of their nodes. */
static void hash_all(ssumm *s, permutation p, uint32_t *value)
{
    memset(value, 0xff, (size_t)s->nodes * sizeof *value);
    for (int64_t v = 0; v < s->nodes; v++) {
        uint32_t root = ssumm_find(s, (uint32_t)v);
        if (s->cell[root].stamp != s->stamp) continue;
        uint32_t x = smallest(s->graph, p, v);
        if (x < value[root]) value[root] = x;
    }
}

/* ---- groups ------------------------------------------------------------------------------------------------- */

static int64_t segment_end(const ssumm_groups *g, int64_t begin, int64_t n)
{
    int64_t end = begin + 1;
    while (end < n && !g->cut[end]) end++;
    return end;
}

static void split(ssumm_groups *g, int64_t begin, int64_t end)
{
    int64_t n = end - begin;
    for (int64_t i = 0; i < n; i++) g->sorted[i] = (uint64_t)g->value[g->order[begin + i]] << 32 | g->order[begin + i];
    ssumm_sort(n, g->sorted, g->swap);
    for (int64_t i = 0; i < n; i++) {
        g->order[begin + i] = (uint32_t)g->sorted[i];
        if (i && g->sorted[i] >> 32 != g->sorted[i - 1] >> 32) g->cut[begin + i] = 1;
    }
}

/* Marks supernodes in segments that are too large; how many. */
static int64_t mark_large(ssumm *s, const ssumm_groups *g, int64_t n, int most)
{
    int64_t large = 0;
    ssumm_next_stamp(s);
    for (int64_t begin = 0; begin < n;) {
        int64_t end = segment_end(g, begin, n);
        for (int64_t i = begin; i < end && end - begin > most; i++, large++) s->cell[g->order[i]].stamp = s->stamp;
        begin = end;
    }
    return large;
}

/* Segments of two and more move to the front as groups; those that no permutation split are cut. */
static void gather(ssumm_groups *g, int64_t n, int most)
{
    int64_t kept = 0;
    g->count = 0;
    for (int64_t begin = 0; begin < n;) {
        int64_t end = segment_end(g, begin, n);
        if (end - begin > most) end = begin + most;
        int64_t size = end - begin;
        if (size > 1) {
            memmove(g->order + kept, g->order + begin, (size_t)size * sizeof *g->order);
            kept += size;
            g->end[g->count++] = kept;
        }
        begin = end;
    }
}

nigh_status ssumm_group(ssumm *s, int hashes, int most, uint64_t seed, ssumm_groups *g)
{
    int64_t n = 0;
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t v = 0; v < s->nodes; v++)
        if (s->cell[v].parent == v) g->order[n++] = (uint32_t)v;
    memset(g->cut, 0, (size_t)n);
    for (int level = 0; level < hashes && mark_large(s, g, n, most); level++) {
        nigh_status status = nigh_poll(s->ctx);
        if (status) return status;
        permutation p = {nigh_rng_u32(&rng), nigh_rng_u32(&rng)};
        hash_all(s, p, g->value);
        for (int64_t begin = 0; begin < n;) {
            int64_t end = segment_end(g, begin, n);
            if (end - begin > most) split(g, begin, end);
            begin = end;
        }
    }
    gather(g, n, most);
    return NIGH_OK;
}
