/* Losses from text and back: "lp:p=1,lambda=0.1". Declared in nigh/coreset.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/words.h"
#include "reduce/loss.h"

typedef enum field { FIELD_P, FIELD_DELTA, FIELD_K, FIELD_LAMBDA, FIELD_INTERCEPT, FIELD_SEED, FIELD_RESTARTS, FIELDS } field;
static const char *const field_names[FIELDS] = {"p", "delta", "k", "lambda", "intercept", "seed", "restarts"};
#define BIT(f) (1u << FIELD_##f)

/* Which fields each kind has; callbacks have no text. */
static const unsigned fields_of[NIGH_LOSS_CALLBACK] = {
    BIT(LAMBDA) | BIT(INTERCEPT), BIT(P) | BIT(LAMBDA) | BIT(INTERCEPT), BIT(DELTA) | BIT(LAMBDA) | BIT(INTERCEPT), BIT(LAMBDA) | BIT(INTERCEPT),
    BIT(LAMBDA) | BIT(INTERCEPT), BIT(K) | BIT(SEED) | BIT(RESTARTS), BIT(K) | BIT(SEED) | BIT(RESTARTS), 0,
};

static void list_fields(nigh_row_loss_kind kind, char text[96])
{
    text[0] = 0;
    for (int f = 0; f < FIELDS; f++)
        if (fields_of[kind] >> f & 1) strcat(strcat(text, *text ? ", " : ""), field_names[f]);
}

static nigh_status find_kind(nigh_context *ctx, const char *text, size_t size, nigh_row_loss_kind *kind)
{
    const char *near = NULL;
    for (int k = 0; k < NIGH_LOSS_CALLBACK; k++) {
        const char *name = loss_kind_name((nigh_row_loss_kind)k);
        if (strlen(name) == size && !memcmp(name, text, size)) return *kind = (nigh_row_loss_kind)k, NIGH_OK;
        near = word_nearer(text, size, name, near);
    }
    int shown = size > 60 ? 60 : (int)size;
    if (near) return nigh_fail(ctx, NIGH_INVALID, "no loss is called '%.*s'; did you mean %s?", shown, text, near);
    return nigh_fail(ctx, NIGH_INVALID, "no loss is called '%.*s'; squares, lp, huber, logistic, hinge, k-means, mixture and residual:EXPRESSION are known", shown, text);
}

static bool whole(double value, double most) { return value >= 0 && value <= most && value == floor(value); }

