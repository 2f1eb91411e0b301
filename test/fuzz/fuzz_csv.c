/* Arbitrary bytes as a csv file, the first one choosing the options; what parses must format and parse to the same. */
#include "nigh/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const nigh_table *a, const nigh_table *b)
{
    if (a->rows != b->rows || a->columns != b->columns || a->had_header != b->had_header) abort();
    for (int64_t i = 0; i < a->columns && a->names; i++)
        if (strcmp(a->names[i], b->names[i]) != 0) abort();
    for (int64_t i = 0; i < a->rows * a->columns; i++)
        if (memcmp(&a->values[i], &b->values[i], sizeof(double)) != 0 && !(isnan(a->values[i]) && isnan(b->values[i]))) abort();
}

static void look_up_names(nigh_context *ctx, const nigh_table *table, const uint8_t *data, size_t size)
{
    char list[64] = "";
    int64_t *index, count;
    memcpy(list, data, size < 63 ? size : 63);
    if (nigh_table_columns(ctx, table, list, &index, &count) == NIGH_OK) nigh_free(ctx, index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_csv_options options = {.separator = "\0,;\t |\0\0"[data[0] & 7], .header = (nigh_csv_header)((data[0] >> 3 & 3) % 3),
                                .missing = data[0] & 32 ? NIGH_CSV_MISSING_NAN : NIGH_CSV_MISSING_REFUSE, .max_bytes = 1 << 22};
    nigh_table table = {0}, again = {0};
    nigh_buffer text = {.ctx = ctx};
    if (nigh_csv_parse(ctx, data + 1, size - 1, "input", &options, &table) == NIGH_OK) {
        look_up_names(ctx, &table, data + 1, size - 1);
        if (nigh_csv_format(ctx, &table, &text)) abort();
        options = (nigh_csv_options){table.separator, table.had_header ? NIGH_CSV_HEADER_YES : NIGH_CSV_HEADER_NO, NIGH_CSV_MISSING_NAN, 0};
        if (nigh_csv_parse(ctx, text.data, text.size, "again", &options, &again)) abort();
        check_same(&table, &again);
    }
    nigh_table_free(ctx, &table);
    nigh_table_free(ctx, &again);
    nigh_buffer_free(&text);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
