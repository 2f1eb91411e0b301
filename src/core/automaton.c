/* Deterministic automata: running, tables under way, products, random ones. Declared in core/automaton.h. */
#include "core/automaton.h"

#include "core/map.h"
#include "nigh/random.h"

#include <string.h>

static const int64_t usual_most = 1000000;

uint32_t automaton_run(const automaton *a, uint32_t state, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && state != AUTOMATON_NONE; i++) state = automaton_step(a, state, (uint8_t)bytes[i]);
    return state;
}

bool automaton_accepts(const automaton *a, const char *bytes, size_t size)
{
    if (!a->states) return false;
    uint32_t state = automaton_run(a, a->start, bytes, size);
    return state != AUTOMATON_NONE && a->accepts[state];
}

void automaton_free(automaton *a)
{
    if (!a) return;
    nigh_free(a->ctx, a->next);
    nigh_free(a->ctx, a->accepts);
    nigh_free(a->ctx, a);
}

bool automaton_same(const automaton *a, const automaton *b)
{
    if (a->states != b->states || a->classes != b->classes) return false;
    if (!a->states) return true;
    return memcmp(a->class_of, b->class_of, sizeof a->class_of) == 0 && memcmp(a->accepts, b->accepts, a->states) == 0 &&
           memcmp(a->next, b->next, sizeof *a->next * a->states * a->classes) == 0;
}

/* ---- tables ---- */

nigh_status automaton_table_add(automaton_table *t, bool accepts, uint32_t *state)
{
    if (t->states >= t->most)
        return nigh_fail(t->ctx, NIGH_RESOURCE, "the automaton needs more than the %lld states allowed", (long long)t->most);
    if (t->states == t->room) {
        uint32_t room = t->room ? t->room * 2 : 64;
        uint32_t *next = nigh_resize(t->ctx, t->next, sizeof *next * room * t->classes);
        if (!next) return NIGH_MEMORY;
        t->next = next;
        uint8_t *flags = nigh_resize(t->ctx, t->accepts, room);
        if (!flags) return NIGH_MEMORY;
        t->accepts = flags;
        t->room = room;
    }
    memset(t->next + (size_t)t->states * t->classes, 0xff, sizeof *t->next * t->classes);
    t->accepts[t->states] = accepts;
    *state = t->states++;
    return NIGH_OK;
}

void automaton_table_free(automaton_table *t)
{
    if (!t->ctx) return;
    nigh_free(t->ctx, t->next);
    nigh_free(t->ctx, t->accepts);
    t->next = NULL, t->accepts = NULL;
}

void automaton_classes_refine(uint8_t class_of[256], uint32_t *classes, const uint8_t other[256])
{
    int16_t head[256], next[256]; /* new classes of each old one */
    uint8_t stands[256], fresh[256];
    uint32_t count = 0;
    memset(head, 0xff, sizeof head);
    for (int b = 0; b < 256; b++) {
        int16_t k = head[class_of[b]];
        while (k >= 0 && stands[k] != other[b]) k = next[k];
        if (k < 0) {
            k = (int16_t)count++;
            stands[k] = other[b], next[k] = head[class_of[b]], head[class_of[b]] = k;
        }
        fresh[b] = (uint8_t)k;
    }
    memcpy(class_of, fresh, sizeof fresh);
    *classes = count;
}

/* ---- products ---- */

typedef struct product {
    const automaton *a, *b;
    automaton_operation operation;
    automaton_table table;
    map ids;
    uint64_t *pair; /* of each state */
    uint32_t pair_room;
} product;

static bool product_accepts(const product *p, uint32_t s, uint32_t t)
{
    bool x = s != AUTOMATON_NONE && p->a->accepts[s], y = t != AUTOMATON_NONE && p->b->accepts[t];
    return p->operation == AUTOMATON_AND ? x && y : p->operation == AUTOMATON_OR ? x || y : x && !y;
}

static nigh_status product_state(product *p, uint32_t s, uint32_t t, uint32_t *state)
{
    *state = AUTOMATON_NONE;
    if (s == AUTOMATON_NONE && (t == AUTOMATON_NONE || p->operation != AUTOMATON_OR)) return NIGH_OK;
    if (t == AUTOMATON_NONE && p->operation == AUTOMATON_AND) return NIGH_OK;
    uint64_t key = (uint64_t)s << 32 | t, *value;
    bool added;
    nigh_status status = map_add(&p->ids, key, &value, &added);
    if (status) return status;
    if (added) {
        if ((status = automaton_table_add(&p->table, product_accepts(p, s, t), state))) return status;
        if (*state >= p->pair_room) {
            uint32_t room = p->pair_room ? 2 * p->pair_room : 64;
            uint64_t *pair = nigh_resize(p->table.ctx, p->pair, sizeof *pair * room);
            if (!pair) return NIGH_MEMORY;
            p->pair = pair, p->pair_room = room;
        }
        p->pair[*state] = key;
        *value = *state;
    }
    *state = (uint32_t)*value;
    return NIGH_OK;
}

