/*
 * nigh/linalg.h: dense linear algebra over LAPACK in f32, f64, c64 (complex of two f32) and c128.
 *
 * Common rules. Matrices are dense and row-major; `dtype` is the type of all matrices of a call (NIGH_F32, NIGH_F64, NIGH_C64, NIGH_C128;
 * anything else is NIGH_UNSUPPORTED) and what is computed is computed in that type. Singular values, eigenvalues of Hermitian matrices, norms
 * and logarithms come out as doubles. "Hermitian" means symmetric for the real types, A^H the transpose. Rows and columns: 1 .. 2^31 - 1. An
 * entry that is NaN or infinite is NIGH_INVALID and named with its place. Inputs are never changed unless said; an output may not overlap an
 * input unless said; on failure outputs are untouched. Work memory comes through the context and is given back.
 * Same bits for the same inputs, threads and libraries.
 *
 * Signs. A singular or eigen vector is only known up to a factor of modulus 1. Here the first entry whose modulus is at least 0.999 of the
 * largest is real and positive; for singular values the rule is that of the right vectors. R of a QR factorisation has a real diagonal >= 0.
 *
 * Golub and Van Loan, "Matrix Computations"; the algorithms are LAPACK's where no other source is named.
 */
#ifndef NIGH_LINALG_H
#define NIGH_LINALG_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Cholesky: A = L L^H ------------------------------------------------------------------------------------------------------------- */

/*
 * L[n,n] of the Hermitian positive definite A[n,n], of which the lower triangle is read; l may be a. `stride` >= n is the distance of rows of
 * both in elements, so that rows can be appended in place later. What lies above the diagonal of l becomes 0 (up to column n).
 * NIGH_INVALID when a pivot is not positive (its number is named); then l is destroyed if it is a, else untouched. n^3 / 3 flops.
 */
NIGH_API nigh_status nigh_cholesky_factor(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, const void *a, void *l);

/* X[n,q] of A X = B; x may be b. 2 n^2 q flops. */
NIGH_API nigh_status nigh_cholesky_solve(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, const void *l, int64_t q, const void *b, void *x);

/* log det A = 2 sum of log L_ii; NaN when dtype is not one of the four or n < 1. */
NIGH_API double nigh_cholesky_log_det(nigh_dtype dtype, int64_t n, int64_t stride, const void *l);

/*
 * L becomes the factor of A + v v^H (`add`) or of A - v v^H; v[n] stays. NIGH_INVALID, with L untouched, when the latter is not positive
 * definite to working precision. Rotations, for the down-date in their mixed hyperbolic form ("A note on downdating the Cholesky
 * factorization", Bojanczyk, Brent, Van Dooren and de Hoog 1987). 3 n^2 flops, twice that for the down-date, which looks first.
 */
NIGH_API nigh_status nigh_cholesky_update(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, void *l, const void *v, bool add);

/*
 * Bordering: row n of L (n + 1 elements, at l + n stride; stride > n) for the matrix with `row` = A_n0 .. A_nn appended below (and its
 * conjugate on the right). n = 0 begins a factorisation. NIGH_INVALID when the new pivot is not positive. n^2 flops.
 */
NIGH_API nigh_status nigh_cholesky_append(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, void *l, const void *row);

/* ---- QR -------------------------------------------------------------------------------------------------------------------------------- */

/* A[m,n] = Q R by Householder reflections. Thin: Q[m,k], R[k,n] with k = min(m, n); full: Q[m,m], R[m,n]. 4 m n k flops. */
NIGH_API nigh_status nigh_qr_factor(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, bool full, void *q, void *r);

/*
 * Appends column v[m] to a thin factorisation of m x n, n < m: column n of Q (rows at distance q_stride > n) and column n of R, n + 1
 * elements (rows at distance r_stride > n); row n of R left of it becomes 0. v is made orthogonal to Q twice ("Reorthogonalization and stable
 * algorithms for updating the Gram-Schmidt QR factorization", Daniel, Gragg, Kaufman and Stewart 1976). NIGH_INVALID, nothing changed, when what
 * is left of v is below 16 m eps of it: it lies in the span. n = 0 begins. 8 m n flops.
 */
