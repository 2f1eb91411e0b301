/* Scalings: sizes of results and rates over width; convexity; shapes; misuse. */
#include "networks.h"
#include "support.h"

#include "nigh/blocks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double spread_of(nigh_context *ctx, nigh_mlp spec, int64_t width, uint64_t seed)
{
    nigh_network *net;
    nigh_array x = {0}, y;
    double sum = 0;
    spec.width = width;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int in = nigh_network_input(net, "x", 2, (int64_t[]){-1, spec.in});
    nigh_network_output(net, nigh_network_mlp(net, "mlp", in, &spec));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), seed));
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){.dtype = NIGH_F64, .ndim = 2, .dim = {1, spec.in}}, &x));
    for (int64_t i = 0; i < spec.in; i++) nigh_array_set(&x, i, i % 2 ? 1 : -1);
    run_on_tape(net, &x, &y);
    for (int64_t i = 0; i < spec.out; i++) sum += nigh_array_get(&y, i) * nigh_array_get(&y, i);
    nigh_array_free(ctx, &x);
    nigh_array_free(ctx, &y);
    nigh_network_free(net);
    return sqrt(sum / (double)spec.out);
}

static void test_sizes(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_mlp spec = {.in = 16, .out = 400, .hidden = 2};
    /* variance 1 in, gain sqrt(2) behind relu: variance 2 before the last, which halves it again: 1 */
    for (int k = 0; k < 2; k++) {
        spec.scaling = k ? NIGH_SCALING_NTK : NIGH_SCALING_STANDARD;
        for (int64_t width = 256; width <= 1024; width *= 4) assert_near(spread_of(ctx, spec, width, 3), 1, 0.25, 0);
    }
    /* maximal update and mean field: the last layer shrinks with the root of the width */
    spec.scaling = NIGH_SCALING_MUP;
    assert_near(spread_of(ctx, spec, 64, 3) / spread_of(ctx, spec, 1024, 3), 4, 1.2, 0);
    spec = (nigh_mlp){.in = 16, .out = 400, .hidden = 1, .activation = "tanh", .scaling = NIGH_SCALING_MEAN_FIELD};
    assert_near(spread_of(ctx, spec, 64, 3) / spread_of(ctx, spec, 1024, 3), 4, 1.2, 0);
    test_context_free(ctx);
}

static double rate_of(nigh_network *net, const char *name)
{
    int index = nigh_parameters_find(nigh_network_parameters(net), name);
    assert_true(index >= 0);
    return nigh_parameters_at(nigh_network_parameters(net), index)->rate;
}

static void test_rates(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 8});
    nigh_mlp spec = {.in = 8, .out = 3, .hidden = 3, .width = 256, .scaling = NIGH_SCALING_MUP, .base = 32};
    nigh_network_mlp(net, "adam", x, &spec);
    spec.sgd = true;
    nigh_network_mlp(net, "sgd", x, &spec);
    assert_ok(ctx, nigh_network_status(net));
    assert_near(rate_of(net, "adam.1.weight"), 1, 0, 0);
    assert_near(rate_of(net, "adam.2.weight"), 0.125, 0, 0);
    assert_near(rate_of(net, "adam.4.weight"), 0.125, 0, 0);
    assert_near(rate_of(net, "adam.2.bias"), 1, 0, 0);
    assert_near(rate_of(net, "sgd.1.weight"), 8, 0, 0);
    assert_near(rate_of(net, "sgd.2.weight"), 1, 0, 0);
    assert_near(rate_of(net, "sgd.2.bias"), 8, 0, 0);
    assert_near(rate_of(net, "sgd.4.weight"), 0.125, 0, 0);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_linear_and_residual(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_array x = {0};
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int in = nigh_network_input(net, "x", 2, (int64_t[]){-1, 5});
    nigh_mlp deep = {.in = 5, .out = 4, .hidden = 3, .width = 6, .activation = "linear", .no_bias = true};
    nigh_mlp residual = {.in = 5, .out = 4, .hidden = 3, .width = 6, .activation = "gelu", .residual = true, .branch = 0.5, .scaling = NIGH_SCALING_NTK, .bias_gain = 0.1};
    nigh_network_output(net, nigh_network_mlp(net, "deep", in, &deep));
    nigh_network_output(net, nigh_network_mlp(net, "residual", in, &residual));
    assert_ok(ctx, nigh_network_status(net));
    assert_int_equal(nigh_network_find(net, "deep.1.activation"), -1);
    assert_true(nigh_network_find(net, "residual.2.residual") > 0);
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){.dtype = NIGH_F64, .ndim = 2, .dim = {3, 5}}, &x));
    fill_uniform(&x, -1, 1, 2);
    check_network("mlp", net, &x, 1e-12);
    nigh_array_free(ctx, &x);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* f((a + b) / 2) <= (f(a) + f(b)) / 2 - strong / 8 |a - b|^2 for random pairs. */
