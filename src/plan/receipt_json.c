/*
 * Receipts as JSON (docs/receipt.schema.json) and back. Numbers read back to the same bits. What is read is not trusted:
 * every member is checked for type, range and length, and the receipt says that it is only as stated.
 */
#include "plan/figures.h"
#include "plan/receipt.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, TEXT_ROOM = 16384, PAIRS_MAX = 100000, JSON_ROOM = 1 << 24 };

/* ---- the plain members, by type: one table for both ways ---- */

typedef struct member {
    const char *name;
    size_t offset;
    double high; /* reals: largest allowed; the smallest is 0 */
} member;

#define AT(field) #field, offsetof(nigh_receipt, field)

static const member texts[] = {{AT(problem), 0},   {AT(identity), 0},   {AT(kind), 0},      {AT(method), 0}, {AT(settings), 0},
                               {AT(measure), 0},   {AT(unit), 0},       {AT(source), 0},    {AT(words), 0},  {AT(tests_from), 0},
                               {AT(shortcut), 0},  {AT(nigh), 0},       {AT(cpu), 0},       {AT(cpu_level), 0},
                               {AT(libraries), 0}, {AT(host), 0}};

static const member reals[] = {{AT(error), INFINITY},         {AT(confidence), 1},         {AT(level), 1},
                               {AT(clip), INFINITY},          {AT(worst), INFINITY},       {AT(worst_share), 1},
                               {AT(fit_seconds), INFINITY},   {AT(exact_calls), INFINITY}, {AT(exact_seconds), INFINITY},
                               {AT(plan_seconds), INFINITY},  {AT(plan_bytes), INFINITY},  {AT(exact_bytes), INFINITY}};

static const member figures[] = {{AT(mean), 0}, {AT(outliers), 0}, {AT(p95), 0}};
static const member timings[] = {{AT(beside_exact), 0}, {AT(beside_shortcut), 0}};
static const member counts[] = {{AT(tests), 0}, {AT(reads), 0}};
static const member flags[] = {{AT(met), 0}, {AT(is_shortcut), 0}, {AT(as_stated), 0}};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void *field(const nigh_receipt *receipt, const member *m) { return (char *)receipt + m->offset; }

/* ---- writing ---- */

static void replace_bad_utf8(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c;) {
        int more = *c < 0x80 ? 0 : (*c & 0xe0) == 0xc0 ? 1 : (*c & 0xf0) == 0xe0 ? 2 : (*c & 0xf8) == 0xf0 ? 3 : -1;
        bool good = more >= 0;
        for (int i = 1; good && i <= more; i++) good = (c[i] & 0xc0) == 0x80;
        if (good && more > 0) {
            json_t *probe = json_stringn((const char *)c, (size_t)more + 1); /* overlong forms, surrogates */
            good = probe != NULL;
            json_decref(probe);
        }
        if (!good) *c = '?', more = 0;
        c += more + 1;
    }
}

nigh_status nigh_json_set_words(nigh_context *ctx, json_t *object, const char *key, const char *text)
{
    if (!text) return nj_set(ctx, object, key, json_null());
    json_t *value = json_string(text);
    if (value) return nj_set(ctx, object, key, value);
    char *copy = nigh_strdup(ctx, text);
    if (!copy) return NIGH_MEMORY;
    replace_bad_utf8(copy);
    nigh_status status = nj_set(ctx, object, key, json_string(copy));
    nigh_free(ctx, copy);
    return status;
}

nigh_status nigh_json_set_object(nigh_context *ctx, json_t *parent, const char *key, json_t **object)
{
    *object = json_object();
    return nj_set(ctx, parent, key, *object);
}

static nigh_status set_figure(nigh_context *ctx, json_t *parent, const char *key, const nigh_figure *figure)
{
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, key, &object);
    if (!s) s = nj_set_real(ctx, object, "estimate", figure->estimate);
    if (!s) s = nj_set_real(ctx, object, "low", figure->low);
    if (!s) s = nj_set_real(ctx, object, "high", figure->high);
    if (!s) s = nj_set_real(ctx, object, "confidence", figure->confidence);
    if (!s) s = nj_set_int(ctx, object, "n", figure->n);
    if (!s) s = nigh_json_set_words(ctx, object, "method", figure->method);
    return s;
}

