/* ONNX: files of another program with its results; what is written and read again; what is not read; broken bytes. */
#include "networks.h"
#include "support.h"

#include "nigh/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_file(const char *name)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_bundle known = {.ctx = ctx};
    nigh_array got;
    char path[512];
    snprintf(path, sizeof path, "%s/test/nn/data/%s.onnx", NIGH_SOURCE_DIR, name);
    assert_ok(ctx, nigh_onnx_read(ctx, path, &net));
    snprintf(path, sizeof path, "%s/test/nn/data/%s.npz", NIGH_SOURCE_DIR, name);
    assert_ok(ctx, nigh_npz_read(ctx, path, &known));
    nigh_array x = *nigh_bundle_find(&known, "x");
    const nigh_array *y = nigh_bundle_find(&known, "y");
    assert_int_equal(nigh_network_input_shape(net, 0)->dim[0], -1);
    run_on_tape(net, &x, &got);
    assert_int_equal(got.shape.ndim, y->shape.ndim);
    for (int i = 0; i < got.shape.ndim; i++) assert_int_equal(got.shape.dim[i], y->shape.dim[i]);
    for (int64_t i = 0; i < nigh_shape_count(&y->shape); i++) assert_near(nigh_array_get(&got, i), nigh_array_get(y, i), 2e-6, 2e-6);
    nigh_array_free(ctx, &got);
    nigh_bundle_free(&known);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_image(void **state) { check_file("image"); }
static void test_sequence(void **state) { check_file("sequence"); }

/* Turns to channels-last and back cancel: one at the beginning, one at the end of the image. */
static void test_turns(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    int turns = 0;
    assert_ok(ctx, nigh_onnx_read(ctx, NIGH_SOURCE_DIR "/test/nn/data/image.onnx", &net));
    for (int i = 0; i < nigh_network_layers(net); i++) turns += !strcmp(nigh_network_at(net, i)->kind, "permute");
    assert_true(turns <= 5);
    nigh_network_free(net);
    test_context_free(ctx);
}

typedef struct step {
    const char *kind;
    int inputs, input[3]; /* layers by number */
    int attributes;
    nigh_attribute attribute[4];
    int weights;
    nigh_shape weight[2];
} step;

#define S(...) {.ndim = sizeof((int[]){__VA_ARGS__}) / sizeof(int), .dim = {__VA_ARGS__}}

