/* Local Lipschitz constants: forward intervals, derivatives, bounds of the Jacobian, splitting, and what they are held against. */
#include "verify/local_lipschitz.h"
#include "verify/derivative.h"

#include <math.h>
#include <string.h>

nigh_local_lipschitz_options nigh_local_lipschitz_defaults(void)
{
    return (nigh_local_lipschitz_options){.norm = NIGH_LOCAL_LIPSCHITZ_INF, .forward = NIGH_BOUND_CROWN, .relaxation = NIGH_LOCAL_LIPSCHITZ_LINES, .rerun = true, .gap = 1e-6, .samples = 1024, .ascents = 8};
}

/* ---- what is asked ------------------------------------------------------------------------------------- */

static nigh_status check(nigh_context *ctx, const bound_graph *g, const double *low, const double *high, int64_t rows, const double *row, const nigh_local_lipschitz_options *o)
{
    int64_t outputs = g->node[g->output].size;
    for (int64_t e = 0; e < g->inputs; e++)
        if (!(low[e] <= high[e]) || !isfinite(low[e]) || !isfinite(high[e]))
            return nigh_fail(ctx, NIGH_INVALID, "the box is empty or not finite in input %lld: %g to %g", (long long)e, low[e], high[e]);
    if (rows < 1) return nigh_fail(ctx, NIGH_INVALID, "rows is %lld; 1 or more is allowed", (long long)rows);
    for (int64_t i = 0; i < rows * outputs; i++)
        if (!isfinite(row[i])) return nigh_fail(ctx, NIGH_INVALID, "row %lld has %g for output %lld", (long long)(i / outputs), row[i], (long long)(i % outputs));
    if (!(o->seconds >= 0) || !(o->gap >= 0) || o->samples < 0 || o->ascents < 0 || o->most_domains < 0)
        return nigh_fail(ctx, NIGH_INVALID, "seconds, gap, samples, ascents and most_domains are 0 or more");
    if (o->seconds > 0 && o->relaxation != NIGH_LOCAL_LIPSCHITZ_LINES) return nigh_fail(ctx, NIGH_INVALID, "splitting works on lines, not on the relaxations that they are compared with");
    if ((unsigned)o->norm > NIGH_LOCAL_LIPSCHITZ_TWO || (unsigned)o->relaxation > NIGH_LOCAL_LIPSCHITZ_INTERVALS || (unsigned)o->forward > NIGH_BOUND_OPTIMISED)
        return nigh_fail(ctx, NIGH_INVALID, "norm, forward or relaxation is none of the listed");
    return NIGH_OK;
}

/* ---- one call ------------------------------------------------------------------------------------------ */

typedef struct task {
    nigh_context *ctx;
    const bound_graph *graph;
    const double *low, *high;
    int64_t rows;
    const double *row;
    const nigh_local_lipschitz_options *options;
    jacobian_norm norm;
    jacobian *j;
    bounds *forward;
    bounds_batch arguments; /* one domain */
    jacobian_batch root;    /* a domain for each row */
    sampler *sampler;
    nigh_local_lipschitz_result *result;
} task;

static nigh_status forward_bounds(task *t)
{
    const bound_graph *g = t->graph;
    nigh_status status = bounds_new(t->ctx, g, &(bounds_options){.threads = nigh_context_threads(t->ctx)}, t->low, t->high, &t->forward);
    if (!status) status = bounds_batch_new(t->ctx, g, 1, 0, &t->arguments);
    if (status) return status;
    t->arguments.domains = 1;
    memcpy(t->arguments.low, t->low, (size_t)g->inputs * sizeof(double));
    memcpy(t->arguments.high, t->high, (size_t)g->inputs * sizeof(double));
    bounds_interval(t->forward, &t->arguments, false);
    if (t->options->forward >= NIGH_BOUND_CROWN) status = bounds_crown(t->forward, &t->arguments, 0);
    if (!status && t->options->forward == NIGH_BOUND_OPTIMISED) status = bounds_tighten(t->forward, &t->arguments, NULL);
    return status;
}

