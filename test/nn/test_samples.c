/* Gradients of samples, Jacobians and tangent kernels: against differences, reverse sweeps one by one, and closed forms. */
#include "support.h"

#include "nigh/layers.h"
#include "nigh/random.h"
#include "nigh/samples.h"
#include "nn/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void fill(double *x, int64_t n, uint64_t stream)
{
    nigh_rng rng = nigh_rng_new(21, stream);
    nigh_rng_fill_normal(&rng, n, x);
}

typedef enum shape_kind { PLAIN, TIED, ROWS, FROZEN, MIXED } shape_kind;

/* Networks in which weights are right factors once, twice, with several rows a sample, or something else. FROZEN: one array frozen. */
static nigh_network *make(nigh_context *ctx, nigh_dtype dtype, shape_kind kind)
{
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, dtype, &net));
    nigh_init normal = {NIGH_INIT_NORMAL, 0.6};
    int x;
    if (kind == ROWS) { /* 3 rows of 4 numbers a sample, then all together */
        x = nigh_network_input(net, "x", 3, (int64_t[]){-1, 3, 4});
        x = nigh_network_linear(net, "first", x, 4, 5, true);
        x = nigh_network_layer(net, "tanh", "t1", 1, &x);
        x = nigh_network_layer(net, "flatten", "flat", 1, &x);
        x = nigh_network_linear(net, "last", x, 15, 2, true);
    } else if (kind == MIXED) {
        x = nigh_network_input(net, "x", 4, (int64_t[]){-1, 2, 4, 1});
        x = nigh_network_conv_same(net, "conv", x, 1, 3, 2, 3, NIGH_PAD_ZERO, true);
        x = nigh_network_layer(net, "tanh", "t1", 1, &x);
        x = nigh_network_layer(net, "flatten", "flat", 1, &x);
        x = nigh_network_linear(net, "first", x, 24, 5, true);
        int w = nigh_network_weight(net, "slopes.weight", 1, (int64_t[]){5}, normal);
        x = nigh_network_add(net, "prelu", "slopes", 1, &x, 1, &w, 0, NULL);
        x = nigh_network_linear(net, "last", x, 5, 2, true);
    } else {
        x = nigh_network_input(net, "x", 2, (int64_t[]){-1, 4});
        x = nigh_network_linear(net, "first", x, 4, 6, true);
        x = nigh_network_layer(net, "tanh", "t1", 1, &x);
        int w = nigh_network_weight(net, "square.weight", 2, (int64_t[]){6, 6}, normal);
        x = nigh_network_add(net, "linear", "second", 1, &x, 1, &w, 0, NULL);
        x = nigh_network_layer(net, "tanh", "t2", 1, &x);
        if (kind == TIED) x = nigh_network_add(net, "linear", "third", 1, &x, 1, &w, 0, NULL);
        x = nigh_network_linear(net, "last", x, 6, 2, true);
    }
    nigh_network_output(net, x);
    assert_ok(ctx, nigh_network_status(net));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 3));
    return net;
}

/* All rows of the Jacobian [n * outputs, P] by one reverse sweep each. */
static double *jacobian_slow(nigh_context *ctx, nigh_network *net, int64_t n, const double *x, int64_t *outputs)
{
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_shape in = *nigh_network_input_shape(net, 0);
    nigh_tape *t;
    nigh_node weight[32], node[32], z, data;
    int64_t offset[32];
    nigh_product *back;
    in.dim[0] = n;
    assert_ok(ctx, nigh_tape_new(ctx, &t));
    data = nigh_tape_input(t, "x", NIGH_F64, in.ndim, in.dim);
    assert_ok(ctx, nigh_parameters_record(set, t, weight));
    assert_ok(ctx, nigh_network_record(net, t, NULL, &data, weight, &z));
    nigh_over over = nigh_parameters_over(set, weight, node, offset);
    assert_ok(ctx, nigh_vjp_new(ctx, t, z, &over, &back));
    nigh_executor *e = nigh_product_executor(back);
    if (nigh_executor_has(e, data)) assert_ok(ctx, nigh_executor_bind(e, data, (void *)(uintptr_t)x));
    assert_ok(ctx, nigh_parameters_bind(set, e, weight));
    int64_t rows = nigh_product_cols(back), width = nigh_product_rows(back);
    double *jac = malloc((size_t)(rows * width) * sizeof *jac), *unit = calloc((size_t)rows, sizeof *unit);
    for (int64_t i = 0; i < rows; i++) {
        unit[i] = 1;
        assert_ok(ctx, nigh_product_run(back, unit, jac + i * width));
        unit[i] = 0;
    }
    free(unit);
    nigh_product_free(back);
    nigh_tape_free(t);
    *outputs = rows / n;
    return jac;
}

