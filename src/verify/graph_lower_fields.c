/* Rules: convolutions, average pooling and resampling, channels last. Listed in verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIMS = 3, MOST_TERMS = 100000000 };

/* ---- windows ------------------------------------------------------------------------------------------- */

static int64_t number_at(const nigh_layer *layer, const char *key, int i, int64_t otherwise)
{
    char text[32];
    snprintf(text, sizeof text, "%s_%d", key, i);
    return nigh_layer_integer(layer, text, nigh_layer_integer(layer, key, otherwise));
}

lower_window lower_window_of(const lowering *l, const int64_t *size)
{
    const nigh_shape *in = lower_shape(l, 0), *out = lower_out(l);
    const char *padding = nigh_layer_text(l->layer, "padding", "zero");
    lower_window w = {.dims = in->ndim - 2, .padding = *padding == 'c' ? 1 : *padding == 'r' ? 2 : 0};
    for (int i = 0; i < DIMS; i++) {
        bool there = i < w.dims;
        w.in[i] = there ? in->dim[i + 1] : 1;
        w.out[i] = there ? out->dim[i + 1] : 1;
        w.size[i] = there ? (size ? size[i] : number_at(l->layer, "window", i, 2)) : 1;
        w.stride[i] = there ? number_at(l->layer, "stride", i, size ? 1 : w.size[i]) : 1;
        if (w.stride[i] == 0) w.stride[i] = size ? 1 : w.size[i];
        w.dilation[i] = there && size ? number_at(l->layer, "dilation", i, 1) : 1;
        w.low[i] = there ? number_at(l->layer, "low", i, number_at(l->layer, "pad", i, 0)) : 0;
    }
    return w;
}

static void places(int64_t i, const int64_t dim[DIMS], int64_t at[DIMS])
{
    for (int k = DIMS - 1; k >= 0; k--) at[k] = i % dim[k], i /= dim[k];
}

static int64_t volume(const int64_t dim[DIMS]) { return dim[0] * dim[1] * dim[2]; }

int64_t lower_window_source(const lower_window *w, int64_t point, int64_t tap)
{
    int64_t o[DIMS], k[DIMS], at = 0;
    places(point, w->out, o);
    places(tap, w->size, k);
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

/* ---- convolutions -------------------------------------------------------------------------------------- */

/* Terms of a sparse map while they are counted and then put down. */
typedef struct terms {
    int64_t count, *row, *column;
    double *weight;
    int64_t at, row_now;
} terms;

static bool terms_new(lowering *l, int64_t rows, double most, terms *t)
{
    *t = (terms){.count = rows};
    if (most > MOST_TERMS) return lower_fail(l, NIGH_UNSUPPORTED, "a sparse map of %.0f terms; at most %d are taken", most, MOST_TERMS), false;
    t->row = lower_alloc(l, rows + 1, sizeof *t->row);
    t->column = lower_alloc(l, (int64_t)most, sizeof *t->column);
    t->weight = lower_alloc(l, (int64_t)most, sizeof *t->weight);
    return !l->status;
}

static void put(terms *t, int64_t column, double weight)
{
    t->column[t->at] = column;
    t->weight[t->at++] = weight;
}

static void end_row(terms *t) { t->row[++t->row_now] = t->at; }

/* The map as a form, and the bias of each channel. */
static void finish(lowering *l, const terms *t, int slack, int roundings, const double *bias, int64_t channels)
{
    graph_form y, z;
    double *shift = bias ? lower_alloc(l, t->count, sizeof *shift) : NULL;
    for (int64_t i = 0; shift && i < t->count; i++) shift[i] = bias[i % channels];
    if (l->status || !form_rows(l, lower_in(l, 0), t->count, t->row, t->column, t->weight, slack, roundings, &y)) return;
    if (!bias) lower_set(l, &y);
    else if (form_affine(l, &y, NULL, NULL, shift, NULL, 1, &z)) lower_set(l, &z);
}

/* A convolution of one sample and at most two dimensions, zeros outside. */
static void field_node(lowering *l, const bound_window *window, const double *w, const double *b)
{
    const bound_window *f = window;
    int64_t n = f->kernel[0] * f->kernel[1] * (f->channels / f->groups) * f->out_channels, size = f->out_height * f->out_width * f->out_channels;
    int source = form_node(l, lower_in(l, 0));
    double *weight = lower_alloc_graph(l, n, sizeof *weight), *bias = b ? lower_alloc_graph(l, size, sizeof *bias) : NULL;
    if (l->status) return;
    memcpy(weight, w, (size_t)n * sizeof *weight);
    for (int64_t i = 0; b && i < size; i++) bias[i] = b[i % f->out_channels];
    int reads = (int)(f->kernel[0] * f->kernel[1] * (f->channels / f->groups));
    lower_set_node(l, lower_add(l, &(bound_node){.kind = BOUND_CONVOLUTION, .inputs = 1, .input = &source, .size = size, .weight = weight, .bias = bias, .window = *f, .roundings = reads + 1}));
}

static void conv(lowering *l)
{
    const double *w = lower_parameter(l, 0), *b = lower_parameter(l, 1);
    if (l->status) return;
    const nigh_shape *k = lower_parameter_shape(l, 0);
    lower_window window = lower_window_of(l, k->dim), *v = &window;
    int64_t cin = lower_shape(l, 0)->dim[v->dims + 1], per = k->dim[v->dims], cout = k->dim[v->dims + 1], groups = cin / per;
    if (v->dims <= 2 && v->padding == 0 && lower_shape(l, 0)->dim[0] == 1) {
        bound_window field = {v->in[0], v->in[1], cin, v->out[0], v->out[1], cout, {v->size[0], v->size[1]}, {v->stride[0], v->stride[1]}, {v->dilation[0], v->dilation[1]}, {v->low[0], v->low[1]}, groups};
        field_node(l, &field, w, b);
        return;
    }
    int64_t taps = volume(v->size), points = volume(v->out), out = nigh_shape_count(lower_out(l));
    terms t;
    if (!terms_new(l, out, (double)out * (double)taps * (double)per, &t)) return;
    for (int64_t i = 0; i < out; i++) {
        int64_t c = i % cout, sample = i / cout / points;
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t from = lower_window_source(v, i / cout % points, tap);
            for (int64_t j = 0; from >= 0 && j < per; j++) put(&t, (sample * volume(v->in) + from) * cin + c / (cout / groups) * per + j, w[(tap * per + j) * cout + c]);
        }
        end_row(&t);
    }
    finish(l, &t, 0, (int)(taps * per), b, cout);
}

