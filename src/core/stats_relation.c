/* Lines and correlations: least squares, Pearson, Spearman, Kendall. Declared in nigh/stats.h. */
#include "nigh/stats.h"
#include "nigh/special.h"
#include "core/stats.h"

#include <float.h>
#include <math.h>

typedef struct sums {
    double mean_x, mean_y, xx, yy, xy; /* squares and product of deviations */
} sums;

static nigh_status pair_sums(nigh_context *ctx, int64_t n, int64_t least, const double *x, const double *y, sums *out)
{
    nigh_status status = nigh_check_sample(ctx, n, least, x, -DBL_MAX, DBL_MAX);
    if (!status) status = nigh_check_sample(ctx, n, least, y, -DBL_MAX, DBL_MAX);
    if (status) return nigh_within(ctx, status, "a pair of samples");
    sums s = {.mean_x = nigh_mean(n, x), .mean_y = nigh_mean(n, y)};
    for (int64_t i = 0; i < n; i++) {
        double a = x[i] - s.mean_x, b = y[i] - s.mean_y;
        s.xx += a * a, s.yy += b * b, s.xy += a * b;
    }
    *out = s;
    return NIGH_OK;
}

nigh_status nigh_line_fit(nigh_context *ctx, int64_t n, const double *x, const double *y, double confidence,
                          nigh_figure *slope, nigh_figure *intercept)
{
    sums s;
    nigh_status status = nigh_check_confidence(ctx, confidence);
    if (!status) status = pair_sums(ctx, n, 3, x, y, &s);
    if (status) return status;
    if (!(s.xx > 0)) return nigh_fail(ctx, NIGH_INVALID, "all x are %g; a line needs two different ones", x[0]);
    double b = s.xy / s.xx, a = s.mean_y - b * s.mean_x, left = 0;
    for (int64_t i = 0; i < n; i++) {
        double r = y[i] - s.mean_y - b * (x[i] - s.mean_x);
        left += r * r;
    }
    double freedom = (double)(n - 2), t = -nigh_student_t_quantile(freedom, 0.5 * (1 - confidence));
    double noise = sqrt(left / freedom), rb = t * noise / sqrt(s.xx);
    double ra = t * noise * sqrt(1 / (double)n + s.mean_x * s.mean_x / s.xx);
    if (slope) *slope = (nigh_figure){b, b - rb, b + rb, confidence, n, "least squares, Student t"};
    if (intercept) *intercept = (nigh_figure){a, a - ra, a + ra, confidence, n, "least squares, Student t"};
    return NIGH_OK;
}

static double correlation_p(double r, double freedom)
{
    double rest = (1 - r) * (1 + r);
    if (!(rest > 0)) return 0;
    return 2 * nigh_student_t_tail(freedom, fabs(r) * sqrt(freedom / rest));
}

nigh_status nigh_pearson(nigh_context *ctx, int64_t n, const double *x, const double *y, nigh_test *out)
{
    sums s;
    nigh_status status = pair_sums(ctx, n, 3, x, y, &s);
    if (status) return status;
    if (!(s.xx > 0 && s.yy > 0)) return nigh_fail(ctx, NIGH_INVALID, "%s is constant: no correlation", s.xx > 0 ? "y" : "x");
    double r = s.xy / (sqrt(s.xx) * sqrt(s.yy)), freedom = (double)(n - 2);
    r = r > 1 ? 1 : r < -1 ? -1 : r;
    *out = (nigh_test){r, freedom, correlation_p(r, freedom), n, "Pearson"};
    return NIGH_OK;
}

nigh_status nigh_spearman(nigh_context *ctx, int64_t n, const double *x, const double *y, nigh_test *out)
{
    if (n < 3) return nigh_fail(ctx, NIGH_INVALID, "n is %lld; 3 or more are needed", (long long)n);
    double *rank = nigh_alloc_zero(ctx, (size_t)n, 2 * sizeof *rank);
    if (!rank) return NIGH_MEMORY;
    nigh_status status = nigh_ranks(ctx, n, x, rank, NULL);
    if (!status) status = nigh_ranks(ctx, n, y, rank + n, NULL);
    if (!status) status = nigh_pearson(ctx, n, rank, rank + n, out);
    if (!status) out->method = "Spearman";
    nigh_free(ctx, rank);
    return status;
}

nigh_status nigh_kendall(nigh_context *ctx, int64_t n, const double *x, const double *y, nigh_test *out)
{
    sums s;
    nigh_status status = pair_sums(ctx, n, 2, x, y, &s);
    if (status) return status;
    double agree = 0, pairs_x = 0, pairs_y = 0; /* pairs that differ in x, in y */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            int a = (x[i] > x[j]) - (x[i] < x[j]), b = (y[i] > y[j]) - (y[i] < y[j]);
            agree += a * b, pairs_x += a != 0, pairs_y += b != 0;
        }
    /* Variance with ties (Kendall 1970): sums over groups of t of t(t-1)(2t+5), t(t-1), t(t-1)(t-2). */
    double part[2][3] = {{0}};
    for (int side = 0; side < 2; side++) {
        const double *z = side ? y : x;
        for (int64_t i = 0; i < n; i++) { /* every member adds its 1/t share of the group's term */
            double t = 0;
            for (int64_t j = 0; j < n; j++) t += z[j] == z[i];
            part[side][0] += (t - 1) * (2 * t + 5), part[side][1] += t - 1, part[side][2] += (t - 1) * (t - 2);
        }
    }
    if (pairs_x == 0 || pairs_y == 0) return nigh_fail(ctx, NIGH_INVALID, "%s is constant: no correlation", pairs_x > 0 ? "y" : "x");
    double m = (double)n;
    double variance = (m * (m - 1) * (2 * m + 5) - part[0][0] - part[1][0]) / 18 +
                      part[0][1] * part[1][1] / (2 * m * (m - 1)) +
                      (n > 2 ? part[0][2] * part[1][2] / (9 * m * (m - 1) * (m - 2)) : 0);
    double z = agree / sqrt(variance);
    *out = (nigh_test){agree / sqrt(pairs_x * pairs_y), NAN, 2 * nigh_normal_tail(fabs(z)), n, "Kendall tau-b"};
    return NIGH_OK;
}
