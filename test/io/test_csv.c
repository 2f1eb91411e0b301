/* csv: numbers to the bit, dialects, guesses, messages, round trips, gzip and its bombs, columns, failing allocations. */
#include "io_support.h"

#include "io/number.h"

#include <locale.h>
#include <zlib.h>

static nigh_table read_text(nigh_context *ctx, const char *text, const nigh_csv_options *options)
{
    nigh_table table = {0};
    assert_ok(ctx, nigh_csv_parse(ctx, text, strlen(text), "t.csv", options, &table));
    return table;
}

static void reads_what_numpy_wrote(void **state)
{
    static const char *const files[] = {FIXTURE("numpy.csv"), FIXTURE("numpy.csv.gz")};
    nigh_context *ctx = test_context_new();
    nigh_array want;
    assert_ok(ctx, nigh_npy_read(ctx, FIXTURE("numpy_csv.npy"), &want));
    for (int i = 0; i < 2; i++) {
        nigh_table t;
        assert_ok(ctx, nigh_csv_read(ctx, files[i], NULL, &t));
        assert_true(t.had_header && t.rows == 20 && t.columns == 3 && t.separator == ',');
        assert_string_equal(t.names[1], "y");
        assert_memory_equal(t.values, want.data, 60 * sizeof(double));
        nigh_table_free(ctx, &t);
    }
    nigh_array_free(ctx, &want);
    test_context_free(ctx);
}

/* Against strtod of the C library, which rounds correctly, over texts of every length and exponent. */
static void numbers_are_rounded_correctly(void **state)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    uint64_t random = 1;
    long slow_middle = 0;
    for (int i = 0; i < 300000; i++) {
        char text[900];
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = random ^ random >> 29;
        double value;
        memcpy(&value, &bits, 8);
        if (i % 3 == 0) {
            if (!isfinite(value)) continue;
            snprintf(text, sizeof text, "%.*g", 1 + (int)(random >> 40) % 30, value);
        } else if (i % 3 == 1) {
            snprintf(text, sizeof text, "%s%llu.%0*llue%d", i & 8 ? "-" : "+", (unsigned long long)(bits >> (random >> 58)), 1 + i % 9,
                     (unsigned long long)(random % 1000), (int)(random >> 50) % 60 - 30);
        } else { /* the middle between two doubles, exactly, and a little beside it */
            value = ldexp(1 + (double)(bits >> 12) * 0x1p-52, (int)(random % 80) - 40);
            long double middle = (long double)value + ldexpl(1, ilogb(value) - 53);
            int size = snprintf(text, sizeof text, "%.*Lf", i % 2 ? 100 : 18, middle);
            if (i % 4 == 0) strcpy(text + size, "000000000000000000000000000000000001");
            slow_middle++;
        }
        double got, want = strtod(text, NULL);
        bool overflow = false;
        const char *end = nigh_io_number_read(text, text + strlen(text), c, &got, &overflow);
        if (!end || *end || memcmp(&got, &want, 8) != 0 || overflow != (isinf(want) != 0)) fail_msg("'%s' gave %.17g, not %.17g", text, got, want);
    }
    assert_true(slow_middle > 0);
    char text[2000] = "1."; /* 1 + 2^-53 written out is the middle; one more digit a thousand places on decides */
    strcpy(text, "1.00000000000000011102230246251565404236316680908203125");
    size_t n = strlen(text);
    memset(text + n, '0', 1000);
    strcpy(text + n + 1000, "1");
    double got = 0;
    bool overflow = false;
    nigh_io_number_read(text, text + strlen(text), c, &got, &overflow);
    assert_true(got == 1 + 0x1p-52);
    text[n + 1000] = '0';
    nigh_io_number_read(text, text + strlen(text), c, &got, &overflow);
    assert_true(got == 1);
    freelocale(c);
}

static void number_grammar(void **state)
{
    static const char *const none[] = {"", "-", "+", ".", "e5", "-.e1", "abc", "--1", "n"};
    static const struct {
        const char *text;
        int used;
        double value;
    } some[] = {{"1", 1, 1}, {"1.", 2, 1}, {".5", 2, .5}, {"-0", 2, 0}, {"+2e3", 4, 2000}, {"1e", 1, 1}, {"1e+", 1, 1}, {"0x10", 1, 0},
                {"1.5.2", 3, 1.5}, {"inf", 3, INFINITY}, {"-Infinity", 9, -INFINITY}, {"1e-400", 6, 0}, {"0e999999999999", 14, 0},
                {"1E-2", 4, .01}, {"5e-324", 6, 5e-324}, {"1e-99999999999999999999", 23, 0}};
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value;
    bool overflow = false;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(nigh_io_number_read(none[i], none[i] + strlen(none[i]), c, &value, &overflow));
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        const char *end = nigh_io_number_read(some[i].text, some[i].text + strlen(some[i].text), c, &value, &overflow);
        if (end != some[i].text + some[i].used || value != some[i].value) fail_msg("'%s' gave %g", some[i].text, value);
    }
    assert_false(overflow);
    static const char huge[] = "1e309", zero[] = "-0.0";
    nigh_io_number_read(huge, huge + 5, c, &value, &overflow);
    assert_true(overflow);
    nigh_io_number_read(zero, zero + 4, c, &value, &overflow);
    assert_true(signbit(value));
    freelocale(c);
}