/* z[at stride + tap dilation - low, group per + j] += x[at, c] w[tap, j, c], taken by result: a tap counts where what remains is a multiple of the stride. */
static void conv_transpose(lowering *l)
{
    const double *w = lower_parameter(l, 0), *b = lower_parameter(l, 1);
    if (l->status) return;
    const nigh_shape *k = lower_parameter_shape(l, 0);
    lower_window v = lower_window_of(l, k->dim);
    int64_t cin = lower_shape(l, 0)->dim[v.dims + 1], per = k->dim[v.dims], groups = nigh_layer_integer(l->layer, "groups", 1), cout = per * groups, each = cin / groups;
    int64_t taps = volume(v.size), points = volume(v.out), out = nigh_shape_count(lower_out(l)), o[DIMS], p[DIMS];
    terms t;
    if (v.padding) return lower_fail(l, NIGH_UNSUPPORTED, "padding '%s'; bounds know zeros", nigh_layer_text(l->layer, "padding", ""));
    double reach = 1;
    for (int i = 0; i < DIMS; i++) reach *= (double)((v.size[i] + v.stride[i] - 1) / v.stride[i] < v.size[i] && v.dilation[i] == 1 ? (v.size[i] + v.stride[i] - 1) / v.stride[i] : v.size[i]);
    if (!terms_new(l, out, (double)out * reach * (double)each, &t)) return;
    for (int64_t i = 0; i < out; i++) {
        int64_t c = i % cout, sample = i / cout / points;
        places(i / cout % points, v.out, o);
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t from = 0;
            places(tap, v.size, p);
            for (int d = 0; d < DIMS && from >= 0; d++) {
                int64_t at = o[d] + v.low[d] - p[d] * v.dilation[d];
                from = at < 0 || at % v.stride[d] || at / v.stride[d] >= v.in[d] ? -1 : from * v.in[d] + at / v.stride[d];
            }
            for (int64_t j = 0; from >= 0 && j < each; j++) {
                int64_t channel = c / per * each + j;
                put(&t, (sample * volume(v.in) + from) * cin + channel, w[(tap * per + c % per) * cin + channel]);
            }
        }
        end_row(&t);
    }
    finish(l, &t, 0, (int)(taps * each), b, cout);
}

/* ---- means --------------------------------------------------------------------------------------------- */

