/*
 * Which candidates there are: every method of the problem's kind, every combination of the grids of its options. Those
 * that differ only along a refining option form a line, along which the planner searches instead of trying all.
 */
#include "plan/run.h"
#include "core/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINES = 512, MOST_CANDIDATES = 4096 };

static nigh_status candidate_label(plan_run *run, const nigh_method *method, const nigh_settings *settings, char **label)
{
    nigh_buffer text = {.ctx = run->ctx};
    nigh_status status = nigh_settings_print(method, settings, &text);
    if (!status) {
        *label = nigh_arena_format(run->arena, "%s%s%s", method->name, text.size ? " " : "", text.size ? text.data : "");
        status = *label ? NIGH_OK : NIGH_MEMORY;
    }
    nigh_buffer_free(&text);
    return status;
}

static nigh_status add_candidate(plan_run *run, const nigh_method *method, const nigh_settings *settings, int *index)
{
    nigh_outcome *outcome = run->outcome;
    if (outcome->count == run->candidate_room) {
        if (outcome->count == MOST_CANDIDATES) return nigh_fail(run->ctx, NIGH_RESOURCE, "more than %d candidates", MOST_CANDIDATES);
        int room = run->candidate_room ? 2 * run->candidate_room : 64;
        nigh_candidate *grown = nigh_arena_alloc(run->arena, (size_t)room * sizeof *grown);
        if (!grown) return NIGH_MEMORY;
        if (outcome->count) memcpy(grown, outcome->candidates, (size_t)outcome->count * sizeof *grown);
        outcome->candidates = grown;
        run->candidate_room = room;
    }
    nigh_candidate *c = &outcome->candidates[outcome->count];
    *c = (nigh_candidate){.method = method, .settings = *settings, .link = -1, .cost = INFINITY, .decides = INFINITY};
    c->estimate = (nigh_estimate){.error = {0, INFINITY}, .source = "none"};
    nigh_status status = candidate_label(run, method, settings, &c->label);
    if (!status) *index = outcome->count++;
    return status;
}

nigh_status line_candidate(plan_run *run, plan_line *line, int point, int *index)
{
    if (line->candidate[point] >= 0) {
        *index = line->candidate[point];
        return NIGH_OK;
    }
    nigh_settings settings = line->base;
    if (line->refine >= 0) settings.value[line->refine] = line->grid[point];
    nigh_status status = add_candidate(run, line->method, &settings, index);
    if (status) return status;
    nigh_candidate *c = &run->outcome->candidates[*index];
    c->estimate = line->estimate[point];
    c->apply_seconds = line->counted[point];
    line->candidate[point] = *index;
    return NIGH_OK;
}

/* A row of the table for a whole line that is not tried: nothing is left out silently. */
nigh_status line_note(plan_run *run, const plan_line *line, nigh_candidate_state state, const char *why)
{
    int index;
    nigh_settings settings = line->base;
    if (line->refine >= 0) settings.value[line->refine] = line->grid[line->expected >= 0 ? line->expected : line->count - 1];
    nigh_status status = add_candidate(run, line->method, &settings, &index);
    if (status) return status;
    nigh_candidate *c = &run->outcome->candidates[index];
    c->state = state;
    c->why = nigh_arena_strdup(run->arena, why);
    if (line->estimate) c->estimate = line->estimate[line->expected >= 0 ? line->expected : line->count - 1];
    return c->why ? NIGH_OK : NIGH_MEMORY;
}

/* ---- grids ---- */

/* Values of every option: what the request fixes, else the grid. */
typedef struct axes {
    int count, refine;
    double *values[NIGH_MAX_OPTIONS];
    int sizes[NIGH_MAX_OPTIONS];
} axes;

static void axes_free(nigh_context *ctx, axes *a)
{
    for (int i = 0; i < a->count; i++) nigh_free(ctx, a->values[i]);
}

