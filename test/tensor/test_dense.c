/* nigh/linalg.h: factorisations against their definitions in all four types, up-dates against refactorisation, closed forms, bad input. */
#include "support.h"

#include "nigh/linalg.h"
#include "nigh/random.h"
#include "tensor/dense.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const nigh_dtype types[] = {NIGH_F32, NIGH_F64, NIGH_C64, NIGH_C128};
#define EACH_TYPE(t) for (int at_ = 0, t = types[0]; at_ < 4; at_++, t = types[at_ < 4 ? at_ : 0])

typedef double _Complex z;

static z join(double re, double im) { return re + im * I; }

static z get(nigh_dtype t, const void *a, int64_t i)
{
    double x[2];
    dense_get(t, a, i, x);
    return join(x[0], x[1]);
}

static void *room(nigh_dtype t, int64_t count) { return calloc((size_t)count + 1, nigh_dtype_size(t)); }

static void *random_of(nigh_dtype t, uint64_t seed, int64_t count)
{
    void *a = room(t, count);
    nigh_rng rng = nigh_rng_new(seed, 0);
    for (int64_t i = 0; i < count; i++) {
        double re = nigh_rng_normal(&rng), im = nigh_rng_normal(&rng);
        dense_set(t, a, i, re, im);
    }
    return a;
}

static z entry(nigh_dtype t, char op, const void *a, int64_t stride, int64_t i, int64_t j)
{
    return op == 'C' ? conj(get(t, a, j * stride + i)) : get(t, a, i * stride + j);
}

/* max |op(A) diag(d) op(B) - C|, op(A) m x k; C NULL: the identity. */
static double off(nigh_dtype t, char oa, char ob, int64_t m, int64_t n, int64_t k, const void *a, int64_t la, const double *d, const void *b, int64_t lb,
                  const void *c, int64_t lc)
{
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            z sum = 0;
            for (int64_t x = 0; x < k; x++) sum += entry(t, oa, a, la, i, x) * (d ? d[x] : 1) * entry(t, ob, b, lb, x, j);
            double e = cabs(sum - (c ? get(t, c, i * lc + j) : (i == j)));
            if (!(e <= worst)) worst = e;
        }
    return worst;
}

/* A A^H + n I of a random one. */
static void *definite(nigh_dtype t, uint64_t seed, int64_t n)
{
    void *half = random_of(t, seed, n * n), *a = room(t, n * n);
    dense_gemm(t, 'N', 'C', n, n, n, 1, half, n, half, n, 0, a, n);
    dense_mirror(t, n, a);
    for (int64_t i = 0; i < n; i++) dense_set(t, a, i * (n + 1), creal(get(t, a, i * (n + 1))) + 1, 0);
    free(half);
    return a;
}

