/*
 * Settings of streams past the trained length, and scores of the ends of long texts. Declared in nigh/lm_infinite.h.
 * Source: Han et al., "LM-Infinite: Zero-shot extreme length generalization for large language models".
 */
#include "nigh/lm_infinite.h"

#include "lm/rows.h"

enum { SINKS = 4, SINKS_MOST = 4096, WINDOW_MOST = 1 << 24, LIMIT_MOST = 1 << 30, CHUNK = 512 };

nigh_lm_infinite nigh_lm_infinite_default(void) { return (nigh_lm_infinite){-1, -1, -1}; }

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const nigh_lm_infinite *s)
{
    if (s->sinks < 0 || s->sinks > SINKS_MOST) return nigh_fail(ctx, NIGH_INVALID, "sinks is %lld; 0 to %d is allowed", (long long)s->sinks, SINKS_MOST);
    if (s->window < 1 || s->window > WINDOW_MOST) return nigh_fail(ctx, NIGH_INVALID, "window is %lld; 1 to %d is allowed", (long long)s->window, WINDOW_MOST);
    if (s->limit && (s->limit < s->window || s->limit > LIMIT_MOST))
        return nigh_fail(ctx, NIGH_INVALID, "limit is %lld; 0 (none), or the window, %lld, to %d is allowed", (long long)s->limit, (long long)s->window, LIMIT_MOST);
    return NIGH_OK;
}

static void say(nigh_context *ctx, const nigh_lm_info *model, const nigh_lm_infinite *s)
{
    long long trained = (long long)model->context;
    if (s->window > model->context)
        nigh_log(ctx, NIGH_LOG_WARNING, "window %lld is more than the %lld tokens that the model was trained on: it meets distances that it never saw", (long long)s->window, trained);
    else if (s->sinks && s->limit > model->context)
        nigh_log(ctx, NIGH_LOG_WARNING, "limit %lld is more than the %lld tokens that the model was trained on", (long long)s->limit, trained);
    if (s->sinks && !s->limit) nigh_log(ctx, NIGH_LOG_WARNING, "no limit: the distance of the first tokens grows beyond what the model was trained on");
    if (!s->sinks) nigh_log(ctx, NIGH_LOG_WARNING, "no sinks: most models lean on their first tokens and fail when these are dropped; 4 are enough");
    if (model->window)
        nigh_log(ctx, NIGH_LOG_NOTE, "the layers of this model that look back %lld tokens keep their window; the others see the first %lld and the last %lld", (long long)model->window,
                 (long long)s->sinks, (long long)s->window);
    nigh_log(ctx, NIGH_LOG_NOTE, "text older than %lld tokens is not read, but for the first %lld", (long long)s->window, (long long)s->sinks);
}

nigh_status nigh_lm_infinite_choose(nigh_context *ctx, const nigh_lm_info *model, nigh_lm_infinite *settings)
{
    if (!model->rotary)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "architecture '%s' has learned positions, which end at %lld; streaming needs relative positions", model->architecture,
                         (long long)model->context);
    nigh_lm_infinite s = *settings;
    if (s.sinks == -1) s.sinks = SINKS;
    if (s.window == -1) s.window = model->context < WINDOW_MOST ? model->context : WINDOW_MOST;
    if (s.limit == -1) s.limit = s.window;
    nigh_status status = check(ctx, &s);
    if (status) return status;
    say(ctx, model, &s);
    *settings = s;
    return NIGH_OK;
}

