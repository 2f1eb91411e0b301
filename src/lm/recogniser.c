/* States of a grammar's prefixes. Declared in lm/recogniser.h. */
#include "lm/recogniser.h"

#include "core/map.h"

#include <stdlib.h>
#include <string.h>

enum { ROOT = 0, MOST_ITEMS = 1 << 20 };
static const size_t most_kept = (size_t)1 << 27; /* items, returns and keys in all: 1 GiB */

typedef struct list {
    uint64_t *at;
    size_t count, room;
} list;

/* A call that waits: when `rule` is read, it goes on at `back` (a place and a frame). */
typedef struct wait {
    uint32_t rule, next; /* next: of the same group, + 1 */
    uint64_t back;
} wait;

typedef struct known_group {
    size_t key, size; /* its waits: pairs (rule, back) in keys */
    uint32_t group, frame, members, chain;
} known_group;

struct recogniser {
    nigh_context *ctx;
    grammar g;
    grammar_facts f;
    state_table table;
    int64_t most;
    uint32_t room;
    uint8_t byte_of[256];
    /* states */
    map by_items;
    uint32_t *chain;
    size_t *item_at; /* [states + 1] */
    list items;
    /* frames: returns[frame_at[f] .. frame_at[f + 1]) */
    list returns, frame_at, member, keys;
    map by_waits;
    known_group *known;
    uint32_t groups, group_room;
    /* the step under way */
    uint64_t *seen;
    uint32_t *seen_turn, turn;
    size_t seen_mask, seen_count;
    list work, found;
    wait *waits;
    uint32_t wait_count, wait_room;
    uint32_t *first_wait; /* [groups of the grammar]: + 1 */
    uint64_t *pending;    /* a bit for each */
    uint32_t *frame_of;   /* [rules]: of the group under way, + 1 */
    bool complete;
    nigh_status status;
};

static uint64_t item(uint32_t node, uint32_t frame) { return (uint64_t)node << 32 | frame; }

