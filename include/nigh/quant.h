/*
 * nigh/quant.h: the number formats of GGUF files: floats, and blocks of 32 or 256 small integers with shared scales.
 *
 * A row of n weights is n / nigh_block_length(type) blocks one after the other; n must be a multiple. Formats are those of the GGUF specification and its
 * reference program, little endian; numbers of the types are the file's own. Dequantising is exact up to the rounding of the f32 results.
 */
#ifndef NIGH_QUANT_H
#define NIGH_QUANT_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nigh_block_type {
    NIGH_BLOCK_F32 = 0,
    NIGH_BLOCK_F16 = 1,
    NIGH_BLOCK_Q4_0 = 2,
    NIGH_BLOCK_Q4_1 = 3,
    NIGH_BLOCK_Q5_0 = 6,
    NIGH_BLOCK_Q5_1 = 7,
    NIGH_BLOCK_Q8_0 = 8,
    NIGH_BLOCK_Q2_K = 10,
    NIGH_BLOCK_Q3_K = 11,
    NIGH_BLOCK_Q4_K = 12,
    NIGH_BLOCK_Q5_K = 13,
    NIGH_BLOCK_Q6_K = 14,
    NIGH_BLOCK_IQ4_NL = 20,
    NIGH_BLOCK_BF16 = 30
} nigh_block_type;

/* False for numbers that are none of the above; the functions below need a true one. */
NIGH_API bool nigh_block_known(int type);
NIGH_API const char *nigh_block_name(nigh_block_type type); /* "Q4_K" */
NIGH_API int64_t nigh_block_length(nigh_block_type type);   /* weights in a block: 1, 32 or 256 */
NIGH_API size_t nigh_block_bytes(nigh_block_type type);     /* bytes of a block */
NIGH_API size_t nigh_block_row_bytes(nigh_block_type type, int64_t n);

/* n weights to f32. The reference: plain C, each format as its specification says. */
NIGH_API void nigh_block_decode(nigh_block_type type, const void *blocks, int64_t n, float *out);

/*
 * n weights from f32, to the nearest. F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 (scales from the largest magnitude or the range of the block).
 * NIGH_UNSUPPORTED for the others; NIGH_INVALID: a weight is not finite, or beyond f16.
 */
NIGH_API nigh_status nigh_block_encode(nigh_context *ctx, nigh_block_type type, const float *weights, int64_t n, void *blocks);

#ifdef __cplusplus
}
#endif
#endif
