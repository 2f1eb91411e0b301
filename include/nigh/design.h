/*
 * nigh/design.h: at which points to evaluate an expensive function, and the weighted least-squares fit of what came out.
 *
 * A function f is to be replaced by its best approximation in an m-dimensional space V of square-integrable functions, from as few
 * evaluations as possible. With the orthonormal functions phi_1 .. phi_m of V, K(x) = |phi(x)|^2, the weights w(x) = m / K(x) and the
 * density 1 / w against the measure of the inputs (the "optimal density"), points are placed
 *
 *   NIGH_DESIGN_DPP       by repeated determinantal point processes: each batch of m points repels each other, and every point has
 *                         the optimal density. 2 batches reach within 1.5 to 2 times the best squared error. The default.
 *   NIGH_DESIGN_VOLUME    by volume sampling: one such batch, the others independent from the optimal density. With any n >= m the
 *                         fit is unbiased: its mean over draws is the best approximation (unless `least` redraws, see below).
 *   NIGH_DESIGN_VOLUME_INPUT  generalised volume sampling: one batch, the others from the measure of the inputs itself, weights 1.
 *                         Unbiased as well; less stable where K is far from constant.
 *   NIGH_DESIGN_IID       independently from the optimal density: needs n of order m log m
 *
 * What each is worth is measured by `nigh claims weighted-least-squares-dpp`. Source: "Weighted least-squares approximation with
 * determinantal point processes and generalized volume sampling".
 *
 *   nigh_basis *basis;     nigh_basis_new(ctx, &(nigh_basis_spec){NIGH_LEGENDRE, NIGH_TOTAL_DEGREE, 8, 2, low, high}, &basis);
 *   nigh_design *design;   nigh_design_draw(ctx, basis, &(nigh_design_options){.n = 2 * nigh_basis_size(basis)}, &rng, &design);
 *   ... y[i] = f(design->x + i * 2) ...
 *   nigh_design_fit(ctx, design, 1, y, coefficients, &quality);
 */
#ifndef NIGH_DESIGN_H
#define NIGH_DESIGN_H
#include "nigh/core.h"
#include "nigh/random.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NIGH_DESIGN_DIMS 10   /* most input variables of a basis */
#define NIGH_DESIGN_TERMS 2000 /* most functions of a basis */

/* ---- spaces ------------------------------------------------------------------------------------------- */

typedef enum nigh_basis_family {
    NIGH_LEGENDRE, /* polynomials; inputs uniform on the box                                          */
    NIGH_HERMITE,  /* polynomials; inputs independent normal: mean (low + high) / 2, sd (high - low) / 2 */
    NIGH_FOURIER   /* trigonometric; inputs uniform on the box, which is one period in each variable    */
} nigh_basis_family;

/* Which products of functions of one variable, by their degrees k_1 .. k_d (of Fourier functions: frequencies). */
typedef enum nigh_index_set {
    NIGH_TOTAL_DEGREE,     /* k_1 + ... + k_d <= degree                 */
    NIGH_HYPERBOLIC_CROSS, /* (k_1 + 1) ... (k_d + 1) <= degree + 1     */
    NIGH_FULL_TENSOR       /* each k_i <= degree                        */
} nigh_index_set;

typedef struct nigh_basis_spec {
    nigh_basis_family family;
    nigh_index_set set;
    int degree;              /* 0 to 255 */
    int64_t dims;            /* 1 to NIGH_DESIGN_DIMS */
    const double *low, *high; /* [dims]; both NULL: -1 and 1 */
} nigh_basis_spec;

typedef struct nigh_basis nigh_basis;

/* Copies the spec. NIGH_INVALID: a field out of range, an empty box, more than NIGH_DESIGN_TERMS functions. */
NIGH_API nigh_status nigh_basis_new(nigh_context *ctx, const nigh_basis_spec *spec, nigh_basis **basis);
NIGH_API void nigh_basis_free(nigh_basis *basis); /* NULL is fine */
NIGH_API int64_t nigh_basis_size(const nigh_basis *basis); /* m */
NIGH_API int64_t nigh_basis_dims(const nigh_basis *basis);

/* Numbers [dims] of the functions of one variable whose product function j < m is; function 0 is the constant 1. Degrees for
 * polynomials; 2 k - 1 and 2 k are cosine and sine of frequency k. */
NIGH_API const int *nigh_basis_index(const nigh_basis *basis, int64_t j);

/* phi[n,m] at x[n,dims]. Cost: n (d degree + m d). */
NIGH_API void nigh_basis_values(const nigh_basis *basis, int64_t n, const double *x, double *phi);

/* ---- finite sets of candidates ------------------------------------------------------------------------ */

/*
 * N points with values[N,m] of any m functions on them, and weights[N] >= 0 (NULL: equal; scaled to sum 1): a measure of N atoms.
 * The functions are made orthonormal against it (Gram-Schmidt, each column twice) unless they are already (Gram matrix within 1e-10);
 * nigh_candidates_gap says how far they were, and the log notes it. NIGH_INVALID: fewer candidates than functions, values that are
 * not finite, negative or all-zero weights, linearly dependent functions (the first is named). Fewer than 10 m candidates give a
 * warning in the log: they are a poor stand-in for a continuous measure. Copies. Cost O(N m^2).
 */
