/* Plots: ticks cover, are round and increase; text is escaped; marks stay inside; memory that runs out. */
#include "support.h"

#include "plan/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1, 2 or 5 times a power of ten. */
static bool is_125(double step)
{
    double digit = step / pow(10, floor(log10(step) + 1e-9));
    return fabs(digit - 1) < 1e-6 || fabs(digit - 2) < 1e-6 || fabs(digit - 5) < 1e-6;
}

static void check_axis(bool log, double low, double high)
{
    nigh_axis axis = nigh_axis_new("x", log, NIGH_AXIS_NUMBER);
    double ends[] = {low, high}, ticks[NIGH_TICKS_MAX];
    nigh_axis_cover(&axis, 2, ends);
    nigh_axis_round(&axis);
    double slack = log ? 0 : 1e-8 * (axis.high - axis.low); /* log: relative */
    if (!(axis.low < axis.high && axis.low <= low * (1 + log * 1e-8) + slack && axis.high >= high * (1 - log * 1e-8) - slack))
        fail_msg("[%g, %g] gave the axis [%g, %g]", low, high, axis.low, axis.high);
    for (int most = 6; most <= 12; most++) {
        int count = nigh_axis_ticks(&axis, most, ticks);
        if (count < 2 || count > most) fail_msg("[%g, %g] has %d ticks of at most %d", axis.low, axis.high, count, most);
        double room = 1e-9 * (axis.high - axis.low);
        assert_true(ticks[0] >= axis.low - room && ticks[count - 1] <= axis.high + room);
        for (int i = 1; i < count; i++) assert_true(ticks[i] > ticks[i - 1]);
        if (log) {
            for (int i = 0; i < count; i++) assert_true(is_125(ticks[i]));
        } else {
            double step = ticks[1] - ticks[0];
            assert_true(is_125(step));
            for (int i = 0; i < count; i++) assert_true(fabs(ticks[i] / step - round(ticks[i] / step)) < 1e-6);
            for (int i = 1; i < count; i++) assert_true(fabs(ticks[i] - ticks[i - 1] - step) < 1e-6 * step);
            assert_true(ticks[0] - axis.low < step && axis.high - ticks[count - 1] < step); /* no room for another */
        }
    }
}

static void ticks_cover_are_round_and_increase(void **state)
{
    (void)state;
    for (double low = 1e-12; low < 1e12; low *= 37.1)
        for (double factor = 1.01; factor < 1e14; factor *= 3.7) {
            check_axis(true, low, low * factor);
            check_axis(false, low, low * factor);
            check_axis(false, -low * factor, low);
            check_axis(false, -low * factor, -low);
        }
    check_axis(false, 0, 1);
    check_axis(false, -1e-300, 1e-300);
    check_axis(true, 1e-300, 1e300);
}

static void axes_of_nothing_and_of_one_value(void **state)
{
    (void)state;
    double ticks[NIGH_TICKS_MAX];
    const double odd[] = {NAN, INFINITY, -INFINITY, 0, -1};
    for (int log = 0; log < 2; log++) {
        nigh_axis axis = nigh_axis_new("x", log, NIGH_AXIS_NUMBER);
        nigh_axis_cover(&axis, log ? 5 : 3, odd); /* nothing that the axis can show */
        nigh_axis_round(&axis);
        assert_true(axis.low < axis.high && isfinite(axis.low) && isfinite(axis.high));
        assert_true(nigh_axis_ticks(&axis, 6, ticks) >= 2);
        static const double ones[] = {1e-320, 3, 1e5, 1.7e308};
        for (int i = 0; i < 4; i++) {
            axis = nigh_axis_new("x", log, NIGH_AXIS_NUMBER);
            nigh_axis_cover(&axis, 1, &ones[i]);
            nigh_axis_round(&axis);
            assert_true(axis.low < axis.high && isfinite(axis.low) && isfinite(axis.high));
            assert_true(nigh_axis_ticks(&axis, 6, ticks) >= 1);
        }
    }
}

static void assert_axis_text(bool log, nigh_axis_unit unit, double low, double high, double value, const char *expected)
{
    nigh_axis axis = {"x", log, unit, low, high};
    char out[48];
    assert_string_equal(nigh_axis_text(&axis, value, out), expected);
}

