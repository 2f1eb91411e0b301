/* Certified Lipschitz constants: programs of networks and of their parts, put together. Declared in nigh/lipsdp.h. */
#include <math.h>
#include <string.h>

#include "verify/lipsdp.h"
#include "core/round.h"

enum { MOST = 1600 };

/* A bound of one part. */
typedef struct part_bound {
    double bound, naive, lower;
} part_bound;

typedef struct search {
    nigh_context *ctx;
    const lip_graph *graph;
    nigh_lipschitz_options options;
    double began;
    nigh_lipschitz_result *result;
} search;

/* Outputs that do not depend on the input: the product of norms, 0 up to the smallest numbers, says it all. */
static bool constant(const sdp_problem *p)
{
    for (int64_t i = 0; i < p->outputs * p->n; i++)
        if (p->c[i] != 0) return false;
    return true;
}

/* Solves and proves one program. */
static nigh_status solve(search *s, sdp_problem *p, part_bound *out)
{
    nigh_lipschitz_result *r = s->result;
    if (constant(p)) {
        out->bound = INFINITY, out->lower = 0;
        return NIGH_OK;
    }
    double gap = s->options.gap > 0 ? s->options.gap : 1e-3, left = s->options.seconds - r->solve_seconds, value = 0, unit = 1;
    void *workspace = nigh_alloc(s->ctx, sdp_workspace(p));
    double *y = nigh_alloc(s->ctx, (size_t)(2 * p->variables) * sizeof *y), *start = y ? y + p->variables : NULL;
    sdp_result solved = {0};
    sdp_options options = {.gap = gap, .seconds = s->options.seconds > 0 ? fmax(left, 1e-9) : 0};
    nigh_status status = workspace && y ? sdp_start(s->ctx, p, y, workspace) : NIGH_MEMORY;
    if (!status) { /* once more in balanced units, in which the start weighs blocks better */
        unit = sdp_balance(p, y);
        status = sdp_start(s->ctx, p, y, workspace);
    }
    if (!status) {
        unit *= sdp_balance(p, y);
        memcpy(start, y, (size_t)p->variables * sizeof *y);
        status = sdp_solve(s->ctx, p, &options, y, &solved, workspace);
    }
    if (!status) status = sdp_prove(s->ctx, p, start, 0.1 * gap, y, &value, workspace);
    nigh_free(s->ctx, workspace);
    nigh_free(s->ctx, y);
    if (status) return status;
    out->bound = round_up(sqrt(unit) * round_up(sqrt(value))), out->lower = sqrt(unit * fmax(solved.lower, 0));
    r->steps += solved.steps, r->solve_seconds += solved.seconds;
    r->early = r->early || strcmp(solved.stopped, "gap") != 0;
    if (p->n > r->order) r->order = p->n, r->multipliers = p->variables;
    return NIGH_OK;
}

/* The naive bound of |row . output|, the dual norm of the row times that of the values. */
static double naive_of(const lip_system *system, int64_t rows, const double *row, nigh_lipschitz_norm norm)
{
    int which = norm == NIGH_LIPSCHITZ_INF;
    double sum = 0;
    for (int64_t i = 0; i < rows * system->output.size; i++) sum += which ? fabs(row[i]) : row[i] * row[i];
    sum = round_sum_up(sum, 2 * (double)(rows * system->output.size));
    return rows ? round_up(round_up(which ? sum : sqrt(sum)) * system->output.naive[which]) : system->output.naive[which];
}

static nigh_status bound_rows(search *s, lip_system *system, int64_t rows, const double *row, part_bound *out)
{
    sdp_problem p;
    nigh_status status = lip_system_problem(system, rows, row, s->options.norm, &p);
    if (!status) status = solve(s, &p, out);
    if (status) return status;
    out->naive = naive_of(system, rows, row, s->options.norm);
    out->bound = fmin(out->bound, out->naive);
    return NIGH_OK;
}

/* ---- one part's bounds, or several ------------------------------------------------------------------------ */

