/* What the dense factorisations share; see dense.h. */
#include "tensor/dense.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#if defined(_OPENMP)
#include <omp.h>
#endif

int dense_enter(nigh_context *ctx, double flops)
{
#if defined(_OPENMP)
    int before = omp_get_max_threads();
    omp_set_num_threads(flops < 4e9 ? 1 : nigh_context_threads(ctx));
    return before;
#else
    return (void)ctx, (void)flops, 0;
#endif
}

void dense_leave(int before)
{
#if defined(_OPENMP)
    omp_set_num_threads(before);
#else
    (void)before;
#endif
}

nigh_status dense_check_sizes(nigh_context *ctx, const char *what, int64_t m, int64_t n)
{
    if (m < 1 || n < 1 || m > INT_MAX || n > INT_MAX || m * n > (int64_t)1 << 40)
        return nigh_fail(ctx, NIGH_INVALID, "%s of %lld x %lld; 1 to %d rows and columns are allowed", what, (long long)m, (long long)n, INT_MAX);
    return NIGH_OK;
}

nigh_status dense_check_dtype(nigh_context *ctx, nigh_dtype dtype)
{
    if (dense_allowed(dtype)) return NIGH_OK;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "linear algebra in %s; f32, f64, c64 and c128 are allowed", nigh_dtype_name(dtype));
}

/* True when all of count numbers are finite: x * 0 is 0 or NaN. */
static bool all_finite(nigh_dtype dtype, int64_t count, const void *a)
{
    if (dense_single(dtype)) {
        const float *f = a;
        float sum = 0;
        for (int64_t i = 0; i < count; i++) sum += f[i] * 0.0f;
        return sum == 0;
    }
    const double *d = a;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += d[i] * 0.0;
    return sum == 0;
}

nigh_status dense_check(nigh_context *ctx, nigh_dtype dtype, const char *what, int64_t m, int64_t n, int64_t stride, bool lower, const void *a)
{
    nigh_status status = dense_check_dtype(ctx, dtype);
    if (!status) status = dense_check_sizes(ctx, what, m, n);
    if (status) return status;
    if (stride < n || stride > INT_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "%s of %lld x %lld has rows at distance %lld; at least %lld is allowed", what, (long long)m, (long long)n,
                         (long long)stride, (long long)n);
    int parts = dense_complex(dtype) ? 2 : 1;
    for (int64_t i = 0; i < m; i++) {
        const void *row = dense_at(dtype, a, i * stride);
        int64_t columns = lower && i + 1 < n ? i + 1 : n;
        if (all_finite(dtype, parts * columns, row)) continue;
        for (int64_t j = 0; j < columns; j++) {
            double z[2];
            dense_get(dtype, row, j, z);
            if (!isfinite(z[0]) || !isfinite(z[1]))
                return nigh_fail(ctx, NIGH_INVALID, "%s of %lld x %lld has %g in row %lld, column %lld; all entries must be finite", what, (long long)m,
                                 (long long)n, isfinite(z[0]) ? z[1] : z[0], (long long)i, (long long)j);
        }
    }
    return NIGH_OK;
}

void *dense_alloc(nigh_context *ctx, nigh_dtype dtype, int64_t count)
{
    return nigh_alloc(ctx, count < 0 || count > (int64_t)1 << 48 ? SIZE_MAX : (size_t)(count ? count : 1) * dense_size(dtype));
}

double *dense_doubles(nigh_context *ctx, int64_t count) { return dense_alloc(ctx, NIGH_F64, count); }

#define TRANSPOSE(T)                                                                                                                                 \
    for (int64_t i0 = 0; i0 < m; i0 += TILE)                                                                                                         \
        for (int64_t j0 = 0; j0 < n; j0 += TILE)                                                                                                     \
            for (int64_t i = i0; i < m && i < i0 + TILE; i++)                                                                                        \
                for (int64_t j = j0; j < n && j < j0 + TILE; j++) ((T *)at)[j * ldt + i] = ((const T *)a)[i * lda + j]

void dense_transpose(nigh_dtype dtype, int64_t m, int64_t n, const void *a, int64_t lda, void *at, int64_t ldt)
{
    enum { TILE = 32 };
    typedef struct pair {
        double part[2];
    } pair;
    switch (dense_size(dtype)) {
    case 4: TRANSPOSE(float); break;
    case 8: TRANSPOSE(double); break;
    default: TRANSPOSE(pair); break;
    }
}

