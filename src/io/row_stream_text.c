/* Row streams of csv and libsvm: text is read chunk by chunk and parsed up to the last line end. Declared in io/row_stream.h. */
#include "io/row_stream.h"

#include <string.h>

enum { DENSE_BYTES = 1 << 24 }; /* of a batch of sparse rows made dense */

/* ---- text ---- */

/* More text behind text.end; what was parsed goes. At least a chunk, and as much again as is held, so that long lines cost no more than twice. */
static nigh_status read_more(nigh_row_stream *s)
{
    row_text *t = &s->text;
    size_t held = t->end - t->begin, want = held > s->o.chunk ? held : s->o.chunk, got;
    if (held > s->o.longest)
        return nigh_fail(s->ctx, NIGH_RESOURCE, "'%s': line %lld: no row ends within %zu bytes, the cap that is set", s->name,
                         (long long)t->reader.line, s->o.longest);
    if (t->begin) memmove(t->text, t->text + t->begin, held);
    t->begin = 0;
    t->end = held;
    if (held + want > t->room) {
        char *more = nigh_resize(s->ctx, t->text, held + want);
        if (!more) return nigh_within(s->ctx, NIGH_MEMORY, "'%s'", s->name);
        t->text = more;
        t->room = held + want;
    }
    nigh_status status = byte_source_read(&s->source, t->text + held, want, s->o.threads, &got);
    t->end += status ? 0 : got;
    t->ended = got < want;
    return status;
}

/* Where the last whole line of the text ends; text.begin when there is none. A CR at the very end may be half of a CRLF. */
static size_t whole_lines(const row_text *t)
{
    if (t->ended) return t->end;
    for (size_t i = t->end; i > t->begin; i--) {
        char c = t->text[i - 1];
        if (c == '\n' || (c == '\r' && i < t->end)) return i;
    }
    return t->begin;
}

/* Text up to `*end` that holds whole lines, nothing only at the end of the file. */
static nigh_status want_lines(nigh_row_stream *s, size_t *end)
{
    row_text *t = &s->text;
    for (;;) {
        nigh_status status = nigh_poll(s->ctx);
        if (status) return status;
        *end = whole_lines(t);
        if (*end > t->begin || t->ended) return NIGH_OK;
        status = read_more(s);
        if (status) return status;
    }
}

static nigh_status rewind_text(nigh_row_stream *s)
{
    row_text *t = &s->text;
    t->begin = t->end = 0;
    t->ended = false;
    t->reader.line = t->data_line;
    t->piece_taken = t->piece.rows.rows;
    t->piece.before = 0;
    t->piece.started = t->piece.later = false;
    return byte_source_seek(&s->source, t->data_offset);
}

void row_stream_text_free(nigh_row_stream *s)
{
    row_text *t = &s->text;
    nigh_free(s->ctx, t->text);
    nigh_libsvm_free(s->ctx, &t->piece.rows);
    nigh_free(s->ctx, t->piece.line);
    if (t->reader.c) freelocale(t->reader.c);
}

/* ---- csv ---- */

static nigh_status fill_csv(nigh_row_stream *s)
{
    row_text *t = &s->text;
    size_t part = s->o.chunk / (CSV_PARTS / 4) + 1;
    int64_t rows = 0;
    while (rows == 0) {
        size_t end;
        nigh_status status = want_lines(s, &end);
        if (status) return status;
        if (end == t->begin) break;
        csv_text *r = &t->reader, before = *r;
        r->at = t->text + t->begin;
        r->end = t->text + end;
        csv_wave_cut(&t->wave, r, r->end, part < CSV_PART_BYTES ? part : CSV_PART_BYTES, s->o.threads);
        status = row_stream_room(s, t->wave.room);
        if (!status) status = csv_wave_read(&t->wave, r, t->text, s->o.threads, s->values, &rows);
        if (status == NIGH_FORMAT && r->at == r->end && !t->ended) { /* a quoted field runs over the end of the text */
            r->line = before.line;
            rows = 0;
            status = read_more(s);
            if (status) return status;
            continue;
        }
        if (status) return status;
        t->begin = (size_t)(r->at - t->text);
    }
    s->batch = (row_batch){s->values, rows, s->o.missing != NIGH_ROWS_MISSING_REFUSE};
    if (rows == 0 && s->row == 0) return csv_no_rows(s->ctx, s->name, s->head.had_header);
    return NIGH_OK;
}

static int64_t line_csv(const nigh_row_stream *s, int64_t row) { return csv_wave_line(&s->text.wave, &s->text.reader, row); }

