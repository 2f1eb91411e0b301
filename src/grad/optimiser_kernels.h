/*
 * Loops over flat arrays, one set a CPU level: updates of the optimisers, sums, and the vector steps of the minimisers. They are
 * written without fma and with fixed partial sums, so every level gives the same bits.
 */
#ifndef NIGH_GRAD_OPTIMISER_KERNELS_H
#define NIGH_GRAD_OPTIMISER_KERNELS_H
#include "grad/optimiser.h"

typedef struct optimiser_kernels {
    /* in the order of the table of optimiser.c */
    optimiser_rule_f32 *f32[6];
    optimiser_rule_f64 *f64[6];
    double (*squares_f32)(int64_t n, const float *x);
    double (*squares_f64)(int64_t n, const double *x);
    double (*dot)(int64_t n, const double *a, const double *b);
    void (*add)(int64_t n, double factor, const double *x, double *y);                            /* y += factor x */
    double (*add_dot)(int64_t n, double factor, const double *x, double *y, const double *other); /* and y . other */
} optimiser_kernels;

extern const optimiser_kernels optimiser_scalar, optimiser_avx2, optimiser_avx512;
const optimiser_kernels *optimiser_kernels_at(nigh_cpu_level level);
#endif
