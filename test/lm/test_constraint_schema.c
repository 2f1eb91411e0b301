/* JSON schemas: members made by random walks are parsed and checked by a validator of the test's own; known members and strangers; refusals; sizes. */
#include "support.h"

#include "nigh/constraint.h"
#include "nigh/random.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nigh_constraint *schema_of(nigh_context *ctx, const char *text, bool compact)
{
    nigh_constraint *c = NULL;
    assert_ok(ctx, nigh_constraint_json_schema(ctx, text, strlen(text), compact, &c));
    return c;
}

static bool accepts(nigh_constraint *c, const char *text) { return nigh_constraint_complete(c, nigh_constraint_step(c, nigh_constraint_start(c), text, strlen(text))); }

/* ---- a validator ---- */

static bool valid(const json_t *root, const json_t *schema, const json_t *v);

static bool has_type(const char *type, const json_t *v)
{
    if (!strcmp(type, "null")) return json_is_null(v);
    if (!strcmp(type, "boolean")) return json_is_boolean(v);
    if (!strcmp(type, "object")) return json_is_object(v);
    if (!strcmp(type, "array")) return json_is_array(v);
    if (!strcmp(type, "string")) return json_is_string(v);
    return json_is_integer(v) || (!strcmp(type, "number") && json_is_real(v));
}

static bool valid_type(const json_t *type, const json_t *v)
{
    if (json_is_string(type)) return has_type(json_string_value(type), v);
    bool any = false;
    size_t i;
    json_t *item;
    json_array_foreach(type, i, item) any |= has_type(json_string_value(item), v);
    return any;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += (*text & 0xc0) != 0x80;
    return n;
}

static bool valid_object(const json_t *root, const json_t *schema, const json_t *v)
{
    json_t *properties = json_object_get(schema, "properties"), *more = json_object_get(schema, "additionalProperties"), *item;
    const char *key;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, item) if (!json_object_get(v, json_string_value(item))) return false;
    json_object_foreach((json_t *)v, key, item) {
        json_t *one = json_object_get(properties, key);
        if (one ? !valid(root, one, item) : more && !valid(root, more, item)) return false;
    }
    size_t n = json_object_size(v);
    json_t *low = json_object_get(schema, "minProperties"), *high = json_object_get(schema, "maxProperties");
    return (!low || (int64_t)n >= json_integer_value(low) - 8) && (!high || (int64_t)n <= json_integer_value(high)); /* equal random keys fall together */
}

static bool valid_array(const json_t *root, const json_t *schema, const json_t *v)
{
    json_t *first = json_object_get(schema, "prefixItems"), *items = json_object_get(schema, "items"), *low = json_object_get(schema, "minItems"), *high = json_object_get(schema, "maxItems"), *item;
    size_t i, n = json_array_size(v);
    json_array_foreach(v, i, item) {
        json_t *one = i < json_array_size(first) ? json_array_get(first, i) : items;
        if (one && !valid(root, one, item)) return false;
    }
    return (!low || n >= (size_t)json_integer_value(low)) && (!high || n <= (size_t)json_integer_value(high));
}

static bool valid_scalar(const json_t *schema, const json_t *v)
{
    json_t *x;
    if (json_is_string(v)) {
        size_t n = characters(json_string_value(v));
        if ((x = json_object_get(schema, "minLength")) && n < (size_t)json_integer_value(x)) return false;
        if ((x = json_object_get(schema, "maxLength")) && n > (size_t)json_integer_value(x)) return false;
    }
    if (json_is_number(v)) {
        double value = json_number_value(v);
        if ((x = json_object_get(schema, "minimum")) && value < json_number_value(x)) return false;
        if ((x = json_object_get(schema, "maximum")) && value > json_number_value(x)) return false;
        if ((x = json_object_get(schema, "exclusiveMinimum")) && value <= json_number_value(x)) return false;
        if ((x = json_object_get(schema, "exclusiveMaximum")) && value >= json_number_value(x)) return false;
        if ((x = json_object_get(schema, "multipleOf")) && json_integer_value(v) % json_integer_value(x)) return false;
    }
    return true;
}

