/* nigh/sparse.h: products against dense ones, every factorisation against its matrix, IC(0) before CG, bad input and lack of memory. */
#include "support.h"

#include "nigh/krylov.h"
#include "nigh/random.h"
#include "tensor/sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The five-point Laplacian of an s x s grid, plus `shift` on the diagonal and a drift that makes it unsymmetric. */
static nigh_sparse *grid(nigh_context *ctx, int64_t s, double shift, double drift)
{
    int64_t n = s * s, count = 0, *row = malloc((size_t)(5 * n) * sizeof *row), *col = malloc((size_t)(5 * n) * sizeof *col);
    double *value = malloc((size_t)(5 * n) * sizeof *value);
    for (int64_t i = n - 1; i >= 0; i--) /* in no order that helps */
        for (int side = 0; side < 5; side++) {
            int64_t x = i % s + (side == 1) - (side == 2), y = i / s + (side == 3) - (side == 4);
            if (x < 0 || y < 0 || x >= s || y >= s) continue;
            row[count] = i, col[count] = y * s + x, value[count++] = side ? -1 + (side % 2 ? drift : -drift) : 4 + shift;
        }
    nigh_sparse *a = NULL;
    assert_ok(ctx, nigh_sparse_new(ctx, n, n, count, row, col, value, &a));
    free(row), free(col), free(value);
    return a;
}

static double residual(nigh_context *ctx, const nigh_sparse *a, int64_t q, const double *b, const double *x)
{
    double *y = malloc((size_t)(a->rows * q) * sizeof *y), worst = 0;
    memcpy(y, b, (size_t)(a->rows * q) * sizeof *y);
    assert_ok(ctx, nigh_sparse_multiply(ctx, a, q, -1, x, 1, y));
    for (int64_t i = 0; i < a->rows * q; i++) worst = fmax(worst, fabs(y[i]));
    free(y);
    return worst;
}

static void test_build(void **state)
{
    nigh_context *ctx = test_context_new();
    const int64_t row[] = {2, 0, 2, 0, 2}, col[] = {3, 1, 0, 1, 3};
    const double value[] = {1, 2, 3, 4, 5}, x[] = {1, 10, 100, 1000}, u[] = {1, 10, 100};
    nigh_sparse *a = NULL, *t = NULL;
    assert_ok(ctx, nigh_sparse_new(ctx, 3, 4, 5, row, col, value, &a));
    assert_ok(ctx, nigh_sparse_check(ctx, a));
    assert_int_equal(nigh_sparse_count(a), 3);
    double y[3] = {NAN, NAN, NAN}, z[4], z2[4];
    assert_ok(ctx, nigh_sparse_multiply(ctx, a, 1, 1, x, 0, y));
    assert_true(y[0] == 60 && y[1] == 0 && y[2] == 6003);
    assert_ok(ctx, nigh_sparse_transpose(ctx, a, &t));
    assert_ok(ctx, nigh_sparse_check(ctx, t));
    assert_ok(ctx, nigh_sparse_multiply(ctx, t, 1, 2, u, 0, z));
    assert_ok(ctx, nigh_sparse_multiply_transposed(ctx, a, 1, 2, u, 0, z2));
    assert_true(z[0] == 600 && z[1] == 12 && z[2] == 0 && z[3] == 1200);
    assert_memory_equal(z, z2, sizeof z);
    const int64_t outside[] = {0, 1, 2, 4, 0};
    nigh_sparse *none = NULL;
    assert_fails(ctx, nigh_sparse_new(ctx, 3, 4, 5, outside, col, value, &none), NIGH_INVALID, "triplet 3 is (4, 1, 4) in a matrix of 3 x 4");
    assert_null(none);
    assert_fails(ctx, nigh_sparse_new(ctx, 0, 4, 0, row, col, value, &none), NIGH_INVALID, "0 x 4");
    assert_fails(ctx, nigh_sparse_multiply(ctx, a, 0, 1, x, 0, y), NIGH_INVALID, "3 x 4");
    assert_false(nigh_sparse_symmetric(a, 0));
    a->column[1] = 7;
    assert_fails(ctx, nigh_sparse_check(ctx, a), NIGH_INVALID, "row 2");
    nigh_sparse_free(ctx, a);
    nigh_sparse_free(ctx, t);
    nigh_sparse *g = grid(ctx, 5, 0, 0), *d = grid(ctx, 5, 0, 0.1);
    assert_true(nigh_sparse_symmetric(g, 0) && !nigh_sparse_symmetric(d, 1e-3));
    nigh_sparse_free(ctx, g);
    nigh_sparse_free(ctx, d);
    test_context_free(ctx);
}

