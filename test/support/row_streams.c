/* Row streams against the readers that hold all of a file. Declared in row_streams.h. */
#include "row_streams.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void differ(const char *what, const char *got, const char *want)
{
    fprintf(stderr, "row stream: %s: '%s', but '%s' is right\n", what, got, want);
    abort();
}

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

/* What the whole reader found. */
typedef struct whole {
    nigh_status status;
    char message[600];
    int64_t rows, columns;
    const double *values;
    bool packed; /* a damaged gzip file may be found out before or after a bad row */
} whole;

/* Rows against the file's; returns the status at the end. */
static nigh_status compare_rows(nigh_row_stream *s, const whole *w, int64_t most)
{
    nigh_row_block b;
    nigh_status status;
    int64_t row = 0, line = 0;
    while (!(status = nigh_row_stream_next(s, &b)) && b.count) {
        if (w->status) {
            row += b.count;
            continue;
        }
        if (b.first != row || b.count > most || b.d != w->columns || row + b.count > w->rows) differ("rows of a block", "others", "those of the file");
        if (b.line <= line) differ("line of a block", "not above the one before", "above");
        line = b.line;
        for (int64_t i = 0; i < b.count * b.d; i++)
            if (!same_bits(b.x[i], w->values[row * b.d + i])) differ("value", "others", "those of the file");
        row += b.count;
    }
    if (!status && !w->status && row != w->rows) differ("number of rows", "another", "that of the file");
    return status;
}

static bool compare(nigh_context *ctx, const void *bytes, size_t size, const nigh_row_options *options, const whole *w)
{
    nigh_row_stream *s = NULL;
    nigh_status status = nigh_row_stream_parse(ctx, bytes, size, "input", options, &s);
    if (!status) status = compare_rows(s, w, options->rows ? options->rows : INT64_MAX);
    if ((status != NIGH_OK) != (w->status != NIGH_OK) || (!w->packed && status != w->status)) differ("status", nigh_status_text(status), nigh_status_text(w->status));
    if (status && !w->packed && strcmp(nigh_message(ctx), w->message) != 0) differ("message", nigh_message(ctx), w->message);
    if (!status) {
        status = nigh_row_stream_rewind(s);
        if (!status) status = compare_rows(s, w, options->rows ? options->rows : INT64_MAX);
        if (status) differ("rewind", nigh_message(ctx), "no failure");
    }
    nigh_row_stream_free(s);
    return w->status == NIGH_OK;
}

static bool is_packed(const void *bytes, size_t size) { return size >= 3 && memcmp(bytes, "\x1f\x8b\x08", 3) == 0; }

bool same_as_csv(nigh_context *ctx, const void *bytes, size_t size, const nigh_row_options *options)
{
    nigh_table table = {0};
    nigh_csv_options o = {options->separator, options->header, options->missing ? NIGH_CSV_MISSING_NAN : NIGH_CSV_MISSING_REFUSE, 1 << 24};
    whole w = {.status = nigh_csv_parse(ctx, bytes, size, "input", &o, &table), .packed = is_packed(bytes, size)};
    if (w.status == NIGH_RESOURCE) return false;
    if (w.status) snprintf(w.message, sizeof w.message, "%s", nigh_message(ctx));
    w.rows = table.rows;
    w.columns = table.columns;
    w.values = table.values;
    nigh_row_options as_csv = *options;
    as_csv.format = NIGH_ROWS_CSV;
    bool read = compare(ctx, bytes, size, &as_csv, &w);
    nigh_table_free(ctx, &table);
    return read;
}

bool same_as_libsvm(nigh_context *ctx, const void *bytes, size_t size, const nigh_row_options *options)
{
    nigh_libsvm_rows sparse = {0};
    nigh_array dense = {0};
    nigh_libsvm_options o = {.columns = options->columns, .zero_based = options->zero_based, .max_bytes = 1 << 24};
    whole w = {.status = nigh_libsvm_parse(ctx, bytes, size, "input", &o, &sparse), .packed = is_packed(bytes, size)};
    if (w.status == NIGH_RESOURCE) return false;
    if (w.status) snprintf(w.message, sizeof w.message, "%s", nigh_message(ctx));
    double *values = NULL;
    if (!w.status) {
        bool large = sparse.columns > 100 || nigh_libsvm_to_dense(ctx, &sparse, 1 << 24, &dense);
        w.rows = sparse.rows;
        w.columns = sparse.columns + 1;
        values = large ? NULL : malloc((size_t)(w.rows * w.columns + 1) * sizeof *values);
        if (!values) {
            nigh_libsvm_free(ctx, &sparse);
            nigh_array_free(ctx, &dense);
            return false;
        }
        for (int64_t i = 0; i < w.rows; i++) {
            values[i * w.columns] = sparse.label[i];
            if (w.columns > 1) memcpy(values + i * w.columns + 1, (double *)dense.data + i * (w.columns - 1), (size_t)(w.columns - 1) * sizeof *values);
        }
        w.values = values;
    }
    nigh_row_options as_libsvm = *options;
    as_libsvm.format = NIGH_ROWS_LIBSVM;
    as_libsvm.features = "1--1";
    as_libsvm.target = "";
    bool read = compare(ctx, bytes, size, &as_libsvm, &w);
    free(values);
    nigh_libsvm_free(ctx, &sparse);
    nigh_array_free(ctx, &dense);
    return read;
}
