/* HDF5 against fixtures by h5py; round trips; hostile files, streams and programs; failing allocations; many threads. */
#include "io/hdf5_stream.h"
#include "io_support.h"

#include <pthread.h>
#include <sys/stat.h>

#ifdef NIGH_HAVE_HDF5
static const char *const no_outside[] = {"f64", "big/f64", NULL};

static void reads_every_type(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle b;
    char name[32];
    assert_ok(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), NULL, &b));
    for (nigh_dtype t = NIGH_F64; t <= NIGH_C128; t++) {
        if (t == NIGH_BF16) continue;
        const nigh_array *a = nigh_bundle_find(&b, nigh_dtype_name(t));
        assert_non_null(a);
        assert_int_equal(a->shape.dtype, t);
        assert_ramp(a, 12);
        snprintf(name, sizeof name, "big/%s", nigh_dtype_name(t));
        const nigh_array *big = nigh_bundle_find(&b, name);
        if (big) assert_same_array(a, big);
        else assert_true(t == NIGH_BOOL || t == NIGH_C64);
    }
    const nigh_array *e = nigh_bundle_find(&b, "enum");
    assert_int_equal(e->shape.dtype, NIGH_I16);
    assert_true(nigh_array_get(e, 0) == 0 && nigh_array_get(e, 1) == 2 && nigh_array_get(e, 2) == 1);
    assert_int_equal(nigh_bundle_find(&b, "scalar")->shape.ndim, 0);
    assert_true(nigh_array_get(nigh_bundle_find(&b, "scalar"), 0) == 2.5);
    assert_int_equal(nigh_bundle_find(&b, "empty")->shape.dim[1], 2);
    assert_true(nigh_array_get(nigh_bundle_find(&b, "deep/er/one"), 2) == 2);
    assert_null(nigh_bundle_find(&b, "alias"));
    nigh_bundle_free(&b);
    test_context_free(ctx);
}

static void reads_filters_and_names(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle b;
    assert_ok(ctx, nigh_hdf5_read(ctx, FIXTURE("chunked.h5"), NULL, &b));
    static const char *const names[] = {"gzip", "big", "scaleoffset"};
    for (int k = 0; k < 3; k++) {
        const nigh_array *a = nigh_bundle_find(&b, names[k]);
        for (int64_t i = 0; i < 1200; i++) assert_true(nigh_array_get(a, i) == (double)(i % 17));
    }
    assert_true(nigh_array_get(nigh_bundle_find(&b, "growing"), 4) == 4);
    assert_true(nigh_array_get(nigh_bundle_find(&b, "unwritten"), 8) == 7);
    nigh_bundle_free(&b);
    assert_ok(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.names = no_outside}, &b));
    assert_int_equal(b.count, 2);
    nigh_bundle_free(&b);
    const char *const alias[] = {"alias", NULL}, *const outside[] = {"outside", NULL}, *const nobody[] = {"nobody/x", NULL}, *const none[] = {NULL};
    assert_ok(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.names = alias}, &b));
    assert_true(nigh_array_get(&b.items[0].array, 2) == 2);
    nigh_bundle_free(&b);
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.names = outside}, &b), NIGH_INVALID, "'outside': is not there");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.names = nobody}, &b), NIGH_INVALID, "data set 'nobody/x'");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.names = none}, &b), NIGH_INVALID, "empty");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.seconds = -1}, &b), NIGH_INVALID, "seconds");
    nigh_array a;
    assert_ok(ctx, nigh_array_read(ctx, FIXTURE("types.h5") ":deep/er/one", &a));
    assert_int_equal(a.shape.dim[0], 3);
    nigh_array_free(ctx, &a);
    assert_ok(ctx, nigh_array_read(ctx, FIXTURE("scalar.h5"), &a));
    assert_int_equal(a.shape.dtype, NIGH_F32);
    nigh_array_free(ctx, &a);
    assert_fails(ctx, nigh_array_read(ctx, FIXTURE("chunked.h5"), &a), NIGH_INVALID, "holds 5 arrays");
    test_context_free(ctx);
}

static int notes;
static void count_notes(void *user, nigh_log_level level, const char *text) { notes += level == NIGH_LOG_NOTE; }

