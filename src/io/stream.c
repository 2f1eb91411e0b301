/* Whole files in, atomically written files out. Declared in io/stream.h. */
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 1 << 22 }; /* bytes between two looks at the cancel flag */

const char *nigh_io_source_name(const char *path) { return strcmp(path, "-") == 0 ? "standard input" : path; }
const char *nigh_io_target_name(const char *path) { return strcmp(path, "-") == 0 ? "standard output" : path; }

/* ---- reading ---- */

static nigh_status reserve(nigh_buffer *buffer, size_t room)
{
    if (room <= buffer->room) return NIGH_OK;
    char *data = nigh_resize(buffer->ctx, buffer->data, room);
    if (!data) return NIGH_MEMORY;
    buffer->data = data;
    buffer->room = room;
    return NIGH_OK;
}

static nigh_status read_on(nigh_context *ctx, int fd, const char *name, nigh_buffer *out)
{
    for (;;) {
        nigh_status status = nigh_poll(ctx);
        if (status) return status;
        if (out->room - out->size < 2 && (status = reserve(out, out->room > SIZE_MAX / 2 ? SIZE_MAX : 2 * out->room)))
            return nigh_within(ctx, status, "'%s'", name);
        size_t free_bytes = out->room - out->size - 1;
        ssize_t got = read(fd, out->data + out->size, free_bytes < STEP ? free_bytes : STEP);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return nigh_fail(ctx, NIGH_IO, "cannot read '%s': %s", name, strerror(errno));
        if (got == 0) break;
        out->size += (size_t)got;
    }
    out->data[out->size] = 0;
    return NIGH_OK;
}

nigh_status nigh_io_read_all(nigh_context *ctx, const char *path, nigh_buffer *out)
{
    bool standard = strcmp(path, "-") == 0;
    const char *name = nigh_io_source_name(path);
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nigh_fail(ctx, NIGH_IO, "cannot open '%s': %s", path, strerror(errno));
    struct stat info;
    size_t room = 1 << 16;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) room = (size_t)info.st_size + 2;
    nigh_status status = reserve(out, room);
    if (status)
        status = nigh_within(ctx, status, "'%s'", name);
    else
        status = read_on(ctx, fd, name, out);
    if (!standard) close(fd);
    if (status) nigh_buffer_free(out);
    return status;
}

/* ---- writing ---- */

static nigh_status write_failed(nigh_context *ctx, const char *path, int error)
{
    bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    return nigh_fail(ctx, full ? NIGH_RESOURCE : NIGH_IO, "cannot write '%s': %s", nigh_io_target_name(path), strerror(error));
}

nigh_io_sink nigh_io_sink_buffer(nigh_context *ctx, nigh_buffer *buffer)
{
    if (!buffer->ctx) buffer->ctx = ctx;
    return (nigh_io_sink){.ctx = ctx, .buffer = buffer, .fd = -1, .start = buffer->size};
}

/* The file that `path` leads to, through symbolic links, so that a rename does not replace the link. */
static char *resolve(nigh_context *ctx, const char *path)
{
    char *real = realpath(path, NULL);
    char *copy = nigh_strdup(ctx, real ? real : path);
    free(real);
    return copy;
}

static nigh_status open_temporary(nigh_io_sink *sink, mode_t mode)
{
    nigh_context *ctx = sink->ctx;
    sink->target = resolve(ctx, sink->path);
    sink->temporary = sink->target ? nigh_format(ctx, "%s.XXXXXX", sink->target) : NULL;
    if (!sink->temporary) return NIGH_MEMORY;
    sink->fd = mkostemp(sink->temporary, O_CLOEXEC);
    if (sink->fd < 0) return write_failed(ctx, sink->path, errno);
    if (fchmod(sink->fd, mode) != 0) { /* some file systems have no modes: the file stays private */
    }
    return NIGH_OK;
}

static mode_t default_mode(void)
{
    mode_t mask = umask(0); /* the only way to read it */
    umask(mask);
    return 0666 & ~mask;
}

nigh_status nigh_io_sink_open(nigh_context *ctx, const char *path, nigh_io_sink *sink)
{
    *sink = (nigh_io_sink){.ctx = ctx, .fd = -1, .path = path};
    if (!*path) return nigh_fail(ctx, NIGH_INVALID, "the name of the file to write is empty");
    if (strcmp(path, "-") == 0) {
        sink->fd = STDOUT_FILENO;
        return NIGH_OK;
    }
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) return write_failed(ctx, path, EISDIR);
    if (exists && !S_ISREG(info.st_mode)) {
        sink->fd = open(path, O_WRONLY | O_CLOEXEC);
        return sink->fd < 0 ? write_failed(ctx, path, errno) : NIGH_OK;
    }
    if (exists && access(path, W_OK) != 0) return write_failed(ctx, path, errno);
    nigh_status status = open_temporary(sink, exists ? info.st_mode & 07777 : default_mode());
    if (status) {
        if (sink->fd < 0 && sink->temporary) nigh_free(ctx, sink->temporary), sink->temporary = NULL;
        nigh_io_sink_abort(sink);
    }
    return status;
}

