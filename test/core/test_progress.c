/* The progress bar against a clock of the test's own. */
#include "support.h"

#include "nigh/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double now;
static double test_clock(void *user) { return now; }

typedef struct screen {
    nigh_context *ctx;
    char *text;
    size_t size;
    FILE *file;
    nigh_bar *bar;
} screen;

static screen screen_open(int terminal, int text, int columns)
{
    static char *memory;
    static size_t size;
    screen s = {.ctx = test_context_new()};
    s.file = open_memstream(&memory, &size);
    nigh_bar_options options = {.terminal = terminal, .text = text, .columns = columns, .clock = test_clock};
    now = 1000;
    assert_ok(s.ctx, nigh_bar_new(s.ctx, s.file, &options, &s.bar));
    fflush(s.file);
    s.text = (char *)&memory;
    return s;
}

static const char *seen(screen *s)
{
    fflush(s->file);
    return *(char **)s->text;
}

static void screen_close(screen *s)
{
    nigh_bar_free(s->bar);
    fclose(s->file);
    free(*(char **)s->text);
    test_context_free(s->ctx);
}

static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* The last drawing: what follows the last erase. */
static const char *drawing(screen *s)
{
    const char *all = seen(s), *last = all;
    for (const char *p = all; (p = strstr(p, "\r\033[K")); p += 4) last = p + 4;
    return last;
}

static void quick_work_shows_nothing(void **state)
{
    for (int terminal = -1; terminal < 2; terminal += 2) {
        screen s = screen_open(terminal, -1, 80);
        for (int i = 0; i <= 100; i++, now += 0.004) nigh_bar_show(s.bar, "fit", i, 100);
        assert_string_equal(seen(&s), "");
        screen_close(&s);
    }
}

static void a_terminal_gets_one_line(void **state)
{
    screen s = screen_open(1, -1, 80);
    for (int i = 0; i <= 50; i++, now += 0.1) nigh_bar_show(s.bar, "fit", i, 100);
    assert_null(strchr(seen(&s), '\n'));
    assert_string_equal(drawing(&s), "fit [####################--------------------]  50%  10/s  5 s left");
    for (int i = 51; i <= 100; i++, now += 0.1) nigh_bar_show(s.bar, "fit", i, 100);
    assert_string_equal(drawing(&s), ""); /* erased when done */
    screen_close(&s);
}

/* Behind a tab: shown at the end, and no new work when it changes. */
static void a_note_stands_at_the_end(void **state)
{
    screen s = screen_open(1, -1, 80);
    for (int i = 0; i <= 50; i++, now += 0.1) {
        char what[32];
        snprintf(what, sizeof what, "fit\tloss 0.%03d", 900 - i);
        nigh_bar_show(s.bar, what, i, 100);
    }
    assert_string_equal(drawing(&s), "fit [####################--------------------]  50%  10/s  5 s left  loss 0.850");
    for (int i = 51; i <= 60; i++, now += 0.1) nigh_bar_show(s.bar, "fit", i, 100);
    assert_string_equal(drawing(&s), "fit [########################----------------]  60%  10/s  4 s left");
    screen_close(&s);
}

static void lines_fit(void **state)
{
    static const int widths[] = {20, 25, 33, 40, 60, 80, 200};
    for (int text = -1; text < 2; text += 2)
        for (int w = 0; w < 7; w++) {
            screen s = screen_open(1, text, widths[w]);
            for (int i = 0; i < 300; i++, now += 0.1) {
                nigh_bar_show(s.bar, "Näherung \033[31m\n des Operators", i * 7919.0, 7919.0 * 300);
                assert_true(columns_of(drawing(&s)) < widths[w]);
                assert_null(strchr(drawing(&s), '\033'));
                assert_null(strchr(drawing(&s), '\n'));
            }
            if (widths[w] == 200) assert_true((strstr(drawing(&s), "█") != NULL) == (text > 0));
            screen_close(&s);
        }
}

static void a_file_gets_few_lines(void **state)
{
    screen s = screen_open(-1, -1, 80);
    for (int i = 0; i <= 2000; i++, now += 0.01) nigh_bar_show(s.bar, "fit", i, 2000);
    const char *all = seen(&s);
    int lines = 0;
    for (const char *p = all; *p; p++) lines += *p == '\n';
    assert_int_equal(lines, 4); /* at 5, 10, 15 and 20 s of 20 s */
    assert_null(strchr(all, '\r'));
    assert_null(strchr(all, '\033'));
    assert_non_null(strstr(all, "fit: 25%  100/s  15 s left\n"));
    assert_non_null(strstr(all, "fit: 100%  100/s  done in 20 s\n"));
    screen_close(&s);
}

static void the_time_left_follows(void **state)
{
    screen s = screen_open(1, -1, 80);
    for (int i = 0; i < 100; i++, now += 0.1) nigh_bar_show(s.bar, "a", i, 1000);
    for (int i = 100; i < 400; i++, now += 0.4) nigh_bar_show(s.bar, "a", i, 1000); /* four times slower: 240 s left */
    const char *left = strstr(drawing(&s), "/s  ");
    assert_non_null(left);
    int minutes = 0, seconds = 0;
    assert_int_equal(sscanf(left, "/s  %d:%d min", &minutes, &seconds), 2);
    assert_in_range(60 * minutes + seconds, 225, 255);
    nigh_bar_show(s.bar, "b", 0, 0); /* something else begins: the old line goes */
    assert_string_equal(drawing(&s), "");
    for (int i = 0; i < 30; i++, now += 0.1) nigh_bar_show(s.bar, "b", i * 1e6, 0);
    assert_non_null(strstr(drawing(&s), " M  10 M/s"));
    nigh_bar_hide(s.bar);
    assert_string_equal(drawing(&s), "");
    screen_close(&s);
}

static void odd_calls(void **state)
{
    screen s = screen_open(1, -1, 20);
    static const double odd[] = {0.0, -1.0, 1e308, 5.0, 3.0, 0.0 / 1.0};
    char long_name[3000];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++, now += 1) {
            nigh_bar_show(s.bar, long_name, odd[i], odd[j]);
            nigh_bar_show(s.bar, NULL, odd[j], odd[i]);
            assert_true(columns_of(drawing(&s)) < 20);
        }
    nigh_bar *none;
    assert_fails(s.ctx, nigh_bar_new(s.ctx, s.file, &(nigh_bar_options){.columns = 7}, &none), NIGH_INVALID, "columns is 7");
    nigh_bar_hide(NULL);
    nigh_bar_free(NULL);
    screen_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_work_shows_nothing), cmocka_unit_test(a_terminal_gets_one_line), cmocka_unit_test(a_note_stands_at_the_end), cmocka_unit_test(lines_fit),
        cmocka_unit_test(a_file_gets_few_lines),    cmocka_unit_test(the_time_left_follows),    cmocka_unit_test(odd_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
