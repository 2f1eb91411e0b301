/* nigh/random.h, the generator and point sets: published vectors, addressing, uniformity, nets, bad input. */
#include "support.h"
#include "nigh/random.h"
#include "nigh/special.h"
#include "nigh/stats.h"
#include "core/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The known answers published with the generator, from every kernel this CPU runs; and all kernels agree. */
static void known_answers(void **state)
{
    static const struct { uint64_t seed, stream, first; uint32_t want[4]; } known[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822ull, 0x0370734413198a2eull, 0x85a308d3243f6a88ull, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    philox_fill_fn *kernels[3] = {nigh_philox_fill_scalar};
    int count = 1;
#if defined(__x86_64__)
    if (nigh_cpu() >= NIGH_CPU_AVX2) kernels[count++] = nigh_philox_fill_avx2;
    if (nigh_cpu() >= NIGH_CPU_AVX512) kernels[count++] = nigh_philox_fill_avx512;
#endif
    uint32_t out[3][8 * PHILOX_GROUP];
    for (int k = 0; k < 3; k++)
        for (int kernel = 0; kernel < count; kernel++) {
            kernels[kernel](known[k].seed, known[k].stream, known[k].first, 2 * PHILOX_GROUP, out[kernel]);
            assert_memory_equal(out[kernel], known[k].want, sizeof known[k].want);
            assert_memory_equal(out[kernel], out[0], sizeof out[0]);
        }
    nigh_rng zero = nigh_rng_new(0, 0);
    for (int i = 0; i < 4; i++) assert_int_equal(nigh_rng_u32(&zero), known[0].want[i]);
}

static void filling_is_drawing(void **state)
{
    enum { N = 1000 };
    static uint32_t words[N], again[N];
    static double reals[N];
    for (int start = 0; start < 9; start++)
        for (int n = 0; n < N; n = 2 * n + 1) {
            nigh_rng a = nigh_rng_new(0x123456789abcdefull, 77), b = a, c = a;
            nigh_rng_seek(&a, 0xfffffff0ull * 4 + (uint64_t)start), nigh_rng_seek(&b, a.position); /* across 2^32 blocks */
            nigh_rng_fill_u32(&a, n, words);
            for (int i = 0; i < n; i++) again[i] = nigh_rng_u32(&b);
            assert_memory_equal(words, again, (size_t)n * 4);
            assert_true(a.position == b.position && nigh_rng_u32(&a) == nigh_rng_u32(&b));
            nigh_rng_seek(&c, (uint64_t)start);
            b = c;
            nigh_rng_fill_f64(&c, n, reals);
            for (int i = 0; i < n; i++) assert_true(reals[i] == nigh_rng_f64(&b));
            assert_true(c.position == b.position);
            nigh_rng_fill_normal(&c, n, reals);
            for (int i = 0; i < n; i++) assert_true(reals[i] == nigh_rng_normal(&b));
        }
    nigh_rng a = nigh_rng_new(1, 0), b = nigh_rng_new(1, 1);
    assert_true(nigh_rng_u64(&a) != nigh_rng_u64(&b));
    assert_true(nigh_seed_split(1, 0) != nigh_seed_split(1, 1) && nigh_seed_split(1, 0) != nigh_seed_split(2, 0));
}

static double normal_cdf(void *user, double x) { return nigh_normal_cdf(x); }
static double uniform_cdf(void *user, double x) { return x; }

static void uniform_and_normal(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 200000 };
    double *x = malloc(N * sizeof *x);
    nigh_rng rng = nigh_rng_new(42, 0);
    nigh_test t;
    nigh_rng_fill_f64(&rng, N, x);
    assert_ok(ctx, nigh_kolmogorov_fit(ctx, N, x, uniform_cdf, NULL, &t));
    assert_true(t.p > 1e-3 && t.p < 0.9999);
    nigh_rng_fill_normal(&rng, N, x);
    assert_ok(ctx, nigh_kolmogorov_fit(ctx, N, x, normal_cdf, NULL, &t));
    assert_true(t.p > 1e-3 && t.p < 0.9999);
    nigh_moments m = {0};
    int beyond = 0; /* past the ziggurat's edge: its tail is drawn by its own method */
    for (int i = 0; i < N; i++) nigh_moments_add(&m, x[i]), beyond += fabs(x[i]) > 3.6541528853610088;
    assert_near(m.mean, 0, 4 / sqrt(N), 0);
    assert_near(nigh_moments_variance(&m), 1, 4 * sqrt(2.0 / N), 0);
    assert_near(nigh_moments_kurtosis(&m), 0, 4 * sqrt(24.0 / N), 0);
    double expected = N * 2 * nigh_normal_tail(3.6541528853610088);
    assert_near(beyond, expected, 4 * sqrt(expected), 0);
    free(x);
    test_context_free(ctx);
}

