/* JSON schemas as JSON: references, copies, what holds when two hold, what cannot hold together. Declared in lm/constraint_schema.h. */
#include "lm/constraint_schema.h"

#include <stdio.h>
#include <string.h>

bool schema_note(const char *key)
{
    static const char *const notes[] = {"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
                                        "contentEncoding", "contentMediaType", "contentSchema"};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (strcmp(key, notes[i]) == 0) return true;
    return strncmp(key, "x-", 2) == 0;
}

json_t *schema_keep(schema *s, json_t *made)
{
    if (s->status) return json_decref(made), NULL;
    if (json_array_size(s->made) > 200000) return json_decref(made), schema_fail(s, NIGH_RESOURCE, "too many parts (does allOf lead back to itself?)");
    if (json_array_append_new(s->made, made)) s->status = nigh_fail(s->ctx, NIGH_MEMORY, "out of memory");
    return s->status ? NULL : made;
}

static void copied(schema *s, int failure)
{
    if (failure && !s->status) s->status = nigh_fail(s->ctx, NIGH_MEMORY, "out of memory");
}

json_t *schema_follow(schema *s, const char *reference)
{
    if (reference[0] != '#' || (reference[1] && reference[1] != '/'))
        return schema_fail(s, NIGH_UNSUPPORTED, "the reference '%.100s' is not supported (those that begin with #/ are)", reference);
    json_t *at = s->root;
    for (const char *part = reference + 1; *part == '/' && at;) {
        char name[256];
        size_t size = 0;
        for (part++; *part && *part != '/' && size + 1 < sizeof name; part++) {
            char c = *part;
            if (c == '~' && (part[1] == '0' || part[1] == '1')) c = *++part == '0' ? '~' : '/';
            name[size++] = c;
        }
        name[size] = 0;
        if (json_is_object(at)) {
            at = json_object_get(at, name);
        } else if (json_is_array(at)) {
            size_t index = 0, i = 0;
            for (; i < size && name[i] >= '0' && name[i] <= '9' && index < 1000000; i++) index = 10 * index + (size_t)(name[i] - '0');
            at = size && i == size ? json_array_get(at, index) : NULL;
        } else {
            at = NULL;
        }
    }
    return at ? at : schema_fail(s, NIGH_FORMAT, "the reference '%.100s' leads nowhere", reference);
}

json_t *schema_without(schema *s, const json_t *json, const char *without)
{
    json_t *copy = schema_keep(s, json_object());
    const char *key;
    json_t *value;
    if (copy) json_object_foreach((json_t *)json, key, value)
        if (strcmp(key, without) != 0 && !schema_note(key)) copied(s, json_object_set(copy, key, value));
    return s->status ? NULL : copy;
}

int64_t schema_count(schema *s, const json_t *json, const char *key, int64_t usual)
{
    json_t *value = json_object_get(json, key);
    if (!value) return usual;
    double real = json_is_number(value) ? json_number_value(value) : -1;
    if (!(real >= 0) || real != (double)(int64_t)real || real > 1e15) return schema_fail(s, NIGH_FORMAT, "%s is no whole number from 0 to 1e15", key), usual;
    return (int64_t)real;
}

/* ---- types ---- */

static unsigned type_named(schema *s, const json_t *name)
{
    static const char *const names[] = {"null", "boolean", "object", "array", "string", "number", "integer"};
    for (unsigned i = 0; json_is_string(name) && i < 7; i++)
        if (strcmp(json_string_value(name), names[i]) == 0) return 1u << i;
    schema_fail(s, NIGH_FORMAT, "type is '%.40s'; null, boolean, object, array, string, number and integer are allowed", json_is_string(name) ? json_string_value(name) : "no text");
    return 0;
}

unsigned schema_types(schema *s, const json_t *json)
{
    json_t *type = json_object_get(json, "type"), *item;
    if (!type) return TYPE_ALL | TYPE_INTEGER;
    if (!json_is_array(type)) return type_named(s, type);
    unsigned types = 0;
    size_t i;
    json_array_foreach(type, i, item) types |= type_named(s, item);
    return types;
}

static json_t *types_both(schema *s, const json_t *a, const json_t *b)
{
    static const char *const names[] = {"null", "boolean", "object", "array", "string", "number", "integer"};
    unsigned x = schema_types(s, a), y = schema_types(s, b), both = x & y;
    if ((x & TYPE_INTEGER && y & TYPE_NUMBER) || (y & TYPE_INTEGER && x & TYPE_NUMBER)) both |= TYPE_INTEGER;
    json_t *list = schema_keep(s, json_array());
    for (unsigned i = 0; list && i < 7; i++)
        if (both >> i & 1) copied(s, json_array_append_new(list, json_string(names[i])));
    return list;
}

/* ---- both ---- */

