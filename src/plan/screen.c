/* Fits one candidate and looks at its error on the screen set. A finished step is in the log and is not done twice. */
#include "core/file.h"
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double CHECKPOINT_SECONDS = 5; /* between two; the clock decides only when, never what */
static const double KEEP_SECONDS = 1;

/* The state of a long fit lies beside the journal, under the label of its candidate. */
static nigh_status checkpoint_save(plan_run *run, const nigh_candidate *c, void *fit, const char *path)
{
    nigh_buffer bytes = {.ctx = run->ctx};
    nigh_status status = nigh_buffer_add(&bytes, c->label, strlen(c->label) + 1);
    if (!status) status = c->method->checkpoint(run->ctx, fit, &bytes);
    if (!status) status = nigh_file_write(run->ctx, path, bytes.data, bytes.size);
    nigh_buffer_free(&bytes);
    return status;
}

/* A fit from its checkpoint when there is one of this candidate, else a fresh one. */
static nigh_status fit_start(plan_run *run, const nigh_candidate *c, const char *path, void **fit)
{
    nigh_samples samples = fit_samples(run, c);
    char *bytes = NULL;
    size_t size, label = strlen(c->label) + 1;
    if (path && c->method->restore && access(path, R_OK) == 0 && nigh_file_read(run->ctx, path, (size_t)1 << 32, &bytes, &size) == NIGH_OK &&
        size > label && memcmp(bytes, c->label, label) == 0 &&
        c->method->restore(run->ctx, c->method, run->problem, &samples, &c->settings, bytes + label, size - label, fit) == NIGH_OK) {
        nigh_free(run->ctx, bytes);
        return NIGH_OK;
    }
    nigh_free(run->ctx, bytes);
    return c->method->start(run->ctx, c->method, run->problem, &samples, &c->settings, fit);
}

/* "fno width=32": the options that were a choice. */
static void short_label(const plan_run *run, const nigh_candidate *c, char out[72])
{
    size_t size = (size_t)snprintf(out, 72, "%.40s", c->method->name);
    for (int i = 0; c->method->options && c->method->options[i].name; i++) {
        const nigh_option *o = &c->method->options[i];
        bool differs = false;
        for (int k = 0; k < run->outcome->count; k++)
            differs = differs || (run->outcome->candidates[k].method == c->method && run->outcome->candidates[k].settings.value[i] != c->settings.value[i]);
        if (!differs || size >= 60) continue;
        if (o->type == NIGH_OPTION_CHOICE) size += (size_t)snprintf(out + size, 72 - size, " %.12s:%d", o->name, (int)c->settings.value[i]);
        else size += (size_t)snprintf(out + size, 72 - size, " %.12s=%g", o->name, c->settings.value[i]);
    }
}

static void show_step(plan_run *run, const nigh_candidate *c, const char *role, const nigh_progress_point *point, int64_t target)
{
    char label[72], what[160], loss[24] = "";
    if (point->total <= 1) return;
    short_label(run, c, label);
    if (isfinite(point->loss)) snprintf(loss, sizeof loss, "\tloss %.3g", point->loss);
    snprintf(what, sizeof what, "%s%s%s", label, role, loss);
    nigh_progress(run->ctx, what, (double)point->units, (double)target);
}

/* A method that does not know how to be cut short trains whole, and the table says so. */
static nigh_status check_units(plan_run *run, int index, int64_t total)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    if (!c->units || total <= c->units) return NIGH_OK;
    c->units = 0, c->trained = 0;
    c->why = nigh_arena_strdup(run->arena, "trained whole: this method cannot be cut short");
    return c->why ? NIGH_OK : NIGH_MEMORY;
}

/* Steps between two looks at the clock are as many as take a tenth of a second: that decides when something is shown or saved, never what is computed. */
nigh_status fit_advance(plan_run *run, int index, const char *role, double share, const char *path, void *fit, nigh_progress_point *point)
{
    static const double LOOK_SECONDS = 0.1;
    nigh_context *ctx = run->ctx;
    const nigh_candidate *c = &run->outcome->candidates[index];
    double saved = nigh_clock(), looked = saved;
    nigh_status status = NIGH_OK;
    int64_t target = point->total ? (int64_t)ceil(share * (double)point->total) : 1;
    for (int64_t step = 1; !point->done && point->units < target;) {
        status = nigh_poll(ctx);
        if (!status) status = c->method->advance(ctx, fit, step < target - point->units ? step : target - point->units, point);
        bool keeps = path && !point->done && c->method->checkpoint;
        if (keeps && (status == NIGH_INTERRUPTED || (!status && nigh_clock() - saved > CHECKPOINT_SECONDS))) {
            nigh_status kept = checkpoint_save(run, c, fit, path);
            if (!status) status = kept;
            saved = nigh_clock();
        }
        if (!status) status = check_units(run, index, point->total);
        if (status) return status;
        target = (int64_t)ceil(share * (double)point->total);
        show_step(run, c, role, point, target);
        double now = nigh_clock(), took = fmax(now - looked, 1e-9), more = (double)step * LOOK_SECONDS / took;
        step = (int64_t)fmin(fmax(more, 1), fmax(2 * (double)step, 1));
        looked = now;
    }
    return NIGH_OK;
}

