/*
 * The log of a hold-out as JSON: the receipt for people and programs, and the state as lines that can be appended one by one.
 * Declared in nigh/release.h.
 *
 * The hash of a line covers the hash before it and the line's object in the very bytes it is written with, so reading parses,
 * takes the hash off, writes again and compares. Numbers have 17 digits and come back to the same bits.
 */
#include "release/holdout.h"

#include "core/json.h"

#include <math.h>
#include <string.h>

enum { DUMP = JSON_COMPACT | JSON_REAL_PRECISION(17) };
#define STATE_FORMAT "nigh-holdout"
enum { STATE_VERSION = 1 };

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

/* object[key] = value; false when memory ran out (value may be NULL for that reason). */
static bool put(json_t *object, const char *key, json_t *value) { return json_object_set_new(object, key, value) == 0; }

static const char *noise_name(nigh_holdout_noise noise) { return noise == NIGH_HOLDOUT_TEXTBOOK ? "textbook" : "practical"; }

static json_t *options_object(const nigh_holdout_options *o)
{
    json_t *x = json_object();
    bool good = x && put(x, "format", json_string(STATE_FORMAT)) && put(x, "version", json_integer(STATE_VERSION)) &&
                put(x, "mechanism", json_string(nigh_holdout_kind_name(o->kind))) && put(x, "noise", json_string(noise_name(o->noise))) &&
                put(x, "rows", json_integer(o->n)) && put(x, "low", number(o->low)) && put(x, "high", number(o->high)) &&
                put(x, "clip", json_boolean(o->clip)) && put(x, "sd", number(o->sd)) && put(x, "threshold", number(o->threshold)) &&
                put(x, "scale", number(o->scale)) && put(x, "step", number(o->step)) && put(x, "budget", json_integer(o->budget)) &&
                put(x, "queries", json_integer(o->queries)) && put(x, "beta", number(o->beta)) &&
                put(x, "seed", json_integer((json_int_t)o->seed)); /* two's complement: all 64 bits come back */
    if (!good) json_decref(x), x = NULL;
    return x;
}

static json_t *entry_object(const holdout_entry *e, int64_t i)
{
    json_t *x = json_object();
    bool good = x && put(x, "query", json_integer(i)) && put(x, "name", e->name ? json_string(e->name) : json_null()) &&
                put(x, "train", number(e->train)) && put(x, "value", number(e->value)) && put(x, "consulted", json_boolean(e->consulted)) &&
                put(x, "practical", number(e->practical)) && put(x, "theorem", number(e->theorem));
    if (!good) json_decref(x), x = NULL;
    return x;
}

nigh_status holdout_check_name(nigh_context *ctx, const char *name)
{
    json_t *object = json_object();
    nigh_status status = object ? nj_set_text(ctx, object, "name", name) : nigh_fail(ctx, NIGH_MEMORY, "out of memory while keeping a query's name");
    json_decref(object);
    return status;
}

/* Jansson does not look at what the callback returns for the key of an object: a failure is kept here. */
typedef struct dump_sink {
    nigh_buffer *text;
    bool failed;
} dump_sink;

static int add_bytes(const char *bytes, size_t size, void *user)
{
    dump_sink *sink = user;
    sink->failed = sink->failed || nigh_buffer_add(sink->text, bytes, size) != NIGH_OK;
    return sink->failed ? -1 : 0;
}

static nigh_status dump(nigh_context *ctx, const json_t *object, size_t flags, nigh_buffer *text)
{
    dump_sink sink = {text, false};
    if (!object || json_dump_callback(object, add_bytes, &sink, flags) || sink.failed)
        return nigh_fail(ctx, NIGH_MEMORY, "out of memory while writing a hold-out's log");
    return NIGH_OK;
}

/* ---- lines ---------------------------------------------------------------------------------------------- */

static nigh_status chain_of(nigh_context *ctx, const char *before, const json_t *object, char out[17])
{
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = dump(ctx, object, DUMP, &text);
    if (!status) {
        char hex[65];
        nigh_sha256 hash;
        nigh_sha256_init(&hash);
        nigh_sha256_text(&hash, before);
        nigh_sha256_add(&hash, text.data, text.size);
        nigh_sha256_hex(&hash, hex);
        memcpy(out, hex, 16);
        out[16] = 0;
    }
    nigh_buffer_free(&text);
    return status;
}

