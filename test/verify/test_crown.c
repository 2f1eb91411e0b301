/* Linear bounds: against the textbook row by row, against samples, against exact results where nothing is uncertain. */
#include "crown_support.h"

enum { DOMAINS = 4 };
static const bounds_options proved = {.threads = 1}, fast = {.fast = true, .threads = 1}, two = {.threads = 2};

/* All pre intervals as the textbook has them: from intervals, activation after activation. */
static void textbook_crown(const bound_graph *g, bounds_batch *batch)
{
    for (int64_t d = 0; d < batch->domains; d++)
        for (int t = 0; t < g->activations; t++) {
            int m = g->node[g->activation[t]].input[0];
            int64_t n = g->node[m].size;
            double *row = calloc((size_t)n, sizeof *row);
            for (int64_t j = 0; j < n; j++) {
                double *low = &batch->pre_low[t][d * n + j], *high = &batch->pre_high[t][d * n + j];
                if (relax_linear(g->node[g->activation[t]].function, g->node[g->activation[t]].p, *low, *high)) continue;
                row[j] = 1;
                double l = textbook(g, batch, d, m, row, false, NULL);
                row[j] = -1;
                double h = -textbook(g, batch, d, m, row, false, NULL);
                row[j] = 0;
                *low = fmax(*low, l), *high = fmin(*high, h);
            }
            free(row);
        }
}

static void test_kind(nigh_context *ctx, int kind, bound_function f, const bounds_options *options)
{
    bound_graph *g = random_graph(ctx, kind, f);
    bounds *b = new_bounds(ctx, g, options);
    bounds_batch batch, slow;
    assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, 0, &batch));
    assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, 0, &slow));
    random_boxes(g, &batch, DOMAINS, 0.15);
    bounds_interval(b, &batch, false);
    slow.domains = DOMAINS;
    for (int64_t d = 0; d < DOMAINS; d++) bounds_batch_copy(g, &batch, d, &slow, d);
    assert_ok(ctx, bounds_crown(b, &batch, 0));
    textbook_crown(g, &slow);
    for (int t = 0; t < g->activations; t++)
        for (int64_t i = 0; i < DOMAINS * g->node[g->activation[t]].size; i++) {
            assert_near(batch.pre_low[t][i], slow.pre_low[t][i], 1e-9, 1e-9);
            assert_near(batch.pre_high[t][i], slow.pre_high[t][i], 1e-9, 1e-9);
        }
    enum { ROWS = 5 };
    int64_t n = g->node[g->output].size;
    double *row = malloc((size_t)(DOMAINS * ROWS * n) * sizeof *row), bound[DOMAINS * ROWS], constant[DOMAINS * ROWS];
    double *input = malloc((size_t)(DOMAINS * ROWS * g->inputs) * sizeof *input), *want = malloc((size_t)g->inputs * sizeof *want);
    for (int64_t i = 0; i < DOMAINS * ROWS * n; i++) row[i] = uniform(-1, 1);
    for (int shared = 0; shared < 2; shared++) {
        bounds_rows rows = {.node = g->output, .rows = ROWS, .coefficient = row, .shared = shared, .bound = bound, .input = input, .constant = constant};
        assert_ok(ctx, bounds_lower(b, &batch, &rows));
        for (int64_t d = 0; d < DOMAINS; d++)
            for (int r = 0; r < ROWS; r++) {
                int64_t at = d * ROWS + r;
                assert_near(bound[at], textbook(g, &batch, d, g->output, row + (shared ? r : at) * n, false, want), 1e-9, 1e-9);
                double least = constant[at];
                for (int64_t i = 0; i < g->inputs; i++) {
                    assert_near(input[at * g->inputs + i], want[i], 1e-9, 1e-9);
                    least += want[i] * (want[i] > 0 ? batch.low : batch.high)[d * g->inputs + i];
                }
                assert_near(bound[at], least, 1e-9, 1e-9);
            }
        /* Sampled results are within. */
        double *x = malloc((size_t)g->inputs * sizeof *x), *y = malloc((size_t)n * sizeof *y);
        for (int64_t d = 0; d < DOMAINS; d++)
            for (int s = 0; s < 50; s++) {
                for (int64_t i = 0; i < g->inputs; i++) {
                    double l = batch.low[d * g->inputs + i], h = batch.high[d * g->inputs + i];
                    x[i] = s % 2 ? uniform(l, h) : uniform(-1, 1) > 0 ? l : h;
                }
                assert_ok(ctx, bound_graph_evaluate(g, x, y, NULL));
                for (int r = 0; r < ROWS; r++) {
                    double value = 0;
                    for (int64_t j = 0; j < n; j++) value += row[(shared ? r : d * ROWS + r) * n + j] * y[j];
                    assert_true(value >= bound[d * ROWS + r] - 1e-12);
                }
            }
        free(x), free(y);
    }
    free(row), free(input), free(want);
    bounds_batch_free(ctx, g, &batch);
    bounds_batch_free(ctx, g, &slow);
    bounds_free(b);
    bound_graph_free(g);
}

