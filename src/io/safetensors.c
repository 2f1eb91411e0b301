/*
 * safetensors: 8 bytes of header length (little endian), a JSON header {"name": {"dtype", "shape", "data_offsets"}, ...,
 * "__metadata__": {string: string}}, then the data, which the tensors cover without hole or overlap.
 */
#include "io/stream.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64, MOST_HEADER = 100000000 };

static const struct {
    char name[5];
    nigh_dtype dtype;
} types[] = {
    {"F64", NIGH_F64}, {"F32", NIGH_F32}, {"F16", NIGH_F16}, {"BF16", NIGH_BF16}, {"I64", NIGH_I64},
    {"I32", NIGH_I32}, {"I16", NIGH_I16}, {"I8", NIGH_I8},   {"U64", NIGH_U64},   {"U32", NIGH_U32},
    {"U16", NIGH_U16}, {"U8", NIGH_U8},   {"BOOL", NIGH_BOOL}, {"C64", NIGH_C64},
};

/* ---- reading ---- */

typedef struct tensor {
    const char *name; /* owned by the JSON tree */
    nigh_io_excerpt label; /* it, for messages */
    nigh_shape shape;
    uint64_t begin, end;
} tensor;

typedef struct reader {
    nigh_context *ctx;
    const char *file;
    const char *data; /* after the header */
    uint64_t data_size;
} reader;

/* Nesting is looked at before the JSON parser, which recurses, sees the text. */
static nigh_status scan_nesting(nigh_context *ctx, const char *file, const char *text, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '[') && ++depth > DEEPEST)
            return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte %zu: the header is nested deeper than %d levels", file, i + 8, DEEPEST);
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
    }
    return NIGH_OK;
}

static nigh_status read_type(const reader *r, tensor *t, const json_t *value)
{
    const char *name = json_string_value(value);
    if (!name) return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': tensor '%s': dtype must be a string such as \"F32\"", r->file, t->label.text);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) {
            t->shape.dtype = types[i].dtype;
            return NIGH_OK;
        }
    return nigh_fail(r->ctx, NIGH_UNSUPPORTED,
                     "'%s': tensor '%s': dtype '%s' is not read; F64 F32 F16 BF16 C64 I64 to I8, U64 to U8 and BOOL are", r->file,
                     t->label.text, NIGH_IO_EXCERPT(name));
}

static nigh_status read_shape(const reader *r, tensor *t, const json_t *value)
{
    if (!json_is_array(value)) return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': tensor '%s': shape must be a list", r->file, t->label.text);
    size_t n = json_array_size(value);
    if (n > NIGH_MAX_DIMS)
        return nigh_fail(r->ctx, NIGH_UNSUPPORTED, "'%s': tensor '%s' has %zu dimensions; 0 to %d are allowed", r->file, t->label.text, n,
                         NIGH_MAX_DIMS);
    t->shape.ndim = (int)n;
    for (size_t d = 0; d < n; d++) {
        const json_t *dim = json_array_get(value, d);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': tensor '%s': dimension %zu must be a whole number, 0 or more", r->file,
                             t->label.text, d + 1);
        t->shape.dim[d] = json_integer_value(dim);
    }
    return NIGH_OK;
}

static nigh_status read_offsets(const reader *r, tensor *t, const json_t *value)
{
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin))
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': tensor '%s': data_offsets must be [begin, end], 0 <= begin <= end", r->file, t->label.text);
    t->begin = (uint64_t)json_integer_value(begin);
    t->end = (uint64_t)json_integer_value(end);
    return NIGH_OK;
}

static nigh_status read_tensor(const reader *r, const json_t *entry, tensor *t)
{
    if (!*t->name) return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': a tensor has an empty name", r->file);
    const json_t *type = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_object_size(entry) != 3 || !type || !shape || !offsets)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': tensor '%s' must have exactly dtype, shape and data_offsets", r->file, t->label.text);
    nigh_status status = read_type(r, t, type);
    if (!status) status = read_shape(r, t, shape);
    if (!status) status = read_offsets(r, t, offsets);
    if (status) return status;
    int64_t count = nigh_shape_count(&t->shape);
    uint64_t need = count < 0 ? UINT64_MAX : (uint64_t)count * nigh_dtype_size(t->shape.dtype);
    if (need != t->end - t->begin)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': tensor '%s': data_offsets [%llu, %llu] are not the %s of its shape and type",
                         r->file, t->label.text, (unsigned long long)t->begin, (unsigned long long)t->end,
                         count < 0 ? "(uncountable) size" : "size");
    return NIGH_OK;
}

