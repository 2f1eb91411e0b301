/* ONNX operators on images and fields: [N, C, ...] there, channels last here. Listed in nn/onnx.h. */
#include "nn/onnx.h"

#include <string.h>

static const char *const stride_key[] = {"stride_0", "stride_1", "stride_2"}, *const dilation_key[] = {"dilation_0", "dilation_1", "dilation_2"};
static const char *const low_key[] = {"low_0", "low_1", "low_2"}, *const high_key[] = {"high_0", "high_1", "high_2"};
static const char *const window_key[] = {"window_0", "window_1", "window_2"}, *const more_key[] = {"more_0", "more_1", "more_2"};

enum { MOST = 32 };

typedef struct form {
    int n;
    nigh_attribute attribute[MOST];
    int64_t stride[NIGH_MAX_DIMS], dilation[NIGH_MAX_DIMS], pad[NIGH_MAX_DIMS];
} form;

static void put(form *f, const char *key, double value) { f->attribute[f->n++] = (nigh_attribute){key, value, NULL}; }

/* Strides, dilations and paddings of `dims` spatial dimensions with windows of these sizes. */
static void read_form(onnx_reader *r, int layer, int dims, const int64_t *window, form *f)
{
    int strides = onnx_list(r, "strides", -1, f->stride), dilations = onnx_list(r, "dilations", -1, f->dilation), pads = onnx_list(r, "pads", -1, f->pad);
    const char *mode = onnx_text(r, "auto_pad", "NOTSET");
    bool upper = !strcmp(mode, "SAME_UPPER"), same = upper || !strcmp(mode, "SAME_LOWER");
    f->n = 0;
    if (r->status) return;
    if (dims < 1 || dims > 3) onnx_fail(r, NIGH_UNSUPPORTED, "%d spatial dimensions; 1 to 3 are read", dims);
    else if ((strides >= 0 && strides != dims) || (dilations >= 0 && dilations != dims) || (pads >= 0 && pads != 2 * dims)) onnx_fail(r, NIGH_FORMAT, "strides, dilations or pads do not fit");
    else if (!same && strcmp(mode, "NOTSET") && strcmp(mode, "VALID")) onnx_fail(r, NIGH_FORMAT, "auto_pad '%s'", mode);
    for (int i = 0; i < dims && !r->status; i++) {
        int64_t size = onnx_shape(r, layer)->dim[i + 1];
        if (strides < 0) f->stride[i] = 1;
        if (dilations < 0) f->dilation[i] = 1;
        if (f->stride[i] < 1 || f->dilation[i] < 1 || window[i] < 1) onnx_fail(r, NIGH_FORMAT, "a stride, dilation or window below 1");
        else if (same) {
            int64_t out = (size + f->stride[i] - 1) / f->stride[i], all = (out - 1) * f->stride[i] + f->dilation[i] * (window[i] - 1) + 1 - size;
            if (all < 0) all = 0;
            f->pad[i] = upper ? all / 2 : all - all / 2;
            f->pad[dims + i] = all - f->pad[i];
        } else if (pads < 0 || !strcmp(mode, "VALID"))
            f->pad[i] = 0;
    }
    if (!same && (pads < 0 || !strcmp(mode, "VALID"))) memset(f->pad, 0, sizeof f->pad);
    for (int i = 0; i < dims && !r->status; i++) {
        put(f, stride_key[i], (double)f->stride[i]);
        put(f, low_key[i], (double)f->pad[i]);
        put(f, high_key[i], (double)f->pad[dims + i]);
    }
}

/* [a, b, K..] to [K.., b, a] (convolutions), or to [K.., b, a] with a the inputs (transposed ones): the same order. */
static int kernel(onnx_reader *r, const onnx_tensor *w)
{
    int dims = w->ndim - 2;
    int64_t dim[NIGH_MAX_DIMS], space = 1, a = w->dim[0], b = w->dim[1];
    for (int i = 0; i < dims; i++) dim[i] = w->dim[i + 2], space *= dim[i];
    dim[dims] = b, dim[dims + 1] = a;
    double *data = nigh_arena_alloc(r->arena, (size_t)(w->count + 1) * sizeof *data);
    if (!data) return r->status = NIGH_MEMORY, -1;
    for (int64_t i = 0; i < a; i++)
        for (int64_t j = 0; j < b; j++)
            for (int64_t s = 0; s < space; s++) data[(s * b + j) * a + i] = w->data[(i * b + j) * space + s];
    return onnx_weight(r, w->name, w->ndim, dim, data);
}

