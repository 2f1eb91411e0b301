/* nigh/krylov.h: on Laplacians and diagonal matrices, whose spectra are known, in f64 and f32; failing callbacks, bad input, cancellation. */
#include "support.h"

#include "nigh/krylov.h"
#include "nigh/linalg.h"
#include "nigh/nigh.h" /* no name stands in two headers */
#include "nigh/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 40 };

/* diag(d) + the second difference times c, columns beyond `cols` cut; fails or gives NaN at call number `at`. */
typedef struct matrix {
    int rows, cols;
    double d[64], c;
    nigh_dtype dtype;
    int calls, fail_at, nan_at;
    nigh_context *cancel;
} matrix;

static double get(nigh_dtype t, const void *x, int64_t i) { return t == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }
static void put(nigh_dtype t, void *x, int64_t i, double v)
{
    if (t == NIGH_F32) ((float *)x)[i] = (float)v;
    else ((double *)x)[i] = v;
}

static double element(const matrix *m, int i, int j) { return i == j ? m->d[i] + 2 * m->c : abs(i - j) == 1 ? -m->c : 0; }

static nigh_status multiply(matrix *m, bool transposed, const void *x, void *y)
{
    m->calls++;
    if (m->calls == m->fail_at) return NIGH_IO;
    if (m->cancel && m->calls == 3) nigh_context_cancel(m->cancel);
    int rows = transposed ? m->cols : m->rows, cols = transposed ? m->rows : m->cols;
    for (int i = 0; i < rows; i++) {
        double sum = 0;
        for (int j = i > 0 ? i - 1 : 0; j < cols && j <= i + 1; j++) sum += element(m, i, j) * get(m->dtype, x, j);
        put(m->dtype, y, i, m->calls == m->nan_at && i == 2 ? NAN : sum);
    }
    return NIGH_OK;
}
static nigh_status apply(void *user, const void *x, void *y) { return multiply(user, false, x, y); }
static nigh_status adjoint(void *user, const void *x, void *y) { return multiply(user, true, x, y); }
static nigh_operator operator_of(matrix *m) { return (nigh_operator){m->dtype, m->rows, m->cols, apply, adjoint, m, "the test matrix"}; }
static matrix laplacian(nigh_dtype t) { return (matrix){.rows = N, .cols = N, .c = 1, .dtype = t}; }
static double laplacian_value(int k) { return 2 - 2 * cos(M_PI * (k + 1) / (N + 1)); }

static void right_side(nigh_dtype t, int n, void *b)
{
    nigh_rng rng = nigh_rng_new(4, 0);
    for (int i = 0; i < n; i++) put(t, b, i, nigh_rng_normal(&rng));
}

static double residual_of(matrix *m, const void *b, const void *x)
{
    double y[64], sum = 0;
    multiply(m, false, x, y);
    for (int i = 0; i < m->rows; i++) sum += pow(get(m->dtype, b, i) - get(m->dtype, y, i), 2);
    return sqrt(sum);
}

static void test_systems(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int t = NIGH_F64; t <= NIGH_F32; t++) {
        double b[N], x[N], history[200], tol = t == NIGH_F32 ? 1e-4 : 1e-10;
        nigh_krylov_options options = {tol, 400, history, 200};
        nigh_krylov_report report;
        right_side(t, N, b);
        for (int method = 0; method < 5; method++) {
            matrix m = laplacian(t);
            if (method == 1 || method == 3)
                for (int i = 0; i < N; i++) m.d[i] = -1.2; /* indefinite */
            for (int i = 0; i < N && method == 4; i++) m.d[i] = 0.5;
            nigh_operator a = operator_of(&m);
            memset(x, 0, sizeof x);
            switch (method) {
            case 0: assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, x, &options, &report)); break;
            case 1: assert_ok(ctx, nigh_minres(ctx, &a, b, x, &options, &report)); break;
            case 2: assert_ok(ctx, nigh_lsqr(ctx, &a, 0, b, x, &options, &report)); break;
            case 3: assert_ok(ctx, nigh_gmres(ctx, &a, NULL, 50, b, x, &options, &report)); break;
            default: assert_ok(ctx, nigh_gmres(ctx, &a, &a, 10, b, x, &options, &report)); break;
            }
            assert_int_equal(report.stop, NIGH_KRYLOV_MET);
            assert_true(residual_of(&m, b, x) < 100 * tol * sqrt(N));
            assert_int_equal(report.history, report.iterations + 1 < 200 ? report.iterations + 1 : 200);
            if (method < 2 || method == 3) assert_true(report.iterations <= N + (t == NIGH_F32 ? 40 : 4));
        }
    }
    test_context_free(ctx);
}

