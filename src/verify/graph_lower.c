/* Networks to graphs of bounds: layer after layer. Declared in verify/graph.h and verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const lower_rule *const lists[] = {lower_elements, lower_products, lower_shapes, lower_fields, lower_grids, lower_maxima};

/* ---- what rules see ------------------------------------------------------------------------------------ */

graph_form *lower_in(lowering *l, int i) { return &l->value[l->layer->input[i]]; }

void lower_set(lowering *l, const graph_form *form)
{
    if (!l->status) l->value[l->at] = *form;
}

void lower_set_node(lowering *l, int node)
{
    if (!l->status && node >= 0) form_plain(l, node, &l->value[l->at]);
}

const nigh_shape *lower_parameter_shape(lowering *l, int i) { return &nigh_parameters_at(nigh_network_parameters(l->net), l->layer->parameter[i])->shape; }

int64_t lower_parameter_count(lowering *l, int i) { return nigh_shape_count(lower_parameter_shape(l, i)); }

const double *lower_parameter(lowering *l, int i)
{
    if (i >= l->layer->parameters || l->status) return NULL;
    nigh_parameters *set = nigh_network_parameters(l->net);
    nigh_array from = {*lower_parameter_shape(l, i), nigh_parameters_data(set, l->layer->parameter[i])};
    int64_t n = nigh_shape_count(&from.shape);
    double *to = lower_alloc(l, n, sizeof *to);
    if (!to) return NULL;
    l->status = nigh_array_to_f64(l->ctx, &from, to);
    for (int64_t k = 0; k < n && !l->status; k++)
        if (!isfinite(to[k])) lower_fail(l, NIGH_INVALID, "weight '%s' has %g at %lld", nigh_parameters_at(set, l->layer->parameter[i])->name, to[k], (long long)k);
    return l->status ? NULL : to;
}

void lower_fail(lowering *l, nigh_status status, const char *format, ...)
{
    char text[400];
    va_list arguments;
    if (l->status) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    l->status = l->layer ? nigh_fail(l->ctx, status, "bounds: layer '%s' (%s): %s", l->layer->name, l->layer->kind, text) : nigh_fail(l->ctx, status, "bounds: %s", text);
}

void *lower_alloc(lowering *l, int64_t count, size_t size)
{
    void *made = l->status ? NULL : nigh_arena_alloc_zero(l->arena, (size_t)(count > 0 ? count : 1), size);
    if (!made && !l->status) l->status = NIGH_MEMORY;
    return made;
}

void *lower_alloc_graph(lowering *l, int64_t count, size_t size)
{
    void *made = l->status ? NULL : nigh_arena_alloc_zero(l->build.graph->arena, (size_t)(count > 0 ? count : 1), size);
    if (!made && !l->status) l->status = NIGH_MEMORY;
    return made;
}

int lower_add(lowering *l, bound_node *node)
{
    if (l->status) return -1;
    node->name = l->layer ? l->layer->name : "output";
    if (node->size > INT32_MAX) return lower_fail(l, NIGH_UNSUPPORTED, "a result of %lld numbers", (long long)node->size), -1;
    int made = graph_build_add(&l->build, node);
    if (made < 0) l->status = NIGH_MEMORY;
    return made;
}

/* ---- shapes of all layers ------------------------------------------------------------------------------ */

static nigh_node look(void *user, nigh_tape *tape, int layer, nigh_node value)
{
    const nigh_shape *shape = nigh_tape_shape(tape, value);
    if (shape) ((lowering *)user)->shape[layer] = *shape;
    return value;
}

/* The tape checks attributes, weights and shapes, as it does for every use of a network. */
static nigh_status find_shapes(lowering *l, const nigh_shape *inputs)
{
    nigh_parameters *set = nigh_network_parameters(l->net);
    nigh_tape *tape = NULL;
    int count = nigh_network_inputs(l->net), outputs = nigh_network_outputs(l->net), weights = nigh_parameters_count(set);
    nigh_node *node = nigh_alloc(l->ctx, (size_t)(count + outputs + weights + 1) * sizeof *node);
    nigh_recording *how = nigh_alloc_zero(l->ctx, 1, sizeof *how);
    nigh_status status = node && how ? nigh_tape_new(l->ctx, &tape) : NIGH_MEMORY;
    if (how) *how = (nigh_recording){.hook = look, .user = l};
    for (int i = 0; i < count && !status; i++) {
        nigh_shape shape = inputs[i];
        if (shape.ndim && shape.dim[0] < 0) shape.dim[0] = 1;
        node[i] = nigh_tape_input(tape, "input", nigh_network_input_shape(l->net, i)->dtype, shape.ndim, shape.dim);
        status = nigh_tape_status(tape);
    }
    if (!status) status = nigh_parameters_record(set, tape, node + count);
    if (!status) status = nigh_network_record(l->net, tape, how, node, node + count, node + count + weights);
    nigh_tape_free(tape);
    nigh_free(l->ctx, how);
    nigh_free(l->ctx, node);
    return status;
}

/* ---- all layers ---------------------------------------------------------------------------------------- */

static const lower_rule *find_rule(const char *kind)
{
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        for (const lower_rule *rule = lists[k]; rule->kind; rule++)
            if (!strcmp(rule->kind, kind)) return rule;
    return NULL;
}

static const char *suggestion(const char *kind)
{
    if (!strcmp(kind, "softmax") || !strcmp(kind, "log-softmax")) return "it keeps the order of its inputs: take it off and ask about what goes into it";
    if (!strcmp(kind, "embedding") || !strcmp(kind, "rows") || !strcmp(kind, "segment")) return "places that come in are whole numbers, boxes are not: begin behind it";
    if (strstr(kind, "norm")) return "bounds know batch norms with fixed statistics";
    return "bounds know affine layers, maxima and elementwise functions";
}