static nigh_status set_timing(nigh_context *ctx, json_t *parent, const char *key, const nigh_timing *timing)
{
    json_t *object = NULL, *ratios = json_array();
    nigh_status s = nigh_json_set_object(ctx, parent, key, &object);
    if (s) {
        json_decref(ratios);
        return s;
    }
    s = nj_set(ctx, object, "ratios", ratios);
    for (int i = 0; !s && timing->ratios && i < timing->pairs; i++) s = nj_add_real(ctx, ratios, timing->ratios[i]);
    if (!s) s = nj_set_real(ctx, object, "a_seconds", timing->a_seconds);
    if (!s) s = nj_set_real(ctx, object, "b_seconds", timing->b_seconds);
    if (!s) s = nj_set_real(ctx, object, "ratio", timing->ratio);
    if (!s) s = nj_set_real(ctx, object, "low", timing->low);
    if (!s) s = nj_set_real(ctx, object, "high", timing->high);
    if (!s) s = nj_set_int(ctx, object, "pairs", timing->pairs);
    if (!s) s = nj_set_int(ctx, object, "repeated", timing->repeated);
    if (!s) s = nj_set_int(ctx, object, "threads", timing->threads);
    if (!s) s = nj_set_bool(ctx, object, "busy", timing->busy);
    return s;
}

static nigh_status set_certificate(nigh_context *ctx, json_t *parent, const nigh_certificate *certificate)
{
    if (!certificate->how) return nj_set(ctx, parent, "certificate", json_null());
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "certificate", &object);
    if (!s) s = nj_set_real(ctx, object, "worst", certificate->worst);
    if (!s) s = nj_set_bool(ctx, object, "exact", certificate->exact);
    if (!s) s = nj_set_real(ctx, object, "at", certificate->at);
    if (!s) s = nj_set_real(ctx, object, "inputs", certificate->inputs);
    if (!s) s = nigh_json_set_words(ctx, object, "how", certificate->how);
    return s;
}

static nigh_status set_refinement(nigh_context *ctx, json_t *parent, const nigh_refinement *r)
{
    if (r->n < 1 && !r->why) return nj_set(ctx, parent, "refinement", json_null());
    json_t *object = NULL;
    nigh_status s = nigh_json_set_object(ctx, parent, "refinement", &object);
    if (!s) s = nj_set_int(ctx, object, "n", r->n);
    if (!s) s = nj_set_real(ctx, object, "mean", r->mean);
    if (!s) s = nj_set_real(ctx, object, "worst", r->worst);
    return s ? s : nigh_json_set_words(ctx, object, "why", r->why);
}

static nigh_status set_grid(nigh_context *ctx, json_t *list, const nigh_grid_error *g)
{
    json_t *object = json_object();
    if (json_array_append_new(list, object)) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    json_t *size = json_array();
    nigh_status s = nj_set(ctx, object, "size", size);
    for (int k = 0; !s && k < 2 && g->size[k] > 0; k++)
        if (json_array_append_new(size, json_integer(g->size[k]))) s = nigh_fail(ctx, NIGH_MEMORY, "out of memory for JSON");
    if (!s) s = nj_set_int(ctx, object, "n", g->n);
    if (!s) s = nj_set_real(ctx, object, "mean", g->mean);
    return s ? s : nj_set_bool(ctx, object, "own", g->own);
}

static nigh_status set_grids(nigh_context *ctx, json_t *parent, const nigh_receipt *r)
{
    json_t *list = json_array();
    nigh_status s = nj_set(ctx, parent, "grids", list);
    for (int i = 0; !s && i < r->grids; i++) s = set_grid(ctx, list, &r->grid[i]);
    return s;
}

static nigh_status fill(nigh_context *ctx, const nigh_receipt *r, json_t *object)
{
    nigh_status s = nj_set_int(ctx, object, "format", FORMAT);
    for (size_t i = 0; !s && i < COUNT(texts); i++)
        s = nigh_json_set_words(ctx, object, texts[i].name, *(char **)field(r, &texts[i]));
    for (size_t i = 0; !s && i < COUNT(reals); i++) s = nj_set_real(ctx, object, reals[i].name, *(double *)field(r, &reals[i]));
    for (size_t i = 0; !s && i < COUNT(counts); i++) s = nj_set_int(ctx, object, counts[i].name, *(int64_t *)field(r, &counts[i]));
    for (size_t i = 0; !s && i < COUNT(flags); i++) s = nj_set_bool(ctx, object, flags[i].name, *(bool *)field(r, &flags[i]));
    for (size_t i = 0; !s && i < COUNT(figures); i++) s = set_figure(ctx, object, figures[i].name, field(r, &figures[i]));
    for (size_t i = 0; !s && i < COUNT(timings); i++) s = set_timing(ctx, object, timings[i].name, field(r, &timings[i]));
    if (!s) s = nj_set_text(ctx, object, "statistic", nigh_statistic_name(r->statistic));
    if (!s) s = nj_set_text(ctx, object, "label", nigh_label_name(r->label));
    if (!s) s = set_certificate(ctx, object, &r->certificate);
    if (!s) s = set_refinement(ctx, object, &r->refinement);
    if (!s) s = set_grids(ctx, object, r);
    if (!s) s = nj_set_int(ctx, object, "threads", r->threads);
    if (!s) s = nj_set(ctx, object, "seed", json_sprintf("%llu", (unsigned long long)r->seed));
    return s;
}

