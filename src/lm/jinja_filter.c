/* Filters and tests of templates. */
#include "lm/jinja.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

/* Argument `place`, or the one of this name; undefined when it is not given. */
static jinja_value given(const jinja_value *args, int count, const char **names, int place, const char *name)
{
    int seen = 0;
    for (int i = 0; i < count; i++) {
        if (names && names[i] ? !strcmp(names[i], name) : seen++ == place) return args[i];
    }
    return jinja_undefined(name);
}

static int64_t whole(jinja_value v, int64_t otherwise) { return v.kind == JINJA_INTEGER ? v.integer : otherwise; }

static int64_t length(jinja *j, jinja_value v)
{
    if (jinja_is_list(v)) return v.list->count;
    if (v.kind == JINJA_MAP) return v.map->keys.count;
    if (v.kind == JINJA_TEXT) return jinja_characters(v.text, v.size);
    if (v.kind != JINJA_UNDEFINED) jinja_fail(j, NIGH_INVALID, "%s has no length", jinja_kind_name(v));
    return 0;
}

/* "a.b.0" of a value. */
static jinja_value path_of(jinja *j, jinja_value v, jinja_value path)
{
    if (path.kind == JINJA_INTEGER) return jinja_item(j, v, path);
    if (path.kind != JINJA_TEXT) return v;
    for (size_t at = 0; at <= path.size && !j->status;) {
        const char *dot = memchr(path.text + at, '.', path.size - at);
        size_t end = dot ? (size_t)(dot - path.text) : path.size;
        jinja_value name = jinja_copy(j, path.text + at, end - at);
        if (j->status) break;
        bool digits = name.size > 0;
        for (size_t i = 0; i < name.size; i++) digits = digits && isdigit((unsigned char)name.text[i]);
        v = digits && name.size < 10 ? jinja_item(j, v, jinja_integer(atoll(name.text))) : jinja_item(j, v, name);
        at = end + 1;
    }
    return v;
}

/* select, reject, selectattr, rejectattr */
static jinja_value choose(jinja *j, const char *name, jinja_value v, const jinja_value *args, int count)
{
    bool keep = *name == 's', attribute = strlen(name) > 6;
    jinja_list items;
    jinja_value out = jinja_list_new(j, JINJA_LIST);
    if (attribute && !count) jinja_fail(j, NIGH_INVALID, "'%s' needs the name of an attribute", name);
    if (j->status || !jinja_items(j, v, &items)) return out;
    const jinja_value *test = attribute ? args + 1 : args;
    int left = attribute ? count - 1 : count;
    if (left > 0 && test->kind != JINJA_TEXT) jinja_fail(j, NIGH_INVALID, "'%s' needs the name of a test", name);
    for (int64_t i = 0; i < items.count && !j->status; i++) {
        jinja_value item = attribute ? path_of(j, items.at[i], args[0]) : items.at[i];
        if (j->status) break;
        bool yes = left > 0 ? jinja_test(j, test->text, item, test + 1, left - 1) : jinja_true(item);
        if (yes == keep) jinja_list_add(j, out.list, items.at[i]);
    }
    return out;
}

static jinja_value map(jinja *j, jinja_value v, const jinja_value *args, int count, const char **names)
{
    jinja_list items;
    jinja_value out = jinja_list_new(j, JINJA_LIST), attribute = given(args, count, names, 99, "attribute"), none = given(args, count, names, 99, "default");
    if (j->status || !jinja_items(j, v, &items)) return out;
    bool filter = attribute.kind == JINJA_UNDEFINED;
    if (filter && (!count || args[0].kind != JINJA_TEXT)) jinja_fail(j, NIGH_INVALID, "'map' needs an attribute or the name of a filter");
    for (int64_t i = 0; i < items.count && !j->status; i++) {
        jinja_value item = filter ? jinja_filter(j, args[0].text, items.at[i], args + 1, count - 1, names ? names + 1 : NULL) : path_of(j, items.at[i], attribute);
        if (item.kind == JINJA_UNDEFINED && none.kind != JINJA_UNDEFINED) item = none;
        if (!j->status) jinja_list_add(j, out.list, item);
    }
    return out;
}