static void below_is_even(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(8, 0);
    double count[7] = {0}, even[7] = {1, 1, 1, 1, 1, 1, 1};
    for (int i = 0; i < 70000; i++) count[nigh_rng_below(&rng, 7)]++;
    nigh_test t;
    assert_ok(ctx, nigh_chi_square_fit(ctx, 7, count, even, 0, &t));
    assert_true(t.p > 1e-4);
    int high = 0; /* 3 * 2^62: a remainder of 64 bits would fall below 2^62 twice as often as it should */
    for (int i = 0; i < 3000; i++) high += nigh_rng_below(&rng, 3ull << 62) < 1ull << 62;
    assert_near(high, 1000, 120, 0);
    assert_true(nigh_rng_below(&rng, 0) == 0 && nigh_rng_below(&rng, 1) == 0);
    test_context_free(ctx);
}

static void subsets(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(9, 0);
    double seen[24] = {0}, first[60] = {0}, even[60];
    for (int i = 0; i < 60; i++) even[i] = 1;
    int64_t out[64];
    for (int i = 0; i < 24000; i++) { /* all 24 orders of 4 */
        assert_ok(ctx, nigh_rng_permutation(ctx, &rng, 4, out));
        int code = 0;
        for (int a = 0; a < 4; a++) {
            int less = 0;
            for (int b = a + 1; b < 4; b++) less += out[b] < out[a];
            code = code * (4 - a) + less;
        }
        seen[code]++;
        assert_ok(ctx, nigh_rng_choose(ctx, &rng, 5, 3, out)); /* all 60 ordered triples of 5 */
        assert_true(out[0] != out[1] && out[1] != out[2] && out[0] != out[2]);
        int64_t second = out[1] - (out[1] > out[0]), third = out[2] - (out[2] > out[0]) - (out[2] > out[1]);
        first[(out[0] * 4 + second) * 3 + third]++;
    }
    nigh_test t;
    assert_ok(ctx, nigh_chi_square_fit(ctx, 24, seen, even, 0, &t));
    assert_true(t.p > 1e-4);
    assert_ok(ctx, nigh_chi_square_fit(ctx, 60, first, even, 0, &t));
    assert_true(t.p > 1e-4);
    assert_ok(ctx, nigh_rng_choose(ctx, &rng, (int64_t)1 << 60, 64, out));
    for (int i = 0; i < 64; i++) assert_true(out[i] >= 0 && out[i] < (int64_t)1 << 60);
    assert_ok(ctx, nigh_rng_choose(ctx, &rng, 64, 64, out));
    uint64_t mask = 0;
    for (int i = 0; i < 64; i++) mask |= (uint64_t)1 << out[i];
    assert_true(mask == UINT64_MAX);
    assert_ok(ctx, nigh_rng_choose(ctx, &rng, 0, 0, out));
    assert_fails(ctx, nigh_rng_choose(ctx, &rng, 3, 4, out), NIGH_INVALID, "4 of 3");
    assert_fails(ctx, nigh_rng_permutation(ctx, &rng, -1, out), NIGH_INVALID, "-1 elements");
    test_context_free(ctx);
}

/* Every elementary interval of 2^-k in each coordinate holds one of the first 2^k points, and of each later 2^k. */
static void sobol_nets(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { K = 6, N = 1 << K };
    static double x[N * NIGH_SOBOL_DIMS];
    for (uint64_t seed = 0; seed < 3; seed++)
        for (int64_t skip = 0; skip < 3 * N; skip += 2 * N) {
            assert_ok(ctx, nigh_sobol(ctx, NIGH_SOBOL_DIMS, seed, skip, N, x));
            for (int j = 0; j < NIGH_SOBOL_DIMS; j++) {
                uint64_t hit = 0;
                for (int i = 0; i < N; i++) {
                    assert_true(x[i * NIGH_SOBOL_DIMS + j] >= 0 && x[i * NIGH_SOBOL_DIMS + j] < 1);
                    hit |= (uint64_t)1 << (int)(x[i * NIGH_SOBOL_DIMS + j] * N);
                }
                assert_true(hit == UINT64_MAX);
            }
        }
    /* the first two coordinates are a (0,m,2)-net: every box 2^-a x 2^-b of area 2^-6 holds one point */
    for (int a = 0; a <= K; a++) {
        uint64_t hit = 0;
        for (int i = 0; i < N; i++) {
            int row = (int)(x[i * NIGH_SOBOL_DIMS] * (1 << a)), column = (int)(x[i * NIGH_SOBOL_DIMS + 1] * (1 << (K - a)));
            hit |= (uint64_t)1 << (row << (K - a) | column);
        }
        assert_true(hit == UINT64_MAX);
    }
    test_context_free(ctx);
}

