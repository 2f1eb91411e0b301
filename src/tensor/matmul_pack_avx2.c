/*
 * Packing for AVX2 and AVX-512 (the copies are bound by loads and shuffles, not by the width of vectors). See
 * matmul_pack_fn for what a packer does. The two layouts that occur have their own loops: rows side by side (a copy), columns side by side
 * (a transposition in registers); all else is gathered.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "tensor/matmul_kernel.h"

/* An 8 x 8 tile: rows of `from` become columns of `to`. The loads bring the halves together, so that only 16 shuffles are left. */
INLINE void transpose_8x8(const float *from, int64_t row, float *to, int64_t width)
{
    __m256 r[8], t[8];
    MATMUL_UNROLL
    for (int i = 0; i < 4; i++) {
        const float *p = from + i * row, *q = from + (i + 4) * row;
        r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q), 1);
        r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)), _mm_loadu_ps(q + 4), 1);
    }
    MATMUL_UNROLL
    for (int h = 0; h < 8; h += 4) {
        t[h] = _mm256_unpacklo_ps(r[h], r[h + 1]), t[h + 1] = _mm256_unpackhi_ps(r[h], r[h + 1]);
        t[h + 2] = _mm256_unpacklo_ps(r[h + 2], r[h + 3]), t[h + 3] = _mm256_unpackhi_ps(r[h + 2], r[h + 3]);
        _mm256_storeu_ps(to + h * width, _mm256_shuffle_ps(t[h], t[h + 2], 0x44));
        _mm256_storeu_ps(to + (h + 1) * width, _mm256_shuffle_ps(t[h], t[h + 2], 0xee));
        _mm256_storeu_ps(to + (h + 2) * width, _mm256_shuffle_ps(t[h + 1], t[h + 3], 0x44));
        _mm256_storeu_ps(to + (h + 3) * width, _mm256_shuffle_ps(t[h + 1], t[h + 3], 0xee));
    }
}

INLINE void transpose_4x4(const double *from, int64_t row, double *to, int64_t width)
{
    __m256d r[4];
    MATMUL_UNROLL
    for (int i = 0; i < 4; i++) {
        const double *p = from + (i & 1) * row + (i & 2), *q = p + 2 * row;
        r[i] = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(q), 1);
    }
    _mm256_storeu_pd(to, _mm256_unpacklo_pd(r[0], r[1]));
    _mm256_storeu_pd(to + width, _mm256_unpackhi_pd(r[0], r[1]));
    _mm256_storeu_pd(to + 2 * width, _mm256_unpacklo_pd(r[2], r[3]));
    _mm256_storeu_pd(to + 3 * width, _mm256_unpackhi_pd(r[2], r[3]));
}

/* Elements [l0, l1) x [j0, j1) one by one. */
#define GATHER(E, CONVERT, l0, l1, j0, j1)                                                                             \
    for (int64_t l = l0; l < (l1); l++)                                                                                \
        for (int64_t j = j0; j < (j1); j++) to[l * width + j] = CONVERT(from[l * k_stride + j * stride])

#define KEEP(x) (x)

/* Zeros in the columns that are only there to fill the last vector. */
#define FILL(E)                                                                                                        \
    for (int64_t l = 0; l < k && count < width; l++) memset(to + l * width + count, 0, (size_t)(width - count) * sizeof(E))

/* E: an element; TILE: side of the tile that TRANSPOSE does. */
#define PACK(name, E, COPY, TILE, TRANSPOSE)                                                                           \
    void name(int64_t k, int64_t count, int64_t width, const void *from_, int64_t k_stride, int64_t stride, void *to_) \
    {                                                                                                                  \
        const E *from = from_;                                                                                         \
        E *to = to_;                                                                                                   \
        FILL(E);                                                                                                       \
        if (stride == 1) {                                                                                             \
            for (int64_t l = 0; l < k; l++) COPY(to + l * width, from + l * k_stride, count);                          \
        } else if (k_stride == 1) {                                                                                    \
            int64_t whole_k = k / TILE * TILE, whole = count / TILE * TILE;                                            \
            for (int64_t j = 0; j < whole; j += TILE)                                                                  \
                for (int64_t l = 0; l < whole_k; l += TILE) TRANSPOSE(from + l + j * stride, stride, to + l * width + j, width); \
            GATHER(E, KEEP, 0, whole_k, whole, count);                                                                 \
            GATHER(E, KEEP, whole_k, k, 0, count);                                                                     \
        } else {                                                                                                       \
            GATHER(E, KEEP, 0, k, 0, count);                                                                           \
        }                                                                                                              \
    }

INLINE void copy_4(float *to, const float *from, int64_t count)
{
    int64_t j = 0;
    for (; j + 8 <= count; j += 8) _mm256_storeu_ps(to + j, _mm256_loadu_ps(from + j));
    for (; j < count; j++) to[j] = from[j];
}

INLINE void copy_8(double *to, const double *from, int64_t count)
{
    int64_t j = 0;
    for (; j + 4 <= count; j += 4) _mm256_storeu_pd(to + j, _mm256_loadu_pd(from + j));
    for (; j < count; j++) to[j] = from[j];
}

typedef struct pair {
    double x, y;
} pair;

INLINE void copy_16(pair *to, const pair *from, int64_t count)
{
    for (int64_t j = 0; j < count; j++) to[j] = from[j];
}

INLINE void transpose_1x1(const pair *from, int64_t row, pair *to, int64_t width)
{
    (void)row, (void)width;
    *to = *from;
}

PACK(matmul_pack_4, float, copy_4, 8, transpose_8x8)
PACK(matmul_pack_8, double, copy_8, 4, transpose_4x4)
PACK(matmul_pack_16, pair, copy_16, 1, transpose_1x1)

INLINE __m256 eight_bf16(const uint16_t *p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16)); }
INLINE __m256 eight_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

#define WIDEN(name, EIGHT, ONE)                                                                                        \
    void name(int64_t k, int64_t count, int64_t width, const void *from_, int64_t k_stride, int64_t stride, void *to_) \
    {                                                                                                                  \
        const uint16_t *from = from_;                                                                                  \
        float *to = to_;                                                                                               \
        FILL(float);                                                                                                   \
        int64_t whole_k = k / 8 * 8, whole = count / 8 * 8;                                                            \
        if (stride == 1) {                                                                                             \
            for (int64_t l = 0; l < k; l++)                                                                            \
                for (int64_t j = 0; j < whole; j += 8) _mm256_storeu_ps(to + l * width + j, EIGHT(from + l * k_stride + j)); \
            GATHER(float, ONE, 0, k, whole, count);                                                                    \
        } else if (k_stride == 1) {                                                                                    \
            float tile[64];                                                                                            \
            for (int64_t j = 0; j < whole; j += 8)                                                                     \
                for (int64_t l = 0; l < whole_k; l += 8) {                                                             \
                    for (int i = 0; i < 8; i++) _mm256_storeu_ps(tile + 8 * i, EIGHT(from + l + (j + i) * stride));    \
                    transpose_8x8(tile, 8, to + l * width + j, width);                                                 \
                }                                                                                                      \
            GATHER(float, ONE, 0, whole_k, whole, count);                                                              \
            GATHER(float, ONE, whole_k, k, 0, count);                                                                  \
        } else {                                                                                                       \
            GATHER(float, ONE, 0, k, 0, count);                                                                        \
        }                                                                                                              \
    }
WIDEN(matmul_widen_bf16, eight_bf16, matmul_from_bf16)
WIDEN(matmul_widen_f16, eight_f16, matmul_from_f16)
#endif
