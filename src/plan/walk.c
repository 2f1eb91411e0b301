/*
 * The finalists are timed, those that pass form a chain from safest to cheapest, and the test set walks it once: each
 * link is tested at the same level and the first failure ends the walk (fixed-sequence testing: no correction is needed
 * for the number of links). A certificate is no test: chains for the worst error are walked from the cheap end.
 */
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINKS = 12, TIMING_ROUNDS = 5, MOST_FINALISTS = 64 };
static const double COUNT_TRUST = 2;
static const double SAFE_ENOUGH = 12; /* standard errors below E: nothing safer is needed behind it */

static nigh_status ensure_plan(plan_run *run, int index)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    double seconds;
    return c->plan ? NIGH_OK : candidate_fit(run, index, &c->plan, &seconds);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double cheapest(const plan_run *run)
{
    double best = INFINITY;
    for (int i = 0; i < run->outcome->count; i++) {
        const nigh_candidate *c = &run->outcome->candidates[i];
        if (c->state == NIGH_CANDIDATE_PASSED && c->apply_seconds < best) best = c->apply_seconds;
    }
    return best;
}

/* Rounds over all finalists, so that a change of the machine's speed meets all of them; the median of each. */
static nigh_status time_rounds(plan_run *run, const int *finalist, int count)
{
    timed_work *work = nigh_arena_alloc_zero(run->arena, (size_t)count, sizeof *work);
    double *seconds = nigh_arena_alloc_zero(run->arena, (size_t)count * TIMING_ROUNDS, sizeof *seconds);
    if (!work || !seconds) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (int i = 0; i < count && !status; i++) {
        status = ensure_plan(run, finalist[i]);
        if (!status)
            status = timed_work_new(run->ctx, run->arena, run->problem, run->outcome->candidates[finalist[i]].plan, &run->screen, &work[i]);
    }
    for (int r = 0; r < TIMING_ROUNDS && !status; r++)
        for (int i = 0; i < count && !status; i++) {
            nigh_progress(run->ctx, "timing finalists", r * count + i, TIMING_ROUNDS * count);
            status = timed_work_seconds(run->ctx, &work[i], 1, &seconds[i * TIMING_ROUNDS + r]);
        }
    for (int i = 0; i < count && !status; i++) {
        nigh_candidate *c = &run->outcome->candidates[finalist[i]];
        char key[512];
        snprintf(key, sizeof key, "apply %s", c->label);
        qsort(seconds + i * TIMING_ROUNDS, TIMING_ROUNDS, sizeof *seconds, by_value);
        double median = seconds[i * TIMING_ROUNDS + TIMING_ROUNDS / 2];
        status = clocklog_put_real(run->clock, key, median);
        wisdom_learn(run, c->method, host_seconds(run, &c->estimate.apply), median);
    }
    return status;
}

/* The clock only for those within a factor of two of the cheapest by count. */
nigh_status finalists_time(plan_run *run)
{
    nigh_outcome *outcome = run->outcome;
    int finalist[MOST_FINALISTS], count = 0;
    double limit = run->request->brute ? INFINITY : COUNT_TRUST * cheapest(run), seconds;
    char key[512];
    for (int i = 0; i < outcome->count && count < MOST_FINALISTS && !clocklog_frozen(run); i++) {
        const nigh_candidate *c = &outcome->candidates[i];
        snprintf(key, sizeof key, "apply %s", c->label);
        if (c->state == NIGH_CANDIDATE_PASSED && c->apply_seconds <= limit && !clocklog_get_real(run->clock, key, &seconds))
            finalist[count++] = i;
    }
    nigh_status status = count ? time_rounds(run, finalist, count) : NIGH_OK;
    for (int i = 0; i < outcome->count && !status; i++) {
        nigh_candidate *c = &outcome->candidates[i];
        snprintf(key, sizeof key, "apply %s", c->label);
        if (c->state == NIGH_CANDIDATE_PASSED && clocklog_get_real(run->clock, key, &c->apply_seconds)) c->timed = true;
        c->cost = c->fit_seconds + run->uses * c->apply_seconds;
    }
    return status;
}

/* ---- the chain ---- */

/* How many standard errors the screened figure stays below E. */
static double safety(const plan_run *run, const nigh_candidate *c)
{
    double e = run->request->error, n = (double)run->screen.n;
    if (run->request->statistic == NIGH_MEAN) return (e - c->screen_mean) / fmax(c->screen_error_se, 1e-3 * e);
    if (run->request->statistic == NIGH_P95) return (e - c->screen_p95) / e * sqrt(n);
    return (e - c->screen_worst) / e;
}