static int by_place(const void *a, const void *b)
{
    const tensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static nigh_status check_cover(const reader *r, const tensor *tensors, size_t n)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].begin != at)
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': tensor '%s' begins at data byte %llu, but the one before ends at %llu (%s)",
                             r->file, tensors[i].label.text, (unsigned long long)tensors[i].begin, (unsigned long long)at,
                             tensors[i].begin < at ? "overlap" : "hole");
        at = tensors[i].end;
    }
    if (at != r->data_size)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': the tensors cover %llu bytes of data, but the file has %llu%s", r->file,
                         (unsigned long long)at, (unsigned long long)r->data_size, at > r->data_size ? "; it is cut off" : "");
    return NIGH_OK;
}

/* The metadata as compact JSON text in the context's memory; `wrong` is the status of what is refused. */
static nigh_status copy_metadata(nigh_context *ctx, const char *what, nigh_status wrong, json_t *value, char **out)
{
    const char *key;
    json_t *item;
    if (!json_is_object(value)) return nigh_fail(ctx, wrong, "'%s': __metadata__ must be an object of strings", what);
    json_object_foreach(value, key, item) if (!json_is_string(item))
        return nigh_fail(ctx, wrong, "'%s': __metadata__ '%s' must be a string", what, NIGH_IO_EXCERPT(key));
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT);
    if (!size) return nigh_fail(ctx, NIGH_MEMORY, "'%s': out of memory for __metadata__", what);
    char *text = nigh_alloc(ctx, size + 1);
    if (!text) return NIGH_MEMORY;
    json_dumpb(value, text, size, JSON_COMPACT);
    text[size] = 0;
    *out = text;
    return NIGH_OK;
}

/* Puts a copy into a bundle. */
static nigh_status copy_tensor(void *user, const char *name, const nigh_shape *shape, const void *data, size_t bytes)
{
    nigh_bundle *bundle = user;
    nigh_array array = {*shape, nigh_alloc(bundle->ctx, bytes)};
    if (!array.data) return nigh_within(bundle->ctx, NIGH_MEMORY, "tensor '%s'", NIGH_IO_EXCERPT(name));
    if (bytes) memcpy(array.data, data, bytes);
    if (shape->dtype == NIGH_BOOL)
        for (size_t k = 0; k < bytes; k++) ((uint8_t *)array.data)[k] = ((uint8_t *)array.data)[k] != 0;
    nigh_status status = nigh_io_bundle_take(bundle, name, strlen(name), &array);
    nigh_array_free(bundle->ctx, &array);
    return status;
}

static nigh_status show_tensors(const reader *r, const tensor *tensors, size_t n, nigh_io_tensor_fn *each, void *user)
{
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < n && !status; i++) {
        const tensor *t = &tensors[i];
        status = nigh_poll(r->ctx);
        if (!status) status = each(user, t->name, &t->shape, r->data + t->begin, (size_t)(t->end - t->begin));
    }
    return status;
}

static nigh_status read_tree(const reader *r, json_t *tree, nigh_io_tensor_fn *each, void *user, char **metadata)
{
    nigh_status status = NIGH_OK;
    size_t n = 0;
    tensor *tensors = nigh_alloc_zero(r->ctx, json_object_size(tree), sizeof *tensors);
    if (!tensors) return NIGH_MEMORY;
    const char *key;
    json_t *entry;
    json_object_foreach(tree, key, entry) {
        if (strcmp(key, "__metadata__") == 0) {
            status = copy_metadata(r->ctx, r->file, NIGH_FORMAT, entry, metadata);
        } else {
            tensors[n].name = key;
            tensors[n].label = nigh_io_excerpt_of(key, strlen(key));
            status = read_tensor(r, entry, &tensors[n++]);
        }
        if (status) goto done;
    }
    if (n) qsort(tensors, n, sizeof *tensors, by_place);
    status = check_cover(r, tensors, n);
    if (!status) status = show_tensors(r, tensors, n, each, user);
done:
    nigh_free(r->ctx, tensors);
    return status;
}

