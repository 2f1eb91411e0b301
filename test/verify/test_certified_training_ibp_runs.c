/* Training by boxes, and what is certified. */
#include "nigh/certified_training.h"
#include "nigh/dataset.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int append(nigh_network *net, const char *kind, const char *name, int x) { return nigh_network_layer(net, kind, name, 1, &x); }

static nigh_network *small_net(nigh_context *ctx, bool norms)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, 8, 8, 1});
    x = nigh_network_linear(net, "h", append(net, "flatten", "flat", x), 64, 48, true);
    if (norms) {
        int norm[4];
        const char *const name[4] = {"mean", "variance", "gamma", "beta"};
        for (int i = 0; i < 4; i++) norm[i] = nigh_network_weight(net, name[i], 1, (int64_t[]){48}, (nigh_init){i == 1 || i == 2 ? NIGH_INIT_ONE : NIGH_INIT_ZERO, 1});
        x = nigh_network_add(net, "batch-norm", "norm", 1, &x, 4, norm, 0, NULL);
    }
    x = append(net, "relu", "r", x);
    nigh_network_output(net, nigh_network_linear(net, "out", x, 48, 10, true));
    assert_ok(ctx, nigh_network_status(net));
    return net;
}

static void images(nigh_context *ctx, int64_t n, uint64_t seed, nigh_dataset *set)
{
    assert_ok(ctx, nigh_digits_draw(ctx, seed, n, &(nigh_digits_options){.side = 8, .distortion = 0.6}, set));
}

static nigh_certified_options small_options(nigh_certified_method method)
{
    nigh_certified_options o = nigh_certified_defaults(method);
    o.radius = 0.12, o.epochs = 16, o.batch = 50, o.attack_steps = 3, o.seed = 5;
    return o;
}

static void test_training(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_dataset train, test;
    nigh_certified_figures f[5];
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    images(ctx, 500, 1, &train);
    images(ctx, 205, 2, &test);
    for (int k = 0; k < 5; k++) {
        nigh_network *net = small_net(ctx, k == 4);
        nigh_certified_options o = small_options(k == 4 ? NIGH_CERTIFIED_IBP : (nigh_certified_method)k);
        nigh_certified *it;
        if (k == 2) o.validation = &test.x, o.validation_labels = &test.y, o.validation_radius = 0.1;
        assert_ok(ctx, nigh_certified_new(ctx, net, &train.x, &train.y, &o, &it));
        assert_ok(ctx, nigh_certified_run(it));
        assert_ok(ctx, nigh_certified_measure(ctx, net, &test.x, &test.y, &(nigh_certified_measuring){.radius = 0.1, .high = 1, .attack_steps = 10, .restarts = 2, .tightness = true}, &f[k]));
        assert_true(f[k].samples == 205 && f[k].contradictions == 0);
        assert_true(f[k].intervals <= f[k].certified && f[k].certified <= f[k].attacked && f[k].attacked <= f[k].standard);
        assert_true(f[k].tightness > 0 && f[k].tightness <= 1);
        if (k == 2) { /* the log's accuracy is the measured one, its intervals in f32 say the same but for the border */
            nigh_training *t = nigh_certified_training(it);
            const nigh_training_row *row = nigh_training_row_at(t, nigh_training_rows(t) - 1);
            assert_near(row->metric[0], f[k].standard, 1e-6, 0);
            assert_near(row->metric[1], f[k].intervals, 0.011, 0);
        }
        if (k == 4) { /* running statistics moved */
            const float *mean = nigh_parameters_data(nigh_network_parameters(net), nigh_parameters_find(nigh_network_parameters(net), "mean"));
            assert_true(mean[0] != 0);
        }
        nigh_certified_free(it);
        nigh_network_free(net);
    }
    assert_true(f[2].intervals > 0.2 && f[0].intervals < 0.05); /* boxes pay */
    assert_true(f[3].intervals > 0.2 && f[4].intervals > 0.4);
    assert_true(f[2].tightness > 2 * f[0].tightness && f[2].tightness > f[3].tightness);
    assert_true(f[0].standard > 0.85 && f[2].standard <= f[0].standard);
    assert_true(f[1].attacked >= f[0].attacked);
    nigh_dataset_free(&train);
    nigh_dataset_free(&test);
    test_context_free(ctx);
}

