/* The figures of plans for fields: samples beside their exact answers, what is lost at which scale, errors on other grids. */
#include "plan/figures.h"
#include "plan/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- samples ---- */

static void heading(nigh_page *page, const nigh_report_outcome *o, const nigh_picture *picture, bool wide)
{
    char number[FIGURE_ROOM];
    bool worst = strcmp(picture->what, "worst") == 0;
    nigh_page_raw(page, "<figure%s><h3>%s: error %s", wide ? " class=\"wide\"" : "", worst ? "The worst input seen" : "A typical input", nigh_figure_number(picture->error, 3, number));
    if (o->unit && *o->unit && strcmp(o->unit, "1") != 0) {
        nigh_page_raw(page, " ");
        nigh_page_words(page, o->unit);
    }
    nigh_page_raw(page, "</h3>");
}

/* Which inputs these are, and what is left out of the picture. */
static void origin(nigh_page *page, const nigh_pictures *p, const nigh_picture *picture)
{
    bool worst = strcmp(picture->what, "worst") == 0;
    nigh_page_raw(page, "<span>%s of all %s inputs%s.", worst ? "The largest error" : "The median error", p->screen ? "screened" : "tested",
                  p->screen ? ": pictures of the file's test rows would spoil them for later tests" : "");
    if (p->out > 1 || p->in > 1) nigh_page_raw(page, " The first of %lld channels in and %lld out.", (long long)p->in, (long long)p->out);
    if (p->drawn[0] < p->size[0] || p->drawn[1] < p->size[1]) {
        if (p->dims == 2)
            nigh_page_raw(page, " %lld \u00d7 %lld points, drawn as %lld \u00d7 %lld means.", (long long)p->size[0], (long long)p->size[1], (long long)p->drawn[0], (long long)p->drawn[1]);
        else nigh_page_raw(page, " %lld points, drawn as %lld means.", (long long)p->size[0], (long long)p->drawn[0]);
    }
    nigh_page_raw(page, "</span>");
}

static void put_maps(nigh_page *page, const nigh_report_outcome *o, const nigh_pictures *p, const nigh_picture *picture)
{
    heading(page, o, picture, true);
    if (!page->status) page->status = nigh_plot_fields(page->html, "Input, exact answer, the plan's answer and their difference", p->drawn[0], p->drawn[1], picture->input, picture->truth, picture->answer);
    nigh_page_raw(page, "<figcaption>");
    origin(page, p, picture);
    nigh_page_raw(page, "</figcaption></figure>\n");
}

static double place_of(const nigh_pictures *p, int64_t i)
{
    double n = (double)p->drawn[0];
    return p->grid == NIGH_GRID_NODE && n > 1 ? (double)i / (n - 1) : p->grid == NIGH_GRID_PERIODIC ? (double)i / n : ((double)i + 0.5) / n;
}

static void put_lines(nigh_page *page, const nigh_picture *picture, int64_t n, const double *x, bool with_input)
{
    nigh_axis along = {"x", false, NIGH_AXIS_NUMBER, 0, 1}, y = nigh_axis_new(with_input ? "value" : "answer", false, NIGH_AXIS_NUMBER);
    if (with_input) nigh_axis_cover(&y, n, picture->input);
    nigh_axis_cover(&y, n, picture->truth);
    nigh_axis_cover(&y, n, picture->answer);
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_plot_begin(&plot, page->html, "Input, exact answer and the plan's answer over x", &along, &y);
    if (with_input) nigh_plot_line(&plot, "quiet dashed", n, x, picture->input, "input");
    nigh_plot_line(&plot, "s1 broad", n, x, picture->truth, "truth");
    nigh_plot_line(&plot, "s2", n, x, picture->answer, "answer");
    nigh_page_plot_end(page, &plot);
}

static void put_one_line(nigh_page *page, const char *title, const char *label, const char *classes, int64_t n, const double *x, const double *values)
{
    nigh_axis along = {"x", false, NIGH_AXIS_NUMBER, 0, 1}, y = nigh_axis_new(label, false, NIGH_AXIS_NUMBER);
    double zero = 0;
    nigh_axis_cover(&y, n, values);
    nigh_axis_cover(&y, 1, &zero);
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_plot_begin_low(&plot, page->html, title, &along, &y);
    nigh_plot_level(&plot, "quiet", 0, NULL);
    nigh_plot_line(&plot, classes, n, x, values, title);
    nigh_page_plot_end(page, &plot);
}

static double span(int64_t n, const double *values)
{
    nigh_axis range = nigh_axis_new("", false, NIGH_AXIS_NUMBER);
    nigh_axis_cover(&range, n, values);
    return range.high > range.low ? range.high - range.low : 0;
}

