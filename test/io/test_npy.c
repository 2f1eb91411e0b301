/* npy against fixtures by NumPy; round trips; bad input; writing atomically; failing allocations. */
#include "io_support.h"

#include <sys/stat.h>

static void reads_every_type(void **state)
{
    static const char *const names[] = {"f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1", "c8", "c16",
                                        "big_f8", "big_i4", "big_u2", "big_c8"};
    static const nigh_dtype types[] = {NIGH_F64, NIGH_F32, NIGH_F16, NIGH_I64, NIGH_I32, NIGH_I16, NIGH_I8, NIGH_U64, NIGH_U32,
                                       NIGH_U16, NIGH_U8, NIGH_BOOL, NIGH_C64, NIGH_C128, NIGH_F64, NIGH_I32, NIGH_U16, NIGH_C64};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char path[512];
        nigh_array array;
        snprintf(path, sizeof path, FIXTURE("%s.npy"), names[i]);
        assert_ok(ctx, nigh_npy_read(ctx, path, &array));
        assert_int_equal(array.shape.dtype, types[i]);
        assert_int_equal(array.shape.ndim, 2);
        assert_int_equal(array.shape.dim[1], 4);
        assert_ramp(&array, 12);
        nigh_array_free(ctx, &array);
    }
    test_context_free(ctx);
}

static void reads_orders_shapes_versions(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a;
    assert_ok(ctx, nigh_npy_read(ctx, FIXTURE("fortran.npy"), &a));
    assert_int_equal(a.shape.ndim, 3);
    assert_int_equal(a.shape.dim[0], 2);
    assert_ramp(&a, 24);
    nigh_array_free(ctx, &a);
    assert_ok(ctx, nigh_npy_read(ctx, FIXTURE("scalar.npy"), &a));
    assert_int_equal(a.shape.ndim, 0);
    assert_true(nigh_array_get(&a, 0) == 2.5);
    nigh_array_free(ctx, &a);
    assert_ok(ctx, nigh_npy_read(ctx, FIXTURE("vector.npy"), &a));
    assert_ramp(&a, 5);
    nigh_array_free(ctx, &a);
    assert_ok(ctx, nigh_npy_read(ctx, FIXTURE("empty.npy"), &a));
    assert_int_equal(nigh_shape_count(&a.shape), 0);
    assert_int_equal(a.shape.dim[1], 3);
    nigh_array_free(ctx, &a);
    for (int version = 2; version <= 3; version++) {
        assert_ok(ctx, nigh_npy_read(ctx, version == 2 ? FIXTURE("version2.npy") : FIXTURE("version3.npy"), &a));
        assert_ramp(&a, 4);
        nigh_array_free(ctx, &a);
    }
    test_context_free(ctx);
}

static void writes_what_numpy_writes(void **state)
{
    static const char *const names[] = {"f8", "f2", "i4", "u1", "b1", "c16", "scalar", "vector", "empty"};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        size_t size;
        snprintf(path, sizeof path, FIXTURE("%s.npy"), names[i]);
        char *bytes = slurp(path, &size);
        nigh_array array;
        nigh_buffer out = {.ctx = ctx};
        assert_ok(ctx, nigh_npy_parse(ctx, bytes, size, names[i], &array));
        assert_ok(ctx, nigh_npy_format(ctx, &array, &out));
        assert_int_equal(out.size, size);
        assert_memory_equal(out.data, bytes, size); /* to the byte */
        nigh_array_free(ctx, &array);
        nigh_buffer_free(&out);
        free(bytes);
    }
    test_context_free(ctx);
}

static void bf16_becomes_f32(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a, b;
    nigh_buffer out = {.ctx = ctx};
    assert_ok(ctx, nigh_array_new(ctx, &(nigh_shape){NIGH_BF16, 2, {3, 700}}, &a));
    for (int i = 0; i < 2100; i++) nigh_array_set(&a, i, i * 0.37 - 50);
    assert_ok(ctx, nigh_npy_format(ctx, &a, &out));
    assert_ok(ctx, nigh_npy_parse(ctx, out.data, out.size, "bf16", &b));
    assert_int_equal(b.shape.dtype, NIGH_F32);
    for (int i = 0; i < 2100; i++) assert_true(nigh_array_get(&a, i) == nigh_array_get(&b, i));
    nigh_array_free(ctx, &a);
    nigh_array_free(ctx, &b);
    nigh_buffer_free(&out);
    test_context_free(ctx);
}

/* An npy file of version 1.0 with this header text and `data` bytes after it. */
static size_t compose(char *out, const char *header, size_t data)
{
    size_t n = strlen(header);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (char)(n & 255);
    out[9] = (char)(n >> 8);
    memcpy(out + 10, header, n);
    memset(out + 10 + n, 0, data);
    return 10 + n + data;
}

