/*
 * Plan files: safetensors whose metadata names format, method, settings and shapes and carries the record (JSON) and
 * a SHA-256 over all of it. Loading runs nothing. Declared in nigh/plan.h.
 */
#include "plan/planfile.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "nigh-plan 1"

enum { MOST_DIMS = NIGH_MAX_DIMS - 1 }; /* of a sample: an array of samples has one more */

struct nigh_planfile {
    nigh_context *ctx;
    const char *path;
    nigh_bundle bundle;
    json_t *texts; /* key -> text */
    nigh_settings settings;
    nigh_shape in, out;
};

static void planfile_close(nigh_planfile *file)
{
    nigh_bundle_free(&file->bundle);
    json_decref(file->texts);
}

/* ---- what methods call ---- */

nigh_status nigh_planfile_put(nigh_planfile *file, const char *name, const nigh_shape *shape, const void *data)
{
    return nigh_bundle_add(&file->bundle, name, &(nigh_array){*shape, (void *)data});
}

static bool all_finite(const nigh_array *array)
{
    if (array->shape.dtype != NIGH_F64 && array->shape.dtype != NIGH_F32) return true;
    int64_t count = nigh_shape_count(&array->shape);
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(nigh_array_get(array, i))) return false;
    return true;
}

nigh_status nigh_planfile_get(nigh_planfile *file, const char *name, nigh_dtype dtype, int ndim, int64_t *dim, const void **data)
{
    nigh_context *ctx = file->ctx;
    const nigh_array *array = nigh_bundle_find(&file->bundle, name);
    if (!array) return nigh_fail(ctx, NIGH_FORMAT, "%s: array '%s' is missing", file->path, name);
    if (array->shape.dtype != dtype)
        return nigh_fail(ctx, NIGH_FORMAT, "%s: array '%s' is %s; %s is needed", file->path, name, nigh_dtype_name(array->shape.dtype),
                         nigh_dtype_name(dtype));
    if (array->shape.ndim != ndim)
        return nigh_fail(ctx, NIGH_FORMAT, "%s: array '%s' has %d dimensions; %d are needed", file->path, name, array->shape.ndim, ndim);
    for (int i = 0; i < ndim; i++) {
        if (dim[i] >= 0 && dim[i] != array->shape.dim[i])
            return nigh_fail(ctx, NIGH_FORMAT, "%s: dimension %d of array '%s' is %lld; %lld is needed", file->path, i, name,
                             (long long)array->shape.dim[i], (long long)dim[i]);
    }
    if (!all_finite(array)) return nigh_fail(ctx, NIGH_FORMAT, "%s: array '%s' has a number that is not finite", file->path, name);
    for (int i = 0; i < ndim; i++) dim[i] = array->shape.dim[i];
    *data = array->data;
    return NIGH_OK;
}

static nigh_status put_text(nigh_planfile *file, const char *key, const char *text)
{
    if (json_object_set_new(file->texts, key, json_string(text)))
        return nigh_fail(file->ctx, NIGH_INVALID, "text '%s' of the plan is not UTF-8", key);
    return NIGH_OK;
}

static nigh_status get_text(nigh_planfile *file, const char *key, const char **text)
{
    *text = json_string_value(json_object_get(file->texts, key));
    return *text ? NIGH_OK : nigh_fail(file->ctx, NIGH_FORMAT, "%s: '%s' is missing in its metadata", file->path, key);
}

nigh_status nigh_planfile_put_text(nigh_planfile *file, const char *key, const char *text)
{
    char own[96]; /* a method's keys cannot meet those of the frame */
    snprintf(own, sizeof own, "method.%s", key);
    return put_text(file, own, text);
}

nigh_status nigh_planfile_get_text(nigh_planfile *file, const char *key, const char **text)
{
    char own[96];
    snprintf(own, sizeof own, "method.%s", key);
    return get_text(file, own, text);
}

const nigh_settings *nigh_planfile_settings(const nigh_planfile *file) { return &file->settings; }
const nigh_shape *nigh_planfile_in(const nigh_planfile *file) { return &file->in; }
const nigh_shape *nigh_planfile_out(const nigh_planfile *file) { return &file->out; }

