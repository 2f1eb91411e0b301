/* The von Mises-Fisher law: constants, densities that sum to 1, fits that give back what was drawn, messages. */
#include "support.h"

#include "nigh/bessel.h"
#include "nigh/special.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static void test_constants(void **state)
{
    (void)state;
    for (double kappa = 1e-12; kappa < 300; kappa *= 2.3) /* in R^3: kappa / (4 pi sinh kappa) */
        assert_near(nigh_vmf_log_constant(3, kappa), log(kappa / (4 * pi * sinh(kappa))), 1e-14, 1e-14);
    for (int64_t d = 2; d < 40000; d = 3 * d + 1) {
        double uniform = nigh_lgamma(0.5 * (double)d) - log(2) - 0.5 * (double)d * log(pi); /* one over the sphere's surface */
        assert_near(nigh_vmf_log_constant(d, 0), uniform, 0, 1e-15);
        assert_near(nigh_vmf_log_constant(d, 1e-9), uniform, 0, 1e-15);
        assert_near(nigh_vmf_log_constant(d, nextafter(0.004, 0)), nigh_vmf_log_constant(d, 0.004), 4e-15, 2e-15); /* two branches */
        /* d/dkappa log C = -A */
        double kappa = 0.7 * (double)d, h = 1e-4 * kappa;
        double slope = (nigh_vmf_log_constant(d, kappa + h) - nigh_vmf_log_constant(d, kappa - h)) / (2 * h);
        assert_near(slope, -nigh_vmf_mean_length(d, kappa), 0, 1e-6);
    }
    assert_near(nigh_vmf_mean_length(3, 2), 1 / tanh(2) - 0.5, 0, 1e-15);
    assert_true(isnan(nigh_vmf_log_constant(1, 1)) && isnan(nigh_vmf_log_constant(3, -1)) && isnan(nigh_vmf_log_constant(3, INFINITY)));
    assert_true(isnan(nigh_vmf_mean_length(1, 1)) && isnan(nigh_vmf_mean_length(3, NAN)));
}

static void test_density_sums_to_one(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    enum { N = 4000 };
    static double point[N][2], out[N];
    const double mean[2] = {0.6, 0.8};
    for (int i = 0; i < N; i++) point[i][0] = cos(2 * pi * i / N), point[i][1] = sin(2 * pi * i / N);
    for (double kappa = 0; kappa < 1e4; kappa = 5 * kappa + 1) {
        double sum = 0;
        assert_ok(ctx, nigh_vmf_log_density(ctx, 2, mean, kappa, N, &point[0][0], out));
        for (int i = 0; i < N; i++) sum += exp(out[i]) * 2 * pi / N;
        assert_near(sum, 1, 1e-11, 0);
    }
    /* in R^5 the cosine t has density proportional to exp(kappa t) (1 - t^2) on the surface 2 pi^2 (1 - t^2)^(3/2 - 1/2) */
    double sum = 0, kappa = 7;
    for (int i = 0; i < N; i++) {
        double t = -1 + 2 * (i + 0.5) / N;
        sum += exp(nigh_vmf_log_constant(5, kappa) + kappa * t) * 2 * pi * pi * (1 - t * t) * 2 / N;
    }
    assert_near(sum, 1, 1e-6, 0);
    test_context_free(ctx);
}

static void test_kappa_inverts_the_length(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int64_t d = 2; d < 1000000; d = 4 * d - 1)
        for (double ratio = 1e-9; ratio < 1e7; ratio *= 9.7) {
            double kappa = ratio * (double)d, length = nigh_vmf_mean_length(d, kappa), found;
            if (length >= 1) continue;
            assert_ok(ctx, nigh_vmf_kappa(ctx, d, length, &found));
            assert_near(found, kappa, 0, 2e-14 + 4e-16 / (1 - length));
            assert_near(nigh_vmf_mean_length(d, found), length, 4e-16, 0);
        }
    double kappa;
    assert_ok(ctx, nigh_vmf_kappa(ctx, 5, 0, &kappa));
    assert_true(kappa == 0);
    assert_ok(ctx, nigh_vmf_kappa(ctx, 5, 1 - 0x1p-53, &kappa));
    assert_true(isfinite(kappa) && kappa > 1e15);
    assert_ok(ctx, nigh_vmf_kappa(ctx, 5, 1e-308, &kappa));
    assert_near(kappa, 5e-308, 0, 1e-12);
    test_context_free(ctx);
}

