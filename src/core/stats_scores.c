/* Scores of predictions, partitions and representations. Declared in nigh/stats.h. */
#include "nigh/stats.h"
#include "nigh/special.h"
#include "core/stats.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

nigh_status nigh_auc(nigh_context *ctx, int64_t n, const double *score, const int32_t *label, double confidence,
                     nigh_figure *out)
{
    nigh_status status = nigh_check_confidence(ctx, confidence);
    if (!status) status = nigh_check_sample(ctx, n, 2, score, -INFINITY, INFINITY);
    if (status) return status;
    double ones = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (label[i] != 0 && label[i] != 1)
            return nigh_fail(ctx, NIGH_INVALID, "label[%lld] is %d; 0 or 1 is allowed", (long long)i, label[i]);
        ones += label[i];
    }
    double zeros = (double)n - ones;
    if (ones == 0 || zeros == 0) return nigh_fail(ctx, NIGH_INVALID, "all %lld labels are %d", (long long)n, ones > 0);
    double *rank = nigh_alloc_zero(ctx, (size_t)n, sizeof *rank);
    if (!rank) return NIGH_MEMORY;
    status = nigh_ranks(ctx, n, score, rank, NULL);
    for (int64_t i = 0; i < n; i++) sum += label[i] ? rank[i] : 0;
    nigh_free(ctx, rank);
    if (status) return status;
    double a = (sum - 0.5 * ones * (ones + 1)) / (ones * zeros), q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
    double variance = (a * (1 - a) + (ones - 1) * (q1 - a * a) + (zeros - 1) * (q2 - a * a)) / (ones * zeros);
    double radius = nigh_normal_tail_quantile(0.5 * (1 - confidence)) * sqrt(variance > 0 ? variance : 0);
    *out = (nigh_figure){a, fmax(a - radius, 0), fmin(a + radius, 1), confidence, n, "Hanley-McNeil"};
    return NIGH_OK;
}

typedef struct pair {
    int32_t a, b;
} pair;

static int compare_pairs(const void *x, const void *y)
{
    const pair *p = x, *q = y;
    if (p->a != q->a) return p->a > q->a ? 1 : -1;
    return (p->b > q->b) - (p->b < q->b);
}

static double choose_two(int64_t n) { return 0.5 * (double)n * (double)(n - 1); }

/* Sum of choose(group, 2) over runs of equal pairs (by_a: equal a only) of a sorted list. */
static double pairs_within(int64_t n, const pair *list, bool by_a)
{
    double sum = 0;
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && list[j].a == list[i].a && (by_a || list[j].b == list[i].b); j++) continue;
        sum += choose_two(j - i);
    }
    return sum;
}

nigh_status nigh_adjusted_rand(nigh_context *ctx, int64_t n, const int32_t *a, const int32_t *b, double *out)
{
    if (n < 1) return nigh_fail(ctx, NIGH_INVALID, "n is %lld; 1 or more is needed", (long long)n);
    pair *list = nigh_alloc_zero(ctx, (size_t)n, sizeof *list);
    if (!list) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) list[i] = (pair){b[i], a[i]};
    qsort(list, (size_t)n, sizeof *list, compare_pairs);
    double in_b = pairs_within(n, list, true);
    for (int64_t i = 0; i < n; i++) list[i] = (pair){a[i], b[i]};
    qsort(list, (size_t)n, sizeof *list, compare_pairs);
    double in_a = pairs_within(n, list, true), in_both = pairs_within(n, list, false), all = choose_two(n);
    nigh_free(ctx, list);
    double chance = all > 0 ? in_a * in_b / all : 0, most = 0.5 * (in_a + in_b);
    *out = most == chance ? 1 : (in_both - chance) / (most - chance); /* both trivial: equal partitions */
    return NIGH_OK;
}