static nigh_status derivatives(task *t)
{
    const bound_graph *g = t->graph;
    nigh_status status = jacobian_batch_new(t->ctx, g, t->rows, &t->root);
    if (status) return status;
    t->root.domains = t->rows;
    memcpy(t->root.target, t->row, (size_t)(t->rows * g->node[g->output].size) * sizeof(double));
    for (int a = 0; a < g->activations; a++) {
        const bound_node *node = &g->node[g->activation[a]];
        for (int64_t r = 0; r < t->rows; r++) {
            double *l = t->root.d_low[a] + r * node->size, *h = t->root.d_high[a] + r * node->size;
            derivative_enclose(node->function, node->p, node->size, t->arguments.pre_low[a], t->arguments.pre_high[a], l, h);
            for (int64_t e = 0; e < node->size; e++) {
                if (!isfinite(l[e]) || !isfinite(h[e])) return nigh_fail(t->ctx, NIGH_UNDECIDED, "the derivative of '%s' is not bounded over this box", node->name ? node->name : "an activation");
                t->result[r].activations++, t->result[r].unstable += l[e] < h[e];
            }
        }
    }
    return NIGH_OK;
}

static nigh_status bound_rows(task *t)
{
    static jacobian_lines_fn *const lines[] = {jacobian_hull, jacobian_constants, NULL};
    nigh_local_lipschitz_relaxation relaxation = t->options->relaxation;
    int64_t n = t->graph->inputs;
    nigh_status status = jacobian_root(t->j, &t->root);
    if (!status) status = jacobian_bound(t->j, lines[relaxation], relaxation == NIGH_LOCAL_LIPSCHITZ_LINES, t->norm, NULL, &t->root);
    for (int64_t r = 0; r < t->rows && !status; r++) {
        nigh_local_lipschitz_result *o = &t->result[r];
        o->bound = o->unsplit = t->root.bound[r];
        status = jacobian_product(t->j, t->norm, t->row + r * t->graph->node[t->graph->output].size, &o->product);
        memcpy(o->low, t->root.low + r * n, (size_t)n * sizeof(double));
        memcpy(o->high, t->root.high + r * n, (size_t)n * sizeof(double));
    }
    return status;
}

static nigh_status sample_rows(task *t)
{
    const nigh_local_lipschitz_options *o = t->options;
    int64_t outputs = t->graph->node[t->graph->output].size;
    nigh_status status = NIGH_OK;
    if (!o->samples && !(o->seconds > 0)) return status;
    status = sampler_new(t->ctx, t->graph, nigh_context_threads(t->ctx), &t->sampler);
    for (int64_t r = 0; r < t->rows && !status; r++) {
        const double *row = t->row + r * outputs;
        if (o->samples) status = sampler_best(t->sampler, t->norm, t->low, t->high, row, o->samples, o->ascents, nigh_seed_split(o->seed, (uint64_t)r), &t->result[r].sampled, t->result[r].at);
        if (!status && o->seconds > 0) status = sampler_pattern(t->sampler, t->norm, &t->root, r, 32, 6, nigh_seed_split(o->seed, (uint64_t)r), &t->result[r].pattern);
    }
    return status;
}

static nigh_status split_rows(task *t)
{
    const nigh_local_lipschitz_options *o = t->options;
    for (int64_t r = 0; r < t->rows; r++) t->result[r].why = "not asked for";
    if (!(o->seconds > 0)) return NIGH_OK;
    double *floor = nigh_alloc(t->ctx, 2 * (size_t)t->rows * sizeof *floor), *bound = floor ? floor + t->rows : NULL;
    int64_t *domains = nigh_alloc_zero(t->ctx, (size_t)t->rows, sizeof *domains);
    nigh_status status = floor && domains ? NIGH_OK : NIGH_MEMORY;
    lipschitz_split split = {.j = t->j, .norm = t->norm, .seconds = o->seconds, .gap = o->gap, .most_domains = o->most_domains, .rows = t->rows, .pattern = floor,
                             .forward = o->rerun ? t->forward : NULL, .arguments = &t->arguments, .bound = bound, .domains = domains};
    for (int64_t r = 0; r < t->rows && !status; r++) {
        double sampled = isnan(t->result[r].sampled) ? 0 : t->result[r].sampled; /* with arguments bounded anew a pattern may turn out to be impossible */
        floor[r] = o->rerun ? sampled : t->result[r].pattern, bound[r] = t->root.bound[r];
    }
    if (!status) status = lipschitz_split_run(t->ctx, &t->root, &split);
    for (int64_t r = 0; r < t->rows && !status; r++) {
        nigh_local_lipschitz_result *result = &t->result[r];
        result->bound = bound[r], result->domains = domains[r], result->converged = split.converged, result->why = split.why;
    }
    nigh_free(t->ctx, floor);
    nigh_free(t->ctx, domains);
    return status;
}

