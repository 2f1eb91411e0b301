/* The language-model engine: architectures against a slow evaluation, the same bits whatever shares a pass, hooks, bad input. */
#include "support.h"
#include "tiny_lm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { V = TINY_VOCABULARY };

static int set_up(void **state) { return (*state = test_context_new()) ? 0 : -1; }

static int tear_down(void **state)
{
    test_context_free(*state);
    return 0;
}

static void draw(int32_t *tokens, int n, unsigned seed)
{
    for (int i = 0; i < n; i++) tokens[i] = (int32_t)((seed = seed * 1103515245u + 12345u) >> 16) % 256;
}

static nigh_cache *new_cache(nigh_context *ctx, const nigh_lm *lm, int threads)
{
    nigh_cache *cache;
    nigh_cache_options options = {.threads = threads};
    assert_ok(ctx, nigh_cache_new(ctx, lm, &options, &cache));
    return cache;
}

static int new_sequence(nigh_cache *cache)
{
    int s;
    assert_int_equal(nigh_cache_sequence(cache, &s), NIGH_OK);
    return s;
}

/* Every architecture beside an evaluation in double that shares no code; 70 tokens cross a page and Gemma's windows. */
static void slow_evaluation_agrees(void **state)
{
    static const char *const names[] = {"llama", "qwen2", "qwen3", "gemma3", "gpt2"};
    enum { N = 70 };
    nigh_context *ctx = *state;
    int32_t tokens[N];
    double *want = malloc((size_t)N * V * sizeof *want);
    float *got = malloc((size_t)N * V * sizeof *got);
    draw(tokens, N, 1);
    for (int a = 0; a < 5; a++) {
        tiny_lm tiny = tiny_lm_default(names[a]);
        nigh_lm *lm = tiny_lm_load(ctx, &tiny);
        nigh_cache_options options = {.type = NIGH_KV_F32};
        nigh_cache *cache;
        nigh_lm_row rows[N];
        assert_ok(ctx, nigh_cache_new(ctx, lm, &options, &cache));
        int s = new_sequence(cache);
        for (int t = 0; t < N; t++) rows[t] = (nigh_lm_row){tokens[t], s, t - 1, true};
        assert_ok(ctx, nigh_lm_run(cache, &(nigh_lm_pass){.rows = rows, .count = N, .logits = got}));
        tiny_lm_logits(&tiny, tokens, N, want);
        double size = 0, worst = 0;
        for (int i = 0; i < N * V; i++) size = fmax(size, fabs(want[i])), worst = fmax(worst, fabs(want[i] - got[i]));
        if (!(worst <= 2e-5 * size)) fail_msg("%s: logits differ by %g of %g", names[a], worst, size);
        nigh_cache_free(cache);
        nigh_lm_free(lm);
    }
    free(got), free(want);
}

/* logits[n][V] one token at a time on one thread: what all other ways must give to the bit. */
static void one_by_one(nigh_context *ctx, const nigh_lm *lm, const int32_t *tokens, int n, float *logits)
{
    nigh_cache *cache = new_cache(ctx, lm, 1);
    int s = new_sequence(cache);
    for (int t = 0; t < n; t++) assert_ok(ctx, nigh_lm_read(cache, s, tokens + t, 1, logits + (size_t)t * V));
    nigh_cache_free(cache);
}

static void same(const float *x, const float *y, const char *what, int row)
{
    if (memcmp(x, y, V * sizeof *x)) fail_msg("%s: row %d has other bits", what, row);
}

