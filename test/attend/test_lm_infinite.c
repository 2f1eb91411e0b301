/* Streams past the trained length: settings and what is said of them; the engine beside the formula; what must be equal; counts by distance. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lm/tasks.h"
#include "nigh/lm_infinite.h"
#include "nigh/recipe.h"
#include "support.h"

enum { CONTEXT = 16, COUNT = 400 };

/* One model for all tests: 2 layers, 4 heads of which pairs share keys. */
static struct {
    nigh_context *ctx;
    char *folder;
    nigh_lm *lm;
    int32_t tokens[COUNT];
} model;

static int make_model(void **state)
{
    char path[512];
    nigh_buffer text = {0};
    model.ctx = test_context_new();
    text.ctx = model.ctx;
    assert_ok(model.ctx, nigh_context_set_threads(model.ctx, 1));
    model.folder = test_folder_new();
    snprintf(path, sizeof path, "%s/model.gguf", model.folder);
    assert_ok(model.ctx, tasks_text(TASKS_LOG, 1, 0, 20000, &text));
    nigh_recipe recipe = {.text = text.data, .size = text.size, .layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .context = CONTEXT, .steps = 200, .batch = 8, .rate = 1e-2};
    assert_ok(model.ctx, nigh_recipe_train(model.ctx, &recipe, NIGH_BLOCK_F32, path, NULL));
    assert_ok(model.ctx, nigh_lm_load(model.ctx, path, &model.lm));
    for (int i = 0; i < COUNT; i++) model.tokens[i] = (unsigned char)text.data[1000 + i];
    nigh_buffer_free(&text);
    return 0;
}