static nigh_status put(nigh_context *ctx, nigh_row_loss_kind kind, const char *name, size_t size, const char *value, nigh_loss_options *o)
{
    const char *near = NULL;
    int f = 0;
    for (; f < FIELDS; f++) {
        if (!(fields_of[kind] >> f & 1)) continue;
        if (strlen(field_names[f]) == size && !memcmp(field_names[f], name, size)) break;
        near = word_nearer(name, size, field_names[f], near);
    }
    char allowed[96];
    list_fields(kind, allowed);
    int shown = size > 60 ? 60 : (int)size;
    if (f == FIELDS && near) return nigh_fail(ctx, NIGH_INVALID, "the loss %s has no '%.*s'; did you mean %s?", loss_kind_name(kind), shown, name, near);
    if (f == FIELDS) return nigh_fail(ctx, NIGH_INVALID, "the loss %s has no '%.*s'; it has %s", loss_kind_name(kind), shown, name, allowed);
    char *end;
    double number = strtod(value, &end);
    if (end == value || (*end && *end != ',') || !isfinite(number))
        return nigh_fail(ctx, NIGH_INVALID, "%s of the loss %s is '%.*s'; a number is needed", field_names[f], loss_kind_name(kind), (int)strcspn(value, ","), value);
    if ((f == FIELD_K && !(whole(number, 1 << 24) && number >= 1)) || (f == FIELD_SEED && !whole(number, 0x1p53)) || (f == FIELD_RESTARTS && !(whole(number, 1e6) && number >= 1)))
        return nigh_fail(ctx, NIGH_INVALID, "%s of the loss %s is %g; a whole number%s is needed", field_names[f], loss_kind_name(kind), number, f == FIELD_SEED ? "" : " from 1 on");
    if (f == FIELD_INTERCEPT && number != 0 && number != 1) return nigh_fail(ctx, NIGH_INVALID, "intercept of the loss %s is %g; 0 and 1 are allowed", loss_kind_name(kind), number);
    if ((f == FIELD_P && !(number >= 1 && number <= 8)) || (f == FIELD_DELTA && !(number > 0)))
        return nigh_fail(ctx, NIGH_INVALID, "%s of the loss %s is %g; %s is allowed", field_names[f], loss_kind_name(kind), number, f == FIELD_P ? "1 to 8" : "a positive number");
    bool classes = kind == NIGH_LOSS_LOGISTIC || kind == NIGH_LOSS_HINGE;
    if (f == FIELD_LAMBDA && !(classes ? number > 0 : number >= 0))
        return nigh_fail(ctx, NIGH_INVALID, "lambda of the loss %s is %g; %s is allowed", loss_kind_name(kind), number, classes ? "a positive number" : "0 or more");
    switch ((field)f) {
    case FIELD_P: o->p = number; break;
    case FIELD_DELTA: o->delta = number; break;
    case FIELD_K: o->k = (int64_t)number; break;
    case FIELD_LAMBDA: o->lambda = number; break;
    case FIELD_INTERCEPT: o->no_intercept = number == 0; break;
    case FIELD_SEED: o->seed = (uint64_t)number; break;
    default: o->restarts = (int)number; break;
    }
    return NIGH_OK;
}

nigh_status nigh_loss_parse(nigh_context *ctx, const char *text, nigh_loss **loss)
{
    if (!text || !*text) return nigh_fail(ctx, NIGH_INVALID, "the name of the loss is missing: squares, lp, huber, logistic, hinge, k-means, mixture, residual:EXPRESSION");
    const char *colon = strchr(text, ':');
    nigh_loss_options o = {0};
    nigh_status status = find_kind(ctx, text, colon ? (size_t)(colon - text) : strlen(text), &o.kind);
    if (status) return status;
    if (o.kind == NIGH_LOSS_RESIDUAL) {
        o.expression = colon ? colon + 1 : "";
        return nigh_loss_new(ctx, &o, loss);
    }
    for (const char *at = colon ? colon + 1 : NULL; at && *at;) {
        size_t size = strcspn(at, "=,");
        if (at[size] != '=') return nigh_fail(ctx, NIGH_INVALID, "the loss's '%.*s' has no value; write %.*s=NUMBER", (int)(size > 60 ? 60 : size), at, (int)(size > 60 ? 60 : size), at);
        status = put(ctx, o.kind, at, size, at + size + 1, &o);
        if (status) return status;
        at = strchr(at, ',');
        if (at) at++;
    }
    return nigh_loss_new(ctx, &o, loss);
}

char *loss_name(nigh_context *ctx, const nigh_loss_options *o)
{
    const char *kind = loss_kind_name(o->kind);
    if (o->kind == NIGH_LOSS_CALLBACK) return nigh_strdup(ctx, kind);
    if (o->kind == NIGH_LOSS_RESIDUAL) return nigh_format(ctx, "%s:%s", kind, o->expression);
    char text[256] = "", number[32];
    const double value[FIELDS] = {o->p, o->delta, (double)o->k, o->lambda, !o->no_intercept, (double)o->seed, o->restarts};
    for (int f = 0; f < FIELDS; f++) {
        if (!(fields_of[o->kind] >> f & 1)) continue;
        number_text(value[f], false, number);
        strcat(strcat(strcat(strcat(text, *text ? "," : ":"), field_names[f]), "="), number);
    }
    return nigh_format(ctx, "%s%s", kind, text);
}
