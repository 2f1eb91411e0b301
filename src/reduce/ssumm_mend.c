/*
 * From merged supernodes to better ones of as many bits. Declared in reduce/ssumm.h.
 *
 * The name of the largest weight stands in every superedge, so a few heavy ones make all others dearer. Supernodes of heavy pairs are halved, for a falling bound on
 * weights, and the smallest bound is taken that does not spoil the summary; not where
 * all superedges fit anyway. Then nodes move, sweep after sweep, while superedges chosen anew take off more.
 */
#include "reduce/ssumm.h"

#include "nigh/random.h"

#include <string.h>

/* Labels in use become 0, 1, ... in their order; how many. */
static int64_t number_labels(int64_t nodes, int64_t labels, const int64_t *size, uint32_t *label, uint32_t *number)
{
    int64_t used = 0;
    for (int64_t a = 0; a < labels; a++) number[a] = size[a] ? (uint32_t)used++ : 0;
    for (int64_t v = 0; v < nodes; v++) label[v] = number[label[v]];
    return used;
}

/* ---- a bound on weights ------------------------------------------------------------------------------------- */

/* The larger supernode of each pair above the bound is halved once; how many labels there are then. */
static nigh_status halve(nigh_context *ctx, const nigh_graph *graph, const blocks *b, int64_t labels, uint32_t bound, uint32_t *label, int64_t *after)
{
    uint32_t *to = nigh_alloc_zero(ctx, 2 * (size_t)labels, sizeof *to), *seen = to ? to + labels : NULL, next = (uint32_t)labels;
    if (!to) return NIGH_MEMORY;
    for (int64_t i = 0; i < b->count; i++) {
        uint32_t x = b->pair[i][0], y = b->pair[i][1], a = b->size[x] > b->size[y] ? x : y;
        if (b->edges[i] > bound && b->size[a] > 1 && !to[a]) to[a] = next++;
    }
    for (int64_t v = 0; v < graph->nodes; v++) {
        uint32_t a = label[v];
        if (to[a] && 2 * (int64_t)seen[a]++ < b->size[a]) label[v] = to[a];
    }
    nigh_free(ctx, to);
    *after = next;
    return NIGH_OK;
}

/* Halves until no weight is above the bound, then the price. */
static nigh_status bounded(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, uint32_t bound, uint32_t *label, int64_t *labels, ssumm_price *price)
{
    for (int64_t before = 0; before != *labels;) {
        blocks b;
        nigh_status status = blocks_new(ctx, graph, label, *labels, &b);
        if (status) return status;
        before = *labels;
        status = halve(ctx, graph, &b, before, bound, label, labels);
        if (!status && before == *labels) status = blocks_price(ctx, graph->nodes, before, &b, o->bits, o->norm, price);
        blocks_free(ctx, &b);
        if (status) return status;
    }
    return NIGH_OK;
}

/* What halving spoils that moves of nodes are known to mend again. */
static const double spoilt = 0.002;

/* scratch [nodes]. *bound: no weight is above it. */
static nigh_status bound_weights(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, uint32_t *label, int64_t *labels, uint32_t *scratch, uint32_t *bound)
{
    size_t bytes = (size_t)graph->nodes * sizeof *label;
    ssumm_price price;
    nigh_status status = bounded(ctx, graph, o, UINT32_MAX, label, labels, &price);
    double best = status ? 0 : price.total;
    int64_t now = *labels;
    uint32_t next = 1;
    *bound = UINT32_MAX;
    while (!status && price.last > 0 && 2 * next < price.largest) next *= 2;
    memcpy(scratch, label, bytes);
    for (; !status && next > 1; next /= 2) {
        status = bounded(ctx, graph, o, next, scratch, &now, &price);
        if (status || price.total < (1 - spoilt) * best) break;
        memcpy(label, scratch, bytes);
        *labels = now;
        *bound = next;
        if (price.total > best) best = price.total;
    }
    return status;
}

/* ---- sweeps ------------------------------------------------------------------------------------------------- */

/* Pairs looked at in all sweeps, per edge; and the part of what is left that a sweep has to take off for another one. */
enum { LOOKS = 110 };
static const double worthwhile = 0.001;

/* One sweep unless the last one, of which saved [nodes] are the labels before, added too little: then *going is false, and the better labels are in label. */
static nigh_status sweep(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, uint32_t *label, int64_t *labels, uint32_t *saved, int64_t *saved_labels,
                         uint32_t bound, int64_t *looks, double *total, bool *going, nigh_summary_report *report)
{
    size_t bytes = (size_t)graph->nodes * sizeof *label;
    ssumm_refine r;
    nigh_status status = ssumm_refine_new(ctx, graph, label, *labels, o->bits, o->norm, bound, &r);
    if (status) return status;
    if (r.price.total < *total) {
        memcpy(label, saved, bytes);
        *labels = *saved_labels;
    }
    *going = *looks > 0 && report->sweeps < o->sweeps && r.price.total > *total + worthwhile * ((double)graph->edges - *total);
    if (*going) {
        *total = r.price.total;
        memcpy(saved, label, bytes);
        *saved_labels = *labels;
        status = ssumm_refine_sweep(&r, nigh_seed_split(nigh_seed_split(o->seed, 2), (uint64_t)report->sweeps), *looks);
        *looks -= r.work;
        *labels = number_labels(graph->nodes, r.labels, r.size, label, r.first);
        report->sweeps++;
        report->moves += r.moves;
    }
    ssumm_refine_free(&r);
    return status;
}

nigh_status ssumm_mend(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, uint32_t *label, int64_t *labels, nigh_summary_report *report)
{
    uint32_t bound, *saved = nigh_alloc(ctx, (size_t)graph->nodes * sizeof *saved);
    int64_t saved_labels = *labels;
    int64_t looks = LOOKS * graph->edges;
    double total = 0;
    bool going = true;
    if (!saved) return NIGH_MEMORY;
    nigh_status status = bound_weights(ctx, graph, o, label, labels, saved, &bound);
    while (!status && going) {
        nigh_progress(ctx, "moving nodes", report->sweeps, o->sweeps);
        status = sweep(ctx, graph, o, label, labels, saved, &saved_labels, bound, &looks, &total, &going, report);
    }
    nigh_free(ctx, saved);
    return status;
}
