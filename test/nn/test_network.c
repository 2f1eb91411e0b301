/* Every kind of layer against its plain rule; hooks; description; files and copies; runners; misuse. */
#include "networks.h"
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct kind_case {
    const char *kind;
    int inputs;
    nigh_shape shape[3];
    double low, high;
    int attributes;
    nigh_attribute attribute[4];
    int weights;
    nigh_shape weight[2];
} kind_case;

#define S(...) {.ndim = sizeof((int[]){__VA_ARGS__}) / sizeof(int), .dim = {__VA_ARGS__}}
#define N(k, v) {k, v, NULL}
#define T(k, v) {k, 0, v}
#define ONE(name, low, high) {name, 1, {S(3, 5)}, low, high, 0, {{0}}, 0, {{0}}}

static const kind_case cases[] = {ONE("relu", -1, 1), ONE("gelu", -3, 3), ONE("silu", -3, 3), ONE("tanh", -3, 3), ONE("sigmoid", -3, 3), ONE("softplus", -3, 3),
    ONE("erf", -2, 2), ONE("exp", -2, 2), ONE("expm1", -1, 1), ONE("log", 0.1, 3), ONE("log1p", -0.5, 3), ONE("sin", -3, 3), ONE("cos", -3, 3), ONE("square", -2, 2),
    ONE("abs", -1, 1), ONE("neg", -1, 1), ONE("sign", -1, 1), ONE("sqrt", 0, 2), ONE("rsqrt", 0.5, 2), ONE("reciprocal", 0.5, 2), ONE("step", -1, 1),
    ONE("round", -3, 3), ONE("floor", -3, 3), ONE("stop", -1, 1), ONE("flatten", -1, 1), ONE("sum", -1, 1), ONE("mean", -1, 1), ONE("max-over", -1, 1),
    ONE("min-over", -1, 1), ONE("log-sum-exp", -1, 1), ONE("clamp", -1, 1), ONE("pow", -1, 1), ONE("leaky-relu", -1, 1),
    {"leaky-relu", 1, {S(3, 5)}, -1, 1, 1, {N("slope", 0.2)}, 0, {{0}}},
    {"softplus", 1, {S(3, 5)}, -1, 1, 1, {N("beta", 3)}, 0, {{0}}},
    {"pow", 1, {S(3, 5)}, 0.5, 2, 1, {N("exponent", 1.7)}, 0, {{0}}},
    {"clamp", 1, {S(3, 5)}, -1, 1, 2, {N("low", -0.25), N("high", 0.5)}, 0, {{0}}},
    {"affine", 1, {S(3, 5)}, -1, 1, 2, {N("scale", -2), N("shift", 0.5)}, 0, {{0}}},
    {"add", 3, {S(3, 5), S(5), S(2, 1, 5)}, -1, 1, 0, {{0}}, 0, {{0}}}, {"mul", 2, {S(3, 5), S(3, 1)}, -1, 1, 0, {{0}}, 0, {{0}}},
    {"sub", 2, {S(3, 5), S(5)}, -1, 1, 0, {{0}}, 0, {{0}}}, {"div", 2, {S(5), S(3, 5)}, 0.5, 2, 0, {{0}}, 0, {{0}}},
    {"min", 2, {S(3, 5), S(3, 1)}, -1, 1, 0, {{0}}, 0, {{0}}}, {"max", 3, {S(3, 5), S(5), S(3, 5)}, -1, 1, 0, {{0}}, 0, {{0}}},
    {"greater", 2, {S(3, 5), S(3, 5)}, -1, 1, 0, {{0}}, 0, {{0}}}, {"equal", 2, {S(3, 5), S(3, 5)}, -1, 1, 0, {{0}}, 0, {{0}}},
    {"where", 3, {S(3, 5), S(5), S(3, 1)}, -1, 1, 0, {{0}}, 0, {{0}}},
    {"constant", 0, {{0}}, 0, 0, 0, {{0}}, 1, {S(2, 3)}}, {"channel-affine", 1, {S(2, 3, 4)}, -1, 1, 0, {{0}}, 2, {S(4), S(4)}},
    {"channel-affine", 1, {S(2, 3, 4)}, -1, 1, 0, {{0}}, 1, {S(3, 4)}}, {"linear", 1, {S(2, 3, 4)}, -1, 1, 0, {{0}}, 2, {S(4, 7), S(7)}},
    {"linear", 1, {S(3, 4)}, -1, 1, 0, {{0}}, 1, {S(4, 7)}}, {"matmul", 2, {S(2, 3, 4), S(2, 4, 5)}, -1, 1, 0, {{0}}, 0, {{0}}},
    {"matmul", 2, {S(2, 4, 3), S(5, 4)}, -1, 1, 2, {N("transpose-a", 1), N("transpose-b", 1)}, 0, {{0}}},
    {"matmul", 2, {S(3, 1, 3, 4), S(2, 4, 5)}, -1, 1, 0, {{0}}, 0, {{0}}},
    {"reshape", 1, {S(2, 6, 4)}, -1, 1, 1, {T("shape", "0,-1,2")}, 0, {{0}}}, {"permute", 1, {S(2, 6, 4)}, -1, 1, 1, {T("order", "2,0,1")}, 0, {{0}}},
    {"slice", 1, {S(2, 7)}, -1, 1, 4, {N("axis", -1), N("start", 1), N("end", -1), N("step", 2)}, 0, {{0}}},
    {"slice", 1, {S(7, 2)}, -1, 1, 2, {N("axis", 0), N("step", -3)}, 0, {{0}}}, {"slice", 1, {S(7, 2)}, -1, 1, 3, {N("axis", 0), N("start", -3), N("end", 100)}, 0, {{0}}},
    {"pad", 1, {S(2, 3)}, -1, 1, 3, {T("low", "1,0"), T("high", "0,2"), N("value", 1.5)}, 0, {{0}}},
    {"pad", 1, {S(2, 3)}, -1, 1, 2, {T("low", "1,2"), T("high", "0,2")}, 0, {{0}}}, {"expand", 1, {S(3, 1)}, -1, 1, 1, {T("shape", "2,0,4")}, 0, {{0}}},
    {"concat", 2, {S(2, 3, 2), S(2, 5, 2)}, -1, 1, 1, {N("axis", 1)}, 0, {{0}}}, {"stack", 2, {S(2, 3), S(2, 3)}, -1, 1, 1, {N("axis", 1)}, 0, {{0}}},
    {"stack", 2, {S(2, 3), S(2, 3)}, -1, 1, 1, {N("axis", -1)}, 0, {{0}}}, {"roll", 1, {S(2, 5)}, -1, 1, 2, {N("axis", 1), N("shift", -7)}, 0, {{0}}},
    {"flip", 1, {S(4, 5)}, -1, 1, 1, {N("axis", 0)}, 0, {{0}}}, {"space-to-depth", 1, {S(2, 4, 6, 3)}, -1, 1, 1, {N("block", 2)}, 0, {{0}}},
    {"depth-to-space", 1, {S(2, 2, 3, 12)}, -1, 1, 1, {N("block", 2)}, 0, {{0}}},
    ONE("softmax", -3, 3), ONE("log-softmax", -3, 3), ONE("elu", -2, 2), ONE("hard-tanh", -2, 2), ONE("softsign", -2, 2), ONE("gelu-tanh", -3, 3), ONE("normalise", -1, 1),
    ONE("dropout", -1, 1), ONE("round-through", -3, 3),
    {"softmax", 1, {S(2, 3, 4)}, -2, 2, 1, {N("axis", 1)}, 0, {{0}}}, {"layer-norm", 1, {S(2, 3, 4)}, -2, 2, 2, {N("axes", 2), N("eps", 1e-3)}, 2, {S(3, 4), S(3, 4)}},
    {"layer-norm", 1, {S(3, 7)}, -2, 2, 0, {{0}}, 0, {{0}}}, {"rms-norm", 1, {S(3, 7)}, -2, 2, 0, {{0}}, 1, {S(7)}},
    {"group-norm", 1, {S(2, 3, 2, 6)}, -2, 2, 1, {N("groups", 3)}, 2, {S(6), S(6)}}, {"gate", 1, {S(2, 3, 4)}, -1, 1, 0, {{0}}, 1, {S(4)}},
    {"conv", 1, {S(2, 9, 8, 4)}, -1, 1, 4, {N("stride_0", 2), N("pad", 1), N("high_1", 2), N("groups", 2)}, 2, {S(3, 2, 2, 6), S(6)}},
    {"conv", 1, {S(2, 9, 3)}, -1, 1, 3, {N("dilation", 2), N("pad", 2), T("padding", "circular")}, 1, {S(3, 3, 2)}},
    {"conv", 1, {S(1, 4, 5, 6, 2)}, -1, 1, 2, {N("pad", 1), T("padding", "reflect")}, 1, {S(3, 3, 3, 2, 2)}},
    {"conv-transpose", 1, {S(2, 4, 5, 3)}, -1, 1, 4, {N("stride", 2), N("low", 1), N("more_0", 1), N("groups", 1)}, 2, {S(3, 3, 2, 3), S(2)}},
    {"conv-transpose", 1, {S(2, 4, 4)}, -1, 1, 2, {N("stride", 3), N("groups", 2)}, 1, {S(3, 3, 4)}},
    {"max-pool", 1, {S(2, 7, 6, 3)}, -1, 1, 3, {N("window_0", 3), N("stride", 2), N("low_0", 1)}, 0, {{0}}}, {"average-pool", 1, {S(2, 7, 6, 3)}, -1, 1, 2, {N("window", 3), N("pad", 1)}, 0, {{0}}},
    {"average-pool", 1, {S(2, 7, 3)}, -1, 1, 3, {N("window", 3), N("pad", 1), N("count_padding", 1)}, 0, {{0}}}, {"global-average", 1, {S(2, 3, 4, 5)}, -1, 1, 0, {{0}}, 0, {{0}}},
    {"sum", 1, {S(2, 3, 4)}, -1, 1, 2, {T("axes", "0,-1"), N("keep", 1)}, 0, {{0}}}, {"mean", 1, {S(2, 3, 4)}, -1, 1, 1, {T("axes", "1")}, 0, {{0}}},
    {"max-over", 1, {S(2, 3, 4)}, -1, 1, 1, {T("axes", "-1")}, 0, {{0}}}, {"log-sum-exp", 1, {S(2, 3, 4)}, -1, 1, 2, {T("axes", "2"), N("keep", 1)}, 0, {{0}}}};