nigh_samples fit_samples(const plan_run *run, const nigh_candidate *c) { return (nigh_samples){run->fit.n, run->fit.in, run->fit.out, c->units}; }

/* A training that took long stays until planning is over, so that a run that is killed later need not make it again. */
static nigh_status fit_keep(plan_run *run, const nigh_candidate *c, void *fit, const char *path, double seconds)
{
    if (c->method->flags & NIGH_METHOD_TRAINED && c->method->checkpoint && seconds > KEEP_SECONDS) return checkpoint_save(run, c, fit, path);
    remove(path);
    return NIGH_OK;
}

nigh_status candidate_fit(plan_run *run, int index, nigh_plan **plan, double *seconds, double *calls)
{
    nigh_context *ctx = run->ctx;
    const nigh_candidate *c = &run->outcome->candidates[index];
    nigh_progress_point point = {0};
    bool begun = run->begun.fit && run->begun.index == index;
    void *fit = begun ? run->begun.fit : NULL;
    char *path = NULL;
    if (begun) point = run->begun.point, run->begun.fit = NULL; /* the trial goes on */
    double start = nigh_clock() - (begun ? run->begun.seconds : 0), exact;
    calls_begin(run);
    nigh_status status = run->request->journal && !(path = nigh_format(ctx, "%s.fit", run->request->journal)) ? NIGH_MEMORY : NIGH_OK;
    if (!status && !fit) status = fit_start(run, c, path, &fit);
    if (!status) status = fit_advance(run, index, "", 1, path, fit, &point);
    if (!status && path) status = fit_keep(run, c, fit, path, nigh_clock() - start);
    if (!status) status = c->method->finish(ctx, fit, plan);
    c->method->abandon(ctx, fit);
    nigh_free(ctx, path);
    calls_end(run, calls, &exact);
    *seconds = nigh_clock() - start - exact;
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean of min(e, 5E) with its standard error, share above 5E and E, p95 and worst. Sorts errors. */
static void screen_figures(const nigh_request *request, int64_t n, double *errors, nigh_candidate *c)
{
    double clip = 5 * request->error, sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fmin(errors[i], clip);
        sum += e, squares += e * e;
    }
    double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
    qsort(errors, (size_t)n, sizeof *errors, by_value);
    int64_t rank = (int64_t)ceil(0.95 * (double)n) - 1, over = 0;
    while (over < n && errors[n - 1 - over] > clip) over++;
    c->screen_mean = mean;
    c->screen_error_se = sqrt(fmax(variance, 0) / (double)n);
    c->screen_p95 = errors[rank < 0 ? 0 : rank];
    c->screen_worst = errors[n - 1];
    c->decides = request->statistic == NIGH_MEAN ? mean : request->statistic == NIGH_P95 ? c->screen_p95 : c->screen_worst;
    bool outliers = request->outliers < 1 && (double)over > request->outliers * (double)n;
    c->state = c->decides <= request->error && !outliers ? NIGH_CANDIDATE_PASSED : NIGH_CANDIDATE_MISSED;
}

/* Numbers of the log as JSON: infinities as null. */
static json_t *real_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }
static double real_or_infinity(json_t *x) { return json_is_number(x) ? json_number_value(x) : INFINITY; }

static bool screen_from_log(plan_run *run, const char *key, nigh_candidate *c)
{
    json_t *value;
    if (!clocklog_get(run->clock, key, &value)) return false;
    json_int_t state = json_integer_value(json_array_get(value, 6));
    bool right = json_is_array(value) && json_array_size(value) >= 7 && (state == NIGH_CANDIDATE_PASSED || state == NIGH_CANDIDATE_MISSED);
    if (right) {
        c->fit_seconds = real_or_infinity(json_array_get(value, 0));
        c->screen_mean = real_or_infinity(json_array_get(value, 1));
        c->screen_error_se = real_or_infinity(json_array_get(value, 2));
        c->screen_p95 = real_or_infinity(json_array_get(value, 3));
        c->screen_worst = real_or_infinity(json_array_get(value, 4));
        c->decides = real_or_infinity(json_array_get(value, 5));
        c->state = (nigh_candidate_state)state;
        c->exact_calls = json_number_value(json_array_get(value, 7)); /* 0 in logs without it */
    }
    json_decref(value);
    return right;
}

static nigh_status screen_to_log(plan_run *run, const char *key, const nigh_candidate *c)
{
    return clocklog_put(run->clock, key,
                        json_pack("[f,o,o,o,o,o,i,f]", c->fit_seconds, real_or_null(c->screen_mean), real_or_null(c->screen_error_se),
                                  real_or_null(c->screen_p95), real_or_null(c->screen_worst), real_or_null(c->decides), (int)c->state, c->exact_calls));
}

