/* Loops over the channels of one pixel, for pooling and resampling: one table a type and CPU level; all levels give the same bits. */
#ifndef NIGH_TENSOR_POOL_KERNELS_H
#define NIGH_TENSOR_POOL_KERNELS_H
#include "nigh/core.h"

typedef struct pool_kernels {
    void (*add)(int64_t n, double scale, const void *x, void *y);                /* y += scale x */
    void (*scale)(int64_t n, double scale, const void *x, void *y);              /* y = scale x; y may be x */
    void (*two)(int64_t n, const double *w, const void *const *x, void *y);      /* y = w0 x0 + w1 x1 */
    void (*maximum)(int64_t n, const void *x, void *y);                          /* y = max(y, x), the first NaN stays */
    void (*maximum_at)(int64_t n, const void *x, int32_t here, void *y, int32_t *index); /* index = here where x took over */
    void (*send)(int64_t n, const int32_t *index, const void *dy, void *dx);     /* dx[index[c] n + c] += dy[c] */
} pool_kernels;

extern const pool_kernels pool_f32_scalar, pool_f64_scalar, pool_f32_avx2, pool_f64_avx2, pool_f32_avx512, pool_f64_avx512;
const pool_kernels *pool_kernels_at(nigh_cpu_level level, nigh_dtype dtype);
#endif
