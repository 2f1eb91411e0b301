/* From a net to the minimal automaton by sets of nodes. Declared in core/automaton.h. */
#include "core/automaton.h"

#include "core/map.h"

#include <stdlib.h>
#include <string.h>

typedef struct determine {
    const net *n;
    automaton_table table;
    map ids;          /* hash of a set -> first state with it + 1 */
    uint32_t *chain;  /* [states]: next state with this hash + 1 */
    uint32_t *members; /* of all sets */
    size_t count, room;
    size_t *from;     /* [states + 1] */
    uint32_t state_room;
    uint32_t *stamp, turn, *stack, *set, size; /* the set under way */
    int64_t work;
    bool ends;
} determine;

/* Everything that needs no byte from here; only nodes that read bytes, and the end, become members. */
static void reach(determine *d, uint32_t node)
{
    const net *n = d->n;
    uint32_t depth = 0;
    d->stack[depth++] = node;
    while (depth) {
        uint32_t i = d->stack[--depth];
        if (i == AUTOMATON_NONE || d->stamp[i] == d->turn) continue;
        d->stamp[i] = d->turn;
        const net_node *at = &n->node[i];
        d->work++;
        if (at->kind == NET_EMPTY)
            d->stack[depth++] = at->out, d->stack[depth++] = at->a;
        else if (at->kind == NET_END)
            d->ends = true;
        else
            d->set[d->size++] = i;
    }
}