nigh_status nigh_lm_infinite_start(nigh_context *ctx, nigh_cache *cache, int sequence, nigh_lm_infinite *settings)
{
    nigh_lm_infinite s = *settings;
    nigh_status status = nigh_lm_infinite_choose(ctx, nigh_lm_about(nigh_cache_lm(cache)), &s);
    if (!status) status = nigh_cache_stream(cache, sequence, s.sinks, s.window, s.limit);
    if (!status) *settings = s;
    return status;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* A text whose end is scored. */
typedef struct ending {
    nigh_context *ctx;
    const nigh_lm *lm;
    const nigh_lm_infinite *settings;
    const int32_t *tokens;
    int64_t count, tail;
    double *log_p;
    nigh_cache *cache;
    int sequence;
    float *logits; /* [vocabulary] */
} ending;

/* By the engine: what comes before the tail is read, the tail scored. */
static nigh_status score_engine(ending *e, bool streams)
{
    int64_t before = e->count - e->tail;
    const nigh_lm_infinite *s = e->settings;
    nigh_status status = streams ? nigh_cache_stream(e->cache, e->sequence, s->sinks, s->window, s->limit) : NIGH_OK;
    for (int64_t i = 0; i < before && !status; i += CHUNK) {
        int64_t n = before - i < CHUNK ? before - i : CHUNK;
        status = nigh_lm_read(e->cache, e->sequence, e->tokens + i, n, i + n == before ? e->logits : NULL);
    }
    return status ? status : nigh_lm_score(e->cache, e->sequence, e->tokens + before, e->tail, e->logits, e->log_p, NULL);
}

static nigh_status score_truncated(ending *e)
{
    nigh_status status = NIGH_OK;
    int64_t vocabulary = nigh_lm_about(e->lm)->vocabulary;
    for (int64_t i = e->count - e->tail; i < e->count && !status; i++) {
        int64_t n = i < e->settings->window ? i : e->settings->window;
        status = nigh_cache_cut(e->cache, e->sequence, 0);
        if (!status) status = nigh_lm_read(e->cache, e->sequence, e->tokens + i - n, n, e->logits);
        if (!status) e->log_p[i - (e->count - e->tail)] = e->logits[e->tokens[i]] - rows_log_sum(vocabulary, e->logits, NULL);
    }
    return status;
}

static nigh_status score_reindexed(ending *e)
{
    nigh_lambda *view = NULL;
    double *all = nigh_alloc_zero(e->ctx, (size_t)e->count, sizeof *all);
    if (!all) return NIGH_MEMORY;
    nigh_status status = nigh_lambda_new(e->ctx, e->lm, &(nigh_lambda_options){.settings = *e->settings, .reindexed = true}, &view);
    if (!status) status = nigh_lambda_score(view, e->cache, e->sequence, e->tokens, e->count, all);
    for (int64_t i = 0; i < e->tail && !status; i++) e->log_p[i] = all[e->count - e->tail + i];
    nigh_lambda_free(view);
    nigh_free(e->ctx, all);
    return status;
}

static nigh_status score_by(ending *e, nigh_long_method method)
{
    switch (method) {
    case NIGH_LONG_INFINITE: return score_engine(e, true);
    case NIGH_LONG_FULL: return score_engine(e, false);
    case NIGH_LONG_REINDEXED: return score_reindexed(e);
    default: return score_truncated(e);
    }
}

nigh_status nigh_long_score(nigh_context *ctx, const nigh_lm *lm, nigh_long_method method, const nigh_lm_infinite *settings, const int32_t *tokens, int64_t count,
                            int64_t tail, double *log_p)
{
    if (tail < 1 || tail >= count) return nigh_fail(ctx, NIGH_INVALID, "tail is %lld of %lld tokens; 1 to one less is allowed", (long long)tail, (long long)count);
    if ((unsigned)method >= NIGH_LONG_METHODS) return nigh_fail(ctx, NIGH_INVALID, "method %d is unknown", (int)method);
    nigh_status status = check(ctx, settings);
    if (status) return status;
    ending e = {.ctx = ctx, .lm = lm, .settings = settings, .tokens = tokens, .count = count, .tail = tail};
    e.logits = nigh_alloc(ctx, (size_t)nigh_lm_about(lm)->vocabulary * sizeof *e.logits);
    e.log_p = nigh_alloc(ctx, (size_t)tail * sizeof *e.log_p);
    status = e.logits && e.log_p ? nigh_cache_new(ctx, lm, &(nigh_cache_options){.type = NIGH_KV_F32}, &e.cache) : NIGH_MEMORY;
    if (!status) status = nigh_cache_sequence(e.cache, &e.sequence);
    if (!status) status = score_by(&e, method);
    for (int64_t i = 0; i < tail && !status; i++) log_p[i] = e.log_p[i];
    nigh_cache_free(e.cache);
    nigh_free(ctx, e.logits);
    nigh_free(ctx, e.log_p);
    return status;
}
