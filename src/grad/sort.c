/* Sorting rows, the largest and least, cumulative sums. Declared in nigh/operators_rows.h. */
#include "nigh/operators_rows.h"

#include <math.h>
#include <string.h>

#include "grad/fused.h"
#include "tensor/reduce.h"
#include "tensor/select.h"

/* ---- sort and top-k: outputs values and index ---------------------------------------------------------- */

enum { SHORT_ROW = 24 }; /* up to here insertion beats selection */

typedef struct sort_attributes {
    int64_t k, largest;
} sort_attributes;

/* Does a stand before b? NaN stands last; equal ones stay in order. */
static inline bool before(double a, double b, bool largest) { return isnan(a) ? false : isnan(b) ? true : largest ? a > b : a < b; }

typedef struct short_rows {
    const tape_call *call;
    int64_t n, k;
    bool largest;
} short_rows;

static void short_part(const void *user, int part, int64_t from, int64_t to)
{
    const short_rows *s = user;
    bool single = s->call->in->shape->dtype == NIGH_F32;
    double value[SHORT_ROW];
    int64_t place[SHORT_ROW];
    for (int64_t r = from; r < to; r++) {
        for (int64_t i = 0; i < s->n; i++) {
            double v = single ? (double)((const float *)s->call->in->data)[r * s->n + i] : ((const double *)s->call->in->data)[r * s->n + i];
            int64_t j = i;
            for (; j > 0 && before(v, value[j - 1], s->largest); j--) value[j] = value[j - 1], place[j] = place[j - 1];
            value[j] = v, place[j] = i;
        }
        for (int64_t i = 0; i < s->k; i++) {
            if (single) ((float *)s->call->out[0].data)[r * s->k + i] = (float)value[i];
            else ((double *)s->call->out[0].data)[r * s->k + i] = value[i];
            ((int64_t *)s->call->out[1].data)[r * s->k + i] = place[i];
        }
    }
}

static nigh_status sort_prepare(nigh_context *ctx, const tape_call *call, void **state, size_t *workspace)
{
    const sort_attributes *a = call->node->attributes;
    const nigh_shape *x = call->in->shape;
    if (shape_last(x) <= SHORT_ROW) return NIGH_OK;
    int64_t rows = shape_span(x, 0, x->ndim - 1);
    select_spec spec = {.dtype = x->dtype, .rows = rows, .columns = shape_last(x), .k = a->k, .largest = a->largest};
    selection *s;
    nigh_status status = select_new(ctx, &spec, share_parts(call->threads, rows, 4 * nigh_shape_count(x)), &s);
    if (status) return status;
    *state = s;
    *workspace = select_workspace(s);
    return NIGH_OK;
}

static void sort_run(const void *state, const tape_call *call)
{
    const sort_attributes *a = call->node->attributes;
    const nigh_shape *x = call->in->shape;
    if (state) {
        select_run(state, call->in->data, call->out[0].data, call->out[1].data, call->workspace);
        return;
    }
    int64_t rows = shape_span(x, 0, x->ndim - 1);
    short_rows s = {call, shape_last(x), a->k, a->largest};
    share_rows(share_parts(call->threads, rows, 4 * nigh_shape_count(x)), rows, short_part, &s);
}

static void sort_release(nigh_context *ctx, void *state) { select_free(state); }

static void sort_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    if (grad_out[0] == NIGH_NONE) return;
    grad_in[0] = nigh_tape_put_along(t, grad_out[0], self + 1, -1, shape_last(tape_shape(t, tape_at(t, self)->input[0])));
}

static const tape_operator op_sort = {.name = "sort", .kind = TAPE_KERNEL, .prepare = sort_prepare, .run = sort_run, .release = sort_release, .gradient = sort_gradient};