static void header_is_read_strictly(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        nigh_status status;
        const char *part;
    } cases[] = {
        {"{\"shape\" : ( 2 ,) , \"descr\":\"<f8\",\n'fortran_order' :True}  \n", 16, NIGH_OK, ""},
        {"{'descr': '<i2', 'fortran_order': False, 'shape': (1L, 2L)}", 4, NIGH_OK, ""},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 15, NIGH_FORMAT, "need 16 bytes after the header, but 15"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 17, NIGH_FORMAT, "but 17 are there"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2), }", 16, NIGH_FORMAT, "',' should follow"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), }", 16, NIGH_FORMAT, "dimension (0 or more)"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0, NIGH_FORMAT, "counted"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0, NIGH_FORMAT, "at most"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", 0, NIGH_FORMAT, "cut off"},
        {"{'descr': '<f8', 'fortran_order': False}", 0, NIGH_FORMAT, "must all be given"},
        {"{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': ()}", 8, NIGH_FORMAT, "stands twice"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (), 'x': 1}", 8, NIGH_FORMAT, "allowed keys"},
        {"{'descr': '<f8', 'fortran_order': 0, 'shape': ()}", 8, NIGH_FORMAT, "True or False"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': ()} x", 8, NIGH_FORMAT, "end after '}'"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (", 8, NIGH_FORMAT, "dimension"},
        {"{'descr': '<f8", 8, NIGH_FORMAT, "does not end"},
        {"{'descr': '|f8', 'fortran_order': False, 'shape': ()}", 8, NIGH_UNSUPPORTED, "'|f8'"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': ()}", 16, NIGH_UNSUPPORTED, "'<f16'"},
    };
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[512];
        nigh_array array = {0};
        size_t size = compose(bytes, cases[i].header, cases[i].data);
        assert_fails(ctx, nigh_npy_parse(ctx, bytes, size, "x", &array), cases[i].status, cases[i].part);
        nigh_array_free(ctx, &array);
    }
    test_context_free(ctx);
}

static void refuses_with_reason(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a = {0};
    assert_fails(ctx, nigh_npy_read(ctx, "/none/x.npy", &a), NIGH_IO, "cannot open '/none/x.npy': No such file or directory");
    assert_fails(ctx, nigh_npy_read(ctx, "/", &a), NIGH_IO, "Is a directory");
    assert_fails(ctx, nigh_npy_read(ctx, FIXTURE("object.npy"), &a), NIGH_UNSUPPORTED, "'|O' (Python objects)");
    assert_fails(ctx, nigh_npy_read(ctx, FIXTURE("text.npy"), &a), NIGH_UNSUPPORTED, "'<U5' (text)");
    assert_fails(ctx, nigh_npy_read(ctx, FIXTURE("date.npy"), &a), NIGH_UNSUPPORTED, "(dates)");
    assert_fails(ctx, nigh_npy_read(ctx, FIXTURE("struct.npy"), &a), NIGH_UNSUPPORTED, "structured dtype");
    assert_fails(ctx, nigh_npy_read(ctx, FIXTURE("nine.npy"), &a), NIGH_UNSUPPORTED, "more than 8 dimensions");
    assert_fails(ctx, nigh_npy_read(ctx, FIXTURE("stored.npz"), &a), NIGH_FORMAT, "no npy file");
    assert_null(a.data);
    size_t size;
    char *bytes = slurp(FIXTURE("f8.npy"), &size);
    for (size_t cut = 0; cut < size; cut++) assert_int_equal(nigh_npy_parse(ctx, bytes, cut, "cut", &a), NIGH_FORMAT);
    bytes[6] = 4;
    assert_fails(ctx, nigh_npy_parse(ctx, bytes, size, "new", &a), NIGH_UNSUPPORTED, "version 4.0");
    free(bytes);
    test_context_free(ctx);
}

