/* The problem kind "function": what it says of itself, draws, answers, errors, and what it refuses. */
#include "support.h"

#include "function/target.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void test_describes_itself(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_problem *p = NULL, *other = NULL;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"exp", -1, 1, NIGH_F32, NULL}, &p));
    assert_string_equal(p->kind, "function");
    assert_string_equal(p->name, "exp(x) on [-1, 1], f32");
    assert_string_equal(p->measure->name, "absolute");
    assert_int_equal(p->in.ndim, 0);
    assert_int_equal(p->in.dtype, NIGH_F32);
    assert_true(p->low[0] == -1 && p->high[0] == 1 && p->rows == 0 && p->size == sizeof *p);
    assert_int_equal(strlen(p->identity), 64);
    const nigh_function same = {" exp( x ) ", -1, 1, NIGH_F32, "absolute"};
    assert_ok(ctx, nigh_function_problem_new(ctx, &same, &other));
    assert_string_equal(p->identity, other->identity);
    nigh_problem_free(ctx, other);
    const nigh_function differ[] = {{"exp2", -1, 1, NIGH_F32, NULL}, {"exp", -1, 1.5, NIGH_F32, NULL},
                                    {"exp", -1, 1, NIGH_F64, NULL}, {"exp", -1, 1, NIGH_F32, "ulp"}};
    for (int i = 0; i < 4; i++) {
        assert_ok(ctx, nigh_function_problem_new(ctx, &differ[i], &other));
        assert_string_not_equal(p->identity, other->identity);
        nigh_problem_free(ctx, other);
    }
    nigh_problem_free(ctx, p);
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"1/sqrt(x)", 0.1, 4, NIGH_F64, NULL}, &p));
    assert_ptr_equal(function_target_of(p)->named, function_named(FUNCTION_RSQRT));
    nigh_problem_free(ctx, p);
    nigh_problem foreign = {.kind = "map"};
    assert_null(function_target_of(&foreign));
    test_context_free(ctx);
}

static void test_draws(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    enum { N = 20000 };
    static float x[N], again[N];
    static double x_f64[N];
    double mean = 0;
    nigh_problem *p = NULL;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"sin", 0.1, 0.1000001, NIGH_F32, NULL}, &p));
    nigh_rng rng = nigh_rng_new(1, 2);
    assert_ok(ctx, p->ops->draw(ctx, p, &rng, N, x));
    for (int i = 0; i < N; i++) assert_true((double)x[i] >= 0.1 && (double)x[i] <= 0.1000001);
    nigh_problem_free(ctx, p);
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"sin", -2, 6, NIGH_F32, NULL}, &p));
    nigh_rng first = nigh_rng_new(1, 2), second = first;
    assert_ok(ctx, p->ops->draw(ctx, p, &first, N, x));
    assert_ok(ctx, p->ops->draw(ctx, p, &second, N, again));
    assert_memory_equal(x, again, sizeof x);
    for (int i = 0; i < N; i++) mean += (double)x[i] / N;
    assert_near(mean, 2, 5 * 8 / sqrt(12.0 * N), 0); /* five standard errors of a uniform mean */
    nigh_problem_free(ctx, p);
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"sin", -1e308, 7e307, NIGH_F64, NULL}, &p));
    assert_ok(ctx, p->ops->draw(ctx, p, &first, N, x_f64));
    for (int i = 0; i < N; i++) assert_true(x_f64[i] >= -1e308 && x_f64[i] <= 7e307);
    nigh_problem_free(ctx, p);
    test_context_free(ctx);
}