nigh_status nigh_io_safetensors_each(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_io_tensor_fn *each, void *user, char **metadata)
{
    const unsigned char *b = bytes;
    uint64_t length = 0;
    if (size < 8)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is no safetensors file: %zu bytes, but the header length alone takes 8", name, size);
    for (int i = 7; i >= 0; i--) length = length << 8 | b[i];
    if (length > MOST_HEADER || length > size - 8)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is no safetensors file: header of %llu bytes; at most %d, and %zu are there", name,
                         (unsigned long long)length, MOST_HEADER, size - 8);
    const char *text = (const char *)b + 8;
    if (length < 2 || *text != '{')
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is no safetensors file: byte 8: the header must begin with '{', but there is '%s'",
                         name, nigh_io_excerpt_of(text, (size_t)length).text);
    nigh_status status = scan_nesting(ctx, name, text, (size_t)length);
    if (status) return status;
    json_error_t error;
    json_t *tree = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!tree)
        return nigh_fail(ctx, json_error_code(&error) == json_error_out_of_memory ? NIGH_MEMORY : NIGH_FORMAT,
                         "'%s': byte %d: header: %s", name, 8 + error.position, error.text);
    reader r = {ctx, name, text + length, size - 8 - length};
    status = read_tree(&r, tree, each, user, metadata);
    json_decref(tree);
    return status;
}

nigh_status nigh_safetensors_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_bundle *out)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = nigh_io_safetensors_each(ctx, bytes, size, name, copy_tensor, &bundle, &bundle.metadata);
    if (status) nigh_bundle_free(&bundle);
    else *out = bundle;
    return status;
}

nigh_status nigh_safetensors_read(nigh_context *ctx, const char *path, nigh_bundle *out)
{
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_safetensors_parse(ctx, file.data, file.size, nigh_io_source_name(path), out);
    nigh_buffer_free(&file);
    return status;
}

/* ---- writing ---- */

static int by_width(const void *a, const void *b)
{
    const nigh_named_array *x = *(nigh_named_array *const *)a, *y = *(nigh_named_array *const *)b;
    size_t p = nigh_dtype_size(x->array.shape.dtype), q = nigh_dtype_size(y->array.shape.dtype);
    return p != q ? (p > q ? -1 : 1) : strcmp(x->name, y->name);
}

/* `text` as a JSON string. */
static nigh_status put_string(nigh_buffer *out, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    nigh_status status = nigh_buffer_add(out, "\"", 1);
    for (; *text && !status; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            status = nigh_buffer_add(out, (char[]){'\\', *text}, 2);
        else if (c < 32)
            status = nigh_buffer_add(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        else
            status = nigh_buffer_add(out, text, 1);
    }
    return status ? status : nigh_buffer_add(out, "\"", 1);
}

static nigh_status check_item(nigh_context *ctx, const nigh_named_array *item)
{
    nigh_status status = nigh_io_check_array(ctx, &item->array, item->name);
    if (status) return status;
    if (item->array.shape.dtype == NIGH_C128)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "'%s' is c128, which safetensors lacks; split it or write npz", item->name);
    if (!*item->name || strcmp(item->name, "__metadata__") == 0 || !nigh_io_is_utf8(item->name, strlen(item->name)))
        return nigh_fail(ctx, NIGH_INVALID, "'%s' cannot name a tensor; UTF-8 text, not empty, not __metadata__, is allowed", item->name);
    return NIGH_OK;
}

static nigh_status put_item(nigh_buffer *out, const nigh_named_array *item, uint64_t *at)
{
    const nigh_shape *shape = &item->array.shape;
    const char *type = "";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == shape->dtype) type = types[i].name;
    uint64_t end = *at + (uint64_t)nigh_shape_count(shape) * nigh_dtype_size(shape->dtype);
    nigh_status status = put_string(out, item->name);
    if (!status) status = nigh_buffer_print(out, ":{\"dtype\":\"%s\",\"shape\":[", type);
    for (int d = 0; d < shape->ndim && !status; d++) status = nigh_buffer_print(out, "%s%lld", d ? "," : "", (long long)shape->dim[d]);
    if (!status)
        status = nigh_buffer_print(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)*at, (unsigned long long)end);
    *at = end;
    return status;
}

