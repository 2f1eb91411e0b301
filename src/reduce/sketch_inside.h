/* What the sketches share inside: sparse ones as lists of rows for each sum. */
#ifndef NIGH_REDUCE_SKETCH_INSIDE_H
#define NIGH_REDUCE_SKETCH_INSIDE_H
#include "reduce/srht.h"

/* For each of m sums the rows that go into it, rising, and their signs: S by rows, n s entries of +-1 / sqrt(s). */
typedef struct buckets {
    int64_t n, m, nonzeros;
    uint32_t *row;   /* [n s] */
    double *sign;    /* [n s] */
    int64_t *start;  /* [m + 1] */
} buckets;

struct nigh_sketch {
    nigh_sketch_spec spec;
    srht *hadamard;
    buckets sums;
};

nigh_status buckets_new(nigh_context *ctx, int64_t n, int64_t m, int64_t nonzeros, uint64_t seed, buckets *out);
void buckets_free(nigh_context *ctx, buckets *b);
nigh_status buckets_apply(nigh_context *ctx, const buckets *b, int64_t d, int64_t stride, const double *a, const double *scale, double *out);
nigh_status buckets_apply_sparse(nigh_context *ctx, const buckets *b, const nigh_sparse *a, const double *scale, double *out);

/* Blocks of S are drawn again for each use. */
nigh_status gaussian_apply(nigh_context *ctx, const nigh_sketch_spec *spec, int64_t d, int64_t stride, const double *a, const double *scale, double *out);
#endif
