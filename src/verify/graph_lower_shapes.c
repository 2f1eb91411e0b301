/* Rules: what moves elements, and sums over dimensions. Listed in verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include "nn/layers.h"

#include <string.h>

enum { MOST = NIGH_MAX_DIMS };

static void place(const nigh_shape *shape, int64_t i, int64_t at[MOST])
{
    for (int k = shape->ndim - 1; k >= 0; k--) at[k] = i % shape->dim[k], i /= shape->dim[k];
}

static int64_t index_of(const nigh_shape *shape, const int64_t at[MOST])
{
    int64_t i = 0;
    for (int k = 0; k < shape->ndim; k++) i = i * shape->dim[k] + at[k];
    return i;
}

static int axis_of(const lowering *l, int64_t otherwise, int ndim)
{
    int64_t axis = nigh_layer_integer(l->layer, "axis", otherwise);
    return (int)(axis < 0 ? axis + ndim : axis);
}

static void same(lowering *l) { lower_set(l, lower_in(l, 0)); }

/* ---- one place for each element ------------------------------------------------------------------------- */

/* The element of the input that stands at place `at` of the result; -1: the fill. What a kind needs is worked out anew for each element: it is cheap beside all else. */
typedef int64_t from_fn(lowering *l, const nigh_shape *in, int64_t at[MOST]);

static void move(lowering *l, from_fn *from, double fill)
{
    const nigh_shape *in = lower_shape(l, 0), *out = lower_out(l);
    int64_t n = nigh_shape_count(out), at[MOST], *map = lower_alloc(l, n, sizeof *map);
    graph_form y;
    for (int64_t i = 0; map && i < n; i++) {
        place(out, i, at);
        map[i] = from(l, in, at);
    }
    if (map && form_gather(l, lower_in(l, 0), n, map, fill, &y)) lower_set(l, &y);
}

static int64_t from_permute(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int64_t order[MOST] = {0}, from[MOST] = {0};
    nigh_layer_list(l->layer, "order", MOST, order);
    for (int k = 0; k < in->ndim; k++) from[order[k]] = at[k];
    return index_of(in, from);
}

static int64_t from_slice(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int64_t start, count, step;
    int axis = axis_of(l, 0, in->ndim);
    layers_slice_range(l->layer, in->dim[axis], &start, &count, &step);
    at[axis] = start + at[axis] * step;
    return index_of(in, at);
}

static int64_t from_pad(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int64_t low[MOST] = {0};
    nigh_layer_list(l->layer, "low", MOST, low);
    for (int k = 0; k < in->ndim; k++) {
        at[k] -= low[k];
        if (at[k] < 0 || at[k] >= in->dim[k]) return -1;
    }
    return index_of(in, at);
}

static int64_t from_expand(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int lead = lower_out(l)->ndim - in->ndim;
    for (int k = 0; k < in->ndim; k++) at[k] = in->dim[k] == 1 ? 0 : at[k + lead];
    return index_of(in, at);
}

static int64_t from_roll(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int axis = axis_of(l, -1, in->ndim);
    int64_t size = in->dim[axis], shift = nigh_layer_integer(l->layer, "shift", 0);
    at[axis] = ((at[axis] - shift) % size + size) % size;
    return index_of(in, at);
}

static int64_t from_flip(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int axis = axis_of(l, -1, in->ndim);
    at[axis] = in->dim[axis] - 1 - at[axis];
    return index_of(in, at);
}

/* [N,H,W,C] and blocks. */
static int64_t from_wide(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int64_t b = nigh_layer_integer(l->layer, "block", 2), c = in->dim[3], part = at[3] / c;
    return index_of(in, (int64_t[MOST]){at[0], at[1] * b + part / b, at[2] * b + part % b, at[3] % c});
}

static int64_t from_deep(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    int64_t b = nigh_layer_integer(l->layer, "block", 2), c = in->dim[3] / (b * b);
    return index_of(in, (int64_t[MOST]){at[0], at[1] / b, at[2] / b, ((at[1] % b) * b + at[2] % b) * c + at[3]});
}

/* The same place; zeros beyond. */
static int64_t from_same_place(lowering *l, const nigh_shape *in, int64_t at[MOST])
{
    (void)l;
    for (int k = 0; k < in->ndim; k++)
        if (at[k] >= in->dim[k]) return -1;
    return index_of(in, at);
}

static void permute(lowering *l) { move(l, from_permute, 0); }
static void slice(lowering *l) { move(l, from_slice, 0); }
static void pad(lowering *l) { move(l, from_pad, nigh_layer_number(l->layer, "value", 0)); }
static void expand(lowering *l) { move(l, from_expand, 0); }
static void roll(lowering *l) { move(l, from_roll, 0); }
static void flip(lowering *l) { move(l, from_flip, 0); }
static void space_to_depth(lowering *l) { move(l, from_wide, 0); }
static void depth_to_space(lowering *l) { move(l, from_deep, 0); }
static void resize(lowering *l) { move(l, from_same_place, 0); }

/* ---- several inputs ------------------------------------------------------------------------------------ */