static json_t *all_of(schema *s, json_t *a, json_t *b)
{
    if (a == b || json_equal(a, b)) return a;
    json_t *list = json_array(), *both = schema_keep(s, json_object());
    if (!both) return json_decref(list), NULL;
    copied(s, json_array_append(list, a) || json_array_append(list, b));
    copied(s, json_object_set_new(both, "allOf", list));
    return s->status ? NULL : both;
}

/* A property that only one side names also obeys the other side's additionalProperties. */
static json_t *properties_both(schema *s, json_t *a, json_t *b)
{
    json_t *sides[2] = {a, b}, *all = schema_keep(s, json_object());
    for (int i = 0; all && i < 2; i++) {
        json_t *mine = json_object_get(sides[i], "properties"), *theirs = json_object_get(sides[!i], "properties"), *rest = json_object_get(sides[!i], "additionalProperties"), *value;
        const char *key;
        json_object_foreach(mine, key, value) {
            json_t *other = json_object_get(theirs, key);
            if (other && i) continue;
            if (!other) other = rest;
            json_t *both = other && !json_is_true(other) ? all_of(s, value, other) : value;
            if (both) copied(s, json_object_set(all, key, both));
        }
    }
    return s->status ? NULL : all;
}

static json_t *lists_joined(schema *s, const json_t *a, const json_t *b)
{
    json_t *list = schema_keep(s, json_array()), *item;
    size_t i;
    if (!list) return NULL;
    json_array_foreach(a, i, item) copied(s, json_array_append(list, item));
    json_array_foreach(b, i, item) copied(s, json_array_append(list, item));
    return s->status ? NULL : list;
}

static json_t *lists_shared(schema *s, const json_t *a, const json_t *b)
{
    json_t *list = schema_keep(s, json_array()), *x, *y;
    size_t i, k;
    json_array_foreach(a, i, x) json_array_foreach(b, k, y) if (list && json_equal(x, y)) {
        copied(s, json_array_append(list, x));
        break;
    }
    return s->status ? NULL : list;
}

/* Each alternative of one with each of the other. */
static json_t *alternatives_both(schema *s, const json_t *a, const json_t *b)
{
    json_t *list = schema_keep(s, json_array()), *x, *y;
    size_t i, k;
    if (json_array_size(a) * json_array_size(b) > 1000) return schema_fail(s, NIGH_RESOURCE, "anyOf beside anyOf makes more than 1000 alternatives");
    json_array_foreach(a, i, x) json_array_foreach(b, k, y) {
        json_t *both = list ? all_of(s, x, y) : NULL;
        if (both) copied(s, json_array_append(list, both));
    }
    return s->status ? NULL : list;
}

static json_t *numbers_both(json_t *a, json_t *b, bool larger)
{
    if (json_is_integer(a) && json_is_integer(b)) return (json_integer_value(a) > json_integer_value(b)) == larger ? a : b;
    return (json_number_value(a) > json_number_value(b)) == larger ? a : b;
}

static json_t *keyword_both(schema *s, const char *key, json_t *a, json_t *b)
{
    json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    if (strcmp(key, "properties") == 0) return properties_both(s, a, b);
    if (strcmp(key, "type") == 0) return types_both(s, a, b);
    if (strcmp(key, "required") == 0 || strcmp(key, "allOf") == 0) return lists_joined(s, x, y);
    if (json_equal(x, y)) return x;
    if (strcmp(key, "enum") == 0) return lists_shared(s, x, y);
    if (strcmp(key, "anyOf") == 0) return alternatives_both(s, x, y);
    if (strcmp(key, "additionalProperties") == 0 || strcmp(key, "items") == 0) {
        if (json_is_false(x) || json_is_true(y)) return x;
        return json_is_false(y) || json_is_true(x) ? y : all_of(s, x, y);
    }
    bool numbers = json_is_number(x) && json_is_number(y);
    static const char least[] = " minimum exclusiveMinimum minLength minItems minProperties ", most[] = " maximum exclusiveMaximum maxLength maxItems maxProperties ";
    char spaced[64];
    snprintf(spaced, sizeof spaced, " %.60s ", key);
    if (numbers && strstr(least, spaced)) return numbers_both(x, y, true);
    if (numbers && strstr(most, spaced)) return numbers_both(x, y, false);
    if (strcmp(key, "const") == 0) return schema_keep(s, json_object()); /* never asked for: see schema_merge */
    return schema_fail(s, NIGH_UNSUPPORTED, "two different '%.60s' that must both hold (allOf) are not supported", key);
}

