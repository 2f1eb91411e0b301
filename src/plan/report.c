/*
 * The report: one self-contained HTML page from outcomes as JSON. Inline SVG, one style sheet, no script, no network.
 * Every text that comes from an outcome goes through nigh_page_words, which escapes it.
 */
#include "plan/report.h"

#include "plan/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTCOMES_MAX = 1000, WORDS_ROOM = 4000, TABLE_MAX = 2000 };

void nigh_page_raw(nigh_page *page, const char *format, ...)
{
    char line[1024];
    if (page->status) return;
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof line) page->status = nigh_fail(page->ctx, NIGH_INTERNAL, "a piece of the page is too long");
    else page->status = nigh_buffer_add(page->html, line, (size_t)size);
}

void nigh_page_words(nigh_page *page, const char *text)
{
    if (!page->status) page->status = nigh_html_text(page->html, text, WORDS_ROOM);
}

/* ---- small pieces ---- */

static const char *or_else(const char *text, const char *otherwise) { return text && *text ? text : otherwise; }

static int digits_of(const nigh_receipt *r) { return r && r->reads > 0 ? 2 : 3; }

static void error_words(nigh_page *page, double error, int digits, const char *unit)
{
    char number[FIGURE_ROOM];
    nigh_page_words(page, nigh_figure_number(error, digits, number));
    if (unit && *unit && strcmp(unit, "1") != 0) {
        nigh_page_raw(page, " ");
        nigh_page_words(page, unit);
    }
}

static void verdict(nigh_page *page, const nigh_receipt *r)
{
    if (!r) nigh_page_raw(page, "<span class=\"chip none\">no receipt</span>");
    else nigh_page_raw(page, "<span class=\"chip %s\">%s</span>", r->met ? "met" : "unmet", r->met ? "met" : "not met");
}

/* "371x (368 to 375)" */
static void ratio_words(nigh_page *page, const nigh_timing *t)
{
    char ratio[FIGURE_ROOM], low[FIGURE_ROOM], high[FIGURE_ROOM];
    nigh_page_raw(page, "<b>%s\u00d7</b> <span class=\"soft\">%s to %s</span>", nigh_figure_number(t->ratio, 3, ratio), nigh_figure_number(t->low, 3, low),
                  nigh_figure_number(t->high, 3, high));
}

static void beside_exact(nigh_page *page, const nigh_receipt *r)
{
    char ratio[FIGURE_ROOM];
    if (r->beside_exact.pairs > 0) ratio_words(page, &r->beside_exact);
    else if (r->exact_seconds > 0 && r->plan_seconds > 0)
        nigh_page_raw(page, "about %s\u00d7 <span class=\"soft\">not timed in pairs</span>", nigh_figure_number(r->exact_seconds / r->plan_seconds, 3, ratio));
    else nigh_page_raw(page, "<span class=\"soft\">not timed</span>");
}

static void beside_shortcut(nigh_page *page, const nigh_receipt *r)
{
    if (r->is_shortcut) nigh_page_raw(page, "<span class=\"soft\">is that shortcut itself</span>");
    else if (!r->shortcut) nigh_page_raw(page, "<span class=\"soft\">no shortcut shown to meet it</span>");
    else if (r->beside_shortcut.pairs > 0) ratio_words(page, &r->beside_shortcut);
    else nigh_page_raw(page, "<span class=\"soft\">not timed</span>");
}

/* ---- the summary on top ---- */