nigh_status nigh_r2(nigh_context *ctx, int64_t n, const double *truth, const double *guess, double *out)
{
    nigh_status status = nigh_check_sample(ctx, n, 2, truth, -DBL_MAX, DBL_MAX);
    if (!status) status = nigh_check_sample(ctx, n, 2, guess, -DBL_MAX, DBL_MAX);
    if (status) return status;
    double mean = nigh_mean(n, truth), total = 0, left = 0;
    for (int64_t i = 0; i < n; i++) {
        total += (truth[i] - mean) * (truth[i] - mean);
        left += (truth[i] - guess[i]) * (truth[i] - guess[i]);
    }
    if (!(total > 0)) return nigh_fail(ctx, NIGH_INVALID, "all truths are %g: R2 has no scale", truth[0]);
    *out = 1 - left / total;
    return NIGH_OK;
}

nigh_status nigh_calibration_of(nigh_context *ctx, int64_t n, int64_t classes, const double *p, const int32_t *label,
                                int bins, nigh_calibration *out)
{
    if (n < 1 || classes < 2 || bins < 1)
        return nigh_fail(ctx, NIGH_INVALID, "n = %lld, %lld classes, %d bins; 1, 2 and 1 or more are needed", (long long)n,
                         (long long)classes, bins);
    nigh_status status = nigh_check_sample(ctx, n * classes, 1, p, 0, 1 + 1e-6);
    if (status) return nigh_within(ctx, status, "probabilities");
    double *bin = nigh_alloc_zero(ctx, (size_t)bins, 2 * sizeof *bin); /* sums of confidence and of hits */
    if (!bin) return NIGH_MEMORY;
    nigh_calibration sum = {0};
    for (int64_t i = 0; i < n; i++) {
        const double *row = p + i * classes;
        if (label[i] < 0 || label[i] >= classes) {
            status = nigh_fail(ctx, NIGH_INVALID, "label[%lld] is %d; 0 to %lld is allowed", (long long)i, label[i], (long long)(classes - 1));
            goto done;
        }
        int64_t top = 0;
        for (int64_t c = 0; c < classes; c++) {
            double d = row[c] - (c == label[i]);
            sum.brier += d * d;
            if (row[c] > row[top]) top = c;
        }
        bool hit = top == label[i];
        int at = (int)ceil(row[top] * bins) - 1;
        at = at < 0 ? 0 : at >= bins ? bins - 1 : at;
        bin[2 * at] += row[top], bin[2 * at + 1] += hit;
        sum.accuracy += hit;
        sum.nll -= log(row[label[i]]);
    }
    for (int b = 0; b < bins; b++) sum.ece += fabs(bin[2 * b] - bin[2 * b + 1]);
    double m = (double)n;
    *out = (nigh_calibration){sum.ece / m, sum.brier / m, sum.nll / m, sum.accuracy / m};
done:
    nigh_free(ctx, bin);
    return status;
}

/* ---- samples and representations ---- */

static double square_distance(int64_t d, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static const double *pooled_row(int64_t nx, const double *x, const double *y, int64_t d, int64_t i)
{
    return i < nx ? x + i * d : y + (i - nx) * d;
}

/* Median distance of at most 1000 rows, spread evenly over the pooled ones. */
static nigh_status median_distance(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y, int64_t d,
                                   double *out)
{
    int64_t all = nx + ny, rows = all < 1000 ? all : 1000, count = 0;
    double *distance = nigh_alloc_zero(ctx, (size_t)(rows * (rows - 1) / 2), sizeof *distance);
    if (!distance) return NIGH_MEMORY;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < i; j++)
            distance[count++] = square_distance(d, pooled_row(nx, x, y, d, i * all / rows), pooled_row(nx, x, y, d, j * all / rows));
    *out = sqrt(nigh_median(count, distance));
    nigh_free(ctx, distance);
    return NIGH_OK;
}

static double kernel_sum(int64_t na, const double *a, int64_t nb, const double *b, int64_t d, double scale, bool same)
{
    double sum = 0;
    for (int64_t i = 0; i < na; i++) {
        double row = 0;
        for (int64_t j = 0; j < (same ? i : nb); j++) row += exp(-scale * square_distance(d, a + i * d, b + j * d));
        sum += row;
    }
    return sum;
}

