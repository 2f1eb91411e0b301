/* The kernels of evolve_fit.inc: avx512. */
#if defined(__x86_64__)
#define NAME(base) base##_avx512
#define KERNELS evolve_kernels_avx512
#include "function/evolve_fit.inc"
#endif
