/* True gradients at points, and the best choice of derivatives: what bounds of Jacobians are held against. */
#include "nigh/random.h"
#include "verify/derivative.h"
#include "verify/local_lipschitz.h"
#include "verify/tangent.h"

#include <math.h>
#include <string.h>

#ifdef _OPENMP
#include <omp.h>
#endif

enum { POINTS = 128 };

typedef struct lane {
    double **value, **gradient; /* [nodes] each [POINTS, size]; at activations `value` becomes the derivative */
    void *workspace;
} lane;

struct sampler {
    nigh_context *ctx;
    const bound_graph *graph;
    tangent *plain;
    int threads;
    lane *lanes;
};

nigh_status sampler_new(nigh_context *ctx, const bound_graph *graph, int threads, sampler **out)
{
    sampler *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    *s = (sampler){.ctx = ctx, .graph = graph, .threads = threads < 1 ? 1 : threads};
    size_t n = (size_t)graph->nodes;
    nigh_status status = tangent_new(ctx, graph, false, &s->plain);
    if (!status && !(s->lanes = nigh_alloc_zero(ctx, (size_t)s->threads, sizeof *s->lanes))) status = NIGH_MEMORY;
    for (int t = 0; t < s->threads && !status; t++) {
        lane *l = &s->lanes[t];
        l->value = nigh_alloc_zero(ctx, n, sizeof *l->value), l->gradient = nigh_alloc_zero(ctx, n, sizeof *l->gradient);
        l->workspace = nigh_alloc(ctx, tangent_workspace(s->plain) + 64);
        if (!l->value || !l->gradient || !l->workspace) status = NIGH_MEMORY;
        for (size_t m = 0; m < n && !status; m++) {
            size_t bytes = POINTS * (size_t)graph->node[m].size * sizeof(double);
            if (!(l->value[m] = nigh_alloc(ctx, bytes)) || !(l->gradient[m] = nigh_alloc(ctx, bytes))) status = NIGH_MEMORY;
        }
    }
    if (status) {
        sampler_free(s);
        return status;
    }
    *out = s;
    return NIGH_OK;
}

void sampler_free(sampler *s)
{
    if (!s) return;
    for (int t = 0; s->lanes && t < s->threads; t++) {
        lane *l = &s->lanes[t];
        for (int m = 0; m < s->graph->nodes; m++) {
            if (l->value) nigh_free(s->ctx, l->value[m]);
            if (l->gradient) nigh_free(s->ctx, l->gradient[m]);
        }
        nigh_free(s->ctx, l->value);
        nigh_free(s->ctx, l->gradient);
        nigh_free(s->ctx, l->workspace);
    }
    nigh_free(s->ctx, s->lanes);
    tangent_free(s->plain);
    nigh_free(s->ctx, s);
}

/* ---- forward and back ---------------------------------------------------------------------------------- */

static void add_sum(const bound_node *node, int64_t n, double *const *value, double *to)
{
    memset(to, 0, (size_t)(n * node->size) * sizeof(double));
    for (int i = 0; i < node->inputs; i++)
        for (int64_t e = 0; e < n * node->size; e++) to[e] += node->scale[i] * value[node->input[i]][e];
}

/* The derivative of an activation from the left when its argument is 0 exactly. */
static double slope_at(const bound_node *node, bool left, double x)
{
    if (left && node->function <= BOUND_ABS) x = x == 0 || x == node->p[0] || x == node->p[1] ? nextafter(x, -INFINITY) : x;
    return derivative_at(node->function, node->p, x);
}

/* Values of all nodes; slopes [activations' nodes] get derivatives (in `slope`, which may share memory with gradients). */
static void forward(const sampler *s, lane *l, int64_t n, bool tangents, bool left, const double *x)
{
    const bound_graph *g = s->graph;
    if (x != l->value[0]) memcpy(l->value[0], x, (size_t)(n * g->node[0].size) * sizeof(double));
    for (int m = 1; m <= g->output; m++) {
        const bound_node *node = &g->node[m];
        double *to = l->value[m];
        if (node->kind == BOUND_SUM) add_sum(node, n, l->value, to);
        else if (node->kind == BOUND_ACTIVATION) {
            const double *in = l->value[node->input[0]];
            for (int64_t e = 0; e < n * node->size; e++) {
                if (tangents) to[e] = in[e] * l->gradient[m][e];
                else to[e] = derivative_value(node->function, node->p, in[e]), l->gradient[m][e] = slope_at(node, left, in[e]);
            }
        } else {
            tangent_forward(s->plain, m, n, l->value[node->input[0]], to, l->workspace);
            for (int64_t r = 0; r < n && !tangents && node->bias; r++)
                for (int64_t e = 0; e < node->size; e++) to[r * node->size + e] += node->bias[e];
        }
    }
}

