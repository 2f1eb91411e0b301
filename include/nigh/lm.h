/*
 * nigh/lm.h: the language-model engine: models from GGUF files and Hugging Face directories, passes over batches of tokens, and hooks.
 *
 *   nigh_lm *lm;        nigh_lm_load(ctx, "model.gguf", NULL, &lm);
 *   nigh_cache *cache;  nigh_cache_new(ctx, lm, NULL, &cache);
 *   int s;              nigh_cache_sequence(cache, &s);
 *   nigh_lm_read(cache, s, prompt, n, logits);           the logits after the last token, [vocabulary]
 *   nigh_lm_read(cache, s, &next, 1, logits); ...
 *
 * A model is immutable: any number of caches, each used by one thread at a time, may share it. A cache holds keys and values of many sequences in pages of
 * 64 positions; sequences share pages of a common prefix (nigh_cache_fork) until one writes to them.
 *
 * Same bits. The logits of a token are the same bits whatever else is in its pass (other sequences, other tokens of its own, drafts that are rejected) and
 * however its prefix was cut into passes: every sum has an order fixed by the row and by absolute positions, not by the batch. This holds for any
 * number of threads and rows of a pass. It is what makes drafting lossless (nigh/generate.h).
 *
 * Architectures: llama (SmolLM2, Llama 2 and 3, TinyLlama, Mistral), qwen2, qwen3, gemma3, gpt2; one row of a table each (src/lm/architecture.c).
 * Errors: NIGH_IO, NIGH_FORMAT and NIGH_UNSUPPORTED name file, key or tensor; NIGH_MEMORY; NIGH_RESOURCE: the cache is full; NIGH_INVALID: a token or
 * sequence that does not exist.
 */
#ifndef NIGH_LM_H
#define NIGH_LM_H
#include "nigh/tokens.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models --------------------------------------------------------------------------------------------------- */

typedef struct nigh_lm nigh_lm;

typedef struct nigh_lm_info {
    const char *architecture, *name; /* "llama", "SmolLM2 135M Instruct" (may be "") */
    int64_t layers, width, hidden, heads, kv_heads, head_size, vocabulary;
    int64_t context;      /* trained length */
    int64_t window;       /* of layers that look back only so far (Gemma 3); 0: none */
    bool rotary;          /* relative positions; false: a learned table (GPT-2) */
    size_t weight_bytes;  /* that a pass over one token reads */
    size_t kv_bytes;      /* of one position in an f16 cache */
} nigh_lm_info;

/* path: a GGUF file, or a directory with config.json, tokenizer.json and *.safetensors. Repacks the weights on the context's threads. */
NIGH_API nigh_status nigh_lm_load(nigh_context *ctx, const char *path, nigh_lm **lm);
NIGH_API void nigh_lm_free(nigh_lm *lm); /* after its caches; NULL is fine */
NIGH_API const nigh_lm_info *nigh_lm_about(const nigh_lm *lm);
NIGH_API const nigh_tokenizer *nigh_lm_tokenizer(const nigh_lm *lm);
NIGH_API void nigh_lm_embedding(const nigh_lm *lm, int32_t token, float *row); /* [width], as the table has it */

/* ---- caches and sequences ------------------------------------------------------------------------------------- */

typedef enum nigh_kv_type { NIGH_KV_F16, NIGH_KV_F32, NIGH_KV_Q8 } nigh_kv_type;

typedef struct nigh_cache_options {
    int64_t tokens;    /* most positions of all sequences together, 64 at a time; memory comes as it is needed. 0: no bound but memory */
    nigh_kv_type type; /* F16; Q8: s8 with an f16 scale for each head and position */
    int threads;       /* of a pass; 0: the context's */
} nigh_cache_options;

typedef struct nigh_cache nigh_cache;
NIGH_API nigh_status nigh_cache_new(nigh_context *ctx, const nigh_lm *lm, const nigh_cache_options *options, nigh_cache **cache); /* options NULL: zeros */
NIGH_API void nigh_cache_free(nigh_cache *cache); /* NULL is fine */
NIGH_API const nigh_lm *nigh_cache_lm(const nigh_cache *cache);
NIGH_API size_t nigh_cache_bytes(const nigh_cache *cache); /* of pages in use */

NIGH_API nigh_status nigh_cache_sequence(nigh_cache *cache, int *sequence); /* empty */
/* A new sequence with the first `length` tokens of another: pages are shared, whole ones until the end of both, the last one until one writes to it. */
NIGH_API nigh_status nigh_cache_fork(nigh_cache *cache, int sequence, int64_t length, int *fork);
NIGH_API nigh_status nigh_cache_cut(nigh_cache *cache, int sequence, int64_t length); /* forgets what is at positions >= length */
NIGH_API void nigh_cache_drop(nigh_cache *cache, int sequence);                      /* ends the sequence */
NIGH_API int64_t nigh_cache_length(const nigh_cache *cache, int sequence);

/*
 * From now on (before its first token) layers that would see everything see the first `sinks` tokens and the last `window` ones, pages between are given
 * back; a first token that lies beyond the window is seen as if it were `limit` away (its key unrotated, the query turned by `limit`), one within at its own distance.
 * limit 0: true distances. In layers with a window of their own nothing changes. NIGH_UNSUPPORTED: learned positions.
 * Source: Han et al., "LM-Infinite: Zero-shot extreme length generalization for large language models".
 */
