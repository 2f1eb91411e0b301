/*
 * Language models: one of bytes trained on sums, and, when its file is there, one with 49,152 tokens. What a step asks the rule is seen by a draw that stands
 * between the particles and the estimator: it tests all tokens as masking does, and takes the time of that.
 */
#include "parts.h"

#include "lm/tasks.h"
#include "nigh/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- sums ------------------------------------------------------------------------------------------------- */

static nigh_status sums_model(claim_run *run, nigh_lm **lm)
{
    nigh_context *ctx = run->ctx;
    nigh_buffer text = {.ctx = ctx};
    nigh_recipe recipe = nigh_recipe_default();
    char *path = NULL;
    double loss;
    nigh_status status = tasks_text(TASKS_SUMS, 1, 2, 400000, &text);
    recipe.text = text.data, recipe.size = text.size, recipe.seed = 1;
    recipe.layers = 2, recipe.width = 64, recipe.heads = 4, recipe.context = 32, recipe.steps = 3000, recipe.batch = 32, recipe.rate = 4e-3;
    if (!status) status = nigh_recipe_stored(ctx, &recipe, NIGH_BLOCK_F32, &path, &loss);
    if (!status) claim_note(run, "own model of sums of two digits: %.3f nats a byte", loss);
    if (!status) status = nigh_lm_load(ctx, path, lm);
    nigh_free(ctx, path);
    nigh_buffer_free(&text);
    return status;
}

typedef struct sums {
    claim_run *run;
    nigh_cache *cache;
    int32_t prompt[16];
    char begun[TASKS_SUM_ROOM]; /* "17+" */
    nigh_constraint *rule;
} sums;

enum { METHODS = 4, PARTICLES = 16, INSTANCES = 200 }; /* masking, particles, particles with exact sums, samples of which the first that obeys is kept */

static int64_t choose(const nigh_controlled *r, nigh_rng *rng)
{
    double weight[PARTICLES];
    for (int i = 0; i < r->count; i++) weight[i] = exp(r->particles[i].log_weight - r->log_z);
    return nigh_rng_categorical(rng, r->count, weight);
}

static bool right_sum(const sums *s, const nigh_particle *p)
{
    char line[4 * TASKS_SUM_ROOM];
    size_t begun = strlen(s->begun);
    if (p->text.size > TASKS_SUM_ROOM) return false;
    memcpy(line, s->begun, begun);
    if (p->text.size) memcpy(line + begun, p->text.data, p->text.size);
    return tasks_sum_right(line, begun + p->text.size);
}

/* One answer by one method. Free sampling has a rule that any sum obeys. */
static nigh_status sums_answer(sums *s, int method, int last, uint64_t seed, nigh_rng *rng, bool *right, double *calls)
{
    static const int32_t line_end[] = {'\n'};
    weighted_draw_fn *const draw[METHODS] = {strings_greedy_draw, NULL, strings_masked_draw, NULL};
    nigh_controlled_options options = {.particles = method == 0 ? 1 : PARTICLES, .most = 12, .ends = line_end, .ends_count = 1, .seed = seed};
    char pattern[64];
    nigh_context *ctx = s->run->ctx;
    nigh_constraint *rule;
    nigh_controlled r;
    weighted_draw_fn *with = draw[method];
    if (method == 3) snprintf(pattern, sizeof pattern, "[0-9]{1,2}=[0-9]{1,3}");
    else snprintf(pattern, sizeof pattern, "[0-9]{1,2}=[0-9]{0,2}%d", last);
    if (claim_sabotaged(s->run, "weights-one") && method == 1) with = strings_greedy_draw;
    nigh_status status = nigh_constraint_regex(ctx, pattern, 0, &rule);
    if (status) return status;
    int64_t count = (int64_t)strlen(s->begun) + 1;
    s->prompt[0] = '\n';
    for (int64_t i = 1; i < count; i++) s->prompt[i] = (unsigned char)s->begun[i - 1];
    status = controlled_run(s->cache, rule, s->prompt, count, &options, with, &r);
    nigh_constraint_free(rule);
    if (status) return status;
    int64_t at = method == 3 ? 0 : choose(&r, rng);
    *calls += (double)r.calls;
    *right = at >= 0 && right_sum(s, r.particles + at);
    if (method == 3) { /* in the order of texts: any order will do for which chance decides */
        int64_t start = (int64_t)nigh_rng_below(rng, PARTICLES);
        *right = false;
        for (int64_t k = 0; k < PARTICLES; k++) {
            const nigh_particle *p = r.particles + (start + k) % PARTICLES;
            if (!p->finished || p->text.data[p->text.size - 1] != '0' + last) continue;
            *right = right_sum(s, p);
            break;
        }
    }
    nigh_controlled_free(&r);
    return NIGH_OK;
}

