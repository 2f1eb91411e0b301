/* Verdicts: both ways, both semantics, cases, conditions on inputs, borderline points, limits, bad sizes. */
#include "support.h"

#include "nigh/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* y0 = relu(a + b) + relu(a - b), y1 = a - 2 b + 0.25 */
static nigh_network *small(nigh_context *ctx)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 2});
    int h = nigh_network_linear(net, "h", x, 2, 3, false);
    int r = nigh_network_layer(net, "relu", "r", 1, &h);
    int y = nigh_network_linear(net, "y", r, 3, 1, false), z = nigh_network_linear(net, "z", x, 2, 1, true);
    nigh_network_output(net, nigh_network_add(net, "concat", "both", 2, (int[]){y, z}, 0, NULL, 1, (nigh_attribute[]){{"axis", 1, NULL}}));
    assert_ok(ctx, nigh_network_status(net));
    nigh_parameters *set = nigh_network_parameters(net);
    memcpy(nigh_parameters_data(set, nigh_parameters_find(set, "h.weight")), (float[]){1, 1, 0, 1, -1, 0}, 6 * sizeof(float));
    memcpy(nigh_parameters_data(set, nigh_parameters_find(set, "y.weight")), (float[]){1, 1, 0}, 3 * sizeof(float));
    memcpy(nigh_parameters_data(set, nigh_parameters_find(set, "z.weight")), (float[]){1, -2}, 2 * sizeof(float));
    *(float *)nigh_parameters_data(set, nigh_parameters_find(set, "z.bias")) = 0.25f;
    return net;
}

static const char head[] = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)\n";
static const char unit[] = "(assert (>= X_0 -1))(assert (<= X_0 1))(assert (>= X_1 -1))(assert (<= X_1 1))\n";

static nigh_verify_result decide(nigh_context *ctx, nigh_network *net, const char *box, const char *unsafe, nigh_verify_options how)
{
    char text[2000];
    nigh_property property = {0};
    nigh_verify_result r = {0};
    snprintf(text, sizeof text, "%s%s(assert %s)\n", head, box, unsafe);
    assert_ok(ctx, nigh_property_parse(ctx, text, strlen(text), "test", &property));
    if (!how.seconds) how.seconds = 20;
    assert_ok(ctx, nigh_verify(ctx, net, &property, &how, &r));
    nigh_property_free(&property);
    return r;
}

static const struct {
    const char *unsafe;
    nigh_verify_verdict verdict;
} cases[] = {
    {"(>= Y_0 2.0001)", NIGH_VERIFY_HOLDS},
    {"(>= Y_0 1.9)", NIGH_VERIFY_VIOLATED},
    {"(<= Y_0 -1e-5)", NIGH_VERIFY_HOLDS},
    {"(or (>= Y_0 2.1) (>= Y_1 3.2))", NIGH_VERIFY_VIOLATED},
    {"(or (>= Y_0 2.1) (>= Y_1 3.2501))", NIGH_VERIFY_HOLDS},
    /* y0 >= 1.5 needs a >= 0.75 - ..., y1 >= 2.9 needs a - 2 b >= 2.65: together reached at a = 1, b = -1 (y0 = 2, y1 = 3.25) */
    {"(and (>= Y_0 1.5) (>= Y_1 2.9))", NIGH_VERIFY_VIOLATED},
    /* y1 <= -2.5 needs a <= 2 b - 2.75, so a <= -0.75: y0 is at most b + a <= 0.25 */
    {"(and (>= Y_0 0.3) (<= Y_1 -2.5))", NIGH_VERIFY_HOLDS},
    {"(and (>= Y_0 0.2) (<= Y_1 -2.5))", NIGH_VERIFY_VIOLATED},
    /* joint in inputs and outputs: y0 <= 2 max(a, |b|, 0) */
    {"(>= (- Y_0 (* 2 X_0)) 2.001)", NIGH_VERIFY_HOLDS},
    {"(>= (- Y_0 (* 2 X_0)) 1.5)", NIGH_VERIFY_VIOLATED},
    {"(<= X_0 5)", NIGH_VERIFY_VIOLATED},
};

