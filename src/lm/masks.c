/* Which tokens may follow in a state: a walk over the vocabulary's trie, kept by state. Declared in nigh/constraint.h. */
#include "lm/constraint.h"

#include "core/map.h"

#include <string.h>

enum { SMALL = 6 }; /* nodes below that are not worth the question whether all of them stay */

typedef struct kept_mask {
    int64_t state;
    int32_t newer, older; /* -1: none */
    uint64_t *bits;
} kept_mask;

struct nigh_masks {
    nigh_context *ctx;
    nigh_constraint *c;
    vocabulary *v;
    size_t words;        /* of 64 bits in a mask */
    int32_t count, room, most, newest, oldest;
    kept_mask *kept;
    map place;           /* state -> place + 1, 0: gone */
    uint32_t *path;      /* [deepest + 1]: states on the way */
    char *spelled;       /* [deepest] */
    uint32_t loop_state; /* NONE, or the state that loop is of: ASCII bytes that lead from it to itself */
    ascii_set loop;
    bool loop_high;      /* and all other characters do */
};

static void allow(uint64_t *bits, const vocabulary *v, int32_t node)
{
    for (int32_t k = v->node[node].at; k < v->node[node + 1].at; k++) bits[v->order[k] >> 6] |= (uint64_t)1 << (v->order[k] & 63);
}

/* From `state`, a byte from low to high and then `more` bytes of a character always lead back to `home`. */
static bool leads_home(nigh_masks *m, uint32_t state, int low, int high, int more, uint32_t home)
{
    uint32_t before = AUTOMATON_NONE; /* bytes of a row mostly lead to the same state */
    for (int b = low; b <= high; b++) {
        uint32_t next = constraint_next(m->c, state, (uint8_t)b);
        if (next == AUTOMATON_NONE || (!more && next != home)) return false;
        if (more && next != before && !leads_home(m, next, 0x80, 0xbf, more - 1, home)) return false;
        before = next;
    }
    return true;
}

/* All characters beyond ASCII lead from a state back to it. */
static bool takes_all_characters(nigh_masks *m, uint32_t state)
{
    static const struct {
        uint8_t low, high, second_low, second_high, more;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 0}, {0xe0, 0xe0, 0xa0, 0xbf, 1}, {0xe1, 0xec, 0x80, 0xbf, 1}, {0xed, 0xed, 0x80, 0x9f, 1}, {0xee, 0xef, 0x80, 0xbf, 1},
                 {0xf0, 0xf0, 0x90, 0xbf, 2}, {0xf1, 0xf3, 0x80, 0xbf, 2}, {0xf4, 0xf4, 0x80, 0x8f, 2}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        uint32_t before = AUTOMATON_NONE;
        for (int b = forms[i].low; b <= forms[i].high; b++) {
            uint32_t next = constraint_next(m->c, state, (uint8_t)b);
            if (next == AUTOMATON_NONE || (next != before && !leads_home(m, next, forms[i].second_low, forms[i].second_high, forms[i].more, state))) return false;
            before = next;
        }
    }
    return true;
}

/* Do all characters below a node lead from a state back to it? Inside of strings they mostly do; then all words below are allowed at once. The node ends a
 * character or, when `first`, begins one. */
static bool stays(nigh_masks *m, uint32_t state, int32_t node, bool first)
{
    uint8_t flags = m->v->node[node].flags;
    bool high = first || flags & BELOW_HIGH;
    if (high && (flags & BELOW_ILL || (!first && flags & INSIDE))) return false;
    if (m->loop_state != state) {
        m->loop_state = state, m->loop = (ascii_set){{0}};
        for (int b = 0; b < 128; b++)
            if (constraint_next(m->c, state, (uint8_t)b) == state) m->loop.word[b >> 6] |= (uint64_t)1 << (b & 63);
        m->loop_high = takes_all_characters(m, state);
    }
    const ascii_set *below = &m->v->below[node];
    return (!high || m->loop_high) && !(below->word[0] & ~m->loop.word[0]) && !(below->word[1] & ~m->loop.word[1]);
}

