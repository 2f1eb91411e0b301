/*
 * Minimax polynomials beside Sollya's at equal form and degree: the best polynomial with real coefficients (its `remez`) and the
 * one with coefficients of the type (its `fpminimax`). Errors are taken here for both sides: of the real polynomials in quadruple
 * precision at 20,001 points, of the rounded ones as answers in the type, evaluated by Horner's scheme with fma.
 *
 *     sollya [--only NAME] [--json FILE] [--verbose]
 *
 * Needs the program `sollya` (Debian: sollya).
 */
#include "common.h"

#include "function/approximation.h"
#include "nigh/function.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct polynomial_case {
    const char *text; /* the same for both */
    double low, high;
    bool relative;
} polynomial_case;

static const polynomial_case cases[] = {
    {"exp(x)", 0, 1, true},         {"exp(x)", -2, 3, false},        {"log(1+x)", 0, 1, false},   {"sin(x)", 0.1, 1.5, true},
    {"cos(x)", 0, 1, true},         {"tanh(x)", 0.2, 2, true},       {"erf(x)", 0.1, 2, false},   {"atan(x)", 0, 1, false},
    {"sqrt(1+x)", 0, 1, true},      {"1/(1+x*x)", 0, 1, false},      {"exp(-x*x)", 0, 1.5, false}, {"log(2+sin(3*x))", 0, 1, false},
};
enum { CASES = sizeof cases / sizeof *cases, POINTS = 20001, MOST = 16 };
static const int degrees[] = {3, 5, 8, 12};

/* Largest weighted error of sum c[k] x^k, c in quadruple precision. */
static double error_of(const polynomial_case *c, const function_target *target, int degree, const nigh_f128 *coefficient)
{
    nigh_f128 most = 0;
    for (int i = 0; i < POINTS; i++) {
        nigh_f128 x = c->low + (nigh_f128)(c->high - c->low) * (nigh_f128)(.5 - .5 * cos(M_PI * i / (POINTS - 1))), p = 0;
        for (int k = degree; k >= 0; k--) p = p * x + coefficient[k];
        nigh_f128 f = function_value(target, x), e = function_abs(p - f);
        if (c->relative) e /= function_abs(f);
        if (e > most) most = e;
    }
    return (double)most;
}

/* Coefficients printed by Sollya as sums of doubles, three a line: 159 bits. */
static bool ask_sollya(const polynomial_case *c, int degree, const char *kind, nigh_f128 *coefficient)
{
    char path[] = "/tmp/nigh-sollya-XXXXXX", command[64];
    int fd = mkstemp(path);
    FILE *script = fd < 0 ? NULL : fdopen(fd, "w");
    if (!script) return false;
    fprintf(script, "prec=200!;display=hexadecimal!;f=%s;d=[%a;%a];\n", c->text, c->low, c->high);
    if (strcmp(kind, "remez") == 0)
        fprintf(script, c->relative ? "p=remez(1,%d,d,1/f);\n" : "p=remez(f,%d,d);\n", degree);
    else
        fprintf(script, "p=fpminimax(f,%d,[|%s...|],d,%s);\n", degree, kind, c->relative ? "relative" : "absolute");
    fprintf(script, "for i from 0 to %d do {c=coeff(p,i);a=round(c,D,RN);b=round(c-a,D,RN);e=round(c-a-b,D,RN);print(a,b,e);};quit;\n", degree);
    fclose(script);
    snprintf(command, sizeof command, "sollya --warnonstderr %s 2>/dev/null", path);
    FILE *answer = popen(command, "r");
    int k = 0;
    double part[3];
    while (answer && k <= degree && fscanf(answer, "%lf %lf %lf", &part[0], &part[1], &part[2]) == 3)
        coefficient[k++] = (nigh_f128)part[0] + part[1] + part[2];
    if (answer) pclose(answer);
    unlink(path);
    return k == degree + 1;
}

/* nigh's: ideal error and the core with rounded coefficients, from the method as the planner runs it. */
static nigh_status fit_nigh(nigh_context *ctx, const nigh_problem *problem, int degree, double *ideal, function_core *core)
{
    const nigh_method *method;
    char text[64];
    nigh_status status = nigh_method_find(ctx, "function", "minimax", &method);
    if (status) return status;
    nigh_settings settings = nigh_settings_default(method);
    snprintf(text, sizeof text, "degree=%d,reduction=none", degree);
    function_fitted fitted;
    status = nigh_settings_parse(ctx, method, text, &settings);
    if (!status) status = function_approach_fit(ctx, method, function_target_of(problem), &settings, &fitted);
    if (status) return status;
    *ideal = fitted.ideal;
    *core = fitted.core;
    return NIGH_OK;
}

/* Largest error of the answers in the type, computed by Horner's scheme with fma, at inputs that the fit did not use. */
static nigh_status error_of_answers(nigh_context *ctx, const function_target *target, const function_core *core, double *error)
{
    function_domain domain;
    function_probe probe;
    nigh_status status = function_domain_new(ctx, target, false, true, &domain);
    if (!status) status = function_probe_new(ctx, &domain, 8192, .25, &probe);
    if (status) return status;
    *error = function_probe_error(&probe, core);
    function_probe_free(&probe);
    return NIGH_OK;
}

