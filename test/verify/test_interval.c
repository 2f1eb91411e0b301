/* Intervals hold what they say: values in 113 bits of hard products, every order of sums in f32, sampled networks of every kind; a wrong sign is noticed. */
#include "bounded.h"
#include "networks.h"
#include "support.h"
#include "verify/bounds.h"

#include "nigh/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 4, WIDE = 23 };
typedef __float128 quad;

/* ---- chains in 113 bits -------------------------------------------------------------------------------- */

typedef struct hard {
    int64_t size[LAYERS + 1];
    double *weight[LAYERS], *bias[LAYERS];
} hard;

/* Numbers of f32 of many sizes; pairs that cancel. */
static double number(nigh_rng *rng, int sort)
{
    double v = 2 * nigh_rng_f64(rng) - 1, e = nigh_rng_f64(rng);
    switch (sort) {
    case 0: return (float)v;
    case 1: return (float)(v * exp2(40 * e - 20));
    case 2: return (float)(v * 1e6);
    case 3: return (float)(v * 1e-40); /* subnormal in f32 */
    case 4: return e < 0.5 ? (float)v : 0;
    default: return (float)(v * exp2(floor(100 * e) - 90));
    }
}

static hard hard_new(nigh_rng *rng, int sort)
{
    hard h;
    for (int i = 0; i <= LAYERS; i++) h.size[i] = 1 + (int64_t)(nigh_rng_f64(rng) * (WIDE - 1));
    for (int i = 0; i < LAYERS; i++) {
        int64_t n = h.size[i] * h.size[i + 1];
        h.weight[i] = malloc((size_t)n * sizeof(double));
        h.bias[i] = malloc((size_t)h.size[i + 1] * sizeof(double));
        for (int64_t k = 0; k < n; k++) h.weight[i][k] = sort == 6 && k % 2 ? -h.weight[i][k - 1] : number(rng, sort == 6 ? 2 : sort);
        for (int64_t k = 0; k < h.size[i + 1]; k++) h.bias[i][k] = number(rng, sort);
    }
    return h;
}

static void hard_free(hard *h)
{
    for (int i = 0; i < LAYERS; i++) free(h->weight[i]), free(h->bias[i]);
}

static void value_quad(const hard *h, const double *x, quad *y)
{
    quad a[WIDE], b[WIDE];
    for (int64_t i = 0; i < h->size[0]; i++) a[i] = x[i];
    for (int l = 0; l < LAYERS; l++) {
        for (int64_t i = 0; i < h->size[l + 1]; i++) {
            b[i] = h->bias[l][i];
            for (int64_t j = 0; j < h->size[l]; j++) b[i] += (quad)h->weight[l][i * h->size[l] + j] * a[j];
            if (l + 1 < LAYERS && b[i] < 0) b[i] = 0;
        }
        memcpy(a, b, sizeof a);
    }
    memcpy(y, a, sizeof a);
}

/* One of several orders of additions, with or without fused multiply-adds. */
static float dot_f32(int order, int64_t n, const double *w, const float *x, float bias)
{
    float part[WIDE + 1];
    if (order == 0 || order == 1) {
        float sum = order == 0 ? bias : 0;
        for (int64_t j = 0; j < n; j++) sum += (float)w[j] * x[j];
        return order == 0 ? sum : sum + bias;
    }
    if (order == 2) {
        float sum = bias;
        for (int64_t j = n - 1; j >= 0; j--) sum = fmaf((float)w[j], x[j], sum);
        return sum;
    }
    for (int64_t j = 0; j < n; j++) part[j] = (float)w[j] * x[j]; /* pairs */
    part[n] = bias;
    for (int64_t m = n + 1; m > 1; m = (m + 1) / 2)
        for (int64_t j = 0; j < m / 2; j++) {
            part[j] = part[2 * j] + part[2 * j + 1];
            if (j == m / 2 - 1 && m % 2) part[m / 2] = part[m - 1];
        }
    return part[0];
}

static void value_f32(const hard *h, int order, const double *x, float *y)
{
    float a[WIDE], b[WIDE];
    for (int64_t i = 0; i < h->size[0]; i++) a[i] = (float)x[i];
    for (int l = 0; l < LAYERS; l++) {
        for (int64_t i = 0; i < h->size[l + 1]; i++) {
            b[i] = dot_f32(order, h->size[l], h->weight[l] + i * h->size[l], a, (float)h->bias[l][i]);
            if (l + 1 < LAYERS && b[i] < 0) b[i] = 0;
        }
        memcpy(a, b, sizeof a);
    }
    memcpy(y, a, sizeof a);
}

