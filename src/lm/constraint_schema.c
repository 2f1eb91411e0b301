/* JSON schemas: rules, and which form a schema has. Declared in nigh/constraint.h. */
#include "lm/constraint_schema.h"

#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

enum { MOST_RULES = 20000 };
static const size_t most_dumped = (size_t)64 << 20;

void *schema_fail(schema *s, nigh_status status, const char *format, ...)
{
    if (s->status) return NULL;
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    s->status = nigh_fail(s->ctx, status, "JSON schema%s%.300s: %s", s->path && *s->path ? ", at " : "", s->path ? s->path : "", text);
    return NULL;
}

pattern *schema_made(schema *s, pattern *p)
{
    if (!p && !s->status) s->status = NIGH_MEMORY;
    return s->status ? NULL : p;
}

pattern *schema_nothing(schema *s, const char *reason)
{
    if (!s->empty && reason) s->empty = nigh_arena_format(s->arena, "%s%.300s%s%s", *s->path ? "at " : "", s->path, *s->path ? ", " : "", reason);
    return schema_made(s, pattern_new(s->arena, PATTERN_NOTHING));
}

/* ---- patterns ---- */

pattern *schema_text(schema *s, const char *text) { return schema_made(s, pattern_bytes(s->arena, text, strlen(text))); }

static pattern *group(schema *s, pattern_kind kind, int count, pattern *const *parts)
{
    pattern *p = schema_made(s, pattern_new(s->arena, kind));
    for (int i = 0; i < count; i++) p = pattern_add(p, parts[i]);
    return p;
}

pattern *schema_row(schema *s, int count, pattern *const *parts) { return group(s, PATTERN_CHAIN, count, parts); }
pattern *schema_either(schema *s, int count, pattern *const *parts) { return group(s, PATTERN_EITHER, count, parts); }
pattern *schema_repeat(schema *s, pattern *p, int64_t low, int64_t high) { return p ? schema_made(s, pattern_repeat(s->arena, p, low, high)) : NULL; }

static pattern *punctuation(schema *s, const char *mark)
{
    if (s->compact) return schema_text(s, mark);
    return schema_row(s, 2, (pattern *[]){schema_text(s, mark), schema_repeat(s, schema_text(s, " "), 0, 1)});
}

pattern *schema_comma(schema *s) { return punctuation(s, ","); }
pattern *schema_colon(schema *s) { return punctuation(s, ":"); }

pattern *schema_automaton(schema *s, automaton *a)
{
    if (s->status) return automaton_free(a), NULL;
    s->status = net_own(&s->g.net, a);
    return s->status ? NULL : schema_made(s, pattern_automaton(s->arena, a));
}

pattern *schema_regex(schema *s, const char *text)
{
    automaton *a = NULL;
    if (!s->status) s->status = automaton_regex(s->ctx, text, strlen(text), NULL, SCHEMA_STATES, &a);
    return s->status ? NULL : schema_automaton(s, a);
}

pattern *schema_quoted(schema *s, const char *text, size_t size)
{
    nigh_buffer out = {.ctx = s->ctx};
    static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    nigh_status status = nigh_buffer_add(&out, "\"", 1);
    for (size_t i = 0; !status && i < size; i++) {
        const char *at = text[i] ? strchr(shorts, text[i]) : NULL;
        bool escaped = at && (at - shorts) % 2 == 0;
        if (at && !escaped && (text[i] == '"' || text[i] == '\\')) escaped = true, at--;
        if (escaped) status = nigh_buffer_add(&out, (char[]){'\\', at[1]}, 2);
        else if ((uint8_t)text[i] < 32) status = nigh_buffer_print(&out, "\\u%04x", (unsigned)(uint8_t)text[i]);
        else status = nigh_buffer_add(&out, text + i, 1);
    }
    if (!status) status = nigh_buffer_add(&out, "\"", 1);
    pattern *p = status ? NULL : pattern_bytes(s->arena, out.data, out.size);
    nigh_buffer_free(&out);
    return schema_made(s, p);
}

