/* Greedy and sieve-streaming: lazy is plain, bounds against the best of all subsets, stopping, the heap below. */
#include "support.h"

#include "core/heap.h"
#include "nigh/random.h"
#include "nigh/submodular.h"

#include <math.h>
#include <string.h>

enum { ITEMS = 60, ELEMENTS = 90 };

static void make_sets(uint64_t seed, int64_t *start, int64_t *element, double *weight)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    start[0] = 0;
    for (int i = 0; i < ITEMS; i++) {
        double share = 0.01 + 0.15 * nigh_rng_f64(&rng) * nigh_rng_f64(&rng);
        start[i + 1] = start[i];
        for (int u = 0; u < ELEMENTS; u++)
            if (nigh_rng_f64(&rng) < share) element[start[i + 1]++] = u;
    }
    for (int u = 0; u < ELEMENTS; u++) weight[u] = (double)(1 + nigh_rng_below(&rng, 4));
}

static nigh_submodular *coverage_of(nigh_context *ctx, uint64_t seed)
{
    static int64_t start[ITEMS + 1], element[ITEMS * ELEMENTS];
    static double weight[ELEMENTS];
    nigh_submodular *f;
    make_sets(seed, start, element, weight);
    const nigh_coverage spec = {.items = ITEMS, .elements = ELEMENTS, .start = start, .element = element, .weight = weight};
    assert_ok(ctx, nigh_submodular_coverage(ctx, &spec, &f));
    return f;
}

/* The best of all sets of four. */
static double best_of_four(nigh_context *ctx, nigh_submodular *f)
{
    double best = 0, gain[ITEMS];
    int64_t rest[ITEMS];
    nigh_chain *chain;
    assert_ok(ctx, nigh_chain_new(f, &chain));
    for (int64_t a = 0; a < ITEMS; a++) {
        assert_ok(ctx, nigh_chain_add(chain, a, NULL));
        for (int64_t b = a + 1; b < ITEMS; b++) {
            assert_ok(ctx, nigh_chain_add(chain, b, NULL));
            for (int64_t c = b + 1; c < ITEMS - 1; c++) {
                assert_ok(ctx, nigh_chain_add(chain, c, NULL));
                int64_t count = 0;
                for (int64_t d = c + 1; d < ITEMS; d++) rest[count++] = d;
                assert_ok(ctx, nigh_chain_gains(chain, 3, count, rest, gain));
                for (int64_t d = 0; d < count; d++) best = fmax(best, nigh_chain_value(chain, 3) + gain[d]);
                nigh_chain_cut(chain, 2);
            }
            nigh_chain_cut(chain, 1);
        }
        nigh_chain_cut(chain, 0);
    }
    nigh_chain_free(chain);
    return best;
}

static void lazy_is_plain(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (uint64_t seed = 0; seed < 10; seed++) {
        nigh_submodular *f = coverage_of(ctx, seed);
        nigh_chosen plain, lazy, batched;
        nigh_greedy_options o = {.kind = NIGH_GREEDY_PLAIN, .k = 12};
        assert_ok(ctx, nigh_greedy(ctx, f, &o, &plain));
        o.kind = NIGH_GREEDY_LAZY;
        assert_ok(ctx, nigh_greedy(ctx, f, &o, &lazy));
        o.batch = 7;
        assert_ok(ctx, nigh_greedy(ctx, f, &o, &batched));
        assert_int_equal(lazy.count, plain.count);
        assert_int_equal(batched.count, plain.count);
        assert_memory_equal(lazy.item, plain.item, (size_t)plain.count * sizeof *plain.item);
        assert_memory_equal(batched.item, plain.item, (size_t)plain.count * sizeof *plain.item);
        assert_memory_equal(lazy.gain, plain.gain, (size_t)plain.count * sizeof *plain.gain);
        assert_true(lazy.value == plain.value && lazy.calls < plain.calls / 3);
        for (int64_t i = 1; i < plain.count; i++) assert_true(plain.gain[i] <= plain.gain[i - 1]);
        nigh_chosen_free(ctx, &plain);
        nigh_chosen_free(ctx, &lazy);
        nigh_chosen_free(ctx, &batched);
        nigh_submodular_free(f);
    }
    test_context_free(ctx);
}

