/* Rows through affine nodes: dense maps and convolutions by prepared kernels of 128, 16 and 1 rows, sparse maps by loops. */
#include "verify/tangent.h"
#include "tensor/convolution.h"
#include "tensor/matmul.h"
#include "core/round.h"

#include <math.h>
#include <string.h>

enum { PIECES = 3 };
static const int64_t piece[PIECES] = {128, 16, 1};

typedef struct kernels {
    matmul *product[2][PIECES];     /* forward, back */
    convolution *window[2][PIECES];
    double *weight;                 /* absolute values; NULL: those of the graph */
    double terms;
} kernels;

struct tangent {
    nigh_context *ctx;
    const bound_graph *graph;
    kernels *node;
    size_t workspace, scratch; /* scratch: of a kernel; behind it the rows of a convolution's result wait to be added */
};

static nigh_status dense(tangent *t, const bound_node *node, kernels *k, int64_t inputs)
{
    nigh_status status = NIGH_OK;
    k->terms = (double)(inputs > node->size ? inputs : node->size);
    for (int p = 0; p < PIECES && !status; p++) {
        matmul_spec forward = {.dtype = NIGH_F64, .b_dtype = NIGH_F64, .m = piece[p], .n = node->size, .k = inputs, .a_row = inputs, .a_column = 1, .b_row = 1, .b_column = inputs,
                               .c_row = node->size, .c_column = 1, .alpha = 1};
        matmul_spec back = {.dtype = NIGH_F64, .b_dtype = NIGH_F64, .m = piece[p], .n = inputs, .k = node->size, .a_row = node->size, .a_column = 1, .b_row = inputs, .b_column = 1,
                            .c_row = inputs, .c_column = 1, .alpha = 1, .beta = 1};
        status = matmul_new(t->ctx, &forward, 1, &k->product[0][p]);
        if (!status) status = matmul_new(t->ctx, &back, 1, &k->product[1][p]);
        for (int way = 0; way < 2 && !status; way++)
            if (matmul_workspace(k->product[way][p]) > t->scratch) t->scratch = matmul_workspace(k->product[way][p]);
    }
    return status;
}

static nigh_status window(tangent *t, const bound_node *node, kernels *k, int64_t inputs)
{
    const bound_window *w = &node->window;
    convolution_spec spec = {.dtype = NIGH_F64, .dims = 2, .w = {w->kernel[0], w->kernel[1], w->channels / w->groups, w->out_channels}, .stride = {w->stride[0], w->stride[1]},
                             .dilation = {w->dilation[0], w->dilation[1]}, .low = {w->pad[0], w->pad[1]}, .padding = HALO_ZERO, .groups = w->groups};
    int64_t in[2] = {w->height, w->width}, out[2] = {w->out_height, w->out_width}, y[CONVOLUTION_DIMS + 2];
    for (int d = 0; d < 2; d++) {
        int64_t reach = (out[d] - 1) * w->stride[d] + w->dilation[d] * (w->kernel[d] - 1) + 1 - in[d] - w->pad[d];
        spec.high[d] = reach > 0 ? reach : 0;
    }
    k->terms = (double)(w->kernel[0] * w->kernel[1] * (w->channels > w->out_channels ? w->channels : w->out_channels));
    nigh_status status = NIGH_OK;
    for (int p = 0; p < PIECES && !status; p++)
        for (int way = 0; way < 2 && !status; way++) {
            spec.kind = way ? CONVOLUTION_DATA : CONVOLUTION_FORWARD;
            spec.x[0] = piece[p], spec.x[1] = in[0], spec.x[2] = in[1], spec.x[3] = w->channels;
            status = convolution_shape(t->ctx, &spec, y);
            if (!status && (y[1] != out[0] || y[2] != out[1] || piece[p] * inputs != piece[p] * in[0] * in[1] * w->channels))
                status = nigh_fail(t->ctx, NIGH_UNSUPPORTED, "the convolution '%s' leaves out a part of its input", node->name ? node->name : "");
            if (!status) status = convolution_new(t->ctx, &spec, 1, &k->window[way][p]);
            if (!status && convolution_workspace(k->window[way][p]) > t->scratch) t->scratch = convolution_workspace(k->window[way][p]);
        }
    return status;
}

static nigh_status absolute_weights(tangent *t, const bound_node *node, kernels *k, int64_t inputs)
{
    int64_t count = node->kind == BOUND_DENSE ? node->size * inputs : node->kind == BOUND_SPARSE ? node->row[node->size]
                    : node->window.kernel[0] * node->window.kernel[1] * (node->window.channels / node->window.groups) * node->window.out_channels;
    k->weight = nigh_alloc(t->ctx, (size_t)(count ? count : 1) * sizeof(double));
    if (!k->weight) return NIGH_MEMORY;
    for (int64_t i = 0; i < count; i++) k->weight[i] = node->slack ? round_up(fabs(node->weight[i]) * (1 + node->slack * 0x1p-52)) : fabs(node->weight[i]);
    return NIGH_OK;
}

