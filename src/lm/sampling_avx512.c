/* The kernels of sampling_kernels.h for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#define LANES_AVX512
#define LEVEL sampling_avx512
#include "lm/sampling.inc"
#endif
