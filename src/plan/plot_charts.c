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
        nigh_plot_label(&plot, "strong", i + 0.15, values[i] + 0.04 * (y.high - y.low), text);
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

/* ---- fields ---- */

typedef struct colour {
    double red, green, blue;
} colour;

/* From dark blue over teal to light yellow: lightness rises evenly, so that it also reads in grey. */
static colour heat_colour(double share)
{
    static const colour stops[] = {{26, 28, 74}, {32, 76, 124}, {34, 127, 132}, {88, 174, 112}, {180, 210, 98}, {250, 238, 170}};
    enum { LAST = sizeof stops / sizeof *stops - 1 };
    double place = fmin(fmax(share, 0), 1) * LAST;
    int i = place >= LAST ? LAST - 1 : (int)place;
    double t = place - i;
    return (colour){stops[i].red + t * (stops[i + 1].red - stops[i].red), stops[i].green + t * (stops[i + 1].green - stops[i].green),
                    stops[i].blue + t * (stops[i + 1].blue - stops[i].blue)};
}

enum { CELLS_MAX = 64, FIELD_SIZE = 256, LEGEND = 34 };

/* Mean of the finite values of one drawn cell; NAN when there is none. */
static double cell_mean(int64_t rows, int64_t columns, const double *values, int drawn_rows, int drawn_columns, int r, int c)
{
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = r * rows / drawn_rows; i < (r + 1) * rows / drawn_rows; i++)
        for (int64_t j = c * columns / drawn_columns; j < (c + 1) * columns / drawn_columns; j++)
            if (isfinite(values[i * columns + j])) sum += values[i * columns + j], count++;
    return count > 0 ? sum / (double)count : NAN;
}

static nigh_status put_cells(nigh_buffer *html, int64_t rows, int64_t columns, const double *values, double low, double high)
{
    int across = (int)(columns < CELLS_MAX ? columns : CELLS_MAX), down = (int)(rows < CELLS_MAX ? rows : CELLS_MAX);
    nigh_status s = NIGH_OK;
    for (int r = 0; !s && r < down; r++)
        for (int c = 0; !s && c < across; c++) {
            double value = cell_mean(rows, columns, values, down, across, r, c);
            if (isnan(value)) continue;
            colour k = heat_colour(high > low ? (value - low) / (high - low) : 0.5);
            /* Whole units of 1/1000 of the field: cells meet without gaps. */
            int left = c * 1000 / across, top = r * 1000 / down;
            s = nigh_buffer_print(html, "<path fill=\"#%02x%02x%02x\" d=\"M%d %dH%dV%dH%dZ\"/>", (unsigned)k.red, (unsigned)k.green,
                                  (unsigned)k.blue, left, top, (c + 1) * 1000 / across, (r + 1) * 1000 / down, left);
        }
    return s;
}

nigh_status nigh_plot_heat(nigh_buffer *html, const char *title, int64_t rows, int64_t columns, const double *values, double low, double high)
{
    if (rows < 1 || columns < 1) return nigh_fail(html->ctx, NIGH_INVALID, "a field of %lld x %lld; at least 1 x 1 is allowed", (long long)rows, (long long)columns);
    if (!(low < high)) {
        nigh_axis range = nigh_axis_new("", false, NIGH_AXIS_NUMBER);
        nigh_axis_cover(&range, rows * columns, values);
        low = range.low <= range.high ? range.low : 0;
        high = range.low <= range.high ? range.high : 0;
    }
    char from[FIGURE_ROOM], to[FIGURE_ROOM];
    nigh_status s = nigh_buffer_print(html, "<svg class=\"plot field\" role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"", FIELD_SIZE, FIELD_SIZE + LEGEND);
    if (!s) s = nigh_html_text(html, title, 200);
    if (!s) s = nigh_buffer_print(html, "\"><g shape-rendering=\"crispEdges\" transform=\"scale(.%d)\">", FIELD_SIZE);
    if (!s) s = put_cells(html, rows, columns, values, low, high);
    if (!s) s = nigh_buffer_print(html, "</g><text class=\"label\" x=\"0\" y=\"%d\">", FIELD_SIZE + 16);
    if (!s) s = nigh_html_text(html, title, 30);
    if (!s)
        s = nigh_buffer_print(html, "</text><text class=\"tick\" x=\"0\" y=\"%d\">%s to %s</text></svg>", FIELD_SIZE + LEGEND - 3,
                              nigh_figure_number(low, 3, from), nigh_figure_number(high, 3, to));
    return s;
}

nigh_status nigh_plot_fields(nigh_buffer *html, const char *title, int64_t rows, int64_t columns, const double *truth, const double *answer)
{
    if (rows < 1 || columns < 1) return nigh_fail(html->ctx, NIGH_INVALID, "a field of %lld x %lld; at least 1 x 1 is allowed", (long long)rows, (long long)columns);
    int64_t n = rows * columns;
    nigh_axis range = nigh_axis_new("", false, NIGH_AXIS_NUMBER);
    nigh_axis_cover(&range, n, truth);
    nigh_axis_cover(&range, n, answer);
    double *difference = nigh_alloc_zero(html->ctx, (size_t)n, sizeof *difference);
    if (!difference) return NIGH_MEMORY;
    for (int64_t i = 0; i < n; i++) difference[i] = answer[i] - truth[i];
    nigh_status s = nigh_buffer_print(html, "<div class=\"fields\" role=\"group\" aria-label=\"");
    if (!s) s = nigh_html_text(html, title, 200);
    if (!s) s = nigh_buffer_print(html, "\">");
    if (!s) s = nigh_plot_heat(html, "truth", rows, columns, truth, range.low, range.high);
    if (!s) s = nigh_plot_heat(html, "answer", rows, columns, answer, range.low, range.high);
    if (!s) s = nigh_plot_heat(html, "answer - truth", rows, columns, difference, 0, 0);
    if (!s) s = nigh_buffer_print(html, "</div>");
    nigh_free(html->ctx, difference);
    return s;
}
