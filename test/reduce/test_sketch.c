/* Sketches: against their definitions as dense matrices, linear, unbiased, the same for the same seed, every CPU level alike. */
#include "support.h"

#include "nigh/random.h"
#include "nigh/sketch.h"
#include "reduce/sketch_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *normal(int64_t count, uint64_t seed)
{
    double *x = malloc((size_t)count * sizeof *x);
    nigh_rng rng = nigh_rng_new(seed, 0);
    nigh_rng_fill_normal(&rng, count, x);
    return x;
}

/* H D by the definition, the rows that were sampled. */
static void test_hadamard_definition(void **state)
{
    static const int64_t sizes[][3] = {{1, 1, 1}, {2, 2, 3}, {3, 4, 1}, {7, 5, 8}, {16, 16, 9}, {37, 20, 17}, {64, 64, 5}, {100, 128, 65}, {250, 33, 70},
                                       {300, 512, 3}, {1000, 700, 33}, {2049, 90, 11}, {4097, 60, 12}, {5000, 2100, 7}, {9000, 100, 101}};
    nigh_context *ctx = test_context_new();
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            int64_t n = sizes[k][0], m = sizes[k][1], d = sizes[k][2];
            double *a = normal(n * d, 1), *out = malloc((size_t)(m * d) * sizeof *out), *scale = normal(n, 2);
            srht *s;
            assert_ok(ctx, srht_new(ctx, (nigh_cpu_level)level, n, m, 7, &s));
            assert_ok(ctx, srht_apply(s, ctx, d, d, a, k % 2 ? scale : NULL, out));
            assert_true(srht_padded(s) >= n && srht_padded(s) < 2 * n + (n == 1));
            for (int64_t row = 0; row < m; row += 1 + m / 40)
                for (int64_t j = 0; j < d; j += 1 + d / 9) {
                    double sum = 0;
                    for (int64_t i = 0; i < n; i++) {
                        double v = srht_sign(s, i) * (k % 2 ? scale[i] : 1) * a[i * d + j];
                        sum += __builtin_parityll((unsigned long long)(i & srht_row(s, row))) ? -v : v;
                    }
                    assert_near(out[row * d + j], sum / sqrt((double)m), 1e-11, 1e-12);
                }
            srht_free(s);
            free(a), free(out), free(scale);
        }
    test_context_free(ctx);
}

/* All N rows: S is orthogonal but for the scale, so lengths stay. And the rows are different ones. */
static void test_hadamard_whole(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 300, m = 512, d = 6;
    double *a = normal(n * d, 3), *out = malloc((size_t)(m * d) * sizeof *out), *seen = calloc(512, sizeof *seen);
    srht *s;
    assert_ok(ctx, srht_new(ctx, nigh_cpu(), n, m, 9, &s));
    assert_ok(ctx, srht_apply(s, ctx, d, d, a, NULL, out));
    for (int64_t j = 0; j < d; j++) {
        double before = 0, after = 0;
        for (int64_t i = 0; i < n; i++) before += a[i * d + j] * a[i * d + j];
        for (int64_t i = 0; i < m; i++) after += out[i * d + j] * out[i * d + j];
        assert_near(after, before, 0, 1e-13);
    }
    for (int64_t k = 0; k < m; k++) assert_true(seen[srht_row(s, k)]++ == 0);
    srht_free(s);
    free(a), free(out), free(seen);
    test_context_free(ctx);
}

/* Every level and every number of threads adds the same numbers; levels in the same order. */
static void test_same_bits(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 20000, m = 300, d = 37;
    double *a = normal(n * d, 4), *first = malloc((size_t)(m * d) * sizeof *first), *out = malloc((size_t)(m * d) * sizeof *out);
    for (int threads = 1; threads <= 2; threads++)
        for (int level = 0; level <= (int)nigh_cpu(); level++)
            for (int again = 0; again < 2; again++) {
                srht *s;
                assert_ok(ctx, nigh_context_set_threads(ctx, threads));
                assert_ok(ctx, srht_new(ctx, (nigh_cpu_level)level, n, m, 7, &s));
                assert_ok(ctx, srht_apply(s, ctx, d, d, a, NULL, level || again ? out : first));
                if (level || again) assert_memory_equal(first, out, (size_t)(m * d) * sizeof *out);
                srht_free(s);
            }
    free(a), free(first), free(out);
    test_context_free(ctx);
}