nigh_status nigh_receipt_to_json(nigh_context *ctx, const nigh_receipt *receipt, json_t **out)
{
    nigh_receipt shown = nigh_receipt_shown(receipt);
    json_t *object = json_object();
    if (!object) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for the JSON of a receipt");
    nigh_status status = fill(ctx, &shown, object);
    if (status) json_decref(object);
    else *out = object;
    return status;
}

nigh_status nigh_receipt_json(nigh_context *ctx, const nigh_receipt *receipt, nigh_buffer *text)
{
    json_t *object = NULL;
    nigh_status status = nigh_receipt_to_json(ctx, receipt, &object);
    if (status) return status;
    text->ctx = ctx;
    status = nj_dump(ctx, object, NJ_INDENTED, text);
    json_decref(object);
    return status;
}

/* ---- reading ---- */

nigh_status nigh_json_get_words(const nj *object, const char *key, size_t room, nigh_arena *arena, char **text)
{
    const char *found = NULL;
    if (json_is_null(json_object_get(object->json, key))) {
        *text = NULL;
        return NIGH_OK;
    }
    nigh_status status = nj_get_text(object, key, &found);
    if (status) return status;
    size_t size = strlen(found);
    if (size > room) return nj_fail(object, NIGH_FORMAT, key, "has %zu bytes; at most %zu are allowed", size, room);
    *text = nigh_arena_strdup(arena, found);
    return *text ? NIGH_OK : NIGH_MEMORY;
}

/* A number from 0 to high; one that is not a number (a figure never measured) passes, too. */
static nigh_status get_amount(const nj *object, const char *key, double high, double *value)
{
    nigh_status status = nj_get_real(object, key, -INFINITY, INFINITY, value);
    if (!status && (*value < 0 || *value > high))
        status = nj_fail(object, NIGH_FORMAT, key, "is %g; 0 to %g is allowed", *value, high);
    return status;
}

static nigh_status get_figure(const nj *parent, const char *key, nigh_arena *arena, nigh_figure *figure)
{
    nj object = {0};
    char *method = NULL;
    nigh_status s = nj_get_object(parent, key, &object);
    if (!s) s = nj_get_real(&object, "estimate", -INFINITY, INFINITY, &figure->estimate);
    if (!s) s = nj_get_real(&object, "low", -INFINITY, INFINITY, &figure->low);
    if (!s) s = nj_get_real(&object, "high", -INFINITY, INFINITY, &figure->high);
    if (!s) s = nj_get_real(&object, "confidence", 0, 1, &figure->confidence);
    if (!s) s = nj_get_int(&object, "n", 0, INT64_MAX, &figure->n);
    if (!s) s = nigh_json_get_words(&object, "method", TEXT_ROOM, arena, &method);
    if (!s && figure->low > figure->high)
        s = nj_fail(&object, NIGH_FORMAT, "low", "is %g, above high = %g", figure->low, figure->high);
    figure->method = method;
    return s;
}

static nigh_status get_int(const nj *object, const char *key, int high, int *value)
{
    int64_t wide = 0;
    nigh_status status = nj_get_int(object, key, 0, high, &wide);
    *value = (int)wide;
    return status;
}

static nigh_status get_ratios(const nj *object, nigh_arena *arena, nigh_timing *timing)
{
    nj list = {0};
    size_t count = 0;
    nigh_status s = nj_get_array(object, "ratios", &list, &count);
    if (s || count == 0) return s;
    if (count != (size_t)timing->pairs)
        return nj_fail(object, NIGH_FORMAT, "ratios", "has %zu numbers; one for each of %d pairs, or none, is allowed", count, timing->pairs);
    timing->ratios = nigh_arena_alloc(arena, count * sizeof *timing->ratios);
    if (!timing->ratios) return NIGH_MEMORY;
    for (size_t i = 0; !s && i < count; i++) s = nj_at_real(&list, i, 0, INFINITY, &timing->ratios[i]);
    return s;
}

