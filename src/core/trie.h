/*
 * A trie of what follows what: windows of a text of symbols (tokens, words, bytes) up to a depth, each node with two counts.
 *
 * 28 bytes a node and 4 of the table that finds children: one allocation each, nodes are numbers. Siblings stand nearly in the order of their worth, so
 * that the likeliest continuation is near the front however many there are. Bounded: when it is full, lasting counts are halved and what comes to nothing is
 * taken out, again and again until a quarter is free.
 * Tokens are 0 or above. One thread at a time.
 */
#ifndef NIGH_CORE_TRIE_H
#define NIGH_CORE_TRIE_H
#include "nigh/core.h"

/* LASTING counts age by halving; PASSING ones are taken back by trie_forget. */
typedef enum trie_kind { TRIE_LASTING, TRIE_PASSING } trie_kind;

enum { TRIE_MOST_DEPTH = 64, TRIE_LEAST_NODES = 1024 };

typedef struct trie_node {
    int32_t token;
    uint32_t parent, child, next, prev, chain; /* numbers of nodes, 0: none (node 0 is the root) */
    uint16_t count[2];                         /* stop at 65535 */
} trie_node;

typedef struct trie {
    nigh_context *ctx;
    trie_node *node;
    uint32_t *bucket; /* [room] first of the nodes with this hash */
    uint32_t room, used, free, most;
    int64_t count; /* nodes without the root */
    int depth;
    int64_t prunes, removals; /* so far */
} trie;

/* Where the ends of a text stand, for trie_extend. Zero-initialise; one for each text. */
typedef struct trie_cursor {
    uint32_t node[TRIE_MOST_DEPTH + 1]; /* of the last d tokens; 0: there is none */
    int64_t count, removals;            /* of tokens; of the trie then */
} trie_cursor;

/* most: nodes, TRIE_LEAST_NODES .. 2^31 - 1; depth 1 .. TRIE_MOST_DEPTH. Memory comes as it is needed. A zeroed trie may be freed. */
nigh_status trie_new(nigh_context *ctx, int64_t most, int depth, trie *out);
void trie_free(trie *t);
size_t trie_bytes(const trie *t);

/* The child, or 0. */
uint32_t trie_child(const trie *t, uint32_t node, int32_t token);
/* The node of a word from the root; 0: none. count 0 gives the root, which is 0 too. */
uint32_t trie_find(const trie *t, const int32_t *tokens, int64_t count);

/* Lexicographic: what passes by first, then what lasts. */
static inline uint32_t trie_worth(const trie_node *n) { return (uint32_t)n->count[TRIE_PASSING] << 16 | n->count[TRIE_LASTING]; }

/* Counts all windows of `depth` tokens and the shorter ones at the end. NIGH_MEMORY: what was counted before stays. About 0.8 us a token at depth 11. */
nigh_status trie_learn(trie *t, const int32_t *tokens, int64_t count, trie_kind kind);
/* What the last token of `tokens` adds: learning one by one is the same as learning all. `depth` steps when the call before was for one token less. */
nigh_status trie_extend(trie *t, trie_cursor *cursor, const int32_t *tokens, int64_t count, trie_kind kind);
/* Takes back a trie_learn of PASSING; nodes that nothing counts any more are gone. */
void trie_forget(trie *t, const int32_t *tokens, int64_t count);

/* One node below `parent` (0: the root) with counts added, cut to the parent's; *node 0: no room is left. For loading. */
nigh_status trie_add(trie *t, uint32_t parent, int32_t token, uint16_t lasting, uint32_t *node);
/* Halves lasting counts and takes out what comes to nothing. */
void trie_prune(trie *t);
#endif
