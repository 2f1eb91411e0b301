/* Time for a token late in a stream, beside a cache of everything. Only full claims run it. */
#include "parts.h"

#include <stdlib.h>

enum { WINDOW = 1024, TIMES = 301 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A sequence of `length` tokens; settings NULL: of everything. */
static nigh_status fill(claim_run *run, const subject *s, const nigh_lm_infinite *settings, int64_t length, nigh_cache **cache, int *sequence)
{
    nigh_status status = nigh_cache_new(run->ctx, s->lm, &(nigh_cache_options){.threads = 1}, cache);
    if (!status) status = nigh_cache_sequence(*cache, sequence);
    if (!status && settings) status = nigh_cache_stream(*cache, *sequence, settings->sinks, settings->window, settings->limit);
    for (int64_t at = 0; at < length && !status; at += 512) status = nigh_lm_read(*cache, *sequence, s->tokens, length - at < 512 ? length - at : 512, NULL);
    return status;
}

enum { CASES = 5, NONE = 0, FULL_8K, LAMBDA_2K, LAMBDA_8K, LAMBDA_16K };

/* Median seconds of one more token; the cases take turns. */
static nigh_status times(claim_run *run, const subject *s, double median[CASES])
{
    static const int64_t length[CASES] = {0, 8192, 2048, 8192, 16384};
    const nigh_lm_infinite settings = {4, WINDOW, WINDOW};
    nigh_cache *cache[CASES] = {NULL};
    int sequence[CASES];
    nigh_status status = NIGH_OK;
    double *seconds = nigh_alloc(run->ctx, CASES * TIMES * sizeof *seconds);
    float *logits = nigh_alloc(run->ctx, (size_t)nigh_lm_about(s->lm)->vocabulary * sizeof *logits);
    if (!seconds || !logits) status = NIGH_MEMORY;
    for (int c = 0; c < CASES && !status; c++) status = fill(run, s, c >= LAMBDA_2K ? &settings : NULL, length[c], &cache[c], &sequence[c]);
    for (int t = 0; t < TIMES && !status; t++)
        for (int c = 0; c < CASES && !status; c++) {
            double began = nigh_clock();
            status = nigh_lm_read(cache[c], sequence[c], s->tokens + t, 1, logits);
            seconds[c * TIMES + t] = nigh_clock() - began;
            if (c == NONE && !status) status = nigh_cache_cut(cache[c], sequence[c], 0);
        }
    for (int c = 0; c < CASES && !status; c++) {
        qsort(seconds + c * TIMES, TIMES, sizeof *seconds, ascending);
        median[c] = seconds[c * TIMES + TIMES / 2];
    }
    for (int c = 0; c < CASES; c++) nigh_cache_free(cache[c]);
    nigh_free(run->ctx, logits);
    nigh_free(run->ctx, seconds);
    return status;
}

nigh_status speed_bars(claim_run *run, const subject *s)
{
    double t[CASES];
    nigh_status status = times(run, s, t);
    if (status) return status;
    claim_note(run, "microseconds a token, window %d: %.0f at 2,048, %.0f at 8,192, %.0f at 16,384; everything seen at 8,192: %.0f; nothing: %.0f", WINDOW, 1e6 * t[LAMBDA_2K],
               1e6 * t[LAMBDA_8K], 1e6 * t[LAMBDA_16K], 1e6 * t[FULL_8K], 1e6 * t[NONE]);
    claim_bar(run, "at 8,192 tokens, window 1,024: attention's time of everything seen over that with the mask", (t[FULL_8K] - t[NONE]) / (t[LAMBDA_8K] - t[NONE]), CLAIM_AT_LEAST,
              2.5, NULL);
    claim_bar_within(run, "time a token at 16,384 tokens over that at 2,048", t[LAMBDA_16K] / t[LAMBDA_2K], 0.9, 1.1, NULL);
    return NIGH_OK;
}