static jinja_value joined(jinja *j, jinja_value v, const jinja_value *args, int count, const char **names)
{
    jinja_value between = given(args, count, names, 0, "d"), attribute = given(args, count, names, 1, "attribute");
    if (between.kind == JINJA_UNDEFINED) between = jinja_text("", 0);
    jinja_list items;
    nigh_buffer out = {.ctx = j->ctx};
    if (!jinja_items(j, v, &items)) return v;
    for (int64_t i = 0; i < items.count && !j->status; i++) {
        if (i) jinja_print(j, between, false, &out);
        jinja_print(j, path_of(j, items.at[i], attribute), false, &out);
    }
    jinja_value text = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return text;
}

/* Order by a key, small and capital letters alike, keeping the order of equals. */
static jinja_value sorted(jinja *j, jinja_value v, jinja_value attribute, bool reverse, bool exact)
{
    jinja_list items;
    jinja_value out = jinja_list_new(j, JINJA_LIST), keys = jinja_list_new(j, JINJA_LIST);
    if (j->status || !jinja_items(j, v, &items)) return out;
    for (int64_t i = 0; i < items.count && !j->status; i++) {
        jinja_value key = path_of(j, items.at[i], attribute);
        if (!exact && key.kind == JINJA_TEXT) key = jinja_call_method(j, key, "lower", NULL, 0);
        jinja_list_add(j, keys.list, key);
        jinja_list_add(j, out.list, items.at[i]);
        for (int64_t k = i; k > 0 && jinja_step(j); k--) {
            int order = 0;
            if (!jinja_order(j, keys.list->at[k - 1], keys.list->at[k], &order) || (reverse ? order >= 0 : order <= 0)) break;
            jinja_value a = keys.list->at[k], b = out.list->at[k];
            keys.list->at[k] = keys.list->at[k - 1], out.list->at[k] = out.list->at[k - 1];
            keys.list->at[k - 1] = a, out.list->at[k - 1] = b;
        }
    }
    return out;
}

static jinja_value unique(jinja *j, jinja_value v)
{
    jinja_list items;
    jinja_value out = jinja_list_new(j, JINJA_LIST);
    if (j->status || !jinja_items(j, v, &items)) return out;
    for (int64_t i = 0; i < items.count && !j->status; i++) {
        bool seen = false;
        for (int64_t k = 0; k < out.list->count && !seen && !j->status; k++) seen = jinja_equal(j, out.list->at[k], items.at[i]);
        if (!seen) jinja_list_add(j, out.list, items.at[i]);
    }
    return out;
}

static jinja_value pairs(jinja *j, jinja_value v) { return v.kind == JINJA_UNDEFINED ? jinja_list_new(j, JINJA_LIST) : jinja_call_method(j, v, "items", NULL, 0); }

static jinja_value to_json(jinja *j, jinja_value v, const jinja_value *args, int count, const char **names)
{
    nigh_buffer out = {.ctx = j->ctx};
    jinja_value ascii = given(args, count, names, 0, "ensure_ascii"), indent = given(args, count, names, 1, "indent");
    if (count == 1 && !(names && names[0])) indent = args[0], ascii = jinja_bool(false);
    int64_t width = whole(indent, -1);
    jinja_json(j, v, width > 16 ? 16 : (int)width, 0, jinja_true(ascii), &out);
    jinja_value text = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return text;
}

