/* Arbitrary bytes as a file of drafts; what parses must write itself, be read again to as many nodes, and propose what a vocabulary has. */
#include "generate/lookahead.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VOCABULARY = 50 };

static void check_proposals(const nigh_lookahead *l)
{
    lookahead_drafts d;
    for (int32_t token = 0; token < VOCABULARY; token++) {
        lookahead_propose(l, &token, 1, 20, 10, NULL, &d);
        for (int i = 0; i < d.count; i++)
            if (d.at[i].token < 0 || d.at[i].token >= VOCABULARY || d.at[i].parent >= i) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_lookahead *l = NULL, *again = NULL;
    const nigh_lookahead_options options = {.nodes = 2048, .length = 6};
    if (nigh_context_new(&ctx) || nigh_lookahead_new(ctx, &options, &l) || nigh_lookahead_new(ctx, &options, &again)) abort();
    nigh_buffer text = {.ctx = ctx};
    if (lookahead_parse(l, data, size, "input", VOCABULARY) == NIGH_OK) {
        check_proposals(l);
        if (lookahead_format(l, &text) || lookahead_parse(again, text.data, text.size, "again", VOCABULARY)) abort();
        if (nigh_lookahead_nodes(again) != nigh_lookahead_nodes(l)) abort();
    }
    nigh_buffer_free(&text);
    nigh_lookahead_free(l);
    nigh_lookahead_free(again);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