nigh_node nigh_tape_top_k(nigh_tape *t, nigh_node x, int64_t k, bool largest, nigh_node *index)
{
    char text[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, "sort", x, 1)) return NIGH_NONE;
    nigh_shape shapes[2] = {*tape_shape(t, x)};
    if (k < 0 || k > shape_last(&shapes[0]))
        return tape_fail(t, "top-k", "x is %s, k is %lld; 0 to the length of a row is allowed", tape_shape_text(&shapes[0], text), (long long)k);
    shapes[0].dim[shapes[0].ndim - 1] = k;
    shapes[1] = shapes[0];
    shapes[1].dtype = NIGH_I64;
    sort_attributes attributes = {k, largest};
    nigh_node y = tape_record(t, &op_sort, 2, shapes, 1, &x, &attributes, sizeof attributes, false);
    if (index && y != NIGH_NONE) *index = y + 1;
    return y;
}

nigh_node nigh_tape_sort(nigh_tape *t, nigh_node x, bool largest, nigh_node *index)
{
    if (!fused_check_float(t, "sort", x, 1)) return NIGH_NONE;
    return nigh_tape_top_k(t, x, shape_last(tape_shape(t, x)), largest, index);
}

/* ---- groups of channels -------------------------------------------------------------------------------- */

/* [..., C] to [..., C / group, group]. */
static nigh_node split_channels(nigh_tape *t, const char *op, nigh_node x, int64_t group, nigh_shape *shape)
{
    char text[TAPE_SHAPE_TEXT];
    if (!fused_check_float(t, op, x, 1)) return NIGH_NONE;
    *shape = *tape_shape(t, x);
    int64_t channels = shape_last(shape);
    if (group < 1 || channels % group || shape->ndim == NIGH_MAX_DIMS)
        return tape_fail(t, op, "x is %s, groups of %lld; a divisor of the channels (the last dimension) is needed", tape_shape_text(shape, text), (long long)group);
    nigh_shape split = *shape;
    split.dim[split.ndim - 1] = channels / group;
    split.dim[split.ndim++] = group;
    return nigh_tape_reshape(t, x, split.ndim, split.dim);
}

nigh_node nigh_tape_group_sort(nigh_tape *t, nigh_node x, int64_t group)
{
    nigh_shape shape;
    nigh_node split = split_channels(t, "group-sort", x, group, &shape);
    return split == NIGH_NONE ? NIGH_NONE : nigh_tape_reshape(t, nigh_tape_sort(t, split, false, NULL), shape.ndim, shape.dim);
}

nigh_node nigh_tape_max_out(nigh_tape *t, nigh_node x, int64_t pieces)
{
    nigh_shape shape;
    nigh_node split = split_channels(t, "max-out", x, pieces, &shape);
    return split == NIGH_NONE ? NIGH_NONE : nigh_tape_max_over(t, split, 1u << shape.ndim, false);
}

/* ---- where the largest or least is --------------------------------------------------------------------- */

typedef struct arg_attributes {
    int64_t axis, least;
} arg_attributes;

static void arg_run(const void *state, const tape_call *call)
{
    const arg_attributes *a = call->node->attributes;
    const nigh_shape *x = call->in->shape;
    int axis = (int)a->axis;
    reduce_spec spec = {.id = a->least ? REDUCE_MIN : REDUCE_MAX, .dtype = x->dtype, .outer = shape_span(x, 0, axis), .n = x->dim[axis],
                        .inner = shape_span(x, axis + 1, x->ndim), .threads = call->threads};
    if (nigh_shape_count(x)) reduce_arg(&spec, call->in->data, NIGH_I64, call->out->data);
}

static const tape_operator op_arg = {.name = "arg", .kind = TAPE_KERNEL, .run = arg_run};

static nigh_node arg(nigh_tape *t, const char *op, nigh_node x, int axis, bool least)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, op, 1, &x)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    if ((axis = fused_axis(t, op, axis, from.ndim)) < 0) return NIGH_NONE;
    if (!reduce_has(REDUCE_MAX, from.dtype) || from.dim[axis] < 1) return tape_fail(t, op, "x is %s, axis %d; f32, f64, i32 or i64 and one element or more are needed", tape_shape_text(&from, text), axis);
    nigh_shape shape = {.dtype = NIGH_I64};
    for (int i = 0; i < from.ndim; i++)
        if (i != axis) shape.dim[shape.ndim++] = from.dim[i];
    arg_attributes attributes = {axis, least};
    return tape_record_one(t, &op_arg, &shape, 1, &x, &attributes, sizeof attributes);
}

