/*
 * Particles from a language model under a constraint. Slots with the same prefix share a branch: one sequence of the cache, one state of the rule, one row
 * of logits, one law. A branch that goes on in several ways is forked, so that pages of the prefix are shared.
 */
#include "generate/adaptive_rejection_sampling.h"
#include "lm/pass.h"
#include "tensor/rows.h"

#include <math.h>
#include <string.h>

typedef struct branch {
    int sequence;
    int64_t state;
    bool forked; /* of another, in the pass at hand */
} branch;

typedef struct group {
    int parent;
    int32_t token;
} group;

typedef struct model {
    nigh_context *ctx;
    nigh_cache *cache;
    nigh_constraint *rule;
    const nigh_tokenizer *tokens;
    int slots, branches;
    int32_t vocabulary, end;
    double inverse; /* of the temperature */
    int32_t *ends, *dropped; /* ends but for the first; what may not come: control tokens, tokens without bytes */
    int64_t end_count, drop_count;
    branch *at, *next;
    group *groups;
    nigh_lm_row *rows;
    int *of, *held; /* branch of each slot */
    float *logits, *next_logits; /* [branches][vocabulary] */
    int room[2];    /* branches that they have place for */
    double *x, *p;  /* [vocabulary] */
    weighted_law law;
    int law_of;     /* branch, -1: none */
} model;

/* ---- the source of laws ----------------------------------------------------------------------------------- */

static nigh_status bad_logit(const model *m, const float *logits)
{
    for (int32_t i = 0; i < m->vocabulary; i++)
        if (!(logits[i] < INFINITY)) return nigh_fail(m->ctx, NIGH_INVALID, "the model's logit of token %d is %s", i, isnan(logits[i]) ? "NaN" : "inf");
    return nigh_fail(m->ctx, NIGH_INVALID, "all of the model's logits are -inf");
}

static nigh_status law(void *user, int slot, const weighted_law **out)
{
    model *m = user;
    int b = m->of[slot];
    *out = &m->law;
    if (b == m->law_of) return NIGH_OK;
    const float *logits = m->logits + (int64_t)b * m->vocabulary;
    for (int32_t i = 0; i < m->vocabulary; i++) m->x[i] = (double)logits[i] * m->inverse;
    rows_kernels_find(NIGH_F64)->softmax(1, m->vocabulary, m->x, m->p);
    if (isnan(m->p[0])) return bad_logit(m, logits);
    for (int64_t i = 0; i < m->drop_count; i++) m->p[m->dropped[i]] = 0;
    for (int64_t i = 0; i < m->end_count; i++) m->p[m->end] += m->p[m->ends[i]], m->p[m->ends[i]] = 0;
    weighted_law_make(&m->law);
    m->law_of = b;
    return NIGH_OK;
}

static int ok(void *user, int slot, int32_t token)
{
    model *m = user;
    size_t size;
    int64_t state = m->at[m->of[slot]].state;
    if (token == m->end) return nigh_constraint_complete(m->rule, state);
    const char *bytes = nigh_token_bytes(m->tokens, token, &size);
    return nigh_constraint_step(m->rule, state, bytes, size) >= 0;
}

static nigh_status failure(void *user)
{
    return nigh_constraint_status(((model *)user)->rule);
}

static void gather(void *user, const int *from)
{
    model *m = user;
    memcpy(m->held, m->of, (size_t)m->slots * sizeof *m->of);
    for (int i = 0; i < m->slots; i++) m->of[i] = m->held[from[i]];
}

/* Which slots go the same way: groups, and the group of each slot. */
static int group_slots(model *m, int count, const int *slot, const int32_t *token)
{
    int groups = 0;
    for (int i = 0; i < m->slots; i++) m->held[i] = -1;
    for (int i = 0; i < count; i++) {
        int g = 0;
        while (g < groups && (m->groups[g].parent != m->of[slot[i]] || m->groups[g].token != token[i])) g++;
        if (g == groups) m->groups[groups++] = (group){m->of[slot[i]], token[i]};
        m->held[slot[i]] = g;
    }
    return groups;
}

