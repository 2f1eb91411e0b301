/* The content cache, FOLDER/ab/cdef... with 8 + 64 bytes in front of the blob: magic, SHA-256 of key and blob. See core/cache.h. */
#include "core/cache.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8 + 64, KEY = 64, STALE_SECONDS = 3600 };
static const char magic[] = "nigh-run";

struct disk_cache {
    nigh_context *ctx;
    char *folder;
    int64_t cap, held; /* held: -1 until looked */
    bool warned;
};

nigh_status disk_cache_open(nigh_context *ctx, const char *folder, int64_t cap_bytes, disk_cache **out)
{
    if (cap_bytes < 0) return nigh_fail(ctx, NIGH_INVALID, "the cap of the cache is %lld bytes; 0 (default) or more is allowed", (long long)cap_bytes);
    disk_cache *cache = nigh_alloc_zero(ctx, 1, sizeof *cache);
    if (!cache) return NIGH_MEMORY;
    cache->ctx = ctx;
    cache->cap = cap_bytes ? cap_bytes : (int64_t)1 << 30;
    cache->held = -1;
    nigh_status status = NIGH_OK;
    if (!folder)
        status = nigh_folder_user(ctx, NIGH_PLACE_CACHE, "runs", &cache->folder);
    else if (!(cache->folder = nigh_strdup(ctx, folder)))
        status = NIGH_MEMORY;
    else
        status = nigh_folder_make(ctx, folder);
    if (status)
        disk_cache_close(cache);
    else
        *out = cache;
    return status;
}

void disk_cache_close(disk_cache *cache)
{
    if (!cache) return;
    nigh_free(cache->ctx, cache->folder);
    nigh_free(cache->ctx, cache);
}

static bool key_fine(const char *key) { return strlen(key) == KEY && strspn(key, "0123456789abcdef") == KEY; }

static void checksum(const char *key, const void *bytes, size_t size, char out[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, key);
    nigh_sha256_add(&hash, bytes, size);
    nigh_sha256_hex(&hash, out);
}

nigh_status disk_cache_get(disk_cache *cache, const char *key, char **bytes, size_t *size)
{
    nigh_context *ctx = cache->ctx;
    char *data = NULL, sum[65];
    size_t n = 0;
    *bytes = NULL;
    if (!key_fine(key)) return NIGH_OK;
    char *path = nigh_format(ctx, "%s/%.2s/%s", cache->folder, key, key + 2);
    if (!path) return NIGH_MEMORY;
    nigh_status status = nigh_file_read(ctx, path, (size_t)cache->cap + HEAD, &data, &n);
    if (!status) {
        bool good = n >= HEAD && memcmp(data, magic, 8) == 0;
        if (good) checksum(key, data + HEAD, n - HEAD, sum);
        if (good && memcmp(sum, data + 8, 64) == 0) {
            memmove(data, data + HEAD, n - HEAD + 1); /* with the 0 behind */
            *bytes = data;
            *size = n - HEAD;
            utimensat(AT_FDCWD, path, NULL, 0); /* used just now */
        } else {
            nigh_free(ctx, data);
            unlink(path);
        }
    }
    nigh_free(ctx, path);
    return status == NIGH_MEMORY ? NIGH_MEMORY : NIGH_OK;
}

/* ---- the cap ---- */

typedef struct entry {
    struct timespec used;
    int64_t size;
    char name[KEY + 2]; /* "ab/cdef..." */
} entry;

