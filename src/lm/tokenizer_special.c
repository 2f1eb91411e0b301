/*
 * Names of special tokens in a text. llama.cpp goes through them from the longest to the shortest and cuts out every occurrence, left to right, from what
 * is not cut out yet. The same here, cluster by cluster: a cluster is a stretch of the text in which occurrences overlap, mostly a single one.
 */
#include "lm/tokenizer_special.h"

#include <stdlib.h>

typedef struct node {
    int32_t child, sibling; /* -1: none */
    int32_t rank;           /* place in t->special of the token that ends here; -1: none */
    unsigned char byte;
} node;

struct special_tree {
    node *node;
    int32_t count, room;
    int32_t first[256];    /* child of the root for this byte, or -1 */
    bool user[256];        /* a user-defined token begins with this byte */
};

/* ---- the tree ---- */

static int32_t tree_child(nigh_context *ctx, struct special_tree *tree, int32_t *list, unsigned char byte)
{
    for (int32_t i = *list; i >= 0; i = tree->node[i].sibling)
        if (tree->node[i].byte == byte) return i;
    if (tree->count == tree->room) {
        int32_t room = 2 * tree->room + 256;
        ptrdiff_t inside = tree->node && (char *)list >= (char *)tree->node && (char *)list < (char *)(tree->node + tree->count)
                               ? (char *)list - (char *)tree->node
                               : -1;
        node *nodes = nigh_resize(ctx, tree->node, (size_t)room * sizeof *nodes);
        if (!nodes) return -1;
        tree->node = nodes, tree->room = room;
        if (inside >= 0) list = (int32_t *)(void *)((char *)nodes + inside);
    }
    int32_t i = tree->count++;
    tree->node[i] = (node){.child = -1, .sibling = *list, .rank = -1, .byte = byte};
    *list = i;
    return i;
}

static nigh_status tree_add(nigh_context *ctx, struct special_tree *tree, const char *text, size_t size, int32_t rank)
{
    int32_t *list = &tree->first[(unsigned char)text[0]], at = -1;
    for (size_t i = 0; i < size; i++) {
        at = tree_child(ctx, tree, list, (unsigned char)text[i]);
        if (at < 0) return NIGH_MEMORY;
        list = &tree->node[at].child;
    }
    if (tree->node[at].rank < 0) tree->node[at].rank = rank;
    return NIGH_OK;
}

typedef struct ranked {
    size_t size;
    int32_t id;
} ranked;

