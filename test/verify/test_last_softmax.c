/* A last softmax is left out where only the order within its rows is asked: the same verdicts as without it; all else is refused. */
#include "support.h"

#include "nigh/verify.h"
#include "verify/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Logits of 6 numbers: (a + b, a - b, 0.5, a, 2, relu(a) + relu(b)); softmax over `axis` of [1, 2, 3] (kind NULL: the logits). */
static nigh_network *network(nigh_context *ctx, const char *kind, int axis)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F32, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 2}), r = nigh_network_layer(net, "relu", "r", 1, &x);
    int both = nigh_network_add(net, "concat", "both", 2, (int[]){x, r}, 0, NULL, 1, (nigh_attribute[]){{"axis", 1, NULL}});
    int y = nigh_network_linear(net, "y", both, 4, 6, true);
    y = nigh_network_add(net, "reshape", "rows", 1, &y, 0, NULL, 1, (nigh_attribute[]){{"shape", 0, "0,2,3"}});
    if (kind) y = nigh_network_add(net, kind, "last", 1, &y, 0, NULL, 1, (nigh_attribute[]){{"axis", axis, NULL}});
    nigh_network_output(net, y);
    assert_ok(ctx, nigh_network_status(net));
    nigh_parameters *set = nigh_network_parameters(net);
    memcpy(nigh_parameters_data(set, nigh_parameters_find(set, "y.weight")), (float[]){1, 1, 0, 1, 0, 0, 1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1}, 24 * sizeof(float));
    memcpy(nigh_parameters_data(set, nigh_parameters_find(set, "y.bias")), (float[]){0, 0, 0.5f, 0, 2, 0}, 6 * sizeof(float));
    return net;
}

static double logit(const double *x, int i)
{
    const double y[6] = {x[0] + x[1], x[0] - x[1], 0.5, x[0], 2, fmax(x[0], 0) + fmax(x[1], 0)};
    return y[i];
}

static void read_unsafe(nigh_context *ctx, const char *unsafe, nigh_property *property)
{
    char text[2000] = "(declare-const X_0 Real)(declare-const X_1 Real)(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= X_1 0.25))(assert (<= X_1 0.75))";
    for (int i = 0; i < 6; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "(declare-const Y_%d Real)", i);
    snprintf(text + strlen(text), sizeof text - strlen(text), "(assert %s)", unsafe);
    assert_ok(ctx, nigh_property_parse(ctx, text, strlen(text), "test", property));
}