/* Bounds of the outputs over one box, by a batch of `domains` equal ones. */
static void output_bounds(nigh_context *ctx, const bound_graph *g, bounds_options options, const double *low, const double *high, int64_t domains, double *out_low, double *out_high)
{
    bounds *b;
    bounds_batch batch;
    int64_t n = g->node[g->output].size;
    double *all = malloc((size_t)(2 * domains * n) * sizeof *all);
    assert_ok(ctx, bounds_new(ctx, g, &options, low, high, &b));
    assert_ok(ctx, bounds_batch_new(ctx, g, domains, 0, &batch));
    batch.domains = domains;
    for (int64_t d = 0; d < domains; d++) {
        memcpy(batch.low + d * g->inputs, low, (size_t)g->inputs * sizeof *low);
        memcpy(batch.high + d * g->inputs, high, (size_t)g->inputs * sizeof *high);
    }
    bounds_interval(b, &batch, false);
    bounds_interval_of(b, &batch, g->output, all, all + domains * n);
    for (int64_t d = 1; d + 1 < domains; d++) assert_memory_equal(all, all + d * n, (size_t)n * sizeof *all);
    memcpy(out_low, all, (size_t)n * sizeof *all);
    memcpy(out_high, all + domains * n, (size_t)n * sizeof *all);
    bounds_batch_free(ctx, g, &batch);
    bounds_free(b);
    free(all);
}

static void test_exact(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(7, 0);
    for (int round = 0; round < 700; round++) {
        hard h = hard_new(&rng, round % 7);
        bound_graph *g;
        double low[WIDE], high[WIDE], x[WIDE], y_low[WIDE], y_high[WIDE], width = round / 7 % 3 == 0 ? 0 : round / 7 % 3 == 1 ? 1e-9 : 0.5;
        quad y[WIDE];
        assert_ok(ctx, bound_graph_chain(ctx, LAYERS, h.size, (const double *const *)h.weight, (const double *const *)h.bias, BOUND_RELU, &g));
        for (int64_t i = 0; i < h.size[0]; i++) low[i] = number(&rng, round % 6), high[i] = low[i] + width * fabs(low[i]);
        output_bounds(ctx, g, (bounds_options){.threads = 1}, low, high, round % 5 ? 1 : 19, y_low, y_high);
        for (int k = 0; k < 12; k++) {
            for (int64_t i = 0; i < h.size[0]; i++) x[i] = k == 0 ? low[i] : fmin(high[i], low[i] + (high[i] - low[i]) * (k < 6 ? nigh_rng_f64(&rng) : nigh_rng_f64(&rng) < 0.5));
            value_quad(&h, x, y);
            for (int64_t i = 0; i < h.size[LAYERS]; i++)
                if (!(y[i] >= y_low[i] && y[i] <= y_high[i])) fail_msg("round %d: %.17g not in [%.17g, %.17g]", round, (double)y[i], y_low[i], y_high[i]);
        }
        if (width == 0 && round % 7 == 0)
            for (int64_t i = 0; i < h.size[LAYERS]; i++) assert_true(y_high[i] - y_low[i] < 1e-9);
        bound_graph_free(g);
        hard_free(&h);
    }
    test_context_free(ctx);
}

/* Any order of f32 stays inside with `single`; without it, f32 leaves often (or the case shows nothing). */
static void test_single(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(8, 0);
    int left = 0;
    for (int round = 0; round < 500; round++) {
        hard h = hard_new(&rng, round % 7);
        bound_graph *g;
        double low[WIDE], high[WIDE], y_low[2][WIDE], y_high[2][WIDE];
        assert_ok(ctx, bound_graph_chain(ctx, LAYERS, h.size, (const double *const *)h.weight, (const double *const *)h.bias, BOUND_RELU, &g));
        for (int64_t i = 0; i < h.size[0]; i++) low[i] = high[i] = number(&rng, round % 6);
        bounds *probe;
        nigh_status status = bounds_new(ctx, g, &(bounds_options){.single = true, .threads = 1}, low, high, &probe);
        if (status) assert_int_equal(status, NIGH_UNDECIDED); /* beyond f32 */
        else {
            bounds_free(probe);
            for (int single = 0; single < 2; single++) output_bounds(ctx, g, (bounds_options){.single = single, .threads = 1}, low, high, 1, y_low[single], y_high[single]);
            for (int order = 0; order < 4; order++) {
                float y[WIDE];
                value_f32(&h, order, low, y);
                for (int64_t i = 0; i < h.size[LAYERS]; i++) {
                    if (!(y[i] >= y_low[1][i] && y[i] <= y_high[1][i])) fail_msg("round %d, order %d: %.9g not in [%.17g, %.17g]", round, order, (double)y[i], y_low[1][i], y_high[1][i]);
                    left += y[i] < y_low[0][i] || y[i] > y_high[0][i];
                }
            }
        }
        bound_graph_free(g);
        hard_free(&h);
    }
    assert_true(left > 500);
    test_context_free(ctx);
}