/* Three different eigenvalues: three steps. */
static void test_counts(void **state)
{
    nigh_context *ctx = test_context_new();
    matrix m = {.rows = N, .cols = N, .dtype = NIGH_F64};
    for (int i = 0; i < N; i++) m.d[i] = 1 + i % 3 * 7;
    nigh_operator a = operator_of(&m);
    double b[N], x[N] = {0};
    nigh_krylov_options options = {1e-10, 100, NULL, 0};
    nigh_krylov_report report;
    right_side(NIGH_F64, N, b);
    assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, x, &options, &report));
    assert_int_equal(report.iterations, 3);
    memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_minres(ctx, &a, b, x, &options, &report));
    assert_int_equal(report.iterations, 3);
    memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_gmres(ctx, &a, NULL, 20, b, x, &options, &report));
    assert_int_equal(report.iterations, 3);
    for (int i = 0; i < N; i++) assert_near(x[i], b[i] / m.d[i], 1e-9, 0);
    /* The exact inverse as preconditioner: one step. */
    matrix inverse = m;
    for (int i = 0; i < N; i++) inverse.d[i] = 1 / m.d[i];
    nigh_operator p = operator_of(&inverse);
    memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_cg(ctx, &a, &p, b, x, &options, &report));
    assert_int_equal(report.iterations, 1);
    double value[10], weight[10], bound[10];
    int64_t found;
    assert_ok(ctx, nigh_lanczos(ctx, &a, 10, NULL, 3, &found, value, bound, weight, NULL));
    assert_int_equal(found, 3);
    assert_near(value[0] + value[1] + value[2], 24, 1e-12, 0);
    assert_near(weight[0] + weight[1] + weight[2], 1, 1e-12, 0);
    /* b = 0 has x = 0. */
    memset(b, 0, sizeof b), memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, x, &options, &report));
    assert_int_equal(report.iterations, 0);
    /* Negative curvature stops CG and leaves a finite x. */
    for (int i = 0; i < N; i++) m.d[i] = -1, b[i] = 1;
    assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, x, &options, &report));
    assert_int_equal(report.stop, NIGH_KRYLOV_INDEFINITE);
    /* Singular, b outside the range. */
    for (int i = 0; i < N; i++) m.d[i] = i < N - 1 ? 1 : 0;
    assert_ok(ctx, nigh_minres(ctx, &a, b, x, &options, &report));
    assert_int_equal(report.stop, NIGH_KRYLOV_STALLED);
    memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_gmres(ctx, &a, NULL, 20, b, x, &options, &report));
    assert_int_equal(report.stop, NIGH_KRYLOV_STALLED);
    test_context_free(ctx);
}

static void test_lsqr(void **state)
{
    nigh_context *ctx = test_context_new();
    matrix m = {.rows = N, .cols = 30, .c = 1, .dtype = NIGH_F64};
    nigh_operator a = operator_of(&m);
    double b[N], x[30] = {0}, dense[N * 30], direct[30], damp = 0.5;
    right_side(NIGH_F64, N, b);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < 30; j++) dense[i * 30 + j] = element(&m, i, j);
    nigh_krylov_options options = {1e-13, 300, NULL, 0};
    assert_ok(ctx, nigh_least_squares(ctx, NIGH_F64, N, 30, 1, dense, b, 0, direct, NULL));
    assert_ok(ctx, nigh_lsqr(ctx, &a, 0, b, x, &options, NULL));
    for (int i = 0; i < 30; i++) assert_near(x[i], direct[i], 1e-9, 0);
    nigh_ridge *ridge = NULL;
    assert_ok(ctx, nigh_ridge_new(ctx, N, 30, 1, dense, b, false, &ridge));
    assert_ok(ctx, nigh_ridge_at(ridge, damp * damp, direct, NULL, NULL, NULL));
    memset(x, 0, sizeof x);
    assert_ok(ctx, nigh_lsqr(ctx, &a, damp, b, x, &options, NULL));
    for (int i = 0; i < 30; i++) assert_near(x[i], direct[i], 1e-10, 0);
    a.transposed = NULL;
    assert_fails(ctx, nigh_lsqr(ctx, &a, damp, b, x, &options, NULL), NIGH_INVALID, "40 x 30");
    nigh_ridge_free(ridge);
    test_context_free(ctx);
}

