/* The f64 reference keeps the margin that it states; the exact computation is near it; errors in each measure. */
#include "support.h"

#include "function/target.h"

#include <float.h>
#include <math.h>
#include <string.h>

static nigh_problem *problem_new(nigh_context *ctx, const char *text, double low, double high, nigh_dtype type, const char *measure)
{
    nigh_problem *problem = NULL;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){text, low, high, type, measure}, &problem));
    return problem;
}

static void test_named(void **state)
{
    (void)state;
    for (int id = 0; id < FUNCTION_NAMED; id++) {
        const named_function *named = function_named((function_id)id);
        assert_int_equal(named->id, id);
        assert_ptr_equal(function_named_by_op(named->op), named);
        nigh_f128 x = 0.5, value, mirrored;
        nigh_context *ctx = test_context_new();
        nigh_problem *problem = problem_new(ctx, named->name, 0.25, 2, NIGH_F64, NULL);
        const function_target *target = function_target_of(problem);
        assert_ptr_equal(target->named, named);
        assert_string_equal(target->text, named->text);
        value = function_value(target, x);
        if (named->low < 0) {
            mirrored = function_value(target, -x);
            assert_int_equal(named->odd, mirrored == -value);
            assert_int_equal(named->even, mirrored == value);
        }
        nigh_problem_free(ctx, problem);
        test_context_free(ctx);
    }
    assert_null(function_named(FUNCTION_NAMED));
    assert_null(function_named_by_op(NIGH_OP_TAN));
}

/* Far tails included: relative to the value, the reference is good to 8 ulp. */
static void check_reference(nigh_context *ctx, const char *text, double low, double high)
{
    enum { N = 3001 };
    static double x[N], y[N], exact[N];
    nigh_problem *problem = problem_new(ctx, text, low, high, NIGH_F64, "relative");
    const function_target *target = function_target_of(problem);
    function_margin margin;
    assert_ok(ctx, function_reference_margin(ctx, target, &margin));
    void *workspace = nigh_alloc(ctx, function_reference_workspace(target));
    nigh_rng rng = nigh_rng_new(7, 1);
    assert_ok(ctx, problem->ops->draw(ctx, problem, &rng, N, x));
    x[0] = low;
    x[1] = high;
    function_reference_f64(target, N, x, y, workspace);
    for (int i = 0; i < N; i++) {
        nigh_f128 f = function_value(target, x[i]);
        double off = fabs((double)(y[i] - f)), allowed = margin.relative * fabs(y[i]) + margin.absolute;
        if (off > allowed) fail_msg("%s at %.17g: off by %g, %g is stated", text, x[i], off, allowed);
    }
    function_exact(target, N, x, exact, workspace);
    assert_memory_equal(exact, y, sizeof y); /* in f64 the timed computation is the same */
    nigh_free(ctx, workspace);
    nigh_problem_free(ctx, problem);
}

static void test_reference(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const struct {
        const char *text;
        double low, high;
    } cases[] = {{"exp", -745, 709}, {"exp2", -1074, 1023}, {"log", 1e-300, 1e300}, {"log", 0.999, 1.001}, {"log2", 0.9, 1.2},
                 {"sin", -1e5, 1e5}, {"cos", -10, 10}, {"tanh", -30, 30}, {"erf", -7, 7}, {"sigmoid", -740, 40},
                 {"gelu", -38, 10}, {"silu", -740, 40}, {"softplus", -740, 40}, {"sqrt", 0, 1e10}, {"rsqrt", 1e-300, 5},
                 {"exp(-x*x)*cos(3*x)", -4, 4}, {"x^3 - x + 0.1", -2, 2}, {"log1p(x)/x", 1e-6, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_reference(ctx, cases[i].text, cases[i].low, cases[i].high);
    test_context_free(ctx);
}

static void test_errors(void **state)
{
    (void)state;
    function_target target = {.type = NIGH_F32, .measure = nigh_measure_find("absolute")};
    assert_true(function_error(&target, 1.5, 1) == 0.5);
    assert_true(function_error(&target, INFINITY, 1) == INFINITY && function_error(&target, NAN, 1) == INFINITY);
    target.measure = nigh_measure_find("relative");
    assert_true(function_error(&target, 3, -2) == 2.5);
    assert_true(function_error(&target, 0, 0) == 0 && function_error(&target, 1, 0) == INFINITY);
    target.measure = nigh_measure_find("ulp");
    assert_true(function_error(&target, 1 + 0x1p-23, 1) == 1);
    assert_true(function_error(&target, 0x1p-149, 0) == 1);       /* the smallest subnormal is the least ulp */
    assert_true(function_error(&target, 0x1p-149, 0x1p-200) < 1); /* also far below it */
    nigh_f128 below = 1 - (nigh_f128)0x1p-80;                     /* rounds to 1, but has the ulp of numbers below 1 */
    assert_true(function_error_f128(&target, 1 + 0x1p-23, below) > 1.999);
    assert_true(function_error_f128(&target, 1 + 0x1p-23, -below + 2) < 1.001);
    target.type = NIGH_F64;
    assert_true(function_error(&target, 1 + 0x1p-52, 1) == 1);
}

static void test_jet(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_new(ctx, "exp", -1, 1, NIGH_F32, NULL);
    nigh_f128 c[5], factorial = 1;
    assert_ok(ctx, function_jet(ctx, function_target_of(problem), 0, 4, c));
    for (int k = 0; k < 5; k++) {
        assert_true(fabs((double)(c[k] * factorial - 1)) < 1e-30);
        factorial *= k + 1;
    }
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_named), cmocka_unit_test(test_reference),
                                       cmocka_unit_test(test_errors), cmocka_unit_test(test_jet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
