/*
 * nigh/sampling.h: from logits to a token: greedy, temperature, top-k, top-p, min-p, typical, penalties, biases; reproducible by seed.
 *
 * The order of the steps is: biases, penalties, (mask of a constraint,) temperature, top-k, typical, top-p, min-p, draw. temperature 0 is greedy: the
 * largest logit after biases and penalties, the lowest id among equals. The random number of a draw is a function of (seed, stream, position) alone, so that
 * drafting ahead and drawing token by token give the same text.
 */
#ifndef NIGH_SAMPLING_H
#define NIGH_SAMPLING_H
#include "nigh/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nigh_logit_bias {
    int32_t token;
    float add; /* -INFINITY forbids */
} nigh_logit_bias;

typedef struct nigh_sampling {
    double temperature; /* >= 0; 0: greedy */
    int64_t top_k;      /* 0: all */
    double top_p;       /* (0, 1]; 1: all. The smallest set of most likely tokens with at least this probability */
    double min_p;       /* [0, 1): tokens with at least min_p times the largest probability */
    double typical;     /* (0, 1]; 1: all. Tokens whose -log p is nearest to the entropy, up to this probability (Meister et al., "Locally typical sampling") */
    double repeat_penalty;              /* > 0; 1: none. Positive logits of seen tokens are divided, negative multiplied */
    double presence_penalty, frequency_penalty; /* taken off logits once, and for each time the token was seen */
    int64_t penalty_window;             /* the last so many tokens count; 0: all */
    const nigh_logit_bias *bias;
    int64_t biases;
    uint64_t seed;
} nigh_sampling;

NIGH_API nigh_sampling nigh_sampling_default(void); /* greedy, nothing else */

typedef struct nigh_sampler nigh_sampler;
/* Checks ranges (NIGH_INVALID names the setting); copies biases. One thread at a time. */
NIGH_API nigh_status nigh_sampler_new(nigh_context *ctx, const nigh_sampling *settings, int32_t vocabulary, nigh_sampler **sampler);
NIGH_API void nigh_sampler_free(nigh_sampler *sampler);

/*
 * logits [vocabulary], unchanged; history: the tokens before (prompt and answer, for penalties), its length is the position of the draw; allowed: a bit
 * for each token (bit i of word i / 64), or NULL for all. *token; *log_p (may be NULL): log of its probability under softmax(logits), temperature 1, no steps.
 * NIGH_INVALID: a logit is NaN, or no token is left. Allocates nothing after the first call.
 */
NIGH_API nigh_status nigh_sampler_pick(nigh_sampler *sampler, const float *logits, const int32_t *history, int64_t position, const uint64_t *allowed, uint64_t stream,
                                       int32_t *token, double *log_p);
/* The distribution that pick draws from, [vocabulary] (greedy: one). */
NIGH_API nigh_status nigh_sampler_law(nigh_sampler *sampler, const float *logits, const int32_t *history, int64_t position, const uint64_t *allowed, double *p);

#ifdef __cplusplus
}
#endif
#endif
