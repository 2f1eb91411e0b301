/* Affine passes of descents, avx512. */
#define LANES_AVX512
#define PASSES descent_passes_avx512
#include "verify/descent.inc"
