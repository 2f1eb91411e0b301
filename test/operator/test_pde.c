/* What holds for every equation: answers that are finite and the same in every way to get them, efforts that gain, problems, coarse-grid plans, bad input. */
#include "support.h"

#include "nigh/pde.h"
#include "operator/methods.h"
#include "operator/pde.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_context *ctx;

/* A grid that is small for the test's sake and large enough for the equation. */
static int64_t small_grid(const nigh_equation *e)
{
    int64_t n = e->dims == 2 ? 32 : 128;
    return n < e->grid_low ? e->grid_low : n;
}

static int64_t points_of(const nigh_problem *p) { return nigh_shape_count(&p->in); }

static void draw(const nigh_problem *p, uint64_t seed, int64_t n, double *x)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    assert_ok(ctx, p->ops->draw(ctx, p, &rng, n, x));
}

static double distance(const nigh_problem *p, int64_t n, const double *exact, const double *answer)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += p->measure->error(points_of(p), exact + i * points_of(p), answer + i * points_of(p), NIGH_F64);
    return sum / (double)n;
}

static void answers_are_the_same_in_every_way(void **state)
{
    enum { N = 5 };
    const nigh_equation *e;
    for (int k = 0; (e = nigh_equation_at(k)); k++) {
        nigh_problem *p;
        assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = e->name, .grid = small_grid(e)}, &p));
        int64_t points = points_of(p);
        size_t bytes = (size_t)(N * points) * sizeof(double);
        double *x = malloc(bytes), *again = malloc(bytes), *y = malloc(bytes), *z = malloc(bytes);
        draw(p, 3, N, x);
        int threads = nigh_context_threads(ctx);
        assert_ok(ctx, nigh_context_set_threads(ctx, 1));
        draw(p, 3, N, again);
        assert_memory_equal(x, again, bytes);
        assert_ok(ctx, p->ops->exact(ctx, p, N, x, y));
        assert_ok(ctx, nigh_context_set_threads(ctx, threads));
        assert_ok(ctx, p->ops->exact(ctx, p, N, x, z));
        assert_memory_equal(y, z, bytes);
        assert_ok(ctx, p->ops->exact_timed(ctx, p, N, x, z));
        assert_memory_equal(y, z, bytes);
        double size = 0;
        for (int64_t i = 0; i < N * points; i++) assert_true(isfinite(x[i]) && isfinite(y[i])), size += y[i] * y[i];
        assert_true(size > 0);
        assert_ok(ctx, p->ops->refined(ctx, p, N, x, z));
        assert_true(distance(p, N, y, z) < 0.5);
        nigh_problem_free(ctx, p);
        free(x), free(again), free(y), free(z);
    }
}

static void efforts_gain(void **state)
{
    enum { N = 4 };
    const nigh_equation *e;
    for (int k = 0; (e = nigh_equation_at(k)); k++) {
        nigh_problem *p;
        int64_t n = small_grid(e);
        assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = e->name, .grid = n}, &p));
        int64_t points = points_of(p);
        double *x = malloc((size_t)(N * points) * sizeof *x), *y = malloc((size_t)(N * points) * sizeof *y), *z = malloc((size_t)(N * points) * sizeof *z), last = INFINITY, work = 0;
        draw(p, 5, N, x);
        assert_ok(ctx, p->ops->exact(ctx, p, N, x, y));
        for (int effort = 0; effort < e->efforts; effort++) {
            nigh_pde_solver *solver;
            assert_ok(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = e->name, .grid = n}, effort, &solver));
            void *room = nigh_alloc(ctx, nigh_pde_solver_workspace(solver));
            for (int64_t i = 0; i < N; i++) nigh_pde_solve(solver, x + i * points, z + i * points, room);
            nigh_free(ctx, room);
            double error = distance(p, N, y, z);
            const pde_equation *of = pde_equation_find(e->name);
            nigh_work w = of->work(pde_problem_values(pde_of(p)), n, effort);
            if (!(error <= 1.5 * last + 1e-12)) fail_msg("%s: effort %d (%s) has error %g, the one before %g", e->name, effort, nigh_pde_effort(solver), error, last);
            if (!(w.flops + 4 * w.bytes >= work)) fail_msg("%s: effort %d (%s) is said to be less work than the one before", e->name, effort, nigh_pde_effort(solver));
            last = isfinite(error) ? error : last, work = w.flops + 4 * w.bytes;
            nigh_pde_solver_free(solver);
        }
        assert_true(last == 0);
        nigh_problem_free(ctx, p);
        free(x), free(y), free(z);
    }
}

