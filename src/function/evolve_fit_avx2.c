/* The kernels of evolve_fit.inc: avx2. */
#if defined(__x86_64__)
#define NAME(base) base##_avx2
#define KERNELS evolve_kernels_avx2
#include "function/evolve_fit.inc"
#endif
