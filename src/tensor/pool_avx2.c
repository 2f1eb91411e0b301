/* The loops of pool.inc compiled for this CPU level. */
#if defined(__x86_64__)
#include "tensor/pool_kernels.h"

#define T float
#define NAME(x) x##_f32
#define KERNELS pool_f32_avx2
#include "tensor/pool.inc"
#define T double
#define NAME(x) x##_f64
#define KERNELS pool_f64_avx2
#include "tensor/pool.inc"
#endif