static void test_cholesky(void **state)
{
    enum { N = 13, S = 16, Q = 3 };
    nigh_context *ctx = test_context_new();
    EACH_TYPE(t)
    {
        double eps = dense_eps(t) * N * N * 20;
        void *a = definite(t, 1, N), *wide = room(t, N * S), *l = room(t, N * S), *b = random_of(t, 2, N * Q), *x = room(t, N * Q);
        dense_copy(t, N, N, a, N, wide, S);
        assert_ok(ctx, nigh_cholesky_factor(ctx, t, N, S, wide, l));
        assert_near(off(t, 'N', 'C', N, N, N, l, S, NULL, l, S, a, N), 0, eps, 0);
        assert_ok(ctx, nigh_cholesky_solve(ctx, t, N, S, l, Q, b, x));
        assert_near(off(t, 'N', 'N', N, Q, N, a, N, NULL, x, Q, b, Q), 0, eps, 0);
        int32_t pivot[N];
        void *lu = room(t, N * N);
        double rcond, phase[2], det;
        assert_ok(ctx, nigh_lu_factor(ctx, t, N, a, lu, pivot, &rcond));
        det = nigh_lu_log_det(t, N, lu, pivot, phase);
        assert_near(nigh_cholesky_log_det(t, N, S, l), det, eps, 0);
        assert_near(phase[0], 1, eps, 0);
        assert_near(phase[1], 0, eps, 0);
        /* Up-date and down-date against the sum; the down-date brings the factor back. */
        void *v = random_of(t, 3, N), *sum = room(t, N * N);
        memcpy(sum, a, N * N * dense_size(t));
        dense_gemm(t, 'N', 'C', N, N, 1, 1, v, 1, v, 1, 1, sum, N);
        void *up = room(t, N * S);
        memcpy(up, l, N * S * dense_size(t));
        assert_ok(ctx, nigh_cholesky_update(ctx, t, N, S, up, v, true));
        assert_near(off(t, 'N', 'C', N, N, N, up, S, NULL, up, S, sum, N), 0, eps, 0);
        assert_ok(ctx, nigh_cholesky_update(ctx, t, N, S, up, v, false));
        assert_near(off(t, 'N', 'C', N, N, N, up, S, NULL, up, S, a, N), 0, eps, 0);
        for (int i = 0; i < N; i++) dense_set(t, v, i, 100 * creal(get(t, v, i)), 0);
        memcpy(up, l, N * S * dense_size(t));
        assert_fails(ctx, nigh_cholesky_update(ctx, t, N, S, up, v, false), NIGH_INVALID, "13 x 13");
        assert_memory_equal(up, l, N * S * dense_size(t));
        /* Row by row. */
        memset(up, 0, N * S * dense_size(t));
        for (int i = 0; i < N; i++) assert_ok(ctx, nigh_cholesky_append(ctx, t, i, S, up, dense_at(t, a, i * N)));
        assert_near(off(t, 'N', 'C', N, N, N, up, S, NULL, up, S, a, N), 0, eps, 0);
        /* Not definite, bad shapes, NaN. */
        dense_set(t, wide, 5 * (S + 1), -4, 0);
        assert_fails(ctx, nigh_cholesky_factor(ctx, t, N, S, wide, up), NIGH_INVALID, "pivot 5");
        assert_fails(ctx, nigh_cholesky_factor(ctx, t, N, N - 1, wide, up), NIGH_INVALID, "13 x 13 has rows at distance 12");
        dense_set(t, wide, 3 * S + 2, NAN, 0);
        assert_fails(ctx, nigh_cholesky_factor(ctx, t, N, S, wide, up), NIGH_INVALID, "row 3, column 2");
        free(a), free(wide), free(l), free(b), free(x), free(lu), free(v), free(sum), free(up);
    }
    assert_fails(ctx, nigh_cholesky_factor(ctx, NIGH_I32, 1, 1, "", NULL), NIGH_UNSUPPORTED, "i32");
    test_context_free(ctx);
}

static void test_qr(void **state)
{
    nigh_context *ctx = test_context_new();
    const int sizes[][2] = {{11, 5}, {5, 11}, {7, 7}, {1, 4}};
    EACH_TYPE(t)
    for (int s = 0; s < 8; s++) {
        int m = sizes[s / 2][0], n = sizes[s / 2][1], k = s % 2 ? m : m < n ? m : n;
        double eps = dense_eps(t) * 300;
        void *a = random_of(t, 5, m * n), *q = room(t, m * k), *r = room(t, k * n);
        assert_ok(ctx, nigh_qr_factor(ctx, t, m, n, a, s % 2, q, r));
        assert_near(off(t, 'N', 'N', m, n, k, q, k, NULL, r, n, a, n), 0, eps, 0);
        assert_near(off(t, 'C', 'N', k, k, m, q, k, NULL, q, k, NULL, 0), 0, eps, 0);
        for (int i = 0; i < k; i++)
            for (int j = 0; j < n && j <= i; j++) {
                z x = get(t, r, i * n + j);
                if (i == j) assert_true(creal(x) >= 0 && cimag(x) == 0);
                else assert_true(x == 0);
            }
        free(a), free(q), free(r);
    }
    /* Columns appended to nothing give the same factors; a dependent one is refused. */
    enum { M = 30, N = 6, S = 8 };
    EACH_TYPE(t)
    {
        void *a = random_of(t, 6, M * N), *q = room(t, M * S), *r = room(t, S * S), *v = room(t, M), *qd = room(t, M * N), *rd = room(t, N * N);
        for (int j = 0; j < N; j++) {
            dense_copy(t, M, 1, dense_at(t, a, j), N, v, 1);
            assert_ok(ctx, nigh_qr_append(ctx, t, M, j, q, S, r, S, v));
        }
        assert_ok(ctx, nigh_qr_factor(ctx, t, M, N, a, false, qd, rd));
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) assert_near(cabs(get(t, q, i * S + j) - get(t, qd, i * N + j)), 0, dense_eps(t) * 300, 0);
        assert_near(off(t, 'C', 'N', N, N, M, q, S, NULL, q, S, NULL, 0), 0, dense_eps(t) * 20, 0);
        assert_fails(ctx, nigh_qr_append(ctx, t, M, N, q, S, r, S, v), NIGH_INVALID, "span of the 6");
        assert_fails(ctx, nigh_qr_append(ctx, t, M, N, q, N, r, S, v), NIGH_INVALID, "distance");
        free(a), free(q), free(r), free(v), free(qd), free(rd);
    }
    test_context_free(ctx);
}

