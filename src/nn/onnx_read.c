/* ONNX files to networks: values, layers and their shapes. Declared in nigh/onnx.h; one operator at a time in onnx_read_ops.c and onnx_read_fields.c. */
#include "nn/onnx.h"

#include "core/file.h"
#include "io/gzip.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void onnx_fail(onnx_reader *r, nigh_status status, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (r->status) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r->status = nigh_fail(r->ctx, status, "'%s': node '%.100s' (%.40s): %s", r->file, r->node->name, r->node->op, text);
}

/* ---- attributes and inputs ---------------------------------------------------------------------------- */

const onnx_attribute *onnx_find(const onnx_reader *r, const char *name)
{
    for (int i = 0; i < r->node->attributes; i++)
        if (!strcmp(r->node->attribute[i].name, name)) return &r->node->attribute[i];
    return NULL;
}

int64_t onnx_int(const onnx_reader *r, const char *name, int64_t otherwise)
{
    const onnx_attribute *a = onnx_find(r, name);
    return a ? a->i : otherwise;
}

double onnx_float(const onnx_reader *r, const char *name, double otherwise)
{
    const onnx_attribute *a = onnx_find(r, name);
    return a ? (double)a->f : otherwise;
}

const char *onnx_text(const onnx_reader *r, const char *name, const char *otherwise)
{
    const onnx_attribute *a = onnx_find(r, name);
    return a ? a->s : otherwise;
}

bool onnx_has(const onnx_reader *r, int i) { return i < r->node->inputs && *r->node->input[i]; }

uint64_t onnx_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static onnx_value *find_value(const onnx_reader *r, const char *name)
{
    uint64_t hash = onnx_hash(name);
    for (int i = r->values - 1; i >= 0; i--)
        if (r->value[i].hash == hash && !strcmp(r->value[i].name, name)) return &r->value[i];
    return NULL;
}

const onnx_value *onnx_in(onnx_reader *r, int i)
{
    if (r->status) return NULL;
    const onnx_value *v = onnx_has(r, i) ? find_value(r, r->node->input[i]) : NULL;
    if (!v) onnx_fail(r, NIGH_FORMAT, "input %d ('%.100s') is missing, or comes later", i, onnx_has(r, i) ? r->node->input[i] : "");
    return v;
}

const onnx_tensor *onnx_fixed(onnx_reader *r, int i)
{
    const onnx_value *v = onnx_in(r, i);
    if (v && !v->tensor) onnx_fail(r, NIGH_UNSUPPORTED, "input %d is computed; only a fixed one is read", i);
    return v ? v->tensor : NULL;
}

int onnx_list(onnx_reader *r, const char *name, int i, int64_t list[NIGH_MAX_DIMS])
{
    const onnx_attribute *a = onnx_find(r, name);
    const onnx_tensor *t = !a && i >= 0 && onnx_has(r, i) ? onnx_fixed(r, i) : NULL;
    int64_t n = a ? a->ints : t ? t->count : -1;
    const double *number = a ? a->number : t ? t->data : NULL;
    if (r->status || n < 0) return -1;
    if (n > NIGH_MAX_DIMS) return onnx_fail(r, NIGH_UNSUPPORTED, "'%s' has %lld numbers; at most %d are read", name, (long long)n, NIGH_MAX_DIMS), -1;
    for (int64_t k = 0; k < n; k++) list[k] = !(number[k] < INT32_MAX) ? INT32_MAX : number[k] < -INT32_MAX ? -INT32_MAX : (int64_t)number[k];
    return (int)n;
}

const char *onnx_list_text(onnx_reader *r, int n, const int64_t *list)
{
    char text[256] = "";
    size_t at = 0;
    for (int i = 0; i < n; i++) at += (size_t)snprintf(text + at, sizeof text - at, i ? ",%lld" : "%lld", (long long)list[i]);
    char *copy = nigh_arena_strdup(r->arena, text);
    if (!copy && !r->status) r->status = NIGH_MEMORY;
    return copy;
}

/* ---- layers ------------------------------------------------------------------------------------------- */

const nigh_shape *onnx_shape(const onnx_reader *r, int layer) { return nigh_tape_shape(r->tape, r->of_layer[layer]); }

