/* Linear bounds: against the textbook row by row, against samples, against exact results where nothing is uncertain. */
#include "crown_support.h"

enum { DOMAINS = 7 };
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_textbook)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
