/*
 * Selections under insertions and deletions: the guarantee against the best of all subsets after every update, what must hold inside, calls counted by
 * an oracle of the test's own, saving and restoring to the same bits, hostile bytes, bad input.
 */
#include "support.h"

#include "nigh/random.h"
#include "nigh/submodular.h"

#include <math.h>
#include <string.h>

enum { ITEMS = 60, K = 4 };

/* Coverage of 64 elements by bits, apart from the library's. */
typedef struct oracle {
    nigh_context *ctx;
    uint64_t set[ITEMS];
    int64_t calls, fail_at; /* 0: never */
} oracle;

typedef struct oracle_chain {
    int64_t length;
    uint64_t covered[ITEMS + 1]; /* by each prefix */
    nigh_context *ctx;
} oracle_chain;

static int bits(uint64_t x)
{
    int count = 0;
    for (; x; x &= x - 1) count++;
    return count;
}

static nigh_status oracle_open(void *user, nigh_context *ctx, void **chain)
{
    (void)user;
    oracle_chain *c = nigh_alloc_zero(ctx, 1, sizeof *c);
    if (!c) return NIGH_MEMORY;
    c->ctx = ctx;
    *chain = c;
    return NIGH_OK;
}

static void oracle_close(void *user, void *chain)
{
    (void)user;
    nigh_free(((oracle_chain *)chain)->ctx, chain);
}

static nigh_status oracle_gains(void *user, void *chain, int64_t length, int64_t count, const int64_t *item, double *gain)
{
    oracle *o = user;
    oracle_chain *c = chain;
    if (length > c->length) fail_msg("gains over a prefix that is not there");
    o->calls += count;
    if (o->fail_at && o->calls >= o->fail_at) return nigh_fail(o->ctx, NIGH_FAILED, "the oracle has had enough");
    for (int64_t i = 0; i < count; i++) gain[i] = bits(o->set[item[i]] & ~c->covered[length]);
    return NIGH_OK;
}

static nigh_status oracle_add(void *user, void *chain, int64_t item, double *gain)
{
    oracle *o = user;
    oracle_chain *c = chain;
    o->calls++;
    *gain = bits(o->set[item] & ~c->covered[c->length]);
    c->covered[c->length + 1] = c->covered[c->length] | o->set[item];
    c->length++;
    return NIGH_OK;
}

static void oracle_cut(void *user, void *chain, int64_t length)
{
    (void)user;
    ((oracle_chain *)chain)->length = length;
}

static nigh_submodular *make_oracle(nigh_context *ctx, uint64_t seed, oracle *o)
{
    nigh_submodular *f;
    nigh_rng rng = nigh_rng_new(seed, 9);
    *o = (oracle){.ctx = ctx};
    for (int i = 0; i < ITEMS; i++) {
        double share = 0.02 + 0.3 * pow(nigh_rng_f64(&rng), 3);
        for (int u = 0; u < 64; u++) o->set[i] |= (uint64_t)(nigh_rng_f64(&rng) < share) << u;
    }
    const nigh_submodular_calls calls = {.items = ITEMS, .open = oracle_open, .close = oracle_close, .gains = oracle_gains, .add = oracle_add, .cut = oracle_cut, .user = o};
    assert_ok(ctx, nigh_submodular_new(ctx, &calls, &f));
    return f;
}

static int best_of_four(const oracle *o, const nigh_selection *s)
{
    uint64_t set[ITEMS];
    int count = (int)nigh_selection_size(s), best = 0;
    for (int i = 0; i < count; i++) set[i] = o->set[nigh_selection_items(s)[i]];
    for (int a = 0; a < count; a++)
        for (int b = a; b < count; b++)
            for (int c = b; c < count; c++)
                for (int d = c; d < count; d++) {
                    int value = bits(set[a] | set[b] | set[c] | set[d]);
                    if (value > best) best = value;
                }
    return best;
}

