/*
 * Time and error of every effort on every coarser grid of the equations in time, on one thread:
 *
 *   pde_evolve [burgers|navier-stokes] [GRID [VISCOSITY]]
 *
 * Errors are relative L2 over SAMPLES inputs, mean and worst: `steps` against a run with eight times the exact solver's steps on the same grid, `all` of the answer brought
 * back to the full grid against the exact answer there. Times are CPU time, the best of several runs of all samples.
 */
#include "nigh/pde.h"
#include "operator/pde.h"
#include "operator/pde_spectral.h"
#include "operator/pde_vorticity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 20 };

static double relative(int64_t count, const double *exact, const double *answer)
{
    double difference = 0, size = 0;
    for (int64_t i = 0; i < count; i++) difference += (answer[i] - exact[i]) * (answer[i] - exact[i]), size += exact[i] * exact[i];
    return sqrt(difference / size);
}

static void symbol(const void *user, int64_t k, double linear[2], double gain[2])
{
    double wave = 2 * M_PI * (double)k;
    linear[0] = -*(const double *)user * wave * wave, linear[1] = gain[0] = 0, gain[1] = -0.5 * wave;
}

/* Answers by eight times the exact solver's steps, and at least so many as it takes for the fastest input. */
static nigh_status fine(nigh_context *ctx, bool flow, int64_t n, double viscosity, const double *in, double *out)
{
    int64_t points = flow ? n * n : n, steps = 16384;
    vorticity *v = NULL;
    spectral *s = NULL;
    nigh_status status = flow ? vorticity_new(ctx, &(vorticity_spec){NIGH_F64, n, viscosity, {0.05, -0.05}, 1, 256, 24}, &v)
                              : spectral_new(ctx, &(spectral_spec){NIGH_F64, n, 2, 1 / (double)steps, 1, symbol, &viscosity}, &s);
    void *room = status ? NULL : nigh_alloc(ctx, flow ? vorticity_workspace(v) : spectral_workspace(s));
    for (int64_t i = 0; i < SAMPLES && room; i++) {
        if (flow) vorticity_run(v, 1, in + i * points, out + i * points, room);
        else spectral_run(s, 0, steps, 1, in + i * points, out + i * points, room);
    }
    nigh_free(ctx, room);
    vorticity_free(v);
    spectral_free(s);
    return status;
}

static nigh_status run_solver(nigh_context *ctx, const nigh_pde *spec, int effort, int64_t points, const double *in, double *out, double *seconds, char name[64])
{
    nigh_pde_solver *solver;
    nigh_status status = nigh_pde_solver_new(ctx, spec, effort, &solver);
    if (status) return status;
    void *room = nigh_alloc(ctx, nigh_pde_solver_workspace(solver));
    *seconds = INFINITY;
    for (int repeat = 0; repeat < 5 && room; repeat++) {
        double from = nigh_clock_cpu();
        for (int64_t i = 0; i < SAMPLES; i++) nigh_pde_solve(solver, in + i * points, out + i * points, room);
        *seconds = fmin(*seconds, (nigh_clock_cpu() - from) / SAMPLES);
    }
    snprintf(name, 64, "%s", nigh_pde_effort(solver));
    nigh_free(ctx, room);
    nigh_pde_solver_free(solver);
    return status;
}

static void regrid(nigh_context *ctx, int dims, int64_t from, int64_t to, const double *in, double *out)
{
    nigh_regridder *r;
    if (nigh_regridder_new(ctx, &(nigh_regrid){.dims = dims, .grid = NIGH_GRID_PERIODIC, .from = from, .to = to}, &r)) return;
    void *room = nigh_alloc(ctx, nigh_regridder_workspace(r));
    int64_t a = dims == 2 ? from * from : from, b = dims == 2 ? to * to : to;
    for (int64_t i = 0; i < SAMPLES; i++) nigh_regridder_run(r, in + i * a, out + i * b, room);
    nigh_free(ctx, room);
    nigh_regridder_free(r);
}

