/* Labelled samples and networks of classes. Declared in cli/verify_samples.h. */
#include "cli/verify.h"
#include "cli/verify_samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nigh/io.h"
#include "nigh/layers.h"

enum { SPLIT_SEED = 7, MOST_LAYERS = 16 };

/* ---- samples ----------------------------------------------------------------------------------------------------------- */

void verify_samples_free(verify_samples *s)
{
    nigh_dataset_free(&s->train);
    nigh_dataset_free(&s->test);
}

static nigh_status split(nigh_context *ctx, const nigh_dataset *all, verify_samples *s)
{
    nigh_split parts = {0};
    int64_t rows = nigh_dataset_rows(all);
    if (rows < 10) return nigh_fail(ctx, NIGH_INVALID, "%lld samples; 10 or more are needed", (long long)rows);
    nigh_status status = nigh_dataset_split(ctx, all, &(nigh_split_options){.train = rows - rows / 5, .test = rows / 5, .seed = SPLIT_SEED}, &parts);
    if (!status) status = nigh_dataset_take(ctx, all, parts.train, parts.train_count, &s->train);
    if (!status) status = nigh_dataset_take(ctx, all, parts.test, parts.test_count, &s->test);
    nigh_split_free(ctx, &parts);
    return status;
}

/* x as f32, y as i32 from any numbers; the largest label grows `classes`. */
static nigh_status take_arrays(nigh_context *ctx, const nigh_bundle *bundle, const char *x_name, const char *y_name, const char *path, nigh_dataset *set, int64_t *classes)
{
    const nigh_array *x = nigh_bundle_find(bundle, x_name), *y = nigh_bundle_find(bundle, y_name);
    if (!x || !y) return nigh_fail(ctx, NIGH_FORMAT, "%s: array '%s' is missing; x and y, or x_train, y_train, x_test and y_test are wanted", path, x ? y_name : x_name);
    if (x->shape.ndim < 2 || x->shape.dim[0] < 1 || y->shape.ndim != 1 || y->shape.dim[0] != x->shape.dim[0])
        return nigh_fail(ctx, NIGH_FORMAT, "%s: %s must be [n, ...] and %s [n]", path, x_name, y_name);
    nigh_shape shape = x->shape, labels = y->shape;
    shape.dtype = NIGH_F32, labels.dtype = NIGH_I32;
    set->ctx = ctx;
    nigh_status status = nigh_array_new(ctx, &shape, &set->x);
    if (!status) status = nigh_array_new(ctx, &labels, &set->y);
    if (status) return status;
    for (int64_t i = 0; i < nigh_shape_count(&shape); i++) nigh_array_set(&set->x, i, nigh_array_get(x, i));
    for (int64_t i = 0; i < labels.dim[0]; i++) {
        double label = nigh_array_get(y, i);
        if (!(label >= 0 && label < 65536 && label == floor(label))) return nigh_fail(ctx, NIGH_INVALID, "%s: label %lld is %g; 0, 1, 2 ... are allowed", path, (long long)i, label);
        if ((int64_t)label + 1 > *classes) *classes = (int64_t)label + 1;
        nigh_array_set(&set->y, i, label);
    }
    return NIGH_OK;
}

static nigh_status load_file(nigh_context *ctx, const char *path, verify_samples *s)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_dataset all = {.ctx = ctx};
    nigh_status status = nigh_npz_read(ctx, path, &bundle);
    if (!status && nigh_bundle_find(&bundle, "x_train")) {
        status = take_arrays(ctx, &bundle, "x_train", "y_train", path, &s->train, &s->classes);
        if (!status) status = take_arrays(ctx, &bundle, "x_test", "y_test", path, &s->test, &s->classes);
    } else if (!status) {
        status = take_arrays(ctx, &bundle, "x", "y", path, &all, &s->classes);
        if (!status) status = split(ctx, &all, s);
    }
    nigh_dataset_free(&all);
    nigh_bundle_free(&bundle);
    return status;
}

static nigh_status draw(nigh_context *ctx, const char *word, nigh_dataset *all)
{
    char *end = NULL;
    long count = word[6] ? strtol(word + 7, &end, 10) : 3000;
    if (end && (*end || count < 10 || count > 100000)) return nigh_fail(ctx, NIGH_INVALID, "'%s': glyphs:N takes 10 to 100000 images", word);
    return nigh_digits_draw(ctx, 1, count, &(nigh_digits_options){.side = 14, .distortion = 0.5, .noise = 0.05}, all);
}

