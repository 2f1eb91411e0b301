/*
 * A receipt as people read it: one line per fact, 100 columns at most, plain ASCII but for the user's own texts.
 * Nothing is shown that was not measured, proved or stated; what is missing is said to be missing, and why.
 */
#include "plan/figures.h"
#include "plan/receipt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_COLUMNS = 12, COLUMNS = 100 };

/* Texts may come from a file of someone else's: no control characters (terminal escapes) pass. */
static void make_printable(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c == '\n' || *c == '\t') *c = ' ';
        if (*c < 0x20 || *c == 0x7f) *c = '?';
        if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) c[0] = c[1] = '?'; /* C1 controls */
    }
}

/* What every row needs: the receipt as it may be shown, where rows go, digits, the unit with a space before it. */
typedef struct view {
    const nigh_receipt *r;
    nigh_context *ctx;
    nigh_receipt_row_fn *add;
    void *user;
    int digits;
    char unit[40];
} view;

/* One fact. An empty key continues the one before. */
static nigh_status row(const view *v, const char *key, const char *format, ...) NIGH_PRINTF(3, 4);
static nigh_status row(const view *v, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) return nigh_fail(v->ctx, NIGH_INTERNAL, "bad format '%s'", format);
    char *value = nigh_alloc(v->ctx, (size_t)size + 1);
    if (!value) return NIGH_MEMORY;
    va_start(arguments, format);
    vsnprintf(value, (size_t)size + 1, format, arguments);
    va_end(arguments);
    make_printable(value);
    nigh_status status = v->add(v->user, key, value);
    nigh_free(v->ctx, value);
    return status;
}

static const char *or_else(const char *text, const char *otherwise) { return text && *text ? text : otherwise; }

/* An error with its unit. */
typedef struct amount {
    char text[FIGURE_ROOM + 40];
} amount;

static amount error_text(const view *v, double error)
{
    amount a;
    char number[FIGURE_ROOM];
    snprintf(a.text, sizeof a.text, "%s%s", nigh_figure_number(error, v->digits, number), v->unit);
    return a;
}

static amount asked_text(const view *v)
{
    amount a;
    char number[FIGURE_ROOM];
    snprintf(a.text, sizeof a.text, "%s%s", nigh_figure_number(v->r->error, 3, number), v->unit);
    return a;
}

static const char *percent(double share, int digits, char out[FIGURE_ROOM])
{
    return nigh_figure_percent(share, digits, out);
}

/* How sure a figure's bound is: "95%", "99.58%". */
static const char *sure(double confidence, char out[FIGURE_ROOM]) { return percent(confidence, 4, out); }

static nigh_status print_head(const view *v)
{
    const nigh_receipt *r = v->r;
    static const char *const asked[] = {"mean error", "95% of errors", "worst error"};
    char at[FIGURE_ROOM];
    nigh_status s = row(v, "problem", "%s (%s)", or_else(r->problem, "not named"), or_else(r->kind, "kind not stated"));
    if (!s) s = row(v, "plan", "%s%s%s", or_else(r->method, "none"), r->settings && *r->settings ? " " : "", or_else(r->settings, ""));
    if (!s && r->as_stated) s = row(v, "AS STATED", "by the file that holds it; not rechecked on this machine");
    if (!s)
        s = row(v, "asked", "%s <= %s, measure %s, with %s confidence", asked[r->statistic], asked_text(v).text,
                or_else(r->measure, "not stated"), sure(r->confidence, at));
    return s;
}

/* The verdict: the figure that decides beside E. A worst error that was only seen never meets anything. */
static nigh_status print_verdict(const view *v)
{
    const nigh_receipt *r = v->r;
    static const char *const bound[] = {"bound of the mean", "bound of p95", "worst error"};
    nigh_statistic which;
    double decides = nigh_receipt_decides(r, &which);
    const char *key = r->met ? "MET" : "NOT MET";
    if (isnan(decides)) return row(v, key, "%s: neither measured nor proved", bound[which]);
    if (which == NIGH_WORST && !r->certificate.how)
        return row(v, key, "worst error seen %s; only a certificate could meet %s", error_text(v, decides).text, asked_text(v).text);
    nigh_status s = row(v, key, "%s %s %s %s [%s]", bound[which], error_text(v, decides).text, decides <= r->error ? "<=" : ">",
                        asked_text(v).text, nigh_label_name(r->label));
    if (!s && !r->met && decides <= r->error)
        s = row(v, "", "but more inputs than allowed may have errors above %s: see outliers", error_text(v, r->clip).text);
    return s;
}

