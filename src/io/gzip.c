/* gzip in memory by zlib. Declared in io/gzip.h. */
#include "io/gzip.h"

#include "io/stream.h"

#include <string.h>

enum { STEP = 1 << 22 };

bool nigh_io_is_gzip(const void *bytes, size_t size) { return size >= 3 && memcmp(bytes, "\x1f\x8b\x08", 3) == 0; }

static void *zlib_alloc(void *user, unsigned count, unsigned size) { return nigh_alloc_zero(user, count, size); }
static void zlib_free(void *user, void *block) { nigh_free(user, block); }

z_stream nigh_io_zlib(nigh_context *ctx) { return (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = ctx}; }

/* Room for at least one more byte of output, beside the closing 0. */
static nigh_status grow(nigh_buffer *out, const char *name, uint64_t most)
{
    if (out->size > most)
        return nigh_fail(out->ctx, NIGH_RESOURCE, "'%s' decompresses to more than %llu bytes, the cap that is set", name,
                         (unsigned long long)most);
    if (out->room - out->size >= 2) return NIGH_OK;
    size_t room = out->room > SIZE_MAX / 2 ? SIZE_MAX : out->room ? 2 * out->room : 1 << 16;
    if (most < SIZE_MAX - 2 && room > most + 2) room = (size_t)most + 2;
    char *data = nigh_resize(out->ctx, out->data, room);
    if (!data) return nigh_within(out->ctx, NIGH_MEMORY, "'%s'", name);
    out->data = data;
    out->room = room;
    return NIGH_OK;
}

static nigh_status inflate_members(nigh_context *ctx, z_stream *z, const unsigned char *bytes, size_t size, const char *name,
                                   uint64_t most, nigh_buffer *out)
{
    size_t at = 0;
    for (;;) {
        nigh_status status = nigh_poll(ctx);
        if (!status) status = grow(out, name, most);
        if (status) return status;
        size_t room = out->room - out->size - 1, input = size - at < STEP ? size - at : STEP;
        z->next_in = (unsigned char *)bytes + at;
        z->avail_in = (unsigned)input;
        z->next_out = (unsigned char *)out->data + out->size;
        z->avail_out = (unsigned)(room < STEP ? room : STEP);
        size_t output = z->avail_out;
        int result = inflate(z, Z_NO_FLUSH);
        at += input - z->avail_in;
        out->size += output - z->avail_out;
        if (result == Z_STREAM_END) {
            while (at < size && bytes[at] == 0) at++; /* padding of tapes */
            if (at == size) return grow(out, name, most);
            if (!nigh_io_is_gzip(bytes + at, size - at))
                return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %zu: other data follows the gzip data", name, at);
            inflateReset(z);
        } else if (result == Z_MEM_ERROR) {
            return NIGH_MEMORY;
        } else if (result == Z_BUF_ERROR && at == size) {
            return nigh_fail(ctx, NIGH_FORMAT, "'%s': the gzip data is cut off after %zu bytes", name, size);
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %zu: gzip data is damaged: %s", name, at, z->msg ? z->msg : "unknown");
        }
    }
}

nigh_status nigh_io_gunzip(nigh_context *ctx, const void *bytes, size_t size, const char *name, uint64_t most, nigh_buffer *out)
{
    z_stream z = nigh_io_zlib(ctx);
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) return nigh_fail(ctx, NIGH_MEMORY, "'%s': out of memory for zlib", name);
    nigh_status status = inflate_members(ctx, &z, bytes, size, name, most, out);
    inflateEnd(&z);
    if (status)
        nigh_buffer_free(out);
    else
        out->data[out->size] = 0;
    return status;
}

nigh_status nigh_io_gzip(nigh_context *ctx, const void *bytes, size_t size, nigh_buffer *out)
{
    z_stream z = nigh_io_zlib(ctx);
    unsigned char room[1 << 15];
    nigh_status status = NIGH_OK;
    size_t at = 0;
    if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return nigh_fail(ctx, NIGH_MEMORY, "out of memory for zlib");
    for (int result = Z_OK; result != Z_STREAM_END && !status;) {
        size_t some = size - at < STEP ? size - at : STEP;
        z.next_in = (unsigned char *)bytes + at;
        z.avail_in = (unsigned)some;
        do {
            z.next_out = room;
            z.avail_out = sizeof room;
            result = deflate(&z, at + some == size ? Z_FINISH : Z_NO_FLUSH);
            status = nigh_buffer_add(out, room, sizeof room - z.avail_out);
        } while (z.avail_out == 0 && !status);
        at += some;
        if (!status) status = nigh_poll(ctx);
    }
    deflateEnd(&z);
    return status;
}

nigh_status nigh_io_plain(nigh_context *ctx, const void *bytes, size_t size, const char *name, uint64_t most, nigh_buffer *room,
                          const char **data, size_t *plain)
{
    *data = bytes;
    *plain = size;
    if (!nigh_io_is_gzip(bytes, size)) return NIGH_OK;
    nigh_status status = nigh_io_gunzip(ctx, bytes, size, name, most ? most : (uint64_t)4 << 30, room);
    *data = room->data;
    *plain = room->size;
    return status;
}

nigh_status nigh_io_write_maybe_gzip(nigh_context *ctx, const char *path, const nigh_buffer *bytes)
{
    nigh_buffer packed = {.ctx = ctx};
    size_t length = strlen(path);
    bool pack = length > 3 && strcmp(path + length - 3, ".gz") == 0;
    nigh_status status = pack ? nigh_io_gzip(ctx, bytes->data, bytes->size, &packed) : NIGH_OK;
    const nigh_buffer *out = pack ? &packed : bytes;
    if (!status) status = nigh_io_write_plain(ctx, path, out);
    nigh_buffer_free(&packed);
    return status;
}
