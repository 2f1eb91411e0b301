/* Numbers into pages and out of them. Declared in lm/cache.h. */
#include "lm/cache_inside.h"

#include <string.h>

enum { STORE_ROWS = 16 }; /* most rows whose keys are written at once */

/* Keys of `count` rows, ld floats apart, into slots from `slot` on. All slots of a line are written at once: lines are many, and often far away. */
static void write_keys(const cache_pages *p, page_slice slice, int64_t slot, const float *x, int64_t ld, int count)
{
    int n = p->shape.head_size;
    if (p->shape.type == NIGH_KV_F32) {
        float *key = (float *)(void *)slice.keys + slot;
        for (int d = 0; d < n; d++, key += CACHE_PAGE)
            for (int i = 0; i < count; i++) key[i] = x[i * ld + d];
    } else if (p->shape.type == NIGH_KV_F16) {
        uint16_t half[STORE_ROWS][256], *key = (uint16_t *)(void *)slice.keys + slot;
        for (int i = 0; i < count; i++) p->kernels->to_half(x + i * ld, n, half[i]);
        for (int d = 0; d < n; d++, key += CACHE_PAGE)
            for (int i = 0; i < count; i++) key[i] = half[i][d];
    } else {
        int8_t bytes[STORE_ROWS][256], *key = (int8_t *)slice.keys + slot;
        for (int i = 0; i < count; i++) p->kernels->to_bytes(x + i * ld, n, bytes[i], &slice.key_scale[slot + i]);
        for (int d = 0; d < n; d++, key += CACHE_PAGE)
            for (int i = 0; i < count; i++) key[i] = bytes[i][d];
    }
}

static void write_key(const cache_pages *p, page_slice slice, int64_t slot, const float *x) { write_keys(p, slice, slot, x, 0, 1); }

static void write_value(const cache_pages *p, page_slice slice, int64_t slot, const float *x)
{
    int n = p->shape.head_size;
    if (p->shape.type == NIGH_KV_F32) memcpy((float *)(void *)slice.values + slot * p->width, x, (size_t)n * sizeof *x);
    else if (p->shape.type == NIGH_KV_F16) p->kernels->to_half(x, n, (uint16_t *)(void *)slice.values + slot * p->width);
    else p->kernels->to_bytes(x, n, (int8_t *)slice.values + slot * p->width, &slice.value_scale[slot]);
}

static void read_key(const cache_pages *p, page_slice slice, int64_t slot, float *x)
{
    float scale;
    if (slice.key_scale) p->kernels->from_half(&slice.key_scale[slot], 1, &scale);
    for (int d = 0; d < p->shape.head_size; d++) {
        int64_t at = d * CACHE_PAGE + slot;
        if (p->shape.type == NIGH_KV_F32) x[d] = ((const float *)(const void *)slice.keys)[at];
        else if (p->shape.type == NIGH_KV_F16) p->kernels->from_half((const uint16_t *)(const void *)slice.keys + at, 1, &x[d]);
        else x[d] = (float)((const int8_t *)slice.keys)[at] * scale;
    }
}

static void read_value(const cache_pages *p, page_slice slice, int64_t slot, float *x)
{
    int n = p->shape.head_size;
    float scale;
    if (p->shape.type == NIGH_KV_F32) memcpy(x, (const float *)(const void *)slice.values + slot * p->width, (size_t)n * sizeof *x);
    else if (p->shape.type == NIGH_KV_F16) p->kernels->from_half((const uint16_t *)(const void *)slice.values + slot * p->width, n, x);
    else {
        p->kernels->from_half(&slice.value_scale[slot], 1, &scale);
        for (int d = 0; d < n; d++) x[d] = (float)((const int8_t *)slice.values)[slot * p->width + d] * scale;
    }
}

/* Where row t goes; bare: the page of its unrotated key, if there is one. */
typedef struct spot {
    const page *to, *bare;
    int64_t slot;
} spot;

static spot spot_of(const cache_pages *p, int64_t t)
{
    const pass_row *row = &p->row[t];
    const sequence *s = &p->sequences[row->sequence];
    int64_t index = row->position / CACHE_PAGE;
    spot x = {row->draft ? p->scratch[t / CACHE_PAGE] : cache_page(s, index), NULL, row->draft ? t % CACHE_PAGE : row->position % CACHE_PAGE};
    if (s->limit > 0 && row->position < s->sinks) x.bare = row->draft ? p->scratch_raw[t / CACHE_PAGE] : s->raw[index];
    return x;
}

void cache_store(cache_pages *p, int layer, int64_t t, int64_t count, int head, const cache_numbers *from)
{
    for (int64_t i = 0, n; i < count; i += n) {
        spot x = spot_of(p, t + i);
        for (n = 1; n < STORE_ROWS && i + n < count; n++) {
            spot y = spot_of(p, t + i + n);
            if (y.to != x.to || y.bare != x.bare || y.slot != x.slot + n) break;
        }
        page_slice slice = cache_slice(p, x.to, layer, head);
        for (int64_t k = 0; k < n; k++) write_value(p, slice, x.slot + k, from->value + (i + k) * from->ld);
        write_keys(p, slice, x.slot, from->key + i * from->ld, from->ld, (int)n);
        if (x.bare) write_keys(p, cache_slice(p, x.bare, layer, head), x.slot, from->raw + i * from->ld_raw, from->ld_raw, (int)n);
    }
}