/* Of evaluating a layer with `count` results, in numbers made: windows and products take that many steps each. */
static int64_t work_of(const onnx_reader *r, const nigh_layer *l, int64_t count)
{
    static const char *const keys[] = {"window_0", "window_1", "window_2"};
    double each = 1;
    bool product = !strcmp(l->kind, "linear") || !strcmp(l->kind, "matmul") || !strncmp(l->kind, "conv", 4);
    if (l->parameters && product) each = (double)nigh_shape_count(&nigh_parameters_at(nigh_network_parameters(r->net), l->parameter[0])->shape) / 64;
    else if (product) each = (double)nigh_shape_count(onnx_shape(r, l->input[0])) / 64;
    for (int i = 0; i < 3; i++) each *= nigh_layer_number(l, keys[i], 1);
    return (double)count * fmax(each, 1) > ONNX_MOST_WORK ? INT64_MAX : (int64_t)((double)count * fmax(each, 1));
}

/* The shape of a layer comes from recording it; open dimensions count as 1 there. */
static void record(onnx_reader *r, int layer)
{
    const nigh_layer *l = nigh_network_at(r->net, layer);
    nigh_node input[64], weight[64];
    nigh_recording how = {.train = false};
    if (l->inputs > 64 || l->parameters > 64) {
        onnx_fail(r, NIGH_UNSUPPORTED, "more than 64 inputs");
        return;
    }
    for (int i = 0; i < 64; i++) input[i] = weight[i] = NIGH_NONE;
    for (int i = 0; i < l->inputs; i++) input[i] = r->of_layer[l->input[i]];
    for (int i = 0; i < l->parameters; i++) {
        const nigh_shape shape = nigh_parameters_at(nigh_network_parameters(r->net), l->parameter[i])->shape;
        weight[i] = nigh_tape_fill(r->tape, shape.dtype, shape.ndim, shape.dim, 1);
    }
    nigh_layer_call call = {.tape = r->tape, .layer = l, .input = input, .parameter = weight, .how = &how};
    r->of_layer[layer] = nigh_layer_kind_find(l->kind)->record(&call);
    const nigh_shape *made = nigh_tape_status(r->tape) ? NULL : nigh_tape_shape(r->tape, r->of_layer[layer]);
    if (made && nigh_shape_count(made) < 0) onnx_fail(r, NIGH_UNSUPPORTED, "a result of too many numbers");
    else if (made && r->folding) onnx_spend(r, work_of(r, l, nigh_shape_count(made)));
    if (nigh_tape_status(r->tape)) {
        char message[400];
        snprintf(message, sizeof message, "%s", nigh_message(r->ctx));
        onnx_fail(r, nigh_tape_status(r->tape) == NIGH_MEMORY ? NIGH_MEMORY : NIGH_FORMAT, "%s", message);
    }
}

/* The node's name, or that of its result, when it is free; else with a number. */
static const char *name_for(onnx_reader *r, const char *kind)
{
    const char *base = r->node && *r->node->name ? r->node->name : r->node && r->node->outputs ? r->node->output[0] : kind;
    if (!*base) base = kind;
    if (nigh_network_find(r->net, base) < 0) return base;
    char *name;
    do name = nigh_arena_format(r->arena, "%.200s.%s%d", base, kind, ++r->serial);
    while (name && nigh_network_find(r->net, name) >= 0);
    if (!name) r->status = NIGH_MEMORY;
    return name;
}

int onnx_add(onnx_reader *r, const char *kind, int inputs, const int *input, int weights, const int *weight, int attributes, const nigh_attribute *attribute)
{
    if (r->status) return -1;
    const char *name = name_for(r, kind);
    if (!name) return -1;
    int layer = nigh_network_add(r->net, kind, name, inputs, input, weights, weight, attributes, attribute);
    if (layer < 0) return r->status = nigh_within(r->ctx, nigh_network_status(r->net) == NIGH_MEMORY ? NIGH_MEMORY : NIGH_FORMAT, "'%s'", r->file), -1;
    if (layer >= r->room) {
        nigh_node *more = nigh_resize(r->ctx, r->of_layer, (size_t)(2 * layer + 16) * sizeof *more);
        if (!more) return r->status = NIGH_MEMORY, -1;
        r->of_layer = more;
        r->room = 2 * layer + 16;
    }
    record(r, layer);
    return r->status ? -1 : layer;
}

