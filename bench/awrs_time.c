/*
 * Rules on a language model: the library's side of awrs_beside.py, useful by itself too.
 *
 *     awrs_time MODEL PATTERN PARTICLES PROMPT... [--threads N]
 *
 * Draws answers that match the regular expression, one line of JSON a prompt:
 *     draw, law: microseconds a token of weighted draws with their tests, and of those with the model's law (softmax and sums of blocks);
 *     tests: questions a token; all: microseconds to test every token of the vocabulary by itself in the states that were met;
 *     walk, kept: microseconds of a mask by a walk over the vocabulary's trie in a state met for the first time, and again;
 *     answer: tokens of the answer chosen by weight; masked: of one drawn by masking step by step; log_p, masked_log_p: of both, by the model, without the end
 */
#include "common.h"

#include "generate/adaptive_rejection_sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct seen {
    double draw, all;
    int64_t draws;
    int32_t vocabulary;
    bool masking;
} seen;

static nigh_status watched_draw(nigh_context *ctx, const weighted_law *l, weighted_room *room, weighted_ok_fn *ok, void *user, const weighted_options *options, nigh_rng *rng,
                                nigh_weighted_token *out)
{
    volatile int64_t allowed = 0;
    double began = nigh_clock();
    for (int32_t i = 0; i < seen.vocabulary && !seen.masking; i++) allowed += ok(user, i);
    double tested = nigh_clock();
    nigh_status status = weighted_draw(ctx, l, room, ok, user, options, rng, out);
    seen.draw += nigh_clock() - tested;
    seen.all += tested - began;
    seen.draws++;
    if (seen.masking && !status && out->log_weight > -INFINITY) out->log_weight = 0;
    return status;
}

static double score(nigh_cache *cache, const nigh_token_list *prompt, const nigh_token_list *answer)
{
    int s;
    double sum = 0, *log_p = malloc((size_t)answer->count * sizeof *log_p + 1);
    float *logits = malloc((size_t)nigh_lm_about(nigh_cache_lm(cache))->vocabulary * sizeof *logits);
    if (!log_p || !logits || nigh_cache_sequence(cache, &s)) return NAN;
    if (nigh_lm_read(cache, s, prompt->id, prompt->count, logits) || nigh_lm_score(cache, s, answer->id, answer->count, logits, log_p, NULL)) sum = NAN;
    for (int64_t i = 0; i < answer->count; i++) sum += log_p[i];
    nigh_cache_drop(cache, s);
    free(log_p);
    free(logits);
    return sum;
}

static void print_tokens(const char *name, const nigh_token_list *t)
{
    printf(", \"%s\": [", name);
    for (int64_t i = 0; i < t->count; i++) printf("%s%d", i ? ", " : "", t->id[i]);
    printf("]");
}

/* Masks along an answer, each state once for a walk and once from what was kept. */
static nigh_status mask_times(nigh_context *ctx, nigh_constraint *c, const nigh_tokenizer *t, const nigh_token_list *answer, double *walk, double *kept)
{
    nigh_masks *masks;
    const uint64_t *allowed;
    nigh_status status = nigh_masks_new(ctx, c, t, 0, &masks);
    if (status) return status;
    *walk = *kept = 0;
    for (int round = 0; round < 2 && !status; round++) {
        int64_t state = nigh_constraint_start(c);
        for (int64_t i = 0; i <= answer->count && !status; i++) {
            double began = nigh_clock();
            status = nigh_masks_get(masks, state, &allowed);
            *(round ? kept : walk) += (nigh_clock() - began) / (double)(answer->count + 1);
            if (!status && i < answer->count) state = nigh_masks_step(masks, state, answer->id[i]);
        }
    }
    nigh_masks_free(masks);
    return status;
}

static int64_t choose(const nigh_controlled *r, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 99);
    double *weight = malloc((size_t)r->count * sizeof *weight);
    for (int i = 0; i < r->count; i++) weight[i] = exp(r->particles[i].log_weight - r->log_z);
    int64_t at = nigh_rng_categorical(&rng, r->count, weight);
    free(weight);
    return at < 0 ? 0 : at;
}

