/* Receipts: numbers for people, what is shown, text, JSON both ways, hostile JSON, memory that runs out. */
#include "support.h"

#include "plan/figures.h"
#include "plan/receipt.h"
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_number(double value, int digits, const char *expected)
{
    char out[FIGURE_ROOM];
    assert_string_equal(nigh_figure_number(value, digits, out), expected);
}

static void numbers_have_the_digits_asked(void **state)
{
    (void)state;
    char out[FIGURE_ROOM];
    assert_number(0, 3, "0");
    assert_number(0.012345, 3, "0.0123");
    assert_number(0.0099999, 3, "0.01");
    assert_number(12345, 3, "12300");
    assert_number(99999, 3, "1e5");
    assert_number(8.127e-7, 3, "8.13e-7");
    assert_number(-1.5, 3, "-1.5");
    assert_number(1e300, 3, "1e300");
    assert_number(INFINITY, 3, "unbounded");
    assert_number(NAN, 3, "unknown");
    assert_string_equal(nigh_figure_seconds(12.3e-6, out), "12.3 us");
    assert_string_equal(nigh_figure_seconds(0.99999e-3, out), "1 ms");
    assert_string_equal(nigh_figure_seconds(4.56, out), "4.56 s");
    assert_string_equal(nigh_figure_seconds(3600, out), "60 min");
    assert_string_equal(nigh_figure_bytes(51234, out), "50 KiB");
    assert_string_equal(nigh_figure_percent(0.00994, 3, out), "0.994%");
    assert_string_equal(nigh_figure_count(821718, out), "822000");
    assert_string_equal(nigh_figure_count(748, out), "748");
    assert_string_equal(nigh_figure_exact(-0.0, out), "-0.0");
    /* Three digits never lie by more than half a unit of the third, over twelve orders of magnitude. */
    for (double v = 1.2345678e-6; v < 1e6; v *= 1.7) {
        double back = strtod(nigh_figure_number(v, 3, out), NULL);
        assert_true(fabs(back - v) <= 0.00501 * v);
    }
}

static void two_digits_round_outwards_and_stay(void **state)
{
    (void)state;
    assert_true(nigh_figure_two_digits(0.00834, +1) == 0.0084);
    assert_true(nigh_figure_two_digits(0.00834, 0) == 0.0083);
    assert_true(nigh_figure_two_digits(0.00836, -1) == 0.0083);
    assert_true(nigh_figure_two_digits(0.0995, +1) == 0.1);
    for (double v = 1e-300; v < 1e300; v *= 1234.567)
        for (int direction = -1; direction <= 1; direction++) {
            double once = nigh_figure_two_digits(v, direction);
            assert_true(nigh_figure_two_digits(once, direction) == once);
            assert_true(direction <= 0 || once >= v);
            assert_true(direction >= 0 || once <= v);
            assert_true(fabs(once - v) <= 0.11 * v);
        }
}

static void read_rows_show_two_digits(void **state)
{
    (void)state;
    nigh_receipt r = sample_receipt();
    nigh_receipt shown = nigh_receipt_shown(&r);
    assert_true(shown.mean.high == r.mean.high); /* fresh inputs: nothing is withheld */
    r.reads = 3;
    r.error = 0.00835;
    shown = nigh_receipt_shown(&r);
    assert_true(shown.mean.high == 0.00835); /* rounded up to 0.0084 it would deny what it met */
    assert_true(shown.p95.high == 0.018 && shown.p95.estimate == 0.015 && shown.worst == 0.032);
    nigh_receipt again = nigh_receipt_shown(&shown);
    assert_true(again.mean.high == shown.mean.high && again.worst_share == shown.worst_share);
}

