/* Ridge regression, primal and kernel, with leave-one-out errors from one factorisation; see linalg.h. */
#include "tensor/dense.h"
#include "tensor/linalg.h"

#include <math.h>
#include <string.h>

enum { RIDGES = 37 };

/* 1e-16, 1e-15.5 .. 1e2 */
static double ridge_at(int i) { return pow(10, -16 + 0.5 * i); }

static double *doubles(nigh_context *ctx, int64_t count) { return nigh_alloc_zero(ctx, count > 0 ? (size_t)count : 1, sizeof(double)); }

/* ---- primal ---- */

typedef struct primal {
    int64_t n, k, q;
    const double *u, *s, *target, *beyond; /* U[n,k], s[k], U^T Y [k,q], Y - U U^T Y [n,q] */
    const double *slack;                   /* 1 - leverage at ridge 0, per row */
    int64_t active;                        /* the first of the k directions, the others are in slack */
    double *filtered, *residual, *free;    /* [k,q], [n,q], [n] */
} primal;

/* Mean squared leave-one-out error of every output at this lambda. */
static nigh_status primal_loo(nigh_context *ctx, const primal *f, double lambda, double *loo)
{
    memcpy(f->free, f->slack, (size_t)f->n * sizeof *f->free);
    for (int64_t c = 0; c < f->k; c++) {
        double share = lambda / (f->s[c] * f->s[c] + lambda);
        for (int64_t j = 0; j < f->q; j++) f->filtered[c * f->q + j] = share * f->target[c * f->q + j];
        for (int64_t i = 0; i < f->n && c < f->active; i++) f->free[i] += share * f->u[i * f->k + c] * f->u[i * f->k + c];
    }
    memcpy(f->residual, f->beyond, (size_t)(f->n * f->q) * sizeof *f->residual);
    nigh_status status = linalg_gemm(ctx, false, false, f->n, f->q, f->k, 1, f->u, f->filtered, 1, f->residual);
    if (status) return status;
    memset(loo, 0, (size_t)f->q * sizeof *loo);
    for (int64_t i = 0; i < f->n; i++) {
        double weight = 1 / fmax(f->free[i], 1e-30);
        for (int64_t j = 0; j < f->q; j++) {
            double e = f->residual[i * f->q + j] * weight;
            loo[j] += e * e / (double)f->n;
        }
    }
    return NIGH_OK;
}

/*
 * With k = n columns of U and centred data the constant direction is one of those with a singular value of 0; the intercept
 * uses it up. What of these directions is left is no rounding only when there are more of them.
 */
static void null_directions(primal *f, double *slack)
{
    while (f->active > 0 && f->s[f->active - 1] <= 1e-13 * f->s[0]) f->active--;
    for (int64_t i = 0; i < f->n; i++) {
        double left = -1 / (double)f->n;
        for (int64_t c = f->active; c < f->k; c++) left += f->u[i * f->k + c] * f->u[i * f->k + c];
        slack[i] = left > 1e-13 ? left : 0;
    }
}

static void rest_of(const primal *f, bool centred, double *beyond, double *slack)
{
    bool spanned = f->k >= f->n - (centred ? 1 : 0); /* nothing is left over; what is computed is rounding */
    for (int64_t i = 0; i < f->n; i++) {
        double used = centred ? 1 / (double)f->n : 0;
        for (int64_t c = 0; c < f->k; c++) used += f->u[i * f->k + c] * f->u[i * f->k + c];
        slack[i] = spanned || 1 - used < 1e-13 ? 0 : 1 - used;
        if (spanned) memset(beyond + i * f->q, 0, (size_t)f->q * sizeof *beyond);
    }
}