static nigh_network *build_case(nigh_context *ctx, const kind_case *c, nigh_dtype dtype)
{
    nigh_network *net;
    int in[3], weight[2];
    assert_ok(ctx, nigh_network_new(ctx, dtype, &net));
    for (int i = 0; i < c->inputs; i++) in[i] = nigh_network_input(net, (const char *[]){"a", "b", "c"}[i], c->shape[i].ndim, c->shape[i].dim);
    for (int i = 0; i < c->weights; i++) weight[i] = nigh_network_weight(net, (const char *[]){"w", "v"}[i], c->weight[i].ndim, c->weight[i].dim, (nigh_init){0});
    nigh_network_output(net, nigh_network_add(net, c->kind, "layer", c->inputs, in, c->weights, weight, c->attributes, c->attribute));
    assert_ok(ctx, nigh_network_status(net));
    fill_weights(net, -1, 1, 5);
    return net;
}

/* Tokens into a table, and running statistics: what the cases above cannot say. */
static void test_tokens_and_statistics(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_array x = {0};
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int t = nigh_network_tokens(net, "tokens", 2, (int64_t[]){-1, 4}), table = nigh_network_weight(net, "table", 2, (int64_t[]){9, 5}, (nigh_init){0}), norm[4];
    int h = nigh_network_add(net, "embedding", "rows", 1, &t, 1, &table, 1, (nigh_attribute[]){{"scale", 2, NULL}});
    for (int i = 0; i < 4; i++) norm[i] = nigh_network_weight(net, (const char *[]){"mean", "variance", "gamma", "beta"}[i], 1, (int64_t[]){5}, (nigh_init){0});
    nigh_network_output(net, nigh_network_add(net, "batch-norm", "norm", 1, &h, 4, norm, 0, NULL));
    assert_ok(ctx, nigh_network_status(net));
    fill_weights(net, 0.5, 1.5, 4);
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){.dtype = NIGH_I32, .ndim = 2, .dim = {3, 4}}, &x));
    fill_uniform(&x, -1, 10, 5);
    check_network("tokens", net, &x, 1e-12);
    nigh_array_free(ctx, &x);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_kinds(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int wide = 0; wide < 2; wide++) {
            const kind_case *c = &cases[k];
            nigh_network *net = build_case(ctx, c, wide ? NIGH_F64 : NIGH_F32), *again;
            nigh_array x[3];
            nigh_buffer file = {.ctx = ctx};
            for (int i = 0; i < c->inputs; i++) {
                nigh_shape shape = c->shape[i];
                shape.dtype = wide ? NIGH_F64 : NIGH_F32;
                assert_ok(ctx, nigh_array_new(ctx, &shape, &x[i]));
                fill_uniform(&x[i], c->low, c->high, 7 + (uint64_t)i);
            }
            check_network(c->kind, net, x, wide ? 1e-12 : 2e-6);
            assert_ok(ctx, nigh_network_format(net, &file));
            assert_ok(ctx, nigh_network_parse(ctx, file.data, file.size, "again", &again));
            check_network(c->kind, again, x, wide ? 1e-12 : 2e-6);
            for (int i = 0; i < c->inputs; i++) nigh_array_free(ctx, &x[i]);
            nigh_buffer_free(&file);
            nigh_network_free(again);
            nigh_network_free(net);
        }
    test_context_free(ctx);
}

