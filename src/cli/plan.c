/* nigh plan */
#include "cli/problem.h"
#include "core/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct plan_words {
    problem_words problem;
    double error, confidence, outliers, uses, time;
    int64_t fit, screen, test;
    const char *statistic, *methods, *settings, *out, *replay, *report, *state, *outcome;
    bool no_clock, brute, table;
} plan_words;

/* The live table: one line per finished step on stderr. */
static void watch(void *user, const nigh_outcome *outcome)
{
    int *shown = user;
    for (; *shown < outcome->count; (*shown)++) {
        const nigh_candidate *c = &outcome->candidates[*shown];
        if (c->state == NIGH_CANDIDATE_WAITING) break;
        cli_clear();
        if (c->state == NIGH_CANDIDATE_PASSED || c->state == NIGH_CANDIDATE_MISSED)
            fprintf(stderr, "  %-52.52s %10.3g  %s\n", c->label, c->decides, c->state == NIGH_CANDIDATE_PASSED ? "met" : "missed");
        else if (c->state != NIGH_CANDIDATE_UNSUPPORTED) /* --table shows those */
            fprintf(stderr, "  %-52.52s %10s  %s\n", c->label, "-", c->why ? c->why : "");
    }
}

static const char *const state_words[] = {"waiting", "not for this", "left out", "failed", "too large", "met (screen)", "met", "refused", "CHOSEN"};

static int by_cost(const void *a, const void *b)
{
    const nigh_candidate *x = *(nigh_candidate *const *)a, *y = *(nigh_candidate *const *)b;
    bool p = x->state >= NIGH_CANDIDATE_PASSED, q = y->state >= NIGH_CANDIDATE_PASSED;
    if (p != q) return q - p;
    double s = p ? x->cost : x->decides, t = q ? y->cost : y->decides;
    return (s > t) - (s < t);
}

static void time_text(double seconds, char *text, size_t size)
{
    static const char *const units[] = {"s", "ms", "us", "ns", "ps"};
    int u = 0;
    while (u < 4 && seconds < 1 && seconds > 0) seconds *= 1e3, u++;
    snprintf(text, size, seconds > 0 ? "%.3g %s" : "-", seconds, units[u]);
}

/* All candidates: those that met the error by cost, then the rest by error, then what was left out and why. */
static nigh_status print_table(nigh_context *ctx, const nigh_outcome *o, nigh_buffer *text)
{
    nigh_candidate **order = nigh_alloc(ctx, ((size_t)o->count + 1) * sizeof *order);
    if (!order) return NIGH_MEMORY;
    for (int i = 0; i < o->count; i++) order[i] = &o->candidates[i];
    qsort(order, (size_t)o->count, sizeof *order, by_cost);
    nigh_status status = nigh_buffer_print(text, "%-46s %10s %10s %10s  %s\n", "candidate", "error", "fit", "per use", "");
    for (int i = 0; i < o->count && !status; i++) {
        const nigh_candidate *c = order[i];
        char fit[32], use[32];
        time_text(c->fit_seconds, fit, sizeof fit), time_text(c->apply_seconds, use, sizeof use);
        if (isfinite(c->decides))
            status = nigh_buffer_print(text, "%-46.46s %10.3g %10s %9s%s  %s%s%s\n", c->label, c->decides, fit, use, c->timed ? " " : "~",
                                       state_words[c->state], c->why ? ": " : "", c->why ? c->why : "");
        else
            status = nigh_buffer_print(text, "%-46.46s %10s %10s %10s  %s%s%s\n", c->label, "-", "-", "-", state_words[c->state], c->why ? ": " : "", c->why ? c->why : "");
    }
    nigh_free(ctx, order);
    return status;
}

static nigh_status print_envelope(const nigh_outcome *o, nigh_buffer *text)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < o->rows && !status; i++) {
        const char *name = o->envelope[i].candidate < 0 ? "the exact computation" : o->candidates[o->envelope[i].candidate].label;
        status = nigh_buffer_print(text, "  from %8.3g uses on: %s\n", o->envelope[i].uses, name);
    }
    return status;
}

