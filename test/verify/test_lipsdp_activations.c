/* Certified Lipschitz constants: constants known exactly, other solvers' figures, paths, cuts, networks, bad input, failing memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nigh/lipsdp.h"
#include "nigh/onnx.h"
#include "nigh/random.h"
#include "support.h"

enum { MOST = 6 };

typedef struct layers {
    int layers;
    nigh_lipschitz_layer layer[MOST];
    double *weight[MOST], vector[MOST][64];
} layers;

static layers net_new(int count, const int64_t *size, nigh_lipschitz_kind kind, int64_t group, uint64_t seed)
{
    layers n = {.layers = count};
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int k = 0; k < count; k++) {
        n.weight[k] = malloc((size_t)(size[k] * size[k + 1]) * sizeof(double));
        for (int64_t i = 0; i < size[k] * size[k + 1]; i++) n.weight[k][i] = nigh_rng_normal(&rng) / sqrt((double)size[k]);
        n.layer[k] = (nigh_lipschitz_layer){.inputs = size[k], .units = size[k + 1], .outputs = size[k + 1], .weight = n.weight[k], .kind = k + 1 < count ? kind : NIGH_LIPSCHITZ_LINEAR,
                                            .slope = {-0.2, 0.7}, .group = group};
        for (int i = 0; i < 64; i++) n.vector[k][i] = nigh_rng_normal(&rng);
    }
    return n;
}

static void set_vectors(layers *n)
{
    for (int k = 0; k < n->layers; k++) n->layer[k].vector = n->vector[k];
}

static void net_free(layers *n)
{
    for (int k = 0; k < n->layers; k++) free(n->weight[k]);
}

static nigh_lipschitz_result bound(nigh_context *ctx, const layers *n, nigh_lipschitz_options o)
{
    nigh_lipschitz_result r;
    assert_ok(ctx, nigh_lipschitz_layers(ctx, n->layers, n->layer, &o, &r));
    if (!(r.bound <= r.naive && r.lower <= r.bound * (1 + 1e-9))) fail_msg("bound %.17g, product %.17g, lower %.17g", r.bound, r.naive, r.lower);
    if (o.samples >= 0) assert_true(r.sampled <= r.bound * (1 + 1e-9));
    return r;
}

static double bound_only(nigh_context *ctx, const layers *n, nigh_lipschitz_options o)
{
    nigh_lipschitz_result r = bound(ctx, n, o);
    double b = r.bound;
    nigh_lipschitz_result_free(ctx, &r);
    return b;
}

/* Between identities every activation that keeps lengths of differences has constant 1; a product of norms is exact for a line. */
static void test_identities(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t size[] = {6, 6, 6};
    const nigh_lipschitz_kind kinds[] = {NIGH_LIPSCHITZ_RELU, NIGH_LIPSCHITZ_SORT, NIGH_LIPSCHITZ_HOUSEHOLDER, NIGH_LIPSCHITZ_SLOPE, NIGH_LIPSCHITZ_LINEAR};
    for (int i = 0; i < 5; i++)
        for (int64_t group = 2; group <= 6; group *= group == 2 ? 1.5 : 2) {
            layers n = net_new(2, size, kinds[i], group, 1);
            set_vectors(&n);
            for (int k = 0; k < 2; k++)
                for (int j = 0; j < 36; j++) n.weight[k][j] = j % 7 == 0;
            double b = bound_only(ctx, &n, (nigh_lipschitz_options){.gap = 1e-8});
            double exact = kinds[i] == NIGH_LIPSCHITZ_SLOPE ? 0.7 : 1;
            assert_near(b, exact, 0, 1e-6);
            assert_true(b >= exact);
            net_free(&n);
        }
    test_context_free(ctx);
}

