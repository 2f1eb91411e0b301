/* See squares_compare.h. */
#include "cli/squares_compare.h"

#include "reduce/squares_peers.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 3, ENTRIES = NIGH_SQUARES_METHODS + SQUARES_PEERS };

/* One way: method >= 0, or a peer. */
typedef struct way {
    int method, peer;
    double seconds[ROUNDS];
    double residual;
    bool met, failed;
} way;

static nigh_status once(nigh_context *ctx, const nigh_squares *p, const nigh_squares_options *options, way *w, int round, double *x)
{
    nigh_squares_options o = *options;
    nigh_squares_receipt receipt;
    nigh_status status;
    if (w->peer >= 0) {
        status = squares_peer_solve(ctx, p, (squares_peer)w->peer, x, &w->seconds[round]);
        w->residual = 0;
        for (int64_t i = 0; i < p->n && !status; i++) {
            double r = -p->b[i];
            for (int64_t j = 0; j < p->d; j++) r += p->a[i * p->d + j] * x[j];
            w->residual += (p->weight ? p->weight[i] : 1) * r * r;
        }
        w->residual = sqrt(w->residual);
    } else {
        o.method = (nigh_squares_method)w->method;
        if (w->method) o.rows = 0;
        double began = nigh_clock();
        status = nigh_squares_solve(ctx, p, &o, x, NULL, &receipt);
        w->seconds[round] = nigh_clock() - began;
        if (!status) w->residual = receipt.residual, w->met = receipt.met;
        if (!status && receipt.fallbacks) w->failed = true;
    }
    if (status == NIGH_MEMORY || status == NIGH_INTERRUPTED) return status;
    w->failed |= status != NIGH_OK;
    return NIGH_OK;
}

static double median(const double *x)
{
    double low = fmin(x[0], x[1]), high = fmax(x[0], x[1]);
    return fmax(low, fmin(high, x[2]));
}

nigh_status squares_compare(nigh_context *ctx, const nigh_squares *p, const nigh_squares_options *options, FILE *to)
{
    way ways[ENTRIES];
    int count = 0;
    double work = (double)p->n * (double)p->d * (double)p->d, best = INFINITY, *x = nigh_alloc(ctx, (size_t)p->d * sizeof *x);
    for (int m = 0; m < NIGH_SQUARES_METHODS; m++) {
        bool dense_only = m == NIGH_SQUARES_QR || m == NIGH_SQUARES_SRHT, sparse_only = m == NIGH_SQUARES_LSQR || m == NIGH_SQUARES_DIRECT;
        if (m != NIGH_SQUARES_GAUSSIAN && !(p->sparse && dense_only) && !(p->a && sparse_only)) ways[count++] = (way){.method = m, .peer = -1};
    }
    for (int k = 0; k < SQUARES_PEERS && p->a && !(options->ridge > 0); k++)
        if (k != SQUARES_DGELSD || work < 3e10) ways[count++] = (way){.method = -1, .peer = k};
    nigh_status status = x ? NIGH_OK : NIGH_MEMORY;
    for (int round = 0; round < ROUNDS && !status; round++)
        for (int k = 0; k < count && !status; k++) {
            nigh_progress(ctx, "comparing", round * count + k, ROUNDS * count);
            if (!ways[k].failed) status = once(ctx, p, options, ways + k, round, x);
        }
    nigh_free(ctx, x);
    if (status) return status;
    for (int k = 0; k < count; k++)
        if (!ways[k].failed) best = fmin(best, ways[k].residual);
    fprintf(to, "\nbeside each other: the best of %d alternating runs, each time over the planner's of its round (median)\n", ROUNDS);
    for (int k = 0; k < count; k++) {
        double ratio[ROUNDS];
        const char *name = ways[k].peer >= 0 ? squares_peer_name((squares_peer)ways[k].peer) : k == 0 ? "the planner" : nigh_squares_method_name((nigh_squares_method)ways[k].method);
        for (int i = 0; i < ROUNDS; i++) ratio[i] = ways[k].seconds[i] / ways[0].seconds[i];
        if (ways[k].failed) fprintf(to, "  %-16s gave up\n", name);
        else
            fprintf(to, "  %-16s %10.4g s  %7.2fx  residual over the least %+.2g%s\n", name, fmin(ways[k].seconds[0], fmin(ways[k].seconds[1], ways[k].seconds[2])),
                    median(ratio), best > 0 ? ways[k].residual / best - 1 : 0, ways[k].peer < 0 && !ways[k].met ? ", error not met" : "");
    }
    return NIGH_OK;
}
