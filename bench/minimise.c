/*
 * Minimisers and optimisers, measured: evaluations and seconds on the extended Rosenbrock function and Powell's singular one, and the
 * bytes a second of one fused update. bench/minimise.py prints the same for SciPy and PyTorch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "grad/optimiser.h"
#include "nigh/minimise.h"

typedef struct task {
    int64_t n;
    bool powell;
} task;

static nigh_status rosenbrock(void *user, const double *x, double *f, double *g)
{
    const task *t = user;
    double sum = 0;
    for (int64_t i = 0; i + 1 < t->n && !t->powell; i += 2) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        sum += 100 * a * a + b * b;
        g[i] = -400 * a * x[i] - 2 * b, g[i + 1] = 200 * a;
    }
    for (int64_t i = 0; i + 3 < t->n && t->powell; i += 4) {
        double a = x[i] + 10 * x[i + 1], b = x[i + 2] - x[i + 3], c = x[i + 1] - 2 * x[i + 2], d = x[i] - x[i + 3];
        sum += a * a + 5 * b * b + c * c * c * c + 10 * d * d * d * d;
        g[i] = 2 * a + 40 * d * d * d, g[i + 1] = 20 * a + 4 * c * c * c, g[i + 2] = 10 * b - 8 * c * c * c, g[i + 3] = -10 * b - 40 * d * d * d;
    }
    *f = sum;
    return NIGH_OK;
}

static void minimise(nigh_context *ctx, bool powell, int64_t n, bool bounds)
{
    static const double start[2][4] = {{-1.2, 1, -1.2, 1}, {3, -1, 0, 1}};
    task t = {n, powell};
    double *x = malloc((size_t)n * sizeof *x), *upper = malloc((size_t)n * sizeof *upper);
    for (int64_t i = 0; i < n; i++) x[i] = start[powell][i % 4], upper[i] = i % 2 ? 10 : 0.8;
    nigh_minimise_problem problem = {.n = n, .gradient = rosenbrock, .user = &t, .upper = bounds ? upper : NULL};
    nigh_minimise_result result;
    double before = nigh_clock();
    if (nigh_minimise(ctx, &problem, &(nigh_minimise_options){.gradient_tolerance = 1e-5}, x, &result)) fprintf(stderr, "%s\n", nigh_message(ctx));
    else
        printf("%-10s n = %7lld%s: %4lld evaluations, %4lld iterations, f %.2e, slope %.1e, %.3f s\n", powell ? "powell" : "rosenbrock", (long long)n,
               bounds ? ", x <= 0.8" : "", (long long)result.evaluations, (long long)result.iterations, result.f, result.gradient, nigh_clock() - before);
    free(x), free(upper);
}

static void update(nigh_context *ctx, const char *name)
{
    enum { LONG = 1 << 23, TIMES = 20 };
    const optimiser *o;
    if (optimiser_find(ctx, name, &o)) return;
    float *p = calloc(LONG, sizeof *p), *g = calloc(LONG, sizeof *g), *a = calloc(LONG, sizeof *a), *b = calloc(LONG, sizeof *b);
    for (int64_t i = 0; i < LONG; i++) p[i] = (float)(i % 7), g[i] = (float)(i % 5) - 2, a[i] = b[i] = 1;
    optimiser_step step = {o->defaults, 1, 1};
    double best = 1e9;
    for (; step.number <= TIMES; step.number++) {
        double before = nigh_clock();
        optimiser_update_f32(o, &step, LONG, p, g, (float *[]){a, b});
        double seconds = nigh_clock() - before;
        if (seconds < best) best = seconds;
    }
    printf("%-10s 2^23 f32, one thread: %.2f ms, %.1f GB/s\n", name, 1e3 * best, (3 + 2 * o->slots) * 4.0 * LONG / best * 1e-9);
    free(p), free(g), free(a), free(b);
}

int main(void)
{
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 1;
    for (int64_t n = 2; n <= 1000000; n = n == 2 ? 1000 : n == 1000 ? 100000 : 10 * n) minimise(ctx, false, n, false);
    minimise(ctx, true, 4, false);
    minimise(ctx, true, 100000, false);
    minimise(ctx, false, 1000, true);
    minimise(ctx, false, 100000, true);
    static const char *const names[] = {"sgd", "momentum", "nesterov", "adam", "adamw", "lion"};
    for (int k = 0; k < 6; k++) update(ctx, names[k]);
    nigh_context_free(ctx);
    return 0;
}
