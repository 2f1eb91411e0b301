/* The kernels of attention.inc for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/attention.h"
#include "tensor/vector_unroll.h"

/* 2^x = 2^n 2^r; the bound keeps -inf from becoming NaN in x - n. */
INLINE __m512 exp2_f32(__m512 x)
{
    x = _mm512_max_ps(_mm512_set1_ps(-200), x);
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n, p = _mm512_set1_ps(ATTENTION_EXP5);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    return _mm512_scalef_ps(p, n);
}

INLINE __m512d exp2_f64(__m512d x)
{
    x = _mm512_max_pd(_mm512_set1_pd(-1200), x);
    __m512d n = _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n, p = _mm512_set1_pd(attention_exp2[13]);
    UNROLL for (int i = 12; i >= 0; i--) p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(attention_exp2[i]));
    return _mm512_scalef_pd(p, n);
}

#define NV 4
#define ROWS1 16
#define ROWS2 12
#define ROWS3 8
#define ROWS4 6

#define REAL float
#define LARGEST 0x1.fffffep127f
#define NAME(x) x##_f32
#define KERNELS attention_avx512_f32
#define V __m512
#define LANES 16
#define WIDE 1
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define SET(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MAX(a, b) _mm512_max_ps(a, b)
#define EXP2(x) exp2_f32(x)
#define SAME(a, b) (_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ) == 0xffff)
#define HSUM(v) _mm512_reduce_add_ps(v)
#define GATHER(p, step) _mm512_i32gather_ps(_mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32((int)(step))), p, 4)
#define HALF(p) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p)))
#include "tensor/attention.inc"

#undef REAL
#undef LARGEST
#undef NAME
#undef KERNELS
#undef V
#undef LANES
#undef WIDE
#undef LOAD
#undef STORE
#undef SET
#undef FMA
#undef MAX
#undef EXP2
#undef SAME
#undef HSUM
#undef GATHER
#undef HALF
#define REAL double
#define LARGEST 0x1.fffffffffffffp1023
#define NAME(x) x##_f64
#define KERNELS attention_avx512_f64
#define V __m512d
#define LANES 8
#define WIDE 0
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define SET(x) _mm512_set1_pd(x)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define MAX(a, b) _mm512_max_pd(a, b)
#define EXP2(x) exp2_f64(x)
#define SAME(a, b) (_mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ) == 0xff)
#define HSUM(v) _mm512_reduce_add_pd(v)
#define GATHER(p, step) _mm512_i32gather_pd(_mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32((int)(step))), p, 8)
#include "tensor/attention.inc"
#endif