static pattern *literal_list(schema *s, const json_t *value)
{
    bool object = json_is_object(value);
    pattern *row = schema_row(s, 1, (pattern *[]){schema_text(s, object ? "{" : "[")});
    bool first = true;
    size_t i;
    const char *key;
    json_t *item;
    if (object)
        json_object_foreach((json_t *)value, key, item) {
            if (!first) row = pattern_add(row, schema_comma(s));
            row = pattern_add(pattern_add(pattern_add(row, schema_quoted(s, key, strlen(key))), schema_colon(s)), schema_literal(s, item));
            first = false;
        }
    else
        json_array_foreach(value, i, item) {
            if (i) row = pattern_add(row, schema_comma(s));
            row = pattern_add(row, schema_literal(s, item));
        }
    return pattern_add(row, schema_text(s, object ? "}" : "]"));
}

pattern *schema_literal(schema *s, const json_t *value)
{
    if (json_is_object(value) || json_is_array(value)) return literal_list(s, value);
    if (json_is_string(value)) return schema_quoted(s, json_string_value(value), json_string_length(value));
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    pattern *p = text ? schema_text(s, text) : schema_made(s, NULL);
    free(text);
    return p;
}

/* ---- rules ---- */

static uint32_t rule_new(schema *s, json_t *json, const char *text, const char *path)
{
    if (s->rules == s->room) {
        uint32_t room = s->room ? 2 * s->room : 64;
        schema_rule *grown = nigh_resize(s->ctx, s->rule, sizeof *grown * room);
        if (!grown) return s->status = NIGH_MEMORY, 0;
        s->rule = grown, s->room = room;
    }
    if (s->rules >= MOST_RULES) return schema_fail(s, NIGH_RESOURCE, "more than %d different parts (does allOf lead back to itself?)", MOST_RULES), 0;
    s->rule[s->rules] = (schema_rule){.json = json, .text = text, .path = path};
    return s->rules++;
}

static uint64_t text_hash(const char *text)
{
    uint64_t h = 1469598103934665603u;
    for (; *text; text++) h = (h ^ (uint8_t)*text) * 0x100000001b3u;
    return h;
}

static bool free_form(const json_t *json)
{
    const char *key;
    json_t *value;
    if (json_is_true(json)) return true;
    if (!json_is_object(json)) return false;
    json_object_foreach((json_t *)json, key, value) if (!schema_note(key)) return false;
    return true;
}

pattern *schema_call(schema *s, json_t *json, const char *path)
{
    if (s->status) return NULL;
    if (!json_is_object(json) && !json_is_boolean(json)) return schema_fail(s, NIGH_FORMAT, "%s%sis neither an object nor true or false", path, *path ? " " : "");
    if (free_form(json)) return schema_fixed(s, RULE_VALUE);
    char *dumped = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!dumped || (s->dumped += strlen(dumped)) > most_dumped) {
        free(dumped);
        return schema_fail(s, NIGH_RESOURCE, "its parts are too large or too deep (does allOf lead back to itself?)");
    }
    uint64_t *slot, hash = text_hash(dumped);
    bool added;
    s->status = map_add(&s->by_text, hash, &slot, &added);
    uint32_t found = s->status ? 0 : (uint32_t)*slot;
    while (found && strcmp(s->rule[found - 1].text, dumped) != 0) found = s->rule[found - 1].chain;
    if (!s->status && !found) {
        const char *text = nigh_arena_strdup(s->arena, dumped), *full = nigh_arena_format(s->arena, "%s%s", s->path, path);
        uint32_t next = (uint32_t)*slot;
        if (!text || !full) s->status = NIGH_MEMORY;
        else found = rule_new(s, json, text, full) + 1;
        if (!s->status) s->rule[found - 1].chain = next, *slot = found;
    }
    free(dumped);
    return s->status ? NULL : schema_made(s, pattern_call(s->arena, found - 1));
}

pattern *schema_fixed(schema *s, uint32_t rule)
{
    s->used[rule] = true;
    if (rule == RULE_OBJECT || rule == RULE_ARRAY) s->used[RULE_VALUE] = true;
    return schema_made(s, pattern_call(s->arena, rule));
}

