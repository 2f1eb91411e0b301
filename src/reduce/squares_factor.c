/* The factor R of least squares, from QR or from the Gram matrix: its condition, the rows of its inverse, steps. */
#include "reduce/squares.h"

#include "tensor/dense.h"

#include <math.h>
#include <string.h>

/* ---- condition -------------------------------------------------------------------------------------------------------- */

static double length(int64_t d, const double *x)
{
    return cblas_dnrm2((int)d, x, 1);
}

/* Singular values of the triangle by power iteration with it and with its inverse, from a start without symmetry. */
static nigh_status extremes(factor *f)
{
    enum { ROUNDS = 24 };
    int d = (int)f->d;
    double *x = nigh_alloc(f->ctx, (size_t)d * sizeof *x);
    if (!x) return NIGH_MEMORY;
    for (int side = 0; side < 2; side++) {
        double size = 0;
        for (int j = 0; j < d; j++) x[j] = 1 + 0.5 * sin(1.0 + 3.0 * j);
        for (int k = 0; k < ROUNDS && isfinite(size); k++) {
            cblas_dscal(d, 1 / length(d, x), x, 1);
            if (side == 0) cblas_dtrmv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, d, f->upper, d, x, 1);
            else cblas_dtrsv(CblasRowMajor, CblasUpper, CblasTrans, CblasNonUnit, d, f->upper, d, x, 1);
            size = length(d, x);
            if (size > 0) cblas_dscal(d, 1 / size, x, 1);
            if (side == 0) cblas_dtrmv(CblasRowMajor, CblasUpper, CblasTrans, CblasNonUnit, d, f->upper, d, x, 1);
            else cblas_dtrsv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, d, f->upper, d, x, 1);
        }
        double last = length(d, x);
        if (side == 0) f->largest = last;
        else f->smallest = isfinite(last) && last > 0 ? 1 / last : 0;
    }
    nigh_free(f->ctx, x);
    return NIGH_OK;
}

/* The first column that is zero, or that the columns before it leave nothing of. */
static int64_t dependent_column(const factor *f, double least)
{
    int64_t worst = 0;
    for (int64_t j = 0; j < f->d; j++)
        if (!(f->unit[j] > 0)) return j;
    for (int64_t j = 0; j < f->d; j++) {
        double pivot = fabs(f->upper[j * (f->d + 1)]);
        if (pivot < least) return j;
        if (pivot < fabs(f->upper[worst * (f->d + 1)])) worst = j;
    }
    return worst;
}

nigh_status factor_from_qr(nigh_context *ctx, int64_t d, double *r, factor *out)
{
    factor f = {.ctx = ctx, .d = d, .upper = r, .unit = nigh_alloc_zero(ctx, (size_t)d, sizeof(double)), .dependent = -1};
    if (!f.unit) return NIGH_MEMORY;
    bool zero = false;
    for (int64_t j = 0; j < d; j++) {
        f.unit[j] = cblas_dnrm2((int)(j + 1), r + j, (int)d);
        zero |= !(f.unit[j] > 0);
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = i; j < d; j++) r[i * d + j] /= f.unit[j] > 0 ? f.unit[j] : 1;
    double least = 0x1p-52 * 16 * (double)d;
    nigh_status status = zero ? NIGH_OK : extremes(&f);
    if (!status && (zero || !(f.smallest > least * f.largest))) f.dependent = dependent_column(&f, least);
    if (status) nigh_free(ctx, f.unit);
    else *out = f;
    return status;
}

/* What Cholesky of a matrix of this condition leaves cannot be refined safely below this ratio of singular values. */
static const double NORMAL_LEAST = 1e-6;

nigh_status factor_from_gram(nigh_context *ctx, int64_t d, double *gram, factor *out)
{
    factor f = {.ctx = ctx, .d = d, .upper = gram, .unit = nigh_alloc_zero(ctx, (size_t)d, sizeof(double)), .dependent = -1};
    if (!f.unit) return NIGH_MEMORY;
    for (int64_t j = 0; j < d; j++) {
        f.unit[j] = gram[j * (d + 1)] > 0 ? sqrt(gram[j * (d + 1)]) : 0;
        if (!(f.unit[j] > 0) && f.dependent < 0) f.dependent = j;
    }
    nigh_status status = NIGH_OK;
    if (f.dependent < 0) {
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j <= i; j++) gram[j * d + i] = gram[i * d + j] /= f.unit[i] * f.unit[j];
        int before = dense_enter(ctx, (double)d * (double)d * (double)d / 3), info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (int)d, gram, (int)d);
        dense_leave(before);
        for (int64_t i = 0; i < d; i++) memset(gram + i * d, 0, (size_t)i * sizeof *gram);
        if (info) f.dependent = info - 1;
        else status = extremes(&f);
        if (!status && !info && !(f.smallest > NORMAL_LEAST * f.largest)) f.dependent = dependent_column(&f, 0);
    }
    if (status) nigh_free(ctx, f.unit);
    else *out = f;
    return status;
}

