/* Bytes of a file, a pipe or memory. Declared in io/byte_source.h. */
#include "io/byte_source.h"

#include "core/file.h"
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RAW = 1 << 18, THREADS_MOST = 64 };

/* ---- bytes as they stand ---- */

static nigh_status read_pipe(byte_source *s, char *to, size_t want, size_t *got)
{
    *got = 0;
    while (*got < want) {
        nigh_status status = nigh_poll(s->ctx);
        if (status) return status;
        ssize_t some = read(s->fd, to + *got, want - *got);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return nigh_file_fail(s->ctx, "read", s->name, errno);
        if (some == 0) break;
        *got += (size_t)some;
    }
    return NIGH_OK;
}

/* 0 or errno; *got < want only at the end of the file. */
static int read_piece(int fd, uint64_t offset, char *to, size_t want, size_t *got)
{
    *got = 0;
    while (*got < want) {
        ssize_t some = pread(fd, to + *got, want - *got, (off_t)(offset + *got));
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return errno;
        if (some == 0) break;
        *got += (size_t)some;
    }
    return 0;
}

static nigh_status read_file(byte_source *s, uint64_t offset, char *to, size_t want, int threads, size_t *got)
{
    int error[THREADS_MOST] = {0}, parts = want < RAW ? 1 : threads < THREADS_MOST ? threads : THREADS_MOST;
    size_t taken[THREADS_MOST], step = (want + (size_t)parts - 1) / (size_t)parts;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int i = 0; i < parts; i++) {
        size_t from = (size_t)i * step, size = from >= want ? 0 : want - from < step ? want - from : step;
        error[i] = read_piece(s->fd, offset + from, to + from, size, &taken[i]);
    }
    *got = 0;
    for (int i = 0; i < parts; i++) {
        if (error[i]) return nigh_file_fail(s->ctx, "read", s->name, error[i]);
        *got += taken[i];
        if (taken[i] < step) break;
    }
    posix_fadvise(s->fd, (off_t)(offset + *got), (off_t)want, POSIX_FADV_WILLNEED);
    return NIGH_OK;
}

static nigh_status read_raw(byte_source *s, char *to, size_t want, int threads, size_t *got)
{
    nigh_status status = NIGH_OK;
    if (s->fd < 0) {
        *got = s->size - s->at < want ? (size_t)(s->size - s->at) : want;
        if (*got) memcpy(to, s->bytes + s->at, *got);
    } else {
        status = s->seekable ? read_file(s, s->at, to, want, threads, got) : read_pipe(s, to, want, got);
    }
    if (!status) s->at += *got;
    return status;
}

/* More bytes behind those in `raw`. */
static nigh_status fill_raw(byte_source *s)
{
    if (s->raw_at) memmove(s->raw, s->raw + s->raw_at, s->raw_end -= s->raw_at);
    s->raw_at = 0;
    size_t got;
    nigh_status status = read_raw(s, s->raw + s->raw_end, RAW - s->raw_end, 1, &got);
    if (!status) s->raw_end += got;
    return status;
}

/* ---- gzip ---- */

/* Behind a member: zeros are padding of tapes, then another member or the end. */
static nigh_status next_member(byte_source *s)
{
    for (;;) {
        while (s->raw_at < s->raw_end && s->raw[s->raw_at] == 0) s->raw_at++;
        if (s->raw_end - s->raw_at >= 3) break;
        size_t before = s->raw_end - s->raw_at;
        nigh_status status = fill_raw(s);
        if (status) return status;
        if (s->raw_end == before) break;
    }
    if (s->raw_at == s->raw_end) {
        s->ended = true;
        return NIGH_OK;
    }
    if (!nigh_io_is_gzip(s->raw + s->raw_at, s->raw_end - s->raw_at))
        return nigh_fail(s->ctx, NIGH_FORMAT, "'%s': byte %llu: other data follows the gzip data", s->name,
                         (unsigned long long)(s->at - (s->raw_end - s->raw_at)));
    inflateReset(&s->z);
    s->member_done = false;
    return NIGH_OK;
}

static nigh_status inflate_some(byte_source *s, char *to, size_t want, size_t *got)
{
    bool dry = false;
    if (s->raw_at == s->raw_end) {
        nigh_status status = fill_raw(s);
        if (status) return status;
        dry = s->raw_end == 0;
    }
    s->z.next_in = (unsigned char *)s->raw + s->raw_at;
    s->z.avail_in = (unsigned)(s->raw_end - s->raw_at);
    s->z.next_out = (unsigned char *)to;
    s->z.avail_out = want < 1u << 30 ? (unsigned)want : 1u << 30;
    size_t output = s->z.avail_out;
    int result = inflate(&s->z, Z_NO_FLUSH);
    s->raw_at = s->raw_end - s->z.avail_in;
    *got = output - s->z.avail_out;
    if (result == Z_STREAM_END) s->member_done = true;
    else if (result == Z_MEM_ERROR) return nigh_fail(s->ctx, NIGH_MEMORY, "'%s': out of memory for zlib", s->name);
    else if (result == Z_BUF_ERROR && dry)
        return nigh_fail(s->ctx, NIGH_FORMAT, "'%s': the gzip data is cut off after %llu bytes", s->name, (unsigned long long)s->at);
    else if (result != Z_OK && result != Z_BUF_ERROR)
        return nigh_fail(s->ctx, NIGH_FORMAT, "'%s': byte %llu: gzip data is damaged: %s", s->name,
                         (unsigned long long)(s->at - s->z.avail_in), s->z.msg ? s->z.msg : "unknown");
    return NIGH_OK;
}

