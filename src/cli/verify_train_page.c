/* The page of nigh verify train: figures, curves of training, what radius and width trade. */
#include "cli/verify_train.h"

#include <math.h>
#include <string.h>

#include "core/file.h"
#include "plan/report.h"

enum { FIGURES = 4 };
static const char *const names[FIGURES] = {"standard accuracy", "under attack (PGD)", "certified", "tightness of intervals"};
static const char *const classes[FIGURES] = {"s1 thick", "s2 thick", "s3 thick", "s4"};
static const nigh_mark marks[FIGURES] = {NIGH_MARK_DISC, NIGH_MARK_SQUARE, NIGH_MARK_TRIANGLE, NIGH_MARK_DIAMOND};

static double figure_of(const train_run *r, int i)
{
    const nigh_certified_figures *f = &r->figures;
    return i == 0 ? f->standard : i == 1 ? f->attacked : i == 2 ? f->certified : f->tightness;
}

/* All runs of a group in order of what is varied, the first run among them. */
static int of_group(const train_story *s, const char *group, double first, const train_run **list)
{
    int n = 0;
    for (int i = 0; i < s->runs; i++)
        if (i == 0 || !strcmp(s->run[i].group, group)) list[n++] = &s->run[i];
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0; j--) {
            double a = list[j - 1] == s->run ? first : list[j - 1]->at, b = list[j] == s->run ? first : list[j]->at;
            if (a <= b) break;
            const train_run *swap = list[j];
            list[j] = list[j - 1], list[j - 1] = swap;
        }
    return n;
}

static void put_group(nigh_page *p, const train_story *s, const char *group, double first, const char *heading, const char *label)
{
    const train_run *list[TRAIN_MOST_RUNS];
    int n = of_group(s, group, first, list);
    if (n < 2) return;
    double at[TRAIN_MOST_RUNS], value[TRAIN_MOST_RUNS];
    for (int i = 0; i < n; i++) at[i] = list[i] == s->run ? first : list[i]->at;
    nigh_axis x = nigh_axis_new(label, true, NIGH_AXIS_NUMBER), y = nigh_axis_new("share", false, NIGH_AXIS_PERCENT);
    nigh_plot plot;
    nigh_axis_cover(&x, n, at);
    nigh_axis_cover(&y, 2, (double[]){0, 1});
    nigh_axis_round(&x);
    nigh_axis_round(&y);
    nigh_page_figure(p, heading);
    if (p->status) return;
    nigh_plot_begin(&plot, p->html, heading, &x, &y);
    for (int k = 0; k < FIGURES; k++) {
        for (int i = 0; i < n; i++) value[i] = figure_of(list[i], k);
        nigh_plot_line(&plot, classes[k], n, at, value, names[k]);
        for (int i = 0; i < n; i++) nigh_plot_mark(&plot, classes[k], marks[k], at[i], value[i], names[k]);
    }
    nigh_page_plot_end(p, &plot);
    nigh_page_figure_end(p, "<span class=\"key\"><span class=\"swatch disc s1\"></span>standard accuracy</span><span class=\"key\"><span class=\"swatch s2\"></span>under attack</span>"
                            "<span class=\"key\"><span class=\"swatch triangle s3\"></span>certified</span><span class=\"key\"><span class=\"swatch diamond s4\"></span>tightness of intervals</span>");
}

static void put_curves(nigh_page *p, const train_story *s)
{
    nigh_axis x = nigh_axis_new("epoch", false, NIGH_AXIS_NUMBER), y = nigh_axis_new("share", false, NIGH_AXIS_PERCENT), z = nigh_axis_new("loss", true, NIGH_AXIS_NUMBER);
    nigh_plot plot;
    if (s->rows < 2) return;
    nigh_axis_cover(&x, s->rows, s->epoch);
    nigh_axis_cover(&y, 2, (double[]){0, 1});
    nigh_axis_cover(&z, s->rows, s->loss);
    nigh_axis_round(&x);
    nigh_axis_round(&z);
    nigh_page_figure(p, "Accuracy while it trained");
    if (p->status) return;
    nigh_plot_begin(&plot, p->html, "accuracy by epoch", &x, &y);
    nigh_plot_line(&plot, "quiet", s->rows, s->epoch, s->grown, "share of the radius trained for");
    nigh_plot_line(&plot, "s1 thick", s->rows, s->epoch, s->accuracy, "standard accuracy");
    nigh_plot_line(&plot, "s3 thick", s->rows, s->epoch, s->certified, "certified by intervals in f32");
    nigh_page_plot_end(p, &plot);
    nigh_page_figure_end(p, "<span class=\"key\"><span class=\"swatch stroke s1\"></span>standard accuracy</span><span class=\"key\"><span class=\"swatch stroke s3\"></span>certified by "
                            "intervals (f32)</span><span class=\"key\"><span class=\"swatch stroke quiet\"></span>radius trained for, share of the last</span>");
    nigh_page_figure(p, "Loss");
    if (p->status) return;
    nigh_plot_begin(&plot, p->html, "loss by epoch", &x, &z);
    nigh_plot_line(&plot, "s1 thick", s->rows, s->epoch, s->loss, "loss");
    nigh_page_plot_end(p, &plot);
    nigh_page_figure_end(p, "Of the training samples, mean over an epoch; it rises while the radius grows.");
}

