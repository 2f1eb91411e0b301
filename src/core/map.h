/* A hash map from u64 to u64: open addressing, linear probing, at most 5/8 full; no removal. Any key is allowed. */
#ifndef NIGH_CORE_MAP_H
#define NIGH_CORE_MAP_H
#include "nigh/core.h"

typedef struct map_slot {
    uint64_t key, value;
} map_slot;

typedef struct map {
    nigh_context *ctx;
    uint64_t mask; /* slots - 1 */
    int64_t count;
    map_slot *slots;
    uint64_t *used; /* one bit a slot */
} map;

/* Room for `expected` keys before it grows. End it with map_free. */
nigh_status map_new(nigh_context *ctx, int64_t expected, map *out);
void map_free(map *m); /* a zeroed map is fine */

/* Where the value of `key` is, until the next map_add; NULL when absent. */
uint64_t *map_find(const map *m, uint64_t key);

/* The same; an absent key is added with value 0 first (*added tells). */
nigh_status map_add(map *m, uint64_t key, uint64_t **value, bool *added);

/* All keys in increasing order into out [count]. */
void map_keys_sorted(const map *m, uint64_t *out);
#endif
