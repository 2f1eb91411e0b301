/* A trie of windows with counts, bounded. Declared in core/trie.h. */
#include "core/trie.h"

#include <string.h>

enum { FIRST_ROOM = 4096, STEPS_UP = 8, MOST_COUNT = 65535 };

/* Multiplication, then the high bits of a product with the room: no power of two is needed. */
static uint32_t place(const trie *t, uint32_t parent, int32_t token)
{
    uint64_t key = ((uint64_t)parent << 32 | (uint32_t)token) * 0x9e3779b97f4a7c15u;
    key = (key ^ key >> 32) * 0xd6e8feb86659fd93u;
    return (uint32_t)((key >> 32) * t->room >> 32);
}

nigh_status trie_new(nigh_context *ctx, int64_t most, int depth, trie *out)
{
    if (most < TRIE_LEAST_NODES || most > INT32_MAX)
        return nigh_fail(ctx, NIGH_INVALID, "%lld nodes; %d to 2147483647 are allowed", (long long)most, TRIE_LEAST_NODES);
    if (depth < 1 || depth > TRIE_MOST_DEPTH) return nigh_fail(ctx, NIGH_INVALID, "a depth of %d; 1 to %d is allowed", depth, TRIE_MOST_DEPTH);
    trie t = {.ctx = ctx, .most = (uint32_t)most + 1, .depth = depth, .used = 1};
    t.room = t.most < FIRST_ROOM ? t.most : FIRST_ROOM;
    t.node = nigh_alloc_zero(ctx, t.room, sizeof *t.node);
    t.bucket = t.node ? nigh_alloc_zero(ctx, t.room, sizeof *t.bucket) : NULL;
    if (!t.bucket) {
        nigh_free(ctx, t.node);
        return NIGH_MEMORY;
    }
    t.node[0].token = -1;
    *out = t;
    return NIGH_OK;
}

void trie_free(trie *t)
{
    if (!t->ctx) return;
    nigh_free(t->ctx, t->node);
    nigh_free(t->ctx, t->bucket);
    *t = (trie){0};
}

size_t trie_bytes(const trie *t) { return (size_t)t->room * (sizeof *t->node + sizeof *t->bucket); }

uint32_t trie_child(const trie *t, uint32_t node, int32_t token)
{
    for (uint32_t n = t->bucket[place(t, node, token)]; n; n = t->node[n].chain)
        if (t->node[n].parent == node && t->node[n].token == token) return n;
    return 0;
}

uint32_t trie_find(const trie *t, const int32_t *tokens, int64_t count)
{
    uint32_t n = 0;
    for (int64_t i = 0; i < count; i++)
        if (!(n = trie_child(t, n, tokens[i]))) return 0;
    return n;
}

/* ---- the order of siblings ------------------------------------------------------------------------------------- */

static void unlink_sibling(trie *t, uint32_t n)
{
    trie_node *x = &t->node[n];
    if (x->prev) t->node[x->prev].next = x->next;
    else t->node[x->parent].child = x->next;
    if (x->next) t->node[x->next].prev = x->prev;
}

/* before 0: as the first. */
static void link_after(trie *t, uint32_t n, uint32_t before)
{
    trie_node *x = &t->node[n];
    x->prev = before;
    x->next = before ? t->node[before].next : t->node[x->parent].child;
    if (before) t->node[before].next = n;
    else t->node[x->parent].child = n;
    if (x->next) t->node[x->next].prev = n;
}

/* Its worth grew: to the front when it is the most, else past a few. */
static void rise(trie *t, uint32_t n)
{
    trie_node *x = &t->node[n];
    uint32_t worth = trie_worth(x), before = x->prev, first = t->node[x->parent].child;
    if (!before || trie_worth(&t->node[before]) >= worth) return;
    if (trie_worth(&t->node[first]) < worth) before = 0;
    for (int i = 0; i < STEPS_UP && before && trie_worth(&t->node[before]) < worth; i++) before = t->node[before].prev;
    unlink_sibling(t, n);
    link_after(t, n, before);
}