/* The first group of a branch goes on in its sequence, others in forks. On failure what was forked is gone. */
static nigh_status fork_branches(model *m, int groups)
{
    for (int g = 0; g < groups; g++) {
        branch *from = m->at + m->groups[g].parent, *to = m->next + g;
        bool first = true;
        size_t size;
        for (int k = 0; k < g; k++) first &= m->groups[k].parent != m->groups[g].parent;
        const char *bytes = nigh_token_bytes(m->tokens, m->groups[g].token, &size);
        *to = (branch){.sequence = from->sequence, .state = nigh_constraint_step(m->rule, from->state, bytes, size), .forked = !first};
        nigh_status status = failure(m);
        if (!status && to->state < 0) status = nigh_fail(m->ctx, NIGH_INVALID, "the rule refuses token %d, which it let pass before", m->groups[g].token);
        if (!status && !first) status = nigh_cache_fork(m->cache, from->sequence, nigh_cache_length(m->cache, from->sequence), &to->sequence);
        if (status) {
            for (int k = 0; k < g; k++)
                if (m->next[k].forked) nigh_cache_drop(m->cache, m->next[k].sequence);
            return status;
        }
        m->rows[g] = (nigh_lm_row){.token = m->groups[g].token, .sequence = to->sequence, .parent = -1, .wanted = true};
    }
    return NIGH_OK;
}

/* Logits of so many branches to come; they are few while all strings begin alike. */
static nigh_status room_for(model *m, int branches)
{
    if (branches <= m->room[1]) return NIGH_OK;
    int room = branches > 2 * m->room[1] ? branches : 2 * m->room[1] < m->slots ? 2 * m->room[1] : m->slots;
    nigh_free(m->ctx, m->next_logits);
    m->room[1] = 0;
    m->next_logits = nigh_alloc(m->ctx, (size_t)room * (size_t)m->vocabulary * sizeof *m->next_logits);
    if (!m->next_logits) return NIGH_MEMORY;
    m->room[1] = room;
    return NIGH_OK;
}

static nigh_status advance(void *user, int count, const int *slot, const int32_t *token)
{
    model *m = user;
    int groups = group_slots(m, count, slot, token);
    nigh_status status = room_for(m, groups);
    if (!status) status = fork_branches(m, groups);
    if (status) return status;
    nigh_lm_pass pass = {.rows = m->rows, .count = groups, .logits = m->next_logits};
    status = nigh_lm_run(m->cache, &pass);
    for (int g = 0; status && g < groups; g++)
        if (m->next[g].forked) nigh_cache_drop(m->cache, m->next[g].sequence);
    if (status) return status;
    for (int b = 0; b < m->branches; b++) {
        bool used = false;
        for (int g = 0; g < groups; g++) used |= m->groups[g].parent == b;
        if (!used) nigh_cache_drop(m->cache, m->at[b].sequence);
    }
    branch *at = m->at;
    float *logits = m->logits;
    int *of = m->of, room = m->room[0];
    m->at = m->next, m->next = at;
    m->logits = m->next_logits, m->next_logits = logits;
    m->room[0] = m->room[1], m->room[1] = room;
    m->of = m->held, m->held = of;
    m->branches = groups;
    m->law_of = -1;
    return NIGH_OK;
}

/* ---- setting up ------------------------------------------------------------------------------------------- */

/* Ends are one event, their probabilities added; tokens that stand for no bytes are left out, and weights count the mass that goes with them. */
static nigh_status sort_tokens(model *m)
{
    int32_t known = nigh_tokenizer_vocabulary(m->tokens);
    m->end = -1;
    for (int32_t i = 0; i < m->vocabulary; i++) {
        size_t size = 0;
        if (i < known && nigh_token_ends(m->tokens, i)) {
            if (m->end < 0) m->end = i;
            else m->ends[m->end_count++] = i;
            continue;
        }
        if (i < known && nigh_token_kind_of(m->tokens, i) == NIGH_TOKEN_TEXT) nigh_token_bytes(m->tokens, i, &size);
        if (!size) m->dropped[m->drop_count++] = i;
    }
    if (m->end < 0) return nigh_fail(m->ctx, NIGH_UNSUPPORTED, "the model's vocabulary has no token that ends an answer");
    return NIGH_OK;
}

