/* Affine nodes backwards: rows times the node's matrix. Declared in verify/crown_inside.h. */
#include "verify/crown_inside.h"

#include <string.h>

static nigh_status dense(bounds *b, crown *c, int k, int64_t rows)
{
    const bound_node *node = &b->graph->node[k];
    int64_t n = b->graph->node[node->input[0]].size;
    matmul_spec spec = {.dtype = NIGH_F64, .b_dtype = NIGH_F64, .m = rows, .n = n, .k = node->size, .a_row = node->size, .a_column = 1, .b_row = n, .b_column = 1,
                        .c_row = n, .c_column = 1, .alpha = 1};
    return matmul_new(b->ctx, &spec, 1, &c->product[k * (CROWN_TILE + 1) + rows]);
}

/* Zeros after the last row (column) that the windows reach; fewer than none: the last rows of x are not reached, and the convolution leaves them out by itself. */
static int64_t after(const bound_window *w, int i, int64_t size, int64_t out)
{
    int64_t high = (out - 1) * w->stride[i] + w->dilation[i] * (w->kernel[i] - 1) + 1 - size - w->pad[i];
    return high > 0 ? high : 0;
}

static nigh_status fields(bounds *b, crown *c, int k, int64_t rows)
{
    const bound_window *w = &b->graph->node[k].window;
    convolution_spec spec = {.kind = CONVOLUTION_DATA, .dtype = NIGH_F64, .dims = 2, .x = {rows, w->height, w->width, w->channels},
                             .w = {w->kernel[0], w->kernel[1], w->channels / w->groups, w->out_channels}, .stride = {w->stride[0], w->stride[1]},
                             .dilation = {w->dilation[0], w->dilation[1]}, .low = {w->pad[0], w->pad[1]},
                             .high = {after(w, 0, w->height, w->out_height), after(w, 1, w->width, w->out_width)}, .groups = w->groups};
    return convolution_new(b->ctx, &spec, 1, &c->convolution[k * (CROWN_TILE + 1) + rows]);
}

nigh_status crown_product(bounds *b, int k, int64_t rows)
{
    crown *c = b->crown;
    size_t need = 0;
    int64_t at = k * (CROWN_TILE + 1) + rows;
    bound_kind kind = b->graph->node[k].kind;
    nigh_status status = NIGH_OK;
    if (kind == BOUND_DENSE) {
        if (!c->product[at]) status = dense(b, c, k, rows);
        if (!status) need = matmul_workspace(c->product[at]);
    } else if (kind == BOUND_CONVOLUTION) {
        if (!c->convolution[at]) status = fields(b, c, k, rows);
        if (!status) need = convolution_workspace(c->convolution[at]);
    }
    if (status || need <= c->workspace) return status;
    for (int t = 0; t < c->threads; t++) {
        nigh_free(b->ctx, c->scratch[t].workspace);
        if (!(c->scratch[t].workspace = nigh_alloc(b->ctx, need))) status = NIGH_MEMORY;
    }
    c->workspace = status ? 0 : need;
    return status;
}

static void sparse(const bound_node *node, int64_t n, int64_t rows, const double *a, double *out)
{
    memset(out, 0, (size_t)(rows * n) * sizeof *out);
    for (int64_t i = 0; i < rows; i++, a += node->size, out += n)
        for (int64_t j = 0; j < node->size; j++)
            if (a[j] != 0)
                for (int64_t e = node->row[j]; e < node->row[j + 1]; e++) out[node->column[e]] += a[j] * node->weight[e];
}

void crown_affine(const crown *c, const bound_graph *g, int k, int64_t rows, const double *a, double *out, void *workspace)
{
    const bound_node *node = &g->node[k];
    int64_t at = k * (CROWN_TILE + 1) + rows;
    if (node->kind == BOUND_DENSE) matmul_run(c->product[at], a, node->weight, NULL, out, workspace);
    else if (node->kind == BOUND_CONVOLUTION) convolution_run(c->convolution[at], a, node->weight, NULL, out, NULL, workspace);
    else sparse(node, g->node[node->input[0]].size, rows, a, out);
}

/* The window of one place of the result, one channel. */
static void unit_window(const bound_window *w, const double *weight, int64_t element, double sign, double *out)
{
    int64_t channel = element % w->out_channels, place = element / w->out_channels, y = place / w->out_width, x = place % w->out_width;
    int64_t of_group = w->channels / w->groups, group = channel / (w->out_channels / w->groups);
    memset(out, 0, (size_t)(w->height * w->width * w->channels) * sizeof *out);
    for (int64_t p = 0; p < w->kernel[0]; p++)
        for (int64_t q = 0; q < w->kernel[1]; q++) {
            int64_t iy = y * w->stride[0] + p * w->dilation[0] - w->pad[0], ix = x * w->stride[1] + q * w->dilation[1] - w->pad[1];
            if (iy < 0 || iy >= w->height || ix < 0 || ix >= w->width) continue;
            double *at = out + (iy * w->width + ix) * w->channels + group * of_group;
            const double *from = weight + (p * w->kernel[1] + q) * of_group * w->out_channels + channel;
            for (int64_t i = 0; i < of_group; i++) at[i] = sign * from[i * w->out_channels];
        }
}

void crown_unit(const bound_graph *g, int k, int64_t element, double sign, double *out)
{
    const bound_node *node = &g->node[k];
    int64_t n = g->node[node->input[0]].size;
    if (node->kind == BOUND_CONVOLUTION) unit_window(&node->window, node->weight, element, sign, out);
    else if (node->kind == BOUND_DENSE)
        for (int64_t i = 0; i < n; i++) out[i] = sign * node->weight[element * n + i];
    else {
        memset(out, 0, (size_t)n * sizeof *out);
        for (int64_t e = node->row[element]; e < node->row[element + 1]; e++) out[node->column[e]] += sign * node->weight[e];
    }
}
