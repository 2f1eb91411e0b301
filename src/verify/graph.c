/* Graphs of bounds: making, looking, evaluating. Declared in verify/graph.h and verify/graph_build.h. */
#include "verify/graph_build.h"

#include <math.h>
#include <string.h>

nigh_status graph_build_new(nigh_context *ctx, graph_build *build)
{
    *build = (graph_build){.graph = nigh_alloc_zero(ctx, 1, sizeof *build->graph)};
    if (!build->graph) return NIGH_MEMORY;
    build->graph->ctx = ctx;
    nigh_status status = nigh_arena_new(ctx, &build->graph->arena);
    if (status) graph_build_free(build);
    return status;
}

void graph_build_free(graph_build *build)
{
    bound_graph_free(build->graph);
    build->graph = NULL;
}

void bound_graph_free(bound_graph *graph)
{
    if (!graph) return;
    nigh_arena_free(graph->arena);
    nigh_free(graph->ctx, graph->node);
    nigh_free(graph->ctx, graph);
}

int graph_build_add(graph_build *build, const bound_node *node)
{
    bound_graph *g = build->graph;
    if (g->nodes == build->room) {
        bound_node *more = nigh_resize(g->ctx, g->node, (size_t)(2 * build->room + 16) * sizeof *more);
        if (!more) return -1;
        g->node = more;
        build->room = 2 * build->room + 16;
    }
    bound_node *to = &g->node[g->nodes];
    *to = *node;
    to->name = nigh_arena_strdup(g->arena, node->name ? node->name : "");
    int *input = nigh_arena_alloc(g->arena, (size_t)(node->inputs + 1) * sizeof *input);
    double *scale = node->kind == BOUND_SUM ? nigh_arena_alloc(g->arena, (size_t)node->inputs * sizeof *scale) : NULL;
    if (!to->name || !input || (node->kind == BOUND_SUM && !scale)) return -1;
    if (node->inputs) memcpy(input, node->input, (size_t)node->inputs * sizeof *input);
    if (scale) memcpy(scale, node->scale, (size_t)node->inputs * sizeof *scale);
    to->input = input;
    to->scale = scale;
    return g->nodes++;
}

nigh_status graph_build_finish(graph_build *build, int output, int64_t outputs)
{
    bound_graph *g = build->graph;
    g->output = output;
    g->inputs = g->node[0].size;
    g->outputs = outputs;
    g->activation = nigh_arena_alloc(g->arena, (size_t)(g->nodes + 1) * sizeof *g->activation);
    if (!g->activation) return NIGH_MEMORY;
    g->activations = 0;
    for (int k = 0; k < g->nodes; k++)
        if (g->node[k].kind == BOUND_ACTIVATION) g->activation[g->activations++] = k;
    return NIGH_OK;
}

