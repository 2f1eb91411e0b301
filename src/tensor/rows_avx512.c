/* The kernels of rows.h for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#define LANES_AVX512
#define TABLE_F32 rows_avx512_f32
#define TABLE_F64 rows_avx512_f64
#include "tensor/rows.inc"
#endif
