/*
 * What a plan for fields has to say of grids: the exact computation's own discretisation error, by one refinement, and the plan's error on other grids than its own.
 * Both are kept in the log, so that resumed runs and replays tell the same; what would take too long is left out, and said so.
 */
#include "plan/field_shape.h"
#include "plan/receipt.h"
#include "plan/run.h"

#include <math.h>
#include <stdio.h>

enum { REFINED_INPUTS = 8, GRID_INPUTS = 16, LEAST_SIZE = 8, STREAM_GRIDS = 4 };
static const double MOST_BYTES = 5e8, CHEAP_SECONDS = 2;

/* Seconds that each of the two may take. */
static double time_given(const plan_run *run) { return run->request->seconds > 0 ? run->request->seconds / 10 : 30; }

static bool passes(nigh_status status) { return status == NIGH_FAILED || status == NIGH_UNSUPPORTED || status == NIGH_INVALID; }

/* ---- one refinement ---- */

static nigh_status refinement_put(plan_run *run, const nigh_refinement *r)
{
    json_t *value = r->n ? json_pack("{s:I,s:f,s:f}", "n", (json_int_t)r->n, "mean", r->mean, "worst", r->worst) : json_pack("{s:s}", "why", r->why);
    return clocklog_put(run->clock, "refinement", value);
}

static nigh_status refinement_skip(nigh_receipt *receipt, const char *why)
{
    receipt->refinement = (nigh_refinement){.why = nigh_arena_strdup(receipt->arena, why)};
    return receipt->refinement.why ? NIGH_OK : NIGH_MEMORY;
}

/* True when the log knows it; what a replayed plan says may be wrong, and then counts as nothing. */
static bool refinement_get(plan_run *run, nigh_receipt *receipt)
{
    json_t *value;
    if (!clocklog_get(run->clock, "refinement", &value)) return false;
    const char *why = json_string_value(json_object_get(value, "why"));
    nigh_refinement r = {json_integer_value(json_object_get(value, "n")), json_number_value(json_object_get(value, "mean")),
                         json_number_value(json_object_get(value, "worst")), NULL};
    bool right = why || (r.n > 0 && r.mean >= 0 && r.worst >= 0);
    if (why) right = !refinement_skip(receipt, why);
    else if (right) receipt->refinement = r;
    json_decref(value);
    return right;
}

/* Too long, by the exact computation's time or by that of a first refined one? Then `why` says so. */
static bool too_long(const plan_run *run, double seconds, char why[160])
{
    if (clocklog_frozen(run) || REFINED_INPUTS * seconds <= time_given(run)) return false;
    snprintf(why, 160, "%d refined runs would take some %.2g s, and %.2g s are given to them%s", REFINED_INPUTS, REFINED_INPUTS * seconds, time_given(run),
             run->request->seconds > 0 ? ", a tenth of --time" : "");
    return true;
}

static nigh_status refined_answers(plan_run *run, const sample_set *set, int64_t n, char *out, char why[160])
{
    const nigh_problem *problem = run->problem;
    if (too_long(run, run->outcome->exact_seconds, why)) return NIGH_OK;
    double start = nigh_clock();
    nigh_status status = problem->ops->refined(run->ctx, problem, 1, set->in, out);
    if (status || n == 1 || too_long(run, nigh_clock() - start, why)) return status;
    return problem->ops->refined(run->ctx, problem, n - 1, set->in + run->in_bytes, out + run->out_bytes);
}

