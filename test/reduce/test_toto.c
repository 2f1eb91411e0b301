/* Pools: chances from odds, the recipe, the exact engine, sets of rows, what they pay. */
#include "nigh/toto.h"
#include "nigh/special.h"
#include "reduce/toto.h"
#include "support.h"

#include <math.h>
#include <string.h>

static int setup(void **state) { return *state = test_context_new(), 0; }
static int teardown(void **state) { return test_context_free(*state), 0; }

static void random_pool(nigh_context *ctx, int matches, uint64_t seed, nigh_toto_pool *pool)
{
    nigh_rng rng = nigh_rng_new(seed, 0);
    pool->matches = matches;
    for (int i = 0; i < matches; i++) assert_ok(ctx, nigh_rng_dirichlet(ctx, &rng, 3, (const double[3]){2, 1, 1.5}, pool->p[i]));
}

static int wrong(int matches, int32_t a, int32_t b)
{
    int count = 0;
    for (int i = 0; i < matches; i++, a /= 3, b /= 3) count += a % 3 != b % 3;
    return count;
}

static void chances_of_odds(void **state)
{
    nigh_context *ctx = *state;
    double p[3], q[3];
    const double odds[3] = {1.41, 4.4, 7.97};
    assert_ok(ctx, nigh_toto_chances(ctx, NIGH_TOTO_POWER, odds, p));
    assert_ok(ctx, nigh_toto_chances(ctx, NIGH_TOTO_PROPORTIONAL, odds, q));
    assert_true(fabs(p[0] + p[1] + p[2] - 1) < 1e-14 && fabs(q[0] + q[1] + q[2] - 1) < 1e-14);
    assert_true(fabs(q[0] / q[1] - 4.4 / 1.41) < 1e-12);
    assert_true(fabs(log(p[0]) / log(odds[0]) - log(p[2]) / log(odds[2])) < 1e-12); /* one power for all three */
    assert_true(p[0] > q[0] && p[2] < q[2]); /* the outsider gets less */
    assert_int_equal(nigh_toto_chances(ctx, NIGH_TOTO_POWER, (const double[3]){1.4, 0.9, 7}, p), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "0.9 for the draw"));
    assert_int_equal(nigh_toto_chances(ctx, NIGH_TOTO_POWER, (const double[3]){1.4, NAN, 7}, p), NIGH_INVALID);
}

static void recipe(void **state)
{
    (void)state;
    /* beside the hypergeometric law, on both sides of where the sum is replaced */
    static const int64_t cases[][3] = {{6561, 27, 200}, {59049, 339, 500}, {1594323, 339, 3000}, {1594323, 2627, 1999}, {1594323, 2627, 2001}, {1594323, 10000, 5000}, {81, 80, 2}, {81, 40, 41}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double exact = nigh_hypergeometric_tail(cases[i][0], cases[i][1], cases[i][2], 0);
        assert_true(fabs(nigh_toto_hit(cases[i][0], cases[i][1], cases[i][2]) - exact) < 1e-10);
    }
    double below = nigh_toto_hit(1594323, 5000, 2000), above = nigh_toto_hit(1594323, 5000, 2001);
    assert_true(above > below && above - below < 1e-5);
    assert_true(nigh_toto_hit(100, 10, 0) == 0 && nigh_toto_hit(100, 10, 91) == 1);
    for (double s = 0.1; s < 1; s += 0.2) {
        double n = nigh_toto_rows_needed(NIGH_TOTO_EXACT, 59049, 339, s);
        assert_true(nigh_toto_hit(59049, 339, (int64_t)n) >= s && nigh_toto_hit(59049, 339, (int64_t)n - 1) < s);
        assert_true(fabs(nigh_toto_rows_needed(NIGH_TOTO_SYMMETRIC, 59049, 339, s) - n) < 1 + 0.02 * n); /* n is a whole number */
    }
    assert_true(isnan(nigh_toto_rows_needed(NIGH_TOTO_PLAIN, 10, 20, 0.5)) && isnan(nigh_toto_rows_needed(NIGH_TOTO_PLAIN, 10, 2, 1)));
    assert_int_equal(nigh_toto_ball(13, 0, 1), 27);
    assert_int_equal(nigh_toto_ball(13, 0, 2), 339);
    assert_int_equal(nigh_toto_ball(13, 0, 13), 1594323);
    assert_int_equal(nigh_toto_ball(2, 3, 1), 1 + 4 + 3);
}