/* x [any, 6] -> 5 -> relu -> 3, and a second output that adds the hidden layer's mean. */
static nigh_network *small_net(nigh_context *ctx, nigh_dtype dtype)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, dtype, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 6}), h = nigh_network_linear(net, "hidden", x, 6, 5, true);
    h = nigh_network_layer(net, "relu", "act", 1, &h);
    int y = nigh_network_linear(net, "out", h, 5, 3, true);
    nigh_network_output(net, y);
    int m = nigh_network_add(net, "mean", "middle", 1, &h, 0, NULL, 2, (nigh_attribute[]){{"axes", 0, "1"}, {"keep", 1, NULL}});
    nigh_network_output(net, nigh_network_layer(net, "add", "both", 2, (int[]){y, m}));
    assert_ok(ctx, nigh_network_status(net));
    fill_weights(net, -0.5, 0.5, 3);
    return net;
}

static void record_with(nigh_context *ctx, nigh_network *net, nigh_hook_fn *hook, void *user, nigh_tape **tape, nigh_node *x, nigh_node *y)
{
    nigh_node weight[16], out[2];
    nigh_recording how = {.hook = hook, .user = user};
    assert_ok(ctx, nigh_tape_new(ctx, tape));
    *x = nigh_tape_input(*tape, "x", NIGH_F64, 2, (int64_t[]){2, 6});
    assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(net), *tape, weight));
    assert_ok(ctx, nigh_network_record(net, *tape, &how, x, weight, out));
    *y = out[0];
}

