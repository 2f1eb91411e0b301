/* Summaries in npz files. Declared in nigh/summary.h. */
#include "reduce/ssumm.h"

#include "io/stream.h"

#include <math.h>
#include <string.h>

/* ---- writing ------------------------------------------------------------------------------------------------ */

static nigh_status add_array(nigh_bundle *bundle, const char *name, nigh_dtype type, int64_t rows, int64_t columns, const void *data)
{
    nigh_array array = {.shape = {.dtype = type, .ndim = columns ? 2 : 1, .dim = {rows, columns}}, .data = (void *)(uintptr_t)data};
    return nigh_bundle_add(bundle, name, &array);
}

static nigh_status add_superedges(nigh_bundle *bundle, const nigh_summary *s)
{
    nigh_context *ctx = s->ctx;
    uint32_t(*pair)[2] = nigh_alloc(ctx, (size_t)(s->superedges + 1) * sizeof *pair);
    uint32_t *weight = pair ? nigh_alloc(ctx, (size_t)(s->superedges + 1) * sizeof *weight) : NULL;
    int64_t n = 0;
    nigh_status status = weight ? NIGH_OK : NIGH_MEMORY;
    for (int64_t a = 0; a < s->supernodes && !status; a++)
        for (int64_t i = s->start[a]; i < s->start[a + 1]; i++) {
            if (s->other[i] < a) continue;
            pair[n][0] = (uint32_t)a;
            pair[n][1] = s->other[i];
            weight[n++] = s->weight[i];
        }
    if (!status) status = add_array(bundle, "superedge", NIGH_U32, n, 2, pair);
    if (!status) status = add_array(bundle, "weight", NIGH_U32, n, 0, weight);
    nigh_free(ctx, pair);
    nigh_free(ctx, weight);
    return status;
}

nigh_status nigh_summary_format(nigh_context *ctx, const nigh_summary *s, nigh_buffer *out)
{
    nigh_bundle bundle = {.ctx = ctx};
    nigh_status status = add_array(&bundle, "supernode", NIGH_U32, s->nodes, 0, s->supernode);
    if (!status) status = add_superedges(&bundle, s);
    if (!status) status = add_array(&bundle, "edges", NIGH_I64, 1, 0, &s->edges);
    if (!status && s->old) status = add_array(&bundle, "old", NIGH_I64, s->nodes, 0, s->old);
    if (!status) status = nigh_npz_format(ctx, &bundle, 6, out);
    nigh_bundle_free(&bundle);
    return status;
}

nigh_status nigh_summary_write(nigh_context *ctx, const char *path, const nigh_summary *s)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_status status = nigh_summary_format(ctx, s, &bytes);
    if (!status) status = nigh_io_write_plain(ctx, path, &bytes);
    nigh_buffer_free(&bytes);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

typedef struct reading {
    nigh_context *ctx;
    const char *name;
    nigh_bundle bundle;
    int64_t nodes, supernodes, superedges, edges;
    const uint32_t *label, (*pair)[2], *weight;
    const int64_t *old;
} reading;

/* The array of that name, type and number of columns (0: one dimension) and, where rows is 0 or more, rows. */
static nigh_status take(reading *r, const char *name, nigh_dtype type, int64_t columns, int64_t rows, const void **data, int64_t *count)
{
    const nigh_array *array = nigh_bundle_find(&r->bundle, name);
    if (!array) return nigh_fail(r->ctx, NIGH_FORMAT, "'%s' is no summary of a graph: it has no array '%s'", r->name, name);
    const nigh_shape *shape = &array->shape;
    if (shape->dtype != type || shape->ndim != (columns ? 2 : 1) || (columns && shape->dim[1] != columns))
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': array '%s' must be %s with %s", r->name, name, nigh_dtype_name(type), columns ? "two columns" : "one dimension");
    if (rows >= 0 && shape->dim[0] != rows)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': array '%s' has %lld rows; %lld are expected", r->name, name, (long long)shape->dim[0], (long long)rows);
    *data = array->data;
    *count = shape->dim[0];
    return NIGH_OK;
}