static void refuses_with_reason(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_bundle b;
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("odd.h5"), NULL, &b), NIGH_UNSUPPORTED, "odd.h5': data set 'nine'");
    const char *const wanted[] = {"number", "strings", NULL};
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("odd.h5"), &(nigh_hdf5_options){.names = wanted}, &b), NIGH_UNSUPPORTED, "'strings': strings are not read");
    nigh_context_set_log(ctx, count_notes, NULL);
    assert_ok(ctx, nigh_hdf5_read(ctx, FIXTURE("odd.h5"), &(nigh_hdf5_options){.skip = true}, &b));
    assert_int_equal(b.count, 2);
    assert_int_equal(notes, 6);
    nigh_bundle_free(&b);
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("external.h5"), NULL, &b), NIGH_UNSUPPORTED, "external");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("claims.h5"), NULL, &b), NIGH_RESOURCE, "data set 'huge'");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.max_bytes = 20}, &b), NIGH_RESOURCE, "cap");
    const char *const small[] = {"small", NULL};
    assert_ok(ctx, nigh_hdf5_read(ctx, FIXTURE("claims.h5"), &(nigh_hdf5_options){.names = small}, &b));
    nigh_bundle_free(&b);
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("numpy.csv"), NULL, &b), NIGH_FORMAT, "cannot be opened as HDF5");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("none.h5"), NULL, &b), NIGH_IO, "none.h5");
    assert_fails(ctx, nigh_hdf5_parse(ctx, "abc", 3, "text", NULL, &b), NIGH_FORMAT, "signature");
    test_context_free(ctx);
}

static void fill(nigh_context *ctx, nigh_bundle *b)
{
    static const char *const names[] = {"f64", "f32", "a/f16", "a/bf16", "a/b/i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8", "bool", "c64", "\xc3\xa9/c128"};
    for (int t = NIGH_F64; t <= NIGH_C128; t++) {
        nigh_array a;
        assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){(nigh_dtype)t, 3, {5, 4, 3}}, &a));
        for (int64_t i = 0; i < 60; i++) nigh_array_set(&a, i, t == NIGH_BOOL ? i % 2 : i % 7);
        assert_ok(ctx, nigh_bundle_add(b, names[t], &a));
        nigh_array_free(ctx, &a);
    }
    double one = 1;
    assert_ok(ctx, nigh_bundle_add(b, "scalar", &(nigh_array){{NIGH_F64, 0, {0}}, &one}));
    assert_ok(ctx, nigh_bundle_add(b, "none", &(nigh_array){{NIGH_F32, 2, {0, 3}}, NULL}));
    nigh_array large;
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){NIGH_F32, 2, {1100, 301}}, &large));
    for (int64_t i = 0; i < 1100 * 301; i++) ((float *)large.data)[i] = (float)(i % 1009);
    assert_ok(ctx, nigh_bundle_add(b, "large", &large));
    nigh_array_free(ctx, &large);
}

static void writes_what_it_reads(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[512];
    nigh_bundle a = {.ctx = ctx}, b;
    fill(ctx, &a);
    for (int level = 0; level <= 9; level += 3) {
        nigh_buffer first = {.ctx = ctx}, second = {.ctx = ctx};
        snprintf(path, sizeof path, "%s/x%d.h5", folder, level);
        assert_ok(ctx, nigh_hdf5_format(ctx, &a, level, &first));
        assert_ok(ctx, nigh_hdf5_format(ctx, &a, level, &second));
        assert_true(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        assert_ok(ctx, nigh_hdf5_parse(ctx, first.data, first.size, "memory", NULL, &b));
        nigh_bundle_free(&b);
        assert_ok(ctx, nigh_hdf5_write(ctx, path, &a, level));
        assert_ok(ctx, nigh_hdf5_read(ctx, path, NULL, &b));
        assert_int_equal(a.count, b.count);
        for (int64_t i = 0; i < a.count; i++) {
            const nigh_array *x = &a.items[i].array, *y = nigh_bundle_find(&b, a.items[i].name);
            if (x->shape.dtype == NIGH_BF16)
                for (int64_t k = 0; k < 60; k++) assert_true(nigh_array_get(x, k) == nigh_array_get(y, k));
            else
                assert_same_array(x, y);
        }
        nigh_bundle_free(&b);
        nigh_buffer_free(&first);
        nigh_buffer_free(&second);
    }
    test_folder_remove(folder);
    nigh_bundle_free(&a);
    test_context_free(ctx);
}

static void refuses_names(void **state)
{
    nigh_context *ctx = test_context_new();
    static const char *const names[] = {"/a", "a//b", "a/", "..", "a/./b", "\xff"};
    nigh_buffer out = {.ctx = ctx};
    float one = 1;
    nigh_array x = {{NIGH_F32, 0, {0}}, &one};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        nigh_bundle a = {.ctx = ctx};
        assert_ok(ctx, nigh_bundle_add(&a, names[i], &x));
        assert_fails(ctx, nigh_hdf5_format(ctx, &a, 0, &out), NIGH_INVALID, "cannot stand");
        nigh_bundle_free(&a);
    }
    nigh_bundle a = {.ctx = ctx};
    assert_ok(ctx, nigh_bundle_add(&a, "a", &x));
    assert_fails(ctx, nigh_hdf5_format(ctx, &a, 10, &out), NIGH_INVALID, "level is 10");
    assert_ok(ctx, nigh_bundle_add(&a, "a/b", &x));
    assert_fails(ctx, nigh_hdf5_format(ctx, &a, 0, &out), NIGH_INVALID, "cannot be put");
    assert_int_equal(out.size, 0);
    nigh_bundle_free(&a);
    nigh_buffer_free(&out);
    test_context_free(ctx);
}

