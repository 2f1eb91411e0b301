/* Networks to ONNX files. Declared in nigh/onnx.h. */
#include "nn/onnx_write.h"

#include "io/gzip.h"

#include <stdio.h>
#include <string.h>

/* ---- the wire format ---------------------------------------------------------------------------------- */

static void put_varint(nigh_status *status, nigh_buffer *to, uint64_t v)
{
    uint8_t bytes[10];
    int n = 0;
    do bytes[n++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
    while (v >>= 7);
    if (!*status) *status = nigh_buffer_add(to, bytes, (size_t)n);
}

static void put_int(nigh_status *status, nigh_buffer *to, int field, int64_t v)
{
    put_varint(status, to, (uint64_t)field << 3);
    put_varint(status, to, (uint64_t)v);
}

static void put_bytes(nigh_status *status, nigh_buffer *to, int field, const void *bytes, size_t size)
{
    put_varint(status, to, (uint64_t)field << 3 | 2);
    put_varint(status, to, size);
    if (!*status && size) *status = nigh_buffer_add(to, bytes, size);
}

static void put_text(nigh_status *status, nigh_buffer *to, int field, const char *text) { put_bytes(status, to, field, text, strlen(text)); }

/* The message in `from` as a field, and the buffer empty again. */
static void put_message(nigh_status *status, nigh_buffer *to, int field, nigh_buffer *from)
{
    put_bytes(status, to, field, from->data ? from->data : "", from->size);
    from->size = 0;
}

/* ---- tensors and nodes -------------------------------------------------------------------------------- */

void onnx_put_tensor(onnx_writer *w, const char *name, int type, int ndim, const int64_t *dim, const void *data, size_t bytes)
{
    nigh_buffer t = {.ctx = w->ctx};
    for (int i = 0; i < ndim; i++) put_int(&w->status, &t, 1, dim[i]);
    put_int(&w->status, &t, 2, type);
    put_text(&w->status, &t, 8, name);
    put_bytes(&w->status, &t, 9, data, bytes);
    put_message(&w->status, &w->tensors, 5, &t);
    nigh_buffer_free(&t);
}

const char *onnx_fresh(onnx_writer *w, const char *what)
{
    char *name = nigh_arena_format(w->arena, "%.200s/%s%d", w->layer->name, what, ++w->serial);
    if (!name && !w->status) w->status = NIGH_MEMORY;
    return name ? name : "";
}

const char *onnx_integers(onnx_writer *w, int n, const int64_t *list)
{
    const char *name = onnx_fresh(w, "list");
    onnx_put_tensor(w, name, ONNX_INT64, 1, (int64_t[]){n}, list, (size_t)n * sizeof *list);
    return name;
}

const char *onnx_number(onnx_writer *w, double v)
{
    const char *name = onnx_fresh(w, "number");
    float single = (float)v;
    if (w->type == ONNX_FLOAT) onnx_put_tensor(w, name, ONNX_FLOAT, 0, NULL, &single, sizeof single);
    else onnx_put_tensor(w, name, ONNX_DOUBLE, 0, NULL, &v, sizeof v);
    return name;
}

void onnx_put_node(onnx_writer *w, const char *op, int inputs, const char *const *input, const char *output, int attributes, const onnx_out_attribute *attribute)
{
    nigh_buffer node = {.ctx = w->ctx}, a = {.ctx = w->ctx};
    for (int i = 0; i < inputs; i++) put_text(&w->status, &node, 1, input[i]);
    put_text(&w->status, &node, 2, output);
    put_text(&w->status, &node, 3, output);
    put_text(&w->status, &node, 4, op);
    for (int i = 0; i < attributes; i++) {
        const onnx_out_attribute *at = &attribute[i];
        float f = (float)at->f;
        put_text(&w->status, &a, 1, at->name);
        if (at->text) put_text(&w->status, &a, 4, at->text);
        else if (at->real) {
            put_varint(&w->status, &a, 2 << 3 | 5);
            if (!w->status) w->status = nigh_buffer_add(&a, &f, sizeof f);
        } else
            for (int k = 0; k < at->n; k++) put_int(&w->status, &a, at->number ? 3 : 8, at->value[k]);
        put_int(&w->status, &a, 20, at->text ? 3 : at->real ? 1 : at->number ? 2 : 7);
        put_message(&w->status, &node, 5, &a);
    }
    put_message(&w->status, &w->nodes, 1, &node);
    nigh_buffer_free(&node);
    nigh_buffer_free(&a);
}

/* Names of results and weights: prefixed, as both may be called the same. */
static const char *result(onnx_writer *w, int layer)
{
    const char *name = nigh_network_at(w->net, layer)->name;
    bool input = false;
    for (int i = 0; i < nigh_network_inputs(w->net); i++) input = input || nigh_network_input_layer(w->net, i) == layer;
    char *text = input ? nigh_arena_strdup(w->arena, name) : nigh_arena_format(w->arena, "layer:%s", name);
    if (!text && !w->status) w->status = NIGH_MEMORY;
    return text ? text : "";
}

const char *onnx_source(onnx_writer *w, int i) { return result(w, w->layer->input[i]); }
const char *onnx_result(onnx_writer *w) { return result(w, w->index); }
const nigh_shape *onnx_source_shape(const onnx_writer *w, int i) { return &w->shape[w->layer->input[i]]; }

const char *onnx_weight_name(onnx_writer *w, int i)
{
    w->plain[w->layer->parameter[i]] = true;
    return nigh_parameters_at(nigh_network_parameters(w->net), w->layer->parameter[i])->name;
}

static double number(const onnx_writer *w, const char *key, double otherwise) { return nigh_layer_number(w->layer, key, otherwise); }

void onnx_put_one(onnx_writer *w, const char *op, const char *x, const char *y) { onnx_put_node(w, op, 1, &x, y, 0, NULL); }
void onnx_put_two(onnx_writer *w, const char *op, const char *a, const char *b, const char *y) { onnx_put_node(w, op, 2, (const char *const[]){a, b}, y, 0, NULL); }

/* ---- kinds -------------------------------------------------------------------------------------------- */

static const struct { const char *kind, *op; } plain[] = {{"relu", "Relu"}, {"tanh", "Tanh"}, {"sigmoid", "Sigmoid"}, {"erf", "Erf"}, {"exp", "Exp"}, {"log", "Log"}, {"sin", "Sin"},
    {"cos", "Cos"}, {"abs", "Abs"}, {"neg", "Neg"}, {"sign", "Sign"}, {"sqrt", "Sqrt"}, {"reciprocal", "Reciprocal"}, {"round", "Round"}, {"floor", "Floor"}, {"stop", "Identity"},
    {"dropout", "Identity"}, {"sub", "Sub"}, {"div", "Div"}, {"matmul", "MatMul"}};

static void write_plain(onnx_writer *w)
{
    size_t k = 0;
    const char *input[2];
    while (strcmp(plain[k].kind, w->layer->kind)) k++;
    for (int i = 0; i < w->layer->inputs && i < 2; i++) input[i] = onnx_source(w, i);
    if (!strcmp(plain[k].kind, "matmul"))
        for (int i = 0; i < 2; i++) {
            if (!number(w, i ? "transpose-b" : "transpose-a", 0)) continue;
            onnx_out_attribute order = {.name = "perm", .n = onnx_source_shape(w, i)->ndim};
            for (int d = 0; d < order.n; d++) order.value[d] = d < order.n - 2 ? d : 2 * order.n - 3 - d;
            const char *turned = onnx_fresh(w, "turned");
            onnx_put_node(w, "Transpose", 1, &input[i], turned, 1, &order);
            input[i] = turned;
        }
    onnx_put_node(w, plain[k].op, w->layer->inputs, input, onnx_result(w), 0, NULL);
}

static void write_fold(onnx_writer *w)
{
    const char *kind = w->layer->kind, *op = !strcmp(kind, "add") ? "Add" : !strcmp(kind, "mul") ? "Mul" : !strcmp(kind, "min") ? "Min" : "Max", *sum = onnx_source(w, 0);
    if (w->layer->inputs == 1) onnx_put_one(w, "Identity", sum, onnx_result(w));
    for (int i = 1; i < w->layer->inputs; i++) {
        const char *to = i == w->layer->inputs - 1 ? onnx_result(w) : onnx_fresh(w, "part");
        onnx_put_two(w, op, sum, onnx_source(w, i), to);
        sum = to;
    }
}

static void write_linear(onnx_writer *w)
{
    bool bias = w->layer->parameters > 1, flat = onnx_source_shape(w, 0)->ndim == 2;
    const char *product = bias && !flat ? onnx_fresh(w, "product") : onnx_result(w);
    if (flat && bias) onnx_put_node(w, "Gemm", 3, (const char *const[]){onnx_source(w, 0), onnx_weight_name(w, 0), onnx_weight_name(w, 1)}, onnx_result(w), 0, NULL);
    else onnx_put_two(w, "MatMul", onnx_source(w, 0), onnx_weight_name(w, 0), product);
    if (bias && !flat) onnx_put_two(w, "Add", product, onnx_weight_name(w, 1), onnx_result(w));
}

static void write_affine(onnx_writer *w)
{
    const char *scaled = onnx_fresh(w, "scaled");
    onnx_put_two(w, "Mul", onnx_source(w, 0), onnx_number(w, number(w, "scale", 1)), scaled);
    onnx_put_two(w, "Add", scaled, onnx_number(w, number(w, "shift", 0)), onnx_result(w));
}

static void write_channel_affine(onnx_writer *w)
{
    bool shift = w->layer->parameters > 1;
    const char *scaled = shift ? onnx_fresh(w, "scaled") : onnx_result(w);
    onnx_put_two(w, "Mul", onnx_source(w, 0), onnx_weight_name(w, 0), scaled);
    if (shift) onnx_put_two(w, "Add", scaled, onnx_weight_name(w, 1), onnx_result(w));
}

static void write_gelu(onnx_writer *w)
{
    const char *scaled = onnx_fresh(w, "scaled"), *erf = onnx_fresh(w, "erf"), *sum = onnx_fresh(w, "sum"), *half = onnx_fresh(w, "half");
    onnx_put_two(w, "Mul", onnx_source(w, 0), onnx_number(w, 0.70710678118654752440), scaled);
    onnx_put_one(w, "Erf", scaled, erf);
    onnx_put_two(w, "Add", erf, onnx_number(w, 1), sum);
    onnx_put_two(w, "Mul", onnx_source(w, 0), onnx_number(w, 0.5), half);
    onnx_put_two(w, "Mul", half, sum, onnx_result(w));
}

static void write_silu(onnx_writer *w)
{
    const char *gate = onnx_fresh(w, "gate");
    onnx_put_one(w, "Sigmoid", onnx_source(w, 0), gate);
    onnx_put_two(w, "Mul", onnx_source(w, 0), gate, onnx_result(w));
}

static void write_softplus(onnx_writer *w)
{
    const char *scaled = onnx_fresh(w, "scaled"), *soft = onnx_fresh(w, "soft");
    double beta = number(w, "beta", 1);
    onnx_put_two(w, "Mul", onnx_source(w, 0), onnx_number(w, beta), scaled);
    onnx_put_one(w, "Softplus", scaled, soft);
    onnx_put_two(w, "Div", soft, onnx_number(w, beta), onnx_result(w));
}

static void write_leaky(onnx_writer *w)
{
    const char *x = onnx_source(w, 0);
    onnx_put_node(w, "LeakyRelu", 1, &x, onnx_result(w), 1, &(onnx_out_attribute){.name = "alpha", .real = true, .f = number(w, "slope", 0.01)});
}

static void write_square(onnx_writer *w) { onnx_put_two(w, "Mul", onnx_source(w, 0), onnx_source(w, 0), onnx_result(w)); }
static void write_pow(onnx_writer *w) { onnx_put_two(w, "Pow", onnx_source(w, 0), onnx_number(w, number(w, "exponent", 2)), onnx_result(w)); }

static void write_clamp(onnx_writer *w)
{
    onnx_put_node(w, "Clip", 3, (const char *const[]){onnx_source(w, 0), onnx_number(w, number(w, "low", -1e308)), onnx_number(w, number(w, "high", 1e308))}, onnx_result(w), 0, NULL);
}

static void write_constant(onnx_writer *w) { onnx_put_one(w, "Identity", onnx_weight_name(w, 0), onnx_result(w)); }

/* To the recorded shape; the samples stay open: kept in front, else what is left. */
static void write_reshape(onnx_writer *w)
{
    const nigh_shape *to = &w->shape[w->index], *from = onnx_source_shape(w, 0);
    int64_t dim[NIGH_MAX_DIMS];
    bool rest = false;
    for (int i = 0; i < to->ndim; i++) {
        bool open = w->open && to->dim[i] != w->other[w->index].dim[i];
        dim[i] = open && i == 0 && from->ndim && to->dim[0] == from->dim[0] && w->other[w->layer->input[0]].dim[0] != from->dim[0] ? 0 : open && !rest ? -1 : to->dim[i];
        rest = rest || dim[i] < 0;
    }
    onnx_put_two(w, "Reshape", onnx_source(w, 0), onnx_integers(w, to->ndim, dim), onnx_result(w));
}

static void write_permute(onnx_writer *w)
{
    onnx_out_attribute order = {.name = "perm"};
    const char *x = onnx_source(w, 0);
    order.n = nigh_layer_list(w->layer, "order", NIGH_MAX_DIMS, order.value);
    onnx_put_node(w, "Transpose", 1, &x, onnx_result(w), 1, &order);
}

static void write_slice(onnx_writer *w)
{
    int64_t axis = nigh_layer_integer(w->layer, "axis", 0), step = nigh_layer_integer(w->layer, "step", 1);
    int64_t start = nigh_layer_integer(w->layer, "start", step < 0 ? INT32_MAX : 0), end = nigh_layer_integer(w->layer, "end", step < 0 ? -INT64_C(0x7fffffff) : INT32_MAX);
    onnx_put_node(w, "Slice", 5, (const char *const[]){onnx_source(w, 0), onnx_integers(w, 1, &start), onnx_integers(w, 1, &end), onnx_integers(w, 1, &axis), onnx_integers(w, 1, &step)}, onnx_result(w), 0, NULL);
}

static void write_pad(onnx_writer *w)
{
    int64_t pads[2 * NIGH_MAX_DIMS];
    int n = nigh_layer_list(w->layer, "low", NIGH_MAX_DIMS, pads);
    nigh_layer_list(w->layer, "high", NIGH_MAX_DIMS, pads + n);
    onnx_put_node(w, "Pad", 3, (const char *const[]){onnx_source(w, 0), onnx_integers(w, 2 * n, pads), onnx_number(w, number(w, "value", 0))}, onnx_result(w), 0, NULL);
}

static void write_expand(onnx_writer *w)
{
    const nigh_shape *to = &w->shape[w->index], *from = onnx_source_shape(w, 0);
    int64_t dim[NIGH_MAX_DIMS];
    for (int i = 0; i < to->ndim; i++) {
        int at = i - (to->ndim - from->ndim);
        dim[i] = at >= 0 && from->dim[at] == to->dim[i] ? 1 : to->dim[i]; /* 1 keeps */
    }
    onnx_put_two(w, "Expand", onnx_source(w, 0), onnx_integers(w, to->ndim, dim), onnx_result(w));
}

static void write_concat(onnx_writer *w)
{
    const char *input[64];
    for (int i = 0; i < w->layer->inputs && i < 64; i++) input[i] = onnx_source(w, i);
    onnx_put_node(w, "Concat", w->layer->inputs, input, onnx_result(w), 1, &(onnx_out_attribute){.name = "axis", .n = 1, .number = true, .value = {nigh_layer_integer(w->layer, "axis", -1)}});
}

static void write_where(onnx_writer *w)
{
    const char *mask = onnx_fresh(w, "mask"), *same = onnx_fresh(w, "same");
    onnx_put_two(w, "Equal", onnx_source(w, 0), onnx_number(w, 0), same);
    onnx_put_one(w, "Not", same, mask);
    onnx_put_node(w, "Where", 3, (const char *const[]){mask, onnx_source(w, 1), onnx_source(w, 2)}, onnx_result(w), 0, NULL);
}

/* ReduceSum alone takes its axes as an input in opset 13; the others do from 18 on, which is what is written. */
static void write_reduce(onnx_writer *w)
{
    const char *kind = w->layer->kind, *op = !strcmp(kind, "sum") ? "ReduceSum" : !strcmp(kind, "mean") ? "ReduceMean" : !strcmp(kind, "max-over") ? "ReduceMax" : "ReduceMin";
    int64_t axes[NIGH_MAX_DIMS];
    int n = nigh_layer_list(w->layer, "axes", NIGH_MAX_DIMS, axes);
    onnx_out_attribute keep = {.name = "keepdims", .n = 1, .number = true, .value = {number(w, "keep", 0) != 0}};
    const char *input[2] = {onnx_source(w, 0), n > 0 ? onnx_integers(w, n, axes) : ""};
    onnx_put_node(w, op, n > 0 ? 2 : 1, input, onnx_result(w), 1, &keep);
}

static void write_softmax(onnx_writer *w)
{
    const char *x = onnx_source(w, 0);
    onnx_put_node(w, *w->layer->kind == 'l' ? "LogSoftmax" : "Softmax", 1, &x, onnx_result(w), 1,
             &(onnx_out_attribute){.name = "axis", .n = 1, .number = true, .value = {nigh_layer_integer(w->layer, "axis", -1)}});
}

static void write_layer_norm(onnx_writer *w)
{
    const onnx_out_attribute all[2] = {{.name = "axis", .n = 1, .number = true, .value = {-nigh_layer_integer(w->layer, "axes", 1)}}, {.name = "epsilon", .real = true, .f = number(w, "eps", 1e-5)}};
    const char *input[3] = {onnx_source(w, 0)};
    for (int i = 0; i < w->layer->parameters && i < 2; i++) input[1 + i] = onnx_weight_name(w, i);
    if (!w->layer->parameters && !w->status) w->status = nigh_fail(w->ctx, NIGH_UNSUPPORTED, "onnx: layer '%s': a layer norm without weights", w->layer->name);
    onnx_put_node(w, "LayerNormalization", 1 + w->layer->parameters, input, onnx_result(w), 2, all);
}

static void write_embedding(onnx_writer *w)
{
    if (number(w, "scale", 1) != 1 && !w->status) w->status = nigh_fail(w->ctx, NIGH_UNSUPPORTED, "onnx: layer '%s': an embedding with a scale", w->layer->name);
    onnx_put_two(w, "Gather", onnx_weight_name(w, 0), onnx_source(w, 0), onnx_result(w));
}

static const struct { const char *kind; void (*write)(onnx_writer *w); } others[] = {{"add", write_fold}, {"mul", write_fold}, {"min", write_fold}, {"max", write_fold}, {"linear", write_linear},
    {"affine", write_affine}, {"channel-affine", write_channel_affine}, {"gelu", write_gelu}, {"silu", write_silu}, {"softplus", write_softplus}, {"leaky-relu", write_leaky},
    {"square", write_square}, {"pow", write_pow}, {"clamp", write_clamp}, {"constant", write_constant}, {"reshape", write_reshape}, {"flatten", write_reshape},
    {"permute", write_permute}, {"slice", write_slice}, {"pad", write_pad}, {"expand", write_expand}, {"concat", write_concat}, {"where", write_where}, {"sum", write_reduce},
    {"mean", write_reduce}, {"max-over", write_reduce}, {"min-over", write_reduce}, {"softmax", write_softmax}, {"log-softmax", write_softmax}, {"layer-norm", write_layer_norm},
    {"embedding", write_embedding}};

static void write_layer(onnx_writer *w)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(plain[i].kind, w->layer->kind)) {
            write_plain(w);
            return;
        }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(others[i].kind, w->layer->kind)) {
            others[i].write(w);
            return;
        }
    for (int list = 0; list < 2; list++)
        for (const onnx_field_writer *f = list ? onnx_more_writers : onnx_field_writers; f->kind; f++)
            if (!strcmp(f->kind, w->layer->kind)) {
                f->write(w);
                return;
            }
    w->status = nigh_fail(w->ctx, NIGH_UNSUPPORTED, "onnx: layer '%s' is of kind '%s', which has no form there", w->layer->name, w->layer->kind);
}

