/* Layers that move elements, and reductions along dimensions. Listed in nn/layers.h. */
#include "nn/layers.h"


/* Fails the tape through an operator that is misused; the message comes from there. NULL shape: the node is none. */
static const nigh_shape *shape_of(const nigh_layer_call *c)
{
    const nigh_shape *shape = nigh_tape_shape(c->tape, c->input[0]);
    if (!shape) nigh_tape_neg(c->tape, c->input[0]);
    return shape;
}

/* The list attribute `key`, or false when the tape has failed because it is missing or wrong. */
static bool list_of(const nigh_layer_call *c, const char *key, int *count, int64_t value[NIGH_MAX_DIMS])
{
    *count = nigh_layer_list(c->layer, key, NIGH_MAX_DIMS, value);
    return *count >= 0 || layers_fail(c, "attribute '%s' must be a list of at most %d integers, like \"0,2,1\"", key, NIGH_MAX_DIMS);
}

/* A place from 0 for an axis that may count from the end; -1 after a failure. */
static int axis_of(const nigh_layer_call *c, int64_t axis, int ndim)
{
    if (axis >= -ndim && axis < ndim) return (int)(axis < 0 ? axis + ndim : axis);
    layers_fail(c, "axis %lld; %d to %d is allowed", (long long)axis, -ndim, ndim - 1);
    return -1;
}

static nigh_node reshape(const nigh_layer_call *c)
{
    int64_t dim[NIGH_MAX_DIMS];
    int ndim;
    const nigh_shape *shape = shape_of(c);
    if (!shape || !list_of(c, "shape", &ndim, dim)) return NIGH_NONE;
    for (int i = 0; i < ndim; i++) {
        if (dim[i] != 0) continue;
        if (i >= shape->ndim) return layers_fail(c, "dimension %d is kept (0), but the input has %d", i, shape->ndim), NIGH_NONE;
        dim[i] = shape->dim[i];
    }
    return nigh_tape_reshape(c->tape, c->input[0], ndim, dim);
}

static nigh_node permute(const nigh_layer_call *c)
{
    int64_t list[NIGH_MAX_DIMS];
    int order[NIGH_MAX_DIMS] = {0}, n;
    const nigh_shape *shape = shape_of(c);
    if (!shape || !list_of(c, "order", &n, list)) return NIGH_NONE;
    if (n != shape->ndim) return layers_fail(c, "an order of %d dimensions for an input of %d", n, shape->ndim), NIGH_NONE;
    for (int i = 0; i < n; i++) order[i] = list[i] < 0 || list[i] >= n ? -1 : (int)list[i];
    return nigh_tape_permute(c->tape, c->input[0], order);
}

/* start and end as Python counts them: negative from the end, and cut to the size. */
bool layers_slice_range(const nigh_layer *layer, int64_t size, int64_t *start, int64_t *count, int64_t *step)
{
    *step = nigh_layer_integer(layer, "step", 1);
    if (*step == 0 || *step > INT32_MAX || *step < -INT32_MAX) return false;
    bool back = *step < 0;
    int64_t from = nigh_layer_integer(layer, "start", back ? size - 1 : 0), end = nigh_layer_integer(layer, "end", back ? INT64_MIN : INT64_MAX);
    int64_t least = back ? -1 : 0, most = back ? size - 1 : size;
    if (from < 0) from = from < -size ? least : from + size;
    if (from > most) from = most;
    if (end < 0) end = end < -size ? least : end + size;
    if (end > most) end = most;
    int64_t span = back ? from - end : end - from, pace = back ? -*step : *step;
    *start = from;
    *count = span <= 0 ? 0 : (span + pace - 1) / pace;
    return true;
}

static nigh_node slice(const nigh_layer_call *c)
{
    int64_t start, count, step;
    const nigh_shape *shape = shape_of(c);
    int axis = shape ? axis_of(c, nigh_layer_integer(c->layer, "axis", 0), shape->ndim) : -1;
    if (axis < 0) return NIGH_NONE;
    if (!layers_slice_range(c->layer, shape->dim[axis], &start, &count, &step)) return layers_fail(c, "step is 0 or too large"), NIGH_NONE;
    if (count < 1) return layers_fail(c, "nothing is left of dimension %d of %lld elements", axis, (long long)shape->dim[axis]), NIGH_NONE;
    return nigh_tape_slice(c->tape, c->input[0], axis, start, count, step);
}

static nigh_node pad(const nigh_layer_call *c)
{
    int64_t low[NIGH_MAX_DIMS], high[NIGH_MAX_DIMS];
    int n, m;
    double value = nigh_layer_number(c->layer, "value", 0);
    const nigh_shape *shape = shape_of(c);
    if (!shape || !list_of(c, "low", &n, low) || !list_of(c, "high", &m, high)) return NIGH_NONE;
    if (n != shape->ndim || m != shape->ndim) return layers_fail(c, "%d and %d paddings for an input of %d dimensions", n, m, shape->ndim), NIGH_NONE;
    for (int i = 0; i < n; i++)
        if (low[i] < 0 || high[i] < 0 || low[i] > INT32_MAX || high[i] > INT32_MAX)
            return layers_fail(c, "a padding of %lld and %lld; 0 or more is allowed", (long long)low[i], (long long)high[i]), NIGH_NONE;
    if (value == 0) return nigh_tape_pad(c->tape, c->input[0], low, high);
    /* outside becomes `value`: zeros and a mask of where the input lies */
    nigh_node ones = nigh_tape_fill(c->tape, shape->dtype, n, shape->dim, 1), inside = nigh_tape_pad(c->tape, ones, low, high);
    return nigh_tape_add(c->tape, nigh_tape_pad(c->tape, c->input[0], low, high), nigh_tape_affine(c->tape, inside, -value, value));
}

