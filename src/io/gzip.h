/* gzip in memory, for files that may come gzipped, and zlib's memory out of the context. */
#ifndef NIGH_IO_GZIP_H
#define NIGH_IO_GZIP_H
#include "nigh/core.h"

#include <zlib.h>

bool nigh_io_is_gzip(const void *bytes, size_t size);

/* All members decompressed into `out` (ctx set, empty; the caller frees it on success). More than `most` bytes:
 * NIGH_RESOURCE. */
nigh_status nigh_io_gunzip(nigh_context *ctx, const void *bytes, size_t size, const char *name, uint64_t most, nigh_buffer *out);

/* A zlib stream whose memory comes from ctx. */
z_stream nigh_io_zlib(nigh_context *ctx);
#endif