static void test_convex(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_array x = {0}, y;
    enum { PAIRS = 50, IN = 4 };
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int in = nigh_network_input(net, "x", 2, (int64_t[]){-1, IN});
    nigh_network_output(net, nigh_network_convex(net, "convex", in, IN, 3, 16, 5, 0.2));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){.dtype = NIGH_F64, .ndim = 2, .dim = {3 * PAIRS, IN}}, &x));
    fill_uniform(&x, -2, 2, 2);
    double *v = x.data;
    for (int i = 0; i < PAIRS * IN; i++) v[2 * PAIRS * IN + i] = (v[i] + v[PAIRS * IN + i]) / 2;
    run_on_tape(net, &x, &y);
    for (int i = 0; i < PAIRS; i++) {
        double far = 0, a = nigh_array_get(&y, i), b = nigh_array_get(&y, PAIRS + i), middle = nigh_array_get(&y, 2 * PAIRS + i);
        for (int k = 0; k < IN; k++) far += pow(v[i * IN + k] - v[(PAIRS + i) * IN + k], 2);
        assert_true(middle <= (a + b) / 2 - 0.2 / 8 * far + 1e-12);
    }
    nigh_array_free(ctx, &x);
    nigh_array_free(ctx, &y);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_convnet(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_array x = {0}, y[2];
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int in = nigh_network_input(net, "x", 4, (int64_t[]){-1, -1, -1, 2});
    nigh_convnet spec = {.dims = 2, .blocks = 2, .channels = (int64_t[]){2, 4, 6}, .kernel = 3, .pool = true, .classes = 5};
    nigh_network_output(net, nigh_network_convnet(net, "classes", in, &spec));
    spec.classes = 0, spec.pool = false, spec.padding = NIGH_PAD_CIRCULAR;
    nigh_network_output(net, nigh_network_convnet(net, "field", in, &spec));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){.dtype = NIGH_F32, .ndim = 4, .dim = {3, 8, 12, 2}}, &x));
    fill_uniform(&x, -1, 1, 2);
    run_on_tape(net, &x, y);
    assert_int_equal(y[0].shape.ndim, 2);
    assert_int_equal(y[0].shape.dim[1], 5);
    assert_int_equal(y[1].shape.ndim, 4);
    assert_int_equal(y[1].shape.dim[2], 12);
    assert_int_equal(y[1].shape.dim[3], 6);
    nigh_array_free(ctx, &x);
    nigh_array_free(ctx, &y[0]);
    nigh_array_free(ctx, &y[1]);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    const struct { nigh_mlp spec; const char *message; } wrong[] = {{{.in = 3, .out = 1, .hidden = -1}, "hidden layers"}, {{.in = 3, .out = 1, .hidden = 2}, "width"},
        {{.in = 3, .out = 1, .hidden = 2, .width = 4, .scaling = NIGH_SCALING_MEAN_FIELD}, "mean field"}, {{.in = 3, .out = 1, .hidden = 2, .width = 4, .activation = "none"}, "'none'"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        nigh_network *net;
        assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
        int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 3});
        assert_int_equal(nigh_network_mlp(net, "mlp", x, &wrong[i].spec), -1);
        assert_int_equal(nigh_network_status(net), NIGH_INVALID);
        if (!strstr(nigh_message(ctx), wrong[i].message)) fail_msg("'%s' lacks '%s'", nigh_message(ctx), wrong[i].message);
        nigh_network_free(net);
    }
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 3});
    assert_int_equal(nigh_network_convex(net, "c", x, 3, 2, 8, 0, 0), -1);
    assert_non_null(strstr(nigh_message(ctx), "beta"));
    nigh_network_free(net);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_rates), cmocka_unit_test(test_linear_and_residual), cmocka_unit_test(test_convex),
        cmocka_unit_test(test_convnet), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
