/* Generators over an engine without a model: drafts change no token, requests do not disturb each other, stops, ends, failures. */
#include "support.h"
#include "fake_engine.h"
#include "nigh/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    fake_engine fake;
    generator_engine engine;
    nigh_lookahead *lookahead;
    nigh_generator *g;
} fixture;

static void begin_in(fixture *f, nigh_context *ctx, bool drafts, nigh_draft_mode mode)
{
    *f = (fixture){.fake.ctx = ctx};
    fake_engine_begin(&f->fake, &f->engine);
    if (drafts) assert_ok(f->fake.ctx, nigh_lookahead_new(f->fake.ctx, &(nigh_lookahead_options){.mode = mode}, &f->lookahead));
    assert_ok(f->fake.ctx, generator_new(&f->engine, f->lookahead, &f->g));
}

static void begin(fixture *f, bool drafts, nigh_draft_mode mode) { begin_in(f, NULL, drafts, mode); }

static void end(fixture *f)
{
    nigh_generator_free(f->g);
    nigh_lookahead_free(f->lookahead);
    fake_engine_end(&f->fake);
}

static int64_t prompt_of(int32_t *prompt, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 3);
    int64_t count = 1 + (int64_t)nigh_rng_below(&rng, seed % 3 ? 40 : 700);
    for (int64_t i = 0; i < count; i++) prompt[i] = 'a' + (int32_t)nigh_rng_below(&rng, 4);
    return count;
}

static nigh_question request_of(const int32_t *prompt, int64_t count, int64_t most)
{
    return (nigh_question){.prompt = prompt, .prompt_count = count, .most = most, .sampling = nigh_sampling_default(), .drafts = NIGH_DRAFTS_ON};
}

static void run_all(fixture *f)
{
    for (int running = 1, steps = 0; running; steps++) {
        assert_true(steps < 100000);
        assert_ok(f->fake.ctx, nigh_generator_step(f->g, &running));
    }
}

/* The answer by the engine's logits and a sampler alone. */
static int64_t plain(const fixture *f, const nigh_question *r, int32_t *answer)
{
    static int32_t text[8192];
    float logits[FAKE_VOCABULARY];
    nigh_sampler *sampler;
    int64_t n = 0;
    memcpy(text, r->prompt, (size_t)r->prompt_count * sizeof *text);
    assert_ok(f->fake.ctx, nigh_sampler_new(f->fake.ctx, &r->sampling, FAKE_VOCABULARY, &sampler));
    for (; n < r->most; n++) {
        fake_logits(&f->fake, text, r->prompt_count + n, logits);
        assert_ok(f->fake.ctx, nigh_sampler_pick(sampler, logits, text, r->prompt_count + n, NULL, r->stream, &answer[n], NULL));
        if (nigh_token_ends(f->fake.tokenizer, answer[n]) && !r->past_end) break;
        text[r->prompt_count + n] = answer[n];
    }
    nigh_sampler_free(sampler);
    return n;
}

static nigh_sampling sampling_of(int kind)
{
    nigh_sampling s = nigh_sampling_default();
    if (kind) s.temperature = 0.3 * kind, s.top_k = 40, s.seed = 5;
    if (kind == 2) s.repeat_penalty = 1.3, s.frequency_penalty = 0.2, s.penalty_window = 20;
    return s;
}

static void lossless(void **state)
{
    static int32_t prompt[700], answer[400];
    int64_t accepted = 0, passes = 0;
    (void)state;
    for (int mode = NIGH_DRAFT_TREE; mode <= NIGH_DRAFT_PARALLEL; mode++) {
        fixture f;
        begin(&f, true, (nigh_draft_mode)mode);
        for (uint64_t k = 0; k < 30; k++) {
            int64_t count = prompt_of(prompt, k);
            nigh_question r = request_of(prompt, count, 60 + 5 * (int64_t)k);
            r.sampling = sampling_of((int)k % 3);
            r.stream = k;
            r.drafts = k % 2 ? NIGH_DRAFTS_ON : NIGH_DRAFTS_AUTO;
            f.fake.flat = k % 5 == 4;
            int id;
            assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
            run_all(&f);
            const nigh_answer *a = nigh_generator_answer(f.g, id);
            int64_t n = plain(&f, &r, answer);
            assert_int_equal(a->tokens.count, n);
            assert_memory_equal(a->tokens.id, answer, (size_t)n * sizeof *answer);
            assert_int_equal(a->finish, n == r.most ? NIGH_FINISH_LENGTH : NIGH_FINISH_END);
            assert_int_equal(a->text.size, n);
            assert_true(a->kv_bytes >= f.engine.position_bytes * (size_t)(count + n - 1)); /* the last token is in no pass */
            assert_true(a->accepted <= a->drafted && a->passes + a->accepted + 1 >= n);
            if (r.drafts == NIGH_DRAFTS_ON) accepted += a->accepted, passes += a->passes;
            nigh_generator_end(f.g, id);
        }
        end(&f);
    }
    assert_true(8 * accepted > passes); /* some of the texts repeat themselves */
}