/* Of a system all rows: exact by the engine; and the mean over random sets of few. */
static void systems(void **state)
{
    nigh_context *ctx = *state;
    nigh_toto_pool pool;
    const int width[6] = {1, 3, 2, 2, 1, 3};
    double hit[14], within[7], mean[7] = {0};
    random_pool(ctx, 6, 5, &pool);
    assert_ok(ctx, nigh_toto_system(ctx, &pool, width, 1000, hit));
    int32_t *row;
    int64_t count;
    nigh_rng rng = nigh_rng_new(1, 1);
    assert_ok(ctx, nigh_toto_random(ctx, &pool, width, 1000, &rng, &row, &count));
    assert_int_equal(count, 36);
    assert_ok(ctx, nigh_toto_chance(ctx, &pool, count, row, 6, within));
    for (int k = 0; k <= 6; k++) assert_true(fabs(hit[k] - within[6 - k]) < 1e-12);
    nigh_free(ctx, row);
    enum { SETS = 3000 };
    for (int s = 0; s < SETS; s++) {
        assert_ok(ctx, nigh_toto_random(ctx, &pool, width, 4, &rng, &row, &count));
        assert_ok(ctx, nigh_toto_chance(ctx, &pool, count, row, 6, within));
        for (int r = 0; r <= 6; r++) mean[r] += within[r] / SETS;
        nigh_free(ctx, row);
    }
    assert_ok(ctx, nigh_toto_system(ctx, &pool, width, 4, hit));
    for (int k = 0; k <= 6; k++) assert_true(fabs(hit[k] - mean[6 - k]) < 0.006);
    assert_int_equal(nigh_toto_system(ctx, &pool, (const int[6]){1, 3, 2, 4, 1, 1}, 4, hit), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "match 4 is tipped with 4"));
}

static void engine(void **state)
{
    nigh_context *ctx = *state;
    nigh_toto_pool pool;
    random_pool(ctx, 7, 3, &pool);
    const int32_t row[5] = {0, 17, 900, 2186, 900};
    double chance[2187], within[8], direct[8] = {0}, level[4 * 2187], sum = 0;
    toto_outcome_chances(&pool, chance);
    for (int o = 0; o < 2187; o++) sum += chance[o];
    assert_true(fabs(sum - 1) < 1e-13);
    assert_ok(ctx, nigh_toto_chance(ctx, &pool, 5, row, 7, within));
    for (int32_t o = 0; o < 2187; o++) {
        int best = 7;
        for (int i = 0; i < 5; i++) best = wrong(7, o, row[i]) < best ? wrong(7, o, row[i]) : best;
        for (int r = best; r <= 7; r++) direct[r] += chance[o];
    }
    for (int r = 0; r <= 7; r++) assert_true(fabs(within[r] - direct[r]) < 1e-13);
    /* sums over shells, all at once and one by one */
    memcpy(level, chance, sizeof chance);
    toto_spread(7, 3, level);
    for (int32_t at = 5; at < 2187; at += 311)
        for (int d = 0; d <= 3; d++) {
            double shell = 0;
            for (int32_t o = 0; o < 2187; o++) shell += wrong(7, o, at) == d ? chance[o] : 0;
            assert_true(fabs(level[d * 2187 + at] - shell) < 1e-14);
        }
    int32_t ball[1000];
    assert_int_equal(toto_ball(7, 1234, 3, ball), nigh_toto_ball(7, 0, 3));
    for (int64_t i = 0; i < nigh_toto_ball(7, 0, 3); i++) assert_true(wrong(7, ball[i], 1234) <= 3);
    assert_int_equal(nigh_toto_chance(ctx, &pool, 1, (const int32_t[]){2187}, 2, within), NIGH_INVALID);
    assert_ok(ctx, nigh_toto_chance(ctx, &pool, 0, NULL, 2, within));
    assert_true(within[2] == 0);
    pool.p[2][1] += 0.1;
    assert_int_equal(nigh_toto_chance(ctx, &pool, 1, row, 2, within), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "match 3: its chances sum to 1.1"));
}