static nigh_status list_add(recogniser *r, list *l, uint64_t value)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        if (room > most_kept) return nigh_fail(r->ctx, NIGH_RESOURCE, "the constraint needs more than 1 GiB for what it met (%u states)", r->table.states);
        uint64_t *at = nigh_resize(r->ctx, l->at, sizeof *at * room);
        if (!at) return NIGH_MEMORY;
        l->at = at, l->room = room;
    }
    l->at[l->count++] = value;
    return NIGH_OK;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0xff51afd7ed558ccdu;
    return h ^ h >> 32;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t sort_unique(uint64_t *at, size_t count)
{
    if (count > 24) {
        qsort(at, count, sizeof *at, by_number);
    } else {
        for (size_t i = 1; i < count; i++) {
            uint64_t x = at[i];
            size_t k = i;
            for (; k && at[k - 1] > x; k--) at[k] = at[k - 1];
            at[k] = x;
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!n || at[n - 1] != at[i]) at[n++] = at[i];
    return n;
}

/* ---- the items of a step ---- */

static nigh_status seen_grow(recogniser *r)
{
    size_t room = r->seen ? 2 * (r->seen_mask + 1) : 256;
    uint64_t *seen = nigh_alloc(r->ctx, sizeof *seen * room);
    uint32_t *turn = nigh_alloc_zero(r->ctx, room, sizeof *turn);
    if (!seen || !turn) return nigh_free(r->ctx, seen), nigh_free(r->ctx, turn), NIGH_MEMORY;
    nigh_free(r->ctx, r->seen), nigh_free(r->ctx, r->seen_turn);
    r->seen = seen, r->seen_turn = turn, r->seen_mask = room - 1, r->seen_count = 0, r->turn = 1;
    for (size_t i = 0; i < r->work.count; i++) {
        size_t at = mix(0, r->work.at[i]) & r->seen_mask;
        while (turn[at]) at = (at + 1) & r->seen_mask;
        turn[at] = 1, seen[at] = r->work.at[i], r->seen_count++;
    }
    return NIGH_OK;
}

static void push(recogniser *r, uint32_t node, uint32_t frame)
{
    if (r->status || node == AUTOMATON_NONE || !r->f.alive[node]) return;
    uint64_t x = item(node, frame);
    size_t at = mix(0, x) & r->seen_mask;
    while (r->seen_turn[at] == r->turn) {
        if (r->seen[at] == x) return;
        at = (at + 1) & r->seen_mask;
    }
    if (r->work.count >= MOST_ITEMS) {
        r->status = nigh_fail(r->ctx, NIGH_RESOURCE, "the grammar is too ambiguous: more than %d readings of a prefix", MOST_ITEMS);
        return;
    }
    r->seen_turn[at] = r->turn, r->seen[at] = x, r->seen_count++;
    r->status = list_add(r, &r->work, x);
    if (!r->status && 2 * r->seen_count > r->seen_mask) r->status = seen_grow(r);
}

static void turn_begin(recogniser *r)
{
    if (!++r->turn) {
        memset(r->seen_turn, 0, sizeof *r->seen_turn * (r->seen_mask + 1));
        r->turn = 1;
    }
    r->work.count = r->found.count = r->seen_count = 0;
    r->wait_count = 0;
    r->complete = false;
}

static void wait_add(recogniser *r, uint32_t rule, uint64_t back)
{
    if (r->wait_count == r->wait_room) {
        uint32_t room = r->wait_room ? 2 * r->wait_room : 64;
        wait *grown = room <= MOST_ITEMS ? nigh_resize(r->ctx, r->waits, sizeof *grown * room) : NULL;
        if (!grown) {
            r->status = room <= MOST_ITEMS ? NIGH_MEMORY : nigh_fail(r->ctx, NIGH_RESOURCE, "the grammar is too ambiguous: more than %d calls wait at one place", MOST_ITEMS);
            return;
        }
        r->waits = grown, r->wait_room = room;
    }
    uint32_t group = r->f.group[rule];
    r->waits[r->wait_count] = (wait){.rule = rule, .next = r->first_wait[group], .back = back};
    r->first_wait[group] = ++r->wait_count;
    r->pending[group >> 6] |= (uint64_t)1 << (group & 63);
}

/* `rule` is called here and returns to (back, frame); what would end there at once returns where the frame does. */
static void call(recogniser *r, uint32_t rule, uint32_t back, uint32_t frame)
{
    if (r->status || !r->f.productive[rule]) return;
    if (r->g.net.node[back].kind != NET_END || frame == ROOT) {
        wait_add(r, rule, item(back, frame));
        return;
    }
    for (size_t i = (size_t)r->frame_at.at[frame]; !r->status && i < r->frame_at.at[frame + 1]; i++) wait_add(r, rule, r->returns.at[i]);
}

/* Everything that follows from the items of work without a byte. */
static void expand(recogniser *r)
{
    for (size_t i = 0; !r->status && i < r->work.count; i++) {
        uint32_t node = (uint32_t)(r->work.at[i] >> 32), frame = (uint32_t)r->work.at[i];
        const net_node *at = &r->g.net.node[node];
        switch ((net_kind)at->kind) {
        case NET_EMPTY: push(r, at->out, frame), push(r, at->a, frame); break;
        case NET_CALL:
            call(r, at->a, grammar_skip(&r->g, &r->f, at->out), frame);
            if (r->f.nullable[at->a]) push(r, at->out, frame);
            break;
        case NET_END:
            r->complete |= frame == ROOT;
            for (size_t k = (size_t)r->frame_at.at[frame]; k < r->frame_at.at[frame + 1]; k++) push(r, (uint32_t)(r->returns.at[k] >> 32), (uint32_t)r->returns.at[k]);
            break;
        default: r->status = list_add(r, &r->found, r->work.at[i]);
        }
    }
}

/* ---- groups of frames ---- */

static nigh_status member_add(recogniser *r, known_group *k, uint32_t rule)
{
    if (r->frame_of[rule]) return NIGH_OK;
    nigh_status status = list_add(r, &r->member, rule);
    if (!status) r->frame_of[rule] = k->frame + k->members++ + 1;
    return status;
}

/* The members of a new group, the frame of each and its returns: the waits for it, and calls from within. */
static nigh_status group_fill(recogniser *r, known_group *k, size_t first_member)
{
    nigh_status status = NIGH_OK;
    for (size_t i = 0; !status && i < k->size; i += 2) status = member_add(r, k, (uint32_t)r->keys.at[k->key + i]);
    for (uint32_t m = 0; !status && m < k->members; m++) {
        uint32_t rule = (uint32_t)r->member.at[first_member + m];
        for (uint32_t c = r->f.call_at[rule]; !status && c < r->f.call_at[rule + 1]; c++)
            if (r->f.group[r->f.call[c].rule] == k->group && r->f.productive[r->f.call[c].rule]) status = member_add(r, k, r->f.call[c].rule);
    }
    for (uint32_t m = 0; !status && m < k->members; m++) {
        uint32_t rule = (uint32_t)r->member.at[first_member + m];
        size_t from = r->returns.count;
        for (size_t i = 0; !status && i < k->size; i += 2)
            if (r->keys.at[k->key + i] == rule) status = list_add(r, &r->returns, r->keys.at[k->key + i + 1]);
        for (uint32_t o = 0; !status && o < k->members; o++) {
            uint32_t other = (uint32_t)r->member.at[first_member + o];
            for (uint32_t c = r->f.call_at[other]; !status && c < r->f.call_at[other + 1]; c++)
                if (r->f.call[c].rule == rule) status = list_add(r, &r->returns, item(r->f.call[c].back, k->frame + o));
        }
        if (r->returns.count > from) r->returns.count = from + sort_unique(r->returns.at + from, r->returns.count - from);
        if (!status) status = list_add(r, &r->frame_at, r->returns.count);
    }
    for (uint32_t m = 0; m < k->members; m++) r->frame_of[(uint32_t)r->member.at[first_member + m]] = 0;
    return status;
}

static nigh_status group_new(recogniser *r, uint32_t group, uint64_t *slot, size_t key, size_t size)
{
    if (r->groups == r->group_room) {
        uint32_t room = r->group_room ? 2 * r->group_room : 64;
        known_group *grown = nigh_resize(r->ctx, r->known, sizeof *grown * room);
        if (!grown) return NIGH_MEMORY;
        r->known = grown, r->group_room = room;
    }
    known_group *k = &r->known[r->groups];
    *k = (known_group){.key = key, .size = size, .group = group, .frame = (uint32_t)r->frame_at.count - 1, .chain = (uint32_t)*slot};
    size_t first_member = r->member.count;
    nigh_status status = list_add(r, &r->member, 0); /* the count stands in front */
    if (!status) status = group_fill(r, k, first_member + 1);
    if (status) return status;
    r->member.at[first_member] = k->members;
    k->members = (uint32_t)first_member;
    *slot = ++r->groups;
    return NIGH_OK;
}

/* The group of the waits under way; its frames are made when it is new. */
static known_group *group_intern(recogniser *r, uint32_t group)
{
    size_t key = r->keys.count;
    for (uint32_t w = r->first_wait[group]; !r->status && w; w = r->waits[w - 1].next) {
        r->status = list_add(r, &r->keys, r->waits[w - 1].rule);
        if (!r->status) r->status = list_add(r, &r->keys, r->waits[w - 1].back);
    }
    r->first_wait[group] = 0;
    if (r->status) return NULL;
    /* sorted by rule, then by where they return to; pairs are two words */
    size_t pairs = (r->keys.count - key) / 2, n = 0;
    typedef struct pair { uint64_t rule, back; } pair;
    pair *at = (pair *)(r->keys.at + key);
    for (size_t gap = 1; gap && pairs > 1;) { /* Shell's sort: few, mostly one */
        while (gap < pairs / 3) gap = 3 * gap + 1;
        for (; gap; gap /= 3)
            for (size_t i = gap; i < pairs; i++) {
                pair x = at[i];
                size_t j = i;
                for (; j >= gap && (at[j - gap].rule > x.rule || (at[j - gap].rule == x.rule && at[j - gap].back > x.back)); j -= gap) at[j] = at[j - gap];
                at[j] = x;
            }
    }
    for (size_t i = 0; i < pairs; i++)
        if (!n || at[n - 1].rule != at[i].rule || at[n - 1].back != at[i].back) at[n++] = at[i];
    r->keys.count = key + 2 * n;
    uint64_t hash = mix(7, group);
    for (size_t i = key; i < r->keys.count; i++) hash = mix(hash, r->keys.at[i]);
    uint64_t *slot;
    bool added;
    if ((r->status = map_add(&r->by_waits, hash, &slot, &added))) return NULL;
    for (uint32_t k = (uint32_t)*slot; k; k = r->known[k - 1].chain) {
        known_group *old = &r->known[k - 1];
        if (old->group != group || old->size != 2 * n || memcmp(r->keys.at + old->key, r->keys.at + key, sizeof *r->keys.at * 2 * n) != 0) continue;
        r->keys.count = key;
        return old;
    }
    r->status = group_new(r, group, slot, key, 2 * n);
    return r->status ? NULL : &r->known[r->groups - 1];
}

/* What the members of a group begin with. */
static void group_open(recogniser *r, const known_group *k)
{
    uint32_t members = (uint32_t)r->member.at[k->members];
    for (uint32_t m = 0; !r->status && m < members; m++) {
        uint32_t rule = (uint32_t)r->member.at[k->members + 1 + m];
        for (uint32_t i = r->f.byte_at[rule]; !r->status && i < r->f.byte_at[rule + 1]; i++) r->status = list_add(r, &r->found, item(r->f.byte[i], k->frame + m));
        for (uint32_t c = r->f.call_at[rule]; c < r->f.call_at[rule + 1]; c++)
            if (r->f.group[r->f.call[c].rule] != k->group) call(r, r->f.call[c].rule, r->f.call[c].back, k->frame + m);
    }
}

/* Calls go to groups of higher numbers alone: one pass upwards. */
static void open_calls(recogniser *r)
{
    for (uint32_t w = 0; w <= r->f.groups >> 6; w++)
        while (r->pending[w]) {
            uint32_t group = 64 * w + (uint32_t)__builtin_ctzll(r->pending[w]);
            r->pending[w] &= r->pending[w] - 1;
            if (r->status) {
                r->first_wait[group] = 0;
                continue;
            }
            const known_group *k = group_intern(r, group);
            if (k) {
                known_group copy = *k;
                group_open(r, &copy);
            }
        }
}

/* ---- states ---- */

static nigh_status state_room(recogniser *r)
{
    if (r->table.states < r->room) return NIGH_OK;
    if (r->table.states >= r->most) return nigh_fail(r->ctx, NIGH_RESOURCE, "the constraint needs more than the %lld states allowed", (long long)r->most);
    uint32_t room = r->room ? 2 * r->room : 64;
    uint32_t *next = nigh_resize(r->ctx, r->table.next, sizeof *next * room * r->table.classes);
    if (!next) return NIGH_MEMORY;
    r->table.next = next;
    uint8_t *complete = nigh_resize(r->ctx, r->table.complete, room);
    if (!complete) return NIGH_MEMORY;
    r->table.complete = complete;
    uint32_t *chain = nigh_resize(r->ctx, r->chain, sizeof *chain * room);
    if (!chain) return NIGH_MEMORY;
    r->chain = chain;
    size_t *item_at = nigh_resize(r->ctx, r->item_at, sizeof *item_at * (room + 1));
    if (!item_at) return NIGH_MEMORY;
    r->item_at = item_at, r->room = room;
    return NIGH_OK;
}

static nigh_status state_new(recogniser *r, uint64_t *slot, uint32_t *state)
{
    nigh_status status = state_room(r);
    size_t from = r->items.count;
    for (size_t i = 0; !status && i < r->found.count; i++) status = list_add(r, &r->items, r->found.at[i]);
    if (status) return r->items.count = from, status;
    uint32_t s = r->table.states++;
    r->item_at[s] = from, r->item_at[s + 1] = r->items.count;
    r->table.complete[s] = r->complete;
    uint32_t *row = r->table.next + (size_t)s * r->table.classes;
    for (uint32_t c = 0; c < r->table.classes; c++) row[c] = STATE_UNKNOWN;
    r->chain[s] = (uint32_t)*slot;
    *slot = s + 1;
    *state = s;
    return NIGH_OK;
}

/* The state of the step under way; NONE when nothing is left. */
static nigh_status settle(recogniser *r, uint32_t *state)
{
    expand(r);
    open_calls(r);
    if (r->status) return r->status;
    *state = AUTOMATON_NONE;
    r->found.count = sort_unique(r->found.at, r->found.count);
    if (!r->found.count && !r->complete) return NIGH_OK;
    uint64_t hash = r->complete, *slot;
    for (size_t i = 0; i < r->found.count; i++) hash = mix(hash, r->found.at[i]);
    bool added;
    nigh_status status = map_add(&r->by_items, hash, &slot, &added);
    for (uint32_t s = status ? 0 : (uint32_t)*slot; s; s = r->chain[s - 1]) {
        size_t from = r->item_at[s - 1], count = r->item_at[s] - from;
        if (count == r->found.count && r->table.complete[s - 1] == r->complete && (!count || memcmp(r->items.at + from, r->found.at, sizeof *r->found.at * count) == 0))
            return *state = s - 1, NIGH_OK;
    }
    return status ? status : state_new(r, slot, state);
}

nigh_status recogniser_step(recogniser *r, uint32_t state, uint8_t byte, uint32_t *next)
{
    uint32_t class = r->table.class_of[byte];
    byte = r->byte_of[class];
    turn_begin(r);
    r->status = NIGH_OK;
    const net *n = &r->g.net;
    for (size_t i = r->item_at[state]; i < r->item_at[state + 1]; i++) {
        uint32_t node = (uint32_t)(r->items.at[i] >> 32), frame = (uint32_t)r->items.at[i];
        const net_node *at = &n->node[node];
        if (at->kind == NET_SET) {
            if (byte_set_has(&n->set[at->a], byte)) push(r, at->out, frame);
            continue;
        }
        const automaton *a = n->class[at->a].automaton;
        uint32_t to = automaton_step(a, at->b, byte);
        if (to == AUTOMATON_NONE) continue;
        if (to != r->f.last[at->a]) push(r, node - at->b + to, frame);
        if (a->accepts[to]) push(r, at->out, frame);
    }
    uint32_t found = AUTOMATON_NONE;
    nigh_status status = settle(r, &found);
    if (status) return status;
    r->table.next[(size_t)state * r->table.classes + class] = found;
    *next = found;
    return NIGH_OK;
}

/* ---- life ---- */

state_table *recogniser_table(recogniser *r) { return &r->table; }

void recogniser_free(recogniser *r)
{
    if (!r) return;
    nigh_context *ctx = r->ctx;
    grammar_forget(ctx, &r->f);
    grammar_free(&r->g);
    map_free(&r->by_items), map_free(&r->by_waits);
    list *lists[] = {&r->items, &r->returns, &r->frame_at, &r->member, &r->keys, &r->work, &r->found};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) nigh_free(ctx, lists[i]->at);
    void *blocks[] = {r->table.next, r->table.complete, r->chain, r->item_at, r->known, r->seen, r->seen_turn, r->waits, r->first_wait, r->pending, r->frame_of};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(ctx, blocks[i]);
    nigh_free(ctx, r);
}