typedef struct seen {
    double *jac;
    int64_t outputs, width, next;
} seen;

static nigh_status see(void *user, int64_t first, int64_t samples, int64_t output, const void *rows)
{
    seen *s = user;
    for (int64_t i = 0; i < samples; i++) {
        memcpy(s->jac + ((first + i) * s->outputs + output) * s->width, (const double *)rows + i * s->width, (size_t)s->width * sizeof(double));
        s->next++;
    }
    return NIGH_OK;
}

static void check_kernel(nigh_context *ctx, nigh_network *net, const double *jac, int64_t n, int64_t outputs, int64_t width, const double *x, int64_t budget)
{
    int64_t m = n - 2, wide = n * outputs;
    double *full = malloc((size_t)(wide * wide) * sizeof *full), *each = malloc((size_t)(outputs * n * n) * sizeof *each), *sum = malloc((size_t)(n * n) * sizeof *sum);
    double *cross = malloc((size_t)(outputs * n * m) * sizeof *cross);
    assert_ok(ctx, samples_ntk(ctx, net, NIGH_NTK_FULL, n, x, 0, NULL, budget, full));
    assert_ok(ctx, samples_ntk(ctx, net, NIGH_NTK_EACH, n, x, 0, NULL, budget, each));
    assert_ok(ctx, samples_ntk(ctx, net, NIGH_NTK_SUM, n, x, 0, NULL, budget, sum));
    assert_ok(ctx, samples_ntk(ctx, net, NIGH_NTK_EACH, n, x, m, x, budget, cross)); /* the first m of the same points */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double total = 0;
            for (int64_t o = 0; o < outputs; o++)
                for (int64_t p = 0; p < outputs; p++) {
                    double want = 0;
                    for (int64_t k = 0; k < width; k++) want += jac[(i * outputs + o) * width + k] * jac[(j * outputs + p) * width + k];
                    assert_near(full[(i * outputs + o) * wide + j * outputs + p], want, 1e-11, 1e-10);
                    assert_true(full[(i * outputs + o) * wide + j * outputs + p] == full[(j * outputs + p) * wide + i * outputs + o]);
                    if (o != p) continue;
                    assert_near(each[(o * n + i) * n + j], want, 1e-11, 1e-10);
                    if (j < m) assert_near(cross[(o * n + i) * m + j], want, 1e-11, 1e-10);
                    total += want;
                }
            assert_near(sum[i * n + j], total, 1e-11, 1e-10);
        }
    for (int pass = 0; pass < 20; pass++) { /* positive semidefinite along random directions */
        double *v = malloc((size_t)wide * sizeof *v), form = 0;
        fill(v, wide, 100 + (uint64_t)pass);
        for (int64_t i = 0; i < wide; i++)
            for (int64_t j = 0; j < wide; j++) form += v[i] * full[i * wide + j] * v[j];
        assert_true(form >= -1e-10);
        free(v);
    }
    free(full), free(each), free(sum), free(cross);
}

