/* Methods of values and the functions that templates may call. */
#include "lm/jinja.h"
#include "lm/characters.h"

#include <time.h>
#include <utf8proc.h>

static const char *const text_methods[] = {"strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith", "replace", "upper", "lower",
                                           "capitalize", "title", "find", "rfind", "count", "join", "isdigit", "isalpha", "isspace", "isupper", "islower",
                                           "removeprefix", "removesuffix", "format", NULL};
static const char *const map_methods[] = {"get", "items", "keys", "values", "copy", NULL};
static const char *const list_methods[] = {"index", "count", NULL};
static const char *const loop_methods[] = {"cycle", "changed", NULL};
static const char *const changing_methods[] = {"append", "extend", "insert", "pop", "remove", "clear", "update", "setdefault", "popitem", "sort", "reverse", NULL};

static const char *among(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name)) return names[i];
    return NULL;
}

jinja_value jinja_method(jinja *j, jinja_value self, const char *name)
{
    bool list = jinja_is_list(self), map = self.kind == JINJA_MAP;
    const char *known = self.kind == JINJA_TEXT ? among(text_methods, name) : map ? among(map_methods, name) : list ? among(list_methods, name)
                        : self.kind == JINJA_LOOP ? among(loop_methods, name) : NULL;
    if (!known && (list || map)) known = among(changing_methods, name);
    jinja_value *kept = known ? jinja_take(j, sizeof *kept) : NULL;
    if (!kept) return jinja_undefined(name);
    *kept = self;
    return (jinja_value){.kind = JINJA_METHOD, .name = known, .self = kept};
}

/* ---- texts ---- */

static bool blank(const char *p, size_t size)
{
    return size == 1 ? *p == ' ' || (*p >= '\t' && *p <= '\r') || (*p >= 0x1C && *p <= 0x1F) : char_class_of(char_point(p)) == CHAR_SPACE;
}

static bool in_set(jinja_value set, const char *p, size_t size)
{
    if (set.kind != JINJA_TEXT) return blank(p, size);
    for (size_t i = 0; i < set.size;) {
        size_t n = char_size((unsigned char)set.text[i]);
        if (n > set.size - i) n = set.size - i;
        if (n == size && !memcmp(set.text + i, p, n)) return true;
        i += n;
    }
    return false;
}

static jinja_value strip(jinja_value v, jinja_value set, bool left, bool right)
{
    size_t from = 0, to = v.size;
    while (left && from < to) {
        size_t n = char_size((unsigned char)v.text[from]);
        if (n > to - from || !in_set(set, v.text + from, n)) break;
        from += n;
    }
    while (right && to > from) {
        size_t n = 1;
        while (n < to - from && n < 4 && (v.text[to - n] & 0xC0) == 0x80) n++;
        if (char_size((unsigned char)v.text[to - n]) != n || !in_set(set, v.text + to - n, n)) break;
        to -= n;
    }
    return jinja_text(v.text + from, to - from);
}

static jinja_value split(jinja *j, jinja_value v, jinja_value sep, int64_t most, bool from_right)
{
    jinja_value out = jinja_list_new(j, JINJA_LIST);
    if (j->status) return out;
    if (sep.kind != JINJA_TEXT) {
        for (size_t at = 0; at < v.size && !j->status;) {
            jinja_value rest = strip(jinja_text(v.text + at, v.size - at), jinja_none(), true, false);
            at = v.size - rest.size;
            if (!rest.size) break;
            if (most >= 0 && out.list->count >= most) {
                jinja_list_add(j, out.list, strip(rest, jinja_none(), false, true));
                break;
            }
            size_t end = at;
            while (end < v.size && !blank(v.text + end, char_size((unsigned char)v.text[end]) <= v.size - end ? char_size((unsigned char)v.text[end]) : 1))
                end += char_size((unsigned char)v.text[end]) <= v.size - end ? char_size((unsigned char)v.text[end]) : 1;
            jinja_list_add(j, out.list, jinja_text(v.text + at, end - at));
            at = end;
        }
        return out;
    }
    if (!sep.size) {
        jinja_fail(j, NIGH_INVALID, "an empty text to split at");
        return out;
    }
    int64_t places = 0;
    for (const char *p = v.text; (p = memmem(p, v.size - (size_t)(p - v.text), sep.text, sep.size)); p += sep.size) places++;
    int64_t skip = from_right && most >= 0 && places > most ? places - most : 0, made = 0;
    size_t at = 0, search = 0;
    while (!j->status) {
        const char *hit = memmem(v.text + search, v.size - search, sep.text, sep.size);
        if (!hit || (most >= 0 && made >= most)) break;
        search = (size_t)(hit - v.text) + sep.size;
        if (skip-- > 0) continue;
        jinja_list_add(j, out.list, jinja_text(v.text + at, (size_t)(hit - v.text) - at));
        at = search;
        made++;
    }
    jinja_list_add(j, out.list, jinja_text(v.text + at, v.size - at));
    return out;
}

