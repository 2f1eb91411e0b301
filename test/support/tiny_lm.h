/* Small language models with drawn weights, as GGUF files, and a slow evaluation of them in double that shares no code with the engine. */
#ifndef NIGH_TEST_TINY_LM_H
#define NIGH_TEST_TINY_LM_H
#include "nigh/lm.h"

typedef struct tiny_lm {
    const char *architecture;
    int layers, width, hidden, heads, kv_heads, head_size, context, window;
    nigh_block_type type; /* of products; norms and biases are F32 */
    double sharpness;     /* of the head's weights */
    uint64_t seed;
} tiny_lm;

enum { TINY_VOCABULARY = 258 }; /* bytes, begin, end */

tiny_lm tiny_lm_default(const char *architecture);

/* Writes the file; then tiny_lm_load opens it. The test fails when that fails. */
void tiny_lm_write(nigh_context *ctx, const tiny_lm *tiny, const char *path);
nigh_lm *tiny_lm_load(nigh_context *ctx, const tiny_lm *tiny);

/* logits[n][TINY_VOCABULARY] of tokens one after the other. F32 models only. */
void tiny_lm_logits(const tiny_lm *tiny, const int32_t *tokens, int n, double *logits);
#endif