/* Gradients of all nodes; slopes stand in value[] of the activations' nodes. */
static void back(const sampler *s, lane *l, int64_t n, const double *target, int64_t stride)
{
    const bound_graph *g = s->graph;
    int64_t outputs = g->node[g->output].size;
    for (int m = 0; m < g->output; m++) memset(l->gradient[m], 0, (size_t)(n * g->node[m].size) * sizeof(double));
    for (int64_t r = 0; r < n; r++) memcpy(l->gradient[g->output] + r * outputs, target + r * stride, (size_t)outputs * sizeof(double));
    for (int m = g->output; m > 0; m--) {
        const bound_node *node = &g->node[m];
        const double *from = l->gradient[m];
        if (node->kind == BOUND_SUM) {
            for (int i = 0; i < node->inputs; i++)
                for (int64_t e = 0; e < n * node->size; e++) l->gradient[node->input[i]][e] += node->scale[i] * from[e];
        } else if (node->kind == BOUND_ACTIVATION)
            for (int64_t e = 0; e < n * node->size; e++) l->gradient[node->input[0]][e] += l->value[m][e] * from[e];
        else if (node->kind != BOUND_INPUT) tangent_back(s->plain, m, n, from, l->gradient[node->input[0]], l->workspace);
    }
}

static double norm_of(jacobian_norm norm, int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t e = 0; e < n; e++) sum += norm == JACOBIAN_ONE ? fabs(x[e]) : x[e] * x[e];
    return norm == JACOBIAN_ONE ? sum : sqrt(sum);
}

void sampler_norms(sampler *s, jacobian_norm norm, bool left, const double *target, int64_t n, const double *x, double *out, double *gradient)
{
    const bound_graph *g = s->graph;
    int64_t inputs = g->node[0].size, chunks = (n + POINTS - 1) / POINTS;
    int threads = s->threads < chunks ? s->threads : (int)chunks;
    (void)threads; /* without OpenMP */
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t c = 0; c < chunks; c++) {
        int thread = 0;
#ifdef _OPENMP
        thread = omp_get_thread_num();
#endif
        lane *l = &s->lanes[thread];
        int64_t first = c * POINTS, count = n - first < POINTS ? n - first : POINTS;
        forward(s, l, count, false, left, x + first * inputs);
        for (int a = 0; a < g->activations; a++) {
            int m = g->activation[a];
            memcpy(l->value[m], l->gradient[m], (size_t)(count * g->node[m].size) * sizeof(double));
        }
        back(s, l, count, target, 0);
        for (int64_t r = 0; r < count; r++) out[first + r] = norm_of(norm, inputs, l->gradient[0] + r * inputs);
        if (gradient) memcpy(gradient + first * inputs, l->gradient[0], (size_t)(count * inputs) * sizeof(double));
    }
}

/* ---- the best point ------------------------------------------------------------------------------------ */

typedef struct climb {
    double *x, *norm; /* [POINTS, inputs], [POINTS] */
    double *at, *best_at, value, best;
} climb;

static void look(sampler *s, jacobian_norm norm, const double *target, int64_t n, climb *c)
{
    int64_t inputs = s->graph->node[0].size;
    for (int left = 0; left < 2; left++) {
        sampler_norms(s, norm, left, target, n, c->x, c->norm, NULL);
        for (int64_t r = 0; r < n; r++)
            if (c->norm[r] > c->value) {
                c->value = c->norm[r];
                memcpy(c->at, c->x + r * inputs, (size_t)inputs * sizeof(double));
            }
    }
    if (c->value > c->best) {
        c->best = c->value;
        memcpy(c->best_at, c->at, (size_t)inputs * sizeof(double));
    }
}

/* A third of the points are corners, a third inside, a third have some coordinates at their ends. */
static void draw(nigh_rng *rng, int kind, int64_t inputs, const double *low, const double *high, double *x)
{
    for (int64_t e = 0; e < inputs; e++) {
        double u = nigh_rng_f64(rng);
        if (kind == 0 || (kind == 2 && u < 0.5)) u = nigh_rng_u32(rng) & 1;
        x[e] = fmin(fmax(low[e] + u * (high[e] - low[e]), low[e]), high[e]);
    }
}

static void step(nigh_rng *rng, double width, int64_t inputs, const double *low, const double *high, const double *from, double *x)
{
    bool few = nigh_rng_u32(rng) & 1;
    for (int64_t e = 0; e < inputs; e++) {
        double move = few && nigh_rng_below(rng, (uint64_t)inputs) > 2 ? 0 : width * (2 * nigh_rng_f64(rng) - 1) * (high[e] - low[e]);
        x[e] = fmin(fmax(from[e] + move, low[e]), high[e]);
    }
}

