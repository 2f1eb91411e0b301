/* What a network does, as a table or JSON. Declared in nigh/network.h. */
#include "core/json.h"
#include "grad/tape.h"
#include "nigh/network.h"

#include <string.h>

typedef struct line {
    nigh_shape shape;
    int64_t weights;
    double flops;
    int64_t bytes;
} line;

typedef struct survey {
    nigh_network *net;
    line *line;
    int64_t counted; /* nodes of the tape that are accounted for */
} survey;

static double products(const nigh_tape *tape, const tape_node *node, int weight)
{
    const nigh_shape *w = tape_shape(tape, node->input[weight]);
    return w->ndim ? (double)nigh_shape_count(w) / (double)w->dim[w->ndim - 1] : 1;
}

/* Of one node of the forward computation. */
static double flops_of(const nigh_tape *tape, const tape_node *node)
{
    double out = (double)nigh_shape_count(&node->shape), in = node->inputs ? (double)nigh_shape_count(tape_shape(tape, node->input[0])) : 0;
    const char *name = node->op->name;
    if (node->op->kind == TAPE_LEAF || node->op->kind == TAPE_VIEW || !strcmp(name, "pad") || !strcmp(name, "concat") || !strcmp(name, "copy")) return 0;
    if (!strcmp(name, "matmul")) {
        const nigh_shape *a = tape_shape(tape, node->input[0]);
        double m = (double)node->shape.dim[node->shape.ndim - 2], matrix = (double)a->dim[a->ndim - 1] * (double)a->dim[a->ndim - 2];
        return 2 * out * matrix / m + (node->inputs > 2 ? out : 0);
    }
    if (!strncmp(name, "conv", 4) && node->inputs > 1) return 2 * out * products(tape, node, 1);
    return out > in ? out : in;
}

static nigh_node look(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    survey *s = user;
    line *l = &s->line[layer];
    const nigh_layer *what = nigh_network_at(s->net, layer);
    l->shape = *tape_shape(tape, value);
    l->bytes = nigh_shape_count(&l->shape) * (int64_t)nigh_dtype_size(l->shape.dtype);
    for (int i = 0; i < what->parameters; i++) l->weights += nigh_shape_count(&nigh_parameters_at(nigh_network_parameters(s->net), what->parameter[i])->shape);
    for (; s->counted < tape->count; s->counted++) l->flops += flops_of(tape, tape_at(tape, (nigh_node)s->counted));
    return value;
}

static nigh_status print_table(const survey *s, nigh_buffer *text)
{
    char shape[TAPE_SHAPE_TEXT];
    line all = {.weights = nigh_parameters_numbers(nigh_network_parameters(s->net))};
    nigh_status status = nigh_buffer_print(text, "%-24s %-16s %-24s %12s %14s %12s\n", "layer", "kind", "result", "weights", "operations", "bytes");
    for (int i = 0; i < nigh_network_layers(s->net) && !status; i++) {
        const line *l = &s->line[i];
        const nigh_layer *layer = nigh_network_at(s->net, i);
        all.flops += l->flops, all.bytes += l->bytes;
        status = nigh_buffer_print(text, "%-24s %-16s %-24s %12lld %14.0f %12lld\n", layer->name, layer->kind, tape_shape_text(&l->shape, shape), (long long)l->weights,
                                   l->flops, (long long)l->bytes);
    }
    return status ? status : nigh_buffer_print(text, "%-24s %-16s %-24s %12lld %14.0f %12lld\n", "all", "", "", (long long)all.weights, all.flops, (long long)all.bytes);
}

static nigh_status add_line(nigh_context *ctx, json_t *list, const nigh_layer *layer, const line *l)
{
    json_t *entry = json_object(), *shape = json_array();
    nigh_status status = entry && shape ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!status) status = nj_set_text(ctx, entry, "layer", layer->name);
    if (!status) status = nj_set_text(ctx, entry, "kind", layer->kind);
    if (!status) status = nj_set_text(ctx, entry, "dtype", nigh_dtype_name(l->shape.dtype));
    for (int i = 0; i < l->shape.ndim && !status; i++)
        if (json_array_append_new(shape, json_integer(l->shape.dim[i]))) status = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!status) status = nj_set(ctx, entry, "shape", json_incref(shape));
    if (!status) status = nj_set_int(ctx, entry, "weights", l->weights);
    if (!status) status = nj_set_real(ctx, entry, "operations", l->flops);
    if (!status) status = nj_set_int(ctx, entry, "bytes", l->bytes);
    if (!status && json_array_append(list, entry)) status = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    json_decref(shape);
    json_decref(entry);
    return status;
}

static nigh_status print_json(nigh_context *ctx, const survey *s, nigh_buffer *text)
{
    json_t *root = json_object(), *list = json_array();
    nigh_status status = root && list ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    double flops = 0;
    int64_t bytes = 0;
    for (int i = 0; i < nigh_network_layers(s->net) && !status; i++) {
        flops += s->line[i].flops, bytes += s->line[i].bytes;
        status = add_line(ctx, list, nigh_network_at(s->net, i), &s->line[i]);
    }
    if (!status) status = nj_set(ctx, root, "layers", json_incref(list));
    if (!status) status = nj_set_int(ctx, root, "weights", nigh_parameters_numbers(nigh_network_parameters(s->net)));
    if (!status) status = nj_set_real(ctx, root, "operations", flops);
    if (!status) status = nj_set_int(ctx, root, "bytes", bytes);
    if (!status) status = nj_dump(ctx, root, NJ_INDENTED, text);
    json_decref(list);
    json_decref(root);
    return status;
}

nigh_status nigh_network_describe(nigh_network *net, const nigh_shape *inputs, nigh_network_style style, nigh_buffer *text)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_tape *tape = NULL;
    if (nigh_network_status(net)) return nigh_network_status(net);
    int count = nigh_network_inputs(net), outputs = nigh_network_outputs(net), weights = nigh_parameters_count(set);
    nigh_node *node = nigh_alloc(ctx, (size_t)(count + outputs + weights + 1) * sizeof *node);
    survey s = {.net = net, .line = nigh_alloc_zero(ctx, (size_t)nigh_network_layers(net) + 1, sizeof *s.line)};
    nigh_recording how = {.hook = look, .user = &s};
    nigh_status status = node && s.line ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    for (int i = 0; i < count && !status; i++) {
        node[i] = nigh_tape_input(tape, "input", inputs[i].dtype, inputs[i].ndim, inputs[i].dim);
        status = nigh_tape_status(tape);
    }
    if (!status) status = nigh_parameters_record(set, tape, node + count);
    if (!status) status = nigh_network_record(net, tape, &how, node, node + count, node + count + weights);
    if (!status) status = style == NIGH_NETWORK_JSON ? print_json(ctx, &s, text) : print_table(&s, text);
    nigh_tape_free(tape);
    nigh_free(ctx, s.line);
    nigh_free(ctx, node);
    return status;
}
