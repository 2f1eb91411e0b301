/* The bounds of nigh/stats.h: coverage on known laws (small; bench/bounds_coverage is the large run), exact values, width,
 * safe rounding, bad input. */
#include "support.h"
#include "nigh/special.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Lognormal(sigma) clipped at 5 * 1.25 * mean, and its clipped mean. */
static double lognormal_limit(double s) { return 6.25 * exp(s * s / 2); }
static double lognormal_clipped(double s)
{
    double c = lognormal_limit(s);
    return exp(s * s / 2) * nigh_normal_cdf((log(c) - s * s) / s) + c * nigh_normal_tail(log(c) / s);
}

static void betting_covers_and_is_tight(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { DRAWS = 600, N = 300 };
    static const double sigma[] = {0.5, 1.5}, slack[] = {1.12, 1.25};
    for (int law = 0; law < 2; law++) {
        double x[N], ratio[DRAWS], limit = lognormal_limit(sigma[law]), truth = lognormal_clipped(sigma[law]);
        int covered = 0;
        for (int d = 0; d < DRAWS; d++) {
            nigh_rng rng = nigh_rng_new(11 + (uint64_t)law, (uint64_t)d);
            for (int i = 0; i < N; i++) x[i] = fmin(exp(sigma[law] * nigh_rng_normal(&rng)), limit);
            nigh_figure f;
            assert_ok(ctx, nigh_bound_mean_betting(ctx, N, x, limit, 0.95, &f));
            assert_true(f.estimate <= f.high && f.high <= limit && f.low == 0 && f.n == N && f.confidence == 0.95);
            covered += f.high >= truth;
            ratio[d] = f.high / truth;
        }
        assert_true(covered >= 0.92 * DRAWS); /* .95 less 3.4 standard errors */
        assert_true(nigh_median(DRAWS, ratio) <= slack[law]);
    }
    test_context_free(ctx);
}

/* Constants, zeros, the limit itself, scale, determinism. */
static void betting_edges(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[1000];
    nigh_figure f, g;
    for (int i = 0; i < 1000; i++) x[i] = 1;
    assert_ok(ctx, nigh_bound_mean_betting(ctx, 1000, x, 6.25, 0.95, &f));
    assert_true(f.high > 1 && f.high < 1.03 && f.estimate == 1);
    assert_ok(ctx, nigh_bound_mean_betting(ctx, 1000, x, 6.25, 0.95, &g));
    assert_memory_equal(&f, &g, sizeof f); /* the same bits */
    assert_ok(ctx, nigh_bound_mean_betting(ctx, 1000, x, 6.25, 0.999, &g));
    assert_true(g.high > f.high);
    /* no better than the exact bound of a share: nothing but zeros says mean <= 1 - .05^(1/n), not less */
    memset(x, 0, sizeof x);
    for (int n = 1; n <= 1000; n = 3 * n + 1) {
        assert_ok(ctx, nigh_bound_mean_betting(ctx, n, x, 2, 0.95, &f));
        assert_true(f.high >= 2 * -expm1(log(0.05) / n) * (1 - 1e-9));
        assert_true(f.high <= 2 && (n < 10 || f.high <= 2 * 6.0 / n));
    }
    /* all at the limit: nothing can be rejected */
    for (int i = 0; i < 50; i++) x[i] = 3;
    assert_ok(ctx, nigh_bound_mean_betting(ctx, 50, x, 3, 0.95, &f));
    assert_true(f.high == 3);
    assert_ok(ctx, nigh_bound_mean_betting(ctx, 1, x, 3, 0.5, &f));
    assert_true(f.high == 3);
    /* scale does not matter */
    nigh_rng rng = nigh_rng_new(5, 0);
    double y[400], scaled[400];
    for (int i = 0; i < 400; i++) y[i] = nigh_rng_f64(&rng), scaled[i] = 1e-30 * y[i];
    assert_ok(ctx, nigh_bound_mean_betting(ctx, 400, y, 2, 0.95, &f));
    assert_ok(ctx, nigh_bound_mean_betting(ctx, 400, scaled, 2e-30, 0.95, &g));
    assert_near(g.high, 1e-30 * f.high, 0, 1e-9);
    assert_true(f.high > 0.5 && f.high < 0.6);
    test_context_free(ctx);
}

