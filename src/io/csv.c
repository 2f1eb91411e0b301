/* csv: text to a table of numbers. Declared in nigh/io.h. */
#include "io/csv_text.h"
#include "io/gzip.h"

#include <string.h>

/* No more values than this can follow: a row needs a line, and every value but the last one a byte after it. */
static size_t most_values(const csv_text *r)
{
    size_t lines = (size_t)csv_kernels_get()->count_lines(r->at, r->end, r->end) + 1, bytes = (size_t)(r->end - r->at) + 1, product;
    return __builtin_mul_overflow(lines, (size_t)r->columns, &product) || product > bytes ? bytes : product;
}

static nigh_status read_rows(csv_text *r, const char *low, nigh_table *table)
{
    size_t room = most_values(r), used = 0;
    int threads = nigh_context_threads(r->ctx);
    csv_wave wave;
    table->values = nigh_alloc(r->ctx, (room + (size_t)table->columns) * sizeof *table->values); /* room, columns <= file size + 1 */
    if (!table->values) return nigh_within(r->ctx, NIGH_MEMORY, "'%s'", r->name);
    while (r->at < r->end) {
        int64_t rows;
        nigh_status status = nigh_poll(r->ctx);
        if (status) return status;
        csv_wave_cut(&wave, r, r->end, CSV_PART_BYTES, threads);
        status = csv_wave_read(&wave, r, low, threads, table->values + used, &rows);
        if (status) return status;
        used += (size_t)rows * (size_t)table->columns;
        table->rows += rows;
    }
    if (table->rows == 0) return csv_no_rows(r->ctx, r->name, table->had_header);
    if (used < room / 2) { /* many comments or empty lines: give the room back */
        double *fit = nigh_resize(r->ctx, table->values, used * sizeof *fit);
        if (!fit) return NIGH_MEMORY;
        table->values = fit;
    }
    return NIGH_OK;
}

static nigh_status parse_text(nigh_context *ctx, const char *text, size_t size, const char *name, const nigh_csv_options *options,
                              nigh_table *out)
{
    size_t mark;
    bool ran_out;
    nigh_table table = {0};
    nigh_status status = csv_mark(ctx, text, size, name, &mark);
    if (status) return status;
    if (size == 0) text = "";
    csv_text r = {.ctx = ctx, .name = name, .at = text + mark, .end = text + size, .line = 1};
    r.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!r.c) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for a locale");
    status = csv_head(&r, options, &table, &ran_out);
    if (!status) status = read_rows(&r, text, &table);
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
    nigh_status status = csv_options_check(ctx, options);
    if (status) return status;
    if (!nigh_io_is_gzip(bytes, size)) return parse_text(ctx, bytes, size, name, options, out);
    nigh_buffer text = {.ctx = ctx};
    status = nigh_io_gunzip(ctx, bytes, size, name, options->max_bytes ? options->max_bytes : (uint64_t)4 << 30, &text);
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
