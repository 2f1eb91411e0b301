/* Convolution, pooling and sequence layers: what they record is the operator with their attributes; builders' weights; misuse. */
#include "nigh/layers.h"
#include "nigh/operators_sequences.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct made {
    nigh_context *ctx;
    nigh_network *net;
    nigh_tape *tape;
    nigh_node x[4], w[8], y[4];
} made;

static void begin(made *m)
{
    assert_int_equal(nigh_context_new(&m->ctx), NIGH_OK);
    assert_int_equal(nigh_network_new(m->ctx, NIGH_F64, &m->net), NIGH_OK);
}

static void must(made *m, nigh_status status)
{
    if (status) fail_msg("%s", nigh_message(m->ctx));
}

/* Records the network on inputs of these shapes. */
static void record(made *m, int inputs, int ndim, int64_t dim[][5])
{
    must(m, nigh_network_status(m->net));
    must(m, nigh_parameters_draw(nigh_network_parameters(m->net), 3));
    must(m, nigh_tape_new(m->ctx, &m->tape));
    for (int i = 0; i < inputs; i++) m->x[i] = nigh_tape_input(m->tape, "x", NIGH_F64, ndim, dim[i]);
    must(m, nigh_parameters_record(nigh_network_parameters(m->net), m->tape, m->w));
    must(m, nigh_network_record(m->net, m->tape, NULL, m->x, m->w, m->y));
}

/* The largest difference of two nodes for inputs of sines. */
static double difference(made *m, nigh_node a, nigh_node b)
{
    nigh_executor *run;
    nigh_node d = nigh_tape_max_over(m->tape, nigh_tape_abs(m->tape, nigh_tape_sub(m->tape, a, b)), NIGH_ALL, false);
    nigh_node size = nigh_tape_sum(m->tape, nigh_tape_abs(m->tape, a), NIGH_ALL, false);
    must(m, nigh_tape_status(m->tape));
    must(m, nigh_executor_new(m->ctx, m->tape, 2, (nigh_node[]){d, size}, &run));
    must(m, nigh_parameters_bind(nigh_network_parameters(m->net), run, m->w));
    for (int i = 0; i < 4; i++) {
        if (m->x[i] == NIGH_NONE || !nigh_executor_has(run, m->x[i])) continue;
        double *v = nigh_executor_data(run, m->x[i]);
        for (int64_t k = 0; k < nigh_shape_count(nigh_tape_shape(m->tape, m->x[i])); k++) v[k] = sin(1.1 * (double)k + i);
    }
    must(m, nigh_executor_run(run));
    double most = *(double *)nigh_executor_data(run, d);
    assert_true(*(double *)nigh_executor_data(run, size) > 0);
    nigh_executor_free(run);
    return most;
}

static void end(made *m)
{
    nigh_tape_free(m->tape);
    nigh_network_free(m->net);
    nigh_context_free(m->ctx);
}

static void test_fields(void **state)
{
    made m = {.x = {NIGH_NONE, NIGH_NONE, NIGH_NONE, NIGH_NONE}};
    int64_t dim[1][5] = {{2, 6, 8, 4}};
    nigh_convolution down = {.stride = {2, 1}, .dilation = {1, 2}, .low = {1, 2}, .high = {0, 2}, .groups = 2, .padding = NIGH_PAD_CIRCULAR};
    nigh_convolution up = {.stride = {2, 2}};
    begin(&m);
    int x = nigh_network_input(m.net, "x", 4, (int64_t[]){-1, -1, -1, 4});
    int a = nigh_network_conv(m.net, "down", x, 4, 6, 2, (int64_t[]){2, 3}, &down, true);
    int b = nigh_network_conv_same(m.net, "same", a, 6, 6, 2, 3, NIGH_PAD_REFLECT, false);
    int c = nigh_network_conv_transpose(m.net, "up", b, 6, 3, 2, (int64_t[]){2, 2}, &up, true);
    int d = nigh_network_add(m.net, "max-pool", "max", 1, &c, 0, NULL, 2, (nigh_attribute[]){{"window", 2, NULL}, {"stride_1", 1, NULL}});
    int e = nigh_network_add(m.net, "average-pool", "mean", 1, &d, 0, NULL, 3, (nigh_attribute[]){{"window", 3, NULL}, {"stride", 1, NULL}, {"pad", 1, NULL}});
    int f = nigh_network_add(m.net, "resample", "more", 1, &e, 0, NULL, 1, (nigh_attribute[]){{"scale", 2, NULL}});
    int g = nigh_network_layer(m.net, "resample", "like", 2, (int[]){f, x});
    nigh_network_output(m.net, g);
    nigh_network_output(m.net, nigh_network_layer(m.net, "global-average", "global", 1, &g));
    record(&m, 1, 4, dim);
    nigh_tape *t = m.tape;
    nigh_node y = nigh_tape_convolution(t, m.x[0], m.w[0], m.w[1], &down);
    y = nigh_tape_convolution(t, y, m.w[2], NIGH_NONE, &(nigh_convolution){.low = {1, 1}, .high = {1, 1}, .padding = NIGH_PAD_REFLECT});
    y = nigh_tape_convolution_transposed(t, y, m.w[3], m.w[4], &up, NULL);
    y = nigh_tape_max_pool(t, y, &(nigh_pool){.window = {2, 2}, .stride = {2, 1}});
    y = nigh_tape_average_pool(t, y, &(nigh_pool){.window = {3, 3}, .stride = {1, 1}, .low = {1, 1}, .high = {1, 1}});
    const int64_t *s = nigh_tape_shape(t, y)->dim;
    y = nigh_tape_resample(t, y, (int64_t[]){2 * s[1], 2 * s[2]}, true, false);
    y = nigh_tape_resample(t, y, (int64_t[]){6, 8}, true, false);
    assert_true(difference(&m, y, m.y[0]) == 0);
    assert_true(difference(&m, nigh_tape_global_average(t, y), m.y[1]) == 0);
    end(&m);
}