/* sup of a one-layer MaxMin network: all ways of swapping its pairs. */
static double by_swaps(const layers *n)
{
    const int64_t d = n->layer[0].inputs, k = n->layer[0].units, m = n->layer[1].units;
    double best = 0;
    for (int swap = 0; swap < 1 << (k / 2); swap++) {
        double product[64] = {0}, x[16], y[16], size = 0;
        for (int64_t o = 0; o < m; o++)
            for (int64_t i = 0; i < k; i++)
                for (int64_t j = 0; j < d; j++) product[o * d + j] += n->weight[1][o * k + (swap >> (i / 2) & 1 ? i ^ 1 : i)] * n->weight[0][i * d + j];
        for (int64_t j = 0; j < d; j++) x[j] = 1 + 0.1 * (double)j;
        for (int step = 0; step < 500; step++) {
            memset(y, 0, sizeof y);
            for (int64_t o = 0; o < m; o++)
                for (int64_t j = 0; j < d; j++) y[o] += product[o * d + j] * x[j];
            memset(x, 0, sizeof x);
            for (int64_t o = 0; o < m; o++)
                for (int64_t j = 0; j < d; j++) x[j] += product[o * d + j] * y[o];
            size = 0;
            for (int64_t j = 0; j < d; j++) size += x[j] * x[j];
            for (int64_t j = 0; j < d; j++) x[j] /= sqrt(size);
        }
        best = fmax(best, sqrt(sqrt(size)));
    }
    return best;
}

static void test_exact(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t size[] = {8, 8, 4};
    double ratio = 0;
    for (int trial = 0; trial < 10; trial++) {
        layers n = net_new(2, size, NIGH_LIPSCHITZ_SORT, 2, (uint64_t)(10 + trial));
        double exact = by_swaps(&n), b = bound_only(ctx, &n, (nigh_lipschitz_options){.gap = 1e-6});
        assert_true(b >= exact * (1 - 1e-12));
        ratio += b / exact / 10;
        net_free(&n);
    }
    assert_true(ratio < 1.1);
    test_context_free(ctx);
}

/* Networks of sin(k), whose bounds cvxpy with clarabel gives as this; relu as leaky slopes; scaling by powers of two. */
static void test_other_solver(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t size[] = {12, 16, 16, 16, 3};
    layers n = net_new(4, size, NIGH_LIPSCHITZ_RELU, 2, 1);
    for (int k = 0; k < 4; k++)
        for (int64_t i = 0; i < size[k] * size[k + 1]; i++) n.weight[k][i] = sin(1 + 12.9898 * (double)i + 78.233 * k) * 1.5 / sqrt((double)size[k]);
    double b = bound_only(ctx, &n, (nigh_lipschitz_options){.gap = 1e-6, .samples = 8});
    assert_near(b, 22.528574842, 0, 1e-5);
    for (int k = 0; k < 4; k++) n.layer[k].slope[0] = 0, n.layer[k].slope[1] = 1, n.layer[k].kind = k < 3 ? NIGH_LIPSCHITZ_SLOPE : NIGH_LIPSCHITZ_LINEAR;
    assert_near(bound_only(ctx, &n, (nigh_lipschitz_options){.gap = 1e-6}), b, 0, 1e-6);
    for (int k = 0; k < 4; k++)
        for (int64_t i = 0; i < size[k] * size[k + 1]; i++) n.weight[k][i] *= k % 2 ? 0x1p-40 : 0x1p43;
    assert_near(bound_only(ctx, &n, (nigh_lipschitz_options){.gap = 1e-6}), b * 64, 0, 1e-5);
    net_free(&n);
    test_context_free(ctx);
}

/* Cuts are looser than the whole and tighter than the product; the 2-norm of one output is below that of all; the infinity-norm's is at least a sampled slope. */
static void test_order(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t size[] = {20, 12, 12, 12, 12, 3};
    const nigh_lipschitz_kind kinds[] = {NIGH_LIPSCHITZ_RELU, NIGH_LIPSCHITZ_SORT, NIGH_LIPSCHITZ_HOUSEHOLDER, NIGH_LIPSCHITZ_SLOPE};
    for (int i = 0; i < 4; i++) {
        layers n = net_new(5, size, kinds[i], 3, 7);
        set_vectors(&n);
        nigh_lipschitz_result whole = bound(ctx, &n, (nigh_lipschitz_options){.samples = 16}), two = bound(ctx, &n, (nigh_lipschitz_options){.split = 2}),
                              one = bound(ctx, &n, (nigh_lipschitz_options){.split = 1}), most = bound(ctx, &n, (nigh_lipschitz_options){.most = 20}),
                              inf = bound(ctx, &n, (nigh_lipschitz_options){.norm = NIGH_LIPSCHITZ_INF, .samples = 16});
        assert_true(whole.pieces == 1 && two.pieces == 2 && one.pieces == 3 && most.pieces > 1);
        assert_true(whole.bound <= two.bound * 1.001 && two.bound <= one.bound * 1.001 && one.bound <= one.naive && whole.bound < 0.9 * whole.naive);
        assert_true(inf.count == 3 && inf.bound >= inf.each[0] && inf.bound >= inf.each[1] && inf.bound >= inf.each[2]);
        assert_int_equal(whole.normalised, kinds[i] == NIGH_LIPSCHITZ_HOUSEHOLDER);
        const double rows[6] = {1, 0, 0, 1, -1, 0};
        nigh_lipschitz_result some = bound(ctx, &n, (nigh_lipschitz_options){.rows = 2, .row = rows});
        assert_true(some.count == 2 && some.each[0] <= whole.bound * 1.001 && some.each[1] <= whole.bound * sqrt(2) * 1.001);
        nigh_lipschitz_result *all[] = {&whole, &two, &one, &most, &inf, &some};
        for (int k = 0; k < 6; k++) nigh_lipschitz_result_free(ctx, all[k]);
        net_free(&n);
    }
    test_context_free(ctx);
}