static void break_even_is_where_costs_cross(void **state)
{
    (void)state;
    assert_true(nigh_receipt_break_even(10, 2, 1) == 10);
    assert_true(nigh_receipt_break_even(0, 2, 1) == 1);
    assert_true(isinf(nigh_receipt_break_even(1, 1, 1)));
    assert_true(isnan(nigh_receipt_break_even(1, 0, 1)));
    double even = nigh_receipt_break_even(3.4, 4.56e-3, 12.3e-6);
    assert_true(3.4 + even * 12.3e-6 <= even * 4.56e-3);
    assert_true(3.4 + (even - 1) * 12.3e-6 > (even - 1) * 4.56e-3);
}

static char *printed(nigh_context *ctx, const nigh_receipt *r)
{
    nigh_buffer text = {.ctx = ctx};
    assert_ok(ctx, nigh_receipt_print(ctx, r, &text));
    return text.data;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' is missing in:\n%s", part, text);
}

static void the_text_has_every_figure(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_receipt r = sample_receipt();
    char *text = printed(ctx, &r);
    static const char *const parts[] = {"./projectile {in} {out}", "pod-kernel rank=4", "mean error <= 0.01", "relative-l2", "MET ", "0.00712", "0.00834", "(95%)",
                                        "[measured]", "0.05", "0.993%", "0.0151", "0.0177", "0.0312", "0.994%", "300 inputs, drawn anew (walk 1)", "12.3 us", "4.56 ms",
                                        "371x (368 to 375", "15 pairs + 2 repeated", "1.62x (1.57 to 1.68", "coarse n=64", "3.4 s", "800 exact calls", "748 uses", "50 KiB",
                                        "18446744073709551615", "2 threads", "Example CPU", "avx512", "OpenBLAS", "ties with"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_has(text, parts[i]);
    int columns = 0;
    for (const char *c = text; *c; c++) {
        columns = *c == '\n' ? 0 : columns + 1;
        assert_true(columns <= 100);
        assert_true((unsigned char)*c < 0x80);
    }
    nigh_free(ctx, text);
    test_context_free(ctx);
}

static void the_text_says_what_is_missing(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_receipt r = sample_receipt();
    r.met = false, r.statistic = NIGH_WORST, r.shortcut = NULL, r.beside_shortcut.pairs = r.beside_exact.pairs = 0, r.exact_seconds = 0, r.as_stated = true;
    char *text = printed(ctx, &r);
    assert_has(text, "only a certificate could meet");
    assert_has(text, "AS STATED");
    assert_has(text, "no classical shortcut was shown to meet the same error");
    assert_has(text, "it cannot be run here and its time is not known");
    assert_has(text, "when it pays off is not known");
    nigh_free(ctx, text);
    r = sample_receipt();
    r.is_shortcut = true, r.reads = 3, r.level = 0.05 / 12, r.beside_exact.busy = true, r.beside_exact.low = 0.9;
    text = printed(ctx, &r);
    assert_has(text, "the plan IS the best classical shortcut");
    assert_has(text, "test rows read 3 times: only pass or fail and two digits");
    assert_has(text, "0.417%");
    assert_has(text, "machine busy");
    assert_has(text, "a tie");
    assert_null(strstr(text, "0.00834"));
    nigh_free(ctx, text);
    r = sample_receipt();
    r.met = false; /* by --outliers */
    text = printed(ctx, &r);
    assert_has(text, "more inputs than allowed may have errors above 0.05");
    nigh_free(ctx, text);
    memset(&r, 0, sizeof r);
    text = printed(ctx, &r);
    assert_has(text, "neither measured nor proved");
    nigh_free(ctx, text);
    r.problem = (char *)"\033[2Jgone\nnext \302\233x";
    text = printed(ctx, &r);
    assert_has(text, "?[2Jgone next ??x");
    nigh_free(ctx, text);
    test_context_free(ctx);
}

static void assert_text(const char *a, const char *b)
{
    if (!a || !b) assert_true(a == b);
    else assert_string_equal(a, b);
}

static bool same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void assert_figure(const nigh_figure *a, const nigh_figure *b)
{
    assert_true(same(a->estimate, b->estimate) && same(a->low, b->low) && same(a->high, b->high) && same(a->confidence, b->confidence) && a->n == b->n);
    assert_text(a->method, b->method);
}

static void assert_timing(const nigh_timing *a, const nigh_timing *b)
{
    assert_true(same(a->a_seconds, b->a_seconds) && same(a->b_seconds, b->b_seconds) && same(a->ratio, b->ratio) && same(a->low, b->low) && same(a->high, b->high));
    assert_true(a->pairs == b->pairs && a->repeated == b->repeated && a->threads == b->threads && a->busy == b->busy && !a->ratios == !b->ratios);
    for (int i = 0; a->ratios && i < a->pairs; i++) assert_true(same(a->ratios[i], b->ratios[i]));
}

static void assert_same(const nigh_receipt *a, const nigh_receipt *b)
{
    assert_text(a->problem, b->problem), assert_text(a->identity, b->identity), assert_text(a->kind, b->kind), assert_text(a->method, b->method);
    assert_text(a->settings, b->settings), assert_text(a->measure, b->measure), assert_text(a->unit, b->unit), assert_text(a->source, b->source);
    assert_text(a->words, b->words), assert_text(a->tests_from, b->tests_from), assert_text(a->shortcut, b->shortcut), assert_text(a->nigh, b->nigh);
    assert_text(a->cpu, b->cpu), assert_text(a->cpu_level, b->cpu_level), assert_text(a->libraries, b->libraries), assert_text(a->host, b->host);
    assert_true(same(a->error, b->error) && a->statistic == b->statistic && same(a->confidence, b->confidence) && a->met == b->met && a->label == b->label);
    assert_true(a->tests == b->tests && a->reads == b->reads && same(a->level, b->level) && same(a->clip, b->clip));
    assert_figure(&a->mean, &b->mean), assert_figure(&a->outliers, &b->outliers), assert_figure(&a->p95, &b->p95);
    assert_true(same(a->worst, b->worst) && same(a->worst_share, b->worst_share));
    assert_true(same(a->certificate.worst, b->certificate.worst) && a->certificate.exact == b->certificate.exact && same(a->certificate.at, b->certificate.at));
    assert_true(same(a->certificate.inputs, b->certificate.inputs));
    assert_text(a->certificate.how, b->certificate.how);
    assert_true(same(a->fit_seconds, b->fit_seconds) && same(a->exact_calls, b->exact_calls) && same(a->exact_seconds, b->exact_seconds));
    assert_true(same(a->plan_seconds, b->plan_seconds) && same(a->plan_bytes, b->plan_bytes) && same(a->exact_bytes, b->exact_bytes));
    assert_timing(&a->beside_exact, &b->beside_exact), assert_timing(&a->beside_shortcut, &b->beside_shortcut);
    assert_true(a->is_shortcut == b->is_shortcut && a->threads == b->threads && a->seed == b->seed);
}

static void assert_round_trip(nigh_context *ctx, const nigh_receipt *r)
{
    nigh_buffer json = {.ctx = ctx}, again = {.ctx = ctx};
    nigh_receipt *back = NULL;
    assert_ok(ctx, nigh_receipt_json(ctx, r, &json));
    assert_ok(ctx, nigh_receipt_parse(ctx, json.data, &back));
    assert_true(back->as_stated);
    assert_same(r, back);
    back->as_stated = r->as_stated;
    assert_ok(ctx, nigh_receipt_json(ctx, back, &again));
    assert_string_equal(json.data, again.data);
    nigh_receipt_free(back);
    nigh_buffer_free(&json);
    nigh_buffer_free(&again);
}

static void json_reads_back_to_the_same_bits(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_receipt r = sample_receipt();
    assert_round_trip(ctx, &r);
    r.certificate = (nigh_certificate){0.1 + 0.2, true, -1e-310, INFINITY, "interval arithmetic"};
    r.statistic = NIGH_WORST, r.label = NIGH_CERTIFIED, r.error = 1, r.shortcut = NULL, r.host = NULL, r.seed = 0;
    r.words = (char *)"quotes \" \\ <b> \n \xc3\xa9";
    assert_round_trip(ctx, &r);
    r.certificate.at = NAN; /* a box of many dimensions has no one place */
    r.p95.high = INFINITY, r.mean = (nigh_figure){NAN, -INFINITY, INFINITY, 0, 0, NULL};
    assert_round_trip(ctx, &r);
    r = sample_receipt();
    r.worst = INFINITY, r.outliers.low = -0.0, r.plan_seconds = 5e-324, r.exact_bytes = 1.7976931348623157e308;
    assert_round_trip(ctx, &r);
    r = sample_receipt();
    r.reads = 2, r.met = true;
    nigh_receipt shown = nigh_receipt_shown(&r); /* what JSON gives of a guarded receipt, and nothing more */
    assert_round_trip(ctx, &shown);
    nigh_buffer json = {.ctx = ctx};
    assert_ok(ctx, nigh_receipt_json(ctx, &r, &json));
    assert_null(strstr(json.data, "0.00834"));
    nigh_buffer_free(&json);
    r.problem = (char *)"caf\xe9"; /* not UTF-8: still JSON */
    assert_ok(ctx, nigh_receipt_json(ctx, &r, &json));
    assert_has(json.data, "caf?");
    nigh_buffer_free(&json);
    test_context_free(ctx);
}

/* Text with the first `from` replaced by `to`; malloc'ed. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (!at) fail_msg("'%s' is not in the JSON", from);
    char *made = malloc(strlen(text) + strlen(to) + 1);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return made;
}

static void hostile_json_is_refused_with_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *message;
    } cases[] = {
        {"\"format\": 1", "\"format\": 2", "format"}, {"\"error\": 0.01", "\"error\": -1", "error"}, {"\"error\": 0.01", "\"error\": \"x\"", "error"},
        {"\"error\": 0.01", "\"error\": 0.001", "met"}, {"\"statistic\": \"mean\"", "\"statistic\": \"median\"", "statistic"},
        {"\"label\": \"measured\"", "\"label\": \"sure\"", "label"}, {"\"label\": \"measured\"", "\"label\": \"certified\"", "no certificate"},
        {"\"seed\": \"18446744073709551615\"", "\"seed\": \"18446744073709551616\"", "seed"}, {"\"seed\": \"1", "\"seed\": \"-1", "seed"},
        {"\"tests\": 300", "\"tests\": 1.5", "tests"}, {"\"tests\": 300", "\"tests\": -1", "tests"}, {"\"pairs\": 15", "\"pairs\": 14", "ratios"},
        {"\"pairs\": 15", "\"pairs\": 2000000000", "pairs"}, {"\"threads\": 2", "\"threads\": 9999999999", "threads"}, {"\"problem\": \"", "\"problem\": 7, \"p\": \"", "problem"},
        {"\"met\": true", "\"met\": 1", "met"}, {"\"n\": 300", "\"n\": null", "n"}, {"\"worst\": 0.03", "\"worst\": -0.03", "worst"},
        {"\"certificate\": null", "\"certificate\": {\"worst\":1}", "exact"}, {"\"certificate\": null", "\"certificate\": []", "certificate"},
        {"\"high\": 0.0", "\"high\": -0.0", "low"},
    };
    nigh_context *ctx = test_context_new();
    nigh_receipt r = sample_receipt(), *back = NULL;
    nigh_buffer json = {.ctx = ctx};
    assert_ok(ctx, nigh_receipt_json(ctx, &r, &json));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *bad = replaced(json.data, cases[i].from, cases[i].to);
        assert_fails(ctx, nigh_receipt_parse(ctx, bad, &back), NIGH_FORMAT, cases[i].message);
        assert_null(back);
        free(bad);
    }
    static const char *const broken[] = {"", "{", "[]", "null", "{}", "{\"format\": 1}", "\"text\"", "{\"format\": 1, \"format\": 1}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) assert_int_equal(nigh_receipt_parse(ctx, broken[i], &back), NIGH_FORMAT);
    char *long_text = malloc(40000), *bad;
    memset(long_text, 'x', 39999);
    long_text[39999] = 0;
    bad = replaced(json.data, "./projectile", long_text);
    assert_fails(ctx, nigh_receipt_parse(ctx, bad, &back), NIGH_FORMAT, "bytes");
    free(bad);
    free(long_text);
    for (size_t size = 0; size < json.size; size += 7) { /* every way of being cut off */
        char *cut = strndup(json.data, size);
        assert_int_equal(nigh_receipt_parse(ctx, cut, &back), NIGH_FORMAT);
        free(cut);
    }
    nigh_buffer_free(&json);
    test_context_free(ctx);
}

