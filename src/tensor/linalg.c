/* f64 linear algebra over CBLAS and LAPACK; see linalg.h. LAPACK is column-major: a row-major matrix is its transpose. */
#include "tensor/linalg.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

nigh_status linalg_check_finite(nigh_context *ctx, const char *what, int64_t m, int64_t n, const double *a)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            if (!isfinite(a[i * n + j]))
                return nigh_fail(ctx, NIGH_INVALID, "%s has %g in row %lld, column %lld; all entries must be finite", what, a[i * n + j],
                                 (long long)i, (long long)j);
    return NIGH_OK;
}

/*
 * The threads of the libraries for work of so many flops: those of the context; one for what takes some 0.2 s, where
 * waiting for each other costs more than it saves (on a busy machine ten times as much). The setting is per calling
 * thread; leave() puts it back.
 */
static int enter(nigh_context *ctx, double flops)
{
#if defined(_OPENMP)
    int before = omp_get_max_threads();
    omp_set_num_threads(flops < 4e9 ? 1 : nigh_context_threads(ctx));
    return before;
#else
    return (void)ctx, (void)flops, 0;
#endif
}

static void leave(int before)
{
#if defined(_OPENMP)
    omp_set_num_threads(before);
#else
    (void)before;
#endif
}

/* Sizes that LAPACK can take, and a matrix of them that memory can. */
static nigh_status check_sizes(nigh_context *ctx, int64_t m, int64_t n)
{
    if (m < 1 || n < 1 || m > INT_MAX || n > INT_MAX || m * n > (int64_t)1 << 40)
        return nigh_fail(ctx, NIGH_INVALID, "a matrix of %lld x %lld; 1 to %d rows and columns are allowed", (long long)m, (long long)n,
                         INT_MAX);
    return NIGH_OK;
}

static double *doubles(nigh_context *ctx, int64_t count)
{
    return count < 0 || count > (int64_t)1 << 48 ? nigh_alloc(ctx, SIZE_MAX) : nigh_alloc(ctx, (size_t)(count ? count : 1) * sizeof(double));
}

static void transpose(int64_t m, int64_t n, const double *a, double *at)
{
    enum { TILE = 32 };
    for (int64_t i0 = 0; i0 < m; i0 += TILE)
        for (int64_t j0 = 0; j0 < n; j0 += TILE)
            for (int64_t i = i0; i < m && i < i0 + TILE; i++)
                for (int64_t j = j0; j < n && j < j0 + TILE; j++) at[j * m + i] = a[i * n + j];
}

nigh_status linalg_gemm(nigh_context *ctx, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
                        const double *a, const double *b, double beta, double *c)
{
    nigh_status status = check_sizes(ctx, m, n);
    if (!status) status = check_sizes(ctx, m, k);
    if (!status) status = check_sizes(ctx, k, n);
    if (status) return status;
    int before = enter(ctx, 2.0 * (double)m * (double)n * (double)k);
    cblas_dgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k,
                alpha, a, (int)(transpose_a ? m : k), b, (int)(transpose_b ? k : n), beta, c, (int)n);
    leave(before);
    return NIGH_OK;
}

static nigh_status lapack_failed(nigh_context *ctx, const char *what, int info)
{
    return nigh_fail(ctx, info < 0 ? NIGH_INTERNAL : NIGH_INVALID, "%s did not converge (LAPACK info %d)", what, info);
}

nigh_status linalg_eigen(nigh_context *ctx, int64_t n, double *a, double *value)
{
    nigh_status status = check_sizes(ctx, n, n);
    if (!status) status = linalg_check_finite(ctx, "the symmetric matrix", n, n, a);
    if (status) return status;
    double need;
    lapack_int integers, info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', (int)n, a, (int)n, value, &need, -1, &integers, -1);
    if (info) return lapack_failed(ctx, "the eigenvalue problem", info);
    double *work = doubles(ctx, (int64_t)need);
    lapack_int *ints = nigh_alloc_zero(ctx, (size_t)integers, sizeof *ints);
    if (!work || !ints) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = enter(ctx, 9.0 * (double)n * (double)n * (double)n);
    info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', (int)n, a, (int)n, value, work, (lapack_int)need, ints, integers);
    leave(before);
    if (info) status = lapack_failed(ctx, "the eigenvalue problem", info);
done:
    nigh_free(ctx, ints);
    nigh_free(ctx, work);
    return status;
}

/* In columns, a is A^T (n x m) = V S U^T: LAPACK's U is our V, column by column, which is Vt row by row. */
nigh_status linalg_svd(nigh_context *ctx, int64_t m, int64_t n, double *a, double *u, double *s, double *vt)
{
    nigh_status status = check_sizes(ctx, m, n);
    if (!status) status = linalg_check_finite(ctx, "the matrix", m, n, a);
    if (status) return status;
    int64_t k = m < n ? m : n;
    double need;
    lapack_int info =
        LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', (int)n, (int)m, a, (int)n, s, vt, (int)n, u, (int)k, &need, -1, NULL);
    if (info) return lapack_failed(ctx, "the singular value problem", info);
    double *work = doubles(ctx, (int64_t)need);
    lapack_int *ints = nigh_alloc_zero(ctx, 8 * (size_t)k, sizeof *ints);
    if (!work || !ints) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = enter(ctx, 14.0 * (double)m * (double)n * (double)k);
    info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', (int)n, (int)m, a, (int)n, s, vt, (int)n, u, (int)k, work, (lapack_int)need, ints);
    leave(before);
    if (info) status = lapack_failed(ctx, "the singular value problem", info);
done:
    nigh_free(ctx, ints);
    nigh_free(ctx, work);
    return status;
}

