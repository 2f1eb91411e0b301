/* The tiles of convolution.inc for AVX2: 16 registers hold tiles of 6 pixels. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "tensor/convolution_kernels.h"
#include "tensor/vector_unroll.h"

static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

INLINE float sum_f32_lanes(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

INLINE double sum_f64_lanes(__m256d v)
{
    __m128d s = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}

#define T float
#define V __m256
#define LANES 8
#define LOAD(p) _mm256_loadu_ps(p)
#define LOADM(p, m) _mm256_maskload_ps(p, m)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define STOREM(p, m, v) _mm256_maskstore_ps(p, m, v)
#define MASK_T __m256i
#define MASK(n) _mm256_loadu_si256((const __m256i *)(ones + 8 - (n)))
#define SET(x) _mm256_set1_ps(x)
#define ZERO _mm256_setzero_ps()
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUM(v) sum_f32_lanes(v)
#define NAME(x) x##_f32
#define ROWS 6
#define KERNELS convolution_f32_avx2
#include "tensor/convolution.inc"

#define T double
#define V __m256d
#define LANES 4
#define LOAD(p) _mm256_loadu_pd(p)
#define LOADM(p, m) _mm256_maskload_pd(p, m)
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define STOREM(p, m, v) _mm256_maskstore_pd(p, m, v)
#define MASK_T __m256i
#define MASK(n) _mm256_loadu_si256((const __m256i *)(ones + 8 - 2 * (n)))
#define SET(x) _mm256_set1_pd(x)
#define ZERO _mm256_setzero_pd()
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ADD(a, b) _mm256_add_pd(a, b)
#define SUM(v) sum_f64_lanes(v)
#define NAME(x) x##_f64
#define ROWS 6
#define KERNELS convolution_f64_avx2
#include "tensor/convolution.inc"
#endif
