/* Supernodes: their neighbours, what a merge saves, merging. Declared in reduce/ssumm.h. */
#include "reduce/ssumm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

nigh_status ssumm_new(nigh_context *ctx, const nigh_graph *graph, const nigh_summary_options *o, ssumm *out)
{
    int64_t n = graph->nodes, entries = 2 * graph->edges;
    ssumm s = {.ctx = ctx, .graph = graph, .norm = o->norm, .way = o->cost, .bits = o->bits, .nodes = n, .supernodes = n, .list_used = entries,
               .list_room = entries + entries / 4 + 1024};
    s.xlogx = nigh_alloc(ctx, SSUMM_TABLE * sizeof *s.xlogx);
    s.bins = s.xlogx ? nigh_alloc(ctx, SSUMM_BINS * sizeof *s.bins) : NULL;
    s.cell = s.bins ? nigh_alloc_zero(ctx, (size_t)n, sizeof *s.cell) : NULL;
    s.super = s.cell ? nigh_alloc_zero(ctx, (size_t)n, sizeof *s.super) : NULL;
    s.list = s.super ? nigh_alloc(ctx, (size_t)s.list_room * sizeof *s.list) : NULL;
    if (!s.list) {
        ssumm_free(&s);
        return NIGH_MEMORY;
    }
    for (int i = 0; i < SSUMM_TABLE; i++) s.xlogx[i] = i ? i * log2(i) : 0;
    for (int64_t v = 0; v < n; v++) {
        s.cell[v] = (ssumm_cell){.parent = (uint32_t)v, .size = 1};
        s.super[v] = (ssumm_super){.start = graph->start[v], .length = (uint32_t)nigh_graph_degree(graph, v)};
    }
    for (int64_t i = 0; i < entries; i++) s.list[i] = (ssumm_entry){graph->neighbour[i], 1};
    s.superedges = graph->edges;
    s.largest = 1;
    ssumm_reprice(&s);
    *out = s;
    return NIGH_OK;
}

void ssumm_free(ssumm *s)
{
    nigh_free(s->ctx, s->xlogx);
    nigh_free(s->ctx, s->bins);
    nigh_free(s->ctx, s->cell);
    nigh_free(s->ctx, s->super);
    nigh_free(s->ctx, s->list);
    *s = (ssumm){.ctx = s->ctx};
}

uint32_t ssumm_find(ssumm *s, uint32_t v)
{
    ssumm_cell *cell = s->cell;
    while (cell[v].parent != v) v = cell[v].parent = cell[cell[v].parent].parent;
    return v;
}

/* ---- costs -------------------------------------------------------------------------------------------------- */

static double xlogx(const ssumm *s, uint64_t x) { return x < SSUMM_TABLE ? s->xlogx[x] : (double)x * log2((double)x); }

static int log2_floor(uint64_t x) { return 63 - __builtin_clzll(x); }

double ssumm_pair_cost(const ssumm *s, uint64_t edges, uint64_t pairs, bool *keep)
{
    double listed = s->listed * (double)edges, kept;
    *keep = false;
    if (edges == 0 || (s->norm == 1 && 2 * edges <= pairs)) return listed;
    if (s->by_error) {
        kept = s->kept + listed - s->listed * ssumm_gain(s->norm, (double)edges, (double)pairs);
    } else {
        /* pairs H2(edges / pairs) >= edges log2(pairs / edges), which is enough for most pairs */
        int below = log2_floor(pairs) - log2_floor(edges) - 1;
        if (s->kept + (double)edges * below > listed) return listed;
        kept = s->kept + xlogx(s, pairs) - xlogx(s, edges) - xlogx(s, pairs - edges);
    }
    *keep = kept <= listed;
    return *keep ? kept : listed;
}

static double pair_cost(const ssumm *s, uint64_t edges, uint64_t pairs)
{
    bool keep;
    return ssumm_pair_cost(s, edges, pairs, &keep);
}

static uint64_t inner_pairs(uint64_t size) { return size * (size - 1) / 2; }