/* y = x + G phi(W x): between 1 of the path that passes and the sum of norms; with G = -W^T and relu it does not stretch at all. */
static void test_residual(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 8 };
    const int64_t size[] = {N, N};
    double skip[N * N] = {0}, after[N * N];
    layers n = net_new(1, size, NIGH_LIPSCHITZ_RELU, 2, 3);
    n.layer[0].kind = NIGH_LIPSCHITZ_RELU;
    for (int i = 0; i < N; i++) skip[i * N + i] = 1;
    for (int i = 0; i < N * N; i++) n.weight[0][i] *= 0.5;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) after[i * N + j] = -n.weight[0][j * N + i];
    n.layer[0].skip = skip, n.layer[0].after = after;
    nigh_lipschitz_result r = bound(ctx, &n, (nigh_lipschitz_options){.gap = 1e-7, .samples = 8});
    assert_near(r.bound, 1, 0, 1e-5);
    assert_true(r.naive > 1.3);
    nigh_lipschitz_result_free(ctx, &r);
    net_free(&n);
    test_context_free(ctx);
}

static void test_slope_at(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t size[] = {2, 2, 2};
    layers n = net_new(2, size, NIGH_LIPSCHITZ_SORT, 2, 1);
    const double w1[4] = {1, 0, 0, 3}, w2[4] = {1, 0, 0, 5}, row[2] = {1, 1}, up[2] = {1, 1}, down[2] = {1, -1};
    memcpy(n.weight[0], w1, sizeof w1), memcpy(n.weight[1], w2, sizeof w2);
    double slope;
    assert_ok(ctx, nigh_lipschitz_at(ctx, 2, n.layer, NIGH_LIPSCHITZ_L2, NULL, up, 60, &slope)); /* (3 x2, 5 x1) */
    assert_near(slope, 5, 0, 1e-9);
    assert_ok(ctx, nigh_lipschitz_at(ctx, 2, n.layer, NIGH_LIPSCHITZ_L2, NULL, down, 60, &slope)); /* (x1, 15 x2) */
    assert_near(slope, 15, 0, 1e-9);
    assert_ok(ctx, nigh_lipschitz_at(ctx, 2, n.layer, NIGH_LIPSCHITZ_INF, row, up, 0, &slope));
    assert_near(slope, 8, 0, 1e-12);
    net_free(&n);
    test_context_free(ctx);
}

/* ---- networks ------------------------------------------------------------------------------------------------- */

/* linear, the activation (kind, or MaxMin as two maxima of halves when NULL), linear. */
static nigh_network *network(nigh_context *ctx, const char *kind, double group)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 5});
    x = nigh_network_linear(net, "first", x, 5, 8, true);
    if (kind) x = nigh_network_add(net, kind, "act", 1, &x, 0, NULL, group > 0, (nigh_attribute[]){{"group", group, NULL}});
    else {
        int half[2], part[2];
        for (int k = 0; k < 2; k++)
            half[k] = nigh_network_add(net, "slice", k ? "odd" : "even", 1, &x, 0, NULL, 4,
                                       (nigh_attribute[]){{"axis", 1, NULL}, {"start", k, NULL}, {"step", 2, NULL}, {"end", 8, NULL}});
        part[0] = nigh_network_layer(net, "max", "larger", 2, half), part[1] = nigh_network_layer(net, "min", "smaller", 2, half);
        x = nigh_network_add(net, "concat", "both", 2, part, 0, NULL, 1, (nigh_attribute[]){{"axis", 1, NULL}});
    }
    nigh_network_output(net, nigh_network_linear(net, "last", x, 8, 3, true));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 4));
    return net;
}

