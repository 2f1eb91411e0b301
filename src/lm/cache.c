/* Pages of keys and values, and the sequences that share them. Declared in lm/cache.h. */
#include "lm/cache_inside.h"

#include <string.h>

/* ---- pages ---- */

static size_t item_bytes(nigh_kv_type type) { return type == NIGH_KV_F32 ? 4 : type == NIGH_KV_F16 ? 2 : 1; }

page_slice cache_slice(const cache_pages *p, const page *of, int layer, int head)
{
    unsigned char *start = (unsigned char *)(uintptr_t)of + 64 + ((size_t)layer * (size_t)p->shape.kv_heads + (size_t)head) * p->slice_bytes;
    uint16_t *scales = (uint16_t *)(void *)(start + p->key_bytes + p->value_bytes);
    bool scaled = p->shape.type == NIGH_KV_Q8;
    return (page_slice){start, start + p->key_bytes, scaled ? scales : NULL, scaled ? scales + CACHE_PAGE : NULL};
}

page *cache_page(const sequence *s, int64_t index)
{
    if (index >= s->base) return index - s->base < s->count ? s->table[s->start + index - s->base] : NULL;
    return index < s->fronts ? s->front[index] : NULL;
}

page *cache_page_new(cache_pages *p, bool counted)
{
    page *fresh = p->free;
    p->free = fresh->next;
    p->free_pages--;
    p->used_pages += counted;
    fresh->next = NULL;
    fresh->users = 1;
    return fresh;
}

void cache_page_leave(cache_pages *p, page *of)
{
    if (!of || --of->users > 0) return;
    of->next = p->free;
    p->free = of;
    p->free_pages++;
    p->used_pages--;
}

nigh_status cache_reserve(cache_pages *p, int64_t kept, int64_t scratch)
{
    if (p->most_pages && p->used_pages + kept > p->most_pages)
        return nigh_fail(p->ctx, NIGH_RESOURCE, "the cache is full: %lld positions are in use and %lld more are needed, 'tokens' allows %lld",
                         (long long)(CACHE_PAGE * p->used_pages), (long long)(CACHE_PAGE * kept), (long long)p->shape.tokens);
    while (p->free_pages < kept + scratch) {
        page *fresh = nigh_alloc_zero(p->ctx, 1, 64 + p->page_bytes);
        if (!fresh) return NIGH_MEMORY;
        fresh->next = p->free;
        p->free = fresh;
        p->free_pages++;
    }
    return NIGH_OK;
}

nigh_status cache_reserve_table(cache_pages *p, sequence *s, int64_t last)
{
    int64_t need = (last + CACHE_PAGE - 1) / CACHE_PAGE - s->base;
    if (s->start + need <= s->room) return NIGH_OK;
    if (2 * need <= s->room) { /* a stream that moved along: half of the room lies behind it */
        memmove(s->table, s->table + s->start, (size_t)s->count * sizeof *s->table);
        s->start = 0;
        return NIGH_OK;
    }
    int64_t room = 2 * need < 16 ? 16 : 2 * need;
    page **table = nigh_alloc(p->ctx, (size_t)room * sizeof *table);
    if (!table) return NIGH_MEMORY;
    if (s->count) memcpy(table, s->table + s->start, (size_t)s->count * sizeof *table);
    nigh_free(p->ctx, s->table);
    s->table = table;
    s->start = 0;
    s->room = room;
    return NIGH_OK;
}

static bool keeps_raw(const sequence *s, int64_t index) { return s->limit > 0 && index < s->fronts; }

int64_t cache_need(const cache_pages *p, const sequence *s, int64_t first, int64_t last)
{
    int64_t need = 0;
    (void)p;
    for (int64_t i = first / CACHE_PAGE; i * CACHE_PAGE < last; i++) {
        const page *held = cache_page(s, i);
        need += !held || held->users > 1;
        if (keeps_raw(s, i)) need += !s->raw[i] || s->raw[i]->users > 1;
    }
    return need;
}

