/*
 * Claim of "LM-Infinite: Zero-Shot Extreme Length Generalization for Large Language Models": a language model reads texts far longer than it was trained on, in constant
 * memory and time for each token, by a Lambda-shaped mask and a limit on distances.
 *
 *   1  loss at the ends of texts of 4 and 8 times the trained length: all tokens seen, and with the mask, beside texts of the trained length that end in the same tokens
 *   2  nothing changes within the window; beyond it the engine gives what the formula gives
 *   3  the last `window` tokens read anew for every token give hardly more
 *   4  why: largest scores by distance, entropy of attention by the number of tokens seen
 *   5  bytes of the cache do not grow; (full only) time for a token, and beside the reading anew
 *   6  (full only) real models, when they are there: first tokens kept or not, pass keys
 */
#include "lm_infinite/parts.h"

#include <math.h>
#include <string.h>

static const char *const saboteurs[] = {"everything-seen", "broken-mask", "no-limit", "reindexed", NULL};

/* ---- 1 and 3: losses --------------------------------------------------------------------------------------------- */

typedef struct losses {
    double in_length, full[2], infinite[2], truncated; /* full, infinite: at 4 and 8 times the trained length; truncated: fewer texts */
    double infinite_few, seconds_infinite, seconds_truncated;
} losses;

static nigh_status measure(claim_run *run, const subject *s, losses *l)
{
    int64_t trained = nigh_lm_about(s->lm)->context;
    nigh_long_method method = claim_sabotaged(run, "everything-seen") ? NIGH_LONG_FULL : NIGH_LONG_INFINITE;
    nigh_status status = subject_loss(run, s, NIGH_LONG_FULL, trained, &l->in_length);
    for (int i = 0; i < 2 && !status; i++) {
        status = subject_loss(run, s, NIGH_LONG_FULL, trained << (2 + i), &l->full[i]);
        if (!status) status = subject_loss(run, s, method, trained << (2 + i), &l->infinite[i]);
    }
    subject few = *s;
    few.texts = s->texts / 4;
    double began = nigh_clock();
    if (!status) status = subject_loss(run, &few, method, s->longest, &l->infinite_few);
    l->seconds_infinite = nigh_clock() - began, began = nigh_clock();
    if (!status) status = subject_loss(run, &few, NIGH_LONG_TRUNCATED, s->longest, &l->truncated);
    l->seconds_truncated = nigh_clock() - began;
    return status;
}

static nigh_status loss_bars(claim_run *run, const subject *s)
{
    losses l;
    nigh_status status = measure(run, s, &l);
    if (status) return status;
    claim_note(run, "nats a token at the end: %.3f in length; at 4 and 8 times it %.3f and %.3f with everything seen, %.3f and %.3f with the mask", l.in_length, l.full[0], l.full[1],
               l.infinite[0], l.infinite[1]);
    claim_bar(run, "everything seen, 4 times the trained length: loss over that in length", l.full[0] - l.in_length, CLAIM_AT_LEAST, run->quick ? 0.8 : 1, NULL);
    claim_bar(run, "everything seen, 8 times", l.full[1] - l.in_length, CLAIM_AT_LEAST, 1, NULL);
    claim_bar_within(run, "with the mask, 4 times", l.infinite[0] - l.in_length, -0.12, 0.12, NULL);
    claim_bar_within(run, "with the mask, 8 times", l.infinite[1] - l.in_length, -0.12, 0.12, NULL);
    claim_bar(run, "loss with the mask over reading the window anew for every token", l.infinite_few - l.truncated, CLAIM_AT_MOST, 0.1, NULL);
    if (!run->quick) /* what scores the tail alone; the mask also reads all that comes before */
        claim_bar(run, "seconds of reading anew over seconds with the mask, for a token", l.seconds_truncated / (double)s->tail / (l.seconds_infinite / (double)s->longest), CLAIM_AT_LEAST, 20,
                  NULL);
    return NIGH_OK;
}

