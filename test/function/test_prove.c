/* Proofs over every real: never below an error that is seen, near it where the approximation dominates, and not to be fooled. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "function/approximation.h"
#include "function/prove.h"
#include "support.h"

#if defined(NIGH_HAVE_ARB)
extern const nigh_method *const nigh_function_methods[];

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

static const nigh_method *method_of(const char *name)
{
    for (int i = 0; nigh_function_methods[i]; i++)
        if (strcmp(nigh_function_methods[i]->name, name) == 0) return nigh_function_methods[i];
    fail_msg("no method %s", name);
    return NULL;
}

static nigh_problem *problem_new(nigh_context *ctx, const char *text, double low, double high, nigh_dtype type, const char *measure)
{
    nigh_problem *problem;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){text, low, high, type, measure}, &problem));
    return problem;
}

/* In quadruple precision, so that differences of subnormal numbers are what they are; never too large. */
static double error_of(const function_target *target, double answer, nigh_f128 f)
{
    nigh_f128 off = function_abs(answer - f), size = function_abs(f);
    char measure = target->measure->name[0];
    if (off == 0) return 0;
    if (measure == 'r') return size > 0 ? (double)(off / size) * (1 - 1e-12) : INFINITY;
    if (measure == 'u') off *= function_measure_weight(FUNCTION_ULP, target->type, f);
    return (double)off * (1 - 1e-12);
}

enum { POINTS = 800, MOST_POINTS = 100000 };

static double input(const function_target *target, double around, int i, int n, uint64_t *state)
{
    double u = uniform(state), x = target->low * (1 - u) + target->high * u;
    if (i % 4 == 1) x = around + (u - .5) * ldexp(target->high - target->low, -(int)(uniform(state) * 50));
    if (i % 4 == 2) x = ldexp(2 * u - 1, 4 - (int)(uniform(state) * 1078));
    if (i % 8 == 3) x = floor((uniform(state) - .5) * 800) * 1.5707963267948966;
    if (i < 2) x = i ? target->low : target->high;
    x = function_round(target->type, x);
    return x >= target->low && x <= target->high ? x : function_round(target->type, target->low * (1 - u) + target->high * u);
}

