/* Bounds of outputs. Declared in nigh/verify.h and verify/outputs.h. */
#include "verify/outputs.h"

#include "verify/bounds.h"

#include <math.h>
#include <string.h>

enum { ROWS = 64 };

/* For one sample; NULL: out of memory. */
static nigh_shape *input_shapes(nigh_context *ctx, nigh_network *net)
{
    int n = nigh_network_inputs(net);
    nigh_shape *shape = nigh_alloc(ctx, (size_t)(n + 1) * sizeof *shape);
    for (int i = 0; i < n && shape; i++) {
        shape[i] = *nigh_network_input_shape(net, i);
        for (int k = 0; k < shape[i].ndim; k++)
            if (shape[i].dim[k] < 0) shape[i].dim[k] = 1;
    }
    return shape;
}

nigh_status outputs_graph(nigh_context *ctx, nigh_network *net, bool with_inputs, bound_graph **graph)
{
    nigh_shape *shape = input_shapes(ctx, net);
    if (!shape) return NIGH_MEMORY;
    nigh_status status = bound_graph_new(ctx, net, shape, with_inputs, graph);
    nigh_free(ctx, shape);
    return status;
}

nigh_status outputs_graph_before_softmax(nigh_context *ctx, nigh_network *net, bound_graph **graph, int64_t *size, int64_t *stride)
{
    nigh_shape *shape = input_shapes(ctx, net);
    if (!shape) return NIGH_MEMORY;
    nigh_status status = bound_graph_new_before_softmax(ctx, net, shape, graph, size, stride);
    nigh_free(ctx, shape);
    return status;
}

/* Cuts low, high of outputs first .. first + count - 1 with bounds of rows +1 and -1 of each, [2 count]. */
static void cut(const double *bound, int64_t first, int64_t count, double *low, double *high)
{
    for (int64_t i = 0; i < count; i++) {
        low[first + i] = fmax(low[first + i], bound[2 * i]);
        high[first + i] = fmin(high[first + i], -bound[2 * i + 1]);
    }
}

/* Rows of both signs for some outputs, all in one domain. */
static nigh_status cut_linear(nigh_context *ctx, bounds *b, const bound_graph *g, const bounds_batch *batch, double *low, double *high)
{
    int64_t size = g->node[g->output].size;
    double *row = nigh_alloc(ctx, (size_t)(2 * ROWS * size) * sizeof *row), bound[2 * ROWS];
    nigh_status status = row ? NIGH_OK : NIGH_MEMORY;
    for (int64_t first = 0; first < size && !status; first += ROWS) {
        int64_t count = size - first < ROWS ? size - first : ROWS;
        memset(row, 0, (size_t)(2 * count * size) * sizeof *row);
        for (int64_t i = 0; i < count; i++) row[2 * i * size + first + i] = 1, row[(2 * i + 1) * size + first + i] = -1;
        bounds_rows rows = {.node = g->output, .rows = 2 * count, .coefficient = row, .shared = true, .bound = bound};
        status = bounds_lower(b, batch, &rows);
        if (!status) cut(bound, first, count, low, high);
        if (!status) status = nigh_poll(ctx);
    }
    nigh_free(ctx, row);
    return status;
}

/* Each row in a domain of its own, so that its slopes are. */
static nigh_status cut_optimised(nigh_context *ctx, bounds *b, const bound_graph *g, const bounds_batch *batch, double *low, double *high)
{
    int64_t size = g->node[g->output].size, room = 2 * size < ROWS ? 2 * size : ROWS;
    bounds_batch many = {0};
    double *row = nigh_alloc(ctx, (size_t)(room * size) * sizeof *row), bound[ROWS];
    nigh_status status = row ? bounds_batch_new(ctx, g, room, BOUNDS_SLOPE, &many) : NIGH_MEMORY;
    for (int64_t first = 0; first < 2 * size && !status; first += room) {
        int64_t count = 2 * size - first < room ? 2 * size - first : room;
        many.domains = count;
        memset(row, 0, (size_t)(count * size) * sizeof *row);
        for (int64_t i = 0; i < count; i++) {
            bounds_batch_copy(g, batch, 0, &many, i);
            row[i * size + (first + i) / 2] = (first + i) % 2 ? -1 : 1;
        }
        bounds_slopes(g, &many, 0);
        bounds_rows rows = {.node = g->output, .rows = 1, .coefficient = row, .bound = bound};
        status = bounds_optimise(b, &many, &rows, NULL);
        if (!status) cut(bound, first / 2, count / 2, low, high);
        if (!status) status = nigh_poll(ctx);
    }
    bounds_batch_free(ctx, g, &many);
    nigh_free(ctx, row);
    return status;
}

static nigh_status run(nigh_context *ctx, bounds *b, const bound_graph *g, nigh_bound_kind kind, bounds_batch *batch, double *low, double *high)
{
    bounds_interval(b, batch, false);
    nigh_status status = kind == NIGH_BOUND_INTERVAL ? NIGH_OK : bounds_crown(b, batch, 0);
    if (!status && kind == NIGH_BOUND_OPTIMISED) status = bounds_tighten(b, batch, NULL);
    bounds_interval_of(b, batch, g->output, low, high);
    if (!status && kind != NIGH_BOUND_INTERVAL) status = cut_linear(ctx, b, g, batch, low, high);
    if (!status && kind == NIGH_BOUND_OPTIMISED) status = cut_optimised(ctx, b, g, batch, low, high);
    return status;
}

nigh_status outputs_bound(nigh_context *ctx, const bound_graph *graph, nigh_bound_kind kind, const nigh_verify_options *options, const double *box_low, const double *box_high, double *low,
                          double *high)
{
    bounds_options how = {.fast = options && options->fast, .single = options && options->semantics == NIGH_SEMANTICS_F32, .threads = nigh_context_threads(ctx)};
    bounds *b = NULL;
    bounds_batch batch = {0};
    int64_t size = graph->node[graph->output].size;
    double *found = NULL;
    if (kind != NIGH_BOUND_INTERVAL && kind != NIGH_BOUND_CROWN && kind != NIGH_BOUND_OPTIMISED) return nigh_fail(ctx, NIGH_INVALID, "bounds of kind %d; 0 to 2 are allowed", (int)kind);
    nigh_status status = bounds_new(ctx, graph, &how, box_low, box_high, &b);
    if (!status) status = bounds_batch_new(ctx, graph, 1, 0, &batch);
    if (!status && !(found = nigh_alloc(ctx, (size_t)(2 * size) * sizeof *found))) status = NIGH_MEMORY;
    if (!status) {
        batch.domains = 1;
        memcpy(batch.low, box_low, (size_t)graph->inputs * sizeof *box_low);
        memcpy(batch.high, box_high, (size_t)graph->inputs * sizeof *box_high);
        status = run(ctx, b, graph, kind, &batch, found, found + size);
    }
    if (!status) {
        memcpy(low, found, (size_t)size * sizeof *low);
        memcpy(high, found + size, (size_t)size * sizeof *high);
    }
    nigh_free(ctx, found);
    bounds_batch_free(ctx, graph, &batch);
    bounds_free(b);
    return status;
}

nigh_status nigh_bound_outputs(nigh_context *ctx, nigh_network *net, nigh_bound_kind kind, const nigh_verify_options *options, const double *box_low, const double *box_high, double *low,
                               double *high)
{
    bound_graph *graph;
    nigh_status status = outputs_graph(ctx, net, false, &graph);
    if (status) return status;
    status = outputs_bound(ctx, graph, kind, options, box_low, box_high, low, high);
    bound_graph_free(graph);
    return status;
}