static nigh_status one_prompt(nigh_cache *cache, const char *pattern, int particles, const char *text, uint64_t seed)
{
    nigh_context *ctx;
    nigh_controlled plain, watched, masked;
    nigh_constraint *c;
    double walk, kept;
    const nigh_tokenizer *t = nigh_lm_tokenizer(nigh_cache_lm(cache));
    nigh_status status = nigh_context_new(&ctx);
    if (status) return status;
    nigh_token_list prompt = {.ctx = ctx};
    nigh_controlled_options options = {.particles = particles, .seed = seed};
    seen = (struct seen){.vocabulary = nigh_tokenizer_vocabulary(t)};
    status = nigh_tokenize(t, text, strlen(text), NIGH_TOKENS_BEGIN, &prompt);
    if (!status) status = nigh_constraint_regex(ctx, pattern, 0, &c);
    if (!status) status = nigh_controlled_generate(cache, c, prompt.id, prompt.count, &options, &plain);
    if (!status) status = controlled_run(cache, c, prompt.id, prompt.count, &options, watched_draw, &watched);
    if (status) return fprintf(stderr, "%s\n", nigh_message(ctx)), status;
    struct seen held = seen;
    seen.masking = true;
    options.particles = 1;
    status = controlled_run(cache, c, prompt.id, prompt.count, &options, watched_draw, &masked);
    const nigh_particle *answer = plain.particles + choose(&plain, seed);
    if (!status) status = mask_times(ctx, c, t, &answer->tokens, &walk, &kept);
    if (status) return fprintf(stderr, "%s\n", nigh_message(ctx)), status;
    printf("{\"draw\": %.3f, \"law\": %.3f, \"tests\": %.3f, \"all\": %.3f, \"walk\": %.3f, \"kept\": %.3f, \"log_p\": %.4f, \"masked_log_p\": %.4f", 1e6 * held.draw / (double)held.draws,
           1e6 * plain.rule_seconds / (double)plain.tokens, (double)plain.calls / (double)plain.tokens, 1e6 * held.all / (double)held.draws, 1e6 * walk, 1e6 * kept,
           score(cache, &prompt, &answer->tokens), score(cache, &prompt, &masked.particles[0].tokens));
    print_tokens("answer", &answer->tokens);
    print_tokens("masked", &masked.particles[0].tokens);
    printf("}\n");
    nigh_controlled_free(&plain);
    nigh_controlled_free(&watched);
    nigh_controlled_free(&masked);
    nigh_constraint_free(c);
    nigh_token_list_free(&prompt);
    nigh_context_free(ctx);
    return NIGH_OK;
}

int main(int argc, char **argv)
{
    nigh_context *ctx;
    nigh_lm *lm;
    nigh_cache *cache;
    int threads = 0;
    if (argc > 3 && !strcmp(argv[argc - 2], "--threads")) threads = atoi(argv[argc - 1]), argc -= 2;
    if (argc < 5 || nigh_context_new(&ctx)) return fprintf(stderr, "usage: awrs_time MODEL PATTERN PARTICLES PROMPT... [--threads N]\n"), 2;
    nigh_status status = nigh_context_set_threads(ctx, threads);
    if (!status) status = nigh_lm_load(ctx, argv[1], &lm);
    if (!status) status = nigh_cache_new(ctx, lm, NULL, &cache);
    if (status) return fprintf(stderr, "%s\n", nigh_message(ctx)), 2;
    for (int i = 4; i < argc && !status; i++) {
        status = one_prompt(cache, argv[2], atoi(argv[3]), argv[i], (uint64_t)i);
        if (status) fprintf(stderr, "%s: %s\n", argv[i], nigh_message(ctx));
        status = NIGH_OK;
    }
    nigh_cache_free(cache);
    nigh_lm_free(lm);
    nigh_context_free(ctx);
    return 0;
}