/* Bernoulli draws: all 2^n outcomes of a small n are enumerated, so the coverage is exact, not sampled. */
static void betting_coverage_enumerated(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 10 };
    static const double chance[] = {0.05, 0.2, 0.3, 0.5, 0.75, 0.9};
    double missed[6] = {0};
    for (int outcome = 0; outcome < 1 << N; outcome++) {
        double x[N];
        int ones = 0;
        for (int i = 0; i < N; i++) x[i] = outcome >> i & 1, ones += outcome >> i & 1;
        nigh_figure f;
        assert_ok(ctx, nigh_bound_mean_betting(ctx, N, x, 1, 0.8, &f));
        for (int c = 0; c < 6; c++)
            if (f.high < chance[c]) missed[c] += pow(chance[c], ones) * pow(1 - chance[c], N - ones);
    }
    for (int c = 0; c < 6; c++) assert_true(missed[c] <= 0.2);
    assert_true(missed[3] > 0.02); /* and it does not cover by being idle */
    test_context_free(ctx);
}

static void betting_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[4] = {0.1, 0.2, 0.3, 0.4};
    nigh_figure f = {.n = -7};
    assert_fails(ctx, nigh_bound_mean_betting(ctx, 0, x, 1, 0.95, &f), NIGH_INVALID, "n is 0");
    assert_fails(ctx, nigh_bound_mean_betting(ctx, 4, x, 0, 0.95, &f), NIGH_INVALID, "limit is 0");
    assert_fails(ctx, nigh_bound_mean_betting(ctx, 4, x, INFINITY, 0.95, &f), NIGH_INVALID, "limit is inf");
    assert_fails(ctx, nigh_bound_mean_betting(ctx, 4, x, 1, 1, &f), NIGH_INVALID, "confidence is 1");
    assert_fails(ctx, nigh_bound_mean_betting(ctx, 4, x, 0.25, 0.95, &f), NIGH_INVALID, "x[2] is 0.3");
    x[1] = NAN;
    assert_fails(ctx, nigh_bound_mean_betting(ctx, 4, x, 1, 0.95, &f), NIGH_INVALID, "x[1] is nan");
    x[1] = -1e-9;
    assert_fails(ctx, nigh_bound_mean_betting(ctx, 4, x, 1, 0.95, &f), NIGH_INVALID, "x[1] is -1e-09");
    assert_int_equal(f.n, -7);
    test_context_free(ctx);
}

static void shares(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_figure f;
    assert_ok(ctx, nigh_bound_share(ctx, 3, 100, 0.95, true, &f)); /* SciPy's */
    assert_near(f.low, 0.006229971538306227, 0, 1e-12);
    assert_near(f.high, 0.08517605297428028, 0, 1e-12);
    assert_ok(ctx, nigh_bound_share(ctx, 3, 100, 0.95, false, &f));
    assert_near(f.high, 0.07571079374983004, 0, 1e-12);
    assert_true(f.low == 0 && f.estimate == 0.03);
    assert_ok(ctx, nigh_bound_share(ctx, 0, 300, 0.95, false, &f));
    assert_near(f.high, -expm1(log(0.05) / 300), 0, 1e-12);
    assert_ok(ctx, nigh_bound_share(ctx, 300, 300, 0.95, true, &f));
    assert_true(f.high == 1 && f.low > 0.98);
    assert_fails(ctx, nigh_bound_share(ctx, 5, 4, 0.95, false, &f), NIGH_INVALID, "5 failures of n = 4");
    /* exact coverage at n = 30, by enumeration */
    for (double p = 0.01; p < 1; p += 0.07) {
        double missed = 0;
        for (int k = 0; k <= 30; k++) {
            assert_ok(ctx, nigh_bound_share(ctx, k, 30, 0.95, false, &f));
            if (f.high < p) missed += nigh_binomial_mass(30, p, k);
        }
        assert_true(missed <= 0.05 + 1e-12);
    }
    test_context_free(ctx);
}