nigh_status verify_samples_load(nigh_context *ctx, const char *word, verify_samples *s)
{
    nigh_dataset all = {.ctx = ctx};
    *s = (verify_samples){.train = {.ctx = ctx}, .test = {.ctx = ctx}};
    bool glyphs = !strcmp(word, "glyphs") || !strncmp(word, "glyphs:", 7);
    if (!glyphs && strcmp(word, "mnist") != 0 && strcmp(word, "digits") != 0) {
        nigh_status status = load_file(ctx, word, s);
        if (status) verify_samples_free(s);
        return status;
    }
    nigh_status status = glyphs ? draw(ctx, word, &all) : nigh_dataset_load(ctx, word, &all);
    s->classes = all.classes;
    if (!status) status = split(ctx, &all, s);
    nigh_dataset_free(&all);
    if (status) verify_samples_free(s);
    return status;
}

void verify_samples_cut(nigh_dataset *set, int64_t most)
{
    if (nigh_dataset_rows(set) > most) set->x.shape.dim[0] = set->y.shape.dim[0] = most;
}

/* ---- networks ------------------------------------------------------------------------------------------------------------ */

/* The same network, the first dimension of its input open. */
static nigh_status open_batch(nigh_context *ctx, nigh_network *from, nigh_network **out)
{
    nigh_parameters *set = nigh_network_parameters(from);
    nigh_network *net = NULL;
    nigh_shape shape = *nigh_network_input_shape(from, 0);
    shape.dim[0] = -1;
    nigh_status status = nigh_network_new(ctx, nigh_parameters_dtype(set), &net);
    for (int i = 0; i < nigh_parameters_count(set) && !status; i++) {
        const nigh_parameter *p = nigh_parameters_at(set, i);
        if (nigh_network_weight(net, p->name, p->shape.ndim, p->shape.dim, p->init) < 0) status = nigh_network_status(net);
        else memcpy(nigh_parameters_data(nigh_network_parameters(net), i), nigh_parameters_data(set, i), (size_t)nigh_shape_count(&p->shape) * nigh_dtype_size(p->shape.dtype));
    }
    for (int i = 0; i < nigh_network_layers(from) && !status; i++) {
        const nigh_layer *l = nigh_network_at(from, i);
        nigh_attribute attribute[32];
        char open[256];
        if (l->attributes > 32) return nigh_network_free(net), nigh_fail(ctx, NIGH_UNSUPPORTED, "layer '%s' has %d attributes", l->name, l->attributes);
        for (int k = 0; k < l->attributes; k++) {
            attribute[k] = l->attribute[k];
            bool one = !strcmp(l->kind, "reshape") && !strcmp(attribute[k].key, "shape") && attribute[k].text && !strncmp(attribute[k].text, "1,", 2);
            if (one) snprintf(open, sizeof open, "0%s", attribute[k].text + 1), attribute[k].text = open;
        }
        if (i == nigh_network_input_layer(from, 0)) nigh_network_input(net, l->name, shape.ndim, shape.dim);
        else nigh_network_add(net, l->kind, l->name, l->inputs, l->input, l->parameters, l->parameter, l->attributes, attribute);
    }
    for (int i = 0; i < nigh_network_outputs(from) && !status; i++) nigh_network_output(net, nigh_network_output_layer(from, i));
    if (!status) status = nigh_network_status(net);
    if (status) nigh_network_free(net);
    else *out = net;
    return status;
}

nigh_status verify_network_read(nigh_context *ctx, const char *path, nigh_network **net)
{
    nigh_network *read = NULL, *open = NULL;
    nigh_status status = verify_load_network(ctx, path, &read);
    if (status) return status;
    const nigh_shape *in = nigh_network_inputs(read) == 1 ? nigh_network_input_shape(read, 0) : NULL;
    if (!in || in->ndim < 2) status = nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: a network with one input [n, ...] is needed", path);
    else if (in->dim[0] > 1) status = nigh_fail(ctx, NIGH_UNSUPPORTED, "%s takes %lld samples at once; 1 or any number is needed", path, (long long)in->dim[0]);
    if (!status && in->dim[0] == 1) {
        status = open_batch(ctx, read, &open);
        nigh_network_free(read);
        read = open;
    } else if (status) {
        nigh_network_free(read);
    }
    if (!status) *net = read;
    return status;
}

