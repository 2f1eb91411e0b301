/* Values of templates: memory, lists and maps, their texts as Python writes them, JSON. */
#include "lm/jinja.h"
#include "lm/characters.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void jinja_fail(jinja *j, nigh_status status, const char *format, ...)
{
    if (j->status) return;
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    j->status = nigh_fail(j->ctx, status, "chat template, line %d: %s", j->line, text);
}

void *jinja_take(jinja *j, size_t bytes)
{
    enum { CHUNK = 64 << 10 };
    bytes = (bytes + 15) / 16 * 16;
    if (j->status) return NULL;
    if (bytes > j->chunk_left) {
        size_t room = bytes > CHUNK / 4 ? bytes : CHUNK;
        if (room > JINJA_MEMORY - j->memory) {
            jinja_fail(j, NIGH_UNSUPPORTED, "needs more than %d MB", JINJA_MEMORY >> 20);
            return NULL;
        }
        char *block = nigh_arena_alloc_zero(j->arena, room, 1);
        if (!block) {
            j->status = NIGH_MEMORY;
            return NULL;
        }
        j->memory += room;
        if (room != CHUNK) return block;
        j->chunk = block, j->chunk_left = room;
    }
    void *out = j->chunk;
    j->chunk += bytes, j->chunk_left -= bytes;
    return out;
}

bool jinja_step(jinja *j)
{
    if (++j->steps > JINJA_STEPS) jinja_fail(j, NIGH_UNSUPPORTED, "takes more than %d steps", JINJA_STEPS);
    return !j->status;
}

jinja_value jinja_copy(jinja *j, const char *text, size_t size)
{
    char *out = jinja_take(j, size + 1);
    if (!out) return jinja_undefined(NULL);
    if (size) memcpy(out, text, size);
    j->steps += (int64_t)(size / 64);
    return jinja_text(out, size);
}

/* ---- lists and maps ---- */

jinja_value jinja_list_new(jinja *j, jinja_kind kind)
{
    jinja_list *list = jinja_take(j, sizeof *list);
    return list ? (jinja_value){.kind = kind, .list = list} : jinja_undefined(NULL);
}

jinja_value jinja_map_new(jinja *j, jinja_kind kind)
{
    jinja_map *map = jinja_take(j, sizeof *map);
    return map ? (jinja_value){.kind = kind, .map = map} : jinja_undefined(NULL);
}

void jinja_list_add(jinja *j, jinja_list *list, jinja_value value)
{
    if (!jinja_step(j)) return;
    if (list->count == list->room) {
        int64_t room = 2 * list->room + 4;
        jinja_value *at = jinja_take(j, (size_t)room * sizeof *at);
        if (!at) return;
        if (list->count) memcpy(at, list->at, (size_t)list->count * sizeof *at);
        list->at = at, list->room = room;
    }
    list->at[list->count++] = value;
}

const jinja_value *jinja_map_get(jinja *j, const jinja_map *map, const char *key, size_t size)
{
    for (int64_t i = 0; i < map->keys.count; i++) {
        const jinja_value *k = map->keys.at + i;
        if (k->kind == JINJA_TEXT && k->size == size && !memcmp(k->text, key, size)) return map->values.at + i;
    }
    j->steps += map->keys.count / 8;
    return NULL;
}

void jinja_map_set(jinja *j, jinja_map *map, jinja_value key, jinja_value value)
{
    for (int64_t i = 0; i < map->keys.count && jinja_step(j); i++)
        if (jinja_equal(j, map->keys.at[i], key)) {
            map->values.at[i] = value;
            return;
        }
    jinja_list_add(j, &map->keys, key);
    jinja_list_add(j, &map->values, value);
    if (map->values.count < map->keys.count) map->keys.count = map->values.count;
}

bool jinja_is_list(jinja_value v) { return v.kind == JINJA_LIST || v.kind == JINJA_TUPLE; }

/* ---- comparing ---- */

bool jinja_true(jinja_value v)
{
    switch (v.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE: return false;
    case JINJA_BOOL: return v.truth;
    case JINJA_INTEGER: return v.integer != 0;
    case JINJA_REAL: return v.real != 0;
    case JINJA_TEXT: return v.size > 0;
    case JINJA_LIST:
    case JINJA_TUPLE: return v.list->count > 0;
    case JINJA_MAP: return v.map->keys.count > 0;
    default: return true;
    }
}

