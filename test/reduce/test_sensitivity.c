/* Leverage, Lewis weights and sensitivities: identities, slow references, odd rows, bad input. */
#include "support.h"

#include "nigh/sensitivity.h"
#include "nigh/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *normals(int64_t count, uint64_t seed)
{
    double *x = malloc((size_t)count * sizeof *x);
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_rng_fill_normal(&rng, count, x);
    return x;
}

/* Rows of very different lengths, one far away, one of zeros, a column that is the sum of two others when `short_rank`. */
static double *odd_rows(int64_t n, int64_t d, bool short_rank, uint64_t seed)
{
    double *x = normals(n * d, seed);
    nigh_rng rng = nigh_rng_new(seed, 1);
    for (int64_t i = 0; i < n; i++) {
        double by = exp(nigh_rng_normal(&rng));
        for (int64_t j = 0; j < d; j++) x[i * d + j] *= i == 3 ? 0 : i == 5 ? 1000 : by;
        if (short_rank) x[i * d + d - 1] = x[i * d] + x[i * d + 1];
    }
    return x;
}

static double sum_of(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

/* ---- leverage ---- */

static void check_leverage(nigh_context *ctx, const nigh_rows *rows, int64_t rank, const char *how)
{
    int64_t n = rows->n, d = rows->d, k = n < d ? n : d;
    double *score = malloc((size_t)n * sizeof *score), *a = malloc((size_t)(n * d) * sizeof *a), *u = malloc((size_t)(n * k) * sizeof *u),
           *s = malloc((size_t)k * sizeof *s), *vh = malloc((size_t)(k * d) * sizeof *vh);
    nigh_scores found;
    for (int64_t i = 0; i < n * d; i++) a[i] = rows->x[i] * (rows->weight ? sqrt(rows->weight[i / d]) : 1);
    assert_ok(ctx, nigh_svd(ctx, NIGH_F64, n, d, a, u, s, vh));
    assert_ok(ctx, nigh_leverage(ctx, rows, 0, 0, score, &found));
    assert_int_equal(found.rank, rank);
    if (how) assert_string_equal(found.how, how);
    double slack = 1e-11 + 1e-15 * found.condition;
    assert_near(found.sum, (double)rank, 10 * slack, 0);
    for (int64_t i = 0; i < n; i++) {
        double tau = 0;
        for (int64_t j = 0; j < rank; j++) tau += u[i * k + j] * u[i * k + j];
        if (!(fabs(score[i] - tau) < slack)) fail_msg("%s: row %d: %.17g, not %.17g", found.how, (int)i, score[i], tau);
    }
    free(score), free(a), free(u), free(s), free(vh);
}

static void test_leverage(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = odd_rows(700, 7, false, 1), *y = odd_rows(700, 7, true, 2), *z = odd_rows(300, 5, false, 3), weight[700];
    for (int i = 0; i < 700; i++) weight[i] = i % 7 == 0 ? 0 : 0.1 * (i % 13);
    check_leverage(ctx, &(nigh_rows){.n = 700, .d = 7, .x = x}, 7, "Gram matrix");
    check_leverage(ctx, &(nigh_rows){.n = 700, .d = 7, .x = x, .weight = weight}, 7, NULL);
    check_leverage(ctx, &(nigh_rows){.n = 700, .d = 7, .x = y}, 6, "orthogonal factorisation");
    check_leverage(ctx, &(nigh_rows){.n = 4, .d = 7, .x = x + 100 * 7}, 4, NULL);
    for (int i = 0; i < 300; i++) z[i * 5 + 4] = z[i * 5] + 1e-4 * z[i * 5 + 4];
    z[5 * 5 + 4] = z[5 * 5];
    check_leverage(ctx, &(nigh_rows){.n = 300, .d = 5, .x = z}, 5, NULL);
    for (int i = 0; i < 300; i++) z[i * 5 + 3] = z[i * 5] + 1e-9 * z[i * 5 + 3];
    check_leverage(ctx, &(nigh_rows){.n = 300, .d = 5, .x = z}, 5, "orthogonal factorisation");
    free(x), free(y), free(z);
    test_context_free(ctx);
}

static void test_columns(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 200, D = 3 };
    double *x = normals(N * D, 4), *y = normals(N, 5), full[N * (D + 2)], a[N], b[N];
    for (int i = 0; i < N; i++) {
        memcpy(full + i * (D + 2), x + i * D, D * sizeof *x);
        full[i * (D + 2) + D] = 1, full[i * (D + 2) + D + 1] = y[i];
    }
    assert_ok(ctx, nigh_leverage(ctx, &(nigh_rows){.n = N, .d = D, .x = x, .y = y}, NIGH_WITH_ONE | NIGH_WITH_TARGET, 0, a, NULL));
    assert_ok(ctx, nigh_leverage(ctx, &(nigh_rows){.n = N, .d = D + 2, .x = full}, 0, 0, b, NULL));
    for (int i = 0; i < N; i++) assert_near(a[i], b[i], 1e-13, 0);
    assert_ok(ctx, nigh_leverage(ctx, &(nigh_rows){.n = N, .d = D + 2, .x = full}, 0, 1, a, NULL));
    for (int i = 0; i < N; i++) assert_near(a[i], sqrt(b[i]), 1e-13, 0);
    for (int i = 0; i < N; i++) x[i * D + 1] = 7; /* a constant column beside the ones */
    nigh_scores found;
    assert_ok(ctx, nigh_leverage(ctx, &(nigh_rows){.n = N, .d = D, .x = x}, NIGH_WITH_ONE, 0, a, &found));
    assert_int_equal(found.rank, D);
    assert_int_equal(found.columns, D + 1);
    free(x), free(y);
    test_context_free(ctx);
}