/* The page in this place, alone in the hands of its sequence. */
static page *own(cache_pages *p, page *held)
{
    if (held && held->users == 1) return held;
    page *fresh = cache_page_new(p, true);
    if (held) {
        memcpy((char *)fresh + 64, (char *)held + 64, p->page_bytes);
        cache_page_leave(p, held);
    }
    return fresh;
}

void cache_take(cache_pages *p, sequence *s, int64_t first, int64_t last)
{
    for (int64_t i = first / CACHE_PAGE; i * CACHE_PAGE < last; i++) {
        page **place = &s->table[s->start + i - s->base];
        if (i - s->base >= s->count) s->table[s->start + s->count++] = NULL;
        *place = own(p, *place);
        if (keeps_raw(s, i)) s->raw[i] = own(p, s->raw[i]);
    }
}

void cache_shorten(cache_pages *p, sequence *s, int64_t length)
{
    int64_t pages = (length + CACHE_PAGE - 1) / CACHE_PAGE;
    while (s->count > 0 && s->base + s->count > pages) cache_page_leave(p, s->table[s->start + --s->count]);
    for (int64_t i = pages; i < s->fronts; i++) {
        if (s->limit > 0) cache_page_leave(p, s->raw[i]), s->raw[i] = NULL;
        cache_page_leave(p, s->front[i]), s->front[i] = NULL;
    }
    if (length == 0) s->base = s->start = 0;
}

/* One page more than is seen stays, so that the last 64 tokens may be cut off. */
static int64_t oldest_page(const cache_pages *p, const sequence *s, int64_t length)
{
    int64_t back = s->window > p->widest ? s->window : p->widest, first = length - back + 1;
    return first > 0 ? first / CACHE_PAGE : 0;
}

void cache_trim(cache_pages *p, sequence *s)
{
    if (!cache_streams(s)) return;
    for (int64_t oldest = oldest_page(p, s, s->length) - 1; s->base < oldest && s->count > 0; s->base++, s->start++, s->count--) {
        page *leaving = s->table[s->start];
        if (s->base < s->fronts) s->front[s->base] = leaving;
        else cache_page_leave(p, leaving);
    }
}

/* ---- all of them ---- */

static nigh_status check_shape(nigh_context *ctx, const cache_shape *s)
{
    if (s->layers < 1 || s->kv_heads < 1 || s->heads < 1 || s->heads % s->kv_heads)
        return nigh_fail(ctx, NIGH_INVALID, "a cache of %d layers, %d heads and %d kv heads; all are at least 1, and heads a multiple of kv heads", s->layers, s->heads,
                         s->kv_heads);
    if (s->head_size < 8 || s->head_size > 256 || s->head_size % 8)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "head_size is %d; multiples of 8 up to 256 are supported", s->head_size);
    if (s->type != NIGH_KV_F16 && s->type != NIGH_KV_F32 && s->type != NIGH_KV_Q8) return nigh_fail(ctx, NIGH_INVALID, "type is %d; it is no nigh_kv_type", (int)s->type);
    if (s->tokens < 0) return nigh_fail(ctx, NIGH_INVALID, "tokens is %lld; it is 0 (no bound) or more", (long long)s->tokens);
    for (int l = 0; l < s->layers; l++)
        if (s->window[l] < 0) return nigh_fail(ctx, NIGH_INVALID, "the window of layer %d is %lld; it is 0 (none) or more", l, (long long)s->window[l]);
    return NIGH_OK;
}