/* Plans of the envelope beside the chosen one: OUT.from-USES for each other row. */
static nigh_status save_envelope(nigh_context *ctx, const nigh_outcome *o, const char *out)
{
    nigh_status status = NIGH_OK;
    for (int i = 0; i < o->rows && !status; i++) {
        int c = o->envelope[i].candidate;
        if (c < 0 || c == o->chosen || !o->candidates[c].plan || !o->candidates[c].plan->ops->save) continue;
        char *path = nigh_format(ctx, "%s.from-%.3g", out, o->envelope[i].uses);
        if (!path) return NIGH_MEMORY;
        status = nigh_plan_save(ctx, o->candidates[c].plan, path);
        nigh_free(ctx, path);
    }
    return status;
}

static nigh_status show(nigh_context *ctx, const plan_words *w, const nigh_problem *problem, const nigh_outcome *o)
{
    nigh_buffer json = {.ctx = ctx}, text = {.ctx = ctx}, html = {.ctx = ctx};
    nigh_status status = nigh_outcome_json(ctx, problem, o, &json);
    if (!status && w->outcome) status = nigh_file_write(ctx, w->outcome, json.data, json.size); /* files first: standard output may be closed early */
    if (!status && w->report) {
        const char *one = json.data;
        status = nigh_report_html(ctx, 1, &one, &html);
        if (!status) status = nigh_file_write(ctx, w->report, html.data, html.size);
    }
    if (!status && cli_json) {
        status = nigh_buffer_add(&json, "\n", 1);
        if (!status && cli_print(ctx, json.data, json.size)) status = NIGH_IO;
    } else if (!status) {
        if (w->table) status = print_table(ctx, o, &text);
        if (!status && w->table) status = nigh_buffer_add(&text, "\n", 1);
        if (!status && o->receipt) status = nigh_receipt_print(ctx, o->receipt, &text);
        if (!status && w->uses == 0 && o->rows > 1) status = print_envelope(o, &text);
        if (!status && text.size && cli_print(ctx, text.data, text.size)) status = NIGH_IO;
    }
    nigh_buffer_free(&html);
    nigh_buffer_free(&text);
    nigh_buffer_free(&json);
    return status;
}

static nigh_status read_request(nigh_context *ctx, const plan_words *w, const nigh_problem *problem, nigh_request *request)
{
    static const char *const names[] = {"mean", "p95", "worst"};
    int statistic = strcmp(problem->kind, "function") == 0 && problem->in.dtype == NIGH_F32 ? NIGH_WORST : NIGH_MEAN;
    if (w->statistic) {
        for (statistic = 0; statistic < 3 && strcmp(names[statistic], w->statistic) != 0;) statistic++;
        if (statistic == 3) return nigh_fail(ctx, NIGH_INVALID, "--statistic is '%s'; mean, p95 or worst is allowed", w->statistic);
    }
    request->error = w->error, request->statistic = (nigh_statistic)statistic, request->confidence = w->confidence;
    request->outliers = w->outliers, request->uses = w->uses, request->seconds = w->time;
    request->fit = w->fit, request->screen = w->screen, request->test = w->test;
    request->methods = w->methods, request->settings = w->settings, request->state = w->state;
    request->no_clock = w->no_clock, request->brute = w->brute;
    return NIGH_OK;
}

static void remove_journal(nigh_context *ctx, const char *journal)
{
    char *fit = nigh_format(ctx, "%s.fit", journal);
    if (fit) remove(fit);
    nigh_free(ctx, fit);
    remove(journal);
}

static nigh_status plan_problem(nigh_context *ctx, const plan_words *w, const nigh_problem *problem)
{
    nigh_request request = nigh_request_default();
    nigh_outcome *outcome = NULL;
    nigh_plan *replay = NULL;
    char *journal = NULL;
    int shown = 0;
    nigh_status status = read_request(ctx, w, problem, &request);
    if (!status && w->out && !w->replay && !(journal = nigh_format(ctx, "%s.journal", w->out))) status = NIGH_MEMORY;
    if (!status && w->replay) status = nigh_plan_load(ctx, w->replay, &replay);
    request.journal = journal, request.keep_journal = true, request.replay = replay;
    if (!cli_quiet && !cli_json) request.watch = watch, request.watch_user = &shown;
    if (!status) status = nigh_plan_make(ctx, problem, &request, &outcome);
    bool met = status == NIGH_OK, unmet = status == NIGH_UNMET && outcome;
    if (met && w->out) { /* before anything is shown: a full disk or a closed pipe there must not cost the plan */
        status = nigh_plan_save(ctx, outcome->plan, w->out);
        if (!status && w->uses == 0) status = save_envelope(ctx, outcome, w->out);
    }
    if (journal && (unmet || (met && !status))) remove_journal(ctx, journal);
    if (unmet || (met && !status)) {
        nigh_status shown_status = show(ctx, w, problem, outcome);
        if (!status) status = shown_status;
    }
    if (status == NIGH_INTERRUPTED && journal && access(journal, F_OK) == 0)
        nigh_fail(ctx, status, "interrupted; the same command goes on from %s", journal);
    nigh_plan_free(ctx, replay);
    nigh_outcome_free(ctx, outcome);
    nigh_free(ctx, journal);
    return status;
}

