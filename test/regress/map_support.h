/* Sample maps and one-call fits for the tests of src/regress. */
#ifndef NIGH_TEST_MAP_SUPPORT_H
#define NIGH_TEST_MAP_SUPPORT_H
#include "support.h"

#include "nigh/random.h"
#include "nigh/regress.h"
#include "regress/methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void map_function(const double *x, double *y);

typedef struct map_set {
    int64_t n, d, m;
    double *x, *y; /* malloc */
    nigh_problem *problem;
} map_set;

/* n inputs uniform on [low, high]^d with outputs of f, and the problem of these pairs. */
static inline map_set map_set_new(nigh_context *ctx, int64_t n, int64_t d, int64_t m, double low, double high, uint64_t seed, map_function *f)
{
    map_set set = {.n = n, .d = d, .m = m, .x = malloc((size_t)(n * d) * sizeof(double)), .y = malloc((size_t)(n * m) * sizeof(double))};
    nigh_rng rng = nigh_rng_new(seed, 7);
    for (int64_t i = 0; i < n * d; i++) set.x[i] = low + (high - low) * nigh_rng_f64(&rng);
    for (int64_t i = 0; i < n; i++) f(set.x + i * d, set.y + i * m);
    if (n < NIGH_PAIRS_LEAST) return set;
    nigh_array in = {{NIGH_F64, 2, {n, d}}, set.x}, out = {{NIGH_F64, 2, {n, m}}, set.y};
    if (nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "set", .in = &in, .out = &out}, &set.problem) != NIGH_OK)
        fail_msg("no problem: %s", nigh_message(ctx));
    return set;
}

static inline void map_set_free(nigh_context *ctx, map_set *set)
{
    nigh_problem_free(ctx, set->problem);
    free(set->x), free(set->y);
}

/* A plan of the first n samples of the set. */
static inline nigh_status map_try(nigh_context *ctx, const nigh_method *method, const char *text, const map_set *set, int64_t n, nigh_plan **plan)
{
    nigh_settings settings = nigh_settings_default(method);
    nigh_samples samples = {.n = n, .in = set->x, .out = set->y};
    nigh_progress_point point;
    void *fit = NULL;
    nigh_status status = nigh_settings_parse(ctx, method, text, &settings);
    if (!status) status = method->supports(ctx, method, set->problem, &settings);
    if (!status) status = method->start(ctx, method, set->problem, &samples, &settings, &fit);
    if (status) return status;
    status = method->advance(ctx, fit, 1, &point);
    if (!status) status = method->finish(ctx, fit, plan);
    method->abandon(ctx, fit);
    return status;
}

static inline nigh_plan *map_fit_plan(nigh_context *ctx, const nigh_method *method, const char *text, const map_set *set, int64_t n)
{
    nigh_plan *plan = NULL;
    nigh_status status = map_try(ctx, method, text, set, n, &plan);
    if (status) fail_msg("%s %s: %s", method->name, text, nigh_message(ctx));
    return plan;
}

static inline nigh_status map_apply(nigh_context *ctx, const nigh_plan *plan, int64_t n, const double *in, double *out)
{
    size_t bytes = nigh_plan_workspace(plan);
    void *workspace = nigh_alloc(ctx, bytes ? bytes : 1);
    if (!workspace) fail_msg("no workspace");
    memset(workspace, 0xff, bytes); /* NaN everywhere: nothing may be read that was not written */
    nigh_status status = nigh_plan_apply(plan, n, in, out, workspace, bytes);
    nigh_free(ctx, workspace);
    return status;
}

/* Root mean square over samples of the relative l2 error on samples from..set->n. */
static inline double map_error(nigh_context *ctx, const nigh_plan *plan, const map_set *set, int64_t from)
{
    int64_t n = set->n - from;
    double *out = malloc((size_t)(n * set->m) * sizeof *out), sum = 0;
    map_apply(ctx, plan, n, set->x + from * set->d, out);
    for (int64_t i = 0; i < n; i++) {
        double e = set->problem->measure->error(set->m, set->y + (from + i) * set->m, out + i * set->m, NIGH_F64);
        sum += e * e / (double)n;
    }
    free(out);
    return sqrt(sum);
}

/*
 * Projectile with quadratic drag and a side wind, by RK4 with 400 steps: speed, elevation, drag and wind (each scaled to
 * -1 .. 1) to range, peak and drift at the end of the flight time of 4 s.
 */
