/* Numbers of JSON schemas: bounds as sets of decimal texts. Declared in lm/constraint_schema.h. */
#include "core/words.h"
#include "lm/constraint_schema.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 400 };

/* |x| = whole.part: whole without zeros in front (but "0"), part without zeros behind. */
typedef struct decimal {
    bool negative, zero;
    char whole[DIGITS], part[DIGITS];
} decimal;

static void decimal_of(const json_t *value, decimal *d)
{
    char text[40], digits[40] = "";
    if (json_is_integer(value)) snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else number_text(json_real_value(value), false, text);
    *d = (decimal){.negative = text[0] == '-'};
    int exponent = 0, count = 0; /* the value is 0.digits * 10^exponent */
    bool point = false;
    for (const char *c = text + d->negative; *c; c++) {
        if (*c == 'e') {
            exponent += atoi(c + 1);
            break;
        }
        if (*c == '.') {
            point = true;
            continue;
        }
        if (count || *c != '0') digits[count++] = *c;
        if (!point && count) exponent++;
        if (point && !count) exponent--;
    }
    while (count && digits[count - 1] == '0') count--;
    d->zero = count == 0;
    if (d->zero) d->negative = false;
    int n = 0, m = 0;
    for (int i = 0; !d->zero && i < exponent && n + 1 < DIGITS; i++) d->whole[n++] = i < count ? digits[i] : '0';
    if (!n) d->whole[n++] = '0';
    for (int i = exponent; !d->zero && i < count && m + 1 < DIGITS; i++) d->part[m++] = i < 0 ? '0' : digits[i];
}

/* ---- regular expressions of magnitudes ---- */

static const char any_part[] = "(\\.[0-9]+)?", any_size[] = "(0|[1-9][0-9]*)(\\.[0-9]+)?";

/* Magnitudes above d, or equal when `equal`. */
static nigh_status above(nigh_buffer *out, const decimal *d, bool equal)
{
    int n = (int)strlen(d->whole), m = (int)strlen(d->part);
    nigh_status status = nigh_buffer_print(out, "([1-9][0-9]{%d,}%s", n, any_part);
    for (int i = 0; !status && i < n; i++)
        if (d->whole[i] < '9') status = nigh_buffer_print(out, "|%.*s[%c-9][0-9]{%d}%s", i, d->whole, d->whole[i] + 1, n - i - 1, any_part);
    if (!status && !m) status = nigh_buffer_print(out, equal ? "|%s%s)" : "|%s\\.[0-9]*[1-9][0-9]*)", d->whole, any_part);
    if (status || !m) return status;
    for (int i = 0; !status && i < m; i++)
        if (d->part[i] < '9') status = nigh_buffer_print(out, "|%s\\.%.*s[%c-9][0-9]*", d->whole, i, d->part, d->part[i] + 1);
    return status ? status : nigh_buffer_print(out, "|%s\\.%s[0-9]*%s)", d->whole, d->part, equal ? "" : "[1-9][0-9]*");
}

/* Magnitudes below d, or equal; nothing at all is the class [^\x{0}-\x{10ffff}]. */
static nigh_status under(nigh_buffer *out, const decimal *d, bool equal)
{
    int n = (int)strlen(d->whole), m = (int)strlen(d->part);
    nigh_status status = nigh_buffer_print(out, "([^\\x{0}-\\x{10ffff}]");
    if (!status && n > 1) status = nigh_buffer_print(out, "|(0|[1-9][0-9]{0,%d})%s", n - 2, any_part);
    for (int i = 0; !status && i < n; i++) {
        char low = i == 0 && n > 1 ? '1' : '0';
        if (d->whole[i] > low) status = nigh_buffer_print(out, "|%.*s[%c-%c][0-9]{%d}%s", i, d->whole, low, d->whole[i] - 1, n - i - 1, any_part);
    }
    if (!status && !m) return nigh_buffer_print(out, equal ? "|%s(\\.0+)?)" : ")", d->whole);
    if (!status) status = nigh_buffer_print(out, "|%s", d->whole);
    for (int i = 0; !status && i < m; i++) {
        if (d->part[i] > '0') status = nigh_buffer_print(out, "|%s\\.%.*s[0-%c][0-9]*", d->whole, i, d->part, d->part[i] - 1);
        if (!status && i) status = nigh_buffer_print(out, "|%s\\.%.*s", d->whole, i, d->part);
    }
    return status ? status : equal ? nigh_buffer_print(out, "|%s\\.%s0*)", d->whole, d->part) : nigh_buffer_print(out, ")");
}