nigh_status row_stream_csv(nigh_row_stream *s)
{
    row_text *t = &s->text;
    nigh_csv_options options = {.separator = s->o.separator, .header = s->o.header,
                                .missing = s->o.missing ? NIGH_CSV_MISSING_NAN : NIGH_CSV_MISSING_REFUSE};
    csv_text r = {.ctx = s->ctx, .name = s->name, .c = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    t->reader = r;
    if (!r.c) return nigh_fail(s->ctx, NIGH_MEMORY, "out of memory for a locale");
    nigh_status status = csv_options_check(s->ctx, &options);
    for (bool ran_out = true; !status && ran_out;) {
        size_t mark = 0;
        t->reader.line = 1;
        status = read_more(s);
        if (!status && t->end < 3 && !t->ended) continue;
        if (!status) status = csv_mark(s->ctx, t->text, t->end, s->name, &mark);
        if (status) break;
        nigh_table_free(s->ctx, &s->head);
        t->reader = r;
        t->reader.line = 1;
        t->reader.at = t->text ? t->text + mark : "";
        t->reader.end = t->text ? t->text + t->end : t->reader.at;
        status = csv_head(&t->reader, &options, &s->head, &ran_out);
        ran_out &= !t->ended;
        if (ran_out && status == NIGH_FORMAT) status = NIGH_OK;
    }
    if (status) return status;
    t->begin = (size_t)(t->reader.at - t->text);
    t->data_offset = t->begin;
    t->data_line = t->reader.line;
    s->fill = fill_csv;
    s->rewind = rewind_text;
    s->line = line_csv;
    s->text_kind = true;
    return NIGH_OK;
}

/* ---- libsvm ---- */

/* The next piece with rows in it; none at the end. */
static nigh_status next_piece(nigh_row_stream *s)
{
    row_text *t = &s->text;
    const nigh_libsvm_options options = {.columns = s->o.columns, .zero_based = s->o.zero_based};
    do {
        size_t end;
        nigh_status status = want_lines(s, &end);
        if (status) return status;
        nigh_libsvm_free(s->ctx, &t->piece.rows);
        nigh_free(s->ctx, t->piece.line);
        t->piece.line = NULL;
        t->piece_taken = 0;
        if (end == t->begin) return NIGH_OK;
        status = libsvm_piece_read(s->ctx, t->text + t->begin, end - t->begin, s->name, &options, &t->piece);
        if (status) return status;
        t->piece.before += csv_kernels_get()->count_lines(t->text + t->begin, t->text + end, t->text + end);
        t->begin = end;
    } while (t->piece.rows.rows == 0);
    return NIGH_OK;
}

static nigh_status fill_libsvm(nigh_row_stream *s)
{
    row_text *t = &s->text;
    const nigh_libsvm_rows *p = &t->piece.rows;
    if (t->piece_taken == p->rows) {
        nigh_status status = next_piece(s);
        if (status) return status;
    }
    int64_t width = s->head.columns, most = DENSE_BYTES / (8 * width) + 1, count = p->rows - t->piece_taken;
    if (count > most) count = most;
    nigh_status status = row_stream_room(s, (size_t)(count * width));
    if (status) return status;
    if (count) memset(s->values, 0, (size_t)(count * width) * sizeof *s->values);
    for (int64_t i = 0; i < count; i++) {
        double *row = s->values + i * width;
        int64_t from = t->piece_taken + i;
        row[0] = p->label[from];
        for (int64_t k = p->start[from]; k < p->start[from + 1]; k++) row[1 + p->column[k]] = p->value[k];
    }
    t->piece_given = t->piece_taken;
    t->piece_taken += count;
    s->batch = (row_batch){s->values, count, false};
    return count == 0 && s->row == 0 ? libsvm_no_rows(s->ctx, s->name) : NIGH_OK;
}

static int64_t line_libsvm(const nigh_row_stream *s, int64_t row) { return s->text.piece.line[s->text.piece_given + row]; }

nigh_status row_stream_libsvm(nigh_row_stream *s)
{
    s->fill = fill_libsvm;
    s->rewind = rewind_text;
    s->line = line_libsvm;
    s->text_kind = true;
    s->text.data_line = 1;
    s->target = 0;
    int64_t columns = s->o.columns;
    if (columns < 0) return nigh_fail(s->ctx, NIGH_INVALID, "columns is %lld; 0 (as many as the file has) or more is allowed", (long long)columns);
    if (columns == 0 && !s->source.seekable)
        return nigh_fail(s->ctx, NIGH_INVALID, "'%s' is a pipe: the number of features must be given, it cannot be read twice to find the largest index", s->name);
    if (columns == 0) {
        int64_t rows = 0;
        do {
            nigh_status status = next_piece(s);
            if (status) return status;
            rows += s->text.piece.rows.rows;
            if (s->text.piece.rows.columns > columns) columns = s->text.piece.rows.columns;
        } while (s->text.piece.rows.rows);
        if (rows == 0) return libsvm_no_rows(s->ctx, s->name);
    }
    if ((uint64_t)columns > s->o.longest / 8 - 1)
        return nigh_fail(s->ctx, NIGH_RESOURCE, "'%s': a dense row of %lld features is longer than %zu bytes, the cap that is set", s->name,
                         (long long)columns, s->o.longest);
    s->head.columns = columns + 1;
    s->o.columns = columns;
    return s->source.seekable ? rewind_text(s) : NIGH_OK;
}
