/* Text-to-pattern Hamming distances: every variant and CPU level beside the loop over all pairs; bounds of the approximate ones; bad input. */
#include "support.h"

#include "nigh/hamming.h"
#include "nigh/random.h"
#include "reduce/hamming_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 5 };

/* random, periodic with errors, Fibonacci word, uniform (one symbol), a few long runs. */
static void fill(int kind, nigh_rng *rng, int64_t n, int64_t sigma, uint32_t *out)
{
    int64_t period = 1 + (int64_t)nigh_rng_below(rng, 12), a = 1, b = 2;
    while (kind == 2 && b < n) b += a, a = b - a;
    for (int64_t i = 0; i < n; i++) {
        uint32_t drawn = (uint32_t)nigh_rng_below(rng, (uint64_t)sigma);
        if (kind == 0) out[i] = drawn;
        else if (kind == 1) out[i] = nigh_rng_below(rng, 40) == 0 ? drawn : (uint32_t)((i % period) % sigma);
        else if (kind == 2) out[i] = (int64_t)((double)(i + 2) * 0.6180339887498949) - (int64_t)((double)(i + 1) * 0.6180339887498949) ? 0 : (uint32_t)(sigma - 1);
        else if (kind == 3) out[i] = (uint32_t)(sigma / 2);
        else out[i] = i && nigh_rng_below(rng, 30) ? out[i - 1] : drawn;
    }
}

static void naive(int64_t n, const uint32_t *t, int64_t m, const uint32_t *p, uint32_t *out)
{
    for (int64_t i = 0; i + m <= n; i++) {
        out[i] = 0;
        for (int64_t j = 0; j < m; j++) out[i] += t[i + j] != p[j];
    }
}

typedef struct problem {
    int64_t n, m, sigma;
    uint32_t *t, *p, *exact, *out;
    void *narrow_t, *narrow_p;
    nigh_symbols text, pattern;
} problem;

static problem make(nigh_rng *rng, int kind, int64_t n, int64_t m, int64_t sigma, nigh_dtype dtype)
{
    problem x = {.n = n, .m = m, .sigma = sigma};
    size_t size = nigh_dtype_size(dtype);
    x.t = malloc((size_t)n * 4), x.p = malloc((size_t)m * 4), x.exact = malloc((size_t)n * 4), x.out = malloc((size_t)n * 4);
    x.narrow_t = malloc((size_t)n * size), x.narrow_p = malloc((size_t)m * size);
    fill(kind, rng, n, sigma, x.t);
    fill(kind, rng, m, sigma, x.p);
    if (nigh_rng_below(rng, 2)) { /* a pattern that is in the text, with errors */
        int64_t at = (int64_t)nigh_rng_below(rng, (uint64_t)(n - m + 1));
        for (int64_t j = 0; j < m; j++)
            if (nigh_rng_below(rng, 50)) x.p[j] = x.t[at + j];
    }
    naive(n, x.t, m, x.p, x.exact);
    nigh_array text = {{dtype, 1, {n}}, x.narrow_t}, pattern = {{dtype, 1, {m}}, x.narrow_p};
    for (int64_t i = 0; i < n; i++) nigh_array_set(&text, i, x.t[i]);
    for (int64_t i = 0; i < m; i++) nigh_array_set(&pattern, i, x.p[i]);
    x.text = (nigh_symbols){dtype, n, x.narrow_t};
    x.pattern = (nigh_symbols){dtype, m, x.narrow_p};
    return x;
}

static void drop(problem *x)
{
    free(x->t), free(x->p), free(x->exact), free(x->out), free(x->narrow_t), free(x->narrow_p);
}

static nigh_hamming_report solve(nigh_context *ctx, problem *x, const nigh_hamming_options *o)
{
    nigh_hamming_report report;
    memset(x->out, 0xEE, (size_t)x->n * 4);
    assert_ok(ctx, nigh_hamming_distances(ctx, &x->text, &x->pattern, o, x->out, &report));
    assert_int_equal(report.shifts, x->n - x->m + 1);
    return report;
}

