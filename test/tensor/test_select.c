/* Selection against sorting by definition (ties, NaN, both zeros), log-sum-exp, segments against plain loops. */
#include "support.h"

#include "nigh/random.h"
#include "tensor/segment.h"
#include "tensor/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Place of i in the stable order, by counting. */
static int64_t place(int64_t n, const double *x, int64_t i, bool largest)
{
    int64_t before = 0;
    for (int64_t j = 0; j < n; j++) {
        bool nan_i = isnan(x[i]), nan_j = isnan(x[j]), equal = nan_i ? nan_j : x[i] == x[j];
        bool earlier = nan_j ? false : nan_i ? true : largest ? x[j] > x[i] : x[j] < x[i];
        before += earlier || (equal && j < i);
    }
    return before;
}

static void test_select(void **state)
{
    nigh_context *ctx = test_context_new();
    int64_t shapes[][2] = {{5, 0}, {5, 1}, {5, 5}, {300, 3}, {300, 24}, {300, 25}, {300, 299}, {300, 300}, {1000, 100}, {1, 1}};
    for (int s = 0; s < 10; s++)
        for (int variant = 0; variant < 8; variant++) {
            int64_t n = shapes[s][0], k = shapes[s][1], rows = 3;
            bool largest = variant & 1, single = variant & 2;
            double *x = malloc((size_t)(rows * n) * 8), *values = malloc((size_t)(rows * k + 1) * 8);
            float *y = malloc((size_t)(rows * n) * 4);
            int64_t *index = malloc((size_t)(rows * k + 1) * 8);
            nigh_rng rng = nigh_rng_new(11, 0);
            nigh_rng_fill_normal(&rng, rows * n, x);
            for (int64_t i = 0; i < rows * n; i++) {
                if (variant & 4) x[i] = floor(3 * x[i]);
                if (i % 37 == 5) x[i] = NAN;
                if (i % 41 == 6) x[i] = i & 1 ? -0.0 : 0.0;
                if (i % 43 == 7) x[i] = i & 1 ? -INFINITY : INFINITY;
                y[i] = (float)x[i];
                if (single) x[i] = y[i];
            }
            for (int level = 0; level <= (int)nigh_cpu(); level++)
                for (int last = 0; last < 2; last++) {
                    if (last && k == 0) continue;
                    select_spec spec = {single ? NIGH_F32 : NIGH_F64, rows, n, k, largest, last};
                    selection *sel;
                    assert_ok(ctx, select_new_at(ctx, (nigh_cpu_level)level, &spec, 2, &sel));
                    void *work = nigh_alloc(ctx, select_workspace(sel));
                    select_run(sel, single ? (void *)y : x, values, index, work);
                    for (int64_t r = 0; r < rows; r++)
                        for (int64_t j = last ? k - 1 : 0; j < k; j++) {
                            int64_t i = index[last ? r : r * k + j], at = last ? r : r * k + j;
                            assert_int_equal(place(n, x + r * n, i, largest), j);
                            double value = single ? ((float *)values)[at] : values[at];
                            assert_true(value == x[r * n + i] || (isnan(value) && isnan(x[r * n + i])));
                        }
                    nigh_free(ctx, work);
                    select_free(sel);
                }
            free(x), free(y), free(values), free(index);
        }
    selection *sel = NULL;
    select_spec bad = {NIGH_F32, 2, 3, 4, true, false};
    assert_fails(ctx, select_new(ctx, &bad, 1, &sel), NIGH_INVALID, "k is 4 of 3");
    bad.k = -1;
    assert_fails(ctx, select_new(ctx, &bad, 1, &sel), NIGH_INVALID, "k is -1");
    bad.dtype = NIGH_I8;
    assert_fails(ctx, select_new(ctx, &bad, 1, &sel), NIGH_UNSUPPORTED, "i8");
    assert_null(sel);
    test_context_free(ctx);
}