static nigh_status read_packed(byte_source *s, char *to, size_t want, size_t *got)
{
    *got = 0;
    while (*got < want && !s->ended) {
        size_t some = 0;
        nigh_status status = nigh_poll(s->ctx);
        if (!status) status = s->member_done ? next_member(s) : inflate_some(s, to + *got, want - *got, &some);
        if (status) return status;
        *got += some;
    }
    return NIGH_OK;
}

/* ---- the whole ---- */

/* Looks at the first bytes. */
static nigh_status begin(byte_source *s)
{
    s->raw = nigh_alloc(s->ctx, RAW);
    if (!s->raw) return NIGH_MEMORY;
    nigh_status status = fill_raw(s);
    if (status) return status;
    s->packed = nigh_io_is_gzip(s->raw, s->raw_end);
    if (!s->packed) return NIGH_OK;
    s->z = nigh_io_zlib(s->ctx);
    if (inflateInit2(&s->z, 16 + MAX_WBITS) == Z_OK) return NIGH_OK;
    s->packed = false;
    return nigh_fail(s->ctx, NIGH_MEMORY, "'%s': out of memory for zlib", s->name);
}

nigh_status byte_source_open(nigh_context *ctx, const char *path, const char *name, byte_source *out)
{
    *out = (byte_source){.ctx = ctx, .name = name, .fd = STDIN_FILENO};
    if (strcmp(path, "-") != 0) {
        out->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (out->fd < 0) return nigh_file_fail(ctx, "open", name, errno);
        out->owned = true;
    }
    struct stat info;
    if (fstat(out->fd, &info)) return nigh_file_fail(ctx, "open", name, errno);
    if (S_ISDIR(info.st_mode)) return nigh_file_fail(ctx, "read", name, EISDIR);
    out->seekable = S_ISREG(info.st_mode) && out->owned;
    if (out->seekable) {
        out->size = (uint64_t)info.st_size;
        posix_fadvise(out->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return begin(out);
}

nigh_status byte_source_of_bytes(nigh_context *ctx, const void *bytes, size_t size, const char *name, byte_source *out)
{
    *out = (byte_source){.ctx = ctx, .name = name, .fd = -1, .bytes = bytes, .size = size, .seekable = true};
    return begin(out);
}

void byte_source_close(byte_source *s)
{
    if (s->packed) inflateEnd(&s->z);
    if (s->owned) close(s->fd);
    nigh_free(s->ctx, s->raw);
    *s = (byte_source){.fd = -1};
}

nigh_status byte_source_read(byte_source *s, char *to, size_t want, int threads, size_t *got)
{
    if (s->packed) return read_packed(s, to, want, got);
    size_t held = s->raw_end - s->raw_at < want ? s->raw_end - s->raw_at : want;
    if (held) memcpy(to, s->raw + s->raw_at, held);
    s->raw_at += held;
    *got = 0;
    nigh_status status = held < want ? read_raw(s, to + held, want - held, threads, got) : NIGH_OK;
    *got += held;
    return status;
}

nigh_status byte_source_seek(byte_source *s, uint64_t offset)
{
    if (!s->seekable)
        return nigh_fail(s->ctx, NIGH_UNSUPPORTED, "'%s' is a pipe and cannot be read a second time; a file can", s->name);
    s->raw_at = s->raw_end = 0;
    s->at = s->packed ? 0 : offset;
    if (!s->packed) return NIGH_OK;
    inflateReset(&s->z);
    s->member_done = s->ended = false;
    char skipped[4096];
    for (size_t got = 1; offset > 0 && got > 0; offset -= got) {
        nigh_status status = read_packed(s, skipped, offset < sizeof skipped ? (size_t)offset : sizeof skipped, &got);
        if (status) return status;
    }
    return NIGH_OK;
}

nigh_status byte_source_read_at(byte_source *s, uint64_t offset, void *to, size_t want)
{
    size_t got = 0;
    nigh_status status = NIGH_OK;
    if (s->fd >= 0) status = read_file(s, offset, to, want, 1, &got);
    else if (offset < s->size) memcpy(to, s->bytes + offset, got = s->size - offset < want ? (size_t)(s->size - offset) : want);
    if (!status && got < want)
        status = nigh_fail(s->ctx, NIGH_FORMAT, "'%s' ends at byte %llu; it became shorter while it was read", s->name, (unsigned long long)(offset + got));
    return status;
}
