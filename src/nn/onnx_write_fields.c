/* Layers on fields as ONNX: [N, C, ...] there, channels last here; each operator stands between two transpositions. Listed in nn/onnx_write.h. */
#include "nn/onnx_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIMS = 3 };

static int64_t size_at(const onnx_writer *w, const char *key, int i, int64_t otherwise)
{
    char text[64];
    snprintf(text, sizeof text, "%s_%d", key, i);
    return nigh_layer_integer(w->layer, text, nigh_layer_integer(w->layer, key, otherwise));
}

static void refuse(onnx_writer *w, const char *what)
{
    if (!w->status) w->status = nigh_fail(w->ctx, NIGH_UNSUPPORTED, "onnx: layer '%s': %s", w->layer->name, what);
}

static onnx_out_attribute whole(const char *name, int64_t value) { return (onnx_out_attribute){.name = name, .n = 1, .number = true, .value = {value}}; }

/* Channels to dimension 1, or back to the end. */
static void put_turn(onnx_writer *w, const char *x, int ndim, bool last, const char *y)
{
    onnx_out_attribute order = {.name = "perm", .n = ndim};
    for (int i = 0; i < ndim; i++) order.value[i] = i == 0 ? 0 : last ? (i == ndim - 1 ? 1 : i + 1) : (i == 1 ? ndim - 1 : i - 1);
    onnx_put_node(w, "Transpose", 1, &x, y, 1, &order);
}

/* An operator on the layer's input, or on x when it is given, with its channels first; more inputs behind it. */
static void put_turned(onnx_writer *w, const char *op, const char *x, int more, const char *const *input, int attributes, const onnx_out_attribute *attribute)
{
    const char *all[8] = {onnx_fresh(w, "first")}, *y = onnx_fresh(w, "turned");
    int ndim = onnx_source_shape(w, 0)->ndim;
    put_turn(w, x ? x : onnx_source(w, 0), ndim, false, all[0]);
    for (int i = 0; i < more; i++) all[1 + i] = input[i];
    onnx_put_node(w, op, 1 + more, all, y, attributes, attribute);
    put_turn(w, y, ndim, true, onnx_result(w));
}

/* ---- convolutions ------------------------------------------------------------------------------------- */

/* [K.., b, a] as [a, b, K..], once for each weight. */
static const char *kernel(onnx_writer *w)
{
    nigh_parameters *set = nigh_network_parameters(w->net);
    int at = w->layer->parameter[0];
    const nigh_shape s = nigh_parameters_at(set, at)->shape;
    const char *name = nigh_arena_format(w->arena, "%s:kernel", nigh_parameters_at(set, at)->name), *from = nigh_parameters_data(set, at);
    if (!name) return w->status = NIGH_MEMORY, "";
    if (w->turned[at]) return name;
    w->turned[at] = true;
    size_t size = nigh_dtype_size(s.dtype), count = (size_t)nigh_shape_count(&s);
    int64_t a = s.dim[s.ndim - 1], b = s.dim[s.ndim - 2], space = (int64_t)count / a / b, dim[NIGH_MAX_DIMS] = {a, b};
    char *data = nigh_arena_alloc(w->arena, count * size + 1);
    if (!data) return w->status = NIGH_MEMORY, "";
    for (int64_t i = 0; i < a; i++)
        for (int64_t j = 0; j < b; j++)
            for (int64_t k = 0; k < space; k++) memcpy(data + (size_t)((i * b + j) * space + k) * size, from + (size_t)((k * b + j) * a + i) * size, size);
    for (int i = 0; i < s.ndim - 2; i++) dim[i + 2] = s.dim[i];
    onnx_put_tensor(w, name, w->type, s.ndim, dim, data, count * size);
    return name;
}

/* Elements start, start + step .. of an axis, `count` of them. */
static const char *put_part(onnx_writer *w, const char *x, int64_t axis, int64_t start, int64_t count, int64_t step)
{
    const char *part = onnx_fresh(w, "part");
    int64_t end = start + step * count;
    if (end < 0) end = -INT64_C(0x7fffffff);
    onnx_put_node(w, "Slice", 5, (const char *const[]){x, onnx_integers(w, 1, &start), onnx_integers(w, 1, &end), onnx_integers(w, 1, &axis), onnx_integers(w, 1, &step)}, part, 0, NULL);
    return part;
}

/* The input continued round its end or mirrored, by parts of itself: axis after axis. */
static const char *put_halo(onnx_writer *w, bool mirrored, const int64_t *low, const int64_t *high)
{
    const nigh_shape *s = onnx_source_shape(w, 0);
    const char *x = onnx_source(w, 0);
    for (int i = 0; i < s->ndim - 2; i++) {
        const char *part[3], *joined;
        int n = 0;
        int64_t size = s->dim[i + 1];
        if (!low[i] && !high[i]) continue;
        if (low[i]) part[n++] = mirrored ? put_part(w, x, i + 1, low[i], low[i], -1) : put_part(w, x, i + 1, size - low[i], low[i], 1);
        part[n++] = x;
        if (high[i]) part[n++] = mirrored ? put_part(w, x, i + 1, size - 2, high[i], -1) : put_part(w, x, i + 1, 0, high[i], 1);
        onnx_out_attribute axis = whole("axis", i + 1);
        onnx_put_node(w, "Concat", n, part, joined = onnx_fresh(w, "joined"), 1, &axis);
        x = joined;
    }
    return x;
}