static nigh_status run(task *t)
{
    double began = nigh_clock();
    nigh_status status = forward_bounds(t);
    double forward = nigh_clock() - began;
    if (!status) status = jacobian_new(t->ctx, t->graph, nigh_context_threads(t->ctx), &t->j);
    if (!status) status = derivatives(t);
    if (!status) status = bound_rows(t);
    if (!status) status = sample_rows(t);
    if (!status) status = split_rows(t);
    for (int64_t r = 0; r < t->rows && !status; r++) {
        nigh_local_lipschitz_result *o = &t->result[r];
        if (o->product < o->bound || !isfinite(o->bound)) o->bound = o->product, o->by_product = true;
        o->forward_seconds = forward, o->seconds = nigh_clock() - began;
    }
    return status;
}

nigh_status lipschitz_graph(nigh_context *ctx, const bound_graph *graph, const double *low, const double *high, int64_t rows, const double *row, const nigh_local_lipschitz_options *options,
                            nigh_local_lipschitz_result *result)
{
    nigh_local_lipschitz_options defaults = nigh_local_lipschitz_defaults();
    if (!options) options = &defaults;
    nigh_status status = check(ctx, graph, low, high, rows, row, options);
    if (status) return status;
    size_t n = (size_t)graph->inputs;
    nigh_local_lipschitz_result *out = nigh_alloc_zero(ctx, (size_t)rows, sizeof *out);
    task t = {.ctx = ctx, .graph = graph, .low = low, .high = high, .rows = rows, .row = row, .options = options,
              .norm = options->norm == NIGH_LOCAL_LIPSCHITZ_TWO ? JACOBIAN_TWO : JACOBIAN_ONE, .result = out};
    status = out ? NIGH_OK : NIGH_MEMORY;
    for (int64_t r = 0; r < rows && !status; r++) {
        out[r].sampled = out[r].pattern = NAN;
        if (!(out[r].low = nigh_alloc(ctx, 3 * n * sizeof(double)))) status = NIGH_MEMORY;
        else out[r].high = out[r].low + n, out[r].at = options->samples ? out[r].low + 2 * n : NULL;
    }
    if (!status) status = run(&t);
    sampler_free(t.sampler);
    jacobian_batch_free(ctx, graph, &t.root);
    bounds_batch_free(ctx, graph, &t.arguments);
    jacobian_free(t.j);
    bounds_free(t.forward);
    if (!status) memcpy(result, out, (size_t)rows * sizeof *out);
    else if (out) nigh_local_lipschitz_free(ctx, rows, out);
    nigh_free(ctx, out);
    return status;
}

void nigh_local_lipschitz_free(nigh_context *ctx, int64_t rows, nigh_local_lipschitz_result *result)
{
    for (int64_t r = 0; r < rows; r++) {
        nigh_free(ctx, result[r].low);
        result[r] = (nigh_local_lipschitz_result){0};
    }
}

nigh_status lipschitz_lower(nigh_context *ctx, nigh_network *net, bound_graph **graph)
{
    int inputs = nigh_network_inputs(net);
    nigh_shape *shapes = nigh_alloc(ctx, (size_t)(inputs ? inputs : 1) * sizeof *shapes);
    if (!shapes) return NIGH_MEMORY;
    for (int i = 0; i < inputs; i++) {
        shapes[i] = *nigh_network_input_shape(net, i);
        for (int d = 0; d < shapes[i].ndim; d++)
            if (shapes[i].dim[d] < 0) shapes[i].dim[d] = 1;
    }
    nigh_status status = bound_graph_new(ctx, net, shapes, false, graph);
    nigh_free(ctx, shapes);
    return status;
}

nigh_status nigh_local_lipschitz(nigh_context *ctx, nigh_network *net, const double *low, const double *high, int64_t rows, const double *row, const nigh_local_lipschitz_options *options,
                                 nigh_local_lipschitz_result *result)
{
    bound_graph *graph = NULL;
    nigh_status status = lipschitz_lower(ctx, net, &graph);
    if (!status) status = lipschitz_graph(ctx, graph, low, high, rows, row, options, result);
    bound_graph_free(graph);
    return status;
}
