/* Attacks on linear models, whose worst inputs are known; restarts; ranges; misuse. */
#include "nigh/attack.h"
#include "train_support.h"

enum { N = 5, D = 4 };

/* sum_j w_j x_j for each sample. */
static nigh_node linear_loss(void *user, nigh_tape *tape, nigh_node x, nigh_node y, const nigh_node *parameters)
{
    return nigh_tape_reshape(tape, nigh_tape_matmul(tape, x, parameters[0], 0), 1, (int64_t[]){-1});
}

static nigh_parameters *weights(nigh_context *ctx, nigh_dtype dtype)
{
    nigh_parameters *set;
    int index;
    assert_ok(ctx, nigh_parameters_new(ctx, dtype, &set));
    assert_ok(ctx, nigh_parameters_add(set, "w", 2, (int64_t[]){D, 1}, nigh_init_he_normal(1), &index));
    nigh_array w = {nigh_parameters_at(set, 0)->shape, nigh_parameters_data(set, 0)};
    const double value[D] = {2, -1, 0.5, 0};
    for (int i = 0; i < D; i++) nigh_array_set(&w, i, value[i]);
    return set;
}

static void test_linear(void **state)
{
    nigh_context *ctx = test_context_new();
    const double w[D] = {2, -1, 0.5, 0};
    for (int kind = 0; kind < 8; kind++) {
        nigh_dtype dtype = kind & 1 ? NIGH_F64 : NIGH_F32;
        bool targeted = kind & 2, many = kind & 4;
        nigh_parameters *set = weights(ctx, dtype);
        nigh_attack_spec spec = {.parameters = set, .record = linear_loss, .x = {dtype, 2, {N, D}}, .radius = 0.25, .low = 0, .high = 1, .steps = many ? 7 : 1,
                                 .restarts = many ? 3 : 0, .targeted = targeted};
        nigh_attack *a;
        assert_ok(ctx, nigh_attack_new(ctx, &spec, &a));
        nigh_array x, out;
        double losses[N];
        assert_ok(ctx, nigh_array_new(ctx, &spec.x, &x));
        assert_ok(ctx, nigh_array_new(ctx, &spec.x, &out));
        for (int i = 0; i < N * D; i++) nigh_array_set(&x, i, (i * 7 % 16) / 16.);
        assert_ok(ctx, nigh_attack_run(a, x.data, NULL, 3, out.data, losses));
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int j = 0; j < D; j++) {
                double from = nigh_array_get(&x, i * D + j), got = nigh_array_get(&out, i * D + j);
                double want = fmin(fmax(from + 0.25 * (w[j] > 0 ? 1 : w[j] < 0 ? -1 : 0) * (targeted ? -1 : 1), 0), 1);
                if (w[j] != 0) assert_near(got, want, 0, 0);
                assert_true(got >= 0 && got <= 1 && fabs(got - from) <= 0.25);
                sum += w[j] * got;
            }
            assert_near(losses[i], sum, 1e-6, 0);
        }
        nigh_array_free(ctx, &x);
        nigh_array_free(ctx, &out);
        nigh_attack_free(a);
        nigh_parameters_free(set);
    }
    test_context_free(ctx);
}

/* Two classes, logits (0, w x): the loss of label 0 is log(1 + exp(w x)), largest at w x + radius |w|_1. */
static void test_network(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 2});
    nigh_network_output(net, nigh_network_linear(net, "out", x, 2, 2, false));
    double *w = nigh_parameters_data(nigh_network_parameters(net), 0);
    w[0] = 0, w[1] = 1.5, w[2] = 0, w[3] = -0.5;
    nigh_attack_spec spec = {.network = net, .x = {NIGH_F64, 2, {2, 2}}, .y = {NIGH_I32, 1, {2}}, .radius = 0.1, .steps = 1};
    nigh_attack *a;
    assert_ok(ctx, nigh_attack_new(ctx, &spec, &a));
    double at[4] = {0.3, 0.2, -0.1, 0.7}, losses[2];
    int32_t label[2] = {0, 1};
    assert_ok(ctx, nigh_attack_run(a, at, label, 0, at, losses));
    assert_near(losses[0], log1p(exp(1.5 * 0.3 - 0.5 * 0.2 + 0.1 * 2)), 0, 1e-12);
    assert_near(losses[1], log1p(exp(-(1.5 * -0.1 - 0.5 * 0.7 - 0.1 * 2))), 0, 1e-12);
    assert_near(at[0], 0.4, 1e-15, 0);
    assert_fails(ctx, nigh_attack_run(a, at, NULL, 0, at, losses), NIGH_INVALID, "y is NULL");
    nigh_attack_free(a);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* sin(9 x) - x / 2: from 0 the next top is near 0.17, the highest within 0.9 near -0.53. */