static void check_answer(const oracle *o, const nigh_selection *s, const nigh_selection_answer *a, int best)
{
    uint64_t covered = 0;
    assert_true(a->chosen.count <= K);
    for (int64_t i = 0; i < a->chosen.count; i++) {
        assert_true(nigh_selection_has(s, a->chosen.item[i]));
        assert_true(a->chosen.gain[i] == bits(o->set[a->chosen.item[i]] & ~covered));
        covered |= o->set[a->chosen.item[i]];
        for (int64_t j = 0; j < i; j++) assert_true(a->chosen.item[i] != a->chosen.item[j]);
    }
    assert_true(a->chosen.value == bits(covered) && a->chosen.value <= best);
    assert_true(a->bound >= best);
}

/* Samples have the gains they were taken with; of a working copy that is not full nothing that is there gains the threshold. */
static void check_copies(const oracle *o, const nigh_selection *s, int *fresh)
{
    nigh_selection_totals totals = nigh_selection_counts(s);
    for (int64_t i = 0; i < totals.copies; i++) {
        nigh_selection_copy c = nigh_selection_copy_at(s, i);
        uint64_t covered = 0;
        assert_true(c.count <= K && c.levels <= c.count && fabs(c.threshold * 2 * K / c.guess - 1) < 1e-12);
        for (int64_t j = 0; j < c.count; j++) {
            assert_true(c.gain[j] == bits(o->set[c.item[j]] & ~covered));
            covered |= o->set[c.item[j]];
        }
        if (!c.working || c.count == K) continue;
        *fresh += c.fresh;
        for (int64_t j = 0; j < nigh_selection_size(s); j++) assert_true(bits(o->set[nigh_selection_items(s)[j]] & ~covered) < c.threshold);
    }
}

/* Inserts or deletes a random item; large sets of items are more often deleted from. */
static void random_update(nigh_context *ctx, nigh_rng *rng, nigh_selection *s)
{
    int64_t item = (int64_t)nigh_rng_below(rng, ITEMS);
    assert_ok(ctx, nigh_selection_has(s, item) ? nigh_selection_delete(s, item) : nigh_selection_insert(s, item));
}

static void guarantee_holds_after_every_update(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int every = 0; every < 2; every++) {
        enum { UPDATES = 250 };
        oracle o;
        nigh_submodular *f = make_oracle(ctx, 1 + (uint64_t)every, &o);
        const nigh_selection_options options = {.k = K, .epsilon = 0.1, .seed = 5, .every_guess = every};
        nigh_selection *s;
        nigh_rng rng = nigh_rng_new(17, 0);
        int good = 0, good_polished = 0, fresh = 0;
        assert_ok(ctx, nigh_selection_new(ctx, f, &options, &s));
        for (int u = 0; u < UPDATES; u++) {
            nigh_selection_answer a;
            random_update(ctx, &rng, s);
            int best = best_of_four(&o, s);
            assert_ok(ctx, nigh_selection_answer_now(s, false, &a));
            check_answer(&o, s, &a, best);
            double plain = a.chosen.value;
            good += plain >= (0.5 - 0.1) * best;
            nigh_chosen_free(ctx, &a.chosen);
            assert_ok(ctx, nigh_selection_answer_now(s, true, &a));
            check_answer(&o, s, &a, best);
            assert_true(a.chosen.value >= plain);
            good_polished += a.chosen.value >= 0.7 * best;
            nigh_chosen_free(ctx, &a.chosen);
            check_copies(&o, s, &fresh);
            assert_int_equal(nigh_selection_counts(s).calls, o.calls);
        }
        assert_true(good >= 0.99 * UPDATES && good_polished >= 0.99 * UPDATES && fresh > 0);
        assert_int_equal(nigh_selection_counts(s).updates, UPDATES);
        nigh_selection_free(s);
        nigh_submodular_free(f);
    }
    test_context_free(ctx);
}

