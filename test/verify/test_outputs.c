/* Bounds of outputs by every method: samples stay inside, tighter methods are tighter, misuse is named. */
#include "bounded.h"
#include "networks.h"
#include "nigh/random.h"
#include "nigh/verify.h"
#include "support.h"
#include "verify/graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_kinds(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(21, 0);
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    for (int which = 0; which < bounded_networks(); which++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            const char *name;
            nigh_shape shape;
            nigh_network *net = bounded_network(ctx, which, seed, &name, &shape);
            bound_graph *g;
            assert_ok(ctx, bound_graph_new(ctx, net, &shape, false, &g));
            int64_t in = g->inputs, out = g->outputs;
            double *box = malloc((size_t)(3 * in) * sizeof *box), *x = box + 2 * in, *y = malloc((size_t)(7 * out) * sizeof *y), *low[3], *high[3];
            for (int64_t i = 0; i < in; i++) box[i] = 2 * nigh_rng_f64(&rng) - 1, box[in + i] = box[i] + 0.05;
            for (int k = 0; k < 3; k++) {
                low[k] = y + (1 + 2 * k) * out, high[k] = low[k] + out;
                nigh_verify_options options = {.semantics = k == 1 && seed % 2 ? NIGH_SEMANTICS_F32 : NIGH_SEMANTICS_REAL};
                assert_ok(ctx, nigh_bound_outputs(ctx, net, (nigh_bound_kind)k, k ? &options : NULL, box, box + in, low[k], high[k]));
            }
            for (int p = 0; p < 20; p++) {
                for (int64_t i = 0; i < in; i++) x[i] = p % 2 ? box[nigh_rng_f64(&rng) < 0.5 ? i : in + i] : box[i] + 0.05 * nigh_rng_f64(&rng);
                assert_ok(ctx, bound_graph_evaluate(g, x, y, NULL));
                for (int k = 0; k < 3; k++)
                    for (int64_t i = 0; i < out; i++) {
                        double room = 1e-13 * (1 + fabs(y[i]));
                        if (!(y[i] >= low[k][i] - room && y[i] <= high[k][i] + room)) fail_msg("%s, seed %d, method %d: %.17g not in [%.17g, %.17g]", name, (int)seed, k, y[i], low[k][i], high[k][i]);
                    }
            }
            for (int64_t i = 0; i < out; i++) {
                double room = 1e-4 * (1 + fabs(high[0][i]) + fabs(low[0][i]));
                assert_true(low[1][i] >= low[0][i] - room && high[1][i] <= high[0][i] + room);
                assert_true(high[2][i] - low[2][i] <= (high[1][i] - low[1][i]) * 1.001 + 1e-9);
            }
            free(box), free(y);
            bound_graph_free(g);
            nigh_network_free(net);
        }
    test_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    const char *name;
    nigh_shape shape;
    nigh_network *net = bounded_network(ctx, 0, 1, &name, &shape);
    double low[6] = {0}, high[6] = {1, 1, 1, -1, 1, 1}, y[8] = {7};
    assert_fails(ctx, nigh_bound_outputs(ctx, net, NIGH_BOUND_INTERVAL, NULL, low, high, y, y + 4), NIGH_INVALID, "input 3");
    high[3] = INFINITY;
    assert_fails(ctx, nigh_bound_outputs(ctx, net, NIGH_BOUND_CROWN, NULL, low, high, y, y + 4), NIGH_INVALID, "finite");
    high[3] = 1;
    assert_fails(ctx, nigh_bound_outputs(ctx, net, (nigh_bound_kind)7, NULL, low, high, y, y + 4), NIGH_INVALID, "kind 7");
    assert_true(y[0] == 7);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    for (int kind = 0; kind < 3; kind++)
        for (long fail_at = 1, ended = 0; !ended; fail_at += fail_at < 300 ? 11 : 83) {
            test_allocator allocator = {0};
            nigh_context *ctx = test_context_failing(&allocator);
            const char *name;
            nigh_shape shape;
            nigh_network *net = bounded_network(ctx, 0, 1, &name, &shape);
            double low[6] = {0}, high[6] = {1, 1, 1, 1, 1, 1}, y[8];
            allocator.fail_at = allocator.count + fail_at;
            nigh_status status = nigh_bound_outputs(ctx, net, (nigh_bound_kind)kind, NULL, low, high, y, y + 4);
            assert_true(status == NIGH_OK || status == NIGH_MEMORY);
            ended = status == NIGH_OK;
            allocator.fail_at = 0;
            nigh_network_free(net);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_misuse), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