static void test_sequences(void **state)
{
    made m = {.x = {NIGH_NONE, NIGH_NONE, NIGH_NONE, NIGH_NONE}};
    int64_t dim[3][5] = {{2, 5, 2, 4}, {2, 7, 2, 4}, {2, 7, 2, 3}};
    begin(&m);
    int x[3] = {nigh_network_input(m.net, "q", 4, dim[0]), nigh_network_input(m.net, "k", 4, dim[1]), nigh_network_input(m.net, "v", 4, dim[2])};
    nigh_network_output(m.net, nigh_network_add(m.net, "cross-attention", "look", 3, x, 0, NULL, 1, (nigh_attribute[]){{"causal", 1, NULL}}));
    record(&m, 3, 4, dim);
    nigh_attention_how how = nigh_attention_plain();
    how.causal = true;
    assert_true(difference(&m, nigh_tape_attention_composed(m.tape, m.x[0], m.x[1], m.x[2], &how, NULL), m.y[0]) < 1e-12);
    end(&m);
}

/* A unit and a state space over [B, T, C] train: gradients of all their weights are there and are not zero. */
static void test_recurrent(void **state)
{
    made m = {.x = {NIGH_NONE, NIGH_NONE, NIGH_NONE, NIGH_NONE}};
    int64_t dim[1][5] = {{2, 12, 3}};
    nigh_node g[8];
    nigh_executor *run;
    begin(&m);
    int x = nigh_network_input(m.net, "x", 3, (int64_t[]){-1, -1, 3});
    int h = nigh_network_gru(m.net, "unit", x, 3, 4);
    nigh_network_output(m.net, nigh_network_s4d(m.net, "space", h, 4, 5));
    record(&m, 1, 3, dim);
    assert_int_equal(nigh_parameters_count(nigh_network_parameters(m.net)), 8);
    nigh_node loss = nigh_tape_sum(m.tape, nigh_tape_square(m.tape, m.y[0]), NIGH_ALL, false);
    must(&m, nigh_tape_gradient(m.tape, loss, NIGH_NONE, 8, m.w, g));
    must(&m, nigh_executor_new(m.ctx, m.tape, 8, g, &run));
    must(&m, nigh_parameters_bind(nigh_network_parameters(m.net), run, m.w));
    double *in = nigh_executor_data(run, m.x[0]);
    for (int i = 0; i < 72; i++) in[i] = sin(i);
    must(&m, nigh_executor_run(run));
    for (int i = 0; i < 8; i++) {
        const double *v = nigh_executor_data(run, g[i]);
        double size = 0;
        for (int64_t k = 0; k < nigh_shape_count(nigh_tape_shape(m.tape, g[i])); k++) size += fabs(v[k]);
        assert_true(isfinite(size) && size > 0);
    }
    nigh_executor_free(run);
    end(&m);
}

static void test_misuse(void **state)
{
    made m = {.x = {NIGH_NONE, NIGH_NONE, NIGH_NONE, NIGH_NONE}};
    begin(&m);
    int x = nigh_network_input(m.net, "x", 4, (int64_t[]){-1, -1, -1, 4});
    nigh_network_output(m.net, nigh_network_conv_same(m.net, "conv", x, 3, 6, 2, 3, NIGH_PAD_ZERO, true));
    must(&m, nigh_tape_new(m.ctx, &m.tape));
    m.x[0] = nigh_tape_input(m.tape, "x", NIGH_F64, 4, (int64_t[]){1, 5, 5, 4});
    must(&m, nigh_parameters_record(nigh_network_parameters(m.net), m.tape, m.w));
    assert_int_equal(nigh_network_record(m.net, m.tape, NULL, m.x, m.w, m.y), NIGH_INVALID);
    assert_non_null(strstr(nigh_message(m.ctx), "layer 'conv'"));
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_sequences), cmocka_unit_test(test_recurrent), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