static void summary_row(nigh_page *page, int number, const nigh_report_outcome *o)
{
    const nigh_receipt *r = o->receipt;
    nigh_page_raw(page, "<tr><th scope=\"row\"><a href=\"#p%d\">", number);
    nigh_page_words(page, or_else(o->name, "not named"));
    nigh_page_raw(page, "</a></th><td data-name=\"\">");
    verdict(page, r);
    nigh_page_raw(page, "</td><td data-name=\"plan\">");
    nigh_page_words(page, r ? or_else(r->method, "none") : "none");
    if (r && r->settings && *r->settings) {
        nigh_page_raw(page, " <span class=\"soft\">");
        nigh_page_words(page, r->settings);
        nigh_page_raw(page, "</span>");
    }
    nigh_page_raw(page, "</td><td data-name=\"asked\" class=\"number\">");
    if (r) {
        nigh_page_raw(page, "%s ", nigh_statistic_name(r->statistic));
        error_words(page, r->error, 3, r->unit);
    }
    nigh_page_raw(page, "</td><td data-name=\"bound\" class=\"number\">");
    if (r) {
        nigh_receipt shown = nigh_receipt_shown(r);
        error_words(page, nigh_receipt_decides(&shown, NULL), digits_of(r), r->unit);
        nigh_page_raw(page, " <span class=\"soft\">%s</span>", nigh_label_name(r->label));
    }
    nigh_page_raw(page, "</td><td data-name=\"beside exact\" class=\"number\">");
    if (r) beside_exact(page, r);
    nigh_page_raw(page, "</td><td data-name=\"beside shortcut\" class=\"number\">");
    if (r) beside_shortcut(page, r);
    nigh_page_raw(page, "</td></tr>\n");
}

static void summary(nigh_page *page, int count, nigh_report_outcome **outcomes)
{
    int met = 0;
    for (int i = 0; i < count; i++) met += outcomes[i]->receipt && outcomes[i]->receipt->met;
    nigh_page_raw(page, "<header><h1>Receipts</h1><p>%d problem%s planned; the error asked for was met in %d. Each plan is compared with the exact "
                  "computation and with the best classical shortcut that may use the same error.</p></header>\n", count, count == 1 ? "" : "s", met);
    nigh_page_raw(page, "<table class=\"summary\"><thead><tr><th>problem</th><th></th><th>plan</th><th class=\"number\">asked</th>"
                  "<th class=\"number\">bound</th><th class=\"number\">beside exact</th><th class=\"number\">beside best shortcut</th></tr></thead><tbody>\n");
    for (int i = 0; i < count; i++) summary_row(page, i + 1, outcomes[i]);
    nigh_page_raw(page, "</tbody></table>\n");
}

/* ---- one problem ---- */

/* Rows of the receipt; those with an empty key go on in the description before. */
typedef struct receipt_list {
    nigh_page *page;
    bool open;
} receipt_list;

static nigh_status add_fact(void *user, const char *name, const char *value)
{
    receipt_list *list = user;
    nigh_page *page = list->page;
    if (strcmp(name, "in words") == 0) return page->status; /* stands above the plots already */
    if (*name) {
        nigh_page_raw(page, "%s<dt>", list->open ? "</dd>" : "");
        nigh_page_words(page, name);
        nigh_page_raw(page, "</dt><dd>");
        list->open = true;
    } else {
        nigh_page_raw(page, "<br>");
    }
    nigh_page_words(page, value);
    return page->status;
}

static void put_receipt(nigh_page *page, const nigh_receipt *r)
{
    receipt_list list = {page, false};
    nigh_page_raw(page, "<h3>Receipt</h3><dl class=\"receipt\">");
    if (!page->status) page->status = nigh_receipt_rows(page->ctx, r, add_fact, &list);
    nigh_page_raw(page, "%s</dl>\n", list.open ? "</dd>" : "");
}

/* Order of the table: chosen, then the chain, then what passed, what missed, what was never tried; cheaper first. */
static int rank_of(nigh_candidate_state state)
{
    static const int rank[] = {[NIGH_CANDIDATE_CHOSEN] = 0,  [NIGH_CANDIDATE_PROVED] = 1,  [NIGH_CANDIDATE_REFUSED] = 2,
                               [NIGH_CANDIDATE_PASSED] = 3,  [NIGH_CANDIDATE_MISSED] = 4,  [NIGH_CANDIDATE_FAILED] = 5,
                               [NIGH_CANDIDATE_SKIPPED] = 6, [NIGH_CANDIDATE_WAITING] = 7, [NIGH_CANDIDATE_UNSUPPORTED] = 8};
    return rank[state];
}

