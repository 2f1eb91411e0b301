/*
 * From a partition to a summary: the edges between supernodes, and which superedges to keep. Declared in reduce/ssumm.h.
 *
 * A superedge of w edges among m pairs takes w^2 / m off the squared error RE_2^2 and w (2 w / m - 1) off RE_1 (per unordered pair). All cost the same bits,
 * so the best ones are those of the largest gain. With r of them kept, supernodes that have none become one, which makes all names shorter: the size is
 * a function of r that grows, and the largest r that fits is found in one walk.
 */
#include "reduce/ssumm.h"

#include <math.h>
#include <string.h>

void members(int64_t nodes, const uint32_t *label, int64_t labels, int64_t *begin, uint32_t *node)
{
    memset(begin, 0, (size_t)(labels + 1) * sizeof *begin);
    for (int64_t v = 0; v < nodes; v++) begin[label[v] + 1]++;
    for (int64_t a = 0; a < labels; a++) begin[a + 1] += begin[a];
    for (int64_t v = 0; v < nodes; v++) node[begin[label[v]]++] = (uint32_t)v;
    memmove(begin + 1, begin, (size_t)labels * sizeof *begin);
    begin[0] = 0;
}

/* ---- blocks ------------------------------------------------------------------------------------------------- */

void blocks_free(nigh_context *ctx, blocks *b)
{
    nigh_free(ctx, b->pair);
    nigh_free(ctx, b->edges);
    nigh_free(ctx, b->size);
    *b = (blocks){0};
}

typedef struct gather {
    const nigh_graph *graph;
    const uint32_t *label;
    int64_t *begin;
    uint32_t *node, *count, *touched;
} gather;

/* Labels b >= a with edges to a in touched, counts (inner edges twice) in count; returns how many. */
static int64_t gather_row(gather *g, int64_t a)
{
    int64_t n = 0;
    for (int64_t k = g->begin[a]; k < g->begin[a + 1]; k++) {
        int64_t v = g->node[k];
        for (int64_t i = g->graph->start[v]; i < g->graph->start[v + 1]; i++) {
            uint32_t b = g->label[g->graph->neighbour[i]];
            if (b < a) continue;
            if (g->count[b]++ == 0) g->touched[n++] = b;
        }
    }
    return n;
}

static int64_t gather_all(gather *g, int64_t labels, blocks *out)
{
    int64_t count = 0;
    for (int64_t a = 0; a < labels; a++) {
        int64_t n = gather_row(g, a);
        for (int64_t i = 0; i < n; i++) {
            uint32_t b = g->touched[i];
            if (out) {
                out->pair[count + i][0] = (uint32_t)a;
                out->pair[count + i][1] = b;
                out->edges[count + i] = b == a ? g->count[b] / 2 : g->count[b];
            }
            g->count[b] = 0;
        }
        count += n;
    }
    return count;
}

nigh_status blocks_new(nigh_context *ctx, const nigh_graph *graph, const uint32_t *label, int64_t labels, blocks *out)
{
    blocks b = {0};
    gather g = {.graph = graph, .label = label};
    g.begin = nigh_alloc(ctx, (size_t)(labels + 1) * sizeof *g.begin);
    g.node = g.begin ? nigh_alloc(ctx, (size_t)graph->nodes * sizeof *g.node) : NULL;
    g.count = g.node ? nigh_alloc_zero(ctx, (size_t)labels, sizeof *g.count) : NULL;
    g.touched = g.count ? nigh_alloc(ctx, (size_t)labels * sizeof *g.touched) : NULL;
    b.size = g.touched ? nigh_alloc(ctx, (size_t)labels * sizeof *b.size) : NULL;
    nigh_status status = b.size ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        members(graph->nodes, label, labels, g.begin, g.node);
        for (int64_t a = 0; a < labels; a++) b.size[a] = g.begin[a + 1] - g.begin[a];
        b.count = gather_all(&g, labels, NULL);
        b.pair = nigh_alloc(ctx, (size_t)(b.count + 1) * sizeof *b.pair);
        b.edges = b.pair ? nigh_alloc(ctx, (size_t)(b.count + 1) * sizeof *b.edges) : NULL;
        status = b.edges ? nigh_poll(ctx) : NIGH_MEMORY;
    }
    if (!status) gather_all(&g, labels, &b);
    nigh_free(ctx, g.begin);
    nigh_free(ctx, g.node);
    nigh_free(ctx, g.count);
    nigh_free(ctx, g.touched);
    if (status) blocks_free(ctx, &b);
    else *out = b;
    return status;
}

