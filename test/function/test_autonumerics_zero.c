/* The method autonumerics-zero: plans whatever way the fit is cut, files, export, refusals, its place in the planner, failing memory. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "function/approximation.h"
#include "function/compile.h"
#include "support.h"

extern const nigh_method nigh_method_autonumerics_zero;
static const nigh_method *const method = &nigh_method_autonumerics_zero;

enum { NUMBERS = 500 };

typedef struct sample {
    const char *text;
    double low, high;
    nigh_dtype type;
    const char *measure, *settings;
    double error; /* reached with few generations */
} sample;

/* Without reduction, with a square and a factor, with a product that reconstruction needs, and with fma. */
static const sample samples[] = {
    {"exp2", 0, 1, NIGH_F64, "relative", "ops=5,generations=10", .1},
    {"sin", -1.5, 1.5, NIGH_F32, "relative", "ops=6,generations=10,reduction=none", .5},
    {"tanh", -8, 8, NIGH_F32, "absolute", "ops=4,generations=10", .9},
    {"gelu", -8, 8, NIGH_F32, "absolute", "ops=4,generations=10,divide=no", 4},
    {"exp2", -.5, .5, NIGH_F32, "ulp", "ops=5,generations=10,fma=yes,divide=no", 1e6},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static nigh_problem *problem_of(nigh_context *ctx, const sample *s)
{
    nigh_problem *problem;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){s->text, s->low, s->high, s->type, s->measure}, &problem));
    return problem;
}

static nigh_settings settings_of(nigh_context *ctx, const char *text)
{
    nigh_settings settings = nigh_settings_default(method);
    assert_ok(ctx, nigh_settings_parse(ctx, method, text, &settings));
    return settings;
}

/* A fit advanced `step` generations at a time; `torn`: it goes through a checkpoint after each. */
static nigh_plan *plan_of(nigh_context *ctx, const nigh_problem *problem, const char *text, int64_t step, bool torn)
{
    nigh_settings settings = settings_of(ctx, text);
    nigh_progress_point point = {0};
    nigh_plan *plan;
    void *fit;
    assert_ok(ctx, method->start(ctx, method, problem, NULL, &settings, &fit));
    while (!point.done) {
        assert_ok(ctx, method->advance(ctx, fit, step, &point));
        assert_true(point.units <= point.total);
        if (!torn) continue;
        nigh_buffer bytes = {.ctx = ctx};
        assert_ok(ctx, method->checkpoint(ctx, fit, &bytes));
        method->abandon(ctx, fit);
        assert_ok(ctx, method->restore(ctx, method, problem, NULL, &settings, bytes.data, bytes.size, &fit));
        nigh_buffer_free(&bytes);
    }
    assert_ok(ctx, method->finish(ctx, fit, &plan));
    method->abandon(ctx, fit);
    return plan;
}

/* Inputs over the interval and a NaN; answers of the plan. */
static void apply(const nigh_plan *plan, void *in, void *out)
{
    for (int i = 0; i < NUMBERS; i++) {
        double x = i ? plan->low[0] + (plan->high[0] - plan->low[0]) * i / (NUMBERS - 1) : (double)NAN;
        if (plan->in.dtype == NIGH_F32) ((float *)in)[i] = (float)x;
        else ((double *)in)[i] = x;
    }
    nigh_plan_apply(plan, NUMBERS, in, out, NULL, 0);
}

static void assert_same(const nigh_plan *plan, const void *a, const void *b)
{
    size_t size = nigh_dtype_size(plan->in.dtype);
    assert_memory_equal((const char *)a + size, (const char *)b + size, (NUMBERS - 1) * size); /* the first is NaN */
}

static double worst_of(const nigh_plan *plan, const nigh_problem *problem)
{
    static double in[NUMBERS], out[NUMBERS];
    double worst = 0;
    apply(plan, in, out);
    for (int i = 1; i < NUMBERS; i++) {
        double x = plan->in.dtype == NIGH_F32 ? (double)((float *)in)[i] : in[i], y = plan->in.dtype == NIGH_F32 ? (double)((float *)out)[i] : out[i];
        worst = fmax(worst, function_error_f128(function_target_of(problem), y, function_value(function_target_of(problem), x)));
    }
    return worst;
}

