/* GGUF: what the writer writes is read; files made by hand with lies in them; every cut; failing allocations. */
#include "io_support.h"
#include "nigh/gguf.h"

/* ---- files by hand ---- */

static void number(nigh_buffer *b, uint64_t value, size_t bytes) { assert_int_equal(nigh_buffer_add(b, &value, bytes), NIGH_OK); }

static void text(nigh_buffer *b, const char *s)
{
    number(b, strlen(s), 8);
    assert_int_equal(nigh_buffer_add(b, s, strlen(s)), NIGH_OK);
}

static nigh_buffer header(nigh_context *ctx, uint32_t version, uint64_t tensors, uint64_t keys)
{
    nigh_buffer b = {.ctx = ctx};
    assert_int_equal(nigh_buffer_add(&b, "GGUF", 4), NIGH_OK);
    number(&b, version, 4);
    number(&b, tensors, 8);
    number(&b, keys, 8);
    return b;
}

static void key(nigh_buffer *b, const char *name, uint32_t type, uint64_t value, size_t bytes)
{
    text(b, name);
    number(b, type, 4);
    number(b, value, bytes);
}

static void tensor(nigh_buffer *b, const char *name, int ndim, uint64_t rows, uint64_t cols, uint32_t type, uint64_t offset)
{
    text(b, name);
    number(b, (uint64_t)ndim, 4);
    if (ndim > 0) number(b, cols, 8);
    if (ndim > 1) number(b, rows, 8);
    for (int d = 2; d < ndim; d++) number(b, 1, 8);
    number(b, type, 4);
    number(b, offset, 8);
}

static void data(nigh_buffer *b, size_t bytes)
{
    while (b->size % 32) number(b, 0, 1);
    for (size_t i = 0; i < bytes; i++) number(b, i, 1);
}

static void refused(nigh_buffer *b, nigh_status status, const char *part)
{
    nigh_gguf *file = (nigh_gguf *)1;
    assert_fails(b->ctx, nigh_gguf_parse(b->ctx, b->data, b->size, "made.gguf", &file), status, part);
    assert_non_null(strstr(nigh_message(b->ctx), "'made.gguf'"));
    assert_ptr_equal(file, (nigh_gguf *)1);
    nigh_buffer_free(b);
}

/* ---- the writer and the reader ---- */

static nigh_status build(nigh_context *ctx, nigh_buffer *out)
{
    static const nigh_gguf_string words[] = {{"a", 1}, {"", 0}, {"b\0c", 3}, {"\xff\xfe", 2}};
    static const int32_t whole[] = {1, -2, 3};
    static const float real[] = {.5f, -1e30f}, vector[] = {1, 2, 3, 4, 5};
    unsigned char blocks[2 * 3 * 18];
    for (size_t i = 0; i < sizeof blocks; i++) blocks[i] = (unsigned char)(7 * i);
    nigh_gguf_writer *w;
    nigh_status status = nigh_gguf_writer_new(ctx, &w);
    if (status) return status;
    status = nigh_gguf_put_text(w, "general.architecture", "llama");
    if (!status) status = nigh_gguf_put_integer(w, "llama.block_count", 3);
    if (!status) status = nigh_gguf_put_integer(w, "negative", -7);
    if (!status) status = nigh_gguf_put_integer(w, "large", INT64_C(1) << 40);
    if (!status) status = nigh_gguf_put_real(w, "real", 0.25);
    if (!status) status = nigh_gguf_put_bool(w, "yes", true);
    if (!status) status = nigh_gguf_put_texts(w, "words", words, 4);
    if (!status) status = nigh_gguf_put_integers(w, "whole", whole, 3);
    if (!status) status = nigh_gguf_put_reals(w, "reals", real, 2);
    if (!status) status = nigh_gguf_put_texts(w, "none", NULL, 0);
    if (!status) status = nigh_gguf_put_tensor(w, "vector", NIGH_BLOCK_F32, 1, (int64_t[]){5}, vector);
    if (!status) status = nigh_gguf_put_tensor(w, "blocks", NIGH_BLOCK_Q4_0, 2, (int64_t[]){64, 3}, blocks);
    if (!status) status = nigh_gguf_put_tensor(w, "cube", NIGH_BLOCK_BF16, 3, (int64_t[]){2, 3, 4}, blocks);
    if (!status) status = nigh_gguf_format(w, out);
    nigh_gguf_writer_free(w);
    return status;
}

