/* Text of a template -> tokens: blanks around blocks are trimmed here. */
#include "lm/jinja.h"

static void put(jinja *j, jinja_token_kind kind, const char *text, size_t size)
{
    if (j->tokens == j->token_room) {
        int64_t room = 2 * j->token_room + 256;
        jinja_token *token = nigh_resize(j->ctx, j->token, (size_t)room * sizeof *token);
        if (!token) {
            j->status = NIGH_MEMORY;
            return;
        }
        j->token = token, j->token_room = room;
    }
    j->token[j->tokens++] = (jinja_token){kind, text, size, j->line};
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c & 0x80; }
static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Line ends as \n; the last one goes. */
static const char *plain_lines(jinja *j, const char *text, size_t *size)
{
    char *out = jinja_take(j, *size + 1);
    size_t n = 0;
    if (!out) return NULL;
    for (size_t i = 0; i < *size; i++) {
        if (text[i] == '\r') {
            out[n++] = '\n';
            if (i + 1 < *size && text[i + 1] == '\n') i++;
        } else {
            out[n++] = text[i];
        }
    }
    if (n && out[n - 1] == '\n') n--;
    *size = n;
    return out;
}

/* ---- inside of tags ---- */

static size_t lex_string(jinja *j, const char *p, size_t left)
{
    size_t i = 1;
    while (i < left && p[i] != p[0]) i += p[i] == '\\' ? 2 : 1;
    if (i >= left) {
        jinja_fail(j, NIGH_FORMAT, "a text in quotes does not end");
        return left;
    }
    put(j, TOKEN_STRING, p, i + 1);
    return i + 1;
}

static size_t lex_number(jinja *j, const char *p, size_t left)
{
    size_t i = 0;
    bool real = false;
    while (i < left && (digit(p[i]) || (p[i] == '_' && i))) i++;
    if (i + 1 < left && p[i] == '.' && digit(p[i + 1])) {
        real = true;
        for (i++; i < left && digit(p[i]);) i++;
    }
    if (i + 1 < left && (p[i] == 'e' || p[i] == 'E') && (digit(p[i + 1]) || (i + 2 < left && (p[i + 1] == '-' || p[i + 1] == '+') && digit(p[i + 2])))) {
        real = true;
        for (i += 2; i < left && digit(p[i]);) i++;
    }
    put(j, real ? TOKEN_REAL : TOKEN_INTEGER, p, i);
    return i;
}

static size_t lex_sign(jinja *j, const char *p, size_t left)
{
    static const char *const two[] = {"==", "!=", "<=", ">=", "//", "**"};
    for (int i = 0; left > 1 && i < 6; i++)
        if (p[0] == two[i][0] && p[1] == two[i][1]) {
            put(j, TOKEN_SIGN, p, 2);
            return 2;
        }
    if (!*p || !strchr("+-*/%~<>=.,:|()[]{}", *p)) jinja_fail(j, NIGH_FORMAT, "the character '%.1s' has no meaning there", p);
    put(j, TOKEN_SIGN, p, 1);
    return 1;
}

/* Tokens up to the end of the tag ("}}" or "%}"); where it ends. Braces inside do not end it. */
static size_t lex_tag(jinja *j, const char *text, size_t at, size_t size, const char *end)
{
    int depth = 0;
    while (at < size && !j->status) {
        const char *p = text + at;
        size_t left = size - at;
        if (*p == '\n') j->line++;
        if (blank(*p)) {
            at++;
            continue;
        }
        if (!depth && left > 1 && !memcmp(p, end, 2)) return at;
        if (!depth && left > 2 && (*p == '-' || *p == '+') && !memcmp(p + 1, end, 2)) return at;
        depth += *p == '(' || *p == '[' || *p == '{';
        depth -= depth && (*p == ')' || *p == ']' || *p == '}');
        if (*p == '\'' || *p == '"') {
            at += lex_string(j, p, left);
        } else if (digit(*p)) {
            at += lex_number(j, p, left);
        } else if (letter(*p)) {
            size_t i = 1;
            while (i < left && (letter(p[i]) || digit(p[i]))) i++;
            put(j, TOKEN_NAME, p, i);
            at += i;
        } else {
            at += lex_sign(j, p, left);
        }
    }
    jinja_fail(j, NIGH_FORMAT, "a tag does not end: '%s' is missing", end);
    return size;
}

/* ---- between tags ---- */

static void put_text(jinja *j, const char *text, size_t from, size_t to)
{
    if (to > from) put(j, TOKEN_TEXT, text + from, to - from);
    for (size_t i = from; i < to; i++) j->line += text[i] == '\n';
}

