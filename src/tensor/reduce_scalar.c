/* The kernels of reduce.h in plain C. */
#define LANES_SCALAR
#define TABLE_F32 reduce_scalar_f32
#define TABLE_F64 reduce_scalar_f64
#include "tensor/reduce.inc"
