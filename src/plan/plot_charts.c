/* Whole charts from the marks of plot.c: distributions, bars, ROC, reliability, fields. See plot.h. */
#include "plan/figures.h"
#include "plan/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- distributions ---- */

static int bin_of(const nigh_axis *x, int bins, double value)
{
    double share = x->log ? value <= 0 ? 0 : log(value / x->low) / log(x->high / x->low) : (value - x->low) / (x->high - x->low);
    int bin = (int)(fmin(fmax(share, 0), 1) * bins);
    return bin < bins ? bin : bins - 1;
}

static double bin_edge(const nigh_axis *x, int bins, int i)
{
    double share = (double)i / bins;
    return x->log ? x->low * pow(x->high / x->low, share) : x->low + share * (x->high - x->low);
}

enum { BINS_MAX = 32 };

nigh_status nigh_plot_histogram(nigh_buffer *html, const char *title, const char *label, bool log, int64_t n, const double *values)
{
    nigh_axis x = nigh_axis_new(label, log, NIGH_AXIS_NUMBER), y = nigh_axis_new("count", false, NIGH_AXIS_NUMBER);
    nigh_axis_cover(&x, n, values);
    nigh_axis_round(&x);
    int bins = (int)fmin(BINS_MAX, fmax(6, 2 * cbrt((double)n)));
    int64_t counts[BINS_MAX] = {0}, most = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(values[i])) counts[bin_of(&x, bins, values[i])]++;
    for (int i = 0; i < bins; i++)
        if (counts[i] > most) most = counts[i];
    y.low = 0;
    y.high = most > 0 ? (double)most : 1;
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_plot_begin(&plot, html, title, &x, &y);
    for (int i = 0; i < bins; i++) {
        char low[FIGURE_ROOM], high[FIGURE_ROOM], text[3 * FIGURE_ROOM];
        double left = bin_edge(&x, bins, i), right = bin_edge(&x, bins, i + 1);
        snprintf(text, sizeof text, "%s to %s: %lld", nigh_figure_number(left, 3, low), nigh_figure_number(right, 3, high), (long long)counts[i]);
        if (counts[i] > 0) nigh_plot_bar(&plot, "s1", left, right, (double)counts[i], text);
    }
    return nigh_plot_end(&plot);
}

nigh_status nigh_plot_ecdf(nigh_buffer *html, const char *title, const char *label, int64_t n, const double *sorted, double at, const char *mark)
{
    nigh_axis x = nigh_axis_new(label, true, NIGH_AXIS_NUMBER);
    nigh_axis y = {"share of inputs with less", false, NIGH_AXIS_PERCENT, 0, 1};
    nigh_axis_cover(&x, n, sorted);
    if (isfinite(at)) nigh_axis_cover(&x, 1, &at);
    nigh_axis_round(&x);
    double *share = nigh_alloc_zero(html->ctx, n > 0 ? (size_t)n : 1, sizeof *share);
    if (!share) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) share[i] = n > 1 ? (double)i / (double)(n - 1) : 1;
    nigh_plot plot;
    nigh_plot_begin(&plot, html, title, &x, &y);
    nigh_plot_line(&plot, "s1 thick", n, sorted, share, title);
    if (isfinite(at)) nigh_plot_upright(&plot, "limit", at, mark);
    nigh_free(html->ctx, share);
    return nigh_plot_end(&plot);
}

static const double LETTER = 6.4; /* width of one in a label */

nigh_status nigh_plot_bars(nigh_buffer *html, const char *title, const char *label, int n, const char *const *names, const double *values)
{
    nigh_axis x = {"", false, NIGH_AXIS_NUMBER, 0, n > 0 ? n : 1}, y = nigh_axis_new(label, false, NIGH_AXIS_NUMBER);
    double zero = 0;
    nigh_axis_cover(&y, 1, &zero);
    nigh_axis_cover(&y, n, values);
    y.high += 0.1 * (y.high - y.low); /* the names stand on the bars */
    nigh_axis_round(&y);
    nigh_axis unnumbered = {.label = "", .low = 0, .high = 0}; /* no ticks: the names stand at the bars */
    nigh_plot plot;
    nigh_plot_begin(&plot, html, title, &unnumbered, &y);
    plot.x = x;
    for (int i = 0; i < n; i++) {
        char number[FIGURE_ROOM], text[160];
        snprintf(text, sizeof text, "%.80s: %s", names[i], nigh_figure_number(values[i], 3, number));
        nigh_plot_bar(&plot, "s1", i + 0.15, i + 0.85, values[i], text);
        double half = (0.5 * LETTER * (double)strlen(text) + 8) / (plot.area.right - plot.area.left) * (x.high - x.low); /* a label stands 8 units right of its point */
        nigh_plot_label(&plot, "strong", i + 0.5 - half, values[i] + 0.04 * (y.high - y.low), text);
    }
    return nigh_plot_end(&plot);
}

/* ---- classifiers ---- */

static void begin_square(nigh_plot *plot, nigh_buffer *html, const char *title, const char *across, const char *up)
{
    nigh_axis x = {across, false, NIGH_AXIS_NUMBER, 0, 1}, y = {up, false, NIGH_AXIS_NUMBER, 0, 1};
    static const double ends[] = {0, 1};
    nigh_plot_begin(plot, html, title, &x, &y);
    nigh_plot_line(plot, "quiet dashed", 2, ends, ends, NULL);
}

nigh_status nigh_plot_roc(nigh_buffer *html, const char *title, int64_t n, const double *false_rate, const double *true_rate)
{
    double area = 0;
    for (int64_t i = 1; i < n; i++) area += (false_rate[i] - false_rate[i - 1]) * (true_rate[i] + true_rate[i - 1]) / 2;
    char text[64], number[FIGURE_ROOM];
    snprintf(text, sizeof text, "area %s", nigh_figure_number(area, 3, number));
    nigh_plot plot;
    begin_square(&plot, html, title, "false positive rate", "true positive rate");
    nigh_plot_line(&plot, "s1 thick", n, false_rate, true_rate, text);
    nigh_plot_label(&plot, "strong", 0.7, 0.3, text);
    return nigh_plot_end(&plot);
}

nigh_status nigh_plot_reliability(nigh_buffer *html, const char *title, int bins, const double *stated, const double *observed, const int64_t *count)
{
    nigh_plot plot;
    begin_square(&plot, html, title, "stated probability", "observed share");
    nigh_plot_line(&plot, "s1 thick", bins, stated, observed, NULL);
    for (int i = 0; i < bins; i++) {
        char text[3 * FIGURE_ROOM], at[FIGURE_ROOM], seen[FIGURE_ROOM];
        snprintf(text, sizeof text, "stated %s, observed %s, %lld cases", nigh_figure_number(stated[i], 3, at),
                 nigh_figure_number(observed[i], 3, seen), (long long)count[i]);
        if (count[i] > 0) nigh_plot_mark(&plot, "s1", NIGH_MARK_DISC, stated[i], observed[i], text);
    }
    return nigh_plot_end(&plot);
}