nigh_status cache_pages_new(nigh_context *ctx, const cache_shape *shape, cache_pages **out)
{
    nigh_status status = check_shape(ctx, shape);
    if (status) return status;
    cache_pages *p = nigh_alloc_zero(ctx, 1, sizeof *p);
    if (!p) return NIGH_MEMORY;
    p->ctx = ctx;
    p->kernels = attend_kernels_at(nigh_cpu());
    p->shape = *shape;
    p->window = nigh_alloc(ctx, (size_t)shape->layers * sizeof *p->window);
    if (!p->window) {
        nigh_free(ctx, p);
        return NIGH_MEMORY;
    }
    for (int l = 0; l < shape->layers; l++) {
        p->window[l] = shape->window[l];
        if (p->widest < p->window[l]) p->widest = p->window[l];
    }
    p->shape.window = p->window;
    p->width = (shape->head_size + 15) & ~15;
    p->key_bytes = CACHE_PAGE * (size_t)shape->head_size * item_bytes(shape->type);
    p->value_bytes = CACHE_PAGE * (size_t)p->width * item_bytes(shape->type);
    p->slice_bytes = p->key_bytes + p->value_bytes + (shape->type == NIGH_KV_Q8 ? 2 * CACHE_PAGE * sizeof(uint16_t) : 0);
    p->page_bytes = (size_t)shape->layers * (size_t)shape->kv_heads * p->slice_bytes;
    p->most_pages = (shape->tokens + CACHE_PAGE - 1) / CACHE_PAGE;
    *out = p;
    return NIGH_OK;
}

static void free_list(nigh_context *ctx, page *first)
{
    for (page *next; first; first = next) {
        next = first->next;
        nigh_free(ctx, first);
    }
}

void cache_pages_free(cache_pages *p)
{
    if (!p) return;
    nigh_context *ctx = p->ctx;
    for (int i = 0; i < p->sequence_room; i++) pages_drop(p, i);
    for (int64_t i = 0; i < p->scratches; i++) nigh_free(ctx, p->scratch[i]);
    for (int64_t i = 0; i < p->scratch_raws; i++) nigh_free(ctx, p->scratch_raw[i]);
    free_list(ctx, p->free);
    void *const blocks[] = {p->window, p->sequences, p->row, p->position, p->order, p->touched, p->tile, p->scratch, p->scratch_raw, p->partial};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(ctx, blocks[i]);
    nigh_free(ctx, p);
}

size_t cache_pages_bytes(const cache_pages *p) { return (size_t)p->used_pages * p->page_bytes; }

/* ---- sequences ---- */

nigh_status cache_find(const cache_pages *p, int number, sequence **s)
{
    if (number < 0 || number >= p->sequence_room || !p->sequences[number].used)
        return nigh_fail(p->ctx, NIGH_INVALID, "sequence is %d; the cache has no such sequence", number);
    *s = &p->sequences[number];
    return NIGH_OK;
}

nigh_status pages_sequence(cache_pages *p, int *out)
{
    int i = 0;
    while (i < p->sequence_room && p->sequences[i].used) i++;
    if (i == p->sequence_room) {
        int room = i ? 2 * i : 8;
        sequence *more = nigh_alloc_zero(p->ctx, (size_t)room, sizeof *more);
        if (!more) return NIGH_MEMORY;
        if (i) memcpy(more, p->sequences, (size_t)i * sizeof *more);
        nigh_free(p->ctx, p->sequences);
        p->sequences = more;
        p->sequence_room = room;
    }
    p->sequences[i] = (sequence){.used = true, .touch = -1};
    *out = i;
    return NIGH_OK;
}

void pages_drop(cache_pages *p, int number)
{
    if (number < 0 || number >= p->sequence_room || !p->sequences[number].used) return;
    sequence *s = &p->sequences[number];
    cache_shorten(p, s, 0);
    nigh_free(p->ctx, s->table);
    nigh_free(p->ctx, s->front);
    nigh_free(p->ctx, s->raw);
    *s = (sequence){0};
}

int64_t pages_length(const cache_pages *p, int number)
{
    return number < 0 || number >= p->sequence_room || !p->sequences[number].used ? -1 : p->sequences[number].length;
}

