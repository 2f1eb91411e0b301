/* Other summaries of as many bits. Declared in ssumm/rivals.h. */
#include "rivals.h"

#include "nigh/random.h"
#include "reduce/ssumm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

nigh_status rival_random(nigh_context *ctx, const nigh_graph *g, double bits, uint64_t seed, nigh_summary *out)
{
    return nigh_graph_summarise(ctx, g, &(nigh_summary_options){.bits = bits, .seed = seed, .way = NIGH_SUMMARY_RANDOM_FULL}, out, NULL);
}

nigh_status rival_random_sparse(nigh_context *ctx, const nigh_graph *g, double bits, uint64_t seed, nigh_summary *out)
{
    return nigh_graph_summarise(ctx, g, &(nigh_summary_options){.bits = bits, .seed = seed, .way = NIGH_SUMMARY_RANDOM}, out, NULL);
}

/* ---- clustered rows ------------------------------------------------------------------------------------------- */

typedef struct rows {
    const nigh_graph *g;
    int64_t clusters;
    float *centre, *norm, *score; /* centre [nodes, clusters]: column v of all centres together */
    int64_t *size;
    uint32_t *label;
} rows;

static void assign(rows *r)
{
    int64_t m = r->clusters;
    for (int64_t u = 0; u < r->g->nodes; u++) {
        for (int64_t c = 0; c < m; c++) r->score[c] = r->norm[c];
        for (int64_t i = r->g->start[u]; i < r->g->start[u + 1]; i++) {
            const float *column = r->centre + (int64_t)r->g->neighbour[i] * m;
            for (int64_t c = 0; c < m; c++) r->score[c] -= 2 * column[c];
        }
        int64_t best = 0;
        for (int64_t c = 1; c < m; c++)
            if (r->score[c] < r->score[best]) best = c;
        r->label[u] = (uint32_t)best;
    }
}

static void average(rows *r)
{
    int64_t m = r->clusters, n = r->g->nodes;
    memset(r->centre, 0, (size_t)(n * m) * sizeof *r->centre);
    memset(r->size, 0, (size_t)m * sizeof *r->size);
    memset(r->norm, 0, (size_t)m * sizeof *r->norm);
    for (int64_t u = 0; u < n; u++) r->size[r->label[u]]++;
    for (int64_t u = 0; u < n; u++)
        for (int64_t i = r->g->start[u]; i < r->g->start[u + 1]; i++) r->centre[(int64_t)r->g->neighbour[i] * m + r->label[u]] += 1;
    for (int64_t v = 0; v < n; v++)
        for (int64_t c = 0; c < m; c++) {
            float *x = &r->centre[v * m + c];
            if (r->size[c]) *x /= (float)r->size[c];
            r->norm[c] += *x * *x;
        }
    for (int64_t c = 0; c < m; c++)
        if (r->size[c] == 0) r->norm[c] = 1e30f; /* nobody comes back to an empty cluster */
}

/* Labels without gaps; how many. */
static int64_t close_gaps(rows *r, int64_t n)
{
    int64_t count = 0;
    memset(r->size, 0, (size_t)r->clusters * sizeof *r->size);
    for (int64_t v = 0; v < n; v++) r->size[r->label[v]] = 1;
    for (int64_t c = 0; c < r->clusters; c++) r->size[c] = r->size[c] ? count++ : -1;
    for (int64_t v = 0; v < n; v++) r->label[v] = (uint32_t)r->size[r->label[v]];
    return count;
}

enum { ROUNDS = 8 };

