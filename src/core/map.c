/* A hash map from u64 to u64. Declared in core/map.h. */
#include "core/map.h"

#include <stdlib.h>
#include <string.h>

/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014): close numbers go far apart. */
static uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool taken(const map *m, uint64_t at) { return m->used[at >> 6] >> (at & 63) & 1; }

static uint64_t place(const map *m, uint64_t key)
{
    uint64_t at = mixed(key) & m->mask;
    while (taken(m, at) && m->slots[at].key != key) at = (at + 1) & m->mask;
    return at;
}

static nigh_status make(nigh_context *ctx, uint64_t slots, map *out)
{
    *out = (map){.ctx = ctx, .mask = slots - 1};
    out->slots = nigh_alloc_zero(ctx, slots, sizeof *out->slots);
    out->used = out->slots ? nigh_alloc_zero(ctx, (slots + 63) / 64, sizeof *out->used) : NULL;
    if (out->used) return NIGH_OK;
    map_free(out);
    return NIGH_MEMORY;
}

nigh_status map_new(nigh_context *ctx, int64_t expected, map *out)
{
    uint64_t slots = 64;
    while (slots < (uint64_t)1 << 60 && slots / 8 * 5 < (uint64_t)expected) slots *= 2;
    return make(ctx, slots, out);
}

void map_free(map *m)
{
    if (!m->ctx) return;
    nigh_free(m->ctx, m->slots);
    nigh_free(m->ctx, m->used);
    *m = (map){0};
}

uint64_t *map_find(const map *m, uint64_t key)
{
    uint64_t at = place(m, key);
    return taken(m, at) ? &m->slots[at].value : NULL;
}

static nigh_status grow(map *m)
{
    map larger;
    nigh_status status = make(m->ctx, 2 * (m->mask + 1), &larger);
    if (status) return status;
    for (uint64_t i = 0; i <= m->mask; i++) {
        if (!taken(m, i)) continue;
        uint64_t at = place(&larger, m->slots[i].key);
        larger.slots[at] = m->slots[i];
        larger.used[at >> 6] |= (uint64_t)1 << (at & 63);
    }
    larger.count = m->count;
    map_free(m);
    *m = larger;
    return NIGH_OK;
}

nigh_status map_add(map *m, uint64_t key, uint64_t **value, bool *added)
{
    uint64_t at = place(m, key);
    *added = !taken(m, at);
    if (*added && (uint64_t)m->count >= (m->mask + 1) / 8 * 5) {
        nigh_status status = grow(m);
        if (status) return status;
        at = place(m, key);
    }
    if (*added) {
        m->slots[at] = (map_slot){.key = key};
        m->used[at >> 6] |= (uint64_t)1 << (at & 63);
        m->count++;
    }
    *value = &m->slots[at].value;
    return NIGH_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void map_keys_sorted(const map *m, uint64_t *out)
{
    int64_t n = 0;
    for (uint64_t i = 0; i <= m->mask; i++)
        if (taken(m, i)) out[n++] = m->slots[i].key;
    if (n) qsort(out, (size_t)n, sizeof *out, by_number);
}
