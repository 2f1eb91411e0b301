/* Losses, activations, dropout, straight-through helpers: derivatives and values by hand. */
#include "derivatives.h"

#include "nigh/operators_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

typedef nigh_node pair_fn(nigh_tape *, nigh_node, nigh_node);
typedef nigh_node one_fn(nigh_tape *, nigh_node);

static nigh_node huber(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_huber(t, a, b, 0.7); }
static nigh_node bce(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_binary_cross_entropy(t, a, b, NIGH_NONE); }
static nigh_node bce_weighted(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_binary_cross_entropy(t, a, b, nigh_tape_square(t, b)); }
static nigh_node kl(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_kl(t, nigh_tape_log_softmax(t, a, -1), nigh_tape_log_softmax(t, b, -1)); }
static nigh_node elu(nigh_tape *t, nigh_node x) { return nigh_tape_elu(t, x, 1.3); }
static nigh_node round_all(nigh_tape *t, nigh_node x) { return nigh_tape_sub(t, nigh_tape_round_through(t, x), nigh_tape_stop(t, nigh_tape_sub(t, nigh_tape_round(t, x), x))); }

static nigh_node apply_pair(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node y = (*(pair_fn **)user)(t, x[0], x[1]);
    return nigh_tape_add(t, y, nigh_tape_square(t, y));
}

static nigh_node apply_one(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_square(t, (*(one_fn **)user)(t, x[0])); }

static void test_derivatives(void **state)
{
    static const struct { const char *name; pair_fn *fn; double low, high; } pairs[] = {{"mse", nigh_tape_mse, 0, 0}, {"mean abs", nigh_tape_mean_abs, 1.5, 2}, {"huber", huber, 0, 0},
        {"bce", bce, 0.1, 0.9}, {"bce weighted", bce_weighted, 0.1, 0.9}, {"kl", kl, 0, 0}, {"relative l2", nigh_tape_relative_l2, 0, 0}, {"relative l2 rows", nigh_tape_relative_l2_rows, 0, 0}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        pair_fn *fn = pairs[i].fn;
        derivatives_input in[2] = {{.ndim = 3, .dim = {3, 4, 5}}, {.ndim = 3, .dim = {3, 4, 5}, .low = pairs[i].low, .high = pairs[i].high}};
        check_derivatives(pairs[i].name, apply_pair, &fn, 2, in, fn == huber ? 1 : 2, fn == huber ? 1e-5 : 1e-7, 0); /* a corner: no second one across it */
    }
    static const struct { const char *name; one_fn *fn; double low, high; int order; } ones[] = {{"hard tanh", nigh_tape_hard_tanh, -0.9, 0.9, 2}, {"elu left", elu, -2, -0.1, 3},
        {"elu right", elu, 0.1, 2, 2}, {"softsign", nigh_tape_softsign, 0.1, 2, 3}, {"gelu tanh", nigh_tape_gelu_tanh, -2, 2, 3}};
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
        one_fn *fn = ones[i].fn;
        derivatives_input in = {.ndim = 2, .dim = {3, 5}, .low = ones[i].low, .high = ones[i].high};
        check_derivatives(ones[i].name, apply_one, &fn, 1, &in, ones[i].order, 1e-7, 0);
    }
}

static nigh_node prelu_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_square(t, nigh_tape_prelu(t, x[0], x[1])); }
static nigh_node poly_relu_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_poly_relu(t, x[0], x[1]); }
static nigh_node poly_norm_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_poly_norm(t, x[0], x[1], x[2], 1e-6); }

static void test_weights(void **state)
{
    for (int sign = -1; sign < 2; sign += 2) { /* on either side of the corner */
        double low = sign < 0 ? -2 : 0.1, high = sign < 0 ? -0.1 : 2;
        derivatives_input channel[2] = {{.ndim = 3, .dim = {2, 3, 5}, .low = low, .high = high}, {.ndim = 1, .dim = {5}}};
        derivatives_input single[2] = {{.ndim = 3, .dim = {2, 3, 5}, .low = low, .high = high}, {.ndim = 1, .dim = {1}}};
        derivatives_input poly[2] = {{.ndim = 3, .dim = {2, 3, 5}, .low = low, .high = high}, {.ndim = 1, .dim = {4}}};
        check_derivatives("prelu of channels", prelu_fn, NULL, 2, channel, 2, 1e-7, 0);
        check_derivatives("prelu", prelu_fn, NULL, 2, single, 2, 1e-7, 0);
        check_derivatives("poly relu", poly_relu_fn, NULL, 2, poly, 2, 1e-7, 0);
    }
    derivatives_input poly[3] = {{.ndim = 2, .dim = {4, 6}}, {.ndim = 1, .dim = {3}}, {.ndim = 1, .dim = {1}}};
    check_derivatives("poly norm", poly_norm_fn, NULL, 3, poly, 2, 1e-7, 2e-4);
}

typedef struct fixture {
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
} fixture;

