/* Exported networks: Fourier transforms, batch norms, attention; U-Nets. */
#include "exported.h"
#include "networks.h"
#include "support.h"

#include "nigh/fields.h"
#include "nigh/layers.h"
#include "nigh/operators_fields.h"

#include <stdio.h>
#include <string.h>

static const exported_way fast[] = {{"gcc", "-std=c99 -O3 -march=native"}, {"clang", "-std=c99 -O2"}, {NULL, NULL}}, once[] = {{"gcc", "-std=c99 -O0"}, {NULL, NULL}};

/* To larger and smaller grids of even and odd sizes, whose factors are 2, 3, 4, 5, 7. */
static void test_fourier(void **state)
{
    static const double sizes[][3] = {{14, 9, 6}, {8, 20, 5}, {15, 6, 7}, {12, 10, 4}};
    nigh_context *ctx = test_context_new();
    for (int dims = 1; dims <= 3; dims++) {
        nigh_dtype dtype = dims == 1 ? NIGH_F64 : NIGH_F32;
        nigh_network *net = new_network(ctx, dtype);
        nigh_shape shape = {.dtype = dtype, .ndim = dims + 2, .dim = {2, 12, 7, 5}};
        shape.dim[dims + 1] = 3;
        int x = nigh_network_input(net, "x", shape.ndim, shape.dim);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            nigh_attribute how[] = {{"method", 0, "fourier"}, {"size_0", sizes[i][0], NULL}, {"size_1", sizes[i][1], NULL}, {"size_2", sizes[i][2], NULL}};
            x = add_layer(net, "resample", x, 0, NULL, 4, how);
            x = add_layer(net, "gelu", x, 0, NULL, 0, NULL);
        }
        check_output(net, x, &shape, 1, dims == 1 ? 1e-12 : 1e-5, dims == 2 ? fast : once);
    }
    test_context_free(ctx);
}

static void test_batch_norm(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = new_network(ctx, NIGH_F32);
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = 3, .dim = {3, 20, 5}};
    nigh_buffer text = {.ctx = ctx};
    int64_t c = 5;
    int x = nigh_network_input(net, "x", 3, shape.dim), w[4];
    for (int i = 0; i < 4; i++) w[i] = nigh_network_weight(net, (const char *const[]){"mean", "variance", "gamma", "beta"}[i], 1, &c, (nigh_init){0});
    nigh_network_output(net, add_layer(net, "batch-norm", x, 4, w, 0, NULL));
    fill_weights(net, 0.5, 2, 3);
    check_exported(net, &shape, NULL, NULL, 1e-5, once, &text);
    assert_null(strstr(text.data, "sqrt")); /* scale and shift are numbers of the file */
    nigh_buffer_free(&text);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Rows of q, k or v of [B, T, C]: heads from `first` on. */
static int heads_of(nigh_network *net, int x, int first, int heads)
{
    return add_layer(net, "heads", x, 0, NULL, 3, (nigh_attribute[]){{"first", first, NULL}, {"heads", heads, NULL}, {"size", 9, NULL}});
}

/* Every mask, heads that share keys, a bias, the cosine form, side by side on the same q, k, v. */
static void test_attention(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int wide = 0; wide < 2; wide++) {
        nigh_dtype dtype = wide ? NIGH_F64 : NIGH_F32;
        nigh_network *net = new_network(ctx, dtype);
        nigh_shape shapes[3] = {{.dtype = dtype, .ndim = 3, .dim = {2, 37, 24}}, {.dtype = dtype, .ndim = 3, .dim = {2, 41, 24}}, {.dtype = NIGH_I32, .ndim = 1, .dim = {2}}};
        int x = nigh_network_input(net, "x", 3, shapes[0].dim), y = nigh_network_input(net, "y", 3, shapes[1].dim), lengths = nigh_network_tokens(net, "lengths", 1, (int64_t[]){2});
        int q = nigh_network_linear(net, "q", x, 24, 4 * 9, true), kv = nigh_network_linear(net, "kv", y, 24, 8 * 9, true), out[5];
        int bias = nigh_network_weight(net, "bias", 4, (int64_t[]){1, 4, 37, 41}, (nigh_init){0});
        for (int form = 0; form < 5; form++) {
            int heads = form == 1 ? 2 : 4, in[4] = {heads_of(net, q, 0, 4), heads_of(net, kv, 0, heads), heads_of(net, kv, heads, heads), lengths};
            nigh_attribute how[] = {{"causal", form == 1, NULL}, {"window", form == 2 ? 7 : 0, NULL}, {"first", form == 2 ? 2 : 0, NULL}, {"cosine", form == 4, NULL}};
            char name[32];
            snprintf(name, sizeof name, "attention%d", form);
            out[form] = nigh_network_add(net, "cross-attention", name, form == 3 ? 4 : 3, in, form == 4, &bias, 4, how);
        }
        nigh_network_output(net, nigh_network_add(net, "concat", "all", 5, out, 0, NULL, 1, (nigh_attribute[]){{"axis", 0, NULL}}));
        if (nigh_network_status(net)) fail_msg("%s", nigh_message(ctx));
        fill_weights(net, -0.4, 0.4, 2);
        check_exported(net, shapes, (double[]){-1, -1, 1}, (double[]){1, 1, 40}, wide ? 1e-12 : 1e-5, wide ? once : fast, NULL);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Patches, tokens by products and softmax, a series of sines: one network of one input. */
static void test_patches(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = new_network(ctx, NIGH_F32);
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = 4, .dim = {1, 8, 12, 8}};
    int x = nigh_network_input(net, "x", 4, shape.dim);
    int p = add_layer(net, "reshape", x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "1,2,4,3,4,8"}});
    p = add_layer(net, "permute", p, 0, NULL, 1, (nigh_attribute[]){{"order", 0, "0,1,3,2,4,5"}});
    p = add_layer(net, "reshape", p, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "6,16,2,4"}});
    int keys = add_layer(net, "permute", p, 0, NULL, 1, (nigh_attribute[]){{"order", 0, "0,2,3,1"}}), values = add_layer(net, "permute", p, 0, NULL, 1, (nigh_attribute[]){{"order", 0, "0,2,1,3"}});
    int w = nigh_network_weight(net, "tokens", 4, (int64_t[]){1, 2, 3, 4}, (nigh_init){0}), tokens = nigh_network_add(net, "constant", "z", 0, NULL, 1, &w, 0, NULL);
    int chances = nigh_network_layer(net, "matmul", "scores", 2, (int[]){tokens, keys}); /* [6, 2, 3, 16] */
    chances = add_layer(net, "softmax", chances, 0, NULL, 0, NULL);
    int z = nigh_network_layer(net, "matmul", "gathered", 2, (int[]){chances, values});
    z = nigh_network_layer(net, "add", "moved", 2, (int[]){z, tokens});
    int s = add_layer(net, "sin", add_layer(net, "affine", z, 0, NULL, 1, (nigh_attribute[]){{"scale", 2.5, NULL}}), 0, NULL, 0, NULL);
    z = nigh_network_layer(net, "add", "mapped", 2, (int[]){z, s});
    chances = nigh_network_add(net, "matmul", "back", 2, (int[]){values, z}, 0, NULL, 1, (nigh_attribute[]){{"transpose-b", 1, NULL}});
    z = nigh_network_layer(net, "matmul", "spread", 2, (int[]){add_layer(net, "softmax", chances, 0, NULL, 0, NULL), z}); /* [6, 2, 16, 4] */
    z = add_layer(net, "permute", z, 0, NULL, 1, (nigh_attribute[]){{"order", 0, "0,2,1,3"}});
    z = add_layer(net, "reshape", z, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "1,2,3,4,4,8"}});
    z = add_layer(net, "permute", z, 0, NULL, 1, (nigh_attribute[]){{"order", 0, "0,1,3,2,4,5"}});
    z = add_layer(net, "reshape", z, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "1,8,12,8"}});
    check_output(net, nigh_network_layer(net, "add", "sum", 2, (int[]){x, z}), &shape, 1, 1e-5, fast);
    test_context_free(ctx);
}

