/* Plain rules: layers that act on functions. Listed in nn/network_evaluate.h. */
#include "nn/discretise.h"
#include "nn/network_evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static nigh_status regrid(const evaluation *e)
{
    nigh_grid grid = NIGH_GRID_PERIODIC;
    nigh_shape s = e->input->shape;
    nigh_status status = NIGH_OK;
    const double *x = e->input->data;
    double *y = NULL;
    nigh_grid_find(nigh_layer_text(e->layer, "grid", "periodic"), &grid);
    nigh_resampling how = strcmp(nigh_layer_text(e->layer, "method", "linear"), "fourier") ? NIGH_RESAMPLING_LINEAR : NIGH_RESAMPLING_FOURIER;
    for (int i = 0; i < 2 && !status; i++) {
        int64_t to = nigh_layer_integer(e->layer, i ? "size_1" : "size_0", 0), from = to ? s.dim[i + 1] : 0, before = 1, after = 1;
        if (!to) continue;
        for (int k = 0; k <= i; k++) before *= s.dim[k];
        for (int k = i + 2; k < s.ndim; k++) after *= s.dim[k];
        double *next = nigh_alloc(e->ctx, (size_t)(before * to * after) * sizeof *next);
        status = next ? nigh_regrid_axis(e->ctx, grid, how, before, from, to, after, x, next) : NIGH_MEMORY;
        nigh_free(e->ctx, y);
        x = y = next;
        s.dim[i + 1] = to;
    }
    if (!status) status = evaluate_out(e, s.ndim, s.dim);
    if (!status) memcpy(e->out->data, x, (size_t)nigh_shape_count(&s) * sizeof *x);
    nigh_free(e->ctx, y);
    return status;
}

/* Behind the channels of each point; "grid" is the case of step 1 / size. */
static nigh_status coordinates(const evaluation *e)
{
    nigh_shape s = e->input->shape;
    int dims = s.ndim - 2;
    int64_t c = s.dim[dims + 1], points = nigh_shape_count(&s) / c;
    char key[24];
    s.dim[dims + 1] += dims;
    nigh_status status = evaluate_out(e, s.ndim, s.dim);
    for (int64_t p = 0; !status && p < points; p++) {
        double *to = (double *)e->out->data + p * (c + dims);
        int64_t rest = p;
        memcpy(to, (const double *)e->input->data + p * c, (size_t)c * sizeof *to);
        for (int i = dims - 1; i >= 0; i--) {
            snprintf(key, sizeof key, "step_%d", i);
            double step = nigh_layer_number(e->layer, key, 1 / (double)s.dim[i + 1]);
            snprintf(key, sizeof key, "start_%d", i);
            to[c + i] = nigh_layer_number(e->layer, key, 0) + (double)(rest % s.dim[i + 1]) * step;
            rest /= s.dim[i + 1];
        }
    }
    return status;
}

static nigh_status weighted_attention(const evaluation *e)
{
    const nigh_shape *qs = &e->input[0].shape, *ks = &e->input[1].shape, *vs = &e->input[2].shape;
    const double *q = e->input[0].data, *k = e->input[1].data, *v = e->input[2].data, *w = e->input[3].data;
    int64_t queries = qs->dim[1], heads = qs->dim[2], size = qs->dim[3], keys = ks->dim[1], shared = heads / ks->dim[2], wide = vs->dim[3];
    double scale = nigh_layer_number(e->layer, "scale", 0);
    if (scale == 0) scale = 1 / sqrt((double)size);
    nigh_status status = evaluate_out(e, 4, (int64_t[]){qs->dim[0], queries, heads, wide});
    for (int64_t r = 0; !status && r < qs->dim[0] * queries * heads; r++) {
        int64_t b = r / heads / queries, h = r % heads / shared;
        double sum = 0, top = -INFINITY, *y = (double *)e->out->data + r * wide;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t j = 0; j < keys; j++) {
                const double *key = k + ((b * keys + j) * ks->dim[2] + h) * size;
                double score = 0;
                for (int64_t i = 0; i < size; i++) score += q[r * size + i] * key[i] * scale;
                if (pass == 0) top = fmax(top, score);
                double part = pass ? exp(score - top) * w[e->input[3].shape.ndim == 2 ? b * keys + j : j] : 0;
                for (int64_t i = 0; i < wide; i++) y[i] += part * v[((b * keys + j) * vs->dim[2] + h) * wide + i];
                sum += part;
            }
        for (int64_t i = 0; i < wide; i++) y[i] /= sum;
    }
    return status;
}

static nigh_status basis_conv(const evaluation *e)
{
    const nigh_shape *x = &e->input->shape;
    int dims = x->ndim - 2;
    char text[160];
    discretise_basis b;
    bool round = !strcmp(nigh_layer_text(e->layer, "grid", "periodic"), "periodic");
    int64_t height = x->dim[1], width = dims == 2 ? x->dim[2] : 1, c = x->dim[dims + 1], d = e->parameter->shape.dim[2], dim[4] = {x->dim[0], height, width, d};
    if (!discretise_basis_new(e->ctx, e->layer, dims, x->dim + 1, &b, text)) return text[0] ? evaluate_fail(e, "%s", text) : NIGH_MEMORY;
    if (dims == 1) dim[2] = d;
    nigh_status status = evaluate_out(e, dims + 2, dim);
    for (int64_t o = 0; !status && o < dim[0] * height * width; o++)
        for (int64_t p = 0; p < b.points[0] * b.points[1]; p++) {
            int64_t i = o / width % height + p / b.points[1] - b.low[0], j = o % width + p % b.points[1] - b.low[1];
            if (round) i = (i + height) % height, j = (j + width) % width;
            if (i < 0 || i >= height || j < 0 || j >= width) continue;
            const double *from = (const double *)e->input->data + ((o / width / height * height + i) * width + j) * c;
            for (int64_t k = 0; k < c * b.functions; k++) {
                double part = from[k / b.functions] * b.value[p * b.functions + k % b.functions];
                for (int64_t l = 0; part != 0 && l < d; l++) ((double *)e->out->data)[o * d + l] += part * ((const double *)e->parameter->data)[k * d + l];
            }
        }
    for (int64_t o = 0; !status && e->layer->parameters > 1 && o < nigh_shape_count(&e->out->shape); o++) ((double *)e->out->data)[o] += ((const double *)e->parameter[1].data)[o % d];
    nigh_free(e->ctx, b.value);
    return status;
}

const evaluate_rule evaluate_discretise[] = {{"regrid", regrid},         {"coordinates", coordinates},    {"grid", coordinates}, {"weighted-attention", weighted_attention},
                                             {"disc-conv", basis_conv}, {"difference-conv", basis_conv}, {NULL, NULL}};