static void check_exact(nigh_context *ctx, problem *x, const nigh_hamming_options *o)
{
    if (o->variant == NIGH_HAMMING_SLICED && x->sigma > 64) return; /* see test_bad_input */
    nigh_hamming_report report = solve(ctx, x, o);
    assert_true(report.error == 0);
    for (int64_t i = 0; i + x->m <= x->n; i++) {
        uint32_t wanted = o->at_most >= 0 && o->at_most < x->m && x->exact[i] > o->at_most ? (uint32_t)o->at_most + 1 : x->exact[i];
        if (x->out[i] != wanted)
            fail_msg("%s: n %lld, m %lld, sigma %lld, k %lld: shift %lld is %u, not %u", nigh_hamming_variant_name(o->variant), (long long)x->n, (long long)x->m,
                     (long long)x->sigma, (long long)o->at_most, (long long)i, x->out[i], wanted);
    }
}

static nigh_dtype dtype_for(int64_t sigma, int which)
{
    static const nigh_dtype all[] = {NIGH_U8, NIGH_I8, NIGH_U16, NIGH_I16, NIGH_U32, NIGH_I32, NIGH_I64, NIGH_U64};
    int least = sigma <= 128 ? 0 : sigma <= 256 ? 2 : sigma <= 32768 ? 2 : 4;
    return which < least ? all[least] : all[which];
}

/* 200 cases; lengths of pattern from 1 to n. */
static void test_exact(void **state)
{
    nigh_context *ctx = test_context_new();
    static const int64_t sigmas[] = {2, 3, 4, 20, 120, 256, 1000, 50000};
    nigh_rng rng = nigh_rng_new(5, 0);
    assert_ok(ctx, nigh_context_set_threads(ctx, 2));
    for (int c = 0; c < 200; c++) {
        int64_t n = 1 + (int64_t)nigh_rng_below(&rng, c % 40 == 0 ? 5000 : 500), m = c % 7 == 0 ? n : c % 7 == 1 ? 1 : 1 + (int64_t)nigh_rng_below(&rng, (uint64_t)n);
        problem x = make(&rng, c % KINDS, n, m, sigmas[c % 8], dtype_for(sigmas[c % 8], (c / 8) % 8));
        nigh_hamming_options o = nigh_hamming_options_default();
        for (int v = NIGH_HAMMING_CHOOSE; v <= NIGH_HAMMING_HEAVY_LIGHT; v++) {
            o.variant = (nigh_hamming_variant)v;
            if (v == NIGH_HAMMING_TRANSFORM && sigmas[c % 8] > 200 && c % 10) continue;
            check_exact(ctx, &x, &o);
        }
        o.variant = NIGH_HAMMING_HEAVY_LIGHT;
        o.heavy = c % 6;
        o.bits = 64;
        o.memory = c % 2 ? 0 : 1e9;
        check_exact(ctx, &x, &o);
        drop(&x);
    }
    test_context_free(ctx);
}

static void test_bounded(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(6, 0);
    for (int c = 0; c < 120; c++) {
        int64_t n = 2 + (int64_t)nigh_rng_below(&rng, c % 40 == 0 ? 5000 : 500), m = 2 + (int64_t)nigh_rng_below(&rng, (uint64_t)n - 1), sigma = c % 3 ? 4 : 300;
        problem x = make(&rng, c % KINDS, n, m, sigma, dtype_for(sigma, c % 8));
        nigh_hamming_options o = nigh_hamming_options_default();
        o.at_most = (int64_t)nigh_rng_below(&rng, (uint64_t)(c % 4 ? 1 + m / 8 : m + 2));
        for (int v = NIGH_HAMMING_CHOOSE; v <= NIGH_HAMMING_KANGAROO; v++) {
            o.variant = (nigh_hamming_variant)v;
            check_exact(ctx, &x, &o);
        }
        drop(&x);
    }
    test_context_free(ctx);
}

/* Relative errors; hashing never above; small distances right. */
static void check_within(nigh_context *ctx, problem *x, nigh_hamming_variant v, double error)
{
    nigh_hamming_options o = nigh_hamming_options_default();
    o.error = error;
    o.variant = v;
    o.delta = 1e-6;
    nigh_hamming_report report = solve(ctx, x, &o);
    if (v != NIGH_HAMMING_CHOOSE) assert_true(report.error == error && report.delta == 1e-6);
    for (int64_t i = 0; i + x->m <= x->n; i++) {
        double off = fabs((double)x->out[i] - x->exact[i]);
        if (off > error * x->exact[i])
            fail_msg("%s: n %lld, m %lld: shift %lld is %u, not %u", nigh_hamming_variant_name(v), (long long)x->n, (long long)x->m, (long long)i, x->out[i], x->exact[i]);
        if (v == NIGH_HAMMING_HASHED) assert_true(x->out[i] <= x->exact[i]);
    }
}

