/* What bounds prepare once: magnitudes and rests of rounding over the root box. Declared in verify/bounds.h and verify/bounds_inside.h. */
#include "verify/bounds_inside.h"
#include "core/round.h"

#include <string.h>

static double **node_arrays(bounds *b)
{
    const bound_graph *g = b->graph;
    double **made = nigh_arena_alloc_zero(b->arena, (size_t)g->nodes, sizeof *made);
    for (int k = 0; made && k < g->nodes; k++)
        if (!(made[k] = nigh_arena_alloc_zero(b->arena, (size_t)g->node[k].size + 1, sizeof **made))) return NULL;
    return made;
}

static nigh_status allocate(bounds *b)
{
    const bound_graph *g = b->graph;
    b->low = nigh_arena_alloc(b->arena, (size_t)g->inputs * sizeof *b->low);
    b->high = nigh_arena_alloc(b->arena, (size_t)g->inputs * sizeof *b->high);
    b->magnitude = node_arrays(b);
    b->rest = node_arrays(b);
    b->node_low = node_arrays(b);
    b->node_high = node_arrays(b);
    b->activation_of = nigh_arena_alloc(b->arena, (size_t)g->nodes * sizeof *b->activation_of);
    b->readers = nigh_arena_alloc_zero(b->arena, (size_t)g->nodes, sizeof *b->readers);
    return b->low && b->high && b->magnitude && b->rest && b->node_low && b->node_high && b->activation_of && b->readers ? NIGH_OK : NIGH_MEMORY;
}

/* Node after node: the rest from the inputs' magnitudes, the interval, its magnitude with room for what intervals of parts of the box may be rounded beyond it. */
static nigh_status walk(bounds *b)
{
    const bound_graph *g = b->graph;
    for (int k = 0; k < g->nodes; k++) {
        const bound_node *node = &g->node[k];
        if (node->kind == BOUND_INPUT) {
            memcpy(b->node_low[k], b->low, (size_t)g->inputs * sizeof *b->low);
            memcpy(b->node_high[k], b->high, (size_t)g->inputs * sizeof *b->high);
        } else {
            if (node->kind != BOUND_ACTIVATION) interval_rest(b, k);
            interval_node(b, k, b->node_low, b->node_high, false);
        }
        for (int64_t i = 0; i < node->size; i++) {
            double most = fmax(fabs(b->node_low[k][i]), fabs(b->node_high[k][i]));
            if (!(most < (b->options.single ? 1e38 : 1e300)))
                return nigh_fail(b->ctx, NIGH_UNDECIDED, "bounds: layer '%s' can leave the range of %s over the box", node->name, b->options.single ? "f32" : "f64");
            b->magnitude[k][i] = most * (1 + 1e-9) + ROUND_TINY;
        }
        if (node->kind == BOUND_ACTIVATION || node->kind == BOUND_INPUT) b->rest[k] = NULL;
    }
    return NIGH_OK;
}

static nigh_status prepare(bounds *b, const double *low, const double *high)
{
    const bound_graph *g = b->graph;
    nigh_status status = nigh_arena_new(b->ctx, &b->arena);
    if (!status) status = allocate(b);
    if (status) return status;
    for (int64_t i = 0; i < g->inputs; i++) {
        if (!isfinite(low[i]) || !isfinite(high[i]) || low[i] > high[i]) return nigh_fail(b->ctx, NIGH_INVALID, "bounds: input %lld is within [%g, %g]; a finite interval is needed", (long long)i, low[i], high[i]);
        b->low[i] = low[i];
        b->high[i] = high[i];
    }
    for (int k = 0, a = 0; k < g->nodes; k++) {
        b->activation_of[k] = g->node[k].kind == BOUND_ACTIVATION ? a++ : -1;
        for (int i = 0; i < g->node[k].inputs; i++) b->readers[g->node[k].input[i]]++;
    }
    for (int k = 0; k < g->nodes; k++)
        if (b->readers[k] > b->most_readers) b->most_readers = b->readers[k];
    status = interval_new(b);
    return status ? status : walk(b);
}

nigh_status bounds_new(nigh_context *ctx, const bound_graph *graph, const bounds_options *options, const double *low, const double *high, bounds **out)
{
    bounds *b = nigh_alloc_zero(ctx, 1, sizeof *b);
    if (!b) return NIGH_MEMORY;
    *b = (bounds){.ctx = ctx, .graph = graph, .options = *options};
    if (b->options.threads < 1) b->options.threads = 1;
    nigh_status status = prepare(b, low, high);
    if (status) bounds_free(b);
    else *out = b;
    return status;
}

void bounds_free(bounds *b)
{
    if (!b) return;
    crown_free(b);
    interval_free(b);
    nigh_arena_free(b->arena);
    nigh_free(b->ctx, b);
}
