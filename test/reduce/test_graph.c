/* Graphs from lists (what is dropped, refused, renumbered), generators against their laws, PageRank against a dense solution. */
#include "support.h"

#include "core/map.h"
#include "nigh/graph.h"
#include "nigh/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static nigh_status graph_of(nigh_context *ctx, const char *text, const nigh_graph_options *options, nigh_graph *g)
{
    nigh_edges e;
    nigh_status status = nigh_snap_parse(ctx, text, strlen(text), "list", &e);
    if (status) return status;
    status = nigh_graph_new(ctx, &e, options, g);
    nigh_edges_free(ctx, &e);
    return status;
}

/* Rows sorted, symmetric, without loops. */
static void assert_simple(const nigh_graph *g)
{
    assert_int_equal(g->start[0], 0);
    assert_int_equal(g->start[g->nodes], 2 * g->edges);
    for (int64_t v = 0; v < g->nodes; v++)
        for (int64_t i = g->start[v]; i < g->start[v + 1]; i++) {
            uint32_t u = g->neighbour[i];
            bool back = false;
            assert_true(u != v && u < g->nodes);
            if (i > g->start[v]) assert_true(g->neighbour[i - 1] < u);
            for (int64_t k = g->start[u]; k < g->start[u + 1]; k++) back |= g->neighbour[k] == v;
            assert_true(back);
        }
}

