/* Questions to a summary. Declared in nigh/summary.h. */
#include "reduce/ssumm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t nigh_summary_node(const nigh_summary *s, int64_t old)
{
    nigh_graph numbers = {.nodes = s->nodes, .old = s->old};
    return nigh_graph_node(&numbers, old);
}

/* Ahat between different nodes of a and of entry i of its row. */
static double density(const nigh_summary *s, int64_t a, int64_t i)
{
    double x = (double)s->size[a], y = (double)s->size[s->other[i]];
    return s->weight[i] / (s->other[i] == a ? x * (x - 1) / 2 : x * y);
}

double nigh_summary_edge(const nigh_summary *s, int64_t u, int64_t v)
{
    int64_t a = s->supernode[u], b = s->supernode[v], low = s->start[a], high = s->start[a + 1];
    if (u == v) return 0;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (s->other[middle] < b) low = middle + 1;
        else high = middle;
    }
    return low < s->start[a + 1] && s->other[low] == b ? density(s, a, low) : 0;
}

/* Edges with an end in a node of a, over the nodes: each inner edge has two. */
static double degree_of(const nigh_summary *s, int64_t a)
{
    double ends = 0;
    for (int64_t i = s->start[a]; i < s->start[a + 1]; i++) ends += s->other[i] == a ? 2.0 * s->weight[i] : s->weight[i];
    return ends / (double)s->size[a];
}

double nigh_summary_degree(const nigh_summary *s, int64_t node) { return degree_of(s, s->supernode[node]); }

/* ---- neighbours --------------------------------------------------------------------------------------------- */

typedef struct row {
    double density;
    int64_t supernode;
} row;

static int densest_first(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (x->density != y->density) return x->density < y->density ? 1 : -1;
    return (x->supernode > y->supernode) - (x->supernode < y->supernode);
}

nigh_status nigh_summary_neighbours(nigh_context *ctx, const nigh_summary *s, int64_t node, int64_t most, int64_t *neighbour, double *value, int64_t *count)
{
    if (node < 0 || node >= s->nodes) return nigh_fail(ctx, NIGH_INVALID, "node %lld; 0 to %lld are allowed", (long long)node, (long long)s->nodes - 1);
    int64_t a = s->supernode[node], n = s->start[a + 1] - s->start[a], found = 0;
    row *rows = nigh_alloc(ctx, (size_t)(n + 1) * sizeof *rows);
    int64_t *begin = rows ? nigh_alloc(ctx, (size_t)(s->supernodes + 1) * sizeof *begin) : NULL;
    uint32_t *member = begin ? nigh_alloc(ctx, (size_t)s->nodes * sizeof *member) : NULL;
    if (member) {
        members(s->nodes, s->supernode, s->supernodes, begin, member);
        for (int64_t i = 0; i < n; i++) rows[i] = (row){density(s, a, s->start[a] + i), s->other[s->start[a] + i]};
        if (n) qsort(rows, (size_t)n, sizeof *rows, densest_first);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = begin[rows[i].supernode]; k < begin[rows[i].supernode + 1] && found < most; k++) {
                if (member[k] == node) continue;
                neighbour[found] = member[k];
                value[found++] = rows[i].density;
            }
        *count = found;
    }
    nigh_free(ctx, rows);
    nigh_free(ctx, begin);
    nigh_free(ctx, member);
    return member ? NIGH_OK : NIGH_MEMORY;
}

/* ---- PageRank ----------------------------------------------------------------------------------------------- */

/*
 * The rank of a supernode is that of its nodes together. A walk at a node of A takes an edge to B with chance w_AB / ends_A, where ends_A counts ends of edges
 * at A; an inner edge leads to another node of A. Within A all nodes have the same row of Ahat but for the diagonal, hence the same rank.
 */
static double rank_step(const nigh_summary *s, double damping, const double *ends, const double *now, double *next)
{
    double idle = 0, change = 0;
    for (int64_t a = 0; a < s->supernodes; a++)
        if (ends[a] == 0) idle += now[a];
    double jump = (1 - damping + damping * idle) / (double)s->nodes;
    for (int64_t a = 0; a < s->supernodes; a++) {
        double sum = 0;
        for (int64_t i = s->start[a]; i < s->start[a + 1]; i++) {
            int64_t b = s->other[i];
            sum += now[b] * (b == a ? 2.0 * s->weight[i] : s->weight[i]) / ends[b];
        }
        next[a] = jump * (double)s->size[a] + damping * sum;
        change += fabs(next[a] - now[a]);
    }
    return change;
}

nigh_status nigh_summary_pagerank(nigh_context *ctx, const nigh_summary *s, double damping, double tolerance, int most, double *rank, int *steps)
{
    if (!(damping >= 0 && damping < 1)) return nigh_fail(ctx, NIGH_INVALID, "the damping of PageRank is %g; 0 to 1, without 1, is allowed", damping);
    if (!(tolerance >= 0)) return nigh_fail(ctx, NIGH_INVALID, "the tolerance of PageRank is %g; 0 or more is allowed", tolerance);
    double *block = nigh_alloc(ctx, 3 * (size_t)s->supernodes * sizeof *block), change = INFINITY;
    if (!block) return NIGH_MEMORY;
    double *ends = block, *now = block + s->supernodes, *next = now + s->supernodes;
    int step = 0;
    nigh_status status = NIGH_OK;
    for (int64_t a = 0; a < s->supernodes; a++) {
        ends[a] = degree_of(s, a) * (double)s->size[a];
        now[a] = (double)s->size[a] / (double)s->nodes;
    }
    for (; step < most && change > tolerance && !status; step++) {
        change = rank_step(s, damping, ends, now, next);
        double *swap = now;
        now = next;
        next = swap;
        status = nigh_poll(ctx);
    }
    for (int64_t v = 0; v < s->nodes && !status; v++) rank[v] = now[s->supernode[v]] / (double)s->size[s->supernode[v]];
    if (!status && steps) *steps = step;
    nigh_free(ctx, block);
    return status;
}
