/* Tables: free, write as csv, find columns by name or number. Declared in nigh/io.h. */
#include "io/number.h"
#include "io/stream.h"

#include "core/words.h"

#include <stdlib.h>
#include <string.h>

enum { POLL_ROWS = 4096, PIECE = 1 << 16 };

void nigh_table_free(nigh_context *ctx, nigh_table *table)
{
    for (int64_t i = 0; table->names && i < table->columns; i++) nigh_free(ctx, table->names[i]);
    nigh_free(ctx, table->names);
    nigh_free(ctx, table->values);
    *table = (nigh_table){0};
}

/* ---- writing ---- */

/* Quoted unless it is a plain word that cannot be taken for anything else. */
static nigh_status put_name(nigh_buffer *out, const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-[]()/";
    size_t size = strlen(name);
    if (size && strspn(name, plain) == size) return nigh_buffer_add(out, name, size);
    nigh_status status = nigh_buffer_add(out, "\"", 1);
    for (; *name && !status; name++) status = nigh_buffer_add(out, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    return status ? status : nigh_buffer_add(out, "\"", 1);
}

static nigh_status put_rows(nigh_io_sink *sink, const nigh_table *table, char separator, locale_t c, nigh_buffer *piece)
{
    for (int64_t row = 0; row < table->rows; row++) {
        nigh_status status = row % POLL_ROWS == 0 ? nigh_poll(sink->ctx) : NIGH_OK;
        for (int64_t column = 0; column < table->columns && !status; column++) {
            char text[40];
            int size = nigh_io_number_write(text, table->values[row * table->columns + column], c);
            text[size++] = column + 1 < table->columns ? separator : '\n';
            status = nigh_buffer_add(piece, text, (size_t)size);
        }
        if (!status && (piece->size >= PIECE || row + 1 == table->rows)) {
            status = nigh_io_sink_add(sink, piece->data, piece->size);
            piece->size = 0;
        }
        if (status) return status;
    }
    return NIGH_OK;
}

static nigh_status put_table(nigh_io_sink *sink, const nigh_table *table)
{
    nigh_context *ctx = sink->ctx;
    char separator = table->separator ? table->separator : ',';
    if (!strchr(",;\t |", separator))
        return nigh_fail(ctx, NIGH_INVALID, "separator is '%c'; comma, semicolon, tab, blank and | are allowed", separator);
    if (table->rows < 0 || table->columns < 1)
        return nigh_fail(ctx, NIGH_INVALID, "a table of %lld rows and %lld columns; 0 or more and 1 or more are allowed",
                         (long long)table->rows, (long long)table->columns);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for a locale");
    locale_t before = uselocale(c);
    nigh_buffer piece = {.ctx = ctx};
    nigh_status status = NIGH_OK;
    for (int64_t i = 0; table->names && i < table->columns && !status; i++) {
        status = put_name(&piece, table->names[i]);
        if (!status) status = nigh_buffer_add(&piece, i + 1 < table->columns ? &separator : "\n", 1);
    }
    if (!status) status = nigh_io_sink_add(sink, piece.data, piece.size);
    piece.size = 0;
    if (!status) status = put_rows(sink, table, separator, c, &piece);
    nigh_buffer_free(&piece);
    uselocale(before);
    freelocale(c);
    return status;
}

nigh_status nigh_csv_format(nigh_context *ctx, const nigh_table *table, nigh_buffer *out)
{
    nigh_io_sink sink = nigh_io_sink_buffer(ctx, out);
    return nigh_io_sink_end(&sink, put_table(&sink, table));
}

nigh_status nigh_csv_write(nigh_context *ctx, const char *path, const nigh_table *table)
{
    nigh_io_sink sink;
    nigh_status status = nigh_io_sink_open(ctx, path, &sink);
    return status ? status : nigh_io_sink_end(&sink, put_table(&sink, table));
}

/* ---- columns ---- */

typedef struct selection {
    nigh_context *ctx;
    const nigh_table *table;
    int64_t *index, count;
    bool *taken;
} selection;

static nigh_status unknown_column(const selection *s, const char *word)
{
    const nigh_table *t = s->table;
    if (!t->names)
        return nigh_fail(s->ctx, NIGH_INVALID, "no column '%s': the table has no header; 1 to %lld (or -1, the last) are allowed", word,
                         (long long)t->columns);
    const char *best = NULL;
    for (int64_t i = 0; i < t->columns; i++) best = word_nearer(word, strlen(word), t->names[i], best);
    return nigh_fail(s->ctx, NIGH_INVALID, "no column '%s'%s%s%s (the header's names and the numbers 1 to %lld are allowed)", word,
                     best ? "; did you mean '" : "", best ? NIGH_IO_EXCERPT(best) : "", best ? "'?" : "", (long long)t->columns);
}

static nigh_status choose(selection *s, int64_t column, const char *word)
{
    if (s->taken[column])
        return nigh_fail(s->ctx, NIGH_INVALID, "column %lld is named twice, the second time by '%s'; once is allowed",
                         (long long)column + 1, word);
    s->taken[column] = true;
    s->index[s->count++] = column;
    return NIGH_OK;
}

/* "3" or "-1" at *at, as a 0-based column; false when it is none. */
static bool scan_column(const char **at, int64_t columns, int64_t *column)
{
    const char *p = *at;
    bool from_end = *p == '-';
    p += from_end;
    if (*p < '0' || *p > '9') return false;
    int64_t n = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        if (n <= columns) n = 10 * n + (*p - '0');
    if (n < 1 || n > columns) return false;
    *column = from_end ? columns - n : n - 1;
    *at = p;
    return true;
}

static nigh_status choose_word(selection *s, const char *word, bool quoted)
{
    const nigh_table *t = s->table;
    int64_t found = -1, first, last;
    for (int64_t i = 0; t->names && i < t->columns; i++) {
        if (strcmp(t->names[i], word) != 0) continue;
        if (found >= 0)
            return nigh_fail(s->ctx, NIGH_INVALID, "columns %lld and %lld are both named '%s'; name them by number after renaming one",
                             (long long)found + 1, (long long)i + 1, word);
        found = i;
    }
    if (found >= 0) return choose(s, found, word);
    const char *at = word;
    if (quoted || !scan_column(&at, t->columns, &first)) return unknown_column(s, word);
    last = first;
    if (*at == '-') {
        at++;
        if (!scan_column(&at, t->columns, &last)) return unknown_column(s, word);
    }
    if (*at) return unknown_column(s, word);
    if (last < first)
        return nigh_fail(s->ctx, NIGH_INVALID, "columns '%s' run backwards; the first must not come after the last", word);
    nigh_status status = NIGH_OK;
    for (int64_t i = first; i <= last && !status; i++) status = choose(s, i, word);
    return status;
}

/* The next word of the list in `word` (as large as the list), quotes undone, blanks around it dropped. */
static bool next_word(const char **at, char *word, bool *quoted)
{
    const char *p = *at;
    char *to = word;
    while (*p == ' ') p++;
    *quoted = *p == '"';
    if (*quoted) {
        for (p++; *p && !(*p == '"' && p[1] != '"'); p++) {
            if (*p == '"') p++;
            *to++ = *p;
        }
        if (*p != '"') return false;
        for (p++; *p == ' ';) p++;
        if (*p && *p != ',') return false;
    } else {
        while (*p && *p != ',') *to++ = *p++;
        while (to > word && to[-1] == ' ') to--;
    }
    *to = 0;
    *at = p;
    return true;
}

static nigh_status choose_list(selection *s, const char *list, char *word)
{
    const char *at = list;
    for (;;) {
        bool quoted;
        if (!next_word(&at, word, &quoted))
            return nigh_fail(s->ctx, NIGH_INVALID, "columns '%s': a quoted name does not end before a comma or the end", list);
        if (!*word && !quoted)
            return nigh_fail(s->ctx, NIGH_INVALID, "columns '%s': an empty name; names and numbers with commas between are allowed", list);
        nigh_status status = choose_word(s, word, quoted);
        if (status) return status;
        if (!*at) return NIGH_OK;
        at++;
    }
}

nigh_status nigh_table_columns(nigh_context *ctx, const nigh_table *table, const char *list, int64_t **index, int64_t *count)
{
    selection s = {ctx, table, NULL, 0, NULL};
    nigh_status status = NIGH_MEMORY;
    if (table->columns < 1) return nigh_fail(ctx, NIGH_INVALID, "the table has no columns");
    char *word = nigh_alloc(ctx, strlen(list) + 1);
    if (!word) goto done;
    s.index = nigh_alloc_zero(ctx, (size_t)table->columns, sizeof *s.index);
    if (!s.index) goto done;
    s.taken = nigh_alloc_zero(ctx, (size_t)table->columns, sizeof *s.taken);
    if (!s.taken) goto done;
    status = choose_list(&s, list, word);
    if (!status) {
        *index = s.index;
        *count = s.count;
        s.index = NULL;
    }
done:
    nigh_free(ctx, word);
    nigh_free(ctx, s.index);
    nigh_free(ctx, s.taken);
    return status;
}
