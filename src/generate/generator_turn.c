/* One answer in the making: its request, and how a token is drawn and taken up. Declared in generate/generator.h. */
#include "generate/generator.h"

#include <math.h>
#include <string.h>

/* ---- taking up -------------------------------------------------------------------------------------------------- */

static nigh_status check(const nigh_generator *g, const nigh_question *r)
{
    nigh_context *ctx = g->ctx;
    const generator_engine *e = &g->engine;
    if (!r->prompt || r->prompt_count < 1) return nigh_fail(ctx, NIGH_INVALID, "the prompt is empty");
    for (int64_t i = 0; i < r->prompt_count; i++)
        if (r->prompt[i] < 0 || r->prompt[i] >= e->vocabulary)
            return nigh_fail(ctx, NIGH_INVALID, "token %lld of the prompt is %d; the vocabulary has %d", (long long)i, r->prompt[i], e->vocabulary);
    if (e->limit && r->prompt_count > e->limit)
        return nigh_fail(ctx, NIGH_INVALID, "the prompt has %lld tokens; the model has %lld places", (long long)r->prompt_count, (long long)e->limit);
    if (r->most < 1) return nigh_fail(ctx, NIGH_INVALID, "most is %lld; 1 or more is allowed", (long long)r->most);
    if (r->stops < 0 || (r->stops && !r->stop)) return nigh_fail(ctx, NIGH_INVALID, "stops is %d", r->stops);
    for (int i = 0; i < r->stops; i++)
        if (!r->stop[i] || !*r->stop[i]) return nigh_fail(ctx, NIGH_INVALID, "stop text %d is empty", i);
    if (r->top < 0 || r->top > GENERATOR_MOST_TOP || r->top > e->vocabulary)
        return nigh_fail(ctx, NIGH_INVALID, "top is %d; 0 to %d is allowed", r->top, GENERATOR_MOST_TOP);
    if (r->drafts < NIGH_DRAFTS_AUTO || r->drafts > NIGH_DRAFTS_ON) return nigh_fail(ctx, NIGH_INVALID, "drafts is %d, which is none of nigh_draft_use", (int)r->drafts);
    if (r->window < 0 || r->sinks < 0 || r->limit < 0)
        return nigh_fail(ctx, NIGH_INVALID, "sinks, window and limit are %lld, %lld, %lld; 0 or more is allowed", (long long)r->sinks, (long long)r->window, (long long)r->limit);
    if (r->window && e->limit) return nigh_fail(ctx, NIGH_UNSUPPORTED, "a window needs relative positions; this model has learned a table of %lld", (long long)e->limit);
    return NIGH_OK;
}

