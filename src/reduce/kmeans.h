/* Weighted k-means by k-means++ and Lloyd's iterations, Euclidean or by cosines, f64. */
#ifndef NIGH_REDUCE_KMEANS_H
#define NIGH_REDUCE_KMEANS_H
#include "nigh/core.h"

typedef struct kmeans_spec {
    int64_t n, d, k;      /* 1 or more each */
    bool cosine;          /* the distance of a row and a centre is 1 - their cosine (1 for a row of zeros); centres have length 1 */
    int restarts;         /* starts at random, of which the best is kept; >= 1 */
    int64_t iterations;   /* of Lloyd's, at most, a start */
    double tolerance;     /* ends a start: relative decrease of the cost, or rows that stay where they are */
    uint64_t seed;
} kmeans_spec;

typedef struct kmeans_fit {
    double cost;          /* weighted sum of the distances: squares, or 1 - cosine */
    int64_t iterations, passes; /* of the start that was kept; over the rows, all starts */
    bool met;
} kmeans_fit;

/*
 * centre[k,d] for x[n,d] with weights (NULL: ones). start[k,d] (NULL: none) instead of random ones. index[n], distance[n] of the result (NULL: not
 * wanted). Centres without rows move to the rows that are farthest from theirs, so that as many are in use as there are distinct rows.
 * NIGH_INVALID: fewer rows of positive weight than centres. 2 n d k flops an iteration; with `cosine` a copy of x. Same bits for the same
 * number of threads. Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding"; the best of 2 + log k (at most 8)
 * candidates is taken for each centre, as they propose at the end, beyond 64 centres by their gain on an eighth of the rows.
 */
nigh_status kmeans_run(nigh_context *ctx, const kmeans_spec *spec, const double *x, const double *weight, const double *start, double *centre,
                       int64_t *index, double *distance, kmeans_fit *fit);

/* The nearest of centre[k,d] (lowest index at ties up to rounding) and its distance for every row; either NULL: not wanted. */
nigh_status kmeans_assign(nigh_context *ctx, int64_t n, int64_t d, int64_t k, bool cosine, const double *x, const double *centre, int64_t *index,
                          double *distance);

/* ---- kernels of one CPU level ---- */

typedef struct kmeans_kernels {
    int64_t width; /* centres of a packed group */
    /* index[i]: the least offset_j - x_i.c_j, packed[groups][d][width], offset[groups width] (INFINITY for none). */
    void (*nearest)(int64_t rows, int64_t d, const double *x, int64_t groups, const double *packed, const double *offset, int64_t *index);
    /* out[i] = |x_i - centre[index[i]]|^2; index NULL: centre 0. */
    void (*squares)(int64_t rows, int64_t d, const double *x, const int64_t *index, const double *centre, double *out);
    /* sum[index[i]] += weight_i x_i, mass[index[i]] += weight_i */
    void (*add)(int64_t rows, int64_t d, const double *x, const double *weight, const int64_t *index, double *sum, double *mass);
} kmeans_kernels;
extern const kmeans_kernels kmeans_scalar, kmeans_avx2, kmeans_avx512;
const kmeans_kernels *kmeans_kernels_at(nigh_cpu_level level);
#endif
