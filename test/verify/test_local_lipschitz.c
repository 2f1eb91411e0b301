/* Local Lipschitz constants: envelopes on grids, maps and their adjoints, gradients by differences, enumeration of patterns, sampling, bad input, failing memory. */
#include "support.h"

#include "nigh/random.h"
#include "verify/derivative.h"
#include "verify/local_lipschitz.h"
#include "verify/tangent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_context *ctx;
static const double parameter[BOUND_FUNCTIONS][2] = {[BOUND_LEAKY] = {-0.3, 0}, [BOUND_CLIP] = {-0.4, 0.7}, [BOUND_ELU] = {1.3, 0}};

static void fill(nigh_rng *rng, int64_t n, double scale, double *x)
{
    for (int64_t i = 0; i < n; i++) x[i] = scale * nigh_rng_normal(rng);
}

enum { MOST = 40 };

static bound_graph *chain(nigh_context *c, nigh_rng *rng, int layers, const int64_t *size, bound_function f)
{
    static double weight[6][MOST * MOST], bias[6][MOST];
    const double *w[6], *b[6];
    bound_graph *g;
    for (int i = 0; i < layers; i++) {
        fill(rng, size[i] * size[i + 1], sqrt(2.0 / (double)size[i]), weight[i]);
        fill(rng, size[i + 1], 0.1, bias[i]);
        w[i] = weight[i], b[i] = bias[i];
    }
    if (bound_graph_chain(c, layers, size, w, b, f, &g)) return NULL;
    for (int a = 0; a < g->activations; a++) memcpy(g->node[g->activation[a]].p, parameter[f], sizeof parameter[f]);
    return g;
}

/* ---- derivatives, lines -------------------------------------------------------------------------------- */

static void test_derivatives(void **state)
{
    nigh_rng rng = nigh_rng_new(1, 0);
    for (int f = 0; f < BOUND_FUNCTIONS; f++) {
        const double *p = parameter[f];
        for (int k = 0; k < 400; k++) {
            double low = 4 * nigh_rng_normal(&rng), high = low + pow(10, -4 + 5 * nigh_rng_f64(&rng)), l, h, least = INFINITY, most = -INFINITY;
            derivative_enclose((bound_function)f, p, 1, &low, &high, &l, &h);
            for (int i = 0; i <= 500; i++) {
                double x = i == 500 ? high : low + i * (high - low) / 500, d = derivative_at((bound_function)f, p, x);
                if (!(l <= d && d <= h)) fail_msg("function %d on [%g, %g]: %.17g at %g is not in [%.17g, %.17g]", f, low, high, d, x, l, h);
                least = fmin(least, d), most = fmax(most, d);
            }
            if (h > most + 0.02 * (1 + fabs(most)) * fmax(1, high - low) || l < least - 0.02 * (1 + fabs(least)) * fmax(1, high - low)) fail_msg("function %d on [%g, %g]: too wide", f, low, high);
        }
        for (double x = -3.013; x < 3; x += 0.1) {
            double step = 1e-6, slope = (derivative_value((bound_function)f, p, x + step) - derivative_value((bound_function)f, p, x - step)) / (2 * step);
            if (fabs(slope - derivative_at((bound_function)f, p, x)) > 1e-7 * fmax(1, fabs(slope))) fail_msg("function %d at %g: %g by differences", f, x, slope);
            assert_true(fabs(slope) <= derivative_most((bound_function)f, p) + 1e-6);
        }
    }
    double zero = 0, l, h; /* both sides of a kink count */
    derivative_enclose(BOUND_RELU, parameter[BOUND_RELU], 1, &zero, &zero, &l, &h);
    assert_true(l == 0 && h == 1);
}

