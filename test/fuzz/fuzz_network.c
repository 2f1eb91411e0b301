/* Arbitrary bytes as the file of a network; what parses must write itself to the same bytes, and be recorded or refused. */
#include "nigh/network.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The shapes that it asks for, with small numbers for what may be any. */
static void describe(nigh_context *ctx, nigh_network *net)
{
    nigh_shape shape[64];
    nigh_buffer text = {.ctx = ctx};
    for (int i = 0; i < nigh_network_inputs(net); i++) {
        shape[i] = *nigh_network_input_shape(net, i);
        for (int k = 0; k < shape[i].ndim; k++)
            if (shape[i].dim[k] < 0) shape[i].dim[k] = 2;
    }
    nigh_network_describe(net, shape, NIGH_NETWORK_JSON, &text);
    nigh_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_network *net = NULL, *again = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_buffer one = {.ctx = ctx}, two = {.ctx = ctx};
    if (nigh_network_parse(ctx, data, size, "input", &net) == NIGH_OK) {
        if (nigh_network_format(net, &one) || nigh_network_parse(ctx, one.data, one.size, "again", &again) || nigh_network_format(again, &two)) abort();
        if (one.size != two.size || memcmp(one.data, two.data, one.size)) abort();
        describe(ctx, net);
    }
    nigh_network_free(net);
    nigh_network_free(again);
    nigh_buffer_free(&one);
    nigh_buffer_free(&two);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
