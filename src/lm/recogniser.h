/*
 * Prefixes of a context-free grammar over bytes, as numbered states: two prefixes that can go on in the same ways share a state as far as that is cheap.
 *
 * Earley's algorithm without positions. An item is a place in a rule with a frame: where the rule returns to, (place, frame) pairs, which are interned by
 * what they hold; so a state is a set of items and is the same whenever its set is. Rules that call each other at their left edge make one group, whose frames
 * refer to each other; empty rules are stepped over when they are called; a call at the end of a rule returns to where the rule would, so that lists written by
 * right recursion stay flat. Steps are kept in a table: a step that was made before is a look-up.
 * Earley, "An efficient context-free parsing algorithm"; Aycock and Horspool, "Practical Earley parsing"; Leo, "A general context-free parsing algorithm
 * running in linear time on every LR(k) grammar without using lookahead".
 */
#ifndef NIGH_LM_RECOGNISER_H
#define NIGH_LM_RECOGNISER_H
#include "core/automaton.h"

/* Rules as nets: start[rule] in one net whose node `end` ends every rule. NONE: the rule has no member. */
typedef struct grammar {
    nigh_context *ctx;
    net net;
    uint32_t end, rules, root;
    uint32_t *start; /* [rules] */
} grammar;
void grammar_free(grammar *g);

#define STATE_UNKNOWN (UINT32_MAX - 1) /* in a row: not yet asked */

/* Rows of a state: next[state * classes + class_of[byte]]: a state, AUTOMATON_NONE or STATE_UNKNOWN. Tables move when states are added. */
typedef struct state_table {
    uint8_t class_of[256];
    uint32_t classes, states, start; /* start AUTOMATON_NONE: no member at all */
    uint32_t *next;
    uint8_t *complete;
} state_table;

typedef struct recogniser recogniser;
/* Takes the grammar over (also on failure). most: of states, 0: 1,000,000. */
nigh_status recogniser_new(grammar *g, int64_t most, recogniser **out);
void recogniser_free(recogniser *r); /* NULL is fine */
state_table *recogniser_table(recogniser *r);
/* Fills in next of a state and a byte. NIGH_RESOURCE: too many states, or items in one. */
nigh_status recogniser_step(recogniser *r, uint32_t state, uint8_t byte, uint32_t *next);

/* ---- inside: what is known of a grammar before any byte (recogniser_grammar.c) ---- */

typedef struct left_call {
    uint32_t rule, back; /* the rule called; where it returns to */
} left_call;

typedef struct grammar_facts {
    uint8_t *alive;             /* [nodes]: an end can be reached */
    uint8_t *productive, *nullable; /* [rules] */
    uint32_t *group;            /* [rules]: rules that reach each other by left calls share one; callers have lower numbers */
    uint32_t groups;
    uint32_t *byte_at, *byte;   /* [rules + 1]; nodes that read a byte at the left edge of a rule */
    uint32_t *call_at;          /* [rules + 1] */
    left_call *call;            /* calls at the left edge */
    uint32_t *last;             /* [automata of the net]: the state without moves, or NONE */
} grammar_facts;
nigh_status grammar_learn(const grammar *g, grammar_facts *facts);
void grammar_forget(nigh_context *ctx, grammar_facts *facts);
/* The node itself, or the one behind empty moves that leave no choice. */
uint32_t grammar_skip(const grammar *g, const grammar_facts *f, uint32_t node);
#endif