static void test_lines(void **state)
{
    nigh_rng rng = nigh_rng_new(2, 0);
    jacobian_lines_fn *both[] = {jacobian_hull, jacobian_constants};
    for (int k = 0; k < 20000; k++) {
        double d[2] = {0, 1}, a[2] = {nigh_rng_normal(&rng), nigh_rng_normal(&rng)}, line[4];
        if (k % 2) d[0] = nigh_rng_normal(&rng), d[1] = d[0] + nigh_rng_f64(&rng);
        if (a[0] > a[1]) a[0] = a[1] - 1;
        for (int way = 0; way < 2; way++) {
            both[way](d[0], d[1], a[0], a[1], line);
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 2; j++) {
                    long double p = (long double)d[i] * a[j];
                    assert_true((long double)line[0] * a[j] + line[1] >= p && (long double)line[2] * a[j] + line[3] <= p);
                }
        }
    }
    double line[4];
    jacobian_hull(0, 1, -2, 1, line); /* the lower line is -2 at -2 and 0 at 1 */
    assert_true(fabs(-2 * line[2] + line[3] + 2) < 1e-14 && fabs(line[2] + line[3]) < 1e-14);
    assert_true(fabs(-2 * line[0] + line[1]) < 1e-14 && fabs(line[0] + line[1] - 1) < 1e-14);
}

/* ---- a graph with everything in it ------------------------------------------------------------------------ */

/* 5 x 4 fields of 2 channels: convolution, activation, sparse map, sum with a strided convolution of the input, activation, dense. */
typedef struct mixed {
    bound_graph graph;
    bound_node node[8];
    double w1[3 * 3 * 2 * 4], b1[5 * 4 * 4], w2[2 * 2 * 1 * 4], sparse[60], w3[3 * 24], b3[3];
    int64_t row[25];
    int32_t column[60];
    int activation[2];
} mixed;

static const int in_of[8] = {0, 0, 1, 2, 0, 0, 5, 6};
static const int sum_of[2] = {3, 4};
static const double scales[2] = {1, -1};

static void make_mixed(mixed *m, uint64_t seed, bound_function f)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    memset(m, 0, sizeof *m);
    fill(&rng, 72, 0.4, m->w1), fill(&rng, 80, 0.1, m->b1), fill(&rng, 16, 0.5, m->w2), fill(&rng, 60, 0.7, m->sparse), fill(&rng, 72, 0.3, m->w3);
    for (int i = 0; i < 60; i++) m->column[i] = (int32_t)nigh_rng_below(&rng, 80);
    for (int i = 0; i <= 24; i++) m->row[i] = 60 * i / 24;
    bound_window one = {5, 4, 2, 5, 4, 4, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1}, two = {5, 4, 2, 3, 2, 4, {2, 2}, {2, 2}, {1, 1}, {1, 0}, 2};
    m->node[0] = (bound_node){.kind = BOUND_INPUT, .size = 40};
    m->node[1] = (bound_node){.kind = BOUND_CONVOLUTION, .size = 80, .weight = m->w1, .bias = m->b1, .window = one};
    m->node[2] = (bound_node){.kind = BOUND_ACTIVATION, .size = 80, .function = f};
    m->node[3] = (bound_node){.kind = BOUND_SPARSE, .size = 24, .weight = m->sparse, .row = m->row, .column = m->column};
    m->node[4] = (bound_node){.kind = BOUND_CONVOLUTION, .size = 24, .weight = m->w2, .window = two};
    m->node[5] = (bound_node){.kind = BOUND_SUM, .size = 24, .scale = scales};
    m->node[6] = (bound_node){.kind = BOUND_ACTIVATION, .size = 24, .function = f};
    m->node[7] = (bound_node){.kind = BOUND_DENSE, .size = 3, .weight = m->w3, .bias = m->b3};
    for (int i = 0; i < 8; i++) {
        m->node[i].inputs = i == 0 ? 0 : i == 5 ? 2 : 1, m->node[i].input = i == 5 ? sum_of : &in_of[i];
        memcpy(m->node[i].p, parameter[f], sizeof parameter[f]);
    }
    m->activation[0] = 2, m->activation[1] = 6;
    m->graph = (bound_graph){.ctx = ctx, .nodes = 8, .node = m->node, .output = 7, .inputs = 40, .outputs = 3, .activations = 2, .activation = m->activation};
}

