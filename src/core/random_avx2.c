/* Philox4x32-10, eight blocks at a time. See random.c for the scalar form that defines the numbers. */
#include "core/philox.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* High and low halves of the eight products m * x. */
static inline void multiply(__m256i x, __m256i m, __m256i *high, __m256i *low)
{
    __m256i even = _mm256_mul_epu32(x, m);
    __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

void nigh_philox_fill_avx2(uint64_t seed, uint64_t stream, uint64_t first, int64_t blocks, uint32_t *out)
{
    const __m256i m0 = _mm256_set1_epi32((int)PHILOX_M0), m1 = _mm256_set1_epi32((int)PHILOX_M1);
    for (int64_t b = 0; b < blocks; b += 8) {
        /* Lane 4k+j holds block 2j+k, so that the transposition below yields blocks in order. */
        uint32_t low[8], high[8];
        for (int lane = 0; lane < 8; lane++) {
            uint64_t block = first + (uint64_t)b + 2 * (uint64_t)(lane & 3) + (uint64_t)(lane >> 2);
            low[lane] = (uint32_t)block, high[lane] = (uint32_t)(block >> 32);
        }
        __m256i c0 = _mm256_loadu_si256((const __m256i *)low), c1 = _mm256_loadu_si256((const __m256i *)high);
        __m256i c2 = _mm256_set1_epi32((int)(uint32_t)stream), c3 = _mm256_set1_epi32((int)(uint32_t)(stream >> 32));
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < PHILOX_ROUNDS; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
            __m256i h0, l0, h1, l1;
            multiply(c0, m0, &h0, &l0);
            multiply(c2, m1, &h1, &l1);
            c0 = _mm256_xor_si256(_mm256_xor_si256(h1, c1), _mm256_set1_epi32((int)k0));
            c2 = _mm256_xor_si256(_mm256_xor_si256(h0, c3), _mm256_set1_epi32((int)k1));
            c1 = l1, c3 = l0;
        }
        __m256i a = _mm256_unpacklo_epi32(c0, c1), p = _mm256_unpackhi_epi32(c0, c1);
        __m256i e = _mm256_unpacklo_epi32(c2, c3), f = _mm256_unpackhi_epi32(c2, c3);
        __m256i *to = (__m256i *)(out + 4 * b);
        _mm256_storeu_si256(to + 0, _mm256_unpacklo_epi64(a, e));
        _mm256_storeu_si256(to + 1, _mm256_unpackhi_epi64(a, e));
        _mm256_storeu_si256(to + 2, _mm256_unpacklo_epi64(p, f));
        _mm256_storeu_si256(to + 3, _mm256_unpackhi_epi64(p, f));
    }
}
#endif
