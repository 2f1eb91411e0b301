/* Strings of JSON schemas: lengths, patterns, formats. Declared in lm/constraint_schema.h. */
#include "lm/constraint_schema.h"

#include <string.h>

pattern *schema_letter(schema *s)
{
    /* any character but controls, quote and backslash; escapes; \u with a code that is no half of a pair, or a whole pair */
    static const code_range plain[] = {{32, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0xd7ff}, {0xe000, 0x10ffff}};
    pattern *any = schema_made(s, pattern_new(s->arena, PATTERN_SET));
    if (!any) return NULL;
    any->ranges = plain, any->count = sizeof plain / sizeof *plain;
    pattern *escaped = schema_regex(s, "\\\\([\"\\\\/bfnrt]|u([0-9abcefABCEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}|[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}))");
    return schema_either(s, 2, (pattern *[]){any, escaped});
}

typedef struct named_format {
    const char *name, *regex;
} named_format;

#define MONTH_DAYS "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
#define LEAP_YEAR "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
#define DATE "([0-9]{4}-" MONTH_DAYS "|" LEAP_YEAR "-02-29)"
#define TIME "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define OCTET "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define ATOM "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"

static const named_format formats[] = {
    {"date", DATE},
    {"time", TIME},
    {"date-time", DATE "T" TIME},
    {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
    {"email", ATOM "(\\." ATOM ")*@" LABEL "(\\." LABEL ")*"},
    {"ipv4", OCTET "(\\." OCTET "){3}"},
    {"hostname", LABEL "(\\." LABEL ")*"},
};

static void both(schema *s, automaton **so_far, automaton *more)
{
    automaton *product = NULL;
    if (!s->status && *so_far) s->status = automaton_product(*so_far, more, AUTOMATON_AND, SCHEMA_STATES, &product);
    else if (!s->status) product = more, more = NULL;
    automaton_free(*so_far), automaton_free(more);
    *so_far = product;
}

static void add_regex(schema *s, automaton **so_far, const char *text, size_t size, bool search)
{
    automaton *a = NULL;
    if (s->status) return;
    s->status = automaton_regex(s->ctx, text, size, &(regex_options){.search = search, .json = true}, SCHEMA_STATES, &a);
    if (s->status) nigh_within(s->ctx, s->status, "JSON schema, at %.300s/%s", s->path, search ? "pattern" : "format");
    both(s, so_far, a);
}

static void add_format(schema *s, automaton **so_far, const json_t *format)
{
    const char *name = json_string_value(format);
    if (!name) {
        schema_fail(s, NIGH_FORMAT, "format is no text");
        return;
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0) {
            add_regex(s, so_far, formats[i].regex, strlen(formats[i].regex), false);
            return;
        }
    schema_fail(s, NIGH_UNSUPPORTED, "the format '%.60s' is not supported (date, time, date-time, uuid, email, ipv4 and hostname are)", name);
}

/* What stands between the quotes when only the number of characters counts. */
static pattern *letters(schema *s, int64_t low, int64_t high)
{
    return schema_repeat(s, schema_fixed(s, RULE_LETTER), low, high);
}

static void add_lengths(schema *s, automaton **so_far, int64_t low, int64_t high)
{
    automaton *a = NULL;
    code_set all = {.ctx = s->ctx};
    if (s->status) return;
    pattern *letter = code_set_invert(&all) ? NULL : schema_made(s, pattern_json_set(s->arena, &all));
    code_set_free(&all);
    pattern *many = schema_repeat(s, letter, low, high);
    if (!many) {
        schema_made(s, NULL);
        return;
    }
    s->status = automaton_from_pattern(s->ctx, many, SCHEMA_STATES, &a);
    if (s->status) nigh_within(s->ctx, s->status, "JSON schema, at %.300s, minLength or maxLength beside a pattern", s->path);
    both(s, so_far, a);
}

pattern *schema_string(schema *s, const json_t *json)
{
    int64_t low = schema_count(s, json, "minLength", 0), high = schema_count(s, json, "maxLength", -1);
    json_t *text = json_object_get(json, "pattern"), *format = json_object_get(json, "format");
    if (s->status) return NULL;
    if (high >= 0 && low > high) return schema_nothing(s, "minLength is above maxLength");
    if (low > 1000000 || high > 1000000) return schema_fail(s, NIGH_RESOURCE, "lengths above 1,000,000 characters are not counted");
    if (text && !json_is_string(text)) return schema_fail(s, NIGH_FORMAT, "pattern is no text");
    if (!text && !format) {
        if (!low && high < 0) return schema_fixed(s, RULE_STRING);
        return schema_row(s, 3, (pattern *[]){schema_text(s, "\""), letters(s, low, high), schema_text(s, "\"")});
    }
    automaton *a = NULL;
    if (text) add_regex(s, &a, json_string_value(text), json_string_length(text), true);
    if (format && !s->status) add_format(s, &a, format);
    if (low || high >= 0) add_lengths(s, &a, low, high);
    if (s->status) return automaton_free(a), NULL;
    if (!a->states) schema_nothing(s, "no string fits its pattern, format and lengths together");
    return schema_row(s, 3, (pattern *[]){schema_text(s, "\""), schema_automaton(s, a), schema_text(s, "\"")});
}
