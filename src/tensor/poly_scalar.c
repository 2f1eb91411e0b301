/* The kernels of poly.h in plain C. */
#define LANES_SCALAR
#define TABLE_F32 poly_scalar_f32
#define TABLE_F64 poly_scalar_f64
#include "tensor/poly.inc"
