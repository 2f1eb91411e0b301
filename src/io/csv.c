/* csv: text to a table of numbers. Separator and header are guessed from the first lines unless they are given. */
#include "io/gzip.h"
#include "io/number.h"
#include "io/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SAMPLE_LINES = 20, POLL_ROWS = 4096 };

typedef struct reader {
    nigh_context *ctx;
    const char *name; /* of the file */
    const char *at, *end;
    int64_t line;
    char separator; /* ' ': any run of blanks and tabs */
    nigh_csv_missing missing;
    locale_t c;
    const nigh_table *table; /* for the names in messages */
} reader;

typedef struct field {
    const char *text;
    size_t size;
    bool quoted; /* text stands between the quotes, "" still doubled */
} field;

/* ---- lines and fields ---- */

static bool at_line_end(const reader *r) { return r->at == r->end || *r->at == '\n' || *r->at == '\r'; }

static void take_line_end(reader *r)
{
    if (r->at == r->end) return;
    if (*r->at++ == '\r' && r->at < r->end && *r->at == '\n') r->at++;
    r->line++;
}

static bool is_blank(const reader *r, char c) { return c == ' ' || (c == '\t' && r->separator != '\t'); }

static void skip_blanks(reader *r)
{
    while (r->at < r->end && is_blank(r, *r->at)) r->at++;
}

/* To the next line with something in it; false at the end. The line's indentation stays unless blanks separate. */
static bool next_line(reader *r)
{
    while (r->at < r->end) {
        const char *start = r->at;
        skip_blanks(r);
        if (!at_line_end(r) && *r->at != '#') {
            if (r->separator != ' ') r->at = start;
            return true;
        }
        while (!at_line_end(r)) r->at++;
        take_line_end(r);
    }
    return false;
}

static nigh_status scan_quoted(reader *r, field *out)
{
    int64_t line = r->line;
    const char *start = ++r->at;
    for (;; r->at++) {
        if (r->at == r->end)
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld: the quoted field that begins with '%s' does not end", r->name,
                             (long long)line, nigh_io_excerpt_of(start, (size_t)(r->end - start)).text);
        if (*r->at == '\n' || (*r->at == '\r' && !(r->at + 1 < r->end && r->at[1] == '\n'))) r->line++;
        if (*r->at != '"') continue;
        if (r->at + 1 == r->end || r->at[1] != '"') break;
        r->at++;
    }
    *out = (field){start, (size_t)(r->at++ - start), true};
    return NIGH_OK;
}

/* One field; afterwards the reader stands on its separator or the line's end. */
static nigh_status scan_field(reader *r, field *out)
{
    skip_blanks(r);
    if (r->at < r->end && *r->at == '"') {
        nigh_status status = scan_quoted(r, out);
        if (status) return status;
        bool apart = r->separator == ' ' && r->at < r->end && is_blank(r, *r->at);
        skip_blanks(r);
        if (at_line_end(r) || apart || *r->at == r->separator) return NIGH_OK;
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld: '%s' follows a closing quote; a separator or the line's end is allowed",
                         r->name, (long long)r->line, nigh_io_excerpt_of(r->at, 1).text);
    }
    const char *start = r->at;
    if (r->separator == ' ') {
        while (!at_line_end(r) && !is_blank(r, *r->at)) r->at++;
        *out = (field){start, (size_t)(r->at - start), false};
        skip_blanks(r);
        return NIGH_OK;
    }
    while (!at_line_end(r) && *r->at != r->separator) r->at++;
    const char *stop = r->at;
    while (stop > start && is_blank(r, stop[-1])) stop--;
    *out = (field){start, (size_t)(stop - start), false};
    return NIGH_OK;
}

/* Whether another field follows in this line; steps over the separator. */
static bool take_separator(reader *r)
{
    if (at_line_end(r)) return false;
    if (r->separator != ' ') r->at++;
    return true;
}

/* The fields of the line that the reader stands on (it goes to its end), or -1 with the message set. */
static int64_t count_fields(reader *r)
{
    field f;
    int64_t n = 0;
    do {
        if (scan_field(r, &f)) return -1;
        n++;
    } while (take_separator(r));
    return n;
}

/* The first separator under which the first lines all have the same number of fields, more than one; else the first
 * under which most of them have several, so that the message about the odd line is useful; else ',' (one column). */
static char guess_separator(const reader *r)
{
    char second_best = 0;
    for (const char *s = "\t;,| "; *s; s++) {
        reader look = *r;
        look.separator = *s;
        int64_t columns = 0, lines = 0, several = 0;
        bool equal = true;
        for (; lines < SAMPLE_LINES && next_line(&look); lines++) {
            int64_t n = count_fields(&look);
            equal &= n > 1 && (columns == 0 || n == columns);
            if (n < 0) break;
            columns = n;
            several += n > 1;
            take_line_end(&look);
        }
        if (lines && equal) return *s;
        if (!second_best && 2 * several > lines) second_best = *s;
    }
    return second_best ? second_best : ',';
}

