/* Rows and elements taken by index, their adjoints, one-hot rows, segments. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

#include "grad/fused.h"

/* ---- indices ------------------------------------------------------------------------------------------ */

static inline int64_t index_at(const tape_operand *index, int64_t i)
{
    return index->shape->dtype == NIGH_I32 ? ((const int32_t *)index->data)[i] : ((const int64_t *)index->data)[i];
}

static bool check_index(nigh_tape *t, const char *op, nigh_node index)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, op, 1, &index)) return false;
    const nigh_shape *shape = tape_shape(t, index);
    if (shape->dtype == NIGH_I32 || shape->dtype == NIGH_I64) return true;
    tape_fail(t, op, "the index is %s; i32 or i64 is needed", tape_shape_text(shape, text));
    return false;
}

static void add_row(nigh_dtype dtype, int64_t n, const char *from, char *to)
{
    if (dtype == NIGH_F32) {
        const float *a = (const float *)from;
        float *b = (float *)to;
        for (int64_t i = 0; i < n; i++) b[i] += a[i];
    } else {
        const double *a = (const double *)from;
        double *b = (double *)to;
        for (int64_t i = 0; i < n; i++) b[i] += a[i];
    }
}

/* ---- whole rows: [rows, width] and an index of n ------------------------------------------------------- */

typedef struct rows_share {
    const tape_call *call;
    int64_t n, rows, width;
} rows_share;

static void gather_part(const void *user, int part, int64_t from, int64_t to)
{
    const rows_share *s = user;
    const tape_operand *x = &s->call->in[0], *index = &s->call->in[1];
    size_t bytes = (size_t)s->width * nigh_dtype_size(x->shape->dtype);
    for (int64_t i = from; i < to; i++) {
        int64_t r = index_at(index, i);
        char *out = (char *)s->call->out->data + (size_t)i * bytes;
        if (r < 0 || r >= s->rows) memset(out, 0, bytes);
        else memcpy(out, (const char *)x->data + (size_t)r * bytes, bytes);
    }
}

static void gather_run(const void *state, const tape_call *call)
{
    const nigh_shape *x = call->in[0].shape, *index = call->in[1].shape;
    rows_share s = {call, nigh_shape_count(index), x->dim[0], shape_span(x, 1, x->ndim)};
    if (s.width) share_rows(share_parts(call->threads, s.n, s.n * s.width), s.n, gather_part, &s);
}

/* Each part owns rows of the result, so that every sum runs in the order of the index whatever the number of parts. */
static void scatter_part(const void *user, int part, int64_t from, int64_t to)
{
    const rows_share *s = user;
    const tape_operand *x = &s->call->in[0], *index = &s->call->in[1];
    nigh_dtype dtype = x->shape->dtype;
    size_t bytes = (size_t)s->width * nigh_dtype_size(dtype);
    char *out = s->call->out->data;
    memset(out + (size_t)from * bytes, 0, (size_t)(to - from) * bytes);
    for (int64_t i = 0; i < s->n; i++) {
        int64_t r = index_at(index, i);
        if (r >= from && r < to) add_row(dtype, s->width, (const char *)x->data + (size_t)i * bytes, out + (size_t)r * bytes);
    }
}

static void scatter_run(const void *state, const tape_call *call)
{
    const nigh_shape *out = call->out->shape, *index = call->in[1].shape;
    rows_share s = {call, nigh_shape_count(index), out->dim[0], shape_span(out, 1, out->ndim)};
    if (s.width) share_rows(share_parts(call->threads, s.rows, nigh_shape_count(out) + s.n * s.width), s.rows, scatter_part, &s);
}

static void gather_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    if (wanted[0]) grad_in[0] = nigh_tape_scatter(t, grad_out[0], node.input[1], tape_shape(t, node.input[0])->dim[0]);
}

static void scatter_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    if (wanted[0]) grad_in[0] = nigh_tape_gather(t, grad_out[0], node.input[1]);
}

static const tape_operator op_gather = {.name = "gather", .kind = TAPE_KERNEL, .run = gather_run, .gradient = gather_gradient};
static const tape_operator op_scatter = {.name = "scatter", .kind = TAPE_KERNEL, .run = scatter_run, .gradient = scatter_gradient};