/* ---- the frame ---- */

static void shape_print(const nigh_shape *shape, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s[", nigh_dtype_name(shape->dtype));
    for (int i = 0; i < shape->ndim && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)shape->dim[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

static nigh_status shape_parse(nigh_planfile *file, const char *key, nigh_shape *shape)
{
    const char *text;
    nigh_status status = get_text(file, key, &text);
    if (status) return status;
    size_t name = strcspn(text, "[");
    *shape = (nigh_shape){0};
    bool known = false;
    for (nigh_dtype type = NIGH_F64; type <= NIGH_C128 && !known; type++)
        if (strlen(nigh_dtype_name(type)) == name && strncmp(text, nigh_dtype_name(type), name) == 0) shape->dtype = type, known = true;
    const char *p = text + name;
    bool right = known && *p == '[';
    for (p++; right && *p != ']';) {
        char *end;
        long long dim = strtoll(p, &end, 10);
        right = end != p && dim >= 1 && shape->ndim < MOST_DIMS && (*end == ',' || *end == ']');
        if (right) shape->dim[shape->ndim++] = dim;
        p = *end == ',' ? end + 1 : end;
    }
    if (!right || nigh_shape_count(shape) < 0 || nigh_shape_count(shape) > 1LL << 40)
        return nigh_fail(file->ctx, NIGH_FORMAT, "%s: '%s' in its metadata is '%.60s', which is no shape such as f64[3,4]", file->path,
                         key, text);
    return NIGH_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const nigh_named_array *)a)->name, ((const nigh_named_array *)b)->name);
}

/* Over texts (but the hash itself) and arrays, each in the order of its names. */
static nigh_status content_hash(nigh_planfile *file, char hex[65])
{
    nigh_sha256 hash;
    nigh_sha256_init(&hash);
    json_object_del(file->texts, "sha256");
    char *texts = json_dumps(file->texts, JSON_SORT_KEYS | JSON_COMPACT);
    if (!texts) return nigh_fail(file->ctx, NIGH_MEMORY, "out of memory for the plan's metadata");
    nigh_sha256_text(&hash, texts);
    free(texts);
    qsort(file->bundle.items, (size_t)file->bundle.count, sizeof *file->bundle.items, by_name);
    for (int64_t i = 0; i < file->bundle.count; i++) {
        const nigh_named_array *item = &file->bundle.items[i];
        char shape[256];
        shape_print(&item->array.shape, shape, sizeof shape);
        nigh_sha256_text(&hash, item->name);
        nigh_sha256_text(&hash, shape);
        nigh_sha256_add(&hash, item->array.data,
                        (size_t)nigh_shape_count(&item->array.shape) * nigh_dtype_size(item->array.shape.dtype));
    }
    nigh_sha256_hex(&hash, hex);
    return NIGH_OK;
}

static nigh_status save_frame(nigh_planfile *file, const nigh_plan *plan)
{
    nigh_context *ctx = file->ctx;
    char in[256], out[256];
    nigh_buffer settings = {.ctx = ctx};
    shape_print(&plan->in, in, sizeof in);
    shape_print(&plan->out, out, sizeof out);
    nigh_status status = nigh_settings_print(plan->method, &plan->settings, &settings);
    if (!status) status = put_text(file, "format", FORMAT);
    if (!status) status = put_text(file, "nigh", nigh_version());
    if (!status) status = put_text(file, "kind", plan->method->problem);
    if (!status) status = put_text(file, "method", plan->method->name);
    if (!status) status = put_text(file, "settings", settings.data ? settings.data : "");
    if (!status) status = put_text(file, "in", in);
    if (!status) status = put_text(file, "out", out);
    if (!status) status = put_text(file, "record", plan->record);
    if (!status && plan->low) {
        nigh_shape box = {NIGH_F64, 1, {nigh_shape_count(&plan->in)}};
        status = nigh_planfile_put(file, "box.low", &box, plan->low);
        if (!status) status = nigh_planfile_put(file, "box.high", &box, plan->high);
    }
    if (!status) status = nigh_planfile_put(file, "work", &(nigh_shape){NIGH_F64, 1, {3}}, (double[]){plan->work.flops, plan->work.bytes, plan->bytes});
    nigh_buffer_free(&settings);
    return status;
}