static json_t *line_object(const nigh_holdout *h, int64_t i)
{
    return i < 0 ? options_object(&h->options) : entry_object(&h->entries[i], i);
}

/* Makes sure that the chain of lines -1 .. i is known. */
static nigh_status extend_chain(nigh_holdout *h, int64_t i)
{
    nigh_status status = NIGH_OK;
    if (i + 2 > h->chain_room) {
        int64_t room = h->chain_room ? h->chain_room : 16;
        while (room < i + 2) room *= 2;
        char (*chain)[17] = nigh_resize(h->ctx, h->chain, (size_t)room * sizeof *chain);
        if (!chain) return NIGH_MEMORY;
        h->chain = chain;
        h->chain_room = room;
    }
    while (!status && h->chained < i + 2) {
        json_t *object = line_object(h, h->chained - 1);
        status = chain_of(h->ctx, h->chained ? h->chain[h->chained - 1] : "", object, h->chain[h->chained]);
        json_decref(object);
        if (!status) h->chained++;
    }
    return status;
}

nigh_status nigh_holdout_line(nigh_holdout *h, int64_t i, nigh_buffer *text)
{
    if (i < -1 || i >= h->asked)
        return nigh_fail(h->ctx, NIGH_INVALID, "line is number %lld; -1 to %lld are allowed", (long long)i, (long long)h->asked - 1);
    nigh_status status = extend_chain(h, i);
    if (status) return status;
    json_t *object = line_object(h, i);
    if (!object || !put(object, "chain", json_string(h->chain[i + 1])))
        status = nigh_fail(h->ctx, NIGH_MEMORY, "out of memory while writing a hold-out's log");
    if (!status) status = dump(h->ctx, object, DUMP, text);
    if (!status) status = nigh_buffer_add(text, "\n", 1);
    json_decref(object);
    return status;
}

nigh_status nigh_holdout_save(nigh_holdout *h, nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (int64_t i = -1; !status && i < h->asked; i++) status = nigh_holdout_line(h, i, text);
    return status;
}

/* ---- reading back --------------------------------------------------------------------------------------- */