nigh_status verify_samples_fit(nigh_context *ctx, nigh_network *net, const char *path, nigh_dataset *set)
{
    const nigh_shape want = *nigh_network_input_shape(net, 0), have = set->x.shape;
    int64_t count = 1, rows = have.dim[0], each = nigh_shape_count(&have) / rows;
    bool same = want.ndim == have.ndim;
    for (int i = 1; i < want.ndim; i++) {
        same &= same && (want.dim[i] < 0 || want.dim[i] == have.dim[i]);
        count *= want.dim[i] < 0 ? 1 : want.dim[i];
    }
    if (same) return NIGH_OK;
    if (count != each) return nigh_fail(ctx, NIGH_INVALID, "%s takes %lld numbers a sample; the data has %lld", path, (long long)count, (long long)each);
    int64_t channels = have.ndim == 4 ? have.dim[3] : 1, places = each / channels;
    if (channels > 1 && want.ndim == 4) { /* [n, h, w, c] to [n, c, h, w] */
        float *row = nigh_alloc(ctx, (size_t)each * sizeof *row);
        if (!row) return NIGH_MEMORY;
        for (int64_t i = 0; i < rows; i++) {
            float *x = (float *)set->x.data + i * each;
            memcpy(row, x, (size_t)each * sizeof *row);
            for (int64_t p = 0; p < places; p++)
                for (int64_t c = 0; c < channels; c++) x[c * places + p] = row[p * channels + c];
        }
        nigh_free(ctx, row);
    }
    set->x.shape.ndim = want.ndim;
    for (int i = 1; i < want.ndim; i++) set->x.shape.dim[i] = want.dim[i];
    return NIGH_OK;
}

/* ---- networks by words ------------------------------------------------------------------------------------------------------ */

/* "16,32" into value; how many, 0 when it is not such a list. Leaves *text behind it. */
static int sizes(const char **text, double times, int64_t *value)
{
    int n = 0;
    for (;;) {
        char *end;
        long number = strtol(*text, &end, 10);
        if (end == *text || number < 1 || number > 65536 || n == MOST_LAYERS) return 0;
        value[n++] = (int64_t)fmax(1, floor((double)number * times + 0.5));
        *text = end;
        if (**text != ',') return n;
        ++*text;
    }
}

static int dense(nigh_network *net, int x, int64_t in, int n, const int64_t *width, int64_t classes)
{
    char name[32];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "hidden%d", i + 1);
        x = nigh_network_linear(net, name, x, in, width[i], true);
        snprintf(name, sizeof name, "relu%d", i + 1);
        x = nigh_network_layer(net, "relu", name, 1, &x);
        in = width[i];
    }
    return nigh_network_linear(net, "out", x, in, classes, true);
}

static int fields(nigh_network *net, int x, const nigh_shape *shape, int n, const int64_t *channels, int64_t *numbers)
{
    char name[32];
    int64_t height = shape->dim[1], width = shape->dim[2], in = shape->dim[3];
    nigh_convolution how = {.stride = {2, 2}, .low = {1, 1}, .high = {1, 1}};
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "conv%d", i + 1);
        x = nigh_network_conv(net, name, x, in, channels[i], 2, (int64_t[]){3, 3}, &how, true);
        snprintf(name, sizeof name, "field%d", i + 1);
        x = nigh_network_layer(net, "relu", name, 1, &x);
        in = channels[i], height = (height + 1) / 2, width = (width + 1) / 2;
    }
    *numbers = height * width * in;
    return x;
}

nigh_status verify_network_build(nigh_context *ctx, const char *words, const nigh_shape *x, int64_t classes, double times, nigh_network **out)
{
    int64_t channels[MOST_LAYERS], width[MOST_LAYERS] = {100}, dim[NIGH_MAX_DIMS], numbers = nigh_shape_count(x) / x->dim[0];
    int convs = 0, hidden = 0;
    bool conv = !strncmp(words, "conv:", 5), mlp = !strncmp(words, "mlp:", 4);
    const char *at = words + (conv ? 5 : 4);
    if (conv) convs = sizes(&at, times, channels);
    if (mlp) hidden = sizes(&at, times, width);
    if (conv && *at == '+') at++, hidden = sizes(&at, times, width);
    else if (conv) hidden = 1, width[0] = (int64_t)fmax(1, 100 * times);
    if ((!conv && !mlp) || *at || !hidden || (conv && !convs))
        return nigh_fail(ctx, NIGH_INVALID, "--network is '%s'; mlp:256,256, conv:16,32, conv:16,32+100 or a file is allowed, up to %d layers each", words, MOST_LAYERS);
    if (conv && x->ndim != 4) return nigh_fail(ctx, NIGH_INVALID, "--network %s needs images [n, height, width, channels]; the data has %d dimensions", words, x->ndim);
    nigh_network *net = NULL;
    nigh_status status = nigh_network_new(ctx, NIGH_F32, &net);
    if (status) return status;
    for (int i = 0; i < x->ndim; i++) dim[i] = i ? x->dim[i] : -1;
    int last = nigh_network_input(net, "x", x->ndim, dim);
    if (conv) last = fields(net, last, x, convs, channels, &numbers);
    if (x->ndim > 2) last = nigh_network_layer(net, "flatten", "flat", 1, &last);
    nigh_network_output(net, dense(net, last, numbers, hidden, width, classes));
    status = nigh_network_status(net);
    if (status) nigh_network_free(net);
    else *out = net;
    return status;
}
