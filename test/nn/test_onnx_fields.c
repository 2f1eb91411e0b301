/* Layers on fields as ONNX: written, read again, and run by another program where it is there. */
#include "exported.h"
#include "networks.h"
#include "support.h"

#include "nigh/fields.h"
#include "nigh/io.h"
#include "nigh/layers.h"
#include "nigh/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs FILE.onnx on FILE.x.npy and writes FILE.y.npy. */
static const char script[] = "import sys, numpy, onnxruntime\n"
                             "session = onnxruntime.InferenceSession(sys.argv[1] + '.onnx', providers=['CPUExecutionProvider'])\n"
                             "y = session.run(None, {session.get_inputs()[0].name: numpy.load(sys.argv[1] + '.x.npy')})\n"
                             "numpy.save(sys.argv[1] + '.y.npy', y[0])\n";

static const char *python(void)
{
    const char *named = getenv("NIGH_PYTHON");
    return named ? named : "python3";
}

static bool has_runtime(void)
{
    static int there = -1;
    char command[512];
    snprintf(command, sizeof command, "%s -c 'import onnxruntime, numpy' >/dev/null 2>&1", python());
    if (there < 0) there = !system(command);
    return there;
}

static void check_runtime(nigh_context *ctx, nigh_network *net, const nigh_shape *open, const nigh_array *x, const nigh_array *want)
{
    char *folder = test_folder_new(), path[512], command[2048];
    nigh_array got = {0};
    snprintf(path, sizeof path, "%s/net.onnx", folder);
    assert_ok(ctx, nigh_onnx_write(net, open, path));
    snprintf(path, sizeof path, "%s/net.x.npy", folder);
    assert_ok(ctx, nigh_npy_write(ctx, path, x));
    snprintf(path, sizeof path, "%s/run.py", folder);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(script, 1, sizeof script - 1, file), sizeof script - 1);
    fclose(file);
    snprintf(command, sizeof command, "%s %s/run.py %s/net", python(), folder, folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/net.y.npy", folder);
    assert_ok(ctx, nigh_npy_read(ctx, path, &got));
    assert_int_equal(nigh_shape_count(&got.shape), nigh_shape_count(&want->shape));
    for (int64_t i = 0; i < nigh_shape_count(&got.shape); i++) assert_near(nigh_array_get(&got, i), nigh_array_get(want, i), 2e-5, 2e-5);
    nigh_array_free(ctx, &got);
    test_folder_remove(folder);
}

static void check(nigh_network *net, const nigh_shape *shape, double weights)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_network *again;
    nigh_buffer file = {.ctx = ctx};
    nigh_shape open = *shape;
    nigh_array x = {0}, a, b;
    if (nigh_network_status(net)) fail_msg("%s", nigh_message(ctx));
    fill_weights(net, weights < 0 ? 0.3 : -weights, weights < 0 ? -weights : weights, 2);
    open.dim[0] = -1;
    if (nigh_onnx_format(net, &open, &file)) fail_msg("%s", nigh_message(ctx));
    if (nigh_onnx_parse(ctx, file.data, file.size, "again", &again)) fail_msg("%s", nigh_message(ctx));
    assert_ok(ctx, nigh_array_new(ctx, shape, &x));
    fill_uniform(&x, -1, 1, 3);
    run_on_tape(net, &x, &a);
    run_on_tape(again, &x, &b);
    assert_int_equal(a.shape.ndim, b.shape.ndim);
    for (int i = 0; i < a.shape.ndim; i++) assert_int_equal(a.shape.dim[i], b.shape.dim[i]);
    for (int64_t i = 0; i < nigh_shape_count(&a.shape); i++) assert_near(nigh_array_get(&b, i), nigh_array_get(&a, i), 1e-5, 1e-5);
    if (has_runtime() && shape->dtype == NIGH_F32) check_runtime(ctx, net, &open, &x, &a);
    nigh_array_free(ctx, &x), nigh_array_free(ctx, &a), nigh_array_free(ctx, &b);
    nigh_buffer_free(&file);
    nigh_network_free(again);
    nigh_network_free(net);
}

