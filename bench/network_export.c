/* Exported networks beside the library's own apply, one thread: a perceptron 784-256-256-10 of 1 and 128 rows, a Fourier operator on 64 x 64. */
#include "nigh/fields.h"
#include "nigh/network.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 200, ROOM = 1 << 24 };

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

static int measure(const char *name, nigh_network *net, const nigh_shape *shape, const char *compiler)
{
    static float x[ROOM / 16], y[ROOM / 16], z[ROOM / 16], s[ROOM];
    nigh_network_runner *runner;
    int64_t sizes[2] = {shape->dim[0], 1}, samples = shape->dim[0];
    double best[2] = {1e9, 1e9}, far = 0;
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

int main(void)
{
    static const char *const compilers[] = {"gcc", "clang"};
    nigh_context *ctx;
    nigh_network *fno, *mlp;
    nigh_fno_spec spec = {.dims = 2, .in = 1, .out = 1, .width = 32, .modes = {12, 12}, .layers = 4};
    if (nigh_context_new(&ctx) || !(mlp = perceptron(ctx)) || nigh_fno_new(ctx, NIGH_F32, &spec, &fno)) return 1;
    nigh_parameters_draw(nigh_network_parameters(fno), 1);
    int failed = 0;
    for (int c = 0; c < 2; c++) {
        failed |= measure("perceptron, 1 row", mlp, &(nigh_shape){.dtype = NIGH_F32, .ndim = 2, .dim = {1, 784}}, compilers[c]);
        failed |= measure("perceptron, 128 rows", mlp, &(nigh_shape){.dtype = NIGH_F32, .ndim = 2, .dim = {128, 784}}, compilers[c]);
        failed |= measure("Fourier operator, 64 x 64", fno, &(nigh_shape){.dtype = NIGH_F32, .ndim = 4, .dim = {1, 64, 64, 1}}, compilers[c]);
    }
    nigh_network_free(mlp);
    nigh_network_free(fno);
    nigh_context_free(ctx);
    return failed;
}