static int *sort_by_cost(plan_run *run, int *count)
{
    nigh_outcome *outcome = run->outcome;
    int *order = nigh_arena_alloc(run->arena, ((size_t)outcome->count + 1) * sizeof *order);
    *count = 0;
    for (int i = 0; order && i < outcome->count; i++) {
        if (outcome->candidates[i].state != NIGH_CANDIDATE_PASSED) continue;
        int at = (*count)++;
        for (; at > 0 && outcome->candidates[order[at - 1]].cost > outcome->candidates[i].cost; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    return order;
}

/* The one with the smallest figure, when none passed the screen: the test has the last word. */
static int nearest_miss(const plan_run *run)
{
    int best = -1;
    for (int i = 0; i < run->outcome->count; i++) {
        const nigh_candidate *c = &run->outcome->candidates[i];
        if (c->state != NIGH_CANDIDATE_MISSED || !isfinite(c->decides)) continue;
        if (best < 0 || c->decides < run->outcome->candidates[best].decides) best = i;
    }
    return best;
}

/* From cheapest to safest: each is safer than all that are cheaper. */
static nigh_status chain_make(plan_run *run)
{
    nigh_outcome *outcome = run->outcome;
    int count, *order = sort_by_cost(run, &count);
    run->chain = nigh_arena_alloc(run->arena, MOST_LINKS * sizeof *run->chain);
    if (!order || !run->chain) return NIGH_MEMORY;
    run->chain_count = 0;
    double safest = -INFINITY;
    for (int i = 0; i < count && run->chain_count < MOST_LINKS; i++) {
        double s = safety(run, &outcome->candidates[order[i]]);
        if (s <= safest) continue;
        run->chain[run->chain_count++] = order[i];
        safest = s;
        if (s >= SAFE_ENOUGH && run->request->statistic != NIGH_WORST) break;
    }
    if (run->chain_count == 0 && nearest_miss(run) >= 0) run->chain[run->chain_count++] = nearest_miss(run);
    if (run->request->statistic != NIGH_WORST) /* safest first */
        for (int i = 0, j = run->chain_count - 1; i < j; i++, j--) {
            int swap = run->chain[i];
            run->chain[i] = run->chain[j], run->chain[j] = swap;
        }
    for (int i = 0; i < run->chain_count; i++) outcome->candidates[run->chain[i]].link = i;
    return NIGH_OK;
}

/* ---- the walk ---- */

static nigh_status certified(plan_run *run, const nigh_plan *plan, const char *label, nigh_certificate *certificate)
{
    char key[512];
    json_t *value;
    snprintf(key, sizeof key, "certificate %s", label);
    if (clocklog_get(run->clock, key, &value)) {
        const char *how = json_string_value(json_object_get(value, "how"));
        *certificate = (nigh_certificate){json_number_value(json_object_get(value, "worst")), json_is_true(json_object_get(value, "exact")),
                                          json_number_value(json_object_get(value, "at")), json_number_value(json_object_get(value, "inputs")), NULL};
        certificate->how = how ? nigh_arena_strdup(run->arena, how) : NULL;
        json_decref(value);
        return NIGH_OK;
    }
    nigh_status status = run->services->certify(run->ctx, plan, run->problem, certificate);
    if (status || !isfinite(certificate->worst) || !isfinite(certificate->inputs)) return status;
    return clocklog_put(run->clock, key,
                        json_pack("{s:f,s:b,s:f,s:f,s:s}", "worst", certificate->worst, "exact", certificate->exact, "at", certificate->at,
                                  "inputs", certificate->inputs, "how", certificate->how));
}

nigh_status test_plan(plan_run *run, const nigh_plan *plan, double *errors, test_figures *figures)
{
    nigh_context *ctx = run->ctx;
    const nigh_request *request = run->request;
    int64_t n = run->test.n, over = 0;
    double clip = 5 * request->error, confidence = 1 - run->level, *clipped = nigh_alloc(ctx, (size_t)(n ? n : 1) * sizeof *clipped);
    if (!clipped) return NIGH_MEMORY;
    nigh_status status = set_errors(run, plan, &run->test, errors);
    figures->worst = 0;
    for (int64_t i = 0; i < n && !status; i++) {
        clipped[i] = fmin(errors[i], clip);
        over += errors[i] > clip;
        figures->worst = fmax(figures->worst, errors[i]);
    }
    if (!status) status = nigh_bound_mean_betting(ctx, n, clipped, clip, confidence, &figures->mean);
    if (!status) status = nigh_bound_share(ctx, over, n, confidence, false, &figures->outliers);
    if (!status) status = nigh_bound_quantile(ctx, n, errors, 0.95, confidence, &figures->p95);
    nigh_free(ctx, clipped);
    if (status) return status;
    bool met = request->statistic == NIGH_MEAN  ? figures->mean.high <= request->error
               : request->statistic == NIGH_P95 ? figures->p95.high <= request->error
                                                : figures->certificate.how && figures->certificate.worst <= request->error;
    figures->met = met && (request->outliers >= 1 || figures->outliers.high <= request->outliers);
    return NIGH_OK;
}

static nigh_status open_walk(plan_run *run)
{
    const nigh_request *request = run->request;
    run->walk = 1;
    run->level = 1 - request->confidence;
    if (!run->problem->rows) return sets_draw_test(run);
    char hex[65], text[256];
    snprintf(text, sizeof text, "%.17g|%d|%.17g|%.17g|%lld|%lld|%lld|%llu", request->error, (int)request->statistic, request->confidence,
             request->outliers, (long long)run->fit.n, (long long)run->screen.n, (long long)run->test.n,
             (unsigned long long)nigh_context_seed(run->ctx));
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, text);
    nigh_sha256_text(&hash, run->problem->measure->name);
    for (int i = 0; i < run->chain_count; i++) nigh_sha256_text(&hash, run->outcome->candidates[run->chain[i]].label);
    nigh_sha256_hex(&hash, hex);
    double reads;
    nigh_status status = NIGH_OK;
    if (clocklog_get_real(run->clock, "reads", &reads)) {
        run->reads = (int64_t)reads;
    } else {
        status = ledger_read(run->ctx, request->state, run->problem->identity, hex, &run->reads);
        if (!status) status = clocklog_put_real(run->clock, "reads", (double)run->reads);
    }
    run->walk = run->reads;
    run->level = run->services->holdout_level(run->reads, 1 - request->confidence, run->test.n);
    return status;
}

static nigh_status walk_link(plan_run *run, int index, double *errors, test_figures *figures)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    figures->certificate = (nigh_certificate){0};
    nigh_status status = ensure_plan(run, index);
    if (!status && run->request->statistic == NIGH_WORST) {
        status = certified(run, c->plan, c->label, &figures->certificate);
        if (status == NIGH_UNSUPPORTED) {
            c->why = nigh_arena_format(run->arena, "the worst error needs a proof: %s", nigh_message(run->ctx));
            status = c->why ? NIGH_OK : NIGH_MEMORY;
        }
    }
    if (!status) status = test_plan(run, c->plan, errors, figures);
    if (!status) c->state = figures->met ? NIGH_CANDIDATE_PROVED : NIGH_CANDIDATE_REFUSED;
    return status;
}

