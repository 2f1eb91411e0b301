/*
 * Claim of "SSumM: Sparse Summarization of Massive Graphs": within so many bits, a summary of merged nodes and sparse superedges errs far less than other summaries
 * of the same bits; it is found in time and memory linear in the edges; planted groups are found; and questions can be answered from the summary.
 *
 *   1  ego-Facebook in 10, 30 and 50% of its bits: beside random merges, clustered rows of the matrix, and greedy merges with all superedges (quick: planted groups)
 *   2  (full only) time from 5e4 to 5e6 edges
 *   3  50 planted groups of 200 in 1% of the bits, beside the summary of the groups themselves (quick: 12 of 50)
 *   4  degrees and PageRank from the summary
 *   5  exact identities: errors against the dense matrices, weights, the size of the file
 */
#include "common.h"

#include "nigh/dataset.h"
#include "nigh/random.h"
#include "nigh/stats.h"
#include "ssumm/rivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const saboteurs[] = {"random-merges", "inner-pairs-off", "size-as-asked", "absolute-saving", NULL};

/* ---- the summary, or a way of doing it wrong; always through its file ---------------------------------------- */

/* Inner edges counted at both their ends. */
static void double_inner(nigh_summary *s)
{
    for (int64_t a = 0; a < s->supernodes; a++)
        for (int64_t i = s->start[a]; i < s->start[a + 1]; i++) {
            int64_t most = s->size[a] * (s->size[a] - 1) / 2;
            if (s->other[i] == a) s->weight[i] = (uint32_t)(2 * s->weight[i] < most ? 2 * s->weight[i] : most);
        }
}

static nigh_status through_file(nigh_context *ctx, nigh_summary *s)
{
    nigh_buffer bytes = {.ctx = ctx};
    nigh_summary read;
    nigh_status status = nigh_summary_format(ctx, s, &bytes);
    if (!status) status = nigh_summary_parse(ctx, bytes.data, bytes.size, "summary", &read);
    nigh_buffer_free(&bytes);
    nigh_summary_free(s);
    if (!status) *s = read;
    return status;
}

static nigh_status summarise(claim_run *run, const nigh_graph *g, double share, nigh_summary *s, nigh_summary_report *report)
{
    nigh_context *ctx = run->ctx;
    nigh_summary_options o = {.bits = share * nigh_graph_bits(g->nodes, g->edges), .seed = claim_seed(run)};
    nigh_summary_report none;
    nigh_status status;
    if (claim_sabotaged(run, "random-merges")) o.way = NIGH_SUMMARY_RANDOM_FULL;
    if (claim_sabotaged(run, "size-as-asked")) o.bits *= 1.2; /* and the receipt repeats what was asked */
    if (claim_sabotaged(run, "absolute-saving")) status = rival_absolute(ctx, g, &o, s);
    else status = nigh_graph_summarise(ctx, g, &o, s, report ? report : &none);
    if (status) return status;
    if (claim_sabotaged(run, "inner-pairs-off")) {
        double_inner(s);
        return NIGH_OK;
    }
    return through_file(ctx, s);
}

static nigh_status error_of(nigh_context *ctx, const nigh_graph *g, nigh_summary *s, double *re2)
{
    double re1;
    return nigh_summary_errors(ctx, s, g, &re1, re2);
}

/* ---- 1: other summaries of as many bits ---------------------------------------------------------------------- */

static nigh_status rival_error(claim_run *run, const nigh_graph *g, double bits, int which, double *re2)
{
    static rival_fn *const rivals[] = {rival_random, rival_random_sparse, rival_rows, rival_greedy};
    nigh_summary s;
    nigh_status status = rivals[which](run->ctx, g, bits, nigh_seed_split(claim_seed(run), (uint64_t)which), &s);
    if (status) return status;
    status = error_of(run->ctx, g, &s, re2);
    nigh_summary_free(&s);
    return status;
}

