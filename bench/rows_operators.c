/*
 * Operators of rows, result and first gradient, f32: milliseconds of one run, the least of several, with one and two threads.
 * The same cases in PyTorch: bench/torch_rows_operators.py. `rows_operators [NAME]` runs one.
 */
#include "nigh/operators_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef nigh_node record_fn(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index);

static nigh_node softmax(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_softmax(t, x, -1); }
static nigh_node cross_entropy(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_cross_entropy(t, x, index, NIGH_NONE, -100, 0); }
static nigh_node layer_norm(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_layer_norm(t, x, 1, w, w, 1e-5); }
static nigh_node rms_norm(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_rms_norm(t, x, w, 1e-5); }
static nigh_node group_norm(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_group_norm(t, x, 8, w, w, 1e-5); }
static nigh_node batch_norm(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_batch_norm(t, x, w, w, 1e-5, NULL, NULL); }
static nigh_node gather(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_gather(t, x, index); }
static nigh_node sort(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_sort(t, x, false, NULL); }
static nigh_node max_min(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_max_min(t, x); }
static nigh_node poly_relu(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_poly_relu(t, x, nigh_tape_slice(t, w, 0, 0, 4, 1)); }
static nigh_node poly_norm(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_poly_norm(t, x, nigh_tape_slice(t, w, 0, 0, 3, 1), NIGH_NONE, 1e-6); }
static nigh_node gelu_tanh(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_gelu_tanh(t, x); }
static nigh_node rotary(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_rotary(t, x, 1, &(nigh_rotary){.half = true}); }
static nigh_node dropout(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_dropout(t, x, 0.9, 1); }
static nigh_node cumulative(nigh_tape *t, nigh_node x, nigh_node w, nigh_node index) { return nigh_tape_cumulative_sum(t, x, -1, false, false); }

static const struct bench_case {
    const char *name;
    record_fn *record;
    int ndim;
    int64_t dim[4], width, indices;
} cases[] = {
    {"softmax", softmax, 2, {4096, 1024}, 1, 1}, {"cross-entropy", cross_entropy, 2, {2048, 8192}, 1, 2048}, {"layer-norm", layer_norm, 2, {8192, 512}, 512, 1},
    {"rms-norm", rms_norm, 2, {8192, 512}, 512, 1}, {"group-norm", group_norm, 4, {16, 64, 64, 64}, 64, 1}, {"batch-norm", batch_norm, 4, {32, 48, 48, 64}, 64, 1},
    {"gather", gather, 2, {20000, 256}, 1, 8192}, {"sort", sort, 2, {4096, 256}, 1, 1}, {"max-min", max_min, 2, {8192, 512}, 1, 1}, {"poly-relu", poly_relu, 2, {4096, 1024}, 4, 1},
    {"poly-norm", poly_norm, 2, {4096, 1024}, 4, 1}, {"gelu-tanh", gelu_tanh, 2, {4096, 1024}, 1, 1}, {"rotary", rotary, 4, {16, 256, 8, 64}, 1, 1}, {"dropout", dropout, 2, {4096, 1024}, 1, 1},
    {"cumulative-sum", cumulative, 2, {4096, 1024}, 1, 1}};

static nigh_status measure(nigh_context *ctx, const struct bench_case *c, double *best)
{
    nigh_tape *t;
    nigh_executor *run = NULL;
    nigh_status status = nigh_tape_new(ctx, &t);
    if (status) return status;
    nigh_node in[2], out[3], index = nigh_tape_input(t, "index", NIGH_I32, 1, &c->indices);
    in[0] = nigh_tape_input(t, "x", NIGH_F32, c->ndim, c->dim), in[1] = nigh_tape_input(t, "w", NIGH_F32, 1, &c->width);
    out[0] = c->record(t, in[0], in[1], index);
    const nigh_shape *shape = nigh_tape_shape(t, out[0]);
    nigh_node seed = shape ? nigh_tape_input(t, "seed", shape->dtype, shape->ndim, shape->dim) : NIGH_NONE;
    status = nigh_tape_gradient(t, out[0], seed, 2, in, out + 1);
    if (!status) status = nigh_executor_new(ctx, t, 3, out, &run);
    for (int i = 0; i < 3 && !status; i++) {
        nigh_node node = i < 2 ? in[i] : seed;
        if (!nigh_executor_has(run, node)) continue;
        float *data = nigh_executor_data(run, node);
        int64_t n = nigh_shape_count(nigh_tape_shape(t, node));
        for (int64_t k = 0; data && k < n; k++) data[k] = (float)((k * 7919 + i) % 10007) * 2e-4f - 1;
    }
    if (!status && nigh_executor_has(run, index))
        for (int64_t k = 0; k < c->indices; k++) ((int32_t *)nigh_executor_data(run, index))[k] = (int32_t)((k * 7919) % (c->indices == c->dim[0] ? c->dim[1] : c->dim[0]));
    *best = 1e9;
    for (int i = 0; i < 12 && !status; i++) {
        double start = nigh_clock();
        status = nigh_executor_run(run);
        double time = nigh_clock() - start;
        if (time < *best) *best = time;
    }
    nigh_executor_free(run);
    nigh_tape_free(t);
    return status;
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 1;
    printf("%-16s %10s %10s\n", "operator", "1 thread", "2 threads");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double best[2];
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0) continue;
        for (int threads = 1; threads < 3; threads++) {
            nigh_context_set_threads(ctx, threads);
            if (measure(ctx, &cases[i], &best[threads - 1])) return fprintf(stderr, "%s: %s\n", cases[i].name, nigh_message(ctx)), 1;
        }
        printf("%-16s %7.2f ms %7.2f ms\n", cases[i].name, 1e3 * best[0], 1e3 * best[1]);
    }
    nigh_context_free(ctx);
    return 0;
}
