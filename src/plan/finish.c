/* After the walk: timing of the chosen plan, envelope, error curve, the words, the receipt, and the record. */
#include "plan/chart.h"
#include "plan/host.h"
#include "plan/receipt.h"
#include "plan/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* ---- timing of two works, from the log or the clock ---- */

static bool timing_from_log(plan_run *run, const char *key, nigh_arena *arena, nigh_timing *out)
{
    json_t *value;
    if (!clocklog_get(run->clock, key, &value)) return false;
    json_t *ratios = json_object_get(value, "ratios");
    int pairs = (int)json_array_size(ratios);
    bool right = pairs > 0 && pairs <= 1000;
    if (right) {
        *out = (nigh_timing){json_number_value(json_object_get(value, "a")),    json_number_value(json_object_get(value, "b")),
                             json_number_value(json_object_get(value, "ratio")), json_number_value(json_object_get(value, "low")),
                             json_number_value(json_object_get(value, "high")),  pairs,
                             (int)json_integer_value(json_object_get(value, "repeated")), 1, json_is_true(json_object_get(value, "busy")), NULL};
        out->ratios = nigh_arena_alloc(arena, (size_t)pairs * sizeof *out->ratios);
        right = out->ratios != NULL;
        for (int i = 0; right && i < pairs; i++) out->ratios[i] = json_number_value(json_array_get(ratios, (size_t)i));
    }
    json_decref(value);
    return right;
}

static nigh_status timing_to_log(plan_run *run, const char *key, const nigh_timing *t)
{
    json_t *ratios = json_array();
    for (int i = 0; ratios && i < t->pairs; i++) json_array_append_new(ratios, json_real(t->ratios[i]));
    return clocklog_put(run->clock, key,
                        json_pack("{s:f,s:f,s:f,s:f,s:f,s:i,s:b,s:o}", "a", t->a_seconds, "b", t->b_seconds, "ratio", t->ratio, "low", t->low,
                                  "high", t->high, "repeated", t->repeated, "busy", (int)t->busy, "ratios", ratios));
}

/* other: a plan, or NULL for the exact computation. The ratio is other / plan: how many times faster the plan is. */
static nigh_status time_beside(plan_run *run, const char *key, const nigh_plan *other, const nigh_plan *plan, nigh_arena *arena,
                               nigh_timing *out)
{
    if (timing_from_log(run, key, arena, out) || clocklog_frozen(run)) return NIGH_OK;
    timed_work a, b;
    const sample_set *inputs = run->test.n ? &run->test : &run->screen;
    nigh_status status = timed_work_new(run->ctx, run->arena, run->problem, other, inputs, &a);
    if (!status) status = timed_work_new(run->ctx, run->arena, run->problem, plan, inputs, &b);
    nigh_timed first = {timed_work_run, &a, 1, other ? other->ops->child : run->problem->child}, second = {timed_work_run, &b, 1, plan->ops->child};
    double cap = run->request->seconds > 0 ? run->request->seconds / 10 : 20;
    nigh_timing timing;
    if (!status) status = nigh_time_pair(run->ctx, &first, &second, cap, &timing);
    if (status) return status;
    status = timing_to_log(run, key, &timing);
    nigh_free(run->ctx, timing.ratios);
    if (!status && !timing_from_log(run, key, arena, out)) status = NIGH_MEMORY;
    return status;
}

/* ---- the best classical shortcut that meets the same error ---- */

