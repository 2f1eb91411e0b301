/* Arbitrary bytes as csv or libsvm through a stream of tiny chunks: the same as the readers of whole files. The first bytes choose the options. */
#include "row_streams.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) return 0;
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx) || nigh_context_set_threads(ctx, 1)) abort();
    nigh_row_options options = {.separator = "\0,;\t |\0\0"[data[0] & 7], .header = (nigh_csv_header)((data[0] >> 3 & 3) % 3),
                                .missing = data[0] & 32 ? NIGH_ROWS_MISSING_NAN : NIGH_ROWS_MISSING_REFUSE, .chunk = 1 + data[1],
                                .rows = data[2] & 15, .zero_based = data[2] & 32, .columns = data[2] >> 6};
    if (data[0] & 64) same_as_libsvm(ctx, data + 3, size - 3, &options);
    else same_as_csv(ctx, data + 3, size - 3, &options);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
