/* Taylor expansions with spans: every coefficient against series in quadruple precision at points of the span; mixed ones along directions; kinks and poles. */
#include "support.h"

#include "core/taylor.h"
#include "nigh/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void span_holds(span s, double x, const char *what, int k)
{
    if (!(s.low <= x && x <= s.high)) fail_msg("%s: coefficient %d is [%.17g, %.17g], which does not hold %.17g", what, k, s.low, s.high, x);
}

/* low, high: where the function is analytic */
static const struct {
    const char *text;
    double low, high;
} functions[] = {
    {"x+2", -3, 3},     {"1-x", -3, 3},       {"x*x*x", -3, 3},     {"1/x", 0.1, 4},     {"(1+x)/(2-x)", -3, 1.5}, {"x^5", -3, 3},      {"x^-3", 0.2, 4},   {"x^2.5", 0.1, 4},
    {"2^x", -3, 3},     {"x^x", 0.1, 3},      {"hypot(x, 2)", -3, 3}, {"atan2(x, 3)", -4, 4}, {"atan2(2, x)", -4, 4}, {"atan2(-2, x)", -4, 4}, {"-x", -3, 3},  {"abs(x)", 0.1, 5},
    {"abs(x)", -5, -0.1}, {"floor(x)", 1.1, 1.9}, {"sqrt(x)", 0.1, 9},   {"rsqrt(x)", 0.1, 9}, {"cbrt(x)", 0.1, 9},     {"cbrt(x)", -9, -0.1}, {"exp(x)", -5, 5},  {"exp2(x)", -5, 5},
    {"expm1(x)", -3, 3}, {"log(x)", 0.1, 9},   {"log2(x)", 0.1, 9},   {"log10(x)", 0.1, 9}, {"log1p(x)", -0.8, 9},    {"sin(x)", -20, 20}, {"cos(x)", -20, 20}, {"tan(x)", -1.4, 1.4},
    {"asin(x)", -0.95, 0.95}, {"acos(x)", -0.95, 0.95}, {"atan(x)", -5, 5}, {"sinh(x)", -4, 4}, {"cosh(x)", -4, 4}, {"tanh(x)", -4, 4}, {"asinh(x)", -5, 5}, {"acosh(x)", 1.1, 6},
    {"atanh(x)", -0.9, 0.9}, {"erf(x)", -4, 4}, {"erfc(x)", -4, 6},   {"sigmoid(x)", -9, 9}, {"gelu(x)", -5, 5},      {"silu(x)", -6, 6},  {"softplus(x)", -9, 9}, {"min(x, 7)", -3, 3},
    {"max(x, x*x)", 1.2, 3}, {"0.1*x", -3, 3}, {"exp(-x*x)*cos(3*x)/(1+x^2)", -2, 2},
};

static const double widths[] = {0, 1e-9, 1e-4, 0.03};

static void test_every_operation(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_arena *arena;
    taylor *t;
    assert_ok(ctx, nigh_arena_new(ctx, &arena));
    assert_ok(ctx, taylor_new(arena, 1, TAYLOR_MOST_ORDER, &t));
    assert_int_equal(t->count, TAYLOR_MOST_ORDER + 1);
    nigh_rng rng = nigh_rng_new(5, 0);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        nigh_expr *expr = NULL;
        const char *name = "x";
        assert_ok(ctx, nigh_expr_parse(ctx, functions[f].text, &name, 1, &expr));
        span *room = nigh_arena_alloc(arena, taylor_expr_room(t, expr) * sizeof *room), variable[TAYLOR_MOST_ORDER + 1], out[TAYLOR_MOST_ORDER + 1];
        for (int trial = 0; trial < 120; trial++) {
            double width = widths[trial % 4] * (functions[f].high - functions[f].low), at = functions[f].low + (functions[f].high - functions[f].low - width) * nigh_rng_f64(&rng);
            taylor_variable(t, 0, (span){at, at + width}, variable);
            taylor_expr(t, expr, variable, out, room);
            nigh_f128 exact[TAYLOR_MOST_ORDER + 1], x = at + width * nigh_rng_f64(&rng);
            if (x > at + width) x = at + width;
            assert_ok(ctx, nigh_expr_jet(ctx, expr, x, TAYLOR_MOST_ORDER, exact));
            for (int k = 0; k <= TAYLOR_MOST_ORDER; k++) {
                span_holds(out[k], (double)exact[k], functions[f].text, k);
                if (width == 0 && k < 4) assert_true(out[k].high - out[k].low <= 1e-8 * (1 + fabs((double)exact[k])));
            }
        }
        nigh_expr_free(expr);
    }
    nigh_arena_free(arena);
    test_context_free(ctx);
}

