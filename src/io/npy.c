/*
 * npy, NumPy's file of one array. Format: "numpy.lib.format", versions 1.0 (2-byte header length), 2.0 (4-byte),
 * 3.0 (4-byte, UTF-8 header). The header is the text of a Python dict with exactly 'descr', 'fortran_order', 'shape'.
 */
#include "io/stream.h"

#include <string.h>

/* ---- the header's little language ---- */

typedef struct scanner {
    nigh_context *ctx;
    const char *name; /* of the file */
    const char *start, *at, *end;
} scanner;

static nigh_status refuse(scanner *s, const char *what)
{
    return nigh_fail(s->ctx, NIGH_FORMAT, "'%s': npy header, byte %zu: %s, but there is '%s'", s->name,
                     (size_t)(s->at - s->start), what, nigh_io_excerpt_of(s->at, (size_t)(s->end - s->at)).text);
}

static void skip_blanks(scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r')) s->at++;
}

static bool take(scanner *s, char c)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

static bool take_word(scanner *s, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0) return false;
    s->at += size;
    return true;
}

/* A Python string without escapes. */
static nigh_status scan_string(scanner *s, const char **text, size_t *size)
{
    skip_blanks(s);
    if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return refuse(s, "a quoted string should stand here");
    const char *end = memchr(s->at + 1, *s->at, (size_t)(s->end - s->at - 1));
    if (!end) return refuse(s, "this string does not end");
    *text = s->at + 1;
    *size = (size_t)(end - *text);
    if (memchr(*text, '\\', *size)) return refuse(s, "a string without backslashes should stand here");
    s->at = end + 1;
    return NIGH_OK;
}

static nigh_status scan_number(scanner *s, int64_t *value)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at < '0' || *s->at > '9') return refuse(s, "a dimension (0 or more) should stand here");
    const char *start = s->at;
    for (*value = 0; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *s->at - '0', value)) {
            s->at = start;
            return refuse(s, "a dimension is at most 9223372036854775807");
        }
    if (s->at < s->end && *s->at == 'L') s->at++; /* written by Python 2 */
    return NIGH_OK;
}

static nigh_status scan_shape(scanner *s, nigh_shape *shape)
{
    if (!take(s, '(')) return refuse(s, "'(' should open the shape");
    while (!take(s, ')')) {
        if (shape->ndim == NIGH_MAX_DIMS)
            return nigh_fail(s->ctx, NIGH_UNSUPPORTED, "'%s': the array has more than %d dimensions; 0 to %d are allowed",
                             s->name, NIGH_MAX_DIMS, NIGH_MAX_DIMS);
        nigh_status status = scan_number(s, &shape->dim[shape->ndim]);
        if (status) return status;
        shape->ndim++;
        if (take(s, ',')) continue;
        if (shape->ndim == 1) return refuse(s, "',' should follow the only dimension");
        if (!take(s, ')')) return refuse(s, "',' or ')' should stand in the shape");
        break;
    }
    return NIGH_OK;
}

static const struct {
    char code[4];
    nigh_dtype dtype;
} codes[] = {
    {"f8", NIGH_F64}, {"f4", NIGH_F32}, {"f2", NIGH_F16}, {"i8", NIGH_I64}, {"i4", NIGH_I32},
    {"i2", NIGH_I16}, {"i1", NIGH_I8},  {"u8", NIGH_U64}, {"u4", NIGH_U32}, {"u2", NIGH_U16},
    {"u1", NIGH_U8},  {"b1", NIGH_BOOL}, {"c8", NIGH_C64}, {"c16", NIGH_C128},
};