static int free_model(void **state)
{
    nigh_lm_free(model.lm);
    test_folder_remove(model.folder);
    test_context_free(model.ctx);
    return 0;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

typedef struct heard {
    int warnings, notes;
    char all[2000];
} heard;

static void hear(void *user, nigh_log_level level, const char *text)
{
    heard *h = user;
    h->warnings += level == NIGH_LOG_WARNING;
    h->notes += level == NIGH_LOG_NOTE;
    strncat(h->all, text, sizeof h->all - strlen(h->all) - 1);
}

static void test_settings(void **state)
{
    const nigh_lm_info llama = {.architecture = "llama", .context = 8192, .rotary = true}, gemma = {.architecture = "gemma3", .context = 32768, .rotary = true, .window = 512};
    const struct {
        const nigh_lm_info *about;
        nigh_lm_infinite given, chosen;
        int warnings, notes;
        const char *says;
    } cases[] = {{&llama, {-1, -1, -1}, {4, 8192, 8192}, 0, 1, "text older than 8192 tokens is not read, but for the first 4"},
                 {&llama, {-1, 1024, -1}, {4, 1024, 1024}, 0, 1, "older than 1024"},
                 {&llama, {16, 1024, 2048}, {16, 1024, 2048}, 0, 1, "first 16"},
                 {&llama, {-1, 10000, -1}, {4, 10000, 10000}, 1, 1, "window 10000 is more than the 8192 tokens"},
                 {&llama, {-1, 1024, 9000}, {4, 1024, 9000}, 1, 1, "limit 9000 is more than"},
                 {&llama, {-1, 1024, 0}, {4, 1024, 0}, 1, 1, "no limit"},
                 {&llama, {0, 1024, -1}, {0, 1024, 1024}, 1, 1, "no sinks"},
                 {&gemma, {-1, 2048, -1}, {4, 2048, 2048}, 0, 2, "look back 512 tokens keep their window"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heard h = {0};
        nigh_context *ctx = test_context_new();
        nigh_context_set_log(ctx, hear, &h);
        nigh_lm_infinite s = cases[i].given;
        assert_ok(ctx, nigh_lm_infinite_choose(ctx, cases[i].about, &s));
        assert_int_equal(s.sinks, cases[i].chosen.sinks);
        assert_int_equal(s.window, cases[i].chosen.window);
        assert_int_equal(s.limit, cases[i].chosen.limit);
        assert_int_equal(h.warnings, cases[i].warnings);
        assert_int_equal(h.notes, cases[i].notes);
        if (!strstr(h.all, cases[i].says)) fail_msg("'%s' lacks '%s'", h.all, cases[i].says);
        test_context_free(ctx);
    }
}

static void test_bad_settings(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_lm_info llama = {.architecture = "llama", .context = 8192, .rotary = true}, gpt2 = {.architecture = "gpt2", .context = 1024};
    nigh_lm_infinite s = nigh_lm_infinite_default();
    assert_fails(ctx, nigh_lm_infinite_choose(ctx, &gpt2, &s), NIGH_UNSUPPORTED, "needs relative positions");
    assert_int_equal(s.window, -1);
    const struct {
        nigh_lm_infinite given;
        const char *says;
    } bad[] = {{{-2, 64, 64}, "sinks is -2; 0 to 4096"}, {{5000, 64, 64}, "sinks is 5000"}, {{4, 0, 64}, "window is 0"}, {{4, -5, 64}, "window is -5"},
               {{4, 1 << 25, -1}, "window is"},          {{4, 64, 63}, "limit is 63; 0 (none), or the window, 64"}, {{4, 64, -7}, "limit is -7"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = bad[i].given;
        assert_fails(ctx, nigh_lm_infinite_choose(ctx, &llama, &s), NIGH_INVALID, bad[i].says);
        assert_memory_equal(&s, &bad[i].given, sizeof s);
    }
    test_context_free(ctx);
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static void score(nigh_long_method method, nigh_lm_infinite s, int64_t count, int64_t tail, double *log_p)
{
    assert_ok(model.ctx, nigh_long_score(model.ctx, model.lm, method, &s, model.tokens, count, tail, log_p));
}

static void assert_same(int64_t n, const double *a, const double *b, double off)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= off)) fail_msg("number %d: %.9g and %.9g", (int)i, a[i], b[i]);
}

static double largest_difference(int64_t n, const double *a, const double *b)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

/* Through a view, all but the first. */
static void view_scores(const nigh_lambda_options *options, int64_t count, double *log_p, nigh_lambda **kept)
{
    nigh_lambda *view;
    nigh_cache *cache;
    int sequence;
    assert_ok(model.ctx, nigh_lambda_new(model.ctx, model.lm, options, &view));
    assert_ok(model.ctx, nigh_cache_new(model.ctx, model.lm, NULL, &cache));
    assert_ok(model.ctx, nigh_cache_sequence(cache, &sequence));
    assert_ok(model.ctx, nigh_lambda_score(view, cache, sequence, model.tokens, count, log_p));
    assert_true(log_p[0] != log_p[0]);
    nigh_cache_free(cache);
    if (kept) *kept = view;
    else nigh_lambda_free(view);
}

static void test_engine_is_the_formula(void **state)
{
    static const nigh_lm_infinite cases[] = {{4, 16, 16}, {1, 1, 1}, {0, 16, 16}, {4, 10, 25}, {4, 16, 0}, {70, 50, 64}, {3, 64, 64}, {5, 128, 128}, {4, 500, 500}};
    double have[COUNT], want[COUNT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        view_scores(&(nigh_lambda_options){.settings = cases[i]}, COUNT, want, NULL);
        score(NIGH_LONG_INFINITE, cases[i], COUNT, COUNT - 1, have);
        assert_same(COUNT - 1, have, want + 1, 1e-4);
    }
    view_scores(&(nigh_lambda_options){0}, COUNT, want, NULL);
    score(NIGH_LONG_FULL, cases[0], COUNT, COUNT - 1, have);
    assert_same(COUNT - 1, have, want + 1, 1e-4);
}

/* Limit, sinks and window each matter here: an engine that forgot one would be seen. */
static void test_settings_matter(void **state)
{
    static const nigh_lm_infinite others[] = {{4, 16, 0}, {0, 16, 16}, {4, 15, 15}, {4, 16, 17}};
    double base[100], other[100];
    score(NIGH_LONG_INFINITE, (nigh_lm_infinite){4, 16, 16}, COUNT, 100, base);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        score(NIGH_LONG_INFINITE, others[i], COUNT, 100, other);
        assert_true(largest_difference(100, base, other) > 1e-3);
    }
    score(NIGH_LONG_REINDEXED, (nigh_lm_infinite){4, 16, 16}, COUNT, 100, other);
    assert_true(largest_difference(100, base, other) > 1e-3);
}

