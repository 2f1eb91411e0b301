/* Networks in safetensors files, and copies of networks. Declared in nigh/network.h. */
#include "core/file.h"
#include "core/json.h"
#include "nigh/network.h"

#include <math.h>
#include <string.h>

/*
 * Metadata: {"format": "nigh-network", "version": "1", "network": TEXT}; TEXT is JSON again, as metadata are strings:
 * {"dtype", "inputs": [{"layer", "dtype", "shape"}], "outputs": [layer], "weights": [{"name", "rate", "decay", "frozen", "init", "scale"}],
 *  "layers": [{"kind", "name", "inputs": [layer], "weights": [index], "attributes": [{"key", "value" or "text"}]}]}
 */
enum { MOST_LAYERS = 16384, MOST_WEIGHTS = 16384, MOST_LINKS = 64, MOST_ATTRIBUTES = 64 };

static const char *const init_names[] = {"zero", "one", "normal", "uniform", "orthogonal", "identity", NULL};

/* ---- writing ------------------------------------------------------------------------------------------ */

static nigh_status no_room(nigh_context *ctx) { return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON"); }

static nigh_status add_int(nigh_context *ctx, json_t *array, int64_t v) { return json_array_append_new(array, json_integer(v)) ? no_room(ctx) : NIGH_OK; }

/* An empty object or array as the next element or member; NULL out of memory. */
static json_t *next(json_t *array, json_t *value) { return value && !json_array_append_new(array, value) ? value : NULL; }
static json_t *member(json_t *object, const char *key, json_t *value) { return value && !json_object_set_new(object, key, value) ? value : NULL; }

static nigh_status put_input(nigh_context *ctx, const nigh_network *net, int i, json_t *list)
{
    json_t *entry = next(list, json_object()), *shape = entry ? member(entry, "shape", json_array()) : NULL;
    const nigh_shape *is = nigh_network_input_shape(net, i);
    if (!shape) return no_room(ctx);
    nigh_status status = nj_set_int(ctx, entry, "layer", nigh_network_input_layer(net, i));
    if (!status) status = nj_set_text(ctx, entry, "dtype", nigh_dtype_name(is->dtype));
    for (int k = 0; k < is->ndim && !status; k++) status = add_int(ctx, shape, is->dim[k]);
    return status;
}

static nigh_status put_weight(nigh_context *ctx, const nigh_parameter *p, json_t *list)
{
    json_t *entry = next(list, json_object());
    if (!entry) return no_room(ctx);
    nigh_status status = nj_set_text(ctx, entry, "name", p->name);
    if (!status) status = nj_set_real(ctx, entry, "rate", p->rate);
    if (!status) status = nj_set_real(ctx, entry, "decay", p->decay);
    if (!status) status = nj_set_bool(ctx, entry, "frozen", p->frozen);
    if (!status) status = nj_set_text(ctx, entry, "init", init_names[p->init.kind]);
    return status ? status : nj_set_real(ctx, entry, "scale", p->init.scale);
}

static nigh_status put_layer(nigh_context *ctx, const nigh_layer *layer, json_t *list)
{
    json_t *entry = next(list, json_object());
    nigh_status status = entry ? nj_set_text(ctx, entry, "kind", layer->kind) : no_room(ctx);
    if (!status) status = nj_set_text(ctx, entry, "name", layer->name);
    if (status) return status;
    json_t *inputs = member(entry, "inputs", json_array()), *weights = member(entry, "weights", json_array()), *attributes = member(entry, "attributes", json_array());
    if (!inputs || !weights || !attributes) return no_room(ctx);
    for (int i = 0; i < layer->inputs && !status; i++) status = add_int(ctx, inputs, layer->input[i]);
    for (int i = 0; i < layer->parameters && !status; i++) status = add_int(ctx, weights, layer->parameter[i]);
    for (int i = 0; i < layer->attributes && !status; i++) {
        const nigh_attribute *a = &layer->attribute[i];
        json_t *one = next(attributes, json_object());
        status = one ? nj_set_text(ctx, one, "key", a->key) : no_room(ctx);
        if (!status) status = a->text ? nj_set_text(ctx, one, "text", a->text) : nj_set_real(ctx, one, "value", a->value);
    }
    return status;
}

static nigh_status put_network(nigh_network *net, nigh_buffer *text)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_parameters *set = nigh_network_parameters(net);
    json_t *root = json_object();
    if (!root) return no_room(ctx);
    nigh_status status = nj_set_text(ctx, root, "dtype", nigh_dtype_name(nigh_parameters_dtype(set)));
    json_t *inputs = member(root, "inputs", json_array()), *outputs = member(root, "outputs", json_array());
    json_t *weights = member(root, "weights", json_array()), *layers = member(root, "layers", json_array());
    if (!status && (!inputs || !outputs || !weights || !layers)) status = no_room(ctx);
    for (int i = 0; i < nigh_network_inputs(net) && !status; i++) status = put_input(ctx, net, i, inputs);
    for (int i = 0; i < nigh_network_outputs(net) && !status; i++) status = add_int(ctx, outputs, nigh_network_output_layer(net, i));
    for (int i = 0; i < nigh_parameters_count(set) && !status; i++) status = put_weight(ctx, nigh_parameters_at(set, i), weights);
    for (int i = 0; i < nigh_network_layers(net) && !status; i++) status = put_layer(ctx, nigh_network_at(net, i), layers);
    if (!status) status = nj_dump(ctx, root, 0, text);
    json_decref(root);
    return status;
}

