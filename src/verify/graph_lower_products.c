/* Rules: products with fixed matrices. Listed in verify/graph_lower.h. */
#include "verify/graph_lower.h"

#include <math.h>
#include <string.h>

/* Whether a dense layer can take the form into its columns: one term each, no element of a node twice, few columns left empty. */
static bool fits_columns(lowering *l, const graph_form *f)
{
    if (f->plain >= 0) return true;
    if (f->row) return false;
    const bound_graph *g = l->build.graph;
    int64_t all = 0, *first = lower_alloc(l, g->nodes, sizeof *first), used = 0;
    if (!first) return false;
    for (int k = 0; k < g->nodes; k++) first[k] = -1;
    for (int64_t i = 0; i < f->count; i++)
        if (f->node[i] >= 0 && first[f->node[i]] < 0) first[f->node[i]] = all, all += g->node[f->node[i]].size;
    bool *seen = lower_alloc(l, all, sizeof *seen);
    if (!seen || all > 4 * f->count) return false;
    for (int64_t i = 0; i < f->count; i++) {
        if (f->node[i] < 0) continue;
        bool *at = &seen[first[f->node[i]] + f->index[i]];
        if (*at) return false;
        *at = true;
        used++;
    }
    return used > 0;
}

/* b + W shift with its error, into arrays of the graph's arena. */
static bool dense_bias(lowering *l, const graph_form *f, int64_t out, const double *w, const double *b, bound_node *node)
{
    double *bias = lower_alloc_graph(l, 3 * out, sizeof *bias);
    if (!bias) return false;
    for (int64_t o = 0; o < out; o++) {
        double sum = b ? b[o] : 0, size = fabs(sum), error = 0;
        bool moved = false;
        for (int64_t i = 0; i < f->count; i++) {
            double wi = w[i * out + o];
            sum = fma(wi, f->shift[i], sum);
            size += fabs(wi) * (f->size[i] + (f->roundings ? 0x1p-90 : 0));
            error += fabs(wi) * (f->error[i] + fabs(f->shift[i]) * ((double)f->count + 4) * 0x1p-53);
            moved = moved || f->shift[i] != 0 || f->error[i] != 0;
        }
        bias[o] = sum;
        bias[out + o] = moved ? (error + size * ((double)f->count + 4) * 0x1p-53) * (1 + 0x1p-20) : 0;
        bias[2 * out + o] = size * (1 + 0x1p-20);
    }
    node->bias = bias;
    node->bias_error = bias + out;
    node->bias_size = bias + 2 * out;
    return true;
}

/* The columns of one node that the form reads. */
static int dense_part(lowering *l, const graph_form *f, int source, int64_t out, const double *w, const bound_node *like)
{
    int64_t in = l->build.graph->node[source].size;
    double *weight = lower_alloc_graph(l, out * in, sizeof *weight);
    bool inexact = false;
    if (!weight) return -1;
    for (int64_t i = 0; i < f->count; i++) {
        if (f->node[i] != source) continue;
        for (int64_t o = 0; o < out; o++) {
            weight[o * in + f->index[i]] = form_product(l, w[i * out + o], f->coefficient[i], &inexact);
        }
    }
    bound_node node = *like;
    node.inputs = 1;
    node.input = &source;
    node.weight = weight;
    node.slack = f->slack + inexact;
    return lower_add(l, &node);
}

/* y = x w + b for one row: w [in, out]. */
static void dense(lowering *l, graph_form *x, int64_t out, const double *w, const double *b)
{
    graph_form f;
    if (!fits_columns(l, x)) form_node(l, x);
    if (l->status || !form_open(l, x, &f)) return;
    int nodes = l->build.graph->nodes, parts = 0, *part = lower_alloc(l, nodes, sizeof *part);
    double *ones = lower_alloc(l, nodes, sizeof *ones);
    bool *used = lower_alloc(l, nodes, sizeof *used);
    if (l->status) return;
    for (int64_t i = 0; i < f.count; i++)
        if (f.node[i] >= 0) used[f.node[i]] = true;
    bound_node node = {.kind = BOUND_DENSE, .size = out, .roundings = (int)x->count + 1 + f.roundings};
    if ((b || x->plain < 0) && !dense_bias(l, &f, out, w, b, &node)) return;
    for (int k = 0; k < nodes && !l->status; k++) {
        if (!used[k]) continue;
        part[parts] = dense_part(l, &f, k, out, w, &node);
        node.bias = node.bias_error = node.bias_size = NULL;
        ones[parts++] = 1;
    }
    if (l->status) return;
    lower_set_node(l, parts == 1 ? part[0] : lower_add(l, &(bound_node){.kind = BOUND_SUM, .inputs = parts, .input = part, .size = out, .scale = ones}));
}

