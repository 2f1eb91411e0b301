/* Every f32 of an interval: the count, the worst error beside brute force in quadruple precision, a planted bad float. */
#include "support.h"

#include "function/exhaustive.h"

#include <math.h>
#include <string.h>

typedef struct planted {
    const function_target *target;
    float at, value; /* this input gets that answer */
    bool exactly_rounded;
} planted;

/* Both zeros are told apart by their bits. */
static void apply(const void *user, int64_t n, const float *in, float *out)
{
    const planted *p = user;
    for (int64_t i = 0; i < n; i++) {
        nigh_f128 f = p->exactly_rounded ? function_value(p->target, (nigh_f128)in[i]) : 0;
        out[i] = p->exactly_rounded ? (float)f : in[i] * (0.9f + in[i] * in[i] * -0.16f);
        if (memcmp(&in[i], &p->at, sizeof(float)) == 0) out[i] = p->value;
    }
}

static nigh_problem *problem_new(nigh_context *ctx, const char *text, double low, double high, const char *measure)
{
    nigh_problem *problem = NULL;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){text, low, high, NIGH_F32, measure}, &problem));
    return problem;
}

static void test_count(void **state)
{
    (void)state;
    assert_int_equal(function_count_f32(1, 2), (1 << 23) + 1);
    assert_int_equal(function_count_f32(-2, -1), (1 << 23) + 1);
    assert_int_equal(function_count_f32(0, 0), 2); /* both zeros */
    assert_int_equal(function_count_f32(-0x1p-149, 0x1p-149), 4);
    assert_int_equal(function_count_f32(0x1p-149, 0x1p-148), 2);
    assert_int_equal(function_count_f32(1.00000001, 1.00000002), 0);
    assert_int_equal(function_count_f32(1, 1), 1);
    assert_int_equal(function_count_f32(2, 1), 0);
    assert_int_equal(function_count_f32(-0x1.fffffep127, 0x1.fffffep127), 2 * (int64_t)0x7f800000);
}

/* Brute force: every float by nextafterf, errors in quadruple precision. */
static void check_against_brute_force(nigh_context *ctx, const char *text, double low, double high, const char *measure,
                                      bool exactly_rounded)
{
    nigh_problem *problem = problem_new(ctx, text, low, high, measure);
    const function_target *target = function_target_of(problem);
    planted p = {target, NAN, 0, exactly_rounded};
    nigh_certificate certificate;
    double mean = 0, worst = 0, total = 0, count = 0;
    assert_ok(ctx, function_exhaustive_f32(ctx, target, apply, &p, &certificate, &mean));
    for (float x = (float)target->low; x <= (float)target->high; x = nextafterf(x, INFINITY)) {
        float answer;
        apply(&p, 1, &x, &answer);
        double error = function_error_f128(target, (double)answer, function_value(target, (nigh_f128)x));
        worst = fmax(worst, error);
        total += error;
        count++;
    }
    assert_true(certificate.inputs == count || certificate.inputs == count + 1); /* -0 */
    assert_true(certificate.worst >= worst); /* a bound, and a tight one */
    assert_near(certificate.worst, worst, 0, 2e-6);
    assert_near(mean, total / certificate.inputs, 0, 1e-6); /* -0 has no error */
    assert_true(certificate.exact);
    float at = (float)certificate.at, answer;
    apply(&p, 1, &at, &answer);
    assert_near(function_error_f128(target, (double)answer, function_value(target, (nigh_f128)at)), worst, 0, 2e-6);
    nigh_problem_free(ctx, problem);
}

static void test_brute_force(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const char *const measures[] = {"absolute", "relative", "ulp"};
    for (int m = 0; m < 3; m++) {
        check_against_brute_force(ctx, "sin", 0.5, 0.5003, measures[m], false);
        check_against_brute_force(ctx, "sin", -0x1p-140, 0x1p-140, measures[m], false); /* subnormals and zeros */
        check_against_brute_force(ctx, "exp", 0.69310, 0.69320, measures[m], true);     /* f crosses 2: ulp changes */
        check_against_brute_force(ctx, "cos", 0.0001, 0.00010002, measures[m], true);   /* f just below 1 */
        check_against_brute_force(ctx, "log", 0.99995, 1.00005, measures[m], true);     /* through a zero of f */
        check_against_brute_force(ctx, "gelu", -13.0005, -13, measures[m], true);       /* a tail, subnormal in f32 */
        check_against_brute_force(ctx, "x*x - 2", 1.41421, 1.41422, measures[m], true); /* cancellation near its zero */
    }
    test_context_free(ctx);
}

/* One bad float among 8 million is found, at any CPU level, with the same bits whatever the threads. */
static void cheap(const void *user, int64_t n, const float *in, float *out)
{
    const planted *p = user;
    double workspace[4096];
    function_exact(p->target, n, in, out, workspace);
    for (int64_t i = 0; i < n; i++)
        if (in[i] == p->at) out[i] = p->value;
}

