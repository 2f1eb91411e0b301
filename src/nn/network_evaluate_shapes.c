/* Plain rules: what moves elements, and reductions. Listed in nn/network_evaluate.h. */
#include "nn/layers.h"
#include "nn/network_evaluate.h"

#include <math.h>
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

static int axis_of(const evaluation *e, int64_t otherwise, int ndim)
{
    int64_t axis = nigh_layer_integer(e->layer, "axis", otherwise);
    if (axis < 0) axis += ndim;
    return axis < 0 || axis >= ndim ? -1 : (int)axis;
}

static nigh_status reshape(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int64_t dim[MOST], known = 1;
    bool flatten = !strcmp(e->layer->kind, "flatten");
    int ndim = flatten ? 2 : nigh_layer_list(e->layer, "shape", MOST, dim), open = -1;
    if (flatten) dim[0] = x->ndim ? x->dim[0] : 1, dim[1] = -1;
    if (ndim < 0) return evaluate_fail(e, "the shape is no list");
    for (int i = 0; i < ndim; i++) {
        if (dim[i] == 0 && i < x->ndim) dim[i] = x->dim[i];
        if (dim[i] == -1) open = i;
        else known *= dim[i];
    }
    if (open >= 0) dim[open] = known ? nigh_shape_count(x) / known : 0, known *= dim[open];
    if (known != nigh_shape_count(x)) return evaluate_fail(e, "the sizes do not fit");
    nigh_status status = evaluate_out(e, ndim, dim);
    if (!status) memcpy(e->out->data, e->input->data, (size_t)known * sizeof(double));
    return status;
}

static nigh_status permute(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int64_t order[MOST], dim[MOST], at[MOST], from[MOST] = {0};
    if (nigh_layer_list(e->layer, "order", MOST, order) != x->ndim) return evaluate_fail(e, "the order does not fit");
    for (int k = 0; k < x->ndim; k++) {
        if (order[k] < 0 || order[k] >= x->ndim) return evaluate_fail(e, "the order does not fit");
        dim[k] = x->dim[order[k]];
    }
    nigh_status status = evaluate_out(e, x->ndim, dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(x); i++) {
        place(&e->out->shape, i, at);
        for (int k = 0; k < x->ndim; k++) from[order[k]] = at[k];
        evaluate_numbers(e->out)[i] = evaluate_numbers(e->input)[index_of(x, from)];
    }
    return status;
}

static nigh_status slice(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int axis = axis_of(e, 0, x->ndim);
    int64_t start, count, step, dim[MOST], at[MOST];
    if (axis < 0 || !layers_slice_range(e->layer, x->dim[axis], &start, &count, &step)) return evaluate_fail(e, "the slice does not fit");
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = count;
    nigh_status status = evaluate_out(e, x->ndim, dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        place(&e->out->shape, i, at);
        at[axis] = start + at[axis] * step;
        evaluate_numbers(e->out)[i] = evaluate_numbers(e->input)[index_of(x, at)];
    }
    return status;
}

static nigh_status pad(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int64_t low[MOST], high[MOST], dim[MOST], at[MOST];
    if (nigh_layer_list(e->layer, "low", MOST, low) != x->ndim || nigh_layer_list(e->layer, "high", MOST, high) != x->ndim) return evaluate_fail(e, "the paddings do not fit");
    for (int k = 0; k < x->ndim; k++) dim[k] = low[k] + x->dim[k] + high[k];
    nigh_status status = evaluate_out(e, x->ndim, dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        bool inside = true;
        place(&e->out->shape, i, at);
        for (int k = 0; k < x->ndim; k++) {
            at[k] -= low[k];
            inside = inside && at[k] >= 0 && at[k] < x->dim[k];
        }
        evaluate_numbers(e->out)[i] = inside ? evaluate_numbers(e->input)[index_of(x, at)] : nigh_layer_number(e->layer, "value", 0);
    }
    return status;
}

static nigh_status expand(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int64_t dim[MOST];
    int ndim = nigh_layer_list(e->layer, "shape", MOST, dim), lead = ndim - x->ndim;
    if (lead < 0) return evaluate_fail(e, "the shape does not fit");
    for (int k = 0; k < ndim; k++) {
        if (dim[k] == 0) dim[k] = k < lead ? 1 : x->dim[k - lead];
        if (k >= lead && x->dim[k - lead] != 1 && x->dim[k - lead] != dim[k]) return evaluate_fail(e, "the shape does not fit");
    }
    nigh_status status = evaluate_out(e, ndim, dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) evaluate_numbers(e->out)[i] = evaluate_numbers(e->input)[evaluate_from(&e->out->shape, i, x)];
    return status;
}

/* stack is concat with dimensions of 1 put in. */
static nigh_status concat(const evaluation *e)
{
    bool stack = !strcmp(e->layer->kind, "stack");
    nigh_shape x = e->input->shape;
    int axis = axis_of(e, stack ? 0 : -1, x.ndim + stack);
    int64_t dim[MOST], at[MOST], done = 0, total = 0;
    if (axis < 0 || x.ndim + stack > MOST) return evaluate_fail(e, "the axis does not fit");
    for (int k = 0; k < e->layer->inputs; k++) total += stack ? 1 : e->input[k].shape.dim[axis];
    for (int k = 0, from = 0; k < x.ndim + stack; k++) dim[k] = k == axis && stack ? total : x.dim[from++];
    dim[axis] = total;
    nigh_status status = evaluate_out(e, x.ndim + stack, dim);
    for (int k = 0; !status && k < e->layer->inputs; k++) {
        nigh_shape part = e->out->shape;
        part.dim[axis] = stack ? 1 : e->input[k].shape.dim[axis];
        for (int64_t i = 0; i < nigh_shape_count(&part); i++) {
            place(&part, i, at);
            at[axis] += done;
            evaluate_numbers(e->out)[index_of(&e->out->shape, at)] = evaluate_numbers(&e->input[k])[i];
        }
        done += part.dim[axis];
    }
    return status;
}

