/*
 * Which candidates to try: lines in the order of their expected cost; along a line the cheapest point that passes, by
 * bracketing from where the formula expects it; lines that cannot beat what has passed already are left out, and said so.
 * Trainings come last (trials.c).
 */
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * How far the counted seconds of an application are trusted, and those of a fit: less, for fits differ with the settings
 * (a reduction takes longer) even when others of the method were timed.
 */
static const double COUNT_TRUST = 2, FIT_TRUST = 4, SAME_METHOD = 1.05;

static nigh_status try_point(plan_run *run, plan_line *line, int point, double *errors, bool *passed)
{
    int index;
    nigh_status status = line_candidate(run, line, point, &index);
    if (!status) status = candidate_screen(run, index);
    if (status) return status;
    const nigh_candidate *c = &run->outcome->candidates[index];
    errors[point] = c->decides;
    *passed = c->state == NIGH_CANDIDATE_PASSED;
    return NIGH_OK;
}

/* Is the screened margin so thin that the test may well refuse it? Then the next point of the line joins as well. */
static bool thin(const plan_run *run, const nigh_candidate *c)
{
    double e = run->request->error;
    if (run->request->statistic == NIGH_MEAN) return e - c->screen_mean < 4 * c->screen_error_se + 0.02 * e;
    if (run->request->statistic == NIGH_P95) return c->screen_p95 > 0.85 * e;
    return c->decides > 0.9 * e;
}

static nigh_status search_line(plan_run *run, plan_line *line)
{
    double *errors = nigh_arena_alloc_zero(run->arena, (size_t)line->count, sizeof *errors);
    if (!errors) return NIGH_MEMORY;
    int low = -1, high = line->count, point = line->expected >= 0 ? line->expected : line->count / 2, step = 1;
    nigh_status status = NIGH_OK;
    while (high - low > 1 && !status) {
        bool passed;
        if ((status = try_point(run, line, point, errors, &passed))) break;
        if (passed)
            high = point;
        else
            low = point;
        if (low >= 0 && high < line->count) {
            if (high - low > 1) point = run->services->tune(low, high, errors, run->request->error);
        } else { /* one side is open still: walk away in doubling steps from the expected point */
            point = passed ? high - step : low + step;
            step *= 2;
            if (point < 0) point = 0;
            if (point >= line->count) point = line->count - 1;
        }
    }
    if (status || high == line->count) return status;
    bool passed;
    for (int more = high; more + 1 < line->count && more < high + 2 && !status; more++) {
        if (line->candidate[more] < 0 || !thin(run, &run->outcome->candidates[line->candidate[more]])) break;
        status = try_point(run, line, more + 1, errors, &passed);
    }
    return status;
}

static nigh_status brute_line(plan_run *run, plan_line *line)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < line->count && !status; i++) {
        int index;
        status = line_candidate(run, line, i, &index);
        if (!status) status = candidate_screen(run, index);
    }
    return status;
}

static double best_cost(const plan_run *run, unsigned flags)
{
    double best = INFINITY;
    for (int i = 0; i < run->outcome->count; i++) {
        const nigh_candidate *c = &run->outcome->candidates[i];
        if (c->state == NIGH_CANDIDATE_PASSED && (c->method->flags & flags) == flags && c->cost < best) best = c->cost;
    }
    return best;
}

/* By how much the largest fit of this method so far took longer than counted; 1 when none was made in this run. */
static double fit_factor(const plan_run *run, const nigh_method *method)
{
    double factor = 1, largest = 0;
    for (int i = 0; i < run->outcome->count; i++) {
        const nigh_candidate *c = &run->outcome->candidates[i];
        double counted = host_seconds(run, &c->estimate.fit), took = c->fit_seconds - calls_seconds(run, c->exact_calls);
        bool fitted = c->state == NIGH_CANDIDATE_MISSED || c->state == NIGH_CANDIDATE_PASSED;
        if (c->method != method || !fitted || counted <= largest || took <= 0) continue;
        largest = counted, factor = took / counted;
    }
    return factor;
}