static nigh_status own_sums(claim_run *run)
{
    nigh_lm *lm = NULL;
    sums s = {.run = run};
    int correct[METHODS] = {0}, wins = 0, losses = 0;
    double calls[METHODS] = {0};
    nigh_rng rng = nigh_rng_new(claim_seed(run), 70);
    nigh_status status = sums_model(run, &lm);
    if (!status) status = nigh_cache_new(run->ctx, lm, &(nigh_cache_options){.type = NIGH_KV_F32, .threads = 1}, &s.cache);
    for (int i = 0; i < INSTANCES && !status; i++) {
        bool right[METHODS] = {false};
        int last = (int)nigh_rng_below(&rng, 10);
        snprintf(s.begun, sizeof s.begun, "%d+", (int)nigh_rng_below(&rng, 100));
        for (int k = 0; k < METHODS && !status; k++) {
            status = sums_answer(&s, k, last, nigh_seed_split(claim_seed(run), (uint64_t)(5000 + 10 * i + k)), &rng, right + k, calls + k);
            correct[k] += right[k];
        }
        wins += right[1] && !right[0], losses += right[0] && !right[1];
        if (!status && i % 20 == 0) status = claim_progress(run, "sums", i, INSTANCES);
    }
    nigh_cache_free(s.cache);
    nigh_lm_free(lm);
    nigh_test test;
    if (!status) status = nigh_sign_test(run->ctx, wins, losses, &test);
    if (status) return status;
    claim_note(run, "5: own model, right of %d: masking %d, %d particles %d, with exact sums %d, of as many samples the first that obeys %d; tests %.0f, %.0f, %.0f", INSTANCES, correct[0],
               PARTICLES, correct[1], correct[2], correct[3], calls[0], calls[1], calls[2]);
    claim_bar(run, "5: own model: share of right sums, particles less masking", (double)(correct[1] - correct[0]) / INSTANCES, CLAIM_AT_LEAST, .1, NULL);
    claim_bar(run, "5: own model: the same, p of the sign test", test.p, CLAIM_AT_MOST, .05, NULL);
    return NIGH_OK;
}

/* ---- a model with a large vocabulary ---------------------------------------------------------------------- */

/* What a draw sees. One claim runs at a time. */
static struct probe {
    int32_t vocabulary;
    double mask_seconds, draw_seconds, p; /* p: of the law of the first token */
    int64_t masks;
    bool first;
    uint64_t seed;
} probe;

/* The law of many draws in this place against the exact one. */
static nigh_status first_token(nigh_context *ctx, const weighted_law *l, weighted_room *room, weighted_ok_fn *passes, void *user, const weighted_options *options)
{
    enum { DRAWS = 2000 };
    double *counts = nigh_alloc_zero(ctx, (size_t)probe.vocabulary + 1, sizeof *counts), *expect = nigh_alloc(ctx, ((size_t)l->count + 1) * sizeof *expect), mass = 0;
    nigh_status status = counts && expect ? NIGH_OK : NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(probe.seed, 1);
    for (int d = 0; d < DRAWS && !status; d++) {
        nigh_weighted_token t;
        status = weighted_draw(ctx, l, room, passes, user, options, &rng, &t);
        if (!status) counts[t.token]++;
    }
    int32_t cells = 0;
    double rare[2] = {0, 0};
    for (int32_t i = 0; !status && i < l->count; i++) mass += expect[i] = passes(user, l->id ? l->id[i] : i) ? weighted_mass(l, i) : 0;
    double *seen = status ? NULL : nigh_alloc(ctx, ((size_t)l->count + 1) * sizeof *seen);
    if (!status && !seen) status = NIGH_MEMORY;
    for (int32_t i = 0; !status && i < l->count; i++) {
        double here = counts[l->id ? l->id[i] : i], wanted = expect[i] / mass * DRAWS;
        if (wanted < 8) rare[0] += here, rare[1] += wanted;
        else seen[cells] = here, expect[cells++] = wanted;
    }
    if (!status && rare[1] > 2) seen[cells] = rare[0], expect[cells++] = rare[1];
    nigh_test test = {.p = 1};
    if (!status && cells > 1) status = nigh_chi_square_fit(ctx, cells, seen, expect, 0, &test);
    probe.p = test.p;
    nigh_free(ctx, seen);
    nigh_free(ctx, counts);
    nigh_free(ctx, expect);
    return status;
}