int onnx_add_one(onnx_reader *r, const char *kind, int input) { return onnx_add(r, kind, 1, &input, 0, NULL, 0, NULL); }

int onnx_weight(onnx_reader *r, const char *name, int ndim, const int64_t *dim, const double *data)
{
    if (r->status) return -1;
    nigh_parameters *set = nigh_network_parameters(r->net);
    const char *free_name = *name ? name : "weight";
    while (free_name && nigh_parameters_find(set, free_name) >= 0) free_name = nigh_arena_format(r->arena, "%.200s.%d", *name ? name : "weight", ++r->serial);
    if (!free_name) return r->status = NIGH_MEMORY, -1;
    int index = nigh_network_weight(r->net, free_name, ndim, dim, (nigh_init){NIGH_INIT_ZERO, 0});
    if (index < 0) return r->status = nigh_within(r->ctx, nigh_network_status(r->net) == NIGH_MEMORY ? NIGH_MEMORY : NIGH_FORMAT, "'%s'", r->file), -1;
    const nigh_shape *shape = &nigh_parameters_at(set, index)->shape;
    bool single = shape->dtype == NIGH_F32;
    void *to = nigh_parameters_data(set, index);
    double most = single ? FLT_MAX : DBL_MAX;
    for (int64_t i = 0, n = nigh_shape_count(shape); i < n; i++) {
        if (isnan(data[i])) return onnx_fail(r, NIGH_FORMAT, "number %lld of tensor '%.100s' is not a number", (long long)i, name), -1;
        double v = data[i] > most ? most : data[i] < -most ? -most : data[i]; /* masks hold infinities */
        if (single) ((float *)to)[i] = (float)v;
        else ((double *)to)[i] = v;
    }
    return index;
}

int onnx_turn(onnx_reader *r, int layer, bool to_last)
{
    if (r->status) return -1;
    int n = onnx_shape(r, layer)->ndim;
    int64_t order[NIGH_MAX_DIMS];
    if (n < 3) return onnx_fail(r, NIGH_FORMAT, "an image of %d dimensions; [N, C, ...] is needed", n), -1;
    for (int i = 1; i < n; i++) order[i] = to_last ? (i + 1 < n ? i + 1 : 1) : i == 1 ? n - 1 : i - 1;
    order[0] = 0;
    return onnx_add(r, "permute", 1, &layer, 0, NULL, 1, (nigh_attribute[]){{"order", 0, onnx_list_text(r, n, order)}});
}

int onnx_layer(onnx_reader *r, int i)
{
    const onnx_value *found = onnx_in(r, i);
    if (!found) return -1;
    onnx_value *v = &r->value[found - r->value];
    if (v->layer < 0 && v->tensor && !v->tensor->count) onnx_fail(r, NIGH_UNSUPPORTED, "input %d is a fixed tensor without numbers", i);
    else if (v->layer < 0 && v->tensor) {
        int weight = onnx_weight(r, v->name, v->tensor->ndim, v->tensor->dim, v->tensor->data);
        v->layer = onnx_add(r, "constant", 0, NULL, 1, &weight, 0, NULL);
        if (v->layer >= 0 && weight >= 0) nigh_parameters_at(nigh_network_parameters(r->net), weight)->frozen = true;
    } else if (v->layer < 0)
        v->layer = onnx_turn(r, v->last, false);
    return v->layer;
}

int onnx_layer_last(onnx_reader *r, int i)
{
    const onnx_value *found = onnx_in(r, i);
    if (!found) return -1;
    onnx_value *v = &r->value[found - r->value];
    if (v->last >= 0) return v->last;
    int layer = onnx_layer(r, i);
    return r->status ? -1 : (v->last = onnx_turn(r, layer, true));
}

static void set_value(onnx_reader *r, const char *name, const onnx_tensor *tensor, int layer, int last)
{
    if (r->status) return;
    if (find_value(r, name)) r->status = nigh_fail(r->ctx, NIGH_FORMAT, "'%s': the value '%.100s' is there twice", r->file, name);
    else r->value[r->values++] = (onnx_value){name, onnx_hash(name), tensor, layer, last};
}

