/* Blocks of sequences, images and graphs: who sees whom, a plain window attention written here, equivariance, differences, misuse. */
#include "derivatives.h"
#include "nigh/residual.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 4, STEPS = 6, SIDE = 4, NODES = 5, EDGES = 7 };

static nigh_context *ctx;

static int setup(void **state)
{
    ctx = test_context_new();
    return 0;
}

static int teardown(void **state)
{
    test_context_free(ctx);
    return 0;
}

/* A network, with the first input as the one that is looked at; others are constants. */
typedef struct model {
    nigh_network *net;
    nigh_shape shape;
    int ints;
    const int32_t *data[2];
    int64_t count[2];
    nigh_node weights[64];
} model;

static nigh_node record(nigh_tape *tape, const nigh_node *x, void *user)
{
    model *m = user;
    nigh_node in[3] = {x[0]}, y = NIGH_NONE;
    for (int i = 0; i < m->ints; i++) in[1 + i] = nigh_tape_constant(tape, NIGH_I32, 1, &m->count[i], m->data[i]);
    nigh_parameters *set = nigh_network_parameters(m->net);
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        const nigh_shape *s = &nigh_parameters_at(set, i)->shape;
        m->weights[i] = nigh_tape_constant(tape, NIGH_F64, s->ndim, s->dim, nigh_parameters_data(set, i));
    }
    in[0] = nigh_tape_cast(tape, x[0], NIGH_F64); /* the networks are f64; the checker also gives f32 */
    if (nigh_network_record(m->net, tape, NULL, in, m->weights, &y)) return NIGH_NONE;
    return nigh_tape_cast(tape, y, nigh_tape_shape(tape, x[0])->dtype);
}

static void run(model *m, const double *x, double *out, int64_t n)
{
    nigh_tape *tape;
    nigh_executor *e;
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node in = nigh_tape_input(tape, "x", NIGH_F64, m->shape.ndim, m->shape.dim), y = record(tape, &in, m);
    if (y == NIGH_NONE) fail_msg("%s", nigh_message(ctx));
    assert_int_equal(nigh_shape_count(nigh_tape_shape(tape, y)), n);
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &y, &e));
    assert_ok(ctx, nigh_executor_bind(e, in, (void *)x));
    assert_ok(ctx, nigh_executor_run(e));
    memcpy(out, nigh_executor_data(e, y), (size_t)n * sizeof *out);
    nigh_executor_free(e);
    nigh_tape_free(tape);
}

static model start(int ndim, const int64_t *dim)
{
    model m = {.shape = {.dtype = NIGH_F64, .ndim = ndim}};
    memcpy(m.shape.dim, dim, (size_t)ndim * sizeof *dim);
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &m.net));
    return m;
}

static void finish(model *m, int output, uint64_t seed)
{
    nigh_network_output(m->net, output);
    assert_ok(ctx, nigh_network_status(m->net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(m->net), seed));
}

static void draw(double *x, int64_t n, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    nigh_rng_fill_normal(&rng, n, x);
}