/* One look-up in the table for each node that is met; what a state does not allow is skipped with all that begins like it. */
static void walk_table(nigh_masks *m, uint32_t state, uint64_t *bits)
{
    nigh_constraint *c = m->c;
    const word_node *node = m->v->node;
    const state_table *t = c->table;
    const uint32_t *table = t->next;
    uint32_t classes = t->classes, *path = m->path;
    const int32_t *order = m->v->order;
    path[0] = state;
    m->loop_state = AUTOMATON_NONE;
    for (int32_t i = 0, n = m->v->nodes; i < n;) {
        uint32_t depth = node[i].depth, from = path[depth - 1];
        uint32_t next = table[(size_t)from * classes + t->class_of[node[i].byte]];
        if (next == STATE_UNKNOWN) {
            next = constraint_ask(c, from, node[i].byte);
            table = t->next;
        }
        if (next == AUTOMATON_NONE) {
            i = node[i].past;
            continue;
        }
        path[depth] = next;
        int32_t after = i + 1;
        bool first = node[i].byte >= 0xc2;
        if ((next == from || first) && node[i].past - i > SMALL) {
            if (stays(m, from, i, first)) after = node[i].past;
            table = t->next;
        }
        for (int32_t k = node[i].at, end = node[after].at; k < end; k++) bits[order[k] >> 6] |= (uint64_t)1 << (order[k] & 63);
        i = after;
    }
}

/* Asks where a token ends or ways part. */
static void walk_predicate(nigh_masks *m, int64_t state, uint64_t *bits)
{
    const word_node *node = m->v->node;
    for (int32_t i = 0; i < m->v->nodes && !m->c->status;) {
        m->spelled[node[i].depth - 1] = (char)node[i].byte;
        bool whole = node[i].at < node[i + 1].at, fork = node[i].past > i + 1 && node[i + 1].past < node[i].past;
        if ((whole || fork) && !prefixes_allows(m->c, state, m->spelled, node[i].depth)) {
            i = node[i].past;
            continue;
        }
        allow(bits, m->v, i);
        i++;
    }
}

static nigh_status fill(nigh_masks *m, int64_t state, uint64_t *bits)
{
    memset(bits, 0, sizeof *bits * m->words);
    if (m->c->table)
        walk_table(m, (uint32_t)state, bits);
    else
        walk_predicate(m, state, bits);
    if (nigh_constraint_complete(m->c, state))
        for (int32_t i = 0; i < m->v->end_count; i++) bits[m->v->ends[i] >> 6] |= (uint64_t)1 << (m->v->ends[i] & 63);
    return nigh_constraint_status(m->c);
}

/* ---- what is kept ---- */

static void unlink_mask(nigh_masks *m, int32_t i)
{
    kept_mask *k = &m->kept[i];
    if (k->newer >= 0) m->kept[k->newer].older = k->older;
    else m->newest = k->older;
    if (k->older >= 0) m->kept[k->older].newer = k->newer;
    else m->oldest = k->newer;
}

static void link_newest(nigh_masks *m, int32_t i)
{
    m->kept[i].newer = -1, m->kept[i].older = m->newest;
    if (m->newest >= 0) m->kept[m->newest].newer = i;
    m->newest = i;
    if (m->oldest < 0) m->oldest = i;
}

