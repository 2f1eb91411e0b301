/* Boxes recorded on a tape, tightness, theory. */
#include "nigh/blocks.h"
#include "nigh/certified_training.h"
#include "nigh/layers.h"
#include "nigh/operators_rows.h"
#include "support.h"
#include "verify/certified_training_ibp.h"

#include <math.h>
#include <string.h>

enum { SIDE = 6, CLASSES = 4, N = 3, PIXELS = SIDE * SIDE };

static int append(nigh_network *net, const char *kind, const char *name, int x) { return nigh_network_layer(net, kind, name, 1, &x); }

/* Convolution, batch norm, residual sum, pooling, leaky relu, linear. */
static nigh_network *mixed(nigh_context *ctx, nigh_dtype dtype, uint64_t seed)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, dtype, &net));
    int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, SIDE, SIDE, 1});
    x = nigh_network_conv(net, "c0", x, 1, 3, 2, (int64_t[]){3, 3}, NULL, true);
    int norm[4];
    const char *const name[4] = {"mean", "variance", "gamma", "beta"};
    for (int i = 0; i < 4; i++) norm[i] = nigh_network_weight(net, name[i], 1, (int64_t[]){3}, (nigh_init){i == 1 ? NIGH_INIT_ONE : NIGH_INIT_UNIFORM, 0.5});
    x = nigh_network_add(net, "batch-norm", "norm", 1, &x, 4, norm, 0, NULL);
    x = append(net, "relu", "r0", x);
    int branch = nigh_network_conv(net, "c1", x, 3, 3, 2, (int64_t[]){3, 3}, &(nigh_convolution){.low = {1, 1}, .high = {1, 1}}, true);
    x = nigh_network_layer(net, "add", "sum", 2, (int[]){x, append(net, "relu", "r1", branch)});
    x = append(net, "average-pool", "pool", x);
    x = append(net, "flatten", "flat", x);
    x = nigh_network_linear(net, "h", x, 12, 7, true);
    x = append(net, "leaky-relu", "r2", x);
    nigh_network_output(net, nigh_network_linear(net, "out", x, 7, CLASSES, true));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), seed));
    return net;
}

static nigh_network *chain(nigh_context *ctx, nigh_dtype dtype, int64_t in, int hidden, int64_t width, const char *activation, uint64_t seed)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, dtype, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, in});
    nigh_network_output(net, nigh_network_mlp(net, "net", x, &(nigh_mlp){.in = in, .out = CLASSES, .hidden = hidden, .width = width, .activation = activation, .bias_gain = 0.3}));
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), seed));
    return net;
}

/* ---- boxes --------------------------------------------------------------------------------------------- */

typedef struct recorded {
    nigh_tape *tape;
    nigh_node parameters[64], low, high, labels, plain, outputs[1];
    nigh_box_recording r;
    nigh_executor *run;
} recorded;

static void record_boxes(nigh_context *ctx, nigh_network *net, const nigh_shape *shape, bool labels, bool whole, recorded *b)
{
    *b = (recorded){.labels = NIGH_NONE};
    assert_ok(ctx, nigh_tape_new(ctx, &b->tape));
    assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(net), b->tape, b->parameters));
    b->low = nigh_tape_input(b->tape, "low", shape->dtype, shape->ndim, shape->dim);
    b->high = nigh_tape_input(b->tape, "high", shape->dtype, shape->ndim, shape->dim);
    b->plain = nigh_tape_input(b->tape, "x", shape->dtype, shape->ndim, shape->dim);
    if (labels) b->labels = nigh_tape_input(b->tape, "labels", NIGH_I32, 1, shape->dim);
    b->r = (nigh_box_recording){.network = net, .tape = b->tape, .parameters = b->parameters, .low = b->low, .high = b->high, .labels = b->labels, .whole = whole, .tolerance = 0.5};
    assert_ok(ctx, nigh_record_boxes(&b->r));
    assert_ok(ctx, nigh_network_record(net, b->tape, NULL, &b->plain, b->parameters, b->outputs));
}

