/*
 * Verdicts: attacks first, then bounds of the whole box, then a complete search. Declared in nigh/verify.h.
 *
 * A property is a list of cases, each a box with groups of conditions; it is violated when one case is. Cases are proved one after another; what time is left is shared
 * evenly among those to come.
 */
#include "nigh/verify.h"

#include "verify/falsify.h"
#include "verify/outputs.h"
#include "core/round.h"
#include "verify/search.h"

#include <math.h>
#include <string.h>

enum { MOST_SPLIT_INPUTS = 12, ATTACK_ROUNDS = 2 };

typedef struct job {
    nigh_context *ctx;
    nigh_network *net;
    const nigh_property *property;
    const nigh_verify_options *options;
    nigh_verify_result *result;
    bound_graph *graph;
    bounds_options bounds;
    double start, start_cpu, until;
    /* of the case at hand */
    const nigh_property_case *item;
    nigh_arena *arena;
    search_query query;
    falsify *falsify;
} job;

static double left(const job *j) { return j->until - nigh_clock(); }

/* ---- a case as a query -------------------------------------------------------------------------------- */

/* Coefficients of decimals that are no f64 numbers: levels fall by what the rest can make up over the box. */
static nigh_status lower_levels(job *j, bounds *b, bounds_batch *batch, double *level)
{
    int64_t size = j->graph->node[j->graph->output].size;
    double *low = nigh_arena_alloc(j->arena, 2 * (size_t)size * sizeof *low);
    if (!low) return NIGH_MEMORY;
    double *high = low + size;
    bounds_interval_of(b, batch, j->graph->output, low, high);
    int64_t at = 0;
    for (int64_t g = 0; g < j->item->groups; g++)
        for (int64_t r = 0; r < j->item->group[g].count; r++, at++) {
            const nigh_condition *c = &j->property->condition[j->item->group[g].first + r];
            for (int k = 0; k < c->terms && c->value_error; k++) {
                double most = fmax(fabs(low[c->index[k]]), fabs(high[c->index[k]]));
                level[at] = round_down(level[at] - round_up(c->value_error[k] * most));
            }
        }
    return NIGH_OK;
}

static nigh_status build_query(job *j)
{
    const nigh_property_case *item = j->item;
    int64_t rows = 0, size = j->graph->node[j->graph->output].size, in = j->graph->inputs;
    for (int64_t g = 0; g < item->groups; g++) rows += item->group[g].count;
    if ((double)rows * (double)size > 1e9 || item->groups > 1000000)
        return nigh_fail(j->ctx, NIGH_RESOURCE, "the property has %lld conditions on %lld numbers in one box; at most 1e9 coefficients are allowed", (long long)rows, (long long)size);
    double *row = nigh_arena_alloc_zero(j->arena, (size_t)(rows * size) + 1, sizeof *row), *level = nigh_arena_alloc(j->arena, (size_t)(rows + 1) * sizeof *level);
    int *group = nigh_arena_alloc(j->arena, (size_t)(item->groups + 1) * sizeof *group);
    double *low = nigh_arena_alloc(j->arena, 2 * (size_t)in * sizeof *low);
    if (!row || !level || !group || !low) return NIGH_MEMORY;
    double *high = low + in;
    for (int64_t i = 0; i < in; i++) {
        low[i] = item->low[i], high[i] = item->high[i];
        if (j->options->semantics == NIGH_SEMANTICS_F32) { /* decimals are rounded to f32 before the network sees them */
            if ((double)(float)low[i] > low[i]) low[i] = nextafterf((float)low[i], -INFINITY);
            else low[i] = (float)low[i];
            if ((double)(float)high[i] < high[i]) high[i] = nextafterf((float)high[i], INFINITY);
            else high[i] = (float)high[i];
        }
    }
    int64_t at = 0;
    for (int64_t g = 0; g < item->groups; g++) {
        group[g] = (int)at;
        for (int64_t r = 0; r < item->group[g].count; r++, at++) {
            const nigh_condition *c = &j->property->condition[item->group[g].first + r];
            for (int k = 0; k < c->terms; k++) row[at * size + c->index[k]] = c->value[k];
            level[at] = c->level;
        }
    }
    group[item->groups] = (int)at;
    j->query = (search_query){.graph = j->graph, .low = low, .high = high, .rows = rows, .row = row, .level = level, .groups = (int)item->groups, .group = group};
    return NIGH_OK;
}

