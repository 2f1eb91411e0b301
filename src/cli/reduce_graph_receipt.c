/* What nigh reduce graph measures and prints. */
#include "cli/reduce_graph.h"

#include "core/file.h"
#include "core/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BASELINE_EDGES = 2000000, RANK_STEPS = 200 };
static const double damping = 0.85, tolerance = 1e-10;

/* ---- measuring ---------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static nigh_status measure_degrees(nigh_context *ctx, graph_work *w)
{
    int64_t n = 0;
    double *error = nigh_alloc(ctx, (size_t)w->graph.nodes * sizeof *error);
    if (!error) return NIGH_MEMORY;
    for (int64_t v = 0; v < w->graph.nodes; v++) {
        double degree = (double)nigh_graph_degree(&w->graph, v);
        if (degree > 0) error[n++] = fabs(nigh_summary_degree(&w->summary, v) - degree) / degree;
    }
    qsort(error, (size_t)n, sizeof *error, by_value);
    w->figures.degree_median = error[n / 2];
    w->figures.degree_p95 = error[(int64_t)(0.95 * (double)(n - 1))];
    nigh_free(ctx, error);
    return NIGH_OK;
}

static nigh_status measure_ranks(nigh_context *ctx, graph_work *w)
{
    int64_t n = w->graph.nodes;
    graph_figures *f = &w->figures;
    double *exact = nigh_alloc(ctx, (size_t)n * sizeof *exact), *near = exact ? nigh_alloc(ctx, (size_t)n * sizeof *near) : NULL, start = nigh_clock();
    nigh_status status = near ? nigh_graph_pagerank(ctx, &w->graph, damping, tolerance, RANK_STEPS, exact, NULL) : NIGH_MEMORY;
    f->graph_rank_seconds = nigh_clock() - start;
    start = nigh_clock();
    if (!status) status = nigh_summary_pagerank(ctx, &w->summary, damping, tolerance, RANK_STEPS, near, NULL);
    f->rank_seconds = nigh_clock() - start;
    for (int64_t v = 0; v < n && !status; v++) {
        f->rank_error += fabs(near[v] - exact[v]);
        f->rank_uniform += fabs(1.0 / (double)n - exact[v]);
    }
    nigh_free(ctx, exact);
    nigh_free(ctx, near);
    return status;
}

static nigh_status measure_baseline(nigh_context *ctx, graph_work *w)
{
    nigh_summary_options o = w->options;
    nigh_summary s;
    w->figures.random_re1 = w->figures.random_re2 = NAN;
    if (!w->baseline && w->graph.edges > BASELINE_EDGES) return NIGH_OK;
    o.way = NIGH_SUMMARY_RANDOM;
    nigh_status status = nigh_graph_summarise(ctx, &w->graph, &o, &s, NULL);
    if (status) return status;
    status = nigh_summary_errors(ctx, &s, &w->graph, &w->figures.random_re1, &w->figures.random_re2);
    nigh_summary_free(&s);
    return status;
}

/* Figures are of what was written: the file is read again. */
static nigh_status write_and_read(nigh_context *ctx, graph_work *w)
{
    nigh_summary made, read;
    struct stat file;
    nigh_status status = nigh_graph_summarise(ctx, &w->graph, &w->options, &made, &w->report);
    if (status) return status;
    status = nigh_summary_write(ctx, w->output, &made);
    if (!status && (strcmp(w->output, "-") == 0 || stat(w->output, &file) || !S_ISREG(file.st_mode))) {
        w->summary = made; /* it went into a pipe */
        return NIGH_OK;
    }
    if (!status) status = nigh_summary_read(ctx, w->output, &read);
    nigh_summary_free(&made);
    if (status) return status;
    w->summary = read;
    w->figures.file_bytes = (double)file.st_size;
    return NIGH_OK;
}

nigh_status graph_measure(nigh_context *ctx, graph_work *w)
{
    graph_figures *f = &w->figures;
    const nigh_summary *s = &w->summary;
    nigh_status status = write_and_read(ctx, w);
    if (status) return status;
    f->bits_before = nigh_graph_bits(w->graph.nodes, w->graph.edges);
    f->bits = nigh_summary_bits(s);
    f->graph_bytes = 8.0 * (double)(w->graph.nodes + 1) + 8.0 * (double)w->graph.edges;
    f->bytes = 4.0 * (double)s->nodes + 16.0 * (double)s->supernodes + 8.0 * (double)s->start[s->supernodes];
    status = nigh_summary_errors(ctx, s, &w->graph, &f->re1, &f->re2);
    if (!status) status = measure_degrees(ctx, w);
    if (!status) status = measure_ranks(ctx, w);
    if (!status) status = measure_baseline(ctx, w);
    return status;
}

/* ---- printing ----------------------------------------------------------------------------------------------- */

