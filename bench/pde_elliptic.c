/*
 * Time and error of every effort on every coarser grid of the elliptic equations, on one thread:
 *
 *   pde_elliptic [darcy|poisson] [GRID [SETTINGS]]        without a grid: 64, 128 and 256
 *
 * Errors are relative L2 against the exact answer on the full grid, mean and worst of SAMPLES inputs; `there` and `back` are what it takes to bring the input to the coarser
 * grid and the answer back. `cycles` shows what the exact solver's parts take. Beside it: a complete sparse factorisation of the same system (CHOLMOD where the build has
 * it), from the assembled matrix on. Times are the best of several runs of all samples.
 */
#include "nigh/multigrid.h"
#include "nigh/pde.h"
#include "nigh/sparse.h"
#include "operator/pde.h"

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

static int runs_for(int64_t n) { return n <= 64 ? 40 : n <= 128 ? 15 : 4; }

typedef struct times {
    double there, solve, back, mean, worst;
} times;

static nigh_status measure(nigh_context *ctx, const pde_equation *e, nigh_pde spec, int64_t fine, int effort, const double *in, const double *exact, times *t)
{
    const int64_t points = fine * fine, n = spec.grid;
    nigh_regrid there = e->in_coarser, back = e->out_finer;
    there.dims = back.dims = 2, there.grid = back.grid = e->info.grid, there.from = back.to = fine, there.to = back.from = n;
    nigh_pde_solver *solver = NULL;
    nigh_regridder *down = NULL, *up = NULL;
    double *x = nigh_alloc(ctx, (size_t)(n * n) * 8), *y = nigh_alloc(ctx, (size_t)(n * n) * 8), *z = nigh_alloc(ctx, (size_t)points * 8);
    nigh_status status = x && y && z ? nigh_pde_solver_new(ctx, &spec, effort, &solver) : NIGH_MEMORY;
    if (!status) status = nigh_regridder_new(ctx, &there, &down);
    if (!status) status = nigh_regridder_new(ctx, &back, &up);
    size_t bytes = status ? 0 : nigh_pde_solver_workspace(solver), regrid = status ? 0 : nigh_regridder_workspace(down) + nigh_regridder_workspace(up);
    void *room = status ? NULL : nigh_alloc(ctx, (bytes > regrid ? bytes : regrid) + 64);
    *t = (times){INFINITY, INFINITY, INFINITY, 0, 0};
    for (int run = 0; room && run < runs_for(fine); run++) {
        times now = {0};
        for (int64_t i = 0; i < SAMPLES; i++) {
            double a = nigh_clock();
            nigh_regridder_run(down, in + i * points, x, room);
            double b = nigh_clock();
            nigh_pde_solve(solver, x, y, room);
            double c = nigh_clock();
            nigh_regridder_run(up, y, z, room);
            double d = nigh_clock(), error = relative(points, exact + i * points, z);
            now.there += b - a, now.solve += c - b, now.back += d - c;
            if (!run) t->mean += error / SAMPLES, t->worst = fmax(t->worst, error);
        }
        t->there = fmin(t->there, now.there / SAMPLES), t->solve = fmin(t->solve, now.solve / SAMPLES), t->back = fmin(t->back, now.back / SAMPLES);
    }
    nigh_free(ctx, room);
    nigh_regridder_free(up);
    nigh_regridder_free(down);
    nigh_pde_solver_free(solver);
    nigh_free(ctx, z), nigh_free(ctx, y), nigh_free(ctx, x);
    return status;
}

/* What the exact solver of darcy does, part by part, on the first input. */
static void parts(nigh_context *ctx, int64_t n, const double *a)
{
    nigh_multigrid *mg = NULL;
    if (nigh_multigrid_new(ctx, &(nigh_multigrid_spec){.rows = n, .cols = n}, &mg)) return;
    void *room = nigh_alloc(ctx, nigh_multigrid_workspace(mg));
    double *b = nigh_alloc(ctx, (size_t)(n * n) * 8), *x = nigh_alloc(ctx, (size_t)(n * n) * 8), time[5] = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
    nigh_multigrid_report report = {0}, gradients = {0};
    for (int64_t i = 0; b && i < n * n; i++) b[i] = 1;
    for (int run = 0; room && b && x && run < 10 * runs_for(n); run++) {
        double t[6] = {nigh_clock()};
        nigh_multigrid_cells(NULL, mg, &(nigh_multigrid_field){.a = a}, room), t[1] = nigh_clock();
        nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.most = 1}, NULL, room), t[2] = nigh_clock();
        nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.most = 6}, NULL, room), t[3] = nigh_clock();
        nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.tolerance = 1e-10}, &report, room), t[4] = nigh_clock();
        nigh_multigrid_solve(mg, b, x, &(nigh_multigrid_options){.tolerance = 1e-10, .gradients = true}, &gradients, room), t[5] = nigh_clock();
        for (int k = 0; k < 5; k++) time[k] = fmin(time[k], t[k + 1] - t[k]);
    }
    printf("  parts: set-up %.1f us, a cycle %.1f us, to 1e-10 by %d cycles %.1f us, by %d steps of conjugate gradients %.1f us\n", 1e6 * time[0], 0.2e6 * (time[2] - time[1]), report.cycles, 1e6 * time[3],
           gradients.steps, 1e6 * time[4]);
    nigh_free(ctx, x), nigh_free(ctx, b), nigh_free(ctx, room);
    nigh_multigrid_free(mg);
}

