/* Tables of the spectral convolution, for those who write it in other forms. */
#ifndef NIGH_GRAD_SPECTRAL_H
#define NIGH_GRAD_SPECTRAL_H
#include "nigh/core.h"

/* The letters are those of spectral.c: F, E, E of one dimension (with the complex product inside), G, B. */
typedef enum spectral_kind { SPECTRAL_FORWARD_LAST, SPECTRAL_BACK_LAST, SPECTRAL_BACK_ONLY, SPECTRAL_FORWARD_FIRST, SPECTRAL_BACK_FIRST } spectral_kind;

typedef struct spectral_table {
    int64_t rows, columns;
    double *value; /* freed by nigh_free */
} spectral_table;

/* For n points and `modes` modes from `low` on (0 along the last dimension). NIGH_MEMORY. */
nigh_status spectral_table_new(nigh_context *ctx, spectral_kind kind, int64_t n, int64_t low, int64_t modes, spectral_table *out);
#endif