/* Receipts of before there were figures of grids. */
static void old_receipts_are_read(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_receipt r = sample_receipt(), *back = NULL;
    nigh_buffer json = {.ctx = ctx};
    assert_ok(ctx, nigh_receipt_json(ctx, &r, &json));
    assert_ok(ctx, nigh_receipt_parse(ctx, json.data, &back));
    assert_true(back->refinement.n == 8 && back->refinement.mean == 0.00213 && back->refinement.worst == 0.00431 && !back->refinement.why);
    assert_true(back->grids == 3 && back->grid[2].size[1] == 96 && back->grid[1].own && !back->grid[0].own && back->grid[0].mean == 0.031);
    nigh_receipt_free(back);
    char *renamed = replaced(json.data, "\"refinement\"", "\"unknown\""), *old = replaced(renamed, "\"grids\"", "\"unknown2\"");
    assert_ok(ctx, nigh_receipt_parse(ctx, old, &back));
    assert_true(back->refinement.n == 0 && !back->refinement.why && back->grids == 0);
    nigh_receipt_free(back);
    free(renamed), free(old);
    char *many = replaced(json.data, "\"size\": [", "\"size\": [1, ");
    assert_fails(ctx, nigh_receipt_parse(ctx, many, &back), NIGH_FORMAT, "size");
    free(many);
    nigh_buffer_free(&json);
    test_context_free(ctx);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    nigh_receipt r = sample_receipt();
    for (long k = 1;; k++) {
        test_allocator memory = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&memory);
        if (!ctx) continue;
        nigh_buffer text = {.ctx = ctx}, json = {.ctx = ctx};
        nigh_receipt *back = NULL;
        nigh_status status = nigh_receipt_print(ctx, &r, &text);
        if (!status) status = nigh_receipt_json(ctx, &r, &json);
        if (!status) status = nigh_receipt_parse(ctx, json.data, &back);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        assert_true((status == NIGH_OK) == (back != NULL));
        nigh_receipt_free(back);
        nigh_buffer_free(&text);
        nigh_buffer_free(&json);
        nigh_context_free(ctx);
        assert_int_equal(memory.live, 0);
        if (!status) break;
        assert_true(k < 10000);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0) { /* for validate_schema.py: sample receipts as files in a folder */
        nigh_context *ctx = test_context_new();
        for (int i = 0; i < SAMPLES; i++) {
            static sample s;
            sample_make(&s, i);
            nigh_buffer json = {.ctx = ctx};
            char path[4096];
            snprintf(path, sizeof path, "%s/receipt%d.json", argv[2], i);
            FILE *file = nigh_receipt_json(ctx, &s.receipt, &json) ? NULL : fopen(path, "w");
            if (!file || fputs(json.data, file) < 0 || fclose(file)) return 1;
            nigh_buffer_free(&json);
        }
        nigh_context_free(ctx);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_receipts_are_read),
        cmocka_unit_test(numbers_have_the_digits_asked), cmocka_unit_test(two_digits_round_outwards_and_stay),
        cmocka_unit_test(read_rows_show_two_digits),     cmocka_unit_test(break_even_is_where_costs_cross),
        cmocka_unit_test(the_text_has_every_figure),     cmocka_unit_test(the_text_says_what_is_missing),
        cmocka_unit_test(json_reads_back_to_the_same_bits), cmocka_unit_test(hostile_json_is_refused_with_the_key),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