/* ---- from outside ---- */

static nigh_status check_range(const cache_pages *p, int number, int layer, int64_t first, int64_t count, sequence **s)
{
    nigh_status status = cache_find(p, number, s);
    if (status) return status;
    if (layer < 0 || layer >= p->shape.layers) return nigh_fail(p->ctx, NIGH_INVALID, "layer is %d; 0 to %d is allowed", layer, p->shape.layers - 1);
    if (first < 0 || count < 0 || first > INT64_MAX - CACHE_PAGE - count)
        return nigh_fail(p->ctx, NIGH_INVALID, "first is %lld and count %lld; neither may be negative", (long long)first, (long long)count);
    return NIGH_OK;
}

nigh_status pages_get(const cache_pages *p, int number, int layer, int64_t first, int64_t count, float *keys, float *values)
{
    sequence *s = NULL;
    nigh_status status = check_range(p, number, layer, first, count, &s);
    if (status) return status;
    if (first + count > s->high)
        return nigh_fail(p->ctx, NIGH_INVALID, "positions up to %lld were asked for; the sequence holds %lld", (long long)(first + count), (long long)s->high);
    for (int64_t i = first / CACHE_PAGE; count && i <= (first + count - 1) / CACHE_PAGE; i++)
        if (!cache_page(s, i)) return nigh_fail(p->ctx, NIGH_INVALID, "positions from %lld on were given back by the stream", (long long)(i * CACHE_PAGE));
    for (int64_t i = 0; i < count; i++)
        for (int h = 0; h < p->shape.kv_heads; h++) {
            page_slice slice = cache_slice(p, cache_page(s, (first + i) / CACHE_PAGE), layer, h);
            int64_t at = (i * p->shape.kv_heads + h) * p->shape.head_size;
            if (keys) read_key(p, slice, (first + i) % CACHE_PAGE, keys + at);
            if (values) read_value(p, slice, (first + i) % CACHE_PAGE, values + at);
        }
    return NIGH_OK;
}

/* Positions first .. last - 1 are of this sequence alone; what lies behind its `high` holds zeros. */
static nigh_status open_range(cache_pages *p, sequence *s, int64_t first, int64_t last)
{
    if (cache_streams(s)) return nigh_fail(p->ctx, NIGH_UNSUPPORTED, "a stream keeps unrotated keys too; positions cannot be put into it");
    int64_t from = first < s->high ? first : s->high;
    nigh_status status = cache_reserve_table(p, s, last);
    if (!status) status = cache_reserve(p, cache_need(p, s, from, last), 0);
    if (status) return status;
    cache_take(p, s, from, last);
    float zeros[256] = {0};
    for (int64_t i = s->high, n; i < last; i += n) {
        n = STORE_ROWS - i % STORE_ROWS < last - i ? STORE_ROWS - i % STORE_ROWS : last - i;
        for (int l = 0; l < p->shape.layers; l++)
            for (int h = 0; h < p->shape.kv_heads; h++) {
                page_slice slice = cache_slice(p, cache_page(s, i / CACHE_PAGE), l, h);
                write_keys(p, slice, i % CACHE_PAGE, zeros, 0, (int)n);
                for (int64_t k = 0; k < n; k++) write_value(p, slice, i % CACHE_PAGE + k, zeros);
            }
    }
    if (s->high < last) s->high = last;
    s->drafts = false;
    return NIGH_OK;
}

nigh_status pages_put(cache_pages *p, int number, int layer, int64_t first, int64_t count, const float *keys, const float *values)
{
    sequence *s = NULL;
    nigh_status status = check_range(p, number, layer, first, count, &s);
    if (!status && count) status = open_range(p, s, first, first + count);
    if (status) return status;
    for (int64_t i = 0; i < count; i++)
        for (int h = 0; h < p->shape.kv_heads; h++) {
            page_slice slice = cache_slice(p, cache_page(s, (first + i) / CACHE_PAGE), layer, h);
            int64_t at = (i * p->shape.kv_heads + h) * p->shape.head_size;
            if (keys) write_key(p, slice, (first + i) % CACHE_PAGE, keys + at);
            if (values) write_value(p, slice, (first + i) % CACHE_PAGE, values + at);
        }
    return NIGH_OK;
}

nigh_status pages_extend(cache_pages *p, int number, int64_t length)
{
    sequence *s = NULL;
    nigh_status status = cache_find(p, number, &s);
    if (status) return status;
    if (length < s->length || length > INT64_MAX / 2)
        return nigh_fail(p->ctx, NIGH_INVALID, "length is %lld; the sequence's, %lld, or more is allowed", (long long)length, (long long)s->length);
    if (length > s->high) status = open_range(p, s, s->high, length);
    if (status) return status;
    s->length = length;
    s->drafts = false;
    return NIGH_OK;
}