static void test_verdicts(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small(ctx);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int way = 0; way < 6; way++) {
            nigh_verify_options how = {.splitting = (nigh_splitting)(way % 3), .semantics = (nigh_semantics)(way / 3), .fast = i % 2 && way % 2};
            nigh_verify_result r = decide(ctx, net, unit, cases[i].unsafe, how);
            if (r.verdict != cases[i].verdict) fail_msg("%s, way %d: verdict %d by %s (%s)", cases[i].unsafe, way, r.verdict, r.how, r.why ? r.why : "");
            assert_true((r.x != NULL) == (r.verdict == NIGH_VERIFY_VIOLATED));
            if (r.verdict == NIGH_VERIFY_HOLDS) assert_true(r.bound > 0);
            if (r.x) {
                double a = r.x[0], b = r.x[1];
                assert_true(fabs(a) <= 1 && fabs(b) <= 1);
                assert_near(r.y[0], fmax(a + b, 0) + fmax(a - b, 0), 1e-6, 1e-6);
                assert_near(r.y[1], a - 2 * b + 0.25, 1e-6, 1e-6);
            }
            nigh_verify_result_free(ctx, &r);
        }
    nigh_network_free(net);
    test_context_free(ctx);
}

/* At the largest value itself rounding decides: never "holds"; and a hair beside it either verdict is right. */
static void test_edges(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small(ctx);
    for (int way = 1; way < 3; way++) {
        nigh_verify_result r = decide(ctx, net, unit, "(>= Y_0 2)", (nigh_verify_options){.splitting = (nigh_splitting)way, .seconds = 0.4});
        assert_true(r.verdict != NIGH_VERIFY_HOLDS);
        nigh_verify_result_free(ctx, &r);
        r = decide(ctx, net, unit, "(>= Y_0 2.00000001)", (nigh_verify_options){.splitting = (nigh_splitting)way});
        assert_int_equal(r.verdict, NIGH_VERIFY_HOLDS);
        nigh_verify_result_free(ctx, &r);
        /* what f32 may add to 2 */
        r = decide(ctx, net, unit, "(>= Y_0 2.00000001)", (nigh_verify_options){.splitting = (nigh_splitting)way, .semantics = NIGH_SEMANTICS_F32, .seconds = 0.4});
        assert_true(r.verdict != NIGH_VERIFY_VIOLATED && r.verdict != NIGH_VERIFY_HOLDS);
        nigh_verify_result_free(ctx, &r);
    }
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Inputs that are one decimal which no float is: the point is that decimal. */
static void test_points_between_floats(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small(ctx);
    static const char box[] = "(assert (>= X_0 0.1))(assert (<= X_0 0.1))(assert (>= X_1 -0.3))(assert (<= X_1 0.7))\n";
    nigh_verify_result r = decide(ctx, net, box, "(>= Y_1 0.9)", (nigh_verify_options){0});
    assert_int_equal(r.verdict, NIGH_VERIFY_VIOLATED);
    assert_near(r.x[0], 0.1, 0, 1e-15);
    nigh_verify_result_free(ctx, &r);
    r = decide(ctx, net, box, "(>= Y_1 0.9500001)", (nigh_verify_options){0});
    assert_int_equal(r.verdict, NIGH_VERIFY_HOLDS);
    nigh_verify_result_free(ctx, &r);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Two boxes; the second is the violated one. */
static void test_cases(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small(ctx);
    static const char boxes[] = "(assert (or (and (>= X_0 -1) (<= X_0 -0.5)) (and (>= X_0 0.5) (<= X_0 1))))(assert (>= X_1 0))(assert (<= X_1 0.25))\n";
    nigh_verify_result r = decide(ctx, net, boxes, "(>= Y_0 1.8)", (nigh_verify_options){0});
    assert_true(r.verdict == NIGH_VERIFY_VIOLATED && r.x[0] >= 0.5);
    nigh_verify_result_free(ctx, &r);
    r = decide(ctx, net, boxes, "(and (>= Y_0 0.1) (<= Y_0 0.9))", (nigh_verify_options){0});
    assert_int_equal(r.verdict, NIGH_VERIFY_HOLDS); /* 0 left, at least 1 right */
    nigh_verify_result_free(ctx, &r);
    nigh_network_free(net);
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = small(ctx);
    nigh_property property = {0};
    nigh_verify_result r = {0};
    static const char few[] = "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= Y_0 0))";
    assert_ok(ctx, nigh_property_parse(ctx, few, strlen(few), "few", &property));
    assert_int_equal(nigh_verify(ctx, net, &property, NULL, &r), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(ctx), "the property speaks of 1 inputs (X_0 .. X_0), the network has 2"));
    assert_null(r.x);
    nigh_property_free(&property);
    nigh_network *wild;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &wild));
    int x = nigh_network_input(wild, "x", 2, (int64_t[]){-1, 1});
    nigh_network_output(wild, nigh_network_layer(wild, "mul", "square", 2, (int[]){x, nigh_network_layer(wild, "relu", "r", 1, &x)}));
    static const char one[] = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= Y_0 0))";
    assert_ok(ctx, nigh_property_parse(ctx, one, strlen(one), "one", &property));
    assert_int_equal(nigh_verify(ctx, wild, &property, NULL, &r), NIGH_UNSUPPORTED);
    assert_non_null(strstr(nigh_message(ctx), "square"));
    nigh_property_free(&property);
    nigh_network_free(wild);

    char text[2000];
    snprintf(text, sizeof text, "%s%s(assert (>= Y_0 1.99999))\n", head, unit);
    assert_ok(ctx, nigh_property_parse(ctx, text, strlen(text), "cancelled", &property));
    nigh_context_cancel(ctx);
    assert_int_equal(nigh_verify(ctx, net, &property, NULL, &r), NIGH_INTERRUPTED);
    nigh_context_uncancel(ctx);
    nigh_property_free(&property);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Too little time: an unfinished search proves nothing. The level climbs until no point is found above it; a proof so near the maximum would take hours. */