/* ---- 2: identities ----------------------------------------------------------------------------------------------- */

static double largest_difference(int64_t n, const double *a, const double *b)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, a[i] == a[i] && b[i] == b[i] ? fabs(a[i] - b[i]) : INFINITY);
    return most;
}

/* The formula, by the plain form. */
static nigh_status plain_scores(claim_run *run, const subject *s, int64_t length, double *log_p)
{
    nigh_context *ctx = run->ctx;
    nigh_lambda *view = NULL;
    nigh_cache *cache = NULL;
    double *all = nigh_alloc(ctx, (size_t)length * sizeof *all);
    int sequence;
    nigh_status status = all ? nigh_lambda_new(ctx, s->lm, &(nigh_lambda_options){.settings = s->settings}, &view) : NIGH_MEMORY;
    if (!status) status = nigh_cache_new(ctx, s->lm, &(nigh_cache_options){.type = NIGH_KV_F32}, &cache);
    if (!status) status = nigh_cache_sequence(cache, &sequence);
    if (!status) status = nigh_lambda_score(view, cache, sequence, s->tokens + s->longest - length, length, all);
    if (!status) memcpy(log_p, all + length - s->tail, (size_t)s->tail * sizeof *all);
    nigh_lambda_free(view);
    nigh_cache_free(cache);
    nigh_free(ctx, all);
    return status;
}

static nigh_status identity_bars(claim_run *run, const subject *s)
{
    nigh_context *ctx = run->ctx;
    int64_t n = s->texts * s->tail, trained = nigh_lm_about(s->lm)->context;
    subject used = *s;
    nigh_long_method method = NIGH_LONG_INFINITE;
    if (claim_sabotaged(run, "broken-mask")) used.settings.window--, used.settings.limit--;
    if (claim_sabotaged(run, "no-limit")) used.settings.limit = 0;
    if (claim_sabotaged(run, "reindexed")) method = NIGH_LONG_REINDEXED;
    double *have = nigh_alloc(ctx, (size_t)n * sizeof *have), *want = nigh_alloc(ctx, (size_t)n * sizeof *want);
    nigh_status status = have && want ? subject_scores(run, &used, method, trained, have) : NIGH_MEMORY;
    if (!status) status = subject_scores(run, s, NIGH_LONG_FULL, trained, want);
    if (!status) claim_bar(run, "within the window: largest difference of log p from everything seen", largest_difference(n, have, want), CLAIM_AT_MOST, 1e-5, NULL);
    used.texts = 1; /* of it: the text that ends at `longest` */
    if (!status) status = subject_scores(run, &used, method, s->longest, have);
    if (!status) status = plain_scores(run, s, s->longest, want);
    if (!status) claim_bar(run, "at 8 times the trained length: largest difference of log p from the formula", largest_difference(s->tail, have, want), CLAIM_AT_MOST, 1e-4, NULL);
    nigh_free(ctx, have);
    nigh_free(ctx, want);
    return status;
}

/* ---- 4: why ------------------------------------------------------------------------------------------------------ */

typedef struct causes {
    double entropy[2]; /* in and beyond the trained length, of the layer where it grows most */
} causes;