/* The same plan however the fit was cut; errors as they should be; from its file and as compiled C the same bits. */
static void plans(void **unused)
{
    static double in[NUMBERS], a[NUMBERS], b[NUMBERS];
    char *folder = test_folder_new(), path[4096];
    snprintf(path, sizeof path, "%s/plan.nigh", folder);
    for (int s = 0; s < SAMPLES; s++) {
        nigh_context *ctx = test_context_new();
        nigh_problem *problem = problem_of(ctx, &samples[s]);
        nigh_plan *plan = plan_of(ctx, problem, samples[s].settings, 100, false), *torn = plan_of(ctx, problem, samples[s].settings, 5, s % 2 == 0), *loaded;
        apply(plan, in, a);
        apply(torn, in, b);
        assert_same(plan, a, b);
        double worst = worst_of(plan, problem);
        if (!(worst <= samples[s].error)) fail_msg("%s: error %g, not at most %g", samples[s].text, worst, samples[s].error);
        assert_non_null(plan->chart);
        assert_true(plan->chart->count >= 3);
        assert_ok(ctx, nigh_plan_save(ctx, plan, path));
        assert_ok(ctx, nigh_plan_load(ctx, path, &loaded));
        apply(loaded, in, b);
        assert_same(plan, a, b);
        const function_core *core = function_plan_core(plan);
        function_compiled *compiled;
        nigh_status status = function_compile(ctx, 1, &core, &compiled);
        if (status != NIGH_UNSUPPORTED) { /* there is a compiler */
            assert_ok(ctx, status);
            function_compiled_apply(compiled, 0, NUMBERS, in, b);
            assert_same(plan, a, b);
            function_compiled_free(compiled);
        }
        nigh_plan_free(ctx, loaded);
        nigh_plan_free(ctx, torn);
        nigh_plan_free(ctx, plan);
        nigh_problem_free(ctx, problem);
        test_context_free(ctx);
    }
    test_folder_remove(folder);
}

/* A file whose code reaches ahead, has no such operation, or leaves a product to be contracted, is refused. */
static void bad_code(void **unused)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_of(ctx, &samples[4]);
    nigh_plan *plan = plan_of(ctx, problem, "ops=5,generations=10,fma=yes,divide=no", 10, false), *loaded;
    function_code *code = function_plan_core(plan)->code, kept = *code;
    for (int k = 0; k < 5; k++) {
        nigh_buffer bytes = {.ctx = ctx};
        *code = kept;
        code->step[0] = (function_code_step){CODE_MUL, 0, 0, 0};
        if (k == 0) code->step[0].a = (uint8_t)(1 + code->constants);
        if (k == 1) code->step[0].op = CODE_OPS;
        if (k == 2) code->constant[0] = 0.1; /* no f32 */
        if (k == 3) code->step[1] = (function_code_step){CODE_ADD, (uint8_t)(1 + code->constants), 0, 0};
        assert_true(code->steps >= 2 && code->constants >= 1);
        assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
        if (k < 4) assert_fails(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "bad", &loaded), NIGH_FORMAT, "out of range");
        else {
            assert_ok(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "good", &loaded));
            nigh_plan_free(ctx, loaded);
        }
        nigh_buffer_free(&bytes);
    }
    *code = kept;
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

static void refusals(void **unused)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_of(ctx, &samples[0]), *folded = problem_of(ctx, &samples[1]), *narrow = problem_of(ctx, &samples[4]);
    nigh_settings settings = nigh_settings_default(method);
    void *fit;
    assert_fails(ctx, nigh_settings_parse(ctx, method, "ops=1", &settings), NIGH_INVALID, "ops");
    settings = settings_of(ctx, "speed=time");
    assert_fails(ctx, method->supports(ctx, method, problem, &settings), NIGH_UNSUPPORTED, "measure ulp");
    settings = settings_of(ctx, "reduction=native");
    assert_fails(ctx, method->supports(ctx, method, narrow, &settings), NIGH_UNSUPPORTED, "one period");
    settings = settings_of(ctx, "ops=2");
    assert_fails(ctx, method->start(ctx, method, folded, NULL, &settings, &fit), NIGH_UNSUPPORTED, "square and factor");
    settings = settings_of(ctx, "ops=4,generations=2");
    assert_fails(ctx, method->restore(ctx, method, problem, NULL, &settings, "x", 1, &fit), NIGH_FORMAT, "");
    nigh_problem_free(ctx, narrow);
    nigh_problem_free(ctx, folded);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

static const nigh_candidate *row_of(const nigh_outcome *outcome)
{
    for (int i = 0; i < outcome->count; i++)
        if (outcome->candidates[i].method == method) return &outcome->candidates[i];
    fail_msg("no row of %s", method->name);
    return NULL;
}