/* Many at once, begun at different times, with prompts that share beginnings. */
static void together(void **state)
{
    enum { MANY = 12 };
    static int32_t prompt[MANY][800], answer[400];
    fixture f;
    nigh_question r[MANY];
    int id[MANY], running, begun = 0;
    (void)state;
    begin(&f, true, NIGH_DRAFT_TREE);
    for (int k = 0; k < MANY; k++) {
        int64_t count = prompt_of(prompt[k], (uint64_t)k + 50);
        if (k % 4) memcpy(prompt[k], prompt[k - k % 4], 200 * sizeof **prompt), count = 200 + k % 4 - 1;
        if (k % 4 == 0) count = 250 + k;
        for (int64_t i = 0; i < count; i++)
            if (prompt[k][i] == 0) prompt[k][i] = 'a' + (int32_t)(i % 7);
        r[k] = request_of(prompt[k], count, 40 + 3 * k);
        r[k].sampling = sampling_of(k % 3), r[k].stream = (uint64_t)k;
        r[k].drafts = k % 3 ? NIGH_DRAFTS_ON : k % 2 ? NIGH_DRAFTS_AUTO : NIGH_DRAFTS_OFF;
    }
    do {
        if (begun < MANY) assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r[begun], &id[begun]));
        if (begun < MANY) begun++;
        assert_ok(f.fake.ctx, nigh_generator_step(f.g, &running));
    } while (running || begun < MANY);
    for (int k = 0; k < MANY; k++) {
        int64_t n = plain(&f, &r[k], answer);
        const nigh_answer *a = nigh_generator_answer(f.g, id[k]);
        assert_int_equal(a->tokens.count, n);
        assert_memory_equal(a->tokens.id, answer, (size_t)n * sizeof *answer);
    }
    assert_true(f.fake.forks >= MANY / 2 && f.fake.most_rows <= GENERATOR_ROWS);
    end(&f);
}

/* A prompt as one that ended before is not read again. */
static void shares_ended(void **state)
{
    static int32_t prompt[700];
    fixture f;
    int id;
    (void)state;
    begin(&f, false, NIGH_DRAFT_TREE);
    int64_t count = prompt_of(prompt, 3);
    for (int k = 0; k < 20; k++) {
        nigh_question r = request_of(prompt, count, 10);
        if (k >= 10) prompt[0] = 'e' + k; /* others: the kept ones are bounded */
        int64_t before = f.fake.fed;
        assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
        run_all(&f);
        if (k > 0 && k < 10 && count > 16) assert_true(f.fake.fed - before <= 10);
        nigh_generator_end(f.g, id);
    }
    assert_true(f.g->kept_count <= GENERATOR_KEPT);
    end(&f);
}

/* ---- stops ------------------------------------------------------------------------------------------------------ */

typedef struct pieces {
    char text[4096];
    size_t size;
    int calls, most;
    bool whole;
} pieces;

static bool take_piece(void *user, const char *bytes, size_t size)
{
    pieces *p = user;
    memcpy(p->text + p->size, bytes, size);
    p->size += size;
    p->whole &= ((unsigned char)bytes[0] & 0xc0) != 0x80; /* begins with a character */
    return ++p->calls < p->most;
}

static int32_t script_tokens(const char *text, int32_t *tokens)
{
    int32_t n = 0;
    for (; text[n]; n++) tokens[n] = (unsigned char)text[n];
    return n;
}

static const char story[] = "once upon a t\xc3\xafme there was a k\xe2\x82\xacng, and \xf0\x9f\x98\x80 he said STO and STOP and went on with it until the very end of it all";

static const nigh_answer *tell(fixture *f, int32_t *script, const char *const *stop, int stops, nigh_draft_use drafts, pieces *p, int *id)
{
    f->fake.script = script;
    f->fake.script_count = script_tokens(story, script), f->fake.script_context = 8;
    nigh_question r = request_of(script, 8, 100);
    r.stop = stop, r.stops = stops, r.piece = take_piece, r.user = p, r.drafts = drafts;
    p->whole = true;
    if (!p->most) p->most = 1000;
    assert_ok(f->fake.ctx, nigh_generator_begin(f->g, &r, id));
    run_all(f);
    return nigh_generator_answer(f->g, *id);
}