static void check_keys(nigh_context *ctx, nigh_gguf *file)
{
    const char *s = NULL;
    size_t size = 0;
    int64_t n = 0, count;
    double x = 0;
    bool yes = false;
    const int64_t *whole, *again;
    const float *reals;
    const nigh_gguf_string *words;
    nigh_gguf_kind kind;
    assert_int_equal(nigh_gguf_key_count(file), 10);
    assert_string_equal(nigh_gguf_key_at(file, 6, &kind), "words");
    assert_int_equal(kind, NIGH_GGUF_ARRAY);
    nigh_gguf_key_at(file, 4, &kind);
    assert_int_equal(kind, NIGH_GGUF_REAL);
    assert_ok(ctx, nigh_gguf_text(file, "general.architecture", true, &s, &size));
    assert_string_equal(s, "llama");
    assert_int_equal(size, 5);
    assert_ok(ctx, nigh_gguf_integer(file, "negative", true, -10, 10, &n));
    assert_int_equal(n, -7);
    assert_ok(ctx, nigh_gguf_integer(file, "large", true, 0, INT64_MAX, &n));
    assert_true(n == INT64_C(1) << 40);
    assert_ok(ctx, nigh_gguf_real(file, "real", true, 0, 1, &x));
    assert_true(x == .25);
    assert_ok(ctx, nigh_gguf_real(file, "llama.block_count", true, 0, 10, &x));
    assert_true(x == 3);
    assert_ok(ctx, nigh_gguf_bool(file, "yes", true, &yes));
    assert_true(yes);
    assert_ok(ctx, nigh_gguf_texts(file, "words", true, &words, &count));
    assert_int_equal(count, 4);
    assert_memory_equal(words[2].bytes, "b\0c", 3);
    assert_int_equal(words[1].size, 0);
    assert_ok(ctx, nigh_gguf_integers(file, "whole", true, &whole, &count));
    assert_true(count == 3 && whole[0] == 1 && whole[1] == -2);
    assert_ok(ctx, nigh_gguf_integers(file, "whole", true, &again, &count));
    assert_ptr_equal(whole, again);
    assert_ok(ctx, nigh_gguf_reals(file, "reals", true, &reals, &count));
    assert_true(count == 2 && reals[1] == -1e30f);
    assert_ok(ctx, nigh_gguf_texts(file, "none", true, &words, &count));
    assert_int_equal(count, 0);
}

static void check_tensors(nigh_gguf *file)
{
    const nigh_gguf_tensor *t = nigh_gguf_find(file, "blocks");
    assert_int_equal(nigh_gguf_tensor_count(file), 3);
    assert_non_null(t);
    assert_true(t->type == NIGH_BLOCK_Q4_0 && t->ndim == 2 && t->shape[0] == 64 && t->shape[1] == 3 && t->shape[2] == 1 && t->bytes == 108);
    for (size_t i = 0; i < t->bytes; i++) assert_int_equal(((const unsigned char *)t->data)[i], (unsigned char)(7 * i));
    assert_ptr_equal(nigh_gguf_tensor_at(file, 1), t);
    t = nigh_gguf_find(file, "vector");
    assert_true(((const float *)t->data)[4] == 5);
    assert_null(nigh_gguf_find(file, "nobody"));
    nigh_gguf_release(file, t);
    assert_true(((const float *)t->data)[4] == 5);
}