static void test_sketch(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 20000, D = 12 };
    double *x = odd_rows(N, D, false, 6), *tau = malloc(N * sizeof *tau), *score = malloc(N * sizeof *score);
    nigh_rows rows = {.n = N, .d = D, .x = x};
    nigh_scores found;
    assert_ok(ctx, nigh_leverage(ctx, &rows, 0, 0, tau, NULL));
    assert_ok(ctx, nigh_leverage_sketched(ctx, &rows, 0, 0, 11, score, &found));
    assert_string_equal(found.how, "sketch");
    double mean = 0;
    int inside = 0, count = 0;
    for (int i = 0; i < N; i++)
        if (tau[i] > 0) mean += score[i] / tau[i], count++, inside += score[i] > 0.4 * tau[i] && score[i] < 2.2 * tau[i];
    assert_near(mean / count, 1, 0.15, 0);
    assert_true(inside > 0.99 * count);
    assert_int_equal(found.zero_rows, 1);
    free(x), free(tau), free(score);
    test_context_free(ctx);
}

/* ---- Lewis weights ---- */

/* The fixed point, looked at by leverage of the rows with these weights. */
static void test_lewis(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 600, D = 6 };
    const double ps[] = {1, 1.3, 1.5, 2, 2.7, 3, 4, 5, 6.5, 8};
    for (int short_rank = 0; short_rank < 2; short_rank++)
        for (int i = 0; i < 10; i++) {
            double *x = odd_rows(N, D, short_rank, 7), *scaled = malloc(N * D * sizeof *scaled), w[N], tau[N], weight[N];
            for (int r = 0; r < N; r++) weight[r] = 0.5 + r % 3;
            nigh_rows rows = {.n = N, .d = D, .x = x, .weight = weight};
            nigh_scores found;
            assert_ok(ctx, nigh_lewis_weights(ctx, &rows, 0, ps[i], 0, 0, w, &found));
            assert_near(found.sum, D - short_rank, 1e-8, 0);
            if (!(found.residual <= 1e-10)) fail_msg("p %g: residual %g after %d rounds", ps[i], found.residual, found.rounds);
            assert_true(w[3] == 0);
            for (int r = 0; r < N; r++)
                for (int j = 0; j < D; j++) scaled[r * D + j] = w[r] > 0 ? x[r * D + j] * pow(weight[r], 1 / ps[i]) * pow(w[r], 0.5 - 1 / ps[i]) : 0;
            assert_ok(ctx, nigh_leverage(ctx, &(nigh_rows){.n = N, .d = D, .x = scaled}, 0, 0, tau, NULL));
            for (int r = 0; r < N; r++)
                if (!(fabs(tau[r] - w[r]) < 1e-9)) fail_msg("p %g, row %d: weight %.15g has leverage %.15g", ps[i], r, w[r], tau[r]);
            free(x), free(scaled);
        }
    test_context_free(ctx);
}