static nigh_status print_text(nigh_context *ctx, const graph_work *w)
{
    const graph_figures *f = &w->figures;
    const nigh_graph *g = &w->graph;
    nigh_buffer t = {.ctx = ctx};
    nigh_status status = nigh_buffer_print(&t, "graph      %lld nodes, %lld edges", (long long)g->nodes, (long long)g->edges);
    if (!status && g->loops) status = nigh_buffer_print(&t, "; self loops dropped: %lld", (long long)g->loops);
    if (!status && g->duplicates) status = nigh_buffer_print(&t, "; repeated edges dropped: %lld", (long long)g->duplicates);
    if (!status && g->zeros) status = nigh_buffer_print(&t, "; of weight 0: %lld", (long long)g->zeros);
    if (!status && g->mirrored) status = nigh_buffer_print(&t, "; listed in both directions");
    if (!status)
        status = nigh_buffer_print(&t, "\nsummary    %lld supernodes, %lld superedges: %.0f bits of %.0f (%.2f%%; asked: at most %.0f)\n", (long long)w->summary.supernodes,
                                   (long long)w->summary.superedges, f->bits, f->bits_before, 100 * f->bits / f->bits_before, w->options.bits);
    if (!status) status = nigh_buffer_print(&t, "error      RE_1 %.4g, RE_2 %.4g", f->re1, f->re2);
    if (!status && !isnan(f->random_re1))
        status = nigh_buffer_print(&t, "; random merges in as many bits: RE_1 %.4g, RE_2 %.4g", f->random_re1, f->random_re2);
    if (!status)
        status = nigh_buffer_print(&t, "\ndegrees    relative error: median %.1f%%, 95%% of nodes within %.1f%%\nPageRank   L1 error %.3g; of equal ranks %.3g; %.3g ms from the summary, %.3g ms from the graph\n",
                                   100 * f->degree_median, 100 * f->degree_p95, f->rank_error, f->rank_uniform, 1e3 * f->rank_seconds, 1e3 * f->graph_rank_seconds);
    if (!status)
        status = nigh_buffer_print(&t, "bytes      %.0f in memory, %.0f in the file; the graph in compressed rows %.0f\ntime       %.3g s: %d iterations, %lld merges, %lld pairs compared\n",
                                   f->bytes, f->file_bytes, f->graph_bytes, w->report.seconds, w->report.iterations, (long long)w->report.merges, (long long)w->report.compared);
    if (!status && !cli_quiet && strcmp(w->output, "-") != 0 && cli_print(ctx, t.data, t.size)) status = NIGH_IO;
    nigh_buffer_free(&t);
    return status;
}

static nigh_status put_reals(nigh_context *ctx, json_t *object, const graph_work *w)
{
    const graph_figures *f = &w->figures;
    const struct {
        const char *name;
        double value;
    } reals[] = {{"bits_before", f->bits_before}, {"bits_asked", w->options.bits}, {"bits", f->bits}, {"re1", f->re1}, {"re2", f->re2}, {"random_re1", f->random_re1},
                 {"random_re2", f->random_re2}, {"degree_median_error", f->degree_median}, {"degree_p95_error", f->degree_p95}, {"pagerank_l1_error", f->rank_error},
                 {"pagerank_l1_of_uniform", f->rank_uniform}, {"pagerank_seconds", f->rank_seconds}, {"graph_pagerank_seconds", f->graph_rank_seconds},
                 {"seconds", w->report.seconds}};
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < sizeof reals / sizeof *reals && !status; i++) status = nj_set_real(ctx, object, reals[i].name, reals[i].value);
    return status;
}

static nigh_status put_counts(nigh_context *ctx, json_t *object, const graph_work *w)
{
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {{"nodes", w->graph.nodes}, {"edges", w->graph.edges}, {"self_loops", w->graph.loops}, {"repeated_edges", w->graph.duplicates},
                  {"mirrored_edges", w->graph.mirrored}, {"supernodes", w->summary.supernodes}, {"superedges", w->summary.superedges}, {"norm", w->options.norm},
                  {"iterations", w->report.iterations}, {"merges", w->report.merges}, {"sweeps", w->report.sweeps}, {"moves", w->report.moves},
                  {"compared", w->report.compared}, {"bytes", (int64_t)w->figures.bytes},
                  {"file_bytes", (int64_t)w->figures.file_bytes}, {"graph_bytes", (int64_t)w->figures.graph_bytes}};
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < sizeof counts / sizeof *counts && !status; i++) status = nj_set_int(ctx, object, counts[i].name, counts[i].value);
    return status;
}

nigh_status graph_receipt_print(nigh_context *ctx, const graph_work *w, bool json)
{
    if (!json) return print_text(ctx, w);
    json_t *object = json_object();
    nigh_buffer text = {.ctx = ctx};
    nigh_status status = object ? put_counts(ctx, object, w) : nigh_fail(ctx, NIGH_MEMORY, "out of memory");
    if (!status) status = put_reals(ctx, object, w);
    if (!status) status = nj_dump(ctx, object, NJ_INDENTED, &text);
    if (!status) status = nigh_buffer_add(&text, "\n", 1);
    if (!status && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    json_decref(object);
    nigh_buffer_free(&text);
    return status;
}