/* Jacobian in blocks with a short last one, and the kernel, for every way in which a weight may be used. */
static void test_jacobian_and_kernel(void **state)
{
    enum { N = 7 };
    nigh_context *ctx = test_context_new();
    for (int kind = PLAIN; kind <= MIXED; kind++) {
        nigh_network *net = make(ctx, NIGH_F64, (shape_kind)kind);
        int64_t outputs, width = nigh_parameters_size(nigh_network_parameters(net));
        double x[N * 12];
        fill(x, N * 12, 5);
        if (kind == FROZEN) nigh_parameters_at(nigh_network_parameters(net), 0)->frozen = true;
        double *jac = jacobian_slow(ctx, net, N, x, &outputs);
        for (int64_t block = 1; block <= N; block += 3) {
            seen got = {.jac = calloc((size_t)(N * outputs * width), sizeof(double)), .outputs = outputs, .width = width};
            assert_ok(ctx, nigh_jacobian(ctx, net, N, x, block, false, see, &got));
            assert_int_equal(got.next, N * outputs);
            for (int64_t i = 0; i < N * outputs * width; i++) assert_near(got.jac[i], jac[i], 1e-13, 1e-12);
            free(got.jac);
        }
        check_kernel(ctx, net, jac, N, outputs, width, x, 1 << 24);
        check_kernel(ctx, net, jac, N, outputs, width, x, 2000); /* few columns and one output at a time */
        free(jac);
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

static nigh_node squares(void *user, nigh_tape *t, nigh_node output, nigh_node target)
{
    return nigh_tape_square(t, nigh_tape_sub(t, output, target));
}

/* Losses: gradients sum to the gradient of the sum; norms are those of the rows. */
static void test_losses(void **state)
{
    enum { N = 6 };
    nigh_context *ctx = test_context_new();
    for (int kind = PLAIN; kind <= MIXED; kind++) {
        nigh_network *net = make(ctx, NIGH_F64, (shape_kind)kind);
        int64_t outputs, width = nigh_parameters_size(nigh_network_parameters(net));
        double x[N * 12], goal[N * 2], norm[N], z[N * 2];
        nigh_sample_gradients *s;
        fill(x, N * 12, 6), fill(goal, N * 2, 7);
        nigh_shape target = {.dtype = NIGH_F64, .ndim = 2, .dim = {-1, 2}};
        assert_ok(ctx, nigh_samples_new(ctx, net, &(nigh_samples_spec){.batch = N, .loss = squares, .target = &target}, &s));
        double *rows = malloc((size_t)(N * width) * sizeof *rows), *jac = jacobian_slow(ctx, net, N, x, &outputs), by_input[N * 12];
        assert_int_equal(nigh_samples_outputs(s), 2);
        assert_fails(ctx, nigh_samples_norms(s, NULL, norm), NIGH_INVALID, "nigh_samples_point");
        nigh_samples_point(s, x, goal);
        assert_ok(ctx, nigh_samples_gradients(s, NULL, rows));
        assert_ok(ctx, nigh_samples_norms(s, NULL, norm));
        assert_ok(ctx, nigh_samples_by_input(s, NULL, by_input));
        nigh_tape *t;
        nigh_executor *e;
        nigh_node weight[32], data, out;
        nigh_shape in = *nigh_network_input_shape(net, 0);
        in.dim[0] = N;
        assert_ok(ctx, nigh_tape_new(ctx, &t));
        data = nigh_tape_input(t, "x", NIGH_F64, in.ndim, in.dim);
        assert_ok(ctx, nigh_parameters_record(nigh_network_parameters(net), t, weight));
        assert_ok(ctx, nigh_network_record(net, t, NULL, &data, weight, &out));
        assert_ok(ctx, nigh_executor_new(ctx, t, 1, &out, &e));
        assert_ok(ctx, nigh_executor_bind(e, data, x));
        assert_ok(ctx, nigh_parameters_bind(nigh_network_parameters(net), e, weight));
        assert_ok(ctx, nigh_executor_run(e));
        memcpy(z, nigh_executor_data(e, out), sizeof z);
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int64_t k = 0; k < width; k++) {
                double want = 0;
                for (int o = 0; o < 2; o++) want += 2 * (z[i * 2 + o] - goal[i * 2 + o]) * jac[(i * 2 + o) * width + k];
                assert_near(rows[i * width + k], want, 1e-12, 1e-11);
                sum += want * want;
            }
            assert_near(norm[i], sqrt(sum), 1e-12, 1e-12);
        }
        nigh_executor_free(e);
        nigh_tape_free(t);
        nigh_samples_free(s);
        nigh_network_free(net);
        free(rows), free(jac);
    }
    test_context_free(ctx);
}