static nigh_status put_metadata(nigh_network *net, char **metadata)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_buffer inner = {.ctx = ctx}, outer = {.ctx = ctx};
    nigh_status status = put_network(net, &inner);
    json_t *root = status ? NULL : json_object();
    if (!status && !root) status = no_room(ctx);
    if (!status) status = nj_set_text(ctx, root, "format", "nigh-network");
    if (!status) status = nj_set_text(ctx, root, "version", "1");
    if (!status) status = nj_set_text(ctx, root, "network", inner.data);
    if (!status) status = nj_dump(ctx, root, 0, &outer);
    if (!status && !(*metadata = nigh_strdup(ctx, outer.data))) status = NIGH_MEMORY;
    json_decref(root);
    nigh_buffer_free(&inner);
    nigh_buffer_free(&outer);
    return status;
}

static nigh_status to_bundle(nigh_network *net, nigh_bundle *bundle)
{
    if (nigh_network_status(net)) return nigh_network_status(net);
    if (nigh_network_layers(net) > MOST_LAYERS) return nigh_fail(nigh_network_context(net), NIGH_INVALID, "a network of %d layers; files hold at most %d", nigh_network_layers(net), MOST_LAYERS);
    nigh_status status = nigh_parameters_store(nigh_network_parameters(net), "", bundle);
    return status ? status : put_metadata(net, &bundle->metadata);
}

nigh_status nigh_network_format(nigh_network *net, nigh_buffer *bytes)
{
    nigh_bundle bundle = {.ctx = nigh_network_context(net)};
    nigh_status status = to_bundle(net, &bundle);
    if (!status) status = nigh_safetensors_format(bundle.ctx, &bundle, bytes);
    nigh_bundle_free(&bundle);
    return status;
}