/* ---- all kinds of layers ------------------------------------------------------------------------------- */

typedef struct sampled {
    bound_graph *g;
    double *low, *high, **node_low, **node_high, **value;
} sampled;

static void sampled_new(nigh_context *ctx, nigh_network *net, const nigh_shape *shape, double radius, nigh_rng *rng, sampled *s)
{
    assert_ok(ctx, bound_graph_new(ctx, net, shape, false, &s->g));
    s->low = malloc((size_t)s->g->inputs * sizeof(double));
    s->high = malloc((size_t)s->g->inputs * sizeof(double));
    for (int64_t i = 0; i < s->g->inputs; i++) s->low[i] = (float)(2 * nigh_rng_f64(rng) - 1), s->high[i] = s->low[i] + radius * nigh_rng_f64(rng);
    s->node_low = malloc((size_t)s->g->nodes * sizeof(double *));
    s->node_high = malloc((size_t)s->g->nodes * sizeof(double *));
    s->value = malloc((size_t)s->g->nodes * sizeof(double *));
    for (int k = 0; k < s->g->nodes; k++) {
        size_t bytes = (size_t)s->g->node[k].size * sizeof(double);
        s->node_low[k] = malloc(bytes), s->node_high[k] = malloc(bytes), s->value[k] = malloc(bytes);
    }
}

static void sampled_free(sampled *s)
{
    for (int k = 0; k < s->g->nodes; k++) free(s->node_low[k]), free(s->node_high[k]), free(s->value[k]);
    free(s->node_low), free(s->node_high), free(s->value), free(s->low), free(s->high);
    bound_graph_free(s->g);
}

static void find_bounds(nigh_context *ctx, sampled *s, bool single)
{
    bounds *b;
    bounds_batch batch;
    assert_ok(ctx, bounds_new(ctx, s->g, &(bounds_options){.single = single, .threads = 1}, s->low, s->high, &b));
    assert_ok(ctx, bounds_batch_new(ctx, s->g, 1, 0, &batch));
    batch.domains = 1;
    memcpy(batch.low, s->low, (size_t)s->g->inputs * sizeof(double));
    memcpy(batch.high, s->high, (size_t)s->g->inputs * sizeof(double));
    bounds_interval(b, &batch, false);
    for (int k = 0; k < s->g->nodes; k++) bounds_interval_of(b, &batch, k, s->node_low[k], s->node_high[k]);
    bounds_batch_free(ctx, s->g, &batch);
    bounds_free(b);
}

/* Values of nodes outside their intervals, by more than what evaluating in f64 is off. */
static int outside(nigh_context *ctx, sampled *s, nigh_rng *rng, int points)
{
    int found = 0;
    double *x = malloc((size_t)s->g->inputs * sizeof *x), *y = malloc((size_t)s->g->node[s->g->output].size * sizeof *y);
    for (int p = 0; p < points; p++) {
        for (int64_t i = 0; i < s->g->inputs; i++) x[i] = p % 2 ? (nigh_rng_f64(rng) < 0.5 ? s->low[i] : s->high[i]) : s->low[i] + nigh_rng_f64(rng) * (s->high[i] - s->low[i]);
        assert_ok(ctx, bound_graph_evaluate(s->g, x, y, s->value));
        for (int k = 0; k < s->g->nodes; k++)
            for (int64_t i = 0; i < s->g->node[k].size; i++) {
                double v = s->value[k][i], room = 1e-13 * (1 + fabs(v));
                found += !(v >= s->node_low[k][i] - room && v <= s->node_high[k][i] + room);
            }
    }
    free(x), free(y);
    return found;
}

static void test_kinds(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(9, 0);
    for (int which = 0; which < bounded_networks(); which++)
        for (uint64_t seed = 0; seed < 18; seed++) {
            const char *name;
            nigh_shape shape;
            nigh_network *net = bounded_network(ctx, which, seed, &name, &shape);
            sampled s;
            sampled_new(ctx, net, &shape, seed % 3 == 0 ? 0 : seed % 3 == 1 ? 0.01 : 1, &rng, &s);
            find_bounds(ctx, &s, false);
            int out = outside(ctx, &s, &rng, 12);
            if (out) fail_msg("%s, seed %d: %d values outside", name, (int)seed, out);
            nigh_array x, y; /* the network in f32 at its lower corner (numbers of f32) */
            shape.dtype = NIGH_F32;
            assert_ok(ctx, nigh_array_new(ctx, &shape, &x));
            for (int64_t i = 0; i < s.g->inputs; i++) nigh_array_set(&x, i, s.low[i]);
            run_on_tape(net, &x, &y);
            find_bounds(ctx, &s, true);
            int o = s.g->output;
            for (int64_t i = 0; i < s.g->outputs; i++) {
                double v = nigh_array_get(&y, i);
                if (!(v >= s.node_low[o][i] && v <= s.node_high[o][i])) fail_msg("%s, seed %d in f32: %.9g not in [%.9g, %.9g]", name, (int)seed, v, s.node_low[o][i], s.node_high[o][i]);
            }
            nigh_array_free(ctx, &x);
            nigh_array_free(ctx, &y);
            sampled_free(&s);
            nigh_network_free(net);
        }
    test_context_free(ctx);
}

