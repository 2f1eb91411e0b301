/* The figures of the report: error against time, cost over uses, errors, timing. */
#include "plan/figures.h"
#include "plan/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- figures around plots ---- */

void nigh_page_figure(nigh_page *page, const char *heading) { nigh_page_raw(page, "<figure><h3>%s</h3>", heading); }

void nigh_page_figure_end(nigh_page *page, const char *caption)
{
    nigh_page_raw(page, "<figcaption>");
    nigh_page_raw(page, "%s", caption);
    nigh_page_raw(page, "</figcaption></figure>\n");
}

static void begin_plot(nigh_page *page, nigh_plot *plot, const char *title, const nigh_axis *x, const nigh_axis *y)
{
    nigh_plot_begin(plot, page->html, title, x, y);
}

void nigh_page_plot_end(nigh_page *page, nigh_plot *plot)
{
    nigh_status status = nigh_plot_end(plot);
    if (!page->status) page->status = status;
}

void nigh_page_key(nigh_page *page, const char *classes, const char *words)
{
    nigh_page_raw(page, "<span class=\"key\"><i class=\"swatch %s\"></i>", classes);
    nigh_page_words(page, words);
    nigh_page_raw(page, "</span>");
}

const char *nigh_page_error_axis(const nigh_report_outcome *o, char *out, size_t room, const char *what)
{
    const char *unit = o->unit && *o->unit && strcmp(o->unit, "1") != 0 ? o->unit : NULL;
    snprintf(out, room, "%s%s%.24s%s%.16s%s", what, o->measure ? ", " : "", o->measure ? o->measure : "", unit ? " (" : "", unit ? unit : "", unit ? ")" : "");
    return out;
}

static double asked(const nigh_report_outcome *o) { return o->receipt ? o->receipt->error : NAN; }

/* ---- error against time ---- */

/* Candidates that have both figures. An error of 0 stands at the lower edge. */
static bool is_plotted(const nigh_report_candidate *c)
{
    return c->state >= NIGH_CANDIDATE_MISSED && isfinite(c->apply_seconds) && c->apply_seconds > 0 && c->decides >= 0 && isfinite(c->decides);
}

typedef struct look {
    const char *classes;
    nigh_mark mark;
} look;

static look look_of(const nigh_report_candidate *c)
{
    switch (c->state) {
    case NIGH_CANDIDATE_CHOSEN: return (look){"accent", NIGH_MARK_DIAMOND};
    case NIGH_CANDIDATE_PROVED: return (look){"good", NIGH_MARK_SQUARE};
    case NIGH_CANDIDATE_REFUSED: return (look){"bad", NIGH_MARK_TRIANGLE};
    case NIGH_CANDIDATE_PASSED: return (look){"s1", NIGH_MARK_DISC};
    default: return (look){"quiet", NIGH_MARK_CROSS};
    }
}

static int by_time(const void *a, const void *b)
{
    const nigh_report_candidate *p = *(const nigh_report_candidate *const *)a, *q = *(const nigh_report_candidate *const *)b;
    if (p->apply_seconds != q->apply_seconds) return p->apply_seconds < q->apply_seconds ? -1 : 1;
    if (p->decides != q->decides) return p->decides < q->decides ? -1 : 1;
    return p < q ? -1 : p > q;
}

/* The Pareto front of `n` candidates sorted by time: each beats all faster ones in error. */
static void put_front(nigh_page *page, nigh_plot *plot, int n, const nigh_report_candidate **sorted)
{
    double *xy = nigh_alloc_zero(page->ctx, 2 * (size_t)n + 2, sizeof *xy), *y = xy ? xy + n + 1 : NULL, best = INFINITY;
    int count = 0;
    if (!xy) {
        page->status = NIGH_MEMORY;
        return;
    }
    for (int i = 0; i < n; i++)
        if (sorted[i]->decides < best) {
            xy[count] = sorted[i]->apply_seconds;
            best = y[count++] = sorted[i]->decides;
        }
    if (count > 0) { /* the best error holds for whoever has more time */
        xy[count] = plot->x.high;
        y[count] = best;
        nigh_plot_steps(plot, "front", count + 1, xy, y, "the least error for each time");
    }
    nigh_free(page->ctx, xy);
}

