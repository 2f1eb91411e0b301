/* libsvm and svmlight text: rows of "label index:value ...". Declared in nigh/io.h. */
#include "io/gzip.h"
#include "io/libsvm.h"
#include "io/lines.h"
#include "io/number.h"

#include <math.h>
#include <string.h>

enum { POLL_ROWS = 4096 };
static const int64_t index_most = (int64_t)1 << 62;

typedef struct builder {
    lines l;
    const nigh_libsvm_options *options;
    nigh_libsvm_rows s;
    int64_t entries, largest;
    libsvm_piece *piece; /* NULL: the text is all there is */
} builder;

void nigh_libsvm_free(nigh_context *ctx, nigh_libsvm_rows *sparse)
{
    nigh_free(ctx, sparse->label);
    nigh_free(ctx, sparse->query);
    nigh_free(ctx, sparse->start);
    nigh_free(ctx, sparse->column);
    nigh_free(ctx, sparse->value);
    *sparse = (nigh_libsvm_rows){0};
}

/* ---- reading ---- */

static bool between_fields(const lines *l) { return lines_at_end(l) || *l->at == ' ' || *l->at == '\t' || *l->at == '#'; }

static nigh_status take_label(builder *b)
{
    lines *l = &b->l;
    double label;
    nigh_status status = lines_number(l, "a label (a number) is expected", &label);
    if (status) return status;
    if (l->at < l->end && *l->at == ',') return lines_refuse(l, NIGH_UNSUPPORTED, "several labels in a row are not read; one is expected");
    if (!between_fields(l)) return lines_refuse(l, NIGH_FORMAT, "a blank is expected after the label");
    nigh_libsvm_rows *s = &b->s;
    status = lines_grow(l->ctx, (void **)&s->label, sizeof *s->label, s->rows);
    if (!status) status = lines_grow(l->ctx, (void **)&s->start, sizeof *s->start, s->rows + 1);
    if (status) return status;
    s->label[s->rows] = label;
    return NIGH_OK;
}

static nigh_status take_query(builder *b)
{
    lines *l = &b->l;
    nigh_libsvm_rows *s = &b->s;
    bool here = l->end - l->at >= 4 && memcmp(l->at, "qid:", 4) == 0;
    bool known = s->rows > 0 || (b->piece && b->piece->later), before = s->rows > 0 ? s->query != NULL : known && b->piece->queries;
    if (known && here != before)
        return lines_refuse(l, NIGH_FORMAT, here ? "the rows before have no qid; all or none must have one" : "'qid:' is expected, as in the rows before");
    if (!here) return NIGH_OK;
    l->at += 4;
    nigh_status status = lines_grow(l->ctx, (void **)&s->query, sizeof *s->query, s->rows);
    if (!status) status = lines_whole(l, "the number of a query is expected", &s->query[s->rows]);
    if (!status && !between_fields(l)) status = lines_refuse(l, NIGH_FORMAT, "a blank is expected after the query");
    return status;
}

static nigh_status take_entry(builder *b, int64_t *before)
{
    lines *l = &b->l;
    nigh_libsvm_rows *s = &b->s;
    int64_t index;
    const char *begin = l->at;
    nigh_status status = lines_whole(l, "index:value is expected", &index);
    if (status) return status;
    if (l->at == l->end || *l->at != ':') return l->at = begin, lines_refuse(l, NIGH_FORMAT, "index:value is expected");
    l->at = begin;
    int64_t least = b->options->zero_based ? 0 : 1, column = index - least;
    if (index < least) return lines_refuse(l, NIGH_FORMAT, "indices begin at 1 (or ask for indices from 0)");
    if (index > index_most || (b->options->columns && column >= b->options->columns))
        return lines_refuse(l, NIGH_FORMAT, "an index within the number of columns is expected");
    if (column <= *before) return lines_refuse(l, NIGH_FORMAT, "the indices of a row must increase");
    *before = column;
    l->at = memchr(begin, ':', (size_t)(l->end - begin));
    l->at++;
    status = lines_grow(l->ctx, (void **)&s->column, sizeof *s->column, b->entries);
    if (!status) status = lines_grow(l->ctx, (void **)&s->value, sizeof *s->value, b->entries);
    if (!status) status = lines_number(l, "a value (a number) is expected", &s->value[b->entries]);
    if (!status && !between_fields(l)) status = lines_refuse(l, NIGH_FORMAT, "a blank is expected after the value");
    if (status) return status;
    s->column[b->entries++] = column;
    if (column > b->largest) b->largest = column;
    return NIGH_OK;
}

