/* Data sets: splits, duplicates, scalers, hashes, loaders, drawn digits. */
#include "io_support.h"
#include "nigh/dataset.h"
#include "nigh/random.h"

/* n rows of d features; class i % k or, for k = 0, targets. */
static void make(nigh_context *ctx, int64_t n, int64_t d, int64_t k, nigh_dataset *set)
{
    *set = (nigh_dataset){.ctx = ctx, .classes = k};
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){NIGH_F32, 2, {n, d}}, &set->x));
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){k ? NIGH_I32 : NIGH_F32, 1, {n}}, &set->y));
    for (int64_t i = 0; i < n * d; i++) ((float *)set->x.data)[i] = (float)i;
    for (int64_t i = 0; i < n; i++) nigh_array_set(&set->y, i, (double)(k ? i % 10 < 7 ? 0 : i % k : i));
}

static void splits(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_dataset set, part;
    nigh_split split, again;
    make(ctx, 1000, 3, 3, &set);
    int64_t total[3] = {0};
    for (int i = 0; i < 1000; i++) total[((int32_t *)set.y.data)[i]]++;
    for (int stratified = 0; stratified < 2; stratified++) {
        nigh_split_options o = {600, 150, 200, 7, stratified};
        assert_ok(ctx, nigh_dataset_split(ctx, &set, &o, &split));
        assert_ok(ctx, nigh_dataset_split(ctx, &set, &o, &again));
        assert_memory_equal(split.train, again.train, 950 * sizeof(int64_t));
        char seen[1000] = {0};
        const int64_t *parts[] = {split.train, split.validation, split.test}, counts[] = {600, 150, 200};
        for (int p = 0; p < 3; p++) {
            int64_t of[3] = {0};
            for (int64_t i = 0; i < counts[p]; i++) {
                assert_int_equal(seen[parts[p][i]]++, 0);
                of[((int32_t *)set.y.data)[parts[p][i]]]++;
            }
            for (int c = 0; c < 3 && stratified; c++) assert_near((double)of[c], (double)(counts[p] * total[c]) / 1000, 2 + 1.5 * (double)total[c] / 1000, 0);
        }
        nigh_split_free(ctx, &split);
        nigh_split_free(ctx, &again);
    }
    const int64_t rows[] = {5, 5, 999};
    assert_ok(ctx, nigh_dataset_take(ctx, &set, rows, 3, &part));
    assert_true(nigh_array_get(&part.x, 0) == 15 && nigh_array_get(&part.x, 8) == 2999 && nigh_dataset_rows(&part) == 3);
    char a[65], b[65], c[65];
    nigh_dataset_hash(&part, a);
    nigh_dataset_hash(&part, b);
    assert_string_equal(a, b);
    part.x.shape = (nigh_shape){NIGH_F32, 2, {9, 1}};
    nigh_dataset_hash(&part, c);
    assert_string_not_equal(a, c);
    part.x.shape = (nigh_shape){NIGH_F32, 2, {3, 3}};
    ((int32_t *)part.y.data)[1]++;
    nigh_dataset_hash(&part, c);
    assert_string_not_equal(a, c);
    nigh_dataset_free(&part);
    assert_fails(ctx, nigh_dataset_take(ctx, &set, (int64_t[]){1000}, 1, &part), NIGH_INVALID, "row 1000");
    assert_fails(ctx, nigh_dataset_split(ctx, &set, &(nigh_split_options){900, 50, 51, 0, false}, &split), NIGH_INVALID, "at most the 1000");
    assert_fails(ctx, nigh_dataset_split(ctx, &set, &(nigh_split_options){-1, 0, 0, 0, false}, &split), NIGH_INVALID, "-1");
    nigh_dataset_free(&set);
    make(ctx, 10, 1, 0, &set);
    assert_fails(ctx, nigh_dataset_split(ctx, &set, &(nigh_split_options){1, 1, 1, 0, true}, &split), NIGH_INVALID, "needs classes");
    nigh_dataset_free(&set);
    test_context_free(ctx);
}

