/*
 * Networks trained on 32 x 32 points rewritten for n, 2 n and 4 n: microseconds of one field, one thread, beside the network as it is on that many points and beside the wrapper
 * (resampling to the trained grid and back). Taken in turns. An argument: only networks whose name begins so.
 */
#include "nigh/discretise.h"
#include "nigh/fields.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 32, ROUNDS = 40, FORMS = 4, ROOM = 128 * 128 };

typedef struct form {
    const char *name;
    nigh_network *net;
    nigh_network_runner *runner;
    void *room;
    double best;
} form;

static void prepare(nigh_context *ctx, form *f, int64_t n)
{
    const nigh_shape shape = {NIGH_F32, 4, {1, n, n, 1}};
    f->best = INFINITY;
    if (!f->net || nigh_network_runner_new(f->net, &shape, 1, (int64_t[]){1}, 1, &f->runner)) return;
    f->room = malloc(nigh_network_runner_workspace(f->runner));
}

static void measure(nigh_context *ctx, const char *name, nigh_network *net, int64_t n)
{
    static _Alignas(64) float x[ROOM], y[ROOM];
    static const char *const names[FORMS] = {"as it is", "fourier", "linear", "wrapper"};
    form f[FORMS] = {{.net = net}};
    for (int i = 0; i < FORMS; i++) {
        nigh_discretisation spec = {.dims = 2, .trained = {N, N}, .grid = NIGH_GRID_PERIODIC, .wrapper = i == 3, .resampling = i == 2 ? NIGH_RESAMPLING_LINEAR : NIGH_RESAMPLING_AUTO};
        f[i].name = names[i];
        if (i && nigh_network_rewrite(net, &spec, (int64_t[]){n, n}, &f[i].net)) fprintf(stderr, "%s\n", nigh_message(ctx));
        prepare(ctx, &f[i], n);
    }
    for (int64_t i = 0; i < n * n; i++) x[i] = (float)sin(0.37 * (double)i);
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < FORMS; i++) {
            if (!f[i].room) continue;
            double begin = nigh_clock();
            nigh_network_runner_apply(f[i].runner, 1, (const void *const[]){x}, (void *const[]){y}, f[i].room);
            f[i].best = fmin(f[i].best, nigh_clock() - begin);
        }
    printf("%-10s %4lld x %-4lld", name, (long long)n, (long long)n);
    for (int i = 0; i < FORMS; i++) printf("  %s %9.1f us", f[i].name, 1e6 * f[i].best);
    printf("\n");
    for (int i = 0; i < FORMS; i++) {
        free(f[i].room);
        nigh_network_runner_free(f[i].runner);
        if (i) nigh_network_free(f[i].net);
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"conv", "attention", "fno"};
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 1;
    for (int k = 0; k < 3; k++) {
        nigh_network *net = NULL;
        nigh_status status = k == 0   ? nigh_unet_new(ctx, NIGH_F32, &(nigh_unet_spec){.dims = 2, .in = 1, .out = 1, .base = 16, .scales = 4, .padding = NIGH_PAD_CIRCULAR, .norm = NIGH_UNET_PLAIN}, &net)
                             : k == 1 ? nigh_patches_new(ctx, NIGH_F32, &(nigh_patches_spec){.dims = 2, .in = 1, .out = 1, .size = {N, N}, .patch = 4, .width = 48, .heads = 3, .layers = 3,
                                                                                            .padding = NIGH_PAD_CIRCULAR}, &net)
                                      : nigh_fno_new(ctx, NIGH_F32, &(nigh_fno_spec){.dims = 2, .in = 1, .out = 1, .width = 16, .modes = {12, 12}, .layers = 4, .no_grid = true}, &net);
        if (!status) status = nigh_parameters_draw(nigh_network_parameters(net), 1);
        if (status) return 1;
        for (int64_t n = N; n <= 4 * N; n *= 2)
            if (argc < 2 || !strncmp(names[k], argv[1], strlen(argv[1]))) measure(ctx, names[k], net, n);
        nigh_network_free(net);
    }
    nigh_context_free(ctx);
    return 0;
}
