/*
 * The subsampled randomised Hadamard transform S = P H D / sqrt(m) of row-major matrices in one pass: N = 2^k >= n rows with N - n of zeros behind the
 * input's, D random signs, H the Walsh-Hadamard matrix, P m of its rows without replacement ("Improved matrix algorithms via the subsampled
 * randomized Hadamard transform", Boutsidis and Gittens 2013).
 *
 * H of N = N1 N2 rows is the Kronecker product of two smaller ones, so a block of N2 consecutive rows is transformed in the second-level cache
 * and its sampled rows are added, with signs, to m rows of sums: n d (log2 N2 + m / N2) additions in all, and the input is read once.
 */
#ifndef NIGH_REDUCE_SRHT_H
#define NIGH_REDUCE_SRHT_H
#include "nigh/sketch.h"

enum { SRHT_WIDTH = 64, SRHT_BLOCK = 4096 }; /* columns and rows of a block at most; half the rows for m <= 2048 */

/* Where row `row` of a block stands: rows 16 and 256 apart must not share a set of the caches. */
#define SRHT_PLACE(row, room) ((int64_t)(row) * (room) + 8 * ((int64_t)(row) >> 4) + 8 * ((int64_t)(row) >> 8))

/* Of one CPU level; the same additions in the same order at each. Widths in memory of ours are multiples of 8. */
typedef struct srht_kernels {
    /* The stages of one group of `radix` (2, 4, 8, 16) rows: t, at distance step, from rows at from_step times sign[]; sign NULL: in place. */
    void (*pass)(int radix, int64_t width, const double *from, int64_t from_step, const double *sign, double *t, int64_t step);
    /* sum[k] += (-1)^parity(high[k] & block) row low[k] of t, for k = first .. end - 1 */
    void (*add)(int64_t first, int64_t end, int64_t room, const uint32_t *low, const uint32_t *high, uint32_t block, const double *t, double *sum);
    /* y[d] += sum of sign[k] * row k of `a`, where row k is number row[k], or k itself with row NULL; four rows at a time */
    void (*rows)(int64_t count, const uint32_t *row, const double *sign, int64_t d, const double *a, int64_t stride, double *y);
    /* out[k] = row k of a[count, d] times x */
    void (*dots)(int64_t count, int64_t d, const double *a, int64_t stride, const double *x, double *out);
} srht_kernels;
extern const srht_kernels srht_scalar, srht_avx2, srht_avx512;
const srht_kernels *srht_kernels_at(nigh_cpu_level level);

typedef struct srht srht;

/* 1 <= m <= N. Memory: n / 8 bytes and 8 m. */
nigh_status srht_new(nigh_context *ctx, nigh_cpu_level level, int64_t n, int64_t m, uint64_t seed, srht **out);
void srht_free(srht *s);
int64_t srht_padded(const srht *s); /* N */
/* The row of H that row k of S takes, and the sign in front of input row i. */
int64_t srht_row(const srht *s, int64_t k);
double srht_sign(const srht *s, int64_t i);
/* out[m,d] = S diag(scale) a; scale NULL: ones. On the context's threads. */
nigh_status srht_apply(const srht *s, nigh_context *ctx, int64_t d, int64_t stride, const double *a, const double *scale, double *out);
#endif