static void test_kernels(void **state)
{
    for (int level = 0; level <= (int)nigh_cpu(); level++) {
        const srht_kernels *k = srht_kernels_at((nigh_cpu_level)level);
        for (int64_t count = 1; count <= 9; count++)
            for (int64_t d = 1; d <= 40; d += 3) {
                double *a = normal(20 * d, 5), *x = normal(d, 6), f[9], dots[9], y[40];
                uint32_t row[9];
                for (int64_t i = 0; i < count; i++) row[i] = (uint32_t)(19 - 2 * i), f[i] = 0.5 + (double)i;
                k->dots(count, d, a, d, x, dots);
                for (int listed = 0; listed < 2; listed++) {
                    for (int64_t j = 0; j < d; j++) y[j] = 1;
                    k->rows(count, listed ? row : NULL, f, d, a, d, y);
                    for (int64_t j = 0; j < d; j++) {
                        double sum = 1;
                        for (int64_t i = 0; i < count; i++) sum += f[i] * a[(listed ? row[i] : i) * d + j];
                        assert_near(y[j], sum, 1e-12, 1e-12);
                    }
                }
                for (int64_t i = 0; i < count; i++) {
                    double sum = 0;
                    for (int64_t j = 0; j < d; j++) sum += a[i * d + j] * x[j];
                    assert_near(dots[i], sum, 1e-12, 1e-12);
                }
                free(a), free(x);
            }
    }
}

/* S as a dense matrix is the sketch of the identity; then S A, its linearity, scale, stride, and the sparse form follow. */
static void test_all_kinds(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 90, m = 24, d = 5;
    double *one = calloc((size_t)(n * n), sizeof *one), *s = malloc((size_t)(m * n) * sizeof *s), *a = normal(n * (d + 2), 7), *scale = normal(n, 8),
           *out = malloc((size_t)(m * d) * sizeof *out);
    for (int64_t i = 0; i < n; i++) one[i * (n + 1)] = 1;
    for (int kind = 0; kind < NIGH_SKETCH_KINDS; kind++) {
        nigh_sketch *sketch;
        assert_ok(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = (nigh_sketch_kind)kind, .n = n, .m = m, .seed = 5}, &sketch));
        assert_ok(ctx, nigh_sketch_apply(ctx, sketch, n, n, one, NULL, s));
        assert_ok(ctx, nigh_sketch_apply(ctx, sketch, d, d + 2, a, scale, out));
        for (int64_t k = 0; k < m; k++)
            for (int64_t j = 0; j < d; j++) {
                double sum = 0;
                for (int64_t i = 0; i < n; i++) sum += s[k * n + i] * scale[i] * a[i * (d + 2) + j];
                assert_near(out[k * d + j], sum, 1e-12, 1e-12);
            }
        for (int64_t i = 0; i < n; i++) { /* columns of S have length 1, but for the Gaussian one */
            double square = 0, nonzeros = 0;
            for (int64_t k = 0; k < m; k++) square += s[k * n + i] * s[k * n + i], nonzeros += s[k * n + i] != 0;
            if (kind != NIGH_SKETCH_GAUSSIAN) assert_near(square, 1, 1e-13, 0);
            assert_true(nonzeros == (kind == NIGH_SKETCH_COUNT ? 1 : kind == NIGH_SKETCH_SPARSE ? 8 : (double)m));
        }
        nigh_sketch_free(ctx, sketch);
    }
    free(one), free(s), free(a), free(scale), free(out);
    test_context_free(ctx);
}

/* E |S v|^2 = |v|^2 over seeds. */
static void test_unbiased(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t n = 200, m = 40;
    double *v = normal(n, 10), length = 0, out[40];
    for (int64_t i = 0; i < n; i++) length += v[i] * v[i];
    for (int kind = 0; kind < NIGH_SKETCH_KINDS; kind++) {
        double mean = 0;
        for (uint64_t seed = 0; seed < 400; seed++) {
            nigh_sketch *sketch;
            assert_ok(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = (nigh_sketch_kind)kind, .n = n, .m = m, .seed = seed}, &sketch));
            assert_ok(ctx, nigh_sketch_apply(ctx, sketch, 1, 1, v, NULL, out));
            for (int64_t k = 0; k < m; k++) mean += out[k] * out[k] / length / 400;
            nigh_sketch_free(ctx, sketch);
        }
        assert_near(mean, 1, 0.05, 0); /* its deviation is about sqrt(2 / 40 / 400) = 0.011 */
    }
    free(v);
    test_context_free(ctx);
}

