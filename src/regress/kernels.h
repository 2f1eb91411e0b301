/*
 * The loops that applying a map plan spends its time in, one set per CPU level: a small matrix product, squared
 * distances, kernel functions, polynomial terms, activations. Each output is one chain of operations in a fixed order, whatever the
 * number of rows in the call, so that a sample's answer has the same bits in a batch of any size. Levels differ in
 * rounding (fused or not). Columns are padded to MAP_PAD doubles, arrays are 64-byte aligned.
 */
#ifndef NIGH_REGRESS_KERNELS_H
#define NIGH_REGRESS_KERNELS_H
#include <stdint.h>

enum { MAP_PAD = 8 };

static inline int64_t map_padded(int64_t n) { return (n + MAP_PAD - 1) / MAP_PAD * MAP_PAD; }

/* Functions of a distance r; in the arrays of plan files by these numbers. */
typedef enum map_radial {
    MAP_GAUSSIAN,   /* exp(-r^2 s / 2), s = 1 / length^2 */
    MAP_MATERN32,   /* (1 + t) exp(-t), t = sqrt(3 r^2 s) */
    MAP_MATERN52,   /* (1 + t + t^2 / 3) exp(-t), t = sqrt(5 r^2 s) */
    MAP_CUBIC,      /* r^3; with a linear tail */
    MAP_THIN_PLATE, /* r^2 log r; with a linear tail */
    MAP_RADIALS
} map_radial;

/* Functions of one number, of the hidden units of random features; in the arrays of plan files by these numbers. */
typedef enum map_activation {
    MAP_SIGMOID, /* 1 / (1 + exp(-t)) */
    MAP_TANH,
    MAP_BELL,    /* exp(-t^2 / 2) */
    MAP_COSINE,
    MAP_RELU,    /* max(t, 0) */
    MAP_ACTIVATIONS
} map_activation;

typedef struct map_kernels {
    /* out[n] = (x - shift) stretch; and the sum of squares of x[n]. Any alignment. */
    void (*standardise)(int64_t n, const double *x, const double *shift, const double *stretch, double *out);
    double (*squares)(int64_t n, const double *x);

    /* Sum of (a - b)^2 over n elements. Any alignment. */
    double (*gap)(int64_t n, const double *a, const double *b);

    /* c[rows,cols] += a b, a(i,k) = a[i a_row + k a_depth], b[depth,cols]; cols, ldb, ldc multiples of MAP_PAD. */
    void (*product)(int64_t rows, int64_t cols, int64_t depth, const double *a, int64_t a_row, int64_t a_depth, const double *b,
                    int64_t ldb, double *c, int64_t ldc);

    /* out(i,j) = sum over k of (z[i ldz + k] - points[k ldp + j])^2; cols a multiple of MAP_PAD. */
    void (*distances)(int64_t rows, int64_t cols, int64_t depth, const double *z, int64_t ldz, const double *points, int64_t ldp,
                      double *out, int64_t ldo);

    /* x[n] squared distances become values; n a multiple of MAP_PAD. */
    void (*radial)(map_radial kind, double s, int64_t n, double *x);

    /*
     * Legendre polynomials P_0 .. P_degree of z(row, v): one[(v (degree + 1) + k) width + row]; then the terms: term t is
     * term parent[t] (-1: 1) times entry factor[t] of `one`. rows <= width, width a multiple of MAP_PAD.
     */
    void (*legendre)(int64_t rows, int64_t width, int64_t dims, int degree, const double *z, int64_t ldz, double *one);
    /* The same of 1, cos(pi z), sin(pi z), cos(2 pi z) ...; degree even. */
    void (*fourier)(int64_t rows, int64_t width, int64_t dims, int degree, const double *z, int64_t ldz, double *one);
    void (*terms)(int64_t width, int64_t count, const int32_t *parent, const int32_t *factor, const double *one, double *term);

    /* x[n] becomes its values; n a multiple of MAP_PAD. To about 2 ulp of 1; the cosine to |x| 2^-53 more. */
    void (*activate)(map_activation kind, int64_t n, double *x);
} map_kernels;

const map_kernels *map_kernels_get(void);
extern const map_kernels map_kernels_scalar, map_kernels_avx2, map_kernels_avx512;
#endif