NIGH_API nigh_status nigh_qr_append(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, void *q, int64_t q_stride, void *r, int64_t r_stride,
                                    const void *v);

/* ---- singular values ----------------------------------------------------------------------------------------------------------------------- */

/* A[m,n] = U diag(s) Vh, k = min(m, n): U[m,k], s[k] falling, Vh[k,n] (the conjugate transpose of the right vectors). About 14 m n k flops. */
NIGH_API nigh_status nigh_svd(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, void *u, double *s, void *vh);

/* How many singular values are kept: the fewest that meet all that is asked; 0 in a field asks for nothing. */
typedef struct nigh_svd_rule {
    int64_t rank;  /* at most so many                                                    */
    double energy; /* their squares are at least this share, in (0, 1], of the sum of squares */
    double value;  /* none below this absolute value is kept                             */
} nigh_svd_rule;

/* The number kept of s[k] (falling); at least 1. With an energy the fewest that have it; rank and value then cut further. */
NIGH_API int64_t nigh_svd_keep(int64_t k, const double *s, const nigh_svd_rule *rule);

/*
 * The factors cut by the rule: U[m,r], s[r], Vh[r,n], each without gaps, r = *rank; the arrays need room for k = min(m, n) (or rule->rank when
 * that is given). *error (NULL: not wanted): Frobenius norm of what is cut, the root of the sum of the squares of the values left out.
 */
NIGH_API nigh_status nigh_svd_truncated(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, const nigh_svd_rule *rule, int64_t *rank,
                                        void *u, double *s, void *vh, double *error);

/*
 * The first `rank` singular triplets of a large matrix from products with a random block of rank + oversample columns (8 is usual) and
 * `rounds` subspace iterations, each re-orthogonalised (2 is usual; 0 when the values fall fast). *error (NULL: not wanted): the Frobenius
 * norm of A - U diag(s) Vh, computed, not estimated: no truncation to this rank has a smaller one than the best, and this says how far the
 * result is. rank + oversample <= min(m, n). 2 m n (rank + oversample) (2 rounds + 2) flops. Algorithms 4.4 and 5.1 of "Finding structure with
 * randomness", Halko, Martinsson and Tropp 2011.
 */
NIGH_API nigh_status nigh_svd_randomised(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, int64_t rank, int64_t oversample,
                                         int rounds, uint64_t seed, void *u, double *s, void *vh, double *error);

/* ---- eigenvalues ----------------------------------------------------------------------------------------------------------------------------- */

/* Hermitian A[n,n] (lower triangle read): value[n] rising, column j of V[n,n] belongs to value j; V NULL: values only. 9 n^3 flops. */
NIGH_API nigh_status nigh_eigen(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, double *value, void *v);

/* The k largest (algebraically), falling: value[k], V[n,k]. 4/3 n^3 flops and 2 n^2 k. */
NIGH_API nigh_status nigh_eigen_top(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, int64_t k, double *value, void *v);

/*
 * Any A[n,n], n <= 4000. Complex results are pairs of doubles (c128) for every dtype: value[n], by falling modulus, then falling real part,
 * then falling imaginary part; left[n,n] and right[n,n] with one vector a column, A r = value r, l^H A = value l^H, of length 1; either NULL:
 * not wanted. 1 / |l^H r| is the condition number of the eigenvalue. About 25 n^3 flops.
 */
NIGH_API nigh_status nigh_eigen_general(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, double *value, double *left, double *right);

/* ---- systems --------------------------------------------------------------------------------------------------------------------------------- */

/*
 * LU of A[n,n] with row exchanges: lu[n,n] (may be a) and pivot[n] are for nigh_lu_solve and nigh_lu_log_det alone. *rcond (NULL: not wanted):
 * LAPACK's estimate of 1 / (|A| |A^-1|), norms of largest row sums. NIGH_INVALID when a pivot is exactly 0. 2 n^3 / 3 flops.
 */
NIGH_API nigh_status nigh_lu_factor(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, void *lu, int32_t *pivot, double *rcond);

/* X[n,q] of A X = B; x may be b. 2 n^2 q flops. */
NIGH_API nigh_status nigh_lu_solve(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *lu, const int32_t *pivot, int64_t q, const void *b, void *x);

