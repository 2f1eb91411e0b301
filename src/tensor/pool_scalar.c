/* The loops of pool.inc compiled for this CPU level. */
#include "tensor/pool_kernels.h"

#define T float
#define NAME(x) x##_f32
#define KERNELS pool_f32_scalar
#include "tensor/pool.inc"
#define T double
#define NAME(x) x##_f64
#define KERNELS pool_f64_scalar
#include "tensor/pool.inc"

const pool_kernels *pool_kernels_at(nigh_cpu_level level, nigh_dtype dtype)
{
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) return dtype == NIGH_F32 ? &pool_f32_avx512 : &pool_f64_avx512;
    if (level >= NIGH_CPU_AVX2) return dtype == NIGH_F32 ? &pool_f32_avx2 : &pool_f64_avx2;
#endif
    return dtype == NIGH_F32 ? &pool_f32_scalar : &pool_f64_scalar;
}
