/* Directions taken out of an iteration (nigh/multigrid.h). */
#include "nigh/multigrid.h"

#include <math.h>
#include <string.h>

struct nigh_deflation {
    nigh_context *ctx;
    int64_t n, k;
    double *w, *aw; /* [k, n]: the directions and A times them */
    double *factor; /* [k, k]: lower triangle L of W^T A W = L L^T */
};

static double dot(int64_t n, const double *a, const double *b)
{
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int j = 0; j < 4; j++) sum[j] += a[i + j] * b[i + j];
    for (; i < n; i++) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* L L^T of the symmetric matrix in place; false when it is not positive definite but for rounding. */
static bool factorise(int64_t k, double *a)
{
    for (int64_t j = 0; j < k; j++) {
        const double first = a[j * k + j];
        for (int64_t i = j; i < k; i++) {
            double value = a[i * k + j] - dot(j, a + i * k, a + j * k);
            if (i == j) {
                if (!(value > 1e-14 * first) || !isfinite(value)) return false;
                a[j * k + j] = sqrt(value);
            } else
                a[i * k + j] = value / a[j * k + j];
        }
    }
    return true;
}

void nigh_deflation_free(nigh_deflation *d)
{
    if (!d) return;
    nigh_free(d->ctx, d->w);
    nigh_free(d->ctx, d->aw);
    nigh_free(d->ctx, d->factor);
    nigh_free(d->ctx, d);
}

nigh_status nigh_deflation_new(nigh_context *ctx, const nigh_operator *a, int64_t k, const double *vectors, nigh_deflation **out)
{
    if (a->dtype != NIGH_F64) return nigh_fail(ctx, NIGH_UNSUPPORTED, "deflation: the operator is of %s; f64 is known", nigh_dtype_name(a->dtype));
    if (a->rows != a->cols) return nigh_fail(ctx, NIGH_INVALID, "deflation: the operator is %lld x %lld; a square one is allowed", (long long)a->rows, (long long)a->cols);
    if (k < 1 || k > 1000 || k > a->rows)
        return nigh_fail(ctx, NIGH_INVALID, "deflation: k is %lld; 1 to %lld is allowed", (long long)k, (long long)(a->rows < 1000 ? a->rows : 1000));
    nigh_status status = NIGH_MEMORY;
    nigh_deflation *d = nigh_alloc_zero(ctx, 1, sizeof *d);
    if (!d) return NIGH_MEMORY;
    d->ctx = ctx, d->n = a->rows, d->k = k;
    d->w = nigh_alloc_zero(ctx, (size_t)(k * d->n), sizeof(double));
    d->aw = d->w ? nigh_alloc_zero(ctx, (size_t)(k * d->n), sizeof(double)) : NULL;
    d->factor = d->aw ? nigh_alloc_zero(ctx, (size_t)(k * k), sizeof(double)) : NULL;
    if (!d->factor) goto failed;
    memcpy(d->w, vectors, (size_t)(k * d->n) * sizeof(double));
    for (int64_t i = 0; i < k; i++) {
        status = nigh_poll(ctx);
        if (status == NIGH_OK) status = a->apply(a->user, d->w + i * d->n, d->aw + i * d->n);
        if (status != NIGH_OK) goto failed;
    }
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j <= i; j++) d->factor[i * k + j] = dot(d->n, d->w + i * d->n, d->aw + j * d->n);
    if (!factorise(k, d->factor)) {
        status = nigh_fail(ctx, NIGH_INVALID, "deflation: W^T A W of %lld vectors is not positive definite; linearly independent vectors and a positive definite operator are needed", (long long)k);
        goto failed;
    }
    *out = d;
    return NIGH_OK;
failed:
    nigh_deflation_free(d);
    return status;
}

/* work = (W^T A W)^-1 V r for V = W^T or (A W)^T, [k, n] */
static void coefficients(const nigh_deflation *d, const double *v, const double *r, double *work)
{
    const int64_t k = d->k;
    for (int64_t i = 0; i < k; i++) work[i] = (dot(d->n, v + i * d->n, r) - dot(i, d->factor + i * k, work)) / d->factor[i * k + i];
    for (int64_t i = k - 1; i >= 0; i--) {
        double value = work[i];
        for (int64_t j = i + 1; j < k; j++) value -= d->factor[j * k + i] * work[j];
        work[i] = value / d->factor[i * k + i];
    }
}

static void add(int64_t n, double factor, const double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

void nigh_deflation_correct(const nigh_deflation *d, const double *r, double *x, double *work)
{
    coefficients(d, d->w, r, work);
    for (int64_t i = 0; i < d->k; i++) add(d->n, work[i], d->w + i * d->n, x);
}

void nigh_deflation_project(const nigh_deflation *d, double *r, double *work)
{
    coefficients(d, d->w, r, work);
    for (int64_t i = 0; i < d->k; i++) add(d->n, -work[i], d->aw + i * d->n, r);
}

/* y -= W (W^T A W)^-1 (A W)^T y, the transpose of the projection. */
static void project_transposed(const nigh_deflation *d, double *y, double *work)
{
    coefficients(d, d->aw, y, work);
    for (int64_t i = 0; i < d->k; i++) add(d->n, -work[i], d->w + i * d->n, y);
}

nigh_status nigh_deflation_precondition(const nigh_deflation *d, const nigh_operator *m, const double *x, double *y, double *work)
{
    double *r = work, *image = work + d->n, *some = work + 2 * d->n;
    memcpy(r, x, (size_t)d->n * sizeof *r);
    nigh_deflation_project(d, r, some);
    if (m) {
        nigh_status status = m->apply(m->user, r, image);
        if (status != NIGH_OK) return status;
    } else
        memcpy(image, r, (size_t)d->n * sizeof *r);
    project_transposed(d, image, some);
    nigh_deflation_correct(d, x, image, some);
    memcpy(y, image, (size_t)d->n * sizeof *r);
    return NIGH_OK;
}
