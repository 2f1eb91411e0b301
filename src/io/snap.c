/* Lists of edges as SNAP (the Stanford network collection) gives them out. Declared in nigh/io.h. */
#include "io/gzip.h"
#include "io/lines.h"
#include "io/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_LINES = 65536 };

void nigh_edges_free(nigh_context *ctx, nigh_edges *edges)
{
    nigh_free(ctx, edges->from);
    nigh_free(ctx, edges->to);
    nigh_free(ctx, edges->weight);
    *edges = (nigh_edges){0};
}

/* Steps over blanks with at most one comma among them; false when there was nothing. */
static bool skip_gap(lines *l)
{
    const char *start = l->at;
    lines_skip_blanks(l);
    if (l->at < l->end && *l->at == ',') l->at++;
    lines_skip_blanks(l);
    return l->at > start;
}

static nigh_status take_edge(lines *l, nigh_edges *e)
{
    int64_t from, to;
    double weight = 0;
    nigh_status status = lines_whole(l, "the number of a node (0, 1, 2 ...) is expected", &from);
    if (!status && !skip_gap(l)) status = lines_refuse(l, NIGH_FORMAT, "a blank, a tab or a comma is expected after a node");
    if (!status) status = lines_whole(l, "the number of a second node is expected", &to);
    if (status) return status;
    bool more = skip_gap(l) && !lines_at_end(l);
    if (e->count > 0 && more != (e->weight != NULL))
        return lines_refuse(l, NIGH_FORMAT, more ? "two fields are expected, as in the first line" : "a weight is expected, as in the first line");
    if (more) status = lines_number(l, "a weight (a number) is expected", &weight);
    lines_skip_blanks(l);
    if (!status && !lines_at_end(l)) status = lines_refuse(l, NIGH_FORMAT, "the end of the line is expected");
    if (!status) status = lines_grow(l->ctx, (void **)&e->from, sizeof *e->from, e->count);
    if (!status) status = lines_grow(l->ctx, (void **)&e->to, sizeof *e->to, e->count);
    if (!status && more) status = lines_grow(l->ctx, (void **)&e->weight, sizeof *e->weight, e->count);
    if (status) return status;
    e->from[e->count] = from;
    e->to[e->count] = to;
    if (more) e->weight[e->count] = weight;
    e->count++;
    return NIGH_OK;
}

/* At most 18 digits, which cannot overflow; NULL for anything else. */
static const char *short_number(const char *p, const char *end, int64_t *value)
{
    const char *most = end - p > 18 ? p + 18 : end, *start = p;
    int64_t n = 0;
    for (; p < most && *p >= '0' && *p <= '9'; p++) n = 10 * n + (*p - '0');
    *value = n;
    return p == start || (p < end && *p >= '0' && *p <= '9') ? NULL : p;
}

/* Lines of two short numbers with blanks between and LF behind, which is how nearly all are, from the one at hand on: far fewer steps. Stops at the
 * end of the last such line; what is left to take_edge is anything else. *count tells how many were taken. */
static nigh_status take_plain(lines *l, nigh_edges *e, int *count)
{
    const char *p = l->at;
    *count = 0;
    for (; *count < POLL_LINES && !e->weight; ++*count) {
        int64_t from, to;
        const char *q = short_number(p, l->end, &from), *gap = q;
        if (!q) break;
        while (q < l->end && (*q == ' ' || *q == '\t')) q++;
        if (q == gap || !(q = short_number(q, l->end, &to)) || q == l->end || *q != '\n') break;
        nigh_status status = lines_grow(l->ctx, (void **)&e->from, sizeof *e->from, e->count);
        if (!status) status = lines_grow(l->ctx, (void **)&e->to, sizeof *e->to, e->count);
        if (status) return status;
        e->from[e->count] = from;
        e->to[e->count++] = to;
        l->line += *count > 0;
        l->start = p;
        l->at = q;
        p = q + 1;
    }
    return NIGH_OK;
}

