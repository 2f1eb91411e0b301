/*
 * Particles from a language model under a constraint. Slots with the same prefix share a branch: one sequence of the cache, one state of the rule, one row
 * of logits, one law. A branch that goes on in several ways is forked, so that pages of the prefix are shared.
 */
#include "generate/adaptive_rejection_sampling.h"
#include "lm/constraint.h"
#include "lm/pass.h"
#include "lm/sampling_kernels.h"
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
    const sampling_kernels *kernels;
    int slots, branches;
    int32_t vocabulary, end;
    double temperature;
    int32_t *ends;     /* but for the first */
    int32_t *other;    /* what may not come: control tokens, tokens without bytes */
    int32_t *text;     /* the rest in order of first bytes: those of byte b from text[first[b]] on */
    int64_t end_count, other_count, first[257];
    branch *at, *next;
    group *groups;
    nigh_lm_row *rows;
    int *of, *held;    /* branch of each slot */
    float *logits, *next_logits; /* [branches][vocabulary] */
    int room[2];       /* branches that they have place for */
    float *weight, *most; /* [vocabulary], [blocks] */
    double *x, *p;     /* [vocabulary] */
    int32_t *id;       /* of the places of x and p */
    weighted_law law;
    int law_of;        /* branch, -1: none */
} model;

/* ---- the source of laws ----------------------------------------------------------------------------------- */

static nigh_status bad_logit(const model *m, const float *logits)
{
    for (int32_t i = 0; i < m->vocabulary; i++)
        if (!(logits[i] < INFINITY)) return nigh_fail(m->ctx, NIGH_INVALID, "the model's logit of token %d is %s", i, isnan(logits[i]) ? "NaN" : "inf");
    return nigh_fail(m->ctx, NIGH_INVALID, "all of the model's logits are -inf");
}

/* How many tokens begin with a byte that the rule lets follow, one question for each class of bytes; -1: the rule's questions are dear. */
static int64_t beginnings(const model *m, int64_t state, bool allowed[256])
{
    const state_table *t = m->rule->table;
    signed char answer[256];
    int64_t count = 0;
    if (!t) return -1;
    memset(answer, -1, sizeof answer);
    for (int b = 0; b < 256; b++) {
        signed char *a = answer + t->class_of[b];
        if (*a < 0) *a = constraint_next(m->rule, (uint32_t)state, (uint8_t)b) != AUTOMATON_NONE;
        allowed[b] = *a;
        count += *a ? m->first[b + 1] - m->first[b] : 0;
    }
    return count;
}

/* Tokens with these beginnings and the end, in doubles. lse: log of the sum over all tokens. */
static void listed_law(model *m, const float *logits, const bool allowed[256], double lse)
{
    double scale = 1 / m->temperature, most = (double)logits[m->end] * scale, ends = 1;
    for (int64_t i = 0; i < m->end_count; i++) {
        double x = (double)logits[m->ends[i]] * scale;
        if (x > most) ends = ends * exp(most - x) + 1, most = x;
        else if (x > -INFINITY) ends += exp(x - most);
    }
    int32_t count = 1;
    m->id[0] = m->end, m->x[0] = most + log(ends);
    for (int b = 0; b < 256; b++)
        for (int64_t k = m->first[b]; allowed[b] && k < m->first[b + 1]; k++) {
            int32_t token = m->text[k];
            m->id[count] = token, m->x[count++] = (double)logits[token] * scale;
        }
    const rows_kernels *rows = rows_kernels_find(NIGH_F64);
    double kept;
    rows->log_sum_exp(1, count, m->x, &kept);
    m->law = (weighted_law){.count = count, .p = m->p, .id = m->id, .block = m->law.block, .log_kept = kept - lse};
    if (kept > -INFINITY) {
        rows->softmax(1, count, m->x, m->p);
        weighted_law_make(&m->law);
    }
}

/* All tokens, in floats: weights and sums of blocks as the sampler has them. */
static void whole_law(model *m, double total)
{
    weighted_law *l = &m->law;
    *l = (weighted_law){.count = m->vocabulary, .w = m->weight, .block = l->block, .most = 1};
    for (int64_t i = 0; i < m->end_count; i++) m->weight[m->end] += m->weight[m->ends[i]], m->weight[m->ends[i]] = 0;
    for (int64_t i = 0; i < m->other_count; i++) m->weight[m->other[i]] = 0;
    for (int64_t i = -1 - m->end_count, block = -1; i < m->other_count; i++) { /* sums of blocks with such tokens */
        int64_t here = (i >= 0 ? m->other[i] : i == -1 ? m->end : m->ends[-2 - i]) / WEIGHTED_BLOCK;
        if (here == block) continue;
        double sum = 0;
        for (int64_t k = here * WEIGHTED_BLOCK; k < m->vocabulary && k < (here + 1) * WEIGHTED_BLOCK; k++) sum += (double)m->weight[k];
        l->block[block = here] = sum;
    }
    for (int64_t b = 0; b < weighted_blocks(m->vocabulary); b++) l->total += l->block[b];
    l->log_kept = log(l->total / total);
}