static bool has_loss(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--loss") == 0 || strncmp(argv[i], "--loss=", 7) == 0) return true;
    return false;
}

int cli_plan(nigh_context *ctx, int argc, char **argv)
{
    if (has_loss(argc, argv)) return cli_plan_rows(ctx, argc, argv);
    plan_words w = {.confidence = 0.95, .outliers = 1};
    const char *words[1] = {NULL};
    int count;
    const cli_flag flags[] = {
        {"error", 'e', CLI_REAL, &w.error, "E", "the error that is allowed, in the measure (must be given)", 0, 0},
        {"out", 'o', CLI_TEXT, &w.out, "PLAN", "write the plan here", 0, 0},
        PROBLEM_FLAGS(w.problem),
        {"statistic", 0, CLI_TEXT, &w.statistic, "S", "mean, p95 or worst must meet E (default: worst for f32 functions, else mean)", 0, 0},
        {"confidence", 0, CLI_REAL, &w.confidence, "C", "of the bound (default 0.95)", 0, 0},
        {"outliers", 0, CLI_REAL, &w.outliers, "SHARE", "at most this share of inputs may have an error above 5E", 0, 0},
        {"uses", 0, CLI_REAL, &w.uses, "N", "how often the plan will be used (default: tell who wins from which N on)", 0, 0},
        {"time", 0, CLI_REAL, &w.time, "SECONDS", "for exact runs and measuring", 0, 0},
        {"fit", 0, CLI_INT, &w.fit, "N", "samples to fit", 0, 1e9},
        {"screen", 0, CLI_INT, &w.screen, "N", "samples to screen", 0, 1e9},
        {"test", 0, CLI_INT, &w.test, "N", "samples to test", 0, 1e9},
        {"methods", 0, CLI_TEXT, &w.methods, "LIST", "only these methods, comma between", 0, 0},
        {"settings", 0, CLI_TEXT, &w.settings, "LIST", "fix options of methods: degree=5,reduction=native", 0, 0},
        {"replay", 0, CLI_TEXT, &w.replay, "PLAN", "repeat the decisions recorded in a plan, without timing", 0, 0},
        {"report", 0, CLI_TEXT, &w.report, "HTML", "write the report page here", 0, 0},
        {"outcome", 0, CLI_TEXT, &w.outcome, "JSON", "write the outcome here, for nigh report", 0, 0},
        {"table", 0, CLI_SWITCH, &w.table, NULL, "show all candidates, also those left out", 0, 0},
        {"no-clock", 0, CLI_SWITCH, &w.no_clock, NULL, "choose by counted cost and time nothing: same bits on every run", 0, 0},
        {"brute", 0, CLI_SWITCH, &w.brute, NULL, "try every setting of every grid", 0, 0},
        {"state", 0, CLI_TEXT, &w.state, "FOLDER", "ledger and wisdom here (default: the user's state folder)", 0, 0},
        {NULL, 0, 0, NULL, NULL, NULL, 0, 0},
    };
    int code = cli_parse(ctx, "plan", argc, argv, flags, words, 1, &count);
    if (code >= 0) return code;
    w.problem.text = count ? words[0] : NULL;
    if (w.error == 0) return cli_misuse(ctx, "which error is allowed? Say --error E with E > 0");
    nigh_problem *problem = NULL;
    cli_progress_start(ctx);
    nigh_status status = problem_from_words(ctx, &w.problem, &problem);
    if (!status) status = plan_problem(ctx, &w, problem);
    if (problem) nigh_problem_free(ctx, problem);
    code = status ? cli_fail(ctx, status) : 0;
    cli_progress_stop(ctx);
    return code;
}
