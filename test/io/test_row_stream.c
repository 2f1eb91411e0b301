/* Row streams: the bits of the whole readers for every chunk, block and number of threads; kernels; columns; arrays; places of errors; pipes. */
#include "io_support.h"
#include "row_streams.h"

#include "io/csv_kernels.h"
#include "io/number.h"
#include "nigh/random.h"

#include <zlib.h>

static const char *const texts[] = {
    "1,2\n3,4\n",
    "x,y\r\n1.5,-2e3\r\n\r\n# note, \"\n3,4",
    "a\tb\r1\t2\r3\t4\r",
    "\xef\xbb\xbf# note\n\n  1   2\t3 \n 4 5 6\n\n# end\n",
    "\"a,b\",\"c\"\"d\"\n\"1\", 2 \n3,\"4\"\n",
    "\"two\nlines\" b\n1 2\n3 4\n",
    "0.1234567890123456789,1e-300,123456789012345678901234567890\n00000000000000000000000000000001,-0,5e-324\n.5,5.,inf\n",
    "7",
    "",
    "a,b\n",
    "# only\n",
    "1,2\n3\n",
    "1,2\n3,4,5\n",
    "1,2\n\n3,\n",
    "1,2\n3,\"4\n5,6\n",
    "1,2\n3,\"4\n5\",6\n",
    "1,2\n3,4x\n5,6\n",
    "1,2\n3,1e999\n",
    "1,2\n3,NA\n4,5\n",
    "a,b,c,d,e,f\n1\n2\n3\n",
    "\xff\xfe" "1",
    "1,2\n3,4\n\r\r\n5,6\r\n\n\r7,8\n",
    "1;2\n1,5;2\n",
    "1,2\n1.2.3,4\n",
    "1,2\n--1,4\n",
    "1,2\n1e,4\n",
    ",,,\n,,,\n",
};

static void every_chunk_gives_the_same_bits(void **state)
{
    nigh_context *ctx = test_context_new();
    int read = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t chunk = 1; chunk < 40; chunk++)
            for (int k = 0; k < 4; k++) {
                nigh_row_options o = {.chunk = chunk, .threads = 1 + k % 2, .rows = k > 1 ? 1 : 0,
                                      .missing = k == 3 ? NIGH_ROWS_MISSING_NAN : NIGH_ROWS_MISSING_REFUSE};
                read += same_as_csv(ctx, texts[i], strlen(texts[i]), &o);
            }
    assert_true(read > 39 * 4 * 7);
    test_context_free(ctx);
}

/* Rows of numbers in every style, with now and then something that the fast loop leaves to the other. */
static size_t random_csv(nigh_rng *rng, int rows, int columns, bool clean, char *out)
{
    static const char *const odd[] = {" 7", "\"8.5\"", "+3", "1e400", "nan", "", "12345678901234567890.5", "0.00000000000000000000000000001234", "inf", "x"};
    static const char *const ends[] = {"\n", "\r\n", "\r", "\n\n", "\n# c\n", "\n \t\n"};
    char *p = out;
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            uint64_t bits = nigh_rng_u64(rng);
            double value;
            memcpy(&value, &bits, 8);
            if (!isfinite(value)) value = 1;
            switch (nigh_rng_below(rng, clean ? 6 : 60)) {
            case 0: p += sprintf(p, "%d", (int)(bits % 1000)); break;
            case 1: p += sprintf(p, "%.17g", nigh_rng_normal(rng)); break;
            case 2: p += sprintf(p, "%.17g", value); break;
            case 3: p += sprintf(p, "%.*f", (int)(bits % 18), (double)(int64_t)bits / 1e10); break;
            case 4: p += sprintf(p, "%.8g", nigh_rng_normal(rng) * 1e-6); break;
            case 6: p += sprintf(p, "%s", odd[nigh_rng_below(rng, 10)]); break;
            default: p += sprintf(p, "%.8g", nigh_rng_normal(rng)); break;
            }
            if (c + 1 < columns) *p++ = ',';
        }
        p += sprintf(p, "%s", ends[nigh_rng_below(rng, 9) < 6 ? 0 : nigh_rng_below(rng, 6)]);
    }
    return (size_t)(p - out);
}

