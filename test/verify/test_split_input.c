/* Search over boxes of inputs against an exact oracle and against dense points: verdicts just above and just below the extremum, points, threads, limits, f32. */
#include "nigh/random.h"
#include "plain_search.h"
#include "support.h"
#include "verify/search.h"

enum { WIDE = 16, ROWS = 9 };

typedef struct tiny {
    int layers, groups, rows;
    int64_t size[PLAIN_LAYERS + 1];
    double weight[PLAIN_LAYERS][WIDE * WIDE], bias[PLAIN_LAYERS][WIDE];
    double low[WIDE], high[WIDE], row[ROWS * WIDE], level[ROWS];
    int group[5];
    plain_network net;
    bound_graph *graph;
} tiny;

static void build(nigh_context *ctx, tiny *t, bound_function f)
{
    const double *weight[PLAIN_LAYERS], *bias[PLAIN_LAYERS];
    t->net.layers = t->layers, t->net.bend = (plain_bend){1, {0}, {0, 1}, {0, 0}};
    for (int l = 0; l < t->layers; l++) t->net.weight[l] = weight[l] = t->weight[l], t->net.bias[l] = bias[l] = t->bias[l];
    memcpy(t->net.size, t->size, sizeof t->size);
    assert_ok(ctx, bound_graph_chain(ctx, t->layers, t->size, weight, bias, f, &t->graph));
    for (int a = 0; f == BOUND_LEAKY && a < t->graph->activations; a++) t->graph->node[t->graph->activation[a]].p[0] = 0.125;
    if (f == BOUND_LEAKY) t->net.bend = (plain_bend){1, {0}, {0.125, 1}, {0, 0}};
}

/* A network, a box (some of it flat), groups of rows whose levels are moved so that each group's largest margin is 0. */
static void draw(nigh_context *ctx, nigh_rng *rng, bound_function f, int inputs, int layers, int width, tiny *t)
{
    memset(t, 0, sizeof *t);
    t->layers = layers, t->size[0] = inputs;
    for (int l = 1; l < layers; l++) t->size[l] = width;
    t->size[layers] = 2 + (int64_t)nigh_rng_below(rng, 3);
    for (int l = 0; l < layers; l++) {
        for (int64_t i = 0; i < t->size[l] * t->size[l + 1]; i++) t->weight[l][i] = 1.4 * nigh_rng_normal(rng) / sqrt((double)t->size[l]);
        for (int64_t i = 0; i < t->size[l + 1]; i++) t->bias[l][i] = 0.3 * nigh_rng_normal(rng);
    }
    for (int64_t j = 0; j < inputs; j++) {
        t->low[j] = nigh_rng_normal(rng) - 1;
        t->high[j] = inputs > 1 && nigh_rng_below(rng, 8) == 0 ? t->low[j] : t->low[j] + 2 * nigh_rng_f64(rng);
    }
    int64_t outputs = t->size[layers];
    t->groups = 1 + (int)nigh_rng_below(rng, 3);
    for (int g = 0; g < t->groups; g++) t->group[g + 1] = t->group[g] + 1 + (int)nigh_rng_below(rng, 3);
    t->rows = t->group[t->groups];
    for (int64_t i = 0; i < t->rows * outputs; i++) t->row[i] = nigh_rng_normal(rng);
    for (int r = 0; r < t->rows; r++) t->level[r] = 0.3 * nigh_rng_normal(rng);
    build(ctx, t, f);
    for (int g = 0; g < t->groups; g++) {
        int first = t->group[g], count = t->group[g + 1] - first;
        double x[WIDE], extremum = plain_extremum(&t->net, t->low, t->high, count, t->row + first * outputs, t->level + first, x);
        for (int r = first; r < first + count; r++) t->level[r] += extremum;
    }
}

typedef struct trying {
    const search_query *query;
    long tried;
    bool took;
} trying;

