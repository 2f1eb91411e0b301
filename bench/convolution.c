/*
 * Convolutions of a U-Net beside oneDNN's on the same channels-last fields.
 *
 *     convolution [--quick] [--only NAME]     (OMP_NUM_THREADS: threads of both)
 *
 * For each shape and product: milliseconds of nigh and of oneDNN (weights in the format it chooses, their reorder from [Kh, Kw, Cin, Cout] counted), best of
 * alternating rounds, GF/s, and the shares of the peak measured in the same run. torch_convolution.py has the same shapes in PyTorch.
 */
#include "common.h"

#include "tensor/convolution.h"

#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

typedef struct shape {
    const char *name;
    int64_t n, size, in, out, k, stride, groups;
    bool transposed;
} shape;

static const shape shapes[] = {
    {"unet-1", 16, 64, 32, 32, 3, 1, 1, false},     {"unet-2", 16, 32, 64, 64, 3, 1, 1, false},    {"unet-3", 16, 16, 128, 128, 3, 1, 1, false},
    {"unet-4", 16, 8, 256, 256, 3, 1, 1, false},    {"unet-1-single", 1, 64, 32, 32, 3, 1, 1, false}, {"unet-2-single", 1, 32, 64, 64, 3, 1, 1, false},
    {"unet-3-single", 1, 16, 128, 128, 3, 1, 1, false}, {"unet-4-single", 1, 8, 256, 256, 3, 1, 1, false},
    {"first", 16, 64, 1, 32, 3, 1, 1, false},       {"first-3", 16, 64, 3, 32, 3, 1, 1, false},    {"last", 16, 64, 32, 1, 3, 1, 1, false},
    {"down", 16, 64, 32, 64, 2, 2, 1, false},       {"patch", 16, 64, 3, 96, 4, 4, 1, false},      {"depthwise-7", 16, 32, 96, 96, 7, 1, 96, false},
};

typedef struct operands {
    float *x, *w, *y, *out;
    void *workspace;
} operands;

static convolution_spec spec_of(const shape *s, convolution_kind kind)
{
    int64_t pad = s->stride > 1 ? 0 : s->k / 2;
    return (convolution_spec){.kind = kind, .dtype = NIGH_F32, .dims = 2, .x = {s->n, s->size, s->size, s->in}, .w = {s->k, s->k, s->in / s->groups, s->out},
                              .stride = {s->stride, s->stride}, .dilation = {1, 1}, .low = {pad, pad}, .high = {pad, pad}, .groups = s->groups};
}

/* ---- the rival ---- */

typedef struct rival {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t product, order, back; /* back: weights of a gradient to [Kh, Kw, Cin, Cout] */
    dnnl_memory_t x, y, w, w_chosen, scratch;
    float *chosen, *room;
    bool ok;
} rival;

static dnnl_memory_t memory_of(rival *r, const dnnl_memory_desc_t *desc, void *data)
{
    dnnl_memory_t memory = NULL;
    r->ok &= dnnl_memory_create(&memory, desc, r->engine, data) == dnnl_success;
    return memory;
}

static dnnl_primitive_t reorder(rival *r, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to)
{
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive = NULL;
    r->ok &= dnnl_reorder_primitive_desc_create(&pd, from, r->engine, to, r->engine, NULL) == dnnl_success && dnnl_primitive_create(&primitive, pd) == dnnl_success;
    return primitive;
}

