/* Row streams of arrays: npy files block by block, other formats read whole. Declared in io/row_stream.h. */
#include "io/row_stream.h"

#include <string.h>

enum { LOOK = 1 << 16 };

/* [rows] or [rows, columns] of real numbers. */
static nigh_status check_shape(nigh_row_stream *s, const nigh_shape *shape)
{
    if (shape->ndim < 1 || shape->ndim > 2)
        return nigh_fail(s->ctx, NIGH_INVALID, "'%s' has %d dimensions; [rows] and [rows, columns] are allowed", s->name, shape->ndim);
    if (shape->dtype == NIGH_C64 || shape->dtype == NIGH_C128)
        return nigh_fail(s->ctx, NIGH_UNSUPPORTED, "'%s' holds complex numbers; rows are real numbers", s->name);
    s->head.columns = shape->ndim == 2 ? shape->dim[1] : 1;
    if (shape->dim[0] == 0 || s->head.columns == 0)
        return nigh_fail(s->ctx, NIGH_FORMAT, "'%s' is an array of %lld x %lld; at least one row and one column are needed", s->name,
                         (long long)shape->dim[0], (long long)s->head.columns);
    return NIGH_OK;
}

static nigh_status rewind_array(nigh_row_stream *s)
{
    s->array.taken = 0;
    return NIGH_OK;
}

/* Rows that a chunk's bytes hold. */
static int64_t step_of(const nigh_row_stream *s, const nigh_shape *shape)
{
    size_t row = nigh_dtype_size(shape->dtype) * (size_t)s->head.columns;
    int64_t step = (int64_t)(s->o.chunk / row) + 1, left = shape->dim[0] - s->array.taken;
    return step < left ? step : left;
}

static nigh_status to_values(nigh_row_stream *s, nigh_dtype dtype, const void *data, int64_t rows)
{
    nigh_array piece = {{dtype, 2, {rows, s->head.columns}}, (void *)data};
    nigh_status status = row_stream_room(s, (size_t)(rows * s->head.columns));
    if (!status) status = nigh_array_to_f64(s->ctx, &piece, s->values);
    if (status) return status;
    s->batch = (row_batch){s->values, rows, true};
    s->array.taken += rows;
    return NIGH_OK;
}

static nigh_status fill_whole(nigh_row_stream *s)
{
    const nigh_array *a = &s->array.whole;
    int64_t rows = step_of(s, &a->shape);
    if (a->shape.dtype != NIGH_F64) {
        size_t row = nigh_dtype_size(a->shape.dtype) * (size_t)s->head.columns;
        return to_values(s, a->shape.dtype, (const char *)a->data + (size_t)s->array.taken * row, rows);
    }
    s->batch = (row_batch){(const double *)a->data + s->array.taken * s->head.columns, rows, true};
    s->array.taken += rows;
    return NIGH_OK;
}

nigh_status row_stream_whole(nigh_row_stream *s, const char *path)
{
    nigh_status status = nigh_array_read(s->ctx, path, &s->array.whole);
    if (!status) status = check_shape(s, &s->array.whole.shape);
    s->fill = fill_whole;
    s->rewind = rewind_array;
    return status;
}

/* Rows of a Fortran array: a piece of each column, put into C order. */
static nigh_status read_columns(nigh_row_stream *s, size_t size, int64_t rows)
{
    row_array *a = &s->array;
    int64_t columns = s->head.columns;
    char *column = a->raw + (size_t)(rows * columns) * size;
    for (int64_t c = 0; c < columns; c++) {
        uint64_t first = (uint64_t)c * (uint64_t)a->npy.shape.dim[0] + (uint64_t)a->taken;
        nigh_status status = byte_source_read_at(&s->source, a->npy.start + first * size, column, (size_t)rows * size);
        if (status) return status;
        for (int64_t r = 0; r < rows; r++) memcpy(a->raw + (size_t)(r * columns + c) * size, column + (size_t)r * size, size);
    }
    return NIGH_OK;
}

static nigh_status fill_npy(nigh_row_stream *s)
{
    row_array *a = &s->array;
    const nigh_shape *shape = &a->npy.shape;
    size_t size = nigh_dtype_size(shape->dtype);
    int64_t rows = step_of(s, shape), columns = s->head.columns;
    s->batch = (row_batch){0};
    if (rows == 0) return NIGH_OK;
    if (!a->raw) a->raw = nigh_alloc(s->ctx, (size_t)(rows * (columns + 1)) * size);
    if (!a->raw) return nigh_within(s->ctx, NIGH_MEMORY, "'%s'", s->name);
    nigh_status status = nigh_poll(s->ctx);
    if (!status && a->npy.fortran && columns > 1) status = read_columns(s, size, rows);
    else if (!status)
        status = byte_source_read_at(&s->source, a->npy.start + (uint64_t)(a->taken * columns) * size, a->raw, (size_t)(rows * columns) * size);
    if (status) return status;
    if (a->npy.swapped) nigh_io_swap_bytes(a->raw, (size_t)(rows * columns), size);
    for (int64_t i = 0; shape->dtype == NIGH_BOOL && i < rows * columns; i++) a->raw[i] = a->raw[i] != 0;
    return to_values(s, shape->dtype, a->raw, rows);
}

nigh_status row_stream_npy(nigh_row_stream *s)
{
    size_t size = s->source.size < LOOK ? (size_t)s->source.size : LOOK;
    char *look = nigh_alloc(s->ctx, size + 1);
    nigh_status status = look ? byte_source_read_at(&s->source, 0, look, size) : NIGH_MEMORY;
    if (!status) status = nigh_io_npy_look(s->ctx, look, size, s->source.size, s->name, &s->array.npy);
    nigh_free(s->ctx, look);
    if (!status) status = check_shape(s, &s->array.npy.shape);
    s->fill = fill_npy;
    s->rewind = rewind_array;
    return status;
}

void row_stream_array_free(nigh_row_stream *s)
{
    nigh_array_free(s->ctx, &s->array.whole);
    nigh_free(s->ctx, s->array.raw);
}