static pattern *fixed(schema *s, uint32_t rule)
{
    pattern *value, *pair, *many;
    switch (rule) {
    case RULE_VALUE: {
        pattern *parts[5];
        for (uint32_t i = 0; i < 4; i++) parts[i] = schema_fixed(s, RULE_OBJECT + i);
        parts[4] = schema_regex(s, "true|false|null");
        return schema_either(s, 5, parts);
    }
    case RULE_OBJECT:
        value = schema_fixed(s, RULE_VALUE);
        pair = schema_row(s, 3, (pattern *[]){schema_fixed(s, RULE_STRING), schema_colon(s), value});
        many = schema_made(s, pattern_new(s->arena, PATTERN_LIST));
        if (!many || !pair) return NULL;
        many->loop = pair->optional = true;
        many = pattern_add(pattern_add(many, schema_comma(s)), pair);
        return schema_row(s, 3, (pattern *[]){schema_text(s, "{"), many, schema_text(s, "}")});
    case RULE_ARRAY:
        value = schema_fixed(s, RULE_VALUE);
        many = schema_made(s, pattern_new(s->arena, PATTERN_LIST));
        if (!many || !value) return NULL;
        many->loop = value->optional = true;
        many = pattern_add(pattern_add(many, schema_comma(s)), value);
        return schema_row(s, 3, (pattern *[]){schema_text(s, "["), many, schema_text(s, "]")});
    case RULE_STRING: {
        automaton *a = NULL;
        pattern *whole = schema_row(s, 3, (pattern *[]){schema_text(s, "\""), schema_repeat(s, schema_letter(s), 0, -1), schema_text(s, "\"")});
        if (whole) s->status = automaton_from_pattern(s->ctx, whole, SCHEMA_STATES, &a);
        return s->status || !whole ? NULL : schema_automaton(s, a);
    }
    case RULE_NUMBER: return schema_regex(s, "-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?");
    case RULE_INTEGER: return schema_regex(s, "-?(0|[1-9][0-9]*)");
    default: {
        automaton *a = NULL;
        pattern *letter = schema_letter(s);
        if (letter) s->status = automaton_from_pattern(s->ctx, letter, SCHEMA_STATES, &a);
        return s->status || !letter ? NULL : schema_automaton(s, a);
    }
    }
}

/* ---- forms of a schema ---- */

static pattern *one_type(schema *s, json_t *json, unsigned type)
{
    switch (type) {
    case TYPE_NULL: return schema_text(s, "null");
    case TYPE_BOOLEAN: return schema_either(s, 2, (pattern *[]){schema_text(s, "true"), schema_text(s, "false")});
    case TYPE_OBJECT: return schema_object(s, json);
    case TYPE_ARRAY: return schema_array(s, json);
    case TYPE_STRING: return schema_string(s, json);
    default: return schema_number(s, json, type == TYPE_INTEGER);
    }
}

static unsigned type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL: return TYPE_NULL;
    case JSON_TRUE: case JSON_FALSE: return TYPE_BOOLEAN;
    case JSON_OBJECT: return TYPE_OBJECT;
    case JSON_ARRAY: return TYPE_ARRAY;
    case JSON_STRING: return TYPE_STRING;
    case JSON_INTEGER: return TYPE_NUMBER | TYPE_INTEGER;
    default: return TYPE_NUMBER;
    }
}

/* enum and const: literals, of the types that are allowed. */
static pattern *constants(schema *s, json_t *json)
{
    const char *key;
    json_t *value, *list = json_object_get(json, "enum"), *one = json_object_get(json, "const");
    json_object_foreach(json, key, value) if (!schema_note(key) && strcmp(key, "enum") != 0 && strcmp(key, "const") != 0 && strcmp(key, "type") != 0)
        return schema_fail(s, NIGH_UNSUPPORTED, "the keyword '%.40s' beside enum or const is not supported", key);
    if (list && !json_is_array(list)) return schema_fail(s, NIGH_FORMAT, "enum is no list");
    unsigned types = schema_types(s, json);
    pattern *all = schema_made(s, pattern_new(s->arena, PATTERN_EITHER));
    size_t i, kept = 0;
    bool deep = false;
    if (one && !list && (type_of(one) & types)) all = pattern_add(all, schema_literal(s, one)), kept++, deep = json_is_object(one) || json_is_array(one);
    if (list) json_array_foreach(list, i, value) {
        if (!(type_of(value) & types) || (one && !json_equal(one, value))) continue;
        deep |= json_is_object(value) || json_is_array(value);
        all = pattern_add(all, schema_literal(s, value)), kept++;
    }
    if (!all) return NULL;
    if (!kept) return schema_nothing(s, "no constant is left");
    if (kept == 1 || deep) return all;
    automaton *a = NULL;
    if (!s->status) s->status = automaton_from_pattern(s->ctx, all, SCHEMA_STATES, &a);
    return s->status ? NULL : schema_automaton(s, a);
}

