/* Convolutions on the tape: derivatives to the third order over all forms, the adjoint identity, 1x1 as a product, networks' Hessian products, misuse. */
#include "derivatives.h"

#include "nigh/operators_fields.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct form {
    const char *name;
    int dims;
    int64_t x[5], w[5];
    nigh_convolution how;
    bool bias;
} form;

static const form forms[] = {
    {"plain", 2, {2, 5, 4, 3}, {3, 2, 3, 4}, {.groups = 1}, false},
    {"same", 2, {1, 5, 4, 2}, {3, 3, 2, 3}, {.low = {1, 1}, .high = {1, 1}}, true},
    {"strided", 2, {2, 7, 6, 2}, {3, 2, 2, 3}, {.stride = {2, 2}, .low = {1, 0}, .high = {0, 1}}, true},
    {"dilated", 2, {1, 7, 6, 2}, {3, 2, 2, 2}, {.dilation = {2, 3}, .low = {1, 1}, .high = {1, 1}}, true},
    {"grouped", 2, {1, 4, 4, 4}, {3, 3, 2, 6}, {.groups = 2, .low = {1, 1}, .high = {1, 1}}, true},
    {"depthwise", 2, {2, 5, 5, 3}, {3, 3, 1, 3}, {.groups = 3, .low = {1, 1}, .high = {1, 1}}, true},
    {"circular", 2, {1, 5, 4, 2}, {3, 3, 2, 2}, {.padding = NIGH_PAD_CIRCULAR, .low = {1, 2}, .high = {1, 1}}, true},
    {"reflect", 2, {1, 5, 4, 2}, {3, 3, 2, 2}, {.padding = NIGH_PAD_REFLECT, .low = {1, 1}, .high = {2, 1}}, true},
    {"line", 1, {2, 9, 3}, {4, 3, 2}, {.stride = {2}, .low = {1}, .high = {2}}, true},
    {"space", 3, {1, 4, 3, 4, 2}, {2, 2, 3, 2, 2}, {.low = {1, 0, 1}, .high = {0, 1, 1}}, true},
    {"one by one", 2, {2, 3, 4, 3}, {1, 1, 3, 5}, {.groups = 1}, true}};

static nigh_node convolve(nigh_tape *t, const nigh_node *x, void *user)
{
    const form *f = user;
    nigh_node y = nigh_tape_convolution(t, x[0], x[1], f->bias ? x[2] : NIGH_NONE, &f->how);
    return nigh_tape_square(t, y); /* so that higher orders are not zero by themselves */
}

static nigh_node convolve_back(nigh_tape *t, const nigh_node *x, void *user)
{
    const form *f = user;
    nigh_node z = nigh_tape_convolution_transposed(t, x[0], x[1], f->bias ? x[2] : NIGH_NONE, &f->how, f->x + 1);
    return nigh_tape_square(t, z);
}

static void sizes_of_result(const form *f, int64_t y[5])
{
    y[0] = f->x[0];
    for (int i = 0; i < f->dims; i++) {
        int64_t stride = f->how.stride[i] ? f->how.stride[i] : 1, dilation = f->how.dilation[i] ? f->how.dilation[i] : 1;
        y[i + 1] = (f->x[i + 1] + f->how.low[i] + f->how.high[i] - dilation * (f->w[i] - 1) - 1) / stride + 1;
    }
    y[f->dims + 1] = f->w[f->dims + 1];
}

static derivatives_input array(int ndim, const int64_t *dim)
{
    derivatives_input in = {.ndim = ndim};
    memcpy(in.dim, dim, (size_t)ndim * sizeof *dim);
    return in;
}

static void test_derivatives(void **state)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        form f = forms[i];
        derivatives_input in[3] = {array(f.dims + 2, f.x), array(f.dims + 2, f.w), array(1, &f.w[f.dims + 1])};
        check_derivatives(f.name, convolve, &f, f.bias ? 3 : 2, in, i < 3 ? 3 : 2, 1e-7, 0);
    }
}

static void test_transposed(void **state)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        form f = forms[i];
        int64_t y[5], channels = f.x[f.dims + 1];
        sizes_of_result(&f, y);
        derivatives_input in[3] = {array(f.dims + 2, y), array(f.dims + 2, f.w), array(1, &channels)};
        check_derivatives(f.name, convolve_back, &f, f.bias ? 3 : 2, in, 2, 1e-7, 0);
    }
}

static void fill(nigh_executor *run, nigh_node node, int64_t n, double step)
{
    double *v = nigh_executor_data(run, node);
    assert_non_null(v);
    for (int64_t i = 0; i < n; i++) v[i] = sin(step * (double)(i + 1));
}

/* <F x, y> = <x, F' y>, and the plain sum by hand at one point. */
static void test_adjoint(void **state)
{
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const form *f = &forms[i];
        int64_t y[5], nx = 1, nw = 1, ny = 1;
        sizes_of_result(f, y);
        for (int k = 0; k < f->dims + 2; k++) nx *= f->x[k], nw *= f->w[k], ny *= y[k];
        nigh_tape *t;
        nigh_executor *run;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node x = nigh_tape_input(t, "x", NIGH_F64, f->dims + 2, f->x), w = nigh_tape_input(t, "w", NIGH_F64, f->dims + 2, f->w);
        nigh_node s = nigh_tape_input(t, "s", NIGH_F64, f->dims + 2, y);
        nigh_node a = nigh_tape_sum(t, nigh_tape_mul(t, nigh_tape_convolution(t, x, w, NIGH_NONE, &f->how), s), NIGH_ALL, false);
        nigh_node b = nigh_tape_sum(t, nigh_tape_mul(t, nigh_tape_convolution_transposed(t, s, w, NIGH_NONE, &f->how, f->x + 1), x), NIGH_ALL, false);
        assert_int_equal(nigh_executor_new(ctx, t, 2, (nigh_node[]){a, b}, &run), NIGH_OK);
        fill(run, x, nx, 1.3), fill(run, w, nw, 2.1), fill(run, s, ny, 0.7);
        assert_int_equal(nigh_executor_run(run), NIGH_OK);
        double va = *(double *)nigh_executor_data(run, a), vb = *(double *)nigh_executor_data(run, b);
        assert_true(fabs(va - vb) <= 1e-12 * (1 + fabs(va)) * (double)nw);
        nigh_executor_free(run);
        nigh_tape_free(t);
    }
    nigh_context_free(ctx);
}

