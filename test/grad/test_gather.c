/* Gather and scatter, sorting, segments, cumulative sums: adjoints, values against plain loops, indices outside, misuse. */
#include "derivatives.h"
#include "tape_fixture.h"

#include "nigh/operators_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static nigh_node index_of(nigh_tape *t, int ndim, const int64_t *dim, int64_t bound)
{
    nigh_shape shape = {.ndim = ndim};
    int64_t at[64];
    for (int i = 0; i < ndim; i++) shape.dim[i] = dim[i];
    for (int64_t i = 0; i < nigh_shape_count(&shape); i++) at[i] = (i * 7 + i / 3) % (bound + 1) - (i % 5 == 4); /* some outside, some twice */
    return nigh_tape_constant(t, NIGH_I64, ndim, dim, at);
}

static nigh_node gather_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    return nigh_tape_square(t, nigh_tape_gather(t, x[0], index_of(t, 2, (int64_t[]){3, 4}, 5)));
}

static nigh_node scatter_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    return nigh_tape_square(t, nigh_tape_scatter(t, x[0], index_of(t, 1, (int64_t[]){5}, 4), 4));
}

static nigh_node take_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    int axis = *(int *)user;
    int64_t dim[3] = {2, 3, 4};
    dim[axis] = 5;
    nigh_node y = nigh_tape_take_along(t, x[0], index_of(t, 3, dim, (int[]){2, 3, 4}[axis]), axis);
    return nigh_tape_square(t, nigh_tape_put_along(t, y, index_of(t, 3, dim, 3), axis, 3));
}

static nigh_node segments_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node id = index_of(t, 1, (int64_t[]){5}, 4), a = nigh_tape_segment_sum(t, x[0], id, 6), b = nigh_tape_segment_mean(t, x[0], id, 6);
    return nigh_tape_mul(t, nigh_tape_add(t, a, b), nigh_tape_segment_max(t, x[0], id, 6, 0.5));
}

/* x drawn apart, so that the steps of differences change no order. */
static nigh_node apart(nigh_tape *t, nigh_node x)
{
    const nigh_shape shape = *nigh_tape_shape(t, x);
    double at[64];
    float single[64];
    int n = (int)shape.dim[1];
    for (int i = 0; i < n; i++) at[i] = 3 * ((i * 7) % n) + 1, single[i] = (float)at[i];
    return nigh_tape_add(t, x, nigh_tape_constant(t, shape.dtype, 1, (int64_t[]){n}, shape.dtype == NIGH_F64 ? (const void *)at : single));
}

static nigh_node sort_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node z = apart(t, x[0]), a = nigh_tape_sort(t, z, false, NULL), b = nigh_tape_top_k(t, nigh_tape_square(t, z), 3, true, NULL);
    return nigh_tape_mul(t, nigh_tape_slice(t, nigh_tape_square(t, a), -1, 0, 3, 1), b);
}

static nigh_node channels_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    nigh_node z = apart(t, x[0]), a = nigh_tape_max_min(t, z), b = nigh_tape_group_sort(t, nigh_tape_square(t, z), 3), c = nigh_tape_max_out(t, z, 2);
    return nigh_tape_mul(t, nigh_tape_mul(t, a, b), nigh_tape_tile(t, c, -1, 2));
}

static nigh_node cumulative_fn(nigh_tape *t, const nigh_node *x, void *user)
{
    int which = *(int *)user;
    return nigh_tape_square(t, nigh_tape_cumulative_sum(t, x[0], which % 3, which / 3 % 2, which / 6));
}

static void test_derivatives(void **state)
{
    derivatives_input table = {.ndim = 2, .dim = {5, 3}}, cube = {.ndim = 3, .dim = {2, 3, 4}}, rows = {.ndim = 2, .dim = {4, 40}}, few = {.ndim = 2, .dim = {4, 6}};
    check_derivatives("gather", gather_fn, NULL, 1, &table, 2, 1e-7, 0);
    check_derivatives("scatter", scatter_fn, NULL, 1, &table, 2, 1e-7, 0);
    for (int axis = 0; axis < 3; axis++) check_derivatives("take along", take_fn, &axis, 1, &cube, 2, 1e-7, 0);
    for (int which = 0; which < 12; which++) check_derivatives("cumulative sum", cumulative_fn, &which, 1, &cube, 2, 1e-7, 0);
    check_derivatives("segments", segments_fn, NULL, 1, &table, 2, 1e-7, 0);
    check_derivatives("sort of long rows", sort_fn, NULL, 1, &rows, 2, 1e-7, 0);
    check_derivatives("sort of short rows", sort_fn, NULL, 1, &few, 2, 1e-7, 0);
    check_derivatives("order among channels", channels_fn, NULL, 1, &few, 2, 1e-7, 0);
}

