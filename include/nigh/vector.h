/*
 * nigh/vector.h: functions of arrays of f32.
 *
 * Less than 1 ulp from the exact value for every f32, proved on all 2^32 (bench/functions --prove); where the result is subnormal, an ulp
 * is 2^-149. The same bits at every CPU level, for every n and place in the array. x and y hold n numbers each and are one array or do not
 * overlap; no alignment is asked for. n <= 0 does nothing. Nothing is allocated; any number of threads may call.
 *
 * Special values are those of C's Annex F: NaN gives NaN, exp(-inf) = 0, log(+-0) = -inf, log of a negative number is NaN, sin and cos of +-inf are NaN,
 * -0 stays -0 under sin, tanh and erf. Floating point exceptions are raised at random.
 */
#ifndef NIGH_VECTOR_H
#define NIGH_VECTOR_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Worst errors in ulp over all f32: exp 0.892, log 0.747, tanh 0.771, erf 0.625, sin 0.959, cos 0.955.
 * Measured with AVX-512 in cache: 0.13 to 0.28 ns a number; sin and cos three to four times that for |x| from 200 to 3200, some 30 ns for
 * each larger number.
 */
NIGH_API void nigh_exp_f32(int64_t n, const float *x, float *y);
NIGH_API void nigh_log_f32(int64_t n, const float *x, float *y);
NIGH_API void nigh_sin_f32(int64_t n, const float *x, float *y);
NIGH_API void nigh_cos_f32(int64_t n, const float *x, float *y);
NIGH_API void nigh_tanh_f32(int64_t n, const float *x, float *y);
NIGH_API void nigh_erf_f32(int64_t n, const float *x, float *y);

/*
 * Softmax of each row of x [rows, columns] into y: exp(x - max) / sum exp(x - max). In place when y == x; else the arrays do not overlap.
 * Rows are shared among the context's threads; the same bits whatever their number and the CPU level.
 *
 * With d = max - x, exact results y >= 2^-126 are met within (5 + d/2) 2^-23 relative: the difference x - max is rounded to f32, everything
 * else costs less than 5 ulp for rows of any length. Smaller results are within 2^-126 (5 + d/2) 2^-23 + 2^-149. A row with NaN or +inf, and one of -inf alone, becomes NaN;
 * -inf among other numbers gives 0.
 *
 * NIGH_INVALID: rows or columns below 0, rows * columns beyond int64. Cost: reads x and writes y once as long as columns <= 8192, past the
 * cache where y is large and aligned to 64 bytes and columns is a multiple of 16.
 */
NIGH_API nigh_status nigh_softmax_f32(nigh_context *ctx, int64_t rows, int64_t columns, const float *x, float *y);

#ifdef __cplusplus
}
#endif
#endif
