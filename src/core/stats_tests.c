/* Tests of one and two samples. Declared in nigh/stats.h. */
#include "nigh/stats.h"
#include "nigh/special.h"
#include "core/stats.h"

#include <float.h>
#include <math.h>
#include <string.h>

nigh_status nigh_chi_square_fit(nigh_context *ctx, int64_t n, const double *counts, const double *expected,
                                int64_t fitted, nigh_test *out)
{
    nigh_status status = nigh_check_sample(ctx, n, 2, counts, 0, 1e300);
    if (!status) status = nigh_within(ctx, nigh_check_sample(ctx, n, 2, expected, 1e-300, 1e300), "expected");
    if (status) return status;
    if (fitted < 0 || fitted > n - 2)
        return nigh_fail(ctx, NIGH_INVALID, "%lld parameters fitted to %lld cells; 0 to %lld are allowed", (long long)fitted,
                         (long long)n, (long long)(n - 2));
    double total = nigh_sum(n, counts), scale = total / nigh_sum(n, expected), statistic = 0;
    if (!(total > 0)) return nigh_fail(ctx, NIGH_INVALID, "all counts are 0");
    for (int64_t i = 0; i < n; i++) {
        double e = expected[i] * scale, d = counts[i] - e;
        statistic += d * d / e;
    }
    double freedom = (double)(n - 1 - fitted);
    *out = (nigh_test){statistic, freedom, nigh_chi_square_tail(freedom, statistic), (int64_t)total, "chi-square fit"};
    return NIGH_OK;
}

nigh_status nigh_chi_square_two(nigh_context *ctx, int64_t n, const double *counts1, const double *counts2,
                                nigh_test *out)
{
    nigh_status status = nigh_check_sample(ctx, n, 2, counts1, 0, 1e300);
    if (!status) status = nigh_check_sample(ctx, n, 2, counts2, 0, 1e300);
    if (status) return status;
    double total1 = nigh_sum(n, counts1), total2 = nigh_sum(n, counts2), statistic = 0;
    int64_t cells = 0;
    if (!(total1 > 0 && total2 > 0)) return nigh_fail(ctx, NIGH_INVALID, "histogram %d is empty", total1 > 0 ? 2 : 1);
    for (int64_t i = 0; i < n; i++) {
        double both = counts1[i] + counts2[i];
        if (both == 0) continue;
        double d = counts1[i] * sqrt(total2 / total1) - counts2[i] * sqrt(total1 / total2);
        statistic += d * d / both;
        cells++;
    }
    if (cells < 2) return nigh_fail(ctx, NIGH_INVALID, "all counts fall in one cell");
    double freedom = (double)(cells - 1);
    *out = (nigh_test){statistic, freedom, nigh_chi_square_tail(freedom, statistic), (int64_t)(total1 + total2),
                       "chi-square, two samples"};
    return NIGH_OK;
}

nigh_status nigh_welch(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y, nigh_test *out)
{
    nigh_status status = nigh_check_sample(ctx, nx, 2, x, -DBL_MAX, DBL_MAX);
    if (!status) status = nigh_check_sample(ctx, ny, 2, y, -DBL_MAX, DBL_MAX);
    if (status) return status;
    nigh_moments a = {0}, b = {0};
    for (int64_t i = 0; i < nx; i++) nigh_moments_add(&a, x[i]);
    for (int64_t i = 0; i < ny; i++) nigh_moments_add(&b, y[i]);
    double va = nigh_moments_variance(&a) / (double)nx, vb = nigh_moments_variance(&b) / (double)ny, v = va + vb;
    if (!(v > 0)) return nigh_fail(ctx, NIGH_INVALID, "both samples are constant");
    double t = (a.mean - b.mean) / sqrt(v), freedom = v * v / (va * va / (double)(nx - 1) + vb * vb / (double)(ny - 1));
    *out = (nigh_test){t, freedom, 2 * nigh_student_t_tail(freedom, fabs(t)), nx + ny, "Welch t"};
    return NIGH_OK;
}

