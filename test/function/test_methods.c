/* The methods end to end: errors along the grid, estimates, plans, files, certificates, refusals, failing memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "function/approximation.h"
#include "support.h"

extern const nigh_method *const nigh_function_methods[];
extern const nigh_method nigh_method_minimax;

static nigh_problem *problem_new(nigh_context *ctx, const char *text, double low, double high, nigh_dtype type, const char *measure)
{
    nigh_problem *problem;
    assert_ok(ctx, nigh_function_problem_new(ctx, &(nigh_function){text, low, high, type, measure}, &problem));
    return problem;
}

static const nigh_method *method_of(const char *name)
{
    for (int i = 0; nigh_function_methods[i]; i++)
        if (strcmp(nigh_function_methods[i]->name, name) == 0) return nigh_function_methods[i];
    fail_msg("no method %s", name);
    return NULL;
}

static nigh_status plan_new(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const char *text, nigh_plan **plan,
                            double *loss)
{
    nigh_settings settings = nigh_settings_default(method);
    nigh_progress_point point = {0};
    void *fit = NULL;
    nigh_status status = nigh_settings_parse(ctx, method, text, &settings);
    if (status == NIGH_OK) status = method->start(ctx, method, problem, NULL, &settings, &fit);
    if (status == NIGH_OK) status = method->advance(ctx, fit, 1, &point);
    if (status == NIGH_OK) status = method->finish(ctx, fit, plan);
    method->abandon(ctx, fit);
    if (loss) *loss = point.loss;
    return status;
}

/* The largest error of a plan in the problem's measure at n even places, by the problem's own exact function. */
static double error_of(const nigh_plan *plan, const nigh_problem *problem, int n)
{
    const function_target *target = function_target_of(problem);
    double worst = 0;
    for (int i = 0; i < n; i++) {
        double x = target->low + (target->high - target->low) * (i + .5) / n, answer;
        float single = (float)x, out;
        if (target->type == NIGH_F32) {
            assert_int_equal(nigh_plan_apply(plan, 1, &single, &out, NULL, 0), NIGH_OK);
            x = single;
            answer = out;
        } else {
            assert_int_equal(nigh_plan_apply(plan, 1, &x, &answer, NULL, 0), NIGH_OK);
        }
        double exact = (double)function_value(target, x);
        worst = fmax(worst, problem->measure->error(1, &exact, &answer, target->type));
    }
    return worst;
}

typedef struct sample {
    const char *text;
    double low, high;
} sample;

static const sample samples[] = {
    {"exp", -3, 9}, {"exp2", -10, 10}, {"log", .02, 50}, {"log2", .5, 3}, {"sin", -40, 30}, {"cos", -3, 20}, {"tanh", -8, 9},
    {"erf", -5, 5}, {"sigmoid", -12, 9}, {"gelu", -8, 8}, {"silu", -15, 15}, {"softplus", -10, 20}, {"sqrt", .01, 90},
    {"rsqrt", .1, 70}, {"exp(-x*x)*cos(3*x)", -2, 2}};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* Every method, with and without reduction: the error falls along the grid and stays within the estimate. */
static void grids(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int s = 0; s < SAMPLES; s++) {
        nigh_problem *problem = problem_new(ctx, samples[s].text, samples[s].low, samples[s].high, NIGH_F64, s % 2 ? "absolute" : NULL);
        double scale = 0;
        for (int k = 0; k <= 50; k++)
            scale = fmax(scale, fabs((double)function_value(function_target_of(problem), samples[s].low + (samples[s].high - samples[s].low) * k / 50)));
        for (int i = 0; nigh_function_methods[i]; i++) {
            const nigh_method *method = nigh_function_methods[i];
            if (method->flags & NIGH_METHOD_ASKED || !method->options) continue; /* test_autonumerics_zero.c, test_vector_kernel.c */
            bool table = strncmp(method->name, "table", 5) == 0;
            for (int native = 0; native < 2; native++) {
                double before = INFINITY;
                for (int k = 0; k < 4; k++) {
                    char text[80];
                    nigh_plan *plan;
                    nigh_estimate estimate;
                    nigh_settings settings = nigh_settings_default(method);
                    snprintf(text, sizeof text, "%s=%d,reduction=%s", table ? "entries" : "degree", table ? 16 << 2 * k : 2 + 3 * k, native ? "native" : "none");
                    assert_ok(ctx, nigh_settings_parse(ctx, method, text, &settings));
                    if (method->supports(ctx, method, problem, &settings) != NIGH_OK) continue;
                    assert_ok(ctx, method->estimate(ctx, method, problem, &settings, 0, &estimate));
                    assert_true(estimate.apply.flops > 0 && estimate.error.low <= estimate.error.high);
                    assert_ok(ctx, plan_new(ctx, method, problem, text, &plan, NULL));
                    double error = error_of(plan, problem, 400);
                    bool diverges = strcmp(method->name, "taylor") == 0 && !native;
                    double allowed = strcmp(method->name, "minimax-rational") == 0 ? 2.5 : 1.25; /* near best only */
                    if (!diverges && !(error <= before * allowed + 8e-16 * scale)) fail_msg("%s %s %s: %g after %g", samples[s].text, method->name, text, error, before);
                    if (!(error <= estimate.error.high * 1.05)) fail_msg("%s %s %s: %g above estimate %g", samples[s].text, method->name, text, error, estimate.error.high);
                    before = error;
                    nigh_plan_free(ctx, plan);
                }
            }
        }
        nigh_problem_free(ctx, problem);
    }
    test_context_free(ctx);
}