static void test_sparse_rows(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 500, D = 30, M = 64, COUNT = 2000 };
    int64_t row[COUNT], column[COUNT];
    double value[COUNT], *dense = calloc(N * D, sizeof *dense), *scale = normal(N, 11), one[M * D], two[M * D];
    nigh_rng rng = nigh_rng_new(12, 0);
    for (int k = 0; k < COUNT; k++) {
        row[k] = (int64_t)nigh_rng_below(&rng, N), column[k] = (int64_t)nigh_rng_below(&rng, D);
        dense[row[k] * D + column[k]] += value[k] = nigh_rng_normal(&rng);
    }
    nigh_sparse *a;
    assert_ok(ctx, nigh_sparse_new(ctx, N, D, COUNT, row, column, value, &a));
    for (int kind = NIGH_SKETCH_COUNT; kind <= NIGH_SKETCH_SPARSE; kind++) {
        nigh_sketch *sketch;
        assert_ok(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = (nigh_sketch_kind)kind, .n = N, .m = M, .seed = 5}, &sketch));
        assert_ok(ctx, nigh_sketch_apply(ctx, sketch, D, D, dense, scale, one));
        assert_ok(ctx, nigh_sketch_apply_sparse(ctx, sketch, a, scale, two));
        for (int k = 0; k < M * D; k++) assert_near(two[k], one[k], 1e-12, 1e-12);
        nigh_sketch_free(ctx, sketch);
    }
    nigh_sketch *filled;
    assert_ok(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = NIGH_SKETCH_SRHT, .n = N, .m = M}, &filled));
    assert_fails(ctx, nigh_sketch_apply_sparse(ctx, filled, a, NULL, one), NIGH_UNSUPPORTED, "fills it");
    nigh_sketch_free(ctx, filled);
    nigh_sparse_free(ctx, a);
    free(dense), free(scale);
    test_context_free(ctx);
}

/* The product formed: its sketch has the same law; here lengths in the mean, and that a product of factors comes out as one. */
static void test_tensor(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N1 = 12, N2 = 20, D1 = 2, D2 = 3, M = 64 };
    double *a1 = normal(N1 * D1, 13), *a2 = normal(N2 * D2, 14), out[M * D1 * D2], gram[36] = {0}, exact[36] = {0};
    for (uint64_t seed = 0; seed < 600; seed++) {
        assert_ok(ctx, nigh_sketch_tensor(ctx, N1, D1, a1, N2, D2, a2, M, seed, out));
        for (int k = 0; k < M; k++)
            for (int p = 0; p < 6; p++)
                for (int q = 0; q < 6; q++) gram[p * 6 + q] += out[k * 6 + p] * out[k * 6 + q] / 600;
    }
    for (int i = 0; i < N1 * N2; i++)
        for (int p = 0; p < 6; p++)
            for (int q = 0; q < 6; q++)
                exact[p * 6 + q] += a1[i / N2 * D1 + p / 3] * a2[i % N2 * D2 + p % 3] * a1[i / N2 * D1 + q / 3] * a2[i % N2 * D2 + q % 3];
    for (int p = 0; p < 36; p++) assert_near(gram[p], exact[p], 0.06 * sqrt(exact[p / 6 * 7] * exact[p % 6 * 7]), 0);
    assert_fails(ctx, nigh_sketch_tensor(ctx, 0, 1, a1, 1, 1, a2, 4, 0, out), NIGH_INVALID, "0 x 1");
    free(a1), free(a2);
    test_context_free(ctx);
}

static void test_refusals(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_sketch *s;
    assert_fails(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = NIGH_SKETCH_SRHT, .n = 100, .m = 129}, &s), NIGH_INVALID, "1 to 128 is allowed");
    assert_fails(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = NIGH_SKETCH_COUNT, .n = 100, .m = 101}, &s), NIGH_INVALID, "to 101");
    assert_fails(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = NIGH_SKETCH_COUNT, .n = 100, .m = 0}, &s), NIGH_INVALID, "to 0");
    assert_fails(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = NIGH_SKETCH_SPARSE, .n = 100, .m = 30}, &s), NIGH_INVALID, "a divisor");
    assert_fails(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = (nigh_sketch_kind)9, .n = 100, .m = 30}, &s), NIGH_INVALID, "kind");
    assert_fails(ctx, nigh_sketch_new(ctx, &(nigh_sketch_spec){.n = 0, .m = 30}, &s), NIGH_INVALID, "0 rows");
    test_context_free(ctx);
    for (long at = 1; at < 12; at++) {
        test_allocator allocator = {.fail_at = at};
        ctx = test_context_failing(&allocator);
        double a[64] = {1}, out[32];
        if (!ctx) continue;
        for (int kind = 0; kind < NIGH_SKETCH_KINDS; kind++) {
            s = NULL;
            if (nigh_sketch_new(ctx, &(nigh_sketch_spec){.kind = (nigh_sketch_kind)kind, .n = 64, .m = 32}, &s) == NIGH_OK) (void)nigh_sketch_apply(ctx, s, 1, 1, a, NULL, out);
            nigh_sketch_free(ctx, s);
        }
        test_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hadamard_definition), cmocka_unit_test(test_hadamard_whole), cmocka_unit_test(test_same_bits),
                                       cmocka_unit_test(test_kernels),             cmocka_unit_test(test_all_kinds),      cmocka_unit_test(test_unbiased),
                                       cmocka_unit_test(test_sparse_rows),         cmocka_unit_test(test_tensor),         cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