static nigh_status probing_draw(nigh_context *ctx, const weighted_law *l, weighted_room *room, weighted_ok_fn *passes, void *user, const weighted_options *options, nigh_rng *rng,
                                nigh_weighted_token *out)
{
    double began = nigh_clock();
    int64_t allowed = 0;
    if (probe.first) {
        probe.first = false;
        nigh_status status = first_token(ctx, l, room, passes, user, options);
        if (status) return status;
        began = nigh_clock();
    }
    for (int32_t i = 0; i < probe.vocabulary; i++) allowed += passes(user, i);
    double masked = nigh_clock();
    for (int32_t i = 0; i < 256; i++) allowed += passes(user, i); /* which bytes may come first, asked before the law was made: as many questions */
    nigh_status status = weighted_draw(ctx, l, room, passes, user, options, rng, out);
    probe.mask_seconds += masked - began;
    probe.draw_seconds += nigh_clock() - masked;
    probe.masks += allowed >= 0;
    return status;
}

typedef struct rule_text {
    const char *name, *pattern, *before, *after;
} rule_text;

static const rule_text rules[] = {
    {"date", "[0-9]{4}-[01][0-9]-[0-3][0-9]", "In the form YYYY-MM-DD, the date of ", " was "},
    {"address", "([0-9]{1,3}\\.){3}[0-9]{1,3}", "The IPv4 address of ", " is "},
    {"object", "\\{\"name\": \"[A-Za-z .]{1,30}\", \"age\": [0-9]{1,3}, \"city\": \"[A-Za-z .]{1,30}\"\\}", "As JSON with the fields name, age and city, ", " is: "},
};
enum { RULES = sizeof rules / sizeof *rules, SUBJECTS = 10 };
static const char *const subjects[RULES][SUBJECTS] = {
    {"the first moon landing", "the fall of the Berlin wall", "the end of the second world war", "the attack on Pearl Harbor", "the declaration of independence", "the storming of the Bastille",
     "the battle of Waterloo", "the first flight of the Wright brothers", "the sinking of the Titanic", "the coronation of Elizabeth II"},
    {"my router", "the printer", "the mail server", "the host localhost", "Google's name server", "the gateway", "the new laptop", "the database machine", "the backup server", "the camera"},
    {"a teacher", "a doctor", "the mayor", "my neighbour", "a pilot", "the baker", "a young painter", "an old sailor", "the director", "a student"},
};

typedef struct totals {
    double calls, tokens, seconds, mask_seconds, draw_seconds, masks, finished, valid, all;
} totals;

static nigh_status one_prompt(claim_run *run, nigh_cache *cache, const rule_text *rule, const char *subject, uint64_t seed, bool probed, totals *t)
{
    nigh_context *ctx = run->ctx;
    nigh_token_list prompt = {.ctx = ctx};
    nigh_constraint *c = NULL;
    nigh_controlled r = {0};
    char *text = nigh_format(ctx, "%s%s%s", rule->before, subject, rule->after);
    nigh_status status = text ? nigh_tokenize(nigh_lm_tokenizer(nigh_cache_lm(cache)), text, strlen(text), NIGH_TOKENS_BEGIN, &prompt) : NIGH_MEMORY;
    if (!status) status = nigh_constraint_regex(ctx, rule->pattern, 0, &c);
    if (!status) status = controlled_run(cache, c, prompt.id, prompt.count, &(nigh_controlled_options){.particles = 4, .seed = seed}, probed ? probing_draw : NULL, &r);
    for (int i = 0; !status && i < r.count; i++) {
        const nigh_particle *p = r.particles + i;
        int64_t state = nigh_constraint_start(c);
        if (p->text.size) state = nigh_constraint_step(c, state, p->text.data, p->text.size);
        t->all++, t->finished += p->finished, t->valid += p->finished && nigh_constraint_complete(c, state);
    }
    if (!status && !probed) t->calls += (double)r.calls, t->tokens += (double)r.tokens, t->seconds += r.rule_seconds;
    if (!status && probed) t->mask_seconds += probe.mask_seconds, t->draw_seconds += probe.draw_seconds, t->masks += (double)probe.masks;
    nigh_controlled_free(&r);
    nigh_constraint_free(c);
    nigh_token_list_free(&prompt);
    nigh_free(ctx, text);
    return status;
}

