/*
 * Products with Hessians and Gauss-Newton matrices in gradients, beside bench/torch_second.py; per-sample gradients; the tangent kernel of a wide network.
 *
 *     second [--quick] [--only NAME] [--count THREADS] [--verbose] [--json FILE]
 *
 * A line a network: milliseconds of a gradient, and how many gradients a product costs at a new point and at the same point. Median of
 * alternating runs with one executor each, same threads and batch. --verbose prints the steps of each executor with their share of the time.
 */
#include "common.h"

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

static void build_layers(const design *d, nigh_network *net)
{
    char name[32];
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
    m->x = nigh_tape_input(m->tape, "x", d->dtype, 2, (int64_t[]){d->batch, d->width[0]});
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

static double median_of(int n, double *seconds)
{
    qsort(seconds, (size_t)n, sizeof *seconds, bench_by_value);
    return seconds[n / 2];
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
        at[0] = nigh_clock();
        check(ctx, nigh_executor_run(run));
        at[1] = nigh_clock();
        nigh_product_moved(h);
        check(ctx, nigh_product_run(h, v, y));
        at[2] = nigh_clock();
        check(ctx, nigh_product_run(h, v, y));
        at[3] = nigh_clock();
        nigh_product_moved(g);
        check(ctx, nigh_product_run(g, v, y));
        at[4] = nigh_clock();
        check(ctx, nigh_product_run(g, v, y));
        at[5] = nigh_clock();
        for (int k = 0; k < 5 && i >= 0; k++) seconds[k][i] = at[k + 1] - at[k];
    }
    double ms[5];
    for (int k = 0; k < 5; k++) ms[k] = 1e3 * median_of(runs, seconds[k]);
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

int main(int argc, char **argv)
{
    bench_args args;
    int code = bench_start(argc, argv, "second", &args);
    if (code >= 0) return code;
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 3;
    if (args.count) check(ctx, nigh_context_set_threads(ctx, (int)args.count));
    for (size_t i = 0; i < sizeof designs / sizeof *designs; i++)
        if (!args.only || strstr(designs[i].name, args.only)) products(ctx, &designs[i], &args);
    nigh_context_free(ctx);
    return bench_end(&args);
}