static void stops(void **state)
{
    static const char *const words[] = {"never", "STOP", "STOQ"};
    int32_t script[256];
    (void)state;
    for (int drafts = 0; drafts < 2; drafts++) {
        fixture f;
        int id;
        begin(&f, true, NIGH_DRAFT_TREE);
        int32_t all = script_tokens(story, script);
        if (drafts) assert_ok(f.fake.ctx, nigh_lookahead_learn(f.lookahead, script, all));
        pieces p = {.size = 0};
        const nigh_answer *a = tell(&f, script, words, 3, drafts ? NIGH_DRAFTS_ON : NIGH_DRAFTS_OFF, &p, &id);
        size_t expected = (size_t)(strstr(story, "STOP") - story) - 8;
        assert_int_equal(a->finish, NIGH_FINISH_STOP);
        assert_int_equal(a->text.size, expected);
        assert_memory_equal(a->text.data, story + 8, expected);
        assert_int_equal(a->tokens.count, expected);
        assert_true(p.whole && p.size == expected && memcmp(p.text, story + 8, expected) == 0);
        assert_true(!drafts || a->passes < a->tokens.count / 3);
        nigh_generator_end(f.g, id);
        p = (pieces){.most = 4};
        a = tell(&f, script, words, 1, drafts ? NIGH_DRAFTS_ON : NIGH_DRAFTS_OFF, &p, &id);
        assert_int_equal(a->finish, NIGH_FINISH_CALLER);
        assert_int_equal(p.calls, 4);
        nigh_generator_end(f.g, id);
        end(&f);
    }
}

static void ends(void **state)
{
    int32_t script[300];
    fixture f;
    int id;
    (void)state;
    begin(&f, true, NIGH_DRAFT_TREE);
    int32_t n = script_tokens("abcdefghijklmnopqrstuvwxyz", script);
    script[n++] = nigh_tokenizer_end(f.fake.tokenizer);
    n += script_tokens("0123456789", script + n);
    f.fake.script = script, f.fake.script_count = n, f.fake.script_context = 3;
    assert_ok(f.fake.ctx, nigh_lookahead_learn(f.lookahead, script, n));
    for (int past = 0; past < 2; past++) {
        nigh_question r = request_of(script, 4, 32);
        r.past_end = past, r.log_p = true, r.top = 3;
        assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
        run_all(&f);
        const nigh_answer *a = nigh_generator_answer(f.g, id);
        assert_int_equal(a->finish, past ? NIGH_FINISH_LENGTH : NIGH_FINISH_END);
        assert_int_equal(a->tokens.count, past ? 32 : 22);
        assert_int_equal(a->text.size, past ? 31 : 22);
        assert_memory_equal(a->tokens.id, script + 4, (size_t)a->tokens.count * sizeof *script);
        for (int64_t i = 0; i < a->tokens.count; i++) {
            assert_int_equal(a->top[3 * i].token, a->tokens.id[i]);
            assert_near(a->top[3 * i].log_p, a->log_p[i], 1e-5, 0);
            assert_true(a->top[3 * i].log_p >= a->top[3 * i + 1].log_p && a->top[3 * i + 1].log_p >= a->top[3 * i + 2].log_p);
        }
        nigh_generator_end(f.g, id);
    }
    f.g->engine.limit = 20; /* learned positions */
    nigh_question r = request_of(script, 4, 32);
    assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
    run_all(&f);
    assert_int_equal(nigh_generator_answer(f.g, id)->finish, NIGH_FINISH_CONTEXT);
    assert_int_equal(nigh_generator_answer(f.g, id)->tokens.count, 17);
    nigh_generator_end(f.g, id);
    end(&f);
}

/* ---- constraints ------------------------------------------------------------------------------------------------- */

