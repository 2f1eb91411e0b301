/* Spectral convolutions: identities, slow sums, derivatives, other grids; the network beside numbers of neuraloperator (bench/torch_fno.py wrote them). */
#include "support.h"

#include "derivatives.h"
#include "nigh/fields.h"
#include "nigh/train.h"

#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The spectral convolution of x by weights w, in f64, by the tape. */
static void spectral(nigh_context *ctx, int ndim, const int64_t *x_dim, const double *x, const int64_t *w_dim, const double *w, double *out, size_t count)
{
    nigh_tape *tape;
    nigh_executor *run;
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node y = nigh_tape_spectral(tape, nigh_tape_constant(tape, NIGH_F64, ndim, x_dim, x), nigh_tape_constant(tape, NIGH_F64, ndim + 1, w_dim, w));
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &y, &run));
    assert_ok(ctx, nigh_executor_run(run));
    memcpy(out, nigh_executor_data(run, y), count * sizeof *out);
    nigh_executor_free(run);
    nigh_tape_free(tape);
}

static void fill(double *x, size_t n, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 3);
    for (size_t i = 0; i < n; i++) x[i] = 2 * nigh_rng_f64(&rng) - 1;
}

/* The same by sums over all points and modes: real part of sum over k, l of factor exp(i ..) sum_c X[k, l, c] W. */
static double slow(int64_t height, int64_t width, int64_t c, int64_t d, int64_t modes_h, int64_t modes_w, const double *x, const double *w, int64_t h, int64_t v, int64_t out)
{
    int64_t first = height < modes_h ? height : modes_h, last = width / 2 + 1 < modes_w ? width / 2 + 1 : modes_w;
    double sum = 0;
    for (int64_t l = 0; l < last; l++)
        for (int64_t k = -(first / 2); k < first - first / 2; k++) {
            double complex product = 0;
            for (int64_t i = 0; i < c; i++) {
                double complex mode = 0;
                for (int64_t p = 0; p < height; p++)
                    for (int64_t q = 0; q < width; q++) mode += x[(p * width + q) * c + i] * cexp(-2 * M_PI * I * ((double)(k * p) / (double)height + (double)(l * q) / (double)width));
                const double *at = w + (((l * modes_h + k + modes_h / 2) * c + i) * 2) * d + out;
                product += mode / (double)(height * width) * (at[0] + I * at[d]);
            }
            product *= cexp(2 * M_PI * I * ((double)(k * h) / (double)height + (double)(l * v) / (double)width));
            sum += (l == 0 || 2 * l == width ? 1 : 2) * creal(product);
        }
    return sum;
}

static void test_sums(void **state)
{
    static const struct { int64_t height, width, c, d, modes_h, modes_w; } cases[] = {{7, 9, 2, 3, 4, 3}, {8, 6, 1, 1, 4, 2}, {6, 8, 3, 2, 5, 5}, {3, 4, 1, 2, 6, 5}, {10, 5, 2, 2, 3, 1}};
    nigh_context *ctx = test_context_new();
    for (size_t s = 0; s < sizeof cases / sizeof *cases; s++) {
        int64_t h = cases[s].height, w = cases[s].width, c = cases[s].c, d = cases[s].d, mh = cases[s].modes_h, mw = cases[s].modes_w;
        double x[2 * 100 * 3], weight[5 * 6 * 3 * 2 * 3], y[2 * 100 * 3];
        fill(x, (size_t)(2 * h * w * c), s), fill(weight, (size_t)(mw * mh * c * 2 * d), s + 9);
        spectral(ctx, 4, (int64_t[]){2, h, w, c}, x, (int64_t[]){mw, mh, c, 2, d}, weight, y, (size_t)(2 * h * w * d));
        for (int64_t n = 0; n < 2; n++)
            for (int64_t i = 0; i < h * w; i++)
                for (int64_t o = 0; o < d; o++) assert_near(y[(n * h * w + i) * d + o], slow(h, w, c, d, mh, mw, x + n * h * w * c, weight, i / w, i % w, o), 1e-13, 0);
    }
    for (int64_t size = 2; size < 12; size++) { /* one dimension is one row of two */
        double x[12 * 2], weight[4 * 2 * 2 * 3], y[12 * 3];
        fill(x, 24, 1), fill(weight, sizeof weight / sizeof *weight, 2);
        spectral(ctx, 3, (int64_t[]){1, size, 2}, x, (int64_t[]){4, 2, 2, 3}, weight, y, (size_t)(size * 3));
        for (int64_t i = 0; i < size; i++)
            for (int64_t o = 0; o < 3; o++) assert_near(y[i * 3 + o], slow(1, size, 2, 3, 1, 4, x, weight, 0, i, o), 1e-13, 0);
    }
    test_context_free(ctx);
}

