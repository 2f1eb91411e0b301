/* Cholesky, QR and LU factorisations, and least squares; see nigh/linalg.h. */
#include "tensor/dense.h"

#include <complex.h>
#include <math.h>
#include <string.h>

/* ---- Cholesky ---- */

#define T float
#define R float
#define NAME(x) x##_f32
#define CONJ(z) (z)
#define REAL(z) (z)
#define SIZE2(z) ((z) * (z))
#define ROOT sqrtf
#include "tensor/cholesky.inc"
#define T double
#define R double
#define NAME(x) x##_f64
#define CONJ(z) (z)
#define REAL(z) (z)
#define SIZE2(z) ((z) * (z))
#define ROOT sqrt
#include "tensor/cholesky.inc"
#define T float _Complex
#define R float
#define NAME(x) x##_c64
#define CONJ conjf
#define REAL crealf
#define SIZE2(z) (crealf(z) * crealf(z) + cimagf(z) * cimagf(z))
#define ROOT sqrtf
#include "tensor/cholesky.inc"
#define T double _Complex
#define R double
#define NAME(x) x##_c128
#define CONJ conj
#define REAL creal
#define SIZE2(z) (creal(z) * creal(z) + cimag(z) * cimag(z))
#define ROOT sqrt
#include "tensor/cholesky.inc"

static nigh_status not_definite(nigh_context *ctx, int64_t n, int64_t pivot)
{
    return nigh_fail(ctx, NIGH_INVALID, "the matrix of %lld x %lld is not positive definite: pivot %lld is not positive", (long long)n, (long long)n,
                     (long long)pivot);
}

static nigh_status check_factor(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, const void *l)
{
    nigh_status status = dense_check(ctx, dtype, "the Cholesky factor", n, n, stride, true, l);
    for (int64_t i = 0; i < n && !status; i++) {
        double z[2];
        dense_get(dtype, l, i * (stride + 1), z);
        if (!(z[0] > 0))
            status = nigh_fail(ctx, NIGH_INVALID, "the Cholesky factor of %lld x %lld has %g in place %lld of its diagonal; it must be positive", (long long)n,
                               (long long)n, z[0], (long long)i);
    }
    return status;
}

/* In columns the buffer holds conj(A); its upper triangle is the lower one of the rows, and its factor U^H U is L transposed. */
nigh_status nigh_cholesky_factor(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, const void *a, void *l)
{
    nigh_status status = dense_check(ctx, dtype, "the matrix", n, n, stride, true, a);
    if (status) return status;
    void *work = l == a ? l : dense_alloc(ctx, dtype, n * n);
    if (!work) return NIGH_MEMORY;
    int64_t ld = l == a ? stride : n;
    for (int64_t i = 0; i < n && l != a; i++) memcpy(dense_at(dtype, work, i * n), dense_at(dtype, a, i * stride), (size_t)(i + 1) * dense_size(dtype));
    int before = dense_enter(ctx, (double)n * (double)n * (double)n / 3), size = (int)n;
    lapack_int info = DENSE_ANY(dtype, potrf, 'U', size, work, (int)ld);
    dense_leave(before);
    if (info)
        status = not_definite(ctx, n, info - 1);
    else
        for (int64_t i = 0; i < n; i++) {
            memmove(dense_at(dtype, l, i * stride), dense_at(dtype, work, i * ld), (size_t)(i + 1) * dense_size(dtype));
            memset(dense_at(dtype, l, i * stride + i + 1), 0, (size_t)(n - i - 1) * dense_size(dtype));
        }
    if (work != l) nigh_free(ctx, work);
    return status;
}