nigh_node nigh_tape_argmax(nigh_tape *t, nigh_node x, int axis) { return arg(t, "argmax", x, axis, false); }
nigh_node nigh_tape_argmin(nigh_tape *t, nigh_node x, int axis) { return arg(t, "argmin", x, axis, true); }

/* ---- cumulative sums ------------------------------------------------------------------------------------ */

typedef struct cumulative_attributes {
    int64_t axis, reverse, exclusive;
} cumulative_attributes;

typedef struct cumulative_share {
    const tape_call *call;
    int64_t n, inner;
    bool reverse, exclusive;
} cumulative_share;

/* out_k = out_(k-1) + x_k, or + x_(k-1) when exclusive: each line adds one line to the one before. */
#define CUMULATE(type)                                                                                                                     \
    do {                                                                                                                                   \
        const type *in = (const type *)s->call->in->data + o * s->n * s->inner;                                                            \
        type *out = (type *)s->call->out->data + o * s->n * s->inner;                                                                      \
        for (int64_t k = 0; k < s->n; k++) {                                                                                               \
            int64_t here = s->reverse ? s->n - 1 - k : k, back = s->reverse ? here + 1 : here - 1;                                         \
            const type *x = in + (s->exclusive ? back : here) * s->inner;                                                                  \
            for (int64_t i = 0; i < s->inner; i++)                                                                                         \
                out[here * s->inner + i] = (k ? out[back * s->inner + i] : 0) + (s->exclusive && !k ? 0 : x[i]);                           \
        }                                                                                                                                  \
    } while (0)

/* The same along the last axis: one running sum. */
#define RUNNING(type)                                                                                                                      \
    do {                                                                                                                                   \
        int64_t step = s->reverse ? -1 : 1, first = s->reverse ? s->n - 1 : 0;                                                             \
        const type *x = (const type *)s->call->in->data + o * s->n + first;                                                                \
        type *out = (type *)s->call->out->data + o * s->n + first, sum = 0;                                                                \
        for (int64_t k = 0; k < s->n; k++, x += step, out += step) {                                                                       \
            type next = sum + *x;                                                                                                          \
            *out = s->exclusive ? sum : next;                                                                                              \
            sum = next;                                                                                                                    \
        }                                                                                                                                  \
    } while (0)

static void cumulative_part(const void *user, int part, int64_t from, int64_t to)
{
    const cumulative_share *s = user;
    bool single = s->call->in->shape->dtype == NIGH_F32;
    for (int64_t o = from; o < to; o++) {
        if (s->inner == 1 && single) RUNNING(float);
        else if (s->inner == 1) RUNNING(double);
        else if (single) CUMULATE(float);
        else CUMULATE(double);
    }
}

static void cumulative_run(const void *state, const tape_call *call)
{
    const cumulative_attributes *a = call->node->attributes;
    const nigh_shape *x = call->in->shape;
    int axis = (int)a->axis;
    int64_t outer = shape_span(x, 0, axis);
    cumulative_share s = {call, x->dim[axis], shape_span(x, axis + 1, x->ndim), a->reverse, a->exclusive};
    share_rows(share_parts(call->threads, outer, nigh_shape_count(x)), outer, cumulative_part, &s);
}

static void cumulative_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const cumulative_attributes a = *(const cumulative_attributes *)tape_at(t, self)->attributes;
    grad_in[0] = nigh_tape_cumulative_sum(t, grad_out[0], (int)a.axis, !a.reverse, a.exclusive);
}

static const tape_operator op_cumulative = {.name = "cumulative-sum", .kind = TAPE_KERNEL, .run = cumulative_run, .gradient = cumulative_gradient};

nigh_node nigh_tape_cumulative_sum(nigh_tape *t, nigh_node x, int axis, bool reverse, bool exclusive)
{
    if (!fused_check_float(t, "cumulative-sum", x, 1)) return NIGH_NONE;
    const nigh_shape shape = *tape_shape(t, x);
    if ((axis = fused_axis(t, "cumulative-sum", axis, shape.ndim)) < 0) return NIGH_NONE;
    cumulative_attributes attributes = {axis, reverse, exclusive};
    return tape_record_one(t, &op_cumulative, &shape, 1, &x, &attributes, sizeof attributes);
}
