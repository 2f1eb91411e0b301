/* Vector summaries: sums that are kept, chances that are honest, heavy rows that are always taken. */
#include "support.h"

#include "reduce/summary_vector.h"

#include <math.h>
#include <string.h>

static void free_subset(nigh_context *ctx, nigh_subset *s)
{
    nigh_free(ctx, s->index);
    nigh_free(ctx, s->weight);
}

static double *numbers(nigh_context *ctx, int64_t n, uint64_t seed)
{
    double *x = nigh_alloc(ctx, (size_t)n * sizeof *x);
    nigh_rng rng = nigh_rng_new(seed, 0);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = exp(2 * nigh_rng_normal(&rng)); /* heavy tails */
    return x;
}

static void check_exact(nigh_context *ctx, int64_t n, int64_t t, int64_t m, bool plain, const double *value, const double *before)
{
    double *weight = nigh_alloc(ctx, (size_t)n * sizeof *weight);
    nigh_rng rng = nigh_rng_new(5, (uint64_t)n);
    assert_non_null(weight);
    memcpy(weight, before, (size_t)n * sizeof *weight);
    assert_ok(ctx, summary_caratheodory(ctx, n, t, value, weight, m, plain, &rng));
    int64_t left = 0, most = m > t + 1 ? m : t + 1;
    for (int64_t i = 0; i < n; i++) {
        assert_true(weight[i] >= 0);
        left += weight[i] > 0;
        if (before[i] == 0) assert_true(weight[i] == 0);
    }
    assert_true(left <= most);
    for (int64_t k = -1; k < t; k++) {
        double sum = 0, was = 0, size = 0;
        for (int64_t i = 0; i < n; i++) {
            double v = k < 0 ? 1 : value[k * n + i];
            sum += weight[i] * v, was += before[i] * v, size += before[i] * fabs(v);
        }
        assert_near(sum, was, 1e-10 * size, 0);
    }
    nigh_free(ctx, weight);
}

static void caratheodory_keeps_the_mean(void **state)
{
    (void)state;
    static const struct { int64_t n, t, m; bool plain; } cases[] = {{1, 1, 1, false},    {7, 2, 1, true},     {50, 6, 7, true},      {200, 1, 2, true},  {300, 3, 50, true},
                                                                    {1000, 5, 6, false}, {3001, 12, 13, false}, {20000, 20, 21, false}, {5000, 8, 100, false}, {64, 70, 10, false}};
    nigh_context *ctx = test_context_new();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t n = cases[c].n, t = cases[c].t;
        double *value = numbers(ctx, n * t, 10 + c), *weight = numbers(ctx, n, 30 + c);
        for (int64_t i = 0; i < n; i += 7) weight[i] = n > 10 ? 0 : 1;
        for (int64_t i = 0; t > 4 && i < n; i++) value[3 * n + i] = value[i] + 2 * value[n + i], value[4 * n + i] *= 1e-9; /* dependent; tiny */
        check_exact(ctx, n, t, cases[c].m, cases[c].plain, value, weight);
        nigh_free(ctx, weight);
        nigh_free(ctx, value);
    }
    test_context_free(ctx);
}

static void equal_points_are_no_trouble(void **state)
{
    (void)state;
    enum { N = 100, T = 3 };
    nigh_context *ctx = test_context_new();
    double value[T * N], weight[N];
    for (int i = 0; i < N; i++) weight[i] = 1 + i % 3;
    for (int i = 0; i < T * N; i++) value[i] = i / N; /* one column is 0 */
    check_exact(ctx, N, T, 1, true, value, weight);
    check_exact(ctx, N, T, 1, false, value, weight);
    test_context_free(ctx);
}

/* E[factor] is 1 for every row: by 2000 draws, each mean within 5 standard errors. */
static void factors_are_unbiased(void **state)
{
    (void)state;
    enum { N = 60, DRAWS = 2000, KINDS = 3 };
    nigh_context *ctx = test_context_new();
    double *score = numbers(ctx, N, 3), y[N];
    for (int i = 0; i < N; i++) y[i] = i % 4 == 0;
    for (int classes = 1; classes <= 2; classes++)
        for (int kind = 0; kind < KINDS; kind++) {
            double sum[N] = {0}, squares[N] = {0};
            summary_classes c;
            int64_t budget[2] = {12, 5};
            assert_ok(ctx, summary_classes_new(ctx, N, classes == 2 ? y : NULL, NULL, &c));
            for (int draw = 0; draw < DRAWS; draw++) {
                nigh_rng rng = nigh_rng_new(7, (uint64_t)draw);
                nigh_subset s;
                if (kind == 0) assert_ok(ctx, summary_uniform(ctx, &c, budget, &rng, &s));
                if (kind == 1) assert_ok(ctx, summary_scores(ctx, &c, score, budget, &rng, &s, NULL));
                if (kind == 2) assert_ok(ctx, summary_independent(ctx, &c, score, budget, &rng, &s));
                assert_true(s.count <= 12 + (classes == 2 ? 5 : 0));
                for (int64_t i = 0; i < s.count; i++) {
                    assert_true(!i || s.index[i] > s.index[i - 1]);
                    sum[s.index[i]] += s.weight[i], squares[s.index[i]] += s.weight[i] * s.weight[i];
                }
                free_subset(ctx, &s);
            }
            for (int i = 0; i < N; i++) {
                double mean = sum[i] / DRAWS, error = sqrt(fmax(0, squares[i] / DRAWS - mean * mean) / DRAWS);
                if (sum[i] > 0 || score[i] > 0.1) assert_near(mean, 1, 5 * error + 1e-12, 0);
            }
            summary_classes_free(ctx, &c);
        }
    nigh_free(ctx, score);
    test_context_free(ctx);
}