static void check_signs(nigh_dtype t, int64_t k, int64_t n, const void *rows, int64_t step, int64_t across)
{
    for (int64_t c = 0; c < k; c++) {
        double most = 0;
        for (int64_t i = 0; i < n; i++) most = fmax(most, cabs(get(t, rows, c * across + i * step)));
        for (int64_t i = 0; i < n; i++) {
            z x = get(t, rows, c * across + i * step);
            if (cabs(x) < 0.9991 * most) continue;
            assert_true(creal(x) > 0 && fabs(cimag(x)) < 1e-6);
            break;
        }
    }
}

static void test_svd(void **state)
{
    nigh_context *ctx = test_context_new();
    const int sizes[][2] = {{12, 5}, {5, 12}, {6, 6}, {1, 3}};
    EACH_TYPE(t)
    for (int c = 0; c < 4; c++) {
        int m = sizes[c][0], n = sizes[c][1], k = m < n ? m : n;
        double s[6], eps = dense_eps(t) * 400, cut, s2[6], s3[6], measured;
        void *a = random_of(t, 7, m * n), *u = room(t, m * k), *vh = room(t, k * n), *u2 = room(t, m * k), *vh2 = room(t, k * n);
        assert_ok(ctx, nigh_svd(ctx, t, m, n, a, u, s, vh));
        assert_near(off(t, 'N', 'N', m, n, k, u, k, s, vh, n, a, n), 0, eps, 0);
        assert_near(off(t, 'C', 'N', k, k, m, u, k, NULL, u, k, NULL, 0), 0, eps, 0);
        assert_near(off(t, 'N', 'C', k, k, n, vh, n, NULL, vh, n, NULL, 0), 0, eps, 0);
        for (int i = 1; i < k; i++) assert_true(s[i] <= s[i - 1]);
        check_signs(t, k, n, vh, 1, n);
        if (k > 2) {
            int64_t rank = 0;
            assert_ok(ctx, nigh_svd_truncated(ctx, t, m, n, a, &(nigh_svd_rule){.rank = 2}, &rank, u2, s2, vh2, &cut));
            assert_int_equal(rank, 2);
            double rest = 0;
            for (int i = 2; i < k; i++) rest += s[i] * s[i];
            assert_near(cut, sqrt(rest), eps, 0);
            assert_near(cabs(get(t, u2, 2) - get(t, u, k)), 0, 0, 0);
            /* All columns: the randomised one is the exact one; its error is what is cut. */
            assert_ok(ctx, nigh_svd_randomised(ctx, t, m, n, a, 2, k - 2, 1, 9, u2, s3, vh2, &measured));
            for (int i = 0; i < 2; i++) assert_near(s3[i], s[i], eps, 0);
            assert_near(measured, cut, eps, 0);
            check_signs(t, 2, n, vh2, 1, n);
        }
        free(a), free(u), free(vh), free(u2), free(vh2);
    }
    const double s[] = {4, 2, 1, 1e-9};
    assert_int_equal(nigh_svd_keep(4, s, &(nigh_svd_rule){.energy = 0.95}), 2);
    assert_int_equal(nigh_svd_keep(4, s, &(nigh_svd_rule){.energy = 0.96}), 3);
    assert_int_equal(nigh_svd_keep(4, s, &(nigh_svd_rule){.value = 1e-6}), 3);
    assert_int_equal(nigh_svd_keep(4, s, &(nigh_svd_rule){.value = 9}), 1);
    assert_int_equal(nigh_svd_keep(4, s, &(nigh_svd_rule){0}), 4);
    /* A matrix of rank 5 and noise: within the noise. */
    enum { M = 80, N = 60, R = 5 };
    double *l = random_of(NIGH_F64, 20, M * R), *r = random_of(NIGH_F64, 21, R * N), *a = random_of(NIGH_F64, 22, M * N), u[M * R], v[R * N], sv[R], err, noise;
    for (int i = 0; i < M * N; i++) a[i] *= 1e-6;
    noise = dense_norm(NIGH_F64, M * N, a, 1);
    dense_gemm(NIGH_F64, 'N', 'N', M, N, R, 1, l, R, r, N, 1, a, N);
    assert_ok(ctx, nigh_svd_randomised(ctx, NIGH_F64, M, N, a, R, 8, 2, 1, u, sv, v, &err));
    assert_true(err <= noise);
    assert_fails(ctx, nigh_svd_randomised(ctx, NIGH_F64, M, N, a, 55, 8, 2, 1, u, sv, v, &err), NIGH_INVALID, "80 x 60");
    free(l), free(r), free(a);
    test_context_free(ctx);
}

