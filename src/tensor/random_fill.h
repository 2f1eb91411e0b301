/*
 * Arrays of random numbers that are a function of (seed, stream, index) alone, so that any piece can be made alone, in any order, by any thread, with the same
 * bits at every CPU level. `first` is the index of out[0]; dtype NIGH_F32 or NIGH_F64. Words are those of nigh/random.h's (seed, stream): number i reads word i
 * (f32 and masks) or words 2 i and 2 i + 1 (f64); normal numbers 2 k and 2 k + 1 share theirs.
 */
#ifndef NIGH_TENSOR_RANDOM_FILL_H
#define NIGH_TENSOR_RANDOM_FILL_H
#include "nigh/core.h"

/* low + (high - low) u, u of 24 or 53 bits in [0, 1), one fma: high itself only by rounding. */
void random_fill_uniform(nigh_dtype dtype, uint64_t seed, uint64_t stream, int64_t first, int64_t n, double low, double high, void *out);

/* mean + deviation z, z normal by G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates"; |z| < 6.67 (f32) or 8.58 (f64). */
void random_fill_normal(nigh_dtype dtype, uint64_t seed, uint64_t stream, int64_t first, int64_t n, double mean, double deviation, void *out);

/* `value` with the given chance (to 2^-32), else 0: dropout with value = 1 / chance. */
void random_fill_mask(nigh_dtype dtype, uint64_t seed, uint64_t stream, int64_t first, int64_t n, double chance, double value, void *out);
#endif
