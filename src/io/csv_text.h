/*
 * csv as every reader of it needs it: separator, header and columns from the first lines; rows of a text in memory, many at once on
 * several threads or one after another; messages that name line and column. nigh_csv_parse (csv.c) and row streams stand on it.
 */
#ifndef NIGH_IO_CSV_TEXT_H
#define NIGH_IO_CSV_TEXT_H
#include "io/csv_kernels.h"
#include "io/stream.h"

#include <locale.h>

typedef struct csv_text {
    nigh_context *ctx; /* NULL: failures leave no message (in threads) */
    const char *name;  /* of the file */
    const char *at, *end;
    int64_t line;
    char separator; /* ' ': any run of blanks and tabs */
    nigh_csv_missing missing;
    locale_t c;
    const bool *loose; /* [columns] where anything may stand, NaN if it is no number; NULL: nowhere */
    int64_t columns;
    char *const *names; /* [columns] or NULL, for messages */
} csv_text;

/* NIGH_INVALID for a separator that is not allowed. */
nigh_status csv_options_check(nigh_context *ctx, const nigh_csv_options *options);

/* NIGH_FORMAT for UTF-16; else *skip: the length of a byte order mark. */
nigh_status csv_mark(nigh_context *ctx, const char *text, size_t size, const char *name, size_t *skip);

/*
 * Separator, columns and header of the text that r stands at the begin of, into `table` (its values and rows stay) and r, which goes on
 * to behind the header. What is allocated is in `table`, also on failure. *ran_out: the end of the text was looked at, so that more text might change what was found.
 */
nigh_status csv_head(csv_text *r, const nigh_csv_options *options, nigh_table *table, bool *ran_out);

/* To the next line with something in it; false at the end. */
bool csv_next_line(csv_text *r);

/* One row into out[columns]; r then stands on the line's end. */
nigh_status csv_row(csv_text *r, double *out);
void csv_line_end(csv_text *r);
void csv_skip_row(csv_text *r); /* a row that was read once, and its line's end */

/* "'FILE' has no rows" */
nigh_status csv_no_rows(nigh_context *ctx, const char *name, bool had_header);

/* "(NAME)" of a column for messages, "" without a header. */
typedef struct csv_label {
    char text[80];
} csv_label;
csv_label csv_column_label(const char *name);

/* ---- many rows (csv_wave.c) ---- */

enum { CSV_PARTS = 64, CSV_PART_BYTES = 1 << 18 };

typedef struct csv_part {
    const char *begin, *end;
    int64_t lines, rows;
    int64_t line;  /* of its begin */
    size_t room;   /* values at most */
    size_t offset; /* where they go */
    bool odd;      /* something is wrong in it */
    bool even;     /* every line is a row */
} csv_part;

typedef struct csv_wave {
    int count;
    size_t room; /* values at most, of all parts, and one row more that a line too short is read into to find what to say */
    csv_part part[CSV_PARTS];
} csv_wave;

/*
 * Cuts as much of begin .. end as CSV_PARTS parts of part_bytes take into parts at line ends; the last one ends at `end` or at a line's
 * end. Lines are counted on `threads`. `low` .. `high` may be looked at.
 */
void csv_wave_cut(csv_wave *w, const csv_text *r, const char *end, size_t part_bytes, int threads);

/*
 * Rows of the parts into values[*rows, columns] (w->room of them are there), in order; r goes to the wave's end, or further to the end of a row that
 * begins before it. On failure the message is
 * that of the first bad row and r->at == r->end when a quoted field was cut off there.
 */
nigh_status csv_wave_read(csv_wave *w, csv_text *r, const char *low, int threads, double *values, int64_t *rows);

/* The line of row `row` of a wave that was read without failure. */
int64_t csv_wave_line(const csv_wave *w, const csv_text *r, int64_t row);
#endif