/* ---- the file ----------------------------------------------------------------------------------------- */

static void put_end(onnx_writer *w, nigh_buffer *graph, int field, const char *name, const nigh_shape *shape)
{
    nigh_buffer dim = {.ctx = w->ctx}, dims = {.ctx = w->ctx}, tensor = {.ctx = w->ctx}, type = {.ctx = w->ctx}, info = {.ctx = w->ctx};
    for (int i = 0; i < shape->ndim; i++) {
        if (w->open && i == 0) put_text(&w->status, &dim, 2, "n");
        else put_int(&w->status, &dim, 1, shape->dim[i]);
        put_message(&w->status, &dims, 1, &dim);
    }
    put_int(&w->status, &tensor, 1, shape->dtype == NIGH_I32 ? ONNX_INT32 : w->type);
    put_message(&w->status, &tensor, 2, &dims);
    put_message(&w->status, &type, 1, &tensor);
    put_text(&w->status, &info, 1, name);
    put_message(&w->status, &info, 2, &type);
    put_message(&w->status, graph, field, &info);
    nigh_buffer_free(&dim);
    nigh_buffer_free(&dims);
    nigh_buffer_free(&tensor);
    nigh_buffer_free(&type);
    nigh_buffer_free(&info);
}

static void put_weights(onnx_writer *w)
{
    nigh_parameters *set = nigh_network_parameters(w->net);
    for (int i = 0; i < nigh_parameters_count(set) && !w->status; i++) {
        if (!w->plain[i]) continue;
        const nigh_parameter *p = nigh_parameters_at(set, i);
        onnx_put_tensor(w, p->name, w->type, p->shape.ndim, p->shape.dim, nigh_parameters_data(set, i), (size_t)nigh_shape_count(&p->shape) * nigh_dtype_size(p->shape.dtype));
    }
}

