/* Networks as data. Declared in nigh/network.h. */
#include "nigh/network.h"

#include "grad/tape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ENDS = 64 };

struct nigh_network {
    nigh_context *ctx;
    nigh_arena *arena;
    nigh_status status;
    nigh_parameters *parameters;
    int layers, room;
    nigh_layer *layer;
    int inputs, outputs;
    bool ends_open; /* an input is being added */
    int input[MOST_ENDS], output[MOST_ENDS];
    nigh_shape input_shape[MOST_ENDS];
};

nigh_status nigh_network_new(nigh_context *ctx, nigh_dtype dtype, nigh_network **out)
{
    nigh_network *net = nigh_alloc_zero(ctx, 1, sizeof *net);
    if (!net) return NIGH_MEMORY;
    net->ctx = ctx;
    nigh_status status = nigh_arena_new(ctx, &net->arena);
    if (!status) status = nigh_parameters_new(ctx, dtype, &net->parameters);
    if (status) nigh_network_free(net);
    else *out = net;
    return status;
}

void nigh_network_free(nigh_network *net)
{
    if (!net) return;
    nigh_parameters_free(net->parameters);
    nigh_arena_free(net->arena);
    nigh_free(net->ctx, net->layer);
    nigh_free(net->ctx, net);
}

nigh_context *nigh_network_context(const nigh_network *net) { return net->ctx; }
nigh_status nigh_network_status(const nigh_network *net) { return net->status; }
int nigh_network_layers(const nigh_network *net) { return net->layers; }
int nigh_network_inputs(const nigh_network *net) { return net->inputs; }
int nigh_network_outputs(const nigh_network *net) { return net->outputs; }
nigh_parameters *nigh_network_parameters(nigh_network *net) { return net->parameters; }
const nigh_layer *nigh_network_at(const nigh_network *net, int i) { return i < 0 || i >= net->layers ? NULL : &net->layer[i]; }
int nigh_network_input_layer(const nigh_network *net, int i) { return i < 0 || i >= net->inputs ? -1 : net->input[i]; }
int nigh_network_output_layer(const nigh_network *net, int i) { return i < 0 || i >= net->outputs ? -1 : net->output[i]; }
const nigh_shape *nigh_network_input_shape(const nigh_network *net, int i) { return i < 0 || i >= net->inputs ? NULL : &net->input_shape[i]; }

int nigh_network_find(const nigh_network *net, const char *name)
{
    for (int i = 0; i < net->layers; i++)
        if (!strcmp(net->layer[i].name, name)) return i;
    return -1;
}

static const nigh_attribute *find_attribute(const nigh_layer *layer, const char *key)
{
    for (int i = 0; i < layer->attributes; i++)
        if (!strcmp(layer->attribute[i].key, key)) return &layer->attribute[i];
    return NULL;
}

double nigh_layer_number(const nigh_layer *layer, const char *key, double otherwise)
{
    const nigh_attribute *a = find_attribute(layer, key);
    return a ? a->value : otherwise;
}

const char *nigh_layer_text(const nigh_layer *layer, const char *key, const char *otherwise)
{
    const nigh_attribute *a = find_attribute(layer, key);
    return a && a->text ? a->text : otherwise;
}

int64_t nigh_layer_integer(const nigh_layer *layer, const char *key, int64_t otherwise)
{
    const nigh_attribute *a = find_attribute(layer, key);
    if (!a || isnan(a->value)) return otherwise;
    return a->value >= INT32_MAX ? INT32_MAX : a->value <= -INT32_MAX ? -INT32_MAX : (int64_t)a->value;
}

int nigh_layer_list(const nigh_layer *layer, const char *key, int most, int64_t *value)
{
    const nigh_attribute *a = find_attribute(layer, key);
    if (!a || !a->text) return -1;
    int n = 0;
    for (const char *at = a->text; *at;) {
        char *end;
        long long v = strtoll(at, &end, 10);
        if (end == at || n == most || (*end && *end != ',') || (*end == ',' && !end[1])) return -1;
        value[n++] = v;
        at = *end ? end + 1 : end;
    }
    return n;
}