static void test_what_is_equal(void **state)
{
    double a[COUNT], b[COUNT];
    score(NIGH_LONG_INFINITE, (nigh_lm_infinite){4, 64, 64}, 64, 63, a); /* within the window: to the bit */
    score(NIGH_LONG_FULL, (nigh_lm_infinite){4, 64, 64}, 64, 63, b);
    assert_memory_equal(a, b, 63 * sizeof *a);
    score(NIGH_LONG_TRUNCATED, (nigh_lm_infinite){4, 64, 64}, 64, 63, a);
    assert_same(63, a, b, 1e-5);
    score(NIGH_LONG_REINDEXED, (nigh_lm_infinite){4, 60, 60}, 64, 63, a); /* as long as nothing has left the cache */
    assert_same(63, a, b, 1e-4);
    score(NIGH_LONG_REINDEXED, (nigh_lm_infinite){0, 20, 20}, COUNT, 200, a); /* without first tokens only differences matter */
    score(NIGH_LONG_INFINITE, (nigh_lm_infinite){0, 20, 20}, COUNT, 200, b);
    assert_same(200, a, b, 1e-4);
    score(NIGH_LONG_INFINITE, (nigh_lm_infinite){2, 20, 20}, COUNT, 10, a); /* the tail is the tail */
    assert_same(10, a, (score(NIGH_LONG_INFINITE, (nigh_lm_infinite){2, 20, 20}, COUNT, 300, b), b + 290), 0);
}

static void test_truncated(void **state)
{
    enum { WINDOW = 20, TAIL = 5 };
    double have[TAIL], all[WINDOW];
    score(NIGH_LONG_TRUNCATED, (nigh_lm_infinite){4, WINDOW, WINDOW}, COUNT, TAIL, have);
    for (int i = 0; i < TAIL; i++) {
        const int32_t *tokens = model.tokens + COUNT - TAIL + i - WINDOW;
        assert_ok(model.ctx, nigh_long_score(model.ctx, model.lm, NIGH_LONG_FULL, &(nigh_lm_infinite){4, WINDOW, WINDOW}, tokens, WINDOW + 1, WINDOW, all));
        assert_near(have[i], all[WINDOW - 1], 1e-5, 0);
    }
}

static void test_bad_scores(void **state)
{
    double log_p[4];
    const nigh_lm_infinite good = {4, 16, 16};
    nigh_context *ctx = model.ctx;
    assert_fails(ctx, nigh_long_score(ctx, model.lm, NIGH_LONG_FULL, &good, model.tokens, 10, 10, log_p), NIGH_INVALID, "tail is 10 of 10");
    assert_fails(ctx, nigh_long_score(ctx, model.lm, NIGH_LONG_FULL, &good, model.tokens, 10, 0, log_p), NIGH_INVALID, "tail is 0");
    assert_fails(ctx, nigh_long_score(ctx, model.lm, (nigh_long_method)9, &good, model.tokens, 10, 2, log_p), NIGH_INVALID, "method 9");
    assert_fails(ctx, nigh_long_score(ctx, model.lm, NIGH_LONG_FULL, &(nigh_lm_infinite){-1, -1, -1}, model.tokens, 10, 2, log_p), NIGH_INVALID, "sinks is -1");
    nigh_lambda *view = NULL;
    assert_fails(ctx, nigh_lambda_new(ctx, model.lm, &(nigh_lambda_options){.settings = {4, 16, 8}}, &view), NIGH_INVALID, "limit 8");
    assert_fails(ctx, nigh_lambda_new(ctx, model.lm, &(nigh_lambda_options){.settings = good, .middle = -1}, &view), NIGH_INVALID, "middle -1");
    assert_null(view);
}

/* ---- looking again ----------------------------------------------------------------------------------------------- */