static double real_of(const json_t *object, const char *key)
{
    const json_t *x = json_object_get(object, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

static int64_t integer_of(const json_t *object, const char *key) { return json_integer_value(json_object_get(object, key)); }
static bool true_of(const json_t *object, const char *key) { return json_is_true(json_object_get(object, key)); }

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* Parses one line, takes its hash off and compares it with the chain. */
static nigh_status read_line(nigh_context *ctx, const char *line, size_t size, int64_t number_of, const char *before, char chain[17],
                             json_t **out)
{
    json_error_t error;
    json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
    nigh_status status = NIGH_OK;
    if (!json_is_object(object)) {
        status = json_error_code(&error) == json_error_out_of_memory && !object
                     ? nigh_fail(ctx, NIGH_MEMORY, "out of memory while reading a hold-out's log")
                     : nigh_fail(ctx, NIGH_FORMAT, "line %lld of the hold-out's state is no JSON object", (long long)number_of);
    } else {
        char told[17] = "";
        const char *text = text_of(object, "chain");
        if (strlen(text) == 16) memcpy(told, text, 17);
        json_object_del(object, "chain");
        status = chain_of(ctx, before, object, chain);
        if (!status && strcmp(told, chain) != 0)
            status = nigh_fail(ctx, NIGH_FORMAT,
                               "line %lld of the hold-out's state was damaged or edited (its hash is '%s', not '%s'); the budget cannot be "
                               "trusted any more",
                               (long long)number_of, told, chain);
    }
    if (status) json_decref(object), object = NULL;
    *out = object;
    return status;
}

static nigh_status options_from(nigh_context *ctx, const json_t *x, nigh_holdout_options *o)
{
    if (strcmp(text_of(x, "format"), STATE_FORMAT) != 0) return nigh_fail(ctx, NIGH_FORMAT, "this is not the state of a hold-out");
    if (integer_of(x, "version") != STATE_VERSION)
        return nigh_fail(ctx, NIGH_FORMAT, "the state of the hold-out has version %lld; this nigh reads %d", (long long)integer_of(x, "version"),
                         STATE_VERSION);
    *o = nigh_holdout_options_default(integer_of(x, "rows"));
    nigh_status status = nigh_holdout_kind_find(ctx, text_of(x, "mechanism"), &o->kind);
    if (status) return NIGH_FORMAT;
    o->noise = strcmp(text_of(x, "noise"), "textbook") == 0 ? NIGH_HOLDOUT_TEXTBOOK : NIGH_HOLDOUT_PRACTICAL;
    o->low = real_of(x, "low"), o->high = real_of(x, "high"), o->sd = real_of(x, "sd");
    o->clip = true_of(x, "clip");
    o->threshold = real_of(x, "threshold"), o->scale = real_of(x, "scale"), o->step = real_of(x, "step"), o->beta = real_of(x, "beta");
    o->budget = integer_of(x, "budget"), o->queries = integer_of(x, "queries");
    o->seed = (uint64_t)integer_of(x, "seed");
    return NIGH_OK;
}

static nigh_status append_from(nigh_holdout *h, const json_t *x, int64_t line)
{
    holdout_entry e = {.train = real_of(x, "train"), .value = real_of(x, "value"), .consulted = true_of(x, "consulted"),
                       .practical = real_of(x, "practical"), .theorem = real_of(x, "theorem")};
    if (!json_is_integer(json_object_get(x, "query")) || integer_of(x, "query") != h->asked)
        return nigh_fail(h->ctx, NIGH_FORMAT, "line %lld of the hold-out's state is not answer number %lld", (long long)line, (long long)h->asked);
    return holdout_append(h, json_string_value(json_object_get(x, "name")), &e);
}

nigh_status nigh_holdout_restore(nigh_context *ctx, const char *text, size_t size, size_t *used, nigh_holdout **out)
{
    nigh_holdout *h = NULL;
    nigh_status status = NIGH_OK;
    size_t at = 0;
    char before[17] = "", chain[17];
    for (int64_t line = 1; !status; line++) {
        const char *end = at < size ? memchr(text + at, '\n', size - at) : NULL;
        if (!end) break; /* the rest, if any, is a line whose answer was never shown */
        json_t *object;
        status = read_line(ctx, text + at, (size_t)(end - text) - at, line, before, chain, &object);
        if (status) break;
        if (!h) {
            nigh_holdout_options options;
            status = options_from(ctx, object, &options);
            if (!status) status = nigh_holdout_new(ctx, &options, &h);
            if (status == NIGH_INVALID) status = nigh_within(ctx, NIGH_FORMAT, "state of the hold-out");
        } else
            status = append_from(h, object, line);
        json_decref(object);
        memcpy(before, chain, sizeof chain);
        at = (size_t)(end - text) + 1;
    }
    if (!status && !h) status = nigh_fail(ctx, NIGH_FORMAT, "the state of the hold-out is empty");
    if (status) {
        nigh_holdout_free(h);
        return status;
    }
    *used = at;
    *out = h;
    return NIGH_OK;
}

/* ---- receipt -------------------------------------------------------------------------------------------- */

nigh_status nigh_holdout_json(const nigh_holdout *h, nigh_buffer *text)
{
    const nigh_holdout_options *o = &h->options;
    bool limited = o->budget && (o->kind == NIGH_HOLDOUT_THRESHOLDOUT || o->kind == NIGH_HOLDOUT_SPARSE_VALIDATE);
    json_t *x = options_object(o), *answers = json_array();
    bool good = x && answers;
    for (int64_t i = 0; good && i < h->asked; i++) good = json_array_append_new(answers, entry_object(&h->entries[i], i)) == 0;
    good = good && json_object_del(x, "seed") == 0 && put(x, "threshold_noise_scale", number(holdout_threshold_scale(o))) &&
           put(x, "test_noise_scale", number(holdout_test_scale(o))) && put(x, "asked", json_integer(h->asked)) &&
           put(x, "budget_used", json_integer(h->used)) &&
           put(x, "budget_left", limited ? json_integer(o->budget - h->used) : json_null()) &&
           put(x, "tau_practical", number(nigh_holdout_tau_practical(h, false))) &&
           put(x, "tau_practical_consulted", number(nigh_holdout_tau_practical(h, true))) &&
           put(x, "tau_theorem", number(nigh_holdout_tau_theorem(h)));
    if (good) {
        good = put(x, "answers", answers);
        answers = NULL; /* put took it, also on failure */
    }
    nigh_status status = good ? dump(h->ctx, x, JSON_INDENT(2) | JSON_REAL_PRECISION(10), text)
                              : nigh_fail(h->ctx, NIGH_MEMORY, "out of memory while writing a receipt");
    json_decref(answers);
    json_decref(x);
    return status;
}
