/* One pass for all requests: rows of prompts and of answers, drafts, what the logits give. Declared in generate/generator.h. */
#include "generate/generator.h"

#include <stdlib.h>
#include <string.h>

enum { IDLE = 16, IDLE_COSTLY = 2, IDLE_EVERY = 8, WIDTH_WHEN_ON = 16 };
static const double costly = 0.01; /* of a pass's time */

static bool runs(const turn *t) { return t && !t->answer.finish && t->sequence >= 0; }

/* ---- before the pass -------------------------------------------------------------------------------------------- */

static nigh_status start_waiting(nigh_generator *g)
{
    nigh_status status = NIGH_OK;
    for (int id = 0; id < g->room && !status; id++) {
        turn *t = g->turns[id];
        bool started = false;
        if (!t || t->answer.finish || t->sequence >= 0) continue;
        status = prefix_start(g, t, &started);
        if (!status && started) status = turn_learn(g, t);
    }
    return status;
}

/* Answers first, one row each; prompts share what is left of the pass in their order. True when prompts are read. */
static bool share_rows(nigh_generator *g)
{
    int64_t left = GENERATOR_ROWS;
    bool reads = false;
    for (int id = 0; id < g->room; id++) {
        turn *t = g->turns[id];
        if (!t) continue;
        t->run = 0, t->drafts.count = 0;
        t->rows = runs(t) && t->history.count - t->fed == 1 && left > 0;
        left -= t->rows;
    }
    for (int id = 0; id < g->room; id++) {
        turn *t = g->turns[id];
        if (!runs(t) || t->rows) continue;
        int64_t rest = t->history.count - t->fed;
        t->rows = rest < left ? rest : left;
        left -= t->rows;
        reads |= t->rows > 0;
    }
    return reads;
}

static int64_t state_after(void *user, int64_t state, int32_t token) { return nigh_masks_step(user, state, token); }

static void propose(nigh_generator *g, turn *t, int most)
{
    const nigh_question *r = &t->request;
    lookahead_filter filter = {t->masks, t->state, state_after};
    int64_t deepest = r->most - t->answer.tokens.count - 1;
    if (g->engine.limit && g->engine.limit - t->history.count < deepest) deepest = g->engine.limit - t->history.count;
    lookahead_propose(g->lookahead, t->history.id, t->history.count, most, deepest, t->masks ? &filter : NULL, &t->drafts);
}

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The drafts of all answers whose use is left to their chances: as many of the likeliest as pay. */
static void choose(nigh_generator *g, int64_t rows, int most)
{
    int count = 0, left;
    for (int id = 0; id < g->room; id++) {
        const turn *t = g->turns[id];
        if (t && t->request.drafts == NIGH_DRAFTS_AUTO)
            for (int i = 0; i < t->drafts.count; i++) g->chances[count++] = t->drafts.at[i].chance;
    }
    qsort(g->chances, (size_t)count, sizeof *g->chances, falling);
    left = plan_choose(g->costs, rows, g->chances, count < most ? count : most);
    float least = left ? g->chances[left - 1] : 2;
    for (int id = 0; id < g->room; id++) {
        turn *t = g->turns[id];
        if (!t || !t->rows || t->request.drafts != NIGH_DRAFTS_AUTO) continue;
        while (t->run < t->drafts.count && left > 0 && t->drafts.at[t->run].chance >= least) t->run++, left--;
        t->idle = t->run ? 0 : t->idle + 1;
    }
}

/* Drafts are looked for as long as they pay; after that now and then, so that it costs a hundredth of the time. */
static bool looks(const nigh_generator *g, const turn *t)
{
    double share = plan_drafting(g->costs);
    int64_t every = share < 256 * costly ? (int64_t)(share / costly) : 256;
    return t->idle < (share < costly ? IDLE : IDLE_COSTLY) || g->steps % (every > IDLE_EVERY ? every : IDLE_EVERY) == 0;
}

