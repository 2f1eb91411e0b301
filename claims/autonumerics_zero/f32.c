/*
 * 2^x in float: a program that is searched for with fma as one operation, written as C and compiled with -O3, beside the minimax polynomial of
 * degree 6, made and compiled the same way. Errors are those of the compiled code, on every float of [1/2, 1).
 */
#include "f32.h"

#include <math.h>
#include <string.h>

#include "function/approximation.h"
#include "function/compile.h"

extern const nigh_method nigh_method_autonumerics_zero, nigh_method_minimax;

enum { FLOATS = 1 << 23, BLOCK = 1 << 12, POLYNOMIAL_DEGREE = 6 };

/* Nothing of more operations than the polynomial can be faster, as long as it does not divide. */
static const char FULL[] = "ops=6,generations=1500,divide=no,fma=yes,speed=time,reduction=none";
static const char QUICK[] = "ops=6,generations=64,divide=no,fma=yes,reduction=none";

typedef struct kernels {
    nigh_problem *problem;
    nigh_plan *found, *polynomial;
    function_compiled *compiled; /* found, polynomial; NULL: no compiler */
} kernels;

static nigh_status fit(nigh_context *ctx, const nigh_method *method, const nigh_problem *problem, const char *words, nigh_plan **plan)
{
    nigh_settings settings = nigh_settings_default(method);
    nigh_progress_point point = {0};
    void *state = NULL;
    nigh_status status = nigh_settings_parse(ctx, method, words, &settings);
    if (status == NIGH_OK) status = method->start(ctx, method, problem, NULL, &settings, &state);
    while (status == NIGH_OK && !point.done) status = method->advance(ctx, state, 100, &point);
    if (status == NIGH_OK) status = method->finish(ctx, state, plan);
    method->abandon(ctx, state);
    return status;
}

static nigh_status make(claim_run *run, kernels *k)
{
    nigh_context *ctx = run->ctx;
    char words[160], degree[32];
    snprintf(words, sizeof words, "%s,seed=%u", run->quick ? QUICK : FULL, (unsigned)(claim_seed(run) % 1000000));
    snprintf(degree, sizeof degree, "degree=%d,reduction=none", POLYNOMIAL_DEGREE);
    nigh_status status = nigh_function_problem_new(ctx, &(nigh_function){"exp2", 0, 1, NIGH_F32, "ulp"}, &k->problem);
    if (status == NIGH_OK) status = fit(ctx, &nigh_method_autonumerics_zero, k->problem, words, &k->found);
    if (status == NIGH_OK) status = fit(ctx, &nigh_method_minimax, k->problem, degree, &k->polynomial);
    if (status != NIGH_OK) return status;
    const function_core *cores[2] = {function_plan_core(k->found), function_plan_core(k->polynomial)};
    status = function_compile(ctx, 2, cores, &k->compiled);
    if (status == NIGH_UNSUPPORTED) claim_note(run, "no C compiler: the interpreted kernels stand in for the compiled ones");
    return status == NIGH_UNSUPPORTED ? NIGH_OK : status;
}

/* The largest error in ulp of 2^x, which are all of one size here: 2^x is in [sqrt 2, 2). */
static double worst_ulp(const kernels *k, int which)
{
    float x[BLOCK], y[BLOCK];
    double worst = 0;
    for (int64_t first = 0; first < FLOATS; first += BLOCK) {
        for (int i = 0; i < BLOCK; i++) x[i] = .5f + (float)(first + i) * 0x1p-24f;
        if (k->compiled) function_compiled_apply(k->compiled, which, BLOCK, x, y);
        else function_core_apply(function_plan_core(which ? k->polynomial : k->found), BLOCK, x, y);
        for (int i = 0; i < BLOCK; i++) {
            double error = fabs((double)y[i] - exp2((double)x[i])) * 0x1p23;
            worst = error > worst ? error : worst;
        }
    }
    return worst;
}

static nigh_status time_pair(claim_run *run, const kernels *k)
{
    nigh_context *ctx = run->ctx;
    nigh_timing timing = {0};
    function_bench *bench = nigh_alloc(ctx, 2 * sizeof *bench);
    if (!bench) return NIGH_MEMORY;
    function_bench_init(&bench[0], k->compiled, 0, function_plan_core(k->found), .5, 1);
    function_bench_init(&bench[1], k->compiled, 1, function_plan_core(k->polynomial), .5, 1);
    nigh_timed found = {function_bench_run, &bench[0], 1, false}, polynomial = {function_bench_run, &bench[1], 1, false};
    nigh_status status = nigh_time_pair(ctx, &polynomial, &found, 60, &timing);
    nigh_free(ctx, timing.ratios);
    nigh_free(ctx, bench);
    if (status != NIGH_OK) return status;
    char note[160];
    snprintf(note, sizeof note, "%.4f ns against %.4f ns a number, %s%s", 1e9 * timing.b_seconds, 1e9 * timing.a_seconds,
             k->compiled ? "compiled" : "interpreted", timing.busy ? "; the machine was busy" : "");
    nigh_figure figure = {.estimate = timing.ratio, .low = timing.low, .high = timing.high};
    claim_bar_interval(run, "float: throughput over the polynomial's", &figure, CLAIM_AT_LEAST, 1, note);
    return NIGH_OK;
}

nigh_status claim_autonumerics_f32(claim_run *run)
{
    kernels k = {0};
    nigh_status status = make(run, &k);
    if (status == NIGH_OK) {
        double found = worst_ulp(&k, 0), polynomial = worst_ulp(&k, 1);
        claim_bar(run, "float: worst ulp on [1/2, 1), all 2^23 floats", found, CLAIM_AT_MOST, 1, "of the compiled code; below 1 is faithful");
        claim_note(run, "float: %d steps found; the polynomial of degree %d has %.3f ulp", function_plan_core(k.found)->lower, POLYNOMIAL_DEGREE, polynomial);
        if (!run->quick) status = time_pair(run, &k);
    }
    function_compiled_free(k.compiled);
    nigh_plan_free(run->ctx, k.found);
    nigh_plan_free(run->ctx, k.polynomial);
    nigh_problem_free(run->ctx, k.problem);
    return status;
}