static nigh_status look(claim_run *run, const subject *s, bool everything, causes *c)
{
    nigh_context *ctx = run->ctx;
    nigh_lambda *view = NULL;
    nigh_cache *cache = NULL;
    int sequence;
    double *log_p = nigh_alloc(ctx, (size_t)s->longest * sizeof *log_p);
    nigh_lambda_options options = {.settings = s->settings, .profile = true};
    if (everything) options.settings = (nigh_lm_infinite){0, 0, 0};
    nigh_status status = log_p ? nigh_lambda_new(ctx, s->lm, &options, &view) : NIGH_MEMORY;
    if (!status) status = nigh_cache_new(ctx, s->lm, &(nigh_cache_options){.type = NIGH_KV_F32}, &cache);
    if (!status) status = nigh_cache_sequence(cache, &sequence);
    if (!status) status = nigh_lambda_score(view, cache, sequence, s->tokens, s->longest, log_p);
    memset(c, 0, sizeof *c);
    for (int layer = 0; layer < nigh_lm_about(s->lm)->layers && !status; layer++) {
        nigh_lambda_bucket_row in, out;
        nigh_lambda_bucket(view, layer, 0, &in);
        nigh_lambda_bucket(view, layer, everything ? 3 : 1, &out); /* 4 to 8 times the trained length; a full window and the first tokens */
        if (!layer || c->entropy[1] - c->entropy[0] < out.entropy - in.entropy) c->entropy[0] = in.entropy, c->entropy[1] = out.entropy;
        if (everything)
            claim_note(run, "layer %d: largest score %.1f in length, %.1f at 4 to 8 times; entropy of attention %.2f and %.2f nats", layer, in.largest, out.largest, in.entropy,
                       out.entropy);
    }
    nigh_lambda_free(view);
    nigh_cache_free(cache);
    nigh_free(ctx, log_p);
    return status;
}

static nigh_status cause_bars(claim_run *run, const subject *s)
{
    causes all, masked;
    nigh_status status = look(run, s, true, &all);
    if (!status) status = claim_sabotaged(run, "everything-seen") ? (masked = all, NIGH_OK) : look(run, s, false, &masked);
    if (status) return status;
    claim_bar(run, "everything seen: entropy of attention at 4 to 8 times the trained length over that in length, nats", all.entropy[1] - all.entropy[0], CLAIM_AT_LEAST, 1, NULL);
    claim_bar(run, "with the mask", masked.entropy[1] - masked.entropy[0], CLAIM_AT_MOST, 0.5, NULL);
    return NIGH_OK;
}

/* ---- 5: memory --------------------------------------------------------------------------------------------------- */

static nigh_status memory_bars(claim_run *run, const subject *s)
{
    nigh_context *ctx = run->ctx;
    nigh_cache *cache;
    int sequence;
    size_t bytes[2] = {0};
    int64_t read = 0;
    nigh_status status = nigh_cache_new(ctx, s->lm, NULL, &cache);
    if (status) return status;
    status = nigh_cache_sequence(cache, &sequence);
    if (!status && !claim_sabotaged(run, "everything-seen")) status = nigh_cache_stream(cache, sequence, s->settings.sinks, s->settings.window, s->settings.limit);
    for (int i = 0; i < 2; i++)
        for (int64_t until = (run->quick ? 1024 : 8192) << (2 * i); read < until && !status; read += 256) {
            status = nigh_lm_read(cache, sequence, s->tokens + read % (s->count - 256), 256, NULL);
            bytes[i] = nigh_cache_bytes(cache);
        }
    if (!status) claim_bar(run, "bytes of the cache at 4 times as many tokens over those before", (double)bytes[1] / (double)bytes[0], CLAIM_AT_MOST, 1.01, NULL);
    nigh_cache_free(cache);
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    subject s = {0};
    int threads = nigh_context_threads(run->ctx);
    if (run->quick) nigh_context_set_threads(run->ctx, 1); /* the network is too small for more */
    nigh_status status = subject_own(run, &s);
    if (!status) status = loss_bars(run, &s);
    if (!status) status = identity_bars(run, &s);
    if (!status) status = cause_bars(run, &s);
    if (!status) status = memory_bars(run, &s);
    if (!status && !run->quick) status = speed_bars(run, &s);
    subject_free(run, &s);
    if (!status && !run->quick) status = real_bars(run);
    nigh_context_set_threads(run->ctx, threads);
    return status;
}

const nigh_claim claim_lm_infinite = {.slug = "lm-infinite",
                                      .title = "LM-Infinite: Zero-Shot Extreme Length Generalization for Large Language Models",
                                      .run = run_claim,
                                      .saboteurs = saboteurs};