/* X = L^-1 B or L^-H B, in place, q columns without gaps. */
static void triangle(nigh_dtype dtype, bool adjoint, int64_t n, int64_t stride, const void *l, int64_t q, void *x)
{
    CBLAS_TRANSPOSE op = adjoint ? CblasConjTrans : CblasNoTrans;
    int N = (int)n, Q = (int)q, ld = (int)stride;
    const double one[2] = {1, 0};
    const float onef[2] = {1, 0};
    if (dtype == NIGH_F32) cblas_strsm(CblasRowMajor, CblasLeft, CblasLower, op, CblasNonUnit, N, Q, 1, l, ld, x, Q);
    if (dtype == NIGH_F64) cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, op, CblasNonUnit, N, Q, 1, l, ld, x, Q);
    if (dtype == NIGH_C64) cblas_ctrsm(CblasRowMajor, CblasLeft, CblasLower, op, CblasNonUnit, N, Q, onef, l, ld, x, Q);
    if (dtype == NIGH_C128) cblas_ztrsm(CblasRowMajor, CblasLeft, CblasLower, op, CblasNonUnit, N, Q, one, l, ld, x, Q);
}

nigh_status nigh_cholesky_solve(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, const void *l, int64_t q, const void *b, void *x)
{
    nigh_status status = check_factor(ctx, dtype, n, stride, l);
    if (!status) status = dense_check(ctx, dtype, "the right-hand side", n, q, q, false, b);
    if (status) return status;
    memmove(x, b, (size_t)(n * q) * dense_size(dtype));
    int before = dense_enter(ctx, 2.0 * (double)n * (double)n * (double)q);
    triangle(dtype, false, n, stride, l, q, x);
    triangle(dtype, true, n, stride, l, q, x);
    dense_leave(before);
    return NIGH_OK;
}

double nigh_cholesky_log_det(nigh_dtype dtype, int64_t n, int64_t stride, const void *l)
{
    if (!dense_allowed(dtype) || n < 1 || stride < n) return NAN;
    double sum = 0, z[2];
    for (int64_t i = 0; i < n; i++) {
        dense_get(dtype, l, i * (stride + 1), z);
        sum += 2 * log(z[0]);
    }
    return sum;
}

nigh_status nigh_cholesky_update(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, void *l, const void *v, bool add)
{
    nigh_status status = check_factor(ctx, dtype, n, stride, l);
    if (!status) status = dense_check(ctx, dtype, "the vector of the up-date", 1, n, n, false, v);
    if (status) return status;
    void *sine = dense_alloc(ctx, dtype, n), *cosine = dense_alloc(ctx, dtype, n);
    if (!sine || !cosine)
        status = NIGH_MEMORY;
    else if (!(dtype == NIGH_F32   ? update_f32
               : dtype == NIGH_F64 ? update_f64
               : dtype == NIGH_C64 ? update_c64
                                   : update_c128)(n, stride, l, v, add, sine, cosine))
        status = nigh_fail(ctx, NIGH_INVALID, "the down-dated matrix of %lld x %lld is not positive definite", (long long)n, (long long)n);
    nigh_free(ctx, sine);
    nigh_free(ctx, cosine);
    return status;
}

/* The new row is (conj of L^-1 applied to the new column), that is L^-1 conj(row), conjugated; the pivot takes what is left. */
nigh_status nigh_cholesky_append(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t stride, void *l, const void *row)
{
    nigh_status status = n > 0 ? check_factor(ctx, dtype, n, stride, l) : NIGH_OK;
    if (!status && (n < 0 || stride <= n))
        status = nigh_fail(ctx, NIGH_INVALID, "row %lld appended to a factor with rows at distance %lld; more than %lld is allowed", (long long)n,
                           (long long)stride, (long long)n);
    if (!status) status = dense_check(ctx, dtype, "the appended row", 1, n + 1, n + 1, false, row);
    if (status) return status;
    void *x = dense_alloc(ctx, dtype, n);
    if (!x) return NIGH_MEMORY;
    memcpy(x, row, (size_t)n * dense_size(dtype));
    dense_conjugate(dtype, n, x);
    int before = dense_enter(ctx, 0);
    if (n > 0) triangle(dtype, false, n, stride, l, 1, x);
    double corner[2], used = n > 0 ? dense_norm(dtype, n, x, 1) : 0;
    dense_leave(before);
    dense_get(dtype, row, n, corner);
    double square = corner[0] - used * used;
    if (!(square > 0)) {
        status = not_definite(ctx, n + 1, n);
    } else {
        dense_conjugate(dtype, n, x);
        memcpy(dense_at(dtype, l, n * stride), x, (size_t)n * dense_size(dtype));
        dense_set(dtype, l, n * (stride + 1), sqrt(square), 0);
        for (int64_t i = 0; i < n; i++) dense_set(dtype, l, i * stride + n, 0, 0);
    }
    nigh_free(ctx, x);
    return status;
}

