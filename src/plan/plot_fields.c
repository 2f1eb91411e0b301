/* Fields as maps of coloured cells. See plot.h. Names and ranges stand in HTML below, where they keep their size however small a map becomes. */
#include "plan/figures.h"
#include "plan/plot.h"

#include <math.h>
#include <string.h>

enum { CELLS_MAX = 64, LEVELS = 64, STOPS = 6 };

typedef struct colour {
    double red, green, blue;
} colour;

/* From dark blue over teal to light yellow: lightness rises evenly, so that it also reads in grey. The style sheet has both ramps, too. */
static const colour heat[STOPS] = {{26, 28, 74}, {32, 76, 124}, {34, 127, 132}, {88, 174, 112}, {180, 210, 98}, {250, 238, 170}};
/* Blue for too low, red for too high, nearly white for right. */
static const colour difference[STOPS + 1] = {{20, 60, 130}, {66, 125, 188}, {158, 196, 222}, {244, 243, 238}, {235, 172, 140}, {203, 92, 70}, {125, 20, 36}};

static colour colour_at(const colour *stops, int count, double share)
{
    double place = fmin(fmax(share, 0), 1) * (count - 1);
    int i = place >= count - 1 ? count - 2 : (int)place;
    double t = place - i;
    return (colour){stops[i].red + t * (stops[i + 1].red - stops[i].red), stops[i].green + t * (stops[i + 1].green - stops[i].green),
                    stops[i].blue + t * (stops[i + 1].blue - stops[i].blue)};
}

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

typedef struct cells {
    int down, across;
    signed char level[CELLS_MAX * CELLS_MAX]; /* -1: no finite value */
} cells;

static void find_levels(int64_t rows, int64_t columns, const double *values, double low, double high, cells *m)
{
    m->across = (int)(columns < CELLS_MAX ? columns : CELLS_MAX), m->down = (int)(rows < CELLS_MAX ? rows : CELLS_MAX);
    for (int r = 0; r < m->down; r++)
        for (int c = 0; c < m->across; c++) {
            double value = cell_mean(rows, columns, values, m->down, m->across, r, c), share = high > low ? (value - low) / (high - low) : 0.5;
            m->level[r * m->across + c] = isnan(value) ? -1 : (signed char)fmin(fmax(share, 0) * LEVELS, LEVELS - 1);
        }
}

/* One path for each colour, of runs along the rows. */
static nigh_status put_cells(nigh_buffer *html, const cells *m, const colour *stops, int count)
{
    nigh_status s = NIGH_OK;
    for (int l = 0; l < LEVELS && !s; l++) {
        bool open = false;
        for (int r = 0; r < m->down && !s; r++)
            for (int c = 0, run; c < m->across && !s; c += run) {
                const signed char *at = &m->level[r * m->across + c];
                for (run = 1; c + run < m->across && at[run] == at[0];) run++;
                if (at[0] != l) continue;
                colour k = colour_at(stops, count, (l + 0.5) / LEVELS);
                if (!open) s = nigh_buffer_print(html, "<path fill=\"#%02x%02x%02x\" d=\"", (unsigned)k.red, (unsigned)k.green, (unsigned)k.blue);
                open = true;
                if (!s) s = nigh_buffer_print(html, "M%d %dh%dv1h-%dz", c, r, run, run);
            }
        if (open && !s) s = nigh_buffer_print(html, "\"/>");
    }
    return s;
}

static nigh_status put_map(nigh_buffer *html, const char *name, const char *ramp, const cells *m, const colour *stops, int count, double low, double high)
{
    char from[FIGURE_ROOM], to[FIGURE_ROOM];
    nigh_figure_number(low, 3, from), nigh_figure_number(high, 3, to);
    nigh_status s = nigh_buffer_print(html, "<div class=\"field\"><p>");
    if (!s) s = nigh_html_text(html, name, 60);
    if (!s) s = nigh_buffer_print(html, "</p><svg role=\"img\" shape-rendering=\"crispEdges\" viewBox=\"0 0 %d %d\" aria-label=\"", m->across, m->down);
    if (!s) s = nigh_html_text(html, name, 60);
    if (!s) s = nigh_buffer_print(html, ", a map of colours from %s to %s\">", from, to);
    if (!s) s = put_cells(html, m, stops, count);
    return s ? s : nigh_buffer_print(html, "</svg><div class=\"ramp %s\"></div><div class=\"ends\"><span>%s</span><span>%s</span></div></div>", ramp, from, to);
}

static nigh_status check_size(nigh_buffer *html, int64_t rows, int64_t columns)
{
    if (rows >= 1 && columns >= 1) return NIGH_OK;
    return nigh_fail(html->ctx, NIGH_INVALID, "a field of %lld x %lld; at least 1 x 1 is allowed", (long long)rows, (long long)columns);
}

nigh_status nigh_plot_heat(nigh_buffer *html, const char *title, int64_t rows, int64_t columns, const double *values, double low, double high)
{
    nigh_status status = check_size(html, rows, columns);
    if (status) return status;
    if (!(low < high)) {
        nigh_axis range = nigh_axis_new("", false, NIGH_AXIS_NUMBER);
        nigh_axis_cover(&range, rows * columns, values);
        low = range.low <= range.high ? range.low : 0;
        high = range.low <= range.high ? range.high : 0;
    }
    cells m;
    find_levels(rows, columns, values, low, high, &m);
    return put_map(html, title, "heat", &m, heat, STOPS, low, high);
}

static nigh_status put_difference(nigh_buffer *html, int64_t rows, int64_t columns, const double *truth, const double *answer)
{
    double most = 0, *d = nigh_alloc(html->ctx, (size_t)(rows * columns) * sizeof *d);
    if (!d) return NIGH_MEMORY;
    for (int64_t i = 0; i < rows * columns; i++) {
        d[i] = answer[i] - truth[i];
        if (isfinite(d[i])) most = fmax(most, fabs(d[i]));
    }
    cells m;
    find_levels(rows, columns, d, -most, most, &m);
    nigh_free(html->ctx, d);
    return put_map(html, "answer \u2212 truth", "apart", &m, difference, STOPS + 1, -most, most);
}

nigh_status nigh_plot_fields(nigh_buffer *html, const char *title, int64_t rows, int64_t columns, const double *input, const double *truth, const double *answer)
{
    nigh_status s = check_size(html, rows, columns);
    if (s) return s;
    nigh_axis range = nigh_axis_new("", false, NIGH_AXIS_NUMBER);
    nigh_axis_cover(&range, rows * columns, truth);
    nigh_axis_cover(&range, rows * columns, answer);
    s = nigh_buffer_print(html, "<div class=\"fields\" role=\"group\" aria-label=\"");
    if (!s) s = nigh_html_text(html, title, 200);
    if (!s) s = nigh_buffer_print(html, "\">");
    if (!s && input) s = nigh_plot_heat(html, "input", rows, columns, input, 0, 0);
    if (!s) s = nigh_plot_heat(html, "truth", rows, columns, truth, range.low, range.high);
    if (!s) s = nigh_plot_heat(html, "answer", rows, columns, answer, range.low, range.high);
    if (!s) s = put_difference(html, rows, columns, truth, answer);
    return s ? s : nigh_buffer_print(html, "</div>");
}
