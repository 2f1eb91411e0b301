/* The tiles of convolution.inc in plain C, and the choice among the levels. */
#include "tensor/convolution_kernels.h"
#include "tensor/vector_unroll.h"

#define T float
#define V float
#define LANES 1
#define LOAD(p) (*(p))
#define LOADM(p, m) ((void)(m), *(p))
#define STORE(p, v) ((void)(*(p) = (v)))
#define STOREM(p, m, v) ((void)(m), (void)(*(p) = (v)))
#define MASK_T int
#define MASK(n) (n)
#define SET(x) (x)
#define ZERO 0.0f
#define FMA(a, b, c) ((a) * (b) + (c))
#define ADD(a, b) ((a) + (b))
#define SUM(v) (v)
#define NAME(x) x##_f32
#define ROWS 4
#define KERNELS convolution_f32_scalar
#include "tensor/convolution.inc"

#define T double
#define V double
#define LANES 1
#define LOAD(p) (*(p))
#define LOADM(p, m) ((void)(m), *(p))
#define STORE(p, v) ((void)(*(p) = (v)))
#define STOREM(p, m, v) ((void)(m), (void)(*(p) = (v)))
#define MASK_T int
#define MASK(n) (n)
#define SET(x) (x)
#define ZERO 0.0
#define FMA(a, b, c) ((a) * (b) + (c))
#define ADD(a, b) ((a) + (b))
#define SUM(v) (v)
#define NAME(x) x##_f64
#define ROWS 4
#define KERNELS convolution_f64_scalar
#include "tensor/convolution.inc"

const convolution_kernels *convolution_kernels_at(nigh_cpu_level level, nigh_dtype dtype)
{
#if defined(__x86_64__)
    if (level >= NIGH_CPU_AVX512) return dtype == NIGH_F32 ? &convolution_f32_avx512 : &convolution_f64_avx512;
    if (level >= NIGH_CPU_AVX2) return dtype == NIGH_F32 ? &convolution_f32_avx2 : &convolution_f64_avx2;
#endif
    return dtype == NIGH_F32 ? &convolution_f32_scalar : &convolution_f64_scalar;
}