json_t *schema_merge(schema *s, json_t *a, json_t *b)
{
    if (s->status) return NULL;
    if (json_is_true(a) || json_is_false(b)) return b;
    if (json_is_true(b) || json_is_false(a)) return a;
    if (!json_is_object(a) || !json_is_object(b)) return schema_fail(s, NIGH_FORMAT, "a part of allOf or anyOf is no schema");
    json_t *one = json_object_get(a, "const"), *other = json_object_get(b, "const");
    if (one && other && !json_equal(one, other)) return schema_keep(s, json_false());
    /* references stay one at a time: those of b are followed first */
    for (int turn = 0; json_object_get(a, "$ref") && json_object_get(b, "$ref"); turn++) {
        json_t *to = turn < 64 ? schema_follow(s, json_is_string(json_object_get(b, "$ref")) ? json_string_value(json_object_get(b, "$ref")) : "") : NULL;
        json_t *rest = to ? schema_without(s, b, "$ref") : NULL;
        if (!rest) return turn < 64 ? NULL : schema_fail(s, NIGH_RESOURCE, "more than 64 references one after the other");
        if (json_object_get(to, "$ref") && json_object_size(rest)) return schema_fail(s, NIGH_UNSUPPORTED, "a reference to a reference inside of allOf is not supported");
        b = json_object_size(rest) ? schema_merge(s, rest, to) : to;
        if (!json_is_object(b)) return json_is_true(b) ? a : b;
    }
    json_t *both = schema_without(s, a, ""), *value;
    const char *key;
    if (both) json_object_foreach(b, key, value) {
        if (schema_note(key)) continue;
        json_t *made = json_object_get(a, key) ? keyword_both(s, key, a, b) : value;
        if (made) copied(s, json_object_set(both, key, made));
    }
    /* a property of one side alone, where the other side says what further ones must be */
    if (both && (json_object_get(a, "properties") || json_object_get(b, "properties"))) {
        json_t *made = properties_both(s, a, b);
        if (made) copied(s, json_object_set(both, "properties", made));
    }
    return s->status ? NULL : both;
}

/* ---- apart ---- */

static unsigned constant_types(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL: return TYPE_NULL;
    case JSON_TRUE: case JSON_FALSE: return TYPE_BOOLEAN;
    case JSON_OBJECT: return TYPE_OBJECT;
    case JSON_ARRAY: return TYPE_ARRAY;
    case JSON_STRING: return TYPE_STRING;
    default: return TYPE_NUMBER;
    }
}

/* The values that a schema lists, or NULL. */
static json_t *listed(schema *s, json_t *json)
{
    json_t *list = json_object_get(json, "enum"), *one = json_object_get(json, "const");
    if (!one) return json_is_array(list) ? list : NULL;
    list = schema_keep(s, json_array());
    if (list) copied(s, json_array_append(list, one));
    return list;
}

static unsigned possible_types(schema *s, json_t *json)
{
    unsigned types = schema_types(s, json), seen = 0;
    if (types & TYPE_INTEGER) types |= TYPE_NUMBER;
    json_t *list = listed(s, json), *value;
    size_t i;
    json_array_foreach(list, i, value) seen |= constant_types(value);
    return (list ? types & seen : types) & TYPE_ALL;
}

static bool requires(const json_t *json, const char *key)
{
    json_t *value;
    size_t i;
    json_array_foreach(json_object_get(json, "required"), i, value) if (json_is_string(value) && strcmp(json_string_value(value), key) == 0) return true;
    return false;
}

bool schema_apart(schema *s, json_t *a, json_t *b, int depth)
{
    if (s->status || depth > 8) return false;
    if (json_is_false(a) || json_is_false(b)) return true;
    if (!json_is_object(a) || !json_is_object(b)) return false;
    json_t *pair[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        json_t *reference = json_object_get(pair[i], "$ref");
        json_t *to = json_is_string(reference) ? schema_follow(s, json_string_value(reference)) : NULL;
        if (to) return i ? schema_apart(s, a, to, depth + 1) : schema_apart(s, to, b, depth + 1);
    }
    unsigned shared = possible_types(s, a) & possible_types(s, b);
    if (!shared) return true;
    json_t *x = listed(s, a), *y = listed(s, b), *value;
    if (x && y) {
        json_t *both = lists_shared(s, x, y);
        return both && !json_array_size(both);
    }
    if (shared != TYPE_OBJECT) return false;
    const char *key;
    json_object_foreach(json_object_get(a, "properties"), key, value) {
        json_t *other = json_object_get(json_object_get(b, "properties"), key);
        bool in_a = requires(a, key), in_b = requires(b, key);
        if (other && in_a && in_b && schema_apart(s, value, other, depth + 1)) return true;
        if (!other && in_a && json_is_false(json_object_get(b, "additionalProperties"))) return true;
    }
    json_object_foreach(json_object_get(b, "properties"), key, value)
        if (!json_object_get(json_object_get(a, "properties"), key) && requires(b, key) && json_is_false(json_object_get(a, "additionalProperties"))) return true;
    return false;
}
