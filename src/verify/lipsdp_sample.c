/* Slopes of a graph at points: what a Lipschitz constant is at least. See lipsdp.h. */
#include <math.h>
#include <string.h>

#include "nigh/random.h"
#include "tensor/dense.h"
#include "verify/lipsdp.h"

typedef struct point {
    const lip_graph *g;
    int64_t *offset, numbers;     /* [nodes] of values */
    double *value, *along, *back; /* values; a tangent; a cotangent */
    double *slope;                /* of slope and Householder activations: an element's, a group's side */
    int64_t *order;               /* of sorted groups: which element stands here */
    double *direction;            /* [inputs] */
} point;

static nigh_status point_new(const lip_graph *g, point *p)
{
    *p = (point){.g = g, .offset = nigh_alloc_zero(g->ctx, (size_t)g->nodes, sizeof *p->offset)};
    if (!p->offset) return NIGH_MEMORY;
    for (int k = 0; k < g->nodes; k++) p->offset[k] = p->numbers, p->numbers += g->node[k].size;
    p->value = nigh_alloc_zero(g->ctx, (size_t)(4 * p->numbers + g->node[0].size), sizeof *p->value);
    p->order = nigh_alloc_zero(g->ctx, (size_t)p->numbers, sizeof *p->order);
    if (!p->value || !p->order) return NIGH_MEMORY;
    p->along = p->value + p->numbers, p->back = p->along + p->numbers, p->slope = p->back + p->numbers, p->direction = p->slope + p->numbers;
    return NIGH_OK;
}

static void point_free(point *p)
{
    nigh_free(p->g->ctx, p->offset);
    nigh_free(p->g->ctx, p->value);
    nigh_free(p->g->ctx, p->order);
}

/* ---- activations ------------------------------------------------------------------------------------------ */

static void sort_group(int64_t n, const double *x, double *y, int64_t *order)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t j = i;
        for (; j > 0 && x[i] > y[j - 1]; j--) y[j] = y[j - 1], order[j] = order[j - 1];
        y[j] = x[i], order[j] = i;
    }
}

static double project(int64_t n, const double *v, const double *x, double *square)
{
    double sum = 0;
    *square = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i] * x[i], *square += v[i] * v[i];
    return sum;
}

static void activate(point *p, const lip_node *node, int64_t at, const double *x)
{
    double *y = p->value + at, *slope = p->slope + at;
    if (node->form == NIGH_LIPSCHITZ_SORT)
        for (int64_t from = 0; from < node->size; from += node->group) sort_group(node->group, x + from, y + from, p->order + at + from);
    else if (node->form == NIGH_LIPSCHITZ_HOUSEHOLDER)
        for (int64_t from = 0; from < node->size; from += node->group) {
            double square, side = project(node->group, node->vector + from, x + from, &square);
            slope[from] = side > 0 ? 0 : 2 / square;
            for (int64_t i = from; i < from + node->group; i++) y[i] = x[i] - slope[from] * side * node->vector[i];
        }
    else
        for (int64_t i = 0; i < node->size; i++) {
            const double h = 1e-6 * (1 + fabs(x[i]));
            slope[i] = node->function ? (node->function(x[i] + h, node->p) - node->function(x[i] - h, node->p)) / (2 * h) : x[i] > 0 ? node->high : node->low;
            y[i] = node->function ? node->function(x[i], node->p) : slope[i] * x[i];
        }
}

/* The activation's derivative times dx; its transpose is meant with `transposed` (reflections and diagonals are their own). */
static void differentiate(const point *p, const lip_node *node, int64_t at, bool transposed, const double *dx, double *dy)
{
    const double *slope = p->slope + at;
    const int64_t *order = p->order + at;
    for (int64_t i = 0; i < node->size; i++) {
        int64_t from = node->group ? i - i % node->group : i;
        if (node->form == NIGH_LIPSCHITZ_SORT && transposed) dy[from + order[i]] += dx[i];
        else if (node->form == NIGH_LIPSCHITZ_SORT) dy[i] += dx[from + order[i]];
        else if (node->form != NIGH_LIPSCHITZ_HOUSEHOLDER) dy[i] += slope[i] * dx[i];
        else if (i == from) {
            double square, side = project(node->group, node->vector + from, dx + from, &square);
            for (int64_t j = from; j < from + node->group; j++) dy[j] += dx[j] - slope[from] * side * node->vector[j];
        }
    }
}

/* ---- values, tangents, cotangents -------------------------------------------------------------------------- */

static void evaluate(point *p, const double *x)
{
    const lip_graph *g = p->g;
    memcpy(p->value, x, (size_t)g->node[0].size * sizeof *x);
    for (int k = 1; k < g->nodes; k++) {
        const lip_node *node = &g->node[k];
        double *y = p->value + p->offset[k];
        const double *in = p->value + p->offset[node->input[0]];
        if (node->kind == LIP_ACTIVATION) activate(p, node, p->offset[k], in);
        else if (node->bias) memcpy(y, node->bias, (size_t)node->size * sizeof *y);
        else memset(y, 0, (size_t)node->size * sizeof *y);
        if (node->kind == LIP_LINEAR) {
            int inputs = (int)g->node[node->input[0]].size;
            cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)node->size, inputs, 1, node->weight, inputs, in, 1, 1, y, 1);
        }
        for (int i = 0; node->kind == LIP_SUM && i < node->inputs; i++)
            cblas_daxpy((int)node->size, node->scale[i], p->value + p->offset[node->input[i]], 1, y, 1);
    }
}