nigh_status nigh_mmd(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y, int64_t d, double width,
                     double *out)
{
    if (nx < 2 || ny < 2 || d < 1 || !(width >= 0))
        return nigh_fail(ctx, NIGH_INVALID, "rows %lld and %lld, d = %lld, width %g; 2, 2, 1 and 0 or more are needed",
                         (long long)nx, (long long)ny, (long long)d, width);
    nigh_status status = nigh_check_sample(ctx, nx * d, 1, x, -DBL_MAX, DBL_MAX);
    if (!status) status = nigh_check_sample(ctx, ny * d, 1, y, -DBL_MAX, DBL_MAX);
    if (!status && width == 0) status = median_distance(ctx, nx, x, ny, y, d, &width);
    if (status) return status;
    if (!(width > 0)) return nigh_fail(ctx, NIGH_INVALID, "the median distance is 0: give a width");
    double scale = 0.5 / (width * width), m = (double)nx, n = (double)ny;
    double xx = kernel_sum(nx, x, nx, x, d, scale, true), yy = kernel_sum(ny, y, ny, y, d, scale, true);
    double xy = kernel_sum(nx, x, ny, y, d, scale, false);
    *out = 2 * xx / (m * (m - 1)) + 2 * yy / (n * (n - 1)) - 2 * xy / (m * n);
    return NIGH_OK;
}

static void centre_columns(int64_t n, int64_t d, const double *from, double *to)
{
    for (int64_t j = 0; j < d; j++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++) mean += from[i * d + j];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++) to[i * d + j] = from[i * d + j] - mean;
    }
}

/* Squared Frobenius norm of a^T b for a [n,p], b [n,q]; `product` holds p q numbers. */
static double cross_norm(int64_t n, int64_t p, const double *a, int64_t q, const double *b, double *product)
{
    memset(product, 0, (size_t)(p * q) * sizeof *product);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p; j++)
            for (int64_t k = 0; k < q; k++) product[j * q + k] += a[i * p + j] * b[i * q + k];
    double sum = 0;
    for (int64_t j = 0; j < p * q; j++) sum += product[j] * product[j];
    return sum;
}

nigh_status nigh_cka(nigh_context *ctx, int64_t n, int64_t dx, const double *x, int64_t dy, const double *y, double *out)
{
    if (n < 2 || dx < 1 || dy < 1)
        return nigh_fail(ctx, NIGH_INVALID, "%lld rows of %lld and %lld features; 2, 1 and 1 or more are needed",
                         (long long)n, (long long)dx, (long long)dy);
    nigh_status status = nigh_check_sample(ctx, n * dx, 1, x, -DBL_MAX, DBL_MAX);
    if (!status) status = nigh_check_sample(ctx, n * dy, 1, y, -DBL_MAX, DBL_MAX);
    if (status) return status;
    int64_t wide = dx > dy ? dx : dy;
    double *a = nigh_alloc_zero(ctx, (size_t)(n * (dx + dy) + wide * wide), sizeof *a);
    if (!a) return NIGH_MEMORY;
    double *b = a + n * dx, *product = b + n * dy;
    centre_columns(n, dx, x, a), centre_columns(n, dy, y, b);
    double xx = cross_norm(n, dx, a, dx, a, product), yy = cross_norm(n, dy, b, dy, b, product);
    double xy = cross_norm(n, dx, a, dy, b, product);
    if (xx > 0 && yy > 0) *out = xy / (sqrt(xx) * sqrt(yy));
    else status = nigh_fail(ctx, NIGH_INVALID, "the features %s are constant", xx > 0 ? "y" : "x");
    nigh_free(ctx, a);
    return status;
}

double nigh_pass_at_k(int64_t n, int64_t correct, int64_t k)
{
    if (correct < 0 || correct > n || k < 1 || k > n) return NAN;
    if (k > n - correct) return 1;
    double none = 0; /* log of (n-c over k) / (n over k) = prod over i of (1 - c / i), i = n-k+1 .. n */
    if (k <= correct) {
        for (int64_t i = n - k + 1; i <= n; i++) none += log1p(-(double)correct / (double)i);
    } else {
        for (int64_t i = n - correct + 1; i <= n; i++) none += log1p(-(double)k / (double)i);
    }
    return -expm1(none);
}