static void reads_what_it_writes(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer out = {.ctx = ctx};
    nigh_gguf *file;
    assert_ok(ctx, build(ctx, &out));
    assert_int_equal(out.size % 32, 0);
    assert_ok(ctx, nigh_gguf_parse(ctx, out.data, out.size, "memory", &file));
    check_keys(ctx, file);
    check_tensors(file);
    assert_string_equal(nigh_gguf_path(file), "memory");
    nigh_gguf_close(file);
    char *folder = test_folder_new(), path[512];
    snprintf(path, sizeof path, "%s/x.gguf", folder);
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(out.data, 1, out.size, f), out.size);
    fclose(f);
    assert_ok(ctx, nigh_gguf_open(ctx, path, &file));
    check_keys(ctx, file);
    check_tensors(file);
    nigh_gguf_close(file);
    nigh_buffer_free(&out);
    nigh_gguf_close(NULL);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void writes_files_whole(void **state)
{
    nigh_context *ctx = test_context_new();
    char *folder = test_folder_new(), path[512];
    nigh_gguf_writer *w;
    nigh_gguf *file;
    snprintf(path, sizeof path, "%s/x.gguf", folder);
    assert_ok(ctx, nigh_gguf_writer_new(ctx, &w));
    assert_ok(ctx, nigh_gguf_write(w, path));
    assert_ok(ctx, nigh_gguf_open(ctx, path, &file));
    assert_int_equal(nigh_gguf_tensor_count(file) + nigh_gguf_key_count(file), 0);
    assert_null(nigh_gguf_find(file, "x"));
    nigh_gguf_close(file);
    assert_fails(ctx, nigh_gguf_write(w, "/nowhere/x.gguf"), NIGH_IO, "/nowhere");
    assert_int_equal(files_in(folder), 1);
    assert_fails(ctx, nigh_gguf_open(ctx, folder, &file), NIGH_IO, "no regular file");
    assert_fails(ctx, nigh_gguf_open(ctx, "/nowhere/x.gguf", &file), NIGH_IO, "/nowhere/x.gguf");
    fclose(fopen(path, "wb"));
    assert_fails(ctx, nigh_gguf_open(ctx, path, &file), NIGH_FORMAT, "is empty");
    nigh_gguf_writer_free(w);
    nigh_gguf_writer_free(NULL);
    test_folder_remove(folder);
    test_context_free(ctx);
}

static void writer_refuses(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_gguf_writer *w;
    float x[64] = {0};
    assert_ok(ctx, nigh_gguf_writer_new(ctx, &w));
    assert_ok(ctx, nigh_gguf_put_integer(w, "a", 1));
    assert_fails(ctx, nigh_gguf_put_text(w, "a", "x"), NIGH_INVALID, "key 'a' was put already");
    assert_fails(ctx, nigh_gguf_put_real(w, "", 1), NIGH_INVALID, "0 bytes");
    assert_fails(ctx, nigh_gguf_put_real(w, "b", 1e300), NIGH_INVALID, "beyond f32");
    assert_fails(ctx, nigh_gguf_put_integers(w, "b", NULL, -1), NIGH_INVALID, "a list of -1");
    assert_fails(ctx, nigh_gguf_put_integer(w, "general.alignment", 64), NIGH_INVALID, "alignment");
    assert_ok(ctx, nigh_gguf_put_tensor(w, "t", NIGH_BLOCK_F32, 1, (int64_t[]){4}, x));
    assert_fails(ctx, nigh_gguf_put_tensor(w, "t", NIGH_BLOCK_F32, 1, (int64_t[]){4}, x), NIGH_INVALID, "tensor 't' was put already");
    assert_fails(ctx, nigh_gguf_put_tensor(w, "u", NIGH_BLOCK_Q8_0, 1, (int64_t[]){33}, x), NIGH_INVALID, "dimension 1 is 33");
    assert_fails(ctx, nigh_gguf_put_tensor(w, "u", NIGH_BLOCK_F32, 2, (int64_t[]){4, 0}, x), NIGH_INVALID, "dimension 2 is 0");
    assert_fails(ctx, nigh_gguf_put_tensor(w, "u", NIGH_BLOCK_F32, 2, (int64_t[]){INT64_C(1) << 40, INT64_C(1) << 40}, x), NIGH_INVALID, "overflow");
    assert_fails(ctx, nigh_gguf_put_tensor(w, "u", NIGH_BLOCK_F32, 5, (int64_t[]){1, 1, 1, 1, 1}, x), NIGH_INVALID, "5 dimensions");
    assert_fails(ctx, nigh_gguf_put_tensor(w, "u", (nigh_block_type)77, 1, (int64_t[]){4}, x), NIGH_INVALID, "type 77");
    nigh_buffer out = {.ctx = ctx};
    nigh_gguf *file;
    assert_ok(ctx, nigh_gguf_format(w, &out));
    assert_ok(ctx, nigh_gguf_parse(ctx, out.data, out.size, "x", &file));
    assert_int_equal(nigh_gguf_key_count(file), 1);
    nigh_gguf_close(file);
    nigh_buffer_free(&out);
    nigh_gguf_writer_free(w);
    test_context_free(ctx);
}

/* ---- keys ---- */

