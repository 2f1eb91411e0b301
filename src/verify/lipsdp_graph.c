/* Nodes from layers in hand; where a graph can be cut. See lipsdp.h. */
#include <math.h>

#include "verify/lipsdp.h"

nigh_status lip_graph_new(nigh_context *ctx, int nodes, lip_graph **graph)
{
    nigh_arena *arena;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    lip_graph *g = nigh_arena_alloc_zero(arena, 1, sizeof *g);
    lip_node *node = g ? nigh_arena_alloc_zero(arena, (size_t)nodes, sizeof *node) : NULL;
    if (!node) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    *g = (lip_graph){.ctx = ctx, .arena = arena, .node = node};
    *graph = g;
    return NIGH_OK;
}

void lip_graph_free(lip_graph *graph)
{
    if (!graph) return;
    bound_graph_free(graph->source);
    nigh_arena_free(graph->arena);
}

bool lip_is_cut(const lip_graph *g, int k)
{
    for (int j = k + 1; j < g->nodes; j++)
        for (int i = 0; i < g->node[j].inputs; i++)
            if (g->node[j].input[i] < k) return false;
    return true;
}

/* ---- layers ---------------------------------------------------------------------------------------------- */

static nigh_status check_numbers(nigh_context *ctx, int layer, const char *what, int64_t count, const double *a)
{
    for (int64_t i = 0; a && i < count; i++)
        if (!isfinite(a[i])) return nigh_fail(ctx, NIGH_INVALID, "layer %d: %s has %g at place %lld; all numbers must be finite", layer, what, a[i], (long long)i);
    return NIGH_OK;
}

static nigh_status check_vectors(nigh_context *ctx, int k, const nigh_lipschitz_layer *l)
{
    if (!l->vector) return nigh_fail(ctx, NIGH_INVALID, "layer %d: a Householder activation without vector", k);
    nigh_status status = check_numbers(ctx, k, "vector", l->units, l->vector);
    for (int64_t from = 0; from < l->units && !status; from += l->group) {
        double most = 0;
        for (int64_t i = 0; i < l->group; i++) most = fmax(most, fabs(l->vector[from + i]));
        if (!(most > 1e-100 && most < 1e100))
            status = nigh_fail(ctx, NIGH_INVALID, "layer %d: the vector of group %lld has length %g; it must be a direction", k, (long long)(from / l->group), most);
    }
    return status;
}

static nigh_status check_layer(nigh_context *ctx, int k, int64_t before, const nigh_lipschitz_layer *l)
{
    if (!l->weight || l->inputs < 1 || l->units < 1 || l->outputs < 1) return nigh_fail(ctx, NIGH_INVALID, "layer %d: weights are missing, or sizes below 1", k);
    if (before && l->inputs != before)
        return nigh_fail(ctx, NIGH_INVALID, "layer %d has %lld inputs, the layer before it %lld outputs", k, (long long)l->inputs, (long long)before);
    if (!l->after && l->outputs != l->units)
        return nigh_fail(ctx, NIGH_INVALID, "layer %d has %lld units and %lld outputs; without `after` they are equal", k, (long long)l->units, (long long)l->outputs);
    if (l->inputs * l->units > 40000000 || l->outputs * l->units > 40000000) return nigh_fail(ctx, NIGH_UNSUPPORTED, "layer %d has more than 4e7 weights", k);
    if (l->kind < NIGH_LIPSCHITZ_LINEAR || l->kind > NIGH_LIPSCHITZ_HOUSEHOLDER) return nigh_fail(ctx, NIGH_INVALID, "layer %d: unknown kind of activation %d", k, (int)l->kind);
    bool grouped = l->kind == NIGH_LIPSCHITZ_SORT || l->kind == NIGH_LIPSCHITZ_HOUSEHOLDER;
    if (grouped && (l->group < 2 || l->units % l->group))
        return nigh_fail(ctx, NIGH_INVALID, "layer %d: groups of %lld do not divide its %lld units; 2 or more that do are allowed", k, (long long)l->group, (long long)l->units);
    if (l->kind == NIGH_LIPSCHITZ_SLOPE && !(fabs(l->slope[0]) < 1e100 && fabs(l->slope[1]) < 1e100 && l->slope[0] <= l->slope[1]))
        return nigh_fail(ctx, NIGH_INVALID, "layer %d: slopes %g to %g; finite ones in rising order are allowed", k, l->slope[0], l->slope[1]);
    nigh_status status = check_numbers(ctx, k, "weight", l->units * l->inputs, l->weight);
    if (!status) status = check_numbers(ctx, k, "bias", l->units, l->bias);
    if (!status) status = check_numbers(ctx, k, "after", l->outputs * l->units, l->after);
    if (!status) status = check_numbers(ctx, k, "skip", l->outputs * l->inputs, l->skip);
    return status || l->kind != NIGH_LIPSCHITZ_HOUSEHOLDER ? status : check_vectors(ctx, k, l);
}

