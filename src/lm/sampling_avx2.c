/* The kernels of sampling_kernels.h for AVX2 and FMA. */
#if defined(__x86_64__)
#define LANES_AVX2
#define LEVEL sampling_avx2
#include "lm/sampling.inc"
#endif
