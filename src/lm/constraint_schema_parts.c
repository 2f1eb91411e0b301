/* Objects and arrays of JSON schemas. Declared in lm/constraint_schema.h. */
#include "lm/constraint_schema.h"

#include <stdio.h>
#include <string.h>

/* ---- objects ---- */

static bool is_required(const json_t *list, const char *key)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) if (json_is_string(item) && strcmp(json_string_value(item), key) == 0) return true;
    return false;
}

/* A rule of its own for "key": value, since it stands in two places of a list. */
static pattern *property(schema *s, const char *key, json_t *value, bool required)
{
    const char *path = nigh_arena_format(s->arena, "/properties/%.100s", key);
    if (!path) return schema_made(s, NULL);
    pattern *p = schema_row(s, 3, (pattern *[]){schema_quoted(s, key, strlen(key)), schema_colon(s), schema_call(s, value, path)});
    if (p) p->optional = !required;
    return p;
}

/* Keys other than those declared, in their usual spelling. */
static pattern *other_key(schema *s, const json_t *declared, const json_t *required)
{
    code_set all = {.ctx = s->ctx};
    automaton *any = NULL, *taken = NULL, *rest = NULL;
    pattern *letter = code_set_invert(&all) ? NULL : schema_made(s, pattern_json_set(s->arena, &all));
    code_set_free(&all);
    pattern *whole = schema_row(s, 3, (pattern *[]){schema_text(s, "\""), schema_repeat(s, letter, 0, -1), schema_text(s, "\"")});
    pattern *names = schema_made(s, pattern_new(s->arena, PATTERN_EITHER));
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)declared, key, value) names = pattern_add(names, schema_quoted(s, key, strlen(key)));
    json_array_foreach(required, i, value) names = pattern_add(names, schema_quoted(s, json_string_value(value), json_string_length(value)));
    if (!whole || !names) return schema_made(s, NULL);
    if (!s->status) s->status = automaton_from_pattern(s->ctx, whole, SCHEMA_STATES, &any);
    if (!s->status) s->status = automaton_from_pattern(s->ctx, names, SCHEMA_STATES, &taken);
    if (!s->status) s->status = automaton_product(any, taken, AUTOMATON_MINUS, SCHEMA_STATES, &rest);
    automaton_free(any), automaton_free(taken);
    return s->status ? NULL : schema_automaton(s, rest);
}

static pattern *braced(schema *s, const char *open, pattern *inside, const char *close)
{
    return schema_row(s, 3, (pattern *[]){schema_text(s, open), inside, schema_text(s, close)});
}

/* item (, item)* so often. A call is cheap to repeat. */
static pattern *counted(schema *s, pattern *(*item)(schema *s, void *user), void *user, int64_t low, int64_t high)
{
    if (high >= 0 && low > high) return schema_nothing(s, "the least number of elements is above the largest");
    if (high == 0) return schema_made(s, pattern_new(s->arena, PATTERN_EMPTY));
    pattern *more = schema_row(s, 2, (pattern *[]){schema_comma(s), item(s, user)});
    more = schema_repeat(s, more, low > 0 ? low - 1 : 0, high > 0 ? high - 1 : -1);
    pattern *all = schema_row(s, 2, (pattern *[]){item(s, user), more});
    return low > 0 ? all : schema_repeat(s, all, 0, 1);
}

typedef struct pair_of {
    pattern *key; /* an automaton */
    json_t *value;
} pair_of;

static pattern *extra_pair(schema *s, void *user)
{
    const pair_of *of = user;
    pattern *key = of->key ? schema_made(s, pattern_automaton(s->arena, of->key->automaton)) : schema_fixed(s, RULE_STRING);
    return schema_row(s, 3, (pattern *[]){key, schema_colon(s), schema_call(s, of->value, "/additionalProperties")});
}

static bool object_keywords(schema *s, json_t *properties, json_t *required, json_t *additional)
{
    size_t i;
    json_t *item;
    if (properties && !json_is_object(properties)) return schema_fail(s, NIGH_FORMAT, "properties is no object"), false;
    if (required && !json_is_array(required)) return schema_fail(s, NIGH_FORMAT, "required is no list"), false;
    json_array_foreach(required, i, item) if (!json_is_string(item)) return schema_fail(s, NIGH_FORMAT, "required holds something that is no text"), false;
    if (additional && !json_is_boolean(additional) && !json_is_object(additional)) return schema_fail(s, NIGH_FORMAT, "additionalProperties is no schema"), false;
    return true;
}

