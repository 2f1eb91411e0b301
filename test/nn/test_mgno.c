/* The multigrid neural operator: a linear V-cycle, the textbook's one by weights set by hand, beside numbers of PyTorch (bench/torch_mgno.py), grids of all kinds, bad input. */
#include "support.h"

#include "nigh/fields.h"
#include "nigh/operators_rows.h"
#include "nigh/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Answers of a network of f64 to x [n, ...] by its tape, into y. */
static void run_once(nigh_context *ctx, nigh_network *net, const nigh_array *x, int64_t count, double *y)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_node parameter[512], in, out;
    nigh_tape *tape;
    nigh_executor *run;
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    in = nigh_tape_constant(tape, x->shape.dtype, x->shape.ndim, x->shape.dim, x->data);
    assert_ok(ctx, nigh_parameters_record(set, tape, parameter));
    assert_ok(ctx, nigh_network_record(net, tape, NULL, &in, parameter, &out));
    assert_int_equal(nigh_shape_count(nigh_tape_shape(tape, out)), count);
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &out, &run));
    assert_ok(ctx, nigh_parameters_bind(set, run, parameter));
    assert_ok(ctx, nigh_executor_run(run));
    const void *from = nigh_executor_data(run, out);
    for (int64_t i = 0; i < count; i++) y[i] = x->shape.dtype == NIGH_F64 ? ((const double *)from)[i] : ((const float *)from)[i];
    nigh_executor_free(run), nigh_tape_free(tape);
}

static void fill(double *x, int64_t n, uint64_t seed)
{
    nigh_rng rng = nigh_rng_new(seed, 1);
    for (int64_t i = 0; i < n; i++) x[i] = 2 * nigh_rng_f64(&rng) - 1;
}

static const nigh_mgno_level smooth[] = {{1, 1, 0}, {2, 1, 5}, {1, 2, 0}, {3, 0, 2}};

/* Grids even and odd, of one and two dimensions, every boundary, both forms of restriction. */
static const nigh_mgno_spec grids[] = {
    {.dims = 2, .size = {16, 16}, .in = 1, .out = 1, .width = 3, .layers = 2},
    {.dims = 2, .size = {16, 12}, .in = 2, .out = 1, .width = 3, .layers = 2, .levels = 3, .padding = NIGH_PAD_CIRCULAR},
    {.dims = 2, .size = {17, 9}, .in = 2, .out = 2, .width = 3, .layers = 1, .padding = NIGH_PAD_REFLECT},
    {.dims = 2, .size = {15, 14}, .in = 1, .out = 1, .width = 3, .layers = 1, .padding = NIGH_PAD_CIRCULAR},
    {.dims = 2, .size = {15, 31}, .in = 1, .out = 1, .width = 2, .layers = 1, .inside = true, .residual = true},
    {.dims = 2, .size = {16, 16}, .in = 2, .out = 1, .width = 3, .layers = 2, .levels = 4, .level = smooth},
    {.dims = 2, .size = {13, 16}, .in = 2, .out = 1, .width = 3, .layers = 2, .levels = 4, .level = smooth, .residual = true},
    {.dims = 1, .size = {32}, .in = 1, .out = 1, .width = 4, .layers = 2},
    {.dims = 1, .size = {31}, .in = 2, .out = 1, .width = 4, .layers = 2, .inside = true},
    {.dims = 1, .size = {27}, .in = 2, .out = 3, .width = 4, .layers = 2, .padding = NIGH_PAD_REFLECT, .residual = true},
};

static int64_t points_of(const nigh_mgno_spec *s) { return s->size[0] * (s->dims == 2 ? s->size[1] : 1); }

static nigh_array batch_of(const nigh_mgno_spec *s, nigh_dtype dtype, int64_t n, void *data)
{
    nigh_array a = {{dtype, s->dims + 2, {n, s->size[0], s->size[1]}}, data};
    a.shape.dim[s->dims + 1] = s->in;
    return a;
}

