/* The kernels of margin.h for AVX2 and FMA. */
#if defined(__x86_64__)
#define LANES_AVX2
#define LEVEL margin_avx2
#include "nn/margin.inc"
#endif
