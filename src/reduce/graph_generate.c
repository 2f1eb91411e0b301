/* Random graphs. Declared in nigh/graph.h. */
#include "reduce/graph.h"

#include "nigh/random.h"

#include <math.h>

enum { POLL_EDGES = 1 << 18, RMAT_MOST_SCALE = 30 };

nigh_status graph_push(nigh_context *ctx, nigh_edges *e, int64_t *room, int64_t from, int64_t to)
{
    if (e->count == *room) {
        int64_t more = *room ? 2 * *room : 1024;
        int64_t *grown = nigh_resize(ctx, e->from, (size_t)more * sizeof *grown);
        if (!grown) return NIGH_MEMORY;
        e->from = grown;
        grown = nigh_resize(ctx, e->to, (size_t)more * sizeof *grown);
        if (!grown) return NIGH_MEMORY;
        e->to = grown;
        *room = more;
    }
    if (e->count % POLL_EDGES == 0) {
        nigh_status status = nigh_poll(ctx);
        if (status) return status;
    }
    e->from[e->count] = from;
    e->to[e->count++] = to;
    return NIGH_OK;
}

static nigh_status finish(nigh_context *ctx, nigh_status status, int64_t nodes, nigh_edges *e, nigh_graph *out)
{
    if (!status) return graph_of_numbered(ctx, nodes, e, true, out);
    nigh_edges_free(ctx, e);
    return status;
}

static nigh_status check_chance(nigh_context *ctx, const char *name, double p)
{
    return p >= 0 && p <= 1 ? NIGH_OK : nigh_fail(ctx, NIGH_INVALID, "%s is %g; 0 to 1 is allowed", name, p);
}

static nigh_status check_nodes(nigh_context *ctx, int64_t nodes)
{
    return nodes >= 1 && nodes < INT64_C(1) << 31 ? NIGH_OK : nigh_fail(ctx, NIGH_INVALID, "%lld nodes; 1 to 2^31 - 1 are allowed", (long long)nodes);
}

/* Successes among `trials` trials of chance p, skipping from one to the next. */
typedef struct skips {
    nigh_rng *rng;
    double p;
    int64_t at, trials;
} skips;

static bool skips_next(skips *s)
{
    if (s->p <= 0) return false;
    int64_t skip = s->p < 1 ? nigh_rng_geometric(s->rng, s->p) : 0;
    if (skip >= s->trials - 1 - s->at) return false;
    s->at += 1 + skip;
    return true;
}

nigh_status nigh_graph_erdos_renyi(nigh_context *ctx, int64_t nodes, double p, uint64_t seed, nigh_graph *out)
{
    nigh_status status = check_nodes(ctx, nodes);
    if (!status) status = check_chance(ctx, "p", p);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_edges e = {0};
    int64_t room = 0, row = 1, row_start = 0; /* pair number t is (row, t - row_start), row_start = row (row - 1) / 2 */
    skips s = {&rng, p, -1, nodes * (nodes - 1) / 2};
    while (!status && skips_next(&s)) {
        while (s.at - row_start >= row) row_start += row++;
        status = graph_push(ctx, &e, &room, s.at - row_start, row);
    }
    return finish(ctx, status, nodes, &e, out);
}

/* An end of a random earlier edge is a node chosen by its degree; what was chosen already is drawn again. */
static nigh_status attach(nigh_context *ctx, nigh_rng *rng, nigh_edges *e, int64_t *room, int64_t node, int64_t each)
{
    int64_t before = e->count;
    for (int64_t k = 0; k < each;) {
        int64_t pick = (int64_t)nigh_rng_below(rng, 2 * (uint64_t)before), to = pick & 1 ? e->to[pick >> 1] : e->from[pick >> 1];
        bool again = false;
        for (int64_t i = before; i < e->count && !again; i++) again = e->to[i] == to;
        if (again) continue;
        nigh_status status = graph_push(ctx, e, room, node, to);
        if (status) return status;
        k++;
    }
    return NIGH_OK;
}

nigh_status nigh_graph_barabasi_albert(nigh_context *ctx, int64_t nodes, int64_t each, uint64_t seed, nigh_graph *out)
{
    nigh_status status = check_nodes(ctx, nodes);
    if (!status && (each < 1 || each >= nodes))
        status = nigh_fail(ctx, NIGH_INVALID, "%lld edges for each of %lld nodes; 1 to one less than the nodes are allowed", (long long)each, (long long)nodes);
    if (status) return status;
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_edges e = {0};
    int64_t room = 0;
    for (int64_t v = 1; v <= each; v++)
        for (int64_t u = 0; u < v && !status; u++) status = graph_push(ctx, &e, &room, v, u);
    for (int64_t v = each + 1; v < nodes && !status; v++) status = attach(ctx, &rng, &e, &room, v, each);
    return finish(ctx, status, nodes, &e, out);
}

