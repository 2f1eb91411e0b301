/* unet as a method: what it learns, the same bits however it is cut, plans in files and as C, what it refuses. */
#include "support.h"

#include "nigh/regress.h"
#include "operator/methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, SIZE = 16, WIDTH = SIZE * SIZE };
#define FIELD_METHOD nigh_method_unet
#include "field_plans.h"
#include "field_export.h"

/* Fields of two waves, and their squared slope along the rows. */
static nigh_problem *fields(nigh_context *ctx, double *x, double *y)
{
    nigh_problem *problem = NULL;
    nigh_rng rng = nigh_rng_new(2, 2);
    for (int i = 0; i < ROWS; i++) {
        double a = nigh_rng_f64(&rng), b = nigh_rng_f64(&rng);
        for (int p = 0; p < WIDTH; p++) {
            double u = 2 * M_PI * (p % SIZE) / SIZE, v = 2 * M_PI * (double)(p / SIZE) / SIZE;
            x[i * WIDTH + p] = a * sin(u) + b * cos(u + v);
            y[i * WIDTH + p] = 1 + pow(a * cos(u) - b * sin(u + v), 2);
        }
    }
    nigh_array in = {{NIGH_F64, 3, {ROWS, SIZE, SIZE}}, x}, out = {{NIGH_F64, 3, {ROWS, SIZE, SIZE}}, y};
    assert_ok(ctx, nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "fields", .in = &in, .out = &out}, &problem));
    return problem;
}

static void test_learns(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = malloc(3 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH, *z = y + ROWS * WIDTH, sum = 0;
    nigh_problem *problem = fields(ctx, x, y);
    nigh_plan *plan = plan_of(ctx, problem, "base=4,scales=2,padding=circular,epochs=25,batch=8,rate=0.01", x, y, 1000, false);
    apply(ctx, plan, x, z);
    for (int i = 0; i < ROWS; i++) sum += problem->measure->error(WIDTH, y + i * WIDTH, z + i * WIDTH, NIGH_F64) / ROWS;
    if (!(sum < 0.25)) fail_msg("error %g", sum);
    nigh_plan_free(ctx, plan);
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

static void test_same_bits(void **state)
{
    nigh_context *ctx = test_context_new();
    size_t bytes = ROWS * WIDTH * sizeof(double);
    double *x = malloc(4 * bytes), *y = x + ROWS * WIDTH, *a = y + ROWS * WIDTH, *b = a + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    static const char *const texts[] = {"base=4,scales=2,epochs=1,batch=8", "base=4,scales=2,epochs=1,batch=8,norm=batch"};
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

/* ---- as C --------------------------------------------------------------------------------------------- */

static void test_export(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = malloc(2 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    static const char *const texts[] = {"base=8,scales=3,epochs=1,batch=8", "base=4,scales=2,epochs=1,batch=8,norm=batch,padding=circular"};
    static const char *const compilers[] = {"cc -std=c99 -O2", "cc -std=c99 -O3 -march=native"};
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
    nigh_settings settings = nigh_settings_default(&nigh_method_unet);
    nigh_problem problem = {.size = sizeof problem, .in = {NIGH_F64, 1, {12}}, .out = {NIGH_F64, 1, {12}}, .measure = nigh_measure_find("relative-l2")};
    assert_fails(ctx, nigh_method_unet.supports(ctx, &nigh_method_unet, &problem, &settings), NIGH_UNSUPPORTED, "4 scales need 16");
    problem.out.dim[0] = 3;
    assert_fails(ctx, nigh_method_unet.supports(ctx, &nigh_method_unet, &problem, &settings), NIGH_UNSUPPORTED, "no field");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns), cmocka_unit_test(test_same_bits), cmocka_unit_test(test_export), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
