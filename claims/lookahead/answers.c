/* Answers and their totals, also through an engine that is wrong on purpose. Declared in parts.h. */
#include "parts.h"

#include <string.h>

/* ---- drafts at the positions of their rows ------------------------------------------------------------------------ */

/* Makes one chain of all drafts, so that each stands at the position of its row and sees the ones before it. */
typedef struct shifted shifted;
struct shifted {
    generator_engine inner;
    nigh_lm_row row[GENERATOR_ROWS + LOOKAHEAD_MOST_WIDTH];
};

static nigh_status shifted_run(void *user, const nigh_lm_pass *pass)
{
    shifted *x = user;
    nigh_lm_pass chain = *pass;
    if (pass->count > (int64_t)(sizeof x->row / sizeof *x->row)) return nigh_fail(x->inner.ctx, NIGH_INTERNAL, "%lld rows", (long long)pass->count);
    memcpy(x->row, pass->rows, (size_t)pass->count * sizeof *x->row);
    for (int64_t i = 1; i < pass->count && pass->drafts; i++)
        if (x->row[i].sequence == x->row[i - 1].sequence) x->row[i].parent = (int32_t)i - 1;
    chain.rows = x->row;
    return x->inner.run(x->inner.user, &chain);
}

static nigh_status shifted_accept(void *user, int sequence, const int32_t *rows, int64_t count)
{
    shifted *x = user;
    nigh_lm_row again[LOOKAHEAD_MOST_WIDTH + 1];
    nigh_status status = x->inner.accept(x->inner.user, sequence, rows, 0);
    for (int64_t i = 0; i < count; i++) again[i] = (nigh_lm_row){x->row[rows[i]].token, sequence, (int32_t)i - 1, false};
    if (status || !count) return status;
    return x->inner.run(x->inner.user, &(nigh_lm_pass){.rows = again, .count = count});
}

static nigh_status inner_sequence(void *user, int *sequence) { return ((shifted *)user)->inner.sequence(((shifted *)user)->inner.user, sequence); }
static nigh_status inner_fork(void *user, int sequence, int64_t length, int *fork) { return ((shifted *)user)->inner.fork(((shifted *)user)->inner.user, sequence, length, fork); }
static nigh_status inner_cut(void *user, int sequence, int64_t length) { return ((shifted *)user)->inner.cut(((shifted *)user)->inner.user, sequence, length); }
static void inner_drop(void *user, int sequence) { ((shifted *)user)->inner.drop(((shifted *)user)->inner.user, sequence); }

static void shift(shifted *x, generator_engine *engine)
{
    x->inner = *engine;
    engine->user = x;
    engine->sequence = inner_sequence, engine->fork = inner_fork, engine->cut = inner_cut, engine->drop = inner_drop;
    engine->run = shifted_run, engine->accept = shifted_accept;
}

/* ---- asking ------------------------------------------------------------------------------------------------------- */

static void add_up(const nigh_answer *a, const nigh_token_list *expected, totals *t)
{
    t->passes += (double)a->passes, t->drafted += (double)a->drafted, t->seconds += a->seconds;
    t->tokens += (double)(a->tokens.count - 1);
    t->answers++;
    t->same += expected && expected->count == a->tokens.count && memcmp(expected->id, a->tokens.id, (size_t)a->tokens.count * sizeof *a->tokens.id) == 0;
}

static nigh_status ask_some(claim_run *run, nigh_generator *g, const prompts *p, const asking *how, int first, int count, nigh_token_list *answers,
                            const nigh_token_list *expected, totals *out)
{
    int id[64], running = 1, begun = 0;
    nigh_status status = NIGH_OK;
    for (; begun < count && !status; begun += !status) {
        nigh_question r = {.prompt = p->at[first + begun].id, .prompt_count = p->at[first + begun].count, .most = how->most, .sampling = nigh_sampling_default()};
        r.sampling.temperature = how->temperature, r.sampling.seed = claim_seed(run);
        r.stream = (uint64_t)(first + begun), r.drafts = how->drafts, r.past_end = true;
        status = nigh_generator_begin(g, &r, &id[begun]);
    }
    while (!status && running) status = nigh_generator_step(g, &running);
    for (int k = 0; k < begun; k++) {
        const nigh_answer *a = nigh_generator_answer(g, id[k]);
        if (!status) add_up(a, expected ? &expected[first + k] : NULL, out);
        if (!status && answers) {
            answers[first + k].ctx = run->ctx;
            status = nigh_token_list_add(&answers[first + k], a->tokens.id, a->tokens.count);
        }
        nigh_generator_end(g, id[k]);
    }
    return status;
}

nigh_status lookahead_generator(claim_run *run, speaker *s, nigh_lookahead *l, nigh_generator **g)
{
    generator_engine engine;
    generator_engine_of(s->cache, &engine);
    if (claim_sabotaged(run, "index-positions")) {
        if (!s->shifted && !(s->shifted = nigh_alloc(run->ctx, sizeof *s->shifted))) return NIGH_MEMORY;
        shift(s->shifted, &engine);
    }
    return generator_new(&engine, l, g);
}

nigh_status lookahead_ask(claim_run *run, speaker *s, const prompts *p, const asking *how, nigh_token_list *answers, const nigh_token_list *expected, totals *out)
{
    nigh_generator *g = how->g;
    nigh_status status = g ? NIGH_OK : lookahead_generator(run, s, how->lookahead, &g);
    *out = (totals){.answers = 0};
    for (int i = 0; i < p->count && !status; i += how->together) {
        if (p->count > 1) status = claim_progress(run, s->name, i, p->count);
        if (!status) status = ask_some(run, g, p, how, i, p->count - i < how->together ? p->count - i : how->together, answers, expected, out);
    }
    if (!how->g) nigh_generator_free(g);
    return status;
}

/* ---- prompt lookup ------------------------------------------------------------------------------------------------- */

static int32_t token_at(const nigh_token_list *prompt, const nigh_token_list *answer, int64_t i) { return i < prompt->count ? prompt->id[i] : answer->id[i - prompt->count]; }

/* Where the last n tokens of the first `count` ones stood before for the last time: what came behind it; -1: nowhere. */
static int64_t place_before(const nigh_token_list *prompt, const nigh_token_list *answer, int64_t count, int n)
{
    for (int64_t end = count - 1; end >= n; end--) {
        int k = 0;
        while (k < n && token_at(prompt, answer, end - 1 - k) == token_at(prompt, answer, count - 1 - k)) k++;
        if (k == n) return end;
    }
    return -1;
}

double lookahead_copied(const prompts *p, const nigh_token_list *answers, int width)
{
    int64_t tokens = 0, passes = 0;
    for (int i = 0; i < p->count; i++)
        for (int64_t at = p->at[i].count + 1, end = p->at[i].count + answers[i].count; at < end; passes++) {
            int64_t from = -1, right = 0;
            for (int n = 3; n >= 1 && from < 0; n--) from = place_before(&p->at[i], &answers[i], at, n);
            while (from >= 0 && right < width && from + right < at && at + right + 1 < end &&
                   token_at(&p->at[i], &answers[i], from + right) == token_at(&p->at[i], &answers[i], at + right))
                right++;
            at += right + 1;
            tokens += right + 1;
        }
    return (double)tokens / (double)passes;
}
