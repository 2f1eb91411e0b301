/* Search over the phases of relus against an exact oracle: verdicts just above and just below the extremum, points, limits, and an oracle's reply to a search that forgets. */
#include "nigh/random.h"
#include "support.h"
#include "verify/linear_program.h"
#include "verify/split_relu.h"
#include "plain_search.h"

enum { MOST = 8 };

typedef struct tiny {
    int layers, groups, rows;
    int64_t size[PLAIN_LAYERS + 1];
    double weight[PLAIN_LAYERS][MOST * MOST], bias[PLAIN_LAYERS][MOST];
    double low[MOST], high[MOST], row[9 * MOST], level[9], extremum[4], at[4][MOST];
    int group[5];
    plain_network net;
    bound_graph *graph;
} tiny;

static plain_bend bend_of(bound_function f)
{
    if (f == BOUND_LEAKY) return (plain_bend){1, {0}, {0.125, 1}, {0, 0}};
    if (f == BOUND_ABS) return (plain_bend){1, {0}, {-1, 1}, {0, 0}};
    if (f == BOUND_CLIP) return (plain_bend){2, {-0.5, 0.75}, {0, 1, 0}, {-0.5, 0, 0.75}};
    return (plain_bend){1, {0}, {0, 1}, {0, 0}};
}

/* A network of 1 to 4 inputs and at most 14 kinks, a box, and groups of rows whose levels are moved so that group g's largest margin is extremum[g] = 0. */
static void draw(nigh_context *ctx, nigh_rng *rng, bound_function f, tiny *t)
{
    memset(t, 0, sizeof *t);
    const double *weight[PLAIN_LAYERS], *bias[PLAIN_LAYERS];
    int kinks = f == BOUND_CLIP ? 7 : 14;
    t->layers = 2 + (int)nigh_rng_below(rng, 3);
    t->size[0] = 1 + (int64_t)nigh_rng_below(rng, 4);
    for (int l = 1; l <= t->layers; l++) t->size[l] = 2 + (int64_t)nigh_rng_below(rng, (uint64_t)(kinks / (t->layers - 1)) - 1);
    for (int l = 0; l <= t->layers; l++)
        if (t->size[l] > MOST) t->size[l] = MOST;
    t->net.layers = t->layers;
    t->net.bend = bend_of(f);
    for (int l = 0; l < t->layers; l++) {
        for (int64_t i = 0; i < t->size[l] * t->size[l + 1]; i++) t->weight[l][i] = nigh_rng_normal(rng) / sqrt((double)t->size[l]);
        for (int64_t i = 0; i < t->size[l + 1]; i++) t->bias[l][i] = 0.3 * nigh_rng_normal(rng);
        t->net.weight[l] = weight[l] = t->weight[l];
        t->net.bias[l] = bias[l] = t->bias[l];
    }
    memcpy(t->net.size, t->size, sizeof t->size);
    for (int64_t j = 0; j < t->size[0]; j++) {
        t->low[j] = nigh_rng_normal(rng) - 1;
        t->high[j] = t->low[j] + 2 * nigh_rng_f64(rng);
    }
    int64_t outputs = t->size[t->layers];
    t->groups = 1 + (int)nigh_rng_below(rng, 3);
    for (int g = 0; g < t->groups; g++) t->group[g + 1] = t->group[g] + 1 + (int)nigh_rng_below(rng, 3);
    t->rows = t->group[t->groups];
    for (int64_t i = 0; i < t->rows * outputs; i++) t->row[i] = nigh_rng_normal(rng);
    for (int r = 0; r < t->rows; r++) t->level[r] = 0.3 * nigh_rng_normal(rng);
    for (int g = 0; g < t->groups; g++) {
        int first = t->group[g], count = t->group[g + 1] - first;
        double extremum = plain_extremum(&t->net, t->low, t->high, count, t->row + first * outputs, t->level + first, t->at[g]);
        for (int r = first; r < first + count; r++) t->level[r] += extremum;
    }
    assert_ok(ctx, bound_graph_chain(ctx, t->layers, t->size, weight, bias, f, &t->graph));
    for (int a = 0; a < t->graph->activations; a++) {
        double *p = t->graph->node[t->graph->activation[a]].p;
        p[0] = f == BOUND_LEAKY ? 0.125 : f == BOUND_CLIP ? -0.5 : 0;
        p[1] = f == BOUND_CLIP ? 0.75 : 0;
    }
}

