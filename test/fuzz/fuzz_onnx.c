/* Arbitrary bytes as an ONNX file; what is read must be fit for a file of nigh's own, and what is written as ONNX again must be read. */
#include "nigh/onnx.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(nigh_context *ctx, nigh_network *net)
{
    nigh_shape shape[64];
    nigh_buffer file = {.ctx = ctx};
    nigh_network *again = NULL;
    int n = nigh_network_inputs(net);
    if (n > 64) return;
    for (int i = 0; i < n; i++) {
        shape[i] = *nigh_network_input_shape(net, i);
        for (int k = 1; k < shape[i].ndim; k++)
            if (shape[i].dim[k] < 0) shape[i].dim[k] = 3;
    }
    if (nigh_onnx_format(net, shape, &file) == NIGH_OK && nigh_onnx_parse(ctx, file.data, file.size, "written", &again) == NIGH_FORMAT) abort();
    nigh_network_free(again);
    nigh_buffer_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_network *net = NULL, *again = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_buffer file = {.ctx = ctx};
    if (nigh_onnx_parse(ctx, data, size, "input", &net) == NIGH_OK) {
        if (nigh_network_format(net, &file) == NIGH_OK && nigh_network_parse(ctx, file.data, file.size, "again", &again)) abort();
        check_written(ctx, net);
    }
    nigh_network_free(net);
    nigh_network_free(again);
    nigh_buffer_free(&file);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
