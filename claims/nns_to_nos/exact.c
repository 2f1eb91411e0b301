/* What holds by construction, on networks whose weights are drawn. */
#include "elsewhere.h"

#include "nigh/discretise.h"
#include "nigh/fields.h"
#include "nigh/layers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INPUTS = 4, QUERIES = 8, HEAD = 4, FINE = 4096 };

/* The first output of a network in its own type, as f64: [count] numbers in *out, to be freed. */
static nigh_status answer(nigh_context *ctx, nigh_network *net, int inputs, const nigh_shape *shape, const double *const *x, double **out, int64_t *count)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape = NULL;
    nigh_executor *run = NULL;
    nigh_node in[MOST_INPUTS], y, *w = nigh_alloc(ctx, (size_t)(nigh_parameters_count(set) + 1) * sizeof *w);
    nigh_status status = w ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    for (int i = 0; i < inputs && !status; i++) in[i] = nigh_tape_input(tape, "x", shape[i].dtype, shape[i].ndim, shape[i].dim);
    if (!status) status = nigh_parameters_record(set, tape, w);
    if (!status) status = nigh_network_record(net, tape, NULL, in, w, &y);
    if (!status) status = nigh_executor_new(ctx, tape, 1, &y, &run);
    if (!status) status = nigh_parameters_bind(set, run, w);
    for (int i = 0; i < inputs && !status; i++) {
        nigh_array a = {shape[i], nigh_executor_has(run, in[i]) ? nigh_executor_data(run, in[i]) : NULL};
        for (int64_t k = 0; a.data && k < nigh_shape_count(&shape[i]); k++) nigh_array_set(&a, k, x[i][k]);
    }
    if (!status) status = nigh_executor_run(run);
    if (!status) {
        nigh_array a = {*nigh_tape_shape(tape, y), nigh_executor_data(run, y)};
        *count = nigh_shape_count(&a.shape);
        if (!(*out = nigh_alloc(ctx, (size_t)*count * sizeof **out))) status = NIGH_MEMORY;
        for (int64_t k = 0; !status && k < *count; k++) (*out)[k] = nigh_array_get(&a, k);
    }
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_free(ctx, w);
    return status;
}

static double distance(int64_t n, const double *a, const double *b)
{
    double d = 0, size = 0;
    for (int64_t i = 0; i < n; i++) d += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
    return sqrt(d / size);
}

static nigh_shape field(nigh_dtype dtype, int dims, int64_t n)
{
    nigh_shape s = {dtype, dims + 2, {1, n, dims == 2 ? n : 1, 1}};
    return s;
}

/* ---- the trained grid --------------------------------------------------------------------------------- */

enum { CONV, ATTENTION, FNO, NETWORKS };

static nigh_status build(nigh_context *ctx, int which, nigh_dtype dtype, int dims, int64_t n, nigh_grid grid, uint64_t seed, nigh_network **net)
{
    nigh_padding padding = grid == NIGH_GRID_PERIODIC ? NIGH_PAD_CIRCULAR : NIGH_PAD_ZERO;
    nigh_unet_spec conv = {.dims = dims, .in = 1, .out = 1, .base = 8, .scales = 3, .padding = padding, .norm = NIGH_UNET_PLAIN};
    nigh_patches_spec attention = {.dims = dims, .in = 1, .out = 1, .size = {n, n}, .patch = 4, .width = 16, .heads = 2, .layers = 2, .padding = padding};
    nigh_fno_spec fno = {.dims = dims, .in = 1, .out = 1, .width = 8, .modes = {8, 8}, .layers = 3, .no_grid = grid == NIGH_GRID_PERIODIC};
    nigh_status status = which == CONV        ? nigh_unet_new(ctx, dtype, &conv, net)
                         : which == ATTENTION ? nigh_patches_new(ctx, dtype, &attention, net)
                                              : nigh_fno_new(ctx, dtype, &fno, net);
    return status ? status : nigh_parameters_draw(nigh_network_parameters(*net), seed);
}