nigh_node nigh_tape_gather(nigh_tape *t, nigh_node x, nigh_node index)
{
    char sx[TAPE_SHAPE_TEXT], si[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "gather", x, 1) || !check_index(t, "gather", index)) return NIGH_NONE;
    const nigh_shape *from = tape_shape(t, x), *by = tape_shape(t, index);
    if (from->ndim - 1 + by->ndim > NIGH_MAX_DIMS)
        return tape_fail(t, "gather", "x is %s, the index is %s: more than %d dimensions together", tape_shape_text(from, sx), tape_shape_text(by, si), NIGH_MAX_DIMS);
    nigh_shape shape = *by;
    shape.dtype = from->dtype;
    for (int i = 1; i < from->ndim; i++) shape.dim[shape.ndim++] = from->dim[i];
    return tape_record_one(t, &op_gather, &shape, 2, (nigh_node[]){x, index}, NULL, 0);
}

nigh_node nigh_tape_scatter(nigh_tape *t, nigh_node x, nigh_node index, int64_t rows)
{
    char sx[TAPE_SHAPE_TEXT], si[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "scatter", x, 0) || !check_index(t, "scatter", index)) return NIGH_NONE;
    const nigh_shape *from = tape_shape(t, x), *by = tape_shape(t, index);
    if (rows < 0) return tape_fail(t, "scatter", "%lld rows; 0 or more is allowed", (long long)rows);
    if (from->ndim < by->ndim || from->ndim - by->ndim + 1 > NIGH_MAX_DIMS || memcmp(from->dim, by->dim, (size_t)by->ndim * sizeof *by->dim) != 0)
        return tape_fail(t, "scatter", "x is %s, the index is %s; x must begin with the index's dimensions", tape_shape_text(from, sx), tape_shape_text(by, si));
    nigh_shape shape = {.dtype = from->dtype, .ndim = 1, .dim = {rows}};
    for (int i = by->ndim; i < from->ndim; i++) shape.dim[shape.ndim++] = from->dim[i];
    return tape_record_one(t, &op_scatter, &shape, 2, (nigh_node[]){x, index}, NULL, 0);
}

/* ---- along an axis: [outer, size, inner] and an index of [outer, count, inner] -------------------------- */

typedef struct along_attributes {
    int64_t axis;
} along_attributes;

typedef struct along_share {
    const tape_call *call;
    int64_t size, count, inner;
    bool put;
} along_share;

static void along_part(const void *user, int part, int64_t from, int64_t to)
{
    const along_share *s = user;
    const tape_operand *index = &s->call->in[1];
    bool single = s->call->in[0].shape->dtype == NIGH_F32;
    for (int64_t o = from; o < to; o++)
        for (int64_t k = 0; k < s->count; k++)
            for (int64_t i = 0; i < s->inner; i++) {
                int64_t small = (o * s->count + k) * s->inner + i, r = index_at(index, small), large = (o * s->size + r) * s->inner + i;
                bool inside = r >= 0 && r < s->size;
                const void *in = s->call->in[0].data;
                void *out = s->call->out->data;
                if (s->put && inside) {
                    if (single) ((float *)out)[large] += ((const float *)in)[small];
                    else ((double *)out)[large] += ((const double *)in)[small];
                } else if (!s->put) {
                    if (single) ((float *)out)[small] = inside ? ((const float *)in)[large] : 0;
                    else ((double *)out)[small] = inside ? ((const double *)in)[large] : 0;
                }
            }
}

static void along_run(const tape_call *call, bool put)
{
    int axis = (int)((const along_attributes *)call->node->attributes)->axis;
    const nigh_shape *large = put ? call->out->shape : call->in[0].shape, *small = call->in[1].shape;
    int64_t outer = shape_span(small, 0, axis);
    along_share s = {call, large->dim[axis], small->dim[axis], shape_span(small, axis + 1, small->ndim), put};
    if (put) memset(call->out->data, 0, (size_t)nigh_shape_count(large) * nigh_dtype_size(large->dtype));
    share_rows(share_parts(call->threads, outer, 2 * nigh_shape_count(small)), outer, along_part, &s);
}

static void take_run(const void *state, const tape_call *call) { along_run(call, false); }
static void put_run(const void *state, const tape_call *call) { along_run(call, true); }