static void it_empties_and_fills_again(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    oracle o;
    nigh_submodular *f = make_oracle(ctx, 3, &o);
    const nigh_selection_options options = {.k = K};
    nigh_selection *s;
    nigh_selection_answer a;
    assert_ok(ctx, nigh_selection_new(ctx, f, &options, &s));
    assert_ok(ctx, nigh_selection_answer_now(s, true, &a));
    assert_true(a.chosen.count == 0 && a.chosen.value == 0 && a.bound == 0);
    nigh_chosen_free(ctx, &a.chosen);
    for (int round = 0; round < 3; round++) {
        for (int64_t i = 0; i < ITEMS; i++) assert_ok(ctx, nigh_selection_insert(s, (i * 7 + round) % ITEMS));
        for (int64_t i = 0; i < ITEMS; i++) {
            assert_ok(ctx, nigh_selection_delete(s, (i * 11 + 3) % ITEMS));
            assert_ok(ctx, nigh_selection_answer_now(s, false, &a));
            assert_true((a.chosen.value > 0) == (best_of_four(&o, s) > 0));
            nigh_chosen_free(ctx, &a.chosen);
        }
        assert_int_equal(nigh_selection_size(s), 0);
    }
    nigh_selection_free(s);
    nigh_submodular_free(f);
    test_context_free(ctx);
}

/* Other functions than whole-numbered coverage, with larger k. */
static void it_follows_a_log_determinant(void **state)
{
    (void)state;
    enum { N = 150 };
    nigh_context *ctx = test_context_new();
    double points[N * 2];
    nigh_rng rng = nigh_rng_new(2, 0);
    for (int i = 0; i < 2 * N; i++) points[i] = nigh_rng_normal(&rng);
    const nigh_logdet spec = {.items = N, .d = 2, .points = points, .width = 1, .noise = 0.1};
    const nigh_selection_options options = {.k = 15, .epsilon = 0.2};
    nigh_submodular *f;
    nigh_selection *s;
    assert_ok(ctx, nigh_submodular_logdet(ctx, &spec, &f));
    assert_ok(ctx, nigh_selection_new(ctx, f, &options, &s));
    for (int u = 0; u < 600; u++) {
        nigh_selection_answer a;
        nigh_chosen greedy;
        int64_t item = (int64_t)nigh_rng_below(&rng, N);
        assert_ok(ctx, nigh_selection_has(s, item) ? nigh_selection_delete(s, item) : nigh_selection_insert(s, item));
        if (u % 20) continue;
        const nigh_greedy_options g = {.k = 15, .among = nigh_selection_items(s), .count = nigh_selection_size(s)};
        assert_ok(ctx, nigh_greedy(ctx, f, &g, &greedy));
        assert_ok(ctx, nigh_selection_answer_now(s, false, &a));
        assert_true(a.bound >= greedy.value * (1 - 1e-12) && a.chosen.value >= 0.4 * greedy.value);
        nigh_chosen_free(ctx, &a.chosen);
        assert_ok(ctx, nigh_selection_answer_now(s, true, &a));
        assert_true(a.chosen.value >= 0.85 * greedy.value);
        nigh_chosen_free(ctx, &a.chosen);
        nigh_chosen_free(ctx, &greedy);
    }
    nigh_selection_free(s);
    nigh_submodular_free(f);
    test_context_free(ctx);
}

/* ---- saving ----------------------------------------------------------------------------------------------------- */

static nigh_selection *run_for(nigh_context *ctx, nigh_submodular *f, int updates)
{
    const nigh_selection_options options = {.k = K, .epsilon = 0.15, .seed = 11};
    nigh_selection *s;
    nigh_rng rng = nigh_rng_new(23, 0);
    assert_ok(ctx, nigh_selection_new(ctx, f, &options, &s));
    for (int u = 0; u < updates; u++) random_update(ctx, &rng, s);
    return s;
}

static void restored_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    oracle o;
    nigh_submodular *f = make_oracle(ctx, 4, &o);
    for (int updates = 0; updates < 200; updates += 37) {
        nigh_selection *s = run_for(ctx, f, updates), *t = NULL;
        nigh_buffer saved = {.ctx = ctx}, a = {.ctx = ctx}, b = {.ctx = ctx};
        assert_ok(ctx, nigh_selection_save(s, &saved));
        assert_ok(ctx, nigh_selection_restore(ctx, f, saved.data, saved.size, &t));
        nigh_rng one = nigh_rng_new(31, 0), two = nigh_rng_new(31, 0);
        for (int u = 0; u < 150; u++) random_update(ctx, &one, s), random_update(ctx, &two, t);
        assert_ok(ctx, nigh_selection_save(s, &a));
        assert_ok(ctx, nigh_selection_save(t, &b));
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        nigh_buffer_free(&saved);
        nigh_buffer_free(&a);
        nigh_buffer_free(&b);
        nigh_selection_free(s);
        nigh_selection_free(t);
    }
    nigh_submodular_free(f);
    test_context_free(ctx);
}

