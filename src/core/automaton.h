/*
 * Finite automata over bytes: patterns (trees of a regular expression, also with calls of grammar rules), nets (nondeterministic), and minimal
 * deterministic automata whose tables are the same for the same set of byte strings.
 *
 *   pattern  a tree in an arena, made by a parser (automaton_regex.c, lm/constraint_*.c)
 *   net      Thompson's graph of nodes: empty moves, byte sets, embedded automata, calls, the end
 *   automaton  a table: states x classes of bytes; partial (AUTOMATON_NONE: no move), every state is reachable and can still reach the end
 *
 * Hopcroft and Ullman, "Introduction to automata theory, languages, and computation"; Valmari, "Fast brief practical DFA minimization".
 */
#ifndef NIGH_CORE_AUTOMATON_H
#define NIGH_CORE_AUTOMATON_H
#include "nigh/core.h"

#define AUTOMATON_NONE UINT32_MAX

typedef struct automaton {
    nigh_context *ctx;
    uint32_t states, start; /* states 0: the empty set, start AUTOMATON_NONE */
    uint32_t classes;       /* 1 to 256; numbered in the order of their first bytes */
    uint8_t class_of[256];
    uint32_t *next;   /* [states][classes]; states are numbered breadth first from the start (0), bytes upwards */
    uint8_t *accepts; /* [states] */
} automaton;

static inline uint32_t automaton_step(const automaton *a, uint32_t state, uint8_t byte) { return a->next[(size_t)state * a->classes + a->class_of[byte]]; }

/* From `state` (not NONE) over bytes; NONE when no member goes on like this. */
uint32_t automaton_run(const automaton *a, uint32_t state, const char *bytes, size_t size);
bool automaton_accepts(const automaton *a, const char *bytes, size_t size);
void automaton_free(automaton *a); /* NULL is fine */

/* Same set: the tables are equal. */
bool automaton_same(const automaton *a, const automaton *b);

/* a and b, a or b, a but not b. most: of states, 0: 1,000,000 (of pairs met, before minimising); NIGH_RESOURCE beyond. */
typedef enum automaton_operation { AUTOMATON_AND, AUTOMATON_OR, AUTOMATON_MINUS } automaton_operation;
nigh_status automaton_product(const automaton *a, const automaton *b, automaton_operation operation, int64_t most, automaton **out);
/* All byte strings that are not in a. */
nigh_status automaton_complement(const automaton *a, automaton **out);
/* All byte strings. */
nigh_status automaton_all(nigh_context *ctx, automaton **out);
/* A random minimal automaton with exactly `states` states (1 to 4096) over the bytes of `letters` (distinct, at least 2), no move missing but where the
 * complete one has its dead state. `seed` decides it. */
nigh_status automaton_random(nigh_context *ctx, uint32_t states, const char *letters, uint64_t seed, automaton **out);

/* ---- tables under way ------------------------------------------------------------------------------------------- */

typedef struct automaton_table {
    nigh_context *ctx;
    uint32_t states, room, classes;
    int64_t most; /* states */
    uint8_t class_of[256];
    uint32_t *next;
    uint8_t *accepts;
} automaton_table;
nigh_status automaton_table_add(automaton_table *t, bool accepts, uint32_t *state); /* a row of NONE; NIGH_RESOURCE above most */
void automaton_table_free(automaton_table *t);
/* Trims, minimises, renumbers. The table stays the caller's. */
nigh_status automaton_finish(const automaton_table *t, uint32_t start, automaton **out);
/* Bytes that are in the same of both classes; class_of comes and goes, classes is set. */
void automaton_classes_refine(uint8_t class_of[256], uint32_t *classes, const uint8_t other[256]);

/* ---- sets of characters ----------------------------------------------------------------------------------------- */

typedef struct code_range {
    uint32_t low, high;
} code_range;
/* Characters (0 to 0x10FFFF without surrogates). In building: any order; after code_set_normal sorted, apart. */
typedef struct code_set {
    nigh_context *ctx;
    code_range *at;
    int64_t count, room;
} code_set;
nigh_status code_set_add(code_set *s, uint32_t low, uint32_t high);
nigh_status code_set_normal(code_set *s);
nigh_status code_set_invert(code_set *s); /* both normal */
bool code_set_has(const code_set *s, uint32_t code); /* normal */
/* Adds a Unicode general category by name ("L", "Lu", "N", "L&", "Any"). *known tells. */
nigh_status code_set_add_category(code_set *s, const char *name, size_t size, bool *known);
/* Adds what differs only in case. */
nigh_status code_set_fold(code_set *s);
void code_set_free(code_set *s);
size_t utf8_put(uint32_t code, char out[4]);
/* Reads one character; 0: not UTF-8. */
size_t utf8_get(const char *bytes, size_t size, uint32_t *code);

/* ---- patterns --------------------------------------------------------------------------------------------------- */