static jinja_value indented(jinja *j, jinja_value v, const jinja_value *args, int count, const char **names)
{
    jinja_value width = given(args, count, names, 0, "width"), text = jinja_as_text(j, v), space = jinja_text("    ", 4);
    bool first = jinja_true(given(args, count, names, 1, "first")), empty = jinja_true(given(args, count, names, 2, "blank"));
    if (width.kind == JINJA_INTEGER) space = jinja_binary(j, "*", jinja_text(" ", 1), width);
    if (width.kind == JINJA_TEXT) space = width;
    nigh_buffer out = {.ctx = j->ctx};
    for (size_t at = 0; at < text.size && !j->status;) {
        const char *line = memchr(text.text + at, '\n', text.size - at);
        size_t end = line ? (size_t)(line - text.text) + 1 : text.size;
        bool content = text.text[at] != '\n';
        if (at ? content || empty : first) jinja_print(j, space, false, &out);
        jinja_print(j, jinja_text(text.text + at, end - at), false, &out);
        at = end;
    }
    text = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return text;
}

static jinja_value to_number(jinja *j, jinja_value v, bool real, jinja_value otherwise)
{
    double x;
    jinja_value none = otherwise.kind != JINJA_UNDEFINED ? otherwise : real ? (jinja_value){.kind = JINJA_REAL, .real = 0} : jinja_integer(0);
    if (v.kind == JINJA_TEXT) {
        jinja_value plain = jinja_call_method(j, v, "strip", NULL, 0);
        char *end;
        if (j->status || !plain.size || strlen(plain.text) != plain.size) plain = jinja_copy(j, plain.text, j->status ? 0 : plain.size);
        if (j->status || !plain.size) return none;
        x = strtod(plain.text, &end);
        if (*end || (!real && strpbrk(plain.text, "xXnN"))) return none;
    } else if (!jinja_number(v, &x)) {
        return none;
    }
    if (real) return (jinja_value){.kind = JINJA_REAL, .real = x};
    if (v.kind == JINJA_INTEGER) return v;
    return isfinite(x) && fabs(x) < 9e18 ? jinja_integer((int64_t)x) : none;
}

static jinja_value escaped(jinja *j, jinja_value v)
{
    static const char from[] = "&<>'\"", *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    nigh_buffer out = {.ctx = j->ctx};
    v = jinja_as_text(j, v);
    for (size_t i = 0; i < v.size && !j->status; i++) {
        const char *place = v.text[i] ? strchr(from, v.text[i]) : NULL;
        jinja_print(j, place ? jinja_text(to[place - from], strlen(to[place - from])) : jinja_text(v.text + i, 1), false, &out);
    }
    v = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return v;
}

static jinja_value extreme(jinja *j, jinja_value v, bool largest)
{
    jinja_list items;
    if (!jinja_items(j, v, &items) || !items.count) return jinja_undefined("extreme");
    jinja_value best = items.at[0];
    for (int64_t i = 1, order = 0; i < items.count && !j->status; i++) {
        int o = 0;
        if (!jinja_order(j, items.at[i], best, &o)) break;
        order = o;
        if (largest ? order > 0 : order < 0) best = items.at[i];
    }
    return best;
}

