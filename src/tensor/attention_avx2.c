/* The kernels of attention.inc for AVX2, FMA and F16C. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/attention.h"
#include "tensor/vector_unroll.h"

/* 2^x = 2^n 2^r, 2^n made in integers; 0 at the lower end. */
INLINE __m256 exp2_f32(__m256 x)
{
    x = _mm256_max_ps(_mm256_set1_ps(-127), x);
    __m256 n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n, p = _mm256_set1_ps(ATTENTION_EXP5);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(ATTENTION_EXP4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(ATTENTION_EXP3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(ATTENTION_EXP2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(ATTENTION_EXP1));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1));
    __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return p * _mm256_castsi256_ps(power);
}

INLINE __m256d exp2_f64(__m256d x)
{
    x = _mm256_max_pd(_mm256_set1_pd(-1023), x);
    __m256d n = _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n, p = _mm256_set1_pd(attention_exp2[13]);
    UNROLL for (int i = 12; i >= 0; i--) p = _mm256_fmadd_pd(p, r, _mm256_set1_pd(attention_exp2[i]));
    __m256i power = _mm256_slli_epi64(_mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(n)), _mm256_set1_epi64x(1023)), 52);
    return p * _mm256_castsi256_pd(power);
}

INLINE float sum_f32(__m256 v)
{
    __m128 x = _mm256_castps256_ps128(v) + _mm256_extractf128_ps(v, 1);
    x = x + _mm_movehl_ps(x, x);
    return _mm_cvtss_f32(x) + _mm_cvtss_f32(_mm_movehdup_ps(x));
}

INLINE double sum_f64(__m256d v)
{
    __m128d x = _mm256_castpd256_pd128(v) + _mm256_extractf128_pd(v, 1);
    return x[0] + x[1];
}

/* to[j, i] = from[i, j]: pairs of numbers, pairs of pairs, then halves of vectors. */
INLINE void turn_f32(const float *from, int64_t ldf, float *to, int64_t ldt)
{
    __m256 a[8], b[8];
    UNROLL for (int i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(from + i * ldf);
    UNROLL for (int i = 0; i < 8; i += 2) b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]), b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    UNROLL for (int i = 0; i < 8; i++) {
        __m256d one = _mm256_castps_pd(b[i / 4 * 4 + i % 4 / 2]), two = _mm256_castps_pd(b[i / 4 * 4 + i % 4 / 2 + 2]);
        a[i] = _mm256_castpd_ps(i % 2 ? _mm256_unpackhi_pd(one, two) : _mm256_unpacklo_pd(one, two));
    }
    UNROLL for (int c = 0; c < 4; c++) {
        _mm256_storeu_ps(to + c * ldt, _mm256_permute2f128_ps(a[c], a[c + 4], 0x20));
        _mm256_storeu_ps(to + (c + 4) * ldt, _mm256_permute2f128_ps(a[c], a[c + 4], 0x31));
    }
}

INLINE void turn_f64(const double *from, int64_t ldf, double *to, int64_t ldt)
{
    __m256d a[4], b[4];
    UNROLL for (int i = 0; i < 4; i++) a[i] = _mm256_loadu_pd(from + i * ldf);
    UNROLL for (int i = 0; i < 4; i += 2) b[i] = _mm256_unpacklo_pd(a[i], a[i + 1]), b[i + 1] = _mm256_unpackhi_pd(a[i], a[i + 1]);
    UNROLL for (int c = 0; c < 2; c++) {
        _mm256_storeu_pd(to + c * ldt, _mm256_permute2f128_pd(b[c], b[c + 2], 0x20));
        _mm256_storeu_pd(to + (c + 2) * ldt, _mm256_permute2f128_pd(b[c], b[c + 2], 0x31));
    }
}

#define NV 2
#define ROWS1 12
#define ROWS2 6

#define REAL float
#define MASK int32_t
#define LARGEST 0x1.fffffep127f
#define NAME(x) x##_f32
#define KERNELS attention_avx2_f32
#define V __m256
#define LANES 8
#define WIDE 1
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define SET(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MAX(a, b) _mm256_max_ps(a, b)
#define EXP2(x) exp2_f32(x)
#define WITHIN(a, b) (_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ)) == 0xff)
#define HSUM(v) sum_f32(v)
#define TURN turn_f32
#define LOG2(x) log2f(x)
#define HALF(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p)))
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
#define KERNELS attention_avx2_f64
#define V __m256d
#define LANES 4
#define WIDE 0
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define SET(x) _mm256_set1_pd(x)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define MAX(a, b) _mm256_max_pd(a, b)
#define EXP2(x) exp2_f64(x)
#define WITHIN(a, b) (_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LE_OQ)) == 0xf)
#define HSUM(v) sum_f64(v)
#define TURN turn_f64
#define LOG2(x) log2(x)
#include "tensor/attention.inc"
#endif
