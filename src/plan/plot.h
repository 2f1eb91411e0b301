/*
 * Plots as inline SVG: written into HTML, no script, no network. Colours come from CSS classes (s1 .. s6, good, bad,
 * quiet, accent; report_style.c) by currentColor, so that light and dark both work; every mark may carry a text shown
 * on hover. Coordinates are data; what is not finite is left out, what lies outside the axes is moved to their edge.
 *
 * A plot keeps its first failure in `status`; nigh_plot_end returns it, so that calls need no check one by one.
 */
#ifndef NIGH_PLAN_PLOT_H
#define NIGH_PLAN_PLOT_H

#include "nigh/core.h"

typedef enum nigh_axis_unit { NIGH_AXIS_NUMBER, NIGH_AXIS_SECONDS, NIGH_AXIS_PERCENT } nigh_axis_unit;

typedef struct nigh_axis {
    const char *label;
    bool log;
    nigh_axis_unit unit;
    double low, high; /* start with nigh_axis_new: covers nothing yet */
} nigh_axis;

nigh_axis nigh_axis_new(const char *label, bool log, nigh_axis_unit unit);

/* Grows the axis over the finite values (log: the positive ones). */
void nigh_axis_cover(nigh_axis *axis, int64_t n, const double *values);

/* Moves both ends outwards to ticks. An axis that covers nothing becomes 0 to 1 (log: 0.1 to 1), one value gets room. */
void nigh_axis_round(nigh_axis *axis);

/* Round numbers inside the axis, increasing: 1, 2 or 5 times a power of ten; on log axes powers of ten, with 2 and 5
 * between them when few. At most `most` (2 to NIGH_TICKS_MAX); returns how many. */
enum { NIGH_TICKS_MAX = 24 };
int nigh_axis_ticks(const nigh_axis *axis, int most, double *ticks);

/* "0.25", "10<sup>" as Unicode superscripts, "100 ns", "25%". out has 48 bytes. */
const char *nigh_axis_text(const nigh_axis *axis, double value, char *out);

typedef enum nigh_mark { NIGH_MARK_DISC, NIGH_MARK_RING, NIGH_MARK_SQUARE, NIGH_MARK_TRIANGLE, NIGH_MARK_DIAMOND, NIGH_MARK_CROSS } nigh_mark;

typedef struct nigh_plot_box {
    double left, top, right, bottom;
} nigh_plot_box;

enum { NIGH_PLOT_BOXES = 96 };

typedef struct nigh_plot {
    nigh_buffer *html;
    nigh_status status;
    nigh_axis x, y;
    nigh_plot_box area;                    /* inside of the axes, in units of the view box */
    nigh_plot_box taken[NIGH_PLOT_BOXES];  /* by marks and labels, so that labels do not overlap */
    int boxes;
} nigh_plot;

/* Frame, grid, ticks, axis labels. The axes should be rounded. `title` is what a screen reader says. */
void nigh_plot_begin(nigh_plot *plot, nigh_buffer *html, const char *title, const nigh_axis *x, const nigh_axis *y);
void nigh_plot_begin_low(nigh_plot *plot, nigh_buffer *html, const char *title, const nigh_axis *x, const nigh_axis *y); /* little more than half as high */
void nigh_plot_line(nigh_plot *plot, const char *classes, int64_t n, const double *x, const double *y, const char *title);
void nigh_plot_steps(nigh_plot *plot, const char *classes, int64_t n, const double *x, const double *y, const char *title); /* right, then down */
void nigh_plot_band(nigh_plot *plot, const char *classes, int64_t n, const double *x, const double *low, const double *high);
void nigh_plot_bar(nigh_plot *plot, const char *classes, double left, double right, double height, const char *title);
void nigh_plot_mark(nigh_plot *plot, const char *classes, nigh_mark mark, double x, double y, const char *title);
void nigh_plot_dots(nigh_plot *plot, const char *classes, double width, int64_t n, const double *x, const double *y); /* one element for all, without texts */
void nigh_plot_level(nigh_plot *plot, const char *classes, double y, const char *text); /* horizontal line over all */
void nigh_plot_upright(nigh_plot *plot, const char *classes, double x, const char *text); /* vertical */
/* Beside (x, y) where no mark or label stands; left out, and false, when there is no room. */
bool nigh_plot_label(nigh_plot *plot, const char *classes, double x, double y, const char *text);
nigh_status nigh_plot_end(nigh_plot *plot);

/* ---- whole charts ---- */

/* Counts of n values in equal bins (log axis: equal ratios; values <= 0 count in the first). */
nigh_status nigh_plot_histogram(nigh_buffer *html, const char *title, const char *label, bool log, int64_t n, const double *values);

/* Share of n sorted values up to each; marks is a vertical line ("E") where finite. */
nigh_status nigh_plot_ecdf(nigh_buffer *html, const char *title, const char *label, int64_t n, const double *sorted, double at, const char *mark);

/* One bar per name. */
nigh_status nigh_plot_bars(nigh_buffer *html, const char *title, const char *label, int n, const char *const *names, const double *values);

/* True against false positive rate, both increasing from 0 to 1, with the chance diagonal. */
nigh_status nigh_plot_roc(nigh_buffer *html, const char *title, int64_t n, const double *false_rate, const double *true_rate);

/* Observed share against stated probability per bin; discs grow with the count. */
nigh_status nigh_plot_reliability(nigh_buffer *html, const char *title, int bins, const double *stated, const double *observed, const int64_t *count);

/* A field of rows x columns (C order, row 0 on top), drawn with at most 64 x 64 cells; low == high: from the values. */
nigh_status nigh_plot_heat(nigh_buffer *html, const char *title, int64_t rows, int64_t columns, const double *values, double low, double high);

/* Input (NULL: none), truth and answer, these two on one scale, and their difference on its own, the same to both sides of zero. */
nigh_status nigh_plot_fields(nigh_buffer *html, const char *title, int64_t rows, int64_t columns, const double *input, const double *truth, const double *answer);

/* Text into HTML: & < > " ' are escaped, control characters become spaces. At most `room` characters, then an ellipsis. */
nigh_status nigh_html_text(nigh_buffer *html, const char *text, size_t room);

#endif
