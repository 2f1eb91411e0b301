/*
 * Trainings against one another: all make an eighth of their steps, the better half goes on to a quarter, of these the better half to a half ... Better is who is expected
 * to end with the smaller error, by its errors so far on some inputs of the screen set (losses differ from method to method, errors do not); among those expected to meet E
 * with room to spare, who costs less to apply. The last one or few are trained to the end where their trials stopped. What a trial showed is in the log, so that a run that was killed makes only those anew that had not ended.
 */
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3, TRIAL_INPUTS = 64 };

typedef struct trial {
    int index;
    void *fit;
    nigh_progress_point point; /* of fit */
    double seconds;            /* spent on it */
    int points;                /* known of its curve */
    double units[ROUNDS], error[ROUNDS], total;
    double expected, apply;    /* error at the end; seconds per sample, as counted */
    double rank;               /* max(expected, COMFORT E) */
} trial;

static const double COMFORT = 0.6;

double trials_share(int round) { return round < ROUNDS ? ldexp(0.125, round) : 0; }

/* ---- one trial ---- */

static void trial_key(const plan_run *run, const trial *t, double share, char key[512])
{
    snprintf(key, 512, "trial %g %s", share, run->outcome->candidates[t->index].label);
}

static void add_point(plan_run *run, trial *t, double units, double error, double total)
{
    t->units[t->points] = units, t->error[t->points] = error, t->total = total;
    t->points++;
    t->expected = run->services->extrapolate(t->points, t->units, t->error, total);
    if (isnan(t->expected)) t->expected = INFINITY;
    t->rank = fmax(t->expected, COMFORT * run->request->error);
}

static bool trial_from_log(plan_run *run, trial *t, double share)
{
    char key[512];
    json_t *value;
    trial_key(run, t, share, key);
    if (!clocklog_get(run->clock, key, &value)) return false;
    bool right = json_is_array(value) && json_array_size(value) == 3;
    json_t *error = json_array_get(value, 1);
    if (right)
        add_point(run, t, json_number_value(json_array_get(value, 0)), json_is_number(error) ? json_number_value(error) : INFINITY, json_number_value(json_array_get(value, 2)));
    json_decref(value);
    return right;
}

/* The mean error so far on some inputs of the screen set; INFINITY when there is no plan yet. */
static nigh_status trial_error(plan_run *run, trial *t, double *error)
{
    const nigh_candidate *c = &run->outcome->candidates[t->index];
    sample_set few = run->screen;
    if (few.n > TRIAL_INPUTS) few.n = TRIAL_INPUTS;
    nigh_plan *plan = NULL;
    double errors[TRIAL_INPUTS] = {0}, sum = 0;
    nigh_status status = c->method->finish(run->ctx, t->fit, &plan);
    if (!status) status = set_errors(run, plan, &few, errors);
    nigh_plan_free(run->ctx, plan);
    for (int64_t i = 0; i < few.n; i++) sum += errors[i];
    *error = status || isnan(sum) ? INFINITY : sum / (double)few.n;
    return status == NIGH_FAILED ? NIGH_OK : status;
}

static nigh_status trial_advance(plan_run *run, trial *t, double share, const char *role)
{
    nigh_candidate *c = &run->outcome->candidates[t->index];
    if (trial_from_log(run, t, share)) return NIGH_OK;
    double start = nigh_clock(), error = INFINITY;
    nigh_samples samples = fit_samples(run, c);
    nigh_status status = t->fit ? NIGH_OK : c->method->start(run->ctx, c->method, run->problem, &samples, &c->settings, &t->fit);
    if (!status) status = fit_advance(run, t->index, role, share, NULL, t->fit, &t->point);
    if (!status) status = trial_error(run, t, &error);
    t->seconds += nigh_clock() - start;
    if (status) return status;
    add_point(run, t, (double)t->point.units, error, (double)t->point.total);
    char key[512];
    trial_key(run, t, share, key);
    return clocklog_put(run->clock, key, json_pack("[f,o,f]", (double)t->point.units, isfinite(error) ? json_real(error) : json_null(), (double)t->point.total));
}

/* ---- all of them ---- */

static int by_rank(const void *a, const void *b)
{
    const trial *p = a, *q = b;
    if (p->rank != q->rank) return p->rank < q->rank ? -1 : 1;
    if (p->apply != q->apply) return p->apply < q->apply ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

static void let_go(plan_run *run, trial *t)
{
    const nigh_method *method = run->outcome->candidates[t->index].method;
    method->abandon(run->ctx, t->fit);
    t->fit = NULL;
}

static nigh_status stop_trial(plan_run *run, trial *t, double share)
{
    nigh_candidate *c = &run->outcome->candidates[t->index];
    let_go(run, t);
    if (c->state != NIGH_CANDIDATE_WAITING) return NIGH_OK;
    c->state = NIGH_CANDIDATE_SKIPPED;
    bool meets = t->rank > t->expected;
    c->why = nigh_arena_format(run->arena, "stopped after %.0f%% of its training: an error of %.3g expected, %s%s%s", 100 * share, t->expected,
                               meets ? "others that are expected to meet it cost less" : "the better half is below", c->units ? "; " : "", c->units ? c->why : "");
    return c->why ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status halve(plan_run *run, trial *trials, int *alive)
{
    nigh_status status = NIGH_OK;
    for (int round = 0; trials_share(round) > 0 && *alive > 1 && !status; round++) {
        for (int i = 0; i < *alive && !status; i++) {
            char role[48];
            snprintf(role, sizeof role, " (trial %d of %d)", i + 1, *alive);
            status = nigh_poll(run->ctx);
            if (!status) status = trial_advance(run, &trials[i], trials_share(round), role);
            if (status) status = screen_failure(run, trials[i].index, status), trials[i].expected = trials[i].rank = INFINITY;
        }
        if (status) break;
        qsort(trials, (size_t)*alive, sizeof *trials, by_rank);
        for (int keep = (*alive + 1) / 2; *alive > keep && !status; (*alive)--) status = stop_trial(run, &trials[*alive - 1], trials_share(round));
        if (run->request->watch) run->request->watch(run->request->watch_user, run->outcome);
    }
    return status;
}

/* A survivor is trained on from where it is. */
static nigh_status screen_survivor(plan_run *run, trial *t)
{
    run->begun.index = t->index, run->begun.fit = t->fit, run->begun.point = t->point, run->begun.seconds = t->seconds;
    t->fit = NULL;
    nigh_status status = candidate_screen(run, t->index);
    if (run->begun.fit) run->outcome->candidates[t->index].method->abandon(run->ctx, run->begun.fit); /* the log knew its figures, or it had failed */
    run->begun.fit = NULL;
    return status;
}

nigh_status trials_run(plan_run *run, int count, const int *index)
{
    trial *trials = nigh_alloc_zero(run->ctx, (size_t)count, sizeof *trials);
    nigh_status status = trials ? budget_share(run, count, index) : NIGH_MEMORY;
    int alive = 0, all;
    for (int i = 0; i < count && !status; i++)
        if (run->outcome->candidates[index[i]].state == NIGH_CANDIDATE_WAITING) trials[alive++] = (trial){.index = index[i], .apply = run->outcome->candidates[index[i]].apply_seconds};
    all = alive;
    if (!status) status = halve(run, trials, &alive);
    for (int i = 0; i < alive && !status; i++) status = screen_survivor(run, &trials[i]);
    for (int i = 0; i < all; i++) let_go(run, &trials[i]);
    nigh_free(run->ctx, trials);
    return status;
}