static void sets_of_rows(void **state)
{
    nigh_context *ctx = *state;
    nigh_toto_pool pool;
    random_pool(ctx, 6, 9, &pool);
    int32_t *row;
    int64_t count;
    double chance[729], *after, left[729], within[3];
    toto_outcome_chances(&pool, chance);
    assert_ok(ctx, nigh_toto_likely(ctx, &pool, 20, &row, &count));
    for (int i = 1; i < 20; i++) assert_true(chance[row[i]] <= chance[row[i - 1]]);
    for (int o = 0, above = 0; o < 729; o++) assert_true((above += chance[o] > chance[row[19]]) < 20);
    nigh_free(ctx, row);
    /* greedy against its definition: no row adds more than the one taken */
    assert_ok(ctx, nigh_toto_greedy(ctx, &pool, 1, 0.8, 1000, &row, &count, &after));
    memcpy(left, chance, sizeof chance);
    double sum = 0;
    for (int64_t k = 0; k < count; k++) {
        double best = 0, taken = 0;
        for (int32_t r = 0; r < 729; r++) {
            double gain = 0;
            for (int32_t o = 0; o < 729; o++) gain += wrong(6, o, r) <= 1 ? left[o] : 0;
            best = fmax(best, gain);
            if (r == row[k]) taken = gain;
        }
        assert_true(taken >= best - 1e-12);
        for (int32_t o = 0; o < 729; o++)
            if (wrong(6, o, row[k]) <= 1) sum += left[o], left[o] = 0;
        assert_true(fabs(after[k] - sum) < 1e-12);
    }
    assert_true(after[count - 1] >= 0.8 && (count < 2 || after[count - 2] < 0.8));
    assert_ok(ctx, nigh_toto_chance(ctx, &pool, count, row, 1, within));
    assert_true(fabs(within[1] - after[count - 1]) < 1e-12);
    nigh_free(ctx, row);
    nigh_free(ctx, after);
}

static void codes(void **state)
{
    nigh_context *ctx = *state;
    const int width[NIGH_TOTO_MATCHES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int c = 0; c < NIGH_TOTO_CODES; c++) {
        int length, radius;
        int64_t words, count;
        const char *name;
        int32_t *row;
        double within[14];
        nigh_toto_pool pool;
        nigh_toto_code_is((nigh_toto_code)c, &length, &radius, &words, &name);
        random_pool(ctx, length, (uint64_t)c, &pool);
        assert_ok(ctx, nigh_toto_coded(ctx, &pool, (nigh_toto_code)c, width, &row, &count));
        assert_int_equal(count, words);
        assert_ok(ctx, nigh_toto_chance(ctx, &pool, count, row, radius, within));
        assert_true(fabs(within[radius] - 1) < 1e-9 && within[radius - 1] < 0.9);
        nigh_free(ctx, row);
    }
    nigh_toto_pool pool;
    int32_t *row;
    int64_t count;
    random_pool(ctx, 6, 1, &pool);
    assert_int_equal(nigh_toto_coded(ctx, &pool, NIGH_TOTO_GOLAY, width, &row, &count), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "longer than a pool of 6"));
}

