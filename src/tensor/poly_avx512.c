/* The kernels of poly.h for AVX-512. */
#if defined(__x86_64__)
#define LANES_AVX512
#define TABLE_F32 poly_avx512_f32
#define TABLE_F64 poly_avx512_f64
#include "tensor/poly.inc"
#endif