static void keys_say_what_is_wrong(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer out = {.ctx = ctx};
    nigh_gguf *file;
    int64_t n = 5, count = 9;
    double x = 5;
    bool yes = true;
    const char *s = "kept";
    const int64_t *whole;
    const float *reals;
    const nigh_gguf_string *words;
    assert_ok(ctx, build(ctx, &out));
    assert_ok(ctx, nigh_gguf_parse(ctx, out.data, out.size, "f", &file));
    assert_fails(ctx, nigh_gguf_integer(file, "nobody", true, 0, 1, &n), NIGH_FORMAT, "'f' lacks the key 'nobody'");
    assert_ok(ctx, nigh_gguf_integer(file, "nobody", false, 0, 1, &n));
    assert_ok(ctx, nigh_gguf_real(file, "nobody", false, 0, 1, &x));
    assert_ok(ctx, nigh_gguf_text(file, "nobody", false, &s, NULL));
    assert_fails(ctx, nigh_gguf_integer(file, "negative", true, 0, 9, &n), NIGH_FORMAT, "'negative' is -7; 0 to 9 are allowed");
    assert_fails(ctx, nigh_gguf_integer(file, "real", true, 0, 9, &n), NIGH_FORMAT, "'real' is f32; a whole number is allowed");
    assert_fails(ctx, nigh_gguf_integer(file, "yes", true, 0, 9, &n), NIGH_FORMAT, "'yes' is a boolean");
    assert_fails(ctx, nigh_gguf_real(file, "real", true, 1, 2, &x), NIGH_FORMAT, "'real' is 0.25; 1 to 2");
    assert_fails(ctx, nigh_gguf_real(file, "words", true, 1, 2, &x), NIGH_FORMAT, "a list of strings");
    assert_fails(ctx, nigh_gguf_bool(file, "real", true, &yes), NIGH_FORMAT, "a boolean is allowed");
    assert_fails(ctx, nigh_gguf_text(file, "whole", true, &s, NULL), NIGH_FORMAT, "a list of i32");
    assert_fails(ctx, nigh_gguf_integers(file, "words", true, &whole, &count), NIGH_FORMAT, "a list of whole numbers is allowed");
    assert_fails(ctx, nigh_gguf_reals(file, "whole", true, &reals, &count), NIGH_FORMAT, "a list of f32");
    assert_fails(ctx, nigh_gguf_texts(file, "real", true, &words, &count), NIGH_FORMAT, "a list is allowed");
    assert_fails(ctx, nigh_gguf_texts(file, "nobody", true, &words, &count), NIGH_FORMAT, "lacks");
    assert_true(n == 5 && x == 5 && yes && count == 9 && strcmp(s, "kept") == 0);
    assert_ok(ctx, nigh_gguf_texts(file, "nobody", false, &words, &count));
    assert_true(!words && count == 0);
    nigh_gguf_close(file);
    nigh_buffer_free(&out);
    test_context_free(ctx);
}

static void reads_every_kind_of_number(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer b = header(ctx, 2, 0, 8);
    int64_t n, count;
    double x;
    const int64_t *whole;
    double half = .5;
    uint64_t bits;
    memcpy(&bits, &half, 8);
    key(&b, "u8", 0, 200, 1);
    key(&b, "i8", 1, 200, 1);
    key(&b, "u16", 2, 65535, 2);
    key(&b, "i16", 3, 65535, 2);
    key(&b, "u64", 10, UINT64_MAX, 8);
    key(&b, "i64", 11, UINT64_MAX, 8);
    key(&b, "f64", 12, bits, 8);
    text(&b, "list"), number(&b, 9, 4), number(&b, 10, 4), number(&b, 2, 8), number(&b, 7, 8), number(&b, UINT64_MAX, 8);
    nigh_gguf *file;
    assert_ok(ctx, nigh_gguf_parse(ctx, b.data, b.size, "f", &file));
    static const struct { const char *name; int64_t value; } wanted[] = {{"u8", 200}, {"i8", -56}, {"u16", 65535}, {"i16", -1}, {"i64", -1}};
    for (int i = 0; i < 5; i++) {
        assert_ok(ctx, nigh_gguf_integer(file, wanted[i].name, true, INT64_MIN, INT64_MAX, &n));
        assert_int_equal(n, wanted[i].value);
    }
    assert_fails(ctx, nigh_gguf_integer(file, "u64", true, INT64_MIN, INT64_MAX, &n), NIGH_FORMAT, "above 9223372036854775807");
    assert_ok(ctx, nigh_gguf_real(file, "u64", true, 0, 1e30, &x));
    assert_true(x == 0x1p64);
    assert_ok(ctx, nigh_gguf_real(file, "f64", true, 0, 1, &x));
    assert_true(x == .5);
    assert_fails(ctx, nigh_gguf_integers(file, "list", true, &whole, &count), NIGH_FORMAT, "element 1 is above");
    nigh_gguf_close(file);
    nigh_buffer_free(&b);
    test_context_free(ctx);
}