/* Hash and metadata, the last step before a bundle is written. */
static nigh_status seal(nigh_planfile *file)
{
    nigh_context *ctx = file->ctx;
    char hex[65];
    nigh_status status = content_hash(file, hex);
    if (!status) status = put_text(file, "sha256", hex);
    char *metadata = status ? NULL : json_dumps(file->texts, JSON_SORT_KEYS);
    if (!status && !metadata) status = nigh_fail(ctx, NIGH_MEMORY, "out of memory for a plan file");
    nigh_free(ctx, file->bundle.metadata);
    file->bundle.metadata = metadata ? nigh_strdup(ctx, metadata) : NULL;
    if (!status && !file->bundle.metadata) status = NIGH_MEMORY;
    free(metadata);
    return status;
}

nigh_status planfile_seal(nigh_context *ctx, nigh_bundle *bundle)
{
    json_error_t error;
    nigh_planfile file = {.ctx = ctx, .path = "bundle", .bundle = *bundle, .texts = json_loads(bundle->metadata ? bundle->metadata : "", 0, &error)};
    nigh_status status = json_is_object(file.texts) ? seal(&file) : nigh_fail(ctx, NIGH_FORMAT, "the bundle has no metadata");
    *bundle = file.bundle;
    json_decref(file.texts);
    return status;
}

/* All of a plan as a sealed bundle. */
static nigh_status collect(nigh_planfile *file, const nigh_plan *plan)
{
    nigh_context *ctx = file->ctx;
    if (!plan->ops->save) return nigh_fail(ctx, NIGH_UNSUPPORTED, "plans of method %s cannot be saved", plan->method->name);
    file->texts = json_object();
    nigh_status status = file->texts ? save_frame(file, plan) : nigh_fail(ctx, NIGH_MEMORY, "out of memory for a plan file");
    if (!status) status = plan->ops->save(ctx, plan, file);
    return status ? status : seal(file);
}

nigh_status nigh_plan_save(nigh_context *ctx, const nigh_plan *plan, const char *path)
{
    nigh_planfile file = {.ctx = ctx, .path = path, .bundle = {.ctx = ctx}};
    nigh_status status = collect(&file, plan);
    if (!status) status = nigh_safetensors_write(ctx, path, &file.bundle);
    planfile_close(&file);
    return status;
}

nigh_status nigh_plan_format(nigh_context *ctx, const nigh_plan *plan, nigh_buffer *bytes)
{
    nigh_planfile file = {.ctx = ctx, .path = "plan", .bundle = {.ctx = ctx}};
    nigh_status status = collect(&file, plan);
    if (!status) status = nigh_safetensors_format(ctx, &file.bundle, bytes);
    planfile_close(&file);
    return status;
}

static nigh_status load_box(nigh_planfile *file, nigh_plan *plan)
{
    int64_t width = nigh_shape_count(&file->in);
    const void *low, *high, *work;
    nigh_status status = nigh_planfile_get(file, "work", NIGH_F64, 1, (int64_t[]){3}, &work);
    if (status) return status;
    for (int i = 0; i < 3; i++)
        if (((const double *)work)[i] < 0)
            return nigh_fail(file->ctx, NIGH_FORMAT, "%s: array 'work' has %g; counts below 0 do not exist", file->path, ((const double *)work)[i]);
    plan->work = (nigh_work){((const double *)work)[0], ((const double *)work)[1], 0};
    plan->bytes = ((const double *)work)[2];
    if (!nigh_bundle_find(&file->bundle, "box.low")) return NIGH_OK;
    status = nigh_planfile_get(file, "box.low", NIGH_F64, 1, (int64_t[]){width}, &low);
    if (!status) status = nigh_planfile_get(file, "box.high", NIGH_F64, 1, (int64_t[]){width}, &high);
    for (int64_t i = 0; i < width && !status; i++)
        if (((const double *)low)[i] > ((const double *)high)[i])
            status = nigh_fail(file->ctx, NIGH_FORMAT, "%s: the box of input number %lld is upside down: %g to %g", file->path, (long long)i,
                               ((const double *)low)[i], ((const double *)high)[i]);
    if (status) return status;
    double *box = nigh_arena_alloc(plan->arena, 2 * (size_t)width * sizeof *box);
    if (!box) return NIGH_MEMORY;
    plan->low = memcpy(box, low, (size_t)width * sizeof *box);
    plan->high = memcpy(box + width, high, (size_t)width * sizeof *box);
    return NIGH_OK;
}

