/* Expressions of several variables as a problem. */
#include "map_support.h"

#include "nigh/expr.h"

static const double low[] = {0, -1}, high[] = {3, 1};
static const nigh_expression_map two = {"sin(x)*exp(y); x/(1+y*y)", 2, low, high, NULL};

static void test_values(void **state)
{
    enum { ROWS = 1500 };
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = NULL;
    assert_ok(ctx, nigh_expression_map_new(ctx, &two, &problem));
    assert_true(problem->rows == 0 && nigh_shape_count(&problem->in) == 2 && nigh_shape_count(&problem->out) == 2);
    static double x[ROWS * 2], y[ROWS * 2];
    nigh_rng rng = nigh_rng_new(1, 2);
    assert_ok(ctx, problem->ops->draw(ctx, problem, &rng, ROWS, x));
    assert_ok(ctx, problem->ops->exact(ctx, problem, ROWS, x, y));
    for (int i = 0; i < ROWS; i++) {
        assert_true(x[2 * i] >= 0 && x[2 * i] <= 3 && x[2 * i + 1] >= -1 && x[2 * i + 1] <= 1);
        assert_near(y[2 * i], sin(x[2 * i]) * exp(x[2 * i + 1]), 1e-15, 1e-14);
        assert_near(y[2 * i + 1], x[2 * i] / (1 + x[2 * i + 1] * x[2 * i + 1]), 1e-15, 1e-14);
    }
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

static void test_identity(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *a = NULL, *b = NULL, *c = NULL;
    nigh_expression_map other = two;
    assert_ok(ctx, nigh_expression_map_new(ctx, &two, &a));
    assert_ok(ctx, nigh_expression_map_new(ctx, &two, &b));
    other.measure = "absolute";
    assert_ok(ctx, nigh_expression_map_new(ctx, &other, &c));
    assert_string_equal(a->identity, b->identity);
    assert_string_not_equal(a->identity, c->identity);
    nigh_problem_free(ctx, a);
    nigh_problem_free(ctx, b);
    nigh_problem_free(ctx, c);
    test_context_free(ctx);
}

static void test_names(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_arena *arena = NULL;
    const char *names[NIGH_EXPR_MAX_VARIABLES];
    int count;
    assert_ok(ctx, nigh_arena_new(ctx, &arena));
    assert_ok(ctx, nigh_expr_names(ctx, "x10 + x2*1e5 - exp(b_1) / .5e-3 + e*pi + x2 + hypot (a, 2)", arena, names, &count));
    assert_int_equal(count, 4);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b_1");
    assert_string_equal(names[2], "x2");
    assert_string_equal(names[3], "x10");
    assert_ok(ctx, nigh_expr_names(ctx, "1 + 2", arena, names, &count));
    assert_int_equal(count, 0);
    nigh_buffer many = {.ctx = ctx};
    for (int i = 0; i < 65; i++) assert_ok(ctx, nigh_buffer_print(&many, "+v%d", i));
    assert_fails(ctx, nigh_expr_names(ctx, many.data, arena, names, &count), NIGH_INVALID, "more than 64 variables; 'v64'");
    nigh_buffer_free(&many);
    nigh_arena_free(arena);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = NULL;
    const double turned[] = {4, -1}, zero[] = {-1, -1};
    const struct {
        nigh_expression_map spec;
        const char *message;
    } cases[] = {
        {{NULL, 2, low, high, NULL}, "NULL"},
        {{"x+y+z", 2, low, high, NULL}, "2 intervals, but 'x+y+z' has 3 variables: x, y, z"},
        {{"1+1", 2, low, high, NULL}, "has no variables"},
        {{"x+y", 2, turned, high, NULL}, "the interval of x is 4:3"},
        {{"x+y", 2, low, high, "wrong"}, "the measure is 'wrong'"},
        {{"x+y;", 2, low, high, NULL}, "expected"},
        {{"log(x)+y", 2, zero, high, NULL}, "not finite at (-1, -1)"},
        {{"sinn(x)+y", 2, low, high, NULL}, "sinn"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(ctx, nigh_expression_map_new(ctx, &cases[i].spec, &problem), NIGH_INVALID, cases[i].message);
    assert_null(problem);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    for (long fail_at = 1;; fail_at++) {
        test_allocator allocator = {.fail_at = fail_at};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_problem *problem = NULL;
        nigh_status status = ctx ? nigh_expression_map_new(ctx, &two, &problem) : NIGH_MEMORY;
        if (status == NIGH_OK) nigh_problem_free(ctx, problem);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (status == NIGH_OK) break;
        assert_int_equal(status, NIGH_MEMORY);
        assert_true(fail_at < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_identity), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_bad_input), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
