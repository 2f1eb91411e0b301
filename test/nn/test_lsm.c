/* The latent spectral model: beside the plain rules, beside numbers of PyTorch (bench/torch_lsm.py wrote them), sizes, work, layers of its own, bad input. */
#include "networks.h"
#include "support.h"

#include "nigh/fields.h"
#include "nigh/operators_rows.h"
#include "nigh/train.h"

#include <math.h>
#include <string.h>

static nigh_array field(nigh_context *ctx, int ndim, const int64_t *dim)
{
    nigh_array x;
    nigh_shape shape = {NIGH_F64, ndim, {0}};
    memcpy(shape.dim, dim, (size_t)ndim * sizeof *dim);
    assert_ok(ctx, nigh_array_new(ctx, &shape, &x));
    fill_uniform(&x, -1, 1, 5);
    return x;
}

/* Statistics as after a training, so that all weights count. */
static void give_statistics(nigh_network *net)
{
    nigh_parameters *set = nigh_network_parameters(net);
    for (int i = 0; i < nigh_parameters_count(set); i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        nigh_array array = {.shape = p->shape, .data = nigh_parameters_data(set, i)};
        if (p->frozen) fill_uniform(&array, 0.1, 0.4, (uint64_t)i);
    }
}

static void test_plain_rules(void **state)
{
    nigh_context *ctx = test_context_new();
    static const struct { nigh_lsm_spec spec; int64_t dim[4]; } cases[] = {
        {{.dims = 2, .in = 2, .out = 3, .width = 4, .scales = 3, .patch = {2, 3}, .heads = 2}, {2, 11, 13, 2}},
        {{.dims = 2, .in = 1, .out = 1, .width = 6, .scales = 1, .patch = {4, 4}, .heads = 3, .tokens = 2, .basis = 5, .project = 7}, {1, 8, 8, 1}},
        {{.dims = 2, .in = 1, .out = 1, .width = 4, .scales = 2, .identity = true}, {1, 8, 16, 1}},
        {{.dims = 1, .in = 1, .out = 2, .width = 4, .scales = 2, .patch = {5}, .heads = 1}, {2, 17, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_network *net;
        assert_ok(ctx, nigh_lsm_new(ctx, NIGH_F64, &cases[i].spec, &net));
        assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 3));
        give_statistics(net);
        nigh_array x = field(ctx, cases[i].spec.dims + 2, cases[i].dim);
        check_network("lsm", net, &x, 1e-11);
        nigh_array_free(ctx, &x);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

static nigh_node record_loss(void *user, const nigh_loss_call *call)
{
    nigh_node answer;
    if (nigh_network_record(user, call->tape, call->recording, call->batch, call->parameters, &answer)) return NIGH_NONE;
    return nigh_tape_relative_l2(call->tape, answer, call->batch[1]);
}

/* Fifty steps of Adam in f64, and an answer by the running statistics. */
static void test_beside(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle bundle = {.ctx = ctx};
    nigh_network *net;
    nigh_batches *rows;
    nigh_training *training;
    assert_ok(ctx, nigh_npz_read(ctx, NIGH_SOURCE_DIR "/test/nn/data/lsm.npz", &bundle));
    assert_ok(ctx, nigh_lsm_new(ctx, NIGH_F64, &(nigh_lsm_spec){.dims = 2, .in = 1, .out = 1, .width = 4, .scales = 2}, &net));
    assert_ok(ctx, nigh_parameters_load(nigh_network_parameters(net), "", &bundle));
    nigh_array arrays[2] = {*nigh_bundle_find(&bundle, "x"), *nigh_bundle_find(&bundle, "y")};
    const double *losses = nigh_bundle_find(&bundle, "losses")->data;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = 2, .in_order = true}, &rows));
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.record = record_loss, spec.user = net, spec.batches = rows, spec.rate = (nigh_schedule){.base = 1e-3}, spec.steps = 50;
    assert_ok(ctx, nigh_training_new(ctx, &spec, &training));
    for (int i = 0; i < 50; i++) {
        assert_ok(ctx, nigh_training_advance(training, 1));
        assert_near(nigh_training_loss(training), losses[i], 0, i < 20 ? 1e-7 : 1e-5);
    }
    nigh_array have, *x = (nigh_array *)nigh_bundle_find(&bundle, "xt");
    const nigh_array *want = nigh_bundle_find(&bundle, "answer");
    run_on_tape(net, x, &have);
    for (int64_t i = 0; i < nigh_shape_count(&want->shape); i++) assert_near(nigh_array_get(&have, i), nigh_array_get(want, i), 1e-4, 1e-4);
    nigh_array_free(ctx, &have);
    nigh_training_free(training), nigh_batches_free(rows);
    nigh_network_free(net);
    nigh_bundle_free(&bundle);
    test_context_free(ctx);
}

