/* Any bytes as a chat template with fixed messages: rendered or refused. */
#include "nigh/tokens.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const nigh_chat_message messages[] = {{"system", "Be brief."}, {"user", "a <b> \"c\"\n\xC3\xA9"}, {"assistant", "<think>x</think> y"}, {"user", ""}};
    nigh_context *ctx;
    if (size > 20000 || nigh_context_new(&ctx)) return 0;
    nigh_buffer out = {.ctx = ctx};
    char *text = malloc(size + 1);
    if (!text) abort();
    memcpy(text, data, size);
    text[size] = 0;
    if (nigh_chat_render(ctx, NULL, text, messages, 4, size & 1, &out) != NIGH_OK && out.size) abort();
    free(text);
    nigh_buffer_free(&out);
    nigh_context_free(ctx);
    return 0;
}