static bool valid(const json_t *root, const json_t *schema, const json_t *v)
{
    if (json_is_boolean(schema)) return json_is_true(schema);
    json_t *x, *item;
    size_t i;
    if ((x = json_object_get(schema, "$ref"))) {
        const char *name = strrchr(json_string_value(x), '/');
        if (!valid(root, name ? json_object_get(json_object_get(root, "$defs"), name + 1) : root, v)) return false;
    }
    json_array_foreach(json_object_get(schema, "allOf"), i, item) if (!valid(root, item, v)) return false;
    for (int k = 0; k < 2; k++)
        if ((x = json_object_get(schema, k ? "oneOf" : "anyOf"))) {
            size_t fit = 0;
            json_array_foreach(x, i, item) fit += valid(root, item, v);
            if (k ? fit != 1 : !fit) return false;
        }
    if ((x = json_object_get(schema, "const")) && !json_equal(x, v)) return false;
    if ((x = json_object_get(schema, "enum"))) {
        bool any = false;
        json_array_foreach(x, i, item) any |= json_equal(item, v);
        if (!any) return false;
    }
    if ((x = json_object_get(schema, "type")) && !valid_type(x, v)) return false;
    if (json_is_object(v) && !valid_object(root, schema, v)) return false;
    if (json_is_array(v) && !valid_array(root, schema, v)) return false;
    return valid_scalar(schema, v);
}

/* ---- members by random walks ---- */

/* Bytes until a member; brackets, quotes and small digits are preferred so that walks end. */
static bool walk(nigh_constraint *c, nigh_rng *rng, nigh_buffer *out)
{
    int64_t s = nigh_constraint_start(c);
    for (int step = 0; step < 3000; step++) {
        if (nigh_constraint_complete(c, s) && (step > 200 || nigh_rng_below(rng, 3) == 0)) return true;
        uint8_t open[256], count = 0, ends[256], end_count = 0;
        for (int b = 0; b < 256; b++)
            if (nigh_constraint_step(c, s, (char[]){(char)b}, 1) >= 0) {
                open[count++] = (uint8_t)b;
                if (strchr("\"]}1,", b) && b && (b != ',' || nigh_rng_below(rng, 4) == 0)) ends[end_count++] = (uint8_t)b;
            }
        if (!count) return nigh_constraint_complete(c, s);
        bool end = end_count && nigh_rng_below(rng, step < 100 ? 4 : 50) < (step < 100 ? 1 : 49);
        char byte = (char)(end ? ends[nigh_rng_below(rng, end_count)] : open[nigh_rng_below(rng, count)]);
        assert_ok(out->ctx, nigh_buffer_add(out, &byte, 1));
        s = nigh_constraint_step(c, s, &byte, 1);
        assert_true(s >= 0);
    }
    return false;
}

