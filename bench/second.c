/*
 * Products with Hessians and Gauss-Newton matrices in gradients, beside bench/torch_second.py; per-sample gradients; the tangent kernel of a wide network.
 *
 *     second [--quick] [--only NAME] [--count THREADS] [--verbose] [--json FILE]
 *
 * A line a network: milliseconds of a gradient, and how many gradients a product costs at a new point and at the same point. Alternating
 * runs with one executor each, same threads and batch. --verbose prints the steps of each executor with their share of the time.
 */
#include "common.h"

#include "nigh/layers.h"
#include "nigh/network.h"
#include "nigh/random.h"
#include "nigh/samples.h"
#include "nigh/second.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check(nigh_context *ctx, nigh_status status)
{
    if (!status) return;
    fprintf(stderr, "second: %s\n", nigh_message(ctx));
    exit(2);
}

/* ---- networks ----------------------------------------------------------------------------------------- */

typedef struct design {
    const char *name, *activation;
    nigh_dtype dtype;
    int64_t batch;
    int widths;
    int64_t width[8];
    bool classes;      /* cross-entropy; else squares */
} design;

static const design designs[] = {
    {"mlp f32 784-256-256-10", "relu", NIGH_F32, 128, 4, {784, 256, 256, 10}, true},
    {"mlp f32 256x5", "relu", NIGH_F32, 128, 6, {256, 256, 256, 256, 256, 10}, true},
    {"conv f32 28x28 16-32", "conv", NIGH_F32, 64, 2, {784, 10}, true},
    {"tanh f64 20-128-128-128-1", "tanh", NIGH_F64, 256, 5, {20, 128, 128, 128, 1}, false},
    {"tanh f64 2-64-64-64-64-1", "tanh", NIGH_F64, 512, 6, {2, 64, 64, 64, 64, 1}, false},
};

typedef struct model {
    nigh_network *net;
    nigh_tape *tape;
    nigh_node x, target, z, loss, node[64], over[64];
    int64_t offset[64];
    nigh_over all;
} model;

/* 28 x 28 images, two convolutions with poolings, one linear layer. */
static void build_conv(nigh_network *net)
{
    int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, 28, 28, 1});
    nigh_attribute half[2] = {{"kernel", 2, NULL}, {"stride", 2, NULL}};
    x = nigh_network_conv_same(net, "c1", x, 1, 16, 2, 3, NIGH_PAD_ZERO, true);
    x = nigh_network_layer(net, "relu", "r1", 1, &x);
    x = nigh_network_add(net, "average-pool", "p1", 1, &x, 0, NULL, 2, half);
    x = nigh_network_conv_same(net, "c2", x, 16, 32, 2, 3, NIGH_PAD_ZERO, true);
    x = nigh_network_layer(net, "relu", "r2", 1, &x);
    x = nigh_network_add(net, "average-pool", "p2", 1, &x, 0, NULL, 2, half);
    x = nigh_network_layer(net, "flatten", "flat", 1, &x);
    nigh_network_output(net, nigh_network_linear(net, "out", x, 7 * 7 * 32, 10, true));
}

static void build_layers(const design *d, nigh_network *net)
{
    char name[32];
    if (!strcmp(d->activation, "conv")) {
        build_conv(net);
        return;
    }
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, d->width[0]});
    for (int i = 1; i < d->widths; i++) {
        snprintf(name, sizeof name, "l%d", i);
        x = nigh_network_linear(net, name, x, d->width[i - 1], d->width[i], true);
        snprintf(name, sizeof name, "a%d", i);
        if (i + 1 < d->widths) x = nigh_network_layer(net, d->activation, name, 1, &x);
    }
    nigh_network_output(net, x);
}

