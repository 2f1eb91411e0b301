/* Log probabilities of tokens, perplexity. Declared in nigh/transformer.h. */
#include "nigh/transformer.h"

#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

struct nigh_scorer {
    nigh_context *ctx;
    nigh_tape *tape;
    nigh_executor *executor;
    int64_t batch, length, vocabulary;
    nigh_dtype dtype;
    nigh_node tokens, targets, loss;
    int32_t *token, *target; /* [batch, length], the executor's */
};

/* The network on the scorer's tape: -log p of the targets. */
static nigh_status record(nigh_scorer *s, nigh_network *net, nigh_node *parameters)
{
    const int64_t dim[2] = {s->batch, s->length};
    nigh_node logits;
    s->tokens = nigh_tape_input(s->tape, "tokens", NIGH_I32, 2, dim);
    s->targets = nigh_tape_input(s->tape, "targets", NIGH_I32, 2, dim);
    nigh_status status = nigh_parameters_record(nigh_network_parameters(net), s->tape, parameters);
    if (!status) status = nigh_network_record(net, s->tape, NULL, &s->tokens, parameters, &logits);
    if (status) return status;
    const nigh_shape *shape = nigh_tape_shape(s->tape, logits);
    if (shape->ndim != 3 || shape->dim[0] != s->batch || shape->dim[1] != s->length)
        return nigh_fail(s->ctx, NIGH_INVALID, "scorer: the network gives %d dimensions; logits [batch, length, vocabulary] are needed", shape->ndim);
    s->vocabulary = shape->dim[2];
    s->loss = nigh_tape_cross_entropy_rows(s->tape, logits, s->targets, 0);
    return nigh_tape_status(s->tape);
}

static nigh_status build(nigh_scorer *s, nigh_network *net)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_node *parameters = nigh_alloc(s->ctx, (size_t)(nigh_parameters_count(set) + 1) * sizeof *parameters);
    if (!parameters) return NIGH_MEMORY;
    nigh_status status = nigh_tape_new(s->ctx, &s->tape);
    if (!status) status = record(s, net, parameters);
    if (!status) status = nigh_executor_new(s->ctx, s->tape, 1, &s->loss, &s->executor);
    if (!status) status = nigh_parameters_bind(set, s->executor, parameters);
    nigh_free(s->ctx, parameters);
    if (status) return status;
    s->token = nigh_executor_data(s->executor, s->tokens);
    s->target = nigh_executor_data(s->executor, s->targets);
    return s->token && s->target ? NIGH_OK : NIGH_MEMORY;
}

nigh_status nigh_scorer_new(nigh_context *ctx, nigh_network *net, int64_t batch, int64_t length, nigh_scorer **scorer)
{
    const int64_t most = (int64_t)1 << 30;
    if (batch < 1 || length < 1 || batch > most || length > most)
        return nigh_fail(ctx, NIGH_INVALID, "scorer: batch is %lld, length %lld; 1 to %lld is allowed", (long long)batch, (long long)length, (long long)most);
    if (nigh_network_inputs(net) != 1 || nigh_network_outputs(net) != 1 || nigh_network_input_shape(net, 0)->dtype != NIGH_I32)
        return nigh_fail(ctx, NIGH_INVALID, "scorer: the network has %d inputs and %d outputs; tokens in and logits out are needed", nigh_network_inputs(net),
                         nigh_network_outputs(net));
    nigh_scorer *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (nigh_scorer){.ctx = ctx, .batch = batch, .length = length, .dtype = nigh_parameters_dtype(nigh_network_parameters(net))};
    nigh_status status = build(s, net);
    if (status) nigh_scorer_free(s);
    else *scorer = s;
    return status;
}

void nigh_scorer_free(nigh_scorer *s)
{
    if (!s) return;
    nigh_executor_free(s->executor);
    nigh_tape_free(s->tape);
    nigh_free(s->ctx, s);
}

/* ---- runs --------------------------------------------------------------------------------------------- */

static nigh_status check_token(const nigh_scorer *s, int64_t i, int32_t token)
{
    if (token >= 0 && token < s->vocabulary) return NIGH_OK;
    return nigh_fail(s->ctx, NIGH_INVALID, "token %lld is %d; 0 to %lld is allowed", (long long)i, (int)token, (long long)s->vocabulary - 1);
}

static double loss_at(const nigh_scorer *s, int64_t i)
{
    const void *loss = nigh_executor_data(s->executor, s->loss);
    return s->dtype == NIGH_F32 ? ((const float *)loss)[i] : ((const double *)loss)[i];
}