static void drops_and_counts(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    assert_ok(ctx, graph_of(ctx, "# c\n5 7\n7 9\n5 7\n9 9\n5 100\n5 7\n12 12\n", NULL, &g));
    assert_simple(&g);
    assert_int_equal(g.nodes, 5);
    assert_int_equal(g.edges, 3);
    assert_int_equal(g.loops, 2);
    assert_int_equal(g.duplicates, 2);
    assert_int_equal(g.mirrored, 0);
    const int64_t old[] = {5, 7, 9, 12, 100};
    for (int i = 0; i < 5; i++) assert_int_equal(g.old[i], old[i]);
    assert_int_equal(nigh_graph_node(&g, 12), 3);
    assert_int_equal(nigh_graph_node(&g, 13), -1);
    assert_int_equal(nigh_graph_degree(&g, 0), 2);
    assert_int_equal(nigh_graph_degree(&g, 3), 0);
    nigh_edges e;
    assert_ok(ctx, nigh_graph_edges(ctx, &g, &e));
    assert_int_equal(e.count, 3);
    assert_int_equal(e.from[1], 5);
    assert_int_equal(e.to[1], 100);
    nigh_edges_free(ctx, &e);
    nigh_graph_free(ctx, &g);
    assert_ok(ctx, graph_of(ctx, "0 1\n1 2\n2 0\n", NULL, &g));
    assert_null(g.old);
    assert_int_equal(nigh_graph_node(&g, 2), 2);
    assert_int_equal(nigh_graph_node(&g, 3), -1);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void knows_directed_lists(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    assert_ok(ctx, graph_of(ctx, "0 1\n1 0\n1 2\n2 1\n", NULL, &g));
    assert_int_equal(g.edges, 2);
    assert_int_equal(g.mirrored, 2);
    assert_int_equal(g.duplicates, 0);
    nigh_graph_free(ctx, &g);
    assert_fails(ctx, graph_of(ctx, "0 1\n1 0\n1 2\n", NULL, &g), NIGH_INVALID, "1 of 2 edges stand in both directions");
    assert_ok(ctx, graph_of(ctx, "0 1\n1 0\n1 2\n", &(nigh_graph_options){.symmetrise = true}, &g));
    assert_int_equal(g.edges, 2);
    assert_int_equal(g.duplicates, 1);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void weights_only_when_asked(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    const char *text = "0 1 1\n1 2 3.5\n0 2 0\n";
    assert_fails(ctx, graph_of(ctx, text, NULL, &g), NIGH_INVALID, "edge 2 (1 2) has the weight 3.5");
    assert_ok(ctx, graph_of(ctx, text, &(nigh_graph_options){.ignore_weights = true}, &g));
    assert_int_equal(g.edges, 2);
    assert_int_equal(g.zeros, 1);
    nigh_graph_free(ctx, &g);
    assert_ok(ctx, graph_of(ctx, "0 1 1\n1 2 1\n", NULL, &g));
    nigh_graph_free(ctx, &g);
    nigh_edges e = {.count = 1, .from = (int64_t[]){0}, .to = (int64_t[]){1}, .weight = (double[]){NAN}};
    assert_fails(ctx, nigh_graph_new(ctx, &e, &(nigh_graph_options){.ignore_weights = true}, &g), NIGH_INVALID, "NaN");
    test_context_free(ctx);
}

static void refuses_bad_lists(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    assert_fails(ctx, graph_of(ctx, "# nothing\n", NULL, &g), NIGH_FORMAT, "no edges");
    assert_fails(ctx, graph_of(ctx, "0 1\n\n2 -3\n", NULL, &g), NIGH_FORMAT, "line 3");
    assert_fails(ctx, graph_of(ctx, "0 1\n1 x\n", NULL, &g), NIGH_FORMAT, "line 2");
    assert_fails(ctx, graph_of(ctx, "0 1\n1 99999999999999999999\n", NULL, &g), NIGH_FORMAT, "line 2");
    nigh_edges e = {.count = 2, .from = (int64_t[]){0, 3}, .to = (int64_t[]){1, -2}};
    assert_fails(ctx, nigh_graph_new(ctx, &e, NULL, &g), NIGH_INVALID, "edge 2 (3 -2) has a negative node");
    e.count = 0;
    assert_fails(ctx, nigh_graph_new(ctx, &e, NULL, &g), NIGH_INVALID, "no edges");
    /* numbers far apart go through the map */
    assert_ok(ctx, graph_of(ctx, "9223372036854775807 4\n4 1000000000000\n", NULL, &g));
    assert_int_equal(g.nodes, 3);
    assert_true(g.old[2] == INT64_MAX);
    assert_int_equal(nigh_graph_node(&g, 1000000000000), 1);
    assert_simple(&g);
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

/* Plain lines are read by a shorter way than others: any mixture must give the same, and the right line numbers. */
static void mixed_lines_are_read_alike(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_edges e;
    const char *text = "1 2\n3\t4\r\n\n# c\n5, 6\n  7   8\n9 10 \n11 12\n13 999999999999999999\n1000000000000000000 14\n15 16";
    const int64_t from[] = {1, 3, 5, 7, 9, 11, 13, 1000000000000000000, 15}, to[] = {2, 4, 6, 8, 10, 12, 999999999999999999, 14, 16};
    assert_ok(ctx, nigh_snap_parse(ctx, text, strlen(text), "list", &e));
    assert_int_equal(e.count, 9);
    assert_memory_equal(e.from, from, sizeof from);
    assert_memory_equal(e.to, to, sizeof to);
    nigh_edges_free(ctx, &e);
    static const char *const bad[][2] = {{"1 2\n3 4\n5 x\n", "line 3, column 3"}, {"1 2\n3 4\n# c\n\n5 6\n7\n", "line 6"}, {"1 2\n3 4\n5 6 7\n", "line 3"},
                                         {"1 2\n3 4\n5 99999999999999999999\n", "line 3"}, {"1 2\n\n3 4\n5 6\n-7 8\n", "line 5, column 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_fails(ctx, nigh_snap_parse(ctx, bad[i][0], strlen(bad[i][0]), "list", &e), NIGH_FORMAT, bad[i][1]);
    test_context_free(ctx);
}

static void map_is_a_map(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    map m;
    nigh_rng rng = nigh_rng_new(5, 0);
    assert_ok(ctx, map_new(ctx, 0, &m));
    uint64_t *value, sorted[3000];
    bool added;
    for (uint64_t i = 0; i < 2999; i++) {
        assert_ok(ctx, map_add(&m, i * i * 977, &value, &added));
        assert_true(added && *value == 0);
        *value = i;
    }
    assert_ok(ctx, map_add(&m, UINT64_MAX, &value, &added));
    assert_true(added);
    assert_ok(ctx, map_add(&m, 0, &value, &added));
    assert_true(!added && *value == 0);
    assert_int_equal(m.count, 3000);
    for (int k = 0; k < 1000; k++) {
        uint64_t i = nigh_rng_below(&rng, 2999);
        assert_int_equal(*map_find(&m, i * i * 977), i);
        assert_null(map_find(&m, i * i * 977 + 1 + (i == 0)));
    }
    map_keys_sorted(&m, sorted);
    for (int i = 1; i < 3000; i++) assert_true(sorted[i - 1] < sorted[i]);
    assert_true(sorted[2999] == UINT64_MAX);
    map_free(&m);
    test_context_free(ctx);
}

static void generators_follow_their_laws(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g, again;
    assert_ok(ctx, nigh_graph_erdos_renyi(ctx, 2000, 0.01, 3, &g));
    assert_simple(&g);
    assert_near((double)g.edges, 0.01 * 2000 * 1999 / 2, 5 * sqrt(0.01 * 2000 * 1999 / 2), 0);
    assert_ok(ctx, nigh_graph_erdos_renyi(ctx, 2000, 0.01, 3, &again));
    assert_int_equal(g.edges, again.edges);
    assert_memory_equal(g.neighbour, again.neighbour, 2 * (size_t)g.edges * sizeof *g.neighbour);
    nigh_graph_free(ctx, &g);
    nigh_graph_free(ctx, &again);
    assert_ok(ctx, nigh_graph_erdos_renyi(ctx, 30, 1, 3, &g));
    assert_int_equal(g.edges, 30 * 29 / 2);
    nigh_graph_free(ctx, &g);
    assert_ok(ctx, nigh_graph_erdos_renyi(ctx, 30, 0, 3, &g));
    assert_int_equal(g.edges, 0);
    nigh_graph_free(ctx, &g);

    assert_ok(ctx, nigh_graph_barabasi_albert(ctx, 3000, 4, 3, &g));
    assert_simple(&g);
    assert_int_equal(g.edges, 10 + 4 * (3000 - 5));
    assert_int_equal(g.duplicates, 0);
    int64_t largest = 0, least = 3000;
    for (int64_t v = 0; v < g.nodes; v++) {
        int64_t degree = nigh_graph_degree(&g, v);
        largest = degree > largest ? degree : largest;
        least = degree < least ? degree : least;
    }
    assert_int_equal(least, 4);
    assert_true(largest > 100); /* about 4 sqrt(3000) = 219; a random graph of that density has 20 */
    nigh_graph_free(ctx, &g);

    assert_ok(ctx, nigh_graph_rmat(ctx, 10, 8000, 0.57, 0.19, 0.19, 3, &g));
    assert_simple(&g);
    assert_int_equal(g.nodes, 1024);
    assert_int_equal(g.edges + g.duplicates + g.loops, 8000);
    int64_t low = 0;
    for (int64_t v = 0; v < 512; v++) low += nigh_graph_degree(&g, v);
    assert_near((double)low / (2 * (double)g.edges), 0.76, 0.04, 0); /* a + b at the first level; repetitions drop more of the dense part */
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void planted_blocks_have_their_densities(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    int64_t label[600], inside = 0, moved = 0;
    for (int ordered = 0; ordered < 2; ordered++) {
        inside = moved = 0;
        assert_ok(ctx, nigh_graph_planted(ctx, 6, 100, 0.4, 0.02, ordered, 9, label, &g));
        assert_simple(&g);
        for (int64_t v = 0; v < 600; v++) {
            moved += label[v] != v / 100;
            for (int64_t i = g.start[v]; i < g.start[v + 1]; i++) inside += label[g.neighbour[i]] == label[v];
        }
        assert_true(ordered ? moved == 0 : moved > 300);
        assert_near((double)inside / 2, 6 * 4950 * 0.4, 500, 0);
        assert_near((double)g.edges - (double)inside / 2, 15 * 10000 * 0.02, 300, 0);
        nigh_graph_free(ctx, &g);
    }
    assert_fails(ctx, nigh_graph_planted(ctx, 6, 100, 1.4, 0.02, true, 9, NULL, &g), NIGH_INVALID, "p_in is 1.4");
    assert_fails(ctx, nigh_graph_rmat(ctx, 40, 10, 0.5, 0.2, 0.2, 1, &g), NIGH_INVALID, "the scale is 40");
    assert_fails(ctx, nigh_graph_barabasi_albert(ctx, 10, 10, 1, &g), NIGH_INVALID, "10 edges for each of 10 nodes");
    assert_fails(ctx, nigh_graph_erdos_renyi(ctx, 0, 0.5, 1, &g), NIGH_INVALID, "0 nodes");
    test_context_free(ctx);
}

static void pagerank_is_the_fixed_point(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_graph g;
    enum { N = 60 };
    double rank[N], sum = 0;
    int steps;
    assert_ok(ctx, nigh_graph_erdos_renyi(ctx, N, 0.05, 4, &g));
    assert_ok(ctx, nigh_graph_pagerank(ctx, &g, 0.85, 1e-14, 1000, rank, &steps));
    assert_true(steps > 10 && steps < 400);
    double idle = 0;
    for (int v = 0; v < N; v++) {
        sum += rank[v];
        if (nigh_graph_degree(&g, v) == 0) idle += rank[v];
    }
    assert_near(sum, 1, 1e-12, 0);
    for (int v = 0; v < N; v++) {
        double in = 0;
        for (int64_t i = g.start[v]; i < g.start[v + 1]; i++) in += rank[g.neighbour[i]] / (double)nigh_graph_degree(&g, g.neighbour[i]);
        assert_near(rank[v], 0.15 / N + 0.85 * (in + idle / N), 1e-13, 0);
    }
    assert_fails(ctx, nigh_graph_pagerank(ctx, &g, 1, 1e-9, 10, rank, NULL), NIGH_INVALID, "damping of PageRank is 1");
    nigh_graph_free(ctx, &g);
    test_context_free(ctx);
}

static void memory_that_is_short_is_told(void **state)
{
    (void)state;
    for (long fail = 1;; fail++) {
        test_allocator allocator = {.fail_at = fail};
        nigh_context *ctx = test_context_failing(&allocator);
        if (!ctx) continue;
        nigh_graph g;
        nigh_status status = graph_of(ctx, "9223372036854775807 4\n4 1000000000000\n", NULL, &g);
        if (!status) nigh_graph_free(ctx, &g);
        else assert_int_equal(status, NIGH_MEMORY);
        if (!status) status = nigh_graph_planted(ctx, 3, 5, 0.9, 0.1, false, 1, NULL, &g);
        if (!status) nigh_graph_free(ctx, &g);
        test_context_free(ctx);
        if (!status) break;
        assert_true(fail < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_and_counts),
        cmocka_unit_test(knows_directed_lists),
        cmocka_unit_test(weights_only_when_asked),
        cmocka_unit_test(refuses_bad_lists),
        cmocka_unit_test(mixed_lines_are_read_alike),
        cmocka_unit_test(map_is_a_map),
        cmocka_unit_test(generators_follow_their_laws),
        cmocka_unit_test(planted_blocks_have_their_densities),
        cmocka_unit_test(pagerank_is_the_fixed_point),
        cmocka_unit_test(memory_that_is_short_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
