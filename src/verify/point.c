/*
 * Rigorous evaluation at a point. Sums are those of "Accurate sum and dot product" (Ogita, Rump, Oishi, 2005): products and sums are split into what f64 gives and
 * what it lost, and what was lost is added up beside; the result is within u |sum| + (n u)^2 sum |terms|. Declared in verify/point.h.
 */
#include "verify/point.h"

#include "verify/relax.h"
#include "core/round.h"

#include <string.h>

/* A dot product of weights and intervals m +- r on the way. */
typedef struct dot {
    double sum, lost, size, radius;
    int64_t terms;
} dot;

static inline void add(dot *d, double w, double m, double r)
{
    double p = w * m, e = fma(w, m, -p), s = d->sum + p, z = s - d->sum;
    d->lost += ((d->sum - (s - z)) + (p - z)) + e;
    d->sum = s;
    d->size += fabs(p);
    d->radius += fabs(w) * r;
    d->terms++;
}

/* Where row i of a node gets its terms. m, r: of its input. */
static void row_of_convolution(const bound_node *node, int64_t i, const double *m, const double *r, dot *d)
{
    const bound_window *w = &node->window;
    int64_t per = w->channels / w->groups, c = i % w->out_channels, column = i / w->out_channels % w->out_width, line = i / w->out_channels / w->out_width;
    int64_t first = c / (w->out_channels / w->groups) * per;
    for (int64_t p = 0; p < w->kernel[0]; p++)
        for (int64_t q = 0; q < w->kernel[1]; q++) {
            int64_t y = line * w->stride[0] + p * w->dilation[0] - w->pad[0], x = column * w->stride[1] + q * w->dilation[1] - w->pad[1];
            if (y < 0 || y >= w->height || x < 0 || x >= w->width) continue;
            int64_t from = (y * w->width + x) * w->channels + first, k = (p * w->kernel[1] + q) * per * w->out_channels + c;
            for (int64_t j = 0; j < per; j++) add(d, node->weight[k + j * w->out_channels], m[from + j], r[from + j]);
        }
}

/* The interval of a row: everything that can be off is added to its radius. */
static void close_row(const bound_node *node, int64_t i, bool single, dot *d, double *low, double *high)
{
    double bias = node->bias ? node->bias[i] : 0, error = node->bias_error ? node->bias_error[i] : 0, size = node->bias_size ? node->bias_size[i] : fabs(bias);
    if (node->bias) add(d, 1, bias, 0);
    double y = d->sum + d->lost, n = (double)d->terms + 4, twice = n * ROUND_UNIT;
    double all = (d->size + d->radius) * (1 + 2 * twice), r = d->radius * (1 + 2 * twice) + error;
    r += fabs(y) * ROUND_UNIT * 1.01 + 4 * twice * twice * all + node->slack * 1.01 * ROUND_UNIT * all + n * ROUND_TINY;
    if (single) r += round_gamma(node->roundings, ROUND_UNIT_SINGLE) * 1.02 * (all + size + error) + n * 0x1p-125 + ROUND_TINY_SINGLE;
    *low = round_down(y - r);
    *high = round_up(y + r);
    if (isfinite(y) && isfinite(r) && !(single && node->roundings * ROUND_UNIT_SINGLE > 0.01)) return;
    *low = -INFINITY;
    *high = INFINITY;
}

typedef struct evaluation {
    const bound_graph *g;
    double **low, **high; /* [nodes] */
    double *m, *r;        /* [the largest size] */
    bool single;
} evaluation;

/* Middle and radius of the results of a node. */
static void centre(const evaluation *e, int k)
{
    for (int64_t i = 0; i < e->g->node[k].size; i++) {
        double low = e->low[k][i], high = e->high[k][i], m = low == high ? low : 0.5 * low + 0.5 * high;
        e->m[i] = m;
        e->r[i] = low == high ? 0 : round_up(fmax(high - m, m - low));
    }
}