static inline void map_projectile(const double *x, double *y)
{
    double speed = 30 + 10 * x[0], angle = 0.8 + 0.4 * x[1], drag = 0.01 + 0.008 * x[2], wind = 5 * x[3];
    double s[6] = {0, 0, 0, speed * cos(angle), 0, speed * sin(angle)}, peak = 0, h = 0.01;
    for (int step = 0; step < 400; step++) {
        double k[4][6], t[6];
        for (int stage = 0; stage < 4; stage++) {
            double by = stage == 0 ? 0 : stage == 3 ? h : h / 2;
            for (int i = 0; i < 6; i++) t[i] = s[i] + (stage ? by * k[stage - 1][i] : 0);
            double u = t[3], v = t[4] - wind, w = t[5], size = sqrt(u * u + v * v + w * w);
            double a[6] = {t[3], t[4], t[5], -drag * size * u, -drag * size * v, -9.81 - drag * size * w};
            memcpy(k[stage], a, sizeof a);
        }
        for (int i = 0; i < 6; i++) s[i] += h / 6 * (k[0][i] + 2 * k[1][i] + 2 * k[2][i] + k[3][i]);
        peak = fmax(peak, s[2]);
    }
    y[0] = s[0], y[1] = peak, y[2] = s[1];
}

/* A smooth field of 60 points from one of 40, the latter on a four-dimensional manifold. */
enum { MAP_FIELD_IN = 40, MAP_FIELD_OUT = 60 };
static inline void map_field_input(const double *p, double *x)
{
    for (int i = 0; i < MAP_FIELD_IN; i++) {
        double t = (double)i / (MAP_FIELD_IN - 1);
        x[i] = p[0] + p[1] * sin(2 * M_PI * t) + p[2] * cos(2 * M_PI * t) + 0.5 * p[3] * sin(4 * M_PI * t);
    }
}
static inline void map_field_output(const double *p, double *y)
{
    for (int i = 0; i < MAP_FIELD_OUT; i++) {
        double t = (double)i / (MAP_FIELD_OUT - 1);
        y[i] = 2 + p[0] * t + tanh(p[1] + p[2] * t) + 0.3 * p[3] * p[1] * sin(4 * t);
    }
}

static inline map_set map_field_set(nigh_context *ctx, int64_t n, uint64_t seed)
{
    map_set set = {.n = n, .d = MAP_FIELD_IN, .m = MAP_FIELD_OUT, .x = malloc((size_t)n * MAP_FIELD_IN * sizeof(double)),
                   .y = malloc((size_t)n * MAP_FIELD_OUT * sizeof(double))};
    nigh_rng rng = nigh_rng_new(seed, 8);
    for (int64_t i = 0; i < n; i++) {
        double p[4];
        for (int k = 0; k < 4; k++) p[k] = 2 * nigh_rng_f64(&rng) - 1;
        map_field_input(p, set.x + i * MAP_FIELD_IN);
        map_field_output(p, set.y + i * MAP_FIELD_OUT);
    }
    nigh_array in = {{NIGH_F64, 2, {n, MAP_FIELD_IN}}, set.x}, out = {{NIGH_F64, 2, {n, MAP_FIELD_OUT}}, set.y};
    if (nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "field", .in = &in, .out = &out}, &set.problem) != NIGH_OK) fail_msg("no problem");
    return set;
}

/* Every method with a setting that reaches each of its bodies. */
static const struct map_case {
    const nigh_method *method;
    const char *settings;
} map_cases[] = {
    {&nigh_method_mean, ""},
    {&nigh_method_nearest, "neighbours=1"},
    {&nigh_method_nearest, "neighbours=4"},
    {&nigh_method_polynomial_ridge, "degree=2"},
    {&nigh_method_pod_ridge, "degree=1"},
    {&nigh_method_pod_ridge, "degree=3"},
    {&nigh_method_pod_kernel, "kernel=gaussian"},
    {&nigh_method_pod_kernel, "kernel=matern32"},
    {&nigh_method_pod_kernel, "kernel=matern52"},
    {&nigh_method_pod_kernel, "kernel=cubic"},
    {&nigh_method_rbf, "basis=cubic"},
    {&nigh_method_rbf, "basis=thin-plate"},
    {&nigh_method_bandlimited_random_features, "features=100"},
};
enum { MAP_CASES = sizeof map_cases / sizeof *map_cases };
#endif
