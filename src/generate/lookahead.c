/*
 * Lookahead: a store of what was read and written, and drafts from it. Declared in nigh/generate.h and generate/lookahead.h.
 * Zhao et al., "Lookahead: An inference acceleration framework for large language model with lossless generation accuracy". The paper cuts a subtree to size by
 * counts; here the most likely drafts come first, by measured acceptance, and contexts slide along the branch, so that a branch may be longer than the trie is deep.
 */
#include "generate/lookahead.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_LENGTH = 10, MOST_LENGTH = 62, DEFAULT_NODES = 1 << 20, CHOICES = 4, SIBLINGS = 16, WAITING = 160 };

nigh_status nigh_lookahead_new(nigh_context *ctx, const nigh_lookahead_options *options, nigh_lookahead **lookahead)
{
    nigh_lookahead_options o = options ? *options : (nigh_lookahead_options){0};
    if (o.width < 0 || o.width > LOOKAHEAD_MOST_WIDTH) return nigh_fail(ctx, NIGH_INVALID, "width is %lld; 0 to %d is allowed", (long long)o.width, LOOKAHEAD_MOST_WIDTH);
    if (o.length < 0 || o.length > MOST_LENGTH) return nigh_fail(ctx, NIGH_INVALID, "length is %lld; 0 to %d is allowed", (long long)o.length, MOST_LENGTH);
    if (o.mode < NIGH_DRAFT_TREE || o.mode > NIGH_DRAFT_PARALLEL) return nigh_fail(ctx, NIGH_INVALID, "mode is %d, which is none of nigh_draft_mode", (int)o.mode);
    if (!o.length) o.length = DEFAULT_LENGTH;
    if (!o.nodes) o.nodes = DEFAULT_NODES;
    nigh_lookahead *l = nigh_alloc_zero(ctx, 1, sizeof *l);
    if (!l) return NIGH_MEMORY;
    l->ctx = ctx, l->options = o;
    nigh_status status = trie_new(ctx, o.nodes, (int)o.length + 1, &l->store);
    if (status) nigh_free(ctx, l);
    else *lookahead = l;
    return status;
}

void nigh_lookahead_free(nigh_lookahead *lookahead)
{
    if (!lookahead) return;
    trie_free(&lookahead->store);
    nigh_free(lookahead->ctx, lookahead);
}

nigh_status nigh_lookahead_learn(nigh_lookahead *l, const int32_t *tokens, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (tokens[i] < 0) return nigh_fail(l->ctx, NIGH_INVALID, "token %lld is %d; tokens are 0 or above", (long long)i, tokens[i]);
    return trie_learn(&l->store, tokens, count, TRIE_LASTING);
}

int64_t nigh_lookahead_nodes(const nigh_lookahead *l) { return l->store.count; }

/* ---- chances ---------------------------------------------------------------------------------------------------- */

/* rank 0: the first choice of the longest context, 1: another of it, 2: of a shorter one. */
static int cell_of(int match, double share, bool single, int rank)
{
    int part = share < 0.2 ? 0 : share < 0.5 ? 1 : share < 0.85 ? 2 : 3;
    return (((match - 1) * 4 + part) * 2 + single) * 3 + rank;
}

/* Measured acceptance, over what one would guess of such a cell with the weight of four observations. */
static float chance_of(const nigh_lookahead *l, int cell)
{
    static const double middle[4] = {0.1, 0.35, 0.65, 0.95}, factor[3] = {1, 0.6, 0.3};
    int rank = cell % 3, single = cell / 3 % 2, part = cell / 6 % 4, match = cell / 24 + 1;
    double guess = middle[part] * factor[rank] * (match + 0.5) / (match + 1.5) * (single ? 0.8 : 1);
    return (float)((l->cell[cell].accepted + 4 * guess) / (l->cell[cell].offered + 4));
}

static void observe_one(lookahead_cell *c, bool accepted)
{
    if (c->offered >= 100) c->offered *= 0.5f, c->accepted *= 0.5f;
    c->offered++;
    c->accepted += accepted;
}

void lookahead_observe(nigh_lookahead *l, const lookahead_drafts *d, const int32_t *came, int64_t count)
{
    int at = -1;
    for (int64_t k = 0; k < count; k++) {
        int next = -1;
        for (int i = at + 1; i < d->count; i++) {
            if (d->at[i].parent != at) continue;
            bool same = d->at[i].token == came[k];
            observe_one(&l->cell[d->at[i].cell], same);
            if (same && next < 0) next = i;
        }
        if (next < 0) return;
        at = next;
    }
}

/* ---- drafts ----------------------------------------------------------------------------------------------------- */

/* Drafts that may be taken next, those of the best chance first. */
typedef struct waiting {
    int count;
    lookahead_draft at[WAITING];
} waiting;

typedef struct choice {
    uint32_t node, worth;
} choice;

/* What passes by counts four times: it is of this very text. */
static uint32_t weight(const trie_node *n) { return 4u * n->count[TRIE_PASSING] + n->count[TRIE_LASTING]; }

