/* lanes.h for AVX2 and FMA. */
#include <immintrin.h>

#undef MM
#undef SCALE
#undef KEEP
#undef DUP_EVEN
#undef DUP_ODD
#undef SWAP
#undef EXPONENT
#undef SIGNIFICAND
#undef PART_LOAD
#undef PART_STORE
#undef LESS
#undef LESS_EQUAL
#undef SAME
#ifdef LANES_F64
#define MM(name) _mm256_##name##_pd
#define LANES 4
#define V __m256d
#define DUP_EVEN(a) _mm256_movedup_pd(a)
#define DUP_ODD(a) _mm256_permute_pd(a, 0xf)
#define SWAP(a) _mm256_permute_pd(a, 5)
#define KEEP(v, k) _mm256_and_pd(v, _mm256_castsi256_pd(lanes_first_f64(k)))
#define PART_LOAD(p, k) _mm256_maskload_pd(p, lanes_first_f64(k))
#define PART_STORE(p, k, v) _mm256_maskstore_pd(p, lanes_first_f64(k), v)
#define LESS(a, b) _mm256_cmp_pd(a, b, _CMP_LT_OQ)
#define LESS_EQUAL(a, b) _mm256_cmp_pd(a, b, _CMP_LE_OQ)
#define SAME(a, b) _mm256_cmp_pd(a, b, _CMP_EQ_OQ)
#else
#define MM(name) _mm256_##name##_ps
#define LANES 8
#define V __m256
#define DUP_EVEN(a) _mm256_moveldup_ps(a)
#define DUP_ODD(a) _mm256_movehdup_ps(a)
#define SWAP(a) _mm256_permute_ps(a, 0xb1)
#define KEEP(v, k) _mm256_and_ps(v, _mm256_castsi256_ps(lanes_first_f32(k)))
#define PART_LOAD(p, k) _mm256_maskload_ps(p, lanes_first_f32(k))
#define PART_STORE(p, k, v) _mm256_maskstore_ps(p, lanes_first_f32(k), v)
#define LESS(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define LESS_EQUAL(a, b) _mm256_cmp_ps(a, b, _CMP_LE_OQ)
#define SAME(a, b) _mm256_cmp_ps(a, b, _CMP_EQ_OQ)
#endif
#define MASK V
#define LOAD(p) MM(loadu)(p)
#define STORE(p, v) MM(storeu)(p, v)
#define SET(x) MM(set1)((REAL)(x))
#define ADD(a, b) MM(add)(a, b)
#define SUB(a, b) MM(sub)(a, b)
#define MUL(a, b) MM(mul)(a, b)
#define DIV(a, b) MM(div)(a, b)
#define SQRT(a) MM(sqrt)(a)
#define ABS(a) MM(andnot)(SET(-0.), a)
#define NEGATE(a) MM(xor)(SET(-0.), a)
#define SIGNED(y, x) MM(or)(MM(andnot)(SET(-0.), y), MM(and)(SET(-0.), x))
#define FMA(a, b, c) MM(fmadd)(a, b, c)
#define FMS(a, b, c) MM(fmsub)(a, b, c)
#define FNMA(a, b, c) MM(fnmadd)(a, b, c)
#define FMA_SIGNS(a, b, c) MM(fmaddsub)(a, b, c)
#define WITHIN(x, c) MIN(MAX(x, SET(-(c))), SET(c))
#define MIN(a, b) MM(min)(a, b)
#define MAX(a, b) MM(max)(a, b)
#define NEAREST(a) MM(round)(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define FLOOR(a) MM(round)(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define PICK(mask, a, b) MM(blendv)(b, a, mask)
#define SCALE(x, n) NAMED(lanes_scale)(x, n)
#define EXPONENT(x) NAMED(lanes_exponent)(x)
#define SIGNIFICAND(x) NAMED(lanes_significand)(x)

#ifdef LANES_F64
INLINE __m256i lanes_first_f64(int64_t k) { return _mm256_cmpgt_epi64(_mm256_set1_epi64x(k), _mm256_setr_epi64x(0, 1, 2, 3)); }

/* 2^n for whole n, |n| <= 1022, by the last bits of a sum. */
INLINE V lanes_power_f64(V n)
{
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(ADD(n, SET(0x1.8p52 + 1023))), 52));
}

/* The exponent of a positive normal number. */
INLINE V lanes_bits_f64(V x)
{
    __m256i u = _mm256_or_si256(_mm256_srli_epi64(_mm256_castpd_si256(x), 52), _mm256_castpd_si256(SET(0x1p52)));
    return SUB(_mm256_castsi256_pd(u), SET(0x1p52 + 1023));
}
#else
INLINE __m256i lanes_first_f32(int64_t k) { return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)k), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }

INLINE V lanes_power_f32(V n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(ADD(n, SET(0x1.8p23f + 127))), 23));
}

INLINE V lanes_bits_f32(V x) { return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(x), 23), _mm256_set1_epi32(127))); }
#endif

/* In two steps, of which the first is exact. */
INLINE V NAMED(lanes_scale)(V x, V n)
{
    const REAL most = sizeof(REAL) == 4 ? 252 : 2044;
    V k = MAX(MIN(n, SET(most)), SET(-most)), half = FLOOR(MUL(k, SET(.5)));
    return PICK(SAME(n, n), MUL(MUL(x, NAMED(lanes_power)(half)), NAMED(lanes_power)(SUB(k, half))), n);
}

INLINE V NAMED(lanes_exponent)(V x)
{
    const REAL tiny = sizeof(REAL) == 4 ? (REAL)0x1p-126 : (REAL)0x1p-1022, up = sizeof(REAL) == 4 ? (REAL)0x1p24 : (REAL)0x1p54;
    V size = ABS(x), small = LESS(size, SET(tiny));
    V normal = PICK(small, MUL(size, SET(up)), size), less = PICK(small, SET(sizeof(REAL) == 4 ? 24 : 54), SET(0));
    V k = PICK(SAME(x, SET(0)), SET(-INFINITY), SUB(NAMED(lanes_bits)(normal), less));
    return PICK(LESS(size, SET(INFINITY)), k, size);
}

INLINE V NAMED(lanes_significand)(V x)
{
    V m = SCALE(x, SUB(SET(0), EXPONENT(x)));
    m = PICK(LESS_EQUAL(SET(1.5), m), MUL(m, SET(.5)), m);
    m = PICK(MM(or)(SAME(x, SET(0)), SAME(x, SET(INFINITY))), SET(1), m);
    return PICK(LESS_EQUAL(SET(0), x), m, SET(NAN));
}
