/*
 * The planner of subsets: one training on all rows, then for every chooser the smallest size whose model costs at most `error` more on ALL rows, found by
 * growing or shrinking the size as the error asks and halving the ratio between a miss and a pass. A size counts as too small when
 * `draws` subsets of it missed. The rule is the same for every chooser, so that none gets more luck than another; the winner alone is then tried again below its size.
 */
#include "nigh/reduce.h"

#include "core/words.h"
#include "reduce/choosers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct search {
    nigh_context *ctx;
    chooser_task task;
    nigh_reduce_request request;
    nigh_reduction *out;
    const chooser *chooser;
    nigh_reduce_candidate *candidate;
    double *score;       /* [n] of the chooser at work; NULL: it has none */
    nigh_subset subset;  /* of the try at work */
    double *model;       /* [parameters] */
    int64_t room;        /* of out->history */
    int patience;        /* times so many draws */
} search;

nigh_reduce_request nigh_reduce_request_default(void) { return (nigh_reduce_request){.draws = 8, .precision = 1.08}; }

/* ---- what the search starts from ---------------------------------------------------------------------------- */

static nigh_status check_request(nigh_context *ctx, const nigh_reduce_request *r)
{
    if (!(r->error > 0) || !isfinite(r->error)) return nigh_fail(ctx, NIGH_INVALID, "the error allowed is %g; a number above 0 is needed", r->error);
    if (!(r->uses >= 0) || !isfinite(r->uses)) return nigh_fail(ctx, NIGH_INVALID, "%g uses; a number of fits, 0 for the smallest subset", r->uses);
    if (r->draws < 1 || r->draws > 1000) return nigh_fail(ctx, NIGH_INVALID, "%d draws of a size; 1 to 1000 are allowed", r->draws);
    if (!(r->precision > 1) || !(r->precision <= 4)) return nigh_fail(ctx, NIGH_INVALID, "sizes to a ratio of %g; above 1, up to 4", r->precision);
    return NIGH_OK;
}

