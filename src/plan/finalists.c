/*
 * Those that may be chosen are timed by the clock, and the lower envelope of their cost over the number of uses is found.
 */
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMING_ROUNDS = 5, MOST_FINALISTS = 64 };
static const double COUNT_TRUST = 2, SHORT_FIT = 0.05; /* seconds */

nigh_status finalist_plan(plan_run *run, int index)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    double seconds, calls;
    return c->plan ? NIGH_OK : candidate_fit(run, index, &c->plan, &seconds, &calls);
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
        status = finalist_plan(run, finalist[i]);
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

/* The least that a candidate may cost when its application was counted too dear, and the least of the counted costs. */
static double least_cost(const plan_run *run, const nigh_candidate *c) { return c->cost - (1 - 1 / COUNT_TRUST) * run->uses * c->apply_seconds; }

static double cheapest_cost(const plan_run *run)
{
    double best = INFINITY;
    for (int i = 0; i < run->outcome->count; i++)
        if (run->outcome->candidates[i].state == NIGH_CANDIDATE_PASSED) best = fmin(best, run->outcome->candidates[i].cost);
    return best;
}

/* A short fit that was timed once may have been interrupted: twice more where it weighs, and the shortest counts. */
static nigh_status time_fit(plan_run *run, int index)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    double least = c->fit_seconds - calls_seconds(run, c->exact_calls), seconds, calls;
    char key[512];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 2 && !status; i++) {
        nigh_plan *plan = NULL;
        status = candidate_fit(run, index, &plan, &seconds, &calls);
        nigh_plan_free(run->ctx, plan);
        least = fmin(least, seconds);
    }
    if (status) return status;
    snprintf(key, sizeof key, "fit %s", c->label);
    return clocklog_put_real(run->clock, key, least);
}

static nigh_status time_fits(plan_run *run)
{
    nigh_outcome *outcome = run->outcome;
    double best = cheapest_cost(run), seconds;
    char key[512];
    nigh_status status = NIGH_OK;
    for (int i = 0; i < outcome->count && !status; i++) {
        nigh_candidate *c = &outcome->candidates[i];
        double fit = c->fit_seconds - calls_seconds(run, c->exact_calls);
        bool weighs = c->timed && fit < SHORT_FIT && fit > 0.05 * c->cost && c->cost - fit < best;
        snprintf(key, sizeof key, "fit %s", c->label);
        if (weighs && !clocklog_frozen(run) && !clocklog_get_real(run->clock, key, &seconds)) status = time_fit(run, i);
        if (!status && c->state == NIGH_CANDIDATE_PASSED && clocklog_get_real(run->clock, key, &seconds)) {
            c->fit_seconds = seconds + calls_seconds(run, c->exact_calls);
            c->cost = c->fit_seconds + run->uses * c->apply_seconds;
        }
    }
    return status;
}

/*
 * The clock only for those within a factor of two of the cheapest by count (by application, whatever the number of uses,
 * or by cost at the uses asked for) and for those that would be cheapest for some number of uses.
 */
static nigh_status choose_finalists(plan_run *run, int finalist[MOST_FINALISTS], int *count)
{
    nigh_outcome *outcome = run->outcome;
    double limit = run->request->brute ? INFINITY : COUNT_TRUST * cheapest(run), cost = cheapest_cost(run);
    int *envelope = nigh_alloc(run->ctx, ((size_t)outcome->count + 1) * sizeof *envelope);
    if (!envelope) return NIGH_MEMORY;
    int members = cost_envelope(outcome, 1u << NIGH_CANDIDATE_PASSED, envelope, NULL);
    *count = 0;
    for (int i = 0; i < outcome->count && *count < MOST_FINALISTS; i++) {
        const nigh_candidate *c = &outcome->candidates[i];
        bool member = false;
        for (int k = 0; k < members; k++) member = member || envelope[k] == i;
        bool may_win = member || c->apply_seconds <= limit || least_cost(run, c) <= cost;
        if (c->state == NIGH_CANDIDATE_PASSED && !c->timed && may_win) finalist[(*count)++] = i;
    }
    nigh_free(run->ctx, envelope);
    return NIGH_OK;
}

static void take_times(plan_run *run)
{
    char key[512];
    for (int i = 0; i < run->outcome->count; i++) {
        nigh_candidate *c = &run->outcome->candidates[i];
        snprintf(key, sizeof key, "apply %s", c->label);
        if (c->state == NIGH_CANDIDATE_PASSED && clocklog_get_real(run->clock, key, &c->apply_seconds)) c->timed = true;
        c->cost = c->fit_seconds + run->uses * c->apply_seconds;
    }
}

/* What was counted too cheap falls behind once timed, and others come within reach: again until nobody new does. */
nigh_status finalists_time(plan_run *run)
{
    int finalist[MOST_FINALISTS], count = 1;
    take_times(run);
    while (count && !clocklog_frozen(run)) {
        nigh_status status = choose_finalists(run, finalist, &count);
        if (!status && count) status = time_rounds(run, finalist, count);
        if (status) return status;
        take_times(run);
    }
    return time_fits(run);
}

int cost_envelope(const nigh_outcome *outcome, unsigned states, int *index, double *where)
{
    int count = 0;
    double uses = 1, flattest = INFINITY; /* each is flatter than the last: rounding cannot choose one twice */
    for (;;) {
        int best = -1;
        for (int i = 0; i < outcome->count; i++) {
            const nigh_candidate *c = &outcome->candidates[i];
            if (!(states >> c->state & 1) || !(c->apply_seconds < flattest)) continue;
            const nigh_candidate *b = best < 0 ? NULL : &outcome->candidates[best];
            double cost = c->fit_seconds + uses * c->apply_seconds, least = b ? b->fit_seconds + uses * b->apply_seconds : INFINITY;
            if (cost < least || (b && cost == least && c->apply_seconds < b->apply_seconds)) best = i;
        }
        if (best < 0) return count;
        const nigh_candidate *b = &outcome->candidates[best];
        if (where) where[count] = uses;
        index[count++] = best;
        flattest = b->apply_seconds;
        double next = INFINITY; /* the nearest crossing with a flatter line */
        for (int i = 0; i < outcome->count; i++) {
            const nigh_candidate *c = &outcome->candidates[i];
            if (!(states >> c->state & 1) || c->apply_seconds >= b->apply_seconds) continue;
            next = fmin(next, (c->fit_seconds - b->fit_seconds) / (b->apply_seconds - c->apply_seconds));
        }
        if (!isfinite(next)) return count;
        uses = fmax(next, uses) * (1 + 1e-9);
    }
}
