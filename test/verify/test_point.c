/* Enclosures at points: values in 113 bits are inside, and the enclosures are narrow even where terms cancel. */
#include "bounded.h"
#include "networks.h"
#include "support.h"
#include "verify/point.h"

#include "nigh/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE = 60, DEEP = 3 };
typedef __float128 quad;

/* Dense maps with relu between them. */
static void value_quad(int64_t n, double *const *weight, double *const *bias, const double *x, quad *y)
{
    quad a[WIDE], b[WIDE];
    for (int64_t i = 0; i < n; i++) a[i] = x[i];
    for (int l = 0; l < DEEP; l++) {
        for (int64_t i = 0; i < n; i++) {
            b[i] = bias[l][i];
            for (int64_t j = 0; j < n; j++) b[i] += (quad)weight[l][i * n + j] * a[j];
            if (l + 1 < DEEP && b[i] < 0) b[i] = 0;
        }
        memcpy(a, b, sizeof a);
    }
    memcpy(y, a, sizeof a);
}

static void test_exact(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(3, 0);
    double *weight[DEEP], *bias[DEEP], x[WIDE], low[WIDE], high[WIDE];
    for (int l = 0; l < DEEP; l++) weight[l] = malloc(WIDE * WIDE * sizeof(double)), bias[l] = malloc(WIDE * sizeof(double));
    for (int round = 0; round < 200; round++) {
        int64_t n = 1 + (int64_t)(nigh_rng_f64(&rng) * (WIDE - 1)), size[DEEP + 1] = {n, n, n, n};
        quad y[WIDE];
        bound_graph *g;
        for (int l = 0; l < DEEP; l++) {
            for (int64_t i = 0; i < n * n; i++) weight[l][i] = (float)((2 * nigh_rng_f64(&rng) - 1) * (round % 3 ? 1 : exp2(30 * nigh_rng_f64(&rng))));
            for (int64_t i = 0; i < n; i++) bias[l][i] = (float)(2 * nigh_rng_f64(&rng) - 1);
        }
        for (int64_t i = 0; i < n; i++) x[i] = 2 * nigh_rng_f64(&rng) - 1;
        assert_ok(ctx, bound_graph_chain(ctx, DEEP, size, (const double *const *)weight, (const double *const *)bias, BOUND_RELU, &g));
        assert_ok(ctx, bounds_point(g, x, x, false, low, high));
        value_quad(n, weight, bias, x, y);
        for (int64_t i = 0; i < n; i++) {
            if (!(y[i] >= low[i] && y[i] <= high[i])) fail_msg("round %d: %.17g not in [%.17g, %.17g]", round, (double)y[i], low[i], high[i]);
            if (round % 3) assert_true(high[i] - low[i] < 1e-13 * (double)(n * n));
        }
        bound_graph_free(g);
    }
    for (int l = 0; l < DEEP; l++) free(weight[l]), free(bias[l]);
    test_context_free(ctx);
}

/* 1 + 2^-60 - 1: what f64 alone would lose. */
static void test_cancel(void **state)
{
    nigh_context *ctx = test_context_new();
    const double w[] = {1, 0x1p-60, -1};
    bound_graph *g;
    double low, high;
    assert_ok(ctx, bound_graph_chain(ctx, 1, (int64_t[]){3, 1}, (const double *const[]){w}, (const double *const[]){NULL}, BOUND_RELU, &g));
    assert_ok(ctx, bounds_point(g, (double[]){1, 1, 1}, (double[]){1, 1, 1}, false, &low, &high));
    assert_true(low > 0 && low <= 0x1p-60 && high >= 0x1p-60 && high < 0x1p-59);
    assert_ok(ctx, bounds_point(g, (double[]){1, 1, 1}, (double[]){1, 1, 2}, false, &low, &high));
    assert_true(low <= -1 + 0x1p-60 && high >= 0x1p-60);
    assert_fails(ctx, bounds_point(g, (double[]){1, 2, 1}, (double[]){1, 1, 2}, false, &low, &high), NIGH_INVALID, "input 1");
    assert_ok(ctx, bounds_point(g, (double[]){1e308, 1, -1e308}, (double[]){1e308, 1, -1e308}, false, &low, &high));
    assert_true(low == -INFINITY && high == INFINITY);
    bound_graph_free(g);
    test_context_free(ctx);
}

/* Every kind of layer: the plain value is inside; that of f32 too, with `single`. */
static void test_kinds(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int which = 0; which < bounded_networks(); which++)
        for (uint64_t seed = 0; seed < 12; seed++) {
            const char *name;
            nigh_shape shape;
            nigh_network *net = bounded_network(ctx, which, seed, &name, &shape);
            bound_graph *g;
            nigh_array x, y;
            assert_ok(ctx, bound_graph_new(ctx, net, &shape, false, &g));
            shape.dtype = NIGH_F32;
            assert_ok(ctx, nigh_array_new(ctx, &shape, &x));
            fill_uniform(&x, -1, 1, seed);
            run_on_tape(net, &x, &y);
            double *at = malloc((size_t)g->inputs * sizeof *at), *out = malloc((size_t)(3 * g->outputs) * sizeof *out);
            for (int64_t i = 0; i < g->inputs; i++) at[i] = nigh_array_get(&x, i);
            assert_ok(ctx, bound_graph_evaluate(g, at, out, NULL));
            for (int single = 0; single < 2; single++) {
                double *low = out + g->outputs, *high = low + g->outputs;
                assert_ok(ctx, bounds_point(g, at, at, single, low, high));
                for (int64_t i = 0; i < g->outputs; i++) {
                    double v = single ? nigh_array_get(&y, i) : out[i], room = single ? 0 : 1e-13 * (1 + fabs(v));
                    if (!(v >= low[i] - room && v <= high[i] + room)) fail_msg("%s, seed %d, single %d: %.17g not in [%.17g, %.17g]", name, (int)seed, single, v, low[i], high[i]);
                    assert_true(high[i] - low[i] <= (single ? 1e-2 : 1e-11) * (1 + fabs(v)));
                }
            }
            free(at), free(out);
            nigh_array_free(ctx, &x);
            nigh_array_free(ctx, &y);
            bound_graph_free(g);
            nigh_network_free(net);
        }
    test_context_free(ctx);
}