/* Cut anywhere, the same bits come out. */
static void test_resume(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_dataset train;
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/half.ckpt", folder);
    assert_ok(ctx, nigh_context_set_threads(ctx, 1));
    images(ctx, 200, 1, &train);
    for (int method = NIGH_CERTIFIED_IBP; method <= NIGH_CERTIFIED_SABR; method++) {
        nigh_network *net[2] = {small_net(ctx, false), small_net(ctx, false)};
        nigh_certified_options o = small_options((nigh_certified_method)method);
        nigh_certified *it;
        o.epochs = 6;
        remove(path);
        for (int k = 0; k < 3; k++) { /* at once; the first half; from the file to the end */
            o.checkpoint = k ? path : NULL, o.checkpoint_every = 5;
            assert_ok(ctx, nigh_certified_new(ctx, net[k > 0], &train.x, &train.y, &o, &it));
            assert_ok(ctx, k == 1 ? nigh_certified_advance(it, 10) : nigh_certified_run(it));
            nigh_certified_free(it);
        }
        size_t bytes = (size_t)nigh_parameters_size(nigh_network_parameters(net[0])) * sizeof(float);
        assert_memory_equal(nigh_parameters_block(nigh_network_parameters(net[0])), nigh_parameters_block(nigh_network_parameters(net[1])), bytes);
        for (int k = 0; k < 2; k++) nigh_network_free(net[k]);
    }
    nigh_dataset_free(&train);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_dataset set;
    nigh_certified *it = NULL;
    nigh_certified_figures f;
    nigh_network *net = small_net(ctx, false);
    images(ctx, 40, 1, &set);
    const struct {
        const char *part;
        nigh_certified_options o;
    } bad[] = {{"radius is 0", {.radius = 0}}, {"radius is 0.6", {.radius = 0.6}}, {"radius is -1", {.radius = -1}}, {"radius is nan", {.radius = NAN}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nigh_certified_options o = small_options(NIGH_CERTIFIED_IBP);
        o.radius = bad[i].o.radius;
        assert_fails(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it), NIGH_INVALID, bad[i].part);
        assert_fails(ctx, nigh_certified_measure(ctx, net, &set.x, &set.y, &(nigh_certified_measuring){.radius = o.radius, .high = 1}, &f), NIGH_INVALID, bad[i].part);
    }
    nigh_certified_options o = small_options(NIGH_CERTIFIED_SABR);
    o.lambda = 1.5;
    assert_fails(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it), NIGH_INVALID, "lambda is 1.5");
    o = small_options(NIGH_CERTIFIED_IBP), o.low = 1;
    assert_fails(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it), NIGH_INVALID, "range of the data is 1 to 1");
    o = small_options(NIGH_CERTIFIED_IBP), o.high = 0.5;
    assert_fails(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it), NIGH_INVALID, "the range of the data is 0 to 0.5");
    o = small_options(NIGH_CERTIFIED_IBP), o.epochs = 0;
    assert_fails(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it), NIGH_INVALID, "epochs is 0");
    o = small_options(NIGH_CERTIFIED_IBP);
    ((int32_t *)set.y.data)[7] = 10;
    assert_fails(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it), NIGH_INVALID, "label 7 is 10");
    ((int32_t *)set.y.data)[7] = 0;
    ((float *)set.x.data)[64] = NAN;
    assert_fails(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it), NIGH_INVALID, "sample 1 holds nan");
    assert_fails(ctx, nigh_tightness(ctx, net, &set.x, &set.y, &(nigh_tightness_options){.radius = 0}, NULL, NULL, NULL), NIGH_INVALID, "radius is 0");
    ((float *)set.x.data)[64] = 0;
    nigh_network_output(net, append(net, "relu", "last", nigh_network_output_layer(net, 0))); /* a second output: the first stays */
    nigh_network *ends;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &ends));
    int x = nigh_network_input(ends, "x", 4, (int64_t[]){-1, 8, 8, 1});
    nigh_network_output(ends, append(ends, "relu", "end", nigh_network_linear(ends, "l", append(ends, "flatten", "flat", x), 64, 10, true)));
    assert_fails(ctx, nigh_certified_new(ctx, ends, &set.x, &set.y, &o, &it), NIGH_INVALID, "ends in layer 'end'");
    /* too steep: what happens is said */
    float *weight = nigh_parameters_data(nigh_network_parameters(net), 0);
    for (int i = 0; i < 64 * 48; i++) weight[i] = 1e38f;
    o.ramp = 0, o.epochs = 2, o.keep_weights = true;
    assert_ok(ctx, nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it));
    assert_fails(ctx, nigh_certified_run(it), NIGH_UNMET, "longer ramp");
    nigh_certified_free(it);
    nigh_network_free(ends);
    nigh_network_free(net);
    nigh_dataset_free(&set);
    test_context_free(ctx);
}

static nigh_status with_little_memory(nigh_context *ctx)
{
    nigh_dataset set = {.ctx = ctx};
    nigh_network *net = NULL;
    nigh_certified *it = NULL;
    nigh_certified_figures f;
    nigh_certified_options o = nigh_certified_defaults(NIGH_CERTIFIED_SABR);
    o.epochs = 1, o.batch = 10, o.attack_steps = 1;
    nigh_status status = nigh_digits_draw(ctx, 1, 20, &(nigh_digits_options){.side = 8}, &set);
    if (!status) status = nigh_network_new(ctx, NIGH_F32, &net);
    if (!status) {
        int x = nigh_network_input(net, "x", 4, (int64_t[]){-1, 8, 8, 1});
        nigh_network_output(net, nigh_network_linear(net, "l", append(net, "flatten", "flat", x), 64, 10, true));
        status = nigh_network_status(net);
    }
    o.validation = &set.x, o.validation_labels = &set.y, o.validation_radius = 0.1;
    if (!status) status = nigh_certified_new(ctx, net, &set.x, &set.y, &o, &it);
    if (!status) status = nigh_certified_run(it);
    if (!status) status = nigh_certified_measure(ctx, net, &set.x, &set.y, &(nigh_certified_measuring){.radius = 0.1, .high = 1, .attack_steps = 1, .tightness = true}, &f);
    nigh_certified_free(it);
    nigh_network_free(net);
    nigh_dataset_free(&set);
    return status;
}

static void test_memory(void **state)
{
    test_allocator a = {0};
    nigh_context *ctx = test_context_failing(&a);
    assert_ok(ctx, with_little_memory(ctx));
    nigh_context_free(ctx);
    long all = a.count;
    for (long at = 2; at <= all; at += 1 + all / 120) {
        a = (test_allocator){.fail_at = at};
        ctx = test_context_failing(&a);
        if (!ctx) continue;
        assert_int_equal(with_little_memory(ctx), NIGH_MEMORY);
        nigh_context_free(ctx);
        assert_int_equal(a.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_training), cmocka_unit_test(test_resume), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