static nigh_node put_hooks(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    /* mask input column 0, replace nothing, collect act; the mask node lives on this tape */
    int at[1] = {0};
    nigh_node mask[1] = {nigh_tape_constant(tape, NIGH_F64, 1, (int64_t[]){6}, (double[]){0, 1, 1, 1, 1, 1})};
    nigh_hook_nodes masked = {1, at, mask};
    nigh_hook_list list = {2, (nigh_hook_fn *const[]){nigh_hook_mask, nigh_hook_collect}, (void *const[]){&masked, user}};
    return nigh_hook_chain(&list, tape, layer, value);
}

static void test_hooks(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small_net(ctx, NIGH_F64);
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node x, y, found[2] = {NIGH_NONE, NIGH_NONE}, gradient;
    int chosen[2] = {nigh_network_find(net, "act"), nigh_network_find(net, "x")};
    nigh_hook_nodes collect = {2, chosen, found};
    record_with(ctx, net, put_hooks, &collect, &tape, &x, &y);
    assert_int_not_equal(found[0], NIGH_NONE);
    assert_int_not_equal(found[1], x); /* what the mask made of it */
    assert_ok(ctx, nigh_tape_gradient(tape, y, NIGH_NONE, 1, &x, &gradient));
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &gradient, &run));
    nigh_executor_free(run);
    nigh_tape_free(tape);

    /* quantise the hidden layer to 3 levels */
    double low = 0, high = 0.5;
    nigh_hook_grids grids = {1, chosen, &low, &high, 3};
    record_with(ctx, net, nigh_hook_quantise, &grids, &tape, &x, &y);
    nigh_tape_free(tape);
    nigh_node q;
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    x = nigh_tape_input(tape, "x", NIGH_F64, 1, (int64_t[]){5});
    q = nigh_tape_quantise(tape, x, -1, 1, 5);
    assert_ok(ctx, nigh_tape_gradient(tape, q, NIGH_NONE, 1, &x, &gradient));
    assert_ok(ctx, nigh_executor_new(ctx, tape, 2, (nigh_node[]){q, gradient}, &run));
    memcpy(nigh_executor_data(run, x), (double[]){-3, -0.7, 0.1, 0.3, 2}, 5 * sizeof(double));
    assert_ok(ctx, nigh_executor_run(run));
    const double want[5] = {-1, -0.5, 0, 0.5, 1}, slope[5] = {0, 1, 1, 1, 0};
    for (int i = 0; i < 5; i++) {
        assert_near(((double *)nigh_executor_data(run, q))[i], want[i], 1e-15, 0);
        assert_near(((double *)nigh_executor_data(run, gradient))[i], slope[i], 0, 0);
    }
    assert_int_equal(nigh_tape_quantise(tape, x, 1, 1, 5), NIGH_NONE);
    assert_non_null(strstr(nigh_message(ctx), "quantise"));
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_network_free(net);
    test_context_free(ctx);
}

