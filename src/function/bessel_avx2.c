/* The kernels of bessel_kernel.inc with AVX2 and FMA. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "function/bessel_vector.h"

#define FMA(a, b, c) fma(a, b, c)
#include "function/bessel_kernel_one.inc"
#undef FMA

typedef uint64_t vector_bits __attribute__((vector_size(32)));

#define NAME(x) x##_avx2
#define V __m256d
#define U vector_bits
#define MASK __m256d
#define LANES 4
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, a) _mm256_storeu_pd(p, a)
#define SET(a) _mm256_set1_pd((double)(a))
#define USET(a) ((U)_mm256_set1_epi64x((long long)(a)))
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define EXACT_FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define SQRT(a) _mm256_sqrt_pd(a)
#define AS_U(a) ((U)(a))
#define AS_V(a) ((V)(a))
#define LESS(a, b) _mm256_cmp_pd(a, b, _CMP_LT_OQ)
#define SELECT(mask, a, b) _mm256_blendv_pd(b, a, mask)
#include "function/bessel_kernel.inc"

bessel_level bessel_kernels_avx2 = {&table_one, &table_avx2};
#endif