static const char *const schemas[] = {
    "true", "{}", "{\"type\":\"integer\"}", "{\"type\":[\"string\",\"null\",\"boolean\"]}", "{\"type\":\"string\",\"minLength\":2,\"maxLength\":5}", "{\"type\":\"string\",\"minLength\":3}",
    "{\"type\":\"integer\",\"minimum\":-12,\"maximum\":305}", "{\"type\":\"integer\",\"exclusiveMinimum\":0,\"multipleOf\":7}", "{\"type\":\"number\",\"minimum\":-0.35,\"exclusiveMaximum\":12.5}",
    "{\"type\":\"number\",\"exclusiveMinimum\":99.75,\"maximum\":1e3}", "{\"type\":\"number\",\"maximum\":-1.5}", "{\"type\":\"number\",\"exclusiveMaximum\":0}", "{\"type\":\"integer\",\"minimum\":1.5,\"maximum\":2.5}",
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"minimum\":0},\"mail\":{\"type\":\"string\",\"format\":\"email\"}},\"required\":[\"age\"]}",
    "{\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"enum\":[1,\"x\",null,[1,{\"k\":2}]]},\"c\":{\"const\":\"\\u00e9\\n\\\"\\\\/\"}},\"additionalProperties\":{\"type\":\"boolean\"}}",
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9},\"minProperties\":2,\"maxProperties\":4}",
    "{\"type\":\"object\",\"properties\":{\"a\":true},\"required\":[\"a\",\"zz\"]}", "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":2,\"maxItems\":4}",
    "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"string\"},{\"type\":\"null\"}],\"minItems\":1,\"items\":{\"type\":\"boolean\"},\"maxItems\":5}",
    "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"null\"}],\"items\":false}", "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"maximum\":3,\"minimum\":0}}}",
    "{\"$defs\":{\"tree\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},\"kids\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/tree\"}}},\"required\":[\"v\"],\"additionalProperties\":false}},\"$ref\":\"#/$defs/tree\"}",
    "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}]}",
    "{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"a\"},\"x\":{\"type\":\"integer\"}},\"required\":[\"kind\"]},{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"b\"},\"y\":{\"type\":"
    "\"null\"}},\"required\":[\"kind\",\"y\"]}]}",
    "{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"}},\"required\":[\"a\"]},{\"$ref\":\"#/$defs/more\"}],\"$defs\":{\"more\":{\"type\":\"object\",\"properties\":{\"a\":{\"minimum\":5},\"b\":"
    "{\"type\":\"null\"}},\"required\":[\"b\"]}}}",
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"anyOf\":[{\"properties\":{\"b\":{\"type\":\"null\"}},\"required\":[\"b\"]},{\"required\":[\"a\"]}]}",
    "{\"allOf\":[{\"properties\":{\"x\":{\"type\":\"null\"}},\"additionalProperties\":{\"type\":\"integer\"}},{\"properties\":{\"y\":{\"minimum\":7}},\"required\":[\"y\"]}]}"};

static void random_members_are_valid(void **state)
{
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++)
        for (int compact = 0; compact < 2; compact++) {
            nigh_constraint *c = schema_of(ctx, schemas[i], compact);
            json_t *schema = json_loads(schemas[i], JSON_DECODE_ANY, NULL);
            nigh_rng rng = nigh_rng_new(i, (uint64_t)compact);
            int members = 0;
            assert_true(nigh_constraint_start(c) >= 0);
            for (int turn = 0; turn < 25; turn++) {
                nigh_buffer text = {.ctx = ctx};
                if (walk(c, &rng, &text)) {
                    json_error_t error;
                    json_t *v = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
                    bool too_large = !v && (strstr(error.text, "too big") || strstr(error.text, "overflow"));
                    if (!v && !too_large) fail_msg("%s: '%s': %s", schemas[i], text.data, error.text);
                    if (v && !valid(schema, schema, v)) fail_msg("%s: '%s' is not valid", schemas[i], text.data);
                    members += v != NULL;
                    json_decref(v);
                }
                nigh_buffer_free(&text);
            }
            if (members < 5) fail_msg("%s: only %d walks ended", schemas[i], members);
            assert_ok(ctx, nigh_constraint_status(c));
            json_decref(schema);
            nigh_constraint_free(c);
        }
    test_context_free(ctx);
}

