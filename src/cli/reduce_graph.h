/* The parts of nigh reduce graph: measuring a summary, the receipt, the page, questions. */
#ifndef NIGH_CLI_REDUCE_GRAPH_H
#define NIGH_CLI_REDUCE_GRAPH_H
#include "cli/cli.h"
#include "nigh/summary.h"

typedef struct graph_figures {
    double bits_before, bits, re1, re2;     /* of the file as written */
    double random_re1, random_re2;          /* random merges in as many bits; NAN when not measured */
    double degree_median, degree_p95;       /* relative errors over nodes with an edge */
    double rank_error, rank_uniform;        /* L1 distance of PageRank to the graph's, and of equal ranks to it */
    double rank_seconds, graph_rank_seconds;
    double bytes, graph_bytes, file_bytes;  /* in memory; of the file */
} graph_figures;

typedef struct graph_work {
    const char *path, *output;
    bool baseline;
    nigh_summary_options options;
    nigh_graph graph;
    nigh_summary summary; /* as read back from the file */
    nigh_summary_report report;
    graph_figures figures;
} graph_work;

/* Summarises, writes, reads back, measures. */
nigh_status graph_measure(nigh_context *ctx, graph_work *w);
nigh_status graph_receipt_print(nigh_context *ctx, const graph_work *w, bool json);
nigh_status graph_report(nigh_context *ctx, const graph_work *w, const char *path);

typedef struct graph_question {
    const char *degree, *neighbours;
    bool pagerank;
    int64_t count;
} graph_question;
nigh_status graph_answer(nigh_context *ctx, const char *path, const graph_question *question);
#endif