static void sink(trie *t, uint32_t n)
{
    trie_node *x = &t->node[n];
    uint32_t worth = trie_worth(x), after = x->next, last = 0;
    for (int i = 0; i < STEPS_UP && after && trie_worth(&t->node[after]) > worth; i++) last = after, after = t->node[after].next;
    if (!last) return;
    unlink_sibling(t, n);
    link_after(t, n, last);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------ */

static void hash_all(trie *t)
{
    memset(t->bucket, 0, t->room * sizeof *t->bucket);
    for (uint32_t n = 1; n < t->used; n++) {
        trie_node *x = &t->node[n];
        if (x->token < 0) continue;
        uint32_t *first = &t->bucket[place(t, x->parent, x->token)];
        x->chain = *first;
        *first = n;
    }
}

static nigh_status grow(trie *t)
{
    uint32_t room = t->room > t->most / 2 ? t->most : 2 * t->room;
    trie_node *node = nigh_resize(t->ctx, t->node, room * sizeof *node);
    if (!node) return NIGH_MEMORY;
    t->node = node;
    uint32_t *bucket = nigh_resize(t->ctx, t->bucket, room * sizeof *bucket);
    if (!bucket) return NIGH_MEMORY;
    t->bucket = bucket;
    t->room = room;
    hash_all(t);
    return NIGH_OK;
}

/* A leaf; a free node is in reach. New ones stand behind the first, or before it when it is worth no more: the newest of equals comes first. */
static uint32_t add_node(trie *t, uint32_t parent, int32_t token, trie_kind kind, uint16_t count)
{
    uint32_t n = t->free, first = t->node[parent].child, *bucket = &t->bucket[place(t, parent, token)];
    if (n) t->free = t->node[n].chain;
    else n = t->used++;
    trie_node *x = &t->node[n];
    *x = (trie_node){.token = token, .parent = parent, .chain = *bucket};
    x->count[kind] = count;
    *bucket = n;
    link_after(t, n, first && trie_worth(&t->node[first]) > trie_worth(x) ? first : 0);
    t->count++;
    return n;
}

static void release(trie *t, uint32_t n)
{
    t->node[n] = (trie_node){.token = -1, .chain = t->free};
    t->free = n;
    t->count--;
    t->removals++;
}

static void take_out(trie *t, uint32_t n)
{
    uint32_t *at = &t->bucket[place(t, t->node[n].parent, t->node[n].token)];
    while (*at != n) at = &t->node[*at].chain;
    *at = t->node[n].chain;
    unlink_sibling(t, n);
    release(t, n);
}

/* Takes out the nodes without counts; above one that stays all stay. */
static void sweep(trie *t)
{
    for (uint32_t n = 1; n < t->used; n++)
        if (t->node[n].token >= 0 && trie_worth(&t->node[n]))
            for (uint32_t p = t->node[n].parent; p && !trie_worth(&t->node[p]); p = t->node[p].parent) t->node[p].count[TRIE_LASTING] = 1;
    for (uint32_t n = 1; n < t->used; n++)
        if (t->node[n].token >= 0 && !trie_worth(&t->node[n])) unlink_sibling(t, n);
    for (uint32_t n = 1; n < t->used; n++)
        if (t->node[n].token >= 0 && !trie_worth(&t->node[n])) release(t, n);
    hash_all(t);
}

void trie_prune(trie *t)
{
    for (uint32_t n = 1; n < t->used; n++) {
        uint16_t *count = &t->node[n].count[TRIE_LASTING];
        *count = *count > 1 ? *count / 2 : 0;
    }
    t->prunes++;
    sweep(t);
}

/* Sixteen halvings leave only what passes by; when that alone is too much, all goes. */
static void make_room(trie *t)
{
    int64_t most = (int64_t)t->most - t->most / 4;
    for (int i = 0; i < 17 && t->count > most; i++) trie_prune(t);
    if (t->count <= most) return;
    for (uint32_t n = 1; n < t->used; n++) memset(t->node[n].count, 0, sizeof t->node[n].count);
    sweep(t);
}

/* `more` nodes can be added. */
static nigh_status reserve(trie *t, int64_t more)
{
    while (t->count + 1 + more > t->room) {
        if (t->room < t->most) {
            nigh_status status = grow(t);
            if (status) return status;
        } else {
            make_room(t);
        }
    }
    return NIGH_OK;
}

/* ---- counting --------------------------------------------------------------------------------------------------- */

static void count_one(trie *t, uint32_t n, trie_kind kind)
{
    uint16_t *count = &t->node[n].count[kind];
    if (*count == MOST_COUNT) return;
    ++*count;
    rise(t, n);
}

static void count_window(trie *t, const int32_t *tokens, int64_t count, trie_kind kind)
{
    uint32_t n = 0, next;
    int64_t i = 0;
    for (; i < count && (next = trie_child(t, n, tokens[i])) != 0; i++) count_one(t, n = next, kind);
    for (; i < count; i++) n = add_node(t, n, tokens[i], kind, 1);
}

static int64_t window(const trie *t, int64_t rest) { return rest < t->depth ? rest : t->depth; }

nigh_status trie_learn(trie *t, const int32_t *tokens, int64_t count, trie_kind kind)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t size = window(t, count - i);
        nigh_status status = reserve(t, size);
        if (status) return status;
        count_window(t, tokens + i, size, kind);
    }
    return NIGH_OK;
}

