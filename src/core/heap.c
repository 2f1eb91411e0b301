/* A binary heap of keys with ids. */
#include "core/heap.h"

static bool above(heap_entry a, heap_entry b) { return a.key > b.key || (a.key == b.key && a.id < b.id); }

static void sink(heap *h, int64_t i)
{
    heap_entry moved = h->at[i];
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= h->count) break;
        if (child + 1 < h->count && above(h->at[child + 1], h->at[child])) child++;
        if (!above(h->at[child], moved)) break;
        h->at[i] = h->at[child];
        i = child;
    }
    h->at[i] = moved;
}

nigh_status heap_reserve(heap *h, int64_t room)
{
    if (room <= h->room) return NIGH_OK;
    heap_entry *at = nigh_resize(h->ctx, h->at, (size_t)room * sizeof *at);
    if (!at) return NIGH_MEMORY;
    h->at = at;
    h->room = room;
    return NIGH_OK;
}

nigh_status heap_push(heap *h, double key, int64_t id)
{
    if (h->count == h->room && heap_reserve(h, h->room ? 2 * h->room : 64)) return NIGH_MEMORY;
    heap_entry added = {key, id};
    int64_t i = h->count++;
    for (; i > 0 && above(added, h->at[(i - 1) / 2]); i = (i - 1) / 2) h->at[i] = h->at[(i - 1) / 2];
    h->at[i] = added;
    return NIGH_OK;
}

heap_entry heap_pop(heap *h)
{
    heap_entry top = h->at[0];
    h->at[0] = h->at[--h->count];
    if (h->count) sink(h, 0);
    return top;
}

void heap_rekey(heap *h, double key)
{
    h->at[0].key = key;
    sink(h, 0);
}

void heap_make(heap *h)
{
    for (int64_t i = h->count / 2 - 1; i >= 0; i--) sink(h, i);
}

void heap_free(heap *h)
{
    nigh_free(h->ctx, h->at);
    h->at = NULL;
    h->count = h->room = 0;
}