static void tick_texts(void **state)
{
    (void)state;
    assert_axis_text(true, NIGH_AXIS_NUMBER, 1e-9, 1, 1e-7, "10\u207b\u2077");
    assert_axis_text(true, NIGH_AXIS_NUMBER, 1e-9, 1, 2e-7, "2\u00b710\u207b\u2077");
    assert_axis_text(true, NIGH_AXIS_NUMBER, 1e-9, 1, 0.1, "0.1");
    assert_axis_text(true, NIGH_AXIS_NUMBER, 1, 1e12, 1e12, "10\u00b9\u00b2");
    assert_axis_text(false, NIGH_AXIS_NUMBER, 0, 1, 0.25, "0.25");
    assert_axis_text(false, NIGH_AXIS_NUMBER, 0, 1e6, 200000, "200000");
    assert_axis_text(true, NIGH_AXIS_SECONDS, 1e-9, 1, 1e-4, "100 \u00b5s");
    assert_axis_text(true, NIGH_AXIS_SECONDS, 1e-12, 1, 1e-10, "100 ps");
    assert_axis_text(true, NIGH_AXIS_SECONDS, 1, 1e5, 1e4, "10\u2074 s");
    assert_axis_text(false, NIGH_AXIS_PERCENT, 0, 1, 0.2, "20%");
}

static void text_is_escaped(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_buffer html = {.ctx = ctx};
    assert_ok(ctx, nigh_html_text(&html, "<script>\"'&\033\n\xc3\xa9", 100));
    assert_string_equal(html.data, "&lt;script&gt;&quot;&#39;&amp;  \xc3\xa9");
    html.size = 0;
    assert_ok(ctx, nigh_html_text(&html, "\xc3\xa9\xc3\xa9\xc3\xa9", 2));
    assert_string_equal(html.data, "\xc3\xa9\xc3\xa9\u2026");
    html.size = 0;
    assert_ok(ctx, nigh_html_text(&html, NULL, 2));
    nigh_axis x = {"<x>", false, NIGH_AXIS_NUMBER, 0, 1}, y = {"y\"", false, NIGH_AXIS_NUMBER, 0, 1};
    nigh_plot plot;
    nigh_plot_begin(&plot, &html, "\"><script>", &x, &y);
    nigh_plot_mark(&plot, "s1", NIGH_MARK_DISC, 0.5, 0.5, "<i>");
    nigh_plot_label(&plot, "s1", 0.5, 0.5, "<u>");
    assert_ok(ctx, nigh_plot_end(&plot));
    assert_null(strstr(html.data, "<script>"));
    assert_null(strstr(html.data, "<i>"));
    assert_null(strstr(html.data, "<u>"));
    assert_null(strstr(html.data, "<x>"));
    nigh_buffer_free(&html);
    test_context_free(ctx);
}

/* All numbers of every path and rect lie inside the view box; none is nan or inf. */
static void marks_stay_inside(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_buffer html = {.ctx = ctx};
    nigh_axis x = {"x", true, NIGH_AXIS_NUMBER, 1e-3, 1e3}, y = {"y", false, NIGH_AXIS_NUMBER, -1, 1};
    const double xs[] = {-5, 0, 1e-9, 1, NAN, 5, 1e9, INFINITY}, ys[] = {-9, 0, 0.5, NAN, 0, 1e300, -1e300, 1};
    nigh_plot plot;
    nigh_plot_begin(&plot, &html, "t", &x, &y);
    nigh_plot_line(&plot, "s1", 8, xs, ys, "line");
    nigh_plot_steps(&plot, "s1", 8, xs, ys, NULL);
    nigh_plot_band(&plot, "s1", 8, xs, ys, ys);
    for (int i = 0; i < 8; i++) nigh_plot_mark(&plot, "s1", (nigh_mark)(i % 6), xs[i], ys[i], "m");
    nigh_plot_level(&plot, "s1", 1e300, "level");
    nigh_plot_level(&plot, "s1", NAN, "level");
    nigh_plot_upright(&plot, "s1", 1e9, "upright");
    nigh_plot_bar(&plot, "s1", -1, 1e9, 1e300, "bar");
    assert_ok(ctx, nigh_plot_end(&plot));
    assert_null(strstr(html.data, "nan"));
    assert_null(strstr(html.data, "inf"));
    for (const char *c = html.data; (c = strpbrk(c, "0123456789"));) {
        char *end;
        double v = strtod(c, &end);
        assert_true(v >= 0 && v <= 440);
        c = end;
    }
    nigh_buffer_free(&html);
    test_context_free(ctx);
}