static nigh_status find_shortcut(plan_run *run, int *index)
{
    *index = -1;
    nigh_outcome *outcome = run->outcome;
    double *errors = nigh_alloc(run->ctx, (size_t)(run->test.n ? run->test.n : 1) * sizeof *errors);
    if (!errors) return NIGH_MEMORY;
    nigh_status status = NIGH_OK;
    for (int tries = 0; tries < 4 && *index < 0 && !status; tries++) {
        int best = -1;
        for (int i = 0; i < outcome->count; i++) {
            const nigh_candidate *c = &outcome->candidates[i];
            bool may = c->method->flags & NIGH_METHOD_SHORTCUT && (c->state == NIGH_CANDIDATE_PASSED || c->state == NIGH_CANDIDATE_PROVED);
            if (may && (best < 0 || c->cost < outcome->candidates[best].cost)) best = i;
        }
        if (best < 0) break;
        nigh_candidate *c = &outcome->candidates[best];
        if (c->state == NIGH_CANDIDATE_PROVED) {
            *index = best;
            break;
        }
        test_figures figures = {0};
        double seconds, calls;
        if (!c->plan) status = candidate_fit(run, best, &c->plan, &seconds, &calls);
        if (!status && run->request->statistic == NIGH_WORST) {
            status = run->services->certify(run->ctx, c->plan, run->problem, &figures.certificate);
            if (status == NIGH_UNSUPPORTED) status = NIGH_OK;
        }
        if (!status) status = test_plan(run, c->plan, errors, &figures);
        c->state = figures.met ? NIGH_CANDIDATE_PROVED : NIGH_CANDIDATE_REFUSED;
    }
    nigh_free(run->ctx, errors);
    return status;
}

/* ---- envelope ---- */

/* Over the proven candidates, with the exact computation in front where it is the cheapest. */
static nigh_status envelope_make(plan_run *run)
{
    nigh_outcome *outcome = run->outcome;
    int *index = nigh_arena_alloc(run->arena, ((size_t)outcome->count + 1) * sizeof *index);
    double *where = nigh_arena_alloc(run->arena, ((size_t)outcome->count + 1) * sizeof *where);
    outcome->envelope = nigh_arena_alloc(run->arena, ((size_t)outcome->count + 2) * sizeof *outcome->envelope);
    if (!index || !where || !outcome->envelope) return NIGH_MEMORY;
    int count = cost_envelope(outcome, 1u << NIGH_CANDIDATE_PROVED | 1u << NIGH_CANDIDATE_CHOSEN, index, where);
    double exact = outcome->exact_seconds, from = exact > 0 ? INFINITY : 1;
    for (int i = 0; i < count && exact > 0; i++) { /* the first crossing below the exact computation's line */
        const nigh_candidate *c = &outcome->candidates[index[i]];
        if (exact > c->apply_seconds) from = fmin(from, fmax(1, c->fit_seconds / (exact - c->apply_seconds)));
    }
    if (from > 1) outcome->envelope[outcome->rows++] = (nigh_envelope_row){1, -1};
    for (int i = 0; i < count && isfinite(from); i++)
        if (i + 1 == count || where[i + 1] > from) outcome->envelope[outcome->rows++] = (nigh_envelope_row){fmax(where[i], from), index[i]};
    return NIGH_OK;
}

/* ---- error along the input, for one-variable problems ---- */

static nigh_status curve_make(plan_run *run, const nigh_plan *plan)
{
    enum { POINTS = 600 };
    const nigh_problem *problem = run->problem;
    if (run->in_count != 1 || run->out_count != 1 || !problem->low || problem->child || !problem->ops->exact) return NIGH_OK;
    nigh_outcome *outcome = run->outcome;
    nigh_array in = {problem->in, NULL};
    in.shape.ndim = 1, in.shape.dim[0] = POINTS;
    outcome->curve_x = nigh_arena_alloc(run->arena, 2 * POINTS * sizeof(double));
    sample_set set = {POINTS, nigh_arena_alloc(run->arena, POINTS * run->in_bytes), nigh_arena_alloc(run->arena, POINTS * run->out_bytes)};
    if (!outcome->curve_x || !set.in || !set.out) return NIGH_MEMORY;
    outcome->curve_error = outcome->curve_x + POINTS;
    in.data = set.in;
    for (int i = 0; i < POINTS; i++) {
        double x = problem->low[0] + (problem->high[0] - problem->low[0]) * (i + 0.5) / POINTS;
        nigh_array_set(&in, i, x);
        outcome->curve_x[i] = nigh_array_get(&in, i);
    }
    nigh_status status = problem->ops->exact(run->ctx, problem, POINTS, set.in, set.out);
    if (!status) status = set_errors(run, plan, &set, outcome->curve_error);
    outcome->curve_count = status ? 0 : POINTS;
    return status;
}

/* ---- the receipt ---- */

static nigh_status text_copy(nigh_receipt *receipt, char **to, const char *from)
{
    *to = nigh_arena_strdup(receipt->arena, from ? from : "");
    return *to ? NIGH_OK : NIGH_MEMORY;
}