/* True when the request's settings name this option; its value then. */
static bool fixed_setting(const nigh_request *request, const nigh_option *option, const nigh_settings *fixed, int i, double *value)
{
    size_t size = strlen(option->name);
    for (const char *p = request->settings; p && *p; p += strcspn(p, " ,")) {
        p += strspn(p, " ,");
        if (strncmp(p, option->name, size) == 0 && p[size] == '=') {
            *value = fixed->value[i];
            return true;
        }
    }
    return false;
}

/* Only the words of the request's settings that this method knows. */
static nigh_status known_settings(plan_run *run, const nigh_method *method, nigh_settings *fixed)
{
    const char *p = run->request->settings;
    while (p && *p) {
        p += strspn(p, " ,");
        size_t size = strcspn(p, " ,"), name = strcspn(p, "=");
        for (const nigh_option *o = method->options; o && o->name; o++) {
            if (strlen(o->name) != name || strncmp(o->name, p, name) != 0) continue;
            char word[128];
            snprintf(word, sizeof word, "%.*s", (int)size, p);
            nigh_status status = nigh_settings_parse(run->ctx, method, word, fixed);
            if (status) return status;
        }
        p += size;
    }
    return NIGH_OK;
}

static nigh_status axes_make(plan_run *run, const nigh_method *method, axes *a)
{
    nigh_settings fixed = nigh_settings_default(method);
    nigh_status status = known_settings(run, method, &fixed);
    *a = (axes){.refine = -1};
    for (int i = 0; method->options && method->options[i].name && !status; i++) {
        const nigh_option *option = &method->options[i];
        double value;
        status = nigh_option_grid(run->ctx, option, &a->values[i], &a->sizes[i]);
        if (status) break;
        a->count = i + 1;
        if (fixed_setting(run->request, option, &fixed, i, &value)) a->values[i][0] = value, a->sizes[i] = 1;
        if (option->order == NIGH_ORDER_REFINES && a->sizes[i] > 1 && a->refine < 0) a->refine = i;
    }
    if (status) axes_free(run->ctx, a);
    return status;
}

/* ---- lines ---- */

static nigh_status line_estimate(plan_run *run, plan_line *line, int point)
{
    nigh_settings settings = line->base;
    if (line->refine >= 0) settings.value[line->refine] = line->grid[point];
    nigh_estimate *estimate = &line->estimate[point];
    *estimate = (nigh_estimate){.error = {0, INFINITY}, .source = "none"};
    nigh_status status = NIGH_OK;
    if (line->method->estimate) status = line->method->estimate(run->ctx, line->method, run->problem, &settings, run->outcome->n_fit, estimate);
    double factor = wisdom_factor(run, line->method);
    line->counted[point] = host_seconds(run, &estimate->apply) * factor;
    if (factor != 1) estimate->source = "wisdom";
    return status;
}

/* The first point whose expected error (middle of the range, in logs) meets E. */
static void line_expect(plan_run *run, plan_line *line)
{
    line->expected = -1;
    for (int i = 0; i < line->count && line->expected < 0; i++) {
        nigh_range error = line->estimate[i].error;
        if (!isfinite(error.high)) continue; /* too coarse to be foretold: finer points may be known */
        if (sqrt(error.low * error.high) <= run->request->error) line->expected = i;
    }
    bool known = isfinite(line->estimate[line->count - 1].error.high);
    if (line->expected < 0 && known) line->expected = line->count - 1;
    int at = line->expected >= 0 ? line->expected : 0;
    double calls = fit_set_calls(run, line->method) + line->estimate[at].exact_calls;
    line->expected_cost = calls_seconds(run, calls) + host_seconds(run, &line->estimate[at].fit) + run->uses * line->counted[at];
}

/* One row of the table per method and reason. */
static nigh_status note_unsupported(plan_run *run, const plan_line *line, const nigh_settings *settings)
{
    const char *why = nigh_message(run->ctx);
    for (int i = 0; i < run->outcome->count; i++) {
        const nigh_candidate *c = &run->outcome->candidates[i];
        if (c->method == line->method && c->state == NIGH_CANDIDATE_UNSUPPORTED && strcmp(c->why, why) == 0) return NIGH_OK;
    }
    plan_line one = *line;
    one.base = *settings, one.refine = -1, one.estimate = NULL;
    return line_note(run, &one, NIGH_CANDIDATE_UNSUPPORTED, why);
}

