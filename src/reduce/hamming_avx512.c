/* Text-to-pattern Hamming distances at the CPU level avx512. */
#include "reduce/hamming_kernels.h"

#include <immintrin.h>
#include <string.h>

#define BITS 8
#define SYMBOL uint8_t
#define VECTOR __m512i
#define LANES 64
#define FLUSH 255
#define LOAD(p) _mm512_loadu_si512(p)
#define FILL(x) _mm512_set1_epi8((char)(x))
#define COUNT(c, a, b) _mm512_mask_sub_epi8(c, _mm512_cmpeq_epi8_mask(a, b), c, _mm512_set1_epi8(-1))
#define KEEP(p, c) _mm512_storeu_si512(p, c)
#define DIFFER(a, b) __builtin_popcountll(_mm512_cmpneq_epi8_mask(a, b))
#include "hamming_compare.inc"

#define BITS 16
#define SYMBOL uint16_t
#define VECTOR __m512i
#define LANES 32
#define FLUSH 65535
#define LOAD(p) _mm512_loadu_si512(p)
#define FILL(x) _mm512_set1_epi16((short)(x))
#define COUNT(c, a, b) _mm512_mask_sub_epi16(c, _mm512_cmpeq_epi16_mask(a, b), c, _mm512_set1_epi16(-1))
#define KEEP(p, c) _mm512_storeu_si512(p, c)
#define DIFFER(a, b) __builtin_popcountll(_mm512_cmpneq_epi16_mask(a, b))
#include "hamming_compare.inc"

#define BITS 32
#define SYMBOL uint32_t
#define VECTOR __m512i
#define LANES 16
#define FLUSH INT32_MAX
#define LOAD(p) _mm512_loadu_si512(p)
#define FILL(x) _mm512_set1_epi32((int)(x))
#define COUNT(c, a, b) _mm512_mask_sub_epi32(c, _mm512_cmpeq_epi32_mask(a, b), c, _mm512_set1_epi32(-1))
#define KEEP(p, c) _mm512_storeu_si512(p, c)
#define DIFFER(a, b) __builtin_popcountll(_mm512_cmpneq_epi32_mask(a, b))
#include "hamming_compare.inc"

#define WORD __m512i
#define WORD_BITS 512
#define WORD_LOAD(p) _mm512_loadu_si512(p)
#define WORD_ZERO _mm512_setzero_si512()
#define XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define MAJORITY(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xE8)
#define AND(a, b) _mm512_and_si512(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define EQUAL64(p, symbol) _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)(symbol)))
#include "hamming_slice.inc"

#include "hamming_spectrum.inc"
const hamming_kernels hamming_avx512 = HAMMING_KERNELS;
