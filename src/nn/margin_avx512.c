/* The kernels of margin.h for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#define LANES_AVX512
#define LEVEL margin_avx512
#include "nn/margin.inc"
#endif