static nigh_status take_row(builder *b)
{
    lines *l = &b->l;
    int64_t before = -1;
    nigh_status status = take_label(b);
    lines_skip_blanks(l);
    if (!status) status = take_query(b);
    for (lines_skip_blanks(l); !status && !lines_at_end(l) && *l->at != '#'; lines_skip_blanks(l)) status = take_entry(b, &before);
    if (!status && b->piece) status = lines_grow(l->ctx, (void **)&b->piece->line, sizeof *b->piece->line, b->s.rows);
    if (status) return status;
    if (b->piece) b->piece->line[b->s.rows] = l->before + l->line;
    b->s.start[++b->s.rows] = b->entries;
    return NIGH_OK;
}

nigh_status libsvm_no_rows(nigh_context *ctx, const char *name)
{
    return nigh_fail(ctx, NIGH_FORMAT, "'%s' has no rows; at least one 'label index:value ...' is needed", name);
}

static nigh_status take_rows(builder *b)
{
    nigh_context *ctx = b->l.ctx;
    b->largest = -1;
    nigh_status status = lines_grow(ctx, (void **)&b->s.start, sizeof *b->s.start, 0);
    if (status) return status;
    b->s.start[0] = 0;
    while (!status && lines_next(&b->l, "#")) {
        if (b->s.rows % POLL_ROWS == 0) status = nigh_poll(ctx);
        if (!status) status = take_row(b);
    }
    if (status) return status;
    if (b->s.rows == 0 && !b->piece) return libsvm_no_rows(ctx, b->l.name);
    b->s.columns = b->options->columns ? b->options->columns : b->largest + 1;
    return NIGH_OK;
}

nigh_status nigh_libsvm_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, const nigh_libsvm_options *options,
                              nigh_libsvm_rows *out)
{
    static const nigh_libsvm_options usual = {0};
    builder b = {.options = options ? options : &usual};
    nigh_buffer room = {.ctx = ctx};
    const char *text;
    size_t plain;
    if (b.options->columns < 0)
        return nigh_fail(ctx, NIGH_INVALID, "columns is %lld; 0 (as many as the file has) or more is allowed", (long long)b.options->columns);
    nigh_status status = nigh_io_plain(ctx, bytes, size, name, b.options->max_bytes, &room, &text, &plain);
    if (!status) status = lines_open(ctx, text, plain, name, &b.l);
    if (!status) {
        status = take_rows(&b);
        lines_close(&b.l);
    }
    if (status)
        nigh_libsvm_free(ctx, &b.s);
    else
        *out = b.s;
    nigh_buffer_free(&room);
    return status;
}

nigh_status libsvm_piece_read(nigh_context *ctx, const char *text, size_t size, const char *name, const nigh_libsvm_options *options,
                              libsvm_piece *piece)
{
    builder b = {.options = options, .piece = piece};
    nigh_status status = lines_open(ctx, piece->started ? "" : text, piece->started ? 0 : size, name, &b.l);
    if (status) return status;
    if (piece->started) {
        b.l.start = b.l.at = text;
        b.l.end = text + size;
    }
    b.l.before = piece->before;
    status = take_rows(&b);
    lines_close(&b.l);
    if (status) {
        nigh_libsvm_free(ctx, &b.s);
        nigh_free(ctx, piece->line);
        piece->line = NULL;
        return status;
    }
    piece->rows = b.s;
    piece->started = true;
    if (b.s.rows) piece->later = true;
    if (b.s.rows) piece->queries = b.s.query != NULL;
    return NIGH_OK;
}

nigh_status nigh_libsvm_read(nigh_context *ctx, const char *path, const nigh_libsvm_options *options, nigh_libsvm_rows *out)
{
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_libsvm_parse(ctx, file.data, file.size, nigh_io_source_name(path), options, out);
    nigh_buffer_free(&file);
    return status;
}

/* ---- writing ---- */

static nigh_status check(nigh_context *ctx, const nigh_libsvm_rows *s)
{
    if (s->rows < 0 || s->columns < 0)
        return nigh_fail(ctx, NIGH_INVALID, "the matrix is %lld x %lld; sizes must not be negative", (long long)s->rows, (long long)s->columns);
    if (s->rows && s->start[0] != 0) return nigh_fail(ctx, NIGH_INVALID, "start[0] is %lld; 0 is allowed", (long long)s->start[0]);
    for (int64_t i = 0; i < s->rows; i++) {
        if (s->start[i + 1] < s->start[i]) return nigh_fail(ctx, NIGH_INVALID, "start falls behind row %lld; it must not", (long long)i);
        if (s->query && s->query[i] < 0) return nigh_fail(ctx, NIGH_INVALID, "the query of row %lld is negative", (long long)i);
        if (isnan(s->label[i])) return nigh_fail(ctx, NIGH_INVALID, "the label of row %lld is NaN; a number is needed", (long long)i);
        for (int64_t k = s->start[i], before = -1; k < s->start[i + 1]; before = s->column[k++]) {
            if (s->column[k] <= before || s->column[k] >= s->columns)
                return nigh_fail(ctx, NIGH_INVALID, "entry %lld has column %lld; they must increase in a row and be below %lld", (long long)k,
                                 (long long)s->column[k], (long long)s->columns);
            if (isnan(s->value[k])) return nigh_fail(ctx, NIGH_INVALID, "entry %lld is NaN; a number is needed", (long long)k);
        }
    }
    return NIGH_OK;
}

