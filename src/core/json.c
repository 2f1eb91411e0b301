/* JSON helpers over Jansson. Declared in core/json.h. */
#include "core/json.h"

#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- reading ---- */

/* Jansson recurses per level; its own cap is 2048, ours is far lower, so count brackets outside strings first. */
static bool too_deep(const char *text, size_t size)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > NJ_DEPTH_MAX) return true;
        } else if ((c == ']' || c == '}') && depth) {
            depth--;
        }
    }
    return false;
}

nigh_status nj_parse(nigh_context *ctx, const char *file, const char *text, size_t size, nj *root)
{
    if (too_deep(text, size))
        return nigh_fail(ctx, NIGH_FORMAT, "%s: the JSON is nested more than %d levels deep", file, NJ_DEPTH_MAX);
    json_error_t error;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json && json_error_code(&error) == json_error_out_of_memory)
        return nigh_fail(ctx, NIGH_MEMORY, "%s: out of memory for %zu bytes of JSON", file, size);
    if (!json) return nigh_fail(ctx, NIGH_FORMAT, "%s: line %d, column %d: %s", file, error.line, error.column, error.text);
    *root = (nj){.ctx = ctx, .json = json, .file = file};
    return NIGH_OK;
}

nigh_status nj_load(nigh_context *ctx, const char *path, size_t cap, nj *root)
{
    char *text;
    size_t size;
    nigh_status status = nigh_file_read(ctx, path, cap, &text, &size);
    if (status) return status;
    status = nj_parse(ctx, path, text, size, root);
    nigh_free(ctx, text);
    return status;
}

void nj_free(nj *root)
{
    json_decref(root->json);
    root->json = NULL;
}

/* Path of a member ("a.b") or an element ("a[3]") into room. */
static void path_below(char room[NJ_PATH_ROOM], const nj *node, const char *key, size_t index)
{
    int used = key ? snprintf(room, NJ_PATH_ROOM, "%s%s%s", node->path, node->path[0] ? "." : "", key)
                   : snprintf(room, NJ_PATH_ROOM, "%s[%zu]", node->path, index);
    if (used >= NJ_PATH_ROOM) memcpy(room + NJ_PATH_ROOM - 3, "..", 3);
}

nigh_status nj_fail(const nj *node, nigh_status status, const char *key, const char *format, ...)
{
    char text[1024], path[NJ_PATH_ROOM];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (key)
        path_below(path, node, key, 0);
    else
        snprintf(path, sizeof path, "%s", node->path[0] ? node->path : "the whole value");
    return nigh_fail(node->ctx, status, "%s: %s %s", node->file, path, text);
}

static const char *type_name(json_type type)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a text",  [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a number",    [JSON_TRUE] = "true",      [JSON_FALSE] = "false",    [JSON_NULL] = "null",
    };
    return names[type];
}

/* What a value is, short enough for a message: "the text 'abc'", "3", "an array". */
static const char *show(const json_t *json, char room[80])
{
    switch (json_typeof(json)) {
    case JSON_STRING: {
        const char *text = json_string_value(json);
        int shown = (int)strlen(text);
        if (shown > 40)
            for (shown = 40; shown && ((unsigned char)text[shown] & 0xc0) == 0x80;) shown--; /* whole characters only */
        snprintf(room, 80, "the text '%.*s%s'", shown, text, text[shown] ? ".." : "");
        break;
    }
    case JSON_INTEGER: snprintf(room, 80, "%lld", (long long)json_integer_value(json)); break;
    case JSON_REAL: snprintf(room, 80, "%.10g", json_real_value(json)); break;
    default: snprintf(room, 80, "%s", type_name(json_typeof(json)));
    }
    return room;
}

bool nj_has(const nj *object, const char *key) { return json_object_get(object->json, key) != NULL; }