static int older_first(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec) return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Adds the entries of one two-letter folder; removes what writers that were killed have left. */
static void list_below(int top, const char *pair, nigh_buffer *entries)
{
    int fd = openat(top, pair, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *d; (d = readdir(folder));) {
        struct stat info;
        entry e;
        if (d->d_name[0] == '.' || fstatat(fd, d->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(info.st_mode)) continue;
        if (strlen(d->d_name) != KEY - 2) {
            if (time(NULL) - info.st_mtime > STALE_SECONDS) unlinkat(fd, d->d_name, 0);
            continue;
        }
        memset(&e, 0, sizeof e);
        e.used = info.st_mtim;
        e.size = info.st_size;
        snprintf(e.name, sizeof e.name, "%.2s/%.62s", pair, d->d_name);
        if (nigh_buffer_add(entries, &e, sizeof e)) break;
    }
    closedir(folder);
}

static void list(disk_cache *cache, nigh_buffer *entries)
{
    DIR *folder = opendir(cache->folder);
    if (!folder) return;
    for (struct dirent *d; (d = readdir(folder));)
        if (strlen(d->d_name) == 2 && d->d_name[0] != '.') list_below(dirfd(folder), d->d_name, entries);
    closedir(folder);
}

/* Looks how much is held; above the cap it removes the longest unused until a tenth is free. */
static void trim(disk_cache *cache)
{
    nigh_buffer found = {.ctx = cache->ctx};
    list(cache, &found);
    entry *entries = (entry *)found.data;
    size_t count = found.size / sizeof *entries;
    cache->held = 0;
    for (size_t i = 0; i < count; i++) cache->held += entries[i].size;
    if (cache->held > cache->cap) {
        qsort(entries, count, sizeof *entries, older_first);
        for (size_t i = 0; i < count && cache->held > cache->cap - cache->cap / 10; i++) {
            char path[4096];
            if (snprintf(path, sizeof path, "%s/%s", cache->folder, entries[i].name) >= (int)sizeof path) continue;
            if (unlink(path) == 0 || errno == ENOENT) cache->held -= entries[i].size;
        }
    }
    nigh_buffer_free(&found);
}

void disk_cache_size(disk_cache *cache, int64_t *entries, int64_t *bytes)
{
    nigh_buffer found = {.ctx = cache->ctx};
    list(cache, &found);
    const entry *e = (const entry *)found.data;
    *entries = (int64_t)(found.size / sizeof *e);
    *bytes = 0;
    for (int64_t i = 0; i < *entries; i++) *bytes += e[i].size;
    nigh_buffer_free(&found);
}

/* ---- keeping ---- */

/* Not synced: after a power cut the checksum tells. */
static nigh_status keep(disk_cache *cache, const char *key, const void *bytes, size_t size)
{
    static unsigned counter;
    nigh_context *ctx = cache->ctx;
    nigh_buffer text = {.ctx = ctx};
    char *pair = nigh_format(ctx, "%s/%.2s", cache->folder, key);
    char *path = nigh_format(ctx, "%s/%.2s/%s", cache->folder, key, key + 2);
    char *temporary = nigh_format(ctx, "%s/%.2s/%ld-%u.tmp", cache->folder, key, (long)getpid(), __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
    char sum[65];
    nigh_status status = pair && path && temporary ? NIGH_OK : NIGH_MEMORY;
    checksum(key, bytes, size, sum);
    if (!status) status = nigh_buffer_add(&text, magic, 8);
    if (!status) status = nigh_buffer_add(&text, sum, 64);
    if (!status) status = nigh_buffer_add(&text, bytes, size);
    if (!status && mkdir(pair, 0700) < 0 && errno != EEXIST) status = nigh_file_fail(ctx, "make folder", pair, errno);
    if (!status) status = nigh_file_put(ctx, temporary, text.data, text.size);
    if (!status && rename(temporary, path) < 0) {
        status = nigh_file_fail(ctx, "write", path, errno);
        unlink(temporary);
    }
    nigh_buffer_free(&text);
    nigh_free(ctx, temporary);
    nigh_free(ctx, path);
    nigh_free(ctx, pair);
    return status;
}

void disk_cache_put(disk_cache *cache, const char *key, const void *bytes, size_t size)
{
    if (!key_fine(key) || size > (size_t)cache->cap / 2) return; /* one entry is not to drive all others out */
    nigh_status status = keep(cache, key, bytes, size);
    if (status) {
        if (!cache->warned) nigh_log(cache->ctx, NIGH_LOG_WARNING, "results are not kept for later: %s", nigh_message(cache->ctx));
        cache->warned = true;
        return;
    }
    cache->held = cache->held < 0 ? -1 : cache->held + (int64_t)size + HEAD;
    if (cache->held < 0 || cache->held > cache->cap) trim(cache);
}
