/* Private multiplicative weights, the ledger's levels, rows that two sets share. */
#include "support.h"

#include "nigh/random.h"
#include "nigh/release.h"

#include <math.h>
#include <string.h>

enum { UNIVERSE = 256 };

/* A skewed sample of n rows. */
static void sample_of(int64_t n, int64_t *counts)
{
    nigh_rng rng = nigh_rng_new(4, 0);
    memset(counts, 0, UNIVERSE * sizeof *counts);
    for (int64_t i = 0; i < n; i++) {
        double u = nigh_rng_f64(&rng);
        counts[(int)(UNIVERSE * u * u * u)]++;
    }
}

static void random_query(int j, double *query)
{
    nigh_rng rng = nigh_rng_new(8, (uint64_t)j);
    int bit = j % 8, cut = (int)nigh_rng_below(&rng, UNIVERSE); /* a bit of x, an interval, or coins */
    for (int x = 0; x < UNIVERSE; x++) query[x] = j % 3 == 0 ? x >> bit & 1 : j % 3 == 1 ? x < cut : (double)(nigh_rng_u32(&rng) & 1);
}

static void answers_are_near_within_the_updates(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int64_t counts[UNIVERSE];
    sample_of(4000, counts);
    for (int noisy = 0; noisy < 2; noisy++) {
        nigh_pmw_options o = nigh_pmw_options_default(UNIVERSE);
        o.threshold = 0.1, o.seed = 3;
        o.scale = noisy ? 0.1 / 16 : 0;
        nigh_pmw *p = NULL;
        assert_ok(ctx, nigh_pmw_new(ctx, &o, counts, &p));
        int64_t allowed = nigh_pmw_settings(p)->updates, used = 0;
        assert_int_equal(allowed, (int64_t)ceil(2 * log(UNIVERSE) / 0.01));
        for (int j = 0; j < 3000; j++) {
            double query[UNIVERSE], truth = 0, sum = 0;
            random_query(j, query);
            for (int x = 0; x < UNIVERSE; x++) truth += query[x] * (double)counts[x] / 4000;
            nigh_pmw_answer a;
            assert_ok(ctx, nigh_pmw_ask(p, query, &a));
            assert_int_equal(a.query, j);
            used += a.updated;
            assert_int_equal(a.updates_left, allowed - used);
            assert_true(fabs(a.value - truth) <= 0.1 + o.scale * 20);
            if (!noisy && a.updated) assert_near(a.value, truth, 1e-12, 0);
            for (int x = 0; x < UNIVERSE; x++) sum += nigh_pmw_weights(p)[x];
            assert_near(sum, 1, 1e-12, 0);
        }
        assert_true(used > 0 && used < allowed); /* the number of updates that the divergence allows is never reached */
        nigh_pmw_free(p);
    }
    test_context_free(ctx);
}

static void a_uniform_sample_needs_no_update(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int64_t counts[UNIVERSE];
    for (int x = 0; x < UNIVERSE; x++) counts[x] = 10;
    nigh_pmw_options o = nigh_pmw_options_default(UNIVERSE);
    o.scale = 0;
    nigh_pmw *p = NULL;
    assert_ok(ctx, nigh_pmw_new(ctx, &o, counts, &p));
    for (int j = 0; j < 100; j++) {
        double query[UNIVERSE];
        nigh_pmw_answer a;
        random_query(j, query);
        assert_ok(ctx, nigh_pmw_ask(p, query, &a));
        assert_false(a.updated);
    }
    nigh_pmw_free(p);
    test_context_free(ctx);
}