static void test_eigen(void **state)
{
    enum { N = 9, K = 3 };
    nigh_context *ctx = test_context_new();
    EACH_TYPE(t)
    {
        double value[N], top[K], only[N], eps = dense_eps(t) * 2000;
        void *a = definite(t, 30, N), *v = room(t, N * N), *w = room(t, N * K);
        assert_ok(ctx, nigh_eigen(ctx, t, N, a, value, v));
        void *vd = room(t, N * N);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) dense_set(t, vd, i * N + j, creal(get(t, v, i * N + j)) * value[j], cimag(get(t, v, i * N + j)) * value[j]);
        assert_near(off(t, 'N', 'N', N, N, N, a, N, NULL, v, N, vd, N), 0, eps, 0);
        assert_near(off(t, 'C', 'N', N, N, N, v, N, NULL, v, N, NULL, 0), 0, eps, 0);
        check_signs(t, N, N, v, N, 1);
        assert_ok(ctx, nigh_eigen(ctx, t, N, a, only, NULL));
        assert_ok(ctx, nigh_eigen_top(ctx, t, N, a, K, top, w));
        for (int i = 0; i < N; i++) assert_near(only[i], value[i], eps, 0);
        for (int i = 0; i < K; i++) {
            assert_near(top[i], value[N - 1 - i], eps, 0);
            for (int j = 0; j < N; j++) assert_near(cabs(get(t, w, j * K + i) - get(t, v, j * N + N - 1 - i)), 0, eps, 0);
        }
        assert_fails(ctx, nigh_eigen_top(ctx, t, N, a, N + 1, top, w), NIGH_INVALID, "10 eigenvalues of a matrix of 9 x 9");
        free(a), free(v), free(w), free(vd);
    }
    /* The second difference: 2 - 2 cos(pi j / (n + 1)). */
    double laplace[49] = {0}, value[7];
    for (int i = 0; i < 7; i++) {
        laplace[8 * i] = 2;
        if (i) laplace[7 * i + i - 1] = laplace[7 * i - 7 + i] = -1;
    }
    assert_ok(ctx, nigh_eigen(ctx, NIGH_F64, 7, laplace, value, NULL));
    for (int i = 0; i < 7; i++) assert_near(value[i], 2 - 2 * cos(M_PI * (i + 1) / 8), 1e-14, 0);
    /* Hilbert matrix: known determinant and a condition of 1.5e13 / ... its size in the estimate. */
    double hilbert[36], lu[36], rcond;
    int32_t pivot[6];
    for (int i = 0; i < 36; i++) hilbert[i] = 1.0 / (i / 6 + i % 6 + 1);
    assert_ok(ctx, nigh_lu_factor(ctx, NIGH_F64, 6, hilbert, lu, pivot, &rcond));
    assert_near(exp(nigh_lu_log_det(NIGH_F64, 6, lu, pivot, NULL)), 1 / 186313420339200000.0, 0, 1e-9);
    assert_near(1 / rcond, 29070279, 0, 0.01); /* norms of row sums: 29070279 exactly */
    test_context_free(ctx);
}

