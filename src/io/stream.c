/* Bytes in, bytes out, for every format. Declared in io/stream.h. */
#include "io/stream.h"

#include "core/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEP = 1 << 22 }; /* bytes between two looks at the cancel flag */

const char *nigh_io_source_name(const char *path) { return strcmp(path, "-") == 0 ? "standard input" : path; }

nigh_status nigh_io_read_all(nigh_context *ctx, const char *path, nigh_buffer *out)
{
    nigh_status status = nigh_file_read(ctx, path, SIZE_MAX, &out->data, &out->size);
    return status == NIGH_MEMORY ? nigh_within(ctx, status, "'%s'", nigh_io_source_name(path)) : status;
}

/* ---- writing ---- */

nigh_io_sink nigh_io_sink_buffer(nigh_context *ctx, nigh_buffer *buffer)
{
    if (!buffer->ctx) buffer->ctx = ctx;
    return (nigh_io_sink){.ctx = ctx, .buffer = buffer, .start = buffer->size};
}

nigh_status nigh_io_sink_open(nigh_context *ctx, const char *path, nigh_io_sink *sink)
{
    *sink = (nigh_io_sink){.ctx = ctx};
    if (!*path) return nigh_fail(ctx, NIGH_INVALID, "the name of the file to write is empty");
    return strcmp(path, "-") == 0 ? NIGH_OK : nigh_output_open(ctx, path, &sink->output);
}

static nigh_status add_to_standard_output(nigh_context *ctx, const char *bytes, size_t size)
{
    while (size) {
        ssize_t put = write(STDOUT_FILENO, bytes, size);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return nigh_file_fail(ctx, "write", "standard output", errno);
        bytes += put;
        size -= (size_t)put;
    }
    return NIGH_OK;
}

nigh_status nigh_io_sink_add(nigh_io_sink *sink, const void *bytes, size_t size)
{
    sink->written += size;
    if (sink->buffer) return nigh_buffer_add(sink->buffer, bytes, size);
    nigh_status status = NIGH_OK;
    for (size_t done = 0, some; done < size && !status; done += some) {
        const char *piece = (const char *)bytes + done;
        some = size - done < STEP ? size - done : STEP;
        status = nigh_poll(sink->ctx);
        if (!status) status = sink->output ? nigh_output_add(sink->output, piece, some) : add_to_standard_output(sink->ctx, piece, some);
    }
    return status;
}

nigh_status nigh_io_sink_end(nigh_io_sink *sink, nigh_status status)
{
    if (!status) return sink->output ? nigh_output_commit(sink->output) : NIGH_OK;
    nigh_output_abandon(sink->output);
    if (sink->buffer) {
        sink->buffer->size = sink->start;
        if (sink->buffer->data) sink->buffer->data[sink->start] = 0;
    }
    return status;
}

nigh_status nigh_io_write_plain(nigh_context *ctx, const char *path, const nigh_buffer *bytes)
{
    nigh_io_sink sink;
    nigh_status status = nigh_io_sink_open(ctx, path, &sink);
    return status ? status : nigh_io_sink_end(&sink, nigh_io_sink_add(&sink, bytes->data, bytes->size));
}

/* ---- small helpers ---- */

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

nigh_io_excerpt nigh_io_excerpt_of(const void *bytes, size_t size)
{
    enum { MOST = 40 };
    const unsigned char *from = bytes;
    nigh_io_excerpt out;
    size_t n = size < MOST ? size : MOST;
    while (n < size && n > 0 && (from[n] & 0xc0) == 0x80) n--; /* no half letters */
    bool letters = n && nigh_io_is_utf8(bytes, n);
    for (size_t i = 0; i < n; i++) {
        bool control = from[i] < 32 || from[i] == 127 || (from[i] == 0xc2 && i + 1 < n && from[i + 1] < 0xa0);
        out.text[i] = (char)(control || (from[i] >= 128 && !letters) ? '?' : from[i]);
        if (control && from[i] == 0xc2) out.text[++i] = '?';
    }
    strcpy(out.text + n, size > n ? "..." : "");
    return out;
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
