/* Reductions over groups of rows (segments), gathering and scattering rows. Fixed order of sums: rows of a segment as they come. */
#ifndef NIGH_TENSOR_SEGMENT_H
#define NIGH_TENSOR_SEGMENT_H
#include "nigh/core.h"

typedef enum segment_op { SEGMENT_SUM, SEGMENT_MEAN, SEGMENT_MAX, SEGMENT_MIN } segment_op;

typedef struct segments segments;

/* Rows offsets[s] .. offsets[s+1]-1 belong to segment s: offsets [count + 1] rising from 0. NIGH_INVALID names the first that falls. Copied. */
nigh_status segments_from_offsets(nigh_context *ctx, int64_t count, const int64_t *offsets, int threads, segments **out);

/* Row i of n belongs to segment ids[i], 0 .. count-1, in any order (sorted once, stably). NIGH_INVALID names the first id outside. */
nigh_status segments_from_ids(nigh_context *ctx, int64_t n, int64_t count, const int64_t *ids, int threads, segments **out);
void segments_free(segments *s); /* NULL is fine */

/*
 * x [n, columns] f32 or f64 -> out [count, columns]. Segments without rows give 0 for sum and mean, `empty` for max and min. A NaN is
 * the max and min of its segment. arg [count, columns] (max and min; NULL: not wanted): the row of the first extreme one, -1 without
 * rows. Other dtypes than f32 and f64 do nothing.
 */
void segments_reduce(const segments *s, segment_op op, nigh_dtype dtype, int64_t columns, const void *x, double empty, void *out, int64_t *arg);

/* The gradient g [count, columns] of a reduction back to dx [n, columns], which is overwritten; arg as segments_reduce left it (max, min). */
void segments_reduce_back(const segments *s, segment_op op, nigh_dtype dtype, int64_t columns, const void *g, const int64_t *arg, void *dx);

/* out[ids[i], :] += x[i, :] in the order of i: scatter-add of rows, the same bits for any number of threads. */
void segments_add(const segments *s, nigh_dtype dtype, int64_t columns, const void *x, void *out);

/* out[i, :] = x[ids[i], :] for i < n, x [rows, columns]. NIGH_INVALID names the first id outside 0 .. rows-1. */
nigh_status gather_rows(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t rows, int64_t columns, const int64_t *ids, const void *x, int threads,
                        void *out);

/* Of one CPU level: columns from .. to of one segment whose rows are order[0 .. rows-1] (NULL: first, first + 1, ..). */
typedef struct segment_kernels {
    void (*sum)(int64_t rows, int64_t first, const int64_t *order, int64_t columns, int64_t from, int64_t to, double factor, bool add, const void *x, void *out);
    void (*extreme)(int64_t rows, int64_t first, const int64_t *order, int64_t columns, int64_t from, int64_t to, bool least, const void *x, void *out, int64_t *arg);
} segment_kernels;
extern const segment_kernels segment_scalar[2], segment_avx2[2], segment_avx512[2];
#endif