static nigh_status product_fill(product *p)
{
    const automaton *a = p->a, *b = p->b;
    uint8_t byte_of[256];
    for (int i = 255; i >= 0; i--) byte_of[p->table.class_of[i]] = (uint8_t)i;
    nigh_status status = NIGH_OK;
    for (uint32_t i = 0; !status && i < p->table.states; i++) {
        if (i % 1024 == 0 && (status = nigh_poll(p->table.ctx))) break;
        uint32_t s = (uint32_t)(p->pair[i] >> 32), t = (uint32_t)p->pair[i], to = 0;
        for (uint32_t c = 0; !status && c < p->table.classes; c++) {
            status = product_state(p, s == AUTOMATON_NONE ? s : automaton_step(a, s, byte_of[c]), t == AUTOMATON_NONE ? t : automaton_step(b, t, byte_of[c]), &to);
            if (!status) p->table.next[(size_t)i * p->table.classes + c] = to;
        }
    }
    return status;
}

nigh_status automaton_product(const automaton *a, const automaton *b, automaton_operation operation, int64_t most, automaton **out)
{
    nigh_context *ctx = a->ctx;
    product p = {.a = a, .b = b, .operation = operation, .table = {.ctx = ctx, .most = most > 0 ? most : usual_most}};
    memcpy(p.table.class_of, a->class_of, sizeof a->class_of);
    automaton_classes_refine(p.table.class_of, &p.table.classes, b->class_of);
    nigh_status status = map_new(ctx, 64, &p.ids);
    uint32_t start = AUTOMATON_NONE;
    if (!status) status = product_state(&p, a->states ? a->start : AUTOMATON_NONE, b->states ? b->start : AUTOMATON_NONE, &start);
    if (!status) status = product_fill(&p);
    if (!status) status = automaton_finish(&p.table, start, out);
    map_free(&p.ids);
    nigh_free(ctx, p.pair);
    automaton_table_free(&p.table);
    return status;
}

nigh_status automaton_all(nigh_context *ctx, automaton **out)
{
    automaton_table t = {.ctx = ctx, .classes = 1, .most = 1};
    uint32_t state = 0;
    nigh_status status = automaton_table_add(&t, true, &state);
    if (!status) {
        t.next[0] = 0;
        status = automaton_finish(&t, 0, out);
    }
    automaton_table_free(&t);
    return status;
}

nigh_status automaton_complement(const automaton *a, automaton **out)
{
    automaton *all = NULL;
    nigh_status status = automaton_all(a->ctx, &all);
    if (!status) status = automaton_product(all, a, AUTOMATON_MINUS, 2 * (int64_t)a->states + 2, out);
    automaton_free(all);
    return status;
}

/* ---- random automata ---- */

static nigh_status random_table(automaton_table *t, uint32_t states, nigh_rng *random)
{
    nigh_status status = NIGH_OK;
    uint32_t state;
    t->states = 0;
    for (uint32_t i = 0; !status && i < states; i++) {
        status = automaton_table_add(t, nigh_rng_u32(random) & 1, &state);
        for (uint32_t c = 1; !status && c < t->classes; c++)
            t->next[(size_t)i * t->classes + c] = (uint32_t)nigh_rng_below(random, states);
    }
    return status;
}

nigh_status automaton_random(nigh_context *ctx, uint32_t states, const char *letters, uint64_t seed, automaton **out)
{
    size_t count = strlen(letters);
    if (states < 1 || states > 4096) return nigh_fail(ctx, NIGH_INVALID, "a random automaton of %u states; 1 to 4096 are allowed", states);
    if (count < 2 || count > 255) return nigh_fail(ctx, NIGH_INVALID, "a random automaton over %zu letters; 2 to 255 are allowed", count);
    automaton_table t = {.ctx = ctx, .classes = (uint32_t)count + 1, .most = states};
    for (size_t i = 0; i < count; i++) t.class_of[(uint8_t)letters[i]] = (uint8_t)(i + 1);
    nigh_rng random = nigh_rng_new(seed, 0);
    nigh_status status = NIGH_OK;
    automaton *found = NULL;
    /* a random table is reachable and minimal only by chance (about exp(-constant * states) for two letters): start from more states and keep what has the size */
    for (int64_t turn = 0; !status && !found; turn++) {
        if (turn == 100000) status = nigh_fail(ctx, NIGH_RESOURCE, "no minimal automaton of %u states was met in %lld draws", states, (long long)turn);
        uint32_t size = states + (uint32_t)nigh_rng_below(&random, states / 2 + 2);
        t.most = size;
        if (!status) status = random_table(&t, size, &random);
        if (!status) status = automaton_finish(&t, 0, &found);
        if (!status && found->states != states) automaton_free(found), found = NULL;
    }
    automaton_table_free(&t);
    if (!status) *out = found;
    return status;
}
