/* The kernels of bessel_kernel.inc with AVX-512 (F, DQ). */
#if defined(__x86_64__)
#include <immintrin.h>

#include "function/bessel_vector.h"

#define FMA(a, b, c) fma(a, b, c)
#include "function/bessel_kernel_one.inc"
#undef FMA

typedef uint64_t vector_bits __attribute__((vector_size(64)));

#define NAME(x) x##_avx512
#define V __m512d
#define U vector_bits
#define MASK __mmask8
#define LANES 8
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, a) _mm512_storeu_pd(p, a)
#define SET(a) _mm512_set1_pd((double)(a))
#define USET(a) ((U)_mm512_set1_epi64((long long)(a)))
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define EXACT_FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define SQRT(a) _mm512_sqrt_pd(a)
#define AS_U(a) ((U)(a))
#define AS_V(a) ((V)(a))
#define LESS(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ)
#define SELECT(mask, a, b) _mm512_mask_blend_pd(mask, b, a)
#include "function/bessel_kernel.inc"

bessel_level bessel_kernels_avx512 = {&table_one, &table_avx512};
#endif