static void take_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    int axis = (int)((const along_attributes *)node.attributes)->axis;
    if (wanted[0]) grad_in[0] = nigh_tape_put_along(t, grad_out[0], node.input[1], axis, tape_shape(t, node.input[0])->dim[axis]);
}

static void put_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    if (wanted[0]) grad_in[0] = nigh_tape_take_along(t, grad_out[0], node.input[1], (int)((const along_attributes *)node.attributes)->axis);
}

static const tape_operator op_take = {.name = "take-along", .kind = TAPE_KERNEL, .run = take_run, .gradient = take_gradient};
static const tape_operator op_put = {.name = "put-along", .kind = TAPE_KERNEL, .run = put_run, .gradient = put_gradient};

static nigh_node record_along(nigh_tape *t, const tape_operator *op, nigh_node x, nigh_node index, int axis, int64_t size)
{
    char sx[TAPE_SHAPE_TEXT], si[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op->name, x, 1) || !check_index(t, op->name, index)) return NIGH_NONE;
    const nigh_shape *from = tape_shape(t, x), *by = tape_shape(t, index);
    if ((axis = fused_axis(t, op->name, axis, from->ndim)) < 0) return NIGH_NONE;
    nigh_shape fit = *from;
    if (op == &op_take && by->ndim == fit.ndim) fit.dim[axis] = by->dim[axis];
    if (!tape_same_shape(&fit, by)) {
        const char *where = op == &op_take ? " but along the axis" : "";
        return tape_fail(t, op->name, "x is %s, the index is %s; they must be equal%s", tape_shape_text(from, sx), tape_shape_text(by, si), where);
    }
    if (op == &op_put) {
        if (size < 0) return tape_fail(t, op->name, "the size is %lld; 0 or more is allowed", (long long)size);
        fit.dim[axis] = size;
    }
    along_attributes attributes = {axis};
    return tape_record_one(t, op, &fit, 2, (nigh_node[]){x, index}, &attributes, sizeof attributes);
}

nigh_node nigh_tape_take_along(nigh_tape *t, nigh_node x, nigh_node index, int axis) { return record_along(t, &op_take, x, index, axis, 0); }
nigh_node nigh_tape_put_along(nigh_tape *t, nigh_node x, nigh_node index, int axis, int64_t size) { return record_along(t, &op_put, x, index, axis, size); }

/* ---- one-hot rows ------------------------------------------------------------------------------------- */

static void one_hot_run(const void *state, const tape_call *call)
{
    const nigh_shape *shape = call->out->shape;
    int64_t size = shape_last(shape), n = nigh_shape_count(call->in->shape);
    memset(call->out->data, 0, (size_t)nigh_shape_count(shape) * nigh_dtype_size(shape->dtype));
    for (int64_t i = 0; i < n; i++) {
        int64_t r = index_at(call->in, i);
        if (r < 0 || r >= size) continue;
        if (shape->dtype == NIGH_F32) ((float *)call->out->data)[i * size + r] = 1;
        else ((double *)call->out->data)[i * size + r] = 1;
    }
}

static const tape_operator op_one_hot = {.name = "one-hot", .kind = TAPE_KERNEL, .run = one_hot_run};

nigh_node nigh_tape_one_hot(nigh_tape *t, nigh_node index, int64_t size, nigh_dtype dtype)
{
    char text[TAPE_SHAPE_TEXT];
    if (!check_index(t, "one-hot", index)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, index);
    if (size < 0 || !tape_is_float(dtype) || shape.ndim == NIGH_MAX_DIMS)
        return tape_fail(t, "one-hot", "the index is %s, %lld classes of %s; f32 or f64 and at most %d dimensions are allowed", tape_shape_text(&shape, text), (long long)size,
                         nigh_dtype_name(dtype), NIGH_MAX_DIMS);
    shape.dtype = dtype;
    shape.dim[shape.ndim++] = size;
    return tape_record_one(t, &op_one_hot, &shape, 1, &index, NULL, 0);
}

/* ---- segments ----------------------------------------------------------------------------------------- */

typedef struct segment_attributes {
    double empty;
} segment_attributes;