static void test_adjoints(void **state)
{
    mixed m;
    tangent *t;
    nigh_rng rng = nigh_rng_new(3, 0);
    make_mixed(&m, 3, BOUND_RELU);
    assert_ok(ctx, tangent_new(ctx, &m.graph, false, &t));
    void *work = nigh_alloc(ctx, tangent_workspace(t) + 64);
    static double x[150 * 80], y[150 * 80], g[150 * 80], back[150 * 80];
    for (int node = 1; node < 8; node++) {
        if (m.node[node].kind == BOUND_SUM || m.node[node].kind == BOUND_ACTIVATION) continue;
        int64_t in = m.node[m.node[node].input[0]].size, out = m.node[node].size, rows = 149;
        fill(&rng, rows * in, 1, x), fill(&rng, rows * out, 1, g);
        memset(back, 0, sizeof back);
        tangent_forward(t, node, rows, x, y, work);
        tangent_back(t, node, rows, g, back, work);
        for (int64_t r = 0; r < rows; r++) {
            double a = 0, b = 0;
            for (int64_t e = 0; e < out; e++) a += y[r * out + e] * g[r * out + e];
            for (int64_t e = 0; e < in; e++) b += x[r * in + e] * back[r * in + e];
            assert_true(fabs(a - b) < 1e-11 * (1 + fabs(a)));
        }
    }
    nigh_free(ctx, work);
    tangent_free(t);
}

static void test_gradients(void **state)
{
    mixed m;
    sampler *s;
    nigh_rng rng = nigh_rng_new(4, 0);
    double x[40], gradient[40], norm, target[3] = {1, -0.5, 2};
    make_mixed(&m, 4, BOUND_TANH);
    assert_ok(ctx, sampler_new(ctx, &m.graph, 1, &s));
    fill(&rng, 40, 0.5, x);
    sampler_norms(s, JACOBIAN_ONE, false, target, 1, x, &norm, gradient);
    for (int e = 0; e < 40; e++) {
        double step = 1e-6, side[2], y[3], keep = x[e];
        for (int k = 0; k < 2; k++) {
            x[e] = keep + (k ? step : -step);
            assert_ok(ctx, bound_graph_evaluate(&m.graph, x, y, NULL));
            side[k] = y[0] * target[0] + y[1] * target[1] + y[2] * target[2];
        }
        x[e] = keep, norm -= fabs(gradient[e]);
        assert_true(fabs((side[1] - side[0]) / (2 * step) - gradient[e]) < 1e-7);
    }
    assert_true(fabs(norm) < 1e-12);
    sampler_free(s);
}

/* ---- bounds hold ------------------------------------------------------------------------------------------- */

static void hold(const bound_graph *g, const double *low, const double *high, const double *row, const nigh_local_lipschitz_options *options, uint64_t seed)
{
    enum { POINTS = 300 };
    int64_t n = g->inputs;
    nigh_local_lipschitz_result r;
    assert_ok(ctx, lipschitz_graph(ctx, g, low, high, 1, row, options, &r));
    double *x = malloc((size_t)(POINTS * n) * 8), *gradient = malloc((size_t)(POINTS * n) * 8), norm[POINTS];
    nigh_rng rng = nigh_rng_new(seed, 5);
    for (int64_t i = 0; i < POINTS * n; i++) x[i] = low[i % n] + (i / n % 2 ? nigh_rng_f64(&rng) : nigh_rng_u32(&rng) & 1) * (high[i % n] - low[i % n]);
    sampler *s;
    assert_ok(ctx, sampler_new(ctx, g, 1, &s));
    sampler_norms(s, options->norm == NIGH_LOCAL_LIPSCHITZ_TWO ? JACOBIAN_TWO : JACOBIAN_ONE, false, row, POINTS, x, norm, gradient);
    for (int i = 0; i < POINTS; i++) {
        if (!(norm[i] <= r.bound * (1 + 1e-12))) fail_msg("case %d, function %d, norm %d, forward %d, relaxation %d, seconds %g, rerun %d: norm %.17g above the bound %.17g (unsplit %g)", (int)seed, g->node[g->activation[0]].function, options->norm, options->forward, options->relaxation, options->seconds, options->rerun, norm[i], r.bound, r.unsplit);
        for (int64_t e = 0; e < n; e++)
            if (!(gradient[i * n + e] >= r.low[e] - 1e-12 * r.bound && gradient[i * n + e] <= r.high[e] + 1e-12 * r.bound))
                fail_msg("gradient %.17g by input %d is not in [%.17g, %.17g]", gradient[i * n + e], (int)e, r.low[e], r.high[e]);
    }
    assert_true(r.bound <= r.unsplit && r.unsplit <= r.product * (1 + 1e-9));
    if (options->samples) assert_true(r.sampled <= r.bound * (1 + 1e-12));
    sampler_free(s);
    free(x), free(gradient);
    nigh_local_lipschitz_free(ctx, 1, &r);
}

