/* Rows on a real model, when it is there: first tokens kept or dropped, distances limited or not, pass keys. Only full claims run it. */
#include "parts.h"

#include <stdio.h>
#include <string.h>

#include "lm/tasks.h"

static const char model[] = "SmolLM2-135M-Instruct.Q4_1.gguf";

enum { WINDOW = 1024, KEYS = 8, DIGITS = 5, ANSWER = 8 };

/* ---- first tokens ------------------------------------------------------------------------------------------------ */

static nigh_status loss_with(claim_run *run, const subject *s, nigh_lm_infinite settings, nigh_long_method method, int64_t length, double *nats)
{
    subject other = *s;
    other.settings = settings;
    return subject_loss(run, &other, method, length, nats);
}

static nigh_status sink_bars(claim_run *run, const subject *s)
{
    static const int64_t sinks[3] = {0, 4, 16};
    double nats[3], full;
    nigh_status status = loss_with(run, s, (nigh_lm_infinite){4, WINDOW, WINDOW}, NIGH_LONG_FULL, s->longest, &full);
    for (int i = 0; i < 3 && !status; i++) status = loss_with(run, s, (nigh_lm_infinite){sinks[i], WINDOW, WINDOW}, NIGH_LONG_INFINITE, s->longest, &nats[i]);
    if (status) return status;
    claim_note(run, "SmolLM2-135M, %lld tokens, the last %lld: %.3f nats a token with everything seen; window %d with 0, 4, 16 first tokens: %.3f, %.3f, %.3f", (long long)s->longest,
               (long long)s->tail, full, WINDOW, nats[0], nats[1], nats[2]);
    claim_bar(run, "SmolLM2-135M: loss without the first tokens over that with 4", nats[0] - nats[1], CLAIM_AT_LEAST, 0.2, NULL);
    claim_bar(run, "SmolLM2-135M: loss with 4 first tokens over that of everything seen", nats[1] - full, CLAIM_AT_MOST, 0.1, NULL);
    return NIGH_OK;
}

/* Beyond the trained length. */
static nigh_status limit_bar(claim_run *run, const subject *s)
{
    subject far = *s;
    far.longest = 10240, far.texts = 2;
    double limited, own, full;
    nigh_status status = loss_with(run, &far, (nigh_lm_infinite){4, WINDOW, WINDOW}, NIGH_LONG_INFINITE, far.longest, &limited);
    if (!status) status = loss_with(run, &far, (nigh_lm_infinite){4, WINDOW, 0}, NIGH_LONG_INFINITE, far.longest, &own);
    if (!status) status = loss_with(run, &far, (nigh_lm_infinite){4, WINDOW, WINDOW}, NIGH_LONG_FULL, far.longest, &full);
    if (status) return status;
    claim_note(run, "SmolLM2-135M, %lld tokens: %.3f nats with everything seen, %.3f with the limit, %.3f with first tokens at their own distance", (long long)far.longest, full, limited, own);
    claim_bar(run, "SmolLM2-135M, 10,240 tokens: loss with the limit over that without it", limited - own, CLAIM_AT_MOST, 0.01, NULL);
    return NIGH_OK;
}

/* ---- pass keys --------------------------------------------------------------------------------------------------- */

typedef struct key_case {
    const char *name;
    size_t before, after; /* bytes of filler */
    nigh_lambda_options options;
} key_case;

static int32_t likeliest(const float *logits, int64_t n)
{
    int32_t best = 0;
    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* Rows of a chain in passes of 256 with the view's hooks; logits after the last. */
static nigh_status read_hooked(nigh_cache *cache, int sequence, nigh_lambda *view, const int32_t *tokens, int64_t count, float *logits)
{
    nigh_lm_row rows[256];
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < count && !status; i += 256) {
        int64_t n = count - i < 256 ? count - i : 256;
        for (int64_t t = 0; t < n; t++) rows[t] = (nigh_lm_row){tokens[i + t], sequence, (int32_t)t - 1, i + t + 1 == count};
        status = nigh_lm_run(cache, &(nigh_lm_pass){.rows = rows, .count = n, .logits = logits, .hooks = view ? nigh_lambda_hooks(view) : NULL});
        if (!status && view) status = nigh_lambda_status(view);
    }
    return status;
}

