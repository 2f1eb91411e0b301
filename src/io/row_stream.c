/*
 * Row streams: finding the format, choosing columns, cutting batches into blocks of features, target and weight. Declared in
 * nigh/row_stream.h; the formats are in row_stream_text.c and row_stream_array.c.
 */
#include "io/row_stream.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1 << 22, LONGEST = 1 << 26, SHARE = 256 /* rows of a block that one thread takes at once */ };

/* ---- opening ---- */

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end), gz = n > 3 && strcmp(path + n - 3, ".gz") == 0 ? 3 : 0;
    return n - gz >= m && memcmp(path + n - gz - m, end, m) == 0;
}

static bool looks_sparse(const char *path) { return ends_with(path, ".svm") || ends_with(path, ".libsvm") || ends_with(path, ".svmlight"); }

/* Begins like a format that is read whole, or is named so. */
static bool looks_whole(const char *path, const char *bytes, size_t size)
{
    static const char *const ends[] = {".npz", ".safetensors", ".h5", ".hdf5", ".hdf", ".idx", "-ubyte"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(path, ends[i])) return true;
    return (size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "\x89HDF", 4) == 0)) || (size >= 2 && memcmp(bytes, "\0\0", 2) == 0);
}

static bool looks_npy(const byte_source *s) { return s->raw_end >= 6 && memcmp(s->raw, "\x93NUMPY", 6) == 0; }

/* "file.npz:name" and what cannot be opened under its own name is left to nigh_array_read. */
static bool has_part(const char *path) { return strrchr(path, ':') && strcmp(path, "-") != 0; }

static nigh_status find_format(nigh_row_stream *s, const char *path)
{
    bool guess = s->o.format == NIGH_ROWS_GUESS;
    if (s->o.format == NIGH_ROWS_LIBSVM || (guess && looks_sparse(path))) return row_stream_libsvm(s);
    if (s->o.format == NIGH_ROWS_CSV) return row_stream_csv(s);
    if (looks_npy(&s->source) && s->source.seekable) return row_stream_npy(s);
    if (s->o.format == NIGH_ROWS_ARRAY || looks_npy(&s->source) || looks_whole(path, s->source.raw, s->source.raw_end)) {
        if (s->source.fd < 0 || !s->source.owned)
            return nigh_fail(s->ctx, NIGH_UNSUPPORTED, "'%s': of arrays only npy in memory and files of any format are read row by row", s->name);
        return row_stream_whole(s, path);
    }
    return row_stream_csv(s);
}

static nigh_status one_column(nigh_row_stream *s, const char *list, const char *what, int64_t *column)
{
    int64_t *index, count;
    if (!list) return NIGH_OK;
    *column = -1;
    if (!*list) return NIGH_OK;
    nigh_status status = nigh_table_columns(s->ctx, &s->head, list, &index, &count);
    if (status) return nigh_within(s->ctx, status, "'%s': %s", s->name, what);
    if (count == 1) *column = index[0];
    else status = nigh_fail(s->ctx, NIGH_INVALID, "'%s': %s is '%s', %lld columns; one is allowed", s->name, what, list, (long long)count);
    nigh_free(s->ctx, index);
    return status;
}

static nigh_status choose_columns(nigh_row_stream *s, const nigh_row_options *o)
{
    nigh_status status = one_column(s, o->target, "target", &s->target);
    if (!status) status = one_column(s, o->weight, "weight", &s->weight);
    if (status) return status;
    if (s->target >= 0 && s->target == s->weight)
        return nigh_fail(s->ctx, NIGH_INVALID, "'%s': column %lld is target and weight; one of them is allowed", s->name, (long long)s->target + 1);
    if (o->features) {
        status = nigh_table_columns(s->ctx, &s->head, o->features, &s->feature, &s->d);
        if (status) return nigh_within(s->ctx, status, "'%s': features", s->name);
    } else {
        s->feature = nigh_alloc(s->ctx, (size_t)s->head.columns * sizeof *s->feature);
        if (!s->feature) return NIGH_MEMORY;
        for (int64_t c = 0; c < s->head.columns; c++)
            if (c != s->target && c != s->weight) s->feature[s->d++] = c;
    }
    if (s->d == 0) return nigh_fail(s->ctx, NIGH_INVALID, "'%s' has no column left for features besides target and weight", s->name);
    s->as_is = s->d == s->head.columns && !s->o.single;
    for (int64_t j = 0; j < s->d; j++) {
        s->as_is &= s->feature[j] == j;
        if (s->feature[j] == s->target || s->feature[j] == s->weight)
            return nigh_fail(s->ctx, NIGH_INVALID, "'%s': column %lld is a feature and %s; one of them is allowed", s->name, (long long)s->feature[j] + 1,
                             s->feature[j] == s->target ? "the target" : "the weight");
    }
    return NIGH_OK;
}