static nigh_status take_edges(lines *l, nigh_edges *e)
{
    nigh_status status = NIGH_OK;
    int plain = 0;
    while (!status && lines_next(l, "#%")) {
        if (plain || e->count % POLL_LINES == 0) status = nigh_poll(l->ctx);
        if (!status) status = take_plain(l, e, &plain);
        if (!status && plain == 0) status = take_edge(l, e);
    }
    if (!status && e->count == 0) status = nigh_fail(l->ctx, NIGH_FORMAT, "'%s' has no edges; lines 'from to' are expected", l->name);
    return status;
}

nigh_status nigh_snap_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_edges *out)
{
    nigh_buffer room = {.ctx = ctx};
    nigh_edges edges = {0};
    lines l;
    const char *text;
    size_t plain;
    nigh_status status = nigh_io_plain(ctx, bytes, size, name, 0, &room, &text, &plain);
    if (!status) status = lines_open(ctx, text, plain, name, &l);
    if (!status) {
        status = take_edges(&l, &edges);
        lines_close(&l);
    }
    if (status)
        nigh_edges_free(ctx, &edges);
    else
        *out = edges;
    nigh_buffer_free(&room);
    return status;
}

nigh_status nigh_snap_read(nigh_context *ctx, const char *path, nigh_edges *out)
{
    nigh_buffer file = {.ctx = ctx};
    nigh_status status = nigh_io_read_all(ctx, path, &file);
    if (!status) status = nigh_snap_parse(ctx, file.data, file.size, nigh_io_source_name(path), out);
    nigh_buffer_free(&file);
    return status;
}

nigh_status nigh_snap_format(nigh_context *ctx, const nigh_edges *edges, nigh_buffer *out)
{
    for (int64_t i = 0; i < edges->count; i++)
        if (edges->from[i] < 0 || edges->to[i] < 0 || (edges->weight && isnan(edges->weight[i])))
            return nigh_fail(ctx, NIGH_INVALID, "edge %lld has a negative node or a weight that is NaN", (long long)i);
    if (!out->ctx) out->ctx = ctx;
    size_t start = out->size;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) return nigh_fail(ctx, NIGH_MEMORY, "out of memory for a locale");
    locale_t old = uselocale(c);
    nigh_status status = NIGH_OK;
    char number[32];
    for (int64_t i = 0; i < edges->count && !status; i++) {
        status = nigh_buffer_print(out, "%lld\t%lld", (long long)edges->from[i], (long long)edges->to[i]);
        if (!status && edges->weight) {
            status = nigh_buffer_add(out, "\t", 1);
            if (!status) status = nigh_buffer_add(out, number, (size_t)nigh_io_number_write(number, edges->weight[i], c));
        }
        if (!status) status = nigh_buffer_add(out, "\n", 1);
        if (!status && i % POLL_LINES == 0) status = nigh_poll(ctx);
    }
    uselocale(old);
    freelocale(c);
    if (status && out->data) out->data[out->size = start] = 0;
    return status;
}

nigh_status nigh_snap_write(nigh_context *ctx, const char *path, const nigh_edges *edges)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_snap_format(ctx, edges, &bytes);
    if (!status) status = nigh_io_write_maybe_gzip(ctx, path, &bytes);
    nigh_buffer_free(&bytes);
    return status;
}

/* ---- renumbering ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t place_of(const int64_t *sorted, int64_t n, int64_t number)
{
    const int64_t *at = bsearch(&number, sorted, (size_t)n, sizeof *sorted, by_number);
    return at - sorted;
}

nigh_status nigh_edges_compact(nigh_context *ctx, nigh_edges *edges, int64_t *nodes, int64_t **old)
{
    int64_t n = 0, m = edges->count;
    int64_t *all = nigh_alloc_zero(ctx, 2 * (size_t)m, sizeof *all);
    if (!all) return NIGH_MEMORY;
    if (m) {
        memcpy(all, edges->from, (size_t)m * sizeof *all);
        memcpy(all + m, edges->to, (size_t)m * sizeof *all);
        qsort(all, 2 * (size_t)m, sizeof *all, by_number);
    }
    for (int64_t i = 0; i < 2 * m; i++)
        if (i == 0 || all[i] != all[n - 1]) all[n++] = all[i];
    for (int64_t i = 0; i < m; i++) {
        edges->from[i] = place_of(all, n, edges->from[i]);
        edges->to[i] = place_of(all, n, edges->to[i]);
    }
    *nodes = n;
    *old = all;
    return NIGH_OK;
}
