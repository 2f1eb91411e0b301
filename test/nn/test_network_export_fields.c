/* Exported networks on fields: convolutions and their transposes, norms, pools, resampling. */
#include "exported.h"
#include "networks.h"
#include "support.h"

#include "nigh/fields.h"
#include "nigh/layers.h"
#include "nigh/operators_fields.h"

#include <stdio.h>
#include <string.h>

static const exported_way fast[] = {{"gcc", "-std=c99 -O3 -march=native"}, {"clang", "-std=c99 -O2"}, {NULL, NULL}}, once[] = {{"gcc", "-std=c99 -O0"}, {NULL, NULL}};

/* One, two and three dimensions; strides, dilations, groups, depthwise; all paddings. */
static void test_convolutions(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int dims = 1; dims <= 3; dims++) {
        nigh_network *net = new_network(ctx, NIGH_F32);
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = dims + 2, .dim = {2, 13, 9, 7}};
        int64_t three[] = {3, 3, 3}, two[] = {2, 2, 2};
        shape.dim[dims + 1] = 6;
        int x = nigh_network_input(net, "x", shape.ndim, shape.dim);
        nigh_convolution strided = {.stride = {2, 1, 2}, .low = {1, 0, 2}, .high = {1, 2, 1}, .groups = 2};
        nigh_convolution dilated = {.dilation = {2, 1, 1}, .low = {2, 1, 1}, .high = {2, 1, 1}, .padding = NIGH_PAD_CIRCULAR};
        nigh_convolution depthwise = {.low = {1, 1, 1}, .high = {1, 1, 1}, .groups = 20, .padding = NIGH_PAD_REFLECT}, plain = {.stride = {2, 2, 2}};
        x = nigh_network_conv(net, "a", x, 6, 10, dims, three, &strided, true);
        x = nigh_network_conv(net, "b", x, 10, 20, dims, three, &dilated, false);
        x = nigh_network_conv(net, "c", x, 20, 20, dims, three, &depthwise, true);
        x = nigh_network_conv(net, "d", x, 20, 50, dims, two, &plain, true);
        x = nigh_network_conv_same(net, "e", x, 50, 3, dims, 1, NIGH_PAD_ZERO, true);
        check_output(net, x, &shape, 0.3, 1e-5, dims == 2 ? fast : once);
    }
    test_context_free(ctx);
}

static int up(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, int64_t kernel, int64_t pad, int more, int64_t groups, nigh_padding padding)
{
    static const char *const paddings[] = {"zero", "circular", "reflect"};
    int64_t dim[5];
    char weight[32], bias[32];
    snprintf(weight, sizeof weight, "%s.weight", name), snprintf(bias, sizeof bias, "%s.bias", name);
    for (int i = 0; i < dims; i++) dim[i] = kernel;
    dim[dims] = out / groups, dim[dims + 1] = in;
    int w[2] = {nigh_network_weight(net, weight, dims + 2, dim, (nigh_init){0}), nigh_network_weight(net, bias, 1, &out, (nigh_init){0})};
    nigh_attribute a[] = {{"stride", 2, NULL}, {"pad", (double)pad, NULL}, {"more", more, NULL}, {"groups", (double)groups, NULL}, {"padding", 0, paddings[padding]}};
    return nigh_network_add(net, "conv-transpose", name, 1, &x, 2, w, 5, a);
}

/* Kernels of 4 with padding 1, of 3 with one more, of 2; groups; a kernel smaller than the stride; padding that is folded back. */
static void test_transposed(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int dims = 1; dims <= 3; dims++)
        for (int wide = 0; wide < (dims == 2 ? 2 : 1); wide++) {
            nigh_dtype dtype = wide ? NIGH_F64 : NIGH_F32;
            nigh_network *net = new_network(ctx, dtype);
            nigh_shape shape = {.dtype = dtype, .ndim = dims + 2, .dim = {2, dims == 3 ? 3 : 5, dims == 3 ? 2 : 4, 3}};
            shape.dim[dims + 1] = 6;
            int x = nigh_network_input(net, "x", shape.ndim, shape.dim);
            x = up(net, "a", x, 6, 10, dims, 4, 1, 0, 1, NIGH_PAD_ZERO);
            x = up(net, "b", x, 10, 4, dims, 3, 1, 1, 2, NIGH_PAD_ZERO);
            x = up(net, "c", x, 4, 4, dims, 4, 1, 0, 1, NIGH_PAD_CIRCULAR);
            nigh_convolution small = {.stride = {2, 3, 2}, .dilation = {1, 1, 1}}, spread = {.stride = {2, 1, 1}, .dilation = {3, 2, 1}, .low = {1, 1, 0}};
            if (dims < 3) x = nigh_network_conv_transpose(net, "d", x, 4, 3, dims, (int64_t[]){1, 2, 1}, &small, true);
            else x = nigh_network_conv(net, "d", x, 4, 3, dims, (int64_t[]){2, 2, 2}, &(nigh_convolution){.stride = {2, 2, 2}}, true);
            x = nigh_network_conv_transpose(net, "e", x, 3, 2, dims, (int64_t[]){2, 3, 1}, &spread, false);
            check_output(net, x, &shape, 0.5, wide ? 1e-12 : 1e-5, dims == 2 && !wide ? fast : once);
        }
    test_context_free(ctx);
}