static void put_marks(nigh_plot *plot, int n, const nigh_report_candidate **sorted)
{
    for (int i = 0; i < n; i++) {
        const nigh_report_candidate *c = sorted[i];
        char text[400], error[FIGURE_ROOM], time[FIGURE_ROOM];
        snprintf(text, sizeof text, "%.200s: %s, error %s, %s per use%s", c->label ? c->label : "no name", nigh_candidate_state_names[c->state],
                 nigh_figure_number(c->decides, 3, error), nigh_figure_seconds(c->apply_seconds, time), c->shortcut ? ", classical shortcut" : "");
        look l = look_of(c);
        nigh_plot_mark(plot, l.classes, l.mark, c->apply_seconds, c->decides, text);
        if (c->state == NIGH_CANDIDATE_CHOSEN) nigh_plot_mark(plot, "accent", NIGH_MARK_RING, c->apply_seconds, c->decides, NULL);
    }
}

/* The chosen one by its full name, finalists by their method while there is room. */
static void put_names(nigh_plot *plot, int n, const nigh_report_candidate **sorted)
{
    for (int pass = 0; pass < 3; pass++)
        for (int i = 0; i < n; i++) {
            const nigh_report_candidate *c = sorted[i];
            int when = c->state == NIGH_CANDIDATE_CHOSEN ? 0 : c->state == NIGH_CANDIDATE_PROVED ? 1 : c->state == NIGH_CANDIDATE_REFUSED ? 2 : 3;
            if (when != pass || (pass == 0 && nigh_plot_label(plot, "strong", c->apply_seconds, c->decides, c->label))) continue;
            nigh_plot_label(plot, pass == 0 ? "strong" : "", c->apply_seconds, c->decides, c->method);
        }
}

static void pareto_axes(const nigh_report_outcome *o, int n, const nigh_report_candidate **sorted, nigh_axis *x, nigh_axis *y)
{
    double target = asked(o);
    nigh_axis_cover(y, 1, &target);
    nigh_axis_cover(x, 1, &o->exact_seconds);
    for (int i = 0; i < n; i++) {
        double error = sorted[i]->decides;
        if (target > 0) error = fmin(fmax(error, 1e-5 * target), 1e5 * target); /* what is far off stands at the edge */
        nigh_axis_cover(y, 1, &error);
        nigh_axis_cover(x, 1, &sorted[i]->apply_seconds);
    }
    nigh_axis_round(x);
    nigh_axis_round(y);
}

void nigh_report_pareto(nigh_page *page, const nigh_report_outcome *o)
{
    if (page->status) return;
    const nigh_report_candidate **sorted = nigh_alloc_zero(page->ctx, (size_t)o->count + 1, sizeof *sorted);
    if (!sorted) {
        page->status = NIGH_MEMORY;
        return;
    }
    int n = 0, seen[NIGH_CANDIDATE_CHOSEN + 1] = {0};
    for (int i = 0; i < o->count; i++)
        if (is_plotted(&o->candidates[i])) sorted[n++] = &o->candidates[i], seen[o->candidates[i].state]++;
    if (n > 0) {
        qsort(sorted, (size_t)n, sizeof *sorted, by_time);
        char label[96];
        nigh_axis x = nigh_axis_new("time per use", true, NIGH_AXIS_SECONDS);
        nigh_axis y = nigh_axis_new(nigh_page_error_axis(o, label, sizeof label, "screened error"), true, NIGH_AXIS_NUMBER);
        pareto_axes(o, n, sorted, &x, &y);
        nigh_plot plot;
        nigh_page_figure(page, "Error against time");
        begin_plot(page, &plot, "Screened error of every candidate against its time per use", &x, &y);
        put_front(page, &plot, n, sorted);
        put_marks(&plot, n, sorted);
        if (o->exact_seconds > 0) nigh_plot_upright(&plot, "quiet dashed", o->exact_seconds, "exact");
        put_names(&plot, n, sorted);
        nigh_plot_level(&plot, "limit", asked(o), "asked");
        nigh_page_plot_end(page, &plot);
        static const struct {
            nigh_candidate_state state;
            const char *classes, *words;
        } keys[] = {{NIGH_CANDIDATE_CHOSEN, "accent diamond", "chosen"}, {NIGH_CANDIDATE_PROVED, "good square", "proved on test inputs"},
                    {NIGH_CANDIDATE_REFUSED, "bad triangle", "refused by the test"}, {NIGH_CANDIDATE_PASSED, "s1 disc", "passed the screen"},
                    {NIGH_CANDIDATE_MISSED, "quiet cross", "missed"}};
        nigh_page_raw(page, "<figcaption>");
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (seen[keys[i].state] > 0) nigh_page_key(page, keys[i].classes, keys[i].words);
        nigh_page_raw(page, "<span>Lower left is better; the step line is the best error for each time.</span></figcaption></figure>\n");
    }
    nigh_free(page->ctx, sorted);
}

