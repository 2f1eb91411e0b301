/* ONNX reductions, softmax and norms, to layers. Listed in nn/onnx.h. */
#include "nn/onnx.h"

#include <math.h>
#include <string.h>

/* ---- reductions ----------------------------------------------------------------------------------------- */

/* The product of the elements of an axis, one after another. */
static int product_over(onnx_reader *r, int x, int axis)
{
    int y = -1;
    int64_t n = r->status ? 0 : onnx_shape(r, x)->dim[axis];
    if (n > 256) onnx_fail(r, NIGH_UNSUPPORTED, "a product of %lld elements; at most 256 are read", (long long)n);
    for (int64_t i = 0; i < n && !r->status; i++) {
        int part = onnx_part(r, x, axis, i, 1, 1);
        y = i ? onnx_two(r, "mul", y, part) : part;
    }
    return r->status ? -1 : y;
}

static int products(onnx_reader *r, int x, int n, const int64_t *axis, bool keep)
{
    int64_t dim[NIGH_MAX_DIMS];
    bool gone[NIGH_MAX_DIMS] = {false};
    if (r->status) return -1;
    const nigh_shape s = *onnx_shape(r, x);
    int made = 0;
    for (int i = 0; i < s.ndim; i++) gone[i] = n <= 0;
    for (int i = 0; i < n; i++) gone[axis[i]] = true;
    for (int i = 0; i < s.ndim; i++)
        if (gone[i]) x = product_over(r, x, i);
    for (int i = 0; i < s.ndim; i++)
        if (!gone[i]) dim[made++] = s.dim[i];
    return keep ? x : onnx_reshape(r, x, made, dim);
}

static void reduce(onnx_reader *r)
{
    static const struct { const char *op, *before, *kind, *after; } kinds[] = {{"ReduceMean", NULL, "mean", NULL}, {"ReduceSum", NULL, "sum", NULL}, {"ReduceMax", NULL, "max-over", NULL},
        {"ReduceMin", NULL, "min-over", NULL}, {"ReduceL1", "abs", "sum", NULL}, {"ReduceL2", "square", "sum", "sqrt"}, {"ReduceSumSquare", "square", "sum", NULL},
        {"ReduceLogSum", NULL, "sum", "log"}, {"ReduceLogSumExp", NULL, "log-sum-exp", NULL}, {"ReduceProd", NULL, NULL, NULL}};
    int64_t axes[NIGH_MAX_DIMS];
    size_t k = 0;
    int n = onnx_list(r, "axes", 1, axes), x = onnx_layer(r, 0);
    bool keep = onnx_int(r, "keepdims", 1) != 0;
    if (r->status) return;
    while (strcmp(kinds[k].op, r->node->op)) k++;
    int rank = onnx_shape(r, x)->ndim;
    for (int i = 0; i < n && !r->status; i++) axes[i] = onnx_axis(r, axes[i], rank);
    if (r->status) return;
    bool none = n <= 0 && onnx_int(r, "noop_with_empty_axes", 0);
    if (kinds[k].before) x = onnx_add_one(r, kinds[k].before, x);
    if (!none && rank) x = kinds[k].kind ? onnx_reduce(r, kinds[k].kind, x, n, axes, keep) : products(r, x, n, axes, keep);
    if (kinds[k].after) x = onnx_add_one(r, kinds[k].after, x);
    onnx_set(r, x, -1);
}

/* ---- softmax -------------------------------------------------------------------------------------------- */

/* Before opset 13 softmax went over all dimensions from `axis` on together. */
static void softmax(onnx_reader *r)
{
    bool old = r->graph->opset < 13;
    int64_t axis = onnx_int(r, "axis", old ? 1 : -1), flat[2] = {1, 1};
    const char *kind = *r->node->op == 'L' ? "log-softmax" : "softmax";
    int x = onnx_layer(r, 0);
    if (r->status) return;
    const nigh_shape s = *onnx_shape(r, x);
    axis = onnx_axis(r, axis, s.ndim);
    for (int i = 0; i < s.ndim; i++) flat[i >= axis] *= s.dim[i];
    bool together = old && axis < s.ndim - 1;
    if (together) x = onnx_reshape(r, x, 2, flat);
    x = onnx_add(r, kind, 1, &x, 0, NULL, 1, (nigh_attribute[]){{"axis", together ? 1 : (double)axis, NULL}});
    onnx_set(r, together ? onnx_reshape(r, x, s.ndim, s.dim) : x, -1);
}