/* ---- QR ---- */

nigh_status nigh_qr_factor(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, const void *a, bool full, void *q, void *r)
{
    nigh_status status = dense_check(ctx, dtype, "the matrix", m, n, n, false, a);
    if (status) return status;
    int64_t k = m < n ? m : n, columns = full ? m : k;
    if ((status = dense_check_sizes(ctx, "Q", m, columns))) return status;
    if ((status = dense_qr(ctx, dtype, m, n, columns, a, q, r))) return status;
    for (int64_t j = 0; j < k; j++) {
        double z[2];
        dense_get(dtype, r, j * n + j, z);
        double size = hypot(z[0], z[1]);
        if (size == 0 || z[0] == size) continue;
        dense_scale(dtype, n, z[0] / size, -z[1] / size, dense_at(dtype, r, j * n), 1);
        dense_scale(dtype, m, z[0] / size, z[1] / size, dense_at(dtype, q, j), columns);
        dense_set(dtype, r, j * n + j, size, 0);
    }
    return NIGH_OK;
}

nigh_status nigh_qr_append(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, void *q, int64_t q_stride, void *r, int64_t r_stride, const void *v)
{
    nigh_status status = dense_check(ctx, dtype, "the appended column", m, 1, 1, false, v);
    if (!status && (n < 0 || n >= m || q_stride <= n || r_stride <= n))
        status = nigh_fail(ctx, NIGH_INVALID, "column %lld appended to Q of %lld rows, rows of Q and R at distance %lld and %lld; n < m and distances above n are "
                           "allowed", (long long)n, (long long)m, (long long)q_stride, (long long)r_stride);
    if (!status && n > 0) status = dense_check(ctx, dtype, "Q", m, n, q_stride, false, q);
    if (status) return status;
    void *w = dense_alloc(ctx, dtype, m), *sum = dense_alloc(ctx, dtype, n), *part = dense_alloc(ctx, dtype, n);
    if (!w || !sum || !part) {
        status = NIGH_MEMORY;
        goto done;
    }
    memcpy(w, v, (size_t)m * dense_size(dtype));
    memset(sum, 0, (size_t)n * dense_size(dtype));
    int before = dense_enter(ctx, 8.0 * (double)m * (double)n);
    double length = dense_norm(dtype, m, v, 1);
    for (int round = 0; round < 2 && n > 0; round++) {
        dense_gemm(dtype, 'C', 'N', n, 1, m, 1, q, q_stride, w, 1, 0, part, 1);
        dense_gemm(dtype, 'N', 'N', m, 1, n, -1, q, q_stride, part, 1, 1, w, 1);
        for (int64_t j = 0; j < n; j++) {
            double x[2], y[2];
            dense_get(dtype, sum, j, x), dense_get(dtype, part, j, y);
            dense_set(dtype, sum, j, x[0] + y[0], x[1] + y[1]);
        }
    }
    double rest = dense_norm(dtype, m, w, 1);
    dense_leave(before);
    if (!(rest > 16 * (double)m * dense_eps(dtype) * length)) {
        status = nigh_fail(ctx, NIGH_INVALID, "the appended column of %lld rows lies in the span of the %lld columns before it (%g of its length %g is left)",
                           (long long)m, (long long)n, rest, length);
        goto done;
    }
    dense_scale(dtype, m, 1 / rest, 0, w, 1);
    dense_copy(dtype, m, 1, w, 1, dense_at(dtype, q, n), q_stride);
    if (n > 0) dense_copy(dtype, n, 1, sum, 1, dense_at(dtype, r, n), r_stride);
    for (int64_t j = 0; j < n; j++) dense_set(dtype, r, n * r_stride + j, 0, 0);
    dense_set(dtype, r, n * (r_stride + 1), rest, 0);
done:
    nigh_free(ctx, part);
    nigh_free(ctx, sum);
    nigh_free(ctx, w);
    return status;
}