static void rival_new(const shape *s, convolution_kind kind, const operands *o, rival *r)
{
    const convolution_spec spec = spec_of(s, kind);
    int64_t out = (s->size + 2 * spec.low[0] - s->k) / s->stride + 1, g = s->groups;
    *r = (rival){.ok = dnnl_engine_create(&r->engine, dnnl_cpu, 0) == dnnl_success};
    r->ok = dnnl_engine_create(&r->engine, dnnl_cpu, 0) == dnnl_success && dnnl_stream_create(&r->stream, r->engine, dnnl_stream_default_flags) == dnnl_success;
    dnnl_dims_t xd = {s->n, s->in, s->size, s->size}, yd = {s->n, s->out, out, out}, wd = {s->out, s->in, s->k, s->k};
    dnnl_dims_t wg = {g, s->out / g, s->in / g, s->k, s->k}, strides = {s->stride, s->stride}, pad = {spec.low[0], spec.low[1]};
    dnnl_memory_desc_t x, y, w, w_any;
    dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, dnnl_nhwc);
    if (g > 1) {
        dnnl_dims_t ws = {1, 1, g, s->k * g, g};
        dnnl_memory_desc_init_by_strides(&w, 5, wg, dnnl_f32, ws);
        dnnl_memory_desc_init_by_tag(&w_any, 5, wg, dnnl_f32, dnnl_format_tag_any);
    } else {
        dnnl_memory_desc_init_by_tag(&w, 4, wd, dnnl_f32, dnnl_hwio);
        dnnl_memory_desc_init_by_tag(&w_any, 4, wd, dnnl_f32, dnnl_format_tag_any);
    }
    dnnl_convolution_desc_t desc;
    dnnl_dims_t none = {0, 0};
    if (kind == CONVOLUTION_FORWARD)
        dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_training, dnnl_convolution_direct, &x, &w_any, NULL, &y, strides, none, pad, pad);
    else if (kind == CONVOLUTION_DATA)
        dnnl_dilated_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, &x, &w_any, &y, strides, none, pad, pad);
    else
        dnnl_dilated_convolution_backward_weights_desc_init(&desc, dnnl_convolution_direct, &x, &w_any, NULL, &y, strides, none, pad, pad);
    dnnl_primitive_desc_t pd = NULL, hint = NULL;
    if (kind != CONVOLUTION_FORWARD) {
        dnnl_convolution_desc_t forward;
        dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &x, &w_any, NULL, &y, strides, none, pad, pad);
        r->ok &= dnnl_primitive_desc_create(&hint, &forward, NULL, r->engine, NULL) == dnnl_success;
    }
    r->ok = r->ok && dnnl_primitive_desc_create(&pd, &desc, NULL, r->engine, hint) == dnnl_success && dnnl_primitive_create(&r->product, pd) == dnnl_success;
    if (!r->ok) return;
    const dnnl_memory_desc_t *chosen = dnnl_primitive_desc_query_md(pd, kind == CONVOLUTION_WEIGHT ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    r->chosen = aligned_alloc(64, (dnnl_memory_desc_get_size(chosen) + 63) / 64 * 64);
    r->x = memory_of(r, &x, o->x), r->y = memory_of(r, &y, o->y), r->w = memory_of(r, &w, o->w), r->w_chosen = memory_of(r, chosen, r->chosen);
    r->order = kind == CONVOLUTION_WEIGHT ? reorder(r, chosen, &w) : reorder(r, &w, chosen);
}

static void rival_run(const rival *r, convolution_kind kind)
{
    dnnl_exec_arg_t order[] = {{DNNL_ARG_FROM, kind == CONVOLUTION_WEIGHT ? r->w_chosen : r->w}, {DNNL_ARG_TO, kind == CONVOLUTION_WEIGHT ? r->w : r->w_chosen}};
    dnnl_exec_arg_t product[] = {{kind == CONVOLUTION_DATA ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, r->x},
                                 {kind == CONVOLUTION_WEIGHT ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, r->w_chosen},
                                 {kind == CONVOLUTION_FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, r->y}};
    if (kind != CONVOLUTION_WEIGHT) dnnl_primitive_execute(r->order, r->stream, 2, order);
    dnnl_primitive_execute(r->product, r->stream, 3, product);
    if (kind == CONVOLUTION_WEIGHT) dnnl_primitive_execute(r->order, r->stream, 2, order);
    dnnl_stream_wait(r->stream);
}

/* ---- timing ---- */

static float *random_floats(nigh_rng *rng, int64_t n)
{
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 127) / 64 * 64);
    nigh_rng_fill_normal_f32(rng, n, x);
    return x;
}

/* One thread is timed by its CPU seconds: others on the machine disturb them less. */
static double clock_of(const nigh_context *ctx) { return nigh_context_threads(ctx) == 1 ? nigh_clock_cpu() : nigh_clock(); }

static void run_nigh(const convolution *c, convolution_kind kind, const operands *o)
{
    if (kind == CONVOLUTION_FORWARD)
        convolution_run(c, o->x, o->w, NULL, o->out, NULL, o->workspace);
    else if (kind == CONVOLUTION_DATA)
        convolution_run(c, o->y, o->w, NULL, o->out, NULL, o->workspace);
    else
        convolution_run(c, o->x, o->y, NULL, o->out, NULL, o->workspace);
}

static double worst_difference(const float *a, const float *b, int64_t n)
{
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)a[i] - (double)b[i])), most = fmax(most, fabs((double)b[i]));
    return worst / most;
}