static void random_files_give_the_same_bits(void **state)
{
    nigh_context *ctx = test_context_new();
    char *text = malloc(1 << 20);
    assert_non_null(text);
    int read = 0;
    for (uint64_t k = 0; k < 60; k++) {
        nigh_rng rng = nigh_rng_new(7, k);
        size_t size = random_csv(&rng, 1 + (int)(k % 60), 1 + (int)(k % 23), k % 3 != 0, text);
        char *exact = malloc(size); /* so that the sanitizer sees a look beyond the ends */
        assert_non_null(exact);
        memcpy(exact, text, size);
        for (int t = 0; t < 3; t++) {
            nigh_row_options o = {.chunk = t == 2 ? 0 : 1 + nigh_rng_below(&rng, 2000), .threads = 1 + t, .rows = t == 1 ? 3 : 0, .missing = NIGH_ROWS_MISSING_NAN};
            read += same_as_csv(ctx, exact, size, &o);
        }
        free(exact);
    }
    assert_true(read > 120);
    free(text);
    test_context_free(ctx);
}

/* Each level's loop stops where it must and reads what the exact reader reads. */
static void kernels_agree(void **state)
{
    static const csv_kernels *const levels[] = {&csv_kernels_scalar, &csv_kernels_avx2, &csv_kernels_avx512};
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char *text = malloc(1 << 20);
    double *want = malloc(100000 * sizeof *want), *got = malloc(100000 * sizeof *got);
    assert_true(text && want && got);
    for (uint64_t k = 0; k < 30; k++) {
        nigh_rng rng = nigh_rng_new(11, k);
        memset(text, '\n', 64);
        size_t size = 64 + random_csv(&rng, 200, 5, true, text + 64);
        memcpy(text + size, "\n1", 2);
        size += 2;
        for (int level = 0; level <= (int)nigh_cpu(); level++) {
            csv_plain plain = {text, text + size, ',', 5, c};
            int64_t rows, total = 0;
            for (const char *at = text + 64; at < text + size - 80;) {
                while (*at == '\n' || *at == '\r' || *at == '#' || *at == ' ' || *at == '\t') at += *at == '#' ? 3 : 1;
                const char *stop = levels[level]->plain_rows(&plain, at, text + size, 1000, got, &rows);
                for (int64_t i = 0; i < 5 * rows; i++) {
                    bool overflow = false;
                    at = nigh_io_number_read(at, text + size, c, want + i, &overflow) + 1;
                    if (at[-1] == '\r' && *at == '\n') at++;
                }
                assert_ptr_equal(at, stop);
                assert_memory_equal(got, want, (size_t)rows * 5 * sizeof *got);
                total += rows;
                if (rows == 0) at = strpbrk(at, "\r\n"); /* more than 19 digits, a far exponent */
            }
            assert_true(total > 10);
            assert_int_equal(levels[level]->count_lines(text, text + size, text + size), csv_kernels_scalar.count_lines(text, text + size, text + size));
        }
    }
    free(text), free(want), free(got);
    freelocale(c);
}

