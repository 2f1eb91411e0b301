/* The kernels of elementwise.h for AVX2 and FMA. */
#if defined(__x86_64__)
#define LANES_AVX2
#define LEVEL elementwise_avx2
#define VECTOR vector_avx2
#include "tensor/elementwise.inc"
#endif
