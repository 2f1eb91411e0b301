/* Arbitrary bytes as an ONNX file; what is read must be fit for a file of nigh's own. */
#include "nigh/onnx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_network *net = NULL, *again = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_buffer file = {.ctx = ctx};
    if (nigh_onnx_parse(ctx, data, size, "input", &net) == NIGH_OK) {
        if (nigh_network_format(net, &file) == NIGH_OK && nigh_network_parse(ctx, file.data, file.size, "again", &again)) abort();
    }
    nigh_network_free(net);
    nigh_network_free(again);
    nigh_buffer_free(&file);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