static void test_general(void **state)
{
    enum { N = 8 };
    nigh_context *ctx = test_context_new();
    EACH_TYPE(t)
    {
        void *a = random_of(t, 40, N * N), *wide = room(NIGH_C128, N * N), *rv = room(NIGH_C128, N * N), *lv = room(NIGH_C128, N * N);
        double value[2 * N], left[2 * N * N], right[2 * N * N], eps = dense_eps(t) * 500;
        assert_ok(ctx, nigh_eigen_general(ctx, t, N, a, value, left, right));
        for (int i = 0; i < N * N; i++) {
            z x = get(t, a, i), r = get(NIGH_C128, right, i) * join(value[2 * (i % N)], value[2 * (i % N) + 1]);
            z w = get(NIGH_C128, left, i) * join(value[2 * (i % N)], -value[2 * (i % N) + 1]);
            dense_set(NIGH_C128, wide, i, creal(x), cimag(x)), dense_set(NIGH_C128, rv, i, creal(r), cimag(r)), dense_set(NIGH_C128, lv, i, creal(w), cimag(w));
        }
        assert_near(off(NIGH_C128, 'N', 'N', N, N, N, wide, N, NULL, right, N, rv, N), 0, eps, 0);
        assert_near(off(NIGH_C128, 'C', 'N', N, N, N, wide, N, NULL, left, N, lv, N), 0, eps, 0);
        check_signs(NIGH_C128, N, N, right, N, 1);
        for (int i = 1; i < N; i++) assert_true(hypot(value[2 * i], value[2 * i + 1]) <= hypot(value[2 * i - 2], value[2 * i - 1]));
        free(a), free(wide), free(rv), free(lv);
    }
    double turn[4] = {0, -2, 2, 0}, value[4];
    assert_ok(ctx, nigh_eigen_general(ctx, NIGH_F64, 2, turn, value, NULL, NULL));
    assert_near(value[1], 2, 1e-15, 0);
    assert_near(value[3], -2, 1e-15, 0);
    assert_fails(ctx, nigh_eigen_general(ctx, NIGH_F64, 4001, turn, value, NULL, NULL), NIGH_INVALID, "4001");
    test_context_free(ctx);
}

static void test_systems(void **state)
{
    enum { N = 10, M = 17, Q = 3 };
    nigh_context *ctx = test_context_new();
    EACH_TYPE(t)
    {
        void *a = random_of(t, 50, N * N), *b = random_of(t, 51, M * Q), *lu = room(t, N * N), *x = room(t, N * Q);
        int32_t pivot[N];
        double rcond;
        assert_ok(ctx, nigh_lu_factor(ctx, t, N, a, lu, pivot, &rcond));
        assert_true(rcond > 0 && rcond < 1);
        assert_ok(ctx, nigh_lu_solve(ctx, t, N, lu, pivot, Q, b, x));
        assert_near(off(t, 'N', 'N', N, Q, N, a, N, NULL, x, Q, b, Q), 0, dense_eps(t) * 2000, 0);
        void *tall = random_of(t, 52, M * N), *r = room(t, M * Q);
        int64_t rank;
        assert_ok(ctx, nigh_least_squares(ctx, t, M, N, Q, tall, b, 0, x, &rank));
        assert_int_equal(rank, N);
        memcpy(r, b, M * Q * dense_size(t));
        dense_gemm(t, 'N', 'N', M, Q, N, -1, tall, N, x, Q, 1, r, Q);
        void *zero = room(t, N * Q);
        assert_near(off(t, 'C', 'N', N, Q, M, tall, N, NULL, r, Q, zero, Q), 0, dense_eps(t) * 2000, 0);
        pivot[2] = 0;
        assert_fails(ctx, nigh_lu_solve(ctx, t, N, lu, pivot, Q, b, x), NIGH_INVALID, "pivot 2");
        memset(a, 0, N * N * dense_size(t));
        assert_fails(ctx, nigh_lu_factor(ctx, t, N, a, lu, pivot, NULL), NIGH_INVALID, "10 x 10 is singular");
        free(a), free(b), free(lu), free(x), free(tall), free(r), free(zero);
    }
    test_context_free(ctx);
}

