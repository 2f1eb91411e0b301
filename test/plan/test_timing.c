/* Paired timing on work whose ratio is known, on work that fails, and on work that is cancelled. */
#include "support.h"

#include "nigh/plan.h"

#include <math.h>
#include <string.h>

/* A chain of dependent steps that no compiler shortens. */
typedef struct steps {
    int count;
    volatile uint64_t sink;
} steps;

static nigh_status run_steps(nigh_context *ctx, void *user, int64_t samples)
{
    steps *s = user;
    uint64_t x = s->sink | 1;
    for (int64_t i = 0; i < samples; i++)
        for (int k = 0; k < s->count; k++) x = x * 6364136223846793005u + 1442695040888963407u;
    s->sink = x;
    return NIGH_OK;
}

static void test_known_ratio(void **state)
{
    nigh_context *ctx = test_context_new();
    steps once = {200, 0}, twice = {400, 0};
    nigh_timed a = {run_steps, &twice, 1, false}, b = {run_steps, &once, 1, false};
    int right = 0, quiet = 0;
    for (int trial = 0; trial < 5; trial++) {
        nigh_timing t;
        assert_ok(ctx, nigh_time_pair(ctx, &a, &b, 0.5, &t));
        assert_true(t.pairs >= 5 && t.pairs <= 120);
        assert_int_equal(t.threads, 1);
        assert_true(t.low <= t.ratio && t.ratio <= t.high);
        assert_true(t.a_seconds > 0 && t.b_seconds > 0);
        int below = 0;
        for (int i = 0; i < t.pairs; i++) below += t.ratios[i] < t.ratio;
        assert_true(2 * below <= t.pairs); /* the median of its pairs */
        quiet += !t.busy; /* "machine busy" is an answer, too */
        right += !t.busy && t.ratio > 1.5 && t.ratio < 2.7;
        nigh_free(ctx, t.ratios);
    }
    assert_true(2 * right >= quiet);
    test_context_free(ctx);
}

/* However small the cap, five pairs are made. */
static void test_cap(void **state)
{
    nigh_context *ctx = test_context_new();
    steps s = {1000, 0};
    nigh_timed a = {run_steps, &s, 1, false};
    nigh_timing t;
    assert_ok(ctx, nigh_time_pair(ctx, &a, &a, 1e-9, &t));
    assert_true(t.pairs >= 5 && t.pairs < 15);
    nigh_free(ctx, t.ratios);
    test_context_free(ctx);
}

typedef struct failing {
    int left;
    bool cancel;
} failing;

static nigh_status run_failing(nigh_context *ctx, void *user, int64_t samples)
{
    failing *f = user;
    volatile double x = 0;
    for (int64_t i = 0; i < samples * 1000; i++) x = x + 1;
    if (f->left-- > 0) return NIGH_OK;
    if (!f->cancel) return nigh_fail(ctx, NIGH_FAILED, "the work is broken");
    nigh_context_cancel(ctx);
    return NIGH_OK;
}

static void test_failing_work(void **state)
{
    nigh_context *ctx = test_context_new();
    steps s = {100, 0};
    nigh_timed good = {run_steps, &s, 1, false};
    nigh_timing t;
    for (int left = 0; left < 30; left += 3) { /* fifteen pairs are two batches each, at the least */
        failing f = {left, false};
        nigh_timed bad = {run_failing, &f, 1, false};
        assert_fails(ctx, nigh_time_pair(ctx, left % 2 ? &good : &bad, left % 2 ? &bad : &good, 0, &t), NIGH_FAILED, "broken");
        f = (failing){left, true};
        assert_fails(ctx, nigh_time_pair(ctx, left % 2 ? &good : &bad, left % 2 ? &bad : &good, 0, &t), NIGH_INTERRUPTED, "interrupted");
        nigh_context_uncancel(ctx);
        assert_int_equal(nigh_memory_now(ctx), 0);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_ratio), cmocka_unit_test(test_cap), cmocka_unit_test(test_failing_work)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