/* A place for a new mask: a fresh one, or that of the mask not used for longest. */
static nigh_status place_new(nigh_masks *m, int32_t *place)
{
    if (m->count < m->most) {
        if (m->count == m->room) {
            int32_t room = m->room ? 2 * m->room : 16;
            kept_mask *kept = nigh_resize(m->ctx, m->kept, sizeof *kept * (size_t)room);
            if (!kept) return NIGH_MEMORY;
            m->kept = kept, m->room = room;
        }
        uint64_t *bits = nigh_alloc(m->ctx, sizeof *bits * m->words);
        if (!bits) return NIGH_MEMORY;
        m->kept[m->count] = (kept_mask){.state = -1, .bits = bits};
        *place = m->count++;
        link_newest(m, *place);
        return NIGH_OK;
    }
    *place = m->oldest;
    unlink_mask(m, *place);
    link_newest(m, *place);
    if (m->kept[*place].state >= 0) *map_find(&m->place, (uint64_t)m->kept[*place].state) = 0;
    m->kept[*place].state = -1;
    return NIGH_OK;
}

nigh_status nigh_masks_get(nigh_masks *m, int64_t state, const uint64_t **allowed)
{
    if (state < 0 || (m->c->table && state >= m->c->table->states))
        return nigh_fail(m->ctx, NIGH_INVALID, "state %lld of a constraint; states come from nigh_constraint_start and step", (long long)state);
    uint64_t *slot;
    bool added;
    nigh_status status = map_add(&m->place, (uint64_t)state, &slot, &added);
    if (status) return status;
    int32_t place = (int32_t)*slot - 1;
    if (place >= 0) {
        unlink_mask(m, place);
        link_newest(m, place);
    } else {
        if ((status = place_new(m, &place))) return status;
        if ((status = fill(m, state, m->kept[place].bits))) return status;
        m->kept[place].state = state;
        *map_find(&m->place, (uint64_t)state) = (uint64_t)place + 1;
    }
    *allowed = m->kept[place].bits;
    return NIGH_OK;
}

int64_t nigh_masks_step(nigh_masks *m, int64_t state, int32_t token)
{
    const vocabulary *v = m->v;
    if (token < 0 || token >= v->words || state < 0) return -1;
    if (v->is_end[token]) return nigh_constraint_complete(m->c, state) ? state : -1;
    size_t size = (size_t)(v->text_at[token + 1] - v->text_at[token]);
    return size ? nigh_constraint_step(m->c, state, v->text + v->text_at[token], size) : -1;
}

/* ---- life ---- */

void nigh_masks_free(nigh_masks *m)
{
    if (!m) return;
    for (int32_t i = 0; i < m->count; i++) nigh_free(m->ctx, m->kept[i].bits);
    nigh_free(m->ctx, m->kept), nigh_free(m->ctx, m->path), nigh_free(m->ctx, m->spelled);
    map_free(&m->place);
    vocabulary_free(m->v);
    nigh_free(m->ctx, m);
}

nigh_status masks_of_vocabulary(nigh_context *ctx, nigh_constraint *c, vocabulary *v, size_t bytes, nigh_masks **masks)
{
    nigh_masks *m = nigh_alloc_zero(ctx, 1, sizeof *m);
    if (!m) return vocabulary_free(v), NIGH_MEMORY;
    m->ctx = ctx, m->c = c, m->v = v, m->newest = m->oldest = -1;
    m->words = ((size_t)v->words + 63) / 64 + !v->words;
    size_t most = (bytes ? bytes : (size_t)256 << 20) / (8 * m->words);
    m->most = most < 1 ? 1 : most > 1 << 28 ? 1 << 28 : (int32_t)most;
    m->path = nigh_alloc(ctx, sizeof *m->path * ((size_t)v->deepest + 1));
    m->spelled = nigh_alloc(ctx, (size_t)v->deepest + 1);
    nigh_status status = m->path && m->spelled ? map_new(ctx, 64, &m->place) : NIGH_MEMORY;
    if (status)
        nigh_masks_free(m);
    else
        *masks = m;
    return status;
}

nigh_status nigh_masks_new(nigh_context *ctx, nigh_constraint *c, const nigh_tokenizer *t, size_t bytes, nigh_masks **masks)
{
    vocabulary *v = NULL;
    nigh_status status = vocabulary_of(ctx, t, &v);
    return status ? status : masks_of_vocabulary(ctx, c, v, bytes, masks);
}
