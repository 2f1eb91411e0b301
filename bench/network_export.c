/*
 * Exported networks beside the library's own apply, one thread: a perceptron 784-256-256-10 of 1 and 128 rows, a Fourier operator, a U-Net of base 16, a cycle of
 * transposed convolutions, a multigrid operator, a latent spectral model and attention of 4 x 4 patches, each on 64 x 64. An argument: only networks whose name begins so.
 */
#include "nigh/fields.h"
#include "nigh/layers.h"
#include "nigh/network.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 100, ROOM = 1 << 24 };

typedef void network_fn(const float *x, float *y, float *s);

static network_fn *compile(nigh_network *net, const nigh_shape *shape, const char *compiler)
{
    static int serial;
    char command[512], path[64];
    nigh_buffer text = {.ctx = nigh_network_context(net)};
    if (nigh_network_export(net, shape, "net", &text)) return NULL;
    FILE *file = fopen("/tmp/nigh-bench-net.c", "w");
    if (!file || fwrite(text.data, 1, text.size, file) != text.size || fclose(file)) return NULL;
    nigh_buffer_free(&text);
    snprintf(path, sizeof path, "/tmp/nigh-bench-net-%d.so", ++serial);
    snprintf(command, sizeof command, "%s -std=gnu99 -O3 -march=native -shared -fPIC -o %s /tmp/nigh-bench-net.c -lm", compiler, path);
    void *library = system(command) ? NULL : dlopen(path, RTLD_NOW);
    network_fn *fn = NULL;
    if (library) *(void **)&fn = dlsym(library, "net");
    return fn;
}

static const char *chosen = "";

static int measure(const char *name, nigh_network *net, const nigh_shape *shape, const char *compiler)
{
    static _Alignas(64) float x[ROOM / 16], y[ROOM / 16], z[ROOM / 16], s[ROOM];
    nigh_network_runner *runner;
    int64_t sizes[2] = {shape->dim[0], 1}, samples = shape->dim[0];
    double best[2] = {1e9, 1e9}, far = 0;
    if (strncmp(name, chosen, strlen(chosen))) return 0;
    network_fn *fn = compile(net, shape, compiler);
    if (!fn || nigh_network_runner_new(net, shape, samples > 1 ? 2 : 1, samples > 1 ? sizes : sizes + 1, 1, &runner)) return 1;
    void *room = malloc(nigh_network_runner_workspace(runner));
    for (int64_t i = 0; i < nigh_shape_count(shape); i++) x[i] = (float)sin(0.37 * (double)i);
    for (int i = 0; i < ROUNDS && room; i++) {
        double a = nigh_clock();
        nigh_network_runner_apply(runner, samples, (const void *const[]){x}, (void *const[]){y}, room);
        double b = nigh_clock();
        fn(x, z, s);
        double c = nigh_clock();
        best[0] = fmin(best[0], b - a), best[1] = fmin(best[1], c - b);
    }
    int64_t count = samples * nigh_shape_count(nigh_network_runner_shape(runner, 0)) / nigh_network_runner_shape(runner, 0)->dim[0];
    for (int64_t i = 0; i < count; i++) far = fmax(far, fabs((double)y[i] - (double)z[i]));
    printf("%-28s %-6s library %9.1f us, exported %9.1f us, ratio %.2f, difference %.1e\n", name, compiler, 1e6 * best[0], 1e6 * best[1], best[1] / best[0], far);
    free(room);
    nigh_network_runner_free(runner);
    return 0;
}

static nigh_network *perceptron(nigh_context *ctx)
{
    nigh_network *net;
    if (nigh_network_new(ctx, NIGH_F32, &net)) return NULL;
    int h = nigh_network_input(net, "x", 2, (int64_t[]){-1, 784});
    h = nigh_network_linear(net, "one", h, 784, 256, true);
    h = nigh_network_layer(net, "gelu", "act1", 1, &h);
    h = nigh_network_linear(net, "two", h, 256, 256, true);
    h = nigh_network_layer(net, "gelu", "act2", 1, &h);
    nigh_network_output(net, nigh_network_linear(net, "three", h, 256, 10, true));
    nigh_parameters_draw(nigh_network_parameters(net), 1);
    return net;
}

