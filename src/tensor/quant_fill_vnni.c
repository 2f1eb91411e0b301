/* Rows of x to bytes, four blocks of 32 at a time (AVX-512 with VNNI). */
#include "tensor/quant_wide.h"

enum { AT_ONCE = 4 };

/* The largest magnitude of each of four blocks, as integers, in every group of four lanes. */
INLINE __m512i largest(const __m512 x[2 * AT_ONCE])
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i m[AT_ONCE];
    UNROLL for (int i = 0; i < AT_ONCE; i++)
        m[i] = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(x[2 * i]), magnitude), _mm512_and_si512(_mm512_castps_si512(x[2 * i + 1]), magnitude));
    __m512i a = _mm512_max_epu32(_mm512_unpacklo_epi32(m[0], m[1]), _mm512_unpackhi_epi32(m[0], m[1]));
    __m512i b = _mm512_max_epu32(_mm512_unpacklo_epi32(m[2], m[3]), _mm512_unpackhi_epi32(m[2], m[3]));
    a = _mm512_max_epu32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    a = _mm512_max_epu32(a, _mm512_shuffle_i32x4(a, a, 0x4e));
    return _mm512_max_epu32(a, _mm512_shuffle_i32x4(a, a, 0xb1));
}

/* Two blocks, whole numbers in v (four vectors), scales in lanes `at` and `at + 1` of `scale`. */
INLINE void put_two(const __m512i v[4], __m512 scale, int at, int blocks, quant_record *to)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i parts = _mm512_setr_epi32(16, 16, 0, 1, 16, 0, 1, 0, 18, 18, 2, 3, 18, 2, 3, 2);
    __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
    __m512i sums = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), bytes); /* lane 4 i + j: part of half j */
    sums = _mm512_add_epi32(sums, _mm512_shuffle_i32x4(sums, sums, 0x4e));
    sums = _mm512_add_epi32(sums, _mm512_shuffle_i32x4(sums, sums, 0xb1));
    __m512i both = _mm512_add_epi32(sums, _mm512_shuffle_epi32(sums, 0xb1));
    __m512i which = _mm512_permutex2var_epi32(sums, parts, both);
    __m512 of_block = _mm512_permutexvar_ps(_mm512_add_epi32(_mm512_set1_epi32(at), _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)), scale);
    __m512 low = _mm512_mask_mov_ps(_mm512_mul_ps(of_block, _mm512_cvtepi32_ps(which)), 0x0101, of_block);
    __m512i rest = _mm512_mask_sub_epi32(_mm512_castps_si512(low), 0x7070, _mm512_setzero_si512(), which);
    rest = _mm512_maskz_mov_epi32(0x7f7f, rest);
    bytes = _mm512_permutexvar_epi32(order, bytes);
    _mm512_store_si512(to, _mm512_inserti64x4(bytes, _mm512_castsi512_si256(rest), 1));
    if (blocks > 1) _mm512_store_si512(to + 1, _mm512_shuffle_i64x2(bytes, rest, 0xee));
}

void quant_fill_vnni(const quant_rows *r, const float *x, quant_record *records)
{
    for (int64_t b = 0, blocks = quant_blocks(r->cols); b < blocks; b += AT_ONCE) {
        const float *from = x + b * QUANT_BLOCK;
        int64_t columns = r->cols - b * QUANT_BLOCK;
        int some = blocks - b < AT_ONCE ? (int)(blocks - b) : AT_ONCE;
        __m512 v[2 * AT_ONCE];
        UNROLL for (int i = 0; i < 2 * AT_ONCE; i++)
        {
            int64_t left = columns - 16 * i;
            v[i] = left >= 16 ? _mm512_loadu_ps(from + 16 * i) : left > 0 ? _mm512_maskz_loadu_ps((__mmask16)((1u << left) - 1), from + 16 * i) : _mm512_setzero_ps();
        }
        __m512i most = largest(v);
        __mmask16 here = (__mmask16)((1u << some) - 1), whole = _mm512_mask_cmplt_epu32_mask(here, most, _mm512_set1_epi32(0x7f800000));
        if (_mm512_mask_cmp_ps_mask(whole, _mm512_castsi512_ps(most), _mm512_set1_ps(QUANT_LEAST), _CMP_GE_OQ) != here) {
            quant_rows part = *r; /* zeros, or what is not a number */
            part.cols = columns < AT_ONCE * QUANT_BLOCK ? columns : AT_ONCE * QUANT_BLOCK;
            quant_scalar.fill(&part, from, records + b);
            continue;
        }
        const __m128 top = _mm512_castps512_ps128(_mm512_castsi512_ps(most)), of_bytes = _mm_set1_ps(127);
        __m512 scale = _mm512_castps128_ps512(_mm_div_ps(top, of_bytes)), inverse = _mm512_broadcast_f32x4(_mm_div_ps(of_bytes, top));
        __m512i whole_numbers[2 * AT_ONCE];
        __m512 each[AT_ONCE] = {_mm512_permute_ps(inverse, 0), _mm512_permute_ps(inverse, 0x55), _mm512_permute_ps(inverse, 0xaa), _mm512_permute_ps(inverse, 0xff)};
        UNROLL for (int i = 0; i < 2 * AT_ONCE; i++) whole_numbers[i] = _mm512_cvtps_epi32(_mm512_mul_ps(v[i], each[i / 2]));
        put_two(whole_numbers, scale, 0, some, records + b);
        if (some > 2) put_two(whole_numbers + 4, scale, 2, some - 2, records + b + 2);
    }
}
