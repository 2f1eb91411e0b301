/* Plain rules: convolutions and pooling, channels last. Listed in nn/network_evaluate.h. */
#include "nn/network_evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIMS = 3 };

/* The layer's numbers for each of three spatial dimensions; those that are not there have size 1 and window 1. */
typedef struct window {
    int dims;
    int64_t in[DIMS], out[DIMS], size[DIMS], stride[DIMS], dilation[DIMS], low[DIMS], high[DIMS];
    int padding; /* 0 zero, 1 circular, 2 reflect */
} window;

static int64_t number_at(const nigh_layer *layer, const char *key, int i, int64_t otherwise)
{
    char text[32];
    snprintf(text, sizeof text, "%s_%d", key, i);
    return nigh_layer_integer(layer, text, nigh_layer_integer(layer, key, otherwise));
}

static window window_of(const evaluation *e, const int64_t *size)
{
    const char *padding = nigh_layer_text(e->layer, "padding", "zero");
    window w = {.dims = e->input->shape.ndim - 2, .padding = *padding == 'c' ? 1 : *padding == 'r' ? 2 : 0};
    for (int i = 0; i < DIMS; i++) {
        bool there = i < w.dims;
        w.in[i] = there ? e->input->shape.dim[i + 1] : 1;
        w.size[i] = there ? (size ? size[i] : number_at(e->layer, "window", i, 2)) : 1;
        w.stride[i] = there ? number_at(e->layer, "stride", i, size ? 1 : w.size[i]) : 1;
        if (w.stride[i] == 0) w.stride[i] = size ? 1 : w.size[i];
        w.dilation[i] = there && size ? number_at(e->layer, "dilation", i, 1) : 1;
        w.low[i] = there ? number_at(e->layer, "low", i, number_at(e->layer, "pad", i, 0)) : 0;
        w.high[i] = there ? number_at(e->layer, "high", i, number_at(e->layer, "pad", i, 0)) : 0;
        w.out[i] = (w.in[i] + w.low[i] + w.high[i] - w.dilation[i] * (w.size[i] - 1) - 1) / w.stride[i] + 1;
    }
    return w;
}

/* Splits an index into three places. */
static void places(int64_t i, const int64_t *dim, int64_t *at)
{
    for (int k = DIMS - 1; k >= 0; k--) at[k] = i % dim[k], i /= dim[k];
}

static int64_t volume(const int64_t *dim) { return dim[0] * dim[1] * dim[2]; }

/* Where the element of output place o and window place k comes from; -1: from outside. */
static int64_t source(const window *w, const int64_t *o, const int64_t *k)
{
    int64_t at = 0;
    for (int i = 0; i < DIMS; i++) {
        int64_t p = o[i] * w->stride[i] + k[i] * w->dilation[i] - w->low[i], n = w->in[i];
        if (p < 0 || p >= n) {
            if (w->padding == 0) return -1;
            p = w->padding == 1 ? (p % n + n) % n : p < 0 ? -p : 2 * n - 2 - p;
        }
        at = at * n + p;
    }
    return at;
}

static nigh_status make_out(const evaluation *e, const window *w, int64_t channels)
{
    int64_t dim[NIGH_MAX_DIMS] = {e->input->shape.dim[0]};
    for (int i = 0; i < w->dims; i++) dim[i + 1] = w->out[i];
    dim[w->dims + 1] = channels;
    return evaluate_out(e, w->dims + 2, dim);
}

static nigh_status conv(const evaluation *e)
{
    const nigh_shape *k = &e->parameter->shape;
    window w = window_of(e, k->dim);
    int64_t cin = e->input->shape.dim[w.dims + 1], per = k->dim[w.dims], cout = k->dim[w.dims + 1], groups = cin / per, o[DIMS], p[DIMS];
    nigh_status status = make_out(e, &w, cout);
    int64_t points = volume(w.out), taps = volume(w.size), pixels = volume(w.in);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        int64_t c = i % cout, b = i / cout / points, group = c / (cout / groups);
        double sum = e->layer->parameters > 1 ? evaluate_numbers(&e->parameter[1])[c] : 0;
        places(i / cout % points, w.out, o);
        for (int64_t t = 0; t < taps; t++) {
            places(t, w.size, p);
            int64_t from = source(&w, o, p);
            for (int64_t j = 0; from >= 0 && j < per; j++)
                sum += evaluate_numbers(e->input)[(b * pixels + from) * cin + group * per + j] * evaluate_numbers(e->parameter)[(t * per + j) * cout + c];
        }
        evaluate_numbers(e->out)[i] = sum;
    }
    return status;
}