static void rehash(nigh_buffer *bytes)
{
    nigh_sha256 hash;
    char hex[65];
    nigh_sha256_init(&hash);
    nigh_sha256_add(&hash, bytes->data, bytes->size - 32);
    nigh_sha256_hex(&hash, hex);
    memcpy(bytes->data + bytes->size - 32, hex, 32);
}

static void damaged_bytes_are_refused(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    oracle o;
    nigh_submodular *f = make_oracle(ctx, 4, &o);
    nigh_selection *s = run_for(ctx, f, 120), *t;
    nigh_buffer saved = {.ctx = ctx};
    nigh_rng rng = nigh_rng_new(41, 0);
    assert_ok(ctx, nigh_selection_save(s, &saved));
    assert_fails(ctx, nigh_selection_restore(ctx, f, saved.data, 20, &t), NIGH_FORMAT, "no saved selection");
    saved.data[100] ^= 1;
    assert_fails(ctx, nigh_selection_restore(ctx, f, saved.data, saved.size, &t), NIGH_FORMAT, "hash");
    saved.data[100] ^= 1;
    int refused = 0;
    for (int i = 0; i < 2000; i++) { /* hostile: the hash is right */
        size_t at = 8 * (size_t)(1 + nigh_rng_below(&rng, saved.size / 8 - 5));
        int64_t was, word;
        memcpy(&was, saved.data + at, 8);
        word = i % 3 == 0 ? (int64_t)nigh_rng_u64(&rng) : i % 3 == 1 ? was + 1 : (int64_t)nigh_rng_below(&rng, 100) - 20;
        memcpy(saved.data + at, &word, 8);
        rehash(&saved);
        t = NULL;
        nigh_status status = nigh_selection_restore(ctx, f, saved.data, saved.size, &t);
        refused += status != NIGH_OK;
        for (int u = 0; u < 20 && t; u++) {
            int64_t item = (int64_t)nigh_rng_below(&rng, ITEMS);
            if (nigh_selection_has(t, item) ? nigh_selection_delete(t, item) : nigh_selection_insert(t, item)) break;
        }
        nigh_selection_free(t);
        memcpy(saved.data + at, &was, 8);
    }
    assert_true(refused > 800);
    rehash(&saved);
    o.set[nigh_selection_items(s)[0]] ^= 0xff00ff;
    for (int i = 0; i < ITEMS; i++) o.set[i] ^= 1; /* another function */
    assert_fails(ctx, nigh_selection_restore(ctx, f, saved.data, saved.size, &t), NIGH_INVALID, "another function");
    nigh_buffer_free(&saved);
    nigh_selection_free(s);
    nigh_submodular_free(f);
    test_context_free(ctx);
}

/* ---- bad input -------------------------------------------------------------------------------------------------- */

static nigh_status negative(void *user, int64_t count, const int64_t *item, double *value)
{
    (void)user, (void)item;
    *value = -(double)count;
    return NIGH_OK;
}