/* Chains of T tokens, T = 1 to 64, and one of 600 (two parts), 1 to 3 threads, weights of every sort. */
static void chains_give_the_same_bits(void **state)
{
    enum { N = 600 };
    static const nigh_block_type types[] = {NIGH_BLOCK_F32, NIGH_BLOCK_F16, NIGH_BLOCK_Q8_0, NIGH_BLOCK_Q4_1, NIGH_BLOCK_Q5_0};
    nigh_context *ctx = *state;
    int32_t tokens[N];
    float *want = malloc((size_t)N * V * sizeof *want), *got = malloc((size_t)N * V * sizeof *got);
    draw(tokens, N, 2);
    for (int i = 0; i < 5; i++) {
        tiny_lm tiny = tiny_lm_default(i == 1 ? "gemma3" : "llama");
        tiny.type = types[i];
        nigh_lm *lm = tiny_lm_load(ctx, &tiny);
        one_by_one(ctx, lm, tokens, N, want);
        nigh_cache *cache = new_cache(ctx, lm, 1 + i % 3);
        nigh_lm_row rows[N];
        for (int T = 1; T <= 65; T++) {
            int n = T > 64 ? N : T, s = new_sequence(cache), first = T > 64 ? 0 : T * 7 % 100;
            assert_ok(ctx, nigh_lm_read(cache, s, tokens, first, NULL));
            for (int t = 0; t < n; t++) rows[t] = (nigh_lm_row){tokens[first + t], s, t - 1, true};
            assert_ok(ctx, nigh_lm_run(cache, &(nigh_lm_pass){.rows = rows, .count = n, .logits = got}));
            for (int t = 0; t < n; t++) same(got + (size_t)t * V, want + (size_t)(first + t) * V, "chain", first + t);
            nigh_cache_drop(cache, s);
        }
        nigh_cache_free(cache);
        nigh_lm_free(lm);
    }
    free(got), free(want);
}

/* Drafts of a random tree, in a pass with another sequence: each row has the bits of its own path decoded alone; an accepted path goes on the same. */
static void trees_give_the_same_bits(void **state)
{
    enum { PREFIX = 59, T = 30, OTHER = 7 };
    nigh_context *ctx = *state;
    tiny_lm tiny = tiny_lm_default("llama");
    tiny.type = NIGH_BLOCK_Q8_0;
    nigh_lm *lm = tiny_lm_load(ctx, &tiny);
    nigh_cache *cache = new_cache(ctx, lm, 2);
    int32_t tokens[PREFIX + T], path[PREFIX + T];
    float *got = malloc((size_t)(T + OTHER) * V * sizeof *got), *want = malloc((size_t)(PREFIX + T) * V * sizeof *want);
    for (int round = 0; round < 6; round++) {
        nigh_lm_row rows[T + OTHER];
        draw(tokens, PREFIX + T, 3 + (unsigned)round);
        int s = new_sequence(cache), other = new_sequence(cache), depth[T];
        assert_ok(ctx, nigh_lm_read(cache, s, tokens, PREFIX, NULL));
        for (int t = 0; t < T; t++) {
            int parent = t ? (t * 7 + round * 3) % 4 < 3 ? t - 1 : (t * 13 + round) % t : -1;
            depth[t] = t ? depth[parent] + 1 : 0;
            rows[t] = (nigh_lm_row){tokens[PREFIX + t], s, parent, true};
        }
        for (int t = 0; t < OTHER; t++) rows[T + t] = (nigh_lm_row){tokens[t], other, t ? T + t - 1 : -1, true};
        assert_ok(ctx, nigh_lm_run(cache, &(nigh_lm_pass){.rows = rows, .count = T + OTHER, .logits = got, .drafts = true}));
        int deepest = 0;
        for (int t = 0; t < T; t++) {
            deepest = depth[t] > depth[deepest] ? t : deepest;
            memcpy(path, tokens, PREFIX * sizeof *path);
            for (int r = t; r >= 0; r = rows[r].parent) path[PREFIX + depth[r]] = rows[r].token;
            if (t % 3) continue;
            one_by_one(ctx, lm, path, PREFIX + depth[t] + 1, want);
            same(got + (size_t)t * V, want + (size_t)(PREFIX + depth[t]) * V, "draft", t);
        }
        one_by_one(ctx, lm, tokens, OTHER, want);
        same(got + (size_t)(T + OTHER - 1) * V, want + (size_t)(OTHER - 1) * V, "other sequence", OTHER);
        /* Accept the deepest path and go on. */
        int32_t accepted[T];
        int count = depth[deepest] + 1;
        memcpy(path, tokens, PREFIX * sizeof *path);
        for (int r = deepest; r >= 0; r = rows[r].parent) accepted[depth[r]] = r, path[PREFIX + depth[r]] = rows[r].token;
        assert_ok(ctx, nigh_lm_accept(cache, s, accepted, count));
        assert_int_equal(nigh_cache_length(cache, s), PREFIX + count);
        path[PREFIX + count] = 42;
        assert_ok(ctx, nigh_lm_read(cache, s, path + PREFIX + count, 1, got));
        one_by_one(ctx, lm, path, PREFIX + count + 1, want);
        same(got, want + (size_t)(PREFIX + count) * V, "after acceptance", count);
        nigh_cache_drop(cache, s), nigh_cache_drop(cache, other);
    }
    free(got), free(want);
    nigh_cache_free(cache);
    nigh_lm_free(lm);
}