nigh_status trie_extend(trie *t, trie_cursor *cursor, const int32_t *tokens, int64_t count, trie_kind kind)
{
    int64_t longest = window(t, count);
    nigh_status status = reserve(t, longest);
    if (status) return status;
    if (cursor->count != count - 1 || cursor->removals != t->removals)
        for (int64_t size = 1; size < longest; size++) cursor->node[size] = trie_find(t, tokens + count - 1 - size, size);
    cursor->node[0] = 0;
    for (int64_t size = longest; size >= 1; size--) {
        uint32_t parent = cursor->node[size - 1], *n = &cursor->node[size];
        *n = 0;
        if (size > 1 && !parent) continue; /* pruned meanwhile */
        *n = trie_child(t, parent, tokens[count - 1]);
        if (*n) count_one(t, *n, kind);
        else *n = add_node(t, parent, tokens[count - 1], kind, 1);
    }
    cursor->count = count, cursor->removals = t->removals;
    return NIGH_OK;
}

/* From the deepest up, so that nodes are leaves when they go. A count that stopped at the largest stays. */
static void forget_window(trie *t, const int32_t *tokens, int64_t count)
{
    uint32_t path[TRIE_MOST_DEPTH], n = 0;
    int64_t size = 0;
    while (size < count && (n = trie_child(t, n, tokens[size])) != 0) path[size++] = n;
    while (size > 0) {
        trie_node *x = &t->node[path[--size]];
        uint16_t *passing = &x->count[TRIE_PASSING];
        if (*passing == 0 || *passing == MOST_COUNT) continue;
        --*passing;
        if (!trie_worth(x) && !x->child) take_out(t, path[size]);
        else sink(t, path[size]);
    }
}

void trie_forget(trie *t, const int32_t *tokens, int64_t count)
{
    for (int64_t i = 0; i < count; i++) forget_window(t, tokens + i, window(t, count - i));
}

nigh_status trie_add(trie *t, uint32_t parent, int32_t token, uint16_t lasting, uint32_t *node)
{
    if (t->count + 2 > t->most) {
        *node = 0;
        return NIGH_OK;
    }
    nigh_status status = reserve(t, 1);
    if (status) return status;
    uint32_t n = trie_child(t, parent, token);
    if (!n) n = add_node(t, parent, token, TRIE_LASTING, 0);
    unsigned most = parent ? t->node[parent].count[TRIE_LASTING] : MOST_COUNT, sum = t->node[n].count[TRIE_LASTING] + (unsigned)lasting;
    t->node[n].count[TRIE_LASTING] = (uint16_t)(sum < most ? sum : most);
    rise(t, n);
    *node = n;
    return NIGH_OK;
}
