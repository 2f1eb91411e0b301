/* The kernels of vector.inc for AVX2 and FMA: tables are gathered, powers of two made in integers. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "tensor/vector.h"
#include "tensor/vector_unroll.h"

#define V __m256
#define U __m256i
#define LANES 8
#define LEVEL vector_avx2
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define USTORE(p, u) _mm256_storeu_si256((__m256i *)(p), u)
#define STREAM(p, v) _mm256_stream_ps(p, v)
#define FENCE fence_stores
#define SET(x) _mm256_set1_ps(x)
#define USET(x) _mm256_set1_epi32((int)(x))
#define AS_U(v) _mm256_castps_si256(v)
#define AS_V(u) _mm256_castsi256_ps(u)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define FMS(a, b, c) _mm256_fmsub_ps(a, b, c)
#define FNMA(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define MIN(a, b) _mm256_min_ps(a, b)
#define MAX(a, b) _mm256_max_ps(a, b)
#define CLAMP(x, c) MIN(MAX(x, SUB(SET(0), c)), c)
#define SHIFT(u, k) _mm256_srli_epi32(u, k)
#define LOOKUP(t, u) _mm256_i32gather_ps(t, UAND(u, USET(31)), 4)
#define UAND(a, b) _mm256_and_si256(a, b)
#define WITHOUT(acc, a, b) _mm256_or_si256(acc, _mm256_andnot_si256(b, a))
#define UANY(u) (!_mm256_testz_si256(u, u))
#define WITH_SIGN(y, x) _mm256_or_ps(y, _mm256_and_ps(x, SET(-0.f)))
#define WHERE(mask, a, b) _mm256_blendv_ps(b, a, mask)
#define MASK __m256
#define ODD(u) AS_V(_mm256_slli_epi32(u, 31))
#define PICK(mask, a, b) WHERE(mask, a, b)
#define FLIP(y, u) _mm256_xor_ps(y, _mm256_and_ps(AS_V(_mm256_slli_epi32(u, 30)), SET(-0.f)))
#define FMA_BUT(mask, a, b, c) WHERE(mask, c, FMA(a, b, c))
#define MUL_BUT(mask, a, b) WHERE(mask, a, MUL(a, b))
#define UNLESS_ZERO(a, b) WHERE(_mm256_cmp_ps(a, SET(0), _CMP_EQ_OQ), b, a)
#define WHERE_ZERO(x, a, b) WHERE(_mm256_cmp_ps(x, SET(0), _CMP_EQ_OQ), a, b)
#define SCALE(x, n) scale(x, n)
#define EXPONENT(x) exponent_of(x)
#define SIGNIFICAND(x) significand_of(x)

static void fence_stores(void) { _mm_sfence(); }

/* In two steps, of which the first is exact. */
INLINE V scale(V x, V n)
{
    const U bias = USET(127);
    U k = _mm256_cvtps_epi32(MAX(MIN(n, SET(254)), SET(-252))), half = _mm256_srai_epi32(k, 1);
    V a = AS_V(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    V b = AS_V(_mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(k, half), bias), 23));
    return WHERE(_mm256_cmp_ps(n, n, _CMP_UNORD_Q), n, MUL(MUL(x, a), b));
}

/* |x|, brought into the normal range; *less: what that added to the exponent. */
INLINE V normal(V x, V *less)
{
    V size = _mm256_andnot_ps(SET(-0.f), x), small = _mm256_cmp_ps(size, SET(0x1p-126f), _CMP_LT_OQ);
    *less = WHERE(small, SET(24), SET(0));
    return WHERE(small, MUL(size, SET(0x1p24f)), size);
}

INLINE V exponent_of(V x)
{
    V less, size = normal(x, &less);
    V k = SUB(_mm256_cvtepi32_ps(_mm256_sub_epi32(SHIFT(AS_U(size), 23), USET(127))), less);
    k = WHERE_ZERO(x, SET(-INFINITY), k);
    return WHERE(_mm256_cmp_ps(size, SET(0x1.fffffep127f), _CMP_NLE_UQ), size, k);
}

INLINE V significand_of(V x)
{
    V less, size = normal(x, &less);
    U bits = _mm256_sub_epi32(AS_U(size), USET(0x3f400000)); /* 3/4 */
    V m = AS_V(_mm256_add_epi32(UAND(bits, USET(0x007fffff)), USET(0x3f400000)));
    m = WHERE(_mm256_or_ps(_mm256_cmp_ps(size, SET(0), _CMP_EQ_OQ), _mm256_cmp_ps(size, SET(INFINITY), _CMP_EQ_OQ)), SET(1), m);
    return WHERE(_mm256_cmp_ps(x, SET(0), _CMP_NGE_UQ), SET(NAN), m);
}
#include "tensor/vector.inc"
#endif