nigh_status nigh_io_sink_add(nigh_io_sink *sink, const void *bytes, size_t size)
{
    sink->written += size;
    if (sink->buffer) return nigh_buffer_add(sink->buffer, bytes, size);
    for (size_t done = 0; done < size;) {
        nigh_status status = nigh_poll(sink->ctx);
        if (status) return status;
        ssize_t put = write(sink->fd, (const char *)bytes + done, size - done < STEP ? size - done : STEP);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return write_failed(sink->ctx, sink->path, errno);
        done += (size_t)put;
    }
    return NIGH_OK;
}

static void sink_close(nigh_io_sink *sink)
{
    if (sink->fd > STDOUT_FILENO) close(sink->fd);
    sink->fd = -1;
    nigh_free(sink->ctx, sink->temporary);
    nigh_free(sink->ctx, sink->target);
    sink->temporary = sink->target = NULL;
}

void nigh_io_sink_abort(nigh_io_sink *sink)
{
    if (sink->buffer) {
        sink->buffer->size = sink->start;
        if (sink->buffer->data) sink->buffer->data[sink->start] = 0;
        return;
    }
    if (sink->temporary) unlink(sink->temporary);
    sink_close(sink);
}

/* Makes the rename itself last. A folder that cannot be opened or synced does not make the file wrong. */
static void sync_folder(char *target)
{
    char *slash = strrchr(target, '/');
    if (slash) slash[slash == target] = 0;
    int fd = open(slash ? target : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

nigh_status nigh_io_sink_commit(nigh_io_sink *sink)
{
    if (sink->buffer) return NIGH_OK;
    int error = 0;
    if (sink->temporary) {
        if (fsync(sink->fd) != 0 && errno != EINVAL) error = errno;
        if (close(sink->fd) != 0 && !error) error = errno;
        sink->fd = -1;
        if (!error && rename(sink->temporary, sink->target) != 0) error = errno;
        if (error)
            unlink(sink->temporary);
        else
            sync_folder(sink->target);
    } else if (sink->fd > STDOUT_FILENO) {
        if (close(sink->fd) != 0) error = errno;
        sink->fd = -1;
    }
    nigh_status status = error ? write_failed(sink->ctx, sink->path, error) : NIGH_OK;
    sink_close(sink);
    return status;
}

nigh_status nigh_io_sink_end(nigh_io_sink *sink, nigh_status status)
{
    if (!status) return nigh_io_sink_commit(sink);
    nigh_io_sink_abort(sink);
    return status;
}

/* ---- small helpers ---- */

nigh_io_excerpt nigh_io_excerpt_of(const void *bytes, size_t size)
{
    enum { MOST = 40 };
    const unsigned char *from = bytes;
    nigh_io_excerpt out;
    size_t n = size < MOST ? size : MOST;
    for (size_t i = 0; i < n; i++) out.text[i] = (char)(from[i] >= 32 && from[i] < 127 ? from[i] : '?');
    strcpy(out.text + n, size > MOST ? "..." : "");
    return out;
}

bool nigh_io_is_utf8(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + size;
    while (p < end) {
        unsigned first = *p++;
        if (first < 0x80) continue;
        int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || end - p < more) return false;
        uint32_t code = first & (0x3fu >> more);
        for (int i = 0; i < more; i++, p++) {
            if ((*p & 0xc0) != 0x80) return false;
            code = code << 6 | (*p & 0x3f);
        }
        static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
        if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    }
    return true;
}

nigh_status nigh_io_check_array(nigh_context *ctx, const nigh_array *array, const char *what)
{
    const nigh_shape *shape = &array->shape;
    if ((unsigned)shape->dtype > NIGH_C128)
        return nigh_fail(ctx, NIGH_INVALID, "%s: element type %d does not exist", what, (int)shape->dtype);
    if (shape->ndim < 0 || shape->ndim > NIGH_MAX_DIMS)
        return nigh_fail(ctx, NIGH_INVALID, "%s: %d dimensions; 0 to %d are allowed", what, shape->ndim, NIGH_MAX_DIMS);
    int64_t count = nigh_shape_count(shape);
    if (count < 0) return nigh_fail(ctx, NIGH_INVALID, "%s: the shape has a negative or overflowing size", what);
    if (count > 0 && !array->data) return nigh_fail(ctx, NIGH_INVALID, "%s: the array has no data", what);
    return NIGH_OK;
}
