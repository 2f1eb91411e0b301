/* gzip in memory, for files that may come gzipped, and zlib's memory out of the context. */
#ifndef NIGH_IO_GZIP_H
#define NIGH_IO_GZIP_H
#include "nigh/core.h"

#include <zlib.h>

bool nigh_io_is_gzip(const void *bytes, size_t size);

/* All members decompressed into `out` (ctx set, empty; the caller frees it on success). More than `most` bytes:
 * NIGH_RESOURCE. */
nigh_status nigh_io_gunzip(nigh_context *ctx, const void *bytes, size_t size, const char *name, uint64_t most, nigh_buffer *out);

/* One member, deflated with level 6 and without name or time, appended to `out`. */
nigh_status nigh_io_gzip(nigh_context *ctx, const void *bytes, size_t size, nigh_buffer *out);

/*
 * The bytes themselves, or what they are unpacked to when they are gzip data (at most `most` bytes, 0: 4 GiB), in *data and *plain;
 * `room` (ctx set, empty) holds what was unpacked and is freed by the caller in every case.
 */
nigh_status nigh_io_plain(nigh_context *ctx, const void *bytes, size_t size, const char *name, uint64_t most, nigh_buffer *room,
                          const char **data, size_t *plain);

/* The file at `path` gets these bytes, gzipped when the path ends in ".gz". */
nigh_status nigh_io_write_maybe_gzip(nigh_context *ctx, const char *path, const nigh_buffer *bytes);

/* A zlib stream whose memory comes from ctx. */
z_stream nigh_io_zlib(nigh_context *ctx);
#endif
