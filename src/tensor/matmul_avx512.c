/* Matrix products with AVX-512: tiles of 14 rows by two vectors (28 sums, 2 vectors of B, 1 number of A in 32 registers). */
#if defined(__x86_64__)
#include <immintrin.h>

#include "tensor/matmul_kernel.h"

#define MASKS_ARE_FREE 0
#define ALL_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define HALF_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

#define R float
#define V __m512
#define LANES 16
#define LOAD(p) _mm512_loadu_ps(p)
#define LOADM(p, m) _mm512_maskz_loadu_ps(m, p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define STOREM(p, m, v) _mm512_mask_storeu_ps(p, m, v)
#define MASK_T __mmask16
#define MASK(count) (__mmask16)(0xffffu >> (16 - (count)))
#define SET(x) _mm512_set1_ps(x)
#define PAIR(x, y) _mm512_setr4_ps(x, y, x, y)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUM(v) _mm512_reduce_add_ps(v)
#define SWAP(v) _mm512_permute_ps(v, 0xb1)

#define UNIT 1
#define NAME(x) x##_f32
#define MATMUL_ALL ALL_ROWS
#include "tensor/matmul.inc"
#define UNIT 2
#define NAME(x) x##_c64
#define MATMUL_ALL HALF_ROWS
#include "tensor/matmul.inc"
#undef R
#undef V
#undef LANES
#undef LOAD
#undef LOADM
#undef STORE
#undef STOREM
#undef MASK_T
#undef MASK
#undef SET
#undef PAIR
#undef FMA
#undef MUL
#undef ADD
#undef SUM
#undef SWAP

#define R double
#define V __m512d
#define LANES 8
#define LOAD(p) _mm512_loadu_pd(p)
#define LOADM(p, m) _mm512_maskz_loadu_pd(m, p)
#define STORE(p, v) _mm512_storeu_pd(p, v)
#define STOREM(p, m, v) _mm512_mask_storeu_pd(p, m, v)
#define MASK_T __mmask8
#define MASK(count) (__mmask8)(0xffu >> (8 - (count)))
#define SET(x) _mm512_set1_pd(x)
#define PAIR(x, y) _mm512_setr4_pd(x, y, x, y)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define MUL(a, b) _mm512_mul_pd(a, b)
#define ADD(a, b) _mm512_add_pd(a, b)
#define SUM(v) _mm512_reduce_add_pd(v)
#define SWAP(v) _mm512_permute_pd(v, 0x55)

#define UNIT 1
#define NAME(x) x##_f64
#define MATMUL_ALL ALL_ROWS
#include "tensor/matmul.inc"
#define UNIT 2
#define NAME(x) x##_c128
#define MATMUL_ALL HALF_ROWS
#include "tensor/matmul.inc"
#undef R
#undef V
#undef LANES
#undef LOAD
#undef LOADM
#undef STORE
#undef STOREM
#undef MASK_T
#undef MASK
#undef SET
#undef PAIR
#undef FMA
#undef MUL
#undef ADD
#undef SUM
#undef SWAP

#define ENTRY_0_f32(rows) {tile_##rows##_1_0_f32, tile_##rows##_2_0_f32},
#define ENTRY_1_f32(rows) {tile_##rows##_1_1_f32, tile_##rows##_2_1_f32},
#define ENTRY_0_f64(rows) {tile_##rows##_1_0_f64, tile_##rows##_2_0_f64},
#define ENTRY_1_f64(rows) {tile_##rows##_1_1_f64, tile_##rows##_2_1_f64},
#define ENTRY_0_c64(rows) {tile_##rows##_1_0_c64, tile_##rows##_2_0_c64},
#define ENTRY_1_c64(rows) {tile_##rows##_1_1_c64, tile_##rows##_2_1_c64},
#define ENTRY_0_c128(rows) {tile_##rows##_1_0_c128, tile_##rows##_2_0_c128},
#define ENTRY_1_c128(rows) {tile_##rows##_1_1_c128, tile_##rows##_2_1_c128},

const matmul_level matmul_avx512 = {
    .f32 = {14, 16, {{{NULL, NULL}, ALL_ROWS(ENTRY_0_f32)}, {{NULL, NULL}, ALL_ROWS(ENTRY_1_f32)}}, dot_f32, matmul_pack_4},
    .f64 = {14, 8, {{{NULL, NULL}, ALL_ROWS(ENTRY_0_f64)}, {{NULL, NULL}, ALL_ROWS(ENTRY_1_f64)}}, dot_f64, matmul_pack_8},
    .c64 = {7, 8, {{{NULL, NULL}, HALF_ROWS(ENTRY_0_c64)}, {{NULL, NULL}, HALF_ROWS(ENTRY_1_c64)}}, NULL, matmul_pack_8},
    .c128 = {7, 4, {{{NULL, NULL}, HALF_ROWS(ENTRY_0_c128)}, {{NULL, NULL}, HALF_ROWS(ENTRY_1_c128)}}, NULL, matmul_pack_16},
    .widen_bf16 = matmul_widen_bf16,
    .widen_f16 = matmul_widen_f16,
};
#else
typedef int matmul_avx512_is_for_x86;
#endif
