/*
 * Weighted least squares by the singular values of sqrt(weight) phi: they give the fit, the eigenvalue that its guarantee rests on,
 * and the leverages for leave-one-out errors at once. Declared in nigh/design.h.
 */
#include "nigh/design.h"

#include "tensor/linalg.h"

#include <math.h>

static nigh_status check_weights(nigh_context *ctx, int64_t n, const double *weight)
{
    for (int64_t i = 0; i < n; i++)
        if (!(weight[i] > 0 && isfinite(weight[i])))
            return nigh_fail(ctx, NIGH_INVALID, "the weight of point %lld is %g; a finite number above 0 is needed", (long long)i, weight[i]);
    return NIGH_OK;
}

/* c = V S^-1 U^T b; inner[m,q] is scratch. */
static nigh_status solve(nigh_context *ctx, int64_t n, int64_t m, int64_t q, const double *u, const double *s, const double *vt, const double *b,
                         double *inner, double *c)
{
    nigh_status status = linalg_gemm(ctx, true, false, m, q, n, 1, u, b, 0, inner);
    for (int64_t i = 0; i < m * q && !status; i++) inner[i] /= s[i / q];
    return status ? status : linalg_gemm(ctx, true, false, m, q, m, 1, vt, inner, 0, c);
}

/* Residuals into b, which is destroyed. */
static nigh_status judge(nigh_context *ctx, int64_t n, int64_t m, int64_t q, const double *phi, const double *weight, const double *u, const double *s,
                         const double *y, const double *c, double *b, nigh_design_quality *quality)
{
    double sum = 0, left_out = 0;
    nigh_status status = linalg_gemm(ctx, false, false, n, q, m, 1, phi, c, 0, b);
    for (int64_t i = 0; i < n && !status; i++) {
        double lever = 0, square = 0;
        for (int64_t j = 0; j < m; j++) lever += u[i * m + j] * u[i * m + j];
        for (int64_t k = 0; k < q; k++) square += (y[i * q + k] - b[i * q + k]) * (y[i * q + k] - b[i * q + k]);
        sum += weight[i] * square;
        left_out += weight[i] * square / ((1 - lever) * (1 - lever));
    }
    double count = (double)(n * q);
    *quality = (nigh_design_quality){s[m - 1] * s[m - 1] / (double)n, sqrt(sum / count), n > m ? sqrt(left_out / count) : NAN};
    return status;
}

nigh_status nigh_weighted_least_squares(nigh_context *ctx, int64_t n, int64_t m, int64_t q, const double *phi, const double *weight, const double *y,
                                        double *coefficients, nigh_design_quality *quality)
{
    if (m < 1 || q < 1 || n < m)
        return nigh_fail(ctx, NIGH_INVALID, "%lld points for %lld functions and %lld outputs; at least as many points as functions are needed", (long long)n,
                         (long long)m, (long long)q);
    nigh_status status = linalg_check_finite(ctx, "the array of functions", n, m, phi);
    if (!status) status = linalg_check_finite(ctx, "the array of values", n, q, y);
    if (!status) status = check_weights(ctx, n, weight);
    if (status) return status;
    double *a = nigh_alloc(ctx, (size_t)(n * m) * sizeof *a), *u = nigh_alloc(ctx, (size_t)(n * m) * sizeof *u);
    double *s = nigh_alloc(ctx, (size_t)m * sizeof *s), *vt = nigh_alloc(ctx, (size_t)(m * m) * sizeof *vt);
    double *b = nigh_alloc(ctx, (size_t)(n * q) * sizeof *b), *inner = nigh_alloc(ctx, (size_t)(m * q) * sizeof *inner);
    status = a && u && s && vt && b && inner ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < n * m && !status; i++) a[i] = sqrt(weight[i / m]) * phi[i];
    for (int64_t i = 0; i < n * q && !status; i++) b[i] = sqrt(weight[i / q]) * y[i];
    if (!status) status = linalg_svd(ctx, n, m, a, u, s, vt);
    if (!status && !(s[m - 1] > 1e-12 * s[0]))
        status = nigh_fail(ctx, NIGH_INVALID, "the %lld functions depend linearly on each other at the %lld points (singular values %.3g to %.3g); other points are needed",
                           (long long)m, (long long)n, s[m - 1], s[0]);
    if (!status) status = solve(ctx, n, m, q, u, s, vt, b, inner, coefficients);
    if (!status && quality) status = judge(ctx, n, m, q, phi, weight, u, s, y, coefficients, b, quality);
    nigh_free(ctx, inner);
    nigh_free(ctx, b);
    nigh_free(ctx, vt);
    nigh_free(ctx, s);
    nigh_free(ctx, u);
    nigh_free(ctx, a);
    return status;
}

nigh_status nigh_design_fit(nigh_context *ctx, const nigh_design *design, int64_t q, const double *y, double *coefficients,
                            nigh_design_quality *quality)
{
    return nigh_weighted_least_squares(ctx, design->n, design->m, q, design->phi, design->weight, y, coefficients, quality);
}