/* High degrees with reduction come near the type's own rounding, in every measure. */
static void near_rounding(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int s = 0; s < SAMPLES - 1; s++) {
        if (s >= 6 && s <= 11) continue; /* the folded ones need many terms */
        for (int type = 0; type < 2; type++) {
            nigh_problem *problem = problem_new(ctx, samples[s].text, samples[s].low, samples[s].high, type ? NIGH_F32 : NIGH_F64, "ulp");
            nigh_plan *plan;
            char text[64];
            snprintf(text, sizeof text, "degree=%d,reduction=native", (type ? 11 : 23) + (s >= 12 ? type ? 6 : 13 : 0));
            assert_ok(ctx, plan_new(ctx, method_of("minimax"), problem, text, &plan, NULL));
            double error = error_of(plan, problem, 2000);
            if (!(error < 3.5)) fail_msg("%s %s: %g ulp", samples[s].text, type ? "f32" : "f64", error);
            nigh_plan_free(ctx, plan);
            nigh_problem_free(ctx, problem);
        }
    }
    test_context_free(ctx);
}

/* Relative accuracy where the function is 0. */
static void near_zeros(void **state)
{
    nigh_context *ctx = test_context_new();
    const sample zeros[] = {{"sin", -3, 3}, {"tanh", -4, 4}, {"log", .25, 4}, {"erf", -3, 3}, {"x*exp(x)", -1, 2}};
    for (int s = 0; s < 5; s++) {
        nigh_problem *problem = problem_new(ctx, zeros[s].text, zeros[s].low, zeros[s].high, NIGH_F64, "relative");
        nigh_plan *plan;
        assert_ok(ctx, plan_new(ctx, method_of("minimax"), problem, s < 4 ? "degree=17,reduction=native" : "degree=12", &plan, NULL));
        for (double d = 1e-9; d < .1; d *= 3) {
            double x = strcmp(zeros[s].text, "log") == 0 ? 1 + d : d, y;
            assert_int_equal(nigh_plan_apply(plan, 1, &x, &y, NULL, 0), NIGH_OK);
            assert_near(y, (double)function_value(function_target_of(problem), x), 0, 2e-6);
        }
        nigh_plan_free(ctx, plan);
        nigh_problem_free(ctx, problem);
    }
    test_context_free(ctx);
}

/* Fitting again after rounding gains over plain rounding, on the whole and never loses. */
static void refit(void **state)
{
    nigh_context *ctx = test_context_new();
    double gain = 0, best = 0;
    int count = 0;
    const sample cases[] = {{"exp", -1, 1}, {"sin", -1.5, 1.5}, {"cos", -1, 1}, {"log(1+x)", 0, 1}, {"1/(1+x)", 0, 1}, {"exp(-x)", 0, 2}};
    for (int s = 0; s < 6; s++)
        for (int degree = 5; degree <= 8; degree++) {
            nigh_problem *problem = problem_new(ctx, cases[s].text, cases[s].low, cases[s].high, NIGH_F32, "absolute");
            char text[32];
            nigh_settings settings = nigh_settings_default(&nigh_method_minimax);
            snprintf(text, sizeof text, "degree=%d", degree);
            assert_ok(ctx, nigh_settings_parse(ctx, &nigh_method_minimax, text, &settings));
            void *fit;
            nigh_progress_point point;
            assert_ok(ctx, nigh_method_minimax.start(ctx, &nigh_method_minimax, problem, NULL, &settings, &fit));
            assert_ok(ctx, nigh_method_minimax.advance(ctx, fit, 1, &point));
            function_fitted fitted = *function_fit_result(fit);
            assert_true(fitted.seen <= fitted.naive && fitted.seen >= .9 * fitted.ideal);
            best = fmax(best, fitted.naive / fitted.seen);
            gain += log(fitted.naive / fitted.seen);
            count++;
            nigh_method_minimax.abandon(ctx, fit);
            nigh_problem_free(ctx, problem);
        }
    gain = exp(gain / count);
    print_message("refit: error %.3f times smaller than by plain rounding (geometric mean of %d), at best %.3f\n", gain, count, best);
    assert_true(gain > 1.015 && best > 1.1);
    test_context_free(ctx);
}

