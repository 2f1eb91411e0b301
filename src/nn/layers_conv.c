/* Convolutions, pooling and resampling as layers. Listed in nn/layers.h; builders of nigh/layers.h. */
#include "nigh/layers.h"
#include "nigh/operators_fields.h"

#include "nn/layers.h"

#include <stdio.h>
#include <string.h>

/* The attribute "KEY_i" of dimension i, else "KEY" for all of them. */
static int64_t size_at(const nigh_layer *layer, const char *key, int i, double otherwise)
{
    char text[64];
    snprintf(text, sizeof text, "%s_%d", key, i);
    return (int64_t)nigh_layer_number(layer, text, nigh_layer_number(layer, key, otherwise));
}

static nigh_padding padding_of(const nigh_layer *layer)
{
    const char *text = nigh_layer_text(layer, "padding", "zero");
    return !strcmp(text, "circular") ? NIGH_PAD_CIRCULAR : !strcmp(text, "reflect") ? NIGH_PAD_REFLECT : NIGH_PAD_ZERO;
}

static nigh_convolution convolution_of(const nigh_layer *layer)
{
    nigh_convolution how = {.groups = (int64_t)nigh_layer_number(layer, "groups", 1), .padding = padding_of(layer)};
    for (int i = 0; i < NIGH_FIELD_DIMS; i++) {
        double pad = (double)size_at(layer, "pad", i, 0);
        how.stride[i] = size_at(layer, "stride", i, 1);
        how.dilation[i] = size_at(layer, "dilation", i, 1);
        how.low[i] = size_at(layer, "low", i, pad);
        how.high[i] = size_at(layer, "high", i, pad);
    }
    return how;
}

static nigh_node bias_of(const nigh_layer_call *c, int at) { return c->layer->parameters > at ? c->parameter[at] : NIGH_NONE; }

static nigh_node conv(const nigh_layer_call *c)
{
    nigh_convolution how = convolution_of(c->layer);
    return nigh_tape_convolution(c->tape, c->input[0], c->parameter[0], bias_of(c, 1), &how);
}

/* The smallest size that fits, and "more" beyond it. */
static nigh_node conv_transpose(const nigh_layer_call *c)
{
    nigh_convolution how = convolution_of(c->layer);
    const nigh_shape *s = nigh_tape_shape(c->tape, c->input[0]), *w = nigh_tape_shape(c->tape, c->parameter[0]);
    int64_t size[NIGH_FIELD_DIMS] = {0};
    for (int i = 0; s && w && i < NIGH_FIELD_DIMS && i + 1 < s->ndim && i < w->ndim; i++)
        size[i] = (s->dim[i + 1] - 1) * how.stride[i] + how.dilation[i] * (w->dim[i] - 1) + 1 - how.low[i] - how.high[i] + size_at(c->layer, "more", i, 0);
    return nigh_tape_convolution_transposed(c->tape, c->input[0], c->parameter[0], bias_of(c, 1), &how, size);
}

static nigh_pool pool_of(const nigh_layer *layer)
{
    nigh_pool how = {.count_padding = nigh_layer_number(layer, "count_padding", 0) != 0};
    for (int i = 0; i < NIGH_FIELD_DIMS; i++) {
        double pad = (double)size_at(layer, "pad", i, 0);
        how.window[i] = size_at(layer, "window", i, 2);
        how.stride[i] = size_at(layer, "stride", i, 0);
        how.low[i] = size_at(layer, "low", i, pad);
        how.high[i] = size_at(layer, "high", i, pad);
    }
    return how;
}

static nigh_node max_pool(const nigh_layer_call *c)
{
    nigh_pool how = pool_of(c->layer);
    return nigh_tape_max_pool(c->tape, c->input[0], &how);
}

static nigh_node average_pool(const nigh_layer_call *c)
{
    nigh_pool how = pool_of(c->layer);
    return nigh_tape_average_pool(c->tape, c->input[0], &how);
}

static nigh_node global_average(const nigh_layer_call *c) { return nigh_tape_global_average(c->tape, c->input[0]); }

/* To "size", or "scale" times as large; with a second input to the sizes of that. */
static nigh_node resample(const nigh_layer_call *c)
{
    const nigh_shape *from = nigh_tape_shape(c->tape, c->input[0]);
    int64_t size[NIGH_FIELD_DIMS] = {0};
    bool linear = !strcmp(nigh_layer_text(c->layer, "method", "linear"), "linear"), align = nigh_layer_number(c->layer, "align_corners", 0) != 0;
    const nigh_shape *like = c->layer->inputs > 1 ? nigh_tape_shape(c->tape, c->input[1]) : NULL;
    for (int i = 0; from && i < NIGH_FIELD_DIMS && i + 2 < from->ndim; i++) {
        double scale = nigh_layer_number(c->layer, "scale", 2);
        size[i] = like ? (i + 2 < like->ndim ? like->dim[i + 1] : 0) : size_at(c->layer, "size", i, scale * (double)from->dim[i + 1]);
    }
    if (!strcmp(nigh_layer_text(c->layer, "method", "linear"), "fourier")) return nigh_tape_fourier_resample(c->tape, c->input[0], size);
    return nigh_tape_resample(c->tape, c->input[0], size, linear, align);
}

