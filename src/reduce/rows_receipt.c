/* The receipt of a reduction of rows: as text, as JSON. */
#include "nigh/reduce.h"

#include "core/json.h"
#include "plan/figures.h"

#include <math.h>
#include <string.h>

static const char *const state_names[] = {"waiting", "unsupported", "failed", "missed", "beaten", "met", "chosen"};
static const char *const state_words[] = {"waiting", "not for this", "failed", "too large", "beaten", "met", "CHOSEN"};

/* ---- text --------------------------------------------------------------------------------------------------- */

static const char *number(double value, char out[FIGURE_ROOM]) { return nigh_figure_number(value, 3, out); }
static const char *seconds(double value, char out[FIGURE_ROOM]) { return nigh_figure_seconds(value, out); }

static nigh_status print_full(const nigh_reduction *o, nigh_buffer *text)
{
    char a[FIGURE_ROOM], b[FIGURE_ROOM], c[FIGURE_ROOM];
    nigh_status status = nigh_buffer_print(text, "all rows    %lld rows of %lld features, %s: cost %s, fitted in %s\n", (long long)o->n, (long long)o->d, o->loss,
                                           nigh_figure_number(o->best_cost, 6, a), seconds(o->full_seconds, b));
    if (status) return status;
    if (isfinite(o->gap)) return nigh_buffer_print(text, "            proved: no model costs less by more than %s of that\n", number(o->gap / fabs(o->best_cost), c));
    return nigh_buffer_print(text, "            the best that was found; no bound on what a better model may cost\n");
}

static nigh_status print_chosen(const nigh_reduction *o, const nigh_reduce_candidate *c, nigh_buffer *text)
{
    char a[FIGURE_ROOM], b[FIGURE_ROOM], e[FIGURE_ROOM], f[FIGURE_ROOM];
    nigh_status status = nigh_buffer_print(text, "chosen      %s: %s\n", c->method, c->summary);
    if (!status && !c->model_only)
        status = nigh_buffer_print(text, "rows        %lld, %s of all\n", (long long)c->subset.count, nigh_figure_percent((double)c->subset.count / (double)o->n, 3, a));
    if (!status)
        status = nigh_buffer_print(text, "error       %s on all rows (asked %s): what its model costs more than the best, measured, nothing sampled\n", number(c->error, a), number(o->asked, b));
    if (!status && !c->model_only && isfinite(o->distortion))
        status = nigh_buffer_print(text, "            other models' costs are off by up to %s on the subset\n", number(o->distortion, a));
    if (!status && !c->model_only)
        status = nigh_buffer_print(text, "time        %s to choose and judge the rows, %s a fit beside %s on all rows\n", seconds(o->full_seconds + c->choose_seconds, a), seconds(c->train_seconds, b),
                                   seconds(o->full_seconds, e));
    if (!status && !c->model_only && isfinite(o->break_even))
        status = nigh_buffer_print(text, "pays        from %s fit%s on; for fewer all rows are cheaper\n", nigh_figure_count(o->break_even, f), o->break_even == 1 ? "" : "s");
    else if (!status && !c->model_only)
        status = nigh_buffer_print(text, "pays        never by time: all rows are fitted as fast\n");
    return status;
}

/* The best classical way at the same error, when another one won. */
static nigh_status print_rival(const nigh_reduction *o, nigh_buffer *text)
{
    const nigh_reduce_candidate *rival = NULL;
    char a[FIGURE_ROOM];
    for (int i = 1; i < o->count; i++) {
        const nigh_reduce_candidate *c = &o->candidates[i];
        if (c->shortcut && !c->model_only && c->state >= NIGH_REDUCE_MET && (!rival || c->subset.count < rival->subset.count)) rival = c;
    }
    if (!rival) return nigh_buffer_print(text, "shortcut    no classical way of choosing rows met the error with at most half of them\n");
    if (o->chosen > 0 && rival == &o->candidates[o->chosen]) return nigh_buffer_print(text, "shortcut    is that way itself\n");
    return nigh_buffer_print(text, "shortcut    %s needs %lld rows (error %s)\n", rival->method, (long long)rival->subset.count, number(rival->error, a));
}

static nigh_status print_table(const nigh_reduction *o, nigh_buffer *text)
{
    char a[FIGURE_ROOM], b[FIGURE_ROOM], c[FIGURE_ROOM], d[FIGURE_ROOM];
    nigh_status status = nigh_buffer_print(text, "%-26s %9s %10s %10s %10s %10s %6s\n", "way", "rows", "error", "choosing", "a fit", "cost", "tries");
    for (int i = 0; i < o->count && !status; i++) {
        const nigh_reduce_candidate *k = &o->candidates[i];
        if (k->state == NIGH_REDUCE_UNSUPPORTED || k->state == NIGH_REDUCE_FAILED)
            status = nigh_buffer_print(text, "%-26s %9s %10s %10s %10s %10s %6s  %s: %s\n", k->method, "-", "-", "-", "-", "-", "-", state_words[k->state], k->why ? k->why : "");
        else
            status = nigh_buffer_print(text, "%-26s %9lld %10s %10s %10s %10s %6lld  %s\n", k->method, (long long)(i ? k->subset.count : o->n), number(k->error, a),
                                       seconds(k->choose_seconds, b), seconds(k->train_seconds, c), k->cost > 0 ? seconds(k->cost, d) : "-", (long long)k->tries,
                                       state_words[k->state]);
    }
    return status ? status : nigh_buffer_print(text, "\n");
}

