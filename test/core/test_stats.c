/* nigh/stats.h but for its bounds: identities, SciPy's figures, bad input, memory. */
#include "support.h"
#include "nigh/special.h"
#include "nigh/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double xs[] = {1.1, 2.3, 3.2, 4.8, 5.1, 6.9, 7.7, 9.4}, ys[] = {2.0, 2.9, 2.1, 5.5, 4.9, 7.2, 6.8, 9.9};

static void order(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(1, 0);
    double x[101], copy[101], rank[101];
    int64_t index[101];
    for (int round = 0; round < 40; round++) {
        int n = 1 + (int)nigh_rng_below(&rng, 100);
        for (int i = 0; i < n; i++) x[i] = (double)nigh_rng_below(&rng, round % 2 ? 5 : 1000);
        memcpy(copy, x, sizeof x);
        nigh_sort(n, copy);
        double sorted[101], work[101];
        memcpy(sorted, copy, sizeof sorted);
        for (int k = 0; k < n; k += 7) {
            memcpy(work, x, sizeof work);
            assert_true(nigh_order_statistic(n, work, k) == sorted[k]);
        }
        double q = nigh_rng_f64(&rng), at = q * (n - 1);
        int k = (int)at;
        memcpy(work, x, sizeof work);
        assert_near(nigh_quantile(n, work, q), sorted[k] + (at - k) * (sorted[k + 1 < n ? k + 1 : k] - sorted[k]), 1e-12, 0);
        assert_ok(ctx, nigh_argsort(ctx, n, x, index));
        for (int i = 0; i < n; i++) assert_true(x[index[i]] == sorted[i] && (!i || sorted[i - 1] < sorted[i] || index[i - 1] < index[i]));
        assert_ok(ctx, nigh_ranks(ctx, n, x, rank, NULL));
        assert_near(nigh_sum(n, rank), 0.5 * n * (n + 1), 0, 0);
    }
    double four[] = {4, 1, 3, 2}, ties, tied[] = {2, 1, 2, 2};
    assert_true(nigh_median(4, four) == 2.5 && isnan(nigh_median(0, four)));
    assert_ok(ctx, nigh_ranks(ctx, 4, tied, rank, &ties));
    assert_true(rank[0] == 3 && rank[1] == 1 && ties == 24);
    double lost[] = {1e100, 1, -1e100};
    assert_true(nigh_sum(3, lost) == 1);
    tied[2] = NAN;
    assert_fails(ctx, nigh_ranks(ctx, 4, tied, rank, &ties), NIGH_INVALID, "x[2] is nan");
    test_context_free(ctx);
}

static void moments(void **state)
{
    nigh_moments all = {0}, left = {0}, right = {0};
    double x[50], sum[5] = {0};
    nigh_rng rng = nigh_rng_new(2, 0);
    for (int i = 0; i < 50; i++) {
        x[i] = nigh_rng_exponential(&rng, 1) + 100;
        nigh_moments_add(&all, x[i]);
        nigh_moments_add(i < 17 ? &left : &right, x[i]);
    }
    nigh_moments_merge(&left, &right);
    double mean = nigh_mean(50, x);
    for (int i = 0; i < 50; i++)
        for (int p = 2; p <= 4; p++) sum[p] += pow(x[i] - mean, p);
    nigh_moments *both[] = {&all, &left};
    for (int k = 0; k < 2; k++) {
        assert_near(both[k]->mean, mean, 0, 1e-14);
        assert_near(nigh_moments_variance(both[k]), sum[2] / 49, 0, 1e-11);
        assert_near(nigh_moments_skewness(both[k]), sum[3] / 50 / pow(sum[2] / 50, 1.5), 0, 1e-10);
        assert_near(nigh_moments_kurtosis(both[k]), 50 * sum[4] / (sum[2] * sum[2]) - 3, 0, 1e-9);
        assert_near(nigh_moments_stderr(both[k]), sqrt(sum[2] / 49 / 50), 0, 1e-11);
    }
    assert_true(all.least == left.least && all.most == left.most && all.least >= 100);
}

