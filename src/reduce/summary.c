/* The summary as an object: rows of superedges, sizes, errors. Declared in nigh/summary.h. */
#include "reduce/ssumm.h"

#include <math.h>
#include <string.h>

void nigh_summary_free(nigh_summary *s)
{
    if (!s->ctx) return;
    nigh_free(s->ctx, s->supernode);
    nigh_free(s->ctx, s->old);
    nigh_free(s->ctx, s->size);
    nigh_free(s->ctx, s->start);
    nigh_free(s->ctx, s->other);
    nigh_free(s->ctx, s->weight);
    *s = (nigh_summary){0};
}

static nigh_status allocate(nigh_summary *s, int64_t entries, bool old)
{
    nigh_context *ctx = s->ctx;
    s->supernode = nigh_alloc(ctx, (size_t)s->nodes * sizeof *s->supernode);
    s->size = s->supernode ? nigh_alloc_zero(ctx, (size_t)s->supernodes, sizeof *s->size) : NULL;
    s->start = s->size ? nigh_alloc_zero(ctx, (size_t)s->supernodes + 1, sizeof *s->start) : NULL;
    s->other = s->start ? nigh_alloc(ctx, (size_t)(entries + 1) * sizeof *s->other) : NULL;
    s->weight = s->other ? nigh_alloc(ctx, (size_t)(entries + 1) * sizeof *s->weight) : NULL;
    if (old && s->weight) s->old = nigh_alloc(ctx, (size_t)s->nodes * sizeof *s->old);
    return s->weight && (!old || s->old) ? NIGH_OK : NIGH_MEMORY;
}

/* Rows sorted as rows of a graph are: pairs go to the rows of their first ends by order of the second ... here by two stable passes. */
static nigh_status fill_rows(nigh_summary *s, const uint32_t (*pair)[2], const uint32_t *weight)
{
    int64_t entries = s->start[s->supernodes];
    int64_t *at = nigh_alloc(s->ctx, (size_t)s->supernodes * sizeof *at);
    uint32_t *other = at ? nigh_alloc(s->ctx, (size_t)(entries + 1) * sizeof *other) : NULL;
    uint32_t *value = other ? nigh_alloc(s->ctx, (size_t)(entries + 1) * sizeof *value) : NULL;
    if (value) {
        memcpy(at, s->start, (size_t)s->supernodes * sizeof *at);
        for (int64_t i = 0; i < s->superedges; i++)
            for (int end = 0; end < 1 + (pair[i][0] != pair[i][1]); end++) {
                int64_t to = at[pair[i][end]]++;
                other[to] = pair[i][1 - end];
                value[to] = weight[i];
            }
        memcpy(at, s->start, (size_t)s->supernodes * sizeof *at);
        for (int64_t a = 0; a < s->supernodes; a++)
            for (int64_t i = s->start[a]; i < s->start[a + 1]; i++) {
                int64_t to = at[other[i]]++;
                s->other[to] = (uint32_t)a;
                s->weight[to] = value[i];
            }
    }
    nigh_free(s->ctx, at);
    nigh_free(s->ctx, other);
    nigh_free(s->ctx, value);
    return value ? NIGH_OK : NIGH_MEMORY;
}

nigh_status summary_new(nigh_context *ctx, int64_t nodes, int64_t edges, const uint32_t *label, int64_t labels, const int64_t *old, int64_t superedges,
                        const uint32_t (*pair)[2], const uint32_t *weight, nigh_summary *out)
{
    nigh_summary s = {.ctx = ctx, .nodes = nodes, .edges = edges, .supernodes = labels, .superedges = superedges};
    int64_t entries = 0;
    for (int64_t i = 0; i < superedges; i++) entries += 1 + (pair[i][0] != pair[i][1]);
    nigh_status status = allocate(&s, entries, old != NULL);
    if (!status) {
        memcpy(s.supernode, label, (size_t)nodes * sizeof *label);
        if (old) memcpy(s.old, old, (size_t)nodes * sizeof *old);
        for (int64_t v = 0; v < nodes; v++) s.size[label[v]]++;
        for (int64_t i = 0; i < superedges; i++) {
            s.start[pair[i][0] + 1]++;
            if (pair[i][0] != pair[i][1]) s.start[pair[i][1] + 1]++;
        }
        for (int64_t a = 0; a < labels; a++) s.start[a + 1] += s.start[a];
        status = fill_rows(&s, pair, weight);
    }
    if (status) nigh_summary_free(&s);
    else *out = s;
    return status;
}

