/* Values and gradients of a few points at once: against the plain evaluation, finite differences, and at every CPU level. */
#include "support.h"

#include "nigh/layers.h"
#include "nigh/random.h"
#include "verify/descent_inside.h"

#include <math.h>
#include <string.h>

enum { L = DESCENT_LANES, MOST = 256 };

/* A convolution with groups, strides and padding, a residual, every way that affine maps come in. */
static nigh_network *fields(nigh_context *ctx)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 4, (int64_t[]){1, 5, 6, 2});
    nigh_convolution how = {.stride = {2, 1}, .low = {1, 1}, .high = {1, 0}, .groups = 2};
    int c = nigh_network_conv(net, "c", x, 2, 4, 2, (int64_t[]){3, 2}, &how, true);
    c = nigh_network_layer(net, "tanh", "t", 1, &c);
    c = nigh_network_add(net, "average-pool", "p", 1, &c, 0, NULL, 2, (nigh_attribute[]){{"window_0", 3, NULL}, {"window_1", 2, NULL}});
    c = nigh_network_layer(net, "flatten", "f", 1, &c);
    int h = nigh_network_linear(net, "h", c, 12, 12, true);
    h = nigh_network_layer(net, "gelu", "g", 1, &h);
    h = nigh_network_layer(net, "add", "sum", 2, (int[]){h, c});
    h = nigh_network_layer(net, "silu", "s", 1, &h);
    nigh_network_output(net, nigh_network_linear(net, "y", h, 12, 3, true));
    assert_ok(ctx, nigh_network_status(net));
    nigh_parameters_draw(nigh_network_parameters(net), 4);
    return net;
}

static void test_gradients(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = fields(ctx);
    bound_graph *graph;
    descent *d;
    assert_ok(ctx, bound_graph_new(ctx, net, nigh_network_input_shape(net, 0), false, &graph));
    assert_ok(ctx, descent_new(ctx, graph, &d));
    static double x[MOST * L], weight[3 * L], plain[MOST], y[3], gradient[MOST * L];
    nigh_rng rng = nigh_rng_new(1, 0);
    for (int i = 0; i < graph->inputs * L; i++) x[i] = nigh_rng_normal(&rng);
    for (int i = 0; i < 3 * L; i++) weight[i] = nigh_rng_normal(&rng);
    const double *values = descent_values(d, x);
    for (int l = 0; l < L; l++) {
        for (int i = 0; i < graph->inputs; i++) plain[i] = x[i * L + l];
        assert_ok(ctx, bound_graph_evaluate(graph, plain, y, NULL));
        for (int k = 0; k < 3; k++) assert_near(values[k * L + l], y[k], 1e-12, 1e-12);
    }
    memcpy(gradient, descent_gradient(d, weight), (size_t)graph->inputs * L * sizeof *gradient);
    for (int l = 0; l < L; l++) {
        int i = (int)nigh_rng_below(&rng, (uint64_t)graph->inputs);
        double step[2] = {0, 0}, h = 1e-5;
        for (int side = 0; side < 2; side++) {
            for (int j = 0; j < graph->inputs; j++) plain[j] = x[j * L + l] + (j == i ? (side ? h : -h) : 0);
            assert_ok(ctx, bound_graph_evaluate(graph, plain, y, NULL));
            for (int k = 0; k < 3; k++) step[side] += weight[k * L + l] * y[k];
        }
        assert_near(gradient[i * L + l], (step[1] - step[0]) / (2 * h), 1e-8, 1e-6);
    }
    descent_free(d);
    bound_graph_free(graph);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Every level gives what the scalar one gives. */
static void test_levels(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = fields(ctx);
    bound_graph *graph;
    assert_ok(ctx, bound_graph_new(ctx, net, nigh_network_input_shape(net, 0), false, &graph));
    const descent_passes *tables[] = {&descent_passes_scalar, &descent_passes_avx2, &descent_passes_avx512};
    static double from[MOST * L], to[3][MOST * L];
    nigh_rng rng = nigh_rng_new(2, 0);
    int seen = 0;
    for (int k = 1; k < graph->nodes; k++) {
        const bound_node *n = &graph->node[k];
        if (n->kind == BOUND_ACTIVATION || n->kind == BOUND_SUM) continue;
        int64_t in = graph->node[n->input[0]].size;
        for (int back = 0; back < 2; back++) {
            for (int i = 0; i < MOST * L; i++) from[i] = nigh_rng_normal(&rng), to[0][i] = to[1][i] = to[2][i] = 0.5;
            for (int level = 0; level <= (int)nigh_cpu(); level++) {
                const descent_passes *p = tables[level];
                if (n->kind == BOUND_DENSE) (back ? p->dense_backward : p->dense_forward)(n, in, from, to[level]);
                if (n->kind == BOUND_SPARSE) p->sparse_pass(n, from, to[level], back);
                if (n->kind == BOUND_CONVOLUTION) p->window_pass(n, from, to[level], back);
                for (int64_t i = 0; i < (back ? in : n->size) * L; i++) assert_near(to[level][i], to[0][i], 1e-12, 1e-12);
            }
            seen++;
        }
    }
    assert_true(seen >= 6);
    bound_graph_free(graph);
    nigh_network_free(net);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients), cmocka_unit_test(test_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