/* ---- layers taken together ------------------------------------------------------------------------------ */

static quad root(double v, double eps)
{
    quad a = (quad)v + eps, r = sqrtl((long double)a);
    for (int i = 0; i < 2; i++) r -= (r * r - a) / (2 * r);
    return r;
}

enum { IN = 5, MID = 7, OUT = 4 };

/* scale x + shift, times a and plus b by channel, over c, dense, batch norm, gate, relu, dense: most of it becomes two dense nodes. */
static void build(nigh_network *net, const char *const *names)
{
    static const int64_t size[] = {IN, IN, IN, MID, MID, MID, MID, MID};
    int w[8], x = nigh_network_input(net, "x", 2, (int64_t[]){1, IN});
    for (int i = 0; i < 8; i++) w[i] = nigh_network_weight(net, names[i], 1, &size[i], nigh_init_he_normal(1));
    x = nigh_network_add(net, "affine", "moved", 1, &x, 0, NULL, 2, (nigh_attribute[]){{"scale", 0.1, NULL}, {"shift", 0.7, NULL}});
    x = nigh_network_add(net, "channel-affine", "scaled", 1, &x, 2, w, 0, NULL);
    int c = nigh_network_add(net, "constant", "under", 0, NULL, 1, &w[2], 0, NULL);
    x = nigh_network_layer(net, "div", "over", 2, (int[]){x, c});
    x = nigh_network_linear(net, "first", x, IN, MID, true);
    x = nigh_network_add(net, "batch-norm", "normed", 1, &x, 4, w + 3, 0, NULL);
    x = nigh_network_add(net, "gate", "gated", 1, &x, 1, w + 7, 0, NULL);
    x = nigh_network_layer(net, "relu", "bent", 1, &x);
    nigh_network_output(net, nigh_network_linear(net, "last", x, MID, OUT, true));
}

static double at(nigh_network *net, const char *name, int64_t i)
{
    nigh_parameters *set = nigh_network_parameters(net);
    int k = nigh_parameters_find(set, name);
    return nigh_array_get(&(nigh_array){nigh_parameters_at(set, k)->shape, nigh_parameters_data(set, k)}, i);
}

static void network_quad(nigh_network *net, const char *const *n, const double *x, quad *y)
{
    quad a[IN], h[MID];
    for (int i = 0; i < IN; i++) a[i] = ((quad)x[i] * 0.1 + 0.7) * at(net, n[0], i) + at(net, n[1], i), a[i] /= at(net, n[2], i);
    for (int j = 0; j < MID; j++) {
        h[j] = at(net, "first.bias", j);
        for (int i = 0; i < IN; i++) h[j] += a[i] * at(net, "first.weight", i * MID + j);
        h[j] = ((h[j] - at(net, n[3], j)) / root(at(net, n[4], j), 1e-5) * at(net, n[5], j) + at(net, n[6], j)) * at(net, n[7], j);
        if (h[j] < 0) h[j] = 0;
    }
    for (int k = 0; k < OUT; k++) {
        y[k] = at(net, "last.bias", k);
        for (int j = 0; j < MID; j++) y[k] += h[j] * at(net, "last.weight", j * OUT + k);
    }
}

/* What composing layers in f64 is off by is accounted for: enclosures a few 1e-16 wide hold the network's real value. */
static void test_composed(void **state)
{
    static const char *const names[] = {"a", "b", "c", "mean", "variance", "gamma", "beta", "gates"};
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(5, 0);
    for (uint64_t seed = 0; seed < 400; seed++) {
        nigh_network *net;
        bound_graph *g;
        double x[IN], low[OUT], high[OUT];
        quad y[OUT];
        assert_ok(ctx, nigh_network_new(ctx, seed % 2 ? NIGH_F32 : NIGH_F64, &net));
        build(net, names);
        assert_ok(ctx, nigh_network_status(net));
        fill_weights(net, 0.05, 2, 50 * seed);
        nigh_parameters *set = nigh_network_parameters(net);
        for (int k = 0; k < nigh_parameters_count(set); k++) { /* signs, but for what is divided by */
            nigh_array w = {nigh_parameters_at(set, k)->shape, nigh_parameters_data(set, k)};
            for (int64_t i = 0; i < nigh_shape_count(&w.shape) && k != nigh_parameters_find(set, "variance"); i++)
                if (nigh_rng_f64(&rng) < 0.5) nigh_array_set(&w, i, -nigh_array_get(&w, i));
        }
        for (int i = 0; i < IN; i++) x[i] = 2 * nigh_rng_f64(&rng) - 1;
        assert_ok(ctx, bound_graph_new(ctx, net, nigh_network_input_shape(net, 0), false, &g));
        assert_int_equal(g->nodes, 4);
        assert_ok(ctx, bounds_point(g, x, x, false, low, high));
        network_quad(net, names, x, y);
        for (int k = 0; k < OUT; k++) {
            if (!(y[k] >= low[k] && y[k] <= high[k])) fail_msg("seed %d: %.17g not in [%.17g, %.17g]", (int)seed, (double)y[k], low[k], high[k]);
            assert_true(high[k] - low[k] < 1e-9);
        }
        bound_graph_free(g);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_cancel), cmocka_unit_test(test_kinds), cmocka_unit_test(test_composed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