/* Masked drawing by hand. */
static int64_t masked(const fixture *f, const nigh_question *r, nigh_constraint *c, int32_t *answer)
{
    static int32_t text[8192];
    float logits[FAKE_VOCABULARY];
    nigh_sampler *sampler;
    nigh_masks *masks;
    const uint64_t *allowed;
    int64_t n = 0, state = nigh_constraint_start(c);
    memcpy(text, r->prompt, (size_t)r->prompt_count * sizeof *text);
    assert_ok(f->fake.ctx, nigh_sampler_new(f->fake.ctx, &r->sampling, FAKE_VOCABULARY, &sampler));
    assert_ok(f->fake.ctx, nigh_masks_new(f->fake.ctx, c, f->fake.tokenizer, 0, &masks));
    for (; n < r->most; n++) {
        fake_logits(&f->fake, text, r->prompt_count + n, logits);
        assert_ok(f->fake.ctx, nigh_masks_get(masks, state, &allowed));
        assert_ok(f->fake.ctx, nigh_sampler_pick(sampler, logits, text, r->prompt_count + n, allowed, r->stream, &answer[n], NULL));
        if (nigh_token_ends(f->fake.tokenizer, answer[n])) break;
        text[r->prompt_count + n] = answer[n];
        state = nigh_masks_step(masks, state, answer[n]);
        assert_true(state >= 0);
    }
    nigh_masks_free(masks);
    nigh_sampler_free(sampler);
    return n;
}

static void constraints(void **state)
{
    static const char *const patterns[] = {"([a-d]{2}[0-9])*", "[a-p]{40,60}", "(abc|abd|ghi)+x", "[a-z]+"};
    static int32_t prompt[700], answer[400];
    (void)state;
    fixture f;
    begin(&f, true, NIGH_DRAFT_TREE);
    for (int k = 0; k < 16; k++) {
        nigh_constraint *c;
        int id;
        assert_ok(f.fake.ctx, nigh_constraint_regex(f.fake.ctx, patterns[k % 4], 0, &c));
        nigh_question r = request_of(prompt, prompt_of(prompt, (uint64_t)k + 100), 70);
        r.sampling = sampling_of(k / 4 % 3), r.constraint = c, r.stream = (uint64_t)k;
        assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
        run_all(&f);
        const nigh_answer *a = nigh_generator_answer(f.g, id);
        int64_t n = masked(&f, &r, c, answer);
        assert_int_equal(a->tokens.count, n);
        assert_memory_equal(a->tokens.id, answer, (size_t)n * sizeof *answer);
        int64_t end_state = nigh_constraint_step(c, nigh_constraint_start(c), a->text.data, a->text.size);
        assert_true(end_state >= 0 && (a->finish != NIGH_FINISH_END || nigh_constraint_complete(c, end_state)));
        nigh_generator_end(f.g, id);
        nigh_constraint_free(c);
    }
    end(&f);
}

/* ---- failures --------------------------------------------------------------------------------------------------- */

/* Whatever fails, trying again gives the same answer. */
static void fails_and_goes_on(void **state)
{
    static int32_t prompt[700], answer[400];
    int failures = 0;
    (void)state;
    for (int k = 0; k < 24; k++) {
        fixture f;
        int id, running = 1;
        begin(&f, true, k % 2 ? NIGH_DRAFT_TREE : NIGH_DRAFT_PARALLEL);
        int64_t count = prompt_of(prompt, (uint64_t)k);
        nigh_question r = request_of(prompt, count, 80);
        r.sampling = sampling_of(k % 2);
        assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
        if (k % 4 == 3) f.fake.nan_at = 0.2;
        for (int steps = 0; running && steps < 2000; steps++) {
            if (k % 4 == 0 && steps % 3 == 0) f.fake.fail_run = 1;
            if (k % 4 == 1 && steps % 3 == 0) f.fake.fail_accept = 1;
            if (k % 4 == 2 && steps % 3 == 0) nigh_context_cancel(f.fake.ctx);
            nigh_status status = nigh_generator_step(f.g, &running);
            nigh_context_uncancel(f.fake.ctx);
            failures += status != NIGH_OK;
            if (k % 4 == 3 && status) f.fake.rows++; /* other rows are NaN next time */
        }
        f.fake.nan_at = 0;
        int64_t n = plain(&f, &r, answer);
        const nigh_answer *a = nigh_generator_answer(f.g, id);
        assert_int_equal(a->tokens.count, n);
        assert_memory_equal(a->tokens.id, answer, (size_t)n * sizeof *answer);
        end(&f);
    }
    assert_true(failures > 50);
}

