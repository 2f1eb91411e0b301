/* mgno as a method: what it learns, edges, the same bits however it is cut, plans in files, what it refuses. */
#include "support.h"

#include "nigh/fields.h"
#include "nigh/regress.h"
#include "operator/fields.h"
#include "operator/methods.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, SIZE = 16, WIDTH = SIZE * SIZE };
#define FIELD_METHOD nigh_method_mgno
#include "field_plans.h"
#include "field_export.h"

/* These fields are too small for more than one thread. */
static nigh_context *context_new(void)
{
    nigh_context *ctx = test_context_new();
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    return ctx;
}

static nigh_problem *problem_of(nigh_context *ctx, double *x, double *y)
{
    nigh_problem *problem = NULL;
    nigh_array in = {{NIGH_F64, 3, {ROWS, SIZE, SIZE}}, x}, out = {{NIGH_F64, 3, {ROWS, SIZE, SIZE}}, y};
    assert_ok(ctx, nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "fields", .in = &in, .out = &out}, &problem));
    return problem;
}

/* Sums of two sines that are 0 at the edge, and the solution of -Laplace u = f times 1 + the first amplitude. */
static nigh_problem *fields(nigh_context *ctx, double *x, double *y)
{
    nigh_rng rng = nigh_rng_new(2, 2);
    for (int i = 0; i < ROWS; i++) {
        double a = nigh_rng_f64(&rng), b = nigh_rng_f64(&rng);
        for (int p = 0; p < WIDTH; p++) {
            double u = M_PI * (p % SIZE + 0.5) / SIZE, v = M_PI * (p / SIZE + 0.5) / SIZE;
            x[i * WIDTH + p] = a * sin(u) * sin(v) + b * sin(2 * u) * sin(v);
            y[i * WIDTH + p] = (1 + a) * (a * sin(u) * sin(v) / 2 + b * sin(2 * u) * sin(v) / 5);
        }
    }
    return problem_of(ctx, x, y);
}

static double error_of(nigh_context *ctx, const nigh_plan *plan, const double *x, const double *y)
{
    double *z = malloc(ROWS * WIDTH * sizeof *z), sum = 0;
    apply(ctx, plan, x, z);
    for (int i = 0; i < ROWS; i++) sum += nigh_measure_find("relative-l2")->error(WIDTH, y + i * WIDTH, z + i * WIDTH, NIGH_F64) / ROWS;
    free(z);
    return sum;
}

