/* Norms: moments of what comes out, derivatives to the second order, batch norm with its running statistics and fold, misuse. */
#include "derivatives.h"
#include "tape_fixture.h"

#include "nigh/network.h"
#include "nigh/operators_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

typedef struct norm_case {
    int axes;
    int64_t groups;
    double eps;
    bool gamma, beta;
} norm_case;

static nigh_node layer_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    const norm_case *c = user;
    return nigh_tape_layer_norm(t, x[0], c->axes, c->gamma ? x[1] : NIGH_NONE, c->beta ? x[c->gamma ? 2 : 1] : NIGH_NONE, c->eps);
}

static nigh_node rms_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    const norm_case *c = user;
    return nigh_tape_rms_norm(t, x[0], c->gamma ? x[1] : NIGH_NONE, c->eps);
}

static nigh_node group_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    const norm_case *c = user;
    return nigh_tape_group_norm(t, x[0], c->groups, c->gamma ? x[1] : NIGH_NONE, c->beta ? x[c->gamma ? 2 : 1] : NIGH_NONE, c->eps);
}

static nigh_node batch_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_batch_norm(t, x[0], x[1], x[2], 1e-3, NULL, NULL); }
static nigh_node use_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_batch_norm_use(t, x[0], x[1], x[2], x[3], x[4], 1e-3); }
static nigh_node normalise_fn(nigh_tape *t, const nigh_node *x, void *user) { return nigh_tape_normalise(t, x[0], 1e-6); }

/* gamma and beta of each sample, from another input. */
static nigh_node affine_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node by = nigh_tape_reshape(t, x[1], 3, (int64_t[]){2, 1, 1});
    return nigh_tape_layer_norm(t, x[0], 1, nigh_tape_mul(t, by, x[2]), nigh_tape_square(t, nigh_tape_mul(t, by, x[2])), 1e-4);
}

/* Two norms with a product between: what one gives depends on the other's gradient at the second order. */
static nigh_node stack_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node h = nigh_tape_tanh(t, nigh_tape_matmul(t, nigh_tape_layer_norm(t, x[0], 1, x[1], NIGH_NONE, 1e-5), x[2], 0));
    return nigh_tape_layer_norm(t, h, 1, x[1], NIGH_NONE, 1e-5);
}

static void test_derivatives(void **state)
{
    for (int which = 0; which < 4; which++) {
        norm_case c = {.axes = 1, .eps = 1e-3, .gamma = which & 1, .beta = which & 2, .groups = 2};
        derivatives_input in[3] = {{.ndim = 3, .dim = {2, 3, 6}}, {.ndim = 1, .dim = {6}, .low = 0.5, .high = 1.5}, {.ndim = 1, .dim = {6}}};
        check_derivatives("layer norm", layer_fn, &c, 1 + c.gamma + c.beta, in, 3, 1e-6, 2e-4);
        check_derivatives("group norm", group_fn, &c, 1 + c.gamma + c.beta, in, 2, 1e-6, 2e-4);
        if (!c.beta) check_derivatives("rms norm", rms_fn, &c, 1 + c.gamma, in, 3, 1e-6, 2e-4);
        derivatives_input whole[3] = {{.ndim = 3, .dim = {2, 3, 4}}, {.ndim = 2, .dim = {3, 4}, .low = 0.5, .high = 1.5}, {.ndim = 2, .dim = {3, 4}}};
        c.axes = 2, c.groups = 4, c.eps = 0;
        check_derivatives("layer norm of samples", layer_fn, &c, 1 + c.gamma + c.beta, whole, 2, 1e-6, 2e-4);
        derivatives_input image[3] = {{.ndim = 4, .dim = {2, 3, 2, 4}}, {.ndim = 1, .dim = {4}, .low = 0.5, .high = 1.5}, {.ndim = 1, .dim = {4}}};
        check_derivatives("instance norm", group_fn, &c, 1 + c.gamma + c.beta, image, 2, 1e-6, 2e-4);
    }
    derivatives_input batch[3] = {{.ndim = 3, .dim = {3, 4, 5}}, {.ndim = 1, .dim = {5}, .low = 0.5, .high = 1.5}, {.ndim = 1, .dim = {5}}};
    check_derivatives("batch norm", batch_fn, NULL, 3, batch, 2, 1e-6, 2e-4);
    derivatives_input use[5] = {{.ndim = 3, .dim = {3, 4, 5}}, {.ndim = 1, .dim = {5}}, {.ndim = 1, .dim = {5}, .low = 0.5, .high = 2}, {.ndim = 1, .dim = {5}}, {.ndim = 1, .dim = {5}}};
    check_derivatives("batch norm in use", use_fn, NULL, 5, use, 2, 1e-7, 0);
    derivatives_input affine[3] = {{.ndim = 3, .dim = {2, 3, 6}}, {.ndim = 1, .dim = {2}}, {.ndim = 1, .dim = {6}}};
    check_derivatives("layer norm affine in another input", affine_fn, NULL, 3, affine, 2, 1e-6, 2e-4);
    derivatives_input stack[3] = {{.ndim = 2, .dim = {4, 6}}, {.ndim = 1, .dim = {6}, .low = 0.5, .high = 1.5}, {.ndim = 2, .dim = {6, 6}}};
    check_derivatives("two norms", stack_fn, NULL, 3, stack, 3, 1e-6, 2e-4);
    derivatives_input rows = {.ndim = 2, .dim = {5, 7}};
    check_derivatives("normalise", normalise_fn, NULL, 1, &rows, 3, 1e-6, 0);
}

