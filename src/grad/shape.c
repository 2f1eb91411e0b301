/*
 * Operators that move elements and compute nothing: views (reshape, permute, slice, expand), place (the adjoint of slice),
 * concatenation, and what is made of them. Declared in nigh/grad.h.
 */
#include "grad/tape.h"

#include <string.h>

static int axis_of(nigh_tape *t, const char *op, int axis, int ndim)
{
    if (axis >= -ndim && axis < ndim) return axis < 0 ? axis + ndim : axis;
    tape_fail(t, op, "axis %d of an array of %d dimensions", axis, ndim);
    return -1;
}

/* ---- reshape ------------------------------------------------------------------------------------------ */

/* Runs of dimensions of `in` that lie dense in memory are split and merged; false where a merged run is not dense. */
static bool reshape_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    int64_t dim[NIGH_MAX_DIMS], stride[NIGH_MAX_DIMS];
    int n = 0;
    for (int i = 0; i < in->ndim; i++)
        if (in->dim[i] != 1) dim[n] = in->dim[i], stride[n++] = layout->stride[i];
    out->offset = layout->offset;
    const nigh_shape *to = &node->shape;
    if (nigh_shape_count(to) == 0 || n == 0) {
        tape_dense_strides(to, out->stride);
        return true;
    }
    int i = 0, j = 0;
    while (j < to->ndim) {
        if (to->dim[j] == 1) {
            out->stride[j++] = 0;
            continue;
        }
        int64_t have = dim[i], want = to->dim[j];
        int i_end = i + 1, j_end = j + 1;
        while (have != want) {
            if (have < want) have *= dim[i_end++];
            else want *= to->dim[j_end++];
        }
        for (int k = i; k + 1 < i_end; k++)
            if (stride[k] != dim[k + 1] * stride[k + 1]) return false;
        int64_t step = stride[i_end - 1];
        for (int k = j_end - 1; k >= j; k--) {
            out->stride[k] = step;
            step *= to->dim[k];
        }
        i = i_end;
        j = j_end;
    }
    return true;
}

static void reshape_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const nigh_shape shape = *tape_shape(t, tape_at(t, self)->input[0]);
    grad_in[0] = nigh_tape_reshape(t, grad_out[0], shape.ndim, shape.dim);
}

static const tape_operator op_reshape = {.name = "reshape", .kind = TAPE_VIEW, .same_order = true, .view = reshape_view, .gradient = reshape_gradient};

nigh_node nigh_tape_reshape(nigh_tape *t, nigh_node x, int ndim, const int64_t *dim)
{
    char text[TAPE_SHAPE_TEXT], wanted[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "reshape", 1, &x)) return NIGH_NONE;
    if (ndim < 0 || ndim > NIGH_MAX_DIMS) return tape_fail(t, "reshape", "%d dimensions; 0 to %d are allowed", ndim, NIGH_MAX_DIMS);
    const nigh_shape from = *tape_shape(t, x);
    nigh_shape shape = tape_make_shape(from.dtype, ndim, dim);
    int64_t count = nigh_shape_count(&from), known = 1;
    int open = -1;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] == -1 && open < 0) open = i;
        else if (dim[i] < 0 || __builtin_mul_overflow(known, dim[i], &known)) return tape_fail(t, "reshape", "dimension %d is %lld", i, (long long)dim[i]);
    }
    if (open >= 0 && known > 0) shape.dim[open] = count / known, known *= shape.dim[open];
    if (known != count || (open >= 0 && shape.dim[open] < 0))
        return tape_fail(t, "reshape", "x is %s, the new shape is %s: not as many elements", tape_shape_text(&from, text), tape_shape_text(&shape, wanted));
    if (tape_same_shape(&from, &shape)) return x;
    const tape_node *node = tape_at(t, x);
    if (node->op == &op_reshape) return nigh_tape_reshape(t, node->input[0], ndim, shape.dim); /* one step, and often none */
    if (node->op == &tape_op_fill) return nigh_tape_fill(t, from.dtype, ndim, shape.dim, ((const fill_attributes *)node->attributes)->value[0]);
    return tape_record_one(t, &op_reshape, &shape, 1, &x, NULL, 0);
}

/* ---- permute ------------------------------------------------------------------------------------------ */

typedef struct permute_attributes {
    int64_t order[NIGH_MAX_DIMS];
} permute_attributes;