/* Cut anywhere or with bytes changed a file gives an error or other numbers, never a crash of this program. */
static void survives_damage(void **state)
{
    nigh_context *ctx = test_context_new();
    size_t size;
    char *bytes = slurp(FIXTURE("chunked.h5"), &size);
    nigh_bundle b;
    nigh_hdf5_options quick = {.seconds = 2, .max_bytes = 1 << 24};
    for (size_t cut = 8; cut < size; cut += size / 23) {
        nigh_status status = nigh_hdf5_parse(ctx, bytes, cut, "cut", &quick, &b);
        assert_true(status == NIGH_FORMAT || status == NIGH_RESOURCE || status == NIGH_UNSUPPORTED);
    }
    uint32_t random = 1;
    for (int i = 0; i < 60; i++) {
        size_t at = 8 + (random = random * 1664525u + 1013904223u) % (size - 8);
        char kept = bytes[at];
        bytes[at] = (char)(random >> 13);
        if (nigh_hdf5_parse(ctx, bytes, size, "damaged", &quick, &b) == NIGH_OK) nigh_bundle_free(&b);
        bytes[at] = kept;
    }
    free(bytes);
    test_context_free(ctx);
}

static void write_program(const char *folder, const char *script)
{
    char path[512];
    snprintf(path, sizeof path, "%s/nigh-hdf5", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
}

static void outlives_its_program(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new();
    nigh_bundle b;
    setenv("NIGH_LIBEXEC", folder, 1);
    write_program(folder, "printf 'nighh5\\1\\nB\\4\\0\\0\\0here'; kill -SEGV $$");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), NULL, &b), NIGH_FORMAT, "HDF5 library crashed reading data set 'here': Segmentation");
    write_program(folder, "kill -ABRT $$");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), NULL, &b), NIGH_FORMAT, "crashed opening the file");
    write_program(folder, "printf 'nighh5\\1\\nB\\3\\0\\0\\0one'; sleep 20");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), &(nigh_hdf5_options){.seconds = 0.2}, &b), NIGH_RESOURCE, "not done in 0.2 s (reading data set 'one')");
    write_program(folder, "echo hello");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), NULL, &b), NIGH_FAILED, "not the one of this library");
    write_program(folder, "exit 3");
    assert_fails(ctx, nigh_hdf5_read(ctx, FIXTURE("types.h5"), NULL, &b), NIGH_FORMAT, "exit code 3");
    unsetenv("NIGH_LIBEXEC");
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void *read_often(void *user)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) return "no context";
    const char *wrong = NULL;
    for (int i = 0; i < 5 && !wrong; i++) {
        nigh_bundle b = {.ctx = ctx};
        nigh_buffer out = {.ctx = ctx};
        if (nigh_hdf5_read(ctx, FIXTURE("chunked.h5"), NULL, &b) || b.count != 5) wrong = "read";
        if (!wrong && nigh_hdf5_format(ctx, &b, 1, &out)) wrong = "format";
        nigh_bundle_free(&b);
        nigh_buffer_free(&out);
    }
    nigh_context_free(ctx);
    return (void *)wrong;
}

static void works_with_threads(void **state)
{
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&thread[i], NULL, read_often, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
}

static nigh_status read_one(nigh_context *ctx, void *user)
{
    nigh_bundle b = {.ctx = ctx};
    nigh_buffer out = {.ctx = ctx};
    nigh_hdf5_options wanted = {.names = no_outside};
    nigh_status status = nigh_hdf5_read(ctx, FIXTURE("types.h5"), &wanted, &b);
    if (!status) status = nigh_hdf5_format(ctx, &b, 0, &out);
    nigh_bundle_free(&b);
    nigh_buffer_free(&out);
    return status;
}
static void fails_cleanly_without_memory(void **state) { fail_every_allocation(read_one, NULL); }
#endif