static nigh_status check_methods(nigh_context *ctx, const char *list)
{
    for (const char *p = list; p && *p;) {
        size_t part = strcspn(p, ",");
        const char *near = NULL;
        bool known = false;
        for (const chooser *c = choosers; c->name && !known; c++) {
            known = strlen(c->name) == part && strncmp(c->name, p, part) == 0;
            near = word_nearer(p, part, c->name, near);
        }
        if (!known)
            return nigh_fail(ctx, NIGH_INVALID, "no way to choose rows is called '%.*s'%s%s%s", (int)part, p, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        p += part + (p[part] == ',');
    }
    return NIGH_OK;
}

static nigh_status train_full(search *s)
{
    nigh_reduction *o = s->out;
    nigh_loss_fit fit = {0};
    nigh_progress(s->ctx, "training on all rows", 0, 1);
    double began = nigh_clock();
    nigh_status status = nigh_loss_train(s->ctx, s->task.loss, s->task.rows, NULL, o->best_model, &fit);
    o->full_seconds = nigh_clock() - began;
    o->best_cost = fit.cost, o->gap = fit.gap, o->full_passes = fit.passes;
    for (int i = 0; i < 4 && !status && o->full_seconds < 0.05; i++) { /* a time that short is taken from the best of a few */
        began = nigh_clock();
        status = nigh_loss_train(s->ctx, s->task.loss, s->task.rows, NULL, o->best_model, &fit);
        o->full_seconds = fmin(o->full_seconds, nigh_clock() - began);
    }
    return status;
}

/* What the cost is compared with: the least there can be where that is proved, else the best that was found. */
static double least_cost(const nigh_reduction *o) { return isfinite(o->gap) && o->gap < 0.5 * fabs(o->best_cost) ? o->best_cost - o->gap : o->best_cost; }

/* ---- one try ------------------------------------------------------------------------------------------------ */

/* A subset on which no model can be fitted (a class is missing, too few rows) is a miss, not a failure. */
static nigh_status missed_if(nigh_status status, double *error)
{
    if (status != NIGH_INVALID && status != NIGH_UNMET && status != NIGH_FAILED) return status;
    *error = INFINITY;
    return NIGH_OK;
}

static nigh_status draw(search *s, int64_t m, uint64_t number)
{
    nigh_rng rng = nigh_rng_new(nigh_seed_split(s->task.seed, (uint64_t)(s->chooser - choosers) + 1), number);
    if (s->chooser->draw) return s->chooser->draw(s->ctx, &s->task, m, &rng, &s->subset, s->model);
    return nigh_subset_scores(s->ctx, s->task.rows, s->score, m, &rng, &s->subset);
}

static nigh_status evaluate(search *s, double *error, double *subset_error, double *seconds)
{
    nigh_rows part;
    void *block;
    nigh_loss_fit fit = {0};
    double cost = INFINITY;
    nigh_status status = nigh_subset_take(s->ctx, s->task.rows, &s->subset, &part, &block);
    if (status) return status;
    if (s->chooser->model_only) {
        status = nigh_loss_cost(s->ctx, s->task.loss, &part, s->model, &fit.cost);
    } else {
        double began = nigh_clock();
        status = nigh_loss_train(s->ctx, s->task.loss, &part, NULL, s->model, &fit);
        *seconds = nigh_clock() - began;
    }
    if (!status) status = nigh_loss_cost(s->ctx, s->task.loss, s->task.rows, s->model, &cost);
    nigh_free(s->ctx, block);
    if (status) return status;
    *error = nigh_loss_error(s->task.loss, cost, least_cost(s->out), s->out->weight);
    *subset_error = nigh_loss_error(s->task.loss, fit.cost, s->out->best_cost, s->out->weight);
    if (isnan(*error)) *error = INFINITY;
    return NIGH_OK;
}

static nigh_status remember(search *s, int64_t rows, double error)
{
    nigh_reduction *o = s->out;
    if (o->tries == s->room) {
        int64_t room = s->room ? 2 * s->room : 256;
        nigh_reduce_try *more = nigh_arena_alloc(o->arena, (size_t)room * sizeof *more);
        if (!more) return NIGH_MEMORY;
        if (o->tries) memcpy(more, o->history, (size_t)o->tries * sizeof *more);
        o->history = more, s->room = room;
    }
    o->history[o->tries++] = (nigh_reduce_try){(int)(s->candidate - o->candidates), rows, error};
    return NIGH_OK;
}

/* Keeps the try at work as what the candidate has; the subset moves. */
static void keep(search *s, double error, double subset_error, double train_seconds)
{
    nigh_reduce_candidate *c = s->candidate;
    nigh_subset_free(s->ctx, &c->subset);
    c->subset = s->subset;
    s->subset = (nigh_subset){0};
    memcpy(c->model, s->model, (size_t)s->out->parameters * sizeof *c->model);
    c->error = error, c->subset_error = subset_error;
    c->train_seconds = train_seconds;
}

/* Up to `draws` subsets of m rows, until one meets the error: *best is the least error seen. */
static nigh_status try_size(search *s, int64_t m, bool *met, double *best)
{
    nigh_status status = NIGH_OK;
    *met = false, *best = INFINITY;
    int draws = s->patience * (s->chooser->once ? (s->request.draws + 3) / 4 : s->request.draws);
    for (int i = 0; i < draws && !*met && !status; i++) {
        double error = INFINITY, subset_error = NAN, seconds = 0;
        status = nigh_poll(s->ctx);
        double began = nigh_clock();
        if (!status) status = draw(s, m, (uint64_t)m * 1000 + (uint64_t)i);
        seconds = nigh_clock() - began; /* of a model that is drawn with its own passes over all rows */
        if (!status) status = missed_if(evaluate(s, &error, &subset_error, &seconds), &error);
        else status = missed_if(status, &error);
        s->candidate->tries++;
        if (!status) status = remember(s, s->subset.count ? s->subset.count : m, error);
        *best = fmin(*best, error);
        *met = !status && error <= s->request.error;
        if (!status && (*met || !s->candidate->subset.count)) keep(s, error, subset_error, seconds);
        nigh_subset_free(s->ctx, &s->subset);
    }
    return status;
}

/* ---- the search of one chooser ------------------------------------------------------------------------------- */

static double clamp(double value, double low, double high) { return value < low ? low : value > high ? high : value; }

/* The smallest subset that another candidate has. */
static int64_t smallest_of_others(const search *s)
{
    int64_t least = INT64_MAX;
    for (int i = 1; i < s->out->count; i++) {
        const nigh_reduce_candidate *c = &s->out->candidates[i];
        if (c != s->candidate && !c->model_only && c->state == NIGH_REDUCE_MET && c->subset.count < least) least = c->subset.count;
    }
    return least;
}

/* Sizes between a miss and a pass until their ratio is small, or until this chooser cannot win any more. */
static nigh_status search_size(search *s)
{
    int64_t most = s->task.rows->n / 2, low = 0, high = 0, others = smallest_of_others(s);
    int64_t m = s->out->parameters < 5 ? 10 : 2 * s->out->parameters;
    nigh_status status = NIGH_OK;
    if (others < INT64_MAX && others > m) m = others; /* begin where it is decided whether this one is better */
    if (m > most) m = most;
    while (!status) {
        bool met;
        double error;
        status = try_size(s, m, &met, &error);
        if (status) break;
        if (met) high = m, s->candidate->state = NIGH_REDUCE_MET;
        else low = m;
        if (!high && low >= most) s->candidate->state = NIGH_REDUCE_MISSED;
        if ((!high && low >= most) || (high && (high - low <= 1 || (double)high <= s->request.precision * (double)low))) break;
        if (!high && !s->request.brute && low >= (double)others * s->request.precision) {
            s->candidate->state = NIGH_REDUCE_BEATEN;
            break;
        }
        double ratio = error / s->request.error; /* errors fall about as 1 / m */
        if (high && low) m = (int64_t)sqrt((double)low * (double)high);
        else if (high) m = (int64_t)((double)high * clamp(ratio, 0.25, 0.85));
        else m = (int64_t)ceil((double)low * clamp(isfinite(ratio) ? ratio : 2, 1.25, 6));
        if (high && low && m <= low) m = low + 1;
        if (m < 1) break;
        if (m > most) m = most;
    }
    return status;
}

/* Reasons not to take part are kept; what ends all work goes up. */
static nigh_status excuse(search *s, nigh_status status, nigh_reduce_state state)
{
    if (status == NIGH_OK || status == NIGH_INTERRUPTED || status == NIGH_MEMORY || status == NIGH_INTERNAL) return status;
    s->candidate->state = state;
    s->candidate->why = nigh_arena_strdup(s->out->arena, nigh_message(s->ctx));
    return s->candidate->why ? NIGH_OK : NIGH_MEMORY;
}

/* Scores, then the search that is handed in. */
static nigh_status with_scores(search *s, nigh_status (*work)(search *))
{
    nigh_status status = NIGH_OK;
    double began = nigh_clock();
    if (s->chooser->scores) {
        s->score = nigh_alloc(s->ctx, (size_t)s->task.rows->n * sizeof *s->score);
        status = s->score ? s->chooser->scores(s->ctx, &s->task, s->score) : NIGH_MEMORY;
    }
    if (!status) status = work(s);
    s->candidate->choose_seconds += nigh_clock() - began;
    nigh_free(s->ctx, s->score);
    s->score = NULL;
    return status;
}

static void set_candidate(search *s, int i)
{
    s->candidate = &s->out->candidates[i];
    for (s->chooser = choosers; strcmp(s->chooser->name, s->candidate->method) != 0;) s->chooser++;
}

static nigh_status run_chooser(search *s)
{
    nigh_status status = s->chooser->supports ? s->chooser->supports(s->ctx, &s->task) : NIGH_OK;
    if (status) return excuse(s, status, NIGH_REDUCE_UNSUPPORTED);
    return excuse(s, with_scores(s, search_size), NIGH_REDUCE_FAILED);
}

/* A search may turn back at a size that was only unlucky: below what it ended with more draws are made, while that helps. */
static nigh_status squeeze(search *s)
{
    nigh_status status = NIGH_OK;
    for (double share = 0.7; share < 0.95 && !status;) {
        bool met;
        double error;
        int64_t m = (int64_t)(share * (double)s->candidate->subset.count);
        if (m < 1) break;
        status = try_size(s, m, &met, &error);
        share = met ? 0.7 : share + 0.1;
    }
    return status;
}

static nigh_status squeeze_smallest(search *s)
{
    s->candidate = NULL;
    int64_t least = smallest_of_others(s);
    for (int i = 1; i < s->out->count && least < INT64_MAX; i++) {
        const nigh_reduce_candidate *c = &s->out->candidates[i];
        if (c->model_only || c->state != NIGH_REDUCE_MET || c->subset.count != least) continue;
        set_candidate(s, i);
        s->patience = 4;
        return with_scores(s, squeeze);
    }
    return NIGH_OK;
}

/* ---- the choice ---------------------------------------------------------------------------------------------- */

/* A training that short is timed again: the search's figure is that of a cold first run. */
static nigh_status time_training(search *s, nigh_reduce_candidate *c)
{
    nigh_rows part;
    void *block;
    nigh_status status = nigh_subset_take(s->ctx, s->task.rows, &c->subset, &part, &block);
    if (status) return status;
    for (int i = 0; i < 5 && !status && c->train_seconds < 0.05; i++) {
        double began = nigh_clock();
        status = nigh_loss_train(s->ctx, s->task.loss, &part, NULL, s->model, NULL);
        c->train_seconds = fmin(c->train_seconds, nigh_clock() - began);
    }
    nigh_free(s->ctx, block);
    return status;
}

static nigh_status count_costs(search *s)
{
    nigh_reduction *o = s->out;
    nigh_status status = NIGH_OK;
    double uses = o->uses > 0 ? o->uses : 1;
    for (int i = 1; i < o->count && !status; i++) {
        nigh_reduce_candidate *c = &o->candidates[i];
        if (c->state != NIGH_REDUCE_MET) continue;
        if (!c->model_only) status = time_training(s, c);
        c->cost = o->full_seconds + c->choose_seconds + uses * c->train_seconds;
    }
    o->candidates[0].cost = uses * o->full_seconds;
    return status;
}

static bool better(const nigh_reduction *o, const nigh_reduce_candidate *a, const nigh_reduce_candidate *b)
{
    if (o->uses > 0) return a->cost < b->cost;
    if (a->subset.count != b->subset.count) return a->subset.count < b->subset.count;
    return a->cost < b->cost;
}

static void choose(nigh_reduction *o)
{
    o->chosen = o->uses > 0 ? 0 : -1;
    for (int i = 1; i < o->count; i++) {
        const nigh_reduce_candidate *c = &o->candidates[i];
        if (c->state != NIGH_REDUCE_MET || (c->model_only && o->uses == 0)) continue;
        if (o->chosen < 0 || better(o, c, &o->candidates[o->chosen])) o->chosen = i;
    }
    o->break_even = INFINITY;
    if (o->chosen < 0) return;
    nigh_reduce_candidate *c = &o->candidates[o->chosen];
    c->state = NIGH_REDUCE_CHOSEN;
    if (o->chosen > 0 && c->train_seconds < o->full_seconds)
        o->break_even = ceil((o->full_seconds + c->choose_seconds) / (o->full_seconds - c->train_seconds));
}

/* How the chosen subset speaks of models it was not chosen for: those of the other candidates. */
static nigh_status measure_distortion(search *s)
{
    nigh_reduction *o = s->out;
    nigh_rows part;
    void *block;
    o->distortion = NAN;
    if (o->chosen <= 0 || o->candidates[o->chosen].model_only) return NIGH_OK;
    nigh_status status = nigh_subset_take(s->ctx, s->task.rows, &o->candidates[o->chosen].subset, &part, &block);
    if (status) return status;
    for (int i = 0; i < o->count && !status; i++) {
        double here, all;
        if (i == o->chosen || (i && !o->candidates[i].tries) || !isfinite(o->candidates[i].error)) continue;
        status = nigh_loss_cost(s->ctx, s->task.loss, &part, o->candidates[i].model, &here);
        if (!status) status = nigh_loss_cost(s->ctx, s->task.loss, s->task.rows, o->candidates[i].model, &all);
        double error = status ? NAN : fabs(nigh_loss_error(s->task.loss, here, all, o->weight));
        if (!(o->distortion >= error)) o->distortion = error;
    }
    nigh_free(s->ctx, block);
    return status;
}

/* ---- all of it ---------------------------------------------------------------------------------------------- */

static nigh_status new_reduction(nigh_context *ctx, const chooser_task *task, const nigh_reduce_request *request, nigh_reduction **out)
{
    nigh_arena *arena;
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    int count = 1;
    while (choosers[count - 1].name) count++;
    int64_t parameters = nigh_loss_parameters(task->loss, task->rows->d);
    nigh_reduction *o = nigh_arena_alloc_zero(arena, 1, sizeof *o);
    nigh_reduce_candidate *c = nigh_arena_alloc_zero(arena, (size_t)count, sizeof *c);
    double *models = nigh_arena_alloc_zero(arena, (size_t)count * (size_t)parameters, sizeof *models);
    char *loss = nigh_arena_strdup(arena, nigh_loss_name(task->loss));
    if (!o || !c || !models || !loss) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    *o = (nigh_reduction){.ctx = ctx, .arena = arena, .n = task->rows->n, .d = task->rows->d, .parameters = parameters, .weight = nigh_rows_weight(task->rows),
                          .loss = loss, .asked = request->error, .uses = request->uses, .best_model = models, .count = 1, .candidates = c, .chosen = -1};
    c[0] = (nigh_reduce_candidate){.method = "all rows", .summary = "the model fitted to all rows", .model_only = true, .model = models, .state = NIGH_REDUCE_MET};
    for (const chooser *k = choosers; k->name; k++)
        if (word_listed(request->methods, k->name)) {
            c[o->count] = (nigh_reduce_candidate){.method = k->name, .summary = k->summary, .source = k->source, .shortcut = k->shortcut, .model_only = k->model_only,
                                                  .model = models + o->count * parameters, .error = INFINITY, .subset_error = NAN};
            o->count++;
        }
    *out = o;
    return NIGH_OK;
}

void nigh_reduction_free(nigh_reduction *o)
{
    if (!o) return;
    for (int i = 0; i < o->count; i++) nigh_subset_free(o->ctx, &o->candidates[i].subset);
    nigh_arena_free(o->arena);
}

static nigh_status run_all(search *s)
{
    nigh_reduction *o = s->out;
    nigh_status status = train_full(s);
    if (!status) o->candidates[0].train_seconds = o->full_seconds;
    for (int i = 1; i < o->count && !status; i++) {
        set_candidate(s, i);
        nigh_progress(s->ctx, s->candidate->method, i, o->count);
        status = run_chooser(s);
        if (!status && s->request.watch) s->request.watch(s->request.watch_user, o);
    }
    if (!status && o->uses == 0) status = squeeze_smallest(s);
    if (!status) status = count_costs(s);
    if (!status) choose(o);
    return status ? status : measure_distortion(s);
}

nigh_status nigh_reduce_rows(nigh_context *ctx, const nigh_rows *rows, const nigh_loss *loss, const nigh_reduce_request *request, nigh_reduction **out)
{
    search s = {.ctx = ctx, .task = {rows, loss, request->seed}, .request = *request, .patience = 1};
    nigh_status status = check_request(ctx, request);
    if (!status) status = check_methods(ctx, request->methods);
    if (!status) status = nigh_rows_check(ctx, rows, loss);
    if (!status) status = new_reduction(ctx, &s.task, request, &s.out);
    if (status) return status;
    double began = nigh_clock();
    s.model = nigh_alloc(ctx, (size_t)s.out->parameters * sizeof *s.model);
    status = s.model ? run_all(&s) : NIGH_MEMORY;
    s.out->deciding_seconds = nigh_clock() - began;
    nigh_free(ctx, s.model);
    if (!status && s.out->chosen < 0)
        status = nigh_fail(ctx, NIGH_UNMET, "no subset of at most %lld of %lld rows came within %g; all rows remain", (long long)(rows->n / 2), (long long)rows->n, request->error);
    if (status && status != NIGH_UNMET) nigh_reduction_free(s.out);
    else *out = s.out;
    return status;
}
