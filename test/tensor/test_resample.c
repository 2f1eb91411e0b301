/* resample: exact on constants and lines, against the definition on random specs, the adjoint identity, bad input. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t pick(nigh_rng *rng, int64_t low, int64_t high) { return low + (int64_t)nigh_rng_below(rng, (uint64_t)(high - low + 1)); }
static double get(nigh_dtype dtype, const void *x, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }

static void *numbers(nigh_rng *rng, nigh_dtype dtype, int64_t n)
{
    void *x = malloc((size_t)(n + 1) * 8);
    for (int64_t i = 0; i < n; i++) {
        double v = nigh_rng_normal(rng);
        if (dtype == NIGH_F32)
            ((float *)x)[i] = (float)v;
        else
            ((double *)x)[i] = v;
    }
    return x;
}

/* Weight of position i for output o. */
static double weight(const resample_spec *s, int axis, int64_t o, int64_t i)
{
    double in = (double)s->x[1 + axis], out = (double)s->out[axis], at;
    if (s->align_corners)
        at = out > 1 ? (double)o * (in - 1) / (out - 1) : 0;
    else
        at = fmax(((double)o + .5) * in / out - .5, 0);
    if (s->kind == RESAMPLE_NEAREST) return (double)i == (s->align_corners ? floor(at + .5) : floor(((double)o * in + 1e-9) / out));
    return fmax(0, 1 - fabs(fmin(at, in - 1) - (double)i));
}

static void test_random(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(91, 0);
    for (int round = 0; round < 200; round++) {
        resample_spec s = {.kind = (resample_kind)pick(&rng, 0, 1), .dtype = pick(&rng, 0, 1) ? NIGH_F32 : NIGH_F64, .dims = (int)pick(&rng, 1, 3)};
        s.align_corners = pick(&rng, 0, 1), s.x[0] = pick(&rng, 0, 3), s.x[s.dims + 1] = pick(&rng, 1, 19);
        int64_t in = 1, out = 1, c = s.x[s.dims + 1];
        for (int i = 0; i < s.dims; i++) {
            s.x[1 + i] = pick(&rng, 1, 7), s.out[i] = pick(&rng, 0, 2) ? pick(&rng, 1, 9) : s.x[1 + i];
            in *= s.x[1 + i], out *= s.out[i];
        }
        resample *r = NULL;
        assert_ok(ctx, resample_new(ctx, &s, (int)pick(&rng, 1, 2), &r));
        int64_t nx = s.x[0] * in * c, ny = s.x[0] * out * c;
        void *x = numbers(&rng, s.dtype, nx), *y = numbers(&rng, s.dtype, ny), *dy = numbers(&rng, s.dtype, ny), *dx = numbers(&rng, s.dtype, nx);
        void *workspace = aligned_alloc(64, resample_workspace(r) + 64);
        resample_run(r, x, y, workspace);
        resample_adjoint(r, dy, dx, workspace);
        double left = 0, right = 0;
        for (int64_t i = 0; i < ny; i++) {
            int64_t o = i / c % out, n = i / c / out, at[3] = {0};
            double want = 0;
            for (int d = s.dims - 1; d >= 0; d--) at[d] = o % s.out[d], o /= s.out[d];
            for (int64_t p = 0; p < in; p++) {
                double w = 1;
                int64_t rest = p;
                for (int d = s.dims - 1; d >= 0; d--) w *= weight(&s, d, at[d], rest % s.x[1 + d]), rest /= s.x[1 + d];
                if (w != 0) want += w * get(s.dtype, x, (n * in + p) * c + i % c);
            }
            assert_near(get(s.dtype, y, i), want, s.dtype == NIGH_F32 ? 3e-6 : 1e-13, 0);
            left += get(s.dtype, y, i) * get(s.dtype, dy, i);
        }
        for (int64_t i = 0; i < nx; i++) right += get(s.dtype, x, i) * get(s.dtype, dx, i);
        assert_near(left, right, (s.dtype == NIGH_F32 ? 1e-6 : 1e-14) * (double)(nx + ny + 1), 0);
        free(x), free(y), free(dy), free(dx), free(workspace);
        resample_free(r);
    }
    test_context_free(ctx);
}

/* A line is met exactly between nodes, and on cells away from the borders; threads do not change bits. */
static void test_lines(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { IN = 33, OUT = 65, C = 64, N = 4 };
    float *x = malloc(sizeof(float) * N * IN * C), *y = malloc(sizeof(float) * N * OUT * C), *z = malloc(sizeof(float) * N * OUT * C);
    for (int64_t i = 0; i < N * IN * C; i++) x[i] = (float)(i / C % IN);
    resample_spec s = {.kind = RESAMPLE_LINEAR, .dtype = NIGH_F32, .dims = 1, .x = {N, IN, C}, .out = {OUT}, .align_corners = true};
    for (int threads = 1; threads < 5; threads += 3) {
        resample *r = NULL;
        assert_ok(ctx, resample_new(ctx, &s, threads, &r));
        void *workspace = aligned_alloc(64, resample_workspace(r) + 64);
        resample_run(r, x, threads == 1 ? y : z, workspace);
        free(workspace), resample_free(r);
    }
    for (int64_t i = 0; i < N * OUT * C; i++) assert_true(y[i] == (float)(i / C % OUT) / 2 && z[i] == y[i]);
    free(x), free(y), free(z);
    test_context_free(ctx);
}

static void test_bad(void **state)
{
    nigh_context *ctx = test_context_new();
    const resample_spec good = {.kind = RESAMPLE_LINEAR, .dtype = NIGH_F32, .dims = 2, .x = {1, 4, 4, 2}, .out = {8, 8}};
    resample *r = NULL;
    resample_spec s = good;
    s.out[1] = 0;
    assert_fails(ctx, resample_new(ctx, &s, 1, &r), NIGH_INVALID, "resample: out[1] is 0");
    s = good, s.x[3] = 0;
    assert_fails(ctx, resample_new(ctx, &s, 1, &r), NIGH_INVALID, "x[3] is 0");
    s = good, s.dims = 0;
    assert_fails(ctx, resample_new(ctx, &s, 1, &r), NIGH_INVALID, "dims is 0");
    s = good, s.dtype = NIGH_C64;
    assert_fails(ctx, resample_new(ctx, &s, 1, &r), NIGH_UNSUPPORTED, "dtype is c64");
    assert_fails(ctx, resample_new(ctx, &good, 0, &r), NIGH_INVALID, "threads is 0");
    test_context_free(ctx);
    for (long fail = 1; fail < 12; fail++) {
        test_allocator allocator = {.fail_at = fail};
        ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        if (resample_new(ctx, &good, 1, &r) == NIGH_OK) resample_free(r);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_lines), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
