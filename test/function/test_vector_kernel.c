/* vector-kernel: plans of nigh's own vector functions. */
#include "support.h"

#include "function/target.h"
#include "nigh/function.h"
#include "nigh/vector.h"

#include <math.h>
#include <string.h>

static nigh_plan *fitted(nigh_context *ctx, const nigh_problem *problem)
{
    const nigh_method *method = NULL;
    void *fit = NULL;
    nigh_plan *plan = NULL;
    nigh_progress_point point = {0};
    assert_ok(ctx, nigh_method_find(ctx, "function", "vector-kernel", &method));
    nigh_settings settings = nigh_settings_default(method);
    assert_ok(ctx, method->start(ctx, method, problem, NULL, &settings, &fit));
    assert_ok(ctx, method->advance(ctx, fit, 1, &point));
    assert_true(point.done);
    assert_ok(ctx, method->finish(ctx, fit, &plan));
    method->abandon(ctx, fit);
    return plan;
}

static void test_plans(void **state)
{
    static const char *const names[] = {"exp", "log", "sin", "cos", "tanh", "erf"};
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < 6; i++) {
        nigh_problem *problem = NULL;
        nigh_plan *loaded = NULL;
        nigh_buffer bytes = {.ctx = ctx};
        nigh_certificate certificate;
        assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){names[i], 1.25, 1.5, NIGH_F32, "ulp"}, &problem));
        nigh_plan *plan = fitted(ctx, problem);
        assert_true(plan->low[0] == 1.25 && plan->high[0] == 1.5);
        assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
        assert_ok(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "plan", &loaded));
        float x[100], y[100], z[100];
        for (int k = 0; k < 100; k++) x[k] = 1.25f + .0025f * (float)k;
        assert_ok(ctx, nigh_plan_apply(plan, 100, x, y, NULL, 0));
        assert_ok(ctx, nigh_plan_apply(loaded, 100, x, z, NULL, 0));
        assert_memory_equal(y, z, sizeof y);
        for (int k = 0; k < 100; k++)
            assert_true(function_error_f128(function_target_of(problem), (double)y[k], function_value(function_target_of(problem), (nigh_f128)x[k])) < 1);
        assert_ok(ctx, plan->ops->certify(ctx, plan, problem, &certificate));
        assert_true(certificate.worst < 1 && certificate.worst > .3 && certificate.inputs == 0x1p21 + 1);
        nigh_plan_free(ctx, loaded);
        nigh_plan_free(ctx, plan);
        nigh_buffer_free(&bytes);
        nigh_problem_free(ctx, problem);
    }
    test_context_free(ctx);
}

static void test_not_for_this(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_method *method = NULL;
    assert_ok(ctx, nigh_method_find(ctx, "function", "vector-kernel", &method));
    nigh_settings settings = nigh_settings_default(method);
    static const struct {
        const char *text, *message;
        nigh_dtype type;
    } cases[] = {{"exp", "not for f64", NIGH_F64}, {"gelu", "exp, log, sin, cos, tanh and erf only", NIGH_F32}, {"exp(x)+1", "only", NIGH_F32}};
    for (int i = 0; i < 3; i++) {
        nigh_problem *problem = NULL;
        void *fit = NULL;
        assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){cases[i].text, 0, 1, cases[i].type, NULL}, &problem));
        assert_fails(ctx, method->supports(ctx, method, problem, &settings), NIGH_UNSUPPORTED, cases[i].message);
        assert_fails(ctx, method->start(ctx, method, problem, NULL, &settings, &fit), NIGH_UNSUPPORTED, cases[i].message);
        nigh_problem_free(ctx, problem);
    }
    test_context_free(ctx);
}

static void test_lying_file(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = NULL;
    nigh_buffer bytes = {.ctx = ctx};
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"tanh", 0, 1, NIGH_F32, NULL}, &problem));
    nigh_plan *plan = fitted(ctx, problem), *loaded = NULL;
    assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
    char *at = memmem(bytes.data, bytes.size, "tanh", 4);
    assert_non_null(at);
    at[3] = 'x';
    assert_int_equal(nigh_plan_parse(ctx, bytes.data, bytes.size, "lie", &loaded), NIGH_FORMAT);
    assert_null(loaded);
    nigh_buffer_free(&bytes);
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans), cmocka_unit_test(test_not_for_this), cmocka_unit_test(test_lying_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