static void affine_node(const evaluation *e, int k)
{
    const bound_node *node = &e->g->node[k];
    int64_t in = e->g->node[node->input[0]].size;
    if (node->kind != BOUND_SUM) centre(e, node->input[0]);
    for (int64_t i = 0; i < node->size; i++) {
        dot d = {0};
        if (node->kind == BOUND_CONVOLUTION) row_of_convolution(node, i, e->m, e->r, &d);
        for (int64_t j = 0; node->kind == BOUND_DENSE && j < in; j++) add(&d, node->weight[i * in + j], e->m[j], e->r[j]);
        for (int64_t j = node->kind == BOUND_SPARSE ? node->row[i] : 0, end = node->kind == BOUND_SPARSE ? node->row[i + 1] : 0; j < end; j++)
            add(&d, node->weight[j], e->m[node->column[j]], e->r[node->column[j]]);
        for (int j = 0; node->kind == BOUND_SUM && j < node->inputs; j++) {
            double low = e->low[node->input[j]][i], high = e->high[node->input[j]][i], m = low == high ? low : 0.5 * low + 0.5 * high;
            add(&d, node->scale[j], m, low == high ? 0 : round_up(fmax(high - m, m - low)));
        }
        close_row(node, i, e->single, &d, &e->low[k][i], &e->high[k][i]);
    }
}

static void walk(const evaluation *e)
{
    for (int k = 1; k < e->g->nodes; k++) {
        const bound_node *node = &e->g->node[k];
        if (node->kind == BOUND_ACTIVATION) relax_enclose(node->function, node->p, node->size, e->low[node->input[0]], e->high[node->input[0]], e->single, e->low[k], e->high[k]);
        else affine_node(e, k);
    }
}

static nigh_status allocate(nigh_arena *arena, evaluation *e)
{
    int64_t most = 1;
    e->low = nigh_arena_alloc(arena, (size_t)e->g->nodes * sizeof *e->low);
    e->high = nigh_arena_alloc(arena, (size_t)e->g->nodes * sizeof *e->high);
    for (int k = 0; e->low && e->high && k < e->g->nodes; k++) {
        int64_t n = e->g->node[k].size;
        e->low[k] = nigh_arena_alloc(arena, (size_t)(n + 1) * sizeof **e->low);
        e->high[k] = nigh_arena_alloc(arena, (size_t)(n + 1) * sizeof **e->high);
        if (!e->low[k] || !e->high[k]) return NIGH_MEMORY;
        most = n > most ? n : most;
    }
    e->m = nigh_arena_alloc(arena, (size_t)most * sizeof *e->m);
    e->r = nigh_arena_alloc(arena, (size_t)most * sizeof *e->r);
    return e->low && e->high && e->m && e->r ? NIGH_OK : NIGH_MEMORY;
}

nigh_status bounds_point(const bound_graph *graph, const double *x_low, const double *x_high, bool single, double *y_low, double *y_high)
{
    evaluation e = {.g = graph, .single = single};
    nigh_arena *arena = NULL;
    for (int64_t i = 0; i < graph->inputs; i++)
        if (!isfinite(x_low[i]) || !isfinite(x_high[i]) || x_low[i] > x_high[i])
            return nigh_fail(graph->ctx, NIGH_INVALID, "point: input %lld is within [%g, %g]; a finite interval is needed", (long long)i, x_low[i], x_high[i]);
    nigh_status status = nigh_arena_new(graph->ctx, &arena);
    if (!status) status = allocate(arena, &e);
    if (!status) {
        size_t in = (size_t)graph->inputs * sizeof(double), out = (size_t)graph->node[graph->output].size * sizeof(double);
        memcpy(e.low[0], x_low, in);
        memcpy(e.high[0], x_high, in);
        walk(&e);
        memcpy(y_low, e.low[graph->output], out);
        memcpy(y_high, e.high[graph->output], out);
    }
    nigh_arena_free(arena);
    return status;
}