/* One linear layer: the kernel is X X^T + 1, in f64 and f32, over several batches; derivatives by inputs are its weights. */
static void test_linear_model(void **state)
{
    enum { N = 300, D = 5 };
    nigh_context *ctx = test_context_new();
    for (int single = 0; single < 2; single++) {
        nigh_network *net;
        assert_ok(ctx, nigh_network_new(ctx, single ? NIGH_F32 : NIGH_F64, &net));
        nigh_network_output(net, nigh_network_linear(net, "only", nigh_network_input(net, "x", 2, (int64_t[]){-1, D}), D, 1, true));
        assert_ok(ctx, nigh_network_status(net));
        assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
        static double x[N * D], k[N * N];
        static float xf[N * D];
        fill(x, N * D, 8);
        for (int i = 0; i < N * D; i++) xf[i] = (float)x[i];
        const void *points = single ? (const void *)xf : (const void *)x;
        assert_ok(ctx, nigh_ntk(ctx, net, NIGH_NTK_SUM, N, points, 0, NULL, k));
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double want = 1;
                for (int d = 0; d < D; d++) want += x[i * D + d] * x[j * D + d];
                assert_near(k[i * N + j], want, single ? 1e-5 : 1e-12, single ? 1e-5 : 1e-12);
            }
        if (!single) {
            nigh_sample_gradients *s;
            double seed[3] = {1, 1, 2}, by_input[3 * D];
            const double *w = nigh_parameters_data(nigh_network_parameters(net), 0);
            assert_ok(ctx, nigh_samples_new(ctx, net, &(nigh_samples_spec){.batch = 3}, &s));
            nigh_samples_point(s, x, NULL);
            assert_ok(ctx, nigh_samples_by_input(s, seed, by_input));
            for (int i = 0; i < 3 * D; i++) assert_near(by_input[i], seed[i / D] * w[i % D], 1e-15, 1e-15);
            nigh_samples_free(s);
        }
        nigh_network_free(net);
    }
    test_context_free(ctx);
}