static nigh_status cluster(nigh_context *ctx, const nigh_graph *g, int64_t clusters, uint64_t seed, uint32_t *label, int64_t *labels)
{
    rows r = {.g = g, .clusters = clusters, .label = label};
    int64_t n = g->nodes;
    nigh_rng rng = nigh_rng_new(seed, 3);
    r.centre = nigh_alloc(ctx, (size_t)(n * clusters) * sizeof *r.centre);
    r.norm = nigh_alloc(ctx, 2 * (size_t)clusters * sizeof *r.norm);
    r.size = nigh_alloc(ctx, (size_t)clusters * sizeof *r.size);
    nigh_status status = r.centre && r.norm && r.size ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        r.score = r.norm + clusters;
        for (int64_t v = 0; v < n; v++) label[v] = (uint32_t)nigh_rng_below(&rng, (uint64_t)clusters);
        memset(r.centre, 0, (size_t)(n * clusters) * sizeof *r.centre);
        for (int64_t c = 0; c < clusters; c++) { /* rows of random nodes */
            int64_t u = (int64_t)nigh_rng_below(&rng, (uint64_t)n);
            for (int64_t i = g->start[u]; i < g->start[u + 1]; i++) r.centre[(int64_t)g->neighbour[i] * clusters + c] = 1;
            r.norm[c] = (float)nigh_graph_degree(g, u);
        }
        for (int round = 0; round < ROUNDS && !status; round++) {
            assign(&r);
            if (round + 1 < ROUNDS) average(&r);
            status = nigh_poll(ctx);
        }
        *labels = close_gaps(&r, n);
    }
    nigh_free(ctx, r.centre);
    nigh_free(ctx, r.norm);
    nigh_free(ctx, r.size);
    return status;
}

static nigh_status full_bits(nigh_context *ctx, const nigh_graph *g, const uint32_t *label, int64_t labels, double *bits)
{
    blocks b;
    uint32_t largest = 1;
    nigh_status status = blocks_new(ctx, g, label, labels, &b);
    if (status) return status;
    for (int64_t i = 0; i < b.count; i++)
        if (b.edges[i] > largest) largest = b.edges[i];
    *bits = (double)b.count * (2 * log2((double)labels) + log2(largest)) + (double)g->nodes * log2((double)labels);
    blocks_free(ctx, &b);
    return NIGH_OK;
}

nigh_status rival_rows(nigh_context *ctx, const nigh_graph *g, double bits, uint64_t seed, nigh_summary *out)
{
    uint32_t *label = nigh_alloc(ctx, (size_t)g->nodes * sizeof *label);
    int64_t low = 1, high = g->nodes, labels = 1;
    nigh_status status = label ? NIGH_OK : NIGH_MEMORY;
    while (high - low > 1 + low / 16 && !status) { /* low fits */
        int64_t middle = (int64_t)sqrt((double)low * (double)high);
        double size = 0;
        if (middle <= low) middle = low + 1;
        status = cluster(ctx, g, middle, seed, label, &labels);
        if (!status) status = full_bits(ctx, g, label, labels, &size);
        if (size <= bits) low = middle;
        else high = middle;
    }
    if (!status) status = cluster(ctx, g, low, seed, label, &labels);
    if (!status) status = nigh_summary_of_partition(ctx, g, label, labels, bits, 2, out);
    nigh_free(ctx, label);
    return status;
}

/* ---- merges --------------------------------------------------------------------------------------------------- */

/* The supernodes as a partition. */
static nigh_status summary_of(ssumm *s, double bits, nigh_summary *out)
{
    int64_t labels = 0;
    uint32_t *label = nigh_alloc(s->ctx, 2 * (size_t)s->nodes * sizeof *label), *number = label + s->nodes;
    if (!label) return NIGH_MEMORY;
    for (int64_t v = 0; v < s->nodes; v++)
        if (s->cell[v].parent == v) number[v] = (uint32_t)labels++;
    for (int64_t v = 0; v < s->nodes; v++) label[v] = number[ssumm_find(s, (uint32_t)v)];
    nigh_status status = nigh_summary_of_partition(s->ctx, s->graph, label, labels, bits, 2, out);
    nigh_free(s->ctx, label);
    return status;
}

typedef struct best_merge {
    double change; /* of the cost */
    int64_t i, j;
} best_merge;

