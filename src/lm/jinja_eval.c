/* Expressions of templates. */
#include "lm/jinja.h"

#include <math.h>

static const char *const functions[] = {"range", "dict", "namespace", "raise_exception", "strftime_now"};

static jinja_value look_up(jinja *j, const char *name, size_t size)
{
    for (const jinja_scope *s = j->scope; s; s = s->outer) {
        const jinja_value *found = jinja_map_get(j, &s->vars, name, size);
        if (found) return *found;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i], name)) return (jinja_value){.kind = JINJA_FUNCTION, .name = functions[i]};
    return jinja_undefined(name);
}

/* ---- parts of values ---- */

static jinja_value loop_attribute(jinja *j, jinja_loop *loop, const char *name)
{
    int64_t i = loop->index, n = loop->items.count;
    if (!strcmp(name, "index")) return jinja_integer(i + 1);
    if (!strcmp(name, "index0")) return jinja_integer(i);
    if (!strcmp(name, "revindex")) return jinja_integer(n - i);
    if (!strcmp(name, "revindex0")) return jinja_integer(n - i - 1);
    if (!strcmp(name, "first")) return jinja_bool(i == 0);
    if (!strcmp(name, "last")) return jinja_bool(i == n - 1);
    if (!strcmp(name, "length")) return jinja_integer(n);
    if (!strcmp(name, "depth")) return jinja_integer(loop->depth);
    if (!strcmp(name, "depth0")) return jinja_integer(loop->depth - 1);
    if (!strcmp(name, "previtem")) return i > 0 ? loop->items.at[i - 1] : jinja_undefined("loop.previtem");
    if (!strcmp(name, "nextitem")) return i + 1 < n ? loop->items.at[i + 1] : jinja_undefined("loop.nextitem");
    return jinja_method(j, (jinja_value){.kind = JINJA_LOOP, .loop = loop}, name);
}

jinja_value jinja_attribute(jinja *j, jinja_value v, const char *name, size_t size)
{
    if (j->status) return jinja_undefined(name);
    if (v.kind == JINJA_UNDEFINED) {
        jinja_fail(j, NIGH_INVALID, "'%.60s' is undefined, so it has no '%.60s'", v.name ? v.name : "value", name);
        return jinja_undefined(name);
    }
    if (v.kind == JINJA_LOOP) return loop_attribute(j, v.loop, name);
    if (v.kind != JINJA_NAMESPACE) {
        jinja_value method = jinja_method(j, v, name);
        if (method.kind != JINJA_UNDEFINED) return method;
    }
    if (v.kind == JINJA_MAP || v.kind == JINJA_NAMESPACE) {
        const jinja_value *found = jinja_map_get(j, v.map, name, size);
        if (found) return *found;
    }
    return jinja_undefined(name);
}

jinja_value jinja_item(jinja *j, jinja_value v, jinja_value key)
{
    if (j->status) return jinja_undefined(NULL);
    if (v.kind == JINJA_UNDEFINED) {
        jinja_fail(j, NIGH_INVALID, "'%.60s' is undefined, so it has no items", v.name ? v.name : "value");
        return v;
    }
    if (v.kind == JINJA_MAP || v.kind == JINJA_NAMESPACE) {
        for (int64_t i = 0; i < v.map->keys.count && jinja_step(j); i++)
            if (jinja_equal(j, v.map->keys.at[i], key)) return v.map->values.at[i];
    }
    if (key.kind == JINJA_TEXT) return jinja_attribute(j, v, key.text, key.size);
    if (key.kind == JINJA_INTEGER && (jinja_is_list(v) || v.kind == JINJA_TEXT)) {
        int64_t n = jinja_is_list(v) ? v.list->count : jinja_characters(v.text, v.size), i = key.integer < 0 ? key.integer + n : key.integer;
        if (i < 0 || i >= n) return jinja_undefined("item");
        if (jinja_is_list(v)) return v.list->at[i];
        size_t from = jinja_byte_at(v.text, v.size, i);
        return jinja_text(v.text + from, jinja_byte_at(v.text + from, v.size - from, 1));
    }
    return jinja_undefined("item");
}

/* A bound of a slice, clipped as Python does. */
static bool bound(jinja *j, const jinja_node *node, int64_t *value)
{
    jinja_value v = node ? jinja_eval(j, node) : jinja_none();
    if (v.kind == JINJA_NONE || j->status) return false;
    if (v.kind != JINJA_INTEGER && v.kind != JINJA_BOOL) jinja_fail(j, NIGH_INVALID, "%s as a bound of a slice", jinja_kind_name(v));
    *value = v.kind == JINJA_BOOL ? v.truth : v.integer;
    return true;
}

