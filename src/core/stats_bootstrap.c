/* Percentile bootstrap (Efron 1979) and Student's interval of a mean. Declared in nigh/stats.h. */
#include "nigh/stats.h"
#include "nigh/special.h"
#include "core/stats.h"

#include <float.h>
#include <math.h>

nigh_status nigh_mean_student(nigh_context *ctx, int64_t n, const double *x, double confidence, nigh_figure *out)
{
    nigh_status status = nigh_check_confidence(ctx, confidence);
    if (!status) status = nigh_check_sample(ctx, n, 2, x, -DBL_MAX, DBL_MAX);
    if (status) return status;
    nigh_moments moments = {0};
    for (int64_t i = 0; i < n; i++) nigh_moments_add(&moments, x[i]);
    double t = -nigh_student_t_quantile((double)(n - 1), 0.5 * (1 - confidence)), mean = nigh_mean(n, x);
    double radius = t * nigh_moments_stderr(&moments);
    *out = (nigh_figure){mean, mean - radius, mean + radius, confidence, n, "Student t"};
    return NIGH_OK;
}

static double mean_difference(void *user, int64_t count, const int64_t *index)
{
    const double *difference = user;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += difference[index[i]];
    return sum / (double)count;
}

nigh_status nigh_bootstrap(nigh_context *ctx, int64_t n, int64_t resamples, uint64_t seed, double confidence,
                           nigh_statistic_fn *statistic, void *user, nigh_figure *out)
{
    if (nigh_check_confidence(ctx, confidence)) return NIGH_INVALID;
    if (n < 1 || resamples < 20)
        return nigh_fail(ctx, NIGH_INVALID, "%lld resamples of n = %lld; 20 or more of 1 or more are needed",
                         (long long)resamples, (long long)n);
    nigh_status status = NIGH_OK;
    int64_t *index = nigh_alloc_zero(ctx, (size_t)n, sizeof *index);
    double *value = nigh_alloc_zero(ctx, (size_t)resamples, sizeof *value);
    if (!index || !value) {
        status = NIGH_MEMORY;
        goto done;
    }
    for (int64_t i = 0; i < n; i++) index[i] = i;
    double estimate = statistic(user, n, index);
    for (int64_t b = 0; b < resamples; b++) {
        if ((status = nigh_poll(ctx))) goto done;
        nigh_rng rng = nigh_rng_new(seed, (uint64_t)b);
        for (int64_t i = 0; i < n; i++) index[i] = (int64_t)nigh_rng_below(&rng, (uint64_t)n);
        value[b] = statistic(user, n, index);
        if (isnan(value[b])) {
            status = nigh_fail(ctx, NIGH_FAILED, "the statistic of resample %lld is NaN", (long long)b);
            goto done;
        }
    }
    double tail = 0.5 * (1 - confidence);
    out->estimate = estimate;
    out->low = nigh_quantile(resamples, value, tail);
    out->high = nigh_quantile(resamples, value, 1 - tail);
    out->confidence = confidence, out->n = n, out->method = "percentile bootstrap";
done:
    nigh_free(ctx, index), nigh_free(ctx, value);
    return status;
}

nigh_status nigh_bootstrap_paired(nigh_context *ctx, int64_t n, const double *x, const double *y, int64_t resamples,
                                  uint64_t seed, double confidence, nigh_figure *out)
{
    nigh_status status = nigh_check_sample(ctx, n, 1, x, -DBL_MAX, DBL_MAX);
    if (!status) status = nigh_check_sample(ctx, n, 1, y, -DBL_MAX, DBL_MAX);
    if (status) return status;
    double *difference = nigh_alloc_zero(ctx, (size_t)n, sizeof *difference);
    if (!difference) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) difference[i] = x[i] - y[i];
    status = nigh_bootstrap(ctx, n, resamples, seed, confidence, mean_difference, difference, out);
    if (status == NIGH_OK) out->method = "paired bootstrap";
    nigh_free(ctx, difference);
    return status;
}
