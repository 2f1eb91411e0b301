/*
 * Claim of "Lookahead: An Inference Acceleration Framework for Large Language Model with Lossless Generation Accuracy": drafts from a trie of what was read and
 * written, checked in one pass, change no token of the answers and make passes fewer.
 *
 *   1  the same tokens as without drafts: in a tree, one branch, branches side by side; drawn at random; several requests at once
 *   2  tokens a pass (EDL) where answers repeat their prompts, with a warm trie, in free text; beside one branch and beside copying
 *   3  the trie: bytes a node, bounded; (full only) time of insertion and retrieval
 *   4  drafts of random tokens: nothing is gained, nothing changed
 *   5  (full only) time beside plain decoding, also on real models when they are there
 */
#include "lookahead/parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const saboteurs[] = {"index-positions", "random-drafts", "one-branch", NULL};

enum { WIDTH = 16, LENGTH = 10, MOST = 64 };

static nigh_status new_store(claim_run *run, nigh_draft_mode mode, int width, bool random, const speaker *s, nigh_lookahead **out)
{
    nigh_lookahead_options options = {.width = width, .length = LENGTH, .mode = mode};
    nigh_rng rng = nigh_rng_new(claim_seed(run), 77);
    int32_t tokens[1000];
    if (claim_sabotaged(run, "one-branch")) options.mode = NIGH_DRAFT_ONE;
    nigh_status status = nigh_lookahead_new(run->ctx, &options, out);
    random |= claim_sabotaged(run, "random-drafts");
    for (int i = 0; i < 50 && random && !status; i++) {
        for (int k = 0; k < 1000; k++) tokens[k] = (int32_t)nigh_rng_below(&rng, (uint64_t)nigh_lm_about(s->lm)->vocabulary);
        status = nigh_lookahead_learn(*out, tokens, 1000);
        (*out)->frozen = true;
    }
    if (status && *out) nigh_lookahead_free(*out), *out = NULL;
    return status;
}

/* Asks with a store of its own, `times` times the same; totals of the first and of the last. */
static nigh_status ask_with(claim_run *run, speaker *s, const prompts *p, asking how, nigh_draft_mode mode, int width, bool random, int times,
                            const nigh_token_list *expected, totals *first, totals *last)
{
    totals t;
    how.lookahead = NULL;
    nigh_status status = new_store(run, mode, width, random, s, &how.lookahead);
    for (int i = 0; i < times && !status; i++) {
        status = lookahead_ask(run, s, p, &how, NULL, expected, &t);
        if (!status && i == 0) *first = t;
        if (!status && i == times - 1 && last) *last = t;
    }
    nigh_lookahead_free(how.lookahead);
    return status;
}

static double edl(const totals *t) { return t->tokens / t->passes; }
static double share_same(const totals *t) { return (double)t->same / t->answers; }

static void bar(claim_run *run, const speaker *s, const char *what, double value, claim_relation relation, double threshold)
{
    char name[160];
    snprintf(name, sizeof name, "%s: %s", s->name, what);
    claim_bar(run, name, value, relation, threshold, NULL);
}

static void free_answers(nigh_token_list *answers, int count)
{
    for (int i = 0; i < count; i++) nigh_token_list_free(&answers[i]);
}

/* ---- 1, 2 and 4 ---------------------------------------------------------------------------------------------------- */