static nigh_status roll(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int axis = axis_of(e, -1, x->ndim);
    bool flip = !strcmp(e->layer->kind, "flip");
    int64_t at[MOST], shift = nigh_layer_integer(e->layer, "shift", 0);
    if (axis < 0) return evaluate_fail(e, "the axis does not fit");
    nigh_status status = evaluate_out(e, x->ndim, x->dim);
    for (int64_t i = 0; !status && i < nigh_shape_count(x); i++) {
        place(x, i, at);
        int64_t size = x->dim[axis];
        at[axis] = flip ? size - 1 - at[axis] : ((at[axis] - shift) % size + size) % size;
        evaluate_numbers(e->out)[i] = evaluate_numbers(e->input)[index_of(x, at)];
    }
    return status;
}

static nigh_status blocks(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int64_t b = nigh_layer_integer(e->layer, "block", 2), at[MOST];
    bool deep = !strcmp(e->layer->kind, "space-to-depth");
    if (x->ndim != 4 || b < 1) return evaluate_fail(e, "[N, H, W, C] and a block are needed");
    int64_t down[4] = {x->dim[0], x->dim[1] / b, x->dim[2] / b, x->dim[3] * b * b}, up[4] = {x->dim[0], x->dim[1] * b, x->dim[2] * b, x->dim[3] / (b * b)};
    nigh_status status = evaluate_out(e, 4, deep ? down : up);
    const nigh_shape *wide = deep ? x : &e->out->shape, *dense = deep ? &e->out->shape : x;
    for (int64_t i = 0; !status && i < nigh_shape_count(wide); i++) {
        place(wide, i, at);
        int64_t to[MOST] = {at[0], at[1] / b, at[2] / b, ((at[1] % b) * b + at[2] % b) * wide->dim[3] + at[3]}, j = index_of(dense, to);
        if (deep) evaluate_numbers(e->out)[j] = evaluate_numbers(e->input)[i];
        else evaluate_numbers(e->out)[i] = evaluate_numbers(e->input)[j];
    }
    return status;
}

/* ---- reductions --------------------------------------------------------------------------------------- */

/* Two sweeps: the largest (or smallest), then sums. */
static nigh_status reduce(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    const char *kind = e->layer->kind;
    int64_t list[MOST], dim[MOST], kept[MOST], at[MOST];
    int n = nigh_layer_text(e->layer, "axes", NULL) ? nigh_layer_list(e->layer, "axes", MOST, list) : -2, ndim = 0;
    bool keep = nigh_layer_number(e->layer, "keep", 0) != 0, least = !strcmp(kind, "min-over"), most = least || !strcmp(kind, "max-over"), lse = !strcmp(kind, "log-sum-exp");
    if (n == -1) return evaluate_fail(e, "the axes are no list");
    for (int k = 0; k < x->ndim; k++) {
        bool gone = n == -2;
        for (int i = 0; i < n; i++) gone = gone || list[i] == k || list[i] == k - x->ndim;
        kept[k] = gone ? 1 : x->dim[k];
        if (!gone || keep) dim[ndim++] = kept[k];
    }
    nigh_status status = evaluate_out(e, ndim, dim);
    if (status) return status;
    nigh_shape inner = {.dtype = NIGH_F64, .ndim = x->ndim};
    memcpy(inner.dim, kept, sizeof inner.dim);
    double *y = e->out->data, *v = e->input->data;
    int64_t results = nigh_shape_count(&inner), each = results ? nigh_shape_count(x) / results : 0;
    for (int64_t i = 0; i < results; i++) {
        double top = least ? INFINITY : -INFINITY, sum = 0;
        for (int sweep = 0; sweep < 2; sweep++)
            for (int64_t j = 0; j < nigh_shape_count(x); j++) {
                place(x, j, at);
                for (int k = 0; k < x->ndim; k++) at[k] = kept[k] == 1 ? 0 : at[k];
                if (index_of(&inner, at) != i) continue;
                if (sweep) sum += lse ? exp(v[j] - top) : v[j];
                else if (isnan(v[j]) || (least ? v[j] < top : v[j] > top)) top = v[j];
            }
        y[i] = most ? top : lse ? top + log(sum) : !strcmp(kind, "mean") ? sum / (double)each : sum;
    }
    return NIGH_OK;
}

const evaluate_rule evaluate_shapes[] = {{"reshape", reshape}, {"flatten", reshape}, {"permute", permute}, {"slice", slice}, {"pad", pad}, {"expand", expand},
    {"concat", concat}, {"stack", concat}, {"roll", roll}, {"flip", roll}, {"space-to-depth", blocks}, {"depth-to-space", blocks}, {"sum", reduce},
    {"mean", reduce}, {"max-over", reduce}, {"min-over", reduce}, {"log-sum-exp", reduce}, {NULL, NULL}};
