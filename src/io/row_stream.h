/* What the parts of a row stream share. The public side: nigh/row_stream.h. */
#ifndef NIGH_IO_ROW_STREAM_H
#define NIGH_IO_ROW_STREAM_H
#include "io/csv_text.h"
#include "io/libsvm.h"
#include "io/byte_source.h"
#include "nigh/row_stream.h"

/* Rows [count, columns] that were read and not yet given. */
typedef struct row_batch {
    const double *values;
    int64_t count;
    bool open; /* the column order and the values are as in the file, but may hold NaN */
} row_batch;

typedef struct row_text {
    char *text;
    size_t room, begin, end; /* text[begin .. end) is not parsed yet */
    bool ended;              /* nothing follows `end` */
    csv_text reader;
    uint64_t data_offset;    /* where rows begin in the file */
    int64_t data_line;
    csv_wave wave;
    libsvm_piece piece;
    int64_t piece_taken, piece_given; /* rows of the piece made dense; the first of the batch */
} row_text;

typedef struct row_array {
    nigh_array whole; /* read at the opening; or a npy file: */
    nigh_io_npy npy;
    char *raw;
    int64_t taken;
} row_array;

struct nigh_row_stream {
    nigh_context *ctx;
    char *name;
    nigh_row_options o; /* with the defaults filled in; its texts are gone */
    byte_source source;
    nigh_table head; /* columns, names, separator */
    int64_t *feature, d, target, weight;
    bool *loose; /* [columns] of csv that are not used; NULL: none */
    bool as_is; /* a batch is x */
    row_text text;
    row_array array;
    double *values; /* of a batch */
    size_t values_room;
    row_batch batch;
    int64_t given; /* rows of the batch given */
    int64_t row, rows, dropped, last; /* number of the next row; given; left out; batch row of the last block's row 0 */
    double *x, *y, *w;
    float *x_single;
    int64_t *number;
    int64_t block_room;
    bool numbered, failed;
    nigh_status (*fill)(nigh_row_stream *s);   /* a batch of count > 0 rows, or 0 at the end */
    nigh_status (*rewind)(nigh_row_stream *s);
    int64_t (*line)(const nigh_row_stream *s, int64_t batch_row);
    bool text_kind;
};

/* Room for `count` values in s->values, not kept. */
nigh_status row_stream_room(nigh_row_stream *s, size_t count);

/* row_stream_text.c: from the begin of the source; sets head, fill, rewind, line. */
nigh_status row_stream_csv(nigh_row_stream *s);
nigh_status row_stream_libsvm(nigh_row_stream *s);
void row_stream_text_free(nigh_row_stream *s);

/* row_stream_array.c: of an npy source; of a file read whole. */
nigh_status row_stream_npy(nigh_row_stream *s);
nigh_status row_stream_whole(nigh_row_stream *s, const char *path);
void row_stream_array_free(nigh_row_stream *s);
#endif
