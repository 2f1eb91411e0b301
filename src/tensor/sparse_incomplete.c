/* Incomplete Cholesky with no fill; see nigh/sparse.h. */
#include "nigh/sparse.h"

#include <math.h>
#include <string.h>

struct nigh_sparse_incomplete {
    nigh_context *ctx;
    int64_t n;
    int64_t *start;
    int32_t *column; /* lower triangle by rows, the diagonal last in each */
    double *value;
};

void nigh_sparse_incomplete_free(nigh_sparse_incomplete *f)
{
    if (!f) return;
    nigh_free(f->ctx, f->start);
    nigh_free(f->ctx, f->column);
    nigh_free(f->ctx, f->value);
    nigh_free(f->ctx, f);
}

/* L_ij = (A_ij - sum over common k of L_ik L_jk) / L_jj, by merging two sorted rows. False on a pivot that is not positive. */
static bool factor(nigh_sparse_incomplete *f, const double *a, double shift)
{
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t p = f->start[i]; p < f->start[i + 1]; p++) {
            int64_t j = f->column[p], x = f->start[i], y = f->start[j];
            double sum = j == i ? a[p] * (1 + shift) : a[p];
            while (x < p && y < f->start[j + 1] - 1) {
                if (f->column[x] == f->column[y]) sum -= f->value[x++] * f->value[y++];
                else if (f->column[x] < f->column[y]) x++;
                else y++;
            }
            if (j == i && !(sum > 1e-14 * a[p])) return false;
            f->value[p] = j == i ? sqrt(sum) : sum / f->value[f->start[j + 1] - 1];
        }
    return true;
}

/* The lower triangle of a into f and its values into `values`; every row must end with a positive diagonal. */
static nigh_status lower(nigh_context *ctx, const nigh_sparse *a, nigh_sparse_incomplete *f, double *values)
{
    int64_t to = 0;
    for (int64_t i = 0; i < f->n; i++) {
        for (int64_t p = a->start[i]; p < a->start[i + 1] && a->column[p] <= i; p++) f->column[to] = a->column[p], values[to++] = a->value[p];
        if (to == f->start[i] || f->column[to - 1] != i || !(values[to - 1] > 0))
            return nigh_fail(ctx, NIGH_INVALID, "the sparse matrix of %lld x %lld has no positive diagonal entry in row %lld", (long long)a->rows, (long long)a->cols,
                             (long long)i);
        f->start[i + 1] = to;
    }
    return NIGH_OK;
}

nigh_status nigh_sparse_incomplete_new(nigh_context *ctx, const nigh_sparse *a, double *shift, nigh_sparse_incomplete **out)
{
    nigh_status status = nigh_sparse_check(ctx, a);
    if (!status && a->rows != a->cols)
        status = nigh_fail(ctx, NIGH_INVALID, "incomplete Cholesky of %lld x %lld; a square matrix is allowed", (long long)a->rows, (long long)a->cols);
    if (status) return status;
    size_t count = (size_t)nigh_sparse_count(a) + 1;
    nigh_sparse_incomplete *f = nigh_alloc_zero(ctx, 1, sizeof *f);
    double *values = nigh_alloc_zero(ctx, count, sizeof *values), tried = 0;
    if (f) {
        *f = (nigh_sparse_incomplete){ctx, a->rows, nigh_alloc_zero(ctx, (size_t)a->rows + 1, sizeof *f->start), nigh_alloc_zero(ctx, count, sizeof *f->column),
                                      nigh_alloc_zero(ctx, count, sizeof *f->value)};
    }
    status = f && values && f->start && f->column && f->value ? lower(ctx, a, f, values) : NIGH_MEMORY;
    for (int round = 0; !status && !factor(f, values, tried); round++) {
        if (!(status = nigh_poll(ctx)) && round > 20)
            status = nigh_fail(ctx, NIGH_INVALID, "incomplete Cholesky of %lld x %lld breaks down also with %g of the diagonal added", (long long)a->rows, (long long)a->cols, tried);
        tried = ldexp(1e-3, round);
    }
    nigh_free(ctx, values);
    if (status) {
        nigh_sparse_incomplete_free(f);
        return status;
    }
    if (shift) *shift = tried;
    *out = f;
    return NIGH_OK;
}

void nigh_sparse_incomplete_apply(const nigh_sparse_incomplete *f, const double *b, double *x)
{
    memmove(x, b, (size_t)f->n * sizeof *x);
    for (int64_t i = 0; i < f->n; i++) {
        double sum = x[i];
        int64_t last = f->start[i + 1] - 1;
        for (int64_t p = f->start[i]; p < last; p++) sum -= f->value[p] * x[f->column[p]];
        x[i] = sum / f->value[last];
    }
    for (int64_t i = f->n - 1; i >= 0; i--) {
        int64_t last = f->start[i + 1] - 1;
        x[i] /= f->value[last];
        for (int64_t p = f->start[i]; p < last; p++) x[f->column[p]] -= f->value[p] * x[i];
    }
}