static void test_bounds_hold(void **state)
{
    for (int k = 0; k < 120; k++) {
        nigh_rng rng = nigh_rng_new(7, (uint64_t)k);
        bound_function f = (bound_function)(k % BOUND_FUNCTIONS);
        int64_t size[] = {3 + k % 5, 6 + k % 7, 9, 2};
        bound_graph *g = chain(ctx, &rng, 2 + k % 2, (k % 2 ? size : (int64_t[]){size[0], size[1], 2}), f);
        double low[8], high[8], row[2] = {1, k % 3 ? -1 : 0}, eps = pow(10, -2 + 1.7 * nigh_rng_f64(&rng));
        for (int e = 0; e < size[0]; e++) low[e] = nigh_rng_normal(&rng), high[e] = low[e] + eps;
        nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
        o.norm = (nigh_local_lipschitz_norm)(k / 2 % 2), o.forward = (nigh_bound_kind)(k / 4 % 3), o.samples = 200, o.ascents = 2;
        for (int relaxation = 0; relaxation < 3; relaxation++) {
            o.relaxation = (nigh_local_lipschitz_relaxation)relaxation;
            o.seconds = relaxation == 0 && k % 3 == 0 ? 0.02 : 0, o.rerun = k % 2;
            hold(g, low, high, row, &o, (uint64_t)k);
        }
        bound_graph_free(g);
    }
}

static void test_mixed_bounds_hold(void **state)
{
    static const bound_function function[] = {BOUND_RELU, BOUND_ABS, BOUND_TANH, BOUND_LEAKY};
    for (int k = 0; k < 8; k++) {
        mixed m;
        make_mixed(&m, 20 + (uint64_t)k, function[k % 4]);
        nigh_rng rng = nigh_rng_new(8, (uint64_t)k);
        double low[40], high[40], row[3] = {1, -1, 0.5};
        for (int e = 0; e < 40; e++) low[e] = nigh_rng_normal(&rng), high[e] = low[e] + 0.05;
        nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
        o.norm = (nigh_local_lipschitz_norm)(k % 2), o.samples = 100, o.ascents = 0, o.seconds = 0.05, o.rerun = k / 4;
        for (int relaxation = 0; relaxation < 3; relaxation++, o.seconds = 0) o.relaxation = (nigh_local_lipschitz_relaxation)relaxation, hold(&m.graph, low, high, row, &o, (uint64_t)k);
    }
}

/* ---- exact cases ------------------------------------------------------------------------------------------- */