static void certificates(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_problem *problem = problem_new(ctx, "exp", .5, 4, NIGH_F32, "relative");
    nigh_plan *plan;
    nigh_certificate certificate;
    double loss;
    assert_ok(ctx, plan_new(ctx, method_of("minimax"), problem, "degree=4,reduction=native", &plan, &loss));
    assert_ok(ctx, plan->ops->certify(ctx, plan, problem, &certificate));
    assert_true(certificate.worst >= loss * (1 - 1e-6) && certificate.worst < 1.2 * loss);
    assert_non_null(strstr(certificate.how, "every f32 of the interval"));
    assert_true(certificate.inputs == (double)function_count_f32(.5, 4));
    nigh_problem *wide = problem_new(ctx, "exp", .5, 4, NIGH_F64, "relative");
    nigh_plan *second;
    assert_ok(ctx, plan_new(ctx, method_of("minimax"), wide, "degree=4,reduction=native", &second, &loss));
#if defined(NIGH_HAVE_ARB)
    assert_ok(ctx, second->ops->certify(ctx, second, wide, &certificate));
    assert_true(certificate.worst >= loss * (1 - 1e-6) && certificate.worst < 1.2 * loss);
    assert_non_null(strstr(certificate.how, "every real of the interval"));
    assert_true(isinf(certificate.inputs));
#else
    assert_fails(ctx, second->ops->certify(ctx, second, wide, &certificate), NIGH_UNSUPPORTED, "libflint-arb");
#endif
    nigh_plan_free(ctx, second);
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, wide);
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

static void refusals(void **state)
{
    nigh_context *ctx = test_context_new();
    const struct { sample s; const char *why; } cases[] = {
        {{"exp(x)*2", -3, 3}, "expression"}, {{"exp", -.3, .3}, "one period"}, {{"sin", -1, 1}, "inside [-pi/2, pi/2]"},
        {{"tanh", -.5, .5}, "folding"}, {{"sin", 0, 1e9}, "is allowed"}, {{"sqrt", 0, 4}, "smallest normal"}, {{"atan", -9, 9}, "expression"}};
    for (int i = 0; i < 7; i++) {
        nigh_problem *problem = problem_new(ctx, cases[i].s.text, cases[i].s.low, cases[i].s.high, NIGH_F64, "relative");
        nigh_plan *plan;
        assert_fails(ctx, plan_new(ctx, method_of("minimax"), problem, "degree=4,reduction=native", &plan, NULL), NIGH_UNSUPPORTED, cases[i].why);
        nigh_problem_free(ctx, problem);
    }
    test_context_free(ctx);
}

