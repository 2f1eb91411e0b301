/* The problem that a file of pairs makes. */
#include "map_support.h"

enum { N = 24 };

static void test_rows_and_box(void **state)
{
    nigh_context *ctx = test_context_new();
    float in[N][2][3];
    int16_t out[N];
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 6; k++) in[i][k / 3][k % 3] = (float)(i * 10 + k) - (k == 4 ? 1000 : 0);
        out[i] = (int16_t)(i - 7);
    }
    nigh_array a = {{NIGH_F32, 3, {N, 2, 3}}, in}, b = {{NIGH_I16, 1, {N}}, out};
    nigh_problem *problem = NULL;
    assert_ok(ctx, nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "mine.npz", .in = &a, .out = &b, .exact_seconds = 2, .origin = "{}"}, &problem));
    assert_string_equal(problem->kind, "map");
    assert_string_equal(problem->name, "mine.npz");
    assert_string_equal(problem->measure->name, "relative-l2");
    assert_string_equal(problem->origin, "{}");
    assert_true(problem->in.dtype == NIGH_F64 && problem->in.ndim == 2 && problem->in.dim[0] == 2 && problem->in.dim[1] == 3);
    assert_true(problem->out.dtype == NIGH_F64 && problem->out.ndim == 0 && problem->rows == N && problem->exact_seconds == 2);
    assert_true(problem->low[0] == 0 && problem->high[5] == 235 && problem->low[4] == -996);
    int64_t index[] = {23, 0};
    double x[12], y[2];
    assert_ok(ctx, problem->ops->rows(ctx, problem, 2, index, x, y));
    assert_true(x[0] == 230 && x[6] == 0 && x[10] == -996 && y[0] == 16 && y[1] == -7);
    index[1] = N;
    assert_fails(ctx, problem->ops->rows(ctx, problem, 2, index, x, y), NIGH_INVALID, "rows 0 to 23");
    nigh_problem_free(ctx, problem);
    test_context_free(ctx);
}

static void test_identity(void **state)
{
    nigh_context *ctx = test_context_new();
    double in[N * 2], out[N];
    for (int i = 0; i < N * 2; i++) in[i] = i, out[i / 2] = -i;
    nigh_array a = {{NIGH_F64, 2, {N, 2}}, in}, b = {{NIGH_F64, 1, {N}}, out}, flat = {{NIGH_F64, 3, {N, 1, 2}}, in};
    nigh_pairs pairs[] = {{.name = "a", .in = &a, .out = &b}, {.name = "other name", .in = &a, .out = &b}, {.name = "a", .in = &flat, .out = &b},
                          {.name = "a", .in = &a, .out = &b, .measure = "rms"}};
    char identity[5][65];
    for (int i = 0; i < 5; i++) {
        nigh_problem *problem = NULL;
        if (i == 4) in[5] += 1e-9;
        assert_ok(ctx, nigh_pairs_problem_new(ctx, &pairs[i % 4], &problem));
        snprintf(identity[i], 65, "%s", problem->identity);
        assert_int_equal(strlen(identity[i]), 64);
        nigh_problem_free(ctx, problem);
    }
    assert_string_equal(identity[0], identity[1]);
    for (int i = 2; i < 5; i++) assert_string_not_equal(identity[0], identity[i]);
    test_context_free(ctx);
}

static void test_bad_arrays(void **state)
{
    nigh_context *ctx = test_context_new();
    double in[N * 2] = {0}, out[N] = {0};
    nigh_problem *problem = NULL;
    nigh_array a = {{NIGH_F64, 2, {N, 2}}, in}, b = {{NIGH_F64, 1, {N}}, out}, c = a;
    nigh_pairs pairs = {.name = "a", .in = &c, .out = &b};
    c.shape.dim[0] = N - 1;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "23 rows of inputs, but 24");
    c.shape.dim[0] = 19;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "19 rows");
    c = a, c.shape.dim[1] = 0;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "0 inputs in a row");
    c = a, c.shape.ndim = 0;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "dimension for samples");
    c = a, c.shape.dtype = NIGH_C64;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_UNSUPPORTED, "inputs");
    c = a, in[2 * 17 + 1] = INFINITY;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "inputs has inf in row 17, column 1");
    in[2 * 17 + 1] = 0, out[3] = NAN;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "outputs has");
    out[3] = 0, pairs.measure = "relativ";
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "'relativ'");
    pairs.measure = "absolute", pairs.exact_seconds = -1;
    assert_fails(ctx, nigh_pairs_problem_new(ctx, &pairs, &problem), NIGH_INVALID, "exact_seconds");
    assert_null(problem);
    test_context_free(ctx);
}

static void test_allocation_failures(void **state)
{
    double in[N * 2] = {0}, out[N] = {0};
    nigh_array a = {{NIGH_F64, 2, {N, 2}}, in}, b = {{NIGH_F64, 1, {N}}, out};
    for (long fail = 2;; fail++) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *ctx = test_context_failing(&allocator);
        nigh_problem *problem = NULL;
        nigh_status status = nigh_pairs_problem_new(ctx, &(nigh_pairs){.name = "a", .in = &a, .out = &b, .origin = "{}"}, &problem);
        nigh_problem_free(ctx, problem);
        size_t left = nigh_memory_now(ctx);
        nigh_context_free(ctx);
        assert_int_equal(left, 0);
        if (status == NIGH_OK) break;
        assert_int_equal(status, NIGH_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_box),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_bad_arrays),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
