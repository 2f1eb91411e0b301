/* csv: lines, fields, the guesses from the first lines, rows one after another. Declared in io/csv_text.h. */
#include "io/csv_text.h"

#include "io/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SAMPLE_LINES = 20 };

typedef struct field {
    const char *text;
    size_t size;
    bool quoted; /* text stands between the quotes, "" still doubled */
} field;

/* ---- lines and fields ---- */

static bool at_line_end(const csv_text *r) { return r->at == r->end || *r->at == '\n' || *r->at == '\r'; }

void csv_line_end(csv_text *r)
{
    if (r->at == r->end) return;
    if (*r->at++ == '\r' && r->at < r->end && *r->at == '\n') r->at++;
    r->line++;
}

static bool is_blank(const csv_text *r, char c) { return c == ' ' || (c == '\t' && r->separator != '\t'); }

static void skip_blanks(csv_text *r)
{
    while (r->at < r->end && is_blank(r, *r->at)) r->at++;
}

/* To the next line with something in it; false at the end. The line's indentation stays unless blanks separate. */
bool csv_next_line(csv_text *r)
{
    while (r->at < r->end) {
        const char *start = r->at;
        skip_blanks(r);
        if (!at_line_end(r) && *r->at != '#') {
            if (r->separator != ' ') r->at = start;
            return true;
        }
        while (!at_line_end(r)) r->at++;
        csv_line_end(r);
    }
    return false;
}

static nigh_status scan_quoted(csv_text *r, field *out)
{
    int64_t line = r->line;
    const char *start = ++r->at;
    for (;; r->at++) {
        if (r->at == r->end) {
            if (!r->ctx) return NIGH_FORMAT;
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld: the quoted field that begins with '%s' does not end", r->name,
                             (long long)line, nigh_io_excerpt_of(start, (size_t)(r->end - start)).text);
        }
        if (*r->at == '\n' || (*r->at == '\r' && !(r->at + 1 < r->end && r->at[1] == '\n'))) r->line++;
        if (*r->at != '"') continue;
        if (r->at + 1 == r->end || r->at[1] != '"') break;
        r->at++;
    }
    *out = (field){start, (size_t)(r->at++ - start), true};
    return NIGH_OK;
}

