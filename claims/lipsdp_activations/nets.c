/* Networks of the claim on Lipschitz constants; see parts.h. */
#include "parts.h"

#include "nigh/dataset.h"
#include "nigh/synthetic.h"
#include "nigh/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void weights_free(claim_net *net)
{
    if (net->ctx) nigh_free(net->ctx, net->memory);
    *net = (claim_net){0};
}

static nigh_status net_room(nigh_context *ctx, int sizes, const int64_t *size, nigh_lipschitz_kind kind, claim_net *net)
{
    int64_t count = 0;
    for (int k = 0; k + 1 < sizes; k++) count += size[k] * size[k + 1] + size[k + 1];
    *net = (claim_net){.ctx = ctx, .layers = sizes - 1, .memory = nigh_alloc_zero(ctx, (size_t)count, sizeof(double)), .accuracy = NAN};
    if (!net->memory) return NIGH_MEMORY;
    double *at = net->memory;
    for (int k = 0; k + 1 < sizes; k++) {
        nigh_lipschitz_layer *l = &net->layer[k];
        *l = (nigh_lipschitz_layer){.inputs = size[k], .units = size[k + 1], .outputs = size[k + 1], .weight = at, .kind = k + 2 < sizes ? kind : NIGH_LIPSCHITZ_LINEAR, .group = 2};
        at += size[k] * size[k + 1];
        l->bias = at, at += size[k + 1];
    }
    return NIGH_OK;
}

nigh_status net_plain(nigh_context *ctx, int sizes, const int64_t *size, nigh_lipschitz_kind kind, claim_net *net)
{
    nigh_status status = net_room(ctx, sizes, size, kind, net);
    for (int k = 0; k < net->layers && !status; k++) {
        double *w = (double *)net->layer[k].weight;
        for (int64_t i = 0; i < size[k] * size[k + 1]; i++) w[i] = sin(1 + 12.9898 * (double)i + 78.233 * k) * 1.5 / sqrt((double)size[k]);
    }
    return status;
}

/* ---- training ----------------------------------------------------------------------------------------------- */

static nigh_status build(nigh_context *ctx, const claim_net_spec *spec, nigh_network **net)
{
    nigh_status status = nigh_network_new(ctx, NIGH_F32, net);
    if (status) return status;
    int x = nigh_network_input(*net, "x", 2, (int64_t[]){-1, spec->size[0]});
    for (int k = 0; k + 1 < spec->sizes; k++) {
        char name[32];
        snprintf(name, sizeof name, "linear%d", k);
        x = nigh_network_linear(*net, name, x, spec->size[k], spec->size[k + 1], true);
        snprintf(name, sizeof name, "activation%d", k);
        if (k + 2 < spec->sizes) x = nigh_network_layer(*net, spec->max_min ? "max-min" : "relu", name, 1, &x);
    }
    nigh_network_output(*net, x);
    status = nigh_network_status(*net);
    return status ? status : nigh_parameters_draw(nigh_network_parameters(*net), spec->seed);
}

/* Images as rows [samples, inputs] and labels. Drawn ones are easily told apart; the noise makes fitting them stretch the layers as real ones do. */
static nigh_status load(nigh_context *ctx, const claim_net_spec *spec, nigh_dataset *set)
{
    bool mnist = spec->mnist && spec->size[0] == 784 && getenv("NIGH_DATA");
    nigh_status status = mnist ? nigh_dataset_load(ctx, "mnist", set)
                               : nigh_digits_draw(ctx, spec->seed, spec->samples * 5 / 4, &(nigh_digits_options){.side = spec->size[0] == 784 ? 28 : 8, .distortion = 1, .noise = 0.2}, set);
    if (!status) set->x.shape.ndim = 2, set->x.shape.dim[1] = spec->size[0];
    return status;
}

static nigh_status targets(nigh_context *ctx, const nigh_dataset *set, nigh_array *y)
{
    int64_t rows = nigh_dataset_rows(set);
    nigh_shape shape = {NIGH_F32, 2, {rows, 1}};
    nigh_status status = nigh_array_new(ctx, &shape, y);
    for (int64_t i = 0; i < rows && !status; i++) nigh_array_set(y, i, ((const int32_t *)set->y.data)[i] >= 5 ? 1 : -1);
    return status;
}

static void take_weights(nigh_network *from, claim_net *net)
{
    nigh_parameters *p = nigh_network_parameters(from);
    for (int k = 0; k < net->layers; k++) {
        nigh_lipschitz_layer *l = &net->layer[k];
        const float *w = nigh_parameters_data(p, 2 * k), *b = nigh_parameters_data(p, 2 * k + 1);
        for (int64_t i = 0; i < l->units; i++) {
            for (int64_t j = 0; j < l->inputs; j++) ((double *)l->weight)[i * l->inputs + j] = w[j * l->units + i];
            ((double *)l->bias)[i] = b[i];
        }
    }
}

static nigh_status fit(nigh_context *ctx, const claim_net_spec *spec, const nigh_dataset *set, const nigh_array *y, nigh_network *network, double *accuracy)
{
    nigh_batches *rows = NULL, *held = NULL;
    nigh_training *training = NULL;
    nigh_array arrays[2] = {set->x, *y};
    int64_t all = nigh_dataset_rows(set), fitted = all * 4 / 5;
    fitted = fitted < spec->samples ? fitted : spec->samples;
    nigh_status status = nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = 64, .rows = fitted}, &rows);
    if (!status) status = nigh_batches_arrays(ctx, 2, arrays, &(nigh_arrays_options){.batch = 100, .in_order = true, .first = all - all / 5 / 100 * 100}, &held);
    nigh_training_spec t = nigh_training_defaults("adam");
    t.network = network, t.loss = spec->scalar ? NIGH_LOSS_MSE : NIGH_LOSS_CROSS_ENTROPY, t.metrics = spec->scalar ? 0 : 1, t.batches = rows, t.epochs = spec->epochs, t.seed = spec->seed;
    t.rate = (nigh_schedule){.kind = "cosine", .base = 3e-3};
    if (!status) status = nigh_training_new(ctx, &t, &training);
    if (!status) status = nigh_training_run(training);
    double loss, metric[1] = {NAN};
    if (!status) status = nigh_training_evaluate(training, held, &loss, spec->scalar ? NULL : metric);
    if (!status) *accuracy = metric[0];
    nigh_training_free(training);
    nigh_batches_free(rows);
    nigh_batches_free(held);
    return status;
}

nigh_status net_train(nigh_context *ctx, const claim_net_spec *spec, claim_net *net)
{
    nigh_dataset set = {0};
    nigh_array y = {0};
    nigh_network *network = NULL;
    double accuracy = NAN;
    nigh_status status = load(ctx, spec, &set);
    if (!status && spec->scalar) status = targets(ctx, &set, &y);
    if (!status) status = build(ctx, spec, &network);
    if (!status) status = fit(ctx, spec, &set, spec->scalar ? &y : &set.y, network, &accuracy);
    if (!status) status = net_room(ctx, spec->sizes, spec->size, spec->max_min ? NIGH_LIPSCHITZ_SORT : NIGH_LIPSCHITZ_RELU, net);
    if (!status) take_weights(network, net), net->accuracy = accuracy;
    nigh_network_free(network);
    nigh_array_free(ctx, &y);
    nigh_dataset_free(&set);
    return status;
}