/* Several rows: a convolution of one tap. */
static void dense_rows(lowering *l, graph_form *x, int64_t rows, int64_t in, int64_t out, const double *w, const double *b)
{
    int source = form_node(l, x);
    double *weight = lower_alloc_graph(l, in * out, sizeof *weight), *bias = b ? lower_alloc_graph(l, rows * out, sizeof *bias) : NULL;
    if (l->status) return;
    memcpy(weight, w, (size_t)(in * out) * sizeof *weight);
    for (int64_t i = 0; b && i < rows * out; i++) bias[i] = b[i % out];
    bound_window window = {.height = rows, .width = 1, .channels = in, .out_height = rows, .out_width = 1, .out_channels = out, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    lower_set_node(l, lower_add(l, &(bound_node){.kind = BOUND_CONVOLUTION, .inputs = 1, .input = &source, .size = rows * out, .weight = weight, .bias = bias, .window = window, .roundings = (int)in + 1}));
}

static void linear(lowering *l)
{
    const double *w = lower_parameter(l, 0), *b = lower_parameter(l, 1);
    if (l->status) return;
    const nigh_shape *shape = lower_parameter_shape(l, 0);
    int64_t in = shape->dim[0], out = shape->dim[1], rows = lower_in(l, 0)->count / in;
    if (rows == 1) dense(l, lower_in(l, 0), out, w, b);
    else dense_rows(l, lower_in(l, 0), rows, in, out, w, b);
}

/* ---- products of two, one of them fixed ----------------------------------------------------------------- */

/* x W, or x W^T of a table that others read too. */
static void head(lowering *l)
{
    const double *w = lower_parameter(l, 0);
    if (!w) return;
    const nigh_shape *shape = lower_parameter_shape(l, 0);
    bool transposed = nigh_layer_number(l->layer, "transposed", 0) != 0;
    int64_t in = shape->dim[transposed ? 1 : 0], out = shape->dim[transposed ? 0 : 1], rows = lower_in(l, 0)->count / in;
    double scale = nigh_layer_number(l->layer, "scale", 1), *turned = lower_alloc(l, in * out, sizeof *turned);
    graph_form y;
    for (int64_t i = 0; turned && i < in * out; i++) turned[i] = w[transposed ? i % out * in + i / out : i];
    if (!turned) return;
    if (rows == 1) dense(l, lower_in(l, 0), out, turned, NULL);
    else dense_rows(l, lower_in(l, 0), rows, in, out, turned, NULL);
    if (l->status || scale == 1) return;
    double *s = lower_alloc(l, rows * out, sizeof *s);
    for (int64_t i = 0; s && i < rows * out; i++) s[i] = scale;
    if (s && form_affine(l, &l->value[l->at], s, NULL, NULL, NULL, 1, &y)) lower_set(l, &y);
}

/* The matrix s of a stack of them that is broadcast to the result's. */
static int64_t matrix_at(const nigh_shape *out, int64_t s, const nigh_shape *in)
{
    int64_t at = 0, stride = 1;
    for (int k = out->ndim - 3, j = in->ndim - 3; j >= 0; k--, j--) {
        if (in->dim[j] != 1) at += s % out->dim[k] * stride;
        stride *= in->dim[j];
        s /= out->dim[k];
    }
    return at;
}

static void matmul(lowering *l)
{
    const nigh_shape *a = lower_shape(l, 0), *b = lower_shape(l, 1), *out = lower_out(l);
    bool ta = nigh_layer_number(l->layer, "transpose-a", 0) != 0, tb = nigh_layer_number(l->layer, "transpose-b", 0) != 0, left = form_constant(lower_in(l, 0));
    int64_t m = out->dim[out->ndim - 2], n = out->dim[out->ndim - 1], k = a->dim[a->ndim - (ta ? 2 : 1)], count = nigh_shape_count(out);
    if (!left && !form_constant(lower_in(l, 1))) return lower_fail(l, NIGH_UNSUPPORTED, "a product of two results; bounds know products with what is fixed");
    if ((double)count * (double)k > 1e8) return lower_fail(l, NIGH_UNSUPPORTED, "a product of %lld terms", (long long)(count * k));
    graph_form fixed, y;
    int64_t *row = lower_alloc(l, count + 1, sizeof *row), *column = lower_alloc(l, count * k, sizeof *column);
    double *weight = lower_alloc(l, count * k, sizeof *weight);
    if (l->status || !form_open(l, lower_in(l, left ? 0 : 1), &fixed)) return;
    int slack = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t s = i / (m * n), r = i / n % m, c = i % n, from_a = matrix_at(out, s, a) * m * k, from_b = matrix_at(out, s, b) * k * n;
        for (int64_t e = 0; e < k; e++) {
            int64_t x = from_a + (ta ? e * m + r : r * k + e), z = from_b + (tb ? c * k + e : e * n + c), f = left ? x : z;
            column[i * k + e] = left ? z : x;
            weight[i * k + e] = fixed.shift[f];
            double units = fixed.error[f] > 0 ? ceil(fixed.error[f] / fabs(fixed.shift[f]) * 0x1p53 * (1 + 1e-9)) : 0;
            if (!(units < 1e6)) return lower_fail(l, NIGH_UNSUPPORTED, "a factor of %g is known to +-%g only", fixed.shift[f], fixed.error[f]);
            slack = units > slack ? (int)units : slack;
        }
        row[i + 1] = (i + 1) * k;
    }
    if (form_rows(l, lower_in(l, left ? 1 : 0), count, row, column, weight, slack, (int)k + fixed.roundings, &y)) lower_set(l, &y);
}

const lower_rule lower_products[] = {{"linear", linear}, {"head", head}, {"matmul", matmul}, {NULL, NULL}};
