/* The kernels of crown_kernels.inc at this CPU level. */
#define LANES_SCALAR
#define LEVEL crown_scalar
#include "verify/crown_kernels.inc"
