/* Summaries: errors against the dense matrices, costs against a count from scratch after every merge, twins, files, questions, bad input. */
#include "support.h"

#include "nigh/random.h"
#include "reduce/ssumm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 300 };

static void make(nigh_context *ctx, nigh_graph *g) { assert_ok(ctx, nigh_graph_planted(ctx, 10, N / 10, 0.5, 0.02, false, 11, NULL, g)); }

static nigh_summary summarise(nigh_context *ctx, const nigh_graph *g, double share, int norm, nigh_summary_cost cost, uint64_t seed)
{
    nigh_summary s;
    nigh_summary_options o = {.bits = share * nigh_graph_bits(g->nodes, g->edges), .norm = norm, .cost = cost, .seed = seed};
    assert_ok(ctx, nigh_graph_summarise(ctx, g, &o, &s, NULL));
    assert_true(nigh_summary_bits(&s) <= o.bits);
    return s;
}

/* The n x n matrix and its model, entry by entry from the definition. */
static void dense_errors(const nigh_graph *g, const nigh_summary *s, double *re1, double *re2)
{
    double one = 0, two = 0, pairs = (double)g->nodes * (double)(g->nodes - 1);
    for (int64_t u = 0; u < g->nodes; u++)
        for (int64_t v = 0; v < g->nodes; v++) {
            if (u == v) continue;
            double a = 0, model = 0;
            for (int64_t i = g->start[u]; i < g->start[u + 1]; i++) a += g->neighbour[i] == v;
            int64_t x = s->supernode[u], y = s->supernode[v];
            for (int64_t i = s->start[x]; i < s->start[x + 1]; i++)
                if (s->other[i] == y) model = x == y ? 2.0 * s->weight[i] / ((double)s->size[x] * (double)(s->size[x] - 1)) : s->weight[i] / ((double)s->size[x] * (double)s->size[y]);
            assert_near(nigh_summary_edge(s, u, v), model, 1e-15, 0);
            one += fabs(a - model);
            two += (a - model) * (a - model);
        }
    *re1 = one / pairs;
    *re2 = sqrt(two) / pairs;
}

