/* Options of all methods: text to values and back, grids inside their ranges, what is refused and how it is said. */
#include "toy.h"

#include "support.h"

#include <stdio.h>
#include <stdlib.h>

/* Printed settings read back the same: defaults, every grid point, and random reals. */
static void test_round_trip(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_rng rng = nigh_rng_new(3, 1);
    assert_ok(ctx, nigh_register(ctx, &toy_relax));
    for (int i = 0; nigh_method_at(ctx, i); i++) {
        const nigh_method *m = nigh_method_at(ctx, i);
        nigh_settings start = nigh_settings_default(m), back;
        assert_ok(ctx, nigh_settings_check(ctx, m, &start));
        for (int o = 0; m->options && m->options[o].name; o++) {
            const nigh_option *option = &m->options[o];
            double *grid = NULL;
            int count = 0;
            assert_ok(ctx, nigh_option_grid(ctx, option, &grid, &count));
            assert_true(count >= 1);
            assert_true(option->help && *option->help);
            for (int k = 0; k < count + 20; k++) {
                nigh_settings s = start;
                nigh_buffer text = {.ctx = ctx};
                if (k >= count && option->type != NIGH_OPTION_REAL) break;
                if (k >= count && !isfinite(option->high - option->low)) break;
                s.value[o] = k < count ? grid[k] : option->low + (option->high - option->low) * nigh_rng_f64(&rng);
                if (nigh_settings_check(ctx, m, &s)) fail_msg("grid of %s %s: %s", m->name, option->name, nigh_message(ctx));
                assert_true(nigh_setting(m, &s, option->name) == s.value[o]);
                assert_ok(ctx, nigh_settings_print(m, &s, &text));
                back = nigh_settings_default(m);
                assert_ok(ctx, nigh_settings_parse(ctx, m, text.data, &back));
                assert_memory_equal(&back, &s, sizeof s);
                nigh_buffer_free(&text);
            }
            if (option->order == NIGH_ORDER_REFINES)
                for (int k = 1; k < count; k++) assert_true((grid[k] > grid[k - 1]) == (grid[1] > grid[0]) && grid[k] != grid[k - 1]);
            nigh_free(ctx, grid);
        }
    }
    test_context_free(ctx);
}

static void test_refused(void **state)
{
    nigh_context *ctx = test_context_new();
    const nigh_method *m = &toy_series;
    nigh_settings s = nigh_settings_default(m), before = s;
    assert_fails(ctx, nigh_settings_parse(ctx, m, "term=4", &s), NIGH_INVALID, "terms");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms", &s), NIGH_INVALID, "NAME=VALUE");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=", &s), NIGH_INVALID, "needs a number");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=4x", &s), NIGH_INVALID, "no number");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=4.5", &s), NIGH_INVALID, "whole number");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=31", &s), NIGH_INVALID, "1 to 30 is allowed");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=-1", &s), NIGH_INVALID, "1 to 30 is allowed");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=nan", &s), NIGH_INVALID, "terms");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=inf", &s), NIGH_INVALID, "terms");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "twist=maybe", &s), NIGH_INVALID, "no,yes is allowed");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "twist=", &s), NIGH_INVALID, "twist");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "=4", &s), NIGH_INVALID, "");
    assert_fails(ctx, nigh_settings_parse(ctx, m, "terms=5,twist=yes,terms=99", &s), NIGH_INVALID, "99");
    char longest[4096];
    memset(longest, '7', sizeof longest);
    memcpy(longest, "terms=", 6), longest[sizeof longest - 1] = 0;
    assert_fails(ctx, nigh_settings_parse(ctx, m, longest, &s), NIGH_INVALID, "terms");
    assert_memory_equal(&s, &before, sizeof s); /* a failure changes nothing */
    assert_ok(ctx, nigh_settings_parse(ctx, m, " ,terms=7 twist=yes,, ", &s));
    assert_true(s.value[0] == 7 && s.value[1] == 1);
    assert_ok(ctx, nigh_settings_parse(ctx, m, "", &s));
    assert_true(s.value[0] == 7);
    assert_true(isnan(nigh_setting(m, &s, "unheard-of")));
    s.value[1] = 2;
    assert_fails(ctx, nigh_settings_check(ctx, m, &s), NIGH_INVALID, "twist");
    s.value[1] = NAN;
    assert_fails(ctx, nigh_settings_check(ctx, m, &s), NIGH_INVALID, "twist");
    test_context_free(ctx);
}

static void assert_grid(nigh_context *ctx, nigh_option option, int count, const double *values)
{
    double *grid;
    int n;
    assert_ok(ctx, nigh_option_grid(ctx, &option, &grid, &n));
    assert_int_equal(n, count);
    for (int i = 0; i < n; i++) assert_near(grid[i], values[i], 0, 1e-12);
    nigh_free(ctx, grid);
}

static void test_grids(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_option o = {"x", NIGH_OPTION_INT, 0, 100, 42, NULL, NULL, NIGH_ORDER_NONE, "", "x"};
    assert_grid(ctx, o, 1, (double[]){42});
    o.grid = "3:6", assert_grid(ctx, o, 4, (double[]){3, 4, 5, 6});
    o.grid = "4,8,16", assert_grid(ctx, o, 3, (double[]){4, 8, 16});
    o.grid = "5", assert_grid(ctx, o, 1, (double[]){5});
    o.type = NIGH_OPTION_REAL;
    o.grid = "1e-2*10:1", assert_grid(ctx, o, 3, (double[]){0.01, 0.1, 1});
    o.grid = "2*2:16", assert_grid(ctx, o, 4, (double[]){2, 4, 8, 16});
    o.type = NIGH_OPTION_CHOICE, o.choices = "a,b,c";
    o.grid = "c,a", assert_grid(ctx, o, 2, (double[]){2, 0});
    o.grid = "0:1", assert_grid(ctx, o, 2, (double[]){0, 1});
    double *grid = NULL;
    int n;
    o.type = NIGH_OPTION_REAL;
    static const char *const bad[] = {"", "x", "5:4"};
    for (int i = 0; i < 3; i++) {
        o.grid = bad[i];
        assert_int_equal(nigh_option_grid(ctx, &o, &grid, &n), NIGH_INTERNAL);
    }
    static const char *const endless[] = {"1*1:2", "1*0:2", "1*-2:5", "1:1e9", "0*2:9"}; /* they end all the same */
    for (int i = 0; i < 5; i++) {
        o.grid = endless[i];
        if (nigh_option_grid(ctx, &o, &grid, &n) == NIGH_OK) {
            assert_true(n >= 1 && n <= 256);
            nigh_free(ctx, grid);
        }
    }
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused), cmocka_unit_test(test_grids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
