/*
 * Intervals through graphs, node after node, many boxes at once: products are of centres with weights and of radii with their absolute values
 * (Rump, "Fast and parallel interval arithmetic", BIT 1999), with rests of rounding prepared over the root box. Declared in verify/bounds.h and verify/bounds_inside.h.
 */
#include "verify/bounds_inside.h"
#include "verify/relax.h"
#include "core/round.h"

#include "tensor/convolution.h"

#include <string.h>

enum { MOST_CHUNK = 16, CHUNK_NUMBERS = 4000000 };

/* Products of one node for one box and for a chunk of them. */
typedef struct product {
    matmul *dense[2];
    convolution *field[2];
    double *absolute; /* |weight| */
} product;

/* What one thread works in. Rows beyond the boxes of a chunk are computed and not looked at. */
typedef struct scratch {
    double **low, **high; /* [nodes] each [chunk, size] */
    double *centre, *radius, *out; /* [chunk, the largest size] */
    void *work;
    bool *wanted; /* [nodes] */
} scratch;

struct bounds_interval_plan {
    nigh_arena *arena;
    int64_t chunk, widest;
    product *product; /* [nodes] */
    size_t work;
    scratch *scratch; /* [threads] */
};

/* ---- preparing ----------------------------------------------------------------------------------------- */

static int64_t weights_of(const bound_graph *g, const bound_node *node)
{
    const bound_window *w = &node->window;
    if (node->kind == BOUND_DENSE) return node->size * g->node[node->input[0]].size;
    return node->kind == BOUND_CONVOLUTION ? w->kernel[0] * w->kernel[1] * (w->channels / w->groups) * w->out_channels : 0;
}

static int64_t behind(const bound_window *w, int i)
{
    int64_t in = i ? w->width : w->height, out = i ? w->out_width : w->out_height;
    int64_t need = (out - 1) * w->stride[i] + w->dilation[i] * (w->kernel[i] - 1) + 1 - in - w->pad[i];
    return need > 0 ? need : 0;
}

static nigh_status prepare_product(const bounds *b, const bound_node *node, int64_t boxes, matmul **dense, convolution **field)
{
    int64_t in = b->graph->node[node->input[0]].size;
    const bound_window *w = &node->window;
    if (node->kind == BOUND_DENSE) {
        matmul_spec spec = {.dtype = NIGH_F64, .b_dtype = NIGH_F64, .m = boxes, .n = node->size, .k = in, .a_row = in, .a_column = 1, .b_row = 1, .b_column = in,
                            .c_row = node->size, .c_column = 1, .alpha = 1};
        return matmul_new(b->ctx, &spec, 1, dense);
    }
    convolution_spec spec = {.kind = CONVOLUTION_FORWARD, .dtype = NIGH_F64, .dims = 2, .x = {boxes, w->height, w->width, w->channels},
                             .w = {w->kernel[0], w->kernel[1], w->channels / w->groups, w->out_channels}, .stride = {w->stride[0], w->stride[1]},
                             .dilation = {w->dilation[0], w->dilation[1]}, .low = {w->pad[0], w->pad[1]}, .high = {behind(w, 0), behind(w, 1)}, .groups = w->groups};
    return convolution_new(b->ctx, &spec, 1, field);
}

static nigh_status prepare_node(const bounds *b, int k)
{
    bounds_interval_plan *plan = b->interval;
    const bound_node *node = &b->graph->node[k];
    product *p = &plan->product[k];
    int64_t n = weights_of(b->graph, node);
    if (!n) return NIGH_OK;
    p->absolute = nigh_arena_alloc(plan->arena, (size_t)n * sizeof *p->absolute);
    nigh_status status = p->absolute ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; !status && i < n; i++) p->absolute[i] = fabs(node->weight[i]);
    for (int many = 0; many < 2 && !status; many++) {
        status = prepare_product(b, node, many ? plan->chunk : 1, &p->dense[many], &p->field[many]);
        if (status) break;
        size_t bytes = p->dense[many] ? matmul_workspace(p->dense[many]) : convolution_workspace(p->field[many]);
        if (bytes > plan->work) plan->work = bytes;
    }
    return status;
}

