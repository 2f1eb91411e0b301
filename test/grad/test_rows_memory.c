/* Operators of rows and memory: a run allocates nothing, every failing allocation is reported and leaves nothing behind, threads give the same bits. */
#include "support.h"

#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

enum { R = 260, C = 128 };

static nigh_node squeeze(void *user, nigh_tape *t, nigh_node z, int n, const nigh_node *theta) { return nigh_tape_tanh(t, nigh_tape_add(t, nigh_tape_scale(t, z, 0.5), theta[0])); }

/* A number that depends on all of them. */
static nigh_node everything(nigh_tape *t, nigh_node x, nigh_node index, const nigh_sparse *a)
{
    nigh_node row = nigh_tape_slice(t, x, 0, 0, 1, 1), gamma = nigh_tape_reshape(t, row, 1, (int64_t[]){C}), few = nigh_tape_slice(t, gamma, 0, 0, 4, 1);
    nigh_node h = nigh_tape_layer_norm(t, x, 1, gamma, gamma, 1e-5);
    h = nigh_tape_add(t, h, nigh_tape_rms_norm(t, nigh_tape_gather(t, x, index), gamma, 1e-5));
    h = nigh_tape_add(t, nigh_tape_softmax(t, h, -1), nigh_tape_log_softmax(t, h, 0));
    h = nigh_tape_add(t, h, nigh_tape_batch_norm(t, h, gamma, NIGH_NONE, 1e-5, NULL, NULL));
    h = nigh_tape_add(t, h, nigh_tape_group_norm(t, h, 4, gamma, gamma, 1e-5));
    h = nigh_tape_add(t, nigh_tape_normalise(t, h, 1e-6), nigh_tape_scatter(t, h, index, R));
    h = nigh_tape_add(t, h, nigh_tape_sort(t, nigh_tape_max_min(t, h), true, NULL));
    h = nigh_tape_add(t, h, nigh_tape_group_sort(t, nigh_tape_cumulative_sum(t, h, 0, true, false), 4));
    h = nigh_tape_add(t, nigh_tape_poly_relu(t, h, few), nigh_tape_poly_norm(t, h, few, NIGH_NONE, 1e-6));
    h = nigh_tape_rotary(t, nigh_tape_dropout(t, h, 0.9, 3), 0, &(nigh_rotary){.half = true});
    nigh_node sums = nigh_tape_add(t, nigh_tape_segment_sum(t, h, index, 5), nigh_tape_segment_max(t, h, index, 5, 0));
    nigh_node gram = nigh_tape_matmul(t, sums, sums, NIGH_TRANSPOSE_B);
    nigh_node eye = nigh_tape_one_hot(t, nigh_tape_constant(t, NIGH_I32, 1, (int64_t[]){5}, (int32_t[]){0, 1, 2, 3, 4}), 5, NIGH_F64);
    nigh_node definite = nigh_tape_add(t, gram, nigh_tape_scale(t, eye, 1e3));
    nigh_node z = nigh_tape_fixed_point(t, squeeze, NULL, nigh_tape_scale(t, h, 0), 1, &h, &(nigh_fixed_point){5, 5, 3});
    nigh_node loss = nigh_tape_cross_entropy(t, nigh_tape_add(t, h, z), index, NIGH_NONE, 3, 0.1);
    loss = nigh_tape_add(t, loss, nigh_tape_sum(t, nigh_tape_spd_solve(t, definite, sums), NIGH_ALL, false));
    loss = nigh_tape_add(t, loss, nigh_tape_spd_log_det(t, definite));
    loss = nigh_tape_add(t, loss, nigh_tape_sum(t, nigh_tape_sparse(t, a, h, false), NIGH_ALL, false));
    return nigh_tape_add(t, loss, nigh_tape_mean(t, nigh_tape_gaussian_kernel(t, h, x, 3), NIGH_ALL, false));
}

typedef struct outcome {
    double loss, gradient[R * C];
} outcome;