static void errors_equal_the_dense_ones(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    make(ctx, &g);
    for (int k = 0; k < 8; k++) {
        nigh_summary s = summarise(ctx, &g, k & 1 ? 0.3 : 0.1, 1 + (k >> 1 & 1), k & 4 ? NIGH_SUMMARY_ERROR : NIGH_SUMMARY_DESCRIPTION, 1);
        double re1, re2, dense1, dense2;
        assert_ok(ctx, nigh_summary_errors(ctx, &s, &g, &re1, &re2));
        dense_errors(&g, &s, &dense1, &dense2);
        assert_near(re1, dense1, 1e-15, 1e-9);
        assert_near(re2, dense2, 1e-15, 1e-9);
        nigh_summary_free(&s);
    }
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

/* Costs, superedges and edges of all pairs of supernodes, counted from the graph. */
static void check_books(nigh_context *ctx, ssumm *s)
{
    uint32_t root[N], number[N] = {0}, labels = 0, label[N];
    double *cost = calloc(N, sizeof *cost);
    uint64_t edges = 0;
    int64_t kept = 0;
    for (int64_t v = 0; v < N; v++)
        if ((root[v] = ssumm_find(s, (uint32_t)v)) == v) number[v] = labels++;
    for (int64_t v = 0; v < N; v++) label[v] = number[root[v]];
    assert_int_equal(labels, s->supernodes);
    blocks b;
    assert_ok(ctx, blocks_new(ctx, s->graph, label, labels, &b));
    for (int64_t i = 0; i < b.count; i++) {
        uint32_t x = b.pair[i][0], y = b.pair[i][1];
        uint64_t pairs = x == y ? (uint64_t)(b.size[x] * (b.size[x] - 1) / 2) : (uint64_t)(b.size[x] * b.size[y]);
        bool keep;
        double bits = ssumm_pair_cost(s, b.edges[i], pairs, &keep);
        cost[x] += bits;
        if (x != y) cost[y] += bits;
        kept += keep;
        edges += b.edges[i];
    }
    assert_int_equal(edges, s->graph->edges); /* weights of superedges and listed edges */
    assert_int_equal(kept, s->superedges);
    for (int64_t v = 0; v < N; v++)
        if (root[v] == v) assert_near(s->super[v].cost, cost[number[v]], 1e-8, 1e-9);
    blocks_free(ctx, &b);
    free(cost);
}

static double total_cost(ssumm *s, uint32_t a, uint32_t b)
{
    uint32_t label[N];
    blocks all;
    double total = 0;
    for (uint32_t v = 0; v < N; v++) label[v] = ssumm_find(s, v);
    assert_int_equal(blocks_new(s->ctx, s->graph, label, N, &all), NIGH_OK);
    for (int64_t i = 0; i < all.count; i++) {
        uint32_t x = all.pair[i][0], y = all.pair[i][1];
        uint64_t pairs = x == y ? (uint64_t)(all.size[x] * (all.size[x] - 1) / 2) : (uint64_t)(all.size[x] * all.size[y]);
        bool keep;
        if (x == a || y == a || x == b || y == b) total += ssumm_pair_cost(s, all.edges[i], pairs, &keep);
    }
    blocks_free(s->ctx, &all);
    return total;
}

static void costs_stay_right_at_every_merge(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    make(ctx, &g);
    for (int k = 0; k < 4; k++) {
        ssumm s;
        nigh_summary_options o = {.bits = 0.5 * nigh_graph_bits(g.nodes, g.edges), .norm = 1 + (k & 1), .cost = k & 2 ? NIGH_SUMMARY_ERROR : NIGH_SUMMARY_DESCRIPTION};
        nigh_rng rng = nigh_rng_new(8, (uint64_t)k);
        assert_ok(ctx, ssumm_new(ctx, &g, &o, &s));
        check_books(ctx, &s);
        for (int merges = 0; merges < N - 1; merges++) {
            uint32_t a, b, stays;
            do {
                a = ssumm_find(&s, (uint32_t)nigh_rng_below(&rng, N));
                b = ssumm_find(&s, (uint32_t)nigh_rng_below(&rng, N));
            } while (a == b);
            double saving = ssumm_saving(&s, a, b, -INFINITY), before = total_cost(&s, a, b);
            if (saving < -0.01) assert_true(ssumm_saving(&s, a, b, 0) < 0); /* stopped early */
            assert_ok(ctx, ssumm_merge(&s, a, b, &stays));
            assert_true(stays == a || stays == b);
            assert_near(saving, 1 - total_cost(&s, stays, stays) / before, 1e-9, 1e-9);
            if (merges % 16 == 0) ssumm_reprice(&s);
            check_books(ctx, &s);
        }
        assert_int_equal(s.supernodes, 1);
        ssumm_free(&s);
    }
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

/* Value of the pairs, counted from the graph. */
static double counted_value(nigh_context *ctx, const ssumm_refine *r)
{
    ssumm_refine fresh;
    assert_ok(ctx, ssumm_refine_new(ctx, r->graph, r->label, r->labels, 1e6, r->norm, r->bound, &fresh));
    fresh.least = r->least;
    double value = ssumm_refine_value(&fresh);
    assert_memory_equal(fresh.size, r->size, (size_t)r->labels * sizeof *r->size);
    int64_t edges = 0;
    for (int64_t i = 0; i < r->links; i++) edges += r->link[i].edges;
    assert_int_equal(edges, r->graph->edges);
    ssumm_refine_free(&fresh);
    return value;
}

static void moves_add_what_was_foretold(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    make(ctx, &g);
    for (int k = 0; k < 8; k++) {
        enum { LABELS = 40 };
        uint32_t label[N];
        ssumm_refine r;
        nigh_rng rng = nigh_rng_new(5, (uint64_t)k);
        for (int64_t v = 0; v < N; v++) label[v] = (uint32_t)(v < LABELS ? v : (int64_t)nigh_rng_below(&rng, LABELS));
        assert_ok(ctx, ssumm_refine_new(ctx, &g, label, LABELS, k & 2 ? 6000 : 1e6, 1 + (k & 1), k & 4 ? 12 : UINT32_MAX, &r));
        assert_true((r.least > 0) == ((k & 2) && r.norm == 2));
        bool exact = k == 1; /* every superedge is kept: there is nothing to decide anew */
        int rose = 0;
        for (int i = 0; i < 150; i++) {
            int64_t v = (int64_t)nigh_rng_below(&rng, N);
            uint32_t to = (uint32_t)nigh_rng_below(&rng, LABELS);
            if (to == label[v] || r.size[label[v]] == 1) continue;
            ssumm_refine_lift(&r, v);
            double before = ssumm_refine_value(&r), foretold = ssumm_refine_gain(&r, to);
            assert_true(ssumm_refine_room(&r));
            ssumm_refine_move(&r, to);
            double after = ssumm_refine_value(&r);
            assert_near(after, counted_value(ctx, &r), 1e-9, 1e-9);
            assert_true(after - before >= foretold - 1e-9);
            if (exact) assert_near(after - before, foretold, 1e-9, 1e-9);
            rose += foretold > 0;
        }
        assert_true(rose > 0 || r.norm == 1); /* at random few blocks are half full */
        ssumm_refine_free(&r);
    }
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void sweeps_only_help(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    make(ctx, &g);
    int better = 0;
    for (int k = 0; k < 12; k++) {
        int norm = 1 + (k & 1);
        nigh_summary_options o = {.bits = (0.1 + 0.1 * (k / 2)) * nigh_graph_bits(g.nodes, g.edges), .norm = norm, .sweeps = -1};
        double merged[2], moved[2];
        nigh_summary_report report;
        nigh_summary s;
        assert_ok(ctx, nigh_graph_summarise(ctx, &g, &o, &s, &report));
        assert_ok(ctx, nigh_summary_errors(ctx, &s, &g, &merged[0], &merged[1]));
        assert_int_equal(report.sweeps, 0);
        nigh_summary_free(&s);
        o.sweeps = 0;
        assert_ok(ctx, nigh_graph_summarise(ctx, &g, &o, &s, &report));
        assert_ok(ctx, nigh_summary_errors(ctx, &s, &g, &moved[0], &moved[1]));
        assert_true(nigh_summary_bits(&s) <= o.bits);
        better += moved[norm - 1] < 0.999 * merged[norm - 1];
        assert_true(moved[norm - 1] <= merged[norm - 1] * (1 + 1e-12));
        assert_true(report.sweeps > 0 && report.sweeps <= 12);
        nigh_summary_free(&s);
    }
    assert_true(better >= 8);
    /* every sweep adds value, and labels in use only */
    uint32_t label[N];
    ssumm_refine r;
    for (int64_t v = 0; v < N; v++) label[v] = (uint32_t)(v % 20);
    assert_ok(ctx, ssumm_refine_new(ctx, &g, label, 20, 5000, 2, UINT32_MAX, &r));
    for (uint64_t t = 0; t < 4; t++) {
        double before = ssumm_refine_value(&r);
        assert_ok(ctx, ssumm_refine_sweep(&r, t, INT64_MAX));
        assert_true(ssumm_refine_value(&r) >= before - 1e-9);
    }
    assert_true(r.moves > 0);
    ssumm_refine_free(&r);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

/* Nodes v and v + 50 k have the same neighbours. */
static void twins_are_merged_without_loss(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph core, g;
    nigh_edges e, twins = {0};
    assert_ok(ctx, nigh_graph_erdos_renyi(ctx, 50, 0.2, 5, &core));
    assert_ok(ctx, nigh_graph_edges(ctx, &core, &e));
    twins.from = nigh_alloc(ctx, (size_t)e.count * 36 * sizeof *twins.from);
    twins.to = nigh_alloc(ctx, (size_t)e.count * 36 * sizeof *twins.to);
    for (int64_t i = 0; i < e.count; i++)
        for (int a = 0; a < 6; a++)
            for (int b = 0; b < 6; b++) {
                twins.from[twins.count] = e.from[i] + 50 * a;
                twins.to[twins.count++] = e.to[i] + 50 * b;
            }
    assert_ok(ctx, nigh_graph_new(ctx, &twins, NULL, &g));
    for (int k = 0; k < 4; k++)
        for (int size = 0; size < 2; size++) {
            nigh_summary s = summarise(ctx, &g, size ? 1 : 0.3, 1 + (k & 1), k & 2 ? NIGH_SUMMARY_ERROR : NIGH_SUMMARY_DESCRIPTION, 3);
            double re1, re2;
            assert_ok(ctx, nigh_summary_errors(ctx, &s, &g, &re1, &re2));
            assert_near(re1, 0, 1e-14, 0);
            assert_near(re2, 0, 1e-12, 0);
            nigh_summary_free(&s);
        }
    nigh_edges_free(ctx, &twins);
    nigh_edges_free(ctx, &e);
    nigh_graph_free(ctx, &core);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void same_seed_same_summary(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    make(ctx, &g);
    nigh_summary s[3];
    for (int k = 0; k < 3; k++) s[k] = summarise(ctx, &g, 0.2, 2, NIGH_SUMMARY_ERROR, k == 2 ? 6 : 5);
    assert_memory_equal(s[0].supernode, s[1].supernode, N * sizeof(uint32_t));
    assert_true(memcmp(s[0].supernode, s[2].supernode, N * sizeof(uint32_t)) != 0);
    for (int k = 0; k < 3; k++) nigh_summary_free(&s[k]);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void beats_random_merges(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    make(ctx, &g);
    for (int norm = 1; norm <= 2; norm++)
        for (nigh_summary_way way = NIGH_SUMMARY_RANDOM; way <= NIGH_SUMMARY_RANDOM_FULL; way++) {
            nigh_summary s = summarise(ctx, &g, 0.2, norm, NIGH_SUMMARY_ERROR, 5), random;
            nigh_summary_options o = {.bits = 0.2 * nigh_graph_bits(g.nodes, g.edges), .norm = norm, .way = way};
            double own[2], other[2];
            assert_ok(ctx, nigh_graph_summarise(ctx, &g, &o, &random, NULL));
            assert_true(nigh_summary_bits(&random) <= o.bits);
            assert_ok(ctx, nigh_summary_errors(ctx, &s, &g, &own[0], &own[1]));
            assert_ok(ctx, nigh_summary_errors(ctx, &random, &g, &other[0], &other[1]));
            assert_true(own[norm - 1] < 0.9 * other[norm - 1]);
            nigh_summary_free(&s);
            nigh_summary_free(&random);
        }
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void bits_that_cannot_be_reached(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    nigh_summary s;
    make(ctx, &g);
    char least[32];
    snprintf(least, sizeof least, "takes %g, the minimum", log2((double)g.edges));
    assert_fails(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = log2((double)g.edges) - 0.01}, &s, NULL), NIGH_INVALID, least);
    assert_fails(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = NAN}, &s, NULL), NIGH_INVALID, "nan bits");
    assert_fails(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = 1000, .norm = 3}, &s, NULL), NIGH_INVALID, "the norm is 3");
    assert_fails(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = 1000, .iterations = -1}, &s, NULL), NIGH_INVALID, "-1 iterations");
    assert_fails(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = 1000, .group = 1}, &s, NULL), NIGH_INVALID, "groups of 1");
    assert_fails(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = 1000, .sweeps = -2}, &s, NULL), NIGH_INVALID, "-2 sweeps");
    for (double bits = 8; bits < 2e5; bits *= 3) {
        if (bits < log2((double)g.edges)) continue;
        assert_ok(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = bits}, &s, NULL));
        assert_true(nigh_summary_bits(&s) <= bits);
        nigh_summary_free(&s);
    }
    uint32_t label[N] = {0};
    label[7] = 2;
    assert_fails(ctx, nigh_summary_of_partition(ctx, &g, label, 2, 1e5, 2, &s), NIGH_INVALID, "node 7 has the label 2");
    assert_fails(ctx, nigh_summary_of_partition(ctx, &g, label, 3, 1e5, 2, &s), NIGH_INVALID, "no node has the label 1 of 3");
    nigh_graph_free(ctx, &g);
    nigh_edges loop = {.count = 1, .from = (int64_t[]){4}, .to = (int64_t[]){4}};
    assert_ok(ctx, nigh_graph_new(ctx, &loop, NULL, &g));
    assert_fails(ctx, nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = 100}, &s, NULL), NIGH_INVALID, "no edges (1 self loops were dropped)");
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