static nigh_status copy_bars(claim_run *run, speaker *s, const prompts *p, nigh_token_list *answers)
{
    totals plain, tree, warm, one, one_warm, parallel, random, batch;
    asking how = {.drafts = NIGH_DRAFTS_OFF, .most = MOST, .together = 8};
    nigh_status status = lookahead_ask(run, s, p, &how, answers, NULL, &plain);
    how.drafts = NIGH_DRAFTS_ON, how.together = 1;
    if (!status) status = ask_with(run, s, p, how, NIGH_DRAFT_TREE, WIDTH, false, 2, answers, &tree, &warm);
    if (!status) status = ask_with(run, s, p, how, NIGH_DRAFT_ONE, WIDTH, false, 2, answers, &one, &one_warm);
    if (!status && s->own) status = ask_with(run, s, p, how, NIGH_DRAFT_PARALLEL, WIDTH, false, 1, answers, &parallel, NULL);
    if (!status && s->own) status = ask_with(run, s, p, how, NIGH_DRAFT_TREE, 2, true, 1, answers, &random, NULL);
    how.together = 5;
    if (!status) status = ask_with(run, s, p, how, NIGH_DRAFT_TREE, 40, false, 1, answers, &batch, NULL);
    if (status) return status;
    bar(run, s, "answers with a tree of drafts that are the same", share_same(&tree), CLAIM_AT_LEAST, 1);
    bar(run, s, "the same with a warm trie", share_same(&warm), CLAIM_AT_LEAST, 1);
    bar(run, s, "the same with one branch", share_same(&one), CLAIM_AT_LEAST, 1);
    bar(run, s, "the same, five requests at once", share_same(&batch), CLAIM_AT_LEAST, 1);
    bar(run, s, "tokens a pass, first time", edl(&tree), CLAIM_AT_LEAST, 2.5);
    bar(run, s, "tokens a pass, warm trie", edl(&warm), CLAIM_AT_LEAST, 4);
    bar(run, s, "tokens a pass of the tree over one branch, warm trie, same width and length", edl(&warm) / edl(&one_warm), CLAIM_AT_LEAST, 1.05);
    bar(run, s, "tokens a pass of the tree over copying from the text, first time", edl(&tree) / lookahead_copied(p, answers, WIDTH), CLAIM_AT_LEAST, 1);
    claim_note(run, "%s: tokens a pass first and warm: tree %.2f %.2f, one branch %.2f %.2f, copying %.2f; five at once, 40 drafts for all, %.2f", s->name, edl(&tree), edl(&warm), edl(&one),
               edl(&one_warm), lookahead_copied(p, answers, WIDTH), edl(&batch));
    if (!s->own) return NIGH_OK;
    bar(run, s, "the same with branches side by side", share_same(&parallel), CLAIM_AT_LEAST, 1);
    bar(run, s, "the same with drafts of random tokens", share_same(&random), CLAIM_AT_LEAST, 1);
    claim_bar_within(run, "own: tokens a pass with two drafts of random tokens", edl(&random), 0.98, 1.02, NULL);
    return NIGH_OK;
}

static nigh_status free_bars(claim_run *run, speaker *s, int count)
{
    prompts p;
    totals plain, tree;
    nigh_token_list *answers = nigh_alloc_zero(run->ctx, (size_t)count, sizeof *answers);
    if (!answers) return NIGH_MEMORY;
    asking how = {.drafts = NIGH_DRAFTS_OFF, .most = MOST, .temperature = 0.8, .together = 8};
    nigh_status status = lookahead_prompts(run, s, PROMPTS_FREE, count, claim_seed(run), &p);
    if (!status) status = lookahead_ask(run, s, &p, &how, answers, NULL, &plain);
    how.drafts = NIGH_DRAFTS_ON, how.together = 1;
    if (!status) status = ask_with(run, s, &p, how, NIGH_DRAFT_TREE, WIDTH, false, 1, answers, &tree, NULL);
    if (!status) {
        bar(run, s, "the same in free text drawn at temperature 0.8", share_same(&tree), CLAIM_AT_LEAST, 1);
        bar(run, s, "tokens a pass in free text", edl(&tree), CLAIM_AT_LEAST, 1.1);
        lookahead_prompts_free(&p);
    }
    free_answers(answers, count);
    nigh_free(run->ctx, answers);
    return status;
}

static nigh_status quality_bars(claim_run *run, speaker *s, int count)
{
    prompts p;
    nigh_token_list *answers = nigh_alloc_zero(run->ctx, (size_t)count, sizeof *answers);
    if (!answers) return NIGH_MEMORY;
    nigh_status status = lookahead_prompts(run, s, PROMPTS_COPY, count, claim_seed(run), &p);
    if (!status) {
        status = copy_bars(run, s, &p, answers);
        lookahead_prompts_free(&p);
    }
    free_answers(answers, count);
    nigh_free(run->ctx, answers);
    return status ? status : free_bars(run, s, count < 50 ? count : 50);
}

/* ---- 3: the trie ------------------------------------------------------------------------------------------------------ */