static void test_within(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(7, 0);
    static const double errors[] = {0.05, 0.1, 0.3, 0.005};
    for (int c = 0; c < 40; c++) {
        int64_t n = 500 + (int64_t)nigh_rng_below(&rng, 3500), m = c % 4 == 0 ? 10 : 100 + (int64_t)nigh_rng_below(&rng, (uint64_t)n - 100), sigma = c % 2 ? 500 : 4;
        if (c % 4 == 1) m = n - 100;
        problem x = make(&rng, c % KINDS, n, m, sigma, dtype_for(sigma, c % 8));
        check_within(ctx, &x, NIGH_HAMMING_CHOOSE, errors[c % 4]);
        check_within(ctx, &x, NIGH_HAMMING_SAMPLED, errors[c % 4]);
        if (c % 5 == 0) check_within(ctx, &x, NIGH_HAMMING_HASHED, errors[c % 4]);
        drop(&x);
    }
    test_context_free(ctx);
}

/* A sampled answer does sample: far fewer comparisons, and not all are exact. */
static void test_sampling(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(8, 0);
    problem x = make(&rng, 0, 30000, 20000, 100, NIGH_U8);
    nigh_hamming_options o = nigh_hamming_options_default();
    o.error = 0.1;
    o.variant = NIGH_HAMMING_SAMPLED;
    nigh_hamming_report report = solve(ctx, &x, &o);
    int64_t same = 0;
    for (int64_t i = 0; i < report.shifts; i++) same += x.out[i] == x.exact[i];
    assert_true(same < report.shifts / 4);
    assert_true(report.finished < 20);
    drop(&x);
    test_context_free(ctx);
}

/* Every CPU level's loops against plain ones. */
static void test_levels(void **state)
{
    nigh_rng rng = nigh_rng_new(9, 0);
    for (int level = 0; level <= (int)nigh_cpu(); level++)
        for (int w = 0; w < 3; w++)
            for (int c = 0; c < 60; c++) {
                const hamming_compare *compare = &hamming_kernels_at((nigh_cpu_level)level)->compare[w];
                int64_t size = 1 << w, m = 1 + (int64_t)nigh_rng_below(&rng, c % 5 ? 90 : 900), positions = 1 + (int64_t)nigh_rng_below(&rng, 700), n = positions + m - 1;
                char *t = calloc((size_t)n, (size_t)size), *p = calloc((size_t)m, (size_t)size);
                uint32_t *got = calloc((size_t)positions, 4), *at_got = calloc((size_t)positions, 4);
                int32_t *at = malloc((size_t)m * 4);
                for (int64_t i = 0; i < n; i++) t[i * size] = (char)nigh_rng_below(&rng, 3);
                for (int64_t i = 0; i < m; i++) p[i * size] = (char)nigh_rng_below(&rng, 3), at[i] = (int32_t)nigh_rng_below(&rng, (uint64_t)m);
                compare->many(t, positions, NULL, p, m, got);
                compare->many(t, positions, at, p, m, at_got);
                for (int64_t i = 0; i < positions; i++) {
                    uint32_t equal = 0, at_equal = 0;
                    for (int64_t j = 0; j < m; j++) {
                        equal += memcmp(t + (i + j) * size, p + j * size, (size_t)size) == 0;
                        at_equal += memcmp(t + (i + at[j]) * size, p + j * size, (size_t)size) == 0;
                    }
                    assert_int_equal(got[i], equal);
                    assert_int_equal(at_got[i], at_equal);
                    assert_int_equal(compare->one(t + i * size, p, m, INT64_MAX), m - equal);
                    int64_t limit = (int64_t)nigh_rng_below(&rng, (uint64_t)m), early = compare->one(t + i * size, p, m, limit);
                    assert_true(m - equal > limit ? early > limit : early == m - equal);
                }
                free(t), free(p), free(got), free(at_got), free(at);
            }
}