/* ---- proofs over the whole box ------------------------------------------------------------------------ */

/* margin [rows]: proved lower bounds of level - row . y. The least over groups of the best row of each. */
static double least_margin(const search_query *q, const double *margin)
{
    double least = INFINITY;
    for (int g = 0; g < q->groups; g++) {
        double most = -INFINITY;
        for (int r = q->group[g]; r < q->group[g + 1]; r++) most = fmax(most, margin[r]);
        least = fmin(least, most);
    }
    return least;
}

static void interval_margins(const search_query *q, const double *low, const double *high, double *margin)
{
    int64_t size = q->graph->node[q->graph->output].size;
    for (int64_t r = 0; r < q->rows; r++) {
        double sum = q->level[r];
        for (int64_t k = 0; k < size; k++) {
            double v = q->row[r * size + k];
            if (v != 0) sum = round_down(sum - round_up(v * (v > 0 ? high[k] : low[k])));
        }
        margin[r] = sum;
    }
}

/* Intervals, then linear bounds. *margin > 0: proved. */
static nigh_status prove_box(job *j, double *margin)
{
    search_query *q = &j->query;
    int64_t size = j->graph->node[j->graph->output].size;
    bounds *b = NULL;
    bounds_batch batch = {0};
    double *room = nigh_arena_alloc(j->arena, (size_t)(2 * size + q->rows + 1) * sizeof *room);
    double *rows = nigh_arena_alloc(j->arena, (size_t)(q->rows * size + 1) * sizeof *rows);
    nigh_status status = room && rows ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = bounds_new(j->ctx, j->graph, &j->bounds, q->low, q->high, &b);
    if (!status) status = bounds_batch_new(j->ctx, j->graph, 1, 0, &batch);
    if (!status) {
        batch.domains = 1;
        memcpy(batch.low, q->low, (size_t)j->graph->inputs * sizeof(double)), memcpy(batch.high, q->high, (size_t)j->graph->inputs * sizeof(double));
        bounds_interval(b, &batch, false);
        status = lower_levels(j, b, &batch, (double *)(uintptr_t)q->level);
    }
    if (!status) {
        bounds_interval_of(b, &batch, j->graph->output, room, room + size);
        interval_margins(q, room, room + size, room + 2 * size);
        *margin = least_margin(q, room + 2 * size);
        j->result->how = "intervals", j->result->domains++;
    }
    if (!status && !(*margin > 0) && q->rows) {
        status = bounds_crown(b, &batch, 0);
        for (int64_t i = 0; i < q->rows * size; i++) rows[i] = -q->row[i];
        bounds_rows want = {.node = j->graph->output, .rows = q->rows, .coefficient = rows, .shared = true, .bound = room};
        if (!status) status = bounds_lower(b, &batch, &want);
        for (int64_t r = 0; r < q->rows && !status; r++) room[r] = round_down(room[r] + q->level[r]);
        if (!status) *margin = least_margin(q, room), j->result->how = "linear bounds";
    }
    bounds_batch_free(j->ctx, j->graph, &batch);
    bounds_free(b);
    return status;
}

/* ---- the search --------------------------------------------------------------------------------------- */