/* ---- LU: of A^T, which the rows are in columns ---- */

static double largest_row_sum(nigh_dtype dtype, int64_t n, const void *a)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, z[2];
        for (int64_t j = 0; j < n; j++) {
            dense_get(dtype, a, i * n + j, z);
            sum += hypot(z[0], z[1]);
        }
        most = fmax(most, sum);
    }
    return most;
}

static nigh_status condition(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *lu, double norm, double *rcond)
{
    void *work = dense_alloc(ctx, dtype, 4 * n), *rwork = dense_doubles(ctx, 2 * n);
    lapack_int *ints = nigh_alloc_zero(ctx, (size_t)n, sizeof *ints), info = 0;
    nigh_status status = work && rwork && ints ? NIGH_OK : NIGH_MEMORY;
    dense_scalar found = {{0, 0}};
    void *out = &found, *matrix = dense_at(dtype, lu, 0);
    int size = (int)n;
    if (!status && dense_complex(dtype)) info = DENSE_COMPLEX(dtype, gecon, '1', size, matrix, size, norm, out, work, rwork);
    if (!status && !dense_complex(dtype)) info = DENSE_REAL(dtype, gecon, '1', size, matrix, size, norm, out, work, ints);
    if (!status && info) status = dense_failed(ctx, "the condition estimate", n, n, info);
    if (!status) *rcond = dense_single(dtype) ? (double)found.f[0] : found.d[0];
    nigh_free(ctx, ints);
    nigh_free(ctx, rwork);
    nigh_free(ctx, work);
    return status;
}

nigh_status nigh_lu_factor(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *a, void *lu, int32_t *pivot, double *rcond)
{
    nigh_status status = dense_check(ctx, dtype, "the matrix", n, n, n, false, a);
    if (status) return status;
    void *work = dense_alloc(ctx, dtype, n * n);
    lapack_int *order = nigh_alloc_zero(ctx, (size_t)n, sizeof *order), size = (int)n;
    double norm = rcond ? largest_row_sum(dtype, n, a) : 0, found = 0;
    if (!work || !order) {
        status = NIGH_MEMORY;
        goto done;
    }
    memcpy(work, a, (size_t)(n * n) * dense_size(dtype));
    int before = dense_enter(ctx, 2.0 / 3 * (double)n * (double)n * (double)n);
    lapack_int info = DENSE_ANY(dtype, getrf, size, size, work, size, order);
    if (!info && rcond) status = condition(ctx, dtype, n, work, norm, &found);
    dense_leave(before);
    if (info)
        status = nigh_fail(ctx, NIGH_INVALID, "the matrix of %lld x %lld is singular: pivot %d is 0", (long long)n, (long long)n, (int)info - 1);
    if (status) goto done;
    memcpy(lu, work, (size_t)(n * n) * dense_size(dtype));
    for (int64_t i = 0; i < n; i++) pivot[i] = order[i];
    if (rcond) *rcond = found;
done:
    nigh_free(ctx, order);
    nigh_free(ctx, work);
    return status;
}

nigh_status nigh_lu_solve(nigh_context *ctx, nigh_dtype dtype, int64_t n, const void *lu, const int32_t *pivot, int64_t q, const void *b, void *x)
{
    nigh_status status = dense_check(ctx, dtype, "the factors", n, n, n, false, lu);
    if (!status) status = dense_check(ctx, dtype, "the right-hand side", n, q, q, false, b);
    for (int64_t i = 0; i < n && !status; i++)
        if (pivot[i] <= i || pivot[i] > n)
            status = nigh_fail(ctx, NIGH_INVALID, "pivot %lld of the factors of %lld x %lld is %d; it is not from nigh_lu_factor", (long long)i, (long long)n,
                               (long long)n, pivot[i]);
    if (status) return status;
    void *columns = dense_alloc(ctx, dtype, n * q);
    lapack_int *order = nigh_alloc_zero(ctx, (size_t)n, sizeof *order), size = (int)n, sides = (int)q, info = 0;
    if (!columns || !order) {
        status = NIGH_MEMORY;
        goto done;
    }
    for (int64_t i = 0; i < n; i++) order[i] = pivot[i];
    dense_transpose(dtype, n, q, b, q, columns, n);
    void *factors = dense_at(dtype, lu, 0);
    int before = dense_enter(ctx, 2.0 * (double)n * (double)n * (double)q);
    info = DENSE_ANY(dtype, getrs, 'T', size, sides, factors, size, order, columns, size);
    dense_leave(before);
    if (info)
        status = dense_failed(ctx, "the solution", n, q, info);
    else
        dense_transpose(dtype, q, n, columns, n, x, q);
done:
    nigh_free(ctx, order);
    nigh_free(ctx, columns);
    return status;
}

