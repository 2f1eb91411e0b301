/*
 * Single nodes move between supernodes. Declared in reduce/ssumm.h.
 *
 * The value of a partition is the sum over its pairs of supernodes of what a superedge takes off the error above the price, which is a part of the gain of
 * the last superedge that fits into the bits. A supernode A keeps q = sum over its kept pairs of w^2 / |C|: as long as the choice of superedges stays, pairs in which a node
 * has no edge change by q (1/|A|' - 1/|A|) alone, so a move is judged in time of the node's degree; deciding superedges anew can only add to the value.
 */
#include "reduce/ssumm.h"

#include "nigh/random.h"

#include <math.h>
#include <string.h>

static const uint32_t none = UINT32_MAX;

/* ---- pairs -------------------------------------------------------------------------------------------------- */

static uint64_t slot_of(const ssumm_refine *r, uint32_t a, uint32_t b)
{
    uint64_t key = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;
    return key >> r->shift;
}

/* The slot of the pair, or the empty one where it belongs. */
static uint64_t look_up(const ssumm_refine *r, uint32_t a, uint32_t b)
{
    uint64_t mask = ((uint64_t)1 << (64 - r->shift)) - 1, slot;
    if (a > b) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    for (slot = slot_of(r, a, b); r->slot[slot] != none; slot = (slot + 1) & mask) {
        const ssumm_link *p = &r->link[r->slot[slot]];
        if (p->end[0] == a && p->end[1] == b) break;
    }
    return slot;
}

static uint32_t edges_of(const ssumm_refine *r, uint32_t a, uint32_t b)
{
    uint32_t at = r->slot[look_up(r, a, b)];
    return at == none ? 0 : r->link[at].edges;
}

static ssumm_link *link_of(ssumm_refine *r, uint32_t a, uint32_t b)
{
    uint64_t slot = look_up(r, a, b);
    if (r->slot[slot] == none) {
        uint32_t low = a < b ? a : b, high = a < b ? b : a, at = (uint32_t)r->links++;
        r->link[at] = (ssumm_link){.end = {low, high}, .next = {r->first[low], low == high ? none : r->first[high]}};
        r->first[low] = r->first[high] = at;
        r->slot[slot] = at;
    }
    return &r->link[r->slot[slot]];
}

/* ---- values ------------------------------------------------------------------------------------------------- */

static double worth(const ssumm_refine *r, double edges, double pairs)
{
    bool may = r->norm == 2 ? edges * edges > r->least * pairs : 2 * edges > pairs; /* few are: saves the division */
    double gain = may && edges <= r->bound ? ssumm_gain(r->norm, edges, pairs) - r->least : 0;
    return gain > 0 ? gain : 0;
}

static double inside(double size) { return size * (size - 1) / 2; }

static double worth_of(const ssumm_refine *r, const ssumm_link *p)
{
    double a = (double)r->size[p->end[0]], b = (double)r->size[p->end[1]];
    return worth(r, p->edges, p->end[0] == p->end[1] ? inside(a) : a * b);
}

double ssumm_refine_value(const ssumm_refine *r)
{
    double sum = 0;
    for (int64_t i = 0; i < r->links; i++) sum += worth_of(r, &r->link[i]);
    return sum;
}

/* Adds the pair's part to q of both of its ends, or takes it away. */
static void count_link(ssumm_refine *r, const ssumm_link *p, double sign)
{
    uint32_t a = p->end[0], b = p->end[1];
    if (a == b || worth_of(r, p) <= 0) return;
    double square = sign * (double)p->edges * (double)p->edges;
    r->q[a] += square / (double)r->size[b];
    r->q[b] += square / (double)r->size[a];
}

/* ---- moves -------------------------------------------------------------------------------------------------- */

void ssumm_refine_lift(ssumm_refine *r, int64_t v)
{
    for (int64_t i = 0; i < r->touched; i++) r->count[r->touch[i]] = 0;
    r->touched = 0;
    r->node = v;
    const uint32_t *u = r->graph->neighbour + r->graph->start[v], *end = r->graph->neighbour + r->graph->start[v + 1];
    for (; u < end; u++) {
        uint32_t c = r->label[*u];
        if (r->count[c]++ == 0) r->touch[r->touched++] = c;
    }
    uint32_t a = r->label[v];
    double size = (double)r->size[a];
    r->leave = 0;
    r->rest = r->q[a];
    for (int64_t i = 0; i < r->touched; i++) {
        uint32_t c = r->touch[i];
        if (c == a) continue;
        double w = edges_of(r, a, c), other = (double)r->size[c], before = worth(r, w, size * other);
        r->leave += worth(r, w - r->count[c], (size - 1) * other) - before;
        r->leaving[i] = w;
        if (before > 0) r->rest -= w * w / other;
    }
}

