/* What rows must be. Declared in nigh/coreset.h. */
#include <limits.h>
#include <math.h>

#include "reduce/loss.h"

double nigh_rows_weight(const nigh_rows *rows)
{
    double sum = 0;
    for (int64_t i = 0; i < rows->n && rows->weight; i++) sum += rows->weight[i];
    return rows->weight ? sum : (double)rows->n;
}

nigh_status loss_check_shape(nigh_context *ctx, const nigh_loss *loss, const nigh_rows *rows)
{
    if (!rows) return nigh_fail(ctx, NIGH_INVALID, "rows is NULL");
    if (rows->n < 1 || rows->d < 1 || rows->d > INT_MAX - 1 || rows->n > ((int64_t)1 << 48) / rows->d)
        return nigh_fail(ctx, NIGH_INVALID, "%lld rows of %lld numbers; 1 or more of each, together at most 2^48, are allowed", (long long)rows->n, (long long)rows->d);
    if (!rows->x) return nigh_fail(ctx, NIGH_INVALID, "rows.x is NULL");
    if (loss && nigh_loss_uses_y(loss) && !rows->y)
        return nigh_fail(ctx, NIGH_INVALID, "rows.y is NULL; the loss %s needs %s", nigh_loss_name(loss), nigh_loss_has_classes(loss) ? "classes 0 and 1" : "targets");
    return NIGH_OK;
}

/* True when all are finite; a product with 0 is NaN for those that are not, and eight sums keep pace with memory. */
static bool all_finite(int64_t count, const double *x)
{
    double sum[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += x[i + k] * 0;
    for (; i < count; i++) sum[0] += x[i] * 0;
    for (int k = 1; k < 8; k++) sum[0] += sum[k];
    return sum[0] == 0;
}

static bool finite_on(int64_t count, const double *x, int threads)
{
    if (threads < 2 || count < 1 << 18) return all_finite(count, x);
    int bad = 0;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(| : bad)
    for (int t = 0; t < threads; t++) bad |= !all_finite(count * (t + 1) / threads - count * t / threads, x + count * t / threads);
    return !bad;
}

static nigh_status name_infinite(nigh_context *ctx, const char *what, int64_t n, int64_t d, const double *x)
{
    int64_t at = 0;
    while (at < n * d && isfinite(x[at])) at++;
    if (d > 1) return nigh_fail(ctx, NIGH_INVALID, "%s has %g in row %lld, column %lld; finite numbers are allowed", what, x[at], (long long)(at / d), (long long)(at % d));
    return nigh_fail(ctx, NIGH_INVALID, "%s has %g in row %lld; finite numbers are allowed", what, x[at], (long long)at);
}

nigh_status nigh_rows_check(nigh_context *ctx, const nigh_rows *rows, const nigh_loss *loss)
{
    nigh_status status = loss_check_shape(ctx, loss, rows);
    if (status) return status;
    int threads = nigh_context_threads(ctx);
    int64_t n = rows->n;
    if (!finite_on(n * rows->d, rows->x, threads)) return name_infinite(ctx, "x", n, rows->d, rows->x);
    if (rows->y && !finite_on(n, rows->y, threads)) return name_infinite(ctx, "y", n, 1, rows->y);
    double sum = rows->weight ? 0 : 1;
    for (int64_t i = 0; i < n && rows->weight; i++) {
        if (!(rows->weight[i] >= 0 && rows->weight[i] < INFINITY))
            return nigh_fail(ctx, NIGH_INVALID, "weight of row %lld is %g; 0 or more is allowed", (long long)i, rows->weight[i]);
        sum += rows->weight[i];
    }
    if (!(sum > 0 && sum < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "the weights sum to %g; a positive sum is needed", sum);
    for (int64_t i = 0; i < n && loss && nigh_loss_has_classes(loss); i++)
        if (rows->y[i] != 0 && rows->y[i] != 1)
            return nigh_fail(ctx, NIGH_INVALID, "y of row %lld is %g; the loss %s has classes 0 and 1", (long long)i, rows->y[i], nigh_loss_name(loss));
    return NIGH_OK;
}
