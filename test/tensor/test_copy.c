/* copy: random views against index arithmetic, sums into views, conversions against the arrays of core.h, random arrays made in pieces. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/copy.h"
#include "tensor/random_fill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 20 };

/* A permuted, sliced, repeated source and a permuted destination; the number of elements, those of the source's and destination's buffers. */
static int64_t random_view(nigh_rng *rng, copy_spec *s, int64_t *from_size, int64_t *to_size)
{
    int64_t count = 1, span = 1;
    s->ndim = (int)nigh_rng_below(rng, 6);
    for (int i = 0; i < s->ndim; i++) s->dim[i] = 1 + (int64_t)nigh_rng_below(rng, s->ndim < 3 ? 150 : 13), count *= s->dim[i];
    int a[NIGH_MAX_DIMS], b[NIGH_MAX_DIMS];
    for (int i = 0; i < s->ndim; i++) {
        int j = (int)nigh_rng_below(rng, (uint64_t)i + 1), k = (int)nigh_rng_below(rng, (uint64_t)i + 1);
        a[i] = a[j], a[j] = i, b[i] = b[k], b[k] = i;
    }
    int64_t to = 1;
    for (int i = 0; i < s->ndim; i++) {
        bool repeated = nigh_rng_below(rng, 5) == 0;
        s->from[a[i]] = repeated ? 0 : span;
        if (!repeated) span *= s->dim[a[i]] + (nigh_rng_below(rng, 4) == 0);
        s->to[b[i]] = to;
        to *= s->dim[b[i]] + (nigh_rng_below(rng, 6) == 0);
    }
    *from_size = span, *to_size = to;
    return count;
}

static void places(const copy_spec *s, int64_t i, int64_t *from, int64_t *to)
{
    *from = *to = 0;
    for (int k = s->ndim - 1; k >= 0; k--) *from += i % s->dim[k] * s->from[k], *to += i % s->dim[k] * s->to[k], i /= s->dim[k];
}

static void test_views(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 4, 8, 12, 16};
    nigh_rng rng = nigh_rng_new(5, 5);
    unsigned char *x = malloc(16 * ROOM), *y = malloc(16 * ROOM), *z = malloc(16 * ROOM);
    for (int i = 0; i < 16 * ROOM; i++) x[i] = (unsigned char)(i * 7 + i / 253);
    for (int trial = 0; trial < 150; trial++) {
        copy_spec s = {0};
        int64_t from_size, to_size, count = random_view(&rng, &s, &from_size, &to_size), from, to;
        size_t size = sizes[trial % 7];
        if (from_size > ROOM || to_size > ROOM) continue;
        s.threads = 1 + trial % 3;
        memset(y, 1, (size_t)to_size * size), memset(z, 1, (size_t)to_size * size);
        copy_run(&s, size, x, y);
        for (int64_t i = 0; i < count; i++) places(&s, i, &from, &to), memcpy(z + (size_t)to * size, x + (size_t)from * size, size);
        assert_memory_equal(y, z, (size_t)to_size * size);
        for (int wide = 0; wide < 2; wide++) {
            for (int64_t i = 0; i < from_size; i++) {
                if (wide) ((double *)(void *)x)[i] = (double)(i % 1000);
                else ((float *)(void *)x)[i] = (float)(i % 1000);
            }
            memset(y, 0, (size_t)to_size * 8), memset(z, 0, (size_t)to_size * 8);
            for (int twice = 0; twice < 2; twice++) copy_add(&s, wide ? NIGH_F64 : NIGH_F32, x, y);
            for (int64_t i = 0; i < count; i++) {
                places(&s, i, &from, &to);
                if (wide) ((double *)(void *)z)[to] = 2 * ((double *)(void *)x)[from];
                else ((float *)(void *)z)[to] = 2 * ((float *)(void *)x)[from];
            }
            assert_memory_equal(y, z, (size_t)to_size * (wide ? 8 : 4));
        }
    }
    const copy_spec back = {1, {5}, {-1}, {1}, 1};
    const float five[5] = {1, 2, 3, 4, 5}, turned[5] = {5, 4, 3, 2, 1};
    float out[5];
    copy_run(&back, 4, five + 4, out);
    assert_memory_equal(out, turned, sizeof out);
    free(x), free(y), free(z);
}

