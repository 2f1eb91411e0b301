/* IDX, libsvm and edge lists: fixed texts, round trips, bad input, failing allocations. */
#include "io_support.h"

#define IDX2 "\0\0\x0b\2\0\0\0\2\0\0\0\3"

static void reads_idx(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a;
    assert_ok(ctx, nigh_idx_parse(ctx, IDX2 "\0\1\0\2\0\3\xff\xff\x80\0\x7f\xff", 24, "x", &a));
    const int16_t want[] = {1, 2, 3, -1, -32768, 32767};
    assert_int_equal(a.shape.dtype, NIGH_I16);
    assert_true(a.shape.ndim == 2 && a.shape.dim[0] == 2 && a.shape.dim[1] == 3);
    assert_memory_equal(a.data, want, sizeof want);
    nigh_array_free(ctx, &a);
    static const struct {
        const char *bytes;
        size_t size;
        nigh_status status;
        const char *part;
    } cases[] = {
        {"", 0, NIGH_FORMAT, "two zero bytes"},
        {"\0\1\x08\1", 4, NIGH_FORMAT, "two zero bytes"},
        {"\0\0\x0a\1", 4, NIGH_FORMAT, "element type 10"},
        {"\0\0\x08\0", 4, NIGH_FORMAT, "0 dimensions"},
        {"\0\0\x08\11", 4, NIGH_UNSUPPORTED, "9 dimensions"},
        {"\0\0\x08\2\0\0\0", 7, NIGH_FORMAT, "cut off"},
        {"\0\0\x08\1\0\0\0\3ab", 10, NIGH_FORMAT, "promises 3 bytes of data, 2"},
        {"\0\0\x08\1\0\0\0\1ab", 10, NIGH_FORMAT, "promises 1"},
        {"\0\0\x0e\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, NIGH_FORMAT, "uncountable"},
        {"\x1f\x8b\x08", 3, NIGH_FORMAT, "cut off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(ctx, nigh_idx_parse(ctx, cases[i].bytes, cases[i].size, "x", &a), cases[i].status, cases[i].part);
    test_context_free(ctx);
}

static void writes_idx(void **state)
{
    static const nigh_dtype types[] = {NIGH_U8, NIGH_I8, NIGH_I16, NIGH_I32, NIGH_F32, NIGH_F64};
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[512];
    for (int t = 0; t < 12; t++) {
        nigh_array a, b;
        assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){types[t % 6], 3, {300, 7, 5}}, &a));
        for (int64_t i = 0; i < 10500; i++) nigh_array_set(&a, i, (double)(i % 101));
        snprintf(path, sizeof path, "%s/%d-idx3-ubyte%s", folder, t, t < 6 ? "" : ".gz");
        assert_ok(ctx, nigh_idx_write(ctx, path, &a));
        assert_ok(ctx, t % 2 ? nigh_idx_read(ctx, path, &b) : nigh_array_read(ctx, path, &b));
        assert_same_array(&a, &b);
        nigh_array_free(ctx, &a);
        nigh_array_free(ctx, &b);
    }
    nigh_buffer out = {.ctx = ctx};
    int64_t one = 1;
    assert_fails(ctx, nigh_idx_format(ctx, &(nigh_array){{NIGH_I64, 1, {1}}, &one}, &out), NIGH_UNSUPPORTED, "i64");
    assert_fails(ctx, nigh_idx_format(ctx, &(nigh_array){{NIGH_I32, 0, {0}}, &one}, &out), NIGH_UNSUPPORTED, "scalar");
    nigh_buffer_free(&out);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static nigh_status libsvm(nigh_context *ctx, const char *text, const nigh_libsvm_options *options, nigh_libsvm_rows *out)
{
    return nigh_libsvm_parse(ctx, text, strlen(text), "x.svm", options, out);
}

static void reads_libsvm(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_libsvm_rows s, again;
    nigh_array dense;
    assert_ok(ctx, libsvm(ctx, "\xef\xbb\xbf# head\r\n+1 1:0.5 3:-2 # tail\r\n\r\n-1\r\n2.5\t2:1e3", NULL, &s));
    assert_true(s.rows == 3 && s.columns == 3 && s.start[1] == 2 && s.start[2] == 2 && s.start[3] == 3 && !s.query);
    assert_true(s.label[0] == 1 && s.label[1] == -1 && s.label[2] == 2.5);
    assert_true(s.column[0] == 0 && s.column[1] == 2 && s.value[1] == -2 && s.value[2] == 1000);
    assert_ok(ctx, nigh_libsvm_to_dense(ctx, &s, 0, &dense));
    const double want[9] = {0.5, 0, -2, 0, 0, 0, 0, 1000, 0};
    assert_memory_equal(dense.data, want, sizeof want);
    assert_ok(ctx, nigh_libsvm_from_dense(ctx, 3, 3, want, s.label, &again));
    assert_memory_equal(again.column, s.column, 3 * sizeof *s.column);
    assert_memory_equal(again.start, s.start, 4 * sizeof *s.start);
    nigh_buffer out = {.ctx = ctx};
    assert_ok(ctx, nigh_libsvm_format(ctx, &again, &out));
    assert_string_equal(out.data, "1 1:0.5 3:-2\n-1\n2.5 2:1000\n");
    nigh_buffer_free(&out);
    nigh_array_free(ctx, &dense);
    nigh_libsvm_free(ctx, &again);
    nigh_libsvm_free(ctx, &s);
    assert_ok(ctx, libsvm(ctx, "1 qid:7 0:1\n0 qid:8 5:1\n", &(nigh_libsvm_options){.zero_based = true, .columns = 6}, &s));
    assert_true(s.columns == 6 && s.query[1] == 8 && s.column[1] == 5);
    nigh_libsvm_free(ctx, &s);
    assert_ok(ctx, libsvm(ctx, "1 1000000000000:1\n", NULL, &s));
    assert_fails(ctx, nigh_libsvm_to_dense(ctx, &s, 0, &dense), NIGH_RESOURCE, "1 x 1000000000000");
    nigh_libsvm_free(ctx, &s);
    test_context_free(ctx);
}

static void refuses_libsvm(void **state)
{
    static const struct {
        const char *text;
        nigh_status status;
        const char *part;
    } cases[] = {
        {"", NIGH_FORMAT, "no rows"}, {"# only\n", NIGH_FORMAT, "no rows"},
        {"1 1:1\nx 1:2", NIGH_FORMAT, "line 2, column 1: a label (a number) is expected, not 'x'"},
        {"1,2 1:1", NIGH_UNSUPPORTED, "several labels"}, {"1 0:1", NIGH_FORMAT, "begin at 1"}, {"1 2:1 2:1", NIGH_FORMAT, "column 7: the indices"},
        {"1 3:1 2:1", NIGH_FORMAT, "increase"}, {"1 1:", NIGH_FORMAT, "a value"}, {"1 1:1e999", NIGH_FORMAT, "a value"}, {"1 1:1x", NIGH_FORMAT, "a blank"},
        {"1 a:1", NIGH_FORMAT, "index:value"}, {"1 5", NIGH_FORMAT, "index:value is expected, not '5'"}, {"1 99999999999999999999:1", NIGH_FORMAT, "index:value"},
        {"1 9000000000000000000:1", NIGH_FORMAT, "number of columns"}, {"1 qid:1 1:1\n2 1:1", NIGH_FORMAT, "'qid:' is expected"},
        {"1 1:1\n2 qid:1 1:1", NIGH_FORMAT, "have no qid"}, {"\xff\xfe" "1", NIGH_FORMAT, "UTF-16"},
    };
    nigh_context *ctx = test_context_new();
    nigh_libsvm_rows s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_fails(ctx, libsvm(ctx, cases[i].text, NULL, &s), cases[i].status, cases[i].part);
    assert_fails(ctx, libsvm(ctx, "1 4:1", &(nigh_libsvm_options){.columns = 3}, &s), NIGH_FORMAT, "number of columns");
    assert_fails(ctx, libsvm(ctx, "1 4:1", &(nigh_libsvm_options){.columns = -3}, &s), NIGH_INVALID, "columns is -3");
    test_context_free(ctx);
}

static void reads_edges(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_edges e, again;
    char *folder = test_folder_new(), path[512];
    const char text[] = "# comment\r\n% other\r\n5\t7\r\n 7  900000000000 \r\n\r\n5,7";
    assert_ok(ctx, nigh_snap_parse(ctx, text, sizeof text - 1, "x", &e));
    assert_true(e.count == 3 && !e.weight && e.from[0] == 5 && e.to[1] == 900000000000 && e.to[2] == 7);
    int64_t nodes, *old;
    assert_ok(ctx, nigh_edges_compact(ctx, &e, &nodes, &old));
    assert_true(nodes == 3 && old[0] == 5 && old[2] == 900000000000 && e.from[0] == 0 && e.to[0] == 1 && e.from[1] == 1 && e.to[1] == 2);
    nigh_free(ctx, old);
    for (int gz = 0; gz < 2; gz++) {
        snprintf(path, sizeof path, "%s/e.txt%s", folder, gz ? ".gz" : "");
        assert_ok(ctx, nigh_snap_write(ctx, path, &e));
        assert_ok(ctx, nigh_snap_read(ctx, path, &again));
        assert_memory_equal(e.to, again.to, 3 * sizeof *e.to);
        nigh_edges_free(ctx, &again);
    }
    nigh_edges_free(ctx, &e);
    assert_ok(ctx, nigh_snap_parse(ctx, "0 1 0.5\n1 2 -3e2", 16, "x", &e));
    assert_true(e.weight[0] == 0.5 && e.weight[1] == -300);
    nigh_edges_free(ctx, &e);
    static const char *const cases[][2] = {{"", "no edges"}, {"1", "a blank"}, {"1 ", "second node"}, {"-1 2", "the number of a node"}, {"1 2\n1 2 3", "two fields"},
        {"1 2 3\n1 2", "a weight is expected"}, {"1 2 x", "a weight"}, {"1 2 3 4", "end of the line"}, {"1,,2", "second node"}, {"1 99999999999999999999", "second node"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(ctx, nigh_snap_parse(ctx, cases[i][0], strlen(cases[i][0]), "x", &e), NIGH_FORMAT, cases[i][1]);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static nigh_status all_formats(nigh_context *ctx, void *user)
{
    nigh_array a = {0};
    nigh_libsvm_rows s = {0}, t = {0};
    nigh_edges e = {0};
    nigh_buffer idx = {.ctx = ctx}, svm = {.ctx = ctx}, snap = {.ctx = ctx};
    nigh_array dense = {0};
    int64_t nodes, *old = NULL;
    nigh_status status = nigh_idx_parse(ctx, IDX2 "\0\1\0\2\0\3\xff\xff\x80\0\x7f\xff", 24, "x", &a);
    if (!status) status = nigh_idx_format(ctx, &a, &idx);
    if (!status) status = nigh_libsvm_parse(ctx, "1 qid:1 1:2 2:3 4:5\n2 qid:2 3:1\n", 32, "x", NULL, &s);
    if (!status) status = nigh_libsvm_format(ctx, &s, &svm);
    if (!status) status = nigh_libsvm_to_dense(ctx, &s, 0, &dense);
    if (!status) status = nigh_libsvm_from_dense(ctx, 2, 4, dense.data, NULL, &t);
    if (!status) status = nigh_snap_parse(ctx, "0 1 2\n3 4 5\n5 6 7\n", 18, "x", &e);
    if (!status) status = nigh_snap_format(ctx, &e, &snap);
    if (!status) status = nigh_edges_compact(ctx, &e, &nodes, &old);
    nigh_free(ctx, old);
    nigh_array_free(ctx, &a);
    nigh_array_free(ctx, &dense);
    nigh_libsvm_free(ctx, &s);
    nigh_libsvm_free(ctx, &t);
    nigh_edges_free(ctx, &e);
    nigh_buffer_free(&idx);
    nigh_buffer_free(&svm);
    nigh_buffer_free(&snap);
    return status;
}
static void fails_cleanly_without_memory(void **state) { fail_every_allocation(all_formats, NULL); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_idx), cmocka_unit_test(writes_idx), cmocka_unit_test(reads_libsvm), cmocka_unit_test(refuses_libsvm),
        cmocka_unit_test(reads_edges), cmocka_unit_test(fails_cleanly_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
