/*
 * f32 products on the tile unit (AMX), with the accuracy of f32: each number is cut into three bf16 a1 + a2 + a3 that hold all of its 24 bits, and
 *   a b = a1 b1 + (a1 b2 + a2 b1 + a2 b2 + a1 b3 + a3 b1) + terms below 2^-26 |a b|,
 * the first sum and the small ones in accumulators of their own. Six products at 16 times the speed of vectors leave 2.5 times and more.
 * The idea: Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations".
 *
 * The unit takes numbers below 2^-126 as zero: parts of a number below 2^-108 may be lost, an error of at most 2^-126 times the other factor. Numbers of 2^127 and
 * more, infinities and NaN are found while cutting; then the product is left to the vector kernels.
 */
#include "tensor/matmul_kernel.h"

#if defined(__x86_64__) && defined(__linux__) && !defined(NIGH_SANITIZED)
#include <cpuid.h>
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TILES __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq")))
#define INLINE_TILES TILES static inline __attribute__((always_inline))

enum {
    SIDE = 16,                    /* rows of a tile, and columns of C */
    CHUNK = 32,                   /* k of a tile */
    PIECE = SIDE * CHUNK,         /* bf16 in a tile */
    DEPTH = 128, WIDTH = 512,     /* k and n of a packed block of B: with three parts a fifth of the second-level cache */
    COLUMN = DEPTH / CHUNK * 3 * PIECE, /* bf16 of a packed row tile of A, or column tile of B */
    SCRATCH = 4 * SIDE * SIDE * 4 /* bytes of the accumulators of a block of C, 32 x 16 */
};

/* ---- is it there -------------------------------------------------------------------------------------- */

static bool detect(void)
{
    unsigned a, b, c, d, low, high;
    const char *mask = getenv("NIGH_CPU");
    if (mask && !strcmp(mask, "avx512")) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false; /* AMX-BF16, AMX-TILE */
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low >> 17 & 3) != 3) return false;
    return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18) == 0; /* of the process, all threads */
}

bool matmul_tiles_there(void)
{
    static int known; /* 0: not looked yet; two threads may both write the same value */
    int now = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (!now) __atomic_store_n(&known, now = detect() ? 2 : 1, __ATOMIC_RELAXED);
    return now == 2;
}

size_t matmul_tiles_bytes(int64_t n, int64_t k)
{
    int64_t columns = (n < WIDTH ? n + SIDE - 1 : WIDTH) / SIDE, chunks = (k < DEPTH ? k + CHUNK - 1 : DEPTH) / CHUNK;
    return (size_t)(columns + 2) * (size_t)chunks * 3 * PIECE * 2 + SCRATCH;
}

/* ---- cutting ------------------------------------------------------------------------------------------ */

/* The bf16 nearest to each number (ties away from zero), as f32. Numbers below 2^127 stay finite. */
INLINE_TILES __m512i nearest(__m512i x) { return _mm512_and_si512(_mm512_add_epi32(x, _mm512_set1_epi32(0x8000)), _mm512_set1_epi32((int)0xffff0000)); }
INLINE_TILES __m512i rest(__m512i x, __m512i part) { return _mm512_castps_si512(_mm512_sub_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(part))); }

/* 32 consecutive numbers in three parts, each in its order. */
INLINE_TILES void cut(__m512 first, __m512 second, uint16_t *to)
{
    const __m512i upper = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    __m512i x = _mm512_castps_si512(first), y = _mm512_castps_si512(second);
    for (int part = 0; part < 3; part++) {
        __m512i a = nearest(x), b = nearest(y);
        _mm512_store_si512((void *)(to + part * PIECE), _mm512_permutex2var_epi16(a, upper, b));
        x = rest(x, a), y = rest(y, b);
    }
}

/* Two rows of 16 numbers in three parts, as pairs. */
INLINE_TILES void cut_pairs(__m512 first, __m512 second, uint16_t *to)
{
    __m512i x = _mm512_castps_si512(first), y = _mm512_castps_si512(second);
    for (int part = 0; part < 3; part++) {
        __m512i a = nearest(x), b = nearest(y);
        _mm512_store_si512((void *)(to + part * PIECE), _mm512_or_si512(_mm512_srli_epi32(a, 16), b));
        x = rest(x, a), y = rest(y, b);
    }
}

