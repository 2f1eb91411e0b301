/* Every kind of layer as a graph of bounds: the graph's values are the network's, also after a way through ONNX; kinds without bounds are named. */
#include "bounded.h"
#include "networks.h"
#include "nigh/onnx.h"
#include "support.h"
#include "verify/graph.h"

#include <math.h>
#include <string.h>

enum { SEEDS = 24 };

/* The outputs in f64: by the plain rules, or on a tape for kinds that have none. */
static void evaluate(nigh_context *ctx, nigh_network *net, nigh_array *x, nigh_array *y)
{
    nigh_network *copy;
    if (nigh_network_evaluate_f64(net, x, y) == NIGH_OK) return;
    assert_ok(ctx, nigh_network_clone(net, NIGH_F64, &copy));
    run_on_tape(copy, x, y);
    nigh_network_free(copy);
}

static void compare(nigh_context *ctx, const char *name, nigh_network *net, const nigh_shape *shape, bool with_inputs, uint64_t seed)
{
    bound_graph *g;
    nigh_array x, y;
    assert_ok(ctx, bound_graph_new(ctx, net, shape, with_inputs, &g));
    assert_ok(ctx, nigh_array_new(ctx, shape, &x));
    double *out = nigh_alloc(ctx, (size_t)g->node[g->output].size * sizeof *out);
    for (int i = 0; i < 3; i++) {
        fill_uniform(&x, -1, 1, seed + (uint64_t)i);
        evaluate(ctx, net, &x, &y);
        assert_ok(ctx, bound_graph_evaluate(g, x.data, out, NULL));
        assert_int_equal(g->outputs, nigh_shape_count(&y.shape));
        for (int64_t k = 0; k < g->outputs; k++) {
            double want = ((double *)y.data)[k];
            if (!(fabs(out[k] - want) <= 1e-12 * (1 + fabs(want)))) fail_msg("%s, seed %d: output %d is %.17g, not %.17g", name, (int)seed, (int)k, out[k], want);
        }
        for (int64_t k = g->outputs; k < g->node[g->output].size; k++) assert_true(out[k] == ((double *)x.data)[k - g->outputs]);
        nigh_array_free(ctx, &y);
    }
    assert_true(g->node[g->output].size == g->outputs + (with_inputs ? g->inputs : 0));
    nigh_free(ctx, out);
    nigh_array_free(ctx, &x);
    bound_graph_free(g);
}

static void test_kinds(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int which = 0; which < bounded_networks(); which++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            const char *name;
            nigh_shape shape;
            nigh_network *net = bounded_network(ctx, which, seed, &name, &shape);
            compare(ctx, name, net, &shape, seed % 4 == 3, seed);
            nigh_network_free(net);
        }
    test_context_free(ctx);
}

/* What ONNX has no form for is passed over; most has one. */
static void test_onnx(void **state)
{
    nigh_context *ctx = test_context_new();
    int written = 0;
    for (int which = 0; which < bounded_networks(); which++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            const char *name;
            nigh_shape shape, as_f32;
            nigh_network *net = bounded_network(ctx, which, seed, &name, &shape), *back;
            nigh_buffer bytes = {.ctx = ctx};
            as_f32 = shape;
            as_f32.dtype = NIGH_F32;
            nigh_status status = nigh_onnx_format(net, &as_f32, &bytes);
            if (status) assert_int_equal(status, NIGH_UNSUPPORTED);
            else if (nigh_onnx_parse(ctx, bytes.data, bytes.size, "network", &back) == NIGH_OK) {
                compare(ctx, name, back, &shape, false, seed);
                nigh_network_free(back);
                written++;
            }
            nigh_buffer_free(&bytes);
            nigh_network_free(net);
        }
    assert_true(written > 60);
    test_context_free(ctx);
}

/* Dense layers take moved elements into their columns, scales go into their neighbours, padding and channels-first cost one sparse map at most. */
static void test_small(void **state)
{
    nigh_context *ctx = test_context_new();
    static const struct { int which, sparse; } most[] = {{0, 0}, {8, 1}, {9, 1}, {10, 0}, {7, 0}};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        const char *name;
        nigh_shape shape;
        nigh_network *net = bounded_network(ctx, most[i].which, 1, &name, &shape);
        bound_graph *g;
        assert_ok(ctx, bound_graph_new(ctx, net, &shape, false, &g));
        int sparse = 0;
        for (int k = 0; k < g->nodes; k++) sparse += g->node[k].kind == BOUND_SPARSE;
        if (sparse > most[i].sparse) fail_msg("%s: %d sparse maps", name, sparse);
        bound_graph_free(g);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Builds one layer on [1, 6] and wants this message. */
static void refuse(nigh_context *ctx, const char *kind, int inputs, const char *part)
{
    nigh_network *net;
    bound_graph *g;
    nigh_shape shape = {NIGH_F32, 2, {1, 6}};
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, shape.dim), y = nigh_network_layer(net, "relu", "bent", 1, &x), both[2] = {x, y};
    nigh_network_output(net, nigh_network_layer(net, kind, "culprit", inputs, both));
    assert_ok(ctx, nigh_network_status(net));
    assert_fails(ctx, bound_graph_new(ctx, net, &shape, false, &g), NIGH_UNSUPPORTED, part);
    assert_fails(ctx, bound_graph_new(ctx, net, &shape, false, &g), NIGH_UNSUPPORTED, "culprit");
    nigh_network_free(net);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    refuse(ctx, "softmax", 1, "take it off");
    refuse(ctx, "log-softmax", 1, "take it off");
    refuse(ctx, "layer-norm", 1, "batch norms");
    refuse(ctx, "mul", 2, "product of two results");
    refuse(ctx, "div", 2, "quotient of two results");
    refuse(ctx, "greater", 2, "jumps");
    refuse(ctx, "sign", 1, "sign");
    refuse(ctx, "log", 1, "elementwise");
    nigh_network *net;
    bound_graph *g;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 3});
    nigh_network_output(net, nigh_network_linear(net, "first", x, 3, 2, true));
    assert_true(bound_graph_new(ctx, net, &(nigh_shape){NIGH_F32, 2, {1, 4}}, false, &g) == NIGH_INVALID);
    ((float *)nigh_parameters_data(nigh_network_parameters(net), 0))[2] = NAN;
    assert_fails(ctx, bound_graph_new(ctx, net, &(nigh_shape){NIGH_F32, 2, {-1, 3}}, false, &g), NIGH_INVALID, "first.weight");
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    for (long fail_at = 1, ended = 0; !ended; fail_at += fail_at < 400 ? 7 : 61) {
        test_allocator allocator = {0};
        nigh_context *ctx = test_context_failing(&allocator);
        const char *name;
        nigh_shape shape;
        nigh_network *net = bounded_network(ctx, 8, 1, &name, &shape);
        bound_graph *g = NULL;
        allocator.fail_at = allocator.count + fail_at;
        nigh_status status = bound_graph_new(ctx, net, &shape, true, &g);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        ended = status == NIGH_OK;
        allocator.fail_at = 0;
        bound_graph_free(g);
        nigh_network_free(net);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds), cmocka_unit_test(test_onnx), cmocka_unit_test(test_small), cmocka_unit_test(test_refused), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
