/* Constraints of all kinds behind one face. Declared in nigh/constraint.h. */
#include "lm/constraint.h"

#include <string.h>

enum { AT_ONCE = 5000 }; /* states of a regular expression that are made before the first byte */

void constraint_fails(nigh_constraint *c, nigh_status status)
{
    if (c->status || !status) return;
    c->status = status;
    c->message = nigh_strdup(c->ctx, nigh_message(c->ctx));
}

uint32_t constraint_ask(nigh_constraint *c, uint32_t state, uint8_t byte)
{
    uint32_t next = AUTOMATON_NONE;
    nigh_status status = c->status ? c->status : recogniser_step(c->recogniser, state, byte, &next);
    constraint_fails(c, status);
    return status ? AUTOMATON_NONE : next;
}

static nigh_constraint *constraint_new(nigh_context *ctx)
{
    nigh_constraint *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (c) c->ctx = ctx;
    return c;
}

nigh_status constraint_of_automaton(automaton *a, nigh_constraint **out)
{
    nigh_constraint *c = constraint_new(a->ctx);
    if (!c) return automaton_free(a), NIGH_MEMORY;
    c->automaton = a;
    c->own = (state_table){.classes = a->classes, .states = a->states, .start = a->start, .next = a->next, .complete = a->accepts};
    memcpy(c->own.class_of, a->class_of, sizeof a->class_of);
    c->table = &c->own;
    *out = c;
    return NIGH_OK;
}

nigh_status constraint_of_grammar(grammar *g, nigh_constraint **out)
{
    nigh_constraint *c = constraint_new(g->ctx);
    if (!c) return grammar_free(g), NIGH_MEMORY;
    nigh_status status = recogniser_new(g, 0, &c->recogniser);
    if (status) return nigh_constraint_free(c), status;
    c->table = recogniser_table(c->recogniser);
    *out = c;
    return NIGH_OK;
}

/* A grammar of one rule: its states are made as they are met. */
static nigh_status regex_as_met(nigh_context *ctx, const char *text, size_t size, nigh_constraint **c)
{
    nigh_arena *arena = NULL;
    pattern *whole = NULL;
    bool anchors = false;
    grammar g = {.ctx = ctx, .net = {.ctx = ctx, .most = 1 << 21}, .rules = 1};
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    status = regex_parse(arena, ctx, text, size, NULL, &whole, &anchors);
    if (!status && anchors) status = nigh_fail(ctx, NIGH_RESOURCE, "regular expression: it needs more than %d states, which is allowed only without ^ and $", AT_ONCE);
    if (!status && !(g.start = nigh_alloc(ctx, sizeof *g.start))) status = NIGH_MEMORY;
    if (!status) status = net_node_new(&g.net, NET_END, 0, 0, 0, &g.end);
    if (!status) status = net_build(&g.net, whole, g.end, &g.start[0]);
    nigh_arena_free(arena);
    if (!status) return constraint_of_grammar(&g, c);
    grammar_free(&g);
    return status;
}

nigh_status nigh_constraint_regex(nigh_context *ctx, const char *text, int64_t states, nigh_constraint **c)
{
    if (states < 0 || states > 100000000) return nigh_fail(ctx, NIGH_INVALID, "states is %lld; 0 to 100,000,000 are allowed", (long long)states);
    automaton *a = NULL;
    size_t size = strlen(text);
    nigh_status status = automaton_regex(ctx, text, size, NULL, states ? states : AT_ONCE, &a);
    if (status == NIGH_RESOURCE && !states) return regex_as_met(ctx, text, size, c);
    return status ? status : constraint_of_automaton(a, c);
}

static nigh_status predicate_constraint(nigh_context *ctx, const nigh_predicate *predicate, nigh_constraint **out)
{
    nigh_constraint *c = constraint_new(ctx);
    nigh_status status = c ? prefixes_new(ctx, predicate, NULL, &c->prefixes) : NIGH_MEMORY;
    if (status)
        nigh_free(ctx, c);
    else
        *out = c;
    return status;
}

nigh_status nigh_constraint_predicate(nigh_context *ctx, const nigh_predicate *predicate, nigh_constraint **c)
{
    if (!predicate->prefix_ok || !predicate->complete_ok) return nigh_fail(ctx, NIGH_INVALID, "a predicate without prefix_ok or complete_ok");
    return predicate_constraint(ctx, predicate, c);
}

void nigh_constraint_free(nigh_constraint *c)
{
    if (!c) return;
    automaton_free(c->automaton);
    recogniser_free(c->recogniser);
    prefixes_free(c->prefixes);
    nigh_free(c->ctx, c->message);
    nigh_free(c->ctx, c);
}

int64_t nigh_constraint_start(nigh_constraint *c)
{
    if (c->prefixes) return prefixes_start(c);
    return c->table->start == AUTOMATON_NONE ? -1 : (int64_t)c->table->start;
}

int64_t nigh_constraint_step(nigh_constraint *c, int64_t state, const char *bytes, size_t size)
{
    c->steps++;
    if (state < 0) return -1;
    if (c->prefixes) return prefixes_step(c, state, bytes, size);
    if (state >= c->table->states) return -1;
    const state_table *t = c->table;
    const uint32_t *table = t->next;
    size_t classes = t->classes;
    uint32_t s = (uint32_t)state;
    for (size_t i = 0; i < size; i++) {
        uint32_t next = table[s * classes + t->class_of[(uint8_t)bytes[i]]];
        if (next >= STATE_UNKNOWN) {
            if (next == STATE_UNKNOWN) next = constraint_ask(c, s, (uint8_t)bytes[i]);
            if (next == AUTOMATON_NONE) return -1;
            table = t->next;
        }
        s = next;
    }
    return s;
}

bool nigh_constraint_complete(nigh_constraint *c, int64_t state)
{
    if (state < 0) return false;
    if (c->prefixes) return prefixes_complete(c, state);
    return state < c->table->states && c->table->complete[state];
}

nigh_status nigh_constraint_status(const nigh_constraint *c)
{
    if (c->status) nigh_fail(c->ctx, c->status, "%s", c->message ? c->message : nigh_status_text(c->status));
    return c->status;
}

int64_t nigh_constraint_steps(const nigh_constraint *c) { return c->steps; }
