/*
 * nigh/synthetic.h: generated data with exactly known law or labels. Everything is a function of the generator handed in (nigh/random.h)
 * and moves it on; give each set a stream of its own. Arrays are dense, C order, given by the caller.
 * NIGH_INVALID for sizes and parameters out of the stated ranges; outputs are then untouched.
 */
#ifndef NIGH_SYNTHETIC_H
#define NIGH_SYNTHETIC_H

#include "nigh/random.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- points with classes ----------------------------------------------------------------------------------------- */

/* k centres, mean [k, d], independent and uniform on the sphere of this radius > 0. k >= 1, d >= 1. */
NIGH_API nigh_status nigh_synthetic_centres(nigh_context *ctx, nigh_rng *rng, int64_t k, int64_t d, double radius, double *mean);

/* n draws of a mixture of k Gaussians: class c with chance weight[c] / sum (NULL: all equal) to label [n] (may be NULL), and
 * mean[c] + sd z, z standard normal, to x [n, d]. sd >= 0. */
NIGH_API nigh_status nigh_synthetic_mixture(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t d, int64_t k, const double *weight,
                                            const double *mean, double sd, double *x, int32_t *label);

/* Two half circles of radius 1: (cos t, sin t) for class 0 and (1 - cos t, 1/2 - sin t) for class 1, t uniform on [0, pi], plus
 * normal noise of sd `noise` >= 0 in both coordinates. x [n, 2]; row i has class i % 2. */
NIGH_API nigh_status nigh_synthetic_moons(nigh_context *ctx, nigh_rng *rng, int64_t n, double noise, double *x, int32_t *label);

/* Spirals, `arms` >= 1 of them: r (cos a, sin a), a = 2 pi (turns r + class / arms), r = sqrt(u), u uniform on [0, 1), plus noise.
 * x [n, 2]; row i has class i % arms. */
NIGH_API nigh_status nigh_synthetic_spirals(nigh_context *ctx, nigh_rng *rng, int64_t n, int arms, double turns, double noise, double *x,
                                            int32_t *label);

/* x [n, d] uniform on [0, 1), d >= 5, and y [n] = 10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4 + noise z ("Multivariate adaptive
 * regression splines", Friedman 1991). */
NIGH_API nigh_status nigh_synthetic_friedman1(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t d, double noise, double *x, double *y);
NIGH_API double nigh_synthetic_friedman1_mean(const double x[5]); /* y without noise */

/* ---- teachers ---------------------------------------------------------------------------------------------------- */

typedef enum nigh_teacher_kind { NIGH_TEACHER_TANH, NIGH_TEACHER_RELU } nigh_teacher_kind;

/* A fixed random multilayer perceptron: width[0] inputs, width[layers] outputs, the last layer linear. Weights are normal with variance
 * gain^2 / fan-in (twice that behind ReLU), biases normal with sd bias. */
typedef struct nigh_teacher nigh_teacher;
NIGH_API nigh_status nigh_teacher_new(nigh_context *ctx, uint64_t seed, nigh_teacher_kind kind, int layers /* 1 .. 64 */,
                                      const int64_t *width /* [layers + 1], 1 .. 2^20 */, double gain, double bias, nigh_teacher **out);
NIGH_API void nigh_teacher_free(nigh_teacher *teacher); /* NULL is fine */

/* y [n, width[layers]] of x [n, width[0]], in double; and the index of the largest output of each row (the lowest of equals). */
NIGH_API nigh_status nigh_teacher_apply(nigh_context *ctx, const nigh_teacher *teacher, int64_t n, const double *x, double *y);
NIGH_API nigh_status nigh_teacher_label(nigh_context *ctx, const nigh_teacher *teacher, int64_t n, const double *x, int32_t *label);

/* ---- labels ------------------------------------------------------------------------------------------------------ */

/* Changes the labels of exactly round(share n) rows, chosen uniformly, to another class, uniformly. share in [0, 1], classes >= 2, labels
 * in 0 .. classes-1. flipped [n] (may be NULL) says which. */
NIGH_API nigh_status nigh_synthetic_flip(nigh_context *ctx, nigh_rng *rng, int64_t n, int64_t classes, double share, int32_t *label,
                                         bool *flipped);