static void average_pool(lowering *l)
{
    lower_window v = lower_window_of(l, NULL);
    bool all = nigh_layer_number(l->layer, "count_padding", 0) != 0;
    int64_t taps = volume(v.size), points = volume(v.out), out = nigh_shape_count(lower_out(l)), c = lower_out(l)->dim[v.dims + 1];
    terms t;
    if (!terms_new(l, out, (double)out * (double)taps, &t)) return;
    for (int64_t i = 0; i < out; i++) {
        int64_t first = t.at;
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t from = lower_window_source(&v, i / c % points, tap);
            if (from >= 0) put(&t, (i / c / points * volume(v.in) + from) * c + i % c, 0);
        }
        for (int64_t e = first; e < t.at; e++) t.weight[e] = 1 / (double)(all ? taps : t.at - first);
        end_row(&t);
    }
    finish(l, &t, 1, (int)taps + 1, NULL, 1);
}

static void global_average(lowering *l)
{
    const nigh_shape *s = lower_shape(l, 0);
    int64_t c = s->dim[s->ndim - 1], points = nigh_shape_count(s) / s->dim[0] / c;
    terms t;
    if (!terms_new(l, s->dim[0] * c, (double)nigh_shape_count(s), &t)) return;
    for (int64_t i = 0; i < s->dim[0] * c; i++) {
        for (int64_t p = 0; p < points; p++) put(&t, (i / c * points + p) * c + i % c, 1 / (double)points);
        end_row(&t);
    }
    finish(l, &t, 1, (int)points + 1, NULL, 1);
}

/* ---- resampling ---------------------------------------------------------------------------------------- */

/* Where number o of `size` is among `from` numbers: the place below, and the parts of that and of the next, quotients of whole numbers. */
static void resample_at(const lowering *l, int64_t o, int64_t from, int64_t size, int64_t *low, double part[2])
{
    bool linear = !strcmp(nigh_layer_text(l->layer, "method", "linear"), "linear"), align = nigh_layer_number(l->layer, "align_corners", 0) != 0;
    int64_t above, below; /* the place is above / below */
    if (align) above = size > 1 ? o * (from - 1) : 0, below = size > 1 ? size - 1 : 1;
    else if (linear) above = (2 * o + 1) * from - size, below = 2 * size;
    else above = o * from, below = size;
    if (!linear && align) above = 2 * above + below, below *= 2; /* to nearest, halves up */
    if (above < 0) above = 0;
    *low = above / below;
    part[1] = linear ? (double)(above % below) / (double)below : 0;
    part[0] = linear ? (double)(below - above % below) / (double)below : 1;
    if (*low >= from - 1) *low = from - 1, part[0] = 1, part[1] = 0;
}

static bool resample_along(lowering *l, graph_form *x, const nigh_shape *shape, int axis, int64_t size, graph_form *to)
{
    int64_t from = shape->dim[axis], stride = 1, outer = 1;
    for (int k = 0; k < axis; k++) outer *= shape->dim[k];
    for (int k = axis + 1; k < shape->ndim; k++) stride *= shape->dim[k];
    terms t;
    if (!terms_new(l, outer * size * stride, (double)(2 * outer * size * stride), &t)) return false;
    bool exact = true;
    for (int64_t i = 0; i < outer * size * stride; i++) {
        int64_t low, first = i / stride / size * from * stride + i % stride;
        double part[2];
        resample_at(l, i / stride % size, from, size, &low, part);
        put(&t, first + low * stride, part[0]);
        if (part[1] > 0) put(&t, first + (low + 1) * stride, part[1]);
        exact = exact && ldexp(part[1], 20) == floor(ldexp(part[1], 20));
        end_row(&t);
    }
    return form_rows(l, x, t.count, t.row, t.column, t.weight, exact ? 0 : 1, 3, to);
}

static void resample(lowering *l)
{
    nigh_shape shape = *lower_shape(l, 0);
    graph_form now = *lower_in(l, 0), next;
    if (!strcmp(nigh_layer_text(l->layer, "method", "linear"), "fourier")) return lower_fail(l, NIGH_UNSUPPORTED, "resampling by Fourier series; bounds know linear and nearest");
    for (int i = 1; i + 1 < shape.ndim; i++) {
        int64_t size = lower_out(l)->dim[i];
        if (!resample_along(l, &now, &shape, i, size, &next)) return;
        shape.dim[i] = size;
        now = next;
    }
    lower_set(l, &now);
}

const lower_rule lower_fields[] = {{"conv", conv}, {"conv-transpose", conv_transpose}, {"average-pool", average_pool}, {"global-average", global_average}, {"resample", resample}, {NULL, NULL}};