/* Weights of one and no imaginary part let the lowest modes pass: a constant field is its own answer. */
static void test_constant(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[12 * 10], y[12 * 10], weight[3 * 4 * 2];
    for (int i = 0; i < 120; i++) x[i] = 1.75;
    for (int i = 0; i < 24; i++) weight[i] = i % 2 ? 0 : 1;
    spectral(ctx, 4, (int64_t[]){1, 12, 10, 1}, x, (int64_t[]){3, 4, 1, 2, 1}, weight, y, 120);
    for (int i = 0; i < 120; i++) assert_near(y[i], 1.75, 1e-14, 0);
    test_context_free(ctx);
}

/* A field of low frequencies has the same answer on a grid twice as fine. */
static void test_resolution(void **state)
{
    nigh_context *ctx = test_context_new();
    double coarse[16 * 12], fine[32 * 24], a[16 * 12], b[32 * 24], weight[4 * 6 * 2];
    fill(weight, 48, 5);
    for (int s = 1; s <= 2; s++)
        for (int i = 0; i < 16 * s; i++)
            for (int j = 0; j < 12 * s; j++) {
                double p = 2 * M_PI * i / (16 * s), q = 2 * M_PI * j / (12 * s);
                (s == 1 ? coarse : fine)[i * 12 * s + j] = 0.3 + sin(p) * cos(2 * q) - cos(2 * p + q) + 0.2 * sin(3 * q);
            }
    spectral(ctx, 4, (int64_t[]){1, 16, 12, 1}, coarse, (int64_t[]){4, 6, 1, 2, 1}, weight, a, 192);
    spectral(ctx, 4, (int64_t[]){1, 32, 24, 1}, fine, (int64_t[]){4, 6, 1, 2, 1}, weight, b, 768);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 12; j++) assert_near(a[i * 12 + j], b[2 * i * 24 + 2 * j], 1e-14, 0);
    test_context_free(ctx);
}

static nigh_node record(nigh_tape *tape, const nigh_node *x, void *user) { return nigh_tape_spectral(tape, x[0], x[1]); }

static void test_derivatives(void **state)
{
    derivatives_input one[] = {{3, {2, 7, 2}, 0, 0, false}, {4, {3, 2, 2, 3}, 0, 0, false}}, two[] = {{4, {2, 5, 6, 2}, 0, 0, false}, {5, {3, 4, 2, 2, 1}, 0, 0, false}};
    check_derivatives("spectral in one dimension", record, NULL, 2, one, 2, 1e-7, 0);
    check_derivatives("spectral in two dimensions", record, NULL, 2, two, 2, 1e-7, 0);
}

static void test_grid(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_tape *tape;
    nigh_executor *run;
    double x[24];
    fill(x, 24, 1);
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node y = nigh_tape_grid(tape, nigh_tape_constant(tape, NIGH_F64, 4, (int64_t[]){2, 3, 4, 1}, x));
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &y, &run));
    assert_ok(ctx, nigh_executor_run(run));
    const double *g = nigh_executor_data(run, y);
    for (int i = 0; i < 24; i++) {
        assert_near(g[3 * i], x[i], 0, 0);
        assert_near(g[3 * i + 1], i / 4 % 3 / 3.0, 0, 0);
        assert_near(g[3 * i + 2], i % 4 / 4.0, 0, 0);
    }
    nigh_executor_free(run);
    nigh_tape_free(tape);
    test_context_free(ctx);
}

/* ---- beside neuraloperator ---------------------------------------------------------------------------- */

static nigh_node relative(nigh_tape *t, nigh_node answer, nigh_node y)
{
    unsigned axes = (1u << nigh_tape_shape(t, y)->ndim) - 2;
    nigh_node d = nigh_tape_sum(t, nigh_tape_square(t, nigh_tape_sub(t, answer, y)), axes, false), s = nigh_tape_sum(t, nigh_tape_square(t, y), axes, false);
    return nigh_tape_mean(t, nigh_tape_sqrt(t, nigh_tape_div(t, d, s)), NIGH_ALL, false);
}

static nigh_node record_loss(void *user, const nigh_loss_call *call)
{
    nigh_node answer;
    if (nigh_network_record(user, call->tape, call->recording, call->batch, call->parameters, &answer)) return NIGH_NONE;
    return relative(call->tape, answer, call->batch[1]);
}

static void check_losses(nigh_context *ctx, nigh_network *net, const nigh_bundle *bundle, int parts)
{
    nigh_array arrays[2] = {*nigh_bundle_find(bundle, "x"), *nigh_bundle_find(bundle, "y")};
    const double *losses = nigh_bundle_find(bundle, "losses")->data;
    nigh_batches *rows;
    nigh_training *training;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = 2 / parts, .in_order = true}, &rows));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.record = record_loss, spec.user = net, spec.batches = rows, spec.accumulate = parts, spec.rate = (nigh_schedule){.base = 1e-3}, spec.steps = 50;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &training));
    for (int i = 0; i < 50; i++) {
        assert_ok(ctx, nigh_training_advance(training, 1));
        assert_near(nigh_training_loss(training), losses[i], 0, 1e-4);
    }
    nigh_training_free(training);
    nigh_batches_free(rows);
}