static int by_rank(const void *a, const void *b)
{
    const nigh_report_candidate *p = *(const nigh_report_candidate *const *)a, *q = *(const nigh_report_candidate *const *)b;
    int first = rank_of(p->state), second = rank_of(q->state);
    if (first != second) return first - second;
    if (p->cost < q->cost || p->cost > q->cost) return p->cost < q->cost ? -1 : 1;
    return p < q ? -1 : p > q;
}

static void figure_cell(nigh_page *page, const char *name, bool known, const char *text)
{
    nigh_page_raw(page, "<td class=\"number\" data-name=\"%s\">%s</td>", name, known ? text : "<span class=\"soft\">\u2013</span>");
}

static void candidate_row(nigh_page *page, const nigh_report_candidate *c)
{
    char text[FIGURE_ROOM], low[FIGURE_ROOM];
    bool screened = c->state >= NIGH_CANDIDATE_MISSED && !isnan(c->decides);
    nigh_page_raw(page, "<tr class=\"%s\"><th scope=\"row\">", nigh_candidate_state_names[c->state]);
    nigh_page_words(page, or_else(c->label, "no name"));
    if (c->shortcut) nigh_page_raw(page, " <span class=\"soft\">shortcut</span>");
    nigh_page_raw(page, "</th><td data-name=\"state\">%s</td>", nigh_candidate_state_names[c->state]);
    figure_cell(page, "screened error", screened, nigh_figure_number(c->decides, 3, text));
    figure_cell(page, "per use", c->apply_seconds > 0, nigh_figure_seconds(c->apply_seconds, text));
    figure_cell(page, "fit", screened, nigh_figure_seconds(c->fit_seconds, text));
    figure_cell(page, "cost", c->cost > 0, nigh_figure_seconds(c->cost, text));
    nigh_page_raw(page, "<td data-name=\"notes\" class=\"why\">");
    if (c->why) nigh_page_words(page, c->why);
    else if (screened)
        nigh_page_raw(page, "%s%s", c->timed ? "timed" : "cost counted",
                      c->link >= 0 ? (snprintf(low, sizeof low, ", link %lld of the chain", (long long)c->link + 1), low) : "");
    else if (isfinite(c->estimate.high))
        nigh_page_raw(page, "expected error %s to %s", nigh_figure_number(c->estimate.low, 2, low), nigh_figure_number(c->estimate.high, 2, text));
    nigh_page_raw(page, "</td></tr>\n");
}

static void put_candidates(nigh_page *page, const nigh_report_outcome *o)
{
    if (o->count == 0 || page->status) return;
    const nigh_report_candidate **sorted = nigh_alloc_zero(page->ctx, (size_t)o->count, sizeof *sorted);
    if (!sorted) {
        page->status = NIGH_MEMORY;
        return;
    }
    for (int i = 0; i < o->count; i++) sorted[i] = &o->candidates[i];
    qsort(sorted, (size_t)o->count, sizeof *sorted, by_rank);
    int shown = o->count < TABLE_MAX ? o->count : TABLE_MAX;
    nigh_page_raw(page, "<details><summary>All %d candidates</summary>", o->count);
    if (shown < o->count) nigh_page_raw(page, "<p>The first %d are listed.</p>", shown);
    nigh_page_raw(page, "<table class=\"candidates\"><thead><tr><th>candidate</th><th>state</th><th class=\"number\">screened error</th><th class=\"number\">per use</th>"
                  "<th class=\"number\">fit</th><th class=\"number\">cost</th><th>notes</th></tr></thead><tbody>\n");
    for (int i = 0; i < shown; i++) candidate_row(page, sorted[i]);
    nigh_page_raw(page, "</tbody></table></details>\n");
    nigh_free(page->ctx, sorted);
}