static nigh_lipschitz_result bound_network(nigh_context *ctx, nigh_network *net, nigh_lipschitz_options o)
{
    nigh_lipschitz_result r;
    assert_ok(ctx, nigh_lipschitz_network(ctx, net, &o, &r));
    assert_true(r.sampled <= r.bound * (1 + 1e-9) && r.bound <= r.naive);
    return r;
}

/* The same as layers in hand; the order of the last layer's rows is that of `permuted` units. */
static double as_layers(nigh_context *ctx, nigh_network *net, nigh_lipschitz_kind kind, int64_t group, bool permuted)
{
    nigh_parameters *p = nigh_network_parameters(net);
    const float *w1 = nigh_parameters_data(p, 0), *w2 = nigh_parameters_data(p, 2);
    double a[40], b[24];
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 5; j++) a[i * 5 + j] = w1[j * 8 + i];
    for (int o = 0; o < 3; o++)
        for (int i = 0; i < 8; i++) b[o * 8 + i] = w2[(permuted ? i / 2 + i % 2 * 4 : i) * 3 + o];
    const nigh_lipschitz_layer both[2] = {{.inputs = 5, .units = 8, .outputs = 8, .weight = a, .kind = kind, .group = group},
                                            {.inputs = 8, .units = 3, .outputs = 3, .weight = b}};
    nigh_lipschitz_result r;
    assert_ok(ctx, nigh_lipschitz_layers(ctx, 2, both, &(nigh_lipschitz_options){.gap = 1e-7}, &r));
    double value = r.bound;
    nigh_lipschitz_result_free(ctx, &r);
    return value;
}