/* Return of one row by a sum over outcomes and over the crowd's number right, done the long way. */
static void money(void **state)
{
    nigh_context *ctx = *state;
    nigh_toto_pool pool, crowd;
    random_pool(ctx, 5, 3, &pool), random_pool(ctx, 5, 4, &crowd);
    const int32_t row[2] = {100, 7};
    const nigh_toto_rules rules = {.price = 2, .turnover = 50, .share = {0.2, 0.15, 0.1, 0.05}};
    nigh_toto_money m;
    nigh_rng rng = nigh_rng_new(1, 1);
    assert_ok(ctx, nigh_toto_pay(ctx, &pool, &crowd, &rules, 2, row, &rng, &m));
    double chance[243], expected = 0, nothing = 0, loss = 0;
    toto_outcome_chances(&pool, chance);
    for (int32_t o = 0; o < 243; o++) {
        double net = -4, others[6];
        double p[5];
        for (int i = 0; i < 5; i++) p[i] = crowd.p[i][o / toto_power[i] % 3];
        assert_ok(ctx, nigh_poisson_binomial(ctx, 5, p, others));
        bool any = false;
        for (int j = 0; j < 4; j++) {
            double own = (wrong(5, o, row[0]) == j) + (wrong(5, o, row[1]) == j);
            any |= own > 0;
            if (own > 0) net += own * rules.share[j] * 2 * 52 / (own + 50 * others[5 - j]);
        }
        expected += chance[o] * net, nothing += any ? 0 : chance[o], loss += net < 0 ? chance[o] : 0;
    }
    assert_true(fabs(m.expected - expected) < 1e-10 && fabs(m.nothing - nothing) < 1e-12 && fabs(m.loss - loss) < 1e-12);
    assert_true(m.cost == 4 && fabs(m.roi - expected / 4) < 1e-12);
    int32_t *best;
    int64_t count;
    double *value;
    assert_ok(ctx, nigh_toto_valuable(ctx, &pool, &crowd, &rules, 3, &best, &count, &value));
    assert_ok(ctx, nigh_toto_pay(ctx, &pool, &crowd, &rules, 3, best, &rng, &m));
    assert_near(value[0] + value[1] + value[2], 3 * (1 + m.roi), 1e-10, 0);
    for (int32_t other = 0; other < 243; other++) { /* no other third row would be better */
        int32_t three[3] = {best[0], best[1], other};
        nigh_toto_money n;
        if (other == best[0] || other == best[1]) continue;
        assert_ok(ctx, nigh_toto_pay(ctx, &pool, &crowd, &rules, 3, three, &rng, &n));
        assert_true(n.roi <= m.roi + 1e-12);
    }
    nigh_free(ctx, best);
    nigh_free(ctx, value);
    nigh_toto_rules wrong_rules = rules;
    wrong_rules.share[0] = 0.9;
    assert_int_equal(nigh_toto_pay(ctx, &pool, &crowd, &wrong_rules, 2, row, &rng, &m), NIGH_INVALID);
    crowd.matches = 4;
    assert_int_equal(nigh_toto_pay(ctx, &pool, &crowd, &rules, 2, row, &rng, &m), NIGH_INVALID);
}

static void planner(void **state)
{
    nigh_context *ctx = *state;
    nigh_toto_pool pool;
    nigh_toto_plan plan;
    random_pool(ctx, 8, 6, &pool);
    assert_ok(ctx, nigh_toto_make(ctx, &pool, &(nigh_toto_request){.strikes = 7, .safety = 0.6, .seed = 1}, &plan));
    assert_true(plan.chosen >= 0);
    for (int i = 0; i < plan.count; i++) {
        double within[8];
        assert_ok(ctx, nigh_toto_chance(ctx, &pool, plan.way[i].count, plan.way[i].row, 1, within));
        assert_true(within[1] == plan.way[i].exact && plan.way[i].met == (within[1] >= 0.6 - 1e-12));
        assert_true(!plan.way[i].met || plan.way[plan.chosen].count <= plan.way[i].count);
    }
    nigh_toto_plan_free(ctx, &plan);
    assert_int_equal(nigh_toto_make(ctx, &pool, &(nigh_toto_request){.strikes = 8, .safety = 0.99, .most = 3, .seed = 1}, &plan), NIGH_UNMET);
    assert_true(plan.chosen == -1 && plan.best >= 0 && plan.way[plan.best].count <= 3);
    nigh_toto_plan_free(ctx, &plan);
    assert_int_equal(nigh_toto_make(ctx, &pool, &(nigh_toto_request){.strikes = 9, .safety = 0.9}, &plan), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "9 strikes are wanted of 8"));
    assert_int_equal(nigh_toto_make(ctx, &pool, &(nigh_toto_request){.strikes = 7, .safety = 1.5}, &plan), NIGH_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chances_of_odds, setup, teardown), cmocka_unit_test_setup_teardown(recipe, setup, teardown),
        cmocka_unit_test_setup_teardown(systems, setup, teardown),         cmocka_unit_test_setup_teardown(engine, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_of_rows, setup, teardown),    cmocka_unit_test_setup_teardown(codes, setup, teardown),
        cmocka_unit_test_setup_teardown(money, setup, teardown),           cmocka_unit_test_setup_teardown(planner, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
