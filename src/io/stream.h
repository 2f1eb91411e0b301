/* What the formats share: whole files in, atomically written files out, bytes of foreign texts in messages. */
#ifndef NIGH_IO_STREAM_H
#define NIGH_IO_STREAM_H
#include "nigh/io.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "src/io moves little-endian elements without conversion; a big-endian machine needs that conversion"
#endif

/* The whole file ("-": standard input) in `out` (ctx set, empty; the caller frees it on success). */
nigh_status nigh_io_read_all(nigh_context *ctx, const char *path, nigh_buffer *out);

/* How messages name the file at `path`. */
const char *nigh_io_source_name(const char *path);

/*
 * Where a writer puts its bytes: a buffer, a file that appears under its name only when all went well (core/file.h), or
 * standard output. What nigh_io_sink_open gave is ended by nigh_io_sink_end, exactly once, with the status of the
 * writing: a failure takes back what was written, but on standard output; the outcome is returned.
 */
typedef struct nigh_io_sink {
    nigh_context *ctx;
    nigh_buffer *buffer;
    size_t start;               /* of the buffer: a failure goes back to it */
    struct nigh_output *output; /* neither this nor a buffer: standard output */
    uint64_t written;
} nigh_io_sink;

nigh_io_sink nigh_io_sink_buffer(nigh_context *ctx, nigh_buffer *buffer);
nigh_status nigh_io_sink_open(nigh_context *ctx, const char *path, nigh_io_sink *sink);
nigh_status nigh_io_sink_add(nigh_io_sink *sink, const void *bytes, size_t size);
nigh_status nigh_io_sink_end(nigh_io_sink *sink, nigh_status status);

/* All of a file at once. */
nigh_status nigh_io_write_plain(nigh_context *ctx, const char *path, const nigh_buffer *bytes);

/* Foreign text for a message: at most 40 bytes, '?' for what does not print (a terminal must not obey a file). */
typedef struct nigh_io_excerpt {
    char text[48];
} nigh_io_excerpt;
nigh_io_excerpt nigh_io_excerpt_of(const void *bytes, size_t size);
#define NIGH_IO_EXCERPT(string) nigh_io_excerpt_of((string), strlen(string)).text

/* True when the bytes are valid UTF-8. */
bool nigh_io_is_utf8(const char *text, size_t size);

/* NIGH_INVALID unless dtype, ndim and dims are sane; `what` begins the message. */
nigh_status nigh_io_check_array(nigh_context *ctx, const nigh_array *array, const char *what);

/* bundle.c: takes the array over (on failure it stays the caller's), without looking for duplicates; and that look. */
nigh_status nigh_io_bundle_take(nigh_bundle *bundle, const char *name, size_t name_size, nigh_array *array);
nigh_status nigh_io_bundle_unique(const nigh_bundle *bundle, nigh_status wrong, const char *file);

/* npy.c: the header of an npy file in `out`, and the file behind it, piece by piece into a sink. */
nigh_status nigh_io_npy_header(nigh_context *ctx, const nigh_array *array, nigh_buffer *out);
nigh_status nigh_io_npy_put(nigh_io_sink *sink, const nigh_array *array);

/* npy.c: what the header of an npy file says, from the first `size` bytes of file_size; and elements turned round in place. */
typedef struct nigh_io_npy {
    nigh_shape shape;
    bool swapped, fortran;
    uint64_t start; /* of the data */
} nigh_io_npy;
nigh_status nigh_io_npy_look(nigh_context *ctx, const void *bytes, size_t size, uint64_t file_size, const char *name, nigh_io_npy *out);
void nigh_io_swap_bytes(void *data, size_t count, size_t unit);

/* safetensors.c: shows the tensors of a file that is in memory to `each`, in the order of their places; name and shape live for the call, data stands
 * in `bytes`, aligned or not. *metadata: as in nigh_bundle, set also on failure when it was read. */
typedef nigh_status nigh_io_tensor_fn(void *user, const char *name, const nigh_shape *shape, const void *data, size_t bytes);
nigh_status nigh_io_safetensors_each(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_io_tensor_fn *each, void *user, char **metadata);

/* npz.c: zip64 records for every entry when `zip64` is set, whatever its size. */
nigh_status nigh_io_npz_put(nigh_io_sink *sink, const nigh_bundle *bundle, int level, bool zip64);
#endif