static void conv(onnx_reader *r)
{
    bool transposed = !strcmp(r->node->op, "ConvTranspose");
    const onnx_tensor *w = onnx_fixed(r, 1), *shift = onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    form f;
    int64_t more[NIGH_MAX_DIMS];
    int x = r->status ? -1 : onnx_layer_last(r, 0), weight[2];
    if (r->status) return;
    int dims = w->ndim - 2, rank = onnx_shape(r, x)->ndim;
    if (rank != w->ndim || dims < 1) onnx_fail(r, NIGH_FORMAT, "an image of %d dimensions and a kernel of %d", rank, w->ndim);
    if (transposed && (onnx_find(r, "output_shape") || strcmp(onnx_text(r, "auto_pad", "NOTSET"), "NOTSET"))) onnx_fail(r, NIGH_UNSUPPORTED, "output_shape and auto_pad");
    if (!r->status) read_form(r, x, dims, w->dim + 2, &f);
    for (int i = 0; i < dims && !r->status; i++) put(&f, dilation_key[i], (double)f.dilation[i]);
    int n = transposed && !r->status ? onnx_list(r, "output_padding", -1, more) : -1;
    for (int i = 0; i < n && i < 3 && !r->status; i++) put(&f, more_key[i], (double)more[i]);
    if (r->status) return;
    put(&f, "groups", (double)onnx_int(r, "group", 1));
    weight[0] = kernel(r, w);
    if (shift) weight[1] = onnx_weight(r, shift->name, shift->ndim, shift->dim, shift->data);
    onnx_set(r, -1, onnx_add(r, transposed ? "conv-transpose" : "conv", 1, &x, shift ? 2 : 1, weight, f.n, f.attribute));
}

static void pool(onnx_reader *r)
{
    bool most = *r->node->op == 'M';
    int64_t window[NIGH_MAX_DIMS];
    form f;
    int dims = onnx_list(r, "kernel_shape", -1, window), x = r->status ? -1 : onnx_layer_last(r, 0);
    if (r->status) return;
    if (dims != onnx_shape(r, x)->ndim - 2) onnx_fail(r, NIGH_FORMAT, "a window of %d dimensions", dims);
    if (onnx_int(r, "ceil_mode", 0)) onnx_fail(r, NIGH_UNSUPPORTED, "ceil_mode = 1");
    if (!r->status) read_form(r, x, dims, window, &f);
    for (int i = 0; i < dims && !r->status; i++) {
        if (f.dilation[i] != 1) onnx_fail(r, NIGH_UNSUPPORTED, "dilations");
        else put(&f, window_key[i], (double)window[i]);
    }
    if (r->status) return;
    if (!most) put(&f, "count_padding", (double)onnx_int(r, "count_include_pad", 0));
    onnx_set(r, -1, onnx_add(r, most ? "max-pool" : "average-pool", 1, &x, 0, NULL, f.n, f.attribute));
}

static void global_average(onnx_reader *r)
{
    int x = onnx_layer_last(r, 0);
    if (r->status) return;
    int n = onnx_shape(r, x)->ndim;
    int64_t axes[NIGH_MAX_DIMS];
    for (int i = 1; i < n - 1; i++) axes[i - 1] = i;
    const char *text = onnx_list_text(r, n - 2, axes);
    if (text) onnx_set(r, -1, onnx_add(r, "mean", 1, &x, 0, NULL, 2, (nigh_attribute[]){{"axes", 0, text}, {"keep", 1, NULL}}));
}

/* Inputs scale, shift, mean, variance there; mean, variance, scale, shift here. Rows have their channels last already. */
static void batch_norm(onnx_reader *r)
{
    static const int order[4] = {3, 4, 1, 2};
    const onnx_value *v = onnx_in(r, 0);
    const onnx_tensor *t[4];
    int weight[4];
    for (int i = 0; i < 4; i++) t[i] = onnx_fixed(r, order[i]);
    if (r->status) return;
    bool image = v->layer < 0 || onnx_shape(r, v->layer)->ndim > 2;
    int x = image ? onnx_layer_last(r, 0) : onnx_layer(r, 0);
    for (int i = 0; i < 4 && !r->status; i++) weight[i] = onnx_weight(r, t[i]->name, t[i]->ndim, t[i]->dim, t[i]->data);
    for (int i = 0; i < 2 && !r->status; i++) nigh_parameters_at(nigh_network_parameters(r->net), weight[i])->frozen = true;
    int y = r->status ? -1 : onnx_add(r, "batch-norm", 1, &x, 4, weight, 1, (nigh_attribute[]){{"eps", onnx_float(r, "epsilon", 1e-5), NULL}});
    onnx_set(r, image ? -1 : y, image ? y : -1);
}