/* One field; afterwards the reader stands on its separator or the line's end. */
static nigh_status scan_field(csv_text *r, field *out)
{
    skip_blanks(r);
    if (r->at < r->end && *r->at == '"') {
        nigh_status status = scan_quoted(r, out);
        if (status) return status;
        bool apart = r->separator == ' ' && r->at < r->end && is_blank(r, *r->at);
        skip_blanks(r);
        if (at_line_end(r) || apart || *r->at == r->separator) return NIGH_OK;
        if (!r->ctx) return NIGH_FORMAT;
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
static bool take_separator(csv_text *r)
{
    if (at_line_end(r)) return false;
    if (r->separator != ' ') r->at++;
    return true;
}

/* The fields of the line that the reader stands on (it goes to its end), or -1 with the message set. */
static int64_t count_fields(csv_text *r)
{
    field f;
    int64_t n = 0;
    do {
        if (scan_field(r, &f)) return -1;
        n++;
    } while (take_separator(r));
    return n;
}

void csv_skip_row(csv_text *r)
{
    count_fields(r);
    csv_line_end(r);
}

/* The first separator under which the first lines all have the same number of fields, more than one; else the first
 * under which most of them have several, so that the message about the odd line is useful; else ',' (one column). */
static char guess_separator(const csv_text *r, bool *ran_out)
{
    char second_best = 0;
    for (const char *s = "\t;,| "; *s; s++) {
        csv_text look = *r;
        look.separator = *s;
        int64_t columns = 0, lines = 0, several = 0;
        bool equal = true;
        for (; lines < SAMPLE_LINES && csv_next_line(&look); lines++) {
            int64_t n = count_fields(&look);
            equal &= n > 1 && (columns == 0 || n == columns);
            if (n < 0) break;
            columns = n;
            several += n > 1;
            csv_line_end(&look);
        }
        *ran_out |= look.at == look.end;
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
static bool is_number(const csv_text *r, const field *f, double *value, bool *overflow)
{
    const char *at = f->text, *end = f->text + f->size;
    while (at < end && is_blank(r, *at)) at++;
    while (end > at && is_blank(r, end[-1])) end--;
    return nigh_io_number_read(at, end, r->c, value, overflow) == end && at < end;
}

csv_label csv_column_label(const char *name)
{
    csv_label label = {""};
    if (name) snprintf(label.text, sizeof label.text, " (%s)", NIGH_IO_EXCERPT(name));
    return label;
}

static nigh_status refuse(const csv_text *r, int64_t column, const field *f, const char *what)
{
    if (!r->ctx) return NIGH_FORMAT;
    csv_label label = csv_column_label(r->names ? r->names[column] : NULL);
    return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld, column %lld%s: '%s' %s", r->name, (long long)r->line, (long long)column + 1, label.text,
                     nigh_io_excerpt_of(f->text, f->size).text, what);
}

/* What is no plain number: quoted, missing or wrong. */
static nigh_status read_odd_field(csv_text *r, int64_t column, double *value)
{
    field f;
    bool overflow = false;
    nigh_status status = scan_field(r, &f);
    if (status) return status;
    bool number = is_number(r, &f, value, &overflow);
    if (r->loose && r->loose[column] && (!number || overflow)) {
        *value = NAN;
        return NIGH_OK;
    }
    if (number)
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

static nigh_status wrong_count(const csv_text *r, int64_t line, int64_t n)
{
    if (!r->ctx) return NIGH_FORMAT;
    return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': line %lld has %lld field%s, but the first line has %lld", r->name, (long long)line,
                     (long long)n, n == 1 ? "" : "s", (long long)r->columns);
}

nigh_status csv_row(csv_text *r, double *out)
{
    int64_t c = 0;
    do {
        if (c == r->columns) {
            int64_t line = r->line, more = count_fields(r);
            if (more < 0) return NIGH_FORMAT;
            return wrong_count(r, line, c + more);
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
    return c < r->columns ? wrong_count(r, r->line, c) : NIGH_OK;
}

/* ---- the header ---- */

/* Quotes undone; what is not UTF-8 is taken as Latin-1. */
static nigh_status copy_name(const csv_text *r, const field *f, char **out)
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
static nigh_status look_at_first_line(const csv_text *r, nigh_csv_header header, nigh_table *table, bool *ran_out)
{
    csv_text look = *r;
    field f;
    bool words = false;
    nigh_status status;
    do {
        double value;
        bool overflow;
        status = scan_field(&look, &f);
        if (status) break;
        words |= !is_number(r, &f, &value, &overflow) && !is_missing(&f);
        table->columns++;
    } while (take_separator(&look));
    *ran_out |= look.at == look.end;
    table->had_header = header == NIGH_CSV_HEADER_YES || (header == NIGH_CSV_HEADER_GUESS && words);
    return status;
}

static nigh_status read_header(csv_text *r, nigh_table *table)
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
    csv_line_end(r);
    return NIGH_OK;
}


/* ---- the beginning of a file ---- */

nigh_status csv_options_check(nigh_context *ctx, const nigh_csv_options *options)
{
    if (!options->separator || strchr(",;\t |", options->separator)) return NIGH_OK;
    return nigh_fail(ctx, NIGH_INVALID, "separator is '%c'; comma, semicolon, tab, blank and | are allowed", options->separator);
}

nigh_status csv_mark(nigh_context *ctx, const char *text, size_t size, const char *name, size_t *skip)
{
    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return nigh_fail(ctx, NIGH_FORMAT, "'%s' is UTF-16 text; save it as UTF-8 or plain ASCII", name);
    *skip = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    return NIGH_OK;
}

nigh_status csv_no_rows(nigh_context *ctx, const char *name, bool had_header)
{
    if (had_header) return nigh_fail(ctx, NIGH_FORMAT, "'%s' has a header but no rows; at least one row of numbers is needed", name);
    return nigh_fail(ctx, NIGH_FORMAT, "'%s' has no rows; at least one row of numbers is needed", name);
}

nigh_status csv_head(csv_text *r, const nigh_csv_options *options, nigh_table *table, bool *ran_out)
{
    *ran_out = false;
    r->missing = options->missing;
    r->separator = options->separator ? options->separator : guess_separator(r, ran_out);
    table->separator = r->separator;
    if (!csv_next_line(r)) return *ran_out = true, csv_no_rows(r->ctx, r->name, false);
    nigh_status status = look_at_first_line(r, options->header, table, ran_out);
    r->columns = table->columns;
    if (!status && table->had_header) status = read_header(r, table);
    r->names = table->names;
    *ran_out |= r->at == r->end;
    return status;
}
