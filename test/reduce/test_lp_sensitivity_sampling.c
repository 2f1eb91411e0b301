/* Samples for sums of p-th powers: unbiased, within the error they state; the distortion found beside a scan of all directions. */
#include "support.h"

#include "nigh/sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Student's t with 3 degrees of freedom times a length of its own: rows of uneven weight. */
static double *heavy_rows(int64_t n, int64_t d, uint64_t seed)
{
    double *x = malloc((size_t)(n * d) * sizeof *x);
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t i = 0; i < n; i++) {
        double by = fabs(nigh_rng_student_t(&rng, 3));
        for (int64_t j = 0; j < d; j++) x[i * d + j] = by * nigh_rng_normal(&rng);
    }
    return x;
}

/* E |S A x|_p^p is |A x|_p^p: 2000 draws, three directions, within 3 standard errors. */
static void test_unbiased(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 2000, D = 4, DRAWS = 2000 };
    const double ps[] = {1, 1.5, 3, 4};
    double *x = heavy_rows(N, D, 1), score[N], weight[N];
    for (int i = 0; i < N; i++) weight[i] = i % 3;
    nigh_rows rows = {.n = N, .d = D, .x = x, .weight = weight};
    nigh_rng rng = nigh_rng_new(2, 0);
    for (int c = 0; c < 4; c++) {
        double sums[3] = {0}, value[3][N], mean[3] = {0}, square[3] = {0}, expected, count = 0;
        assert_ok(ctx, nigh_sensitivity_bounds(ctx, &rows, 0, ps[c], score, NULL, NULL));
        for (int t = 0; t < 3; t++) {
            double v[D];
            nigh_rng_sphere(&rng, D, v);
            for (int i = 0; i < N; i++) {
                double r = 0;
                for (int j = 0; j < D; j++) r += v[j] * x[i * D + j];
                value[t][i] = pow(fabs(r), ps[c]), sums[t] += weight[i] * value[t][i];
            }
        }
        for (int k = 0; k < DRAWS; k++) {
            nigh_subset s;
            assert_ok(ctx, nigh_subset_independent(ctx, &rows, score, 20, &rng, &s, &expected));
            count += (double)s.count / DRAWS;
            for (int t = 0; t < 3; t++) {
                double sum = 0;
                for (int64_t i = 0; i < s.count; i++) sum += s.weight[i] * value[t][s.index[i]];
                mean[t] += sum / sums[t] / DRAWS, square[t] += sum / sums[t] * sum / sums[t] / DRAWS;
            }
            nigh_subset_free(ctx, &s);
        }
        assert_near(count, expected, 3 * sqrt(expected / DRAWS), 0);
        for (int t = 0; t < 3; t++) {
            double error = sqrt((square[t] - mean[t] * mean[t]) / DRAWS);
            if (!(fabs(mean[t] - 1) <= 3 * error)) fail_msg("p %g: mean ratio %g, standard error %g", ps[c], mean[t], error);
        }
    }
    free(x);
    test_context_free(ctx);
}

/* Two columns: a scan of 4,000 angles sees all that there is. */
static void test_distortion(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 1500, ANGLES = 4000 };
    const double ps[] = {1, 1.5, 2, 3, 4};
    double *x = heavy_rows(N, 2, 3), score[N];
    nigh_rows rows = {.n = N, .d = 2, .x = x};
    for (int c = 0; c < 5; c++) {
        nigh_gauge *gauge;
        nigh_rng rng = nigh_rng_new(4, (uint64_t)c);
        assert_ok(ctx, nigh_gauge_new(ctx, &rows, 0, ps[c], NULL, &gauge));
        assert_ok(ctx, nigh_lewis_weights(ctx, &rows, 0, ps[c], 0, 0, score, NULL));
        for (int k = 0; k < 3; k++) {
            nigh_subset s;
            nigh_distortion found;
            assert_ok(ctx, nigh_subset_independent(ctx, &rows, score, 60 + 40 * k, &rng, &s, NULL));
            assert_ok(ctx, nigh_gauge_measure(ctx, gauge, &s, &found));
            double largest = 0, ratio;
            for (int a = 0; a < ANGLES; a++) {
                double v[2] = {cos(M_PI * a / ANGLES), sin(M_PI * a / ANGLES)}, all = 0, some = 0;
                for (int64_t i = 0; i < N; i++) all += pow(fabs(x[2 * i] * v[0] + x[2 * i + 1] * v[1]), ps[c]);
                for (int64_t i = 0; i < s.count; i++) some += s.weight[i] * pow(fabs(x[2 * s.index[i]] * v[0] + x[2 * s.index[i] + 1] * v[1]), ps[c]);
                largest = fmax(largest, fabs(some / all - 1));
                if (a == 768) {
                    assert_ok(ctx, nigh_gauge_ratio(ctx, gauge, &s, v, &ratio));
                    assert_near(ratio, some / all, 0, 1e-10);
                }
                if (k) a += 3;
            }
            if (!(found.largest <= largest * 1.01 + 1e-6 && found.largest >= 0.98 * largest))
                fail_msg("p %g: found %g (%s), a scan %g, random %g", ps[c], found.largest, found.where, largest, found.random);
            assert_true(found.random <= found.largest && found.high >= found.low);
            if (ps[c] == 2) assert_near(found.proved, found.largest, 0, 1e-3);
            if (ps[c] == 4) assert_true(found.proved >= largest * (1 - 1e-9) && found.proved < 4 * largest);
            if (ps[c] == 1) assert_true(isinf(found.proved));
            nigh_subset_free(ctx, &s);
        }
        nigh_gauge_free(gauge);
    }
    free(x);
    test_context_free(ctx);
}