/* The member or element as a node; its type is checked by the caller. */
static nigh_status find(const nj *node, const char *key, size_t index, nj *child)
{
    char room[80];
    json_type need = key ? JSON_OBJECT : JSON_ARRAY;
    if (json_typeof(node->json) != need)
        return nj_fail(node, NIGH_FORMAT, NULL, "is %s; %s is needed", show(node->json, room), type_name(need));
    json_t *json = key ? json_object_get(node->json, key) : json_array_get(node->json, index);
    nj found = {.ctx = node->ctx, .json = json, .file = node->file};
    path_below(found.path, node, key, index);
    if (!json) return nj_fail(&found, NIGH_FORMAT, NULL, "is missing");
    *child = found;
    return NIGH_OK;
}

static nigh_status of_type(const nj *node, json_type type)
{
    char room[80];
    if (json_typeof(node->json) == type) return NIGH_OK;
    return nj_fail(node, NIGH_FORMAT, NULL, "is %s; %s is needed", show(node->json, room), type_name(type));
}

static nigh_status as_real(const nj *node, double low, double high, double *value)
{
    double x;
    char room[80];
    const char *text = json_string_value(node->json);
    if (json_is_number(node->json))
        x = json_number_value(node->json);
    else if (text && strcmp(text, "inf") == 0)
        x = INFINITY;
    else if (text && strcmp(text, "-inf") == 0)
        x = -INFINITY;
    else if (text && strcmp(text, "nan") == 0)
        x = NAN;
    else
        return nj_fail(node, NIGH_FORMAT, NULL, "is %s; a number from %g to %g is needed", show(node->json, room), low, high);
    bool allowed = isnan(x) ? low == -INFINITY && high == INFINITY : x >= low && x <= high;
    if (!allowed) return nj_fail(node, NIGH_FORMAT, NULL, "is %.10g; %.10g to %.10g is allowed", x, low, high);
    *value = x;
    return NIGH_OK;
}

static nigh_status as_int(const nj *node, int64_t low, int64_t high, int64_t *value)
{
    nigh_status status = of_type(node, JSON_INTEGER);
    if (status) return status;
    int64_t x = json_integer_value(node->json);
    if (x < low || x > high)
        return nj_fail(node, NIGH_FORMAT, NULL, "is %lld; %lld to %lld is allowed", (long long)x, (long long)low, (long long)high);
    *value = x;
    return NIGH_OK;
}

nigh_status nj_get_real(const nj *object, const char *key, double low, double high, double *value)
{
    nj child;
    nigh_status status = find(object, key, 0, &child);
    return status ? status : as_real(&child, low, high, value);
}

nigh_status nj_get_int(const nj *object, const char *key, int64_t low, int64_t high, int64_t *value)
{
    nj child;
    nigh_status status = find(object, key, 0, &child);
    return status ? status : as_int(&child, low, high, value);
}

nigh_status nj_get_bool(const nj *object, const char *key, bool *value)
{
    nj child;
    char room[80];
    nigh_status status = find(object, key, 0, &child);
    if (status) return status;
    if (!json_is_boolean(child.json)) return nj_fail(&child, NIGH_FORMAT, NULL, "is %s; true or false is needed", show(child.json, room));
    *value = json_is_true(child.json);
    return NIGH_OK;
}

nigh_status nj_get_text(const nj *object, const char *key, const char **value)
{
    nj child;
    nigh_status status = find(object, key, 0, &child);
    if (!status) status = of_type(&child, JSON_STRING);
    if (!status) *value = json_string_value(child.json);
    return status;
}

nigh_status nj_get_object(const nj *object, const char *key, nj *child)
{
    nj found;
    nigh_status status = find(object, key, 0, &found);
    if (!status) status = of_type(&found, JSON_OBJECT);
    if (!status) *child = found;
    return status;
}

nigh_status nj_get_array(const nj *object, const char *key, nj *child, size_t *count)
{
    nj found;
    nigh_status status = find(object, key, 0, &found);
    if (!status) status = of_type(&found, JSON_ARRAY);
    if (status) return status;
    *child = found;
    *count = json_array_size(found.json);
    return NIGH_OK;
}