double ssumm_bits(const ssumm *s)
{
    double names = log2((double)s->supernodes);
    return (double)s->superedges * (2 * names + log2(s->largest)) + (double)s->nodes * names;
}

bool ssumm_fits(const ssumm *s) { return s->by_error ? s->all_fit : ssumm_bits(s) <= s->bits; }

/* ---- lists -------------------------------------------------------------------------------------------------- */

void ssumm_next_stamp(ssumm *s)
{
    if (++s->stamp) return;
    for (int64_t v = 0; v < s->nodes; v++) s->cell[v].stamp = 0;
    s->stamp = 1;
}

/* Entries of supernodes that exist, each once. */
static void clean(ssumm *s, uint32_t a)
{
    ssumm_super *super = &s->super[a];
    ssumm_entry *list = s->list + super->start;
    uint32_t length = 0;
    ssumm_next_stamp(s);
    for (uint32_t i = 0; i < super->length; i++) {
        ssumm_entry e = list[i];
        ssumm_cell *cell = &s->cell[e.id];
        if (cell->parent != e.id) cell = &s->cell[e.id = ssumm_find(s, e.id)];
        if (cell->stamp == s->stamp) {
            list[cell->count].count += e.count;
            continue;
        }
        cell->stamp = s->stamp;
        cell->count = length;
        list[length++] = e;
    }
    super->length = length;
    super->stale = false;
}

