/* Sparse matrices by rows: building, checking, transposing, products; see nigh/sparse.h. */
#include "nigh/sparse.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static nigh_status check_sizes(nigh_context *ctx, int64_t rows, int64_t cols, int64_t count)
{
    if (rows < 1 || cols < 1 || rows > INT_MAX || cols > INT_MAX || count < 0 || count > (int64_t)1 << 40)
        return nigh_fail(ctx, NIGH_INVALID, "a sparse matrix of %lld x %lld with %lld entries; 1 to %d rows and columns and 0 to 2^40 entries are allowed",
                         (long long)rows, (long long)cols, (long long)count, INT_MAX);
    return NIGH_OK;
}

void nigh_sparse_free(nigh_context *ctx, nigh_sparse *a)
{
    if (!a) return;
    nigh_free(ctx, a->value);
    nigh_free(ctx, a->column);
    nigh_free(ctx, a->start);
    nigh_free(ctx, a);
}

static nigh_status room(nigh_context *ctx, int64_t rows, int64_t cols, int64_t count, nigh_sparse **out)
{
    nigh_sparse *a = nigh_alloc_zero(ctx, 1, sizeof *a);
    if (!a) return NIGH_MEMORY;
    *a = (nigh_sparse){rows, cols, nigh_alloc_zero(ctx, (size_t)rows + 1, sizeof *a->start), nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *a->column),
                       nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *a->value)};
    if (!a->start || !a->column || !a->value) {
        nigh_sparse_free(ctx, a);
        return NIGH_MEMORY;
    }
    *out = a;
    return NIGH_OK;
}

/* Stable: order[] sorted by key[] in 0 .. keys - 1; from NULL: 0, 1, 2 .. The counts of keys stay in place[keys + 1]. */
static void sort_by(int64_t count, const int64_t *key, int64_t keys, const int64_t *from, int64_t *place, int64_t *order)
{
    memset(place, 0, (size_t)(keys + 1) * sizeof *place);
    for (int64_t i = 0; i < count; i++) place[key[i] + 1]++;
    for (int64_t k = 0; k < keys; k++) place[k + 1] += place[k];
    for (int64_t i = 0; i < count; i++) {
        int64_t item = from ? from[i] : i;
        order[place[key[item]]++] = item;
    }
}

nigh_status nigh_sparse_new(nigh_context *ctx, int64_t rows, int64_t cols, int64_t count, const int64_t *row, const int64_t *column, const double *value,
                            nigh_sparse **out)
{
    nigh_status status = check_sizes(ctx, rows, cols, count);
    if (status) return status;
    for (int64_t i = 0; i < count; i++)
        if (row[i] < 0 || row[i] >= rows || column[i] < 0 || column[i] >= cols || !isfinite(value[i]))
            return nigh_fail(ctx, NIGH_INVALID, "triplet %lld is (%lld, %lld, %g) in a matrix of %lld x %lld; a place inside and a finite value are allowed", (long long)i,
                             (long long)row[i], (long long)column[i], value[i], (long long)rows, (long long)cols);
    nigh_sparse *a = NULL;
    int64_t keys = rows > cols ? rows : cols, *place = nigh_alloc_zero(ctx, (size_t)keys + 1, sizeof *place);
    int64_t *half = nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *half), *order = nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *order);
    status = place && half && order ? room(ctx, rows, cols, count, &a) : NIGH_MEMORY;
    if (!status) {
        sort_by(count, column, cols, NULL, place, half);
        sort_by(count, row, rows, half, place, order);
        int64_t to = 0, at = 0;
        for (int64_t i = 0; i < rows; i++) {
            for (; at < count && row[order[at]] == i; at++) {
                int32_t c = (int32_t)column[order[at]];
                if (to > a->start[i] && a->column[to - 1] == c)
                    a->value[to - 1] += value[order[at]];
                else
                    a->column[to] = c, a->value[to++] = value[order[at]];
            }
            a->start[i + 1] = to;
        }
        *out = a;
    }
    nigh_free(ctx, order);
    nigh_free(ctx, half);
    nigh_free(ctx, place);
    return status;
}

nigh_status nigh_sparse_check(nigh_context *ctx, const nigh_sparse *a)
{
    nigh_status status = check_sizes(ctx, a->rows, a->cols, 0);
    if (status) return status;
    if (a->start[0] != 0) return nigh_fail(ctx, NIGH_INVALID, "a sparse matrix of %lld x %lld starts at entry %lld, not 0", (long long)a->rows, (long long)a->cols, (long long)a->start[0]);
    for (int64_t i = 0; i < a->rows; i++) {
        bool good = a->start[i + 1] >= a->start[i];
        for (int64_t p = a->start[i]; p < a->start[i + 1] && good; p++)
            good = a->column[p] >= 0 && a->column[p] < a->cols && (p == a->start[i] || a->column[p] > a->column[p - 1]) && isfinite(a->value[p]);
        if (!good)
            return nigh_fail(ctx, NIGH_INVALID, "row %lld of a sparse matrix of %lld x %lld: columns must rise within 0 .. %lld and values be finite", (long long)i,
                             (long long)a->rows, (long long)a->cols, (long long)a->cols - 1);
    }
    return NIGH_OK;
}