/* Loops around lists and transforms of every CPU level against plain ones. */
static void test_rows(void **state)
{
    enum { N = 256, SYMBOLS = 5, AN = 203, BN = 190 };
    nigh_rng rng = nigh_rng_new(11, 0);
    uint8_t t[N];
    int32_t start[SYMBOLS + 1] = {0, 40, 40, 47, 78, 100};
    uint16_t place[100], counts[1000] = {0};
    float z[2 * N], x[N + 2], y[N + 2];
    for (int i = 0; i < N; i++) t[i] = (uint8_t)nigh_rng_below(&rng, SYMBOLS);
    for (int i = 0; i < 100; i++) place[i] = (uint16_t)nigh_rng_below(&rng, 700);
    for (int i = 0; i < 2 * N; i++) z[i] = (float)((double)nigh_rng_below(&rng, 2000) - 1000 + 0.01);
    for (int i = 0; i < N; i++)
        for (int e = start[t[i]]; e < start[t[i] + 1]; e++) counts[i + place[e]]++;
    for (int level = 0; level <= (int)nigh_cpu(); level++) {
        const hamming_kernels *k = hamming_kernels_at((nigh_cpu_level)level);
        uint16_t got[1000] = {0};
        uint32_t wide[1000] = {0}, a[AN], b[BN];
        k->compare[0].tally(t, N, start, place, got);
        assert_memory_equal(got, counts, sizeof counts);
        wide[999] = 3;
        k->widen(got, 999, wide);
        for (int i = 0; i < 999; i++) assert_int_equal(wide[i], counts[i]);
        assert_int_equal(wide[999], 3);
        k->spectrum[0].separate(N, z, x, y);
        for (int f = 0; f <= N / 2; f++) {
            int g = (N - f) % N;
            assert_float_equal(x[2 * f] - y[2 * f + 1], z[2 * f], 1e-3);
            assert_float_equal(x[2 * f + 1] + y[2 * f], z[2 * f + 1], 1e-3);
            assert_float_equal(x[2 * f] + y[2 * f + 1], z[2 * g], 1e-3);
            assert_float_equal(y[2 * f] - x[2 * f + 1], z[2 * g + 1], 1e-3);
        }
        for (int i = 0; i < AN; i++) a[i] = 5;
        for (int i = 0; i < BN; i++) b[i] = 7;
        z[2 * 201] = 12.25f;
        assert_float_equal(k->spectrum[0].collect(z, 2, AN, a, BN, b), 0.25, 1e-6);
        z[2 * 201] = 12;
        for (int i = 0; i < AN; i++) assert_int_equal((int32_t)a[i], 7 + lrintf(z[2 * i]));
        for (int i = 0; i < BN; i++) assert_int_equal((int32_t)b[i], 9 - lrintf(z[2 * i + 1]));
    }
}

/* Lists of light symbols: the pattern in several stretches, and in one that is longer than counters of 16 bits reach. */
static void test_lists(void **state)
{
    nigh_context *ctx = test_context_new();
    static const int64_t lengths[2] = {40000, 70000}, sigmas[2] = {250, 50000};
    for (int c = 0; c < 2; c++) {
        nigh_rng rng = nigh_rng_new(12, (uint64_t)c);
        int64_t m = lengths[c], n = m + 30000, shifts = n - m + 1;
        uint16_t *t = malloc((size_t)n * 2), *p = malloc((size_t)m * 2);
        uint32_t *out = malloc((size_t)shifts * 4), *exact = malloc((size_t)shifts * 4);
        for (int64_t i = 0; i < n; i++) t[i] = (uint16_t)nigh_rng_below(&rng, (uint64_t)sigmas[c]);
        for (int64_t j = 0; j < m; j++) p[j] = nigh_rng_below(&rng, 3) ? t[j + 17] : (uint16_t)nigh_rng_below(&rng, (uint64_t)sigmas[c]);
        nigh_symbols text = {NIGH_U16, n, t}, pattern = {NIGH_U16, m, p};
        nigh_hamming_options o = nigh_hamming_options_default();
        o.variant = NIGH_HAMMING_DIRECT;
        assert_ok(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, exact, NULL));
        o.variant = NIGH_HAMMING_HEAVY_LIGHT;
        for (o.heavy = 0; o.heavy < 3; o.heavy += 2) {
            assert_ok(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL));
            assert_memory_equal(out, exact, (size_t)shifts * 4);
        }
        free(t), free(p), free(out), free(exact);
    }
    test_context_free(ctx);
}