static void test_planted(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_new(ctx, "sqrt", 1, 2, "ulp");
    const function_target *target = function_target_of(problem);
    assert_true(function_reference_workspace(target) <= 4096 * sizeof(double));
    static const float places[] = {1.0f, 1.2345678f, 1.99999988f, 2.0f, 1.5f};
    for (int i = 0; i < 5; i++) {
        float good = sqrtf(places[i]);
        planted p = {target, places[i], nextafterf(nextafterf(good, 9), 9), false};
        nigh_certificate one, two;
        double mean_one, mean_two;
        assert_ok(ctx, nigh_context_set_threads(ctx, 1));
        assert_ok(ctx, function_exhaustive_f32(ctx, target, cheap, &p, &one, &mean_one));
        assert_ok(ctx, nigh_context_set_threads(ctx, 3));
        assert_ok(ctx, function_exhaustive_f32(ctx, target, cheap, &p, &two, &mean_two));
        assert_true(one.at == (double)places[i] && one.worst > 1.4 && one.worst < 2.6 && one.inputs == 0x1p23 + 1);
        assert_true(memcmp(&one.worst, &two.worst, sizeof(double)) == 0 && mean_one == mean_two && one.at == two.at);
        assert_true(one.exact && two.exact);
        p.value = i % 2 ? INFINITY : NAN;
        assert_ok(ctx, function_exhaustive_f32(ctx, target, cheap, &p, &one, NULL));
        assert_true(one.worst == INFINITY && one.at == (double)places[i]);
    }
    planted none = {target, NAN, 0, false};
    nigh_certificate certificate;
    assert_ok(ctx, function_exhaustive_f32(ctx, target, cheap, &none, &certificate, NULL));
    assert_true(certificate.worst <= 0.5000001 && certificate.worst > 0.4999); /* a square root is rounded correctly */
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

/* Every level's kernels give the same bounds. */
static void test_levels(void **state)
{
    (void)state;
    enum { N = 1021 };
    static float x[3][N], answer[N];
    static double f[3][N], bound[3][N];
    const exhaustive_kernels *levels[3] = {&exhaustive_kernels_scalar};
    int count = 1;
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX2) levels[count++] = &exhaustive_kernels_avx2;
    if (nigh_cpu() >= NIGH_CPU_AVX512) levels[count++] = &exhaustive_kernels_avx512;
#endif
    static const int32_t keys[] = {-500, 0x3f800000 - 300, -0x7f800000 + 1, 0x7f7fffff - N + 1, -0x3f800000};
    function_margin margin = {0x1p-49, 1e-300, true};
    for (int k = 0; k < 5; k++)
        for (int m = 0; m < 3; m++)
            for (int n = 1; n <= N; n += n < 20 ? 1 : 500) {
                double sum[3] = {0}, worst[3];
                for (int l = 0; l < count; l++) {
                    levels[l]->floats(n, keys[k], x[l], f[l]);
                    for (int i = 0; i < n; i++) {
                        answer[i] = x[l][i] * 1.0001f;
                        if (i % 50 == 7) answer[i] = i % 3 ? (float)(i % 100 == 7 ? NAN : INFINITY) : 0;
                    }
                    worst[l] = levels[l]->bounds(n, f[l], answer, (exhaustive_measure)m, &margin, bound[l], &sum[l]);
                    assert_memory_equal(x[l], x[0], (size_t)n * sizeof(float));
                    assert_memory_equal(bound[l], bound[0], (size_t)n * sizeof(double));
                    assert_true(worst[l] == worst[0]);
                    if (isfinite(sum[0])) assert_near(sum[l], sum[0], 0, 1e-12);
                    else assert_true(sum[l] == sum[0]);
                }
                for (int i = 1; i < n; i++) assert_true(x[0][i] >= x[0][i - 1]);
            }
}

static void stop(void *user, const char *what, double done, double total)
{
    (void)what, (void)done, (void)total;
    nigh_context_cancel(user);
}