/* '<f8', '>i4', '|u1', '=c16'. A list here is a structured type. */
static nigh_status scan_type(scanner *s, nigh_dtype *dtype, bool *swapped)
{
    const char *text, *start;
    size_t size;
    skip_blanks(s);
    start = s->at;
    if (start < s->end && *start == '[')
        return nigh_fail(s->ctx, NIGH_UNSUPPORTED,
                         "'%s': structured dtype %s is not read; save the fields as arrays of their own", s->name,
                         nigh_io_excerpt_of(start, (size_t)(s->end - start)).text);
    nigh_status status = scan_string(s, &text, &size);
    if (status) return status;
    char order = size ? *text : 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes && size > 1 && strchr("<>|=", order); i++) {
        if (strlen(codes[i].code) != size - 1 || memcmp(codes[i].code, text + 1, size - 1) != 0) continue;
        *dtype = codes[i].dtype;
        *swapped = order == '>';
        if (order == '|' && nigh_dtype_size(*dtype) > 1) break; /* the order of its bytes would be open */
        return NIGH_OK;
    }
    const char *kind = "";
    if (size > 1 && strchr("<>|=", order))
        kind = text[1] == 'O' ? " (Python objects)" : text[1] == 'U' || text[1] == 'S' ? " (text)"
             : text[1] == 'M' || text[1] == 'm' ? " (dates)" : text[1] == 'V' ? " (raw records)" : "";
    return nigh_fail(s->ctx, NIGH_UNSUPPORTED,
                     "'%s': dtype '%s'%s is not read; f2 f4 f8, i1 to i8, u1 to u8, b1, c8 and c16 are", s->name,
                     nigh_io_excerpt_of(text, size).text, kind);
}

typedef struct header {
    nigh_shape shape;
    bool swapped, fortran;
} header;

static nigh_status scan_entry(scanner *s, header *out, unsigned *seen)
{
    const char *key;
    size_t size;
    nigh_status status = scan_string(s, &key, &size);
    if (status) return status;
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    int k = 0;
    while (k < 3 && (strlen(keys[k]) != size || memcmp(keys[k], key, size) != 0)) k++;
    s->at = key;
    if (k == 3) return refuse(s, "'descr', 'fortran_order' and 'shape' are the allowed keys");
    if (*seen & 1u << k) return refuse(s, "this key stands twice");
    *seen |= 1u << k;
    s->at = key + size + 1;
    if (!take(s, ':')) return refuse(s, "':' should follow the key");
    skip_blanks(s);
    if (k == 0) return scan_type(s, &out->shape.dtype, &out->swapped);
    if (k == 2) return scan_shape(s, &out->shape);
    out->fortran = take_word(s, "True");
    return out->fortran || take_word(s, "False") ? NIGH_OK : refuse(s, "True or False should stand here");
}

static nigh_status scan_header(scanner *s, header *out)
{
    unsigned seen = 0;
    if (!take(s, '{')) return refuse(s, "'{' should open the header");
    while (!take(s, '}')) {
        nigh_status status = scan_entry(s, out, &seen);
        if (status) return status;
        if (take(s, ',')) continue;
        if (!take(s, '}')) return refuse(s, "',' or '}' should stand here");
        break;
    }
    if (seen != 7) return refuse(s, "'descr', 'fortran_order' and 'shape' must all be given");
    skip_blanks(s);
    return s->at == s->end ? NIGH_OK : refuse(s, "the header should end after '}'");
}

/* Magic, version and length; leaves the scanner on the header. */
static nigh_status open_header(nigh_context *ctx, const unsigned char *bytes, size_t size, const char *name, scanner *s)
{
    if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is no npy file: it begins with '%s', not \\x93NUMPY", name,
                         nigh_io_excerpt_of(bytes, size < 6 ? size : 6).text);
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "'%s': npy version %d.%d; 1.0, 2.0 and 3.0 are read", name, bytes[6], bytes[7]);
    size_t start = bytes[6] == 1 ? 10 : 12;
    uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
    if (size >= start && start == 12) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    if (size < start || length > size - start)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': the npy header has %llu bytes by its length, but the file ends after %zu",
                         name, (unsigned long long)length, size < start ? 0 : size - start);
    const char *text = (const char *)bytes;
    *s = (scanner){ctx, name, text, text + start, text + start + length};
    return NIGH_OK;
}

/* ---- the data ---- */

