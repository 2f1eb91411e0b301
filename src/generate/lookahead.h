/*
 * Inside of lookahead: drafts from the trie, what is known of their acceptance, and how many of them pay. The public side is nigh/generate.h.
 *
 * A draft is a token that may come, below another draft or below the last token of the text. Its chance is the product along its path of the measured
 * acceptance of tokens like it: alike by the length of the context that was found in the trie, by their share of what followed it, and by their rank.
 */
#ifndef NIGH_GENERATE_LOOKAHEAD_H
#define NIGH_GENERATE_LOOKAHEAD_H
#include "core/trie.h"
#include "nigh/generate.h"

enum {
    LOOKAHEAD_WIDTH = 32,      /* most drafts of a text when the options leave it open */
    LOOKAHEAD_MOST_WIDTH = 64,
    LOOKAHEAD_CONTEXT = 8,     /* longest context that is looked up */
    LOOKAHEAD_CELLS = LOOKAHEAD_CONTEXT * 4 * 2 * 3,
    PLAN_SIZES = 16
};

typedef struct lookahead_cell {
    float offered, accepted;
} lookahead_cell;

/* Seconds of passes by their rows, learnt from the passes that are made anyway. Zero-initialise. */
typedef struct plan_costs {
    double rows[PLAN_SIZES], seconds[PLAN_SIZES], weight[PLAN_SIZES];
    int64_t plain, passes; /* passes without drafts; all */
    double drafting, learning; /* seconds of looking for drafts and of learning from an answer, beside a pass */
} plan_costs;

struct nigh_lookahead {
    nigh_context *ctx;
    nigh_lookahead_options options; /* no zeros but width's */
    trie store;
    lookahead_cell cell[LOOKAHEAD_CELLS];
    plan_costs costs; /* of passes of `costs_of` */
    const void *costs_of;
    bool frozen; /* generators teach it nothing */
};

typedef struct lookahead_draft {
    int32_t token;
    int16_t parent, depth; /* parent -1: the text itself; depth from 1 */
    int16_t cell, match;   /* length of its context in the trie */
    float chance;          /* that it is accepted with all above it */
    int64_t state;         /* of the constraint after it */
} lookahead_draft;

/* Parents stand before their children; chances fall (but in PARALLEL, where branches stand one after the other). */
typedef struct lookahead_drafts {
    int count;
    lookahead_draft at[LOOKAHEAD_MOST_WIDTH];
} lookahead_drafts;

/* What a constraint lets through: the state after a token, or -1. */
typedef struct lookahead_filter {
    void *user;
    int64_t state; /* of the text */
    int64_t (*step)(void *user, int64_t state, int32_t token);
} lookahead_filter;

/* Drafts for a text, at most `most` of them, at most `deepest` deep. filter may be NULL. A few microseconds; at most 50 at a million nodes. */
void lookahead_propose(const nigh_lookahead *l, const int32_t *tokens, int64_t count, int most, int64_t deepest, const lookahead_filter *filter, lookahead_drafts *out);

/* What really came: counts acceptance, whether the drafts were run or not. */
void lookahead_observe(nigh_lookahead *l, const lookahead_drafts *d, const int32_t *came, int64_t count);

/* The file's content; `name` stands for it in messages. */
nigh_status lookahead_parse(nigh_lookahead *l, const void *bytes, size_t size, const char *name, int32_t vocabulary);
nigh_status lookahead_format(const nigh_lookahead *l, nigh_buffer *out);

/* ---- how many drafts pay --------------------------------------------------------------------------------------- */

void plan_note(plan_costs *c, int64_t rows, double seconds, bool plain);
void plan_note_beside(double *mean, double seconds); /* drafting or learning */
double plan_drafting(const plan_costs *c); /* seconds of looking for drafts over those of a pass of one row */
double plan_cost(const plan_costs *c, double rows); /* seconds in some unit; what was never measured follows what was, 7% a row at first */

/*
 * How many of the drafts (chances falling, [count]) to run beside `rows` rows that must be run: the number with the most expected tokens a second; 0 when that
 * is not 1.03 times what no drafts give. The first passes, and then one of 64 unless drafts double the pace, go without, so that their time is known.
 */
int plan_choose(const plan_costs *c, int64_t rows, const float *chance, int count);
#endif