static void stratified_sums_vary_less(void **state)
{
    (void)state;
    enum { N = 5000, DRAWS = 300, M = 50 };
    nigh_context *ctx = test_context_new();
    double *score = numbers(ctx, N, 4), *other = numbers(ctx, N, 5), variance[2] = {0, 0}, all = 0;
    summary_classes c;
    int64_t budget[2] = {M, 0};
    for (int i = 0; i < N; i++) all += other[i] = score[i] * (1 + 0.1 * i / N); /* a trend along the rows */
    assert_ok(ctx, summary_classes_new(ctx, N, NULL, NULL, &c));
    for (int kind = 0; kind < 2; kind++)
        for (int draw = 0; draw < DRAWS; draw++) {
            nigh_rng rng = nigh_rng_new(8, (uint64_t)draw);
            nigh_subset s;
            double sum = 0;
            assert_ok(ctx, kind ? summary_independent(ctx, &c, score, budget, &rng, &s) : summary_scores(ctx, &c, score, budget, &rng, &s, NULL));
            for (int64_t i = 0; i < s.count; i++) sum += s.weight[i] * other[s.index[i]];
            variance[kind] += pow(sum / all - 1, 2) / DRAWS;
            free_subset(ctx, &s);
        }
    assert_true(variance[0] < 0.1 * variance[1]);
    nigh_free(ctx, other);
    nigh_free(ctx, score);
    test_context_free(ctx);
}

static void heavy_rows_are_always_taken(void **state)
{
    (void)state;
    enum { N = 1000 };
    nigh_context *ctx = test_context_new();
    double score[N];
    summary_classes c;
    int64_t budget[2] = {20, 0}, taken;
    for (int i = 0; i < N; i++) score[i] = 1;
    score[17] = 1e4, score[400] = 3e3, score[999] = 60; /* of what is left the last has more than 1/18, too */
    assert_ok(ctx, summary_classes_new(ctx, N, NULL, NULL, &c));
    for (uint64_t seed = 0; seed < 50; seed++) {
        nigh_rng rng = nigh_rng_new(seed, 0);
        nigh_subset s;
        double sum = 0;
        int found = 0;
        assert_ok(ctx, summary_scores(ctx, &c, score, budget, &rng, &s, &taken));
        assert_int_equal(taken, 3);
        assert_int_equal(s.count, 20);
        for (int64_t i = 0; i < s.count; i++) {
            sum += s.weight[i] * score[s.index[i]];
            if (score[s.index[i]] > 1) found++, assert_true(s.weight[i] == 1);
        }
        assert_int_equal(found, 3);
        assert_near(sum, 997 + 1e4 + 3e3 + 60, 1e-6, 0);
        free_subset(ctx, &s);
    }
    for (int i = 0; i < 10; i++) score[100 * i] = 1e18 / (i + 1); /* far above all the others, which half the budget is left for */
    score[17] = score[999] = 1;
    nigh_rng huge = nigh_rng_new(1, 0);
    nigh_subset h;
    double light = 0;
    assert_ok(ctx, summary_scores(ctx, &c, score, budget, &huge, &h, &taken));
    assert_int_equal(taken, 10);
    for (int64_t i = 0; i < h.count; i++) light += score[h.index[i]] == 1 ? h.weight[i] : 0;
    assert_near(light, 990, 1e-9, 0);
    free_subset(ctx, &h);
    for (int i = 0; i < N; i++) score[i] = 0; /* nothing to draw */
    nigh_rng rng = nigh_rng_new(1, 0);
    nigh_subset s;
    assert_ok(ctx, summary_scores(ctx, &c, score, budget, &rng, &s, &taken));
    assert_int_equal(s.count, 0);
    free_subset(ctx, &s);
    score[3] = NAN;
    assert_fails(ctx, summary_scores(ctx, &c, score, budget, &rng, &s, &taken), NIGH_INVALID, "score 3 is nan");
    score[3] = -1;
    assert_fails(ctx, summary_independent(ctx, &c, score, budget, &rng, &s), NIGH_INVALID, "score 3 is -1");
    summary_classes_free(ctx, &c);
    test_context_free(ctx);
}