/* A text in which half of the pieces were there before. */
static void wander(nigh_rng *rng, int32_t *text, int64_t count)
{
    for (int64_t i = 0; i < count;) {
        int64_t piece = 5 + (int64_t)nigh_rng_below(rng, 40), from = i > 1000 && nigh_rng_below(rng, 2) ? (int64_t)nigh_rng_below(rng, (uint64_t)(i - 900)) : -1;
        for (int64_t k = 0; k < piece && i < count; k++, i++) text[i] = from >= 0 ? text[from + k] : (int32_t)exp(nigh_rng_f64(rng) * log(50000));
    }
}

static nigh_status trie_bars(claim_run *run)
{
    int64_t count = run->quick ? 200000 : 1000000, most = run->quick ? 200000 : 1 << 20, high = 0;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 5);
    nigh_lookahead *l = NULL;
    lookahead_drafts d;
    int32_t *text = nigh_alloc(run->ctx, (size_t)count * sizeof *text);
    if (!text) return NIGH_MEMORY;
    wander(&rng, text, count);
    nigh_status status = nigh_lookahead_new(run->ctx, &(nigh_lookahead_options){.nodes = most}, &l);
    double began = nigh_clock_cpu(), seconds, retrieval = 0;
    for (int64_t i = 0; i < count && !status; i += 1000) {
        status = nigh_lookahead_learn(l, text + i, 1000);
        if (nigh_lookahead_nodes(l) > high) high = nigh_lookahead_nodes(l);
    }
    seconds = nigh_clock_cpu() - began;
    for (int64_t i = 0; i < 2000 && !status; i++) {
        int64_t at = 100 + (int64_t)nigh_rng_below(&rng, (uint64_t)(count - 100));
        began = nigh_clock_cpu();
        lookahead_propose(l, text, at, 16, 10, NULL, &d);
        retrieval += nigh_clock_cpu() - began;
    }
    if (!status) {
        claim_bar(run, "trie: bytes a node when full", (double)trie_bytes(&l->store) / (double)most, CLAIM_AT_MOST, 32.01, NULL);
        claim_bar(run, "trie: most nodes ever over what is allowed", (double)high / (double)most, CLAIM_AT_MOST, 1, NULL);
        if (!run->quick) {
            claim_bar(run, "trie: million tokens inserted a second", (double)count / seconds * 1e-6, CLAIM_AT_LEAST, 1, NULL);
            claim_bar(run, "trie: microseconds for 16 drafts at a million nodes", retrieval / 2000 * 1e6, CLAIM_AT_MOST, 50, NULL);
        }
    }
    nigh_lookahead_free(l);
    nigh_free(run->ctx, text);
    return status;
}

/* ---- 5: time ---------------------------------------------------------------------------------------------------------- */

/* Seconds of plain decoding over those with drafts where they pay; prompt by prompt in turn. Twice with the same store: first[0], warm[1]. */
static nigh_status race(claim_run *run, speaker *s, const prompts *p, double temperature, double ratio[2], double tokens_a_pass[2])
{
    totals plain, with, sum[2];
    asking off = {.drafts = NIGH_DRAFTS_OFF, .most = MOST, .temperature = temperature, .together = 1}, use = off;
    nigh_status status = nigh_lookahead_new(run->ctx, NULL, &use.lookahead);
    if (!status) status = lookahead_generator(run, s, use.lookahead, &use.g);
    use.drafts = NIGH_DRAFTS_AUTO, off.g = use.g;
    for (int time = 0; time < 2 && !status; time++) {
        memset(sum, 0, sizeof sum);
        for (int i = 0; i < p->count && !status; i++) {
            prompts one = {p->ctx, 1, p->at + i};
            status = lookahead_ask(run, s, &one, &off, NULL, NULL, &plain);
            if (!status) status = lookahead_ask(run, s, &one, &use, NULL, NULL, &with);
            sum[0].seconds += plain.seconds, sum[1].seconds += with.seconds, sum[1].tokens += with.tokens, sum[1].passes += with.passes;
        }
        ratio[time] = sum[0].seconds / sum[1].seconds, tokens_a_pass[time] = edl(&sum[1]);
    }
    nigh_generator_free(use.g);
    nigh_lookahead_free(use.lookahead);
    return status;
}

