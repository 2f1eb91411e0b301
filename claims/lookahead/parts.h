/* The parts of the claim of lookahead: models and prompts (models.c), answers and their totals (answers.c). */
#ifndef NIGH_CLAIMS_LOOKAHEAD_PARTS_H
#define NIGH_CLAIMS_LOOKAHEAD_PARTS_H
#include "../common.h"

#include "generate/generator.h"

/* ---- models.c ---- */

typedef struct speaker {
    char name[64];
    nigh_lm *lm;
    nigh_cache *cache;
    bool own; /* of bytes */
    struct shifted *shifted; /* the engine that is wrong on purpose, or NULL */
} speaker;

/* A decoder of bytes trained on logs, records, songs and stories (from the store of recipes). */
nigh_status lookahead_own(claim_run *run, speaker *out);
/* A model's file in the folder NIGH_MODELS; lm NULL when it is not there, which a note says. */
nigh_status lookahead_real(claim_run *run, const char *file, speaker *out);
void lookahead_close(speaker *s);

/* COPY: 300 to 800 tokens that the answer repeats much of (own: logs, records, songs; real: a text and the request to say it again). FREE: the beginning of a story. */
typedef enum prompt_kind { PROMPTS_COPY, PROMPTS_FREE } prompt_kind;

typedef struct prompts {
    nigh_context *ctx;
    int count;
    nigh_token_list *at;
} prompts;
nigh_status lookahead_prompts(claim_run *run, const speaker *s, prompt_kind kind, int count, uint64_t seed, prompts *out);
void lookahead_prompts_free(prompts *p);

/* ---- answers.c ---- */

typedef struct totals {
    double passes, tokens, drafted, seconds; /* tokens: but the first of each answer, which the prompt's pass gives */
    int answers, same;                       /* same: as the expected ones */
} totals;

typedef struct asking {
    nigh_generator *g;         /* NULL: a new one for each call, with `lookahead`. One that stays does not read a prompt twice */
    nigh_lookahead *lookahead; /* or NULL */
    nigh_draft_use drafts;
    double temperature;
    int64_t most;
    int together; /* requests at once */
} asking;

/* A generator over the speaker's cache; index-positions: drafts stand at the positions of their rows. */
nigh_status lookahead_generator(claim_run *run, speaker *s, nigh_lookahead *l, nigh_generator **g);

/* Answers to all prompts: kept in `answers` [count] (zeroed, freed by the caller) unless NULL, compared with `expected` unless NULL. */
nigh_status lookahead_ask(claim_run *run, speaker *s, const prompts *p, const asking *how, nigh_token_list *answers, const nigh_token_list *expected, totals *out);

/* Tokens a pass when the drafts are `width` tokens copied from behind the last place where the last 3, 2 or 1 tokens stood before (prompt lookup). */
double lookahead_copied(const prompts *p, const nigh_token_list *answers, int width);
#endif