nigh_status nigh_network_save(nigh_network *net, const char *path)
{
    nigh_bundle bundle = {.ctx = nigh_network_context(net)};
    nigh_status status = to_bundle(net, &bundle);
    if (!status) status = nigh_safetensors_write(bundle.ctx, path, &bundle);
    nigh_bundle_free(&bundle);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

static nigh_status dtype_of(const nj *object, bool tokens, nigh_dtype *dtype)
{
    static const char *const names[] = {"f32", "f64", "i32", NULL}, *const floats[] = {"f32", "f64", NULL};
    int which;
    nigh_status status = nj_get_choice(object, "dtype", tokens ? names : floats, &which);
    if (!status) *dtype = (nigh_dtype[]){NIGH_F32, NIGH_F64, NIGH_I32}[which];
    return status;
}

/* A weight takes its shape from its tensor, so that a file cannot ask for memory that it does not hold. */
static nigh_status get_weight(nigh_network *net, const nj *entry, const nigh_bundle *bundle)
{
    const char *name;
    bool frozen;
    int kind;
    double rate, decay, scale;
    nigh_status status = nj_only(entry, (const char *const[]){"name", "rate", "decay", "frozen", "init", "scale", NULL});
    if (!status) status = nj_get_text(entry, "name", &name);
    if (!status) status = nj_get_real(entry, "rate", 0, 1e300, &rate);
    if (!status) status = nj_get_real(entry, "decay", 0, 1e300, &decay);
    if (!status) status = nj_get_bool(entry, "frozen", &frozen);
    if (!status) status = nj_get_choice(entry, "init", init_names, &kind);
    if (!status) status = nj_get_real(entry, "scale", -1e300, 1e300, &scale);
    if (status) return status;
    const nigh_array *array = nigh_bundle_find(bundle, name);
    if (!array) return nj_fail(entry, NIGH_FORMAT, "name", "there is no tensor '%s'", name);
    int index = nigh_network_weight(net, name, array->shape.ndim, array->shape.dim, (nigh_init){(nigh_init_kind)kind, scale});
    if (index < 0) return nigh_network_status(net);
    nigh_parameter *p = nigh_parameters_at(nigh_network_parameters(net), index);
    p->rate = rate, p->decay = decay, p->frozen = frozen;
    return NIGH_OK;
}

static nigh_status get_links(const nj *entry, const char *key, int limit, int *n, int list[MOST_LINKS])
{
    nj array;
    size_t count;
    nigh_status status = nj_get_array(entry, key, &array, &count);
    if (!status && count > MOST_LINKS) return nj_fail(entry, NIGH_FORMAT, key, "has %zu entries; at most %d are allowed", count, MOST_LINKS);
    for (size_t i = 0; i < count && !status; i++) {
        int64_t v = 0;
        status = nj_at_int(&array, i, 0, limit - 1, &v);
        list[i] = (int)v;
    }
    if (!status) *n = (int)count;
    return status;
}

static nigh_status get_attributes(const nj *entry, int *n, nigh_attribute list[MOST_ATTRIBUTES])
{
    nj array, one;
    size_t count;
    nigh_status status = nj_get_array(entry, "attributes", &array, &count);
    if (!status && count > MOST_ATTRIBUTES) return nj_fail(entry, NIGH_FORMAT, "attributes", "has %zu entries; at most %d are allowed", count, MOST_ATTRIBUTES);
    for (size_t i = 0; i < count && !status; i++) {
        list[i] = (nigh_attribute){0};
        status = nj_at(&array, i, JSON_OBJECT, &one);
        if (!status) status = nj_only(&one, (const char *const[]){"key", "value", "text", NULL});
        if (!status) status = nj_get_text(&one, "key", &list[i].key);
        if (!status) status = nj_has(&one, "text") ? nj_get_text(&one, "text", &list[i].text) : nj_get_real(&one, "value", -1.7e308, 1.7e308, &list[i].value);
    }
    if (!status) *n = (int)count;
    return status;
}

static nigh_status get_input(nigh_network *net, const nj *inputs, size_t i, const char *name)
{
    nj entry, shape;
    size_t ndim;
    int64_t layer, dim[NIGH_MAX_DIMS] = {0};
    nigh_dtype dtype = NIGH_F32;
    nigh_status status = nj_at(inputs, i, JSON_OBJECT, &entry);
    if (!status) status = nj_only(&entry, (const char *const[]){"layer", "dtype", "shape", NULL});
    if (!status) status = nj_get_int(&entry, "layer", nigh_network_layers(net), nigh_network_layers(net), &layer);
    if (!status) status = dtype_of(&entry, true, &dtype);
    if (!status) status = nj_get_array(&entry, "shape", &shape, &ndim);
    if (!status && ndim > NIGH_MAX_DIMS) return nj_fail(&entry, NIGH_FORMAT, "shape", "has %zu dimensions; at most %d are allowed", ndim, NIGH_MAX_DIMS);
    for (size_t k = 0; k < ndim && !status; k++) status = nj_at_int(&shape, k, -1, INT32_MAX, &dim[k]);
    if (status) return status;
    if (dtype != NIGH_I32 && dtype != nigh_parameters_dtype(nigh_network_parameters(net)))
        return nj_fail(&entry, NIGH_FORMAT, "dtype", "is %s; the network's, or i32, is allowed", nigh_dtype_name(dtype));
    int at = dtype == NIGH_I32 ? nigh_network_tokens(net, name, (int)ndim, dim) : nigh_network_input(net, name, (int)ndim, dim);
    return at < 0 ? nigh_network_status(net) : NIGH_OK;
}

static nigh_status get_layer(nigh_network *net, const nj *entry, const nj *inputs, size_t *next_input, size_t input_count)
{
    const char *kind, *name;
    int links = 0, weights = 0, attributes = 0, link[MOST_LINKS], weight[MOST_LINKS];
    nigh_attribute attribute[MOST_ATTRIBUTES];
    nigh_status status = nj_only(entry, (const char *const[]){"kind", "name", "inputs", "weights", "attributes", NULL});
    if (!status) status = nj_get_text(entry, "kind", &kind);
    if (!status) status = nj_get_text(entry, "name", &name);
    if (!status) status = get_links(entry, "inputs", nigh_network_layers(net), &links, link);
    if (!status) status = get_links(entry, "weights", nigh_parameters_count(nigh_network_parameters(net)), &weights, weight);
    if (!status) status = get_attributes(entry, &attributes, attribute);
    if (status) return status;
    if (strcmp(kind, "input")) return nigh_network_add(net, kind, name, links, link, weights, weight, attributes, attribute) < 0 ? nigh_network_status(net) : NIGH_OK;
    if (links || weights || attributes || *next_input == input_count) return nj_fail(entry, NIGH_FORMAT, NULL, "is an input with more than a name, or one that 'inputs' lacks");
    return get_input(net, inputs, (*next_input)++, name);
}

static nigh_status get_network(nigh_network *net, const nj *root, const nigh_bundle *bundle)
{
    nj inputs, outputs, weights, layers, entry;
    size_t input_count, output_count, weight_count, layer_count, next_input = 0;
    nigh_status status = nj_get_array(root, "inputs", &inputs, &input_count);
    if (!status) status = nj_get_array(root, "outputs", &outputs, &output_count);
    if (!status) status = nj_get_array(root, "weights", &weights, &weight_count);
    if (!status) status = nj_get_array(root, "layers", &layers, &layer_count);
    if (status) return status;
    if (layer_count > MOST_LAYERS || weight_count > MOST_WEIGHTS)
        return nj_fail(root, NIGH_FORMAT, NULL, "%zu layers and %zu weights; at most %d and %d are allowed", layer_count, weight_count, MOST_LAYERS, MOST_WEIGHTS);
    if (weight_count != (size_t)bundle->count) return nj_fail(root, NIGH_FORMAT, "weights", "has %zu entries, the file %lld tensors", weight_count, (long long)bundle->count);
    for (size_t i = 0; i < weight_count && !status; i++) {
        status = nj_at(&weights, i, JSON_OBJECT, &entry);
        if (!status) status = get_weight(net, &entry, bundle);
    }
    for (size_t i = 0; i < layer_count && !status; i++) {
        status = nj_at(&layers, i, JSON_OBJECT, &entry);
        if (!status) status = get_layer(net, &entry, &inputs, &next_input, input_count);
    }
    if (!status && next_input != input_count) return nj_fail(root, NIGH_FORMAT, "inputs", "has %zu entries; there are %zu layers of that kind", input_count, next_input);
    for (size_t i = 0; i < output_count && !status; i++) {
        int64_t layer = 0;
        status = nj_at_int(&outputs, i, 0, nigh_network_layers(net) - 1, &layer);
        if (!status && nigh_network_output(net, (int)layer) < 0) status = nigh_network_status(net);
    }
    return status ? status : nigh_parameters_load(nigh_network_parameters(net), "", bundle);
}

/* The inner JSON of the metadata, in *text (nigh_free). */
static nigh_status open_metadata(nigh_context *ctx, const char *file, const nigh_bundle *bundle, char **text)
{
    nj root = {0};
    const char *format, *version, *inner;
    if (!bundle->metadata) return nigh_fail(ctx, NIGH_FORMAT, "%s: no metadata, so not a network of nigh", file);
    nigh_status status = nj_parse(ctx, file, bundle->metadata, strlen(bundle->metadata), &root);
    if (!status) status = nj_get_text(&root, "format", &format);
    if (!status && strcmp(format, "nigh-network")) status = nj_fail(&root, NIGH_FORMAT, "format", "is '%s'; 'nigh-network' is wanted", format);
    if (!status) status = nj_get_text(&root, "version", &version);
    if (!status && strcmp(version, "1")) status = nj_fail(&root, NIGH_UNSUPPORTED, "version", "is '%s'; '1' is known here", version);
    if (!status) status = nj_get_text(&root, "network", &inner);
    if (!status && !(*text = nigh_strdup(ctx, inner))) status = NIGH_MEMORY;
    nj_free(&root);
    return status;
}

static nigh_status from_bundle(nigh_context *ctx, const char *file, const nigh_bundle *bundle, nigh_network **out)
{
    char *text = NULL;
    nj root = {0};
    nigh_network *net = NULL;
    nigh_dtype dtype = NIGH_F32;
    nigh_status status = open_metadata(ctx, file, bundle, &text);
    if (!status) status = nj_parse(ctx, file, text, strlen(text), &root);
    if (!status) status = nj_only(&root, (const char *const[]){"dtype", "inputs", "outputs", "weights", "layers", NULL});
    if (!status) status = dtype_of(&root, false, &dtype);
    if (!status) status = nigh_network_new(ctx, dtype, &net);
    if (!status) {
        status = get_network(net, &root, bundle);
        if (status == NIGH_INVALID) status = nigh_within(ctx, NIGH_FORMAT, "%s", file); /* the builders blame their caller: here that is the file */
    }
    if (status) nigh_network_free(net);
    else *out = net;
    nj_free(&root);
    nigh_free(ctx, text);
    return status;
}

nigh_status nigh_network_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_network **net)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = nigh_safetensors_parse(ctx, bytes, size, name, &bundle);
    if (!status) status = from_bundle(ctx, name, &bundle, net);
    nigh_bundle_free(&bundle);
    return status;
}