/* A hook that sees keeps the bits; one that scales a layer's output changes them; one that gives back what attention would give is attention. */
static void look(void *user, nigh_lm_point point, int layer, int64_t rows, int64_t size, float *values)
{
    double *change = user;
    change[1] += (double)rows;
    if (point == NIGH_LM_OUTPUT && layer == 1)
        for (int64_t i = 0; i < rows * size; i++) values[i] *= (float)change[0];
}

static bool own_attention(void *user, const nigh_lm_attention *call)
{
    const nigh_lm_info *i = nigh_lm_about(nigh_cache_lm(call->cache));
    int64_t d = i->head_size, kv = i->kv_heads * d, group = i->heads / i->kv_heads;
    float *keys = malloc((size_t)(1024 * kv) * sizeof *keys), *values = malloc((size_t)(1024 * kv) * sizeof *values);
    for (int64_t t = 0; t < call->rows; t++) {
        int64_t n = call->position[t] + 1;
        assert_int_equal(nigh_cache_get(call->cache, call->row[t].sequence, call->layer, 0, n, keys, values), NIGH_OK);
        for (int64_t h = 0; h < i->heads; h++) {
            const float *q = call->query + (t * i->heads + h) * d;
            float *out = call->out + (t * i->heads + h) * d;
            double total = 0, sum[256] = {0};
            for (int64_t j = 0; j < n; j++) {
                double score = 0;
                for (int64_t c = 0; c < d; c++) score += (double)q[c] * keys[j * kv + h / group * d + c];
                score = exp(score * call->scale);
                total += score;
                for (int64_t c = 0; c < d; c++) sum[c] += score * values[j * kv + h / group * d + c];
            }
            for (int64_t c = 0; c < d; c++) out[c] = (float)(sum[c] / total);
        }
    }
    free(keys), free(values);
    (void)user;
    return true;
}

static void hooks_see_and_replace(void **state)
{
    enum { N = 40 };
    nigh_context *ctx = *state;
    tiny_lm tiny = tiny_lm_default("qwen3");
    nigh_lm *lm = tiny_lm_load(ctx, &tiny);
    nigh_cache *cache = new_cache(ctx, lm, 2);
    int32_t tokens[N];
    nigh_lm_row rows[N];
    float plain[V], seen[V], hidden[N * 64];
    draw(tokens, N, 9);
    int s = new_sequence(cache);
    assert_ok(ctx, nigh_lm_read(cache, s, tokens, N, plain));
    for (int way = 0; way < 3; way++) {
        double change[2] = {way == 1 ? 1.5 : 1, 0};
        nigh_lm_hooks hooks = {.user = change, .see = way < 2 ? look : NULL, .attend = way == 2 ? own_attention : NULL};
        int other = new_sequence(cache);
        for (int t = 0; t < N; t++) rows[t] = (nigh_lm_row){tokens[t], other, t - 1, t == N - 1};
        assert_ok(ctx, nigh_lm_run(cache, &(nigh_lm_pass){.rows = rows, .count = N, .logits = seen, .hidden = hidden, .hooks = &hooks}));
        double worst = 0;
        for (int i = 0; i < V; i++) worst = fmax(worst, fabs(plain[i] - seen[i]));
        if (way == 0) same(plain, seen, "a hook that only looks", 0), assert_int_equal((int)change[1], 6 * 3 * N);
        if (way == 1) assert_true(worst > 1e-2);
        if (way == 2 && worst > 2e-3) fail_msg("attention of one's own: logits differ by %g", worst);
        assert_true(isfinite(hidden[N * 64 - 1]));
    }
    nigh_cache_free(cache);
    nigh_lm_free(lm);
}