/* Keeps the points of the grid that the method supports; the reasons of the others stand in the table. */
static nigh_status line_supports(plan_run *run, plan_line *line)
{
    int kept = 0;
    for (int i = 0; i < line->count && line->method->supports; i++) {
        nigh_settings settings = line->base;
        if (line->refine >= 0) settings.value[line->refine] = line->grid[i];
        nigh_status status = line->method->supports(run->ctx, line->method, run->problem, &settings);
        if (status == NIGH_UNSUPPORTED) status = note_unsupported(run, line, &settings);
        else if (!status) line->grid[kept++] = line->grid[i];
        if (status) return status;
    }
    if (line->method->supports) line->count = kept, line->open = kept > 0;
    return NIGH_OK;
}

static nigh_status line_make(plan_run *run, const nigh_method *method, const axes *a, const int *digit, plan_line *line)
{
    *line = (plan_line){.method = method, .refine = a->refine, .count = 1, .expected = -1, .open = true};
    for (int i = 0; i < a->count; i++) line->base.value[i] = a->values[i][digit[i]];
    if (a->refine >= 0) line->count = a->sizes[a->refine];
    size_t count = (size_t)line->count;
    line->grid = nigh_arena_alloc_zero(run->arena, count, sizeof *line->grid);
    line->estimate = nigh_arena_alloc_zero(run->arena, count, sizeof *line->estimate);
    line->counted = nigh_arena_alloc_zero(run->arena, count, sizeof *line->counted);
    line->candidate = nigh_arena_alloc_zero(run->arena, count, sizeof *line->candidate);
    if (!line->grid || !line->estimate || !line->counted || !line->candidate) return NIGH_MEMORY;
    for (int i = 0; i < line->count; i++) {
        line->grid[i] = a->refine >= 0 ? a->values[a->refine][i] : 0;
        line->candidate[i] = -1;
    }
    return line_supports(run, line);
}

/* All combinations of the values of the options that do not refine. */
static nigh_status lines_of_method(plan_run *run, const nigh_method *method)
{
    axes a;
    nigh_status status = axes_make(run, method, &a);
    if (status) return status;
    int digit[NIGH_MAX_OPTIONS] = {0};
    for (bool more = true; more && !status;) {
        if (run->line_count == MOST_LINES) {
            status = nigh_fail(run->ctx, NIGH_RESOURCE, "more than %d combinations of settings; name some with --settings", MOST_LINES);
            break;
        }
        status = line_make(run, method, &a, digit, &run->lines[run->line_count]);
        if (!status) run->line_count++;
        more = false;
        for (int i = a.count - 1; i >= 0 && !more; i--) {
            if (i == a.refine) continue;
            if (++digit[i] < a.sizes[i])
                more = true;
            else
                digit[i] = 0;
        }
    }
    axes_free(run->ctx, &a);
    return status;
}

/* Every name of --methods must exist, every name of --settings be known to some method. */
static nigh_status check_names(plan_run *run)
{
    const nigh_request *request = run->request;
    for (const char *p = request->methods; p && *p;) {
        char name[128];
        size_t word = strcspn(p, ",");
        const nigh_method *method;
        snprintf(name, sizeof name, "%.*s", (int)word, p);
        nigh_status status = nigh_method_find(run->ctx, run->problem->kind, name, &method);
        if (status) return status;
        p += word + (p[word] == ',');
    }
    for (const char *p = request->settings; p && *p;) {
        size_t word = strcspn(p, ","), name = strcspn(p, "=,");
        bool known = false;
        for (int i = 0; nigh_method_at(run->ctx, i); i++)
            for (const nigh_option *o = nigh_method_at(run->ctx, i)->options; o && o->name; o++)
                known = known || (strlen(o->name) == name && strncmp(o->name, p, name) == 0);
        if (p[name] != '=') return nigh_fail(run->ctx, NIGH_INVALID, "'%.*s' is no setting; write NAME=VALUE", (int)word, p);
        if (!known)
            return nigh_fail(run->ctx, NIGH_INVALID, "setting '%.*s' is known to no method; see `nigh explain METHOD`", (int)word, p);
        p += word + (p[word] == ',');
    }
    return NIGH_OK;
}