static nigh_status prepare(recogniser *r)
{
    nigh_context *ctx = r->ctx;
    nigh_status status = grammar_learn(&r->g, &r->f);
    if (status) return status;
    net_byte_classes(&r->g.net, r->table.class_of, &r->table.classes);
    for (int b = 255; b >= 0; b--) r->byte_of[r->table.class_of[b]] = (uint8_t)b;
    r->first_wait = nigh_alloc_zero(ctx, (size_t)r->f.groups + 1, sizeof *r->first_wait);
    r->pending = nigh_alloc_zero(ctx, r->f.groups / 64 + 1, sizeof *r->pending);
    r->frame_of = nigh_alloc_zero(ctx, (size_t)r->g.rules + 1, sizeof *r->frame_of);
    if (!r->first_wait || !r->pending || !r->frame_of) return NIGH_MEMORY;
    status = seen_grow(r);
    if (!status) status = map_new(ctx, 64, &r->by_items);
    if (!status) status = map_new(ctx, 64, &r->by_waits);
    for (int i = 0; !status && i < 2; i++) status = list_add(r, &r->frame_at, 0); /* the root frame returns nowhere */
    return status;
}

nigh_status recogniser_new(grammar *g, int64_t most, recogniser **out)
{
    nigh_context *ctx = g->ctx;
    recogniser *r = nigh_alloc_zero(ctx, 1, sizeof *r);
    if (!r) return grammar_free(g), NIGH_MEMORY;
    r->ctx = ctx, r->g = *g, r->most = most > 0 ? most : 1000000;
    *g = (grammar){0};
    nigh_status status = prepare(r);
    r->table.start = AUTOMATON_NONE;
    if (!status && r->f.productive[r->g.root]) {
        turn_begin(r);
        call(r, r->g.root, r->g.end, ROOT);
        r->complete = r->f.nullable[r->g.root];
        status = r->status ? r->status : settle(r, &r->table.start);
    }
    if (status)
        recogniser_free(r);
    else
        *out = r;
    return status;
}
