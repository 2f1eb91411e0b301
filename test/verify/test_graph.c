/* Graphs made by hand: chains, what is a chain, evaluation of each kind of node, batches. */
#include "support.h"
#include "verify/bounds.h"

#include <math.h>
#include <string.h>

static const double w0[] = {1, -2, 0.5, 3, 1, -1}, b0[] = {0.25, -1, 2}, w1[] = {1, 1, 1, -1, 2, 0.5};
static const double *const weights[] = {w0, w1}, *const biases[] = {b0, NULL};

static bound_graph *chain(nigh_context *ctx, bound_function f)
{
    bound_graph *g;
    assert_ok(ctx, bound_graph_chain(ctx, 2, (int64_t[]){2, 3, 2}, weights, biases, f, &g));
    return g;
}

static void test_chain(void **state)
{
    nigh_context *ctx = test_context_new();
    bound_graph *g = chain(ctx, BOUND_RELU);
    int layers, dense[4];
    assert_true(bound_graph_is_chain(g, 4, &layers, dense));
    assert_int_equal(layers, 2);
    assert_int_equal(dense[0], 1);
    assert_int_equal(dense[1], 3);
    assert_false(bound_graph_is_chain(g, 1, &layers, dense));
    assert_int_equal(g->activations, 1);
    assert_int_equal(g->activation[0], 2);
    assert_true(g->inputs == 2 && g->outputs == 2 && g->nodes == 4);
    double y[2], in[2], h[3], r[3], out[2], *value[] = {in, h, r, out};
    assert_ok(ctx, bound_graph_evaluate(g, (double[]){1, 2}, y, value));
    assert_true(h[0] == -2.75 && h[1] == 5.5 && h[2] == 1 && r[0] == 0 && r[1] == 5.5 && y[0] == 6.5 && y[1] == 11.5 && out[1] == 11.5);
    bound_graph_free(g);
    g = chain(ctx, BOUND_TANH);
    assert_false(bound_graph_is_chain(g, 4, &layers, dense));
    assert_ok(ctx, bound_graph_evaluate(g, (double[]){1, 2}, y, NULL));
    assert_near(y[0], tanh(-2.75) + tanh(5.5) + tanh(1), 1e-15, 0);
    bound_graph_free(g);
    bound_graph_free(NULL);
    test_context_free(ctx);
}

static void test_batch(void **state)
{
    nigh_context *ctx = test_context_new();
    bound_graph *g = chain(ctx, BOUND_RELU);
    bounds_batch a, b;
    assert_ok(ctx, bounds_batch_new(ctx, g, 3, BOUNDS_SLOPE | BOUNDS_SPLIT, &a));
    assert_ok(ctx, bounds_batch_new(ctx, g, 2, BOUNDS_SPLIT, &b));
    assert_true(a.slope && a.split && a.beta && b.split && !b.slope && a.room == 3 && a.domains == 0);
    for (int i = 0; i < 6; i++) a.low[i] = i, a.high[i] = 10 + i;
    for (int i = 0; i < 9; i++) a.pre_low[0][i] = -i, a.pre_high[0][i] = i, a.slope[0][i] = 0.1 * i, a.split[0][i] = (int8_t)(i % 3 - 1), a.beta[0][i] = i;
    bounds_batch_copy(g, &a, 2, &b, 1);
    assert_true(b.low[2] == 4 && b.high[3] == 15 && b.pre_low[0][3] == -6 && b.pre_high[0][5] == 8 && b.split[0][4] == 0 && b.beta[0][5] == 8 && b.low[0] == 0);
    bounds_batch_free(ctx, g, &a);
    bounds_batch_free(ctx, g, &b);
    bounds_batch_free(ctx, g, &b);
    bound_graph_free(g);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    for (long fail_at = 1, ended = 0; !ended; fail_at++) {
        test_allocator allocator = {0};
        nigh_context *ctx = test_context_failing(&allocator);
        allocator.fail_at = allocator.count + fail_at;
        bound_graph *g = NULL;
        bounds *b = NULL;
        bounds_batch batch = {0};
        nigh_status status = bound_graph_chain(ctx, 2, (int64_t[]){2, 3, 2}, weights, biases, BOUND_RELU, &g);
        if (!status) status = bounds_new(ctx, g, &(bounds_options){.threads = 2}, (double[]){0, 0}, (double[]){1, 1}, &b);
        if (!status) status = bounds_batch_new(ctx, g, 3, BOUNDS_SLOPE | BOUNDS_SPLIT, &batch);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        ended = status == NIGH_OK;
        if (g) bounds_batch_free(ctx, g, &batch);
        bounds_free(b);
        bound_graph_free(g);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chain), cmocka_unit_test(test_batch), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