static bool permute_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    const permute_attributes *a = node->attributes;
    out->offset = layout->offset;
    for (int i = 0; i < in->ndim; i++) out->stride[i] = layout->stride[a->order[i]];
    return true;
}

static void permute_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node *node = tape_at(t, self);
    const permute_attributes *a = node->attributes;
    int back[NIGH_MAX_DIMS];
    for (int i = 0; i < node->shape.ndim; i++) back[a->order[i]] = i;
    grad_in[0] = nigh_tape_permute(t, grad_out[0], back);
}

static const tape_operator op_permute = {.name = "permute", .kind = TAPE_VIEW, .view = permute_view, .gradient = permute_gradient};

nigh_node nigh_tape_permute(nigh_tape *t, nigh_node x, const int *order)
{
    if (!tape_check(t, "permute", 1, &x)) return NIGH_NONE;
    const nigh_shape from = *tape_shape(t, x);
    nigh_shape shape = from;
    permute_attributes attributes = {{0}};
    unsigned seen = 0;
    bool same = true;
    for (int i = 0; i < from.ndim; i++) {
        if (order[i] < 0 || order[i] >= from.ndim || seen >> order[i] & 1)
            return tape_fail(t, "permute", "order[%d] is %d; each of 0 to %d must stand once", i, order[i], from.ndim - 1);
        seen |= 1u << order[i];
        attributes.order[i] = order[i];
        shape.dim[i] = from.dim[order[i]];
        same = same && order[i] == i;
    }
    if (same) return x;
    const tape_node *node = tape_at(t, x);
    if (node->op == &op_permute) { /* one after another is one */
        const permute_attributes *inner = node->attributes;
        int both[NIGH_MAX_DIMS];
        for (int i = 0; i < from.ndim; i++) both[i] = (int)inner->order[order[i]];
        return nigh_tape_permute(t, node->input[0], both);
    }
    return tape_record_one(t, &op_permute, &shape, 1, &x, &attributes, sizeof attributes);
}

nigh_node nigh_tape_transpose(nigh_tape *t, nigh_node x, int a, int b)
{
    if (!tape_check(t, "transpose", 1, &x)) return NIGH_NONE;
    int ndim = tape_shape(t, x)->ndim, order[NIGH_MAX_DIMS];
    if ((a = axis_of(t, "transpose", a, ndim)) < 0 || (b = axis_of(t, "transpose", b, ndim)) < 0) return NIGH_NONE;
    for (int i = 0; i < ndim; i++) order[i] = i == a ? b : i == b ? a : i;
    return nigh_tape_permute(t, x, order);
}

/* ---- slice and place ---------------------------------------------------------------------------------- */

/* Element i of the small array is element start + i step of the large one, in each dimension. */
static nigh_node record_slice(nigh_tape *t, nigh_node x, const nigh_shape *shape, const slice_attributes *a);
static nigh_node record_place(nigh_tape *t, nigh_node x, const nigh_shape *shape, const slice_attributes *a);

static bool slice_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    const slice_attributes *a = node->attributes;
    out->offset = layout->offset;
    for (int i = 0; i < in->ndim; i++) {
        out->offset += a->start[i] * layout->stride[i];
        out->stride[i] = a->step[i] * layout->stride[i];
    }
    return true;
}

static void slice_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_shape shape = *tape_shape(t, node.input[0]);
    grad_in[0] = record_place(t, grad_out[0], &shape, node.attributes);
}

static void place_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    const nigh_shape shape = *tape_shape(t, node.input[0]);
    grad_in[0] = record_slice(t, grad_out[0], &shape, node.attributes);
}

static void place_run(const void *state, const tape_call *call)
{
    const slice_attributes *a = call->node->attributes;
    const nigh_shape *shape = call->out->shape;
    tape_operand target = *call->out;
    int64_t stride[NIGH_MAX_DIMS], offset = 0;
    size_t size = nigh_dtype_size(shape->dtype);
    for (int i = 0; i < shape->ndim; i++) {
        offset += a->start[i] * target.stride[i];
        stride[i] = a->step[i] * target.stride[i];
    }
    const nigh_shape *in = call->in->shape;
    if (nigh_shape_count(in) != nigh_shape_count(shape)) memset(target.data, 0, (size_t)nigh_shape_count(shape) * size);
    tape_copy(call->in, (char *)target.data + offset * (int64_t)size, stride, call->threads);
}

