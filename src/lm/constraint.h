/* The inside of constraints: tables of states for the quick kinds, questions about whole prefixes for predicates. */
#ifndef NIGH_LM_CONSTRAINT_H
#define NIGH_LM_CONSTRAINT_H
#include "lm/recogniser.h"
#include "nigh/constraint.h"

/* Prefixes that a predicate was asked about, as a tree of bytes. */
typedef struct prefixes prefixes;

struct nigh_constraint {
    nigh_context *ctx;
    nigh_status status;
    char *message; /* of status, or NULL */
    int64_t steps;
    automaton *automaton;   /* a regular expression; */
    recogniser *recogniser; /* or a grammar; */
    prefixes *prefixes;     /* or a predicate */
    state_table own;        /* of the automaton: borrows from it */
    const state_table *table; /* NULL: a predicate */
};

/* The state after a byte, where table->next says STATE_UNKNOWN; NONE also after a failure, which is kept. */
uint32_t constraint_ask(nigh_constraint *c, uint32_t state, uint8_t byte);
static inline uint32_t constraint_next(nigh_constraint *c, uint32_t state, uint8_t byte)
{
    const state_table *t = c->table;
    uint32_t next = t->next[(size_t)state * t->classes + t->class_of[byte]];
    return next == STATE_UNKNOWN ? constraint_ask(c, state, byte) : next;
}
void constraint_fails(nigh_constraint *c, nigh_status status); /* keeps the first failure and its message */

/* A constraint over a grammar, which is taken over (also on failure). */
nigh_status constraint_of_grammar(grammar *g, nigh_constraint **out);
/* A constraint over an automaton, taken over (also on failure). */
nigh_status constraint_of_automaton(automaton *a, nigh_constraint **out);

/* ---- predicates (constraint_predicate.c) ---- */

/* release: NULL, or the end of a program, whose callbacks give minus a status when they fail. */
nigh_status prefixes_new(nigh_context *ctx, const nigh_predicate *predicate, void (*release)(void *user), prefixes **out);
void prefixes_free(prefixes *p);
int64_t prefixes_start(nigh_constraint *c);
int64_t prefixes_step(nigh_constraint *c, int64_t state, const char *bytes, size_t size);
bool prefixes_complete(nigh_constraint *c, int64_t state);
/* Would state and these bytes be allowed? Makes no state. */
bool prefixes_allows(nigh_constraint *c, int64_t state, const char *bytes, size_t size);

/* ---- tries of vocabularies and masks over them (vocabulary.c, masks.c) ---- */

typedef struct word {
    const char *bytes;
    size_t size;   /* 0: never allowed as text */
    bool ends;     /* allowed where a member is complete */
} word;

/* Of a node: a byte below is beyond ASCII; a word here or below is not UTF-8; the node ends inside of a character. */
enum { BELOW_HIGH = 1, BELOW_ILL = 2, INSIDE = 4 };

typedef struct word_node {
    int32_t past;    /* the first node that is not below */
    int32_t at;      /* words of node i are order[node[i].at .. node[i + 1].at) */
    uint16_t depth;  /* of the byte: 1 for first bytes */
    uint8_t byte;
    uint8_t flags;
} word_node;

typedef struct ascii_set {
    uint64_t word[2];
} ascii_set;

/* Nodes in the order of a walk: a node's children follow it. Immutable. */
typedef struct vocabulary {
    nigh_context *ctx;
    int32_t words;
    int32_t nodes;
    word_node *node;     /* [nodes + 1] */
    ascii_set *below;    /* [nodes]: bytes of all nodes below */
    int32_t *order;
    int deepest;
    int32_t *ends, end_count;
    char *text;          /* all bytes; words are text[text_at[i] .. text_at[i + 1]) */
    int64_t *text_at;
    uint8_t *is_end;     /* [words] */
    const nigh_tokenizer *of;
    int users;
} vocabulary;
nigh_status vocabulary_new(nigh_context *ctx, const word *words, int32_t count, vocabulary **out);
void vocabulary_free(vocabulary *v); /* gives up one use */
/* Masks over a vocabulary, which is taken over (also on failure). */
nigh_status masks_of_vocabulary(nigh_context *ctx, nigh_constraint *c, vocabulary *v, size_t bytes, nigh_masks **masks);
/* The vocabulary of a tokenizer, shared among masks that live at once in a context. */
nigh_status vocabulary_of(nigh_context *ctx, const nigh_tokenizer *t, vocabulary **out);
#endif