static void finds_duplicates(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_dataset set;
    make(ctx, 10, 2, 0, &set);
    float *x = set.x.data;
    x[2] = x[0], x[3] = x[1];   /* rows 0 and 1: both train */
    x[14] = x[4], x[15] = x[5]; /* row 7 (test) = row 2 (train) */
    x[18] = x[4], x[19] = x[5]; /* row 9 (test) too */
    int64_t index[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    nigh_split split = {5, 2, 3, index, index + 5, index + 7};
    nigh_duplicates d;
    assert_ok(ctx, nigh_dataset_duplicates(ctx, &set, &split, &d));
    assert_true(d.inside == 2 && d.across == 2 && d.first == 2 && d.second == 7 && d.conflicting == 5);
    split.test_count = 0;
    assert_ok(ctx, nigh_dataset_duplicates(ctx, &set, &split, &d));
    assert_true(d.inside == 1 && d.across == 0 && d.first == -1);
    index[0] = 10;
    assert_fails(ctx, nigh_dataset_duplicates(ctx, &set, &split, &d), NIGH_INVALID, "row 10");
    nigh_dataset_free(&set);
    test_context_free(ctx);
}

static void scales(void **state)
{
    nigh_context *ctx = test_context_new();
    double x[12] = {1, 5, 2, 5, 3, 5, 4, 5, 100, 5, -100, 7};
    nigh_array a = {{NIGH_F64, 2, {6, 2}}, x};
    const int64_t train[] = {0, 1, 2, 3};
    nigh_scaler s;
    assert_ok(ctx, nigh_scaler_fit(ctx, NIGH_SCALE_STANDARD, &a, train, 4, &s));
    assert_near(s.offset[0], 2.5, 1e-15, 0);
    assert_near(s.scale[0], sqrt(1.25), 1e-15, 0);
    assert_true(s.offset[1] == 5 && s.scale[1] == 1);
    assert_ok(ctx, nigh_scaler_apply(ctx, &s, &a));
    assert_near(x[0] + x[2] + x[4] + x[6], 0, 1e-15, 0);
    assert_near(x[11], 2, 1e-15, 0);
    assert_ok(ctx, nigh_scaler_inverse(ctx, &s, &a));
    assert_near(x[8], 100, 1e-13, 0);
    nigh_scaler_free(ctx, &s);
    assert_ok(ctx, nigh_scaler_fit(ctx, NIGH_SCALE_RANGE, &a, train, 4, &s));
    assert_near(s.scale[0], 3, 1e-13, 0);
    assert_ok(ctx, nigh_scaler_apply(ctx, &s, &a));
    assert_near(x[6], 1, 1e-13, 0);
    assert_fails(ctx, nigh_scaler_apply(ctx, &s, &(nigh_array){{NIGH_F64, 2, {4, 3}}, x}), NIGH_INVALID, "3 features");
    nigh_scaler_free(ctx, &s);
    x[3] = NAN;
    assert_fails(ctx, nigh_scaler_fit(ctx, NIGH_SCALE_RANGE, &a, NULL, 0, &s), NIGH_INVALID, "feature 1 of row 1");
    assert_fails(ctx, nigh_scaler_fit(ctx, NIGH_SCALE_RANGE, &a, train, 0, &s), NIGH_INVALID, "0 rows");
    assert_fails(ctx, nigh_scaler_fit(ctx, NIGH_SCALE_RANGE, &(nigh_array){{NIGH_I32, 1, {1}}, x}, NULL, 0, &s), NIGH_INVALID, "i32");
    test_context_free(ctx);
}

static void says_what_is_missing(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_dataset set;
    nigh_edges e;
    nigh_texts t;
    nigh_buffer text = {.ctx = ctx};
    const char *old = getenv("NIGH_DATA");
    char *kept = old ? strdup(old) : NULL, *folder = test_folder_new();
    unsetenv("NIGH_DATA");
    assert_fails(ctx, nigh_dataset_load(ctx, "mnist", &set), NIGH_INVALID, "NIGH_DATA is not set");
    assert_fails(ctx, nigh_dataset_load(ctx, "mnits", &set), NIGH_INVALID, "'mnist' is one");
    setenv("NIGH_DATA", folder, 1);
    assert_fails(ctx, nigh_dataset_load(ctx, "mnist", &set), NIGH_IO, "the MNIST test set");
    assert_fails(ctx, nigh_dataset_load(ctx, "digits", &set), NIGH_IO, "digits.csv.gz': No such file");
    assert_fails(ctx, nigh_dataset_load(ctx, "htru2", &set), NIGH_IO, "HTRU2");
    assert_fails(ctx, nigh_graph_load(ctx, "ego-facebook", &e), NIGH_IO, "SNAP");
    assert_fails(ctx, nigh_text_load(ctx, "tinyshakespeare", &text), NIGH_IO, "char-rnn");
    assert_fails(ctx, nigh_texts_load(ctx, "debian-descriptions", &t), NIGH_IO, "Debian");
    if (kept) setenv("NIGH_DATA", kept, 1);
    else unsetenv("NIGH_DATA");
    free(kept);
    test_folder_remove(folder);
    assert_ok(ctx, nigh_texts_parse(ctx, "a\tx\tone\r\nb\tw\ttwo\n\nc\tx\tthree", 27, "t", &t));
    assert_true(t.count == 3 && t.classes == 2 && t.label[0] == 1 && t.label[1] == 0 && t.label[2] == 1);
    assert_string_equal(t.text[0], "one");
    assert_string_equal(t.class_names[0], "w");
    nigh_texts_free(&t);
    assert_fails(ctx, nigh_texts_parse(ctx, "a\tb", 3, "t", &t), NIGH_FORMAT, "line 1: three fields");
    assert_fails(ctx, nigh_texts_parse(ctx, "", 0, "t", &t), NIGH_FORMAT, "no lines");
    test_context_free(ctx);
}

static void loads_real_data(void **state)
{
    if (!getenv("NIGH_DATA")) skip();
    nigh_context *ctx = test_context_new();
    nigh_dataset set;
    nigh_edges e;
    nigh_texts t;
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, nigh_dataset_load(ctx, "digits", &set));
    assert_true(nigh_dataset_rows(&set) == 1797 && nigh_dataset_features(&set) == 64 && nigh_array_get(&set.x, 2) == 5.0 / 16);
    nigh_dataset_free(&set);
    assert_ok(ctx, nigh_dataset_load(ctx, "mnist", &set));
    assert_true(nigh_dataset_rows(&set) == 10000 && ((int32_t *)set.y.data)[0] == 7);
    nigh_split split;
    nigh_duplicates d;
    assert_ok(ctx, nigh_dataset_split(ctx, &set, &(nigh_split_options){8000, 0, 2000, 1, true}, &split));
    assert_ok(ctx, nigh_dataset_duplicates(ctx, &set, &split, &d));
    assert_int_equal(d.across, 0);
    nigh_split_free(ctx, &split);
    nigh_dataset_free(&set);
    assert_ok(ctx, nigh_dataset_load(ctx, "htru2", &set));
    assert_int_equal(nigh_dataset_rows(&set), 17898);
    assert_string_equal(set.feature_names[1], "ip_stdev");
    nigh_dataset_free(&set);
    assert_ok(ctx, nigh_graph_load(ctx, "ego-facebook", &e));
    assert_int_equal(e.count, 88234);
    nigh_edges_free(ctx, &e);
    assert_ok(ctx, nigh_texts_load(ctx, "debian-descriptions", &t));
    assert_true(t.count > 18000 && t.classes >= 10);
    nigh_texts_free(&t);
    assert_ok(ctx, nigh_text_load(ctx, "tinyshakespeare", &text));
    assert_true(text.size > 1000000);
    nigh_buffer_free(&text);
    test_context_free(ctx);
}

