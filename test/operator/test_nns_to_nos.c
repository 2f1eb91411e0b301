/* nns-to-nos as a method: its three networks learn, the same bits in every way to get there, plans in files and as C, answers on other grids by the rewrite, what it refuses. */
#include "support.h"

#define FIELD_METHOD nigh_method_nns_to_nos
#include "field_sets.h"
#include "field_export.h"

#include "nigh/discretise.h"
#include "nigh/fields.h"
#include "nigh/regress.h"
#include "operator/methods.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const small[] = {"network=conv,width=8,depth=2,epochs=30,batch=8,rate=0.02,boundary=periodic,grid=periodic", "network=fno,width=8,modes=6,depth=2,epochs=30,batch=8,rate=0.02,grid=periodic",
                                    "network=attention,width=8,depth=1,patch=2,epochs=40,batch=8,rate=0.02,boundary=periodic,grid=periodic"};
static const double reached[] = {0.05, 0.03, 0.08};
enum { NETWORKS = 3 };

static void test_learns(void **state)
{
    nigh_context *ctx = test_context_new();
    static const int64_t cases[][4] = {{16, 0, 2, 1}, {8, 10, 1, 2}};
    for (int i = 0; i < NETWORKS + 1; i++) {
        const int64_t *c = cases[i == NETWORKS];
        set s = set_new(ctx, c[0], c[1], c[2], c[3]);
        nigh_plan *plan = finish(ctx, start(ctx, &s, small[i % NETWORKS]), 7);
        double error = error_of(ctx, plan, &s);
        if (!(error < reached[i % NETWORKS])) fail_msg("case %d: error %g", i, error);
        nigh_plan_free(ctx, plan);
        set_free(ctx, &s);
    }
    test_context_free(ctx);
}

static void assert_same(nigh_context *ctx, const nigh_plan *a, const nigh_plan *b, const set *s)
{
    size_t bytes = (size_t)(ROWS * nigh_shape_count(&a->out)) * sizeof(double);
    double *x = malloc(bytes), *y = malloc(bytes);
    assert_ok(ctx, apply(ctx, a, ROWS, s->x, x));
    assert_ok(ctx, apply(ctx, b, ROWS, s->x, y));
    assert_memory_equal(x, y, bytes);
    free(x), free(y);
}

/* However the steps are cut, and also when the fit is written down and read again between. */
static void test_cuts(void **state)
{
    nigh_context *ctx = test_context_new();
    set s = set_new(ctx, 8, 8, 1, 1);
    const char *text = "network=conv,width=4,depth=2,epochs=4,batch=6";
    nigh_settings settings = nigh_settings_default(&nigh_method_nns_to_nos);
    nigh_plan *whole = finish(ctx, start(ctx, &s, text), 1000), *cut = finish(ctx, start(ctx, &s, text), 3);
    assert_same(ctx, whole, cut, &s);
    nigh_buffer bytes = {.ctx = ctx};
    nigh_progress_point point;
    void *fit = start(ctx, &s, text), *again = NULL;
    assert_ok(ctx, nigh_method_nns_to_nos.advance(ctx, fit, 11, &point));
    assert_ok(ctx, nigh_method_nns_to_nos.checkpoint(ctx, fit, &bytes));
    nigh_method_nns_to_nos.abandon(ctx, fit);
    assert_ok(ctx, nigh_settings_parse(ctx, &nigh_method_nns_to_nos, text, &settings));
    assert_ok(ctx, nigh_method_nns_to_nos.restore(ctx, &nigh_method_nns_to_nos, s.problem, &(nigh_samples){.n = ROWS, .in = s.x, .out = s.y}, &settings, bytes.data, bytes.size, &again));
    nigh_plan *resumed = finish(ctx, again, 5);
    assert_same(ctx, whole, resumed, &s);
    nigh_buffer_free(&bytes);
    nigh_plan_free(ctx, whole), nigh_plan_free(ctx, cut), nigh_plan_free(ctx, resumed);
    set_free(ctx, &s);
    test_context_free(ctx);
}

static void test_file(void **state)
{
    nigh_context *ctx = test_context_new();
    set s = set_new(ctx, 9, 8, 1, 1);
    nigh_plan *plan = finish(ctx, start(ctx, &s, "network=conv,width=4,depth=2,epochs=1"), 100), *loaded = NULL;
    nigh_buffer bytes = {.ctx = ctx};
    assert_ok(ctx, nigh_plan_format(ctx, plan, &bytes));
    assert_ok(ctx, nigh_plan_parse(ctx, bytes.data, bytes.size, "memory", &loaded));
    assert_same(ctx, plan, loaded, &s);
    nigh_buffer_free(&bytes);
    nigh_plan_free(ctx, plan), nigh_plan_free(ctx, loaded);
    set_free(ctx, &s);
    test_context_free(ctx);
}

