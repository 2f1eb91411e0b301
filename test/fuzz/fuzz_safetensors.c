/* Arbitrary bytes as a safetensors file; what parses must format and parse to the same. */
#include "nigh/io.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const nigh_bundle *a, const nigh_bundle *b)
{
    if (a->count != b->count) abort();
    for (int64_t i = 0; i < a->count; i++) {
        const nigh_array *x = &a->items[i].array, *y = nigh_bundle_find(b, a->items[i].name);
        if (!y || memcmp(&x->shape, &y->shape, sizeof x->shape) != 0) abort();
        if (memcmp(x->data, y->data, (size_t)nigh_shape_count(&x->shape) * nigh_dtype_size(x->shape.dtype)) != 0) abort();
    }
    if (!a->metadata != !b->metadata || (a->metadata && strcmp(a->metadata, b->metadata) != 0)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_bundle bundle = {.ctx = ctx}, again = {.ctx = ctx};
    nigh_buffer text = {.ctx = ctx};
    if (nigh_safetensors_parse(ctx, data, size, "input", &bundle) == NIGH_OK) {
        nigh_status status = nigh_safetensors_format(ctx, &bundle, &text);
        if (status) abort();
        if (status == NIGH_OK) {
            if (nigh_safetensors_parse(ctx, text.data, text.size, "again", &again)) abort();
            check_same(&bundle, &again);
        }
    }
    nigh_bundle_free(&bundle);
    nigh_bundle_free(&again);
    nigh_buffer_free(&text);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