/* Two cliques and a star of many leaves: lists of the hub outgrow the room; graphs of two nodes; isolated nodes. */
static void odd_graphs(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    nigh_edges e = {.from = nigh_alloc(ctx, 10000 * sizeof(int64_t)), .to = nigh_alloc(ctx, 10000 * sizeof(int64_t))};
    for (int64_t i = 2; i < 4002; i++)
        for (int64_t hub = 0; hub < 2; hub++) e.from[e.count] = hub, e.to[e.count++] = i;
    assert_ok(ctx, nigh_graph_new(ctx, &e, NULL, &g));
    nigh_summary s = summarise(ctx, &g, 0.5, 2, NIGH_SUMMARY_DESCRIPTION, 1);
    double re1, re2;
    assert_ok(ctx, nigh_summary_errors(ctx, &s, &g, &re1, &re2));
    assert_near(re1, 0, 1e-15, 0);
    nigh_summary_free(&s);
    nigh_graph_free(ctx, &g);
    e.count = 1, e.from[0] = 3, e.to[0] = 1;
    assert_ok(ctx, nigh_graph_new(ctx, &e, NULL, &g));
    s = summarise(ctx, &g, 1, 2, NIGH_SUMMARY_ERROR, 1);
    assert_near(nigh_summary_degree(&s, 0), 1, 1e-12, 0);
    nigh_summary_free(&s);
    nigh_graph_free(ctx, &g);
    assert_ok(ctx, nigh_graph_erdos_renyi(ctx, 500, 0.001, 1, &g)); /* most nodes have no or one neighbour */
    s = summarise(ctx, &g, 0.5, 1, NIGH_SUMMARY_ERROR, 1);
    nigh_summary_free(&s);
    nigh_graph_free(ctx, &g);
    nigh_edges_free(ctx, &e);
    test_context_free(ctx);
}