static const tape_operator op_slice = {.name = "slice", .kind = TAPE_VIEW, .view = slice_view, .gradient = slice_gradient};
static const tape_operator op_place = {.name = "place", .kind = TAPE_KERNEL, .strided = 1, .run = place_run, .gradient = place_gradient};

static nigh_node record_slice(nigh_tape *t, nigh_node x, const nigh_shape *shape, const slice_attributes *a)
{
    if (!tape_check(t, "slice", 1, &x)) return NIGH_NONE;
    const tape_node *node = tape_at(t, x);
    if (node->op == &tape_op_fill) return nigh_tape_fill(t, shape->dtype, shape->ndim, shape->dim, ((const fill_attributes *)node->attributes)->value[0]);
    return tape_record_one(t, &op_slice, shape, 1, &x, a, sizeof *a);
}

static nigh_node record_place(nigh_tape *t, nigh_node x, const nigh_shape *shape, const slice_attributes *a)
{
    return tape_record_one(t, &op_place, shape, 1, &x, a, sizeof *a);
}

nigh_node nigh_tape_slice(nigh_tape *t, nigh_node x, int axis, int64_t start, int64_t count, int64_t step)
{
    if (!tape_check(t, "slice", 1, &x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x);
    if ((axis = axis_of(t, "slice", axis, shape.ndim)) < 0) return NIGH_NONE;
    int64_t size = shape.dim[axis], last = start + (count - 1) * step;
    if (count < 0 || step == 0 || (count > 0 && (start < 0 || start >= size || last < 0 || last >= size)))
        return tape_fail(t, "slice", "%lld elements from %lld in steps of %lld of axis %d, which has %lld", (long long)count, (long long)start, (long long)step,
                         axis, (long long)size);
    if (count == size && step == 1) return x;
    slice_attributes attributes = {{0}, {0}};
    for (int i = 0; i < shape.ndim; i++) attributes.step[i] = 1;
    attributes.start[axis] = count ? start : 0;
    attributes.step[axis] = step;
    shape.dim[axis] = count;
    return record_slice(t, x, &shape, &attributes);
}

nigh_node nigh_tape_flip(nigh_tape *t, nigh_node x, int axis)
{
    if (!tape_check(t, "flip", 1, &x)) return NIGH_NONE;
    const nigh_shape *shape = tape_shape(t, x);
    if ((axis = axis_of(t, "flip", axis, shape->ndim)) < 0) return NIGH_NONE;
    int64_t size = shape->dim[axis];
    return size < 2 ? x : nigh_tape_slice(t, x, axis, size - 1, size, -1);
}

nigh_node nigh_tape_pad(nigh_tape *t, nigh_node x, const int64_t *low, const int64_t *high)
{
    if (!tape_check(t, "pad", 1, &x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x);
    slice_attributes attributes = {{0}, {0}};
    bool any = false;
    for (int i = 0; i < shape.ndim; i++) {
        if (low[i] < 0 || high[i] < 0)
            return tape_fail(t, "pad", "low[%d] is %lld, high[%d] is %lld; 0 or more is allowed", i, (long long)low[i], i, (long long)high[i]);
        attributes.start[i] = low[i];
        attributes.step[i] = 1;
        shape.dim[i] += low[i] + high[i];
        any = any || low[i] || high[i];
    }
    return any ? record_place(t, x, &shape, &attributes) : x;
}

/* ---- expand ------------------------------------------------------------------------------------------- */

static bool expand_view(const tape_node *node, const nigh_shape *in, const tape_layout *layout, tape_layout *out)
{
    int lead = node->shape.ndim - in->ndim;
    out->offset = layout->offset;
    for (int i = 0; i < node->shape.ndim; i++)
        out->stride[i] = i < lead || in->dim[i - lead] != node->shape.dim[i] ? 0 : layout->stride[i - lead];
    return true;
}

static void expand_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const nigh_shape shape = *tape_shape(t, tape_at(t, self)->input[0]);
    grad_in[0] = tape_sum_to(t, grad_out[0], &shape);
}

static const tape_operator op_expand = {.name = "expand", .kind = TAPE_VIEW, .view = expand_view, .gradient = expand_gradient};

nigh_node nigh_tape_expand(nigh_tape *t, nigh_node x, int ndim, const int64_t *dim)
{
    char text[TAPE_SHAPE_TEXT], wanted[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "expand", 1, &x)) return NIGH_NONE;
    if (ndim < 0 || ndim > NIGH_MAX_DIMS) return tape_fail(t, "expand", "%d dimensions; 0 to %d are allowed", ndim, NIGH_MAX_DIMS);
    const nigh_shape from = *tape_shape(t, x);
    nigh_shape shape = tape_make_shape(from.dtype, ndim, dim), both;
    if (!tape_broadcast(&from, &shape, &both) || !tape_same_shape(&both, &shape))
        return tape_fail(t, "expand", "x is %s, the new shape is %s: only dimensions of 1 and new leading ones can grow", tape_shape_text(&from, text),
                         tape_shape_text(&shape, wanted));
    if (tape_same_shape(&from, &shape)) return x;
    const tape_node *node = tape_at(t, x);
    if (node->op == &tape_op_fill) return nigh_tape_fill(t, from.dtype, ndim, shape.dim, ((const fill_attributes *)node->attributes)->value[0]);
    return tape_record_one(t, &op_expand, &shape, 1, &x, NULL, 0);
}