/*
 * Where few tokens begin as the rule wants, those alone are taken, and the rest counts as mass left out: the end of a string that can only end costs one
 * question, not one for each token. Cold laws are taken in doubles, so that what follows the rule does not underflow.
 */
static nigh_status law(void *user, int slot, const weighted_law **out)
{
    model *m = user;
    int b = m->of[slot];
    *out = &m->law;
    if (b == m->law_of) return NIGH_OK;
    const float *logits = m->logits + (int64_t)b * m->vocabulary;
    float max = -INFINITY;
    double total = 0;
    bool allowed[256], clean = m->kernels->scan(m->vocabulary, logits, m->most);
    for (int64_t k = 0; k < sampling_blocks(m->vocabulary); k++) max = m->most[k] > max ? m->most[k] : max;
    if (!clean || !isfinite(max)) return bad_logit(m, logits);
    int64_t found = beginnings(m, m->at[b].state, allowed);
    bool few = found >= 0 && found <= m->vocabulary / 8, cold = m->temperature < .5;
    if (found < 0) memset(allowed, true, sizeof allowed);
    m->kernels->weigh(m->vocabulary, logits, max, (float)(1 / m->temperature), 0, few || cold ? NULL : m->weight, m->law.block, NULL);
    for (int64_t k = 0; k < sampling_blocks(m->vocabulary); k++) total += m->law.block[k];
    if (few || cold) listed_law(m, logits, allowed, (double)max / m->temperature + log(total));
    else whole_law(m, total);
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

enum { END = -1, OTHER = -2 };

/* First byte of a token, END or OTHER. */
static int kind_of(const model *m, const nigh_controlled_options *o, int32_t token)
{
    size_t size = 0;
    for (int64_t i = 0; i < o->ends_count; i++)
        if (o->ends[i] == token) return END;
    if (token >= nigh_tokenizer_vocabulary(m->tokens)) return OTHER;
    if (nigh_token_ends(m->tokens, token)) return END;
    if (nigh_token_kind_of(m->tokens, token) != NIGH_TOKEN_TEXT) return OTHER;
    const char *bytes = nigh_token_bytes(m->tokens, token, &size);
    return size ? (unsigned char)*bytes : OTHER;
}

/* Ends are one event, their probabilities added; tokens that stand for no bytes are left out, and weights count the mass that goes with them. */
static nigh_status sort_tokens(model *m, const nigh_controlled_options *o)
{
    m->end = -1;
    for (int round = 0; round < 2; round++) {
        for (int32_t i = 0; i < m->vocabulary; i++) {
            int kind = kind_of(m, o, i);
            if (round == 0 && kind >= 0) m->first[kind + 1]++;
            if (round == 1 && kind >= 0) m->text[m->first[kind]++] = i;
            if (round == 0 && kind == OTHER) m->other[m->other_count++] = i;
            if (round == 1 || kind != END) continue;
            if (m->end < 0) m->end = i;
            else m->ends[m->end_count++] = i;
        }
        if (round == 0) /* counts become places; the second round moves each place to the next byte's */
            for (int b = 0; b < 256; b++) m->first[b + 1] += m->first[b];
    }
    memmove(m->first + 1, m->first, 256 * sizeof *m->first);
    m->first[0] = 0;
    if (m->end < 0) return nigh_fail(m->ctx, NIGH_UNSUPPORTED, "the model's vocabulary has no token that ends an answer");
    return NIGH_OK;
}

static bool model_allocate(model *m)
{
    nigh_context *ctx = m->ctx;
    size_t n = (size_t)m->slots, v = (size_t)m->vocabulary, blocks = (size_t)weighted_blocks(m->vocabulary) + 1;
    m->ends = nigh_alloc(ctx, v * sizeof *m->ends);
    m->other = nigh_alloc(ctx, v * sizeof *m->other);
    m->text = nigh_alloc(ctx, v * sizeof *m->text);
    m->at = nigh_alloc(ctx, n * sizeof *m->at);
    m->next = nigh_alloc(ctx, n * sizeof *m->next);
    m->groups = nigh_alloc(ctx, n * sizeof *m->groups);
    m->rows = nigh_alloc(ctx, n * sizeof *m->rows);
    m->of = nigh_alloc_zero(ctx, n, sizeof *m->of);
    m->held = nigh_alloc_zero(ctx, n, sizeof *m->held);
    m->logits = nigh_alloc(ctx, v * sizeof *m->logits);
    m->weight = nigh_alloc(ctx, v * sizeof *m->weight);
    m->most = nigh_alloc(ctx, blocks * sizeof *m->most);
    m->x = nigh_alloc(ctx, v * sizeof *m->x);
    m->p = nigh_alloc(ctx, v * sizeof *m->p);
    m->id = nigh_alloc(ctx, v * sizeof *m->id);
    m->law.block = nigh_alloc(ctx, blocks * sizeof(double));
    m->room[0] = 1;
    return m->ends && m->other && m->text && m->at && m->next && m->groups && m->rows && m->of && m->held && m->logits && m->weight && m->most && m->x && m->p && m->id &&
           m->law.block;
}

static void model_free(model *m)
{
    void *const blocks[] = {m->ends, m->other, m->text, m->at, m->next, m->groups, m->rows, m->of, m->held, m->logits, m->next_logits, m->weight, m->most, m->x, m->p, m->id,
                            m->law.block};
    for (int b = 0; b < m->branches; b++) nigh_cache_drop(m->cache, m->at[b].sequence);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) nigh_free(m->ctx, blocks[i]);
}

