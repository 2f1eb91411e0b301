/*
 * Checkpoints: a bundle with the parameters by name ("parameters/NAME"), blocks of the parameters' size ("slot.0" ..., "average", "best", "snapshot.3"), counters,
 * figures, the state of plateaus and sources, and the log as a table. Metadata: what the training must agree with. Declared in nigh/train.h.
 */
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "nn/train.h"

enum { ROW_NUMBERS = sizeof(nigh_training_row) / sizeof(double) };
_Static_assert(sizeof(nigh_training_row) == ROW_NUMBERS * sizeof(double), "a row is numbers of eight bytes");
_Static_assert(sizeof(schedule_plateau) == 5 * sizeof(double), "so is a plateau");

/* One array of the checkpoint and where it lives: `there` NULL, or whether it is. */
typedef struct part {
    char name[24];
    nigh_dtype dtype;
    int64_t count;
    void *data;
    bool *there;
} part;

enum { MOST_PARTS = 8 + OPTIMISER_SLOTS + NIGH_TRAIN_SNAPSHOTS };

static int list_parts(nigh_training *t, part list[MOST_PARTS])
{
    int n = 0;
    size_t bytes = (size_t)t->size * t->width;
    list[n++] = (part){"counters", NIGH_I64, sizeof t->count / sizeof(int64_t), &t->count, NULL};
    list[n++] = (part){"figures", NIGH_F64, sizeof t->now / sizeof(double), &t->now, NULL};
    list[n++] = (part){"plateaus", NIGH_F64, 5 * (int64_t)TRAIN_SCHEDULES, t->plateau, NULL};
    for (int i = 0; i < t->rule->slots; i++) {
        list[n] = (part){"", t->dtype, t->size, t->slots + (size_t)i * bytes, NULL};
        snprintf(list[n++].name, sizeof list->name, "slot.%d", i);
    }
    if (t->average) list[n++] = (part){"average", t->dtype, t->size, t->average, NULL};
    if (t->best) list[n++] = (part){"best", t->dtype, t->size, t->best, &t->best_there};
    for (int64_t i = 0; i < t->spec.snapshots; i++) {
        list[n] = (part){"", t->dtype, t->size, t->snapshots + (size_t)i * bytes, &t->snapshot_there[i]};
        snprintf(list[n++].name, sizeof list->name, "snapshot.%d", (int)i);
    }
    return n;
}

/* ---- storing -------------------------------------------------------------------------------------------- */

static nigh_status add_metadata(nigh_training *t, nigh_bundle *bundle)
{
    nigh_context *ctx = t->ctx;
    nigh_buffer text = {.ctx = ctx};
    char number[32];
    json_t *object = json_object();
    nigh_status status = object ? NIGH_OK : NIGH_MEMORY;
    if (!status) status = nj_set_text(ctx, object, "nigh-training", "1");
    if (!status) status = nj_set_text(ctx, object, "optimiser", t->rule->name);
    snprintf(number, sizeof number, "%llu", (unsigned long long)t->spec.seed);
    if (!status) status = nj_set_text(ctx, object, "seed", number);
    snprintf(number, sizeof number, "%lld", (long long)t->count.step);
    if (!status) status = nj_set_text(ctx, object, "step", number);
    snprintf(number, sizeof number, "%lld", (long long)t->count.limit);
    if (!status) status = nj_set_text(ctx, object, "steps", number);
    if (!status) status = nj_dump(ctx, object, 0, &text);
    json_decref(object);
    if (!status && !(bundle->metadata = nigh_strdup(ctx, text.data))) status = NIGH_MEMORY;
    nigh_buffer_free(&text);
    return status;
}

static nigh_status make_bundle(nigh_training *t, nigh_bundle *bundle)
{
    part list[MOST_PARTS];
    int n = list_parts(t, list);
    nigh_status status = nigh_parameters_store(t->parameters, "parameters/", bundle);
    for (int i = 0; i < n && !status; i++) {
        if (list[i].there && !*list[i].there) continue;
        nigh_array array = {.shape = {.dtype = list[i].dtype, .ndim = 1, .dim = {list[i].count}}, .data = list[i].data};
        status = nigh_bundle_add(bundle, list[i].name, &array);
    }
    nigh_array log = {.shape = {.dtype = NIGH_F64, .ndim = 2, .dim = {t->rows, ROW_NUMBERS}}, .data = t->row};
    if (!status && t->rows) status = nigh_bundle_add(bundle, "log", &log);
    if (!status) status = batches_store(t->main.batches, "batches.", bundle);
    return status ? status : add_metadata(t, bundle);
}

nigh_status nigh_training_format(nigh_training *t, nigh_buffer *out)
{
    nigh_bundle bundle = {.ctx = t->ctx};
    nigh_status status = make_bundle(t, &bundle);
    if (!status) status = nigh_safetensors_format(t->ctx, &bundle, out);
    nigh_bundle_free(&bundle);
    return status;
}

