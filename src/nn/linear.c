/* Checks, predictions and standardisation of linear models. Declared in nigh/linear.h. */
#include "nn/linear.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "tensor/linalg.h"

double *linear_numbers(nigh_context *ctx, int64_t a, int64_t b, int64_t c)
{
    int64_t most;
    if (__builtin_mul_overflow(a, b, &most) || __builtin_mul_overflow(most, c, &most)) most = INT64_MAX;
    return nigh_alloc_zero(ctx, most > 0 ? (size_t)most : 1, sizeof(double));
}

nigh_status linear_check(nigh_context *ctx, const nigh_linear_data *data, double *total)
{
    if (data->n < 1 || data->d < 1 || data->n > INT_MAX || data->d > INT_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "x has %lld rows of %lld numbers; 1 to %d of each are allowed", (long long)data->n, (long long)data->d, INT_MAX);
    nigh_status status = linalg_check_finite(ctx, "x", data->n, data->d, data->x);
    if (status) return status;
    double sum = 0;
    for (int64_t i = 0; i < data->n; i++) {
        double w = linear_weight(data, i);
        if (!(w >= 0 && w < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "weight of row %lld is %g; 0 or more is allowed", (long long)i, w);
        sum += w;
    }
    if (!(sum > 0 && sum < INFINITY)) return nigh_fail(ctx, NIGH_INVALID, "the weights sum to %g; a positive sum is needed", sum);
    *total = sum;
    return NIGH_OK;
}

nigh_status linear_check_labels(nigh_context *ctx, const nigh_linear_data *data, int classes, const int32_t *label, bool every)
{
    if (classes < 2 || classes > 100000) return nigh_fail(ctx, NIGH_INVALID, "classes is %d; 2 to 100000 is allowed", classes);
    for (int64_t i = 0; i < data->n; i++)
        if (label[i] < 0 || label[i] >= classes)
            return nigh_fail(ctx, NIGH_INVALID, "label of row %lld is %d; 0 to %d is allowed", (long long)i, (int)label[i], classes - 1);
    if (!every) return NIGH_OK;
    double *seen = linear_numbers(ctx, classes, 1, 1);
    if (!seen) return NIGH_MEMORY;
    for (int64_t i = 0; i < data->n; i++) seen[label[i]] += linear_weight(data, i);
    int k = 0;
    while (k < classes && seen[k] > 0) k++;
    nigh_free(ctx, seen);
    if (k < classes)
        return nigh_fail(ctx, NIGH_INVALID, "class %d has no row of positive weight: its intercept would be infinite; leave the class out", k);
    return NIGH_OK;
}

nigh_status nigh_linear_scores(nigh_context *ctx, int64_t n, int64_t d, int64_t k, const double *x, const double *w, const double *intercept,
                               double *scores)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < k; c++) scores[i * k + c] = intercept ? intercept[c] : 0;
    return n ? linalg_gemm(ctx, false, false, n, k, d, 1, x, w, 1, scores) : NIGH_OK;
}

void nigh_linear_probabilities(int64_t n, int64_t k, const double *scores, double *probability)
{
    for (int64_t i = n - 1; k == 1 && i >= 0; i--) { /* from behind: probability may be larger than scores, but not the same array */
        double e = exp(-fabs(scores[i])), high = 1 / (1 + e), low = e / (1 + e);
        probability[2 * i] = scores[i] > 0 ? low : high, probability[2 * i + 1] = scores[i] > 0 ? high : low;
    }
    for (int64_t i = 0; k > 1 && i < n; i++) {
        const double *s = scores + i * k;
        double *p = probability + i * k, top = s[0], sum = 0;
        for (int64_t c = 1; c < k; c++) top = fmax(top, s[c]);
        for (int64_t c = 0; c < k; c++) sum += p[c] = exp(s[c] - top);
        for (int64_t c = 0; c < k; c++) p[c] /= sum;
    }
}

void nigh_linear_classes(int64_t n, int64_t k, const double *scores, int32_t *classes)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t best = k == 1 ? scores[i] > 0 : 0;
        for (int64_t c = 1; c < k; c++)
            if (scores[i * k + c] > scores[i * k + best]) best = (int32_t)c;
        classes[i] = best;
    }
}

nigh_status nigh_standardise(nigh_context *ctx, const nigh_linear_data *data, double *mean, double *scale, double *standardised)
{
    double total;
    nigh_status status = linear_check(ctx, data, &total);
    if (status) return status;
    int64_t n = data->n, d = data->d;
    memset(mean, 0, (size_t)d * sizeof *mean);
    memset(scale, 0, (size_t)d * sizeof *scale);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) mean[j] += linear_weight(data, i) / total * data->x[i * d + j];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            double off = data->x[i * d + j] - mean[j];
            scale[j] += linear_weight(data, i) / total * off * off;
        }
    for (int64_t j = 0; j < d; j++) {
        scale[j] = sqrt(scale[j]);
        if (!(scale[j] > 1e-13 * fabs(mean[j]))) scale[j] = 1; /* constant but for rounding */
    }
    for (int64_t i = 0; standardised && i < n; i++)
        for (int64_t j = 0; j < d; j++) standardised[i * d + j] = (data->x[i * d + j] - mean[j]) / scale[j];
    return NIGH_OK;
}

void nigh_standardise_fold(int64_t d, int64_t k, const double *mean, const double *scale, double *w, double *intercept)
{
    for (int64_t j = 0; j < d; j++)
        for (int64_t c = 0; c < k; c++) {
            w[j * k + c] /= scale[j];
            intercept[c] -= mean[j] * w[j * k + c];
        }
}