static jinja_value list_filter(jinja *j, const char *name, jinja_value v, const jinja_value *args, int count, const char **names, bool *known)
{
    jinja_list items;
    if (!strcmp(name, "length") || !strcmp(name, "count")) return jinja_integer(length(j, v));
    if (!strcmp(name, "join")) return joined(j, v, args, count, names);
    if (!strcmp(name, "map")) return map(j, v, args, count, names);
    if (!strcmp(name, "select") || !strcmp(name, "reject") || !strcmp(name, "selectattr") || !strcmp(name, "rejectattr")) return choose(j, name, v, args, count);
    if (!strcmp(name, "sort"))
        return sorted(j, v, given(args, count, names, 2, "attribute"), jinja_true(given(args, count, names, 0, "reverse")), jinja_true(given(args, count, names, 1, "case_sensitive")));
    if (!strcmp(name, "dictsort")) return sorted(j, pairs(j, v), jinja_integer(0), jinja_true(given(args, count, names, 2, "reverse")), false);
    if (!strcmp(name, "unique")) return unique(j, v);
    if (!strcmp(name, "items")) return pairs(j, v);
    if (!strcmp(name, "min") || !strcmp(name, "max")) return extreme(j, v, name[1] == 'a');
    bool list = !strcmp(name, "list"), first = !strcmp(name, "first"), last = !strcmp(name, "last"), reverse = !strcmp(name, "reverse"), sum = !strcmp(name, "sum");
    if (!list && !first && !last && !reverse && !sum) {
        *known = false;
        return v;
    }
    if (!jinja_items(j, v, &items)) return v;
    if (first || last) return items.count ? items.at[first ? 0 : items.count - 1] : jinja_undefined(name);
    if (sum) {
        jinja_value total = jinja_integer(0);
        for (int64_t i = 0; i < items.count && !j->status; i++) total = jinja_binary(j, "+", total, path_of(j, items.at[i], given(args, count, names, 0, "attribute")));
        return total;
    }
    jinja_value out = jinja_list_new(j, JINJA_LIST);
    for (int64_t i = 0; i < items.count && !j->status; i++) jinja_list_add(j, out.list, items.at[reverse ? items.count - 1 - i : i]);
    if (reverse && v.kind == JINJA_TEXT && !j->status) return joined(j, out, NULL, 0, NULL);
    return out;
}

jinja_value jinja_filter(jinja *j, const char *name, jinja_value v, const jinja_value *args, int count, const char **names)
{
    static const char *const methods[] = {"upper", "lower", "capitalize", "title", "replace"};
    if (!jinja_step(j)) return v;
    if (!strcmp(name, "trim")) return jinja_call_method(j, jinja_as_text(j, v), "strip", args, count);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(name, methods[i])) return jinja_call_method(j, jinja_as_text(j, v), name, args, count);
    if (!strcmp(name, "tojson")) return to_json(j, v, args, count, names);
    if (!strcmp(name, "default") || !strcmp(name, "d")) {
        jinja_value other = given(args, count, names, 0, "default_value");
        bool use = v.kind == JINJA_UNDEFINED || (jinja_true(given(args, count, names, 1, "boolean")) && !jinja_true(v));
        return !use ? v : other.kind == JINJA_UNDEFINED ? jinja_text("", 0) : other;
    }
    if (!strcmp(name, "string") || !strcmp(name, "safe")) return jinja_as_text(j, v);
    if (!strcmp(name, "int")) return to_number(j, v, false, given(args, count, names, 0, "default"));
    if (!strcmp(name, "float")) return to_number(j, v, true, given(args, count, names, 0, "default"));
    if (!strcmp(name, "indent")) return indented(j, v, args, count, names);
    if (!strcmp(name, "escape") || !strcmp(name, "e")) return escaped(j, v);
    if (!strcmp(name, "abs") && v.kind == JINJA_INTEGER) return v.integer < 0 ? jinja_binary(j, "-", jinja_integer(0), v) : v;
    if (!strcmp(name, "abs") && v.kind == JINJA_REAL) return (jinja_value){.kind = JINJA_REAL, .real = fabs(v.real)};
    bool known = true;
    jinja_value out = list_filter(j, name, v, args, count, names, &known);
    if (!known) jinja_fail(j, NIGH_UNSUPPORTED, "the filter '%.60s' is not known", name);
    return out;
}

/* ---- tests ---- */

static bool cased(jinja_value v, bool upper)
{
    bool any = false;
    for (size_t i = 0; v.kind == JINJA_TEXT && i < v.size; i++) {
        if (upper ? islower((unsigned char)v.text[i]) : isupper((unsigned char)v.text[i])) return false;
        any = any || isalpha((unsigned char)v.text[i]);
    }
    return any;
}

static bool integer_test(jinja *j, const char *name, jinja_value v, const jinja_value *args, int count)
{
    int64_t by = count && args[0].kind == JINJA_INTEGER ? args[0].integer : 2;
    if (v.kind != JINJA_INTEGER || !by) jinja_fail(j, NIGH_INVALID, "'%s' of %s", name, jinja_kind_name(v));
    if (j->status || by == -1) return by == -1;
    return (v.integer % by != 0) == (*name == 'o');
}