static void test_time(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){1, 20});
    for (int l = 0; l < 4; l++) {
        char name[2][8];
        snprintf(name[0], sizeof name[0], "h%d", l), snprintf(name[1], sizeof name[1], "r%d", l);
        x = nigh_network_linear(net, name[0], x, l ? 60 : 20, 60, true);
        x = nigh_network_layer(net, "relu", name[1], 1, &x);
    }
    nigh_network_output(net, nigh_network_linear(net, "y", x, 60, 1, true));
    assert_ok(ctx, nigh_network_status(net));
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_parameters_draw(set, 3);
    for (int p = 0; p < nigh_parameters_count(set); p++)
        for (int64_t i = 0; i < nigh_shape_count(&nigh_parameters_at(set, p)->shape); i++) ((float *)nigh_parameters_data(set, p))[i] *= 3;
    for (int way = 0; way < 3; way++) {
        double level = -1e6;
        nigh_verify_verdict last = NIGH_VERIFY_VIOLATED;
        for (int climb = 0; climb < 60 && last == NIGH_VERIFY_VIOLATED; climb++) {
            nigh_buffer text = {.ctx = ctx};
            nigh_property property = {0};
            nigh_verify_result r = {0};
            for (int i = 0; i < 20; i++) assert_ok(ctx, nigh_buffer_print(&text, "(declare-const X_%d Real)(assert (>= X_%d -1))(assert (<= X_%d 1))", i, i, i));
            assert_ok(ctx, nigh_buffer_print(&text, "(declare-const Y_0 Real)(assert (>= Y_0 %.17g))", level));
            assert_ok(ctx, nigh_property_parse(ctx, text.data, text.size, "hard", &property));
            assert_ok(ctx, nigh_verify(ctx, net, &property, &(nigh_verify_options){.seconds = 0.2, .splitting = (nigh_splitting)way}, &r));
            last = r.verdict;
            if (r.x) level = r.y[0] + 0.002 * fabs(r.y[0]);
            nigh_verify_result_free(ctx, &r);
            nigh_property_free(&property);
            nigh_buffer_free(&text);
        }
        assert_true(level > -1e6);
        assert_true(last == NIGH_VERIFY_TIMEOUT || last == NIGH_VERIFY_UNKNOWN);
    }
    nigh_network_free(net);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts), cmocka_unit_test(test_edges), cmocka_unit_test(test_points_between_floats), cmocka_unit_test(test_cases),
                                       cmocka_unit_test(test_time),     cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
