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
static void read_form(onnx_reader *r, int layer, int dims, const int64_t *window, bool transposed, form *f)
{
    int strides = onnx_list(r, "strides", -1, f->stride), dilations = onnx_list(r, "dilations", -1, f->dilation), pads = onnx_list(r, "pads", -1, f->pad);
    const char *mode = onnx_text(r, "auto_pad", "NOTSET");
    bool upper = !strcmp(mode, "SAME_UPPER"), same = upper || !strcmp(mode, "SAME_LOWER");
    f->n = 0;
    if (r->status) return;
    if (dims < 1 || dims > 3) onnx_fail(r, NIGH_UNSUPPORTED, "%d spatial dimensions; 1 to 3 are read", dims);
    else if ((strides >= 0 && strides != dims) || (dilations >= 0 && dilations != dims) || (pads >= 0 && pads != 2 * dims)) onnx_fail(r, NIGH_FORMAT, "strides, dilations or pads do not fit");
    else if (!same && *mode && strcmp(mode, "NOTSET") && strcmp(mode, "VALID")) onnx_fail(r, NIGH_FORMAT, "auto_pad '%.40s'", mode);
    if (same || pads < 0 || !strcmp(mode, "VALID")) memset(f->pad, 0, sizeof f->pad);
    for (int i = 0; i < dims && !r->status; i++) {
        int64_t size = onnx_shape(r, layer)->dim[i + 1];
        if (strides < 0) f->stride[i] = 1;
        if (dilations < 0) f->dilation[i] = 1;
        if (f->stride[i] < 1 || f->dilation[i] < 1 || window[i] < 1 || window[i] > INT32_MAX) onnx_fail(r, NIGH_FORMAT, "a stride, dilation or window below 1");
        else if (same && !transposed) {
            int64_t out = (size + f->stride[i] - 1) / f->stride[i], all = (out - 1) * f->stride[i] + f->dilation[i] * (window[i] - 1) + 1 - size;
            if (all < 0) all = 0;
            f->pad[i] = upper ? all / 2 : all - all / 2;
            f->pad[dims + i] = all - f->pad[i];
        }
    }
}

static void put_form(onnx_reader *r, int dims, form *f)
{
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
    double *data = onnx_room(r, w->count);
    if (!data) return -1;
    for (int64_t i = 0; i < a; i++)
        for (int64_t j = 0; j < b; j++)
            for (int64_t s = 0; s < space; s++) data[(s * b + j) * a + i] = w->data[(i * b + j) * space + s];
    return onnx_weight(r, w->name, w->ndim, dim, data);
}

/* Transposed: what is cut off of the full result, given by the sizes it is to have. */
static void cut_form(onnx_reader *r, int x, int dims, const int64_t *window, int64_t more[NIGH_MAX_DIMS], form *f)
{
    int64_t size[NIGH_MAX_DIMS];
    const char *mode = onnx_text(r, "auto_pad", "NOTSET");
    bool upper = !strcmp(mode, "SAME_UPPER"), same = upper || !strcmp(mode, "SAME_LOWER");
    int n = onnx_list(r, "output_shape", -1, size);
    if (r->status || (!same && n <= 0)) return;
    if (n > 0 && n != dims && n != dims + 2) onnx_fail(r, NIGH_FORMAT, "output_shape of %d sizes", n);
    for (int i = 0; i < dims && !r->status; i++) {
        int64_t from = onnx_shape(r, x)->dim[i + 1], to = n > 0 ? size[n - dims + i] : from * f->stride[i];
        int64_t all = (from - 1) * f->stride[i] + f->dilation[i] * (window[i] - 1) + 1 + more[i] - to;
        if (all < 0 && n > 0) more[i] -= all; /* to larger sizes only where they are written */
        if (all < 0) all = 0;
        f->pad[i] = upper ? all / 2 : all - all / 2;
        f->pad[dims + i] = all - f->pad[i];
    }
}