/* ---- cost over the number of uses ---- */

enum { COST_POINTS = 73, COST_LINES = 6 };

typedef struct cost_line {
    double fit, apply;
    const char *label;
    int candidate; /* -1: exact */
} cost_line;

static bool has_cost(const nigh_report_candidate *c)
{
    return c->fit_seconds >= 0 && isfinite(c->fit_seconds) && c->apply_seconds > 0 && isfinite(c->apply_seconds);
}

static int add_line(const nigh_report_outcome *o, int candidate, int count, cost_line *lines)
{
    for (int i = 0; i < count; i++)
        if (lines[i].candidate == candidate) return count;
    if (count >= COST_LINES || (candidate < 0 ? !(o->exact_seconds > 0) : !has_cost(&o->candidates[candidate]))) return count;
    if (candidate < 0) lines[count] = (cost_line){0, o->exact_seconds, "exact computation", -1};
    else {
        const nigh_report_candidate *c = &o->candidates[candidate];
        lines[count] = (cost_line){c->fit_seconds, c->apply_seconds, c->label ? c->label : "no name", candidate};
    }
    return count + 1;
}

/* The exact computation, the chosen one, the rest of the envelope, other finalists: as many as stay readable. */
static int cost_lines(const nigh_report_outcome *o, cost_line *lines)
{
    int count = add_line(o, -1, 0, lines);
    if (o->chosen >= 0) count = add_line(o, o->chosen, count, lines);
    for (int i = 0; i < o->rows; i++) count = add_line(o, o->envelope[i].candidate, count, lines);
    for (int i = 0; i < o->count; i++)
        if (o->candidates[i].state == NIGH_CANDIDATE_PROVED) count = add_line(o, i, count, lines);
    return count;
}

static void put_costs(nigh_plot *plot, int count, const cost_line *lines, int chosen)
{
    static const char *const classes[COST_LINES] = {"s1", "s2", "s3", "s4", "s5", "s6"};
    double uses[COST_POINTS], cost[COST_LINES][COST_POINTS], least[COST_POINTS];
    for (int p = 0; p < COST_POINTS; p++) {
        uses[p] = plot->x.low * pow(plot->x.high / plot->x.low, (double)p / (COST_POINTS - 1));
        least[p] = INFINITY;
        for (int i = 0; i < count; i++) {
            cost[i][p] = lines[i].fit + uses[p] * lines[i].apply;
            least[p] = fmin(least[p], cost[i][p]);
        }
    }
    nigh_plot_line(plot, "envelope", COST_POINTS, uses, least, "the least cost");
    for (int i = count - 1; i >= 0; i--) { /* the first, exact and chosen, on top */
        char title[300];
        snprintf(title, sizeof title, "%.250s%s", lines[i].label, lines[i].candidate >= 0 && lines[i].candidate == chosen ? " (chosen)" : "");
        nigh_plot_line(plot, classes[i], COST_POINTS, uses, cost[i], title);
    }
}