/* ---- lies ---- */

static void refuses_other_files(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer b = header(ctx, 1, 0, 0);
    refused(&b, NIGH_UNSUPPORTED, "version 1; 2 and 3 are read");
    b = header(ctx, 0x03000000, 0, 0);
    refused(&b, NIGH_UNSUPPORTED, "big-endian");
    b = header(ctx, 4, 0, 0);
    refused(&b, NIGH_UNSUPPORTED, "version 4");
    b = header(ctx, 0, 0, 0);
    refused(&b, NIGH_UNSUPPORTED, "version 0");
    b = header(ctx, 3, 0, 0);
    b.data[0] = 'X';
    refused(&b, NIGH_FORMAT, "is no GGUF file: it begins with 'XGUF");
    b = header(ctx, 3, UINT64_MAX, 0);
    refused(&b, NIGH_FORMAT, "18446744073709551615 tensors");
    b = header(ctx, 3, 0, UINT64_MAX / 13);
    refused(&b, NIGH_FORMAT, "keys do not fit");
    test_context_free(ctx);
}

static void refuses_lying_keys(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer b = header(ctx, 3, 0, 1);
    number(&b, UINT64_MAX - 3, 8), number(&b, 0, 8);
    refused(&b, NIGH_FORMAT, "the name of a key takes 18446744073709551612 bytes");
    b = header(ctx, 3, 0, 1);
    text(&b, ""), number(&b, 0, 8);
    refused(&b, NIGH_FORMAT, "0 bytes");
    b = header(ctx, 3, 0, 1);
    number(&b, 3, 8), number(&b, 'a', 3), number(&b, 0, 8);
    refused(&b, NIGH_FORMAT, "a zero in it");
    b = header(ctx, 3, 0, 1);
    key(&b, "k", 13, 0, 8);
    refused(&b, NIGH_FORMAT, "key 'k' is of type 13");
    b = header(ctx, 3, 0, 1);
    key(&b, "k", 7, 2, 1);
    refused(&b, NIGH_FORMAT, "boolean 2");
    b = header(ctx, 3, 0, 2);
    key(&b, "twice", 0, 2, 1), key(&b, "twice", 0, 2, 1);
    refused(&b, NIGH_FORMAT, "'twice' is there twice");
    b = header(ctx, 3, 0, 1);
    text(&b, "deep"), number(&b, 9, 4), number(&b, 9, 4), number(&b, 1, 8);
    refused(&b, NIGH_UNSUPPORTED, "list of lists");
    b = header(ctx, 3, 0, 1);
    text(&b, "l"), number(&b, 9, 4), number(&b, 99, 4), number(&b, 1, 8);
    refused(&b, NIGH_FORMAT, "list of type 99");
    b = header(ctx, 3, 0, 1);
    text(&b, "l"), number(&b, 9, 4), number(&b, 12, 4), number(&b, (uint64_t)1 << 61, 8), number(&b, 0, 8);
    refused(&b, NIGH_FORMAT, "a list of 2305843009213693952 does not fit");
    b = header(ctx, 3, 0, 1);
    text(&b, "l"), number(&b, 9, 4), number(&b, 8, 4), number(&b, 2, 8), text(&b, "a"), number(&b, UINT64_MAX, 8);
    refused(&b, NIGH_FORMAT, "string 1 does not end");
    test_context_free(ctx);
}

