/* Random orthogonal and symmetric matrices. Declared in nigh/synthetic.h. */
#include "nigh/synthetic.h"

#include <math.h>

static nigh_status check_order(nigh_context *ctx, int64_t n)
{
    if (n >= 0 && n <= 1 << 20) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "n is %lld; 0 to 2^20 are allowed", (long long)n);
}

/* rows [from, n) of all n columns of q become (I - 2 v v^T / v^T v) times them; v [n] is used from `from` on. */
static void reflect(int64_t n, int64_t from, const double *v, double factor, double *q, double *sum)
{
    for (int64_t j = 0; j < n; j++) sum[j] = 0;
    for (int64_t i = from; i < n; i++)
        for (int64_t j = 0; j < n; j++) sum[j] = fma(v[i], q[i * n + j], sum[j]);
    for (int64_t i = from; i < n; i++)
        for (int64_t j = 0; j < n; j++) q[i * n + j] = fma(-factor * v[i], sum[j], q[i * n + j]);
}

/*
 * Stewart's form of the method: column k of a normal matrix, seen by the reflections before it, is again normal, so the vector of each
 * reflection is drawn by itself: Q = H_1 D_1 ... built from the last (length 1) to the first (length n).
 */
nigh_status nigh_synthetic_orthogonal(nigh_context *ctx, nigh_rng *rng, int64_t n, double *q)
{
    nigh_status status = check_order(ctx, n);
    if (status) return status;
    double *v = nigh_alloc_zero(ctx, 2 * (size_t)n, sizeof *v);
    if (!v) return NIGH_MEMORY;
    for (int64_t i = 0; i < n * n; i++) q[i] = i % (n + 1) == 0;
    for (int64_t k = n - 1; k >= 0; k--) {
        nigh_rng_fill_normal(rng, n - k, v + k);
        double norm = 0;
        for (int64_t i = k; i < n; i++) norm = fma(v[i], v[i], norm);
        norm = sqrt(norm);
        if (norm == 0) continue;
        /* the reflection takes v to -sign |v| e_k; with the sign given to row k it takes e_k to v / |v| */
        double sign = v[k] < 0 ? -1 : 1;
        v[k] += sign * norm;
        double length = 2 * norm * fabs(v[k]);
        for (int64_t j = 0; j < n; j++) q[k * n + j] *= -sign;
        reflect(n, k, v, 2 / length, q, v + n);
    }
    nigh_free(ctx, v);
    return NIGH_OK;
}

nigh_status nigh_synthetic_spectrum(nigh_context *ctx, nigh_rng *rng, int64_t n, const double *eigenvalue, double *a, double *q)
{
    nigh_status status = check_order(ctx, n);
    if (status) return status;
    double *basis = q ? q : nigh_alloc_zero(ctx, (size_t)(n * n), sizeof *basis);
    if (!basis) return NIGH_MEMORY;
    status = nigh_synthetic_orthogonal(ctx, rng, n, basis);
    for (int64_t i = 0; i < n && !status; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++) sum = fma(basis[i * n + k] * eigenvalue[k], basis[j * n + k], sum);
            a[i * n + j] = a[j * n + i] = sum;
        }
    if (!q) nigh_free(ctx, basis);
    return status;
}

nigh_status nigh_synthetic_goe(nigh_context *ctx, nigh_rng *rng, int64_t n, double *a)
{
    nigh_status status = check_order(ctx, n);
    double sd = n > 0 ? sqrt(1 / (double)n) : 0;
    for (int64_t i = 0; i < n && !status; i++)
        for (int64_t j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = sd * (i == j ? sqrt(2.0) : 1) * nigh_rng_normal(rng);
    return status;
}