void nigh_report_envelope(nigh_page *page, const nigh_report_outcome *o)
{
    cost_line lines[COST_LINES];
    int count = cost_lines(o, lines);
    if (count < 2 || page->status) return;
    double even = o->chosen >= 0 ? nigh_receipt_break_even(o->candidates[o->chosen].fit_seconds, o->exact_seconds, o->candidates[o->chosen].apply_seconds) : NAN;
    double last = 1e7;
    for (int i = 0; i < o->rows; i++)
        if (isfinite(o->envelope[i].uses)) last = fmax(last, 10 * o->envelope[i].uses);
    if (isfinite(even)) last = fmax(last, 10 * even);
    nigh_axis x = {"number of uses", true, NIGH_AXIS_NUMBER, 1, fmin(last, 1e13)};
    nigh_axis y = nigh_axis_new("fit + uses \u00d7 time per use", true, NIGH_AXIS_SECONDS);
    nigh_axis_round(&x);
    for (int i = 0; i < count; i++) {
        double ends[] = {lines[i].fit + lines[i].apply, lines[i].fit + x.high * lines[i].apply};
        nigh_axis_cover(&y, 2, ends);
    }
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_page_figure(page, "Cost over the number of uses");
    begin_plot(page, &plot, "Total cost of the finalists and of the exact computation over the number of uses", &x, &y);
    put_costs(&plot, count, lines, o->chosen);
    if (even > 1 && isfinite(even)) {
        char number[FIGURE_ROOM], text[2 * FIGURE_ROOM];
        snprintf(text, sizeof text, "pays off: %s", nigh_figure_count(even, number));
        nigh_plot_upright(&plot, "quiet dashed", even, text);
    }
    nigh_page_plot_end(page, &plot);
    static const char *const swatches[COST_LINES] = {"s1 stroke", "s2 stroke", "s3 stroke", "s4 stroke", "s5 stroke", "s6 stroke"};
    nigh_page_raw(page, "<figcaption>");
    for (int i = 0; i < count; i++) nigh_page_key(page, swatches[i], lines[i].label);
    nigh_page_key(page, "envelope stroke", "cheapest");
    nigh_page_raw(page, "</figcaption></figure>\n");
}

/* ---- errors ---- */

static void put_limits(nigh_plot *plot, const nigh_report_outcome *o)
{
    nigh_plot_level(plot, "limit", asked(o), "asked");
    const nigh_certificate *proof = o->receipt ? &o->receipt->certificate : NULL;
    if (proof && proof->how && proof->worst > 0) nigh_plot_level(plot, "good", proof->worst, "proved worst");
}

static void error_curve(nigh_page *page, const nigh_report_outcome *o)
{
    char label[96];
    double zero = 0, target = asked(o), most = 0;
    for (int64_t i = 0; i < o->curve_count; i++)
        if (isfinite(o->curve_error[i])) most = fmax(most, o->curve_error[i]);
    bool log = !(target <= 8 * most);
    nigh_axis x = nigh_axis_new("input", false, NIGH_AXIS_NUMBER);
    nigh_axis y = nigh_axis_new(nigh_page_error_axis(o, label, sizeof label, "error"), log, NIGH_AXIS_NUMBER);
    nigh_axis_cover(&x, o->curve_count, o->curve_x);
    if (log) {
        double floor_of = most * 1e-4;
        nigh_axis_cover(&y, 1, &most);
        nigh_axis_cover(&y, 1, &floor_of);
    } else {
        nigh_axis_cover(&y, 1, &zero);
        nigh_axis_cover(&y, 1, &most);
    }
    nigh_axis_cover(&y, 1, &target);
    if (x.low < x.high) { /* the interval itself, not rounded: the curve fills the plot */
        nigh_axis rounded = x;
        nigh_axis_round(&rounded);
        if (rounded.high - rounded.low > 1.15 * (x.high - x.low)) rounded = x;
        x = rounded;
    } else {
        nigh_axis_round(&x);
    }
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_page_figure(page, "Error along the input");
    begin_plot(page, &plot, "Error of the chosen plan along the input", &x, &y);
    nigh_plot_line(&plot, "s1", o->curve_count, o->curve_x, o->curve_error, "error of the chosen plan");
    put_limits(&plot, o);
    nigh_page_plot_end(page, &plot);
    nigh_page_figure_end(page, "The error of the chosen plan; of each stretch of inputs the largest is drawn.");
}