static void refuses_lying_tensors(void **state)
{
    static const struct {
        int ndim;
        uint64_t rows, cols;
        uint32_t type;
        uint64_t offset;
        nigh_status status;
        const char *part;
    } wrong[] = {
        {0, 1, 1, 0, 0, NIGH_FORMAT, "0 dimensions"},
        {5, 1, 1, 0, 0, NIGH_FORMAT, "5 dimensions"},
        {1, 1, 0, 0, 0, NIGH_FORMAT, "dimension 1 is 0"},
        {2, UINT64_MAX, 4, 0, 0, NIGH_FORMAT, "dimension 2 is 18446744073709551615"},
        {2, INT64_MAX, INT64_MAX, 0, 0, NIGH_FORMAT, "more bytes than the file"},
        {2, (uint64_t)1 << 32, (uint64_t)1 << 30, 0, 0, NIGH_FORMAT, "more bytes than the file"},
        {1, 1, 33, 2, 0, NIGH_FORMAT, "no whole blocks of Q4_0"},
        {1, 1, 32, 16, 0, NIGH_UNSUPPORTED, "tensor 't' is of type 16"},
        {1, 1, 32, UINT32_MAX, 0, NIGH_UNSUPPORTED, "type 4294967295"},
        {1, 1, 4, 0, 16, NIGH_FORMAT, "multiples of 32"},
        {1, 1, 4, 0, UINT64_MAX - 31, NIGH_FORMAT, "do not lie inside the file"},
        {1, 1, 4, 0, 128, NIGH_FORMAT, "do not lie inside the file"},
        {1, 1, 33, 0, 0, NIGH_FORMAT, "do not lie inside the file"},
    };
    nigh_context *ctx = test_context_new();
    nigh_buffer b;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        b = header(ctx, 3, 1, 0);
        tensor(&b, "t", wrong[i].ndim, wrong[i].rows, wrong[i].cols, wrong[i].type, wrong[i].offset);
        data(&b, 128);
        refused(&b, wrong[i].status, wrong[i].part);
    }
    b = header(ctx, 3, 2, 0);
    tensor(&b, "one", 1, 1, 9, 0, 0), tensor(&b, "two", 1, 1, 8, 0, 32), data(&b, 64);
    refused(&b, NIGH_FORMAT, "tensors 'one' and 'two' overlap");
    b = header(ctx, 3, 2, 0);
    tensor(&b, "same", 1, 1, 8, 0, 0), tensor(&b, "same", 1, 1, 8, 0, 32), data(&b, 64);
    refused(&b, NIGH_FORMAT, "tensor 'same' is there twice");
    test_context_free(ctx);
}

static void minds_alignment(void **state)
{
    static const struct { uint64_t value; const char *part; } wrong[] = {{0, "8 to 1073741824"}, {4, "8 to"}, {48, "a power of 2"}, {UINT32_MAX, "8 to"}};
    nigh_context *ctx = test_context_new();
    nigh_buffer b;
    for (int i = 0; i < 4; i++) {
        b = header(ctx, 3, 0, 1);
        key(&b, "general.alignment", 4, wrong[i].value, 4);
        refused(&b, NIGH_FORMAT, wrong[i].part);
    }
    b = header(ctx, 3, 0, 1);
    key(&b, "general.alignment", 6, 0x42000000, 4); /* 32.0 */
    refused(&b, NIGH_FORMAT, "a whole number is allowed");
    b = header(ctx, 3, 2, 1);
    key(&b, "general.alignment", 4, 128, 4);
    tensor(&b, "a", 1, 1, 4, 0, 0), tensor(&b, "b", 1, 1, 4, 0, 128);
    while (b.size < 256 + 16) number(&b, b.size & 1, 1);
    nigh_gguf *file;
    assert_ok(ctx, nigh_gguf_parse(ctx, b.data, b.size, "f", &file));
    assert_int_equal((const char *)nigh_gguf_find(file, "a")->data - b.data, 128);
    assert_int_equal((const char *)nigh_gguf_find(file, "b")->data - b.data, 256);
    nigh_gguf_close(file);
    nigh_buffer_free(&b);
    test_context_free(ctx);
}

/* Every cut of a file gives a message; so does none of one changed byte crash anything. */
static void survives_cuts_and_changes(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer out = {.ctx = ctx};
    nigh_gguf *file;
    assert_ok(ctx, build(ctx, &out));
    size_t end = out.size;
    for (size_t size = 0; size < end; size++) {
        char *cut = malloc(size ? size : 1); /* of just this size, so that a byte read too far is seen */
        assert_non_null(cut);
        memcpy(cut, out.data, size);
        nigh_status status = nigh_gguf_parse(ctx, cut, size, "cut", &file);
        if (status == NIGH_OK) nigh_gguf_close(file);
        if (size + 16 < end) assert_int_equal(status, NIGH_FORMAT); /* the last tensor has 48 bytes and 16 of padding */
        free(cut);
    }
    for (size_t i = 0; i < end; i++)
        for (int bit = 0; bit < 8; bit++) {
            out.data[i] ^= (char)(1 << bit);
            if (nigh_gguf_parse(ctx, out.data, out.size, "changed", &file) == NIGH_OK) nigh_gguf_close(file);
            out.data[i] ^= (char)(1 << bit);
        }
    nigh_buffer_free(&out);
    test_context_free(ctx);
}

