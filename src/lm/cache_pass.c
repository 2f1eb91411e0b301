/* One pass over rows of many sequences: positions, pages to write to, tiles of rows; and what becomes of its drafts. Declared in lm/cache.h. */
#include "lm/cache_inside.h"

#include <string.h>

enum { SPLIT_ITEMS = 64 }; /* passes of fewer items (tile, kv head) may be cut into chunks as well */
static const size_t partial_most = (size_t)1 << 26; /* bytes of results of chunks */

/* ---- what the rows are ---- */

static nigh_status grow(cache_pages *p, void *block, int64_t count, size_t size)
{
    void *more = nigh_alloc(p->ctx, (size_t)count * size);
    if (!more) return NIGH_MEMORY;
    nigh_free(p->ctx, *(void **)block);
    memcpy(block, &more, sizeof more);
    return NIGH_OK;
}

static nigh_status make_room(cache_pages *p, int64_t count)
{
    if (count <= p->rows_room) return NIGH_OK;
    int64_t room = count < 64 ? 64 : count;
    p->rows_room = 0;
    nigh_status status = grow(p, &p->row, room, sizeof *p->row);
    if (!status) status = grow(p, &p->position, room, sizeof *p->position);
    if (!status) status = grow(p, &p->order, room, sizeof *p->order);
    if (!status) status = grow(p, &p->touched, room, sizeof *p->touched);
    if (!status) status = grow(p, &p->tile, room, sizeof *p->tile);
    if (!status) p->rows_room = room;
    return status;
}

static nigh_status read_row(cache_pages *p, const nigh_lm_row *rows, int64_t t)
{
    sequence *s = NULL;
    const nigh_lm_row *row = &rows[t];
    nigh_status status = cache_find(p, row->sequence, &s);
    if (status) return nigh_within(p->ctx, status, "row %lld", (long long)t);
    if (row->parent < -1 || row->parent >= t) return nigh_fail(p->ctx, NIGH_INVALID, "row %lld: parent is %d; -1 or an earlier row is allowed", (long long)t, row->parent);
    if (row->parent >= 0 && rows[row->parent].sequence != row->sequence)
        return nigh_fail(p->ctx, NIGH_INVALID, "row %lld: parent %d is of sequence %d, the row of %d", (long long)t, row->parent, rows[row->parent].sequence, row->sequence);
    if (s->touch < 0) {
        s->touch = p->touches;
        p->touched[p->touches++] = (touch){.sequence = row->sequence, .chain = true, .last = -1};
    }
    touch *of = &p->touched[s->touch];
    of->chain = of->chain && row->parent == of->last;
    of->last = t;
    of->rows++;
    p->position[t] = row->parent < 0 ? s->length : p->position[row->parent] + 1;
    int32_t run = row->parent >= 0 && row->parent == t - 1 ? p->row[t - 1].run : (int32_t)t;
    p->row[t] = (pass_row){row->sequence, row->parent, run, p->position[t], false};
    return NIGH_OK;
}

static void forget_touches(cache_pages *p)
{
    for (int64_t i = 0; i < p->touches; i++) p->sequences[p->touched[i].sequence].touch = -1;
    p->touches = 0;
}

/* ---- pages for them ---- */

typedef struct demand {
    int64_t kept, scratch, scratch_raw;
} demand;

static bool draft_needs_raw(const cache_pages *p, int64_t t)
{
    const sequence *s = &p->sequences[p->row[t].sequence];
    return p->row[t].draft && s->limit > 0 && p->row[t].position < s->sinks;
}

static demand count_pages(cache_pages *p, int64_t count, bool drafts)
{
    demand need = {0};
    bool scratch = false, raw = false;
    for (int64_t i = 0; i < p->touches; i++) {
        touch *of = &p->touched[i];
        const sequence *s = &p->sequences[of->sequence];
        of->draft = drafts || !of->chain;
        if (of->draft) scratch = true;
        else need.kept += cache_need(p, s, s->length, s->length + of->rows);
    }
    for (int64_t t = 0; scratch && t < count; t++) {
        p->row[t].draft = p->touched[p->sequences[p->row[t].sequence].touch].draft;
        raw = raw || draft_needs_raw(p, t);
    }
    int64_t pages = (count + CACHE_PAGE - 1) / CACHE_PAGE;
    if (scratch && pages > p->scratches) need.scratch = pages - p->scratches;
    if (raw && pages > p->scratch_raws) need.scratch_raw = pages - p->scratch_raws;
    return need;
}