static void test_networks(void **state)
{
    nigh_context *ctx = test_context_new();
    const struct {
        const char *kind;
        int64_t group, relus_as;
        nigh_lipschitz_kind same;
        int64_t multipliers;
    } cases[] = {{"relu", 0, 0, NIGH_LIPSCHITZ_RELU, 9}, {"max-min", 0, 0, NIGH_LIPSCHITZ_SORT, 5}, {"group-sort", 4, 0, NIGH_LIPSCHITZ_SORT, 3}, {NULL, 0, 0, NIGH_LIPSCHITZ_SORT, 5},
                 {"relu", 0, 4, NIGH_LIPSCHITZ_SORT, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_network *net = network(ctx, cases[i].kind, (double)cases[i].group);
        nigh_lipschitz_result r = bound_network(ctx, net, (nigh_lipschitz_options){.gap = 1e-7, .group = cases[i].relus_as, .samples = 16});
        int64_t group = cases[i].group ? cases[i].group : cases[i].relus_as ? cases[i].relus_as : 2;
        assert_int_equal(r.multipliers, cases[i].multipliers);
        assert_near(r.bound, as_layers(ctx, net, cases[i].same, group, !cases[i].kind), 0, 1e-6);
        nigh_lipschitz_result_free(ctx, &r);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Through ONNX, which has no sorting: maxima and minima of pairs are found again, also written with two relus a pair. */
static void test_onnx(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = network(ctx, NULL, 0), *back;
    nigh_buffer bytes = {.ctx = ctx};
    const nigh_shape shape = {NIGH_F32, 2, {-1, 5}};
    assert_ok(ctx, nigh_onnx_format(net, &shape, &bytes));
    assert_ok(ctx, nigh_onnx_parse(ctx, bytes.data, bytes.size, "pairs", &back));
    nigh_lipschitz_result r = bound_network(ctx, net, (nigh_lipschitz_options){.gap = 1e-6, .samples = 4}), again = bound_network(ctx, back, (nigh_lipschitz_options){.gap = 1e-6, .samples = 4});
    assert_int_equal(again.multipliers, 5);
    assert_near(again.bound, r.bound, 0, 1e-6);
    nigh_lipschitz_result_free(ctx, &r);
    nigh_lipschitz_result_free(ctx, &again);
    nigh_buffer_free(&bytes);
    nigh_network_free(back);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* max = b + relu(a - b), min = b - relu(b - a): two relus whose arguments are opposite share a unit; with biases in between they must not. */
static void test_shared(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int shifted = 0; shifted < 2; shifted++) {
        nigh_network *net;
        assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
        int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 4}), half[2], two[2], relu[2], out[2];
        x = nigh_network_linear(net, "first", x, 4, 4, true);
        for (int k = 0; k < 2; k++)
            half[k] = nigh_network_add(net, "slice", k ? "right" : "left", 1, &x, 0, NULL, 4,
                                       (nigh_attribute[]){{"axis", 1, NULL}, {"start", 2 * k, NULL}, {"step", 1, NULL}, {"end", 2 * k + 2, NULL}});
        for (int k = 0; k < 2; k++) {
            two[0] = half[k], two[1] = half[1 - k];
            relu[k] = nigh_network_layer(net, "sub", k ? "b-a" : "a-b", 2, two);
            if (shifted && k) relu[k] = nigh_network_add(net, "affine", "shift", 1, &relu[k], 0, NULL, 1, (nigh_attribute[]){{"shift", 0.5, NULL}});
            relu[k] = nigh_network_layer(net, "relu", k ? "relu b-a" : "relu a-b", 1, &relu[k]);
        }
        two[0] = half[1], two[1] = relu[0], out[0] = nigh_network_layer(net, "add", "larger", 2, two);
        two[0] = half[1], two[1] = relu[1], out[1] = nigh_network_layer(net, "sub", "smaller", 2, two);
        nigh_network_output(net, nigh_network_add(net, "concat", "both", 2, out, 0, NULL, 1, (nigh_attribute[]){{"axis", 1, NULL}}));
        assert_ok(ctx, nigh_network_status(net));
        assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 6));
        nigh_lipschitz_result r = bound_network(ctx, net, (nigh_lipschitz_options){.samples = 64});
        assert_int_equal(r.multipliers, shifted ? 5 : 3);
        nigh_lipschitz_result_free(ctx, &r);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Every element-wise activation: slopes of random points are within the bound, and of identity weights within the activation's slopes. */
static void test_elementwise(void **state)
{
    nigh_context *ctx = test_context_new();
    const char *const kinds[] = {"relu", "leaky-relu", "tanh", "sigmoid", "softplus", "elu", "abs", "sin", "cos", "gelu", "gelu-tanh", "silu", "clamp"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        nigh_network *net = network(ctx, kinds[i], 0);
        nigh_lipschitz_result r = bound_network(ctx, net, (nigh_lipschitz_options){.samples = 64});
        assert_true(r.sampled > 0.1 * r.bound);
        nigh_lipschitz_result_free(ctx, &r);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* A convolution with pairs of channels sorted, flattened, linear: as its matrix. */
static void test_convolution(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, 5, 5, 1}), w = nigh_network_weight(net, "kernel", 4, (int64_t[]){3, 3, 1, 4}, nigh_init_he_normal(9));
    x = nigh_network_add(net, "conv", "conv", 1, &x, 1, &w, 1, (nigh_attribute[]){{"stride", 2, NULL}});
    x = nigh_network_layer(net, "max-min", "act", 1, &x);
    x = nigh_network_add(net, "reshape", "flat", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "-1,16"}});
    nigh_network_output(net, nigh_network_linear(net, "last", x, 16, 2, false));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 4));
    nigh_lipschitz_result r = bound_network(ctx, net, (nigh_lipschitz_options){.samples = 32});
    assert_int_equal(r.multipliers, 1 + 8);
    assert_true(r.bound < 1.6 * r.sampled);
    nigh_lipschitz_result_free(ctx, &r);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* ---- bad input ------------------------------------------------------------------------------------------------- */