static nigh_status copy_stops(nigh_generator *g, const nigh_question *r, turn *t)
{
    t->stop = nigh_alloc_zero(g->ctx, (size_t)r->stops + 1, sizeof *t->stop);
    for (int i = 0; t->stop && i < r->stops; i++)
        if (!(t->stop[i] = nigh_strdup(g->ctx, r->stop[i]))) return NIGH_MEMORY;
    return t->stop ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status set_constraint(nigh_generator *g, const nigh_question *r, turn *t)
{
    t->state = nigh_constraint_start(r->constraint);
    nigh_status status = nigh_constraint_status(r->constraint);
    if (!status && t->state < 0) status = nigh_fail(g->ctx, NIGH_INVALID, "the constraint allows no text at all");
    return status ? status : nigh_masks_new(g->ctx, r->constraint, g->engine.tokenizer, 0, &t->masks);
}

nigh_status turn_new(nigh_generator *g, const nigh_question *request, turn **out)
{
    nigh_status status = check(g, request);
    if (status) return status;
    turn *t = nigh_alloc_zero(g->ctx, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    t->request = *request;
    t->request.stop = NULL, t->request.prompt = NULL, t->request.sampling.bias = NULL;
    t->sequence = -1;
    t->began = nigh_clock();
    t->history.ctx = t->text.ends.ctx = t->answer.tokens.ctx = t->answer.text.ctx = g->ctx;
    status = copy_stops(g, request, t);
    if (!status) status = nigh_token_list_add(&t->history, request->prompt, request->prompt_count);
    if (!status) status = nigh_sampler_new(g->ctx, &request->sampling, g->engine.vocabulary, &t->sampler);
    if (!status && request->constraint) status = set_constraint(g, request, t);
    if (!status) status = nigh_buffer_add(&t->answer.text, "", 0);
    if (status) turn_free(g, t);
    else *out = t;
    return status;
}

void turn_free(nigh_generator *g, turn *t)
{
    if (t->learnt) trie_forget(&g->lookahead->store, t->history.id, t->request.prompt_count);
    for (int i = 0; t->stop && i < t->request.stops; i++) nigh_free(g->ctx, t->stop[i]);
    nigh_free(g->ctx, t->stop);
    nigh_token_list_free(&t->history);
    nigh_token_list_free(&t->text.ends);
    nigh_sampler_free(t->sampler);
    nigh_masks_free(t->masks);
    nigh_answer_free(&t->answer);
    nigh_free(g->ctx, t);
}

nigh_status turn_learn(nigh_generator *g, turn *t)
{
    if (!g->lookahead || g->lookahead->frozen || t->learnt || t->request.drafts == NIGH_DRAFTS_OFF) return NIGH_OK;
    t->learnt = true;
    return trie_learn(&g->lookahead->store, t->history.id, t->request.prompt_count, TRIE_PASSING);
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

static void top_tokens(const float *logits, int32_t vocabulary, int count, nigh_top_token *top)
{
    float most = -INFINITY;
    double sum = 0;
    int n = 0;
    for (int32_t i = 0; i < vocabulary; i++) most = logits[i] > most ? logits[i] : most;
    for (int32_t i = 0; i < vocabulary; i++) {
        sum += exp((double)logits[i] - most);
        if (n == count && logits[i] <= top[n - 1].log_p) continue;
        int k = n < count ? n++ : n - 1;
        for (; k > 0 && top[k - 1].log_p < logits[i]; k--) top[k] = top[k - 1];
        top[k] = (nigh_top_token){i, logits[i]};
    }
    for (int k = 0; k < n; k++) top[k].log_p = (float)((double)top[k].log_p - most - log(sum));
}

/* Room for what is told of one more token. */
static nigh_status grow_logs(nigh_generator *g, turn *t)
{
    nigh_answer *a = &t->answer;
    if (a->tokens.count < t->log_room || (!t->request.log_p && !t->request.top)) return NIGH_OK;
    size_t room = t->log_room ? 2 * (size_t)t->log_room : 64;
    double *log_p = t->request.log_p ? nigh_resize(g->ctx, a->log_p, room * sizeof *log_p) : NULL;
    if (t->request.log_p && !log_p) return NIGH_MEMORY;
    if (log_p) a->log_p = log_p;
    nigh_top_token *top = t->request.top ? nigh_resize(g->ctx, a->top, room * (size_t)t->request.top * sizeof *top) : NULL;
    if (t->request.top && !top) return NIGH_MEMORY;
    if (top) a->top = top;
    t->log_room = (int64_t)room;
    return NIGH_OK;
}

static bool any(const uint64_t *allowed, int32_t count)
{
    for (int32_t i = 0; i < (count + 63) / 64; i++)
        if (allowed[i]) return true;
    return false;
}

static void finish(turn *t, nigh_finish how)
{
    t->answer.finish = how;
    if (how == NIGH_FINISH_END || how == NIGH_FINISH_LENGTH || how == NIGH_FINISH_CONTEXT) turn_text_end(t);
}

/* The token becomes part of history and answer. */
static nigh_status append(nigh_generator *g, turn *t, int32_t token, double log_p, const float *logits, int64_t state)
{
    nigh_answer *a = &t->answer;
    nigh_finish how = NIGH_FINISH_NOT;
    int64_t at = a->tokens.count;
    nigh_status status = grow_logs(g, t);
    if (!status) status = nigh_token_list_add(&t->history, &token, 1);
    if (status) return status;
    status = nigh_token_list_add(&a->tokens, &token, 1);
    if (!status && (status = turn_text_add(g, t, token, &how)) != NIGH_OK) a->tokens.count--;
    if (status) {
        t->history.count--;
        return status;
    }
    t->state = state;
    if (a->log_p) a->log_p[at] = log_p;
    if (a->top) top_tokens(logits, g->engine.vocabulary, t->request.top, a->top + at * t->request.top);
    if (!how && a->tokens.count >= t->request.most) how = NIGH_FINISH_LENGTH;
    if (!how && g->engine.limit && t->history.count > g->engine.limit) how = NIGH_FINISH_CONTEXT;
    if (how) finish(t, how);
    return NIGH_OK;
}

nigh_status turn_draw(nigh_generator *g, turn *t, const float *logits, int32_t *token)
{
    const uint64_t *allowed = NULL;
    double log_p = 0;
    int64_t state = 0;
    nigh_status status = t->masks ? nigh_masks_get(t->masks, t->state, &allowed) : NIGH_OK;
    if (!status && allowed && !any(allowed, g->engine.vocabulary) && nigh_constraint_complete(t->request.constraint, t->state)) {
        *token = -1;
        finish(t, NIGH_FINISH_END);
        return NIGH_OK;
    }
    if (!status)
        status = nigh_sampler_pick(t->sampler, logits, t->history.id, t->history.count, allowed, t->request.stream, token, t->request.log_p ? &log_p : NULL);
    if (status) return status;
    if (nigh_token_ends(g->engine.tokenizer, *token) && !t->request.past_end) {
        finish(t, NIGH_FINISH_END);
        return NIGH_OK;
    }
    if (t->masks && (state = nigh_masks_step(t->masks, t->state, *token)) < 0) {
        status = nigh_constraint_status(t->request.constraint);
        return status ? status : nigh_fail(g->ctx, NIGH_INTERNAL, "token %d was allowed and cannot be taken", *token);
    }
    return append(g, t, *token, log_p, logits, state);
}