/* Input and answers share a plot when neither would be flat in it. */
static bool share_a_plot(const nigh_pictures *p)
{
    bool together = true;
    for (int i = 0; i < p->count; i++) {
        double in = span(p->drawn[0], p->picture[i].input), out = span(p->drawn[0], p->picture[i].truth);
        together = together && in < 6 * out && out < 6 * in;
    }
    return together;
}

static void put_profiles(nigh_page *page, const nigh_report_outcome *o, const nigh_pictures *p, const nigh_picture *picture)
{
    int64_t n = p->drawn[0];
    double *x = nigh_alloc(page->ctx, 2 * (size_t)n * sizeof *x), *apart = x ? x + n : NULL;
    if (!x && !page->status) page->status = NIGH_MEMORY;
    if (page->status) {
        nigh_free(page->ctx, x);
        return;
    }
    for (int64_t i = 0; i < n; i++) x[i] = place_of(p, i), apart[i] = picture->answer[i] - picture->truth[i];
    bool together = share_a_plot(p);
    heading(page, o, picture, false);
    if (!together) put_one_line(page, "The input over x", "input", "quiet", n, x, picture->input);
    put_lines(page, picture, n, x, together);
    put_one_line(page, "Difference of answer and truth over x", "answer \u2212 truth", "s4", n, x, apart);
    nigh_free(page->ctx, x);
    nigh_page_raw(page, "<figcaption>");
    nigh_page_key(page, "quiet stroke", "input");
    nigh_page_key(page, "s1 stroke", "truth");
    nigh_page_key(page, "s2 stroke", "answer");
    origin(page, p, picture);
    nigh_page_raw(page, "</figcaption></figure>\n");
}

/* ---- spectrum ---- */

static const double LEAST_POWER = 1e-18; /* of the largest: rounding, which would stretch the axis */

static void cover_powers(nigh_axis *y, int64_t n, const double *power, double least)
{
    for (int64_t i = 0; i < n; i++)
        if (power[i] > least) nigh_axis_cover(y, 1, &power[i]);
}

/* The wave number from which on the error is about as large as the truth; INFINITY: nowhere, or only at the very end, where rounding and aliases are. */
static double lost_from(const nigh_pictures *p, double least)
{
    int64_t last = p->waves - 1;
    while (last >= 0 && !(p->truth[last] > least || p->error[last] > least)) last--;
    double from = INFINITY, end = last >= 0 ? 0.85 * p->k[last] : 0;
    for (int64_t i = last; i >= 0 && p->error[i] >= 0.5 * p->truth[i]; i--) from = p->k[i];
    return from <= end ? from : INFINITY;
}

/* Powers that are nothing but rounding are left out of the line. */
static void put_power(nigh_page *page, nigh_plot *plot, const char *classes, const nigh_pictures *p, const double *power, double least, const char *name)
{
    double *shown = nigh_alloc(page->ctx, (size_t)p->waves * sizeof *shown);
    if (!shown && !page->status) page->status = NIGH_MEMORY;
    for (int64_t i = 0; shown && i < p->waves; i++) shown[i] = power[i] > least ? power[i] : NAN;
    if (shown) nigh_plot_line(plot, classes, p->waves, p->k, shown, name);
    nigh_free(page->ctx, shown);
}

static void put_spectrum(nigh_page *page, const nigh_pictures *p)
{
    double most = 0;
    for (int64_t i = 0; i < p->waves; i++) most = fmax(most, fmax(p->truth[i], p->answer[i]));
    double least = LEAST_POWER * most, lost = lost_from(p, least);
    if (p->waves < 3 || !(most > 0) || !isfinite(most) || page->status) return;
    nigh_axis x = {"wave number |k|, periods in the unit interval", true, NIGH_AXIS_NUMBER, p->k[0], p->k[p->waves - 1]};
    nigh_axis y = nigh_axis_new("mean power of a mode", true, NIGH_AXIS_NUMBER);
    const struct {
        const double *power;
        const char *classes, *swatch, *name;
    } lines[] = {{p->truth, "s1 broad", "s1 stroke", "truth"}, {p->answer, "s2", "s2 stroke", "answer"}, {p->error, "s4", "s4 stroke", "error (answer \u2212 truth)"}};
    for (int i = 0; i < 3; i++) cover_powers(&y, p->waves, lines[i].power, least);
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_page_figure(page, "Spectrum");
    nigh_plot_begin(&plot, page->html, "Power over the wave number of exact answers, the plan's answers and their difference", &x, &y);
    for (int i = 0; i < 3; i++) put_power(page, &plot, lines[i].classes, p, lines[i].power, least, lines[i].name);
    if (isfinite(lost) && lost > p->k[0]) nigh_plot_upright(&plot, "quiet dashed", lost, "lost from here on");
    nigh_page_plot_end(page, &plot);
    nigh_page_raw(page, "<figcaption>");
    for (int i = 0; i < 3; i++) nigh_page_key(page, lines[i].swatch, lines[i].name);
    char number[FIGURE_ROOM];
    if (lost <= p->k[0]) nigh_page_raw(page, "<span>At every scale the error is about as large as what is there.");
    else if (isfinite(lost)) nigh_page_raw(page, "<span>From |k| = %s on the error is about as large as what is there: finer detail of the answers is not to be believed.", nigh_figure_number(lost, 3, number));
    else nigh_page_raw(page, "<span>%s the finest scales of this grid the error stays below the truth.", p->error[p->waves - 1] >= 0.5 * p->truth[p->waves - 1] ? "Nearly up to" : "Up to");
    nigh_page_raw(page, " Means over %lld %s inputs%s.</span></figcaption></figure>\n", (long long)p->inputs, p->screen ? "screened" : "tested",
                  p->grid == NIGH_GRID_PERIODIC ? "" : "; by cosines, for the fields need not be periodic");
}