/* Blocks are what single vectors are, with one thread and with three, to the bit. */
static void test_threads(void **state)
{
    enum { S = 120, N = S * S, Q = 19 };
    double *x = malloc(N * Q * sizeof *x), *y[3], *one = malloc(N * sizeof *one), *out = malloc(N * sizeof *out);
    nigh_rng rng = nigh_rng_new(1, 0);
    nigh_rng_fill_normal(&rng, N * Q, x);
    for (int t = 0; t < 3; t++) {
        nigh_context *ctx = test_context_new();
        assert_ok(ctx, nigh_context_set_threads(ctx, t + 1));
        nigh_sparse *a = grid(ctx, S, 0, 0.3);
        y[t] = calloc(N * Q, sizeof *x);
        assert_ok(ctx, nigh_sparse_multiply(ctx, a, Q, 1, x, 0, y[t]));
        assert_memory_equal(y[t], y[0], N * Q * sizeof *x);
        for (int i = 0; i < N; i++) one[i] = x[i * Q + 18];
        assert_ok(ctx, nigh_sparse_multiply(ctx, a, 1, 1, one, 0, out));
        for (int i = 0; i < N; i++) assert_true(out[i] == y[t][i * Q + 18]);
        nigh_sparse_free(ctx, a);
        test_context_free(ctx);
    }
    for (int t = 0; t < 3; t++) free(y[t]);
    free(x), free(one), free(out);
}

static void test_factors(void **state)
{
    enum { S = 21, N = S * S, Q = 3 };
    nigh_context *ctx = test_context_new();
    double *b = malloc(N * Q * sizeof *b), *x = malloc(N * Q * sizeof *x);
    nigh_rng rng = nigh_rng_new(2, 0);
    nigh_rng_fill_normal(&rng, N * Q, b);
    int ran = 0;
    for (int symmetric = 0; symmetric < 2; symmetric++)
        for (int method = NIGH_SPARSE_AUTO; method <= NIGH_SPARSE_DENSE; method++) {
            nigh_sparse *a = grid(ctx, S, 0.01, symmetric ? 0 : 0.4);
            nigh_sparse_factor *f = NULL;
            nigh_status status = nigh_sparse_factor_new(ctx, a, symmetric, method, &f);
            if (status == NIGH_OK) {
                ran++;
                memcpy(x, b, N * Q * sizeof *b);
                assert_ok(ctx, nigh_sparse_factor_solve(f, Q, x, x));
                assert_true(residual(ctx, a, Q, b, x) < 1e-11);
                assert_ok(ctx, nigh_sparse_factor_solve(f, 1, b, x));
                assert_true(residual(ctx, a, 1, b, x) < 1e-11);
                assert_true(nigh_sparse_factor_count(f) >= N && nigh_sparse_factor_method(f) != NIGH_SPARSE_AUTO);
                if (method) assert_int_equal(nigh_sparse_factor_method(f), method);
                assert_fails(ctx, nigh_sparse_factor_solve(f, 0, b, x), NIGH_INVALID, "441 x 441");
            } else {
                assert_true(status == NIGH_UNSUPPORTED || (status == NIGH_INVALID && strstr(nigh_message(ctx), "said to be")));
            }
            nigh_sparse_factor_free(f);
            /* The same with a row of zeros is singular in every way. */
            f = NULL;
            for (int64_t i = 0; i < N; i++)
                for (int64_t p = a->start[i]; p < a->start[i + 1]; p++)
                    if (i == 200 || a->column[p] == 200) a->value[p] = 0;
            if (status == NIGH_OK) assert_fails(ctx, nigh_sparse_factor_new(ctx, a, symmetric, method, &f), NIGH_INVALID, "441 x 441");
            assert_null(f);
            nigh_sparse_free(ctx, a);
        }
    assert_true(ran >= 5);
    /* Indefinite: LDL, not CHOLMOD. */
    nigh_sparse *a = grid(ctx, S, -3.37, 0);
    nigh_sparse_factor *f = NULL;
    assert_ok(ctx, nigh_sparse_factor_new(ctx, a, true, NIGH_SPARSE_LDL, &f));
    assert_ok(ctx, nigh_sparse_factor_solve(f, 1, b, x));
    assert_true(residual(ctx, a, 1, b, x) < 1e-8);
    nigh_sparse_factor_free(f);
    nigh_status status = nigh_sparse_factor_new(ctx, a, true, NIGH_SPARSE_CHOLMOD, &f);
    assert_true(status == NIGH_UNSUPPORTED || strstr(nigh_message(ctx), "not positive definite"));
    nigh_sparse_free(ctx, a);
    free(b), free(x);
    test_context_free(ctx);
}