/* The matrix of darcy as the equation's text says it. */
static nigh_status assemble(nigh_context *ctx, int64_t n, const double *a, nigh_sparse **matrix)
{
    int64_t *row = nigh_alloc(ctx, (size_t)(5 * n * n) * 8), *column = nigh_alloc(ctx, (size_t)(5 * n * n) * 8), count = 0;
    double *value = nigh_alloc(ctx, (size_t)(5 * n * n) * 8), scale = (double)n * (double)n;
    nigh_status status = row && column && value ? NIGH_OK : NIGH_MEMORY;
    for (int64_t k = 0; !status && k < n * n; k++) {
        double diagonal = 0;
        for (int side = 0; side < 4; side++) {
            int64_t i = k / n + (side == 0) - (side == 1), j = k % n + (side == 2) - (side == 3), m = i * n + j;
            bool out = i < 0 || j < 0 || i == n || j == n;
            double face = scale * (out ? 2 * a[k] : 2 * a[k] * a[m] / (a[k] + a[m]));
            diagonal += face;
            if (!out) row[count] = k, column[count] = m, value[count++] = -face;
        }
        row[count] = column[count] = k, value[count++] = diagonal;
    }
    if (!status) status = nigh_sparse_new(ctx, n * n, n * n, count, row, column, value, matrix);
    nigh_free(ctx, value), nigh_free(ctx, column), nigh_free(ctx, row);
    return status;
}

static nigh_status direct(nigh_context *ctx, int64_t n, const double *in, const double *exact)
{
    nigh_sparse *matrix = NULL;
    nigh_status status = assemble(ctx, n, in, &matrix);
    double *b = nigh_alloc(ctx, (size_t)(n * n) * 8), best = INFINITY, error = NAN;
    const char *name = "";
    if (!b) status = NIGH_MEMORY;
    for (int run = 0; !status && run < (n <= 64 ? 10 : 2); run++) {
        for (int64_t i = 0; i < n * n; i++) b[i] = 1;
        nigh_sparse_factor *factor = NULL;
        double t = nigh_clock();
        status = nigh_sparse_factor_new(ctx, matrix, true, NIGH_SPARSE_AUTO, &factor);
        if (!status) status = nigh_sparse_factor_solve(factor, 1, b, b);
        best = fmin(best, nigh_clock() - t);
        if (!status) name = nigh_sparse_method_name(nigh_sparse_factor_method(factor));
        nigh_sparse_factor_free(factor);
    }
    if (!status) error = relative(n * n, exact, b);
    printf("  %s, factorised and solved: %.1f us, differs by %.1e\n", name, 1e6 * best, error);
    nigh_free(ctx, b);
    nigh_sparse_free(ctx, matrix);
    return status;
}

static nigh_status table(nigh_context *ctx, const char *name, int64_t n, const char *settings)
{
    const pde_equation *e = pde_equation_find(name);
    nigh_pde spec = {name, n, settings, NULL};
    nigh_problem *problem = NULL;
    nigh_status status = nigh_pde_problem_new(ctx, &spec, &problem);
    if (status) return status;
    const int64_t points = n * n;
    double *in = nigh_alloc(ctx, (size_t)(SAMPLES * points) * 8), *exact = nigh_alloc(ctx, (size_t)(SAMPLES * points) * 8);
    nigh_rng rng = nigh_rng_new(17, 0);
    status = in && exact ? problem->ops->draw(ctx, problem, &rng, SAMPLES, in) : NIGH_MEMORY;
    if (!status) status = problem->ops->exact(ctx, problem, SAMPLES, in, exact);
    printf("%s, %lld x %lld\n  grid  effort                                     there   solve    back  error: mean     worst\n", name, (long long)n, (long long)n);
    for (int coarsen = 1; coarsen <= 4 && !status; coarsen *= 2)
        for (int effort = 0; effort < e->info.efforts && !status; effort++) {
            times t;
            char text[64];
            spec.grid = n / coarsen;
            e->effort_name(pde_problem_values(pde_of(problem)), spec.grid, effort, text);
            status = measure(ctx, e, spec, n, effort, in, exact, &t);
            if (!status) printf("  %4lld  %-38s %8.1f%8.1f%8.1f us  %9.1e %9.1e\n", (long long)spec.grid, text, 1e6 * t.there, 1e6 * t.solve, 1e6 * t.back, t.mean, t.worst);
        }
    if (!status && e == &pde_darcy) {
        parts(ctx, n, in);
        status = direct(ctx, n, in, exact);
    }
    nigh_free(ctx, exact), nigh_free(ctx, in);
    nigh_problem_free(ctx, problem);
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "darcy";
    const pde_equation *e = pde_equation_find(name);
    if (e != &pde_darcy && e != &pde_poisson) {
        fprintf(stderr, "pde_elliptic: '%s' is neither darcy nor poisson\n", name);
        return 2;
    }
    nigh_context *ctx;
    nigh_status status = nigh_context_new(&ctx);
    if (status) return 3;
    status = nigh_context_set_threads(ctx, 1);
    static const int64_t grids[] = {64, 128, 256};
    if (argc > 2)
        status = table(ctx, name, atoll(argv[2]), argc > 3 ? argv[3] : NULL);
    else
        for (int k = 0; k < 3 && !status; k++) status = table(ctx, name, grids[k], NULL);
    if (status) fprintf(stderr, "pde_elliptic: %s\n", nigh_message(ctx));
    nigh_context_free(ctx);
    return status ? 1 : 0;
}