static void begin(fixture *f)
{
    assert_int_equal(nigh_context_new(&f->ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(f->ctx, &f->t), NIGH_OK);
    f->run = NULL;
}

static void end(fixture *f)
{
    nigh_executor_free(f->run);
    nigh_tape_free(f->t);
    nigh_context_free(f->ctx);
}

static void test_values(void **state)
{
    fixture f;
    begin(&f);
    static const double at[2][3] = {{3, -4, 0.5}, {0.1, -30, 1}}, to[2][3] = {{0, 1, 0}, {0.1, -30, 1}}, coefficients[4] = {0.5, 1, -2, 3};
    nigh_node a = nigh_tape_constant(f.t, NIGH_F64, 2, (int64_t[]){2, 3}, at), b = nigh_tape_constant(f.t, NIGH_F64, 2, (int64_t[]){2, 3}, to), g[2];
    nigh_node c = nigh_tape_constant(f.t, NIGH_F64, 1, (int64_t[]){4}, coefficients), three = nigh_tape_slice(f.t, c, 0, 0, 3, 1);
    nigh_node out[8] = {nigh_tape_huber(f.t, a, b, 1), nigh_tape_relative_l2(f.t, a, b), nigh_tape_poly_relu(f.t, a, c), nigh_tape_poly_norm(f.t, a, three, NIGH_NONE, 0),
                        nigh_tape_sign_through(f.t, a), round_all(f.t, a)};
    assert_int_equal(nigh_tape_gradient(f.t, out[1], NIGH_NONE, 1, &a, &g[0]), NIGH_OK);
    assert_int_equal(nigh_tape_gradient(f.t, out[4], NIGH_NONE, 1, &a, &g[1]), NIGH_OK);
    out[6] = g[0], out[7] = g[1];
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 8, out, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const double *v[8];
    for (int i = 0; i < 8; i++) v[i] = nigh_executor_data(f.run, out[i]);
    assert_true(fabs(*v[0] - (2.5 + 4.5 + 0.125) / 6) < 1e-14);
    assert_true(fabs(*v[1] - sqrt(9 + 25 + 0.25) / 2) < 1e-14);
    for (int i = 0; i < 6; i++) {
        const double *row = at[i / 3];
        double x = row[i % 3], r = x > 0 ? x : 0, norm[3] = {0}, sum = 0;
        assert_true(fabs(v[2][i] - (0.5 + r - 2 * r * r + 3 * r * r * r)) < 1e-12);
        for (int p = 0; p < 3; p++) {
            for (int j = 0; j < 3; j++) norm[p] += pow(row[j], 2 * p + 2) / 3;
            sum += coefficients[p] * pow(x, p + 1) / sqrt(norm[p]);
        }
        assert_true(fabs(v[3][i] - sum) < 1e-12);
        assert_true(v[4][i] == (x > 0 ? 1 : -1) && v[7][i] == (fabs(x) <= 1 ? 1 : 0) && fabs(v[5][i] - x) < 1e-14);
        assert_true(isfinite(v[6][i]) && (i < 3 || v[6][i] == 0)); /* slope 0 where the sample is met */
    }
    end(&f);
}

/* The mean stays, the share of zeros is 1 - keep, the gradient sees the same mask. */
static void test_dropout(void **state)
{
    enum { N = 40000 };
    fixture f;
    begin(&f);
    nigh_node x = nigh_tape_input(f.t, "x", NIGH_F32, 1, (int64_t[]){N}), y = nigh_tape_dropout(f.t, x, 0.8, 5), g;
    assert_int_equal(nigh_tape_dropout(f.t, x, 1, 5), x);
    assert_int_equal(nigh_tape_gradient(f.t, y, NIGH_NONE, 1, &x, &g), NIGH_OK);
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 2, (nigh_node[]){y, g}, &f.run), NIGH_OK);
    float *at = nigh_executor_data(f.run, x);
    for (int i = 0; i < N; i++) at[i] = 3;
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const float *v = nigh_executor_data(f.run, y), *d = nigh_executor_data(f.run, g);
    int zeros = 0;
    for (int i = 0; i < N; i++) {
        zeros += v[i] == 0;
        assert_true((v[i] == 0 && d[i] == 0) || (fabsf(v[i] - 3.75f) < 1e-6f && fabsf(d[i] - 1.25f) < 1e-6f));
    }
    assert_true(fabs(zeros / (double)N - 0.2) < 0.01);
    end(&f);
}

static void expect_message(nigh_node (*record)(nigh_tape *, nigh_node, nigh_node), const char *words)
{
    fixture f;
    begin(&f);
    nigh_node a = nigh_tape_input(f.t, "a", NIGH_F32, 2, (int64_t[]){3, 4}), b = nigh_tape_input(f.t, "b", NIGH_F32, 1, (int64_t[]){5});
    assert_int_equal(record(f.t, a, b), NIGH_NONE);
    assert_string_equal(nigh_message(f.ctx), words);
    end(&f);
}

static nigh_node wrong_delta(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_huber(t, a, a, 0); }
static nigh_node wrong_poly(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_poly_relu(t, a, a); }
static nigh_node wrong_keep(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_dropout(t, a, 0, 1); }

static void test_misuse(void **state)
{
    expect_message(nigh_tape_mse, "mse: the arrays are [3,4] f32 and [5] f32; equal shapes are needed");
    expect_message(nigh_tape_prelu, "prelu: x is [3,4] f32, the slope is [5] f32; one number, or one a channel, is needed");
    expect_message(wrong_delta, "huber: delta is 0; a positive number is allowed");
    expect_message(wrong_poly, "poly-relu: x is [3,4] f32, the coefficients are [3,4] f32; 1 to 8 numbers of x's type are needed");
    expect_message(wrong_keep, "dropout: keep is 0; more than 0, at most 1 is allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_weights), cmocka_unit_test(test_values), cmocka_unit_test(test_dropout),
                                       cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