/* Share of the last `test` rows whose nearest of the first `train` rows has their class. */
static double one_nearest(const nigh_dataset *set, int64_t train, int64_t test)
{
    const float *x = set->x.data;
    const int32_t *y = set->y.data;
    int64_t d = nigh_dataset_features(set), right = 0;
    for (int64_t i = train; i < train + test; i++) {
        float best = INFINITY;
        int32_t label = -1;
        for (int64_t k = 0; k < train; k++) {
            float sum = 0;
            for (int64_t j = 0; j < d && sum < best; j += 8)
                for (int64_t l = j; l < j + 8 && l < d; l++) sum += (x[i * d + l] - x[k * d + l]) * (x[i * d + l] - x[k * d + l]);
            if (sum < best) best = sum, label = y[k];
        }
        right += label == y[i];
    }
    return (double)right / (double)test;
}

/* The same of a softmax regression, by plain gradient steps. */
static double linear(const nigh_dataset *set, int64_t train, int64_t test)
{
    int64_t d = nigh_dataset_features(set), right = 0;
    const float *x = set->x.data;
    const int32_t *y = set->y.data;
    double *w = calloc((size_t)(d + 1) * 10, sizeof *w), score[10];
    for (int64_t step = 0; step < 6 * train; step++) {
        int64_t i = step * 7919 % train;
        double most = -INFINITY, sum = 0;
        for (int c = 0; c < 10; c++) {
            score[c] = w[d * 10 + c];
            for (int64_t j = 0; j < d; j++) score[c] += w[j * 10 + c] * (double)x[i * d + j];
            if (score[c] > most) most = score[c];
        }
        for (int c = 0; c < 10; c++) sum += score[c] = exp(score[c] - most);
        for (int c = 0; c < 10; c++) {
            double off = 0.02 * (score[c] / sum - (c == y[i]));
            for (int64_t j = 0; j < d; j++) w[j * 10 + c] -= off * (double)x[i * d + j];
            w[d * 10 + c] -= off;
        }
    }
    for (int64_t i = train; i < train + test; i++) {
        int best = 0;
        for (int c = 0; c < 10; c++) {
            score[c] = w[d * 10 + c];
            for (int64_t j = 0; j < d; j++) score[c] += w[j * 10 + c] * (double)x[i * d + j];
            if (score[c] > score[best]) best = c;
        }
        right += best == y[i];
    }
    free(w);
    return (double)right / (double)test;
}