static void known_texts(void **state)
{
    static const struct {
        const char *schema;
        const char *in[8], *out[8];
    } cases[] = {
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}},\"required\":[\"a\"]}", {"{\"a\":1}", "{\"a\":-20,\"b\":\"x\"}", "{\"a\": 1, \"b\": \"\"}"},
         {"{}", "{\"b\":\"\"}", "{\"b\":\"\",\"a\":1}", "{\"a\":01}", "{\"a\":1,}", "{\"a\" :1}", "{\"a\":1,\"c\":1}"}},
        {"{\"type\":\"string\",\"format\":\"date\"}", {"\"2024-02-29\"", "\"1999-12-31\""}, {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-13-01\"", "\"24-01-01\""}},
        {"{\"type\":\"string\",\"format\":\"ipv4\"}", {"\"0.0.0.0\"", "\"255.10.1.99\""}, {"\"256.1.1.1\"", "\"1.1.1\"", "\"01.1.1.1\""}},
        {"{\"type\":\"string\",\"format\":\"date-time\"}", {"\"2024-02-29T23:59:59.5Z\"", "\"2024-01-01T00:00:00+01:30\""}, {"\"2024-01-01\"", "\"2024-01-01T24:00:00Z\""}},
        {"{\"type\":\"string\",\"format\":\"uuid\"}", {"\"123e4567-e89b-12d3-a456-426614174000\""}, {"\"123e4567\""}},
        {"{\"type\":\"string\",\"format\":\"email\"}", {"\"a.b@c.example\""}, {"\"a@\"", "\"a..b@c\"", "\"a@-c\""}},
        {"{\"type\":\"string\",\"pattern\":\"^a\\\\d+$\"}", {"\"a1\"", "\"a123\""}, {"\"a\"", "\"xa1\"", "\"a1x\""}},
        {"{\"type\":\"string\",\"pattern\":\"b\"}", {"\"b\"", "\"abc\"", "\"\\n\\\"b\"", "\"\xc3\xa9" "b\""}, {"\"a\"", "b", "\"\\u000ab\""}},
        {"{\"type\":\"string\",\"pattern\":\"^[\\\"\\\\\\\\\\\\n]{2}$\",\"maxLength\":3}", {"\"\\\"\\\\\"", "\"\\n\\n\""}, {"\"\\n\"", "\"\\\\\""}},
        {"{\"type\":\"string\",\"pattern\":\"^a*$\",\"minLength\":2,\"maxLength\":3}", {"\"aa\"", "\"aaa\""}, {"\"a\"", "\"aaaa\""}},
        {"{\"type\":\"string\",\"maxLength\":2}", {"\"\"", "\"\xf0\x9f\x98\x80\\ud83d\\ude00\"", "\"\\n\\\"\"", "\"\\/\\u0041\""}, {"\"abc\"", "\"\\ud83d\"", "\"\\x\"", "\"\n\"", "\"\\ude00\""}},
        {"{\"enum\":[\"a\",\"ab\",3,true,{\"k\":[1,2]}]}", {"\"a\"", "\"ab\"", "3", "true", "{\"k\":[1,2]}", "{\"k\": [1, 2]}"}, {"\"b\"", "false", "33", "{\"k\":[1,3]}"}},
        {"{\"type\":\"integer\",\"minimum\":-5,\"maximum\":120}", {"-5", "0", "7", "99", "120", "-1"}, {"-6", "121", "1.0", "007", "1e1", "1000"}},
        {"{\"type\":\"number\",\"minimum\":0.5,\"maximum\":10}", {"0.5", "0.50", "3", "10", "10.00", "9.999"}, {"0.4", "0", "10.01", "-1", "11", "100"}},
        {"{\"type\":\"number\"}", {"-1.5e+10", "0", "1E5"}, {"01", "1.", ".5", "+1", "-"}},
        {"{\"type\":\"array\"}", {"[]", "[1, [], {\"a\":null}]"}, {"[1,]", "[ 1]", "[1 ,2]"}},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"}},\"additionalProperties\":{\"type\":\"integer\"}}", {"{}", "{\"a\":null,\"b\":1}", "{\"b\":1,\"aa\":2}"},
         {"{\"b\":1,\"a\":null}", "{\"b\":1,\"a\":3}", "{\"b\":null}"}},
        {"{\"properties\":{\"a\":false,\"b\":{\"type\":\"null\"}}}", {"{}", "{\"b\":null}"}, {"{\"a\":1}"}}};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_constraint *c = schema_of(ctx, cases[i].schema, false);
        for (int k = 0; k < 8 && cases[i].in[k]; k++)
            if (!accepts(c, cases[i].in[k])) fail_msg("%s refuses %s", cases[i].schema, cases[i].in[k]);
        for (int k = 0; k < 8 && cases[i].out[k]; k++)
            if (accepts(c, cases[i].out[k])) fail_msg("%s accepts %s", cases[i].schema, cases[i].out[k]);
        nigh_constraint_free(c);
    }
    test_context_free(ctx);
}