nigh_status nj_get_choice(const nj *object, const char *key, const char *const *names, int *index)
{
    const char *text;
    nigh_status status = nj_get_text(object, key, &text);
    if (status) return status;
    char allowed[512] = "";
    size_t used = 0;
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *index = i;
            return NIGH_OK;
        }
        int more = snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "", names[i]);
        if (more > 0 && used + (size_t)more < sizeof allowed) used += (size_t)more;
    }
    return nj_fail(object, NIGH_FORMAT, key, "is '%.80s'; allowed: %s", text, allowed);
}

nigh_status nj_at(const nj *array, size_t i, json_type type, nj *child)
{
    nj found;
    nigh_status status = find(array, NULL, i, &found);
    if (!status) status = of_type(&found, type);
    if (!status) *child = found;
    return status;
}

nigh_status nj_at_real(const nj *array, size_t i, double low, double high, double *value)
{
    nj found;
    nigh_status status = find(array, NULL, i, &found);
    return status ? status : as_real(&found, low, high, value);
}

nigh_status nj_at_int(const nj *array, size_t i, int64_t low, int64_t high, int64_t *value)
{
    nj found;
    nigh_status status = find(array, NULL, i, &found);
    return status ? status : as_int(&found, low, high, value);
}

nigh_status nj_only(const nj *object, const char *const *keys)
{
    nigh_status status = of_type(object, JSON_OBJECT);
    if (status) return status;
    const char *key;
    json_t *value;
    json_object_foreach(object->json, key, value) {
        int i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0) i++;
        if (!keys[i]) return nj_fail(object, NIGH_FORMAT, key, "is not known here");
    }
    return NIGH_OK;
}

/* ---- building ---- */

static nigh_status no_memory(nigh_context *ctx) { return nigh_fail(ctx, NIGH_MEMORY, "out of memory while building JSON"); }

nigh_status nj_set(nigh_context *ctx, json_t *object, const char *key, json_t *value)
{
    return value && json_object_set_new(object, key, value) == 0 ? NIGH_OK : no_memory(ctx);
}

static json_t *real(double value)
{
    if (isnan(value)) return json_string("nan");
    if (isinf(value)) return json_string(value > 0 ? "inf" : "-inf");
    return json_real(value);
}

nigh_status nj_set_real(nigh_context *ctx, json_t *object, const char *key, double value)
{
    return nj_set(ctx, object, key, real(value));
}

nigh_status nj_set_int(nigh_context *ctx, json_t *object, const char *key, int64_t value)
{
    return nj_set(ctx, object, key, json_integer(value));
}

nigh_status nj_set_text(nigh_context *ctx, json_t *object, const char *key, const char *value)
{
    json_t *text = json_string(value);
    if (text) return nj_set(ctx, object, key, text);
    text = json_string_nocheck(value); /* tells bad UTF-8 from lack of memory */
    if (!text) return no_memory(ctx);
    json_decref(text);
    return nigh_fail(ctx, NIGH_INVALID, "%s: the text is not valid UTF-8", key);
}

nigh_status nj_set_bool(nigh_context *ctx, json_t *object, const char *key, bool value)
{
    return nj_set(ctx, object, key, json_boolean(value));
}

nigh_status nj_add_real(nigh_context *ctx, json_t *array, double value)
{
    json_t *number = real(value);
    return number && json_array_append_new(array, number) == 0 ? NIGH_OK : no_memory(ctx);
}

/* Jansson does not look at what the callback returns for the key of an object: a failure is kept here. */
typedef struct dump_sink {
    nigh_buffer *text;
    bool failed;
} dump_sink;

static int append(const char *bytes, size_t size, void *user)
{
    dump_sink *sink = user;
    sink->failed = sink->failed || nigh_buffer_add(sink->text, bytes, size) != NIGH_OK;
    return sink->failed ? -1 : 0;
}

nigh_status nj_dump(nigh_context *ctx, const json_t *json, unsigned flags, nigh_buffer *text)
{
    size_t options = JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    options |= flags & NJ_SORTED ? JSON_SORT_KEYS : JSON_PRESERVE_ORDER;
    options |= flags & NJ_INDENTED ? JSON_INDENT(2) : JSON_COMPACT;
    dump_sink sink = {text, false};
    return json_dump_callback(json, append, &sink, options) == 0 && !sink.failed ? NIGH_OK : no_memory(ctx);
}
