/* Outcomes from JSON, for the report. Nothing in the file is trusted. See outcome_json.c for the writer. */
#include "plan/chart.h"
#include "plan/pictures_json.h"
#include "plan/report.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { FORMAT = 1, JSON_ROOM = 1 << 26, TEXT_ROOM = 16384, CANDIDATES_MAX = 50000, NUMBERS_MAX = 100000 };

static nigh_status get_any(const nj *object, const char *key, double *value) { return nj_get_real(object, key, -INFINITY, INFINITY, value); }

static nigh_status get_words(const nj *object, const char *key, nigh_report_outcome *o, char **text)
{
    return nigh_json_get_words(object, key, TEXT_ROOM, o->arena, text);
}

static nigh_status get_estimate(const nj *parent, nigh_report_outcome *o, nigh_report_candidate *c)
{
    nj object = {0};
    nigh_status s = nj_get_object(parent, "estimate", &object);
    if (!s) s = get_any(&object, "error_low", &c->estimate.low);
    if (!s) s = get_any(&object, "error_high", &c->estimate.high);
    return s ? s : get_words(&object, "source", o, &c->estimated_from);
}

static nigh_status get_screen(const nj *parent, nigh_report_candidate *c)
{
    nj object = {0};
    nigh_status s = nj_get_object(parent, "screen", &object);
    if (!s) s = get_any(&object, "mean", &c->mean);
    if (!s) s = get_any(&object, "standard_error", &c->standard_error);
    if (!s) s = get_any(&object, "p95", &c->p95);
    if (!s) s = get_any(&object, "worst", &c->worst);
    return s ? s : get_any(&object, "decides", &c->decides);
}

static nigh_status get_candidate(const nj *list, size_t i, nigh_report_outcome *o)
{
    nj object = {0};
    nigh_report_candidate *c = &o->candidates[i];
    int state = 0;
    nigh_status s = nj_at(list, i, JSON_OBJECT, &object);
    if (!s) s = get_words(&object, "label", o, &c->label);
    if (!s) s = get_words(&object, "method", o, &c->method);
    if (!s) s = get_words(&object, "why", o, &c->why);
    if (!s) s = nj_get_choice(&object, "state", nigh_candidate_state_names, &state);
    if (!s) s = nj_get_bool(&object, "shortcut", &c->shortcut);
    if (!s) s = nj_get_bool(&object, "timed", &c->timed);
    if (!s) s = get_estimate(&object, o, c);
    if (!s) s = get_screen(&object, c);
    if (!s) s = get_any(&object, "fit_seconds", &c->fit_seconds);
    if (!s) s = get_any(&object, "apply_seconds", &c->apply_seconds);
    if (!s) s = get_any(&object, "cost", &c->cost);
    if (!s) s = nj_get_int(&object, "link", -1, INT_MAX, &c->link);
    c->state = (nigh_candidate_state)state;
    return s;
}

static nigh_status too_many(const nj *object, const char *key, size_t count, size_t most)
{
    return count <= most ? NIGH_OK : nj_fail(object, NIGH_FORMAT, key, "has %zu elements; at most %zu are allowed", count, most);
}

static nigh_status get_candidates(const nj *root, nigh_report_outcome *o)
{
    nj list = {0};
    size_t count = 0;
    nigh_status s = nj_get_array(root, "candidates", &list, &count);
    if (!s) s = too_many(root, "candidates", count, CANDIDATES_MAX);
    if (s) return s;
    o->candidates = nigh_arena_alloc_zero(o->arena, count + 1, sizeof *o->candidates);
    if (!o->candidates) return NIGH_MEMORY;
    o->count = (int)count;
    for (size_t i = 0; !s && i < count; i++) s = get_candidate(&list, i, o);
    return s;
}

static nigh_status get_envelope(const nj *root, nigh_report_outcome *o)
{
    nj list = {0};
    size_t count = 0;
    nigh_status s = nj_get_array(root, "envelope", &list, &count);
    if (!s) s = too_many(root, "envelope", count, CANDIDATES_MAX);
    if (s) return s;
    o->envelope = nigh_arena_alloc_zero(o->arena, count + 1, sizeof *o->envelope);
    if (!o->envelope) return NIGH_MEMORY;
    o->rows = (int)count;
    for (size_t i = 0; !s && i < count; i++) {
        nj object = {0};
        int64_t candidate = -1;
        s = nj_at(&list, i, JSON_OBJECT, &object);
        if (!s) s = nj_get_real(&object, "uses", 0, INFINITY, &o->envelope[i].uses);
        if (!s) s = nj_get_int(&object, "candidate", -1, o->count - 1, &candidate);
        o->envelope[i].candidate = (int)candidate;
    }
    return s;
}