nigh_status nigh_network_load(nigh_context *ctx, const char *path, nigh_network **net)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = nigh_safetensors_read(ctx, path, &bundle);
    if (!status) status = from_bundle(ctx, path, &bundle, net);
    nigh_bundle_free(&bundle);
    return status;
}

/* ---- copies ------------------------------------------------------------------------------------------- */

static nigh_status copy_weights(nigh_context *ctx, nigh_parameters *from, nigh_network *net)
{
    nigh_parameters *to = nigh_network_parameters(net);
    for (int i = 0; i < nigh_parameters_count(from); i++) {
        const nigh_parameter p = *nigh_parameters_at(from, i);
        if (nigh_network_weight(net, p.name, p.shape.ndim, p.shape.dim, p.init) < 0) return nigh_network_status(net);
        nigh_parameter *q = nigh_parameters_at(to, i);
        q->rate = p.rate, q->decay = p.decay, q->frozen = p.frozen;
        const void *x = nigh_parameters_data(from, i);
        void *y = nigh_parameters_data(to, i);
        bool wide = nigh_parameters_dtype(from) == NIGH_F64, widen = nigh_parameters_dtype(to) == NIGH_F64;
        for (int64_t k = 0; k < nigh_shape_count(&p.shape); k++) {
            double v = wide ? ((const double *)x)[k] : ((const float *)x)[k];
            if (!widen && isfinite(v) && fabs(v) > 0x1.fffffep127) return nigh_fail(ctx, NIGH_INVALID, "clone: element %lld of weight '%s' is %g, beyond f32", (long long)k, p.name, v);
            if (widen) ((double *)y)[k] = v;
            else ((float *)y)[k] = (float)v;
        }
    }
    return NIGH_OK;
}

