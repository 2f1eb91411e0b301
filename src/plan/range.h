/* Does a block of inputs stay in the box of a plan? One kernel per CPU level, the same answer from each. */
#ifndef NIGH_PLAN_RANGE_H
#define NIGH_PLAN_RANGE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct range_kernels {
    bool (*inside_f32)(int64_t n, const float *x, float low, float high);
    bool (*inside_f64)(int64_t n, const double *x, double low, double high);
    bool (*rows_inside_f32)(int64_t n, int64_t d, const float *x, const double *low, const double *high);
    bool (*rows_inside_f64)(int64_t n, int64_t d, const double *x, const double *low, const double *high);
} range_kernels;

const range_kernels *range_kernels_get(void);
extern const range_kernels range_scalar, range_avx2, range_avx512;
#endif
