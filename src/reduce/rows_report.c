/* The page of a reduction of rows: the receipt, error against size with the chosen point, and the points kept over the points given. */
#include "nigh/reduce.h"

#include "plan/report.h"
#include "tensor/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const colours[] = {"s1", "s2", "s3", "s4", "s5", "s6", "good", "bad"};
enum { COLOURS = 8, POINTS_MOST = 4000 };

/* ---- error against size ------------------------------------------------------------------------------------- */

static void size_axes(const nigh_reduction *o, nigh_axis *x, nigh_axis *y)
{
    *x = nigh_axis_new("rows of the subset", true, NIGH_AXIS_NUMBER);
    *y = nigh_axis_new("error on all rows", true, NIGH_AXIS_NUMBER);
    for (int64_t i = 0; i < o->tries; i++) {
        double rows = (double)o->history[i].rows;
        if (!isfinite(o->history[i].error) || o->candidates[o->history[i].candidate].model_only) continue;
        nigh_axis_cover(x, 1, &rows);
        nigh_axis_cover(y, 1, &o->history[i].error);
    }
    nigh_axis_cover(y, 1, &o->asked);
    nigh_axis_round(x), nigh_axis_round(y);
}

static void size_picture(nigh_page *page, const nigh_reduction *o)
{
    nigh_axis x, y;
    nigh_plot plot;
    bool seen[64] = {false};
    size_axes(o, &x, &y);
    nigh_page_figure(page, "Error against size");
    nigh_plot_begin(&plot, page->html, "Error of every subset that was tried against its size", &x, &y);
    for (int64_t i = 0; i < o->tries; i++) {
        const nigh_reduce_try *t = &o->history[i];
        if (!isfinite(t->error) || o->candidates[t->candidate].model_only) continue;
        char words[160];
        snprintf(words, sizeof words, "%s: %lld rows, error %.3g", o->candidates[t->candidate].method, (long long)t->rows, t->error);
        nigh_plot_mark(&plot, colours[(t->candidate - 1) % COLOURS], NIGH_MARK_DISC, (double)t->rows, t->error, words);
        if (t->candidate < 64) seen[t->candidate] = true;
    }
    if (o->chosen > 0 && !o->candidates[o->chosen].model_only) {
        const nigh_reduce_candidate *c = &o->candidates[o->chosen];
        nigh_plot_mark(&plot, "accent", NIGH_MARK_DIAMOND, (double)c->subset.count, c->error, "chosen");
        nigh_plot_label(&plot, "strong", (double)c->subset.count, c->error, "chosen");
    }
    nigh_plot_level(&plot, "limit", o->asked, "asked");
    nigh_page_plot_end(page, &plot);
    nigh_page_raw(page, "<figcaption>");
    for (int i = 1; i < o->count && i < 64; i++) {
        char classes[32];
        snprintf(classes, sizeof classes, "%s disc", colours[(i - 1) % COLOURS]);
        if (seen[i]) nigh_page_key(page, classes, o->candidates[i].method);
    }
    nigh_page_raw(page, "<span>Every disc is a subset that was drawn, a model fitted to it, and that model's cost on all rows.</span></figcaption></figure>\n");
}

/* ---- points kept over points given -------------------------------------------------------------------------- */

/* The two directions of most variance of the standardised features: plane[2, d], and mean and 1/scale folded in. */
static nigh_status find_plane(nigh_context *ctx, const nigh_rows *rows, double *plane, double *mean)
{
    int64_t n = rows->n, d = rows->d, step = n / 20000 + 1;
    double *gram = nigh_alloc_zero(ctx, (size_t)(d * d + d), sizeof *gram), *values = gram ? gram + d * d : NULL;
    if (!gram) return NIGH_MEMORY;
    int64_t count = 0;
    memset(mean, 0, (size_t)d * sizeof *mean);
    for (int64_t i = 0; i < n; i += step, count++)
        for (int64_t j = 0; j < d; j++) mean[j] += rows->x[i * d + j];
    for (int64_t j = 0; j < d; j++) mean[j] /= (double)count;
    for (int64_t i = 0; i < n; i += step)
        for (int64_t j = 0; j < d; j++)
            for (int64_t k = 0; k <= j; k++) gram[j * d + k] += (rows->x[i * d + j] - mean[j]) * (rows->x[i * d + k] - mean[k]) / (double)count;
    for (int64_t j = 0; j < d; j++) values[j] = gram[j * d + j] > 0 ? 1 / sqrt(gram[j * d + j]) : 0;
    for (int64_t j = 0; j < d; j++)
        for (int64_t k = 0; k <= j; k++) gram[k * d + j] = gram[j * d + k] *= values[j] * values[k];
    double *scale = nigh_alloc(ctx, (size_t)d * sizeof *scale);
    if (scale) memcpy(scale, values, (size_t)d * sizeof *scale);
    nigh_status status = scale ? linalg_eigen(ctx, d, gram, values) : NIGH_MEMORY;
    for (int64_t j = 0; j < d && !status; j++) {
        plane[j] = gram[(d - 1) * d + j] * scale[j];
        plane[d + j] = d > 1 ? gram[(d - 2) * d + j] * scale[j] : 0;
    }
    nigh_free(ctx, scale);
    nigh_free(ctx, gram);
    return status;
}