/* The last link that passed is chosen; its errors (sorted later) and figures go into the receipt. */
nigh_status chain_walk(plan_run *run)
{
    nigh_status status = chain_make(run);
    if (status || run->chain_count == 0) return status;
    if ((status = open_walk(run))) return status;
    size_t n = (size_t)run->test.n;
    double *errors = nigh_arena_alloc(run->arena, 2 * n * sizeof *errors), *kept = errors ? errors + n : NULL;
    if (!errors) return NIGH_MEMORY;
    test_figures now = {0}, best = {0};
    int shown = run->chain[0];
    for (int i = 0; i < run->chain_count && !status; i++) {
        nigh_progress(run->ctx, "testing", i, run->chain_count);
        if ((status = walk_link(run, run->chain[i], errors, &now))) break;
        if (now.met || i == 0) {
            best = now, shown = run->chain[i];
            memcpy(kept, errors, n * sizeof *kept);
        }
        if (now.met) run->outcome->chosen = run->chain[i];
        if (run->request->watch) run->request->watch(run->request->watch_user, run->outcome);
        if (now.met == (run->request->statistic == NIGH_WORST)) break;
    }
    if (status) return status;
    qsort(kept, n, sizeof *kept, by_value);
    run->outcome->histogram = kept;
    run->shown = shown;
    return run_finish(run, &best);
}
