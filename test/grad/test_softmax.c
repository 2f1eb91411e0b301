/* Softmax and cross-entropies: identities, derivatives to the second order, what is left out, misuse. */
#include "derivatives.h"
#include "tape_fixture.h"

#include "nigh/operators_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static nigh_node targets(nigh_tape *t, nigh_dtype dtype)
{
    static const int32_t small[6] = {2, 0, -1, 4, 1, 7};
    static const int64_t large[6] = {2, 0, -1, 4, 1, (int64_t)1 << 32};
    return nigh_tape_constant(t, dtype, 2, (int64_t[]){2, 3}, dtype == NIGH_I32 ? (const void *)small : large);
}

static nigh_node softmax_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_softmax(t, x[0], *(int *)user); }
static nigh_node log_softmax_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_log_softmax(t, x[0], *(int *)user); }
static nigh_node rows_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_cross_entropy_rows(t, x[0], targets(t, NIGH_I32), *(double *)user); }
static nigh_node mean_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_cross_entropy(t, x[0], targets(t, NIGH_I64), NIGH_NONE, 4, *(double *)user); }
static nigh_node soft_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_cross_entropy_soft(t, x[0], x[1]); }
static nigh_node focal_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_focal(t, x[0], targets(t, NIGH_I32), *(double *)user); }
static nigh_node product_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    return nigh_tape_cross_entropy(t, nigh_tape_matmul(t, nigh_tape_tanh(t, x[0]), x[1], 0), targets(t, NIGH_I32), NIGH_NONE, -100, 0);
}

static void test_derivatives(void **state)
{
    derivatives_input x = {.ndim = 3, .dim = {2, 3, 5}}, cube = {.ndim = 3, .dim = {3, 4, 5}};
    for (int axis = -3; axis < 0; axis++) {
        check_derivatives("softmax", softmax_fn, &axis, 1, &cube, 3, 1e-7, 0);
        check_derivatives("log-softmax", log_softmax_fn, &axis, 1, &cube, 3, 1e-7, 0);
    }
    for (int i = 0; i < 2; i++) {
        double smoothing = 0.1 * i, gamma = 2 * i + 0.5;
        check_derivatives("cross-entropy of rows", rows_fn, &smoothing, 1, &x, 3, 1e-7, 0);
        check_derivatives("cross-entropy", mean_fn, &smoothing, 1, &x, 2, 1e-7, 0);
        check_derivatives("focal", focal_fn, &gamma, 1, &x, 2, 1e-7, 0);
    }
    derivatives_input soft[2] = {{.ndim = 2, .dim = {4, 6}}, {.ndim = 2, .dim = {4, 6}, .low = 0.1, .high = 1}};
    derivatives_input product[2] = {{.ndim = 3, .dim = {2, 3, 4}}, {.ndim = 2, .dim = {4, 5}}};
    check_derivatives("soft cross-entropy", soft_fn, NULL, 2, soft, 2, 1e-7, 0);
    check_derivatives("cross-entropy of a product", product_fn, NULL, 2, product, 3, 1e-7, 0);
}

/* Values by hand; rows without a target give 0 and their gradient is 0; weights; the sum of a row's softmax gradient is 0. */
static void test_values(void **state)
{
    fixture f;
    begin(&f, 1);
    static const double at[2][3][5] = {{{1, 2, 3, 4, 5}, {0, 0, 0, 0, 0}, {9, 9, 9, 9, 9}}, {{1000, 0, 0, 0, 1000}, {-1, 1, 0, 0, 0}, {1, 2, 3, 2, 1}}};
    static const double weights[2][3] = {{1, 2, 5}, {0.5, 1, 5}};
    nigh_node x = nigh_tape_constant(f.t, NIGH_F64, 3, (int64_t[]){2, 3, 5}, at), w = nigh_tape_constant(f.t, NIGH_F64, 2, (int64_t[]){2, 3}, weights), g;
    nigh_node rows = nigh_tape_cross_entropy_rows(f.t, x, targets(f.t, NIGH_I64), 0), mean = nigh_tape_cross_entropy(f.t, x, targets(f.t, NIGH_I32), w, -1, 0);
    nigh_node none = nigh_tape_cross_entropy(f.t, x, nigh_tape_fill(f.t, NIGH_I32, 2, (int64_t[]){2, 3}, -7), NIGH_NONE, -1, 0.1);
    assert_int_equal(nigh_tape_gradient(f.t, mean, NIGH_NONE, 1, &x, &g), NIGH_OK);
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 4, (nigh_node[]){rows, mean, none, g}, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const double *r = nigh_executor_data(f.run, rows), *d = nigh_executor_data(f.run, g);
    double lse[6], expect[6] = {0}, total = 0, sum = 0;
    const int target[6] = {2, 0, -1, 4, 1, -1};
    for (int i = 0; i < 6; i++) {
        double top = at[i / 3][i % 3][0], z = 0;
        for (int j = 0; j < 5; j++) top = fmax(top, at[i / 3][i % 3][j]);
        for (int j = 0; j < 5; j++) z += exp(at[i / 3][i % 3][j] - top);
        lse[i] = top + log(z);
        if (target[i] >= 0) expect[i] = lse[i] - at[i / 3][i % 3][target[i]], total += expect[i] * weights[i / 3][i % 3], sum += weights[i / 3][i % 3];
        assert_true(fabs(r[i] - expect[i]) < 1e-12);
    }
    assert_true(fabs(*(double *)nigh_executor_data(f.run, mean) - total / sum) < 1e-12 && *(double *)nigh_executor_data(f.run, none) == 0);
    for (int i = 0; i < 6; i++) {
        double line = 0;
        for (int j = 0; j < 5; j++) {
            double p = target[i] < 0 ? 0 : (exp(at[i / 3][i % 3][j] - lse[i]) - (target[i] == j)) * weights[i / 3][i % 3] / sum;
            assert_true(fabs(d[i * 5 + j] - p) < 1e-14);
            line += d[i * 5 + j];
        }
        assert_true(fabs(line) < 1e-14);
    }
    end(&f);
}

