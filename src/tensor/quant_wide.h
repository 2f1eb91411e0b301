/* Panels in vectors of 512 bits: unpacking, scales, what becomes of a sum. For quant_vnni.c and quant_amx.c, which are compiled for such a CPU. */
#ifndef NIGH_TENSOR_QUANT_WIDE_H
#define NIGH_TENSOR_QUANT_WIDE_H
#include "tensor/quant_layout.h"
#include "tensor/vector_unroll.h"

#include <immintrin.h>

/* Codes of vector j: the low halves and the high ones (in place: 16 times the codes). `bits`: the vectors of further bits. */
INLINE __m512i wide_low(const quant_codes codes, __m512i v, __m512i bits, int j)
{
    const __m512i half = _mm512_set1_epi8(15);
    if (codes == QUANT_FIVES) { /* low: bit j to place 4 */
        __m512i fifth = _mm512_and_si512(_mm512_slli_epi16(bits, (unsigned)(4 - j)), _mm512_set1_epi8(16));
        return _mm512_ternarylogic_epi32(v, half, fifth, 0xea); /* (v & half) | fifth */
    }
    if (codes == QUANT_SIXES) {
        __m512i moved = j < 2 ? _mm512_slli_epi16(bits, (unsigned)(4 - 2 * j)) : j == 2 ? bits : _mm512_srli_epi16(bits, 2);
        return _mm512_ternarylogic_epi32(v, half, _mm512_and_si512(moved, _mm512_set1_epi8(48)), 0xea);
    }
    return _mm512_and_si512(v, half);
}

INLINE __m512i wide_high(const quant_codes codes, __m512i v, __m512i bits, int j)
{
    v = _mm512_srli_epi16(v, 4);
    if (codes == QUANT_FIVES) { /* bit 4 + j to place 4 */
        __m512i fifth = _mm512_and_si512(j ? _mm512_srli_epi16(bits, (unsigned)j) : bits, _mm512_set1_epi8(16));
        return _mm512_ternarylogic_epi32(v, _mm512_set1_epi8(15), fifth, 0xea);
    }
    return wide_low(codes, v, bits, j);
}

/* A table of IQ4_NL moved up by 128, for every group of 16 bytes. */
INLINE __m512i wide_table(void)
{
    __m128i table = _mm_loadu_si128((const __m128i *)(const void *)quant_table);
    return _mm512_broadcast_i32x4(_mm_xor_si128(table, _mm_set1_epi8(-128)));
}

INLINE __m512 wide_halves(const char *p) { return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)p)); }
INLINE __m512 wide_bytes(const char *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_load_si128((const __m128i *)(const void *)p))); }

/* The scales of one block (two, if fine): d and m of the block's group, `scales` its bytes. */
typedef struct wide_scales {
    __m512 d[2], m[2];
} wide_scales;

INLINE wide_scales wide_scale(const quant_format *f, const char *group, int within)
{
    wide_scales s = {{_mm512_setzero_ps(), _mm512_setzero_ps()}, {_mm512_setzero_ps(), _mm512_setzero_ps()}};
    __m512 d = wide_halves(group + (f->group == 2 ? 32 * within : 0));
    s.d[0] = d;
    if (f->low) s.m[0] = wide_halves(group + 32);
    if (f->group != 8) return s;
    const char *scales = group + 64 + within * ((f->head - 64) / 8);
    __m512 m = s.m[0];
    for (int h = 0; h < (f->fine ? 2 : 1); h++) {
        s.d[h] = _mm512_mul_ps(d, wide_bytes(scales + 16 * h));
        if (f->low) s.m[h] = _mm512_mul_ps(m, wide_bytes(scales + 16 * (h + (f->fine ? 2 : 1))));
    }
    return s;
}

/* exp of quant_gate.c: the same operations. */
INLINE __m512 wide_exp(__m512 t)
{
    t = _mm512_min_ps(_mm512_set1_ps(88.f), _mm512_max_ps(_mm512_set1_ps(-87.f), t)); /* the second where it is not a number */
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(t, _mm512_set1_ps(0x1.715476p+0f)), 8);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.62e4p-1f), t);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.7f7d1cp-20f), r);
    __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(0x1.6c16c2p-10f), _mm512_set1_ps(0x1.111112p-7f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555556p-5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555556p-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.f));
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_cvttps_epi32(n), 23)));
}

INLINE __m512 wide_gate(quant_gate gate, __m512 x)
{
    __m512 u = x;
    if (gate == QUANT_GELU) {
        float each[16];
        _mm512_storeu_ps(each, x);
        quant_gates(gate, 16, each);
        return _mm512_loadu_ps(each);
    }
    if (gate == QUANT_GELU_TANH)
        u = _mm512_mul_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1.988454p+0f)), _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(0x1.6e4e26p-5f), _mm512_set1_ps(1.f)));
    __m512 minus = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(u), _mm512_set1_epi32(INT32_MIN)));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.f), wide_exp(minus)));
}

/* Sums of 16 rows of weights for row t of x; `lanes` of them are wanted. */
INLINE void wide_finish(const quant_task *task, int64_t t, int64_t first, __m512 sum)
{
    float *y = task->y + t * task->ldy + first;
    __mmask16 mask = task->lanes - first >= QUANT_PANEL ? 0xffff : (__mmask16)((1u << (task->lanes - first)) - 1);
    if (task->end == QUANT_ADD)
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sum);
    else if (task->end == QUANT_GATE)
        sum = _mm512_mul_ps(wide_gate(task->gate, _mm512_maskz_loadu_ps(mask, y)), sum);
    _mm512_mask_storeu_ps(y, mask, sum);
}
#endif
