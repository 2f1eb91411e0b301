/* Affine passes of descents, scalar. */
#define LANES_SCALAR
#define PASSES descent_passes_scalar
#include "verify/descent.inc"