static void finds_among_many_names(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer out = {.ctx = ctx};
    nigh_gguf_writer *w;
    nigh_gguf *file;
    char name[32];
    assert_ok(ctx, nigh_gguf_writer_new(ctx, &w));
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "key.%d", i);
        assert_ok(ctx, nigh_gguf_put_integer(w, name, i));
        assert_ok(ctx, nigh_gguf_put_tensor(w, name, NIGH_BLOCK_F32, 1, (int64_t[]){1}, &(float){(float)i}));
    }
    assert_ok(ctx, nigh_gguf_format(w, &out));
    assert_ok(ctx, nigh_gguf_parse(ctx, out.data, out.size, "many", &file));
    for (int i = 0; i < 3000; i++) {
        int64_t n;
        snprintf(name, sizeof name, "key.%d", i);
        assert_ok(ctx, nigh_gguf_integer(file, name, true, i, i, &n));
        assert_true(*(const float *)nigh_gguf_find(file, name)->data == (float)i);
    }
    nigh_gguf_close(file);
    nigh_gguf_writer_free(w);
    nigh_buffer_free(&out);
    test_context_free(ctx);
}

/* The files that `make models` fetches; skipped when they are not there. */
static void reads_real_models(void **state)
{
    static const struct { const char *file; int64_t tensors, tokens; const char *token; int64_t id; } models[] = {
        {"SmolLM2-135M-Instruct.Q4_1.gguf", 272, 49152, "<|im_end|>", 2},
        {"gemma-3-270m-q4_k_m.gguf", 236, 262144, "<start_of_turn>", 105},
    };
    const char *folder = getenv("NIGH_MODELS");
    nigh_context *ctx = test_context_new();
    int read = 0;
    for (int i = 0; i < 2; i++) {
        char path[512];
        nigh_gguf *file;
        const nigh_gguf_string *tokens;
        int64_t count;
        snprintf(path, sizeof path, "%s/%s", folder ? folder : NIGH_SOURCE_DIR "/build/models", models[i].file);
        if (access(path, R_OK) != 0) continue;
        assert_ok(ctx, nigh_gguf_open(ctx, path, &file));
        assert_int_equal(nigh_gguf_tensor_count(file), models[i].tensors);
        assert_ok(ctx, nigh_gguf_texts(file, "tokenizer.ggml.tokens", true, &tokens, &count));
        assert_int_equal(count, models[i].tokens);
        assert_int_equal(tokens[models[i].id].size, strlen(models[i].token));
        assert_memory_equal(tokens[models[i].id].bytes, models[i].token, tokens[models[i].id].size);
        assert_true(nigh_memory_now(ctx) < 8 << 20); /* strings stay in the file */
        nigh_gguf_close(file);
        read++;
    }
    test_context_free(ctx);
    if (read < 2) {
        print_message("build/models (or $NIGH_MODELS) lacks the models that `make models` fetches\n");
        skip();
    }
}

static nigh_status all_of_it(nigh_context *ctx, void *user)
{
    nigh_buffer out = {.ctx = ctx};
    nigh_gguf *file = NULL;
    const int64_t *whole;
    const nigh_gguf_string *words;
    int64_t count;
    nigh_status status = build(ctx, &out);
    if (!status) status = nigh_gguf_parse(ctx, out.data, out.size, "f", &file);
    if (!status) status = nigh_gguf_integers(file, "whole", true, &whole, &count);
    if (!status) status = nigh_gguf_texts(file, "words", true, &words, &count);
    nigh_gguf_close(file);
    nigh_buffer_free(&out);
    return status;
}

static void allocations_may_fail(void **state) { fail_every_allocation(all_of_it, NULL); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes),  cmocka_unit_test(writes_files_whole),        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(keys_say_what_is_wrong), cmocka_unit_test(reads_every_kind_of_number), cmocka_unit_test(refuses_other_files),
        cmocka_unit_test(refuses_lying_keys),    cmocka_unit_test(refuses_lying_tensors),     cmocka_unit_test(minds_alignment),
        cmocka_unit_test(survives_cuts_and_changes), cmocka_unit_test(finds_among_many_names), cmocka_unit_test(reads_real_models),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