static void bounds_hold_against_the_best(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    double stochastic = 0;
    for (uint64_t seed = 0; seed < 4; seed++) {
        nigh_submodular *f = coverage_of(ctx, 100 + seed);
        double best = best_of_four(ctx, f);
        nigh_chosen c;
        nigh_greedy_options o = {.k = 4};
        assert_ok(ctx, nigh_greedy(ctx, f, &o, &c));
        assert_true(c.value <= best && c.value >= (1 - exp(-1)) * best);
        nigh_chosen_free(ctx, &c);
        o.kind = NIGH_GREEDY_STOCHASTIC, o.seed = seed, o.epsilon = 0.2;
        assert_ok(ctx, nigh_greedy(ctx, f, &o, &c));
        assert_true(c.value <= best && c.calls <= 4 * (25 + 1));
        stochastic += c.value / best / 4;
        nigh_chosen_free(ctx, &c);
        nigh_sieve *sieve;
        assert_ok(ctx, nigh_sieve_new(ctx, f, 4, 0.1, &sieve));
        for (int64_t i = 0; i < ITEMS; i++) assert_ok(ctx, nigh_sieve_insert(sieve, (i * 37 + 11) % ITEMS));
        assert_fails(ctx, nigh_sieve_insert(sieve, 3), NIGH_INVALID, "item 3 was inserted before");
        assert_ok(ctx, nigh_sieve_answer(sieve, NULL, &c));
        assert_true(c.count <= 4 && c.value <= best && c.value >= (0.5 - 0.1) * best);
        uint8_t keep[ITEMS];
        memset(keep, 1, sizeof keep);
        keep[c.item[0]] = 0;
        int64_t gone = c.item[0];
        nigh_chosen_free(ctx, &c);
        assert_ok(ctx, nigh_sieve_answer(sieve, keep, &c));
        for (int64_t i = 0; i < c.count; i++) assert_true(c.item[i] != gone);
        nigh_chosen_free(ctx, &c);
        nigh_sieve_free(sieve);
        nigh_submodular_free(f);
    }
    assert_true(stochastic >= 1 - exp(-1) - 0.2);
    test_context_free(ctx);
}

static void it_stops_where_it_should(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_submodular *f = coverage_of(ctx, 1);
    nigh_chosen all, part;
    nigh_greedy_options o = {.k = 1000};
    assert_ok(ctx, nigh_greedy(ctx, f, &o, &all)); /* every gain is positive, and then there is none */
    assert_true(all.count < ITEMS && all.gain[all.count - 1] > 0);
    o.target = 0.5 * all.value;
    assert_ok(ctx, nigh_greedy(ctx, f, &o, &part));
    assert_true(part.value >= o.target && part.value - part.gain[part.count - 1] < o.target);
    nigh_chosen_free(ctx, &part);
    o.target = 0, o.least = all.gain[3];
    assert_ok(ctx, nigh_greedy(ctx, f, &o, &part));
    assert_true(part.count <= 3 && part.gain[part.count - 1] > o.least);
    nigh_chosen_free(ctx, &part);
    const int64_t among[] = {7, 3, 50};
    o = (nigh_greedy_options){.k = 5, .among = among, .count = 3, .least = -1};
    assert_ok(ctx, nigh_greedy(ctx, f, &o, &part));
    assert_int_equal(part.count, 3);
    for (int i = 0; i < 3; i++) assert_true(part.item[i] == 7 || part.item[i] == 3 || part.item[i] == 50);
    nigh_chosen_free(ctx, &part);
    o.count = 0;
    assert_ok(ctx, nigh_greedy(ctx, f, &o, &part));
    assert_true(part.count == 0 && part.value == 0);
    nigh_chosen_free(ctx, &part);
    nigh_chosen_free(ctx, &all);
    nigh_submodular_free(f);
    test_context_free(ctx);
}

static void bad_options_are_named(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_submodular *f = coverage_of(ctx, 1);
    nigh_chosen c;
    nigh_sieve *sieve;
    nigh_greedy_options o = {.k = 0};
    assert_fails(ctx, nigh_greedy(ctx, f, &o, &c), NIGH_INVALID, "k is 0");
    o.k = 2, o.epsilon = 1;
    assert_fails(ctx, nigh_greedy(ctx, f, &o, &c), NIGH_INVALID, "epsilon is 1");
    const int64_t among[] = {ITEMS};
    o = (nigh_greedy_options){.k = 1, .among = among, .count = 1};
    assert_fails(ctx, nigh_greedy(ctx, f, &o, &c), NIGH_INVALID, "among[0] is 60; items 0 to 59");
    assert_fails(ctx, nigh_sieve_new(ctx, f, 0, 0.1, &sieve), NIGH_INVALID, "k is 0");
    assert_fails(ctx, nigh_sieve_new(ctx, f, 1, 0, &sieve), NIGH_INVALID, "epsilon is 0");
    assert_ok(ctx, nigh_sieve_new(ctx, f, 1, 0.1, &sieve));
    assert_fails(ctx, nigh_sieve_insert(sieve, -1), NIGH_INVALID, "item -1; 0 to 59");
    nigh_sieve_free(sieve);
    nigh_submodular_free(f);
    test_context_free(ctx);
}

static void heap_gives_back_in_order(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(3, 0);
    heap h = {.ctx = ctx};
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 30; i++) assert_ok(ctx, heap_push(&h, (double)nigh_rng_below(&rng, 10), (int64_t)nigh_rng_below(&rng, 1000)));
        if (round % 5 == 0) heap_make(&h);
        heap_rekey(&h, (double)nigh_rng_below(&rng, 10));
        heap_entry last = {INFINITY, -1};
        for (int i = 0; i < 28; i++) {
            heap_entry e = heap_pop(&h);
            assert_true(e.key < last.key || (e.key == last.key && e.id >= last.id));
            last = e;
        }
    }
    assert_int_equal(h.count, 100);
    heap_free(&h);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lazy_is_plain),
        cmocka_unit_test(bounds_hold_against_the_best),
        cmocka_unit_test(it_stops_where_it_should),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(heap_gives_back_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
