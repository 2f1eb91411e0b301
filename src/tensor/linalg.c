/* f64 linear algebra over CBLAS and LAPACK; see linalg.h. LAPACK is column-major: a row-major matrix is its transpose. */
#include "tensor/linalg.h"

#include "tensor/dense.h"

#include <math.h>
#include <string.h>

nigh_status linalg_check_finite(nigh_context *ctx, const char *what, int64_t m, int64_t n, const double *a)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            if (!isfinite(a[i * n + j]))
                return nigh_fail(ctx, NIGH_INVALID, "%s has %g in row %lld, column %lld; all entries must be finite", what, a[i * n + j],
                                 (long long)i, (long long)j);
    return NIGH_OK;
}

static nigh_status check_sizes(nigh_context *ctx, int64_t m, int64_t n) { return dense_check_sizes(ctx, "a matrix", m, n); }

nigh_status linalg_gemm(nigh_context *ctx, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
                        const double *a, const double *b, double beta, double *c)
{
    nigh_status status = check_sizes(ctx, m, n);
    if (!status) status = check_sizes(ctx, m, k);
    if (!status) status = check_sizes(ctx, k, n);
    if (status) return status;
    int before = dense_enter(ctx, 2.0 * (double)m * (double)n * (double)k);
    cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k,
                alpha, a, (int)(transpose_a ? m : k), b, (int)(transpose_b ? k : n), beta, c, (int)n);
    dense_leave(before);
    return NIGH_OK;
}

nigh_status linalg_eigen(nigh_context *ctx, int64_t n, double *a, double *value)
{
    nigh_status status = check_sizes(ctx, n, n);
    if (!status) status = linalg_check_finite(ctx, "the symmetric matrix", n, n, a);
    return status ? status : dense_eigen(ctx, NIGH_F64, n, true, a, value);
}

nigh_status linalg_svd(nigh_context *ctx, int64_t m, int64_t n, double *a, double *u, double *s, double *vt)
{
    nigh_status status = check_sizes(ctx, m, n);
    if (!status) status = linalg_check_finite(ctx, "the matrix", m, n, a);
    return status ? status : dense_svd(ctx, NIGH_F64, m, n, a, u, s, vt);
}

/* The lower triangle of row-major is the upper one in columns. */
static nigh_status cholesky(nigh_context *ctx, int64_t n, double *a, double *jitter)
{
    double *diagonal = dense_doubles(ctx, n), mean = 0, added = 0;
    if (!diagonal) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) mean += fabs(diagonal[i] = a[i * n + i]) / (double)n;
    lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)n, a, (int)n);
    /* A failed attempt spoils the triangle it worked on; the other one still holds A. */
    for (double try = 1e-14; info > 0 && try < 2e-6; try *= 10) {
        for (int64_t i = 0; i < n; i++) {
            a[i * n + i] = diagonal[i] + try * mean;
            for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
        }
        info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)n, a, (int)n);
        added = try;
    }
    nigh_free(ctx, diagonal);
    if (info) return nigh_fail(ctx, NIGH_INVALID, "the matrix is not positive definite, also with 1e-6 of its diagonal added");
    if (jitter) *jitter = added;
    return NIGH_OK;
}

nigh_status linalg_cholesky_solve(nigh_context *ctx, int64_t n, int64_t q, double *a, double *b, double *jitter)
{
    nigh_status status = check_sizes(ctx, n, n);
    if (!status) status = check_sizes(ctx, n, q);
    if (status) return status;
    /* dpotrf works on what is the upper triangle of rows; mirror, so that the lower one stays as the copy. */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
    status = linalg_check_finite(ctx, "the matrix", n, n, a);
    if (!status) status = linalg_check_finite(ctx, "the right-hand side", n, q, b);
    if (status) return status;
    int before = dense_enter(ctx, (double)n * (double)n * (double)(n / 3 + 2 * q));
    if ((status = cholesky(ctx, n, a, jitter))) {
        dense_leave(before);
        return status;
    }
    /* In columns a = L below, L L^T X = B; B is row-major, that is X^T from the right: two triangular solves. */
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, (int)n, (int)q, 1, a, (int)n, b, (int)q);
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, (int)n, (int)q, 1, a, (int)n, b, (int)q);
    dense_leave(before);
    return NIGH_OK;
}

/*
 * With p <= n the rows sqrt(lambda) e_j follow those of A: least squares. With p > n every row i is followed by sqrt(lambda)
 * e_i: the solution (x, r) of least norm of A x + sqrt(lambda) r = y, which is the same x. In columns A is A^T: 'T'.
 */
nigh_status linalg_ridge_direct(nigh_context *ctx, int64_t n, int64_t p, int64_t q, const double *a, const double *y, double lambda, double *x)
{
    bool wide = p > n;
    int64_t rows = wide ? n : n + p, cols = wide ? n + p : p, most = n + p;
    nigh_status status = check_sizes(ctx, rows, cols);
    if (!status) status = check_sizes(ctx, most, q);
    if (!status) status = linalg_check_finite(ctx, "the matrix", n, p, a);
    if (status) return status;
    double need, root = sqrt(lambda);
    lapack_int info = LAPACKE_dgels_work(LAPACK_COL_MAJOR, 'T', (int)cols, (int)rows, (int)q, NULL, (int)cols, NULL, (int)most, &need, -1);
    if (info) return dense_failed(ctx, "the ridge regression", n, p, info);
    double *full = nigh_alloc_zero(ctx, (size_t)(rows * cols), sizeof *full), *b = nigh_alloc_zero(ctx, (size_t)(most * q), sizeof *b);
    double *work = dense_doubles(ctx, (int64_t)need);
    status = full && b && work ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    for (int64_t i = 0; i < n; i++) {
        memcpy(full + i * cols, a + i * p, (size_t)p * sizeof *a);
        if (wide) full[i * cols + p + i] = root;
        for (int64_t j = 0; j < q; j++) b[j * most + i] = y[i * q + j];
    }
    for (int64_t j = 0; j < p && !wide; j++) full[(n + j) * cols + j] = root;
    int before = dense_enter(ctx, 2.0 * (double)most * (double)(wide ? n : p) * (double)(wide ? n : p));
    info = LAPACKE_dgels_work(LAPACK_COL_MAJOR, 'T', (int)cols, (int)rows, (int)q, full, (int)cols, b, (int)most, work, (lapack_int)need);
    dense_leave(before);
    if (info) status = dense_failed(ctx, "the ridge regression", n, p, info);
    for (int64_t j = 0; j < p && !status; j++)
        for (int64_t c = 0; c < q; c++) x[j * q + c] = b[c * most + j];
done:
    nigh_free(ctx, work);
    nigh_free(ctx, b);
    nigh_free(ctx, full);
    return status;
}

nigh_status linalg_complete_basis(nigh_context *ctx, int64_t m, int64_t n, const double *a, double *q)
{
    nigh_status status = check_sizes(ctx, m, m);
    if (!status && (n > m || n < 1)) status = nigh_fail(ctx, NIGH_INVALID, "%lld columns in %lld rows have no complement", (long long)n, (long long)m);
    if (!status) status = linalg_check_finite(ctx, "the matrix", m, n, a);
    if (status) return status;
    return dense_qr(ctx, NIGH_F64, m, n, m, a, q, NULL);
}