/* Moments; gradients of gamma and beta on several threads against sums; the gradient by x is orthogonal to 1 and to y. */
static void test_moments(void **state)
{
    enum { R = 600, C = 190 };
    float *at = malloc(R * C * sizeof *at);
    for (int i = 0; i < R * C; i++) at[i] = (float)((i * 7919) % 1013) * 0.02f + 50;
    for (int threads = 1; threads < 4; threads++) {
        fixture f;
        begin(&f, threads);
        nigh_node x = nigh_tape_input(f.t, "x", NIGH_F32, 2, (int64_t[]){R, C}), gamma = nigh_tape_fill(f.t, NIGH_F32, 1, (int64_t[]){C}, 1), g[3];
        nigh_node beta = nigh_tape_scale(f.t, gamma, 0), y = nigh_tape_layer_norm(f.t, x, 1, gamma, beta, 0), seed = nigh_tape_sin(f.t, x);
        assert_int_equal(nigh_tape_gradient(f.t, y, seed, 3, (nigh_node[]){x, gamma, beta}, g), NIGH_OK);
        assert_int_equal(nigh_executor_new(f.ctx, f.t, 5, (nigh_node[]){y, g[0], g[1], g[2], seed}, &f.run), NIGH_OK);
        nigh_executor_bind(f.run, x, at);
        assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
        const float *v = nigh_executor_data(f.run, y), *dx = nigh_executor_data(f.run, g[0]), *s = nigh_executor_data(f.run, seed);
        double by_gamma[C] = {0}, by_beta[C] = {0};
        for (int r = 0; r < R; r++) {
            double sum = 0, square = 0, plain = 0, along = 0;
            for (int c = 0; c < C; c++) {
                int i = r * C + c;
                sum += v[i], square += (double)v[i] * v[i], plain += dx[i], along += (double)dx[i] * v[i];
                by_gamma[c] += (double)s[i] * v[i], by_beta[c] += s[i];
            }
            assert_true(fabs(sum) < 1e-3 && fabs(square / C - 1) < 1e-4 && fabs(plain) < 1e-3 && fabs(along) < 1e-3);
        }
        for (int c = 0; c < C; c++) {
            assert_true(fabs(((const float *)nigh_executor_data(f.run, g[1]))[c] - by_gamma[c]) < 1e-3);
            assert_true(fabs(((const float *)nigh_executor_data(f.run, g[2]))[c] - by_beta[c]) < 1e-3);
        }
        end(&f);
    }
    free(at);
}

/* A whole image's norm is the group norm of one group, instance norm that of C groups, batch norm that of one sample. */
static void test_relations(void **state)
{
    fixture f;
    begin(&f, 2);
    enum { N = 3, H = 4, W = 5, C = 6, COUNT = N * H * W * C };
    double at[COUNT];
    for (int i = 0; i < COUNT; i++) at[i] = sin(i * 0.7) + i % 11;
    nigh_node x = nigh_tape_constant(f.t, NIGH_F64, 4, (int64_t[]){N, H, W, C}, at), mean, variance;
    nigh_node whole = nigh_tape_layer_norm(f.t, x, 3, NIGH_NONE, NIGH_NONE, 1e-5), one = nigh_tape_group_norm(f.t, x, 1, NIGH_NONE, NIGH_NONE, 1e-5);
    nigh_node batch = nigh_tape_batch_norm(f.t, x, NIGH_NONE, NIGH_NONE, 1e-5, &mean, &variance);
    nigh_node use = nigh_tape_batch_norm_use(f.t, x, mean, variance, NIGH_NONE, NIGH_NONE, 1e-5);
    nigh_node flat = nigh_tape_reshape(f.t, x, 3, (int64_t[]){1, N * H * W, C}), single = nigh_tape_group_norm(f.t, flat, C, NIGH_NONE, NIGH_NONE, 1e-5);
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 7, (nigh_node[]){whole, one, batch, use, single, mean, variance}, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const double *a = nigh_executor_data(f.run, whole), *b = nigh_executor_data(f.run, one), *c = nigh_executor_data(f.run, batch), *d = nigh_executor_data(f.run, use);
    const double *e = nigh_executor_data(f.run, single), *m = nigh_executor_data(f.run, mean), *v = nigh_executor_data(f.run, variance);
    for (int i = 0; i < COUNT; i++) assert_true(fabs(a[i] - b[i]) < 1e-12 && fabs(c[i] - d[i]) < 1e-12 && fabs(c[i] - e[i]) < 1e-12);
    for (int ch = 0; ch < C; ch++) {
        double sum = 0, square = 0;
        for (int i = ch; i < COUNT; i += C) sum += at[i] / (N * H * W);
        for (int i = ch; i < COUNT; i += C) square += (at[i] - sum) * (at[i] - sum) / (N * H * W);
        assert_true(fabs(m[ch] - sum) < 1e-12 && fabs(v[ch] - square) < 1e-10);
    }
    end(&f);
}