/* 16 x 16 numbers of 32 bits, in place. */
TILES static void transpose(uint16_t *tile)
{
    __m512i *at = (__m512i *)tile, r[16], t[16];
    for (int i = 0; i < 16; i++) r[i] = _mm512_load_si512(at + i);
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int j = 0; j < 4; j++) {
        __m512i even = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88), odd = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);
        __m512i even2 = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88), odd2 = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
        _mm512_store_si512(at + j, _mm512_shuffle_i32x4(even, even2, 0x88));
        _mm512_store_si512(at + 4 + j, _mm512_shuffle_i32x4(odd, odd2, 0x88));
        _mm512_store_si512(at + 8 + j, _mm512_shuffle_i32x4(even, even2, 0xdd));
        _mm512_store_si512(at + 12 + j, _mm512_shuffle_i32x4(odd, odd2, 0xdd));
    }
}

INLINE_TILES __m512i larger(__m512i most, __m512 x) { return _mm512_max_epu32(most, _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff))); }

/* A chunk whose vectors lie along k: rows of the tile are vectors. */
INLINE_TILES __m512i chunk_along(const float *from, int64_t step, int64_t count, int64_t depth, uint16_t *to, __m512i most)
{
    __mmask16 low = depth >= 16 ? 0xffff : (__mmask16)((1u << depth) - 1), high = depth >= 32 ? 0xffff : depth > 16 ? (__mmask16)((1u << (depth - 16)) - 1) : 0;
    for (int64_t v = 0; v < SIDE; v++, from += step, to += CHUNK) {
        __m512 x = _mm512_setzero_ps(), y = x;
        if (v < count) x = _mm512_maskz_loadu_ps(low, from), y = _mm512_maskz_loadu_ps(high, from + 16);
        most = larger(larger(most, x), y);
        cut(x, y, to);
    }
    return most;
}

/* A chunk whose vectors lie across: rows of the tile are pairs of k. */
INLINE_TILES __m512i chunk_across(const float *from, int64_t step, int64_t count, int64_t depth, uint16_t *to, __m512i most)
{
    __mmask16 mask = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
    for (int64_t k = 0; k < CHUNK; k += 2, to += 2 * SIDE) {
        __m512 x = k < depth ? _mm512_maskz_loadu_ps(mask, from + k * step) : _mm512_setzero_ps();
        __m512 y = k + 1 < depth ? _mm512_maskz_loadu_ps(mask, from + (k + 1) * step) : _mm512_setzero_ps();
        most = larger(larger(most, x), y);
        cut_pairs(x, y, to);
    }
    return most;
}

/*
 * Up to 16 vectors of `depth` numbers, element l of vector v at v * vector + l * step, as chunks of three tiles: rows are vectors (for A), or pairs of k
 * (for B).
 */
TILES static __m512i pack(const float *from, int64_t vector, int64_t step, int64_t count, int64_t depth, bool pairs, uint16_t *to, __m512i most)
{
    float stage[CHUNK * SIDE] __attribute__((aligned(64)));
    for (int64_t l = 0; l < depth; l += CHUNK, from += CHUNK * step, to += 3 * PIECE) {
        int64_t have = depth - l < CHUNK ? depth - l : CHUNK;
        bool along = step == 1;
        if (along) most = chunk_along(from, vector, count, have, to, most);
        else if (vector == 1) most = chunk_across(from, step, count, have, to, most);
        else {
            for (int64_t k = 0; k < have; k++)
                for (int64_t v = 0; v < count; v++) stage[k * SIDE + v] = from[k * step + v * vector];
            most = chunk_across(stage, SIDE, count, have, to, most);
        }
        for (int part = 0; part < 3 && along == pairs; part++) transpose(to + part * PIECE);
    }
    return most;
}

TILES static bool too_large(__m512i most) { return _mm512_cmpge_epu32_mask(most, _mm512_set1_epi32(0x7f000000)) != 0; }

/* ---- products ----------------------------------------------------------------------------------------- */