void onnx_set_output(onnx_reader *r, int i, int layer, int last, const onnx_tensor *tensor)
{
    if (!r->status && i < r->node->outputs && (*r->node->output[i] || !i)) set_value(r, r->node->output[i], tensor, layer, last);
}

void onnx_set(onnx_reader *r, int layer, int last) { onnx_set_output(r, 0, layer, last, NULL); }

int onnx_any(onnx_reader *r, bool *last)
{
    const onnx_value *v = onnx_in(r, 0);
    *last = v && v->last >= 0 && v->layer < 0 && !v->tensor;
    return !v ? -1 : *last ? v->last : onnx_layer(r, 0);
}

void onnx_set_any(onnx_reader *r, int layer, bool last) { onnx_set(r, last ? -1 : layer, last ? layer : -1); }

/* ---- the graph ---------------------------------------------------------------------------------------- */

static void read_inputs(onnx_reader *r)
{
    const onnx_graph *g = r->graph;
    for (int i = 0; i < g->inputs && !r->status; i++) {
        const onnx_input *in = &g->input[i];
        int64_t dim[NIGH_MAX_DIMS];
        if (find_value(r, in->name)) continue; /* a default for a weight, as old files have it */
        bool tokens = in->type == ONNX_INT32 || in->type == ONNX_INT64;
        nigh_dtype dtype = nigh_parameters_dtype(nigh_network_parameters(r->net));
        if (!tokens && in->type != (dtype == NIGH_F32 ? ONNX_FLOAT : ONNX_DOUBLE)) {
            r->status = nigh_fail(r->ctx, NIGH_UNSUPPORTED, "'%s': input '%.100s' is of type %d; float, double (one of them), int32 and int64 are read", r->file, in->name, in->type);
            return;
        }
        const char *name = *in->name ? in->name : "input";
        int layer = tokens ? nigh_network_tokens(r->net, name, in->ndim, in->dim) : nigh_network_input(r->net, name, in->ndim, in->dim);
        for (int k = 0; k < in->ndim; k++) dim[k] = in->dim[k] < 0 ? 1 : in->dim[k];
        for (int k = 0; k < in->ndim; k++) *(k ? &r->open_inside : &r->open) |= in->dim[k] < 0;
        if (layer < 0 || layer >= r->room) {
            r->status = layer < 0 ? nigh_network_status(r->net) : nigh_fail(r->ctx, NIGH_UNSUPPORTED, "'%s': too many inputs", r->file);
            return;
        }
        r->of_layer[layer] = nigh_tape_input(r->tape, name, tokens ? NIGH_I32 : dtype, in->ndim, dim);
        if (r->of_layer[layer] == NIGH_NONE) r->status = nigh_tape_status(r->tape);
        set_value(r, in->name, NULL, layer, -1);
    }
}

static const onnx_operator *find_operator(const char *op)
{
    static const onnx_operator *const lists[] = {onnx_fixed_operators, onnx_elementwise_operators, onnx_product_operators, onnx_shape_operators, onnx_row_operators, onnx_field_operators};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const onnx_operator *o = lists[l]; o->op; o++)
            if (!strcmp(o->op, op)) return o;
    return NULL;
}

/* Operators that look after fixed tensors themselves. */
static bool is_fixed_kind(const onnx_operator *op)
{
    for (const onnx_operator *o = onnx_fixed_operators; o->op; o++)
        if (o == op) return true;
    return false;
}

static bool all_fixed(onnx_reader *r)
{
    bool any = false;
    for (int i = 0; i < r->node->inputs && !r->status; i++) {
        const onnx_value *v = onnx_has(r, i) ? onnx_in(r, i) : NULL;
        if (v && !v->tensor) return false;
        any = any || v;
    }
    return any;
}

