/* Matrix products with AVX2: tiles of 6 rows by two vectors (12 sums, 2 vectors of B, 1 number of A in 16 registers). */
#if defined(__x86_64__)
#include <immintrin.h>

#include "tensor/matmul_kernel.h"

#define MASKS_ARE_FREE 0
#define ALL_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define HALF_ROWS(X) X(1) X(2) X(3)

static const int32_t mask_bits[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

INLINE float sum_8(__m256 v)
{
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

INLINE double sum_4(__m256d v)
{
    __m128d x = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)));
}

#define R float
#define V __m256
#define LANES 8
#define LOAD(p) _mm256_loadu_ps(p)
#define LOADM(p, m) _mm256_maskload_ps(p, m)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define STOREM(p, m, v) _mm256_maskstore_ps(p, m, v)
#define MASK_T __m256i
#define MASK(count) _mm256_loadu_si256((const __m256i *)(mask_bits + 8 - (count)))
#define SET(x) _mm256_set1_ps(x)
#define PAIR(x, y) _mm256_setr_ps(x, y, x, y, x, y, x, y)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUM(v) sum_8(v)
#define SWAP(v) _mm256_permute_ps(v, 0xb1)

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
#define V __m256d
#define LANES 4
#define LOAD(p) _mm256_loadu_pd(p)
#define LOADM(p, m) _mm256_maskload_pd(p, m)
#define STORE(p, v) _mm256_storeu_pd(p, v)
#define STOREM(p, m, v) _mm256_maskstore_pd(p, m, v)
#define MASK_T __m256i
#define MASK(count) _mm256_loadu_si256((const __m256i *)(mask_bits + 8 - 2 * (count)))
#define SET(x) _mm256_set1_pd(x)
#define PAIR(x, y) _mm256_setr_pd(x, y, x, y)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define MUL(a, b) _mm256_mul_pd(a, b)
#define ADD(a, b) _mm256_add_pd(a, b)
#define SUM(v) sum_4(v)
#define SWAP(v) _mm256_permute_pd(v, 0x5)

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

const matmul_level matmul_avx2 = {
    .f32 = {6, 8, {{{NULL, NULL}, ALL_ROWS(ENTRY_0_f32)}, {{NULL, NULL}, ALL_ROWS(ENTRY_1_f32)}}, dot_f32, matmul_pack_4},
    .f64 = {6, 4, {{{NULL, NULL}, ALL_ROWS(ENTRY_0_f64)}, {{NULL, NULL}, ALL_ROWS(ENTRY_1_f64)}}, dot_f64, matmul_pack_8},
    .c64 = {3, 4, {{{NULL, NULL}, HALF_ROWS(ENTRY_0_c64)}, {{NULL, NULL}, HALF_ROWS(ENTRY_1_c64)}}, NULL, matmul_pack_8},
    .c128 = {3, 2, {{{NULL, NULL}, HALF_ROWS(ENTRY_0_c128)}, {{NULL, NULL}, HALF_ROWS(ENTRY_1_c128)}}, NULL, matmul_pack_16},
    .widen_bf16 = matmul_widen_bf16,
    .widen_f16 = matmul_widen_f16,
};
#else
typedef int matmul_avx2_is_for_x86;
#endif