nigh_status nigh_graph_rmat(nigh_context *ctx, int scale, int64_t draws, double a, double b, double c, uint64_t seed, nigh_graph *out)
{
    if (scale < 1 || scale > RMAT_MOST_SCALE) return nigh_fail(ctx, NIGH_INVALID, "the scale is %d; 1 to %d is allowed", scale, RMAT_MOST_SCALE);
    if (draws < 0) return nigh_fail(ctx, NIGH_INVALID, "%lld edges are to be drawn; 0 or more are allowed", (long long)draws);
    if (!(a >= 0 && b >= 0 && c >= 0 && a + b + c <= 1))
        return nigh_fail(ctx, NIGH_INVALID, "the quadrants have the chances %g, %g, %g; they must be 0 or more and sum to at most 1", a, b, c);
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_edges e = {0};
    int64_t room = 0;
    nigh_status status = NIGH_OK;
    uint32_t limit[3] = {(uint32_t)(a * 4294967295.0), (uint32_t)((a + b) * 4294967295.0), (uint32_t)((a + b + c) * 4294967295.0)};
    for (int64_t i = 0; i < draws && !status; i++) {
        int64_t from = 0, to = 0;
        for (int level = 0; level < scale; level++) {
            uint32_t u = nigh_rng_u32(&rng);
            from = 2 * from + (u >= limit[1]);
            to = 2 * to + ((u >= limit[0] && u < limit[1]) || u >= limit[2]);
        }
        status = graph_push(ctx, &e, &room, from, to);
    }
    return finish(ctx, status, INT64_C(1) << scale, &e, out);
}

/* Pairs inside block k are numbered as in erdos_renyi; pairs of node v with nodes of later blocks one after the other. */
static nigh_status planted_edges(nigh_context *ctx, nigh_rng *rng, int64_t blocks, int64_t size, double p_in, double p_out, nigh_edges *e)
{
    nigh_status status = NIGH_OK;
    int64_t room = 0, nodes = blocks * size;
    for (int64_t k = 0; k < blocks && !status; k++) {
        int64_t row = 1, row_start = 0;
        skips s = {rng, p_in, -1, size * (size - 1) / 2};
        while (!status && skips_next(&s)) {
            while (s.at - row_start >= row) row_start += row++;
            status = graph_push(ctx, e, &room, k * size + s.at - row_start, k * size + row);
        }
    }
    for (int64_t v = 0; v < nodes && !status; v++) {
        int64_t later = (v / size + 1) * size;
        skips s = {rng, p_out, -1, nodes - later};
        while (!status && skips_next(&s)) status = graph_push(ctx, e, &room, v, later + s.at);
    }
    return status;
}

nigh_status nigh_graph_planted(nigh_context *ctx, int64_t blocks, int64_t size, double p_in, double p_out, bool ordered, uint64_t seed, int64_t *label,
                               nigh_graph *out)
{
    if (blocks < 1 || size < 1 || blocks > (INT64_C(1) << 31) / size)
        return nigh_fail(ctx, NIGH_INVALID, "%lld blocks of %lld nodes; 1 to 2^31 - 1 nodes in all are allowed", (long long)blocks, (long long)size);
    nigh_status status = check_nodes(ctx, blocks * size);
    if (!status) status = check_chance(ctx, "p_in", p_in);
    if (!status) status = check_chance(ctx, "p_out", p_out);
    if (status) return status;
    int64_t nodes = blocks * size, *place = nigh_alloc(ctx, (size_t)nodes * sizeof *place);
    if (!place) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(seed, 0), shuffle = nigh_rng_new(seed, 1);
    nigh_edges e = {0};
    for (int64_t v = 0; v < nodes; v++) place[v] = v;
    if (!ordered) status = nigh_rng_permutation(ctx, &shuffle, nodes, place);
    if (!status) status = planted_edges(ctx, &rng, blocks, size, p_in, p_out, &e);
    for (int64_t i = 0; i < e.count && !status; i++) {
        e.from[i] = place[e.from[i]];
        e.to[i] = place[e.to[i]];
    }
    for (int64_t v = 0; v < nodes && !status && label; v++) label[place[v]] = v / size;
    nigh_free(ctx, place);
    return finish(ctx, status, nodes, &e, out);
}