typedef enum pattern_kind {
    PATTERN_EMPTY,   /* the empty string */
    PATTERN_NOTHING, /* no string */
    PATTERN_BYTES, PATTERN_SET, PATTERN_CHAIN, PATTERN_EITHER, PATTERN_REPEAT, PATTERN_AUTOMATON, PATTERN_CALL,
    PATTERN_LIST /* the second child and those after it in order, optional ones may be left out, the first child between those that are there; the last may repeat when `loop` */
} pattern_kind;

typedef struct pattern {
    pattern_kind kind;
    bool optional, loop;   /* of a child of a list; of a list */
    uint32_t rule;
    struct pattern *first, *last, *next; /* children */
    union {
        struct {
            const char *bytes;
            size_t size;
        };
        struct {
            const code_range *ranges;
            int64_t count;
        };
        struct {
            int64_t low, high; /* high -1: no end */
        };
        const automaton *automaton; /* borrowed */
    };
} pattern;

/* NULL: no memory. Children are taken over: a pattern stands in one place only. */
pattern *pattern_new(nigh_arena *arena, pattern_kind kind);
pattern *pattern_bytes(nigh_arena *arena, const char *bytes, size_t size); /* copied */
pattern *pattern_set(nigh_arena *arena, const code_set *set);             /* normal; copied */
pattern *pattern_repeat(nigh_arena *arena, pattern *child, int64_t low, int64_t high);
pattern *pattern_call(nigh_arena *arena, uint32_t rule);
pattern *pattern_automaton(nigh_arena *arena, const automaton *a);
/* Appends (either may be NULL after a failure: then parent or NULL comes back as NULL). */
pattern *pattern_add(pattern *parent, pattern *child);

/* ---- nets ------------------------------------------------------------------------------------------------------- */

typedef enum net_kind { NET_EMPTY, NET_SET, NET_AUTOMATON, NET_CALL, NET_END } net_kind;
typedef struct net_node {
    uint32_t kind;
    uint32_t a;   /* EMPTY: the second move or NONE; SET, AUTOMATON: index; CALL: rule */
    uint32_t b;   /* AUTOMATON: its state (nodes of one place stand in a row) */
    uint32_t out; /* where it goes on */
} net_node;
typedef struct byte_set {
    uint64_t word[4];
} byte_set;
static inline bool byte_set_has(const byte_set *s, uint8_t byte) { return s->word[byte >> 6] >> (byte & 63) & 1; }

typedef struct net {
    nigh_context *ctx;
    uint32_t count, room, most; /* nodes */
    net_node *node;
    byte_set *set;
    uint32_t sets, set_room;
    struct net_class *class; /* automata of sets of characters, its own; and borrowed ones */
    uint32_t classes, class_room;
} net;
typedef struct net_class {
    const automaton *automaton;
    automaton *own;
    uint64_t hash; /* of the ranges; 0: borrowed */
    code_range *ranges;
    int64_t count;
} net_class;

void net_free(net *n);
nigh_status net_own(net *n, automaton *a); /* the net frees it; taken over (also on failure). Patterns may stand for it */
nigh_status net_node_new(net *n, net_kind kind, uint32_t a, uint32_t b, uint32_t out, uint32_t *node);
/* The nodes of a pattern, which goes on at `out`; *start is where it begins. NIGH_RESOURCE above `most` nodes. */
nigh_status net_build(net *n, const pattern *p, uint32_t out, uint32_t *start);
/* Classes of bytes that no node tells apart. */
void net_byte_classes(const net *n, uint8_t class_of[256], uint32_t *classes);
/* The minimal automaton of what leads from `start` to an end; no calls. `most` states on the way. */
nigh_status net_determine(const net *n, uint32_t start, int64_t most, automaton **out);
/* Both steps. */
nigh_status automaton_from_pattern(nigh_context *ctx, const pattern *p, int64_t most, automaton **out);

/* ---- regular expressions (automaton_regex.c) -------------------------------------------------------------------- */

typedef struct regex_options {
    bool search; /* it may stand anywhere in the text (JSON schema), unless ^ and $ say otherwise; else the whole text matches */
    bool json;   /* the bytes of the automaton are those of a JSON string between its quotes, in their shortest usual spelling */
} regex_options;
/* The syntax of nigh_constraint_regex. most 0: 1,000,000 states. */
nigh_status automaton_regex(nigh_context *ctx, const char *text, size_t size, const regex_options *options, int64_t most, automaton **out);
/* The pattern alone; anchors: the bytes fe and ff in it stand for ^ and $ and are still to be taken out. */
nigh_status regex_parse(nigh_arena *arena, nigh_context *ctx, const char *text, size_t size, const regex_options *options, pattern **out, bool *anchors);
/* One character of a JSON string in its shortest usual spelling, as a pattern of a normal set. */
pattern *pattern_json_set(nigh_arena *arena, const code_set *set);
#endif
