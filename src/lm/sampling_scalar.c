/* The kernels of sampling_kernels.h in plain C. */
#define LANES_SCALAR
#define LEVEL sampling_scalar
#include "lm/sampling.inc"
