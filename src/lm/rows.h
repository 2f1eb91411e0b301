/*
 * What a pass does to single rows between products: norms, rotation, sums. Elements are taken in a fixed order of 16 lanes, so that all CPU levels give
 * the same bits. Arrays need no alignment.
 */
#ifndef NIGH_LM_ROWS_H
#define NIGH_LM_ROWS_H
#include <stdint.h>

typedef struct rows_kernels {
    /* y = x / sqrt(mean(x^2) + eps) * weight; y may be x. */
    void (*rms_norm)(int64_t n, const float *x, const float *weight, float eps, float *y);
    /* y = (x - mean) / sqrt(variance + eps) * weight + bias (bias may be NULL); y may be x. */
    void (*layer_norm)(int64_t n, const float *x, const float *weight, const float *bias, float eps, float *y);
    void (*add)(int64_t n, const float *x, float *y);              /* y += x */
    void (*scale)(int64_t n, float a, float *y);                   /* y *= a */
    /* Numbers i and i + half turn by the angle whose cosine and sine are c[i], s[i], i < half. */
    void (*rotate_halves)(int64_t half, const float *c, const float *s, float *x);
    /* Numbers 2 i and 2 i + 1. */
    void (*rotate_pairs)(int64_t half, const float *c, const float *s, float *x);
} rows_kernels;

const rows_kernels *rows_kernels_now(void);

/* log sum exp(x - max) + max over n numbers, in double beyond blocks of 16 lanes; the maximum goes to *largest (may be NULL). */
double rows_log_sum(int64_t n, const float *x, float *largest);
#endif