static void budgets_are_shared(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    double y[1000] = {0};
    int64_t budget[2];
    summary_classes c;
    assert_ok(ctx, summary_classes_new(ctx, 1000, y, NULL, &c));
    assert_int_equal(c.classes, 1);
    summary_budget(&c, 100, 0.3, 10, budget);
    assert_int_equal(budget[0], 100);
    assert_int_equal(budget[1], 0);
    for (int i = 0; i < 20; i++) y[50 * i] = 1;
    assert_ok(ctx, summary_classes_new(ctx, 1000, y, NULL, &c));
    assert_int_equal(c.count[1], 20);
    assert_int_equal(summary_row(&c, 1, 2), 100);
    assert_int_equal(summary_row(&c, 0, 0), 1);
    summary_budget(&c, 60, 0.02, 10, budget);
    assert_int_equal(budget[1], 10);
    assert_int_equal(budget[0], 50);
    summary_budget(&c, 300, 0.5, 10, budget); /* no more than there are */
    assert_int_equal(budget[1], 20);
    assert_int_equal(budget[0], 280);
    summary_budget(&c, 995, 0.001, 1, budget); /* nor of the other class */
    assert_int_equal(budget[0], 980);
    assert_int_equal(budget[1], 15);
    summary_budget(&c, 2, 0, 0, budget);
    assert_int_equal(budget[1], 1);
    summary_classes_free(ctx, &c);
    double weight[1000] = {0};
    for (int i = 500; i < 600; i++) weight[i] = 1;
    assert_ok(ctx, summary_classes_new(ctx, 1000, y, weight, &c));
    assert_int_equal(c.count[0], 98);
    assert_int_equal(c.count[1], 2);
    assert_int_equal(summary_row(&c, 1, 1), 550);
    summary_classes_free(ctx, &c);
    assert_ok(ctx, summary_classes_new(ctx, 1000, NULL, weight, &c));
    assert_int_equal(c.classes, 1);
    assert_int_equal(summary_row(&c, 0, 99), 599);
    summary_classes_free(ctx, &c);
    test_context_free(ctx);
}

static void calibrated_sums_are_exact(void **state)
{
    (void)state;
    enum { N = 80, T = 6 };
    nigh_context *ctx = test_context_new();
    double *value = numbers(ctx, N * T, 6), weight[N], target[T], before[N];
    for (int i = 0; i < N; i++) weight[i] = before[i] = 1 + i % 5;
    for (int i = 0; i < N; i++) value[4 * N + i] = 1e-8 * value[i] - 3e-8 * value[N + i], value[5 * N + i] = 0; /* dependent, of both signs; nothing at all */
    for (int k = 0; k < T; k++) {
        target[k] = 0;
        for (int i = 0; i < N; i++) target[k] += before[i] * (1 + 0.1 * sin(i)) * value[k * N + i];
    }
    assert_ok(ctx, summary_calibrate(ctx, N, T, value, target, weight));
    for (int k = 0; k < T; k++) {
        double sum = 0, size = 0;
        for (int i = 0; i < N; i++) sum += weight[i] * value[k * N + i], size += weight[i] * fabs(value[k * N + i]);
        assert_near(sum, target[k], 1e-9 * size, 0);
    }
    for (int i = 0; i < N; i++) assert_true(weight[i] > before[i] / 5.001 && weight[i] < before[i] * 5.001);
    assert_near(summary_distance(N, T, value, target, weight), 0, 1e-12, 0);
    target[0] *= 1e6; /* out of reach: positive weights, as heavy as they may be */
    assert_ok(ctx, summary_calibrate(ctx, N, T, value, target, weight));
    for (int i = 0; i < N; i++) assert_true(weight[i] > 0 && isfinite(weight[i]));
    memset(value, 0, N * T * sizeof *value);
    memcpy(weight, before, sizeof weight);
    assert_ok(ctx, summary_calibrate(ctx, N, T, value, target, weight));
    assert_memory_equal(weight, before, sizeof weight);
    nigh_free(ctx, value);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caratheodory_keeps_the_mean), cmocka_unit_test(equal_points_are_no_trouble), cmocka_unit_test(factors_are_unbiased),
        cmocka_unit_test(stratified_sums_vary_less),   cmocka_unit_test(heavy_rows_are_always_taken), cmocka_unit_test(budgets_are_shared),
        cmocka_unit_test(calibrated_sums_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