static nigh_status reserve_scratch(cache_pages *p, int64_t pages)
{
    if (pages <= p->scratch_room) return NIGH_OK;
    page **lists[2];
    for (int i = 0; i < 2; i++) {
        page **old = i ? p->scratch_raw : p->scratch;
        int64_t held = i ? p->scratch_raws : p->scratches;
        lists[i] = nigh_alloc(p->ctx, (size_t)pages * sizeof **lists);
        if (!lists[i]) {
            if (i) nigh_free(p->ctx, lists[0]);
            return NIGH_MEMORY;
        }
        if (held) memcpy(lists[i], old, (size_t)held * sizeof *old);
    }
    nigh_free(p->ctx, p->scratch);
    nigh_free(p->ctx, p->scratch_raw);
    p->scratch = lists[0];
    p->scratch_raw = lists[1];
    p->scratch_room = pages;
    return NIGH_OK;
}

static nigh_status reserve(cache_pages *p, int64_t count, demand need)
{
    nigh_status status = reserve_scratch(p, (count + CACHE_PAGE - 1) / CACHE_PAGE);
    for (int64_t i = 0; !status && i < p->touches; i++) {
        sequence *s = &p->sequences[p->touched[i].sequence];
        if (!p->touched[i].draft) status = cache_reserve_table(p, s, s->length + p->touched[i].rows);
    }
    return status ? status : cache_reserve(p, need.kept, need.scratch + need.scratch_raw);
}

static void take(cache_pages *p, demand need)
{
    for (int64_t i = 0; i < need.scratch; i++) p->scratch[p->scratches++] = cache_page_new(p, false);
    for (int64_t i = 0; i < need.scratch_raw; i++) p->scratch_raw[p->scratch_raws++] = cache_page_new(p, false);
    for (int64_t i = 0; i < p->touches; i++) {
        touch *of = &p->touched[i];
        sequence *s = &p->sequences[of->sequence];
        s->drafts = of->draft;
        if (of->draft) continue;
        cache_take(p, s, s->length, s->length + of->rows);
        s->high = s->length + of->rows;
    }
}

/* ---- tiles ---- */

static void make_order(cache_pages *p, int64_t count)
{
    int64_t first = 0;
    for (int64_t i = 0; i < p->touches; first += p->touched[i++].rows) p->touched[i].first = p->touched[i].last = first;
    for (int64_t t = 0; t < count; t++) p->order[p->touched[p->sequences[p->row[t].sequence].touch].last++] = (int32_t)t;
}

static void make_tiles(cache_pages *p)
{
    int64_t most = cache_tile_rows(p);
    p->tiles = 0;
    for (int64_t i = 0; i < p->touches; i++)
        for (int64_t at = 0; at < p->touched[i].rows; at += most) {
            int64_t left = p->touched[i].rows - at;
            tile *of = &p->tile[p->tiles++];
            *of = (tile){p->touched[i].first + at, left < most ? left : most, INT64_MAX, 0};
            for (int64_t k = of->first; k < of->first + of->rows; k++) {
                int64_t position = p->position[p->order[k]];
                if (of->low > position) of->low = position;
                if (of->high < position) of->high = position;
            }
        }
}

/* Room for results of chunks, where there are several, and few tiles. */
static nigh_status make_partial(cache_pages *p)
{
    int64_t items = p->tiles * p->shape.kv_heads * cache_head_groups(p), chunks = 1;
    p->partial_chunks = 0;
    for (int64_t i = 0; i < p->tiles; i++) {
        const tile *of = &p->tile[i];
        const sequence *s = &p->sequences[p->row[p->order[of->first]].sequence];
        int64_t back = s->window > p->widest ? s->window : p->widest;
        int64_t low = cache_streams(s) && of->low >= back ? of->low - back + 1 : 0;
        int64_t n = of->high / CACHE_CHUNK - low / CACHE_CHUNK + 1 + (s->sinks + CACHE_CHUNK - 1) / CACHE_CHUNK;
        if (chunks < n) chunks = n;
    }
    if (chunks == 1) return NIGH_OK;
    size_t floats = (size_t)(items * chunks) * CACHE_ROWS * (size_t)cache_result(p);
    if (items >= SPLIT_ITEMS || floats > partial_most / sizeof(float)) return NIGH_OK;
    if (floats > p->partial_room) {
        p->partial_room = 0;
        nigh_status status = grow(p, &p->partial, (int64_t)floats, sizeof(float));
        if (status) return status;
        p->partial_room = floats;
    }
    p->partial_chunks = chunks;
    return NIGH_OK;
}