double nigh_graph_bits(int64_t nodes, int64_t edges) { return 2 * (double)edges * log2((double)nodes); }

double nigh_summary_bits(const nigh_summary *s)
{
    uint32_t largest = 1;
    for (int64_t i = 0; i < s->start[s->supernodes]; i++)
        if (s->weight[i] > largest) largest = s->weight[i];
    double name = log2((double)s->supernodes);
    return (double)s->superedges * (2 * name + log2(largest)) + (double)s->nodes * name;
}

/* ---- errors ------------------------------------------------------------------------------------------------- */

static double pairs_of(const nigh_summary *s, int64_t a, int64_t b)
{
    double x = (double)s->size[a], y = (double)s->size[b];
    return a == b ? x * (x - 1) / 2 : x * y;
}

/* Sums over unordered pairs of |A - Ahat| and its square: what the superedges alone would give, then the difference that the edges make. */
static void error_sums(const nigh_summary *s, const nigh_graph *g, const int64_t *begin, const uint32_t *node, double *density, double *one, double *two)
{
    for (int64_t a = 0; a < s->supernodes; a++) {
        for (int64_t i = s->start[a]; i < s->start[a + 1]; i++) {
            uint32_t b = s->other[i];
            double m = pairs_of(s, a, b), x = s->weight[i] / m;
            density[b] = x;
            if (b < a) continue;
            *one += x * m;
            *two += x * x * m;
        }
        for (int64_t k = begin[a]; k < begin[a + 1]; k++)
            for (int64_t i = g->start[node[k]]; i < g->start[node[k] + 1]; i++) {
                if (g->neighbour[i] < node[k]) continue;
                double x = density[s->supernode[g->neighbour[i]]];
                *one += 1 - 2 * x;
                *two += 1 - 2 * x;
            }
        for (int64_t i = s->start[a]; i < s->start[a + 1]; i++) density[s->other[i]] = 0;
    }
}

nigh_status nigh_summary_errors(nigh_context *ctx, const nigh_summary *s, const nigh_graph *g, double *re1, double *re2)
{
    if (s->nodes != g->nodes || s->nodes < 2)
        return nigh_fail(ctx, NIGH_INVALID, "the summary is of %lld nodes, the graph has %lld; the same number, at least 2, is needed", (long long)s->nodes, (long long)g->nodes);
    int64_t *begin = nigh_alloc(ctx, (size_t)(s->supernodes + 1) * sizeof *begin);
    uint32_t *node = begin ? nigh_alloc(ctx, (size_t)s->nodes * sizeof *node) : NULL;
    double *density = node ? nigh_alloc_zero(ctx, (size_t)s->supernodes, sizeof *density) : NULL, one = 0, two = 0;
    if (density) {
        members(s->nodes, s->supernode, s->supernodes, begin, node);
        error_sums(s, g, begin, node, density, &one, &two);
        double pairs = (double)s->nodes * (double)(s->nodes - 1);
        *re1 = 2 * fmax(one, 0) / pairs;
        *re2 = sqrt(2 * fmax(two, 0)) / pairs;
    }
    nigh_free(ctx, begin);
    nigh_free(ctx, node);
    nigh_free(ctx, density);
    return density ? NIGH_OK : NIGH_MEMORY;
}
