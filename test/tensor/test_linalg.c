/* linalg: factorisations against their definitions, ridge against least squares and brute-force leave-one-out. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *random_matrix(uint64_t seed, int64_t m, int64_t n)
{
    double *a = malloc((size_t)(m * n) * sizeof *a);
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_rng_fill_normal(&rng, m * n, a);
    return a;
}

static void test_gemm(void **state)
{
    nigh_context *ctx = test_context_new();
    double *a = random_matrix(1, 7, 5), *b = random_matrix(2, 5, 3), at[35], bt[15], c[21], d[21];
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 5; k++) at[k * 7 + i] = a[i * 5 + k];
    for (int k = 0; k < 5; k++)
        for (int j = 0; j < 3; j++) bt[j * 5 + k] = b[k * 3 + j];
    assert_ok(ctx, linalg_gemm(ctx, false, false, 7, 3, 5, 2, a, b, 0, c));
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 3; j++) {
            double sum = 0;
            for (int k = 0; k < 5; k++) sum += 2 * a[i * 5 + k] * b[k * 3 + j];
            assert_near(c[i * 3 + j], sum, 1e-13, 0);
        }
    assert_ok(ctx, linalg_gemm(ctx, true, true, 7, 3, 5, 2, at, bt, 0, d));
    for (int i = 0; i < 21; i++) assert_near(d[i], c[i], 1e-13, 0);
    assert_fails(ctx, linalg_gemm(ctx, false, false, 7, 3, 0, 1, a, b, 0, c), NIGH_INVALID, "7 x 0");
    free(a), free(b);
    test_context_free(ctx);
}

static void test_svd_and_eigen(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t sizes[][2] = {{9, 4}, {4, 9}, {5, 5}, {6, 1}};
    for (int s = 0; s < 4; s++) {
        int64_t m = sizes[s][0], n = sizes[s][1], k = m < n ? m : n;
        double *a = random_matrix(10 + (uint64_t)s, m, n), copy[81], u[81], sv[9], vt[81];
        memcpy(copy, a, (size_t)(m * n) * sizeof *a);
        assert_ok(ctx, linalg_svd(ctx, m, n, copy, u, sv, vt));
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t c = 0; c < k; c++) sum += u[i * k + c] * sv[c] * vt[c * n + j];
                assert_near(sum, a[i * n + j], 1e-13, 0);
            }
        for (int64_t c = 1; c < k; c++) assert_true(sv[c] <= sv[c - 1]);
        free(a);
    }
    double *half = random_matrix(3, 6, 6), sym[36], copy[36], value[6];
    assert_ok(ctx, linalg_gemm(ctx, true, false, 6, 6, 6, 1, half, half, 0, sym));
    memcpy(copy, sym, sizeof sym);
    assert_ok(ctx, linalg_eigen(ctx, 6, copy, value));
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            double sum = 0;
            for (int c = 0; c < 6; c++) sum += value[c] * copy[c * 6 + i] * copy[c * 6 + j];
            assert_near(sum, sym[i * 6 + j], 1e-12, 0);
        }
    sym[7] = NAN;
    assert_fails(ctx, linalg_eigen(ctx, 6, sym, value), NIGH_INVALID, "row 1, column 1");
    half[4] = INFINITY;
    assert_fails(ctx, linalg_svd(ctx, 6, 6, half, copy, value, sym), NIGH_INVALID, "row 0, column 4");
    free(half);
    test_context_free(ctx);
}

static void test_solves(void **state)
{
    nigh_context *ctx = test_context_new();
    double *half = random_matrix(4, 8, 8), *b = random_matrix(5, 8, 2), a[64], copy[64], x[16], jitter = -1;
    assert_ok(ctx, linalg_gemm(ctx, true, false, 8, 8, 8, 1, half, half, 0, a));
    memcpy(copy, a, sizeof a);
    memcpy(x, b, sizeof x);
    assert_ok(ctx, linalg_cholesky_solve(ctx, 8, 2, copy, x, &jitter));
    assert_true(jitter == 0);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 2; j++) {
            double sum = 0;
            for (int k = 0; k < 8; k++) sum += a[i * 8 + k] * x[k * 2 + j];
            assert_near(sum, b[i * 2 + j], 1e-9, 0);
        }
    /* Rank one: jitter makes it regular; an indefinite matrix stays refused. */
    for (int i = 0; i < 64; i++) copy[i] = 1;
    assert_ok(ctx, linalg_cholesky_solve(ctx, 8, 2, copy, x, &jitter));
    assert_true(jitter > 0 && jitter <= 1e-6);
    memset(copy, 0, sizeof copy);
    for (int i = 0; i < 8; i++) copy[9 * i] = i == 3 ? -1 : 1;
    assert_fails(ctx, linalg_cholesky_solve(ctx, 8, 2, copy, x, NULL), NIGH_INVALID, "positive definite");

    /* Least squares: the residual is orthogonal to the columns, also with a column twice. */
    double *tall = random_matrix(6, 12, 4), *y = random_matrix(7, 12, 2), sol[8];
    for (int i = 0; i < 12; i++) tall[i * 4 + 3] = 2 * tall[i * 4 + 1];
    int64_t rank = 0;
    assert_ok(ctx, nigh_least_squares(ctx, NIGH_F64, 12, 4, 2, tall, y, 1e-12, sol, &rank));
    assert_int_equal(rank, 3);
    for (int c = 0; c < 4; c++)
        for (int j = 0; j < 2; j++) {
            double dot = 0;
            for (int i = 0; i < 12; i++) {
                double r = y[i * 2 + j];
                for (int k = 0; k < 4; k++) r -= tall[i * 4 + k] * sol[k * 2 + j];
                dot += tall[i * 4 + c] * r;
            }
            assert_near(dot, 0, 1e-12, 0);
        }
    double q[144], *three = random_matrix(8, 12, 3);
    assert_ok(ctx, linalg_complete_basis(ctx, 12, 3, three, q));
    for (int a1 = 0; a1 < 12; a1++)
        for (int a2 = 0; a2 < 12; a2++) {
            double dot = 0;
            for (int i = 0; i < 12; i++) dot += q[i * 12 + a1] * q[i * 12 + a2];
            assert_near(dot, a1 == a2, 1e-13, 0);
        }
    free(half), free(b), free(tall), free(y), free(three);
    test_context_free(ctx);
}