static void test_linear(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t g = 0; g < sizeof grids / sizeof *grids; g++) {
        const nigh_mgno_spec *s = &grids[g];
        int64_t in = points_of(s) * s->in, out = points_of(s) * s->width;
        double *x = malloc((size_t)(3 * in) * sizeof *x), *y = malloc((size_t)(3 * out) * sizeof *y);
        fill(x, 2 * in, g);
        for (int64_t i = 0; i < in; i++) x[2 * in + i] = 0.7 * x[i] - 1.9 * x[in + i];
        nigh_network *net;
        assert_ok(ctx, nigh_mgno_cycle_new(ctx, NIGH_F64, s, &net));
        assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), g));
        nigh_array batch = batch_of(s, NIGH_F64, 3, x);
        run_once(ctx, net, &batch, 3 * out, y);
        double most = 0;
        for (int64_t i = 0; i < out; i++) most = fmax(most, fabs(y[2 * out + i]));
        assert_true(most > 1e-3);
        for (int64_t i = 0; i < out; i++) assert_near(y[2 * out + i], 0.7 * y[i] - 1.9 * y[out + i], 1e-13 * most, 0);
        nigh_network_free(net);
        free(x), free(y);
    }
    test_context_free(ctx);
}

/* The tape beside the plainest loops, whole networks. */
static void test_slow(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t g = 0; g < sizeof grids / sizeof *grids; g++) {
        nigh_mgno_spec s = grids[g];
        if (s.padding != NIGH_PAD_ZERO) continue; /* transposed convolutions of others have no plain rule */
        s.norm = g % 2 == 0;
        int64_t in = points_of(&s) * s.in, out = points_of(&s) * s.out;
        double *x = malloc((size_t)(2 * in) * sizeof *x), *y = malloc((size_t)(2 * out) * sizeof *y);
        fill(x, 2 * in, g);
        nigh_network *net;
        nigh_array batch = batch_of(&s, NIGH_F64, 2, x), want;
        assert_ok(ctx, nigh_mgno_new(ctx, NIGH_F64, &s, &net));
        assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), g));
        run_once(ctx, net, &batch, 2 * out, y);
        assert_ok(ctx, nigh_network_evaluate_f64(net, &batch, &want));
        for (int64_t i = 0; i < 2 * out; i++) assert_near(y[i], ((const double *)want.data)[i], 1e-11, 1e-11);
        nigh_array_free(ctx, &want);
        nigh_network_free(net);
        free(x), free(y);
    }
    test_context_free(ctx);
}

