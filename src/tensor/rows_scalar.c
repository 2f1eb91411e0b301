/* The kernels of rows.h in plain C. */
#define LANES_SCALAR
#define TABLE_F32 rows_scalar_f32
#define TABLE_F64 rows_scalar_f64
#include "tensor/rows.inc"
