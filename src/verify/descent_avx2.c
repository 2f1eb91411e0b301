/* Affine passes of descents, avx2. */
#define LANES_AVX2
#define PASSES descent_passes_avx2
#include "verify/descent.inc"