/* Elements are turned round in units of one number (half a complex element). */
static void swap_bytes(char *data, size_t count, size_t unit)
{
    for (size_t i = 0; i < count; i++, data += unit)
        for (size_t a = 0, b = unit - 1; a < b; a++, b--) {
            char t = data[a];
            data[a] = data[b];
            data[b] = t;
        }
}

static void copy_element(char *to, const char *from, size_t size)
{
    switch (size) { /* constant sizes become single moves */
    case 1: *to = *from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    default: memcpy(to, from, 16); break;
    }
}

/* The last dimension runs fastest in `to`, the first one in `from`. */
static nigh_status transpose(nigh_context *ctx, char *to, const char *from, const nigh_shape *shape, int64_t count)
{
    size_t size = nigh_dtype_size(shape->dtype);
    int64_t stride[NIGH_MAX_DIMS], at[NIGH_MAX_DIMS] = {0}, step = 1, offset = 0;
    int last = shape->ndim - 1;
    for (int d = 0; d <= last; d++) {
        stride[d] = step;
        step *= shape->dim[d];
    }
    for (int64_t i = 0; i < count; i++) {
        if ((i & 0xfffff) == 0 && nigh_poll(ctx)) return NIGH_INTERRUPTED;
        copy_element(to + (size_t)i * size, from + (size_t)offset * size, size);
        for (int d = last; d >= 0; d--) {
            offset += stride[d];
            if (++at[d] < shape->dim[d]) break;
            offset -= stride[d] * shape->dim[d];
            at[d] = 0;
        }
    }
    return NIGH_OK;
}

nigh_status nigh_npy_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_array *out)
{
    scanner s;
    header h = {0};
    nigh_status status = open_header(ctx, bytes, size, name, &s);
    if (!status) status = scan_header(&s, &h);
    if (status) return status;
    int64_t count = nigh_shape_count(&h.shape);
    if (count < 0) return nigh_fail(ctx, NIGH_FORMAT, "'%s': the shape has more bytes than can be counted", name);
    size_t element = nigh_dtype_size(h.shape.dtype), need = (size_t)count * element;
    size_t have = size - (size_t)(s.end - s.start);
    if (have != need)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': %lld elements of %s need %zu bytes after the header, but %zu are there%s",
                         name, (long long)count, nigh_dtype_name(h.shape.dtype), need, have,
                         have < need ? "; the file is cut off" : "");
    nigh_array array = {h.shape, nigh_alloc(ctx, need)};
    if (!array.data) return nigh_within(ctx, NIGH_MEMORY, "'%s'", name);
    if (h.fortran && h.shape.ndim > 1)
        status = transpose(ctx, array.data, s.end, &h.shape, count);
    else if (need)
        memcpy(array.data, s.end, need);
    if (status) {
        nigh_array_free(ctx, &array);
        return status;
    }
    bool complex = h.shape.dtype == NIGH_C64 || h.shape.dtype == NIGH_C128;
    if (h.swapped) swap_bytes(array.data, (size_t)count << complex, element >> complex);
    if (h.shape.dtype == NIGH_BOOL)
        for (int64_t i = 0; i < count; i++) ((uint8_t *)array.data)[i] = ((uint8_t *)array.data)[i] != 0;
    *out = array;
    return NIGH_OK;
}

nigh_status nigh_io_npy_look(nigh_context *ctx, const void *bytes, size_t size, uint64_t file_size, const char *name, nigh_io_npy *out)
{
    scanner s;
    header h = {0};
    nigh_status status = open_header(ctx, bytes, size, name, &s);
    if (!status) status = scan_header(&s, &h);
    if (status) return status;
    int64_t count = nigh_shape_count(&h.shape);
    if (count < 0) return nigh_fail(ctx, NIGH_FORMAT, "'%s': the shape has more bytes than can be counted", name);
    uint64_t need = (uint64_t)count * nigh_dtype_size(h.shape.dtype), start = (uint64_t)(s.end - s.start);
    if (file_size - start != need)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': %lld elements of %s need %llu bytes after the header, but %llu are there%s", name,
                         (long long)count, nigh_dtype_name(h.shape.dtype), (unsigned long long)need, (unsigned long long)(file_size - start),
                         file_size - start < need ? "; the file is cut off" : "");
    *out = (nigh_io_npy){h.shape, h.swapped, h.fortran, start};
    return NIGH_OK;
}

