/* Affine passes of descents, scalar. */
#define PASSES descent_passes_scalar
#include "verify/descent.inc"
