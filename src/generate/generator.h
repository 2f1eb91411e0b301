/*
 * Inside of a generator: what it asks of an engine, and the answers in the making ("turns"). The public side is nigh/generate.h.
 *
 * A turn has a history (prompt and answer) of which `fed` tokens are in its sequence; at least one never is. A pass feeds the rest: one token and drafts below it,
 * or a chunk of a prompt. After the row of the last token the next one is drawn. Whatever fails, fed is what the sequence holds, so a step can be tried again.
 */
#ifndef NIGH_GENERATE_GENERATOR_H
#define NIGH_GENERATE_GENERATOR_H
#include "generate/lookahead.h"

/* What nigh/lm.h says of the functions of the same names. */
typedef struct generator_engine {
    void *user;
    nigh_context *ctx;
    const nigh_tokenizer *tokenizer;
    int32_t vocabulary;
    int64_t limit;         /* most positions of a sequence; 0: none */
    size_t position_bytes; /* of one position of a sequence */
    nigh_status (*sequence)(void *user, int *sequence);
    nigh_status (*fork)(void *user, int sequence, int64_t length, int *fork);
    nigh_status (*cut)(void *user, int sequence, int64_t length);
    void (*drop)(void *user, int sequence);
    nigh_status (*stream)(void *user, int sequence, int64_t sinks, int64_t window, int64_t limit);
    nigh_status (*run)(void *user, const nigh_lm_pass *pass);
    nigh_status (*accept)(void *user, int sequence, const int32_t *rows, int64_t count);
    size_t (*bytes)(void *user); /* nigh_cache_bytes; NULL: 0 */
} generator_engine;

enum { GENERATOR_ROWS = 512, GENERATOR_KEPT = 8, GENERATOR_MOST_TOP = 20 };

/* A turn's text on its way out. */
typedef struct turn_text {
    size_t shown;   /* bytes that the caller has seen */
    size_t longest; /* stop text */
    nigh_token_list ends; /* where the text of each token of the answer ends, in bytes */
} turn_text;

typedef struct turn {
    nigh_question request; /* pointers into memory of its own but prompt, which is in history */
    char **stop;
    int sequence; /* -1: none yet */
    nigh_token_list history;
    int64_t fed, log_room;
    nigh_sampler *sampler;
    nigh_masks *masks;
    int64_t state; /* of the constraint */
    bool learnt;   /* its prompt passes through the store */
    int idle;      /* steps since drafts last paid */
    trie_cursor cursor;
    double began;
    turn_text text;
    nigh_answer answer;
    /* of the pass at hand */
    int64_t row, rows; /* its rows in the pass without drafts; 0 rows: none */
    int64_t logits;    /* place of its first wanted row */
    lookahead_drafts drafts; /* proposed; the first `run` stand in the pass behind its row */
    int run;
} turn;

/* An ended sequence whose pages later prompts may share. */
typedef struct kept_sequence {
    int sequence;
    nigh_token_list tokens;
    uint64_t used;
} kept_sequence;

struct nigh_generator {
    nigh_context *ctx;
    generator_engine engine;
    nigh_lookahead *lookahead; /* or NULL */
    turn **turns;              /* by id; NULL: free */
    int room;
    kept_sequence kept[GENERATOR_KEPT];
    int kept_count;
    uint64_t clock; /* of uses of kept sequences */
    plan_costs own_costs, *costs; /* of the cache; the store of drafts keeps them for the next generator */
    int64_t steps;
    nigh_lm_row *rows; /* [GENERATOR_ROWS + ...] of a pass */
    int64_t rows_room, logits_room;
    float *logits;
    float *chances; /* of all drafts of a step, [room * LOOKAHEAD_MOST_WIDTH] */
    int chances_room;
};

/* The engine of a cache, which outlives it. */
void generator_engine_of(nigh_cache *cache, generator_engine *engine);

/* The engine's memory is the caller's. */
nigh_status generator_new(const generator_engine *engine, nigh_lookahead *lookahead, nigh_generator **generator);

/* Turns (generator_turn.c). */
nigh_status turn_new(nigh_generator *g, const nigh_question *request, turn **out);
void turn_free(nigh_generator *g, turn *t); /* its sequence must be gone; its prompt passes no longer through the store of drafts */
nigh_status turn_learn(nigh_generator *g, turn *t); /* puts the prompt into the store of drafts */

/* Draws the token after the history from logits and appends it, or finishes the answer, or both. An end token is told and not appended; *token -1: the
 * constraint leaves nothing to draw. A failure changes nothing. */
nigh_status turn_draw(nigh_generator *g, turn *t, const float *logits, int32_t *token);

/* Text (generator_text.c): takes up the bytes of a token; the finish that follows, or NIGH_FINISH_NOT. */
nigh_status turn_text_add(nigh_generator *g, turn *t, int32_t token, nigh_finish *finish);
void turn_text_end(turn *t); /* hands out what was held back */

/* Sequences and their prefixes (generator_prefix.c). */
nigh_status prefix_start(nigh_generator *g, turn *t, bool *started); /* a sequence with as much of the history as another holds; false: worth waiting */
void prefix_end(nigh_generator *g, turn *t);                         /* keeps or drops the sequence */
bool prefix_evict(nigh_generator *g);                                /* drops the one used longest ago; false: there is none */

/* A pass (generator_step.c). */
nigh_status generator_pass(nigh_generator *g);
#endif