static void build(nigh_context *ctx, const design *d, model *m)
{
    *m = (model){0};
    check(ctx, nigh_network_new(ctx, d->dtype, &m->net));
    build_layers(d, m->net);
    check(ctx, nigh_network_status(m->net));
    nigh_parameters *set = nigh_network_parameters(m->net);
    check(ctx, nigh_parameters_draw(set, 1));
    check(ctx, nigh_tape_new(ctx, &m->tape));
    int64_t out = d->width[d->widths - 1];
    nigh_shape in = *nigh_network_input_shape(m->net, 0);
    in.dim[0] = d->batch;
    m->x = nigh_tape_input(m->tape, "x", d->dtype, in.ndim, in.dim);
    m->target = nigh_tape_input(m->tape, "target", d->dtype, 2, (int64_t[]){d->batch, out});
    check(ctx, nigh_parameters_record(set, m->tape, m->node));
    check(ctx, nigh_network_record(m->net, m->tape, NULL, &m->x, m->node, &m->z));
    nigh_tape *t = m->tape;
    m->loss = d->classes ? nigh_tape_mean(t, nigh_tape_sub(t, nigh_tape_log_sum_exp(t, m->z, 2, false),
                                                           nigh_tape_sum(t, nigh_tape_mul(t, m->z, m->target), 2, false)), NIGH_ALL, false)
                         : nigh_tape_mean(t, nigh_tape_square(t, nigh_tape_sub(t, m->z, m->target)), NIGH_ALL, false);
    m->all = nigh_parameters_over(set, m->node, m->over, m->offset);
}

static void free_model(model *m)
{
    nigh_tape_free(m->tape);
    nigh_network_free(m->net);
}

/* Random numbers of the type, or one-hot rows. */
static void *draw(nigh_context *ctx, nigh_dtype dtype, int64_t n, uint64_t stream, int64_t classes)
{
    nigh_rng rng = nigh_rng_new(7, stream);
    nigh_array a = {.shape = {.dtype = dtype, .ndim = 1, .dim = {n}}, .data = nigh_alloc_zero(ctx, (size_t)n, nigh_dtype_size(dtype))};
    if (!a.data) exit(3);
    for (int64_t i = 0; i < n && !classes; i++) nigh_array_set(&a, i, nigh_rng_normal(&rng));
    for (int64_t i = 0; i < n && classes; i += classes) nigh_array_set(&a, i + (int64_t)nigh_rng_below(&rng, (uint64_t)classes), 1);
    return a.data;
}

/* ---- products ----------------------------------------------------------------------------------------- */

static void print_steps(nigh_context *ctx, const char *what, nigh_executor *run)
{
    int steps = nigh_executor_steps(run);
    double *seconds = nigh_alloc_zero(ctx, (size_t)steps, sizeof *seconds);
    nigh_buffer text = {.ctx = ctx};
    enum { TIMES = 20 };
    for (int i = 0; i < TIMES; i++) check(ctx, nigh_executor_profile(run, seconds));
    check(ctx, nigh_executor_print(run, &text));
    printf("  %s\n", what);
    char *line = text.data;
    for (int i = 0; i < steps; i++) {
        char *end = strchr(line, '\n');
        printf("  %8.1f us  %.*s\n", seconds[i] / TIMES * 1e6, (int)(end - line), line);
        line = end + 1;
    }
    nigh_buffer_free(&text);
    nigh_free(ctx, seconds);
}

enum { MOST_RUNS = 400 };

static void bind_model(nigh_context *ctx, model *m, nigh_executor *run, void *x, void *target)
{
    if (nigh_executor_has(run, m->x)) check(ctx, nigh_executor_bind(run, m->x, x));
    if (nigh_executor_has(run, m->target)) check(ctx, nigh_executor_bind(run, m->target, target));
    check(ctx, nigh_parameters_bind(nigh_network_parameters(m->net), run, m->node));
}

/* With one thread CPU seconds: the median is that of a machine alone. With more the clock, and the lowest decile. */
static int threads;
static double now(void) { return threads == 1 ? nigh_clock_cpu() : nigh_clock(); }
static double typical(int n, double *seconds)
{
    qsort(seconds, (size_t)n, sizeof *seconds, bench_by_value);
    return seconds[threads == 1 ? n / 2 : n / 10];
}