nigh_status cache_begin(cache_pages *p, const nigh_lm_row *rows, int64_t count, bool drafts, const int64_t **positions, bool *streams)
{
    if (p->open) cache_end(p, false);
    if (count < 1 || count > CACHE_PASS) return nigh_fail(p->ctx, NIGH_INVALID, "a pass of %lld rows; 1 to %d are allowed", (long long)count, CACHE_PASS);
    for (int i = 0; i < p->sequence_room; i++) p->sequences[i].drafts = false;
    p->touches = p->tiles = p->rows = 0;
    nigh_status status = make_room(p, count);
    for (int64_t t = 0; !status && t < count; t++) status = read_row(p, rows, t);
    if (!status) {
        demand need = count_pages(p, count, drafts);
        make_order(p, count);
        make_tiles(p);
        status = reserve(p, count, need);
        if (!status) status = make_partial(p);
        if (!status) take(p, need);
    }
    if (status) {
        forget_touches(p);
        return status;
    }
    bool some = false;
    for (int64_t i = 0; i < p->touches; i++) some = some || cache_streams(&p->sequences[p->touched[i].sequence]);
    p->rows = count;
    p->open = true;
    *positions = p->position;
    *streams = some;
    return NIGH_OK;
}

void cache_end(cache_pages *p, bool ok)
{
    if (!p->open) return;
    p->open = false;
    for (int64_t i = 0; i < p->touches; i++) {
        const touch *of = &p->touched[i];
        sequence *s = &p->sequences[of->sequence];
        if (!ok) s->drafts = false;
        if (of->draft) continue;
        if (ok) s->length += of->rows;
        else cache_shorten(p, s, s->length);
        s->high = s->length;
        cache_trim(p, s);
    }
    forget_touches(p);
}

/* ---- drafts ---- */

static nigh_status check_path(const cache_pages *p, const sequence *s, int number, const int32_t *rows, int64_t count)
{
    if (!s->drafts || p->open) return nigh_fail(p->ctx, NIGH_INVALID, "sequence %d has no drafts that could be accepted", number);
    for (int64_t i = 0; i < count; i++) {
        if (rows[i] < 0 || rows[i] >= p->rows || p->row[rows[i]].sequence != number)
            return nigh_fail(p->ctx, NIGH_INVALID, "rows[%lld] is %d; it is no row of sequence %d in the last pass", (long long)i, rows[i], number);
        if (p->row[rows[i]].parent != (i ? rows[i - 1] : -1))
            return nigh_fail(p->ctx, NIGH_INVALID, "rows[%lld] is %d; its parent is row %d, not %d", (long long)i, rows[i], p->row[rows[i]].parent, i ? rows[i - 1] : -1);
    }
    return NIGH_OK;
}

/* Slot `from` of one page becomes slot `to` of another, in all layers. */
static void copy_slot(const cache_pages *p, const page *source, int64_t from, page *target, int64_t to, bool keys_only)
{
    size_t item = p->key_bytes / (CACHE_PAGE * (size_t)p->shape.head_size), row = (size_t)p->width * item;
    for (int l = 0; l < p->shape.layers; l++)
        for (int h = 0; h < p->shape.kv_heads; h++) {
            page_slice a = cache_slice(p, source, l, h), b = cache_slice(p, target, l, h);
            for (int d = 0; d < p->shape.head_size; d++) {
                const unsigned char *x = a.keys + ((size_t)d * CACHE_PAGE + (size_t)from) * item;
                unsigned char *y = b.keys + ((size_t)d * CACHE_PAGE + (size_t)to) * item;
                if (item == 2) memcpy(y, x, 2);
                else if (item == 4) memcpy(y, x, 4);
                else *y = *x;
            }
            if (a.key_scale) b.key_scale[to] = a.key_scale[from];
            if (keys_only) continue;
            memcpy(b.values + (size_t)to * row, a.values + (size_t)from * row, row);
            if (a.value_scale) b.value_scale[to] = a.value_scale[from];
        }
}

nigh_status cache_accept(cache_pages *p, int number, const int32_t *rows, int64_t count)
{
    sequence *s = NULL;
    nigh_status status = cache_find(p, number, &s);
    if (status || count == 0) return status;
    if (count < 0) return nigh_fail(p->ctx, NIGH_INVALID, "count is %lld; it is 0 or more", (long long)count);
    status = check_path(p, s, number, rows, count);
    if (!status) status = cache_reserve_table(p, s, s->length + count);
    if (!status) status = cache_reserve(p, cache_need(p, s, s->length, s->length + count), 0);
    if (status) return status;
    cache_take(p, s, s->length, s->length + count);
    for (int64_t i = 0; i < count; i++) {
        int64_t t = rows[i], to = s->length + i;
        copy_slot(p, p->scratch[t / CACHE_PAGE], t % CACHE_PAGE, cache_page(s, to / CACHE_PAGE), to % CACHE_PAGE, false);
        if (draft_needs_raw(p, t)) copy_slot(p, p->scratch_raw[t / CACHE_PAGE], t % CACHE_PAGE, s->raw[to / CACHE_PAGE], to % CACHE_PAGE, true);
    }
    s->length += count;
    s->high = s->length;
    s->drafts = false;
    cache_trim(p, s);
    return NIGH_OK;
}