/* ---- choosing ----------------------------------------------------------------------------------------------- */

static double gain(const blocks *b, int64_t i, int norm)
{
    double w = b->edges[i], x = (double)b->size[b->pair[i][0]], y = (double)b->size[b->pair[i][1]];
    double pairs = b->pair[i][0] == b->pair[i][1] ? x * (x - 1) / 2 : x * y;
    return ssumm_gain(norm, w, pairs);
}

/* Indices of blocks with a gain, the largest gain first. */
static int64_t sort_gains(const blocks *b, int norm, uint64_t *keys, uint64_t *swap, uint32_t *order)
{
    int64_t n = 0;
    for (int64_t i = 0; i < b->count; i++) {
        float x = (float)gain(b, i, norm);
        uint32_t bits;
        if (!(x > 0)) continue;
        memcpy(&bits, &x, sizeof bits); /* positive floats are ordered as their bits are */
        keys[n++] = (uint64_t)~bits << 32 | (uint32_t)i;
    }
    ssumm_sort(n, keys, swap);
    for (int64_t i = 0; i < n; i++) order[i] = (uint32_t)keys[i];
    return n;
}

/* How many of the first blocks in order fit; used[a] becomes 1 for their supernodes. */
static int64_t count_fitting(const blocks *b, const uint32_t *order, int64_t n, int64_t nodes, int64_t labels, double bits, uint8_t *used)
{
    int64_t kept = 0, names = 0;
    uint32_t largest = 1;
    for (; kept < n; kept++) {
        const uint32_t *pair = b->pair[order[kept]];
        uint32_t w = b->edges[order[kept]];
        int64_t more = names + !used[pair[0]] + (pair[1] != pair[0] && !used[pair[1]]);
        double name = log2((double)(more + (more < labels)));
        if (w > largest) largest = w;
        if ((double)(kept + 1) * (2 * name + log2(largest)) + (double)nodes * name > bits) break;
        used[pair[0]] = used[pair[1]] = 1;
        names = more;
    }
    return kept;
}

/* Numbers of the supernodes that stay; those without a superedge share one. */
static int64_t renumber(int64_t labels, const uint8_t *used, uint32_t *number)
{
    int64_t count = 0, rest = -1;
    for (int64_t a = 0; a < labels; a++) {
        if (!used[a] && rest < 0) rest = count++, number[a] = (uint32_t)rest;
        else number[a] = (uint32_t)(used[a] ? count++ : rest);
    }
    return count;
}

typedef struct choice {
    uint64_t *keys, *swap;
    uint32_t *order, *number, *label;
    uint8_t *used;
} choice;

static nigh_status choice_new(nigh_context *ctx, int64_t count, int64_t labels, int64_t nodes, choice *c)
{
    size_t n = (size_t)count + 1;
    *c = (choice){0};
    c->keys = nigh_alloc(ctx, n * sizeof *c->keys);
    c->swap = c->keys ? nigh_alloc(ctx, n * sizeof *c->swap) : NULL;
    c->order = c->swap ? nigh_alloc(ctx, n * sizeof *c->order) : NULL;
    c->number = c->order ? nigh_alloc(ctx, (size_t)labels * sizeof *c->number) : NULL;
    c->label = c->number ? nigh_alloc(ctx, (size_t)nodes * sizeof *c->label) : NULL;
    c->used = c->label ? nigh_alloc_zero(ctx, (size_t)labels, 1) : NULL;
    return c->used ? NIGH_OK : NIGH_MEMORY;
}

