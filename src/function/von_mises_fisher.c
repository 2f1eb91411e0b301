/*
 * The von Mises-Fisher law on the sphere: density, sampling, fit. Declared in nigh/bessel.h. "Directional Statistics", Mardia and Jupp; for the
 * bracket of kappa the bounds of "Computation of modified Bessel functions and their ratios" (Amos 1974).
 */
#include "nigh/bessel.h"
#include "nigh/special.h"

#include <math.h>

static const double log_two_pi = 1.83787706640934548356, log_pi = 1.14472988584940017414;

/* log C_d(kappa) + kappa: what stands at the mean direction. */
static double log_peak(int64_t d, double kappa)
{
    double half = 0.5 * (double)d, v = half - 1, s = kappa * kappa / (double)d;
    if (kappa < 0.004) /* log kappa would be large and cancel */
        return nigh_lgamma(half) - 0.69314718055994530942 - half * log_pi + (kappa - s * (0.5 - 0.25 * s / ((double)d + 2)));
    return v * log(kappa) - half * log_two_pi - nigh_log_bessel_i_scaled(v, kappa);
}

double nigh_vmf_log_constant(int64_t d, double kappa)
{
    if (d < 2 || !(kappa >= 0) || isinf(kappa)) return NAN;
    return log_peak(d, kappa) - kappa;
}

double nigh_vmf_mean_length(int64_t d, double kappa)
{
    return d < 2 || !(kappa >= 0) ? NAN : nigh_bessel_ratio_i(0.5 * (double)d - 1, kappa);
}

/* ---- checks ---- */

static nigh_status check_law(nigh_context *ctx, int64_t d, double kappa)
{
    if (d < 2) return nigh_fail(ctx, NIGH_INVALID, "the dimension is %lld; 2 or more is allowed", (long long)d);
    if (!(kappa >= 0) || isinf(kappa)) return nigh_fail(ctx, NIGH_INVALID, "kappa is %g; 0 or more, finite, is allowed", kappa);
    return NIGH_OK;
}

static double square_length(int64_t d, const double *x)
{
    double part[4] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + 4 <= d; i += 4)
        for (int j = 0; j < 4; j++) part[j] += x[i + j] * x[i + j];
    for (; i < d; i++) sum += x[i] * x[i];
    return sum + (part[0] + part[1]) + (part[2] + part[3]);
}

static nigh_status check_unit(nigh_context *ctx, int64_t d, const double *x, const char *what, int64_t index)
{
    double square = square_length(d, x);
    if (fabs(square - 1) <= 2e-6) return NIGH_OK;
    if (index < 0) return nigh_fail(ctx, NIGH_INVALID, "the %s has length %g; a unit vector is needed", what, sqrt(square));
    return nigh_fail(ctx, NIGH_INVALID, "%s %lld has length %g; unit vectors are needed", what, (long long)index, sqrt(square));
}

/* ---- density, sampling ---- */

nigh_status nigh_vmf_log_density(nigh_context *ctx, int64_t d, const double *mean, double kappa, int64_t n, const double *points, double *out)
{
    nigh_status status = check_law(ctx, d, kappa);
    if (!status) status = check_unit(ctx, d, mean, "mean direction", -1);
    if (status) return status;
    double peak = log_peak(d, kappa);
    for (int64_t i = 0; i < n; i++) {
        const double *x = points + i * d;
        double square = 0; /* |x - mean|^2 / 2 = 1 - cosine, without cancellation */
        for (int64_t j = 0; j < d; j++) square += (x[j] - mean[j]) * (x[j] - mean[j]);
        status = check_unit(ctx, d, x, "point", i);
        if (status) return status;
        out[i] = peak - 0.5 * kappa * square;
    }
    return NIGH_OK;
}

nigh_status nigh_vmf_sample(nigh_context *ctx, nigh_rng *rng, int64_t d, const double *mean, double kappa, int64_t n, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        nigh_status status = nigh_poll(ctx);
        if (!status) status = nigh_rng_von_mises_fisher(ctx, rng, d, mean, kappa, out + i * d);
        if (status) return status;
    }
    return NIGH_OK;
}

/* ---- fit ---- */

/* A'(kappa) of A = nigh_vmf_mean_length; far out by its expansion, where the exact formula cancels. */
static double mean_length_slope(int64_t d, double kappa, double a)
{
    double m = (double)d - 1;
    if (kappa == 0) return 1 / (double)d;
    if (kappa > 1e4 * (double)d) return m / (2 * kappa * kappa) * (1 - (m - 2) / (2 * kappa));
    return 1 - a * a - m * a / kappa;
}