/* ---- norms ---------------------------------------------------------------------------------------------- */

/* A tensor broadcast to these sizes, as a weight. */
static int weight_of(onnx_reader *r, const onnx_tensor *t, int ndim, const int64_t *dim)
{
    int64_t count = 1;
    if (r->status) return -1;
    for (int i = 0; i < ndim; i++) count *= dim[i];
    double *data = onnx_room(r, count);
    bool fits = t->ndim <= ndim;
    for (int i = 1; i <= t->ndim && fits; i++) fits = t->dim[t->ndim - i] == 1 || t->dim[t->ndim - i] == dim[ndim - i];
    if (!fits) return onnx_fail(r, NIGH_FORMAT, "'%.80s' does not fit the dimensions that are normed", t->name), -1;
    for (int64_t i = 0; data && i < count; i++) {
        int64_t at = 0, stride = 1, rest = i;
        for (int k = 1; k <= t->ndim; k++) {
            if (t->dim[t->ndim - k] > 1) at += rest % dim[ndim - k] * stride;
            rest /= dim[ndim - k];
            stride *= t->dim[t->ndim - k];
        }
        data[i] = t->data[at];
    }
    return data ? onnx_weight(r, t->name, ndim, dim, data) : -1;
}

static void layer_norm(onnx_reader *r)
{
    const onnx_tensor *scale = onnx_fixed(r, 1), *shift = onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    int x = onnx_layer(r, 0);
    if (r->status) return;
    const nigh_shape s = *onnx_shape(r, x);
    int axis = onnx_axis(r, onnx_int(r, "axis", -1), s.ndim), n = s.ndim - axis;
    if (r->status) return;
    int weight[2] = {weight_of(r, scale, n, s.dim + axis), shift ? weight_of(r, shift, n, s.dim + axis) : -1};
    const nigh_attribute all[] = {{"axes", n, NULL}, {"eps", onnx_float(r, "epsilon", 1e-5), NULL}};
    onnx_set(r, onnx_add(r, "layer-norm", 1, &x, shift ? 2 : 1, weight, 2, all), -1);
}

/* Of groups of channels over all places; of each channel alone. Before opset 21 groups have one scale and shift each. */
static void group_norm(onnx_reader *r)
{
    bool alone = *r->node->op == 'I';
    const onnx_tensor *t[2] = {onnx_fixed(r, 1), onnx_fixed(r, 2)};
    int x = r->status ? -1 : onnx_layer_last(r, 0), weight[2];
    if (r->status) return;
    const nigh_shape *s = onnx_shape(r, x);
    int64_t channels = s->dim[s->ndim - 1], groups = alone ? channels : onnx_int(r, "num_groups", 0);
    if (groups < 1 || channels % groups) onnx_fail(r, NIGH_FORMAT, "%lld groups of %lld channels", (long long)groups, (long long)channels);
    for (int i = 0; i < 2 && !r->status; i++) {
        if (t[i]->count != channels && t[i]->count != groups) onnx_fail(r, NIGH_FORMAT, "input %d has %lld numbers", i + 1, (long long)t[i]->count);
        double *data = onnx_room(r, channels);
        for (int64_t c = 0; data && c < channels; c++) data[c] = t[i]->data[t[i]->count == channels ? c : c / (channels / groups)];
        weight[i] = data ? onnx_weight(r, t[i]->name, 1, &channels, data) : -1;
    }
    const nigh_attribute all[] = {{"groups", (double)groups, NULL}, {"eps", onnx_float(r, "epsilon", 1e-5), NULL}};
    onnx_set(r, -1, onnx_add(r, "group-norm", 1, &x, 2, weight, 2, all));
}