static void forward(point *p)
{
    const lip_graph *g = p->g;
    memset(p->along, 0, (size_t)p->numbers * sizeof *p->along);
    memcpy(p->along, p->direction, (size_t)g->node[0].size * sizeof *p->along);
    for (int k = 1; k < g->nodes; k++) {
        const lip_node *node = &g->node[k];
        double *dy = p->along + p->offset[k], *dx = p->along + p->offset[node->input[0]];
        int inputs = (int)g->node[node->input[0]].size;
        if (node->kind == LIP_ACTIVATION) differentiate(p, node, p->offset[k], false, dx, dy);
        else if (node->kind == LIP_LINEAR) cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)node->size, inputs, 1, node->weight, inputs, dx, 1, 1, dy, 1);
        else
            for (int i = 0; i < node->inputs; i++) cblas_daxpy((int)node->size, node->scale[i], p->along + p->offset[node->input[i]], 1, dy, 1);
    }
}

static void backward(point *p, const double *from)
{
    const lip_graph *g = p->g;
    memset(p->back, 0, (size_t)p->numbers * sizeof *p->back);
    memcpy(p->back + p->offset[g->nodes - 1], from, (size_t)g->node[g->nodes - 1].size * sizeof *from);
    for (int k = g->nodes - 1; k > 0; k--) {
        const lip_node *node = &g->node[k];
        double *dy = p->back + p->offset[k], *dx = p->back + p->offset[node->input[0]];
        int inputs = (int)g->node[node->input[0]].size;
        if (node->kind == LIP_ACTIVATION) differentiate(p, node, p->offset[k], true, dy, dx);
        else if (node->kind == LIP_LINEAR) cblas_dgemv(CblasRowMajor, CblasTrans, (int)node->size, inputs, 1, node->weight, inputs, dy, 1, 1, dx, 1);
        else
            for (int i = 0; i < node->inputs; i++) cblas_daxpy((int)node->size, node->scale[i], dy, 1, p->back + p->offset[node->input[i]], 1);
    }
}

/* ---- slopes ------------------------------------------------------------------------------------------------ */

/* With rows (one): the dual norm of the row's gradient. Else the power method from the direction at hand, which is kept for the next point. */
static double slope_of(point *p, int64_t rows, const double *row, nigh_lipschitz_norm norm, const double *x, int steps)
{
    const lip_graph *g = p->g;
    const int inputs = (int)g->node[0].size, outputs = (int)g->node[g->nodes - 1].size;
    double best = 0;
    evaluate(p, x);
    if (rows) {
        backward(p, row);
        return norm == NIGH_LIPSCHITZ_INF ? cblas_dasum(inputs, p->back, 1) : cblas_dnrm2(inputs, p->back, 1);
    }
    for (int step = 0; step < steps; step++) {
        double length = cblas_dnrm2(inputs, p->direction, 1);
        if (!(length > 0)) break;
        cblas_dscal(inputs, 1 / length, p->direction, 1);
        forward(p);
        const double *y = p->along + p->offset[g->nodes - 1];
        best = fmax(best, cblas_dnrm2(outputs, y, 1));
        backward(p, y);
        memcpy(p->direction, p->back, (size_t)inputs * sizeof *p->back);
    }
    return best;
}

static void draw_direction(point *p, nigh_rng *rng)
{
    for (int64_t i = 0; i < p->g->node[0].size; i++) p->direction[i] = nigh_rng_normal(rng);
}

nigh_status lip_slope_at(const lip_graph *graph, int64_t rows, const double *row, nigh_lipschitz_norm norm, const double *x, int steps, double *slope)
{
    point p;
    nigh_rng rng = nigh_rng_new(1, 0);
    nigh_status status = point_new(graph, &p);
    if (!status) draw_direction(&p, &rng);
    if (!status) *slope = slope_of(&p, rows, row, norm, x, steps);
    point_free(&p);
    return status;
}

/* Climbs from a point by random steps of falling length. */
static double climb(point *p, int64_t rows, const double *row, nigh_lipschitz_norm norm, nigh_rng *rng, double *x, double *next)
{
    const int64_t n = p->g->node[0].size;
    double length = 1, best;
    for (int64_t i = 0; i < n; i++) x[i] = nigh_rng_normal(rng);
    draw_direction(p, rng);
    best = slope_of(p, rows, row, norm, x, 12);
    for (int step = 0; step < 12; step++, length *= 0.75) {
        for (int64_t i = 0; i < n; i++) next[i] = x[i] + length * nigh_rng_normal(rng);
        double slope = slope_of(p, rows, row, norm, next, 3);
        if (!(slope > best)) continue;
        best = slope;
        memcpy(x, next, (size_t)n * sizeof *x);
    }
    return best;
}

nigh_status lip_sample(const lip_graph *graph, int64_t rows, const double *row, nigh_lipschitz_norm norm, int samples, uint64_t seed, double *slope)
{
    point p;
    nigh_rng rng = nigh_rng_new(seed, 0);
    const int64_t n = graph->node[0].size;
    double best = 0, *x = nigh_alloc(graph->ctx, (size_t)(2 * n) * sizeof *x);
    nigh_status status = point_new(graph, &p);
    if (!x) status = NIGH_MEMORY;
    for (int i = 0; i < samples && !status; i++) {
        best = fmax(best, climb(&p, rows, row, norm, &rng, x, x + n));
        status = nigh_poll(graph->ctx);
    }
    point_free(&p);
    nigh_free(graph->ctx, x);
    if (!status) *slope = best;
    return status;
}