static best_merge best_of(ssumm *s, nigh_rng *rng, const uint32_t *node, int64_t count, int64_t samples)
{
    best_merge best = {INFINITY, 0, 1};
    for (int64_t k = 0; k < samples; k++) {
        int64_t i = (int64_t)nigh_rng_below(rng, (uint64_t)count), j = (int64_t)nigh_rng_below(rng, (uint64_t)count - 1);
        double before, after = ssumm_merged_cost(s, node[i], node[j + (j >= i)], -INFINITY, &before);
        if (after - before < best.change) best = (best_merge){after - before, i, j + (j >= i)};
    }
    return best;
}

static nigh_status merge(ssumm *s, uint32_t *node, int64_t *count, best_merge best)
{
    uint32_t stays;
    nigh_status status = ssumm_merge(s, node[best.i], node[best.j], &stays);
    if (status) return status;
    node[best.i] = stays;
    node[best.j] = node[--*count];
    return NIGH_OK;
}

nigh_status rival_greedy(nigh_context *ctx, const nigh_graph *g, double bits, uint64_t seed, nigh_summary *out)
{
    ssumm s;
    nigh_rng rng = nigh_rng_new(seed, 4);
    int64_t count = g->nodes;
    uint32_t *node = nigh_alloc(ctx, (size_t)count * sizeof *node);
    if (!node) return NIGH_MEMORY;
    nigh_status status = ssumm_new(ctx, g, &(nigh_summary_options){.bits = bits, .norm = 2, .cost = NIGH_SUMMARY_ERROR}, &s);
    if (status) {
        nigh_free(ctx, node);
        return status;
    }
    s.by_error = true; /* superedges cost nothing: all are kept, and the cost is the squared error */
    s.kept = 0;
    s.listed = 1;
    s.superedges = g->edges;
    for (int64_t v = 0; v < g->nodes; v++) {
        node[v] = (uint32_t)v;
        s.super[v].cost = 0;
    }
    while (count > 1 && ssumm_bits(&s) > bits && !status) {
        status = merge(&s, node, &count, best_of(&s, &rng, node, count, 1 + count / 4));
        if (!status) status = nigh_poll(ctx);
    }
    if (!status) status = summary_of(&s, bits, out);
    ssumm_free(&s);
    nigh_free(ctx, node);
    return status;
}

static nigh_status absolute_group(ssumm *s, nigh_rng *rng, uint32_t *node, int64_t count)
{
    int failures = 0, patience = (int)log2((double)count);
    while (count > 1 && failures <= patience) {
        best_merge best = best_of(s, rng, node, count, count);
        if (best.change >= 0) {
            failures++;
            continue;
        }
        nigh_status status = merge(s, node, &count, best);
        if (status) return status;
        failures = 0;
    }
    return nigh_poll(s->ctx);
}

nigh_status rival_absolute(nigh_context *ctx, const nigh_graph *g, const nigh_summary_options *o, nigh_summary *out)
{
    enum { ITERATIONS = 20, HASHES = 10, GROUP = 500 };
    ssumm s;
    ssumm_groups groups;
    nigh_rng rng = nigh_rng_new(o->seed, 1);
    nigh_status status = ssumm_new(ctx, g, &(nigh_summary_options){.bits = o->bits, .norm = 2, .cost = NIGH_SUMMARY_ERROR}, &s);
    if (status) return status;
    status = ssumm_groups_new(ctx, g->nodes, &groups);
    if (status) {
        ssumm_free(&s);
        return status;
    }
    for (int t = 1; t <= ITERATIONS && !status; t++) {
        int64_t begin = 0;
        ssumm_reprice(&s);
        if (ssumm_fits(&s)) break;
        status = ssumm_group(&s, HASHES, GROUP, nigh_seed_split(o->seed, (uint64_t)t), &groups);
        for (int64_t k = 0; k < groups.count && !status; begin = groups.end[k++]) status = absolute_group(&s, &rng, groups.order + begin, groups.end[k] - begin);
    }
    if (!status) status = summary_of(&s, o->bits, out);
    ssumm_groups_free(ctx, &groups);
    ssumm_free(&s);
    return status;
}
