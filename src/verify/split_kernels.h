/*
 * What bounding one small box of a chain of dense maps and relus spends its time on: rows of linear bounds taken back through one layer. One domain at a
 * time, everything in the first-level cache. Arrays are padded to whole vectors of 8 numbers with zeros.
 */
#ifndef NIGH_VERIFY_SPLIT_KERNELS_H
#define NIGH_VERIFY_SPLIT_KERNELS_H
#include "nigh/core.h"

enum { SPLIT_PAD = 8 };

/* The relus of a layer on a domain: between lower z and upper (z + shift); zeros in the padding. */
typedef struct split_lines {
    double *lower, *upper;     /* slopes */
    double *shift;             /* -low of what is not stable, else 0 */
    double *below, *above;     /* how far the lower (upper) line is from the relu at most */
    const double *bias, *rest; /* of the affine map before: added, and what rounding can be off by */
} split_lines;

typedef struct split_kernels {
    /* out[r, 0 .. columns) = sum_t a[r, live[t]] weight[live[t], .]: strides ld_a and columns. */
    void (*back)(int64_t rows, int64_t count, const int32_t *live, const double *a, int64_t ld_a, const double *weight, int64_t columns, double *out);
    /* Rows a [rows, ld] of lower bounds on results of relus become rows on their arguments, in place; what is constant is added to constant[r], what rounding can be
     * off by to rest[r]. gap (NULL: not wanted) [n] gets the sum over rows of how much each relu loosens them. n: a multiple of 8. */
    void (*relu)(int64_t rows, int64_t n, const split_lines *lines, double *a, int64_t ld, double *constant, double *rest, double *gap);
} split_kernels;
extern const split_kernels split_scalar, split_avx2, split_avx512;
#endif