static pattern *alternatives(schema *s, json_t *json, const char *key)
{
    json_t *list = json_object_get(json, key), *base = schema_without(s, json, key), *item;
    size_t count = json_array_size(list), i;
    if (!json_is_array(list) || !count) return schema_fail(s, NIGH_FORMAT, "%s is no list, or an empty one", key);
    if (!base) return NULL;
    bool bare = json_object_size(base) == 0;
    if (strcmp(key, "oneOf") == 0)
        for (i = 0; i < count; i++)
            for (size_t k = 0; k < i; k++)
                if (!schema_apart(s, json_array_get(list, i), json_array_get(list, k), 0))
                    return schema_fail(s, NIGH_UNSUPPORTED, "oneOf whose parts %zu and %zu may both fit is not supported (use anyOf, or a required property with a different const in each)", k, i);
    pattern *all = schema_made(s, pattern_new(s->arena, PATTERN_EITHER));
    json_array_foreach(list, i, item) {
        char path[48];
        snprintf(path, sizeof path, "/%s/%zu", key, i);
        json_t *both = bare ? item : schema_merge(s, base, item);
        all = both ? pattern_add(all, schema_call(s, both, path)) : NULL;
    }
    return all;
}

/* Keywords that stand in no list are refused: to leave one out in silence would allow what the schema forbids. */
static bool check_keys(schema *s, json_t *json)
{
    static const char known[] = " type enum const anyOf oneOf allOf $ref properties required additionalProperties minProperties maxProperties items prefixItems minItems maxItems "
                                "pattern minLength maxLength format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf ";
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        char spaced[64];
        snprintf(spaced, sizeof spaced, " %.60s ", key);
        bool harmless = strcmp(key, "uniqueItems") == 0 && json_is_false(value);
        if (!schema_note(key) && !harmless && (strchr(key, ' ') || strlen(key) > 60 || !strstr(known, spaced)))
            return schema_fail(s, NIGH_UNSUPPORTED, "the keyword '%.60s' is not supported", key), false;
    }
    return true;
}

static pattern *typed(schema *s, json_t *json)
{
    static const char *const hints[][2] = {{"properties", "O"}, {"required", "O"}, {"additionalProperties", "O"}, {"minProperties", "O"}, {"maxProperties", "O"}, {"items", "A"}, {"prefixItems", "A"},
                                           {"minItems", "A"}, {"maxItems", "A"}, {"pattern", "S"}, {"minLength", "S"}, {"maxLength", "S"}, {"format", "S"}, {"minimum", "N"},
                                           {"maximum", "N"}, {"exclusiveMinimum", "N"}, {"exclusiveMaximum", "N"}, {"multipleOf", "N"}};
    unsigned types = schema_types(s, json);
    if (!json_object_get(json, "type")) {
        unsigned hinted = 0;
        for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
            if (json_object_get(json, hints[i][0])) hinted |= *hints[i][1] == 'O' ? TYPE_OBJECT : *hints[i][1] == 'A' ? TYPE_ARRAY : *hints[i][1] == 'S' ? TYPE_STRING : TYPE_NUMBER;
        if (hinted) types = hinted; /* "properties" without a type means an object */
    }
    if (!types) return schema_nothing(s, "no type is left");
    pattern *all = schema_made(s, pattern_new(s->arena, PATTERN_EITHER));
    for (unsigned type = 1; all && type <= TYPE_INTEGER; type *= 2)
        if (types & type && !(type == TYPE_INTEGER && types & TYPE_NUMBER)) all = pattern_add(all, one_type(s, json, type));
    return all;
}

