/* Batches of domains. Declared in verify/bounds.h. */
#include "verify/bounds.h"

#include <string.h>

static int64_t width(const bound_graph *graph, int a) { return graph->node[graph->activation[a]].size; }

/* Arrays of numbers, one for each activation, [room, size] each; NULL after a failure. */
static double **arrays(nigh_context *ctx, const bound_graph *graph, int64_t room)
{
    double **made = nigh_alloc_zero(ctx, (size_t)graph->activations + 1, sizeof *made);
    for (int a = 0; made && a < graph->activations; a++) {
        made[a] = nigh_alloc_zero(ctx, (size_t)(room * width(graph, a)) + 1, sizeof **made);
        if (made[a]) continue;
        while (a-- > 0) nigh_free(ctx, made[a]);
        nigh_free(ctx, made);
        return NULL;
    }
    return made;
}

static void free_arrays(nigh_context *ctx, const bound_graph *graph, void **array)
{
    for (int a = 0; array && a < graph->activations; a++) nigh_free(ctx, array[a]);
    nigh_free(ctx, array);
}

void bounds_batch_free(nigh_context *ctx, const bound_graph *graph, bounds_batch *batch)
{
    nigh_free(ctx, batch->low);
    nigh_free(ctx, batch->high);
    free_arrays(ctx, graph, (void **)batch->pre_low);
    free_arrays(ctx, graph, (void **)batch->pre_high);
    free_arrays(ctx, graph, (void **)batch->slope);
    free_arrays(ctx, graph, (void **)batch->split);
    free_arrays(ctx, graph, (void **)batch->beta);
    *batch = (bounds_batch){0};
}

static int8_t **signs(nigh_context *ctx, const bound_graph *graph, int64_t room)
{
    int8_t **made = nigh_alloc_zero(ctx, (size_t)graph->activations + 1, sizeof *made);
    for (int a = 0; made && a < graph->activations; a++) {
        made[a] = nigh_alloc_zero(ctx, (size_t)(room * width(graph, a)) + 1, 1);
        if (made[a]) continue;
        free_arrays(ctx, graph, (void **)made);
        return NULL;
    }
    return made;
}

nigh_status bounds_batch_new(nigh_context *ctx, const bound_graph *graph, int64_t room, int wanted, bounds_batch *batch)
{
    bounds_batch made = {.room = room};
    bool slope = (wanted & BOUNDS_SLOPE) != 0, split = (wanted & BOUNDS_SPLIT) != 0;
    made.low = nigh_alloc_zero(ctx, (size_t)(room * graph->inputs) + 1, sizeof *made.low);
    made.high = nigh_alloc_zero(ctx, (size_t)(room * graph->inputs) + 1, sizeof *made.high);
    made.pre_low = arrays(ctx, graph, room);
    made.pre_high = arrays(ctx, graph, room);
    if (slope) made.slope = arrays(ctx, graph, room);
    if (split) made.split = signs(ctx, graph, room);
    if (split) made.beta = arrays(ctx, graph, room);
    if (!made.low || !made.high || !made.pre_low || !made.pre_high || (slope && !made.slope) || (split && (!made.split || !made.beta))) {
        bounds_batch_free(ctx, graph, &made);
        return NIGH_MEMORY;
    }
    *batch = made;
    return NIGH_OK;
}

static void copy(double *const *from, int64_t i, double *const *to, int64_t j, int a, int64_t n)
{
    if (from && to) memcpy(to[a] + j * n, from[a] + i * n, (size_t)n * sizeof(double));
}

void bounds_batch_copy(const bound_graph *graph, const bounds_batch *from, int64_t i, bounds_batch *to, int64_t j)
{
    memcpy(to->low + j * graph->inputs, from->low + i * graph->inputs, (size_t)graph->inputs * sizeof(double));
    memcpy(to->high + j * graph->inputs, from->high + i * graph->inputs, (size_t)graph->inputs * sizeof(double));
    for (int a = 0; a < graph->activations; a++) {
        int64_t n = width(graph, a);
        copy(from->pre_low, i, to->pre_low, j, a, n);
        copy(from->pre_high, i, to->pre_high, j, a, n);
        copy(from->slope, i, to->slope, j, a, n);
        copy(from->beta, i, to->beta, j, a, n);
        if (from->split && to->split) memcpy(to->split[a] + j * n, from->split[a] + i * n, (size_t)n);
    }
}