static void bad_input_is_named(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    oracle o;
    nigh_submodular *f = make_oracle(ctx, 4, &o), *g;
    nigh_selection *s;
    nigh_selection_options options = {.k = 0};
    assert_fails(ctx, nigh_selection_new(ctx, f, &options, &s), NIGH_INVALID, "k is 0");
    options.k = 3, options.epsilon = 0.6;
    assert_fails(ctx, nigh_selection_new(ctx, f, &options, &s), NIGH_INVALID, "epsilon is 0.6");
    options.epsilon = 0, options.trials = 1;
    assert_fails(ctx, nigh_selection_new(ctx, f, &options, &s), NIGH_INVALID, "trials is 1");
    options.trials = 0;
    assert_ok(ctx, nigh_selection_new(ctx, f, &options, &s));
    assert_true(nigh_selection_settings(s)->epsilon == 0.2 && nigh_selection_settings(s)->trials == 30);
    assert_ok(ctx, nigh_selection_insert(s, 5));
    assert_fails(ctx, nigh_selection_insert(s, 5), NIGH_INVALID, "item 5 is inserted but it is there already");
    assert_fails(ctx, nigh_selection_delete(s, 6), NIGH_INVALID, "item 6 is deleted but it is not there");
    assert_fails(ctx, nigh_selection_insert(s, ITEMS), NIGH_INVALID, "item 60; 0 to 59");
    assert_int_equal(nigh_selection_size(s), 1);
    nigh_selection_answer a;
    nigh_buffer saved = {.ctx = ctx};
    o.fail_at = o.calls + 2;
    for (int64_t i = 10; i < 30 && nigh_selection_insert(s, i) == NIGH_OK; i++) {}
    o.fail_at = 0;
    assert_fails(ctx, nigh_selection_answer_now(s, false, &a), NIGH_FAILED, "half done");
    assert_fails(ctx, nigh_selection_save(s, &saved), NIGH_FAILED, "half done");
    nigh_selection_free(s);
    assert_ok(ctx, nigh_submodular_values(ctx, 4, negative, NULL, &g));
    assert_ok(ctx, nigh_selection_new(ctx, g, &options, &s));
    assert_fails(ctx, nigh_selection_insert(s, 2), NIGH_INVALID, "f of item 2 alone is -1");
    nigh_selection_free(s);
    nigh_submodular_free(g);
    nigh_submodular_free(f);
    test_context_free(ctx);
}

static nigh_status exercise(nigh_context *ctx, oracle *o)
{
    nigh_submodular *f = NULL;
    nigh_selection *s = NULL, *t = NULL;
    nigh_selection_answer a = {0};
    nigh_buffer saved = {.ctx = ctx};
    const nigh_selection_options options = {.k = K};
    const nigh_submodular_calls calls = {.items = ITEMS, .open = oracle_open, .close = oracle_close, .gains = oracle_gains, .add = oracle_add, .cut = oracle_cut, .user = o};
    nigh_status status = nigh_submodular_new(ctx, &calls, &f);
    if (!status) status = nigh_selection_new(ctx, f, &options, &s);
    for (int64_t i = 0; i < 20 && !status; i++) status = nigh_selection_insert(s, i);
    for (int64_t i = 0; i < 10 && !status; i++) status = nigh_selection_delete(s, i);
    if (!status) status = nigh_selection_answer_now(s, true, &a);
    nigh_chosen_free(ctx, &a.chosen);
    if (!status) status = nigh_selection_save(s, &saved);
    if (!status) status = nigh_selection_restore(ctx, f, saved.data, saved.size, &t);
    nigh_buffer_free(&saved);
    nigh_selection_free(t);
    nigh_selection_free(s);
    nigh_submodular_free(f);
    return status;
}

static void memory_failures_are_clean(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    oracle o;
    nigh_submodular_free(make_oracle(ctx, 4, &o));
    nigh_status status = NIGH_MEMORY;
    for (long at = 1; status == NIGH_MEMORY && at < 3000; at++) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *failing = test_context_failing(&allocator);
        if (failing) {
            status = exercise(failing, &o);
            assert_true(status == NIGH_OK || status == NIGH_MEMORY);
            nigh_context_free(failing);
        }
        assert_int_equal(allocator.live, 0);
    }
    assert_int_equal(status, NIGH_OK);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guarantee_holds_after_every_update), cmocka_unit_test(it_empties_and_fills_again),
        cmocka_unit_test(it_follows_a_log_determinant),       cmocka_unit_test(restored_goes_on_to_the_same_bits),
        cmocka_unit_test(damaged_bytes_are_refused),          cmocka_unit_test(bad_input_is_named),
        cmocka_unit_test(memory_failures_are_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
