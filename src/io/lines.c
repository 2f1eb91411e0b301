/* Lines and fields of a text. Declared in io/lines.h. */
#include "io/lines.h"

#include "io/number.h"

#include <math.h>
#include <string.h>

nigh_status lines_open(nigh_context *ctx, const char *text, size_t size, const char *name, lines *out)
{
    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is UTF-16 text; save it as UTF-8 or plain ASCII", name);
    if (size == 0) text = "";
    const char *at = text + (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    *out = (lines){ctx, name, at, at, text + size, 0, newlocale(LC_ALL_MASK, "C", (locale_t)0), 0};
    return out->c ? NIGH_OK : nigh_fail(ctx, NIGH_MEMORY, "out of memory for a locale");
}

void lines_close(lines *l)
{
    if (l->c) freelocale(l->c);
    l->c = (locale_t)0;
}

bool lines_at_end(const lines *l) { return l->at == l->end || *l->at == '\n' || *l->at == '\r'; }

void lines_skip_blanks(lines *l)
{
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t')) l->at++;
}

static void leave_line(lines *l)
{
    while (!lines_at_end(l)) l->at++;
    if (l->at < l->end && *l->at++ == '\r' && l->at < l->end && *l->at == '\n') l->at++;
    l->line++;
}

bool lines_next(lines *l, const char *comments)
{
    if (l->line == 0)
        l->line = 1;
    else
        leave_line(l);
    for (; l->at < l->end; leave_line(l)) {
        l->start = l->at;
        lines_skip_blanks(l);
        if (!lines_at_end(l) && !(*l->at && strchr(comments, *l->at))) return true;
    }
    return false;
}

nigh_status lines_refuse(const lines *l, nigh_status status, const char *what)
{
    const char *stop = l->at;
    while (stop < l->end && !strchr(" \t\r\n", *stop)) stop++;
    return nigh_fail(l->ctx, status, "'%s': line %lld, column %lld: %s, not '%s'", l->name, (long long)(l->before + l->line), (long long)(l->at - l->start) + 1,
                     what, nigh_io_excerpt_of(l->at, (size_t)(stop - l->at)).text);
}

nigh_status lines_whole(lines *l, const char *what, int64_t *value)
{
    int64_t n = 0;
    const char *p = l->at;
    for (; p < l->end && *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n)) return lines_refuse(l, NIGH_FORMAT, what);
    if (p == l->at) return lines_refuse(l, NIGH_FORMAT, what);
    l->at = p;
    *value = n;
    return NIGH_OK;
}

nigh_status lines_number(lines *l, const char *what, double *value)
{
    bool overflow = false;
    const char *stop = nigh_io_number_read(l->at, l->end, l->c, value, &overflow);
    if (!stop || overflow) return lines_refuse(l, NIGH_FORMAT, what);
    l->at = stop;
    return NIGH_OK;
}

nigh_status lines_grow(nigh_context *ctx, void **block, size_t size, int64_t used)
{
    if (used & (used - 1)) return NIGH_OK;
    void *more = nigh_resize(ctx, *block, (used ? 2 * (size_t)used : 1) * size);
    if (!more) return NIGH_MEMORY;
    *block = more;
    return NIGH_OK;
}
