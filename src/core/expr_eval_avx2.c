/* Kernels of the operations with AVX2 and glibc's libmvec (the vector functions of GLIBC 2.36, at most 4 ulp). */
#include "core/expr.h"

#if defined(__AVX2__)
#include <immintrin.h>
#include <string.h>

/* The vector function ABI's names: no header declares them for calls by hand. */
#define VECTOR1(name) extern __m256d _ZGVdN4v_##name(__m256d); extern __m256 _ZGVdN8v_##name##f(__m256)
#define VECTOR2(name) extern __m256d _ZGVdN4vv_##name(__m256d, __m256d); extern __m256 _ZGVdN8vv_##name##f(__m256, __m256)
VECTOR1(acos); VECTOR1(acosh); VECTOR1(asin); VECTOR1(asinh); VECTOR1(atan); VECTOR1(atanh); VECTOR1(cbrt);
VECTOR1(cos); VECTOR1(cosh); VECTOR1(erf); VECTOR1(erfc); VECTOR1(exp); VECTOR1(exp2); VECTOR1(expm1); VECTOR1(log);
VECTOR1(log10); VECTOR1(log1p); VECTOR1(log2); VECTOR1(sin); VECTOR1(sinh); VECTOR1(tan); VECTOR1(tanh);
VECTOR2(atan2); VECTOR2(hypot); VECTOR2(pow);

#define F64
#define T double
#define V __m256d
#define W 4
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, x) _mm256_storeu_pd(p, x)
#define SET1(x) _mm256_set1_pd((double)(x))
#define SQRT(x) _mm256_sqrt_pd(x)
#define FLOOR(x) _mm256_floor_pd(x)
#define ABS(x) _mm256_andnot_pd(SET1(-0.0), x)
#define NEG(x) _mm256_xor_pd(SET1(-0.0), x)
#define MIN(x, y) _mm256_blendv_pd(_mm256_min_pd(x, y), x, _mm256_cmp_pd(x, x, _CMP_UNORD_Q))
#define MAX(x, y) _mm256_blendv_pd(_mm256_max_pd(x, y), x, _mm256_cmp_pd(x, x, _CMP_UNORD_Q))
#define FMA(x, y, z) _mm256_fmadd_pd(x, y, z)
#define IF_NEGATIVE(x, a, b) _mm256_blendv_pd(b, a, _mm256_cmp_pd(x, SET1(0), _CMP_LT_OQ))
#define IF_SMALL(x, limit, a) _mm256_and_pd(_mm256_cmp_pd(ABS(x), limit, _CMP_LE_OQ), a)
#define CALL1(name) _ZGVdN4v_##name
#define CALL2(name) _ZGVdN4vv_##name
#define NAME(x) x##_avx2
#include "core/expr_kernels.inc"

#define F32
#define T float
#define V __m256
#define W 8
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, x) _mm256_storeu_ps(p, x)
#define SET1(x) _mm256_set1_ps((float)(x))
#define SQRT(x) _mm256_sqrt_ps(x)
#define FLOOR(x) _mm256_floor_ps(x)
#define ABS(x) _mm256_andnot_ps(SET1(-0.0), x)
#define NEG(x) _mm256_xor_ps(SET1(-0.0), x)
#define MIN(x, y) _mm256_blendv_ps(_mm256_min_ps(x, y), x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q))
#define MAX(x, y) _mm256_blendv_ps(_mm256_max_ps(x, y), x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q))
#define FMA(x, y, z) _mm256_fmadd_ps(x, y, z)
#define IF_NEGATIVE(x, a, b) _mm256_blendv_ps(b, a, _mm256_cmp_ps(x, SET1(0), _CMP_LT_OQ))
#define IF_SMALL(x, limit, a) _mm256_and_ps(_mm256_cmp_ps(ABS(x), limit, _CMP_LE_OQ), a)
#define CALL1(name) _ZGVdN8v_##name##f
#define CALL2(name) _ZGVdN8vv_##name##f
#define NAME(x) x##_f32_avx2
#include "core/expr_kernels.inc"

#endif