static nigh_status search(job *j, double seconds, search_result *found)
{
    int64_t open = 0;
    for (int64_t i = 0; i < j->graph->inputs; i++) open += j->query.high[i] > j->query.low[i];
    bool input = j->options->splitting == NIGH_SPLIT_INPUT || (j->options->splitting == NIGH_SPLIT_AUTO && (open <= MOST_SPLIT_INPUTS || j->graph->activations == 0));
    search_options options = {.bounds = j->bounds, .seconds = seconds, .seed = j->options->seed, .try = falsify_try, .user = j->falsify};
    nigh_status status = (input ? search_input : search_relu)(j->ctx, &j->query, &options, found);
    j->result->how = input ? "input splitting" : "relu splitting";
    j->result->domains += found->visited;
    if (status || found->answer != SEARCH_UNDECIDED || !found->why || strcmp(found->why, "stuck") != 0 || j->options->splitting != NIGH_SPLIT_AUTO) return status;
    if (!(left(j) > 0)) return NIGH_OK;
    options.seconds = isfinite(left(j)) ? fmin(seconds, left(j)) : 0;
    status = (input ? search_relu : search_input)(j->ctx, &j->query, &options, found);
    j->result->how = input ? "relu splitting" : "input splitting";
    j->result->domains += found->visited;
    return status;
}

static nigh_status open_case(job *j, int64_t i)
{
    j->item = &j->property->item[i];
    nigh_status status = nigh_arena_new(j->ctx, &j->arena);
    if (!status) status = build_query(j);
    if (!status) status = falsify_new(j->ctx, j->net, j->graph, j->property, j->item, &j->query, j->options->semantics, &j->falsify);
    return status;
}

static void close_case(job *j)
{
    j->result->attacks += j->falsify ? falsify_tried(j->falsify) : 0;
    falsify_free(j->falsify);
    nigh_arena_free(j->arena);
    j->falsify = NULL, j->arena = NULL;
}

static nigh_status keep_point(job *j)
{
    nigh_verify_result *r = j->result;
    size_t in = (size_t)r->inputs, outs = (size_t)r->outputs;
    if (!(r->x = nigh_alloc(j->ctx, (in + outs) * sizeof *r->x))) return NIGH_MEMORY;
    r->y = r->x + in;
    memcpy(r->x, falsify_point(j->falsify), in * sizeof *r->x), memcpy(r->y, falsify_outputs(j->falsify), outs * sizeof *r->y);
    r->verdict = NIGH_VERIFY_VIOLATED, r->why = NULL;
    return NIGH_OK;
}

/* One case: true in *over when the verdict of all is known (violated). */
static nigh_status settle_case(job *j, int64_t i, bool *over)
{
    nigh_verify_result *r = j->result;
    double share = isfinite(j->until) ? left(j) / (double)(j->property->cases - i) : INFINITY, until = nigh_clock() + share, margin = -INFINITY;
    search_result found = {.answer = SEARCH_UNDECIDED};
    nigh_status status = open_case(j, i);
    if (!status) status = prove_box(j, &margin);
    if (!status && margin > 0) found = (search_result){.answer = SEARCH_SAFE, .bound = margin};
    else if (!status && falsify_attack(j->falsify, ATTACK_ROUNDS, 0.1 * share, j->options->seed)) r->how = "attack", found.answer = SEARCH_UNSAFE;
    else if (!status && !(status = nigh_poll(j->ctx))) status = search(j, isfinite(until) ? fmax(until - nigh_clock(), 0.01) : 0, &found);
    if (!status && found.answer == SEARCH_UNSAFE && falsify_point(j->falsify)) {
        *over = true;
        status = keep_point(j);
    } else if (!status && found.answer == SEARCH_SAFE) {
        r->bound = fmin(r->bound, found.bound);
    } else if (!status) {
        bool time = found.why && strcmp(found.why, "time") == 0;
        r->bound = -INFINITY;
        if (falsify_borderline(j->falsify)) r->verdict = NIGH_VERIFY_UNKNOWN, r->why = "borderline: a point violates in one arithmetic but not in the other";
        else if (time && r->verdict == NIGH_VERIFY_HOLDS) r->verdict = NIGH_VERIFY_TIMEOUT, r->why = "time";
        else if (!time) r->verdict = NIGH_VERIFY_UNKNOWN, r->why = found.why ? found.why : "stuck";
    }
    close_case(j);
    return status;
}