static nigh_status same_grid(claim_run *run, int which, int dims, nigh_grid grid, nigh_resampling how, double *worst)
{
    nigh_context *ctx = run->ctx;
    nigh_network *net = NULL, *same = NULL;
    double x[16 * 16], *a = NULL, *b = NULL;
    const double *in = x;
    const nigh_shape shape = field(NIGH_F32, dims, 16);
    int64_t n = 0;
    for (int i = 0; i < 256; i++) x[i] = sin(1.3 * i) + cos(0.1 * i * i);
    nigh_status status = build(ctx, which, NIGH_F32, dims, 16, grid, claim_seed(run), &net);
    if (!status) status = nigh_network_rewrite(net, &(nigh_discretisation){.dims = dims, .trained = {16, 16}, .grid = grid, .resampling = how}, (int64_t[]){16, 16}, &same);
    if (!status) status = answer(ctx, net, 1, &shape, &in, &a, &n);
    if (!status) status = answer(ctx, same, 1, &shape, &in, &b, &n);
    if (!status) *worst = fmax(*worst, distance(n, b, a));
    nigh_free(ctx, a);
    nigh_free(ctx, b);
    nigh_network_free(same);
    nigh_network_free(net);
    return status;
}

static nigh_status identity_bar(claim_run *run)
{
    double worst = 0;
    nigh_status status = NIGH_OK;
    for (int k = 0; k < NETWORKS * 2 * 3 * 4 && !status; k++) {
        nigh_grid grid = (nigh_grid)(NIGH_GRID_CELL + k / 6 % 3);
        nigh_resampling how = (nigh_resampling)(NIGH_RESAMPLING_LINEAR + k / 18);
        if (how != NIGH_RESAMPLING_FOURIER || grid == NIGH_GRID_PERIODIC) status = same_grid(run, k % NETWORKS, 1 + k / NETWORKS % 2, grid, how, &worst);
    }
    if (!status) claim_bar(run, "4: rewritten for the trained grid, 60 networks: largest relative difference", worst, CLAIM_AT_MOST, 1e-6, NULL);
    return status;
}

/* ---- orders ------------------------------------------------------------------------------------------- */

/* Two convolutions by hats in a disc with gelu between. */
static nigh_status disc_order(claim_run *run, int dims, double *order, double *finest)
{
    nigh_network *net = NULL;
    const nigh_physical spec = {.grid = NIGH_GRID_PERIODIC, .radius = 0.15, .rings = 2, .sectors = 4};
    const int64_t n = dims == 2 ? 16 : 32, open[] = {-1, -1, dims == 2 ? -1 : 1, 1};
    nigh_consistency c;
    nigh_status status = nigh_network_new(run->ctx, NIGH_F64, &net);
    if (status) return status;
    int x = nigh_network_input(net, "x", dims + 2, open);
    x = nigh_network_disc_conv(net, "first", x, 1, 6, dims, &spec, true);
    x = nigh_network_layer(net, "gelu", "act", 1, &x);
    nigh_network_output(net, nigh_network_disc_conv(net, "second", x, 6, 1, dims, &spec, true));
    status = nigh_network_status(net);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(net), claim_seed(run));
    if (!status)
        status = nigh_network_consistency(net, &(nigh_discretisation){.dims = dims, .trained = {n, n}, .grid = NIGH_GRID_PERIODIC},
                                          &(nigh_consistency_options){.seed = claim_seed(run), .width = 0.4}, &c);
    if (!status) *order = c.order, *finest = c.rewritten[NIGH_CONSISTENCY_GRIDS - 1];
    nigh_network_free(net);
    return status;
}

/* Three plain convolutions and gelu: as they are, and with the kernel in physical units. */
static nigh_status conv_order(claim_run *run, nigh_consistency *c)
{
    nigh_network *net = NULL;
    nigh_status status = nigh_network_new(run->ctx, NIGH_F64, &net);
    if (status) return status;
    int x = nigh_network_input(net, "x", 3, (int64_t[]){-1, -1, 1});
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", i);
        x = nigh_network_conv_same(net, name, x, i ? 6 : 1, i < 2 ? 6 : 1, 1, 5, NIGH_PAD_CIRCULAR, true);
        snprintf(name, sizeof name, "act%d", i);
        if (i < 2) x = nigh_network_layer(net, "gelu", name, 1, &x);
    }
    nigh_network_output(net, x);
    status = nigh_network_status(net);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(net), claim_seed(run));
    if (!status)
        status = nigh_network_consistency(net, &(nigh_discretisation){.dims = 1, .trained = {32}, .grid = NIGH_GRID_PERIODIC, .resampling = NIGH_RESAMPLING_LINEAR},
                                          &(nigh_consistency_options){.seed = claim_seed(run), .width = 0.3}, c);
    nigh_network_free(net);
    return status;
}