/* Outputs: the largest of each segment and column, and its row (-1: none). A NaN is the largest. */
static void segment_part(const void *user, int part, int64_t from, int64_t to)
{
    const rows_share *s = user;
    const tape_operand *x = &s->call->in[0], *id = &s->call->in[1];
    double empty = ((const segment_attributes *)s->call->node->attributes)->empty;
    int64_t *arg = s->call->out[1].data, w = s->width;
    for (int64_t k = from * w; k < to * w; k++) {
        arg[k] = -1;
        if (x->shape->dtype == NIGH_F32) ((float *)s->call->out[0].data)[k] = (float)empty;
        else ((double *)s->call->out[0].data)[k] = empty;
    }
    for (int64_t i = 0; i < s->n; i++) {
        int64_t r = index_at(id, i);
        if (r < from || r >= to) continue;
        for (int64_t c = 0; c < w; c++) {
            if (x->shape->dtype == NIGH_F32) {
                float *best = (float *)s->call->out[0].data + r * w + c, v = ((const float *)x->data)[i * w + c];
                if (arg[r * w + c] < 0 || v > *best || (isnan(v) && !isnan(*best))) *best = v, arg[r * w + c] = i;
            } else {
                double *best = (double *)s->call->out[0].data + r * w + c, v = ((const double *)x->data)[i * w + c];
                if (arg[r * w + c] < 0 || v > *best || (isnan(v) && !isnan(*best))) *best = v, arg[r * w + c] = i;
            }
        }
    }
}

static void segment_run(const void *state, const tape_call *call)
{
    const nigh_shape *x = call->in[0].shape;
    rows_share s = {call, x->dim[0], call->out->shape->dim[0], shape_span(x, 1, x->ndim)};
    share_rows(share_parts(call->threads, s.rows, 2 * s.n * s.width), s.rows, segment_part, &s);
}

static void segment_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    int64_t rows = tape_shape(t, tape_at(t, self)->input[0])->dim[0];
    if (wanted[0]) grad_in[0] = nigh_tape_put_along(t, grad_out[0], self + 1, 0, rows);
}

static const tape_operator op_segment_max = {.name = "segment-max", .kind = TAPE_KERNEL, .run = segment_run, .gradient = segment_gradient};

static bool check_segments(nigh_tape *t, const char *op, nigh_node x, nigh_node id, int64_t count)
{
    char sx[TAPE_SHAPE_TEXT], si[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op, x, 1) || !check_index(t, op, id)) return false;
    const nigh_shape *from = tape_shape(t, x), *by = tape_shape(t, id);
    if (count >= 0 && by->ndim == 1 && by->dim[0] == from->dim[0]) return true;
    tape_fail(t, op, "x is %s, the ids are %s, %lld segments; one id a row of x is needed", tape_shape_text(from, sx), tape_shape_text(by, si), (long long)count);
    return false;
}

nigh_node nigh_tape_segment_sum(nigh_tape *t, nigh_node x, nigh_node id, int64_t count)
{
    return check_segments(t, "segment-sum", x, id, count) ? nigh_tape_scatter(t, x, id, count) : NIGH_NONE;
}

nigh_node nigh_tape_segment_mean(nigh_tape *t, nigh_node x, nigh_node id, int64_t count)
{
    if (!check_segments(t, "segment-mean", x, id, count)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    int64_t column[NIGH_MAX_DIMS] = {count};
    for (int i = 1; i < shape.ndim; i++) column[i] = 1;
    nigh_node ones = nigh_tape_fill(t, shape.dtype, 1, shape.dim, 1), rows = nigh_tape_clamp(t, nigh_tape_scatter(t, ones, id, count), 1, INFINITY);
    return nigh_tape_div(t, nigh_tape_scatter(t, x, id, count), nigh_tape_reshape(t, rows, shape.ndim, column));
}

nigh_node nigh_tape_segment_max(nigh_tape *t, nigh_node x, nigh_node id, int64_t count, double empty)
{
    if (!check_segments(t, "segment-max", x, id, count)) return NIGH_NONE;
    nigh_shape shapes[2] = {*tape_shape(t, x)};
    shapes[0].dim[0] = count;
    shapes[1] = shapes[0];
    shapes[1].dtype = NIGH_I64;
    segment_attributes attributes = {empty};
    return tape_record(t, &op_segment_max, 2, shapes, 2, (nigh_node[]){x, id}, &attributes, sizeof attributes, false);
}