/* More rows than the ascents work on: the same verdict from a sample of them and from all. */
static void test_reference(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 20000, D = 3 };
    double *x = heavy_rows(N, D, 5), *score = malloc(N * sizeof *score);
    nigh_rows rows = {.n = N, .d = D, .x = x};
    const double ps[] = {1, 3, 4};
    for (int c = 0; c < 3; c++) {
        nigh_gauge *whole, *part;
        nigh_subset s;
        nigh_distortion a, b;
        nigh_rng rng = nigh_rng_new(6, 0);
        assert_ok(ctx, nigh_gauge_new(ctx, &rows, 0, ps[c], NULL, &whole));
        assert_ok(ctx, nigh_gauge_new(ctx, &rows, 0, ps[c], &(nigh_gauge_options){.most = 15000}, &part));
        assert_ok(ctx, nigh_lewis_weights(ctx, &rows, 0, ps[c], 0, 0, score, NULL));
        assert_ok(ctx, nigh_subset_independent(ctx, &rows, score, 100, &rng, &s, NULL));
        assert_ok(ctx, nigh_gauge_measure(ctx, whole, &s, &a));
        assert_ok(ctx, nigh_gauge_measure(ctx, part, &s, &b));
        if (!(fabs(a.largest - b.largest) < 0.1 * a.largest)) fail_msg("p %g: all rows %g, a sample %g", ps[c], a.largest, b.largest);
        nigh_subset_free(ctx, &s);
        nigh_gauge_free(whole);
        nigh_gauge_free(part);
    }
    free(x), free(score);
    test_context_free(ctx);
}

static void test_schemes(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 20000, D = 4 };
    double *x = heavy_rows(N, D, 7), y[N];
    nigh_rng rng = nigh_rng_new(8, 0);
    nigh_rng_fill_normal(&rng, N, y);
    nigh_rows rows = {.n = N, .d = D, .x = x, .y = y};
    const struct {
        double p;
        nigh_lp_scheme scheme, used;
        int columns;
    } cases[] = {{1, NIGH_LP_AUTO, NIGH_LP_AUGMENTED, 3},        {1, NIGH_LP_ROOT_LEVERAGE, NIGH_LP_ROOT_LEVERAGE, 0}, {1.5, NIGH_LP_LEWIS, NIGH_LP_LEWIS, 0},
                 {1.3, NIGH_LP_SENSITIVITY, NIGH_LP_SENSITIVITY, 0}, {2, NIGH_LP_AUTO, NIGH_LP_LEVERAGE, 1},           {4, NIGH_LP_AUTO, NIGH_LP_LEWIS, 0},
                 {3, NIGH_LP_MIXTURE, NIGH_LP_MIXTURE, 0},        {1, NIGH_LP_UNIFORM, NIGH_LP_UNIFORM, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_subset s;
        nigh_lp_report r;
        nigh_lp_options o = {.p = cases[i].p, .scheme = cases[i].scheme, .columns = cases[i].columns, .error = 0.3, .seed = 5};
        assert_ok(ctx, nigh_lp_sensitivity_sampling(ctx, &rows, &o, &s, &r));
        if (r.scheme != cases[i].used) fail_msg("case %zu: %s", i, nigh_lp_scheme_name(r.scheme));
        assert_true(r.met && r.distortion.largest <= 0.3 && s.count <= N);
        if (!r.all && r.levels == 1) assert_near((double)s.count, r.expected, 6 * sqrt(r.expected), 0);
        nigh_gauge *gauge;
        nigh_distortion again;
        assert_ok(ctx, nigh_gauge_new(ctx, &rows, cases[i].columns, cases[i].p, NULL, &gauge));
        assert_ok(ctx, nigh_gauge_measure(ctx, gauge, &s, &again));
        assert_true(r.all ? again.largest < 1e-9 : again.largest == r.distortion.largest);
        nigh_gauge_free(gauge);
        nigh_subset_free(ctx, &s);
        o.unmeasured = true;
        assert_ok(ctx, nigh_lp_sensitivity_sampling(ctx, &rows, &o, &s, &r));
        assert_true(r.all || (isnan(r.distortion.largest) && !r.met));
        nigh_subset_free(ctx, &s);
    }
    free(x);
    test_context_free(ctx);
}