static nigh_status prepare_scratch(const bounds *b, scratch *s)
{
    bounds_interval_plan *plan = b->interval;
    const bound_graph *g = b->graph;
    size_t most = (size_t)(plan->chunk * plan->widest) * sizeof(double);
    s->low = nigh_arena_alloc(plan->arena, (size_t)g->nodes * sizeof *s->low);
    s->high = nigh_arena_alloc(plan->arena, (size_t)g->nodes * sizeof *s->high);
    s->centre = nigh_arena_alloc_zero(plan->arena, 1, most);
    s->radius = nigh_arena_alloc_zero(plan->arena, 1, most);
    s->out = nigh_arena_alloc_zero(plan->arena, 1, most);
    s->work = nigh_arena_alloc(plan->arena, plan->work + 64);
    s->wanted = nigh_arena_alloc(plan->arena, (size_t)g->nodes * sizeof *s->wanted);
    if (!s->wanted || !s->low || !s->high || !s->centre || !s->radius || !s->out || !s->work) return NIGH_MEMORY;
    for (int k = 0; k < g->nodes; k++) {
        s->low[k] = nigh_arena_alloc_zero(plan->arena, (size_t)(plan->chunk * g->node[k].size) + 1, sizeof(double));
        s->high[k] = nigh_arena_alloc_zero(plan->arena, (size_t)(plan->chunk * g->node[k].size) + 1, sizeof(double));
        if (!s->low[k] || !s->high[k]) return NIGH_MEMORY;
    }
    return NIGH_OK;
}

nigh_status interval_new(bounds *b)
{
    const bound_graph *g = b->graph;
    bounds_interval_plan *plan = b->interval = nigh_alloc_zero(b->ctx, 1, sizeof *plan);
    nigh_status status = plan ? nigh_arena_new(b->ctx, &plan->arena) : NIGH_MEMORY;
    if (status) return status;
    int64_t all = 1;
    plan->widest = 1;
    for (int k = 0; k < g->nodes; k++) {
        all += g->node[k].size;
        if (g->node[k].size > plan->widest) plan->widest = g->node[k].size;
    }
    plan->chunk = CHUNK_NUMBERS / all < 1 ? 1 : CHUNK_NUMBERS / all > MOST_CHUNK ? MOST_CHUNK : CHUNK_NUMBERS / all;
    plan->product = nigh_arena_alloc_zero(plan->arena, (size_t)g->nodes, sizeof *plan->product);
    plan->scratch = nigh_arena_alloc_zero(plan->arena, (size_t)b->options.threads, sizeof *plan->scratch);
    if (!plan->product || !plan->scratch) return NIGH_MEMORY;
    for (int k = 0; k < g->nodes && !status; k++) status = prepare_node(b, k);
    for (int t = 0; t < b->options.threads && !status; t++) status = prepare_scratch(b, &plan->scratch[t]);
    return status;
}

void interval_free(bounds *b)
{
    bounds_interval_plan *plan = b->interval;
    if (!plan) return;
    for (int k = 0; plan->product && k < b->graph->nodes; k++)
        for (int many = 0; many < 2; many++) {
            matmul_free(plan->product[k].dense[many]);
            convolution_free(plan->product[k].field[many]);
        }
    nigh_arena_free(plan->arena);
    nigh_free(b->ctx, plan);
    b->interval = NULL;
}

/* ---- one node ------------------------------------------------------------------------------------------ */

/* Rows of `out` for `boxes` (1, or a chunk) from rows of `in`. */
static void run_product(const bounds *b, int k, bool many, bool absolute, const double *in, double *out, void *work)
{
    const product *p = &b->interval->product[k];
    const double *weight = absolute ? p->absolute : b->graph->node[k].weight;
    if (p->dense[many]) matmul_run(p->dense[many], in, weight, NULL, out, work);
    else convolution_run(p->field[many], in, weight, NULL, out, NULL, work);
}