/* Where text before a tag at `at` ends: "-" takes all blanks, tags of blocks alone in their line the blanks before them. */
static size_t trim_before(const char *text, size_t from, size_t at, bool block, bool line_start)
{
    char sign = text[at + 2];
    size_t end = at;
    if (sign == '-') {
        while (end > from && blank(text[end - 1])) end--;
    } else if (block && sign != '+') {
        while (end > from && blank(text[end - 1]) && text[end - 1] != '\n') end--;
        if (end > from ? text[end - 1] != '\n' : !line_start) end = at;
    }
    return end;
}

static size_t trim_after(const char *text, size_t at, size_t size, char sign, bool block)
{
    if (sign == '-') {
        while (at < size && blank(text[at])) at++;
    } else if (block && sign != '+' && at < size && text[at] == '\n') {
        at++;
    }
    return at;
}

/* "{% raw %} ... {% endraw %}": the place behind it, or 0 when this is none. */
static size_t lex_raw(jinja *j, const char *text, size_t at, size_t size)
{
    size_t i = at + 2 + (text[at + 2] == '-' || text[at + 2] == '+');
    while (i < size && blank(text[i])) i++;
    if (size - i < 5 || memcmp(text + i, "raw", 3) || letter(text[i + 3]) || digit(text[i + 3])) return 0;
    for (i += 3; i < size && blank(text[i]);) i++;
    char sign = i < size ? text[i] : 0;
    i += sign == '-' || sign == '+';
    if (size - i < 2 || memcmp(text + i, "%}", 2)) return 0;
    size_t from = trim_after(text, i + 2, size, sign, true);
    for (size_t e = from; e + 1 < size; e++) {
        if (memcmp(text + e, "{%", 2)) continue;
        size_t k = e + 2 + (text[e + 2] == '-' || text[e + 2] == '+');
        while (k < size && blank(text[k])) k++;
        if (size - k < 6 || memcmp(text + k, "endraw", 6)) continue;
        for (k += 6; k < size && blank(text[k]);) k++;
        sign = k < size ? text[k] : 0;
        k += sign == '-' || sign == '+';
        if (size - k < 2 || memcmp(text + k, "%}", 2)) continue;
        put_text(j, text, from, trim_before(text, from, e, true, true));
        return trim_after(text, k + 2, size, sign, true);
    }
    jinja_fail(j, NIGH_FORMAT, "'raw' does not end");
    return size;
}

static size_t lex_comment(jinja *j, const char *text, size_t at, size_t size)
{
    for (size_t i = at + 2; i + 1 < size; i++) {
        if (text[i] == '\n') j->line++;
        if (text[i] == '#' && text[i + 1] == '}') return trim_after(text, i + 2, size, i > at + 2 ? text[i - 1] : 0, true);
    }
    jinja_fail(j, NIGH_FORMAT, "a comment does not end");
    return size;
}

bool jinja_lex(jinja *j, const char *text, size_t size)
{
    j->line = 1;
    text = plain_lines(j, text, &size);
    if (!text) return false;
    bool line_start = true;
    for (size_t at = 0; at < size && !j->status;) {
        size_t tag = at;
        while (tag + 1 < size && !(text[tag] == '{' && (text[tag + 1] == '{' || text[tag + 1] == '%' || text[tag + 1] == '#'))) tag++;
        if (tag + 1 >= size) {
            put_text(j, text, at, size);
            break;
        }
        bool output = text[tag + 1] == '{';
        put_text(j, text, at, tag + 2 < size ? trim_before(text, at, tag, !output, line_start) : tag);
        size_t next;
        if (text[tag + 1] == '#') {
            next = lex_comment(j, text, tag, size);
        } else if (output || !(next = lex_raw(j, text, tag, size))) {
            put(j, output ? TOKEN_OPEN_OUTPUT : TOKEN_OPEN_BLOCK, text + tag, 2);
            next = tag + 2 + (tag + 2 < size && (text[tag + 2] == '-' || text[tag + 2] == '+'));
            next = lex_tag(j, text, next, size, output ? "}}" : "%}");
            if (j->status) break;
            char sign = text[next];
            put(j, output ? TOKEN_CLOSE_OUTPUT : TOKEN_CLOSE_BLOCK, text + next, 2);
            next = trim_after(text, next + 2 + (sign == '-' || sign == '+'), size, sign, !output);
        }
        line_start = next > 0 && text[next - 1] == '\n';
        at = next;
    }
    put(j, TOKEN_END, "", 0);
    return !j->status;
}