static double margin_at(const search_query *q, const double *x)
{
    double y[WIDE], best = -INFINITY;
    int64_t outputs = q->graph->outputs;
    if (bound_graph_evaluate(q->graph, x, y, NULL)) return -INFINITY;
    for (int g = 0; g < q->groups; g++) {
        double least = INFINITY;
        for (int r = q->group[g]; r < q->group[g + 1]; r++) {
            double sum = -q->level[r];
            for (int64_t k = 0; k < outputs; k++) sum += q->row[r * outputs + k] * y[k];
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
    for (int64_t j = 0; j < u->query->graph->inputs; j++)
        if (!(x[j] >= u->query->low[j] && x[j] <= u->query->high[j])) fail_msg("a point outside of the box is tried");
    return u->took = margin_at(u->query, x) >= 0;
}

/* All groups' largest margins moved to `by`, or only that of group `only`, the others to -0.01. */
static search_result ask(nigh_context *ctx, const tiny *t, int only, double by, bounds_options how, bool with_try)
{
    double level[ROWS];
    for (int g = 0; g < t->groups; g++)
        for (int r = t->group[g]; r < t->group[g + 1]; r++) level[r] = t->level[r] - (only < 0 || only == g ? by : -0.01);
    search_query query = {t->graph, t->low, t->high, t->rows, t->row, level, t->groups, t->group};
    trying u = {.query = &query};
    search_options options = {.bounds = how, .seconds = 20, .try = with_try ? try_point : NULL, .user = &u};
    search_result result;
    assert_ok(ctx, search_input(ctx, &query, &options, &result));
    assert_true(u.took == (result.answer == SEARCH_UNSAFE));
    assert_true((result.why != NULL) == (result.answer == SEARCH_UNDECIDED));
    return result;
}

static void must_be(const search_result *result, search_answer want, int network)
{
    static const char *const name[] = {"safe", "unsafe", "undecided"};
    if (result->answer != want) fail_msg("network %d: %s, not %s (%s, %lld boxes)", network, name[result->answer], name[want], result->why ? result->why : "", (long long)result->visited);
}

static void check_network(nigh_context *ctx, nigh_rng *rng, const tiny *t, double by, int i)
{
    search_result safe = ask(ctx, t, -1, -by, (bounds_options){.threads = 1}, true);
    must_be(&safe, SEARCH_SAFE, i);
    assert_true(safe.domains == 0 && safe.bound > 0);
    int only = (int)nigh_rng_below(rng, (uint64_t)t->groups);
    search_result unsafe = ask(ctx, t, only, by, (bounds_options){.threads = 1}, true);
    must_be(&unsafe, SEARCH_UNSAFE, i);
    if (i % 4) return;
    search_result two = ask(ctx, t, -1, -by, (bounds_options){.threads = 2}, true);
    assert_true(two.answer == safe.answer && two.visited == safe.visited && two.depth == safe.depth);
    two = ask(ctx, t, only, by, (bounds_options){.threads = 2, .fast = true}, true);
    must_be(&two, SEARCH_UNSAFE, i);
    search_result proof = ask(ctx, t, only, by, (bounds_options){.threads = 1}, false);
    must_be(&proof, SEARCH_UNDECIDED, i);
}

static void check_networks(bound_function f, int networks, int layers, int width, int most_inputs, double by, uint64_t seed)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int i = 0; i < networks; i++) {
        tiny t;
        draw(ctx, &rng, f, 1 + (int)nigh_rng_below(&rng, (uint64_t)most_inputs), layers, width, &t);
        check_network(ctx, &rng, &t, by, i);
        bound_graph_free(t.graph);
    }
    test_context_free(ctx);
}

static void test_narrow(void **state) { check_networks(BOUND_RELU, 60, 2, 1, 4, 1e-6, 1); }
static void test_shallow(void **state) { check_networks(BOUND_RELU, 120, 2, 8, 4, 1e-6, 2); }
static void test_deep(void **state) { check_networks(BOUND_RELU, 80, 4, 4, 3, 1e-6, 3); }
static void test_wide(void **state) { check_networks(BOUND_RELU, 12, 3, 12, 2, 1e-6, 4); } /* more relus than are split at once */
static void test_leaky(void **state) { check_networks(BOUND_LEAKY, 20, 3, 5, 2, 1e-3, 5); }  /* not a chain of relus */