nigh_status nigh_network_clone(nigh_network *net, nigh_dtype dtype, nigh_network **out)
{
    nigh_context *ctx = nigh_network_context(net);
    nigh_network *copy = NULL;
    int input = 0;
    nigh_status status = nigh_network_status(net);
    if (!status) status = nigh_network_new(ctx, dtype, &copy);
    if (!status) status = copy_weights(ctx, nigh_network_parameters(net), copy);
    for (int i = 0; !status && i < nigh_network_layers(net); i++) {
        const nigh_layer *l = nigh_network_at(net, i);
        if (nigh_network_input_layer(net, input) == i) {
            const nigh_shape *shape = nigh_network_input_shape(net, input++);
            if (shape->dtype == NIGH_I32) nigh_network_tokens(copy, l->name, shape->ndim, shape->dim);
            else nigh_network_input(copy, l->name, shape->ndim, shape->dim);
        } else
            nigh_network_add(copy, l->kind, l->name, l->inputs, l->input, l->parameters, l->parameter, l->attributes, l->attribute);
        status = nigh_network_status(copy);
    }
    for (int i = 0; !status && i < nigh_network_outputs(net); i++) {
        nigh_network_output(copy, nigh_network_output_layer(net, i));
        status = nigh_network_status(copy);
    }
    if (status) nigh_network_free(copy);
    else *out = copy;
    return status;
}
