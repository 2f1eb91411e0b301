/* The U-Net: beside numbers of PyTorch (bench/torch_unet.py wrote them), other grids and forms, bad input. */
#include "support.h"

#include "nigh/fields.h"
#include "nigh/train.h"

#include <math.h>
#include <string.h>

static nigh_node record_loss(void *user, const nigh_loss_call *call)
{
    nigh_tape *t = call->tape;
    nigh_node answer, y = call->batch[1];
    if (nigh_network_record(user, t, call->recording, call->batch, call->parameters, &answer)) return NIGH_NONE;
    unsigned axes = (1u << nigh_tape_shape(t, y)->ndim) - 2;
    nigh_node d = nigh_tape_sum(t, nigh_tape_square(t, nigh_tape_sub(t, answer, y)), axes, false), s = nigh_tape_sum(t, nigh_tape_square(t, y), axes, false);
    return nigh_tape_mean(t, nigh_tape_sqrt(t, nigh_tape_div(t, d, s)), NIGH_ALL, false);
}

/* Answers of a network to x [n, ...]; the caller frees run and tape. */
static const float *answers(nigh_context *ctx, nigh_network *net, const nigh_array *x, nigh_tape **tape, nigh_executor **run, nigh_node *y)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_node parameter[256];
    assert_ok(ctx, nigh_tape_new(ctx, tape));
    nigh_node in = nigh_tape_constant(*tape, NIGH_F32, x->shape.ndim, x->shape.dim, x->data);
    assert_ok(ctx, nigh_parameters_record(set, *tape, parameter));
    assert_ok(ctx, nigh_network_record(net, *tape, NULL, &in, parameter, y));
    assert_ok(ctx, nigh_executor_new(ctx, *tape, 1, y, run));
    assert_ok(ctx, nigh_parameters_bind(set, *run, parameter));
    assert_ok(ctx, nigh_executor_run(*run));
    return nigh_executor_data(*run, *y);
}

static void test_beside(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle bundle = {.ctx = ctx};
    nigh_network *net;
    nigh_batches *rows;
    nigh_training *training;
    assert_ok(ctx, nigh_npz_read(ctx, NIGH_SOURCE_DIR "/test/nn/data/unet.npz", &bundle));
    assert_ok(ctx, nigh_unet_new(ctx, NIGH_F32, &(nigh_unet_spec){.dims = 2, .in = 1, .out = 1, .base = 8, .scales = 2}, &net));
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
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node y;
    const nigh_array *want = nigh_bundle_find(&bundle, "answer");
    const float *have = answers(ctx, net, nigh_bundle_find(&bundle, "xt"), &tape, &run, &y);
    for (int64_t i = 0; i < nigh_shape_count(&want->shape); i++) assert_near(have[i], ((const float *)want->data)[i], 2e-4, 1e-3);
    nigh_executor_free(run), nigh_tape_free(tape);
    nigh_training_free(training), nigh_batches_free(rows);
    nigh_network_free(net);
    nigh_bundle_free(&bundle);
    test_context_free(ctx);
}

/* With periodic convolutions and no norm, a field moved by the coarsest step gives the answer moved by it; odd sizes give their own size. */
static void test_forms(void **state)
{
    nigh_context *ctx = test_context_new();
    static const nigh_unet_spec forms[] = {
        {.dims = 2, .in = 2, .out = 3, .base = 4, .scales = 3, .padding = NIGH_PAD_CIRCULAR, .norm = NIGH_UNET_PLAIN},
        {.dims = 2, .in = 2, .out = 1, .base = 6, .scales = 2, .padding = NIGH_PAD_CIRCULAR, .norm = NIGH_UNET_BATCH, .relu = true, .strided = true, .transposed = true},
        {.dims = 1, .in = 2, .out = 1, .base = 4, .scales = 3, .padding = NIGH_PAD_CIRCULAR, .norm = NIGH_UNET_GROUP, .groups = 2, .strided = true, .transposed = true}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        const nigh_unet_spec *s = &forms[f];
        int64_t columns = s->dims == 2 ? 12 : 1, points = 16 * columns, step = 1LL << (s->scales - 1);
        float x[2][16 * 12 * 2];
        nigh_rng rng = nigh_rng_new(1, f);
        for (int64_t i = 0; i < points * 2; i++) x[0][i] = (float)nigh_rng_f64(&rng);
        for (int64_t i = 0; i < points * 2; i++) x[1][i] = x[0][(i + step * columns * 2) % (points * 2)];
        nigh_network *net;
        assert_ok(ctx, nigh_unet_new(ctx, NIGH_F32, s, &net));
        assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 3));
        nigh_tape *tape[2];
        nigh_executor *run[2];
        const float *y[2];
        for (int k = 0; k < 2; k++) {
            nigh_array in = {{NIGH_F32, s->dims + 2, {1, 16, s->dims == 2 ? columns : 2, 2}}, x[k]};
            nigh_node out;
            y[k] = answers(ctx, net, &in, &tape[k], &run[k], &out);
            assert_int_equal(nigh_shape_count(nigh_tape_shape(tape[k], out)), points * s->out);
        }
        bool moves = s->transposed; /* linear resampling is not periodic at the edge */
        for (int64_t i = 0; i < points * s->out && moves; i++) assert_near(y[1][i], y[0][(i + step * columns * s->out) % (points * s->out)], 1e-5, 1e-4);
        for (int k = 0; k < 2; k++) nigh_executor_free(run[k]), nigh_tape_free(tape[k]);
        nigh_network_free(net);
    }
    nigh_network *net;
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node y;
    float x[9 * 11];
    for (int i = 0; i < 99; i++) x[i] = (float)sin(i);
    assert_ok(ctx, nigh_unet_new(ctx, NIGH_F32, &(nigh_unet_spec){.dims = 2, .in = 1, .out = 1, .base = 4, .scales = 3}, &net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 3));
    const float *out = answers(ctx, net, &(nigh_array){{NIGH_F32, 4, {1, 9, 11, 1}}, x}, &tape, &run, &y);
    assert_int_equal(nigh_tape_shape(tape, y)->dim[1], 9);
    assert_int_equal(nigh_tape_shape(tape, y)->dim[2], 11);
    for (int i = 0; i < 99; i++) assert_true(isfinite(out[i]));
    nigh_executor_free(run), nigh_tape_free(tape), nigh_network_free(net);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_unet_spec good = {.dims = 2, .in = 1, .out = 1, .base = 4, .scales = 3}, bad = good;
    bad.dims = 0;
    assert_fails(ctx, nigh_unet_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "dims is 0");
    bad = good, bad.scales = 7;
    assert_fails(ctx, nigh_unet_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "7 scales");
    bad = good, bad.base = 0;
    assert_fails(ctx, nigh_unet_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "base 0");
    bad = good, bad.groups = 3;
    assert_fails(ctx, nigh_unet_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "3 groups");
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
        status = nigh_unet_new(ctx, NIGH_F32, &(nigh_unet_spec){.dims = 2, .in = 1, .out = 1, .base = 4, .scales = 2, .norm = NIGH_UNET_BATCH}, &net);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        nigh_network_free(net);
        test_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside), cmocka_unit_test(test_forms), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