nigh_status nigh_vmf_kappa(nigh_context *ctx, int64_t d, double length, double *kappa)
{
    nigh_status status = check_law(ctx, d, 0);
    if (status) return status;
    if (!(length >= 0 && length < 1))
        return nigh_fail(ctx, NIGH_INVALID, "the mean length is %.17g; from 0 to below 1 is allowed (1 would be infinite kappa)", length);
    /* x / (a + sqrt(x^2 + b^2)) <= A(x) <= x / (a + sqrt(x^2 + a^2)), a = (d-1)/2, b = a + 1 */
    double a = 0.5 * ((double)d - 1), rest = (1 - length) * (1 + length), low = 2 * a * length / rest;
    double high = length * (a + sqrt(a * a + rest * (2 * a + 1))) / rest, x = 0.5 * (low + high);
    low *= 1 - 1e-14;
    high *= 1 + 1e-14;
    if (high < 1e-300) x = low = high = (double)d * length;
    for (int step = 0; step < 100 && high > low; step++) {
        double value = nigh_vmf_mean_length(d, x), next;
        if (value == length) break;
        if (value < length) low = x;
        else high = x;
        next = x - (value - length) / mean_length_slope(d, x, value);
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        bool settled = fabs(next - x) <= 0x1p-52 * x;
        x = next;
        if (settled) break;
    }
    *kappa = x;
    return NIGH_OK;
}

nigh_status nigh_vmf_fit_sum(nigh_context *ctx, int64_t n, int64_t d, const double *sum, double *mean, nigh_vmf_fit *fit)
{
    nigh_status status = check_law(ctx, d, 0);
    if (status) return status;
    if (n < 2) return nigh_fail(ctx, NIGH_INVALID, "there are %lld vectors; a fit needs 2 or more", (long long)n);
    double most = 0, square = 0;
    for (int64_t j = 0; j < d; j++) {
        if (!isfinite(sum[j])) return nigh_fail(ctx, NIGH_INVALID, "sum[%lld] is %g; finite numbers are needed", (long long)j, sum[j]);
        most = fmax(most, fabs(sum[j]));
    }
    for (int64_t j = 0; j < d && most > 0; j++) square += sum[j] / most * (sum[j] / most);
    double total = most * sqrt(square), length = total / (double)n;
    if (!(length > 1e-15)) return nigh_fail(ctx, NIGH_INVALID, "the vectors sum to 0, so they have no mean direction; kappa would be 0");
    if (length > 1 + 1e-6) return nigh_fail(ctx, NIGH_INVALID, "the mean of %lld vectors has length %g; that of unit vectors is at most 1", (long long)n, length);
    if (length >= 1 - 0x1p-52) return nigh_fail(ctx, NIGH_INVALID, "all vectors point the same way; kappa would be infinite");
    double kappa;
    status = nigh_vmf_kappa(ctx, d, length, &kappa);
    if (status) return status;
    double a = nigh_vmf_mean_length(d, kappa);
    for (int64_t j = 0; j < d; j++) mean[j] = sum[j] / total;
    *fit = (nigh_vmf_fit){.kappa = kappa, .length = length, .slope = length - a, .error = 1 / sqrt((double)n * mean_length_slope(d, kappa, a)),
                          .log_likelihood = log_peak(d, kappa) - kappa * (1 - length)};
    return NIGH_OK;
}

nigh_status nigh_vmf_fit_points(nigh_context *ctx, int64_t n, int64_t d, const double *points, double *mean, nigh_vmf_fit *fit)
{
    nigh_status status = check_law(ctx, d, 0);
    if (status) return status;
    double *sum = nigh_alloc_zero(ctx, (size_t)d, sizeof *sum);
    if (!sum) return NIGH_MEMORY;
    for (int64_t i = 0; i < n && !status; i++) {
        status = nigh_poll(ctx);
        if (!status) status = check_unit(ctx, d, points + i * d, "vector", i);
        for (int64_t j = 0; j < d && !status; j++) sum[j] += points[i * d + j];
    }
    if (!status) status = nigh_vmf_fit_sum(ctx, n, d, sum, mean, fit);
    nigh_free(ctx, sum);
    return status;
}