static double smooth(const double *x, int d)
{
    double product = 1;
    for (int j = 0; j < d; j++) product *= 1 + (x[j] - 0.5) / (j + 1.0);
    return product; /* integral 1 */
}

static void sobol_integrates(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { D = 10, N = 4096, ROUNDS = 12 };
    static double x[N * D];
    double sobol = 0, plain = 0, hypercube = 0;
    nigh_rng rng = nigh_rng_new(10, 0);
    for (int round = 0; round < ROUNDS; round++) {
        double sum[3] = {0};
        assert_ok(ctx, nigh_sobol(ctx, D, 1 + (uint64_t)round, 0, N, x));
        for (int i = 0; i < N; i++) sum[0] += smooth(x + i * D, D);
        nigh_rng_fill_f64(&rng, N * D, x);
        for (int i = 0; i < N; i++) sum[1] += smooth(x + i * D, D);
        assert_ok(ctx, nigh_latin_hypercube(ctx, &rng, D, N, x));
        for (int i = 0; i < N; i++) sum[2] += smooth(x + i * D, D);
        sobol += pow(sum[0] / N - 1, 2), plain += pow(sum[1] / N - 1, 2), hypercube += pow(sum[2] / N - 1, 2);
    }
    assert_true(sqrt(sobol) < 0.05 * sqrt(plain)); /* root mean squares over the scramblings */
    assert_true(hypercube < plain);
    assert_fails(ctx, nigh_sobol(ctx, 0, 0, 0, 1, x), NIGH_INVALID, "d is 0");
    assert_fails(ctx, nigh_sobol(ctx, 1001, 0, 0, 1, x), NIGH_INVALID, "1 to 1000");
    assert_fails(ctx, nigh_sobol(ctx, 2, 0, -1, 1, x), NIGH_INVALID, "points -1");
    assert_ok(ctx, nigh_sobol(ctx, 2, 0, ((int64_t)1 << 32) - 1, 1, x));
    assert_fails(ctx, nigh_sobol(ctx, 2, 0, (int64_t)1 << 32, 1, x), NIGH_INVALID, "2^32");
    test_context_free(ctx);
}

static void hypercube_cells(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(12, 0);
    double x[64 * 3];
    assert_ok(ctx, nigh_latin_hypercube(ctx, &rng, 3, 64, x));
    for (int j = 0; j < 3; j++) {
        uint64_t hit = 0;
        for (int i = 0; i < 64; i++) hit |= (uint64_t)1 << (int)(x[3 * i + j] * 64);
        assert_true(hit == UINT64_MAX);
    }
    assert_fails(ctx, nigh_latin_hypercube(ctx, &rng, 0, 5, x), NIGH_INVALID, "0 dimensions");
    test_context_free(ctx);
}

static void memory_runs_out(void **state)
{
    nigh_rng rng = nigh_rng_new(1, 1);
    int64_t chosen[5];
    double x[10];
    for (int which = 0; which < 2; which++) {
        test_allocator allocator = {0};
        nigh_context *ctx = test_context_failing(&allocator);
        allocator.fail_at = allocator.count + 1;
        nigh_status status = which ? nigh_rng_choose(ctx, &rng, 9, 5, chosen) : nigh_latin_hypercube(ctx, &rng, 2, 5, x);
        assert_int_equal(status, NIGH_MEMORY);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers), cmocka_unit_test(filling_is_drawing), cmocka_unit_test(uniform_and_normal),
        cmocka_unit_test(below_is_even), cmocka_unit_test(subsets),            cmocka_unit_test(sobol_nets),
        cmocka_unit_test(sobol_integrates), cmocka_unit_test(hypercube_cells), cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
