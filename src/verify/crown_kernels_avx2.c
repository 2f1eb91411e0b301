/* The kernels of crown_kernels.inc at this CPU level. */
#if defined(__x86_64__)
#define LANES_AVX2
#define LEVEL crown_avx2
#include "verify/crown_kernels.inc"
#endif