static void project(const nigh_rows *rows, const double *plane, const double *mean, int64_t row, double out[2])
{
    for (int k = 0; k < 2; k++) {
        out[k] = 0;
        for (int64_t j = 0; j < rows->d; j++) out[k] += (rows->x[row * rows->d + j] - mean[j]) * plane[k * rows->d + j];
    }
}

/* All rows (at most POINTS_MOST, evenly taken) as small dots, the kept ones above them, wider the more they weigh. */
static void put_points(nigh_page *page, const nigh_reduction *o, const nigh_rows *rows, const double *plane, const double *mean, double *at)
{
    const nigh_subset *kept = &o->candidates[o->chosen].subset;
    int64_t step = rows->n / POINTS_MOST + 1, given = (rows->n + step - 1) / step, shown = kept->count < POINTS_MOST ? kept->count : POINTS_MOST;
    double *x = at, *y = at + given, *kx = y + given, *ky = kx + shown, most = 0;
    nigh_axis xs = nigh_axis_new(rows->d > 1 ? "first principal direction" : "feature", false, NIGH_AXIS_NUMBER), ys = nigh_axis_new("second", false, NIGH_AXIS_NUMBER);
    nigh_plot plot;
    for (int64_t i = 0; i < given; i++) {
        double p[2];
        project(rows, plane, mean, i * step, p);
        x[i] = p[0], y[i] = p[1];
    }
    for (int64_t i = 0; i < shown; i++) {
        double p[2];
        project(rows, plane, mean, kept->index[i], p);
        kx[i] = p[0], ky[i] = p[1];
        most = fmax(most, kept->weight[i]);
    }
    nigh_axis_cover(&xs, given, x), nigh_axis_cover(&xs, shown, kx), nigh_axis_cover(&ys, given, y), nigh_axis_cover(&ys, shown, ky);
    nigh_axis_round(&xs), nigh_axis_round(&ys);
    nigh_page_figure(page, "Points kept over points given");
    nigh_plot_begin(&plot, page->html, "Rows of the subset over all rows, along the two directions of most variance", &xs, &ys);
    nigh_plot_dots(&plot, "quiet", 1.6, given, x, y);
    for (int64_t i = 0; i < shown; i++) nigh_plot_dots(&plot, "accent", 2.2 + 5 * sqrt(kept->weight[i] / most), 1, kx + i, ky + i);
    nigh_page_plot_end(page, &plot);
    nigh_page_raw(page, "<figcaption>");
    nigh_page_key(page, "quiet disc", "given");
    nigh_page_key(page, "accent disc", "kept, wider the more it weighs");
    nigh_page_raw(page, "<span>%lld of %lld rows are kept.</span></figcaption></figure>\n", (long long)kept->count, (long long)o->n);
}

static void points_picture(nigh_page *page, const nigh_reduction *o, const nigh_rows *rows)
{
    if (page->status || !rows || o->chosen <= 0 || o->candidates[o->chosen].model_only) return;
    double *work = nigh_alloc(page->ctx, (size_t)(3 * rows->d + 4 * (POINTS_MOST + 1) + 4) * sizeof *work);
    page->status = work ? find_plane(page->ctx, rows, work, work + 2 * rows->d) : NIGH_MEMORY;
    if (!page->status) put_points(page, o, rows, work, work + 2 * rows->d, work + 3 * rows->d);
    nigh_free(page->ctx, work);
}

/* ---- the page ----------------------------------------------------------------------------------------------- */

static void put_lines(nigh_page *page, char *text)
{
    for (char *line = text, *end; *line; line = end + 1) {
        end = line + strcspn(line, "\n");
        bool last = !*end;
        *end = 0;
        nigh_page_words(page, line);
        nigh_page_raw(page, "\n");
        if (last) break;
    }
}

nigh_status nigh_reduction_html(nigh_context *ctx, const char *name, const nigh_reduction *o, const nigh_rows *rows, nigh_buffer *html)
{
    nigh_buffer text = {.ctx = ctx};
    nigh_page page = {.ctx = ctx, .html = html};
    html->ctx = ctx;
    page.status = nigh_reduction_print(ctx, o, true, &text);
    nigh_page_begin(&page, "nigh: fewer rows");
    nigh_page_raw(&page, "<header><h1>Fewer rows</h1><p>");
    nigh_page_words(&page, name);
    nigh_page_raw(&page, "</p></header>\n<pre class=\"receipt\">");
    put_lines(&page, text.data ? text.data : (char[]){0});
    nigh_page_raw(&page, "</pre>\n<div class=\"figures\">\n");
    size_picture(&page, o);
    points_picture(&page, o, rows);
    nigh_page_raw(&page, "</div>\n");
    nigh_page_end(&page, ".");
    nigh_buffer_free(&text);
    return page.status;
}
