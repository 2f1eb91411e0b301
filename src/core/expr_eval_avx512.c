/* Kernels of the operations with AVX-512 and glibc's libmvec (the vector functions of GLIBC 2.36, at most 4 ulp). */
#include "core/expr.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#include <string.h>

/* The vector function ABI's names: no header declares them for calls by hand. */
#define VECTOR1(name) extern __m512d _ZGVeN8v_##name(__m512d); extern __m512 _ZGVeN16v_##name##f(__m512)
#define VECTOR2(name) extern __m512d _ZGVeN8vv_##name(__m512d, __m512d); extern __m512 _ZGVeN16vv_##name##f(__m512, __m512)
VECTOR1(acos); VECTOR1(acosh); VECTOR1(asin); VECTOR1(asinh); VECTOR1(atan); VECTOR1(atanh); VECTOR1(cbrt);
VECTOR1(cos); VECTOR1(cosh); VECTOR1(erf); VECTOR1(erfc); VECTOR1(exp); VECTOR1(exp2); VECTOR1(expm1); VECTOR1(log);
VECTOR1(log10); VECTOR1(log1p); VECTOR1(log2); VECTOR1(sin); VECTOR1(sinh); VECTOR1(tan); VECTOR1(tanh);
VECTOR2(atan2); VECTOR2(hypot); VECTOR2(pow);

#define F64
#define T double
#define V __m512d
#define W 8
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, x) _mm512_storeu_pd(p, x)
#define SET1(x) _mm512_set1_pd((double)(x))
#define SQRT(x) _mm512_sqrt_pd(x)
#define FLOOR(x) _mm512_roundscale_pd(x, 0x09)
#define ABS(x) _mm512_andnot_pd(SET1(-0.0), x)
#define NEG(x) _mm512_xor_pd(SET1(-0.0), x)
#define MIN(x, y) _mm512_mask_mov_pd(_mm512_min_pd(x, y), _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), x)
#define MAX(x, y) _mm512_mask_mov_pd(_mm512_max_pd(x, y), _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), x)
#define FMA(x, y, z) _mm512_fmadd_pd(x, y, z)
#define IF_NEGATIVE(x, a, b) _mm512_mask_blend_pd(_mm512_cmp_pd_mask(x, SET1(0), _CMP_LT_OQ), b, a)
#define IF_SMALL(x, limit, a) _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(ABS(x), limit, _CMP_LE_OQ), a)
#define CALL1(name) _ZGVeN8v_##name
#define CALL2(name) _ZGVeN8vv_##name
#define NAME(x) x##_avx512
#include "core/expr_kernels.inc"

#define F32
#define T float
#define V __m512
#define W 16
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, x) _mm512_storeu_ps(p, x)
#define SET1(x) _mm512_set1_ps((float)(x))
#define SQRT(x) _mm512_sqrt_ps(x)
#define FLOOR(x) _mm512_roundscale_ps(x, 0x09)
#define ABS(x) _mm512_andnot_ps(SET1(-0.0), x)
#define NEG(x) _mm512_xor_ps(SET1(-0.0), x)
#define MIN(x, y) _mm512_mask_mov_ps(_mm512_min_ps(x, y), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x)
#define MAX(x, y) _mm512_mask_mov_ps(_mm512_max_ps(x, y), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x)
#define FMA(x, y, z) _mm512_fmadd_ps(x, y, z)
#define IF_NEGATIVE(x, a, b) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, SET1(0), _CMP_LT_OQ), b, a)
#define IF_SMALL(x, limit, a) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(ABS(x), limit, _CMP_LE_OQ), a)
#define CALL1(name) _ZGVeN16v_##name##f
#define CALL2(name) _ZGVeN16vv_##name##f
#define NAME(x) x##_f32_avx512
#include "core/expr_kernels.inc"

#endif