static int by_length(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

nigh_status special_new(nigh_tokenizer *t)
{
    int32_t count = 0;
    for (int32_t i = 0; i < t->count; i++) count += (t->flags[i] & TOKEN_SPECIAL) != 0;
    ranked *order = nigh_alloc(t->ctx, (size_t)(count + 1) * sizeof *order);
    t->special = nigh_alloc(t->ctx, (size_t)(count + 1) * sizeof *t->special);
    t->tree = nigh_alloc_zero(t->ctx, 1, sizeof *t->tree);
    if (!order || !t->special || !t->tree) {
        nigh_free(t->ctx, order);
        return NIGH_MEMORY;
    }
    for (int b = 0; b < 256; b++) t->tree->first[b] = -1;
    for (int32_t i = 0; i < t->count; i++) {
        if (!(t->flags[i] & TOKEN_SPECIAL)) continue;
        order[t->specials].id = i;
        texts_get(&t->names, i, &order[t->specials++].size);
    }
    qsort(order, (size_t)count, sizeof *order, by_length);
    nigh_status status = NIGH_OK;
    for (int32_t i = 0; i < count && !status; i++) {
        size_t size;
        const char *name = texts_get(&t->names, order[i].id, &size);
        t->special[i] = order[i].id;
        if (size) status = tree_add(t->ctx, t->tree, name, size, i);
        if (size && !(t->flags[order[i].id] & (TOKEN_CONTROL | TOKEN_UNKNOWN))) t->tree->user[(unsigned char)name[0]] = true;
    }
    nigh_free(t->ctx, order);
    return status;
}

void special_free(nigh_tokenizer *t)
{
    if (t->tree) nigh_free(t->ctx, t->tree->node);
    nigh_free(t->ctx, t->tree);
    nigh_free(t->ctx, t->special);
}

/* ---- finding ---- */

static bool wanted(const nigh_tokenizer *t, int32_t rank, bool all)
{
    return rank >= 0 && (all || !(t->flags[t->special[rank]] & (TOKEN_CONTROL | TOKEN_UNKNOWN)));
}

/* Ranks of the tokens that begin at text[at], longest last, into found[0 .. most); how far the longest reaches. */
static size_t matches_at(const special_cut *cut, size_t at, int32_t *found, int most, int *count)
{
    const struct special_tree *tree = cut->t->tree;
    size_t reach = 0;
    int32_t n = tree->first[(unsigned char)cut->text[at]];
    *count = 0;
    for (size_t i = at; n >= 0;) {
        i++;
        if (wanted(cut->t, tree->node[n].rank, cut->all)) {
            reach = i - at;
            if (*count == most) memmove(found, found + 1, (size_t)(--*count) * sizeof *found);
            found[(*count)++] = tree->node[n].rank;
        }
        if (i == cut->size) break;
        for (n = tree->node[n].child; n >= 0 && tree->node[n].byte != (unsigned char)cut->text[i];) n = tree->node[n].sibling;
    }
    return reach;
}

void special_begin(special_cut *cut, const nigh_tokenizer *t, const char *text, size_t size, bool all)
{
    *cut = (special_cut){.t = t, .text = text, .size = size, .all = all, .ranks = {.ctx = t->ctx}, .taken = {.ctx = t->ctx}};
}

void special_end(special_cut *cut)
{
    nigh_token_list_free(&cut->ranks);
    nigh_buffer_free(&cut->taken);
    nigh_free(cut->t->ctx, cut->place);
}

static bool may_begin(const special_cut *cut, unsigned char byte)
{
    return cut->all ? cut->t->tree->first[byte] >= 0 : cut->t->tree->user[byte];
}

/* A token where a rank has been met in this cluster: ranks is kept without doubles by looking from its end. */
static nigh_status note_rank(special_cut *cut, int32_t rank)
{
    for (int64_t i = cut->ranks.count; i-- > 0;)
        if (cut->ranks.id[i] == rank) return NIGH_OK;
    return nigh_token_list_add(&cut->ranks, &rank, 1);
}

static int by_rank(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    const special_place *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static nigh_status add_place(special_cut *cut, size_t at, size_t size, int32_t id)
{
    if (cut->places == cut->room) {
        size_t room = 2 * cut->room + 16;
        special_place *place = nigh_resize(cut->t->ctx, cut->place, room * sizeof *place);
        if (!place) return NIGH_MEMORY;
        cut->place = place, cut->room = room;
    }
    cut->place[cut->places++] = (special_place){at, size, id};
    return NIGH_OK;
}

/* Cuts the cluster [from, to): every rank in order takes what is free. */
static nigh_status cut_cluster(special_cut *cut, size_t from, size_t to)
{
    size_t width = to - from;
    cut->taken.size = 0;
    nigh_status status = NIGH_OK;
    static const char zeros[256];
    for (size_t i = 0; i < width && !status; i += sizeof zeros) status = nigh_buffer_add(&cut->taken, zeros, width - i < sizeof zeros ? width - i : sizeof zeros);
    qsort(cut->ranks.id, (size_t)cut->ranks.count, sizeof *cut->ranks.id, by_rank);
    for (int64_t r = 0; r < cut->ranks.count && !status; r++) {
        size_t size, at = 0;
        int32_t id = cut->t->special[cut->ranks.id[r]];
        const char *name = texts_get(&cut->t->names, id, &size);
        while (!status && at + size <= width) {
            if (cut->taken.data[at]) {
                at++;
                continue;
            }
            const char *hit = memmem(cut->text + from + at, width - at, name, size);
            if (!hit) break;
            size_t place = (size_t)(hit - cut->text) - from;
            if (memchr(cut->taken.data + place, 1, size)) {
                at = place + 1;
                continue;
            }
            memset(cut->taken.data + place, 1, size);
            status = add_place(cut, from + place, size, id);
            at = place + size;
        }
    }
    qsort(cut->place, cut->places, sizeof *cut->place, by_place);
    return status;
}

/* The next cluster from `at` on. */
static nigh_status find_cluster(special_cut *cut, bool *found)
{
    enum { MOST = 64 };
    int32_t ranks[MOST];
    int count = 0;
    size_t from = cut->at, reach = 0;
    for (; from < cut->size; from++)
        if (may_begin(cut, (unsigned char)cut->text[from]) && (reach = matches_at(cut, from, ranks, MOST, &count))) break;
    *found = from < cut->size;
    if (!*found) return NIGH_OK;
    if (cut->t->json) { /* there the leftmost occurrence counts, of those the longest */
        cut->at = from + reach, cut->places = 0, cut->next = 0;
        return add_place(cut, from, reach, cut->t->special[ranks[count - 1]]);
    }
    size_t to = from + reach;
    cut->ranks.count = 0;
    nigh_status status = NIGH_OK;
    int32_t longest = ranks[count - 1];
    bool alone = true;
    for (size_t i = from; i < to && !status; i++) {
        if (i > from) {
            if (!may_begin(cut, (unsigned char)cut->text[i])) continue;
            reach = matches_at(cut, i, ranks, MOST, &count);
            if (i + reach > to) to = i + reach;
            alone = alone && !reach;
        }
        for (int k = 0; k < count && !status; k++) status = note_rank(cut, ranks[k]);
    }
    cut->at = to, cut->places = 0, cut->next = 0;
    if (alone && !status) return add_place(cut, from, to - from, cut->t->special[longest]);
    return status ? status : cut_cluster(cut, from, to);
}

nigh_status special_next(special_cut *cut, special_place *place, bool *found)
{
    nigh_status status = NIGH_OK;
    *found = true;
    if (cut->next == cut->places) status = find_cluster(cut, found);
    if (!status && *found) *place = cut->place[cut->next++];
    return status;
}