void nigh_io_swap_bytes(void *data, size_t count, size_t unit) { swap_bytes(data, count, unit); }

nigh_status nigh_npy_read(nigh_context *ctx, const char *path, nigh_array *out)
{
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_npy_parse(ctx, file.data, file.size, nigh_io_source_name(path), out);
    nigh_buffer_free(&file);
    return status;
}

/* ---- writing ---- */

nigh_status nigh_io_npy_header(nigh_context *ctx, const nigh_array *array, nigh_buffer *out)
{
    nigh_status status = nigh_io_check_array(ctx, array, "npy");
    if (status) return status;
    const nigh_shape *shape = &array->shape;
    nigh_dtype dtype = shape->dtype == NIGH_BF16 ? NIGH_F32 : shape->dtype;
    const char *code = "";
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].dtype == dtype) code = codes[i].code;
    char text[512] = "";
    nigh_buffer line = {.ctx = ctx};
    status = nigh_buffer_print(&line, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                               nigh_dtype_size(dtype) == 1 ? '|' : '<', code);
    for (int d = 0; d < shape->ndim && !status; d++)
        status = nigh_buffer_print(&line, "%s%lld%s", d ? ", " : "", (long long)shape->dim[d], shape->ndim == 1 ? "," : "");
    if (!status) status = nigh_buffer_print(&line, "), }");
    if (!status) { /* at most 8 dimensions of 19 digits: fits */
        size_t total = (10 + line.size + 1 + 63) / 64 * 64;
        memset(text, ' ', total);
        memcpy(text, "\x93NUMPY\1\0", 8);
        text[8] = (char)((total - 10) & 255);
        text[9] = (char)((total - 10) >> 8);
        memcpy(text + 10, line.data, line.size);
        text[total - 1] = '\n';
        status = nigh_buffer_add(out, text, total);
    }
    nigh_buffer_free(&line);
    return status;
}

/* bf16 widened to f32, a piece at a time. */
static nigh_status put_bfloat(nigh_io_sink *sink, const uint16_t *data, int64_t count)
{
    uint32_t piece[1024];
    for (int64_t i = 0; i < count;) {
        int n = 0;
        for (; n < 1024 && i < count; i++) piece[n++] = (uint32_t)data[i] << 16;
        nigh_status status = nigh_io_sink_add(sink, piece, (size_t)n * sizeof *piece);
        if (status) return status;
    }
    return NIGH_OK;
}

nigh_status nigh_io_npy_put(nigh_io_sink *sink, const nigh_array *array)
{
    nigh_buffer head = {.ctx = sink->ctx};
    nigh_status status = nigh_io_npy_header(sink->ctx, array, &head);
    if (!status) status = nigh_io_sink_add(sink, head.data, head.size);
    nigh_buffer_free(&head);
    if (status) return status;
    int64_t count = nigh_shape_count(&array->shape);
    if (array->shape.dtype == NIGH_BF16) return put_bfloat(sink, array->data, count);
    return nigh_io_sink_add(sink, array->data, (size_t)count * nigh_dtype_size(array->shape.dtype));
}

nigh_status nigh_npy_format(nigh_context *ctx, const nigh_array *array, nigh_buffer *out)
{
    nigh_io_sink sink = nigh_io_sink_buffer(ctx, out);
    return nigh_io_sink_end(&sink, nigh_io_npy_put(&sink, array));
}

nigh_status nigh_npy_write(nigh_context *ctx, const char *path, const nigh_array *array)
{
    nigh_io_sink sink;
    nigh_status status = nigh_io_sink_open(ctx, path, &sink);
    return status ? status : nigh_io_sink_end(&sink, nigh_io_npy_put(&sink, array));
}