static void sparse_rows_give_the_same_bits(void **state)
{
    static const char *const sparse[] = {
        "1 1:2 3:4.5\n-1 2:1e-3 # c\n\n# only\n+1\n", "\xef\xbb\xbf" "1 qid:3 1:2\r\n2 qid:4 5:1\r\n", "1 qid:3 1:2\n2 5:1\n", "1 5:1\n\n\n2 qid:1 5:1\n", "1 1:2\n2 1:x\n",
        "", "# c\n", "1 2:1 1:1\n", "1,2 1:1\n", "1 0:1\n", "1\n2\n", "1 4:1\r2 3:1\r",
    };
    nigh_context *ctx = test_context_new();
    int read = 0;
    for (size_t i = 0; i < sizeof sparse / sizeof *sparse; i++)
        for (size_t chunk = 1; chunk < 30; chunk++)
            for (int k = 0; k < 3; k++)
                read += same_as_libsvm(ctx, sparse[i], strlen(sparse[i]),
                                       &(nigh_row_options){.chunk = chunk, .zero_based = k == 1, .columns = k == 2 ? 4 : 0, .rows = k});
    assert_true(read > 250);
    nigh_row_stream *s;
    nigh_row_block b;
    static const char text[] = "1 1:2 3:4.5\n-1 2:1\n";
    assert_ok(ctx, nigh_row_stream_parse(ctx, text, sizeof text - 1, "a.svm", NULL, &s));
    assert_ok(ctx, nigh_row_stream_next(s, &b));
    assert_true(b.count == 2 && b.d == 3 && b.y[1] == -1 && b.x[2] == 4.5 && b.x[4] == 1 && b.x[0] == 2 && b.line == 1);
    nigh_row_stream_free(s);
    test_context_free(ctx);
}

static void columns_are_chosen(void **state)
{
    static const char text[] = "a,b,c,w\n1,2,3,4\n5,NA,7,0\n\n9,10,11,12\n13,14,15,-1\n";
    static const struct {
        nigh_row_options o;
        const char *part;
    } wrong[] = {{{.target = "z"}, "no column 'z'"}, {{.target = "a,b"}, "2 columns; one is allowed"}, {{.target = "a", .weight = "1"}, "is target and weight"},
                 {{.target = "a", .features = "1-2"}, "is a feature and the target"}, {{.rows = -1}, "rows of a block"}, {{.separator = 'x'}, "separator"}};
    nigh_context *ctx = test_context_new();
    nigh_row_stream *s;
    nigh_row_block b;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(ctx, nigh_row_stream_parse(ctx, text, sizeof text - 1, "t", &wrong[i].o, &s), NIGH_INVALID, wrong[i].part);
    nigh_row_options o = {.target = "c", .weight = "-1", .features = "b,a", .missing = NIGH_ROWS_MISSING_DROP, .rows = 3};
    assert_ok(ctx, nigh_row_stream_parse(ctx, text, sizeof text - 1, "t", &o, &s));
    assert_ok(ctx, nigh_row_stream_next(s, &b));
    assert_true(b.count == 2 && b.d == 2 && b.x[0] == 2 && b.x[1] == 1 && b.x[2] == 10 && b.y[1] == 11 && b.weight[1] == 12);
    assert_true(b.number[0] == 0 && b.number[1] == 2 && nigh_row_stream_about(s).dropped == 1);
    char where[64];
    nigh_row_stream_place(s, 1, where);
    assert_string_equal(where, "line 5");
    assert_fails(ctx, nigh_row_stream_next(s, &b), NIGH_FORMAT, "'t': line 6, column 4 (w): '-1' is no weight");
    assert_fails(ctx, nigh_row_stream_next(s, &b), NIGH_INVALID, "must be opened again");
    nigh_row_stream_free(s);
    o = (nigh_row_options){.features = "c,a", .single = true, .missing = NIGH_ROWS_MISSING_NAN};
    assert_ok(ctx, nigh_row_stream_parse(ctx, text, sizeof text - 1, "t", &o, &s));
    assert_ok(ctx, nigh_row_stream_next(s, &b));
    assert_true(b.count == 4 && !b.x && !b.y && b.x_single[6] == 15 && b.x_single[7] == 13);
    nigh_row_stream_free(s);
    o = (nigh_row_options){.longest = 10, .chunk = 4, .separator = ','};
    assert_ok(ctx, nigh_row_stream_parse(ctx, "1,2\n3,4\n5,6666666666666666666666666666\n", 38, "t", &o, &s));
    nigh_status status;
    while (!(status = nigh_row_stream_next(s, &b)) && b.count) {}
    assert_int_equal(status, NIGH_RESOURCE);
    nigh_row_stream_free(s);
    nigh_context_cancel(ctx);
    assert_int_equal(nigh_row_stream_parse(ctx, text, sizeof text - 1, "t", NULL, &s), NIGH_OK);
    assert_int_equal(nigh_row_stream_next(s, &b), NIGH_INTERRUPTED);
    nigh_row_stream_free(s);
    test_context_free(ctx);
}