nigh_status nigh_training_save(nigh_training *t, const char *path)
{
    nigh_bundle bundle = {.ctx = t->ctx};
    nigh_status status = make_bundle(t, &bundle);
    if (!status) status = nigh_safetensors_write(t->ctx, path, &bundle);
    nigh_bundle_free(&bundle);
    return status;
}

/* ---- loading -------------------------------------------------------------------------------------------- */

static nigh_status check_metadata(nigh_training *t, const nigh_bundle *bundle, const char *name)
{
    const char *format = "", *rule = "", *seed = "";
    char mine[32];
    if (!bundle->metadata) return nigh_fail(t->ctx, NIGH_FORMAT, "'%s' has no metadata: it is no checkpoint of a training", name);
    nj root = {0};
    nigh_status status = nj_parse(t->ctx, name, bundle->metadata, strlen(bundle->metadata), &root);
    if (!status) status = nj_get_text(&root, "nigh-training", &format);
    if (!status) status = nj_get_text(&root, "optimiser", &rule);
    if (!status) status = nj_get_text(&root, "seed", &seed);
    snprintf(mine, sizeof mine, "%llu", (unsigned long long)t->spec.seed);
    if (!status && strcmp(format, "1")) status = nigh_fail(t->ctx, NIGH_FORMAT, "'%s' is of format %s of checkpoints; 1 is known", name, format);
    if (!status && strcmp(rule, t->rule->name)) status = nigh_fail(t->ctx, NIGH_FORMAT, "'%s' is of a training by '%s', this one is by '%s'", name, rule, t->rule->name);
    if (!status && strcmp(seed, mine)) status = nigh_fail(t->ctx, NIGH_FORMAT, "'%s' is of seed %s, this training has %s", name, seed, mine);
    nj_free(&root);
    return status;
}

static nigh_status check_parts(nigh_training *t, const nigh_bundle *bundle, const char *name, const part *list, int n)
{
    for (int i = 0; i < n; i++) {
        const nigh_array *array = nigh_bundle_find(bundle, list[i].name);
        if (!array && list[i].there) continue;
        if (!array || array->shape.dtype != list[i].dtype || array->shape.ndim != 1 || array->shape.dim[0] != list[i].count)
            return nigh_fail(t->ctx, NIGH_FORMAT, "'%s': array '%s' is missing, or is not %lld numbers of type %s", name, list[i].name, (long long)list[i].count,
                             nigh_dtype_name(list[i].dtype));
    }
    const int64_t *counter = nigh_bundle_find(bundle, "counters")->data;
    for (int64_t i = 0; i < list[0].count; i++)
        if (counter[i] < 0 || counter[i] > INT64_MAX / 2) return nigh_fail(t->ctx, NIGH_FORMAT, "'%s': counter %lld is %lld", name, (long long)i, (long long)counter[i]);
    const nigh_array *log = nigh_bundle_find(bundle, "log");
    if (log && (log->shape.dtype != NIGH_F64 || log->shape.ndim != 2 || log->shape.dim[1] != ROW_NUMBERS))
        return nigh_fail(t->ctx, NIGH_FORMAT, "'%s': the log is no table of %d columns of f64", name, (int)ROW_NUMBERS);
    return NIGH_OK;
}

static nigh_status take_bundle(nigh_training *t, const nigh_bundle *bundle, const char *name)
{
    part list[MOST_PARTS];
    int n = list_parts(t, list);
    nigh_status status = check_metadata(t, bundle, name);
    if (!status) status = check_parts(t, bundle, name, list, n);
    const nigh_array *log = nigh_bundle_find(bundle, "log");
    if (!status && log) status = train_log_reserve(t, log->shape.dim[0]);
    if (!status) status = nigh_parameters_load(t->parameters, "parameters/", bundle);
    if (!status) status = batches_load(t->main.batches, "batches.", bundle);
    if (status) return status;
    for (int i = 0; i < n; i++) {
        const nigh_array *array = nigh_bundle_find(bundle, list[i].name);
        if (list[i].there) *list[i].there = array != NULL;
        if (array) memcpy(list[i].data, array->data, (size_t)list[i].count * nigh_dtype_size(list[i].dtype));
    }
    t->rows = log ? log->shape.dim[0] : 0;
    if (t->rows) memcpy(t->row, log->data, (size_t)t->rows * sizeof *t->row);
    t->prepared = false;
    return NIGH_OK;
}

nigh_status nigh_training_parse(nigh_training *t, const void *bytes, size_t size, const char *name)
{
    nigh_bundle bundle = {.ctx = t->ctx};
    nigh_status status = nigh_safetensors_parse(t->ctx, bytes, size, name, &bundle);
    if (!status) status = take_bundle(t, &bundle, name);
    nigh_bundle_free(&bundle);
    return status;
}

nigh_status nigh_training_load(nigh_training *t, const char *path)
{
    nigh_bundle bundle = {.ctx = t->ctx};
    nigh_status status = nigh_safetensors_read(t->ctx, path, &bundle);
    if (!status) status = take_bundle(t, &bundle, path);
    nigh_bundle_free(&bundle);
    return status;
}