static void test_exact(void **state)
{
    for (int k = 0; k < 20; k++) {
        nigh_rng rng = nigh_rng_new(9, (uint64_t)k);
        int64_t size[] = {6, 12, 12, 3}, flat[] = {6, 3};
        bound_graph *g = k % 2 ? chain(ctx, &rng, 3, size, BOUND_RELU) : chain(ctx, &rng, 1, flat, BOUND_RELU);
        double low[6], high[6], row[3] = {0, 1, -2}, norm;
        for (int e = 0; e < 6; e++) low[e] = nigh_rng_normal(&rng), high[e] = low[e] + (k % 2 ? 1e-12 : 3);
        sampler *s;
        assert_ok(ctx, sampler_new(ctx, g, 1, &s));
        for (int two = 0; two < 2; two++) {
            nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
            o.norm = (nigh_local_lipschitz_norm)two, o.samples = 0;
            nigh_local_lipschitz_result r;
            assert_ok(ctx, lipschitz_graph(ctx, g, low, high, 1, row, &o, &r));
            sampler_norms(s, two ? JACOBIAN_TWO : JACOBIAN_ONE, false, row, 1, low, &norm, NULL);
            if (!(r.bound >= norm * (1 - 1e-15) && r.bound <= norm * (1 + 1e-10))) fail_msg("%.17g for %.17g", r.bound, norm);
            assert_true(isnan(r.sampled) && r.at == NULL && r.unstable == 0);
            nigh_local_lipschitz_free(ctx, 1, &r);
        }
        sampler_free(s);
        bound_graph_free(g);
    }
}

/* The largest norm over all ends of all unknown derivatives, one by one. */
static double enumerate(const bound_graph *g, const double *low, const double *high, const double *row, jacobian_norm norm, int *unknown)
{
    jacobian_batch batch;
    bounds *forward;
    bounds_batch arguments;
    sampler *s;
    assert_ok(ctx, bounds_new(ctx, g, &(bounds_options){.threads = 1}, low, high, &forward));
    assert_ok(ctx, bounds_batch_new(ctx, g, 1, 0, &arguments));
    assert_ok(ctx, jacobian_batch_new(ctx, g, 1, &batch));
    assert_ok(ctx, sampler_new(ctx, g, 1, &s));
    arguments.domains = 1;
    memcpy(arguments.low, low, (size_t)g->inputs * 8), memcpy(arguments.high, high, (size_t)g->inputs * 8);
    bounds_interval(forward, &arguments, false);
    assert_ok(ctx, bounds_crown(forward, &arguments, 0));
    memcpy(batch.target, row, (size_t)g->outputs * 8);
    double *open[64][2], best = 0, value;
    *unknown = 0;
    for (int a = 0; a < g->activations; a++) {
        const bound_node *node = &g->node[g->activation[a]];
        derivative_enclose(node->function, node->p, node->size, arguments.pre_low[a], arguments.pre_high[a], batch.d_low[a], batch.d_high[a]);
        for (int64_t e = 0; e < node->size; e++)
            if (batch.d_low[a][e] < batch.d_high[a][e] && *unknown < 64) open[*unknown][0] = &batch.d_low[a][e], open[(*unknown)++][1] = &batch.d_high[a][e];
    }
    for (int k = 0; *unknown <= 14 && k < 1 << *unknown; k++) {
        double keep[64][2];
        for (int i = 0; i < *unknown; i++) keep[i][0] = *open[i][0], keep[i][1] = *open[i][1], *open[i][0] = *open[i][1] = keep[i][k >> i & 1];
        assert_ok(ctx, sampler_pattern(s, norm, &batch, 0, 1, 0, 1, &value));
        for (int i = 0; i < *unknown; i++) *open[i][0] = keep[i][0], *open[i][1] = keep[i][1];
        best = fmax(best, value);
    }
    sampler_free(s);
    jacobian_batch_free(ctx, g, &batch);
    bounds_batch_free(ctx, g, &arguments);
    bounds_free(forward);
    return best;
}