/* A weight of another sign behind the bounds' back. */
static void test_sabotage(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(10, 0);
    int noticed = 0, tried = 0;
    for (int which = 0; which < bounded_networks(); which++) {
        const char *name;
        nigh_shape shape;
        nigh_network *net = bounded_network(ctx, which, 1, &name, &shape);
        sampled s;
        sampled_new(ctx, net, &shape, 0.01, &rng, &s);
        find_bounds(ctx, &s, false);
        int64_t best = -1;
        int node = -1;
        for (int k = 1; k < s.g->nodes && node < 0; k++)
            if (s.g->node[k].weight && s.g->node[k].kind != BOUND_SPARSE) node = k, best = 0;
        if (node >= 0) {
            tried++;
            ((double *)s.g->node[node].weight)[best] *= -1;
            noticed += outside(ctx, &s, &rng, 12) > 0;
        }
        sampled_free(&s);
        nigh_network_free(net);
    }
    assert_true(tried >= 8);
    assert_true(noticed >= tried - 1); /* a weight that meets zeros alone may hide */
    test_context_free(ctx);
}

/* ---- batches ------------------------------------------------------------------------------------------- */

static void test_batches(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(11, 0);
    enum { DOMAINS = 37 };
    hard h = hard_new(&rng, 0);
    bound_graph *g;
    bounds *b[2];
    bounds_batch batch[2];
    double low[WIDE], high[WIDE];
    assert_ok(ctx, bound_graph_chain(ctx, LAYERS, h.size, (const double *const *)h.weight, (const double *const *)h.bias, BOUND_RELU, &g));
    for (int64_t i = 0; i < h.size[0]; i++) low[i] = -1, high[i] = 1;
    for (int t = 0; t < 2; t++) {
        assert_ok(ctx, bounds_new(ctx, g, &(bounds_options){.threads = 1 + t}, low, high, &b[t]));
        assert_ok(ctx, bounds_batch_new(ctx, g, DOMAINS, 0, &batch[t]));
        batch[t].domains = DOMAINS;
        for (int64_t i = 0; i < DOMAINS * h.size[0]; i++) batch[t].low[i] = -1 + (double)(i % 7) / 8, batch[t].high[i] = batch[t].low[i] + (double)(i % 5) / 5;
        bounds_interval(b[t], &batch[t], false);
    }
    for (int a = 0; a < g->activations; a++) /* the same bits with more threads */
        assert_memory_equal(batch[0].pre_low[a], batch[1].pre_low[a], (size_t)(DOMAINS * g->node[g->activation[a]].size) * sizeof(double));
    int64_t n = g->node[g->activation[0]].size;
    double before = batch[0].pre_high[1][0], first = batch[0].pre_low[0][0];
    for (int64_t i = 0; i < n; i++) batch[0].pre_low[0][i] = batch[0].pre_high[0][i] = 0.5 * batch[0].pre_low[0][i] + 0.5 * batch[0].pre_high[0][i];
    bounds_interval(b[0], &batch[0], true);
    assert_true(batch[0].pre_low[0][0] > first && batch[0].pre_high[1][0] < before); /* what is there is kept, and tells further on */
    batch[0].pre_low[0][0] = 2, batch[0].pre_high[0][0] = -2;
    bounds_interval(b[0], &batch[0], true);
    assert_true(batch[0].pre_low[0][0] == 2 && batch[0].pre_high[0][0] == -2);
    for (int t = 0; t < 2; t++) {
        bounds_batch_free(ctx, g, &batch[t]);
        bounds_free(b[t]);
    }
    assert_fails(ctx, bounds_new(ctx, g, &(bounds_options){0}, high, low, &b[0]), NIGH_INVALID, "input 0");
    low[0] = -INFINITY;
    assert_fails(ctx, bounds_new(ctx, g, &(bounds_options){0}, low, high, &b[0]), NIGH_INVALID, "finite");
    bound_graph_free(g);
    hard_free(&h);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_single), cmocka_unit_test(test_kinds), cmocka_unit_test(test_sabotage), cmocka_unit_test(test_batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
