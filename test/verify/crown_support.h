/* Random graphs, and linear bounds by the textbook, row after row, with every affine node as a matrix. */
#ifndef CROWN_SUPPORT_H
#define CROWN_SUPPORT_H
#include "support.h"

#include "verify/bounds.h"
#include "verify/graph_build.h"
#include "verify/relax.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t crown_seed = 1;
static inline double uniform(double low, double high)
{
    crown_seed = crown_seed * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(crown_seed >> 11) * 0x1p-53;
}

static inline double *random_array(graph_build *build, int64_t n, double scale)
{
    double *x = nigh_arena_alloc(build->graph->arena, (size_t)n * sizeof *x + 1);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = (double)(float)uniform(-scale, scale);
    return x;
}

static inline int add_input(graph_build *build, int64_t size) { return graph_build_add(build, &(bound_node){.kind = BOUND_INPUT, .name = "input", .size = size}); }

static inline int add_dense(graph_build *build, int from, int64_t size)
{
    int64_t n = build->graph->node[from].size;
    bound_node node = {.kind = BOUND_DENSE, .name = "dense", .inputs = 1, .input = &from, .size = size, .roundings = (int)n + 1};
    node.weight = random_array(build, n * size, 2 / sqrt((double)n));
    node.bias = random_array(build, size, 0.3);
    return graph_build_add(build, &node);
}