static nigh_status check_options(nigh_context *ctx, const nigh_row_options *given, nigh_row_options *o)
{
    static const nigh_row_options usual = {0};
    *o = given ? *given : usual;
    if (o->rows < 0) return nigh_fail(ctx, NIGH_INVALID, "rows of a block is %lld; 0 (as many as a chunk has) or more is allowed", (long long)o->rows);
    if (o->threads < 0 || o->threads > 1024) return nigh_fail(ctx, NIGH_INVALID, "threads is %d; 0 (the context's) to 1024 is allowed", o->threads);
    if (o->chunk > (size_t)1 << 30) return nigh_fail(ctx, NIGH_INVALID, "chunk is %zu; 0 (4 MiB) to 1 GiB is allowed", o->chunk);
    if (!o->rows) o->rows = INT64_MAX;
    if (!o->threads) o->threads = nigh_context_threads(ctx);
    if (!o->chunk) o->chunk = CHUNK;
    if (!o->longest) o->longest = LONGEST;
    return NIGH_OK;
}

static nigh_status new_stream(nigh_context *ctx, const char *name, const nigh_row_options *options, nigh_row_stream **out)
{
    nigh_row_options o;
    nigh_status status = check_options(ctx, options, &o);
    if (status) return status;
    nigh_row_stream *s = nigh_alloc_zero(ctx, 1, sizeof *s);
    if (!s) return NIGH_MEMORY;
    s->ctx = ctx;
    s->o = o;
    s->source.fd = -1;
    s->source.ctx = ctx;
    s->target = s->weight = -1;
    s->name = nigh_strdup(ctx, name);
    if (!s->name) return nigh_row_stream_free(s), NIGH_MEMORY;
    *out = s;
    return NIGH_OK;
}

/* In columns that nobody asked for anything may stand: names, dates. */
static nigh_status loosen(nigh_row_stream *s)
{
    int64_t columns = s->head.columns, strict = s->d + (s->target >= 0) + (s->weight >= 0);
    if (!s->text_kind || strict == columns) return NIGH_OK;
    s->loose = nigh_alloc(s->ctx, (size_t)columns * sizeof *s->loose);
    if (!s->loose) return NIGH_MEMORY;
    for (int64_t c = 0; c < columns; c++) s->loose[c] = c != s->target && c != s->weight;
    for (int64_t j = 0; j < s->d; j++) s->loose[s->feature[j]] = false;
    s->text.reader.loose = s->loose;
    return NIGH_OK;
}

static nigh_status finish(nigh_row_stream *s, nigh_status status, const nigh_row_options *options, nigh_row_stream **stream)
{
    static const nigh_row_options usual = {0};
    if (!status) status = choose_columns(s, options ? options : &usual);
    if (!status) status = loosen(s);
    if (status) return nigh_row_stream_free(s), status;
    s->o.features = s->o.target = s->o.weight = NULL;
    *stream = s;
    return NIGH_OK;
}

nigh_status nigh_row_stream_open(nigh_context *ctx, const char *path, const nigh_row_options *options, nigh_row_stream **stream)
{
    nigh_row_stream *s = NULL;
    nigh_status status = new_stream(ctx, nigh_io_source_name(path), options, &s);
    if (status) return status;
    status = byte_source_open(ctx, path, s->name, &s->source);
    if (!status) status = find_format(s, path);
    else if (s->source.fd < 0 && has_part(path)) status = row_stream_whole(s, path);
    return finish(s, status, options, stream);
}

nigh_status nigh_row_stream_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, const nigh_row_options *options,
                                  nigh_row_stream **stream)
{
    nigh_row_stream *s = NULL;
    nigh_status status = new_stream(ctx, name, options, &s);
    if (status) return status;
    status = byte_source_of_bytes(ctx, bytes, size, s->name, &s->source);
    if (!status) status = find_format(s, name);
    return finish(s, status, options, stream);
}

void nigh_row_stream_free(nigh_row_stream *s)
{
    if (!s) return;
    nigh_context *ctx = s->ctx;
    row_stream_text_free(s);
    row_stream_array_free(s);
    byte_source_close(&s->source);
    nigh_table_free(ctx, &s->head);
    nigh_free(s->ctx, s->loose);
    nigh_free(ctx, s->feature);
    nigh_free(ctx, s->values);
    nigh_free(ctx, s->x);
    nigh_free(ctx, s->y);
    nigh_free(ctx, s->w);
    nigh_free(ctx, s->x_single);
    nigh_free(ctx, s->number);
    nigh_free(ctx, s->name);
    nigh_free(ctx, s);
}