/* ---- all of it ---------------------------------------------------------------------------------------- */

static nigh_status check_sizes(job *j)
{
    if (j->property->inputs != j->graph->inputs)
        return nigh_fail(j->ctx, NIGH_INVALID, "the property speaks of %lld inputs (X_0 .. X_%lld), the network has %lld", (long long)j->property->inputs,
                         (long long)j->property->inputs - 1, (long long)j->graph->inputs);
    if (j->property->outputs != j->graph->outputs)
        return nigh_fail(j->ctx, NIGH_INVALID, "the property speaks of %lld outputs (Y_0 .. Y_%lld), the network has %lld", (long long)j->property->outputs,
                         (long long)j->property->outputs - 1, (long long)j->graph->outputs);
    return NIGH_OK;
}

/* Do all conditions say Y_i >= Y_j, of one row? */
static bool only_compares(const nigh_property *p, int64_t size, int64_t stride)
{
    for (int64_t i = 0; i < p->conditions; i++) {
        const nigh_condition *c = &p->condition[i];
        if (c->terms != 2 || c->value[0] != -c->value[1] || c->level != 0 || c->level_above != 0) return false;
        if (c->value_error && (c->value_error[0] != 0 || c->value_error[1] != 0)) return false;
        int64_t a = c->index[0], b = c->index[1];
        if (a >= p->outputs || b >= p->outputs || a / (size * stride) != b / (size * stride) || a % stride != b % stride) return false;
    }
    return true;
}

/*
 * The graph that is to be bounded. A last softmax keeps the order of real numbers, so that a property about the order of outputs is one about what goes into it; in f32 it does not:
 * different numbers become equal.
 */
static nigh_status make_graph(job *j)
{
    int last = bound_graph_last_softmax(j->net);
    if (last < 0) return outputs_graph(j->ctx, j->net, j->property->joint, &j->graph);
    int64_t size, stride;
    nigh_status status = outputs_graph_before_softmax(j->ctx, j->net, &j->graph, &size, &stride);
    if (status || (j->options->semantics == NIGH_SEMANTICS_REAL && only_compares(j->property, size, stride))) return status;
    const nigh_layer *l = nigh_network_at(j->net, last);
    return nigh_fail(j->ctx, NIGH_UNSUPPORTED, "layer '%s' (%s): no bounds for it; at the end of a network it is allowed when all conditions compare two outputs of one row "
                     "(Y_i >= Y_j, without levels or other factors) and the verdict is about real numbers (not f32)", l->name, l->kind);
}

nigh_status nigh_verify(nigh_context *ctx, nigh_network *net, const nigh_property *property, const nigh_verify_options *options, nigh_verify_result *result)
{
    static const nigh_verify_options plain;
    nigh_verify_result found = {.verdict = NIGH_VERIFY_HOLDS, .bound = INFINITY};
    job j = {.ctx = ctx, .net = net, .property = property, .options = options ? options : &plain, .result = &found, .start = nigh_clock(), .start_cpu = nigh_clock_cpu()};
    j.until = j.options->seconds > 0 ? j.start + j.options->seconds : INFINITY;
    j.bounds = (bounds_options){.fast = j.options->fast, .single = j.options->semantics == NIGH_SEMANTICS_F32, .threads = nigh_context_threads(ctx)};
    nigh_status status = make_graph(&j);
    if (!status) status = check_sizes(&j);
    if (!status) found.inputs = j.graph->inputs, found.outputs = j.graph->outputs;
    bool over = false;
    for (int64_t i = 0; i < property->cases && !over && !status; i++) status = settle_case(&j, i, &over);
    bound_graph_free(j.graph);
    found.seconds = nigh_clock() - j.start, found.cpu_seconds = nigh_clock_cpu() - j.start_cpu;
    if (status) nigh_verify_result_free(ctx, &found);
    else *result = found;
    return status;
}

void nigh_verify_result_free(nigh_context *ctx, nigh_verify_result *result)
{
    nigh_free(ctx, result->x);
    result->x = result->y = NULL;
}