nigh_status nigh_sparse_transpose(nigh_context *ctx, const nigh_sparse *a, nigh_sparse **out)
{
    nigh_sparse *t = NULL;
    nigh_status status = room(ctx, a->cols, a->rows, nigh_sparse_count(a), &t);
    if (status) return status;
    for (int64_t p = 0; p < nigh_sparse_count(a); p++) t->start[a->column[p] + 1]++;
    for (int64_t i = 0; i < t->rows; i++) t->start[i + 1] += t->start[i];
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t p = a->start[i]; p < a->start[i + 1]; p++) {
            int64_t to = t->start[a->column[p]]++; /* moves every start to the next row's, put back below */
            t->column[to] = (int32_t)i, t->value[to] = a->value[p];
        }
    memmove(t->start + 1, t->start, (size_t)t->rows * sizeof *t->start);
    t->start[0] = 0;
    *out = t;
    return NIGH_OK;
}

/* The value at (i, j), 0 where there is no entry. */
static double find(const nigh_sparse *a, int64_t i, int64_t j)
{
    int64_t low = a->start[i], high = a->start[i + 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (a->column[middle] < j) low = middle + 1;
        else high = middle;
    }
    return low < a->start[i + 1] && a->column[low] == j ? a->value[low] : 0;
}

bool nigh_sparse_symmetric(const nigh_sparse *a, double relative)
{
    if (a->rows != a->cols) return false;
    double most = 0;
    for (int64_t p = 0; p < nigh_sparse_count(a); p++) most = fmax(most, fabs(a->value[p]));
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t p = a->start[i]; p < a->start[i + 1]; p++)
            if (!(fabs(a->value[p] - find(a, a->column[p], i)) <= relative * most)) return false;
    return true;
}

static void rows_single(const nigh_sparse *a, int64_t from, int64_t to, double alpha, const double *x, double beta, double *y)
{
    for (int64_t i = from; i < to; i++) {
        double sum = 0;
        for (int64_t p = a->start[i]; p < a->start[i + 1]; p++) sum += a->value[p] * x[a->column[p]];
        y[i] = beta == 0 ? alpha * sum : alpha * sum + beta * y[i];
    }
}

static void rows_block(const nigh_sparse *a, int64_t from, int64_t to, int64_t q, double alpha, const double *x, double beta, double *y)
{
    enum { CHUNK = 16 };
    for (int64_t i = from; i < to; i++)
        for (int64_t first = 0; first < q; first += CHUNK) {
            double sum[CHUNK] = {0};
            int64_t count = q - first < CHUNK ? q - first : CHUNK;
            for (int64_t p = a->start[i]; p < a->start[i + 1]; p++) {
                const double *row = x + a->column[p] * q + first;
                for (int64_t c = 0; c < count; c++) sum[c] += a->value[p] * row[c];
            }
            double *to_row = y + i * q + first;
            for (int64_t c = 0; c < count; c++) to_row[c] = beta == 0 ? alpha * sum[c] : alpha * sum[c] + beta * to_row[c];
        }
}

/* The first row of share t of `shares`, each with nearly as many entries (and rows, so that empty ones are shared too). */
static int64_t share(const nigh_sparse *a, int t, int shares)
{
    int64_t low = 0, high = a->rows, all = nigh_sparse_count(a) + a->rows, wanted = all / shares * t + all % shares * t / shares;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (a->start[middle] + middle < wanted) low = middle + 1;
        else high = middle;
    }
    return t == shares ? a->rows : low;
}

nigh_status nigh_sparse_multiply(nigh_context *ctx, const nigh_sparse *a, int64_t q, double alpha, const double *x, double beta, double *y)
{
    if (q < 1) return nigh_fail(ctx, NIGH_INVALID, "%lld vectors for a sparse matrix of %lld x %lld; at least 1 is allowed", (long long)q, (long long)a->rows, (long long)a->cols);
    double work = (double)(nigh_sparse_count(a) + a->rows) * (double)q;
    int shares = work < 1e5 ? 1 : nigh_context_threads(ctx);
    if (shares == 1) {
        if (q == 1) rows_single(a, 0, a->rows, alpha, x, beta, y);
        else rows_block(a, 0, a->rows, q, alpha, x, beta, y);
        return NIGH_OK;
    }
#pragma omp parallel for num_threads(shares) schedule(static)
    for (int t = 0; t < shares; t++) {
        if (q == 1) rows_single(a, share(a, t, shares), share(a, t + 1, shares), alpha, x, beta, y);
        else rows_block(a, share(a, t, shares), share(a, t + 1, shares), q, alpha, x, beta, y);
    }
    return NIGH_OK;
}

nigh_status nigh_sparse_multiply_transposed(nigh_context *ctx, const nigh_sparse *a, int64_t q, double alpha, const double *x, double beta, double *y)
{
    if (q < 1) return nigh_fail(ctx, NIGH_INVALID, "%lld vectors for a sparse matrix of %lld x %lld; at least 1 is allowed", (long long)q, (long long)a->rows, (long long)a->cols);
    for (int64_t i = 0; i < a->cols * q; i++) y[i] = beta == 0 ? 0 : beta * y[i];
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t p = a->start[i]; p < a->start[i + 1]; p++) {
            double value = alpha * a->value[p], *to = y + a->column[p] * q;
            const double *from = x + i * q;
            for (int64_t c = 0; c < q; c++) to[c] += value * from[c];
        }
    return NIGH_OK;
}