static nigh_status get_numbers(const nj *object, const char *key, nigh_report_outcome *o, double **numbers, int64_t *n)
{
    nj list = {0};
    size_t count = 0;
    nigh_status s = nj_get_array(object, key, &list, &count);
    if (!s) s = too_many(object, key, count, NUMBERS_MAX);
    if (s) return s;
    *numbers = nigh_arena_alloc_zero(o->arena, count + 1, sizeof **numbers);
    if (!*numbers) return NIGH_MEMORY;
    for (size_t i = 0; !s && i < count; i++) s = nj_at_real(&list, i, -INFINITY, INFINITY, &(*numbers)[i]);
    *n = (int64_t)count;
    return s;
}

static nigh_status get_problem(const nj *root, nigh_report_outcome *o)
{
    nj object = {0};
    nigh_status s = nj_get_object(root, "problem", &object);
    if (!s) s = get_words(&object, "name", o, &o->name);
    if (!s) s = get_words(&object, "kind", o, &o->kind);
    if (!s) s = get_words(&object, "identity", o, &o->identity);
    if (!s) s = get_words(&object, "measure", o, &o->measure);
    return s ? s : get_words(&object, "unit", o, &o->unit);
}

static nigh_status get_sets(const nj *root, nigh_report_outcome *o)
{
    nj object = {0};
    nigh_status s = nj_get_object(root, "sets", &object);
    if (!s) s = nj_get_int(&object, "fit", 0, INT64_MAX, &o->n_fit);
    if (!s) s = nj_get_int(&object, "screen", 0, INT64_MAX, &o->n_screen);
    return s ? s : nj_get_int(&object, "test", 0, INT64_MAX, &o->n_test);
}

static nigh_status get_curves(const nj *root, nigh_report_outcome *o)
{
    nj object = {0};
    int64_t errors = 0;
    nigh_status s = nj_get_object(root, "curve", &object);
    if (!s) s = get_numbers(&object, "x", o, &o->curve_x, &o->curve_count);
    if (!s) s = get_numbers(&object, "error", o, &o->curve_error, &errors);
    if (!s && errors != o->curve_count)
        s = nj_fail(&object, NIGH_FORMAT, "error", "has %lld numbers; as many as x (%lld) are needed", (long long)errors, (long long)o->curve_count);
    if (!s) s = get_numbers(root, "histogram", o, &o->quantile, &o->quantiles);
    for (int64_t i = 1; !s && i < o->quantiles; i++)
        if (!(o->quantile[i] >= o->quantile[i - 1])) s = nj_fail(root, NIGH_FORMAT, "histogram", "is not in increasing order");
    return s;
}

static nigh_status get_receipt(const nj *root, nigh_report_outcome *o)
{
    nj object = {0};
    if (json_is_null(json_object_get(root->json, "receipt"))) return NIGH_OK;
    nigh_status status = nj_get_object(root, "receipt", &object);
    return status ? status : nigh_receipt_from_json(&object, &o->receipt);
}

static nigh_status read_members(const nj *root, nigh_report_outcome *o)
{
    int64_t format = 0, chosen = -1;
    nigh_status s = nj_get_int(root, "format", FORMAT, FORMAT, &format);
    if (!s) s = get_problem(root, o);
    if (!s) s = get_receipt(root, o);
    if (!s) s = get_candidates(root, o);
    if (!s) s = nj_get_int(root, "chosen", -1, o->count - 1, &chosen);
    if (!s) s = get_envelope(root, o);
    if (!s) s = get_sets(root, o);
    if (!s) s = nj_get_real(root, "exact_seconds", 0, INFINITY, &o->exact_seconds);
    if (!s) s = nj_get_real(root, "deciding_seconds", 0, INFINITY, &o->deciding_seconds);
    if (!s) s = get_curves(root, o);
    if (!s) s = nigh_chart_get(root, o->arena, &o->chart);
    if (!s) s = nigh_pictures_get(root, o->arena, &o->pictures);
    o->chosen = (int)chosen;
    return s;
}

void nigh_report_outcome_free(nigh_report_outcome *outcome)
{
    if (!outcome) return;
    nigh_receipt_free(outcome->receipt);
    nigh_arena_free(outcome->arena);
}

nigh_status nigh_report_read(nigh_context *ctx, int number, const char *json, nigh_report_outcome **outcome)
{
    nj root = {0};
    nigh_arena *arena = NULL;
    size_t size = strlen(json);
    if (size > JSON_ROOM) return nigh_fail(ctx, NIGH_FORMAT, "outcome %d: has %zu bytes; at most %d are allowed", number, size, JSON_ROOM);
    nigh_status status = nigh_arena_new(ctx, &arena);
    if (status) return status;
    nigh_report_outcome *made = nigh_arena_alloc_zero(arena, 1, sizeof *made);
    if (!made) {
        nigh_arena_free(arena);
        return NIGH_MEMORY;
    }
    made->arena = arena;
    status = nj_parse(ctx, "outcome", json, size, &root);
    if (!status && !json_is_object(root.json)) status = nj_fail(&root, NIGH_FORMAT, NULL, "is not an object");
    if (!status) status = read_members(&root, made);
    nj_free(&root);
    if (status) {
        nigh_report_outcome_free(made);
        return nigh_within(ctx, status, "number %d", number);
    }
    *outcome = made;
    return NIGH_OK;
}
