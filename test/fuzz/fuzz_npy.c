/* Arbitrary bytes as an npy file; what parses must format and parse to the same. */
#include "nigh/io.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_array array = {0}, again = {0};
    if (nigh_context_new(&ctx)) abort();
    nigh_buffer text = {.ctx = ctx};
    if (nigh_npy_parse(ctx, data, size, "input", &array) == NIGH_OK) {
        size_t bytes = (size_t)nigh_shape_count(&array.shape) * nigh_dtype_size(array.shape.dtype);
        if (nigh_npy_format(ctx, &array, &text)) abort();
        if (nigh_npy_parse(ctx, text.data, text.size, "again", &again)) abort();
        if (memcmp(&array.shape, &again.shape, sizeof array.shape) != 0 || memcmp(array.data, again.data, bytes) != 0) abort();
    }
    nigh_array_free(ctx, &array);
    nigh_array_free(ctx, &again);
    nigh_buffer_free(&text);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
