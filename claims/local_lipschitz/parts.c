/* Networks, bounds step by step, enumeration and training for the claim of local Lipschitz constants. */
#include "parts.h"

#include "nigh/train.h"
#include "verify/derivative.h"

#include <math.h>
#include <string.h>

nigh_status lip_chain(nigh_context *ctx, nigh_rng *rng, int layers, const int64_t *size, bound_graph **graph)
{
    double *weight[8] = {0}, *bias[8] = {0};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < layers && !status; i++) {
        weight[i] = nigh_alloc(ctx, (size_t)(size[i] * size[i + 1]) * sizeof(double)), bias[i] = nigh_alloc(ctx, (size_t)size[i + 1] * sizeof(double));
        if (!weight[i] || !bias[i]) status = NIGH_MEMORY;
        for (int64_t k = 0; k < size[i] * size[i + 1] && !status; k++) weight[i][k] = nigh_rng_normal(rng) * sqrt(2.0 / (double)size[i]);
        for (int64_t k = 0; k < size[i + 1] && !status; k++) bias[i][k] = 0.1 * nigh_rng_normal(rng);
    }
    if (!status) status = bound_graph_chain(ctx, layers, size, (const double *const *)weight, (const double *const *)bias, BOUND_RELU, graph);
    for (int i = 0; i < layers; i++) nigh_free(ctx, weight[i]), nigh_free(ctx, bias[i]);
    return status;
}

/* ---- bounds --------------------------------------------------------------------------------------------- */

static nigh_status arguments_of(nigh_context *ctx, const bound_graph *g, const double *low, const double *high, nigh_bound_kind kind, bounds_batch *arguments)
{
    bounds *forward = NULL;
    nigh_status status = bounds_new(ctx, g, &(bounds_options){.threads = 1}, low, high, &forward);
    if (!status) status = bounds_batch_new(ctx, g, 1, 0, arguments);
    if (!status) {
        arguments->domains = 1;
        memcpy(arguments->low, low, (size_t)g->inputs * sizeof(double)), memcpy(arguments->high, high, (size_t)g->inputs * sizeof(double));
        bounds_interval(forward, arguments, false);
        if (kind != NIGH_BOUND_INTERVAL) status = bounds_crown(forward, arguments, 0);
    }
    bounds_free(forward);
    return status;
}

static int64_t set_derivatives(const bound_graph *g, const bounds_batch *arguments, bool zero_is_stable, jacobian_batch *batch)
{
    int64_t unknown = 0;
    for (int a = 0; a < g->activations; a++) {
        const bound_node *node = &g->node[g->activation[a]];
        double *l = batch->d_low[a], *h = batch->d_high[a];
        derivative_enclose(node->function, node->p, node->size, arguments->pre_low[a], arguments->pre_high[a], l, h);
        for (int64_t e = 0; e < node->size; e++) {
            if (zero_is_stable && arguments->pre_low[a][e] > -1e-12) l[e] = h[e];
            unknown += l[e] < h[e];
        }
    }
    return unknown;
}

nigh_status lip_bound_of(nigh_context *ctx, const bound_graph *g, const double *low, const double *high, const double *row, const lip_way *way, lip_bound *out)
{
    bounds_batch arguments = {0};
    jacobian_batch batch = {0};
    jacobian *j = NULL;
    nigh_status status = arguments_of(ctx, g, low, high, way->forward, &arguments);
    if (!status) status = jacobian_batch_new(ctx, g, 1, &batch);
    if (!status) status = jacobian_new(ctx, g, 1, &j);
    if (!status) {
        batch.domains = 1;
        memcpy(batch.target, row, (size_t)g->outputs * sizeof(double));
        out->unknown = set_derivatives(g, &arguments, way->zero_is_stable, &batch);
        status = jacobian_root(j, &batch);
    }
    if (!status) status = jacobian_bound(j, way->lines, way->chain, JACOBIAN_ONE, NULL, &batch);
    if (!status) {
        out->bound = batch.bound[0];
        jacobian_sums(g, JACOBIAN_ONE, &batch, &out->sum);
        for (int64_t e = 0; e < g->inputs && e < 64; e++) out->low[e] = batch.low[e], out->high[e] = batch.high[e];
    }
    jacobian_free(j);
    jacobian_batch_free(ctx, g, &batch);
    bounds_batch_free(ctx, g, &arguments);
    return status;
}