static void test_learns(void **state)
{
    static const char *const more[] = {"", ",loss=l2,answer=change", ",cycle=textbook", ",cycle=norm,behind=1"};
    nigh_context *ctx = context_new();
    double *x = malloc(2 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        char text[100] = "width=4,layers=2,levels=3,epochs=20,batch=5,rate=0.01";
        nigh_plan *plan = plan_of(ctx, problem, strcat(text, more[i]), x, y, 1000, false);
        double error = error_of(ctx, plan, x, y);
        if (!(error < 0.4)) fail_msg("%s: error %g", text, error);
        nigh_plan_free(ctx, plan);
    }
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

static void test_same_bits(void **state)
{
    nigh_context *ctx = context_new();
    size_t bytes = ROWS * WIDTH * sizeof(double);
    double *x = malloc(4 * bytes), *y = x + ROWS * WIDTH, *a = y + ROWS * WIDTH, *b = a + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    static const char *const texts[] = {"width=3,layers=1,epochs=1,batch=8,loss=l2", "width=3,layers=1,epochs=1,batch=8,answer=change,boundary=periodic,levels=3,behind=1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nigh_plan *whole = plan_of(ctx, problem, texts[i], x, y, 100, false), *cut = plan_of(ctx, problem, texts[i], x, y, 1, true), *loaded = NULL;
        nigh_buffer file = {.ctx = ctx};
        apply(ctx, whole, x, a);
        apply(ctx, cut, x, b);
        assert_memory_equal(a, b, bytes);
        assert_ok(ctx, nigh_plan_format(ctx, whole, &file));
        assert_ok(ctx, nigh_plan_parse(ctx, file.data, file.size, "memory", &loaded));
        apply(ctx, loaded, x, b);
        assert_memory_equal(a, b, bytes);
        nigh_buffer_free(&file);
        nigh_plan_free(ctx, whole), nigh_plan_free(ctx, cut), nigh_plan_free(ctx, loaded);
    }
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

/* A boundary that is left open goes by the problem's grid, and stands in the plan. */
static void test_boundary(void **state)
{
    static const struct { nigh_grid grid; const char *text; nigh_padding padding; } cases[] = {
        {NIGH_GRID_PERIODIC, "", NIGH_PAD_CIRCULAR}, {NIGH_GRID_CELL, "", NIGH_PAD_ZERO}, {NIGH_GRID_UNKNOWN, "", NIGH_PAD_ZERO}, {NIGH_GRID_PERIODIC, ",boundary=neumann", NIGH_PAD_REFLECT}};
    nigh_context *ctx = context_new();
    double *x = malloc(2 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[80] = "width=2,layers=1,epochs=1,batch=40";
        strcat(text, cases[i].text);
        problem->grid = cases[i].grid;
        nigh_plan *plan = plan_of(ctx, problem, text, x, y, 10, false);
        assert_int_equal(field_padding(&nigh_method_mgno, &plan->settings), cases[i].padding);
        nigh_plan_free(ctx, plan);
    }
    nigh_settings settings = nigh_settings_default(&nigh_method_mgno);
    assert_fails(ctx, nigh_settings_parse(ctx, &nigh_method_mgno, "boundary=robin", &settings), NIGH_INVALID, "dirichlet");
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

/* Fewer levels than asked for, where the grid has no more: the plan says so. */
static void test_levels(void **state)
{
    nigh_context *ctx = context_new();
    double *x = malloc(2 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    nigh_plan *plan = plan_of(ctx, problem, "width=2,layers=1,epochs=1,batch=40,levels=9", x, y, 10, false);
    assert_non_null(plan->note);
    assert_non_null(strstr(plan->note, "4 levels of the 9"));
    nigh_plan_free(ctx, plan);
    plan = plan_of(ctx, problem, "width=2,layers=1,epochs=1,batch=40,levels=4", x, y, 10, false);
    assert_null(plan->note);
    int64_t other[2] = {32, 32};
    assert_fails(ctx, nigh_fields_apply(ctx, plan, other, 1, x, y), NIGH_UNSUPPORTED, "mgno");
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

/* Outputs of nothing but zeros do not count as relative ones; numbers that are none are named. */
static void test_bad_data(void **state)
{
    nigh_context *ctx = context_new();
    double *x = malloc(2 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    const nigh_method *m = &nigh_method_mgno;
    nigh_settings settings = nigh_settings_default(m);
    nigh_samples samples = {.n = ROWS, .in = x, .out = y};
    void *fit = NULL;
    memset(y + 3 * WIDTH, 0, WIDTH * sizeof *y);
    static const char *const losses[] = {"width=2,layers=1,epochs=2,loss=h1", "width=2,layers=1,epochs=2,loss=l2"};
    for (int i = 0; i < 2; i++) {
        nigh_plan *plan = plan_of(ctx, problem, losses[i], x, y, 1000, false);
        double *z = malloc(ROWS * WIDTH * sizeof *z);
        apply(ctx, plan, x, z);
        for (int k = 0; k < ROWS * WIDTH; k++) assert_true(isfinite(z[k]));
        free(z);
        nigh_plan_free(ctx, plan);
    }
    x[7 * WIDTH + 2 * SIZE + 5] = NAN;
    assert_fails(ctx, m->start(ctx, m, problem, &samples, &settings, &fit), NIGH_INVALID, "nan at [2,5] of row 7 of the inputs");
    x[7 * WIDTH + 2 * SIZE + 5] = 0, y[1] = INFINITY;
    assert_fails(ctx, m->start(ctx, m, problem, &samples, &settings, &fit), NIGH_INVALID, "inf at [0,1] of row 0 of the outputs");
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

static void test_export(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = malloc(2 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    static const char *const texts[] = {"width=4,layers=2,levels=3,epochs=1,batch=5", "width=8,layers=1,cycle=textbook,answer=change,epochs=1,batch=5"};
    static const char *const compilers[] = {"cc -std=c99 -O1", "cc -std=c99 -O1 -march=native"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nigh_plan *plan = plan_of(ctx, problem, texts[i], x, y, 100, false);
        check_exported_plan(ctx, plan, compilers[i], ROWS, x, 1e-5, 1e-5);
        nigh_plan_free(ctx, plan);
    }
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_settings settings = nigh_settings_default(&nigh_method_mgno);
    nigh_problem problem = {.size = sizeof problem, .in = {NIGH_F64, 1, {6}}, .out = {NIGH_F64, 1, {6}}, .measure = nigh_measure_find("relative-l2")};
    assert_fails(ctx, nigh_method_mgno.supports(ctx, &nigh_method_mgno, &problem, &settings), NIGH_UNSUPPORTED, "at least 8");
    problem.out.dim[0] = 3;
    assert_fails(ctx, nigh_method_mgno.supports(ctx, &nigh_method_mgno, &problem, &settings), NIGH_UNSUPPORTED, "no field");
    problem.in = (nigh_shape){NIGH_F64, 3, {16, 16, 2}}, problem.out = (nigh_shape){NIGH_F64, 2, {16, 16}};
    assert_ok(ctx, nigh_method_mgno.supports(ctx, &nigh_method_mgno, &problem, &settings));
    assert_ok(ctx, nigh_settings_parse(ctx, &nigh_method_mgno, "answer=change", &settings));
    assert_fails(ctx, nigh_method_mgno.supports(ctx, &nigh_method_mgno, &problem, &settings), NIGH_UNSUPPORTED, "2 channels in and 1 out");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns),   cmocka_unit_test(test_same_bits), cmocka_unit_test(test_boundary), cmocka_unit_test(test_levels),
                                       cmocka_unit_test(test_bad_data), cmocka_unit_test(test_export), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