static nigh_status get_timing(const nj *parent, const char *key, nigh_arena *arena, nigh_timing *timing)
{
    nj object = {0};
    nigh_status s = nj_get_object(parent, key, &object);
    if (!s) s = get_amount(&object, "a_seconds", INFINITY, &timing->a_seconds);
    if (!s) s = get_amount(&object, "b_seconds", INFINITY, &timing->b_seconds);
    if (!s) s = get_amount(&object, "ratio", INFINITY, &timing->ratio);
    if (!s) s = get_amount(&object, "low", INFINITY, &timing->low);
    if (!s) s = get_amount(&object, "high", INFINITY, &timing->high);
    if (!s) s = get_int(&object, "pairs", PAIRS_MAX, &timing->pairs);
    if (!s) s = get_int(&object, "repeated", INT32_MAX, &timing->repeated);
    if (!s) s = get_int(&object, "threads", 1024, &timing->threads);
    if (!s) s = nj_get_bool(&object, "busy", &timing->busy);
    return s ? s : get_ratios(&object, arena, timing);
}

static nigh_status get_certificate(const nj *parent, nigh_arena *arena, nigh_certificate *certificate)
{
    if (json_is_null(json_object_get(parent->json, "certificate"))) return NIGH_OK;
    nj object = {0};
    char *how = NULL;
    nigh_status s = nj_get_object(parent, "certificate", &object);
    if (!s) s = get_amount(&object, "worst", INFINITY, &certificate->worst);
    if (!s) s = nj_get_bool(&object, "exact", &certificate->exact);
    if (!s) s = nj_get_real(&object, "at", -INFINITY, INFINITY, &certificate->at);
    if (!s) s = get_amount(&object, "inputs", INFINITY, &certificate->inputs);
    if (!s) s = nigh_json_get_words(&object, "how", TEXT_ROOM, arena, &how);
    if (!s && !how) s = nj_fail(&object, NIGH_FORMAT, "how", "is null; a text that names the proof is needed");
    certificate->how = how;
    return s;
}

/* Receipts of before there were these figures lack them. */
static nigh_status get_refinement(const nj *parent, nigh_arena *arena, nigh_refinement *r)
{
    if (!nj_has(parent, "refinement") || json_is_null(json_object_get(parent->json, "refinement"))) return NIGH_OK;
    nj object = {0};
    nigh_status s = nj_get_object(parent, "refinement", &object);
    if (!s) s = nj_get_int(&object, "n", 0, INT64_MAX, &r->n);
    if (!s) s = get_amount(&object, "mean", INFINITY, &r->mean);
    if (!s) s = get_amount(&object, "worst", INFINITY, &r->worst);
    return s ? s : nigh_json_get_words(&object, "why", TEXT_ROOM, arena, &r->why);
}

static nigh_status get_grid(const nj *list, size_t i, nigh_grid_error *g)
{
    nj object = {0}, size = {0};
    size_t dims = 0;
    nigh_status s = nj_at(list, i, JSON_OBJECT, &object);
    if (!s) s = nj_get_array(&object, "size", &size, &dims);
    if (!s && (dims < 1 || dims > 2)) s = nj_fail(&object, NIGH_FORMAT, "size", "has %zu numbers; 1 or 2 are allowed", dims);
    for (size_t k = 0; !s && k < dims; k++) s = nj_at_int(&size, k, 1, INT32_MAX, &g->size[k]);
    if (!s) s = nj_get_int(&object, "n", 1, INT64_MAX, &g->n);
    if (!s) s = get_amount(&object, "mean", INFINITY, &g->mean);
    return s ? s : nj_get_bool(&object, "own", &g->own);
}

static nigh_status get_grids(const nj *parent, nigh_receipt *r)
{
    if (!nj_has(parent, "grids")) return NIGH_OK;
    nj list = {0};
    size_t count = 0;
    nigh_status s = nj_get_array(parent, "grids", &list, &count);
    if (!s && count > NIGH_GRIDS) s = nj_fail(parent, NIGH_FORMAT, "grids", "has %zu elements; at most %d are allowed", count, NIGH_GRIDS);
    for (size_t i = 0; !s && i < count; i++) s = get_grid(&list, i, &r->grid[i]);
    if (!s) r->grids = (int)count;
    return s;
}

static nigh_status get_seed(const nj *object, uint64_t *seed)
{
    const char *text = NULL;
    nigh_status status = nj_get_text(object, "seed", &text);
    if (status) return status;
    size_t digits = strspn(text, "0123456789");
    errno = 0;
    *seed = strtoull(text, NULL, 10);
    if (digits == 0 || digits > 20 || text[digits] || errno)
        return nj_fail(object, NIGH_FORMAT, "seed", "is '%.40s'; a text of digits up to 18446744073709551615 is allowed", text);
    return NIGH_OK;
}