/* Inputs are parts of node 0, in the file's order. */
static void lower_inputs(lowering *l)
{
    int64_t all = 0, at = 0;
    for (int i = 0; i < nigh_network_inputs(l->net); i++) all += nigh_shape_count(&l->shape[nigh_network_input_layer(l->net, i)]);
    if (all < 1) {
        lower_fail(l, NIGH_INVALID, "the network has no inputs");
        return;
    }
    lower_add(l, &(bound_node){.kind = BOUND_INPUT, .size = all});
    for (int i = 0; i < nigh_network_inputs(l->net) && !l->status; i++) {
        int layer = nigh_network_input_layer(l->net, i);
        graph_form whole;
        int64_t n = nigh_shape_count(&l->shape[layer]), *map = lower_alloc(l, n, sizeof *map);
        for (int64_t k = 0; map && k < n; k++) map[k] = at + k;
        at += n;
        form_plain(l, 0, &whole);
        if (map) form_gather(l, &whole, n, map, 0, &l->value[layer]);
    }
}

static void lower_layers(lowering *l)
{
    int next = 0;
    for (int i = 0; i < nigh_network_layers(l->net) && !l->status; i++) {
        if (next < nigh_network_inputs(l->net) && nigh_network_input_layer(l->net, next) == i) {
            next++;
            continue;
        }
        l->layer = nigh_network_at(l->net, i);
        l->at = i;
        const lower_rule *rule = find_rule(l->layer->kind);
        if (i == l->passed) lower_set(l, lower_in(l, 0));
        else if (!rule) lower_fail(l, NIGH_UNSUPPORTED, "no bounds for it; %s", suggestion(l->layer->kind));
        else if (nigh_shape_count(&l->shape[i]) < 1) lower_fail(l, NIGH_INVALID, "an empty result");
        else rule->run(l);
    }
    l->layer = NULL;
}

static void lower_outputs(lowering *l, bool with_inputs)
{
    int n = nigh_network_outputs(l->net);
    int64_t outputs = 0;
    graph_form **part = lower_alloc(l, n + 1, sizeof *part), input, all;
    if (l->status) return;
    for (int i = 0; i < n; i++) {
        part[i] = &l->value[nigh_network_output_layer(l->net, i)];
        outputs += part[i]->count;
    }
    form_plain(l, 0, &input);
    if (with_inputs) part[n++] = &input;
    if (n == 1) all = *part[0];
    else if (!form_concat(l, n, part, &all)) return;
    int node = form_node(l, &all);
    if (node >= 0) l->status = graph_fold(&l->build, &node);
    if (!l->status) l->status = graph_build_finish(&l->build, node, outputs);
}

static void lower_all(lowering *l, const nigh_shape *shapes, bool with_inputs)
{
    int layers = nigh_network_layers(l->net);
    l->shape = lower_alloc(l, layers + 1, sizeof *l->shape);
    l->value = lower_alloc(l, layers + 1, sizeof *l->value);
    if (!l->status) l->status = find_shapes(l, shapes);
    if (!l->status) lower_inputs(l);
    if (!l->status) lower_layers(l);
    if (!l->status) lower_outputs(l, with_inputs);
}

/* *last (NULL: not wanted): the shape of the layer that is passed. */
static nigh_status lower_network(nigh_context *ctx, nigh_network *net, const nigh_shape *shapes, bool with_inputs, int passed, bound_graph **graph, nigh_shape *last)
{
    lowering l = {.ctx = ctx, .net = net, .passed = passed, .status = nigh_network_status(net)};
    if (!l.status) l.status = nigh_arena_new(ctx, &l.arena);
    if (!l.status) l.status = graph_build_new(ctx, &l.build);
    if (!l.status) lower_all(&l, shapes, with_inputs);
    if (!l.status && last) *last = l.shape[passed];
    nigh_arena_free(l.arena);
    if (l.status) graph_build_free(&l.build);
    else *graph = l.build.graph;
    return l.status;
}

nigh_status bound_graph_new(nigh_context *ctx, nigh_network *net, const nigh_shape *shapes, bool with_inputs, bound_graph **graph)
{
    return lower_network(ctx, net, shapes, with_inputs, -1, graph, NULL);
}

int bound_graph_last_softmax(nigh_network *net)
{
    if (nigh_network_status(net) || nigh_network_outputs(net) != 1) return -1;
    int last = nigh_network_output_layer(net, 0);
    const char *kind = nigh_network_at(net, last)->kind;
    if (strcmp(kind, "softmax") != 0 && strcmp(kind, "log-softmax") != 0) return -1;
    for (int i = 0; i < nigh_network_layers(net); i++)
        for (int k = 0; k < nigh_network_at(net, i)->inputs; k++)
            if (nigh_network_at(net, i)->input[k] == last) return -1;
    return last;
}

nigh_status bound_graph_new_before_softmax(nigh_context *ctx, nigh_network *net, const nigh_shape *shapes, bound_graph **graph, int64_t *size, int64_t *stride)
{
    nigh_shape shape = {.ndim = 0};
    int last = bound_graph_last_softmax(net);
    nigh_status status = lower_network(ctx, net, shapes, false, last, graph, &shape);
    if (status) return status;
    int axis = (int)nigh_layer_number(nigh_network_at(net, last), "axis", -1);
    if (axis < 0) axis += shape.ndim;
    *size = shape.dim[axis], *stride = 1;
    for (int i = axis + 1; i < shape.ndim; i++) *stride *= shape.dim[i];
    return NIGH_OK;
}
