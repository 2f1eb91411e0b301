/* reduce: every operator, type and shape against plain loops in long double; the same bits for any number of threads. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const nigh_dtype types[] = {NIGH_F32, NIGH_F64, NIGH_I32, NIGH_I64, NIGH_C64, NIGH_C128};
static const int64_t shapes[][3] = {{1, 1, 1}, {3, 7, 1}, {1, 1000, 1}, {5, 100, 3}, {1, 20000, 32}, {1, 100001, 1}, {2, 700, 130}, {40, 70, 33}, {700, 64, 1}, {1, 9, 600}, {2, 0, 3}};

static double value(nigh_dtype t, const void *p, int64_t i)
{
    return t == NIGH_F32 || t == NIGH_C64 ? (double)((const float *)p)[i] : t == NIGH_F64 || t == NIGH_C128 ? ((const double *)p)[i]
         : t == NIGH_I32 ? (double)((const int32_t *)p)[i] : (double)((const int64_t *)p)[i];
}

static void *numbers(nigh_dtype t, int64_t count, uint64_t seed)
{
    void *p = malloc((size_t)count * 8 + 8);
    nigh_rng rng = nigh_rng_new(seed, 1);
    for (int64_t i = 0; i < count; i++) {
        double z = nigh_rng_normal(&rng) + .25;
        if (t == NIGH_F32 || t == NIGH_C64) ((float *)p)[i] = (float)z;
        else if (t == NIGH_F64 || t == NIGH_C128) ((double *)p)[i] = z;
        else if (t == NIGH_I32) ((int32_t *)p)[i] = (int32_t)(z * 50);
        else ((int64_t *)p)[i] = (int64_t)(z * 50);
    }
    return p;
}

static void check(nigh_dtype t, reduce_id id, const int64_t *shape)
{
    bool complex = t == NIGH_C64 || t == NIGH_C128, single = t == NIGH_F32 || t == NIGH_C64, whole = t == NIGH_I32 || t == NIGH_I64;
    int64_t outer = shape[0], n = shape[1], inner = shape[2] * (complex ? 2 : 1);
    void *a = numbers(t, outer * n * inner, 3), *b = numbers(t, outer * n * inner, 4), *y = malloc((size_t)(outer * inner) * 8), *z = malloc((size_t)(outer * inner) * 8);
    reduce_spec spec = {id, t, outer, n, shape[2], 1};
    void *room = malloc(reduce_workspace(&spec) + 1);
    reduce_run(&spec, a, b, y, room);
    spec.threads = 3;
    reduce_run(&spec, a, b, z, room);
    assert_memory_equal(y, z, (size_t)(outer * shape[2]) * nigh_dtype_size(t));
    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < inner; c++) {
            long double sum = 0, size = 0, best = id == REDUCE_MAX ? -INFINITY : INFINITY;
            for (int64_t i = 0; i < n; i++) {
                long double x = value(t, a, (o * n + i) * inner + c), w = value(t, b, (o * n + i) * inner + c);
                long double term = id == REDUCE_SQUARES ? x * x : id == REDUCE_DOT ? x * w : x;
                sum += term, size += fabsl(term);
                best = id == REDUCE_MAX ? fmaxl(best, x) : fminl(best, x);
            }
            double got = value(t, y, o * inner + c);
            if (id == REDUCE_MAX || id == REDUCE_MIN) {
                if (n) assert_true(got == (double)best);
            } else if (!(fabsl(got - sum) <= size * (single ? 4e-6 : whole ? 0 : 1e-14))) fail_msg("%s of %s: %g, not %Lg", id == REDUCE_SUM ? "sum" : "product", nigh_dtype_name(t), got, sum);
        }
    free(a), free(b), free(y), free(z), free(room);
}

static void test_all(void **state)
{
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int id = 0; id < REDUCE_COUNT; id++) {
            assert_int_equal(reduce_has((reduce_id)id, types[t]), t < 4 || id == REDUCE_SUM);
            for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
                if (reduce_has((reduce_id)id, types[t])) check(types[t], (reduce_id)id, shapes[k]);
        }
}

static void test_arg(void **state)
{
    for (int t = 0; t < 4; t++)
        for (int least = 0; least < 2; least++) {
            enum { O = 3, N = 50, I = 7 };
            void *a = numbers(types[t], O * N * I, 8);
            int64_t wide[O * I];
            int32_t narrow[O * I];
            reduce_spec spec = {least ? REDUCE_MIN : REDUCE_MAX, types[t], O, N, I, 2};
            reduce_arg(&spec, a, NIGH_I64, wide);
            reduce_arg(&spec, a, NIGH_I32, narrow);
            for (int o = 0; o < O; o++)
                for (int c = 0; c < I; c++) {
                    int at = 0;
                    for (int i = 1; i < N; i++) {
                        double x = value(types[t], a, (o * N + i) * I + c), best = value(types[t], a, (o * N + at) * I + c);
                        if (least ? x < best : x > best) at = i;
                    }
                    assert_int_equal(wide[o * I + c], at);
                    assert_int_equal(narrow[o * I + c], at);
                }
            free(a);
        }
    const float with[5] = {1, 9, NAN, 2, NAN};
    int64_t at;
    float best;
    reduce_spec spec = {REDUCE_MAX, NIGH_F32, 1, 5, 1, 1};
    reduce_arg(&spec, with, NIGH_I64, &at);
    assert_int_equal(at, 2);
    reduce_run(&spec, with, NULL, &best, NULL);
    assert_true(isnan(best));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_arg)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