static nigh_status primal_choose(nigh_context *ctx, const primal *f, double unit, double relative, double *chosen, double *best)
{
    double *loo = doubles(ctx, f->q);
    nigh_status status = loo ? NIGH_OK : NIGH_MEMORY;
    for (int64_t j = 0; j < f->q; j++) best[j] = INFINITY, chosen[j] = relative > 0 ? relative : ridge_at(RIDGES - 1);
    for (int i = 0; !status && i < (relative > 0 ? 1 : RIDGES); i++) {
        double ridge = relative > 0 ? relative : ridge_at(i);
        status = nigh_poll(ctx);
        if (!status) status = primal_loo(ctx, f, ridge * unit, loo);
        for (int64_t j = 0; !status && j < f->q; j++)
            if (loo[j] < best[j]) best[j] = loo[j], chosen[j] = ridge;
    }
    nigh_free(ctx, loo);
    return status;
}

struct nigh_ridge {
    nigh_context *ctx;
    primal f;
    int64_t p;
    bool centred;
    double *u, *s, *vt, *target, *beyond, *slack, *filtered, *residual, *leverage, *loo;
};

void nigh_ridge_free(nigh_ridge *ridge)
{
    if (!ridge) return;
    double *const blocks[] = {ridge->u,     ridge->s,        ridge->vt,       ridge->target,   ridge->beyond,
                              ridge->slack, ridge->filtered, ridge->residual, ridge->leverage, ridge->loo};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(ridge->ctx, blocks[i]);
    nigh_free(ridge->ctx, ridge);
}

static nigh_status ridge_room(nigh_ridge *r, int64_t n, int64_t p, int64_t q)
{
    int64_t k = n < p ? n : p;
    nigh_context *ctx = r->ctx;
    r->u = doubles(ctx, n * k), r->s = doubles(ctx, k), r->vt = doubles(ctx, k * p), r->target = doubles(ctx, k * q);
    r->beyond = doubles(ctx, n * q), r->slack = doubles(ctx, n), r->filtered = doubles(ctx, k * q);
    r->residual = doubles(ctx, n * q), r->leverage = doubles(ctx, n), r->loo = doubles(ctx, q);
    bool all = r->u && r->s && r->vt && r->target && r->beyond && r->slack && r->filtered && r->residual && r->leverage && r->loo;
    r->f = (primal){n, k, q, r->u, r->s, r->target, r->beyond, r->slack, k, r->filtered, r->residual, r->leverage};
    return all ? NIGH_OK : NIGH_MEMORY;
}

/* A is destroyed. */
static nigh_status ridge_start(nigh_context *ctx, int64_t n, int64_t p, int64_t q, double *a, const double *y, bool centred, nigh_ridge **out)
{
    nigh_ridge *r = nigh_alloc_zero(ctx, 1, sizeof *r);
    if (!r) return NIGH_MEMORY;
    r->ctx = ctx, r->p = p, r->centred = centred;
    nigh_status status = ridge_room(r, n, p, q);
    int64_t k = r->f.k;
    if (!status) status = linalg_svd(ctx, n, p, a, r->u, r->s, r->vt);
    if (!status) status = linalg_gemm(ctx, true, false, k, q, n, 1, r->u, y, 0, r->target);
    if (!status) memcpy(r->beyond, y, (size_t)(n * q) * sizeof *y);
    if (!status) status = linalg_gemm(ctx, false, false, n, q, k, -1, r->u, r->target, 1, r->beyond);
    if (status) {
        nigh_ridge_free(r);
        return status;
    }
    rest_of(&r->f, centred, r->beyond, r->slack);
    if (centred && k == n) null_directions(&r->f, r->slack);
    *out = r;
    return NIGH_OK;
}

/* X of one lambda for every output. */
static nigh_status ridge_weights(nigh_ridge *r, const double *relative, double unit, double *x)
{
    int64_t k = r->f.k, q = r->f.q;
    for (int64_t c = 0; c < k; c++)
        for (int64_t j = 0; j < q; j++) r->filtered[c * q + j] = r->target[c * q + j] * r->s[c] / (r->s[c] * r->s[c] + relative[j] * unit);
    return linalg_gemm(r->ctx, true, false, r->p, q, k, 1, r->vt, r->filtered, 0, x);
}