static void put_model(onnx_writer *w, nigh_buffer *bytes)
{
    nigh_buffer graph = {.ctx = w->ctx}, opset = {.ctx = w->ctx};
    if (!w->status && w->nodes.size) w->status = nigh_buffer_add(&graph, w->nodes.data, w->nodes.size);
    put_text(&w->status, &graph, 2, "network");
    if (!w->status && w->tensors.size) w->status = nigh_buffer_add(&graph, w->tensors.data, w->tensors.size);
    for (int i = 0; i < nigh_network_inputs(w->net); i++) {
        int layer = nigh_network_input_layer(w->net, i);
        nigh_shape shape = w->shape[layer];
        shape.dtype = nigh_network_input_shape(w->net, i)->dtype;
        put_end(w, &graph, 11, result(w, layer), &shape);
    }
    for (int i = 0; i < nigh_network_outputs(w->net); i++) put_end(w, &graph, 12, result(w, nigh_network_output_layer(w->net, i)), &w->shape[nigh_network_output_layer(w->net, i)]);
    put_int(&w->status, bytes, 1, 8);
    put_text(&w->status, bytes, 2, "nigh");
    put_message(&w->status, bytes, 7, &graph);
    put_text(&w->status, &opset, 1, "");
    put_int(&w->status, &opset, 2, 18);
    put_message(&w->status, bytes, 8, &opset);
    nigh_buffer_free(&graph);
    nigh_buffer_free(&opset);
}