/* Texts with line ends and separators in quotes, in a column that is not used: every cut must find the rows, their lines and the right bad one. */
static void unused_columns_may_hold_anything(void **state)
{
    static const char good[] = "a,name,c\n1,\"two\nlines, \"\"x\"\" \r\nthree\",2\n\n3,plain,4\n5,\"\n\n\n\",6\r\n7,,8\n# c\n9,\"a\"\"\n\",10";
    static const char bad[] = "a,name,c\n1,\"x\ny\",2\n3,\"z\nz\",oops\n5,z,6\n";
    static const int64_t lines[5] = {2, 6, 7, 11, 13};
    nigh_context *ctx = test_context_new();
    for (size_t chunk = 1; chunk < 130; chunk++)
        for (int rows = 0; rows < 2; rows++) {
            nigh_row_options o = {.features = "a,c", .chunk = chunk, .threads = 1 + (int)(chunk & 1), .rows = rows};
            nigh_row_stream *s;
            nigh_row_block b = {0};
            assert_ok(ctx, nigh_row_stream_parse(ctx, good, sizeof good - 1, "t", &o, &s));
            int64_t n = 0;
            do {
                assert_ok(ctx, nigh_row_stream_next(s, &b));
                for (int64_t i = 0; i < b.count; i++) {
                    char where[64], want[64];
                    snprintf(want, sizeof want, "line %d", (int)lines[n + i]);
                    nigh_row_stream_place(s, i, where);
                    assert_string_equal(where, want);
                    assert_true(b.x[2 * i] == (double)(2 * (n + i) + 1) && b.x[2 * i + 1] == (double)(2 * (n + i) + 2));
                }
                n += b.count;
            } while (b.count);
            assert_int_equal(n, 5);
            nigh_row_stream_free(s);
            assert_ok(ctx, nigh_row_stream_parse(ctx, bad, sizeof bad - 1, "t", &o, &s));
            nigh_status status;
            while (!(status = nigh_row_stream_next(s, &b)) && b.count) {}
            assert_int_equal(status, NIGH_FORMAT);
            assert_string_equal(nigh_message(ctx), "'t': line 5, column 3 (c): 'oops' is not a number (numbers look like -1.5e-3)");
            nigh_row_stream_free(s);
        }
    test_context_free(ctx);
}

/* All x of a stream, appended. */
static int64_t all_values(nigh_context *ctx, nigh_row_stream *s, double *out, int64_t room)
{
    nigh_row_block b = {0};
    int64_t n = 0;
    do {
        assert_ok(ctx, nigh_row_stream_next(s, &b));
        assert_true(n + b.count * b.d <= room);
        if (b.count) memcpy(out + n, b.x, (size_t)(b.count * b.d) * sizeof *out);
        n += b.count * b.d;
    } while (b.count);
    return n;
}