static jinja_value slice(jinja *j, const jinja_node *node)
{
    jinja_value v = jinja_eval(j, node->a);
    int64_t step = 1, from, to;
    if (bound(j, node->d, &step) && !step) jinja_fail(j, NIGH_INVALID, "a slice in steps of 0");
    bool has_from = bound(j, node->b, &from), has_to = bound(j, node->c, &to);
    if (j->status) return v;
    if (!jinja_is_list(v) && v.kind != JINJA_TEXT) {
        jinja_fail(j, NIGH_INVALID, "%s cannot be sliced", jinja_kind_name(v));
        return v;
    }
    jinja_list items;
    if (!jinja_items(j, v, &items)) return v;
    int64_t n = items.count, low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    from = !has_from ? step > 0 ? low : high : from < 0 ? from + n : from;
    to = !has_to ? step > 0 ? high : low : to < 0 ? to + n : to;
    from = from < low ? low : from > high ? high : from;
    to = to < low ? low : to > high ? high : to;
    if (v.kind == JINJA_TEXT && step == 1) {
        size_t a = jinja_byte_at(v.text, v.size, from), b = from < to ? jinja_byte_at(v.text, v.size, to) : a;
        return jinja_text(v.text + a, b - a);
    }
    jinja_value out = jinja_list_new(j, v.kind == JINJA_TEXT ? JINJA_LIST : v.kind);
    for (int64_t i = from; (step > 0 ? i < to : i > to) && !j->status; i += step) jinja_list_add(j, out.list, items.at[i]);
    if (v.kind != JINJA_TEXT || j->status) return out;
    return jinja_call_method(j, jinja_text("", 0), "join", &out, 1);
}

/* ---- operators ---- */

static jinja_value join(jinja *j, jinja_value a, jinja_value b)
{
    char *text = jinja_take(j, a.size + b.size + 1);
    if (!text) return jinja_undefined(NULL);
    if (a.size) memcpy(text, a.text, a.size);
    if (b.size) memcpy(text + a.size, b.text, b.size);
    j->steps += (int64_t)((a.size + b.size) / 64);
    return jinja_text(text, a.size + b.size);
}

static jinja_value repeat(jinja *j, jinja_value v, int64_t times)
{
    if (times < 0) times = 0;
    if (v.kind == JINJA_TEXT) {
        if (v.size && times > JINJA_OUTPUT / (int64_t)v.size) jinja_fail(j, NIGH_UNSUPPORTED, "a text of more than %d MB", JINJA_OUTPUT >> 20);
        char *text = j->status ? NULL : jinja_take(j, v.size * (size_t)times + 1);
        if (!text) return v;
        for (int64_t i = 0; i < times; i++) memcpy(text + (size_t)i * v.size, v.text, v.size);
        j->steps += (int64_t)(v.size * (size_t)times / 64);
        return jinja_text(text, v.size * (size_t)times);
    }
    jinja_value out = jinja_list_new(j, v.kind);
    for (int64_t i = 0; i < times && v.list->count && !j->status; i++)
        for (int64_t k = 0; k < v.list->count && !j->status; k++) jinja_list_add(j, out.list, v.list->at[k]);
    return out;
}

static jinja_value integers(jinja *j, const char *sign, int64_t a, int64_t b)
{
    int64_t out = 0;
    bool over = false;
    switch (*sign) {
    case '+': over = __builtin_add_overflow(a, b, &out); break;
    case '-': over = __builtin_sub_overflow(a, b, &out); break;
    case '*':
        if (!sign[1]) {
            over = __builtin_mul_overflow(a, b, &out);
            break;
        }
        if (b < 0) return (jinja_value){.kind = JINJA_REAL, .real = pow((double)a, (double)b)};
        out = 1;
        for (int64_t i = 0; i < b && !over && jinja_step(j); i++) over = __builtin_mul_overflow(out, a, &out);
        break;
    default: /* / // % */
        if (!b) {
            jinja_fail(j, NIGH_INVALID, "a division by zero");
            return jinja_none();
        }
        if (!strcmp(sign, "/")) return (jinja_value){.kind = JINJA_REAL, .real = (double)a / (double)b};
        over = a == INT64_MIN && b == -1;
        if (!over) out = *sign == '/' ? a / b - ((a % b != 0) && ((a < 0) != (b < 0))) : a % b;
        if (!over && *sign == '%' && out && (out < 0) != (b < 0)) out += b;
    }
    if (over) jinja_fail(j, NIGH_UNSUPPORTED, "%lld %s %lld does not fit in 64 bits", (long long)a, sign, (long long)b);
    return jinja_integer(out);
}

