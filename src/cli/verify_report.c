/* The page of a batch of verifications. See verify.h. */
#include "cli/verify.h"

#include "core/file.h"
#include "plan/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Instances solved within so many seconds: the picture by which verifiers are compared. */
static void cactus(nigh_page *p, int64_t n, const verify_line *line, double *x, double *y)
{
    int64_t solved = 0, cpus = 0;
    for (int64_t i = 0; i < n; i++) {
        if (strcmp(line[i].verdict, "sat") != 0 && strcmp(line[i].verdict, "unsat") != 0) continue;
        y[solved++] = fmax(line[i].seconds, 1e-3);
        y[n + cpus++] = fmax(line[i].cpu, 1e-3);
    }
    if (!solved || p->status) return;
    qsort(y, (size_t)solved, sizeof *y, rising), qsort(y + n, (size_t)cpus, sizeof *y, rising);
    for (int64_t i = 0; i < solved; i++) x[i] = (double)(i + 1);
    nigh_axis across = nigh_axis_new("instances decided", false, NIGH_AXIS_NUMBER), up = nigh_axis_new("time for each, the quickest first", true, NIGH_AXIS_SECONDS);
    double zero = 0;
    nigh_plot plot;
    nigh_axis_cover(&across, 1, &zero), nigh_axis_cover(&across, solved, x), nigh_axis_cover(&up, solved, y), nigh_axis_cover(&up, solved, y + n);
    nigh_axis_round(&across), nigh_axis_round(&up);
    nigh_page_figure(p, "Instances decided against time");
    if (p->status) return;
    nigh_plot_begin(&plot, p->html, "instances decided against time", &across, &up);
    nigh_plot_line(&plot, "s2", solved, x, y + n, "seconds of CPU");
    nigh_plot_line(&plot, "s1 thick", solved, x, y, "seconds");
    for (int64_t i = 0; i < solved; i++) nigh_plot_mark(&plot, "s1", NIGH_MARK_DISC, x[i], y[i], "seconds");
    nigh_page_plot_end(p, &plot);
    nigh_page_figure_end(p, "<span class=\"key\"><span class=\"swatch disc s1\"></span>seconds by the clock</span><span class=\"key\"><span class=\"swatch s2\"></span>seconds of CPU</span>");
}

static void ways(nigh_page *p, int64_t n, const verify_line *line)
{
    static const char *const names[] = {"attack", "intervals", "linear bounds", "input splitting", "relu splitting", "open"};
    double count[6] = {0};
    for (int64_t i = 0; i < n; i++) {
        bool decided = strcmp(line[i].verdict, "sat") == 0 || strcmp(line[i].verdict, "unsat") == 0;
        int k = 0;
        while (decided && k < 5 && strcmp(line[i].how, names[k]) != 0) k++;
        count[decided ? k : 5]++;
    }
    const char *shown[6];
    int bars = 0;
    for (int k = 0; k < 6; k++)
        if (count[k] > 0) shown[bars] = names[k], count[bars++] = count[k];
    nigh_page_figure(p, "What decided");
    if (!p->status) p->status = nigh_plot_bars(p->html, "what decided", "instances", bars, shown, count);
    nigh_page_figure_end(p, "Intervals and linear bounds take one look at the whole box.");
}

static void table(nigh_page *p, int64_t n, const verify_line *line)
{
    nigh_page_raw(p, "<div class=\"scroll\"><table><thead><tr><th>network</th><th>property</th><th>verdict</th><th>expected</th><th>seconds</th><th>CPU</th><th>domains</th><th>by</th></tr></thead><tbody>");
    for (int64_t i = 0; i < n; i++) {
        const char *network = strrchr(line[i].network, '/'), *property = strrchr(line[i].property, '/');
        nigh_page_raw(p, "<tr><td>"), nigh_page_words(p, network ? network + 1 : line[i].network);
        nigh_page_raw(p, "</td><td>"), nigh_page_words(p, property ? property + 1 : line[i].property);
        nigh_page_raw(p, "</td><td>"), nigh_page_words(p, line[i].verdict);
        nigh_page_raw(p, "</td><td>"), nigh_page_words(p, line[i].expected ? line[i].expected : "");
        nigh_page_raw(p, "</td><td>%.2f</td><td>%.2f</td><td>%lld</td><td>", line[i].seconds, line[i].cpu, (long long)line[i].domains);
        nigh_page_words(p, line[i].how), nigh_page_raw(p, "</td></tr>");
    }
    nigh_page_raw(p, "</tbody></table></div>");
}

nigh_status verify_report(nigh_context *ctx, const verify_words *w, int64_t n, const verify_line *line)
{
    nigh_buffer html = {.ctx = ctx};
    nigh_page p = {.ctx = ctx, .html = &html};
    double *x = nigh_alloc(ctx, (size_t)n * 3 * sizeof *x);
    if (!x) return NIGH_MEMORY;
    nigh_page_begin(&p, "Verification");
    nigh_page_raw(&p, "<header><h1>Verification of ");
    nigh_page_words(&p, w->instances);
    nigh_page_raw(&p, "</h1><p>sat: a point violates the property in arithmetic rounded outward and in f32; unsat: proved%s.</p></header><div class=\"figures\">",
                  w->fast ? " but for rounding" : ", rounding included");
    cactus(&p, n, line, x, x + n);
    ways(&p, n, line);
    nigh_page_raw(&p, "</div>");
    table(&p, n, line);
    nigh_page_end(&p, "from a batch of instances");
    if (!p.status) p.status = nigh_file_write(ctx, w->report, html.data, html.size);
    nigh_free(ctx, x);
    nigh_buffer_free(&html);
    return p.status;
}