/* Only the last row of a pass (64 rows) looks again, from its layer on. */
static void test_middle(void **state)
{
    const nigh_lm_infinite s = {4, 16, 16};
    double base[COUNT], looked[COUNT], late[COUNT];
    view_scores(&(nigh_lambda_options){.settings = s}, COUNT, base, NULL);
    view_scores(&(nigh_lambda_options){.settings = s, .middle = 5, .middle_layer = 1, .middle_distance = 8}, COUNT, looked, NULL);
    view_scores(&(nigh_lambda_options){.settings = s, .middle = 5, .middle_layer = 2, .middle_distance = 8}, COUNT, late, NULL);
    assert_memory_equal(base + 1, late + 1, (COUNT - 1) * sizeof *base); /* there are two layers */
    int changed = 0;
    for (int t = 1; t < COUNT; t++) {
        if (t % 64 == 0) changed += looked[t] != base[t];
        else assert_true(looked[t] == base[t]);
    }
    assert_true(changed >= 5);
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

static void test_profile(void **state)
{
    double log_p[COUNT];
    for (int masked = 0; masked < 2; masked++) {
        nigh_lambda *view;
        nigh_lambda_bucket_row row;
        const nigh_lambda_options options = {.settings = masked ? (nigh_lm_infinite){4, CONTEXT, CONTEXT} : (nigh_lm_infinite){0}, .profile = true};
        view_scores(&options, COUNT, log_p, &view);
        for (int layer = 0; layer < 2; layer++) {
            int64_t pairs = 0, queries = 0, want = 0;
            for (int b = 0; nigh_lambda_bucket(view, layer, b, &row); b++) {
                assert_int_equal(row.from, b ? CONTEXT << (b - 1) : 0);
                pairs += row.pairs, queries += row.queries;
                if (row.queries) assert_true(row.entropy >= 0 && row.entropy <= log((double)(row.to < COUNT ? row.to : COUNT)) + 1e-9);
                if (row.pairs) assert_true(row.share > 0 && row.share <= 1 + 1e-9 && row.largest >= 0);
                else assert_true(row.share != row.share && row.largest != row.largest);
                if (masked && b > 1) assert_int_equal(row.pairs, 0); /* distances end at the limit */
            }
            for (int64_t t = 0; t < COUNT; t++) want += masked && t >= CONTEXT ? CONTEXT + (t - CONTEXT + 1 < 4 ? t - CONTEXT + 1 : 4) : t + 1;
            assert_int_equal(pairs, 4 * want);
            assert_int_equal(queries, 4 * COUNT);
        }
        assert_false(nigh_lambda_bucket(view, 2, 0, &row));
        assert_false(nigh_lambda_bucket(view, 0, NIGH_LAMBDA_BUCKETS, &row));
        nigh_lambda_free(view);
    }
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static void test_other_rows(void **state)
{
    nigh_context *ctx = model.ctx;
    nigh_lambda *view;
    nigh_cache *cache;
    int a, b;
    assert_ok(ctx, nigh_lambda_new(ctx, model.lm, &(nigh_lambda_options){.settings = {4, 16, 16}}, &view));
    assert_ok(ctx, nigh_cache_new(ctx, model.lm, NULL, &cache));
    assert_ok(ctx, nigh_cache_sequence(cache, &a));
    assert_ok(ctx, nigh_cache_sequence(cache, &b));
    const nigh_lm_row rows[] = {{65, a, -1, false}, {66, b, -1, false}};
    assert_ok(ctx, nigh_lm_run(cache, &(nigh_lm_pass){.rows = rows, .count = 2, .hooks = nigh_lambda_hooks(view)}));
    assert_int_equal(nigh_lambda_status(view), NIGH_INVALID);
    nigh_cache_free(cache);
    nigh_lambda_free(view);
}

static void test_no_memory(void **state)
{
    double log_p[20];
    for (int method = 0; method < NIGH_LONG_METHODS; method++) {
        nigh_status status = NIGH_MEMORY;
        for (long k = 1; status; k++) {
            test_allocator allocator = {.fail_at = k};
            nigh_context *ctx = test_context_failing(&allocator);
            if (!ctx) continue;
            nigh_context_set_threads(ctx, 1);
            status = nigh_long_score(ctx, model.lm, (nigh_long_method)method, &(nigh_lm_infinite){4, 16, 16}, model.tokens, 100, 20, log_p);
            assert_true(status == NIGH_MEMORY || status == NIGH_OK);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
            if (k > 1000) fail_msg("allocations without end");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings), cmocka_unit_test(test_bad_settings), cmocka_unit_test(test_engine_is_the_formula),
                                       cmocka_unit_test(test_settings_matter), cmocka_unit_test(test_what_is_equal), cmocka_unit_test(test_truncated),
                                       cmocka_unit_test(test_bad_scores), cmocka_unit_test(test_middle), cmocka_unit_test(test_profile), cmocka_unit_test(test_other_rows),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, make_model, free_model);
}