/* The largest error at n inputs, many of them around `around` and near zeros. */
static double seen(const function_target *target, const function_core *core, double around, int n, uint64_t *state)
{
    static double x[MOST_POINTS], y[MOST_POINTS];
    static float x_f32[MOST_POINTS], y_f32[MOST_POINTS];
    double worst = 0;
    for (int i = 0; i < n; i++) {
        x[i] = input(target, around, i, n, state);
        x_f32[i] = (float)x[i];
    }
    if (core->type == NIGH_F64) function_core_apply(core, n, x, y);
    else function_core_apply(core, n, x_f32, y_f32);
    for (int i = 0; i < n; i++) {
        double error = error_of(target, core->type == NIGH_F64 ? y[i] : (double)y_f32[i], function_value(target, x[i]));
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

typedef struct sample {
    const char *text;
    double low, high;
} sample;

static const sample samples[] = {
    {"exp", -30, 60}, {"exp", -745, 709.5}, {"exp2", -100, 20}, {"exp2", -3, 3}, {"log", .002, 5000}, {"log2", .5, 3}, {"log", 1e-300, 1e300}, {"sin", -400, 300},
    {"cos", -30, 200}, {"sin", 1e5, 2e8}, {"tanh", -8, 9}, {"erf", -5, 5}, {"tanh", -1e300, 1e300}, {"sigmoid", -12, 9}, {"gelu", -8, 8},
    {"silu", -15, 15}, {"softplus", -10, 20}, {"sqrt", .01, 90}, {"sqrt", 0, 7}, {"rsqrt", .1, 70}, {"exp(-x*x)*cos(3*x)", -2, 2}, {"x*exp(x)", -1, 3}, {"exp", -1, 1}};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* A fit of a method; false where it does not apply. */
static bool fit_new(nigh_context *ctx, const char *name, const char *text, const nigh_problem *problem, void **fit)
{
    const nigh_method *method = method_of(name);
    nigh_settings settings = nigh_settings_default(method);
    nigh_progress_point point;
    assert_ok(ctx, nigh_settings_parse(ctx, method, text, &settings));
    *fit = NULL;
    if (method->start(ctx, method, problem, NULL, &settings, fit) == NIGH_OK && method->advance(ctx, *fit, 1, &point) == NIGH_OK) return true;
    method->abandon(ctx, *fit);
    return false;
}

static const char *const approaches[][2] = {
    {"minimax", "degree=6,reduction=native"}, {"minimax", "degree=18,reduction=native"}, {"minimax", "degree=9,reduction=none"},
    {"minimax-rational", "degree=4,denominator=3,reduction=native"}, {"minimax-rational", "reduction=none"}, {"table-cubic", "entries=64,reduction=native"},
    {"table-cubic", "entries=64,reduction=none"}, {"table-linear", "entries=128,reduction=native"}};

/* Half of all combinations, in turn with one of the measures; f32 here and there. */
static void never_below_what_is_seen(void **unused)
{
    static const char *const measures[] = {"absolute", "relative", "ulp"};
    nigh_context *ctx = test_context_new();
    uint64_t state = 4;
    int proved = 0, near = 0;
    for (int s = 0; s < SAMPLES; s++)
        for (int a = s % 2; a < 8; a += 2) {
            nigh_dtype type = (s + a) % 10 == 4 && fabs(samples[s].high) < 1e4 && samples[s].low > -80 ? NIGH_F32 : NIGH_F64;
            nigh_problem *problem = problem_new(ctx, samples[s].text, samples[s].low, samples[s].high, type, measures[(s + a / 2) % 3]);
            const function_target *target = function_target_of(problem);
            void *fit;
            if (fit_new(ctx, approaches[a][0], approaches[a][1], problem, &fit)) {
                nigh_certificate proof;
                const function_core *core = &function_fit_result(fit)->core;
                assert_ok(ctx, function_prove(ctx, target, core, &proof));
                double worst = seen(target, core, proof.at, POINTS, &state);
                if (!(proof.worst >= worst))
                    fail_msg("%s on [%g, %g], %s, %s %s: proved %g, seen %g", samples[s].text, samples[s].low, samples[s].high, measures[(s + a / 2) % 3],
                             approaches[a][0], approaches[a][1], proof.worst, worst);
                assert_false(proof.exact);
                assert_true(isinf(proof.inputs) && proof.at >= target->low && proof.at <= target->high);
                proved += isfinite(proof.worst);
                near += proof.worst <= 1.1 * worst;
                function_fit_abandon(ctx, fit);
            }
            nigh_problem_free(ctx, problem);
        }
    assert_true(proved > 60);
    assert_true(near > proved / 3);
    test_context_free(ctx);
}

/* Good to the last bits: the bound stays in ulps, and holds at 10^5 inputs. */
static void last_bits(void **unused)
{
    static const struct { const char *text; double low, high; const char *settings; double ulps; } cases[] = {
        {"exp", -600, 700, "degree=12,reduction=native", 1}, {"exp2", -800, 1000, "degree=13,reduction=native", 1.3}, {"sin", -100, 100, "degree=19,reduction=native", 6}};
    nigh_context *ctx = test_context_new();
    uint64_t state = 11;
    for (int i = 0; i < 3; i++) {
        nigh_problem *problem = problem_new(ctx, cases[i].text, cases[i].low, cases[i].high, NIGH_F64, "ulp");
        const function_target *target = function_target_of(problem);
        nigh_certificate proof;
        void *fit;
        if (!fit_new(ctx, "minimax", cases[i].settings, problem, &fit)) fail_msg("%s: %s", cases[i].text, nigh_message(ctx));
        const function_core *core = &function_fit_result(fit)->core;
        assert_ok(ctx, function_prove(ctx, target, core, &proof));
        double worst = seen(target, core, proof.at, MOST_POINTS, &state);
        if (!(proof.worst >= worst && proof.worst < cases[i].ulps)) fail_msg("%s: proved %g ulp, seen %g", cases[i].text, proof.worst, worst);
        function_fit_abandon(ctx, fit);
        nigh_problem_free(ctx, problem);
    }
    test_context_free(ctx);
}

/* f32 proofs beside the walk over every float. */
static void apply_f32(const void *user, int64_t n, const float *in, float *out)
{
    function_core_apply(user, n, in, out);
}

static void beside_every_f32(void **unused)
{
    static const char *const measures[] = {"absolute", "relative", "ulp"};
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < 3; i++) {
        nigh_problem *problem = problem_new(ctx, "log", .5, 2, NIGH_F32, measures[i]);
        const function_target *target = function_target_of(problem);
        nigh_certificate proof, walk;
        void *fit;
        assert_true(fit_new(ctx, "minimax", "degree=7,reduction=native", problem, &fit));
        const function_core *core = &function_fit_result(fit)->core;
        assert_ok(ctx, function_prove(ctx, target, core, &proof));
        assert_ok(ctx, function_exhaustive_f32(ctx, target, apply_f32, core, &walk, NULL));
        if (!(proof.worst >= walk.worst && proof.worst < 3 * walk.worst)) fail_msg("%s: proved %g, walked %g", measures[i], proof.worst, walk.worst);
        function_fit_abandon(ctx, fit);
        nigh_problem_free(ctx, problem);
    }
    test_context_free(ctx);
}

/* A coefficient off by some ulps is not overlooked. */
static void disturbed(void **unused)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_new(ctx, "exp", -20, 20, NIGH_F64, "ulp");
    const function_target *target = function_target_of(problem);
    nigh_certificate good, bad;
    void *fit;
    assert_true(fit_new(ctx, "minimax", "degree=13,reduction=native", problem, &fit));
    function_core core = function_fit_result(fit)->core;
    double data[REMEZ_MAX_DEGREE + 1];
    memcpy(data, core.data, (size_t)core.upper * sizeof *data);
    core.data = data;
    assert_ok(ctx, function_prove(ctx, target, &core, &good));
    for (int k = 0; k < 3; k++) {
        data[k] = function_neighbour(NIGH_F64, data[k], 8);
        assert_ok(ctx, function_prove(ctx, target, &core, &bad));
        assert_true(bad.worst > good.worst + .2);
        data[k] = function_neighbour(NIGH_F64, data[k], -8);
    }
    core.constant[1] *= 1 + 1e-12; /* of the reduction */
    assert_ok(ctx, function_prove(ctx, target, &core, &bad));
    assert_true(bad.worst > 100);
    function_fit_abandon(ctx, fit);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

static void poles_and_zeros(void **unused)
{
    nigh_context *ctx = test_context_new();
    double data[4] = {1, .1, 1, -2.00000011}; /* pole between the numbers that anyone would try */
    function_core core = {.type = NIGH_F64, .form = FUNCTION_RATIONAL, .scale = 1, .upper = 2, .lower = 2, .data = data};
    nigh_certificate proof;
    nigh_problem *problem = problem_new(ctx, "exp", 0, 1, NIGH_F64, "absolute");
    assert_ok(ctx, function_prove(ctx, function_target_of(problem), &core, &proof));
    assert_true(isinf(proof.worst));
    assert_near(proof.at, .5, 1e-6, 0);
    nigh_problem_free(ctx, problem);

    data[0] = -1.0001; /* f and core vanish at different places */
    core = (function_core){.type = NIGH_F64, .form = FUNCTION_POLYNOMIAL, .scale = 1, .upper = 2, .data = data};
    data[1] = 1;
    problem = problem_new(ctx, "x-1", .5, 2, NIGH_F64, "relative");
    assert_ok(ctx, function_prove(ctx, function_target_of(problem), &core, &proof));
    assert_true(isinf(proof.worst));
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

/* The identity by way of a large sum: nothing of the real error is there, all of it is rounding. */
static void cancellation(void **unused)
{
    nigh_context *ctx = test_context_new();
    double data[2] = {-0x1p20, 1};
    function_core core = {.type = NIGH_F64, .form = FUNCTION_POLYNOMIAL, .affine = true, .scale = 1, .shift = 0x1p20, .upper = 2, .data = data};
    nigh_problem *problem = problem_new(ctx, "x+0", 0, 1, NIGH_F64, "absolute");
    const function_target *target = function_target_of(problem);
    nigh_certificate proof;
    uint64_t state = 3;
    assert_ok(ctx, function_prove(ctx, target, &core, &proof));
    double worst = seen(target, &core, .5, 20000, &state);
    assert_true(worst > 0x1p-33 * .99);
    assert_true(proof.worst >= worst && proof.worst < 1.1 * 0x1p-33);
    nigh_problem_free(ctx, problem);

    const function_code code = {.constants = 1, .constant = {1}, .steps = 2, .step = {{CODE_ADD, 0, 1, 0}, {CODE_SUB, 2, 1, 0}}}; /* (1 + x) - 1 */
    const prove_type type = {53, -1075, 1024};
    prove_rounding rounding;
    arb_t x;
    arb_init(x);
    arb_init(rounding.range);
    mag_init(rounding.error);
    mag_init(rounding.last);
    prove_ball(x, 0, 0x1p-30);
    prove_roundings(&rounding, &type, &code, x);
    double bound = mag_get_d(rounding.error) + mag_get_d(rounding.last), most = 0;
    for (int i = 0; i < 10000; i++) {
        double at = ldexp(uniform(&state), -30);
        most = fmax(most, fabs(function_code_run_f64(&code, at) - at));
    }
    assert_true(bound >= most && bound < 2 * most);
    arb_clear(x);
    arb_clear(rounding.range);
    mag_clear(rounding.error);
    mag_clear(rounding.last);
    test_context_free(ctx);
}

static void refusals(void **unused)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_new(ctx, "exp", -20, 20, NIGH_F64, "ulp"), *other = problem_new(ctx, "exp2", -20, 20, NIGH_F64, "ulp"),
                 *sine = problem_new(ctx, "sin", -20, 20, NIGH_F64, "ulp");
    nigh_certificate proof;
    void *fit;
    assert_true(fit_new(ctx, "minimax", "degree=11,reduction=native", problem, &fit));
    const function_core *core = &function_fit_result(fit)->core;
    assert_fails(ctx, function_prove(ctx, function_target_of(other), core, &proof), NIGH_UNSUPPORTED, "another function");
    assert_fails(ctx, function_prove(ctx, function_target_of(sine), core, &proof), NIGH_UNSUPPORTED, "another function");
    nigh_context_cancel(ctx);
    assert_fails(ctx, function_prove(ctx, function_target_of(problem), core, &proof), NIGH_INTERRUPTED, "");
    nigh_context_uncancel(ctx);
    for (long k = 1;; k++) {
        test_allocator allocator = {.fail_at = k};
        nigh_context *failing = test_context_failing(&allocator);
        if (!failing) continue;
        nigh_status status = function_prove(failing, function_target_of(problem), core, &proof);
        test_context_free(failing);
        assert_int_equal(allocator.live, 0);
        if (status == NIGH_OK) break;
        assert_int_equal(status, NIGH_MEMORY);
    }
    function_fit_abandon(ctx, fit);
    nigh_problem_free(ctx, problem);
    nigh_problem_free(ctx, other);
    nigh_problem_free(ctx, sine);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(never_below_what_is_seen), cmocka_unit_test(last_bits), cmocka_unit_test(beside_every_f32),
                                       cmocka_unit_test(disturbed), cmocka_unit_test(poles_and_zeros), cmocka_unit_test(cancellation), cmocka_unit_test(refusals)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    flint_cleanup();
    return failed;
}
#else
static void says_what_is_missing(void **unused)
{
    nigh_context *ctx = test_context_new();
    nigh_certificate proof;
    assert_fails(ctx, function_prove(ctx, NULL, NULL, &proof), NIGH_UNSUPPORTED, "libflint-arb");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_is_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