/* Through the file to the same bits. */
static void files(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[4096];
    snprintf(path, sizeof path, "%s/plan.nigh", folder);
    for (int i = 0; nigh_function_methods[i]; i++) {
        if (nigh_function_methods[i]->flags & NIGH_METHOD_ASKED || !nigh_function_methods[i]->options) continue;
        const nigh_method *found;
        if (nigh_method_find(ctx, "function", nigh_function_methods[i]->name, &found) != NIGH_OK)
            assert_ok(ctx, nigh_register(ctx, nigh_function_methods[i]));
        for (int s = 0; s < SAMPLES; s += 2) {
            nigh_problem *problem = problem_new(ctx, samples[s].text, samples[s].low, samples[s].high, s % 4 ? NIGH_F32 : NIGH_F64, NULL);
            nigh_plan *plan, *loaded;
            const char *text = s < SAMPLES - 1 ? "reduction=native" : "reduction=none";
            assert_ok(ctx, plan_new(ctx, nigh_function_methods[i], problem, text, &plan, NULL));
            assert_ok(ctx, nigh_plan_save(ctx, plan, path));
            assert_ok(ctx, nigh_plan_load(ctx, path, &loaded));
            double in[300], a[300] = {0}, b[300] = {0};
            for (int k = 0; k < 300; k++) {
                double x = samples[s].low + (samples[s].high - samples[s].low) * k / 299;
                if (s % 4) ((float *)in)[k] = (float)x;
                else in[k] = x;
            }
            nigh_plan_apply(plan, 300, in, a, NULL, 0);
            nigh_plan_apply(loaded, 300, in, b, NULL, 0);
            assert_memory_equal(a, b, sizeof a);
            assert_true(plan->low[0] == loaded->low[0] && plan->high[0] == loaded->high[0] && loaded->work.flops == plan->work.flops);
            nigh_plan_free(ctx, loaded);
            nigh_plan_free(ctx, plan);
            nigh_problem_free(ctx, problem);
        }
    }
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* A plan file whose header says anything at all: refused, or a plan that runs. */
static void hostile_files(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[4096];
    snprintf(path, sizeof path, "%s/plan.nigh", folder);
    const double odd[] = {-1, .5, 2, 3, 9, 17, 42, 70000, 1e9, -1e300, 1e-300, 5e8};
    for (int i = 0; nigh_function_methods[i]; i++) {
        if (nigh_function_methods[i]->flags & NIGH_METHOD_ASKED || !nigh_function_methods[i]->options) continue;
        const nigh_method *found;
        if (nigh_method_find(ctx, "function", nigh_function_methods[i]->name, &found) != NIGH_OK)
            assert_ok(ctx, nigh_register(ctx, nigh_function_methods[i]));
        nigh_problem *problem = problem_new(ctx, "tanh", -9, 9, NIGH_F32, NULL);
        nigh_plan *plan, *loaded;
        assert_ok(ctx, plan_new(ctx, nigh_function_methods[i], problem, "reduction=native", &plan, NULL));
        function_core *core = plan->state, kept = *core; /* the core is the first of the state */
        for (int field = 0; field < 9; field++)
            for (int k = 0; k < 12; k++) {
                float in[5] = {-30, -1, 0, .5f, NAN}, out[5];
                *core = kept;
                if (field == 0) core->scale = odd[k];
                else if (field == 1) core->shift = odd[k];
                else if (field == 2 && odd[k] >= 1 && odd[k] <= kept.upper) core->upper = (int)odd[k];
                else if (field == 3) core->reduction = (function_reduction)(k % FUNCTION_REDUCTIONS);
                else if (field == 4) core->square = k & 1, core->factor = k & 2, core->affine = k & 4;
                else if (field == 5 && odd[k] >= 0 && odd[k] <= kept.lower) core->lower = (int)odd[k];
                else if (field >= 6) core->constant[field - 6] = odd[k];
                assert_ok(ctx, nigh_plan_save(ctx, plan, path));
                nigh_status status = nigh_plan_load(ctx, path, &loaded);
                if (status == NIGH_OK) {
                    nigh_plan_apply(loaded, 5, in, out, NULL, 0);
                    nigh_plan_free(ctx, loaded);
                } else {
                    assert_int_equal(status, NIGH_FORMAT);
                }
            }
        *core = kept;
        nigh_plan_free(ctx, plan);
        nigh_problem_free(ctx, problem);
    }
    test_folder_remove(folder);
    test_context_free(ctx);
}

/* A fit with allocation k failing, for every k: a message, nothing left. */
static void failing_memory(void **state)
{
    const char *names[] = {"minimax", "minimax-rational", "table-linear", "table-cubic", "taylor", "chebyshev"};
    nigh_context *outer = test_context_new();
    nigh_problem *problem = problem_new(outer, "log(1+x)", 0, 1, NIGH_F32, NULL);
    for (int i = 0; i < 6; i++)
        for (long k = 1;; k++) {
            test_allocator allocator = {.fail_at = k};
            nigh_context *ctx = test_context_failing(&allocator);
            if (!ctx) continue;
            nigh_plan *plan = NULL;
            nigh_status status = plan_new(ctx, method_of(names[i]), problem, "", &plan, NULL);
            if (status == NIGH_OK) nigh_plan_free(ctx, plan);
            else assert_int_equal(status, NIGH_MEMORY);
            test_context_free(ctx);
            assert_int_equal(allocator.live, 0);
            assert_true(k < 500);
            if (status == NIGH_OK) break;
        }
    nigh_problem_free(outer, problem);
    test_context_free(outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids), cmocka_unit_test(near_rounding), cmocka_unit_test(near_zeros), cmocka_unit_test(refit),
        cmocka_unit_test(certificates), cmocka_unit_test(refusals), cmocka_unit_test(files),
        cmocka_unit_test(hostile_files), cmocka_unit_test(failing_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
