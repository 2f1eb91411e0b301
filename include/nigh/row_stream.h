/*
 * nigh/row_stream.h: the rows of a file one block after another, in one pass and bounded memory, however large the file is.
 *
 *   csv            also gzipped, also from standard input ("-"); blocks are parsed on several threads; numbers, quotes, comments, missing
 *                  values and messages as nigh_csv_read has them, to the bit
 *   libsvm         also gzipped; dense blocks; column 1 is the label, feature i is column i + 1
 *   npy            an array [rows] or [rows, columns] of real numbers, C or Fortran order, read block by block
 *   npz, HDF5 ...  read whole at the opening (PATH:NAME chooses an array), since they are compressed or have an order of their own
 *
 * Memory: about 4 times the options' chunk for text (16 MiB), more only for lines longer than that; see nigh_row_stream_memory.
 */
#ifndef NIGH_ROW_STREAM_H
#define NIGH_ROW_STREAM_H
#include "nigh/core.h"
#include "nigh/io.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_row_format { NIGH_ROWS_GUESS, NIGH_ROWS_CSV, NIGH_ROWS_LIBSVM, NIGH_ROWS_ARRAY } nigh_row_format;

/* What happens to a row with a missing value (NaN) in a column that is used. In csv anything may stand in a column that is not. */
typedef enum nigh_row_missing { NIGH_ROWS_MISSING_REFUSE, NIGH_ROWS_MISSING_NAN, NIGH_ROWS_MISSING_DROP } nigh_row_missing;

/* All zero is the default in brackets; NULL means that too. Texts are only read while the stream is opened. */
typedef struct nigh_row_options {
    nigh_row_format format;  /* [by the first bytes and the ending: .svm, .libsvm and .svmlight, also before .gz, are libsvm]   */
    char separator;          /* csv, as nigh_csv_options                                                                     */
    nigh_csv_header header;  /* csv                                                                                          */
    nigh_row_missing missing;
    const char *features;    /* columns as nigh_table_columns reads them [all but target and weight]                         */
    const char *target;      /* one column, "" for none [none; libsvm: the label]                                             */
    const char *weight;      /* one column; negative or infinite weights are NIGH_FORMAT [none]                              */
    bool single;             /* blocks hold x as f32                                                                         */
    bool zero_based;         /* libsvm: indices begin at 0                                                                   */
    int64_t columns;         /* libsvm: features. [the largest index, found by a pass of its own; not for pipes]             */
    int64_t rows;            /* of a block at most [as many as a chunk has]                                                  */
    size_t chunk;            /* bytes read at once [4 MiB]                                                                   */
    size_t longest;          /* bytes of a line, or of all before the first row, at most: beyond it NIGH_RESOURCE [64 MiB]   */
    int threads;             /* [of the context]                                                                             */
} nigh_row_options;

typedef struct nigh_row_stream nigh_row_stream;

/*
 * Opens a file and reads its beginning. NIGH_IO, NIGH_FORMAT as the readers of nigh/io.h; NIGH_INVALID for columns that are not there, a
 * feature list that names target or weight. path "-": standard input.
 */
NIGH_API nigh_status nigh_row_stream_open(nigh_context *ctx, const char *path, const nigh_row_options *options, nigh_row_stream **stream);

/* The same for bytes in memory, which must outlive the stream. csv and libsvm, plain or gzipped, and npy. */
NIGH_API nigh_status nigh_row_stream_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, const nigh_row_options *options,
                                           nigh_row_stream **stream);
NIGH_API void nigh_row_stream_free(nigh_row_stream *stream); /* NULL is fine */

typedef struct nigh_row_about {
    int64_t columns;      /* of the file */
    int64_t d;            /* features */
    char *const *names;   /* [columns] or NULL: no header; owned by the stream */
    const int64_t *feature; /* [d] columns from 0 */
    int64_t target, weight; /* column from 0; -1: none */
    int64_t total;        /* rows, when the file says so (arrays); else -1 */
    uint64_t bytes, size; /* read so far (of the packed file), and of the file (0: unknown) */
    int64_t rows, dropped; /* given so far; left out for missing values */
    bool can_rewind;
} nigh_row_about;
NIGH_API nigh_row_about nigh_row_stream_about(const nigh_row_stream *stream);

/* Owned by the stream, valid until its next call. */
typedef struct nigh_row_block {
    int64_t count;         /* rows; 0 at the end of the file */
    int64_t d;
    int64_t first;         /* number of row 0 in the file, counted from 0 with those that were dropped */
    const int64_t *number; /* [count] of each row; NULL: first + i */
    int64_t line;          /* where row 0 stands (text; else 0) */
    const double *x;       /* [count, d]; NULL with `single` */
    const float *x_single; /* [count, d]; else NULL */
    const double *y, *weight; /* [count]; NULL where there is none */
} nigh_row_block;

/*
 * The next rows in the order of the file. NIGH_FORMAT with file, line and column (arrays: row and column) of the first bad
 * value; a stream that failed is done. NIGH_INTERRUPTED when cancelled. Same rows and bits whatever chunk and threads are.
 */
NIGH_API nigh_status nigh_row_stream_next(nigh_row_stream *stream, nigh_row_block *block);

/* The line (text) or the row counted from 1 (arrays) of row i of the last block, for messages: "line 7" or "row 3". */
NIGH_API void nigh_row_stream_place(nigh_row_stream *stream, int64_t i, char out[64]);

/* Back to the first row. NIGH_UNSUPPORTED for pipes. */
NIGH_API nigh_status nigh_row_stream_rewind(nigh_row_stream *stream);

/* Bytes that it holds now. */
NIGH_API size_t nigh_row_stream_memory(const nigh_row_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