static void test_order(void **state)
{
    enum { S = 15, N = S * S };
    nigh_context *ctx = test_context_new();
    nigh_sparse *a = grid(ctx, S, 0, 0);
    int64_t order[2][N], natural[N], count[3];
    assert_ok(ctx, sparse_order(ctx, a, order[0]));
    assert_ok(ctx, sparse_order_rcm(ctx, a, order[1]));
    for (int i = 0; i < N; i++) natural[i] = (i * 97) % N; /* scattered: much fill */
    for (int k = 0; k < 3; k++) {
        const int64_t *o = k < 2 ? order[k] : natural;
        bool seen[N] = {false};
        for (int i = 0; i < N; i++) seen[o[i]] = true;
        for (int i = 0; i < N; i++) assert_true(seen[i]);
        sparse_ldl f;
        double b[N], x[N];
        for (int i = 0; i < N; i++) b[i] = sin(i);
        assert_ok(ctx, sparse_ldl_new(ctx, a, o, &f));
        sparse_ldl_solve(&f, 1, b, x);
        assert_true(residual(ctx, a, 1, b, x) < 1e-11);
        count[k] = f.start[N];
        sparse_ldl_free(&f);
    }
    assert_true(count[0] <= count[1] && count[1] < count[2]);
    nigh_sparse_free(ctx, a);
    test_context_free(ctx);
}

typedef struct pair {
    nigh_context *ctx;
    nigh_sparse *a;
    nigh_sparse_incomplete *f;
} pair;
static nigh_status product(void *user, const void *x, void *y) { return nigh_sparse_multiply(((pair *)user)->ctx, ((pair *)user)->a, 1, 1, x, 0, y); }
static nigh_status precondition(void *user, const void *x, void *y)
{
    nigh_sparse_incomplete_apply(((pair *)user)->f, x, y);
    return NIGH_OK;
}

