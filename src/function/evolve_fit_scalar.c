/* The kernels of evolve_fit.inc: scalar. */
#define NAME(base) base##_scalar
#define KERNELS evolve_kernels_scalar
#include "function/evolve_fit.inc"
