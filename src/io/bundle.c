/* Sets of named arrays: what npz and safetensors files hold. Declared in nigh/io.h. */
#include "io/stream.h"

#include <stdlib.h>
#include <string.h>

void nigh_bundle_free(nigh_bundle *bundle)
{
    nigh_context *ctx = bundle->ctx;
    for (int64_t i = 0; i < bundle->count; i++) {
        nigh_free(ctx, bundle->items[i].name);
        nigh_array_free(ctx, &bundle->items[i].array);
    }
    if (bundle->items) nigh_free(ctx, bundle->items);
    if (bundle->metadata) nigh_free(ctx, bundle->metadata);
    *bundle = (nigh_bundle){.ctx = ctx};
}

const nigh_array *nigh_bundle_find(const nigh_bundle *bundle, const char *name)
{
    for (int64_t i = 0; i < bundle->count; i++)
        if (strcmp(bundle->items[i].name, name) == 0) return &bundle->items[i].array;
    return NULL;
}

/* Room grows by doubling: it is full exactly when the count is 0 or a power of two. */
nigh_status nigh_io_bundle_take(nigh_bundle *bundle, const char *name, size_t name_size, nigh_array *array)
{
    nigh_context *ctx = bundle->ctx;
    int64_t n = bundle->count;
    if ((n & (n - 1)) == 0) {
        nigh_named_array *items = nigh_resize(ctx, bundle->items, (size_t)(n ? 2 * n : 1) * sizeof *items);
        if (!items) return NIGH_MEMORY;
        bundle->items = items;
    }
    char *copy = nigh_alloc(ctx, name_size + 1);
    if (!copy) return NIGH_MEMORY;
    memcpy(copy, name, name_size);
    copy[name_size] = 0;
    bundle->items[bundle->count++] = (nigh_named_array){copy, *array};
    array->data = NULL;
    return NIGH_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

nigh_status nigh_io_bundle_unique(const nigh_bundle *bundle, nigh_status wrong, const char *file)
{
    nigh_context *ctx = bundle->ctx;
    int64_t n = bundle->count;
    char **names = nigh_alloc(ctx, (size_t)n * sizeof *names);
    if (!names) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) names[i] = bundle->items[i].name;
    if (n) qsort(names, (size_t)n, sizeof *names, by_text);
    nigh_status status = NIGH_OK;
    for (int64_t i = 1; i < n && !status; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            status = nigh_fail(ctx, wrong, "'%s': the name '%s' stands twice; names must differ", file,
                               NIGH_IO_EXCERPT(names[i]));
    nigh_free(ctx, names);
    return status;
}

nigh_status nigh_bundle_add(nigh_bundle *bundle, const char *name, const nigh_array *array)
{
    nigh_context *ctx = bundle->ctx;
    if (!*name) return nigh_fail(ctx, NIGH_INVALID, "an array of a bundle needs a name; it is empty");
    if (nigh_bundle_find(bundle, name))
        return nigh_fail(ctx, NIGH_INVALID, "the bundle already has an array named '%s'; names must differ", name);
    nigh_status status = nigh_io_check_array(ctx, array, name);
    if (status) return status;
    size_t bytes = (size_t)nigh_shape_count(&array->shape) * nigh_dtype_size(array->shape.dtype);
    nigh_array copy = {array->shape, nigh_alloc(ctx, bytes)};
    if (!copy.data) return NIGH_MEMORY;
    if (bytes) memcpy(copy.data, array->data, bytes);
    status = nigh_io_bundle_take(bundle, name, strlen(name), &copy);
    nigh_array_free(ctx, &copy);
    return status;
}