/* Transforms that are too coarse are noticed: f32 forced on a long pattern. */
static void test_rounding(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(10, 0);
    int64_t n = 1 << 22, m = (1 << 20) - 1;
    uint8_t *t = malloc((size_t)n);
    uint32_t *out = malloc((size_t)(n - m + 1) * 4);
    for (int64_t i = 0; i < n; i++) t[i] = nigh_rng_below(&rng, 64) == 0;
    nigh_symbols text = {NIGH_U8, n, t}, pattern = {NIGH_U8, m, t + 12345};
    nigh_hamming_options o = nigh_hamming_options_default();
    nigh_hamming_report report;
    o.variant = NIGH_HAMMING_TRANSFORM;
    o.bits = 32;
    assert_ok(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, &report));
    assert_true(report.fallbacks > 0 && report.bits == 64);
    assert_int_equal(out[12345], 0);
    const hamming_compare *compare = &hamming_kernels_at(nigh_cpu())->compare[0];
    for (int64_t i = 0; i <= n - m; i += 1 + n / 100) assert_int_equal(out[i], compare->one(t + i, pattern.data, m, INT64_MAX));
    o.bits = 0;
    assert_ok(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, &report));
    assert_int_equal(report.bits, 64);
    assert_int_equal(report.fallbacks, 0);
    assert_true(report.rounding < 0.01);
    free(t), free(out);
    test_context_free(ctx);
}

/* Pieces of calls give what one call gives. */
static void test_ranges(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(11, 0);
    problem x = make(&rng, 0, 5000, 300, 1000, NIGH_U16);
    nigh_hamming_options o = nigh_hamming_options_default();
    nigh_hamming *h;
    for (int v = NIGH_HAMMING_DIRECT; v <= NIGH_HAMMING_HEAVY_LIGHT; v++) {
        o.variant = (nigh_hamming_variant)v;
        if (v == NIGH_HAMMING_SLICED) continue;
        assert_ok(ctx, nigh_hamming_new(ctx, &x.text, &x.pattern, &o, &h));
        for (int64_t from = 0, count = 1; from < 4701; from += count, count = count * 2 < 4701 - from ? count * 2 : 4701 - from)
            assert_ok(ctx, nigh_hamming_run(h, from, count < 4701 - from ? count : 4701 - from, x.out + from));
        for (int64_t i = 0; i < 4701; i++) assert_int_equal(x.out[i], x.exact[i]);
        assert_fails(ctx, nigh_hamming_run(h, 4000, 702, x.out), NIGH_INVALID, "there are 4701");
        nigh_hamming_free(h);
    }
    drop(&x);
    test_context_free(ctx);
}