static nigh_node wrong_shape(void *user, nigh_tape *tape, int layer, nigh_node value) { return layer == 1 ? nigh_tape_sum(tape, value, 1, false) : value; }

static void test_wrong_hook(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small_net(ctx, NIGH_F64);
    nigh_tape *tape;
    nigh_node x, weight[8], out[2];
    nigh_recording how = {.hook = wrong_shape};
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    x = nigh_tape_input(tape, "x", NIGH_F64, 2, (int64_t[]){2, 6});
    assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(net), tape, weight));
    assert_fails(ctx, nigh_network_record(net, tape, &how, &x, weight, out), NIGH_INVALID, "hook of layer 'hidden'");
    nigh_tape_free(tape);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_describe(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small_net(ctx, NIGH_F32);
    nigh_buffer text = {.ctx = ctx};
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = 2, .dim = {10, 6}};
    assert_ok(ctx, nigh_network_describe(net, &shape, NIGH_NETWORK_TABLE, &text));
    assert_non_null(strstr(text.data, "hidden"));
    assert_non_null(strstr(text.data, "650")); /* 2 * 10 * 6 * 5 and 50 sums with the bias */
    assert_non_null(strstr(text.data, "[10,3]"));
    text.size = 0;
    assert_ok(ctx, nigh_network_describe(net, &shape, NIGH_NETWORK_JSON, &text));
    assert_non_null(strstr(text.data, "\"weights\": 53"));
    shape.dim[1] = 7;
    assert_fails(ctx, nigh_network_describe(net, &shape, NIGH_NETWORK_JSON, &text), NIGH_INVALID, "input 'x'");
    nigh_buffer_free(&text);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_clone(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small_net(ctx, NIGH_F64), *narrow, *wide;
    nigh_array x = {0}, y[2], z[2];
    nigh_parameters_at(nigh_network_parameters(net), 0)->frozen = true;
    assert_ok(ctx, nigh_network_clone(net, NIGH_F32, &narrow));
    assert_ok(ctx, nigh_network_clone(narrow, NIGH_F64, &wide));
    assert_true(nigh_parameters_at(nigh_network_parameters(wide), 0)->frozen);
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){.dtype = NIGH_F64, .ndim = 2, .dim = {4, 6}}, &x));
    fill_uniform(&x, -1, 1, 1);
    assert_ok(ctx, nigh_network_evaluate_f64(net, &x, y));
    assert_ok(ctx, nigh_network_evaluate_f64(wide, &x, z));
    for (int o = 0; o < 2; o++) {
        for (int i = 0; i < 12; i++) assert_near(nigh_array_get(&z[o], i), nigh_array_get(&y[o], i), 1e-6, 0);
        nigh_array_free(ctx, &y[o]);
        nigh_array_free(ctx, &z[o]);
    }
    ((double *)nigh_parameters_data(nigh_network_parameters(net), 1))[0] = 1e300;
    nigh_network *none = NULL;
    assert_fails(ctx, nigh_network_clone(net, NIGH_F32, &none), NIGH_INVALID, "beyond f32");
    assert_null(none);
    nigh_array_free(ctx, &x);
    nigh_network_free(wide);
    nigh_network_free(narrow);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* The file with one piece of its text replaced by another of the same length. */