static void conv(onnx_reader *r)
{
    bool transposed = !strcmp(r->node->op, "ConvTranspose");
    const onnx_tensor *w = onnx_fixed(r, 1), *shift = onnx_has(r, 2) ? onnx_fixed(r, 2) : NULL;
    form f;
    int64_t more[NIGH_MAX_DIMS] = {0};
    int x = r->status ? -1 : onnx_layer_last(r, 0), weight[2];
    if (r->status) return;
    int dims = w->ndim - 2, rank = onnx_shape(r, x)->ndim;
    if (rank != w->ndim || dims < 1) onnx_fail(r, NIGH_FORMAT, "an image of %d dimensions and a kernel of %d", rank, w->ndim);
    else read_form(r, x, dims, w->dim + 2, transposed, &f);
    int n = transposed && !r->status ? onnx_list(r, "output_padding", -1, more) : -1;
    if (n > 0 && n != dims) onnx_fail(r, NIGH_FORMAT, "output_padding of %d sizes", n);
    if (transposed && !r->status) cut_form(r, x, dims, w->dim + 2, more, &f);
    put_form(r, dims, &f);
    for (int i = 0; i < dims && !r->status; i++) put(&f, dilation_key[i], (double)f.dilation[i]);
    for (int i = 0; i < dims && transposed && !r->status; i++) put(&f, more_key[i], (double)more[i]);
    if (r->status) return;
    put(&f, "groups", (double)onnx_int(r, "group", 1));
    weight[0] = kernel(r, w);
    if (shift) weight[1] = onnx_weight(r, shift->name, shift->ndim, shift->dim, shift->data);
    onnx_set(r, -1, onnx_add(r, transposed ? "conv-transpose" : "conv", 1, &x, shift ? 2 : 1, weight, f.n, f.attribute));
}

/* With ceil_mode a last window may hang over the end, as long as it begins within the image or its padding in front. */
static void hang_over(onnx_reader *r, int x, int dims, const int64_t *window, form *f)
{
    for (int i = 0; i < dims; i++) {
        int64_t size = onnx_shape(r, x)->dim[i + 1], reach = f->dilation[i] * (window[i] - 1) + 1, room = size + f->pad[i] + f->pad[dims + i] - reach;
        if (room < 0) continue;
        int64_t last = (room + f->stride[i] - 1) / f->stride[i];
        if (last * f->stride[i] >= size + f->pad[i]) last--;
        if (last * f->stride[i] > room) f->pad[dims + i] += last * f->stride[i] - room;
    }
}

/* Padded with `fill` at the ends of the spatial dimensions. */
static int padded(onnx_reader *r, int x, int dims, int64_t *pad, double fill)
{
    int64_t low[NIGH_MAX_DIMS] = {0}, high[NIGH_MAX_DIMS] = {0};
    bool any = false;
    for (int i = 0; i < dims; i++) any = any || pad[i] || pad[dims + i], low[i + 1] = pad[i], high[i + 1] = pad[dims + i];
    memset(pad, 0, 2 * (size_t)dims * sizeof *pad);
    if (!any || r->status) return x;
    const char *one = onnx_list_text(r, dims + 2, low), *two = onnx_list_text(r, dims + 2, high);
    return one && two ? onnx_add(r, "pad", 1, &x, 0, NULL, 3, (nigh_attribute[]){{"low", 0, one}, {"high", 0, two}, {"value", fill, NULL}}) : -1;
}

/* Windows with gaps: the largest of shifted copies. */
static int gaps(onnx_reader *r, int x, int dims, const int64_t *window, form *f)
{
    x = padded(r, x, dims, f->pad, r->folding ? -1e308 : -3.4e38);
    for (int i = 0; i < dims && !r->status; i++) {
        int64_t room = onnx_shape(r, x)->dim[i + 1] - f->dilation[i] * (window[i] - 1) - 1;
        int part[64];
        if (window[i] > 64 || room < 0) return onnx_fail(r, NIGH_UNSUPPORTED, "a window with gaps of %lld elements", (long long)window[i]), -1;
        for (int64_t k = 0; k < window[i]; k++) part[k] = onnx_part(r, x, i + 1, k * f->dilation[i], room / f->stride[i] + 1, f->stride[i]);
        x = onnx_add(r, "max", (int)window[i], part, 0, NULL, 0, NULL);
    }
    return x;
}

