/* Rows that are held: a growing store of rows with y, weight and number, shared by the reservoir and the tree of buckets. */
#ifndef NIGH_REDUCE_KEPT_H
#define NIGH_REDUCE_KEPT_H
#include "nigh/merge_reduce.h"

typedef struct row_store {
    int64_t d, count, room;
    double *x, *y, *weight; /* y NULL: none */
    int64_t *number;
    void *block;
} row_store;

/* Bytes of a store of `room` rows. */
size_t row_store_bytes(int64_t d, int64_t room);
nigh_status row_store_new(nigh_context *ctx, int64_t d, bool has_y, int64_t room, row_store *out);
void row_store_free(nigh_context *ctx, row_store *s); /* leaves it empty, without room */

/* Rows from .. from + count - 1 of a view behind those that are there; there must be room. */
void row_store_add(row_store *s, const nigh_rows *rows, int64_t from, int64_t count, int64_t first, const int64_t *number);
void row_store_move(row_store *s, int64_t from, int64_t to); /* one row */
nigh_rows row_store_view(const row_store *s);

/* Its rows become `out`'s, in order of their numbers; the store is empty afterwards. */
nigh_status row_store_give(nigh_context *ctx, row_store *s, nigh_kept_rows *out);

/* NIGH_INVALID for rows of another width, or without y where it is wanted. */
nigh_status row_store_check(nigh_context *ctx, const nigh_rows *rows, int64_t d, bool has_y);
#endif
