/*
 * nigh/generate.h: answers of a language model: plain, drafted ahead without changing a token (lookahead), under a constraint, past the trained length.
 *
 * A generator serves one cache; several answers (requests) may run in it at once, each a sequence of its own; nigh_generator_step makes one pass for all.
 * Methods by paper: lookahead (drafts), adaptive-rejection-sampling (nigh/controlled.h), lm-infinite (nigh/lm_infinite.h).
 */
#ifndef NIGH_GENERATE_H
#define NIGH_GENERATE_H
#include "nigh/constraint.h"
#include "nigh/lm.h"
#include "nigh/sampling.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lookahead: drafts from a trie of what was read and written ------------------------------------------------- */
/* Zhao et al., "Lookahead: An inference acceleration framework for large language model with lossless generation accuracy". */

typedef enum nigh_draft_mode { NIGH_DRAFT_TREE, NIGH_DRAFT_ONE, NIGH_DRAFT_PARALLEL } nigh_draft_mode;

typedef struct nigh_lookahead_options {
    int64_t width;     /* most drafts of a pass, up to 64; 0: up to 32 of which as many run as pay by measured times and acceptance (16 when always on) */
    int64_t length;    /* of a branch, up to 62; 0: 10 */
    int64_t nodes;     /* most nodes of the trie, at most 32 bytes each; 0: 1,048,576 */
    nigh_draft_mode mode; /* a tree that shares beginnings; its likeliest branch; branches side by side */
} nigh_lookahead_options;

/* The store of drafts: lives across requests. One thread at a time. */
typedef struct nigh_lookahead nigh_lookahead;
NIGH_API nigh_status nigh_lookahead_new(nigh_context *ctx, const nigh_lookahead_options *options, nigh_lookahead **lookahead); /* options NULL: zeros */
NIGH_API void nigh_lookahead_free(nigh_lookahead *lookahead);
NIGH_API nigh_status nigh_lookahead_learn(nigh_lookahead *l, const int32_t *tokens, int64_t count); /* a past answer */
NIGH_API nigh_status nigh_lookahead_save(const nigh_lookahead *l, const char *path); /* safetensors; whole or not at all */
NIGH_API nigh_status nigh_lookahead_load(nigh_lookahead *l, const char *path, int32_t vocabulary); /* adds; NIGH_FORMAT: damaged, or tokens beyond vocabulary */
NIGH_API int64_t nigh_lookahead_nodes(const nigh_lookahead *l);

/* ---- requests --------------------------------------------------------------------------------------------------- */

typedef enum nigh_draft_use { NIGH_DRAFTS_AUTO, NIGH_DRAFTS_OFF, NIGH_DRAFTS_ON } nigh_draft_use;

typedef struct nigh_question {
    const int32_t *prompt; /* not empty */
    int64_t prompt_count;
    int64_t most;           /* tokens of the answer */
    nigh_sampling sampling; /* begin with nigh_sampling_default */
    uint64_t stream;        /* of random numbers: answers with different streams are independent */
    const char *const *stop; /* texts that end the answer (not part of it) */
    int stops;
    bool past_end;          /* end tokens do not end it */
    nigh_constraint *constraint; /* local masking; NULL: none. Its own: constraints are not shared between requests that run at once */
    nigh_draft_use drafts;  /* AUTO: when their measured acceptance pays */
    int64_t sinks, window, limit; /* window > 0: nigh_cache_stream */
    bool log_p;             /* keep log-probabilities */
    int top;                /* and those of so many most likely tokens at each place, at most 20 */
    /* A piece of text is ready (whole UTF-8 characters as far as the bytes allow; nothing of what may become a stop). False ends the answer. May be NULL. */
    bool (*piece)(void *user, const char *bytes, size_t size);
    void *user;
} nigh_question;

typedef enum nigh_finish { NIGH_FINISH_NOT, NIGH_FINISH_END, NIGH_FINISH_STOP, NIGH_FINISH_LENGTH, NIGH_FINISH_CALLER, NIGH_FINISH_CONTEXT } nigh_finish;

typedef struct nigh_top_token {
    int32_t token;
    float log_p;
} nigh_top_token;

/* An end token that ends the answer, and tokens that begin behind a stop text, are no part of it. */
typedef struct nigh_answer {
    nigh_token_list tokens;
    nigh_buffer text;
    double *log_p;          /* [tokens.count] or NULL */
    nigh_top_token *top;    /* [tokens.count][request.top] or NULL */
    nigh_finish finish;
    int64_t passes, drafted, accepted; /* passes after the prompt's, drafts that were run in them, and those that were right */
    double prompt_seconds, seconds;    /* from nigh_generator_begin to the first token; from there on */
    size_t kv_bytes;                   /* keys and values of the cache's sequences when the answer ended */
} nigh_answer;
NIGH_API void nigh_answer_free(nigh_answer *answer); /* what it holds */

typedef struct nigh_generator nigh_generator;
/* lookahead NULL: no drafts. Both outlive the generator. */
NIGH_API nigh_status nigh_generator_new(nigh_cache *cache, nigh_lookahead *lookahead, nigh_generator **generator);
NIGH_API void nigh_generator_free(nigh_generator *generator); /* ends its requests */
/* Takes a request up (prompts that begin like a running or kept sequence share its pages); the answer is valid until nigh_generator_end. */
NIGH_API nigh_status nigh_generator_begin(nigh_generator *g, const nigh_question *request, int *id);
/* One pass for all, of up to 512 rows of prompts (answers go first, without drafts while prompts are read); *running: answers not yet finished. A failure,
 * NIGH_INTERRUPTED too, leaves every request as it can go on: the step may be tried again, or the request that the message names ended. NIGH_RESOURCE: the cache is
 * full, though everything that was kept for later prompts has been dropped. */
NIGH_API nigh_status nigh_generator_step(nigh_generator *g, int *running);
NIGH_API const nigh_answer *nigh_generator_answer(const nigh_generator *g, int id);
NIGH_API void nigh_generator_end(nigh_generator *g, int id); /* frees the answer and its sequence, cancels it when it runs */

/* One request from begin to end. */
NIGH_API nigh_status nigh_generate(nigh_cache *cache, nigh_lookahead *lookahead, const nigh_question *request, nigh_answer *answer);

#ifdef __cplusplus
}
#endif
#endif