static void of_product(const bounds *b, int k, int64_t boxes, double *const *node_low, double *const *node_high, const scratch *s)
{
    const bound_node *node = &b->graph->node[k];
    const double *in_low = node_low[node->input[0]], *in_high = node_high[node->input[0]], *rest = b->rest[k];
    int64_t in = b->graph->node[node->input[0]].size * boxes;
    double *low = node_low[k], *high = node_high[k];
    for (int64_t i = 0; i < in; i++) {
        double c = 0.5 * in_low[i] + 0.5 * in_high[i];
        s->centre[i] = c;
        s->radius[i] = round_up(fmax(in_high[i] - c, c - in_low[i]));
    }
    run_product(b, k, boxes > 1, false, s->centre, low, s->work);
    run_product(b, k, boxes > 1, true, s->radius, s->out, s->work);
    for (int64_t d = 0; d < boxes; d++)
        for (int64_t i = 0; i < node->size; i++) {
            double c = low[d * node->size + i] + (node->bias ? node->bias[i] : 0), r = s->out[d * node->size + i] + rest[i];
            low[d * node->size + i] = c - r;
            high[d * node->size + i] = c + r;
        }
}

static void of_sparse(const bounds *b, int k, int64_t boxes, double *const *node_low, double *const *node_high)
{
    const bound_node *node = &b->graph->node[k];
    int64_t in = b->graph->node[node->input[0]].size;
    for (int64_t d = 0; d < boxes; d++) {
        const double *in_low = node_low[node->input[0]] + d * in, *in_high = node_high[node->input[0]] + d * in;
        for (int64_t i = 0; i < node->size; i++) {
            double low = node->bias ? node->bias[i] : 0, high = low;
            for (int64_t j = node->row[i]; j < node->row[i + 1]; j++) {
                double w = node->weight[j], l = w * in_low[node->column[j]], h = w * in_high[node->column[j]];
                low += w < 0 ? h : l;
                high += w < 0 ? l : h;
            }
            node_low[k][d * node->size + i] = low - b->rest[k][i];
            node_high[k][d * node->size + i] = high + b->rest[k][i];
        }
    }
}

static void of_sum(const bounds *b, int k, int64_t boxes, double *const *node_low, double *const *node_high)
{
    const bound_node *node = &b->graph->node[k];
    for (int64_t d = 0; d < boxes; d++)
        for (int64_t i = 0; i < node->size; i++) {
            int64_t at = d * node->size + i;
            double low = node->bias ? node->bias[i] : 0, high = low;
            for (int j = 0; j < node->inputs; j++) {
                double l = node_low[node->input[j]][at], h = node_high[node->input[j]][at];
                low += node->scale[j] < 0 ? -h : l;
                high += node->scale[j] < 0 ? -l : h;
            }
            node_low[k][at] = low - b->rest[k][i];
            node_high[k][at] = high + b->rest[k][i];
        }
}

static void step(const bounds *b, int k, int64_t boxes, double *const *low, double *const *high, const scratch *s, bool cut)
{
    const bound_node *node = &b->graph->node[k];
    switch (node->kind) {
    case BOUND_DENSE:
    case BOUND_CONVOLUTION: of_product(b, k, boxes, low, high, s); break;
    case BOUND_SPARSE: of_sparse(b, k, boxes, low, high); break;
    case BOUND_SUM: of_sum(b, k, boxes, low, high); break;
    case BOUND_ACTIVATION:
        relax_enclose(node->function, node->p, boxes * node->size, low[node->input[0]], high[node->input[0]], b->options.single, low[k], high[k]);
        break;
    case BOUND_INPUT: break;
    }
    for (int64_t d = 0; cut && d < boxes; d++)
        for (int64_t i = 0; i < node->size; i++) {
            double *l = &low[k][d * node->size + i], *h = &high[k][d * node->size + i], most = b->magnitude[k][i];
            *l = fmin(fmax(*l, -most), most);
            *h = fmin(fmax(*h, -most), most);
        }
}