nigh_status factor_from_sparse(nigh_context *ctx, nigh_sparse *gram, factor *out)
{
    int64_t d = gram->rows;
    factor f = {.ctx = ctx, .d = d, .unit = nigh_alloc_zero(ctx, (size_t)d, sizeof(double)), .smallest = NAN, .largest = NAN, .dependent = -1};
    if (!f.unit) return NIGH_MEMORY;
    for (int64_t i = 0; i < d; i++) {
        double last = gram->start[i + 1] > gram->start[i] ? gram->value[gram->start[i + 1] - 1] : 0;
        f.unit[i] = last > 0 ? sqrt(last) : 0;
        if (!(f.unit[i] > 0) && f.dependent < 0) f.dependent = i;
    }
    for (int64_t i = 0; i < d && f.dependent < 0; i++)
        for (int64_t e = gram->start[i]; e < gram->start[i + 1]; e++) gram->value[e] /= f.unit[i] * f.unit[gram->column[e]];
    nigh_status status = f.dependent < 0 ? nigh_sparse_factor_new(ctx, gram, true, NIGH_SPARSE_AUTO, &f.direct) : NIGH_OK;
    if (status == NIGH_INVALID) f.dependent = 0, status = NIGH_OK;
    if (status) nigh_free(ctx, f.unit);
    else *out = f;
    return status;
}

void factor_free(factor *f)
{
    if (!f->ctx) return;
    nigh_free(f->ctx, f->upper);
    nigh_free(f->ctx, f->unit);
    nigh_free(f->ctx, f->rows);
    nigh_sparse_factor_free(f->direct);
    *f = (factor){0};
}

/* ---- steps --------------------------------------------------------------------------------------------------------------- */

void factor_forward(const factor *f, const double *g, double *y)
{
    for (int64_t j = 0; j < f->d; j++) y[j] = g[j] / f->unit[j];
    cblas_dtrsv(CblasRowMajor, CblasUpper, CblasTrans, CblasNonUnit, (int)f->d, f->upper, (int)f->d, y, 1);
}

void factor_back(const factor *f, const double *y, double *x)
{
    memmove(x, y, (size_t)f->d * sizeof *x);
    cblas_dtrsv(CblasRowMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)f->d, f->upper, (int)f->d, x, 1);
    for (int64_t j = 0; j < f->d; j++) x[j] /= f->unit[j];
}

nigh_status factor_step(const factor *f, const double *g, double *step, double *size)
{
    if (!f->direct) {
        factor_forward(f, g, step);
        *size = length(f->d, step);
        factor_back(f, step, step);
        return NIGH_OK;
    }
    double sum = 0;
    for (int64_t j = 0; j < f->d; j++) step[j] = g[j] / f->unit[j];
    nigh_status status = nigh_sparse_factor_solve(f->direct, 1, step, step);
    for (int64_t j = 0; j < f->d && !status; j++) {
        step[j] /= f->unit[j];
        sum += step[j] * g[j];
    }
    *size = sqrt(fmax(sum, 0));
    return status;
}

/* ---- rows of the inverse ----------------------------------------------------------------------------------------------------- */

static nigh_status rows_direct(factor *f)
{
    enum { COLUMNS = 64 };
    int64_t d = f->d;
    double *x = nigh_alloc(f->ctx, (size_t)(d * COLUMNS) * sizeof *x);
    nigh_status status = x ? NIGH_OK : NIGH_MEMORY;
    for (int64_t at = 0; at < d && !status; at += COLUMNS) {
        int64_t q = d - at < COLUMNS ? d - at : COLUMNS;
        memset(x, 0, (size_t)(d * q) * sizeof *x);
        for (int64_t k = 0; k < q; k++) x[(at + k) * q + k] = 1;
        status = nigh_sparse_factor_solve(f->direct, q, x, x);
        for (int64_t k = 0; k < q && !status; k++) f->rows[at + k] = sqrt(fmax(x[(at + k) * q + k], 0)) / f->unit[at + k];
    }
    nigh_free(f->ctx, x);
    return status;
}

nigh_status factor_rows(factor *f)
{
    if (f->rows) return NIGH_OK;
    int64_t d = f->d;
    double *inverse = f->direct ? NULL : nigh_alloc(f->ctx, (size_t)(d * d) * sizeof *inverse);
    f->rows = nigh_alloc(f->ctx, (size_t)d * sizeof *f->rows);
    nigh_status status = f->rows && (inverse || f->direct) ? NIGH_OK : NIGH_MEMORY;
    if (!status && f->direct) status = rows_direct(f);
    if (!status && !f->direct) { /* lower in columns is upper in rows */
        memcpy(inverse, f->upper, (size_t)(d * d) * sizeof *inverse);
        int before = dense_enter(f->ctx, (double)d * (double)d * (double)d / 3);
        LAPACKE_dtrtri_work(LAPACK_COL_MAJOR, 'L', 'N', (int)d, inverse, (int)d);
        dense_leave(before);
        for (int64_t i = 0; i < d; i++) f->rows[i] = length(d - i, inverse + i * (d + 1)) / f->unit[i];
    }
    nigh_free(f->ctx, inverse);
    if (status) {
        nigh_free(f->ctx, f->rows);
        f->rows = NULL;
    }
    return status;
}
