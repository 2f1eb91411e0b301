/* A text of libsvm rows piece by piece, for readers that do not hold all of a file. */
#ifndef NIGH_IO_LIBSVM_H
#define NIGH_IO_LIBSVM_H
#include "nigh/io.h"

typedef struct libsvm_piece {
    bool started; /* a byte order mark is no longer looked for */
    bool later;   /* rows were read before this piece, and `queries` says whether they had a qid */
    bool queries;
    int64_t before; /* lines in front of the piece */
    nigh_libsvm_rows rows; /* nigh_libsvm_free */
    int64_t *line;         /* [rows.rows] of the file; nigh_free */
} libsvm_piece;

/* Whole lines of the file: fills rows (none is fine; columns: the largest index of the piece) and line. Messages as nigh_libsvm_parse, with the lines of the file. */
nigh_status libsvm_piece_read(nigh_context *ctx, const char *text, size_t size, const char *name, const nigh_libsvm_options *options,
                              libsvm_piece *piece);

nigh_status libsvm_no_rows(nigh_context *ctx, const char *name);
#endif