static void test_functions(void **state)
{
    enum { N = 7, M = 12 };
    nigh_context *ctx = test_context_new();
    EACH_TYPE(t)
    {
        double eps = dense_eps(t) * 3000;
        void *a = definite(t, 60, N), *root = room(t, N * N), *inverse = room(t, N * N), *e = room(t, N * N), *back = room(t, N * N);
        int64_t rank;
        assert_ok(ctx, nigh_psd_root(ctx, t, N, a, 0, root, inverse, &rank));
        assert_int_equal(rank, N);
        assert_near(off(t, 'N', 'N', N, N, N, root, N, NULL, root, N, a, N), 0, eps, 0);
        assert_near(off(t, 'N', 'N', N, N, N, root, N, NULL, inverse, N, NULL, 0), 0, eps, 0);
        /* exp(A) exp(-A) = I, and det exp(A) = exp(trace A) up to a phase. */
        void *g = random_of(t, 61, N * N), *minus = random_of(t, 61, N * N);
        for (int i = 0; i < N; i++) dense_scale(t, N, -1, 0, dense_at(t, minus, i * N), 1);
        assert_ok(ctx, nigh_matrix_exp(ctx, t, N, g, e));
        assert_ok(ctx, nigh_matrix_exp(ctx, t, N, minus, back));
        assert_near(off(t, 'N', 'N', N, N, N, e, N, NULL, back, N, NULL, 0), 0, dense_eps(t) * 1e6, 0);
        int32_t pivot[N];
        double trace = 0;
        for (int i = 0; i < N; i++) trace += creal(get(t, g, i * (N + 1)));
        assert_ok(ctx, nigh_lu_factor(ctx, t, N, e, e, pivot, NULL));
        assert_near(nigh_lu_log_det(t, N, e, pivot, NULL), trace, dense_eps(t) * 1e4, 0);
        void *tall = random_of(t, 62, M * N), *u = room(t, M * N), *p = room(t, N * N), *b = room(t, M * N), *q = room(t, N * N);
        assert_ok(ctx, nigh_polar(ctx, t, M, N, tall, u, p));
        assert_near(off(t, 'N', 'N', M, N, N, u, N, NULL, p, N, tall, N), 0, eps, 0);
        assert_near(off(t, 'C', 'N', N, N, M, u, N, NULL, u, N, NULL, 0), 0, eps, 0);
        assert_fails(ctx, nigh_polar(ctx, t, N, M, tall, u, p), NIGH_INVALID, "7 x 12");
        /* Procrustes finds the turn that made B. */
        void *square = random_of(t, 63, N * N), *turn = room(t, N * N);
        double residual;
        assert_ok(ctx, nigh_polar(ctx, t, N, N, square, turn, NULL));
        dense_gemm(t, 'N', 'N', M, N, N, 1, tall, N, turn, N, 0, b, N);
        assert_ok(ctx, nigh_procrustes(ctx, t, M, N, tall, b, false, q, &residual));
        assert_near(residual, 0, eps, 0);
        for (int i = 0; i < N * N; i++) assert_near(cabs(get(t, q, i) - get(t, turn, i)), 0, eps, 0);
        free(a), free(root), free(inverse), free(e), free(back), free(g), free(minus), free(tall), free(u), free(p), free(b), free(q), free(square), free(turn);
    }
    const double turn[4] = {0, -30, 30, 0}, flip[4] = {1, 0, 0, -1}, one[4] = {1, 0, 0, 1}, bad[4] = {1, 0, 0, -1}, nilpotent[4] = {0, 5, 0, 0};
    double e[4], q[4], residual;
    assert_ok(ctx, nigh_matrix_exp(ctx, NIGH_F64, 2, turn, e));
    assert_near(e[0], cos(30), 1e-13, 0);
    assert_near(e[2], sin(30), 1e-13, 0);
    assert_ok(ctx, nigh_matrix_exp(ctx, NIGH_F64, 2, nilpotent, e));
    assert_near(e[1], 5, 1e-14, 0);
    const double huge[1] = {800};
    assert_fails(ctx, nigh_matrix_exp(ctx, NIGH_F64, 1, huge, e), NIGH_INVALID, "overflows f64");
    assert_fails(ctx, nigh_psd_root(ctx, NIGH_F64, 2, bad, 0, e, NULL, NULL), NIGH_INVALID, "eigenvalue -1");
    assert_ok(ctx, nigh_procrustes(ctx, NIGH_F64, 2, 2, one, flip, true, q, &residual));
    assert_near(q[0] * q[3] - q[1] * q[2], 1, 1e-14, 0);
    assert_near(residual, 2, 1e-14, 0);
    assert_fails(ctx, nigh_procrustes(ctx, NIGH_C128, 1, 1, one, flip, true, q, NULL), NIGH_UNSUPPORTED, "c128");
    test_context_free(ctx);
}