static void check_broken(nigh_context *ctx, const nigh_buffer *file, const char *from, const char *to, nigh_status status, const char *message)
{
    nigh_network *net = NULL;
    char *bytes = malloc(file->size), *at;
    memcpy(bytes, file->data, file->size);
    at = memmem(bytes, file->size, from, strlen(from));
    assert_non_null(at);
    memcpy(at, to, strlen(to));
    assert_fails(ctx, nigh_network_parse(ctx, bytes, file->size, "broken", &net), status, message);
    assert_null(net);
    free(bytes);
}

static void test_broken_files(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small_net(ctx, NIGH_F32);
    nigh_buffer file = {.ctx = ctx};
    assert_ok(ctx, nigh_network_format(net, &file));
    check_broken(ctx, &file, "nigh-network", "nigh-netzork", NIGH_FORMAT, "nigh-netzork");
    check_broken(ctx, &file, "\"version\":\"1\"", "\"version\":\"9\"", NIGH_UNSUPPORTED, "version");
    check_broken(ctx, &file, "relu", "rely", NIGH_FORMAT, "'rely', which is unknown");
    check_broken(ctx, &file, "\\\"name\\\":\\\"act\\\"", "\\\"name\\\":\\\"out\\\"", NIGH_FORMAT, "there is a layer 'out' already");
    check_broken(ctx, &file, "\\\"outputs\\\":[3", "\\\"outputs\\\":[9", NIGH_FORMAT, "outputs");
    check_broken(ctx, &file, "\\\"inputs\\\":[1]", "\\\"inputs\\\":[7]", NIGH_FORMAT, "inputs");
    check_broken(ctx, &file, "\\\"name\\\":\\\"out.bias\\\"", "\\\"name\\\":\\\"out.bibs\\\"", NIGH_FORMAT, "out.bibs");
    check_broken(ctx, &file, "\\\"rate\\\":1", "\\\"rate\\\":N", NIGH_FORMAT, "");
    nigh_network *again = NULL;
    assert_fails(ctx, nigh_network_parse(ctx, file.data, file.size - 4, "short", &again), NIGH_FORMAT, "short");
    float nan = NAN;
    memcpy(file.data + file.size - 4, &nan, 4);
    assert_fails(ctx, nigh_network_parse(ctx, file.data, file.size, "nan", &again), NIGH_FORMAT, "finite");
    nigh_buffer_free(&file);
    nigh_network_free(net);
    test_context_free(ctx);
}

typedef struct apply_job {
    const nigh_network_runner *runner;
    const float *x;
    float y[100 * 3], z[100 * 3];
} apply_job;

static void *apply(void *user)
{
    apply_job *j = user;
    void *room = malloc(nigh_network_runner_workspace(j->runner));
    for (int i = 0; i < 20; i++) nigh_network_runner_apply(j->runner, 100, (const void *const[]){j->x}, (void *const[]){j->y, j->z}, room);
    free(room);
    return NULL;
}