/* Every whole chart once, with counts that can be checked. */
static nigh_status all_charts(nigh_context *ctx, nigh_buffer *html)
{
    double values[100], field[70 * 80], other[70 * 80];
    for (int i = 0; i < 100; i++) values[i] = i + 1;
    for (int i = 0; i < 70 * 80; i++) field[i] = sin(i * 0.01), other[i] = i == 5 ? NAN : cos(i * 0.01);
    const double rates[] = {0, 0.1, 1}, hits[] = {0, 0.8, 1};
    const int64_t counts[] = {5, 0, 9};
    const char *const names[] = {"a", "<b>", "c"};
    nigh_status s = nigh_plot_histogram(html, "h", "v", false, 100, values);
    if (!s) s = nigh_plot_histogram(html, "h", "v", true, 100, values);
    if (!s) s = nigh_plot_histogram(html, "h", "v", true, 0, values);
    if (!s) s = nigh_plot_ecdf(html, "e", "v", 100, values, 50, "half");
    if (!s) s = nigh_plot_bars(html, "b", "v", 3, names, hits);
    if (!s) s = nigh_plot_roc(html, "r", 3, rates, hits);
    if (!s) s = nigh_plot_reliability(html, "p", 3, rates, hits, counts);
    if (!s) s = nigh_plot_heat(html, "f", 1, 1, field, 0, 0);
    if (!s) s = nigh_plot_fields(html, "fields", 70, 80, other, field, other);
    (void)ctx;
    return s;
}

static void charts(void **state)
{
    (void)state;
    nigh_context *ctx = test_context_new();
    nigh_buffer html = {.ctx = ctx};
    double values[100];
    for (int i = 0; i < 100; i++) values[i] = i + 0.5;
    assert_ok(ctx, nigh_plot_histogram(&html, "h", "v", false, 100, values));
    long total = 0;
    for (const char *c = html.data; (c = strstr(c, "<title>")); c++) total += strtol(strrchr(strndupa(c, (size_t)(strchr(c + 1, '<') - c)), ':') + 1, NULL, 10);
    assert_int_equal(total, 100);
    html.size = 0;
    const double rates[] = {0, 0.5, 1}, hits[] = {0, 1, 1};
    assert_ok(ctx, nigh_plot_roc(&html, "r", 3, rates, hits));
    assert_non_null(strstr(html.data, "area 0.75"));
    assert_ok(ctx, all_charts(ctx, &html));
    assert_null(strstr(html.data, "nan"));
    assert_null(strstr(html.data, "<b>"));
    assert_fails(ctx, nigh_plot_heat(&html, "f", 0, 3, values, 0, 0), NIGH_INVALID, "0 x 3");
    nigh_buffer_free(&html);
    test_context_free(ctx);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    for (long k = 1;; k++) {
        test_allocator memory = {.fail_at = k};
        nigh_context *ctx = test_context_failing(&memory);
        if (!ctx) continue;
        nigh_buffer html = {.ctx = ctx};
        nigh_status status = all_charts(ctx, &html);
        assert_true(status == NIGH_OK || status == NIGH_MEMORY);
        nigh_buffer_free(&html);
        nigh_context_free(ctx);
        assert_int_equal(memory.live, 0);
        if (!status) break;
        assert_true(k < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_cover_are_round_and_increase), cmocka_unit_test(axes_of_nothing_and_of_one_value), cmocka_unit_test(tick_texts),
        cmocka_unit_test(text_is_escaped), cmocka_unit_test(marks_stay_inside), cmocka_unit_test(charts), cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