static void test_bad_input(void **state)
{
    nigh_context *ctx = test_context_new();
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint64_t large[4] = {1, 2, (uint64_t)1 << 40, 4};
    float reals[4] = {0};
    uint32_t out[8];
    nigh_symbols text = {NIGH_U8, 8, bytes}, pattern = {NIGH_U8, 3, bytes}, empty = {NIGH_U8, 0, bytes}, wide = {NIGH_U64, 4, large}, real = {NIGH_F32, 4, reals};
    nigh_hamming_options good = nigh_hamming_options_default(), o = good;
    nigh_hamming_report report;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &empty, &o, out, NULL), NIGH_INVALID, "the pattern has 0 symbols");
    assert_ok(ctx, nigh_hamming_distances(ctx, &pattern, &text, &o, out, &report)); /* m > n: no shifts */
    assert_int_equal(report.shifts, 0);
    o.error = 1;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL), NIGH_INVALID, "error is 1");
    o.error = -0.1;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL), NIGH_INVALID, "error is -0.1");
    o.error = NAN;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL), NIGH_INVALID, "error is nan");
    o = good, o.at_most = 3; /* k >= m: exact */
    assert_ok(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL));
    assert_int_equal(out[5], 3);
    o.error = 0.1;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL), NIGH_INVALID, "one of both");
    o = good, o.at_most = -2;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL), NIGH_INVALID, "at_most is -2");
    o = good, o.variant = NIGH_HAMMING_PIECES;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL), NIGH_INVALID, "pieces needs at_most");
    o.variant = NIGH_HAMMING_HASHED;
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &pattern, &o, out, NULL), NIGH_INVALID, "hashed needs an error");
    o = good;
    assert_fails(ctx, nigh_hamming_distances(ctx, &real, &pattern, &o, out, NULL), NIGH_UNSUPPORTED, "text holds f32");
    assert_ok(ctx, nigh_hamming_distances(ctx, &wide, &(nigh_symbols){NIGH_U64, 2, large + 1}, &o, out, NULL)); /* beyond 32 bits */
    assert_true(out[0] == 2 && out[1] == 0 && out[2] == 2);
    o.alphabet = 100;
    assert_fails(ctx, nigh_hamming_distances(ctx, &wide, &pattern, &o, out, NULL), NIGH_INVALID, "text: symbol 1099511627776 at position 2; 0 to 99");
    assert_fails(ctx, nigh_hamming_distances(ctx, &text, &wide, &o, out, NULL), NIGH_INVALID, "pattern: symbol 1099511627776 at position 2");
    int8_t negative[2] = {1, -5};
    assert_fails(ctx, nigh_hamming_distances(ctx, &(nigh_symbols){NIGH_I8, 2, negative}, &pattern, &o, out, NULL), NIGH_INVALID, "symbol -5 at position 1");
    uint8_t many[100];
    for (int i = 0; i < 100; i++) many[i] = (uint8_t)i;
    o = good, o.variant = NIGH_HAMMING_SLICED;
    assert_fails(ctx, nigh_hamming_distances(ctx, &(nigh_symbols){NIGH_U8, 100, many}, &(nigh_symbols){NIGH_U8, 65, many}, &o, out, NULL), NIGH_UNSUPPORTED,
                 "the pattern has 65 symbols; at most 64");
    for (int v = 0; v < NIGH_HAMMING_VARIANTS; v++) assert_int_equal(nigh_hamming_variant_named(nigh_hamming_variant_name((nigh_hamming_variant)v)), v);
    assert_int_equal(nigh_hamming_variant_named("none"), NIGH_HAMMING_VARIANTS);
    test_context_free(ctx);
}

/* Without memory at any point: a status, nothing left. */
static void test_memory(void **state)
{
    nigh_rng rng = nigh_rng_new(12, 0);
    problem x = make(&rng, 0, 3000, 200, 1000, NIGH_U32), y = make(&rng, 0, 3000, 200, 4, NIGH_U8);
    for (int v = NIGH_HAMMING_DIRECT; v < NIGH_HAMMING_VARIANTS; v++) {
        problem *p = v == NIGH_HAMMING_SLICED || v % 2 ? &y : &x;
        nigh_hamming_options o = nigh_hamming_options_default();
        o.variant = (nigh_hamming_variant)v;
        o.heavy = 3;
        if (v >= NIGH_HAMMING_SAMPLED) o.error = 0.2;
        else if (v >= NIGH_HAMMING_EARLY_EXIT) o.at_most = 5;
        nigh_status status = NIGH_MEMORY;
        for (long fail_at = 1; status != NIGH_OK && fail_at < 2000; fail_at += v == NIGH_HAMMING_HASHED || v == NIGH_HAMMING_TRANSFORM ? 7 : 1) {
            test_allocator allocator = {.fail_at = fail_at};
            nigh_context *ctx = test_context_failing(&allocator);
            if (!ctx) continue;
            status = nigh_hamming_distances(ctx, &p->text, &p->pattern, &o, p->out, NULL);
            assert_true(status == NIGH_OK || status == NIGH_MEMORY);
            nigh_context_free(ctx);
            assert_int_equal(allocator.live, 0);
        }
        assert_int_equal(status, NIGH_OK);
    }
    drop(&x), drop(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact),    cmocka_unit_test(test_bounded), cmocka_unit_test(test_within),
                                       cmocka_unit_test(test_sampling), cmocka_unit_test(test_levels), cmocka_unit_test(test_rows), cmocka_unit_test(test_lists),  cmocka_unit_test(test_rounding),
                                       cmocka_unit_test(test_ranges),   cmocka_unit_test(test_bad_input), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