/* The children of most weight among those in front, best first. */
static int best_children(const trie *t, uint32_t node, choice *best)
{
    int count = 0, seen = 0;
    for (uint32_t n = t->node[node].child; n && seen < SIBLINGS; n = t->node[n].next, seen++) {
        uint32_t w = weight(&t->node[n]);
        int i = count < CHOICES ? count++ : CHOICES;
        for (; i > 0 && best[i - 1].worth < w; i--)
            if (i < CHOICES) best[i] = best[i - 1];
        if (i < CHOICES) best[i] = (choice){n, w};
    }
    return count;
}

static bool offered(const waiting *w, int from, int32_t token)
{
    for (int i = from; i < w->count; i++)
        if (w->at[i].token == token) return true;
    return false;
}

/* The tokens after which the children of draft `at` (-1: the text) come: at most LOOKAHEAD_CONTEXT, in order; their number. */
static int context_of(const nigh_lookahead *l, const int32_t *tokens, int64_t count, const lookahead_drafts *d, int at, int32_t *context)
{
    int most = l->options.length < LOOKAHEAD_CONTEXT ? (int)l->options.length : LOOKAHEAD_CONTEXT, n = 0;
    for (; at >= 0 && n < most; at = d->at[at].parent) context[most - ++n] = d->at[at].token;
    for (int64_t i = count - 1; i >= 0 && n < most; i--) context[most - ++n] = tokens[i];
    memmove(context, context + most - n, (size_t)n * sizeof *context);
    return n;
}

static void offer(const nigh_lookahead *l, const lookahead_filter *filter, int64_t state, lookahead_draft draft, float above, waiting *w)
{
    draft.state = filter ? filter->step(filter->user, state, draft.token) : 0;
    if (draft.state < 0 || w->count == WAITING) return;
    draft.chance = above * chance_of(l, draft.cell);
    w->at[w->count++] = draft;
}

/* Offers what came after the context of draft `at`: of the longest one that is known, then of up to two shorter ones. */
static void expand(const nigh_lookahead *l, const int32_t *tokens, int64_t count, const lookahead_drafts *d, int at, const lookahead_filter *filter, waiting *w)
{
    int32_t context[LOOKAHEAD_CONTEXT];
    int size = context_of(l, tokens, count, d, at, context), levels = 0, first = w->count, longest = size;
    const lookahead_draft *above = at >= 0 ? &d->at[at] : NULL;
    if (above && above->match + 1 < longest) longest = above->match + 1;
    for (int match = longest; match >= 1 && levels < 3; match--) {
        uint32_t node = trie_find(&l->store, context + size - match, match);
        choice best[CHOICES];
        int choices = node ? best_children(&l->store, node, best) : 0;
        for (int i = 0; i < choices; i++) {
            const trie_node *n = &l->store.node[best[i].node];
            if (!best[i].worth || offered(w, first, n->token)) continue;
            double share = fmin(1, (double)best[i].worth / fmax(1, weight(&l->store.node[node])));
            bool single = n->count[TRIE_PASSING] + n->count[TRIE_LASTING] == 1;
            offer(l, filter, above ? above->state : filter ? filter->state : 0,
                  (lookahead_draft){.token = n->token, .parent = (int16_t)at, .depth = (int16_t)(above ? above->depth + 1 : 1), .match = (int16_t)match,
                                    .cell = (int16_t)cell_of(match, share, single, levels ? 2 : i > 0)},
                  above ? above->chance : 1, w);
        }
        levels += choices > 0;
    }
}

static int best_waiting(const waiting *w)
{
    int best = 0;
    for (int i = 1; i < w->count; i++)
        if (w->at[i].chance > w->at[best].chance) best = i;
    return best;
}

/* Branches side by side, each whole, those of the likeliest ends first; as many as fit. */
static void unshare(lookahead_drafts *d, int most)
{
    lookahead_drafts out = {0};
    bool inner[LOOKAHEAD_MOST_WIDTH] = {0};
    for (int i = 0; i < d->count; i++)
        if (d->at[i].parent >= 0) inner[d->at[i].parent] = true;
    for (int i = 0; i < d->count; i++) {
        int depth = d->at[i].depth, from = out.count;
        if (inner[i] || from + depth > most) continue;
        out.count += depth;
        for (int at = i, k = depth - 1; k >= 0; at = d->at[at].parent, k--) {
            out.at[from + k] = d->at[at];
            out.at[from + k].parent = (int16_t)(k ? from + k - 1 : -1);
        }
    }
    *d = out;
}

void lookahead_propose(const nigh_lookahead *l, const int32_t *tokens, int64_t count, int most, int64_t deepest, const lookahead_filter *filter, lookahead_drafts *out)
{
    waiting w = {0};
    out->count = 0;
    if (deepest > l->options.length) deepest = l->options.length;
    if (deepest < 1 || most < 1) return;
    expand(l, tokens, count, out, -1, filter, &w);
    while (w.count && out->count < most) {
        int best = best_waiting(&w), at = out->count++;
        out->at[at] = w.at[best];
        w.at[best] = w.at[--w.count];
        if (l->options.mode == NIGH_DRAFT_ONE) w.count = 0;
        if (out->at[at].depth < deepest && out->count < most) expand(l, tokens, count, out, at, filter, &w);
    }
    if (l->options.mode == NIGH_DRAFT_PARALLEL) unshare(out, most);
}
