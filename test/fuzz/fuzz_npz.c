/* Arbitrary bytes as an npz file, as they are and with right CRCs; what parses must format and parse to the same. */
#include "nigh/io.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

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

static uint32_t get(const uint8_t *p, int bytes) { return bytes ? p[0] | get(p + 1, bytes - 1) << 8 : 0; }

/* Gives stored entries the CRC-32 of their data, or no change would ever get past it. */
static void repair(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + 46 <= size; at++) {
        uint8_t *p = bytes + at;
        uint64_t packed = get(p + 20, 4), place = get(p + 42, 4);
        if (get(p, 4) != 0x02014b50 || get(p + 10, 2) != 0 || place + 30 > size) continue;
        uint64_t start = place + 30 + get(bytes + place + 26, 2) + get(bytes + place + 28, 2);
        if (start + packed > size) continue;
        uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), bytes + start, (unsigned)packed);
        for (int i = 0; i < 4; i++) p[16 + i] = (uint8_t)(crc >> 8 * i);
    }
}

static void run(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_bundle bundle = {.ctx = ctx}, again = {.ctx = ctx};
    nigh_buffer text = {.ctx = ctx};
    if (nigh_npz_parse(ctx, data, size, "input", &bundle) == NIGH_OK) {
        nigh_status status = nigh_npz_format(ctx, &bundle, size & 1 ? 6 : 0, &text);
        if (status && status != NIGH_INVALID /* a name that is not UTF-8 */) abort();
        if (status == NIGH_OK) {
            if (nigh_npz_parse(ctx, text.data, text.size, "again", &again)) abort();
            check_same(&bundle, &again);
        }
    }
    nigh_bundle_free(&bundle);
    nigh_bundle_free(&again);
    nigh_buffer_free(&text);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *repaired = malloc(size + 1);
    if (!repaired) return 0;
    memcpy(repaired, data, size);
    repair(repaired, size);
    run(data, size);
    run(repaired, size);
    free(repaired);
    return 0;
}