static nigh_status print_mean(const view *v)
{
    const nigh_receipt *r = v->r;
    char at[FIGURE_ROOM], share[FIGURE_ROOM], high[FIGURE_ROOM];
    nigh_status s;
    if (r->mean.n > 0)
        s = row(v, "mean", "%s, at most %s (%s) [measured]; errors clipped at %s", error_text(v, r->mean.estimate).text,
                error_text(v, r->mean.high).text, sure(r->mean.confidence, at), error_text(v, r->clip).text);
    else
        s = row(v, "mean", "not measured");
    if (s) return s;
    if (r->outliers.n > 0)
        return row(v, "outliers", "%s of inputs have errors above %s, at most %s (%s) [measured]",
                   percent(r->outliers.estimate, v->digits, share), error_text(v, r->clip).text,
                   percent(r->outliers.high, v->digits, high), sure(r->outliers.confidence, at));
    return row(v, "outliers", "not measured");
}

static nigh_status print_p95(const view *v)
{
    const nigh_figure *f = &v->r->p95;
    char at[FIGURE_ROOM];
    if (f->n <= 0) return row(v, "p95", "not measured");
    if (!isfinite(f->high))
        return row(v, "p95", "%s [measured]; no bound from %lld inputs (59 are needed at 95%%)", error_text(v, f->estimate).text, (long long)f->n);
    return row(v, "p95", "%s, at most %s (%s) [measured]", error_text(v, f->estimate).text, error_text(v, f->high).text,
               sure(f->confidence, at));
}

static nigh_status print_worst(const view *v)
{
    const nigh_receipt *r = v->r;
    const nigh_certificate *c = &r->certificate;
    char number[FIGURE_ROOM], inputs[FIGURE_ROOM], at[FIGURE_ROOM];
    const char *key = "worst";
    if (c->how) {
        char attained[2 * FIGURE_ROOM] = "";
        if (c->exact && isfinite(c->at)) snprintf(attained, sizeof attained, ", attained at %s", nigh_figure_number(c->at, 9, at));
        else if (c->exact) snprintf(attained, sizeof attained, ", attained");
        nigh_status s = row(v, key, "at most %s [certified]: %s (%s inputs)%s", error_text(v, c->worst).text, c->how,
                            isinf(c->inputs) ? "all" : nigh_figure_count(c->inputs, inputs), attained);
        if (s || r->tests <= 0) return s;
        key = "";
    } else if (r->tests <= 0) {
        return row(v, key, "not measured");
    }
    return row(v, key, "worst seen %s; at most %s of inputs are worse (%s) [measured]", error_text(v, r->worst).text,
               percent(r->worst_share, v->digits, number), sure(1 - r->level, at));
}

static nigh_status print_tests(const view *v)
{
    const nigh_receipt *r = v->r;
    char at[FIGURE_ROOM];
    if (r->tests <= 0) return row(v, "tested on", "no inputs%s", r->certificate.how ? "; the certificate stands for all" : "");
    nigh_status s = row(v, "tested on", "%lld inputs, %s; this walk was tested at level %s", (long long)r->tests,
                        or_else(r->tests_from, "origin not stated"), percent(r->level, 3, at));
    if (!s && r->reads > 0)
        s = row(v, "", "test rows read %lld time%s: only pass or fail and two digits are shown", (long long)r->reads,
                r->reads == 1 ? "" : "s");
    return s;
}