static nigh_status get_names(const nj *object, nigh_receipt *r)
{
    const char *statistic = NULL, *label = NULL;
    nigh_status s = nj_get_text(object, "statistic", &statistic);
    if (!s) s = nj_get_text(object, "label", &label);
    if (s) return s;
    int which = nigh_statistic_find(statistic), what = nigh_label_find(label);
    if (which < 0) return nj_fail(object, NIGH_FORMAT, "statistic", "is '%.40s'; mean, p95 or worst is allowed", statistic);
    if (what < 0)
        return nj_fail(object, NIGH_FORMAT, "label", "is '%.40s'; measured, certified, asymptotic, stated or absent is allowed", label);
    r->statistic = (nigh_statistic)which;
    r->label = (nigh_label)what;
    return NIGH_OK;
}

/* What types and ranges alone do not say: a file must not claim what its own figures deny. */
static nigh_status check_claims(const nj *object, const nigh_receipt *r)
{
    if (!(r->error > 0) || !isfinite(r->error)) return nj_fail(object, NIGH_FORMAT, "error", "is %g; a positive number is allowed", r->error);
    double decides = nigh_receipt_decides(r, NULL);
    if (r->met && !(decides <= r->error))
        return nj_fail(object, NIGH_FORMAT, "met", "is true, but the deciding figure is %g and the error asked %g", decides, r->error);
    if (r->label == NIGH_CERTIFIED && !r->certificate.how)
        return nj_fail(object, NIGH_FORMAT, "label", "is 'certified', but there is no certificate");
    if (r->met && r->statistic == NIGH_WORST && !r->certificate.how)
        return nj_fail(object, NIGH_FORMAT, "met", "is true for the worst error, but there is no certificate");
    return NIGH_OK;
}

static nigh_status read_members(const nj *object, nigh_receipt *r)
{
    int64_t format = 0;
    nigh_status s = nj_get_int(object, "format", FORMAT, FORMAT, &format);
    for (size_t i = 0; !s && i < COUNT(texts); i++)
        s = nigh_json_get_words(object, texts[i].name, TEXT_ROOM, r->arena, field(r, &texts[i]));
    for (size_t i = 0; !s && i < COUNT(reals); i++) s = get_amount(object, reals[i].name, reals[i].high, field(r, &reals[i]));
    for (size_t i = 0; !s && i < COUNT(counts); i++) s = nj_get_int(object, counts[i].name, 0, INT64_MAX, field(r, &counts[i]));
    for (size_t i = 0; !s && i < COUNT(flags); i++) s = nj_get_bool(object, flags[i].name, field(r, &flags[i]));
    for (size_t i = 0; !s && i < COUNT(figures); i++) s = get_figure(object, figures[i].name, r->arena, field(r, &figures[i]));
    for (size_t i = 0; !s && i < COUNT(timings); i++) s = get_timing(object, timings[i].name, r->arena, field(r, &timings[i]));
    if (!s) s = get_names(object, r);
    if (!s) s = get_certificate(object, r->arena, &r->certificate);
    if (!s) s = get_refinement(object, r->arena, &r->refinement);
    if (!s) s = get_grids(object, r);
    if (!s) s = get_int(object, "threads", 1024, &r->threads);
    if (!s) s = get_seed(object, &r->seed);
    return s ? s : check_claims(object, r);
}

nigh_status nigh_receipt_from_json(const nj *object, nigh_receipt **receipt)
{
    nigh_receipt *made = NULL;
    nigh_status status = nigh_receipt_new(object->ctx, &made);
    if (!status) status = read_members(object, made);
    if (status) nigh_receipt_free(made);
    else *receipt = made;
    return status;
}

nigh_status nigh_receipt_parse(nigh_context *ctx, const char *json, nigh_receipt **receipt)
{
    nj root = {0};
    size_t size = strlen(json);
    if (size > JSON_ROOM) return nigh_fail(ctx, NIGH_FORMAT, "receipt: has %zu bytes; at most %d are allowed", size, JSON_ROOM);
    nigh_status status = nj_parse(ctx, "receipt", json, size, &root);
    if (!status && !json_is_object(root.json)) status = nj_fail(&root, NIGH_FORMAT, NULL, "is not an object");
    if (!status) status = nigh_receipt_from_json(&root, receipt);
    if (!status) (*receipt)->as_stated = true;
    nj_free(&root);
    return status;
}