double ssumm_refine_gain(ssumm_refine *r, uint32_t b)
{
    uint32_t a = r->label[r->node];
    double sa = (double)r->size[a], sb = (double)r->size[b], da = r->count[a], db = r->count[b], wab = edges_of(r, a, b), waa = edges_of(r, a, a),
           wbb = edges_of(r, b, b), sum = r->leave, rest_a = r->rest, rest_b = r->q[b], slope = r->norm == 2 ? 1 : 2;
    for (int64_t i = 0; i < r->touched; i++) {
        uint32_t c = r->touch[i];
        double d = r->count[c], other = (double)r->size[c];
        if (c == a) continue;
        if (c == b) { /* the pair of both is counted below */
            sum -= worth(r, r->leaving[i] - d, (sa - 1) * other) - worth(r, r->leaving[i], sa * other);
            continue;
        }
        double w = edges_of(r, b, c), before = worth(r, w, sb * other);
        sum += worth(r, w + d, (sb + 1) * other) - before;
        if (before > 0) rest_b -= w * w / other;
    }
    double between = worth(r, wab, sa * sb);
    if (between > 0) {
        if (db == 0) rest_a -= wab * wab / sb;
        rest_b -= wab * wab / sa;
    }
    sum += worth(r, wab - db + da, (sa - 1) * (sb + 1)) - between;
    sum += worth(r, waa - da, inside(sa - 1)) - worth(r, waa, inside(sa));
    sum += worth(r, wbb + db, inside(sb + 1)) - worth(r, wbb, inside(sb));
    if (sa > 1) sum += slope * rest_a * (1 / (sa - 1) - 1 / sa);
    if (sb > 0) sum += slope * rest_b * (1 / (sb + 1) - 1 / sb);
    r->work += r->touched;
    return sum;
}

/* All pairs of a and b into or out of q; those of both once. */
static void count_links(ssumm_refine *r, uint32_t a, uint32_t b, double sign)
{
    for (int second = 0; second < 2; second++) {
        uint32_t self = second ? b : a;
        for (uint32_t i = r->first[self]; i != none;) {
            const ssumm_link *p = &r->link[i];
            if (!second || (p->end[0] != a && p->end[1] != a)) count_link(r, p, sign);
            i = p->next[p->end[0] != self];
            r->work++;
        }
    }
}

void ssumm_refine_move(ssumm_refine *r, uint32_t b)
{
    uint32_t a = r->label[r->node];
    count_links(r, a, b, -1);
    for (int64_t i = 0; i < r->touched; i++) {
        uint32_t c = r->touch[i];
        link_of(r, a, c)->edges -= r->count[c];
        link_of(r, b, c)->edges += r->count[c];
    }
    r->size[a]--;
    r->size[b]++;
    r->label[r->node] = b;
    count_links(r, a, b, 1);
    r->moves++;
}

bool ssumm_refine_room(const ssumm_refine *r) { return r->links + r->touched + 2 <= r->room; }

/* ---- a sweep ------------------------------------------------------------------------------------------------ */

void ssumm_refine_free(ssumm_refine *r)
{
    nigh_free(r->ctx, r->size);
    nigh_free(r->ctx, r->q);
    nigh_free(r->ctx, r->first);
    nigh_free(r->ctx, r->count);
    nigh_free(r->ctx, r->touch);
    nigh_free(r->ctx, r->leaving);
    nigh_free(r->ctx, r->link);
    nigh_free(r->ctx, r->slot);
    *r = (ssumm_refine){.ctx = r->ctx};
}