/* ---- sensitivities ---- */

static void test_sensitivities(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 400, D = 4 };
    const double ps[] = {1, 1.2, 1.5, 2, 3, 4, 7};
    double *x = odd_rows(N, D, false, 8), low[N], high[N], tau[N], w[N], bound[N];
    nigh_rows rows = {.n = N, .d = D, .x = x};
    assert_ok(ctx, nigh_leverage(ctx, &rows, 0, 0, tau, NULL));
    for (int i = 0; i < 7; i++) {
        double p = ps[i];
        nigh_scores found;
        assert_ok(ctx, nigh_sensitivities(ctx, &rows, 0, p, N, NULL, 0, low, high));
        assert_ok(ctx, nigh_lewis_weights(ctx, &rows, 0, p, 0, 0, w, NULL));
        assert_ok(ctx, nigh_sensitivity_bounds(ctx, &rows, 0, p, bound, NULL, &found));
        double total = sum_of(N, high);
        assert_true(total <= fmax(D, pow(D, p / 2)) * (1 + 1e-6) && sum_of(N, low) >= fmin(D, pow(D, p / 2)) * (1 - 1e-6));
        for (int r = 0; r < N; r++) {
            assert_true(low[r] <= high[r] && high[r] <= 1);
            if (!(high[r] - low[r] <= 1e-6 * high[r])) fail_msg("p %g, row %d: %.12g to %.12g", p, r, low[r], high[r]);
            if (p == 2) assert_near(high[r], tau[r], 1e-10, 0);
            if (!(low[r] <= bound[r] * (1 + 1e-9))) fail_msg("p %g, row %d: %.12g above its bound %.12g", p, r, low[r], bound[r]);
        }
        /* no direction tried by chance, nor rows near the best ones, finds more */
        nigh_rng rng = nigh_rng_new(9, (uint64_t)i);
        for (int t = 0; t < 2000; t++) {
            double v[D], r[N], sum = 0;
            nigh_rng_sphere(&rng, D, v);
            for (int a = 0; a < N; a++) {
                r[a] = 0;
                for (int j = 0; j < D; j++) r[a] += x[a * D + j] * v[j];
                r[a] = pow(fabs(r[a]), p), sum += r[a];
            }
            for (int a = 0; a < N; a++) assert_true(r[a] / sum <= high[a] * (1 + 1e-12));
        }
    }
    int64_t some[2] = {5, 3};
    assert_ok(ctx, nigh_sensitivities(ctx, &rows, 0, 1, 2, some, 0, low, high));
    assert_true(high[1] == 0 && low[0] > 0.5);
    free(x);
    test_context_free(ctx);
}

/* Gaussian rows, p = 4: sigma_i is near |a_i|^4 / (3 n); points of a polynomial: S at most 2 d - 1. */
static void test_totals(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 20000, D = 5 };
    double *x = normals(N * D, 10), *bound = malloc(N * sizeof *bound), total, error;
    nigh_rows rows = {.n = N, .d = D, .x = x};
    nigh_rng rng = nigh_rng_new(10, 1);
    nigh_scores found;
    int64_t products;
    assert_ok(ctx, nigh_sensitivity_bounds(ctx, &rows, 0, 4, bound, &products, &found));
    assert_int_equal(products, 15);
    assert_near(found.sum, 15, 1e-6, 0);
    assert_ok(ctx, nigh_sensitivity_total(ctx, &rows, 0, 4, bound, 50, &rng, &total, &error));
    assert_near(total, D * (D + 2) / 3.0, 4 * error + 0.3, 0);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++) x[i * D + j] = cos(j * acos(2 * (i + 0.5) / N - 1));
    assert_ok(ctx, nigh_sensitivity_bounds(ctx, &rows, 0, 4, bound, &products, &found));
    assert_near(found.sum, 2 * D - 1, 1e-6, 0);
    assert_ok(ctx, nigh_sensitivity_total(ctx, &rows, 0, 4, bound, 50, &rng, &total, &error));
    assert_true(total <= 2 * D - 1 && total >= D);
    free(x), free(bound);
    test_context_free(ctx);
}