static void test_eigen(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int t = NIGH_F64; t <= NIGH_F32; t++) {
        matrix m = laplacian(t);
        nigh_operator a = operator_of(&m);
        double value[N], bound[N], weight[N], vectors[N * N], residual[4], eps = t == NIGH_F32 ? 3e-5 : 1e-12, y[N];
        int64_t found;
        assert_ok(ctx, nigh_lanczos(ctx, &a, N, NULL, 1, &found, value, bound, weight, vectors));
        assert_int_equal(found, N);
        for (int i = 0; i < N; i++) assert_near(value[i], laplacian_value(i), eps, 0);
        for (int i = 0; i < N; i++) {
            const char *row = (const char *)vectors + (size_t)(i * N) * nigh_dtype_size(t);
            apply(&m, row, y);
            for (int j = 0; j < N; j++) assert_near(get(t, y, j), value[i] * get(t, row, j), 4 * eps, 0);
        }
        assert_ok(ctx, nigh_lanczos(ctx, &a, 12, NULL, 1, &found, value, bound, weight, NULL));
        for (int i = 0; i < 12; i++) { /* an eigenvalue within the bound */
            double nearest = INFINITY;
            for (int j = 0; j < N; j++) nearest = fmin(nearest, fabs(laplacian_value(j) - value[i]));
            assert_true(nearest <= bound[i] + eps);
        }
        nigh_krylov_options options = {t == NIGH_F32 ? 1e-3 : 1e-6, 5000, NULL, 0};
        nigh_krylov_report report;
        assert_ok(ctx, nigh_eigen_subspace(ctx, &a, 3, 1, &options, value, vectors, residual, &report));
        assert_int_equal(report.stop, NIGH_KRYLOV_MET);
        for (int i = 0; i < 3; i++) assert_near(value[i], laplacian_value(N - 1 - i), residual[i] + eps, 0);
        for (int i = 0; i < N; i++) m.d[i] = i == 3 ? -20 : 0; /* one far below */
        memset(vectors, 0, sizeof vectors);
        assert_ok(ctx, nigh_eigen_power(ctx, &a, 2, &options, value, vectors, &report));
        assert_int_equal(report.stop, NIGH_KRYLOV_MET);
        assert_near(value[0], -18.1, 0.1, 0);
        assert_true(get(t, vectors, 3) > 0.9);
    }
    matrix zero = {.rows = 5, .cols = 5, .dtype = NIGH_F64};
    nigh_operator a = operator_of(&zero);
    double value[5], vectors[25], trace[5];
    nigh_krylov_options options = {1e-6, 50, NULL, 0};
    assert_ok(ctx, nigh_eigen_subspace(ctx, &a, 5, 1, &options, value, vectors, trace, NULL));
    for (int i = 0; i < 5; i++) assert_true(value[i] == 0);
    assert_fails(ctx, nigh_eigen_subspace(ctx, &a, 6, 1, &options, value, vectors, NULL, NULL), NIGH_INVALID, "6 eigenvalues of 5 x 5");
    assert_fails(ctx, nigh_lanczos(ctx, &a, 401, NULL, 1, NULL, NULL, NULL, NULL, NULL), NIGH_INVALID, "401 steps");
    test_context_free(ctx);
}

static double logarithm(void *user, double v) { return log(v + *(double *)user); }

