/* nigh/quadrature.h: exactness, known values, infinite intervals, log scale, bad input. */
#include "support.h"

#include "nigh/quadrature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_gauss(void **state)
{
    nigh_context *ctx = test_context_new();
    double node[256], weight[256];
    /* Three and five points in closed form. */
    assert_ok(ctx, nigh_gauss(ctx, NIGH_LEGENDRE, 3, node, weight));
    assert_near(node[2], sqrt(0.6), 2e-16, 0);
    assert_near(weight[1], 4.0 / 9, 2e-16, 0);
    assert_ok(ctx, nigh_gauss(ctx, NIGH_HERMITE, 3, node, weight));
    assert_near(node[2], sqrt(3), 4e-16, 0);
    assert_near(weight[0], 1.0 / 6, 1e-16, 0);
    for (int n = 1; n <= 256; n += n < 20 ? 1 : 59) {
        double moment = 1, sum[4] = {0}, all[4] = {0};
        for (int basis = 0; basis < 2; basis++) {
            assert_ok(ctx, nigh_gauss(ctx, basis, n, node, weight));
            for (int i = 0; i < n; i++) {
                all[basis] += weight[i], sum[basis] += weight[i] * pow(node[i], 2 * (n > 10 ? 10 : n) - 2);
                if (i) assert_true(node[i] > node[i - 1]);
            }
            assert_near(all[basis], 1, 1e-14, 0);
        }
        int degree = 2 * (n > 10 ? 10 : n) - 2;
        assert_near(sum[0], 1.0 / (degree + 1), 1e-14, 0);
        for (int k = degree - 1; k > 0; k -= 2) moment *= k;
        assert_near(sum[1], moment, 0, 3e-14);
    }
    /* A node of the largest rule against a value of 30 digits. */
    assert_ok(ctx, nigh_gauss(ctx, NIGH_LEGENDRE, 256, node, weight));
    assert_near(node[255], 0.99995605001899223073, 2e-16, 0);
    assert_near(2 * weight[255], 0.00011278901782227217551, 0, 1e-11);
    assert_ok(ctx, nigh_gauss(ctx, NIGH_HERMITE, 256, node, weight));
    assert_near(node[255], 31.100951037096511749, 0, 1e-15);
    assert_ok(ctx, nigh_gauss_interval(ctx, 20, 1, 3, node, weight));
    double log_integral = 0;
    for (int i = 0; i < 20; i++) log_integral += weight[i] / node[i];
    assert_near(log_integral, log(3), 1e-15, 0);
    assert_fails(ctx, nigh_gauss(ctx, NIGH_HERMITE, 257, node, weight), NIGH_INVALID, "257 nodes");
    assert_fails(ctx, nigh_gauss(ctx, (nigh_basis_family)3, 2, node, weight), NIGH_INVALID, "basis 3");
    assert_fails(ctx, nigh_gauss_interval(ctx, 3, 1, INFINITY, node, weight), NIGH_INVALID, "[1, inf]");
    test_context_free(ctx);
}

static void test_nodes(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[9], y[3] = {0, 1, 4}, w[3], node[12], weight[6];
    assert_ok(ctx, nigh_chebyshev_nodes(ctx, 9, false, -1, 1, x));
    for (int i = 0; i < 9; i++) assert_near(cos(9 * acos(x[i])), 0, 1e-14, 0);
    assert_ok(ctx, nigh_chebyshev_nodes(ctx, 9, true, -1, 1, x));
    for (int i = 0; i < 9; i++) assert_near(x[i], -cos(M_PI * i / 8), 1e-15, 0);
    assert_true(x[4] == 0 && x[0] == -1);
    assert_fails(ctx, nigh_chebyshev_nodes(ctx, 1, true, -1, 1, x), NIGH_INVALID, "at least 2");
    assert_ok(ctx, nigh_trapezoid_weights(ctx, 3, y, w));
    assert_true(w[0] == 0.5 && w[1] == 2 && w[2] == 1.5);
    y[1] = 5;
    assert_fails(ctx, nigh_trapezoid_weights(ctx, 3, y, w), NIGH_INVALID, "node 2 of 3");
    assert_ok(ctx, nigh_product_rule(ctx, 2, x, x, 3, w, w, node, weight));
    assert_true(node[2 * 4] == x[1] && node[2 * 4 + 1] == w[1] && weight[4] == x[1] * w[1]);
    assert_fails(ctx, nigh_product_rule(ctx, 0, x, x, 3, w, w, node, weight), NIGH_INVALID, "0 x 3");
    test_context_free(ctx);
}

/* Each basis is orthonormal under its own Gauss rule. */
static void test_bases(void **state)
{
    enum { N = 13, M = 30 };
    nigh_context *ctx = test_context_new();
    for (int basis = 0; basis < 3; basis++) {
        double node[M], weight[M], value[M * N];
        assert_ok(ctx, nigh_gauss(ctx, basis, M, node, weight));
        assert_ok(ctx, nigh_family_values(ctx, basis, M, node, N, value));
        for (int a = 0; a < N; a++)
            for (int b = 0; b < N; b++) {
                double sum = 0;
                for (int i = 0; i < M; i++) sum += weight[i] * value[i * N + a] * value[i * N + b];
                assert_near(sum, a == b, 2e-13, 0);
            }
        assert_fails(ctx, nigh_family_values(ctx, basis, M, node, 0, value), NIGH_INVALID, "0 functions");
    }
    test_context_free(ctx);
}