/* ---- values ---- */

static bool is_missing(const field *f)
{
    static const char *const words[] = {"", "na", "n/a", "#n/a", "nan", "-nan", "+nan", "null", "none", "?"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == f->size && strncasecmp(words[i], f->text, f->size) == 0) return true;
    return false;
}

/* True when the whole field is a number. */
static bool is_number(const reader *r, const field *f, double *value, bool *overflow)
{
    const char *at = f->text, *end = f->text + f->size;
    while (at < end && is_blank(r, *at)) at++;
    while (end > at && is_blank(r, end[-1])) end--;
    return nigh_io_number_read(at, end, r->c, value, overflow) == end && at < end;
}

static nigh_status refuse(const reader *r, int64_t column, const field *f, const char *what)
{
    const char *name = r->table->names ? r->table->names[column] : NULL;
    char where[80] = "";
    if (name) {
        strcpy(where, " (");
        strcat(where, NIGH_IO_EXCERPT(name));
        strcat(where, ")");
    }
    return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld, column %lld%s: '%s' %s", r->name, (long long)r->line,
                     (long long)column + 1, where, nigh_io_excerpt_of(f->text, f->size).text, what);
}

/* What is no plain number: quoted, missing or wrong. */
static nigh_status read_odd_field(reader *r, int64_t column, double *value)
{
    field f;
    bool overflow = false;
    nigh_status status = scan_field(r, &f);
    if (status) return status;
    if (is_number(r, &f, value, &overflow))
        return overflow ? refuse(r, column, &f, "is beyond the range of a double (1.8e308)") : NIGH_OK;
    if (is_missing(&f)) {
        if (r->missing == NIGH_CSV_MISSING_REFUSE)
            return refuse(r, column, &f, "is a missing value; fill or remove it, or ask for NaN in its place");
        *value = NAN;
        return NIGH_OK;
    }
    bool decimal_comma = memchr(f.text, ',', f.size) != NULL;
    for (size_t i = 0; i < f.size; i++) decimal_comma &= f.text[i] && strchr("+-0123456789,eE", f.text[i]);
    return refuse(r, column, &f, decimal_comma ? "is not a number; a decimal point is expected, not a comma"
                                               : "is not a number (numbers look like -1.5e-3)");
}

static nigh_status wrong_count(const reader *r, int64_t line, int64_t n, int64_t columns)
{
    return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld has %lld field%s, but the first line has %lld", r->name, (long long)line,
                     (long long)n, n == 1 ? "" : "s", (long long)columns);
}

static nigh_status read_row(reader *r, int64_t columns, double *out)
{
    int64_t c = 0;
    do {
        if (c == columns) {
            int64_t line = r->line, more = count_fields(r);
            if (more < 0) return NIGH_FORMAT;
            return wrong_count(r, line, c + more, columns);
        }
        const char *start = r->at;
        bool overflow = false;
        skip_blanks(r);
        const char *stop = nigh_io_number_read(r->at, r->end, r->c, &out[c], &overflow);
        if (stop && !overflow) {
            r->at = stop;
            skip_blanks(r);
            bool apart = r->separator == ' ' ? r->at > stop : r->at < r->end && *r->at == r->separator;
            if (apart || at_line_end(r)) {
                c++;
                continue;
            }
        }
        r->at = start;
        nigh_status status = read_odd_field(r, c, &out[c]);
        if (status) return status;
        c++;
    } while (take_separator(r));
    if (c < columns) return wrong_count(r, r->line, c, columns);
    return NIGH_OK;
}

/* ---- the header ---- */

/* Quotes undone; what is not UTF-8 is taken as Latin-1. */
static nigh_status copy_name(const reader *r, const field *f, char **out)
{
    if (memchr(f->text, 0, f->size))
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld: a name of the header has a zero byte in it", r->name, (long long)r->line);
    bool utf8 = nigh_io_is_utf8(f->text, f->size);
    char *name = nigh_alloc(r->ctx, 2 * f->size + 1);
    if (!name) return NIGH_MEMORY;
    char *to = name;
    for (size_t i = 0; i < f->size; i++) {
        unsigned char c = (unsigned char)f->text[i];
        if (utf8 || c < 0x80) {
            *to++ = (char)c;
        } else {
            *to++ = (char)(0xc0 | c >> 6);
            *to++ = (char)(0x80 | (c & 0x3f));
        }
        if (f->quoted && c == '"') i++;
    }
    *to = 0;
    *out = name;
    return NIGH_OK;
}

/* Columns, and whether the line that the reader stands on is a header; the reader stays. */
static nigh_status look_at_first_line(const reader *r, nigh_csv_header header, nigh_table *table)
{
    reader look = *r;
    field f;
    bool words = false;
    do {
        double value;
        bool overflow;
        nigh_status status = scan_field(&look, &f);
        if (status) return status;
        words |= !is_number(r, &f, &value, &overflow) && !is_missing(&f);
        table->columns++;
    } while (take_separator(&look));
    table->had_header = header == NIGH_CSV_HEADER_YES || (header == NIGH_CSV_HEADER_GUESS && words);
    return NIGH_OK;
}