/* log |det A|; phase[2] (NULL: not wanted) is det A / |det A|, for real matrices +-1 and 0. */
NIGH_API double nigh_lu_log_det(nigh_dtype dtype, int64_t n, const void *lu, const int32_t *pivot, double *phase);

/*
 * X[n,q] with least |A X - B| and of these the least |X|, of A[m,n], B[m,q], by QR with column exchanges; columns below rcond of the largest
 * count as dependent, rcond in [0, 1). *rank (NULL: not wanted).
 */
NIGH_API nigh_status nigh_least_squares(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, int64_t q, const void *a, const void *b, double rcond,
                                        void *x, int64_t *rank);

/* ---- ridge regression, f64 ------------------------------------------------------------------------------------------------------------------- */

/* X(lambda) = argmin |Y - A X|^2 + lambda |X|^2 for any number of lambdas from one factorisation. */
typedef struct nigh_ridge nigh_ridge;

/*
 * A[n,p] and Y[n,q] are copied as far as needed. `centred`: columns of A and Y had their means taken off, an unpenalised intercept, which the
 * leave-one-out errors and degrees of freedom then count. One SVD of A. Free with nigh_ridge_free.
 */
NIGH_API nigh_status nigh_ridge_new(nigh_context *ctx, int64_t n, int64_t p, int64_t q, const double *a, const double *y, bool centred, nigh_ridge **out);
NIGH_API void nigh_ridge_free(nigh_ridge *ridge); /* NULL is fine */

/* min(n, p) singular values of A, falling; they live as long as the ridge. lambda is in units of their squares. */
NIGH_API const double *nigh_ridge_values(const nigh_ridge *ridge);

/*
 * At one lambda > 0; each output may be NULL. x[p,q]; loo[q]: mean squared leave-one-out errors, exact; gcv[q]: n |Y - A X|^2 / (n - freedom)^2;
 * *freedom: trace of the hat matrix (+ 1 when centred). O(n min(n, p) q), and p min(n, p) q for x. Golub, Heath and Wahba, "Generalized
 * cross-validation as a method for choosing a good ridge parameter". One ridge must not be used by two threads at once.
 */
NIGH_API nigh_status nigh_ridge_at(nigh_ridge *ridge, double lambda, double *x, double *loo, double *gcv, double *freedom);

/* ---- functions of matrices --------------------------------------------------------------------------------------------------------------------- */

/*
 * Square root and inverse square root of a positive semidefinite Hermitian A[n,n] (lower triangle read); either NULL: not wanted. Eigenvalues
 * below floor * the largest count as 0 and are left out of both (the inverse is then that on the rest); floor in [0, 1), 0: n eps.
 * NIGH_INVALID when one lies below -floor * the largest. *rank (NULL: not wanted): eigenvalues kept.
 */
NIGH_API nigh_status nigh_psd_root(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, double floor, void *root, void *inverse, int64_t *rank);

/*
 * E = exp(A), A[n,n], n <= 4000: scaling and squaring with Pade approximants of degree 13 (f64, c128) or 7 (f32, c64). NIGH_INVALID when the
 * result overflows. About (14 + log2 |A|) 2 n^3 flops. "The scaling and squaring method for the matrix exponential revisited", Higham 2005.
 */
NIGH_API nigh_status nigh_matrix_exp(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, void *e);

/* A[m,n] = U P, m >= n: U[m,n] with orthonormal columns, P[n,n] positive semidefinite; p NULL: not wanted. From the SVD; 20 m n^2 flops. */
NIGH_API nigh_status nigh_polar(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, void *u, void *p);

/*
 * The orthogonal (unitary) Q[n,n] with least |A Q - B|, A and B [m,n]. `rotation`: det Q = +1 is asked for, real types only. *residual (NULL:
 * not wanted): that Frobenius norm. Schonemann, "A generalized solution of the orthogonal Procrustes problem"; Kabsch for the rotation.
 */
NIGH_API nigh_status nigh_procrustes(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, const void *b, bool rotation, void *q,
                                     double *residual);

#ifdef __cplusplus
}
#endif
#endif