nigh_status sampler_best(sampler *s, jacobian_norm norm, const double *low, const double *high, const double *target, int64_t samples, int64_t ascents, uint64_t seed, double *best,
                         double *at)
{
    enum { STEPS = 12, TRIES = 32 };
    int64_t inputs = s->graph->node[0].size;
    double *block = nigh_alloc(s->ctx, (size_t)(POINTS * (inputs + 1) + inputs) * sizeof *block);
    if (!block) return NIGH_MEMORY;
    nigh_rng rng = nigh_rng_new(seed, 17);
    climb c = {.x = block, .norm = block + POINTS * inputs, .at = block + POINTS * (inputs + 1), .best_at = at, .value = -1, .best = -1};
    nigh_status status = NIGH_OK;
    for (int64_t done = 0; done < samples && !status; done += POINTS) {
        int64_t n = samples - done < POINTS ? samples - done : POINTS;
        for (int64_t r = 0; r < n; r++) draw(&rng, (int)((done + r) % 3), inputs, low, high, c.x + r * inputs);
        look(s, norm, target, n, &c);
        status = nigh_poll(s->ctx);
    }
    for (int64_t a = 0; a < ascents && !status; a++) {
        if (a % 2) draw(&rng, (int)(a % 3), inputs, low, high, c.at), c.value = -1; /* every other one starts anew */
        else if (c.best >= 0) memcpy(c.at, c.best_at, (size_t)inputs * sizeof(double)), c.value = c.best;
        double width = 0.7;
        for (int k = 0; k < STEPS; k++, width *= 0.7) {
            for (int64_t r = 0; r < TRIES; r++) step(&rng, width, inputs, low, high, c.at, c.x + r * inputs);
            look(s, norm, target, TRIES, &c);
        }
        status = nigh_poll(s->ctx);
    }
    if (!status) *best = c.best;
    nigh_free(s->ctx, block);
    return status;
}

/* ---- the best choice of derivatives --------------------------------------------------------------------- */

static void improve(const sampler *s, lane *l, jacobian_norm norm, const jacobian_batch *batch, int64_t i, int activation, int n, double **slope)
{
    const bound_graph *g = s->graph;
    int64_t inputs = g->node[0].size, size = g->node[g->activation[activation]].size;
    int m = g->activation[activation], in = g->node[m].input[0];
    double *direction = l->value[0];
    for (int64_t e = 0; e < n * inputs; e++) direction[e] = norm == JACOBIAN_ONE ? (l->gradient[0][e] >= 0) - (l->gradient[0][e] < 0) : l->gradient[0][e];
    double *kept = slope[activation];
    memcpy(kept, l->gradient[m], (size_t)(n * size) * sizeof(double)); /* what arrives at the activation; its slopes are in value[] */
    for (int a = 0; a < g->activations; a++) {
        int other = g->activation[a];
        memcpy(l->gradient[other], l->value[other], (size_t)(n * g->node[other].size) * sizeof(double));
    }
    forward(s, l, n, true, false, direction);
    for (int r = 0; r < n; r++)
        for (int64_t e = 0; e < size; e++) {
            double rise = l->value[in][r * size + e] * kept[r * size + e];
            l->gradient[m][r * size + e] = rise >= 0 ? batch->d_high[activation][i * size + e] : batch->d_low[activation][i * size + e];
        }
    for (int a = 0; a < g->activations; a++) {
        int other = g->activation[a];
        memcpy(l->value[other], l->gradient[other], (size_t)(n * g->node[other].size) * sizeof(double));
    }
}

nigh_status sampler_pattern(sampler *s, jacobian_norm norm, const jacobian_batch *batch, int64_t i, int starts, int sweeps, uint64_t seed, double *best)
{
    const bound_graph *g = s->graph;
    lane *l = &s->lanes[0];
    nigh_rng rng = nigh_rng_new(seed, 18);
    int64_t inputs = g->node[0].size, outputs = g->node[g->output].size, most = 1;
    if (starts > POINTS) starts = POINTS;
    for (int a = 0; a < g->activations; a++) most = g->node[g->activation[a]].size > most ? g->node[g->activation[a]].size : most;
    double *room = nigh_alloc(s->ctx, (size_t)(starts * most) * sizeof *room), **slope = nigh_alloc_zero(s->ctx, (size_t)g->activations + 1, sizeof *slope);
    nigh_status status = room && slope ? NIGH_OK : NIGH_MEMORY;
    for (int a = 0; a < g->activations && !status; a++) {
        int m = g->activation[a];
        slope[a] = room;
        for (int64_t e = 0; e < starts * g->node[m].size; e++) {
            int64_t at = i * g->node[m].size + e % g->node[m].size;
            l->value[m][e] = nigh_rng_u32(&rng) & 1 ? batch->d_low[a][at] : batch->d_high[a][at];
        }
    }
    double top = 0;
    for (int k = 0; k <= sweeps * g->activations && !status; k++) {
        back(s, l, starts, batch->target + i * outputs, 0);
        for (int r = 0; r < starts; r++) top = fmax(top, norm_of(norm, inputs, l->gradient[0] + r * inputs));
        if (k < sweeps * g->activations) improve(s, l, norm, batch, i, k % g->activations, starts, slope);
    }
    nigh_free(s->ctx, room);
    nigh_free(s->ctx, slope);
    if (!status) *best = top;
    return status;
}