/* Bounds of random decimals against the comparison of doubles. */
static void bounds_of_numbers_are_exact(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(9, 0);
    static const char *const keys[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    for (int turn = 0; turn < 120; turn++) {
        int places = (int)nigh_rng_below(&rng, 4), key = (int)nigh_rng_below(&rng, 4);
        int64_t level = (int64_t)nigh_rng_below(&rng, 4001) - 2000, scale = places == 0 ? 1 : places == 1 ? 10 : places == 2 ? 100 : 1000;
        char text[128];
        snprintf(text, sizeof text, "{\"type\":\"number\",\"%s\":%s%lld.%0*lld}", keys[key], level < 0 ? "-" : "", llabs(level) / scale, places + !places, llabs(level) % scale);
        nigh_constraint *c = schema_of(ctx, text, true);
        for (int i = 0; i < 60; i++) {
            int64_t x = level * (1000 / scale) + (int64_t)nigh_rng_below(&rng, 61) * (i % 3 == 0 ? 1 : 100) - 30;
            if (i == 0) x = level * (1000 / scale);
            char value[64];
            snprintf(value, sizeof value, "%s%lld.%03lld", x < 0 ? "-" : "", llabs(x) / 1000, llabs(x) % 1000);
            if (i % 2) while (value[strlen(value) - 1] == '0') value[strlen(value) - 1] = 0;
            if (value[strlen(value) - 1] == '.') value[strlen(value) - 1] = 0;
            int64_t bound = level * (1000 / scale);
            bool right = key == 0 ? x >= bound : key == 1 ? x <= bound : key == 2 ? x > bound : x < bound;
            if (accepts(c, value) != right) fail_msg("%s: %s", text, value);
        }
        nigh_constraint_free(c);
    }
    test_context_free(ctx);
}

static void remember(void *user, nigh_log_level level, const char *text)
{
    if (level == NIGH_LOG_WARNING) snprintf(user, 400, "%s", text);
}

static void impossible_schemas_say_so(void **state)
{
    static const char *const cases[][2] = {{"{\"type\":\"string\",\"minLength\":5,\"maxLength\":3}", "minLength is above maxLength"}, {"false", "false"}, {"{\"type\":\"integer\",\"minimum\":3,\"maximum\":2}", "no number"},
                                           {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1.2,\"maximum\":1.8}},\"required\":[\"a\"]}", "at /properties/a, no number"},
                                           {"{\"$ref\":\"#\"}", "no text is allowed"}, {"{\"$defs\":{\"a\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/a\"},\"minItems\":1}},\"$ref\":\"#/$defs/a\"}", "no text is allowed"},
                                           {"{\"type\":\"string\",\"pattern\":\"^a$\",\"minLength\":2}", "no string fits"}, {"{\"type\":\"object\",\"required\":[\"a\"],\"additionalProperties\":false}", "not allowed"},
                                           {"{\"type\":\"string\",\"enum\":[1]}", "no constant"}};
    nigh_context *ctx = test_context_new();
    char text[400];
    nigh_context_set_log(ctx, remember, text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        text[0] = 0;
        nigh_constraint *c = schema_of(ctx, cases[i][0], false);
        assert_int_equal(nigh_constraint_start(c), -1);
        if (!strstr(text, cases[i][1])) fail_msg("%s: '%s' lacks '%s'", cases[i][0], text, cases[i][1]);
        nigh_constraint_free(c);
    }
    test_context_free(ctx);
}

static void refusals_name_the_keyword(void **state)
{
    static const struct {
        const char *text;
        nigh_status status;
        const char *part;
    } cases[] = {{"{\"not\":{}}", NIGH_UNSUPPORTED, "'not'"}, {"{\"properties\":{\"a\":{\"patternProperties\":{}}}}", NIGH_UNSUPPORTED, "at /properties/a: the keyword 'patternProperties'"},
                 {"{\"type\":\"array\",\"uniqueItems\":true}", NIGH_UNSUPPORTED, "uniqueItems"}, {"{\"type\":\"string\",\"format\":\"uri\"}", NIGH_UNSUPPORTED, "'uri'"},
                 {"{\"type\":\"number\",\"multipleOf\":0.1}", NIGH_UNSUPPORTED, "multipleOf"}, {"{\"$ref\":\"http://x\"}", NIGH_UNSUPPORTED, "http://x"}, {"{\"$ref\":\"#/$defs/a\"}", NIGH_FORMAT, "leads nowhere"},
                 {"{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", NIGH_UNSUPPORTED, "oneOf"}, {"{\"type\":\"text\"}", NIGH_FORMAT, "type is 'text'"}, {"{\"type\":", NIGH_FORMAT, ""},
                 {"[]", NIGH_FORMAT, ""}, {"{\"type\":\"string\",\"pattern\":\"(?=a)\"}", NIGH_UNSUPPORTED, "look-ahead at offset 0"}, {"{\"enum\":[1],\"minimum\":2}", NIGH_UNSUPPORTED, "beside enum"},
                 {"{\"allOf\":[{\"$ref\":\"#\"},{\"type\":\"object\"}]}", NIGH_RESOURCE, ""}, {"{\"type\":\"string\",\"minLength\":-1}", NIGH_FORMAT, "minLength"},
                 {"{\"type\":\"string\",\"maxLength\":100000000}", NIGH_RESOURCE, "1,000,000"}};
    nigh_context *ctx = test_context_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nigh_constraint *c = NULL;
        assert_fails(ctx, nigh_constraint_json_schema(ctx, cases[i].text, strlen(cases[i].text), false, &c), cases[i].status, cases[i].part);
        assert_null(c);
    }
    test_context_free(ctx);
}