/* How exact the exact computation is, and the plan's error elsewhere: of fields only. */
static nigh_status print_grids(const view *v)
{
    const nigh_receipt *r = v->r;
    const nigh_refinement *f = &r->refinement;
    nigh_status s = NIGH_OK;
    if (f->n > 0)
        s = row(v, "reference", "the exact computation's own discretisation error: %s in the mean of %lld inputs, %s at most (one refinement) [measured]",
                error_text(v, f->mean).text, (long long)f->n, error_text(v, f->worst).text);
    else if (f->why)
        s = row(v, "reference", "the exact computation's own discretisation error was not measured: %s", f->why);
    if (!s && f->n > 0 && f->mean > r->error / 3)
        s = row(v, "", "WARNING: that is more than a third of the %s asked for", asked_text(v).text);
    if (s || r->grids < 1) return s;
    char text[NIGH_GRIDS * (FIGURE_ROOM + 64)] = "", number[FIGURE_ROOM], own[96] = "";
    size_t size = 0;
    for (int i = 0; i < r->grids; i++) {
        const nigh_grid_error *g = &r->grid[i];
        char grid[64];
        nigh_grid_text(g, grid);
        if (g->own) snprintf(own, sizeof own, "; the receipt speaks for %s", grid);
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s: %s", i ? ", " : "", grid, nigh_figure_number(g->mean, 3, number));
    }
    return row(v, "other grids", "%s (mean errors, %lld inputs each%s) [measured]", text, (long long)r->grid[0].n, own);
}

/* "371x (368 to 375 at 95%, 15 pairs) beside the exact computation" and what to think of it. */
static nigh_status print_ratio(const view *v, const char *key, const nigh_timing *t, const char *beside, const char *name)
{
    char ratio[FIGURE_ROOM], low[FIGURE_ROOM], high[FIGURE_ROOM], repeated[FIGURE_ROOM] = "";
    if (t->repeated > 0) snprintf(repeated, sizeof repeated, " + %d repeated", t->repeated);
    nigh_status s = row(v, key, "%sx (%s to %s at 95%%, %d pairs%s) beside %s%s [measured]", nigh_figure_number(t->ratio, 3, ratio),
                        nigh_figure_number(t->low, 3, low), nigh_figure_number(t->high, 3, high), t->pairs, repeated, beside, name);
    if (!s && t->low <= 1 && t->high >= 1) s = row(v, "", "that is a tie: the interval contains 1");
    if (!s && t->busy) s = row(v, "", "machine busy: the interval stayed wider than +-5%%, timed with %d thread%s", t->threads, t->threads == 1 ? "" : "s");
    return s;
}

static nigh_status print_speed(const view *v)
{
    const nigh_receipt *r = v->r;
    char plan[FIGURE_ROOM], exact[FIGURE_ROOM], ratio[FIGURE_ROOM];
    bool timed = r->beside_exact.pairs > 0, known = r->exact_seconds > 0, counted = r->plan_seconds > 0;
    nigh_status s = row(v, "time", "%s per use%s; exact %s%s", counted ? nigh_figure_seconds(r->plan_seconds, plan) : "not timed",
                        timed ? " [measured]" : counted ? " (not timed in pairs)" : "",
                        known ? nigh_figure_seconds(r->exact_seconds, exact) : "not known",
                        !known ? "" : timed ? " [measured]" : " (not timed in pairs)");
    if (s) return s;
    if (timed) return print_ratio(v, "speed-up", &r->beside_exact, "the exact computation", "");
    if (!known || !counted)
        return row(v, "speed-up", "beside the exact computation: not timed, %s",
                   known ? "no clock was used" : "it cannot be run here and its time is not known");
    return row(v, "speed-up", "about %sx beside the exact computation, from the times above; not timed in pairs",
               nigh_figure_number(r->exact_seconds / r->plan_seconds, 3, ratio));
}

static nigh_status print_shortcut(const view *v)
{
    const nigh_receipt *r = v->r;
    if (r->is_shortcut) return row(v, "", "the plan IS the best classical shortcut that may use the same error");
    if (!r->shortcut) return row(v, "", "no classical shortcut was shown to meet the same error");
    if (r->beside_shortcut.pairs <= 0)
        return row(v, "", "beside the best classical shortcut, %s: not timed (no clock, or the counted costs differ more than twofold)", r->shortcut);
    return print_ratio(v, "", &r->beside_shortcut, "the best classical shortcut, ", r->shortcut);
}