typedef struct trying {
    const tiny *t;
    search_query query;
    long tried;
    double x[MOST];
    bool took;
} trying;

/* The largest over groups of the least margin of its rows. */
static double margin_at(const trying *u, const double *x)
{
    double y[MOST], best = -INFINITY;
    int64_t outputs = u->t->size[u->t->layers];
    if (bound_graph_evaluate(u->t->graph, x, y, NULL)) return -INFINITY;
    for (int g = 0; g < u->query.groups; g++) {
        double least = INFINITY;
        for (int r = u->query.group[g]; r < u->query.group[g + 1]; r++) {
            double sum = -u->query.level[r];
            for (int64_t k = 0; k < outputs; k++) sum += u->query.row[r * outputs + k] * y[k];
            least = fmin(least, sum);
        }
        best = fmax(best, least);
    }
    return best;
}

static bool try_point(void *user, const double *x)
{
    trying *u = user;
    u->tried++;
    for (int64_t j = 0; j < u->t->size[0]; j++)
        if (!(x[j] >= u->t->low[j] && x[j] <= u->t->high[j])) fail_msg("a point outside of the box is tried");
    if (!(margin_at(u, x) >= 0)) return false;
    memcpy(u->x, x, (size_t)u->t->size[0] * sizeof *x);
    return u->took = true;
}

/* The query with all groups' largest margins moved to `by` (group `only`, or all when it is -1; others to -0.01). */
static void ask(nigh_context *ctx, const tiny *t, int only, double by, const search_options *base, trying *u, search_result *result)
{
    double level[9];
    for (int g = 0; g < t->groups; g++)
        for (int r = t->group[g]; r < t->group[g + 1]; r++) level[r] = t->level[r] - (only < 0 || only == g ? by : -0.01);
    *u = (trying){.t = t, .query = {t->graph, t->low, t->high, t->rows, t->row, level, t->groups, t->group}};
    search_options options = *base;
    if (!options.bounds.threads) options.bounds.threads = 1;
    options.try = try_point;
    options.user = u;
    assert_ok(ctx, search_relu(ctx, &u->query, &options, result));
    u->query.level = NULL;
}

static void check_function(bound_function f, int networks, uint64_t seed)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int i = 0; i < networks; i++) {
        tiny t;
        trying u;
        search_result result;
        search_options options = {.seed = (uint64_t)i};
        draw(ctx, &rng, f, &t);
        ask(ctx, &t, -1, -1e-6, &options, &u, &result);
        if (result.answer != SEARCH_SAFE) fail_msg("network %d: %s, not safe (%s)", i, result.answer == SEARCH_UNSAFE ? "unsafe" : "undecided", result.why ? result.why : "");
        assert_true(result.bound > 0 && result.bound <= 1.001e-6);
        assert_true(!u.took && result.domains == 0);
        int only = (int)nigh_rng_below(&rng, (uint64_t)t.groups);
        ask(ctx, &t, only, 1e-6, &options, &u, &result);
        if (result.answer != SEARCH_UNSAFE) fail_msg("network %d: %s, not unsafe (%s)", i, result.answer == SEARCH_SAFE ? "safe" : "undecided", result.why ? result.why : "");
        assert_true(u.took);
        bound_graph_free(t.graph);
    }
    test_context_free(ctx);
}

static void test_relu(void **state) { check_function(BOUND_RELU, 150, 1); }
static void test_leaky(void **state) { check_function(BOUND_LEAKY, 40, 2); }
static void test_abs(void **state) { check_function(BOUND_ABS, 40, 3); }
static void test_clip(void **state) { check_function(BOUND_CLIP, 30, 4); }

