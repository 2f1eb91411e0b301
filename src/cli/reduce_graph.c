/* nigh reduce graph: a list of edges as a summary within so many bits, and questions to the summary. */
#include "cli/reduce_graph.h"

#include "cli/reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: nigh reduce graph EDGES --bits 30%|N -o SUMMARY.npz [OPTION...]   summarise a list of edges\n"
    "       nigh reduce graph SUMMARY.npz [QUESTION]                          describe it, or ask it\n"
    "\n"
    "Groups of nodes become supernodes, edges between groups become superedges with the number of edges that they stand for:\n"
    "as few bits as asked, as small an error as can be found. EDGES has a line 'FROM TO' for each edge (SNAP; .gz too);\n"
    "self loops and repeated edges are dropped and counted. Nodes keep their numbers.\n"
    "\n"
    "  --bits 30%|N         size of the summary: a share of the 2 E log2(V) bits of the edges, or bits\n"
    "  -o, --output FILE    the summary, npz: node -> supernode, superedges, weights, old numbers\n"
    "  --norm 1|2           error that is to be small: absolute (1) or squared (2, default) differences of the matrices\n"
    "  --cost KIND          what merges have to save: error (default) or description (as published)\n"
    "  --iterations T       rounds of merging, default 20\n"
    "  --sweeps T           rounds of moving single nodes after it, at most; 0: none. Default 12, none with --cost description\n"
    "  --symmetrise         take a directed list for an undirected graph\n"
    "  --ignore-weights     take every weight that is not 0 for 1\n"
    "  --baseline           measure random merges too (graphs of at most 2 million edges: always)\n"
    "  --report FILE        a page with the receipt, error against size, a picture of the summary\n"
    "  --seed S, --json, --quiet\n"
    "questions, answered from the summary alone:\n"
    "  --degree ID          expected degree of a node\n"
    "  --neighbours ID      most likely neighbours with their chances; -n COUNT of them, default 20\n"
    "  --pagerank           the -n COUNT nodes of the highest rank\n"
    "\n"
    "The receipt measures the file that was written: bits before and after, RE_1 and RE_2 (the summed difference of adjacency\n"
    "matrix and summary over the pairs of nodes), degrees and PageRank against the graph, bytes and seconds beside it.\n"
    "Exit: 0 done, 2 bad usage or input, 3 out of memory, 130 interrupted.\n";

static nigh_status bits_of(nigh_context *ctx, const char *text, const nigh_graph *g, double *bits)
{
    char *end;
    double value = strtod(text, &end);
    bool share = *end == '%';
    if (end == text || end[share] || !(value > 0) || isinf(value))
        return nigh_fail(ctx, NIGH_INVALID, "--bits is '%s'; a share such as 30%% or a number of bits is allowed", text);
    *bits = share ? value / 100 * nigh_graph_bits(g->nodes, g->edges) : value;
    return NIGH_OK;
}

static nigh_status cost_of(nigh_context *ctx, const char *text, nigh_summary_cost *cost)
{
    if (!text || strcmp(text, "error") == 0) *cost = NIGH_SUMMARY_ERROR;
    else if (strcmp(text, "description") == 0) *cost = NIGH_SUMMARY_DESCRIPTION;
    else return nigh_fail(ctx, NIGH_INVALID, "--cost is '%s'; error and description are allowed", text);
    return NIGH_OK;
}

typedef struct arguments {
    const char *bits, *output, *cost, *report, *degree, *neighbours;
    bool symmetrise, ignore_weights, baseline, pagerank;
    int64_t norm, iterations, sweeps, count;
} arguments;

static nigh_status summarise(nigh_context *ctx, const char *path, const arguments *a)
{
    graph_work w = {.path = path, .output = a->output, .baseline = a->baseline,
                    .options = {.norm = (int)a->norm, .iterations = (int)a->iterations, .sweeps = (int)(a->sweeps ? a->sweeps : -1),
                                .seed = nigh_context_seed(ctx)}};
    if (a->sweeps < 0) w.options.sweeps = 0;
    if (!a->bits) return nigh_fail(ctx, NIGH_INVALID, "--bits is missing: the size that the summary may have, such as 30%%");
    if (!a->output) return nigh_fail(ctx, NIGH_INVALID, "-o FILE is missing: where the summary goes");
    nigh_graph_options from = {a->symmetrise, a->ignore_weights};
    nigh_status status = cost_of(ctx, a->cost, &w.options.cost);
    if (!status) status = nigh_graph_read(ctx, path, &from, &w.graph);
    if (status) return status;
    status = bits_of(ctx, a->bits, &w.graph, &w.options.bits);
    if (!status) status = graph_measure(ctx, &w);
    if (!status) status = graph_receipt_print(ctx, &w, cli_json);
    if (!status && a->report) status = graph_report(ctx, &w, a->report);
    nigh_summary_free(&w.summary);
    nigh_graph_free(ctx, &w.graph);
    return status;
}

int reduce_graph(nigh_context *ctx, int argc, char **argv)
{
    arguments a = {.norm = 2, .iterations = 20, .sweeps = -1, .count = 20};
    const cli_flag flags[] = {
        {.name = "bits", .kind = CLI_TEXT, .to = &a.bits},
        {.name = "output", .letter = 'o', .kind = CLI_TEXT, .to = &a.output},
        {.name = "norm", .kind = CLI_INT, .to = &a.norm, .low = 1, .high = 2},
        {.name = "cost", .kind = CLI_TEXT, .to = &a.cost},
        {.name = "iterations", .kind = CLI_INT, .to = &a.iterations, .low = 1, .high = 1000},
        {.name = "sweeps", .kind = CLI_INT, .to = &a.sweeps, .low = 0, .high = 1000},
        {.name = "symmetrise", .kind = CLI_SWITCH, .to = &a.symmetrise},
        {.name = "ignore-weights", .kind = CLI_SWITCH, .to = &a.ignore_weights},
        {.name = "baseline", .kind = CLI_SWITCH, .to = &a.baseline},
        {.name = "report", .kind = CLI_TEXT, .to = &a.report},
        {.name = "degree", .kind = CLI_TEXT, .to = &a.degree},
        {.name = "neighbours", .kind = CLI_TEXT, .to = &a.neighbours},
        {.name = "pagerank", .kind = CLI_SWITCH, .to = &a.pagerank},
        {.name = "count", .letter = 'n', .kind = CLI_INT, .to = &a.count, .low = 1, .high = 1e9},
        {.name = NULL},
    };
    const char *words[1];
    int count;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return cli_print(ctx, usage, strlen(usage));
    int code = cli_parse(ctx, "reduce graph", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    if (count != 1) return cli_misuse(ctx, "a list of edges or a summary is expected; see nigh reduce graph --help");
    graph_question question = {.degree = a.degree, .neighbours = a.neighbours, .pagerank = a.pagerank, .count = a.count};
    bool asks = a.degree || a.neighbours || a.pagerank, is_summary = strlen(words[0]) > 4 && strcmp(words[0] + strlen(words[0]) - 4, ".npz") == 0;
    if (asks && (a.bits || a.output)) return cli_misuse(ctx, "questions are for a summary: without --bits and -o");
    if (is_summary && (a.bits || a.output)) return cli_misuse(ctx, "'%s' is a summary already; --bits and -o go with a list of edges", words[0]);
    nigh_status status;
    if (asks || is_summary) {
        status = graph_answer(ctx, words[0], &question);
    } else {
        cli_progress_start(ctx);
        status = summarise(ctx, words[0], &a);
        cli_progress_stop(ctx);
    }
    return status ? cli_fail(ctx, status) : 0;
}