/* Sollya's coefficients as a core. */
static void plain_core(nigh_dtype type, int degree, const nigh_f128 *coefficient, double *data, function_core *core)
{
    *core = (function_core){.type = type, .form = FUNCTION_POLYNOMIAL, .upper = degree + 1, .scale = 1, .data = data};
    for (int k = 0; k <= degree; k++) function_core_set(core, k, (double)coefficient[k]);
}

typedef struct tally {
    int count, missing;
    double worst, log_sum; /* of ratios ours over Sollya's */
} tally;

static void compare(tally *t, const bench_args *args, const polynomial_case *c, int degree, const char *what, double ours, double theirs)
{
    double ratio = ours / theirs;
    t->count++;
    t->log_sum += log(ratio);
    if (ratio > t->worst) t->worst = ratio;
    if (args->verbose || ratio > 1.01) printf("  %-18s degree %2d %-10s nigh %.4g  sollya %.4g  ratio %.4f\n", c->text, degree, what, ours, theirs, ratio);
}

/* Real coefficients (in f64's turn), then those of the type. */
static nigh_status one_type(nigh_context *ctx, const bench_args *args, const polynomial_case *c, int degree, nigh_dtype type, tally *real,
                            tally *rounded)
{
    nigh_f128 coefficient[MOST + 1];
    nigh_problem *problem;
    function_core core, theirs;
    double ideal, data[MOST + 1], error, their_error;
    nigh_function function = {c->text, c->low, c->high, type, c->relative ? "relative" : "absolute"};
    nigh_status status = nigh_function_problem_new(ctx, &function, &problem);
    if (!status) status = fit_nigh(ctx, problem, degree, &ideal, &core);
    if (status) return status;
    const function_target *target = function_target_of(problem);
    if (type == NIGH_F64 && ask_sollya(c, degree, "remez", coefficient))
        compare(real, args, c, degree, "real", ideal, error_of(c, target, degree, coefficient));
    else if (type == NIGH_F64)
        real->missing++;
    if (ask_sollya(c, degree, type == NIGH_F32 ? "SG" : "D", coefficient)) {
        plain_core(type, degree, coefficient, data, &theirs);
        status = error_of_answers(ctx, target, &core, &error);
        if (!status) status = error_of_answers(ctx, target, &theirs, &their_error);
        if (!status) compare(rounded, args, c, degree, nigh_dtype_name(type), error, their_error);
    } else {
        rounded->missing++;
    }
    nigh_free(ctx, core.data);
    nigh_problem_free(ctx, problem);
    return status;
}

static nigh_status one(nigh_context *ctx, const bench_args *args, const polynomial_case *c, int degree, tally *real, tally rounded[2])
{
    nigh_status status = one_type(ctx, args, c, degree, NIGH_F64, real, &rounded[0]);
    return status ? status : one_type(ctx, args, c, degree, NIGH_F32, real, &rounded[1]);
}

int main(int argc, char **argv)
{
    bench_args args;
    nigh_context *ctx;
    tally real = {0}, rounded[2] = {0};
    int code = bench_start(argc, argv, "minimax polynomials beside Sollya", &args);
    if (code >= 0) return code;
    if (system("sollya --help >/dev/null 2>&1 </dev/null") != 0) {
        fprintf(stderr, "sollya: the program sollya is missing (Debian: sollya)\n");
        return 2;
    }
    if (nigh_context_new(&ctx)) return 3;
    for (int i = 0; i < CASES; i++) {
        if (args.only && !strstr(cases[i].text, args.only)) continue;
        for (size_t k = 0; k < sizeof degrees / sizeof *degrees; k++) {
            bench_progress(i * 4 + (int64_t)k, CASES * 4, cases[i].text);
            if (one(ctx, &args, &cases[i], degrees[k], &real, rounded)) {
                fprintf(stderr, "%s: %s\n", cases[i].text, nigh_message(ctx));
                return 1;
            }
        }
    }
    printf("compared: %d with real coefficients, %d f64, %d f32; Sollya gave no answer to %d, %d, %d\n", real.count, rounded[0].count, rounded[1].count,
           real.missing, rounded[0].missing, rounded[1].missing);
    bench_bar(4, "largest minimax error over Sollya's remez", real.worst, false, 1.01);
    for (int type = 0; type < 2; type++) {
        const char *name = type ? "f32" : "f64";
        double mean = exp(rounded[type].log_sum / rounded[type].count);
        printf("answers in %s with rounded coefficients beside fpminimax: geometric mean of the ratios %.4f, largest %.4f\n", name, mean, rounded[type].worst);
        bench_note(type ? "answers in f32 over fpminimax, geometric mean" : "answers in f64 over fpminimax, geometric mean", mean);
    }
    nigh_context_free(ctx);
    return bench_end(&args);
}