static void compile(nigh_context *ctx, nigh_network *net, recorded *b, int n, const nigh_node *nodes)
{
    assert_ok(ctx, nigh_executor_new(ctx, b->tape, n, nodes, &b->run));
    assert_ok(ctx, nigh_parameters_bind(nigh_network_parameters(net), b->run, b->parameters));
}

static void release(recorded *b)
{
    nigh_executor_free(b->run);
    nigh_tape_free(b->tape);
}

static void fill_boxes(recorded *b, int64_t count, nigh_rng *rng, double radius)
{
    double *low = nigh_executor_data(b->run, b->low), *high = nigh_executor_data(b->run, b->high);
    for (int64_t i = 0; i < count; i++) {
        double x = nigh_rng_f64(rng);
        low[i] = x - radius * nigh_rng_f64(rng);
        high[i] = x + radius * nigh_rng_f64(rng);
    }
}

static void draw_inside(recorded *b, int64_t count, nigh_rng *rng)
{
    const double *low = nigh_executor_data(b->run, b->low), *high = nigh_executor_data(b->run, b->high);
    double *x = nigh_executor_data(b->run, b->plain);
    bool corner = nigh_rng_f64(rng) < 0.5;
    for (int64_t i = 0; i < count; i++) {
        double share = nigh_rng_f64(rng);
        x[i] = low[i] + (corner ? share > 0.5 : share) * (high[i] - low[i]);
    }
}

