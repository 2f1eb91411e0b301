/*
 * A binary heap of (key, id): the largest key on top, among equal keys the smallest id, so that what comes out does not depend on the
 * order in which things went in. Zero-initialise with ctx set. Push and pop O(log n), make O(n).
 */
#ifndef NIGH_CORE_HEAP_H
#define NIGH_CORE_HEAP_H
#include "nigh/core.h"

typedef struct heap_entry {
    double key;
    int64_t id;
} heap_entry;

typedef struct heap {
    nigh_context *ctx;
    int64_t count, room;
    heap_entry *at; /* [count]; at[0] is the top */
} heap;

nigh_status heap_reserve(heap *h, int64_t room); /* pushes up to `room` entries cannot fail afterwards */
nigh_status heap_push(heap *h, double key, int64_t id);
heap_entry heap_pop(heap *h);           /* count > 0 */
void heap_rekey(heap *h, double key);   /* gives the top another key; count > 0 */
void heap_make(heap *h);                /* after at[0 .. count-1] were filled in any order */
void heap_free(heap *h);
#endif
