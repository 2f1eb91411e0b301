/* core/trie.h against counting by hand: windows, one by one, taking back, pruning, bounds, memory. */
#include "support.h"
#include "core/trie.h"
#include "nigh/random.h"

#include <string.h>

enum { TEXT = 600, DEPTH = 5 };

static void text_of(int32_t *text, int64_t count, int symbols, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t i = 0; i < count; i++) text[i] = (int32_t)nigh_rng_below(&rng, nigh_rng_below(&rng, 4) ? 3 : (uint64_t)symbols);
}

static int occurrences(const int32_t *text, int64_t count, const int32_t *word, int64_t size)
{
    int found = 0;
    for (int64_t i = 0; i + size <= count; i++) found += memcmp(text + i, word, (size_t)size * sizeof *word) == 0;
    return found;
}

/* Every list of siblings is whole, and every node is found by its token. */
static int64_t walk(const trie *t, uint32_t parent, int depth)
{
    int64_t nodes = 0;
    uint32_t before = 0;
    assert_true(depth <= t->depth);
    for (uint32_t n = t->node[parent].child; n; before = n, n = t->node[n].next) {
        assert_int_equal(t->node[n].prev, before);
        assert_int_equal(t->node[n].parent, parent);
        assert_int_equal(trie_child(t, parent, t->node[n].token), n);
        nodes += 1 + walk(t, n, depth + 1);
    }
    return nodes;
}

static void check_whole(const trie *t) { assert_int_equal(walk(t, 0, 0), t->count); }

static void counts(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int32_t text[TEXT];
    text_of(text, TEXT, 40, 1);
    trie t = {0}, one = {0};
    trie_cursor cursor = {.count = 0};
    assert_ok(ctx, trie_new(ctx, 100000, DEPTH, &t));
    assert_ok(ctx, trie_new(ctx, 100000, DEPTH, &one));
    assert_ok(ctx, trie_learn(&t, text, TEXT, TRIE_LASTING));
    for (int64_t i = 1; i <= TEXT; i++) assert_ok(ctx, trie_extend(&one, &cursor, text, i, TRIE_LASTING));
    check_whole(&t);
    check_whole(&one);
    assert_int_equal(t.count, one.count);
    for (int64_t i = 0; i < TEXT; i++)
        for (int64_t size = 1; size <= DEPTH && i + size <= TEXT; size++) {
            uint32_t n = trie_find(&t, text + i, size), m = trie_find(&one, text + i, size);
            assert_true(n && m);
            assert_int_equal(t.node[n].count[TRIE_LASTING], occurrences(text, TEXT, text + i, size));
            assert_int_equal(one.node[m].count[TRIE_LASTING], t.node[n].count[TRIE_LASTING]);
        }
    assert_int_equal(trie_find(&t, text, DEPTH + 1), 0);
    uint32_t first = t.node[0].child;
    for (uint32_t n = first; n; n = t.node[n].next) assert_true(trie_worth(&t.node[n]) <= trie_worth(&t.node[first]));
    trie_free(&t);
    trie_free(&one);
    test_context_free(ctx);
}

static void forgets(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int32_t text[TEXT], other[TEXT];
    text_of(text, TEXT, 40, 2);
    text_of(other, TEXT, 60, 3);
    trie t = {0};
    assert_ok(ctx, trie_new(ctx, 100000, DEPTH, &t));
    assert_ok(ctx, trie_learn(&t, text, TEXT, TRIE_LASTING));
    int64_t before = t.count;
    assert_ok(ctx, trie_learn(&t, other, TEXT, TRIE_PASSING));
    assert_ok(ctx, trie_learn(&t, text, 200, TRIE_PASSING));
    uint32_t n = trie_find(&t, text, 1);
    assert_int_equal(t.node[n].count[TRIE_PASSING], occurrences(other, TEXT, text, 1) + occurrences(text, 200, text, 1));
    trie_forget(&t, other, TEXT);
    check_whole(&t);
    assert_int_equal(t.node[trie_find(&t, text, 1)].count[TRIE_PASSING], occurrences(text, 200, text, 1));
    trie_forget(&t, text, 200);
    check_whole(&t);
    assert_int_equal(t.count, before);
    trie_forget(&t, other, TEXT); /* nothing is left to take back */
    assert_int_equal(t.count, before);
    for (uint32_t i = 1; i < t.used; i++) assert_int_equal(t.node[i].count[TRIE_PASSING], 0);
    trie_free(&t);
    test_context_free(ctx);
}