static void relations(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_figure slope, intercept;
    nigh_test t;
    assert_ok(ctx, nigh_line_fit(ctx, 8, xs, ys, 0.95, &slope, &intercept));
    assert_near(slope.estimate, 0.9460894789690951, 0, 1e-12);
    assert_near(slope.low, 0.685325323096448, 0, 1e-10);
    assert_near(intercept.estimate, 0.37292201271895564, 0, 1e-11);
    assert_near(intercept.low, -1.1166611311131818, 0, 1e-10);
    assert_ok(ctx, nigh_spearman(ctx, 8, xs, ys, &t));
    assert_near(t.statistic, 0.9285714285714287, 0, 1e-12);
    assert_near(t.p, 0.0008629681828999767, 0, 1e-10);
    assert_ok(ctx, nigh_pearson(ctx, 8, xs, ys, &t));
    assert_near(t.statistic, 0.963979902541187, 0, 1e-12);
    assert_near(t.p, 0.00011370187616035143, 0, 1e-10);
    const double a[] = {1, 2, 2, 3, 4, 5, 5, 5, 7, 9}, b[] = {2, 1, 3, 3, 5, 4, 4, 7, 8, 8}, flat[3] = {1, 1, 1};
    assert_ok(ctx, nigh_spearman(ctx, 10, a, b, &t));
    assert_near(t.statistic, 0.9099554408436645, 0, 1e-12);
    assert_near(t.p, 0.0002576860783786131, 0, 1e-10);
    assert_ok(ctx, nigh_kendall(ctx, 10, a, b, &t));
    assert_near(t.statistic, 0.7952384429746019, 0, 1e-12);
    assert_near(t.p, 0.002341869240428776, 0, 1e-10);
    assert_fails(ctx, nigh_line_fit(ctx, 3, flat, ys, 0.95, &slope, NULL), NIGH_INVALID, "all x are 1");
    assert_fails(ctx, nigh_pearson(ctx, 3, xs, flat, &t), NIGH_INVALID, "y is constant");
    assert_fails(ctx, nigh_spearman(ctx, 2, xs, ys, &t), NIGH_INVALID, "n is 2");
    test_context_free(ctx);
}

