/* Bytes one after another out of a file, a pipe or memory, unpacked when they are gzip data; for readers that do not hold all of a file. */
#ifndef NIGH_IO_ROW_SOURCE_H
#define NIGH_IO_ROW_SOURCE_H
#include "io/gzip.h"
#include "nigh/core.h"

typedef struct row_source {
    nigh_context *ctx;
    const char *name;  /* for messages, borrowed */
    int fd;            /* -1: memory */
    bool owned;        /* fd is closed at the end */
    bool seekable;
    const char *bytes; /* memory */
    uint64_t size;     /* of the file or memory; 0: unknown */
    uint64_t at;       /* raw bytes taken */
    bool packed, member_done, ended;
    z_stream z;
    char *raw; /* bytes read ahead: raw[raw_at .. raw_end) */
    size_t raw_at, raw_end;
} row_source;

/* `path` may be "-". End it with row_source_close, also after a failure. */
nigh_status row_source_open(nigh_context *ctx, const char *path, const char *name, row_source *out);
nigh_status row_source_of_bytes(nigh_context *ctx, const void *bytes, size_t size, const char *name, row_source *out);
void row_source_close(row_source *s);

/* Up to `want` unpacked bytes; fewer only at the end. `threads` copy from a plain file. */
nigh_status row_source_read(row_source *s, char *to, size_t want, int threads, size_t *got);

/* To unpacked byte `offset`. NIGH_UNSUPPORTED for pipes. */
nigh_status row_source_seek(row_source *s, uint64_t offset);

/* Exactly `want` bytes from `offset` of a plain seekable source, which stays where it is; NIGH_FORMAT when it is shorter. */
nigh_status row_source_read_at(row_source *s, uint64_t offset, void *to, size_t want);
#endif