static void lp_norm(onnx_reader *r)
{
    int64_t p = onnx_int(r, "p", 2);
    int x = onnx_layer(r, 0);
    if (r->status) return;
    int64_t axis = onnx_axis(r, onnx_int(r, "axis", -1), onnx_shape(r, x)->ndim);
    if (p != 1 && p != 2) onnx_fail(r, NIGH_UNSUPPORTED, "p = %lld; 1 and 2 are read", (long long)p);
    int size = onnx_reduce(r, "sum", onnx_add_one(r, p == 2 ? "square" : "abs", x), 1, &axis, true);
    onnx_set(r, onnx_two(r, "div", x, p == 2 ? onnx_add_one(r, "sqrt", size) : size), -1);
}

static void mean_variance(onnx_reader *r)
{
    int64_t axes[NIGH_MAX_DIMS] = {0, 2, 3};
    const onnx_attribute *a = onnx_find(r, "axes");
    int n = a ? onnx_list(r, "axes", -1, axes) : 3, x = onnx_layer(r, 0);
    if (r->status) return;
    for (int i = 0; i < n && !r->status; i++) axes[i] = onnx_axis(r, axes[i], onnx_shape(r, x)->ndim);
    int centred = onnx_two(r, "sub", x, onnx_reduce(r, "mean", x, n, axes, true));
    int spread = onnx_add_one(r, "sqrt", onnx_reduce(r, "mean", onnx_add_one(r, "square", centred), n, axes, true));
    onnx_set(r, onnx_two(r, "div", centred, onnx_affine(r, spread, 1, 1e-9)), -1);
}

/* x / (bias + alpha / size * the sum of squares of `size` neighbouring channels)^beta */
static void local_response(onnx_reader *r)
{
    int x = onnx_layer(r, 0);
    int64_t size = onnx_int(r, "size", 0);
    if (r->status) return;
    if (onnx_shape(r, x)->ndim < 2 || size < 1 || onnx_shape(r, x)->dim[1] > 4096) onnx_fail(r, NIGH_UNSUPPORTED, "a size of %lld, or more than 4096 channels", (long long)size);
    int64_t channels = r->status ? 0 : onnx_shape(r, x)->dim[1], low = (size - 1) / 2, high = size - 1 - low;
    double *matrix = onnx_room(r, channels * channels), alpha = onnx_float(r, "alpha", 1e-4) / (double)size;
    for (int64_t i = 0; matrix && i < channels; i++)
        for (int64_t j = 0; j < channels; j++) matrix[i * channels + j] = i >= j - low && i <= j + high ? alpha : 0;
    if (!matrix) return;
    int sum = onnx_affine(r, onnx_along(r, onnx_add_one(r, "square", x), 1, channels, matrix), 1, onnx_float(r, "bias", 1));
    sum = onnx_add(r, "pow", 1, &sum, 0, NULL, 1, (nigh_attribute[]){{"exponent", onnx_float(r, "beta", 0.75), NULL}});
    onnx_set(r, onnx_two(r, "div", x, sum), -1);
}

const onnx_operator onnx_row_operators[] = {{"ReduceMean", reduce}, {"ReduceSum", reduce}, {"ReduceMax", reduce}, {"ReduceMin", reduce}, {"ReduceL1", reduce}, {"ReduceL2", reduce},
    {"ReduceSumSquare", reduce}, {"ReduceLogSum", reduce}, {"ReduceLogSumExp", reduce}, {"ReduceProd", reduce}, {"Softmax", softmax}, {"LogSoftmax", softmax},
    {"LayerNormalization", layer_norm}, {"GroupNormalization", group_norm}, {"InstanceNormalization", group_norm}, {"LpNormalization", lp_norm},
    {"MeanVarianceNormalization", mean_variance}, {"LRN", local_response}, {NULL, NULL}};