static nigh_node hills(void *user, nigh_tape *tape, nigh_node x, nigh_node y, const nigh_node *parameters)
{
    nigh_node f = nigh_tape_sub(tape, nigh_tape_sin(tape, nigh_tape_scale(tape, x, 9)), nigh_tape_scale(tape, x, 0.5));
    return nigh_tape_reshape(tape, nigh_tape_mul(tape, f, nigh_tape_reshape(tape, parameters[0], 2, (int64_t[]){1, 1})), 1, (int64_t[]){-1});
}

static void test_restarts(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_parameters *set;
    int index;
    assert_ok(ctx, nigh_parameters_new(ctx, NIGH_F64, &set));
    assert_ok(ctx, nigh_parameters_add(set, "one", 0, NULL, nigh_init_he_normal(1), &index));
    *(double *)nigh_parameters_data(set, 0) = 1;
    double loss[3], x[3] = {0, 0.05, 0.1}, out[3], again[3];
    for (int k = 0; k < 2; k++) {
        nigh_attack_spec spec = {.parameters = set, .record = hills, .x = {NIGH_F64, 2, {3, 1}}, .radius = 0.9, .steps = 200, .step = 0.005, .restarts = k ? 20 : 1};
        nigh_attack *a;
        assert_ok(ctx, nigh_attack_new(ctx, &spec, &a));
        assert_ok(ctx, nigh_attack_run(a, x, NULL, 5, out, loss));
        assert_ok(ctx, nigh_attack_run(a, x, NULL, 5, again, NULL));
        assert_memory_equal(out, again, sizeof out);
        double hill = k ? -0.5298 : 0.1684; /* cos(9 x) = 1 / 18 */
        for (int i = 0; i < 3; i++) assert_near(out[i], hill, 0.006, 0);
        nigh_attack_free(a);
    }
    nigh_parameters_free(set);
    test_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_parameters *set = weights(ctx, NIGH_F32);
    const nigh_attack_spec good = {.parameters = set, .record = linear_loss, .x = {NIGH_F32, 2, {N, D}}, .radius = 0.25, .steps = 1};
    nigh_attack_spec spec;
    nigh_attack *a = NULL;
#define REFUSES(change, words)                                                                                         \
    do {                                                                                                               \
        spec = good, change;                                                                                           \
        assert_fails(ctx, nigh_attack_new(ctx, &spec, &a), NIGH_INVALID, words);                                       \
    } while (0)
    REFUSES(spec.radius = -1, "radius is -1");
    REFUSES(spec.radius = NAN, "radius is nan");
    REFUSES(spec.steps = 0, "steps is 0");
    REFUSES(spec.step = -1, "step is -1");
    REFUSES(spec.restarts = -2, "restarts is -2");
    REFUSES((spec.low = 1, spec.high = 0), "range of the data is 1 to 0");
    REFUSES(spec.x.dtype = NIGH_F64, "the parameters' type f32");
    REFUSES(spec.x.ndim = 0, "samples [n, ...]");
    REFUSES(spec.record = NULL, "no loss");
    REFUSES(spec.parameters = NULL, "neither a network");
    REFUSES((spec.y = (nigh_shape){NIGH_I32, 1, {N + 1}}), "labels are [6] i32 for 5 samples");
    assert_null(a);
    long fail_at = 2;
    nigh_status status = NIGH_MEMORY;
    for (; status; fail_at++) {
        test_allocator memory = {.fail_at = fail_at};
        nigh_context *poor = test_context_failing(&memory);
        a = NULL;
        status = nigh_attack_new(poor, &good, &a);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        nigh_attack_free(a);
        nigh_context_free(poor);
        assert_int_equal(memory.live, 0);
    }
    nigh_parameters_free(set);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear), cmocka_unit_test(test_network), cmocka_unit_test(test_restarts), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
