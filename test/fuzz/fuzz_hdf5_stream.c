/* Arbitrary bytes as what nigh-hdf5 sends: the part of reading HDF5 that runs in this process. */
#include "io/hdf5_stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const wanted[] = {"a", NULL};
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    uint8_t *stream = malloc(size + HDF5_MAGIC_SIZE);
    if (!stream) abort();
    memcpy(stream, HDF5_MAGIC, HDF5_MAGIC_SIZE);
    if (size) memcpy(stream + HDF5_MAGIC_SIZE, data, size);
    size_t length = 0, total = size + HDF5_MAGIC_SIZE;
    const char *last = hdf5_stream_last(stream, total, &length);
    if (last && (last < (const char *)stream || last + length > (const char *)stream + total)) abort();
    for (int chosen = 0; chosen < 2; chosen++) {
        nigh_bundle bundle = {.ctx = ctx};
        if (hdf5_stream_parse(ctx, stream, total, "input", 1 << 20, chosen ? wanted : NULL, &bundle) == NIGH_OK) {
            if (chosen && (bundle.count != 1 || strcmp(bundle.items[0].name, "a") != 0)) abort();
            for (int64_t i = 0; i < bundle.count; i++)
                if (nigh_bundle_find(&bundle, bundle.items[i].name) != &bundle.items[i].array) abort();
        }
        nigh_bundle_free(&bundle);
    }
    free(stream);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
