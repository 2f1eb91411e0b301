/* The kernels of split_kernels.h for AVX2 and FMA. */
#if defined(__x86_64__)
#define LANES_AVX2
#define LEVEL split_avx2
#include "verify/split_kernels.inc"
#endif