/* Around a circle, fields moved by a point of the coarsest grid give answers moved by it. */
static void test_moved(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_mgno_spec s = {.dims = 2, .size = {16, 12}, .in = 2, .out = 1, .width = 3, .layers = 2, .levels = 3, .padding = NIGH_PAD_CIRCULAR};
    enum { POINTS = 16 * 12, MOVE = 4 * 12 };
    double x[2 * POINTS * 2], y[2 * POINTS];
    fill(x, POINTS * 2, 5);
    for (int i = 0; i < POINTS * 2; i++) x[POINTS * 2 + i] = x[(i + MOVE * 2) % (POINTS * 2)];
    nigh_network *net;
    nigh_array batch = batch_of(&s, NIGH_F64, 2, x);
    assert_ok(ctx, nigh_mgno_new(ctx, NIGH_F64, &s, &net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 4));
    run_once(ctx, net, &batch, 2 * POINTS, y);
    for (int i = 0; i < POINTS; i++) assert_near(y[POINTS + i], y[(i + MOVE) % POINTS], 1e-13, 0);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* ---- the textbook's V-cycle ---- */

enum { NODES = 63, ALL = NODES * NODES };

static void set(nigh_network *net, int level, const char *part, int i, const double *stencil)
{
    char name[64];
    if (i < 0) snprintf(name, sizeof name, "%d.%s.weight", level, part);
    else snprintf(name, sizeof name, "%d.%s%d.weight", level, part, i);
    int at = nigh_parameters_find(nigh_network_parameters(net), name);
    assert_true(at >= 0);
    memcpy(nigh_parameters_data(nigh_network_parameters(net), at), stencil, 9 * sizeof *stencil);
}

static void scaled(const double *stencil, double factor, double *out)
{
    for (int i = 0; i < 9; i++) out[i] = factor * stencil[i];
}

static const double laplacian[9] = {0, -1, 0, -1, 4, -1, 0, -1, 0}, centre[9] = {0, 0, 0, 0, 1, 0, 0, 0, 0}, tent[9] = {1, 2, 1, 2, 4, 2, 1, 2, 1};

/* Two steps of damped Jacobi before and behind, full weighting, bilinear interpolation: errors of -Laplace u = f, u = 0 on the edge, fall by 5 and more a cycle. */
static void test_textbook(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_mgno_level level[6];
    for (int j = 0; j < 6; j++) level[j] = (nigh_mgno_level){.pre = 2, .post = j < 5 ? 2 : 0};
    nigh_mgno_spec s = {.dims = 2, .size = {NODES, NODES}, .in = 1, .width = 1, .levels = 6, .level = level, .inside = true, .residual = true};
    assert_int_equal(nigh_mgno_levels(&s), 6);
    nigh_network *net;
    assert_ok(ctx, nigh_mgno_cycle_new(ctx, NIGH_F64, &s, &net));
    for (int j = 0; j < 6; j++) {
        double square = pow(4, j) / ((NODES + 1) * (NODES + 1)), stencil[9];
        for (int i = 0; i < (j < 5 ? 5 : 2); i++) {
            scaled(laplacian, 1 / square, stencil);
            if (i) set(net, j, "A", i, stencil);
            scaled(centre, 0.8 * square / 4, stencil);
            if (i < 4) set(net, j, "S", i, stencil);
        }
        if (j == 5) break;
        scaled(tent, 1.0 / 16, stencil), set(net, j, "R", -1, stencil);
        scaled(tent, 1.0 / 4, stencil), set(net, j, "P", -1, stencil);
    }
    double *u = malloc(4 * ALL * sizeof *u), *error = u + ALL, *rest = error + ALL, *step = rest + ALL, before = 0;
    fill(u, ALL, 1); /* the solution; the iteration starts from 0 */
    memcpy(error, u, ALL * sizeof *u);
    for (int k = 0; k < 8; k++) {
        for (int i = 0; i < ALL; i++) {
            int row = i / NODES, column = i % NODES;
            double sum = 4 * error[i] - (row ? error[i - NODES] : 0) - (row < NODES - 1 ? error[i + NODES] : 0) - (column ? error[i - 1] : 0) - (column < NODES - 1 ? error[i + 1] : 0);
            rest[i] = sum * (NODES + 1) * (NODES + 1);
        }
        nigh_array f = batch_of(&s, NIGH_F64, 1, rest);
        run_once(ctx, net, &f, ALL, step);
        double after = 0;
        for (int i = 0; i < ALL; i++) error[i] -= step[i], after += error[i] * error[i];
        if (k && !(sqrt(after / before) <= 0.2)) fail_msg("cycle %d: %g", k, sqrt(after / before));
        before = after;
    }
    free(u);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* ---- beside PyTorch ---- */

static nigh_node record_loss(void *user, const nigh_loss_call *call)
{
    nigh_node answer;
    if (nigh_network_record(user, call->tape, call->recording, call->batch, call->parameters, &answer)) return NIGH_NONE;
    return nigh_tape_relative_l2(call->tape, answer, call->batch[1]);
}

static void test_beside(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle bundle = {.ctx = ctx};
    nigh_network *net;
    nigh_batches *rows;
    nigh_training *training;
    assert_ok(ctx, nigh_npz_read(ctx, NIGH_SOURCE_DIR "/test/nn/data/mgno.npz", &bundle));
    assert_ok(ctx, nigh_mgno_new(ctx, NIGH_F32, &(nigh_mgno_spec){.dims = 2, .size = {12, 12}, .in = 1, .out = 1, .width = 3, .layers = 2, .levels = 3}, &net));
    assert_ok(ctx, nigh_parameters_load(nigh_network_parameters(net), "", &bundle));
    nigh_array arrays[2] = {*nigh_bundle_find(&bundle, "x"), *nigh_bundle_find(&bundle, "y")};
    const double *losses = nigh_bundle_find(&bundle, "losses")->data;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = 2, .in_order = true}, &rows));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.record = record_loss, spec.user = net, spec.batches = rows, spec.rate = (nigh_schedule){.base = 1e-3}, spec.steps = 50;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &training));
    for (int i = 0; i < 50; i++) {
        assert_ok(ctx, nigh_training_advance(training, 1));
        assert_near(nigh_training_loss(training), losses[i], 0, 1e-4);
    }
    const nigh_array *want = nigh_bundle_find(&bundle, "answer");
    double have[2 * 12 * 12];
    run_once(ctx, net, nigh_bundle_find(&bundle, "xt"), 288, have);
    for (int64_t i = 0; i < nigh_shape_count(&want->shape); i++) assert_near(have[i], ((const float *)want->data)[i], 2e-4, 1e-3);
    nigh_training_free(training), nigh_batches_free(rows);
    nigh_network_free(net);
    nigh_bundle_free(&bundle);
    test_context_free(ctx);
}