static nigh_node note_shape(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    ((nigh_shape *)user)[layer] = *nigh_tape_shape(tape, value);
    return value;
}

/* The shapes of all results, by a recording. */
static nigh_status find_shapes(nigh_network *net, const nigh_shape *shapes, int64_t samples, nigh_shape *of_layer)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape = NULL;
    nigh_recording how = {.hook = note_shape, .user = of_layer};
    nigh_node *node = nigh_alloc(ctx, (size_t)(nigh_network_inputs(net) + nigh_parameters_count(set) + nigh_network_outputs(net) + 1) * sizeof *node);
    nigh_status status = node ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    for (int i = 0; i < nigh_network_inputs(net) && !status; i++) {
        nigh_shape shape = shapes[i];
        if (shape.ndim && shape.dim[0] < 0) shape.dim[0] = samples;
        node[i] = nigh_tape_input(tape, "x", shape.dtype, shape.ndim, shape.dim);
        status = nigh_tape_status(tape);
    }
    nigh_node *weights = node + nigh_network_inputs(net);
    if (!status) status = nigh_parameters_record(set, tape, weights);
    if (!status) status = nigh_network_record(net, tape, &how, node, weights, weights + nigh_parameters_count(set));
    nigh_tape_free(tape);
    nigh_free(ctx, node);
    return status;
}

