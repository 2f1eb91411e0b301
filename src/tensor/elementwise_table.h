/* The kernels of one CPU level, by type. For src/tensor/elementwise*.c only. */
#ifndef NIGH_TENSOR_ELEMENTWISE_TABLE_H
#define NIGH_TENSOR_ELEMENTWISE_TABLE_H
#include "tensor/elementwise.h"

typedef enum elementwise_type {
    ELEMENTWISE_F32, ELEMENTWISE_F64, ELEMENTWISE_C64, ELEMENTWISE_C128, ELEMENTWISE_I32, ELEMENTWISE_I64, ELEMENTWISE_TYPES
} elementwise_type;

typedef struct elementwise_table {
    elementwise_kernel *kernel[ELEMENTWISE_TYPES][ELEMENTWISE_COUNT];
} elementwise_table;
extern const elementwise_table elementwise_scalar, elementwise_avx2, elementwise_avx512;
#endif
