/* Pools of texts, the hash table over a pool, the hash table of merges. */
#include "lm/tokenizer.h"

/* ---- pools ---- */

nigh_status texts_reserve(nigh_context *ctx, texts *p, int64_t count, size_t size)
{
    if (count > INT32_MAX - 1 || size > UINT32_MAX - 1)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "a vocabulary of %lld tokens and %zu bytes; 2^31 tokens and 4 GiB are allowed", (long long)count, size);
    if (count + 1 > p->room) {
        uint32_t *at = nigh_resize(ctx, p->at, (size_t)(count + 1) * sizeof *at);
        if (!at) return NIGH_MEMORY;
        if (!p->at) at[0] = 0;
        p->at = at, p->room = count + 1;
    }
    if (size > p->text_room) {
        char *text = nigh_resize(ctx, p->text, size);
        if (!text) return NIGH_MEMORY;
        p->text = text, p->text_room = size;
    }
    return NIGH_OK;
}

nigh_status texts_add(nigh_context *ctx, texts *p, const void *text, size_t size)
{
    if (p->count + 2 > p->room || size + 1 > p->text_room - p->size) {
        int64_t count = p->count + 2 > p->room ? 2 * p->count + 256 : p->count + 1;
        size_t bytes = size + 1 > p->text_room - p->size ? 2 * p->size + size + 4096 : p->text_room;
        nigh_status status = texts_reserve(ctx, p, count, bytes);
        if (status) return status;
    }
    memcpy(p->text + p->size, text, size);
    p->text[p->size + size] = 0;
    p->size += size + 1;
    p->at[++p->count] = (uint32_t)p->size;
    return NIGH_OK;
}

void texts_free(nigh_context *ctx, texts *p)
{
    nigh_free(ctx, p->text);
    nigh_free(ctx, p->at);
    *p = (texts){0};
}

/* ---- texts ---- */

static uint64_t read_8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static uint32_t read_4(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

static uint64_t hash_text(const char *p, size_t size)
{
    uint64_t h = size * 0xC2B2AE3D27D4EB4Fu;
    if (size >= 8) {
        size_t i = 0;
        for (; i + 8 < size; i += 8) h = mix(h, read_8(p + i));
        h = mix(h, read_8(p + size - 8));
    } else if (size >= 4) {
        h = mix(h, (uint64_t)read_4(p) << 32 | read_4(p + size - 4));
    } else if (size) {
        h = mix(h, (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[size / 2] << 8 | (unsigned char)p[size - 1]);
    }
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

nigh_status words_new(nigh_context *ctx, int64_t most, words *w)
{
    uint64_t slots = 64;
    while (slots < 2 * (uint64_t)most) slots *= 2;
    w->slot = nigh_alloc_zero(ctx, slots, sizeof *w->slot);
    w->mask = slots - 1;
    return w->slot ? NIGH_OK : NIGH_MEMORY;
}

/* The slot of a text: where it is, or the free one where it belongs. */
static uint64_t *words_seek(const words *w, const texts *p, const char *text, size_t size, uint64_t hash)
{
    for (uint64_t i = hash & w->mask;; i = (i + 1) & w->mask) {
        uint64_t *slot = w->slot + i;
        if (!*slot) return slot;
        if ((*slot ^ hash) >> 32) continue;
        size_t other_size;
        const char *other = texts_get(p, (int64_t)(uint32_t)*slot - 1, &other_size);
        if (other_size == size && !memcmp(other, text, size)) return slot;
    }
}

int32_t words_find(const words *w, const texts *p, const char *text, size_t size)
{
    return (int32_t)(uint32_t)*words_seek(w, p, text, size, hash_text(text, size)) - 1;
}

int32_t words_add(words *w, const texts *p, int32_t index)
{
    size_t size;
    const char *text = texts_get(p, index, &size);
    uint64_t hash = hash_text(text, size), *slot = words_seek(w, p, text, size, hash);
    if (!*slot) *slot = hash >> 32 << 32 | ((uint32_t)index + 1);
    return (int32_t)(uint32_t)*slot - 1;
}

/* ---- merges ---- */

nigh_status merges_new(nigh_context *ctx, int64_t most, merges *m)
{
    uint64_t slots = 64;
    while (slots < 2 * (uint64_t)most) slots *= 2;
    m->slot = nigh_alloc(ctx, slots * sizeof *m->slot);
    if (!m->slot) return NIGH_MEMORY;
    memset(m->slot, 0xFF, slots * sizeof *m->slot);
    m->mask = slots - 1;
    return NIGH_OK;
}

void merges_add(merges *m, int32_t left, int32_t right, uint32_t rank, int32_t to)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint64_t i = pair_hash(pair) & m->mask;; i = (i + 1) & m->mask) {
        if (m->slot[i].pair == pair) return;
        if (m->slot[i].pair != UINT64_MAX) continue;
        m->slot[i] = (merge_slot){pair, rank, to};
        m->count++;
        return;
    }
}