/* Large enough for threads: gather by hand, <gather x, y> = <x, scatter y>, the same bits for any number of threads. */
static void test_rows(void **state)
{
    enum { V = 900, D = 65, N = 2000 };
    float *table = malloc(V * D * sizeof *table), *other = malloc(N * D * sizeof *other), *first = malloc(V * D * sizeof *first);
    int32_t *index = malloc(N * sizeof *index);
    for (int i = 0; i < V * D; i++) table[i] = (float)((i * 31) % 997) * 0.01f;
    for (int i = 0; i < N * D; i++) other[i] = (float)((i * 17) % 991) * 0.01f;
    for (int i = 0; i < N; i++) index[i] = (i * 7919) % (V + 20) - 10;
    for (int threads = 1; threads < 4; threads++) {
        fixture f;
        begin(&f, threads);
        nigh_node x = nigh_tape_input(f.t, "x", NIGH_F32, 2, (int64_t[]){V, D}), y = nigh_tape_input(f.t, "y", NIGH_F32, 2, (int64_t[]){N, D});
        nigh_node by = nigh_tape_input(f.t, "index", NIGH_I32, 1, (int64_t[]){N}), g = nigh_tape_gather(f.t, x, by), s = nigh_tape_scatter(f.t, y, by, V);
        assert_int_equal(nigh_executor_new(f.ctx, f.t, 2, (nigh_node[]){g, s}, &f.run), NIGH_OK);
        nigh_executor_bind(f.run, x, table), nigh_executor_bind(f.run, y, other), nigh_executor_bind(f.run, by, index);
        assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
        const float *a = nigh_executor_data(f.run, g), *b = nigh_executor_data(f.run, s);
        double left = 0, right = 0;
        for (int i = 0; i < N; i++)
            for (int c = 0; c < D; c++) {
                bool inside = index[i] >= 0 && index[i] < V;
                assert_true(a[i * D + c] == (inside ? table[index[i] * D + c] : 0));
                left += (double)a[i * D + c] * other[i * D + c];
            }
        for (int i = 0; i < V * D; i++) right += (double)b[i] * table[i];
        assert_true(fabs(left - right) < 1e-6 * fabs(left));
        if (threads == 1) memcpy(first, b, V * D * sizeof *first);
        else assert_memory_equal(first, b, V * D * sizeof *first);
        end(&f);
    }
    free(table), free(other), free(first), free(index);
}

/* Order of rows with ties and NaN; where the largest is; one-hot rows. */
static void test_order(void **state)
{
    fixture f;
    begin(&f, 1);
    static const double at[2][5] = {{3, NAN, 1, 3, 2}, {-1, 5, 5, 0, -1}};
    static const int64_t up[2][5] = {{2, 4, 0, 3, 1}, {0, 4, 3, 1, 2}}, down[2][3] = {{0, 3, 4}, {1, 2, 3}};
    nigh_node x = nigh_tape_constant(f.t, NIGH_F64, 2, (int64_t[]){2, 5}, at), wide = nigh_tape_concat(f.t, 2, (nigh_node[]){x, nigh_tape_fill(f.t, NIGH_F64, 2, (int64_t[]){2, 30}, 99)}, 1);
    nigh_node i[2], j, y = nigh_tape_sort(f.t, x, false, &i[0]), z = nigh_tape_sort(f.t, wide, false, &i[1]), k = nigh_tape_top_k(f.t, x, 3, true, &j);
    nigh_node row = nigh_tape_slice(f.t, x, 0, 1, 1, 1), largest = nigh_tape_argmax(f.t, row, 1), least = nigh_tape_argmin(f.t, x, 0);
    nigh_node hot = nigh_tape_one_hot(f.t, j, 4, NIGH_F32);
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 9, (nigh_node[]){y, z, k, i[0], i[1], j, largest, least, hot}, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const int64_t *a = nigh_executor_data(f.run, i[0]), *b = nigh_executor_data(f.run, i[1]), *c = nigh_executor_data(f.run, j), *l = nigh_executor_data(f.run, least);
    const double *sorted = nigh_executor_data(f.run, y), *top = nigh_executor_data(f.run, k);
    const float *one = nigh_executor_data(f.run, hot);
    for (int r = 0; r < 2; r++) {
        for (int e = 0; e < 5; e++) {
            assert_int_equal(a[r * 5 + e], up[r][e]);
            if (!isnan(at[r][up[r][e]])) assert_int_equal(b[r * 35 + e], up[r][e]);
            assert_true(sorted[r * 5 + e] == at[r][up[r][e]] || isnan(sorted[r * 5 + e]));
        }
        for (int e = 0; e < 3; e++) {
            assert_int_equal(c[r * 3 + e], down[r][e]);
            assert_true(top[r * 3 + e] == at[r][down[r][e]]);
            for (int h = 0; h < 4; h++) assert_true(one[(r * 3 + e) * 4 + h] == (down[r][e] == h));
        }
    }
    assert_int_equal(*(const int64_t *)nigh_executor_data(f.run, largest), 1);
    assert_true(l[0] == 1 && l[1] == 0 && l[2] == 0 && l[3] == 1 && l[4] == 1);
    end(&f);
}