static double uniform_cdf(void *user, double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

static void tests_of_samples(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_test t;
    const double counts[] = {18, 22, 30, 10}, even[] = {1, 1, 1, 1}, h1[] = {18, 22, 0, 30}, h2[] = {10, 25, 0, 12};
    assert_ok(ctx, nigh_chi_square_fit(ctx, 4, counts, even, 0, &t));
    assert_near(t.statistic, 10.4, 0, 1e-13);
    assert_near(t.p, 0.015454827216857748, 0, 1e-11);
    assert_ok(ctx, nigh_chi_square_two(ctx, 4, h1, h2, &t));
    assert_near(t.statistic, 5.898046950785746, 0, 1e-12);
    assert_near(t.p, 0.05239084192292593, 0, 1e-11);
    assert_ok(ctx, nigh_welch(ctx, 8, xs, 6, ys, &t));
    assert_near(t.statistic, 0.7305793464954672, 0, 1e-12);
    assert_near(t.freedom, 11.997585826783904, 0, 1e-11);
    assert_near(t.p, 0.47906064287850025, 0, 1e-11);
    assert_ok(ctx, nigh_sign_test(ctx, 3, 9, &t));
    assert_near(t.p, 0.14599609375, 0, 1e-13);
    const double d[] = {1.2, -.4, 2.2, 3.1, -.9, .7, 1.9, 2.8, -.1, 4.4}, tied[] = {1, -1, 2, 3, -2, 1, 4, 5, 3, -1, 0};
    assert_ok(ctx, nigh_wilcoxon(ctx, 10, d, &t));
    assert_near(t.statistic, 48, 0, 0);
    assert_near(t.p, 0.037109375, 0, 1e-13);
    assert_ok(ctx, nigh_wilcoxon(ctx, 11, tied, &t));
    assert_near(t.statistic, 44.5, 0, 0);
    assert_near(t.p, 0.0900571843924685, 0, 1e-10);
    const double u[] = {1.5, 2.5, 3.7, 9.1}, v[] = {0.4, 2.0, 3.0, 4.1, 5.2};
    const double ut[] = {1, 2, 3, 4, 4}, vt[] = {2, 2, 5, 6, 7, 8};
    assert_ok(ctx, nigh_mann_whitney(ctx, 4, u, 5, v, &t));
    assert_near(t.statistic, 11, 0, 0);
    assert_near(t.p, 0.9047619047619049, 0, 1e-12);
    assert_ok(ctx, nigh_mann_whitney(ctx, 5, ut, 6, vt, &t));
    assert_near(t.p, 0.16601056437093298, 0, 1e-10);
    const double w[] = {.1, .25, .4, .41, .77}, k1[] = {1, 2, 3, 4}, k2[] = {2.5, 3.5, 6, 7, 8};
    assert_ok(ctx, nigh_kolmogorov_fit(ctx, 5, w, uniform_cdf, NULL, &t));
    assert_near(t.statistic, 0.39, 1e-15, 1e-14);
    assert_ok(ctx, nigh_kolmogorov_two(ctx, 4, k1, 5, k2, &t));
    assert_near(t.statistic, 0.6, 1e-15, 1e-14);
    assert_fails(ctx, nigh_chi_square_fit(ctx, 4, counts, even, 3, &t), NIGH_INVALID, "3 parameters fitted to 4 cells");
    assert_fails(ctx, nigh_sign_test(ctx, -1, 4, &t), NIGH_INVALID, "-1 wins");
    test_context_free(ctx);
}

static double index_mean(void *user, int64_t count, const int64_t *index)
{
    const double *x = user;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += x[index[i]];
    return sum / (double)count;
}

static double not_a_number(void *user, int64_t count, const int64_t *index) { return NAN; }

static void bootstraps(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[200], y[200];
    nigh_rng rng = nigh_rng_new(4, 0);
    nigh_rng_fill_normal(&rng, 200, x);
    for (int i = 0; i < 200; i++) y[i] = x[i] - 0.5 + 0.1 * nigh_rng_normal(&rng);
    nigh_figure f, g, s;
    assert_ok(ctx, nigh_bootstrap(ctx, 200, 2000, 9, 0.95, index_mean, x, &f));
    assert_ok(ctx, nigh_mean_student(ctx, 200, x, 0.95, &s)); /* a mean's bootstrap is close to Student's interval */
    assert_near(f.low, s.low, 0.02, 0);
    assert_near(f.high, s.high, 0.02, 0);
    assert_near(f.estimate, s.estimate, 1e-12, 0);
    assert_ok(ctx, nigh_bootstrap(ctx, 200, 2000, 9, 0.95, index_mean, x, &g));
    assert_memory_equal(&f, &g, sizeof f);
    assert_ok(ctx, nigh_bootstrap_paired(ctx, 200, x, y, 500, 9, 0.95, &g)); /* pairs: the common part cancels */
    assert_true(g.low < 0.5 + 0.03 && g.high > 0.5 - 0.03 && g.high - g.low < 0.05);
    assert_fails(ctx, nigh_bootstrap(ctx, 200, 5, 9, 0.95, index_mean, x, &f), NIGH_INVALID, "5 resamples");
    assert_fails(ctx, nigh_bootstrap(ctx, 200, 50, 9, 0.95, not_a_number, x, &f), NIGH_FAILED, "resample 0 is NaN");
    nigh_context_cancel(ctx);
    assert_int_equal(nigh_bootstrap(ctx, 200, 50, 9, 0.95, index_mean, x, &f), NIGH_INTERRUPTED);
    test_context_free(ctx);
}

static void scores(void **state)
{
    nigh_context *ctx = test_context_new();
    const double score[] = {0.1, 0.4, 0.35, 0.8, 0.4};
    const int32_t label[] = {0, 0, 1, 1, 1}, a[] = {0, 0, 1, 1, 2, 2}, renamed[] = {7, 7, 3, 3, 5, 5}, b[] = {0, 0, 0, 1, 1, 1};
    nigh_figure f;
    assert_ok(ctx, nigh_auc(ctx, 5, score, label, 0.95, &f));
    assert_near(f.estimate, 4.5 / 6, 0, 1e-14); /* pairs counted by hand */
    assert_true(f.low < f.estimate && f.high <= 1);
    double ari, r2, mmd, cka;
    assert_ok(ctx, nigh_adjusted_rand(ctx, 6, a, renamed, &ari));
    assert_near(ari, 1, 0, 0);
    assert_ok(ctx, nigh_adjusted_rand(ctx, 6, a, b, &ari));
    assert_near(ari, (2 - 3 * 6.0 / 15) / (4.5 - 3 * 6.0 / 15), 0, 1e-14);
    assert_ok(ctx, nigh_r2(ctx, 8, xs, xs, &r2));
    assert_true(r2 == 1);
    const double p[] = {0.7, 0.3, 0.2, 0.8, 0.6, 0.4, 0.5, 0.5};
    const int32_t truth[] = {0, 1, 1, 0};
    nigh_calibration c;
    assert_ok(ctx, nigh_calibration_of(ctx, 4, 2, p, truth, 10, &c));
    assert_near(c.accuracy, 0.75, 0, 0);
    assert_near(c.brier, (0.18 + 0.08 + 0.72 + 0.5) / 4, 0, 1e-13);
    assert_near(c.nll, -(log(.7) + log(.8) + log(.4) + log(.5)) / 4, 0, 1e-13);
    assert_near(c.ece, (0.3 + 0.2 + 0.6 + 0.5) / 4, 0, 1e-13);
    nigh_rng rng = nigh_rng_new(6, 0);
    double x[300], y[300], z[300];
    nigh_rng_fill_normal(&rng, 300, x), nigh_rng_fill_normal(&rng, 300, y);
    for (int i = 0; i < 300; i++) z[i] = y[i] + 1;
    assert_ok(ctx, nigh_mmd(ctx, 150, x, 150, y, 2, 0, &mmd));
    assert_true(fabs(mmd) < 0.02);
    assert_ok(ctx, nigh_mmd(ctx, 150, x, 150, z, 2, 0, &mmd));
    assert_true(mmd > 0.1);
    for (int i = 0; i < 100; i++) { /* rotated, scaled and shifted features are the same representation */
        z[3 * i] = 5 - 2 * x[3 * i + 1], z[3 * i + 1] = 2 * x[3 * i + 2], z[3 * i + 2] = 1 + 2 * x[3 * i];
    }
    assert_ok(ctx, nigh_cka(ctx, 100, 3, x, 3, z, &cka));
    assert_near(cka, 1, 0, 1e-12);
    assert_ok(ctx, nigh_cka(ctx, 100, 3, x, 2, y, &cka));
    assert_true(cka < 0.2);
    assert_near(nigh_pass_at_k(5, 2, 1), 0.4, 0, 1e-14);
    assert_near(nigh_pass_at_k(5, 2, 3), 0.9, 0, 1e-13);
    assert_true(nigh_pass_at_k(5, 2, 4) == 1 && nigh_pass_at_k(5, 0, 3) == 0 && isnan(nigh_pass_at_k(5, 6, 1)));
    assert_fails(ctx, nigh_auc(ctx, 2, score, label, 0.95, &f), NIGH_INVALID, "all 2 labels are 0");
    assert_fails(ctx, nigh_mmd(ctx, 1, x, 5, y, 2, 0, &mmd), NIGH_INVALID, "rows 1 and 5");
    const double same[4] = {1, 1, 1, 1};
    assert_fails(ctx, nigh_cka(ctx, 4, 1, xs, 1, same, &cka), NIGH_INVALID, "features y are constant");
    test_context_free(ctx);
}

static nigh_status each_that_allocates(nigh_context *ctx, int which)
{
    double rank[8], value;
    int64_t index[8];
    const int32_t label[8] = {0, 1, 0, 1, 1, 0, 1, 0};
    nigh_figure f;
    nigh_test t;
    nigh_calibration c;
    switch (which) {
    case 0: return nigh_ranks(ctx, 8, xs, rank, NULL);
    case 1: return nigh_argsort(ctx, 8, xs, index);
    case 2: return nigh_bootstrap_paired(ctx, 8, xs, ys, 30, 1, 0.9, &f);
    case 3: return nigh_spearman(ctx, 8, xs, ys, &t);
    case 4: return nigh_wilcoxon(ctx, 8, xs, &t);
    case 5: return nigh_mann_whitney(ctx, 8, xs, 8, ys, &t);
    case 6: return nigh_kolmogorov_two(ctx, 8, xs, 8, ys, &t);
    case 7: return nigh_auc(ctx, 8, xs, label, 0.9, &f);
    case 8: return nigh_adjusted_rand(ctx, 8, label, label, &value);
    case 9: return nigh_calibration_of(ctx, 4, 2, (const double[]){.5, .5, .5, .5, .5, .5, .5, .5}, label, 5, &c);
    case 10: return nigh_mmd(ctx, 4, xs, 4, ys, 2, 0, &value);
    case 11: return nigh_cka(ctx, 4, 2, xs, 2, ys, &value);
    case 12: return nigh_poisson_binomial_tail(ctx, 2, (const double[]){.1, .2}, 1, &value);
    default: return nigh_kolmogorov_fit(ctx, 3, (const double[]){.1, .2, .3}, uniform_cdf, NULL, &t);
    }
}

static void memory_runs_out(void **state)
{
    for (int which = 0; which <= 13; which++) {
        test_allocator count = {0};
        nigh_context *ctx = test_context_failing(&count);
        long base = count.count;
        assert_ok(ctx, each_that_allocates(ctx, which));
        nigh_context_free(ctx);
        assert_true(count.count > base);
        for (long k = base + 1; k <= count.count; k++) {
            test_allocator allocator = {.fail_at = k};
            ctx = test_context_failing(&allocator);
            assert_int_equal(each_that_allocates(ctx, which), NIGH_MEMORY);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),      cmocka_unit_test(moments), cmocka_unit_test(relations),       cmocka_unit_test(tests_of_samples),
        cmocka_unit_test(bootstraps), cmocka_unit_test(scores),  cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
