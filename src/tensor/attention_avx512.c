/* The kernels of attention.inc for AVX-512 (F, DQ, BW, VL). */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/attention.h"
#include "tensor/vector_unroll.h"

/* 2^x = 2^n 2^r; 0 where it would be subnormal (which takes a hundred times as long), and for -inf. */
INLINE __m512 exp2_f32(__m512 x)
{
    const __mmask16 normal = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-126), _CMP_NLT_UQ);
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n, p = _mm512_set1_ps(ATTENTION_EXP5);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(ATTENTION_EXP1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1));
    return _mm512_maskz_scalef_ps(normal, p, n);
}

INLINE __m512d exp2_f64(__m512d x)
{
    const __mmask8 normal = _mm512_cmp_pd_mask(x, _mm512_set1_pd(-1022), _CMP_NLT_UQ);
    __m512d n = _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n, p = _mm512_set1_pd(attention_exp2[13]);
    UNROLL for (int i = 12; i >= 0; i--) p = _mm512_fmadd_pd(p, r, _mm512_set1_pd(attention_exp2[i]));
    return _mm512_maskz_scalef_pd(normal, p, n);
}

/* to[j, i] = from[i, j]: pairs of numbers, pairs of pairs, then quarters of vectors. */
INLINE void turn_f32(const float *from, int64_t ldf, float *to, int64_t ldt)
{
    __m512 a[16], b[16];
    UNROLL for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_ps(from + i * ldf);
    UNROLL for (int i = 0; i < 16; i += 2) b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]), b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    UNROLL for (int i = 0; i < 16; i++) {
        __m512d one = _mm512_castps_pd(b[i / 4 * 4 + i % 4 / 2]), two = _mm512_castps_pd(b[i / 4 * 4 + i % 4 / 2 + 2]);
        a[i] = _mm512_castpd_ps(i % 2 ? _mm512_unpackhi_pd(one, two) : _mm512_unpacklo_pd(one, two));
    }
    UNROLL for (int c = 0; c < 4; c++) {
        __m512 low1 = _mm512_shuffle_f32x4(a[c], a[c + 4], 0x44), low2 = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0x44);
        __m512 high1 = _mm512_shuffle_f32x4(a[c], a[c + 4], 0xee), high2 = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0xee);
        _mm512_storeu_ps(to + c * ldt, _mm512_shuffle_f32x4(low1, low2, 0x88));
        _mm512_storeu_ps(to + (c + 4) * ldt, _mm512_shuffle_f32x4(low1, low2, 0xdd));
        _mm512_storeu_ps(to + (c + 8) * ldt, _mm512_shuffle_f32x4(high1, high2, 0x88));
        _mm512_storeu_ps(to + (c + 12) * ldt, _mm512_shuffle_f32x4(high1, high2, 0xdd));
    }
}

INLINE void turn_f64(const double *from, int64_t ldf, double *to, int64_t ldt)
{
    __m512d a[8], b[8];
    UNROLL for (int i = 0; i < 8; i++) a[i] = _mm512_loadu_pd(from + i * ldf);
    UNROLL for (int i = 0; i < 8; i += 2) b[i] = _mm512_unpacklo_pd(a[i], a[i + 1]), b[i + 1] = _mm512_unpackhi_pd(a[i], a[i + 1]);
    UNROLL for (int c = 0; c < 2; c++) {
        __m512d low1 = _mm512_shuffle_f64x2(b[c], b[c + 2], 0x44), low2 = _mm512_shuffle_f64x2(b[c + 4], b[c + 6], 0x44);
        __m512d high1 = _mm512_shuffle_f64x2(b[c], b[c + 2], 0xee), high2 = _mm512_shuffle_f64x2(b[c + 4], b[c + 6], 0xee);
        _mm512_storeu_pd(to + c * ldt, _mm512_shuffle_f64x2(low1, low2, 0x88));
        _mm512_storeu_pd(to + (c + 2) * ldt, _mm512_shuffle_f64x2(low1, low2, 0xdd));
        _mm512_storeu_pd(to + (c + 4) * ldt, _mm512_shuffle_f64x2(high1, high2, 0x88));
        _mm512_storeu_pd(to + (c + 6) * ldt, _mm512_shuffle_f64x2(high1, high2, 0xdd));
    }
}

#define NV 4
#define ROWS1 16
#define ROWS2 12
#define ROWS3 8
#define ROWS4 6

#define REAL float
#define MASK int32_t
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
#define WITHIN(a, b) (_mm512_cmp_ps_mask(a, b, _CMP_LE_OQ) == 0xffff)
#define HSUM(v) _mm512_reduce_add_ps(v)
#define TURN turn_f32
#define LOG2(x) log2f(x)
#define HALF(p) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p)))
#include "tensor/attention.inc"

#undef REAL
#undef MASK
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
#undef WITHIN
#undef HSUM
#undef LOG2
#undef TURN
#undef HALF
#define REAL double
#define MASK int64_t
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
#define WITHIN(a, b) (_mm512_cmp_pd_mask(a, b, _CMP_LE_OQ) == 0xff)
#define HSUM(v) _mm512_reduce_add_pd(v)
#define TURN turn_f64
#define LOG2(x) log2(x)
#include "tensor/attention.inc"
#endif