static void test_ridge(void **state)
{
    enum { N = 20, P = 4 };
    nigh_context *ctx = test_context_new();
    double *a = random_of(NIGH_F64, 70, N * P), *y = random_of(NIGH_F64, 71, N), x[P], loo, gcv, freedom, brute = 0, lambda = 0.7;
    nigh_ridge *ridge = NULL;
    assert_ok(ctx, nigh_ridge_new(ctx, N, P, 1, a, y, false, &ridge));
    assert_ok(ctx, nigh_ridge_at(ridge, lambda, x, &loo, &gcv, &freedom));
    double fit = 0;
    for (int i = 0; i < N; i++) { /* without row i: normal equations */
        double g[P * P], b[P] = {0}, w[P], e = y[i], whole = y[i];
        for (int c = 0; c < P * P; c++) g[c] = c % (P + 1) ? 0 : lambda;
        for (int r = 0; r < N; r++)
            for (int c = 0; c < P && r != i; c++) {
                for (int d = 0; d < P; d++) g[c * P + d] += a[r * P + c] * a[r * P + d];
                b[c] += a[r * P + c] * y[r];
            }
        assert_ok(ctx, nigh_cholesky_factor(ctx, NIGH_F64, P, P, g, g));
        assert_ok(ctx, nigh_cholesky_solve(ctx, NIGH_F64, P, P, g, 1, b, w));
        for (int c = 0; c < P; c++) e -= a[i * P + c] * w[c], whole -= a[i * P + c] * x[c];
        brute += e * e / N, fit += whole * whole;
    }
    assert_near(loo, brute, 0, 1e-12);
    assert_near(gcv, N * fit / ((N - freedom) * (N - freedom)), 0, 1e-12);
    assert_true(freedom < P && nigh_ridge_values(ridge)[0] > 0);
    assert_fails(ctx, nigh_ridge_at(ridge, 0, x, NULL, NULL, NULL), NIGH_INVALID, "20 x 4");
    nigh_ridge_free(ridge);
    free(a), free(y);
    test_context_free(ctx);
}

/* Every allocation fails in turn: no crash, nothing left. */
static void test_no_memory(void **state)
{
    enum { N = 6 };
    double *a = definite(NIGH_F64, 80, N), b[N * N], c[N * N], s[2 * N], d[2 * N * N], e[2 * N * N], w[N];
    int32_t pivot[N];
    int64_t rank;
    for (int kind = 0; kind < 12; kind++)
        for (long fail = 1; fail < 100; fail++) {
            test_allocator memory = {0, 0, 0};
            nigh_context *ctx = test_context_failing(&memory);
            memory.fail_at = memory.count + fail;
            nigh_ridge *ridge = NULL;
            nigh_status status = kind == 0    ? nigh_cholesky_factor(ctx, NIGH_F64, N, N, a, b)
                                 : kind == 1  ? nigh_qr_factor(ctx, NIGH_F64, N, N, a, false, b, c)
                                 : kind == 2  ? nigh_svd(ctx, NIGH_F64, N, N, a, b, s, c)
                                 : kind == 3  ? nigh_svd_randomised(ctx, NIGH_F64, N, N, a, 2, 2, 1, 1, b, s, c, w)
                                 : kind == 4  ? nigh_eigen(ctx, NIGH_F64, N, a, s, b)
                                 : kind == 5  ? nigh_eigen_top(ctx, NIGH_F64, N, a, 2, s, b)
                                 : kind == 6  ? nigh_eigen_general(ctx, NIGH_F64, N, a, s, d, e)
                                 : kind == 7  ? nigh_lu_factor(ctx, NIGH_F64, N, a, b, pivot, w)
                                 : kind == 8  ? nigh_least_squares(ctx, NIGH_F64, N, N, 1, a, a, 0, b, &rank)
                                 : kind == 9  ? nigh_matrix_exp(ctx, NIGH_F64, N, a, b)
                                 : kind == 10 ? nigh_procrustes(ctx, NIGH_F64, N, N, a, a, true, b, NULL)
                                              : nigh_ridge_new(ctx, N, N, 1, a, a, false, &ridge);
            nigh_ridge_free(ridge);
            assert_int_equal(nigh_memory_now(ctx), 0);
            nigh_context_free(ctx);
            if (!status) break;
            assert_int_equal(status, NIGH_MEMORY);
        }
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cholesky), cmocka_unit_test(test_qr),      cmocka_unit_test(test_svd),       cmocka_unit_test(test_eigen), cmocka_unit_test(test_general),
        cmocka_unit_test(test_systems),  cmocka_unit_test(test_functions), cmocka_unit_test(test_ridge), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