/* ---- concat and what is made of the above ------------------------------------------------------------- */

typedef struct axis_attributes {
    int64_t axis;
} axis_attributes;

static void concat_run(const void *state, const tape_call *call)
{
    int axis = (int)((const axis_attributes *)call->node->attributes)->axis;
    size_t size = nigh_dtype_size(call->out->shape->dtype);
    char *to = call->out->data;
    for (int i = 0; i < call->node->inputs; i++) {
        const tape_operand *in = &call->in[i];
        tape_copy(in, to, call->out->stride, call->threads);
        to += in->shape->dim[axis] * call->out->stride[axis] * (int64_t)size;
    }
}

static void concat_gradient(nigh_tape *t, nigh_node self, const nigh_node *grad_out, const bool *wanted, nigh_node *grad_in)
{
    const tape_node node = *tape_at(t, self);
    int axis = (int)((const axis_attributes *)node.attributes)->axis;
    int64_t start = 0;
    for (int i = 0; i < node.inputs; i++) {
        int64_t count = tape_shape(t, node.input[i])->dim[axis];
        if (wanted[i]) grad_in[i] = nigh_tape_slice(t, grad_out[0], axis, start, count, 1);
        start += count;
    }
}

static const tape_operator op_concat = {.name = "concat", .kind = TAPE_KERNEL, .strided = ~(uint64_t)0, .run = concat_run, .gradient = concat_gradient};

