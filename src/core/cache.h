/*
 * A cache of blobs by content key (SHA-256 as 64 hex digits): what the runs of a user's program gave. Safe with several
 * processes on one folder: entries appear by rename, carry a checksum, and a damaged one counts as missing and is removed.
 * Nothing here makes a run fail: what cannot be kept (full disk, no rights) is not kept, with one warning.
 */
#ifndef NIGH_CORE_CACHE_H
#define NIGH_CORE_CACHE_H
#include "nigh/core.h"

typedef struct disk_cache disk_cache;

/* folder NULL: "runs" in the user's cache folder. cap_bytes: most that is kept (0: 1 GiB), the longest unused go first. */
nigh_status disk_cache_open(nigh_context *ctx, const char *folder, int64_t cap_bytes, disk_cache **cache);
void disk_cache_close(disk_cache *cache); /* NULL is fine */

/* NIGH_OK with *bytes NULL when it is not there; else free *bytes with nigh_free. Fails for lack of memory only. */
nigh_status disk_cache_get(disk_cache *cache, const char *key, char **bytes, size_t *size);

/* Keeps it, or does not; an entry of that key is replaced. */
void disk_cache_put(disk_cache *cache, const char *key, const void *bytes, size_t size);

/* Entries and bytes on disk now, by looking. */
void disk_cache_size(disk_cache *cache, int64_t *entries, int64_t *bytes);
#endif
