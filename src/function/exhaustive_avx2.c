/* Kernels of the check of every f32 with AVX2. */
#include "function/exhaustive.h"

#if defined(__AVX2__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define W 4
#define V __m256d
#define LOAD(p) _mm256_loadu_pd(p)
#define LOAD_FLOATS(p) _mm256_cvtps_pd(_mm_loadu_ps(p))
#define STORE(p, x) _mm256_storeu_pd(p, x)
#define SET1(x) _mm256_set1_pd(x)
#define ABS(x) _mm256_andnot_pd(SET1(-0.0), x)
#define MAX(x, y) _mm256_max_pd(x, y)
#define MIN(x, y) _mm256_min_pd(x, y)
#define GREATER(x, y, a, b) _mm256_blendv_pd(b, a, _mm256_cmp_pd(x, y, _CMP_GT_OQ))
#define POWER(x) _mm256_and_pd(x, SET1(INFINITY)) /* the exponent's bits */
/* Exponents are biased by 1023: 2046 less the one of p. */
#define INVERSE_POWER(p) \
    _mm256_castsi256_pd(_mm256_sub_epi64(_mm256_set1_epi64x(INT64_C(2046) << 52), _mm256_castpd_si256(p)))
#define FMA(x, y, z) _mm256_fmadd_pd(x, y, z)
#define NAME(x) x##_avx2
#include "function/exhaustive.inc"
#endif