/* What is told of sizes and work: twice the points, twice the work (padding apart); and what the executor counts. */
static void test_sizes(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_lsm_spec spec = {.dims = 2, .in = 1, .out = 1, .width = 16, .scales = 3, .patch = {6, 4}};
    int64_t padded[2], sizes[2][2] = {{48, 48}, {96, 96}};
    nigh_lsm_padded(&spec, (int64_t[]){85, 17}, padded);
    assert_int_equal(padded[0], 96);
    assert_int_equal(padded[1], 32);
    assert_near(nigh_lsm_flops(&spec, sizes[1]) / nigh_lsm_flops(&spec, sizes[0]), 4, 0, 1e-12);
    nigh_network *net;
    nigh_tape *tape;
    nigh_executor *run;
    nigh_node parameter[128], x, y;
    assert_ok(ctx, nigh_lsm_new(ctx, NIGH_F32, &spec, &net));
    nigh_parameters *set = nigh_network_parameters(net);
    assert_ok(ctx, nigh_tape_new(ctx, &tape));
    x = nigh_tape_input(tape, "x", NIGH_F32, 4, (int64_t[]){1, 48, 48, 1});
    assert_ok(ctx, nigh_parameters_record(set, tape, parameter));
    assert_ok(ctx, nigh_network_record(net, tape, NULL, &x, parameter, &y));
    assert_ok(ctx, nigh_executor_new(ctx, tape, 1, &y, &run));
    assert_near(nigh_executor_flops(run) / nigh_lsm_flops(&spec, sizes[0]), 1, 0, 0.01);
    nigh_executor_free(run);
    nigh_tape_free(tape);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    nigh_lsm_spec good = {.dims = 2, .in = 1, .out = 1, .width = 8, .scales = 2}, bad = good;
    bad.dims = 3;
    assert_fails(ctx, nigh_lsm_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "dims is 3");
    bad = good, bad.heads = 3;
    assert_fails(ctx, nigh_lsm_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "3 heads do not divide the width 8");
    bad = good, bad.scales = 7;
    assert_fails(ctx, nigh_lsm_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "7 scales");
    bad = good, bad.patch[1] = -2;
    assert_fails(ctx, nigh_lsm_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "patch[1] is -2");
    bad = good, bad.tokens = 65;
    assert_fails(ctx, nigh_lsm_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "65 tokens");
    bad = good, bad.in = 0;
    assert_fails(ctx, nigh_lsm_new(ctx, NIGH_F32, &bad, &net), NIGH_INVALID, "0 channels in");
    test_context_free(ctx);
}

/* Layers put together wrongly. */
static void test_layers(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int way = 0; way < 3; way++) {
        static const char *const messages[] = {"[C,3C], [2C] and [h,T,C/h] are needed", "dimension 1 of 8 elements to 9", "multiple 0"};
        nigh_network *net;
        nigh_tape *tape;
        nigh_node parameter[4], in[2], y;
        assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
        int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, -1, -1, 6}), z = nigh_network_input(net, "z", 4, (int64_t[]){-1, -1, -1, 6}), w[3], layer;
        w[0] = nigh_network_weight(net, "a", 2, (int64_t[]){6, 18}, (nigh_init){NIGH_INIT_ONE, 1});
        w[1] = nigh_network_weight(net, "b", 1, (int64_t[]){12}, (nigh_init){NIGH_INIT_ONE, 1});
        w[2] = nigh_network_weight(net, "c", 3, (int64_t[]){2, 4, 4}, (nigh_init){NIGH_INIT_ONE, 1});
        if (way == 0) layer = nigh_network_add(net, "latent-spectral", "l", 1, &x, 3, w, 0, NULL);
        else if (way == 1) layer = nigh_network_layer(net, "crop", "l", 2, (int[]){x, z});
        else layer = nigh_network_add(net, "pad-multiple", "l", 1, &x, 0, NULL, 1, &(nigh_attribute){"multiple", 0, NULL});
        nigh_network_output(net, layer);
        assert_ok(ctx, nigh_network_status(net));
        assert_ok(ctx, nigh_tape_new(ctx, &tape));
        in[0] = nigh_tape_input(tape, "x", NIGH_F32, 4, (int64_t[]){1, 8, 8, 6}), in[1] = nigh_tape_input(tape, "z", NIGH_F32, 4, (int64_t[]){1, 9, 8, 6});
        assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(net), tape, parameter));
        assert_fails(ctx, nigh_network_record(net, tape, NULL, in, parameter, &y), NIGH_INVALID, messages[way]);
        nigh_tape_free(tape);
        nigh_network_free(net);
    }
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
        status = nigh_lsm_new(ctx, NIGH_F32, &(nigh_lsm_spec){.dims = 2, .in = 1, .out = 1, .width = 4, .scales = 2}, &net);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        nigh_network_free(net);
        test_context_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain_rules), cmocka_unit_test(test_beside), cmocka_unit_test(test_sizes), cmocka_unit_test(test_bad_input),
                                       cmocka_unit_test(test_layers), cmocka_unit_test(test_out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