/* Centres columns; with `skip` >= 0 that row is left out of the result and of the mean. */
static int64_t centred(int64_t n, int64_t p, const double *a, int64_t skip, double *out, double *mean)
{
    int64_t rows = 0;
    memset(mean, 0, (size_t)p * sizeof *mean);
    for (int64_t i = 0; i < n; i++)
        if (i != skip) {
            memcpy(out + rows++ * p, a + i * p, (size_t)p * sizeof *a);
            for (int64_t j = 0; j < p; j++) mean[j] += a[i * p + j];
        }
    for (int64_t j = 0; j < p; j++) mean[j] /= (double)rows;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < p; j++) out[i * p + j] -= mean[j];
    return rows;
}

static void test_ridge_limits(void **state)
{
    nigh_context *ctx = test_context_new();
    double *a = random_matrix(20, 30, 5), *y = random_matrix(21, 30, 2), copy[150], x[10], plain[10];
    memcpy(copy, a, sizeof copy);
    assert_ok(ctx, linalg_ridge(ctx, 30, 5, 2, copy, y, 1e-15, false, x, NULL, NULL));
    assert_ok(ctx, nigh_least_squares(ctx, NIGH_F64, 30, 5, 2, a, y, 1e-14, plain, NULL));
    for (int i = 0; i < 10; i++) assert_near(x[i], plain[i], 1e-12, 0);
    /* More features than rows: the least-norm solution. */
    double *wide = random_matrix(22, 4, 9), xw[18], plainw[18], copyw[36];
    memcpy(copyw, wide, sizeof copyw);
    assert_ok(ctx, linalg_ridge(ctx, 4, 9, 2, copyw, y, 1e-15, false, xw, NULL, NULL));
    assert_ok(ctx, nigh_least_squares(ctx, NIGH_F64, 4, 9, 2, wide, y, 1e-14, plainw, NULL));
    for (int i = 0; i < 18; i++) assert_near(xw[i], plainw[i], 1e-10, 0);
    /* Nothing varies: zero, not NaN. */
    memset(copy, 0, sizeof copy);
    assert_ok(ctx, linalg_ridge(ctx, 30, 5, 2, copy, y, 0, true, x, NULL, NULL));
    for (int i = 0; i < 10; i++) assert_true(x[i] == 0);
    y[3] = NAN;
    assert_fails(ctx, linalg_ridge(ctx, 30, 5, 2, a, y, 0, true, x, NULL, NULL), NIGH_INVALID, "row 1, column 1");
    free(a), free(y), free(wide);
    test_context_free(ctx);
}

/* The leave-one-out error of one factorisation is that of n fits without one row each, at the same lambda. */
static void check_leave_one_out(int P, double relative)
{
    enum { N = 14, MOST = 30, Q = 2 };
    nigh_context *ctx = test_context_new();
    double *a = random_matrix(30, N, P), *y = random_matrix(31, N, Q), fa[N * MOST], fy[N * Q], mean[MOST], ymean[Q], x[MOST * Q], chosen[Q], loo[Q];
    centred(N, P, a, -1, fa, mean);
    centred(N, Q, y, -1, fy, ymean);
    double unit = 0;
    for (int i = 0; i < N * P; i++) unit += fa[i] * fa[i] / (P < N ? P : N);
    double lambda = relative * unit, brute[Q] = {0};
    assert_ok(ctx, linalg_ridge(ctx, N, P, Q, fa, fy, relative, true, x, chosen, loo));
    for (int i = 0; i < N; i++) {
        centred(N, P, a, i, fa, mean);
        centred(N, Q, y, i, fy, ymean);
        double part = 0;
        for (int k = 0; k < (N - 1) * P; k++) part += fa[k] * fa[k] / (P < N - 1 ? P : N - 1);
        assert_ok(ctx, linalg_ridge(ctx, N - 1, P, Q, fa, fy, lambda / part, true, x, NULL, NULL));
        for (int j = 0; j < Q; j++) {
            double e = y[i * Q + j] - ymean[j];
            for (int k = 0; k < P; k++) e -= (a[i * P + k] - mean[k]) * x[k * Q + j];
            brute[j] += e * e / N;
        }
    }
    for (int j = 0; j < Q; j++) {
        assert_near(loo[j], brute[j], 0, 1e-8);
        assert_true(chosen[j] == relative);
    }
    free(a), free(y);
    test_context_free(ctx);
}