static nigh_status compare(claim_run *run, const nigh_graph *g, double share)
{
    static const char *const names[] = {"random merges, all superedges", "random merges, best superedges", "clustered rows", "greedy merges, all superedges"};
    static const double most[] = {0.6, NAN, 0.6, 0.8};
    char name[128];
    double bits = share * nigh_graph_bits(g->nodes, g->edges), own, other;
    nigh_summary s;
    nigh_status status = summarise(run, g, share, &s, NULL);
    if (status) return status;
    snprintf(name, sizeof name, "bits of the file over bits asked, %g%%", 100 * share);
    claim_bar(run, name, nigh_summary_bits(&s) / bits, CLAIM_AT_MOST, 1, NULL);
    status = error_of(run->ctx, g, &s, &own);
    nigh_summary_free(&s);
    for (int k = 0; k < 4 && !status; k++) {
        status = claim_progress(run, "other summaries", k, 4);
        if (!status) status = rival_error(run, g, bits, k, &other);
        snprintf(name, sizeof name, "RE_2 over that of %s, %g%% of the bits", names[k], 100 * share);
        bool told = isnan(most[k]) || (run->quick && k == 2); /* k-means is at its best on planted groups */
        if (!status && !told) claim_bar(run, name, own / other, CLAIM_AT_MOST, most[k], NULL);
        else if (!status) claim_note(run, "%s: %.3f", name, own / other);
    }
    return status;
}

/* ---- 4: questions --------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { ASKED = 1000, STEPS = 300 };

static nigh_status degree_bar(claim_run *run, const nigh_graph *g, const nigh_summary *s)
{
    double error[ASKED];
    int n = 0;
    nigh_rng rng = nigh_rng_new(claim_seed(run), 9);
    while (n < ASKED) {
        int64_t v = (int64_t)nigh_rng_below(&rng, (uint64_t)g->nodes);
        double degree = (double)nigh_graph_degree(g, v);
        if (degree > 0) error[n++] = fabs(nigh_summary_degree(s, v) - degree) / degree;
    }
    qsort(error, ASKED, sizeof *error, by_value);
    claim_bar(run, "median relative error of the degree of 1000 nodes, 30% of the bits", error[ASKED / 2], CLAIM_AT_MOST, 0.25, NULL);
    return NIGH_OK;
}

static nigh_status question_bars(claim_run *run, const nigh_graph *g, bool degrees, bool ranks)
{
    nigh_context *ctx = run->ctx;
    nigh_summary s;
    nigh_status status = summarise(run, g, 0.3, &s, NULL);
    if (status) return status;
    double *exact = nigh_alloc(ctx, 2 * (size_t)g->nodes * sizeof *exact), *near = exact ? exact + g->nodes : NULL, error = 0, uniform = 0, began = nigh_clock(), of_graph;
    status = exact ? nigh_graph_pagerank(ctx, g, 0.85, 1e-10, STEPS, exact, NULL) : NIGH_MEMORY;
    of_graph = nigh_clock() - began;
    if (!status) status = nigh_summary_pagerank(ctx, &s, 0.85, 1e-10, STEPS, near, NULL);
    double of_summary = nigh_clock() - began - of_graph;
    for (int64_t v = 0; v < g->nodes && !status; v++) {
        error += fabs(near[v] - exact[v]);
        uniform += fabs(1.0 / (double)g->nodes - exact[v]);
    }
    if (!status && degrees) status = degree_bar(run, g, &s);
    if (!status && ranks) claim_bar(run, "L1 error of PageRank over that of equal ranks, 30% of the bits", error / uniform, CLAIM_AT_MOST, 0.35, NULL);
    if (!status && !run->quick)
        claim_note(run, "PageRank: %.3g ms from the summary, %.3g ms from the graph; %.0f bytes in memory beside %.0f", 1e3 * of_summary, 1e3 * of_graph,
                   4.0 * (double)s.nodes + 16.0 * (double)s.supernodes + 8.0 * (double)s.start[s.supernodes], 8.0 * (double)g->nodes + 8.0 * (double)g->edges);
    nigh_free(ctx, exact);
    nigh_summary_free(&s);
    return status;
}

/* ---- 3: planted groups ---------------------------------------------------------------------------------------- */

