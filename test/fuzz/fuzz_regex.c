/* Arbitrary bytes as a regular expression: bounded work, and every state can reach the end. The first byte chooses the mode. */
#include "core/automaton.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    automaton *a = NULL, *not_a = NULL, *back = NULL;
    if (size < 1 || size > 4096) return 0;
    if (nigh_context_new(&ctx)) abort();
    regex_options options = {.search = data[0] & 1, .json = data[0] & 2};
    if (automaton_regex(ctx, (const char *)data + 1, size - 1, &options, 500, &a) == NIGH_OK) {
        for (uint32_t s = 0; s < a->states; s++) {
            bool on = a->accepts[s];
            for (uint32_t c = 0; c < a->classes; c++) {
                uint32_t to = a->next[(size_t)s * a->classes + c];
                if (to != AUTOMATON_NONE && to >= a->states) abort();
                on |= to != AUTOMATON_NONE;
            }
            if (!on) abort();
        }
        if (automaton_complement(a, &not_a) || automaton_complement(not_a, &back) || !automaton_same(a, back)) abort();
        if (automaton_accepts(a, (const char *)data, size) == automaton_accepts(not_a, (const char *)data, size)) abort();
    } else if (!*nigh_message(ctx)) abort();
    automaton_free(a), automaton_free(not_a), automaton_free(back);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
