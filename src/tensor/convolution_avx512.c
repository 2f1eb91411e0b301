/* The tiles of convolution.inc for AVX-512. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "tensor/convolution_kernels.h"
#include "tensor/vector_unroll.h"

#define T float
#define V __m512
#define LANES 16
#define LOAD(p) _mm512_loadu_ps(p)
#define LOADM(p, m) _mm512_maskz_loadu_ps(m, p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define STOREM(p, m, v) _mm512_mask_storeu_ps(p, m, v)
#define MASK_T __mmask16
#define MASK(n) ((__mmask16)((1u << (n)) - 1))
#define SET(x) _mm512_set1_ps(x)
#define ZERO _mm512_setzero_ps()
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUM(v) _mm512_reduce_add_ps(v)
#define NAME(x) x##_f32
#define ROWS 14
#define KERNELS convolution_f32_avx512
#include "tensor/convolution.inc"

#define T double
#define V __m512d
#define LANES 8
#define LOAD(p) _mm512_loadu_pd(p)
#define LOADM(p, m) _mm512_maskz_loadu_pd(m, p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define STOREM(p, m, v) _mm512_mask_storeu_pd(p, m, v)
#define MASK_T __mmask8
#define MASK(n) ((__mmask8)((1u << (n)) - 1))
#define SET(x) _mm512_set1_pd(x)
#define ZERO _mm512_setzero_pd()
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ADD(a, b) _mm512_add_pd(a, b)
#define SUM(v) _mm512_reduce_add_pd(v)
#define NAME(x) x##_f64
#define ROWS 14
#define KERNELS convolution_f64_avx512
#include "tensor/convolution.inc"
#endif