static nigh_status allocate(ssumm_refine *r, int64_t count)
{
    size_t n = (size_t)r->labels, slots = 1024;
    r->shift = 54;
    r->room = count + count / 2 + 4096;
    while (slots < 3 * (size_t)r->room / 2) slots *= 2, r->shift--;
    r->size = nigh_alloc(r->ctx, n * sizeof *r->size);
    r->q = r->size ? nigh_alloc_zero(r->ctx, n, sizeof *r->q) : NULL;
    r->first = r->q ? nigh_alloc(r->ctx, n * sizeof *r->first) : NULL;
    r->count = r->first ? nigh_alloc_zero(r->ctx, n, sizeof *r->count) : NULL;
    r->touch = r->count ? nigh_alloc(r->ctx, n * sizeof *r->touch) : NULL;
    r->leaving = r->touch ? nigh_alloc(r->ctx, n * sizeof *r->leaving) : NULL;
    r->link = r->leaving ? nigh_alloc(r->ctx, (size_t)r->room * sizeof *r->link) : NULL;
    r->slot = r->link ? nigh_alloc(r->ctx, slots * sizeof *r->slot) : NULL;
    if (!r->slot) return NIGH_MEMORY;
    memset(r->first, 0xff, n * sizeof *r->first);
    memset(r->slot, 0xff, slots * sizeof *r->slot);
    return NIGH_OK;
}

/* Gains of many superedges equal the last one that fits: at that very price all of them would be worth nothing. */
static const double eased = 0.7;

nigh_status ssumm_refine_new(nigh_context *ctx, const nigh_graph *graph, uint32_t *label, int64_t labels, double bits, int norm, uint32_t bound,
                             ssumm_refine *out)
{
    ssumm_refine r = {.ctx = ctx, .graph = graph, .label = label, .labels = labels, .norm = norm, .bound = bound};
    blocks b;
    nigh_status status = blocks_new(ctx, graph, label, labels, &b);
    if (status) return status;
    status = blocks_price(ctx, graph->nodes, labels, &b, bits, norm, &r.price);
    r.least = eased * r.price.last;
    if (!status) status = allocate(&r, b.count);
    if (!status) {
        memcpy(r.size, b.size, (size_t)labels * sizeof *r.size);
        for (int64_t i = 0; i < b.count; i++) {
            ssumm_link *p = link_of(&r, b.pair[i][0], b.pair[i][1]);
            p->edges = b.edges[i];
            count_link(&r, p, 1);
        }
    }
    blocks_free(ctx, &b);
    if (status) ssumm_refine_free(&r);
    else *out = r;
    return status;
}

enum { WALKS = 32 };

static uint32_t step(const nigh_graph *g, nigh_rng *rng, uint32_t v)
{
    return g->neighbour[g->start[v] + (int64_t)nigh_rng_below(rng, (uint64_t)nigh_graph_degree(g, v))];
}

/* Supernodes of nodes that share a neighbour, as often as they do, and of neighbours. */
static int candidates(ssumm_refine *r, nigh_rng *rng, uint32_t *out)
{
    int n = 0;
    int64_t walks = 4 * nigh_graph_degree(r->graph, r->node);
    for (int k = 0; k < WALKS && k < walks; k++) {
        uint32_t v = step(r->graph, rng, (uint32_t)r->node);
        if (k % 4) v = step(r->graph, rng, v);
        uint32_t c = r->label[v];
        bool known = c == r->label[r->node];
        for (int i = 0; i < n && !known; i++) known = out[i] == c;
        if (!known) out[n++] = c;
    }
    return n;
}

nigh_status ssumm_refine_sweep(ssumm_refine *r, uint64_t seed, int64_t most)
{
    uint32_t candidate[WALKS];
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t v = 0; v < r->graph->nodes && r->work < most; v++) {
        if (v % 4096 == 0) {
            nigh_status status = nigh_poll(r->ctx);
            if (status) return status;
        }
        if (nigh_graph_degree(r->graph, v) == 0) continue;
        ssumm_refine_lift(r, v);
        int n = candidates(r, &rng, candidate);
        double best = 1e-9 * (1 + r->least);
        uint32_t to = none;
        for (int i = 0; i < n; i++) {
            double gain = ssumm_refine_gain(r, candidate[i]);
            if (gain > best) best = gain, to = candidate[i];
        }
        if (to != none && ssumm_refine_room(r)) ssumm_refine_move(r, to);
    }
    return NIGH_OK;
}
