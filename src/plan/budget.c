/*
 * How much of its training each candidate gets when there is a time limit. A few steps of each are timed, what is left of the time is divided once, and from then on units
 * of work count and no clock: the units stand in the log, so that a run that was killed, and a replay, train exactly as long.
 *
 * Every training gets the same time, but none more than it can use. Those that would get less than a tenth of their training are left out, the longest first, in favour of
 * the others.
 */
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double PACE_SECONDS = 1, LEAST_SHARE = 0.1, SURELY_OUT = 0.03, CAUTION = 0.9; /* of a calibration at most; of a training; of the time that is left */

typedef struct racer {
    int index;
    double total, seconds; /* units of the whole training, and what it would take */
    double cost;           /* min(seconds, what each gets) */
    bool out;
} racer;

/* ---- how long they would take ---- */

/* Some steps of a fit that is then thrown away. The first one prepares, and does not count. */
static nigh_status time_steps(plan_run *run, const nigh_candidate *c, double room, double *total, double *each)
{
    nigh_samples samples = fit_samples(run, c);
    nigh_progress_point point = {0};
    void *fit = NULL;
    nigh_status status = c->method->start(run->ctx, c->method, run->problem, &samples, &c->settings, &fit);
    if (!status) status = c->method->advance(run->ctx, fit, 1, &point);
    *total = (double)point.total;
    double begin = nigh_clock();
    int64_t made = 0;
    for (int64_t step = 1; !status && !clocklog_frozen(run) && !point.done && (made < 2 || nigh_clock() - begin < room); made += step) {
        status = nigh_poll(run->ctx);
        if (!status) status = c->method->advance(run->ctx, fit, step, &point);
    }
    *each = made ? (nigh_clock() - begin) / (double)made : 0;
    c->method->abandon(run->ctx, fit);
    return status;
}

/*
 * By those of the same method that were timed already, smaller ones: so long that it would be left out for certain, and need not be timed? Then its time is as foretold.
 */
static bool far_too_long(const plan_run *run, const racer *racers, int number, double left)
{
    const nigh_candidate *c = &run->outcome->candidates[racers[number].index];
    for (int i = 0; i < number; i++) {
        const nigh_candidate *other = &run->outcome->candidates[racers[i].index];
        double counted = host_seconds(run, &other->estimate.fit), foretold = host_seconds(run, &c->estimate.fit) * racers[i].seconds / counted;
        if (other->method == c->method && racers[i].total > 0 && counted > 0 && left < SURELY_OUT * foretold) return true;
    }
    return false;
}

static nigh_status time_racer(plan_run *run, int number, int count, racer *r)
{
    const nigh_candidate *c = &run->outcome->candidates[r->index];
    double each = 0, room = fmin(PACE_SECONDS, 0.1 * run->request->seconds / count);
    char what[64];
    snprintf(what, sizeof what, "timing trainings (%d of %d)", number + 1, count);
    nigh_progress(run->ctx, what, number, count);
    nigh_status status = time_steps(run, c, room, &r->total, &each);
    if (status) {
        r->out = true;
        return screen_failure(run, r->index, status);
    }
    r->seconds = clocklog_frozen(run) ? host_seconds(run, &c->estimate.fit) : each * r->total; /* without a clock by counted work */
    return NIGH_OK;
}

/* ---- dividing the time ---- */

static int by_cost(const void *a, const void *b)
{
    double x = ((const racer *)a)->cost, y = ((const racer *)b)->cost;
    return (x < y) - (x > y);
}

/* What all trials and the last trainings take when each whole one may take `most`, and the dearest survive. */
static double race_seconds(int count, racer *racers, double most)
{
    int alive = 0;
    double sum = 0, done = 0;
    for (int i = 0; i < count; i++) racers[i].cost = racers[i].out ? 0 : fmin(racers[i].seconds, most), alive += !racers[i].out;
    qsort(racers, (size_t)count, sizeof *racers, by_cost);
    for (int round = 0; trials_share(round) > 0 && alive > 1; done = trials_share(round++)) {
        for (int i = 0; i < alive; i++) sum += (trials_share(round) - done) * racers[i].cost;
        alive = (alive + 1) / 2;
    }
    for (int i = 0; i < alive; i++) sum += (1 - done) * racers[i].cost;
    return sum;
}

/* The most that each may take so that all fits into `left`; INFINITY: all train whole. */
static double time_of_each(int count, racer *racers, double left)
{
    double low = 0, high = 0;
    for (int i = 0; i < count; i++) high = fmax(high, racers[i].out ? 0 : racers[i].seconds);
    if (race_seconds(count, racers, high) <= left) return INFINITY;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (race_seconds(count, racers, middle) <= left) low = middle;
        else high = middle;
    }
    return low;
}