/* Large enough for threads: the same bits as on one, rows sum to 1, log softmax is its logarithm. */
static void test_threads(void **state)
{
    enum { R = 700, C = 301 };
    float *at = malloc(R * C * sizeof *at), *first = malloc(R * C * sizeof *first);
    for (int i = 0; i < R * C; i++) at[i] = (float)((i * 7919) % 1013) * 0.02f - 9;
    for (int threads = 1; threads < 4; threads++) {
        fixture f;
        begin(&f, threads);
        nigh_node x = nigh_tape_input(f.t, "x", NIGH_F32, 2, (int64_t[]){R, C}), y = nigh_tape_softmax(f.t, x, 1), l = nigh_tape_log_softmax(f.t, x, 1), g;
        assert_int_equal(nigh_tape_gradient(f.t, y, x, 1, &x, &g), NIGH_OK);
        assert_int_equal(nigh_executor_new(f.ctx, f.t, 3, (nigh_node[]){y, l, g}, &f.run), NIGH_OK);
        nigh_executor_bind(f.run, x, at);
        assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
        const float *p = nigh_executor_data(f.run, y), *q = nigh_executor_data(f.run, l), *d = nigh_executor_data(f.run, g);
        for (int r = 0; r < R; r++) {
            double sum = 0;
            for (int c = 0; c < C; c++) {
                int i = r * C + c;
                sum += p[i];
                assert_true(fabs(exp(q[i]) - p[i]) <= 2e-6 * p[i] + 1e-12);
                if (threads == 1) first[i] = d[i];
                else assert_true(first[i] == d[i]);
            }
            assert_true(fabs(sum - 1) < 1e-5);
        }
        end(&f);
    }
    free(at);
    free(first);
}

static void expect_message(nigh_node (*record)(nigh_tape *, nigh_node, nigh_node), const char *words)
{
    fixture f;
    begin(&f, 1);
    nigh_node a = nigh_tape_input(f.t, "a", NIGH_F32, 2, (int64_t[]){3, 4}), b = nigh_tape_input(f.t, "b", NIGH_I32, 1, (int64_t[]){5});
    assert_int_equal(record(f.t, a, b), NIGH_NONE);
    assert_string_equal(nigh_message(f.ctx), words);
    end(&f);
}

static nigh_node wrong_axis(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_softmax(t, a, 2); }
static nigh_node wrong_type(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_softmax(t, b, 0); }
static nigh_node wrong_target(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_cross_entropy(t, a, b, NIGH_NONE, -1, 0); }
static nigh_node wrong_weight(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_cross_entropy(t, a, nigh_tape_fill(t, NIGH_I32, 1, (int64_t[]){3}, 0), b, -1, 0); }
static nigh_node wrong_smoothing(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_cross_entropy_rows(t, a, nigh_tape_fill(t, NIGH_I32, 1, (int64_t[]){3}, 0), 1); }

static void test_misuse(void **state)
{
    expect_message(wrong_axis, "softmax: axis 2 of an array of 2 dimensions");
    expect_message(wrong_type, "softmax: x is [5] i32; f32 or f64 of 1 or more dimensions is needed");
    expect_message(wrong_target, "cross-entropy: x is [3,4] f32, the targets are [5] i32; x [..., n] and targets [...] of i32 or i64 are needed");
    expect_message(wrong_weight, "cross-entropy: the targets are [3] i32, the weights are [5] i32; equal shapes, and x's type, are needed");
    expect_message(wrong_smoothing, "cross-entropy: the smoothing is 1; 0 or more and less than 1 is allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_values), cmocka_unit_test(test_threads), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
