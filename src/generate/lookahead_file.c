/*
 * The store of drafts in a file: safetensors with parent [n] (u32, the place of a node above it plus one, 0: the root), token [n] (i32) and count [n] (u16),
 * parents before their children. Only what lasts is written. Declared in nigh/generate.h and generate/lookahead.h.
 */
#include "core/file.h"
#include "generate/lookahead.h"
#include "nigh/io.h"

#include <string.h>

static const char kind[] = "{\"format\":\"nigh-lookahead\",\"version\":\"1\"}";

typedef struct rows {
    int64_t count;
    uint32_t *parent;
    int32_t *token;
    uint16_t *times;
} rows;

/* From the root down, siblings from the last to the first: read in this order, each comes to stand before the ones of less worth. */
static void gather(const trie *t, uint32_t node, uint32_t place, rows *r)
{
    uint32_t last = t->node[node].child;
    while (last && t->node[last].next) last = t->node[last].next;
    for (uint32_t n = last; n; n = t->node[n].prev) {
        if (!t->node[n].count[TRIE_LASTING]) continue;
        r->parent[r->count] = place;
        r->token[r->count] = t->node[n].token;
        r->times[r->count++] = t->node[n].count[TRIE_LASTING];
        gather(t, n, (uint32_t)r->count, r);
    }
}

nigh_status lookahead_format(const nigh_lookahead *l, nigh_buffer *out)
{
    static const char *const name[3] = {"parent", "token", "count"};
    static const nigh_dtype type[3] = {NIGH_U32, NIGH_I32, NIGH_U16};
    nigh_array array[3] = {{.data = NULL}};
    nigh_named_array item[3];
    rows r = {0};
    nigh_status status = NIGH_OK;
    for (int i = 0; i < 3 && !status; i++) {
        nigh_shape shape = {.dtype = type[i], .ndim = 1, .dim = {l->store.count}};
        status = nigh_array_new(l->ctx, &shape, &array[i]);
    }
    if (!status) {
        r.parent = array[0].data, r.token = array[1].data, r.times = array[2].data;
        gather(&l->store, 0, 0, &r);
        for (int i = 0; i < 3; i++) {
            array[i].shape.dim[0] = r.count;
            item[i] = (nigh_named_array){(char *)name[i], array[i]};
        }
        nigh_bundle bundle = {.ctx = l->ctx, .count = 3, .items = item, .metadata = (char *)kind};
        status = nigh_safetensors_format(l->ctx, &bundle, out);
    }
    for (int i = 0; i < 3; i++) nigh_array_free(l->ctx, &array[i]);
    return status;
}

nigh_status nigh_lookahead_save(const nigh_lookahead *l, const char *path)
{
    nigh_buffer bytes = {.ctx = l->ctx};
    nigh_status status = lookahead_format(l, &bytes);
    if (!status) status = nigh_file_write(l->ctx, path, bytes.data, bytes.size);
    nigh_buffer_free(&bytes);
    return status;
}

static nigh_status find(const nigh_lookahead *l, const nigh_bundle *b, const char *file, const char *name, nigh_dtype type, const nigh_array **array)
{
    const nigh_array *a = nigh_bundle_find(b, name);
    if (!a) return nigh_fail(l->ctx, NIGH_FORMAT, "%s: there is no '%s': no file of drafts", file, name);
    if (a->shape.ndim != 1 || a->shape.dtype != type)
        return nigh_fail(l->ctx, NIGH_FORMAT, "%s: '%s' has %d dimensions of type %s; one of %s is right", file, name, a->shape.ndim, nigh_dtype_name(a->shape.dtype),
                         nigh_dtype_name(type));
    *array = a;
    return NIGH_OK;
}

static nigh_status check(const nigh_lookahead *l, const char *name, const rows *r, int32_t vocabulary)
{
    for (int64_t i = 0; i < r->count; i++) {
        if (r->parent[i] > i)
            return nigh_fail(l->ctx, NIGH_FORMAT, "%s: node %lld stands before its parent %lld", name, (long long)i, (long long)r->parent[i] - 1);
        if (r->token[i] < 0 || r->token[i] >= vocabulary)
            return nigh_fail(l->ctx, NIGH_FORMAT, "%s: token %d of node %lld is beyond the vocabulary of %d: drafts of another model?", name, r->token[i], (long long)i, vocabulary);
        if (!r->times[i]) return nigh_fail(l->ctx, NIGH_FORMAT, "%s: the count of node %lld is 0", name, (long long)i);
    }
    return NIGH_OK;
}

/* What is deeper than this store, or finds no room, is left out with all below it. */
static nigh_status add_rows(nigh_lookahead *l, const rows *r)
{
    uint32_t *node = nigh_alloc(l->ctx, (size_t)(r->count + 1) * sizeof *node);
    uint8_t *depth = nigh_alloc_zero(l->ctx, (size_t)r->count + 1, 1);
    nigh_status status = node && depth ? NIGH_OK : NIGH_MEMORY;
    for (int64_t i = 0; i < r->count && !status; i++) {
        uint32_t above = r->parent[i];
        node[i + 1] = 0;
        depth[i + 1] = (uint8_t)(depth[above] < 255 ? depth[above] + 1 : 255);
        if (depth[i + 1] > l->store.depth || (above && !node[above])) continue;
        status = trie_add(&l->store, above ? node[above] : 0, r->token[i], r->times[i], &node[i + 1]);
    }
    nigh_free(l->ctx, node);
    nigh_free(l->ctx, depth);
    return status;
}

nigh_status lookahead_parse(nigh_lookahead *l, const void *bytes, size_t size, const char *name, int32_t vocabulary)
{
    nigh_bundle bundle = {.ctx = l->ctx};
    const nigh_array *parent, *token, *times;
    nigh_status status = nigh_safetensors_parse(l->ctx, bytes, size, name, &bundle);
    if (!status) status = find(l, &bundle, name, "parent", NIGH_U32, &parent);
    if (!status) status = find(l, &bundle, name, "token", NIGH_I32, &token);
    if (!status) status = find(l, &bundle, name, "count", NIGH_U16, &times);
    if (!status && (token->shape.dim[0] != parent->shape.dim[0] || times->shape.dim[0] != parent->shape.dim[0]))
        status = nigh_fail(l->ctx, NIGH_FORMAT, "%s: 'parent', 'token' and 'count' have %lld, %lld and %lld elements", name, (long long)parent->shape.dim[0],
                           (long long)token->shape.dim[0], (long long)times->shape.dim[0]);
    if (!status) {
        rows r = {parent->shape.dim[0], parent->data, token->data, times->data};
        status = check(l, name, &r, vocabulary);
        if (!status) status = add_rows(l, &r);
    }
    nigh_bundle_free(&bundle);
    return status;
}

nigh_status nigh_lookahead_load(nigh_lookahead *l, const char *path, int32_t vocabulary)
{
    char *bytes;
    size_t size;
    nigh_status status = nigh_file_read(l->ctx, path, (size_t)1 << 33, &bytes, &size);
    if (status) return status;
    status = lookahead_parse(l, bytes, size, path, vocabulary);
    nigh_free(l->ctx, bytes);
    return status;
}