void dense_copy(nigh_dtype dtype, int64_t m, int64_t n, const void *a, int64_t lda, void *b, int64_t ldb)
{
    if (lda == n && ldb == n) {
        memmove(b, a, (size_t)(m * n) * dense_size(dtype));
        return;
    }
    for (int64_t i = 0; i < m; i++) memmove(dense_at(dtype, b, i * ldb), dense_at(dtype, a, i * lda), (size_t)n * dense_size(dtype));
}

void dense_get(nigh_dtype dtype, const void *a, int64_t i, double out[2])
{
    int64_t at = dense_complex(dtype) ? 2 * i : i;
    out[0] = dense_single(dtype) ? (double)((const float *)a)[at] : ((const double *)a)[at];
    out[1] = !dense_complex(dtype) ? 0 : dense_single(dtype) ? (double)((const float *)a)[at + 1] : ((const double *)a)[at + 1];
}

void dense_set(nigh_dtype dtype, void *a, int64_t i, double re, double im)
{
    int64_t at = dense_complex(dtype) ? 2 * i : i;
    if (dense_single(dtype)) {
        ((float *)a)[at] = (float)re;
        if (dense_complex(dtype)) ((float *)a)[at + 1] = (float)im;
    } else {
        ((double *)a)[at] = re;
        if (dense_complex(dtype)) ((double *)a)[at + 1] = im;
    }
}

void dense_conjugate(nigh_dtype dtype, int64_t count, void *a)
{
    if (dtype == NIGH_C64)
        for (int64_t i = 0; i < count; i++) ((float *)a)[2 * i + 1] = -((float *)a)[2 * i + 1];
    if (dtype == NIGH_C128)
        for (int64_t i = 0; i < count; i++) ((double *)a)[2 * i + 1] = -((double *)a)[2 * i + 1];
}

void dense_mirror(nigh_dtype dtype, int64_t n, void *a)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double z[2];
            dense_get(dtype, a, i * n + j, z);
            dense_set(dtype, a, j * n + i, z[0], i == j ? 0 : -z[1]);
        }
}

void dense_scale(nigh_dtype dtype, int64_t count, double re, double im, void *a, int64_t step)
{
    const double z[2] = {re, im};
    const float f[2] = {(float)re, (float)im};
    if (dtype == NIGH_F32) cblas_sscal((int)count, f[0], a, (int)step);
    if (dtype == NIGH_F64) cblas_dscal((int)count, re, a, (int)step);
    if (dtype == NIGH_C64) cblas_cscal((int)count, f, a, (int)step);
    if (dtype == NIGH_C128) cblas_zscal((int)count, z, a, (int)step);
}

double dense_norm(nigh_dtype dtype, int64_t count, const void *a, int64_t step)
{
    if (dtype == NIGH_F32) return cblas_snrm2((int)count, a, (int)step);
    if (dtype == NIGH_F64) return cblas_dnrm2((int)count, a, (int)step);
    if (dtype == NIGH_C64) return cblas_scnrm2((int)count, a, (int)step);
    return cblas_dznrm2((int)count, a, (int)step);
}

void dense_phase(nigh_dtype dtype, int64_t count, const void *a, int64_t step, double out[2])
{
    double most = 0, z[2];
    for (int64_t i = 0; i < count; i++) {
        dense_get(dtype, a, i * step, z);
        most = fmax(most, hypot(z[0], z[1]));
    }
    out[0] = 1, out[1] = 0;
    for (int64_t i = 0; i < count && most > 0; i++) {
        dense_get(dtype, a, i * step, z);
        double size = hypot(z[0], z[1]);
        if (size < 0.999 * most) continue;
        out[0] = z[0] / size, out[1] = -z[1] / size;
        return;
    }
}