nigh_status receipt_fill(nigh_context *ctx, const nigh_problem *problem, nigh_receipt *r)
{
    struct utsname host;
    nigh_status status = text_copy(r, &r->problem, problem->name);
    if (!status) status = text_copy(r, &r->identity, problem->identity);
    if (!status) status = text_copy(r, &r->kind, problem->kind);
    if (!status) status = text_copy(r, &r->measure, problem->measure->name);
    if (!status) status = text_copy(r, &r->unit, problem->measure->unit);
    if (!status) status = text_copy(r, &r->nigh, nigh_version());
    if (!status) status = text_copy(r, &r->cpu, nigh_cpu_model());
    if (!status) status = text_copy(r, &r->cpu_level, nigh_cpu_level_name(nigh_cpu()));
    if (!status) status = text_copy(r, &r->libraries, host_libraries());
    if (!status) status = text_copy(r, &r->host, uname(&host) == 0 ? host.sysname : "");
    r->threads = nigh_context_threads(ctx);
    r->seed = nigh_context_seed(ctx);
    return status;
}

static nigh_status receipt_of_run(plan_run *run, const test_figures *figures, const nigh_candidate *c, nigh_receipt *r)
{
    nigh_buffer settings = {.ctx = run->ctx};
    nigh_status status = receipt_fill(run->ctx, run->problem, r);
    if (!status) status = text_copy(r, &r->method, c->method->name);
    if (!status) status = text_copy(r, &r->source, c->method->source);
    if (!status) status = nigh_settings_print(c->method, &c->settings, &settings);
    if (!status) status = text_copy(r, &r->settings, settings.data);
    nigh_buffer_free(&settings);
    if (status) return status;
    r->error = run->request->error, r->statistic = run->request->statistic, r->confidence = run->request->confidence;
    r->met = figures->met, r->level = run->level, r->reads = run->reads, r->tests = run->test.n, r->clip = 5 * r->error;
    r->mean = figures->mean, r->outliers = figures->outliers, r->p95 = figures->p95, r->certificate = figures->certificate;
    r->worst = figures->worst;
    r->worst_share = 1 - pow(run->level, 1 / fmax((double)run->test.n, 1));
    r->label = r->statistic == NIGH_WORST ? (figures->certificate.how ? NIGH_CERTIFIED : NIGH_ABSENT) : NIGH_MEASURED;
    r->tests_from = run->reads ? nigh_arena_format(r->arena, "test rows of the file, read %lld time%s", (long long)run->reads, run->reads == 1 ? "" : "s")
                               : nigh_arena_format(r->arena, "drawn anew");
    r->fit_seconds = c->fit_seconds;
    r->exact_calls = c->exact_calls;
    r->exact_seconds = run->outcome->exact_seconds, r->plan_seconds = c->apply_seconds;
    r->plan_bytes = c->plan ? c->plan->bytes : 0;
    return r->tests_from ? NIGH_OK : NIGH_MEMORY;
}

/* Why the error is not met: the figure, or the share of outliers. */
static nigh_status words_unmet(const nigh_receipt *shown, const char *label, const char *figure, double decides, double allowed, char **words, nigh_arena *arena)
{
    if (decides <= shown->error && shown->outliers.high > allowed)
        *words = nigh_arena_format(arena, "%s comes nearest, but up to %.2g%% of inputs may have an error above %.3g; %.2g%% are allowed.", label,
                                   100 * shown->outliers.high, shown->clip, 100 * allowed);
    else if (isfinite(decides))
        *words = nigh_arena_format(arena, "%s comes nearest, but its %s %.3g is not shown to be <= %.3g.", label, figure, decides, shown->error);
    else
        *words = nigh_arena_format(arena, "%s comes nearest, but nothing proves its %s to be <= %.3g.", label, figure, shown->error);
    return *words ? NIGH_OK : NIGH_MEMORY;
}

