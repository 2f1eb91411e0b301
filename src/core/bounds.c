/*
 * Finite-sample bounds: shares, quantiles, the worst case, Hoeffding, empirical Bernstein, Chernoff in kl form. Declared
 * in nigh/stats.h. The betting bound of a mean is in bounds_betting.c.
 */
#include "nigh/stats.h"
#include "nigh/special.h"
#include "core/stats.h"

#include <math.h>

nigh_status nigh_check_sample(nigh_context *ctx, int64_t n, int64_t least, const double *x, double low, double high)
{
    if (n < least) return nigh_fail(ctx, NIGH_INVALID, "n is %lld; %lld or more are needed", (long long)n, (long long)least);
    for (int64_t i = 0; i < n; i++)
        if (!(x[i] >= low && x[i] <= high))
            return nigh_fail(ctx, NIGH_INVALID, "x[%lld] is %g; %g to %g is allowed", (long long)i, x[i], low, high);
    return NIGH_OK;
}

nigh_status nigh_check_confidence(nigh_context *ctx, double confidence)
{
    if (confidence > 0 && confidence < 1) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "confidence is %g; it must lie inside 0 and 1", confidence);
}

nigh_status nigh_bound_share(nigh_context *ctx, int64_t failures, int64_t n, double confidence, bool two_sided,
                             nigh_figure *out)
{
    if (nigh_check_confidence(ctx, confidence)) return NIGH_INVALID;
    if (n < 1 || failures < 0 || failures > n)
        return nigh_fail(ctx, NIGH_INVALID, "%lld failures of n = %lld; n >= 1 and 0 to n failures are allowed",
                         (long long)failures, (long long)n);
    double k = (double)failures, rest = (double)(n - failures), miss = two_sided ? (1 - confidence) / 2 : 1 - confidence;
    out->estimate = k / (double)n;
    out->low = two_sided && failures > 0 ? nigh_beta_p_inverse(k, rest + 1, miss) : 0;
    out->high = failures < n ? nigh_beta_q_inverse(k + 1, rest, miss) : 1;
    out->confidence = confidence, out->n = n, out->method = "Clopper-Pearson";
    return NIGH_OK;
}

nigh_status nigh_bound_quantile(nigh_context *ctx, int64_t n, const double *x, double q, double confidence,
                                nigh_figure *out)
{
    if (nigh_check_confidence(ctx, confidence)) return NIGH_INVALID;
    if (!(q > 0 && q < 1)) return nigh_fail(ctx, NIGH_INVALID, "q is %g; it must lie inside 0 and 1", q);
    nigh_status status = nigh_check_sample(ctx, n, 1, x, -INFINITY, INFINITY);
    if (status) return status;
    double *copy = nigh_alloc(ctx, (size_t)n * sizeof *copy);
    if (!copy) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) copy[i] = x[i];
    /* The r-th smallest bounds the quantile unless r or more of n draws lie below it: P(Bin(n, q) <= r - 1) is the
     * confidence, for laws with atoms it is more. The smallest such r by bisection. */
    int64_t low = 0, high = n + 1;
    while (high - low > 1) {
        int64_t r = low + (high - low) / 2;
        if (nigh_binomial_cdf((double)n, q, (double)(r - 1)) >= confidence) high = r;
        else low = r;
    }
    out->high = high <= n && nigh_binomial_cdf((double)n, q, (double)(high - 1)) >= confidence
                    ? nigh_order_statistic(n, copy, high - 1)
                    : INFINITY;
    out->estimate = nigh_quantile(n, copy, q);
    out->low = -INFINITY;
    out->confidence = confidence, out->n = n, out->method = "order statistic";
    nigh_free(ctx, copy);
    return NIGH_OK;
}

nigh_status nigh_bound_worst(nigh_context *ctx, int64_t n, const double *x, double confidence, double *worst,
                             nigh_figure *out)
{
    if (nigh_check_confidence(ctx, confidence)) return NIGH_INVALID;
    nigh_status status = nigh_check_sample(ctx, n, 1, x, -INFINITY, INFINITY);
    if (status) return status;
    *worst = x[0];
    for (int64_t i = 1; i < n; i++) *worst = x[i] > *worst ? x[i] : *worst;
    *out = (nigh_figure){0, 0, -expm1(log1p(-confidence) / (double)n), confidence, n, "largest of n"};
    return NIGH_OK;
}

