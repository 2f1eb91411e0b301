/* The kernels of crown_kernels.inc at this CPU level. */
#if defined(__x86_64__)
#define LANES_AVX512
#define LEVEL crown_avx512
#include "verify/crown_kernels.inc"
#endif
