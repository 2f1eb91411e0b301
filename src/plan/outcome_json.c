/*
 * The outcome of planning as JSON: all that the report shows, nothing that the ledger withholds (errors of test rows
 * that were read before). Keys are described in docs/receipts.md.
 */
#include "plan/chart.h"
#include "plan/pictures_json.h"
#include "plan/receipt.h"

#include <math.h>
#include <string.h>

enum { FORMAT = 1, QUANTILES = 200, CURVE_POINTS = 800 };

const char *const nigh_candidate_state_names[] = {"waiting", "unsupported", "skipped", "failed", "missed",
                                                  "passed",  "proved",      "refused", "chosen", NULL};

static nigh_status set_shape(nigh_context *ctx, json_t *parent, const char *key, const nigh_shape *shape)
{
    json_t *object = NULL, *dims = json_array();
    nigh_status s = nigh_json_set_object(ctx, parent, key, &object);
    if (s) {
        json_decref(dims);
        return s;
    }
    s = nj_set(ctx, object, "dim", dims);
    for (int i = 0; !s && i < shape->ndim; i++)
        if (json_array_append_new(dims, json_integer(shape->dim[i]))) s = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    return s ? s : nj_set_text(ctx, object, "dtype", nigh_dtype_name(shape->dtype));
}

static nigh_status set_problem(nigh_context *ctx, const nigh_problem *problem, json_t *parent)
{
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "problem", &object);
    if (!s) s = nigh_json_set_words(ctx, object, "name", problem->name);
    if (!s) s = nigh_json_set_words(ctx, object, "kind", problem->kind);
    if (!s) s = nigh_json_set_words(ctx, object, "identity", problem->identity);
    if (!s) s = nigh_json_set_words(ctx, object, "measure", problem->measure ? problem->measure->name : NULL);
    if (!s) s = nigh_json_set_words(ctx, object, "unit", problem->measure ? problem->measure->unit : NULL);
    if (!s) s = nj_set_int(ctx, object, "rows", problem->rows);
    if (!s) s = set_shape(ctx, object, "in", &problem->in);
    return s ? s : set_shape(ctx, object, "out", &problem->out);
}

static nigh_status set_work(nigh_context *ctx, json_t *parent, const char *key, const nigh_work *work)
{
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, key, &object);
    if (!s) s = nj_set_real(ctx, object, "flops", work->flops);
    if (!s) s = nj_set_real(ctx, object, "bytes", work->bytes);
    return s ? s : nj_set_real(ctx, object, "seconds", work->seconds);
}

static nigh_status set_estimate(nigh_context *ctx, json_t *parent, const nigh_estimate *estimate)
{
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "estimate", &object);
    if (!s) s = nj_set_real(ctx, object, "error_low", estimate->error.low);
    if (!s) s = nj_set_real(ctx, object, "error_high", estimate->error.high);
    if (!s) s = set_work(ctx, object, "fit", &estimate->fit);
    if (!s) s = set_work(ctx, object, "apply", &estimate->apply);
    if (!s) s = nj_set_real(ctx, object, "bytes", estimate->bytes);
    return s ? s : nigh_json_set_words(ctx, object, "source", estimate->source);
}

static nigh_status set_screen(nigh_context *ctx, json_t *parent, const nigh_candidate *c)
{
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "screen", &object);
    if (!s) s = nj_set_real(ctx, object, "mean", c->screen_mean);
    if (!s) s = nj_set_real(ctx, object, "standard_error", c->screen_error_se);
    if (!s) s = nj_set_real(ctx, object, "p95", c->screen_p95);
    if (!s) s = nj_set_real(ctx, object, "worst", c->screen_worst);
    return s ? s : nj_set_real(ctx, object, "decides", c->decides);
}

static nigh_status add_candidate(nigh_context *ctx, json_t *list, const nigh_candidate *c)
{
    json_t *object = json_object();
    if (json_array_append_new(list, object)) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    nigh_status s = nigh_json_set_words(ctx, object, "label", c->label);
    if (!s) s = nigh_json_set_words(ctx, object, "method", c->method ? c->method->name : NULL);
    if (!s) s = nj_set_bool(ctx, object, "shortcut", c->method && (c->method->flags & NIGH_METHOD_SHORTCUT) != 0);
    if (!s) s = nj_set_text(ctx, object, "state", nigh_candidate_state_names[(unsigned)c->state <= NIGH_CANDIDATE_CHOSEN ? c->state : 0]);
    if (!s) s = nigh_json_set_words(ctx, object, "why", c->why);
    if (!s) s = set_estimate(ctx, object, &c->estimate);
    if (!s) s = set_screen(ctx, object, c);
    if (!s) s = nj_set_real(ctx, object, "fit_seconds", c->fit_seconds);
    if (!s) s = nj_set_real(ctx, object, "apply_seconds", c->apply_seconds);
    if (!s) s = nj_set_bool(ctx, object, "timed", c->timed);
    if (!s) s = nj_set_real(ctx, object, "cost", c->cost);
    return s ? s : nj_set_int(ctx, object, "link", c->link);
}