nigh_status nigh_reduction_print(nigh_context *ctx, const nigh_reduction *o, bool table, nigh_buffer *text)
{
    char a[FIGURE_ROOM];
    text->ctx = ctx;
    nigh_status status = table ? print_table(o, text) : NIGH_OK;
    if (!status) status = print_full(o, text);
    if (!status && o->chosen > 0) status = print_chosen(o, &o->candidates[o->chosen], text);
    else if (!status && o->chosen == 0) status = nigh_buffer_print(text, "chosen      all rows: for %s fit%s nothing is cheaper\n", nigh_figure_count(o->uses, a), o->uses == 1 ? "" : "s");
    else if (!status) status = nigh_buffer_print(text, "chosen      none: no subset of at most half the rows came within %s\n", number(o->asked, a));
    if (!status) status = print_rival(o, text);
    return status ? status : nigh_buffer_print(text, "decided     in %s, %lld subsets tried\n", seconds(o->deciding_seconds, a), (long long)o->tries);
}

/* ---- JSON --------------------------------------------------------------------------------------------------- */

static nigh_status set_candidate(nigh_context *ctx, const nigh_reduce_candidate *c, json_t *list)
{
    json_t *object = json_object();
    if (!object || json_array_append_new(list, object)) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    nigh_status s = nj_set_text(ctx, object, "method", c->method);
    if (!s) s = nj_set_text(ctx, object, "state", state_names[c->state]);
    if (!s && c->why) s = nj_set_text(ctx, object, "why", c->why);
    if (!s) s = nj_set_bool(ctx, object, "shortcut", c->shortcut);
    if (!s) s = nj_set_bool(ctx, object, "model_only", c->model_only);
    if (!s) s = nj_set_int(ctx, object, "rows", c->subset.count);
    if (!s) s = nj_set_real(ctx, object, "error", c->error);
    if (!s) s = nj_set_real(ctx, object, "subset_error", c->subset_error);
    if (!s) s = nj_set_real(ctx, object, "choose_seconds", c->choose_seconds);
    if (!s) s = nj_set_real(ctx, object, "train_seconds", c->train_seconds);
    if (!s) s = nj_set_real(ctx, object, "cost", c->cost);
    return s ? s : nj_set_int(ctx, object, "tries", c->tries);
}

static nigh_status set_numbers(nigh_context *ctx, json_t *object, const char *key, int64_t n, const double *values)
{
    json_t *list = json_array();
    nigh_status status = nj_set(ctx, object, key, list);
    for (int64_t i = 0; i < n && !status; i++) status = nj_add_real(ctx, list, values[i]);
    return status;
}

static nigh_status set_head(nigh_context *ctx, const nigh_reduction *o, json_t *root)
{
    nigh_status s = nj_set_text(ctx, root, "loss", o->loss);
    if (!s) s = nj_set_int(ctx, root, "rows", o->n);
    if (!s) s = nj_set_int(ctx, root, "features", o->d);
    if (!s) s = nj_set_real(ctx, root, "asked", o->asked);
    if (!s) s = nj_set_real(ctx, root, "uses", o->uses);
    if (!s) s = nj_set_real(ctx, root, "best_cost", o->best_cost);
    if (!s) s = nj_set_real(ctx, root, "gap", o->gap);
    if (!s) s = nj_set_real(ctx, root, "full_seconds", o->full_seconds);
    if (!s) s = nj_set_int(ctx, root, "full_passes", o->full_passes);
    if (!s) s = nj_set_int(ctx, root, "chosen", o->chosen);
    if (!s) s = nj_set_real(ctx, root, "break_even", o->break_even);
    if (!s) s = nj_set_real(ctx, root, "distortion", o->distortion);
    return s ? s : nj_set_real(ctx, root, "deciding_seconds", o->deciding_seconds);
}

nigh_status nigh_reduction_json(nigh_context *ctx, const nigh_reduction *o, nigh_buffer *text)
{
    json_t *root = json_object(), *list;
    nigh_status s = root ? set_head(ctx, o, root) : nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!s) s = nj_set(ctx, root, "candidates", list = json_array());
    for (int i = 0; i < o->count && !s; i++) s = set_candidate(ctx, &o->candidates[i], list);
    if (!s) s = set_numbers(ctx, root, "best_model", o->parameters, o->best_model);
    if (!s && o->chosen > 0) s = set_numbers(ctx, root, "model", o->parameters, o->candidates[o->chosen].model);
    text->ctx = ctx;
    if (!s) s = nj_dump(ctx, root, 0, text);
    json_decref(root);
    return s;
}