/* ---- as C --------------------------------------------------------------------------------------------- */

static void test_export(void **state)
{
    nigh_context *ctx = test_context_new();
    static const int64_t cases[][4] = {{20, 0, 1, 1}, {12, 0, 2, 3}, {8, 12, 1, 1}};
    static const char *const settings[] = {"network=conv,width=8,depth=3,epochs=2,norm=batch", "network=attention,width=16,depth=1,patch=4,epochs=2,boundary=periodic",
                                           "network=fno,width=16,modes=6,depth=3,epochs=2"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set s = set_new(ctx, cases[i][0], cases[i][1], cases[i][2], cases[i][3]);
        nigh_plan *plan = finish(ctx, start(ctx, &s, settings[i]), 100);
        check_exported_plan(ctx, plan, "cc -std=c99 -O1", 3, s.x, 1e-4, 0 /* fields of size 10 in f32 */);
        nigh_plan_free(ctx, plan);
        set_free(ctx, &s);
    }
    test_context_free(ctx);
}

/* ---- grids -------------------------------------------------------------------------------------------- */

/* Fields of two waves are the same functions on any grid: answers on three times as many points agree at shared ones, and are the rewritten network's. */
static void test_grids(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < NETWORKS; i++) {
        set s = set_new(ctx, 16, 0, 1, 1), fine = set_new(ctx, 48, 0, 1, 1);
        nigh_plan *plan = finish(ctx, start(ctx, &s, small[i]), 1000);
        double a[16 * 2], b[16 * 2], far[48 * 2];
        int dims;
        int64_t in, out;
        assert_ok(ctx, nigh_fields_shape(ctx, plan, &dims, &in, &out));
        assert_int_equal(dims, 1), assert_int_equal(in, 1), assert_int_equal(out, 1);
        assert_ok(ctx, apply(ctx, plan, 2, s.x, a));
        assert_ok(ctx, nigh_fields_apply(ctx, plan, (int64_t[]){16}, 2, s.x, b));
        for (int k = 0; k < 32; k++) assert_near(b[k], a[k], 1e-6, 1e-6);
        assert_ok(ctx, nigh_fields_apply(ctx, plan, (int64_t[]){48}, 2, fine.x, far));
        double most = 0;
        for (int k = 0; k < 32; k++) most = fmax(most, fabs(far[3 * k] - a[k]));
        if (!(most < 0.3)) fail_msg("network %d: answers on the finer grid differ by %g", i, most);
        assert_fails(ctx, nigh_fields_apply(ctx, plan, (int64_t[]){1}, 2, fine.x, far), NIGH_INVALID, "dimension 0 of the grid is 1");
        if (i == 1) assert_fails(ctx, nigh_fields_apply(ctx, plan, (int64_t[]){5}, 2, fine.x, far), NIGH_UNSUPPORTED, "Fourier modes need 6 points");
        nigh_plan_free(ctx, plan);
        set_free(ctx, &fine), set_free(ctx, &s);
    }
    test_context_free(ctx);
}

/* ---- bad input ---------------------------------------------------------------------------------------- */

