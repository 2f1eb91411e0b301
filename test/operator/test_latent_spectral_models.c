/* latent-spectral-models as a method: what it learns, the same bits however it is cut, plans in files and as C, what it refuses. */
#include "support.h"

#include "nigh/fields.h"
#include "nigh/regress.h"
#include "operator/methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, SIZE = 16, WIDTH = SIZE * SIZE };
#define FIELD_METHOD nigh_method_latent_spectral_models
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
    nigh_plan *plan = plan_of(ctx, problem, "width=8,scales=2,epochs=25,batch=8,rate=0.01", x, y, 1000, false);
    apply(ctx, plan, x, z);
    for (int i = 0; i < ROWS; i++) sum += problem->measure->error(WIDTH, y + i * WIDTH, z + i * WIDTH, NIGH_F64) / ROWS;
    if (!(sum < 0.1)) fail_msg("error %g", sum);
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
    static const char *const texts[] = {"width=4,scales=2,epochs=1,batch=8",
                                        "width=4,scales=1,epochs=1,batch=8,normalise=point,schedule=step,patch=3,patch-rows=5,basis=0,heads=2"};
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
    static const char *const texts[] = {"width=8,scales=3,patch=2,epochs=1,batch=8", "width=4,scales=2,patch=3,heads=2,tokens=3,epochs=1,batch=8"};
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

/* Fields that are all the same are answered without a norm to divide by; a NaN is named. */
static void test_constant_and_nan(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = malloc(3 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH, *z = y + ROWS * WIDTH;
    nigh_problem *problem = fields(ctx, x, y);
    for (int same = 0; same < 2; same++) {
        for (int i = 0; i < ROWS * WIDTH; i++) y[i] = same ? 0 : 7;
        nigh_plan *plan = plan_of(ctx, problem, same ? "width=4,scales=1,epochs=1,batch=8" : "width=4,scales=1,epochs=1,batch=8,normalise=point", x, y, 1000, false);
        apply(ctx, plan, x, z);
        for (int i = 0; i < ROWS * WIDTH; i++) assert_true(z[i] == y[i]);
        nigh_plan_free(ctx, plan);
    }
    const nigh_method *m = &nigh_method_latent_spectral_models;
    nigh_settings settings = nigh_settings_default(m);
    void *fit = NULL;
    x[WIDTH + SIZE + 3] = NAN;
    assert_fails(ctx, m->start(ctx, m, problem, &(nigh_samples){.n = ROWS, .in = x, .out = y}, &settings, &fit), NIGH_INVALID, "nan at [1,3] of row 1 of the inputs");
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

typedef struct heard {
    char text[512];
} heard;

static void listen(void *user, nigh_log_level level, const char *text)
{
    heard *h = user;
    snprintf(h->text, sizeof h->text, "%s", text);
}

/* Padding is told; answers on another grid come with a warning, whatever fields are scaled by. */
static void test_grids(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = malloc(2 * ROWS * WIDTH * sizeof *x), *y = x + ROWS * WIDTH, out[2][12 * 20];
    nigh_problem *problem = fields(ctx, x, y);
    static const char *const texts[] = {"width=4,scales=2,patch=4,epochs=1,batch=8", "width=4,scales=2,patch=3,patch-rows=4,epochs=1,batch=8,normalise=point"};
    for (int i = 0; i < 2; i++) {
        heard h = {""};
        nigh_plan *plan = plan_of(ctx, problem, texts[i], x, y, 1000, false);
        if (i) assert_non_null(strstr(plan->note, "16 x 16 points is padded to 16 x 18"));
        else assert_null(plan->note);
        nigh_context_set_log(ctx, listen, &h);
        assert_ok(ctx, nigh_fields_apply(ctx, plan, (int64_t[]){12, 20}, 2, x, out[0]));
        assert_non_null(strstr(h.text, "patches and the statistics of the batch norms mean something else"));
        for (int k = 0; k < 2 * 12 * 20; k++) assert_true(isfinite(out[k / 240][k % 240]));
        nigh_context_set_log(ctx, NULL, NULL);
        nigh_plan_free(ctx, plan);
    }
    nigh_problem_free(ctx, problem);
    free(x);
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_method *m = &nigh_method_latent_spectral_models;
    nigh_settings settings = nigh_settings_default(m);
    nigh_problem problem = {.size = sizeof problem, .in = {NIGH_F64, 1, {12}}, .out = {NIGH_F64, 1, {12}}, .measure = nigh_measure_find("relative-l2")};
    assert_ok(ctx, nigh_settings_parse(ctx, m, "scales=3", &settings));
    assert_fails(ctx, m->supports(ctx, m, &problem, &settings), NIGH_UNSUPPORTED, "3 scales of patches of 4 x 4 need 16 x 16");
    problem.out.dim[0] = 3;
    assert_fails(ctx, m->supports(ctx, m, &problem, &settings), NIGH_UNSUPPORTED, "no field");
    problem.in.dim[0] = problem.out.dim[0] = 64;
    assert_ok(ctx, nigh_settings_parse(ctx, m, "heads=3", &settings));
    assert_fails(ctx, m->supports(ctx, m, &problem, &settings), NIGH_UNSUPPORTED, "3 heads do not divide a width of 16");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "batch=1", &settings), NIGH_INVALID, "batch of latent-spectral-models is 1; 2 to 4096 is allowed");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns), cmocka_unit_test(test_same_bits), cmocka_unit_test(test_export), cmocka_unit_test(test_constant_and_nan), cmocka_unit_test(test_grids),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