static void test_traces(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int t = NIGH_F64; t <= NIGH_F32; t++) {
        matrix m = laplacian(t);
        nigh_operator a = operator_of(&m);
        double shift = 0.1, exact = 0;
        nigh_trace_estimate e;
        for (int i = 0; i < N; i++) m.d[i] = i, exact += i + 2;
        assert_ok(ctx, nigh_trace(ctx, &a, 100, 5, &e));
        assert_true(e.error > 0 && fabs(e.value - exact) < 4 * e.error);
        assert_ok(ctx, nigh_trace_deflated(ctx, &a, 10, 50, 5, &e));
        assert_true(fabs(e.value - exact) < 4 * e.error + 1e-3);
        assert_ok(ctx, nigh_trace_deflated(ctx, &a, N, 2, 5, &e)); /* everything exactly */
        assert_near(e.value, exact, t == NIGH_F32 ? 1e-2 : 1e-9, 0);
        exact = 0;
        memset(m.d, 0, sizeof m.d);
        for (int i = 0; i < N; i++) exact += log(laplacian_value(i) + shift);
        assert_ok(ctx, nigh_trace_function(ctx, &a, logarithm, &shift, 60, 25, 5, &e));
        assert_true(fabs(e.value - exact) < 4 * e.error + 0.01 && e.error < 5);
        shift = -1;
        assert_fails(ctx, nigh_trace_function(ctx, &a, logarithm, &shift, 2, 25, 5, &e), NIGH_FAILED, "Ritz value");
        /* The density: integral 1, half of it below 2. */
        enum { P = 400 };
        double points[P], density[P], sum = 0, below = 0;
        for (int i = 0; i < P; i++) points[i] = -2 + 8.0 * i / P;
        assert_ok(ctx, nigh_spectral_density(ctx, &a, 20, 30, 6, 0.1, P, points, density));
        for (int i = 0; i < P; i++) sum += density[i] * 8 / P, below += points[i] < 2 ? density[i] * 8 / P : 0;
        assert_near(sum, 1, 1e-5, 0);
        assert_near(below, 0.5, 0.1, 0);
    }
    test_context_free(ctx);
}

/* g(x) = x - 0.45 (A x - b), contracting slowly. */
typedef struct fixed {
    matrix m;
    double b[N];
} fixed;
static nigh_status image(void *user, const void *x, void *y)
{
    fixed *f = user;
    multiply(&f->m, false, x, y);
    for (int i = 0; i < N; i++) put(f->m.dtype, y, i, get(f->m.dtype, x, i) - 0.45 * (get(f->m.dtype, y, i) - f->b[i]));
    return NIGH_OK;
}
static nigh_status cosine(void *user, const void *x, void *y)
{
    for (int i = 0; i < 3; i++) ((double *)y)[i] = cos(((const double *)x)[i] + 0.1 * i);
    return NIGH_OK;
}

static void test_anderson(void **state)
{
    nigh_context *ctx = test_context_new();
    for (int t = NIGH_F64; t <= NIGH_F32; t++) {
        fixed f = {.m = laplacian(t)};
        for (int i = 0; i < N; i++) f.m.d[i] = 0.1, f.b[i] = 1;
        nigh_operator g = {t, N, N, image, NULL, &f, "the map"};
        double x[N] = {0}, tol = t == NIGH_F32 ? 1e-5 : 1e-11;
        nigh_krylov_options options = {tol, 2000, NULL, 0};
        nigh_krylov_report plain, fast;
        assert_ok(ctx, nigh_anderson(ctx, &g, 0, 2, x, &options, &plain));
        memset(x, 0, sizeof x);
        assert_ok(ctx, nigh_anderson(ctx, &g, 5, 2, x, &options, &fast));
        assert_int_equal(plain.stop, NIGH_KRYLOV_MET);
        assert_int_equal(fast.stop, NIGH_KRYLOV_MET);
        assert_true(fast.iterations * 2 < plain.iterations);
        for (int i = 0; i < N; i++) {
            double sum = -1;
            for (int j = 0; j < N; j++) sum += element(&f.m, i, j) * get(t, x, j);
            assert_near(sum, 0, 100 * tol * 10, 0);
        }
    }
    nigh_operator g = {NIGH_F64, 3, 3, cosine, NULL, NULL, NULL};
    double x[3] = {5, -7, 0};
    nigh_krylov_options options = {1e-14, 60, NULL, 0};
    nigh_krylov_report report;
    assert_ok(ctx, nigh_anderson(ctx, &g, 5, 2, x, &options, &report));
    assert_near(x[0], 0.73908513321516064, 1e-12, 0);
    assert_fails(ctx, nigh_anderson(ctx, &g, 51, 2, x, &options, &report), NIGH_INVALID, "memory 51");
    test_context_free(ctx);
}