static void bounded(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(4, 0);
    trie t = {0};
    int32_t text[64], often[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_ok(ctx, trie_new(ctx, 5000, 8, &t));
    assert_ok(ctx, trie_learn(&t, often, 8, TRIE_PASSING));
    for (int i = 0; i < 2000; i++) {
        for (int k = 0; k < 64; k++) text[k] = (int32_t)nigh_rng_below(&rng, 50000);
        assert_ok(ctx, trie_learn(&t, text, 64, TRIE_LASTING));
        assert_ok(ctx, trie_learn(&t, often, 8, TRIE_LASTING));
        assert_true(t.count <= 5000);
        if (i % 100 == 0) check_whole(&t);
    }
    assert_true(t.prunes > 10 && trie_bytes(&t) <= 32 * 5001);
    uint32_t n = trie_find(&t, often, 8);
    assert_true(n && t.node[n].count[TRIE_LASTING] > 1 && t.node[n].count[TRIE_PASSING] == 1);
    for (int i = 0; i < 2000; i++) { /* what passes by may fill it too */
        for (int k = 0; k < 64; k++) text[k] = (int32_t)nigh_rng_below(&rng, 50000);
        assert_ok(ctx, trie_learn(&t, text, 64, TRIE_PASSING));
        if (i % 3 == 0) trie_forget(&t, text, 64);
        assert_true(t.count <= 5000);
    }
    check_whole(&t);
    for (int i = 0; i < 40; i++) trie_prune(&t);
    check_whole(&t);
    trie_free(&t);
    test_context_free(ctx);
}

static void large_counts(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    trie t = {0};
    int32_t same[1000] = {0};
    uint32_t n, m;
    assert_ok(ctx, trie_new(ctx, 2000, 3, &t));
    for (int i = 0; i < 80; i++) assert_ok(ctx, trie_learn(&t, same, 1000, TRIE_LASTING));
    assert_int_equal(t.count, 3);
    assert_int_equal(t.node[trie_find(&t, same, 2)].count[TRIE_LASTING], 65535);
    assert_ok(ctx, trie_add(&t, 0, 9, 5, &n));
    assert_ok(ctx, trie_add(&t, n, 10, 7, &m)); /* no more than its parent */
    assert_int_equal(t.node[m].count[TRIE_LASTING], 5);
    trie_free(&t);
    test_context_free(ctx);
}

static void bad_input(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    trie t = {0};
    assert_fails(ctx, trie_new(ctx, 10, 5, &t), NIGH_INVALID, "10 nodes");
    assert_fails(ctx, trie_new(ctx, 5000, 65, &t), NIGH_INVALID, "depth of 65");
    trie_free(&t);
    test_context_free(ctx);
}

static void memory(void **state)
{
    (void)state;
    int32_t text[3000];
    text_of(text, 3000, 50000, 5);
    for (long fail = 1; fail < 8; fail++) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *ctx = test_context_failing(&allocator);
        trie t = {0};
        if (!ctx) continue;
        if (trie_new(ctx, 1 << 20, 8, &t) == NIGH_OK) {
            nigh_status status = trie_learn(&t, text, 3000, TRIE_LASTING);
            assert_true(status == NIGH_MEMORY || status == NIGH_OK);
            check_whole(&t);
            trie_free(&t);
        }
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts),       cmocka_unit_test(forgets),   cmocka_unit_test(bounded),
                                       cmocka_unit_test(large_counts), cmocka_unit_test(bad_input), cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