static int by_start(const void *x, const void *y)
{
    const int64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Moves all lists to the front, in their order. */
static nigh_status compact(ssumm *s)
{
    int64_t (*order)[2] = nigh_alloc(s->ctx, (size_t)s->supernodes * sizeof *order), n = 0, used = 0;
    if (!order) return NIGH_MEMORY;
    for (int64_t v = 0; v < s->nodes; v++)
        if (s->cell[v].parent == v) {
            if (s->super[v].stale) clean(s, (uint32_t)v);
            order[n][0] = s->super[v].start;
            order[n++][1] = v;
        }
    qsort(order, (size_t)n, sizeof *order, by_start);
    for (int64_t i = 0; i < n; i++) {
        ssumm_super *super = &s->super[order[i][1]];
        memmove(s->list + used, s->list + super->start, super->length * sizeof *s->list);
        super->start = used;
        used += super->length;
    }
    s->list_used = used;
    nigh_free(s->ctx, order);
    return NIGH_OK;
}

/* Room for that many entries behind the lists. Only a few supernodes with most of all entries need more than compacting. */
static nigh_status make_room(ssumm *s, int64_t entries)
{
    if (s->list_used + entries <= s->list_room) return NIGH_OK;
    nigh_status status = compact(s);
    if (status || s->list_used + entries <= s->list_room) return status;
    ssumm_entry *grown = nigh_resize(s->ctx, s->list, (size_t)(s->list_used + entries) * sizeof *grown);
    if (!grown) return NIGH_MEMORY;
    s->list = grown;
    s->list_room = s->list_used + entries;
    return NIGH_OK;
}

/* ---- merging ------------------------------------------------------------------------------------------------ */

static void load(ssumm *s, uint32_t a)
{
    const ssumm_super *super = &s->super[a];
    const ssumm_entry *e = s->list + super->start, *end = e + super->length;
    ssumm_next_stamp(s);
    for (; e < end; e++) {
        s->cell[e->id].count = e->count;
        s->cell[e->id].stamp = s->stamp;
    }
}

double ssumm_merged_cost(ssumm *s, uint32_t a, uint32_t b, double least, double *before)
{
    s->compared++;
    if (s->super[a].stale) clean(s, a);
    if (s->super[b].stale) clean(s, b);
    load(s, a);
    uint64_t size_a = s->cell[a].size, size_b = s->cell[b].size, size = size_a + size_b;
    uint64_t between = s->cell[b].stamp == s->stamp ? s->cell[b].count : 0;
    *before = s->super[a].cost + s->super[b].cost - pair_cost(s, between, size_a * size_b);
    double most = (1 - least) * *before;
    double after = pair_cost(s, (uint64_t)s->super[a].inner + s->super[b].inner + between, inner_pairs(size));
    const ssumm_entry *e = s->list + s->super[b].start, *end = e + s->super[b].length;
    for (; e < end && after <= most; e++) {
        ssumm_cell *cell = &s->cell[e->id];
        uint64_t edges = e->count;
        if (e->id == a) continue;
        if (cell->stamp == s->stamp) {
            edges += cell->count;
            cell->stamp = s->stamp - 1;
        }
        after += pair_cost(s, edges, size * cell->size);
    }
    e = s->list + s->super[a].start, end = e + s->super[a].length;
    for (; e < end && after <= most; e++)
        if (s->cell[e->id].stamp == s->stamp && e->id != b) after += pair_cost(s, e->count, size * s->cell[e->id].size);
    return after;
}

double ssumm_saving(ssumm *s, uint32_t a, uint32_t b, double least)
{
    double before, after = ssumm_merged_cost(s, a, b, least, &before);
    return before > 0 ? 1 - after / before : 1;
}

/* Takes the pair out of the books, or puts it in; the cost goes to the neighbour. */
static double book(ssumm *s, uint32_t neighbour, uint64_t edges, uint64_t pairs, int sign)
{
    bool keep;
    double cost = ssumm_pair_cost(s, edges, pairs, &keep);
    s->superedges += keep ? sign : 0;
    if (keep && sign > 0 && edges > s->largest) s->largest = (uint32_t)edges;
    s->super[neighbour].cost += sign * cost;
    return cost;
}

static void forget_pairs(ssumm *s, uint32_t a, uint32_t except)
{
    const ssumm_entry *e = s->list + s->super[a].start, *end = e + s->super[a].length;
    for (; e < end; e++)
        if (e->id != except) book(s, e->id, e->count, (uint64_t)s->cell[a].size * s->cell[e->id].size, -1);
    book(s, a, s->super[a].inner, inner_pairs(s->cell[a].size), -1);
}

/* The union of both lists, without the two themselves, at the end of all lists. */
static uint32_t join(ssumm *s, uint32_t a, uint32_t b, uint32_t *between)
{
    ssumm_entry *to = s->list + s->list_used;
    uint32_t length = 0;
    *between = 0;
    ssumm_next_stamp(s);
    for (int second = 0; second < 2; second++) {
        uint32_t from = second ? b : a, other = second ? a : b;
        const ssumm_entry *e = s->list + s->super[from].start, *end = e + s->super[from].length;
        for (; e < end; e++) {
            ssumm_cell *cell = &s->cell[e->id];
            if (e->id == other) {
                *between = e->count;
                continue;
            }
            if (second) s->super[e->id].stale = true; /* it names b */
            if (cell->stamp == s->stamp) {
                to[cell->count].count += e->count;
                continue;
            }
            cell->stamp = s->stamp;
            cell->count = length;
            to[length++] = *e;
        }
    }
    return length;
}

nigh_status ssumm_merge(ssumm *s, uint32_t a, uint32_t b, uint32_t *stays)
{
    if (s->super[a].stale) clean(s, a);
    if (s->super[b].stale) clean(s, b);
    nigh_status status = make_room(s, (int64_t)s->super[a].length + s->super[b].length);
    if (status) return status;
    if (s->super[a].length < s->super[b].length || (s->super[a].length == s->super[b].length && b < a)) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    forget_pairs(s, a, UINT32_MAX);
    forget_pairs(s, b, a);
    uint32_t between, length = join(s, a, b, &between);
    s->super[a].start = s->list_used;
    s->super[a].length = length;
    s->super[a].inner += s->super[b].inner + between;
    s->list_used += length;
    s->cell[b].parent = a;
    s->cell[a].size += s->cell[b].size;
    s->super[a].cost = 0;
    book(s, a, s->super[a].inner, inner_pairs(s->cell[a].size), 1);
    double cost = s->super[a].cost;
    const ssumm_entry *e = s->list + s->super[a].start, *end = e + length;
    for (; e < end; e++) cost += book(s, e->id, e->count, (uint64_t)s->cell[a].size * s->cell[e->id].size, 1);
    s->super[a].cost = cost;
    s->supernodes--;
    s->merges++;
    *stays = a;
    return NIGH_OK;
}

/* ---- prices ------------------------------------------------------------------------------------------------- */

static int bin_of(double gain)
{
    int bin = (int)(64 * (log2(gain) + 20));
    return bin < 0 ? 0 : bin >= SSUMM_BINS ? SSUMM_BINS - 1 : bin;
}

static double gain_of(int bin) { return exp2((bin + 0.5) / 64 - 20); }

static void count_gain(ssumm *s, double edges, double pairs)
{
    double gain = edges > 0 ? ssumm_gain(s->norm, edges, pairs) : 0;
    if (gain > 0) s->bins[bin_of(gain)]++;
}

static void count_gains(ssumm *s)
{
    memset(s->bins, 0, SSUMM_BINS * sizeof *s->bins);
    for (int64_t v = 0; v < s->nodes; v++) {
        if (s->cell[v].parent != v) continue;
        const ssumm_super *super = &s->super[v];
        if (super->stale) clean(s, (uint32_t)v);
        count_gain(s, super->inner, (double)inner_pairs(s->cell[v].size));
        const ssumm_entry *e = s->list + super->start, *end = e + super->length;
        for (; e < end; e++)
            if (e->id > v) count_gain(s, e->count, (double)s->cell[v].size * s->cell[e->id].size);
    }
}

/*
 * An edge's worth of error costs what makes the superedges that fit into the bits just worth keeping: bits of a superedge over the gain of the last one
 * that fits. For RE_1 the gain of half an edge is worth a superedge at least: without that bound the price grows without end as soon as few are left to keep.
 */
static void price_error(ssumm *s, double names)
{
    double each = 2 * names + log2(s->largest), room = (s->bits - (double)s->nodes * names) / each, count = 0;
    int bin = SSUMM_BINS - 1;
    count_gains(s);
    for (; bin >= 0 && count + (double)s->bins[bin] <= room; bin--) count += (double)s->bins[bin];
    s->all_fit = bin < 0;
    double gain = s->all_fit ? 1 : gain_of(bin);
    if (s->norm == 1) gain = fmax(gain, 0.5);
    s->kept = each;
    s->listed = each / gain;
}

/* Names of supernodes may take this part of the bits before the error is what counts: until then a description has to shrink. */
static const double names_part = 1.0 / 3;

static void new_prices(ssumm *s)
{
    double names = log2((double)s->supernodes);
    s->by_error = s->way == NIGH_SUMMARY_ERROR && (double)s->nodes * names <= names_part * s->bits;
    if (s->by_error) {
        price_error(s, names);
        return;
    }
    s->kept = 2 * names;
    s->listed = 2 * log2((double)s->nodes);
}

void ssumm_reprice(ssumm *s)
{
    int64_t twice = 0, inner = 0;
    new_prices(s);
    s->largest = 1;
    for (int64_t v = 0; v < s->nodes; v++) {
        if (s->cell[v].parent != v) continue;
        ssumm_super *super = &s->super[v];
        if (super->stale) clean(s, (uint32_t)v);
        bool keep;
        super->cost = ssumm_pair_cost(s, super->inner, inner_pairs(s->cell[v].size), &keep);
        inner += keep;
        if (keep && super->inner > s->largest) s->largest = super->inner;
        const ssumm_entry *e = s->list + super->start, *end = e + super->length;
        for (; e < end; e++) {
            super->cost += ssumm_pair_cost(s, e->count, (uint64_t)s->cell[v].size * s->cell[e->id].size, &keep);
            twice += keep;
            if (keep && e->count > s->largest) s->largest = e->count;
        }
    }
    s->superedges = inner + twice / 2;
    s->repriced_at = s->supernodes;
}