/* A bias that is off by ten times the distance to the extremum: the verdicts do notice. */
static void test_saboteur(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(6, 0);
    int wrong = 0;
    for (int i = 0; i < 30; i++) {
        tiny t;
        draw(ctx, &rng, BOUND_RELU, 2, 3, 6, &t);
        double bias[WIDE];
        bound_node *last = &t.graph->node[t.graph->output];
        for (int64_t j = 0; j < last->size; j++) bias[j] = last->bias[j] + 1e-5;
        last->bias = bias;
        wrong += ask(ctx, &t, -1, -1e-6, (bounds_options){.threads = 1}, true).answer != SEARCH_SAFE;
        wrong += ask(ctx, &t, -1, 1e-6, (bounds_options){.threads = 1}, true).answer != SEARCH_UNSAFE;
        bound_graph_free(t.graph);
    }
    assert_true(wrong > 15);
    test_context_free(ctx);
}

/* |x| as two relus: either can be large, never both. No row alone proves the whole box. */
static void test_conjunction(void **state)
{
    nigh_context *ctx = test_context_new();
    tiny t = {.layers = 2, .groups = 1, .rows = 2, .size = {1, 2, 2}, .weight = {{1, -1}, {1, 0, 0, 1}}, .low = {-1}, .high = {1}, .row = {1, 0, 0, 1}, .group = {0, 2}};
    build(ctx, &t, BOUND_RELU);
    t.level[0] = t.level[1] = 1e-9;
    search_result result = ask(ctx, &t, -1, 0, (bounds_options){.threads = 1}, true);
    must_be(&result, SEARCH_SAFE, 0);
    t.level[0] = t.level[1] = 0; /* both at 0 only */
    result = ask(ctx, &t, -1, 0, (bounds_options){.threads = 1}, true);
    assert_true(result.answer != SEARCH_SAFE);
    bound_graph_free(t.graph);
    test_context_free(ctx);
}

/* What any evaluation in f32 gives: margins within its roundings are nobody's, wide ones are proved. */
static void test_single(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(7, 0);
    for (int i = 0; i < 20; i++) {
        tiny t;
        draw(ctx, &rng, BOUND_RELU, 2, 3, 6, &t);
        for (int k = 0; k < t.graph->nodes; k++) t.graph->node[k].roundings = 16;
        bounds_options single = {.threads = 1, .single = true};
        search_result result = ask(ctx, &t, -1, -1e-2, single, true);
        must_be(&result, SEARCH_SAFE, i);
        result = ask(ctx, &t, -1, -1e-9, single, false);
        must_be(&result, SEARCH_UNDECIDED, i);
        assert_string_equal(result.why, "stuck");
        result = ask(ctx, &t, -1, -1e-9, (bounds_options){.threads = 1}, false);
        must_be(&result, SEARCH_SAFE, i);
        bound_graph_free(t.graph);
    }
    test_context_free(ctx);
}

/* Smooth networks against dense points. */
static void check_smooth(bound_function f, uint64_t seed)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int i = 0; i < 6; i++) {
        tiny t;
        draw(ctx, &rng, BOUND_RELU, 2, 3, 5, &t);
        bound_graph_free(t.graph);
        build(ctx, &t, f);
        for (int r = 0; r < t.rows; r++) t.level[r] = 0;
        t.groups = 1, t.group[1] = t.rows;
        search_query query = {t.graph, t.low, t.high, t.rows, t.row, t.level, 1, t.group};
        double most = -INFINITY;
        for (int k = 0; k <= 200 * 200; k++) {
            double x[2] = {t.low[0] + k % 201 / 200.0 * (t.high[0] - t.low[0]), t.low[1] + k / 201 / 200.0 * (t.high[1] - t.low[1])};
            most = fmax(most, margin_at(&query, x));
        }
        for (int r = 0; r < t.rows; r++) t.level[r] = most;
        search_result result = ask(ctx, &t, -1, -0.02, (bounds_options){.threads = 1}, true);
        must_be(&result, SEARCH_SAFE, i);
        result = ask(ctx, &t, -1, 0.005, (bounds_options){.threads = 2}, true);
        must_be(&result, SEARCH_UNSAFE, i);
        bound_graph_free(t.graph);
    }
    test_context_free(ctx);
}