static jinja_value lines(jinja *j, jinja_value v, bool keep)
{
    jinja_value out = jinja_list_new(j, JINJA_LIST);
    for (size_t at = 0; at < v.size && !j->status;) {
        size_t end = at;
        while (end < v.size && v.text[end] != '\n' && v.text[end] != '\r') end++;
        size_t next = end + (end < v.size) + (end + 1 < v.size && v.text[end] == '\r' && v.text[end + 1] == '\n');
        jinja_list_add(j, out.list, jinja_text(v.text + at, (keep ? next : end) - at));
        at = next;
    }
    return out;
}

static bool affix(jinja *j, jinja_value v, jinja_value part, bool front)
{
    if (part.kind == JINJA_TUPLE) {
        for (int64_t i = 0; i < part.list->count; i++)
            if (part.list->at[i].kind == JINJA_TEXT && affix(j, v, part.list->at[i], front)) return true;
        return false;
    }
    if (part.kind != JINJA_TEXT) {
        jinja_fail(j, NIGH_INVALID, "%s where a text is needed", jinja_kind_name(part));
        return false;
    }
    return part.size <= v.size && !memcmp(front ? v.text : v.text + v.size - part.size, part.text, part.size);
}

static jinja_value replace(jinja *j, jinja_value v, jinja_value from, jinja_value to, int64_t most)
{
    nigh_buffer out = {.ctx = j->ctx};
    if (from.kind != JINJA_TEXT || to.kind != JINJA_TEXT) jinja_fail(j, NIGH_INVALID, "'replace' needs two texts");
    size_t at = 0;
    if (!j->status && !from.size && (most < 0 || most > (int64_t)v.size + 1)) most = (int64_t)v.size + 1;
    for (int64_t i = 0; (most < 0 || i < most) && !j->status; i++) {
        const char *hit = memmem(v.text + at, v.size - at, from.text, from.size);
        if (!from.size) hit = v.text + at + (i ? char_size((unsigned char)v.text[at]) : 0);
        if (!hit || hit > v.text + v.size) break;
        jinja_print(j, jinja_text(v.text + at, (size_t)(hit - v.text) - at), false, &out);
        jinja_print(j, to, false, &out);
        at = (size_t)(hit - v.text) + from.size;
        if (!from.size && at == v.size) break;
    }
    jinja_print(j, jinja_text(v.text + at, v.size - at), false, &out);
    v = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return v;
}

typedef enum case_kind { CASE_UPPER, CASE_LOWER, CASE_FIRST, CASE_TITLE } case_kind;

static jinja_value change_case(jinja *j, jinja_value v, case_kind kind)
{
    nigh_buffer out = {.ctx = j->ctx};
    bool start = true;
    for (size_t i = 0; i < v.size && !j->status;) {
        size_t n = char_size((unsigned char)v.text[i]);
        if (n > v.size - i) n = v.size - i;
        utf8proc_int32_t point = n == char_size((unsigned char)v.text[i]) ? (utf8proc_int32_t)char_point(v.text + i) : -1;
        bool upper = kind == CASE_UPPER || (start && kind != CASE_LOWER);
        char text[4];
        size_t m = n;
        if (point >= 0 && point <= 0x10FFFF && !(point >= 0xD800 && point < 0xE000)) {
            utf8proc_int32_t changed = !upper ? utf8proc_tolower(point) : kind == CASE_UPPER ? utf8proc_toupper(point) : utf8proc_totitle(point);
            m = char_put((uint32_t)changed, text);
        } else {
            memcpy(text, v.text + i, n);
        }
        if (point == 0xDF && upper) memcpy(text, kind == CASE_UPPER ? "SS" : "Ss", 2), m = 2;
        jinja_print(j, jinja_text(text, m), false, &out);
        start = kind == CASE_TITLE && (point < 0 || !(char_class(v.text + i) & CHAR_LETTER));
        i += n;
    }
    v = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return v;
}