static void test_boxes_contain(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(5, 0);
    for (uint64_t seed = 0; seed < 6; seed++) {
        nigh_network *net = mixed(ctx, NIGH_F64, seed);
        nigh_shape shape = {NIGH_F64, 4, {N, SIDE, SIDE, 1}};
        recorded b;
        record_boxes(ctx, net, &shape, false, false, &b);
        compile(ctx, net, &b, 3, (nigh_node[]){b.r.lower, b.r.upper, b.outputs[0]});
        fill_boxes(&b, N * PIXELS, &rng, 0.2);
        for (int k = 0; k < 40; k++) {
            draw_inside(&b, N * PIXELS, &rng);
            assert_ok(ctx, nigh_executor_run(b.run));
            const double *low = nigh_executor_data(b.run, b.r.lower), *high = nigh_executor_data(b.run, b.r.upper), *y = nigh_executor_data(b.run, b.outputs[0]);
            for (int i = 0; i < N * CLASSES; i++) assert_true(low[i] <= y[i] + 1e-12 && y[i] <= high[i] + 1e-12);
        }
        release(&b);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* Margins with the last layer joined are never looser, hold every sampled margin, and are 0 at the label. */
static void test_margins(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(6, 0);
    nigh_network *net = mixed(ctx, NIGH_F64, 3);
    nigh_shape shape = {NIGH_F64, 4, {N, SIDE, SIDE, 1}};
    double upper[2][N * CLASSES], tighter = 0;
    for (int whole = 0; whole < 2; whole++) {
        recorded b;
        record_boxes(ctx, net, &shape, true, whole, &b);
        compile(ctx, net, &b, 2, (nigh_node[]){b.r.upper, b.outputs[0]});
        rng = nigh_rng_new(6, 0);
        fill_boxes(&b, N * PIXELS, &rng, 0.2);
        int32_t *label = nigh_executor_data(b.run, b.labels);
        for (int i = 0; i < N; i++) label[i] = i;
        for (int k = 0; k < 40; k++) {
            draw_inside(&b, N * PIXELS, &rng);
            assert_ok(ctx, nigh_executor_run(b.run));
            const double *u = nigh_executor_data(b.run, b.r.upper), *y = nigh_executor_data(b.run, b.outputs[0]);
            for (int i = 0; i < N * CLASSES; i++) {
                int of = i / CLASSES;
                assert_true(y[i] - y[of * CLASSES + of] <= u[i] + 1e-12);
                if (i % CLASSES == of) assert_true(u[i] == 0);
                upper[whole][i] = u[i];
            }
        }
        release(&b);
    }
    for (int i = 0; i < N * CLASSES; i++) {
        assert_true(upper[0][i] <= upper[1][i] + 1e-12);
        tighter += upper[1][i] - upper[0][i];
    }
    assert_true(tighter > 0.01);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* A chain against the plain formulas. */
static void test_chain(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = chain(ctx, NIGH_F64, 5, 2, 6, "relu", 1);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_shape shape = {NIGH_F64, 2, {1, 5}};
    nigh_rng rng = nigh_rng_new(9, 0);
    recorded b;
    record_boxes(ctx, net, &shape, false, false, &b);
    compile(ctx, net, &b, 2, (nigh_node[]){b.r.lower, b.r.upper});
    fill_boxes(&b, 5, &rng, 0.5);
    assert_ok(ctx, nigh_executor_run(b.run));
    double low[8], high[8], l[8], h[8];
    memcpy(low, nigh_executor_data(b.run, b.low), 5 * sizeof *low);
    memcpy(high, nigh_executor_data(b.run, b.high), 5 * sizeof *high);
    int64_t in = 5;
    for (int layer = 0; layer < 3; layer++) {
        const double *w = nigh_parameters_data(set, 2 * layer), *bias = nigh_parameters_data(set, 2 * layer + 1);
        int64_t out = nigh_parameters_at(set, 2 * layer)->shape.dim[1];
        for (int64_t j = 0; j < out; j++) {
            l[j] = h[j] = bias[j];
            for (int64_t i = 0; i < in; i++) {
                double v = w[i * out + j];
                l[j] += v > 0 ? v * low[i] : v * high[i];
                h[j] += v > 0 ? v * high[i] : v * low[i];
            }
            if (layer < 2) l[j] = fmax(l[j], 0), h[j] = fmax(h[j], 0);
        }
        memcpy(low, l, sizeof l), memcpy(high, h, sizeof h);
        in = out;
    }
    for (int j = 0; j < CLASSES; j++) {
        assert_near(((double *)nigh_executor_data(b.run, b.r.lower))[j], low[j], 1e-13, 1e-13);
        assert_near(((double *)nigh_executor_data(b.run, b.r.upper))[j], high[j], 1e-13, 1e-13);
    }
    release(&b);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* The gradient of the loss and of both regularisers by differences; and 0 where a weight is 0. */
static void test_gradient(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = chain(ctx, NIGH_F64, 5, 2, 6, "relu", 4);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_shape shape = {NIGH_F64, 2, {N, 5}};
    nigh_rng rng = nigh_rng_new(2, 0);
    recorded b;
    record_boxes(ctx, net, &shape, true, false, &b);
    nigh_node loss = nigh_tape_mean(b.tape, nigh_tape_cross_entropy_rows(b.tape, b.r.upper, b.labels, 0), NIGH_ALL, false), gradient[6];
    loss = nigh_tape_add(b.tape, loss, nigh_tape_add(b.tape, b.r.tightness, b.r.balance));
    assert_ok(ctx, nigh_tape_gradient(b.tape, loss, NIGH_NONE, 6, b.parameters, gradient));
    nigh_node nodes[7] = {loss};
    memcpy(nodes + 1, gradient, sizeof gradient);
    compile(ctx, net, &b, 7, nodes);
    fill_boxes(&b, N * 5, &rng, 0.05);
    int32_t *label = nigh_executor_data(b.run, b.labels);
    for (int i = 0; i < N; i++) label[i] = i;
    double worst = 0;
    for (int p = 0; p < 6; p++) {
        double *w = nigh_parameters_data(set, p);
        for (int64_t k = 0; k < nigh_shape_count(&nigh_parameters_at(set, p)->shape); k++) {
            double at = w[k], step = 1e-6, value[2], slope;
            assert_ok(ctx, nigh_executor_run(b.run));
            slope = ((const double *)nigh_executor_data(b.run, gradient[p]))[k];
            for (int s = 0; s < 2; s++) {
                w[k] = at + (s ? step : -step);
                assert_ok(ctx, nigh_executor_run(b.run));
                value[s] = *(const double *)nigh_executor_data(b.run, loss);
            }
            w[k] = at;
            worst = fmax(worst, fabs((value[1] - value[0]) / (2 * step) - slope));
        }
    }
    assert_true(worst < 1e-6);
    release(&b);
    nigh_network_free(net);
    /* |0| in the radius alone: y = 0 x on [-1, 1] */
    net = chain(ctx, NIGH_F64, 1, 0, 1, "relu", 4);
    memset(nigh_parameters_block(nigh_network_parameters(net)), 0, (size_t)nigh_parameters_size(nigh_network_parameters(net)) * sizeof(double));
    shape = (nigh_shape){NIGH_F64, 2, {1, 1}};
    record_boxes(ctx, net, &shape, false, false, &b);
    assert_ok(ctx, nigh_tape_gradient(b.tape, b.r.upper, NIGH_NONE, 1, b.parameters, gradient));
    compile(ctx, net, &b, 1, gradient);
    *(double *)nigh_executor_data(b.run, b.low) = -1, *(double *)nigh_executor_data(b.run, b.high) = 1;
    assert_ok(ctx, nigh_executor_run(b.run));
    assert_true(*(const double *)nigh_executor_data(b.run, gradient[0]) == 0);
    release(&b);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_unsupported(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_tape *tape;
    nigh_node p[8];
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 3});
    x = append(net, "softmax", "soft", nigh_network_linear(net, "l", x, 3, 3, true));
    nigh_network_output(net, x);
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(net), tape, p));
    nigh_node low = nigh_tape_input(tape, "low", NIGH_F64, 2, (int64_t[]){2, 3}), label = nigh_tape_input(tape, "label", NIGH_I32, 1, (int64_t[]){2});
    nigh_box_recording r = {.network = net, .tape = tape, .parameters = p, .low = low, .high = low, .labels = NIGH_NONE};
    assert_fails(ctx, nigh_record_boxes(&r), NIGH_UNSUPPORTED, "softmax");
    r.labels = label;
    assert_fails(ctx, nigh_record_boxes(&r), NIGH_INVALID, "need a linear layer");
    nigh_tape_free(tape);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* ---- schedules, draws ------------------------------------------------------------------------------------ */

static void test_ramp(void **state)
{
    assert_true(nigh_certified_ramp(-1) == 0 && nigh_certified_ramp(0) == 0 && nigh_certified_ramp(1) == 1 && nigh_certified_ramp(2) == 1);
    assert_near(nigh_certified_ramp(1 - 1e-12), 1, 1e-11, 0);
    double before = (nigh_certified_ramp(0.25) - nigh_certified_ramp(0.25 - 1e-6)) / 1e-6, after = (nigh_certified_ramp(0.25 + 1e-6) - nigh_certified_ramp(0.25)) / 1e-6;
    assert_near(before, after, 0, 1e-4);
    assert_near(nigh_certified_ramp(0.125) / nigh_certified_ramp(0.25), 1. / 16, 1e-12, 0);
    for (double t = 0; t < 1; t += 0.01) assert_true(nigh_certified_ramp(t) < nigh_certified_ramp(t + 0.01));
}

/* Drawn weights keep the size of boxes: E |w| n / 2 = 1. */
static void test_draw(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = chain(ctx, NIGH_F32, 200, 1, 300, "relu", 1);
    assert_ok(ctx, nigh_certified_draw(net, 3));
    const float *w = nigh_parameters_data(nigh_network_parameters(net), 0), *bias = nigh_parameters_data(nigh_network_parameters(net), 1);
    double sum = 0;
    for (int i = 0; i < 60000; i++) sum += fabsf(w[i]) / 60000.0;
    assert_near(sum * 200 / 2, 1, 0.02, 0);
    for (int i = 0; i < 300; i++) assert_true(bias[i] == 0);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* ---- tightness -------------------------------------------------------------------------------------------- */

/* Signs of rank one: intervals are exact; one sign flipped: they are not. */
static void test_signs(void **state)
{
    enum { A = 7, B = 9, C = 5 };
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(1, 0);
    double w1[A * B], w2[B * C], exact[C], layered[C], share;
    int s[A], t[B], v[C];
    for (int i = 0; i < A; i++) s[i] = nigh_rng_f64(&rng) < 0.5 ? -1 : 1;
    for (int i = 0; i < B; i++) t[i] = nigh_rng_f64(&rng) < 0.5 ? -1 : 1;
    for (int i = 0; i < C; i++) v[i] = nigh_rng_f64(&rng) < 0.5 ? -1 : 1;
    for (int i = 0; i < A * B; i++) w1[i] = s[i / B] * t[i % B] * (0.1 + nigh_rng_f64(&rng));
    for (int i = 0; i < B * C; i++) w2[i] = t[i / C] * v[i % C] * (0.1 + nigh_rng_f64(&rng));
    for (int flip = 0; flip < 2; flip++) {
        if (flip) w1[3 * B + 4] = -w1[3 * B + 4];
        assert_ok(ctx, nigh_tightness_chain(ctx, 2, (int64_t[]){A, B, C}, (const double *const[]){w1, w2}, exact, layered));
        for (int j = 0; j < C; j++)
            if (flip) assert_true(exact[j] < layered[j] * (1 - 1e-3));
            else assert_near(exact[j], layered[j], 0, 1e-12);
        assert_ok(ctx, nigh_sign_consistency(ctx, A, B, C, w1, w2, &share));
        assert_near(share, flip ? 1 - 1.0 / A : 1, 1e-15, 0); /* all C outputs of one input */
        assert_ok(ctx, nigh_sign_distance(ctx, A, B, w1, &share));
        assert_near(share, flip ? 1.0 / (A * B) : 0, 1e-15, 0);
    }
    memset(w1, 0, sizeof w1); /* zeros agree with everything */
    assert_ok(ctx, nigh_sign_consistency(ctx, A, B, C, w1, w2, &share));
    assert_true(share == 1);
    assert_ok(ctx, nigh_sign_distance(ctx, A, B, w1, &share));
    assert_true(share == 0);
    assert_fails(ctx, nigh_sign_distance(ctx, 0, B, w1, &share), NIGH_INVALID, "0 x 9");
    assert_fails(ctx, nigh_sign_consistency(ctx, 1, 0, 1, w1, w2, &share), NIGH_INVALID, "1 x 0");
    assert_fails(ctx, nigh_tightness_chain(ctx, 0, NULL, NULL, exact, NULL), NIGH_INVALID, "layers is 0");
    test_context_free(ctx);
}

/* A deep linear network by the tape and by the plain products; local tightness of relus by the states at the centre. */
static void test_tightness(void **state)
{
    enum { SAMPLES = 70 };
    nigh_context *ctx = test_context_new();
    for (int relu = 0; relu < 2; relu++) {
        nigh_network *net = chain(ctx, NIGH_F64, 5, 2, 6, relu ? "relu" : "linear", 8);
        nigh_parameters *set = nigh_network_parameters(net);
        double x[SAMPLES * 5], tau[SAMPLES], exact[SAMPLES], layered[SAMPLES], chained[2][CLASSES];
        nigh_rng rng = nigh_rng_new(4, 0);
        for (int i = 0; i < SAMPLES * 5; i++) x[i] = 2 * nigh_rng_f64(&rng) - 1;
        nigh_array at = {{NIGH_F64, 2, {SAMPLES, 5}}, x};
        assert_ok(ctx, nigh_tightness(ctx, net, &at, NULL, &(nigh_tightness_options){.radius = 0.5}, tau, exact, layered));
        for (int i = 0; i < SAMPLES; i++) {
            double w[3][36], h[6], out[6];
            const double *weight[3] = {w[0], w[1], w[2]};
            int64_t size[4] = {5, 6, 6, CLASSES};
            memcpy(h, x + 5 * i, 5 * sizeof *h);
            for (int l = 0; l < 3; l++) { /* columns of units that are off become 0 */
                const double *from = nigh_parameters_data(set, 2 * l), *bias = nigh_parameters_data(set, 2 * l + 1);
                for (int64_t j = 0; j < size[l + 1]; j++) {
                    out[j] = bias[j];
                    for (int64_t k = 0; k < size[l]; k++) out[j] += h[k] * from[k * size[l + 1] + j];
                    for (int64_t k = 0; k < size[l]; k++) w[l][k * size[l + 1] + j] = relu && l < 2 && out[j] <= 0 ? 0 : from[k * size[l + 1] + j];
                    if (relu && l < 2) out[j] = fmax(out[j], 0);
                }
                memcpy(h, out, sizeof h);
            }
            assert_ok(ctx, nigh_tightness_chain(ctx, 3, size, weight, chained[0], chained[1]));
            double mean[3] = {0};
            for (int j = 0; j < CLASSES; j++) {
                mean[0] += (chained[1][j] > 0 ? chained[0][j] / chained[1][j] : 1) / CLASSES;
                mean[1] += 0.5 * chained[0][j] / CLASSES, mean[2] += 0.5 * chained[1][j] / CLASSES;
            }
            assert_near(tau[i], mean[0], 1e-12, 0);
            assert_near(exact[i], mean[1], 1e-12, 0);
            assert_near(layered[i], mean[2], 1e-12, 0);
            assert_true(tau[i] <= 1 + 1e-12);
        }
        if (relu) { /* leaving the relus out is the linear network's */
            double open[SAMPLES], linear[SAMPLES];
            nigh_network *plain = chain(ctx, NIGH_F64, 5, 2, 6, "linear", 8);
            memcpy(nigh_parameters_block(nigh_network_parameters(plain)), nigh_parameters_block(set), (size_t)nigh_parameters_size(set) * sizeof(double));
            assert_ok(ctx, nigh_tightness(ctx, net, &at, NULL, &(nigh_tightness_options){.radius = 0.5, .linear = true}, open, NULL, NULL));
            assert_ok(ctx, nigh_tightness(ctx, plain, &at, NULL, &(nigh_tightness_options){.radius = 0.5}, linear, NULL, NULL));
            for (int i = 0; i < SAMPLES; i++) assert_near(open[i], linear[i], 1e-12, 0);
            nigh_network_free(plain);
        }
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

static void test_theory(void **state)
{
    nigh_context *ctx = test_context_new();
    assert_near(nigh_tightness_initial(1), 1, 1e-14, 0);
    assert_near(nigh_tightness_initial(2), sqrt(3.14159265358979323846) * 0.5 * sqrt(3.14159265358979323846) / 2, 1e-14, 0);
    assert_near(nigh_tightness_initial(100000), sqrt(3.14159265358979323846 / 200000), 0, 1e-5);
    assert_near(nigh_tightness_initial_deep(64, 5), pow(nigh_tightness_initial(64), 2), 0, 1e-14);
    double layered, exact, sum = 0;
    assert_ok(ctx, nigh_bottleneck_radii(ctx, 200, 20, 1, &layered, &exact));
    assert_near(layered, 2 * 20 / 3.14159265358979323846, 0, 0.05);
    assert_near(exact, sqrt(2 * 20 / 3.14159265358979323846), 0, 0.1);
    assert_ok(ctx, nigh_bottleneck_radii(ctx, 30, 30, 1, &layered, &exact)); /* V V^T = 1 */
    assert_near(exact, 1, 1e-12, 0);
    assert_fails(ctx, nigh_bottleneck_radii(ctx, 10, 11, 1, &layered, &exact), NIGH_INVALID, "k is 11");
    nigh_rng rng = nigh_rng_new(3, 0);
    for (int draw = 0; draw < 60; draw++) {
        double w1[40 * 16], w2[16 * 2], e[2], l[2];
        nigh_rng_fill_normal(&rng, 640, w1);
        nigh_rng_fill_normal(&rng, 32, w2);
        assert_ok(ctx, nigh_tightness_chain(ctx, 2, (int64_t[]){40, 16, 2}, (const double *const[]){w1, w2}, e, l));
        sum += (e[0] / l[0] + e[1] / l[1]) / 120;
    }
    assert_near(sum, nigh_tightness_initial(16), 0, 0.03);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boxes_contain), cmocka_unit_test(test_margins), cmocka_unit_test(test_chain), cmocka_unit_test(test_gradient),  cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_ramp),          cmocka_unit_test(test_draw),    cmocka_unit_test(test_signs), cmocka_unit_test(test_tightness), cmocka_unit_test(test_theory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