static void test_tanh(void **state) { check_smooth(BOUND_TANH, 8); }
static void test_sigmoid(void **state) { check_smooth(BOUND_SIGMOID, 9); }

/* Time, room, cancelling, empty boxes and groups. */
static void test_limits(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(10, 0);
    tiny t;
    draw(ctx, &rng, BOUND_RELU, 2, 3, 12, &t);
    double level[ROWS];
    for (int r = 0; r < t.rows; r++) level[r] = t.level[r] + 1e-6;
    search_query query = {t.graph, t.low, t.high, t.rows, t.row, level, t.groups, t.group};
    search_options options = {.bounds = {.threads = 1}, .seconds = 1e-9};
    search_result result;
    assert_ok(ctx, search_input(ctx, &query, &options, &result));
    must_be(&result, SEARCH_UNDECIDED, 0);
    assert_string_equal(result.why, "time");
    assert_true(result.domains > 0 && result.bound <= 0);
    options.seconds = 0, options.most_domains = 1;
    assert_ok(ctx, search_input(ctx, &query, &options, &result));
    must_be(&result, SEARCH_UNDECIDED, 0);
    assert_string_equal(result.why, "memory");
    options.most_domains = 0;
    nigh_context_cancel(ctx);
    assert_fails(ctx, search_input(ctx, &query, &options, &result), NIGH_INTERRUPTED, "");
    nigh_context_uncancel(ctx);
    query.groups = 0;
    assert_ok(ctx, search_input(ctx, &query, &options, &result));
    must_be(&result, SEARCH_SAFE, 0);
    query.groups = 1, query.group = (int[]){0, 0};
    assert_ok(ctx, search_input(ctx, &query, &options, &result));
    must_be(&result, SEARCH_UNDECIDED, 0); /* a group of no conditions, and nobody to try its points */
    query.high = (double[]){t.low[0] - 1, t.low[1]};
    assert_fails(ctx, search_input(ctx, &query, &options, &result), NIGH_INVALID, "input 0");
    bound_graph_free(t.graph);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    nigh_status status = NIGH_MEMORY;
    for (long fail_at = 1; status == NIGH_MEMORY && fail_at < 400; fail_at++) {
        test_allocator allocator = {.fail_at = fail_at};
        nigh_context *ctx = test_context_failing(&allocator);
        tiny t = {.layers = 2, .groups = 1, .rows = 1, .size = {2, 3, 1}, .weight = {{1, -1, 2, 1, 0.5, -1}, {1, 1, -1}}, .low = {-1, -1}, .high = {1, 1}, .row = {1}, .group = {0, 1}, .level = {5}};
        const double *weight[] = {t.weight[0], t.weight[1]}, *bias[] = {NULL, NULL};
        if (!ctx) continue;
        status = bound_graph_chain(ctx, t.layers, t.size, weight, bias, fail_at % 2 ? BOUND_RELU : BOUND_TANH, &t.graph);
        if (!status) {
            search_query query = {t.graph, t.low, t.high, t.rows, t.row, t.level, t.groups, t.group};
            search_options options = {.bounds = {.threads = 1}};
            search_result result;
            status = search_input(ctx, &query, &options, &result);
            bound_graph_free(t.graph);
        }
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
    assert_int_equal(status, NIGH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_narrow), cmocka_unit_test(test_shallow),     cmocka_unit_test(test_deep),   cmocka_unit_test(test_wide),
                                       cmocka_unit_test(test_leaky),  cmocka_unit_test(test_saboteur),    cmocka_unit_test(test_conjunction),
                                       cmocka_unit_test(test_single), cmocka_unit_test(test_tanh),        cmocka_unit_test(test_sigmoid),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