/* ---- other grids ---- */

static void put_grids(nigh_page *page, const nigh_report_outcome *o, const nigh_receipt *r)
{
    char label[96], text[64 + FIGURE_ROOM], number[FIGURE_ROOM];
    double points[NIGH_GRIDS], error[NIGH_GRIDS], ends[2];
    const nigh_grid_error *own = NULL;
    for (int i = 0; i < r->grids; i++) {
        points[i] = (double)r->grid[i].size[0], error[i] = r->grid[i].mean;
        if (r->grid[i].own) own = &r->grid[i];
    }
    nigh_axis x = nigh_axis_new("grid points in each dimension", true, NIGH_AXIS_NUMBER), y = nigh_axis_new(nigh_page_error_axis(o, label, sizeof label, "mean error"), true, NIGH_AXIS_NUMBER);
    ends[0] = points[0] / 1.5, ends[1] = points[r->grids - 1] * 1.5;
    nigh_axis_cover(&x, 2, ends);
    for (int i = 0; i < r->grids; i++) nigh_axis_cover(&y, 2, (double[]){error[i], 1.25 * error[i]}); /* the labels stand above */
    nigh_axis_cover(&y, 1, &r->error);
    if (r->refinement.n > 0) nigh_axis_cover(&y, 1, &r->refinement.mean);
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_page_figure(page, "Error on other grids");
    nigh_plot_begin(&plot, page->html, "Mean error of the plan over the number of grid points", &x, &y);
    nigh_plot_line(&plot, "s1", r->grids, points, error, "mean error");
    double width = plot.area.right - plot.area.left, height = plot.area.bottom - plot.area.top;
    for (int i = 0; i < r->grids; i++) {
        char grid[64];
        nigh_grid_text(&r->grid[i], grid);
        snprintf(text, sizeof text, "%s: %s", grid, nigh_figure_number(error[i], 3, number));
        nigh_plot_mark(&plot, r->grid[i].own ? "accent" : "s1", r->grid[i].own ? NIGH_MARK_DIAMOND : NIGH_MARK_DISC, points[i], error[i], text);
        /* In the middle above its mark: a label stands 8 units right of its point. */
        double half = (3.2 * (double)strlen(text) + 8) / width, above = 14 / height;
        nigh_plot_label(&plot, r->grid[i].own ? "strong" : "", points[i] * pow(plot.x.high / plot.x.low, -half), error[i] * pow(plot.y.high / plot.y.low, above), text);
    }
    nigh_plot_level(&plot, "limit", r->error, "asked");
    if (r->refinement.n > 0) nigh_plot_level(&plot, "quiet dashed", r->refinement.mean, "the exact computation's own");
    if (own) nigh_plot_upright(&plot, "quiet dashed", (double)own->size[0], "made for this one");
    nigh_page_plot_end(page, &plot);
    snprintf(text, sizeof text, "%lld", (long long)r->grid[0].n);
    nigh_page_raw(page, "<figcaption>The same %s functions, drawn anew, on each grid. The receipt speaks for the grid that the plan was made for only.</figcaption></figure>\n", text);
}

void nigh_report_fields(nigh_page *page, const nigh_report_outcome *o)
{
    const nigh_pictures *p = o->pictures;
    bool grids = o->receipt && o->receipt->grids > 1;
    if (!p && !grids) return;
    nigh_page_raw(page, "<div class=\"figures\">\n");
    for (int i = 0; p && i < p->count; i++) {
        if (p->dims == 2) put_maps(page, o, p, &p->picture[i]);
        else put_profiles(page, o, p, &p->picture[i]);
    }
    if (p) put_spectrum(page, p);
    if (grids && !page->status) put_grids(page, o, o->receipt);
    nigh_page_raw(page, "</div>\n");
}