static nigh_status check_frame(nigh_planfile *file, const nigh_method **method)
{
    nigh_context *ctx = file->ctx;
    const char *format, *kind, *name, *settings, *stored;
    char own[65], said[65];
    nigh_status status = get_text(file, "format", &format);
    if (status) return nigh_fail(ctx, NIGH_FORMAT, "%s is no plan file (its metadata has no 'format')", file->path);
    if (strcmp(format, FORMAT) != 0)
        return nigh_fail(ctx, NIGH_FORMAT, "%s has format '%.40s'; this nigh reads '%s'", file->path, format, FORMAT);
    if ((status = get_text(file, "sha256", &stored))) return status;
    snprintf(said, sizeof said, "%s", stored);
    if ((status = content_hash(file, own))) return status;
    if (strcmp(own, said) != 0) return nigh_fail(ctx, NIGH_FORMAT, "%s is damaged: its contents do not match its SHA-256", file->path);
    if ((status = get_text(file, "kind", &kind)) || (status = get_text(file, "method", &name)) ||
        (status = get_text(file, "settings", &settings)) || (status = shape_parse(file, "in", &file->in)) ||
        (status = shape_parse(file, "out", &file->out)))
        return status;
    if ((status = nigh_method_find(ctx, kind, name, method))) return nigh_within(ctx, NIGH_FORMAT, "%s", file->path);
    if (!(*method)->load) return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s: plans of method %s cannot be loaded", file->path, name);
    file->settings = nigh_settings_default(*method);
    if ((status = nigh_settings_parse(ctx, *method, settings, &file->settings))) return nigh_within(ctx, NIGH_FORMAT, "%s", file->path);
    return NIGH_OK;
}

static nigh_status load_from(nigh_planfile *file, nigh_plan **out)
{
    nigh_context *ctx = file->ctx;
    nigh_plan *plan = NULL;
    const nigh_method *method;
    const char *record;
    json_error_t error;
    file->texts = json_loads(file->bundle.metadata ? file->bundle.metadata : "", JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(file->texts)) return nigh_fail(ctx, NIGH_FORMAT, "%s is no plan file (it has no metadata)", file->path);
    nigh_status status = check_frame(file, &method);
    if (!status && (status = method->load(ctx, method, file, &plan)) && status != NIGH_MEMORY && !strstr(nigh_message(ctx), file->path))
        status = nigh_within(ctx, status, "%s", file->path); /* methods do not know the name of their file */
    if (!status) status = load_box(file, plan);
    if (!status) status = get_text(file, "record", &record);
    if (!status && !(plan->record = nigh_arena_strdup(plan->arena, record))) status = NIGH_MEMORY;
    if (status)
        nigh_plan_free(ctx, plan);
    else
        *out = plan;
    return status;
}

nigh_status nigh_plan_load(nigh_context *ctx, const char *path, nigh_plan **plan)
{
    nigh_planfile file = {.ctx = ctx, .path = path, .bundle = {.ctx = ctx}};
    nigh_status status = nigh_safetensors_read(ctx, path, &file.bundle);
    if (!status) status = load_from(&file, plan);
    planfile_close(&file);
    return status;
}

nigh_status nigh_plan_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_plan **plan)
{
    nigh_planfile file = {.ctx = ctx, .path = name, .bundle = {.ctx = ctx}};
    nigh_status status = nigh_safetensors_parse(ctx, bytes, size, name, &file.bundle);
    if (!status) status = load_from(&file, plan);
    planfile_close(&file);
    return status;
}