static nigh_status adjusted_rand(nigh_context *ctx, const nigh_summary *s, const int64_t *truth, double *ari)
{
    int32_t *a = nigh_alloc(ctx, 2 * (size_t)s->nodes * sizeof *a);
    if (!a) return NIGH_MEMORY;
    for (int64_t v = 0; v < s->nodes; v++) {
        a[v] = (int32_t)s->supernode[v];
        a[s->nodes + v] = (int32_t)truth[v];
    }
    nigh_status status = nigh_adjusted_rand(ctx, s->nodes, a, a + s->nodes, ari);
    nigh_free(ctx, a);
    return status;
}

static nigh_status truth_error(nigh_context *ctx, const nigh_graph *g, const int64_t *truth, int64_t groups, double bits, double *re2)
{
    nigh_summary s;
    uint32_t *label = nigh_alloc(ctx, (size_t)g->nodes * sizeof *label);
    if (!label) return NIGH_MEMORY;
    for (int64_t v = 0; v < g->nodes; v++) label[v] = (uint32_t)truth[v];
    nigh_status status = nigh_summary_of_partition(ctx, g, label, groups, bits, 2, &s);
    nigh_free(ctx, label);
    if (status) return status;
    status = error_of(ctx, g, &s, re2);
    nigh_summary_free(&s);
    return status;
}

static nigh_status planted_bars(claim_run *run)
{
    nigh_context *ctx = run->ctx;
    int64_t groups = run->quick ? 12 : 50, size = run->quick ? 50 : 200;
    double p_out = run->quick ? 0.01 : 0.002, share = run->quick ? 0.03 : 0.01, own = 0, best = 1, ari = 0;
    nigh_graph g = {0};
    nigh_summary s = {0};
    int64_t *truth = nigh_alloc(ctx, (size_t)(groups * size) * sizeof *truth);
    if (!truth) return NIGH_MEMORY;
    nigh_status status = nigh_graph_planted(ctx, groups, size, 0.5, p_out, false, claim_seed(run), truth, &g);
    if (!status) status = summarise(run, &g, share, &s, NULL);
    if (!status) status = error_of(ctx, &g, &s, &own);
    if (!status) status = truth_error(ctx, &g, truth, groups, share * nigh_graph_bits(g.nodes, g.edges), &best);
    if (!status) status = adjusted_rand(ctx, &s, truth, &ari);
    if (!status) claim_bar(run, "planted groups: RE_2 over that of the groups themselves", own / best, CLAIM_AT_MOST, 1.15, NULL);
    if (!status) claim_bar(run, "planted groups: adjusted Rand index of the supernodes", ari, CLAIM_AT_LEAST, 0.6, NULL);
    nigh_summary_free(&s);
    nigh_graph_free(ctx, &g);
    nigh_free(ctx, truth);
    return status;
}

/* ---- 5: identities -------------------------------------------------------------------------------------------- */

enum { DENSE = 300 };