static nigh_status real_prompts(claim_run *run, nigh_cache *cache, totals *t, double *least_p)
{
    nigh_status status = NIGH_OK;
    for (int k = 0; k < RULES * SUBJECTS && !status; k++) {
        const rule_text *rule = rules + k / SUBJECTS;
        const char *subject = subjects[k / SUBJECTS][k % SUBJECTS];
        uint64_t seed = nigh_seed_split(claim_seed(run), (uint64_t)(9000 + k));
        status = one_prompt(run, cache, rule, subject, seed, false, t);
        probe = (struct probe){.vocabulary = probe.vocabulary, .first = true, .seed = seed, .p = 1};
        if (!status && k % SUBJECTS == 0) {
            status = one_prompt(run, cache, rule, subject, seed, true, t);
            *least_p = fmin(*least_p, probe.p);
        }
        if (!status) status = claim_progress(run, "prompts", k, RULES * SUBJECTS);
    }
    return status;
}

static nigh_status real_model(claim_run *run)
{
    static const char file[] = "SmolLM2-135M-Instruct.Q4_1.gguf";
    nigh_context *ctx = run->ctx;
    const char *folder = getenv("NIGH_MODELS");
    char *path = nigh_format(ctx, "%s/%s", folder ? folder : "build/models", file);
    nigh_lm *lm = NULL;
    nigh_cache *cache = NULL;
    totals t = {0};
    double least_p = 1;
    if (!path) return NIGH_MEMORY;
    bool there = access(path, R_OK) == 0;
    nigh_status status = NIGH_OK;
    if (!there) claim_note(run, "3: rows on a real model need %s in the folder NIGH_MODELS or build/models: not looked at", file);
    if (there) status = nigh_lm_load(ctx, path, &lm);
    nigh_free(ctx, path);
    if (status || !there) return status;
    probe.vocabulary = (int32_t)nigh_tokenizer_vocabulary(nigh_lm_tokenizer(lm));
    status = nigh_cache_new(ctx, lm, NULL, &cache);
    if (!status) status = real_prompts(run, cache, &t, &least_p);
    double vocabulary = probe.vocabulary, step = t.seconds / t.tokens, mask = t.mask_seconds / t.masks, draw = t.draw_seconds / t.masks;
    nigh_cache_free(cache);
    nigh_lm_free(lm);
    if (status) return status;
    claim_note(run, "3: %s, 30 prompts, 4 particles: %.2f tests a token; a token's rule costs %.2f us beside %.0f us to test all tokens, with the law of the model %.0f us; %.0f of %.0f finished",
               file, t.calls / t.tokens, 1e6 * draw, 1e6 * mask, 1e6 * step, t.finished, t.all);
    claim_bar(run, "3: real model: tests a token over the vocabulary", t.calls / t.tokens / vocabulary, CLAIM_AT_MOST, .01, NULL);
    claim_bar(run, "3: real model: seconds to test all tokens over those of a weighted draw", mask / draw, CLAIM_AT_LEAST, 50, NULL);
    claim_bar(run, "3: real model: finished answers that obey", t.valid / t.finished, CLAIM_AT_LEAST, 1, NULL);
    claim_bar(run, "3: real model: law of the first token, least chi-square p of 3 prompts", least_p, CLAIM_AT_LEAST, 1e-3, NULL);
    return NIGH_OK;
}

nigh_status models_bars(claim_run *run)
{
    if (run->quick) return NIGH_OK;
    nigh_status status = own_sums(run);
    return status ? status : real_model(run);
}