/* All of it with the context given; the status of what fails first. `again`: allocations during a second run. */
static nigh_status compute(nigh_context *ctx, const test_allocator *allocator, outcome *out, long *again)
{
    nigh_tape *t = NULL;
    nigh_executor *run = NULL;
    nigh_sparse *a = NULL;
    nigh_node x, index, loss, g;
    int64_t place[R], column[R];
    double value[R];
    int32_t at[R];
    for (int i = 0; i < R; i++) place[i] = i, column[i] = (i * 7) % R, value[i] = 0.5 + i % 3, at[i] = (i * 37) % (R + 6) - 3;
    nigh_status status = nigh_sparse_new(ctx, R, R, R, place, column, value, &a);
    if (!status) status = nigh_tape_new(ctx, &t);
    if (status) goto done;
    x = nigh_tape_input(t, "x", NIGH_F64, 2, (int64_t[]){R, C}), index = nigh_tape_constant(t, NIGH_I32, 1, (int64_t[]){R}, at);
    loss = everything(t, x, index, a);
    status = nigh_tape_gradient(t, loss, NIGH_NONE, 1, &x, &g);
    if (!status) status = nigh_executor_new(ctx, t, 2, (nigh_node[]){loss, g}, &run);
    if (status) goto done;
    double *in = nigh_executor_data(run, x);
    if (!in) {
        status = NIGH_MEMORY;
        goto done;
    }
    for (int i = 0; i < R * C; i++) in[i] = sin(0.37 * i) + 0.1 * (i % 13);
    status = nigh_executor_run(run);
    long before = allocator ? allocator->count : 0;
    if (!status) status = nigh_executor_run(run);
    if (status) goto done;
    if (again) *again = allocator->count - before;
    if (out) out->loss = *(double *)nigh_executor_data(run, loss), memcpy(out->gradient, nigh_executor_data(run, g), sizeof out->gradient);
done:
    nigh_executor_free(run);
    nigh_tape_free(t);
    nigh_sparse_free(ctx, a);
    return status;
}

static void test_no_allocation(void **state)
{
    static outcome one, some;
    test_allocator allocator = {0};
    long again = -1;
    nigh_context *ctx = test_context_failing(&allocator);
    nigh_context_set_threads(ctx, 1);
    assert_ok(ctx, compute(ctx, &allocator, &one, &again));
    assert_int_equal(again, 0);
    assert_true(isfinite(one.loss));
    for (int threads = 2; threads < 4; threads++) {
        nigh_context_set_threads(ctx, threads);
        assert_ok(ctx, compute(ctx, &allocator, &some, &again));
        assert_int_equal(again, 0);
        assert_true(fabs(some.loss - one.loss) <= 1e-9 * fabs(one.loss));
        for (int i = 0; i < R * C; i++) assert_true(fabs(some.gradient[i] - one.gradient[i]) <= 1e-8 * (1 + fabs(one.gradient[i])));
        static outcome same;
        assert_ok(ctx, compute(ctx, &allocator, &same, &again));
        assert_memory_equal(&same, &some, sizeof same);
    }
    nigh_context_free(ctx);
    assert_int_equal(allocator.live, 0);
}

static void test_failures(void **state)
{
    test_allocator allocator = {0};
    nigh_context *ctx = test_context_failing(&allocator);
    nigh_context_set_threads(ctx, 2);
    long before = allocator.count;
    assert_ok(ctx, compute(ctx, &allocator, NULL, NULL));
    long total = allocator.count - before;
    for (long i = 1; i <= total; i += i < 40 ? 1 : 7) {
        long live = allocator.live;
        allocator.fail_at = allocator.count + i;
        assert_int_equal(compute(ctx, &allocator, NULL, NULL), NIGH_MEMORY);
        assert_int_equal(allocator.live, live);
        allocator.fail_at = 0;
    }
    nigh_context_free(ctx);
    assert_int_equal(allocator.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_failures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