static void test_cast(void **state)
{
    static const nigh_dtype types[] = {NIGH_F64, NIGH_F32, NIGH_F16, NIGH_BF16, NIGH_I64, NIGH_I32, NIGH_U8, NIGH_BOOL};
    enum { N = 70000 };
    nigh_context *ctx;
    assert_int_equal(nigh_context_new(&ctx), NIGH_OK);
    nigh_rng rng = nigh_rng_new(6, 6);
    nigh_shape shape = {NIGH_F64, 1, {N}};
    nigh_array x, y;
    for (int a = 0; a < 8; a++)
        for (int b = 0; b < 8; b++) {
            shape.dtype = types[a];
            assert_int_equal(nigh_array_new(ctx, &shape, &x), NIGH_OK);
            shape.dtype = types[b];
            assert_int_equal(nigh_array_new(ctx, &shape, &y), NIGH_OK);
            for (int64_t i = 0; i < N; i++) {
                double z = nigh_rng_normal(&rng), v = a < 4 && b < 4 ? ldexp(z, (int)nigh_rng_below(&rng, 60) - 40) : fabs(z) * 60;
                if (b == 2 || b == 3) v = (float)v; /* one rounding on both sides */
                nigh_array_set(&x, i, a < 4 ? v : floor(v));
            }
            assert_true(copy_can_cast(types[a], types[b]));
            copy_cast(N, types[a], x.data, types[b], y.data, 2);
            nigh_array one = {{types[b], 1, {1}}, (double[1]){0}};
            for (int64_t i = 0; i < N; i++) {
                double v = nigh_array_get(&x, i);
                nigh_array_set(&one, 0, types[b] == NIGH_BOOL ? v != 0 : b >= 4 ? (types[b] == NIGH_U8 && v > 255 ? (a < 4 ? 255 : fmod(v, 256)) : trunc(v)) : v);
                if (nigh_array_get(&one, 0) != nigh_array_get(&y, i))
                    fail_msg("%s to %s: %a gives %a, not %a", nigh_dtype_name(types[a]), nigh_dtype_name(types[b]), v, nigh_array_get(&y, i), nigh_array_get(&one, 0));
            }
            nigh_array_free(ctx, &x), nigh_array_free(ctx, &y);
        }
    nigh_context_free(ctx);
    const double odd[] = {NAN, INFINITY, -INFINITY, 1e30, -1e30, -.9, 65519.999, 65520, 0x1p-25, 0x1.8p-25};
    int32_t whole[10];
    uint16_t half[10];
    copy_cast(10, NIGH_F64, odd, NIGH_I32, whole, 1);
    const int32_t expected[10] = {0, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 0, 65519, 65520, 0, 0};
    assert_memory_equal(whole, expected, sizeof whole);
    copy_cast(10, NIGH_F64, odd, NIGH_F16, half, 1);
    assert_true((half[0] & 0x7fff) > 0x7c00);
    const uint16_t bits[9] = {0x7c00, 0xfc00, 0x7c00, 0xfc00, 0xbb33, 0x7bff, 0x7c00, 0, 1};
    assert_memory_equal(half + 1, bits, sizeof bits);
    assert_false(copy_can_cast(NIGH_F32, NIGH_C64));
}

static void test_random(void **state)
{
    enum { N = 20000 };
    static double whole[N], part[N];
    for (int single = 0; single < 2; single++)
        for (int kind = 0; kind < 3; kind++) {
            nigh_dtype t = single ? NIGH_F32 : NIGH_F64;
            size_t size = nigh_dtype_size(t);
            for (int pieces = 0; pieces < 2; pieces++)
                for (int64_t at = 0, n; at < N; at += n) {
                    n = pieces ? (N - at < 613 ? N - at : 613) : N;
                    char *out = (char *)(pieces ? part : whole) + (size_t)at * size;
                    if (kind == 0) random_fill_uniform(t, 1, 2, 1001 + at, n, -1, 3, out);
                    else if (kind == 1) random_fill_normal(t, 1, 2, 1001 + at, n, 1, 2, out);
                    else random_fill_mask(t, 1, 2, 1001 + at, n, .25, 4, out);
                }
            assert_memory_equal(whole, part, N * size);
            double mean = 0, squares = 0, fourth = 0;
            for (int i = 0; i < N; i++) {
                double x = single ? (double)((float *)(void *)whole)[i] : whole[i];
                mean += x / N, squares += (x - 1) * (x - 1) / N, fourth += pow(x - 1, 4) / N;
                if (kind == 0) assert_true(x >= -1 && x <= 3);
                if (kind == 2) assert_true(x == 0 || x == 4);
            }
            assert_true(fabs(mean - 1) < .07);
            assert_true(fabs(squares - (kind == 0 ? 4. / 3 : kind == 1 ? 4 : 3)) < .15);
            if (kind == 1) assert_true(fabs(fourth - 48) < 5);
        }
    float spread[4];
    random_fill_uniform(NIGH_F32, 7, 8, 3, 4, 0, 1, spread);
    nigh_rng rng = nigh_rng_new(7, 8);
    nigh_rng_seek(&rng, 3);
    for (int i = 0; i < 4; i++) assert_true(spread[i] == nigh_rng_f32(&rng));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_views), cmocka_unit_test(test_cast), cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
