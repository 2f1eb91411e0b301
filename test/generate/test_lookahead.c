/* Drafts: what is proposed, chances that learn, files, the planner. */
#include "support.h"
#include "generate/lookahead.h"
#include "nigh/io.h"
#include "nigh/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_text(nigh_lookahead *l, const char *text)
{
    int32_t tokens[256];
    int64_t n = 0;
    for (; text[n]; n++) tokens[n] = (unsigned char)text[n];
    assert_ok(l->ctx, nigh_lookahead_learn(l, tokens, n));
}

static void propose(const nigh_lookahead *l, const char *text, int most, int64_t deepest, const lookahead_filter *filter, lookahead_drafts *d)
{
    int32_t tokens[256];
    int64_t n = 0;
    for (; text[n]; n++) tokens[n] = (unsigned char)text[n];
    lookahead_propose(l, tokens, n, most, deepest, filter, d);
}

/* The text of the branch that ends in draft i. */
static const char *branch(const lookahead_drafts *d, int i)
{
    static char text[LOOKAHEAD_MOST_WIDTH + 1];
    int k = d->at[i].depth;
    text[k] = 0;
    for (; i >= 0; i = d->at[i].parent) text[--k] = (char)d->at[i].token;
    assert_int_equal(k, 0);
    return text;
}

static bool has(const lookahead_drafts *d, const char *text)
{
    for (int i = 0; i < d->count; i++)
        if (strcmp(branch(d, i), text) == 0) return true;
    return false;
}

static void check_tree(const lookahead_drafts *d, bool falling)
{
    for (int i = 0; i < d->count; i++) {
        assert_true(d->at[i].parent < i && d->at[i].parent >= -1);
        assert_int_equal(d->at[i].depth, d->at[i].parent < 0 ? 1 : d->at[d->at[i].parent].depth + 1);
        assert_true(d->at[i].chance > 0 && d->at[i].chance <= 1);
        assert_true(!falling || !i || d->at[i].chance <= d->at[i - 1].chance);
    }
}

static void modes(void **state)
{
    nigh_context *ctx = test_context_new();
    (void)state;
    for (int mode = NIGH_DRAFT_TREE; mode <= NIGH_DRAFT_PARALLEL; mode++) {
        nigh_lookahead *l;
        lookahead_drafts d;
        assert_ok(ctx, nigh_lookahead_new(ctx, &(nigh_lookahead_options){.mode = (nigh_draft_mode)mode, .length = 12}, &l));
        propose(l, "anything", 16, 10, NULL, &d);
        assert_int_equal(d.count, 0);
        for (int i = 0; i < 3; i++) add_text(l, "the cat sat on the mat. ");
        add_text(l, "the cat ran to the door. ");
        propose(l, "I saw the cat ", 24, 10, NULL, &d);
        check_tree(&d, mode != NIGH_DRAFT_PARALLEL);
        assert_true(d.count <= 24 && has(&d, "sat on the"));
        assert_int_equal(has(&d, "ran to"), mode != NIGH_DRAFT_ONE);
        int roots = 0, shared = 0;
        for (int i = 0; i < d.count; i++) {
            roots += d.at[i].parent < 0;
            for (int k = 0; k < i; k++) shared += d.at[k].parent == d.at[i].parent && d.at[i].parent >= 0;
        }
        if (mode == NIGH_DRAFT_ONE) assert_true(roots == 1 && shared == 0);
        if (mode == NIGH_DRAFT_PARALLEL) assert_true(roots > 1 && shared == 0);
        propose(l, "I saw the cat ", 24, 2, NULL, &d);
        for (int i = 0; i < d.count; i++) assert_true(d.at[i].depth <= 2);
        propose(l, "I saw the cat ", 3, 9, NULL, &d);
        assert_true(d.count <= 3);
        propose(l, "I saw the cat ", 0, 9, NULL, &d);
        assert_int_equal(d.count, 0);
        nigh_lookahead_free(l);
    }
    test_context_free(ctx);
}

/* A prompt that passes by goes before what is known from earlier. */
static void prompts_first(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_lookahead *l;
    lookahead_drafts d;
    int32_t passing[8] = {'a', 'b', 'c', 'X', 'Y', 'Z', 'U', 'V'};
    (void)state;
    assert_ok(ctx, nigh_lookahead_new(ctx, NULL, &l));
    for (int i = 0; i < 3; i++) add_text(l, "abcdefgh");
    propose(l, "abc", 1, 9, NULL, &d);
    assert_int_equal(d.at[0].token, 'd');
    assert_ok(ctx, trie_learn(&l->store, passing, 8, TRIE_PASSING));
    propose(l, "abc", 1, 9, NULL, &d);
    assert_int_equal(d.at[0].token, 'X');
    trie_forget(&l->store, passing, 8);
    propose(l, "abc", 1, 9, NULL, &d);
    assert_int_equal(d.at[0].token, 'd');
    nigh_lookahead_free(l);
    test_context_free(ctx);
}