/* Inputs behind each other, then their elements brought in order. */
static void concat(lowering *l)
{
    bool stack = !strcmp(l->layer->kind, "stack");
    const nigh_shape *out = lower_out(l);
    int axis = axis_of(l, stack ? 0 : -1, out->ndim), n = l->layer->inputs;
    int64_t count = nigh_shape_count(out), at[MOST], first = 0, done = 0, *map = lower_alloc(l, count, sizeof *map);
    graph_form **part = lower_alloc(l, n, sizeof *part), all, y;
    if (l->status) return;
    for (int k = 0; k < n; k++) {
        nigh_shape shape = *out;
        shape.dim[axis] = stack ? 1 : lower_shape(l, k)->dim[axis];
        part[k] = lower_in(l, k);
        for (int64_t i = 0; i < nigh_shape_count(&shape); i++) {
            place(&shape, i, at);
            at[axis] += done;
            map[index_of(out, at)] = first + i;
        }
        done += shape.dim[axis];
        first += nigh_shape_count(&shape);
    }
    if (form_concat(l, n, part, &all) && form_gather(l, &all, count, map, 0, &y)) lower_set(l, &y);
}

static void positions(lowering *l)
{
    const nigh_shape *s = lower_shape(l, 0);
    int64_t first = nigh_layer_integer(l->layer, "first", 0), each = s->dim[1] * s->dim[2], n = nigh_shape_count(s);
    const double *table = lower_parameter(l, 0);
    double *shift = lower_alloc(l, n, sizeof *shift);
    graph_form y;
    for (int64_t i = 0; table && shift && i < n; i++) shift[i] = table[first * s->dim[2] + i % each];
    if (!l->status && form_affine(l, lower_in(l, 0), NULL, NULL, shift, NULL, 1, &y)) lower_set(l, &y);
}

/* ---- sums ---------------------------------------------------------------------------------------------- */

/* The element of the result that each element of the input goes to, and how many go to each. */
int64_t lower_reduced(lowering *l, int64_t *to)
{
    const nigh_shape *x = lower_shape(l, 0);
    int64_t list[MOST], at[MOST];
    int n = nigh_layer_text(l->layer, "axes", NULL) ? nigh_layer_list(l->layer, "axes", MOST, list) : -2;
    nigh_shape inner = *x;
    for (int k = 0; k < x->ndim; k++) {
        bool gone = n == -2;
        for (int i = 0; i < n; i++) gone = gone || list[i] == k || list[i] == k - x->ndim;
        if (gone) inner.dim[k] = 1;
    }
    for (int64_t i = 0; i < nigh_shape_count(x); i++) {
        place(x, i, at);
        for (int k = 0; k < x->ndim; k++) at[k] = inner.dim[k] == 1 ? 0 : at[k];
        to[i] = index_of(&inner, at);
    }
    return nigh_shape_count(x) / nigh_shape_count(&inner);
}

/* 1 / each, and what it is off by as a slack. */
static void sum(lowering *l)
{
    const nigh_shape *x = lower_shape(l, 0);
    int64_t n = nigh_shape_count(x), out = nigh_shape_count(lower_out(l)), *to = lower_alloc(l, n, sizeof *to), *row = lower_alloc(l, out + 1, sizeof *row);
    int64_t *column = lower_alloc(l, n, sizeof *column), *filled = lower_alloc(l, out, sizeof *filled);
    double *weight = lower_alloc(l, n, sizeof *weight);
    graph_form y;
    if (l->status) return;
    int64_t each = lower_reduced(l, to);
    double w = *l->layer->kind == 'm' ? 1 / (double)each : 1;
    for (int64_t i = 0; i < out; i++) row[i + 1] = row[i] + each;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = row[to[i]] + filled[to[i]]++;
        column[at] = i;
        weight[at] = w;
    }
    bool exact = w * (double)each == 1 && (each & (each - 1)) == 0;
    if (form_rows(l, lower_in(l, 0), out, row, column, weight, w == 1 || exact ? 0 : 1, (int)each + 1, &y)) lower_set(l, &y);
}

static void cumulative_sum(lowering *l)
{
    const nigh_shape *x = lower_shape(l, 0);
    int axis = axis_of(l, -1, x->ndim);
    bool reverse = nigh_layer_number(l->layer, "reverse", 0) != 0, exclusive = nigh_layer_number(l->layer, "exclusive", 0) != 0;
    int64_t n = nigh_shape_count(x), size = x->dim[axis], stride = 1, at = 0;
    for (int k = axis + 1; k < x->ndim; k++) stride *= x->dim[k];
    int64_t *row = lower_alloc(l, n + 1, sizeof *row), *column = lower_alloc(l, n * size, sizeof *column);
    double *weight = lower_alloc(l, n * size, sizeof *weight);
    graph_form y;
    if (l->status) return;
    for (int64_t i = 0; i < n; i++) {
        int64_t here = i / stride % size;
        for (int64_t k = 0; k < size; k++) {
            if ((reverse ? k < here : k > here) || (exclusive && k == here)) continue;
            column[at] = i + (k - here) * stride;
            weight[at++] = 1;
        }
        row[i + 1] = at;
    }
    if (form_rows(l, lower_in(l, 0), n, row, column, weight, 0, (int)size, &y)) lower_set(l, &y);
}

const lower_rule lower_shapes[] = {{"reshape", same}, {"flatten", same}, {"join-heads", same}, {"permute", permute}, {"slice", slice}, {"pad", pad}, {"expand", expand},
    {"concat", concat}, {"stack", concat}, {"roll", roll}, {"flip", flip}, {"space-to-depth", space_to_depth}, {"depth-to-space", depth_to_space}, {"crop", resize},
    {"pad-multiple", resize}, {"positions", positions}, {"sum", sum}, {"mean", sum}, {"cumulative-sum", cumulative_sum}, {NULL, NULL}};
