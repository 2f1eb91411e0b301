/* JSON schemas to grammars: what constraint_schema*.c share. Every schema that is met becomes a rule, found again by its text; so $ref may recurse. */
#ifndef NIGH_LM_CONSTRAINT_SCHEMA_H
#define NIGH_LM_CONSTRAINT_SCHEMA_H
#include "core/json.h"
#include "core/map.h"
#include "lm/constraint.h"

typedef struct schema_rule {
    json_t *json;     /* borrowed; NULL: one of those below */
    const char *text; /* in one line */
    const char *path; /* "" at the root, "/properties/a" */
    pattern *body;
    uint32_t chain;
} schema_rule;

enum { SCHEMA_STATES = 100000 }; /* most of one automaton inside of a schema */

/* VALUE calls those up to NUMBER; OBJECT and ARRAY call VALUE. */
enum { RULE_VALUE, RULE_OBJECT, RULE_ARRAY, RULE_STRING, RULE_NUMBER, RULE_LETTER, RULE_INTEGER, RULES_FIXED };

typedef struct schema {
    nigh_context *ctx;
    nigh_arena *arena;
    json_t *root;
    bool compact;
    grammar g;
    schema_rule *rule;
    uint32_t rules, room;
    bool used[RULES_FIXED];
    map by_text;
    json_t *made;      /* an array that keeps merged schemas */
    size_t dumped;
    const char *path;  /* of the rule under way */
    const char *empty; /* why the first impossible part is impossible, with its path */
    nigh_status status;
} schema;

/* Keep the first failure and give NULL: "JSON schema, at PATH: ...". */
void *schema_fail(schema *s, nigh_status status, const char *format, ...) NIGH_PRINTF(3, 4);
/* No text at all, for this reason. */
pattern *schema_nothing(schema *s, const char *reason);
pattern *schema_made(schema *s, pattern *p); /* p; NULL is lack of memory */

/* ---- patterns ---- */
pattern *schema_text(schema *s, const char *text);
pattern *schema_row(schema *s, int count, pattern *const *parts);
pattern *schema_either(schema *s, int count, pattern *const *parts);
pattern *schema_repeat(schema *s, pattern *p, int64_t low, int64_t high);
pattern *schema_comma(schema *s);
pattern *schema_colon(schema *s);
pattern *schema_automaton(schema *s, automaton *a); /* taken over */
pattern *schema_regex(schema *s, const char *text);
pattern *schema_quoted(schema *s, const char *text, size_t size); /* as a JSON string */
pattern *schema_literal(schema *s, const json_t *value);
pattern *schema_call(schema *s, json_t *json, const char *path); /* the rule of a schema; path is added to that of the rule under way */

pattern *schema_fixed(schema *s, uint32_t rule); /* one of those that need no schema */

/* ---- parts ---- */
pattern *schema_string(schema *s, const json_t *json);  /* constraint_schema_text.c */
pattern *schema_letter(schema *s);                      /* one character of any JSON string */
pattern *schema_number(schema *s, const json_t *json, bool integer); /* constraint_schema_number.c */
pattern *schema_object(schema *s, json_t *json);        /* constraint_schema_parts.c */
pattern *schema_array(schema *s, json_t *json);

/* ---- schemas as JSON (constraint_schema_merge.c) ---- */
bool schema_note(const char *key); /* says nothing about what is allowed */
json_t *schema_keep(schema *s, json_t *made); /* until the end; NULL is lack of memory */
json_t *schema_follow(schema *s, const char *reference); /* borrowed */
json_t *schema_without(schema *s, const json_t *json, const char *key); /* a copy without a keyword and notes */
json_t *schema_merge(schema *s, json_t *a, json_t *b); /* both hold */
bool schema_apart(schema *s, json_t *a, json_t *b, int depth); /* no value fits both: seen from types, constants and required properties */
int64_t schema_count(schema *s, const json_t *json, const char *key, int64_t usual); /* a count >= 0 */
enum { TYPE_NULL = 1, TYPE_BOOLEAN = 2, TYPE_OBJECT = 4, TYPE_ARRAY = 8, TYPE_STRING = 16, TYPE_NUMBER = 32, TYPE_INTEGER = 64, TYPE_ALL = 63 };
unsigned schema_types(schema *s, const json_t *json); /* as `type` says; TYPE_ALL without it */
#endif
