/*
 * nigh/sparse.h: sparse matrices of f64 by rows (CSR): products, incomplete and complete factorisations.
 *
 * Common rules. Vectors are dense f64; a block of q vectors is [rows, q] row-major. Matrices and factors are opaque to change but open to read;
 * what `_new` gives ends with `_free` (NULL is fine) and is const afterwards: several threads may use one at once unless said.
 * Products run on the context's threads with static shares of rows; each row is one sum in the order of its columns, so the bits do not
 * depend on the number of threads. On failure outputs are untouched; messages name the matrix's sizes.
 *
 * Saad, "Iterative Methods for Sparse Linear Systems"; Davis, "Direct Methods for Sparse Linear Systems".
 */
#ifndef NIGH_SPARSE_H
#define NIGH_SPARSE_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Row i holds entries start[i] .. start[i + 1] - 1, columns rising, none twice. start has rows + 1 numbers, start[0] = 0. */
typedef struct nigh_sparse {
    int64_t rows, cols; /* 1 .. 2^31 - 1 */
    int64_t *start;
    int32_t *column;
    double *value;
} nigh_sparse;

static inline int64_t nigh_sparse_count(const nigh_sparse *a) { return a->start[a->rows]; }

/*
 * From count triplets (row, column, value) in any order; those of one place are added in the order given (explicit zeros stay entries).
 * NIGH_INVALID when a place lies outside or a value is not finite. O(count log) time, one block of memory each.
 */
NIGH_API nigh_status nigh_sparse_new(nigh_context *ctx, int64_t rows, int64_t cols, int64_t count, const int64_t *row, const int64_t *column,
                                     const double *value, nigh_sparse **out);
NIGH_API void nigh_sparse_free(nigh_context *ctx, nigh_sparse *a);

/* NIGH_OK when the arrays of a matrix made by hand keep the rules above and all values are finite; the message names the first row that does not. */
NIGH_API nigh_status nigh_sparse_check(nigh_context *ctx, const nigh_sparse *a);

/* A^T, a new matrix. O(entries). */
NIGH_API nigh_status nigh_sparse_transpose(nigh_context *ctx, const nigh_sparse *a, nigh_sparse **out);

/* True when A equals its transpose but for `relative` * the largest absolute value; false for other shapes than square. O(entries log). */
NIGH_API bool nigh_sparse_symmetric(const nigh_sparse *a, double relative);

/* Y[rows, q] = alpha A X + beta Y with X[cols, q]; beta = 0: what Y held does not matter. X and Y do not overlap. NIGH_INVALID when q < 1. */
NIGH_API nigh_status nigh_sparse_multiply(nigh_context *ctx, const nigh_sparse *a, int64_t q, double alpha, const double *x, double beta, double *y);

/*
 * Y[cols, q] = alpha A^T X + beta Y with X[rows, q], without a transpose in memory: on one thread, as every row writes everywhere. For many
 * such products nigh_sparse_transpose once and nigh_sparse_multiply is faster.
 */
NIGH_API nigh_status nigh_sparse_multiply_transposed(nigh_context *ctx, const nigh_sparse *a, int64_t q, double alpha, const double *x, double beta, double *y);

/* ---- incomplete Cholesky, IC(0) ------------------------------------------------------------------------------------------------------------ */

typedef struct nigh_sparse_incomplete nigh_sparse_incomplete;

/*
 * L with the pattern of the lower triangle of the symmetric A (what is above the diagonal is not read), L L^T = A on that pattern. On breakdown a
 * shift times the diagonal is added: 1e-3, then twice as much each time, up to 2^20 * 1e-3; *shift (NULL: not wanted) says how much in
 * the end, 0: none ("An incomplete factorization technique for positive definite linear systems", Manteuffel 1980). NIGH_INVALID when A is
 * not square, a diagonal entry is missing or not positive.
 */
NIGH_API nigh_status nigh_sparse_incomplete_new(nigh_context *ctx, const nigh_sparse *a, double *shift, nigh_sparse_incomplete **out);
NIGH_API void nigh_sparse_incomplete_free(nigh_sparse_incomplete *f);

/* x = (L L^T)^-1 b; x may be b. Cannot fail, allocates nothing. 4 flops an entry. */
NIGH_API void nigh_sparse_incomplete_apply(const nigh_sparse_incomplete *f, const double *b, double *x);

/* ---- complete factorisations, kept for many right-hand sides --------------------------------------------------------------------------------- */

typedef enum nigh_sparse_method {
    NIGH_SPARSE_AUTO,    /* the first of its kind below that this build has                                                     */
    NIGH_SPARSE_CHOLMOD, /* symmetric positive definite: supernodal, with the context's BLAS threads (GPL)                       */
    NIGH_SPARSE_LDL,     /* symmetric with nonzero pivots in the given order (no exchanges): own up-looking L D L^T, AMD order, reverse Cuthill-McKee without SuiteSparse */
    NIGH_SPARSE_UMFPACK, /* any: unsymmetric multifrontal (GPL)                                                                  */
    NIGH_SPARSE_KLU,     /* any: LU by blocks                                                                                    */
    NIGH_SPARSE_DENSE    /* any: dense LU, at most 5000 rows                                                                     */
} nigh_sparse_method;

typedef struct nigh_sparse_factor nigh_sparse_factor;

/*
 * Factors the square A. `symmetric`: the lower triangle alone is read and the automatic choice is CHOLMOD or LDL; else UMFPACK, KLU or dense LU.
 * NIGH_UNSUPPORTED when this build has not the method; NIGH_INVALID when A is not square, is singular or (CHOLMOD) not positive
 * definite; NIGH_RESOURCE when A has more than 5000 rows for dense LU. The context must outlive the factor. The libraries take memory of their own.
 */
NIGH_API nigh_status nigh_sparse_factor_new(nigh_context *ctx, const nigh_sparse *a, bool symmetric, nigh_sparse_method method, nigh_sparse_factor **out);
NIGH_API void nigh_sparse_factor_free(nigh_sparse_factor *f);

/* X[n, q] of A X = B; x may be b. Not to be called from two threads at once with one factor. */
NIGH_API nigh_status nigh_sparse_factor_solve(nigh_sparse_factor *f, int64_t q, const double *b, double *x);

/* What was chosen, and entries of its factors (0 when the library does not say). */
NIGH_API nigh_sparse_method nigh_sparse_factor_method(const nigh_sparse_factor *f);
NIGH_API int64_t nigh_sparse_factor_count(const nigh_sparse_factor *f);
NIGH_API const char *nigh_sparse_method_name(nigh_sparse_method method); /* "CHOLMOD" and so on; never NULL */

#ifdef __cplusplus
}
#endif
#endif