NIGH_API nigh_status nigh_cache_stream(nigh_cache *cache, int sequence, int64_t sinks, int64_t window, int64_t limit);

/* Keys (rotated) and values of positions first .. first + count - 1 as f32, [count][kv_heads][head_size] each; either may be NULL. Writing makes positions
 * up to the length of the sequence other than they were, or lengthens it by whole tokens in all layers (write each layer, then nigh_cache_extend). */
NIGH_API nigh_status nigh_cache_get(const nigh_cache *cache, int sequence, int layer, int64_t first, int64_t count, float *keys, float *values);
NIGH_API nigh_status nigh_cache_put(nigh_cache *cache, int sequence, int layer, int64_t first, int64_t count, const float *keys, const float *values);
NIGH_API nigh_status nigh_cache_extend(nigh_cache *cache, int sequence, int64_t length); /* positions up to length exist, with zeros, until put */

/* ---- passes --------------------------------------------------------------------------------------------------- */

/*
 * One token of a pass. parent: -1, it follows what the sequence holds; else the index of an earlier row of the same sequence in this pass that it follows.
 * Rows of a sequence that form one chain in their order are kept: the sequence grows by them. Otherwise they are drafts (a tree): each sees the sequence
 * and its ancestors, at the position of its depth; then nigh_lm_accept keeps a path, and what was not accepted is gone with the next pass.
 */
typedef struct nigh_lm_row {
    int32_t token, sequence, parent;
    bool wanted; /* logits of this row */
} nigh_lm_row;

typedef struct nigh_lm_hooks nigh_lm_hooks;

typedef struct nigh_lm_pass {
    const nigh_lm_row *rows;
    int64_t count;
    float *logits;             /* [rows wanted][vocabulary] in the order of rows; NULL: none are computed */
    float *hidden;             /* [count][width] after the last norm, or NULL */
    const nigh_lm_hooks *hooks; /* or NULL */
    bool drafts;               /* rows of chains are drafts too (to be accepted) */
} nigh_lm_pass;

/*
 * Runs the pass. A failure leaves the sequences as they were. Passes of more than 512 rows are cut into such. NIGH_INTERRUPTED: cancelled between them. One
 * exception: when a later part of more than 512 rows of a sequence that streams fails, pages that its window left behind are gone already; it must be dropped.
 */
NIGH_API nigh_status nigh_lm_run(nigh_cache *cache, const nigh_lm_pass *pass);

/* After a pass with drafts: rows[0 .. count-1] (indices of the pass, each the child of the one before) become part of the sequence. count 0: none. */
NIGH_API nigh_status nigh_lm_accept(nigh_cache *cache, int sequence, const int32_t *rows, int64_t count);

/* Tokens one after the other; logits [vocabulary] after the last one, or NULL. */
NIGH_API nigh_status nigh_lm_read(nigh_cache *cache, int sequence, const int32_t *tokens, int64_t count, float *logits);

/* log p(token i | what the sequence holds, tokens before i), nats, [count]; `after` [vocabulary] logits after the last or NULL. The first is of the logits
 * `before` [vocabulary] that the sequence ended with, or NAN when before is NULL. The sequence grows. */
NIGH_API nigh_status nigh_lm_score(nigh_cache *cache, int sequence, const int32_t *tokens, int64_t count, const float *before, double *log_p, float *after);

/* Seconds of a pass over T rows in a sequence of `length` tokens, median of `repeats`; T = 1, 2, 4 ... are what planners ask for. Leaves no trace. */
NIGH_API nigh_status nigh_lm_time(nigh_cache *cache, int64_t T, int64_t length, int repeats, double *seconds);

/* ---- hooks ---------------------------------------------------------------------------------------------------- */

typedef enum nigh_lm_point {
    NIGH_LM_INPUT,     /* of a layer: [rows][width] */
    NIGH_LM_QUERY,     /* before rotation, after its norm: [rows][heads][head_size] */
    NIGH_LM_KEY,       /* the same: [rows][kv_heads][head_size] */
    NIGH_LM_VALUE,     /* [rows][kv_heads][head_size] */
    NIGH_LM_ATTENTION, /* what attention gives, before its product: [rows][heads][head_size] */
    NIGH_LM_OUTPUT     /* of a layer: [rows][width] */
} nigh_lm_point;

/* Attention of one layer, to be replaced: queries and keys are rotated. positions[row]; sequence of each row in rows[]. */
typedef struct nigh_lm_attention {
    nigh_cache *cache;
    int layer;
    int64_t rows;
    const nigh_lm_row *row;
    const int64_t *position;
    const float *query; /* [rows][heads][head_size] */
    float scale;        /* of scores */
    float *out;         /* [rows][heads][head_size] */
} nigh_lm_attention;

/* Called on one thread, between phases of the pass. `see` may change the values (they are used further on). `attend` gives true when it wrote `out`; it may
 * read the cache (nigh_cache_get: the rows of this pass stand in it already, unless they are drafts). */
struct nigh_lm_hooks {
    void *user;
    void (*see)(void *user, nigh_lm_point point, int layer, int64_t rows, int64_t size, float *values); /* or NULL */
    bool (*attend)(void *user, const nigh_lm_attention *call);                                          /* or NULL */
};

#ifdef __cplusplus
}
#endif
#endif
