/* Outcomes as JSON and the page made from them: all numbers present, texts escaped, hostile JSON refused. */
#include "support.h"

#include "plan/report.h"
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *outcome_text(nigh_context *ctx, int which)
{
    static sample s;
    static nigh_measure measure = {.unit = "1"};
    sample_make(&s, which);
    measure.name = s.receipt.measure;
    s.problem.measure = &measure;
    nigh_buffer json = {.ctx = ctx};
    assert_ok(ctx, nigh_outcome_json(ctx, &s.problem, &s.outcome, &json));
    return json.data;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' is missing", part);
}

static void outcomes_read_back(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    for (int which = 0; which < SAMPLES; which++) {
        char *json = outcome_text(ctx, which);
        static sample s;
        sample_make(&s, which);
        nigh_report_outcome *o = NULL;
        assert_ok(ctx, nigh_report_read(ctx, 1, json, &o));
        assert_string_equal(o->name, s.problem.name);
        assert_int_equal(o->count, s.outcome.count);
        assert_int_equal(o->chosen, s.outcome.chosen);
        assert_int_equal(o->rows, s.outcome.rows);
        assert_false(o->receipt->as_stated);
        for (int i = 0; i < o->count; i++) {
            const nigh_candidate *a = &s.candidates[i];
            const nigh_report_candidate *b = &o->candidates[i];
            assert_string_equal(a->label, b->label);
            assert_true(a->state == b->state && a->link == b->link && a->timed == b->timed && a->cost == b->cost && a->apply_seconds == b->apply_seconds);
            assert_true(a->decides == b->decides || (isnan(a->decides) && isnan(b->decides)));
            assert_true(a->estimate.error.high == b->estimate.high && a->screen_worst == b->worst);
        }
        for (int i = 0; i < o->rows; i++) assert_true(o->envelope[i].uses == s.envelope[i].uses && o->envelope[i].candidate == s.envelope[i].candidate);
        if (which == 0) { /* the curve is thinned but keeps its peak */
            double most = 0, kept = 0;
            for (int i = 0; i < SAMPLE_CURVE; i++) most = fmax(most, s.error[i]);
            for (int64_t i = 0; i < o->curve_count; i++) kept = fmax(kept, o->curve_error[i]);
            assert_true(kept == most && o->curve_count <= 800);
        }
        if (which == 1) assert_true(o->quantiles == 200 && o->quantile[0] == s.errors[0] && o->quantile[199] == s.errors[SAMPLE_TESTS - 1]);
        if (which == 2) assert_int_equal(o->quantiles, 0); /* errors of rows that were read before stay hidden */
        nigh_report_outcome_free(o);
        nigh_free(ctx, json);
    }
    test_context_free(ctx);
}

static void the_page_has_everything(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    char *texts[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) texts[i] = outcome_text(ctx, i);
    nigh_buffer html = {.ctx = ctx};
    assert_ok(ctx, nigh_report_html(ctx, SAMPLES, (const char *const *)texts, &html));
    static const char *const parts[] = {"<!DOCTYPE html>", "viewport", "prefers-color-scheme", "4 problems planned", "met in 3", "not met", "371", "368 to 375", "8.13e-7",
                                        "certified", "Error against time", "Cost over the number of uses", "Error along the input", "Errors on the test inputs",
                                        "Timed beside the exact computation", "Timed beside the best shortcut", "Not shown. These rows were read 3 times", "A tie",
                                        "is that shortcut itself", "no shortcut shown to meet it", "All 22 candidates", "&lt;abs&gt;", "from 640 uses on", "role=\"img\"", "pays off"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_has(html.data, parts[i]);
    static const char *const never[] = {"<script", "http:", "https:", "url(", "<abs>", "src=", "nan", "@import"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(html.data, never[i])) fail_msg("the page contains '%s'", never[i]);
    nigh_buffer_free(&html);
    for (int i = 0; i < SAMPLES; i++) nigh_free(ctx, texts[i]);
    test_context_free(ctx);
}

static void texts_cannot_inject(void **state)
{
    (void)state;
    static const char evil[] = "\"></title></style><script>alert(1)</script>'&amp;";
    nigh_context *ctx = test_context_new();
    static sample s;
    static nigh_measure measure;
    sample_make(&s, 1);
    char *text = (char *)evil;
    measure = (nigh_measure){.name = text, .unit = text};
    s.problem.measure = &measure;
    s.problem.name = s.problem.kind = text;
    nigh_receipt *r = &s.receipt;
    r->problem = r->kind = r->method = r->settings = r->measure = r->unit = r->source = r->words = r->tests_from = r->shortcut = text;
    r->nigh = r->cpu = r->cpu_level = r->libraries = r->host = text;
    r->certificate = (nigh_certificate){0.001, true, 1, 5, text};
    for (int i = 0; i < SAMPLE_CANDIDATES; i++) s.candidates[i].label = s.candidates[i].why = text;
    nigh_buffer json = {.ctx = ctx}, html = {.ctx = ctx};
    assert_ok(ctx, nigh_outcome_json(ctx, &s.problem, &s.outcome, &json));
    assert_ok(ctx, nigh_report_html(ctx, 1, (const char *const *)&json.data, &html));
    assert_null(strstr(html.data, "<script"));
    assert_null(strstr(html.data, evil));
    assert_ptr_equal(strstr(html.data, "</style>"), strstr(html.data, "</style></head>"));
    nigh_buffer_free(&json);
    nigh_buffer_free(&html);
    test_context_free(ctx);
}

static void hostile_json_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {{"\"chosen\": ", "\"chosen\": 9"}, {"\"candidate\": -1", "\"candidate\": -2"}, {"\"candidate\": -1", "\"candidate\": 22"}, {"\"state\": \"missed\"", "\"state\": \"x\""},
                 {"\"candidates\": [", "\"candidates\": [1,"}, {"\"histogram\": [", "\"histogram\": [1e9,"}, {"\"x\": []", "\"x\": [1]"}, {"\"format\": 1", "\"format\": null"},
                 {"\"uses\": 1", "\"uses\": -1"}, {"\"sets\": {", "\"sets\": {\"fit\": 0,"}, {"\"label\": \"", "\"label\": 1, \"l\": \""}, {"\"tests\": 300", "\"tests\": \"300\""}};
    nigh_context *ctx = test_context_new();
    char *json = outcome_text(ctx, 1);
    nigh_buffer html = {.ctx = ctx};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = strstr(json, cases[i].from);
        if (!at) fail_msg("'%s' is not in the JSON", cases[i].from);
        char *bad = nigh_format(ctx, "%.*s%s%s", (int)(at - json), json, cases[i].to, at + strlen(cases[i].from));
        assert_fails(ctx, nigh_report_html(ctx, 1, (const char *const *)&bad, &html), NIGH_FORMAT, "number 1");
        nigh_free(ctx, bad);
    }
    const char *const empty = "{}";
    assert_int_equal(nigh_report_html(ctx, 1, &empty, &html), NIGH_FORMAT);
    assert_fails(ctx, nigh_report_html(ctx, 0, NULL, &html), NIGH_INVALID, "0 outcomes");
    nigh_buffer_free(&html);
    nigh_free(ctx, json);
    test_context_free(ctx);
}