/* The lower triangle of row-major is the upper one in columns. */
static nigh_status cholesky(nigh_context *ctx, int64_t n, double *a, double *jitter)
{
    double *diagonal = doubles(ctx, n), mean = 0, added = 0;
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
    int before = enter(ctx, (double)n * (double)n * (double)(n / 3 + 2 * q));
    if ((status = cholesky(ctx, n, a, jitter))) {
        leave(before);
        return status;
    }
    /* In columns a = L below, L L^T X = B; B is row-major, that is X^T from the right: two triangular solves. */
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, (int)n, (int)q, 1, a, (int)n, b, (int)q);
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, (int)n, (int)q, 1, a, (int)n, b, (int)q);
    leave(before);
    return NIGH_OK;
}

nigh_status linalg_least_squares(nigh_context *ctx, int64_t m, int64_t n, int64_t q, const double *a, const double *b, double rcond,
                                 double *x, int64_t *rank)
{
    nigh_status status = check_sizes(ctx, m, n);
    if (!status) status = check_sizes(ctx, m > n ? m : n, q);
    if (!status) status = linalg_check_finite(ctx, "the matrix", m, n, a);
    if (!status) status = linalg_check_finite(ctx, "the right-hand side", m, q, b);
    if (status) return status;
    int64_t tall = m > n ? m : n;
    double *at = doubles(ctx, m * n), *bt = doubles(ctx, tall * q), *work = NULL, need;
    lapack_int *pivot = nigh_alloc_zero(ctx, (size_t)n, sizeof *pivot), found = 0, info;
    if (!at || !bt || !pivot) {
        status = NIGH_MEMORY;
        goto done;
    }
    transpose(m, n, a, at);
    memset(bt, 0, (size_t)(tall * q) * sizeof *bt);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < q; j++) bt[j * tall + i] = b[i * q + j];
    info = LAPACKE_dgelsy_work(LAPACK_COL_MAJOR, (int)m, (int)n, (int)q, at, (int)m, bt, (int)tall, pivot, rcond, &found, &need, -1);
    if (!info && !(work = doubles(ctx, (int64_t)need))) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = enter(ctx, 4.0 * (double)m * (double)n * (double)(m < n ? m : n));
    if (!info)
        info = LAPACKE_dgelsy_work(LAPACK_COL_MAJOR, (int)m, (int)n, (int)q, at, (int)m, bt, (int)tall, pivot, rcond, &found, work,
                                   (lapack_int)need);
    leave(before);
    if (info) {
        status = lapack_failed(ctx, "least squares", info);
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < q; j++) x[i * q + j] = bt[j * tall + i];
    if (rank) *rank = found;
done:
    nigh_free(ctx, work);
    nigh_free(ctx, pivot);
    nigh_free(ctx, bt);
    nigh_free(ctx, at);
    return status;
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
    if (info) return lapack_failed(ctx, "the ridge regression", info);
    double *full = nigh_alloc_zero(ctx, (size_t)(rows * cols), sizeof *full), *b = nigh_alloc_zero(ctx, (size_t)(most * q), sizeof *b);
    double *work = doubles(ctx, (int64_t)need);
    status = full && b && work ? NIGH_OK : NIGH_MEMORY;
    if (status) goto done;
    for (int64_t i = 0; i < n; i++) {
        memcpy(full + i * cols, a + i * p, (size_t)p * sizeof *a);
        if (wide) full[i * cols + p + i] = root;
        for (int64_t j = 0; j < q; j++) b[j * most + i] = y[i * q + j];
    }
    for (int64_t j = 0; j < p && !wide; j++) full[(n + j) * cols + j] = root;
    int before = enter(ctx, 2.0 * (double)most * (double)(wide ? n : p) * (double)(wide ? n : p));
    info = LAPACKE_dgels_work(LAPACK_COL_MAJOR, 'T', (int)cols, (int)rows, (int)q, full, (int)cols, b, (int)most, work, (lapack_int)need);
    leave(before);
    if (info) status = lapack_failed(ctx, "the ridge regression", info);
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
    double *columns = doubles(ctx, m * m), *tau = doubles(ctx, n), *work = NULL, need_qr = 0, need_q = 0;
    if (!columns || !tau) {
        status = NIGH_MEMORY;
        goto done;
    }
    transpose(m, n, a, columns);
    lapack_int info = LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, (int)m, (int)n, columns, (int)m, tau, &need_qr, -1);
    if (!info) info = LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, (int)m, (int)m, (int)n, columns, (int)m, tau, &need_q, -1);
    double need = need_qr > need_q ? need_qr : need_q;
    if (!info && !(work = doubles(ctx, (int64_t)need))) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = enter(ctx, 4.0 * (double)m * (double)m * (double)n);
    if (!info) info = LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, (int)m, (int)n, columns, (int)m, tau, work, (lapack_int)need);
    if (!info) info = LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, (int)m, (int)m, (int)n, columns, (int)m, tau, work, (lapack_int)need);
    leave(before);
    if (info)
        status = lapack_failed(ctx, "the QR factorisation", info);
    else
        transpose(m, m, columns, q);
done:
    nigh_free(ctx, work);
    nigh_free(ctx, tau);
    nigh_free(ctx, columns);
    return status;
}
