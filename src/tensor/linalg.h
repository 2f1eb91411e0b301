/*
 * f64 linear algebra for the inside of nigh, beside nigh/linalg.h: products, factorisations that destroy their argument and so copy nothing,
 * Cholesky with a jitter, and ridge regression that chooses its lambda by leave-one-out errors.
 *
 * All matrices are dense and row-major without gaps. Sizes must fit an int of LAPACK. Inputs with NaN or infinity are
 * refused before a library sees them. Work memory comes through the context. Results have the same bits for the same
 * number of threads.
 */
#ifndef NIGH_TENSOR_LINALG_H
#define NIGH_TENSOR_LINALG_H
#include "nigh/linalg.h"

/* C[m,n] = alpha op(A) op(B) + beta C; op(A) is m x k, op(B) is k x n. With beta = 0 what C held does not matter. */
nigh_status linalg_gemm(nigh_context *ctx, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
                        const double *a, const double *b, double beta, double *c);

/* Symmetric A[n,n] (destroyed) = sum of value[i] v_i v_i^T, values increasing; row i of `a` becomes v_i. 9 n^3 flops. */
nigh_status linalg_eigen(nigh_context *ctx, int64_t n, double *a, double *value);

/* A[m,n] (destroyed) = U diag(s) Vt with k = min(m, n): U[m,k], s[k] falling, Vt[k,n]. */
nigh_status linalg_svd(nigh_context *ctx, int64_t m, int64_t n, double *a, double *u, double *s, double *vt);

/*
 * Solves A X = B for a symmetric positive definite A[n,n] (destroyed; the lower triangle is read) and B[n,q] (becomes
 * X). When the factorisation breaks down, jitter * mean of the diagonal is added, from 1e-14 on in steps of 10 up to
 * 1e-6; *jitter (NULL: not wanted) says how much, 0: none. NIGH_INVALID when that is not enough.
 */
nigh_status linalg_cholesky_solve(nigh_context *ctx, int64_t n, int64_t q, double *a, double *b, double *jitter);

/* Full orthogonal Q[m,m] of A[m,n] = Q R, m >= n: the first n columns span A, the others its complement. */
nigh_status linalg_complete_basis(nigh_context *ctx, int64_t m, int64_t n, const double *a, double *q);

/*
 * Ridge regression X = argmin |Y - A X|^2 + lambda |X|^2 of n rows, p features, q outputs, from one factorisation of
 * A[n,p] (destroyed). lambda = relative * (sum of squared singular values) / min(n, p).
 * relative > 0: given. relative = 0: for each output the one of 10^-16, 10^-15.5 .. 10^2 with the least
 * leave-one-out error; that error is exact for the centred problem when `centred` (columns of A and Y had their mean
 * taken off: an unpenalised intercept).
 * out: X[p,q], chosen[q] relative ridges, loo[q] mean squared leave-one-out errors (either NULL: not wanted).
 * Hoerl and Kennard, "Ridge regression"; Golub, Heath and Wahba, "Generalized cross-validation as a method for
 * choosing a good ridge parameter", section 1 for the leave-one-out form.
 */
nigh_status linalg_ridge(nigh_context *ctx, int64_t n, int64_t p, int64_t q, double *a, const double *y, double relative, bool centred,
                         double *x, double *chosen, double *loo);

/*
 * The same for one given lambda > 0 (absolute) by QR of A with sqrt(lambda) I below or beside it: a third to a tenth of the
 * work, no squared condition number, no leave-one-out errors. A[n,p] stays. lambda must not be below 1e-28 of |A|^2.
 * X[p,q]. 2 (n + p) min(n, p)^2 flops.
 */
nigh_status linalg_ridge_direct(nigh_context *ctx, int64_t n, int64_t p, int64_t q, const double *a, const double *y, double lambda, double *x);

/*
 * The kernel form. Weights W[n,q] with (K + lambda I) W = Y on the space spanned by the orthonormal columns of
 * `complement` (NULL: everything; [n,k]: W = C (C^T (K + lambda I) C)^-1 C^T Y, the smoothing spline with the other
 * columns as its unpenalised tail). K[n,n] is destroyed. relative as above with trace(C^T K C) / k as its unit; 0: the
 * one with the least sum over outputs of leave-one-out errors. Leave-one-out: e_i = w_i / B_ii with B = C (...)^-1 C^T.
 * out: W, *chosen (relative), *lambda, *loo: sum over outputs of the mean squared leave-one-out errors (each may be NULL).
 */
nigh_status linalg_kernel_ridge(nigh_context *ctx, int64_t n, int64_t q, double *k, const double *y, int64_t complement_columns,
                                const double *complement, double relative, double *w, double *chosen, double *lambda, double *loo);

/* NIGH_INVALID naming row and column of the first entry of a[m,n] that is NaN or infinite. */
nigh_status linalg_check_finite(nigh_context *ctx, const char *what, int64_t m, int64_t n, const double *a);
#endif