/* A stencil (a, b, c) on sin(2 pi x), beside (c - a) 2 pi cos(2 pi x): least observed order over two halvings of the spacing. The sabotage keeps the mean. */
static nigh_status derivative_order(claim_run *run, double *order)
{
    nigh_context *ctx = run->ctx;
    bool kept = claim_sabotaged(run, "mean-kept");
    double error[3], x[256], *y = NULL;
    const double *in = x;
    nigh_status status = NIGH_OK;
    *order = INFINITY;
    for (int k = 0; k < 3 && !status; k++) {
        nigh_network *net = NULL;
        int64_t n = 64 << k, count;
        for (int64_t i = 0; i < n; i++) x[i] = sin(2 * M_PI * (double)i / (double)n);
        status = nigh_network_new(ctx, NIGH_F64, &net);
        int from = status ? -1 : nigh_network_input(net, "x", 3, (int64_t[]){-1, -1, 1});
        if (!status && kept) nigh_network_output(net, nigh_network_conv_same(net, "layer", from, 1, 1, 1, 3, NIGH_PAD_CIRCULAR, false));
        else if (!status) nigh_network_output(net, nigh_network_difference_conv(net, "layer", from, 1, 1, 1, &(nigh_physical){.grid = NIGH_GRID_PERIODIC}, false));
        if (!status) status = nigh_network_status(net);
        double *w = status ? NULL : nigh_parameters_data(nigh_network_parameters(net), 0), scale = kept ? (double)n : 1;
        if (w) w[0] = -0.3 * scale, w[1] = 0.4 * scale, w[2] = 0.8 * scale;
        if (!status) status = answer(ctx, net, 1, &(nigh_shape){NIGH_F64, 3, {1, n, 1}}, &in, &y, &count);
        error[k] = 0;
        for (int64_t i = 0; i < n && !status; i++) error[k] = fmax(error[k], fabs(y[i] - 1.1 * 2 * M_PI * cos(2 * M_PI * (double)i / (double)n)));
        nigh_free(ctx, y);
        y = NULL;
        nigh_network_free(net);
        if (k) *order = fmin(*order, log2(error[k - 1] / error[k]));
    }
    return status;
}

static nigh_status order_bars(claim_run *run)
{
    double disc, finest, derivative = 0;
    nigh_consistency c = {0};
    nigh_status status = NIGH_OK;
    for (int dims = 1; dims <= 2 && !status; dims++) {
        char name[96];
        status = disc_order(run, dims, &disc, &finest);
        snprintf(name, sizeof name, "2: hats in a disc, %d-D: order of consistency", dims);
        if (!status) claim_bar(run, name, disc, CLAIM_AT_LEAST, 1.5, NULL);
    }
    if (!status) status = conv_order(run, &c);
    if (status) return status;
    claim_bar(run, "2: plain convolutions: order", c.plain_order, CLAIM_AT_MOST, 0.2, NULL);
    claim_bar(run, "2: the same with hat kernels: order", c.order, CLAIM_AT_LEAST, 1.5, NULL);
    claim_note(run, "plain convolutions on 32, 64, 128 points: c = %.2g %.2g %.2g; hat kernels %.2g %.2g %.2g; wrapper %.2g %.2g %.2g", c.plain[1], c.plain[2], c.plain[3], c.rewritten[1],
               c.rewritten[2], c.rewritten[3], c.wrapper[1], c.wrapper[2], c.wrapper[3]);
    status = derivative_order(run, &derivative);
    if (!status) claim_bar(run, "2: difference kernel, order of the derivative of sin(2 pi x), least", derivative, CLAIM_AT_LEAST, 0.9, NULL);
    return status;
}