static void test_runner(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small_net(ctx, NIGH_F32);
    nigh_network_runner *runner = NULL;
    nigh_array x = {0}, want[2];
    static apply_job job[2];
    pthread_t thread[2];
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = 2, .dim = {100, 6}};
    assert_ok(ctx, nigh_array_new(ctx, &shape, &x));
    fill_uniform(&x, -1, 1, 9);
    assert_fails(ctx, nigh_network_runner_new(net, &shape, 2, (int64_t[]){8, 2}, 1, &runner), NIGH_INVALID, "must be 1");
    assert_ok(ctx, nigh_network_runner_new(net, &shape, 3, (int64_t[]){1, 32, 7}, 1, &runner));
    assert_int_equal(nigh_network_runner_shape(runner, 0)->dim[1], 3);
    for (int t = 0; t < 2; t++) {
        job[t] = (apply_job){.runner = runner, .x = x.data};
        assert_int_equal(pthread_create(&thread[t], NULL, apply, &job[t]), 0);
    }
    for (int t = 0; t < 2; t++) pthread_join(thread[t], NULL);
    assert_ok(ctx, nigh_network_evaluate_f64(net, &x, want));
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < 300; i++) {
            assert_near(job[t].y[i], nigh_array_get(&want[0], i), 1e-6, 1e-6);
            assert_near(job[t].z[i], nigh_array_get(&want[1], i), 1e-6, 1e-6);
        }
    for (int o = 0; o < 2; o++) nigh_array_free(ctx, &want[o]);
    nigh_network_runner_free(runner);
    nigh_array_free(ctx, &x);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    static const struct { const char *kind; nigh_attribute attribute; const char *message; } wrong[] = {
        {"linear", {"x", 1, NULL}, "0 weights"}, {"reshape", {"shape", 0, "0,,2"}, "list"}, {"reshape", {"x", 0, NULL}, "'shape'"}, {"permute", {"order", 0, "0,0"}, "permute"},
        {"permute", {"order", 0, "0"}, "order of 1"}, {"slice", {"step", 0, NULL}, "step"}, {"slice", {"axis", 5, NULL}, "axis 5"}, {"slice", {"start", 99, NULL}, "nothing is left"},
        {"pad", {"low", 0, "1,1"}, "'high'"}, {"sum", {"axes", 0, "2"}, "axis 2"}, {"space-to-depth", {"block", 2, NULL}, "space-to-depth"}, {"constant", {"x", 1, NULL}, "node -1"},
        {"roll", {"axis", 1e300, NULL}, "roll"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        nigh_network *net;
        nigh_tape *tape;
        nigh_node x, y;
        assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
        int in = nigh_network_input(net, "x", 2, (int64_t[]){4, 6});
        nigh_network_output(net, nigh_network_add(net, wrong[i].kind, "layer", strcmp(wrong[i].kind, "constant") ? 1 : 0, &in, 0, NULL, 1, &wrong[i].attribute));
        assert_ok(ctx, nigh_network_status(net));
        assert_ok(ctx, nigh_tape_new(ctx, &tape));
        x = nigh_tape_input(tape, "x", NIGH_F32, 2, (int64_t[]){4, 6});
        assert_fails(ctx, nigh_network_record(net, tape, NULL, &x, NULL, &y), NIGH_INVALID, wrong[i].message);
        nigh_tape_free(tape);
        nigh_network_free(net);
    }
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    assert_int_equal(nigh_network_layer(net, "input", "x", 0, NULL), -1);
    assert_non_null(strstr(nigh_message(ctx), "nigh_network_input"));
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Whatever allocation fails: a status, nothing left behind. */
static void test_failing_memory(void **state)
{
    for (long at = 1; at < 4000; at = at < 60 ? at + 1 : at + 37) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_network *net = NULL, *again = NULL;
        nigh_network_runner *runner = NULL;
        nigh_buffer file = {.ctx = ctx};
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = 2, .dim = {1, 4}};
        nigh_status status = nigh_network_new(ctx, NIGH_F32, &net);
        if (!status) {
            int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 4});
            nigh_network_output(net, nigh_network_linear(net, "out", x, 4, 3, true));
            status = nigh_network_status(net);
        }
        if (!status) status = nigh_network_format(net, &file);
        if (!status) status = nigh_network_parse(ctx, file.data, file.size, "x", &again);
        if (!status) status = nigh_network_runner_new(again, &shape, 0, NULL, 1, &runner);
        nigh_network_runner_free(runner);
        nigh_network_free(again);
        nigh_network_free(net);
        nigh_buffer_free(&file);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) return;
        assert_int_equal(status, NIGH_MEMORY);
    }
}

/* A kind that stands in two lists would mean two things. */
static void test_names_of_kinds(void **state)
{
    int count = 0;
    for (const nigh_layer_kind *kind; (kind = nigh_layer_kind_at(count)); count++) {
        assert_ptr_equal(nigh_layer_kind_find(kind->name), kind);
        assert_true(kind->summary && kind->record && (kind->most_inputs == -1 || kind->most_inputs >= kind->least_inputs));
    }
    assert_true(count > 80);
    assert_null(nigh_layer_kind_find("no such kind"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_kinds), cmocka_unit_test(test_kinds), cmocka_unit_test(test_tokens_and_statistics), cmocka_unit_test(test_hooks), cmocka_unit_test(test_wrong_hook), cmocka_unit_test(test_describe),
        cmocka_unit_test(test_clone), cmocka_unit_test(test_broken_files), cmocka_unit_test(test_runner), cmocka_unit_test(test_misuse), cmocka_unit_test(test_failing_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