/* What a coarse-grid plan of half the grid and the exact effort is made of, piece by piece. */
static void step_by_step(const nigh_equation *e, const nigh_problem *p, int64_t n, int count, const double *x, double *y)
{
    const pde_equation *of = pde_equation_find(e->name);
    nigh_regridder *there, *back;
    nigh_pde_solver *solver;
    assert_ok(ctx, pde_regridder(ctx, of, true, n, n / 2, &there));
    assert_ok(ctx, pde_regridder(ctx, of, false, n / 2, n, &back));
    assert_ok(ctx, pde_solver_at(ctx, pde_of(p), n / 2, -1, &solver));
    int64_t points = points_of(p), half = e->dims == 2 ? points / 4 : points / 2;
    double *in = nigh_alloc(ctx, (size_t)half * sizeof *in), *out = nigh_alloc(ctx, (size_t)half * sizeof *out);
    void *a = nigh_alloc(ctx, nigh_regridder_workspace(there) + 1), *b = nigh_alloc(ctx, nigh_pde_solver_workspace(solver)), *c = nigh_alloc(ctx, nigh_regridder_workspace(back) + 1);
    for (int i = 0; i < count; i++) {
        nigh_regridder_run(there, x + i * points, in, a);
        nigh_pde_solve(solver, in, out, b);
        nigh_regridder_run(back, out, y + i * points, c);
    }
    nigh_free(ctx, in), nigh_free(ctx, out), nigh_free(ctx, a), nigh_free(ctx, b), nigh_free(ctx, c);
    nigh_regridder_free(there), nigh_regridder_free(back);
    nigh_pde_solver_free(solver);
}

/* A file and back; the plan's answers near the exact ones, from any start of the workspace. */
static void coarse_grid_plans(void **state)
{
    enum { N = 3 };
    const nigh_equation *e;
    const nigh_method *method;
    assert_ok(ctx, nigh_method_find(ctx, "map", "coarse-grid", &method));
    for (int k = 0; (e = nigh_equation_at(k)); k++) {
        nigh_problem *p;
        int64_t n = 2 * small_grid(e);
        assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = e->name, .grid = n}, &p));
        nigh_settings settings = {{2, e->efforts - 1}};
        void *fit;
        nigh_plan *plan, *loaded;
        assert_ok(ctx, method->start(ctx, method, p, NULL, &settings, &fit));
        assert_ok(ctx, method->finish(ctx, fit, &plan));
        method->abandon(ctx, fit);
        int64_t points = points_of(p);
        size_t bytes = (size_t)(N * points) * sizeof(double), room_bytes = nigh_plan_workspace(plan);
        double *x = malloc(bytes), *y = malloc(bytes), *z = malloc(bytes), *again = malloc(bytes);
        void *room = nigh_alloc(ctx, room_bytes);
        draw(p, 6, N, x);
        assert_ok(ctx, p->ops->exact(ctx, p, N, x, y));
        memset(room, 0xff, room_bytes);
        assert_int_equal(nigh_plan_apply(plan, N, x, z, room, room_bytes), NIGH_OK);
        double error = distance(p, N, y, z);
        if (!(error < 0.3)) fail_msg("%s: half the grid has error %g", e->name, error);
        step_by_step(e, p, n, N, x, again);
        assert_memory_equal(z, again, bytes);
        nigh_buffer file = {.ctx = ctx};
        assert_ok(ctx, nigh_plan_format(ctx, plan, &file));
        assert_ok(ctx, nigh_plan_parse(ctx, file.data, file.size, "file", &loaded));
        assert_int_equal(nigh_plan_apply(loaded, N, x, again, room, room_bytes), NIGH_OK);
        assert_memory_equal(z, again, bytes);
        nigh_buffer_free(&file);
        nigh_free(ctx, room);
        nigh_plan_free(ctx, loaded);
        nigh_plan_free(ctx, plan);
        nigh_problem_free(ctx, p);
        free(x), free(y), free(z), free(again);
    }
}

