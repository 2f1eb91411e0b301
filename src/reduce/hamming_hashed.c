/*
 * Symbols hashed to b = 2 / error, exact distances of what comes out, the largest of R rounds (Kopelowitz and Porat, "A simple algorithm for approximating
 * the text-to-pattern Hamming distance"). Hashing only loses mismatches, on average H / b: a round loses more than error H with a chance of
 * at most 1/2, all of R = log2(n / delta) with delta / n. Symbols that the pattern lacks match nothing and are not hashed.
 */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 1 << 22 };

struct hamming_hashed {
    int64_t buckets, rounds;
    nigh_hamming_options inner; /* variant and settings found in the first round */
};

nigh_status hamming_hashed_new(nigh_hamming *h)
{
    hamming_hashed *x = nigh_alloc_zero(h->ctx, 1, sizeof *x);
    if (!x) return NIGH_MEMORY;
    x->buckets = (int64_t)ceil(2 / h->options.error);
    x->rounds = (int64_t)fmax(1, ceil(log2((double)h->report.shifts / h->options.delta)));
    x->inner = nigh_hamming_options_default();
    x->inner.memory = h->options.memory;
    h->hashed = x;
    h->report.rounds = x->rounds;
    h->report.error = h->options.error;
    h->report.delta = h->options.delta;
    return NIGH_OK;
}

void hamming_hashed_free(nigh_hamming *h)
{
    nigh_free(h->ctx, h->hashed);
    h->hashed = NULL;
}

/* ranks -> buckets, in place where both are as wide; `none` -> buckets. */
static void put_buckets(const nigh_hamming *h, const uint16_t *bucket, int64_t count, const char *ranks, bool wide, void *out)
{
    int width = h->ranks.width;
    for (int64_t i = 0; i < count; i++) {
        uint32_t rank = width == 1 ? ((const uint8_t *)ranks)[i] : width == 2 ? ((const uint16_t *)ranks)[i] : ((const uint32_t *)ranks)[i];
        if (wide) ((uint16_t *)out)[i] = bucket[rank];
        else ((uint8_t *)out)[i] = (uint8_t)bucket[rank];
    }
}

static void draw_buckets(const nigh_hamming *h, int64_t round, uint16_t *bucket)
{
    nigh_rng rng = nigh_rng_new(nigh_context_seed(h->ctx), 0x68617368 + (uint64_t)round);
    for (int64_t a = 0; a <= h->ranks.symbols; a++) {
        uint16_t drawn = (uint16_t)nigh_rng_below(&rng, (uint64_t)h->hashed->buckets);
        bool known = a < h->ranks.symbols && h->ranks.in_pattern[a] > 0;
        bucket[a] = known ? drawn : (uint16_t)h->hashed->buckets;
    }
}

typedef struct room {
    char *ranks, *text, *pattern;
    uint16_t *bucket;
    uint32_t *out;
} room;

static nigh_status one_round(nigh_hamming *h, int64_t round, int64_t count, const room *r, uint32_t *out)
{
    hamming_hashed *x = h->hashed;
    bool wide = x->buckets > 255;
    nigh_hamming_report report;
    draw_buckets(h, round, r->bucket);
    put_buckets(h, r->bucket, count + h->m - 1, r->ranks, wide, r->text);
    put_buckets(h, r->bucket, h->m, h->ranks.pattern, wide, r->pattern);
    nigh_symbols text = {wide ? NIGH_U16 : NIGH_U8, count + h->m - 1, r->text}, pattern = {text.dtype, h->m, r->pattern};
    nigh_status status = nigh_hamming_distances(h->ctx, &text, &pattern, &x->inner, r->out, &report);
    if (status) return status;
    x->inner.variant = report.variant;
    if (round == 0) memcpy(out, r->out, (size_t)count * sizeof *out);
    for (int64_t i = 0; i < count && round; i++)
        if (r->out[i] > out[i]) out[i] = r->out[i];
    return NIGH_OK;
}

nigh_status hamming_hashed_run(nigh_hamming *h, int64_t from, int64_t count, uint32_t *out)
{
    int64_t chunk = 8 * h->m > CHUNK ? 8 * h->m : CHUNK;
    if (chunk > count) chunk = count;
    size_t window = (size_t)(chunk + h->m - 1);
    room r = {nigh_alloc(h->ctx, window * (size_t)h->ranks.width), nigh_alloc(h->ctx, 2 * window), nigh_alloc(h->ctx, 2 * (size_t)h->m),
              nigh_alloc(h->ctx, ((size_t)h->ranks.symbols + 1) * sizeof(uint16_t)), nigh_alloc(h->ctx, (size_t)chunk * sizeof(uint32_t))};
    nigh_status status = r.ranks && r.text && r.pattern && r.bucket && r.out ? NIGH_OK : NIGH_MEMORY;
    for (int64_t done = 0; done < count && !status; done += chunk) {
        int64_t some = count - done < chunk ? count - done : chunk;
        hamming_map(&h->ranks, &h->text, from + done, some + h->m - 1, r.ranks);
        for (int64_t round = 0; round < h->hashed->rounds && !status; round++) status = one_round(h, round, some, &r, out + done);
    }
    nigh_free(h->ctx, r.ranks);
    nigh_free(h->ctx, r.text);
    nigh_free(h->ctx, r.pattern);
    nigh_free(h->ctx, r.bucket);
    nigh_free(h->ctx, r.out);
    return status;
}