static void errors(int64_t points, const double *exact, const double *answer, double *mean, double *worst)
{
    *mean = *worst = 0;
    for (int64_t i = 0; i < SAMPLES; i++) {
        double e = relative(points, exact + i * points, answer + i * points);
        *mean += e / SAMPLES, *worst = e <= *worst ? *worst : e;
    }
}

static nigh_status measure(nigh_context *ctx, const char *name, int64_t n, double viscosity)
{
    char settings[64], effort_name[64];
    const pde_equation *e = pde_equation_find(name);
    int dims = e->info.dims, efforts = e->info.efforts;
    int64_t points = dims == 2 ? n * n : n;
    snprintf(settings, sizeof settings, "viscosity=%g", viscosity);
    nigh_pde spec = {.equation = name, .grid = n, .settings = settings};
    nigh_problem *problem;
    nigh_status status = nigh_pde_problem_new(ctx, &spec, &problem);
    if (status) return status;
    double *arrays[6], seconds, mean[2], worst[2];
    for (int i = 0; i < 6; i++) arrays[i] = nigh_alloc(ctx, (size_t)(SAMPLES * points) * sizeof(double));
    double *in = arrays[0], *exact = arrays[1], *coarse_in = arrays[2], *coarse_out = arrays[3], *reference = arrays[4], *back = arrays[5];
    nigh_rng rng = nigh_rng_new(7, 1);
    double from = nigh_clock();
    status = problem->ops->draw(ctx, problem, &rng, SAMPLES, in);
    printf("%s %lld viscosity %g: an input takes %.3g ms\n", name, (long long)n, viscosity, (nigh_clock() - from) / SAMPLES * 1e3);
    if (!status) status = run_solver(ctx, &spec, -1, points, in, exact, &seconds, effort_name);
    for (int64_t c = 1; c <= 4 && !status; c *= 2) {
        int64_t m = n / c, few = dims == 2 ? m * m : m;
        spec.grid = m;
        regrid(ctx, dims, n, m, in, coarse_in);
        status = fine(ctx, dims == 2, m, viscosity, coarse_in, reference);
        for (int effort = efforts - 1; effort >= 0 && !status; effort--) {
            status = run_solver(ctx, &spec, effort, few, coarse_in, coarse_out, &seconds, effort_name);
            regrid(ctx, dims, m, n, coarse_out, back);
            errors(few, reference, coarse_out, &mean[0], &worst[0]);
            errors(points, exact, back, &mean[1], &worst[1]);
            printf("  %5lld points  %-28s %9.3f ms   steps %.2e worst %.2e   all %.2e worst %.2e\n", (long long)m, effort_name, seconds * 1e3, mean[0], worst[0], mean[1], worst[1]);
        }
    }
    for (int i = 0; i < 6; i++) nigh_free(ctx, arrays[i]);
    nigh_problem_free(ctx, problem);
    return status;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; int64_t n; double viscosity; } cases[] = {
        {"burgers", 256, 0.01}, {"burgers", 256, 0.001}, {"burgers", 1024, 0.01}, {"burgers", 1024, 0.001}, {"navier-stokes", 64, 1e-3},
        {"navier-stokes", 64, 1e-4}, {"navier-stokes", 64, 1e-5}, {"navier-stokes", 128, 1e-3}, {"navier-stokes", 128, 1e-4}, {"navier-stokes", 128, 1e-5}};
    nigh_context *ctx;
    nigh_status status = nigh_context_new(&ctx);
    if (!status) status = nigh_context_set_threads(ctx, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !status; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name)) continue;
        if (argc > 2 && atoll(argv[2]) != cases[i].n) continue;
        if (argc > 3 && atof(argv[3]) != cases[i].viscosity) continue;
        status = measure(ctx, cases[i].name, cases[i].n, cases[i].viscosity);
    }
    if (status) fprintf(stderr, "pde_evolve: %s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 1 : 0;
}