static void products(nigh_context *ctx, const design *d, const bench_args *args)
{
    model m;
    build(ctx, d, &m);
    nigh_node gradient[64];
    check(ctx, nigh_tape_gradient(m.tape, m.loss, NIGH_NONE, m.all.n, m.all.node, gradient));
    nigh_executor *run;
    nigh_product *h, *g;
    check(ctx, nigh_executor_new(ctx, m.tape, m.all.n, gradient, &run));
    check(ctx, nigh_hessian_new(ctx, m.tape, m.loss, &m.all, &h));
    check(ctx, nigh_gauss_newton_new(ctx, m.tape, m.loss, m.z, &m.all, &g));
    int64_t out = d->width[d->widths - 1], n = m.all.size;
    void *x = draw(ctx, d->dtype, d->batch * d->width[0], 1, 0), *target = draw(ctx, d->dtype, d->batch * out, 2, d->classes ? out : 0);
    void *v = draw(ctx, d->dtype, n, 3, 0), *y = draw(ctx, d->dtype, n, 4, 0);
    bind_model(ctx, &m, run, x, target);
    bind_model(ctx, &m, nigh_product_executor(h), x, target);
    bind_model(ctx, &m, nigh_product_executor(g), x, target);
    int runs = args->quick ? 40 : MOST_RUNS;
    static double seconds[5][MOST_RUNS];
    for (int i = -5; i < runs; i++) {
        double at[6];
        at[0] = now();
        check(ctx, nigh_executor_run(run));
        at[1] = now();
        nigh_product_moved(h);
        check(ctx, nigh_product_run(h, v, y));
        at[2] = now();
        check(ctx, nigh_product_run(h, v, y));
        at[3] = now();
        nigh_product_moved(g);
        check(ctx, nigh_product_run(g, v, y));
        at[4] = now();
        check(ctx, nigh_product_run(g, v, y));
        at[5] = now();
        for (int k = 0; k < 5 && i >= 0; k++) seconds[k][i] = at[k + 1] - at[k];
    }
    double ms[5];
    for (int k = 0; k < 5; k++) ms[k] = 1e3 * typical(runs, seconds[k]);
    printf("%-28s gradient %7.3f ms   Hessian %5.2f new, %5.2f same point   Gauss-Newton %5.2f new, %5.2f same point\n", d->name, ms[0], ms[1] / ms[0],
           ms[2] / ms[0], ms[3] / ms[0], ms[4] / ms[0]);
    bench_bar(1, d->name, ms[1] / ms[0], false, 2.5);
    if (args->verbose) print_steps(ctx, "gradient", run), print_steps(ctx, "Hessian", nigh_product_executor(h));
    nigh_executor_free(run);
    nigh_product_free(h);
    nigh_product_free(g);
    nigh_free(ctx, x), nigh_free(ctx, target), nigh_free(ctx, v), nigh_free(ctx, y);
    free_model(&m);
}

/* ---- samples and kernels ------------------------------------------------------------------------------ */

/* Gradients of 128 samples, and their norms alone, in gradients of the sum. */
static nigh_node cross_entropy(void *user, nigh_tape *t, nigh_node z, nigh_node target)
{
    return nigh_tape_sub(t, nigh_tape_log_sum_exp(t, z, 2, false), nigh_tape_sum(t, nigh_tape_mul(t, z, target), 2, false));
}

static void samples(nigh_context *ctx, const design *d, const bench_args *args)
{
    model m;
    build(ctx, d, &m);
    nigh_node gradient[64];
    nigh_executor *run;
    nigh_sample_gradients *s;
    int64_t out = d->width[d->widths - 1], n = nigh_parameters_size(nigh_network_parameters(m.net));
    nigh_shape goal = {.dtype = d->dtype, .ndim = 2, .dim = {-1, out}};
    check(ctx, nigh_tape_gradient(m.tape, m.loss, NIGH_NONE, m.all.n, m.all.node, gradient));
    check(ctx, nigh_executor_new(ctx, m.tape, m.all.n, gradient, &run));
    check(ctx, nigh_samples_new(ctx, m.net, &(nigh_samples_spec){.batch = d->batch, .loss = cross_entropy, .target = &goal}, &s));
    void *x = draw(ctx, d->dtype, d->batch * d->width[0], 1, 0), *target = draw(ctx, d->dtype, d->batch * out, 2, out);
    void *rows = nigh_alloc(ctx, (size_t)(d->batch * n) * nigh_dtype_size(d->dtype));
    double *norm = nigh_alloc(ctx, (size_t)d->batch * sizeof *norm);
    if (!rows || !norm) exit(3);
    bind_model(ctx, &m, run, x, target);
    nigh_samples_point(s, x, target);
    static double seconds[3][MOST_RUNS];
    int runs = args->quick ? 5 : 40;
    for (int i = -2; i < runs; i++) {
        double at[4];
        at[0] = now();
        check(ctx, nigh_executor_run(run));
        at[1] = now();
        check(ctx, nigh_samples_gradients(s, NULL, rows));
        at[2] = now();
        check(ctx, nigh_samples_norms(s, NULL, norm));
        at[3] = now();
        for (int k = 0; k < 3 && i >= 0; k++) seconds[k][i] = at[k + 1] - at[k];
    }
    double ms[3];
    for (int k = 0; k < 3; k++) ms[k] = 1e3 * typical(runs, seconds[k]);
    printf("%-28s gradient %7.3f ms   per sample %7.2f ms (%.1f GB/s written)   norms %5.2f gradients\n", d->name, ms[0], ms[1],
           (double)(d->batch * n) * (double)nigh_dtype_size(d->dtype) / ms[1] * 1e-6, ms[2] / ms[0]);
    nigh_samples_free(s);
    nigh_executor_free(run);
    nigh_free(ctx, x), nigh_free(ctx, target), nigh_free(ctx, rows), nigh_free(ctx, norm);
    free_model(&m);
}