typedef struct nigh_candidates nigh_candidates;
NIGH_API nigh_status nigh_candidates_new(nigh_context *ctx, int64_t n, int64_t m, const double *values, const double *weights,
                                         nigh_candidates **candidates);
NIGH_API void nigh_candidates_free(nigh_candidates *candidates); /* NULL is fine */
NIGH_API double nigh_candidates_gap(const nigh_candidates *candidates);      /* largest |Gram - I| as handed in; > 1e-10: orthonormalised */
NIGH_API const double *nigh_candidates_phi(const nigh_candidates *candidates); /* [N,m], the orthonormal functions */
/* R[m,m], upper triangular: values = phi R. Coefficients c of phi are R^-1 c of what was handed in. NULL: R = I. */
NIGH_API const double *nigh_candidates_triangle(const nigh_candidates *candidates);

/* ---- designs ------------------------------------------------------------------------------------------ */

typedef enum nigh_design_kind { NIGH_DESIGN_DPP, NIGH_DESIGN_VOLUME, NIGH_DESIGN_VOLUME_INPUT, NIGH_DESIGN_IID } nigh_design_kind;

typedef struct nigh_design_options {
    nigh_design_kind kind;
    int64_t n;     /* points, >= m; for NIGH_DESIGN_DPP a multiple of m */
    /*
     * In (0, 1): draw again until the smallest eigenvalue of the Gram matrix G = (1/n) sum of w phi phi^T is at least this; 0: take the
     * first draw. The error of the fit is at most |f - Pf|^2 + |f - Pf|_n^2 / that eigenvalue. Conditioning changes the law of the points:
     * volume sampling is then no longer unbiased.
     */
    double least;
    bool thin;     /* with `least`: afterwards take points away, the least important first, while the eigenvalue stays above it; n >= m stay */
    int draws;     /* most draws; 0: 100. NIGH_UNMET when none had the eigenvalue */
} nigh_design_options;

typedef struct nigh_design {
    nigh_design_kind kind;
    int64_t n, m, d;
    double *x;           /* [n,d] points; NULL for candidates */
    int64_t *index;      /* [n] of candidates; NULL for a basis. One may be there several times. */
    double *phi;         /* [n,m] */
    double *weight;      /* [n] w of the fit */
    double least;        /* smallest eigenvalue of G */
    int draws;           /* how many were made */
    int64_t proposals;   /* points looked at by rejection */
    const char *how;     /* static text: how the points were drawn, for receipts */
    nigh_arena *arena;
} nigh_design;

/*
 * Points of the continuous measure of a basis. Exact: every point comes from the density it should have (mixtures of squares of
 * tensor products, rejection for the determinantal process), no grid is involved. Cost O(m^3 log m) for each batch of m points.
 * Bits depend on *rng alone. NIGH_INVALID: options out of range. *design is freed by nigh_design_free.
 */
NIGH_API nigh_status nigh_design_draw(nigh_context *ctx, const nigh_basis *basis, const nigh_design_options *options, nigh_rng *rng,
                                      nigh_design **design);

/* Points chosen among candidates. Exact for their discrete measure. Cost O(N m^2) for each batch of m points. */
NIGH_API nigh_status nigh_design_choose(nigh_context *ctx, const nigh_candidates *candidates, const nigh_design_options *options, nigh_rng *rng,
                                        nigh_design **design);
NIGH_API void nigh_design_free(nigh_design *design); /* NULL is fine */

/* ---- the fit ------------------------------------------------------------------------------------------ */

typedef struct nigh_design_quality {
    double least;         /* smallest eigenvalue of (1/n) sum w phi phi^T */
    double residual;      /* root of the weighted mean square of y - fit at the points, over the outputs */
    double leave_one_out; /* the same of leave-one-out residuals: an estimate of the error; NAN when n = m */
} nigh_design_quality;

/*
 * coefficients[m,q] = argmin sum over i of weight_i |y_i - phi_i c|^2 by QR of sqrt(weight) phi; y[n,q]. quality may be NULL.
 * With noise of variance s^2 in y the squared error grows by about s^2 m / n. NIGH_INVALID: n < m, not finite values (named by row and
 * column), weights that are not positive, linearly dependent functions at these points. Cost O(n m^2).
 */
NIGH_API nigh_status nigh_weighted_least_squares(nigh_context *ctx, int64_t n, int64_t m, int64_t q, const double *phi, const double *weight,
                                                 const double *y, double *coefficients, nigh_design_quality *quality);

/* The same with the design's phi and weights. */
NIGH_API nigh_status nigh_design_fit(nigh_context *ctx, const nigh_design *design, int64_t q, const double *y, double *coefficients,
                                     nigh_design_quality *quality);

#ifdef __cplusplus
}
#endif
#endif
