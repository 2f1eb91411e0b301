/* safetensors against fixtures by its package; round trips; bad input; failing allocations. */
#include "io_support.h"

static void reads_every_type(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle b;
    assert_ok(ctx, nigh_safetensors_read(ctx, FIXTURE("all.safetensors"), &b));
    assert_int_equal(b.count, 15);
    for (nigh_dtype t = NIGH_F64; t < NIGH_C128; t++) {
        if (t == NIGH_BF16) continue;
        const nigh_array *a = nigh_bundle_find(&b, nigh_dtype_name(t));
        assert_non_null(a);
        assert_int_equal(a->shape.dtype, t);
        assert_int_equal(a->shape.dim[0], 3);
        assert_ramp(a, 12);
    }
    assert_true(nigh_array_get(nigh_bundle_find(&b, "scalar"), 0) == 2.5);
    assert_int_equal(nigh_bundle_find(&b, "empty")->shape.dim[1], 2);
    assert_null(nigh_bundle_find(&b, "nobody"));
    assert_non_null(strstr(b.metadata, "\"made by\":\"safetensors\""));
    nigh_bundle_free(&b);
    assert_ok(ctx, nigh_safetensors_read(ctx, FIXTURE("bf16.safetensors"), &b));
    assert_true(nigh_array_get(&b.items[0].array, 0) == 1 && nigh_array_get(&b.items[0].array, 1) == -2);
    assert_null(b.metadata);
    nigh_bundle_free(&b);
    assert_fails(ctx, nigh_safetensors_read(ctx, FIXTURE("f8.safetensors"), &b), NIGH_UNSUPPORTED, "F8_E4M3");
    test_context_free(ctx);
}

