/*
 * nigh/controlled.h: samples of a language model given that the answer obeys a rule: p(x | x in C), not the greedy obedience that masking gives.
 * Lipkin et al., "Fast controlled generation from language models with adaptive weighted rejection sampling".
 */
#ifndef NIGH_CONTROLLED_H
#define NIGH_CONTROLLED_H
#include "nigh/constraint.h"
#include "nigh/lm.h"
#include "nigh/sampling.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One weighted token: E[w 1(token = a)] = p(a) ok(a), though few tokens are tested. p [count] sums to 1 within 1e-6; ok gives 1 or 0.
 * RECURSIVE asks once more after the token; GEOMETRIC goes on until `accepts` (>= 2) tokens passed, and is less noisy; AUTO: the latter when accepts > 2 or
 * some p >= 2/3, where it asks about two questions. most_rejects > 0: the weight is 0 after so many refusals: cheaper, but means fall short of p(a) ok(a).
 * No token is asked about twice. Random numbers: (seed, stream). NIGH_INVALID names what is wrong: a p that is no probability, accepts below 2, an answer of
 * ok that is neither. Cost: O(count), and for each question O(count / 256 + 256).
 */
typedef enum nigh_weight_estimator { NIGH_WEIGHT_AUTO, NIGH_WEIGHT_RECURSIVE, NIGH_WEIGHT_GEOMETRIC } nigh_weight_estimator;
typedef struct nigh_weighted_token {
    int32_t token; /* when log_weight is -INFINITY: a refused one */
    double log_weight;
    int64_t calls; /* of ok */
} nigh_weighted_token;
NIGH_API nigh_status nigh_weighted_draw(nigh_context *ctx, const double *p, int32_t count, int (*ok)(void *user, int32_t token), void *user, nigh_weight_estimator estimator,
                                        int64_t accepts, int64_t most_rejects, uint64_t seed, uint64_t stream, nigh_weighted_token *out);

typedef struct nigh_controlled_options {
    int particles;      /* 1 to 4096; 0: 5 */
    double resample;    /* effective share of particles below which they are drawn anew; 0: 0.5 */
    int64_t most;       /* tokens of an answer; 0: 100 */
    int64_t accepts;    /* of the geometric estimator, >= 2; 0: 2 */
    int64_t most_rejects; /* 0: no cap */
    nigh_weight_estimator estimator;
    double temperature; /* of the model's law; 0: 1 */
    const int32_t *ends; /* [ends_count] tokens that end an answer beside the tokenizer's own, such as a line's end; they are not part of it */
    int64_t ends_count;
    uint64_t seed;
} nigh_controlled_options;

typedef struct nigh_particle {
    nigh_token_list tokens;
    nigh_buffer text;
    double log_weight; /* -INFINITY: dead or unfinished */
    bool finished;
} nigh_particle;

typedef struct nigh_controlled {
    nigh_context *ctx;
    int count;
    nigh_particle *particles; /* sorted by text; equal texts stay apart */
    double log_z;             /* estimate of the log-probability that an answer obeys the rule */
    int64_t calls, tokens, passes, unfinished; /* questions to the rule about a token, tokens drawn (ends too), passes of the model, particles cut off */
    double seconds, rule_seconds;              /* all, with the prompt's pass; of them laws, draws and questions */
} nigh_controlled;
NIGH_API void nigh_controlled_free(nigh_controlled *result);

/*
 * Sequential Monte Carlo with properly weighted tokens: the weights undo what obeying the rule token by token does to the law. Tokens are `most` at most: an
 * answer that has them can only end. The prompt [count] has a token or more; particles share the pages of their prefixes, equal prefixes are computed once, and
 * the cache is as it was afterwards. Tokens that stand for no bytes are left out, as are, for rules that are automata or grammars, tokens whose first byte the
 * rule does not allow (one question for each kind of byte); weights count the mass. Same seed and machine: the same particles, whatever the threads.
 * NIGH_INVALID: a setting, a logit that is NaN, or all weights 0: "no string satisfies the rule, after K calls". NIGH_UNSUPPORTED: a vocabulary without an end.
 * options NULL: zeros. result: nothing on failure; end it with nigh_controlled_free.
 */
NIGH_API nigh_status nigh_controlled_generate(nigh_cache *cache, nigh_constraint *constraint, const int32_t *prompt, int64_t count, const nigh_controlled_options *options,
                                              nigh_controlled *result);

#ifdef __cplusplus
}
#endif
#endif