static nigh_status put_metadata(nigh_buffer *out, const char *metadata)
{
    nigh_context *ctx = out->ctx;
    size_t size = strlen(metadata);
    char *text = NULL;
    nigh_status status = scan_nesting(ctx, "metadata", metadata, size);
    if (status) return nigh_fail(ctx, NIGH_INVALID, "metadata is nested deeper than %d levels", DEEPEST);
    json_error_t error;
    json_t *tree = json_loadb(metadata, size, JSON_REJECT_DUPLICATES, &error);
    if (!tree) return nigh_fail(ctx, NIGH_INVALID, "metadata: byte %d: %s", error.position, error.text);
    status = copy_metadata(ctx, "metadata", NIGH_INVALID, tree, &text);
    json_decref(tree);
    if (!status) status = nigh_buffer_print(out, "\"__metadata__\":");
    if (!status) status = nigh_buffer_add(out, text, strlen(text));
    nigh_free(ctx, text);
    return status;
}

/* Length and JSON, padded with blanks so that the data begins at a multiple of 64. */
static nigh_status build_header(nigh_context *ctx, const nigh_bundle *bundle, nigh_named_array **items, nigh_buffer *out)
{
    uint64_t at = 0;
    nigh_status status = nigh_buffer_add(out, "\0\0\0\0\0\0\0\0{", 9);
    if (!status && bundle->metadata) status = put_metadata(out, bundle->metadata);
    for (int64_t i = 0; i < bundle->count && !status; i++) {
        if (i || bundle->metadata) status = nigh_buffer_add(out, ",", 1);
        if (!status) status = put_item(out, items[i], &at);
    }
    if (!status) status = nigh_buffer_add(out, "}", 1);
    while (!status && out->size % 64) status = nigh_buffer_add(out, " ", 1);
    if (status) return status;
    if (out->size - 8 > MOST_HEADER)
        return nigh_fail(ctx, NIGH_INVALID, "the header would have %zu bytes; at most %d are allowed", out->size - 8, MOST_HEADER);
    uint64_t length = out->size - 8;
    memcpy(out->data, &length, 8);
    return NIGH_OK;
}

static nigh_status put_bundle(nigh_io_sink *sink, const nigh_bundle *bundle)
{
    nigh_context *ctx = sink->ctx;
    nigh_buffer head = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    nigh_named_array **items = nigh_alloc(ctx, (size_t)bundle->count * sizeof *items);
    if (!items) return NIGH_MEMORY;
    for (int64_t i = 0; i < bundle->count && !status; i++) {
        items[i] = &bundle->items[i];
        status = check_item(ctx, items[i]);
    }
    if (!status && bundle->count) qsort(items, (size_t)bundle->count, sizeof *items, by_width);
    if (!status) status = nigh_io_bundle_unique(bundle, NIGH_INVALID, "safetensors");
    if (!status) status = build_header(ctx, bundle, items, &head);
    if (!status) status = nigh_io_sink_add(sink, head.data, head.size);
    for (int64_t i = 0; i < bundle->count && !status; i++) {
        const nigh_shape *shape = &items[i]->array.shape;
        status = nigh_io_sink_add(sink, items[i]->array.data, (size_t)nigh_shape_count(shape) * nigh_dtype_size(shape->dtype));
    }
    nigh_buffer_free(&head);
    nigh_free(ctx, items);
    return status;
}

nigh_status nigh_safetensors_format(nigh_context *ctx, const nigh_bundle *bundle, nigh_buffer *out)
{
    nigh_io_sink sink = nigh_io_sink_buffer(ctx, out);
    return nigh_io_sink_end(&sink, put_bundle(&sink, bundle));
}

nigh_status nigh_safetensors_write(nigh_context *ctx, const char *path, const nigh_bundle *bundle)
{
    nigh_io_sink sink;
    nigh_status status = nigh_io_sink_open(ctx, path, &sink);
    return status ? status : nigh_io_sink_end(&sink, put_bundle(&sink, bundle));
}
