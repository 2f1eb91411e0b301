/* The kernels of poly.h for AVX2 and FMA. */
#if defined(__x86_64__)
#define LANES_AVX2
#define TABLE_F32 poly_avx2_f32
#define TABLE_F64 poly_avx2_f64
#include "tensor/poly.inc"
#endif
