/* Any bytes as a tokenizer.json; one that is accepted cuts texts up and gives them back. Bytes behind a 0 are a text of their own. */
#include "lm/tokenizer_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(nigh_context *ctx, const nigh_tokenizer *t, const char *text, size_t size, unsigned flags)
{
    nigh_token_list list = {.ctx = ctx};
    nigh_buffer back = {.ctx = ctx};
    if (nigh_tokenize(t, text, size, flags, &list) == NIGH_OK) {
        for (int64_t i = 0; i < list.count; i++)
            if (list.id[i] < 0 || list.id[i] >= nigh_tokenizer_vocabulary(t)) abort();
        if (nigh_detokenize(t, list.id, list.count, true, &back)) abort();
    }
    nigh_token_list_free(&list);
    nigh_buffer_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char plain[] = "Hello  w\xC3\xB6rld 123'll\n\t<s>x</s> \xE2\x96\x81\xFF a.b,c";
    nigh_context *ctx;
    if (nigh_context_new(&ctx)) return 0;
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t json = zero ? (size_t)(zero - data) : size;
    nigh_tokenizer *t = NULL;
    if (tokenizer_parse_json(ctx, "input", (const char *)data, json, &t) == NIGH_OK) {
        use(ctx, t, plain, sizeof plain - 1, NIGH_TOKENS_SPECIAL | NIGH_TOKENS_BEGIN);
        if (zero) use(ctx, t, (const char *)zero + 1, size - json - 1, NIGH_TOKENS_SPECIAL);
        for (int32_t i = 0; i < nigh_tokenizer_vocabulary(t); i++) {
            size_t n;
            if (!nigh_token_bytes(t, i, &n) || !nigh_token_name(t, i)) abort();
        }
    }
    nigh_tokenizer_free(t);
    nigh_context_free(ctx);
    return 0;
}