/* ---- quadrature --------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Keys and values are sums of waves; queries are fixed. On n points: uniform (integral), or drawn with a density that grows to one side. */
static nigh_status attend(claim_run *run, nigh_network *net, uint64_t seed, int n, bool uniform, bool weighted, double **out)
{
    nigh_context *ctx = run->ctx;
    nigh_arena *arena = NULL;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    double *place = nigh_arena_alloc(arena, (size_t)n * sizeof *place), *weight = nigh_arena_alloc(arena, (size_t)n * sizeof *weight), query[QUERIES * HEAD];
    double *key = nigh_arena_alloc(arena, (size_t)n * HEAD * sizeof *key), *value = nigh_arena_alloc(arena, (size_t)n * HEAD * sizeof *value), phase[2][HEAD];
    const double *in[] = {query, key, value, weight};
    const nigh_shape shape[] = {{NIGH_F64, 4, {1, QUERIES, 1, HEAD}}, {NIGH_F64, 4, {1, n, 1, HEAD}}, {NIGH_F64, 4, {1, n, 1, HEAD}}, {NIGH_F64, 1, {n}}};
    nigh_rng rng = nigh_rng_new(seed, 1), points = nigh_rng_new(seed, 2);
    int64_t count;
    if (place && weight && key && value) {
        for (int i = 0; i < QUERIES * HEAD; i++) query[i] = 4 * nigh_rng_f64(&rng) - 2;
        for (int i = 0; i < 2 * HEAD; i++) phase[i / HEAD][i % HEAD] = 2 * M_PI * nigh_rng_f64(&rng);
        for (int i = 0; i < n; i++) {
            double u = nigh_rng_f64(&points);
            place[i] = uniform ? (i + 0.5) / n : u * u;
        }
        qsort(place, (size_t)n, sizeof *place, by_value);
        for (int i = 0; i < n; i++) weight[i] = weighted ? (i + 1 < n ? (place[i] + place[i + 1]) / 2 : 1) - (i ? (place[i] + place[i - 1]) / 2 : 0) : 1;
        for (int i = 0; i < n * HEAD; i++) {
            int h = i % HEAD;
            key[i] = sin(2 * M_PI * (1 + h / 2) * place[i / HEAD] + phase[0][h]);
            value[i] = cos(2 * M_PI * (1 + h % 2) * place[i / HEAD] + phase[1][h]) + place[i / HEAD];
        }
        status = answer(ctx, net, MOST_INPUTS, shape, in, out, &count);
    } else status = NIGH_MEMORY;
    nigh_arena_free(arena);
    return status;
}

static nigh_status attention_bar(claim_run *run)
{
    nigh_context *ctx = run->ctx;
    nigh_network *net = NULL;
    double with = 0, without = 0;
    int draws = run->quick ? 10 : 40;
    nigh_status status = nigh_network_new(ctx, NIGH_F64, &net);
    if (status) return status;
    int x[MOST_INPUTS];
    for (int i = 0; i < MOST_INPUTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        x[i] = nigh_network_input(net, name, i < 3 ? 4 : 1, i < 3 ? (int64_t[]){-1, -1, 1, HEAD} : (int64_t[]){-1});
    }
    nigh_network_output(net, nigh_network_layer(net, "weighted-attention", "attention", MOST_INPUTS, x));
    status = nigh_network_status(net);
    for (int s = 0; s < draws && !status; s++) {
        uint64_t seed = nigh_seed_split(claim_seed(run), (uint64_t)(500 + s));
        double *y[3] = {NULL};
        status = attend(run, net, seed, FINE, true, true, &y[0]);
        if (!status) status = attend(run, net, seed, 64, false, !claim_sabotaged(run, "no-weights"), &y[1]);
        if (!status) status = attend(run, net, seed, 64, false, false, &y[2]);
        if (!status) with += distance(QUERIES * HEAD, y[1], y[0]) / draws, without += distance(QUERIES * HEAD, y[2], y[0]) / draws;
        for (int i = 0; i < 3; i++) nigh_free(ctx, y[i]);
    }
    nigh_network_free(net);
    if (status) return status;
    claim_note(run, "attention over 64 random points, mean of %d draws: %.3f from the integral with weights, %.3f without", draws, with, without);
    claim_bar(run, "3: attention on 64 random points: error with quadrature weights over that without", with / without, CLAIM_AT_MOST, 1.0 / 3, NULL);
    return NIGH_OK;
}