/* A fit that could not be made costs this candidate, not the whole plan. */
nigh_status screen_failure(plan_run *run, int index, nigh_status status)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    if (status != NIGH_FAILED && status != NIGH_UNSUPPORTED && status != NIGH_INVALID) return status;
    c->state = status == NIGH_UNSUPPORTED ? NIGH_CANDIDATE_UNSUPPORTED : NIGH_CANDIDATE_FAILED;
    c->why = nigh_arena_strdup(run->arena, nigh_message(run->ctx));
    return c->why ? NIGH_OK : NIGH_MEMORY;
}

/* What the method has to tell about a fit that missed; in the log, so that a resumed run tells it as well. */
static nigh_status note_to_log(plan_run *run, const nigh_candidate *c, const char *note)
{
    char key[512];
    snprintf(key, sizeof key, "note %s", c->label);
    return clocklog_put(run->clock, key, json_string(note));
}

static nigh_status note_from_log(plan_run *run, nigh_candidate *c)
{
    char key[512];
    json_t *value;
    snprintf(key, sizeof key, "note %s", c->label);
    if (c->state != NIGH_CANDIDATE_MISSED || !clocklog_get(run->clock, key, &value)) return NIGH_OK;
    const char *note = json_is_string(value) ? json_string_value(value) : "";
    c->why = c->units ? nigh_arena_format(run->arena, "%s; %s", c->why, note) : nigh_arena_strdup(run->arena, note);
    json_decref(value);
    return c->why ? NIGH_OK : NIGH_MEMORY;
}

/* The nearest miss of all may be tested: where its training took minutes its plan is kept, and that of the one before let go. */
static bool nearest_trained(plan_run *run, int index)
{
    nigh_outcome *outcome = run->outcome;
    const nigh_candidate *mine = &outcome->candidates[index];
    if (!(mine->method->flags & NIGH_METHOD_TRAINED)) return false;
    for (int i = 0; i < outcome->count; i++) {
        const nigh_candidate *c = &outcome->candidates[i];
        if (i != index && (c->state == NIGH_CANDIDATE_PASSED || (c->state == NIGH_CANDIDATE_MISSED && c->decides <= mine->decides))) return false;
    }
    for (int i = 0; i < outcome->count; i++) {
        nigh_candidate *c = &outcome->candidates[i];
        if (c->state != NIGH_CANDIDATE_MISSED || !c->plan) continue;
        nigh_plan_free(run->ctx, c->plan);
        c->plan = NULL;
    }
    return true;
}

static nigh_status screen_anew(plan_run *run, int index)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    nigh_plan *plan = NULL;
    double *errors = nigh_alloc(run->ctx, (size_t)run->screen.n * sizeof *errors);
    nigh_status status = errors ? candidate_fit(run, index, &plan, &c->fit_seconds, &c->exact_calls) : NIGH_MEMORY;
    if (!status) status = set_errors(run, plan, &run->screen, errors);
    if (!status) screen_figures(run->request, run->screen.n, errors, c);
    if (!status && c->state == NIGH_CANDIDATE_MISSED && plan->note) status = note_to_log(run, c, plan->note);
    if (!status && (c->state == NIGH_CANDIDATE_PASSED || nearest_trained(run, index))) {
        c->plan = plan;
        plan = NULL;
    }
    nigh_plan_free(run->ctx, plan);
    nigh_free(run->ctx, errors);
    return status;
}

double fit_set_calls(const plan_run *run, const nigh_method *method)
{
    return method->flags & NIGH_METHOD_NEEDS_DATA && !run->problem->rows ? (double)run->outcome->n_fit : 0;
}

double calls_seconds(const plan_run *run, double calls) { return run->outcome->exact_seconds * calls; }

nigh_status candidate_screen(plan_run *run, int index)
{
    nigh_candidate *c = &run->outcome->candidates[index];
    if (c->state != NIGH_CANDIDATE_WAITING) return NIGH_OK;
    char key[512];
    snprintf(key, sizeof key, "screen %s", c->label);
    nigh_status status;
    if (!screen_from_log(run, key, c)) {
        status = screen_anew(run, index);
        if (status) return screen_failure(run, index, status);
        if (run->request->no_clock) c->fit_seconds = host_seconds(run, &c->estimate.fit);
        if ((status = screen_to_log(run, key, c))) return status;
    }
    if ((status = note_from_log(run, c))) return status;
    c->exact_calls += fit_set_calls(run, c->method);
    c->fit_seconds += calls_seconds(run, c->exact_calls);
    c->cost = c->fit_seconds + run->uses * c->apply_seconds;
    if (run->request->watch) run->request->watch(run->request->watch_user, run->outcome);
    return NIGH_OK;
}