static nigh_status bound_output(search *s, lip_system *system, int64_t outputs, double before, double before_naive, double before_lower)
{
    nigh_lipschitz_result *r = s->result;
    const nigh_lipschitz_options *o = &s->options;
    bool whole = !o->rows && o->norm == NIGH_LIPSCHITZ_L2;
    int64_t count = whole ? 1 : o->rows ? o->rows : outputs;
    double *unit = nigh_alloc_zero(s->ctx, (size_t)outputs, sizeof *unit), *each = nigh_alloc_zero(s->ctx, (size_t)count, sizeof *each);
    nigh_status status = unit && each ? NIGH_OK : NIGH_MEMORY;
    r->bound = -1;
    for (int64_t i = 0; i < count && !status; i++) {
        part_bound b;
        const double *row = o->rows ? o->row + i * outputs : unit;
        if (!o->rows && !whole) unit[i] = 1;
        nigh_progress(s->ctx, "lipschitz", (double)i, (double)count);
        status = bound_rows(s, system, whole ? 0 : 1, row, &b);
        if (!o->rows && !whole) unit[i] = 0;
        if (status) break;
        each[i] = round_up(b.bound * before);
        if (each[i] > r->bound) r->bound = each[i], r->naive = round_up(b.naive * before_naive), r->lower = b.lower * before_lower;
    }
    nigh_free(s->ctx, unit);
    if (status) nigh_free(s->ctx, each);
    else r->each = each, r->count = count;
    return status;
}

/*
 * Where the part that begins at `from` ends: after `split` activations, or where the order would exceed the limit; always where the graph can be cut. Only activations between
 * two linear maps count: the others gain nothing over the product of norms.
 */
static int end_of_part(const search *s, int from)
{
    const lip_graph *g = s->graph;
    const int64_t most = s->options.most > 0 ? s->options.most : MOST;
    int64_t order = g->node[from].size, activations = 0;
    bool linear = false;
    int end = -1;
    for (int k = from + 1; k < g->nodes - 1; k++) {
        const lip_node *node = &g->node[k];
        bool cut = lip_is_cut(g, k);
        if (node->kind == LIP_LINEAR && node->input[0] == from && node->size < order && cut) order = node->size;
        linear = linear || node->kind == LIP_LINEAR;
        if (node->kind == LIP_ACTIVATION) order += lip_units(node), activations += linear;
        if (order > most && end > 0) return end;
        if (node->kind == LIP_ACTIVATION || !cut || !activations) continue;
        end = k;
        if ((s->options.split > 0 && activations >= s->options.split) || order > most) return end;
    }
    return g->nodes - 1;
}

static nigh_status run_parts(search *s)
{
    nigh_lipschitz_result *r = s->result;
    const lip_graph *g = s->graph;
    const bool inf = s->options.norm == NIGH_LIPSCHITZ_INF;
    const int64_t most = s->options.most > 0 ? s->options.most : MOST;
    double bound = 1, naive = 1, lower = 1;
    nigh_status status = NIGH_OK;
    for (int from = 0, to; !status && from < g->nodes - 1; from = to) {
        lip_system *system;
        part_bound b;
        to = inf ? g->nodes - 1 : end_of_part(s, from);
        status = lip_system_new(g, from, to, !inf, &system);
        if (status) break;
        r->pieces++;
        if (system->start[system->blocks] > 2 * most)
            status = nigh_fail(s->ctx, NIGH_UNSUPPORTED, "%lld inputs and units between two places where the network can be cut; at most %lld are allowed%s",
                               (long long)system->start[system->blocks], (long long)(2 * most), inf ? " (bounds for the infinity norm are not cut)" : "");
        else if (to == g->nodes - 1) status = bound_output(s, system, g->node[to].size, bound, naive, lower);
        else if (!(status = bound_rows(s, system, 0, NULL, &b))) bound = round_up(bound * b.bound), naive = round_up(naive * b.naive), lower *= b.lower;
        lip_system_free(system);
    }
    return status;
}

static nigh_status sample(search *s)
{
    nigh_lipschitz_result *r = s->result;
    const nigh_lipschitz_options *o = &s->options;
    int64_t worst = 0, outputs = s->graph->node[s->graph->nodes - 1].size;
    int samples = o->samples ? o->samples : 64;
    r->sampled = NAN;
    if (samples < 0) return NIGH_OK;
    if (!o->rows && o->norm == NIGH_LIPSCHITZ_L2) return lip_sample(s->graph, 0, NULL, o->norm, samples, o->seed, &r->sampled);
    for (int64_t i = 1; i < r->count; i++)
        if (r->each[i] > r->each[worst]) worst = i;
    double *row = nigh_alloc_zero(s->ctx, (size_t)outputs, sizeof *row);
    if (!row) return NIGH_MEMORY;
    row[o->rows ? 0 : worst] = 1;
    if (o->rows) memcpy(row, o->row + worst * outputs, (size_t)outputs * sizeof *row);
    nigh_status status = lip_sample(s->graph, 1, row, o->norm, samples, o->seed, &r->sampled);
    nigh_free(s->ctx, row);
    return status;
}