/* States count the letters; 's' and more than four of them are refused. */
static int64_t refuse(void *user, int64_t state, int32_t token)
{
    (void)user;
    return token == 's' || state == 4 ? -1 : state + 1;
}

static void filters(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_lookahead *l;
    lookahead_drafts d;
    lookahead_filter filter = {NULL, 0, refuse};
    (void)state;
    assert_ok(ctx, nigh_lookahead_new(ctx, NULL, &l));
    for (int i = 0; i < 3; i++) add_text(l, "the cat sat on the mat. ");
    add_text(l, "the cat ran to the door. ");
    propose(l, "the cat ", 30, 10, &filter, &d);
    assert_true(d.count > 0);
    for (int i = 0; i < d.count; i++) {
        assert_true(d.at[i].depth <= 4 && d.at[i].token != 's');
        assert_int_equal(d.at[i].state, d.at[i].depth);
    }
    assert_true(has(&d, "ran "));
    nigh_lookahead_free(l);
    test_context_free(ctx);
}

/* Chances become the shares that are accepted. */
static void chances(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(8, 0);
    nigh_lookahead *l;
    lookahead_drafts d;
    (void)state;
    assert_ok(ctx, nigh_lookahead_new(ctx, NULL, &l));
    add_text(l, "abcdefghijkl");
    for (int i = 0; i < 3000; i++) {
        propose(l, "xabcde", 1, 1, NULL, &d);
        assert_int_equal(d.count, 1);
        int32_t came = nigh_rng_f64(&rng) < 0.3 ? 'f' : 'q';
        lookahead_observe(l, &d, &came, 1);
    }
    propose(l, "xabcde", 1, 1, NULL, &d);
    assert_near(d.at[0].chance, 0.3, 0.15, 0);
    nigh_lookahead_free(l);
    test_context_free(ctx);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static void same_store(const trie *a, const trie *b, uint32_t x, uint32_t y)
{
    for (uint32_t n = a->node[x].child; n; n = a->node[n].next) {
        uint32_t m = trie_child(b, y, a->node[n].token);
        assert_true(m && a->node[n].count[TRIE_LASTING] == b->node[m].count[TRIE_LASTING]);
        same_store(a, b, n, m);
    }
}

static void files(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_lookahead *l, *other, *small;
    char *folder = test_folder_new(), path[512];
    int32_t text[2000], passing[3] = {1, 2, 3};
    nigh_rng rng = nigh_rng_new(9, 0);
    (void)state;
    snprintf(path, sizeof path, "%s/drafts.safetensors", folder);
    for (int i = 0; i < 2000; i++) text[i] = (int32_t)nigh_rng_below(&rng, nigh_rng_below(&rng, 3) ? 6 : 400);
    assert_ok(ctx, nigh_lookahead_new(ctx, NULL, &l));
    assert_ok(ctx, nigh_lookahead_new(ctx, NULL, &other));
    assert_ok(ctx, nigh_lookahead_new(ctx, &(nigh_lookahead_options){.length = 3, .nodes = 1024}, &small));
    assert_ok(ctx, nigh_lookahead_learn(l, text, 2000));
    int64_t nodes = nigh_lookahead_nodes(l);
    assert_ok(ctx, trie_learn(&l->store, passing, 3, TRIE_PASSING));
    assert_ok(ctx, nigh_lookahead_save(l, path));
    trie_forget(&l->store, passing, 3);
    assert_ok(ctx, nigh_lookahead_load(other, path, 400));
    assert_int_equal(nigh_lookahead_nodes(other), nodes);
    same_store(&l->store, &other->store, 0, 0);
    same_store(&other->store, &l->store, 0, 0);
    lookahead_drafts d, e;
    for (int i = 10; i < 60; i++) { /* the same drafts but for the order of equals */
        lookahead_propose(l, text, i, 1, 1, NULL, &d);
        lookahead_propose(other, text, i, 1, 1, NULL, &e);
        assert_true(d.count == 1 && e.count == 1 && d.at[0].chance == e.at[0].chance);
    }
    assert_fails(ctx, nigh_lookahead_load(other, path, 399), NIGH_FORMAT, "beyond the vocabulary of 399");
    assert_ok(ctx, nigh_lookahead_load(small, path, 400));
    assert_true(nigh_lookahead_nodes(small) <= 1024 && nigh_lookahead_nodes(small) > 1000);
    assert_fails(ctx, nigh_lookahead_learn(l, (int32_t[]){3, -1}, 2), NIGH_INVALID, "token 1 is -1");
    nigh_lookahead_free(l);
    nigh_lookahead_free(other);
    nigh_lookahead_free(small);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static nigh_status parse_rows(nigh_lookahead *l, nigh_dtype type, int64_t n, const uint32_t *parent, const int32_t *token, int64_t counts, const uint16_t *count)
{
    nigh_bundle bundle = {.ctx = l->ctx};
    nigh_buffer bytes = {.ctx = l->ctx};
    assert_ok(l->ctx, nigh_bundle_add(&bundle, "parent", &(nigh_array){{NIGH_U32, 1, {n}}, (void *)parent}));
    assert_ok(l->ctx, nigh_bundle_add(&bundle, "token", &(nigh_array){{type, 1, {n}}, (void *)token}));
    if (count) assert_ok(l->ctx, nigh_bundle_add(&bundle, "count", &(nigh_array){{NIGH_U16, 1, {counts}}, (void *)count}));
    assert_ok(l->ctx, nigh_safetensors_format(l->ctx, &bundle, &bytes));
    nigh_status status = lookahead_parse(l, bytes.data, bytes.size, "file", 100);
    nigh_buffer_free(&bytes);
    nigh_bundle_free(&bundle);
    return status;
}

static void bad_files(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_lookahead *l;
    const uint32_t parent[3] = {0, 1, 1}, late[3] = {0, 2, 1};
    const int32_t token[3] = {4, 5, 6}, negative[3] = {4, -5, 6}, large[3] = {4, 100, 6};
    const uint16_t count[3] = {9, 4, 5}, none[3] = {9, 0, 5};
    (void)state;
    assert_ok(ctx, nigh_lookahead_new(ctx, NULL, &l));
    assert_fails(ctx, parse_rows(l, NIGH_I32, 3, late, token, 3, count), NIGH_FORMAT, "stands before its parent");
    assert_fails(ctx, parse_rows(l, NIGH_I32, 3, parent, negative, 3, count), NIGH_FORMAT, "token -5");
    assert_fails(ctx, parse_rows(l, NIGH_I32, 3, parent, large, 3, count), NIGH_FORMAT, "token 100");
    assert_fails(ctx, parse_rows(l, NIGH_I32, 3, parent, token, 3, none), NIGH_FORMAT, "count of node 1 is 0");
    assert_fails(ctx, parse_rows(l, NIGH_I32, 3, parent, token, 2, count), NIGH_FORMAT, "3, 3 and 2 elements");
    assert_fails(ctx, parse_rows(l, NIGH_U32, 3, parent, token, 3, count), NIGH_FORMAT, "'token'");
    assert_fails(ctx, parse_rows(l, NIGH_I32, 3, parent, token, 3, NULL), NIGH_FORMAT, "no 'count'");
    assert_fails(ctx, lookahead_parse(l, "nonsense", 8, "file", 100), NIGH_FORMAT, "file");
    assert_int_equal(nigh_lookahead_nodes(l), 0);
    assert_ok(ctx, parse_rows(l, NIGH_I32, 3, parent, token, 3, count));
    assert_int_equal(nigh_lookahead_nodes(l), 3);
    nigh_lookahead_free(l);
    test_context_free(ctx);
}

/* ---- the planner ------------------------------------------------------------------------------------------------ */

/* Tokens a second over those of plain passes, when passes cost cost(rows) and each draft is right with this chance, with noise. */
static double simulate(double slope, double step, double chance, int branch_length, int64_t passes)
{
    plan_costs c = {.plain = 0};
    nigh_rng rng = nigh_rng_new(11, 0);
    double tokens = 0, seconds = 0;
    for (int64_t k = 0; k < passes; k++) {
        float p[32];
        for (int i = 0; i < 32; i++) p[i] = i < branch_length ? (float)pow(chance, i + 1) : 0.001f;
        int n = plan_choose(&c, 1, p, 32);
        double time = (1 + slope * n + (n ? step : 0)) * 0.005 * (nigh_rng_below(&rng, 30) ? 1 : 3);
        int right = 0;
        while (right < n && right < branch_length && nigh_rng_f64(&rng) < chance) right++;
        plan_note(&c, n + 1, time, n == 0);
        tokens += 1 + right, seconds += time;
    }
    return tokens / seconds * 0.005 * (1 + 2 / 30.0);
}

static void planner(void **state)
{
    (void)state;
    for (int slope = 0; slope < 5; slope++)
        for (int chance = 0; chance < 6; chance++) {
            static const double slopes[] = {0.02, 0.07, 0.2, 0.5, 1}, rates[] = {0.01, 0.2, 0.5, 0.7, 0.9, 0.97};
            double best = 1, sum = 1, pace = simulate(slopes[slope], 0.1, rates[chance], 10, 3000);
            for (int n = 1; n <= 10; n++) {
                sum += pow(rates[chance], n);
                best = fmax(best, sum / (1 + slopes[slope] * n + 0.1));
            }
            assert_true(pace > 0.96 && pace > 0.9 * best && pace < 1.1 * best);
        }
    plan_costs c = {.plain = 0};
    for (int i = 0; i < 100; i++) plan_note(&c, 1, 1, true), plan_note(&c, 9, 1.8, false);
    assert_near(plan_cost(&c, 1), 1, 0.02, 0);
    assert_near(plan_cost(&c, 9), 1.8, 0.02, 0);
    assert_true(plan_cost(&c, 4) > 1.1 && plan_cost(&c, 4) < 1.6 && plan_cost(&c, 32) > 2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(modes), cmocka_unit_test(prompts_first), cmocka_unit_test(filters), cmocka_unit_test(chances),
                                       cmocka_unit_test(files), cmocka_unit_test(bad_files),     cmocka_unit_test(planner)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
