/* lanes.h for AVX-512 (F, DQ, BW, VL). */
#include <immintrin.h>

#undef MM
#undef MASK
#undef LESS
#undef LESS_EQUAL
#undef SAME
#undef NEGATE
#undef DUP_EVEN
#undef DUP_ODD
#undef SWAP
#undef SIGNED
#ifdef LANES_F64
#define MM(name) _mm512_##name##_pd
#define LANES 8
#define V __m512d
#define MASK __mmask8
#define NEGATE(a) _mm512_xor_pd(a, SET(-0.))
#define DUP_EVEN(a) _mm512_movedup_pd(a)
#define DUP_ODD(a) _mm512_permute_pd(a, 0xff)
#define SWAP(a) _mm512_permute_pd(a, 0x55)
#define SIGNED(y, x) \
    _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_castpd_si512(y), _mm512_castpd_si512(x), _mm512_set1_epi64(INT64_MIN), 0xd8))
#define LESS(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ)
#define LESS_EQUAL(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ)
#define SAME(a, b) _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ)
#else
#define MM(name) _mm512_##name##_ps
#define LANES 16
#define V __m512
#define MASK __mmask16
#define NEGATE(a) _mm512_xor_ps(a, SET(-0.f))
#define DUP_EVEN(a) _mm512_moveldup_ps(a)
#define DUP_ODD(a) _mm512_movehdup_ps(a)
#define SWAP(a) _mm512_permute_ps(a, 0xb1)
#define SIGNED(y, x) \
    _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(y), _mm512_castps_si512(x), _mm512_set1_epi32(INT32_MIN), 0xd8))
#define LESS(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define LESS_EQUAL(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ)
#define SAME(a, b) _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)
#endif
#define FIRST(k) ((MASK)((1u << (k)) - 1))
#define KEEP(v, k) MM(maskz_mov)(FIRST(k), v)
#define LOAD(p) MM(loadu)(p)
#define STORE(p, v) MM(storeu)(p, v)
#define PART_LOAD(p, k) MM(maskz_loadu)(FIRST(k), p)
#define PART_STORE(p, k, v) MM(mask_storeu)(p, FIRST(k), v)
#define SET(x) MM(set1)((REAL)(x))
#define ADD(a, b) MM(add)(a, b)
#define SUB(a, b) MM(sub)(a, b)
#define MUL(a, b) MM(mul)(a, b)
#define DIV(a, b) MM(div)(a, b)
#define SQRT(a) MM(sqrt)(a)
#define ABS(a) MM(abs)(a)
#define FMA(a, b, c) MM(fmadd)(a, b, c)
#define FMS(a, b, c) MM(fmsub)(a, b, c)
#define FNMA(a, b, c) MM(fnmadd)(a, b, c)
#define FMA_SIGNS(a, b, c) MM(fmaddsub)(a, b, c)
#define WITHIN(x, c) MM(range)(x, SET(c), 2)
#define MIN(a, b) MM(min)(a, b)
#define MAX(a, b) MM(max)(a, b)
#define NEAREST(a) MM(roundscale)(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define FLOOR(a) MM(roundscale)(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define PICK(mask, a, b) MM(mask_mov)(b, mask, a)
#define SCALE(x, n) MM(scalef)(x, n)
#define EXPONENT(x) MM(getexp)(x)
#define SIGNIFICAND(x) MM(getmant)(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan)