static int by_expected_cost(const void *a, const void *b)
{
    double x = ((const plan_line *)a)->expected_cost, y = ((const plan_line *)b)->expected_cost;
    return (x > y) - (x < y);
}

/* Methods that wait to be asked for by name leave a row in the table, like all that is not tried. */
static nigh_status note_not_asked(plan_run *run, const nigh_method *method)
{
    plan_line line = {.method = method, .base = nigh_settings_default(method), .refine = -1, .expected = -1};
    char why[160];
    snprintf(why, sizeof why, "tried only when asked for by --methods %s (nigh explain says why)", method->name);
    return line_note(run, &line, NIGH_CANDIDATE_SKIPPED, why);
}

nigh_status lines_make(plan_run *run)
{
    run->lines = nigh_arena_alloc_zero(run->arena, MOST_LINES, sizeof *run->lines);
    if (!run->lines) return NIGH_MEMORY;
    nigh_status status = check_names(run);
    bool any = false;
    for (int i = 0; nigh_method_at(run->ctx, i) && !status; i++) {
        const nigh_method *method = nigh_method_at(run->ctx, i);
        if (strcmp(method->problem, run->problem->kind) != 0) continue;
        any = true;
        if (!run->request->methods && method->flags & NIGH_METHOD_ASKED) status = note_not_asked(run, method);
        else if (word_listed(run->request->methods, method->name)) status = lines_of_method(run, method);
    }
    if (!status && !any) status = nigh_fail(run->ctx, NIGH_UNSUPPORTED, "no method is known for problems of kind '%s'", run->problem->kind);
    return status;
}

/* The end of a line whose fits would make more exact computations than there is time for is cut off, and said so. */
static nigh_status line_within_time(plan_run *run, plan_line *line)
{
    int kept = 0;
    while (kept < line->count && sets_seconds(run, line->estimate[kept].exact_calls) <= sets_time(run)) kept++;
    if (kept == line->count) return NIGH_OK;
    char why[160];
    snprintf(why, sizeof why, "its fit makes %.0f exact computations, some %.3g s; --time gives %.3g s for them", line->estimate[kept].exact_calls,
             sets_seconds(run, line->estimate[kept].exact_calls), sets_time(run));
    plan_line one = *line;
    one.base.value[line->refine >= 0 ? line->refine : 0] = line->refine >= 0 ? line->grid[kept] : line->base.value[0];
    one.refine = -1, one.expected = -1, one.count = 1, one.estimate = line->estimate + kept;
    line->count = kept, line->open = kept > 0;
    return line_note(run, &one, NIGH_CANDIDATE_SKIPPED, why);
}

/* Needs the sizes of the sets: after sets_make. */
nigh_status lines_estimate(plan_run *run)
{
    for (int l = 0; l < run->line_count; l++) {
        plan_line *line = &run->lines[l];
        for (int i = 0; i < line->count && line->open; i++) {
            nigh_status status = line_estimate(run, line, i);
            if (status == NIGH_UNSUPPORTED || status == NIGH_FAILED) { /* only the problem at hand shows it, as an expansion that does not exist */
                line->open = false;
                status = note_unsupported(run, line, &line->base);
            }
            if (status) return status;
        }
        nigh_status status = line->open ? line_within_time(run, line) : NIGH_OK;
        if (status) return status;
        if (line->open) line_expect(run, line);
    }
    qsort(run->lines, (size_t)run->line_count, sizeof *run->lines, by_expected_cost);
    return NIGH_OK;
}
