/* Exported networks, compiled by what compilers there are, against the tape. */
#include "exported.h"
#include "networks.h"
#include "support.h"

#include "nigh/layers.h"

#include <string.h>

static const exported_way ways[] = {{"gcc", "-std=gnu99 -O3 -march=native"}, {"gcc", "-std=c99 -O1"}, {"clang", "-std=c99 -O2 -march=native"}, {NULL, NULL}};

static void check(nigh_network *net, const nigh_shape *shape, double tolerance) { check_exported(net, shape, NULL, NULL, tolerance, ways, NULL); }

static nigh_network *mlp(nigh_context *ctx, nigh_dtype dtype, const char *act)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, dtype, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 20});
    int h = nigh_network_linear(net, "one", x, 20, 67, true);
    h = nigh_network_layer(net, act, "act", 1, &h);
    h = nigh_network_linear(net, "two", h, 67, 37, false);
    nigh_network_output(net, nigh_network_layer(net, act, "last", 1, &h));
    assert_ok(ctx, nigh_network_status(net));
    fill_weights(net, -0.3, 0.3, 4);
    return net;
}

static void test_mlp(void **state)
{
    static const char *const acts[] = {"relu", "gelu", "tanh", "softplus"};
    nigh_context *ctx = test_context_new();
    for (int wide = 0; wide < 2; wide++)
        for (int batch = 1; batch < 14; batch += 6) {
            nigh_dtype dtype = wide ? NIGH_F64 : NIGH_F32;
            nigh_network *net = mlp(ctx, dtype, acts[(batch / 6 + wide) % 4]);
            check(net, &(nigh_shape){.dtype = dtype, .ndim = 2, .dim = {batch, 20}}, wide ? 1e-12 : 5e-6);
            nigh_network_free(net);
        }
    test_context_free(ctx);
}

/* Layers of many kinds after each other, so that most steps occur: views, copies, chains with broadcast rows, products of results, reductions. */
static void test_steps(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 3, (int64_t[]){2, 6, 40}), w[2], at;
#define ADD(kind, name, inputs, weights, ...)                                                                                              \
    at = nigh_network_add(net, kind, name, sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__}, weights, w,                     \
                          sizeof(inputs) / sizeof(nigh_attribute), inputs)
    nigh_attribute none[1] = {{"unused", 0, NULL}}, order[1] = {{"order", 0, "0,2,1"}}, axes[2] = {{"axes", 0, "1"}, {"keep", 1, NULL}};
    nigh_attribute cut[4] = {{"axis", 2, NULL}, {"start", 1, NULL}, {"end", 6, NULL}, {"step", 2, NULL}}, pads[3] = {{"low", 0, "0,1,2"}, {"high", 0, "0,0,1"}, {"value", 0.5, NULL}};
    nigh_attribute across[1] = {{"transpose-b", 1, NULL}}, join[1] = {{"axis", 1, NULL}}, last[1] = {{"axes", 0, "-1"}}, flat[1] = {{"shape", 0, "0,-1"}};
    ADD("permute", "turned", order, 0, x);
    int turned = at;
    ADD("matmul", "square", none, 0, x, turned); /* [2,6,6] */
    int square = at;
    ADD("matmul", "other", across, 0, turned, turned); /* [2,40,40] */
    int other = at;
    w[0] = nigh_network_weight(net, "scale", 1, (int64_t[]){6}, (nigh_init){0});
    w[1] = nigh_network_weight(net, "shift", 1, (int64_t[]){6}, (nigh_init){0});
    ADD("channel-affine", "rows", none, 2, square);
    ADD("sigmoid", "gate", none, 0, at);
    ADD("slice", "cut", cut, 0, at); /* [2,6,3] */
    ADD("pad", "padded", pads, 0, at); /* [2,7,6] */
    ADD("concat", "joined", join, 0, at, square); /* [2,13,6] */
    int joined = at;
    ADD("mean", "middle", axes, 0, joined); /* [2,1,6] */
    ADD("sub", "centred", none, 0, joined, at);
    int centred = at;
    ADD("max-over", "peak", last, 0, centred); /* [2,13] */
    int peak = at;
    ADD("sum", "sums", last, 0, other); /* [2,40] */
    ADD("concat", "both", join, 0, peak, at); /* [2,53] */
    int both = at;
    ADD("reshape", "flat", flat, 0, centred); /* [2,78] */
    ADD("concat", "all", join, 0, both, at);
    ADD("erf", "end", none, 0, at);
    nigh_network_output(net, at);
    assert_ok(ctx, nigh_network_status(net));
    fill_weights(net, -1, 1, 8);
    check(net, &(nigh_shape){.dtype = NIGH_F32, .ndim = 3, .dim = {2, 6, 40}}, 1e-5);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Convolutions of all paddings, groups and strides, pools, norms and a softmax. */