nigh_status nigh_sign_test(nigh_context *ctx, int64_t wins, int64_t losses, nigh_test *out)
{
    if (wins < 0 || losses < 0)
        return nigh_fail(ctx, NIGH_INVALID, "%lld wins and %lld losses; 0 or more are allowed", (long long)wins, (long long)losses);
    int64_t n = wins + losses, fewer = wins < losses ? wins : losses;
    double p = n == 0 ? 1 : 2 * nigh_binomial_cdf((double)n, 0.5, (double)fewer);
    *out = (nigh_test){(double)wins, NAN, p < 1 ? p : 1, n, "sign test"};
    return NIGH_OK;
}

/* Chance that a sum of a random subset of 1..n is at most `sum` (Wilcoxon's law), by counting; n <= 50. */
static double wilcoxon_cdf(int n, int sum)
{
    double chance[50 * 51 / 2 + 1] = {1};
    int total = 0;
    for (int i = 1; i <= n; i++) {
        total += i;
        for (int s = total; s >= 0; s--) chance[s] = 0.5 * (chance[s] + (s >= i ? chance[s - i] : 0));
    }
    double cdf = 0;
    for (int s = 0; s <= sum && s <= total; s++) cdf += chance[s];
    return cdf < 1 ? cdf : 1;
}

nigh_status nigh_wilcoxon(nigh_context *ctx, int64_t n, const double *d, nigh_test *out)
{
    nigh_status status = nigh_check_sample(ctx, n, 1, d, -INFINITY, INFINITY);
    if (status) return status;
    double *size = nigh_alloc_zero(ctx, (size_t)n, 2 * sizeof *size), *rank = size ? size + n : NULL;
    if (!size) return NIGH_MEMORY;
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++)
        if (d[i] != 0) size[used++] = fabs(d[i]);
    double ties = 0, positive = 0, m = (double)used, p = 1;
    status = nigh_ranks(ctx, used, size, rank, &ties);
    if (status) goto done;
    for (int64_t i = 0, at = 0; i < n; i++) {
        if (d[i] == 0) continue;
        if (d[i] > 0) positive += rank[at];
        at++;
    }
    double all = 0.5 * m * (m + 1), fewer = fmin(positive, all - positive);
    if (used > 0 && used <= 50 && ties == 0) {
        p = 2 * wilcoxon_cdf((int)used, (int)fewer);
    } else if (used > 0) {
        double deviation = sqrt(m * (m + 1) * (2 * m + 1) / 24 - ties / 48);
        double gap = fabs(positive - 0.5 * all) - 0.5;
        p = gap <= 0 ? 1 : 2 * nigh_normal_tail(gap / deviation);
    }
    *out = (nigh_test){positive, NAN, p < 1 ? p : 1, used, "Wilcoxon signed rank"};
done:
    nigh_free(ctx, size);
    return status;
}

enum { EXACT_MOST = 40 };

/* Chance that U <= u for samples of nx and ny without ties: subsets of nx of the ranks by sum. */
static double mann_whitney_cdf(int nx, int ny, int u)
{
    double ways[EXACT_MOST / 2 + 1][EXACT_MOST * EXACT_MOST / 4 + 1];
    if (nx > ny) { /* U's law is symmetric in the two */
        int swap = nx;
        nx = ny, ny = swap;
    }
    int most = nx * ny;
    memset(ways, 0, sizeof ways);
    ways[0][0] = 1;
    /* One rank after the other joins x or y; a rank that joins as x's k-th, after j of y, adds j to U. */
    for (int item = 0; item < nx + ny; item++)
        for (int k = nx < item + 1 ? nx : item + 1; k >= 1; k--) {
            int below = item - (k - 1); /* of y */
            if (below < 0 || below > ny) continue;
            for (int s = most; s >= below; s--) ways[k][s] += ways[k - 1][s - below];
        }
    double sum = 0, all = 0;
    for (int s = 0; s <= most; s++) {
        all += ways[nx][s];
        if (s <= u) sum += ways[nx][s];
    }
    return sum / all;
}