static void test_bad(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t size[] = {4, 6, 3};
    nigh_lipschitz_result r;
    nigh_lipschitz_options o = {.samples = -1};
    layers n = net_new(2, size, NIGH_LIPSCHITZ_SORT, 4, 1);
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "groups of 4 do not divide its 6");
    n.layer[0].kind = (nigh_lipschitz_kind)9;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "unknown kind");
    n.layer[0].kind = NIGH_LIPSCHITZ_HOUSEHOLDER, n.layer[0].group = 2;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "without vector");
    memset(n.vector, 0, sizeof n.vector);
    n.layer[0].vector = n.vector[0];
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "must be a direction");
    n.layer[0].kind = NIGH_LIPSCHITZ_SLOPE, n.layer[0].slope[1] = -1;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "slopes");
    n.layer[0].kind = NIGH_LIPSCHITZ_RELU, n.layer[1].inputs = 5;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "layer 1 has 5 inputs, the layer before it 6");
    n.layer[1].inputs = 6, n.weight[1][3] = NAN;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "nan at place 3");
    n.weight[1][3] = 1, o.gap = 2;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "gap is 2");
    o.gap = 0, o.norm = NIGH_LIPSCHITZ_INF, o.split = 1;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_INVALID, "cut into parts");
    o.split = 0, o.most = 3;
    assert_fails(ctx, nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r), NIGH_UNSUPPORTED, "infinity norm are not cut");
    o.norm = NIGH_LIPSCHITZ_L2, o.most = 0;
    for (int i = 0; i < 24; i++) n.weight[0][i] = 1e200;
    for (int i = 0; i < 18; i++) n.weight[1][i] = 1e200;
    assert_true(nigh_lipschitz_layers(ctx, 2, n.layer, &o, &r) != NIGH_OK);
    for (int i = 0; i < 18; i++) n.weight[1][i] = 0;
    for (int i = 0; i < 24; i++) n.weight[0][i] = 1;
    r = bound(ctx, &n, o);
    assert_true(r.bound >= 0 && r.bound < 1e-250);
    nigh_lipschitz_result_free(ctx, &r);
    net_free(&n);
    nigh_network *net = network(ctx, "group-sort", 3);
    assert_true(nigh_lipschitz_network(ctx, net, &o, &r) == NIGH_INVALID);
    nigh_network_free(net);
    net = network(ctx, "exp", 0);
    assert_fails(ctx, nigh_lipschitz_network(ctx, net, &o, &r), NIGH_UNSUPPORTED, "act");
    nigh_network_free(net);
    test_context_free(ctx);
}

/* The solver is stopped at once: what comes out is still proved. */
static void test_early(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t size[] = {10, 30, 30, 4};
    layers n = net_new(3, size, NIGH_LIPSCHITZ_RELU, 2, 2);
    nigh_lipschitz_result r = bound(ctx, &n, (nigh_lipschitz_options){.seconds = 1e-9, .samples = 8}), full = bound(ctx, &n, (nigh_lipschitz_options){.samples = -1});
    assert_true(r.early && !full.early && r.bound >= full.lower);
    nigh_lipschitz_result_free(ctx, &r);
    nigh_lipschitz_result_free(ctx, &full);
    net_free(&n);
    test_context_free(ctx);
}

static void test_memory(void **state)
{
    const int64_t size[] = {4, 4, 4, 2};
    layers n = net_new(3, size, NIGH_LIPSCHITZ_SORT, 2, 1);
    test_allocator count = {0};
    nigh_context *ctx = test_context_failing(&count);
    nigh_network *net = network(ctx, "max-min", 0);
    nigh_context *own = nigh_network_context(net);
    for (long fail = 1; fail < 400; fail++) {
        nigh_lipschitz_result r;
        count.fail_at = count.count + fail;
        nigh_status first = nigh_lipschitz_layers(ctx, 3, n.layer, NULL, &r);
        if (!first) nigh_lipschitz_result_free(ctx, &r);
        count.fail_at = count.count + fail;
        nigh_status second = nigh_lipschitz_network(own, net, NULL, &r);
        if (!second) nigh_lipschitz_result_free(ctx, &r);
        count.fail_at = 0;
        assert_true((!first || first == NIGH_MEMORY) && (!second || second == NIGH_MEMORY));
        if (!first && !second) break;
        assert_true(fail < 399);
    }
    nigh_network_free(net);
    nigh_context_free(ctx);
    assert_int_equal(count.live, 0);
    net_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),  cmocka_unit_test(test_exact),    cmocka_unit_test(test_other_solver), cmocka_unit_test(test_order),
        cmocka_unit_test(test_residual),    cmocka_unit_test(test_slope_at), cmocka_unit_test(test_networks),     cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_convolution), cmocka_unit_test(test_bad),      cmocka_unit_test(test_early),        cmocka_unit_test(test_memory),       cmocka_unit_test(test_onnx),    cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
