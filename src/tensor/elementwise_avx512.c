/* The kernels of elementwise.h for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#define LANES_AVX512
#define LEVEL elementwise_avx512
#define VECTOR vector_avx512
#include "tensor/elementwise.inc"
#endif