/* "fno, unet", of the methods that must be trained and were left out for their expected cost; false: none, or one was trained. */
static bool untrained(const plan_run *run, char *names, size_t size)
{
    *names = 0;
    for (int i = 0; i < run->outcome->count; i++) {
        const nigh_candidate *c = &run->outcome->candidates[i];
        if (!(c->method->flags & NIGH_METHOD_TRAINED)) continue;
        if (c->state != NIGH_CANDIDATE_SKIPPED && c->state != NIGH_CANDIDATE_UNSUPPORTED) return false;
        size_t used = strlen(names);
        if (c->state == NIGH_CANDIDATE_SKIPPED && !strstr(names, c->method->name) && used + strlen(c->method->name) + 3 < size)
            snprintf(names + used, size - used, "%s%s", used ? ", " : "", c->method->name);
    }
    return *names;
}

static nigh_status receipt_words(plan_run *run, const nigh_candidate *c, nigh_receipt *r)
{
    int proved = 1;
    for (int i = 0; i < run->outcome->count; i++) proved += i != run->shown && run->outcome->candidates[i].state == NIGH_CANDIDATE_PROVED;
    nigh_statistic which = r->statistic;
    nigh_receipt shown = nigh_receipt_shown(r); /* two digits only where test rows were read */
    double decides = nigh_receipt_decides(&shown, &which);
    const char *figure = which == NIGH_MEAN ? "mean error at most" : which == NIGH_P95 ? "95% of errors at most" : "worst error";
    if (!r->met) return words_unmet(&shown, c->label, figure, decides, run->request->outliers, &r->words, r->arena);
    char outliers[112] = "", speed[160] = "";
    if (r->outliers.high > 0.05 && which == NIGH_MEAN)
        snprintf(outliers, sizeof outliers, " Beware: up to %.2g%% of inputs may have an error above %.3g.", 100 * shown.outliers.high, r->clip);
    double gain = r->beside_exact.pairs ? r->beside_exact.ratio : r->plan_seconds > 0 ? r->exact_seconds / r->plan_seconds : 0;
    if (gain > 1 && r->exact_seconds * run->uses < c->cost)
        snprintf(speed, sizeof speed, ", %.3g times faster than the exact computation; but what it costs to make is not won back in %.3g uses", gain, run->uses);
    else if (gain > 1)
        snprintf(speed, sizeof speed, ", %.3g times faster than the exact computation", gain);
    else if (gain > 0)
        snprintf(speed, sizeof speed, ". The exact computation is cheaper (%.3g of the plan's time): use that", gain);
    char names[200], trained[280] = "";
    if (untrained(run, names, sizeof names)) snprintf(trained, sizeof trained, " Nothing was trained: %s would cost more by their own estimate.", names);
    r->words = nigh_arena_format(r->arena, "%s is %s%s: %s %.3g%s.%s%s", c->label,
                                 proved > 1 ? "the cheapest of those that passed the test" : "the one that passed the test",
                                 run->request->uses > 0 ? "" : " (10^6 uses assumed)", figure, decides, speed, trained, outliers);
    return r->words ? NIGH_OK : NIGH_MEMORY;
}

/* ---- the record in the plan file ---- */

static nigh_status record_make(plan_run *run, const nigh_receipt *receipt, char **text)
{
    nigh_context *ctx = run->ctx;
    nigh_buffer buffer = {.ctx = ctx};
    json_t *record = json_object(), *object = NULL, *chain = json_array();
    nigh_status status = record && chain ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for the plan's record");
    for (int i = 0; i < run->chain_count && !status; i++) json_array_append_new(chain, json_string(run->outcome->candidates[run->chain[i]].label));
    const nigh_request *q = run->request;
    if (!status) status = nj_set_int(ctx, record, "record", 1);
    if (!status && run->problem->origin) {
        json_error_t error;
        status = nj_set(ctx, record, "problem", json_loads(run->problem->origin, 0, &error));
    }
    if (!status)
        status = nj_set(ctx, record, "request",
                        json_pack("{s:f,s:i,s:f,s:f,s:f,s:f,s:I,s:I,s:I,s:b,s:s*,s:s*,s:I,s:i}", "error", q->error, "statistic", (int)q->statistic, "confidence",
                                  q->confidence, "outliers", q->outliers, "uses", q->uses, "seconds", q->seconds, "fit", (json_int_t)q->fit, "screen",
                                  (json_int_t)q->screen, "test", (json_int_t)q->test, "no_clock", (int)q->no_clock, "methods", q->methods, "settings",
                                  q->settings, "seed", (json_int_t)nigh_context_seed(ctx), "threads", nigh_context_threads(ctx)));
    if (!status) status = nj_set(ctx, record, "chain", json_incref(chain));
    if (!status && run->outcome->chart) status = nigh_chart_set(ctx, record, run->outcome->chart);
    if (!status) status = nj_set_int(ctx, record, "walk", run->walk);
    if (!status) status = nj_set(ctx, record, "clock", json_deep_copy(clocklog_all(run->clock)));
    if (!status) status = nigh_receipt_to_json(ctx, receipt, &object);
    if (!status) status = nj_set(ctx, record, "receipt", object);
    if (!status) status = nj_dump(ctx, record, NJ_SORTED, &buffer);
    json_decref(chain);
    json_decref(record);
    *text = buffer.data;
    return status;
}