static void guesses_dialects(void **state)
{
    static const struct {
        const char *text;
        char separator;
        bool header;
        int rows, columns;
        double last;
    } cases[] = {
        {"1,2\n3,4\n", ',', false, 2, 2, 4},
        {"x;y\r\n1;2\r\n3;4", ';', true, 2, 2, 4},
        {"a\tb\r1\t2\r", '\t', true, 1, 2, 2},
        {"\xef\xbb\xbf# note, with; signs\n\n  1   2\t3 \n 4 5 6\n\n# end\n", ' ', false, 2, 3, 6},
        {"1|2|3\n", '|', false, 1, 3, 3},
        {"value\n1\n2\n", ',', true, 2, 1, 2},
        {"my value\n1\n2\n", ',', true, 2, 1, 2},
        {"7", ',', false, 1, 1, 7},
        {"\"a,b\",\"c\"\"d\"\n\"1\", 2 \n", ',', true, 1, 2, 2},
        {"\"two\nlines\" b\n1 2\n", ' ', true, 1, 2, 2},
        {"1, 2, 3\n4, 5, 6\n", ',', false, 2, 3, 6},
        {"x pos, y pos\n1, 2\n", ',', true, 1, 2, 2},
    };
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_table t = read_text(ctx, cases[i].text, NULL);
        if (t.separator != cases[i].separator || t.had_header != cases[i].header || t.rows != cases[i].rows ||
            t.columns != cases[i].columns || t.values[t.rows * t.columns - 1] != cases[i].last || !t.names == t.had_header)
            fail_msg("case %zu: '%c' %d %d x %d", i, t.separator, t.had_header, (int)t.rows, (int)t.columns);
        nigh_table_free(ctx, &t);
    }
    nigh_table t = read_text(ctx, "\"c\"\"d\",\"\xb5m\",\xc3\xa9\n1,2,3\n", NULL);
    assert_string_equal(t.names[0], "c\"d");
    assert_string_equal(t.names[1], "\xc2\xb5m"); /* Latin-1 became UTF-8 */
    assert_string_equal(t.names[2], "\xc3\xa9");
    nigh_table_free(ctx, &t);
    t = read_text(ctx, "1,2\n3,4\n", &(nigh_csv_options){.header = NIGH_CSV_HEADER_YES});
    assert_string_equal(t.names[1], "2");
    assert_int_equal(t.rows, 1);
    nigh_table_free(ctx, &t);
    test_context_free(ctx);
}

static void missing_values(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_table t = read_text(ctx, "a,b\n1,\nNA,2\nnan,-nan\n?,null\n\"\",None\n", &(nigh_csv_options){.missing = NIGH_CSV_MISSING_NAN});
    assert_int_equal(t.rows, 5);
    for (int i = 0; i < 10; i++) assert_true(i == 0 || i == 3 ? t.values[i] == (i ? 2 : 1) : isnan(t.values[i]) != 0);
    nigh_table_free(ctx, &t);
    test_context_free(ctx);
}