static nigh_status supports(nigh_context *ctx, nigh_shape in, nigh_shape out)
{
    nigh_settings settings = nigh_settings_default(&nigh_method_nns_to_nos);
    nigh_problem problem = {.size = sizeof problem, .in = in, .out = out, .measure = nigh_measure_find("relative-l2")};
    return nigh_method_nns_to_nos.supports(ctx, &nigh_method_nns_to_nos, &problem, &settings);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    assert_fails(ctx, supports(ctx, (nigh_shape){NIGH_F64, 1, {16}}, (nigh_shape){NIGH_F64, 1, {3}}), NIGH_UNSUPPORTED, "no field");
    assert_fails(ctx, supports(ctx, (nigh_shape){NIGH_F64, 1, {4}}, (nigh_shape){NIGH_F64, 1, {4}}), NIGH_UNSUPPORTED, "4 points in dimension 0");
    assert_fails(ctx, supports(ctx, (nigh_shape){NIGH_F64, 0, {0}}, (nigh_shape){NIGH_F64, 0, {0}}), NIGH_UNSUPPORTED, "no field");
    assert_fails(ctx, supports(ctx, (nigh_shape){NIGH_F32, 1, {16}}, (nigh_shape){NIGH_F64, 1, {16}}), NIGH_UNSUPPORTED, "f32");
    assert_fails(ctx, supports(ctx, (nigh_shape){NIGH_F64, 2, {16, 8}}, (nigh_shape){NIGH_F64, 2, {16, 9}}), NIGH_UNSUPPORTED, "no field");
    assert_fails(ctx, supports(ctx, (nigh_shape){NIGH_F64, 4, {8, 8, 8, 1}}, (nigh_shape){NIGH_F64, 4, {8, 8, 8, 1}}), NIGH_UNSUPPORTED, "no field");
    static const struct { const char *settings, *why; } wrong[] = {
        {"network=conv,depth=8", "2 to 6 scales"}, {"network=conv,depth=5", "5 scales need 32"}, {"network=attention,patch=5", "no multiple of patches of 5"},
        {"kernel=fourier,grid=cell", "rings at the edges"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        nigh_settings changed = nigh_settings_default(&nigh_method_nns_to_nos);
        nigh_shape shape = {NIGH_F64, 2, {16, 16}};
        nigh_problem square = {.size = sizeof square, .in = shape, .out = shape, .measure = nigh_measure_find("relative-l2")};
        assert_ok(ctx, nigh_settings_parse(ctx, &nigh_method_nns_to_nos, wrong[i].settings, &changed));
        assert_fails(ctx, nigh_method_nns_to_nos.supports(ctx, &nigh_method_nns_to_nos, &square, &changed), NIGH_UNSUPPORTED, wrong[i].why);
    }
    assert_ok(ctx, supports(ctx, (nigh_shape){NIGH_F64, 2, {16, 2}}, (nigh_shape){NIGH_F64, 1, {16}}));
    assert_ok(ctx, supports(ctx, (nigh_shape){NIGH_F64, 3, {16, 19, 2}}, (nigh_shape){NIGH_F64, 2, {16, 19}}));
    set s = set_new(ctx, 16, 0, 1, 1);
    nigh_settings settings = nigh_settings_default(&nigh_method_nns_to_nos);
    nigh_plan *plan = NULL;
    void *fit = NULL;
    assert_fails(ctx, nigh_method_nns_to_nos.start(ctx, &nigh_method_nns_to_nos, s.problem, &(nigh_samples){.n = 5, .in = s.x, .out = s.y}, &settings, &fit), NIGH_UNSUPPORTED, "5 samples");
    s.x[7] = NAN;
    assert_fails(ctx, nigh_method_nns_to_nos.start(ctx, &nigh_method_nns_to_nos, s.problem, &(nigh_samples){.n = ROWS, .in = s.x, .out = s.y}, &settings, &fit), NIGH_INVALID, "row 0 of the inputs");
    s.x[7] = 1;
    fit = start(ctx, &s, "network=conv,width=4,depth=2");
    assert_fails(ctx, nigh_method_nns_to_nos.finish(ctx, fit, &plan), NIGH_INVALID, "not fitted yet");
    nigh_method_nns_to_nos.abandon(ctx, fit);
    set_free(ctx, &s);
    test_context_free(ctx);
}

static nigh_status everything(nigh_context *ctx, const set *s)
{
    nigh_settings settings = nigh_settings_default(&nigh_method_nns_to_nos);
    nigh_progress_point point;
    nigh_plan *plan = NULL, *loaded = NULL;
    nigh_buffer text = {.ctx = ctx}, bytes = {.ctx = ctx};
    void *fit = NULL;
    double out[16];
    nigh_status status = nigh_settings_parse(ctx, &nigh_method_nns_to_nos, "network=fno,width=4,modes=2,depth=1,epochs=1", &settings);
    if (!status) status = nigh_method_nns_to_nos.start(ctx, &nigh_method_nns_to_nos, s->problem, &(nigh_samples){.n = ROWS, .in = s->x, .out = s->y}, &settings, &fit);
    if (!status) status = nigh_method_nns_to_nos.advance(ctx, fit, 1, &point);
    if (!status) status = nigh_method_nns_to_nos.finish(ctx, fit, &plan);
    if (!status) status = plan->ops->export_c(ctx, plan, "model", &text);
    if (!status) status = nigh_plan_format(ctx, plan, &bytes);
    if (!status) status = nigh_plan_parse(ctx, bytes.data, bytes.size, "memory", &loaded);
    if (!status) status = nigh_fields_apply(ctx, plan, (int64_t[]){12}, 1, s->x, out);
    nigh_method_nns_to_nos.abandon(ctx, fit);
    nigh_plan_free(ctx, plan), nigh_plan_free(ctx, loaded);
    nigh_buffer_free(&text), nigh_buffer_free(&bytes);
    return status;
}

static void test_out_of_memory(void **state)
{
    nigh_context *full = test_context_new();
    set s = set_new(full, 16, 0, 1, 1);
    nigh_status status = NIGH_MEMORY;
    for (long at = 2, step = 1; status; at += step, step += at % 7 == 0) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        status = everything(ctx, &s);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        test_context_free(ctx);
    }
    set_free(full, &s);
    test_context_free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_learns), cmocka_unit_test(test_cuts),    cmocka_unit_test(test_file),         cmocka_unit_test(test_export),
                                       cmocka_unit_test(test_grids),  cmocka_unit_test(test_refused), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
