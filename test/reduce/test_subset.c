/* Weighted subsets: sizes, order, weights that estimate without bias, budgets of classes, rows taken, bad input. */
#include <math.h>
#include <string.h>

#include "nigh/coreset.h"
#include "support.h"

enum { N = 500, D = 3 };
static double x[N * D], y[N], weight[N], score[N];
static nigh_rows rows = {N, D, x, y, weight};

static void draw(void)
{
    nigh_rng rng = nigh_rng_new(1, 1);
    nigh_rng_fill_normal(&rng, N * D, x);
    for (int i = 0; i < N; i++) y[i] = i % 50 == 7, weight[i] = 1 + i % 3, score[i] = i % 5 == 0 ? 0 : fabs(x[i * D]) + 0.1;
}

static void in_order(const nigh_subset *s)
{
    for (int64_t i = 0; i < s->count; i++) {
        assert_true(s->index[i] >= 0 && s->index[i] < N && (i == 0 || s->index[i] > s->index[i - 1]));
        assert_true(s->weight[i] >= 0 && isfinite(s->weight[i]));
    }
}

/* Each row as often as any other; the weights of m rows are theirs times n / m; all rows with m = n. */
static void uniform(void **state)
{
    nigh_context *ctx = test_context_new();
    draw();
    nigh_rng rng = nigh_rng_new(2, 1);
    static int64_t seen[N];
    enum { TRIALS = 4000, M = 50 };
    for (int t = 0; t < TRIALS; t++) {
        nigh_subset s;
        assert_ok(ctx, nigh_subset_uniform(ctx, &rows, M, false, &rng, &s));
        assert_int_equal(s.count, M);
        in_order(&s);
        for (int i = 0; i < M; i++) {
            seen[s.index[i]]++;
            assert_near(s.weight[i], weight[s.index[i]] * N / M, 0, 1e-14);
        }
        nigh_subset_free(ctx, &s);
    }
    for (int i = 0; i < N; i++) assert_near((double)seen[i], TRIALS * M / (double)N, 5 * sqrt(TRIALS * M / (double)N), 0);
    nigh_subset all;
    assert_ok(ctx, nigh_subset_uniform(ctx, &rows, 10 * N, false, &rng, &all));
    assert_int_equal(all.count, N);
    for (int i = 0; i < N; i++) assert_true(all.index[i] == i && all.weight[i] == weight[i]);
    nigh_subset_free(ctx, &all);
    test_context_free(ctx);
}

static void classes(void **state)
{
    nigh_context *ctx = test_context_new();
    draw();
    nigh_rng rng = nigh_rng_new(3, 1);
    int64_t budget[2];
    for (int64_t m = 1; m <= N + 3; m++) {
        nigh_class_budget(&rows, m, budget);
        assert_int_equal(budget[0] + budget[1], m < N ? m : N);
        assert_true(budget[0] >= 0 && budget[1] >= 0 && budget[0] <= 490 && budget[1] <= 10);
        if (m > 1) assert_true(budget[0] > 0 && budget[1] > 0);
        nigh_subset s;
        assert_ok(ctx, nigh_subset_uniform(ctx, &rows, m, true, &rng, &s));
        in_order(&s);
        int64_t have[2] = {0, 0};
        for (int64_t i = 0; i < s.count; i++) {
            int c = y[s.index[i]] == 1;
            have[c]++;
            assert_near(s.weight[i], weight[s.index[i]] * (c ? 10.0 : 490.0) / (double)budget[c], 0, 1e-14);
        }
        assert_true(have[0] == budget[0] && have[1] == budget[1]);
        nigh_subset_free(ctx, &s);
    }
    nigh_class_budget(&rows, 36, budget); /* 35.28 and 36 / 6, made to sum to 36 */
    assert_int_equal(budget[1], 5);
    for (int i = 0; i < N; i++) y[i] = 0;
    nigh_class_budget(&rows, 36, budget);
    assert_true(budget[0] == 36 && budget[1] == 0);
    test_context_free(ctx);
}

/* The weighted sum of anything that is 0 where scores are 0 is right on average; exactly right for the scores over the weights. */
static void scores(void **state)
{
    nigh_context *ctx = test_context_new();
    draw();
    nigh_rng rng = nigh_rng_new(4, 1);
    double truth = 0, mean = 0, square = 0, total = 0;
    enum { TRIALS = 2000, M = 40 };
    for (int i = 0; i < N; i++) truth += score[i] > 0 ? weight[i] * x[i * D] * x[i * D] : 0, total += score[i];
    for (int t = 0; t < TRIALS; t++) {
        nigh_subset s;
        double sum = 0, exact = 0;
        assert_ok(ctx, nigh_subset_scores(ctx, &rows, score, M, &rng, &s));
        assert_true(s.count >= 1 && s.count <= M);
        in_order(&s);
        for (int64_t i = 0; i < s.count; i++) {
            int64_t at = s.index[i];
            assert_true(score[at] > 0);
            sum += s.weight[i] * x[at * D] * x[at * D], exact += s.weight[i] * score[at] / weight[at];
        }
        assert_near(exact, total, 0, 1e-12);
        mean += sum / TRIALS, square += sum * sum / TRIALS;
        nigh_subset_free(ctx, &s);
    }
    assert_near(mean, truth, 4 * sqrt((square - mean * mean) / TRIALS), 0);
    test_context_free(ctx);
}