/* ---- what is not allowed ---- */

static void test_levels(void **state)
{
    static const struct { nigh_mgno_spec spec; int levels; } cases[] = {
        {{.dims = 2, .size = {64, 64}}, 6}, {{.dims = 2, .size = {64, 64}, .levels = 4}, 4}, {{.dims = 2, .size = {64, 8}}, 3}, {{.dims = 2, .size = {65, 65}}, 7},
        {{.dims = 1, .size = {16}, .levels = 12}, 4}, {{.dims = 2, .size = {63, 63}, .inside = true}, 6}, {{.dims = 1, .size = {2}}, 1}, {{.dims = 1, .size = {3}}, 2},
        {{.dims = 1, .size = {1 << 20}}, 12}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_int_equal(nigh_mgno_levels(&cases[i].spec), cases[i].levels);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_mgno_spec good = {.dims = 2, .size = {16, 16}, .in = 1, .out = 1, .width = 4, .layers = 1}, bad = good;
    bad.dims = 3;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "dims is 3");
    bad = good, bad.size[1] = 1;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "size[1] is 1");
    bad = good, bad.width = 0;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "width 0");
    bad = good, bad.out = 0;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "out is 0");
    bad = good, bad.layers = 17;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "layers is 17");
    bad = good, bad.levels = 13;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "levels is 13");
    bad = good, bad.padding = (nigh_padding)7;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "dirichlet");
    bad = good, bad.inside = true, bad.padding = NIGH_PAD_CIRCULAR;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "padding by zeros");
    nigh_mgno_level none[4] = {{0, 1, 0}}, wide[4] = {{1, 0, 0}, {1, 0, 5000}}, own[4] = {{1, 0, 5}}, many[4] = {{1, 0, 0}, {9, 9, 0}};
    bad = good, bad.levels = 4, bad.level = none;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "level 0 has 0 steps before");
    bad.level = wide;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "level 1 has 5000 channels");
    bad.level = own;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "level 0 has 5 channels");
    bad.level = many;
    assert_fails(ctx, nigh_mgno_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "level 1 has 9 steps");
    test_context_free(ctx);
}

/* A network holds for one grid: recording it on another one is refused. */
static void test_other_grid(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_tape *tape;
    nigh_node parameter[64], y;
    assert_ok(ctx, nigh_mgno_new(ctx, NIGH_F32, &(nigh_mgno_spec){.dims = 2, .size = {8, 8}, .in = 1, .out = 1, .width = 2, .layers = 1}, &net));
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    nigh_node x = nigh_tape_input(tape, "x", NIGH_F32, 4, (int64_t[]){1, 9, 8, 1});
    assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(net), tape, parameter));
    assert_fails(ctx, nigh_network_record(net, tape, NULL, &x, parameter, &y), NIGH_INVALID, "8");
    nigh_tape_free(tape);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_out_of_memory(void **state)
{
    nigh_status status = NIGH_MEMORY;
    for (long at = 1; status; at++) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_network *net = NULL;
        if (!ctx) continue;
        status = nigh_mgno_new(ctx, NIGH_F32, &(nigh_mgno_spec){.dims = 2, .size = {4, 4}, .in = 1, .out = 1, .width = 2, .layers = 1, .norm = true}, &net);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        nigh_network_free(net);
        test_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear),    cmocka_unit_test(test_slow),       cmocka_unit_test(test_moved),
                                       cmocka_unit_test(test_textbook),   cmocka_unit_test(test_beside),
                                       cmocka_unit_test(test_levels),    cmocka_unit_test(test_bad_input),  cmocka_unit_test(test_other_grid), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