static void test_textbook(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int kind = 0; kind < GRAPHS; kind++) {
        test_kind(ctx, kind, BOUND_RELU, &proved);
        test_kind(ctx, kind, BOUND_RELU, &fast);
        test_kind(ctx, kind, BOUND_RELU, &two);
    }
    test_context_free(ctx);
}

/* Where no relu is uncertain, the bound is the least of an affine function. */
static void test_exact(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int kind = 0; kind < 2 * GRAPHS; kind++) {
        bound_graph *g = random_graph(ctx, kind % GRAPHS, BOUND_RELU);
        bounds *b = new_bounds(ctx, g, kind < GRAPHS ? &proved : &fast);
        bounds_batch batch;
        assert_ok(ctx, bounds_batch_new(ctx, g, 1, 0, &batch));
        random_boxes(g, &batch, 1, 1e-9);
        bounds_interval(b, &batch, false);
        assert_ok(ctx, bounds_crown(b, &batch, 0));
        int uncertain = 0;
        for (int t = 0; t < g->activations; t++)
            for (int64_t j = 0; j < g->node[g->activation[t]].size; j++) uncertain += batch.pre_low[t][j] < 0 && batch.pre_high[t][j] > 0;
        assert_int_equal(uncertain, 0);
        int64_t n = g->node[g->output].size;
        double *row = malloc((size_t)n * sizeof *row), *slope = malloc((size_t)g->inputs * sizeof *slope), *x = malloc((size_t)g->inputs * sizeof *x), *y = malloc((size_t)n * sizeof *y), bound, value = 0;
        for (int64_t j = 0; j < n; j++) row[j] = uniform(-1, 1);
        bounds_rows rows = {.node = g->output, .rows = 1, .coefficient = row, .bound = &bound};
        assert_ok(ctx, bounds_lower(b, &batch, &rows));
        textbook(g, &batch, 0, g->output, row, false, slope);
        for (int64_t i = 0; i < g->inputs; i++) x[i] = slope[i] > 0 ? batch.low[i] : batch.high[i];
        assert_ok(ctx, bound_graph_evaluate(g, x, y, NULL));
        for (int64_t j = 0; j < n; j++) value += row[j] * y[j];
        assert_near(bound, value, kind < GRAPHS ? 1e-10 : 1e-12, 0);
        free(row), free(slope), free(x), free(y);
        bounds_batch_free(ctx, g, &batch);
        bounds_free(b);
        bound_graph_free(g);
    }
    test_context_free(ctx);
}

/*
 * y = (big + x) - big, summed in f64 without care: what roundings take is as large as the result. Proved bounds hold in exact arithmetic (here in long double, where pairs cancel before they are added), those without an account of rounding do not.
 */
static void test_rounding(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    int wrong[2] = {0, 0};
    for (int trial = 0; trial < 50; trial++) {
        enum { N = 40 };
        double w1[2 * N], b1[N], w2[N], x[2];
        for (int j = 0; j < N; j++) {
            w1[2 * j] = uniform(-1, 1) * 1e7, w1[2 * j + 1] = uniform(-1, 1) * 1e7, b1[j] = 1e8 + uniform(0, 1) * 1e7;
            w2[j] = (j % 2 ? -1 : 1) * uniform(0.5, 1);
        }
        for (int j = 1; j < N; j += 2) w1[2 * j] = w1[2 * j - 2], w1[2 * j + 1] = w1[2 * j - 1], b1[j] = b1[j - 1], w2[j] = -w2[j - 1];
        w2[0] += 1e-9;
        const double *weight[] = {w1, w2}, *bias[] = {b1, NULL};
        bound_graph *g;
        assert_ok(ctx, bound_graph_chain(ctx, 2, (const int64_t[]){2, N, 1}, weight, bias, BOUND_RELU, &g));
        for (int f = 0; f < 2; f++) {
            double bound, one = 1;
            bounds *b = new_bounds(ctx, g, f ? &fast : &proved);
            bounds_batch batch;
            assert_ok(ctx, bounds_batch_new(ctx, g, 1, 0, &batch));
            batch.domains = 1;
            for (int i = 0; i < 2; i++) batch.low[i] = batch.high[i] = x[i] = uniform(-1, 1);
            bounds_interval(b, &batch, false);
            bounds_rows rows = {.node = g->output, .rows = 1, .coefficient = &one, .bound = &bound};
            assert_ok(ctx, bounds_lower(b, &batch, &rows));
            long double y = 0; /* pairs cancel: all that remains is the first of w2 */
            for (int j = 0; j < N; j += 2) {
                long double z = (long double)w1[2 * j] * x[0] + (long double)w1[2 * j + 1] * x[1] + b1[j];
                y += ((long double)w2[j] + w2[j + 1]) * (z > 0 ? z : 0);
            }
            wrong[f] += bound > y;
            bounds_batch_free(ctx, g, &batch);
            bounds_free(b);
        }
        bound_graph_free(g);
    }
    assert_int_equal(wrong[0], 0);
    assert_true(wrong[1] > 0);
    test_context_free(ctx);
}

