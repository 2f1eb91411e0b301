/* Average and maximum over windows of channels-last fields, and their gradients. */
#ifndef NIGH_TENSOR_POOL_H
#define NIGH_TENSOR_POOL_H
#include "nigh/core.h"

enum { POOL_DIMS = 3 };

typedef enum pool_kind { POOL_AVERAGE, POOL_MAX } pool_kind;

/*
 * x [N, in.., C] -> y [N, out.., C], out = (in + low + high - window) / stride + 1 (rounded down). Padding holds nothing: the maximum passes over it; the
 * average divides by the number of positions inside x, or by the whole window with count_padding. A window of the size of x without padding is the
 * global average.
 */
typedef struct pool_spec {
    pool_kind kind;
    nigh_dtype dtype;          /* f32, f64 */
    int dims;                  /* spatial dimensions: 1 .. 3 */
    int64_t x[POOL_DIMS + 2];  /* N, in.., C */
    int64_t window[POOL_DIMS]; /* 1 or more */
    int64_t stride[POOL_DIMS]; /* 1 or more */
    int64_t low[POOL_DIMS], high[POOL_DIMS]; /* 0 .. window - 1 */
    bool count_padding;
} pool_spec;

typedef struct pool pool;

/* Sizes [N, out.., C] of y; NIGH_INVALID with both shapes when nothing is left. */
nigh_status pool_shape(nigh_context *ctx, const pool_spec *spec, int64_t y[POOL_DIMS + 2]);

/* NIGH_INVALID as above; NIGH_UNSUPPORTED: another type, samples of 2^31 pixels or more with POOL_MAX. `threads`: at most so many. */
nigh_status pool_new(nigh_context *ctx, const pool_spec *spec, int threads, pool **out);
void pool_free(pool *p); /* NULL is fine */

/*
 * y of x. index [as y] gets the pixel of x within its sample that holds the maximum, the lowest at ties, that of the first NaN when there is one; NULL for averages,
 * and where the gradient is not wanted. Allocates nothing, re-entrant.
 */
void pool_run(const pool *p, const void *x, void *y, int32_t *index);

/* x' of y' (index as pool_run gave it for POOL_MAX, else NULL). Every x' is a sum in the order of y. */
void pool_adjoint(const pool *p, const void *dy, const int32_t *index, void *dx);
#endif
