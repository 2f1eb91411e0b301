/* The kernels of rows.h, one set a type and CPU level. For src/tensor/rows*.c only. */
#ifndef NIGH_TENSOR_ROWS_TABLES_H
#define NIGH_TENSOR_ROWS_TABLES_H
#include "tensor/rows.h"

extern const rows_kernels rows_scalar_f32, rows_scalar_f64, rows_avx2_f32, rows_avx2_f64, rows_avx512_f32, rows_avx512_f64;
#endif