/* What stands between convolutions. */
static void test_between(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int wide = 0; wide < 2; wide++) {
        nigh_dtype dtype = wide ? NIGH_F64 : NIGH_F32;
        nigh_network *net = new_network(ctx, dtype);
        nigh_shape shape = {.dtype = dtype, .ndim = 4, .dim = {2, 9, 10, 12}};
        int64_t c = 12;
        int x = nigh_network_input(net, "x", 4, shape.dim), w[4];
        for (int i = 0; i < 4; i++) w[i] = nigh_network_weight(net, (const char *const[]){"w0", "w1", "w2", "w3"}[i], 1, &c, (nigh_init){0});
        x = add_layer(net, "square", x, 0, NULL, 0, NULL);
        x = add_layer(net, "group-norm", x, 2, (int[]){w[0], w[1]}, 1, (nigh_attribute[]){{"groups", 3, NULL}});
        x = add_layer(net, "resample", x, 0, NULL, 2, (nigh_attribute[]){{"size_0", 13, NULL}, {"size_1", 7, NULL}});
        x = add_layer(net, "sin", x, 0, NULL, 0, NULL);
        x = add_layer(net, "group-norm", x, 0, NULL, 1, (nigh_attribute[]){{"groups", 12, NULL}}); /* of each sample and channel */
        x = add_layer(net, "resample", x, 0, NULL, 2, (nigh_attribute[]){{"scale", 2, NULL}, {"align_corners", 1, NULL}});
        x = add_layer(net, "cos", x, 0, NULL, 0, NULL);
        x = add_layer(net, "average-pool", x, 0, NULL, 3, (nigh_attribute[]){{"window", 3, NULL}, {"pad", 1, NULL}, {"count_padding", 1, NULL}});
        x = add_layer(net, "resample", x, 0, NULL, 3, (nigh_attribute[]){{"size", 11, NULL}, {"method", 0, "nearest"}, {"align_corners", 1, NULL}});
        x = add_layer(net, "max-pool", x, 0, NULL, 2, (nigh_attribute[]){{"window", 2, NULL}, {"stride", 1, NULL}});
        x = add_layer(net, "softmax", x, 0, NULL, 1, (nigh_attribute[]){{"axis", 1, NULL}});
        x = add_layer(net, "layer-norm", x, 0, NULL, 1, (nigh_attribute[]){{"axes", 3, NULL}});
        x = add_layer(net, "normalise", x, 0, NULL, 0, NULL);
        x = add_layer(net, "grid", x, 0, NULL, 0, NULL);
        x = add_layer(net, "pad", x, 0, NULL, 3, (nigh_attribute[]){{"low", 0, "0,1,0,0"}, {"high", 0, "0,0,2,0"}, {"value", 0.5, NULL}});
        x = add_layer(net, "max-over", x, 0, NULL, 2, (nigh_attribute[]){{"axes", 0, "1"}, {"keep", 1, NULL}});
        int both[2] = {x, add_layer(net, "global-average", x, 0, NULL, 0, NULL)};
        both[1] = add_layer(net, "reshape", both[1], 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "0,1,1,-1"}});
        check_output(net, nigh_network_layer(net, "add", "sum", 2, both), &shape, 1, wide ? 1e-10 : 2e-5, wide ? once : fast);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_convolutions), cmocka_unit_test(test_transposed), cmocka_unit_test(test_between)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
