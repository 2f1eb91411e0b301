/* Arbitrary bytes as a JSON schema: bounded work, and no step leads to a dead end. */
#include "nigh/constraint.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A walk that the input's bytes steer; each state met goes on or is complete. */
static void walk(nigh_constraint *c, const uint8_t *data, size_t size)
{
    int64_t s = nigh_constraint_start(c);
    for (size_t i = 0; i < 12 && s >= 0; i++) {
        int64_t next = -1;
        for (int b = 0; next < 0 && b < 256; b++) next = nigh_constraint_step(c, s, (char[]){(char)(data[size - 1 - i % size] + b)}, 1);
        if (nigh_constraint_status(c)) return;
        if (next < 0 && !nigh_constraint_complete(c, s)) abort();
        s = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    nigh_constraint *c = NULL;
    if (size < 1 || size > 4096) return 0;
    if (nigh_context_new(&ctx)) abort();
    if (nigh_constraint_json_schema(ctx, (const char *)data, size, data[0] & 1, &c) == NIGH_OK)
        walk(c, data, size);
    else if (!*nigh_message(ctx)) abort();
    nigh_constraint_free(c);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
