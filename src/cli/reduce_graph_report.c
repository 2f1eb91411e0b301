/* The page of nigh reduce graph: receipt, error against size, a picture of the summary. */
#include "cli/reduce_graph.h"

#include "core/file.h"
#include "plan/report.h"

#include <math.h>

enum { SIZES = 5 };

typedef struct curve {
    double bits[SIZES], error[SIZES], random[SIZES];
    int count;
} curve;

static nigh_status one_error(nigh_context *ctx, const graph_work *w, const nigh_summary_options *o, double *error)
{
    nigh_summary s;
    double both[2];
    nigh_status status = nigh_graph_summarise(ctx, &w->graph, o, &s, NULL);
    if (status) return status;
    status = nigh_summary_errors(ctx, &s, &w->graph, &both[0], &both[1]);
    nigh_summary_free(&s);
    *error = both[o->norm - 1];
    return status;
}

/* Quarter, half, twice and four times the bits asked, below the bits of the graph. */
static nigh_status measure_curve(nigh_context *ctx, const graph_work *w, curve *c)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < SIZES && !status; i++) {
        nigh_summary_options o = w->options;
        o.bits = ldexp(o.bits, i - 2);
        if (o.bits > w->figures.bits_before || o.bits < log2((double)w->graph.edges)) continue;
        status = one_error(ctx, w, &o, &c->error[c->count]);
        o.way = NIGH_SUMMARY_RANDOM;
        if (!status) status = one_error(ctx, w, &o, &c->random[c->count]);
        c->bits[c->count++] = o.bits / w->figures.bits_before;
    }
    return status;
}

static void put_curve(nigh_page *p, const graph_work *w, const curve *c)
{
    char label[24];
    snprintf(label, sizeof label, "RE_%d", w->options.norm);
    nigh_axis x = nigh_axis_new("size of the summary, share of the graph's bits", true, NIGH_AXIS_PERCENT), y = nigh_axis_new(label, true, NIGH_AXIS_NUMBER);
    double at = w->figures.bits / w->figures.bits_before, error = w->options.norm == 1 ? w->figures.re1 : w->figures.re2;
    nigh_plot plot;
    nigh_axis_cover(&x, c->count, c->bits);
    nigh_axis_cover(&y, c->count, c->error);
    nigh_axis_cover(&y, c->count, c->random);
    nigh_axis_cover(&y, 1, &error);
    nigh_axis_round(&x);
    nigh_axis_round(&y);
    nigh_page_figure(p, "Error against size");
    if (p->status) return;
    nigh_plot_begin(&plot, p->html, "error against size", &x, &y);
    nigh_plot_line(&plot, "s2", c->count, c->bits, c->random, "random merges");
    nigh_plot_line(&plot, "s1 thick", c->count, c->bits, c->error, "this summary at other sizes");
    for (int i = 0; i < c->count; i++) {
        nigh_plot_mark(&plot, "s2", NIGH_MARK_SQUARE, c->bits[i], c->random[i], "random merges");
        nigh_plot_mark(&plot, "s1", NIGH_MARK_DISC, c->bits[i], c->error[i], "summary");
    }
    nigh_plot_mark(&plot, "accent", NIGH_MARK_RING, at, error, "the summary written");
    nigh_plot_label(&plot, "strong", at, error, "written");
    nigh_page_plot_end(p, &plot);
    nigh_page_figure_end(p, "<span class=\"key\"><span class=\"swatch disc s1\"></span>merged by what the error costs</span>"
                            "<span class=\"key\"><span class=\"swatch s2\"></span>random merges, best number of them</span>");
}

static void put_receipt(nigh_page *p, const graph_work *w)
{
    const graph_figures *f = &w->figures;
    nigh_page_raw(p, "<dl class=\"receipt\"><dt>graph</dt><dd>%lld nodes, %lld edges</dd>", (long long)w->graph.nodes, (long long)w->graph.edges);
    nigh_page_raw(p, "<dt>summary</dt><dd>%lld supernodes, %lld superedges; %.0f bits of %.0f (%.2f%%)</dd>", (long long)w->summary.supernodes,
                  (long long)w->summary.superedges, f->bits, f->bits_before, 100 * f->bits / f->bits_before);
    nigh_page_raw(p, "<dt>error</dt><dd>RE_1 %.4g, RE_2 %.4g", f->re1, f->re2);
    if (!isnan(f->random_re1)) nigh_page_raw(p, "; random merges in as many bits: %.4g, %.4g", f->random_re1, f->random_re2);
    nigh_page_raw(p, "</dd><dt>degrees</dt><dd>relative error: median %.1f%%, 95%% of nodes within %.1f%%</dd>", 100 * f->degree_median, 100 * f->degree_p95);
    nigh_page_raw(p, "<dt>PageRank</dt><dd>L1 error %.3g; of equal ranks %.3g; %.3g ms from the summary, %.3g ms from the graph</dd>", f->rank_error, f->rank_uniform,
                  1e3 * f->rank_seconds, 1e3 * f->graph_rank_seconds);
    nigh_page_raw(p, "<dt>bytes</dt><dd>%.0f in memory, %.0f in the file; the graph in compressed rows %.0f</dd>", f->bytes, f->file_bytes, f->graph_bytes);
    nigh_page_raw(p, "<dt>time</dt><dd>%.3g s, %lld merges</dd></dl>", w->report.seconds, (long long)w->report.merges);
}

nigh_status graph_report(nigh_context *ctx, const graph_work *w, const char *path)
{
    curve c = {.count = 0};
    nigh_buffer html = {.ctx = ctx};
    nigh_page p = {.ctx = ctx, .html = &html, .status = measure_curve(ctx, w, &c)};
    nigh_page_raw(&p, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>nigh: summary of a graph</title><style>");
    if (!p.status) p.status = nigh_buffer_print(&html, "%s", nigh_report_style);
    nigh_page_raw(&p, "</style></head><body><main><header><h1>Summary of ");
    nigh_page_words(&p, w->path);
    nigh_page_raw(&p, "</h1><p>Measured on the file that was written.</p></header>");
    put_receipt(&p, w);
    nigh_page_raw(&p, "<div class=\"figures\">");
    put_curve(&p, w, &c);
    nigh_page_figure(&p, "The summary");
    if (!p.status) p.status = nigh_summary_picture(ctx, &w->summary, &html);
    nigh_page_figure_end(&p, "The largest supernodes that have superedges, at most 60; areas as their numbers of nodes, fill as the share of pairs inside that are edges, lines as the share between.");
    nigh_page_raw(&p, "</div></main></body></html>\n");
    if (!p.status) p.status = nigh_file_write(ctx, path, html.data, html.size);
    nigh_buffer_free(&html);
    return p.status;
}