static void test_incomplete(void **state)
{
    enum { S = 40, N = S * S };
    nigh_context *ctx = test_context_new();
    pair p = {ctx, grid(ctx, S, 0, 0), NULL};
    double shift = -1, *b = malloc(N * sizeof *b), *x = calloc(N, sizeof *x);
    nigh_rng rng = nigh_rng_new(3, 0);
    nigh_rng_fill_normal(&rng, N, b);
    assert_ok(ctx, nigh_sparse_incomplete_new(ctx, p.a, &shift, &p.f));
    assert_true(shift == 0);
    nigh_operator a = {NIGH_F64, N, N, product, NULL, &p, NULL}, m = {NIGH_F64, N, N, precondition, NULL, &p, NULL};
    nigh_krylov_options options = {1e-10, 1000, NULL, 0};
    nigh_krylov_report plain, better;
    assert_ok(ctx, nigh_cg(ctx, &a, NULL, b, x, &options, &plain));
    memset(x, 0, N * sizeof *x);
    assert_ok(ctx, nigh_cg(ctx, &a, &m, b, x, &options, &better));
    assert_true(better.stop == NIGH_KRYLOV_MET && better.iterations * 2 < plain.iterations);
    assert_true(residual(ctx, p.a, 1, b, x) < 1e-7);
    nigh_sparse_incomplete_free(p.f);
    nigh_sparse_free(ctx, p.a);
    /* A tridiagonal matrix has no fill: IC(0) is exact. An indefinite one gets a shift; a missing diagonal is named. */
    const int64_t row[] = {0, 0, 1, 1, 1, 2, 2}, col[] = {0, 1, 0, 1, 2, 1, 2};
    double value[] = {2, -1, -1, 2, -1, -1, 2}, y[3];
    nigh_sparse *t = NULL;
    assert_ok(ctx, nigh_sparse_new(ctx, 3, 3, 7, row, col, value, &t));
    assert_ok(ctx, nigh_sparse_incomplete_new(ctx, t, &shift, &p.f));
    nigh_sparse_incomplete_apply(p.f, b, y);
    assert_true(residual(ctx, t, 1, b, y) < 1e-14);
    nigh_sparse_incomplete_free(p.f);
    for (int i = 0; i < 7; i++) t->value[i] = row[i] == col[i] ? 1 : -1;
    assert_ok(ctx, nigh_sparse_incomplete_new(ctx, t, &shift, &p.f));
    assert_true(shift > 0.3 && shift < 1.1); /* the least eigenvalue is 1 - sqrt 2 */
    nigh_sparse_incomplete_free(p.f);
    t->value[3] = 0;
    assert_fails(ctx, nigh_sparse_incomplete_new(ctx, t, &shift, &p.f), NIGH_INVALID, "3 x 3 has no positive diagonal entry in row 1");
    nigh_sparse_free(ctx, t);
    free(b), free(x);
    test_context_free(ctx);
}

static void test_no_memory(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_sparse *a = grid(ctx, 4, 0, 0);
    for (int kind = 0; kind < 6; kind++)
        for (long fail = 1; fail < 60; fail++) {
            test_allocator memory = {0, 0, 0};
            nigh_context *poor = test_context_failing(&memory);
            memory.fail_at = memory.count + fail;
            nigh_sparse *t = NULL;
            nigh_sparse_incomplete *c = NULL;
            nigh_sparse_factor *f = NULL;
            nigh_status status = kind == 0   ? nigh_sparse_transpose(poor, a, &t)
                                 : kind == 1 ? nigh_sparse_incomplete_new(poor, a, NULL, &c)
                                 : kind == 2 ? nigh_sparse_factor_new(poor, a, true, NIGH_SPARSE_AUTO, &f)
                                 : kind == 3 ? nigh_sparse_factor_new(poor, a, false, NIGH_SPARSE_AUTO, &f)
                                 : kind == 4 ? nigh_sparse_factor_new(poor, a, true, NIGH_SPARSE_LDL, &f)
                                             : nigh_sparse_factor_new(poor, a, true, NIGH_SPARSE_DENSE, &f);
            nigh_sparse_free(poor, t);
            nigh_sparse_incomplete_free(c);
            nigh_sparse_factor_free(f);
            assert_int_equal(nigh_memory_now(poor), 0);
            nigh_context_free(poor);
            if (!status) break;
            assert_int_equal(status, NIGH_MEMORY);
        }
    nigh_sparse_free(ctx, a);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_build), cmocka_unit_test(test_threads),    cmocka_unit_test(test_factors),
        cmocka_unit_test(test_order), cmocka_unit_test(test_incomplete), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
