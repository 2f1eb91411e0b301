/* The host: kernels of its calibration (host_spin_scalar.c) and what is linked. */
#ifndef NIGH_PLAN_HOST_H
#define NIGH_PLAN_HOST_H
#include <stdint.h>

/* 8 multiply-adds per element and round; and a sum. Plain compiler code for each CPU level. */
void host_spin_f32_scalar(int rounds, int64_t n, float *x);
double host_sum_f64_scalar(int64_t n, const double *x);
void host_spin_f32_avx2(int rounds, int64_t n, float *x);
double host_sum_f64_avx2(int64_t n, const double *x);
void host_spin_f32_avx512(int rounds, int64_t n, float *x);
double host_sum_f64_avx512(int64_t n, const double *x);

const char *host_libraries(void);                     /* "OpenBLAS 0.3.21, core SkylakeX; jansson 2.14" */
#endif