static jinja_value find(jinja_value v, jinja_value part, bool last)
{
    if (part.kind != JINJA_TEXT) return jinja_integer(-1);
    const char *hit = NULL;
    for (const char *p = v.text; (p = memmem(p, v.size - (size_t)(p - v.text), part.text, part.size)); p++) {
        hit = p;
        if (!last || p == v.text + v.size) break;
    }
    return jinja_integer(hit ? jinja_characters(v.text, (size_t)(hit - v.text)) : -1);
}

static jinja_value count_of(jinja_value v, jinja_value part)
{
    int64_t n = 0;
    if (part.kind != JINJA_TEXT || !part.size) return jinja_integer(part.kind == JINJA_TEXT ? jinja_characters(v.text, v.size) + 1 : 0);
    for (const char *p = v.text; (p = memmem(p, v.size - (size_t)(p - v.text), part.text, part.size)); p += part.size) n++;
    return jinja_integer(n);
}

/* isdigit and its like; letters above 127 count by their class. */
static bool all_are(jinja_value v, const char *name)
{
    bool cased = false;
    if (!v.size) return false;
    for (size_t i = 0; i < v.size;) {
        size_t n = char_size((unsigned char)v.text[i]);
        if (n > v.size - i) return false;
        unsigned class = char_class(v.text + i);
        utf8proc_int32_t point = (utf8proc_int32_t)char_point(v.text + i);
        bool up = utf8proc_tolower(point) != point, low = utf8proc_toupper(point) != point;
        if (!strcmp(name, "isdigit") && !(class & CHAR_NUMBER)) return false;
        if (!strcmp(name, "isalpha") && !(class & CHAR_LETTER)) return false;
        if (!strcmp(name, "isspace") && !blank(v.text + i, n)) return false;
        if ((!strcmp(name, "isupper") && low) || (!strcmp(name, "islower") && up)) return false;
        cased = cased || up || low;
        i += n;
    }
    return name[2] == 'd' || name[2] == 'a' || name[2] == 's' || cased;
}

static jinja_value join_all(jinja *j, jinja_value between, jinja_value v)
{
    jinja_list items;
    nigh_buffer out = {.ctx = j->ctx};
    if (!jinja_items(j, v, &items)) return v;
    for (int64_t i = 0; i < items.count && !j->status; i++) {
        if (items.at[i].kind != JINJA_TEXT) jinja_fail(j, NIGH_INVALID, "'join' of %s; only texts are allowed", jinja_kind_name(items.at[i]));
        if (i) jinja_print(j, between, false, &out);
        jinja_print(j, items.at[i], false, &out);
    }
    v = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return v;
}

static int64_t whole(jinja_value v) { return v.kind == JINJA_INTEGER ? v.integer : -1; }

static jinja_value call_text(jinja *j, jinja_value v, const char *name, jinja_value a, jinja_value b, jinja_value c)
{
    if (!strcmp(name, "strip")) return strip(v, a, true, true);
    if (!strcmp(name, "lstrip")) return strip(v, a, true, false);
    if (!strcmp(name, "rstrip")) return strip(v, a, false, true);
    if (!strcmp(name, "split")) return split(j, v, a, whole(b), false);
    if (!strcmp(name, "rsplit")) return split(j, v, a, whole(b), true);
    if (!strcmp(name, "splitlines")) return lines(j, v, jinja_true(a));
    if (!strcmp(name, "startswith")) return jinja_bool(affix(j, v, a, true));
    if (!strcmp(name, "endswith")) return jinja_bool(affix(j, v, a, false));
    if (!strcmp(name, "removeprefix")) return affix(j, v, a, true) ? jinja_text(v.text + a.size, v.size - a.size) : v;
    if (!strcmp(name, "removesuffix")) return affix(j, v, a, false) ? jinja_text(v.text, v.size - a.size) : v;
    if (!strcmp(name, "replace")) return replace(j, v, a, b, whole(c));
    if (!strcmp(name, "upper")) return change_case(j, v, CASE_UPPER);
    if (!strcmp(name, "lower")) return change_case(j, v, CASE_LOWER);
    if (!strcmp(name, "capitalize")) return change_case(j, v, CASE_FIRST);
    if (!strcmp(name, "title")) return change_case(j, v, CASE_TITLE);
    if (!strcmp(name, "find") || !strcmp(name, "rfind")) return find(v, a, *name == 'r');
    if (!strcmp(name, "count")) return count_of(v, a);
    if (!strcmp(name, "join")) return join_all(j, v, a);
    if (!strncmp(name, "is", 2)) return jinja_bool(all_are(v, name));
    jinja_fail(j, NIGH_UNSUPPORTED, "the method '%s' of texts is not known", name);
    return v;
}