/* The layer: trained by the batch, its running statistics move; in use it reads them. */
static void test_layer(void **state)
{
    nigh_context *ctx;
    nigh_network *net;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_network_new(ctx, NIGH_F64, &net), NIGH_OK);
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 2}), weights[2];
    weights[0] = nigh_network_weight(net, "mean", 1, (int64_t[]){2}, (nigh_init){NIGH_INIT_ONE, 10});
    weights[1] = nigh_network_weight(net, "variance", 1, (int64_t[]){2}, (nigh_init){NIGH_INIT_ONE, 4});
    nigh_attribute attribute[2] = {{.key = "eps", .value = 0}, {.key = "momentum", .value = 0.25}};
    nigh_network_output(net, nigh_network_add(net, "batch-norm", "norm", 1, &x, 2, weights, 2, attribute));
    assert_int_equal(nigh_parameters_draw(nigh_network_parameters(net), 1), NIGH_OK);
    static const double at[3][2] = {{1, 5}, {2, 5}, {6, 8}};
    for (int train = 0; train < 2; train++) {
        nigh_tape *t;
        nigh_executor *run;
        nigh_recording *how = calloc(1, sizeof *how);
        how->train = train;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node in = nigh_tape_constant(t, NIGH_F64, 2, (int64_t[]){3, 2}, at), parameters[2], out;
        assert_int_equal(nigh_parameters_record(nigh_network_parameters(net), t, parameters), NIGH_OK);
        assert_int_equal(nigh_network_record(net, t, how, &in, parameters, &out), NIGH_OK);
        assert_int_equal(how->updates, train ? 2 : 0);
        nigh_node wanted[3] = {out, train ? how->update[0].value : out, train ? how->update[1].value : out};
        assert_int_equal(nigh_executor_new(ctx, t, 3, wanted, &run), NIGH_OK);
        assert_int_equal(nigh_parameters_bind(nigh_network_parameters(net), run, parameters), NIGH_OK);
        assert_int_equal(nigh_executor_run(run), NIGH_OK);
        const double *y = nigh_executor_data(run, out);
        if (!train) assert_true(fabs(y[0] + 4.5) < 1e-14 && fabs(y[5] + 1) < 1e-14);
        else {
            const double *mean = nigh_executor_data(run, wanted[1]), *variance = nigh_executor_data(run, wanted[2]);
            assert_int_equal(how->update[1].parameter, weights[1]);
            assert_true(fabs(y[0] + y[2] + y[4]) < 1e-14 && fabs(y[0] - (1 - 3) / sqrt(14.0 / 3)) < 1e-14);
            assert_true(fabs(mean[0] - (7.5 + 0.25 * 3)) < 1e-14 && fabs(variance[0] - (3 + 0.25 * 7)) < 1e-13 && fabs(variance[1] - (3 + 0.25 * 3)) < 1e-13);
        }
        nigh_executor_free(run);
        nigh_tape_free(t);
        free(how);
    }
    nigh_network_free(net);
    nigh_context_free(ctx);
}

static void expect_message(nigh_node (*record)(nigh_tape *, nigh_node, nigh_node), const char *words)
{
    fixture f;
    begin(&f, 1);
    nigh_node a = nigh_tape_input(f.t, "a", NIGH_F32, 2, (int64_t[]){3, 4}), b = nigh_tape_input(f.t, "b", NIGH_F32, 1, (int64_t[]){5});
    assert_int_equal(record(f.t, a, b), NIGH_NONE);
    assert_string_equal(nigh_message(f.ctx), words);
    end(&f);
}

static nigh_node wrong_gamma(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_layer_norm(t, a, 1, b, NIGH_NONE, 0); }
static nigh_node wrong_axes(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_layer_norm(t, a, 3, NIGH_NONE, NIGH_NONE, 0); }
static nigh_node wrong_eps(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_rms_norm(t, a, NIGH_NONE, -1); }
static nigh_node wrong_groups(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_group_norm(t, a, 3, NIGH_NONE, NIGH_NONE, 0); }
static nigh_node wrong_beta(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_batch_norm(t, a, NIGH_NONE, b, 0, NULL, NULL); }

static void test_misuse(void **state)
{
    expect_message(wrong_gamma, "layer-norm: x is [3,4] f32, gamma is [5] f32; it must have the normed dimensions or broadcast to x");
    expect_message(wrong_axes, "layer-norm: the last 3 dimensions of an array of 2");
    expect_message(wrong_eps, "rms-norm: eps is -1; 0 or more is allowed");
    expect_message(wrong_groups, "group-norm: x is [3,4] f32, 3 groups; a divisor of the channels is needed");
    expect_message(wrong_beta, "batch-norm: x is [3,4] f32, beta is [5] f32; one number a channel (the last dimension) is needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_moments), cmocka_unit_test(test_relations), cmocka_unit_test(test_layer),
                                       cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
