/* Arbitrary bytes as an HDF5 file through the front door: whatever libhdf5 does in its own process, this one gets a status. */
#include "nigh/io.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_bundle bundle = {.ctx = ctx};
    nigh_hdf5_options options = {.seconds = 0.5, .max_bytes = 1 << 22, .skip = true};
    nigh_status status = nigh_hdf5_parse(ctx, data, size, "input", &options, &bundle);
    if (status == NIGH_INTERNAL || status == NIGH_FAILED || (status && !*nigh_message(ctx))) abort();
    nigh_bundle_free(&bundle);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