/* ---- building ----------------------------------------------------------------------------------------- */

static int fail(nigh_network *net, nigh_status status)
{
    if (!net->status) net->status = status;
    return -1;
}

static void *keep(nigh_network *net, const void *data, size_t bytes)
{
    void *copy = nigh_arena_alloc(net->arena, bytes ? bytes : 1);
    if (copy && bytes) memcpy(copy, data, bytes);
    return copy;
}

static bool keep_attributes(nigh_network *net, nigh_layer *layer)
{
    nigh_attribute *a = keep(net, layer->attribute, (size_t)layer->attributes * sizeof *a);
    if (!a) return false;
    for (int i = 0; i < layer->attributes; i++) {
        if (!(a[i].key = nigh_arena_strdup(net->arena, a[i].key))) return false;
        if (a[i].text && !(a[i].text = nigh_arena_strdup(net->arena, a[i].text))) return false;
    }
    layer->attribute = a;
    return true;
}

static int append(nigh_network *net, nigh_layer layer)
{
    if (net->layers == net->room) {
        int room = net->room ? 2 * net->room : 32;
        nigh_layer *more = nigh_resize(net->ctx, net->layer, (size_t)room * sizeof *more);
        if (!more) return fail(net, NIGH_MEMORY);
        net->layer = more;
        net->room = room;
    }
    layer.kind = nigh_arena_strdup(net->arena, layer.kind);
    layer.name = nigh_arena_strdup(net->arena, layer.name);
    layer.input = keep(net, layer.input, (size_t)layer.inputs * sizeof *layer.input);
    layer.parameter = keep(net, layer.parameter, (size_t)layer.parameters * sizeof *layer.parameter);
    if (!layer.kind || !layer.name || !layer.input || !layer.parameter || !keep_attributes(net, &layer)) return fail(net, NIGH_MEMORY);
    net->layer[net->layers] = layer;
    return net->layers++;
}

int nigh_network_add(nigh_network *net, const char *kind, const char *name, int inputs, const int *input, int parameters, const int *parameter,
                     int attributes, const nigh_attribute *attribute)
{
    if (net->status) return -1;
    const nigh_layer_kind *known = nigh_layer_kind_find(kind);
    if (!known) return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "layer '%s' is of kind '%s', which is unknown", name, kind));
    if (!*name) return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "a layer (%s) without a name", kind));
    if (!strcmp(kind, "input") && !net->ends_open)
        return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "layer '%s' is of kind 'input': nigh_network_input and nigh_network_tokens make those", name));
    if (nigh_network_find(net, name) >= 0) return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "there is a layer '%s' already", name));
    if (inputs < known->least_inputs || (known->most_inputs >= 0 && inputs > known->most_inputs))
        return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "layer '%s' (%s) of %d inputs; %d to %d are allowed", name, kind, inputs, known->least_inputs, known->most_inputs));
    for (int i = 0; i < inputs; i++)
        if (input[i] < 0 || input[i] >= net->layers)
            return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "input %d of layer '%s' is layer %d; 0 to %d are there", i, name, input[i], net->layers - 1));
    for (int i = 0; i < attributes; i++)
        if (!attribute[i].key || !*attribute[i].key || (!attribute[i].text && !isfinite(attribute[i].value)))
            return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "attribute %d of layer '%s' has no name, or is not a finite number", i, name));
    for (int i = 0; i < parameters; i++)
        if (!nigh_parameters_at(net->parameters, parameter[i]))
            return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "weight %d of layer '%s' is parameter %d; 0 to %d are there", i, name, parameter[i],
                                       nigh_parameters_count(net->parameters) - 1));
    return append(net, (nigh_layer){kind, name, inputs, parameters, attributes, input, parameter, attribute});
}

