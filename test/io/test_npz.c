/* npz against fixtures by NumPy; round trips stored, deflated and zip64; damage; failing allocations. */
#include "io_support.h"

#include "io/stream.h"

static void reads_what_numpy_wrote(void **state)
{
    static const char *const files[] = {FIXTURE("stored.npz"), FIXTURE("streamed.npz")};
    nigh_context *ctx = test_context_new();
    nigh_bundle b;
    for (int i = 0; i < 2; i++) {
        assert_ok(ctx, nigh_npz_read(ctx, files[i], &b));
        assert_int_equal(b.count, 4);
        assert_string_equal(b.items[0].name, "inputs");
        assert_ramp(nigh_bundle_find(&b, "inputs"), 12);
        assert_ramp(nigh_bundle_find(&b, "outputs"), 8);
        assert_ramp(nigh_bundle_find(&b, "deep/label"), 4);
        assert_ramp(nigh_bundle_find(&b, "none"), 0);
        assert_null(b.metadata);
        nigh_bundle_free(&b);
    }
    assert_ok(ctx, nigh_npz_read(ctx, FIXTURE("deflated.npz"), &b));
    const nigh_array *a = nigh_bundle_find(&b, "inputs");
    assert_int_equal(a->shape.dim[0], 80);
    for (int i = 0; i < 240; i++) assert_true(nigh_array_get(a, i) == i % 12 - 3);
    assert_int_equal(nigh_bundle_find(&b, "flag")->shape.dtype, NIGH_BOOL);
    nigh_bundle_free(&b);
    test_context_free(ctx);
}

static void fill(nigh_context *ctx, nigh_bundle *b)
{
    static const char *const names[] = {"a", "deep/er/b", "\xc3\xa9", "c"};
    for (int i = 0; i < 4; i++) {
        nigh_array a;
        assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){(nigh_dtype)(i == 0 ? NIGH_F64 : NIGH_I16), 2, {i * 300, 7}}, &a));
        for (int64_t k = 0; k < i * 2100; k++) nigh_array_set(&a, k, (double)(k * k % 1009) - 300);
        assert_ok(ctx, nigh_bundle_add(b, names[i], &a));
        nigh_array_free(ctx, &a);
    }
}

static void assert_same_bundle(const nigh_bundle *a, const nigh_bundle *b)
{
    assert_int_equal(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i].name, b->items[i].name);
        assert_same_array(&a->items[i].array, &b->items[i].array);
    }
}

static void writes_what_it_reads(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle a = {.ctx = ctx}, b;
    size_t stored = 0;
    fill(ctx, &a);
    for (int mode = 0; mode < 4; mode++) { /* stored, deflated, both again with zip64 records throughout */
        nigh_buffer out = {.ctx = ctx};
        nigh_io_sink sink = nigh_io_sink_buffer(ctx, &out);
        assert_ok(ctx, nigh_io_npz_put(&sink, &a, mode & 1 ? 9 : 0, mode & 2));
        assert_ok(ctx, nigh_npz_parse(ctx, out.data, out.size, "x", &b));
        assert_same_bundle(&a, &b);
        if (mode == 0) stored = out.size;
        if (mode == 1) assert_true(out.size < stored);
        nigh_bundle_free(&b);
        nigh_buffer_free(&out);
    }
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/x.npz", folder);
    assert_ok(ctx, nigh_npz_write(ctx, path, &a, 0));
    assert_ok(ctx, nigh_npz_read(ctx, path, &b));
    assert_same_bundle(&a, &b);
    nigh_bundle_free(&b);
    assert_fails(ctx, nigh_npz_write(ctx, path, &a, 10), NIGH_INVALID, "level is 10");
    static const char *const bad[] = {"..", "../x", "x/../y", "/x", "x\\y", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        nigh_bundle c = {.ctx = ctx};
        double one = 1;
        assert_ok(ctx, nigh_bundle_add(&c, bad[i], &(nigh_array){{NIGH_F64, 0, {0}}, &one}));
        assert_fails(ctx, nigh_npz_write(ctx, path, &c, 0), NIGH_INVALID, "cannot name an array");
        nigh_bundle_free(&c);
    }
    nigh_bundle none = {.ctx = ctx};
    assert_ok(ctx, nigh_npz_write(ctx, path, &none, 0));
    assert_ok(ctx, nigh_npz_read(ctx, path, &b));
    assert_int_equal(b.count, 0);
    nigh_bundle_free(&b);
    assert_int_equal(files_in(folder), 1);
    test_folder_remove(folder);
    nigh_bundle_free(&a);
    test_context_free(ctx);
}

