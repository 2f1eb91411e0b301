/*
 * nigh/recipe.h: small language models of one's own, trained on the spot, and a store that keeps them by what they were made from.
 */
#ifndef NIGH_RECIPE_H
#define NIGH_RECIPE_H
#include "nigh/lm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_recipe {
    const char *text;     /* what to train on, any bytes */
    size_t size;
    int64_t layers, width, heads, kv_heads, hidden, context; /* 0: 3, 96, 3, heads, 8/3 width rounded to 16, 128 */
    double base;          /* of the rotation; 0: 10000 */
    int64_t steps, batch; /* 0: 2000, 16 */
    double rate;          /* AdamW, warm-up then cosine; 0: 2e-3 */
    double validation;    /* last share of the text, not trained on; 0: 0.1 */
    uint64_t seed;
} nigh_recipe;

NIGH_API nigh_recipe nigh_recipe_default(void);

/* Trains a decoder on bytes (llama architecture: RMS norms, rotary positions, SwiGLU; byte tokenizer) with progress, and writes it as a GGUF file (F32, or
 * `type`) that nigh and llama.cpp read. *loss: validation, nats per byte. */
NIGH_API nigh_status nigh_recipe_train(nigh_context *ctx, const nigh_recipe *recipe, nigh_block_type type, const char *path, double *loss);

/* The same from the user's store (XDG cache, folder lm/), trained when absent; the key is a hash of all of the recipe with its text and of the version of the
 * training code. Two processes that want the same wait for one. *path is freed by nigh_free. A killed training resumes. */
NIGH_API nigh_status nigh_recipe_stored(nigh_context *ctx, const nigh_recipe *recipe, nigh_block_type type, char **path, double *loss);

#ifdef __cplusplus
}
#endif
#endif