int nigh_network_layer(nigh_network *net, const char *kind, const char *name, int inputs, const int *input)
{
    return nigh_network_add(net, kind, name, inputs, input, 0, NULL, 0, NULL);
}

static int add_input(nigh_network *net, nigh_dtype dtype, const char *name, int ndim, const int64_t *dim)
{
    if (net->status) return -1;
    if (net->inputs == MOST_ENDS) return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "more than %d inputs", MOST_ENDS));
    if (ndim < 0 || ndim > NIGH_MAX_DIMS) return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "input '%s' of %d dimensions; 0 to %d are allowed", name, ndim, NIGH_MAX_DIMS));
    nigh_shape shape = {.dtype = dtype, .ndim = ndim};
    for (int i = 0; i < ndim; i++) {
        if (dim[i] < 1 && dim[i] != -1)
            return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "dimension %d of input '%s' is %lld; 1 or more, or -1 (any), is allowed", i, name, (long long)dim[i]));
        shape.dim[i] = dim[i];
    }
    net->ends_open = true;
    int layer = nigh_network_layer(net, "input", name, 0, NULL);
    net->ends_open = false;
    if (layer < 0) return -1;
    net->input_shape[net->inputs] = shape;
    net->input[net->inputs++] = layer;
    return layer;
}

int nigh_network_input(nigh_network *net, const char *name, int ndim, const int64_t *dim)
{
    return add_input(net, nigh_parameters_dtype(net->parameters), name, ndim, dim);
}

int nigh_network_tokens(nigh_network *net, const char *name, int ndim, const int64_t *dim) { return add_input(net, NIGH_I32, name, ndim, dim); }

int nigh_network_output(nigh_network *net, int layer)
{
    if (net->status) return -1;
    if (layer < 0 || layer >= net->layers) return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "output is layer %d; 0 to %d are there", layer, net->layers - 1));
    if (net->outputs == MOST_ENDS) return fail(net, nigh_fail(net->ctx, NIGH_INVALID, "more than %d outputs", MOST_ENDS));
    net->output[net->outputs++] = layer;
    return layer;
}

int nigh_network_weight(nigh_network *net, const char *name, int ndim, const int64_t *dim, nigh_init init)
{
    int index = -1;
    if (net->status) return -1;
    nigh_status status = nigh_parameters_add(net->parameters, name, ndim, dim, init, &index);
    return status ? fail(net, status) : index;
}

int nigh_network_linear(nigh_network *net, const char *name, int x, int64_t in, int64_t out, bool bias)
{
    if (net->status) return -1;
    char *weight = nigh_arena_format(net->arena, "%s.weight", name), *shift = nigh_arena_format(net->arena, "%s.bias", name);
    if (!weight || !shift) return fail(net, NIGH_MEMORY);
    int parameter[2] = {nigh_network_weight(net, weight, 2, (int64_t[]){in, out}, nigh_init_lecun_uniform(in)), -1};
    if (bias) parameter[1] = nigh_network_weight(net, shift, 1, &out, nigh_init_lecun_uniform(in));
    return net->status ? -1 : nigh_network_add(net, "linear", name, 1, &x, bias ? 2 : 1, parameter, 0, NULL);
}

/* ---- recording ---------------------------------------------------------------------------------------- */

static nigh_status check_inputs(nigh_network *net, const nigh_tape *tape, const nigh_node *inputs)
{
    for (int i = 0; i < net->inputs; i++) {
        const nigh_shape *have = nigh_tape_shape(tape, inputs[i]), *want = &net->input_shape[i];
        const char *name = net->layer[net->input[i]].name;
        if (!have) return nigh_fail(net->ctx, NIGH_INVALID, "input '%s' is node %d, which is not on the tape", name, (int)inputs[i]);
        if (have->ndim != want->ndim || have->dtype != want->dtype)
            return nigh_fail(net->ctx, NIGH_INVALID, "input '%s' has %d dimensions of %s; %d of %s are wanted", name, have->ndim, nigh_dtype_name(have->dtype), want->ndim,
                             nigh_dtype_name(want->dtype));
        for (int k = 0; k < have->ndim; k++)
            if (want->dim[k] >= 0 && want->dim[k] != have->dim[k])
                return nigh_fail(net->ctx, NIGH_INVALID, "dimension %d of input '%s' is %lld; %lld is wanted", k, name, (long long)have->dim[k], (long long)want->dim[k]);
    }
    return NIGH_OK;
}

