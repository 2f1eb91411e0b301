/* Baselines: supernodes merged at random. Declared in reduce/ssumm.h. */
#include "reduce/ssumm.h"

#include "nigh/random.h"

#include <math.h>
#include <string.h>

/* Merges of two random supernodes, one after the other: with[k] goes into to[k]; the first n - S of them leave S supernodes. */
typedef struct history {
    uint32_t *with, *to, *parent, *number;
} history;

static void history_free(nigh_context *ctx, history *h)
{
    nigh_free(ctx, h->with);
    nigh_free(ctx, h->to);
    nigh_free(ctx, h->parent);
    nigh_free(ctx, h->number);
}

static nigh_status history_new(nigh_context *ctx, int64_t n, uint64_t seed, history *h)
{
    size_t bytes = (size_t)n * sizeof(uint32_t);
    *h = (history){.with = nigh_alloc(ctx, bytes), .to = nigh_alloc(ctx, bytes), .parent = nigh_alloc(ctx, bytes), .number = nigh_alloc(ctx, bytes)};
    if (!h->with || !h->to || !h->parent || !h->number) {
        history_free(ctx, h);
        return NIGH_MEMORY;
    }
    nigh_rng rng = nigh_rng_new(seed, 2);
    for (int64_t v = 0; v < n; v++) h->parent[v] = (uint32_t)v; /* the supernodes that there are */
    for (int64_t k = 0, count = n; count > 1; k++) {
        int64_t i = (int64_t)nigh_rng_below(&rng, (uint64_t)count), j = (int64_t)nigh_rng_below(&rng, (uint64_t)count - 1);
        j += j >= i;
        h->to[k] = h->parent[i];
        h->with[k] = h->parent[j];
        h->parent[j] = h->parent[--count];
    }
    return NIGH_OK;
}

static void history_labels(history *h, int64_t n, int64_t supernodes, uint32_t *label)
{
    for (int64_t v = 0; v < n; v++) h->parent[v] = (uint32_t)v;
    for (int64_t k = 0; k < n - supernodes; k++) h->parent[h->with[k]] = h->to[k];
    uint32_t count = 0;
    for (int64_t v = 0; v < n; v++)
        if (h->parent[v] == v) h->number[v] = count++;
    for (int64_t v = 0; v < n; v++) {
        uint32_t root = (uint32_t)v;
        while (h->parent[root] != root) root = h->parent[root] = h->parent[h->parent[root]];
        label[v] = h->number[root];
    }
}

/* Do all superedges of this partition fit? */
static nigh_status all_fit(nigh_context *ctx, const nigh_graph *g, const uint32_t *label, int64_t supernodes, double bits, bool *fit)
{
    blocks b;
    nigh_status status = blocks_new(ctx, g, label, supernodes, &b);
    if (status) return status;
    uint32_t largest = 1;
    for (int64_t i = 0; i < b.count; i++)
        if (b.edges[i] > largest) largest = b.edges[i];
    double name = log2((double)supernodes);
    *fit = (double)b.count * (2 * name + log2(largest)) + (double)g->nodes * name <= bits;
    blocks_free(ctx, &b);
    return NIGH_OK;
}

static nigh_status full(nigh_context *ctx, const nigh_graph *g, const nigh_summary_options *o, history *h, uint32_t *label, nigh_summary *out)
{
    int64_t low = 1, high = g->nodes + 1; /* low fits, high does not */
    nigh_status status = NIGH_OK;
    while (high - low > 1 && !status) {
        int64_t middle = low + (high - low) / 2;
        bool fit = false;
        history_labels(h, g->nodes, middle, label);
        status = all_fit(ctx, g, label, middle, o->bits, &fit);
        if (fit) low = middle;
        else high = middle;
    }
    if (status) return status;
    history_labels(h, g->nodes, low, label);
    return nigh_summary_of_partition(ctx, g, label, low, o->bits, o->norm, out);
}

static nigh_status ladder(nigh_context *ctx, const nigh_graph *g, const nigh_summary_options *o, history *h, uint32_t *label, nigh_summary *out)
{
    nigh_summary best = {0};
    double least = INFINITY;
    nigh_status status = NIGH_OK;
    for (int64_t supernodes = g->nodes; supernodes >= 1 && !status; supernodes /= 2) {
        nigh_summary s = {0};
        double error[2] = {0, 0};
        history_labels(h, g->nodes, supernodes, label);
        status = nigh_summary_of_partition(ctx, g, label, supernodes, o->bits, o->norm, &s);
        if (!status) status = nigh_summary_errors(ctx, &s, g, &error[0], &error[1]);
        bool better = !status && error[o->norm - 1] < least;
        nigh_summary_free(better ? &best : &s);
        if (!better) continue;
        best = s;
        least = error[o->norm - 1];
    }
    if (status) nigh_summary_free(&best);
    else *out = best;
    return status;
}

nigh_status ssumm_random(nigh_context *ctx, const nigh_graph *g, const nigh_summary_options *o, uint32_t *label, nigh_summary *out)
{
    history h;
    nigh_status status = history_new(ctx, g->nodes, o->seed, &h);
    if (status) return status;
    status = (o->way == NIGH_SUMMARY_RANDOM ? ladder : full)(ctx, g, o, &h, label, out);
    history_free(ctx, &h);
    return status;
}
