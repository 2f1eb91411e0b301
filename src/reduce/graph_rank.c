/* PageRank by power iteration. Declared in nigh/graph.h. */
#include "nigh/graph.h"

#include <math.h>

nigh_status nigh_graph_pagerank(nigh_context *ctx, const nigh_graph *g, double damping, double tolerance, int most, double *rank, int *steps)
{
    if (!(damping >= 0 && damping < 1)) return nigh_fail(ctx, NIGH_INVALID, "the damping of PageRank is %g; 0 to 1, without 1, is allowed", damping);
    if (!(tolerance >= 0)) return nigh_fail(ctx, NIGH_INVALID, "the tolerance of PageRank is %g; 0 or more is allowed", tolerance);
    int64_t n = g->nodes;
    double *now = nigh_alloc(ctx, (size_t)n * sizeof *now), *share = now ? nigh_alloc(ctx, (size_t)n * sizeof *share) : NULL;
    nigh_status status = share ? NIGH_OK : NIGH_MEMORY;
    int step = 0;
    for (int64_t v = 0; v < n && !status; v++) now[v] = 1.0 / (double)n;
    for (double change = INFINITY; !status && step < most && change > tolerance; step++) {
        double idle = 0;
        change = 0;
        for (int64_t v = 0; v < n; v++) {
            int64_t degree = nigh_graph_degree(g, v);
            if (degree == 0) idle += now[v];
            share[v] = degree ? now[v] / (double)degree : 0;
        }
        double jump = (1 - damping + damping * idle) / (double)n;
        for (int64_t v = 0; v < n; v++) {
            double sum = 0;
            for (int64_t i = g->start[v]; i < g->start[v + 1]; i++) sum += share[g->neighbour[i]];
            double next = jump + damping * sum;
            change += fabs(next - now[v]);
            now[v] = next;
        }
        status = nigh_poll(ctx);
    }
    for (int64_t v = 0; v < n && !status; v++) rank[v] = now[v];
    if (!status && steps) *steps = step;
    nigh_free(ctx, now);
    nigh_free(ctx, share);
    return status;
}
