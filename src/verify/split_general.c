/* Bounds of batches of boxes for any graph, through bounds.h. Declared in verify/split_input.h. */
#include "verify/split_input.h"
#include "core/round.h"

#include <string.h>

struct split_general {
    nigh_context *ctx;
    const search_query *query;
    bounds *bounds;
    bounds_batch batch;
    double *row;                    /* [rows, outputs]: turned */
    double *coefficient, *constant; /* [room, rows, inputs], [room, rows] */
    double *output, *value;         /* [outputs], [rows] */
};

nigh_status split_general_new(nigh_context *ctx, const search_query *query, const bounds_options *options, int64_t room, split_general **out)
{
    const bound_graph *graph = query->graph;
    int64_t n = graph->inputs, outputs = graph->node[graph->output].size;
    split_general *g = nigh_alloc_zero(ctx, 1, sizeof *g);
    if (!g) return NIGH_MEMORY;
    *g = (split_general){.ctx = ctx, .query = query};
    g->row = nigh_alloc(ctx, (size_t)(query->rows * outputs + 1) * sizeof(double));
    g->coefficient = nigh_alloc(ctx, (size_t)(room * query->rows * n + 1) * sizeof(double));
    g->constant = nigh_alloc(ctx, (size_t)(room * query->rows + 1) * sizeof(double));
    g->output = nigh_alloc(ctx, (size_t)(outputs + 1) * sizeof(double)), g->value = nigh_alloc(ctx, (size_t)(query->rows + 1) * sizeof(double));
    nigh_status status = g->row && g->coefficient && g->constant && g->output && g->value ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = bounds_new(ctx, graph, options, query->low, query->high, &g->bounds);
    if (!status) status = bounds_batch_new(ctx, graph, room, 0, &g->batch);
    if (status) {
        split_general_free(g);
        return status;
    }
    for (int64_t i = 0; i < query->rows * outputs; i++) g->row[i] = -query->row[i];
    *out = g;
    return NIGH_OK;
}

void split_general_free(split_general *g)
{
    if (!g) return;
    bounds_batch_free(g->ctx, g->query->graph, &g->batch);
    bounds_free(g->bounds);
    void *block[] = {g->row, g->coefficient, g->constant, g->output, g->value};
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) nigh_free(g->ctx, block[i]);
    nigh_free(g->ctx, g);
}

/* How far the open rows' bounds go over each input, and a little of the widths, so that no input is left out for ever. */
static void set_score(const split_general *g, split_batch *b, int64_t i)
{
    const search_query *q = g->query;
    int64_t n = q->graph->inputs;
    double *score = b->score + i * n, all = 0;
    memset(score, 0, (size_t)n * sizeof *score);
    for (int group = 0; group < q->groups; group++)
        for (int64_t r = q->group[group]; b->open[i * q->groups + group] && r < q->group[group + 1]; r++)
            for (int64_t k = 0; k < n; k++) {
                double reach = fabs(b->coefficient[(i * (q->rows + SPLIT_RELUS) + r) * n + k]) * (b->high[i * n + k] - b->low[i * n + k]);
                score[k] += reach, all += reach;
            }
    for (int64_t k = 0; k < n; k++) {
        double whole = q->high[k] - q->low[k];
        if (whole > 0) score[k] += (0.2 * all + 1e-30) * (b->high[i * n + k] - b->low[i * n + k]) / whole;
    }
}

nigh_status split_general_bound(split_general *g, split_batch *b)
{
    const search_query *q = g->query;
    int64_t n = q->graph->inputs, all = q->rows + SPLIT_RELUS;
    g->batch.domains = b->count;
    memcpy(g->batch.low, b->low, (size_t)(b->count * n) * sizeof(double)), memcpy(g->batch.high, b->high, (size_t)(b->count * n) * sizeof(double));
    bounds_interval(g->bounds, &g->batch, false);
    nigh_status status = bounds_crown(g->bounds, &g->batch, 0);
    bounds_rows rows = {.node = q->graph->output, .rows = q->rows, .coefficient = g->row, .shared = true, .input = g->coefficient, .constant = g->constant};
    if (!status) status = bounds_lower(g->bounds, &g->batch, &rows);
    for (int64_t i = 0; !status && i < b->count; i++) {
        memcpy(b->coefficient + i * all * n, g->coefficient + i * q->rows * n, (size_t)(q->rows * n) * sizeof(double));
        for (int64_t r = 0; r < q->rows; r++) b->constant[i * all + r] = round_down(g->constant[i * q->rows + r] + q->level[r]);
        b->splits[i] = 0, b->unstable[i] = -1, b->relu[i] = -1;
        set_score(g, b, i);
    }
    return status;
}

bool split_values_unsafe(const search_query *q, const double *value)
{
    for (int g = 0; g < q->groups; g++) {
        bool all = true;
        for (int64_t r = q->group[g]; r < q->group[g + 1]; r++) all = all && value[r] <= 0;
        if (all) return true;
    }
    return false;
}

bool split_general_unsafe(split_general *g, const double *x)
{
    const search_query *q = g->query;
    int64_t outputs = q->graph->node[q->graph->output].size;
    if (bound_graph_evaluate(q->graph, x, g->output, NULL)) return false;
    for (int64_t r = 0; r < q->rows; r++) {
        g->value[r] = q->level[r];
        for (int64_t o = 0; o < outputs; o++) g->value[r] -= q->row[r * outputs + o] * g->output[o];
    }
    return split_values_unsafe(q, g->value);
}