static nigh_status take_all(reading *r)
{
    const void *data = NULL;
    int64_t count = 0;
    nigh_status status = take(r, "supernode", NIGH_U32, 0, -1, &data, &r->nodes);
    r->label = data;
    if (!status) status = take(r, "superedge", NIGH_U32, 2, -1, &data, &r->superedges);
    r->pair = data;
    if (!status) status = take(r, "weight", NIGH_U32, 0, r->superedges, &data, &count);
    r->weight = data;
    if (!status) status = take(r, "edges", NIGH_I64, 0, 1, &data, &count);
    if (!status) r->edges = *(const int64_t *)data;
    if (!status && nigh_bundle_find(&r->bundle, "old")) {
        status = take(r, "old", NIGH_I64, 0, r->nodes, &data, &count);
        r->old = data;
    }
    return status;
}

static nigh_status check_nodes(reading *r)
{
    if (r->nodes < 1 || r->nodes >= INT64_C(1) << 31)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s' has %lld nodes; 1 to 2^31 - 1 are allowed", r->name, (long long)r->nodes);
    int64_t largest = 0;
    for (int64_t v = 0; v < r->nodes; v++) {
        if (r->label[v] >= r->nodes)
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': node %lld is in supernode %u; there are at most as many as nodes, %lld", r->name, (long long)v, r->label[v], (long long)r->nodes);
        if (r->label[v] > largest) largest = r->label[v];
        if (r->old && (r->old[v] < 0 || (v && r->old[v] <= r->old[v - 1])))
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': number %lld of node %lld is not above the one before it", r->name, (long long)r->old[v], (long long)v);
    }
    r->supernodes = largest + 1;
    return NIGH_OK;
}

static nigh_status check_superedges(reading *r, const int64_t *size)
{
    uint64_t total = 0;
    for (int64_t a = 0; a < r->supernodes; a++)
        if (size[a] == 0) return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': supernode %lld of %lld has no nodes", r->name, (long long)a, (long long)r->supernodes);
    for (int64_t i = 0; i < r->superedges; i++) {
        uint32_t a = r->pair[i][0], b = r->pair[i][1];
        if (a > b || b >= r->supernodes)
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': superedge %lld joins %u and %u; two of %lld supernodes, the smaller first, are expected", r->name, (long long)i, a, b,
                             (long long)r->supernodes);
        if (i && (a < r->pair[i - 1][0] || (a == r->pair[i - 1][0] && b <= r->pair[i - 1][1])))
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': superedge %lld (%u %u) is not after the one before it", r->name, (long long)i, a, b);
        uint64_t x = (uint64_t)size[a], y = (uint64_t)size[b], pairs = a == b ? x * (x - 1) / 2 : x * y;
        if (r->weight[i] < 1 || r->weight[i] > pairs)
            return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': superedge %lld (%u %u) stands for %u edges; 1 to %llu are possible", r->name, (long long)i, a, b, r->weight[i],
                             (unsigned long long)pairs);
        total += r->weight[i];
    }
    if (r->edges < 0 || total > (uint64_t)r->edges)
        return nigh_fail(r->ctx, NIGH_FORMAT, "'%s': superedges stand for %llu edges, more than the %lld of the graph", r->name, (unsigned long long)total, (long long)r->edges);
    return NIGH_OK;
}

static nigh_status check(reading *r)
{
    nigh_status status = check_nodes(r);
    if (status) return status;
    int64_t *size = nigh_alloc_zero(r->ctx, (size_t)r->supernodes, sizeof *size);
    if (!size) return NIGH_MEMORY;
    for (int64_t v = 0; v < r->nodes; v++) size[r->label[v]]++;
    status = check_superedges(r, size);
    nigh_free(r->ctx, size);
    return status;
}

static nigh_status finish(reading *r, nigh_status status, nigh_summary *out)
{
    if (!status) status = take_all(r);
    if (!status) status = check(r);
    if (!status) status = summary_new(r->ctx, r->nodes, r->edges, r->label, r->supernodes, r->old, r->superedges, r->pair, r->weight, out);
    nigh_bundle_free(&r->bundle);
    return status;
}

nigh_status nigh_summary_read(nigh_context *ctx, const char *path, nigh_summary *out)
{
    reading r = {.ctx = ctx, .name = path, .bundle = {.ctx = ctx}};
    return finish(&r, nigh_npz_read(ctx, path, &r.bundle), out);
}

nigh_status nigh_summary_parse(nigh_context *ctx, const void *bytes, size_t size, const char *name, nigh_summary *out)
{
    reading r = {.ctx = ctx, .name = name, .bundle = {.ctx = ctx}};
    return finish(&r, nigh_npz_parse(ctx, bytes, size, name, &r.bundle), out);
}
