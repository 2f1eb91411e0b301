/* Text-to-pattern Hamming distances at the CPU level avx2. */
#include "reduce/hamming_kernels.h"

#include <immintrin.h>
#include <string.h>

#define BITS 8
#define SYMBOL uint8_t
#define VECTOR __m256i
#define LANES 32
#define FLUSH 255
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define FILL(x) _mm256_set1_epi8((char)(x))
#define COUNT(c, a, b) _mm256_sub_epi8(c, _mm256_cmpeq_epi8(a, b))
#define KEEP(p, c) _mm256_storeu_si256((__m256i *)(p), c)
#define DIFFER(a, b) (__builtin_popcount(~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b))))
#include "hamming_compare.inc"

#define BITS 16
#define SYMBOL uint16_t
#define VECTOR __m256i
#define LANES 16
#define FLUSH 65535
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define FILL(x) _mm256_set1_epi16((short)(x))
#define COUNT(c, a, b) _mm256_sub_epi16(c, _mm256_cmpeq_epi16(a, b))
#define KEEP(p, c) _mm256_storeu_si256((__m256i *)(p), c)
#define DIFFER(a, b) (__builtin_popcount(~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi16(a, b))) / 2)
#include "hamming_compare.inc"

#define BITS 32
#define SYMBOL uint32_t
#define VECTOR __m256i
#define LANES 8
#define FLUSH INT32_MAX
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define FILL(x) _mm256_set1_epi32((int)(x))
#define COUNT(c, a, b) _mm256_sub_epi32(c, _mm256_cmpeq_epi32(a, b))
#define KEEP(p, c) _mm256_storeu_si256((__m256i *)(p), c)
#define DIFFER(a, b) (__builtin_popcount(~(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi32(a, b))) / 4)
#include "hamming_compare.inc"

static inline uint64_t equal64(const uint8_t *p, uint8_t symbol)
{
    __m256i wanted = _mm256_set1_epi8((char)symbol), a = _mm256_loadu_si256((const __m256i *)p), b = _mm256_loadu_si256((const __m256i *)(p + 32));
    uint64_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, wanted)), high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, wanted));
    return low | high << 32;
}

#define WORD __m256i
#define WORD_BITS 256
#define WORD_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define WORD_ZERO _mm256_setzero_si256()
#define XOR3(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define MAJORITY(a, b, c) _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_xor_si256(a, b)))
#define AND(a, b) _mm256_and_si256(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define EQUAL64 equal64
#include "hamming_slice.inc"

#include "hamming_spectrum.inc"
const hamming_kernels hamming_avx2 = HAMMING_KERNELS;