nigh_status lip_enumerate(nigh_context *ctx, const bound_graph *g, const double *low, const double *high, const double *row, int most, int *unknown, double *best)
{
    bounds_batch arguments = {0};
    jacobian_batch batch = {0};
    sampler *s = NULL;
    double *end[24][2];
    nigh_status status = arguments_of(ctx, g, low, high, NIGH_BOUND_CROWN, &arguments);
    if (!status) status = jacobian_batch_new(ctx, g, 1, &batch);
    if (!status) status = sampler_new(ctx, g, 1, &s);
    *best = 0, *unknown = 0;
    if (!status) {
        memcpy(batch.target, row, (size_t)g->outputs * sizeof(double));
        *unknown = (int)set_derivatives(g, &arguments, false, &batch);
    }
    if (*unknown > most) *unknown = most + 1;
    int n = 0;
    for (int a = 0; a < g->activations && !status && *unknown <= most; a++)
        for (int64_t e = 0; e < g->node[g->activation[a]].size; e++)
            if (batch.d_low[a][e] < batch.d_high[a][e]) end[n][0] = &batch.d_low[a][e], end[n++][1] = &batch.d_high[a][e];
    for (int64_t k = 0; k < (int64_t)1 << n && !status && *unknown <= most; k++) {
        double value;
        for (int i = 0; i < n; i++) *end[i][0] = *end[i][1] = (double)(k >> i & 1); /* the two derivatives of relu */
        status = sampler_pattern(s, JACOBIAN_ONE, &batch, 0, 1, 0, 1, &value);
        *best = fmax(*best, value);
    }
    sampler_free(s);
    jacobian_batch_free(ctx, g, &batch);
    bounds_batch_free(ctx, g, &arguments);
    return status;
}

/* ---- trained networks ------------------------------------------------------------------------------------ */

static nigh_status fit(nigh_context *ctx, nigh_network *net, nigh_array *x, nigh_array *label, int64_t epochs, uint64_t seed, double *accuracy)
{
    nigh_batches *rows = NULL, *all = NULL;
    nigh_training *training = NULL;
    nigh_array both[2] = {*x, *label};
    double loss, metric[1] = {0};
    nigh_status status = nigh_batches_arrays(ctx, 2, both, &(nigh_arrays_options){.batch = 64}, &rows);
    if (!status) status = nigh_batches_arrays(ctx, 2, both, &(nigh_arrays_options){.batch = 500, .in_order = true}, &all);
    nigh_training_spec spec = nigh_training_defaults("adam");
    spec.network = net, spec.loss = NIGH_LOSS_CROSS_ENTROPY, spec.metrics = 1, spec.batches = rows, spec.seed = seed, spec.epochs = epochs;
    spec.rate = (nigh_schedule){.kind = "cosine", .base = 2e-3};
    spec.validation = all, spec.validate_every = INT32_MAX;
    if (!status) status = nigh_training_new(ctx, &spec, &training);
    if (!status) status = nigh_training_run(training);
    if (!status) status = nigh_training_evaluate(training, all, &loss, metric);
    nigh_training_free(training);
    nigh_batches_free(all);
    nigh_batches_free(rows);
    if (!status) *accuracy = metric[0];
    return status;
}

nigh_status lip_train(nigh_context *ctx, int layers, const int64_t *size, nigh_array *x, nigh_array *label, int64_t epochs, uint64_t seed, nigh_network **net, double *accuracy)
{
    nigh_network *n = NULL;
    nigh_status status = nigh_network_new(ctx, NIGH_F32, &n);
    if (status) return status;
    int at = nigh_network_input(n, "x", 2, (int64_t[]){-1, size[0]});
    for (int i = 0; i < layers; i++) {
        char name[24];
        snprintf(name, sizeof name, "layer%d", i);
        at = nigh_network_linear(n, name, at, size[i], size[i + 1], true);
        snprintf(name, sizeof name, "relu%d", i);
        if (i + 1 < layers) at = nigh_network_layer(n, "relu", name, 1, &at);
    }
    nigh_network_output(n, at);
    status = nigh_network_status(n);
    if (!status) status = nigh_parameters_draw(nigh_network_parameters(n), seed);
    if (!status) status = fit(ctx, n, x, label, epochs, seed, accuracy);
    if (status) nigh_network_free(n);
    else *net = n;
    return status;
}

nigh_status lip_clusters(nigh_context *ctx, uint64_t seed, nigh_array *x, nigh_array *label)
{
    enum { ROWS = 7000, LEADERS = 100 };
    double leader[LEADERS][LIP_INPUTS];
    int32_t class[LEADERS];
    nigh_rng rng = nigh_rng_new(seed, 3);
    *x = *label = (nigh_array){0};
    nigh_status status = nigh_array_new(ctx, &(nigh_shape){NIGH_F32, 2, {ROWS, LIP_INPUTS}}, x);
    if (!status) status = nigh_array_new(ctx, &(nigh_shape){NIGH_I32, 1, {ROWS}}, label);
    for (int k = 0; k < LEADERS; k++) {
        class[k] = (int32_t)nigh_rng_below(&rng, LIP_OUTPUTS);
        for (int e = 0; e < LIP_INPUTS; e++) leader[k][e] = nigh_rng_f64(&rng);
    }
    for (int64_t i = 0; i < ROWS && !status; i++) {
        float *at = (float *)x->data + i * LIP_INPUTS;
        double least = INFINITY;
        for (int e = 0; e < LIP_INPUTS; e++) at[e] = nigh_rng_f32(&rng);
        for (int k = 0; k < LEADERS; k++) {
            double far = 0;
            for (int e = 0; e < LIP_INPUTS; e++) far += (at[e] - leader[k][e]) * (at[e] - leader[k][e]);
            if (far < least) least = far, ((int32_t *)label->data)[i] = class[k];
        }
    }
    if (status) nigh_array_free(ctx, x);
    return status;
}