bool jinja_number(jinja_value v, double *real)
{
    if (v.kind == JINJA_BOOL) *real = v.truth;
    if (v.kind == JINJA_INTEGER) *real = (double)v.integer;
    if (v.kind == JINJA_REAL) *real = v.real;
    return v.kind == JINJA_BOOL || v.kind == JINJA_INTEGER || v.kind == JINJA_REAL;
}

static bool equal_within(jinja *j, jinja_value a, jinja_value b, int depth)
{
    double x, y;
    if (!jinja_step(j) || depth > JINJA_DEPTH) return false;
    if (a.kind == JINJA_INTEGER && b.kind == JINJA_INTEGER) return a.integer == b.integer;
    if (jinja_number(a, &x) && jinja_number(b, &y)) return x == y;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case JINJA_UNDEFINED:
    case JINJA_NONE: return true;
    case JINJA_TEXT: return a.size == b.size && !memcmp(a.text, b.text, a.size);
    case JINJA_LIST:
    case JINJA_TUPLE:
        if (a.list->count != b.list->count) return false;
        for (int64_t i = 0; i < a.list->count; i++)
            if (!equal_within(j, a.list->at[i], b.list->at[i], depth + 1)) return false;
        return true;
    case JINJA_MAP:
        if (a.map->keys.count != b.map->keys.count) return false;
        for (int64_t i = 0; i < a.map->keys.count; i++) {
            jinja_value key = a.map->keys.at[i];
            const jinja_value *other = key.kind == JINJA_TEXT ? jinja_map_get(j, b.map, key.text, key.size) : NULL;
            if (!other || !equal_within(j, a.map->values.at[i], *other, depth + 1)) return false;
        }
        return true;
    default: return a.text == b.text;
    }
}

bool jinja_equal(jinja *j, jinja_value a, jinja_value b) { return equal_within(j, a, b, 0); }

static bool order_within(jinja *j, jinja_value a, jinja_value b, int *order, int depth)
{
    double x, y;
    if (jinja_number(a, &x) && jinja_number(b, &y)) {
        *order = a.kind == JINJA_INTEGER && b.kind == JINJA_INTEGER ? (a.integer > b.integer) - (a.integer < b.integer) : (x > y) - (x < y);
        return true;
    }
    if (a.kind == JINJA_TEXT && b.kind == JINJA_TEXT) {
        int c = memcmp(a.text, b.text, a.size < b.size ? a.size : b.size);
        *order = c ? c : (a.size > b.size) - (a.size < b.size);
        return true;
    }
    if (jinja_is_list(a) && a.kind == b.kind && depth < JINJA_DEPTH) {
        for (int64_t i = 0; i < a.list->count && i < b.list->count && jinja_step(j); i++) {
            if (equal_within(j, a.list->at[i], b.list->at[i], depth)) continue;
            return order_within(j, a.list->at[i], b.list->at[i], order, depth + 1);
        }
        *order = (a.list->count > b.list->count) - (a.list->count < b.list->count);
        return true;
    }
    jinja_fail(j, NIGH_INVALID, "%s and %s have no order", jinja_kind_name(a), jinja_kind_name(b));
    return false;
}

bool jinja_order(jinja *j, jinja_value a, jinja_value b, int *order) { return order_within(j, a, b, order, 0); }

const char *jinja_kind_name(jinja_value v)
{
    static const char *const names[] = {"an undefined value", "none", "a boolean", "an integer", "a real number", "a text", "a list", "a tuple", "a map", "a namespace",
                                        "loop", "a macro", "a function", "a method"};
    return names[v.kind];
}

/* ---- going through ---- */

bool jinja_items(jinja *j, jinja_value v, jinja_list *items)
{
    *items = (jinja_list){0};
    switch (v.kind) {
    case JINJA_UNDEFINED: return true;
    case JINJA_LIST:
    case JINJA_TUPLE: *items = *v.list; return true;
    case JINJA_MAP: *items = v.map->keys; return true;
    case JINJA_TEXT:
        for (size_t i = 0; i < v.size && !j->status;) {
            size_t n = char_size((unsigned char)v.text[i]);
            if (n > v.size - i) n = v.size - i;
            jinja_list_add(j, items, jinja_text(v.text + i, n));
            i += n;
        }
        return !j->status;
    default: jinja_fail(j, NIGH_INVALID, "%s cannot be gone through", jinja_kind_name(v)); return false;
    }
}