static void draws_digits_that_can_be_learnt(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_dataset set, other;
    assert_ok(ctx, nigh_digits_draw(ctx, 1, 3000, NULL, &set));
    double near = one_nearest(&set, 2000, 1000), line = linear(&set, 2000, 1000);
    print_message("28 x 28: nearest neighbour %.3f, linear %.3f\n", near, line);
    assert_true(near >= 0.95 && near < 1 && line >= 0.85 && line < 0.995);
    assert_ok(ctx, nigh_digits_draw(ctx, 1, 5, NULL, &other));
    assert_memory_equal(other.x.data, set.x.data, 5 * 784 * sizeof(float));
    nigh_dataset_free(&other);
    assert_ok(ctx, nigh_digits_draw(ctx, 2, 5, NULL, &other));
    assert_memory_not_equal(other.x.data, set.x.data, 5 * 784 * sizeof(float));
    nigh_dataset_free(&other);
    nigh_dataset_free(&set);
    assert_ok(ctx, nigh_digits_draw(ctx, 1, 3000, &(nigh_digits_options){8, 1, 0.05}, &set));
    near = one_nearest(&set, 2000, 1000), line = linear(&set, 2000, 1000);
    print_message("8 x 8: nearest neighbour %.3f, linear %.3f\n", near, line);
    assert_true(near >= 0.9 && line >= 0.8);
    for (int64_t i = 0; i < 3000 * 64; i++) assert_true(((float *)set.x.data)[i] >= 0 && ((float *)set.x.data)[i] <= 1);
    nigh_dataset_free(&set);
    assert_fails(ctx, nigh_digits_draw(ctx, 1, 1, &(nigh_digits_options){7, 1, 0}, &set), NIGH_INVALID, "side is 7");
    assert_fails(ctx, nigh_digits_draw(ctx, 1, 1, &(nigh_digits_options){8, NAN, 0}, &set), NIGH_INVALID, "distortion");
    assert_fails(ctx, nigh_digits_draw(ctx, 1, -1, NULL, &set), NIGH_INVALID, "n is -1");
    test_context_free(ctx);
}

static nigh_status much(nigh_context *ctx, void *user)
{
    nigh_dataset set = {.ctx = ctx}, part = {.ctx = ctx};
    nigh_split split = {0};
    nigh_scaler s = {0};
    nigh_duplicates d;
    nigh_texts t = {0};
    nigh_status status = nigh_digits_draw(ctx, 1, 20, &(nigh_digits_options){8, 1, 0}, &set);
    if (!status) status = nigh_dataset_split(ctx, &set, &(nigh_split_options){10, 5, 5, 0, true}, &split);
    if (!status) status = nigh_dataset_take(ctx, &set, split.train, 10, &part);
    if (!status) status = nigh_dataset_duplicates(ctx, &set, &split, &d);
    if (!status) status = nigh_scaler_fit(ctx, NIGH_SCALE_STANDARD, &part.x, NULL, 0, &s);
    if (!status) status = nigh_texts_parse(ctx, "a\tb\tc\nd\te\tf\n", 12, "x", &t);
    nigh_texts_free(&t);
    nigh_scaler_free(ctx, &s);
    nigh_split_free(ctx, &split);
    nigh_dataset_free(&part);
    nigh_dataset_free(&set);
    return status;
}
static void fails_cleanly_without_memory(void **state) { fail_every_allocation(much, NULL); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits), cmocka_unit_test(finds_duplicates), cmocka_unit_test(scales), cmocka_unit_test(says_what_is_missing),
        cmocka_unit_test(loads_real_data), cmocka_unit_test(draws_digits_that_can_be_learnt), cmocka_unit_test(fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
