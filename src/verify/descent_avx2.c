/* Affine passes of descents, avx2. */
#define PASSES descent_passes_avx2
#include "verify/descent.inc"