static jinja_value reals(jinja *j, const char *sign, double a, double b)
{
    if ((*sign == '/' || *sign == '%') && b == 0) jinja_fail(j, NIGH_INVALID, "a division by zero");
    double out = *sign == '+' ? a + b : *sign == '-' ? a - b : !strcmp(sign, "*") ? a * b : *sign == '*' ? pow(a, b) : !strcmp(sign, "/") ? a / b : 0;
    if (!strcmp(sign, "//")) out = floor(a / b);
    if (*sign == '%' && b != 0) {
        out = fmod(a, b);
        if (out != 0 && (out < 0) != (b < 0)) out += b;
    }
    return (jinja_value){.kind = JINJA_REAL, .real = out};
}

jinja_value jinja_binary(jinja *j, const char *sign, jinja_value a, jinja_value b)
{
    double x, y;
    if (j->status) return a;
    if (*sign == '~') return join(j, jinja_as_text(j, a), jinja_as_text(j, b));
    if (jinja_number(a, &x) && jinja_number(b, &y)) {
        if (a.kind == JINJA_REAL || b.kind == JINJA_REAL) return reals(j, sign, x, y);
        return integers(j, sign, a.kind == JINJA_BOOL ? a.truth : a.integer, b.kind == JINJA_BOOL ? b.truth : b.integer);
    }
    if (*sign == '+' && a.kind == JINJA_TEXT && b.kind == JINJA_TEXT) return join(j, a, b);
    if (*sign == '+' && jinja_is_list(a) && a.kind == b.kind) {
        jinja_value out = jinja_list_new(j, a.kind);
        for (int64_t i = 0; i < a.list->count && !j->status; i++) jinja_list_add(j, out.list, a.list->at[i]);
        for (int64_t i = 0; i < b.list->count && !j->status; i++) jinja_list_add(j, out.list, b.list->at[i]);
        return out;
    }
    if (!strcmp(sign, "*") && (a.kind == JINJA_TEXT || jinja_is_list(a)) && b.kind == JINJA_INTEGER) return repeat(j, a, b.integer);
    if (!strcmp(sign, "*") && (b.kind == JINJA_TEXT || jinja_is_list(b)) && a.kind == JINJA_INTEGER) return repeat(j, b, a.integer);
    const char *missing = a.kind == JINJA_UNDEFINED ? a.name : b.kind == JINJA_UNDEFINED ? b.name : NULL;
    if (missing)
        jinja_fail(j, NIGH_INVALID, "'%.60s' is undefined", missing);
    else
        jinja_fail(j, NIGH_INVALID, "%s %s %s has no meaning", jinja_kind_name(a), sign, jinja_kind_name(b));
    return jinja_none();
}

static bool contains(jinja *j, jinja_value whole, jinja_value part)
{
    if (whole.kind == JINJA_TEXT && part.kind == JINJA_TEXT) {
        j->steps += (int64_t)(whole.size / 64);
        return !part.size || memmem(whole.text, whole.size, part.text, part.size);
    }
    if (whole.kind == JINJA_TEXT || (whole.kind != JINJA_UNDEFINED && whole.kind != JINJA_MAP && !jinja_is_list(whole))) {
        jinja_fail(j, NIGH_INVALID, "%s in %s has no meaning", jinja_kind_name(part), jinja_kind_name(whole));
        return false;
    }
    jinja_list items;
    if (!jinja_items(j, whole, &items)) return false;
    for (int64_t i = 0; i < items.count && !j->status; i++)
        if (jinja_equal(j, items.at[i], part)) return true;
    return false;
}

static bool compare(jinja *j, const char *sign, jinja_value a, jinja_value b)
{
    int order = 0;
    if (!strcmp(sign, "==")) return jinja_equal(j, a, b);
    if (!strcmp(sign, "!=")) return !jinja_equal(j, a, b);
    if (!strcmp(sign, "in")) return contains(j, b, a);
    if (!strcmp(sign, "not in")) return !contains(j, b, a);
    if (!jinja_order(j, a, b, &order)) return false;
    return *sign == '<' ? order < (sign[1] == '=') : order > -(sign[1] == '=');
}

static jinja_value compare_all(jinja *j, const jinja_node *node)
{
    jinja_value left = jinja_eval(j, node->child[0]);
    for (int i = 1; i < node->children && !j->status; i++) {
        jinja_value right = jinja_eval(j, node->child[i]);
        if (j->status || !compare(j, node->name[i], left, right)) return jinja_bool(false);
        left = right;
    }
    return jinja_bool(true);
}