static double power(void *user, double x) { return pow(x, *(double *)user); }
static double gaussian(void *user, double x) { return exp(-0.5 * x * x); }
static double cauchy(void *user, double x) { return 1 / (1 + x * x); }
static double decay(void *user, double x) { return exp(-x); }
static double wave(void *user, double x) { return sin(100 * x); }
static double bad(void *user, double x) { return x > 0.3 ? NAN : 1; }
static double narrow(void *user, double x) { return -0.5e8 * (x - 3) * (x - 3) + *(double *)user; }
static double gamma_log(void *user, double x) { return 1000 * log(x) - x; }
static double never(void *user, double x) { return -INFINITY; }

static void test_adaptive(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_integral out;
    for (int fine = 0; fine < 2; fine++) {
        double p = 12, root = -0.5;
        assert_ok(ctx, nigh_integrate(ctx, power, &p, 0, 1, fine, 0, 1e-13, &out));
        assert_near(out.value, 1.0 / 13, 1e-16, 1e-14);
        assert_int_equal(out.calls, fine ? 31 : 15);
        assert_ok(ctx, nigh_integrate(ctx, power, &root, 0, 1, fine, 0, 1e-8, &out)); /* infinite at the end */
        assert_near(out.value, 2, 2e-8, 0);
        assert_ok(ctx, nigh_integrate(ctx, gaussian, NULL, -INFINITY, INFINITY, fine, 0, 1e-12, &out));
        assert_near(out.value, sqrt(2 * M_PI), 1e-13, 0);
        assert_ok(ctx, nigh_integrate(ctx, cauchy, NULL, 1, INFINITY, fine, 0, 1e-12, &out));
        assert_near(out.value, M_PI / 4, 1e-13, 0);
        assert_ok(ctx, nigh_integrate(ctx, cauchy, NULL, -INFINITY, 1, fine, 0, 1e-12, &out));
        assert_near(out.value, 3 * M_PI / 4, 1e-12, 0);
        assert_ok(ctx, nigh_integrate(ctx, decay, NULL, INFINITY, 0, fine, 0, 1e-12, &out)); /* turned round */
        assert_near(out.value, -1, 1e-13, 0);
        assert_ok(ctx, nigh_integrate(ctx, wave, NULL, 0, 1, fine, 1e-13, 0, &out));
        assert_near(out.value, (1 - cos(100)) / 100, 1e-14, 0);
    }
    assert_ok(ctx, nigh_integrate(ctx, decay, NULL, 2, 2, true, 0, 1e-12, &out));
    assert_true(out.value == 0);
    assert_fails(ctx, nigh_integrate(ctx, bad, NULL, 0, 1, true, 0, 1e-12, &out), NIGH_FAILED, "nan");
    assert_fails(ctx, nigh_integrate(ctx, decay, NULL, NAN, 1, true, 0, 1e-12, &out), NIGH_INVALID, "nan");
    assert_fails(ctx, nigh_integrate(ctx, decay, NULL, 0, 1, true, 0, 0, &out), NIGH_INVALID, "0 relative");
    assert_fails(ctx, nigh_integrate(ctx, wave, NULL, 0, 2 * M_PI, false, 0, 1e-15, &out), NIGH_UNMET, "calls");
    test_context_free(ctx);
}

static void test_log_scale(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_integral out;
    for (double height = -1e5; height <= 1e5; height += 1e5) {
        assert_ok(ctx, nigh_integrate_log(ctx, narrow, &height, -INFINITY, INFINITY, 3, 1e-12, &out));
        assert_near(out.value - height, 0.5 * log(2 * M_PI) - 0.5 * log(1e8), 1e-10, 0);
        assert_true(out.error <= 1e-12);
    }
    assert_ok(ctx, nigh_integrate_log(ctx, gamma_log, NULL, 0, INFINITY, 1000, 1e-12, &out));
    assert_near(out.value, lgamma(1001), 0, 1e-13);
    assert_ok(ctx, nigh_integrate_log(ctx, never, NULL, 0, 1, NAN, 1e-12, &out));
    assert_true(out.value == -INFINITY);
    assert_fails(ctx, nigh_integrate_log(ctx, never, NULL, 0, 1, 2, 1e-12, &out), NIGH_INVALID, "peak at 2");
    nigh_context_cancel(ctx);
    assert_int_equal(nigh_integrate_log(ctx, gamma_log, NULL, 0, INFINITY, 1000, 1e-12, &out), NIGH_INTERRUPTED);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gauss),    cmocka_unit_test(test_nodes),     cmocka_unit_test(test_bases),
        cmocka_unit_test(test_adaptive), cmocka_unit_test(test_log_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