/* The oracle itself: a grid of points never exceeds it, and its own point reaches it. */
static void test_oracle(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(5, 0);
    for (int i = 0; i < 60; i++) {
        tiny t;
        draw(ctx, &rng, i % 2 ? BOUND_RELU : BOUND_CLIP, &t);
        for (int g = 0; g < t.groups; g++) {
            trying u = {.t = &t, .query = {t.graph, t.low, t.high, t.rows, t.row, t.level, 1, t.group + g}};
            assert_near(margin_at(&u, t.at[g]), 0, 1e-12, 0);
            for (int k = 0; k < 500; k++) {
                double x[MOST];
                for (int64_t j = 0; j < t.size[0]; j++) x[j] = t.low[j] + nigh_rng_f64(&rng) * (t.high[j] - t.low[j]);
                assert_true(margin_at(&u, x) <= 1e-12);
            }
        }
        bound_graph_free(t.graph);
    }
    test_context_free(ctx);
}

/* Linear programs: optima against the oracle's own method, and multipliers that prove them. */
static void test_program(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(6, 0);
    int infeasible = 0;
    for (int i = 0; i < 500; i++) {
        int n = 1 + (int)nigh_rng_below(&rng, 5), rows = (int)nigh_rng_below(&rng, 9);
        double low[5], high[5], c[5], a[45], b[9], x[5], multiplier[9];
        plain pc[PLAIN_VARIABLES] = {0};
        plain_form form[9];
        for (int j = 0; j < n; j++) {
            low[j] = 0;
            high[j] = 1;
            pc[j] = c[j] = nigh_rng_normal(&rng);
        }
        for (int r = 0; r < rows; r++) {
            b[r] = 0.5 * nigh_rng_normal(&rng);
            form[r].b = -(plain)b[r];
            for (int j = 0; j < n; j++) form[r].a[j] = a[r * n + j] = nigh_rng_normal(&rng);
        }
        program p = {n, rows, low, high, c, a, b, 1e-10, x, multiplier};
        program_answer answer;
        assert_ok(ctx, program_solve(ctx, &p, &answer));
        plain largest = plain_largest(n, pc, 0, rows, form, NULL);
        double value = 0, proof = 0;
        for (int j = 0; j < n; j++) {
            double sum = answer == PROGRAM_INFEASIBLE ? 0 : c[j];
            for (int r = 0; r < rows; r++) sum += multiplier[r] * a[r * n + j];
            proof += fmax(sum, 0);
            value += c[j] * x[j];
        }
        for (int r = 0; r < rows; r++) {
            assert_true(multiplier[r] >= 0);
            proof -= multiplier[r] * b[r];
        }
        infeasible += largest == -INFINITY;
        assert_true(answer == (largest == -INFINITY ? PROGRAM_INFEASIBLE : PROGRAM_OPTIMAL));
        if (largest == -INFINITY) assert_true(proof < 0);
        else assert_near(value, (double)largest, 1e-9, 0);
        if (largest > -INFINITY) assert_near(proof, (double)largest, 1e-9, 0);
    }
    assert_true(infeasible > 20 && infeasible < 480);
    test_context_free(ctx);
}