static nigh_status print_cost(const view *v)
{
    const nigh_receipt *r = v->r;
    char fit[FIGURE_ROOM], calls[FIGURE_ROOM], uses[FIGURE_ROOM], plan[FIGURE_ROOM], exact[FIGURE_ROOM];
    double even = nigh_receipt_break_even(r->fit_seconds, r->exact_seconds, r->plan_seconds);
    char pays[2 * FIGURE_ROOM];
    if (isnan(even)) snprintf(pays, sizeof pays, "when it pays off is not known");
    else if (isinf(even)) snprintf(pays, sizeof pays, "never pays off: a use costs no less than the exact one");
    else if (even <= 1) snprintf(pays, sizeof pays, "pays off from the first use on");
    else snprintf(pays, sizeof pays, "pays off from %s uses on", nigh_figure_count(even, uses));
    nigh_status s = row(v, "fit", "%s once, with %s exact calls in it; %s", nigh_figure_seconds(r->fit_seconds, fit),
                        nigh_figure_count(r->exact_calls, calls), pays);
    if (s) return s;
    if (r->exact_bytes > 0)
        return row(v, "memory", "%s; exact %s", nigh_figure_bytes(r->plan_bytes, plan), nigh_figure_bytes(r->exact_bytes, exact));
    return row(v, "memory", "%s; exact not known", nigh_figure_bytes(r->plan_bytes, plan));
}

static nigh_status print_foot(const view *v)
{
    const nigh_receipt *r = v->r;
    nigh_status s = row(v, "made by", "nigh %s, seed %llu, %d thread%s; %s", or_else(r->nigh, "of unknown version"),
                        (unsigned long long)r->seed, r->threads, r->threads == 1 ? "" : "s", or_else(r->libraries, "libraries not stated"));
    if (!s)
        s = row(v, "on", "%s (%s)%s%s", or_else(r->cpu, "CPU not stated"), or_else(r->cpu_level, "level not stated"),
                r->host && *r->host ? ", host " : "", or_else(r->host, ""));
    if (!s) s = row(v, "holds for", "inputs of the distribution tested, inside the plan's ranges; nothing is said beyond");
    if (!s && r->source && *r->source) s = row(v, "method of", "%s", r->source);
    if (!s) s = row(v, "in words", "%s", or_else(r->words, "nothing was said"));
    return s;
}

nigh_status nigh_receipt_rows(nigh_context *ctx, const nigh_receipt *receipt, nigh_receipt_row_fn *add, void *user)
{
    nigh_receipt shown = nigh_receipt_shown(receipt);
    view v = {.r = &shown, .ctx = ctx, .add = add, .user = user, .digits = receipt->reads > 0 ? 2 : 3};
    if (receipt->unit && *receipt->unit && strcmp(receipt->unit, "1") != 0) snprintf(v.unit, sizeof v.unit, " %.38s", receipt->unit);
    static nigh_status (*const parts[])(const view *) = {print_head, print_verdict, print_mean, print_p95, print_worst, print_tests, print_grids,
                                                         print_speed, print_shortcut, print_cost, print_foot};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        nigh_status status = parts[i](&v);
        if (status) return status;
    }
    return NIGH_OK;
}

/* Bytes of the longest part of text that fits `columns` and ends before a space (or is all of it). */
static size_t line_length(const char *text, int columns)
{
    size_t fits = 0, i = 0;
    for (int used = 0; text[i]; used++) {
        if (text[i] == ' ') fits = i;
        if (used >= columns && fits > 0) return fits;
        do i++;
        while (((unsigned char)text[i] & 0xc0) == 0x80);
    }
    return i;
}

/* "key         value", the value wrapped below itself. */
static nigh_status add_lines(void *user, const char *key, const char *value)
{
    nigh_buffer *text = user;
    nigh_status status = NIGH_OK;
    do {
        size_t length = line_length(value, COLUMNS - KEY_COLUMNS);
        status = nigh_buffer_print(text, "%-*s%.*s\n", KEY_COLUMNS, key, (int)length, value);
        value += length;
        while (*value == ' ') value++;
        key = "";
    } while (!status && *value);
    return status;
}

nigh_status nigh_receipt_print(nigh_context *ctx, const nigh_receipt *receipt, nigh_buffer *text)
{
    text->ctx = ctx;
    return nigh_receipt_rows(ctx, receipt, add_lines, text);
}