static nigh_status check_interval(nigh_context *ctx, double low, double high)
{
    if (low < high && isfinite(low) && isfinite(high)) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "range is %g to %g; finite and increasing is needed", low, high);
}

static void around(nigh_figure *out, double mean, double radius, double low, double high)
{
    out->estimate = mean;
    out->low = mean - radius > low ? mean - radius : low;
    out->high = mean + radius < high ? mean + radius : high;
}

nigh_status nigh_bound_hoeffding(nigh_context *ctx, int64_t n, const double *x, double low, double high,
                                 double confidence, nigh_figure *out)
{
    nigh_status status = nigh_check_confidence(ctx, confidence);
    if (!status) status = check_interval(ctx, low, high);
    if (!status) status = nigh_check_sample(ctx, n, 1, x, low, high);
    if (status) return status;
    around(out, nigh_mean(n, x), (high - low) * sqrt(log(2 / (1 - confidence)) / (2 * (double)n)), low, high);
    out->confidence = confidence, out->n = n, out->method = "Hoeffding";
    return NIGH_OK;
}

nigh_status nigh_bound_bernstein(nigh_context *ctx, int64_t n, const double *x, double low, double high,
                                 double confidence, nigh_figure *out)
{
    nigh_status status = nigh_check_confidence(ctx, confidence);
    if (!status) status = check_interval(ctx, low, high);
    if (!status) status = nigh_check_sample(ctx, n, 2, x, low, high);
    if (status) return status;
    nigh_moments moments = {0};
    for (int64_t i = 0; i < n; i++) nigh_moments_add(&moments, x[i]);
    double weight = log(4 / (1 - confidence)); /* log(2/delta), delta = half of what may go wrong */
    double radius = sqrt(2 * nigh_moments_variance(&moments) * weight / (double)n) +
                    7 * (high - low) * weight / (3 * ((double)n - 1));
    around(out, nigh_mean(n, x), radius, low, high);
    out->confidence = confidence, out->n = n, out->method = "empirical Bernstein";
    return NIGH_OK;
}

double nigh_kl_bernoulli(double q, double p)
{
    if (!(q >= 0 && q <= 1 && p >= 0 && p <= 1)) return NAN;
    double left = q == 0 ? 0 : q * log(q / p), right = q == 1 ? 0 : (1 - q) * log((1 - q) / (1 - p));
    double value = left + right;
    return value > 0 ? value : 0;
}

/* Bisects between a p with kl <= budget and an end beyond; returns the side that is beyond: safe for a bound. */
static double kl_inverse(double q, double budget, double inside, double beyond)
{
    if (!(q >= 0 && q <= 1 && budget >= 0)) return NAN;
    if (nigh_kl_bernoulli(q, beyond) <= budget) return beyond;
    for (int step = 0; step < 200; step++) {
        double middle = 0.5 * (inside + beyond);
        if (middle == inside || middle == beyond) break;
        if (nigh_kl_bernoulli(q, middle) <= budget) inside = middle;
        else beyond = middle;
    }
    return beyond;
}

double nigh_kl_inverse_upper(double q, double budget) { return kl_inverse(q, budget, q, 1); }
double nigh_kl_inverse_lower(double q, double budget) { return kl_inverse(q, budget, q, 0); }

nigh_status nigh_bound_kl(nigh_context *ctx, int64_t n, const double *x, double limit, double confidence, nigh_figure *out)
{
    nigh_status status = nigh_check_confidence(ctx, confidence);
    if (!status) status = check_interval(ctx, 0, limit);
    if (!status) status = nigh_check_sample(ctx, n, 1, x, 0, limit);
    if (status) return status;
    double mean = nigh_mean(n, x), share = mean / limit < 1 ? mean / limit : 1;
    double high = limit * nigh_kl_inverse_upper(share, -log1p(-confidence) / (double)n);
    *out = (nigh_figure){mean, 0, high < limit ? high : limit, confidence, n, "Chernoff kl"};
    return NIGH_OK;
}

double nigh_confidence_each(double confidence, int64_t figures)
{
    return figures > 0 ? 1 - (1 - confidence) / (double)figures : confidence;
}
