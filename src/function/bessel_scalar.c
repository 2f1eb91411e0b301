/* The kernels of bessel_kernel.inc without vectors. */
#include "function/bessel_vector.h"

#define FMA(a, b, c) ((a) * (b) + (c))
#include "function/bessel_kernel_one.inc"

bessel_level bessel_kernels_scalar = {&table_one, &table_one};
