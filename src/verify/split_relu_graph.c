/* Clips taken apart: min(max(x, a), b) = a + relu(x - a) - relu(x - b), so that all kinks are those of relus. */
#include <math.h>

#include "verify/graph_build.h"
#include "verify/split_relu.h"

static bool parts(const bound_node *node)
{
    return node->kind == BOUND_ACTIVATION && node->function == BOUND_CLIP && isfinite(node->p[0]) && isfinite(node->p[1]);
}

/* (x - a, x - b), relu, a + first - second: three nodes in the place of one. The last one's number, or -1. */
static int unclip(graph_build *build, const bound_node *clip, int from)
{
    int64_t n = clip->size;
    nigh_arena *arena = build->graph->arena;
    double *weight = nigh_arena_alloc(arena, (size_t)(4 * n) * sizeof *weight), *bias = nigh_arena_alloc(arena, (size_t)(3 * n) * sizeof *bias);
    int64_t *row = nigh_arena_alloc(arena, (size_t)(3 * n + 2) * sizeof *row), *join = row + 2 * n + 1;
    int32_t *column = nigh_arena_alloc(arena, (size_t)(4 * n) * sizeof *column);
    if (!weight || !bias || !row || !column) return -1;
    for (int64_t i = 0; i < 2 * n; i++) {
        row[i] = i;
        column[i] = (int32_t)(i % n);
        weight[i] = 1;
        bias[i] = -clip->p[i / n];
    }
    row[2 * n] = 2 * n;
    for (int64_t i = 0; i < n; i++) {
        join[i] = 2 * i;
        column[2 * n + 2 * i] = (int32_t)i;
        column[2 * n + 2 * i + 1] = (int32_t)(n + i);
        weight[2 * n + 2 * i] = 1;
        weight[2 * n + 2 * i + 1] = -1;
        bias[2 * n + i] = clip->p[0];
    }
    join[n] = 2 * n;
    bound_node shift = {.kind = BOUND_SPARSE, .name = clip->name, .inputs = 1, .input = &from, .size = 2 * n, .weight = weight, .bias = bias, .row = row, .column = column,
                        .roundings = 1};
    int at = graph_build_add(build, &shift);
    if (at < 0) return -1;
    at = graph_build_add(build, &(bound_node){.kind = BOUND_ACTIVATION, .name = clip->name, .inputs = 1, .input = &at, .size = 2 * n, .function = BOUND_RELU});
    if (at < 0) return -1;
    bound_node sum = {.kind = BOUND_SPARSE, .name = clip->name, .inputs = 1, .input = &at, .size = n, .weight = weight + 2 * n, .bias = bias + 2 * n, .row = join,
                      .column = column + 2 * n, .roundings = 2};
    return graph_build_add(build, &sum);
}

static int copied(graph_build *build, const bound_node *node, const int *new_of, int *input)
{
    bound_node to = *node;
    for (int i = 0; i < node->inputs; i++) input[i] = new_of[node->input[i]];
    to.input = input;
    return parts(node) ? unclip(build, node, input[0]) : graph_build_add(build, &to);
}

nigh_status relu_graph_unclip(nigh_context *ctx, const bound_graph *graph, bound_graph **out)
{
    int clips = 0, most = 1;
    *out = NULL;
    for (int k = 0; k < graph->nodes; k++) {
        clips += parts(&graph->node[k]);
        if (graph->node[k].inputs > most) most = graph->node[k].inputs;
    }
    if (!clips) return NIGH_OK;
    graph_build build;
    nigh_status status = graph_build_new(ctx, &build);
    if (status) return status;
    int *new_of = nigh_alloc_zero(ctx, (size_t)(graph->nodes + most), sizeof *new_of);
    status = new_of ? NIGH_OK : NIGH_MEMORY;
    for (int k = 0; !status && k < graph->nodes; k++) {
        new_of[k] = copied(&build, &graph->node[k], new_of, new_of + graph->nodes);
        if (new_of[k] < 0) status = NIGH_MEMORY;
    }
    if (!status) status = graph_build_finish(&build, new_of[graph->output], graph->outputs);
    nigh_free(ctx, new_of);
    if (status) graph_build_free(&build);
    else *out = build.graph;
    return status;
}