/* The stream itself: what a program taken over by its file could send. */
static void doubts_the_stream(void **state)
{
#define M "nighh5\1\n"
#define S(text) text, sizeof text - 1
    static const struct {
        const char *bytes;
        size_t size;
        nigh_status status;
        const char *part;
    } cases[] = {
        {S(M "E"), NIGH_OK, ""},
        {S(M "D\1\0\0\0x\13\1\2\0\0\0\0\0\0\0abE"), NIGH_OK, ""},
        {S("nighh5\2\nE"), NIGH_FAILED, "not the one"},
        {S(M), NIGH_FORMAT, "end mark"},
        {S(M "EE"), NIGH_FORMAT, "follows"},
        {S(M "Z"), NIGH_FORMAT, "no such record"},
        {S(M "D\1\0\0\0x\13\1\3\0\0\0\0\0\0\0ab"), NIGH_FORMAT, "cut off"},
        {S(M "D\1\0\0\0x\13\1\xff\xff\xff\xff\xff\xff\xff\x7f"), NIGH_RESOURCE, "cap"},
        {S(M "D\1\0\0\0x\0\1\xff\xff\xff\xff\xff\xff\xff\x7f"), NIGH_FORMAT, "uncountable"},
        {S(M "D\1\0\0\0x\0\1\xff\xff\xff\xff\xff\xff\xff\xff"), NIGH_FORMAT, "too large"},
        {S(M "D\1\0\0\0x\17\0"), NIGH_FORMAT, "element type"},
        {S(M "D\1\0\0\0x\13\11"), NIGH_FORMAT, "dimensions"},
        {S(M "D\0\0\0\0\13\0aE"), NIGH_FORMAT, "needs a name"},
        {S(M "D\xff\xff\xff\xffx"), NIGH_FORMAT, "needs a name"},
        {S(M "D\1\0\0\0\xff\13\0aE"), NIGH_FORMAT, "UTF-8"},
        {S(M "D\1\0\0\0x\13\0aD\1\0\0\0x\13\0bE"), NIGH_FORMAT, "stands twice"},
        {S(M "F\3\1\0\0\0x\4\0\0\0\33[2J"), NIGH_FORMAT, "data set 'x': ?[2J"},
        {S(M "F\0\0\0\0\0\0\0\0\0"), NIGH_FORMAT, "unknown kind"},
        {S(M "F\3\1\0\0"), NIGH_FORMAT, "cut off"},
    };
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_bundle b = {.ctx = ctx};
        char *copy = malloc(cases[i].size); /* exact size: a sanitizer sees every step too far */
        memcpy(copy, cases[i].bytes, cases[i].size);
        nigh_status status = hdf5_stream_parse(ctx, copy, cases[i].size, "file", 1 << 20, NULL, &b);
        if (status != cases[i].status) fail_msg("case %zu: %s: %s", i, nigh_status_text(status), nigh_message(ctx));
        if (status && !strstr(nigh_message(ctx), cases[i].part)) fail_msg("case %zu: '%s' lacks '%s'", i, nigh_message(ctx), cases[i].part);
        nigh_bundle_free(&b);
        free(copy);
    }
    nigh_bundle b;
    const char *const y[] = {"y", NULL};
    assert_fails(ctx, hdf5_stream_parse(ctx, S(M "D\1\0\0\0x\13\0aE"), "file", 100, y, &b), NIGH_FORMAT, "nobody asked");
    assert_fails(ctx, hdf5_stream_parse(ctx, S(M "E"), "file", 100, y, &b), NIGH_FORMAT, "missing");
    size_t length = 0;
    const char *last = hdf5_stream_last(S(M "B\1\0\0\0aD\1\0\0\0a\13\0aB\2\0\0\0bcD\2\0"), &length);
    assert_true(last && length == 2 && memcmp(last, "bc", 2) == 0);
    assert_null(hdf5_stream_last(S(M "B\5\0\0\0a"), &length));
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef NIGH_HAVE_HDF5
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(reads_filters_and_names),
        cmocka_unit_test(refuses_with_reason),
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(refuses_names),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(outlives_its_program),
        cmocka_unit_test(works_with_threads),
        cmocka_unit_test(fails_cleanly_without_memory),
#endif
        cmocka_unit_test(doubts_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