/* ---- bad input ---- */

static void test_bad(void **state)
{
    nigh_context *ctx = test_context_new();
    double *x = normals(30, 12), score[10];
    nigh_rows rows = {.n = 10, .d = 3, .x = x};
    assert_fails(ctx, nigh_leverage(ctx, &rows, 4, 0, score, NULL), NIGH_INVALID, "columns is 4");
    assert_fails(ctx, nigh_leverage(ctx, &rows, NIGH_WITH_TARGET, 0, score, NULL), NIGH_INVALID, "no y");
    assert_fails(ctx, nigh_lewis_weights(ctx, &rows, 0, 0.9, 0, 0, score, NULL), NIGH_INVALID, "p is 0.9; at least 1");
    assert_fails(ctx, nigh_lewis_weights(ctx, &rows, 0, 40, 0, 0, score, NULL), NIGH_INVALID, "at most 32");
    assert_fails(ctx, nigh_lewis_weights(ctx, &rows, 0, NAN, 0, 0, score, NULL), NIGH_INVALID, "p is");
    assert_fails(ctx, nigh_sensitivities(ctx, &rows, 0, 1, 1, (int64_t[]){10}, 0, score, NULL), NIGH_INVALID, "index[0] is 10");
    x[4] = NAN;
    assert_fails(ctx, nigh_leverage(ctx, &rows, 0, 0, score, NULL), NIGH_INVALID, "row 1");
    x[4] = INFINITY;
    assert_fails(ctx, nigh_sensitivity_bounds(ctx, &rows, 0, 3, score, NULL, NULL), NIGH_INVALID, "row 1");
    double zero[30] = {0}, low[10];
    rows.x = zero;
    nigh_scores found;
    assert_ok(ctx, nigh_leverage(ctx, &rows, 0, 0, score, &found));
    assert_int_equal(found.rank, 0);
    assert_int_equal(found.zero_rows, 10);
    assert_ok(ctx, nigh_lewis_weights(ctx, &rows, 0, 3, 0, 0, score, NULL));
    assert_ok(ctx, nigh_sensitivities(ctx, &rows, 0, 1, 10, NULL, 0, low, score));
    assert_ok(ctx, nigh_sensitivity_bounds(ctx, &rows, 0, 4, score, NULL, NULL));
    assert_true(sum_of(10, score) == 0 && sum_of(10, low) == 0);
    free(x);
    test_context_free(ctx);
}

/* Every allocation fails once. */
static void test_memory(void **state)
{
    double *x = normals(600, 13), score[100];
    nigh_rows rows = {.n = 100, .d = 6, .x = x};
    for (int what = 0; what < 4; what++)
        for (long at = 1, done = 0; !done; at++) {
            test_allocator a = {.fail_at = at};
            nigh_context *ctx = test_context_failing(&a);
            if (!ctx) continue;
            nigh_status status = what == 0   ? nigh_leverage_sketched(ctx, &rows, 0, 0, 1, score, NULL)
                                 : what == 1 ? nigh_lewis_weights(ctx, &rows, 0, 1, 3, 0, score, NULL)
                                 : what == 2 ? nigh_sensitivities(ctx, &rows, 0, 3, 3, (int64_t[]){1, 2, 3}, 0, score, NULL)
                                             : nigh_sensitivity_bounds(ctx, &rows, 0, 4, score, NULL, NULL);
            done = status == NIGH_OK;
            assert_true(status == NIGH_OK || status == NIGH_MEMORY);
            nigh_context_free(ctx);
            assert_int_equal(a.live, 0);
        }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leverage),      cmocka_unit_test(test_columns), cmocka_unit_test(test_sketch), cmocka_unit_test(test_lewis),
        cmocka_unit_test(test_sensitivities), cmocka_unit_test(test_totals),  cmocka_unit_test(test_bad),    cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