void interval_node(const bounds *b, int k, double *const *node_low, double *const *node_high, bool cut)
{
    step(b, k, 1, node_low, node_high, &b->interval->scratch[0], cut);
}

/* ---- rests of rounding --------------------------------------------------------------------------------- */

/* k u / (1 - k u), rounded up; infinite where nothing is known. */
static double gamma_of(double k, double unit) { return k * unit < 0.5 ? k * unit / (1 - k * unit) * (1 + 1e-9) : INFINITY; }

/* |W| X of node k into `to`; gives the most terms that are added. */
static double spread(const bounds *b, int k, double *to)
{
    const bound_node *node = &b->graph->node[k];
    const double *x = b->magnitude[node->input[0]];
    int64_t in = b->graph->node[node->input[0]].size;
    double terms = (double)in;
    if (node->kind == BOUND_DENSE || node->kind == BOUND_CONVOLUTION) {
        run_product(b, k, false, true, x, to, b->interval->scratch[0].work);
        if (node->kind == BOUND_CONVOLUTION) terms = (double)(node->window.kernel[0] * node->window.kernel[1] * node->window.channels / node->window.groups);
    }
    if (node->kind == BOUND_SPARSE) terms = 0;
    for (int64_t i = 0; i < node->size && node->kind == BOUND_SPARSE; i++) {
        to[i] = 0;
        for (int64_t j = node->row[i]; j < node->row[i + 1]; j++) to[i] += fabs(node->weight[j]) * x[node->column[j]];
        terms = fmax(terms, (double)(node->row[i + 1] - node->row[i]));
    }
    for (int64_t i = 0; i < node->size && node->kind == BOUND_SUM; i++) {
        to[i] = 0;
        for (int j = 0; j < node->inputs; j++) to[i] += b->magnitude[node->input[j]][i];
        terms = node->inputs;
    }
    return terms;
}

void interval_rest(bounds *b, int k)
{
    const bound_node *node = &b->graph->node[k];
    double *r = b->rest[k], terms = spread(b, k, r), all = terms + (double)node->size + node->slack + b->most_readers + 16;
    double more = gamma_of(2 * all, ROUND_UNIT), slack = node->slack * 2 * ROUND_UNIT, single = b->options.single ? gamma_of(node->roundings, ROUND_UNIT_SINGLE) : 0;
    for (int64_t i = 0; i < node->size; i++) {
        double bias = node->bias ? fabs(node->bias[i]) : 0, error = node->bias_error ? node->bias_error[i] : 0, size = node->bias_size ? node->bias_size[i] : bias;
        double rest = (more + slack) * (r[i] + bias) + error + ROUND_TINY * all;
        if (b->options.single) rest += single * (r[i] + size + error) + terms * 0x1p-125 + ROUND_TINY_SINGLE;
        r[i] = b->options.fast ? 0 : rest * (1 + more + 1e-12);
    }
}

/* ---- batches ------------------------------------------------------------------------------------------- */

/* The argument of activation a: what came out cut with what is there (`keep`) and written back, or the pre intervals as they are (`given`). */
static void settle(const bounds *b, const bounds_batch *batch, int a, int64_t first, int64_t boxes, const scratch *s, bool keep, bool given)
{
    const bound_node *node = &b->graph->node[b->graph->activation[a]];
    double *low = s->low[node->input[0]], *high = s->high[node->input[0]];
    for (int64_t i = 0; i < boxes * node->size; i++) {
        double *l = &batch->pre_low[a][first * node->size + i], *h = &batch->pre_high[a][first * node->size + i];
        if (!given) *l = keep ? fmax(*l, low[i]) : low[i];
        if (!given) *h = keep ? fmin(*h, high[i]) : high[i];
        low[i] = fmin(*l, *h); /* an empty interval goes on as some numbers: nothing of the domain is left */
        high[i] = fmax(*l, *h);
    }
}

