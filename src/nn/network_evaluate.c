/* Networks in f64 without the tape. Declared in nigh/network.h. */
#include "nn/network_evaluate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const evaluate_rule *const lists[] = {evaluate_elements, evaluate_shapes, evaluate_products, evaluate_rows, evaluate_fields, evaluate_discretise, evaluate_latent};

nigh_status evaluate_out(const evaluation *e, int ndim, const int64_t *dim)
{
    nigh_shape shape = {.dtype = NIGH_F64, .ndim = ndim};
    for (int i = 0; i < ndim; i++) shape.dim[i] = dim[i];
    return nigh_array_new(e->ctx, &shape, e->out);
}

nigh_status evaluate_fail(const evaluation *e, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return nigh_fail(e->ctx, NIGH_INVALID, "layer '%s' (%s): %s", e->layer->name, e->layer->kind, text);
}

int64_t evaluate_from(const nigh_shape *out, int64_t i, const nigh_shape *shape)
{
    int64_t at = 0, stride = 1;
    for (int k = out->ndim - 1, l = shape->ndim - 1; l >= 0; k--, l--) {
        if (shape->dim[l] != 1) at += i % out->dim[k] * stride;
        stride *= shape->dim[l];
        i /= out->dim[k];
    }
    return at;
}

static const evaluate_rule *find_rule(const char *kind)
{
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (const evaluate_rule *rule = lists[l]; rule->kind; rule++)
            if (!strcmp(rule->kind, kind)) return rule;
    return NULL;
}

static nigh_status to_f64(nigh_context *ctx, const nigh_array *from, nigh_array *to)
{
    nigh_shape shape = from->shape;
    shape.dtype = NIGH_F64;
    nigh_status status = nigh_array_new(ctx, &shape, to);
    if (!status) status = nigh_array_to_f64(ctx, from, to->data);
    return status;
}

static nigh_status run_layer(nigh_network *net, int index, const nigh_array *value, const nigh_array *weight, nigh_array *out)
{
    nigh_context *ctx = nigh_network_context(net);
    const nigh_layer *layer = nigh_network_at(net, index);
    const evaluate_rule *rule = find_rule(layer->kind);
    if (!rule) return nigh_fail(ctx, NIGH_UNSUPPORTED, "evaluate: layer '%s' is of kind '%s', which has no plain rule", layer->name, layer->kind);
    nigh_array *input = nigh_alloc_zero(ctx, (size_t)layer->inputs + 1, sizeof *input), *parameter = nigh_alloc_zero(ctx, (size_t)layer->parameters + 1, sizeof *parameter);
    nigh_status status = input && parameter ? NIGH_OK : NIGH_MEMORY;
    if (!status) {
        for (int i = 0; i < layer->inputs; i++) input[i] = value[layer->input[i]];
        for (int i = 0; i < layer->parameters; i++) parameter[i] = weight[layer->parameter[i]];
        evaluation e = {.ctx = ctx, .layer = layer, .input = input, .parameter = parameter, .out = out};
        status = rule->run(&e);
    }
    nigh_free(ctx, input);
    nigh_free(ctx, parameter);
    return status;
}

static nigh_status run_all(nigh_network *net, const nigh_array *inputs, nigh_array *value, nigh_array *weight, nigh_array *outputs)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_parameters *set = nigh_network_parameters(net);
    nigh_status status = NIGH_OK;
    int next = 0;
    for (int i = 0; i < nigh_parameters_count(set) && !status; i++)
        status = to_f64(ctx, &(nigh_array){.shape = nigh_parameters_at(set, i)->shape, .data = nigh_parameters_data(set, i)}, &weight[i]);
    for (int i = 0; i < nigh_network_layers(net) && !status; i++) {
        if (nigh_network_input_layer(net, next) != i) {
            status = run_layer(net, i, value, weight, &value[i]);
            continue;
        }
        status = to_f64(ctx, &inputs[next++], &value[i]);
    }
    for (int i = 0; i < nigh_network_outputs(net) && !status; i++) status = to_f64(ctx, &value[nigh_network_output_layer(net, i)], &outputs[i]);
    return status;
}

/* The rules take for granted what the tape checks: attributes, weights, shapes. */
static nigh_status check_layers(nigh_network *net, const nigh_array *inputs)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_buffer text = {.ctx = ctx};
    nigh_shape *shape = nigh_alloc(ctx, ((size_t)nigh_network_inputs(net) + 1) * sizeof *shape);
    nigh_status status = shape ? NIGH_OK : NIGH_MEMORY;
    for (int i = 0; i < nigh_network_inputs(net) && !status; i++) {
        shape[i] = inputs[i].shape;
        shape[i].dtype = nigh_network_input_shape(net, i)->dtype;
    }
    if (!status) status = nigh_network_describe(net, shape, NIGH_NETWORK_TABLE, &text);
    nigh_buffer_free(&text);
    nigh_free(ctx, shape);
    return status;
}

nigh_status nigh_network_evaluate_f64(nigh_network *net, const nigh_array *inputs, nigh_array *outputs)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_status checked = nigh_network_status(net) ? nigh_network_status(net) : check_layers(net, inputs);
    if (checked) return checked;
    int layers = nigh_network_layers(net), weights = nigh_parameters_count(nigh_network_parameters(net)), count = nigh_network_outputs(net);
    nigh_array *value = nigh_alloc_zero(ctx, (size_t)layers + 1, sizeof *value), *weight = nigh_alloc_zero(ctx, (size_t)weights + 1, sizeof *weight);
    nigh_array *made = nigh_alloc_zero(ctx, (size_t)count + 1, sizeof *made);
    nigh_status status = value && weight && made ? run_all(net, inputs, value, weight, made) : NIGH_MEMORY;
    for (int i = 0; i < count; i++) {
        if (!status) outputs[i] = made[i];
        else if (made) nigh_array_free(ctx, &made[i]);
    }
    for (int i = 0; value && i < layers; i++) nigh_array_free(ctx, &value[i]);
    for (int i = 0; weight && i < weights; i++) nigh_array_free(ctx, &weight[i]);
    nigh_free(ctx, value);
    nigh_free(ctx, weight);
    nigh_free(ctx, made);
    return status;
}