static nigh_status refinement_compute(plan_run *run, const sample_set *set, nigh_receipt *receipt)
{
    nigh_context *ctx = run->ctx;
    int64_t n = set->n < REFINED_INPUTS ? set->n : REFINED_INPUTS;
    char why[160] = "", *out = nigh_alloc_zero(ctx, (size_t)n, run->out_bytes);
    double errors[REFINED_INPUTS] = {0};
    nigh_progress(ctx, "refining the grid", 0, 1);
    nigh_status status = out ? refined_answers(run, set, n, out, why) : NIGH_MEMORY;
    if (!status && !*why) status = answer_errors(run, n, set->in, out, set->out, errors); /* the finer answer is the truth here */
    if (passes(status)) {
        snprintf(why, sizeof why, "%.150s", nigh_message(ctx));
        status = NIGH_OK;
    }
    nigh_free(ctx, out);
    nigh_progress(ctx, "refining the grid", 1, 1);
    nigh_refinement r = {.n = n};
    for (int64_t i = 0; i < n; i++) r.mean += errors[i] / (double)n, r.worst = fmax(r.worst, errors[i]);
    if (!*why && !isfinite(r.mean)) snprintf(why, sizeof why, "a refined answer is not finite where the exact one is");
    if (status) return status;
    receipt->refinement = r;
    return *why ? refinement_skip(receipt, why) : NIGH_OK;
}

nigh_status refinement_measure(plan_run *run, const sample_set *set, nigh_receipt *receipt)
{
    receipt->refinement = (nigh_refinement){0};
    if (!run->problem->ops->refined || set->n < 1 || refinement_get(run, receipt)) return NIGH_OK;
    nigh_status status = refinement_compute(run, set, receipt);
    return status ? status : refinement_put(run, &receipt->refinement);
}

/* ---- other grids ---- */

/* The grid of `dim` points at a level: -1 half, 0 the same, 1 twice, 2 four times as fine. */
static int64_t size_at(const nigh_problem *problem, int64_t dim, int level)
{
    int64_t cells = problem->grid == NIGH_GRID_NODE ? dim - 1 : dim, more = dim - cells;
    return (level < 0 ? cells / 2 : cells << level) + more;
}

static bool level_size(const plan_run *run, const nigh_field_shape *shape, int level, int64_t size[2])
{
    double bytes = 8.0 * GRID_INPUTS * (double)(shape->in + shape->out);
    for (int k = 0; k < shape->dims; k++) {
        size[k] = size_at(run->problem, shape->size[k], level);
        if (size[k] < LEAST_SIZE) return false;
        bytes *= (double)size[k];
    }
    if (shape->dims == 1) size[1] = 0;
    return bytes <= MOST_BYTES;
}

static nigh_status grid_error(plan_run *run, const nigh_plan *plan, const nigh_field_shape *shape, const int64_t size[2], double *mean)
{
    nigh_context *ctx = run->ctx;
    const nigh_problem *problem = run->problem;
    int64_t points = size[0] * (shape->dims == 2 ? size[1] : 1), outs = points * shape->out;
    double *in = nigh_alloc(ctx, (size_t)(GRID_INPUTS * points * shape->in) * sizeof *in), *exact = nigh_alloc(ctx, 2 * (size_t)(GRID_INPUTS * outs) * sizeof *exact);
    double *answer = exact ? exact + GRID_INPUTS * outs : NULL;
    nigh_rng rng = nigh_rng_new(nigh_context_seed(ctx), STREAM_GRIDS); /* the same fields on every grid */
    nigh_status status = in && exact ? problem->ops->elsewhere(ctx, problem, size, &rng, GRID_INPUTS, in, exact) : NIGH_MEMORY;
    if (!status) status = plan->ops->apply_elsewhere(ctx, plan, size, GRID_INPUTS, in, answer);
    *mean = 0;
    for (int64_t i = 0; i < GRID_INPUTS && !status; i++)
        *mean += problem->measure->error(outs, exact + i * outs, answer + i * outs, NIGH_F64) / GRID_INPUTS;
    nigh_free(ctx, exact);
    nigh_free(ctx, in);
    return status;
}

