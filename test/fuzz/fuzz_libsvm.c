/* Arbitrary bytes as libsvm text, the first one choosing the options; what parses must format and parse to the same. */
#include "nigh/io.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const nigh_libsvm_rows *a, const nigh_libsvm_rows *b)
{
    size_t rows = (size_t)a->rows, entries = (size_t)a->start[a->rows];
    if (a->rows != b->rows || a->columns != b->columns || !a->query != !b->query) abort();
    if (memcmp(a->label, b->label, rows * sizeof *a->label) != 0 || memcmp(a->start, b->start, (rows + 1) * sizeof *a->start) != 0) abort();
    if (a->query && memcmp(a->query, b->query, rows * sizeof *a->query) != 0) abort();
    if (!entries) return;
    if (memcmp(a->column, b->column, entries * sizeof *a->column) != 0 || memcmp(a->value, b->value, entries * sizeof *a->value) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_libsvm_options options = {.columns = data[0] >> 2, .zero_based = data[0] & 1, .max_bytes = 1 << 22};
    nigh_libsvm_rows sparse = {0}, again = {0};
    nigh_buffer text = {.ctx = ctx};
    nigh_array dense = {0};
    if (nigh_libsvm_parse(ctx, data + 1, size - 1, "input", &options, &sparse) == NIGH_OK) {
        if (nigh_libsvm_format(ctx, &sparse, &text)) abort();
        options = (nigh_libsvm_options){.columns = sparse.columns};
        if (nigh_libsvm_parse(ctx, text.data, text.size, "again", &options, &again)) abort();
        check_same(&sparse, &again);
        nigh_status status = nigh_libsvm_to_dense(ctx, &sparse, 1 << 20, &dense);
        if (status && status != NIGH_RESOURCE) abort();
    }
    nigh_array_free(ctx, &dense);
    nigh_libsvm_free(ctx, &sparse);
    nigh_libsvm_free(ctx, &again);
    nigh_buffer_free(&text);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