nigh_status linalg_ridge(nigh_context *ctx, int64_t n, int64_t p, int64_t q, double *a, const double *y, double relative, bool centred,
                         double *x, double *chosen, double *loo)
{
    nigh_status status = linalg_check_finite(ctx, "the output matrix", n, q, y);
    if (status) return status;
    nigh_ridge *r = NULL;
    double *ridge = doubles(ctx, q), *best = doubles(ctx, q), unit = 0;
    if (!ridge || !best) {
        status = NIGH_MEMORY;
        goto done;
    }
    if ((status = ridge_start(ctx, n, p, q, a, y, centred, &r))) goto done;
    for (int64_t c = 0; c < r->f.k; c++) unit += r->s[c] * r->s[c] / (double)r->f.k;
    if (!(unit > 0)) unit = 1; /* no feature varies: any ridge gives zero weights */
    if ((status = primal_choose(ctx, &r->f, unit, relative, ridge, best))) goto done;
    if ((status = ridge_weights(r, ridge, unit, x))) goto done;
    if (chosen) memcpy(chosen, ridge, (size_t)q * sizeof *ridge);
    if (loo) memcpy(loo, best, (size_t)q * sizeof *best);
done:
    nigh_ridge_free(r);
    nigh_free(ctx, best);
    nigh_free(ctx, ridge);
    return status;
}

nigh_status nigh_ridge_new(nigh_context *ctx, int64_t n, int64_t p, int64_t q, const double *a, const double *y, bool centred, nigh_ridge **out)
{
    nigh_status status = dense_check(ctx, NIGH_F64, "the matrix", n, p, p, false, a);
    if (!status) status = dense_check(ctx, NIGH_F64, "the output matrix", n, q, q, false, y);
    if (status) return status;
    double *copy = doubles(ctx, n * p);
    if (!copy) return NIGH_MEMORY;
    memcpy(copy, a, (size_t)(n * p) * sizeof *a);
    status = ridge_start(ctx, n, p, q, copy, y, centred, out);
    nigh_free(ctx, copy);
    return status;
}

const double *nigh_ridge_values(const nigh_ridge *ridge) { return ridge->s; }

nigh_status nigh_ridge_at(nigh_ridge *r, double lambda, double *x, double *loo, double *gcv, double *freedom)
{
    if (!(lambda > 0) || !isfinite(lambda))
        return nigh_fail(r->ctx, NIGH_INVALID, "lambda is %g for a matrix of %lld x %lld; a positive number is allowed", lambda, (long long)r->f.n, (long long)r->p);
    int64_t q = r->f.q;
    double used = r->centred ? 1 : 0;
    for (int64_t c = 0; c < r->f.k; c++) used += r->s[c] * r->s[c] / (r->s[c] * r->s[c] + lambda);
    nigh_status status = primal_loo(r->ctx, &r->f, lambda, r->loo); /* leaves the residuals */
    if (status) return status;
    for (int64_t j = 0; j < q && gcv; j++) {
        double sum = 0, left = (double)r->f.n - used;
        for (int64_t i = 0; i < r->f.n; i++) sum += r->residual[i * q + j] * r->residual[i * q + j];
        gcv[j] = (double)r->f.n * sum / (left * left);
    }
    if (loo) memcpy(loo, r->loo, (size_t)q * sizeof *loo);
    if (freedom) *freedom = used;
    if (!x) return NIGH_OK;
    for (int64_t j = 0; j < q; j++) r->loo[j] = 1;
    return ridge_weights(r, r->loo, lambda, x);
}

/* ---- kernel ---- */