static void measure(nigh_context *ctx, const shape *s, convolution_kind kind, bool quick, double peak)
{
    static const char *const names[] = {"forward", "data", "weight"};
    convolution_spec spec = spec_of(s, kind);
    int64_t y[5];
    convolution *c = NULL;
    if (convolution_shape(ctx, &spec, y) || convolution_new(ctx, &spec, nigh_context_threads(ctx), &c)) {
        fprintf(stderr, "%s\n", nigh_message(ctx));
        return;
    }
    int64_t nx = s->n * s->size * s->size * s->in, ny = y[0] * y[1] * y[2] * y[3], nw = s->k * s->k * (s->in / s->groups) * s->out;
    int64_t n = kind == CONVOLUTION_FORWARD ? ny : kind == CONVOLUTION_DATA ? nx : nw;
    nigh_rng rng = nigh_rng_new(1, 0);
    operands o = {random_floats(&rng, nx), random_floats(&rng, nw), random_floats(&rng, ny), random_floats(&rng, n), aligned_alloc(64, convolution_workspace(c) + 64)};
    rival r;
    rival_new(s, kind, &o, &r);
    run_nigh(c, kind, &o);
    float *copy = random_floats(&rng, n); /* the rival writes over its operand: keep ours */
    memcpy(copy, o.out, (size_t)n * sizeof *copy);
    const double work = 2.0 * (double)(y[0] * y[1] * y[2]) * (double)nw;
    int64_t repeat = (int64_t)(2e9 / work) + 1;
    double best[2] = {INFINITY, INFINITY};
    for (int round = 0; round < (quick ? 5 : 25); round++)
        for (int who = 0; who < 2; who++) {
            double start = clock_of(ctx);
            for (int64_t i = 0; i < repeat; i++) {
                if (who == 0)
                    run_nigh(c, kind, &o);
                else if (r.ok)
                    rival_run(&r, kind);
            }
            best[who] = fmin(best[who], (clock_of(ctx) - start) / (double)repeat);
        }
    double difference = r.ok ? worst_difference(copy, kind == CONVOLUTION_FORWARD ? o.y : kind == CONVOLUTION_DATA ? o.x : o.w, n) : NAN;
    printf("%-14s %-8s nigh %8.3f ms %6.1f GF/s %3.0f%%   oneDNN %8.3f ms %6.1f GF/s %3.0f%%   ratio %.2f   difference %.1e\n", s->name, names[kind], best[0] * 1e3,
           work / best[0] * 1e-9, 100 * work / best[0] / peak, best[1] * 1e3, work / best[1] * 1e-9, 100 * work / best[1] / peak, best[1] / best[0], difference);
    fflush(stdout);
    char figure[64];
    snprintf(figure, sizeof figure, "%s %s ms", s->name, names[kind]);
    bench_note(figure, best[0] * 1e3);
    free(o.x), free(o.w), free(o.y), free(o.out), free(o.workspace), free(copy), free(r.chosen);
    convolution_free(c);
}

/* Multiply-adds from registers on all threads: what the shares refer to. */
static double measure_peak(int threads)
{
    double best = 0;
    for (int round = 0; round < 5; round++) {
        double start = nigh_clock(), sums = 0;
        enum { ROUNDS = 400000, CHAINS = 12, WIDE = 16 };
#pragma omp parallel num_threads(threads) reduction(+ : sums)
        {
            typedef float vector __attribute__((vector_size(64)));
            vector a[CHAINS], b;
            for (int j = 0; j < WIDE; j++) b[j] = 0.999f;
            for (int i = 0; i < CHAINS; i++) a[i] = b * (float)i;
            for (int64_t i = 0; i < ROUNDS; i++) {
#pragma GCC unroll 12
                for (int j = 0; j < CHAINS; j++) a[j] = a[j] * b + b;
            }
            for (int i = 0; i < CHAINS; i++) sums += (double)a[i][0];
        }
        if (sums > 0) best = fmax(best, 2.0 * ROUNDS * CHAINS * WIDE * threads / (nigh_clock() - start));
    }
    return best;
}

int main(int argc, char **argv)
{
    bench_args args;
    int code = bench_start(argc, argv, "convolution", &args);
    if (code >= 0) return code;
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) return 3;
#ifdef _OPENMP
    if (nigh_context_set_threads(ctx, omp_get_max_threads())) return 3;
#endif
    double peak = measure_peak(nigh_context_threads(ctx));
    printf("peak of multiply-adds from registers, %d threads: %.0f GF/s\n", nigh_context_threads(ctx), peak * 1e-9);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = 0; kind < 3; kind++)
            if (!args.only || strstr(shapes[i].name, args.only)) measure(ctx, &shapes[i], (convolution_kind)kind, args.quick, peak);
    nigh_context_free(ctx);
    return bench_end(&args);
}
