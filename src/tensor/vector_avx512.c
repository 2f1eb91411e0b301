/* The kernels of vector.inc for AVX-512 (F, DQ, BW, VL): tables lie in registers. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "tensor/vector.h"
#include "tensor/vector_unroll.h"

#define V __m512
#define U __m512i
#define LANES 16
#define LEVEL vector_avx512
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define USTORE(p, u) _mm512_storeu_si512(p, u)
#define STREAM(p, v) _mm512_stream_ps(p, v)
#define FENCE fence_stores
#define SET(x) _mm512_set1_ps(x)
#define USET(x) _mm512_set1_epi32((int)(x))
#define AS_U(v) _mm512_castps_si512(v)
#define AS_V(u) _mm512_castsi512_ps(u)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define FMS(a, b, c) _mm512_fmsub_ps(a, b, c)
#define FNMA(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define MIN(a, b) _mm512_min_ps(a, b)
#define MAX(a, b) _mm512_max_ps(a, b)
#define CLAMP(x, c) _mm512_range_ps(x, c, 2) /* the smaller size, with the sign of x */
#define SCALE(x, n) _mm512_scalef_ps(x, n)
#define EXPONENT(x) _mm512_getexp_ps(x)
#define SIGNIFICAND(x) _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan)
#define SHIFT(u, k) _mm512_srli_epi32(u, k)
#define LOOKUP(t, u) _mm512_permutex2var_ps(_mm512_load_ps(t), u, _mm512_load_ps((t) + 16))
#define UAND(a, b) _mm512_and_si512(a, b)
#define WITHOUT(acc, a, b) _mm512_ternarylogic_epi32(acc, a, b, 0xf4)
#define UANY(u) (_mm512_test_epi32_mask(u, u) != 0)
#define WITH_SIGN(y, x) \
    _mm512_castsi512_ps(_mm512_ternarylogic_epi32(AS_U(y), AS_U(x), USET(0x80000000), 0xf8)) /* y | (x & mask) */
#define MASK __mmask16
#define ODD(u) _mm512_testn_epi32_mask(u, USET(1)) /* the others: what the masked operations want */
#define PICK(mask, a, b) _mm512_mask_mov_ps(a, mask, b)
#define FLIP(y, u) \
    _mm512_castsi512_ps(_mm512_ternarylogic_epi32(AS_U(y), _mm512_slli_epi32(u, 30), USET(0x80000000), 0x78)) /* y ^ (u & mask) */
#define FMA_BUT(mask, a, b, c) _mm512_mask3_fmadd_ps(a, b, c, mask)
#define MUL_BUT(mask, a, b) _mm512_mask_mul_ps(a, mask, a, b)
#define UNLESS_ZERO(a, b) _mm512_fixupimm_ps(b, a, USET(0x10001000), 0) /* classes "one" and "above 0" take a */
#define WHERE_ZERO(x, a, b) _mm512_fixupimm_ps(b, x, USET(0x100), 0) /* class "zero" takes x, the others stay */

static void fence_stores(void) { _mm_sfence(); }
#include "tensor/vector.inc"
#endif
