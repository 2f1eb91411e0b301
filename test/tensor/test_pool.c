/* pool and halo: against the definitions on random specs, adjoint identities, ties and NaN, the same bits for any threads, bad input. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/halo.h"
#include "tensor/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t pick(nigh_rng *rng, int64_t low, int64_t high) { return low + (int64_t)nigh_rng_below(rng, (uint64_t)(high - low + 1)); }

static int64_t product(int n, const int64_t *size)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= size[i];
    return p;
}

static double get(nigh_dtype dtype, const void *x, int64_t i) { return dtype == NIGH_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }

/* Small integers: sums are exact, ties happen. */
static void *numbers(nigh_rng *rng, nigh_dtype dtype, int64_t n)
{
    void *x = malloc((size_t)(n + 1) * 8);
    for (int64_t i = 0; i < n; i++) {
        double v = (double)pick(rng, -9, 9);
        if (dtype == NIGH_F32)
            ((float *)x)[i] = (float)v;
        else
            ((double *)x)[i] = v;
    }
    return x;
}

static pool_spec random_pool(nigh_rng *rng)
{
    pool_spec s = {.kind = (pool_kind)pick(rng, 0, 1), .dtype = pick(rng, 0, 1) ? NIGH_F32 : NIGH_F64, .dims = (int)pick(rng, 1, 3)};
    s.count_padding = pick(rng, 0, 1);
    s.x[0] = pick(rng, 0, 3), s.x[s.dims + 1] = pick(rng, 1, 37);
    for (int i = 0; i < s.dims; i++) {
        s.window[i] = pick(rng, 1, 4), s.x[1 + i] = s.window[i] + pick(rng, 0, 6), s.stride[i] = pick(rng, 1, 3);
        s.low[i] = pick(rng, 0, s.window[i] - 1), s.high[i] = s.stride[i] == 1 ? pick(rng, 0, s.window[i] - 1) : 0;
    }
    return s;
}

/* One output of the definition: value, divisor, pixel. */
static double define(const pool_spec *s, const int64_t *y, const void *x, int64_t o, int64_t c, int32_t *where)
{
    int d = s->dims;
    int64_t at[3], n, rest = o, k[3], taps = product(d, s->window);
    for (int i = d - 1; i >= 0; i--) at[i] = rest % y[1 + i] * s->stride[i] - s->low[i], rest /= y[1 + i];
    n = rest;
    double sum = 0, most = -INFINITY, count = 0;
    for (int64_t t = 0; t < taps; t++) {
        int64_t left = t, pixel = 0;
        bool inside = true;
        for (int i = d - 1; i >= 0; i--) k[i] = at[i] + left % s->window[i], left /= s->window[i];
        for (int i = 0; i < d; i++) inside &= k[i] >= 0 && k[i] < s->x[1 + i], pixel = pixel * s->x[1 + i] + k[i];
        if (!inside) continue;
        double v = get(s->dtype, x, (n * product(d, s->x + 1) + pixel) * s->x[d + 1] + c);
        sum += v, count++;
        if (v > most) most = v, *where = (int32_t)pixel;
    }
    return s->kind == POOL_MAX ? most : sum / (s->count_padding ? (double)taps : count);
}

static void test_pool_random(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(81, 0);
    for (int round = 0; round < 200; round++) {
        pool_spec s = random_pool(&rng);
        int64_t y[5];
        pool *p = NULL;
        assert_ok(ctx, pool_new(ctx, &s, (int)pick(&rng, 1, 2), &p));
        assert_ok(ctx, pool_shape(ctx, &s, y));
        int64_t nx = product(s.dims + 2, s.x), ny = product(s.dims + 2, y), c = s.x[s.dims + 1];
        void *x = numbers(&rng, s.dtype, nx), *dy = numbers(&rng, s.dtype, ny), *out = numbers(&rng, s.dtype, ny), *dx = numbers(&rng, s.dtype, nx);
        int32_t *index = malloc((size_t)(ny + 1) * sizeof *index);
        pool_run(p, x, out, s.kind == POOL_MAX ? index : NULL);
        for (int64_t i = 0; i < ny; i++) {
            int32_t where = -1;
            double want = define(&s, y, x, i / c, i % c, &where);
            assert_near(get(s.dtype, out, i), want, 1e-6, 1e-6);
            if (s.kind == POOL_MAX) assert_int_equal(index[i], where);
        }
        pool_adjoint(p, dy, s.kind == POOL_MAX ? index : NULL, dx);
        double left = 0, right = 0;
        for (int64_t i = 0; i < ny; i++) left += get(s.dtype, out, i) * get(s.dtype, dy, i);
        for (int64_t i = 0; i < nx; i++) right += get(s.dtype, dx, i) * get(s.dtype, x, i);
        assert_near(left, right, 1e-3, 1e-5);
        if (s.kind == POOL_MAX) pool_run(p, x, dy, NULL), assert_memory_equal(dy, out, (size_t)ny * nigh_dtype_size(s.dtype));
        free(x), free(dy), free(out), free(dx), free(index);
        pool_free(p);
    }
    test_context_free(ctx);
}