nigh_node nigh_tape_concat(nigh_tape *t, int n, const nigh_node *x, int axis)
{
    char first[TAPE_SHAPE_TEXT], other[TAPE_SHAPE_TEXT];
    if (n < 1 || n > TAPE_MAX_INPUTS) return tape_fail(t, "concat", "%d arrays; 1 to %d are allowed", n, TAPE_MAX_INPUTS);
    if (!tape_check(t, "concat", n, x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x[0]);
    if ((axis = axis_of(t, "concat", axis, shape.ndim)) < 0) return NIGH_NONE;
    for (int i = 1; i < n; i++) {
        const nigh_shape *more = tape_shape(t, x[i]);
        nigh_shape same = *more;
        if (more->ndim == shape.ndim) same.dim[axis] = shape.dim[axis];
        if (more->dtype != shape.dtype || !tape_same_shape(&same, &shape))
            return tape_fail(t, "concat", "array 0 is %s, array %d is %s; only axis %d may differ", tape_shape_text(tape_shape(t, x[0]), first), i,
                             tape_shape_text(more, other), axis);
        shape.dim[axis] += more->dim[axis];
    }
    if (n == 1) return x[0];
    axis_attributes attributes = {axis};
    return tape_record_one(t, &op_concat, &shape, n, x, &attributes, sizeof attributes);
}

nigh_node nigh_tape_stack(nigh_tape *t, int n, const nigh_node *x, int axis)
{
    if (n < 1 || n > TAPE_MAX_INPUTS) return tape_fail(t, "stack", "%d arrays; 1 to %d are allowed", n, TAPE_MAX_INPUTS);
    if (!tape_check(t, "stack", n, x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x[0]);
    if (shape.ndim >= NIGH_MAX_DIMS) return tape_fail(t, "stack", "arrays of %d dimensions; at most %d can get one more", shape.ndim, NIGH_MAX_DIMS - 1);
    if ((axis = axis_of(t, "stack", axis, ++shape.ndim)) < 0) return NIGH_NONE;
    for (int i = shape.ndim - 1; i > axis; i--) shape.dim[i] = shape.dim[i - 1];
    shape.dim[axis] = 1;
    nigh_node *with = nigh_arena_alloc(t->arena, (size_t)n * sizeof *with);
    if (!with) return t->status = NIGH_MEMORY, NIGH_NONE;
    for (int i = 0; i < n; i++) with[i] = nigh_tape_reshape(t, x[i], shape.ndim, shape.dim);
    return nigh_tape_concat(t, n, with, axis);
}

nigh_node nigh_tape_roll(nigh_tape *t, nigh_node x, int axis, int64_t shift)
{
    if (!tape_check(t, "roll", 1, &x)) return NIGH_NONE;
    const nigh_shape *shape = tape_shape(t, x);
    if ((axis = axis_of(t, "roll", axis, shape->ndim)) < 0) return NIGH_NONE;
    int64_t size = shape->dim[axis];
    if (size < 2 || !(shift = ((shift % size) + size) % size)) return x;
    nigh_node end = nigh_tape_slice(t, x, axis, size - shift, shift, 1), begin = nigh_tape_slice(t, x, axis, 0, size - shift, 1);
    return nigh_tape_concat(t, 2, (nigh_node[]){end, begin}, axis);
}

nigh_node nigh_tape_tile(nigh_tape *t, nigh_node x, int axis, int64_t times)
{
    if (!tape_check(t, "tile", 1, &x)) return NIGH_NONE;
    nigh_shape shape = *tape_shape(t, x), wide = shape;
    if ((axis = axis_of(t, "tile", axis, shape.ndim)) < 0) return NIGH_NONE;
    if (times < 1) return tape_fail(t, "tile", "%lld times; 1 or more is allowed", (long long)times);
    if (shape.ndim == NIGH_MAX_DIMS) return tape_fail(t, "tile", "an array of %d dimensions; at most %d are allowed", shape.ndim, NIGH_MAX_DIMS - 1);
    wide.ndim++;
    for (int i = shape.ndim; i > axis; i--) wide.dim[i] = shape.dim[i - 1];
    wide.dim[axis] = 1;
    nigh_node one = nigh_tape_reshape(t, x, wide.ndim, wide.dim);
    wide.dim[axis] = times;
    shape.dim[axis] *= times;
    return nigh_tape_reshape(t, nigh_tape_expand(t, one, wide.ndim, wide.dim), shape.ndim, shape.dim);
}

nigh_node nigh_tape_space_to_depth(nigh_tape *t, nigh_node x, int64_t block)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "space-to-depth", 1, &x)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, x);
    if (s.ndim != 4 || block < 1 || s.dim[1] % block || s.dim[2] % block)
        return tape_fail(t, "space-to-depth", "x is %s, the block is %lld; [N,H,W,C] with H and W multiples of the block is needed", tape_shape_text(&s, text), (long long)block);
    nigh_node split = nigh_tape_reshape(t, x, 6, (int64_t[]){s.dim[0], s.dim[1] / block, block, s.dim[2] / block, block, s.dim[3]});
    nigh_node moved = nigh_tape_permute(t, split, (int[]){0, 1, 3, 2, 4, 5});
    return nigh_tape_reshape(t, moved, 4, (int64_t[]){s.dim[0], s.dim[1] / block, s.dim[2] / block, block * block * s.dim[3]});
}

nigh_node nigh_tape_depth_to_space(nigh_tape *t, nigh_node x, int64_t block)
{
    char text[TAPE_SHAPE_TEXT];
    if (!tape_check(t, "depth-to-space", 1, &x)) return NIGH_NONE;
    const nigh_shape s = *tape_shape(t, x);
    if (s.ndim != 4 || block < 1 || s.dim[3] % (block * block))
        return tape_fail(t, "depth-to-space", "x is %s, the block is %lld; [N,H,W,C] with C a multiple of the block's square is needed", tape_shape_text(&s, text), (long long)block);
    int64_t c = s.dim[3] / (block * block);
    nigh_node split = nigh_tape_reshape(t, x, 6, (int64_t[]){s.dim[0], s.dim[1], s.dim[2], block, block, c});
    nigh_node moved = nigh_tape_permute(t, split, (int[]){0, 1, 3, 2, 4, 5});
    return nigh_tape_reshape(t, moved, 4, (int64_t[]){s.dim[0], s.dim[1] * block, s.dim[2] * block, c});
}