static void odd_outcomes_make_a_page(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    static sample s;
    sample_make(&s, 1);
    nigh_buffer json = {.ctx = ctx}, html = {.ctx = ctx};
    for (int i = 0; i < SAMPLE_CANDIDATES; i++) { /* every figure that can be odd is */
        static const double odd[] = {0, INFINITY, NAN, 1e-320, 1e308, -1};
        s.candidates[i].decides = odd[i % 6], s.candidates[i].apply_seconds = odd[(i / 2) % 6];
        s.candidates[i].fit_seconds = odd[(i / 3) % 6], s.candidates[i].cost = odd[(i / 4) % 6];
    }
    s.receipt.met = false, s.receipt.mean.high = INFINITY, s.receipt.worst = INFINITY, s.receipt.beside_exact.ratio = NAN;
    s.errors[SAMPLE_TESTS - 1] = INFINITY;
    assert_ok(ctx, nigh_outcome_json(ctx, &s.problem, &s.outcome, &json));
    assert_ok(ctx, nigh_report_html(ctx, 1, (const char *const *)&json.data, &html));
    json.size = html.size = 0;
    s.outcome = (nigh_outcome){.chosen = -1}; /* nothing at all */
    assert_ok(ctx, nigh_outcome_json(ctx, &s.problem, &s.outcome, &json));
    assert_ok(ctx, nigh_report_html(ctx, 1, (const char *const *)&json.data, &html));
    assert_has(html.data, "no receipt");
    nigh_buffer_free(&json);
    nigh_buffer_free(&html);
    test_context_free(ctx);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    static sample s;
    sample_make(&s, 1);
    for (long k = 1;; k++) {
        test_allocator memory = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&memory);
        if (!ctx) continue;
        nigh_buffer json = {.ctx = ctx}, html = {.ctx = ctx};
        nigh_status status = nigh_outcome_json(ctx, &s.problem, &s.outcome, &json);
        if (!status) status = nigh_report_html(ctx, 1, (const char *const *)&json.data, &html);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        nigh_buffer_free(&json);
        nigh_buffer_free(&html);
        nigh_context_free(ctx);
        assert_int_equal(memory.live, 0);
        if (!status) break;
        assert_true(k < 10000);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0) { /* the sample page, to look at */
        nigh_context *ctx = test_context_new();
        char *texts[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) texts[i] = outcome_text(ctx, i);
        nigh_buffer html = {.ctx = ctx};
        FILE *file = nigh_report_html(ctx, SAMPLES, (const char *const *)texts, &html) ? NULL : fopen(argv[2], "w");
        if (!file || fputs(html.data, file) < 0 || fclose(file)) return 1;
        nigh_buffer_free(&html);
        for (int i = 0; i < SAMPLES; i++) nigh_free(ctx, texts[i]);
        nigh_context_free(ctx);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_read_back),      cmocka_unit_test(the_page_has_everything),  cmocka_unit_test(texts_cannot_inject),
        cmocka_unit_test(hostile_json_is_refused), cmocka_unit_test(odd_outcomes_make_a_page), cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