/* All numbers on one side of a bound. */
static automaton *side(schema *s, const json_t *value, bool least, bool equal)
{
    decimal d;
    decimal_of(value, &d);
    nigh_buffer out = {.ctx = s->ctx};
    nigh_status status;
    if (least != d.negative && !d.zero) { /* away from zero */
        status = d.negative ? nigh_buffer_print(&out, "-") : NIGH_OK;
        if (!status) status = above(&out, &d, equal);
    } else if (d.zero) {
        status = least ? NIGH_OK : nigh_buffer_print(&out, "-%s|", any_size);
        if (!status) status = equal ? nigh_buffer_print(&out, least ? "-?0(\\.0+)?|%s" : "0(\\.0+)?", any_size) : NIGH_OK;
        if (!status && !equal) status = least ? above(&out, &d, false) : NIGH_OK;
        if (!status && !equal && !least) {
            out.size = 0;
            status = nigh_buffer_print(&out, "-");
            if (!status) status = above(&out, &d, false);
        }
    } else { /* towards zero and beyond */
        status = nigh_buffer_print(&out, least ? "%s|-" : "-%s|", any_size);
        if (!status) status = under(&out, &d, equal);
    }
    automaton *a = NULL;
    if (!status) status = automaton_regex(s->ctx, out.data, out.size, NULL, SCHEMA_STATES, &a);
    nigh_buffer_free(&out);
    s->status = status;
    return a;
}

/* ---- multiples ---- */

/* Whole numbers that m divides: the remainder is the state. */
static automaton *multiples(schema *s, uint32_t m)
{
    automaton_table t = {.ctx = s->ctx, .classes = 12, .most = (int64_t)m + 2};
    for (int i = 0; i < 10; i++) t.class_of['0' + i] = (uint8_t)(i + 1);
    t.class_of['-'] = 11;
    uint32_t state;
    nigh_status status = NIGH_OK;
    for (uint32_t i = 0; !status && i < m + 2; i++) status = automaton_table_add(&t, i == 2, &state); /* 0: start, 1: after a sign, r + 2 */
    for (uint32_t i = 0; !status && i < m + 2; i++)
        for (uint32_t digit = 0; digit < 10; digit++) t.next[i * 12 + digit + 1] = (uint32_t)(((i < 2 ? 0 : (uint64_t)(i - 2) * 10) + digit) % m) + 2;
    automaton *a = NULL;
    if (!status) {
        t.next[11] = 1;
        status = automaton_finish(&t, 0, &a);
    }
    automaton_table_free(&t);
    s->status = status;
    return a;
}

/* ---- numbers ---- */

static void both(schema *s, automaton **so_far, automaton *more)
{
    if (s->status || !*so_far) {
        if (s->status) automaton_free(more);
        else *so_far = more;
        return;
    }
    automaton *product = NULL;
    s->status = automaton_product(*so_far, more, AUTOMATON_AND, SCHEMA_STATES, &product);
    automaton_free(*so_far), automaton_free(more);
    *so_far = product;
}

pattern *schema_number(schema *s, const json_t *json, bool integer)
{
    static const struct {
        const char *key;
        bool least, equal;
    } bounds[] = {{"minimum", true, true}, {"exclusiveMinimum", true, false}, {"maximum", false, true}, {"exclusiveMaximum", false, false}};
    automaton *a = NULL;
    for (size_t i = 0; !s->status && i < sizeof bounds / sizeof *bounds; i++) {
        json_t *value = json_object_get(json, bounds[i].key);
        if (!value) continue;
        if (!json_is_number(value)) schema_fail(s, NIGH_FORMAT, "%s is no number", bounds[i].key);
        else both(s, &a, side(s, value, bounds[i].least, bounds[i].equal));
    }
    json_t *step = json_object_get(json, "multipleOf");
    if (step && !s->status) {
        if (!integer || !json_is_integer(step) || json_integer_value(step) < 1 || json_integer_value(step) > 10000)
            schema_fail(s, NIGH_UNSUPPORTED, "multipleOf is not supported but for integers and whole steps from 1 to 10000");
        else both(s, &a, multiples(s, (uint32_t)json_integer_value(step)));
    }
    if (!s->status && !a) return schema_fixed(s, integer ? RULE_INTEGER : RULE_NUMBER);
    if (!s->status && integer) {
        static const char whole[] = "-?(0|[1-9][0-9]*)";
        automaton *integers = NULL;
        s->status = automaton_regex(s->ctx, whole, sizeof whole - 1, NULL, SCHEMA_STATES, &integers);
        both(s, &a, integers);
    }
    if (s->status) return automaton_free(a), NULL;
    if (!a->states) schema_nothing(s, "no number lies within its bounds");
    return schema_automaton(s, a);
}