static nigh_status call(int kind, nigh_context *ctx, const nigh_operator *a, double *x)
{
    double b[N], value[N], vectors[N * N];
    int64_t found;
    nigh_trace_estimate e;
    nigh_krylov_options options = {0, 6, NULL, 0};
    right_side(a->dtype, N, b);
    switch (kind) {
    case 0: return nigh_cg(ctx, a, NULL, b, x, &options, NULL);
    case 1: return nigh_cg(ctx, a, a, b, x, &options, NULL);
    case 2: return nigh_minres(ctx, a, b, x, &options, NULL);
    case 3: return nigh_lsqr(ctx, a, 0, b, x, &options, NULL);
    case 4: return nigh_gmres(ctx, a, a, 4, b, x, &options, NULL);
    case 5: return nigh_eigen_power(ctx, a, 1, &options, value, x, NULL);
    case 6: return nigh_eigen_subspace(ctx, a, 2, 1, &options, value, vectors, NULL, NULL);
    case 7: return nigh_lanczos(ctx, a, 8, NULL, 1, &found, value, NULL, NULL, vectors);
    case 8: return nigh_trace(ctx, a, 6, 1, &e);
    case 9: return nigh_trace_deflated(ctx, a, 2, 3, 1, &e);
    case 10: return nigh_spectral_density(ctx, a, 2, 5, 1, 1, 2, b, value);
    default: return nigh_anderson(ctx, a, 3, 2, x, &options, NULL);
    }
}

static void test_failures(void **state)
{
    for (int kind = 0; kind < 12; kind++) {
        nigh_context *ctx = test_context_new();
        double x[N];
        for (int i = 0; i < N; i++) x[i] = 0.01;
        matrix m = laplacian(NIGH_F64);
        nigh_operator a = operator_of(&m);
        m.fail_at = 4;
        assert_int_equal(call(kind, ctx, &a, x), NIGH_IO);
        m.calls = m.fail_at = 0, m.nan_at = 3;
        assert_fails(ctx, call(kind, ctx, &a, x), NIGH_FAILED, "the test matrix of 40 x 40");
        m.calls = m.nan_at = 0, m.cancel = ctx;
        assert_int_equal(call(kind, ctx, &a, x), NIGH_INTERRUPTED);
        nigh_context_uncancel(ctx);
        for (int i = 0; i < N; i++) assert_true(x[i] == 0.01);
        a.rows = 39;
        if (kind != 3) assert_fails(ctx, call(kind, ctx, &a, x), NIGH_INVALID, "39 x 40");
        a.dtype = NIGH_C128;
        assert_fails(ctx, call(kind, ctx, &a, x), NIGH_UNSUPPORTED, "c128");
        test_context_free(ctx);
        for (long fail = 1; fail < 50; fail++) {
            test_allocator memory = {0, 0, 0};
            nigh_context *poor = test_context_failing(&memory);
            memory.fail_at = memory.count + fail;
            matrix ok = laplacian(NIGH_F64);
            nigh_operator good = operator_of(&ok);
            nigh_status status = call(kind, poor, &good, x);
            assert_int_equal(nigh_memory_now(poor), 0);
            nigh_context_free(poor);
            if (!status) break;
            assert_int_equal(status, NIGH_MEMORY);
        }
    }
}

/* Long vectors: the same bits for one thread and two. */
static nigh_status wide_diagonal(void *user, const void *x, void *y)
{
    for (int64_t i = 0; i < *(int64_t *)user; i++) ((double *)y)[i] = (1 + (double)(i % 17)) * ((const double *)x)[i];
    return NIGH_OK;
}

static void test_threads(void **state)
{
    int64_t n = 200001;
    double *x[2], *b = malloc((size_t)n * sizeof *b);
    for (int64_t i = 0; i < n; i++) b[i] = sin((double)i);
    for (int c = 0; c < 2; c++) {
        nigh_context *ctx = test_context_new();
        assert_ok(ctx, nigh_context_set_threads(ctx, c + 1));
        nigh_operator a = {NIGH_F64, n, n, wide_diagonal, NULL, &n, NULL};
        x[c] = calloc((size_t)n, sizeof *b);
        nigh_krylov_options options = {1e-12, 30, NULL, 0};
        assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, x[c], &options, NULL));
        test_context_free(ctx);
    }
    assert_memory_equal(x[0], x[1], (size_t)n * sizeof *b);
    free(b), free(x[0]), free(x[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_systems), cmocka_unit_test(test_counts),   cmocka_unit_test(test_lsqr),     cmocka_unit_test(test_eigen),
        cmocka_unit_test(test_traces),  cmocka_unit_test(test_anderson), cmocka_unit_test(test_failures), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
