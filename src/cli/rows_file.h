/* Rows for `nigh plan FILE --loss`: a file of any format that nigh reads, split into features, y and weights. */
#ifndef NIGH_CLI_ROWS_FILE_H
#define NIGH_CLI_ROWS_FILE_H
#include "nigh/coreset.h"

typedef struct rows_words {
    const char *path, *target, *features, *weight;
    bool standardise;
} rows_words;

/* Zeroed, it is empty; rows_file_free ends it. */
typedef struct rows_file {
    nigh_rows rows;
    double *x, *y, *weight;   /* what rows points to; y, weight NULL where there is none */
    double *mean, *scale;     /* of the standardisation, NULL: none */
    double classes[2];        /* the values of y that became 0 and 1 */
} rows_file;

/* Checked for this loss: y is there when it uses y, has two values where those are classes. */
nigh_status rows_file_read(nigh_context *ctx, const rows_words *words, const nigh_loss *loss, rows_file *out);
/* A libsvm file by its name: its label is y, whatever the loss. */
bool rows_file_sparse(const char *path);

void rows_file_free(nigh_context *ctx, rows_file *file);
#endif