static void test_functions(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int f = 0; f < BOUND_FUNCTIONS; f++) {
        if (f == BOUND_EXP || f == BOUND_SQUARE) continue; /* grow without end: below, in few layers */
        test_kind(ctx, GRAPH_RESIDUAL, (bound_function)f, &proved);
        test_kind(ctx, GRAPH_GROUPS, (bound_function)f, &proved);
    }
    test_kind(ctx, GRAPH_CHAIN, BOUND_EXP, &proved);
    test_kind(ctx, GRAPH_CHAIN, BOUND_SQUARE, &proved);
    test_kind(ctx, GRAPH_CHANNELS, BOUND_RELU, &proved);
    test_kind(ctx, GRAPH_CHANNELS, BOUND_RELU, &two);
    test_context_free(ctx);
}

/* A line put on the wrong side must be noticed: lower and upper lines exchanged give bounds above what is reached. */
static void test_exchanged(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    bound_graph *g = random_graph(ctx, GRAPH_CHAIN, BOUND_RELU);
    bounds_batch batch;
    bounds *b = new_bounds(ctx, g, &proved);
    assert_ok(ctx, bounds_batch_new(ctx, g, 1, 0, &batch));
    random_boxes(g, &batch, 1, 0.5);
    bounds_interval(b, &batch, false);
    assert_ok(ctx, bounds_crown(b, &batch, 0));
    double row[3] = {1, -0.5, 0.25}, bound;
    bounds_rows rows = {.node = g->output, .rows = 1, .coefficient = row, .bound = &bound};
    assert_ok(ctx, bounds_lower(b, &batch, &rows));
    double low = textbook(g, &batch, 0, g->output, row, false, NULL);
    for (int j = 0; j < 3; j++) row[j] = -row[j];
    double high = -textbook(g, &batch, 0, g->output, row, false, NULL);
    assert_near(bound, low, 1e-9, 0);
    assert_true(high - low > 0.1);
    bounds_batch_free(ctx, g, &batch);
    bounds_free(b);
    bound_graph_free(g);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    (void)state;
    for (long at = 1;; at++) {
        test_allocator allocator = {.fail_at = 0};
        nigh_context *ctx = test_context_failing(&allocator);
        crown_seed = 5;
        bound_graph *g = random_graph(ctx, GRAPH_GROUPS, BOUND_RELU);
        bounds *b = new_bounds(ctx, g, &proved);
        bounds_batch batch;
        assert_ok(ctx, bounds_batch_new(ctx, g, 2, BOUNDS_SLOPE, &batch));
        random_boxes(g, &batch, 2, 0.2);
        bounds_interval(b, &batch, false);
        double row[4] = {1, 1, 1, 1}, bound[2];
        bounds_rows rows = {.node = g->output, .rows = 1, .coefficient = row, .shared = true, .bound = bound};
        allocator.fail_at = allocator.count + at;
        nigh_status status = bounds_crown(b, &batch, 0);
        if (!status) status = bounds_optimise(b, &batch, &rows, &(bounds_optimise_options){.steps = 1});
        allocator.fail_at = 0;
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        bounds_batch_free(ctx, g, &batch);
        bounds_free(b);
        bound_graph_free(g);
        test_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_textbook),  cmocka_unit_test(test_functions), cmocka_unit_test(test_exact), cmocka_unit_test(test_rounding),
                                       cmocka_unit_test(test_exchanged), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