static nigh_status put_row(const nigh_libsvm_rows *s, int64_t i, locale_t c, nigh_buffer *out)
{
    char number[32];
    nigh_status status = nigh_buffer_add(out, number, (size_t)nigh_io_number_write(number, s->label[i], c));
    if (!status && s->query) status = nigh_buffer_print(out, " qid:%lld", (long long)s->query[i]);
    for (int64_t k = s->start[i]; k < s->start[i + 1] && !status; k++) {
        status = nigh_buffer_print(out, " %lld:", (long long)s->column[k] + 1);
        if (!status) status = nigh_buffer_add(out, number, (size_t)nigh_io_number_write(number, s->value[k], c));
    }
    return status ? status : nigh_buffer_add(out, "\n", 1);
}

nigh_status nigh_libsvm_format(nigh_context *ctx, const nigh_libsvm_rows *sparse, nigh_buffer *out)
{
    nigh_status status = check(ctx, sparse);
    if (status) return status;
    if (!out->ctx) out->ctx = ctx;
    size_t start = out->size;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for a locale");
    locale_t old = uselocale(c);
    for (int64_t i = 0; i < sparse->rows && !status; i++) {
        if (i % POLL_ROWS == 0) status = nigh_poll(ctx);
        if (!status) status = put_row(sparse, i, c, out);
    }
    uselocale(old);
    freelocale(c);
    if (status && out->data) out->data[out->size = start] = 0;
    return status;
}

nigh_status nigh_libsvm_write(nigh_context *ctx, const char *path, const nigh_libsvm_rows *sparse)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_libsvm_format(ctx, sparse, &bytes);
    if (!status) status = nigh_io_write_maybe_gzip(ctx, path, &bytes);
    nigh_buffer_free(&bytes);
    return status;
}

/* ---- dense and back ---- */

nigh_status nigh_libsvm_to_dense(nigh_context *ctx, const nigh_libsvm_rows *sparse, uint64_t max_bytes, nigh_array *out)
{
    nigh_array dense = {{NIGH_F64, 2, {sparse->rows, sparse->columns}}, NULL};
    nigh_status status = check(ctx, sparse);
    if (status) return status;
    if (!max_bytes) max_bytes = (uint64_t)4 << 30;
    int64_t count = nigh_shape_count(&dense.shape);
    if (count < 0 || (uint64_t)count > max_bytes / sizeof(double))
        return nigh_fail(ctx, NIGH_RESOURCE, "a dense matrix of %lld x %lld doubles is larger than the cap of %llu bytes", (long long)sparse->rows,
                         (long long)sparse->columns, (unsigned long long)max_bytes);
    status = nigh_array_new(ctx, &dense.shape, &dense);
    if (status) return status;
    for (int64_t i = 0; i < sparse->rows; i++)
        for (int64_t k = sparse->start[i]; k < sparse->start[i + 1]; k++)
            ((double *)dense.data)[i * sparse->columns + sparse->column[k]] = sparse->value[k];
    *out = dense;
    return NIGH_OK;
}

nigh_status nigh_libsvm_from_dense(nigh_context *ctx, int64_t rows, int64_t columns, const double *values, const double *label,
                                   nigh_libsvm_rows *out)
{
    nigh_shape shape = {NIGH_F64, 2, {rows, columns}};
    nigh_libsvm_rows s = {.rows = rows, .columns = columns};
    if (rows < 0 || columns < 0 || nigh_shape_count(&shape) < 0)
        return nigh_fail(ctx, NIGH_INVALID, "the matrix is %lld x %lld; sizes must not be negative nor overflow", (long long)rows, (long long)columns);
    int64_t entries = 0, size = rows * columns;
    for (int64_t i = 0; i < size; i++) entries += values[i] != 0;
    s.label = nigh_alloc_zero(ctx, (size_t)rows, sizeof *s.label);
    s.start = nigh_alloc_zero(ctx, (size_t)rows + 1, sizeof *s.start);
    s.column = nigh_alloc_zero(ctx, (size_t)entries, sizeof *s.column);
    s.value = nigh_alloc_zero(ctx, (size_t)entries, sizeof *s.value);
    if (!s.label || !s.start || !s.column || !s.value) return nigh_libsvm_free(ctx, &s), NIGH_MEMORY;
    int64_t k = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (label) s.label[i] = label[i];
        for (int64_t j = 0; j < columns; j++) {
            if (values[i * columns + j] == 0) continue;
            s.column[k] = j;
            s.value[k++] = values[i * columns + j];
        }
        s.start[i + 1] = k;
    }
    *out = s;
    return NIGH_OK;
}