/* The errors of the exact computation itself are its real ones: between a tenth of an ulp and libmvec's four. */
static void test_exact_and_errors(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    enum { N = 3000 };
    static double x[N], y[N], error[N];
    static float xf[N], yf[N];
    static const char *const texts[] = {"exp", "log", "sin", "sigmoid", "exp(-x)*sin(x)"};
    for (int t = 0; t < 5; t++)
        for (int type = 0; type < 2; type++) {
            nigh_problem *p = NULL;
            nigh_dtype dtype = type ? NIGH_F32 : NIGH_F64;
            assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){texts[t], 0.5, 2, dtype, "ulp"}, &p));
            nigh_rng rng = nigh_rng_new(3, (uint64_t)t);
            void *in = type ? (void *)xf : x, *out = type ? (void *)yf : y;
            assert_ok(ctx, p->ops->draw(ctx, p, &rng, N, in));
            assert_ok(ctx, p->ops->exact(ctx, p, N, in, out));
            assert_ok(ctx, p->ops->errors(ctx, p, N, in, out, out, error));
            double worst = 0;
            for (int i = 0; i < N; i++) worst = fmax(worst, error[i]);
            assert_true(worst > 0.1 && worst < 10);
            nigh_problem_free(ctx, p);
        }
    nigh_problem *p = NULL;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){"exp", -1, 1, NIGH_F64, "relative"}, &p));
    double in[4] = {0, 0, 0, 0}, answer[4] = {1, 1.5, INFINITY, NAN}, none[4];
    assert_ok(ctx, p->ops->errors(ctx, p, 4, in, none, answer, error));
    assert_true(error[0] == 0 && error[1] == 0.5 && error[2] == INFINITY && error[3] == INFINITY);
    nigh_problem_free(ctx, p);
    test_context_free(ctx);
}

static void test_refuses(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_problem *p = NULL;
    static const struct {
        nigh_function function;
        const char *message;
    } cases[] = {
        {{NULL, 0, 1, NIGH_F32, NULL}, "text is NULL"},
        {{"exq", 0, 1, NIGH_F32, NULL}, "did you mean 'exp'"},
        {{"exp(y)", 0, 1, NIGH_F32, NULL}, "unknown name 'y'"},
        {{"exp", 1, 1, NIGH_F32, NULL}, "low < high"},
        {{"exp", 2, 1, NIGH_F32, NULL}, "low < high"},
        {{"exp", 0, INFINITY, NIGH_F32, NULL}, "finite ends"},
        {{"exp", NAN, 1, NIGH_F32, NULL}, "finite ends"},
        {{"x", -1.7e308, 1.7e308, NIGH_F64, NULL}, "wider than"},
        {{"x", 0, 1e300, NIGH_F32, NULL}, "leaves the range of f32"},
        {{"exp", 1, 1 + 1e-12, NIGH_F32, NULL}, "fewer than two f32"},
        {{"log", 0, 1, NIGH_F32, NULL}, "not finite at x = 0"},
        {{"log", -1, 1, NIGH_F32, NULL}, "not finite at x = -1"},
        {{"1/x", -1, 1, NIGH_F64, NULL}, "not finite at x = 0"},
        {{"sqrt(x*x - 1)", -2, 2, NIGH_F64, NULL}, "not finite at x ="},
        {{"exp", 0, 89, NIGH_F32, NULL}, "beyond the largest f32"},
        {{"exp", 0, 1, NIGH_I32, NULL}, "type is i32"},
        {{"exp", 0, 1, NIGH_F32, "rms"}, "measure is 'rms'"},
        {{"exp", 0, 1, NIGH_F32, "relativ"}, "measure is 'relativ'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(ctx, nigh_function_problem_new(ctx, &cases[i].function, &p), NIGH_INVALID, cases[i].message);
    assert_null(p);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    (void)state;
    nigh_status status = NIGH_MEMORY;
    for (long k = 1; status != NIGH_OK; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_problem *p = NULL;
        float x = 0.5f, y;
        double error;
        status = nigh_function_problem_new(ctx, &(nigh_function){"exp(x)+x/3", 0, 1, NIGH_F32, NULL}, &p);
        if (status == NIGH_OK) status = p->ops->exact(ctx, p, 1, &x, &y);
        if (status == NIGH_OK) status = p->ops->errors(ctx, p, 1, &x, &y, &y, &error);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        if (p) nigh_problem_free(ctx, p);
        assert_int_equal(nigh_memory_now(ctx), 0);
        nigh_context_free(ctx);
        assert_true(k < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describes_itself), cmocka_unit_test(test_draws), cmocka_unit_test(test_exact_and_errors),
        cmocka_unit_test(test_refuses),          cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
