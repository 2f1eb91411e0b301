/* Kernels of the check of every f32 with AVX-512. */
#include "function/exhaustive.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define W 8
#define V __m512d
#define LOAD(p) _mm512_loadu_pd(p)
#define LOAD_FLOATS(p) _mm512_cvtps_pd(_mm256_loadu_ps(p))
#define STORE(p, x) _mm512_storeu_pd(p, x)
#define SET1(x) _mm512_set1_pd(x)
#define ABS(x) _mm512_andnot_pd(SET1(-0.0), x)
#define MAX(x, y) _mm512_max_pd(x, y)
#define MIN(x, y) _mm512_min_pd(x, y)
#define GREATER(x, y, a, b) _mm512_mask_blend_pd(_mm512_cmp_pd_mask(x, y, _CMP_GT_OQ), b, a)
#define POWER(x) _mm512_and_pd(x, SET1(INFINITY)) /* the exponent's bits */
/* Exponents are biased by 1023: 2046 less the one of p. */
#define INVERSE_POWER(p) \
    _mm512_castsi512_pd(_mm512_sub_epi64(_mm512_set1_epi64(INT64_C(2046) << 52), _mm512_castpd_si512(p)))
#define FMA(x, y, z) _mm512_fmadd_pd(x, y, z)
#define NAME(x) x##_avx512
#include "function/exhaustive.inc"
#endif