/* A wide network: far less memory than points x weights. */
static void test_memory_of_kernel(void **state)
{
    enum { N = 40, D = 8, W = 512 };
    nigh_context *ctx = test_context_new();
    nigh_network *net;
    assert_ok(ctx, nigh_network_new(ctx, NIGH_F64, &net));
    int x = nigh_network_input(net, "x", 2, (int64_t[]){-1, D});
    x = nigh_network_linear(net, "a", x, D, W, true);
    x = nigh_network_layer(net, "relu", "r1", 1, &x);
    x = nigh_network_linear(net, "b", x, W, W, true);
    x = nigh_network_layer(net, "relu", "r2", 1, &x);
    nigh_network_output(net, nigh_network_linear(net, "c", x, W, 1, true));
    assert_ok(ctx, nigh_parameters_draw(nigh_network_parameters(net), 1));
    size_t before = nigh_memory_now(ctx);
    double points[N * D], k[N * N];
    fill(points, N * D, 9);
    assert_ok(ctx, nigh_ntk(ctx, net, NIGH_NTK_SUM, N, points, 0, NULL, k));
    size_t explicit_bytes = (size_t)N * (size_t)nigh_parameters_size(nigh_network_parameters(net)) * sizeof(double);
    assert_true((nigh_memory_peak(ctx) - before) * 10 < explicit_bytes);
    assert_int_equal(nigh_memory_now(ctx), before);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Hessian product and leading eigenvalue over a set of parameters, f32 beside f64 with the same numbers. */
static void test_set_of_parameters(void **state)
{
    enum { N = 7 };
    nigh_context *ctx = test_context_new();
    double x[N * 4], top[2][3];
    float xf[N * 4];
    double *hv[2] = {NULL, NULL};
    fill(x, N * 4, 12);
    for (int i = 0; i < N * 4; i++) x[i] = xf[i] = (float)x[i];
    for (int single = 0; single < 2; single++) {
        nigh_dtype dtype = single ? NIGH_F32 : NIGH_F64;
        nigh_network *net = make(ctx, dtype, TIED);
        nigh_parameters *set = nigh_network_parameters(net);
        nigh_tape *t;
        nigh_node weight[32], node[32], data, z;
        int64_t offset[32], size = nigh_parameters_size(set), found;
        nigh_product *h;
        nigh_array block = {.shape = {.dtype = dtype, .ndim = 1, .dim = {size}}, .data = nigh_parameters_block(set)};
        for (int k = 0; k < nigh_parameters_count(set); k++) {
            const nigh_parameter *p = nigh_parameters_at(set, k);
            for (int64_t i = 0; i < nigh_shape_count(&p->shape); i++) nigh_array_set(&block, p->offset + i, sin((double)(p->offset + i)));
        }
        assert_ok(ctx, nigh_tape_new(ctx, &t));
        data = nigh_tape_input(t, "x", dtype, 2, (int64_t[]){N, 4});
        assert_ok(ctx, nigh_parameters_record(set, t, weight));
        assert_ok(ctx, nigh_network_record(net, t, NULL, &data, weight, &z));
        nigh_over over = nigh_parameters_over(set, weight, node, offset);
        assert_ok(ctx, nigh_hessian_new(ctx, t, nigh_tape_sum(t, nigh_tape_square(t, z), NIGH_ALL, false), &over, &h));
        assert_ok(ctx, nigh_executor_bind(nigh_product_executor(h), data, single ? (void *)xf : (void *)x));
        assert_ok(ctx, nigh_parameters_bind(set, nigh_product_executor(h), weight));
        nigh_array v = {.shape = block.shape}, y = {.shape = block.shape};
        assert_ok(ctx, nigh_array_new(ctx, &block.shape, &v));
        assert_ok(ctx, nigh_array_new(ctx, &block.shape, &y));
        for (int64_t i = 0; i < size; i++) nigh_array_set(&v, i, cos((double)i));
        assert_ok(ctx, nigh_product_run(h, v.data, y.data));
        hv[single] = malloc((size_t)size * sizeof(double));
        for (int64_t i = 0; i < size; i++) hv[single][i] = nigh_array_get(&y, i);
        assert_ok(ctx, nigh_product_top(ctx, h, 3, 40, 1, &found, top[single], NULL, NULL));
        assert_int_equal(found, 3);
        for (int64_t i = 0; i < size && single; i++) assert_near(hv[1][i], hv[0][i], 1e-3, 1e-4);
        nigh_array_free(ctx, &v), nigh_array_free(ctx, &y);
        nigh_product_free(h);
        nigh_tape_free(t);
        nigh_network_free(net);
    }
    for (int i = 0; i < 3; i++) assert_near(top[1][i], top[0][i], 0, 1e-3);
    free(hv[0]), free(hv[1]);
    test_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_network *net = make(ctx, NIGH_F64, PLAIN);
    nigh_sample_gradients *s = NULL;
    double x[8] = {0}, k[4];
    nigh_shape target = {.dtype = NIGH_F64, .ndim = 2, .dim = {-1, 2}};
    assert_fails(ctx, nigh_samples_new(ctx, net, &(nigh_samples_spec){.batch = 0}, &s), NIGH_INVALID, "batch is 0");
    assert_fails(ctx, nigh_samples_new(ctx, net, &(nigh_samples_spec){.batch = 2, .target = &target}, &s), NIGH_INVALID, "without a loss");
    assert_fails(ctx, nigh_jacobian(ctx, net, 2, x, 3, false, see, NULL), NIGH_INVALID, "blocks of 3");
    assert_fails(ctx, nigh_ntk(ctx, net, NIGH_NTK_SUM, 0, x, 0, NULL, k), NIGH_INVALID, "0 and 0 points");
    assert_null(s);
    assert_ok(ctx, nigh_samples_new(ctx, net, &(nigh_samples_spec){.batch = 2}, &s));
    nigh_samples_point(s, x, NULL);
    assert_fails(ctx, nigh_samples_norms(s, NULL, k), NIGH_INVALID, "seed");
    nigh_samples_free(s);
    nigh_network_free(net);
    test_context_free(ctx);
}

/* Every allocation that fails leaves nothing behind. */
static void test_failing_memory(void **state)
{
    for (long at = 1;; at += 3) {
        test_allocator allocator = {.fail_at = at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_network *net = NULL;
        double x[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, k[4] = {0};
        nigh_status status = nigh_network_new(ctx, NIGH_F64, &net);
        if (!status) {
            nigh_network_output(net, nigh_network_linear(net, "only", nigh_network_input(net, "x", 2, (int64_t[]){-1, 5}), 5, 1, true));
            status = nigh_network_status(net);
        }
        if (!status) status = nigh_ntk(ctx, net, NIGH_NTK_FULL, 2, x, 0, NULL, k);
        nigh_network_free(net);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
        if (!status) {
            assert_near(k[0], 56, 1e-12, 0);
            break;
        }
        assert_int_equal(status, NIGH_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jacobian_and_kernel), cmocka_unit_test(test_losses), cmocka_unit_test(test_linear_model),
        cmocka_unit_test(test_memory_of_kernel), cmocka_unit_test(test_set_of_parameters), cmocka_unit_test(test_misuse), cmocka_unit_test(test_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