nigh_status nigh_onnx_format(nigh_network *net, const nigh_shape *shapes, nigh_buffer *bytes)
{
    nigh_context *ctx = nigh_network_context(net);
    if (nigh_network_status(net)) return nigh_network_status(net);
    int layers = nigh_network_layers(net);
    nigh_shape *shape = nigh_alloc_zero(ctx, 2 * ((size_t)layers + 1), sizeof *shape);
    bool *flags = nigh_alloc_zero(ctx, 2 * (size_t)nigh_parameters_count(nigh_network_parameters(net)) + 1, sizeof *flags);
    onnx_writer w = {.ctx = ctx, .net = net, .nodes = {.ctx = ctx}, .tensors = {.ctx = ctx}, .shape = shape, .plain = flags,
                     .type = nigh_parameters_dtype(nigh_network_parameters(net)) == NIGH_F32 ? ONNX_FLOAT : ONNX_DOUBLE};
    size_t before = bytes->size;
    if (flags) w.turned = flags + nigh_parameters_count(nigh_network_parameters(net));
    w.status = shape && flags ? nigh_arena_new(ctx, &w.arena) : NIGH_MEMORY;
    for (int i = 0; i < nigh_network_inputs(net); i++) w.open = w.open || (shapes[i].ndim && shapes[i].dim[0] < 0);
    if (shape) w.other = shape + layers + 1;
    if (!w.status) w.status = find_shapes(net, shapes, 2, shape);
    if (!w.status) w.status = find_shapes(net, shapes, 3, shape + layers + 1);
    for (w.index = 0; w.index < nigh_network_layers(net) && !w.status; w.index++) {
        w.layer = nigh_network_at(net, w.index);
        if (strcmp(w.layer->kind, "input")) write_layer(&w);
    }
    if (!w.status) put_weights(&w);
    if (!w.status) put_model(&w, bytes);
    if (w.status) bytes->size = before;
    nigh_buffer_free(&w.nodes);
    nigh_buffer_free(&w.tensors);
    nigh_arena_free(w.arena);
    nigh_free(ctx, shape);
    nigh_free(ctx, flags);
    return w.status;
}

nigh_status nigh_onnx_write(nigh_network *net, const nigh_shape *shapes, const char *path)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_onnx_format(net, shapes, &bytes);
    if (!status) status = nigh_io_write_maybe_gzip(ctx, path, &bytes);
    nigh_buffer_free(&bytes);
    return status;
}
