/*
 * Receipts and outcomes from hostile JSON: parsed, printed, written again and shown as a page. Whatever comes in, the
 * page holds no script, and a receipt that was read is written to JSON that reads back.
 */
#include "nigh/plan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}

static void try_receipt(nigh_context *ctx, const char *json)
{
    nigh_receipt *receipt = NULL, *again = NULL;
    nigh_buffer text = {.ctx = ctx}, back = {.ctx = ctx};
    if (nigh_receipt_parse(ctx, json, &receipt) == NIGH_OK) {
        require(nigh_receipt_print(ctx, receipt, &text) == NIGH_OK);
        require(!memchr(text.data, '\033', text.size));
        require(nigh_receipt_json(ctx, receipt, &back) == NIGH_OK);
        require(nigh_receipt_parse(ctx, back.data, &again) == NIGH_OK);
    }
    nigh_receipt_free(receipt);
    nigh_receipt_free(again);
    nigh_buffer_free(&text);
    nigh_buffer_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    char *json = malloc(size + 1);
    if (!json || nigh_context_new(&ctx)) abort();
    memcpy(json, data, size);
    json[size] = 0;
    try_receipt(ctx, json);
    nigh_buffer html = {.ctx = ctx};
    if (nigh_report_html(ctx, 1, (const char *const *)&json, &html) == NIGH_OK) require(!strstr(html.data, "<script"));
    nigh_buffer_free(&html);
    require(nigh_memory_now(ctx) == 0);
    nigh_context_free(ctx);
    free(json);
    return 0;
}
