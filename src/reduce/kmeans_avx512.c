/* The kernels of kmeans.h for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#define LANES_AVX512
#define LEVEL kmeans_avx512
#include "reduce/kmeans.inc"
#endif