static nigh_status check_length(const cache_pages *p, const sequence *s, int64_t length)
{
    if (length < 0 || length > s->length)
        return nigh_fail(p->ctx, NIGH_INVALID, "length is %lld; 0 to %lld, the sequence's, is allowed", (long long)length, (long long)s->length);
    if (length > 0 && oldest_page(p, s, length) < s->base)
        return nigh_fail(p->ctx, NIGH_INVALID, "length is %lld; the stream has given back what its last token sees, 0 and %lld to %lld are allowed", (long long)length,
                         (long long)(s->length - CACHE_PAGE > 0 ? s->length - CACHE_PAGE : 0), (long long)s->length);
    return NIGH_OK;
}

nigh_status pages_cut(cache_pages *p, int number, int64_t length)
{
    sequence *s = NULL;
    nigh_status status = cache_find(p, number, &s);
    if (!status) status = check_length(p, s, length);
    if (status) return status;
    cache_shorten(p, s, length);
    s->length = s->high = length;
    s->drafts = false;
    return NIGH_OK;
}

/* Room for the front pages of a stream. */
static nigh_status make_front(cache_pages *p, sequence *s, int64_t sinks, int64_t window, int64_t limit)
{
    int64_t fronts = (sinks + CACHE_PAGE - 1) / CACHE_PAGE;
    page **front = nigh_alloc_zero(p->ctx, (size_t)fronts + 1, sizeof *front), **raw = nigh_alloc_zero(p->ctx, (size_t)fronts + 1, sizeof *raw);
    if (!front || !raw) {
        nigh_free(p->ctx, front);
        nigh_free(p->ctx, raw);
        return NIGH_MEMORY;
    }
    nigh_free(p->ctx, s->front);
    nigh_free(p->ctx, s->raw);
    s->front = front;
    s->raw = raw;
    s->fronts = fronts;
    s->sinks = sinks;
    s->window = window;
    s->limit = limit;
    return NIGH_OK;
}

static page *share(page *of)
{
    if (of) of->users++;
    return of;
}

nigh_status pages_fork(cache_pages *p, int number, int64_t length, int *out)
{
    sequence *s = NULL, *f;
    int fork;
    nigh_status status = cache_find(p, number, &s);
    if (!status) status = check_length(p, s, length);
    if (!status) status = pages_sequence(p, &fork);
    if (status) return status;
    s = &p->sequences[number]; /* they may have moved */
    f = &p->sequences[fork];
    if (length > 0) f->base = s->base;
    if (cache_streams(s)) status = make_front(p, f, s->sinks, s->window, s->limit);
    if (!status) status = cache_reserve_table(p, f, length);
    if (status) {
        pages_drop(p, fork);
        return status;
    }
    int64_t pages = (length + CACHE_PAGE - 1) / CACHE_PAGE;
    for (int64_t i = f->base; i < pages; i++) f->table[f->start + f->count++] = share(s->table[s->start + i - s->base]);
    for (int64_t i = 0; i < f->fronts && i < pages; i++) {
        f->front[i] = share(s->front[i]);
        f->raw[i] = share(s->raw[i]);
    }
    f->length = f->high = length;
    *out = fork;
    return NIGH_OK;
}

nigh_status pages_stream(cache_pages *p, int number, int64_t sinks, int64_t window, int64_t limit)
{
    sequence *s = NULL;
    nigh_status status = cache_find(p, number, &s);
    if (status) return status;
    if (s->high > 0) return nigh_fail(p->ctx, NIGH_INVALID, "sequence %d holds %lld tokens; only an empty one may become a stream", number, (long long)s->high);
    if (sinks < 0 || sinks > 1 << 20) return nigh_fail(p->ctx, NIGH_INVALID, "sinks is %lld; 0 to %d is allowed", (long long)sinks, 1 << 20);
    if (window < 1) return nigh_fail(p->ctx, NIGH_INVALID, "window is %lld; at least 1 is needed", (long long)window);
    if (limit < 0) return nigh_fail(p->ctx, NIGH_INVALID, "limit is %lld; it is 0 (true distances) or more", (long long)limit);
    return make_front(p, s, sinks, window, limit);
}

int64_t pages_limit(const cache_pages *p, int number)
{
    return number < 0 || number >= p->sequence_room || !p->sequences[number].used ? 0 : p->sequences[number].limit;
}
