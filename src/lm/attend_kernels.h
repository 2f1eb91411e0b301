/*
 * Kernels of attention over pages, one table for each CPU level; all levels give the same bits. Scores, weights: rows of 512 places, one for each pair (row,
 * head). `keys` [head_size][64], `values` [..][width], width a multiple of 16.
 */
#ifndef NIGH_LM_ATTEND_KERNELS_H
#define NIGH_LM_ATTEND_KERNELS_H
#include "nigh/lm.h"

#include <stddef.h>
#include <stdint.h>

enum { ATTEND_ROWS = 6 }; /* most rows of one call */

typedef struct attend_kernels {
    /* out[r ldo + j] = (chain over d, ascending, of fma(q[r head_size + d], keys[d][j])) * scale, unless NULL * scales[j] (f16) first; j = 0 .. places - 1 at
     * least, at most 64. By nigh_kv_type. `next`: a block of the same form that will be read soon, or NULL. */
    void (*scores[3])(const float *q, int rows, int head_size, const void *keys, int places, const uint16_t *scales, float scale, const void *next, float *out,
                      int64_t ldo);

    /* acc[r lda + d] is the start of a chain over j = 0 .. count - 1 of fma(w[r ldw + j], values[j][d]). By nigh_kv_type. */
    void (*values[3])(const float *w, int64_t ldw, int rows, int64_t count, const void *values, int width, const void *next, float *acc, int64_t lda);

    /*
     * Places first .. last - 1 (not empty) of a row of 512 scores become exp(score - maximum); before that, with cap > 0, score = cap tanh(score / cap).
     * Other places of the same 16 become 0. The sum is of 16 lanes (place % 16), each ascending, then 8 + 8, 4 + 4, 2 + 2, 1 + 1 of them. Then weights are
     * multiplied by `factors` [512] unless NULL.
     */
    void (*weights)(float *scores, int first, int last, float cap, const float *factors, float *maximum, float *sum);

    /* Result b (width sums, maximum, sum) is merged into a; an empty one has sum 0. */
    void (*merge)(float *a, const float *b, int width);
    void (*finish)(const float *result, int width, int head_size, float *out); /* sums / sum */

    void (*to_half)(const float *x, int64_t n, uint16_t *out); /* to nearest even, beyond +-65504 that */
    void (*from_half)(const uint16_t *x, int64_t n, float *out);
    void (*from_bytes)(const int8_t *x, int64_t n, float *out); /* as they are, n a multiple of 16 */
    void (*to_bytes)(const float *x, int64_t n, int8_t *out, uint16_t *scale); /* scale: largest magnitude / 127 as f16 */
} attend_kernels;

extern const attend_kernels attend_scalar, attend_avx2, attend_avx512;
const attend_kernels *attend_kernels_at(nigh_cpu_level level);
#endif