/* ---- all of it ---- */

/* That of the plan shown; else of any other that is kept. */
static const nigh_chart *chart_of(const nigh_outcome *outcome, const nigh_candidate *shown)
{
    if (shown->plan && shown->plan->chart) return shown->plan->chart;
    for (int i = 0; i < outcome->count; i++)
        if (outcome->candidates[i].plan && outcome->candidates[i].plan->chart) return outcome->candidates[i].plan->chart;
    return NULL;
}

nigh_status run_finish(plan_run *run, const test_figures *figures)
{
    nigh_outcome *outcome = run->outcome;
    nigh_candidate *c = &outcome->candidates[run->shown];
    nigh_receipt *r;
    nigh_status status = nigh_receipt_new(run->ctx, &r);
    if (status) return status;
    outcome->receipt = r;
    outcome->plan = outcome->chosen >= 0 ? c->plan : NULL;
    int shortcut = -1;
    status = receipt_of_run(run, figures, c, r);
    if (!status && run->problem->ops->exact) status = time_beside(run, "beside exact", NULL, c->plan, r->arena, &r->beside_exact);
    if (!status && outcome->chosen >= 0) status = find_shortcut(run, &shortcut);
    if (status) return status;
    r->is_shortcut = shortcut >= 0 && shortcut == run->shown;
    if (shortcut >= 0) status = text_copy(r, &r->shortcut, outcome->candidates[shortcut].label);
    if (!status && shortcut >= 0 && !r->is_shortcut)
        status = time_beside(run, "beside shortcut", outcome->candidates[shortcut].plan, c->plan, r->arena, &r->beside_shortcut);
    if (r->beside_exact.pairs) { /* the candidates were timed in rounds with each other: that time and the paired ratio fit together */
        if (!c->timed) c->apply_seconds = r->beside_exact.b_seconds;
        r->plan_seconds = c->apply_seconds;
        outcome->exact_seconds = r->exact_seconds = r->plan_seconds * r->beside_exact.ratio;
        c->cost = c->fit_seconds + run->uses * c->apply_seconds;
    }
    if (!status) status = refinement_measure(run, &run->screen, r);
    if (!status) status = grids_measure(run, c->plan, r);
    if (!status) status = receipt_words(run, c, r);
    if (!status) status = refinement_words(r);
    if (!status && c->units && !(r->words = nigh_arena_format(r->arena, "%s Its training was cut to %.2g%% of its steps to keep to the time.", r->words, 100 * c->trained))) status = NIGH_MEMORY;
    if (!status && c->plan->note && !(r->words = nigh_arena_format(r->arena, "%s Note: %s.", r->words, c->plan->note))) status = NIGH_MEMORY;
    if (!status) status = curve_make(run, c->plan);
    outcome->chart = chart_of(outcome, c);
    if (outcome->chosen >= 0) c->state = NIGH_CANDIDATE_CHOSEN;
    if (!status) status = envelope_make(run);
    outcome->deciding_seconds = nigh_clock() - run->started;
    char *record = NULL;
    if (!status) status = record_make(run, r, &record);
    if (!status && c->plan && !(c->plan->record = nigh_arena_strdup(c->plan->arena, record))) status = NIGH_MEMORY;
    nigh_free(run->ctx, record);
    return status;
}