static void test_unets(void **state)
{
    static const nigh_unet_spec specs[] = {{.dims = 2, .in = 2, .out = 1, .base = 4, .scales = 2, .norm = NIGH_UNET_GROUP},
                                           {.dims = 2, .in = 1, .out = 2, .base = 4, .scales = 3, .norm = NIGH_UNET_BATCH, .padding = NIGH_PAD_CIRCULAR, .strided = true, .transposed = true},
                                           {.dims = 1, .in = 1, .out = 1, .base = 4, .scales = 2, .norm = NIGH_UNET_PLAIN, .relu = true}};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        nigh_network *net;
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = specs[i].dims + 2, .dim = {1, i == 0 ? 19 : 20, i == 0 ? 21 : 16}};
        shape.dim[specs[i].dims + 1] = specs[i].in;
        assert_ok(ctx, nigh_unet_new(ctx, NIGH_F32, &specs[i], &net));
        nigh_parameters_draw(nigh_network_parameters(net), 6);
        for (int k = 0; k < nigh_parameters_count(nigh_network_parameters(net)); k++) /* running means and variances are not drawn */
            if (nigh_parameters_at(nigh_network_parameters(net), k)->frozen)
                for (int64_t c = 0; c < nigh_shape_count(&nigh_parameters_at(nigh_network_parameters(net), k)->shape); c++) ((float *)nigh_parameters_data(nigh_network_parameters(net), k))[c] = 1;
        check_exported(net, &shape, NULL, NULL, 1e-5, i == 0 ? exported_all : once, NULL);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* A network of many steps made and written. */
static nigh_status everything(nigh_context *ctx)
{
    nigh_network *net;
    nigh_buffer text = {.ctx = ctx};
    nigh_shape shape = {.dtype = NIGH_F32, .ndim = 4, .dim = {1, 6, 6, 2}};
    nigh_status status = nigh_network_new(ctx, NIGH_F32, &net);
    if (status) return status;
    int x = nigh_network_input(net, "x", 4, shape.dim);
    x = nigh_network_conv_same(net, "conv", x, 2, 4, 2, 3, NIGH_PAD_CIRCULAR, true);
    x = nigh_network_conv_transpose(net, "up", x, 4, 2, 2, (int64_t[]){4, 4}, &(nigh_convolution){.stride = {2, 2}, .low = {1, 1}, .high = {1, 1}}, false);
    x = add_layer(net, "resample", x, 0, NULL, 2, (nigh_attribute[]){{"size", 8, NULL}, {"method", 0, "fourier"}});
    x = add_layer(net, "resample", x, 0, NULL, 1, (nigh_attribute[]){{"size", 5, NULL}});
    nigh_network_output(net, add_layer(net, "group-norm", x, 0, NULL, 0, NULL));
    status = nigh_network_status(net);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(net), 1);
    if (!status) status = nigh_network_export(net, &shape, "net", &text);
    nigh_buffer_free(&text);
    nigh_network_free(net);
    return status;
}

static void test_out_of_memory(void **state)
{
    nigh_status status = NIGH_MEMORY;
    for (long at = 2, step = 1; status; at += step, step += at % 9 == 0) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        status = everything(ctx);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        test_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fourier), cmocka_unit_test(test_batch_norm), cmocka_unit_test(test_attention), cmocka_unit_test(test_patches),
                                       cmocka_unit_test(test_unets),      cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