/* A small network: the product of its Hessian with a direction, by the tangent of the gradient and by the gradient of a directional derivative. */
static nigh_node network_loss(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_convolution same = {.low = {1, 1}, .high = {1, 1}}, half = {.stride = {2, 2}, .low = {1, 1}, .high = {0, 0}};
    nigh_node h = nigh_tape_tanh(t, nigh_tape_convolution(t, x[0], x[1], x[2], &same));
    h = nigh_tape_max_pool(t, nigh_tape_gelu(t, nigh_tape_convolution(t, h, x[3], NIGH_NONE, &half)), &(nigh_pool){.window = {2, 2}, .stride = {1, 1}});
    return nigh_tape_mean(t, nigh_tape_square(t, nigh_tape_global_average(t, h)), NIGH_ALL, false);
}

static void test_hessian_products(void **state)
{
    derivatives_input in[4] = {{.ndim = 4, .dim = {2, 6, 6, 2}}, {.ndim = 4, .dim = {3, 3, 2, 3}}, {.ndim = 1, .dim = {3}}, {.ndim = 4, .dim = {3, 3, 3, 2}}};
    check_derivatives("network", network_loss, NULL, 4, in, 2, 1e-6, 0);
    nigh_context *ctx;
    nigh_tape *t;
    nigh_executor *run;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
    nigh_node x[4], v = nigh_tape_input(t, "v", NIGH_F64, 4, in[1].dim), g, a, slope, b;
    for (int i = 0; i < 4; i++) x[i] = nigh_tape_input(t, "x", NIGH_F64, in[i].ndim, in[i].dim);
    nigh_node loss = network_loss(t, x, NULL);
    assert_int_equal(nigh_tape_gradient(t, loss, NIGH_NONE, 1, &x[1], &g), NIGH_OK);
    assert_int_equal(nigh_tape_tangent(t, g, 1, &x[1], &v, &a), NIGH_OK);
    slope = nigh_tape_sum(t, nigh_tape_mul(t, g, v), NIGH_ALL, false);
    assert_int_equal(nigh_tape_gradient(t, slope, NIGH_NONE, 1, &x[1], &b), NIGH_OK);
    assert_int_equal(nigh_executor_new(ctx, t, 2, (nigh_node[]){a, b}, &run), NIGH_OK);
    for (int i = 0; i < 4; i++) fill(run, x[i], nigh_shape_count(nigh_tape_shape(t, x[i])), 0.9 + 0.3 * i);
    fill(run, v, 54, 0.37);
    assert_int_equal(nigh_executor_run(run), NIGH_OK);
    const double *p = nigh_executor_data(run, a), *q = nigh_executor_data(run, b);
    double size = 0;
    for (int i = 0; i < 54; i++) size += fabs(q[i]);
    assert_true(size > 0);
    for (int i = 0; i < 54; i++) assert_true(fabs(p[i] - q[i]) < 1e-12 * size);
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_context_free(ctx);
}

static void test_misuse(void **state)
{
    static const int64_t x_dim[] = {1, 5, 5, 3}, w_dim[] = {3, 3, 3, 4}, wrong_dim[] = {3, 3, 2, 4}, big_dim[] = {7, 7, 3, 4}, three[] = {3};
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    for (int i = 0; i < 6; i++) {
        nigh_tape *t;
        assert_int_equal(nigh_tape_new(ctx, &t), NIGH_OK);
        nigh_node x = nigh_tape_input(t, "x", NIGH_F32, 4, x_dim), w = nigh_tape_input(t, "w", NIGH_F32, 4, w_dim);
        nigh_node wrong = nigh_tape_input(t, "w", NIGH_F32, 4, wrong_dim), big = nigh_tape_input(t, "w", NIGH_F32, 4, big_dim);
        nigh_node b = nigh_tape_input(t, "b", NIGH_F32, 1, three), d = nigh_tape_input(t, "w", NIGH_F64, 4, w_dim), y = NIGH_NONE;
        if (i == 0) y = nigh_tape_convolution(t, x, wrong, NIGH_NONE, NULL);
        if (i == 1) y = nigh_tape_convolution(t, x, big, NIGH_NONE, NULL);
        if (i == 2) y = nigh_tape_convolution(t, x, w, b, NULL);
        if (i == 3) y = nigh_tape_convolution(t, x, d, NIGH_NONE, NULL);
        if (i == 4) y = nigh_tape_convolution(t, x, b, NIGH_NONE, NULL);
        if (i == 5) y = nigh_tape_convolution_transposed(t, x, w, NIGH_NONE, NULL, NULL);
        assert_int_equal(y, NIGH_NONE);
        assert_int_not_equal(nigh_tape_status(t), NIGH_OK);
        assert_non_null(strstr(nigh_message(ctx), "onvolution"));
        assert_non_null(strchr(nigh_message(ctx), '['));
        nigh_tape_free(t);
    }
    nigh_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_transposed), cmocka_unit_test(test_adjoint),
                                       cmocka_unit_test(test_hessian_products), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
