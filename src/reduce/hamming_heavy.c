/*
 * Direct counting, and heavy and light symbols: frequent ones by transforms, each occurrence of the others alone (Abrahamson, "Generalized string matching").
 * A text symbol a at x matches P[j] = a for the shift x - j, so every occurrence j of a adds 1 there: the adds are as many as there are matches.
 */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <string.h>

enum { TILE = 1 << 17, WIDE = 1 << 18 };

void hamming_direct(const nigh_hamming *h, const char *t, int64_t count, uint32_t *matches)
{
    h->kernels->compare[hamming_level(h->ranks.width)].many(t, count, NULL, h->ranks.pattern, h->m, matches);
}

static uint32_t symbol_at(const void *t, int width, int64_t i)
{
    return width == 1 ? ((const uint8_t *)t)[i] : width == 2 ? ((const uint16_t *)t)[i] : ((const uint32_t *)t)[i];
}

/* Occurrences of all symbols that are not in heavy[], sorted by symbol. */
static nigh_status list_light(nigh_hamming *h, int64_t heavy)
{
    int64_t symbols = h->ranks.symbols;
    h->start = nigh_alloc_zero(h->ctx, (size_t)symbols + 2, sizeof *h->start);
    bool *is_heavy = nigh_alloc_zero(h->ctx, (size_t)symbols + 1, sizeof *is_heavy);
    nigh_status status = h->start && is_heavy ? NIGH_OK : NIGH_MEMORY;
    h->light = 0;
    if (!status) {
        for (int64_t s = 0; s < heavy; s++) is_heavy[h->heavy[s]] = true;
        for (int64_t a = 0; a < symbols; a++) {
            h->start[a] = h->light;
            if (!is_heavy[a]) h->light += h->ranks.in_pattern[a];
        }
        h->start[symbols] = h->start[symbols + 1] = h->light;
        h->place = nigh_alloc(h->ctx, (size_t)(h->light + 1) * sizeof *h->place);
        if (!h->place) status = NIGH_MEMORY;
    }
    for (int64_t j = 0; j < h->m && !status && h->light; j++) {
        uint32_t a = symbol_at(h->ranks.pattern, h->ranks.width, j);
        if (!is_heavy[a]) h->place[h->start[a]++] = (int32_t)j;
    }
    if (!status && h->light) { /* starts have moved to the ends */
        for (int64_t a = symbols; a > 0; a--) h->start[a] = h->start[a - 1];
        h->start[0] = 0;
    }
    nigh_free(h->ctx, is_heavy);
    return status;
}

nigh_status hamming_heavy_new(nigh_hamming *h, const hamming_setting *setting)
{
    nigh_status status = list_light(h, setting->heavy);
    h->report.heavy = setting->heavy;
    h->report.block = setting->heavy ? setting->block : 0;
    h->report.bits = setting->heavy ? setting->bits : 0;
    if (!status && setting->heavy) status = hamming_engine_new(h, setting->bits, setting->block, setting->heavy, h->heavy, setting->rest, &h->engine);
    return status;
}

void hamming_heavy_free(nigh_hamming *h)
{
    hamming_engine_free(h->ctx, &h->engine);
    hamming_engine_free(h->ctx, &h->second);
    nigh_free(h->ctx, h->start);
    nigh_free(h->ctx, h->place);
    h->start = NULL;
    h->place = NULL;
}

size_t hamming_heavy_bytes(const nigh_hamming *h)
{
    size_t a = h->engine.symbols ? hamming_engine_bytes(&h->engine) : 0, b = h->second.symbols ? hamming_engine_bytes(&h->second) : 0;
    return a > b ? a : b;
}

/* First of place[from .. to) that is at least j. */
static int64_t lower(const int32_t *place, int64_t from, int64_t to, int64_t j)
{
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (place[middle] < j) from = middle + 1;
        else to = middle;
    }
    return from;
}

static void light(const nigh_hamming *h, const char *t, int64_t count, uint32_t *matches)
{
    int64_t length = count + h->m - 1;
    for (int64_t x = 0; x < length; x++) {
        uint32_t a = symbol_at(t, h->ranks.width, x);
        int64_t from = h->start[a], to = h->start[a + 1];
        if (from == to) continue;
        if (x >= count) from = lower(h->place, from, to, x - count + 1);
        if (x < h->m - 1) to = lower(h->place, from, to, x + 1);
        h->kernels->scatter(h->place + from, to - from, matches + x);
    }
}

void hamming_heavy(hamming_part *part)
{
    const nigh_hamming *h = part->h;
    int width = h->ranks.width;
    const hamming_engine *e = h->second.symbols ? &h->second : h->engine.symbols ? &h->engine : NULL;
    if (e)
        for (int64_t done = 0; done < part->count; done += 2 * e->outs) {
            int64_t some = part->count - done < 2 * e->outs ? part->count - done : 2 * e->outs;
            double off = hamming_engine_run(h, e, part->t + done * width, some, part->workspace, part->out + done);
            if (!(off <= part->rounding)) part->rounding = off;
        }
    if (h->light) {
        int64_t tile = h->m > WIDE && h->light > 64 * h->ranks.distinct ? TILE : part->count;
        for (int64_t done = 0; done < part->count; done += tile)
            light(h, part->t + done * width, part->count - done < tile ? part->count - done : tile, part->out + done);
    }
}