/* Whether the answer begins with the key. */
static nigh_status answer(claim_run *run, const subject *s, const key_case *c, const nigh_token_list *prompt, const char *key, bool *right)
{
    nigh_context *ctx = run->ctx;
    const nigh_lm_infinite *set = &c->options.settings;
    nigh_cache *cache = NULL;
    nigh_lambda *view = NULL;
    nigh_buffer text = {.ctx = ctx};
    int64_t vocabulary = nigh_lm_about(s->lm)->vocabulary;
    int sequence;
    float *logits = nigh_alloc(ctx, (size_t)vocabulary * sizeof *logits);
    nigh_status status = logits ? nigh_cache_new(ctx, s->lm, NULL, &cache) : NIGH_MEMORY;
    if (!status) status = nigh_cache_sequence(cache, &sequence);
    if (!status && c->options.middle) status = nigh_lambda_new(ctx, s->lm, &c->options, &view);
    else if (!status) status = nigh_cache_stream(cache, sequence, set->sinks, set->window, set->limit);
    if (!status) status = read_hooked(cache, sequence, view, prompt->id, prompt->count, logits);
    for (int i = 0; i < ANSWER && !status; i++) {
        int32_t token = likeliest(logits, vocabulary);
        status = nigh_detokenize(nigh_lm_tokenizer(s->lm), &token, 1, false, &text);
        if (!status) status = read_hooked(cache, sequence, view, &token, 1, logits);
    }
    if (!status) *right = text.data && strstr(text.data, key) != NULL;
    nigh_lambda_free(view);
    nigh_cache_free(cache);
    nigh_buffer_free(&text);
    nigh_free(ctx, logits);
    return status;
}

static nigh_status one_key(claim_run *run, const subject *s, const key_case *c, nigh_rng *rng, bool *right)
{
    nigh_context *ctx = run->ctx;
    nigh_buffer text = {.ctx = ctx};
    nigh_token_list prompt = {.ctx = ctx};
    int64_t key;
    char digits[32];
    nigh_status status = tasks_passkey(rng, DIGITS, c->before, c->after, &text, &key);
    while (!status && text.size && text.data[text.size - 1] == ' ') text.size--; /* words begin with their blank */
    if (!status) status = nigh_tokenize(nigh_lm_tokenizer(s->lm), text.data, text.size, 0, &prompt);
    if (!status) snprintf(digits, sizeof digits, "%lld", (long long)key);
    if (!status) status = answer(run, s, c, &prompt, digits, right);
    nigh_token_list_free(&prompt);
    nigh_buffer_free(&text);
    return status;
}

static nigh_status key_share(claim_run *run, const subject *s, const key_case *c, double *share)
{
    nigh_rng rng = nigh_rng_new(claim_seed(run), 7);
    int right = 0;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < KEYS && !status; i++) {
        bool ok = false;
        status = claim_progress(run, "pass keys", i, KEYS);
        if (!status) status = one_key(run, s, c, &rng, &ok);
        right += ok;
    }
    *share = (double)right / KEYS;
    return status;
}

static nigh_status key_bars(claim_run *run, const subject *s)
{
    const nigh_lm_infinite window = {4, WINDOW, WINDOW};
    const key_case cases[] = {{"600 tokens, all of it in the window", 1200, 1200, {.settings = window}},
                              {"2,400 tokens, the key among the last 500", 8000, 1600, {.settings = window}},
                              {"2,400 tokens, the key in the middle", 3200, 6400, {.settings = window}},
                              {"the same, looking again at the middle", 3200, 6400, {.settings = window, .middle = 5, .middle_layer = 4, .middle_distance = WINDOW / 2}}};
    double share[4];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 4 && !status; i++) {
        status = key_share(run, s, &cases[i], &share[i]);
        if (!status) claim_note(run, "SmolLM2-135M, pass keys of %d digits, %s: %.0f%% right", DIGITS, cases[i].name, 100 * share[i]);
    }
    if (status) return status;
    claim_bar(run, "SmolLM2-135M: share of pass keys found in the window of a longer text, less that in a text of its length", share[1] - share[0], CLAIM_AT_LEAST, -0.125, NULL);
    claim_bar(run, "SmolLM2-135M: share of pass keys found that lie behind the window", share[2], CLAIM_AT_MOST, 0, "what is not read is not known");
    return NIGH_OK;
}

nigh_status real_bars(claim_run *run)
{
    subject s = {0};
    nigh_status status = subject_real(run, model, &s);
    s.texts = 4, s.tail = 1024, s.longest = 4096;
    if (!status && s.lm) {
        status = sink_bars(run, &s);
        if (!status) status = limit_bar(run, &s);
        if (!status) status = key_bars(run, &s);
    }
    subject_free(run, &s);
    return status;
}