static void test_fit_finds_what_was_drawn(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const struct {
        int64_t d, n;
        double kappa;
    } cases[] = {{2, 3000, 2}, {3, 3000, 50}, {16, 3000, 8}, {500, 400, 250}, {500, 400, 1e4}, {2048, 100, 1024}, {8192, 40, 16384}, {64, 300, 1e13}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t d = cases[c].d, n = cases[c].n;
        double *points = malloc((size_t)(n * d) * sizeof *points), *mean = malloc((size_t)d * sizeof *mean), *found = malloc((size_t)d * sizeof *found);
        nigh_rng rng = nigh_rng_new(17, c);
        nigh_rng_sphere(&rng, d, mean);
        assert_ok(ctx, nigh_vmf_sample(ctx, &rng, d, mean, cases[c].kappa, n, points));
        nigh_vmf_fit fit, again;
        if (cases[c].kappa < 1e12) {
            assert_ok(ctx, nigh_vmf_fit_points(ctx, n, d, points, found, &fit));
            assert_near(fit.kappa, cases[c].kappa, 5 * fit.error, 6 / (double)n); /* the estimate's own bias is of order 1/n */
            assert_true(fabs(fit.slope) < 1e-14 && fit.error > 0);
            double *density = malloc((size_t)n * sizeof *density), sum = 0;
            assert_ok(ctx, nigh_vmf_log_density(ctx, d, found, fit.kappa, n, points, density));
            for (int64_t i = 0; i < n; i++) sum += density[i] / (double)n;
            assert_near(sum, fit.log_likelihood, 1e-9, 1e-12);
            free(density);
            memset(mean, 0, (size_t)d * sizeof *mean);
            for (int64_t i = 0; i < n * d; i++) mean[i % d] += points[i];
            assert_ok(ctx, nigh_vmf_fit_sum(ctx, n, d, mean, mean, &again));
            assert_memory_equal(&again, &fit, sizeof fit);
            assert_memory_equal(mean, found, (size_t)d * sizeof *mean);
        } else { /* so narrow that 1 - cosine is all: kappa (1 - cosine) is near Gamma((d-1)/2) */
            double fall = 0;
            for (int64_t i = 0; i < n * d; i++) fall += 0.5 * (points[i] - mean[i % d]) * (points[i] - mean[i % d]) / (double)n;
            assert_near(fall * cases[c].kappa, 0.5 * (double)(d - 1), 0, 0.06);
        }
        free(found), free(mean), free(points);
    }
    test_context_free(ctx);
}

static void test_messages(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    const double axis[3] = {0, 0, 1}, pair[6] = {0, 0, 1, 0, 0, -1}, same[6] = {0, 0, 1, 0, 0, 1}, crooked[6] = {0, 0, 1, 0, 3, 4};
    double mean[3] = {7, 7, 7}, out[2], kappa;
    nigh_vmf_fit fit;
    nigh_rng rng = nigh_rng_new(1, 1);
    assert_fails(ctx, nigh_vmf_fit_points(ctx, 1, 3, axis, mean, &fit), NIGH_INVALID, "a fit needs 2 or more");
    assert_fails(ctx, nigh_vmf_fit_points(ctx, 2, 1, axis, mean, &fit), NIGH_INVALID, "the dimension is 1");
    assert_fails(ctx, nigh_vmf_fit_points(ctx, 2, 3, crooked, mean, &fit), NIGH_INVALID, "vector 1 has length 5; unit vectors are needed");
    assert_fails(ctx, nigh_vmf_fit_points(ctx, 2, 3, pair, mean, &fit), NIGH_INVALID, "no mean direction");
    assert_fails(ctx, nigh_vmf_fit_points(ctx, 2, 3, same, mean, &fit), NIGH_INVALID, "all vectors point the same way");
    assert_true(mean[0] == 7);
    const double long_sum[3] = {0, 0, 3}, broken[3] = {0, NAN, 0};
    assert_fails(ctx, nigh_vmf_fit_sum(ctx, 2, 3, long_sum, mean, &fit), NIGH_INVALID, "has length 1.5");
    assert_fails(ctx, nigh_vmf_fit_sum(ctx, 2, 3, broken, mean, &fit), NIGH_INVALID, "sum[1] is nan");
    assert_fails(ctx, nigh_vmf_log_density(ctx, 3, crooked + 3, 1, 1, axis, out), NIGH_INVALID, "the mean direction has length 5");
    assert_fails(ctx, nigh_vmf_log_density(ctx, 3, axis, 1, 2, crooked, out), NIGH_INVALID, "point 1 has length 5");
    assert_fails(ctx, nigh_vmf_log_density(ctx, 3, axis, -1, 1, axis, out), NIGH_INVALID, "kappa is -1");
    assert_fails(ctx, nigh_vmf_sample(ctx, &rng, 3, axis, NAN, 1, mean), NIGH_INVALID, "kappa is nan");
    assert_fails(ctx, nigh_vmf_kappa(ctx, 3, 1, &kappa), NIGH_INVALID, "from 0 to below 1");
    assert_fails(ctx, nigh_vmf_kappa(ctx, 3, NAN, &kappa), NIGH_INVALID, "the mean length is nan");
    nigh_context_cancel(ctx);
    assert_fails(ctx, nigh_vmf_sample(ctx, &rng, 3, axis, 1, 1, mean), NIGH_INTERRUPTED, "");
    assert_fails(ctx, nigh_vmf_fit_points(ctx, 2, 3, same, mean, &fit), NIGH_INTERRUPTED, "");
    test_context_free(ctx);
    test_allocator allocator = {.fail_at = 1};
    ctx = test_context_failing(&allocator);
    if (ctx) nigh_context_free(ctx);
    for (long at = 1; at < 10; at++) { /* the context's own allocations come first */
        allocator = (test_allocator){.fail_at = at};
        ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_status status = nigh_vmf_fit_points(ctx, 2, 3, crooked, mean, &fit);
        assert_true(status == NIGH_MEMORY || status == NIGH_INVALID);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_constants), cmocka_unit_test(test_density_sums_to_one),
                                       cmocka_unit_test(test_kappa_inverts_the_length), cmocka_unit_test(test_fit_finds_what_was_drawn),
                                       cmocka_unit_test(test_messages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
