/* Sources of batches: what is drawn, how often, in which order; misuse. */
#include "nn/batches.h"
#include "train_support.h"

static nigh_array numbered(nigh_context *ctx, nigh_dtype dtype, int64_t n, int64_t d)
{
    nigh_array a;
    nigh_shape shape = {dtype, d > 1 ? 2 : 1, {n, d}};
    assert_ok(ctx, nigh_array_new(ctx, &shape, &a));
    for (int64_t i = 0; i < n * d; i++) nigh_array_set(&a, i, (double)i);
    return a;
}

/* Each epoch has each row once, rows of all arrays stay together, orders differ by epoch and seed and repeat by number. */
static void test_epochs(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a[2] = {numbered(ctx, NIGH_F32, 23, 3), numbered(ctx, NIGH_I64, 23, 1)};
    nigh_batches *b;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, a, &(nigh_arrays_options){.batch = 5, .keep_last = true}, &b));
    assert_int_equal(nigh_batches_forms(b), 2);
    assert_int_equal(nigh_batches_epoch(b), 5);
    assert_int_equal(nigh_batches_shape(b, 1, 0)->dim[0], 3);
    assert_null(nigh_batches_shape(b, 1, 2));
    float x[15];
    int64_t y[5], order[3][25];
    void *data[2] = {x, y};
    for (int round = 0; round < 3; round++) {
        assert_ok(ctx, batches_start(b, round == 2 ? 8 : 7));
        int seen[23] = {0};
        for (int64_t k = 0; k < 5; k++) {
            int64_t number = round == 1 ? k + 5 : k, rows = batches_form_of(b, number) ? 3 : 5;
            assert_int_equal(batches_form_of(b, number), k == 4);
            assert_ok(ctx, batches_fill(b, number, data));
            for (int64_t i = 0; i < rows; i++) {
                seen[y[i]]++;
                order[round][k * 5 + i] = y[i];
                for (int j = 0; j < 3; j++) assert_true(x[i * 3 + j] == (float)(y[i] * 3 + j));
            }
        }
        for (int i = 0; i < 23; i++) assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(order[0], order[1], 23 * sizeof **order);
    assert_memory_not_equal(order[0], order[2], 23 * sizeof **order);
    assert_ok(ctx, batches_start(b, 7));
    assert_ok(ctx, batches_fill(b, 6, data));
    assert_memory_equal(y, &order[1][5], sizeof y);
    nigh_batches_free(b);
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &a[k]);
    test_context_free(ctx);
}

/* Every place of a permutation of 4 is equally likely: chi-square of 24 orders over 24000 draws below the 0.999 quantile. */
static void test_permutation(void **state)
{
    int count[256] = {0}, orders = 0;
    for (uint64_t s = 0; s < 24000; s++) {
        int64_t o[4];
        batches_permute(3, s, 4, o);
        count[o[0] << 6 | o[1] << 4 | o[2] << 2 | o[3]]++;
    }
    double chi = 0;
    for (int i = 0; i < 256; i++)
        if (count[i]) orders++, chi += (count[i] - 1000.) * (count[i] - 1000.) / 1000;
    assert_int_equal(orders, 24);
    assert_true(chi < 49.7);
    int64_t big[1000];
    int seen[1000] = {0};
    batches_permute(1, 2, 1000, big);
    for (int i = 0; i < 1000; i++) seen[big[i]]++;
    for (int i = 0; i < 1000; i++) assert_int_equal(seen[i], 1);
}

