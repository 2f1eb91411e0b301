/* Passes over the logits of a whole vocabulary, in blocks; the same bits at every CPU level. */
#ifndef NIGH_LM_SAMPLING_KERNELS_H
#define NIGH_LM_SAMPLING_KERNELS_H
#include "nigh/core.h"

enum { SAMPLING_BLOCK = 256 };

static inline int64_t sampling_blocks(int64_t n) { return (n + SAMPLING_BLOCK - 1) / SAMPLING_BLOCK; }

typedef struct sampling_kernels {
    /* most[block] = its largest number, NaN passed over (the last block may be short); false when x holds a NaN. */
    bool (*scan)(int64_t n, const float *x, float *most);
    /* With z = (x - max) inverse: w = exp(z), 0 where that is below cut; sum[block] of w, turn[block] of w z. x -INFINITY allowed: w = 0.
     * Sixteen sums of f32 a block, added one after the other in f64. w, turn: NULL when not wanted. */
    void (*weigh)(int64_t n, const float *x, float max, float inverse, float cut, float *w, double *sum, double *turn);
} sampling_kernels;

extern const sampling_kernels sampling_scalar, sampling_avx2, sampling_avx512;
const sampling_kernels *sampling_kernels_at(nigh_cpu_level level);
#endif