static nigh_status record_layer(nigh_network *net, nigh_tape *tape, nigh_recording *how, int index, const nigh_node *parameters, nigh_node *value)
{
    const nigh_layer *layer = &net->layer[index];
    nigh_node input[MOST_ENDS], weight[MOST_ENDS]; /* beyond those that are there: NIGH_NONE, which every operator refuses */
    if (layer->inputs > MOST_ENDS || layer->parameters > MOST_ENDS)
        return nigh_fail(net->ctx, NIGH_INVALID, "layer '%s' of %d inputs and %d weights; at most %d of each are allowed", layer->name, layer->inputs, layer->parameters, MOST_ENDS);
    for (int i = 0; i < MOST_ENDS; i++) input[i] = weight[i] = NIGH_NONE;
    for (int i = 0; i < layer->inputs; i++) input[i] = value[layer->input[i]];
    for (int i = 0; i < layer->parameters; i++) weight[i] = parameters[layer->parameter[i]];
    nigh_layer_call call = {.tape = tape, .layer = layer, .input = input, .parameter = weight, .how = how, .stream = (uint64_t)index};
    value[index] = nigh_layer_kind_find(layer->kind)->record(&call);
    if (nigh_tape_status(tape)) return nigh_within(net->ctx, nigh_tape_status(tape), "layer '%s'", layer->name);
    return NIGH_OK;
}

static nigh_status call_hook(nigh_network *net, nigh_tape *tape, nigh_recording *how, int index, nigh_node *value)
{
    if (!how->hook) return NIGH_OK;
    nigh_node made = how->hook(how->user, tape, index, *value);
    if (nigh_tape_status(tape)) return nigh_within(net->ctx, nigh_tape_status(tape), "hook of layer '%s'", net->layer[index].name);
    const nigh_shape *was = nigh_tape_shape(tape, *value), *is = nigh_tape_shape(tape, made);
    char a[TAPE_SHAPE_TEXT], b[TAPE_SHAPE_TEXT];
    if (!is) return nigh_fail(net->ctx, NIGH_INVALID, "the hook of layer '%s' gave node %d, which is not on the tape", net->layer[index].name, (int)made);
    if (was->dtype != is->dtype || !tape_same_shape(was, is))
        return nigh_fail(net->ctx, NIGH_INVALID, "the hook of layer '%s' gave %s in the place of %s", net->layer[index].name, tape_shape_text(is, b), tape_shape_text(was, a));
    *value = made;
    return NIGH_OK;
}

nigh_status nigh_network_record(nigh_network *net, nigh_tape *tape, nigh_recording *how, const nigh_node *inputs, const nigh_node *parameters, nigh_node *outputs)
{
    if (net->status) return net->status;
    nigh_recording plain = {.train = false};
    if (!how) how = &plain;
    how->updates = 0;
    nigh_status status = check_inputs(net, tape, inputs);
    if (status) return status;
    nigh_node *value = nigh_alloc(net->ctx, (size_t)(net->layers + 1) * sizeof *value);
    if (!value) return NIGH_MEMORY;
    int next = 0;
    for (int i = 0; i < net->layers && !status; i++) {
        if (next < net->inputs && net->input[next] == i) value[i] = inputs[next++];
        else status = record_layer(net, tape, how, i, parameters, value);
        if (!status) status = call_hook(net, tape, how, i, &value[i]);
    }
    for (int i = 0; i < net->outputs && !status; i++) outputs[i] = value[net->output[i]];
    nigh_free(net->ctx, value);
    return status;
}