/* Who is cheapest from how many uses on. */
static void put_winners(nigh_page *page, const nigh_report_outcome *o)
{
    if (o->rows < 2) return;
    nigh_page_raw(page, "<p class=\"winners\">Cheapest: ");
    for (int i = 0; i < o->rows; i++) {
        char uses[FIGURE_ROOM];
        int c = o->envelope[i].candidate;
        nigh_page_raw(page, "%s<span>", i > 0 ? "; " : "");
        nigh_page_words(page, c < 0 ? "the exact computation" : or_else(o->candidates[c].label, "no name"));
        nigh_page_raw(page, " <span class=\"soft\">from %s use%s on</span></span>", nigh_figure_count(o->envelope[i].uses, uses), o->envelope[i].uses == 1 ? "" : "s");
    }
    nigh_page_raw(page, ".</p>\n");
}

static void problem_section(nigh_page *page, int number, const nigh_report_outcome *o)
{
    char deciding[FIGURE_ROOM];
    nigh_page_raw(page, "<section id=\"p%d\"><h2>", number);
    nigh_page_words(page, or_else(o->name, "not named"));
    nigh_page_raw(page, " ");
    verdict(page, o->receipt);
    nigh_page_raw(page, "</h2>\n<p class=\"words\">");
    nigh_page_words(page, o->receipt ? or_else(o->receipt->words, "") : "No candidate could be measured, so there is no receipt.");
    nigh_page_raw(page, "</p>\n<p class=\"soft\">");
    nigh_page_words(page, or_else(o->kind, "unknown kind"));
    nigh_page_raw(page, "; %d candidates; %lld inputs to fit, %lld to screen, %lld to test; decided in %s</p>\n", o->count, (long long)o->n_fit,
                  (long long)o->n_screen, (long long)o->n_test, nigh_figure_seconds(o->deciding_seconds, deciding));
    put_winners(page, o);
    nigh_page_raw(page, "<div class=\"figures\">\n");
    nigh_report_pareto(page, o);
    nigh_report_envelope(page, o);
    nigh_report_errors(page, o);
    nigh_report_chart(page, o);
    nigh_report_timings(page, o);
    nigh_page_raw(page, "</div>\n");
    nigh_report_fields(page, o);
    if (o->receipt) put_receipt(page, o->receipt);
    put_candidates(page, o);
    nigh_page_raw(page, "</section>\n");
}

void nigh_page_begin(nigh_page *page, const char *title)
{
    nigh_page_raw(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                  "<meta name=\"color-scheme\" content=\"light dark\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                  "'unsafe-inline'\"><title>");
    nigh_page_words(page, title);
    nigh_page_raw(page, "</title>\n<style>");
    if (!page->status) page->status = nigh_buffer_add(page->html, nigh_report_style, strlen(nigh_report_style));
    nigh_page_raw(page, "</style></head><body><main>\n");
}

void nigh_page_end(nigh_page *page, const char *made)
{
    nigh_page_raw(page, "<footer>Made by nigh %s%s</footer>\n</main></body></html>\n", nigh_version(), made);
}

static void write_page(nigh_page *page, int count, nigh_report_outcome **outcomes)
{
    nigh_page_begin(page, "nigh: receipts");
    summary(page, count, outcomes);
    for (int i = 0; i < count; i++) problem_section(page, i + 1, outcomes[i]);
    nigh_page_end(page, " from stored outcomes. docs/receipts.md says what each figure means.");
}

nigh_status nigh_report_html(nigh_context *ctx, int count, const char *const *texts, nigh_buffer *html)
{
    if (count < 1 || count > OUTCOMES_MAX) return nigh_fail(ctx, NIGH_INVALID, "%d outcomes; 1 to %d are allowed", count, OUTCOMES_MAX);
    nigh_report_outcome **outcomes = nigh_alloc_zero(ctx, (size_t)count, sizeof *outcomes);
    if (!outcomes) return NIGH_MEMORY;
    nigh_page page = {.ctx = ctx, .html = html};
    html->ctx = ctx;
    for (int i = 0; !page.status && i < count; i++) page.status = nigh_report_read(ctx, i + 1, texts[i], &outcomes[i]);
    if (!page.status) write_page(&page, count, outcomes);
    for (int i = 0; i < count; i++) nigh_report_outcome_free(outcomes[i]);
    nigh_free(ctx, outcomes);
    return page.status;
}