/* No changed byte may crash, and none in the data may pass; every shortened file is refused. */
static void damage_is_noticed(void **state)
{
    static const char *const files[] = {FIXTURE("stored.npz"), FIXTURE("deflated.npz"), FIXTURE("streamed.npz")};
    nigh_context *ctx = test_context_new();
    nigh_bundle b, whole;
    for (int f = 0; f < 3; f++) {
        size_t size;
        char *bytes = slurp(files[f], &size);
        assert_ok(ctx, nigh_npz_parse(ctx, bytes, size, "whole", &whole));
        for (size_t cut = 0; cut < size; cut++) assert_int_equal(nigh_npz_parse(ctx, bytes, cut, "cut", &b), NIGH_FORMAT);
        for (size_t at = 0; at < size; at++) {
            bytes[at] ^= 0x10;
            if (nigh_npz_parse(ctx, bytes, size, "bent", &b) == NIGH_OK) {
                assert_int_equal(b.count, whole.count);
                for (int64_t i = 0; i < b.count; i++) assert_same_array(&b.items[i].array, &whole.items[i].array);
                nigh_bundle_free(&b);
            }
            bytes[at] ^= 0x10;
        }
        nigh_bundle_free(&whole);
        free(bytes);
    }
    test_context_free(ctx);
}

static void refuses_with_reason(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle b = {.ctx = ctx};
    assert_fails(ctx, nigh_npz_read(ctx, "/none/x.npz", &b), NIGH_IO, "cannot open '/none/x.npz'");
    assert_fails(ctx, nigh_npz_read(ctx, FIXTURE("f8.npy"), &b), NIGH_FORMAT, "no npz (zip) file");
    assert_fails(ctx, nigh_npz_read(ctx, FIXTURE("bzip2.npz"), &b), NIGH_UNSUPPORTED, "entry 'a.npy': its compression");
    size_t size;
    char *bytes = slurp(FIXTURE("stored.npz"), &size), *at;
    for (at = bytes; memcmp(at, "outputs.npy", 11) != 0;) at++;
    char *last = at;
    for (char *p = at; p < bytes + size - 11; p++)
        if (memcmp(p, "outputs.npy", 11) == 0) last = p;
    memcpy(at, "../puts.npy", 11), memcpy(last, "../puts.npy", 11);
    assert_fails(ctx, nigh_npz_parse(ctx, bytes, size, "x", &b), NIGH_FORMAT, "without '..'");
    memcpy(at, "outputs.txt", 11), memcpy(last, "outputs.txt", 11);
    assert_fails(ctx, nigh_npz_parse(ctx, bytes, size, "x", &b), NIGH_FORMAT, ".npy entries only");
    memcpy(at, "outputs.npy", 11);
    assert_fails(ctx, nigh_npz_parse(ctx, bytes, size, "x", &b), NIGH_FORMAT, ".npy entries only");
    memcpy(last, "outputs.npy", 11);
    last[-46 + 8] |= 1;
    assert_fails(ctx, nigh_npz_parse(ctx, bytes, size, "x", &b), NIGH_UNSUPPORTED, "encrypted");
    last[-46 + 8] = 0;
    at[40]++;
    assert_fails(ctx, nigh_npz_parse(ctx, bytes, size, "x", &b), NIGH_FORMAT, "CRC-32");
    free(bytes);
    test_context_free(ctx);
}

static void names_must_differ(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle a = {.ctx = ctx}, b = {.ctx = ctx};
    double one = 1;
    nigh_array x = {{NIGH_F64, 0, {0}}, &one};
    nigh_buffer out = {.ctx = ctx};
    assert_ok(ctx, nigh_bundle_add(&a, "a", &x));
    assert_ok(ctx, nigh_bundle_add(&a, "b", &x));
    assert_ok(ctx, nigh_npz_format(ctx, &a, 0, &out));
    for (size_t i = 0; i + 5 < out.size; i++)
        if (memcmp(out.data + i, "b.npy", 5) == 0) out.data[i] = 'a';
    assert_fails(ctx, nigh_npz_parse(ctx, out.data, out.size, "x", &b), NIGH_FORMAT, "'a' stands twice");
    a.items[1].name[0] = 'a';
    assert_fails(ctx, nigh_npz_format(ctx, &a, 0, &out), NIGH_INVALID, "'a' stands twice");
    nigh_buffer_free(&out);
    nigh_bundle_free(&a);
    test_context_free(ctx);
}

static nigh_status read_and_write(nigh_context *ctx, void *user)
{
    nigh_bundle b = {.ctx = ctx};
    nigh_status status = nigh_npz_read(ctx, FIXTURE("deflated.npz"), &b);
    if (!status) status = nigh_npz_write(ctx, user, &b, 6);
    if (!status) status = nigh_npz_write(ctx, user, &b, 0);
    nigh_bundle_free(&b);
    return status;
}

static void survives_failing_allocations(void **state)
{
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/x.npz", folder);
    fail_every_allocation(read_and_write, path);
    assert_int_equal(files_in(folder), 1);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_what_numpy_wrote), cmocka_unit_test(writes_what_it_reads),
                                       cmocka_unit_test(damage_is_noticed), cmocka_unit_test(refuses_with_reason),
                                       cmocka_unit_test(names_must_differ), cmocka_unit_test(survives_failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