static nigh_status grids_compute(plan_run *run, const nigh_plan *plan, const nigh_field_shape *shape, nigh_receipt *receipt)
{
    double began = nigh_clock(), took = 0, growth = 2 << shape->dims; /* more points, and often more steps */
    for (int level = -1; level <= 2; level++) {
        nigh_grid_error g = {.n = GRID_INPUTS, .own = level == 0};
        double next = took * growth, spent = nigh_clock() - began;
        bool frozen = clocklog_frozen(run), costly = !frozen && level > 0 && spent + next > time_given(run);
        if (costly || (level == 2 && (frozen || next > CHEAP_SECONDS)) || !level_size(run, shape, level, g.size)) continue;
        nigh_progress(run->ctx, "error on other grids", level + 1, 4);
        nigh_status status = grid_error(run, plan, shape, g.size, &g.mean);
        took = nigh_clock() - began - spent;
        if (passes(status) || (!status && !isfinite(g.mean))) continue; /* a grid that problem or plan cannot have */
        if (status) return status;
        receipt->grid[receipt->grids++] = g;
    }
    nigh_progress(run->ctx, "error on other grids", 4, 4);
    return NIGH_OK;
}

static nigh_status grids_put(plan_run *run, const char *key, const nigh_receipt *receipt)
{
    json_t *list = json_array();
    for (int i = 0; list && i < receipt->grids; i++) {
        const nigh_grid_error *g = &receipt->grid[i];
        json_array_append_new(list, json_pack("[I,I,I,f,b]", (json_int_t)g->size[0], (json_int_t)g->size[1], (json_int_t)g->n, g->mean, (int)g->own));
    }
    return clocklog_put(run->clock, key, list);
}

static bool grids_get(plan_run *run, const char *key, nigh_receipt *receipt)
{
    json_t *list;
    if (!clocklog_get(run->clock, key, &list)) return false;
    int count = (int)json_array_size(list);
    bool right = json_is_array(list) && count <= NIGH_GRIDS;
    for (int i = 0; i < count && right; i++) {
        json_t *row = json_array_get(list, (size_t)i);
        nigh_grid_error *g = &receipt->grid[i];
        *g = (nigh_grid_error){{json_integer_value(json_array_get(row, 0)), json_integer_value(json_array_get(row, 1))}, json_integer_value(json_array_get(row, 2)),
                               json_number_value(json_array_get(row, 3)), json_is_true(json_array_get(row, 4))};
        right = g->size[0] > 0 && g->size[1] >= 0 && g->n > 0 && g->mean >= 0;
    }
    receipt->grids = right ? count : 0;
    json_decref(list);
    return right;
}

nigh_status grids_measure(plan_run *run, const nigh_plan *plan, nigh_receipt *receipt)
{
    const nigh_problem *problem = run->problem;
    nigh_field_shape shape;
    char key[512];
    receipt->grids = 0;
    bool numbers = problem->in.dtype == NIGH_F64 && problem->out.dtype == NIGH_F64;
    if (!problem->ops->elsewhere || !plan->ops->apply_elsewhere || problem->ops->errors || !numbers || !nigh_field_shape_of(&problem->in, &problem->out, &shape)) return NIGH_OK;
    snprintf(key, sizeof key, "grids %s %s", receipt->method ? receipt->method : "", receipt->settings ? receipt->settings : "");
    if (grids_get(run, key, receipt)) return NIGH_OK;
    nigh_status status = grids_compute(run, plan, &shape, receipt);
    return status ? status : grids_put(run, key, receipt);
}

nigh_status refinement_words(nigh_receipt *receipt)
{
    const nigh_refinement *r = &receipt->refinement;
    if (r->n < 1 || !(r->mean > receipt->error / 3)) return NIGH_OK;
    receipt->words = nigh_arena_format(receipt->arena, "%s Warning: the exact computation's own discretisation error is %.2g, more than a third of the %.3g asked for: "
                                       "near to it is not yet near to the equation's solution. A finer grid is needed, or a larger error.", receipt->words, r->mean, receipt->error);
    return receipt->words ? NIGH_OK : NIGH_MEMORY;
}