static void writes_atomically(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[512], link[512];
    double values[6] = {1, 2, 3, 4, 5, 6};
    nigh_array a = {{NIGH_F64, 2, {2, 3}}, values}, b;
    struct stat info;
    snprintf(path, sizeof path, "%s/x.npy", folder);
    snprintf(link, sizeof link, "%s/link.npy", folder);
    assert_ok(ctx, nigh_npy_write(ctx, path, &a));
    assert_int_equal(files_in(folder), 1);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink("x.npy", link), 0);
    values[0] = 7;
    assert_ok(ctx, nigh_npy_write(ctx, link, &a)); /* through the link; mode kept */
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_ok(ctx, nigh_npy_read(ctx, path, &b));
    assert_same_array(&a, &b);
    nigh_array_free(ctx, &b);
    nigh_context_cancel(ctx); /* a writer that stops leaves the old file and no other */
    assert_int_equal(nigh_npy_write(ctx, path, &a), NIGH_INTERRUPTED);
    nigh_context_uncancel(ctx);
    assert_int_equal(files_in(folder), 2);
    assert_fails(ctx, nigh_npy_write(ctx, folder, &a), NIGH_IO, "Is a directory");
    assert_fails(ctx, nigh_npy_write(ctx, "/none/x.npy", &a), NIGH_IO, "cannot write '/none/x.npy': No such file");
    assert_fails(ctx, nigh_npy_write(ctx, "", &a), NIGH_INVALID, "empty");
    if (access("/dev/full", W_OK) == 0) assert_fails(ctx, nigh_npy_write(ctx, "/dev/full", &a), NIGH_RESOURCE, "No space left");
    a.shape.ndim = 9;
    assert_fails(ctx, nigh_npy_write(ctx, path, &a), NIGH_INVALID, "9 dimensions");
    assert_int_equal(files_in(folder), 2);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void dash_is_standard_output_and_input(void **state)
{
    nigh_context *ctx = test_context_new();
    int pipe_ends[2], output = dup(STDOUT_FILENO), input = dup(STDIN_FILENO);
    double values[3] = {1, 2, 3};
    nigh_array a = {{NIGH_F64, 1, {3}}, values}, b;
    fflush(stdout);
    assert_int_equal(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDOUT_FILENO);
    close(pipe_ends[1]);
    nigh_status status = nigh_npy_write(ctx, "-", &a);
    dup2(output, STDOUT_FILENO);
    close(output);
    assert_ok(ctx, status);
    dup2(pipe_ends[0], STDIN_FILENO);
    close(pipe_ends[0]);
    status = nigh_npy_read(ctx, "-", &b);
    assert_ok(ctx, status);
    assert_same_array(&a, &b);
    nigh_array_free(ctx, &b);
    assert_fails(ctx, nigh_npy_read(ctx, "-", &b), NIGH_FORMAT, "'standard input' is no npy file");
    dup2(input, STDIN_FILENO);
    close(input);
    test_context_free(ctx);
}

static nigh_status read_and_write(nigh_context *ctx, void *user)
{
    nigh_array array = {0};
    nigh_status status = nigh_npy_read(ctx, FIXTURE("fortran.npy"), &array);
    if (!status) status = nigh_npy_write(ctx, user, &array);
    nigh_array_free(ctx, &array);
    return status;
}

static nigh_status read_any(nigh_context *ctx, void *user)
{
    nigh_array array = {0};
    nigh_status status = nigh_array_read(ctx, user, &array);
    nigh_array_free(ctx, &array);
    return status;
}

static void survives_failing_allocations(void **state)
{
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/x.npy", folder);
    fail_every_allocation(read_and_write, path);
    assert_int_equal(files_in(folder), 1);
    fail_every_allocation(read_any, FIXTURE("stored.npz:deep/label"));
    fail_every_allocation(read_any, FIXTURE("numpy.csv.gz"));
    test_folder_remove(folder);
}

static void reads_any_format(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_array a, b;
    assert_ok(ctx, nigh_array_read(ctx, FIXTURE("numpy_csv.npy"), &a));
    assert_ok(ctx, nigh_array_read(ctx, FIXTURE("numpy.csv.gz"), &b));
    assert_same_array(&a, &b);
    nigh_array_free(ctx, &a);
    nigh_array_free(ctx, &b);
    assert_ok(ctx, nigh_array_read(ctx, FIXTURE("one.npz"), &a));
    assert_ramp(&a, 4);
    nigh_array_free(ctx, &a);
    assert_ok(ctx, nigh_array_read(ctx, FIXTURE("stored.npz:outputs"), &a));
    assert_int_equal(a.shape.dtype, NIGH_F32);
    assert_ramp(&a, 8);
    nigh_array_free(ctx, &a);
    assert_ok(ctx, nigh_array_read(ctx, FIXTURE("all.safetensors:i16"), &a));
    assert_ramp(&a, 12);
    nigh_array_free(ctx, &a);
    assert_fails(ctx, nigh_array_read(ctx, FIXTURE("stored.npz"), &a), NIGH_INVALID, "holds 4 arrays");
    assert_fails(ctx, nigh_array_read(ctx, FIXTURE("stored.npz:nobody"), &a), NIGH_INVALID, "no array 'nobody'");
    assert_fails(ctx, nigh_array_read(ctx, FIXTURE("f8.npy:x"), &a), NIGH_INVALID, "no npz");
    assert_fails(ctx, nigh_array_read(ctx, "/none/x:y", &a), NIGH_IO, "cannot open '/none/x:y'");
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_type), cmocka_unit_test(reads_orders_shapes_versions), cmocka_unit_test(writes_what_numpy_writes),
        cmocka_unit_test(bf16_becomes_f32), cmocka_unit_test(header_is_read_strictly), cmocka_unit_test(refuses_with_reason),
        cmocka_unit_test(writes_atomically), cmocka_unit_test(dash_is_standard_output_and_input), cmocka_unit_test(survives_failing_allocations), cmocka_unit_test(reads_any_format)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