static void quantiles_and_worst(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[200], worst;
    nigh_figure f;
    for (int i = 0; i < 200; i++) x[i] = (i * 83) % 200; /* 0 .. 199 shuffled */
    assert_ok(ctx, nigh_bound_quantile(ctx, 58, x, 0.95, 0.95, &f));
    assert_true(isinf(f.high));
    double most = 0;
    for (int i = 0; i < 59; i++) most = fmax(most, x[i]);
    assert_ok(ctx, nigh_bound_quantile(ctx, 59, x, 0.95, 0.95, &f));
    assert_true(f.high == most);
    assert_ok(ctx, nigh_bound_quantile(ctx, 200, x, 0.95, 0.95, &f));
    int rank = (int)f.high + 1; /* the smallest rank whose binomial chance is enough */
    assert_true(nigh_binomial_cdf(200, 0.95, rank - 1) >= 0.95 && nigh_binomial_cdf(200, 0.95, rank - 2) < 0.95);
    assert_near(f.estimate, 189.05, 1e-12, 0);
    assert_true(x[1] == 83); /* the data stay as they were */
    assert_ok(ctx, nigh_bound_worst(ctx, 200, x, 0.95, &worst, &f));
    assert_true(worst == 199);
    assert_near(f.high, 3.0 / 200, 1e-3, 0);
    assert_fails(ctx, nigh_bound_quantile(ctx, 200, x, 1, 0.95, &f), NIGH_INVALID, "q is 1");
    x[3] = NAN;
    assert_fails(ctx, nigh_bound_quantile(ctx, 200, x, 0.5, 0.95, &f), NIGH_INVALID, "x[3] is nan");
    test_context_free(ctx);
}

static void classical(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[100];
    nigh_figure f, g;
    for (int i = 0; i < 100; i++) x[i] = 0.4 + 0.2 * (i & 1);
    assert_ok(ctx, nigh_bound_hoeffding(ctx, 100, x, 0, 1, 0.95, &f));
    assert_near(f.high - f.estimate, sqrt(log(40) / 200), 0, 1e-12);
    assert_ok(ctx, nigh_bound_bernstein(ctx, 100, x, 0, 1, 0.95, &g));
    assert_near(g.high - g.estimate, sqrt(2 * (1.0 / 99) * log(80) / 100) + 7 * log(80) / (3 * 99), 0, 1e-12);
    assert_near(nigh_kl_bernoulli(0.3, 0.5), 0.3 * log(0.6) + 0.7 * log(1.4), 0, 1e-13);
    for (double q = 0; q <= 1; q += 0.125) {
        double p = nigh_kl_inverse_upper(q, 0.05), low = nigh_kl_inverse_lower(q, 0.05);
        assert_true(p >= q && low <= q);
        if (q < 1 && p < 1) assert_near(nigh_kl_bernoulli(q, p), 0.05, 1e-9, 0);
        if (q > 0 && low > 0) assert_near(nigh_kl_bernoulli(q, low), 0.05, 1e-9, 0);
    }
    assert_near(nigh_kl_inverse_upper(0, 0.05), -expm1(-0.05), 0, 1e-12);
    assert_true(isnan(nigh_kl_inverse_upper(1.5, 0.1)));
    memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_bound_kl(ctx, 100, x, 2, 0.95, &f)); /* no errors: the same as Clopper-Pearson */
    assert_near(f.high, 2 * -expm1(log(0.05) / 100), 0, 1e-10);
    assert_near(nigh_confidence_each(0.95, 5), 0.99, 0, 1e-15);
    assert_fails(ctx, nigh_bound_hoeffding(ctx, 100, x, 1, 0, 0.95, &f), NIGH_INVALID, "range is 1 to 0");
    assert_fails(ctx, nigh_bound_bernstein(ctx, 1, x, 0, 1, 0.95, &f), NIGH_INVALID, "n is 1");
    test_context_free(ctx);
}

static void memory_runs_out(void **state)
{
    double x[20] = {0.5};
    nigh_figure f;
    for (long k = 0; k < 2; k++) {
        test_allocator allocator = {0};
        nigh_context *ctx = test_context_failing(&allocator);
        allocator.fail_at = allocator.count + 1;
        nigh_status status = k ? nigh_bound_quantile(ctx, 20, x, 0.5, 0.9, &f) : nigh_bound_mean_betting(ctx, 20, x, 1, 0.9, &f);
        assert_int_equal(status, NIGH_MEMORY);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(betting_covers_and_is_tight), cmocka_unit_test(betting_edges),
        cmocka_unit_test(betting_coverage_enumerated), cmocka_unit_test(betting_bad_input),
        cmocka_unit_test(shares),                      cmocka_unit_test(quantiles_and_worst),
        cmocka_unit_test(classical),                   cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
