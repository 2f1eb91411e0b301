/* The services in force: what the planner relies on whoever provides them. */
#include "support.h"

#include "nigh/plan.h"

#include <math.h>
#include <stdlib.h>

/* The tuner stays strictly inside its bracket, whatever the errors are, and so any search ends. */
static void test_tuner(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_services *s = nigh_context_services(ctx);
    nigh_rng rng = nigh_rng_new(1, 1);
    static const double odd[] = {0, INFINITY, NAN, 1e-300, 1e300, 1};
    for (int trial = 0; trial < 20000; trial++) {
        double errors[64];
        for (int i = 0; i < 64; i++) errors[i] = nigh_rng_below(&rng, 4) == 0 ? odd[nigh_rng_below(&rng, 6)] : exp(-40 * nigh_rng_f64(&rng));
        int low = (int)nigh_rng_below(&rng, 62), high = low + 2 + (int)nigh_rng_below(&rng, (uint64_t)(62 - low));
        int at = s->tune(low, high, errors, exp(-40 * nigh_rng_f64(&rng)));
        if (!(at > low && at < high)) fail_msg("%d is not between %d and %d", at, low, high);
    }
    /* On a straight line of log errors it finds the point at once. */
    double line[31];
    for (int i = 0; i < 31; i++) line[i] = exp(-i);
    assert_int_equal(s->tune(0, 30, line, exp(-11.5)), 12);
    test_context_free(ctx);
}

/* More training is never expected to be worse, and nothing falls below zero. */
static void test_stopper(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_services *s = nigh_context_services(ctx);
    nigh_rng rng = nigh_rng_new(2, 1);
    for (int trial = 0; trial < 5000; trial++) {
        double units[8], loss[8], before = INFINITY;
        int count = 1 + (int)nigh_rng_below(&rng, 8);
        for (int i = 0; i < count; i++) units[i] = (i ? units[i - 1] : 0) + 1 + (double)nigh_rng_below(&rng, 100), loss[i] = nigh_rng_f64(&rng) / (i + 1);
        for (double total = units[count - 1]; total < 1e6; total *= 2) {
            double expected = s->extrapolate(count, units, loss, total);
            assert_true(expected >= 0 && expected <= loss[count - 1] && expected <= before);
            before = expected;
        }
    }
    double units[] = {1, 2, 4, 8}, loss[] = {1, 0.5, 0.25, 0.125}; /* 1 / units */
    assert_near(s->extrapolate(4, units, loss, 64), 1.0 / 64, 0, 1e-9);
    test_context_free(ctx);
}

/* All reads together spend no more than the level. */
static void test_levels(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_services *s = nigh_context_services(ctx);
    for (double level = 0.001; level < 0.6; level *= 3) {
        double sum = 0, before = INFINITY;
        for (int64_t k = 1; k <= 100000; k++) {
            double now = s->holdout_level(k, level, 1000);
            assert_true(now > 0 && now <= before);
            sum += now, before = now;
        }
        assert_true(sum <= level);
        assert_true(sum >= 0.9 * level); /* and wastes little */
    }
    test_context_free(ctx);
}

static void test_shrinker(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_services *s = nigh_context_services(ctx);
    for (int64_t n = 1; n < 400; n = n * 3 / 2 + 1)
        for (int64_t m = 1; m <= n; m++) {
            double x[400] = {0};
            int64_t index[400];
            nigh_samples samples = {.n = n, .in = x, .out = x};
            assert_ok(ctx, s->shrink(ctx, NULL, &samples, m, index));
            assert_true(index[0] >= 0 && index[m - 1] < n);
            for (int64_t i = 1; i < m; i++) assert_true(index[i] > index[i - 1]);
        }
    test_context_free(ctx);
}

static double half(int64_t k, double level, int64_t n) { return level / 2; }

static void test_replaced(void **state)
{
    nigh_context *ctx = test_context_new(), *other = test_context_new();
    nigh_context_services(ctx)->holdout_level = half;
    assert_near(nigh_context_services(ctx)->holdout_level(3, 0.05, 10), 0.025, 0, 0);
    assert_true(nigh_context_services(other)->holdout_level != half);
    test_context_free(other);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tuner), cmocka_unit_test(test_stopper), cmocka_unit_test(test_levels),
                                       cmocka_unit_test(test_shrinker), cmocka_unit_test(test_replaced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