nigh_status nigh_mann_whitney(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y, nigh_test *out)
{
    nigh_status status = nigh_check_sample(ctx, nx, 1, x, -INFINITY, INFINITY);
    if (!status) status = nigh_check_sample(ctx, ny, 1, y, -INFINITY, INFINITY);
    if (status) return status;
    int64_t n = nx + ny;
    double *both = nigh_alloc_zero(ctx, (size_t)n, 2 * sizeof *both), *rank = both ? both + n : NULL, ties = 0, sum = 0, p;
    if (!both) return NIGH_MEMORY;
    memcpy(both, x, (size_t)nx * sizeof *x);
    memcpy(both + nx, y, (size_t)ny * sizeof *y);
    status = nigh_ranks(ctx, n, both, rank, &ties);
    if (status) goto done;
    for (int64_t i = 0; i < nx; i++) sum += rank[i];
    double a = (double)nx, b = (double)ny, m = (double)n, u = sum - 0.5 * a * (a + 1), fewer = fmin(u, a * b - u);
    if (ties == 0 && n <= EXACT_MOST) {
        p = 2 * mann_whitney_cdf((int)nx, (int)ny, (int)fewer);
    } else {
        double variance = a * b / 12 * (m + 1 - ties / (m * (m - 1))), gap = fabs(u - 0.5 * a * b) - 0.5;
        p = gap <= 0 || !(variance > 0) ? 1 : 2 * nigh_normal_tail(gap / sqrt(variance));
    }
    *out = (nigh_test){u, NAN, p < 1 ? p : 1, n, "Mann-Whitney"};
done:
    nigh_free(ctx, both);
    return status;
}

/* ---- Kolmogorov and Smirnov ---- */

static double kolmogorov_p(double d, double n)
{
    double root = sqrt(n); /* Stephens 1970: brings the limit law close at n >= 5 */
    return nigh_kolmogorov_tail(d * (root + 0.12 + 0.11 / root));
}

nigh_status nigh_kolmogorov_fit(nigh_context *ctx, int64_t n, const double *x, nigh_cdf_fn *cdf, void *user, nigh_test *out)
{
    nigh_status status = nigh_check_sample(ctx, n, 1, x, -INFINITY, INFINITY);
    if (status) return status;
    double *sorted = nigh_alloc_zero(ctx, (size_t)n, sizeof *sorted), most = 0;
    if (!sorted) return NIGH_MEMORY;
    memcpy(sorted, x, (size_t)n * sizeof *x);
    nigh_sort(n, sorted);
    for (int64_t i = 0; i < n; i++) {
        double f = cdf(user, sorted[i]);
        if (!(f >= 0 && f <= 1)) {
            status = nigh_fail(ctx, NIGH_FAILED, "the distribution function gives %g at %g", f, sorted[i]);
            goto done;
        }
        most = fmax(most, fmax((double)(i + 1) / (double)n - f, f - (double)i / (double)n));
    }
    *out = (nigh_test){most, NAN, kolmogorov_p(most, (double)n), n, "Kolmogorov-Smirnov"};
done:
    nigh_free(ctx, sorted);
    return status;
}

nigh_status nigh_kolmogorov_two(nigh_context *ctx, int64_t nx, const double *x, int64_t ny, const double *y, nigh_test *out)
{
    nigh_status status = nigh_check_sample(ctx, nx, 1, x, -INFINITY, INFINITY);
    if (!status) status = nigh_check_sample(ctx, ny, 1, y, -INFINITY, INFINITY);
    if (status) return status;
    double *a = nigh_alloc_zero(ctx, (size_t)(nx + ny), sizeof *a), *b = a ? a + nx : NULL, most = 0;
    if (!a) return NIGH_MEMORY;
    memcpy(a, x, (size_t)nx * sizeof *x);
    memcpy(b, y, (size_t)ny * sizeof *y);
    nigh_sort(nx, a), nigh_sort(ny, b);
    for (int64_t i = 0, j = 0; i < nx && j < ny;) {
        double at = fmin(a[i], b[j]);
        while (i < nx && a[i] == at) i++;
        while (j < ny && b[j] == at) j++;
        most = fmax(most, fabs((double)i / (double)nx - (double)j / (double)ny));
    }
    double n = (double)nx * (double)ny / (double)(nx + ny);
    *out = (nigh_test){most, NAN, kolmogorov_p(most, n), nx + ny, "Kolmogorov-Smirnov, two samples"};
    nigh_free(ctx, a);
    return NIGH_OK;
}
