/* Arbitrary bytes as the file of a summary, and as the arrays of one (a zip file's checks let little through); what is accepted must be whole: sizes, questions and the way back hold. */
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

static void try_bytes(nigh_context *ctx, const void *data, size_t size)
{
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
}

/* Numbers of nodes, superedges and edges, whether there are old numbers, then a byte for each element; 0xff is the largest u32. */
static void try_arrays(nigh_context *ctx, const uint8_t *data, size_t size)
{
    enum { MOST = 16 };
    uint32_t element[4 * MOST + MOST];
    int64_t nodes = data[0] % (MOST + 1), superedges = data[1] % (MOST + 1), edges = (int8_t)data[2], old[MOST];
    nigh_bundle b = {.ctx = ctx};
    nigh_buffer bytes = {.ctx = ctx};
    for (size_t i = 0; i < sizeof element / sizeof *element; i++) {
        uint8_t byte = 4 + i < size ? data[4 + i] : 0;
        element[i] = byte == 0xff ? UINT32_MAX : byte;
    }
    for (int i = 0; i < MOST; i++) old[i] = (int32_t)element[4 * MOST + i];
    if (nigh_bundle_add(&b, "supernode", &(nigh_array){{NIGH_U32, 1, {nodes}}, element})) abort();
    if (nigh_bundle_add(&b, "superedge", &(nigh_array){{NIGH_U32, 2, {superedges, 2}}, element + MOST})) abort();
    if (nigh_bundle_add(&b, "weight", &(nigh_array){{NIGH_U32, 1, {superedges}}, element + 3 * MOST})) abort();
    if (nigh_bundle_add(&b, "edges", &(nigh_array){{NIGH_I64, 1, {1}}, &edges})) abort();
    if ((data[3] & 1) && nigh_bundle_add(&b, "old", &(nigh_array){{NIGH_I64, 1, {nodes}}, old})) abort();
    if (nigh_npz_format(ctx, &b, 0, &bytes)) abort();
    try_bytes(ctx, bytes.data, bytes.size);
    nigh_buffer_free(&bytes);
    nigh_bundle_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nigh_context *ctx = NULL;
    if (nigh_context_new(&ctx)) abort();
    try_bytes(ctx, data, size);
    if (size >= 4) try_arrays(ctx, data, size);
    if (nigh_memory_now(ctx)) abort();
    nigh_context_free(ctx);
    return 0;
}