static void check_answers(nigh_context *ctx, nigh_network *net, const nigh_bundle *bundle)
{
    const nigh_array *x = nigh_bundle_find(bundle, "xt"), *want = nigh_bundle_find(bundle, "answer");
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node parameter[64], y;
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node in = nigh_tape_constant(tape, NIGH_F32, x->shape.ndim, x->shape.dim, x->data);
    assert_ok(ctx, nigh_parameters_record(set, tape, parameter));
    assert_ok(ctx, nigh_network_record(net, tape, NULL, &in, parameter, &y));
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &y, &run));
    assert_ok(ctx, nigh_parameters_bind(set, run, parameter));
    assert_ok(ctx, nigh_executor_run(run));
    const float *have = nigh_executor_data(run, y);
    for (int64_t i = 0; i < nigh_shape_count(&want->shape); i++) assert_near(have[i], ((const float *)want->data)[i], 1e-4, 1e-4);
    nigh_executor_free(run);
    nigh_tape_free(tape);
}

static void test_beside(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int dims = 1; dims <= 2; dims++)
        for (int parts = 1; parts <= 2; parts++) {
            nigh_bundle bundle = {.ctx = ctx};
            nigh_network *net;
            nigh_fno_spec spec = {.dims = dims, .in = 1, .out = 1, .width = 4, .modes = {dims == 2 ? 4 : 6, 4}, .layers = 2};
            assert_ok(ctx, nigh_npz_read(ctx, dims == 2 ? NIGH_SOURCE_DIR "/test/nn/data/fno2.npz" : NIGH_SOURCE_DIR "/test/nn/data/fno1.npz", &bundle));
            assert_ok(ctx, nigh_fno_new(ctx, NIGH_F32, &spec, &net));
            assert_ok(ctx, nigh_parameters_load(nigh_network_parameters(net), "", &bundle));
            check_losses(ctx, net, &bundle, parts);
            check_answers(ctx, net, &bundle);
            nigh_network_free(net);
            nigh_bundle_free(&bundle);
        }
    test_context_free(ctx);
}

/* ---- bad input ---------------------------------------------------------------------------------------- */

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_tape *tape;
    nigh_fno_spec good = {.dims = 2, .in = 1, .out = 1, .width = 4, .modes = {4, 4}, .layers = 2}, bad = good;
    bad.dims = 3;
    assert_fails(ctx, nigh_fno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "dims is 3");
    bad = good, bad.width = 0;
    assert_fails(ctx, nigh_fno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "width 0");
    bad = good, bad.modes[1] = 0;
    assert_fails(ctx, nigh_fno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "modes[1] is 0");
    bad = good, bad.layers = 0;
    assert_fails(ctx, nigh_fno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "0 layers");
    bad = good, bad.mlp = NAN;
    assert_fails(ctx, nigh_fno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "mlp nan");
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node x = nigh_tape_fill(tape, NIGH_F32, 3, (int64_t[]){1, 8, 2}, 0), w = nigh_tape_fill(tape, NIGH_F32, 4, (int64_t[]){2, 3, 2, 1}, 0);
    assert_int_equal(nigh_tape_spectral(tape, x, w), NIGH_NONE);
    if (!strstr(nigh_message(ctx), "spectral: x is [1,8,2] f32, the weight [2,3,2,1] f32")) fail_msg("%s", nigh_message(ctx));
    nigh_tape_free(tape);
    test_context_free(ctx);
}

static nigh_status build(nigh_context *ctx)
{
    nigh_network *net = NULL;
    nigh_tape *tape = NULL;
    nigh_node parameter[64], y;
    nigh_fno_spec spec = {.dims = 2, .in = 1, .out = 1, .width = 4, .modes = {4, 4}, .layers = 1};
    nigh_status status = nigh_fno_new(ctx, NIGH_F32, &spec, &net);
    if (!status) status = nigh_tape_new(ctx, &tape);
    nigh_node x = status ? NIGH_NONE : nigh_tape_input(tape, "x", NIGH_F32, 4, (int64_t[]){1, 6, 6, 1});
    if (!status) status = nigh_parameters_record(nigh_network_parameters(net), tape, parameter);
    if (!status) status = nigh_network_record(net, tape, NULL, &x, parameter, &y);
    nigh_tape_free(tape);
    nigh_network_free(net);
    return status;
}

static void test_out_of_memory(void **state)
{
    nigh_status status = NIGH_MEMORY;
    for (long at = 1; status; at++) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        status = build(ctx);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        test_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums), cmocka_unit_test(test_constant), cmocka_unit_test(test_resolution), cmocka_unit_test(test_derivatives),
                                       cmocka_unit_test(test_grid), cmocka_unit_test(test_beside), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