static int named(nigh_network *net, const char *kind, int inputs, const int *x, int n, const nigh_attribute *attribute)
{
    char name[32];
    snprintf(name, sizeof name, "layer%d", nigh_network_layers(net));
    return nigh_network_add(net, kind, name, inputs, x, 0, NULL, n, attribute);
}

/* Patches of 4 x 4 points as 256 tokens of 64 channels, two layers of attention of 4 heads with a perceptron behind each, and back. */
static nigh_network *attention(nigh_context *ctx)
{
    nigh_network *net;
    char name[2][32];
    if (nigh_network_new(ctx, NIGH_F32, &net)) return NULL;
    int h = nigh_network_input(net, "x", 4, (int64_t[]){-1, 64, 64, 1});
    h = nigh_network_conv(net, "patches", h, 1, 64, 2, (int64_t[]){4, 4}, &(nigh_convolution){.stride = {4, 4}}, true);
    h = named(net, "reshape", 1, &h, 1, (nigh_attribute[]){{"shape", 0, "0,256,64"}});
    for (int i = 0; i < 2; i++) {
        snprintf(name[0], sizeof name[0], "qkv%d", i), snprintf(name[1], sizeof name[1], "join%d", i);
        int in[3], normed = named(net, "layer-norm", 1, &h, 0, NULL), qkv = nigh_network_linear(net, name[0], normed, 64, 192, true);
        for (int k = 0; k < 3; k++) in[k] = named(net, "heads", 1, &qkv, 3, (nigh_attribute[]){{"first", 4 * k, NULL}, {"heads", 4, NULL}, {"size", 16, NULL}});
        int a = named(net, "attention", 3, in, 0, NULL);
        a = named(net, "join-heads", 1, &a, 0, NULL);
        a = nigh_network_linear(net, name[1], a, 64, 64, true);
        h = named(net, "add", 2, (int[]){h, a}, 0, NULL);
        snprintf(name[0], sizeof name[0], "up%d", i), snprintf(name[1], sizeof name[1], "down%d", i);
        a = nigh_network_linear(net, name[0], named(net, "layer-norm", 1, &h, 0, NULL), 64, 256, true);
        a = nigh_network_linear(net, name[1], named(net, "gelu", 1, &a, 0, NULL), 256, 64, true);
        h = named(net, "add", 2, (int[]){h, a}, 0, NULL);
    }
    h = named(net, "reshape", 1, &h, 1, (nigh_attribute[]){{"shape", 0, "0,16,16,64"}});
    nigh_network_output(net, nigh_network_conv_transpose(net, "back", h, 64, 1, 2, (int64_t[]){4, 4}, &(nigh_convolution){.stride = {4, 4}}, true));
    nigh_parameters_draw(nigh_network_parameters(net), 1);
    return net;
}

/* Down three scales by strided convolutions of 24 channels and up again by transposed ones. */
static nigh_network *cycle(nigh_context *ctx)
{
    static const char *const names[][2] = {{"down0", "up0"}, {"down1", "up1"}, {"down2", "up2"}};
    nigh_network *net;
    nigh_convolution half = {.stride = {2, 2}, .low = {1, 1}, .high = {1, 1}};
    int there[3];
    if (nigh_network_new(ctx, NIGH_F32, &net)) return NULL;
    int h = nigh_network_conv_same(net, "in", nigh_network_input(net, "x", 4, (int64_t[]){-1, 64, 64, 1}), 1, 24, 2, 3, NIGH_PAD_ZERO, true);
    for (int i = 0; i < 3; i++) there[i] = h, h = nigh_network_conv(net, names[i][0], h, 24, 24, 2, (int64_t[]){3, 3}, &half, false);
    for (int i = 2; i >= 0; i--) {
        h = nigh_network_conv_transpose(net, names[i][1], h, 24, 24, 2, (int64_t[]){4, 4}, &half, false);
        h = named(net, "add", 2, (int[]){there[i], h}, 0, NULL);
    }
    nigh_network_output(net, nigh_network_conv_same(net, "out", named(net, "gelu", 1, &h, 0, NULL), 24, 1, 2, 3, NIGH_PAD_ZERO, true));
    nigh_parameters_draw(nigh_network_parameters(net), 1);
    return net;
}