static void test_convolutions(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int dims = 1; dims <= 2; dims++) {
        nigh_network *net = new_network(ctx, NIGH_F32);
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = dims + 2, .dim = {2, 13, 9}};
        int64_t three[] = {3, 3}, two[] = {2, 2};
        shape.dim[dims + 1] = 6;
        nigh_shape open = shape;
        open.dim[0] = -1;
        int x = nigh_network_input(net, "x", shape.ndim, open.dim);
        nigh_convolution strided = {.stride = {2, 1}, .low = {1, 0}, .high = {1, 2}, .groups = 2}, round = {.dilation = {2, 1}, .low = {2, 1}, .high = {2, 3}, .padding = NIGH_PAD_CIRCULAR};
        nigh_convolution mirrored = {.low = {1, 2}, .high = {1, 0}, .padding = NIGH_PAD_REFLECT}, half = {.stride = {2, 2}, .low = {1, 1}, .high = {1, 1}};
        x = nigh_network_conv(net, "a", x, 6, 8, dims, three, &strided, true);
        x = nigh_network_conv(net, "b", x, 8, 4, dims, three, &round, false);
        x = nigh_network_conv(net, "c", x, 4, 4, dims, three, &mirrored, true);
        x = nigh_network_conv_transpose(net, "d", x, 4, 6, dims, three, &half, true);
        x = nigh_network_conv_transpose(net, "e", x, 6, 3, dims, two, &(nigh_convolution){.stride = {2, 2}, .groups = 3}, false);
        nigh_network_output(net, x);
        check(net, &shape, 0.4);
    }
    test_context_free(ctx);
}

static void test_between(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int wide = 0; wide < 2; wide++) {
        nigh_dtype dtype = wide ? NIGH_F64 : NIGH_F32;
        nigh_network *net = new_network(ctx, dtype);
        nigh_shape shape = {.dtype = dtype, .ndim = 4, .dim = {2, 9, 10, 12}};
        int64_t c = 12;
        int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, 9, 10, 12}), w[4];
        for (int i = 0; i < 4; i++) w[i] = nigh_network_weight(net, (const char *const[]){"w0", "w1", "w2", "w3"}[i], 1, &c, (nigh_init){0});
        x = add_layer(net, "group-norm", x, 2, w, 1, (nigh_attribute[]){{"groups", 3, NULL}});
        x = add_layer(net, "resample", x, 0, NULL, 2, (nigh_attribute[]){{"size_0", 13, NULL}, {"size_1", 7, NULL}});
        x = add_layer(net, "batch-norm", x, 4, w, 0, NULL);
        x = add_layer(net, "gate", x, 1, w, 0, NULL);
        x = add_layer(net, "resample", x, 0, NULL, 2, (nigh_attribute[]){{"scale", 2, NULL}, {"align_corners", 1, NULL}});
        x = add_layer(net, "group-norm", x, 0, NULL, 1, (nigh_attribute[]){{"groups", 12, NULL}});
        x = add_layer(net, "average-pool", x, 0, NULL, 3, (nigh_attribute[]){{"window", 3, NULL}, {"pad", 1, NULL}, {"count_padding", 1, NULL}});
        x = add_layer(net, "resample", x, 0, NULL, 2, (nigh_attribute[]){{"size", 11, NULL}, {"method", 0, "nearest"}});
        x = add_layer(net, "max-pool", x, 0, NULL, 3, (nigh_attribute[]){{"window", 3, NULL}, {"stride", 2, NULL}, {"pad", 1, NULL}});
        x = add_layer(net, "softmax", x, 0, NULL, 1, (nigh_attribute[]){{"axis", -1, NULL}});
        nigh_network_output(net, add_layer(net, "global-average", x, 0, NULL, 0, NULL));
        check(net, &shape, -2);
    }
    test_context_free(ctx);
}

static void test_unets(void **state)
{
    static const nigh_unet_spec specs[] = {{.dims = 2, .in = 2, .out = 1, .base = 4, .scales = 3, .norm = NIGH_UNET_GROUP},
                                           {.dims = 2, .in = 1, .out = 2, .base = 4, .scales = 2, .padding = NIGH_PAD_CIRCULAR, .strided = true, .transposed = true, .norm = NIGH_UNET_PLAIN}};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        nigh_network *net;
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = 4, .dim = {2, 12, 16, specs[i].in}};
        assert_ok(ctx, nigh_unet_new(ctx, NIGH_F32, &specs[i], &net));
        check(net, &shape, 0.3);
    }
    test_context_free(ctx);
}

static void test_not_written(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < 2; i++) {
        nigh_network *net = new_network(ctx, NIGH_F32);
        nigh_buffer file = {.ctx = ctx};
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = 3, .dim = {1, 8, 2}};
        int x = nigh_network_input(net, "x", 3, shape.dim);
        if (i) x = nigh_network_conv_transpose(net, "up", x, 2, 2, 1, (int64_t[]){4}, &(nigh_convolution){.stride = {2}, .low = {1}, .high = {1}, .padding = NIGH_PAD_CIRCULAR}, false);
        else x = add_layer(net, "resample", x, 0, NULL, 1, (nigh_attribute[]){{"method", 0, "fourier"}});
        nigh_network_output(net, x);
        assert_fails(ctx, nigh_onnx_format(net, &shape, &file), NIGH_UNSUPPORTED, i ? "other padding than zeros" : "Fourier series");
        assert_int_equal(file.size, 0);
        nigh_buffer_free(&file);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_convolutions), cmocka_unit_test(test_between), cmocka_unit_test(test_unets), cmocka_unit_test(test_not_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
