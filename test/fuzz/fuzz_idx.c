/* Arbitrary bytes as an IDX file; what parses must format to the same bytes (unless it was gzipped). */
#include "nigh/io.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_array array = {0};
    nigh_buffer bytes = {.ctx = ctx};
    if (nigh_idx_parse(ctx, data, size, "input", &array) == NIGH_OK) {
        if (nigh_idx_format(ctx, &array, &bytes)) abort();
        if (data[0] == 0 && (bytes.size != size || memcmp(bytes.data, data, size) != 0)) abort();
    }
    nigh_array_free(ctx, &array);
    nigh_buffer_free(&bytes);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
