/* The kernels of reduce.h for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#define LANES_AVX512
#define TABLE_F32 reduce_avx512_f32
#define TABLE_F64 reduce_avx512_f64
#include "tensor/reduce.inc"
#endif
