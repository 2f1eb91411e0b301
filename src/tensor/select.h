/* Order of rows of numbers: the k first, stable sorting, the k-th. */
#ifndef NIGH_TENSOR_SELECT_H
#define NIGH_TENSOR_SELECT_H
#include "nigh/core.h"

/*
 * The order: smallest first, or largest first; at ties (-0 = 0) the lowest index first; NaN last either way. k = columns sorts.
 */
typedef struct select_spec {
    nigh_dtype dtype; /* f32, f64 */
    int64_t rows, columns, k;
    bool largest;
    bool only_last; /* one result a row, the k-th alone (k from 1), without sorting: quickselect */
} select_spec;

typedef struct selection selection;

/* NIGH_INVALID: rows or columns below 0, k below 0 or above columns, only_last with k = 0. threads: at most so many. */
nigh_status select_new(nigh_context *ctx, const select_spec *spec, int threads, selection **out);
void select_free(selection *s); /* NULL is fine */
size_t select_workspace(const selection *s);

/* x [rows, columns] -> values and index [rows, k] (only_last: [rows, 1]); either NULL: not wanted. O(columns) a row and a radix sort of k. */
void select_run(const selection *s, const void *x, void *values, int64_t *index, void *workspace);

/* Of one CPU level: one row. room: (columns + 7) numbers and 2 k pairs (number, i64), 64-byte aligned. */
typedef void select_row(int64_t columns, int64_t k, bool largest, bool only_last, const void *x, void *values, int64_t *index, void *room);
extern select_row *const select_scalar[2], *const select_avx2[2], *const select_avx512[2];
nigh_status select_new_at(nigh_context *ctx, nigh_cpu_level level, const select_spec *spec, int threads, selection **out);
#endif