static void put_table(nigh_page *p, const train_story *s)
{
    nigh_page_raw(p, "<table><thead><tr><th>method</th><th class=\"number\">trained for</th><th class=\"number\">weights</th><th class=\"number\">standard</th><th class=\"number\">under attack"
                     "</th><th class=\"number\">by intervals</th><th class=\"number\">certified</th><th class=\"number\">tightness</th><th class=\"number\">seconds</th></tr></thead><tbody>");
    for (int i = 0; i < s->runs; i++) {
        const train_run *r = &s->run[i];
        const nigh_certified_figures *f = &r->figures;
        nigh_page_raw(p, "<tr%s><th>%s</th><td class=\"number\">%.3g</td><td class=\"number\">%lld</td><td class=\"number\">%.2f%%</td><td class=\"number\">%.2f%%</td><td class=\"number\">%.2f%%"
                         "</td><td class=\"number\">%.2f%%</td><td class=\"number\">%.3g</td><td class=\"number\">%.1f</td></tr>",
                      i ? "" : " class=\"chosen\"", r->method, r->train_radius, (long long)r->weights, 100 * f->standard, 100 * f->attacked, 100 * f->intervals, 100 * f->certified, f->tightness,
                      r->seconds);
    }
    nigh_page_raw(p, "</tbody></table>");
}

nigh_status train_page(nigh_context *ctx, const train_story *s, const char *path)
{
    nigh_buffer html = {.ctx = ctx};
    nigh_page p = {.ctx = ctx, .html = &html};
    const train_run *r = &s->run[0];
    nigh_page_begin(&p, "nigh: certified training");
    nigh_page_raw(&p, "<header><h1>A classifier with proofs</h1><p>");
    nigh_page_words(&p, s->network);
    nigh_page_raw(&p, " on ");
    nigh_page_words(&p, s->data);
    nigh_page_raw(&p, ": %.1f%% of %lld test samples keep their right label under any change of every input by %.3g, proved with rounding; %.1f%% are right as they are.</p></header>",
                  100 * r->figures.certified, (long long)r->figures.samples, s->radius, 100 * r->figures.standard);
    nigh_page_raw(&p, "<dl class=\"receipt\"><dt>trained on</dt><dd>%lld samples, %lld epochs, %.1f s</dd><dt>tightness</dt><dd>%.3g after training, %.3g before: exact over layer-wise size of the "
                      "margins' boxes</dd><dt>proofs</dt><dd>%.2f%% by intervals (%.2f s), %.2f%% more by linear bounds (%.2f s); in f64, for the real network and every f32 evaluation</dd></dl>",
                  (long long)s->train, (long long)s->epochs, r->seconds, r->figures.tightness, r->initial, 100 * r->figures.intervals, r->figures.seconds_intervals,
                  100 * (r->figures.certified - r->figures.intervals), r->figures.seconds_linear);
    nigh_page_raw(&p, "<div class=\"figures\">");
    put_curves(&p, s);
    put_group(&p, s, "radius", r->train_radius, "What the radius trained for trades", "radius trained for");
    put_group(&p, s, "width", 1, "What width gives", "width, times that of the network");
    nigh_page_raw(&p, "</div>");
    put_table(&p, s);
    nigh_page_end(&p, ".");
    if (!p.status) p.status = nigh_file_write(ctx, path, html.data, html.size);
    nigh_buffer_free(&html);
    return p.status;
}