/* In a plan that does not name it there is a row that says so; named, it is tried, beside whatever shortcut, and its picture is kept. */
static void in_the_planner(void **unused)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_of(ctx, &samples[0]);
    nigh_request request = nigh_request_default();
    request.error = .1, request.no_clock = true, request.state = "", request.screen = 500, request.test = 1000;
    request.settings = "ops=4,generations=5,reduction=none";
    nigh_outcome *outcome;
    assert_ok(ctx, nigh_plan_make(ctx, problem, &request, &outcome));
    assert_int_equal(row_of(outcome)->state, NIGH_CANDIDATE_SKIPPED);
    assert_non_null(strstr(row_of(outcome)->why, "--methods autonumerics-zero"));
    assert_null(outcome->chart);
    nigh_outcome_free(ctx, outcome);
    request.methods = "minimax,autonumerics-zero";
    assert_ok(ctx, nigh_plan_make(ctx, problem, &request, &outcome));
    assert_true(row_of(outcome)->state >= NIGH_CANDIDATE_PASSED);
    assert_non_null(outcome->chart);
    nigh_buffer json = {.ctx = ctx}, html = {.ctx = ctx};
    assert_ok(ctx, nigh_outcome_json(ctx, problem, outcome, &json));
    assert_ok(ctx, nigh_report_html(ctx, 1, (const char *const[]){json.data}, &html));
    assert_non_null(strstr(html.data, "found by evolution"));
    nigh_buffer_free(&html);
    nigh_buffer_free(&json);
    nigh_outcome_free(ctx, outcome);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

/* Any allocation may fail, at every second place for the sake of time: no leak, no crash. */
static void failing_memory(void **unused)
{
    nigh_status status = NIGH_MEMORY;
    for (long at = 1; status != NIGH_OK && at < 100000; at += 1 + at / 3) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_problem *problem = NULL;
        nigh_plan *plan = NULL;
        nigh_progress_point point;
        nigh_settings settings = nigh_settings_default(method);
        void *fit = NULL;
        status = ctx ? nigh_function_problem_new(ctx, &(nigh_function){"exp2", 0, 1, NIGH_F32, "relative"}, &problem) : NIGH_MEMORY;
        if (status == NIGH_OK) status = nigh_settings_parse(ctx, method, "ops=3,generations=2,reduction=none", &settings);
        if (status == NIGH_OK) status = method->start(ctx, method, problem, NULL, &settings, &fit);
        if (status == NIGH_OK) status = method->advance(ctx, fit, 2, &point);
        if (status == NIGH_OK) status = method->finish(ctx, fit, &plan);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        nigh_plan_free(ctx, plan);
        method->abandon(ctx, fit);
        nigh_problem_free(ctx, problem);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
    assert_int_equal(status, NIGH_OK);
}

/* Every constant matters: one that is off shows in the error of the plan. */
static void fakes_show(void **unused)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_of(ctx, &samples[0]);
    nigh_plan *plan = plan_of(ctx, problem, samples[0].settings, 100, false);
    function_code *code = function_plan_core(plan)->code;
    double right = worst_of(plan, problem);
    for (int i = 0; i < code->constants; i++) {
        double kept = code->constant[i];
        code->constant[i] *= 1.1;
        double wrong = worst_of(plan, problem);
        if (!(wrong > 2 * right)) fail_msg("constant %d of %d: error %g becomes %g", i, code->constants, right, wrong);
        code->constant[i] = kept;
    }
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

/* Without a compiler that is said. */
static void no_compiler(void **unused)
{
    nigh_context *ctx = test_context_new();
    function_code code = {.steps = 1, .step = {{CODE_MUL, 0, 0, 0}}};
    function_core core = {.type = NIGH_F32, .form = FUNCTION_CODE, .code = &code, .lower = 1};
    const function_core *list = &core;
    function_compiled *compiled = NULL;
    char *path = strdup(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    assert_fails(ctx, function_compile(ctx, 1, &list, &compiled), NIGH_UNSUPPORTED, "no C compiler");
    setenv("PATH", path, 1);
    free(path);
    assert_null(compiled);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),          cmocka_unit_test(bad_code),   cmocka_unit_test(refusals),    cmocka_unit_test(in_the_planner),
        cmocka_unit_test(failing_memory), cmocka_unit_test(fakes_show), cmocka_unit_test(no_compiler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