static void test_balance(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a[2] = {numbered(ctx, NIGH_F32, 100, 2), numbered(ctx, NIGH_I32, 100, 1)};
    for (int i = 0; i < 100; i++) ((int32_t *)a[1].data)[i] = i < 90 ? 5 : i < 98 ? 0 : 2; /* 90, 8 and 2 rows; classes 1, 3 and 4 have none */
    nigh_batches *b;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, a, &(nigh_arrays_options){.batch = 50, .balance = 2}, &b));
    assert_ok(ctx, batches_start(b, 1));
    float x[100];
    int32_t y[50];
    int count[6] = {0}, of_two[2] = {0};
    for (int64_t k = 0; k < 600; k++) {
        assert_ok(ctx, batches_fill(b, k, (void *[]){x, y}));
        for (int i = 0; i < 50; i++) {
            count[y[i]]++;
            int row = (int)x[2 * i] / 2;
            assert_int_equal(y[i], ((int32_t *)a[1].data)[row]);
            if (row >= 98) of_two[row - 98]++;
        }
    }
    /* 30000 draws: 10000 of each class, standard deviation 82. */
    for (int c = 0; c < 6; c++)
        if (c == 0 || c == 2 || c == 5) assert_in_range(count[c], 9650, 10350);
        else assert_int_equal(count[c], 0);
    assert_in_range(of_two[0], 4750, 5250);
    nigh_batches_free(b);
    ((int32_t *)a[1].data)[7] = -1;
    assert_ok(ctx, nigh_batches_arrays(ctx, 2, a, &(nigh_arrays_options){.batch = 50, .balance = 2}, &b));
    assert_fails(ctx, batches_start(b, 1), NIGH_INVALID, "class of row 7 is -1");
    nigh_batches_free(b);
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &a[k]);
    test_context_free(ctx);
}

static void test_windows(void **state)
{
    nigh_context *ctx = test_context_new();
    int32_t token[103], x[12], y[12];
    for (int i = 0; i < 103; i++) token[i] = i;
    nigh_batches *b;
    for (int in_order = 0; in_order < 2; in_order++) {
        assert_ok(ctx, nigh_batches_windows(ctx, 103, token, 3, 4, in_order, &b));
        assert_int_equal(nigh_batches_epoch(b), in_order ? 8 : 0);
        assert_ok(ctx, batches_start(b, 4));
        int seen[103] = {0}, shift = -1;
        for (int64_t k = 0; k < 8; k++) {
            assert_ok(ctx, batches_fill(b, k, (void *[]){x, y}));
            for (int i = 0; i < 12; i++) {
                assert_int_equal(y[i], x[i] + 1);
                assert_int_equal(x[i], x[i / 4 * 4] + i % 4);
                seen[x[i]]++;
                if (shift < 0) shift = x[0] % 4;
                if (in_order) assert_int_equal(x[i / 4 * 4] % 4, shift);
            }
        }
        for (int i = 0; i < 103 && in_order; i++) assert_true(seen[i] <= 1);
        nigh_batches_free(b);
    }
    assert_fails(ctx, nigh_batches_windows(ctx, 15, token, 3, 4, true, &b), NIGH_INVALID, "15 tokens are too few");
    assert_fails(ctx, nigh_batches_windows(ctx, 15, token, 0, 4, true, &b), NIGH_INVALID, "0 a batch");
    test_context_free(ctx);
}

static nigh_status write_number(void *user, nigh_rng *rng, int64_t number, void *const *data)
{
    ((float *)data[0])[0] = (float)number + *(float *)user;
    return NIGH_OK;
}

static nigh_status renew(void *user, nigh_rng *rng, int64_t round, nigh_array *arrays)
{
    for (int i = 0; i < 4; i++) ((float *)arrays[0].data)[i] += (float)(round * 10 + i);
    return NIGH_OK;
}

