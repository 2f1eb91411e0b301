/* The inside of the HTML report: outcomes as read from JSON, and a page that keeps its first failure. */
#ifndef NIGH_PLAN_REPORT_H
#define NIGH_PLAN_REPORT_H

#include "plan/plot.h"
#include "plan/receipt.h"

typedef struct nigh_report_candidate {
    char *label, *method, *why, *estimated_from;
    nigh_candidate_state state;
    bool shortcut, timed;
    nigh_range estimate;
    double mean, standard_error, p95, worst, decides;
    double fit_seconds, apply_seconds, cost;
    int64_t link;
} nigh_report_candidate;

typedef struct nigh_report_outcome {
    char *name, *kind, *identity, *measure, *unit;
    nigh_receipt *receipt; /* NULL: none */
    int chosen, count, rows;
    nigh_report_candidate *candidates;
    nigh_envelope_row *envelope;
    int64_t n_fit, n_screen, n_test;
    double exact_seconds, deciding_seconds;
    int64_t curve_count, quantiles;
    double *curve_x, *curve_error, *quantile;
    const nigh_chart *chart; /* NULL: none */
    const nigh_pictures *pictures; /* NULL: none */
    nigh_arena *arena; /* holds all but the receipt, this struct included */
} nigh_report_outcome;

/* Checks everything: types, ranges, lengths, references. NIGH_FORMAT names outcome `number` (from 1), key and value. */
nigh_status nigh_report_read(nigh_context *ctx, int number, const char *json, nigh_report_outcome **outcome);
void nigh_report_outcome_free(nigh_report_outcome *outcome); /* NULL is fine */

/* A page being written. raw: our own markup, never a text of someone else's; words: any text, escaped. */
typedef struct nigh_page {
    nigh_context *ctx;
    nigh_buffer *html;
    nigh_status status;
} nigh_page;

/* Head with style sheet up to <main>, and the foot; `made` is what follows "Made by nigh VERSION". */
void nigh_page_begin(nigh_page *page, const char *title);
void nigh_page_end(nigh_page *page, const char *made);
void nigh_page_raw(nigh_page *page, const char *format, ...) NIGH_PRINTF(2, 3);
void nigh_page_words(nigh_page *page, const char *text);

/* The figures of one outcome; each writes nothing when there is nothing to show. */
void nigh_report_pareto(nigh_page *page, const nigh_report_outcome *outcome);
void nigh_report_envelope(nigh_page *page, const nigh_report_outcome *outcome);
void nigh_report_errors(nigh_page *page, const nigh_report_outcome *outcome);
void nigh_report_chart(nigh_page *page, const nigh_report_outcome *outcome);
void nigh_report_timings(nigh_page *page, const nigh_report_outcome *outcome);
void nigh_report_fields(nigh_page *page, const nigh_report_outcome *outcome); /* samples of fields, their spectrum, errors on other grids */

/* Pieces of figures. heading and caption are our own markup; key: a swatch and any words. */
void nigh_page_figure(nigh_page *page, const char *heading);
void nigh_page_figure_end(nigh_page *page, const char *caption);
void nigh_page_key(nigh_page *page, const char *classes, const char *words);
void nigh_page_plot_end(nigh_page *page, nigh_plot *plot);
/* "error, relative-l2 (unit)" */
const char *nigh_page_error_axis(const nigh_report_outcome *outcome, char *out, size_t room, const char *what);

extern const char nigh_report_style[];

#endif
