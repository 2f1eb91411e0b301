/* Arbitrary bytes as a list of edges; what parses must format and parse to the same, and can be renumbered. */
#include "nigh/io.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_edges edges = {0}, again = {0};
    nigh_buffer text = {.ctx = ctx};
    if (nigh_snap_parse(ctx, data, size, "input", &edges) == NIGH_OK) {
        size_t bytes = (size_t)edges.count * sizeof(int64_t);
        if (nigh_snap_format(ctx, &edges, &text) || nigh_snap_parse(ctx, text.data, text.size, "again", &again)) abort();
        if (edges.count != again.count || memcmp(edges.from, again.from, bytes) != 0 || memcmp(edges.to, again.to, bytes) != 0) abort();
        if (!edges.weight != !again.weight || (edges.weight && memcmp(edges.weight, again.weight, bytes) != 0)) abort();
        int64_t nodes, *old;
        if (nigh_edges_compact(ctx, &edges, &nodes, &old)) abort();
        for (int64_t i = 0; i < edges.count; i++)
            if (old[edges.from[i]] != again.from[i] || old[edges.to[i]] != again.to[i]) abort();
        nigh_free(ctx, old);
    }
    nigh_edges_free(ctx, &edges);
    nigh_edges_free(ctx, &again);
    nigh_buffer_free(&text);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