static double sparse_terms(nigh_context *ctx, const bound_node *node, int64_t inputs, nigh_status *status)
{
    int64_t most = 1, *column = nigh_alloc_zero(ctx, (size_t)inputs + 1, sizeof *column);
    if (!column) *status = NIGH_MEMORY;
    for (int64_t i = 0; i < node->size && column; i++) {
        if (node->row[i + 1] - node->row[i] > most) most = node->row[i + 1] - node->row[i];
        for (int64_t e = node->row[i]; e < node->row[i + 1]; e++)
            if (++column[node->column[e]] > most) most = column[node->column[e]];
    }
    nigh_free(ctx, column);
    return (double)most;
}

nigh_status tangent_new(nigh_context *ctx, const bound_graph *graph, bool absolute, tangent **out)
{
    tangent *t = nigh_alloc_zero(ctx, 1, sizeof *t);
    if (!t) return NIGH_MEMORY;
    *t = (tangent){.ctx = ctx, .graph = graph, .node = nigh_alloc_zero(ctx, (size_t)graph->nodes, sizeof *t->node)};
    nigh_status status = t->node ? NIGH_OK : NIGH_MEMORY;
    size_t rows = 0;
    for (int i = 0; i < graph->nodes && !status; i++) {
        const bound_node *node = &graph->node[i];
        if (node->kind != BOUND_DENSE && node->kind != BOUND_CONVOLUTION && node->kind != BOUND_SPARSE) continue;
        int64_t inputs = graph->node[node->input[0]].size;
        if (absolute) status = absolute_weights(t, node, &t->node[i], inputs);
        if (!status && node->kind == BOUND_DENSE) status = dense(t, node, &t->node[i], inputs);
        if (!status && node->kind == BOUND_CONVOLUTION) status = window(t, node, &t->node[i], inputs);
        if (!status && node->kind == BOUND_SPARSE) t->node[i].terms = sparse_terms(ctx, node, inputs, &status);
        if (node->kind == BOUND_CONVOLUTION && (size_t)inputs * (size_t)piece[0] > rows) rows = (size_t)inputs * (size_t)piece[0];
    }
    t->scratch = (t->scratch + 63) / 64 * 64;
    t->workspace = t->scratch + rows * sizeof(double);
    if (status) {
        tangent_free(t);
        return status;
    }
    *out = t;
    return NIGH_OK;
}

void tangent_free(tangent *t)
{
    if (!t) return;
    for (int i = 0; t->node && i < t->graph->nodes; i++) {
        for (int way = 0; way < 2; way++)
            for (int p = 0; p < PIECES; p++) {
                matmul_free(t->node[i].product[way][p]);
                convolution_free(t->node[i].window[way][p]);
            }
        nigh_free(t->ctx, t->node[i].weight);
    }
    nigh_free(t->ctx, t->node);
    nigh_free(t->ctx, t);
}

size_t tangent_workspace(const tangent *t) { return t->workspace; }
double tangent_terms(const tangent *t, int node) { return t->node[node].terms; }

static void sparse(const bound_node *node, const double *weight, int64_t rows, int64_t inputs, bool back, const double *from, double *to)
{
    for (int64_t r = 0; r < rows; r++) {
        const double *f = from + r * (back ? node->size : inputs);
        double *o = to + r * (back ? inputs : node->size);
        for (int64_t i = 0; i < node->size; i++) {
            double sum = 0;
            if (back) {
                if (f[i] != 0)
                    for (int64_t e = node->row[i]; e < node->row[i + 1]; e++) o[node->column[e]] += weight[e] * f[i];
            } else {
                for (int64_t e = node->row[i]; e < node->row[i + 1]; e++) sum += weight[e] * f[node->column[e]];
                o[i] = sum;
            }
        }
    }
}

static void run(const tangent *t, int index, bool back, int64_t rows, const double *from, double *to, void *workspace)
{
    const bound_node *node = &t->graph->node[index];
    const kernels *k = &t->node[index];
    const double *weight = k->weight ? k->weight : node->weight;
    int64_t inputs = t->graph->node[node->input[0]].size, a = back ? node->size : inputs, b = back ? inputs : node->size;
    if (node->kind == BOUND_SPARSE) {
        sparse(node, weight, rows, inputs, back, from, to);
        return;
    }
    for (int p = 0; p < PIECES; p++)
        for (; rows >= piece[p]; rows -= piece[p], from += piece[p] * a, to += piece[p] * b) {
            if (node->kind == BOUND_DENSE) {
                matmul_run(k->product[back][p], from, weight, NULL, to, workspace);
                continue;
            }
            double *wait = (double *)((char *)workspace + t->scratch);
            convolution_run(k->window[back][p], from, weight, NULL, back ? wait : to, NULL, workspace);
            for (int64_t i = 0; back && i < piece[p] * b; i++) to[i] += wait[i];
        }
}

void tangent_forward(const tangent *t, int node, int64_t rows, const double *from, double *to, void *workspace) { run(t, node, false, rows, from, to, workspace); }
void tangent_back(const tangent *t, int node, int64_t rows, const double *from, double *to, void *workspace) { run(t, node, true, rows, from, to, workspace); }
