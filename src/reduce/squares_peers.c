/* See squares_peers.h. */
#include "reduce/squares_peers.h"

#include "tensor/dense.h"

#include <math.h>
#include <string.h>

const char *squares_peer_name(squares_peer peer)
{
    static const char *const names[] = {"LAPACK dgels", "LAPACK dgelsd", "dsyrk + dpotrf"};
    return names[peer];
}

static double root_weight(const nigh_squares *p, int64_t i) { return p->weight ? sqrt(p->weight[i]) : 1; }

static nigh_status by_lapack(nigh_context *ctx, const nigh_squares *p, bool divide, double *x)
{
    int64_t n = p->n, d = p->d;
    double *a = nigh_alloc(ctx, (size_t)(n * d) * sizeof *a), *b = nigh_alloc(ctx, (size_t)n * sizeof *b), *s = nigh_alloc(ctx, (size_t)d * sizeof *s);
    nigh_status status = a && b && s ? NIGH_OK : NIGH_MEMORY;
    for (int64_t at = 0; at < n && !status; at += 64)
        for (int64_t j = 0; j < d; j++)
            for (int64_t i = at; i < at + 64 && i < n; i++) a[j * n + i] = root_weight(p, i) * p->a[i * d + j];
    for (int64_t i = 0; i < n && !status; i++) b[i] = root_weight(p, i) * p->b[i];
    if (!status) {
        lapack_int rank, info = divide ? LAPACKE_dgelsd(LAPACK_COL_MAJOR, (int)n, (int)d, 1, a, (int)n, b, (int)n, s, 1e-14, &rank)
                                       : LAPACKE_dgels(LAPACK_COL_MAJOR, 'N', (int)n, (int)d, 1, a, (int)n, b, (int)n);
        status = info ? dense_failed(ctx, divide ? "dgelsd" : "dgels", n, d, info) : NIGH_OK;
    }
    if (!status) memcpy(x, b, (size_t)d * sizeof *x);
    nigh_free(ctx, a);
    nigh_free(ctx, b);
    nigh_free(ctx, s);
    return status;
}

static nigh_status by_gram(nigh_context *ctx, const nigh_squares *p, double *x)
{
    int64_t n = p->n, d = p->d;
    double *gram = nigh_alloc(ctx, (size_t)(d * d) * sizeof *gram), *copy = p->weight ? nigh_alloc(ctx, (size_t)(n * d + n) * sizeof *copy) : NULL;
    nigh_status status = gram && (copy || !p->weight) ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; copy && i < n; i++) {
        for (int64_t j = 0; j < d; j++) copy[i * d + j] = root_weight(p, i) * p->a[i * d + j];
        copy[n * d + i] = root_weight(p, i) * p->b[i];
    }
    if (!status) {
        const double *a = copy ? copy : p->a, *b = copy ? copy + n * d : p->b;
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)d, (int)n, 1, a, (int)d, 0, gram, (int)d);
        cblas_dgemv(CblasRowMajor, CblasTrans, (int)n, (int)d, 1, a, (int)d, b, 1, 0, x, 1);
        lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (int)d, gram, (int)d);
        status = info ? dense_failed(ctx, "dpotrf", d, d, info) : NIGH_OK;
        if (!status) LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'U', (int)d, 1, gram, (int)d, x, (int)d);
    }
    nigh_free(ctx, gram);
    nigh_free(ctx, copy);
    return status;
}

nigh_status squares_peer_solve(nigh_context *ctx, const nigh_squares *problem, squares_peer peer, double *x, double *seconds)
{
    int before = dense_enter(ctx, 1e300);
    double began = nigh_clock();
    nigh_status status = peer == SQUARES_NORMAL ? by_gram(ctx, problem, x) : by_lapack(ctx, problem, peer == SQUARES_DGELSD, x);
    *seconds = nigh_clock() - began;
    dense_leave(before);
    return status;
}