/* The rows whose label is one of keep [kept], in order: *index [*count] (nigh_free it). */
NIGH_API nigh_status nigh_synthetic_subset(nigh_context *ctx, int64_t n, const int32_t *label, int64_t kept, const int32_t *keep,
                                           int64_t **index, int64_t *count);

/* ---- matrices ---------------------------------------------------------------------------------------------------- */

/* q [n, n] orthogonal, of Haar's law: QR of a normal matrix by Householder reflections, signs of R's diagonal made positive ("How to generate random
 * matrices from the classical compact groups", Mezzadri 2007). O(n^3). n >= 0. */
NIGH_API nigh_status nigh_synthetic_orthogonal(nigh_context *ctx, nigh_rng *rng, int64_t n, double *q);

/* a [n, n] = Q diag(eigenvalue) Q^T with Q of Haar's law (to q [n, n] unless that is NULL; its columns are the eigenvectors), exactly
 * symmetric. */
NIGH_API nigh_status nigh_synthetic_spectrum(nigh_context *ctx, nigh_rng *rng, int64_t n, const double *eigenvalue, double *a, double *q);

/* a [n, n] of the Gaussian orthogonal ensemble: symmetric, variance 1/n off the diagonal and 2/n on it, so that the spectrum tends to the
 * semicircle on [-2, 2]. */
NIGH_API nigh_status nigh_synthetic_goe(nigh_context *ctx, nigh_rng *rng, int64_t n, double *a);

/* ---- formal languages -------------------------------------------------------------------------------------------- */

typedef enum nigh_language_kind {
    NIGH_LANGUAGE_PARITY,      /* tokens 0, 1; label: the number of ones so far, modulo 2                                 */
    NIGH_LANGUAGE_COUNTER,     /* tokens 0 .. size-1; label: their sum so far modulo size (2 to 4096)                      */
    NIGH_LANGUAGE_SYMMETRIC,   /* tokens and labels: the permutations of `size` (2 to 6) things; label: the product so far  */
    NIGH_LANGUAGE_ALTERNATING, /* the same with the even ones, size 3 to 6; size 5 is A5, the smallest group not solvable  */
    NIGH_LANGUAGE_DYCK         /* size kinds of brackets (1 to 1024), opened by tokens 0 .. size-1 and closed by size .. 2 size - 1;
                                  label: 0 what no word begins with, 1 the beginning of a word, 2 a word                   */
} nigh_language_kind;

typedef struct nigh_language nigh_language;
NIGH_API nigh_status nigh_language_new(nigh_context *ctx, nigh_language_kind kind, int size /* PARITY: not read */, nigh_language **out);
NIGH_API void nigh_language_free(nigh_language *language); /* NULL is fine */
NIGH_API int nigh_language_tokens(const nigh_language *language);
NIGH_API int nigh_language_labels(const nigh_language *language);

/*
 * token and label [n, length]; label[i, t] is exact for token[i, 0 .. t]. Tokens are independent and uniform, but for DYCK, whose sequences are
 * uniform among the balanced shapes with independent uniform kinds (length even), after which, with chance `corrupt`, one token
 * at a uniform place is replaced by another one, uniformly. length >= 1; corrupt in [0, 1], 0 for other languages.
 */
NIGH_API nigh_status nigh_language_sample(nigh_context *ctx, const nigh_language *language, nigh_rng *rng, int64_t n, int64_t length,
                                          double corrupt, int32_t *token, int32_t *label);

/* The labels of given tokens [length]. NIGH_INVALID for one out of range. */
NIGH_API nigh_status nigh_language_label(nigh_context *ctx, const nigh_language *language, int64_t length, const int32_t *token,
                                         int32_t *label);

/*
 * Groups: permutations p of 0 .. size-1 in lexicographic order (even ones only for ALTERNATING), so token 0 is the identity. The product so
 * far is p_0, then p_1 after it: (p_0 p_1)(i) = p_1(p_0(i)). Writes permutation `token` to p [size]. NIGH_INVALID for other languages.
 */
NIGH_API nigh_status nigh_language_permutation(nigh_context *ctx, const nigh_language *language, int token, int *p);

#ifdef __cplusplus
}
#endif
#endif