/* A fork goes on by itself; a score is the log-probability of the pass; cut forgets. */
static void sequences_fork_cut_and_score(void **state)
{
    enum { N = 90 };
    nigh_context *ctx = *state;
    tiny_lm tiny = tiny_lm_default("llama");
    nigh_lm *lm = tiny_lm_load(ctx, &tiny);
    nigh_cache *cache = new_cache(ctx, lm, 2);
    int32_t tokens[N];
    float *want = malloc((size_t)N * V * sizeof *want), got[V];
    double log_p[N];
    draw(tokens, N, 4);
    one_by_one(ctx, lm, tokens, N, want);
    int s = new_sequence(cache), fork;
    assert_ok(ctx, nigh_lm_score(cache, s, tokens, N, NULL, log_p, got));
    same(got, want + (size_t)(N - 1) * V, "score", N - 1);
    assert_true(isnan(log_p[0]));
    for (int t = 1; t < N; t++) {
        double total = 0;
        const float *row = want + (size_t)(t - 1) * V;
        for (int i = 0; i < V; i++) total += exp(row[i]);
        assert_true(fabs(log_p[t] - (row[tokens[t]] - log(total))) < 1e-5);
    }
    assert_ok(ctx, nigh_cache_fork(cache, s, 70, &fork));
    assert_ok(ctx, nigh_cache_cut(cache, s, 33));
    assert_ok(ctx, nigh_lm_read(cache, fork, tokens + 70, 5, got));
    same(got, want + (size_t)74 * V, "fork", 74);
    assert_ok(ctx, nigh_lm_read(cache, s, tokens + 33, 4, got));
    same(got, want + (size_t)36 * V, "after a cut", 36);
    free(want);
    nigh_cache_free(cache);
    nigh_lm_free(lm);
}

static void bad_passes_change_nothing(void **state)
{
    nigh_context *ctx = *state;
    tiny_lm tiny = tiny_lm_default("gpt2");
    tiny.context = 20;
    nigh_lm *lm = tiny_lm_load(ctx, &tiny);
    nigh_cache *cache = new_cache(ctx, lm, 1);
    int s = new_sequence(cache);
    int32_t tokens[32];
    float logits[V], again[V];
    draw(tokens, 32, 5);
    assert_ok(ctx, nigh_lm_read(cache, s, tokens, 10, logits));
    nigh_lm_row row = {V, s, -1, true};
    nigh_lm_pass pass = {.rows = &row, .count = 1, .logits = again};
    assert_int_equal(nigh_lm_run(cache, &pass), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "token 258"));
    row = (nigh_lm_row){1, 77, -1, true};
    assert_int_equal(nigh_lm_run(cache, &pass), NIGH_INVALID);
    row = (nigh_lm_row){1, s, 3, true};
    assert_int_equal(nigh_lm_run(cache, &pass), NIGH_INVALID);
    assert_int_equal(nigh_lm_read(cache, s, tokens, 11, again), NIGH_INVALID); /* beyond the learned positions */
    assert_non_null(strstr(nigh_message(ctx), "position 20"));
    assert_int_equal(nigh_cache_length(cache, s), 10);
    assert_int_equal(nigh_cache_stream(cache, s, 4, 8, 8), NIGH_UNSUPPORTED);
    double seconds;
    assert_ok(ctx, nigh_lm_time(cache, 4, 8, 3, &seconds));
    assert_true(seconds > 0);
    assert_ok(ctx, nigh_lm_read(cache, s, tokens + 10, 1, again));
    nigh_cache_free(cache);
    nigh_lm_free(lm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slow_evaluation_agrees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(chains_give_the_same_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(trees_give_the_same_bits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hooks_see_and_replace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sequences_fork_cut_and_score, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_passes_change_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