static void dense_errors(const nigh_graph *g, const nigh_summary *s, double *re1, double *re2)
{
    static double model[DENSE][DENSE];
    double one = 0, two = 0, pairs = (double)DENSE * (DENSE - 1);
    for (int u = 0; u < DENSE; u++) { /* weights counted again from the edges of the graph */
        double edges[DENSE] = {0};
        int64_t a = s->supernode[u];
        for (int v = 0; v < DENSE; v++) model[u][v] = 0;
        for (int x = 0; x < DENSE; x++)
            for (int64_t i = g->start[x]; i < g->start[x + 1]; i++)
                if (s->supernode[x] == a) edges[s->supernode[g->neighbour[i]]]++;
        for (int v = 0; v < DENSE; v++) {
            int64_t b = s->supernode[v];
            if (v == u || nigh_summary_edge(s, u, v) == 0) continue;
            model[u][v] = edges[b] / ((double)s->size[a] * (double)(s->size[b] - (a == b))); /* inner edges count twice, pairs too */
        }
    }
    for (int u = 0; u < DENSE; u++) {
        for (int64_t i = g->start[u]; i < g->start[u + 1]; i++) model[u][g->neighbour[i]] -= 1;
        for (int v = 0; v < DENSE; v++) one += fabs(model[u][v]), two += model[u][v] * model[u][v];
    }
    *re1 = one / pairs;
    *re2 = sqrt(two) / pairs;
}

static nigh_status identity_bars(claim_run *run)
{
    double worst = 0, over = 0;
    for (int k = 0; k < 4; k++) {
        nigh_graph g;
        nigh_summary s;
        double re1, re2, dense1, dense2, share = 0.1 + 0.1 * k;
        nigh_status status = k & 1 ? nigh_graph_barabasi_albert(run->ctx, DENSE, 6, claim_seed(run) + (uint64_t)k, &g)
                                   : nigh_graph_planted(run->ctx, 10, DENSE / 10, 0.5, 0.02, false, claim_seed(run) + (uint64_t)k, NULL, &g);
        if (status) return status;
        status = summarise(run, &g, share, &s, NULL);
        if (!status) status = nigh_summary_errors(run->ctx, &s, &g, &re1, &re2);
        if (!status) {
            dense_errors(&g, &s, &dense1, &dense2);
            worst = fmax(worst, fmax(fabs(re1 / dense1 - 1), fabs(re2 / dense2 - 1)));
            over = fmax(over, nigh_summary_bits(&s) / (share * nigh_graph_bits(g.nodes, g.edges)));
            nigh_summary_free(&s);
        }
        nigh_graph_free(run->ctx, &g);
        if (status) return status;
    }
    claim_bar(run, "errors against the dense matrices, 300 nodes: largest relative difference", worst, CLAIM_AT_MOST, 1e-9, NULL);
    claim_bar(run, "300 nodes: bits counted in the file over bits asked, largest", over, CLAIM_AT_MOST, 1, NULL);
    return NIGH_OK;
}

static nigh_status twin_bar(claim_run *run)
{
    nigh_context *ctx = run->ctx;
    nigh_graph core = {0}, g = {0};
    nigh_edges e = {0}, twins = {0};
    nigh_summary s = {0};
    double re2 = NAN;
    nigh_status status = nigh_graph_erdos_renyi(ctx, 40, 0.2, claim_seed(run), &core);
    if (!status) status = nigh_graph_edges(ctx, &core, &e);
    if (!status && (!(twins.from = nigh_alloc(ctx, 25 * (size_t)e.count * sizeof *twins.from)) || !(twins.to = nigh_alloc(ctx, 25 * (size_t)e.count * sizeof *twins.to))))
        status = NIGH_MEMORY;
    for (int64_t i = 0; i < 25 * e.count && !status; i++) {
        twins.from[i] = e.from[i / 25] + 40 * (i % 5);
        twins.to[i] = e.to[i / 25] + 40 * (i / 5 % 5);
        twins.count++;
    }
    if (!status) status = nigh_graph_new(ctx, &twins, NULL, &g);
    if (!status) status = summarise(run, &g, 1, &s, NULL);
    if (!status) status = error_of(ctx, &g, &s, &re2);
    if (!status) claim_bar(run, "five twins of each of 40 nodes, 100% of the bits: RE_2", re2, CLAIM_AT_MOST, 1e-12, NULL);
    nigh_summary_free(&s);
    nigh_graph_free(ctx, &g);
    nigh_graph_free(ctx, &core);
    nigh_edges_free(ctx, &twins);
    nigh_edges_free(ctx, &e);
    return status;
}