static const double *kept(graph_build *build, const double *from, int64_t n)
{
    double *to = nigh_arena_alloc(build->graph->arena, (size_t)(n + 1) * sizeof *to);
    if (to) memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

nigh_status bound_graph_chain(nigh_context *ctx, int layers, const int64_t *size, const double *const *weight, const double *const *bias, bound_function function,
                              bound_graph **graph)
{
    graph_build build;
    nigh_status status = graph_build_new(ctx, &build);
    if (status) return status;
    int at = graph_build_add(&build, &(bound_node){.kind = BOUND_INPUT, .name = "input", .size = size[0]});
    for (int i = 0; i < layers && at >= 0; i++) {
        bound_node dense = {.kind = BOUND_DENSE, .name = "dense", .inputs = 1, .input = &at, .size = size[i + 1], .roundings = (int)size[i] + 1};
        dense.weight = kept(&build, weight[i], size[i] * size[i + 1]);
        dense.bias = bias[i] ? kept(&build, bias[i], size[i + 1]) : NULL;
        at = !dense.weight || (bias[i] && !dense.bias) ? -1 : graph_build_add(&build, &dense);
        if (at >= 0 && i + 1 < layers)
            at = graph_build_add(&build, &(bound_node){.kind = BOUND_ACTIVATION, .name = "act", .inputs = 1, .input = &at, .size = size[i + 1], .function = function, .p = {function == BOUND_ELU ? 1 : 0, 0}});
    }
    status = at < 0 ? NIGH_MEMORY : graph_build_finish(&build, at, size[layers]);
    if (status) graph_build_free(&build);
    else *graph = build.graph;
    return status;
}

bool bound_graph_is_chain(const bound_graph *graph, int most, int *layers, int *dense)
{
    int n = 0, at = graph->output;
    while (at > 0) {
        const bound_node *node = &graph->node[at];
        if (node->kind != BOUND_DENSE || n == most) return false;
        dense[n++] = at;
        at = node->input[0];
        if (at == 0) break;
        if (graph->node[at].kind != BOUND_ACTIVATION || graph->node[at].function != BOUND_RELU) return false;
        at = graph->node[at].input[0];
        if (at == 0) return false;
    }
    for (int i = 0; i < n / 2; i++) {
        int other = dense[i];
        dense[i] = dense[n - 1 - i];
        dense[n - 1 - i] = other;
    }
    *layers = n;
    return n > 0;
}

/* ---- evaluating ---------------------------------------------------------------------------------------- */

double bound_function_at(bound_function f, const double p[2], double x)
{
    switch (f) {
    case BOUND_RELU: return x > 0 ? x : 0;
    case BOUND_LEAKY: return x > 0 ? x : p[0] * x;
    case BOUND_CLIP: return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
    case BOUND_ABS: return fabs(x);
    case BOUND_SIGMOID: return 1 / (1 + exp(-x));
    case BOUND_TANH: return tanh(x);
    case BOUND_SOFTPLUS: return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case BOUND_ELU: return x > 0 ? x : p[0] * expm1(x);
    case BOUND_EXP: return exp(x);
    case BOUND_SQUARE: return x * x;
    case BOUND_SIN: return sin(x);
    case BOUND_COS: return cos(x);
    case BOUND_GELU: return 0.5 * x * erfc(-x * 0.70710678118654752440);
    case BOUND_GELU_TANH: return x / (1 + exp(-1.5957691216057307117 * (x + 0.044715 * x * x * x)));
    case BOUND_SILU: return x / (1 + exp(-x));
    default: return x;
    }
}

static void convolve(const bound_node *node, const double *x, double *y)
{
    const bound_window *w = &node->window;
    int64_t per = w->channels / w->groups, each = w->out_channels / w->groups;
    for (int64_t i = 0; i < node->size; i++) {
        int64_t c = i % w->out_channels, column = i / w->out_channels % w->out_width, line = i / w->out_channels / w->out_width, first = c / each * per;
        double sum = node->bias ? node->bias[i] : 0;
        for (int64_t p = 0; p < w->kernel[0]; p++)
            for (int64_t q = 0; q < w->kernel[1]; q++) {
                int64_t r = line * w->stride[0] + p * w->dilation[0] - w->pad[0], s = column * w->stride[1] + q * w->dilation[1] - w->pad[1];
                if (r < 0 || r >= w->height || s < 0 || s >= w->width) continue;
                const double *from = x + (r * w->width + s) * w->channels + first, *k = node->weight + (p * w->kernel[1] + q) * per * w->out_channels + c;
                for (int64_t j = 0; j < per; j++) sum += from[j] * k[j * w->out_channels];
            }
        y[i] = sum;
    }
}

static void node_value(const bound_graph *g, const bound_node *node, double *const *value, double *y)
{
    const double *x = node->inputs ? value[node->input[0]] : NULL;
    int64_t in = node->inputs ? g->node[node->input[0]].size : 0;
    if (node->kind == BOUND_CONVOLUTION) convolve(node, x, y);
    for (int64_t i = 0; i < node->size; i++) {
        double sum = node->bias ? node->bias[i] : 0;
        if (node->kind == BOUND_DENSE)
            for (int64_t j = 0; j < in; j++) sum += node->weight[i * in + j] * x[j];
        else if (node->kind == BOUND_SPARSE)
            for (int64_t j = node->row[i]; j < node->row[i + 1]; j++) sum += node->weight[j] * x[node->column[j]];
        else if (node->kind == BOUND_SUM)
            for (int j = 0; j < node->inputs; j++) sum += node->scale[j] * value[node->input[j]][i];
        else if (node->kind == BOUND_ACTIVATION) sum = bound_function_at(node->function, node->p, x[i]);
        else continue;
        y[i] = sum;
    }
}

nigh_status bound_graph_evaluate(const bound_graph *graph, const double *x, double *y, double *const *value)
{
    size_t numbers = 1;
    for (int k = 0; k < graph->nodes; k++) numbers += (size_t)graph->node[k].size;
    double *block = value ? NULL : nigh_alloc(graph->ctx, numbers * sizeof *block);
    double **own = value ? NULL : nigh_alloc(graph->ctx, (size_t)graph->nodes * sizeof *own);
    if (!value && (!block || !own)) {
        nigh_free(graph->ctx, block);
        nigh_free(graph->ctx, own);
        return NIGH_MEMORY;
    }
    double *next = block;
    for (int k = 0; k < graph->nodes && !value; next += graph->node[k++].size) own[k] = next;
    double *const *all = value ? value : own;
    memcpy(all[0], x, (size_t)graph->inputs * sizeof *x);
    for (int k = 1; k < graph->nodes; k++) node_value(graph, &graph->node[k], all, all[k]);
    memcpy(y, all[graph->output], (size_t)graph->node[graph->output].size * sizeof *y);
    nigh_free(graph->ctx, block);
    nigh_free(graph->ctx, own);
    return NIGH_OK;
}
