/* Exported networks of operator learning: multigrid cycles, latent spectral models, networks rewritten for other grids. */
#include "exported.h"
#include "networks.h"
#include "support.h"

#include "nigh/discretise.h"
#include "nigh/fields.h"
#include "nigh/layers.h"

static const exported_way fast[] = {{"gcc", "-std=c99 -O2"}, {"clang", "-std=c99 -O3 -march=native"}, {NULL, NULL}}, once[] = {{"gcc", "-std=c99 -O0"}, {NULL, NULL}};

static void check(nigh_context *ctx, nigh_network *net, const nigh_shape *shape, double tolerance, const exported_way *ways)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_parameters_draw(set, 6);
    for (int k = 0; k < nigh_parameters_count(set); k++) { /* running means and variances are not drawn */
        nigh_array array = {.shape = nigh_parameters_at(set, k)->shape, .data = nigh_parameters_data(set, k)};
        if (nigh_parameters_at(set, k)->frozen) fill_uniform(&array, 0.5, 1.5, (uint64_t)k);
    }
    check_exported(net, shape, NULL, NULL, tolerance, ways, NULL);
    nigh_network_free(net);
}

static void test_mgno(void **state)
{
    static const nigh_mgno_spec specs[] = {{.dims = 2, .size = {16, 16}, .in = 1, .out = 1, .width = 6, .layers = 2},
                                           {.dims = 2, .size = {15, 13}, .in = 2, .out = 1, .width = 4, .layers = 1, .residual = true, .inside = true},
                                           {.dims = 2, .size = {12, 16}, .in = 1, .out = 2, .width = 4, .layers = 1, .padding = NIGH_PAD_CIRCULAR, .norm = true},
                                           {.dims = 1, .size = {20}, .in = 1, .out = 1, .width = 5, .layers = 1, .padding = NIGH_PAD_REFLECT, .levels = 3}};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        nigh_network *net;
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = specs[i].dims + 2, .dim = {1, specs[i].size[0], specs[i].size[1]}};
        shape.dim[specs[i].dims + 1] = specs[i].in;
        assert_ok(ctx, nigh_mgno_new(ctx, NIGH_F32, &specs[i], &net));
        check(ctx, net, &shape, 1e-5, i ? once : fast);
    }
    test_context_free(ctx);
}

static void test_latent(void **state)
{
    static const nigh_lsm_spec specs[] = {{.dims = 2, .in = 1, .out = 1, .width = 8, .scales = 3, .patch = {2, 3}, .heads = 2}, {.dims = 1, .in = 2, .out = 1, .width = 8, .scales = 2, .tokens = 3, .basis = 5},
                                          {.dims = 2, .in = 1, .out = 1, .width = 8, .scales = 1, .patch = {4, 4}, .identity = true}};
    nigh_context *ctx = test_context_new();
    for (int i = 0; i < 4; i++) {
        nigh_network *net;
        const nigh_lsm_spec *spec = &specs[i % 3];
        nigh_dtype dtype = i == 3 ? NIGH_F64 : NIGH_F32;
        nigh_shape shape = {.dtype = dtype, .ndim = spec->dims + 2, .dim = {2, 13, 17}};
        shape.dim[spec->dims + 1] = spec->in;
        assert_ok(ctx, nigh_lsm_new(ctx, dtype, spec, &net));
        check(ctx, net, &shape, i == 3 ? 1e-10 : 1e-5, i ? once : fast);
    }
    test_context_free(ctx);
}

/* A network of convolutions trained on 12 x 10 points, on other grids in every way that kernels are resampled. */
static void test_rewritten(void **state)
{
    static const nigh_resampling ways[] = {NIGH_RESAMPLING_LINEAR, NIGH_RESAMPLING_FOURIER, NIGH_RESAMPLING_POINTS, NIGH_RESAMPLING_DERIVATIVE};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        nigh_network *net, *other;
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = 4, .dim = {1, 18, 15, 2}};
        nigh_unet_spec spec = {.dims = 2, .in = 2, .out = 1, .base = 4, .scales = 2, .padding = NIGH_PAD_CIRCULAR, .norm = NIGH_UNET_GROUP};
        assert_ok(ctx, nigh_unet_new(ctx, NIGH_F32, &spec, &net));
        nigh_parameters_draw(nigh_network_parameters(net), 3);
        nigh_discretisation how = {.dims = 2, .trained = {12, 10}, .grid = NIGH_GRID_PERIODIC, .resampling = ways[i]};
        assert_ok(ctx, nigh_network_rewrite(net, &how, (int64_t[]){18, 15}, &other));
        check_exported(other, &shape, NULL, NULL, 1e-5, i ? once : fast, NULL);
        nigh_network_free(other);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Kernels in physical units, quadrature weights on attention. */
static void test_physical(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int dims = 1; dims <= 2; dims++) {
        nigh_network *net;
        nigh_shape shape = {.dtype = NIGH_F32, .ndim = dims + 2, .dim = {2, 24, 24}};
        nigh_physical disc = {.grid = NIGH_GRID_PERIODIC, .length = 1, .radius = 0.15, .rings = 2, .sectors = 4}, difference = {.grid = NIGH_GRID_CELL, .length = 2};
        shape.dim[dims + 1] = 3;
        assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
        int x = nigh_network_input(net, "x", shape.ndim, shape.dim);
        x = nigh_network_disc_conv(net, "disc", x, 3, 4, dims, &disc, true);
        x = nigh_network_difference_conv(net, "difference", x, 4, 2, dims, &difference, false);
        nigh_network_output(net, x);
        if (nigh_network_status(net)) fail_msg("%s", nigh_message(ctx));
        check(ctx, net, &shape, 1e-5, dims == 2 ? fast : once);
    }
    nigh_network *net;
    nigh_shape shapes[2] = {{.dtype = NIGH_F32, .ndim = 4, .dim = {2, 20, 2, 6}}, {.dtype = NIGH_F32, .ndim = 1, .dim = {20}}};
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 4, shapes[0].dim), w = nigh_network_input(net, "w", 1, shapes[1].dim);
    nigh_network_output(net, nigh_network_layer(net, "weighted-attention", "attention", 4, (int[]){x, x, x, w}));
    check_exported(net, shapes, (double[]){-2, 0.1}, (double[]){2, 1}, 1e-5, once, NULL);
    nigh_network_free(net);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mgno), cmocka_unit_test(test_latent), cmocka_unit_test(test_rewritten), cmocka_unit_test(test_physical)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