static nigh_status time_bars(claim_run *run, speaker *s, int count)
{
    prompts copy, free_text = {.count = 0};
    double ratio[2] = {0, 0}, free_ratio[2] = {0, 0}, tokens[2] = {0, 0}, free_tokens[2] = {0, 0}, cost[6];
    nigh_status status = lookahead_prompts(run, s, PROMPTS_COPY, count, claim_seed(run) + 1, &copy);
    if (!status) status = lookahead_prompts(run, s, PROMPTS_FREE, count, claim_seed(run) + 1, &free_text);
    if (!status) status = race(run, s, &copy, 0, ratio, tokens);
    if (!status) status = race(run, s, &free_text, 0.8, free_ratio, free_tokens);
    for (int i = 0; i < 6 && !status; i++) status = nigh_lm_time(s->cache, (int64_t)1 << i, 500, 9, &cost[i]);
    if (!status) {
        bar(run, s, "speed where answers repeat their prompts, first time, over plain decoding", ratio[0], CLAIM_AT_LEAST, 1.5);
        bar(run, s, "speed with a warm trie", ratio[1], CLAIM_AT_LEAST, 2);
        bar(run, s, "speed in free text", free_ratio[0], CLAIM_AT_LEAST, 0.97);
        claim_note(run, "%s: tokens a pass as planned: %.2f, warm %.2f, free text %.2f; a pass of 2, 4, 8, 16, 32 rows costs %.2f %.2f %.2f %.2f %.2f of one row's", s->name, tokens[0],
                   tokens[1], free_tokens[0], cost[1] / cost[0], cost[2] / cost[0], cost[3] / cost[0], cost[4] / cost[0], cost[5] / cost[0]);
    }
    lookahead_prompts_free(&free_text);
    lookahead_prompts_free(&copy);
    return status;
}

/* Many answers of a model, eight at once without drafts and one by one with a tree of them. */
static nigh_status same_bar(claim_run *run, speaker *s, int count)
{
    enum { GROUP = 8 };
    prompts p;
    totals plain, tree;
    int same = 0;
    asking use = {.drafts = NIGH_DRAFTS_ON, .most = MOST, .together = 1}, off = {.drafts = NIGH_DRAFTS_OFF, .most = MOST, .together = GROUP};
    nigh_status status = lookahead_prompts(run, s, PROMPTS_COPY, count, claim_seed(run) + 2, &p);
    if (!status) status = new_store(run, NIGH_DRAFT_TREE, WIDTH, false, s, &use.lookahead);
    if (!status) status = lookahead_generator(run, s, use.lookahead, &use.g);
    off.g = use.g;
    for (int i = 0; i < count && !status; i += GROUP) {
        nigh_token_list answers[GROUP] = {{.ctx = NULL}};
        prompts group = {p.ctx, count - i < GROUP ? count - i : GROUP, p.at + i};
        status = claim_progress(run, "the same answers", i, count);
        if (!status) status = lookahead_ask(run, s, &group, &off, answers, NULL, &plain);
        if (!status) status = lookahead_ask(run, s, &group, &use, NULL, answers, &tree);
        if (!status) same += tree.same;
        free_answers(answers, GROUP);
    }
    if (!status) bar(run, s, "the same answers to 200 prompts", (double)same / count, CLAIM_AT_LEAST, 1);
    nigh_generator_free(use.g);
    nigh_lookahead_free(use.lookahead);
    lookahead_prompts_free(&p);
    return status;
}

static nigh_status real_bars(claim_run *run)
{
    static const char *const file[] = {"SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 2 && !status; i++) {
        speaker s;
        status = lookahead_real(run, file[i], &s);
        if (status || !s.lm) continue;
        status = same_bar(run, &s, 200);
        if (!status) status = quality_bars(run, &s, 24);
        if (!status) status = time_bars(run, &s, 24);
        lookahead_close(&s);
    }
    return status;
}

static nigh_status run_claim(claim_run *run)
{
    speaker own;
    nigh_status status = lookahead_own(run, &own);
    if (status) return status;
    status = quality_bars(run, &own, run->quick ? 10 : 200);
    if (!status) status = trie_bars(run);
    if (!status && !run->quick) status = time_bars(run, &own, 40);
    lookahead_close(&own);
    return status || run->quick ? status : real_bars(run);
}

extern const nigh_claim claim_lookahead;
const nigh_claim claim_lookahead = {.slug = "lookahead",
                                    .title = "Lookahead: An Inference Acceleration Framework for Large Language Model with Lossless Generation Accuracy",
                                    .run = run_claim,
                                    .saboteurs = saboteurs};