static bool model_allocate(model *m)
{
    nigh_context *ctx = m->ctx;
    size_t n = (size_t)m->slots, v = (size_t)m->vocabulary;
    m->ends = nigh_alloc(ctx, v * sizeof *m->ends);
    m->dropped = nigh_alloc(ctx, v * sizeof *m->dropped);
    m->at = nigh_alloc(ctx, n * sizeof *m->at);
    m->next = nigh_alloc(ctx, n * sizeof *m->next);
    m->groups = nigh_alloc(ctx, n * sizeof *m->groups);
    m->rows = nigh_alloc(ctx, n * sizeof *m->rows);
    m->of = nigh_alloc_zero(ctx, n, sizeof *m->of);
    m->held = nigh_alloc_zero(ctx, n, sizeof *m->held);
    m->logits = nigh_alloc(ctx, v * sizeof *m->logits);
    m->room[0] = 1;
    m->x = nigh_alloc(ctx, v * sizeof *m->x);
    m->p = nigh_alloc(ctx, v * sizeof *m->p);
    m->law = (weighted_law){.count = m->vocabulary, .p = m->p, .block = nigh_alloc(ctx, (size_t)weighted_blocks(m->vocabulary) * sizeof(double))};
    return m->ends && m->dropped && m->at && m->next && m->groups && m->rows && m->of && m->held && m->logits && m->x && m->p && m->law.block;
}

static void model_free(model *m)
{
    void *const blocks[] = {m->ends, m->dropped, m->at, m->next, m->groups, m->rows, m->of, m->held, m->logits, m->next_logits, m->x, m->p, m->law.block};
    for (int b = 0; b < m->branches; b++) nigh_cache_drop(m->cache, m->at[b].sequence);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(m->ctx, blocks[i]);
}

static nigh_status model_begin(model *m, const int32_t *prompt, int64_t count)
{
    if (!model_allocate(m)) return NIGH_MEMORY;
    nigh_status status = sort_tokens(m);
    if (status) return status;
    int64_t state = nigh_constraint_start(m->rule);
    status = failure(m);
    if (status) return status;
    if (state < 0) return nigh_fail(m->ctx, NIGH_INVALID, "no string satisfies the rule, after 0 calls: it is empty");
    status = nigh_cache_sequence(m->cache, &m->at[0].sequence);
    if (status) return status;
    m->at[0].state = state;
    m->branches = 1;
    return nigh_lm_read(m->cache, m->at[0].sequence, prompt, count, m->logits);
}

static nigh_status settings(nigh_context *ctx, const nigh_controlled_options *given, particle_options *o, double *temperature)
{
    static const nigh_controlled_options zero;
    const nigh_controlled_options *g = given ? given : &zero;
    *o = (particle_options){.particles = g->particles ? g->particles : 5, .resample = g->resample != 0 ? g->resample : .5, .most = g->most ? g->most : 100, .seed = g->seed};
    o->token = (weighted_options){.estimator = g->estimator, .accepts = g->accepts ? g->accepts : 2, .most_rejects = g->most_rejects};
    *temperature = g->temperature != 0 ? g->temperature : 1;
    if (o->particles < 1 || o->particles > 4096) return nigh_fail(ctx, NIGH_INVALID, "particles is %d; 1 to 4096 is allowed", o->particles);
    if (!(o->resample > 0 && o->resample <= 1)) return nigh_fail(ctx, NIGH_INVALID, "resample is %g; above 0, up to 1 is allowed", o->resample);
    if (o->most < 1 || o->most > 1 << 20) return nigh_fail(ctx, NIGH_INVALID, "most is %lld; 1 to 1048576 tokens are allowed", (long long)o->most);
    if (o->token.accepts < 2) return nigh_fail(ctx, NIGH_INVALID, "accepts is %lld; 2 or more is allowed: with fewer no weight is proper", (long long)o->token.accepts);
    if (o->token.most_rejects < 0) return nigh_fail(ctx, NIGH_INVALID, "most_rejects is %lld; 0 (no cap) or more is allowed", (long long)o->token.most_rejects);
    if ((int)g->estimator < NIGH_WEIGHT_AUTO || g->estimator > NIGH_WEIGHT_GEOMETRIC)
        return nigh_fail(ctx, NIGH_INVALID, "estimator is %d; 0 to 2 are known", (int)g->estimator);
    if (!(*temperature > 0) || isinf(*temperature)) return nigh_fail(ctx, NIGH_INVALID, "temperature is %g; above 0, finite, is allowed", *temperature);
    return NIGH_OK;
}