static void refuses_with_place(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"x,y\n1,2\n3,\n", "'t.csv': line 3, column 2 (y): '' is a missing value"},
        {"1,2\n3,NA\n", "line 2, column 2: 'NA' is a missing value"},
        {"1,2\n\n# c\n3,4x\n", "line 4, column 2: '4x' is not a number"},
        {"1,2\n3,1e999\n", "line 2, column 2: '1e999' is beyond the range"},
        {"1;2\n1,5;2\n", "a decimal point is expected"},
        {"1,2\n3\n", "line 2 has 1 field, but the first line has 2"},
        {"1,2\n3,4,5\n", "line 2 has 3 fields, but the first line has 2"},
        {"1,2\n3,\"4\n", "line 2: the quoted field that begins with '4?' does not end"},
        {"1,2\n3,\"4\"5\n", "line 2: '5' follows a closing quote"},
        {"", "has no rows"},
        {"# only\n\n", "has no rows"},
        {"a,b\n", "has a header but no rows"},
        {"\xff\xfe" "1", "UTF-16"},
        {"a,b,c,d,e,f\n1\n2\n3\n", "line 2 has 1 field"},
    };
    nigh_context *ctx = test_context_new();
    nigh_table t = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text);
        char *exact = malloc(size + !size); /* so that the sanitizer sees a read beyond the end */
        assert_non_null(exact);
        memcpy(exact, cases[i].text, size);
        assert_fails(ctx, nigh_csv_parse(ctx, exact, size, "t.csv", NULL, &t), NIGH_FORMAT, cases[i].part);
        free(exact);
    }
    assert_fails(ctx, nigh_csv_parse(ctx, "a,b\0c\n1,2", 9, "t.csv", NULL, &t), NIGH_FORMAT, "zero byte");
    assert_fails(ctx, nigh_csv_parse(ctx, "1", 1, "t.csv", &(nigh_csv_options){.separator = 'x'}, &t), NIGH_INVALID, "separator is 'x'");
    assert_fails(ctx, nigh_csv_read(ctx, "/none/t.csv", NULL, &t), NIGH_IO, "cannot open '/none/t.csv': No such file");
    nigh_context_cancel(ctx);
    assert_int_equal(nigh_csv_parse(ctx, "1,2\n", 4, "t.csv", NULL, &t), NIGH_INTERRUPTED);
    assert_null(t.values);
    test_context_free(ctx);
}