/* ---- maps, lists, loops ---- */

static jinja_value call_map(jinja *j, jinja_value v, const char *name, jinja_value a, jinja_value b)
{
    if (!strcmp(name, "get")) {
        for (int64_t i = 0; i < v.map->keys.count && !j->status; i++)
            if (jinja_equal(j, v.map->keys.at[i], a)) return v.map->values.at[i];
        return b.kind == JINJA_UNDEFINED ? jinja_none() : b;
    }
    if (!strcmp(name, "copy")) return v;
    jinja_value out = jinja_list_new(j, JINJA_LIST);
    for (int64_t i = 0; i < v.map->keys.count && !j->status; i++) {
        jinja_value item = *name == 'k' ? v.map->keys.at[i] : v.map->values.at[i];
        if (*name == 'i') {
            item = jinja_list_new(j, JINJA_TUPLE);
            if (!j->status) jinja_list_add(j, item.list, v.map->keys.at[i]);
            if (!j->status) jinja_list_add(j, item.list, v.map->values.at[i]);
        }
        if (!j->status) jinja_list_add(j, out.list, item);
    }
    return out;
}

static jinja_value call_list(jinja *j, jinja_value v, const char *name, jinja_value a)
{
    int64_t n = 0;
    for (int64_t i = 0; i < v.list->count && !j->status; i++) {
        if (!jinja_equal(j, v.list->at[i], a)) continue;
        if (*name == 'i') return jinja_integer(i);
        n++;
    }
    if (*name == 'i') jinja_fail(j, NIGH_INVALID, "a list does not hold what 'index' looks for");
    return jinja_integer(n);
}

static jinja_value call_loop(jinja *j, jinja_loop *loop, const char *name, const jinja_value *args, int count)
{
    if (!strcmp(name, "cycle")) {
        if (count < 1) jinja_fail(j, NIGH_INVALID, "'cycle' needs values");
        return count < 1 ? jinja_none() : args[loop->index % count];
    }
    jinja_value now = jinja_list_new(j, JINJA_LIST);
    for (int i = 0; i < count && !j->status; i++) jinja_list_add(j, now.list, args[i]);
    bool changed = !j->status && !(loop->changed.kind == JINJA_LIST && jinja_equal(j, loop->changed, now));
    loop->changed = now;
    return jinja_bool(changed);
}

jinja_value jinja_call_method(jinja *j, jinja_value self, const char *name, const jinja_value *args, int count)
{
    jinja_value none = jinja_undefined(name), a = count > 0 ? args[0] : none, b = count > 1 ? args[1] : none, c = count > 2 ? args[2] : none;
    if (!jinja_step(j)) return none;
    if (self.kind == JINJA_TEXT) {
        j->steps += (int64_t)(self.size / 16);
        return call_text(j, self, name, a, b, c);
    }
    if (self.kind == JINJA_LOOP) return call_loop(j, self.loop, name, args, count);
    if (self.kind == JINJA_MAP && among(map_methods, name)) return call_map(j, self, name, a, b);
    if (jinja_is_list(self) && among(list_methods, name)) return call_list(j, self, name, a);
    if (among(changing_methods, name))
        jinja_fail(j, NIGH_UNSUPPORTED, "'%s' would change a value, which templates cannot", name);
    else
        jinja_fail(j, NIGH_INVALID, "%s has no '%s'", jinja_kind_name(self), name);
    return none;
}