static void test_refusals_and_cancel(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_new(ctx, "sqrt", 1, 1000, NULL);
    planted p = {function_target_of(problem), NAN, 0, false};
    nigh_certificate certificate;
    nigh_context_set_progress(ctx, stop, ctx);
    assert_fails(ctx, function_exhaustive_f32(ctx, p.target, cheap, &p, &certificate, NULL), NIGH_INTERRUPTED, "");
    nigh_context_uncancel(ctx);
    function_target other = *p.target;
    other.type = NIGH_F64;
    assert_fails(ctx, function_exhaustive_f32(ctx, &other, cheap, &p, &certificate, NULL), NIGH_UNSUPPORTED, "f32 only");
    other = *p.target;
    other.measure = nigh_measure_find("rms");
    assert_fails(ctx, function_exhaustive_f32(ctx, &other, cheap, &p, &certificate, NULL), NIGH_UNSUPPORTED, "'rms'");
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

/* Infinite answers are right from FLT_MAX and half an ulp on, in every measure, and nowhere else. */
static void test_overflow(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static const char *const measures[] = {"absolute", "relative", "ulp"};
    for (int m = 0; m < 3; m++) {
        function_target target;
        nigh_certificate certificate;
        double mean;
        assert_ok(ctx, function_target_make(ctx, "exp", 0x1.62e4p6, 0x1.62e5p6, measures[m], &target)); /* around log 2^128 */
        planted p = {&target, NAN, 0, true};
        assert_ok(ctx, function_exhaustive_f32(ctx, &target, apply, &p, &certificate, &mean));
        assert_true(certificate.exact && isfinite(mean) && certificate.worst > 0);
        assert_true(certificate.worst <= (m == 0 ? 0x1p103 : m == 1 ? 0x1p-24 : .5) * (1 + 1e-6));
        p.at = 0x1.62e5p6f;
        p.value = 0x1.fffffep127f; /* exp is 1.0006 2^128 there */
        assert_ok(ctx, function_exhaustive_f32(ctx, &target, apply, &p, &certificate, NULL));
        assert_true(certificate.at == (double)p.at && isfinite(certificate.worst));
        if (m == 2) assert_true(certificate.worst > 1000);
        p.value = -INFINITY;
        assert_ok(ctx, function_exhaustive_f32(ctx, &target, apply, &p, &certificate, NULL));
        assert_true(certificate.worst == INFINITY && certificate.at == (double)p.at);
        p.at = 0x1.62e4p6f; /* just below */
        p.value = INFINITY;
        assert_ok(ctx, function_exhaustive_f32(ctx, &target, apply, &p, &certificate, NULL));
        assert_true(certificate.worst == INFINITY && certificate.at == (double)p.at);
        function_target_free(ctx, &target);
    }
    test_context_free(ctx);
}

#if defined(NIGH_HAVE_ARB)
static void cancel_when_told(void *user, nigh_log_level level, const char *text)
{
    if (level == NIGH_LOG_NOTE && strstr(text, "f32 numbers of the interval: about")) nigh_context_cancel(user);
}

/* A function that turns many times between two floats takes long: that is said first, and Ctrl-C works at once. */
static void test_slow(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_new(ctx, "sin(1000*x)", 0x1p19, 0x1p30, NULL);
    planted p = {function_target_of(problem), NAN, 0, false};
    nigh_certificate certificate;
    nigh_context_set_log(ctx, cancel_when_told, ctx);
    assert_ok(ctx, nigh_context_set_threads(ctx, 2));
    assert_fails(ctx, function_exhaustive_f32(ctx, p.target, cheap, &p, &certificate, NULL), NIGH_INTERRUPTED, "");
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
    ctx = test_context_new(); /* a little of it: values one by one */
    problem = problem_new(ctx, "sin(1000*x)", 0x1p19, 0x1p19 + 20, "ulp");
    p.target = function_target_of(problem);
    p.exactly_rounded = true;
    assert_ok(ctx, function_exhaustive_f32(ctx, p.target, apply, &p, &certificate, NULL));
    assert_true(certificate.worst <= .5 * (1 + 1e-6) && certificate.worst > .45);
    assert_non_null(strstr(certificate.how, "proved by Arb"));
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}
#endif

static void test_failing_allocations(void **state)
{
    (void)state;
    nigh_context *outer = test_context_new();
    nigh_problem *problem = problem_new(outer, "exp(x)*x", 1, 1.001, "ulp");
    planted p = {function_target_of(problem), NAN, 0, true};
    nigh_status status = NIGH_MEMORY;
    for (long k = 1; status != NIGH_OK; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_certificate certificate;
        function_target target;
        status = function_target_make(ctx, "gelu", 0, 1, NULL, &target);
        if (status == NIGH_OK) function_target_free(ctx, &target);
        if (status == NIGH_OK) status = function_exhaustive_f32(ctx, p.target, apply, &p, &certificate, NULL);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        assert_int_equal(nigh_memory_now(ctx), 0);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        assert_true(k < 100);
    }
    nigh_problem_free(outer, problem);
    test_context_free(outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),  cmocka_unit_test(test_brute_force),         cmocka_unit_test(test_planted),
        cmocka_unit_test(test_levels), cmocka_unit_test(test_refusals_and_cancel),
        cmocka_unit_test(test_overflow), cmocka_unit_test(test_failing_allocations),
#if defined(NIGH_HAVE_ARB)
        cmocka_unit_test(test_slow),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
