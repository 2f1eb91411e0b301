/* Which kernels of poly.h are used. */
#include "tensor/poly.h"

const poly_kernels *poly_kernels_at(nigh_cpu_level level, nigh_dtype dtype)
{
    bool single = dtype == NIGH_F32;
    if (!single && dtype != NIGH_F64) return NULL;
#if defined(__x86_64__)
    if (level == NIGH_CPU_AVX512) return single ? &poly_avx512_f32 : &poly_avx512_f64;
    if (level == NIGH_CPU_AVX2) return single ? &poly_avx2_f32 : &poly_avx2_f64;
#endif
    return single ? &poly_scalar_f32 : &poly_scalar_f64;
}

const poly_kernels *poly_kernels_find(nigh_dtype dtype) { return poly_kernels_at(nigh_cpu(), dtype); }