/* ---- 2: time -------------------------------------------------------------------------------------------------- */

static nigh_status timed(claim_run *run, int scale, int64_t draws, double *edges, double *seconds, double *bytes)
{
    nigh_graph g;
    nigh_summary s;
    nigh_summary_report report = {0};
    nigh_status status = nigh_graph_rmat(run->ctx, scale, draws, 0.57, 0.19, 0.19, claim_seed(run), &g);
    if (status) return status;
    double began = nigh_clock();
    status = summarise(run, &g, 0.3, &s, &report);
    *seconds = nigh_clock() - began;
    *edges = (double)g.edges;
    *bytes = (double)nigh_memory_peak(run->ctx) / *edges;
    if (!status) nigh_summary_free(&s);
    nigh_graph_free(run->ctx, &g);
    return status;
}

static nigh_status time_bars(claim_run *run)
{
    static const int scale[] = {12, 14, 16, 19};
    static const int64_t draws[] = {55000, 220000, 880000, 5600000};
    double edges[4], seconds[4], bytes[4], x[4], y[4], mean_x = 0, mean_y = 0, xy = 0, xx = 0;
    for (int k = 0; k < 4; k++) {
        nigh_status status = claim_progress(run, "time", k, 4);
        if (!status) status = timed(run, scale[k], draws[k], &edges[k], &seconds[k], &bytes[k]);
        if (status) return status;
        claim_note(run, "%.0f edges: %.3g s", edges[k], seconds[k]);
        x[k] = log(edges[k]), y[k] = log(seconds[k]);
        mean_x += x[k] / 4, mean_y += y[k] / 4;
    }
    for (int k = 0; k < 4; k++) xy += (x[k] - mean_x) * (y[k] - mean_y), xx += (x[k] - mean_x) * (x[k] - mean_x);
    claim_bar_within(run, "slope of log time over log edges, 5e4 to 5e6", xy / xx, 0.85, 1.2, NULL);
    claim_bar(run, "seconds for 5e6 edges", seconds[3], CLAIM_AT_MOST, 600, NULL);
    claim_bar(run, "bytes of memory at the peak an edge, 5e6 edges, all included", bytes[3], CLAIM_AT_MOST, 100, NULL);
    return NIGH_OK;
}

static nigh_status run_claim(claim_run *run)
{
    nigh_edges list;
    nigh_graph g;
    nigh_status status;
    if (run->quick) {
        status = nigh_graph_planted(run->ctx, 30, 20, 0.8, 0.004, false, claim_seed(run), NULL, &g);
    } else {
        status = nigh_graph_load(run->ctx, "ego-facebook", &list);
        if (status) return status;
        status = nigh_graph_new(run->ctx, &list, NULL, &g);
        nigh_edges_free(run->ctx, &list);
    }
    if (status) return status;
    static const double shares[] = {0.1, 0.3, 0.5};
    for (int k = 0; k < 3 && !status; k++)
        if (!run->quick || k == 0) status = compare(run, &g, shares[k]);
    if (!status) status = question_bars(run, &g, true, !run->quick);
    if (!status && run->quick) { /* planted groups have almost equal ranks */
        nigh_graph_free(run->ctx, &g);
        status = nigh_graph_rmat(run->ctx, 10, 8000, 0.57, 0.19, 0.19, claim_seed(run), &g);
        if (!status) status = question_bars(run, &g, false, true);
    }
    nigh_graph_free(run->ctx, &g);
    if (!status) status = planted_bars(run);
    if (!status) status = identity_bars(run);
    if (!status) status = twin_bar(run);
    if (!status && !run->quick) status = time_bars(run);
    return status;
}

extern const nigh_claim claim_ssumm;
const nigh_claim claim_ssumm = {.slug = "ssumm", .title = "SSumM: Sparse Summarization of Massive Graphs", .run = run_claim, .saboteurs = saboteurs};