static void test_few_rows(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = heavy_rows(60, 3, 9);
    for (int j = 0; j < 3; j++) x[7 * 3 + j] = 0;
    nigh_rows rows = {.n = 60, .d = 3, .x = x};
    nigh_subset s;
    nigh_lp_report r;
    assert_ok(ctx, nigh_lp_sensitivity_sampling(ctx, &rows, &(nigh_lp_options){.p = 1}, &s, &r));
    assert_true(r.all && r.met && s.count == 59 && r.total_exact && r.found.zero_rows == 1);
    for (int i = 0; i < 59; i++) assert_true(s.index[i] == i + (i >= 7) && s.weight[i] == 1);
    nigh_subset_free(ctx, &s);
    assert_fails(ctx, nigh_lp_sensitivity_sampling(ctx, &rows, &(nigh_lp_options){.p = 0.5}, &s, &r), NIGH_INVALID, "p is 0.5; at least 1");
    assert_fails(ctx, nigh_lp_sensitivity_sampling(ctx, &rows, &(nigh_lp_options){.error = 1}, &s, &r), NIGH_INVALID, "error is 1");
    assert_fails(ctx, nigh_lp_sensitivity_sampling(ctx, &rows, &(nigh_lp_options){.p = 3, .scheme = NIGH_LP_ROOT_LEVERAGE}, &s, &r), NIGH_INVALID, "root leverage");
    memset(x, 0, 180 * sizeof *x);
    assert_fails(ctx, nigh_lp_sensitivity_sampling(ctx, &rows, NULL, &s, &r), NIGH_INVALID, "all rows are zero");
    nigh_gauge *gauge;
    assert_fails(ctx, nigh_gauge_new(ctx, &rows, 0, 1, NULL, &gauge), NIGH_INVALID, "all rows are zero");
    free(x);
    test_context_free(ctx);
}

static void test_sizes(void **state)
{
    double unit = log(10 / 0.05) / 0.04;
    assert_near(nigh_lp_size(NIGH_LP_LEWIS, 1, 10, 4, 0.2, 0.05, 1), 10 * unit, 0, 1e-12);
    assert_near(nigh_lp_size(NIGH_LP_LEWIS, 4, 10, 20, 0.2, 0.05, 1), 100 * unit, 0, 1e-12);
    assert_near(nigh_lp_size(NIGH_LP_SENSITIVITY, 1, 10, 4, 0.2, 0.05, 1), sqrt(10) * 4 * unit, 0, 1e-12);
    assert_near(nigh_lp_size(NIGH_LP_SENSITIVITY, 4, 10, 20, 0.2, 0.05, 1), pow(20, 1.5) * unit, 0, 1e-12);
    assert_near(nigh_lp_size(NIGH_LP_AUGMENTED, 1, 10, 4, 0.2, 0.05, 2), 28 * unit, 0, 1e-12);
    assert_near(nigh_lp_size(NIGH_LP_MIXTURE, 4, 10, 20, 0.2, 0.05, 1), sqrt(10) * 20 * unit, 0, 1e-12);
    assert_true(isinf(nigh_lp_size(NIGH_LP_UNIFORM, 1, 10, 4, 0.2, 0.05, 1)) && isinf(nigh_lp_size(NIGH_LP_ROOT_LEVERAGE, 3, 10, 4, 0.2, 0.05, 1)));
    assert_string_equal(nigh_lp_scheme_name(NIGH_LP_ROOT_LEVERAGE), "root-leverage");
    for (int s = 0; s < NIGH_LP_SCHEMES; s++)
        for (double p = 1; p < 5; p++)
            assert_true((nigh_lp_scheme_theorem((nigh_lp_scheme)s, p)[0] == 0) == (bool)isinf(nigh_lp_size((nigh_lp_scheme)s, p, 10, 10, 0.2, 0.05, 1)));
}

static void test_memory(void **state)
{
    double *x = heavy_rows(900, 2, 13);
    nigh_rows rows = {.n = 900, .d = 2, .x = x};
    const nigh_lp_scheme schemes[] = {NIGH_LP_AUTO, NIGH_LP_ROOT_LEVERAGE};
    for (int what = 0; what < 2; what++)
        for (long at = 1, done = 0; !done; at += at < 60 ? 1 : 7) {
            test_allocator a = {.fail_at = at};
            nigh_context *ctx = test_context_failing(&a);
            if (!ctx) continue;
            nigh_subset s;
            nigh_gauge_options gauge = {.random = 5, .starts = 1, .steps = 2};
            nigh_status status = nigh_lp_sensitivity_sampling(ctx, &rows, &(nigh_lp_options){.error = 0.6, .scheme = schemes[what], .exact = 1, .narrow = -1, .gauge = gauge}, &s, NULL);
            done = status == NIGH_OK;
            if (done) nigh_subset_free(ctx, &s);
            assert_true(status == NIGH_OK || status == NIGH_MEMORY);
            nigh_context_free(ctx);
            assert_int_equal(a.live, 0);
        }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unbiased), cmocka_unit_test(test_distortion), cmocka_unit_test(test_reference), cmocka_unit_test(test_schemes),
        cmocka_unit_test(test_few_rows), cmocka_unit_test(test_sizes),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
