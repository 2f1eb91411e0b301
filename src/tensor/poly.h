/*
 * Polynomials of relu(x), sums of normed powers, and pairs put in order: one pass forward, one (of each row two, in the cache) backward. f32 or f64 (the
 * table's type; every void pointer but `sums` is to it). terms 1 .. POLY_TERMS. x and what is written may be the same; sums are added to.
 */
#ifndef NIGH_TENSOR_POLY_H
#define NIGH_TENSOR_POLY_H
#include "nigh/core.h"

enum { POLY_TERMS = 8 };

typedef struct poly_kernels {
    /* y = sum_i a_i r^i, i = 0 .. terms-1, r = max(x, 0), NaN stays. */
    void (*relu)(int64_t n, int terms, const void *a, const void *x, void *y);
    /* dx = g p'(r) where x > 0, else 0; sums[i] += sum of g r^i. */
    void (*relu_back)(int64_t n, int terms, const void *a, const void *x, const void *g, void *dx, double *sums);

    /* Rows of n: y = sum_i a_i x^(i+1) scale_i with scale [rows, terms] = 1 / sqrt(mean of x^(2i+2) + eps), which is written. */
    void (*norm)(int64_t rows, int64_t n, int terms, double eps, const void *a, const void *x, void *y, void *scale);
    /* dx = sum_i (i+1) x^i a_i scale_i (g - x^(i+1) scale_i^2 mean(g x^(i+1))); sums[i] += sum of g x^(i+1) scale_i. */
    void (*norm_back)(int64_t rows, int64_t n, int terms, const void *a, const void *x, const void *scale, const void *g, void *dx, double *sums);

    /* Neighbouring pairs, the larger first; and g put back in the order that x had (its own adjoint). */
    void (*max_min)(int64_t pairs, const void *x, void *y);
    void (*max_min_back)(int64_t pairs, const void *x, const void *g, void *dx);
} poly_kernels;

/* NULL unless dtype is NIGH_F32 or NIGH_F64. */
const poly_kernels *poly_kernels_at(nigh_cpu_level level, nigh_dtype dtype);
const poly_kernels *poly_kernels_find(nigh_dtype dtype); /* at the level in force */

extern const poly_kernels poly_scalar_f32, poly_scalar_f64, poly_avx2_f32, poly_avx2_f64, poly_avx512_f32, poly_avx512_f64;
#endif