/* The cheapest of this method that passed with a comfortable margin. */
static double best_of_method(const plan_run *run, const nigh_method *method)
{
    double best = INFINITY;
    for (int i = 0; i < run->outcome->count; i++) {
        const nigh_candidate *c = &run->outcome->candidates[i];
        if (c->method == method && c->state == NIGH_CANDIDATE_PASSED && !thin(run, c) && c->cost < best) best = c->cost;
    }
    return best;
}

/* Why this line need not be tried, or NULL. */
static const char *hopeless(plan_run *run, const plan_line *line, char *text, size_t size)
{
    const nigh_estimate *finest = &line->estimate[line->count - 1];
    if (finest->error.low == INFINITY) {
        snprintf(text, size, "it cannot be fitted with %lld samples", (long long)run->fit.n);
        return text;
    }
    if (finest->error.low > run->request->error) {
        snprintf(text, size, "its error is at least %.2g by formula, even at the end of its grid", finest->error.low);
        return text;
    }
    if (line->method->flags & NIGH_METHOD_ASKED) return NULL;
    bool trained = line->method->flags & NIGH_METHOD_TRAINED, known = line->expected >= 0 || line->count == 1;
    int at = line->expected >= 0 ? line->expected : 0;
    bool classical = line->method->flags & NIGH_METHOD_SHORTCUT; /* beside one another: a receipt needs the best of them */
    double rival = best_cost(run, trained || classical ? NIGH_METHOD_SHORTCUT : 0), factor = fit_factor(run, line->method);
    double fit = host_seconds(run, &line->estimate[at].fit), apply = run->uses * line->counted[at], calls = calls_seconds(run, fit_set_calls(run, line->method) + line->estimate[at].exact_calls);
    double cost = calls + fit * factor + apply, least = trained ? cost : calls + fit * factor / FIT_TRUST + apply / COUNT_TRUST;
    if (least > rival) {
        snprintf(text, size, "%s expected to cost %.2g times the best so far", known ? "it is" : "even its cheapest setting is", cost / rival);
        return text;
    }
    /* Within one method counts compare well: more work is not tried when less meets E already. */
    double own = line->count == 1 && !trained ? best_of_method(run, line->method) : INFINITY;
    if (cost > SAME_METHOD * own) {
        snprintf(text, size, "expected to cost %.2g times a setting of the same method that meets the error", cost / own);
        return text;
    }
    return NULL;
}

/* Every setting of the trained lines that may still win, against each other. */
static nigh_status search_trained(plan_run *run)
{
    int room = 0, count = 0;
    for (int l = 0; l < run->line_count; l++) room += run->lines[l].count;
    int *index = nigh_alloc_zero(run->ctx, (size_t)room + 1, sizeof *index);
    nigh_status status = index ? NIGH_OK : NIGH_MEMORY;
    for (int l = 0; l < run->line_count && !status; l++) {
        plan_line *line = &run->lines[l];
        char why[160];
        if (!line->open || !(line->method->flags & NIGH_METHOD_TRAINED)) continue;
        if (hopeless(run, line, why, sizeof why)) {
            status = line_note(run, line, NIGH_CANDIDATE_SKIPPED, why);
            continue;
        }
        for (int i = 0; i < line->count && !status; i++) status = line_candidate(run, line, i, &index[count++]);
    }
    if (!status && count) status = trials_run(run, count, index);
    nigh_free(run->ctx, index);
    return status;
}

nigh_status search_all(plan_run *run)
{
    nigh_status status = NIGH_OK;
    for (int l = 0; l < run->line_count && !status; l++) {
        plan_line *line = &run->lines[l];
        char why[160];
        nigh_progress(run->ctx, "trying methods", l, run->line_count);
        if (!line->open || (line->method->flags & NIGH_METHOD_TRAINED && !run->request->brute)) continue;
        if (run->request->brute)
            status = brute_line(run, line);
        else if (hopeless(run, line, why, sizeof why))
            status = line_note(run, line, NIGH_CANDIDATE_SKIPPED, why);
        else
            status = search_line(run, line);
    }
    nigh_progress(run->ctx, "trying methods", run->line_count, run->line_count);
    return status || run->request->brute ? status : search_trained(run);
}
