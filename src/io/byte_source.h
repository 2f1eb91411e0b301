/* Bytes one after another out of a file, a pipe or memory, unpacked when they are gzip data; for readers that do not hold all of a file. */
#ifndef NIGH_IO_BYTE_SOURCE_H
#define NIGH_IO_BYTE_SOURCE_H
#include "io/gzip.h"
#include "nigh/core.h"

typedef struct byte_source {
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
} byte_source;

/* `path` may be "-". End it with byte_source_close, also after a failure. */
nigh_status byte_source_open(nigh_context *ctx, const char *path, const char *name, byte_source *out);
nigh_status byte_source_of_bytes(nigh_context *ctx, const void *bytes, size_t size, const char *name, byte_source *out);
void byte_source_close(byte_source *s);

/* Up to `want` unpacked bytes; fewer only at the end. `threads` copy from a plain file. */
nigh_status byte_source_read(byte_source *s, char *to, size_t want, int threads, size_t *got);

/* To unpacked byte `offset`. NIGH_UNSUPPORTED for pipes. */
nigh_status byte_source_seek(byte_source *s, uint64_t offset);

/* Exactly `want` bytes from `offset` of a plain seekable source, which stays where it is; NIGH_FORMAT when it is shorter. */
nigh_status byte_source_read_at(byte_source *s, uint64_t offset, void *to, size_t want);
#endif
