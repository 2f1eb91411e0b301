/* Resampling on the tape: derivatives, constants and straight lines are kept. */
#include "derivatives.h"

#include "nigh/operators_fields.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct form {
    int64_t size[3];
    bool linear, align;
} form;

static nigh_node resampled(nigh_tape *t, const nigh_node *x, void *user)
{
    const form *f = user;
    return nigh_tape_square(t, nigh_tape_resample(t, x[0], f->size, f->linear, f->align));
}

static void test_derivatives(void **state)
{
    static const int64_t sizes[][3] = {{8, 10, 4}, {3, 2, 2}, {7, 5, 3}};
    derivatives_input field = {.ndim = 4, .dim = {2, 4, 5, 3}}, line = {.ndim = 3, .dim = {2, 5, 3}}, space = {.ndim = 5, .dim = {1, 3, 4, 2, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int way = 0; way < 4; way++) {
            form f = {.linear = way & 1, .align = way >> 1};
            memcpy(f.size, sizes[i], sizeof f.size);
            check_derivatives("field", resampled, &f, 1, &field, 3, 1e-7, 0);
            check_derivatives("line", resampled, &f, 1, &line, 2, 1e-7, 0);
            check_derivatives("space", resampled, &f, 1, &space, 2, 1e-7, 0);
        }
}

/* The values of 1 + 2 i at the nodes of a finer grid with the same ends. */
static void test_lines(void **state)
{
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    double x[4] = {1, 3, 5, 7};
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node in = nigh_tape_input(t, "x", NIGH_F64, 3, (int64_t[]){1, 4, 1}), out = nigh_tape_resample(t, in, (int64_t[]){7}, true, true);
    nigh_node twice = nigh_tape_resample(t, in, (int64_t[]){8}, false, false);
    assert_int_equal(nigh_executor_new(ctx, t, 2, (nigh_node[]){out, twice}, &run), NIGH_OK);
    assert_int_equal(nigh_executor_bind(run, in, x), NIGH_OK);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    const double *y = nigh_executor_data(run, out), *z = nigh_executor_data(run, twice);
    for (int i = 0; i < 7; i++) assert_true(fabs(y[i] - (1 + i)) < 1e-14);
    for (int i = 0; i < 8; i++) assert_true(z[i] == x[i / 2]);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx;
    nigh_tape *t;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node x = nigh_tape_input(t, "x", NIGH_F32, 4, (int64_t[]){1, 3, 3, 1});
    assert_int_equal(nigh_tape_resample(t, x, (int64_t[]){3, 3}, true, false), x);
    assert_int_equal(nigh_tape_resample(t, x, (int64_t[]){0, 3}, true, false), NIGH_NONE);
    assert_int_equal(nigh_tape_status(t), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "[1,3,3,1]"));
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_lines), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