static nigh_node expand(const nigh_layer_call *c)
{
    int64_t dim[NIGH_MAX_DIMS];
    int ndim;
    const nigh_shape *shape = shape_of(c);
    if (!shape || !list_of(c, "shape", &ndim, dim)) return NIGH_NONE;
    for (int i = 0; i < ndim; i++) {
        int from = i - (ndim - shape->ndim);
        if (dim[i] == 0) dim[i] = from < 0 ? 1 : shape->dim[from];
    }
    return nigh_tape_expand(c->tape, c->input[0], ndim, dim);
}

static nigh_node concat(const nigh_layer_call *c)
{
    return nigh_tape_concat(c->tape, c->layer->inputs, c->input, (int)nigh_layer_integer(c->layer, "axis", -1));
}

static nigh_node stack(const nigh_layer_call *c)
{
    return nigh_tape_stack(c->tape, c->layer->inputs, c->input, (int)nigh_layer_integer(c->layer, "axis", 0));
}

/* [N, ...] to [N, all]. */
static nigh_node flatten(const nigh_layer_call *c)
{
    const nigh_shape *shape = shape_of(c);
    return shape ? nigh_tape_reshape(c->tape, c->input[0], 2, (int64_t[]){shape->ndim ? shape->dim[0] : 1, -1}) : NIGH_NONE;
}

static nigh_node roll(const nigh_layer_call *c)
{
    return nigh_tape_roll(c->tape, c->input[0], (int)nigh_layer_integer(c->layer, "axis", -1), nigh_layer_integer(c->layer, "shift", 0));
}

static nigh_node flip(const nigh_layer_call *c) { return nigh_tape_flip(c->tape, c->input[0], (int)nigh_layer_integer(c->layer, "axis", -1)); }

static nigh_node space_to_depth(const nigh_layer_call *c)
{
    return nigh_tape_space_to_depth(c->tape, c->input[0], nigh_layer_integer(c->layer, "block", 2));
}

static nigh_node depth_to_space(const nigh_layer_call *c)
{
    return nigh_tape_depth_to_space(c->tape, c->input[0], nigh_layer_integer(c->layer, "block", 2));
}

/* ---- reductions --------------------------------------------------------------------------------------- */

typedef nigh_node reduction(nigh_tape *tape, nigh_node x, unsigned axes, bool keep);

/* Without `axes`: over all. */
static nigh_node reduce(const nigh_layer_call *c, reduction *over)
{
    int64_t list[NIGH_MAX_DIMS];
    int n;
    unsigned axes = 0;
    const nigh_shape *shape = shape_of(c);
    if (!shape) return NIGH_NONE;
    if (!nigh_layer_text(c->layer, "axes", NULL)) return over(c->tape, c->input[0], NIGH_ALL, nigh_layer_number(c->layer, "keep", 0) != 0);
    if (!list_of(c, "axes", &n, list)) return NIGH_NONE;
    for (int i = 0; i < n; i++) {
        int axis = axis_of(c, list[i], shape->ndim);
        if (axis < 0) return NIGH_NONE;
        axes |= 1u << axis;
    }
    return axes ? over(c->tape, c->input[0], axes, nigh_layer_number(c->layer, "keep", 0) != 0) : c->input[0];
}

static nigh_node sum(const nigh_layer_call *c) { return reduce(c, nigh_tape_sum); }
static nigh_node mean(const nigh_layer_call *c) { return reduce(c, nigh_tape_mean); }
static nigh_node max_over(const nigh_layer_call *c) { return reduce(c, nigh_tape_max_over); }
static nigh_node min_over(const nigh_layer_call *c) { return reduce(c, nigh_tape_min_over); }
static nigh_node log_sum_exp(const nigh_layer_call *c) { return reduce(c, nigh_tape_log_sum_exp); }

const nigh_layer_kind layers_shape[] = {
    {"reshape", "shape: -1 is what is left, 0 keeps the input's size at that place", 1, 1, reshape},
    {"flatten", "[N, ...] to [N, all]", 1, 1, flatten},
    {"permute", "dimension i is dimension order[i] of the input", 1, 1, permute},
    {"slice", "along axis, from start to end by step, counted as in Python", 1, 1, slice},
    {"pad", "low before and high behind each dimension, filled with value", 1, 1, pad},
    {"expand", "dimensions of 1 repeated to shape, 0 keeps", 1, 1, expand},
    {"concat", "behind each other along axis", 1, -1, concat},
    {"stack", "along a new axis", 1, -1, stack},
    {"roll", "by shift along axis, round the end", 1, 1, roll},
    {"flip", "order reversed along axis", 1, 1, flip},
    {"space-to-depth", "[N,H,W,C] to [N,H/block,W/block,block block C]", 1, 1, space_to_depth},
    {"depth-to-space", "and back", 1, 1, depth_to_space},
    {"sum", "over axes (all when there are none), keep: they stay with size 1", 1, 1, sum},
    {"mean", "the same, mean", 1, 1, mean},
    {"max-over", "the same, largest", 1, 1, max_over},
    {"min-over", "the same, smallest", 1, 1, min_over},
    {"log-sum-exp", "the same, log of the sum of exponentials", 1, 1, log_sum_exp},
    {0},
};