double nigh_lu_log_det(nigh_dtype dtype, int64_t n, const void *lu, const int32_t *pivot, double *phase)
{
    if (!dense_allowed(dtype) || n < 1) return NAN;
    double _Complex turn = 1;
    double sum = 0, z[2];
    for (int64_t i = 0; i < n; i++) {
        dense_get(dtype, lu, i * (n + 1), z);
        double size = hypot(z[0], z[1]);
        sum += log(size);
        turn *= z[0] / size + z[1] / size * I;
        if (pivot[i] != i + 1) turn = -turn;
    }
    if (phase) phase[0] = creal(turn), phase[1] = cimag(turn);
    return sum;
}

/* ---- least squares ---- */

static lapack_int least(nigh_dtype dtype, int m, int n, int q, void *a, void *b, int ldb, lapack_int *pivot, double rcond, lapack_int *rank, void *work,
                        lapack_int lwork, void *rwork)
{
    return dense_complex(dtype) ? DENSE_COMPLEX(dtype, gelsy, m, n, q, a, m, b, ldb, pivot, rcond, rank, work, lwork, rwork)
                                : DENSE_REAL(dtype, gelsy, m, n, q, a, m, b, ldb, pivot, rcond, rank, work, lwork);
}

nigh_status nigh_least_squares(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, int64_t q, const void *a, const void *b, double rcond, void *x,
                               int64_t *rank)
{
    nigh_status status = dense_check(ctx, dtype, "the matrix", m, n, n, false, a);
    if (!status) status = dense_check(ctx, dtype, "the right-hand side", m, q, q, false, b);
    if (!status && !(rcond >= 0 && rcond < 1)) status = nigh_fail(ctx, NIGH_INVALID, "rcond is %g; 0 <= rcond < 1 is allowed", rcond);
    if (status) return status;
    int64_t tall = m > n ? m : n;
    void *at = dense_alloc(ctx, dtype, m * n), *bt = dense_alloc(ctx, dtype, tall * q), *work = NULL, *rwork = dense_doubles(ctx, 2 * n);
    lapack_int *pivot = nigh_alloc_zero(ctx, (size_t)n, sizeof *pivot), found = 0, info;
    dense_scalar need;
    if (!at || !bt || !rwork || !pivot) {
        status = NIGH_MEMORY;
        goto done;
    }
    dense_transpose(dtype, m, n, a, n, at, m);
    memset(bt, 0, (size_t)(tall * q) * dense_size(dtype));
    dense_transpose(dtype, m, q, b, q, bt, tall);
    info = least(dtype, (int)m, (int)n, (int)q, at, bt, (int)tall, pivot, rcond, &found, &need, -1, rwork);
    if (!info && !(work = dense_alloc(ctx, dtype, dense_need(dtype, &need)))) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = dense_enter(ctx, 4.0 * (double)m * (double)n * (double)(m < n ? m : n));
    if (!info) info = least(dtype, (int)m, (int)n, (int)q, at, bt, (int)tall, pivot, rcond, &found, work, dense_need(dtype, &need), rwork);
    dense_leave(before);
    if (info) {
        status = dense_failed(ctx, "least squares", m, n, info);
        goto done;
    }
    dense_transpose(dtype, q, n, bt, tall, x, q);
    if (rank) *rank = found;
done:
    nigh_free(ctx, work);
    nigh_free(ctx, pivot);
    nigh_free(ctx, rwork);
    nigh_free(ctx, bt);
    nigh_free(ctx, at);
    return status;
}