/* ---- functions ---- */

static jinja_value range(jinja *j, const jinja_value *args, int count)
{
    enum { MOST = 100000 }; /* as the sandbox of the reference program */
    jinja_value out = jinja_list_new(j, JINJA_LIST);
    int64_t bounds[3] = {0, 0, 1};
    if (count < 1 || count > 3) jinja_fail(j, NIGH_INVALID, "'range' with %d arguments; 1 to 3 are allowed", count);
    for (int i = 0; i < count && !j->status; i++) {
        if (args[i].kind != JINJA_INTEGER) jinja_fail(j, NIGH_INVALID, "'range' of %s", jinja_kind_name(args[i]));
        bounds[count == 1 ? 1 : i] = args[i].integer;
    }
    if (!bounds[2]) jinja_fail(j, NIGH_INVALID, "'range' in steps of 0");
    for (int64_t i = bounds[0]; (bounds[2] > 0 ? i < bounds[1] : i > bounds[1]) && !j->status;) {
        if (out.list->count == MOST) jinja_fail(j, NIGH_UNSUPPORTED, "'range' of more than %d numbers", MOST);
        if (!j->status) jinja_list_add(j, out.list, jinja_integer(i));
        if (__builtin_add_overflow(i, bounds[2], &i)) break;
    }
    return out;
}

static jinja_value map_of(jinja *j, jinja_kind kind, const jinja_value *args, int count, const char **names)
{
    jinja_value out = jinja_map_new(j, kind);
    for (int i = 0; i < count && !j->status; i++) {
        if (names && names[i]) {
            jinja_map_set(j, out.map, jinja_text(names[i], strlen(names[i])), args[i]);
        } else if (args[i].kind == JINJA_MAP) {
            for (int64_t k = 0; k < args[i].map->keys.count && !j->status; k++) jinja_map_set(j, out.map, args[i].map->keys.at[k], args[i].map->values.at[k]);
        } else {
            jinja_fail(j, NIGH_UNSUPPORTED, "a map made of %s", jinja_kind_name(args[i]));
        }
    }
    return out;
}

static jinja_value now(jinja *j, const jinja_value *args, int count)
{
    char text[256];
    time_t t = time(NULL);
    struct tm local;
    if (count != 1 || args[0].kind != JINJA_TEXT || !localtime_r(&t, &local)) {
        jinja_fail(j, NIGH_INVALID, "'strftime_now' needs a format");
        return jinja_none();
    }
    jinja_value format = jinja_copy(j, args[0].text, args[0].size);
    return j->status ? format : jinja_copy(j, text, strftime(text, sizeof text, format.text, &local));
}

static jinja_value call_function(jinja *j, const char *name, const jinja_value *args, int count, const char **names)
{
    if (!strcmp(name, "range")) return range(j, args, count);
    if (!strcmp(name, "dict")) return map_of(j, JINJA_MAP, args, count, names);
    if (!strcmp(name, "namespace")) return map_of(j, JINJA_NAMESPACE, args, count, names);
    if (!strcmp(name, "strftime_now")) return now(j, args, count);
    jinja_value text = count > 0 ? jinja_as_text(j, args[0]) : jinja_text("raise_exception", 15);
    jinja_fail(j, NIGH_INVALID, "%.*s", (int)(text.size < 400 ? text.size : 400), text.text);
    return jinja_none();
}

jinja_value jinja_call(jinja *j, jinja_value callee, const jinja_value *args, int count, const char **names)
{
    if (!jinja_step(j)) return jinja_none();
    switch (callee.kind) {
    case JINJA_MACRO: return jinja_call_macro(j, callee.macro, args, count, names);
    case JINJA_FUNCTION: return call_function(j, callee.name, args, count, names);
    case JINJA_METHOD: return jinja_call_method(j, *callee.self, callee.name, args, count);
    case JINJA_UNDEFINED: jinja_fail(j, NIGH_INVALID, "'%.60s' is undefined, so it cannot be called", callee.name ? callee.name : "value"); break;
    default: jinja_fail(j, NIGH_INVALID, "%s cannot be called", jinja_kind_name(callee));
    }
    return jinja_none();
}
