/* Philox4x32-10, sixteen blocks at a time. See random.c for the scalar form that defines the numbers. */
#include "core/philox.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* High and low halves of the sixteen products m * x. */
static inline void multiply(__m512i x, __m512i m, __m512i *high, __m512i *low)
{
    __m512i even = _mm512_mul_epu32(x, m);
    __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), m);
    *high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
    *low = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

void nigh_philox_fill_avx512(uint64_t seed, uint64_t stream, uint64_t first, int64_t blocks, uint32_t *out)
{
    const __m512i m0 = _mm512_set1_epi32((int)PHILOX_M0), m1 = _mm512_set1_epi32((int)PHILOX_M1);
    for (int64_t b = 0; b < blocks; b += 16) {
        /* Lane 4k+j holds block 4j+k, so that the transposition below yields blocks in order. */
        uint32_t low[16], high[16];
        for (int lane = 0; lane < 16; lane++) {
            uint64_t block = first + (uint64_t)b + 4 * (uint64_t)(lane & 3) + (uint64_t)(lane >> 2);
            low[lane] = (uint32_t)block, high[lane] = (uint32_t)(block >> 32);
        }
        __m512i c0 = _mm512_loadu_si512(low), c1 = _mm512_loadu_si512(high);
        __m512i c2 = _mm512_set1_epi32((int)(uint32_t)stream), c3 = _mm512_set1_epi32((int)(uint32_t)(stream >> 32));
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < PHILOX_ROUNDS; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
            __m512i h0, l0, h1, l1;
            multiply(c0, m0, &h0, &l0);
            multiply(c2, m1, &h1, &l1);
            c0 = _mm512_ternarylogic_epi32(h1, c1, _mm512_set1_epi32((int)k0), 0x96); /* three-way xor */
            c2 = _mm512_ternarylogic_epi32(h0, c3, _mm512_set1_epi32((int)k1), 0x96);
            c1 = l1, c3 = l0;
        }
        __m512i a = _mm512_unpacklo_epi32(c0, c1), p = _mm512_unpackhi_epi32(c0, c1);
        __m512i e = _mm512_unpacklo_epi32(c2, c3), f = _mm512_unpackhi_epi32(c2, c3);
        uint32_t *to = out + 4 * b;
        _mm512_storeu_si512(to + 0, _mm512_unpacklo_epi64(a, e));
        _mm512_storeu_si512(to + 16, _mm512_unpackhi_epi64(a, e));
        _mm512_storeu_si512(to + 32, _mm512_unpacklo_epi64(p, f));
        _mm512_storeu_si512(to + 48, _mm512_unpackhi_epi64(p, f));
    }
}
#endif