/* Drafts for a pass that reads no prompt. */
static nigh_status draft(nigh_generator *g)
{
    int64_t answers = 0, rows = 0;
    int most = (int)g->lookahead->options.width;
    for (int id = 0; id < g->room; id++) answers += g->turns[id] && g->turns[id]->rows && g->turns[id]->request.drafts != NIGH_DRAFTS_OFF;
    if (g->chances_room < g->room) {
        float *chances = nigh_resize(g->ctx, g->chances, (size_t)g->room * LOOKAHEAD_MOST_WIDTH * sizeof *chances);
        if (!chances) return NIGH_MEMORY;
        g->chances = chances, g->chances_room = g->room;
    }
    for (int id = 0; id < g->room; id++) {
        turn *t = g->turns[id];
        if (!t || !t->rows) continue;
        rows++;
        if (t->request.drafts == NIGH_DRAFTS_ON) {
            int64_t own = (most ? most : WIDTH_WHEN_ON) / answers;
            propose(g, t, own ? (int)own : 1);
            t->run = t->drafts.count;
            rows += t->run;
        } else if (t->request.drafts == NIGH_DRAFTS_AUTO && looks(g, t)) {
            double began = nigh_clock();
            propose(g, t, most ? most : LOOKAHEAD_WIDTH);
            plan_note_beside(&g->costs->drafting, nigh_clock() - began);
        }
    }
    if (rows) choose(g, rows, most ? most : LOOKAHEAD_WIDTH);
    return NIGH_OK;
}

/* Memory of rows and logits, and the rows themselves. */
static nigh_status fill(nigh_generator *g, nigh_lm_pass *pass)
{
    int64_t count = 0, wanted = 0;
    for (int id = 0; id < g->room; id++) {
        turn *t = g->turns[id];
        if (!t || !t->rows) continue;
        t->row = count, t->logits = wanted;
        count += t->rows + t->run;
        wanted += (t->fed + t->rows == t->history.count) + t->run;
        pass->drafts |= t->run > 0;
    }
    if (count > g->rows_room) {
        nigh_lm_row *rows = nigh_resize(g->ctx, g->rows, (size_t)count * sizeof *rows);
        if (!rows) return NIGH_MEMORY;
        g->rows = rows, g->rows_room = count;
    }
    if (wanted > g->logits_room) {
        float *logits = nigh_resize(g->ctx, g->logits, (size_t)wanted * (size_t)g->engine.vocabulary * sizeof *logits);
        if (!logits) return NIGH_MEMORY;
        g->logits = logits, g->logits_room = wanted;
    }
    for (int id = 0; id < g->room; id++) {
        const turn *t = g->turns[id];
        if (!t || !t->rows) continue;
        int32_t first = (int32_t)t->row;
        for (int32_t i = 0; i < t->rows; i++)
            g->rows[first + i] = (nigh_lm_row){t->history.id[t->fed + i], t->sequence, i ? first + i - 1 : -1, t->fed + i + 1 == t->history.count};
        for (int32_t i = 0; i < t->run; i++) g->rows[first + 1 + i] = (nigh_lm_row){t->drafts.at[i].token, t->sequence, first + 1 + t->drafts.at[i].parent, true};
    }
    pass->rows = g->rows, pass->count = count, pass->logits = wanted ? g->logits : NULL;
    return NIGH_OK;
}

/* ---- after the pass --------------------------------------------------------------------------------------------- */

static const float *logits_of(const nigh_generator *g, const turn *t, int64_t k) { return g->logits + (t->logits + k) * g->engine.vocabulary; }

/* The drafts below `at` (bits; `root`: below the text) whose token is this one. */
static uint64_t followers(const turn *t, bool root, uint64_t at, int32_t token)
{
    uint64_t next = 0;
    for (int i = 0; i < t->run; i++) {
        int parent = t->drafts.at[i].parent;
        if (t->drafts.at[i].token == token && (parent < 0 ? root : at >> parent & 1)) next |= (uint64_t)1 << i;
    }
    return next;
}

/* The rows from the text's own down to draft `at`. */
static int64_t path_to(const turn *t, int at, int32_t *path)
{
    int64_t count = (at < 0 ? 0 : t->drafts.at[at].depth) + 1, k = count;
    for (; at >= 0; at = t->drafts.at[at].parent) path[--k] = (int32_t)t->row + 1 + at;
    path[0] = (int32_t)t->row;
    return count;
}

