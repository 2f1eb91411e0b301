/* Sorting layers in the place of which relus stand; see lipsdp_network.h. */
#include <string.h>

#include "nigh/operators_rows.h"
#include "verify/lipsdp_network.h"

/* Widths (last dimensions) of all results. */
typedef struct widths {
    int64_t *width;
} widths;

static nigh_node see(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    const nigh_shape *shape = nigh_tape_shape(tape, value);
    ((widths *)user)->width[layer] = shape && shape->ndim ? shape->dim[shape->ndim - 1] : 0;
    return value;
}

static nigh_status find_widths(nigh_context *ctx, nigh_network *net, const nigh_shape *shape, int64_t *width)
{
    nigh_tape *tape = NULL;
    widths w = {width};
    nigh_recording how = {.hook = see, .user = &w};
    int count = nigh_parameters_count(nigh_network_parameters(net)), outputs = nigh_network_outputs(net);
    nigh_node *nodes = nigh_alloc_zero(ctx, (size_t)(count + outputs + 1), sizeof *nodes);
    nigh_status status = nodes ? nigh_tape_new(ctx, &tape) : NIGH_MEMORY;
    if (!status) {
        nigh_node input = nigh_tape_input(tape, "x", shape->dtype, shape->ndim, shape->dim);
        status = nigh_parameters_record(nigh_network_parameters(net), tape, nodes);
        if (!status) status = nigh_network_record(net, tape, &how, &input, nodes, nodes + count);
    }
    nigh_tape_free(tape);
    nigh_free(ctx, nodes);
    return status;
}

/* What a layer sorts: groups of so many; 0: nothing. */
static int64_t group_of(const nigh_layer *layer, int64_t group)
{
    if (!strcmp(layer->kind, "max-min")) return 2;
    if (!strcmp(layer->kind, "group-sort")) return nigh_layer_integer(layer, "group", 2);
    return group > 1 && !strcmp(layer->kind, "relu") ? group : 0;
}

static nigh_status copy_weights(nigh_network *from, nigh_network *to)
{
    nigh_parameters *source = nigh_network_parameters(from), *target = nigh_network_parameters(to);
    for (int i = 0; i < nigh_parameters_count(source); i++) {
        const nigh_parameter *p = nigh_parameters_at(source, i);
        int at = nigh_network_weight(to, p->name, p->shape.ndim, p->shape.dim, nigh_init_he_normal(1));
        if (at < 0) return nigh_network_status(to);
        memcpy(nigh_parameters_data(target, at), nigh_parameters_data(source, i), (size_t)nigh_shape_count(&p->shape) * nigh_dtype_size(p->shape.dtype));
    }
    return NIGH_OK;
}

/* A product with the identity, so that what a graph of bounds applies the relu to has the order of the layer's own input; and the relu. */
static int stand_in(lip_sorted *s, const nigh_layer *layer, int input, int64_t width)
{
    char *name = nigh_format(s->ctx, "%s (in order)", layer->name);
    if (!name) s->status = NIGH_MEMORY;
    int weight = name ? nigh_network_weight(s->net, name, 2, (int64_t[]){width, width}, nigh_init_he_normal(1)) : -1, at = -1;
    if (weight >= 0) {
        const nigh_parameter *p = nigh_parameters_at(nigh_network_parameters(s->net), weight);
        nigh_array identity = {p->shape, nigh_parameters_data(nigh_network_parameters(s->net), weight)};
        for (int64_t i = 0; i < width * width; i++) nigh_array_set(&identity, i, i % (width + 1) == 0);
        at = nigh_network_add(s->net, "linear", name, 1, &input, 1, &weight, 0, NULL);
        at = nigh_network_layer(s->net, "relu", layer->name, 1, &at);
    }
    nigh_free(s->ctx, name);
    return at;
}

static int copy_layer(lip_sorted *s, nigh_network *net, int k, const int64_t *width, int64_t group, const int *map, int *input)
{
    const nigh_layer *layer = nigh_network_at(net, k);
    int64_t sorts = group_of(layer, group);
    for (int i = 0; i < layer->inputs; i++) input[i] = map[layer->input[i]];
    if (!strcmp(layer->kind, "input")) {
        const nigh_shape *shape = nigh_network_input_shape(net, 0);
        return nigh_network_input(s->net, layer->name, shape->ndim, shape->dim);
    }
    if (!sorts) return nigh_network_add(s->net, layer->kind, layer->name, layer->inputs, input, layer->parameters, layer->parameter, layer->attributes, layer->attribute);
    if (sorts < 2 || width[k] % sorts) {
        s->status = nigh_fail(s->ctx, NIGH_INVALID, "layer '%s': groups of %lld do not divide its width %lld", layer->name, (long long)sorts, (long long)width[k]);
        return -1;
    }
    int at = stand_in(s, layer, input[0], width[k]);
    if (at >= 0) s->layer[s->count].name = nigh_network_at(s->net, at)->name, s->layer[s->count++].group = sorts;
    return at;
}

static nigh_status rewrite(lip_sorted *s, nigh_network *net, const nigh_shape *shape, int64_t group)
{
    int layers = nigh_network_layers(net), most = 1;
    for (int k = 0; k < layers; k++) most = nigh_network_at(net, k)->inputs > most ? nigh_network_at(net, k)->inputs : most;
    int64_t *width = nigh_alloc_zero(s->ctx, (size_t)layers, sizeof *width);
    int *map = nigh_alloc_zero(s->ctx, (size_t)(layers + most), sizeof *map);
    nigh_status status = width && map ? find_widths(s->ctx, net, shape, width) : NIGH_MEMORY;
    if (!status) status = nigh_network_new(s->ctx, nigh_parameters_dtype(nigh_network_parameters(net)), &s->net);
    s->own = s->net != NULL;
    if (!status) status = copy_weights(net, s->net);
    for (int k = 0; k < layers && !status; k++)
        if ((map[k] = copy_layer(s, net, k, width, group, map, map + layers)) < 0) status = s->status ? s->status : nigh_network_status(s->net);
    for (int i = 0; i < nigh_network_outputs(net) && !status; i++)
        if (nigh_network_output(s->net, map[nigh_network_output_layer(net, i)]) < 0) status = nigh_network_status(s->net);
    nigh_free(s->ctx, width);
    nigh_free(s->ctx, map);
    return status;
}

nigh_status lip_sorted_new(nigh_context *ctx, nigh_network *net, const nigh_shape *shape, int64_t group, lip_sorted *sorted)
{
    int layers = nigh_network_layers(net), sorts = 0;
    for (int k = 0; k < layers; k++) sorts += group_of(nigh_network_at(net, k), group) != 0;
    lip_sorted s = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    if (!sorts) s.net = net;
    else if (!(s.layer = nigh_alloc_zero(ctx, (size_t)sorts, sizeof *s.layer))) status = NIGH_MEMORY;
    else status = rewrite(&s, net, shape, group);
    if (status) lip_sorted_free(&s);
    else *sorted = s;
    return status;
}

void lip_sorted_free(lip_sorted *s)
{
    if (s->own) nigh_network_free(s->net);
    nigh_free(s->ctx, s->layer);
    *s = (lip_sorted){0};
}

int64_t lip_sorted_group(const lip_sorted *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (name && !strcmp(s->layer[i].name, name)) return s->layer[i].group;
    return 0;
}