pattern *schema_object(schema *s, json_t *json)
{
    json_t *properties = json_object_get(json, "properties"), *required = json_object_get(json, "required"), *additional = json_object_get(json, "additionalProperties"), *value;
    if (!object_keywords(s, properties, required, additional)) return NULL;
    int64_t low = schema_count(s, json, "minProperties", 0), high = schema_count(s, json, "maxProperties", -1);
    bool declared = json_object_size(properties) || json_array_size(required);
    if (s->status) return NULL;
    if (declared && (low > 0 || high >= 0)) return schema_fail(s, NIGH_UNSUPPORTED, "minProperties or maxProperties beside declared properties is not supported");
    json_t *anything = schema_keep(s, json_true());
    if (!declared) {
        if (!additional && !low && high < 0) return schema_fixed(s, RULE_OBJECT);
        if (json_is_false(additional)) return low > 0 ? schema_nothing(s, "properties are required and none is allowed") : schema_text(s, "{}");
        pair_of of = {NULL, additional ? additional : anything};
        return braced(s, "{", counted(s, extra_pair, &of, low, high), "}");
    }
    pattern *list = pattern_add(schema_made(s, pattern_new(s->arena, PATTERN_LIST)), schema_comma(s));
    const char *key;
    size_t i;
    json_object_foreach(properties, key, value) list = list ? pattern_add(list, property(s, key, value, is_required(required, key))) : NULL;
    json_array_foreach(required, i, value) { /* required, but declared nowhere: what additionalProperties says */
        bool again = json_object_get(properties, json_string_value(value)) != NULL;
        for (size_t k = 0; k < i; k++) again |= json_equal(json_array_get(required, k), value);
        if (again || !list) continue;
        if (json_is_false(additional)) return schema_nothing(s, "a required property is not allowed");
        list = pattern_add(list, property(s, json_string_value(value), additional ? additional : anything, true));
    }
    if (additional && !json_is_false(additional)) {
        pair_of of = {other_key(s, properties, required), additional};
        pattern *extra = of.key ? extra_pair(s, &of) : NULL;
        if (extra) extra->optional = true;
        if (list) list->loop = true;
        list = pattern_add(list, extra);
    }
    return braced(s, "{", schema_made(s, list), "}");
}

/* ---- arrays ---- */

static pattern *array_item(schema *s, void *user) { return schema_call(s, user, "/items"); }

/* The first elements, each with its own schema; those from `least` on may be missing, and then all behind them. */
static pattern *tuple(schema *s, json_t *first, size_t count, int64_t least, pattern *rest)
{
    pattern *tail = rest;
    for (size_t i = count; i-- > 0;) {
        char path[48];
        snprintf(path, sizeof path, "/prefixItems/%zu", i);
        pattern *one = schema_call(s, json_array_get(first, i), path), *row = schema_made(s, pattern_new(s->arena, PATTERN_CHAIN));
        if (i) row = pattern_add(row, schema_comma(s));
        row = pattern_add(row, one);
        if (tail) row = pattern_add(row, tail);
        tail = (int64_t)i < least ? row : schema_repeat(s, row, 0, 1);
    }
    return tail;
}

pattern *schema_array(schema *s, json_t *json)
{
    json_t *first = json_object_get(json, "prefixItems"), *items = json_object_get(json, "items"), *anything = schema_keep(s, json_true());
    int64_t low = schema_count(s, json, "minItems", 0), high = schema_count(s, json, "maxItems", -1), count = (int64_t)json_array_size(first);
    if (s->status) return NULL;
    if (first && !json_is_array(first)) return schema_fail(s, NIGH_FORMAT, "prefixItems is no list");
    if (items && !json_is_boolean(items) && !json_is_object(items)) return schema_fail(s, NIGH_FORMAT, "items is no schema (a list of schemas is prefixItems)");
    if (count > 150) return schema_fail(s, NIGH_RESOURCE, "prefixItems of %lld elements; up to 150 are allowed", (long long)count);
    if (high >= 0 && low > high) return schema_nothing(s, "minItems is above maxItems");
    if (!count && !items && !low && high < 0) return schema_fixed(s, RULE_ARRAY);
    if (!items) items = count ? NULL : anything; /* a tuple ends with its elements */
    if (json_is_false(items)) items = NULL;
    if (!count) {
        if (!items) return low > 0 ? schema_nothing(s, "elements are required and none is allowed") : schema_text(s, "[]");
        return braced(s, "[", counted(s, array_item, items, low, high), "]");
    }
    if (high >= 0 && high < count) count = high, items = NULL;
    if (low > count && !items) return schema_nothing(s, "more elements are required than are allowed");
    pattern *rest = NULL;
    if (items && (high < 0 || high > count)) {
        rest = schema_row(s, 2, (pattern *[]){schema_comma(s), array_item(s, items)});
        rest = schema_repeat(s, rest, low > count ? low - count : 0, high < 0 ? -1 : high - count);
    }
    if (!count) return schema_text(s, "[]");
    pattern *inside = tuple(s, first, (size_t)count, low, rest);
    return inside ? braced(s, "[", inside, "]") : schema_made(s, NULL);
}