static void test_enumeration(void **state)
{
    int done = 0;
    for (int k = 0; done < 12 && k < 200; k++) {
        static const bound_function function[] = {BOUND_RELU, BOUND_ABS, BOUND_LEAKY, BOUND_RELU};
        nigh_rng rng = nigh_rng_new(10, (uint64_t)k);
        int64_t size[] = {5, 10, 10, 2};
        bound_graph *g = chain(ctx, &rng, 3, size, function[k % 4]);
        double low[5], high[5], row[2] = {1, 0};
        for (int e = 0; e < 5; e++) low[e] = nigh_rng_f64(&rng), high[e] = low[e] + 0.25;
        int unknown;
        jacobian_norm norm = k % 3 ? JACOBIAN_ONE : JACOBIAN_TWO;
        double exact = enumerate(g, low, high, row, norm, &unknown);
        if (unknown >= 5 && unknown <= 12) {
            nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
            o.seconds = 20, o.rerun = false, o.gap = 0, o.norm = norm == JACOBIAN_ONE ? NIGH_LOCAL_LIPSCHITZ_INF : NIGH_LOCAL_LIPSCHITZ_TWO;
            nigh_local_lipschitz_result r;
            assert_ok(ctx, lipschitz_graph(ctx, g, low, high, 1, row, &o, &r));
            assert_true(r.converged);
            if (!(r.bound >= exact * (1 - 1e-12) && r.bound <= exact * (1 + 1e-6))) fail_msg("%.17g for %.17g", r.bound, exact);
            assert_true(r.pattern <= exact * (1 + 1e-12));
            double plain = r.bound;
            nigh_local_lipschitz_free(ctx, 1, &r);
            o.rerun = true;
            assert_ok(ctx, lipschitz_graph(ctx, g, low, high, 1, row, &o, &r));
            assert_true(r.bound <= plain * (1 + 1e-9) && r.bound >= r.sampled * (1 - 1e-12));
            nigh_local_lipschitz_free(ctx, 1, &r);
            done++;
        }
        bound_graph_free(g);
    }
    assert_int_equal(done, 12);
}

/* ---- rows, threads, networks --------------------------------------------------------------------------------- */

static void test_rows_and_threads(void **state)
{
    nigh_rng rng = nigh_rng_new(11, 0);
    int64_t size[] = {7, 30, 30, 4};
    bound_graph *g = chain(ctx, &rng, 3, size, BOUND_RELU);
    double low[7], high[7], row[12] = {1, 0, 0, 0, 0, 1, 0, 0, 1, -1, 0, 0};
    for (int e = 0; e < 7; e++) low[e] = nigh_rng_f64(&rng), high[e] = low[e] + 0.2;
    nigh_local_lipschitz_result r[2][3];
    for (int t = 0; t < 2; t++) {
        nigh_context_set_threads(ctx, t + 1);
        assert_ok(ctx, lipschitz_graph(ctx, g, low, high, 3, row, NULL, r[t]));
    }
    for (int k = 0; k < 3; k++) {
        assert_true(r[0][k].bound == r[1][k].bound && r[0][k].sampled == r[1][k].sampled);
        assert_memory_equal(r[0][k].low, r[1][k].low, sizeof low);
    }
    assert_true(r[0][2].bound <= r[0][0].bound + r[0][1].bound); /* a margin is not worse than its two parts */
    nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
    nigh_local_lipschitz_result one;
    assert_ok(ctx, lipschitz_graph(ctx, g, low, high, 1, row, &o, &one));
    assert_true(fabs(one.bound - r[0][0].bound) <= 1e-9 * one.bound);
    nigh_local_lipschitz_free(ctx, 1, &one);
    for (int t = 0; t < 2; t++) nigh_local_lipschitz_free(ctx, 3, r[t]);
    bound_graph_free(g);
    nigh_context_set_threads(ctx, 1);
}

static nigh_network *monotone_network(bool falls)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 3});
    x = nigh_network_linear(net, "hidden", x, 3, 8, true);
    x = nigh_network_layer(net, "relu", "act", 1, &x);
    nigh_network_output(net, nigh_network_linear(net, "out", x, 8, 1, true));
    nigh_parameters *p = nigh_network_parameters(net);
    assert_ok(ctx, nigh_parameters_draw(p, 3));
    for (int i = 0; i < nigh_parameters_count(p); i++) {
        float *w = nigh_parameters_data(p, i);
        int64_t n = nigh_shape_count(&nigh_parameters_at(p, i)->shape);
        for (int64_t e = 0; e < n; e++) w[e] = i % 2 ? w[e] : i == 0 && e < 8 ? (float)(fabs((double)w[e]) * (falls && e == 2 ? -1 : 1)) : i == 0 ? w[e] : (float)fabs((double)w[e]);
    }
    return net;
}