/* A hundred optional properties: steps between states stay few, and the same place gives the same state. */
static void large_objects_stay_small(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_buffer text = {.ctx = ctx}, member = {.ctx = ctx};
    assert_ok(ctx, nigh_buffer_print(&text, "{\"type\":\"object\",\"properties\":{"));
    assert_ok(ctx, nigh_buffer_print(&member, "{"));
    for (int i = 0; i < 100; i++) {
        assert_ok(ctx, nigh_buffer_print(&text, "%s\"property_number_%d\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", i ? "," : "", i));
        if (i % 3 == 0) assert_ok(ctx, nigh_buffer_print(&member, "%s\"property_number_%d\":[1,%d]", i ? "," : "", i, i));
    }
    assert_ok(ctx, nigh_buffer_print(&text, "}}"));
    assert_ok(ctx, nigh_buffer_print(&member, "}"));
    nigh_constraint *c = schema_of(ctx, text.data, true);
    assert_true(accepts(c, member.data));
    int64_t s = nigh_constraint_step(c, nigh_constraint_start(c), "{\"property_number_7\":[1", 23), t = nigh_constraint_step(c, s, ",1,55,1", 7);
    assert_true(s > 0);
    assert_int_equal(s, t);
    nigh_constraint_free(c);
    nigh_buffer_free(&text), nigh_buffer_free(&member);
    test_context_free(ctx);
}

static void failing_memory_leaves_nothing(void **state)
{
    const char *text = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":3},\"b\":{\"type\":\"string\",\"pattern\":\"^x+$\"},\"c\":{\"enum\":[\"a\",1]}},\"additionalProperties\":true}";
    for (long fail_at = 1; fail_at < 900; fail_at += 3) {
        test_allocator allocator = {.fail_at = fail_at};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_constraint *c = NULL;
        nigh_status status = nigh_constraint_json_schema(ctx, text, strlen(text), true, &c);
        if (status) assert_int_equal(status, NIGH_MEMORY);
        if (!status && nigh_constraint_step(c, nigh_constraint_start(c), "{\"a\":33,", 8) < 0) assert_int_equal(nigh_constraint_status(c), NIGH_MEMORY);
        nigh_constraint_free(c);
        nigh_context_free(ctx);
        assert_int_equal(allocator.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_members_are_valid), cmocka_unit_test(known_texts), cmocka_unit_test(bounds_of_numbers_are_exact), cmocka_unit_test(impossible_schemas_say_so),
        cmocka_unit_test(refusals_name_the_keyword), cmocka_unit_test(large_objects_stay_small), cmocka_unit_test(failing_memory_leaves_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
