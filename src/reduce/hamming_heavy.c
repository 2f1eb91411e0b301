/*
 * Direct counting, and heavy and light symbols: frequent ones by transforms, each occurrence of the others alone (Abrahamson, "Generalized string matching").
 * A text symbol a at x matches P[j] = a for the shift x - j, so every occurrence j of a adds 1 there: the adds are as many as there are matches.
 */
#include "reduce/hamming_inside.h"

#include <math.h>
#include <string.h>

/* Symbols of text and pattern whose counters of 16 bits fit the nearest cache; symbols of text for wide counters; additions that pay for a list. */
enum { TILE = 4096, STRETCH = 14336, WIDE_TILE = 16384, LIST = 32 };

void hamming_direct(const nigh_hamming *h, const char *t, int64_t count, uint32_t *matches)
{
    h->kernels->compare[hamming_level(h->ranks.width)].many(t, count, NULL, h->ranks.pattern, h->m, matches);
}

static uint32_t symbol_at(const void *t, int width, int64_t i)
{
    return width == 1 ? ((const uint8_t *)t)[i] : width == 2 ? ((const uint16_t *)t)[i] : ((const uint32_t *)t)[i];
}

/* The pattern is cut so that the counters that one stretch of it reaches stay in the nearest cache, if its lists are long enough then. */
static int64_t cuts(const nigh_hamming *h, const bool *is_heavy)
{
    double adds = 0;
    for (int64_t a = 0; a < h->ranks.symbols; a++)
        if (!is_heavy[a]) adds += (double)h->ranks.in_text[a] / (double)h->text.count * (double)h->ranks.in_pattern[a];
    int64_t most = (h->m + STRETCH - 1) / STRETCH, some = (int64_t)(adds / LIST);
    return some < 1 ? 1 : some < most ? some : most;
}

/* Occurrences of all symbols that are not in heavy[], sorted by stretch of the pattern, symbol and place. */
static nigh_status list_light(nigh_hamming *h, int64_t heavy)
{
    int64_t symbols = h->ranks.symbols, row = symbols + 2;
    bool *is_heavy = nigh_alloc_zero(h->ctx, (size_t)row, sizeof *is_heavy);
    if (!is_heavy) return NIGH_MEMORY;
    for (int64_t s = 0; s < heavy; s++) is_heavy[h->heavy[s]] = true;
    h->light = h->m;
    for (int64_t s = 0; s < heavy; s++) h->light -= h->ranks.in_pattern[h->heavy[s]];
    h->cuts = cuts(h, is_heavy);
    h->cut = (h->m + h->cuts - 1) / h->cuts;
    h->start = nigh_alloc_zero(h->ctx, (size_t)(h->cuts * row + 1), sizeof *h->start);
    h->place = nigh_alloc(h->ctx, (size_t)(h->light + 1) * sizeof *h->place);
    bool narrow = h->cut <= HAMMING_SHORT;
    h->back = narrow ? nigh_alloc(h->ctx, (size_t)(h->light + 1) * sizeof *h->back) : NULL;
    nigh_status status = h->start && h->place && (h->back || !narrow) ? NIGH_OK : NIGH_MEMORY;
    if (!status && h->light) { /* counts one place on, their sums, then places move the starts to where they belong */
        for (int64_t j = 0; j < h->m; j++) {
            uint32_t a = symbol_at(h->ranks.pattern, h->ranks.width, j);
            if (!is_heavy[a]) h->start[j / h->cut * row + a + 2]++;
        }
        for (int64_t i = 1; i < h->cuts * row; i++) h->start[i] += h->start[i - 1];
        for (int64_t j = 0; j < h->m; j++) {
            uint32_t a = symbol_at(h->ranks.pattern, h->ranks.width, j);
            if (!is_heavy[a]) h->place[h->start[j / h->cut * row + a + 1]++] = (int32_t)j;
        }
        for (int64_t l = 0; l < h->light && narrow; l++) h->back[l] = (uint16_t)(h->cut - 1 - h->place[l] % h->cut);
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
    nigh_free(h->ctx, h->back);
    h->back = NULL;
    h->start = NULL;
    h->place = NULL;
}

size_t hamming_heavy_bytes(const nigh_hamming *h)
{
    size_t a = h->engine.symbols ? hamming_engine_bytes(&h->engine) : 0, b = h->second.symbols ? hamming_engine_bytes(&h->second) : 0;
    size_t counts = h->back ? (size_t)(TILE + h->cut) * sizeof *h->back : 0, most = a > b ? a : b;
    return most > counts ? most : counts;
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

/* n symbols of text from x on against one stretch of the pattern, where not all shifts are asked for. */
static void light_edge(const nigh_hamming *h, const char *t, int64_t x, int64_t n, const int32_t *start, int64_t count, uint32_t *matches)
{
    for (int64_t end = x + n; x < end; x++) {
        uint32_t a = symbol_at(t, h->ranks.width, x);
        int64_t from = lower(h->place, start[a], start[a + 1], x - count + 1), to = lower(h->place, from, start[a + 1], x + 1);
        for (; from < to; from++) matches[x - h->place[from]]++;
    }
}

static void light_wide(const nigh_hamming *h, const char *t, int64_t count, uint32_t *matches)
{
    int width = h->ranks.width;
    int64_t length = count + h->m - 1;
    for (int64_t x = 0; x < length; x += WIDE_TILE)
        for (int64_t c = 0; c < h->cuts; c++) {
            const int32_t *start = h->start + c * (h->ranks.symbols + 2);
            int64_t n = length - x < WIDE_TILE ? length - x : WIDE_TILE, end = (c + 1) * h->cut < h->m ? (c + 1) * h->cut : h->m;
            int64_t least = x - end + 1, most = x + n - 1 - c * h->cut;
            if (most < 0 || least >= count) continue;
            if (least >= 0 && most < count) h->kernels->compare[hamming_level(width)].scatter(t + x * width, n, start, h->place, matches + x);
            else light_edge(h, t, x, n, start, count, matches);
        }
}

/* The same by counters of 16 bits, of all shifts that a tile reaches: each of its symbols adds at most 1 to a counter. */
static void light_narrow(const nigh_hamming *h, const char *t, int64_t count, uint16_t *counts, uint32_t *matches)
{
    int width = h->ranks.width;
    int64_t length = count + h->m - 1;
    for (int64_t x = 0; x < length; x += TILE)
        for (int64_t c = 0; c < h->cuts; c++) {
            int64_t n = length - x < TILE ? length - x : TILE, least = x - (c + 1) * h->cut + 1, most = x + n - 1 - c * h->cut;
            int64_t from = least < 0 ? 0 : least, to = most < count ? most + 1 : count;
            if (from >= to) continue;
            memset(counts, 0, (size_t)(n + h->cut) * sizeof *counts);
            h->kernels->compare[hamming_level(width)].tally(t + x * width, n, h->start + c * (h->ranks.symbols + 2), h->back, counts);
            h->kernels->widen(counts + (from - least), to - from, matches + from);
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
    if (h->light && h->back) light_narrow(h, part->t, part->count, (uint16_t *)(void *)part->workspace, part->out);
    else if (h->light) light_wide(h, part->t, part->count, part->out);
}
