/* Values and gradients of a few points at once. See descent.h. */
#include "verify/descent_inside.h"

#include <math.h>
#include <string.h>

#define LANES DESCENT_LANES

struct descent {
    nigh_context *ctx;
    const bound_graph *graph;
    const descent_passes *passes;
    double **value, **slope, **adjoint; /* [nodes]: results, derivatives of activations, and what the outputs owe to them */
    char *block;
};

static const descent_passes *descent_passes_get(void)
{
    return nigh_cpu() == NIGH_CPU_AVX512 ? &descent_passes_avx512 : nigh_cpu() == NIGH_CPU_AVX2 ? &descent_passes_avx2 : &descent_passes_scalar;
}

nigh_status descent_new(nigh_context *ctx, const bound_graph *graph, descent **out)
{
    size_t numbers = 0, pointers = 3 * (size_t)graph->nodes;
    for (int k = 0; k < graph->nodes; k++) {
        const bound_node *n = &graph->node[k];
        numbers += (size_t)n->size * (n->kind == BOUND_ACTIVATION ? 3 : 2);
    }
    descent *d = nigh_alloc_zero(ctx, 1, sizeof *d);
    if (!d) return NIGH_MEMORY;
    *d = (descent){.ctx = ctx, .graph = graph, .passes = descent_passes_get()};
    d->block = nigh_alloc(ctx, pointers * sizeof(double *) + numbers * LANES * sizeof(double));
    if (!d->block) return nigh_free(ctx, d), NIGH_MEMORY;
    double *at = (double *)d->block;
    double **table = (double **)(at + numbers * LANES);
    d->value = table, d->slope = table + graph->nodes, d->adjoint = table + 2 * graph->nodes;
    for (int k = 0; k < graph->nodes; k++) {
        const bound_node *n = &graph->node[k];
        size_t size = (size_t)n->size * LANES;
        d->value[k] = at, d->adjoint[k] = at + size, at += 2 * size;
        d->slope[k] = n->kind == BOUND_ACTIVATION ? at : NULL;
        if (n->kind == BOUND_ACTIVATION) at += size;
    }
    *out = d;
    return NIGH_OK;
}

void descent_free(descent *d)
{
    if (!d) return;
    nigh_free(d->ctx, d->block);
    nigh_free(d->ctx, d);
}

/* ---- activations -------------------------------------------------------------------------------------- */

static void activate(bound_function f, const double p[2], double x, double *y, double *slope)
{
    double e, t;
    switch (f) {
    case BOUND_RELU: *y = x > 0 ? x : 0, *slope = x >= 0; return;
    case BOUND_LEAKY: *y = x > 0 ? x : p[0] * x, *slope = x >= 0 ? 1 : p[0]; return;
    case BOUND_CLIP: *y = fmin(fmax(x, p[0]), p[1]), *slope = x >= p[0] && x < p[1]; return;
    case BOUND_ABS: *y = fabs(x), *slope = x >= 0 ? 1 : -1; return;
    case BOUND_SIGMOID: *y = 1 / (1 + exp(-x)), *slope = *y * (1 - *y); return;
    case BOUND_TANH: *y = tanh(x), *slope = 1 - *y * *y; return;
    case BOUND_SOFTPLUS: *y = x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)), *slope = 1 / (1 + exp(-x)); return;
    case BOUND_ELU: *y = x > 0 ? x : p[0] * expm1(x), *slope = x >= 0 ? 1 : p[0] * exp(x); return;
    case BOUND_EXP: *y = *slope = exp(x); return;
    case BOUND_SQUARE: *y = x * x, *slope = 2 * x; return;
    case BOUND_SIN: *y = sin(x), *slope = cos(x); return;
    case BOUND_COS: *y = cos(x), *slope = -sin(x); return;
    case BOUND_GELU:
        e = 0.5 * erfc(-x * M_SQRT1_2);
        *y = x * e, *slope = e + x * exp(-0.5 * x * x) * 0.3989422804014327;
        return;
    case BOUND_GELU_TANH:
        t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
        *y = 0.5 * x * (1 + t);
        *slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
        return;
    case BOUND_SILU:
        e = 1 / (1 + exp(-x));
        *y = x * e, *slope = e * (1 + x * (1 - e));
        return;
    case BOUND_FUNCTIONS: break;
    }
    *y = *slope = 0;
}

/* ---- passes ------------------------------------------------------------------------------------------- */

static void forward(descent *d, int k)
{
    const bound_node *n = &d->graph->node[k];
    double *y = d->value[k];
    const double *x = n->inputs ? d->value[n->input[0]] : NULL;
    if (n->kind == BOUND_ACTIVATION) {
        if (n->function == BOUND_RELU)
            for (int64_t i = 0; i < n->size * LANES; i++) y[i] = x[i] > 0 ? x[i] : 0, d->slope[k][i] = x[i] >= 0;
        else
            for (int64_t i = 0; i < n->size * LANES; i++) activate(n->function, n->p, x[i], &y[i], &d->slope[k][i]);
        return;
    }
    for (int64_t j = 0; j < n->size; j++)
        for (int l = 0; l < LANES; l++) y[j * LANES + l] = n->bias ? n->bias[j] : 0;
    if (n->kind == BOUND_DENSE) d->passes->dense_forward(n, d->graph->node[n->input[0]].size, x, y);
    if (n->kind == BOUND_SPARSE) d->passes->sparse_pass(n, x, y, false);
    if (n->kind == BOUND_CONVOLUTION) d->passes->window_pass(n, x, y, false);
    if (n->kind == BOUND_SUM)
        for (int i = 0; i < n->inputs; i++)
            for (int64_t j = 0; j < n->size * LANES; j++) y[j] += n->scale[i] * d->value[n->input[i]][j];
}

static void backward(descent *d, int k)
{
    const bound_node *n = &d->graph->node[k];
    const double *y = d->adjoint[k];
    double *x = n->inputs ? d->adjoint[n->input[0]] : NULL;
    if (n->kind == BOUND_ACTIVATION)
        for (int64_t i = 0; i < n->size * LANES; i++) x[i] += y[i] * d->slope[k][i];
    if (n->kind == BOUND_DENSE) d->passes->dense_backward(n, d->graph->node[n->input[0]].size, y, x);
    if (n->kind == BOUND_SPARSE) d->passes->sparse_pass(n, y, x, true);
    if (n->kind == BOUND_CONVOLUTION) d->passes->window_pass(n, y, x, true);
    if (n->kind == BOUND_SUM)
        for (int i = 0; i < n->inputs; i++)
            for (int64_t j = 0; j < n->size * LANES; j++) d->adjoint[n->input[i]][j] += n->scale[i] * y[j];
}

const double *descent_values(descent *d, const double *x)
{
    memcpy(d->value[0], x, (size_t)d->graph->inputs * LANES * sizeof *x);
    for (int k = 1; k <= d->graph->output; k++) forward(d, k);
    return d->value[d->graph->output];
}

const double *descent_gradient(descent *d, const double *weight)
{
    const bound_graph *g = d->graph;
    for (int k = 0; k <= g->output; k++) memset(d->adjoint[k], 0, (size_t)g->node[k].size * LANES * sizeof(double));
    memcpy(d->adjoint[g->output], weight, (size_t)g->node[g->output].size * LANES * sizeof(double));
    for (int k = g->output; k > 0; k--) backward(d, k);
    return d->adjoint[0];
}
