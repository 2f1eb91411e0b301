/* What is made from products: whole matrices, diagonals, leading eigenvalues. Declared in nigh/second.h. */
#include "nigh/second.h"

#include "nigh/random.h"

#include <math.h>
#include <string.h>

static nigh_status check_square(nigh_context *ctx, const nigh_operator *a, const char *what)
{
    if (a->rows == a->cols) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "%s: the product has %lld rows and %lld columns; a square one is needed", what, (long long)a->rows, (long long)a->cols);
}

/* ---- the whole matrix --------------------------------------------------------------------------------- */

static double get(nigh_dtype dtype, const void *x, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }
static void set(nigh_dtype dtype, void *x, int64_t i, double v)
{
    if (dtype == NIGH_F32) ((float *)x)[i] = (float)v;
    else ((double *)x)[i] = v;
}

/* Columns come in blocks, so that a row of the matrix is written in runs and not element by element. */
static nigh_status dense_columns(const nigh_operator *op, int64_t block, void *unit, void *column, void *a)
{
    nigh_status status = NIGH_OK;
    size_t size = nigh_dtype_size(op->dtype);
    for (int64_t first = 0; first < op->cols && !status; first += block) {
        int64_t count = op->cols - first < block ? op->cols - first : block;
        for (int64_t k = 0; k < count && !status; k++) {
            set(op->dtype, unit, first + k, 1);
            status = op->apply(op->user, unit, (char *)column + (size_t)(k * op->rows) * size);
            set(op->dtype, unit, first + k, 0);
        }
        for (int64_t i = 0; i < op->rows && !status; i++)
            for (int64_t k = 0; k < count; k++) set(op->dtype, a, i * op->cols + first + k, get(op->dtype, column, k * op->rows + i));
    }
    return status;
}

nigh_status nigh_product_dense(nigh_context *ctx, nigh_product *p, bool symmetric, void *a)
{
    enum { BLOCK = 16, MOST = 20000 };
    nigh_operator op = nigh_product_operator(p);
    nigh_status status = symmetric ? check_square(ctx, &op, "dense") : NIGH_OK;
    if (!status && (op.cols < 1 || op.cols > MOST)) status = nigh_fail(ctx, NIGH_INVALID, "dense: %lld columns; 1 to %d are allowed", (long long)op.cols, MOST);
    if (status) return status;
    size_t size = nigh_dtype_size(op.dtype);
    void *unit = nigh_alloc_zero(ctx, (size_t)op.cols, size), *column = nigh_alloc_zero(ctx, (size_t)(op.rows ? op.rows : 1), BLOCK * size);
    status = unit && column ? dense_columns(&op, BLOCK, unit, column, a) : NIGH_MEMORY;
    for (int64_t i = 0; i < op.rows && symmetric && !status; i++)
        for (int64_t j = 0; j < i; j++) {
            double mean = 0.5 * (get(op.dtype, a, i * op.cols + j) + get(op.dtype, a, j * op.cols + i));
            set(op.dtype, a, i * op.cols + j, mean);
            set(op.dtype, a, j * op.cols + i, mean);
        }
    nigh_free(ctx, unit);
    nigh_free(ctx, column);
    return status;
}

/* ---- estimates ---------------------------------------------------------------------------------------- */

static nigh_status probe_diagonal(const nigh_operator *op, int64_t probes, uint64_t seed, void *z, void *az, double *mean, double *spread)
{
    nigh_status status = NIGH_OK;
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t k = 0; k < probes && !status; k++) {
        uint32_t bits = 0;
        for (int64_t i = 0; i < op->cols; i++) {
            if (i % 32 == 0) bits = nigh_rng_u32(&rng);
            set(op->dtype, z, i, bits >> (i % 32) & 1 ? 1 : -1);
        }
        status = op->apply(op->user, z, az);
        for (int64_t i = 0; i < op->rows && !status; i++) { /* mean and sum of squares by Welford's updates */
            double x = get(op->dtype, z, i) * get(op->dtype, az, i), step = x - mean[i];
            mean[i] += step / (double)(k + 1);
            spread[i] += step * (x - mean[i]);
        }
    }
    return status;
}

nigh_status nigh_product_diagonal(nigh_context *ctx, nigh_product *p, int64_t probes, uint64_t seed, double *diagonal, double *error)
{
    nigh_operator op = nigh_product_operator(p);
    nigh_status status = check_square(ctx, &op, "diagonal");
    if (!status && probes < 1) status = nigh_fail(ctx, NIGH_INVALID, "diagonal: %lld probes; 1 or more is allowed", (long long)probes);
    if (status) return status;
    size_t n = (size_t)op.rows, size = nigh_dtype_size(op.dtype);
    void *z = nigh_alloc(ctx, n * size + 1), *az = nigh_alloc(ctx, n * size + 1);
    double *mean = nigh_alloc_zero(ctx, n + 1, sizeof *mean), *spread = nigh_alloc_zero(ctx, n + 1, sizeof *spread);
    status = z && az && mean && spread ? probe_diagonal(&op, probes, seed, z, az, mean, spread) : NIGH_MEMORY;
    for (size_t i = 0; i < n && !status; i++) {
        diagonal[i] = mean[i];
        if (error) error[i] = probes > 1 ? sqrt(spread[i] / ((double)probes * (double)(probes - 1))) : (double)NAN;
    }
    nigh_free(ctx, z);
    nigh_free(ctx, az);
    nigh_free(ctx, mean);
    nigh_free(ctx, spread);
    return status;
}

nigh_status nigh_product_top(nigh_context *ctx, nigh_product *p, int64_t k, int64_t steps, uint64_t seed, int64_t *found, double *value, double *bound, void *vectors)
{
    nigh_operator op = nigh_product_operator(p);
    nigh_status status = check_square(ctx, &op, "top");
    if (!status && (k < 1 || k > steps || steps > 400))
        status = nigh_fail(ctx, NIGH_INVALID, "top: %lld values of %lld steps; 1 <= values <= steps <= 400 is allowed", (long long)k, (long long)steps);
    if (status) return status;
    size_t size = nigh_dtype_size(op.dtype);
    double *ritz = nigh_alloc_zero(ctx, (size_t)steps, sizeof *ritz), *within = nigh_alloc_zero(ctx, (size_t)steps, sizeof *within);
    char *rows = vectors ? nigh_alloc(ctx, (size_t)(steps * op.rows) * size) : NULL;
    int64_t have = 0;
    status = ritz && within && (!vectors || rows) ? nigh_lanczos(ctx, &op, steps, NULL, seed, &have, ritz, within, NULL, rows) : NIGH_MEMORY;
    for (int64_t i = 0; i < k && i < have && !status; i++) {
        int64_t from = have - 1 - i; /* Ritz values rise */
        value[i] = ritz[from];
        if (bound) bound[i] = within[from];
        if (vectors) memcpy((char *)vectors + (size_t)(i * op.rows) * size, rows + (size_t)(from * op.rows) * size, (size_t)op.rows * size);
    }
    if (!status) *found = have < k ? have : k;
    nigh_free(ctx, ritz);
    nigh_free(ctx, within);
    nigh_free(ctx, rows);
    return status;
}