static void test_pool_large(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(82, 0);
    pool_spec s = {.kind = POOL_AVERAGE, .dtype = NIGH_F32, .dims = 2, .x = {4, 64, 64, 16}, .window = {64, 64}, .stride = {1, 1}};
    float *x = numbers(&rng, NIGH_F32, 4 * 64 * 64 * 16), one[64], two[64];
    for (int threads = 1; threads < 3; threads++) {
        pool *p = NULL;
        assert_ok(ctx, pool_new(ctx, &s, threads, &p));
        pool_run(p, x, threads == 1 ? one : two, NULL);
        pool_free(p);
    }
    assert_memory_equal(one, two, sizeof one);
    double sum = 0;
    for (int i = 0; i < 4096; i++) sum += (double)x[16 * i + 3];
    assert_near((double)one[3], sum / 4096, 1e-6, 1e-6);
    free(x);

    const double with_nan[] = {1, NAN, 5, NAN};
    double y;
    int32_t index;
    pool *p = NULL;
    s = (pool_spec){.kind = POOL_MAX, .dtype = NIGH_F64, .dims = 1, .x = {1, 4, 1}, .window = {4}, .stride = {1}};
    assert_ok(ctx, pool_new(ctx, &s, 1, &p));
    pool_run(p, with_nan, &y, &index);
    assert_true(isnan(y));
    assert_int_equal(index, 1);
    pool_free(p);
    test_context_free(ctx);
}

static void test_pool_bad(void **state)
{
    nigh_context *ctx = test_context_new();
    const pool_spec good = {.kind = POOL_MAX, .dtype = NIGH_F32, .dims = 2, .x = {1, 4, 4, 2}, .window = {2, 2}, .stride = {2, 2}};
    pool *p = NULL;
    pool_spec s = good;
    s.window[0] = 5;
    assert_fails(ctx, pool_new(ctx, &s, 1, &p), NIGH_INVALID, "pool: x is [1,4,4,2], the window is [5,2]: window[0] is 5");
    s = good, s.low[1] = 2;
    assert_fails(ctx, pool_new(ctx, &s, 1, &p), NIGH_INVALID, "low[1] is 2");
    s = good, s.stride[1] = 0;
    assert_fails(ctx, pool_new(ctx, &s, 1, &p), NIGH_INVALID, "stride[1] is 0");
    s = good, s.dtype = NIGH_I64;
    assert_fails(ctx, pool_new(ctx, &s, 1, &p), NIGH_UNSUPPORTED, "dtype is i64");
    assert_fails(ctx, pool_new(ctx, &good, 0, &p), NIGH_INVALID, "threads is 0");
    test_context_free(ctx);
}

static void test_halo(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(83, 0);
    for (int round = 0; round < 300; round++) {
        halo_spec s = {.kind = (halo_kind)pick(&rng, 0, 2), .dtype = pick(&rng, 0, 1) ? NIGH_F32 : NIGH_F64, .ndim = (int)pick(&rng, 1, 4)};
        int64_t size[4];
        for (int i = 0; i < s.ndim; i++) {
            s.dim[i] = pick(&rng, s.kind == HALO_ZERO ? 0 : 1, 6);
            int64_t limit = s.kind == HALO_ZERO ? 3 : s.kind == HALO_CIRCULAR ? s.dim[i] : s.dim[i] - 1;
            s.low[i] = pick(&rng, 0, 1) * pick(&rng, 0, limit), s.high[i] = pick(&rng, 0, 1) * pick(&rng, 0, limit);
            size[i] = s.dim[i] + s.low[i] + s.high[i];
        }
        halo *h = NULL;
        assert_ok(ctx, halo_new(ctx, &s, 2, &h));
        int64_t nx = product(s.ndim, s.dim), ny = product(s.ndim, size);
        void *x = numbers(&rng, s.dtype, nx), *y = numbers(&rng, s.dtype, ny), *dy = numbers(&rng, s.dtype, ny), *dx = numbers(&rng, s.dtype, nx);
        halo_run(h, x, y);
        double *want = calloc((size_t)nx + 1, sizeof *want);
        for (int64_t o = 0; o < ny; o++) {
            int64_t rest = o, at = 0, scale = 1;
            for (int i = s.ndim - 1; i >= 0; i--) {
                int64_t j = halo_source(s.kind, s.dim[i], rest % size[i] - s.low[i]);
                at = at < 0 || j < 0 ? -1 : at + j * scale;
                rest /= size[i], scale *= s.dim[i];
            }
            assert_true(get(s.dtype, y, o) == (at < 0 ? 0 : get(s.dtype, x, at)));
            if (at >= 0) want[at] += get(s.dtype, dy, o);
        }
        halo_adjoint(h, dy, dx);
        for (int64_t i = 0; i < nx; i++) assert_true(get(s.dtype, dx, i) == want[i]);
        free(x), free(y), free(dy), free(dx), free(want);
        halo_free(h);
    }
    halo_spec s = {.kind = HALO_REFLECT, .dtype = NIGH_F32, .ndim = 1, .dim = {3}, .low = {3}};
    halo *h = NULL;
    assert_fails(ctx, halo_new(ctx, &s, 1, &h), NIGH_INVALID, "low[0], high[0] are 3, 0 for size 3; 0 to 2 is allowed (reflect)");
    s.ndim = 0;
    assert_fails(ctx, halo_new(ctx, &s, 1, &h), NIGH_INVALID, "ndim is 0");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pool_random), cmocka_unit_test(test_pool_large), cmocka_unit_test(test_pool_bad), cmocka_unit_test(test_halo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