static void test_ridge_leave_one_out(void **state)
{
    enum { N = 14, P = 4, Q = 2 };
    const int features[] = {4, 13, 14, 30}; /* fewer than rows, as many, more: then the data are interpolated */
    for (int i = 0; i < 4; i++) check_leave_one_out(features[i], 0.05), check_leave_one_out(features[i], 1e-6);
    nigh_context *ctx = test_context_new();
    double *a = random_matrix(30, N, P), *y = random_matrix(31, N, Q), fa[N * P], fy[N * Q], mean[P], ymean[Q], x[P * Q], chosen[Q], loo[Q];
    centred(N, P, a, -1, fa, mean);
    centred(N, Q, y, -1, fy, ymean);
    assert_ok(ctx, linalg_ridge(ctx, N, P, Q, fa, fy, 0.05, true, x, chosen, loo));
    /* Choosing takes the smallest of the grid. */
    centred(N, P, a, -1, fa, mean);
    centred(N, Q, y, -1, fy, ymean);
    double best[Q];
    assert_ok(ctx, linalg_ridge(ctx, N, P, Q, fa, fy, 0, true, x, chosen, best));
    for (int j = 0; j < Q; j++) assert_true(best[j] <= loo[j] * 1.01);
    free(a), free(y);
    test_context_free(ctx);
}

static void gaussian_matrix(int64_t n, const double *z, int64_t skip, double *k)
{
    int64_t rows = 0, m = skip < 0 ? n : n - 1;
    for (int64_t i = 0; i < n; i++) {
        if (i == skip) continue;
        int64_t cols = 0;
        for (int64_t j = 0; j < n; j++) {
            if (j == skip) continue;
            double d = z[2 * i] - z[2 * j], e = z[2 * i + 1] - z[2 * j + 1];
            k[rows * m + cols++] = exp(-0.5 * (d * d + e * e));
        }
        rows++;
    }
}

static void test_kernel_leave_one_out(void **state)
{
    enum { N = 12 };
    nigh_context *ctx = test_context_new();
    double *z = random_matrix(40, N, 2), *y = random_matrix(41, N, 1), k[N * N], w[N], loo, lambda, brute = 0, rest[N];
    gaussian_matrix(N, z, -1, k);
    assert_ok(ctx, linalg_kernel_ridge(ctx, N, 1, k, y, N, NULL, 0.01, w, NULL, &lambda, &loo));
    assert_near(lambda, 0.01, 1e-15, 0); /* the diagonal is 1 */
    for (int i = 0; i < N; i++) {
        for (int j = 0, r = 0; j < N; j++)
            if (j != i) rest[r++] = y[j];
        gaussian_matrix(N, z, i, k);
        assert_ok(ctx, linalg_kernel_ridge(ctx, N - 1, 1, k, rest, N - 1, NULL, 0.01, w, NULL, NULL, NULL));
        double e = y[i];
        for (int j = 0, r = 0; j < N; j++)
            if (j != i) {
                double d = z[2 * i] - z[2 * j], f = z[2 * i + 1] - z[2 * j + 1];
                e -= w[r++] * exp(-0.5 * (d * d + f * f));
            }
        brute += e * e / N;
    }
    assert_near(loo, brute, 0, 1e-10);
    free(z), free(y);
    test_context_free(ctx);
}

static void test_allocation_failures(void **state)
{
    double *a = random_matrix(50, 10, 4), *y = random_matrix(51, 10, 2), copy[40], x[8];
    for (long fail = 1;; fail++) {
        test_allocator allocator = {.fail_at = fail + 1}; /* the first one is the context */
        nigh_context *ctx = test_context_failing(&allocator);
        assert_non_null(ctx);
        memcpy(copy, a, sizeof copy);
        nigh_status status = linalg_ridge(ctx, 10, 4, 2, copy, y, 0, false, x, NULL, NULL);
        if (!status) status = nigh_least_squares(ctx, NIGH_F64, 10, 4, 2, a, y, 1e-12, x, NULL);
        size_t left = nigh_memory_now(ctx);
        nigh_context_free(ctx);
        assert_int_equal(left, 0);
        if (status == NIGH_OK) {
            assert_true(fail > 10);
            break;
        }
        assert_int_equal(status, NIGH_MEMORY);
    }
    free(a), free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_svd_and_eigen),
        cmocka_unit_test(test_solves),
        cmocka_unit_test(test_ridge_limits),
        cmocka_unit_test(test_ridge_leave_one_out),
        cmocka_unit_test(test_kernel_leave_one_out),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