static void choice_free(nigh_context *ctx, choice *c)
{
    nigh_free(ctx, c->keys);
    nigh_free(ctx, c->swap);
    nigh_free(ctx, c->order);
    nigh_free(ctx, c->number);
    nigh_free(ctx, c->label);
    nigh_free(ctx, c->used);
}

nigh_status blocks_price(nigh_context *ctx, int64_t nodes, int64_t labels, const blocks *b, double bits, int norm, ssumm_price *out)
{
    choice c;
    nigh_status status = choice_new(ctx, b->count, labels, nodes, &c);
    if (!status) {
        int64_t n = sort_gains(b, norm, c.keys, c.swap, c.order), kept = count_fitting(b, c.order, n, nodes, labels, bits, c.used);
        *out = (ssumm_price){.last = kept < n ? gain(b, c.order[kept], norm) : 0, .largest = 1};
        for (int64_t i = 0; i < kept; i++) {
            out->total += gain(b, c.order[i], norm);
            if (b->edges[c.order[i]] > out->largest) out->largest = b->edges[c.order[i]];
        }
    }
    choice_free(ctx, &c);
    return status;
}

/* keys and swap, no longer needed, hold pairs and weights. */
static nigh_status choose(nigh_context *ctx, const nigh_graph *graph, const uint32_t *label, int64_t labels, const blocks *b, double bits, int norm, choice *c,
                          nigh_summary *out)
{
    int64_t n = sort_gains(b, norm, c->keys, c->swap, c->order);
    int64_t kept = count_fitting(b, c->order, n, graph->nodes, labels, bits, c->used);
    int64_t supernodes = renumber(labels, c->used, c->number);
    uint32_t(*pair)[2] = (void *)c->keys, *weight = (void *)c->swap;
    for (int64_t i = 0; i < kept; i++) {
        uint32_t x = c->number[b->pair[c->order[i]][0]], y = c->number[b->pair[c->order[i]][1]];
        pair[i][0] = x < y ? x : y;
        pair[i][1] = x < y ? y : x;
        weight[i] = b->edges[c->order[i]];
    }
    for (int64_t v = 0; v < graph->nodes; v++) c->label[v] = c->number[label[v]];
    return summary_new(ctx, graph->nodes, graph->edges, c->label, supernodes, graph->old, kept, (const uint32_t(*)[2])pair, weight, out);
}

nigh_status nigh_summary_of_partition(nigh_context *ctx, const nigh_graph *graph, const uint32_t *label, int64_t labels, double bits, int norm, nigh_summary *out)
{
    if (norm != 1 && norm != 2) return nigh_fail(ctx, NIGH_INVALID, "the norm is %d; 1 and 2 are allowed", norm);
    if (!(bits >= 0)) return nigh_fail(ctx, NIGH_INVALID, "a summary of %g bits; 0 or more are allowed", bits);
    for (int64_t v = 0; v < graph->nodes; v++)
        if (label[v] >= labels)
            return nigh_fail(ctx, NIGH_INVALID, "node %lld has the label %u; 0 to %lld are allowed", (long long)v, label[v], (long long)labels - 1);
    blocks b;
    choice c = {0};
    nigh_status status = blocks_new(ctx, graph, label, labels, &b);
    if (status) return status;
    for (int64_t a = 0; a < labels && !status; a++)
        if (b.size[a] == 0) status = nigh_fail(ctx, NIGH_INVALID, "no node has the label %lld of %lld; each must be in use", (long long)a, (long long)labels);
    if (!status) status = choice_new(ctx, b.count, labels, graph->nodes, &c);
    if (!status) status = choose(ctx, graph, label, labels, &b, bits, norm, &c, out);
    choice_free(ctx, &c);
    blocks_free(ctx, &b);
    return status;
}
