/* The kernels of split_kernels.h for AVX-512. */
#if defined(__x86_64__)
#define LANES_AVX512
#define LEVEL split_avx512
#include "verify/split_kernels.inc"
#endif
