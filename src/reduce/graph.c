/*
 * Graphs in compressed rows from lists of edges. Declared in nigh/graph.h.
 *
 * Rows are sorted without a comparison: an edge is put into the rows of both its ends; then the rows are read in order and v is appended to the row of
 * each of its neighbours, which come out increasing. The top bit of an entry tells the direction of its line.
 */
#include "reduce/graph.h"

#include "core/map.h"

#include <math.h>
#include <string.h>

#define FORWARD 0x80000000u
enum { POLL_LINES = 1 << 20 };
static const int64_t most_nodes = INT64_C(1) << 31;

void nigh_graph_free(nigh_context *ctx, nigh_graph *graph)
{
    nigh_free(ctx, graph->start);
    nigh_free(ctx, graph->neighbour);
    nigh_free(ctx, graph->old);
    *graph = (nigh_graph){0};
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

static void count_rows(const nigh_edges *e, int64_t *start, int64_t nodes, int64_t *loops)
{
    memset(start, 0, (size_t)(nodes + 1) * sizeof *start);
    for (int64_t i = 0; i < e->count; i++) {
        if (e->from[i] == e->to[i]) {
            ++*loops;
            continue;
        }
        start[e->from[i] + 1]++;
        start[e->to[i] + 1]++;
    }
    for (int64_t v = 0; v < nodes; v++) start[v + 1] += start[v];
}


/* at[] begins as a copy of start and walks through the rows. */
static void fill_rows(const nigh_edges *e, int64_t *at, uint32_t *row)
{
    for (int64_t i = 0; i < e->count; i++) {
        if (e->from[i] == e->to[i]) continue;
        row[at[e->from[i]]++] = (uint32_t)e->to[i] | FORWARD;
        row[at[e->to[i]]++] = (uint32_t)e->from[i];
    }
}

static void sort_rows(const int64_t *start, int64_t *at, int64_t nodes, const uint32_t *row, uint32_t *sorted)
{
    for (int64_t v = 0; v < nodes; v++)
        for (int64_t i = start[v]; i < start[v + 1]; i++) {
            uint32_t u = row[i] & ~FORWARD, direction = ~row[i] & FORWARD;
            sorted[at[u]++] = (uint32_t)v | direction;
        }
}

/* One entry for each run of the same node; what repeats is counted, once for the two rows: where the other end is larger. */
static void drop_repeats(nigh_graph *g, uint32_t *row)
{
    int64_t kept = 0, first = 0;
    for (int64_t v = 0; v < g->nodes; v++) {
        int64_t end = g->start[v + 1];
        for (int64_t i = first; i < end;) {
            uint32_t u = row[i] & ~FORWARD;
            int64_t times[2] = {0, 0};
            for (; i < end && (row[i] & ~FORWARD) == u; i++) times[row[i] >> 31]++;
            if (u > v) {
                bool both = times[0] && times[1];
                g->mirrored += both;
                g->duplicates += times[0] + times[1] - 1 - both;
                g->edges++;
            }
            row[kept++] = u;
        }
        first = end;
        g->start[v + 1] = kept;
    }
}

static nigh_status direction_check(nigh_context *ctx, nigh_graph *g, bool symmetrise)
{
    if (g->mirrored == 0 || g->mirrored == g->edges) return NIGH_OK;
    if (!symmetrise)
        return nigh_fail(ctx, NIGH_INVALID, "%lld of %lld edges stand in both directions, the others in one: a directed graph; ask to symmetrise it "
                         "(--symmetrise) to take every edge for an undirected one", (long long)g->mirrored, (long long)g->edges);
    g->duplicates += g->mirrored;
    g->mirrored = 0;
    return NIGH_OK;
}

nigh_status graph_of_numbered(nigh_context *ctx, int64_t nodes, nigh_edges *edges, bool symmetrise, nigh_graph *out)
{
    nigh_graph g = {.nodes = nodes};
    uint32_t *row = NULL;
    int64_t *at = NULL;
    nigh_status status = NIGH_OK;
    if (nodes >= most_nodes || edges->count >= most_nodes)
        status = nigh_fail(ctx, NIGH_RESOURCE, "a graph of %lld nodes and %lld lines; fewer than 2^31 of each are supported", (long long)nodes, (long long)edges->count);
    if (!status && !(g.start = nigh_alloc(ctx, (size_t)(nodes + 1) * sizeof *g.start))) status = NIGH_MEMORY;
    if (!status && !(at = nigh_alloc(ctx, (size_t)(nodes + 1) * sizeof *at))) status = NIGH_MEMORY;
    if (!status) {
        count_rows(edges, g.start, nodes, &g.loops);
        row = nigh_alloc(ctx, (size_t)(g.start[nodes] + 1) * sizeof *row);
        if (!row) status = NIGH_MEMORY;
    }
    if (!status) {
        memcpy(at, g.start, (size_t)(nodes + 1) * sizeof *at);
        fill_rows(edges, at, row);
        status = nigh_poll(ctx);
    }
    nigh_edges_free(ctx, edges);
    if (!status && !(g.neighbour = nigh_alloc(ctx, (size_t)(g.start[nodes] + 1) * sizeof *row))) status = NIGH_MEMORY;
    if (!status) {
        memcpy(at, g.start, (size_t)(nodes + 1) * sizeof *at);
        sort_rows(g.start, at, nodes, row, g.neighbour);
        status = nigh_poll(ctx);
    }
    nigh_free(ctx, at);
    nigh_free(ctx, row);
    if (!status) {
        drop_repeats(&g, g.neighbour);
        status = direction_check(ctx, &g, symmetrise);
    }
    if (status) {
        nigh_graph_free(ctx, &g);
        return status;
    }
    uint32_t *fit = nigh_resize(ctx, g.neighbour, (size_t)(2 * g.edges + 1) * sizeof *fit);
    if (fit) g.neighbour = fit;
    *out = g;
    return NIGH_OK;
}

/* ---- numbering ---------------------------------------------------------------------------------------------- */

/* Numbers below a small multiple of the lines: a table by number. */
static nigh_status number_by_table(nigh_context *ctx, nigh_edges *e, int64_t largest, int64_t *nodes, int64_t **old)
{
    int64_t n = 0;
    uint32_t *number = nigh_alloc_zero(ctx, (size_t)largest + 1, sizeof *number);
    if (!number) return NIGH_MEMORY;
    for (int64_t i = 0; i < e->count; i++) number[e->from[i]] = number[e->to[i]] = 1;
    for (int64_t v = 0; v <= largest; v++) n += number[v];
    *old = n <= largest ? nigh_alloc(ctx, (size_t)n * sizeof **old) : NULL;
    if (n <= largest && !*old) {
        nigh_free(ctx, number);
        return NIGH_MEMORY;
    }
    *nodes = n;
    if (*old) {
        n = 0;
        for (int64_t v = 0; v <= largest; v++)
            if (number[v]) {
                (*old)[n] = v;
                number[v] = (uint32_t)n++;
            }
        for (int64_t i = 0; i < e->count; i++) {
            e->from[i] = number[e->from[i]];
            e->to[i] = number[e->to[i]];
        }
    }
    nigh_free(ctx, number);
    return NIGH_OK;
}

static nigh_status add_node(map *numbers, int64_t node)
{
    uint64_t *value;
    bool added;
    return map_add(numbers, (uint64_t)node, &value, &added);
}

static nigh_status number_by_map(nigh_context *ctx, nigh_edges *e, int64_t *nodes, int64_t **old)
{
    map numbers;
    nigh_status status = map_new(ctx, 0, &numbers);
    if (status) return status;
    for (int64_t i = 0; i < e->count && !status; i++) {
        if (i % POLL_LINES == 0) status = nigh_poll(ctx);
        if (!status) status = add_node(&numbers, e->from[i]);
        if (!status) status = add_node(&numbers, e->to[i]);
    }
    int64_t *sorted = status ? NULL : nigh_alloc(ctx, (size_t)numbers.count * sizeof *sorted);
    if (!status && !sorted) status = NIGH_MEMORY;
    if (!status) {
        map_keys_sorted(&numbers, (uint64_t *)sorted);
        for (int64_t v = 0; v < numbers.count; v++) *map_find(&numbers, (uint64_t)sorted[v]) = (uint64_t)v;
        for (int64_t i = 0; i < e->count; i++) {
            e->from[i] = (int64_t)*map_find(&numbers, (uint64_t)e->from[i]);
            e->to[i] = (int64_t)*map_find(&numbers, (uint64_t)e->to[i]);
        }
        *nodes = numbers.count;
        *old = sorted;
    }
    map_free(&numbers);
    return status;
}

/* ---- lists -------------------------------------------------------------------------------------------------- */

/* Checks a list and drops its lines of weight 0; weights are gone afterwards. */
static nigh_status take_weights(nigh_context *ctx, nigh_edges *e, bool ignore, int64_t *zeros)
{
    if (!e->weight) return NIGH_OK;
    int64_t kept = 0;
    for (int64_t i = 0; i < e->count; i++) {
        double w = e->weight[i];
        if (isnan(w)) return nigh_fail(ctx, NIGH_INVALID, "edge %lld (%lld %lld) has the weight NaN", (long long)i + 1, (long long)e->from[i], (long long)e->to[i]);
        if (w != 1 && !ignore)
            return nigh_fail(ctx, NIGH_INVALID, "edge %lld (%lld %lld) has the weight %g: a weighted graph; ask to ignore weights (--ignore-weights) to take "
                             "every weight that is not 0 for 1", (long long)i + 1, (long long)e->from[i], (long long)e->to[i], w);
        *zeros += w == 0;
        if (w == 0) continue;
        e->from[kept] = e->from[i];
        e->to[kept++] = e->to[i];
    }
    e->count = kept;
    nigh_free(ctx, e->weight);
    e->weight = NULL;
    return NIGH_OK;
}

static nigh_status check_ids(nigh_context *ctx, const nigh_edges *e, int64_t *largest)
{
    *largest = -1;
    for (int64_t i = 0; i < e->count; i++) {
        int64_t low = e->from[i] < e->to[i] ? e->from[i] : e->to[i], high = e->from[i] < e->to[i] ? e->to[i] : e->from[i];
        if (low < 0) return nigh_fail(ctx, NIGH_INVALID, "edge %lld (%lld %lld) has a negative node", (long long)i + 1, (long long)e->from[i], (long long)e->to[i]);
        if (high > *largest) *largest = high;
    }
    return *largest < 0 ? nigh_fail(ctx, NIGH_INVALID, "the graph has no edges") : NIGH_OK;
}

/* Takes the list over, also on failure. */
static nigh_status graph_of_list(nigh_context *ctx, nigh_edges *e, const nigh_graph_options *options, nigh_graph *out)
{
    nigh_graph_options o = options ? *options : (nigh_graph_options){0};
    int64_t zeros = 0, largest, nodes = 0, *old = NULL;
    nigh_status status = take_weights(ctx, e, o.ignore_weights, &zeros);
    if (!status) status = check_ids(ctx, e, &largest);
    if (!status && largest / 8 <= e->count && largest < most_nodes) status = number_by_table(ctx, e, largest, &nodes, &old);
    else if (!status) status = number_by_map(ctx, e, &nodes, &old);
    nigh_graph g;
    if (!status) status = graph_of_numbered(ctx, nodes, e, o.symmetrise, &g);
    if (status) {
        nigh_edges_free(ctx, e);
        nigh_free(ctx, old);
        return status;
    }
    g.old = old;
    g.zeros = zeros;
    *out = g;
    return NIGH_OK;
}

static nigh_status copy_list(nigh_context *ctx, const nigh_edges *from, nigh_edges *to)
{
    size_t n = (size_t)(from->count > 0 ? from->count : 0);
    nigh_edges e = {.count = (int64_t)n};
    e.from = nigh_alloc_zero(ctx, n, sizeof *e.from);
    e.to = e.from ? nigh_alloc_zero(ctx, n, sizeof *e.to) : NULL;
    e.weight = e.to && from->weight ? nigh_alloc_zero(ctx, n, sizeof *e.weight) : NULL;
    if (!e.to || (from->weight && !e.weight)) {
        nigh_edges_free(ctx, &e);
        return NIGH_MEMORY;
    }
    if (n) {
        memcpy(e.from, from->from, n * sizeof *e.from);
        memcpy(e.to, from->to, n * sizeof *e.to);
        if (e.weight) memcpy(e.weight, from->weight, n * sizeof *e.weight);
    }
    *to = e;
    return NIGH_OK;
}

nigh_status nigh_graph_new(nigh_context *ctx, const nigh_edges *edges, const nigh_graph_options *options, nigh_graph *out)
{
    nigh_edges copy;
    nigh_status status = copy_list(ctx, edges, &copy);
    return status ? status : graph_of_list(ctx, &copy, options, out);
}

nigh_status nigh_graph_read(nigh_context *ctx, const char *path, const nigh_graph_options *options, nigh_graph *out)
{
    nigh_edges edges;
    nigh_status status = nigh_snap_read(ctx, path, &edges);
    if (status) return status;
    status = graph_of_list(ctx, &edges, options, out);
    return status ? nigh_within(ctx, status, "'%s'", path) : NIGH_OK;
}

nigh_status nigh_graph_edges(nigh_context *ctx, const nigh_graph *g, nigh_edges *out)
{
    nigh_edges e = {0};
    e.from = nigh_alloc(ctx, (size_t)(g->edges + 1) * sizeof *e.from);
    e.to = e.from ? nigh_alloc(ctx, (size_t)(g->edges + 1) * sizeof *e.to) : NULL;
    if (!e.to) {
        nigh_edges_free(ctx, &e);
        return NIGH_MEMORY;
    }
    for (int64_t v = 0; v < g->nodes; v++)
        for (int64_t i = g->start[v]; i < g->start[v + 1]; i++) {
            int64_t u = g->neighbour[i];
            if (u <= v) continue;
            e.from[e.count] = g->old ? g->old[v] : v;
            e.to[e.count++] = g->old ? g->old[u] : u;
        }
    *out = e;
    return NIGH_OK;
}

int64_t nigh_graph_node(const nigh_graph *g, int64_t old)
{
    if (!g->old) return old >= 0 && old < g->nodes ? old : -1;
    int64_t low = 0, high = g->nodes;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (g->old[middle] < old) low = middle + 1;
        else high = middle;
    }
    return low < g->nodes && g->old[low] == old ? low : -1;
}