nigh_status nigh_scorer_run(nigh_scorer *s, const int32_t *tokens, const int32_t *targets, double *log_probability)
{
    int64_t n = s->batch * s->length;
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < n && !status; i++) {
        status = check_token(s, i, tokens[i]);
        if (!status && targets[i] != -1) status = check_token(s, i, targets[i]);
    }
    if (status) return status;
    memcpy(s->token, tokens, (size_t)n * sizeof *tokens);
    memcpy(s->target, targets, (size_t)n * sizeof *targets);
    if ((status = nigh_executor_run(s->executor))) return status;
    for (int64_t i = 0; i < n; i++) log_probability[i] = targets[i] == -1 ? 0 : -loss_at(s, i);
    return NIGH_OK;
}

/* Rows that are not filled ask for nothing. */
static void clear(nigh_scorer *s)
{
    memset(s->token, 0, (size_t)(s->batch * s->length) * sizeof *s->token);
    for (int64_t i = 0; i < s->batch * s->length; i++) s->target[i] = -1;
}

static nigh_status check_item(const nigh_scorer *s, int64_t i, const nigh_continuation *item)
{
    if (item->prompt < 1 || item->total < item->prompt || item->total - 1 > s->length)
        return nigh_fail(s->ctx, NIGH_INVALID, "continuation %lld has a prompt of %lld and %lld tokens in all; 1 <= prompt <= total <= %lld is allowed", (long long)i,
                         (long long)item->prompt, (long long)item->total, (long long)s->length + 1);
    nigh_status status = NIGH_OK;
    for (int64_t k = 0; k < item->total && !status; k++) status = check_token(s, k, item->tokens[k]);
    return status ? nigh_within(s->ctx, status, "continuation %lld", (long long)i) : NIGH_OK;
}

nigh_status nigh_scorer_continuations(nigh_scorer *s, int64_t n, const nigh_continuation *item)
{
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < n && !status; i++) status = check_item(s, i, &item[i]);
    for (int64_t start = 0; start < n && !status; start += s->batch) {
        int64_t count = n - start < s->batch ? n - start : s->batch;
        clear(s);
        for (int64_t b = 0; b < count; b++) {
            const nigh_continuation *c = &item[start + b];
            memcpy(s->token + b * s->length, c->tokens, (size_t)(c->total - 1) * sizeof *c->tokens);
            for (int64_t k = c->prompt; k < c->total; k++) s->target[b * s->length + k - 1] = c->tokens[k];
        }
        if ((status = nigh_executor_run(s->executor))) break;
        for (int64_t b = 0; b < count; b++)
            for (int64_t k = item[start + b].prompt; k < item[start + b].total; k++)
                item[start + b].log_probability[k - item[start + b].prompt] = -loss_at(s, b * s->length + k - 1);
    }
    return status;
}

/* ---- perplexity --------------------------------------------------------------------------------------- */

/* One batch of windows from window number `first` on; what is counted is added up in the order of the tokens. */
static nigh_status add_windows(nigh_scorer *s, int64_t first, int64_t windows, int64_t n, const int32_t *tokens, int64_t overlap, double *sum, int64_t *counted)
{
    int64_t step = s->length - overlap;
    clear(s);
    for (int64_t b = 0; b < s->batch && first + b < windows; b++) {
        int64_t start = (first + b) * step, have = n - 1 - start < s->length ? n - 1 - start : s->length;
        memcpy(s->token + b * s->length, tokens + start, (size_t)have * sizeof *tokens);
        for (int64_t k = first + b > 0 ? overlap : 0; k < have; k++) s->target[b * s->length + k] = tokens[start + k + 1];
    }
    nigh_status status = nigh_executor_run(s->executor);
    for (int64_t i = 0; i < s->batch * s->length && !status; i++)
        if (s->target[i] >= 0) *sum += loss_at(s, i), ++*counted;
    return status;
}

nigh_status nigh_scorer_perplexity(nigh_scorer *s, int64_t n, const int32_t *tokens, int64_t overlap, nigh_perplexity *result)
{
    if (n < 2) return nigh_fail(s->ctx, NIGH_INVALID, "perplexity: %lld tokens; 2 or more are needed", (long long)n);
    if (overlap < 0 || overlap >= s->length)
        return nigh_fail(s->ctx, NIGH_INVALID, "perplexity: overlap is %lld; 0 to %lld is allowed", (long long)overlap, (long long)s->length - 1);
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; i < n && !status; i++) status = check_token(s, i, tokens[i]);
    /* the last window is the first that reaches token n - 1 */
    int64_t step = s->length - overlap, windows = n - 1 <= s->length ? 1 : 1 + (n - 1 - s->length + step - 1) / step, counted = 0;
    double sum = 0;
    for (int64_t first = 0; first < windows && !status; first += s->batch) status = add_windows(s, first, windows, n, tokens, overlap, &sum, &counted);
    if (status) return status;
    double nats = sum / (double)counted;
    *result = (nigh_perplexity){.nats = nats, .perplexity = exp(nats), .bits = nats / log(2), .tokens = counted};
    return NIGH_OK;
}
