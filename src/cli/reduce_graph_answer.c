/* Questions to a summary: degrees, neighbours, PageRank. */
#include "cli/reduce_graph.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { RANK_STEPS = 200 };

static nigh_status node_of(nigh_context *ctx, const nigh_summary *s, const char *flag, const char *text, int64_t *node)
{
    char *end;
    errno = 0;
    long long old = strtoll(text, &end, 10);
    if (end == text || *end || errno) return nigh_fail(ctx, NIGH_INVALID, "--%s is '%s'; the number of a node is expected", flag, text);
    *node = nigh_summary_node(s, old);
    return *node < 0 ? nigh_fail(ctx, NIGH_INVALID, "--%s is %lld, which is no node of the summary", flag, old) : NIGH_OK;
}

static int64_t old_number(const nigh_summary *s, int64_t node) { return s->old ? s->old[node] : node; }

static nigh_status describe(const nigh_summary *s, nigh_buffer *t)
{
    double bits = nigh_summary_bits(s), before = nigh_graph_bits(s->nodes, s->edges);
    int64_t largest = 0;
    for (int64_t a = 0; a < s->supernodes; a++)
        if (s->size[a] > largest) largest = s->size[a];
    if (cli_json)
        return nigh_buffer_print(t, "{\"nodes\": %lld, \"edges\": %lld, \"supernodes\": %lld, \"superedges\": %lld, \"largest_supernode\": %lld, \"bits\": %.17g, \"bits_before\": %.17g}\n",
                                 (long long)s->nodes, (long long)s->edges, (long long)s->supernodes, (long long)s->superedges, (long long)largest, bits, before);
    return nigh_buffer_print(t, "summary of %lld nodes and %lld edges: %lld supernodes (the largest has %lld nodes), %lld superedges, %.0f bits of %.0f (%.2f%%)\n", (long long)s->nodes,
                             (long long)s->edges, (long long)s->supernodes, (long long)largest, (long long)s->superedges, bits, before, 100 * bits / before);
}

static nigh_status answer_degree(nigh_context *ctx, const nigh_summary *s, const char *text, nigh_buffer *t)
{
    int64_t node;
    nigh_status status = node_of(ctx, s, "degree", text, &node);
    if (status) return status;
    double degree = nigh_summary_degree(s, node);
    return nigh_buffer_print(t, cli_json ? "{\"node\": %lld, \"degree\": %.17g}\n" : "%lld\t%.6g\n", (long long)old_number(s, node), degree);
}

static nigh_status list(const nigh_summary *s, const char *name, int64_t count, const int64_t *node, const double *value, nigh_buffer *t)
{
    nigh_status status = cli_json ? nigh_buffer_print(t, "[") : NIGH_OK;
    for (int64_t i = 0; i < count && !status; i++)
        status = cli_json ? nigh_buffer_print(t, "%s{\"node\": %lld, \"%s\": %.17g}", i ? ", " : "", (long long)old_number(s, node[i]), name, value[i])
                          : nigh_buffer_print(t, "%lld\t%.6g\n", (long long)old_number(s, node[i]), value[i]);
    return status || !cli_json ? status : nigh_buffer_print(t, "]\n");
}

static nigh_status answer_neighbours(nigh_context *ctx, const nigh_summary *s, const graph_question *q, nigh_buffer *t)
{
    int64_t node, count = 0, most = q->count < s->nodes ? q->count : s->nodes;
    nigh_status status = node_of(ctx, s, "neighbours", q->neighbours, &node);
    if (status) return status;
    int64_t *neighbour = nigh_alloc(ctx, (size_t)most * sizeof *neighbour);
    double *value = neighbour ? nigh_alloc(ctx, (size_t)most * sizeof *value) : NULL;
    status = value ? nigh_summary_neighbours(ctx, s, node, most, neighbour, value, &count) : NIGH_MEMORY;
    if (!status) status = list(s, "chance", count, neighbour, value, t);
    nigh_free(ctx, neighbour);
    nigh_free(ctx, value);
    return status;
}

typedef struct ranked {
    double rank;
    int64_t node;
} ranked;

static int highest_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? 1 : -1;
    return (x->node > y->node) - (x->node < y->node);
}

static nigh_status answer_pagerank(nigh_context *ctx, const nigh_summary *s, int64_t count, nigh_buffer *t)
{
    int64_t n = s->nodes, *node = nigh_alloc(ctx, (size_t)n * sizeof *node);
    double *rank = node ? nigh_alloc(ctx, (size_t)n * sizeof *rank) : NULL;
    ranked *order = rank ? nigh_alloc(ctx, (size_t)n * sizeof *order) : NULL;
    nigh_status status = order ? nigh_summary_pagerank(ctx, s, 0.85, 1e-12, RANK_STEPS, rank, NULL) : NIGH_MEMORY;
    if (!status) {
        for (int64_t v = 0; v < n; v++) order[v] = (ranked){rank[v], v};
        qsort(order, (size_t)n, sizeof *order, highest_first);
        if (count > n) count = n;
        for (int64_t i = 0; i < count; i++) {
            node[i] = order[i].node;
            rank[i] = order[i].rank;
        }
        status = list(s, "rank", count, node, rank, t);
    }
    nigh_free(ctx, node);
    nigh_free(ctx, rank);
    nigh_free(ctx, order);
    return status;
}

nigh_status graph_answer(nigh_context *ctx, const char *path, const graph_question *q)
{
    nigh_summary s;
    nigh_buffer t = {.ctx = ctx};
    nigh_status status = nigh_summary_read(ctx, path, &s);
    if (status) return status;
    if (q->degree) status = answer_degree(ctx, &s, q->degree, &t);
    if (!status && q->neighbours) status = answer_neighbours(ctx, &s, q, &t);
    if (!status && q->pagerank) status = answer_pagerank(ctx, &s, q->count, &t);
    if (!status && !q->degree && !q->neighbours && !q->pagerank) status = describe(&s, &t);
    if (!status && cli_print(ctx, t.data, t.size)) status = NIGH_IO;
    nigh_buffer_free(&t);
    nigh_summary_free(&s);
    return status;
}