static void pool(onnx_reader *r)
{
    bool most = *r->node->op == 'M', gap = false, ceiling = onnx_int(r, "ceil_mode", 0) != 0;
    int64_t window[NIGH_MAX_DIMS];
    form f;
    int dims = onnx_list(r, "kernel_shape", -1, window), x = r->status ? -1 : onnx_layer_last(r, 0);
    if (r->status) return;
    if (dims != onnx_shape(r, x)->ndim - 2) onnx_fail(r, NIGH_FORMAT, "a window of %d dimensions", dims);
    if (!r->status) read_form(r, x, dims, window, false, &f);
    if (r->status) return;
    for (int i = 0; i < dims; i++) gap = gap || f.dilation[i] != 1;
    if (gap && !most) onnx_fail(r, NIGH_UNSUPPORTED, "dilations");
    for (int i = 0; i < dims; i++) /* runtimes disagree on what lies between such windows */
        if (strncmp(onnx_text(r, "auto_pad", ""), "SAME", 4) == 0 && (onnx_shape(r, x)->dim[i + 1] - 1) % f.stride[i] >= window[i]) onnx_fail(r, NIGH_UNSUPPORTED, "auto_pad with strides beyond windows");
    if (!most && onnx_int(r, "count_include_pad", 0)) x = padded(r, x, dims, f.pad, 0); /* what hangs over does not count */
    if (ceiling && !r->status) hang_over(r, x, dims, window, &f);
    if (gap && !r->status) {
        onnx_set(r, -1, gaps(r, x, dims, window, &f));
        return;
    }
    put_form(r, dims, &f);
    for (int i = 0; i < dims && !r->status; i++) put(&f, window_key[i], (double)window[i]);
    onnx_set(r, -1, r->status ? -1 : onnx_add(r, most ? "max-pool" : "average-pool", 1, &x, 0, NULL, f.n, f.attribute));
}

static void global_pool(onnx_reader *r)
{
    bool most = !strcmp(r->node->op, "GlobalMaxPool");
    int x = onnx_layer_last(r, 0);
    if (r->status) return;
    int n = onnx_shape(r, x)->ndim;
    int64_t axes[NIGH_MAX_DIMS];
    for (int i = 1; i < n - 1; i++) axes[i - 1] = i;
    onnx_set(r, -1, onnx_reduce(r, most ? "max-over" : "mean", x, n - 2, axes, true));
}

/* Inputs scale, shift, mean, variance there; mean, variance, scale, shift here. Rows have their channels last already. */
static void batch_norm(onnx_reader *r)
{
    static const int order[4] = {3, 4, 1, 2};
    const onnx_value *v = onnx_in(r, 0);
    const onnx_tensor *t[4];
    int weight[4];
    for (int i = 0; i < 4; i++) t[i] = onnx_fixed(r, order[i]);
    if (onnx_int(r, "training_mode", 0)) onnx_fail(r, NIGH_UNSUPPORTED, "training_mode = 1");
    if (r->status) return;
    bool image = v->tensor ? v->tensor->ndim > 2 : v->layer < 0 || onnx_shape(r, v->layer)->ndim > 2;
    int x = image ? onnx_layer_last(r, 0) : onnx_layer(r, 0);
    for (int i = 0; i < 4 && !r->status; i++) weight[i] = onnx_weight(r, t[i]->name, t[i]->ndim, t[i]->dim, t[i]->data);
    for (int i = 0; i < 2 && !r->status; i++) nigh_parameters_at(nigh_network_parameters(r->net), weight[i])->frozen = true;
    int y = r->status ? -1 : onnx_add(r, "batch-norm", 1, &x, 4, weight, 1, (nigh_attribute[]){{"eps", onnx_float(r, "epsilon", 1e-5), NULL}});
    onnx_set(r, image ? -1 : y, image ? y : -1);
}

const onnx_operator onnx_field_operators[] = {{"Conv", conv}, {"ConvTranspose", conv}, {"MaxPool", pool}, {"AveragePool", pool}, {"GlobalAveragePool", global_pool},
    {"GlobalMaxPool", global_pool}, {"BatchNormalization", batch_norm}, {"Resize", onnx_resize}, {"Upsample", onnx_resize}, {NULL, NULL}};