static void load(const bounds *b, const bounds_batch *batch, int64_t first, int64_t boxes, const scratch *s)
{
    size_t bytes = (size_t)(boxes * b->graph->inputs) * sizeof(double);
    memcpy(s->low[0], batch->low + first * b->graph->inputs, bytes);
    memcpy(s->high[0], batch->high + first * b->graph->inputs, bytes);
}

/* Boxes first .. first + boxes - 1; a chunk is computed whole when there is more than one. */
static void pass(const bounds *b, const bounds_batch *batch, int64_t first, int64_t boxes, const scratch *s, bool keep)
{
    int64_t rows = boxes > 1 ? b->interval->chunk : 1;
    load(b, batch, first, boxes, s);
    for (int k = 1; k < b->graph->nodes; k++) {
        if (b->activation_of[k] >= 0) settle(b, batch, b->activation_of[k], first, boxes, s, keep, false);
        step(b, k, rows, s->low, s->high, s, true);
    }
}

static int64_t chunks(const bounds *b, int64_t domains) { return (domains + b->interval->chunk - 1) / b->interval->chunk; }

static int64_t in_chunk(const bounds *b, int64_t domains, int64_t c)
{
    int64_t left = domains - c * b->interval->chunk;
    return left < b->interval->chunk ? left : b->interval->chunk;
}

void bounds_interval(bounds *b, bounds_batch *batch, bool keep)
{
    int64_t n = chunks(b, batch->domains);
    int threads = n < b->options.threads ? (int)n : b->options.threads;
    if (threads <= 1) {
        for (int64_t c = 0; c < n; c++) pass(b, batch, c * b->interval->chunk, in_chunk(b, batch->domains, c), &b->interval->scratch[0], keep);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++)
        for (int64_t c = t; c < n; c += threads) pass(b, batch, c * b->interval->chunk, in_chunk(b, batch->domains, c), &b->interval->scratch[t], keep);
}

static void pass_of(const bounds *b, const bounds_batch *batch, int node, int64_t first, int64_t boxes, const scratch *s, double *low, double *high)
{
    int64_t rows = boxes > 1 ? b->interval->chunk : 1, size = b->graph->node[node].size;
    bool *wanted = s->wanted;
    load(b, batch, first, boxes, s);
    memset(wanted, 0, (size_t)b->graph->nodes * sizeof *wanted);
    wanted[node] = true;
    for (int k = node; k > 0; k--) /* results of activations come from the intervals of their arguments */
        for (int i = 0; wanted[k] && b->activation_of[k] < 0 && i < b->graph->node[k].inputs; i++) wanted[b->graph->node[k].input[i]] = true;
    for (int k = 1; k <= node; k++) {
        if (!wanted[k]) continue;
        if (b->activation_of[k] >= 0) settle(b, batch, b->activation_of[k], first, boxes, s, false, true);
        step(b, k, rows, s->low, s->high, s, true);
    }
    memcpy(low + first * size, s->low[node], (size_t)(boxes * size) * sizeof *low);
    memcpy(high + first * size, s->high[node], (size_t)(boxes * size) * sizeof *high);
    for (int a = 0; a < b->graph->activations; a++) { /* what is known of it as an argument */
        if (b->graph->node[b->graph->activation[a]].input[0] != node) continue;
        for (int64_t i = first * size; i < (first + boxes) * size; i++) {
            low[i] = fmax(low[i], batch->pre_low[a][i]);
            high[i] = fmin(high[i], batch->pre_high[a][i]);
        }
    }
}

void bounds_interval_of(bounds *b, const bounds_batch *batch, int node, double *low, double *high)
{
    for (int64_t c = 0; c < chunks(b, batch->domains); c++)
        pass_of(b, batch, node, c * b->interval->chunk, in_chunk(b, batch->domains, c), &b->interval->scratch[0], low, high);
}