/* ---- spectral layers ---------------------------------------------------------------------------------- */

/* The network with its gelu layers replaced by the identity. */
static nigh_status without_gelu(nigh_context *ctx, nigh_network *net, nigh_network **out)
{
    nigh_network *copy = NULL;
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_status status = nigh_network_new(ctx, NIGH_F64, &copy);
    for (int i = 0; i < nigh_parameters_count(set) && !status; i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        int to = nigh_network_weight(copy, p->name, p->shape.ndim, p->shape.dim, p->init);
        status = nigh_network_status(copy);
        if (!status) memcpy(nigh_parameters_data(nigh_network_parameters(copy), to), nigh_parameters_data(set, i), (size_t)nigh_shape_count(&p->shape) * sizeof(double));
    }
    for (int i = 0; i < nigh_network_layers(net) && !status; i++) {
        const nigh_layer *l = nigh_network_at(net, i);
        const nigh_shape *shape = nigh_network_input_shape(net, 0);
        if (nigh_network_input_layer(net, 0) == i) nigh_network_input(copy, l->name, shape->ndim, shape->dim);
        else nigh_network_add(copy, strcmp(l->kind, "gelu") ? l->kind : "affine", l->name, l->inputs, l->input, l->parameters, l->parameter, l->attributes, l->attribute);
        status = nigh_network_status(copy);
    }
    if (!status) nigh_network_output(copy, nigh_network_output_layer(net, 0));
    if (status) nigh_network_free(copy);
    else *out = copy;
    return status;
}

/* Waves of at most 3 periods on 16 and 32 points: how far the answers differ at shared points. */
static nigh_status shared_points(nigh_context *ctx, nigh_network *net, double *difference)
{
    enum { N = 16 };
    double x[2][4 * N * N], *y[2] = {NULL}, shared[N * N];
    nigh_status status = NIGH_OK;
    int64_t count;
    for (int k = 0; k < 2 && !status; k++) {
        int64_t n = N << k;
        const double *in = x[k];
        nigh_shape shape = field(NIGH_F64, 2, n);
        for (int64_t i = 0; i < n * n; i++) {
            double u = 2 * M_PI * (double)(i / n) / (double)n, v = 2 * M_PI * (double)(i % n) / (double)n;
            x[k][i] = 0.5 + sin(u) * cos(2 * v) + cos(3 * u - v) + 0.5 * sin(3 * v);
        }
        status = answer(ctx, net, 1, &shape, &in, &y[k], &count);
    }
    for (int64_t i = 0; i < N * N && !status; i++) shared[i] = y[1][i / N * 2 * 2 * N + i % N * 2];
    if (!status) *difference = distance(N * N, shared, y[0]);
    nigh_free(ctx, y[0]);
    nigh_free(ctx, y[1]);
    return status;
}

static nigh_status spectral_bars(claim_run *run)
{
    nigh_network *net = NULL, *linear = NULL;
    double straight = 0, bent = 0;
    nigh_status status = build(run->ctx, FNO, NIGH_F64, 2, 16, NIGH_GRID_PERIODIC, claim_seed(run), &net);
    if (!status) status = without_gelu(run->ctx, net, &linear);
    if (!status) status = shared_points(run->ctx, linear, &straight);
    if (!status) status = shared_points(run->ctx, net, &bent);
    nigh_network_free(linear);
    nigh_network_free(net);
    if (status) return status;
    claim_bar(run, "5: spectral layers without gelu, 16 and 32 points: difference at shared points", straight, CLAIM_AT_MOST, 1e-4, NULL);
    claim_bar(run, "5: the same with gelu (aliasing)", bent, CLAIM_AT_MOST, 0.02, NULL);
    return NIGH_OK;
}

nigh_status exact_bars(claim_run *run)
{
    nigh_status status = order_bars(run);
    if (!status) status = attention_bar(run);
    if (!status) status = identity_bar(run);
    return status ? status : spectral_bars(run);
}
