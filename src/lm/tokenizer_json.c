#include "lm/tokenizer.h"
nigh_status nigh_tokenizer_load(nigh_context *ctx, const char *path, nigh_tokenizer **tokenizer)
{
    (void)tokenizer;
    return nigh_fail(ctx, NIGH_UNSUPPORTED, "%s", path);
}