static void read_nodes(onnx_reader *r)
{
    for (int i = 0; i < r->graph->nodes && !r->status; i++) {
        if (i == r->skip) continue;
        r->node = &r->graph->node[i];
        const onnx_operator *o = !*r->node->domain || !strcmp(r->node->domain, "ai.onnx") ? find_operator(r->node->op) : NULL;
        if (!r->node->outputs) onnx_fail(r, NIGH_FORMAT, "it has no output");
        else if (!o) onnx_fail(r, NIGH_UNSUPPORTED, *r->node->domain && strcmp(r->node->domain, "ai.onnx") ? "operators of domain '%.60s' are not read" : "this operator is not read%s", *r->node->domain && strcmp(r->node->domain, "ai.onnx") ? r->node->domain : "");
        else if (!is_fixed_kind(o) && all_fixed(r)) onnx_fold(r, o);
        else if (!r->status) o->read(r);
    }
}

static void read_outputs(onnx_reader *r)
{
    static const onnx_node end = {.op = "output", .name = "", .domain = ""};
    for (int i = 0; i < r->graph->outputs && !r->status; i++) {
        const char *name = r->graph->output[i].name;
        onnx_node node = end;
        node.inputs = 1;
        node.input = &name;
        r->node = &node;
        int layer = onnx_layer(r, 0);
        if (layer >= 0 && nigh_network_output(r->net, layer) < 0) r->status = nigh_network_status(r->net);
    }
    if (!r->status && !r->graph->outputs) r->status = nigh_fail(r->ctx, NIGH_FORMAT, "'%s': a graph without outputs", r->file);
}

static nigh_dtype dtype_of(const onnx_graph *g)
{
    for (int i = 0; i < g->inputs; i++)
        if (g->input[i].type == ONNX_FLOAT) return NIGH_F32;
    for (int i = 0; i < g->inputs; i++)
        if (g->input[i].type == ONNX_DOUBLE) return NIGH_F64;
    return NIGH_F32;
}

nigh_status onnx_begin(onnx_reader *r, nigh_dtype dtype, int layers)
{
    r->room = layers;
    r->of_layer = nigh_alloc(r->ctx, (size_t)r->room * sizeof *r->of_layer);
    r->status = r->value && r->of_layer ? nigh_network_new(r->ctx, dtype, &r->net) : NIGH_MEMORY;
    if (!r->status) r->status = nigh_tape_new(r->ctx, &r->tape);
    return r->status;
}

void onnx_end(onnx_reader *r)
{
    nigh_tape_free(r->tape);
    nigh_free(r->ctx, r->of_layer);
}

static nigh_status build(onnx_reader *r)
{
    const onnx_graph *g = r->graph;
    size_t values = (size_t)(g->tensors + g->inputs + 1);
    int64_t left = ONNX_MOST_WORK;
    for (int i = 0; i < g->tensors; i++) left += 4 * g->tensor[i].count;
    r->left = &left;
    for (int i = 0; i < g->nodes; i++) values += (size_t)g->node[i].outputs;
    r->value = nigh_arena_alloc(r->arena, values * sizeof *r->value);
    onnx_begin(r, dtype_of(g), g->inputs + 64);
    for (int i = 0; i < g->tensors; i++) set_value(r, g->tensor[i].name, &g->tensor[i], -1, -1);
    if (!r->status) read_inputs(r);
    read_nodes(r);
    read_outputs(r);
    return r->status;
}

nigh_status nigh_onnx_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_network **net)
{
    nigh_buffer room = {.ctx = ctx};
    const char *data = NULL;
    size_t plain = 0;
    onnx_graph graph;
    onnx_reader r = {.ctx = ctx, .file = name, .graph = &graph, .skip = -1};
    nigh_status status = nigh_arena_new(ctx, &r.arena);
    if (status) return status;
    status = nigh_io_plain(ctx, bytes, size, name, 0, &room, &data, &plain);
    if (!status) status = onnx_parse_graph(ctx, r.arena, name, data, plain, &graph);
    if (!status) status = onnx_fuse(r.arena, &graph);
    if (!status) status = build(&r);
    if (status) nigh_network_free(r.net);
    else *net = r.net;
    onnx_end(&r);
    nigh_buffer_free(&room);
    nigh_arena_free(r.arena);
    return status;
}

nigh_status nigh_onnx_read(nigh_context *ctx, const char *path, nigh_network **net)
{
    char *data = NULL;
    size_t size = 0;
    nigh_status status = nigh_file_read(ctx, path, (size_t)1 << 32, &data, &size);
    if (!status) status = nigh_onnx_parse(ctx, data, size, path, net);
    nigh_free(ctx, data);
    return status;
}