/* Every input element is spread over the outputs that a convolution would have taken from: w [K.., out / groups, in]. */
static nigh_status conv_transpose(const evaluation *e)
{
    const nigh_shape *k = &e->parameter->shape;
    window w = window_of(e, k->dim);
    int64_t cin = e->input->shape.dim[w.dims + 1], per = k->dim[w.dims], groups = nigh_layer_integer(e->layer, "groups", 1), cout = per * groups, o[DIMS], p[DIMS], at[DIMS];
    if (w.padding) return evaluate_fail(e, "only zero padding has a plain rule");
    for (int i = 0; i < DIMS; i++)
        w.out[i] = i < w.dims ? (w.in[i] - 1) * w.stride[i] + w.dilation[i] * (w.size[i] - 1) + 1 - w.low[i] - w.high[i] + number_at(e->layer, "more", i, 0) : 1;
    nigh_status status = make_out(e, &w, cout);
    if (status) return status;
    double *y = evaluate_numbers(e->out);
    for (int64_t i = 0; i < nigh_shape_count(&e->out->shape); i++) y[i] = e->layer->parameters > 1 ? evaluate_numbers(&e->parameter[1])[i % cout] : 0;
    for (int64_t i = 0; i < nigh_shape_count(&e->input->shape); i++) {
        int64_t c = i % cin, b = i / cin / volume(w.in), group = c / (cin / groups);
        places(i / cin % volume(w.in), w.in, o);
        for (int64_t t = 0; t < volume(w.size); t++) {
            bool inside = true;
            places(t, w.size, p);
            for (int d = 0; d < DIMS; d++) {
                at[d] = o[d] * w.stride[d] + p[d] * w.dilation[d] - w.low[d];
                inside = inside && at[d] >= 0 && at[d] < w.out[d];
            }
            int64_t to = (at[0] * w.out[1] + at[1]) * w.out[2] + at[2];
            for (int64_t j = 0; inside && j < per; j++)
                y[(b * volume(w.out) + to) * cout + group * per + j] += evaluate_numbers(e->input)[i] * evaluate_numbers(e->parameter)[(t * per + j) * cin + c];
        }
    }
    return NIGH_OK;
}

static nigh_status pool(const evaluation *e)
{
    window w = window_of(e, NULL);
    bool most = *e->layer->kind == 'm', count_all = nigh_layer_number(e->layer, "count_padding", 0) != 0;
    int64_t c = e->input->shape.dim[w.dims + 1], o[DIMS], p[DIMS];
    nigh_status status = make_out(e, &w, c);
    for (int64_t i = 0; !status && i < nigh_shape_count(&e->out->shape); i++) {
        double top = -INFINITY, sum = 0, count = 0;
        places(i / c % volume(w.out), w.out, o);
        for (int64_t t = 0; t < volume(w.size); t++) {
            places(t, w.size, p);
            int64_t from = source(&w, o, p);
            if (from < 0) continue;
            double v = evaluate_numbers(e->input)[(i / c / volume(w.out) * volume(w.in) + from) * c + i % c];
            top = fmax(top, v), sum += v, count += 1;
        }
        evaluate_numbers(e->out)[i] = most ? top : sum / (count_all ? (double)volume(w.size) : count);
    }
    return status;
}

static nigh_status global_average(const evaluation *e)
{
    const nigh_shape *s = &e->input->shape;
    int64_t c = s->dim[s->ndim - 1], points = nigh_shape_count(s) / s->dim[0] / c;
    nigh_status status = evaluate_out(e, 2, (int64_t[]){s->dim[0], c});
    for (int64_t i = 0; !status && i < nigh_shape_count(s); i++) evaluate_numbers(e->out)[i / c / points * c + i % c] += evaluate_numbers(e->input)[i] / (double)points;
    return status;
}

const evaluate_rule evaluate_fields[] = {{"conv", conv}, {"conv-transpose", conv_transpose}, {"max-pool", pool}, {"average-pool", pool}, {"global-average", global_average}, {NULL, NULL}};