static void the_same_field_on_another_grid(void **state)
{
    const nigh_equation *e;
    for (int k = 0; (e = nigh_equation_at(k)); k++) {
        nigh_problem *p;
        int64_t n = small_grid(e), size[2] = {2 * n, 2 * n};
        assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = e->name, .grid = n}, &p));
        int64_t points = points_of(p), many = e->dims == 2 ? 4 * n * n : 2 * n;
        double *x = malloc((size_t)points * sizeof *x), *fine = malloc((size_t)(2 * many) * sizeof *fine), *back = malloc((size_t)points * sizeof *back);
        draw(p, 8, 1, x);
        nigh_rng rng = nigh_rng_new(8, 1);
        assert_ok(ctx, p->ops->elsewhere(ctx, p, size, &rng, 1, fine, fine + many));
        nigh_regridder *r;
        assert_ok(ctx, pde_regridder(ctx, pde_equation_find(e->name), true, 2 * n, n, &r));
        void *room = nigh_alloc(ctx, nigh_regridder_workspace(r) + 1);
        nigh_regridder_run(r, fine, back, room);
        double error = distance(p, 1, x, back);
        if (!(error < 0.35)) fail_msg("%s: the input on a grid twice as fine differs by %g", e->name, error);
        nigh_free(ctx, room);
        nigh_regridder_free(r);
        nigh_problem_free(ctx, p);
        free(x), free(fine), free(back);
    }
}

static void bad_input(void **state)
{
    nigh_problem *p;
    nigh_pde_solver *solver;
    assert_fails(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcyy"}, &p), NIGH_INVALID, "did you mean 'darcy'");
    assert_fails(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = 1}, &p), NIGH_INVALID, "grid of 1 points");
    assert_fails(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "burgers", .settings = "viscositi=1"}, &p), NIGH_INVALID, "viscosity");
    assert_fails(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "burgers", .settings = "viscosity=-1"}, &p), NIGH_INVALID, "viscosity");
    assert_fails(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .measure = "nonsense"}, &p), NIGH_INVALID, "nonsense");
    assert_fails(ctx, nigh_pde_solver_new(ctx, &(nigh_pde){.equation = "darcy"}, 99, &solver), NIGH_INVALID, "effort 99");
    assert_ok(ctx, nigh_pde_problem_new(ctx, &(nigh_pde){.equation = "darcy", .grid = 16}, &p));
    double x[256], y[256];
    for (int i = 0; i < 256; i++) x[i] = 3;
    x[17] = NAN;
    assert_fails(ctx, p->ops->exact(ctx, p, 1, x, y), NIGH_INVALID, "not finite");
    x[17] = -2;
    assert_fails(ctx, p->ops->exact(ctx, p, 1, x, y), NIGH_INVALID, "-2 at point 17");
    nigh_problem_free(ctx, p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_the_same_in_every_way), cmocka_unit_test(efforts_gain), cmocka_unit_test(coarse_grid_plans),
                                       cmocka_unit_test(the_same_field_on_another_grid), cmocka_unit_test(bad_input)};
    if (nigh_context_new(&ctx)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nigh_context_free(ctx);
    return failed;
}