static void writes_what_it_reads(void **state)
{
    double values[12] = {0.1, -0.0, NAN, 1e300, 5e-324, 1.0 / 3, INFINITY, -INFINITY, 123456789, 0.30000000000000004, -1e-7, 1.7976931348623157e308};
    char *names[3] = {"x", "a \"b\", c", ""};
    static const char separators[] = {0, ',', ';', '\t', ' ', '|'};
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/t.csv", folder);
    const char *before = setlocale(LC_NUMERIC, NULL);
    setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* decimal comma, where it is installed */
    for (size_t i = 0; i < sizeof separators; i++) {
        nigh_table t = {4, 3, i % 2 ? names : NULL, values, i % 2, separators[i]}, back;
        assert_ok(ctx, nigh_csv_write(ctx, path, &t));
        nigh_csv_options options = {.separator = separators[i], .missing = NIGH_CSV_MISSING_NAN};
        assert_ok(ctx, nigh_csv_read(ctx, path, &options, &back));
        assert_true(back.rows == 4 && back.columns == 3 && back.had_header == i % 2);
        for (int k = 0; k < 12; k++) assert_true(isnan(values[k]) ? isnan(back.values[k]) : memcmp(&values[k], &back.values[k], 8) == 0);
        for (int k = 0; k < 3 && back.names; k++) assert_string_equal(back.names[k], names[k]);
        nigh_table_free(ctx, &back);
    }
    setlocale(LC_NUMERIC, before);
    nigh_buffer out = {.ctx = ctx};
    double short_ones[2] = {0.1, 2};
    assert_ok(ctx, nigh_csv_format(ctx, &(nigh_table){1, 2, NULL, short_ones, false, ';'}, &out));
    assert_string_equal(out.data, "0.1;2\n");
    assert_fails(ctx, nigh_csv_format(ctx, &(nigh_table){1, 2, NULL, short_ones, false, 'x'}, &out), NIGH_INVALID, "separator");
    assert_fails(ctx, nigh_csv_format(ctx, &(nigh_table){1, 0, NULL, short_ones, false, 0}, &out), NIGH_INVALID, "0 columns");
    nigh_buffer_free(&out);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static size_t gzip(const char *text, size_t size, unsigned char *out, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)text, z.avail_in = (unsigned)size, z.next_out = out, z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void gzip_is_bounded_and_checked(void **state)
{
    enum { PLAIN = 1 << 20 };
    nigh_context *ctx = test_context_new();
    char *text = malloc(PLAIN);
    assert_non_null(text);
    for (int i = 0; i < PLAIN; i += 2) memcpy(text + i, "7\n", 2);
    unsigned char packed[1 << 14];
    size_t size = gzip(text, PLAIN, packed, sizeof packed - 8);
    nigh_table t = {0};
    assert_ok(ctx, nigh_csv_parse(ctx, packed, size, "z", &(nigh_csv_options){.max_bytes = PLAIN}, &t));
    assert_int_equal(t.rows, PLAIN / 2);
    nigh_table_free(ctx, &t);
    assert_fails(ctx, nigh_csv_parse(ctx, packed, size, "z", &(nigh_csv_options){.max_bytes = PLAIN - 1}, &t), NIGH_RESOURCE, "more than 1048575 bytes");
    assert_fails(ctx, nigh_csv_parse(ctx, packed, size - 9, "z", NULL, &t), NIGH_FORMAT, "cut off");
    memset(packed + size, 0, 4);
    assert_ok(ctx, nigh_csv_parse(ctx, packed, size + 4, "z", NULL, &t));
    nigh_table_free(ctx, &t);
    memset(packed + size, 'x', 4);
    assert_fails(ctx, nigh_csv_parse(ctx, packed, size + 4, "z", NULL, &t), NIGH_FORMAT, "other data follows");
    packed[size - 6] ^= 1;
    assert_fails(ctx, nigh_csv_parse(ctx, packed, size, "z", NULL, &t), NIGH_FORMAT, "damaged");
    free(text);
    test_context_free(ctx);
}

static void finds_columns(void **state)
{
    static const struct {
        const char *list;
        int count, want[8];
        const char *part;
    } cases[] = {
        {"y,x", 2, {1, 0}, NULL},
        {" speed , 1", 2, {2, 0}, NULL},
        {"1,3-5", 4, {0, 2, 3, 4}, NULL},
        {"-1", 1, {5}, NULL},
        {"-3--1", 3, {3, 4, 5}, NULL},
        {"2--1", 5, {1, 2, 3, 4, 5}, NULL},
        {"\"a,b\",y", 2, {3, 1}, NULL},
        {"6", 1, {4}, NULL}, /* a column named "6" wins over the sixth */
        {"sped", 0, {0}, "no column 'sped'; did you mean 'speed'?"},
        {"7", 0, {0}, "1 to 6"},
        {"0", 0, {0}, "no column '0'"},
        {"99999999999999999999", 0, {0}, "no column"},
        {"3-x", 0, {0}, "no column '3-x'"},
        {"5-3", 0, {0}, "backwards"},
        {"x,1", 0, {0}, "column 1 is named twice"},
        {"x,,y", 0, {0}, "empty name"},
        {"", 0, {0}, "empty name"},
        {"\"x", 0, {0}, "quoted name"},
    };
    nigh_context *ctx = test_context_new();
    nigh_table t = read_text(ctx, "x,y,speed,\"a,b\",\"6\",last\n1,2,3,4,5,6\n", NULL);
    int64_t *index = NULL, count = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].part) {
            assert_fails(ctx, nigh_table_columns(ctx, &t, cases[i].list, &index, &count), NIGH_INVALID, cases[i].part);
            continue;
        }
        assert_ok(ctx, nigh_table_columns(ctx, &t, cases[i].list, &index, &count));
        assert_int_equal(count, cases[i].count);
        for (int k = 0; k < count; k++) assert_int_equal(index[k], cases[i].want[k]);
        nigh_free(ctx, index);
    }
    nigh_table_free(ctx, &t);
    t = read_text(ctx, "a,a\n1,2\n", NULL);
    assert_fails(ctx, nigh_table_columns(ctx, &t, "a", &index, &count), NIGH_INVALID, "both named 'a'");
    nigh_table_free(ctx, &t);
    t = read_text(ctx, "1,2\n", NULL);
    assert_fails(ctx, nigh_table_columns(ctx, &t, "a", &index, &count), NIGH_INVALID, "no header");
    nigh_table_free(ctx, &t);
    test_context_free(ctx);
}

static nigh_status read_and_write(nigh_context *ctx, void *user)
{
    nigh_table t = {0};
    int64_t *index = NULL, count;
    nigh_status status = nigh_csv_read(ctx, FIXTURE("numpy.csv.gz"), NULL, &t);
    if (!status) status = nigh_table_columns(ctx, &t, "z,1", &index, &count);
    if (!status) status = nigh_csv_write(ctx, user, &t);
    nigh_free(ctx, index);
    nigh_table_free(ctx, &t);
    return status;
}

static void survives_failing_allocations(void **state)
{
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/t.csv", folder);
    fail_every_allocation(read_and_write, path);
    assert_int_equal(files_in(folder), 1);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_numpy_wrote), cmocka_unit_test(numbers_are_rounded_correctly), cmocka_unit_test(number_grammar),
        cmocka_unit_test(guesses_dialects), cmocka_unit_test(missing_values), cmocka_unit_test(refuses_with_place),
        cmocka_unit_test(writes_what_it_reads), cmocka_unit_test(gzip_is_bounded_and_checked), cmocka_unit_test(finds_columns),
        cmocka_unit_test(survives_failing_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