static void arrays_come_in_blocks(void **state)
{
    static const char *const files[] = {FIXTURE("numpy_csv.npy"), FIXTURE("numpy.csv"), FIXTURE("numpy.csv.gz")};
    nigh_context *ctx = test_context_new();
    nigh_array want;
    double got[200];
    nigh_row_stream *s;
    assert_ok(ctx, nigh_npy_read(ctx, files[0], &want));
    for (int i = 0; i < 3; i++)
        for (size_t chunk = 1; chunk < 700; chunk += 23) {
            assert_ok(ctx, nigh_row_stream_open(ctx, files[i], &(nigh_row_options){.chunk = chunk}, &s));
            for (int twice = 0; twice < 2; twice++) {
                assert_int_equal(all_values(ctx, s, got, 200), 60);
                assert_memory_equal(got, want.data, sizeof(double) * 60);
                assert_ok(ctx, nigh_row_stream_rewind(s));
            }
            nigh_row_stream_free(s);
        }
    char *folder = test_folder_new(), path[600], part[700];
    snprintf(path, sizeof path, "%s/t.npz", folder);
    nigh_bundle bundle = {.ctx = ctx};
    assert_ok(ctx, nigh_bundle_add(&bundle, "rows", &want));
    assert_ok(ctx, nigh_npz_write(ctx, path, &bundle, 6));
    snprintf(part, sizeof part, "%s:rows", path);
    for (int i = 0; i < 2; i++) {
        assert_ok(ctx, nigh_row_stream_open(ctx, i ? part : path, &(nigh_row_options){.chunk = 50}, &s));
        assert_int_equal(all_values(ctx, s, got, 200), 60);
        assert_memory_equal(got, want.data, sizeof(double) * 60);
        assert_true(nigh_row_stream_about(s).total == 20);
        nigh_row_stream_free(s);
    }
    /* Fortran order, other types, big endian: against the reader of whole files. */
    static const char *const kinds[] = {"<f8", ">f4", "<i2", "|b1", "<u8"};
    for (int k = 0; k < 10; k++) {
        char bytes[128 + 8 * 35];
        int rows = 7, size = k % 5 == 3 ? 1 : kinds[k % 5][2] - '0', n = snprintf(bytes + 10, 118, "{'descr': '%s', 'fortran_order': %s, 'shape': (%d, 5), }", kinds[k % 5],
                                                                           k > 4 ? "True" : "False", rows);
        memcpy(bytes, "\x93NUMPY\1\0", 8);
        bytes[8] = (char)n, bytes[9] = 0;
        for (int i = 0; i < size * 35; i++) bytes[10 + n + i] = (char)(i * 37 % 63);
        nigh_array whole;
        double as_f64[35];
        assert_ok(ctx, nigh_npy_parse(ctx, bytes, (size_t)(10 + n + size * 35), "a", &whole));
        assert_ok(ctx, nigh_array_to_f64(ctx, &whole, as_f64));
        assert_ok(ctx, nigh_row_stream_parse(ctx, bytes, (size_t)(10 + n + size * 35), "a", &(nigh_row_options){.chunk = 1 + (size_t)k * 20}, &s));
        assert_int_equal(all_values(ctx, s, got, 200), 35);
        assert_memory_equal(got, as_f64, sizeof as_f64);
        nigh_row_stream_free(s);
        nigh_array_free(ctx, &whole);
    }
    ((double *)want.data)[31] = NAN;
    snprintf(path, sizeof path, "%s/t.npy", folder);
    assert_ok(ctx, nigh_npy_write(ctx, path, &want));
    nigh_row_block b;
    assert_ok(ctx, nigh_row_stream_open(ctx, path, NULL, &s));
    assert_fails(ctx, nigh_row_stream_next(s, &b), NIGH_FORMAT, "row 11, column 2: 'nan' is a missing value");
    nigh_row_stream_free(s);
    assert_fails(ctx, nigh_row_stream_open(ctx, folder, NULL, &s), NIGH_IO, "Is a directory");
    assert_fails(ctx, nigh_row_stream_open(ctx, "/none/x.csv", NULL, &s), NIGH_IO, "No such file");
    nigh_bundle_free(&bundle);
    nigh_array_free(ctx, &want);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void gzip_goes_by_members(void **state)
{
    enum { ROWS = 40000 };
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[600];
    snprintf(path, sizeof path, "%s/t.csv.gz", folder);
    for (int member = 0; member < 2; member++) {
        gzFile file = gzopen(path, member ? "ab" : "wb");
        assert_non_null(file);
        for (int i = 0; i < ROWS / 2; i++) gzprintf(file, "%d,%d.5\n", member * ROWS / 2 + i, i);
        assert_int_equal(gzclose(file), Z_OK);
    }
    nigh_row_stream *s;
    nigh_row_block b = {0};
    assert_ok(ctx, nigh_row_stream_open(ctx, path, &(nigh_row_options){.chunk = 1000, .target = "2"}, &s));
    int64_t n = 0;
    for (int twice = 0; twice < 2; twice++, n = 0) {
        do {
            assert_ok(ctx, nigh_row_stream_next(s, &b));
            for (int64_t i = 0; i < b.count; i++) assert_true(b.x[i] == (double)(n + i) && b.y[i] == (double)((n + i) % (ROWS / 2)) + .5);
            assert_true(!b.count || b.line == n + 1);
            n += b.count;
        } while (b.count);
        assert_int_equal(n, ROWS);
        assert_ok(ctx, nigh_row_stream_rewind(s));
    }
    assert_true(nigh_row_stream_memory(s) < 200000);
    nigh_row_stream_free(s);
    assert_true(nigh_memory_peak(ctx) < 1 << 20); /* the text has 600 kB, the rows as many; zlib and its input 300 kB */
    FILE *cut = fopen(path, "r+b");
    assert_non_null(cut);
    assert_int_equal(ftruncate(fileno(cut), 60000), 0);
    fclose(cut);
    assert_ok(ctx, nigh_row_stream_open(ctx, path, &(nigh_row_options){.chunk = 1000}, &s));
    nigh_status status;
    while (!(status = nigh_row_stream_next(s, &b)) && b.count) {}
    assert_int_equal(status, NIGH_FORMAT);
    assert_non_null(strstr(nigh_message(ctx), "cut off after 60000 bytes"));
    nigh_row_stream_free(s);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void pipes_are_read_once(void **state)
{
    nigh_context *ctx = test_context_new();
    int ends[2], old = dup(0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x,y\n1,2\n3,4\n", 12), 12);
    close(ends[1]);
    dup2(ends[0], 0);
    close(ends[0]);
    nigh_row_stream *s;
    double got[4];
    nigh_status opened = nigh_row_stream_open(ctx, "-", NULL, &s);
    int64_t n = opened ? 0 : all_values(ctx, s, got, 4);
    dup2(old, 0);
    close(old);
    assert_ok(ctx, opened);
    assert_true(n == 4 && got[0] == 1 && got[3] == 4);
    assert_fails(ctx, nigh_row_stream_rewind(s), NIGH_UNSUPPORTED, "'standard input' is a pipe");
    nigh_row_stream_free(s);
    test_context_free(ctx);
}

static nigh_status read_through(nigh_context *ctx, void *path)
{
    nigh_row_stream *s;
    nigh_row_block b = {0};
    nigh_status status = nigh_row_stream_open(ctx, path, &(nigh_row_options){.target = "z", .chunk = 100, .missing = NIGH_ROWS_MISSING_DROP}, &s);
    if (status) return status;
    do status = nigh_row_stream_next(s, &b);
    while (!status && b.count);
    nigh_row_stream_free(s);
    return status;
}

static nigh_status read_sparse(nigh_context *ctx, void *user)
{
    nigh_row_stream *s;
    nigh_row_block b = {0};
    nigh_status status = nigh_row_stream_parse(ctx, user, strlen(user), "a.svm", &(nigh_row_options){.chunk = 10}, &s);
    if (status) return status;
    do status = nigh_row_stream_next(s, &b);
    while (!status && b.count);
    nigh_row_stream_free(s);
    return status;
}

static void survives_failing_allocations(void **state)
{
    fail_every_allocation(read_through, FIXTURE("numpy.csv"));
    fail_every_allocation(read_through, FIXTURE("numpy.csv.gz"));
    fail_every_allocation(read_sparse, "1 qid:1 2:3\n2 qid:2 1:4 5:6\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_gives_the_same_bits), cmocka_unit_test(random_files_give_the_same_bits), cmocka_unit_test(kernels_agree),
        cmocka_unit_test(sparse_rows_give_the_same_bits),  cmocka_unit_test(columns_are_chosen),              cmocka_unit_test(arrays_come_in_blocks),
        cmocka_unit_test(gzip_goes_by_members),            cmocka_unit_test(unused_columns_may_hold_anything), cmocka_unit_test(pipes_are_read_once),             cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