void nigh_report_errors(nigh_page *page, const nigh_report_outcome *o)
{
    if (page->status) return;
    if (o->curve_count > 1) {
        error_curve(page, o);
        return;
    }
    if (o->quantiles > 1) {
        char label[96];
        nigh_page_figure(page, "Errors on the test inputs");
        nigh_status status = nigh_plot_ecdf(page->html, "Share of test inputs with an error below each value", nigh_page_error_axis(o, label, sizeof label, "error"),
                                            o->quantiles, o->quantile, asked(o), "asked");
        if (!page->status) page->status = status;
        nigh_page_figure_end(page, "The errors of the chosen plan on the test inputs; nothing was fitted to them or screened on them.");
    } else if (o->receipt && o->receipt->reads > 0) {
        nigh_page_raw(page, "<figure class=\"note\"><h3>Errors on the test rows</h3><p>Not shown. These rows were read %lld time%s; showing "
                      "their errors would tell about them and spoil later tests.</p></figure>\n", (long long)o->receipt->reads,
                      o->receipt->reads == 1 ? "" : "s");
    }
}

/* ---- what a method shows beside its plan ---- */

enum { SERIES = 6 };

/* Names of the series in the order of their first points; those beyond the colours share the last. */
static int series_of(const nigh_chart *chart, const char **names)
{
    int count = 0;
    for (int i = 0; i < chart->count; i++) {
        const char *name = chart->points[i].series ? chart->points[i].series : "";
        int at = 0;
        while (at < count && strcmp(names[at], name) != 0) at++;
        if (at == count && count < SERIES) names[count++] = name;
    }
    return count;
}

static nigh_status put_series(nigh_page *page, nigh_plot *plot, const nigh_chart *chart, const char *name, const char *classes, bool labels)
{
    double *xy = nigh_alloc_zero(page->ctx, 2 * (size_t)chart->count + 1, sizeof *xy), *y = xy ? xy + chart->count : NULL;
    if (!xy) return NIGH_MEMORY;
    int n = 0;
    for (int i = 0; i < chart->count; i++) {
        const nigh_chart_point *p = &chart->points[i];
        if (strcmp(p->series ? p->series : "", name) != 0) continue;
        xy[n] = p->x;
        y[n++] = p->y;
    }
    nigh_plot_line(plot, classes, n, xy, y, name);
    for (int i = 0; i < chart->count; i++) {
        const nigh_chart_point *p = &chart->points[i];
        if (strcmp(p->series ? p->series : "", name) != 0) continue;
        char text[300], number[FIGURE_ROOM];
        snprintf(text, sizeof text, "%.100s %.100s: %s", name, p->label ? p->label : "", nigh_figure_number(p->y, 3, number));
        nigh_plot_mark(plot, classes, NIGH_MARK_DISC, p->x, p->y, text);
        if (labels && p->label) nigh_plot_label(plot, "", p->x, p->y, p->label);
    }
    nigh_free(page->ctx, xy);
    return NIGH_OK;
}

void nigh_report_chart(nigh_page *page, const nigh_report_outcome *o)
{
    static const char *const classes[SERIES] = {"accent thick", "s2", "s3", "s4", "s5", "s6"};
    static const char *const swatches[SERIES] = {"accent stroke", "s2 stroke", "s3 stroke", "s4 stroke", "s5 stroke", "s6 stroke"};
    const nigh_chart *chart = o->chart;
    const char *names[SERIES];
    if (page->status || !chart || chart->count < 1) return;
    int count = series_of(chart, names);
    nigh_axis x = nigh_axis_new(chart->x ? chart->x : "", false, NIGH_AXIS_NUMBER), y = nigh_axis_new(chart->y ? chart->y : "", true, NIGH_AXIS_NUMBER);
    for (int i = 0; i < chart->count; i++) {
        nigh_axis_cover(&x, 1, &chart->points[i].x);
        nigh_axis_cover(&y, 1, &chart->points[i].y);
    }
    nigh_axis_round(&x);
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_page_raw(page, "<figure><h3>");
    nigh_page_words(page, chart->title ? chart->title : "");
    nigh_page_raw(page, "</h3>");
    begin_plot(page, &plot, "Error over cost of everything found, beside classical forms", &x, &y);
    for (int i = count - 1; i >= 0 && !page->status; i--) page->status = put_series(page, &plot, chart, names[i], classes[i], i == 0);
    nigh_page_plot_end(page, &plot);
    nigh_page_raw(page, "<figcaption>");
    for (int i = 0; i < count; i++) nigh_page_key(page, swatches[i], names[i]);
    nigh_page_raw(page, "</figcaption></figure>\n");
}

/* ---- timing ---- */