/* ---- calls ---- */

static int arguments(jinja *j, const jinja_node *node, jinja_value *args)
{
    for (int i = 0; i < node->children && !j->status; i++) args[i] = jinja_eval(j, node->child[i]);
    return node->children;
}

static jinja_value test(jinja *j, const jinja_node *node)
{
    jinja_value args[JINJA_ARGUMENTS], value = jinja_eval(j, node->a);
    int count = arguments(j, node, args);
    if (j->status) return value;
    return jinja_bool(jinja_test(j, node->text, value, args, count) != node->negative);
}

static jinja_value collection(jinja *j, const jinja_node *node)
{
    if (node->kind == NODE_MAP) {
        jinja_value map = jinja_map_new(j, JINJA_MAP);
        for (int i = 0; i + 1 < node->children && !j->status; i += 2) {
            jinja_value key = jinja_eval(j, node->child[i]), value = jinja_eval(j, node->child[i + 1]);
            if (!j->status) jinja_map_set(j, map.map, key, value);
        }
        return map;
    }
    jinja_value list = jinja_list_new(j, node->kind == NODE_LIST ? JINJA_LIST : JINJA_TUPLE);
    for (int i = 0; i < node->children && !j->status; i++) {
        jinja_value item = jinja_eval(j, node->child[i]);
        if (!j->status) jinja_list_add(j, list.list, item);
    }
    return list;
}

static jinja_value negate(jinja *j, jinja_value v)
{
    double real;
    if (v.kind == JINJA_INTEGER || v.kind == JINJA_BOOL) return integers(j, "-", 0, v.kind == JINJA_BOOL ? v.truth : v.integer);
    if (jinja_number(v, &real)) return (jinja_value){.kind = JINJA_REAL, .real = -real};
    jinja_fail(j, NIGH_INVALID, "%s has no negative", jinja_kind_name(v));
    return v;
}

static jinja_value eval(jinja *j, const jinja_node *node)
{
    jinja_value a, b, args[JINJA_ARGUMENTS];
    switch (node->kind) {
    case NODE_LITERAL: return node->value;
    case NODE_NAME: return look_up(j, node->text, node->size);
    case NODE_ATTRIBUTE: return jinja_attribute(j, jinja_eval(j, node->a), node->text, node->size);
    case NODE_ITEM:
        a = jinja_eval(j, node->a);
        b = jinja_eval(j, node->b);
        return jinja_item(j, a, b);
    case NODE_SLICE: return slice(j, node);
    case NODE_CALL:
        a = jinja_eval(j, node->a);
        arguments(j, node, args);
        return j->status ? a : jinja_call(j, a, args, node->children, node->name);
    case NODE_FILTER:
        a = jinja_eval(j, node->a);
        arguments(j, node, args);
        return j->status ? a : jinja_filter(j, node->text, a, args, node->children, node->name);
    case NODE_TEST: return test(j, node);
    case NODE_NOT: return jinja_bool(!jinja_true(jinja_eval(j, node->a)));
    case NODE_MINUS: return negate(j, jinja_eval(j, node->a));
    case NODE_PLUS: return jinja_eval(j, node->a);
    case NODE_AND: return a = jinja_eval(j, node->a), j->status || !jinja_true(a) ? a : jinja_eval(j, node->b);
    case NODE_OR: return a = jinja_eval(j, node->a), j->status || jinja_true(a) ? a : jinja_eval(j, node->b);
    case NODE_CONDITION:
        if (jinja_true(jinja_eval(j, node->b))) return jinja_eval(j, node->a);
        return node->c ? jinja_eval(j, node->c) : jinja_undefined("condition");
    case NODE_BINARY:
        a = jinja_eval(j, node->a);
        b = jinja_eval(j, node->b);
        return jinja_binary(j, node->text, a, b);
    case NODE_COMPARE: return compare_all(j, node);
    default: return collection(j, node);
    }
}

jinja_value jinja_eval(jinja *j, const jinja_node *node)
{
    if (!node || !jinja_step(j)) return jinja_undefined(NULL);
    j->line = node->line;
    if (++j->depth > 2 * JINJA_DEPTH) jinja_fail(j, NIGH_UNSUPPORTED, "expressions are nested more than %d deep", 2 * JINJA_DEPTH);
    jinja_value value = j->status ? jinja_undefined(NULL) : eval(j, node);
    j->depth--;
    return value;
}
