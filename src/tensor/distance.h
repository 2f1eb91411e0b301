/* Distances between rows of two matrices through matrix products, with direct recomputation where the product cancels. */
#ifndef NIGH_TENSOR_DISTANCE_H
#define NIGH_TENSOR_DISTANCE_H
#include "nigh/core.h"

typedef struct distance_spec {
    nigh_dtype dtype;  /* f32, f64 */
    int64_t n, m, size; /* x [n, size], y [m, size]; each fits an int */
} distance_spec;

typedef struct distance distance;

/*
 * The share of |x|^2 + |y|^2 below which |x|^2 + |y|^2 - 2 x y is not trusted: 2^-9 (f32), 2^-20 (f64). Squares above it carry a relative error of up to
 * about sqrt(size) 2^-15 (f32) or sqrt(size) 2^-33 (f64), those below it that of a direct sum, (size + 2) eps.
 */
double distance_share(nigh_dtype dtype);

/* NIGH_INVALID: negative sizes or such beyond int. threads: at most so many, each with blocks of rows of its own. */
nigh_status distance_new(nigh_context *ctx, const distance_spec *spec, int threads, distance **out);
void distance_free(distance *d); /* NULL is fine */
size_t distance_workspace(const distance *d);

/* out[i, j] = |x_i - y_j|^2, never negative; equal rows give 0. 2 n m size operations and one pass over out. */
void distance_squares(const distance *d, const void *x, const void *y, void *out, void *workspace);

/* out[i, j] = x_i y_j / (|x_i| |y_j|), within [-1, 1]; 0 where a length is 0. */
void distance_cosines(const distance *d, const void *x, const void *y, void *out, void *workspace);

/*
 * index[i]: the row of y nearest to x_i and square[i] its squared distance (NULL: not wanted), without an n x m matrix. Candidates within the rounding error
 * of the product are compared by direct sums (in f64), so the winner is the nearest by these; the lowest index at ties; index -1 and
 * square inf with m = 0. Rows of y with NaN are never nearest.
 */
void distance_nearest(const distance *d, const void *x, const void *y, int64_t *index, void *square, void *workspace);
#endif