/* Accumulators 0, 1: the large products of two row tiles with a column tile; 2, 3: the small ones. */
TILES static void products(int64_t chunks, const uint16_t *a, const uint16_t *b, float *scratch)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const uint16_t *a2 = a + chunks * 3 * PIECE;
    for (int64_t i = 0; i < chunks; i++, a += 3 * PIECE, a2 += 3 * PIECE, b += 3 * PIECE) {
        _tile_loadd(6, b, 64);
        _tile_loadd(4, a, 64);
        _tile_loadd(5, a2, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 5, 6);
        _tile_loadd(7, b + 2 * PIECE, 64);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(7, b + PIECE, 64);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(4, a + PIECE, 64);
        _tile_loadd(5, a2 + PIECE, 64);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
        _tile_dpbf16ps(2, 4, 6);
        _tile_dpbf16ps(3, 5, 6);
        _tile_loadd(4, a + 2 * PIECE, 64);
        _tile_loadd(5, a2 + 2 * PIECE, 64);
        _tile_dpbf16ps(2, 4, 6);
        _tile_dpbf16ps(3, 5, 6);
    }
    _tile_stored(0, scratch, 64);
    _tile_stored(1, scratch + SIDE * SIDE, 64);
    _tile_stored(2, scratch + 2 * SIDE * SIDE, 64);
    _tile_stored(3, scratch + 3 * SIDE * SIDE, 64);
}

/* C is set (first; bias NULL: none), or added to. */
TILES static void put(const float *scratch, int64_t rows, int64_t columns, bool first, const float *bias, float *c, int64_t c_row)
{
    __mmask16 mask = columns >= 16 ? 0xffff : (__mmask16)((1u << columns) - 1);
    __m512 shift = bias ? _mm512_maskz_loadu_ps(mask, bias) : _mm512_setzero_ps();
    for (int64_t i = 0; i < rows; i++, c += c_row) {
        __m512 sum = _mm512_add_ps(_mm512_load_ps(scratch + i * SIDE), _mm512_load_ps(scratch + (2 * SIDE + i) * SIDE));
        if (!first) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c));
        else if (bias) sum = _mm512_add_ps(sum, shift);
        _mm512_mask_storeu_ps(c, mask, sum);
    }
}

typedef struct tile_setting {
    uint8_t palette, start, zero[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_setting;

TILES bool matmul_tiles(const matmul_tiles_job *j, void *workspace)
{
    tile_setting setting = {.palette = 1};
    for (int i = 0; i < 8; i++) setting.bytes[i] = 64, setting.rows[i] = SIDE;
    int64_t most_chunks = (j->k < DEPTH ? j->k + CHUNK - 1 : DEPTH) / CHUNK;
    float *scratch = workspace;
    uint16_t *a_pack = (uint16_t *)((char *)workspace + SCRATCH), *b_pack = a_pack + 2 * most_chunks * 3 * PIECE;
    __m512i most = _mm512_setzero_si512();
    _tile_loadconfig(&setting);
    for (int64_t q = 0; q < j->n; q += WIDTH)
        for (int64_t l = 0; l < j->k; l += DEPTH) {
            int64_t width = j->n - q < WIDTH ? j->n - q : WIDTH, depth = j->k - l < DEPTH ? j->k - l : DEPTH, chunks = (depth + CHUNK - 1) / CHUNK;
            int64_t piece = chunks * 3 * PIECE;
            for (int64_t v = 0; v < width; v += SIDE)
                most = pack(j->b + l * j->b_row + (q + v) * j->b_column, j->b_column, j->b_row, width - v < SIDE ? width - v : SIDE, depth, true, b_pack + v / SIDE * piece, most);
            for (int64_t i = 0; i < j->m; i += 2 * SIDE) {
                int64_t rows = j->m - i < 2 * SIDE ? j->m - i : 2 * SIDE, upper = rows < SIDE ? rows : SIDE;
                const float *a = j->a + i * j->a_row + l * j->a_column;
                most = pack(a, j->a_row, j->a_column, upper, depth, false, a_pack, most);
                most = pack(a + SIDE * j->a_row, j->a_row, j->a_column, rows - upper, depth, false, a_pack + piece, most);
                if (too_large(most)) return _tile_release(), false;
                for (int64_t v = 0; v < width; v += SIDE) {
                    products(chunks, a_pack, b_pack + v / SIDE * piece, scratch);
                    put(scratch, rows, width - v, l == 0, j->bias ? j->bias + q + v : NULL, j->c + i * j->c_row + q + v, j->c_row);
                }
            }
        }
    _tile_release();
    return true;
}
#else
bool matmul_tiles_there(void) { return false; }
size_t matmul_tiles_bytes(int64_t n, int64_t k) { return 0; }
bool matmul_tiles(const matmul_tiles_job *job, void *workspace) { return false; }
#endif