static void it_ends_and_refuses(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int64_t counts[UNIVERSE] = {100};
    nigh_pmw_options o = nigh_pmw_options_default(UNIVERSE);
    o.threshold = 0.01, o.scale = 0, o.updates = 2;
    nigh_pmw *p = NULL;
    assert_ok(ctx, nigh_pmw_new(ctx, &o, counts, &p));
    double query[UNIVERSE] = {1};
    nigh_pmw_answer a;
    assert_ok(ctx, nigh_pmw_ask(p, query, &a));
    assert_true(a.updated && a.value == 1);
    query[7] = 1.5;
    assert_fails(ctx, nigh_pmw_ask(p, query, &a), NIGH_INVALID, "value number 7 is 1.5");
    query[7] = 0;
    assert_ok(ctx, nigh_pmw_ask(p, query, &a));
    assert_int_equal(a.updates_left, 0);
    assert_fails(ctx, nigh_pmw_ask(p, query, &a), NIGH_RESOURCE, "after 2 questions");
    nigh_pmw_free(p);
    p = NULL;
    o = nigh_pmw_options_default(1);
    assert_fails(ctx, nigh_pmw_new(ctx, &o, counts, &p), NIGH_INVALID, "1 elements");
    o = nigh_pmw_options_default(UNIVERSE);
    o.threshold = 0;
    assert_fails(ctx, nigh_pmw_new(ctx, &o, counts, &p), NIGH_INVALID, "threshold is 0");
    o.threshold = NAN;
    counts[0] = 0;
    assert_fails(ctx, nigh_pmw_new(ctx, &o, counts, &p), NIGH_INVALID, "all 256 counts");
    counts[3] = -1;
    assert_fails(ctx, nigh_pmw_new(ctx, &o, counts, &p), NIGH_INVALID, "number 3 is -1");
    assert_null(p);
    test_context_free(ctx);
}

static void levels_sum_to_the_whole(void **state)
{
    (void)state;
    double sum = 0;
    for (int64_t k = 1; k <= 100000; k++) sum += nigh_ledger_level(k, 0.05);
    assert_near(sum, 0.05 * 100000 / 100001, 1e-12, 0);
    assert_true(nigh_ledger_level(1, 0.05) == 0.025);
    assert_true(nigh_release_holdout_level(3, 0.05, 500) == 0.05 / 12);
    assert_true(isnan(nigh_ledger_level(0, 0.05)) && isnan(nigh_ledger_level(1, 1)) && isnan(nigh_ledger_level(1, NAN)));
}

static void shared_rows_are_found(void **state)
{
    (void)state;
    enum { N = 500, C = 3 };
    nigh_context *ctx = test_context_new();
    double train[N * C], held[N * C];
    nigh_rng rng = nigh_rng_new(1, 1);
    nigh_rng_fill_f64(&rng, N * C, train);
    nigh_rng_fill_f64(&rng, N * C, held);
    int64_t count, train_row, held_row;
    assert_ok(ctx, nigh_holdout_overlap(ctx, C, N, train, N, held, &count, &train_row, &held_row));
    assert_int_equal(count, 0);
    assert_int_equal(train_row, -1);
    memcpy(held + 40 * C, train + 77 * C, C * sizeof *held);
    memcpy(held + 41 * C, train + 77 * C, C * sizeof *held);
    train[9 * C] = 0, train[9 * C + 1] = NAN;
    memcpy(held + 99 * C, train + 9 * C, C * sizeof *held);
    held[99 * C] = -0.0, held[99 * C + 1] = -NAN;
    memcpy(held + 120 * C, train + 5 * C, 2 * sizeof *held); /* two of three numbers are not a row */
    assert_ok(ctx, nigh_holdout_overlap(ctx, C, N, train, N, held, &count, &train_row, &held_row));
    assert_int_equal(count, 3);
    assert_int_equal(train_row, 77);
    assert_int_equal(held_row, 40);
    assert_ok(ctx, nigh_holdout_overlap(ctx, C, 0, train, N, held, &count, &train_row, &held_row));
    assert_int_equal(count, 0);
    assert_fails(ctx, nigh_holdout_overlap(ctx, 0, N, train, N, held, &count, &train_row, &held_row), NIGH_INVALID, "0 columns");
    test_context_free(ctx);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    for (long k = 2; k < 6; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        int64_t counts[2] = {1, 1}, count, a, b;
        double rows[2] = {1, 2};
        nigh_pmw_options o = nigh_pmw_options_default(2);
        nigh_pmw *p = NULL;
        nigh_status status = nigh_pmw_new(ctx, &o, counts, &p);
        assert_int_equal(status, k < 5 ? NIGH_MEMORY : NIGH_OK);
        nigh_pmw_free(p);
        assert_int_equal(nigh_holdout_overlap(ctx, 1, 2, rows, 2, rows, &count, &a, &b), NIGH_MEMORY);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_near_within_the_updates), cmocka_unit_test(a_uniform_sample_needs_no_update),
        cmocka_unit_test(it_ends_and_refuses),                 cmocka_unit_test(levels_sum_to_the_whole),
        cmocka_unit_test(shared_rows_are_found),               cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