int64_t jinja_characters(const char *text, size_t size)
{
    int64_t n = 0;
    for (size_t i = 0; i < size; i++) n += (text[i] & 0xC0) != 0x80;
    return n;
}

size_t jinja_byte_at(const char *text, size_t size, int64_t character)
{
    size_t i = 0;
    while (i < size) {
        if ((text[i] & 0xC0) != 0x80 && character-- <= 0) break;
        i++;
    }
    return i;
}

/* ---- texts ---- */

static void add(jinja *j, nigh_buffer *out, const char *text, size_t size)
{
    if (j->status) return;
    if (out->size + size > JINJA_OUTPUT) {
        jinja_fail(j, NIGH_UNSUPPORTED, "makes more than %d MB of text", JINJA_OUTPUT >> 20);
        return;
    }
    if (nigh_buffer_add(out, text, size)) j->status = NIGH_MEMORY;
}

static void add_text(jinja *j, nigh_buffer *out, const char *text) { add(j, out, text, strlen(text)); }

static void print_real(jinja *j, double x, nigh_buffer *out)
{
    char text[40];
    if (isnan(x) || isinf(x)) {
        add_text(j, out, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    double size = fabs(x);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, x);
        if (strtod(text, NULL) != x) continue;
        int exponent = atoi(strchr(text, 'e') + 1);
        if (!(size >= 1e16 || (size < 1e-4 && size > 0))) snprintf(text, sizeof text, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 1, x);
        break;
    }
    add_text(j, out, text);
}

/* As Python's repr of a text. */
static void print_quoted(jinja *j, jinja_value v, nigh_buffer *out)
{
    bool single = memchr(v.text, '\'', v.size) && !memchr(v.text, '"', v.size);
    char quote = single ? '"' : '\'', hex[8];
    add(j, out, &quote, 1);
    for (size_t i = 0; i < v.size && !j->status; i++) {
        char c = v.text[i];
        if (c == quote || c == '\\') add(j, out, "\\", 1);
        if (c == '\n' || c == '\r' || c == '\t') {
            add_text(j, out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        } else if ((unsigned char)c < 32 || c == 127) {
            snprintf(hex, sizeof hex, "\\x%02x", (unsigned)(unsigned char)c);
            add_text(j, out, hex);
        } else {
            add(j, out, &c, 1);
        }
    }
    add(j, out, &quote, 1);
}

static void print_within(jinja *j, jinja_value v, bool quoted, int depth, nigh_buffer *out)
{
    char text[32];
    if (depth > JINJA_DEPTH) jinja_fail(j, NIGH_UNSUPPORTED, "a value nested more than %d deep", JINJA_DEPTH);
    if (!jinja_step(j)) return;
    switch (v.kind) {
    case JINJA_UNDEFINED: break;
    case JINJA_NONE: add_text(j, out, "None"); break;
    case JINJA_BOOL: add_text(j, out, v.truth ? "True" : "False"); break;
    case JINJA_INTEGER:
        snprintf(text, sizeof text, "%lld", (long long)v.integer);
        add_text(j, out, text);
        break;
    case JINJA_REAL: print_real(j, v.real, out); break;
    case JINJA_TEXT:
        if (quoted)
            print_quoted(j, v, out);
        else
            add(j, out, v.text, v.size);
        break;
    case JINJA_LIST:
    case JINJA_TUPLE:
        add(j, out, v.kind == JINJA_LIST ? "[" : "(", 1);
        for (int64_t i = 0; i < v.list->count && !j->status; i++) {
            if (i) add(j, out, ", ", 2);
            print_within(j, v.list->at[i], true, depth + 1, out);
        }
        if (v.kind == JINJA_TUPLE && v.list->count == 1) add(j, out, ",", 1);
        add(j, out, v.kind == JINJA_LIST ? "]" : ")", 1);
        break;
    case JINJA_MAP:
        add(j, out, "{", 1);
        for (int64_t i = 0; i < v.map->keys.count && !j->status; i++) {
            if (i) add(j, out, ", ", 2);
            print_within(j, v.map->keys.at[i], true, depth + 1, out);
            add(j, out, ": ", 2);
            print_within(j, v.map->values.at[i], true, depth + 1, out);
        }
        add(j, out, "}", 1);
        break;
    default: jinja_fail(j, NIGH_UNSUPPORTED, "%s cannot be printed", jinja_kind_name(v));
    }
}

void jinja_print(jinja *j, jinja_value v, bool quoted, nigh_buffer *out) { print_within(j, v, quoted, 0, out); }

jinja_value jinja_as_text(jinja *j, jinja_value v)
{
    if (v.kind == JINJA_TEXT) return v;
    nigh_buffer out = {.ctx = j->ctx};
    jinja_print(j, v, false, &out);
    jinja_value text = jinja_copy(j, out.data, out.size);
    nigh_buffer_free(&out);
    return text;
}

/* ---- JSON, as Python's json.dumps writes it ---- */

static void json_text(jinja *j, jinja_value v, bool ascii, nigh_buffer *out)
{
    char code[16];
    add(j, out, "\"", 1);
    for (size_t i = 0; i < v.size && !j->status;) {
        unsigned char c = (unsigned char)v.text[i];
        size_t n = char_size(c);
        static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
        const char *place = c ? strchr(from, c) : NULL;
        if (place) {
            char pair[2] = {'\\', to[place - from]};
            add(j, out, pair, 2);
            i++;
        } else if (c < 32) {
            snprintf(code, sizeof code, "\\u%04x", c);
            add_text(j, out, code);
            i++;
        } else if (c < 0x80 || !ascii || n > v.size - i) {
            size_t width = n > v.size - i ? 1 : n;
            add(j, out, v.text + i, width);
            i += width;
        } else {
            uint32_t point = char_point(v.text + i);
            if (point < 0x10000)
                snprintf(code, sizeof code, "\\u%04x", (unsigned)(point & 0xFFFF));
            else
                snprintf(code, sizeof code, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((point - 0x10000) >> 10 & 0x3FF)), (unsigned)(0xDC00 + (point & 0x3FF)));
            add_text(j, out, code);
            i += n;
        }
    }
    add(j, out, "\"", 1);
}