const nigh_layer_kind layers_conv[] = {
    {"conv", "convolution", 1, 1, conv},
    {"conv-transpose", "transposed convolution", 1, 1, conv_transpose},
    {"max-pool", "largest of each window", 1, 1, max_pool},
    {"average-pool", "mean of each window", 1, 1, average_pool},
    {"global-average", "mean of each channel", 1, 1, global_average},
    {"resample", "linear, nearest or by Fourier series to another size", 1, 2, resample},
    {0},
};

/* ---- builders ----------------------------------------------------------------------------------------- */

enum { MOST_ATTRIBUTES = 5 * NIGH_FIELD_DIMS + 2 };

static void put(nigh_attribute *list, int *n, const char *key, double value) { list[(*n)++] = (nigh_attribute){key, value, NULL}; }

static int write_how(const nigh_convolution *how, int dims, nigh_attribute *list)
{
    static const char *const stride[] = {"stride_0", "stride_1", "stride_2"}, *const dilation[] = {"dilation_0", "dilation_1", "dilation_2"};
    static const char *const low[] = {"low_0", "low_1", "low_2"}, *const high[] = {"high_0", "high_1", "high_2"};
    int n = 0;
    for (int i = 0; i < dims; i++) {
        if (how->stride[i] > 1) put(list, &n, stride[i], (double)how->stride[i]);
        if (how->dilation[i] > 1) put(list, &n, dilation[i], (double)how->dilation[i]);
        if (how->low[i]) put(list, &n, low[i], (double)how->low[i]);
        if (how->high[i]) put(list, &n, high[i], (double)how->high[i]);
    }
    if (how->groups > 1) put(list, &n, "groups", (double)how->groups);
    if (how->padding) list[n++] = (nigh_attribute){"padding", 0, how->padding == NIGH_PAD_CIRCULAR ? "circular" : "reflect"};
    return n;
}

/* `rows` channels in w's last dimension but one; `biased` numbers in the bias. */
static int add_conv(nigh_network *net, const char *kind, const char *name, int x, int64_t rows, int64_t columns, int64_t biased, int64_t fan_in, int dims,
                    const int64_t *kernel, const nigh_convolution *how, bool bias)
{
    static const nigh_convolution plain = {0};
    nigh_attribute attribute[MOST_ATTRIBUTES];
    char weight[256], shift[256];
    if (nigh_network_status(net) || dims < 1 || dims > NIGH_FIELD_DIMS) return -1;
    int64_t dim[NIGH_FIELD_DIMS + 2];
    for (int i = 0; i < dims; i++) dim[i] = kernel[i], fan_in *= kernel[i];
    dim[dims] = rows;
    dim[dims + 1] = columns;
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(shift, sizeof shift, "%s.bias", name);
    int parameter[2] = {nigh_network_weight(net, weight, dims + 2, dim, nigh_init_lecun_uniform(fan_in)), -1};
    if (bias) parameter[1] = nigh_network_weight(net, shift, 1, &biased, nigh_init_lecun_uniform(fan_in));
    int attributes = write_how(how ? how : &plain, dims, attribute);
    return nigh_network_status(net) ? -1 : nigh_network_add(net, kind, name, 1, &x, bias ? 2 : 1, parameter, attributes, attribute);
}

int nigh_network_conv(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const int64_t *kernel, const nigh_convolution *how, bool bias)
{
    int64_t groups = how && how->groups ? how->groups : 1, rows = in / groups;
    return add_conv(net, "conv", name, x, rows, out, out, rows, dims, kernel, how, bias);
}

int nigh_network_conv_same(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, int64_t kernel, nigh_padding padding, bool bias)
{
    int64_t sizes[NIGH_FIELD_DIMS] = {kernel, kernel, kernel};
    nigh_convolution how = {.padding = padding};
    for (int i = 0; i < dims && i < NIGH_FIELD_DIMS; i++) how.low[i] = (kernel - 1) / 2, how.high[i] = kernel / 2;
    return nigh_network_conv(net, name, x, in, out, dims, sizes, &how, bias);
}

int nigh_network_conv_transpose(nigh_network *net, const char *name, int x, int64_t in, int64_t out, int dims, const int64_t *kernel, const nigh_convolution *how,
                                bool bias)
{
    int64_t groups = how && how->groups ? how->groups : 1, rows = out / groups;
    return add_conv(net, "conv-transpose", name, x, rows, in, out, rows, dims, kernel, how, bias);
}