static nigh_status learn(nigh_generator *g, turn *t, const int32_t *came, int count, int64_t before)
{
    nigh_status status = NIGH_OK;
    if (!g->lookahead || t->request.drafts == NIGH_DRAFTS_OFF) return NIGH_OK;
    lookahead_observe(g->lookahead, &t->drafts, came, count);
    bool dear = t->request.drafts == NIGH_DRAFTS_AUTO && g->costs->plain && g->costs->learning > 2 * costly * plan_cost(g->costs, 1);
    if (g->lookahead->frozen || (dear && t->idle > IDLE_COSTLY)) return NIGH_OK; /* a pass of so few microseconds is not worth it */
    double began = nigh_clock();
    for (int64_t n = before + 1; n <= t->history.count && !status; n++) status = trie_extend(&g->lookahead->store, &t->cursor, t->history.id, n, TRIE_LASTING);
    plan_note_beside(&g->costs->learning, nigh_clock() - began);
    return status;
}

/* Draws tokens down the drafts as long as one of them is what is drawn; keeps the rows that were right. */
static nigh_status take(nigh_generator *g, turn *t, bool drafts)
{
    int32_t came[LOOKAHEAD_MOST_WIDTH + 1], path[LOOKAHEAD_MOST_WIDTH + 1], token;
    uint64_t at = 0;
    int count = 0, last = -1, right = -1; /* the draft whose row is drawn from; the deepest whose row is kept; -1: the text's own */
    int64_t before = t->history.count;
    nigh_status status = NIGH_OK, learned;
    bool root = true, drew = false;
    for (;;) {
        status = turn_draw(g, t, logits_of(g, t, 1 + last), &token);
        if (status) break;
        drew = true, right = last;
        if (token >= 0) came[count++] = token;
        if (t->answer.finish) break;
        at = followers(t, root, at, token);
        root = false;
        if (!at) break;
        last = __builtin_ctzll(at);
    }
    t->answer.passes++;
    t->answer.drafted += t->run;
    if (drew) t->answer.accepted += right < 0 ? 0 : t->drafts.at[right].depth;
    if (drafts) {
        int64_t kept = drew ? path_to(t, right, path) : 0;
        nigh_status accepted = g->engine.accept(g->engine.user, t->sequence, path, kept);
        if (!accepted) t->fed += kept;
        if (!status) status = accepted;
    } else if (!drew) {
        nigh_status back = g->engine.cut(g->engine.user, t->sequence, --t->fed);
        if (!status) status = back;
    }
    learned = learn(g, t, came, count, before);
    return status ? status : learned;
}

static nigh_status take_turn(nigh_generator *g, turn *t, bool drafts)
{
    double now = nigh_clock();
    bool first = t->answer.tokens.count == 0;
    if (!drafts) t->fed += t->rows;
    bool complete = t->fed + (drafts ? t->rows : 0) == t->history.count;
    if (first) t->answer.prompt_seconds = now - t->began;
    if (!complete) return NIGH_OK;
    nigh_status status = take(g, t, drafts);
    if (first && !drafts && !status) t->answer.passes = 0; /* the prompt's */
    t->answer.seconds = nigh_clock() - t->began - t->answer.prompt_seconds;
    if (t->answer.finish && g->engine.bytes) t->answer.kv_bytes = g->engine.bytes(g->engine.user);
    return status;
}

/* A full cache gives back what only might be of use. */
static nigh_status run(nigh_generator *g, const nigh_lm_pass *pass)
{
    nigh_status status;
    do status = g->engine.run(g->engine.user, pass);
    while (status == NIGH_RESOURCE && prefix_evict(g));
    return status;
}

nigh_status generator_pass(nigh_generator *g)
{
    nigh_lm_pass pass = {.count = 0};
    nigh_status status = start_waiting(g);
    if (status) return status;
    bool reads = share_rows(g);
    g->steps++;
    if (g->lookahead && !reads) status = draft(g);
    if (!status) status = fill(g, &pass);
    if (status || !pass.count) return status;
    double began = nigh_clock();
    status = run(g, &pass);
    if (status) return status;
    if (!reads) plan_note(g->costs, pass.count, nigh_clock() - began, !pass.drafts);
    for (int id = 0; id < g->room; id++) {
        turn *t = g->turns[id];
        if (!t || !t->rows) continue;
        nigh_status one = take_turn(g, t, pass.drafts);
        if (one && !status) status = nigh_within(g->ctx, one, "request %d", id);
    }
    return status;
}