/* ---- results ---------------------------------------------------------------------------------------------- */

void nigh_controlled_free(nigh_controlled *result)
{
    if (!result || !result->ctx) return;
    for (int i = 0; result->particles && i < result->count; i++) {
        nigh_token_list_free(&result->particles[i].tokens);
        nigh_buffer_free(&result->particles[i].text);
    }
    nigh_free(result->ctx, result->particles);
    *result = (nigh_controlled){0};
}

static int compare_text(const nigh_buffer *a, const nigh_buffer *b)
{
    size_t size = a->size < b->size ? a->size : b->size;
    int order = size ? memcmp(a->data, b->data, size) : 0;
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static nigh_status keep_particle(const model *m, const particle *from, nigh_particle *to)
{
    *to = (nigh_particle){.tokens.ctx = m->ctx, .text.ctx = m->ctx, .finished = from->finished, .log_weight = from->finished ? from->log_weight : -INFINITY};
    nigh_status status = nigh_token_list_add(&to->tokens, from->token, from->count);
    for (int64_t i = 0; i < from->count && !status; i++) {
        size_t size;
        const char *bytes = nigh_token_bytes(m->tokens, from->token[i], &size);
        status = nigh_buffer_add(&to->text, bytes, size);
    }
    return status;
}

static nigh_status keep(const model *m, const particle_run *run, nigh_controlled *result)
{
    nigh_controlled r = {.ctx = m->ctx, .count = run->count, .log_z = run->log_z, .calls = run->calls, .tokens = run->drawn, .passes = run->passes + 1,
                         .unfinished = run->unfinished};
    r.particles = nigh_alloc_zero(m->ctx, (size_t)run->count, sizeof *r.particles);
    if (!r.particles) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < run->count && !status; i++) {
        nigh_particle here;
        int k = i;
        status = keep_particle(m, run->at + i, &here);
        for (; k > 0 && compare_text(&r.particles[k - 1].text, &here.text) > 0; k--) r.particles[k] = r.particles[k - 1];
        r.particles[k] = here;
    }
    if (status) return nigh_controlled_free(&r), status;
    *result = r;
    return NIGH_OK;
}

nigh_status nigh_controlled_generate(nigh_cache *cache, nigh_constraint *constraint, const int32_t *prompt, int64_t count, const nigh_controlled_options *options,
                                     nigh_controlled *result)
{
    const nigh_lm *lm = nigh_cache_lm(cache);
    nigh_context *ctx = cache->ctx;
    particle_options o;
    double temperature;
    nigh_status status = settings(ctx, options, &o, &temperature);
    if (status) return status;
    if (count < 1) return nigh_fail(ctx, NIGH_INVALID, "the prompt has %lld tokens; 1 or more is needed", (long long)count);
    model m = {.ctx = ctx, .cache = cache, .rule = constraint, .tokens = nigh_lm_tokenizer(lm), .slots = o.particles, .inverse = 1 / temperature, .law_of = -1};
    m.vocabulary = (int32_t)nigh_lm_about(lm)->vocabulary;
    status = model_begin(&m, prompt, count);
    const particle_source source = {.user = &m, .end = m.end, .law = law, .ok = ok, .failure = failure, .advance = advance, .gather = gather};
    particle_run run = {0};
    if (!status) status = particles_run(ctx, &source, m.vocabulary, &o, &run);
    if (!status && run.log_z == -INFINITY && run.unfinished)
        status = nigh_fail(ctx, NIGH_INVALID, "no string satisfies the rule, after %lld calls: %lld of %d particles reached %lld tokens unfinished", (long long)run.calls,
                           (long long)run.unfinished, run.count, (long long)o.most);
    else if (!status && run.log_z == -INFINITY) status = nigh_fail(ctx, NIGH_INVALID, "no string satisfies the rule, after %lld calls", (long long)run.calls);
    if (!status) status = keep(&m, &run, result);
    particle_run_free(&run);
    model_free(&m);
    return status;
}
