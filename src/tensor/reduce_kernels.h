/* The kernels of reduce.h, one set a type and CPU level. For src/tensor/reduce*.c only. */
#ifndef NIGH_TENSOR_REDUCE_KERNELS_H
#define NIGH_TENSOR_REDUCE_KERNELS_H
#include "tensor/reduce.h"

typedef struct reduce_kernels {
    double (*row[REDUCE_COUNT])(int64_t n, const void *a, const void *b);
    /* Joins rows of `columns` numbers, `stride` apart, to what is in out. */
    void (*column[REDUCE_COUNT])(int64_t rows, int64_t columns, int64_t stride, const void *a, const void *b, void *out);
} reduce_kernels;
extern const reduce_kernels reduce_scalar_f32, reduce_scalar_f64, reduce_avx2_f32, reduce_avx2_f64, reduce_avx512_f32, reduce_avx512_f64;
#endif