bool jinja_test(jinja *j, const char *name, jinja_value v, const jinja_value *args, int count)
{
    static const char *const compares[][2] = {{"eq", "=="}, {"equalto", "=="}, {"==", "=="}, {"ne", "!="}, {"!=", "!="}, {"lt", "<"}, {"lessthan", "<"}, {"<", "<"},
                                              {"le", "<="}, {"<=", "<="}, {"gt", ">"}, {"greaterthan", ">"}, {">", ">"}, {"ge", ">="}, {">=", ">="}};
    jinja_kind k = v.kind;
    if (!strcmp(name, "defined")) return k != JINJA_UNDEFINED;
    if (!strcmp(name, "undefined")) return k == JINJA_UNDEFINED;
    if (!strcmp(name, "none")) return k == JINJA_NONE;
    if (!strcmp(name, "string")) return k == JINJA_TEXT;
    if (!strcmp(name, "number")) return k == JINJA_INTEGER || k == JINJA_REAL || k == JINJA_BOOL;
    if (!strcmp(name, "integer")) return k == JINJA_INTEGER;
    if (!strcmp(name, "float")) return k == JINJA_REAL;
    if (!strcmp(name, "boolean")) return k == JINJA_BOOL;
    if (!strcmp(name, "true")) return k == JINJA_BOOL && v.truth;
    if (!strcmp(name, "false")) return k == JINJA_BOOL && !v.truth;
    if (!strcmp(name, "mapping")) return k == JINJA_MAP;
    if (!strcmp(name, "sequence")) return jinja_is_list(v) || k == JINJA_TEXT || k == JINJA_MAP || k == JINJA_UNDEFINED;
    if (!strcmp(name, "iterable")) return jinja_is_list(v) || k == JINJA_TEXT || k == JINJA_MAP || k == JINJA_UNDEFINED || k == JINJA_LOOP;
    if (!strcmp(name, "callable")) return k == JINJA_MACRO || k == JINJA_FUNCTION || k == JINJA_METHOD;
    if (!strcmp(name, "odd") || !strcmp(name, "even") || !strcmp(name, "divisibleby")) return integer_test(j, name, v, args, count);
    if (!strcmp(name, "upper") || !strcmp(name, "lower")) return cased(v, *name == 'u');
    if (count < 1) {
        jinja_fail(j, NIGH_UNSUPPORTED, "the test '%.60s' is not known", name);
        return false;
    }
    if (!strcmp(name, "in")) return jinja_test(j, "contains", args[0], &v, 1);
    if (!strcmp(name, "contains")) {
        jinja_list items;
        if (k == JINJA_TEXT && args[0].kind == JINJA_TEXT) return !args[0].size || memmem(v.text, v.size, args[0].text, args[0].size);
        bool found = false;
        if (jinja_items(j, v, &items))
            for (int64_t i = 0; i < items.count && !found && !j->status; i++) found = jinja_equal(j, items.at[i], args[0]);
        return found;
    }
    if (!strcmp(name, "sameas")) return k == args[0].kind && jinja_equal(j, v, args[0]);
    for (size_t i = 0; i < sizeof compares / sizeof *compares; i++) {
        if (strcmp(name, compares[i][0])) continue;
        const char *sign = compares[i][1];
        int order = 0;
        if (sign[1] == '=' && *sign != '<' && *sign != '>') return jinja_equal(j, v, args[0]) == (*sign == '=');
        if (!jinja_order(j, v, args[0], &order)) return false;
        return *sign == '<' ? order < (sign[1] == '=') : order > -(sign[1] == '=');
    }
    jinja_fail(j, NIGH_UNSUPPORTED, "the test '%.60s' is not known", name);
    return false;
}