static pattern *body(schema *s, json_t *json)
{
    for (int turn = 0; turn < 64; turn++) {
        if (!json) return NULL;
        if (json_is_true(json)) return schema_fixed(s, RULE_VALUE);
        if (json_is_false(json)) return schema_nothing(s, "false");
        if (!json_is_object(json)) return schema_fail(s, NIGH_FORMAT, "a schema is neither an object nor true or false");
        if (!check_keys(s, json)) return NULL;
        json_t *reference = json_object_get(json, "$ref"), *all = json_object_get(json, "allOf"), *rest, *part;
        size_t i;
        if (reference) {
            if (!json_is_string(reference)) return schema_fail(s, NIGH_FORMAT, "$ref is no text");
            json_t *to = schema_follow(s, json_string_value(reference));
            rest = to ? schema_without(s, json, "$ref") : NULL;
            if (!rest) return NULL;
            if (json_object_size(rest) == 0) return schema_call(s, to, "");
            json = schema_merge(s, rest, to);
        } else if (all) {
            if (!json_is_array(all)) return schema_fail(s, NIGH_FORMAT, "allOf is no list");
            rest = schema_without(s, json, "allOf");
            json_array_foreach(all, i, part) rest = rest ? schema_merge(s, rest, part) : NULL;
            json = rest;
        } else if (json_object_get(json, "anyOf")) {
            return alternatives(s, json, "anyOf");
        } else if (json_object_get(json, "oneOf")) {
            return alternatives(s, json, "oneOf");
        } else {
            return json_object_get(json, "enum") || json_object_get(json, "const") ? constants(s, json) : typed(s, json);
        }
    }
    return schema_fail(s, NIGH_RESOURCE, "more than 64 references or allOf one after the other");
}

/* ---- the whole ---- */

static void make_rules(schema *s, uint32_t *root)
{
    for (uint32_t i = 0; !s->status && i < RULES_FIXED; i++) rule_new(s, NULL, "", "");
    pattern *first = schema_call(s, s->root, "");
    for (uint32_t i = RULES_FIXED; !s->status && i < s->rules; i++) {
        s->path = s->rule[i].path;
        pattern *made = body(s, s->rule[i].json);
        s->rule[i].body = schema_made(s, made); /* rules may have moved meanwhile */
    }
    s->path = "";
    /* The others come when they are called, each by those before it: bytes that no rule tells apart share a class. */
    for (uint32_t i = 0; !s->status && i < RULES_FIXED; i++) s->rule[i].body = s->used[i] ? fixed(s, i) : schema_made(s, pattern_new(s->arena, PATTERN_NOTHING));
    if (!s->status) *root = first->rule;
}

static void make_net(schema *s)
{
    grammar *g = &s->g;
    g->rules = s->rules;
    g->start = nigh_alloc(s->ctx, sizeof *g->start * ((size_t)s->rules + 1));
    s->status = g->start ? net_node_new(&g->net, NET_END, 0, 0, 0, &g->end) : NIGH_MEMORY;
    for (uint32_t i = 0; !s->status && i < s->rules; i++) {
        s->status = net_build(&g->net, s->rule[i].body, g->end, &g->start[i]);
        if (s->status) nigh_within(s->ctx, s->status, "JSON schema%s%.300s", *s->rule[i].path ? ", at " : "", s->rule[i].path);
    }
}

nigh_status nigh_constraint_json_schema(nigh_context *ctx, const char *text, size_t size, bool compact, nigh_constraint **c)
{
    nj root = {0};
    nigh_status status = nj_parse(ctx, "JSON schema", text, size, &root);
    if (status) return status;
    schema s = {.ctx = ctx, .root = root.json, .compact = compact, .path = "", .g = {.ctx = ctx, .net = {.ctx = ctx, .most = 1 << 21}}};
    s.made = json_array();
    s.status = s.made ? nigh_arena_new(ctx, &s.arena) : nigh_fail(ctx, NIGH_MEMORY, "out of memory");
    if (!s.status) s.status = map_new(ctx, 64, &s.by_text);
    if (!s.status) make_rules(&s, &s.g.root);
    if (!s.status) make_net(&s);
    nigh_constraint *made = NULL;
    status = s.status;
    if (status)
        grammar_free(&s.g);
    else
        status = constraint_of_grammar(&s.g, &made);
    if (!status && nigh_constraint_start(made) < 0)
        nigh_log(ctx, NIGH_LOG_WARNING, "JSON schema: no text is allowed%s%s", s.empty ? ": " : "", s.empty ? s.empty : "");
    map_free(&s.by_text);
    nigh_free(ctx, s.rule);
    nigh_arena_free(s.arena);
    json_decref(s.made);
    nj_free(&root);
    if (!status) *c = made;
    return status;
}