static void test_round_trip(void **state)
{
    static const step steps[] = {{"linear", 1, {0}, 0, {{0}}, 2, {S(6, 8), S(8)}}, {"gelu", 1, {1}, 0, {{0}}, 0, {{0}}}, {"reshape", 1, {2}, 1, {{"shape", 0, "0,4,2"}}, 0, {{0}}},
        {"permute", 1, {3}, 1, {{"order", 0, "0,2,1"}}, 0, {{0}}}, {"matmul", 2, {4, 4}, 1, {{"transpose-b", 1, NULL}}, 0, {{0}}}, {"softmax", 1, {5}, 1, {{"axis", -1, NULL}}, 0, {{0}}},
        {"channel-affine", 1, {6}, 0, {{0}}, 2, {S(2), S(2)}}, {"silu", 1, {7}, 0, {{0}}, 0, {{0}}}, {"softplus", 1, {8}, 1, {{"beta", 2, NULL}}, 0, {{0}}},
        {"flatten", 1, {9}, 0, {{0}}, 0, {{0}}}, {"affine", 1, {10}, 2, {{"scale", 2, NULL}, {"shift", -1, NULL}}, 0, {{0}}},
        {"slice", 1, {11}, 3, {{"axis", 1, NULL}, {"start", 3, NULL}, {"step", -2, NULL}}, 0, {{0}}}, {"pad", 1, {12}, 3, {{"low", 0, "0,1"}, {"high", 0, "0,1"}, {"value", 0.5, NULL}}, 0, {{0}}},
        {"concat", 2, {13, 11}, 1, {{"axis", 1, NULL}}, 0, {{0}}}, {"clamp", 1, {14}, 2, {{"low", -0.5, NULL}, {"high", 0.7, NULL}}, 0, {{0}}},
        {"mean", 1, {15}, 2, {{"axes", 0, "1"}, {"keep", 1, NULL}}, 0, {{0}}}, {"sub", 2, {15, 16}, 0, {{0}}, 0, {{0}}}, {"tanh", 1, {17}, 0, {{0}}, 0, {{0}}},
        {"layer-norm", 1, {18}, 1, {{"axes", 1, NULL}}, 2, {S(8), S(8)}}, {"constant", 0, {0}, 0, {{0}}, 1, {S(1, 8)}}, {"mul", 2, {19, 20}, 0, {{0}}, 0, {{0}}},
        {"where", 3, {21, 19, 18}, 0, {{0}}, 0, {{0}}}, {"leaky-relu", 1, {22}, 1, {{"slope", 0.25, NULL}}, 0, {{0}}}, {"pow", 1, {23}, 1, {{"exponent", 2, NULL}}, 0, {{0}}},
        {"max-over", 1, {24}, 1, {{"axes", 0, "1"}}, 0, {{0}}}, {"max", 2, {24, 17}, 0, {{0}}, 0, {{0}}}};
    nigh_context *ctx = test_context_new();
    for (int wide = 0; wide < 2; wide++) {
        nigh_network *net, *again;
        nigh_buffer file = {.ctx = ctx};
        nigh_shape shape = {.dtype = wide ? NIGH_F64 : NIGH_F32, .ndim = 2, .dim = {5, 6}}, open = shape;
        nigh_array x = {0}, a[2], b[2];
        open.dim[0] = -1;
        assert_ok(ctx, nigh_network_new(ctx, shape.dtype, &net));
        nigh_network_input(net, "x", 2, (int64_t[]){-1, 6});
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            const step *s = &steps[i];
            char name[32], text[48];
            int weight[2];
            snprintf(name, sizeof name, "step%zu", i + 1);
            for (int k = 0; k < s->weights; k++) {
                snprintf(text, sizeof text, "%s.w%d", name, k);
                weight[k] = nigh_network_weight(net, text, s->weight[k].ndim, s->weight[k].dim, (nigh_init){0});
            }
            nigh_network_add(net, s->kind, name, s->inputs, s->input, s->weights, weight, s->attributes, s->attribute);
            if (nigh_network_status(net)) fail_msg("%s", nigh_message(ctx));
        }
        nigh_network_output(net, 25);
        nigh_network_output(net, 26);
        fill_weights(net, -1, 1, 2);
        assert_ok(ctx, nigh_onnx_format(net, &open, &file));
        assert_ok(ctx, nigh_onnx_parse(ctx, file.data, file.size, "again", &again));
        assert_int_equal(nigh_network_input_shape(again, 0)->dim[0], -1);
        assert_ok(ctx, nigh_array_new(ctx, &shape, &x));
        fill_uniform(&x, -1, 1, 3);
        run_on_tape(net, &x, a);
        run_on_tape(again, &x, b);
        for (int o = 0; o < 2; o++) {
            for (int64_t i = 0; i < nigh_shape_count(&a[o].shape); i++) assert_near(nigh_array_get(&b[o], i), nigh_array_get(&a[o], i), wide ? 1e-7 : 1e-5, 1e-5);
            nigh_array_free(ctx, &a[o]);
            nigh_array_free(ctx, &b[o]);
        }
        nigh_array_free(ctx, &x);
        nigh_buffer_free(&file);
        nigh_network_free(again);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

static void test_broken(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = NULL;
    char *bytes = NULL;
    FILE *file = fopen(NIGH_SOURCE_DIR "/test/nn/data/sequence.onnx", "rb");
    assert_non_null(file);
    bytes = malloc(1 << 16);
    size_t size = fread(bytes, 1, 1 << 16, file);
    fclose(file);
    for (size_t cut = 0; cut < size; cut += 7) { /* any beginning is refused, none crashes */
        if (nigh_onnx_parse(ctx, bytes, cut, "cut", &net) == NIGH_OK) fail_msg("%zu bytes of %zu pass", cut, size);
        assert_null(net);
    }
    for (size_t i = 0; i < size; i += 3) { /* so does any bit, whatever it makes of the file */
        bytes[i] ^= 1 << i % 8;
        if (nigh_onnx_parse(ctx, bytes, size, "flipped", &net) == NIGH_OK) nigh_network_free(net), net = NULL;
        bytes[i] ^= 1 << i % 8;
    }
    char *at = memmem(bytes, size, "LeakyRelu", 9);
    assert_non_null(at);
    memcpy(at, "LeakyRelo", 9);
    assert_fails(ctx, nigh_onnx_parse(ctx, bytes, size, "unknown", &net), NIGH_UNSUPPORTED, "LeakyRelo");
    assert_fails(ctx, nigh_onnx_parse(ctx, "", 0, "empty", &net), NIGH_FORMAT, "no graph");
    assert_fails(ctx, nigh_onnx_read(ctx, "/no/such/file.onnx", &net), NIGH_IO, "/no/such/file.onnx");
    free(bytes);
    test_context_free(ctx);
}

static void test_not_written(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_buffer file = {.ctx = ctx};
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = 2, .dim = {-1, 6}};
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, shape.dim);
    nigh_network_output(net, nigh_network_layer(net, "expm1", "odd", 1, &x));
    assert_fails(ctx, nigh_onnx_format(net, &shape, &file), NIGH_UNSUPPORTED, "'expm1'");
    assert_int_equal(file.size, 0);
    nigh_buffer_free(&file);
    nigh_network_free(net);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_image), cmocka_unit_test(test_sequence), cmocka_unit_test(test_turns), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_broken), cmocka_unit_test(test_not_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
