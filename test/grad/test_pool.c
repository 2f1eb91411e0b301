/* Pooling and halos on the tape: derivatives, and small cases by hand. */
#include "derivatives.h"

#include "nigh/operators_fields.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct form {
    bool maximum;
    nigh_pool how;
} form;

static nigh_node pooled(nigh_tape *t, const nigh_node *x, void *user)
{
    const form *f = user;
    return nigh_tape_square(t, f->maximum ? nigh_tape_max_pool(t, x[0], &f->how) : nigh_tape_average_pool(t, x[0], &f->how));
}

static void test_pools(void **state)
{
    static const nigh_pool how[] = {{.window = {2, 2}}, {.window = {3, 2}, .stride = {2, 1}, .low = {1, 0}, .high = {1, 1}},
                                    {.window = {3, 3}, .stride = {1, 1}, .low = {1, 1}, .high = {1, 1}, .count_padding = true}};
    /* wide ranges: differences should not change which element is the largest */
    derivatives_input field = {.ndim = 4, .dim = {2, 6, 4, 3}, .low = -30, .high = 30}, line = {.ndim = 3, .dim = {2, 7, 3}, .low = -30, .high = 30};
    derivatives_input space = {.ndim = 5, .dim = {1, 4, 4, 3, 2}, .low = -30, .high = 30};
    for (int maximum = 0; maximum < 2; maximum++)
        for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
            form f = {maximum, how[i]};
            check_derivatives("field", pooled, &f, 1, &field, 3, 1e-7, 0);
            check_derivatives("line", pooled, &f, 1, &line, 2, 1e-7, 0);
            check_derivatives("space", pooled, &f, 1, &space, 2, 1e-7, 0);
        }
}

static nigh_node averaged(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_square(t, nigh_tape_global_average(t, x[0])); }

static void test_global(void **state)
{
    derivatives_input field = {.ndim = 4, .dim = {2, 3, 4, 3}};
    check_derivatives("global", averaged, NULL, 1, &field, 2, 1e-7, 0);
}

static nigh_node haloed(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_padding padding = *(nigh_padding *)user;
    return nigh_tape_square(t, nigh_tape_halo(t, x[0], padding, (int64_t[]){0, 2, 1, 0}, (int64_t[]){0, 1, 2, 0}));
}

static void test_halos(void **state)
{
    derivatives_input field = {.ndim = 4, .dim = {2, 3, 4, 2}};
    for (nigh_padding p = NIGH_PAD_ZERO; p <= NIGH_PAD_REFLECT; p++) check_derivatives("halo", haloed, &p, 1, &field, 3, 1e-7, 0);
}

/* 0 1 2 / 3 4 5 / 6 7 8: window 2, stride 1. */
static void test_by_hand(void **state)
{
    float x[9], *largest, *mean, *wrapped;
    for (int i = 0; i < 9; i++) x[i] = (float)i;
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node in = nigh_tape_input(t, "x", NIGH_F32, 4, (int64_t[]){1, 3, 3, 1});
    nigh_pool how = {.window = {2, 2}, .stride = {1, 1}};
    nigh_node out[4] = {nigh_tape_max_pool(t, in, &how), nigh_tape_average_pool(t, in, &how),
                        nigh_tape_halo(t, in, NIGH_PAD_CIRCULAR, (int64_t[]){0, 0, 1, 0}, (int64_t[]){0, 0, 1, 0})};
    assert_int_equal(nigh_tape_gradient(t, out[0], NIGH_NONE, 1, &in, &out[3]), NIGH_OK);
    assert_int_equal(nigh_executor_new(ctx, t, 4, out, &run), NIGH_OK);
    assert_int_equal(nigh_executor_bind(run, in, x), NIGH_OK);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    largest = nigh_executor_data(run, out[0]), mean = nigh_executor_data(run, out[1]), wrapped = nigh_executor_data(run, out[2]);
    assert_true(largest[0] == 4 && largest[1] == 5 && largest[2] == 7 && largest[3] == 8);
    assert_true(mean[0] == 2 && mean[1] == 3 && mean[2] == 5 && mean[3] == 6);
    assert_true(wrapped[0] == 2 && wrapped[1] == 0 && wrapped[4] == 0 && wrapped[5] == 5);
    const float *g = nigh_executor_data(run, out[3]);
    for (int i = 0; i < 9; i++) assert_true(g[i] == (i == 4 || i == 5 || i == 7 || i == 8));
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (int i = 0; i < 4; i++) {
        nigh_tape *t;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node x = nigh_tape_input(t, "x", NIGH_F32, 4, (int64_t[]){1, 3, 3, 1}), n = nigh_tape_input(t, "n", NIGH_I32, 4, (int64_t[]){1, 3, 3, 1}), y = NIGH_NONE;
        if (i == 0) y = nigh_tape_max_pool(t, x, &(nigh_pool){.window = {4, 4}});
        if (i == 1) y = nigh_tape_average_pool(t, n, &(nigh_pool){.window = {2, 2}});
        if (i == 2) y = nigh_tape_halo(t, x, NIGH_PAD_REFLECT, (int64_t[]){0, 3, 0, 0}, (int64_t[]){0, 0, 0, 0});
        if (i == 3) y = nigh_tape_halo(t, n, NIGH_PAD_CIRCULAR, (int64_t[]){0, 1, 0, 0}, (int64_t[]){0, 0, 0, 0});
        assert_int_equal(y, NIGH_NONE);
        assert_int_not_equal(nigh_tape_status(t), NIGH_OK);
        assert_non_null(strchr(nigh_message(ctx), '['));
        nigh_tape_free(t);
    }
    nigh_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pools), cmocka_unit_test(test_global), cmocka_unit_test(test_halos),
                                       cmocka_unit_test(test_by_hand), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