static inline int add_convolution(graph_build *build, int from, int64_t height, int64_t width, int64_t channels, int64_t out_channels, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad,
                                  int64_t groups)
{
    bound_window w = {.height = height, .width = width, .channels = channels, .out_channels = out_channels, .kernel = {kernel, kernel}, .stride = {stride, stride},
                      .dilation = {dilation, dilation}, .pad = {pad, pad}, .groups = groups};
    w.out_height = (height + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
    w.out_width = (width + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
    bound_node node = {.kind = BOUND_CONVOLUTION, .name = "conv", .inputs = 1, .input = &from, .size = w.out_height * w.out_width * out_channels, .window = w};
    node.roundings = (int)(kernel * kernel * channels / groups) + 1;
    node.weight = random_array(build, kernel * kernel * channels / groups * out_channels, 2 / sqrt((double)(kernel * kernel * channels / groups)));
    double *bias = random_array(build, node.size, 0.3);
    node.bias = bias;
    return graph_build_add(build, &node);
}

/* Each result is a sum of up to 3 inputs. */
static inline int add_sparse(graph_build *build, int from, int64_t size)
{
    nigh_arena *arena = build->graph->arena;
    int64_t n = build->graph->node[from].size, *row = nigh_arena_alloc(arena, (size_t)(size + 1) * sizeof *row);
    int32_t *column = nigh_arena_alloc(arena, (size_t)(3 * size) * sizeof *column + 1);
    row[0] = 0;
    for (int64_t i = 0; i < size; i++) {
        row[i + 1] = row[i] + i % 4;
        for (int64_t e = row[i]; e < row[i + 1]; e++) column[e] = (int32_t)((i * 7 + (e - row[i]) * 3) % n);
    }
    bound_node node = {.kind = BOUND_SPARSE, .name = "sparse", .inputs = 1, .input = &from, .size = size, .row = row, .column = column, .roundings = 4};
    node.weight = random_array(build, row[size] + 1, 1.5);
    node.bias = random_array(build, size, 0.2);
    return graph_build_add(build, &node);
}

static inline int add_sum(graph_build *build, int inputs, const int *input, const double *scale)
{
    return graph_build_add(build, &(bound_node){.kind = BOUND_SUM, .name = "sum", .inputs = inputs, .input = input, .scale = scale, .size = build->graph->node[input[0]].size, .roundings = inputs});
}

static inline int add_activation(graph_build *build, int from, bound_function f)
{
    bound_node node = {.kind = BOUND_ACTIVATION, .name = "act", .inputs = 1, .input = &from, .size = build->graph->node[from].size, .function = f};
    node.p[0] = f == BOUND_LEAKY ? 0.1 : f == BOUND_CLIP ? -0.5 : 1;
    node.p[1] = f == BOUND_CLIP ? 0.7 : 0;
    return graph_build_add(build, &node);
}

enum { GRAPH_CHAIN, GRAPH_DEEP, GRAPH_CONVOLUTION, GRAPH_GROUPS, GRAPH_RESIDUAL, GRAPH_FIELDS, GRAPH_MIXED, GRAPH_LINEAR, GRAPHS,
       GRAPH_CHANNELS /* not in all tests: whole vectors of channels and parts of them, alone and in groups */ };

/* A graph of a kind with small odd sizes; `f` its activations. */
static inline bound_graph *random_graph(nigh_context *ctx, int kind, bound_function f)
{
    graph_build b;
    assert_ok(ctx, graph_build_new(ctx, &b));
    int at = 0;
    if (kind == GRAPH_CHAIN || kind == GRAPH_DEEP) {
        at = add_input(&b, 5);
        for (int i = 0; i < (kind == GRAPH_DEEP ? 5 : 2); i++) at = add_activation(&b, add_dense(&b, at, 9 + 2 * i), f);
        at = add_dense(&b, at, 3);
    } else if (kind == GRAPH_CONVOLUTION) {
        at = add_activation(&b, add_convolution(&b, add_input(&b, 7 * 6 * 2), 7, 6, 2, 3, 3, 1, 1, 1, 1), f);
        at = add_activation(&b, add_convolution(&b, at, 7, 6, 3, 4, 3, 2, 1, 1, 1), f);
        at = add_activation(&b, add_dense(&b, at, 11), f);
        at = add_dense(&b, at, 3);
    } else if (kind == GRAPH_GROUPS) {
        at = add_activation(&b, add_convolution(&b, add_input(&b, 8 * 9 * 2), 8, 9, 2, 4, 2, 3, 1, 0, 2), f);
        at = add_activation(&b, add_convolution(&b, at, 3, 3, 4, 6, 2, 1, 2, 1, 2), f);
        at = add_dense(&b, at, 4);
    } else if (kind == GRAPH_RESIDUAL) {
        int first = add_activation(&b, add_dense(&b, add_input(&b, 4), 10), f), branch = add_dense(&b, add_activation(&b, add_dense(&b, first, 10), f), 10);
        at = add_sum(&b, 2, (int[]){first, branch}, (double[]){1, -1});
        int second = add_activation(&b, at, f);
        at = add_sum(&b, 3, (int[]){second, at, add_dense(&b, second, 10)}, (double[]){1, 1, -1});
        at = add_dense(&b, add_activation(&b, at, f), 3);
    } else if (kind == GRAPH_FIELDS) {
        int first = add_convolution(&b, add_input(&b, 6 * 6), 6, 6, 1, 3, 3, 1, 1, 1, 1), act = add_activation(&b, first, f);
        int branch = add_convolution(&b, add_activation(&b, add_convolution(&b, act, 6, 6, 3, 3, 3, 1, 1, 1, 1), f), 6, 6, 3, 3, 3, 1, 1, 1, 1);
        at = add_sum(&b, 2, (int[]){act, branch}, (double[]){1, 1});
        at = add_activation(&b, add_convolution(&b, add_activation(&b, at, f), 6, 6, 3, 5, 3, 2, 1, 1, 1), f);
        at = add_dense(&b, at, 4);
    } else if (kind == GRAPH_CHANNELS) {
        int first = add_activation(&b, add_convolution(&b, add_input(&b, 3 * 2 * 4), 3, 2, 4, 21, 3, 1, 1, 1, 1), f);
        at = add_activation(&b, add_convolution(&b, first, 3, 2, 21, 10, 3, 2, 1, 1, 1), f);
        at = add_activation(&b, add_convolution(&b, at, 2, 1, 10, 6, 2, 1, 2, 1, 2), f);
        at = add_dense(&b, at, 4);
    } else if (kind == GRAPH_MIXED) {
        int first = add_sparse(&b, add_input(&b, 6), 9), left = add_activation(&b, first, f), right = add_activation(&b, first, BOUND_RELU);
        at = add_sum(&b, 3, (int[]){left, right, first}, (double[]){1, -1, 1});
        at = add_activation(&b, add_sparse(&b, add_dense(&b, at, 7), 8), f);
        at = add_dense(&b, at, 5);
    } else at = add_dense(&b, add_sparse(&b, add_dense(&b, add_input(&b, 6), 7), 8), 4);
    assert_true(at > 0);
    assert_ok(ctx, graph_build_finish(&b, at, b.graph->node[at].size));
    return b.graph;
}

/* Row j of an affine node's matrix into out [inputs]. */
static inline void matrix_row(const bound_graph *g, int k, int64_t j, double *out)
{
    const bound_node *node = &g->node[k];
    const bound_window *w = &node->window;
    int64_t n = g->node[node->input[0]].size;
    memset(out, 0, (size_t)n * sizeof *out);
    if (node->kind == BOUND_DENSE) memcpy(out, node->weight + j * n, (size_t)n * sizeof *out);
    else if (node->kind == BOUND_SPARSE)
        for (int64_t e = node->row[j]; e < node->row[j + 1]; e++) out[node->column[e]] += node->weight[e];
    else {
        int64_t c = j % w->out_channels, x = j / w->out_channels % w->out_width, y = j / w->out_channels / w->out_width, ci = w->channels / w->groups, co = w->out_channels / w->groups;
        for (int64_t iy = 0; iy < w->height; iy++)
            for (int64_t ix = 0; ix < w->width; ix++)
                for (int64_t i = 0; i < w->channels; i++) {
                    int64_t dy = iy - y * w->stride[0] + w->pad[0], dx = ix - x * w->stride[1] + w->pad[1], p = dy / w->dilation[0], q = dx / w->dilation[1];
                    if (i / ci != c / co || dy < 0 || dx < 0 || dy % w->dilation[0] || dx % w->dilation[1] || p >= w->kernel[0] || q >= w->kernel[1]) continue;
                    out[(iy * w->width + ix) * w->channels + i] += node->weight[((p * w->kernel[1] + q) * ci + i % ci) * w->out_channels + c];
                }
    }
}

/* Multipliers and intervals of domain d as the batch has them; the lower bound of `row` on `start`. `input` (NULL: not wanted) gets the coefficients there. */
static inline double textbook(const bound_graph *g, const bounds_batch *batch, int64_t d, int start, const double *row, bool slopes, double *input)
{
    double **a = calloc((size_t)g->nodes, sizeof *a), constant = 0, *line = malloc(4 * sizeof *line);
    for (int k = 0; k < g->nodes; k++) a[k] = calloc((size_t)g->node[k].size + 1, sizeof **a);
    memcpy(a[start], row, (size_t)g->node[start].size * sizeof *row);
    for (int k = start, t = g->activations - 1; k > 0; k--) {
        const bound_node *node = &g->node[k];
        int64_t n = g->node[node->input[0]].size;
        while (t > 0 && g->activation[t] > k) t--;
        double *to = a[node->input[0]], *weights = malloc((size_t)n * sizeof *weights);
        for (int64_t j = 0; j < node->size; j++) {
            double v = a[k][j];
            if (node->kind == BOUND_SUM)
                for (int i = 0; i < node->inputs; i++) a[node->input[i]][j] += v * node->scale[i];
            else if (node->kind == BOUND_ACTIVATION) {
                int64_t at = d * n + j;
                relax_lines(node->function, node->p, 1, &batch->pre_low[t][at], &batch->pre_high[t][at], slopes && batch->slope ? &batch->slope[t][at] : NULL, false, line, line + 1, line + 2,
                            line + 3);
                constant += v * (v > 0 ? line[1] : line[3]);
                to[j] += v * (v > 0 ? line[0] : line[2]) - (slopes && batch->split ? batch->split[t][at] * batch->beta[t][at] : 0);
            } else {
                matrix_row(g, k, j, weights);
                for (int64_t i = 0; i < n; i++) to[i] += v * weights[i];
                constant += node->bias ? v * node->bias[j] : 0;
            }
        }
        free(weights);
    }
    for (int64_t i = 0; i < g->inputs; i++) constant += a[0][i] * (a[0][i] > 0 ? batch->low[d * g->inputs + i] : batch->high[d * g->inputs + i]);
    if (input) memcpy(input, a[0], (size_t)g->inputs * sizeof *input);
    for (int k = 0; k < g->nodes; k++) free(a[k]);
    free(a), free(line);
    return constant;
}

/* Domains within [-1, 1]^n of the given radius. */
static inline void random_boxes(const bound_graph *g, bounds_batch *batch, int64_t domains, double radius)
{
    batch->domains = domains;
    for (int64_t i = 0; i < domains * g->inputs; i++) {
        double c = uniform(-1 + radius, 1 - radius);
        batch->low[i] = c - radius;
        batch->high[i] = c + radius;
    }
}

static inline bounds *new_bounds(nigh_context *ctx, const bound_graph *g, const bounds_options *options)
{
    bounds *b;
    double *low = malloc((size_t)g->inputs * sizeof *low), *high = malloc((size_t)g->inputs * sizeof *high);
    for (int64_t i = 0; i < g->inputs; i++) low[i] = -1, high[i] = 1;
    assert_ok(ctx, bounds_new(ctx, g, options, low, high, &b));
    free(low), free(high);
    return b;
}
#endif