static void questions_follow_the_model(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    make(ctx, &g);
    nigh_summary s = summarise(ctx, &g, 0.2, 2, NIGH_SUMMARY_ERROR, 2);
    static double model[N][N], now[N], next[N];
    double rank[N], degree[N];
    for (int u = 0; u < N; u++) {
        degree[u] = 0;
        for (int v = 0; v < N; v++) degree[u] += model[u][v] = nigh_summary_edge(&s, u, v);
        assert_near(nigh_summary_degree(&s, u), degree[u], 1e-9, 0);
        now[u] = 1.0 / N;
    }
    for (int step = 0; step < 300; step++) {
        double idle = 0;
        for (int v = 0; v < N; v++) idle += degree[v] == 0 ? now[v] : 0;
        for (int v = 0; v < N; v++) {
            double in = 0;
            for (int u = 0; u < N; u++) in += degree[u] > 0 ? now[u] * model[u][v] / degree[u] : 0;
            next[v] = 0.15 / N + 0.85 * (in + idle / N);
        }
        memcpy(now, next, sizeof now);
    }
    assert_ok(ctx, nigh_summary_pagerank(ctx, &s, 0.85, 1e-15, 1000, rank, NULL));
    for (int v = 0; v < N; v++) assert_near(rank[v], now[v], 1e-12, 1e-10);
    int64_t neighbour[N], count, positive = 0;
    double value[N];
    assert_ok(ctx, nigh_summary_neighbours(ctx, &s, 17, N, neighbour, value, &count));
    for (int v = 0; v < N; v++) positive += model[17][v] > 0;
    assert_int_equal(count, positive);
    for (int64_t i = 0; i < count; i++) {
        assert_near(value[i], model[17][neighbour[i]], 1e-15, 0);
        if (i) assert_true(value[i] <= value[i - 1]);
    }
    assert_fails(ctx, nigh_summary_neighbours(ctx, &s, N, 3, neighbour, value, &count), NIGH_INVALID, "node 300");
    assert_fails(ctx, nigh_summary_pagerank(ctx, &s, -1, 1e-9, 3, rank, NULL), NIGH_INVALID, "damping of PageRank is -1");
    nigh_summary_free(&s);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void files_give_back_the_summary(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    nigh_edges e;
    make(ctx, &g);
    assert_ok(ctx, nigh_graph_edges(ctx, &g, &e));
    nigh_graph_free(ctx, &g);
    for (int64_t i = 0; i < e.count; i++) e.from[i] = 10 * e.from[i] + 7, e.to[i] = 10 * e.to[i] + 7;
    assert_ok(ctx, nigh_graph_new(ctx, &e, NULL, &g));
    nigh_summary s = summarise(ctx, &g, 0.2, 2, NIGH_SUMMARY_ERROR, 2), read;
    nigh_buffer bytes = {.ctx = ctx};
    assert_ok(ctx, nigh_summary_format(ctx, &s, &bytes));
    assert_ok(ctx, nigh_summary_parse(ctx, bytes.data, bytes.size, "s.npz", &read));
    assert_int_equal(read.superedges, s.superedges);
    assert_int_equal(read.edges, g.edges);
    assert_true(nigh_summary_bits(&read) == nigh_summary_bits(&s));
    assert_memory_equal(read.supernode, s.supernode, N * sizeof *s.supernode);
    assert_memory_equal(read.start, s.start, (size_t)(s.supernodes + 1) * sizeof *s.start);
    assert_memory_equal(read.other, s.other, (size_t)s.start[s.supernodes] * sizeof *s.other);
    assert_memory_equal(read.weight, s.weight, (size_t)s.start[s.supernodes] * sizeof *s.weight);
    assert_int_equal(nigh_summary_node(&read, 27), 2);
    assert_int_equal(nigh_summary_node(&read, 28), -1);
    nigh_summary_free(&read);
    nigh_summary_free(&s);
    nigh_buffer_free(&bytes);
    nigh_edges_free(ctx, &e);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

/* A file of four nodes in two supernodes with two superedges, one thing of it wrong. */
static nigh_status parse_with(nigh_context *ctx, const uint32_t label[4], const uint32_t pair[4], const uint32_t weight[2], int64_t edges, const int64_t *old, nigh_dtype type)
{
    nigh_bundle b = {.ctx = ctx};
    nigh_buffer bytes = {.ctx = ctx};
    nigh_summary s;
    uint32_t l[4], p[4], w[2];
    memcpy(l, label, sizeof l), memcpy(p, pair, sizeof p), memcpy(w, weight, sizeof w);
    nigh_status status = nigh_bundle_add(&b, "supernode", &(nigh_array){{NIGH_U32, 1, {4}}, l});
    if (!status) status = nigh_bundle_add(&b, "superedge", &(nigh_array){{NIGH_U32, 2, {2, 2}}, p});
    if (!status) status = nigh_bundle_add(&b, "weight", &(nigh_array){{type, 1, {2}}, w});
    if (!status) status = nigh_bundle_add(&b, "edges", &(nigh_array){{NIGH_I64, 1, {1}}, &edges});
    int64_t o[4];
    if (old) memcpy(o, old, sizeof o);
    if (!status && old) status = nigh_bundle_add(&b, "old", &(nigh_array){{NIGH_I64, 1, {4}}, o});
    if (!status) status = nigh_npz_format(ctx, &b, 0, &bytes);
    if (!status) status = nigh_summary_parse(ctx, bytes.data, bytes.size, "f.npz", &s);
    if (!status) nigh_summary_free(&s);
    nigh_buffer_free(&bytes);
    nigh_bundle_free(&b);
    return status;
}

static void hostile_files_are_refused(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    const uint32_t label[4] = {0, 1, 1, 1}, pair[4] = {0, 1, 1, 1}, weight[2] = {3, 2};
    const int64_t old[4] = {1, 2, 5, 9}, falling[4] = {1, 2, 2, 9};
    assert_ok(ctx, parse_with(ctx, label, pair, weight, 5, old, NIGH_U32));
    assert_fails(ctx, parse_with(ctx, (uint32_t[]){0, 4, 1, 1}, pair, weight, 5, old, NIGH_U32), NIGH_FORMAT, "node 1 is in supernode 4");
    assert_fails(ctx, parse_with(ctx, (uint32_t[]){0, 2, 2, 2}, pair, weight, 5, old, NIGH_U32), NIGH_FORMAT, "supernode 1 of 3 has no nodes");
    assert_fails(ctx, parse_with(ctx, label, (uint32_t[]){0, 2, 1, 1}, weight, 5, old, NIGH_U32), NIGH_FORMAT, "superedge 0 joins 0 and 2");
    assert_fails(ctx, parse_with(ctx, label, (uint32_t[]){1, 0, 1, 1}, weight, 5, old, NIGH_U32), NIGH_FORMAT, "superedge 0 joins 1 and 0");
    assert_fails(ctx, parse_with(ctx, label, (uint32_t[]){0, 1, 0, 1}, weight, 5, old, NIGH_U32), NIGH_FORMAT, "superedge 1 (0 1) is not after");
    assert_fails(ctx, parse_with(ctx, label, (uint32_t[]){0, 0, 1, 1}, weight, 5, old, NIGH_U32), NIGH_FORMAT, "stands for 3 edges; 1 to 0");
    assert_fails(ctx, parse_with(ctx, label, pair, (uint32_t[]){3, 4}, 7, old, NIGH_U32), NIGH_FORMAT, "stands for 4 edges; 1 to 3");
    assert_fails(ctx, parse_with(ctx, label, pair, (uint32_t[]){0, 2}, 7, old, NIGH_U32), NIGH_FORMAT, "stands for 0 edges");
    assert_fails(ctx, parse_with(ctx, label, pair, weight, 4, old, NIGH_U32), NIGH_FORMAT, "stand for 5 edges, more than the 4");
    assert_fails(ctx, parse_with(ctx, label, pair, weight, -1, old, NIGH_U32), NIGH_FORMAT, "more than the -1");
    assert_fails(ctx, parse_with(ctx, label, pair, weight, 5, falling, NIGH_U32), NIGH_FORMAT, "number 2 of node 2");
    assert_fails(ctx, parse_with(ctx, label, pair, weight, 5, NULL, NIGH_I32), NIGH_FORMAT, "array 'weight' must be u32");
    nigh_bundle b = {.ctx = ctx};
    nigh_buffer bytes = {.ctx = ctx};
    nigh_summary s;
    assert_ok(ctx, nigh_npz_format(ctx, &b, 0, &bytes));
    assert_fails(ctx, nigh_summary_parse(ctx, bytes.data, bytes.size, "f.npz", &s), NIGH_FORMAT, "has no array 'supernode'");
    nigh_buffer_free(&bytes);
    test_context_free(ctx);
}

static void memory_that_is_short_is_told(void **state)
{
    (void)state;
    nigh_context *good = test_context_new();
    nigh_graph g;
    assert_ok(good, nigh_graph_planted(good, 3, 12, 0.7, 0.05, false, 1, NULL, &g));
    for (long fail = 1;; fail++) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_status status = NIGH_OK;
        for (int way = 0; way < 3 && !status; way++) {
            nigh_summary s, read;
            nigh_buffer bytes = {.ctx = ctx};
            double rank[36], re1, re2, value[36];
            int64_t neighbour[36], count;
            status = nigh_graph_summarise(ctx, &g, &(nigh_summary_options){.bits = 0.4 * nigh_graph_bits(g.nodes, g.edges), .way = (nigh_summary_way)way}, &s, NULL);
            if (status) continue;
            status = nigh_summary_format(ctx, &s, &bytes);
            if (!status) status = nigh_summary_parse(ctx, bytes.data, bytes.size, "s", &read);
            if (!status) nigh_summary_free(&read);
            if (!status) status = nigh_summary_errors(ctx, &s, &g, &re1, &re2);
            if (!status) status = nigh_summary_pagerank(ctx, &s, 0.85, 1e-9, 50, rank, NULL);
            if (!status) status = nigh_summary_neighbours(ctx, &s, 0, 36, neighbour, value, &count);
            bytes.size = 0;
            if (!status) status = nigh_summary_picture(ctx, &s, &bytes);
            nigh_buffer_free(&bytes);
            nigh_summary_free(&s);
        }
        if (status) assert_int_equal(status, NIGH_MEMORY);
        test_context_free(ctx);
        if (!status) break;
        assert_true(fail < 3000);
    }
    nigh_graph_free(good, &g);
    test_context_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_equal_the_dense_ones),
        cmocka_unit_test(costs_stay_right_at_every_merge),
        cmocka_unit_test(moves_add_what_was_foretold),
        cmocka_unit_test(sweeps_only_help),
        cmocka_unit_test(twins_are_merged_without_loss),
        cmocka_unit_test(same_seed_same_summary),
        cmocka_unit_test(beats_random_merges),
        cmocka_unit_test(bits_that_cannot_be_reached),
        cmocka_unit_test(odd_graphs),
        cmocka_unit_test(questions_follow_the_model),
        cmocka_unit_test(files_give_back_the_summary),
        cmocka_unit_test(hostile_files_are_refused),
        cmocka_unit_test(memory_that_is_short_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