static nigh_status model_begin(model *m, const nigh_controlled_options *options, const int32_t *prompt, int64_t count)
{
    if (!model_allocate(m)) return NIGH_MEMORY;
    nigh_status status = sort_tokens(m, options);
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

static nigh_status settings(nigh_context *ctx, const nigh_controlled_options *g, particle_options *o, double *temperature)
{
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
    if (g->ends_count < 0 || (g->ends_count && !g->ends)) return nigh_fail(ctx, NIGH_INVALID, "ends_count is %lld; 0 or more, with a list, is allowed", (long long)g->ends_count);
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
                         .unfinished = run->unfinished, .rule_seconds = run->seconds};
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

nigh_status controlled_run(nigh_cache *cache, nigh_constraint *constraint, const int32_t *prompt, int64_t count, const nigh_controlled_options *options,
                           weighted_draw_fn *draw, nigh_controlled *result)
{
    static const nigh_controlled_options zero;
    const nigh_lm *lm = nigh_cache_lm(cache);
    nigh_context *ctx = cache->ctx;
    particle_options o;
    double temperature, began = nigh_clock();
    options = options ? options : &zero;
    nigh_status status = settings(ctx, options, &o, &temperature);
    if (status) return status;
    if (count < 1) return nigh_fail(ctx, NIGH_INVALID, "the prompt has %lld tokens; 1 or more is needed", (long long)count);
    model m = {.ctx = ctx, .cache = cache, .rule = constraint, .tokens = nigh_lm_tokenizer(lm), .kernels = sampling_kernels_at(nigh_cpu()), .slots = o.particles,
               .temperature = temperature, .law_of = -1, .vocabulary = (int32_t)nigh_lm_about(lm)->vocabulary};
    status = model_begin(&m, options, prompt, count);
    const particle_source source = {.user = &m, .end = m.end, .law = law, .ok = ok, .failure = failure, .advance = advance, .gather = gather};
    particle_run run = {0};
    o.draw = draw;
    if (!status) status = particles_run(ctx, &source, m.vocabulary, &o, &run);
    if (!status && run.log_z == -INFINITY && run.unfinished)
        status = nigh_fail(ctx, NIGH_INVALID, "no string satisfies the rule, after %lld calls: %lld of %d particles reached %lld tokens unfinished", (long long)run.calls,
                           (long long)run.unfinished, run.count, (long long)o.most);
    else if (!status && run.log_z == -INFINITY) status = nigh_fail(ctx, NIGH_INVALID, "no string satisfies the rule, after %lld calls", (long long)run.calls);
    if (!status) status = keep(&m, &run, result);
    if (!status) result->seconds = nigh_clock() - began;
    particle_run_free(&run);
    model_free(&m);
    return status;
}

nigh_status nigh_controlled_generate(nigh_cache *cache, nigh_constraint *constraint, const int32_t *prompt, int64_t count, const nigh_controlled_options *options,
                                     nigh_controlled *result)
{
    return controlled_run(cache, constraint, prompt, count, options, NULL, result);
}