static double distance(const double *a, const double *b, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

/* ---- sequences ---------------------------------------------------------------------------------------- */

static model sequence(int which)
{
    model m = start(3, (int64_t[]){2, STEPS, WIDTH});
    int x = nigh_network_input(m.net, "x", 3, (int64_t[]){-1, -1, WIDTH});
    nigh_delta d = {.width = WIDTH, .heads = 2, .keys = 3, .values = 5, .negative = which == 2};
    int y = which == 0 ? nigh_s4d_block(m.net, "b.", x, WIDTH, 3) : which == 3 ? nigh_gru_block(m.net, "b.", x, WIDTH, 5) : nigh_delta_block(m.net, "b.", x, &d);
    finish(&m, y, 20 + (uint64_t)which);
    return m;
}

static void test_sequences(void **state)
{
    enum { ALL = 2 * STEPS * WIDTH };
    for (int which = 0; which < 4; which++) {
        model m = sequence(which);
        double x[ALL], a[ALL], b[ALL];
        char name[32];
        draw(x, ALL, 1);
        run(&m, x, a, ALL);
        x[3 * WIDTH + 1] += 0.5;
        run(&m, x, b, ALL);
        assert_true(distance(a, b, 3 * WIDTH) < 1e-12); /* transforms round what is 0 */
        assert_true(distance(a + 3 * WIDTH, b + 3 * WIDTH, WIDTH) > 1e-3);
        assert_true(distance(a + 5 * WIDTH, b + 5 * WIDTH, WIDTH) > 1e-9);
        assert_true(distance(a + STEPS * WIDTH, b + STEPS * WIDTH, STEPS * WIDTH) < 1e-12);
        derivatives_input input = {.ndim = 3, .dim = {2, STEPS, WIDTH}, .low = -1, .high = 1};
        snprintf(name, sizeof name, "sequence block %d", which);
        check_derivatives(name, record, &m, 1, &input, 1, 1e-6, 1e-4);
        nigh_network_free(m.net);
    }
}

/* ---- images ------------------------------------------------------------------------------------------- */

/* Attention in windows by its definition: place (y, x) sees those of its window of the rolled image that were its neighbours before. */
static void plain_windows(int side, int shift, int heads, int c, const double *qkv, const double *table, double *out)
{
    int n = SIDE, size = c / heads, row = 2 * side - 1;
    for (int at = 0; at < n * n; at++)
        for (int h = 0; h < heads; h++) {
            double sum = 0, value[8] = {0};
            int y = (at / n + n - shift) % n, x = (at % n + n - shift) % n;
            for (int to = 0; to < n * n; to++) {
                int v = (to / n + n - shift) % n, u = (to % n + n - shift) % n;
                bool same = (y >= n - shift) == (v >= n - shift) && (x >= n - shift) == (u >= n - shift);
                if (y / side != v / side || x / side != u / side || (shift && !same)) continue;
                double dot = table[((y - v + side - 1) * row + x - u + side - 1) * heads + h];
                for (int i = 0; i < size; i++) dot += qkv[at * 3 * c + h * size + i] * qkv[to * 3 * c + c + h * size + i] / sqrt(size);
                sum += exp(dot);
                for (int i = 0; i < size; i++) value[i] += exp(dot) * qkv[to * 3 * c + 2 * c + h * size + i];
            }
            for (int i = 0; i < size; i++) out[at * c + h * size + i] = value[i] / sum;
        }
}

static void test_windows(void **state)
{
    enum { ALL = SIDE * SIDE * WIDTH };
    for (int shift = 0; shift < 2; shift++) {
        model m = start(4, (int64_t[]){1, SIDE, SIDE, 3 * WIDTH});
        int x = nigh_network_input(m.net, "x", 4, (int64_t[]){-1, -1, -1, 3 * WIDTH});
        int table = nigh_network_weight(m.net, "table", 2, (int64_t[]){9, 2}, (nigh_init){NIGH_INIT_NORMAL, 1});
        nigh_attribute a[] = {{"window", 2, NULL}, {"shift", shift, NULL}, {"heads", 2, NULL}};
        finish(&m, nigh_network_add(m.net, "window-attention", "a", 1, &x, 1, &table, 3, a), 5);
        double qkv[3 * ALL], have[ALL], want[ALL];
        draw(qkv, 3 * ALL, 2);
        run(&m, qkv, have, ALL);
        plain_windows(2, shift, 2, WIDTH, qkv, nigh_parameters_data(nigh_network_parameters(m.net), table), want);
        assert_true(distance(have, want, ALL) < 1e-13);
        nigh_network_free(m.net);
    }
}

static void test_swin(void **state)
{
    enum { ALL = SIDE * SIDE * WIDTH };
    for (int shift = 0; shift < 2; shift++) {
        model m = start(4, (int64_t[]){1, SIDE, SIDE, WIDTH});
        int x = nigh_network_input(m.net, "x", 4, (int64_t[]){-1, -1, -1, WIDTH});
        nigh_swin s = {.width = WIDTH, .heads = 2, .window = 2, .shift = shift, .hidden = 6};
        finish(&m, nigh_swin_block(m.net, "swin.", x, &s), 6);
        double in[ALL], a[ALL], b[ALL];
        draw(in, ALL, 3);
        run(&m, in, a, ALL);
        in[(SIDE + 1) * WIDTH] += 1; /* place (1, 1): with the shift it stands with (1, 2), (2, 1), (2, 2) */
        run(&m, in, b, ALL);
        for (int y = 0; y < SIDE; y++)
            for (int u = 0; u < SIDE; u++) {
                bool near = shift ? (y == 1 || y == 2) && (u == 1 || u == 2) : y < 2 && u < 2;
                double moved = distance(a + (y * SIDE + u) * WIDTH, b + (y * SIDE + u) * WIDTH, WIDTH);
                assert_true(near ? moved > 1e-9 : moved == 0);
            }
        derivatives_input input = {.ndim = 4, .dim = {1, SIDE, SIDE, WIDTH}, .low = -1, .high = 1};
        check_derivatives("swin block", record, &m, 1, &input, 1, 1e-6, 1e-4);
        nigh_network_free(m.net);
    }
}

/* ---- graphs ------------------------------------------------------------------------------------------- */

/* Messages of each node's own: an aggregator of the caller, made of other layers. */
static int halves(void *user, nigh_network *net, const char *prefix, int messages, int target, int nodes)
{
    int sum = nigh_aggregate("sum", net, prefix, messages, target, nodes);
    ++*(int *)user;
    return nigh_network_add(net, "affine", "half", 1, &sum, 0, NULL, 1, (nigh_attribute[]){{"scale", 0.5, NULL}});
}

static model graph(nigh_aggregate_fn *aggregate, void *user, const int32_t *source, const int32_t *target)
{
    model m = start(2, (int64_t[]){NODES, WIDTH});
    m.ints = 2, m.data[0] = source, m.data[1] = target, m.count[0] = m.count[1] = EDGES;
    int x = nigh_network_input(m.net, "x", 2, (int64_t[]){-1, WIDTH}), from = nigh_network_tokens(m.net, "source", 1, (int64_t[]){-1});
    nigh_graph_block g = {x, from, nigh_network_tokens(m.net, "target", 1, (int64_t[]){-1}), WIDTH, 6, aggregate, user};
    finish(&m, nigh_message_block(m.net, "g.", &g), 8);
    return m;
}

static void test_messages(void **state)
{
    enum { ALL = NODES * WIDTH };
    const int32_t source[EDGES] = {0, 1, 2, 3, 4, 0, 2}, target[EDGES] = {1, 2, 0, 1, 1, 3, 3}, name[NODES] = {3, 0, 4, 1, 2};
    const char *kinds[] = {"sum", "mean", "max"};
    for (int k = 0; k < 4; k++) {
        int calls = 0;
        int32_t renamed[2][EDGES];
        double x[ALL], y[ALL], turned[ALL], z[ALL];
        for (int e = 0; e < EDGES; e++) renamed[0][e] = name[source[EDGES - 1 - e]], renamed[1][e] = name[target[EDGES - 1 - e]]; /* in another order, too */
        model a = k < 3 ? graph(nigh_aggregate, (void *)kinds[k], source, target) : graph(halves, &calls, source, target);
        model b = k < 3 ? graph(nigh_aggregate, (void *)kinds[k], renamed[0], renamed[1]) : graph(halves, &calls, renamed[0], renamed[1]);
        draw(x, ALL, 4);
        for (int i = 0; i < NODES; i++) memcpy(turned + name[i] * WIDTH, x + i * WIDTH, WIDTH * sizeof *x);
        run(&a, x, y, ALL);
        run(&b, turned, z, ALL);
        for (int i = 0; i < NODES; i++) assert_true(distance(y + i * WIDTH, z + name[i] * WIDTH, WIDTH) < 1e-13);
        assert_int_equal(calls, k < 3 ? 0 : 2);
        x[4 * WIDTH] += 0.3; /* node 4 speaks to node 1 alone */
        run(&a, x, z, ALL);
        assert_true(distance(y, z, WIDTH) == 0 && distance(y + 2 * WIDTH, z + 2 * WIDTH, 2 * WIDTH) == 0);
        nigh_network_free(a.net);
        nigh_network_free(b.net);
    }
}

static void test_misuse(void **state)
{
    model m = start(4, (int64_t[]){1, 3, 4, 6});
    int x = nigh_network_input(m.net, "x", 4, (int64_t[]){-1, -1, -1, 6});
    finish(&m, nigh_network_add(m.net, "window-attention", "a", 1, &x, 0, NULL, 1, (nigh_attribute[]){{"window", 2, NULL}}), 1);
    nigh_tape *tape;
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node in = nigh_tape_input(tape, "x", NIGH_F64, 4, m.shape.dim), y;
    assert_fails(ctx, nigh_network_record(m.net, tape, NULL, &in, m.weights, &y), NIGH_INVALID, "window");
    nigh_tape_free(tape);
    nigh_network_free(m.net);
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &m.net));
    assert_int_equal(nigh_s4d_block(m.net, "b.", 3, 4, 2), -1);
    assert_int_equal(nigh_network_status(m.net), NIGH_INVALID);
    nigh_network_free(m.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences), cmocka_unit_test(test_windows),  cmocka_unit_test(test_swin),
                                       cmocka_unit_test(test_messages),  cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