static void set_begin(determine *d)
{
    if (!++d->turn) {
        memset(d->stamp, 0, sizeof *d->stamp * (d->n->count + 1));
        d->turn = 1;
    }
    d->size = 0, d->ends = false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void sort_set(uint32_t *set, uint32_t size)
{
    if (size > 24) {
        qsort(set, size, sizeof *set, by_number);
        return;
    }
    for (uint32_t i = 1; i < size; i++) {
        uint32_t x = set[i], k = i;
        for (; k && set[k - 1] > x; k--) set[k] = set[k - 1];
        set[k] = x;
    }
}

static nigh_status keep(determine *d, uint32_t *state)
{
    nigh_context *ctx = d->n->ctx;
    nigh_status status = automaton_table_add(&d->table, d->ends, state);
    if (status) return status;
    if (d->table.states > d->state_room) {
        uint32_t room = d->state_room ? 2 * d->state_room : 64;
        uint32_t *chain = nigh_resize(ctx, d->chain, sizeof *chain * room);
        if (!chain) return NIGH_MEMORY;
        d->chain = chain;
        size_t *from = nigh_resize(ctx, d->from, sizeof *from * (room + 1));
        if (!from) return NIGH_MEMORY;
        d->from = from, d->state_room = room;
    }
    if (d->count + d->size > d->room) {
        size_t room = 2 * (d->count + d->size) + 1024;
        if (d->count > 64 * (size_t)d->table.most + 65536) return nigh_fail(ctx, NIGH_RESOURCE, "the automaton's sets of nodes grow too large at %u states", d->table.states);
        uint32_t *members = nigh_resize(ctx, d->members, sizeof *members * room);
        if (!members) return NIGH_MEMORY;
        d->members = members, d->room = room;
    }
    d->from[*state] = d->count;
    if (d->size) memcpy(d->members + d->count, d->set, sizeof *d->set * d->size);
    d->count += d->size;
    d->from[*state + 1] = d->count;
    return NIGH_OK;
}

/* The state of the set under way. */
static nigh_status intern(determine *d, uint32_t *state)
{
    *state = AUTOMATON_NONE;
    if (!d->size && !d->ends) return NIGH_OK;
    sort_set(d->set, d->size);
    uint64_t hash = d->ends ? 0x9e3779b97f4a7c15u : 0x85ebca6b2c1b3c6du;
    for (uint32_t i = 0; i < d->size; i++) hash = (hash ^ d->set[i]) * 0xff51afd7ed558ccdu, hash ^= hash >> 32;
    uint64_t *slot;
    bool added;
    nigh_status status = map_add(&d->ids, hash, &slot, &added);
    if (status) return status;
    for (uint32_t s = (uint32_t)*slot; s; s = d->chain[s - 1]) {
        size_t size = d->from[s] - d->from[s - 1];
        if (size == d->size && d->table.accepts[s - 1] == d->ends && (!size || memcmp(d->members + d->from[s - 1], d->set, sizeof *d->set * size) == 0))
            return *state = s - 1, NIGH_OK;
    }
    if ((status = keep(d, state))) return status;
    d->chain[*state] = (uint32_t)*slot;
    *slot = *state + 1;
    return NIGH_OK;
}

static void step(determine *d, uint32_t state, uint8_t byte)
{
    const net *n = d->n;
    set_begin(d);
    for (size_t i = d->from[state]; i < d->from[state + 1]; i++) {
        uint32_t m = d->members[i];
        const net_node *at = &n->node[m];
        d->work++;
        if (at->kind == NET_SET) {
            if (byte_set_has(&n->set[at->a], byte)) reach(d, at->out);
        } else if (at->kind == NET_AUTOMATON) {
            const automaton *a = n->class[at->a].automaton;
            uint32_t to = automaton_step(a, at->b, byte);
            if (to == AUTOMATON_NONE) continue;
            reach(d, m - at->b + to);
            if (a->accepts[to]) reach(d, at->out);
        }
    }
}

static nigh_status fill(determine *d)
{
    uint8_t byte_of[256];
    for (int i = 255; i >= 0; i--) byte_of[d->table.class_of[i]] = (uint8_t)i;
    nigh_status status = NIGH_OK;
    int64_t limit = 4096 * d->table.most + 1000000;
    for (uint32_t s = 0; !status && s < d->table.states; s++) {
        if (s % 64 == 0) status = nigh_poll(d->n->ctx);
        for (uint32_t c = 0; !status && c < d->table.classes; c++) {
            uint32_t to;
            step(d, s, byte_of[c]);
            status = intern(d, &to);
            if (!status) d->table.next[(size_t)s * d->table.classes + c] = to;
        }
        if (!status && d->work > limit) status = nigh_fail(d->n->ctx, NIGH_RESOURCE, "the automaton takes too much work: %u states so far", d->table.states);
    }
    return status;
}

nigh_status net_determine(const net *n, uint32_t start, int64_t most, automaton **out)
{
    nigh_context *ctx = n->ctx;
    determine d = {.n = n, .table = {.ctx = ctx, .most = most > 0 ? most : 1000000}};
    net_byte_classes(n, d.table.class_of, &d.table.classes);
    d.stamp = nigh_alloc_zero(ctx, (size_t)n->count + 1, sizeof *d.stamp);
    d.stack = nigh_alloc(ctx, sizeof *d.stack * (2 * (size_t)n->count + 2));
    d.set = nigh_alloc(ctx, sizeof *d.set * ((size_t)n->count + 1));
    nigh_status status = d.stamp && d.stack && d.set ? map_new(ctx, 64, &d.ids) : NIGH_MEMORY;
    uint32_t first = AUTOMATON_NONE;
    if (!status) {
        set_begin(&d);
        reach(&d, start);
        status = intern(&d, &first);
    }
    if (!status) status = fill(&d);
    if (!status) status = automaton_finish(&d.table, first, out);
    map_free(&d.ids);
    nigh_free(ctx, d.chain), nigh_free(ctx, d.members), nigh_free(ctx, d.from);
    nigh_free(ctx, d.stamp), nigh_free(ctx, d.stack), nigh_free(ctx, d.set);
    automaton_table_free(&d.table);
    return status;
}

nigh_status automaton_from_pattern(nigh_context *ctx, const pattern *p, int64_t most, automaton **out)
{
    if (most <= 0) most = 1000000;
    net n = {.ctx = ctx, .most = (uint32_t)(most < (1 << 22) ? 4 * most + 65536 : 1 << 24)};
    uint32_t end = 0, start = 0;
    nigh_status status = net_node_new(&n, NET_END, 0, 0, 0, &end);
    if (!status) status = net_build(&n, p, end, &start);
    if (!status) status = net_determine(&n, start, most, out);
    net_free(&n);
    return status;
}
