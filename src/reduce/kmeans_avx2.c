/* The kernels of kmeans.h for AVX2 and FMA. */
#if defined(__x86_64__)
#define LANES_AVX2
#define LEVEL kmeans_avx2
#include "reduce/kmeans.inc"
#endif