/* The kernel of a network 3072-4096-4096-10 at 200 points: seconds, and memory beside the weights'. */
static void kernel(nigh_context *ctx, nigh_dtype dtype, const char *name, nigh_ntk_kind kind, const bench_args *args)
{
    const int64_t width = args->quick ? 1024 : 4096, points = 200;
    design d = {.name = name, .activation = "relu", .dtype = dtype, .widths = 4, .width = {3072, width, width, 10}};
    nigh_network *net;
    check(ctx, nigh_network_new(ctx, dtype, &net));
    build_layers(&d, net);
    check(ctx, nigh_network_status(net));
    check(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    int64_t outputs = kind == NIGH_NTK_FULL ? 100 : kind == NIGH_NTK_EACH ? 10 : 1;
    void *x = draw(ctx, dtype, points * d.width[0], 1, 0);
    double *k = nigh_alloc(ctx, (size_t)(points * points * outputs) * sizeof *k), start = nigh_clock();
    if (!k) exit(3);
    check(ctx, nigh_ntk(ctx, net, kind, points, x, 0, NULL, k));
    double seconds = nigh_clock() - start, gib = (double)nigh_memory_peak(ctx) / 0x1p30;
    printf("%-28s %lld points, %.1fe6 weights: %.2f s, %.2f GiB at most with the weights (points x weights: %.1f GiB)\n", name, (long long)points,
           (double)nigh_parameters_numbers(nigh_network_parameters(net)) * 1e-6, seconds, gib,
           (double)points * 10 * (double)nigh_parameters_numbers(nigh_network_parameters(net)) * (double)nigh_dtype_size(dtype) / 0x1p30);
    bench_bar(3, name, gib, false, 4);
    nigh_free(ctx, x), nigh_free(ctx, k);
    nigh_network_free(net);
}

static bool wanted(const bench_args *args, const char *name) { return !args->only || strstr(name, args->only); }

int main(int argc, char **argv)
{
    bench_args args;
    int code = bench_start(argc, argv, "second", &args);
    if (code >= 0) return code;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    if (args.count) check(ctx, nigh_context_set_threads(ctx, (int)args.count));
    threads = nigh_context_threads(ctx);
    for (size_t i = 0; i < sizeof designs / sizeof *designs; i++)
        if (wanted(&args, designs[i].name)) products(ctx, &designs[i], &args);
    if (wanted(&args, "samples")) samples(ctx, &designs[0], &args);
    if (wanted(&args, "kernel f32 each")) kernel(ctx, NIGH_F32, "kernel f32 each", NIGH_NTK_EACH, &args);
    if (wanted(&args, "kernel f32 full")) kernel(ctx, NIGH_F32, "kernel f32 full", NIGH_NTK_FULL, &args);
    if (wanted(&args, "kernel f64 each")) kernel(ctx, NIGH_F64, "kernel f64 each", NIGH_NTK_EACH, &args);
    nigh_context_free(ctx);
    return bench_end(&args);
}
