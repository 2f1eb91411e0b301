/* Kernels of the check of every f32: a block of at most 1024 floats at one CPU level. */
#ifndef NIGH_FUNCTION_EXHAUSTIVE_H
#define NIGH_FUNCTION_EXHAUSTIVE_H
#include "function/pieces.h"

#define EXHAUSTIVE_BLOCK 1024
#define EXHAUSTIVE_ROOM (EXHAUSTIVE_BLOCK + 32) /* of arrays for `piece`, which works on whole groups of vectors */

typedef enum exhaustive_measure { EXHAUSTIVE_ABSOLUTE, EXHAUSTIVE_RELATIVE, EXHAUSTIVE_ULP } exhaustive_measure;

typedef struct exhaustive_kernels {
    /* n floats from number `key` on in increasing order (-0 is -1, +0 is 0), as f32 and f64. */
    void (*floats)(int64_t n, int32_t key, float *x, double *x_f64);

    /* x[n] to f(x) by a piece that is a polynomial or a sine; x has room for EXHAUSTIVE_ROOM numbers. */
    void (*piece)(const function_piece *piece, int64_t n, double *x);

    /*
     * bound[i] >= error of answer[i] beside any f with |f - reference[i]| <= relative |reference[i]| + absolute.
     * NaN in reference: INFINITY. See function_exhaustive_f32 for overflow.
     * Gives the largest bound and adds the errors beside the reference to *sum.
     */
    double (*bounds)(int64_t n, const double *reference, const float *answer, exhaustive_measure measure,
                     const function_margin *margin, double *bound, double *sum);
} exhaustive_kernels;

extern const exhaustive_kernels exhaustive_kernels_scalar, exhaustive_kernels_avx2, exhaustive_kernels_avx512;
#endif