static void write_conv(onnx_writer *w)
{
    bool transposed = !strcmp(w->layer->kind, "conv-transpose");
    const char *padding = nigh_layer_text(w->layer, "padding", "zero"), *x = NULL, *input[2];
    int dims = onnx_source_shape(w, 0)->ndim - 2;
    int64_t low[DIMS] = {0}, high[DIMS] = {0};
    onnx_out_attribute all[5] = {{.name = "strides", .n = dims}, {.name = "dilations", .n = dims}, {.name = "pads", .n = 2 * dims}, whole("group", nigh_layer_integer(w->layer, "groups", 1)),
                                 {.name = "output_padding", .n = dims}};
    for (int i = 0; i < dims; i++) {
        int64_t pad = size_at(w, "pad", i, 0);
        all[0].value[i] = size_at(w, "stride", i, 1), all[1].value[i] = size_at(w, "dilation", i, 1), all[4].value[i] = size_at(w, "more", i, 0);
        low[i] = size_at(w, "low", i, pad), high[i] = size_at(w, "high", i, pad);
    }
    if (strcmp(padding, "zero")) {
        if (transposed) refuse(w, "a transposed convolution with other padding than zeros");
        x = put_halo(w, *padding == 'r', low, high);
    } else
        for (int i = 0; i < dims; i++) all[2].value[i] = low[i], all[2].value[dims + i] = high[i];
    input[0] = kernel(w);
    if (w->layer->parameters > 1) input[1] = onnx_weight_name(w, 1);
    put_turned(w, transposed ? "ConvTranspose" : "Conv", x, w->layer->parameters, input, transposed ? 5 : 4, all);
}

/* ---- pools and resampling ----------------------------------------------------------------------------- */

static void write_pool(onnx_writer *w)
{
    bool most = *w->layer->kind == 'm';
    int dims = onnx_source_shape(w, 0)->ndim - 2;
    onnx_out_attribute all[4] = {{.name = "kernel_shape", .n = dims}, {.name = "strides", .n = dims}, {.name = "pads", .n = 2 * dims},
                                 whole("count_include_pad", nigh_layer_number(w->layer, "count_padding", 0) != 0)};
    for (int i = 0; i < dims; i++) {
        int64_t pad = size_at(w, "pad", i, 0), window = size_at(w, "window", i, 2), stride = size_at(w, "stride", i, 0);
        all[0].value[i] = window, all[1].value[i] = stride ? stride : window;
        all[2].value[i] = size_at(w, "low", i, pad), all[2].value[dims + i] = size_at(w, "high", i, pad);
    }
    put_turned(w, most ? "MaxPool" : "AveragePool", NULL, 0, NULL, most ? 3 : 4, all);
}

static void write_global_average(onnx_writer *w)
{
    int64_t axes[DIMS] = {1, 2, 3};
    onnx_out_attribute keep = whole("keepdims", 0);
    onnx_put_node(w, "ReduceMean", 2, (const char *const[]){onnx_source(w, 0), onnx_integers(w, onnx_source_shape(w, 0)->ndim - 2, axes)}, onnx_result(w), 1, &keep);
}

/*
 * The factors of all dimensions, which runtimes turn through transpositions better than sizes: the smallest f32 numbers that give the sizes back. False: positions would come out
 * a rounding below whole numbers, which matters to the nearest of them.
 */
static bool factors(onnx_writer *w, bool linear, const nigh_shape *from, const nigh_shape *to, const char **name)
{
    float by[NIGH_MAX_DIMS] = {1, 1};
    int64_t n = to->ndim;
    for (int i = 1; i < n - 1; i++) {
        if (!linear && to->dim[i] % from->dim[i]) return false;
        by[i + 1] = (float)((double)to->dim[i] / (double)from->dim[i]);
        while ((double)by[i + 1] * (double)from->dim[i] < (double)to->dim[i]) by[i + 1] = nextafterf(by[i + 1], INFINITY);
    }
    onnx_put_tensor(w, *name = onnx_fresh(w, "factors"), ONNX_FLOAT, 1, &n, by, (size_t)n * sizeof *by);
    return true;
}

static void write_resample(onnx_writer *w)
{
    const nigh_shape *to = &w->shape[w->index];
    const char *by = "";
    bool linear = !strcmp(nigh_layer_text(w->layer, "method", "linear"), "linear"), align = nigh_layer_number(w->layer, "align_corners", 0) != 0;
    int64_t axes[DIMS] = {2, 3, 4};
    int dims = to->ndim - 2;
    if (!linear && strcmp(nigh_layer_text(w->layer, "method", "linear"), "nearest")) refuse(w, "resampling by Fourier series");
    onnx_out_attribute all[4] = {{.name = "mode", .text = linear ? "linear" : "nearest"}, {.name = "coordinate_transformation_mode", .text = align ? "align_corners" : linear ? "half_pixel" : "asymmetric"},
                                 {.name = "nearest_mode", .text = align ? "round_prefer_ceil" : "floor"}, {.name = "axes", .n = dims}};
    memcpy(all[3].value, axes, (size_t)dims * sizeof *axes);
    if (factors(w, linear, onnx_source_shape(w, 0), to, &by)) put_turned(w, "Resize", NULL, 2, (const char *const[]){"", by}, 3, all);
    else put_turned(w, "Resize", NULL, 3, (const char *const[]){"", "", onnx_integers(w, dims, to->dim + 1)}, 4, all);
}

