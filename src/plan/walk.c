/*
 * Candidates that passed the screen form a chain from safest to cheapest, and the test set walks it once: each
 * link is tested at the same level and the first failure ends the walk (fixed-sequence testing: no correction is needed
 * for the number of links). A certificate is no test: for the worst error every candidate of the envelope is proved.
 */
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINKS = 12 };
static const double SAFE_ENOUGH = 12; /* standard errors below E: nothing safer is needed behind it */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
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

static bool in_chain(const plan_run *run, int index)
{
    for (int i = 0; i < run->chain_count; i++)
        if (run->chain[i] == index) return true;
    return false;
}

/*
 * Those that are cheapest for some number of uses, then from the cheapest at the uses asked for: each that is safer than
 * all that are cheaper. Walked from the safest to the least safe, an order that the screen set alone decides.
 */
static nigh_status chain_make(plan_run *run)
{
    nigh_outcome *outcome = run->outcome;
    int count, *order = sort_by_cost(run, &count);
    int *best = nigh_arena_alloc(run->arena, ((size_t)outcome->count + 1) * sizeof *best);
    run->chain = nigh_arena_alloc(run->arena, MOST_LINKS * sizeof *run->chain);
    if (!order || !best || !run->chain) return NIGH_MEMORY;
    int cheapest = cost_envelope(outcome, 1u << NIGH_CANDIDATE_PASSED, best, NULL);
    run->chain_count = 0;
    for (int i = 0; i < cheapest && run->chain_count < MOST_LINKS / 2; i++) run->chain[run->chain_count++] = best[i];
    double safest = -INFINITY;
    for (int i = 0; i < count && run->chain_count < MOST_LINKS && safest < SAFE_ENOUGH; i++) {
        double s = safety(run, &outcome->candidates[order[i]]);
        if (s <= safest) continue;
        if (!in_chain(run, order[i])) run->chain[run->chain_count++] = order[i];
        safest = s;
    }
    if (run->chain_count == 0 && nearest_miss(run) >= 0) run->chain[run->chain_count++] = nearest_miss(run);
    for (int i = 1; i < run->chain_count; i++) { /* safest first */
        int moved = run->chain[i], at = i;
        for (; at > 0 && safety(run, &outcome->candidates[run->chain[at - 1]]) < safety(run, &outcome->candidates[moved]); at--) run->chain[at] = run->chain[at - 1];
        run->chain[at] = moved;
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

/* What this walk asks: the request and its chain. */
static void walk_hash(const plan_run *run, char hex[65])
{
    const nigh_request *request = run->request;
    char text[256];
    snprintf(text, sizeof text, "%.17g|%d|%.17g|%.17g|%lld|%lld|%lld|%llu", request->error, (int)request->statistic, request->confidence,
             request->outliers, (long long)run->fit.n, (long long)run->screen.n, (long long)run->test.n,
             (unsigned long long)nigh_context_seed(run->ctx));
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    nigh_sha256_text(&hash, text);
    nigh_sha256_text(&hash, run->problem->measure->name);
    for (int i = 0; i < run->chain_count; i++) nigh_sha256_text(&hash, run->outcome->candidates[run->chain[i]].label);
    nigh_sha256_hex(&hash, hex);
}

/*
 * Another question gets other draws, the same one the same; rows of a file are the same for all, and the ledger counts.
 */
static nigh_status open_walk(plan_run *run)
{
    const nigh_request *request = run->request;
    char hex[65];
    walk_hash(run, hex);
    run->level = 1 - request->confidence;
    if (!run->problem->rows) {
        hex[12] = 0;
        run->walk = (int64_t)strtoll(hex, NULL, 16) + 1;
        return sets_draw_test(run);
    }
    double reads;
    nigh_status status = NIGH_OK;
    if (clocklog_get_real(run->clock, "reads", &reads) && reads >= 1 && reads <= 1e9) { /* a replayed plan may lie */
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
    nigh_status status = finalist_plan(run, index);
    if (!status && run->request->statistic == NIGH_WORST) {
        status = certified(run, c->plan, c->label, &figures->certificate);
        if (status == NIGH_UNSUPPORTED) {
            c->why = nigh_arena_format(run->arena, "the worst error needs a proof: %s", nigh_message(run->ctx));
            status = c->why ? NIGH_OK : NIGH_MEMORY;
        }
    }
    if (!status) status = test_plan(run, c->plan, errors, figures);
    if (!status) c->state = figures->met ? NIGH_CANDIDATE_PROVED : NIGH_CANDIDATE_REFUSED;
    if (run->request->watch) run->request->watch(run->request->watch_user, run->outcome);
    return status;
}

/* A certificate is no test: those that are cheapest for some number of uses are proved, until all of them are. */
static nigh_status certify_envelope(plan_run *run, double *errors)
{
    nigh_outcome *outcome = run->outcome;
    int *best = nigh_arena_alloc(run->arena, ((size_t)outcome->count + 1) * sizeof *best), links = 0;
    if (!best) return NIGH_MEMORY;
    for (;;) {
        int count = cost_envelope(outcome, 1u << NIGH_CANDIDATE_PASSED | 1u << NIGH_CANDIDATE_PROVED, best, NULL), next = -1;
        for (int i = 0; i < count && next < 0; i++)
            if (outcome->candidates[best[i]].state == NIGH_CANDIDATE_PASSED) next = best[i];
        if (next < 0) return NIGH_OK;
        test_figures figures = {0};
        outcome->candidates[next].link = links++;
        nigh_status status = walk_link(run, next, errors, &figures);
        if (status) return status;
    }
}

static nigh_status walk_safest_first(plan_run *run, double *errors)
{
    nigh_status status = NIGH_OK;
    bool met = true;
    for (int i = 0; i < run->chain_count && met && !status; i++) {
        test_figures figures = {0};
        nigh_progress(run->ctx, "testing", i, run->chain_count);
        status = walk_link(run, run->chain[i], errors, &figures);
        met = figures.met;
    }
    return status;
}

/* The cheapest of those that passed; else the safest, of which the receipt says that it failed. */
static int walk_result(plan_run *run)
{
    nigh_outcome *outcome = run->outcome;
    for (int i = 0; i < outcome->count; i++) {
        const nigh_candidate *c = &outcome->candidates[i];
        if (c->state == NIGH_CANDIDATE_PROVED && (outcome->chosen < 0 || c->cost < outcome->candidates[outcome->chosen].cost)) outcome->chosen = i;
    }
    if (outcome->chosen >= 0) return outcome->chosen;
    for (int i = 0; i < outcome->count; i++)
        if (outcome->candidates[i].link == 0) return i;
    return run->chain[0];
}

nigh_status chain_walk(plan_run *run)
{
    nigh_status status = chain_make(run);
    if (status || run->chain_count == 0) return status;
    if ((status = open_walk(run))) return status;
    size_t n = (size_t)run->test.n;
    double *errors = nigh_arena_alloc(run->arena, n * sizeof *errors);
    if (!errors) return NIGH_MEMORY;
    bool any = run->outcome->candidates[run->chain[0]].state == NIGH_CANDIDATE_PASSED;
    status = run->request->statistic == NIGH_WORST && any ? certify_envelope(run, errors) : walk_safest_first(run, errors);
    if (status) return status;
    run->shown = walk_result(run);
    test_figures figures = {0};
    if ((status = walk_link(run, run->shown, errors, &figures))) return status; /* its figures once more: certificates are in the log */
    if ((status = pictures_take(run, run->outcome->candidates[run->shown].plan, errors))) return status;
    qsort(errors, n, sizeof *errors, by_value);
    run->outcome->histogram = errors;
    return run_finish(run, &figures);
}