static void writes_what_it_reads(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[512];
    nigh_bundle a, b;
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    assert_ok(ctx, nigh_safetensors_read(ctx, FIXTURE("all.safetensors"), &a));
    assert_ok(ctx, nigh_safetensors_write(ctx, path, &a));
    assert_ok(ctx, nigh_safetensors_read(ctx, path, &b));
    assert_int_equal(a.count, b.count);
    for (int64_t i = 0; i < a.count; i++) assert_same_array(&a.items[i].array, nigh_bundle_find(&b, a.items[i].name));
    assert_string_equal(a.metadata, b.metadata);
    size_t size;
    char *bytes = slurp(path, &size);
    uint64_t header;
    memcpy(&header, bytes, 8);
    assert_int_equal((header + 8) % 64, 0);
    free(bytes);
    nigh_bundle_free(&a);
    nigh_bundle_free(&b);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void writes_names_and_nothing(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle a = {.ctx = ctx}, b;
    nigh_buffer out = {.ctx = ctx};
    assert_ok(ctx, nigh_safetensors_format(ctx, &a, &out));
    assert_ok(ctx, nigh_safetensors_parse(ctx, out.data, out.size, "none", &b));
    assert_int_equal(b.count, 0);
    nigh_bundle_free(&b);
    nigh_buffer_free(&out);
    float one = 1;
    nigh_array x = {{NIGH_F32, 0, {0}}, &one};
    static const char *const names[] = {"a\"b\\c\n\t\x01", "\xc3\xa9", "layer.0/w", "x"};
    for (int i = 0; i < 4; i++) assert_ok(ctx, nigh_bundle_add(&a, names[i], &x));
    assert_fails(ctx, nigh_bundle_add(&a, "x", &x), NIGH_INVALID, "already has an array named 'x'");
    assert_fails(ctx, nigh_bundle_add(&a, "", &x), NIGH_INVALID, "needs a name");
    out.ctx = ctx;
    assert_ok(ctx, nigh_safetensors_format(ctx, &a, &out));
    assert_ok(ctx, nigh_safetensors_parse(ctx, out.data, out.size, "names", &b));
    for (int i = 0; i < 4; i++) assert_non_null(nigh_bundle_find(&b, names[i]));
    nigh_bundle_free(&b);
    size_t size = out.size;
    assert_ok(ctx, nigh_bundle_add(&a, "\xff", &x));
    assert_fails(ctx, nigh_safetensors_format(ctx, &a, &out), NIGH_INVALID, "UTF-8");
    assert_int_equal(out.size, size);
    strcpy(a.items[4].name, "x");
    assert_fails(ctx, nigh_safetensors_format(ctx, &a, &out), NIGH_INVALID, "stands twice");
    strcpy(a.items[4].name, "y");
    a.metadata = nigh_strdup(ctx, "{\"n\":1}");
    assert_fails(ctx, nigh_safetensors_format(ctx, &a, &out), NIGH_INVALID, "'n' must be a string");
    strcpy(a.metadata, "{\"n\"");
    assert_fails(ctx, nigh_safetensors_format(ctx, &a, &out), NIGH_INVALID, "metadata: byte");
    nigh_bundle_free(&a);
    double z[2] = {1, 2};
    assert_ok(ctx, nigh_bundle_add(&a, "z", &(nigh_array){{NIGH_C128, 0, {0}}, z}));
    assert_fails(ctx, nigh_safetensors_format(ctx, &a, &out), NIGH_UNSUPPORTED, "c128");
    nigh_bundle_free(&a);
    nigh_buffer_free(&out);
    test_context_free(ctx);
}

static void refuses_with_reason(void **state)
{
#define T(shape, from, to) "{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" from "," to "]}"
    static const struct {
        const char *header;
        size_t data;
        nigh_status status;
        const char *part;
    } cases[] = {
        {"{\"a\":" T("2", "0", "8") ",\"b\":" T("1", "8", "12") "}  ", 12, NIGH_OK, ""},
        {"{\"a\":" T("2", "0", "8") ",\"b\":" T("1", "4", "8") "}", 8, NIGH_FORMAT, "overlap"},
        {"{\"a\":" T("2", "0", "8") ",\"b\":" T("1", "12", "16") "}", 16, NIGH_FORMAT, "hole"},
        {"{\"a\":" T("2", "4", "12") "}", 12, NIGH_FORMAT, "hole"},
        {"{\"a\":" T("2", "0", "8") "}", 7, NIGH_FORMAT, "cut off"},
        {"{\"a\":" T("2", "0", "8") "}", 9, NIGH_FORMAT, "the file has 9"},
        {"{\"a\":" T("3", "0", "8") "}", 8, NIGH_FORMAT, "are not the size"},
        {"{\"a\":" T("4611686018427387904,16", "0", "0") "}", 0, NIGH_FORMAT, "uncountable"},
        {"{\"a\":" T("-1", "0", "8") "}", 8, NIGH_FORMAT, "whole number"},
        {"{\"a\":" T("2.0", "0", "8") "}", 8, NIGH_FORMAT, "whole number"},
        {"{\"a\":" T("2", "8", "0") "}", 8, NIGH_FORMAT, "begin <= end"},
        {"{\"a\":" T("1,1,1,1,1,1,1,1,1", "0", "4") "}", 4, NIGH_UNSUPPORTED, "9 dimensions"},
        {"{\"a\":" T("1", "0", "4") ",\"a\":" T("1", "4", "8") "}", 8, NIGH_FORMAT, "duplicate"},
        {"{\"\":" T("1", "0", "4") "}", 4, NIGH_FORMAT, "empty name"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, NIGH_FORMAT, "exactly dtype"},
        {"{\"a\":[1]}", 4, NIGH_FORMAT, "exactly dtype"},
        {"{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}}", 4, NIGH_FORMAT, "dtype must be a string"},
        {"{\"__metadata__\":{\"a\":[]}}", 0, NIGH_FORMAT, "'a' must be a string"},
        {"{\"__metadata__\":7}", 0, NIGH_FORMAT, "object of strings"},
        {" {}", 0, NIGH_FORMAT, "must begin with '{'"},
        {"{} x", 0, NIGH_FORMAT, "header: "},
        {"{\"a\":", 0, NIGH_FORMAT, "header: "},
    };
#undef T
    nigh_context *ctx = test_context_new();
    nigh_bundle b = {.ctx = ctx};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[512] = "";
        uint64_t length = strlen(cases[i].header);
        memcpy(bytes, &length, 8);
        memcpy(bytes + 8, cases[i].header, length);
        assert_fails(ctx, nigh_safetensors_parse(ctx, bytes, 8 + length + cases[i].data, "x", &b), cases[i].status, cases[i].part);
        nigh_bundle_free(&b);
    }
    char deep[400];
    uint64_t length = 300;
    memcpy(deep, &length, 8);
    memset(deep + 8, '[', 300);
    deep[8] = '{';
    assert_fails(ctx, nigh_safetensors_parse(ctx, deep, 308, "deep", &b), NIGH_FORMAT, "deeper than 64");
    memset(deep, 255, 8);
    assert_fails(ctx, nigh_safetensors_parse(ctx, deep, 308, "huge", &b), NIGH_FORMAT, "at most 100000000");
    assert_fails(ctx, nigh_safetensors_parse(ctx, deep, 7, "tiny", &b), NIGH_FORMAT, "7 bytes");
    assert_fails(ctx, nigh_safetensors_read(ctx, "/none/x", &b), NIGH_IO, "cannot open '/none/x'");
    size_t size;
    char *bytes = slurp(FIXTURE("all.safetensors"), &size);
    for (size_t cut = 0; cut < size; cut++) assert_int_equal(nigh_safetensors_parse(ctx, bytes, cut, "cut", &b), NIGH_FORMAT);
    free(bytes);
    test_context_free(ctx);
}

static nigh_status read_and_write(nigh_context *ctx, void *user)
{
    nigh_bundle b = {.ctx = ctx};
    nigh_status status = nigh_safetensors_read(ctx, FIXTURE("all.safetensors"), &b);
    if (!status) status = nigh_bundle_add(&b, "more", &b.items[0].array);
    if (!status) status = nigh_safetensors_write(ctx, user, &b);
    nigh_bundle_free(&b);
    return status;
}

static void survives_failing_allocations(void **state)
{
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    fail_every_allocation(read_and_write, path);
    assert_int_equal(files_in(folder), 1);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_every_type), cmocka_unit_test(writes_what_it_reads),
                                       cmocka_unit_test(writes_names_and_nothing), cmocka_unit_test(refuses_with_reason),
                                       cmocka_unit_test(survives_failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