/* ---- norms -------------------------------------------------------------------------------------------- */

static const char *repeated(onnx_writer *w, int64_t n, double v)
{
    nigh_array made = {{w->type == ONNX_FLOAT ? NIGH_F32 : NIGH_F64, 1, {n}}, NULL};
    const char *name = onnx_fresh(w, "numbers");
    size_t bytes = (size_t)n * nigh_dtype_size(made.shape.dtype);
    if (!(made.data = nigh_arena_alloc(w->arena, bytes + 1))) return w->status = NIGH_MEMORY, name;
    for (int64_t i = 0; i < n; i++) nigh_array_set(&made, i, v);
    onnx_put_tensor(w, name, w->type, 1, &n, made.data, bytes);
    return name;
}

static void write_batch_norm(onnx_writer *w)
{
    const nigh_shape *s = onnx_source_shape(w, 0);
    int given = w->layer->parameters;
    int64_t channels = s->dim[s->ndim - 1];
    const char *input[5] = {onnx_source(w, 0), given > 2 ? onnx_weight_name(w, 2) : repeated(w, channels, 1), given > 3 ? onnx_weight_name(w, 3) : repeated(w, channels, 0),
                            onnx_weight_name(w, 0), onnx_weight_name(w, 1)};
    onnx_out_attribute eps = {.name = "epsilon", .real = true, .f = nigh_layer_number(w->layer, "eps", 1e-5)};
    if (s->ndim == 2) onnx_put_node(w, "BatchNormalization", 5, input, onnx_result(w), 1, &eps);
    else put_turned(w, "BatchNormalization", NULL, 4, input + 1, 1, &eps);
}

/* By means over points and the channels of each group: the operator of that name shares weights within groups before opset 21. */
static void write_group_norm(onnx_writer *w)
{
    const nigh_shape *s = onnx_source_shape(w, 0);
    int64_t channels = s->dim[s->ndim - 1], groups = nigh_layer_integer(w->layer, "groups", 1), apart[4] = {0, -1, groups, channels / groups}, axes[2] = {1, 3}, back[NIGH_MAX_DIMS];
    const char *x = onnx_fresh(w, "grouped"), *mean = onnx_fresh(w, "mean"), *centred = onnx_fresh(w, "centred"), *square = onnx_fresh(w, "square"), *variance = onnx_fresh(w, "variance");
    const char *more = onnx_fresh(w, "more"), *root = onnx_fresh(w, "root"), *scaled = onnx_fresh(w, "scaled"), *y = w->layer->parameters ? onnx_fresh(w, "normed") : onnx_result(w);
    const onnx_out_attribute keep = whole("keepdims", 1);
    onnx_put_two(w, "Reshape", onnx_source(w, 0), onnx_integers(w, 4, apart), x);
    onnx_put_node(w, "ReduceMean", 2, (const char *const[]){x, onnx_integers(w, 2, axes)}, mean, 1, &keep);
    onnx_put_two(w, "Sub", x, mean, centred);
    onnx_put_two(w, "Mul", centred, centred, square);
    onnx_put_node(w, "ReduceMean", 2, (const char *const[]){square, onnx_integers(w, 2, axes)}, variance, 1, &keep);
    onnx_put_two(w, "Add", variance, onnx_number(w, nigh_layer_number(w->layer, "eps", 1e-5)), more);
    onnx_put_one(w, "Sqrt", more, root);
    onnx_put_two(w, "Div", centred, root, scaled);
    for (int i = 0; i < s->ndim; i++) back[i] = i ? s->dim[i] : 0;
    onnx_put_two(w, "Reshape", scaled, onnx_integers(w, s->ndim, back), y);
    for (int i = 0; i < w->layer->parameters && i < 2; i++) {
        const char *to = i + 1 == w->layer->parameters ? onnx_result(w) : onnx_fresh(w, "part");
        onnx_put_two(w, i ? "Add" : "Mul", y, onnx_weight_name(w, i), to);
        y = to;
    }
}

static void write_gate(onnx_writer *w) { onnx_put_two(w, "Mul", onnx_source(w, 0), onnx_weight_name(w, 0), onnx_result(w)); }

const onnx_field_writer onnx_field_writers[] = {{"conv", write_conv}, {"conv-transpose", write_conv}, {"max-pool", write_pool}, {"average-pool", write_pool},
    {"global-average", write_global_average}, {"resample", write_resample}, {"batch-norm", write_batch_norm}, {"group-norm", write_group_norm}, {"gate", write_gate}, {NULL, NULL}};