static void test_monotone(void **state)
{
    for (int falls = 0; falls < 2; falls++) {
        nigh_network *net = monotone_network(falls);
        double low[] = {-1, -1, -1}, high[] = {1, 1, 1}, row = 1;
        nigh_local_lipschitz_result r;
        assert_ok(ctx, nigh_local_lipschitz(ctx, net, low, high, 1, &row, NULL, &r));
        assert_true(falls || (r.low[0] > -1e-12 && r.high[0] > 0)); /* weights of input 0 and of the output are not negative */
        assert_true(r.bound <= r.product * (1 + 1e-12));
        nigh_local_lipschitz_free(ctx, 1, &r);
        nigh_network_free(net);
    }
}

static void test_bad_input(void **state)
{
    nigh_rng rng = nigh_rng_new(12, 0);
    int64_t size[] = {2, 4, 2};
    bound_graph *g = chain(ctx, &rng, 2, size, BOUND_RELU), *steep = chain(ctx, &rng, 2, size, BOUND_EXP);
    double low[] = {0, 0}, high[] = {1, 1}, row[] = {1, 0}, wrong[] = {-1, 1}, nan_row[] = {NAN, 0}, far[] = {1e5, 1e5}, infinite[] = {INFINITY, 1};
    nigh_local_lipschitz_result r;
    nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
    assert_int_equal(lipschitz_graph(ctx, g, low, wrong, 1, row, NULL, &r), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "input 0: 0 to -1"));
    assert_int_equal(lipschitz_graph(ctx, g, low, infinite, 1, row, NULL, &r), NIGH_INVALID);
    assert_int_equal(lipschitz_graph(ctx, g, low, high, 1, nan_row, NULL, &r), NIGH_INVALID);
    assert_int_equal(lipschitz_graph(ctx, g, low, high, 0, row, NULL, &r), NIGH_INVALID);
    assert_int_equal(lipschitz_graph(ctx, steep, low, far, 1, row, NULL, &r), NIGH_UNDECIDED);
    o.seconds = 1, o.relaxation = NIGH_LOCAL_LIPSCHITZ_RECURJAC;
    assert_int_equal(lipschitz_graph(ctx, g, low, high, 1, row, &o, &r), NIGH_INVALID);
    bound_graph_free(g);
    bound_graph_free(steep);
}

static void test_failing_memory(void **state)
{
    bool done = false;
    for (long fail = 1; !done && fail < 3000; fail += fail < 60 ? 1 : 7) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *poor = test_context_failing(&allocator);
        if (!poor) continue;
        nigh_context_set_threads(poor, 1);
        nigh_rng rng = nigh_rng_new(13, 0);
        int64_t size[] = {3, 8, 8, 2};
        bound_graph *g = chain(poor, &rng, 3, size, BOUND_RELU);
        double low[] = {0, 0, 0}, high[] = {0.5, 0.5, 0.5}, row[] = {1, 0};
        nigh_local_lipschitz_options o = nigh_local_lipschitz_defaults();
        o.seconds = 5, o.samples = 50;
        nigh_local_lipschitz_result r;
        if (g) {
            nigh_status status = lipschitz_graph(poor, g, low, high, 1, row, &o, &r);
            if (!status) nigh_local_lipschitz_free(poor, 1, &r), done = true;
            else assert_int_equal(status, NIGH_MEMORY);
        }
        bound_graph_free(g);
        nigh_context_free(poor);
        assert_int_equal(allocator.live, 0);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_lines), cmocka_unit_test(test_adjoints), cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_bounds_hold), cmocka_unit_test(test_mixed_bounds_hold), cmocka_unit_test(test_exact), cmocka_unit_test(test_enumeration),
                                       cmocka_unit_test(test_rows_and_threads), cmocka_unit_test(test_monotone), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_failing_memory)};
    if (nigh_context_new(&ctx) || nigh_context_set_threads(ctx, 1)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nigh_context_free(ctx);
    return failed;
}