static void test_verdicts(void **state)
{
    static const struct {
        int axis, above[2]; /* Y_[0] >= Y_[1] is unsafe */
        const char *unsafe;
        nigh_verify_verdict verdict;
    } cases[] = {
        {-1, {1, 0}, "(>= Y_1 Y_0)", NIGH_VERIFY_HOLDS},
        {2, {0, 1}, "(>= Y_0 Y_1)", NIGH_VERIFY_VIOLATED},
        {-1, {1, 2}, "(<= (* 3 Y_2) (* 3 Y_1))", NIGH_VERIFY_VIOLATED},
        {-1, {0, 2}, "(and (>= Y_0 Y_2) (>= Y_1 Y_2))", NIGH_VERIFY_VIOLATED},
        {-1, {1, 0}, "(or (>= Y_1 Y_0) (>= Y_5 Y_4))", NIGH_VERIFY_HOLDS},
        {-1, {4, 3}, "(or (>= Y_1 Y_0) (>= Y_4 Y_3))", NIGH_VERIFY_VIOLATED},
        {1, {0, 3}, "(>= Y_0 Y_3)", NIGH_VERIFY_VIOLATED},
        {1, {2, 5}, "(or (>= Y_1 Y_4) (>= Y_2 (+ Y_5 0)))", NIGH_VERIFY_VIOLATED},
        {-2, {1, 4}, "(>= Y_1 Y_4)", NIGH_VERIFY_HOLDS},
    };
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int way = 0; way < 4; way++) {
            static const char *const kinds[] = {"softmax", "log-softmax", NULL, "softmax"};
            nigh_network *net = network(ctx, kinds[way], cases[i].axis);
            nigh_property property = {0};
            nigh_verify_result r = {0};
            read_unsafe(ctx, cases[i].unsafe, &property);
            nigh_verify_options how = {.seconds = 20, .splitting = (nigh_splitting)(way % 3)};
            if (nigh_verify(ctx, net, &property, &how, &r)) fail_msg("%s: %s", cases[i].unsafe, nigh_message(ctx));
            if (r.verdict != cases[i].verdict) fail_msg("%s, way %d: verdict %d by %s (%s)", cases[i].unsafe, way, r.verdict, r.how, r.why ? r.why : "");
            if (r.x) {
                int above = cases[i].above[0], below = cases[i].above[1];
                assert_true(logit(r.x, above) >= logit(r.x, below) && r.y[above] >= r.y[below]);
                assert_int_equal(r.outputs, 6);
            }
            if (r.x && kinds[way] && !strcmp(kinds[way], "softmax") && cases[i].axis == -1) assert_near(r.y[0] + r.y[1] + r.y[2], 1, 0, 1e-5);
            nigh_verify_result_free(ctx, &r);
            nigh_property_free(&property);
            nigh_network_free(net);
        }
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    static const struct {
        int axis;
        const char *unsafe;
        nigh_semantics semantics;
    } cases[] = {
        {-1, "(>= Y_1 Y_0)", NIGH_SEMANTICS_F32},
        {-1, "(>= Y_1 0.5)", NIGH_SEMANTICS_REAL},
        {-1, "(>= Y_1 (+ Y_0 0.1))", NIGH_SEMANTICS_REAL},
        {-1, "(>= Y_1 (* 2 Y_0))", NIGH_SEMANTICS_REAL},
        {-1, "(>= (* 0.1 Y_1) (* 0.1 Y_0))", NIGH_SEMANTICS_REAL}, /* 0.1 is no f64 number: not known to be the same */
        {-1, "(>= (+ Y_1 Y_0) 0)", NIGH_SEMANTICS_REAL},
        {-1, "(>= (+ Y_1 Y_2) Y_0)", NIGH_SEMANTICS_REAL},
        {-1, "(>= Y_0 Y_3)", NIGH_SEMANTICS_REAL}, /* of two rows */
        {1, "(>= Y_0 Y_1)", NIGH_SEMANTICS_REAL},
        {-1, "(or (>= Y_1 Y_0) (>= Y_1 X_0))", NIGH_SEMANTICS_REAL},
        {-1, "(or (>= Y_1 Y_0) (>= Y_2 0.9))", NIGH_SEMANTICS_REAL},
    };
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_network *net = network(ctx, "softmax", cases[i].axis);
        nigh_property property = {0};
        nigh_verify_result r = {0};
        read_unsafe(ctx, cases[i].unsafe, &property);
        nigh_status status = nigh_verify(ctx, net, &property, &(nigh_verify_options){.seconds = 20, .semantics = cases[i].semantics}, &r);
        bool told = strstr(nigh_message(ctx), "layer 'last' (softmax): no bounds for it; at the end of a network it is allowed") != NULL;
        if (status != NIGH_UNSUPPORTED || !told) fail_msg("%s: %d %s", cases[i].unsafe, (int)status, nigh_message(ctx));
        assert_null(r.x);
        nigh_property_free(&property);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* In the middle, read by another layer, or one of two outputs: not a last one. */
static void test_not_last(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int way = 0; way < 3; way++) {
        nigh_network *net = network(ctx, "softmax", -1);
        int last = nigh_network_output_layer(net, 0);
        assert_int_equal(bound_graph_last_softmax(net), last);
        int more = nigh_network_layer(net, "relu", "more", 1, &last);
        if (way) nigh_network_output(net, way == 1 ? more : last);
        assert_ok(ctx, nigh_network_status(net));
        assert_int_equal(bound_graph_last_softmax(net), -1);
        nigh_property property = {0};
        nigh_verify_result r = {0};
        read_unsafe(ctx, "(>= Y_1 Y_0)", &property);
        assert_fails(ctx, nigh_verify(ctx, net, &property, NULL, &r), NIGH_UNSUPPORTED, "layer 'last' (softmax): no bounds for it");
        nigh_property_free(&property);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts), cmocka_unit_test(test_refused), cmocka_unit_test(test_not_last)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