nigh_row_about nigh_row_stream_about(const nigh_row_stream *s)
{
    bool array = !s->text_kind;
    const nigh_shape *shape = s->array.whole.data ? &s->array.whole.shape : &s->array.npy.shape;
    return (nigh_row_about){.columns = s->head.columns, .d = s->d, .names = s->head.names, .feature = s->feature, .target = s->target,
                            .weight = s->weight, .total = array ? shape->dim[0] : -1, .bytes = s->source.at, .size = s->source.size,
                            .rows = s->rows, .dropped = s->dropped, .can_rewind = array || s->source.seekable};
}

size_t nigh_row_stream_memory(const nigh_row_stream *s)
{
    size_t block = (size_t)s->block_room * ((s->as_is ? 0 : (size_t)s->d * (s->o.single ? 4 : 8)) + 8 * (size_t)((s->target >= 0) + (s->weight >= 0)));
    size_t whole = s->array.whole.data ? (size_t)nigh_shape_count(&s->array.whole.shape) * nigh_dtype_size(s->array.whole.shape.dtype) : 0;
    return sizeof *s + s->text.room + 8 * s->values_room + block + whole;
}

nigh_status row_stream_room(nigh_row_stream *s, size_t count)
{
    if (count <= s->values_room) return NIGH_OK;
    nigh_free(s->ctx, s->values);
    s->values_room = 0;
    count += count / 8;
    s->values = nigh_alloc(s->ctx, count * sizeof *s->values);
    if (!s->values) return nigh_within(s->ctx, NIGH_MEMORY, "'%s'", s->name);
    s->values_room = count;
    return NIGH_OK;
}

/* ---- blocks ---- */

static nigh_status resize(nigh_row_stream *s, void *block, size_t bytes)
{
    void **p = block;
    nigh_free(s->ctx, *p);
    *p = nigh_alloc(s->ctx, bytes);
    return *p ? NIGH_OK : NIGH_MEMORY;
}

static nigh_status block_room(nigh_row_stream *s, int64_t rows)
{
    if (rows <= s->block_room) return NIGH_OK;
    size_t n = (size_t)(rows + rows / 8);
    s->block_room = 0;
    nigh_status status = NIGH_OK;
    if (!s->as_is || s->o.missing == NIGH_ROWS_MISSING_DROP)
        status = s->o.single ? resize(s, &s->x_single, n * (size_t)s->d * 4) : resize(s, &s->x, n * (size_t)s->d * 8);
    if (!status && s->target >= 0) status = resize(s, &s->y, n * 8);
    if (!status && s->weight >= 0) status = resize(s, &s->w, n * 8);
    if (!status && s->o.missing == NIGH_ROWS_MISSING_DROP) status = resize(s, &s->number, n * 8);
    if (!status) s->block_room = (int64_t)n;
    return status;
}

static bool misses(const nigh_row_stream *s, const double *row)
{
    bool any = (s->target >= 0 && isnan(row[s->target])) || (s->weight >= 0 && isnan(row[s->weight]));
    for (int64_t j = 0; j < s->d; j++) any |= isnan(row[s->feature[j]]);
    return any;
}

static void copy_row(nigh_row_stream *s, const double *row, int64_t to)
{
    if (s->o.single)
        for (int64_t j = 0; j < s->d; j++) s->x_single[to * s->d + j] = (float)row[s->feature[j]];
    else
        for (int64_t j = 0; j < s->d; j++) s->x[to * s->d + j] = row[s->feature[j]];
    if (s->target >= 0) s->y[to] = row[s->target];
    if (s->weight >= 0) s->w[to] = row[s->weight];
}

static void place(const nigh_row_stream *s, int64_t batch_row, char out[64])
{
    if (s->text_kind) snprintf(out, 64, "line %lld", (long long)s->line(s, batch_row));
    else snprintf(out, 64, "row %lld", (long long)(s->row - s->given + batch_row) + 1);
}

static nigh_status refuse(const nigh_row_stream *s, int64_t batch_row, int64_t column, const char *what)
{
    char where[64];
    csv_label label = csv_column_label(s->head.names ? s->head.names[column] : NULL);
    place(s, batch_row, where);
    return nigh_fail(s->ctx, NIGH_FORMAT, "'%s': %s, column %lld%s: '%g' %s", s->name, where, (long long)column + 1, label.text,
                     s->batch.values[batch_row * s->head.columns + column], what);
}

