/* Arbitrary bytes as the file of a summary; what is accepted must be whole: sizes, questions and the way back hold. */
#include "nigh/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(nigh_context *ctx, const nigh_summary *s)
{
    int64_t count, neighbour[4], sum = 0;
    double value[4], total = 0, *rank = nigh_alloc(ctx, (size_t)s->nodes * sizeof *rank);
    if (!rank || nigh_summary_pagerank(ctx, s, 0.85, 1e-6, 20, rank, NULL)) abort();
    for (int64_t v = 0; v < s->nodes; v++) total += rank[v];
    for (int64_t a = 0; a < s->supernodes; a++) sum += s->size[a];
    if (fabs(total - 1) > 1e-6 || sum != s->nodes) abort();
    for (int64_t v = 0; v < s->nodes && v < 4; v++) {
        if (nigh_summary_neighbours(ctx, s, v, 4, neighbour, value, &count)) abort();
        for (int64_t i = 0; i < count; i++)
            if (!(value[i] > 0 && value[i] <= 1) || nigh_summary_edge(s, v, neighbour[i]) != value[i]) abort();
        if (!(nigh_summary_degree(s, v) >= 0)) abort();
    }
    nigh_free(ctx, rank);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    nigh_summary s, again;
    nigh_buffer bytes = {.ctx = ctx};
    if (nigh_summary_parse(ctx, data, size, "input", &s) == NIGH_OK) {
        ask(ctx, &s);
        if (nigh_summary_format(ctx, &s, &bytes) || nigh_summary_parse(ctx, bytes.data, bytes.size, "again", &again)) abort();
        if (nigh_summary_bits(&s) != nigh_summary_bits(&again) || memcmp(s.start, again.start, (size_t)(s.supernodes + 1) * sizeof *s.start) != 0) abort();
        nigh_summary_free(&again);
        nigh_summary_free(&s);
    }
    nigh_buffer_free(&bytes);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