static void take(void **state)
{
    nigh_context *ctx = test_context_new();
    draw();
    nigh_rng rng = nigh_rng_new(5, 1);
    nigh_subset s;
    nigh_rows out;
    void *block;
    assert_ok(ctx, nigh_subset_uniform(ctx, &rows, 30, false, &rng, &s));
    assert_ok(ctx, nigh_subset_take(ctx, &rows, &s, &out, &block));
    assert_true(out.n == 30 && out.d == D);
    for (int i = 0; i < 30; i++) assert_true(!memcmp(out.x + i * D, x + s.index[i] * D, D * sizeof *x) && out.y[i] == y[s.index[i]] && out.weight[i] == s.weight[i]);
    nigh_free(ctx, block);
    nigh_rows bare = rows;
    bare.y = NULL, bare.weight = NULL;
    assert_ok(ctx, nigh_subset_take(ctx, &bare, &s, &out, &block));
    assert_null(out.y);
    nigh_free(ctx, block);
    s.index[3] = N;
    assert_fails(ctx, nigh_subset_take(ctx, &rows, &s, &out, &block), NIGH_INVALID, "row 500");
    s.index[3] = -1;
    assert_fails(ctx, nigh_subset_take(ctx, &rows, &s, &out, &block), NIGH_INVALID, "row -1");
    nigh_subset_free(ctx, &s);
    assert_fails(ctx, nigh_subset_take(ctx, &rows, &s, &out, &block), NIGH_INVALID, "no rows");
    nigh_subset_free(ctx, NULL);
    assert_near(nigh_rows_weight(&rows), 167 + 2 * 167 + 3 * 166, 0, 0);
    assert_near(nigh_rows_weight(&bare), N, 0, 0);
    test_context_free(ctx);
}

static void bad(void **state)
{
    nigh_context *ctx = test_context_new();
    draw();
    nigh_rng rng = nigh_rng_new(6, 1);
    nigh_subset s;
    assert_fails(ctx, nigh_subset_uniform(ctx, &rows, 0, false, &rng, &s), NIGH_INVALID, "m is 0");
    nigh_rows bare = rows;
    bare.y = NULL;
    assert_fails(ctx, nigh_subset_uniform(ctx, &bare, 5, true, &rng, &s), NIGH_INVALID, "needs classes");
    assert_fails(ctx, nigh_subset_scores(ctx, &rows, score, 0, &rng, &s), NIGH_INVALID, "m is 0");
    score[9] = -1;
    assert_fails(ctx, nigh_subset_scores(ctx, &rows, score, 5, &rng, &s), NIGH_INVALID, "score of row 9 is -1");
    score[9] = NAN;
    assert_fails(ctx, nigh_subset_scores(ctx, &rows, score, 5, &rng, &s), NIGH_INVALID, "score of row 9 is nan");
    memset(score, 0, sizeof score);
    assert_fails(ctx, nigh_subset_scores(ctx, &rows, score, 5, &rng, &s), NIGH_INVALID, "sum to 0");
    test_context_free(ctx);
}

static void no_memory(void **state)
{
    draw();
    for (int what = 0; what < 3; what++) {
        long count = 1;
        for (long at = 0; at <= count; at++) {
            test_allocator allocator = {.fail_at = at};
            nigh_context *ctx = test_context_failing(&allocator);
            if (!ctx) continue;
            nigh_rng rng = nigh_rng_new(7, 1);
            nigh_subset s = {0};
            nigh_rows out;
            void *block = NULL;
            nigh_status status = what == 2 ? nigh_subset_scores(ctx, &rows, score, 20, &rng, &s) : nigh_subset_uniform(ctx, &rows, 20, what == 1, &rng, &s);
            if (!status) status = nigh_subset_take(ctx, &rows, &s, &out, &block);
            assert_int_equal(status, at ? NIGH_MEMORY : NIGH_OK);
            if (!at) count = allocator.count;
            nigh_free(ctx, block);
            nigh_subset_free(ctx, &s);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(uniform), cmocka_unit_test(classes), cmocka_unit_test(scores), cmocka_unit_test(take), cmocka_unit_test(bad),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
