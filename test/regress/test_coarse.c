/* coarse-run: a computation's own coarser levels compete, in place of a program a sum of n terms. */
#include "support.h"

#include "nigh/plan.h"

#include <math.h>
#include <string.h>

/* The midpoint rule with 2^(level + 2) points for the integral of exp(a t) over [0, 1]; "exact" has 2^10. */
static void integrate(int points, int64_t n, const double *a, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < points; k++) sum += exp(a[i] * (k + 0.5) / points);
        out[i] = sum / points;
    }
}

static nigh_status draw(nigh_context *ctx, const nigh_problem *problem, nigh_rng *rng, int64_t n, void *in)
{
    nigh_rng_fill_f64(rng, n, in);
    return NIGH_OK;
}

static nigh_status exact(nigh_context *ctx, const nigh_problem *problem, int64_t n, const void *in, void *out)
{
    integrate(1 << 10, n, in, out);
    return NIGH_OK;
}

static nigh_status coarse(nigh_context *ctx, const nigh_problem *problem, int level, int64_t n, const void *in, void *out)
{
    if (level == 7) return nigh_fail(ctx, NIGH_FAILED, "this level is broken");
    integrate(1 << (level + 2), n, in, out);
    return NIGH_OK;
}

static const nigh_problem_ops ops = {.draw = draw, .exact = exact, .coarse = coarse};
static const double low[] = {0}, high[] = {1};

static nigh_problem integral(int levels)
{
    return (nigh_problem){.size = sizeof(nigh_problem), .kind = "map", .name = "integral", .exact_seconds = 1e-3, .identity = "integral", .in = {NIGH_F64, 1, {1}},
                          .out = {NIGH_F64, 1, {1}}, .measure = nigh_measure_find("relative"), .levels = levels, .low = low, .high = high, .ops = &ops};
}

static nigh_request only_coarse(double error)
{
    nigh_request request = nigh_request_default();
    request.error = error, request.methods = "coarse-run", request.no_clock = true, request.state = "";
    return request;
}

/* The midpoint rule's relative error is about a^2 / (24 n^2), a in [0, 1]: the mean is 1/72 of 1/n^2. */
static void test_coarsest_level_that_meets(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem problem = integral(7);
    for (int level = 0; level < 6; level++) {
        double n = 1 << (level + 2), e = 1.2 / (72 * n * n);
        nigh_request request = only_coarse(e);
        nigh_outcome *outcome;
        assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
        assert_int_equal((int)outcome->plan->settings.value[0], level);
        assert_true(outcome->receipt->is_shortcut);
        nigh_outcome_free(ctx, outcome);
    }
    test_context_free(ctx);
}

static void test_answers_are_those_of_the_level(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem problem = integral(7);
    nigh_request request = only_coarse(1e-3);
    nigh_outcome *outcome;
    assert_ok(ctx, nigh_plan_make(ctx, &problem, &request, &outcome));
    double a[3] = {0.1, 0.5, 0.9}, y[3], want[3];
    assert_int_equal(nigh_plan_apply(outcome->plan, 3, a, y, NULL, 0), NIGH_OK);
    integrate(1 << ((int)outcome->plan->settings.value[0] + 2), 3, a, want);
    assert_memory_equal(y, want, sizeof y);
    assert_fails(ctx, nigh_plan_save(ctx, outcome->plan, "never-written.nigh"), NIGH_UNSUPPORTED, "cannot be saved");
    nigh_buffer text = {.ctx = ctx};
    assert_fails(ctx, nigh_plan_export(ctx, outcome->plan, "f", &text), NIGH_UNSUPPORTED, "cannot be exported");
    nigh_buffer_free(&text);
    nigh_outcome_free(ctx, outcome);
    test_context_free(ctx);
}

/* A level whose runs fail answers NaN and can never be chosen; without levels the reason is shown. */
static void test_failing_level_and_none(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem problem = integral(8);
    nigh_request request = only_coarse(1e-9);
    nigh_outcome *outcome;
    assert_int_equal(nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_UNMET);
    for (int i = 0; i < outcome->count; i++)
        if (outcome->candidates[i].settings.value[0] == 7) assert_true(outcome->candidates[i].state != NIGH_CANDIDATE_PASSED);
    nigh_outcome_free(ctx, outcome);
    problem = integral(0);
    assert_int_equal(nigh_plan_make(ctx, &problem, &request, &outcome), NIGH_UNMET);
    assert_int_equal(outcome->candidates[0].state, NIGH_CANDIDATE_UNSUPPORTED);
    assert_non_null(strstr(outcome->candidates[0].why, "--knob"));
    nigh_outcome_free(ctx, outcome);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coarsest_level_that_meets),
        cmocka_unit_test(test_answers_are_those_of_the_level),
        cmocka_unit_test(test_failing_level_and_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