int main(int argc, char **argv)
{
    static const char *const compilers[] = {"gcc", "clang"};
    nigh_context *ctx;
    nigh_network *fno, *mlp, *unet, *patches, *multi, *mgno, *lsm;
    nigh_fno_spec spec = {.dims = 2, .in = 1, .out = 1, .width = 32, .modes = {12, 12}, .layers = 4};
    nigh_unet_spec pyramid = {.dims = 2, .in = 1, .out = 1, .base = 16, .scales = 4};
    const nigh_shape field = {.dtype = NIGH_F32, .ndim = 4, .dim = {1, 64, 64, 1}};
    if (argc > 1) chosen = argv[1];
    if (nigh_context_new(&ctx) || !(mlp = perceptron(ctx)) || nigh_fno_new(ctx, NIGH_F32, &spec, &fno) || nigh_unet_new(ctx, NIGH_F32, &pyramid, &unet)) return 1;
    nigh_mgno_spec grids = {.dims = 2, .size = {64, 64}, .in = 1, .out = 1, .width = 8, .layers = 3};
    nigh_lsm_spec latent = {.dims = 2, .in = 1, .out = 1, .width = 16, .scales = 3};
    if (nigh_mgno_new(ctx, NIGH_F32, &grids, &mgno) || nigh_lsm_new(ctx, NIGH_F32, &latent, &lsm)) return 1;
    nigh_parameters_draw(nigh_network_parameters(mgno), 1);
    nigh_parameters_draw(nigh_network_parameters(lsm), 1);
    for (int i = 0; i < nigh_parameters_count(nigh_network_parameters(lsm)); i++) { /* running variances are not drawn */
        const nigh_parameter *p = nigh_parameters_at(nigh_network_parameters(lsm), i);
        float *data = nigh_parameters_data(nigh_network_parameters(lsm), i);
        for (int64_t k = 0; p->frozen && k < nigh_shape_count(&p->shape); k++) data[k] = 1;
    }
    if (!(patches = attention(ctx)) || !(multi = cycle(ctx))) return 1;
    nigh_parameters_draw(nigh_network_parameters(fno), 1);
    nigh_parameters_draw(nigh_network_parameters(unet), 1);
    int failed = 0;
    for (int c = 0; c < 2; c++) {
        failed |= measure("perceptron, 1 row", mlp, &(nigh_shape){.dtype = NIGH_F32, .ndim = 2, .dim = {1, 784}}, compilers[c]);
        failed |= measure("perceptron, 128 rows", mlp, &(nigh_shape){.dtype = NIGH_F32, .ndim = 2, .dim = {128, 784}}, compilers[c]);
        failed |= measure("Fourier operator, 64 x 64", fno, &field, compilers[c]);
        failed |= measure("U-Net, 64 x 64", unet, &field, compilers[c]);
        failed |= measure("transposed cycle, 64 x 64", multi, &field, compilers[c]);
        failed |= measure("multigrid operator, 64 x 64", mgno, &field, compilers[c]);
        failed |= measure("latent spectral, 64 x 64", lsm, &field, compilers[c]);
        failed |= measure("attention, 64 x 64", patches, &field, compilers[c]);
    }
    nigh_network_free(mlp);
    nigh_network_free(fno);
    nigh_network_free(unet);
    nigh_network_free(multi);
    nigh_network_free(mgno);
    nigh_network_free(lsm);
    nigh_network_free(patches);
    nigh_context_free(ctx);
    return failed;
}