static int put(lip_graph *g, lip_node node)
{
    if (node.kind == LIP_ACTIVATION) node.first = g->elements, g->elements += node.size;
    g->node[g->nodes] = node;
    return g->nodes++;
}

static int put_linear(lip_graph *g, int input, int64_t size, const double *weight, const double *bias)
{
    return put(g, (lip_node){.kind = LIP_LINEAR, .inputs = 1, .input = {input}, .size = size, .weight = weight, .bias = bias});
}

static void put_layer(lip_graph *g, const nigh_lipschitz_layer *l)
{
    int before = g->nodes - 1, at = put_linear(g, before, l->units, l->weight, l->bias);
    bool relu = l->kind == NIGH_LIPSCHITZ_RELU;
    if (l->kind != NIGH_LIPSCHITZ_LINEAR)
        at = put(g, (lip_node){.kind = LIP_ACTIVATION, .inputs = 1, .input = {at}, .size = l->units, .form = l->kind, .low = relu ? 0 : l->slope[0], .high = relu ? 1 : l->slope[1],
                               .group = l->group, .vector = l->vector});
    if (l->after) at = put_linear(g, at, l->outputs, l->after, NULL);
    if (!l->skip) return;
    int skip = put_linear(g, before, l->outputs, l->skip, NULL);
    put(g, (lip_node){.kind = LIP_SUM, .inputs = 2, .input = {at, skip}, .size = l->outputs, .scale = {1, 1}});
}

static bool unit_lengths(const nigh_lipschitz_layer *l)
{
    for (int64_t from = 0; from < l->units; from += l->group) {
        double square = 0;
        for (int64_t i = 0; i < l->group; i++) square += l->vector[from + i] * l->vector[from + i];
        if (!(fabs(square - 1) < 1e-6)) return false;
    }
    return true;
}

nigh_status lip_graph_of_layers(nigh_context *ctx, int layers, const nigh_lipschitz_layer *layer, lip_graph **graph)
{
    if (layers < 1 || layers > 10000) return nigh_fail(ctx, NIGH_INVALID, "%d layers; 1 to 10000 are allowed", layers);
    nigh_status status = NIGH_OK;
    for (int k = 0; k < layers && !status; k++) status = check_layer(ctx, k, k ? layer[k - 1].outputs : 0, &layer[k]);
    lip_graph *g = NULL;
    if (!status) status = lip_graph_new(ctx, 5 * layers + 1, &g);
    if (status) return status;
    put(g, (lip_node){.kind = LIP_INPUT, .size = layer[0].inputs});
    for (int k = 0; k < layers; k++) {
        put_layer(g, &layer[k]);
        if (layer[k].kind == NIGH_LIPSCHITZ_HOUSEHOLDER && !unit_lengths(&layer[k])) g->normalised = true;
    }
    *graph = g;
    return NIGH_OK;
}