void dense_gemm(nigh_dtype dtype, char opa, char opb, int64_t m, int64_t n, int64_t k, double alpha, const void *a, int64_t lda, const void *b, int64_t ldb,
                double beta, void *c, int64_t ldc)
{
    CBLAS_TRANSPOSE ta = opa == 'C' ? CblasConjTrans : CblasNoTrans, tb = opb == 'C' ? CblasConjTrans : CblasNoTrans;
    const double az[2] = {alpha, 0}, bz[2] = {beta, 0};
    const float ac[2] = {(float)alpha, 0}, bc[2] = {(float)beta, 0};
    int M = (int)m, N = (int)n, K = (int)k, la = (int)lda, lb = (int)ldb, lc = (int)ldc;
    if (dtype == NIGH_F32) cblas_sgemm(CblasRowMajor, ta, tb, M, N, K, ac[0], a, la, b, lb, bc[0], c, lc);
    if (dtype == NIGH_F64) cblas_dgemm(CblasRowMajor, ta, tb, M, N, K, alpha, a, la, b, lb, beta, c, lc);
    if (dtype == NIGH_C64) cblas_cgemm(CblasRowMajor, ta, tb, M, N, K, ac, a, la, b, lb, bc, c, lc);
    if (dtype == NIGH_C128) cblas_zgemm(CblasRowMajor, ta, tb, M, N, K, az, a, la, b, lb, bz, c, lc);
}

nigh_status dense_failed(nigh_context *ctx, const char *what, int64_t m, int64_t n, int64_t info)
{
    return nigh_fail(ctx, info < 0 ? NIGH_INTERNAL : NIGH_INVALID, "%s of %lld x %lld did not converge (LAPACK info %lld)", what, (long long)m, (long long)n,
                     (long long)info);
}

/* n values of LAPACK in the type's precision, in place of the doubles they become. */
static void widen(nigh_dtype dtype, int64_t n, double *value)
{
    for (int64_t i = n - 1; i >= 0 && dense_single(dtype); i--) {
        float f;
        memcpy(&f, (char *)value + (size_t)i * sizeof f, sizeof f);
        value[i] = f;
    }
}

nigh_status dense_eigen(nigh_context *ctx, nigh_dtype dtype, int64_t n, bool vectors, void *a, double *value)
{
    char job = vectors ? 'V' : 'N';
    int size = (int)n;
    dense_scalar need, real_need = {{1, 0}};
    nigh_dtype real = dense_single(dtype) ? NIGH_F32 : NIGH_F64;
    lapack_int integers = 1, info;
    void *w = value, *query = &need, *real_query = &real_need, *work = NULL, *rwork = NULL;
    lapack_int *ints = NULL;
    nigh_status status = NIGH_OK;
    if (dense_complex(dtype))
        info = DENSE_COMPLEX(dtype, heevd, job, 'U', size, a, size, w, query, -1, real_query, -1, &integers, -1);
    else
        info = DENSE_REAL(dtype, syevd, job, 'U', size, a, size, w, query, -1, &integers, -1);
    if (info) return dense_failed(ctx, "the eigenvalue problem", n, n, info);
    lapack_int lwork = dense_need(dtype, &need), lrwork = dense_complex(dtype) ? dense_need(real, &real_need) : 1;
    work = dense_alloc(ctx, dtype, lwork);
    rwork = dense_alloc(ctx, real, lrwork);
    ints = nigh_alloc_zero(ctx, (size_t)integers, sizeof *ints);
    if (!work || !rwork || !ints) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = dense_enter(ctx, 9.0 * (double)n * (double)n * (double)n);
    if (dense_complex(dtype))
        info = DENSE_COMPLEX(dtype, heevd, job, 'U', size, a, size, w, work, lwork, rwork, lrwork, ints, integers);
    else
        info = DENSE_REAL(dtype, syevd, job, 'U', size, a, size, w, work, lwork, ints, integers);
    dense_leave(before);
    if (info)
        status = dense_failed(ctx, "the eigenvalue problem", n, n, info);
    else
        widen(dtype, n, value);
done:
    nigh_free(ctx, ints);
    nigh_free(ctx, rwork);
    nigh_free(ctx, work);
    return status;
}

