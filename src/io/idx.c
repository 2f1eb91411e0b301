/* IDX, the format in which MNIST is given out: two zero bytes, type, number of dimensions, sizes, elements, all big endian. */
#include "io/gzip.h"
#include "io/stream.h"

#include <string.h>

static const struct {
    unsigned char code;
    nigh_dtype dtype;
} types[] = {{8, NIGH_U8}, {9, NIGH_I8}, {11, NIGH_I16}, {12, NIGH_I32}, {13, NIGH_F32}, {14, NIGH_F64}};
enum { TYPES = sizeof types / sizeof *types };

static void reverse_copy(void *to, const void *from, size_t count, size_t size)
{
    const unsigned char *p = from;
    unsigned char *q = to;
    for (size_t i = 0; i < count; i++, p += size, q += size)
        for (size_t k = 0; k < size; k++) q[k] = p[size - 1 - k];
}

static nigh_status parse_header(nigh_context *ctx, const unsigned char *p, size_t size, const char *name, nigh_shape *shape)
{
    if (size < 4 || p[0] || p[1])
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is no IDX file: it must begin with two zero bytes, a type and a number of dimensions", name);
    int type = 0;
    while (type < TYPES && types[type].code != p[2]) type++;
    if (type == TYPES)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte 2: element type %d; 8, 9, 11, 12, 13 and 14 are allowed", name, p[2]);
    if (p[3] < 1 || p[3] > NIGH_MAX_DIMS)
        return nigh_fail(ctx, p[3] ? NIGH_UNSUPPORTED : NIGH_FORMAT, "'%s': byte 3: %d dimensions; 1 to %d are allowed", name, p[3], NIGH_MAX_DIMS);
    *shape = (nigh_shape){.dtype = types[type].dtype, .ndim = p[3]};
    if (size < 4 + 4 * (size_t)p[3]) return nigh_fail(ctx, NIGH_FORMAT, "'%s': the sizes of its %d dimensions are cut off", name, p[3]);
    for (int i = 0; i < shape->ndim; i++) {
        const unsigned char *d = p + 4 + 4 * i;
        shape->dim[i] = (int64_t)d[0] << 24 | (int64_t)d[1] << 16 | (int64_t)d[2] << 8 | d[3];
    }
    return NIGH_OK;
}

static nigh_status parse_plain(nigh_context *ctx, const unsigned char *bytes, size_t size, const char *name, nigh_array *out)
{
    nigh_array array = {0};
    nigh_status status = parse_header(ctx, bytes, size, name, &array.shape);
    if (status) return status;
    size_t head = 4 + 4 * (size_t)array.shape.ndim, element = nigh_dtype_size(array.shape.dtype);
    int64_t count = nigh_shape_count(&array.shape);
    if (count < 0) return nigh_fail(ctx, NIGH_FORMAT, "'%s': byte 4: a shape of uncountable size", name);
    if ((uint64_t)count * element != size - head)
        return nigh_fail(ctx, NIGH_FORMAT, "'%s': its header promises %llu bytes of data, %zu are there", name,
                         (unsigned long long)((uint64_t)count * element), size - head);
    array.data = nigh_alloc(ctx, size - head);
    if (!array.data) return nigh_within(ctx, NIGH_MEMORY, "'%s'", name);
    reverse_copy(array.data, bytes + head, (size_t)count, element);
    *out = array;
    return NIGH_OK;
}

nigh_status nigh_idx_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_array *out)
{
    nigh_buffer room = {.ctx = ctx};
    const char *data;
    size_t plain;
    nigh_status status = nigh_io_plain(ctx, bytes, size, name, 0, &room, &data, &plain);
    if (!status) status = parse_plain(ctx, (const unsigned char *)data, plain, name, out);
    nigh_buffer_free(&room);
    return status;
}

nigh_status nigh_idx_read(nigh_context *ctx, const char *path, nigh_array *out)
{
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_idx_parse(ctx, file.data, file.size, nigh_io_source_name(path), out);
    nigh_buffer_free(&file);
    return status;
}

nigh_status nigh_idx_format(nigh_context *ctx, const nigh_array *array, nigh_buffer *out)
{
    nigh_status status = nigh_io_check_array(ctx, array, "array");
    if (status) return status;
    const nigh_shape *shape = &array->shape;
    int type = 0;
    while (type < TYPES && types[type].dtype != shape->dtype) type++;
    if (type == TYPES)
        return nigh_fail(ctx, NIGH_UNSUPPORTED, "IDX has no element type %s; u8, i8, i16, i32, f32 and f64 are allowed", nigh_dtype_name(shape->dtype));
    if (shape->ndim == 0) return nigh_fail(ctx, NIGH_UNSUPPORTED, "IDX has no scalars; give the array a dimension");
    unsigned char head[4 + 4 * NIGH_MAX_DIMS] = {0, 0, types[type].code, (unsigned char)shape->ndim};
    for (int i = 0; i < shape->ndim; i++) {
        if (shape->dim[i] > UINT32_MAX)
            return nigh_fail(ctx, NIGH_UNSUPPORTED, "dimension %d is %lld; IDX allows 2^32 - 1", i, (long long)shape->dim[i]);
        for (int k = 0; k < 4; k++) head[4 + 4 * i + k] = (unsigned char)(shape->dim[i] >> (24 - 8 * k));
    }
    size_t count = (size_t)nigh_shape_count(shape), element = nigh_dtype_size(shape->dtype), start = out->size;
    if (!out->ctx) out->ctx = ctx;
    status = nigh_buffer_add(out, head, 4 + 4 * (size_t)shape->ndim);
    unsigned char piece[8192];
    for (size_t i = 0; i < count && !status;) {
        size_t some = sizeof piece / element < count - i ? sizeof piece / element : count - i;
        reverse_copy(piece, (const char *)array->data + i * element, some, element);
        status = nigh_buffer_add(out, piece, some * element);
        i += some;
    }
    if (status && out->data) out->data[out->size = start] = 0;
    return status;
}

nigh_status nigh_idx_write(nigh_context *ctx, const char *path, const nigh_array *array)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_idx_format(ctx, array, &bytes);
    if (!status) status = nigh_io_write_maybe_gzip(ctx, path, &bytes);
    nigh_buffer_free(&bytes);
    return status;
}