/* f(a + u s, b + v s) has the coefficients sum over |alpha| = k of c_alpha u^a0 v^a1. */
static void test_mixed(void **state)
{
    static const char *const texts[] = {"sin(x)*exp(y)", "x/(1+y*y)", "(x+0.3)^y", "hypot(x, y)", "atan2(y, x)", "max(x*y, x+y+9)", "tanh(3*x-y)*log(2+x*y)", "erf(x*y)^2/(1+sqrt(x+y))"};
    nigh_context *ctx = test_context_new();
    nigh_arena *arena;
    taylor *t;
    assert_ok(ctx, nigh_arena_new(ctx, &arena));
    assert_ok(ctx, taylor_new(arena, 2, 6, &t));
    assert_int_equal(t->count, 28);
    nigh_rng rng = nigh_rng_new(6, 0);
    for (size_t f = 0; f < sizeof texts / sizeof *texts; f++) {
        const char *names[] = {"x", "y"}, *line = "s";
        nigh_expr *expr = NULL;
        assert_ok(ctx, nigh_expr_parse(ctx, texts[f], names, 2, &expr));
        span *room = nigh_arena_alloc(arena, taylor_expr_room(t, expr) * sizeof *room), variables[2 * 28], out[28];
        for (int trial = 0; trial < 40; trial++) {
            double a = 0.5 + nigh_rng_f64(&rng), b = 0.5 + nigh_rng_f64(&rng), u = rint(8 * nigh_rng_f64(&rng)) / 4 - 1, v = rint(8 * nigh_rng_f64(&rng)) / 4 - 1;
            taylor_variable(t, 0, span_of(a), variables);
            taylor_variable(t, 1, span_of(b), variables + 28);
            taylor_expr(t, expr, variables, out, room);
            char text[512] = "", part[64];
            for (const char *c = texts[f]; *c; c++) {
                bool alone = (c == texts[f] || !strchr("abcdefghijklmnopqrstuvwxyz", c[-1])) && !strchr("abcdefghijklmnopqrstuvwxyz(", c[1] ? c[1] : ' ');
                if (alone && *c == 'x') snprintf(part, sizeof part, "(%.17g+(%.17g)*s)", a, u);
                else if (alone && *c == 'y') snprintf(part, sizeof part, "(%.17g+(%.17g)*s)", b, v);
                else snprintf(part, sizeof part, "%c", *c);
                strcat(text, part);
            }
            nigh_expr *along = NULL;
            nigh_f128 exact[7];
            assert_ok(ctx, nigh_expr_parse(ctx, text, &line, 1, &along));
            assert_ok(ctx, nigh_expr_jet(ctx, along, 0, 6, exact));
            double low[7] = {0}, high[7] = {0};
            for (int i = 0; i < t->count; i++) {
                double w = pow(u, t->power[i][0]) * pow(v, t->power[i][1]);
                span part_of = span_scale(w, out[i]);
                low[t->degree[i]] += part_of.low, high[t->degree[i]] += part_of.high;
            }
            for (int k = 0; k <= 6; k++) {
                double slack = 1e-11 * (1 + fabs((double)exact[k])); /* the line's decimals are rounded */
                span_holds((span){low[k] - slack, high[k] + slack}, (double)exact[k], texts[f], k);
                assert_true(high[k] - low[k] < 1e-6 * (1 + fabs((double)exact[k])));
            }
            nigh_expr_free(along);
        }
        nigh_expr_free(expr);
    }
    nigh_arena_free(arena);
    test_context_free(ctx);
}

static void test_kinks(void **state)
{
    span g[4];
    taylor_series(NIGH_OP_ABS, (span){-1, 2}, 3, g);
    assert_true(g[0].low == 0 && g[0].high == 2 && g[1].low == -1 && g[1].high == 1 && isinf(g[2].high));
    taylor_series(NIGH_OP_ABS, (span){0, 2}, 3, g);
    assert_true(g[1].low == -1 && isinf(g[2].high)); /* the kink is on the edge */
    taylor_series_power((span){-1, 1}, -1, 3, g);
    assert_true(isinf(g[0].low) && isinf(g[0].high));
    taylor_series(NIGH_OP_LOG, (span){0, 1}, 3, g);
    assert_true(isinf(g[0].low));
    taylor_series(NIGH_OP_FLOOR, (span){0.5, 1.5}, 3, g);
    assert_true(g[0].low == 0 && g[0].high == 1 && isinf(g[1].high));
    taylor_series(NIGH_OP_COS, (span){3, 3.3}, 1, g);
    assert_true(g[0].low <= -1 && g[0].low > -1.001 && g[0].high < -0.98);
    taylor_series(NIGH_OP_SIN, (span){1e12, 1e12 + 1}, 1, g);
    assert_true(g[0].low <= -1 && g[0].high >= 1);
}

/* The bound holds the largest value on the box, and is near it when the box is small. */
static void test_bound(void **state)
{
    nigh_context *ctx = test_context_new();
    nigh_arena *arena;
    taylor *t;
    const char *names[] = {"x", "y"};
    nigh_expr *expr = NULL;
    assert_ok(ctx, nigh_arena_new(ctx, &arena));
    assert_ok(ctx, taylor_new(arena, 2, 4, &t));
    assert_ok(ctx, nigh_expr_parse(ctx, "sin(5*x)*y-abs(x-0.52)", names, 2, &expr));
    span *room = nigh_arena_alloc(arena, taylor_expr_room(t, expr) * sizeof *room), centre[15], whole[15], variables[2 * 15];
    for (double r = 0.25; r > 1e-4; r /= 4) {
        double radius[2] = {r, r}, most = 0, x = 0.5, y = 0.3;
        for (int w = 0; w < 2; w++) {
            taylor_variable(t, 0, (span){x - w * r, x + w * r}, variables);
            taylor_variable(t, 1, (span){y - w * r, y + w * r}, variables + 15);
            taylor_expr(t, expr, variables, w ? whole : centre, room);
        }
        for (int i = 0; i <= 60; i++)
            for (int j = 0; j <= 60; j++) {
                double u = x + r * (i / 30.0 - 1), v = y + r * (j / 30.0 - 1);
                most = fmax(most, fabs(sin(5 * u) * v - fabs(u - 0.52)));
            }
        double bound = taylor_bound(t, radius, centre, whole);
        assert_true(bound >= most * (1 - 1e-12));
        assert_true(bound <= most + 3 * r);
    }
    nigh_expr_free(expr);
    nigh_arena_free(arena);
    test_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_operation), cmocka_unit_test(test_mixed), cmocka_unit_test(test_kinks), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