static void test_fields(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 4, (int64_t[]){2, 11, 10, 4});
    nigh_convolution first = {.stride = {2, 1}, .low = {1, 0}, .high = {1, 2}, .groups = 2}, second = {.dilation = {1, 2}, .low = {1, 2}, .high = {1, 2}, .padding = NIGH_PAD_CIRCULAR};
    x = nigh_network_conv(net, "one", x, 4, 6, 2, (int64_t[]){3, 3}, &first, true);
    x = nigh_network_layer(net, "relu", "act", 1, &x);
    x = nigh_network_conv(net, "two", x, 6, 35, 2, (int64_t[]){3, 3}, &second, false);
    x = nigh_network_add(net, "max-pool", "pool", 1, &x, 0, NULL, 3, (nigh_attribute[]){{"window", 3, NULL}, {"stride", 2, NULL}, {"pad", 1, NULL}});
    x = nigh_network_conv_same(net, "three", x, 35, 8, 2, 3, NIGH_PAD_REFLECT, true);
    x = nigh_network_add(net, "average-pool", "mean", 1, &x, 0, NULL, 2, (nigh_attribute[]){{"window", 2, NULL}, {"high", 1, NULL}});
    x = nigh_network_layer(net, "layer-norm", "norm", 1, &x);
    x = nigh_network_layer(net, "flatten", "flat", 1, &x);
    nigh_network_output(net, nigh_network_layer(net, "softmax", "chances", 1, &x));
    assert_ok(ctx, nigh_network_status(net));
    fill_weights(net, -0.4, 0.4, 6);
    check(net, &(nigh_shape){.dtype = NIGH_F32, .ndim = 4, .dim = {2, 11, 10, 4}}, 1e-5);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Rows of a table and of a result by number, among them numbers that there are none of; norms of rows. */
static void test_tokens(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = new_network(ctx, NIGH_F32);
    nigh_shape shapes[2] = {{.dtype = NIGH_I32, .ndim = 2, .dim = {3, 5}}, {.dtype = NIGH_I32, .ndim = 1, .dim = {4}}};
    int x = nigh_network_tokens(net, "x", 2, shapes[0].dim), index = nigh_network_tokens(net, "index", 1, shapes[1].dim);
    int64_t width = 6;
    int table = nigh_network_weight(net, "table", 2, (int64_t[]){7, 6}, (nigh_init){0}), gamma = nigh_network_weight(net, "gamma", 1, &width, (nigh_init){0});
    x = add_layer(net, "embedding", x, 1, &table, 0, NULL); /* [3, 5, 6] */
    x = add_layer(net, "rms-norm", x, 1, &gamma, 0, NULL);
    x = nigh_network_layer(net, "rows", "rows", 2, (int[]){x, index}); /* [4, 5, 6] */
    nigh_network_output(net, add_layer(net, "log-softmax", x, 0, NULL, 0, NULL));
    assert_ok(ctx, nigh_network_status(net));
    fill_weights(net, -1, 1, 8);
    check_exported(net, shapes, (double[]){0, 0}, (double[]){8, 4}, 1e-5, ways, NULL);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = mlp(ctx, NIGH_F32, "relu");
    nigh_buffer text = {.ctx = ctx};
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = 2, .dim = {4, 20}};
    assert_fails(ctx, nigh_network_export(net, &shape, "two words", &text), NIGH_INVALID, "two words");
    shape.dim[1] = 21;
    assert_fails(ctx, nigh_network_export(net, &shape, "net", &text), NIGH_INVALID, "input 'x'");
    assert_int_equal(text.size, 0);
    nigh_buffer_free(&text);
    nigh_network_free(net);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mlp), cmocka_unit_test(test_steps), cmocka_unit_test(test_fields), cmocka_unit_test(test_tokens), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