static void test_segments(void **state)
{
    nigh_context *ctx = test_context_new();
    enum { N = 2000, COUNT = 37 };
    int64_t ids[N], offsets[COUNT + 1] = {0}, widths[] = {1, 5, 16, 70};
    nigh_rng rng = nigh_rng_new(6, 0);
    double pick[N];
    nigh_rng_fill_normal(&rng, N, pick);
    for (int i = 0; i < N; i++) ids[i] = (int64_t)(fabs(pick[i]) * 15) % COUNT, ids[i] += ids[i] == 3;
    for (int sorted = 0; sorted < 2; sorted++)
        for (int w = 0; w < 4; w++)
            for (int threads = 1; threads < 3; threads++) {
                int64_t columns = widths[w];
                if (sorted) {
                    int64_t at = 0;
                    for (int s = 0; s < COUNT; s++) {
                        offsets[s] = at;
                        at += s == 3 ? 0 : s == 5 ? 800 : 20;
                    }
                    offsets[COUNT] = at;
                    for (int s = 0; s < COUNT; s++)
                        for (int64_t i = offsets[s]; i < offsets[s + 1]; i++) ids[i] = s;
                }
                int64_t n = sorted ? offsets[COUNT] : N, total = n * columns;
                float *x = malloc((size_t)total * 4), *out = malloc(COUNT * (size_t)columns * 4), *dx = malloc((size_t)total * 4);
                int64_t *arg = malloc(COUNT * (size_t)columns * 8);
                for (int64_t i = 0; i < total; i++) x[i] = (float)(i * 7919 % 1009) - 500;
                x[total / 2] = NAN;
                segments *s;
                assert_ok(ctx, sorted ? segments_from_offsets(ctx, COUNT, offsets, threads, &s) : segments_from_ids(ctx, n, COUNT, ids, threads, &s));
                for (segment_op op = SEGMENT_SUM; op <= SEGMENT_MIN; op++) {
                    segments_reduce(s, op, NIGH_F32, columns, x, -7, out, op >= SEGMENT_MAX ? arg : NULL);
                    segments_reduce_back(s, op, NIGH_F32, columns, out, arg, dx);
                    for (int64_t g = 0; g < COUNT; g++)
                        for (int64_t c = 0; c < columns; c++) {
                            double sum = 0, best = NAN, got = out[g * columns + c];
                            int64_t rows = 0, at = -1;
                            for (int64_t i = 0; i < n; i++) {
                                if (ids[i] != g) continue;
                                double v = x[i * columns + c];
                                sum += v, rows++;
                                if (at < 0 || (!isnan(best) && (isnan(v) || (op == SEGMENT_MIN ? v < best : v > best)))) best = v, at = i;
                            }
                            double want = op == SEGMENT_SUM ? sum : op == SEGMENT_MEAN ? (rows ? sum / (double)rows : 0) : rows ? best : -7;
                            if (isnan(want)) assert_true(isnan(got));
                            else assert_near(got, want, 1e-3, 1e-5);
                            if (op >= SEGMENT_MAX) {
                                assert_int_equal(arg[g * columns + c], at);
                                if (at >= 0 && !isnan(got)) assert_true(dx[at * columns + c] == (float)got);
                            }
                        }
                    if (op == SEGMENT_SUM && w == 1)
                        for (int64_t i = 0; i < n; i++) {
                            float want = out[ids[i] * columns + 2];
                            assert_true(dx[i * columns + 2] == want || isnan(want));
                        }
                }
                segments_reduce(s, SEGMENT_SUM, NIGH_F32, columns, x, 0, out, NULL);
                segments_add(s, NIGH_F32, columns, x, out);
                double twice = out[0], once = 0;
                for (int64_t i = 0; i < n; i++) once += ids[i] == 0 ? (double)x[i * columns] : 0;
                assert_near(twice, 2 * once, 1e-3, 1e-5);
                segments_free(s);
                free(x), free(out), free(dx), free(arg);
            }
    segments *s = NULL;
    int64_t wrong[3] = {0, 4, 2}, pair[2] = {1, 0};
    assert_fails(ctx, segments_from_ids(ctx, 3, 3, wrong, 1, &s), NIGH_INVALID, "ids[1] is 4");
    assert_fails(ctx, segments_from_offsets(ctx, 2, wrong, 1, &s), NIGH_INVALID, "offsets[2] is 2");
    double rows[4] = {1, 2, 3, 4}, got[4];
    assert_ok(ctx, gather_rows(ctx, NIGH_F64, 2, 2, 2, pair, rows, 1, got));
    assert_true(got[0] == 3 && got[1] == 4 && got[2] == 1 && got[3] == 2);
    assert_fails(ctx, gather_rows(ctx, NIGH_F64, 3, 2, 2, wrong, rows, 1, got), NIGH_INVALID, "ids[1] is 4");
    assert_ok(ctx, segments_from_ids(ctx, 0, 2, wrong, 1, &s));
    segments_reduce(s, SEGMENT_SUM, NIGH_F64, 2, NULL, 0, got, NULL);
    assert_true(got[0] == 0 && got[3] == 0);
    segments_free(s);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_select), cmocka_unit_test(test_segments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