/* In columns, a is A^T (n x m) = conj(V) S U^T: LAPACK's left vectors, column by column, are our V^H row by row. */
nigh_status dense_svd(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, void *a, void *u, double *s, void *vh)
{
    int64_t k = m < n ? m : n, most = m < n ? n : m;
    int M = (int)m, N = (int)n, K = (int)k;
    dense_scalar need;
    nigh_dtype real = dense_single(dtype) ? NIGH_F32 : NIGH_F64;
    void *w = s, *query = &need, *work = NULL, *rwork = NULL;
    lapack_int *ints = NULL, info;
    nigh_status status = NIGH_OK;
    if (dense_complex(dtype))
        info = DENSE_COMPLEX(dtype, gesdd, 'S', N, M, a, N, w, vh, N, u, K, query, -1, NULL, NULL);
    else
        info = DENSE_REAL(dtype, gesdd, 'S', N, M, a, N, w, vh, N, u, K, query, -1, NULL);
    if (info) return dense_failed(ctx, "the singular value problem", m, n, info);
    lapack_int lwork = dense_need(dtype, &need);
    work = dense_alloc(ctx, dtype, lwork);
    rwork = dense_alloc(ctx, real, dense_complex(dtype) ? k * (5 * k + 7 > 2 * most + 2 * k + 1 ? 5 * k + 7 : 2 * most + 2 * k + 1) : 1);
    ints = nigh_alloc_zero(ctx, 8 * (size_t)k, sizeof *ints);
    if (!work || !rwork || !ints) {
        status = NIGH_MEMORY;
        goto done;
    }
    int before = dense_enter(ctx, 14.0 * (double)m * (double)n * (double)k);
    if (dense_complex(dtype))
        info = DENSE_COMPLEX(dtype, gesdd, 'S', N, M, a, N, w, vh, N, u, K, work, lwork, rwork, ints);
    else
        info = DENSE_REAL(dtype, gesdd, 'S', N, M, a, N, w, vh, N, u, K, work, lwork, ints);
    dense_leave(before);
    if (info)
        status = dense_failed(ctx, "the singular value problem", m, n, info);
    else
        widen(dtype, k, s);
done:
    nigh_free(ctx, ints);
    nigh_free(ctx, rwork);
    nigh_free(ctx, work);
    return status;
}

static lapack_int reflect(nigh_dtype dtype, int m, int n, void *a, void *tau, void *work, lapack_int lwork)
{
    return DENSE_ANY(dtype, geqrf, m, n, a, m, tau, work, lwork);
}

static lapack_int expand(nigh_dtype dtype, int m, int columns, int k, void *a, void *tau, void *work, lapack_int lwork)
{
    return dense_complex(dtype) ? DENSE_COMPLEX(dtype, ungqr, m, columns, k, a, m, tau, work, lwork)
                                : DENSE_REAL(dtype, orgqr, m, columns, k, a, m, tau, work, lwork);
}

nigh_status dense_qr(nigh_context *ctx, nigh_dtype dtype, int64_t m, int64_t n, int64_t columns, const void *a, void *q, void *r)
{
    int64_t k = m < n ? m : n;
    void *work = NULL, *tau = dense_alloc(ctx, dtype, k), *cols = dense_alloc(ctx, dtype, m * (n > columns ? n : columns));
    nigh_status status = tau && cols ? NIGH_OK : NIGH_MEMORY;
    dense_scalar need[2];
    lapack_int info = 0, lwork = 0;
    if (status) goto done;
    info = reflect(dtype, (int)m, (int)n, cols, tau, &need[0], -1);
    if (!info) info = expand(dtype, (int)m, (int)columns, (int)k, cols, tau, &need[1], -1);
    for (int i = 0; i < 2 && !info; i++) lwork = dense_need(dtype, &need[i]) > lwork ? dense_need(dtype, &need[i]) : lwork;
    if (!(work = dense_alloc(ctx, dtype, lwork))) {
        status = NIGH_MEMORY;
        goto done;
    }
    dense_transpose(dtype, m, n, a, n, cols, m);
    int before = dense_enter(ctx, 4.0 * (double)m * (double)columns * (double)n);
    if (!info) info = reflect(dtype, (int)m, (int)n, cols, tau, work, lwork);
    if (!info && r) {
        memset(r, 0, (size_t)(columns * n) * dense_size(dtype));
        for (int64_t j = 0; j < n; j++)
            dense_transpose(dtype, 1, j < k ? j + 1 : k, dense_at(dtype, cols, j * m), 1, dense_at(dtype, r, j), n);
    }
    if (!info) info = expand(dtype, (int)m, (int)columns, (int)k, cols, tau, work, lwork);
    dense_leave(before);
    if (info)
        status = dense_failed(ctx, "the QR factorisation", m, n, info);
    else
        dense_transpose(dtype, columns, m, cols, m, q, columns);
done:
    nigh_free(ctx, work);
    nigh_free(ctx, tau);
    nigh_free(ctx, cols);
    return status;
}
