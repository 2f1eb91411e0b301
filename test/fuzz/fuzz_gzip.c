/* Arbitrary bytes as gzip data; what is unpacked must come back from packing it again. The first byte chooses the cap. */
#include "io/gzip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(nigh_context *ctx, const char *plain, size_t size)
{
    nigh_buffer packed = {.ctx = ctx}, again = {.ctx = ctx};
    if (nigh_io_gzip(ctx, plain, size, &packed) || nigh_io_gunzip(ctx, packed.data, packed.size, "again", 1 << 24, &again)) abort();
    if (again.size != size || (size && memcmp(again.data, plain, size))) abort();
    nigh_buffer_free(&packed);
    nigh_buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (size == 0) return 0;
    if (nigh_context_new(&ctx)) abort();
    nigh_buffer room = {.ctx = ctx};
    const char *plain;
    size_t count;
    uint64_t most = data[0] & 1 ? 1 << 20 : (uint64_t)data[0] * 16;
    nigh_status status = nigh_io_plain(ctx, data + 1, size - 1, "input", most ? most : 1, &room, &plain, &count);
    if (!status && nigh_io_is_gzip(data + 1, size - 1) && count > (most ? most : 1)) abort();
    if (!status) check_same(ctx, plain, count);
    else if (!*nigh_message(ctx)) abort();
    nigh_buffer_free(&room);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