/* W = M diag(1 / (value + lambda)) T, B_ii = sum of M_ic^2 / (value_c + lambda); sum over outputs of the errors. */
static nigh_status kernel_at(nigh_context *ctx, int64_t n, int64_t k, int64_t q, const double *basis, const double *value,
                             const double *target, double lambda, double *filtered, double *w, double *loo)
{
    for (int64_t c = 0; c < k; c++)
        for (int64_t j = 0; j < q; j++) filtered[c * q + j] = target[c * q + j] / (value[c] + lambda);
    nigh_status status = linalg_gemm(ctx, false, false, n, q, k, 1, basis, filtered, 0, w);
    if (status) return status;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double diagonal = 0, squares = 0;
        for (int64_t c = 0; c < k; c++) diagonal += basis[i * k + c] * basis[i * k + c] / (value[c] + lambda);
        for (int64_t j = 0; j < q; j++) squares += w[i * q + j] * w[i * q + j];
        sum += squares / fmax(diagonal * diagonal, 1e-300);
    }
    *loo = sum / (double)n;
    return NIGH_OK;
}

/* basis[n,k]: eigenvectors of C^T K C, taken back by C; value[k] its eigenvalues, none below 0. */
static nigh_status kernel_spectrum(nigh_context *ctx, int64_t n, int64_t k, double *kernel, const double *complement, double *basis,
                                   double *value)
{
    if (!complement) {
        nigh_status status = linalg_eigen(ctx, n, kernel, value);
        for (int64_t i = 0; !status && i < n; i++)
            for (int64_t c = 0; c < n; c++) basis[i * n + c] = kernel[c * n + i];
        return status;
    }
    double *half = doubles(ctx, n * k), *inside = doubles(ctx, k * k);
    nigh_status status = half && inside ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = linalg_gemm(ctx, false, false, n, k, n, 1, kernel, complement, 0, half);
    if (!status) status = linalg_gemm(ctx, true, false, k, k, n, 1, complement, half, 0, inside);
    if (!status) status = linalg_eigen(ctx, k, inside, value);
    if (!status) status = linalg_gemm(ctx, false, true, n, k, k, 1, complement, inside, 0, basis);
    nigh_free(ctx, inside);
    nigh_free(ctx, half);
    return status;
}

nigh_status linalg_kernel_ridge(nigh_context *ctx, int64_t n, int64_t q, double *kernel, const double *y, int64_t columns,
                                const double *complement, double relative, double *w, double *chosen, double *lambda, double *loo)
{
    int64_t k = complement ? columns : n;
    nigh_status status = linalg_check_finite(ctx, "the output matrix", n, q, y);
    if (status) return status;
    double *basis = doubles(ctx, n * k), *value = doubles(ctx, k), *target = doubles(ctx, k * q), *filtered = doubles(ctx, k * q);
    if (!basis || !value || !target || !filtered) {
        status = NIGH_MEMORY;
        goto done;
    }
    if ((status = kernel_spectrum(ctx, n, k, kernel, complement, basis, value))) goto done;
    if ((status = linalg_gemm(ctx, true, false, k, q, n, 1, basis, y, 0, target))) goto done;
    double unit = 0, most = 0, best = INFINITY, pick = relative > 0 ? relative : ridge_at(RIDGES - 1), error;
    for (int64_t c = 0; c < k; c++) {
        value[c] = fmax(value[c], 0);
        most = fmax(most, value[c]);
        unit += value[c] / (double)k;
    }
    if (!(unit > 0)) unit = 1;
    for (int i = 0; relative <= 0 && i < RIDGES; i++) {
        /* Below the rounding of the eigenvalues weights grow without bound and the error seen here is luck. */
        if (ridge_at(i) * unit < 1e-14 * most && i < RIDGES - 1) continue;
        if ((status = nigh_poll(ctx))) goto done;
        if ((status = kernel_at(ctx, n, k, q, basis, value, target, ridge_at(i) * unit, filtered, w, &error))) goto done;
        if (error < best) best = error, pick = ridge_at(i);
    }
    if ((status = kernel_at(ctx, n, k, q, basis, value, target, pick * unit, filtered, w, &error))) goto done;
    if (chosen) *chosen = pick;
    if (lambda) *lambda = pick * unit;
    if (loo) *loo = error;
done:
    nigh_free(ctx, filtered);
    nigh_free(ctx, target);
    nigh_free(ctx, value);
    nigh_free(ctx, basis);
    return status;
}