/* The one that would be cut shortest, when that is below LEAST_SHARE and it is not the only one; -1: none. */
static int too_short(int count, const racer *racers, double each)
{
    int worst = -1, in = 0;
    for (int i = 0; i < count; i++) {
        if (racers[i].out) continue;
        in++;
        if (each < LEAST_SHARE * racers[i].seconds && (worst < 0 || racers[i].seconds > racers[worst].seconds)) worst = i;
    }
    return in > 1 ? worst : -1;
}

static nigh_status give_units(plan_run *run, const racer *r, double each)
{
    nigh_candidate *c = &run->outcome->candidates[r->index];
    char key[512];
    double share = r->seconds > 0 ? fmin(1, each / r->seconds) : r->out ? 0 : 1, units = r->out ? -1 : share < 1 ? fmax(1, floor(share * r->total)) : 0;
    snprintf(key, sizeof key, "units %s", c->label);
    return clocklog_put(run->clock, key, json_pack("[f,f]", units, r->out ? share : units / r->total));
}

/* ---- what is left ---- */

/* What comes after the trainings: exact answers to test, answers of plans, timing in pairs, refined answers. */
static double time_reserved(const plan_run *run, int count, const int *index)
{
    double slowest = 0, limit = run->request->seconds, later = run->problem->ops->exact ? 0.1 * limit : 0.02 * limit;
    for (int i = 0; i < count; i++) slowest = fmax(slowest, run->outcome->candidates[index[i]].apply_seconds);
    if (run->problem->ops->refined) later += 0.05 * limit;
    if (!run->problem->rows) later += sets_seconds(run, (double)run->outcome->n_test);
    return later + 2 * slowest * (double)(run->outcome->n_screen + 2 * run->outcome->n_test);
}

static double time_left(const plan_run *run, int count, const int *index)
{
    double limit = run->request->seconds, spent = clocklog_frozen(run) ? 0 : nigh_clock() - run->started;
    return fmax(CAUTION * (limit - spent - time_reserved(run, count, index)), 0.02 * limit);
}

static nigh_status leave_out(plan_run *run, racer *r, double each)
{
    r->out = true;
    return run->outcome->candidates[r->index].state == NIGH_CANDIDATE_WAITING ? give_units(run, r, each) : NIGH_OK;
}

static nigh_status measure_and_divide(plan_run *run, int count, const int *index)
{
    racer *racers = nigh_alloc_zero(run->ctx, (size_t)count, sizeof *racers);
    nigh_status status = racers ? NIGH_OK : NIGH_MEMORY;
    for (int i = 0; i < count && !status; i++) racers[i] = (racer){.index = index[i], .cost = -host_seconds(run, &run->outcome->candidates[index[i]].estimate.fit)};
    if (!status) qsort(racers, (size_t)count, sizeof *racers, by_cost); /* the smallest first */
    for (int i = 0; i < count && !status; i++) {
        if (far_too_long(run, racers, i, time_left(run, count, index))) status = leave_out(run, &racers[i], 0);
        else status = time_racer(run, i, count, &racers[i]);
    }
    double left = time_left(run, count, index);
    double each = status ? 0 : time_of_each(count, racers, left);
    for (int worst; !status && (worst = too_short(count, racers, each)) >= 0; each = time_of_each(count, racers, left)) {
        status = leave_out(run, &racers[worst], each);
    }
    for (int i = 0; i < count && !status; i++)
        if (!racers[i].out) status = give_units(run, &racers[i], each);
    nigh_free(run->ctx, racers);
    return status ? status : clocklog_put(run->clock, "units", json_true());
}

/* ---- from the log into the table ---- */

static nigh_status take_units(plan_run *run, nigh_candidate *c)
{
    char key[512];
    json_t *value;
    snprintf(key, sizeof key, "units %s", c->label);
    if (c->state != NIGH_CANDIDATE_WAITING || !clocklog_get(run->clock, key, &value)) return NIGH_OK;
    double units = json_number_value(json_array_get(value, 0)), share = json_number_value(json_array_get(value, 1));
    json_decref(value);
    if (units == 0 || !(fabs(units) < 1e15)) return NIGH_OK;
    if (units < 0) {
        c->state = NIGH_CANDIDATE_SKIPPED;
        c->why = nigh_arena_format(run->arena, "its share of the time would be %s%.2g%% of its training; it is left to the others (--time %.3g)", share > 0 ? "" : "below ",
                                    100 * (share > 0 ? share : SURELY_OUT), run->request->seconds);
    } else {
        c->units = (int64_t)units, c->trained = share;
        c->why = nigh_arena_format(run->arena, "training cut to %.2g%% (--time %.3g)", 100 * share, run->request->seconds);
    }
    return c->why ? NIGH_OK : NIGH_MEMORY;
}

nigh_status budget_share(plan_run *run, int count, const int *index)
{
    json_t *known;
    nigh_status status = NIGH_OK;
    bool all = clocklog_get(run->clock, "units", &known);
    json_decref(known);
    if (!all && run->request->seconds > 0 && !run->request->replay) status = measure_and_divide(run, count, index);
    for (int i = 0; i < count && !status; i++) status = take_units(run, &run->outcome->candidates[index[i]]);
    return status;
}