static nigh_status read_header(reader *r, nigh_table *table)
{
    table->names = nigh_alloc_zero(r->ctx, (size_t)table->columns, sizeof *table->names);
    if (!table->names) return NIGH_MEMORY;
    for (int64_t i = 0; i < table->columns; i++) {
        field f;
        nigh_status status = scan_field(r, &f);
        if (!status) status = copy_name(r, &f, &table->names[i]);
        if (status) return status;
        take_separator(r);
    }
    take_line_end(r);
    return NIGH_OK;
}

/* ---- the table ---- */

/* No more values than this can follow: a row needs a line, and every value but the last one a byte after it. */
static size_t most_values(const reader *r, int64_t columns)
{
    size_t lines = 1, bytes = (size_t)(r->end - r->at) + 1, product;
    for (const char *p = r->at; p < r->end; p++) lines += (*p == '\n') | (*p == '\r' && !(p + 1 < r->end && p[1] == '\n'));
    return __builtin_mul_overflow(lines, (size_t)columns, &product) || product > bytes ? bytes : product;
}

static nigh_status read_rows(reader *r, nigh_table *table)
{
    size_t room = most_values(r, table->columns), used = 0;
    table->values = nigh_alloc(r->ctx, room * sizeof *table->values); /* room <= file size + 1 */
    if (!table->values) return nigh_within(r->ctx, NIGH_MEMORY, "'%s'", r->name);
    while (next_line(r)) {
        if (table->rows % POLL_ROWS == 0 && nigh_poll(r->ctx)) return NIGH_INTERRUPTED;
        if ((size_t)table->columns > room - used) { /* only lines that are too short can come to this */
            int64_t line = r->line, n = count_fields(r);
            return n < 0 ? NIGH_FORMAT : wrong_count(r, line, n, table->columns);
        }
        nigh_status status = read_row(r, table->columns, table->values + used);
        if (status) return status;
        take_line_end(r);
        used += (size_t)table->columns;
        table->rows++;
    }
    if (table->rows == 0)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s' has %s; at least one row of numbers is needed", r->name,
                         table->had_header ? "a header but no rows" : "no rows");
    if (used < room / 2) { /* many comments or empty lines: give the room back */
        double *fit = nigh_resize(r->ctx, table->values, used * sizeof *fit);
        if (!fit) return NIGH_MEMORY;
        table->values = fit;
    }
    return NIGH_OK;
}

static nigh_status read_table(reader *r, const nigh_csv_options *options, nigh_table *table)
{
    r->table = table;
    r->separator = options->separator ? options->separator : guess_separator(r);
    table->separator = r->separator;
    if (!next_line(r)) return nigh_fail(r->ctx, NIGH_FORMAT, "'%s' has no rows; at least one row of numbers is needed", r->name);
    nigh_status status = look_at_first_line(r, options->header, table);
    if (!status && table->had_header) status = read_header(r, table);
    return status ? status : read_rows(r, table);
}

static nigh_status parse_text(nigh_context *ctx, const char *text, size_t size, const char *name, const nigh_csv_options *options,
                              nigh_table *out)
{
    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is UTF-16 text; save it as UTF-8 or plain ASCII", name);
    if (size == 0) text = "";
    size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    reader r = {.ctx = ctx, .name = name, .at = text + mark, .end = text + size, .line = 1, .missing = options->missing};
    nigh_table table = {0};
    r.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!r.c) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for a locale");
    nigh_status status = read_table(&r, options, &table);
    freelocale(r.c);
    if (status)
        nigh_table_free(ctx, &table);
    else
        *out = table;
    return status;
}

nigh_status nigh_csv_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, const nigh_csv_options *options,
                           nigh_table *out)
{
    static const nigh_csv_options plain = {0};
    if (!options) options = &plain;
    if (options->separator && !strchr(",;\t |", options->separator))
        return nigh_fail(ctx, NIGH_INVALID, "separator is '%c'; comma, semicolon, tab, blank and | are allowed", options->separator);
    if (!nigh_io_is_gzip(bytes, size)) return parse_text(ctx, bytes, size, name, options, out);
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = nigh_io_gunzip(ctx, bytes, size, name, options->max_bytes ? options->max_bytes : (uint64_t)4 << 30, &text);
    if (status) return status;
    status = parse_text(ctx, text.data, text.size, name, options, out);
    nigh_buffer_free(&text);
    return status;
}

nigh_status nigh_csv_read(nigh_context *ctx, const char *path, const nigh_csv_options *options, nigh_table *out)
{
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_csv_parse(ctx, file.data, file.size, nigh_io_source_name(path), options, out);
    nigh_buffer_free(&file);
    return status;
}
