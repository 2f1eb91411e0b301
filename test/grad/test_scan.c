/* Recurrences on the tape: derivatives, plain loops as references, the gated recurrent unit, truncation. */
#include "derivatives.h"

#include "nigh/operators_sequences.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static nigh_node gated(nigh_tape *t, const nigh_node *x, void *user)
{
    return nigh_tape_square(t, nigh_tape_gated_scan(t, x[0], x[1], *(bool *)user ? x[2] : NIGH_NONE));
}

static nigh_node delta(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_square(t, nigh_tape_delta_rule(t, x[0], x[1], x[2], x[3])); }
static nigh_node ssm(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_square(t, nigh_tape_s4d(t, x[0], x[1], x[2], x[3], x[4], *(bool *)user)); }

static void test_derivatives(void **state)
{
    derivatives_input g[3] = {{.ndim = 3, .dim = {2, 5, 3}}, {.ndim = 3, .dim = {2, 5, 3}}, {.ndim = 2, .dim = {2, 3}}}, one[3] = {g[0], g[1], g[2]};
    for (int i = 0; i < 2; i++) one[i].dim[1] = 1;
    bool first = false;
    check_derivatives("gated", gated, &first, 2, g, 3, 1e-6, 0);
    first = true;
    check_derivatives("gated with state", gated, &first, 3, g, 3, 1e-6, 0);
    check_derivatives("one step", gated, &first, 3, one, 2, 1e-6, 0);
    derivatives_input d[4] = {{.ndim = 4, .dim = {2, 7, 2, 3}}, {.ndim = 4, .dim = {2, 7, 2, 3}}, {.ndim = 4, .dim = {2, 7, 2, 5}}, {.ndim = 3, .dim = {2, 7, 2}, .low = 0, .high = 1.5}};
    check_derivatives("delta rule", delta, NULL, 4, d, 1, 1e-6, 0);
    derivatives_input s[5] = {{.ndim = 3, .dim = {2, 9, 3}}, {.ndim = 2, .dim = {3, 4}, .low = -2, .high = -0.5, .complex = true}, {.ndim = 2, .dim = {3, 4}, .complex = true},
                              {.ndim = 2, .dim = {3, 4}, .complex = true}, {.ndim = 1, .dim = {3}, .low = 0.1, .high = 0.3}};
    for (int recur = 0; recur < 2; recur++) {
        bool way = recur;
        check_derivatives("s4d", ssm, &way, 5, s, 1, 1e-6, 1e-3);
    }
}

static nigh_node unit(nigh_tape *t, const nigh_node *x, void *user)
{
    return nigh_tape_square(t, nigh_tape_gru(t, x[0], x[1], &(nigh_gru){x[2], x[3], x[4], x[5]}, 0, NULL));
}