static void put_timing(nigh_page *page, const nigh_timing *t, const char *heading)
{
    if (page->status || t->pairs <= 0 || !(t->ratio > 0) || !isfinite(t->ratio)) return;
    nigh_axis x = {"pair", false, NIGH_AXIS_NUMBER, 0, t->pairs + 1};
    nigh_axis y = nigh_axis_new("times faster", false, NIGH_AXIS_NUMBER);
    double room[] = {t->ratio * 0.95, t->ratio * 1.05}, ends[] = {0, t->pairs + 1.0}, low[] = {t->low, t->low}, high[] = {t->high, t->high};
    nigh_axis_cover(&y, 2, room);
    nigh_axis_cover(&y, 1, low);
    nigh_axis_cover(&y, 1, high);
    if (t->ratios) nigh_axis_cover(&y, t->pairs, t->ratios);
    if (y.high > 5 * t->ratio) y.high = 5 * t->ratio; /* one disturbed pair must not flatten the rest; it stands at the edge */
    nigh_axis_round(&y);
    nigh_plot plot;
    nigh_page_figure(page, heading);
    begin_plot(page, &plot, "Ratio of times, pair by pair, with the 95% interval of the median", &x, &y);
    nigh_plot_band(&plot, "s1", 2, ends, low, high);
    nigh_plot_level(&plot, "s1", t->ratio, NULL);
    if (y.low < 1) nigh_plot_level(&plot, "quiet", 1, "equal");
    for (int i = 0; t->ratios && i < t->pairs; i++) {
        char text[2 * FIGURE_ROOM], number[FIGURE_ROOM];
        snprintf(text, sizeof text, "pair %d: %s", i + 1, nigh_figure_number(t->ratios[i], 4, number));
        nigh_plot_mark(&plot, "s1", NIGH_MARK_DISC, i + 1, t->ratios[i], text);
    }
    nigh_page_plot_end(page, &plot);
    char ratio[FIGURE_ROOM], from[FIGURE_ROOM], to[FIGURE_ROOM], caption[256];
    snprintf(caption, sizeof caption, "%s\u00d7, 95%% interval %s to %s from %d pairs.%s%s", nigh_figure_number(t->ratio, 3, ratio),
             nigh_figure_number(t->low, 3, from), nigh_figure_number(t->high, 3, to), t->pairs,
             t->low <= 1 && t->high >= 1 ? " A tie: the interval contains 1." : "", t->busy ? " The machine was busy." : "");
    nigh_page_figure_end(page, caption);
}

/* Time of one use: the exact computation, the best shortcut, the plan. The unit is that of the longest. */
static void put_speed(nigh_page *page, const nigh_receipt *r)
{
    const char *names[3];
    double seconds[3], most = 0;
    int count = 0;
    if (r->exact_seconds > 0) names[count] = "exact", seconds[count++] = r->exact_seconds;
    if (!r->is_shortcut && r->beside_shortcut.pairs > 0 && r->beside_shortcut.a_seconds > 0)
        names[count] = "best shortcut", seconds[count++] = r->beside_shortcut.a_seconds;
    if (r->plan_seconds > 0) names[count] = r->is_shortcut ? "plan (a shortcut)" : "plan", seconds[count++] = r->plan_seconds;
    if (page->status || count < 2) return;
    static const char *const units[] = {"s", "ms", "\u00b5s", "ns", "ps"};
    int unit = 0;
    for (int i = 0; i < count; i++) most = seconds[i] > most ? seconds[i] : most;
    double scale = 1;
    while (unit < 4 && most * scale < 1) scale *= 1e3, unit++;
    for (int i = 0; i < count; i++) seconds[i] *= scale;
    char label[48];
    snprintf(label, sizeof label, "time of one use, %s", units[unit]);
    nigh_page_figure(page, "Time of one use");
    if (!page->status) page->status = nigh_plot_bars(page->html, "Time of one use of the exact computation, the best shortcut and the plan", label, count, names, seconds);
    nigh_page_figure_end(page, "Medians of the paired timing; shorter is faster.");
}

void nigh_report_timings(nigh_page *page, const nigh_report_outcome *o)
{
    if (!o->receipt) return;
    put_speed(page, o->receipt);
    put_timing(page, &o->receipt->beside_exact, "Timed beside the exact computation");
    put_timing(page, &o->receipt->beside_shortcut, "Timed beside the best shortcut");
}