static nigh_status set_candidates(nigh_context *ctx, json_t *parent, const nigh_outcome *outcome)
{
    json_t *list = json_array();
    nigh_status s = nj_set(ctx, parent, "candidates", list);
    for (int i = 0; !s && i < outcome->count; i++) s = add_candidate(ctx, list, &outcome->candidates[i]);
    return s;
}

static nigh_status set_envelope(nigh_context *ctx, json_t *parent, const nigh_outcome *outcome)
{
    json_t *list = json_array();
    nigh_status s = nj_set(ctx, parent, "envelope", list);
    for (int i = 0; !s && i < outcome->rows; i++) {
        json_t *object = json_object();
        if (json_array_append_new(list, object)) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
        s = nj_set_real(ctx, object, "uses", outcome->envelope[i].uses);
        if (!s) s = nj_set_int(ctx, object, "candidate", outcome->envelope[i].candidate);
    }
    return s;
}

static nigh_status set_sets(nigh_context *ctx, json_t *parent, const nigh_outcome *outcome)
{
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "sets", &object);
    if (!s) s = nj_set_int(ctx, object, "fit", outcome->n_fit);
    if (!s) s = nj_set_int(ctx, object, "screen", outcome->n_screen);
    return s ? s : nj_set_int(ctx, object, "test", outcome->n_test);
}

/* At most CURVE_POINTS of the curve: of each stretch the point of largest error, so that no peak is lost. */
static nigh_status set_curve(nigh_context *ctx, json_t *parent, const nigh_outcome *outcome)
{
    json_t *object = NULL, *xs = NULL, *errors = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "curve", &object);
    if (!s) s = nj_set(ctx, object, "x", xs = json_array());
    if (!s) s = nj_set(ctx, object, "error", errors = json_array());
    int64_t n = outcome->curve_x && outcome->curve_error ? outcome->curve_count : 0;
    int64_t points = n < CURVE_POINTS ? n : CURVE_POINTS;
    for (int64_t p = 0; !s && p < points; p++) {
        int64_t worst = p * n / points;
        for (int64_t i = worst + 1; i < (p + 1) * n / points; i++)
            if (outcome->curve_error[i] > outcome->curve_error[worst]) worst = i;
        s = nj_add_real(ctx, xs, outcome->curve_x[worst]);
        if (!s) s = nj_add_real(ctx, errors, outcome->curve_error[worst]);
    }
    return s;
}

/* Evenly spaced quantiles of the sorted errors, smallest and largest included; none of rows that the ledger guards. */
static nigh_status set_quantiles(nigh_context *ctx, json_t *parent, const nigh_outcome *outcome)
{
    json_t *list = json_array();
    nigh_status s = nj_set(ctx, parent, "histogram", list);
    bool guarded = outcome->receipt && outcome->receipt->reads > 0;
    int64_t n = outcome->histogram && !guarded ? outcome->n_test : 0, count = n < QUANTILES ? n : QUANTILES;
    for (int64_t i = 0; !s && i < count; i++)
        s = nj_add_real(ctx, list, outcome->histogram[count > 1 ? (int64_t)llround((double)i * (double)(n - 1) / (double)(count - 1)) : 0]);
    return s;
}

static nigh_status set_receipt(nigh_context *ctx, json_t *parent, const nigh_receipt *receipt)
{
    if (!receipt) return nj_set(ctx, parent, "receipt", json_null());
    json_t *object = NULL;
    nigh_status status = nigh_receipt_to_json(ctx, receipt, &object);
    return status ? status : nj_set(ctx, parent, "receipt", object);
}

static nigh_status fill(nigh_context *ctx, const nigh_problem *problem, const nigh_outcome *outcome, json_t *root)
{
    nigh_status s = nj_set_int(ctx, root, "format", FORMAT);
    if (!s) s = set_problem(ctx, problem, root);
    if (!s) s = set_receipt(ctx, root, outcome->receipt);
    if (!s) s = nj_set_int(ctx, root, "chosen", outcome->chosen);
    if (!s) s = set_candidates(ctx, root, outcome);
    if (!s) s = set_envelope(ctx, root, outcome);
    if (!s) s = set_sets(ctx, root, outcome);
    if (!s) s = nj_set_real(ctx, root, "exact_seconds", outcome->exact_seconds);
    if (!s) s = nj_set_real(ctx, root, "deciding_seconds", outcome->deciding_seconds);
    if (!s) s = set_curve(ctx, root, outcome);
    if (!s) s = nigh_chart_set(ctx, root, outcome->chart);
    if (!s) s = nigh_pictures_set(ctx, root, outcome->pictures);
    return s ? s : set_quantiles(ctx, root, outcome);
}

nigh_status nigh_outcome_json(nigh_context *ctx, const nigh_problem *problem, const nigh_outcome *outcome, nigh_buffer *text)
{
    json_t *root = json_object();
    if (!root) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for the JSON of an outcome");
    text->ctx = ctx;
    nigh_status status = fill(ctx, problem, outcome, root);
    if (!status) status = nj_dump(ctx, root, NJ_INDENTED, text);
    json_decref(root);
    return status;
}