/* Little time, a cancelled context, room for one domain only, no way to try points. */
static void test_limits(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(8, 0);
    int cut = 0, kept = 0;
    for (int i = 0; i < 40; i++) {
        tiny t;
        trying u;
        search_result result;
        draw(ctx, &rng, BOUND_RELU, &t);
        search_options options = {.most_domains = 1};
        ask(ctx, &t, -1, -1e-6, &options, &u, &result);
        assert_true(result.answer != SEARCH_UNSAFE);
        assert_true(result.domains <= t.groups);
        if (result.answer == SEARCH_UNDECIDED) {
            assert_string_equal(result.why, "memory");
            assert_true(result.bound <= 0);
            cut++;
        }
        options = (search_options){.seconds = 1e-9};
        ask(ctx, &t, -1, -1e-6, &options, &u, &result);
        assert_true(result.answer != SEARCH_UNSAFE);
        if (result.answer == SEARCH_UNDECIDED) {
            assert_string_equal(result.why, "time");
            kept++;
        }
        search_options none = {.bounds = {.threads = 1}};
        search_query query = {t.graph, t.low, t.high, t.rows, t.row, t.level, t.groups, t.group};
        double level[9];
        for (int r = 0; r < t.rows; r++) level[r] = t.level[r] + 1e-6;
        query.level = level;
        assert_ok(ctx, search_relu(ctx, &query, &none, &result));
        assert_int_equal(result.answer, SEARCH_SAFE);
        for (int r = 0; r < t.rows; r++) level[r] = t.level[r] - 1e-6;
        assert_ok(ctx, search_relu(ctx, &query, &none, &result));
        assert_int_equal(result.answer, SEARCH_UNDECIDED);
        assert_string_equal(result.why, "stuck");
        nigh_context_cancel(ctx);
        assert_fails(ctx, search_relu(ctx, &query, &none, &result), NIGH_INTERRUPTED, "");
        nigh_context_uncancel(ctx);
        bound_graph_free(t.graph);
    }
    assert_true(cut > 0 && kept > 0);
    test_context_free(ctx);
}

/* Unsafe queries are never safe; for a search that forgets every third child some are, so that these tests would notice it. */
static void test_forgetting(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(9, 0);
    int wrong = 0;
    for (int i = 0; i < 60; i++) {
        tiny t;
        double level[9];
        draw(ctx, &rng, BOUND_RELU, &t);
        for (int r = 0; r < t.rows; r++) level[r] = t.level[r] - 1e-6;
        search_query query = {t.graph, t.low, t.high, t.rows, t.row, level, t.groups, t.group};
        search_options none = {.bounds = {.threads = 1}};
        search_result result;
        for (int64_t forget = 0; forget <= 3; forget += 3) {
            assert_ok(ctx, relu_search_forgetful(ctx, &query, &none, forget, &result));
            if (!forget) assert_int_equal(result.answer, SEARCH_UNDECIDED);
            else wrong += result.answer == SEARCH_SAFE;
        }
        bound_graph_free(t.graph);
    }
    assert_true(wrong >= 1);
    test_context_free(ctx);
}

/* The same verdict, number of domains and bound again, and with two threads. */
static void test_again(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(10, 0);
    for (int i = 0; i < 20; i++) {
        tiny t;
        trying u;
        search_result result[3];
        draw(ctx, &rng, BOUND_RELU, &t);
        for (int k = 0; k < 3; k++) {
            search_options options = {.bounds = {.threads = k == 2 ? 2 : 1}};
            ask(ctx, &t, -1, i % 2 ? 1e-6 : -1e-6, &options, &u, &result[k]);
        }
        for (int k = 1; k < 3; k++) {
            assert_int_equal(result[k].answer, result[0].answer);
            assert_int_equal(result[k].visited, result[0].visited);
            if (k == 1) assert_true(result[k].bound == result[0].bound);
        }
        bound_graph_free(t.graph);
    }
    test_context_free(ctx);
}

static void test_out_of_memory(void **state)
{
    for (long fail_at = 1, done = 0; !done; fail_at += 1 + fail_at / 6) {
        test_allocator allocator = {0};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_rng rng = nigh_rng_new(11, 0);
        tiny t;
        draw(ctx, &rng, BOUND_CLIP, &t);
        allocator.fail_at = allocator.count + fail_at;
        search_query query = {t.graph, t.low, t.high, t.rows, t.row, t.level, t.groups, t.group};
        search_options none = {.bounds = {.threads = 1}};
        search_result result = {.visited = -7};
        nigh_status status = search_relu(ctx, &query, &none, &result);
        done = status == NIGH_OK;
        if (!done) assert_int_equal(status, NIGH_MEMORY);
        if (!done) assert_int_equal(result.visited, -7);
        bound_graph_free(t.graph);
        test_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_program), cmocka_unit_test(test_oracle), cmocka_unit_test(test_relu),
                                       cmocka_unit_test(test_leaky),   cmocka_unit_test(test_abs),    cmocka_unit_test(test_clip),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_forgetting), cmocka_unit_test(test_again),
                                       cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