static void json_line(jinja *j, int indent, int level, nigh_buffer *out)
{
    if (indent < 0) return;
    add(j, out, "\n", 1);
    for (int i = 0; i < indent * level && !j->status; i++) add(j, out, " ", 1);
}

void jinja_json(jinja *j, jinja_value v, int indent, int level, bool ascii, nigh_buffer *out)
{
    if (level > JINJA_DEPTH) jinja_fail(j, NIGH_UNSUPPORTED, "a value nested more than %d deep", JINJA_DEPTH);
    if (!jinja_step(j)) return;
    bool map = v.kind == JINJA_MAP || v.kind == JINJA_NAMESPACE;
    switch (v.kind) {
    case JINJA_NONE: add_text(j, out, "null"); return;
    case JINJA_BOOL: add_text(j, out, v.truth ? "true" : "false"); return;
    case JINJA_REAL:
        if (isfinite(v.real))
            print_real(j, v.real, out);
        else
            add_text(j, out, isnan(v.real) ? "NaN" : v.real > 0 ? "Infinity" : "-Infinity");
        return;
    case JINJA_INTEGER: print_within(j, v, false, level, out); return;
    case JINJA_TEXT: json_text(j, v, ascii, out); return;
    case JINJA_LIST:
    case JINJA_TUPLE:
    case JINJA_MAP: break;
    default: jinja_fail(j, NIGH_INVALID, "%s cannot become JSON", jinja_kind_name(v)); return;
    }
    const jinja_list *list = map ? &v.map->keys : v.list;
    add(j, out, map ? "{" : "[", 1);
    for (int64_t i = 0; i < list->count && !j->status; i++) {
        if (i) add(j, out, indent < 0 ? ", " : ",", indent < 0 ? 2 : 1);
        json_line(j, indent, level + 1, out);
        if (map) {
            json_text(j, jinja_as_text(j, list->at[i]), ascii, out);
            add(j, out, ": ", 2);
        }
        jinja_json(j, map ? v.map->values.at[i] : list->at[i], indent, level + 1, ascii, out);
    }
    if (list->count) json_line(j, indent, level, out);
    add(j, out, map ? "}" : "]", 1);
}