static void test_segments(void **state)
{
    fixture f;
    begin(&f, 2);
    static const float at[6][2] = {{1, 2}, {3, NAN}, {5, 6}, {7, 8}, {-1, -2}, {9, 9}};
    static const int32_t ids[6] = {2, 0, 2, 0, 3, 8};
    nigh_node x = nigh_tape_constant(f.t, NIGH_F32, 2, (int64_t[]){6, 2}, at), id = nigh_tape_constant(f.t, NIGH_I32, 1, (int64_t[]){6}, ids);
    nigh_node sum = nigh_tape_segment_sum(f.t, x, id, 4), mean = nigh_tape_segment_mean(f.t, x, id, 4), max = nigh_tape_segment_max(f.t, x, id, 4, -5);
    assert_int_equal(nigh_executor_new(f.ctx, f.t, 3, (nigh_node[]){sum, mean, max}, &f.run), NIGH_OK);
    assert_int_equal(nigh_executor_run(f.run), NIGH_OK);
    const float *s = nigh_executor_data(f.run, sum), *m = nigh_executor_data(f.run, mean), *b = nigh_executor_data(f.run, max);
    static const float sums[4][2] = {{10, NAN}, {0, 0}, {6, 8}, {-1, -2}}, means[4][2] = {{5, NAN}, {0, 0}, {3, 4}, {-1, -2}}, best[4][2] = {{7, NAN}, {-5, -5}, {5, 6}, {-1, -2}};
    for (int i = 0; i < 8; i++) {
        bool hole = isnan(sums[i / 2][i % 2]);
        assert_true(hole ? isnan(s[i]) && isnan(m[i]) && isnan(b[i]) : s[i] == sums[i / 2][i % 2] && m[i] == means[i / 2][i % 2] && b[i] == best[i / 2][i % 2]);
    }
    end(&f);
}

static void expect_message(nigh_node (*record)(nigh_tape *, nigh_node, nigh_node), const char *words)
{
    fixture f;
    begin(&f, 1);
    nigh_node a = nigh_tape_input(f.t, "a", NIGH_F32, 2, (int64_t[]){3, 4}), b = nigh_tape_input(f.t, "b", NIGH_I32, 1, (int64_t[]){5});
    assert_int_equal(record(f.t, a, b), NIGH_NONE);
    assert_string_equal(nigh_message(f.ctx), words);
    end(&f);
}

static nigh_node wrong_index(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_gather(t, a, a); }
static nigh_node wrong_scatter(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_scatter(t, a, b, 7); }
static nigh_node wrong_take(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_take_along(t, a, b, 0); }
static nigh_node wrong_k(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_top_k(t, a, 5, true, NULL); }
static nigh_node wrong_group(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_group_sort(t, a, 3); }
static nigh_node wrong_segments(nigh_tape *t, nigh_node a, nigh_node b) { return nigh_tape_segment_max(t, a, b, 2, 0); }

static void test_misuse(void **state)
{
    expect_message(wrong_index, "gather: the index is [3,4] f32; i32 or i64 is needed");
    expect_message(wrong_scatter, "scatter: x is [3,4] f32, the index is [5] i32; x must begin with the index's dimensions");
    expect_message(wrong_take, "take-along: x is [3,4] f32, the index is [5] i32; they must be equal but along the axis");
    expect_message(wrong_k, "top-k: x is [3,4] f32, k is 5; 0 to the length of a row is allowed");
    expect_message(wrong_group, "group-sort: x is [3,4] f32, groups of 3; a divisor of the channels (the last dimension) is needed");
    expect_message(wrong_segments, "segment-max: x is [3,4] f32, the ids are [5] i32, 2 segments; one id a row of x is needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives), cmocka_unit_test(test_rows), cmocka_unit_test(test_order), cmocka_unit_test(test_segments),
                                       cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