static nigh_status check_options(nigh_context *ctx, const lip_graph *g, const nigh_lipschitz_options *o)
{
    int64_t outputs = g->node[g->nodes - 1].size;
    if (o->norm != NIGH_LIPSCHITZ_L2 && o->norm != NIGH_LIPSCHITZ_INF) return nigh_fail(ctx, NIGH_INVALID, "norm is %d; L2 and INF are allowed", (int)o->norm);
    if (!(o->gap >= 0 && o->gap < 1)) return nigh_fail(ctx, NIGH_INVALID, "gap is %g; 0 to 1 is allowed", o->gap);
    if (!(o->seconds >= 0)) return nigh_fail(ctx, NIGH_INVALID, "seconds is %g; 0 or more is allowed", o->seconds);
    if (o->split < 0 || o->most < 0 || o->rows < 0) return nigh_fail(ctx, NIGH_INVALID, "split, most and rows must not be negative");
    if (o->split && o->norm == NIGH_LIPSCHITZ_INF) return nigh_fail(ctx, NIGH_INVALID, "only bounds for the 2-norm can be cut into parts");
    for (int64_t i = 0; i < o->rows * outputs; i++)
        if (!o->row || !isfinite(o->row[i])) return nigh_fail(ctx, NIGH_INVALID, "rows are missing or not finite");
    return NIGH_OK;
}

static nigh_status bound_graph_of(nigh_context *ctx, const lip_graph *g, const nigh_lipschitz_options *options, nigh_lipschitz_result *result)
{
    nigh_lipschitz_result r = {.inputs = g->node[0].size, .outputs = g->node[g->nodes - 1].size, .normalised = g->normalised};
    search s = {.ctx = ctx, .graph = g, .options = options ? *options : (nigh_lipschitz_options){0}, .began = nigh_clock(), .result = &r};
    nigh_status status = check_options(ctx, g, &s.options);
    if (!status) status = run_parts(&s);
    if (!status && !isfinite(r.bound)) status = nigh_fail(ctx, NIGH_UNSUPPORTED, "the bound is not finite: weights are too large");
    if (!status) status = sample(&s);
    r.seconds = nigh_clock() - s.began;
    if (status) nigh_lipschitz_result_free(ctx, &r);
    else *result = r;
    return status;
}

/* ---- the doors -------------------------------------------------------------------------------------------- */

nigh_status nigh_lipschitz_layers(nigh_context *ctx, int layers, const nigh_lipschitz_layer *layer, const nigh_lipschitz_options *options, nigh_lipschitz_result *result)
{
    lip_graph *g = NULL;
    nigh_status status = lip_graph_of_layers(ctx, layers, layer, &g);
    if (!status) status = bound_graph_of(ctx, g, options, result);
    lip_graph_free(g);
    return status;
}

nigh_status nigh_lipschitz_network(nigh_context *ctx, nigh_network *net, const nigh_lipschitz_options *options, nigh_lipschitz_result *result)
{
    lip_graph *g = NULL;
    nigh_status status = lip_graph_of_network(ctx, net, options ? options->group : 0, &g);
    if (!status) status = bound_graph_of(ctx, g, options, result);
    lip_graph_free(g);
    return status;
}

nigh_status nigh_lipschitz_at(nigh_context *ctx, int layers, const nigh_lipschitz_layer *layer, nigh_lipschitz_norm norm, const double *row, const double *x, int steps, double *slope)
{
    lip_graph *g = NULL;
    nigh_status status = lip_graph_of_layers(ctx, layers, layer, &g);
    if (!status) status = lip_slope_at(g, row ? 1 : 0, row, norm, x, steps, slope);
    lip_graph_free(g);
    return status;
}

void nigh_lipschitz_result_free(nigh_context *ctx, nigh_lipschitz_result *result)
{
    nigh_free(ctx, result->each);
    *result = (nigh_lipschitz_result){0};
}