static void test_gru_derivatives(void **state)
{
    derivatives_input in[6] = {{.ndim = 3, .dim = {2, 5, 3}}, {.ndim = 2, .dim = {2, 4}}, {.ndim = 2, .dim = {3, 12}}, {.ndim = 2, .dim = {4, 12}},
                               {.ndim = 1, .dim = {12}}, {.ndim = 1, .dim = {12}}};
    check_derivatives("gru", unit, NULL, 6, in, 2, 1e-6, 0);
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* One unit, one number: by hand; a cell alone is the same step. */
static void test_gru_by_hand(void **state)
{
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    double x[3] = {0.5, -1, 2}, wx[3] = {0.3, -0.2, 0.7}, wh[3] = {0.1, 0.4, -0.6}, bx[3] = {0.05, -0.1, 0.2}, bh[3] = {-0.3, 0.15, 0.25}, h = 0;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node in = nigh_tape_input(t, "x", NIGH_F64, 3, (int64_t[]){1, 3, 1}), last, cell;
    nigh_gru gru = {nigh_tape_constant(t, NIGH_F64, 2, (int64_t[]){1, 3}, wx), nigh_tape_constant(t, NIGH_F64, 2, (int64_t[]){1, 3}, wh),
                    nigh_tape_constant(t, NIGH_F64, 1, (int64_t[]){3}, bx), nigh_tape_constant(t, NIGH_F64, 1, (int64_t[]){3}, bh)};
    nigh_node all = nigh_tape_gru(t, in, NIGH_NONE, &gru, 0, &last);
    cell = nigh_tape_gru_cell(t, nigh_tape_reshape(t, nigh_tape_slice(t, in, 1, 0, 1, 1), 2, (int64_t[]){1, 1}), nigh_tape_fill(t, NIGH_F64, 2, (int64_t[]){1, 1}, 0), &gru);
    assert_int_equal(nigh_executor_new(ctx, t, 3, (nigh_node[]){all, last, cell}, &run), NIGH_OK);
    assert_int_equal(nigh_executor_bind(run, in, x), NIGH_OK);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    const double *y = nigh_executor_data(run, all);
    for (int i = 0; i < 3; i++) {
        double r = sigmoid(x[i] * wx[0] + bx[0] + h * wh[0] + bh[0]), z = sigmoid(x[i] * wx[1] + bx[1] + h * wh[1] + bh[1]);
        double n = tanh(x[i] * wx[2] + bx[2] + r * (h * wh[2] + bh[2]));
        h = (1 - z) * n + z * h;
        assert_true(fabs(y[i] - h) < 1e-14);
    }
    assert_true(*(double *)nigh_executor_data(run, last) == y[2] && fabs(*(double *)nigh_executor_data(run, cell) - y[0]) < 1e-15);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static nigh_node decay(void *user, nigh_tape *t, nigh_node x, nigh_node h) { return nigh_tape_add(t, nigh_tape_scale(t, h, 0.5), x); }

/* h[t] = h[t-1] / 2 + x[t]: the gradient of the last state by x[t] is 2^-(T-1-t), and 0 where it was cut. */
static void test_truncation(void **state)
{
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (int truncate = 0; truncate < 8; truncate += 3) {
        nigh_tape *t;
        nigh_executor *run;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node x = nigh_tape_input(t, "x", NIGH_F64, 3, (int64_t[]){1, 7, 1}), zero = nigh_tape_fill(t, NIGH_F64, 2, (int64_t[]){1, 1}, 0), last, g;
        nigh_node all = nigh_tape_unroll(t, x, zero, decay, NULL, truncate, &last);
        assert_int_not_equal(all, NIGH_NONE);
        assert_int_equal(nigh_tape_gradient(t, last, NIGH_NONE, 1, &x, &g), NIGH_OK);
        assert_int_equal(nigh_executor_new(ctx, t, 1, &g, &run), NIGH_OK);
        if (nigh_executor_has(run, x)) memset(nigh_executor_data(run, x), 0, 7 * sizeof(double));
        assert_int_equal(nigh_executor_run(run), NIGH_OK);
        const double *v = nigh_executor_data(run, g);
        for (int i = 0; i < 7; i++) assert_true(v[i] == (truncate && i < 6 / truncate * truncate ? 0 : exp2(i - 6)));
        nigh_executor_free(run);
        nigh_tape_free(t);
    }
    nigh_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (int i = 0; i < 6; i++) {
        nigh_tape *t;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node a = nigh_tape_input(t, "a", NIGH_F32, 3, (int64_t[]){2, 5, 3}), b = nigh_tape_input(t, "b", NIGH_F32, 3, (int64_t[]){2, 4, 3}), y = NIGH_NONE;
        nigh_node s = nigh_tape_input(t, "s", NIGH_F32, 2, (int64_t[]){3, 2});
        if (i == 0) y = nigh_tape_gated_scan(t, a, b, NIGH_NONE);
        if (i == 1) y = nigh_tape_gated_scan(t, a, a, s);
        if (i == 2) y = nigh_tape_delta_rule(t, a, a, a, a);
        if (i == 3) y = nigh_tape_s4d(t, a, s, s, s, s, false);
        if (i == 4) y = nigh_tape_gru(t, a, NIGH_NONE, &(nigh_gru){s, s, NIGH_NONE, NIGH_NONE}, 0, NULL);
        if (i == 5) y = nigh_tape_unroll(t, a, s, decay, NULL, -1, NULL);
        assert_int_equal(y, NIGH_NONE);
        assert_int_equal(nigh_tape_status(t), NIGH_INVALID);
        nigh_tape_free(t);
    }
    nigh_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_gru_derivatives), cmocka_unit_test(test_gru_by_hand),
                                       cmocka_unit_test(test_truncation), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
