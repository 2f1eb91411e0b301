/* The kernels of split_kernels.h in plain C. */
#define LANES_SCALAR
#define LEVEL split_scalar
#include "verify/split_kernels.inc"