static void test_mixed_and_pool(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_batches *source[2], *b;
    float base[2] = {0, 1000}, value[4];
    for (int i = 0; i < 2; i++) assert_ok(ctx, nigh_batches_generator(ctx, 1, &(nigh_shape){NIGH_F32, 1, {i + 1}}, write_number, &base[i], 0, &source[i]));
    assert_ok(ctx, nigh_batches_mixed(ctx, 2, source, (double[]){3, 1}, &b));
    assert_int_equal(nigh_batches_forms(b), 2);
    assert_ok(ctx, batches_start(b, 4));
    int next[2] = {0};
    for (int64_t k = 0; k < 4000; k++) {
        int form = batches_form_of(b, k);
        assert_ok(ctx, batches_fill(b, k, (void *[]){value}));
        assert_true(value[0] == base[form] + (float)next[form]++);
    }
    assert_in_range(next[1], 900, 1100);
    assert_ok(ctx, batches_fill(b, 0, (void *[]){value})); /* and back */
    assert_true(value[0] == base[batches_form_of(b, 0)]);
    nigh_batches_free(b);

    assert_ok(ctx, nigh_batches_pool(ctx, 1, &(nigh_shape){NIGH_F32, 1, {4}}, &(nigh_arrays_options){.in_order = true, .batch = 2}, 3, renew, NULL, &b));
    assert_ok(ctx, batches_start(b, 4));
    const float want[] = {0, 2, 0, 14, 10}; /* rounds 0, 0, 0, 1, 1; rows 0, 2, 0, 2, 0 */
    for (int64_t k = 0; k < 5; k++) {
        assert_ok(ctx, batches_fill(b, k, (void *[]){value}));
        assert_true(value[0] == want[k]);
    }
    nigh_batches_free(b);
    test_context_free(ctx);
}

static void test_misuse(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a[2] = {numbered(ctx, NIGH_F32, 10, 2), numbered(ctx, NIGH_I32, 9, 1)};
    nigh_batches *b = NULL;
    assert_fails(ctx, nigh_batches_arrays(ctx, 2, a, NULL, &b), NIGH_INVALID, "array 1 has 9 rows, array 0 has 10");
    assert_fails(ctx, nigh_batches_arrays(ctx, 0, a, NULL, &b), NIGH_INVALID, "0 arrays");
    assert_fails(ctx, nigh_batches_arrays(ctx, 1, a, &(nigh_arrays_options){.batch = 11}, &b), NIGH_INVALID, "batch is 11; 1 to 10");
    assert_fails(ctx, nigh_batches_arrays(ctx, 1, a, &(nigh_arrays_options){.first = 8, .rows = 3}, &b), NIGH_INVALID, "rows 8 .. 10");
    assert_fails(ctx, nigh_batches_arrays(ctx, 1, a, &(nigh_arrays_options){.balance = 1}, &b), NIGH_INVALID, "i32 [n]");
    assert_fails(ctx, nigh_batches_arrays(ctx, 1, a, &(nigh_arrays_options){.balance = 2}, &b), NIGH_INVALID, "balance is 2");
    assert_fails(ctx, nigh_batches_generator(ctx, 1, &(nigh_shape){NIGH_F32, 0, {0}}, write_number, NULL, 0, &b), NIGH_INVALID, "0 dimensions");
    assert_fails(ctx, nigh_batches_generator(ctx, 1, &(nigh_shape){NIGH_F32, 1, {2}}, write_number, NULL, -1, &b), NIGH_INVALID, "epoch of -1");
    assert_fails(ctx, nigh_batches_pool(ctx, 1, &(nigh_shape){NIGH_F32, 1, {2}}, NULL, 0, renew, NULL, &b), NIGH_INVALID, "every is 0");
    assert_fails(ctx, nigh_batches_mixed(ctx, 0, &b, NULL, &b), NIGH_INVALID, "0 sources");
    assert_null(b);
    assert_ok(ctx, nigh_batches_arrays(ctx, 1, a, NULL, &b));
    assert_fails(ctx, nigh_batches_mixed(ctx, 1, &b, (double[]){0}, &b), NIGH_INVALID, "all 0");
    assert_fails(ctx, nigh_batches_mixed(ctx, 1, &b, (double[]){-1}, &b), NIGH_INVALID, "weight 0 of the mixture is -1");
    assert_fails(ctx, nigh_batches_mixed(ctx, 2, (nigh_batches *[]){b, b}, NULL, &b), NIGH_INVALID, "sources 0 and 1");
    nigh_batches_free(b);
    for (int k = 0; k < 2; k++) nigh_array_free(ctx, &a[k]);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epochs),  cmocka_unit_test(test_permutation),    cmocka_unit_test(test_balance),
        cmocka_unit_test(test_windows), cmocka_unit_test(test_mixed_and_pool), cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