/* The first row of the block that may not be as it is, as a failure. */
static nigh_status check_rows(const nigh_row_stream *s, int64_t from, int64_t count)
{
    bool refuse_missing = s->batch.open && s->o.missing == NIGH_ROWS_MISSING_REFUSE;
    if (!refuse_missing && s->weight < 0) return NIGH_OK;
    for (int64_t i = from; i < from + count; i++) {
        const double *row = s->batch.values + i * s->head.columns;
        if (s->weight >= 0 && !(row[s->weight] >= 0 && row[s->weight] < INFINITY) && !(s->o.missing == NIGH_ROWS_MISSING_DROP && isnan(row[s->weight])))
            return refuse(s, i, s->weight, "is no weight; 0 and more, but not infinity, is allowed");
        if (!refuse_missing || !misses(s, row)) continue;
        for (int64_t c = 0; c < s->head.columns; c++) {
            bool used = c == s->target;
            for (int64_t j = 0; j < s->d; j++) used |= c == s->feature[j];
            if (used && isnan(row[c])) return refuse(s, i, c, "is a missing value; fill or remove it, or ask for NaN in its place");
        }
    }
    return NIGH_OK;
}

/* Rows without missing values, one after another. */
static int64_t copy_present(nigh_row_stream *s, int64_t from, int64_t count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        const double *row = s->batch.values + (from + i) * s->head.columns;
        if (misses(s, row)) continue;
        copy_row(s, row, kept);
        s->number[kept++] = s->row + i;
    }
    return kept;
}

static void copy_all(nigh_row_stream *s, int64_t from, int64_t count)
{
    const double *values = s->batch.values + from * s->head.columns;
    int threads = count > 4 * SHARE ? s->o.threads : 1;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (int64_t part = 0; part < (count + SHARE - 1) / SHARE; part++) {
        int64_t stop = (part + 1) * SHARE < count ? (part + 1) * SHARE : count;
        for (int64_t i = part * SHARE; i < stop; i++) copy_row(s, values + i * s->head.columns, i);
    }
}

/* Rows given .. given + count - 1 of the batch as a block, empty when all were dropped. */
static nigh_status give(nigh_row_stream *s, int64_t count, nigh_row_block *block)
{
    bool drop = s->o.missing == NIGH_ROWS_MISSING_DROP;
    int64_t from = s->given, kept = count;
    nigh_status status = block_room(s, count);
    if (!status) status = check_rows(s, from, count);
    if (status) return status;
    if (drop) kept = copy_present(s, from, count);
    else if (!s->as_is) copy_all(s, from, count);
    const double *x = s->as_is && !drop ? s->batch.values + from * s->head.columns : s->x;
    *block = (nigh_row_block){.count = kept, .d = s->d, .first = s->row, .number = drop ? s->number : NULL, .x = s->o.single ? NULL : x,
                              .x_single = s->x_single, .y = s->target >= 0 ? s->y : NULL, .weight = s->weight >= 0 ? s->w : NULL};
    s->last = from;
    if (s->text_kind) block->line = s->line(s, from);
    s->given += count;
    s->row += count;
    s->rows += kept;
    s->dropped += count - kept;
    return NIGH_OK;
}

static nigh_status next(nigh_row_stream *s, nigh_row_block *block)
{
    nigh_row_block out = {0};
    nigh_status status = NIGH_OK;
    while (!status && out.count == 0) {
        if (s->given == s->batch.count) {
            s->batch.count = s->given = 0;
            status = s->fill(s);
            if (status || s->batch.count == 0) break;
        }
        int64_t left = s->batch.count - s->given;
        status = give(s, left < s->o.rows ? left : s->o.rows, &out);
    }
    if (!status && out.count == 0) out = (nigh_row_block){.d = s->d, .first = s->row};
    if (!status) *block = out;
    return status;
}

nigh_status nigh_row_stream_next(nigh_row_stream *s, nigh_row_block *block)
{
    if (s->failed) return nigh_fail(s->ctx, NIGH_INVALID, "'%s' could not be read; it must be opened again", s->name);
    nigh_status status = next(s, block);
    s->failed = status != NIGH_OK;
    return status;
}

void nigh_row_stream_place(nigh_row_stream *s, int64_t i, char out[64])
{
    place(s, s->o.missing == NIGH_ROWS_MISSING_DROP ? s->number[i] - s->row + s->given : s->last + i, out);
}

nigh_status nigh_row_stream_rewind(nigh_row_stream *s)
{
    nigh_status status = s->rewind(s);
    if (status) return status;
    s->batch.count = s->given = 0;
    s->row = s->rows = s->dropped = 0;
    s->failed = false;
    return NIGH_OK;
}