/* Each allocation fails once; then the step is tried again. */
static void memory(void **state)
{
    static int32_t prompt[700], answer[400];
    int failures = 0;
    (void)state;
    for (long fail = 1; fail < 60; fail++) {
        test_allocator allocator = {.fail_at = 0};
        fixture f;
        int id = -1, running = 1;
        begin_in(&f, test_context_failing(&allocator), true, NIGH_DRAFT_TREE);
        nigh_question r = request_of(prompt, prompt_of(prompt, 3), 90);
        r.log_p = true, r.top = 2;
        allocator.fail_at = allocator.count + fail;
        while (id < 0 || running) {
            nigh_status status = id < 0 ? nigh_generator_begin(f.g, &r, &id) : nigh_generator_step(f.g, &running);
            if (!status) continue;
            assert_int_equal(status, NIGH_MEMORY);
            allocator.fail_at = 0;
            failures++;
        }
        allocator.fail_at = 0;
        int64_t n = plain(&f, &r, answer);
        const nigh_answer *a = nigh_generator_answer(f.g, id);
        assert_int_equal(a->tokens.count, n);
        assert_memory_equal(a->tokens.id, answer, (size_t)n * sizeof *answer);
        end(&f);
    }
    assert_true(failures > 15);
}

/* A full cache gives up what it kept, and says so when that is not enough. */
static void full(void **state)
{
    static int32_t prompt[700];
    fixture f;
    int id, running;
    (void)state;
    begin(&f, false, NIGH_DRAFT_TREE);
    f.fake.most = 300;
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < 100; i++) prompt[i] = 'a' + (i * k + k) % 16;
        nigh_question r = request_of(prompt, 100, 20);
        assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
        run_all(&f);
        nigh_generator_end(f.g, id);
    }
    for (int i = 0; i < 400; i++) prompt[i] = 'a' + i % 11;
    nigh_question r = request_of(prompt, 400, 20);
    assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
    assert_fails(f.fake.ctx, nigh_generator_step(f.g, &running), NIGH_RESOURCE, "full");
    nigh_generator_end(f.g, id);
    r = request_of(prompt, 50, 20);
    assert_ok(f.fake.ctx, nigh_generator_begin(f.g, &r, &id));
    run_all(&f);
    assert_int_equal(nigh_generator_answer(f.g, id)->finish, NIGH_FINISH_LENGTH);
    end(&f);
}

static void bad_requests(void **state)
{
    fixture f;
    int id = 77;
    int32_t prompt[3] = {'a', 'b', 'c'}, beyond[1] = {FAKE_VOCABULARY};
    const char *const nothing[1] = {""};
    (void)state;
    begin(&f, true, NIGH_DRAFT_TREE);
    nigh_context *ctx = f.fake.ctx;
    nigh_question good = request_of(prompt, 3, 10), r = good;
    r.prompt_count = 0;
    assert_fails(ctx, nigh_generator_begin(f.g, &r, &id), NIGH_INVALID, "empty");
    r = good, r.prompt = beyond, r.prompt_count = 1;
    assert_fails(ctx, nigh_generator_begin(f.g, &r, &id), NIGH_INVALID, "258");
    r = good, r.most = 0;
    assert_fails(ctx, nigh_generator_begin(f.g, &r, &id), NIGH_INVALID, "most");
    r = good, r.stop = nothing, r.stops = 1;
    assert_fails(ctx, nigh_generator_begin(f.g, &r, &id), NIGH_INVALID, "stop text 0");
    r = good, r.top = 21;
    assert_fails(ctx, nigh_generator_begin(f.g, &r, &id), NIGH_INVALID, "top is 21");
    r = good, r.window = -1;
    assert_fails(ctx, nigh_generator_begin(f.g, &r, &id), NIGH_INVALID, "window");
    r = good, r.sampling.temperature = -1;
    assert_fails(ctx, nigh_generator_begin(f.g, &r, &id), NIGH_INVALID, "temperature");
    assert_int_equal(id, 77);
    assert_null(nigh_generator_answer(f.g, 0));
    nigh_generator_end(f.g, 5);
    nigh_lookahead *l;
    assert_fails(ctx, nigh_lookahead_new(ctx, &(nigh_lookahead_options){.width = 65}, &l), NIGH_INVALID, "width is 65");
    assert_fails(ctx, nigh_lookahead_new(ctx, &(nigh_lookahead_options){.length = 63}, &l), NIGH_INVALID, "length is 63");
    assert_fails(ctx, nigh_lookahead_new(ctx, &(nigh_lookahead_options){.nodes = 5}, &l), NIGH_INVALID, "5 nodes");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lossless), cmocka_unit_test(together),          cmocka_unit_test(shares_ended), cmocka_unit_test(stops),
                                       cmocka_unit_test(ends),     cmocka_unit_test(fails_and_goes_on), cmocka_unit_test(full),         cmocka_unit_test(bad_requests),
                                       cmocka_unit_test(constraints), cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