/* Sizes of the spatial dimensions from inputs scales or sizes, of all dimensions or those of `axes`. */
static bool resize_sizes(onnx_reader *r, const nigh_shape *s, int64_t size[NIGH_MAX_DIMS])
{
    int64_t axes[NIGH_MAX_DIMS], full[NIGH_MAX_DIMS];
    int n = onnx_list(r, "axes", -1, axes), by = onnx_has(r, 3) ? 3 : 2;
    const onnx_tensor *t = r->status ? NULL : onnx_fixed(r, by);
    if (!t) return false;
    if (n < 0)
        for (n = 0; n < s->ndim; n++) axes[n] = n;
    if (t->count != n) return onnx_fail(r, NIGH_FORMAT, "sizes of %lld dimensions for %d", (long long)t->count, n), false;
    for (int i = 0; i < s->ndim; i++) full[i] = i == 0 ? s->dim[0] : i == 1 ? s->dim[s->ndim - 1] : s->dim[i - 1]; /* as there */
    for (int i = 0; i < n; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + s->ndim : axes[i];
        if (axis < 0 || axis >= s->ndim) return onnx_fail(r, NIGH_FORMAT, "axis %lld", (long long)axes[i]), false;
        double to = by == 3 ? t->data[i] : t->data[i] * (double)full[axis];
        if (!(to >= 1 && to <= 1 << 24)) return onnx_fail(r, NIGH_FORMAT, "a size of %g", to), false;
        if (axis < 2 && by == 2 ? t->data[i] != 1 : axis == 1 && (int64_t)to != full[1]) return onnx_fail(r, NIGH_UNSUPPORTED, "channels or samples resized"), false;
        full[axis] = (int64_t)to;
    }
    for (int i = 2; i < s->ndim; i++) size[i - 2] = full[i];
    return true;
}

static void resize(onnx_reader *r)
{
    static const char *const size_key[] = {"size_0", "size_1", "size_2"};
    const char *mode = onnx_text(r, "mode", "nearest"), *place = onnx_text(r, "coordinate_transformation_mode", "half_pixel"), *nearest = onnx_text(r, "nearest_mode", "round_prefer_floor");
    bool linear = !strcmp(mode, "linear"), align = !strcmp(place, "align_corners");
    bool known = linear ? align || !strcmp(place, "half_pixel") : !strcmp(mode, "nearest") && (align ? !strcmp(nearest, "round_prefer_ceil") : !strcmp(place, "asymmetric") && !strcmp(nearest, "floor"));
    int x = r->status ? -1 : onnx_layer_last(r, 0);
    int64_t size[NIGH_MAX_DIMS];
    if (r->status) return;
    const nigh_shape s = *onnx_shape(r, x);
    if (s.ndim < 3 || s.ndim > 5) onnx_fail(r, NIGH_UNSUPPORTED, "a field of %d dimensions", s.ndim);
    else if (!known || onnx_int(r, "antialias", 0)) onnx_fail(r, NIGH_UNSUPPORTED, "mode '%s' with '%s' and '%s'", mode, place, nearest);
    if (r->status || !resize_sizes(r, &s, size)) return;
    nigh_attribute all[5] = {{"method", 0, linear ? "linear" : "nearest"}, {"align_corners", align, NULL}};
    for (int i = 0; i < s.ndim - 2; i++) all[2 + i] = (nigh_attribute){size_key[i], (double)size[i], NULL};
    onnx_set(r, -1, onnx_add(r, "resample", 1, &x, 0, NULL, s.ndim, all));
}

const onnx_operator onnx_field_operators[] = {{"Conv", conv}, {"ConvTranspose", conv}, {"MaxPool", pool}, {"AveragePool", pool}, {"GlobalAveragePool", global_average},
    {"BatchNormalization", batch_norm}, {"Resize", resize}, {NULL, NULL}};
